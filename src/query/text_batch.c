/*
 * text_batch.c
 *	  The next rows in order of their BM25 score.
 *
 * Scores are exact, so a batch is the top k of the pending rows of all
 * sources; when it comes back short, no scoring row is left.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "query/exec.h"

#define BATCH_GROWTH 8
#define MAX_BATCH_ROWS (1 << 26)

/* One wave for the postings of all remote segments. */
static void
text_batch_prefetch(ElacScan *scan, ElacTextReader ***readers)
{
	const ElacBm25Query *text = scan->query.text;
	int			nsegments = scan->snapshot->nsegments;
	ElacBlobReader **blobs = palloc(sizeof(ElacBlobReader *) * Max(nsegments, 1));

	for (int i = 0; i < nsegments; i++)
	{
		ElacSegment *segment = scan->sources[i].segment;

		readers[i] = palloc(sizeof(ElacTextReader *) * text->nfields);
		for (int f = 0; f < text->nfields; f++)
		{
			readers[i][f] = elac_segment_text(segment, text->fields[f].column);
			elac_text_prefetch(readers[i][f], &text->fields[f]);
		}
		blobs[i] = elac_segment_body(segment);
	}
	elac_blob_wait(blobs, nsegments);
	pfree(blobs);
}

static void
text_batch_delta(ElacScan *scan, ElacTextHeap *heap)
{
	const ElacBm25Query *text = scan->query.text;
	ElacSource *source = &scan->sources[scan->nsources - 1];
	const ElacBitmap *pending = elac_source_pending(scan, source);
	ElacTermVector *documents = palloc(sizeof(ElacTermVector) * text->nfields);
	ElacDoc		doc = 0;

	while ((doc = elac_source_next(source, pending, doc)) < source->ndocs)
	{
		ElacTextHit hit;

		CHECK_FOR_INTERRUPTS();
		for (int f = 0; f < text->nfields; f++)
			documents[f] = *elac_delta_terms(scan->delta, doc, text->fields[f].column);
		hit.score = elac_bm25_score(text, documents);
		hit.source = scan->nsources - 1;
		hit.doc = doc;
		if (hit.score > 0)
			elac_text_heap_push(heap, &hit);
		doc++;
	}
	pfree(documents);
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

bool
elac_text_batch(ElacScan *scan)
{
	ElacTextHeap *heap = elac_text_heap_create(scan->batch_rows);
	ElacTextReader ***readers = palloc(sizeof(ElacTextReader **) * Max(scan->snapshot->nsegments, 1));
	ElacTextHit *hits;
	uint32		nhits;

	elac_text_heap_set_place(heap, text_batch_place, scan);
	text_batch_prefetch(scan, readers);
	text_batch_delta(scan, heap);
	for (int i = 0; i < scan->snapshot->nsegments; i++)
	{
		if (scan->sources[i].npending > 0)
			elac_text_search(readers[i], scan->query.text, elac_source_pending(scan, &scan->sources[i]), i, heap);
		pfree(readers[i]);
	}
	pfree(readers);
	hits = elac_text_heap_finish(heap, &nhits);
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
