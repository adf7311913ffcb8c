/*
 * source.c
 *	  Which rows of a source are still pending.
 *
 * Most scans search once and return a few rows: they read a bitmap that other
 * scans read too (or none, when every row is pending), and the rows returned
 * are a short list beside it.  A copy is made when a search has to leave them
 * out, or when they become many.
 *
 * And where a row of a source lies in the table.
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "query/exec.h"

#define SOURCE_TAKEN_MAX 1024	/* rows listed; from then on a bit each */

/* Places of neighbours are read together where so many of them are wanted. */
#define WINDOW_WANTED 16

ElacBitmap *
elac_source_bitmap(uint32 ndocs)
{
	ElacBitmap *bitmap = palloc(sizeof(ElacBitmap));

	bitmap->nbits = ndocs;
	bitmap->words = MemoryContextAllocExtended(CurrentMemoryContext,
											   (elac_bitmap_words(ndocs) + 1) * sizeof(uint64_t),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return bitmap;
}

void
elac_source_begin(ElacSource *source, const ElacBitmap *passing, uint32 npending)
{
	Assert(passing == NULL || passing->nbits == source->ndocs);
	source->passing = npending == source->ndocs ? NULL : passing;
	source->npending = npending;
}

/* From shared bitmap and list to a bitmap of this scan's own. */
static void
source_copy(ElacScan *scan, ElacSource *source)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	source->pending = elac_source_bitmap(source->ndocs);
	if (source->passing == NULL)
		elac_bitmap_fill(source->pending);
	else
		elac_bitmap_copy(source->pending, source->passing);
	for (uint32 i = 0; i < source->ntaken; i++)
		elac_bitmap_clear(source->pending, source->taken[i]);
	source->ntaken = 0;
	MemoryContextSwitchTo(old);
}

const ElacBitmap *
elac_source_pending(ElacScan *scan, ElacSource *source)
{
	if (source->ntaken > 0)
		source_copy(scan, source);
	return source->pending != NULL ? source->pending : source->passing;
}

void
elac_source_take(ElacScan *scan, ElacSource *source, ElacDoc doc)
{
	Assert(doc < source->ndocs);
	if (source->pending == NULL && source->ntaken == SOURCE_TAKEN_MAX)
		source_copy(scan, source);
	if (source->pending != NULL)
	{
		elac_bitmap_clear(source->pending, doc);
		return;
	}
	if (source->taken == NULL)
		source->taken = MemoryContextAlloc(scan->context, SOURCE_TAKEN_MAX * sizeof(ElacDoc));
	source->taken[source->ntaken++] = doc;
}

/* ---- places ---- */

/* A docmap is not checksummed when it is read: no row lies beyond the table's end. */
static void
source_check_tid(ElacScan *scan, const ItemPointerData *tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);

	if (block < scan->heap_blocks || scan->query.heap == NULL)
		return;
	scan->heap_blocks = RelationGetNumberOfBlocks(scan->query.heap);
	if (block >= scan->heap_blocks)
		elac_corrupted(RelationGetRelationName(scan->query.index), "A row lies in block %u of a table of %u blocks.",
					   block, scan->heap_blocks);
}

void
elac_source_tid(ElacScan *scan, ElacSource *source, ElacDoc doc, ItemPointer tid)
{
	if (source->segment != NULL)
		elac_segment_tid(source->segment, doc, tid);
	else
		ItemPointerCopy(elac_delta_tid(scan->delta, doc), tid);
	source_check_tid(scan, tid);
}

const ItemPointerData *
elac_source_window(ElacScan *scan, ElacSource *source, const ElacBitmap *rows, ElacDoc first)
{
	uint32		n = Min(ELAC_SOURCE_WINDOW, source->ndocs - first);

	if (source->segment == NULL || elac_bitmap_count_range(rows, first, first + n) < WINDOW_WANTED)
		return NULL;
	if (source->window == NULL)
		source->window = MemoryContextAlloc(scan->context, ELAC_SOURCE_WINDOW * sizeof(ItemPointerData));
	source->window_docs = 0;
	elac_segment_read_tids(source->segment, first, n, source->window);
	source->window_first = first;
	source->window_docs = n;
	return source->window;
}

void
elac_source_tid_ahead(ElacScan *scan, ElacSource *source, const ElacBitmap *rows, ElacDoc doc, ItemPointer tid)
{
	bool		inside = doc >= source->window_first && doc - source->window_first < source->window_docs;

	if (!inside && elac_source_window(scan, source, rows, doc) == NULL)
	{
		elac_source_tid(scan, source, doc, tid);
		return;
	}
	*tid = source->window[doc - source->window_first];
	source_check_tid(scan, tid);
}
