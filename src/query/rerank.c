/*
 * rerank.c
 *	  From candidates to rows in order of their exact distances.
 *
 * Owns how many heap rows are read for a batch and in what order.  The caller
 * finds the candidates and hands out the rows.
 */
#include "postgres.h"

#include "lib/binaryheap.h"
#include "miscadmin.h"

#include "query/exec.h"

/* Distances as candidates carry them: squared for L2. */
float
elac_rerank_internal(ElacMetric metric, double distance)
{
	return metric == ELAC_METRIC_L2 ? (float) (distance * distance) : (float) distance;
}

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

/*
 * Reads the row of a candidate; false when the snapshot does not see it, in
 * which case it is no longer pending.
 */
static bool
rerank_read_row(ElacScan *scan, const ElacVectorCandidate *candidate, float *buffer, ElacRankedRow *row)
{
	ElacSource *source = &scan->sources[candidate->source];
	const ElacColumn *column = &scan->schema->columns[scan->schema->vector_column];

	row->source = candidate->source;
	row->doc = candidate->doc;
	elac_source_tid(scan, source, candidate->doc, &row->tid);
	if (elac_heap_fetch_vector(scan->heap_fetch, &row->tid, buffer) != ELAC_VECTOR_FINITE)
	{
		elac_bitmap_clear(&source->pending, candidate->doc);
		return false;
	}
	scan->counters.reranked++;
	row->distance = elac_vector_distance(column->metric, scan->query.vector, buffer, column->dim);
	row->internal = elac_rerank_internal(column->metric, row->distance);
	return true;
}

/*
 * The best `wanted` candidates by exact distance.  Candidates come by lower
 * bound: once the worst of `wanted` rows is below the next bound, the rest
 * cannot improve on it.
 */
ElacRankedRow *
elac_rerank_rows(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 wanted, uint32 *nrows)
{
	const ElacColumn *column = &scan->schema->columns[scan->schema->vector_column];
	float	   *buffer = palloc(sizeof(float) * column->dim);
	ElacRankedRow   *rows = palloc_extended(sizeof(ElacRankedRow) * Max(Min(wanted, ncandidates), 1), MCXT_ALLOC_HUGE);
	/* only needed when there are more candidates than rows wanted */
	binaryheap *worst = ncandidates > wanted ? binaryheap_allocate(Max(wanted, 1), rerank_heap_compare, NULL) : NULL;
	uint32		n = 0;

	for (uint32 i = 0; i < ncandidates; i++)
	{
		ElacRankedRow	row;
		ElacRankedRow   *top;

		CHECK_FOR_INTERRUPTS();
		if (n == wanted)
		{
			top = (ElacRankedRow *) DatumGetPointer(binaryheap_first(worst));
			if (top->internal < candidates[i].lower)
				break;
		}
		if (!rerank_read_row(scan, &candidates[i], buffer, &row))
			continue;
		if (n < wanted)
		{
			rows[n] = row;
			if (worst != NULL)
				binaryheap_add(worst, PointerGetDatum(&rows[n]));
			n++;
			continue;
		}
		top = (ElacRankedRow *) DatumGetPointer(binaryheap_first(worst));
		if (rerank_row_compare(&row, top) < 0)
		{
			*top = row;
			binaryheap_replace_first(worst, PointerGetDatum(top));
		}
	}
	if (worst != NULL)
		binaryheap_free(worst);
	pfree(buffer);
	qsort(rows, n, sizeof(ElacRankedRow), rerank_row_compare);
	*nrows = n;
	return rows;
}
