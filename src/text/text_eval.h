/*
 * text_eval.h
 *	  What the files that evaluate a query over one segment share: terms read
 *	  forward in windows of documents, conditions as bitmaps of a window,
 *	  prefixes.
 */
#ifndef ELAC_TEXT_EVAL_H
#define ELAC_TEXT_EVAL_H

#include "text/text_condition.h"
#include "text/text_private.h"

#define ELAC_WINDOW 4096		/* documents; their scores, 32 kB, stay in the first-level cache */
#define ELAC_WINDOW_WORDS (ELAC_WINDOW / 64)

/* ---- text_prefix.c: the union of all lexemes with a prefix, as one list ---- */

typedef struct ElacPrefixUnion
{
	uint32		df;
	uint32		nblocks;		/* of ELAC_TEXT_BLOCK_DOCS postings */
	uint32		max_tf;
	uint32	   *last_docs;		/* by block */
	uint32	   *docs;
	uint32	   *tfs;
} ElacPrefixUnion;

/* Good while the memory context lives in which it is asked for; NULL: no lexeme has it. */
extern const ElacPrefixUnion *elac_text_prefix_union(ElacTextReader *reader, const char *bytes, uint32 len);

/* Positions of all lexemes with the prefix in one document; 0 when some are not known. */
extern uint32 elac_text_prefix_positions(ElacTextReader *reader, const char *bytes, uint32 len, ElacDoc doc, uint16 *dst);

/* The same for many documents of a window, found in one walk over the lexemes. */
typedef struct ElacPrefixPlaces
{
	ElacDoc		first;			/* the window's */
	uint64		n;
	uint64		room;
	uint32	   *keys;			/* ascending: document - first, then 14 bits of position, 0: not known; NULL at first */
} ElacPrefixPlaces;

/* Those of the documents in `within`, from first on, at most 65536 of them; keys are in CurrentMemoryContext. */
extern void elac_text_prefix_places(ElacTextReader *reader, const char *bytes, uint32 len, ElacDoc first, uint32 ndocs,
									const uint64 *within, ElacPrefixPlaces *places);
extern uint32 elac_prefix_places_get(const ElacPrefixPlaces *places, ElacDoc doc, uint16 *dst);

/* ---- text_term.c: one term's postings, forward ---- */

typedef struct ElacTermReader
{
	ElacTextReader *reader;
	const ElacBm25Field *field;
	const ElacBm25Term *term;
	int			field_number;
	ElacPostingList *list;		/* NULL: a prefix */
	ElacTextEntry entry;		/* of the list; what points into the dictionary is good no longer */
	const ElacPrefixUnion *prefix;
	uint32		df;
	uint32		nblocks;
	const uint32 *last_docs;	/* by block */
	double		bound;			/* what the term adds to a document at most */
	double		typical;		/* what it adds to a document of average length that has it once */
	double		window_bound;	/* in the window at hand */
	uint32		per_window;		/* postings in a window of ELAC_WINDOW documents, on average, at least 1 */
	uint32		bound_group;	/* group that group_bound is of */
	double		group_bound;
	uint64	   *seen;			/* bit by block: it has been decoded */
	uint64		seen_few;		/* what seen points to when there are few */
	/* where reading is */
	uint32		block;			/* nblocks: at the end */
	bool		decoded;		/* docs, tfs, n and at are the block's */
	uint32		n;
	uint32		at;				/* next posting */
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
} ElacTermReader;

/* The window of documents being evaluated. */
typedef struct ElacWindow
{
	ElacDoc		first;			/* a multiple of 64 */
	uint32		ndocs;			/* > 0, at most ELAC_WINDOW unless said otherwise */
} ElacWindow;

/* Opens the postings of a term; false when the section has none. */
extern bool elac_term_open(ElacTermReader *term, ElacTextReader *reader, const ElacBm25Query *query,
						   int field, uint32 number);

/* The next document is not below this; ELAC_INVALID_DOC at the end.  Reads nothing. */
extern ElacDoc elac_term_peek(const ElacTermReader *term);

/* Passes over documents below first; never moves back.  Decodes nothing. */
extern void elac_term_skip(ElacTermReader *term, ElacDoc first);

/* Moves to the first posting at or after doc; false at the end.  docs[at] and tfs[at] are it. */
extern bool elac_term_seek(ElacTermReader *term, ElacDoc doc);

/* What the term adds at most to a document of a window that it has been moved to; 0 when it has none there. */
extern double elac_term_window_bound(ElacTermReader *term, const ElacBm25Query *query, const ElacWindow *window);

/*
 * Gives the postings of the window, run by run, and moves behind them: docs,
 * tfs and how many, 0 at the window's end.
 */
extern uint32 elac_term_run(ElacTermReader *term, const ElacWindow *window, const uint32 **docs, const uint32 **tfs);

/*
 * Sets the bits of the term's documents in the window (of any size), which it
 * has been moved to or through, without moving.  Blocks without any document
 * of `within` (NULL: all) may be left out.
 */
extern void elac_term_mark(ElacTermReader *term, const ElacWindow *window, const uint64 *within, uint64 *words);

/* Moves back to the first document. */
extern void elac_term_rewind(ElacTermReader *term);

/* What a term adds to a document at most, by the impacts of its postings. */
extern double elac_term_bound_of(const ElacTermReader *term, const ElacBm25Query *query,
								 const ElacTextImpact *impacts, uint32 n);

