/*
 * text_condition.h
 *	  Is the condition of a query true for one document?  The answer of the
 *	  server's own @@, whatever the document is read from.
 */
#ifndef ELAC_TEXT_CONDITION_H
#define ELAC_TEXT_CONDITION_H

#include "elacsym.h"

#include "text/bm25.h"

/* Positions are 1 .. ELAC_POSITION_MAX: room for all of them. */
#define ELAC_POSITIONS_ROOM (ELAC_POSITION_MAX + 1)

/* What is known of a document: whether and where it has term number `term` of a field of the query. */
typedef struct ElacTextEvidence
{
	const ElacBm25Query *query;
	void	   *arg;
	bool		(*has) (void *arg, int field, uint32 term);

	/* Ascending and distinct, dst has ELAC_POSITIONS_ROOM; 0: the term is absent, or its positions are not known. */
	uint32		(*positions) (void *arg, int field, uint32 term, uint16 *dst);
} ElacTextEvidence;

/* The whole condition. */
extern bool elac_text_condition_holds(const ElacTextEvidence *evidence);

/* One phrase, given by the number of its topmost item: does it hold within one of the query's columns? */
extern bool elac_text_phrase_holds(const ElacTextEvidence *evidence, uint32 item);

/* ---- phrases of words alone ---- */

#define ELAC_PHRASE_WORDS 64	/* at most; TS_execute() takes longer ones */

/* A word of a phrase, and how far before the phrase's end it stands. */
typedef struct ElacPhraseWord
{
	uint32		item;
	uint32		before_end;
} ElacPhraseWord;

/* Lists the words of the phrase whose topmost item this is; 0 when there is more than words, or too many. */
extern int elac_phrase_words(const QueryItem *items, uint32 item, ElacPhraseWord words[ELAC_PHRASE_WORDS]);

/* ---- sets of positions ---- */

typedef struct ElacPositionSet
{
	uint64		words[ELAC_POSITIONS_ROOM / 64];
} ElacPositionSet;

extern void elac_positions_add(ElacPositionSet *set, const uint16 *positions, uint32 n);
extern uint32 elac_positions_list(const ElacPositionSet *set, uint16 *dst);

#endif							/* ELAC_TEXT_CONDITION_H */
