/*
 * exec.c
 *	  Runs a query: opens the sources, computes which rows may be returned,
 *	  and hands out rows phase by phase until every one has been returned.
 *
 *	     RANKED --(batch is empty)--> REST --(no row left)--> NULL --> DONE
 *
 * RANKED is left out without an order or when the query itself is NULL.  A row
 * that has been returned, or found invisible, leaves the source's pending
 * bitmap, so no phase and no batch returns it again.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "query/exec.h"
#include "query/filter_match.h"

/* Rows of the first batch: as many as will be asked for, when that is known. */
#define FIRST_BATCH_ROWS 20
#define FIRST_BATCH_MIN 10
#define FIRST_BATCH_MAX 100000

/* Rows announced ahead of the one handed out. */
#define ANNOUNCED_ROWS 10

/* Live rows of a segment that pass the filter. */
static void
scan_open_segment(ElacScan *scan, ElacSource *source)
{
	uint32		ndead;
	const ElacBitmap *live = elac_snapshot_live(scan->snapshot, (int) (source - scan->sources), &ndead);
	ElacBitmap *passing;

	if (scan->query.filter == NULL)
	{
		elac_source_begin(source, live, source->ndocs - ndead);
		return;
	}
	passing = elac_filter_segment(scan->query.filter, scan->query.index, scan->schema, source->segment);
	if (live != NULL)
		elac_bitmap_and(passing, live);
	elac_source_begin(source, passing, elac_bitmap_count(passing));
}

/* Live rows of the delta that pass the filter (NULL: all). */
static ElacBitmap *
scan_filter_delta(ElacScan *scan, ElacSource *source, ElacFilter *filter)
{
	/* for what operators leave behind; reset from row to row */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym delta filter", ALLOCSET_DEFAULT_SIZES);
	ElacBitmap *passing = elac_source_bitmap(source->ndocs);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (ElacDoc doc = 0; doc < source->ndocs; doc++)
	{
		CHECK_FOR_INTERRUPTS();
		if (elac_delta_is_dead(scan->delta, doc))
			continue;
		if (filter != NULL)
		{
			ElacTruth	truth = elac_filter_delta(filter, scan->schema, scan->delta, doc);

			MemoryContextReset(context);
			if (truth != ELAC_TRUE)
				continue;
		}
		elac_bitmap_set(passing, doc);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return passing;
}

static void
scan_open_delta(ElacScan *scan, ElacSource *source)
{
	ElacBitmap *passing = NULL;

	/* mostly all rows are pending */
	if (scan->query.filter != NULL || elac_delta_ndead(scan->delta) > 0)
		passing = scan_filter_delta(scan, source, scan->query.filter);
	elac_source_begin(source, passing, passing == NULL ? source->ndocs : elac_bitmap_count(passing));
	scan->counters.delta_rows = source->ndocs;
}

/*
 * The same for a scan that leaves out rows that every snapshot sees.  The
 * order is what makes it right (visible.c): rows first, then the visibility
 * map, then which rows are alive.
 */
static void
scan_open_apart(ElacScan *scan)
{
	ElacFilter *filter = scan->query.filter;
	ElacBitmap **passing = palloc(sizeof(ElacBitmap *) * scan->nsources);

	for (int i = 0; i < scan->nsources; i++)
	{
		ElacSource *source = &scan->sources[i];

		if (source->segment == NULL)
			passing[i] = scan_filter_delta(scan, source, filter);
		else if (filter != NULL)
			passing[i] = elac_filter_segment(filter, scan->query.index, scan->schema, source->segment);
		else
		{
			passing[i] = elac_source_bitmap(source->ndocs);
			elac_bitmap_fill(passing[i]);
		}
	}
	elac_visible_ask(scan, passing);
	for (int i = 0; i < scan->snapshot->nsegments; i++)
	{
		uint32		ndead;
		const ElacBitmap *live = elac_snapshot_live(scan->snapshot, i, &ndead);

		if (live != NULL)
			elac_bitmap_and(passing[i], live);
	}
	elac_visible_split(scan, passing);
	for (int i = 0; i < scan->nsources; i++)
		elac_source_begin(&scan->sources[i], passing[i], elac_bitmap_count(passing[i]));
	scan->counters.delta_rows = scan->sources[scan->snapshot->nsegments].ndocs;
	pfree(passing);
}

/* One wave for all that the filter reads of remote segments. */
static void
scan_prefetch_filters(ElacScan *scan)
{
	int			nreaders = 0;
	ElacBlobReader **readers;

	if (scan->query.filter == NULL || scan->snapshot->nsegments == 0)
		return;
	readers = palloc(sizeof(ElacBlobReader *) * scan->snapshot->nsegments);
	for (int i = 0; i < scan->snapshot->nsegments; i++)
	{
		ElacSegment *segment = scan->sources[i].segment;

		elac_filter_prefetch(scan->query.filter, scan->query.index, scan->schema, segment);
		readers[nreaders++] = elac_segment_body(segment);
	}
	elac_blob_wait(readers, nreaders);
	pfree(readers);
}

/* Text counters before some work; afterwards the difference is added to the scan's. */
static void
scan_count_text(ElacScan *scan, const ElacTextCounters *before)
{
	ElacTextCounters *counters = &scan->counters.text;
	const ElacTextCounters *now = &elac_text_counters;

	counters->terms += now->terms - before->terms;
	counters->blocks_decoded += now->blocks_decoded - before->blocks_decoded;
	counters->blocks_passed += now->blocks_passed - before->blocks_passed;
	counters->windows += now->windows - before->windows;
	counters->documents += now->documents - before->documents;
}

static void
scan_open_sources(ElacScan *scan)
{
	ElacSnapshot *snapshot = scan->snapshot;
	const ElacTextCounters before = elac_text_counters;

	scan->delta = elac_delta_view(snapshot);
	scan->nsources = snapshot->nsegments + 1;
	scan->sources = palloc0(sizeof(ElacSource) * scan->nsources);
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		scan->sources[i].segment = elac_snapshot_segment(snapshot, i);
		scan->sources[i].ndocs = elac_segment_ndocs(scan->sources[i].segment);
	}
	scan->sources[snapshot->nsegments].ndocs = elac_delta_ndocs(scan->delta);

	scan_prefetch_filters(scan);
	if (scan->query.visible_apart)
		scan_open_apart(scan);
	else
	{
		for (int i = 0; i < snapshot->nsegments; i++)
			scan_open_segment(scan, &scan->sources[i]);
		scan_open_delta(scan, &scan->sources[snapshot->nsegments]);
	}
	scan->counters.segments = snapshot->nsegments;
	scan_count_text(scan, &before);
}

