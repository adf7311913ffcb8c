/*
 * text_batch.c
 *	  The next rows in order of their BM25 score.
 *
 * Scores are exact, so a batch is the top k of the pending rows of all
 * sources; when it comes back short, no scoring row is left.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "query/exec.h"

#define BATCH_GROWTH 8
#define MAX_BATCH_ROWS (1 << 26)

#define INTERRUPT_ROWS 256		/* rows between looks at interrupts */

/*
 * The readers of a segment, one a field; NULL for a label that none of its
 * documents has.
 */
static ElacTextReader **
text_batch_readers(const ElacBm25Query *text, ElacSegment *segment)
{
	ElacTextReader **readers = palloc(sizeof(ElacTextReader *) * Max(text->nfields, 1));

	for (int f = 0; f < text->nfields; f++)
		readers[f] = elac_text_label(elac_segment_text(segment, text->fields[f].column), text->fields[f].label);
	return readers;
}

/* One wave for the postings of all REMOTE segments: those of others cost nothing to wait for. */
static void
text_batch_prefetch(ElacScan *scan, ElacTextReader ***readers)
{
	const ElacBm25Query *text = scan->query.text;
	int			nsegments = scan->snapshot->nsegments;
	ElacBlobReader **blobs = palloc(sizeof(ElacBlobReader *) * Max(nsegments, 1));
	bool		phrases = text->condition != NULL && elac_text_has_phrase(text->condition);
	int			nblobs = 0;

	for (int i = 0; i < nsegments; i++)
	{
		if (readers[i] == NULL || scan->snapshot->manifest->segments[i].body.home != ELAC_HOME_REMOTE)
			continue;
		for (int f = 0; f < text->nfields; f++)
			if (readers[i][f] != NULL && phrases)
				elac_text_prefetch_positions(readers[i][f], &text->fields[f]);
			else if (readers[i][f] != NULL)
				elac_text_prefetch(readers[i][f], &text->fields[f]);
		blobs[nblobs++] = elac_segment_body(scan->sources[i].segment);
	}
	if (nblobs > 0)
		elac_blob_wait(blobs, nblobs);
}

/*
 * The delta's rows come last: what the segments have found leaves few of them
 * to be scored.
 */
static void
text_batch_delta(ElacScan *scan, ElacTextHeap *heap)
{
	ElacSource *source = &scan->sources[scan->nsources - 1];
	const ElacBitmap *pending = elac_source_pending(scan, source);
	ElacDeltaText *words;
	ElacTextHit hit;

	if (source->npending == 0)
		return;
	words = elac_delta_text_begin(scan->delta, scan->query.text);
	hit.source = scan->nsources - 1;
	hit.doc = 0;
	while ((hit.doc = elac_delta_text_next(words, hit.doc)) < source->ndocs)
	{
		ElacDoc		doc = elac_source_next(source, pending, hit.doc);

		if (doc > hit.doc)
		{
			hit.doc = doc;
			continue;
		}
		if (doc % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (elac_delta_text_bound(words, doc) >= elac_text_heap_threshold(heap))
		{
			hit.score = elac_bm25_score(scan->query.text, elac_delta_text_documents(words, doc));
			if (hit.score > 0)
				elac_text_heap_push(heap, &hit);
		}
		hit.doc++;
	}
}

/* The segments with pending rows, those with most rows first: they have the best hits, as a rule. */
static int *
text_batch_order(ElacScan *scan, int *n)
{
	int		   *order = palloc(sizeof(int) * Max(scan->snapshot->nsegments, 1));

	*n = 0;
	for (int i = 0; i < scan->snapshot->nsegments; i++)
	{
		int			place = *n;

		if (scan->sources[i].npending == 0)
			continue;
		for (; place > 0 && scan->sources[order[place - 1]].npending < scan->sources[i].npending; place--)
			order[place] = order[place - 1];
		order[place] = i;
		(*n)++;
	}
	return order;
}

/* Equal scores rank by the row's place in the heap. */
static uint64
text_batch_place(void *arg, uint32 source, ElacDoc doc)
{
	ElacScan   *scan = (ElacScan *) arg;
	ItemPointerData tid;

	elac_source_tid(scan, &scan->sources[source], doc, &tid);
	return ((uint64) ItemPointerGetBlockNumberNoCheck(&tid) << 16) | ItemPointerGetOffsetNumberNoCheck(&tid);
}

/* The best pending rows of all sources. */
static ElacTextHit *
text_batch_search(ElacScan *scan, uint32 *nhits)
{
	ElacTextHeap *heap = elac_text_heap_create(scan->batch_rows);
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "elacsym text batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	ElacTextReader ***readers = palloc0(sizeof(ElacTextReader **) * Max(scan->snapshot->nsegments, 1));
	int			n;
	int		   *order = text_batch_order(scan, &n);

	elac_text_heap_set_place(heap, text_batch_place, scan);
	for (int i = 0; i < n; i++)
		readers[order[i]] = text_batch_readers(scan->query.text, scan->sources[order[i]].segment);
	text_batch_prefetch(scan, readers);
	for (int i = 0; i < n; i++)
		elac_text_search(readers[order[i]], scan->query.text, elac_source_pending(scan, &scan->sources[order[i]]),
						 order[i], heap);
	text_batch_delta(scan, heap);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return elac_text_heap_finish(heap, nhits);
}

bool
elac_text_batch(ElacScan *scan)
{
	uint32		nhits;
	ElacTextHit *hits = text_batch_search(scan, &nhits);

	scan->batch_rows = Min(scan->batch_rows * BATCH_GROWTH, MAX_BATCH_ROWS);
	if (nhits == 0)
		return false;

	scan->results = palloc_extended(sizeof(ElacResult) * nhits, MCXT_ALLOC_HUGE);
	scan->nresults = nhits;
	for (uint32 i = 0; i < nhits; i++)
	{
		ElacSource *source = &scan->sources[hits[i].source];

		elac_source_tid(scan, source, hits[i].doc, &scan->results[i].tid);
		scan->results[i].distance = -hits[i].score;
		scan->results[i].isnull = false;
		elac_source_take(scan, source, hits[i].doc);
	}
	pfree(hits);
	return true;
}
