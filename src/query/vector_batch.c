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
#include "lsm/reservoir.h"
#include "query/exec.h"
#include "query/patience.h"
#include "query/probe_walk.h"

#define BATCH_GROWTH 4
#define BATCH_ROWS_MAX (1 << 26)	/* a binaryheap of more rows would not fit one allocation */

/*
 * Lists scanned in one go: a share of those scanned so far.  Each costs a call
 * and the next look at whether it is enough.
 */
#define STEP_SHARE 16

/* Standard deviations of the number of rows that pass in the lists scanned; power of the rank (README.md). */
#define LACKING_BY_CHANCE 3.0
#define REMOTENESS_POWER 0.3

/*
 * Targets above this one get a bound at least so wide: at the default of 1.9
 * deviations it is exceeded by 2.4% of the documents (vector/README.md), which
 * loses up to a thousandth of the answers however many lists are scanned.
 */
#define WIDE_TARGET 0.99
#define WIDE_EPSILON 3.0

static double
batch_epsilon(void)
{
	if (elac_guc_probes == 0 && elac_guc_target_recall > WIDE_TARGET)
		return Max(elac_guc_epsilon, WIDE_EPSILON);
	return elac_guc_epsilon;
}

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
	scan->queries[scan->nqueries].query = elac_vector_query_begin(codebook, scan->query.vector, batch_epsilon());
	return scan->queries[scan->nqueries++].query;
}

/* Where to look: every segment with pending rows. */
static ElacProbeWalk *
batch_walk(ElacScan *scan, uint64 *nallowed)
{
	int			nsegments = scan->snapshot->nsegments;
	ElacProbeSource *sources = palloc0(sizeof(ElacProbeSource) * Max(nsegments, 1));
	ElacProbeWalk *walk;
	int			n = 0;

	*nallowed = 0;
	for (int i = 0; i < nsegments; i++)
	{
		ElacSource *from = &scan->sources[i];
		const ElacSegmentRef *ref = elac_segment_ref(from->segment);
		ElacProbeSource *to = &sources[n];

		if (from->npending == 0)
			continue;
		to->reader = elac_segment_vector(from->segment);
		to->query = batch_query(scan, ref->codebook);
		to->allowed = elac_source_pending(scan, from);
		to->nallowed = from->npending;
		to->number = i;
		to->remote = ref->body.home == ELAC_HOME_REMOTE ? elac_segment_body(from->segment) : NULL;
		*nallowed += from->npending;
		n++;
	}
	walk = elac_probe_walk_begin(sources, n);
	pfree(sources);
	return walk;
}

/*
 * The documents to be scored after the last change.  A filter that keeps the
 * rows near the query out leaves it with farther ones, among which the nearest
 * are spread over more lists: as those are that end a longer ranking.  Which
 * rank they have is told by the rows that the lists scanned lack, beyond what
 * chance takes.
 */
static double
batch_extra(const ElacPatience *patience, const ElacProbeWalk *walk, uint64 scored, uint32 watched)
{
	double		expected = elac_probe_walk_expected(walk);
	double		lacking = expected - scored - LACKING_BY_CHANCE * sqrt(expected);

	if (!(lacking > 0))
		return patience->extra;
	return patience->extra * pow(1 + lacking / watched, REMOTENESS_POWER) + lacking;
}

/*
 * Scans lists until the best `watched` candidates have probably been found, or
 * as many lists as elacsym.probes says.  Never stops with fewer candidates
 * than rows wanted.
 */
