/*
 * chain.c
 *	  Append-only byte chains of pages: the delta's storage.
 *
 * Owns CHAIN pages.  The descriptor (ElacChain) is the caller's, who holds the
 * lane's exclusive lock while appending and stores the descriptor with its
 * next WAL record; what a record means is the caller's business too.
 *
 * The descriptor decides what is in the chain, not the pages: an append that
 * was interrupted leaves bytes past tail_used, and perhaps a next block in the
 * tail that points at pages nobody counts.  The next append writes over both;
 * readers stop at npages and tail_used.  Every page but the tail is full.
 *
 *	  tail page:  | next | 0 | records ... | dead bytes | unused |
 *	              0      4   8             tail_used    pd_lower
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"

#include "base/bytes.h"
#include "errors.h"
#include "storage/chain.h"
#include "storage/freepages.h"
#include "storage/pagelog.h"

#define ELAC_CHAIN_HEADER 8
#define ELAC_CHAIN_ROOM (ELAC_PAGE_DATA - ELAC_CHAIN_HEADER)	/* record bytes of a page */

/* Raises unless the descriptor can be one that append left behind. */
static void
elac_chain_check(Relation index, const ElacChain *chain)
{
	bool		good;

	if (chain->npages == 0)
		good = chain->head == InvalidBlockNumber && chain->tail == InvalidBlockNumber;
	else
		good = chain->head != InvalidBlockNumber && chain->tail != InvalidBlockNumber &&
			(chain->npages == 1) == (chain->head == chain->tail) &&
			chain->tail_used >= ELAC_CHAIN_HEADER && chain->tail_used <= ELAC_PAGE_DATA;
	if (!good)
		elac_corrupted(RelationGetRelationName(index),
					   "Chain " UINT64_FORMAT " of %u pages has an impossible head or tail.",
					   chain->id, chain->npages);
}

/* ---- appending ---- */

/* Locks and checks the tail page; InvalidBuffer for an empty chain. */
static Buffer
elac_chain_lock_tail(Relation index, const ElacChain *chain)
{
	BlockNumber nblocks = 0;
	Buffer		buffer;
	Page		page;

	if (chain->npages == 0)
		return InvalidBuffer;
	buffer = elac_page_buffer(index, chain->tail, &nblocks, NULL);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	elac_page_check_owned(index, chain->tail, page, ELAC_PAGE_CHAIN, chain->id, chain->npages - 1, false);
	if (ElacPageGetUsed(page) < chain->tail_used)
		elac_corrupted(RelationGetRelationName(index), "Block %u: the chain's last page has %u bytes and should have %u.",
					   chain->tail, ElacPageGetUsed(page), chain->tail_used);
	return buffer;
}

/* Puts as much of data as fits at payload offset `at`, ends the page there. */
static Size
elac_chain_fill(Page page, uint32 at, const uint8 *data, Size len, BlockNumber next)
{
	uint8	   *payload = ElacPageGetData(page);
	Size		n = Min(len, (Size) (ELAC_PAGE_DATA - at));

	elac_page_set_used(page, at + (uint32) n);
	elac_put_u32(payload, next);
	elac_put_u32(payload + 4, 0);
	memcpy(payload + at, data, n);
	return n;
}

/* Raises unless len bytes can be appended. */
static void
elac_chain_check_append(Relation index, const ElacChain *chain, Size len)
{
	elac_chain_check(index, chain);
	if (chain->id == 0 || len == 0)
		elog(ERROR, "a record of %zu bytes cannot go into chain " UINT64_FORMAT, len, chain->id);
	if (chain->npages > UINT32_MAX - 1 - len / ELAC_CHAIN_ROOM - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a chain of index \"%s\" has too many pages", RelationGetRelationName(index))));
}

uint32
elac_chain_pages(const ElacChain *chain, Size len)
{
	Size		room = chain->npages > 0 ? ELAC_PAGE_DATA - Min(chain->tail_used, ELAC_PAGE_DATA) : 0;
	Size		pages = chain->npages > 0 ? 1 : 0;

	if (len > room)
		pages += (len - room + ELAC_CHAIN_ROOM - 1) / ELAC_CHAIN_ROOM;
	return (uint32) Min(pages, (Size) UINT32_MAX);
}

/*
 * The page that an append which did not come to its end linked in as page
 * `number` of the chain, locked; InvalidBuffer when block is none.  Ids are
 * never used twice, and the descriptor does not count the page: it is ours.
 */
