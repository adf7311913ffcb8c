/*
 * vector_batch.c
 *	  The next rows in order of their vector's distance.
 *
 * A batch probes the nearest lists of every segment, keeps the best candidates
 * of all sources in one heap, and reads the heap rows of candidates in
 * ascending order of their lower bounds until the rows wanted are known
 * exactly.  What it returns leaves the pending bitmaps; the next batch wants
 * more rows and probes more lists.  When every list has been probed and the
 * heap had room for all, nothing finite is left.
 */
#include "postgres.h"

#include <math.h>

#include "lib/binaryheap.h"
#include "miscadmin.h"

#include "guc.h"
#include "query/exec.h"

/* Candidates kept per row wanted: what the quantized estimate may misplace. */
#define CANDIDATES_PER_ROW 4
#define MIN_CANDIDATES 100
#define BATCH_GROWTH 4
#define BATCH_ROWS_MAX (1 << 26)	/* a binaryheap of more rows would not fit one allocation */

/*
 * Lists probed by default: this times the square root of their number, as the
 * lists needed for a given recall grow with it (vector/README.md).
 */
#define PROBE_FACTOR 8.0

static ElacVectorQuery *
batch_query(ElacScan *scan, uint64 codebook_id)
{
	const ElacCodebook *codebook;

	for (int i = 0; i < scan->nqueries; i++)
		if (scan->queries[i].codebook == codebook_id)
			return scan->queries[i].query;
	codebook = elac_codebook_get(scan->snapshot, codebook_id);
	if (scan->queries == NULL)
		scan->queries = palloc(sizeof(ElacScanQuery));
	else
		scan->queries = repalloc(scan->queries, sizeof(ElacScanQuery) * (scan->nqueries + 1));
	scan->queries[scan->nqueries].codebook = codebook_id;
	scan->queries[scan->nqueries].query = elac_vector_query_begin(codebook, scan->query.vector, elac_guc_epsilon);
	return scan->queries[scan->nqueries++].query;
}

/*
 * How many lists of a segment to probe.  The budget counts rows that pass: a
 * filter that lets a tenth pass needs ten times the lists.
 */
static uint32
batch_probes(ElacScan *scan, ElacSource *source, uint32 nlists)
{
	double		probes;

	if (elac_guc_probes > 0)
		probes = elac_guc_probes;
	else
		probes = PROBE_FACTOR * sqrt((double) nlists);
	if (source->npending > 0)
		probes *= (double) source->ndocs / source->npending;
	probes = ceil(probes * scan->effort);
	return probes >= nlists ? nlists : (uint32) Max(probes, 1.0);
}

typedef struct BatchProbe
{
	ElacVectorReader *reader;
	ElacVectorQuery *query;
	const uint32 *lists;
	uint32		nprobes;
} BatchProbe;

/* Chooses the lists of every segment and fetches them in one wave; true when these are all lists there are. */
static bool
batch_choose_lists(ElacScan *scan, BatchProbe *probes)
{
	int			nsegments = scan->snapshot->nsegments;
	ElacBlobReader **readers = palloc(sizeof(ElacBlobReader *) * Max(nsegments, 1));
	int			nreaders = 0;
	bool		all = true;

	for (int i = 0; i < nsegments; i++)
	{
		ElacSource *source = &scan->sources[i];
		BatchProbe *probe = &probes[i];
		uint32		nlists;

		probe->nprobes = 0;
		if (source->npending == 0)
			continue;
		probe->reader = elac_segment_vector(source->segment);
		probe->query = batch_query(scan, elac_segment_ref(source->segment)->codebook);
		probe->lists = elac_vector_query_lists(probe->query, elac_vector_cut(probe->reader));
		nlists = elac_vector_nlists(probe->reader);
		probe->nprobes = batch_probes(scan, source, nlists);
		if (probe->nprobes < nlists)
			all = false;
		elac_vector_prefetch(probe->reader, probe->lists, probe->nprobes);
		readers[nreaders++] = elac_segment_body(source->segment);
	}
	elac_blob_wait(readers, nreaders);
	pfree(readers);
	return all;
}

/* Distances as candidates carry them: squared for L2. */
static float
batch_internal(ElacMetric metric, double distance)
{
	return metric == ELAC_METRIC_L2 ? (float) (distance * distance) : (float) distance;
}

/* Delta rows have their exact distance at once: bound and estimate are it. */
static void
batch_scan_delta(ElacScan *scan, ElacVectorHeap *heap)
{
	ElacSource *source = &scan->sources[scan->nsources - 1];
	const ElacColumn *column = &scan->schema->columns[scan->schema->vector_column];
	ElacDoc		doc = 0;

	while ((doc = elac_bitmap_next(&source->pending, doc)) < source->ndocs)
	{
		const float *vector;
		ElacVectorCandidate candidate;

		CHECK_FOR_INTERRUPTS();
		if (elac_delta_vector(scan->delta, doc, &vector) == ELAC_VECTOR_FINITE)
		{
			candidate.estimate = batch_internal(column->metric,
												elac_vector_distance(column->metric, scan->query.vector, vector, column->dim));
			candidate.lower = candidate.estimate;
			candidate.source = scan->nsources - 1;
			candidate.doc = doc;
			elac_vector_heap_push(heap, &candidate);
		}
		doc++;
	}
}

