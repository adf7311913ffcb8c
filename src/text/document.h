/*
 * document.h
 *	  The lexemes of one document in the order of its words, and the vector of
 *	  terms that they make.
 */
#ifndef ELAC_DOCUMENT_H
#define ELAC_DOCUMENT_H

#include "elacsym.h"

#include "text/analyze.h"
#include "text/lexeme_cache.h"

typedef struct ElacOccurrence
{
	uint32		lexeme;			/* its number in the cache */
	uint32		position;		/* 1 .. ELAC_POSITION_MAX, never falling */
} ElacOccurrence;

typedef struct ElacDocument
{
	ElacLexemeCache *cache;
	int32		position;		/* of the last word; not capped */
	bool		words;			/* of a query */
	uint64		noccurrences;
	uint64		room;
	ElacOccurrence *occurrences;	/* in the context of elac_document_start() */
} ElacDocument;

/* Starts a document of about this many bytes in CurrentMemoryContext. */
extern void elac_document_start(ElacDocument *document, Oid config, Size nbytes);

/* Counts; frees what the document holds.  The result is in CurrentMemoryContext. */
extern void elac_document_finish(ElacDocument *document, bool positions, ElacTermVector *out);

/* Makes room for more occurrences. */
extern void elac_document_grow(ElacDocument *document, uint64 more);

/* One sequence of steps. */
extern void elac_document_add_sequence(ElacDocument *document, ElacTokenValue value);

/* A lexeme at the present position. */
static inline void
elac_document_add(ElacDocument *document, uint32 lexeme)
{
	ElacOccurrence *occurrence;

	if (document->noccurrences == document->room)
		elac_document_grow(document, 1);
	occurrence = &document->occurrences[document->noccurrences++];
	occurrence->lexeme = lexeme;
	occurrence->position = Min(document->position, ELAC_POSITION_MAX);
}

/* What a token gives; false when a dictionary asks for the next one. */
static inline bool
elac_document_add_token(ElacDocument *document, ElacTokenValue value)
{
	if (value < ELAC_TOKEN_SEQUENCE)
	{
		document->position++;
		elac_document_add(document, value);
	}
	else if (value == ELAC_TOKEN_STOP)
		document->position++;
	else if (value < ELAC_TOKEN_SPECIAL)
		elac_document_add_sequence(document, value);
	return value != ELAC_TOKEN_ASKS;
}

#endif							/* ELAC_DOCUMENT_H */
