/*
 * heap_ahead.c
 *	  Heap rows that will be read soon, announced.
 *
 * Reading a row means three cache misses, one after the other: the page's
 * header, the line pointer, the row.  Announced rows take them side by side,
 * which saves half a microsecond a row.
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "storage/bufpage.h"

#include "query/heap_ahead.h"

/* Bytes of a row that the processor is asked for. */
#define AHEAD_ROW_BYTES 1024
#define AHEAD_LINE 64

/*
 * Asks for the bytes of the oldest row announced: its line pointer has arrived
 * by now.  The buffer is not pinned, so it may hold anything: what is read of
 * it is only where to prefetch, within the page.
 */
static void
ahead_touch(ElacHeapAhead *ahead)
{
	uint32		i = ahead->touched++ % ELAC_AHEAD_ROWS;
	Page		page = BufferGetPage(ahead->rows[i].buffer);
	ItemIdData	id = *PageGetItemId(page, ahead->rows[i].offset);

	for (uint32 at = 0; at < Min(ItemIdGetLength(&id), AHEAD_ROW_BYTES); at += AHEAD_LINE)
		if (ItemIdGetOffset(&id) + at < BLCKSZ)
			__builtin_prefetch((char *) page + ItemIdGetOffset(&id) + at);
}

void
elac_heap_announce(ElacHeapAhead *ahead, Relation heap, ItemPointer tid)
{
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
	Buffer		buffer = PrefetchBuffer(heap, MAIN_FORKNUM, ItemPointerGetBlockNumberNoCheck(tid)).recent_buffer;
	uint32		i;

	if (!BufferIsValid(buffer) || offset == InvalidOffsetNumber ||
		SizeOfPageHeaderData + offset * sizeof(ItemIdData) > BLCKSZ)
		return;
	if (ahead->announced - ahead->touched == ELAC_AHEAD_ROWS)
		ahead_touch(ahead);
	i = ahead->announced++ % ELAC_AHEAD_ROWS;
	ahead->rows[i].buffer = buffer;
	ahead->rows[i].offset = offset;
	__builtin_prefetch(BufferGetPage(buffer));
	__builtin_prefetch(PageGetItemId(BufferGetPage(buffer), offset));
}

void
elac_heap_advance(ElacHeapAhead *ahead)
{
	if (ahead->touched != ahead->announced)
		ahead_touch(ahead);
}
