/*
 * calibrate.c
 *	  Measures how far vector queries on an index have to look.
 *
 * A query of the sample scans all lists in the order of a real one.  Beside
 * the truth (its nearest rows, their distances taken from the heap) that gives
 * a trace: at each look whether it is enough, the documents scored and those
 * scored when the best k changed last.  A row is found by every patience above
 * the largest n - FACTOR * m met on the way to its list (patience.h), so one
 * number a row tells for any patience which rows are found, and the patience for
 * a recall is a quantile of these numbers.
 *
 * Owns the choice of the queries: those collected from users once there are
 * some hundred (lsm/reservoir.h), rows of the index until then.  A row is no
 * answer to itself, nor are its duplicates.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/rng.h"
#include "guc.h"
#include "lsm/reservoir.h"
#include "query/calibrate.h"
#include "query/patience.h"
#include "query/probe_walk.h"
#include "storage/metapage.h"

#define CALIBRATE_ROWS_MIN 4000 /* with fewer, everything is scanned anyway */
#define CALIBRATE_QUERIES_MIN 100
#define CALIBRATE_QUERIES_MAX 400
#define CALIBRATE_QUERIES_FILTER 80

/* Queries of users that are enough to forget about rows; their growth that calls for a calibration. */
#define RESERVOIR_QUERIES_MIN 200
#define RESERVOIR_GROWTH 4

/* Components of codes scored for the first curve: about a second. */
#define CALIBRATE_WORK 2e10

/* Rows sought; candidates that may be among them; candidates by estimate that are traced. */
#define CALIBRATE_K ELAC_PATIENCE_ROWS
#define CALIBRATE_TRACED 40
#define CALIBRATE_CANDIDATES 64

/* How far a scan goes with the wide heap: patience of that share, and a part of all documents. */
#define WIDE_SHARE 2.0
#define WIDE_PART 32

/* In place of a source: a distance known, not a candidate. */
#define SEED_SOURCE UINT32_MAX

/* Steps as in vector_batch.c. */
#define CALIBRATE_STEP_SHARE 16

/* Share of rows after which an index is calibrated anew. */
#define CALIBRATE_GROWTH 1.5

typedef struct CalibrateSource
{
	ElacSegment *segment;
	ElacVectorReader *reader;
	uint32		nfinite;
	uint32		nlive;			/* of the finite ones */
	ElacBitmap	live;			/* finite and alive */
	ElacBitmap	allowed;		/* of these, what the filter lets pass */
	uint32		nallowed;
} CalibrateSource;

/* A query of the sample. */
typedef struct CalibrateQuery
{
	float	   *vector;
	int			source;			/* -1: not a row of the index */
	ElacDoc		doc;
} CalibrateQuery;

/* What one look at whether it is enough saw. */
typedef struct CalibrateLook
{
	double		scored;
	double		needed;			/* largest patience needed to come this far */
} CalibrateLook;

typedef struct CalibrateTrace
{
	uint32		nlooks;
	CalibrateLook *looks;
	uint32		nfound;
	double	   *needed;			/* for each true row, ascending */
	uint32		nlost;			/* true rows that are never found */
	uint32		nbest;			/* true rows that are among the best k by estimate in the end */
} CalibrateTrace;

typedef struct Calibrate
{
	ElacJob    *job;
	ElacSnapshot *snapshot;
	const ElacColumn *column;
	const ElacCodebook *codebook;
	ElacRng		rng;
	int			nsources;
	CalibrateSource *sources;
	uint64		nlive;
	uint64		nallowed;
	uint32		nqueries;
	CalibrateQuery *queries;
	MemoryContext query_context;	/* reset from query to query */
	float	   *buffer;			/* a vector of the heap */
} Calibrate;

