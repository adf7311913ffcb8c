/*
 * recall_measure.h
 *	  What share of the true nearest rows vector queries find.
 */
#ifndef ELAC_RECALL_MEASURE_H
#define ELAC_RECALL_MEASURE_H

#include "elacsym.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

typedef enum ElacRecallSource
{
	ELAC_RECALL_GIVEN,			/* queries of the caller */
	ELAC_RECALL_COLLECTED,		/* of the reservoir */
	ELAC_RECALL_ROWS			/* rows of the table: they, and their duplicates, are no answers to themselves */
} ElacRecallSource;

typedef struct ElacRecallQueries
{
	ElacRecallSource source;
	uint32		n;
	int			dim;
	float	   *vectors;		/* prepared, one after the other */
} ElacRecallQueries;

/* Sums; divide by queries (hits: by sought). */
typedef struct ElacRecall
{
	uint64		queries;
	uint64		sought;			/* true nearest rows, at most k a query */
	uint64		hits;
	double		documents;		/* codes scored and rows of the delta */
	double		milliseconds;
} ElacRecall;

/* Stored vectors (element tells of what type) as queries of an index; those without a distance are left out. */
extern ElacRecallQueries *elac_recall_given(Relation index, const ElacVector *const *vectors, uint32 n);

/* At most that many, from the reservoir when it has some, else rows at random. */
extern ElacRecallQueries *elac_recall_sample(Relation index, Relation heap, Snapshot snapshot, uint32 samples);

/*
 * Runs the queries with the session's settings and compares what they find
 * with one pass over the table.  Adds to *recall.  Interruptible.  Evaluates
 * the expressions of the index: whoever calls takes care whose rights that has.
 */
extern void elac_recall_measure(Relation index, Relation heap, Snapshot snapshot, const ElacRecallQueries *queries,
								uint32 k, ElacRecall *recall);

#endif							/* ELAC_RECALL_MEASURE_H */
