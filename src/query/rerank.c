/*
 * rerank.c
 *	  From candidates to rows in order.
 *
 * Owns whether heap rows are read for a batch, how many of them and in what
 * order.  The caller finds the candidates, with the heap made here, and hands
 * out the rows.
 */
#include "postgres.h"

#include <math.h>

#include "access/tableam.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/spccache.h"

#include "guc.h"
#include "query/exec.h"

/* Heap blocks asked for ahead of the row being read. */
#define RERANK_PREFETCH 32

/* A binaryheap of more rows would not fit one allocation. */
#define RERANK_ROWS_MAX (1 << 26)

typedef struct RerankRead
{
	const ElacVectorCandidate *candidate;
	ItemPointerData tid;
} RerankRead;

typedef struct Rerank
{
	ElacScan   *scan;
	const ElacColumn *column;
	float	   *buffer;			/* one vector */
	RerankRead *reads;			/* a reading for each candidate, in the order in which they are made */
	uint32		nreads;
	uint32		prefetched;
	ElacHeapAhead ahead;
	bool		prefetches;
	ElacRankedRow *rows;
	uint32		nrows;
	uint32		wanted;
	binaryheap *worst;			/* of rows, NULL while they are not as many as wanted */
} Rerank;

bool
elac_rerank_reads_heap(const ElacScan *scan)
{
	switch ((ElacRerank) scan->schema->columns[scan->schema->vector_column].rerank)
	{
		case ELAC_RERANK_NONE:
			return false;
		case ELAC_RERANK_UNLESS_EXACT:
			return elac_guc_target_recall >= ELAC_RECALL_EXACT;
		case ELAC_RERANK_OPEN:
		case ELAC_RERANK_HEAP:
			break;
	}
	return true;
}

ElacVectorHeap *
elac_rerank_heap(const ElacScan *scan, uint32 wanted)
{
	return elac_rerank_reads_heap(scan) ? elac_vector_heap_create_bounded(wanted) : elac_vector_heap_create(wanted);
}

/* Distances as candidates carry them: squared for L2. */
float
elac_rerank_internal(ElacMetric metric, double distance)
{
	return metric == ELAC_METRIC_L2 ? (float) (distance * distance) : (float) distance;
}

/* ---- by the codes ---- */

static int
rerank_estimate_compare(const void *a, const void *b)
{
	const ElacRankedRow *left = (const ElacRankedRow *) a;
	const ElacRankedRow *right = (const ElacRankedRow *) b;

	if (left->internal != right->internal)
		return left->internal < right->internal ? -1 : 1;
	if (left->source != right->source)
		return left->source < right->source ? -1 : 1;
	return left->doc < right->doc ? -1 : left->doc > right->doc ? 1 : 0;
}

/* Candidates in the order of their estimates: whether a row is visible is for the executor to find out. */
static ElacRankedRow *
rerank_by_estimate(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 *nrows)
{
	ElacMetric	metric = scan->schema->columns[scan->schema->vector_column].metric;
	ElacRankedRow *rows = palloc_extended(sizeof(ElacRankedRow) * Max(ncandidates, 1), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < ncandidates; i++)
	{
		const ElacVectorCandidate *candidate = &candidates[i];

		CHECK_FOR_INTERRUPTS();
		rows[i].internal = candidate->estimate;
		rows[i].distance = metric == ELAC_METRIC_L2 ? sqrt(Max(candidate->estimate, 0)) : candidate->estimate;
		rows[i].source = candidate->source;
		rows[i].doc = candidate->doc;
		elac_source_tid(scan, &scan->sources[candidate->source], candidate->doc, &rows[i].tid);
	}
	qsort(rows, ncandidates, sizeof(ElacRankedRow), rerank_estimate_compare);
	*nrows = ncandidates;
	return rows;
}

/* ---- by the heap ---- */

static int
rerank_row_compare(const void *a, const void *b)
{
	const ElacRankedRow *left = (const ElacRankedRow *) a;
	const ElacRankedRow *right = (const ElacRankedRow *) b;

	if (left->distance != right->distance)
		return left->distance < right->distance ? -1 : 1;
	return ItemPointerCompare(unconstify(ItemPointerData *, &left->tid), unconstify(ItemPointerData *, &right->tid));
}

/* Worst row on top. */
static int
rerank_heap_compare(Datum a, Datum b, void *arg)
{
	return rerank_row_compare(DatumGetPointer(a), DatumGetPointer(b));
}

static int
rerank_read_compare(const void *a, const void *b)
{
	const RerankRead *left = (const RerankRead *) a;
	const RerankRead *right = (const RerankRead *) b;

	return ItemPointerCompare(unconstify(ItemPointerData *, &left->tid), unconstify(ItemPointerData *, &right->tid));
}

/* Asks for heap blocks up to RERANK_PREFETCH readings ahead. */
static void
rerank_prefetch(Rerank *rerank, uint32 i)
{
#ifdef USE_PREFETCH
	uint32		end = (uint32) Min((uint64) i + RERANK_PREFETCH, rerank->nreads);

	if (!rerank->prefetches)
		return;
	for (; rerank->prefetched < end; rerank->prefetched++)
		elac_heap_announce(&rerank->ahead, rerank->scan->query.heap, &rerank->reads[rerank->prefetched].tid);
	elac_heap_advance(&rerank->ahead);
#endif
}

