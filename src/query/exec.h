/*
 * exec.h
 *	  Private to query/: the state of a running query.
 */
#ifndef ELAC_EXEC_H
#define ELAC_EXEC_H

#include "query/heap_ahead.h"
#include "query/heap_fetch.h"
#include "query/query.h"

/*
 * One segment, or the delta (segment NULL, the last source).  Which rows are
 * pending (pass, and have not been returned or found dead) is asked and told
 * through elac_source_pending(), _next() and _take() alone: a bitmap of them is
 * made only when one is needed (query/source.c).
 */
typedef struct ElacSource
{
	ElacSegment *segment;
	uint32		ndocs;
	uint32		npending;		/* when the scan began */
	/* private to source.c */
	const ElacBitmap *passing;	/* pending when the scan began, shared with other scans; NULL: all rows */
	ElacBitmap *pending;		/* of this scan alone; NULL: passing without taken */
	uint32		ntaken;
	ElacDoc    *taken;
	ElacDoc		window_first;	/* documents whose tids were read together */
	uint32		window_docs;
	ItemPointerData *window;
	/* private to visible.c */
	ElacBitmap *unsure;			/* rows to be looked at in the heap; NULL: none */
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
	ElacFilter *rest_filter;	/* conditions that rows with a score fulfil anyway: for the rows after them; or NULL */
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
	uint32		announced;		/* of results, to be read by the executor */
	ElacHeapAhead ahead;
	uint32		batch_rows;		/* rows wanted of the next batch */
	double		effort;			/* factor on the number of lists to probe */
	uint64		ndead;			/* candidates read in the heap that the snapshot does not see */

	/* cursor of the unranked phases */
	int			source;
	ElacDoc		doc;
	ElacBitmap *phase_rows;		/* rows of the current source in this phase */

	/* query.visible_apart */
	bool		has_map;		/* the visibility map was asked */
	uint64		nvisible;

	/* vector order */
	ElacHeapFetch *heap_fetch;	/* NULL until a vector is read */
	int			nqueries;
	ElacScanQuery *queries;
};

/* query/vector_batch.c, query/text_batch.c: fill results with the next ranked rows; false when there are none left. */
extern bool elac_vector_batch(ElacScan *scan);
extern bool elac_text_batch(ElacScan *scan);

/* query/delta_batch.c: the delta's pending rows as candidates. */
extern void elac_delta_batch(ElacScan *scan, ElacVectorHeap *heap);

/* A candidate whose exact distance is known. */
typedef struct ElacRankedRow
{
	double		distance;		/* as the operator returns it */
	float		internal;		/* as candidates carry it */
	uint32		source;
	ElacDoc		doc;
	ItemPointerData tid;
} ElacRankedRow;

/*
 * query/rerank.c.  Whether rows are put into order by the heap's vectors or
 * by the codes alone; the heap for the candidates of a batch; distances as
 * candidates carry them (squared for L2); the best `wanted` rows (or fewer) of
 * the candidates in order, palloc'd.
 */
extern bool elac_rerank_reads_heap(const ElacScan *scan);
extern ElacVectorHeap *elac_rerank_heap(const ElacScan *scan, uint32 wanted);
extern float elac_rerank_internal(ElacMetric metric, double distance);
extern ElacRankedRow *elac_rerank_rows(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates,
									   uint32 wanted, uint32 *nrows);

/* An empty bitmap, which may exceed 1 GB. */
extern ElacBitmap *elac_source_bitmap(uint32 ndocs);

/*
 * Says which rows are pending when the scan begins: npending of them, NULL
 * when they are all.  The bitmap has to stay and is not changed.
 */
extern void elac_source_begin(ElacSource *source, const ElacBitmap *passing, uint32 npending);

/*
 * The rows still pending, for a search; NULL means all.  Valid until the next
 * call for this source; rows taken meanwhile may or may not leave it.
 */
extern const ElacBitmap *elac_source_pending(ElacScan *scan, ElacSource *source);

/* First pending row at or after doc, or ndocs; pending is what elac_source_pending() said. */
static inline ElacDoc
elac_source_next(const ElacSource *source, const ElacBitmap *pending, ElacDoc doc)
{
	return pending == NULL ? doc : elac_bitmap_next(pending, doc);
}

/* A pending row has been returned or found dead: once per row. */
extern void elac_source_take(ElacScan *scan, ElacSource *source, ElacDoc doc);

/* Rows of a source that belong into the REST or NULL phase, ANDed with pending; palloc'd. */
extern ElacBitmap *elac_phase_rows(ElacScan *scan, ElacSource *source, ElacScanPhase phase);

/*
 * Heap tid of a row of a source.  ahead: the same where rows are asked for in
 * ascending order, those of a bitmap.
 */
extern void elac_source_tid(ElacScan *scan, ElacSource *source, ElacDoc doc, ItemPointer tid);
extern void elac_source_tid_ahead(ElacScan *scan, ElacSource *source, const ElacBitmap *rows, ElacDoc doc, ItemPointer tid);

/*
 * The tids of the documents from first on, so many of them as a window has;
 * NULL when few of them are in rows, and for the delta.  Valid until the next
 * call for this source; not yet known to lie within the table.
 */
#define ELAC_SOURCE_WINDOW 1024
extern const ItemPointerData *elac_source_window(ElacScan *scan, ElacSource *source, const ElacBitmap *rows, ElacDoc first);

/*
 * query/visible.c.  Between elac_snapshot_share() and the first look at live
 * bits: asks the visibility map about the rows of each source given (passing[i]
 * of them).  After the last look at live bits, when passing has lost the dead
 * rows: counts the rows that every snapshot sees, and takes them out of passing.
 */
extern void elac_visible_ask(ElacScan *scan, ElacBitmap **passing);
extern void elac_visible_split(ElacScan *scan, ElacBitmap **passing);

#endif							/* ELAC_EXEC_H */
