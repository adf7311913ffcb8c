/*
 * source.c
 *	  Which rows of a source are still pending.
 *
 * Most scans search once and return a few rows: they read a bitmap that other
 * scans read too (or none, when every row is pending), and the rows returned
 * are a short list beside it.  A copy is made when a search has to leave them
 * out, or when they become many.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "query/exec.h"

#define SOURCE_TAKEN_MAX 1024	/* rows listed; from then on a bit each */

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