static ElacVectorCandidate *
batch_candidates(ElacScan *scan, uint32 capacity, uint32 *ncandidates, bool *complete)
{
	ElacVectorHeap *heap = elac_vector_heap_create(capacity);
	BatchProbe *probes = palloc0(sizeof(BatchProbe) * Max(scan->snapshot->nsegments, 1));
	bool		all = batch_choose_lists(scan, probes);
	ElacVectorCandidate *candidates;

	batch_scan_delta(scan, heap);
	for (int i = 0; i < scan->snapshot->nsegments; i++)
	{
		if (probes[i].nprobes == 0)
			continue;
		scan->counters.lists_probed += probes[i].nprobes;
		scan->counters.codes_scored += elac_vector_scan(probes[i].reader, probes[i].query, probes[i].lists,
														 probes[i].nprobes, &scan->sources[i].pending, i, heap);
	}
	candidates = elac_vector_heap_finish(heap, ncandidates);
	*complete = all && *ncandidates < capacity;
	pfree(probes);
	return candidates;
}

/* A candidate whose exact distance is known. */
typedef struct BatchRow
{
	double		distance;		/* as the operator returns it */
	float		internal;		/* as candidates carry it */
	uint32		source;
	ElacDoc		doc;
	ItemPointerData tid;
} BatchRow;

static int
batch_row_compare(const void *a, const void *b)
{
	const BatchRow *left = (const BatchRow *) a;
	const BatchRow *right = (const BatchRow *) b;

	if (left->distance != right->distance)
		return left->distance < right->distance ? -1 : 1;
	return ItemPointerCompare(unconstify(ItemPointerData *, &left->tid), unconstify(ItemPointerData *, &right->tid));
}

/* Worst row on top. */
static int
batch_heap_compare(Datum a, Datum b, void *arg)
{
	return batch_row_compare(DatumGetPointer(a), DatumGetPointer(b));
}

/*
 * Reads the row of a candidate; false when the snapshot does not see it, in
 * which case it is no longer pending.
 */
static bool
batch_read_row(ElacScan *scan, const ElacVectorCandidate *candidate, float *buffer, BatchRow *row)
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
	row->internal = batch_internal(column->metric, row->distance);
	return true;
}

/*
 * The best `wanted` candidates by exact distance.  Candidates come by lower
 * bound: once the worst of `wanted` rows is below the next bound, the rest
 * cannot improve on it.
 */
static BatchRow *
batch_rerank(ElacScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates, uint32 wanted, uint32 *nrows)
{
	const ElacColumn *column = &scan->schema->columns[scan->schema->vector_column];
	float	   *buffer = palloc(sizeof(float) * column->dim);
	BatchRow   *rows = palloc_extended(sizeof(BatchRow) * Max(Min(wanted, ncandidates), 1), MCXT_ALLOC_HUGE);
	/* only needed when there are more candidates than rows wanted */
	binaryheap *worst = ncandidates > wanted ? binaryheap_allocate(Max(wanted, 1), batch_heap_compare, NULL) : NULL;
	uint32		n = 0;

	for (uint32 i = 0; i < ncandidates; i++)
	{
		BatchRow	row;
		BatchRow   *top;

		CHECK_FOR_INTERRUPTS();
		if (n == wanted)
		{
			top = (BatchRow *) DatumGetPointer(binaryheap_first(worst));
			if (top->internal < candidates[i].lower)
				break;
		}
		if (!batch_read_row(scan, &candidates[i], buffer, &row))
			continue;
		if (n < wanted)
		{
			rows[n] = row;
			if (worst != NULL)
				binaryheap_add(worst, PointerGetDatum(&rows[n]));
			n++;
			continue;
		}
		top = (BatchRow *) DatumGetPointer(binaryheap_first(worst));
		if (batch_row_compare(&row, top) < 0)
		{
			*top = row;
			binaryheap_replace_first(worst, PointerGetDatum(top));
		}
	}
	if (worst != NULL)
		binaryheap_free(worst);
	pfree(buffer);
	qsort(rows, n, sizeof(BatchRow), batch_row_compare);
	*nrows = n;
	return rows;
}

static void
batch_emit(ElacScan *scan, const BatchRow *rows, uint32 nrows)
{
	scan->results = palloc_extended(sizeof(ElacResult) * nrows, MCXT_ALLOC_HUGE);
	scan->nresults = nrows;
	for (uint32 i = 0; i < nrows; i++)
	{
		scan->results[i].tid = rows[i].tid;
		scan->results[i].distance = rows[i].distance;
		scan->results[i].isnull = false;
		elac_bitmap_clear(&scan->sources[rows[i].source].pending, rows[i].doc);
	}
}

bool
elac_vector_batch(ElacScan *scan)
{
	for (;;)
	{
		uint32		wanted = scan->batch_rows;
		uint32		capacity = Max(wanted * CANDIDATES_PER_ROW, MIN_CANDIDATES);
		uint32		ncandidates;
		uint32		nrows;
		bool		complete;
		ElacVectorCandidate *candidates = batch_candidates(scan, capacity, &ncandidates, &complete);
		BatchRow   *rows;

		CHECK_FOR_INTERRUPTS();
		if (complete && ncandidates > wanted)
			wanted = ncandidates;	/* the last batch: all that is left */
		rows = batch_rerank(scan, candidates, ncandidates, wanted, &nrows);
		pfree(candidates);

		/*
		 * Too few although there may be more: probe further before answering.
		 * This ends, because every turn either probes more lists or has found
		 * candidates dead, which are no longer pending.
		 */
		if (nrows < wanted && !complete)
		{
			scan->effort *= BATCH_GROWTH;
			pfree(rows);
			continue;
		}
		scan->batch_rows = Min((uint64) scan->batch_rows * BATCH_GROWTH, BATCH_ROWS_MAX);
		scan->effort *= 2;
		if (nrows > 0)
			batch_emit(scan, rows, nrows);
		pfree(rows);
		if (nrows > 0)
			return true;
		if (complete)
			return false;
	}
}
