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
 * characters gives its overlapping pairs, one position each, and its last
 * character, at the last pair's position; the words of a query have no such
 * character, unless the run is no longer.  The text between runs goes through
 * the configuration.  The database's encoding is UTF8.
 */
extern void elac_bigrams_parse(ElacDocument *document, Oid config, const char *bytes, int32 len);

/*
 * Is this lexeme one character of those scripts?  As a word of a query it is
 * then a prefix: of the pairs that begin with it, and of itself.
 */
extern bool elac_bigrams_is_character(const char *bytes, uint32 len);

#endif							/* ELAC_BIGRAMS_H */