static void
batch_scan_lists(ElacScan *scan, ElacVectorHeap *heap, ElacProbeWalk *walk, uint64 nallowed, uint32 wanted,
				 uint32 watched)
{
	ElacPatience patience;
	uint64		scored = 0;
	uint64		changed = 0;	/* scored when the best changed last */
	uint32		step = 1;

	if (elac_guc_probes > 0)
	{
		elac_probe_walk_limit(walk, elac_guc_probes, scan->effort);
		patience.extra = INFINITY;
		patience.expected = INFINITY;
	}
	else
	{
		double		target = elac_guc_target_recall;

		if (!elac_rerank_reads_heap(scan))
			target = elac_patience_target_by_codes(scan->snapshot->manifest, target);
		elac_patience_choose(scan->snapshot->manifest, nallowed, watched, target, &patience);
		patience.extra *= scan->effort;
		patience.expected *= scan->effort;
	}
	if (elac_guc_probes == 0 && (nallowed <= wanted || elac_probe_walk_prefers_all(walk, patience.expected)))
		elac_probe_walk_all(walk, heap, &scored);
	else
		elac_probe_walk_declare(walk, patience.expected);
	while (scored < wanted || scored < ELAC_PATIENCE_FACTOR * changed + batch_extra(&patience, walk, scored, watched))
	{
		CHECK_FOR_INTERRUPTS();
		if (!elac_probe_walk_next(walk, step, heap, &scored))
			break;
		if (elac_vector_heap_moved(heap))
			changed = scored;
		step = (uint32) Min(elac_probe_walk_lists(walk) / STEP_SHARE + 1, 1024);
	}
	scan->counters.lists_probed += elac_probe_walk_lists(walk);
	scan->counters.codes_scored += scored;
}

/* *limit is what no row that has been left out is below, by its bound. */
static ElacVectorCandidate *
batch_candidates(ElacScan *scan, uint32 wanted, uint32 *ncandidates, float *limit, bool *complete)
{
	ElacVectorHeap *heap = elac_rerank_heap(scan, wanted);
	uint64		nallowed;
	ElacProbeWalk *walk = batch_walk(scan, &nallowed);
	uint32		watched = scan->counters.batches <= 1 && scan->query.rows <= 0 ? Min(wanted, ELAC_PATIENCE_ROWS) : wanted;
	ElacVectorCandidate *candidates;

	elac_vector_heap_watch(heap, watched, false);
	elac_delta_batch(scan, heap);
	batch_scan_lists(scan, heap, walk, nallowed, wanted, watched);
	*limit = elac_vector_heap_threshold(heap);
	candidates = elac_vector_heap_finish(heap, ncandidates);
	*complete = elac_probe_walk_is_complete(walk) && *ncandidates < wanted;
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
		elac_source_take(scan, &scan->sources[rows[i].source], rows[i].doc);
	}
}

bool
elac_vector_batch(ElacScan *scan)
{
	uint32		sought = scan->batch_rows;	/* candidates; the rows wanted are those the snapshot sees */

	if (scan->counters.batches == 1 && elac_guc_collect_queries && !scan->query.measuring)
		elac_reservoir_offer(scan->query.index, scan->snapshot->manifest,
							 scan->schema->columns[scan->schema->vector_column].dim, scan->query.vector);
	for (;;)
	{
		uint32		wanted = scan->batch_rows;
		uint64		ndead = scan->ndead;
		uint32		ncandidates;
		uint32		nrows;
		float		limit;
		bool		complete;
		ElacVectorCandidate *candidates = batch_candidates(scan, sought, &ncandidates, &limit, &complete);
		ElacRankedRow   *rows;
		bool		crowded;

		CHECK_FOR_INTERRUPTS();
		rows = elac_rerank_rows(scan, candidates, ncandidates, wanted, &nrows);
		pfree(candidates);

		/*
		 * Too few although there may be more: look further before answering.
		 * Or the dead (deleted and not vacuumed) have taken places of rows
		 * that may be nearer than the last of these: as many as were sought
		 * are no longer enough.  More are sought each time, for a search that
		 * finds some dozens dead costs as much as one that finds thousands.
		 * This ends, because every turn either probes more lists or has found
		 * candidates dead, which are no longer pending.
		 */
		crowded = nrows >= wanted && scan->ndead > ndead && rows[nrows - 1].internal > limit;
		if (crowded || (nrows < wanted && !complete))
		{
			if (!crowded)
				scan->effort *= ncandidates >= sought ? 2 : BATCH_GROWTH;
			if (crowded || ncandidates >= sought)
				sought = Min((uint64) sought * BATCH_GROWTH, BATCH_ROWS_MAX);
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
