/*
 * live.c
 *	  The live bitmap of a segment: the only part of it that changes.
 *
 * A list of LIVE pages owned by the segment's id + 2, numbered from 0, as many
 * as the number of documents asks for; layout in segment_format.h.  A page is
 * read under a share lock.  Bits are cleared, never set; each clearing locks
 * the first page (which counts the dead) and then the page of the bits, and is
 * one WAL record, so that count and bits agree whenever nobody holds a lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"

#include "errors.h"
#include "segment/segment_internal.h"
#include "storage/freepages.h"
#include "storage/pagelog.h"

static uint32
live_npages(uint32 ndocs)
{
	return ndocs == 0 ? 1 : (ndocs - 1) / ELAC_LIVE_BITS + 1;
}

/* Documents whose bits are on page number i. */
static uint32
live_page_bits(uint32 ndocs, uint32 i)
{
	uint32		first = i * ELAC_LIVE_BITS;

	return Min(ELAC_LIVE_BITS, ndocs - first);
}

static uint32
live_page_used(uint32 nbits)
{
	return (uint32) (sizeof(ElacLiveHeader) + elac_bitmap_words(nbits) * sizeof(uint64));
}

static uint64 *
live_page_words(Page page)
{
	return (uint64 *) (ElacPageGetData(page) + sizeof(ElacLiveHeader));
}

static ElacLiveHeader *
live_page_header(Page page)
{
	return (ElacLiveHeader *) ElacPageGetData(page);
}

/* Is a locked page number i of the live bitmap? */
static bool
live_page_is(Page page, const ElacSegmentRef *ref, uint32 i, bool check_crc)
{
	const char *why;

	return elac_page_is_valid(page, ELAC_PAGE_LIVE, check_crc, &why) &&
		ElacPageGetTail(page)->owner == ref->id + 2 && ElacPageGetTail(page)->number == i &&
		ElacPageGetUsed(page) == live_page_used(live_page_bits(ref->ndocs, i));
}

/* Page i of the live bitmap, locked, when block is that page; else InvalidBuffer. */
static Buffer
live_try_page(Relation index, const ElacSegmentRef *ref, uint32 i, BlockNumber block, int mode)
{
	Buffer		buffer;

	/* the first page may be locked already: never lock it twice */
	if (block >= RelationGetNumberOfBlocks(index) || (i > 0 && block == ref->live))
		return InvalidBuffer;
	buffer = ReadBuffer(index, block);
	LockBuffer(buffer, mode);
	if (live_page_is(BufferGetPage(buffer), ref, i, true))
		return buffer;
	UnlockReleaseBuffer(buffer);
	return InvalidBuffer;
}

/*
 * Raises because block is not page number i.  A page of another owner was
 * recycled under a reader on a standby, and is corruption elsewhere.
 */
pg_noreturn static void
live_missing(Relation index, const ElacSegmentRef *ref, uint32 i, BlockNumber block)
{
	if (elac_page_may_vanish())
		elac_retry(RelationGetRelationName(index), "Block %u no longer holds the live bitmap of segment " UINT64_FORMAT ".",
				   block, ref->id);
	elac_corrupted(RelationGetRelationName(index), "Block %u is not page %u of the live bitmap of segment " UINT64_FORMAT ".",
				   block, i, ref->id);
}

/* Pins and locks page number i, or raises. */
static Buffer
live_lock_page(Relation index, const ElacSegmentRef *ref, uint32 i, BlockNumber block, int mode)
{
	Buffer		buffer = live_try_page(index, ref, i, block, mode);

	if (!BufferIsValid(buffer))
		live_missing(index, ref, i, block);
	return buffer;
}

/* ---- reading ---- */

