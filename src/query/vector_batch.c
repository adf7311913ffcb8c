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
			candidate.estimate = elac_rerank_internal(column->metric,
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

static void
batch_emit(ElacScan *scan, const ElacRankedRow *rows, uint32 nrows)
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
		ElacRankedRow   *rows;

		CHECK_FOR_INTERRUPTS();
		if (complete && ncandidates > wanted)
			wanted = ncandidates;	/* the last batch: all that is left */
		rows = elac_rerank_rows(scan, candidates, ncandidates, wanted, &nrows);
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