static void
calibrate_bitmap_init(ElacBitmap *bitmap, uint32 nbits)
{
	bitmap->nbits = nbits;
	bitmap->words = MemoryContextAllocExtended(CurrentMemoryContext,
											   (elac_bitmap_words(nbits) + 1) * sizeof(uint64_t),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
calibrate_open(Calibrate *calibrate)
{
	ElacSnapshot *snapshot = calibrate->snapshot;

	calibrate->nsources = snapshot->nsegments;
	calibrate->sources = palloc0(sizeof(CalibrateSource) * Max(snapshot->nsegments, 1));
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		CalibrateSource *source = &calibrate->sources[i];
		const ElacSegmentRef *ref = &snapshot->manifest->segments[i];
		const ElacBitmap *live;
		ElacDoc		first;
		uint32		ndead;

		source->segment = elac_snapshot_segment(snapshot, i);
		source->reader = elac_segment_vector(source->segment);
		elac_vector_list_range(source->reader, elac_vector_nlists(source->reader), &source->nfinite, &first);
		live = elac_live_read(snapshot->index, ref, &ndead);
		calibrate_bitmap_init(&source->live, ref->ndocs);
		calibrate_bitmap_init(&source->allowed, ref->ndocs);
		elac_bitmap_set_range(&source->live, 0, source->nfinite);
		if (live != NULL)
			elac_bitmap_and(&source->live, live);
		source->nlive = elac_bitmap_count(&source->live);
		calibrate->nlive += source->nlive;
	}
}

/* ---- the sample ---- */

/* A live row at random; false when luck fails. */
static bool
calibrate_draw(Calibrate *calibrate, CalibrateQuery *query)
{
	for (int attempt = 0; attempt < 100; attempt++)
	{
		uint64		place = elac_rng_below(&calibrate->rng, calibrate->nlive);
		int			i = 0;

		while (place >= calibrate->sources[i].nlive)
			place -= calibrate->sources[i++].nlive;
		query->source = i;
		query->doc = (ElacDoc) elac_rng_below(&calibrate->rng, calibrate->sources[i].nfinite);
		if (elac_bitmap_get(&calibrate->sources[i].live, query->doc))
			return true;
	}
	return false;
}

static void
calibrate_sample_rows(Calibrate *calibrate, uint32 wanted)
{
	for (uint32 i = 0; i < wanted; i++)
	{
		CalibrateQuery *query = &calibrate->queries[calibrate->nqueries];
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		if (!calibrate_draw(calibrate, query))
			continue;
		elac_segment_tid(calibrate->sources[query->source].segment, query->doc, &tid);
		query->vector = palloc(sizeof(float) * calibrate->column->dim);
		if (calibrate->job->fetch(calibrate->job->fetch_arg, &tid, query->vector) == ELAC_VECTOR_FINITE)
			calibrate->nqueries++;
	}
}

/* Queries of users, in random order; false when there are too few. */
static bool
calibrate_sample_reservoir(Calibrate *calibrate, uint32 wanted, uint64 *seen)
{
	const ElacManifest *manifest = calibrate->snapshot->manifest;
	int			dim = calibrate->column->dim;
	uint32		n;
	float	   *vectors;

	if (elac_reservoir_count(calibrate->snapshot->index, manifest, seen) < RESERVOIR_QUERIES_MIN)
		return false;
	vectors = elac_reservoir_read(calibrate->snapshot->index, manifest, dim, &n, seen);
	if (n < RESERVOIR_QUERIES_MIN)
		return false;
	for (uint32 i = 0; i < Min(n, wanted); i++)
	{
		uint32		other = i + (uint32) elac_rng_below(&calibrate->rng, n - i);
		CalibrateQuery *query = &calibrate->queries[calibrate->nqueries++];

		query->vector = palloc(sizeof(float) * dim);
		memcpy(query->vector, vectors + (Size) other * dim, sizeof(float) * dim);
		if (other != i)
			memcpy(vectors + (Size) other * dim, vectors + (Size) i * dim, sizeof(float) * dim);
		query->source = -1;
	}
	pfree(vectors);
	return true;
}

/* Lets a share of the live rows pass; returns how many do. */
static uint64
calibrate_filter(Calibrate *calibrate, uint32 one_in)
{
	uint64		total = 0;

	for (int i = 0; i < calibrate->nsources; i++)
	{
		CalibrateSource *source = &calibrate->sources[i];

		elac_bitmap_copy(&source->allowed, &source->live);
		for (ElacDoc doc = 0; one_in > 1 && (doc = elac_bitmap_next(&source->allowed, doc)) < source->allowed.nbits; doc++)
			if (elac_rng_below(&calibrate->rng, one_in) != 0)
				elac_bitmap_clear(&source->allowed, doc);
		source->nallowed = elac_bitmap_count(&source->allowed);
		total += source->nallowed;
	}
	return total;
}

/* ---- one query ---- */

typedef struct CalibrateTrue
{
	double		distance;
	uint32		source;
	ElacDoc		doc;
} CalibrateTrue;

/* Candidates in the order in which a scan met them, and at which step. */
typedef struct CalibrateSeen
{
	uint32		n;
	uint32		allocated;
	ElacVectorCandidate *candidates;
	uint32		nlooks;
	uint32		nlooks_allocated;
	double	   *scored;			/* before each step */
	uint32	   *end;			/* candidates met by its end */
	uint32		nrows;
	CalibrateTrue rows[CALIBRATE_K];	/* the true nearest ones, ascending */
} CalibrateSeen;

/* One query on its way through the lists. */
typedef struct CalibrateScan
{
	Calibrate  *calibrate;
	const CalibrateQuery *query;
	ElacProbeWalk *walk;
	uint64		scored;
	uint32		step;
	CalibrateSeen *seen;
} CalibrateScan;

static ElacProbeWalk *
calibrate_walk(Calibrate *calibrate, const CalibrateQuery *query)
{
	ElacVectorQuery *prepared = elac_vector_query_begin(calibrate->codebook, query->vector, elac_guc_epsilon);
	ElacProbeSource *sources = palloc0(sizeof(ElacProbeSource) * calibrate->nsources);

	for (int i = 0; i < calibrate->nsources; i++)
	{
		sources[i].reader = calibrate->sources[i].reader;
		sources[i].query = prepared;
		sources[i].allowed = &calibrate->sources[i].allowed;
		sources[i].nallowed = calibrate->sources[i].nallowed;
		sources[i].number = i;
	}
	return elac_probe_walk_begin(sources, calibrate->nsources);
}

static void
calibrate_grow_looks(CalibrateSeen *seen)
{
	if (seen->nlooks + 1 < seen->nlooks_allocated)
		return;
	if (seen->nlooks_allocated == 0)
	{
		seen->nlooks_allocated = 256;
		seen->scored = palloc(sizeof(double) * seen->nlooks_allocated);
		seen->end = palloc(sizeof(uint32) * seen->nlooks_allocated);
		return;
	}
	seen->nlooks_allocated *= 2;
	seen->scored = repalloc(seen->scored, sizeof(double) * seen->nlooks_allocated);
	seen->end = repalloc(seen->end, sizeof(uint32) * seen->nlooks_allocated);
}

/* Adds what the heap's watch recorded from entry `from` on; returns how many entries it has. */
static uint32
calibrate_note(CalibrateSeen *seen, ElacVectorHeap *heap, uint32 from)
{
	uint32		n;
	const ElacVectorCandidate *recorded = elac_vector_heap_recorded(heap, &n);

	for (uint32 i = from; i < n; i++)
	{
		if (seen->n == seen->allocated)
		{
			seen->allocated = Max(seen->allocated * 2, 512);
			seen->candidates = seen->candidates == NULL
				? palloc(sizeof(ElacVectorCandidate) * seen->allocated)
				: repalloc_huge(seen->candidates, sizeof(ElacVectorCandidate) * seen->allocated);
		}
		seen->candidates[seen->n++] = recorded[i];
	}
	return n;
}

/*
 * Scans into heap until as much as `share` of what was scored when the best
 * changed last, and `extra` documents more, has not changed them; or all lists.
 * The heap's first `noted` records are not candidates.
 */
static void
calibrate_advance(CalibrateScan *scan, ElacVectorHeap *heap, uint32 noted, double share, double extra)
{
	CalibrateSeen *seen = scan->seen;
	double		changed = 0;

	(void) elac_vector_heap_moved(heap);
	while (scan->scored < share * changed + extra)
	{
		CHECK_FOR_INTERRUPTS();
		calibrate_grow_looks(seen);
		seen->scored[seen->nlooks] = (double) scan->scored;
		if (!elac_probe_walk_next(scan->walk, scan->step, heap, &scan->scored))
			break;
		if (elac_vector_heap_moved(heap))
			changed = (double) scan->scored;
		noted = calibrate_note(seen, heap, noted);
		seen->end[seen->nlooks++] = seen->n;
		scan->step = (uint32) Min(elac_probe_walk_lists(scan->walk) / CALIBRATE_STEP_SHARE + 1, 1024);
	}
	calibrate_grow_looks(seen);
	seen->scored[seen->nlooks] = (double) scan->scored;
}

static float
calibrate_internal(const Calibrate *calibrate, double distance)
{
	return calibrate->column->metric == ELAC_METRIC_L2 ? (float) (distance * distance) : (float) distance;
}

/*
 * Puts the nearest of candidates, which come by lower bound, among the true
 * rows: exact distances, until no bound is below the worst of k.
 */
static void
calibrate_truth(CalibrateScan *scan, const ElacVectorCandidate *candidates, uint32 ncandidates)
{
	Calibrate  *calibrate = scan->calibrate;
	CalibrateSeen *seen = scan->seen;
	int			dim = calibrate->column->dim;

	for (uint32 i = 0; i < ncandidates; i++)
	{
		const ElacVectorCandidate *candidate = &candidates[i];
		ItemPointerData tid;
		double		distance;
		uint32		place;

		if (candidate->source == SEED_SOURCE)
			continue;
		if (seen->nrows == CALIBRATE_K &&
			calibrate_internal(calibrate, seen->rows[CALIBRATE_K - 1].distance) < candidate->lower)
			continue;
		elac_segment_tid(calibrate->sources[candidate->source].segment, candidate->doc, &tid);
		if (calibrate->job->fetch(calibrate->job->fetch_arg, &tid, calibrate->buffer) != ELAC_VECTOR_FINITE)
			continue;
		if (scan->query->source >= 0 && memcmp(calibrate->buffer, scan->query->vector, sizeof(float) * dim) == 0)
			continue;
		distance = elac_vector_distance(calibrate->column->metric, scan->query->vector, calibrate->buffer, dim);
		if (seen->nrows == CALIBRATE_K && !(distance < seen->rows[CALIBRATE_K - 1].distance))
			continue;
		place = seen->nrows < CALIBRATE_K ? seen->nrows++ : CALIBRATE_K - 1;
		for (; place > 0 && seen->rows[place - 1].distance > distance; place--)
			seen->rows[place] = seen->rows[place - 1];
		seen->rows[place].distance = distance;
		seen->rows[place].source = candidate->source;
		seen->rows[place].doc = candidate->doc;
	}
}

/*
 * Scans all lists for one query.  The nearer ones with a wide heap; the rest,
 * which seldom have a nearer row, only for documents below the distances known
 * by then: that spares nearly all of the second look at their codes.
 */
static void
calibrate_scan(Calibrate *calibrate, const CalibrateQuery *query, CalibrateSeen *seen)
{
	CalibrateScan scan = {0};
	ElacVectorHeap *heap = elac_vector_heap_create(CALIBRATE_CANDIDATES);
	ElacVectorCandidate *candidates;
	uint32		ncandidates;
	uint32		nseeds;

	memset(seen, 0, sizeof(*seen));
	scan.calibrate = calibrate;
	scan.query = query;
	scan.walk = calibrate_walk(calibrate, query);
	scan.step = 1;
	scan.seen = seen;
	elac_vector_heap_watch(heap, CALIBRATE_TRACED, true);
	calibrate_advance(&scan, heap, 0, WIDE_SHARE, (double) calibrate->nallowed / WIDE_PART);
	candidates = elac_vector_heap_finish(heap, &ncandidates);
	calibrate_truth(&scan, candidates, ncandidates);

	heap = elac_vector_heap_create(CALIBRATE_K);
	elac_vector_heap_watch(heap, CALIBRATE_K, true);
	for (uint32 i = 0; i < seen->nrows; i++)
	{
		ElacVectorCandidate seed = {0};

		seed.estimate = seed.lower = calibrate_internal(calibrate, seen->rows[i].distance);
		seed.source = SEED_SOURCE;
		elac_vector_heap_push(heap, &seed);
	}
	nseeds = seen->nrows;
	calibrate_advance(&scan, heap, nseeds, 0, INFINITY);
	candidates = elac_vector_heap_finish(heap, &ncandidates);
	calibrate_truth(&scan, candidates, ncandidates);
}

/* Puts an estimate among the best k, ascending; whether it belongs there. */
static bool
calibrate_enters(float *best, uint32 *n, uint32 k, float estimate)
{
	uint32		i;

	if (*n == k && !(estimate < best[k - 1]))
		return false;
	i = *n < k ? (*n)++ : k - 1;
	for (; i > 0 && best[i - 1] > estimate; i--)
		best[i] = best[i - 1];
	best[i] = estimate;
	return true;
}

/* From what was seen to the looks of a scan that watches the best k; returns the last estimate of these in the end. */
static float
calibrate_replay(const CalibrateSeen *seen, uint32 k, CalibrateTrace *trace)
{
	float	   *best = palloc(sizeof(float) * k);
	float		last;
	uint32		n = 0;
	uint32		next = 0;
	double		changed = 0;
	double		needed = 0;

	trace->nlooks = seen->nlooks + 1;
	for (uint32 look = 0; look <= seen->nlooks; look++)
	{
		bool		moved = false;

		/* nobody stops with fewer than k */
		if (n == k)
			needed = Max(needed, seen->scored[look] - ELAC_PATIENCE_FACTOR * changed);
		trace->looks[look].scored = seen->scored[look];
		trace->looks[look].needed = needed;
		for (; look < seen->nlooks && next < seen->end[look]; next++)
			if (calibrate_enters(best, &n, k, seen->candidates[next].estimate))
				moved = true;
		if (moved)
			changed = seen->scored[look + 1];
	}
	last = n > 0 ? best[n - 1] : 0;
	pfree(best);
	return last;
}

static int
calibrate_compare_double(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return left < right ? -1 : left > right;
}

/* The patience that each true row needs: that of the look before the step that met it. */
static void
calibrate_needs(const CalibrateSeen *seen, const CalibrateTrue *rows, uint32 nrows, float last, CalibrateTrace *trace)
{
	for (uint32 i = 0; i < nrows; i++)
	{
		uint32		place = 0;
		uint32		look = 0;

		while (place < seen->n && (seen->candidates[place].source != rows[i].source ||
								   seen->candidates[place].doc != rows[i].doc))
			place++;
		if (place == seen->n)
		{
			trace->nlost++;
			continue;
		}
		if (seen->candidates[place].estimate <= last)
			trace->nbest++;
		while (seen->end[look] <= place)
			look++;
		trace->needed[trace->nfound++] = trace->looks[look].needed;
	}
	qsort(trace->needed, trace->nfound, sizeof(double), calibrate_compare_double);
}

static void
calibrate_query(Calibrate *calibrate, const CalibrateQuery *query, CalibrateTrace *trace)
{
	MemoryContext old = MemoryContextSwitchTo(calibrate->query_context);
	CalibrateSource *own = query->source >= 0 ? &calibrate->sources[query->source] : NULL;
	bool		hidden = own != NULL && elac_bitmap_get(&own->allowed, query->doc);
	CalibrateSeen seen;
	float		last;

	if (hidden)
		elac_bitmap_clear(&own->allowed, query->doc);
	calibrate_scan(calibrate, query, &seen);
	if (hidden)
		elac_bitmap_set(&own->allowed, query->doc);

	MemoryContextSwitchTo(old);
	memset(trace, 0, sizeof(*trace));
	trace->looks = palloc(sizeof(CalibrateLook) * (seen.nlooks + 1));
	trace->needed = palloc(sizeof(double) * CALIBRATE_K);
	last = calibrate_replay(&seen, CALIBRATE_K, trace);
	calibrate_needs(&seen, seen.rows, seen.nrows, last, trace);
	MemoryContextReset(calibrate->query_context);
}

/* ---- the curve ---- */

/* Documents scored by a scan of that patience. */
static double
calibrate_scored(const CalibrateTrace *trace, double patience)
{
	for (uint32 look = 0; look < trace->nlooks; look++)
		if (trace->looks[look].needed > patience)
			return trace->looks[look].scored;
	return trace->looks[trace->nlooks - 1].scored;
}

/* How many of the true rows a search by codes alone would return. */
static float
calibrate_codes_recall(const CalibrateTrace *traces, uint32 ntraces)
{
	uint64		nrows = 0;
	uint64		nbest = 0;

	for (uint32 i = 0; i < ntraces; i++)
	{
		nrows += traces[i].nfound + traces[i].nlost;
		nbest += traces[i].nbest;
	}
	return nrows > 0 ? (float) nbest / nrows : 1;
}

static void
calibrate_curve(const CalibrateTrace *traces, uint32 ntraces, double rows, ElacCalibrationCurve *curve)
{
	double	   *needed = palloc(sizeof(double) * Max((Size) ntraces * CALIBRATE_K, 1));
	uint32		nfound = 0;
	uint32		nlost = 0;

	for (uint32 i = 0; i < ntraces; i++)
	{
		memcpy(needed + nfound, traces[i].needed, sizeof(double) * traces[i].nfound);
		nfound += traces[i].nfound;
		nlost += traces[i].nlost;
	}
	qsort(needed, nfound, sizeof(double), calibrate_compare_double);
	curve->rows = (float) rows;
	curve->queries = ntraces;
	for (int point = 0; point < ELAC_CALIBRATION_POINTS && nfound > 0; point++)
	{
		double		place = ceil(elac_calibration_recalls[point] * ((double) nfound + nlost)) - 1;
		double		patience = needed[(uint32) Min(Max(place, 0), nfound - 1)];
		double		scored = 0;

		/* what a scan stops at must exceed what the rows need */
		patience = floor(patience) + 1;
		for (uint32 i = 0; i < ntraces; i++)
			scored += calibrate_scored(&traces[i], patience);
		curve->patience[point] = (float) patience;
		curve->scanned[point] = (float) (scored / ntraces);
		if (point > 0)
			curve->scanned[point] = Max(curve->scanned[point], curve->scanned[point - 1]);
	}
	pfree(needed);
}

/* One curve, of queries whose filter lets one row in so many pass; false when these are too few. */
static bool
calibrate_measure(Calibrate *calibrate, uint32 one_in, uint32 nqueries, ElacCalibration *calibration)
{
	uint64		rows = calibrate_filter(calibrate, one_in);
	CalibrateTrace *traces;
	uint32		ntraces = 0;

	calibrate->nallowed = rows;
	if (rows < CALIBRATE_ROWS_MIN / 4)
		return false;
	traces = palloc(sizeof(CalibrateTrace) * nqueries);
	for (uint32 i = 0; i < nqueries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		calibrate_query(calibrate, &calibrate->queries[i], &traces[ntraces]);
		if (traces[ntraces].nfound > 0)
			ntraces++;
	}
	if (ntraces == 0)
		return false;
	if (one_in == 1)
		calibration->codes_recall = calibrate_codes_recall(traces, ntraces);
	calibrate_curve(traces, ntraces, (double) rows, &calibration->curves[calibration->ncurves++]);
	return true;
}

/* ---- the job ---- */

static uint32
calibrate_snapshot(Calibrate *calibrate)
{
	ElacCalibration *calibration = palloc0(sizeof(ElacCalibration));
	const ElacManifest *manifest = calibrate->snapshot->manifest;
	uint32		one_in = 1;
	double		wanted;

	calibrate_open(calibrate);
	if (calibrate->nlive < CALIBRATE_ROWS_MIN)
		return 0;
	wanted = CALIBRATE_WORK / ((double) calibrate->nlive * calibrate->column->dim);
	wanted = Max(Min(wanted, CALIBRATE_QUERIES_MAX), CALIBRATE_QUERIES_MIN);
	calibrate->queries = palloc(sizeof(CalibrateQuery) * (uint32) wanted);
	if (!calibrate_sample_reservoir(calibrate, (uint32) wanted, &calibration->seen))
	{
		calibration->seen = 0;
		calibrate_sample_rows(calibrate, (uint32) wanted);
	}
	if (calibrate->nqueries == 0)
		return 0;
	calibration->codebook = manifest->codebook.id;
	calibration->rows = calibrate->nlive;
	while (calibration->ncurves < ELAC_CALIBRATION_CURVES &&
		   calibrate_measure(calibrate, one_in,
							 one_in == 1 ? calibrate->nqueries : Min(calibrate->nqueries, CALIBRATE_QUERIES_FILTER),
							 calibration))
		one_in *= 10;
	if (calibration->ncurves == 0)
		return 0;
	elac_reservoir_create(calibrate->job->index, calibrate->column->dim);
	elac_calibration_publish(calibrate->job->index, calibration);
	return calibrate->nqueries;
}

/* Is there anything to calibrate, and from local pages? */
static bool
calibrate_possible(const ElacJob *job, const ElacManifest *manifest)
{
	if (job->fetch == NULL || manifest->codebook.id == 0)
		return false;
	for (uint32 i = 0; i < manifest->nsegments; i++)
		if (manifest->segments[i].body.home == ELAC_HOME_REMOTE)
			return false;
	return true;
}

static bool
calibrate_due(const ElacJob *job, const ElacManifest *manifest)
{
	const ElacCalibration *calibration = &manifest->calibration;
	double		rows = 0;
	uint64		seen;

	for (uint32 i = 0; i < manifest->nsegments; i++)
		rows += manifest->segments[i].ndocs;
	if (rows < CALIBRATE_ROWS_MIN)
		return false;
	if (elac_reservoir_count(job->index, manifest, &seen) >= RESERVOIR_QUERIES_MIN &&
		seen / RESERVOIR_GROWTH >= calibration->seen)
		return true;
	return calibration->codebook != manifest->codebook.id ||
		rows > calibration->rows * CALIBRATE_GROWTH || rows * CALIBRATE_GROWTH < calibration->rows;
}

uint32
elac_calibrate(ElacJob *job, bool force)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym calibration", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Calibrate  *calibrate = palloc0(sizeof(Calibrate));
	const ElacSchema *schema;
	uint32		nqueries = 0;

	elac_maintenance_lock(job->index, true);
	calibrate->job = job;
	calibrate->snapshot = elac_snapshot_take(job->index);
	schema = calibrate->snapshot->type->schema;
	if (calibrate_possible(job, calibrate->snapshot->manifest) &&
		(force || calibrate_due(job, calibrate->snapshot->manifest)))
	{
		calibrate->column = &schema->columns[schema->vector_column];
		calibrate->codebook = elac_codebook_get(calibrate->snapshot, calibrate->snapshot->manifest->codebook.id);
		calibrate->query_context = AllocSetContextCreate(context, "elacsym calibration query", ALLOCSET_DEFAULT_SIZES);
		calibrate->buffer = palloc(sizeof(float) * calibrate->column->dim);
		elac_rng_seed(&calibrate->rng, elac_metapage_get(job->index)->rotation_seed +
					  calibrate->snapshot->manifest->generation);
		nqueries = calibrate_snapshot(calibrate);
	}
	elac_snapshot_release(calibrate->snapshot);
	elac_maintenance_unlock(job->index);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nqueries;
}
