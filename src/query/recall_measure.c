/*
 * recall_measure.c
 *	  What share of the true nearest rows vector queries find.
 *
 * The truth comes from the table: one sequential scan under the snapshot gives
 * for every query the distances of its k nearest rows.  A row that a query
 * returns is a hit when its own distance, from the table too, is not larger
 * than the last of these: rows at equal distances may stand for each other.
 */
#include "postgres.h"

#include <math.h>

#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "base/rng.h"
#include "errors.h"
#include "lsm/reservoir.h"
#include "query/heap_fetch.h"
#include "query/query.h"
#include "query/recall_measure.h"
#include "storage/metapage.h"

/* Rows tried for each wanted: some are dead or have no finite vector. */
#define SAMPLE_TRIES 20

/* Distances this close, relatively, are the same: kernels may add in different order. */
#define SAME_DISTANCE 1e-6

static const ElacColumn *
recall_column(Relation index)
{
	const ElacSchema *schema = &elac_metapage_get(index)->schema;

	return &schema->columns[schema->vector_column];
}

static ElacRecallQueries *
recall_queries_create(Relation index, ElacRecallSource source, uint32 capacity)
{
	ElacRecallQueries *queries = palloc0(sizeof(ElacRecallQueries));

	queries->source = source;
	queries->dim = recall_column(index)->dim;
	queries->vectors = palloc_extended(Max(mul_size(mul_size(capacity, queries->dim), sizeof(float)), 1),
									   MCXT_ALLOC_HUGE);
	return queries;
}

static float *
recall_vector(const ElacRecallQueries *queries, uint32 i)
{
	return queries->vectors + (Size) i * queries->dim;
}

ElacRecallQueries *
elac_recall_given(Relation index, const ElacVector *const *vectors, uint32 n)
{
	const ElacColumn *column = recall_column(index);
	ElacRecallQueries *queries = recall_queries_create(index, ELAC_RECALL_GIVEN, n);
	ElacVector *copy = palloc(offsetof(ElacVector, x) + sizeof(float) * Max(column->dim, 1));
	uint16	   *half = palloc(sizeof(uint16) * Max(column->dim, 1));

	for (uint32 i = 0; i < n; i++)
	{
		if (vectors[i]->dim != column->dim)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("different vector dimensions %d and %d", column->dim, vectors[i]->dim)));
		memcpy(copy, vectors[i], offsetof(ElacVector, x) + sizeof(float) * column->dim);
		/* a query on a halfvec column is one */
		if (column->element == ELAC_ELEMENT_HALF)
		{
			elac_kernels()->f32_to_f16(copy->x, half, column->dim);
			elac_kernels()->f16_to_f32(half, copy->x, column->dim);
		}
		if (elac_vector_prepare(column->metric, ELAC_ELEMENT_FLOAT, copy, recall_vector(queries, queries->n)) ==
			ELAC_VECTOR_FINITE)
			queries->n++;
	}
	pfree(copy);
	pfree(half);
	return queries;
}

/* ---- queries of our own ---- */

/* Heap tid of a row of the index at random, which may be dead. */
static void
recall_draw(ElacSnapshot *snapshot, ElacDeltaView *delta, uint64 total, ElacRng *rng, ItemPointer tid)
{
	uint64		place = elac_rng_below(rng, total);

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		uint32		ndocs = snapshot->manifest->segments[i].ndocs;

		if (place < ndocs)
		{
			elac_segment_tid(elac_snapshot_segment(snapshot, i), (ElacDoc) place, tid);
			return;
		}
		place -= ndocs;
	}
	ItemPointerCopy(elac_delta_tid(delta, (ElacDoc) place), tid);
}

static ElacRecallQueries *
recall_sample_rows(Relation index, Relation heap, Snapshot transaction_snapshot, ElacSnapshot *snapshot, uint32 samples)
{
	ElacRecallQueries *queries = recall_queries_create(index, ELAC_RECALL_ROWS, samples);
	ElacHeapFetch *fetch = elac_heap_fetch_begin(index, heap, transaction_snapshot);
	ElacDeltaView *delta = elac_delta_view(snapshot);
	uint64		total = elac_delta_ndocs(delta);
	ElacRng		rng;

	for (int i = 0; i < snapshot->nsegments; i++)
		total += snapshot->manifest->segments[i].ndocs;
	elac_rng_seed(&rng, elac_metapage_get(index)->rotation_seed + total);
	for (uint64 tries = 0; total > 0 && queries->n < samples && tries < (uint64) samples * SAMPLE_TRIES; tries++)
	{
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		recall_draw(snapshot, delta, total, &rng, &tid);
		if (elac_heap_fetch_vector(fetch, &tid, recall_vector(queries, queries->n)) == ELAC_VECTOR_FINITE)
			queries->n++;
	}
	elac_heap_fetch_end(fetch);
	return queries;
}

ElacRecallQueries *
elac_recall_sample(Relation index, Relation heap, Snapshot transaction_snapshot, uint32 samples)
{
	ElacSnapshot *snapshot = elac_snapshot_take(index);
	ElacRecallQueries *queries;
	uint32		n;
	uint64		seen;
	float	   *vectors = elac_reservoir_read(index, snapshot->manifest, recall_column(index)->dim, &n, &seen);

	if (n > 0)
	{
		/* the slots are in no order that matters: the first are as good as any */
		queries = recall_queries_create(index, ELAC_RECALL_COLLECTED, 0);
		queries->vectors = vectors;
		queries->n = Min(n, samples);
	}
	else
		queries = recall_sample_rows(index, heap, transaction_snapshot, snapshot, samples);
	elac_snapshot_release(snapshot);
	return queries;
}