static ElacScanPhase
scan_first_phase(const ElacQuery *query)
{
	switch (query->order)
	{
		case ELAC_ORDER_NONE:
			return ELAC_PHASE_REST;
		case ELAC_ORDER_VECTOR:
			if (query->vector_isnull)
				return ELAC_PHASE_NULL;
			return query->vector_class == ELAC_VECTOR_FINITE ? ELAC_PHASE_RANKED : ELAC_PHASE_REST;
		case ELAC_ORDER_TEXT:
			return query->text == NULL ? ELAC_PHASE_NULL : ELAC_PHASE_RANKED;
	}
	return ELAC_PHASE_DONE;
}

ElacScan *
elac_query_open(const ElacQuery *query)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym query", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacScan   *scan = palloc0(sizeof(ElacScan));

	scan->query = *query;
	scan->context = context;
	if (query->order == ELAC_ORDER_TEXT && query->text != NULL && query->filter != NULL)
		scan->query.filter = elac_match_split(query->filter, query->text, &scan->rest_filter);
	scan->snapshot = elac_snapshot_share(query->index);
	scan->schema = scan->snapshot->type->schema;
	scan->phase = scan_first_phase(query);
	scan->effort = 1.0;
	scan->batch_rows = query->rows > 0 ? (uint32) Min(Max(query->rows, FIRST_BATCH_MIN), FIRST_BATCH_MAX) : FIRST_BATCH_ROWS;
	scan_open_sources(scan);
	MemoryContextSwitchTo(old);
	return scan;
}

/* Rows whose vector is of a class. */
static void
scan_vector_rows(ElacScan *scan, ElacSource *source, ElacVectorClass class, ElacBitmap *out)
{
	if (source->segment != NULL)
	{
		ElacVectorReader *reader = elac_segment_vector(source->segment);
		ElacDoc		first;
		ElacDoc		last;

		elac_vector_list_range(reader, elac_vector_nlists(reader) + (class == ELAC_VECTOR_NULL ? 1 : 0), &first, &last);
		elac_bitmap_set_range(out, first, last);
		return;
	}
	for (ElacDoc doc = 0; doc < source->ndocs; doc++)
		if (elac_delta_vector_class(scan->delta, doc) == class)
			elac_bitmap_set(out, doc);
}

/* Rows that are NULL in all the fields of the query. */
static void
scan_text_nulls(ElacScan *scan, ElacSource *source, ElacBitmap *out)
{
	ElacBm25Query *text = scan->query.text;

	elac_bitmap_fill(out);
	for (int i = 0; i < text->nfields; i++)
	{
		int			column = text->fields[i].column;

		if (source->segment != NULL)
		{
			ElacBitmap *nulls = elac_source_bitmap(source->ndocs);

			elac_text_null_docs(elac_segment_text(source->segment, column), nulls);
			elac_bitmap_and(out, nulls);
			pfree(nulls->words);
			pfree(nulls);
			continue;
		}
		for (ElacDoc doc = 0; doc < source->ndocs; doc++)
			if (!elac_delta_text_isnull(scan->delta, doc, column))
				elac_bitmap_clear(out, doc);
	}
}