/* ---- text_term_set.c: all terms of a query in one segment ---- */

typedef struct ElacTermSet
{
	const ElacBm25Query *query;
	ElacTextReader **readers;
	uint32		ndocs;
	ElacTermReader *terms;		/* those that the segment has, by field and number */
	uint32		nterms;
	int32	   *numbers;		/* of each term of each field, its place in terms; -1: absent */
	uint32	   *field_first;	/* where a field's begin in numbers */
	uint8	   *codes;			/* length codes, ELAC_WINDOW of each field */
	ElacDoc    *codes_first;	/* of which window each field's are; ELAC_INVALID_DOC: none */
} ElacTermSet;

/* Opens every term that can score or that the condition names. */
extern void elac_term_set_open(ElacTermSet *set, ElacTextReader **readers, const ElacBm25Query *query);

/* At the end: counts the blocks that were never decoded. */
extern void elac_term_set_count(const ElacTermSet *set);

/* The reader of a term of a field; NULL when the segment does not have it. */
static inline ElacTermReader *
elac_term_set_get(const ElacTermSet *set, int field, uint32 term)
{
	int32		number = set->numbers[set->field_first[field] + term];

	return number < 0 ? NULL : &set->terms[number];
}

/* Length codes of a field in a window of at most ELAC_WINDOW documents. */
extern const uint8 *elac_term_set_codes(ElacTermSet *set, int field, const ElacWindow *window);

/* ---- text_combine.c: a window's scores when fields are not simply added ---- */

typedef struct ElacCombiner ElacCombiner;

extern ElacCombiner *elac_combiner_create(ElacTermSet *set);

/* Scores all documents of the window, into scores and touched as the kernels' bm25_add does. */
extern void elac_combiner_score(ElacCombiner *combiner, const ElacWindow *window, double *scores, uint8 *touched);

/* ---- text_peaks.c: the postings of a list that score most ---- */

/* Peaks of one list, read forward. */
typedef struct ElacTextPeaks
{
	ElacTextReader *reader;
	ElacTextEntry entry;
	uint32		n;				/* 0: there are none */
	uint64		nbytes;
	uint32		nrest;
	ElacTextImpact rest[ELAC_TEXT_IMPACTS_MAX]; /* of the postings that are not peaks */
	/* where reading is */
	uint8	   *bytes;
	const uint8 *src;
	uint32		left;
	uint64		next;			/* documents below are behind */
	/* those at hand */
	uint32		count;
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
	uint32		codes[ELAC_TEXT_BLOCK_DOCS];
} ElacTextPeaks;

/* Reads what is known of them; false when the list is too short to have any. */
extern bool elac_peaks_open(ElacTextPeaks *peaks, ElacTextReader *reader, const ElacTextEntry *entry);

/* Makes the next ones be at hand; returns how many, 0 at the end. */
extern uint32 elac_peaks_next(ElacTextPeaks *peaks);
extern void elac_peaks_close(ElacTextPeaks *peaks);

/*
 * A query whose terms have fewer postings in all is not searched by peaks: to
 * score them in bulk is as fast, and that is also what is left to do when
 * peaks do not suffice.  Tests set it to 0.
 */
extern uint64 elac_peaks_postings;

/*
 * Searches a segment by the peaks of a query's terms, whose sum is the score,
 * before any of them has been read: true when that has found all documents
 * that belong into the heap.  Otherwise nothing has been pushed, and *floor is
 * a score that the worst hit of the heap reaches in the end, 0 when none is
 * known.  all: documents without one of the terms do not match.
 */
extern bool elac_peaks_search(ElacTermSet *set, ElacTermReader **terms, uint32 nterms, bool all,
							  const ElacBitmap *allowed, uint32 source, ElacTextHeap *heap, double *floor);

/* ---- text_match.c: which documents match, by bitmaps of a window ---- */

typedef struct ElacMatcher ElacMatcher;

/* NULL when all that has a term matches: no condition, and any word will do.  max_window: of windows to come. */
extern ElacMatcher *elac_matcher_open(ElacTermSet *set, uint32 max_window);

/*
 * Is the condition that all, or any, of so many terms are there, all of which
 * score?
 */
extern bool elac_matcher_is_plain(const ElacMatcher *matcher, uint32 nterms, bool *all);

/* How many documents may match, roughly. */
extern uint64 elac_matcher_estimate(const ElacMatcher *matcher);

/* No document from first on and below the answer matches; ndocs at the end. */
extern uint64 elac_matcher_next(ElacMatcher *matcher, uint64 first);

/*
 * Of the documents in `within` (a bitmap of the window; it has no bits past
 * the window's end): those that match surely, and those that may match, which
 * includes the former.  Both are the matcher's until the next call.  Returns
 * whether any may.
 */
extern bool elac_matcher_window(ElacMatcher *matcher, const ElacWindow *window, const uint64 *within,
								const uint64 **surely, const uint64 **maybe);

/* ---- text_check.c: documents that the bitmaps leave undecided ---- */

/* Will all documents that may match in the windows to come be asked for, or only a few? */
extern void elac_matcher_expect(ElacMatcher *matcher, bool all);

/* Does a document that may match?  Ascending within a window. */
extern bool elac_matcher_check(ElacMatcher *matcher, ElacDoc doc);

#endif							/* ELAC_TEXT_EVAL_H */