/* ---- the truth ---- */

typedef struct RecallTruth
{
	const ElacRecallQueries *queries;
	const ElacColumn *column;
	uint32		k;
	uint32	   *n;				/* rows known, of each query */
	double	   *distances;		/* k of each query, ascending */
} RecallTruth;

static bool
recall_is_query(const ElacRecallQueries *queries, uint32 i, const float *vector)
{
	return queries->source == ELAC_RECALL_ROWS &&
		memcmp(vector, recall_vector(queries, i), sizeof(float) * queries->dim) == 0;
}

/* Offers a row's vector to every query. */
static void
recall_offer(RecallTruth *truth, const float *vector)
{
	const ElacRecallQueries *queries = truth->queries;
	uint32		k = truth->k;

	for (uint32 i = 0; i < queries->n; i++)
	{
		double		distance = elac_vector_distance(truth->column->metric, recall_vector(queries, i), vector,
													queries->dim);
		double	   *best = truth->distances + (Size) i * k;
		uint32		place;

		if (truth->n[i] == k && !(distance < best[k - 1]))
			continue;
		if (recall_is_query(queries, i, vector))
			continue;
		place = truth->n[i] < k ? truth->n[i]++ : k - 1;
		for (; place > 0 && best[place - 1] > distance; place--)
			best[place] = best[place - 1];
		best[place] = distance;
	}
}

/* One pass over the table, the predicate of a partial index included. */
static void
recall_scan_table(Relation index, Relation heap, Snapshot snapshot, RecallTruth *truth)
{
	IndexInfo  *info = BuildIndexInfo(index);
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	ExprState  *predicate = ExecPrepareQual(info->ii_Predicate, estate);
	TableScanDesc scan = table_beginscan(heap, snapshot, 0, NULL);
	int			attribute = elac_metapage_get(index)->schema.vector_column;
	float	   *vector = palloc(sizeof(float) * truth->column->dim);
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	econtext->ecxt_scantuple = slot;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(econtext->ecxt_per_tuple_memory);
		old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
		if (ExecQual(predicate, econtext))
		{
			FormIndexDatum(info, slot, estate, values, isnull);
			if (!isnull[attribute] &&
				((ElacVector *) PG_DETOAST_DATUM(values[attribute]))->dim == truth->column->dim &&
				elac_vector_prepare(truth->column->metric, truth->column->element, PG_DETOAST_DATUM(values[attribute]),
									vector) == ELAC_VECTOR_FINITE)
				recall_offer(truth, vector);
		}
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	pfree(vector);
}

/* ---- the queries ---- */

/* Runs query i for its first k visible rows; counts those within the true distance. */
static void
recall_run(Relation index, Relation heap, Snapshot snapshot, RecallTruth *truth, uint32 i, ElacHeapFetch *fetch,
		   ElacRecall *recall)
{
	const ElacRecallQueries *queries = truth->queries;
	float	   *vector = palloc(sizeof(float) * queries->dim);
	const double *best = truth->distances + (Size) i * truth->k;
	double		limit = truth->n[i] > 0 ? best[truth->n[i] - 1] : 0;
	ElacQuery	query = {0};
	ElacResult	result;
	ElacScan   *scan;
	instr_time	begin;
	instr_time	end;
	uint32		found = 0;
	uint32		hits = 0;

	limit += SAME_DISTANCE * fabs(limit) + SAME_DISTANCE * (truth->column->metric == ELAC_METRIC_COSINE);
	query.index = index;
	query.heap = heap;
	query.snapshot = snapshot;
	query.order = ELAC_ORDER_VECTOR;
	query.vector_class = ELAC_VECTOR_FINITE;
	query.vector = recall_vector(queries, i);
	query.rows = truth->k + (queries->source == ELAC_RECALL_ROWS);
	query.measuring = true;
	INSTR_TIME_SET_CURRENT(begin);
	scan = elac_query_open(&query);
	while (found < truth->k && elac_query_next(scan, &result))
	{
		if (result.isnull || isnan(result.distance))
			break;
		if (elac_heap_fetch_vector(fetch, &result.tid, vector) != ELAC_VECTOR_FINITE ||
			recall_is_query(queries, i, vector))
			continue;
		found++;
		if (elac_vector_distance(truth->column->metric, query.vector, vector, queries->dim) <= limit)
			hits++;
	}
	recall->documents += elac_query_counters(scan)->codes_scored + elac_query_counters(scan)->delta_rows;
	elac_query_close(scan);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	recall->milliseconds += INSTR_TIME_GET_MILLISEC(end);
	recall->queries++;
	recall->sought += truth->n[i];
	recall->hits += Min(hits, truth->n[i]);
	pfree(vector);
}

void
elac_recall_measure(Relation index, Relation heap, Snapshot snapshot, const ElacRecallQueries *queries, uint32 k,
					ElacRecall *recall)
{
	RecallTruth truth;
	ElacHeapFetch *fetch;

	truth.queries = queries;
	truth.column = recall_column(index);
	truth.k = k;
	truth.n = palloc_extended(Max(mul_size(queries->n, sizeof(uint32)), 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	truth.distances = palloc_extended(Max(mul_size(mul_size(queries->n, k), sizeof(double)), 1), MCXT_ALLOC_HUGE);
	if (queries->n > 0)
		recall_scan_table(index, heap, snapshot, &truth);
	fetch = elac_heap_fetch_begin(index, heap, snapshot);
	for (uint32 i = 0; i < queries->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		recall_run(index, heap, snapshot, &truth, i, fetch, recall);
	}
	elac_heap_fetch_end(fetch);
	pfree(truth.n);
	pfree(truth.distances);
}