static Buffer
elac_chain_take_leftover(Relation index, const ElacChain *chain, BlockNumber block, uint32 number)
{
	Buffer		buffer;
	Page		page;

	if (block == InvalidBlockNumber || block >= RelationGetNumberOfBlocks(index))
		return InvalidBuffer;
	buffer = ReadBuffer(index, block);
	if (ConditionalLockBuffer(buffer))
	{
		page = BufferGetPage(buffer);
		if (elac_page_is_valid(page, ELAC_PAGE_CHAIN, true, NULL) &&
			ElacPageGetTail(page)->owner == chain->id &&
			ElacPageGetTail(page)->number == number &&
			ElacPageGetUsed(page) >= ELAC_CHAIN_HEADER)
			return buffer;
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	ReleaseBuffer(buffer);
	return InvalidBuffer;
}

void
elac_chain_reserve(Relation index, ElacChain *chain, Size len, ElacChainAppend *append)
{
	uint32		npages = elac_chain_pages(chain, len);
	BlockNumber leftover = InvalidBlockNumber;

	elac_chain_check_append(index, chain, len);
	if (npages > ELAC_PAGELOG_MAX)
		elog(ERROR, "an append to %u pages does not fit a WAL record", npages);
	append->chain = chain;
	append->len = len;
	append->nbuffers = 0;
	append->buffers[0] = elac_chain_lock_tail(index, chain);
	append->has_tail = BufferIsValid(append->buffers[0]);
	if (append->has_tail)
	{
		leftover = elac_get_u32(ElacPageGetData(BufferGetPage(append->buffers[0])));
		append->nbuffers = 1;
	}
	while (append->nbuffers < (int) npages)
	{
		uint32		number = chain->npages + append->nbuffers - (append->has_tail ? 1 : 0);
		Buffer		buffer = elac_chain_take_leftover(index, chain, leftover, number);

		if (BufferIsValid(buffer))
			leftover = elac_get_u32(ElacPageGetData(BufferGetPage(buffer)));
		else
		{
			leftover = InvalidBlockNumber;
			buffer = elac_freespace_get(index);
		}
		append->buffers[append->nbuffers++] = buffer;
	}
	append->leftover = leftover;

	/* A record begins in the tail if one byte fits there, else in the page after it. */
	if (append->has_tail && chain->tail_used < ELAC_PAGE_DATA)
	{
		append->pos.block = chain->tail;
		append->pos.offset = chain->tail_used;
	}
	else
	{
		append->pos.block = BufferGetBlockNumber(append->buffers[append->has_tail ? 1 : 0]);
		append->pos.offset = ELAC_CHAIN_HEADER;
	}
}

void
elac_chain_write(ElacChainAppend *append, ElacPageLog *log, const void *data)
{
	ElacChain  *chain = append->chain;
	const uint8 *from = data;
	Size		done = 0;

	for (int i = 0; i < append->nbuffers; i++)
	{
		bool		fresh = i > 0 || !append->has_tail;
		BlockNumber next = i + 1 < append->nbuffers ? BufferGetBlockNumber(append->buffers[i + 1]) : append->leftover;
		uint32		at = fresh ? ELAC_CHAIN_HEADER : chain->tail_used;
		Page		page = elac_pagelog_page(log, append->buffers[i], fresh);
		Size		n;

		if (fresh)
			elac_page_init(page, ELAC_PAGE_CHAIN, chain->id, chain->npages++);
		n = elac_chain_fill(page, at, from + done, append->len - done, next);
		chain->tail = BufferGetBlockNumber(append->buffers[i]);
		chain->tail_used = at + (uint32) n;
		done += n;
		if (chain->head == InvalidBlockNumber)
			chain->head = chain->tail;
	}
	Assert(done == append->len);
}

void
elac_chain_release(ElacChainAppend *append)
{
	for (int i = 0; i < append->nbuffers; i++)
		UnlockReleaseBuffer(append->buffers[i]);
	append->nbuffers = 0;
}

ElacChainPos
elac_chain_append(Relation index, ElacChain *chain, const void *data, Size len)
{
	ElacChain	next = *chain;
	const uint8 *from = data;
	Size		done = 0;
	ElacChainPos pos = {InvalidBlockNumber, 0};

	elac_chain_check_append(index, chain, len);
	while (done < len)
	{
		ElacChainAppend append;
		ElacPageLog log;
		Size		room;
		Size		n;

		CHECK_FOR_INTERRUPTS();
		/* as much as the pages of one WAL record take */
		room = next.npages > 0
			? ELAC_PAGE_DATA - next.tail_used + (Size) (ELAC_PAGELOG_MAX - 1) * ELAC_CHAIN_ROOM
			: (Size) ELAC_PAGELOG_MAX * ELAC_CHAIN_ROOM;
		n = Min(len - done, room);
		elac_chain_reserve(index, &next, n, &append);
		elac_pagelog_begin(&log, index);
		elac_chain_write(&append, &log, from + done);
		elac_pagelog_commit(&log);
		elac_chain_release(&append);
		if (done == 0)
			pos = append.pos;
		done += n;
	}
	*chain = next;
	return pos;
}

/* ---- reading ---- */

struct ElacChainReader
{
	Relation	index;
	ElacChain	chain;			/* as it was at open: what comes later is not read */
	BlockNumber nblocks;		/* size of the index as last seen */
	ElacChainPos pos;
	BlockNumber loaded;			/* block that page is a copy of, or InvalidBlockNumber */
	uint32		number;			/* its number in the chain */
	uint32		end;			/* payload bytes of it that count */
	PGAlignedBlock page;
};

ElacChainReader *
elac_chain_open(Relation index, const ElacChain *chain)
{
	ElacChainReader *reader = palloc(sizeof(ElacChainReader));

	reader->index = index;
	reader->chain = *chain;
	reader->nblocks = 0;
	reader->loaded = InvalidBlockNumber;
	reader->number = 0;
	reader->end = 0;
	elac_chain_check(index, chain);
	reader->pos.block = chain->head;
	reader->pos.offset = ELAC_CHAIN_HEADER;
	return reader;
}

/* Copies page `number` (or any) of the chain and checks it. */
static void
elac_chain_load(ElacChainReader *reader, BlockNumber block, uint32 number)
{
	const ElacChain *chain = &reader->chain;
	Page		page = (Page) reader->page.data;
	Buffer		buffer = elac_page_buffer(reader->index, block, &reader->nblocks, NULL);
	bool		is_tail;

	reader->loaded = InvalidBlockNumber;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);

	elac_page_check_owned(reader->index, block, page, ELAC_PAGE_CHAIN, chain->id, number, true);
	number = ElacPageGetTail(page)->number;
	if (number >= chain->npages)
		elac_page_raise(reader->index, block, "the page lies beyond the end of its chain");
	is_tail = number == chain->npages - 1;
	if (is_tail != (block == chain->tail) || (number == 0) != (block == chain->head))
		elac_page_raise(reader->index, block, "the page is out of place in its chain");
	reader->end = is_tail ? chain->tail_used : ELAC_PAGE_DATA;
	if (ElacPageGetUsed(page) < reader->end)
		elac_corrupted(RelationGetRelationName(reader->index), "Block %u: the chain's page has %u bytes and should have %u.",
					   block, ElacPageGetUsed(page), reader->end);
	reader->number = number;
	reader->loaded = block;
}

