/*
 * bigrams.h
 *	  Runs of Chinese, Japanese and Korean characters as overlapping pairs.
 */
#ifndef ELAC_BIGRAMS_H
#define ELAC_BIGRAMS_H

#include "elacsym.h"

#include "text/document.h"

/*
 * As elac_parse_text(), but each run of Han, Hiragana, Katakana and Hangul
 * characters gives its overlapping pairs, one position each, or itself when it
 * is one character; the text between runs goes through the configuration.
 * The database's encoding is UTF8.
 */
extern void elac_bigrams_parse(ElacDocument *document, Oid config, const char *bytes, int32 len);

#endif							/* ELAC_BIGRAMS_H */
