/*
 * filter_match.h
 *	  Private to query/: conditions text @@ tsquery over segments and rows of
 *	  the delta, by bitmap and without scores.
 */
#ifndef ELAC_FILTER_MATCH_H
#define ELAC_FILTER_MATCH_H

#include "query/query.h"

/* Declares the postings that elac_match_segment() will read. */
extern void elac_match_prefetch(const ElacFilter *filter, ElacSegment *segment);

/* Both bitmaps are empty at first and get the documents of which the condition is true, and unknown. */
extern void elac_match_segment(const ElacFilter *filter, ElacSegment *segment, ElacBitmap *is_true, ElacBitmap *is_unknown);

extern ElacTruth elac_match_delta(const ElacFilter *filter, ElacDeltaView *view, ElacDoc doc);

/*
 * Takes the conditions out of a filter (one of the AND at its top, or all of
 * it) that a row with a score in the text query fulfils anyway; returns what
 * is left, NULL when nothing is, and *taken, NULL when none are.
 */
extern ElacFilter *elac_match_split(ElacFilter *filter, const ElacBm25Query *text, ElacFilter **taken);

#endif							/* ELAC_FILTER_MATCH_H */