ElacBitmap *
elac_live_read(Relation index, const ElacSegmentRef *ref, uint32 *ndead)
{
	ElacBitmap *live = palloc(sizeof(ElacBitmap));
	Size		nwords = elac_bitmap_words(ref->ndocs);
	uint32		npages = live_npages(ref->ndocs);
	BlockNumber block = ref->live;

	live->nbits = ref->ndocs;
	live->words = palloc_extended((nwords + 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	live->words[nwords] = 0;
	for (uint32 i = 0; i < npages; i++)
	{
		uint32		nbits = live_page_bits(ref->ndocs, i);
		Buffer		buffer = live_lock_page(index, ref, i, block, BUFFER_LOCK_SHARE);
		Page		page = BufferGetPage(buffer);

		memcpy(live->words + (Size) i * ELAC_LIVE_WORDS, live_page_words(page),
			   elac_bitmap_words(nbits) * sizeof(uint64));
		block = live_page_header(page)->next;
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
	if (ref->ndocs % 64 != 0 && live->words[nwords - 1] >> (ref->ndocs % 64) != 0)
		elac_corrupted(RelationGetRelationName(index), "The live bitmap of segment " UINT64_FORMAT
					   " has bits past its end.", ref->id);
	*ndead = ref->ndocs - elac_bitmap_count(live);
	return live;
}

uint32
elac_live_version(Relation index, const ElacSegmentRef *ref)
{
	Buffer		buffer = ReadBuffer(index, ref->live);
	Page		page = BufferGetPage(buffer);
	uint32		ndead = 0;
	bool		ours;

	/* the manifest's check has found the block to lie inside the index */
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ours = live_page_is(page, ref, 0, false);
	if (ours)
		ndead = live_page_header(page)->ndead;
	UnlockReleaseBuffer(buffer);
	if (!ours)
		live_missing(index, ref, 0, ref->live);
	return ndead;
}

uint32
elac_live_ndead(Relation index, const ElacSegmentRef *ref)
{
	Buffer		buffer = live_lock_page(index, ref, 0, ref->live, BUFFER_LOCK_SHARE);
	uint32		ndead = live_page_header(BufferGetPage(buffer))->ndead;

	UnlockReleaseBuffer(buffer);
	return Min(ndead, ref->ndocs);
}

BlockNumber *
elac_live_blocks(Relation index, const ElacSegmentRef *ref, uint32 *nblocks)
{
	uint32		npages = live_npages(ref->ndocs);
	BlockNumber *blocks = palloc(npages * sizeof(BlockNumber));
	BlockNumber block = ref->live;

	for (uint32 i = 0; i < npages; i++)
	{
		Buffer		buffer = live_lock_page(index, ref, i, block, BUFFER_LOCK_SHARE);

		blocks[i] = block;
		block = live_page_header(BufferGetPage(buffer))->next;
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
	*nblocks = npages;
	return blocks;
}

/* ---- changing ---- */

/* Each page is written once, the last one first: it is what the one before names. */
BlockNumber
elac_live_create(Relation index, uint64 owner, uint32 ndocs)
{
	BlockNumber next = InvalidBlockNumber;

	for (uint32 i = live_npages(ndocs); i-- > 0;)
	{
		uint32		nbits = live_page_bits(ndocs, i);
		Buffer		buffer = elac_freespace_get(index);
		ElacPageLog log;
		ElacBitmap	bits;
		Page		page;

		elac_pagelog_begin(&log, index);
		page = elac_pagelog_page(&log, buffer, true);
		elac_page_init(page, ELAC_PAGE_LIVE, owner, i);
		elac_page_set_used(page, live_page_used(nbits));
		live_page_header(page)->next = next;
		live_page_header(page)->ndead = 0;
		bits.nbits = nbits;
		bits.words = live_page_words(page);
		elac_bitmap_fill(&bits);
		elac_pagelog_commit(&log);
		next = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
	return next;
}

/* Clears n bits, all of page number i, which is `first` when i is 0. */
static void
live_clear_page(Relation index, uint32 i, Buffer first, Buffer buffer, const ElacDoc *docs, uint32 n)
{
	uint32		base = i * ELAC_LIVE_BITS;
	uint32		cleared = 0;
	ElacPageLog log;
	Page		counter;
	Page		page;
	ElacBitmap	bits;

	elac_pagelog_begin(&log, index);
	counter = elac_pagelog_page(&log, first, false);
	page = i == 0 ? counter : elac_pagelog_page(&log, buffer, false);
	bits.nbits = ELAC_LIVE_BITS;
	bits.words = live_page_words(page);
	for (uint32 j = 0; j < n; j++)
	{
		if (!elac_bitmap_get(&bits, docs[j] - base))
			continue;
		elac_bitmap_clear(&bits, docs[j] - base);
		cleared++;
	}
	if (cleared == 0)
		elac_pagelog_abort(&log);
	else
	{
		live_page_header(counter)->ndead += cleared;
		elac_pagelog_commit(&log);
	}
}

void
elac_live_clear(Relation index, const ElacSegmentRef *ref, const ElacDoc *docs, uint32 ndocs)
{
	uint32		npages = live_npages(ref->ndocs);
	BlockNumber block = ref->live;
	uint32		done = 0;

	for (uint32 j = 0; j < ndocs; j++)
	{
		if (docs[j] >= ref->ndocs || (j > 0 && docs[j] < docs[j - 1]))
			elog(ERROR, "documents to clear are out of range or out of order");
	}
	for (uint32 i = 0; i < npages && done < ndocs; i++)
	{
		uint32		limit = i * ELAC_LIVE_BITS + live_page_bits(ref->ndocs, i);
		uint32		n = 0;
		Buffer		first;
		Buffer		buffer;
		BlockNumber next;

		while (done + n < ndocs && docs[done + n] < limit)
			n++;
		/* a page without bits to clear is only passed */
		first = n > 0 ? live_lock_page(index, ref, 0, ref->live, BUFFER_LOCK_EXCLUSIVE) : InvalidBuffer;
		buffer = i == 0 && n > 0 ? first :
			live_lock_page(index, ref, i, block, n > 0 ? BUFFER_LOCK_EXCLUSIVE : BUFFER_LOCK_SHARE);
		next = live_page_header(BufferGetPage(buffer))->next;
		if (n > 0)
			live_clear_page(index, i, first, buffer, docs + done, n);
		if (buffer != first)
			UnlockReleaseBuffer(buffer);
		if (BufferIsValid(first))
			UnlockReleaseBuffer(first);
		block = next;
		done += n;
		CHECK_FOR_INTERRUPTS();
	}
}

BlockNumber *
elac_live_retired(Relation index, const ElacSegmentRef *ref, uint32 *nblocks)
{
	uint32		npages = live_npages(ref->ndocs);
	BlockNumber *blocks = palloc(npages * sizeof(BlockNumber));
	BlockNumber block = ref->live;
	uint32		n = 0;

	while (n < npages)
	{
		Buffer		buffer = live_try_page(index, ref, n, block, BUFFER_LOCK_SHARE);

		if (!BufferIsValid(buffer))
			break;
		blocks[n++] = block;
		block = live_page_header(BufferGetPage(buffer))->next;
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
	/* the last page first: a walk after a crash finds what is left */
	for (uint32 i = 0; i < n / 2; i++)
	{
		BlockNumber other = blocks[n - 1 - i];

		blocks[n - 1 - i] = blocks[i];
		blocks[i] = other;
	}
	*nblocks = n;
	return blocks;
}
