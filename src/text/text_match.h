/*
 * text_match.h
 *	  What the two files that tell which documents of a window match share: the
 *	  tree of bitmaps (text_match.c), and the documents for which it leaves the
 *	  answer open (text_check.c).
 */
#ifndef ELAC_TEXT_MATCH_H
#define ELAC_TEXT_MATCH_H

#include "text/text_eval.h"

typedef enum MatchKind
{
	MATCH_WORD,					/* any of the terms */
	MATCH_ALL_OF,
	MATCH_ANY_OF,
	MATCH_NOT,
	MATCH_ANYTHING,				/* what cannot be told from the terms, inside a phrase */
	MATCH_PHRASE,				/* its child says where it may hold */
	MATCH_COUNT					/* so many of the children */
} MatchKind;

typedef struct MatchNode
{
	MatchKind	kind;
	bool		exact;			/* what may match does; then surely = maybe */
	uint32		item;			/* MATCH_PHRASE: of the condition */
	uint32		wanted;			/* MATCH_COUNT */
	uint64		estimate;		/* documents, roughly */
	uint32		nterms;
	ElacTermReader **terms;
	uint32		nchildren;
	struct MatchNode **children;	/* MATCH_ALL_OF: fewest documents first */
	uint64	   *surely;
	uint64	   *maybe;
	struct MatchPhrase *phrase; /* MATCH_PHRASE, text_check.c's; NULL until needed */
} MatchNode;

/* text_check.c's own: where it looked last. */
typedef struct MatchProbe MatchProbe;
typedef struct MatchPlaces MatchPlaces;

struct ElacMatcher
{
	ElacTermSet *set;
	MatchNode  *root;
	uint32		max_window;
	ElacWindow	window;
	uint32		nwords;			/* of the window */
	MatchProbe **probes;		/* by term of the set; NULL until needed */
	MatchPlaces **places;		/* of prefixes, likewise */
	uint64		nwindows;		/* so far */
	uint64	  **spare;			/* bitmaps for what is below exact nodes, by depth */
	uint64	   *planes;			/* MATCH_COUNT: one bit of all counts each */
	uint32		nplanes;
	bool		ask_all;		/* all documents that may match will be asked for */
	ElacDoc		doc;			/* being checked */
};

/* ---- text_check.c ---- */

/* A phrase in the window at hand, whose child says where all its words are: says where it holds, and where it may. */
extern void elac_matcher_phrase(ElacMatcher *matcher, MatchNode *node);

#endif							/* ELAC_TEXT_MATCH_H */