ElacBitmap *
elac_phase_rows(ElacScan *scan, ElacSource *source, ElacScanPhase phase)
{
	ElacBitmap *rows = elac_source_bitmap(source->ndocs);
	const ElacBitmap *pending = elac_source_pending(scan, source);
	const ElacQuery *query = &scan->query;
	bool		all_null = phase == ELAC_PHASE_NULL &&
		((query->order == ELAC_ORDER_VECTOR && query->vector_isnull) ||
		 (query->order == ELAC_ORDER_TEXT && query->text == NULL));

	if (query->order == ELAC_ORDER_NONE || all_null)
		elac_bitmap_fill(rows);
	else if (query->order == ELAC_ORDER_VECTOR)
		scan_vector_rows(scan, source, ELAC_VECTOR_NULL, rows);
	else
		scan_text_nulls(scan, source, rows);
	if (phase == ELAC_PHASE_REST && query->order != ELAC_ORDER_NONE)
		elac_bitmap_not(rows);
	if (pending != NULL)
		elac_bitmap_and(rows, pending);
	if (scan->rest_filter != NULL)
		elac_bitmap_and(rows, source->segment != NULL ?
						elac_filter_segment(scan->rest_filter, query->index, scan->schema, source->segment) :
						scan_filter_delta(scan, source, scan->rest_filter));
	return rows;
}

/* The distance that all rows of an unranked phase have. */
static double
scan_phase_distance(const ElacScan *scan)
{
	return scan->query.order == ELAC_ORDER_VECTOR ? (double) NAN : 0.0;
}

/* Next row of the REST or NULL phase. */
static bool
scan_next_unranked(ElacScan *scan, ElacResult *result)
{
	while (scan->source < scan->nsources)
	{
		ElacSource *source = &scan->sources[scan->source];

		CHECK_FOR_INTERRUPTS();
		if (scan->phase_rows == NULL)
		{
			scan->phase_rows = elac_phase_rows(scan, source, scan->phase);
			scan->doc = 0;
		}
		scan->doc = elac_bitmap_next(scan->phase_rows, scan->doc);
		if (scan->doc < source->ndocs)
		{
			elac_source_tid_ahead(scan, source, scan->phase_rows, scan->doc, &result->tid);
			scan->doc++;
			result->isnull = scan->phase == ELAC_PHASE_NULL;
			result->distance = result->isnull ? 0.0 : scan_phase_distance(scan);
			return true;
		}
		pfree(scan->phase_rows->words);
		pfree(scan->phase_rows);
		scan->phase_rows = NULL;
		scan->source++;
	}
	return false;
}

/* Rows that were ranked by the index alone are new to the processor when the executor reads them. */
static void
scan_announce(ElacScan *scan)
{
	if (scan->query.heap == NULL || scan->heap_fetch != NULL)
		return;
	for (; scan->announced < Min(scan->nresults, scan->next + ANNOUNCED_ROWS); scan->announced++)
		elac_heap_announce(&scan->ahead, scan->query.heap, &scan->results[scan->announced].tid);
	elac_heap_advance(&scan->ahead);
}

static bool
scan_next_ranked(ElacScan *scan, ElacResult *result)
{
	if (scan->next >= scan->nresults)
	{
		const ElacTextCounters before = elac_text_counters;
		bool		found;

		if (scan->results != NULL)
			pfree(scan->results);
		scan->results = NULL;
		scan->nresults = 0;
		scan->next = 0;
		scan->announced = 0;
		scan->counters.batches++;
		found = scan->query.order == ELAC_ORDER_VECTOR ? elac_vector_batch(scan) : elac_text_batch(scan);
		scan_count_text(scan, &before);
		if (!found)
			return false;
	}
	scan_announce(scan);
	*result = scan->results[scan->next++];
	return true;
}

bool
elac_query_next(ElacScan *scan, ElacResult *result)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	bool		found = false;

	while (!found && scan->phase != ELAC_PHASE_DONE)
	{
		found = scan->phase == ELAC_PHASE_RANKED
			? scan_next_ranked(scan, result)
			: scan_next_unranked(scan, result);
		if (!found)
		{
			if (scan->phase == ELAC_PHASE_REST && scan->query.order == ELAC_ORDER_NONE)
				scan->phase = ELAC_PHASE_DONE;
			else
				scan->phase++;
			scan->source = 0;
		}
	}
	MemoryContextSwitchTo(old);
	return found;
}

uint32
elac_query_next_tids(ElacScan *scan, ItemPointer tids, uint32 max)
{
	ElacResult	result;
	uint32		n = 0;

	while (n < max && elac_query_next(scan, &result))
		tids[n++] = result.tid;
	return n;
}

uint64
elac_query_visible(const ElacScan *scan)
{
	return scan->nvisible;
}

const ElacQueryCounters *
elac_query_counters(const ElacScan *scan)
{
	return &scan->counters;
}

void
elac_query_close(ElacScan *scan)
{
	if (scan->heap_fetch != NULL)
		elac_heap_fetch_end(scan->heap_fetch);
	elac_snapshot_release(scan->snapshot);
	MemoryContextDelete(scan->context);
}
