/*
 * token_parser.h
 *	  From text to lexemes in the order of its words.
 */
#ifndef ELAC_TOKEN_PARSER_H
#define ELAC_TOKEN_PARSER_H

#include "elacsym.h"

#include "text/document.h"

/*
 * Adds to the document the lexemes that to_tsvector() finds in a text of the
 * database's encoding.  config is the document's.
 */
extern void elac_parse_text(ElacDocument *document, Oid config, const char *bytes, int32 len);

/* How many tokens of this session took which way; for measurements. */
typedef struct ElacParserCounters
{
	uint64		fast;			/* cut by token_parser.c */
	uint64		stretches;		/* stretches whose tokens were remembered as a whole */
	uint64		server;			/* cut by the server's parser */
	uint64		texts;			/* whole texts left to the server */
} ElacParserCounters;

extern ElacParserCounters elac_parser_counters;

#endif							/* ELAC_TOKEN_PARSER_H */