/* Makes the page of the position the loaded one; the chain is not empty. */
static void
elac_chain_arrive(ElacChainReader *reader)
{
	if (reader->pos.block == InvalidBlockNumber)
		elac_corrupted(RelationGetRelationName(reader->index), "A position in chain " UINT64_FORMAT " has no block.",
					   reader->chain.id);
	if (reader->loaded != reader->pos.block)
		elac_chain_load(reader, reader->pos.block,
						reader->pos.block == reader->chain.head ? 0 : ELAC_PAGE_ANY_NUMBER);
	if (reader->pos.offset < ELAC_CHAIN_HEADER || reader->pos.offset > reader->end)
		elac_corrupted(RelationGetRelationName(reader->index), "Block %u: offset %u lies outside of the chain's page.",
					   reader->pos.block, reader->pos.offset);
}

/* Goes from the end of a page to the next one, which exists. */
static void
elac_chain_turn(ElacChainReader *reader)
{
	BlockNumber next = elac_get_u32(ElacPageGetData((Page) reader->page.data));

	elac_chain_load(reader, next, reader->number + 1);
	reader->pos.block = next;
	reader->pos.offset = ELAC_CHAIN_HEADER;
}

void
elac_chain_seek(ElacChainReader *reader, ElacChainPos pos)
{
	reader->pos = pos;
}