/*
 * Reads the row of a candidate; false when the snapshot does not see it, in
 * which case it is no longer pending.
 */
static bool
rerank_read_row(Rerank *rerank, RerankRead *read, ElacRankedRow *row)
{
	ElacScan   *scan = rerank->scan;
	const ElacVectorCandidate *candidate = read->candidate;

	row->source = candidate->source;
	row->doc = candidate->doc;
	row->tid = read->tid;
	if (elac_heap_fetch_vector(scan->heap_fetch, &row->tid, rerank->buffer) != ELAC_VECTOR_FINITE)
	{
		elac_source_take(scan, &scan->sources[candidate->source], candidate->doc);
		scan->ndead++;
		return false;
	}
	scan->counters.reranked++;
	row->distance = elac_vector_distance(rerank->column->metric, scan->query.vector, rerank->buffer,
										 rerank->column->dim);
	row->internal = elac_rerank_internal(rerank->column->metric, row->distance);
	return true;
}

/* Keeps the row when it is one of the best so far. */
static void
rerank_add_row(Rerank *rerank, const ElacRankedRow *row)
{
	ElacRankedRow *top;

	if (rerank->nrows < rerank->wanted)
	{
		rerank->rows[rerank->nrows++] = *row;
		return;
	}
	top = (ElacRankedRow *) DatumGetPointer(binaryheap_first(rerank->worst));
	if (rerank_row_compare(row, top) < 0)
	{
		*top = *row;
		binaryheap_replace_first(rerank->worst, PointerGetDatum(top));
	}
}

/* As soon as there are as many rows as wanted: can the candidate, and those after it, not improve on them? */
static bool
rerank_is_done(Rerank *rerank, const ElacVectorCandidate *candidate)
{
	if (rerank->nrows < rerank->wanted)
		return false;
	if (rerank->worst == NULL)
	{
		rerank->worst = binaryheap_allocate(rerank->wanted, rerank_heap_compare, NULL);
		for (uint32 i = 0; i < rerank->nrows; i++)
			binaryheap_add_unordered(rerank->worst, PointerGetDatum(&rerank->rows[i]));
		binaryheap_build(rerank->worst);
	}
	return ((ElacRankedRow *) DatumGetPointer(binaryheap_first(rerank->worst)))->internal < candidate->lower;
}

static void
rerank_begin(Rerank *rerank, ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 wanted)
{
	const ElacQuery *query = &scan->query;

	memset(rerank, 0, sizeof(*rerank));
	rerank->scan = scan;
	rerank->column = &scan->schema->columns[scan->schema->vector_column];
	rerank->wanted = Min(Max(wanted, 1), RERANK_ROWS_MAX);
	rerank->buffer = palloc(sizeof(float) * rerank->column->dim);
	rerank->rows = palloc_extended(sizeof(ElacRankedRow) * Max(Min(rerank->wanted, ncandidates), 1), MCXT_ALLOC_HUGE);
	rerank->reads = palloc_extended(sizeof(RerankRead) * Max(ncandidates, 1), MCXT_ALLOC_HUGE);
	rerank->nreads = ncandidates;
	rerank->prefetches = get_tablespace_io_concurrency(query->heap->rd_rel->reltablespace) > 0;
	if (scan->heap_fetch == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scan->context);

		scan->heap_fetch = elac_heap_fetch_begin(query->index, query->heap, query->snapshot);
		MemoryContextSwitchTo(old);
	}
	for (uint32 i = 0; i < ncandidates; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		rerank->reads[i].candidate = &candidates[i];
		elac_source_tid(scan, &scan->sources[candidates[i].source], candidates[i].doc, &rerank->reads[i].tid);
	}
	/* these are read whatever they say: block by block, then */
	qsort(rerank->reads, Min(rerank->wanted, ncandidates), sizeof(RerankRead), rerank_read_compare);
}

/*
 * The best `wanted` candidates by exact distance.  Candidates come by lower
 * bound: once the worst of `wanted` rows is below the next bound, the rest
 * cannot improve on it.
 */
static ElacRankedRow *
rerank_by_heap(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 wanted, uint32 *nrows)
{
	Rerank		rerank;

	rerank_begin(&rerank, scan, candidates, ncandidates, wanted);
	for (uint32 i = 0; i < ncandidates; i++)
	{
		ElacRankedRow row;

		CHECK_FOR_INTERRUPTS();
		if (rerank_is_done(&rerank, rerank.reads[i].candidate))
			break;
		rerank_prefetch(&rerank, i);
		if (rerank_read_row(&rerank, &rerank.reads[i], &row))
			rerank_add_row(&rerank, &row);
	}
	if (rerank.worst != NULL)
		binaryheap_free(rerank.worst);
	pfree(rerank.buffer);
	pfree(rerank.reads);
	qsort(rerank.rows, rerank.nrows, sizeof(ElacRankedRow), rerank_row_compare);
	*nrows = rerank.nrows;
	return rerank.rows;
}

ElacRankedRow *
elac_rerank_rows(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 wanted, uint32 *nrows)
{
	if (elac_rerank_reads_heap(scan))
		return rerank_by_heap(scan, candidates, ncandidates, wanted, nrows);
	return rerank_by_estimate(scan, candidates, ncandidates, nrows);
}
