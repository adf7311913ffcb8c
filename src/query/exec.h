/*
 * exec.h
 *	  Private to query/: the state of a running query.
 */
#ifndef ELAC_EXEC_H
#define ELAC_EXEC_H

#include "query/heap_fetch.h"
#include "query/query.h"

/* One segment, or the delta (segment NULL, the last source). */
typedef struct ElacSource
{
	ElacSegment *segment;
	uint32		ndocs;
	ElacBitmap	pending;		/* rows that pass and have not been returned or found dead */
	uint32		npending;		/* when the scan began */
} ElacSource;

/* What is being returned. */
typedef enum ElacScanPhase
{
	ELAC_PHASE_RANKED,			/* rows with a finite distance or a score, in batches */
	ELAC_PHASE_REST,			/* no order, or: zero vectors (NaN), texts that score 0 */
	ELAC_PHASE_NULL,			/* rows whose distance is NULL */
	ELAC_PHASE_DONE
} ElacScanPhase;

typedef struct ElacScanQuery	/* the vector query against one codebook */
{
	uint64		codebook;
	ElacVectorQuery *query;
} ElacScanQuery;

struct ElacScan
{
	ElacQuery	query;
	const ElacSchema *schema;
	MemoryContext context;
	ElacSnapshot *snapshot;
	ElacDeltaView *delta;
	BlockNumber heap_blocks;	/* of the table, as last seen */
	int			nsources;
	ElacSource *sources;
	ElacScanPhase phase;
	ElacQueryCounters counters;

	/* ranked rows ready to be returned */
	ElacResult *results;
	uint32		nresults;
	uint32		next;
	uint32		batch_rows;		/* rows wanted of the next batch */
	double		effort;			/* factor on the number of lists to probe */

	/* cursor of the unranked phases */
	int			source;
	ElacDoc		doc;
	ElacBitmap *phase_rows;		/* rows of the current source in this phase */

	/* vector order */
	ElacHeapFetch *heap_fetch;
	int			nqueries;
	ElacScanQuery *queries;
};

/* query/vector_batch.c, query/text_batch.c: fill results with the next ranked rows; false when there are none left. */
extern bool elac_vector_batch(ElacScan *scan);
extern bool elac_text_batch(ElacScan *scan);

/* A candidate whose exact distance is known. */
typedef struct ElacRankedRow
{
	double		distance;		/* as the operator returns it */
	float		internal;		/* as candidates carry it */
	uint32		source;
	ElacDoc		doc;
	ItemPointerData tid;
} ElacRankedRow;

/* query/rerank.c: distances as candidates carry them (squared for L2); the best `wanted` rows of the candidates, palloc'd. */
extern float elac_rerank_internal(ElacMetric metric, double distance);
extern ElacRankedRow *elac_rerank_rows(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates,
									   uint32 wanted, uint32 *nrows);

/* Rows of a source that belong into the REST or NULL phase, ANDed with pending; palloc'd. */
extern ElacBitmap *elac_phase_rows(ElacScan *scan, ElacSource *source, ElacScanPhase phase);

/* Heap tid of a row of a source. */
extern void elac_source_tid(ElacScan *scan, ElacSource *source, ElacDoc doc, ItemPointer tid);

#endif							/* ELAC_EXEC_H */