/* Record bytes from the position to the end of the chain. */
static uint64
elac_chain_remaining(const ElacChainReader *reader)
{
	uint64		after = reader->chain.npages - 1 - reader->number;
	uint64		bytes = reader->end - reader->pos.offset;

	if (after > 0)
		bytes += (after - 1) * ELAC_CHAIN_ROOM + (reader->chain.tail_used - ELAC_CHAIN_HEADER);
	return bytes;
}

bool
elac_chain_read(ElacChainReader *reader, void *dst, Size len)
{
	uint8	   *to = dst;

	if (len == 0)
		return true;
	if (reader->chain.npages == 0)
		return false;
	elac_chain_arrive(reader);
	if (len > elac_chain_remaining(reader))
		return false;
	for (;;)
	{
		Size		n = Min(len, (Size) (reader->end - reader->pos.offset));

		memcpy(to, ElacPageGetData((Page) reader->page.data) + reader->pos.offset, n);
		reader->pos.offset += (uint32) n;
		to += n;
		len -= n;
		if (len == 0)
			return true;
		CHECK_FOR_INTERRUPTS();
		elac_chain_turn(reader);
	}
}

ElacChainPos
elac_chain_tell(ElacChainReader *reader)
{
	/* At the end of a page that is not the last, a record begins on the next one. */
	if (reader->loaded != InvalidBlockNumber && reader->loaded == reader->pos.block &&
		reader->pos.offset == ELAC_PAGE_DATA && reader->number < reader->chain.npages - 1)
		elac_chain_turn(reader);
	return reader->pos;
}

void
elac_chain_close(ElacChainReader *reader)
{
	pfree(reader);
}

/* ---- which blocks: for freeing and verification ---- */

static void
elac_chain_reverse(BlockNumber *blocks, uint32 n)
{
	for (uint32 i = 0; i < n / 2; i++)
	{
		BlockNumber block = blocks[i];

		blocks[i] = blocks[n - 1 - i];
		blocks[n - 1 - i] = block;
	}
}

BlockNumber *
elac_chain_blocks(Relation index, const ElacChain *chain, uint32 *nblocks)
{
	ElacChainReader *reader = elac_chain_open(index, chain);
	BlockNumber *blocks;

	/* A chain has no more pages than the index, whatever its descriptor says. */
	if (chain->npages > RelationGetNumberOfBlocks(index))
		elac_corrupted(RelationGetRelationName(index), "Chain " UINT64_FORMAT " claims %u pages, more than the index has.",
					   chain->id, chain->npages);
	blocks = palloc_extended(mul_size((Size) chain->npages + 1, sizeof(BlockNumber)), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < chain->npages; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == 0)
			elac_chain_arrive(reader);
		else
			elac_chain_turn(reader);
		blocks[i] = reader->pos.block;
	}
	elac_chain_close(reader);
	elac_chain_reverse(blocks, chain->npages);
	*nblocks = chain->npages;
	return blocks;
}

/* Reads the next block of page `number` of chain id, if it is still that. */
static bool
elac_chain_try_page(Relation index, uint64 id, BlockNumber block, uint32 number, BlockNumber *next)
{
	Buffer		buffer;
	Page		page;
	bool		good;

	if (block >= RelationGetNumberOfBlocks(index))
		return false;
	buffer = ReadBuffer(index, block);
	page = BufferGetPage(buffer);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	good = elac_page_is_valid(page, ELAC_PAGE_CHAIN, true, NULL) &&
		ElacPageGetTail(page)->owner == id &&
		ElacPageGetTail(page)->number == number &&
		ElacPageGetUsed(page) >= ELAC_CHAIN_HEADER;
	if (good)
		*next = elac_get_u32(ElacPageGetData(page));
	UnlockReleaseBuffer(buffer);
	return good;
}

BlockNumber *
elac_chain_retired(Relation index, uint64 id, BlockNumber head, uint32 *nblocks)
{
	uint32		size = 64;
	uint32		used = 0;
	BlockNumber *blocks = palloc(size * sizeof(BlockNumber));
	BlockNumber next;

	/* Numbers rise along the chain, so it cannot come back to a page seen. */
	for (BlockNumber block = head; block != InvalidBlockNumber; block = next)
	{
		CHECK_FOR_INTERRUPTS();
		if (!elac_chain_try_page(index, id, block, used, &next))
			break;
		if (used == size)
		{
			size *= 2;
			blocks = repalloc_huge(blocks, mul_size(size, sizeof(BlockNumber)));
		}
		blocks[used++] = block;
	}
	elac_chain_reverse(blocks, used);
	*nblocks = used;
	return blocks;
}
