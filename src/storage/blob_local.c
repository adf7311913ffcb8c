/*
 * blob_local.c
 *	  Blobs in pages of the index: the map, reading, prefetching, checking.
 *
 * Pages of a blob are immutable from publication until they are freed, and on
 * a primary they are freed only when no snapshot can reach them: after one
 * check under the share lock a pin is enough to read them.  A reader remembers
 * in which buffers it found checked pages: while a buffer still holds that
 * block, neither the buffer table nor the page's tail is looked at again.  In
 * recovery redo asks nobody, so a page is copied under the share lock and its
 * owner and number are compared.  Checksums of payload pages are compared by
 * verification alone; MAP pages are small and compared whenever they are read.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "compat.h"
#include "errors.h"
#include "storage/blob_internal.h"

/* Buffers that a reader remembers: 4 bytes each. */
#define ELAC_LOCAL_RECENT_MAX (1 << 18)

/* Pages that one declaration asks the kernel to read ahead. */
#define ELAC_LOCAL_PREFETCH_MAX 1024

/*
 * Of so many pins of pages seen, one goes through the buffer table all the
 * same: only that tells the buffer manager that the page is in use.
 */
#define ELAC_LOCAL_TOUCH 16

/* One MAP page, copied. */
typedef struct ElacMapPage
{
	BlockNumber next;
	uint32		count;
	ElacExtent	extents[ELAC_MAP_EXTENTS];
} ElacMapPage;

/* Takes a checked MAP page apart; returns what is wrong with it, or NULL. */
static const char *
elac_local_decode_map(Page page, ElacMapPage *map)
{
	const uint8 *data = ElacPageGetData(page);
	uint32		used = ElacPageGetUsed(page);

	if (used < ELAC_MAP_HEADER)
		return "the map page is too short";
	map->next = elac_get_u32(data);
	map->count = elac_get_u32(data + 4);
	if (map->count == 0 || map->count > ELAC_MAP_EXTENTS ||
		used != ELAC_MAP_HEADER + map->count * sizeof(ElacExtent))
		return "the map page's number of extents does not suit its size";
	memcpy(map->extents, data + ELAC_MAP_HEADER, map->count * sizeof(ElacExtent));
	for (uint32 i = 0; i < map->count; i++)
	{
		const ElacExtent *extent = &map->extents[i];

		if (extent->count == 0 || extent->start == 0 ||
			(uint64) extent->start + extent->count > MaxBlockNumber)
			return "the map page has an impossible extent";
	}
	return NULL;
}

/* Reads MAP page `number` of blob id at block; raises. */
static void
elac_local_read_map(Relation index, uint64 id, BlockNumber block, uint32 number,
					BlockNumber *nblocks, ElacMapPage *map)
{
	Buffer		buffer = elac_page_buffer(index, block, nblocks, NULL);
	Page		page = BufferGetPage(buffer);
	const char *why;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	elac_page_check_owned(index, block, page, ELAC_PAGE_MAP, id, number, true);
	why = elac_local_decode_map(page, map);
	UnlockReleaseBuffer(buffer);
	if (why != NULL)
		elac_corrupted(RelationGetRelationName(index), "Block %u: %s.", block, why);
}

/* Appends the extents of a MAP page to the reader's. */
static void
elac_local_add_extents(ElacBlobReader *reader, const ElacMapPage *map, uint32 *size, uint64 *npages)
{
	uint32		needed = reader->nextents + map->count;

	if (needed > *size)
	{
		uint32		grown = Max(needed, *size * 2);

		if (reader->extents == NULL)
		{
			reader->extents = palloc(mul_size(grown, sizeof(ElacExtent)));
			reader->firsts = palloc(mul_size(grown, sizeof(uint32)));
		}
		else
		{
			reader->extents = repalloc_huge(reader->extents, mul_size(grown, sizeof(ElacExtent)));
			reader->firsts = repalloc_huge(reader->firsts, mul_size(grown, sizeof(uint32)));
		}
		*size = grown;
	}
	for (uint32 i = 0; i < map->count; i++)
	{
		reader->extents[reader->nextents] = map->extents[i];
		reader->firsts[reader->nextents] = (uint32) *npages;
		reader->nextents++;
		*npages += map->extents[i].count;
		if (*npages > reader->ref.npages)
			elac_corrupted(reader->name, "The map of blob " UINT64_FORMAT " lists more than its %u pages.",
						   reader->ref.id, reader->ref.npages);
	}
}

void
elac_local_open(ElacBlobReader *reader)
{
	BlockNumber block = reader->ref.map;
	uint32		size = 0;
	uint64		npages = 0;
	ElacMapPage map;

	/* Each MAP page adds a page at least, and more than npages are refused. */
	for (uint32 number = 0; npages < reader->ref.npages; number++)
	{
		CHECK_FOR_INTERRUPTS();
		if (block == InvalidBlockNumber)
			elac_corrupted(reader->name, "The map of blob " UINT64_FORMAT " lists " UINT64_FORMAT " of %u pages.",
						   reader->ref.id, npages, reader->ref.npages);
		elac_local_read_map(reader->index, reader->ref.id, block, number, &reader->nblocks, &map);
		elac_local_add_extents(reader, &map, &size, &npages);
		block = map.next;
	}
	if (block != InvalidBlockNumber)
		elac_corrupted(reader->name, "The map of blob " UINT64_FORMAT " goes on after its last page.",
					   reader->ref.id);
}

/* Block of a logical page; the page is below npages. */
static BlockNumber
elac_local_block(ElacBlobReader *reader, uint32 page)
{
	uint32		at = reader->last_extent;
	uint32		low = 0;
	uint32		high = reader->nextents;	/* the extent wanted is in [low, high) */

	Assert(page < reader->ref.npages);
	if (page < reader->firsts[at] || page - reader->firsts[at] >= reader->extents[at].count)
	{
		while (high - low > 1)
		{
			uint32		middle = low + (high - low) / 2;

			if (reader->firsts[middle] <= page)
				low = middle;
			else
				high = middle;
		}
		at = low;
		reader->last_extent = at;
	}
	return reader->extents[at].start + (page - reader->firsts[at]);
}

void
elac_local_prefetch(ElacBlobReader *reader, uint32 first, uint32 last)
{
#ifdef USE_PREFETCH
	if (effective_io_concurrency == 0)
		return;
	last = Min(last, first + (ELAC_LOCAL_PREFETCH_MAX - 1));
	for (uint32 page = first; page <= last; page++)
	{
		BlockNumber block = elac_local_block(reader, page);

		if (block >= reader->nblocks)
			reader->nblocks = RelationGetNumberOfBlocks(reader->index);

		/* Reading the page will say what is wrong with it. */
		if (block < reader->nblocks)
			PrefetchBuffer(reader->index, MAIN_FORKNUM, block);
	}
#endif
}

/* Raises unless page, locked by the caller, is logical page `number` of the blob. */
static void
elac_local_check(ElacBlobReader *reader, BlockNumber block, Page page, uint32 number, bool check_crc)
{
	elac_page_check_owned(reader->index, block, page, ELAC_PAGE_BLOB, reader->ref.id, number, check_crc);
	if (ElacPageGetUsed(page) != elac_blob_page_bytes(&reader->ref, number))
		elac_corrupted(reader->name, "Block %u: the page has %u bytes and should have %u.",
					   block, ElacPageGetUsed(page), elac_blob_page_bytes(&reader->ref, number));
}

/* Pinned and share-locked buffer of a logical page, checked. */
static Buffer
elac_local_buffer(ElacBlobReader *reader, uint32 page, bool check_crc)
{
	BlockNumber block = elac_local_block(reader, page);
	Buffer		buffer = elac_page_buffer(reader->index, block, &reader->nblocks, reader->strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	elac_local_check(reader, block, BufferGetPage(buffer), page, check_crc);
	return buffer;
}

/*
 * Pinned buffer of a logical page that has been checked; not in recovery.  A
 * buffer holds the page looked for when it holds its block: the block is this
 * blob's for as long as the manifest that the caller reads names the blob.
 */
static Buffer
elac_local_recent(ElacBlobReader *reader, uint32 page)
{
	Buffer	   *recent;
	Buffer		buffer;

	if (reader->recent == NULL)
	{
		uint32		size = 64;

		while (size < reader->ref.npages && size < ELAC_LOCAL_RECENT_MAX)
			size *= 2;
		reader->recent_mask = size - 1;
		reader->recent = MemoryContextAllocZero(reader->context, size * sizeof(Buffer));
	}
	recent = &reader->recent[page & reader->recent_mask];
	if (*recent != InvalidBuffer && ++reader->pins % ELAC_LOCAL_TOUCH != 0 &&
		elac_read_recent_buffer(reader->index, elac_local_block(reader, page), *recent))
		return *recent;
	buffer = elac_local_buffer(reader, page, false);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	*recent = buffer;
	return buffer;
}

void
elac_local_copy(ElacBlobReader *reader, uint32 page, uint32 offset, uint8 *dst, uint32 len)
{
	bool		vanishes = elac_page_may_vanish() || reader->strategy != NULL;
	Buffer		buffer = vanishes ? elac_local_buffer(reader, page, false) : elac_local_recent(reader, page);

	memcpy(dst, ElacPageGetData(BufferGetPage(buffer)) + offset, len);
	if (vanishes)
		UnlockReleaseBuffer(buffer);
	else
		ReleaseBuffer(buffer);
}

const uint8 *
elac_local_pin(ElacBlobReader *reader, uint32 page, ElacBlobPin *pin)
{
	if (elac_page_may_vanish())
	{
		pin->copy = palloc(ELAC_PAGE_DATA);
		elac_local_copy(reader, page, 0, pin->copy, elac_blob_page_bytes(&reader->ref, page));
		return pin->copy;
	}
	pin->buffer = elac_local_recent(reader, page);
	return ElacPageGetData(BufferGetPage(pin->buffer));
}

void
elac_local_verify(ElacBlobReader *reader)
{
	reader->strategy = GetAccessStrategy(BAS_BULKREAD);
	for (uint32 page = 0; page < reader->ref.npages; page++)
	{
		CHECK_FOR_INTERRUPTS();
		UnlockReleaseBuffer(elac_local_buffer(reader, page, true));
	}
	FreeAccessStrategy(reader->strategy);
	reader->strategy = NULL;
}

/* ---- which blocks: for freeing ---- */

/* A list of blocks that grows. */
typedef struct ElacBlockList
{
	BlockNumber *blocks;
	uint32		used;
	uint32		size;
} ElacBlockList;

static void
elac_local_list_blocks(ElacBlockList *list, BlockNumber first, uint32 count)
{
	if ((uint64) list->used + count > UINT32_MAX)
		elog(ERROR, "too many blocks in one blob");
	if (list->used + count > list->size)
	{
		list->size = (uint32) Min(Max((uint64) list->size * 2, (uint64) list->used + count), UINT32_MAX);
		if (list->blocks == NULL)
			list->blocks = palloc_extended(mul_size(list->size, sizeof(BlockNumber)), MCXT_ALLOC_HUGE);
		else
			list->blocks = repalloc_huge(list->blocks, mul_size(list->size, sizeof(BlockNumber)));
	}
	for (uint32 i = 0; i < count; i++)
		list->blocks[list->used++] = first + i;
}

/* Appends the MAP pages to the blocks they list, last one first. */
static BlockNumber *
elac_local_join_lists(ElacBlockList *pages, const ElacBlockList *maps, uint32 *nblocks)
{
	for (uint32 i = maps->used; i-- > 0;)
		elac_local_list_blocks(pages, maps->blocks[i], 1);
	if (maps->blocks != NULL)
		pfree(maps->blocks);
	*nblocks = pages->used;
	return pages->blocks != NULL ? pages->blocks : palloc(sizeof(BlockNumber));
}

BlockNumber *
elac_blob_blocks(Relation index, const ElacBlobRef *ref, uint32 *nblocks)
{
	ElacBlockList pages = {NULL, 0, 0};
	ElacBlockList maps = {NULL, 0, 0};
	BlockNumber block;
	ElacBlobReader *reader;
	ElacMapPage map;

	if (ref->home != ELAC_HOME_LOCAL)
	{
		*nblocks = 0;
		return palloc(sizeof(BlockNumber));
	}
	reader = elac_blob_open(index, ref, NULL, NULL);
	for (uint32 i = 0; i < reader->nextents; i++)
		elac_local_list_blocks(&pages, reader->extents[i].start, reader->extents[i].count);

	/* Opening has found this chain to be sound and finite. */
	block = ref->map;
	for (uint32 number = 0; block != InvalidBlockNumber; number++)
	{
		elac_local_list_blocks(&maps, block, 1);
		elac_local_read_map(index, ref->id, block, number, &reader->nblocks, &map);
		block = map.next;
	}
	elac_blob_close(reader);
	return elac_local_join_lists(&pages, &maps, nblocks);
}

/* Reads a MAP page if it is still blob id's page `number`. */
static bool
elac_local_try_map(Relation index, uint64 id, BlockNumber block, uint32 number, ElacMapPage *map)
{
	Buffer		buffer;
	Page		page;
	bool		good;

	if (block >= RelationGetNumberOfBlocks(index))
		return false;
	buffer = ReadBuffer(index, block);
	page = BufferGetPage(buffer);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	good = elac_page_is_valid(page, ELAC_PAGE_MAP, true, NULL) &&
		ElacPageGetTail(page)->owner == id &&
		ElacPageGetTail(page)->number == number &&
		elac_local_decode_map(page, map) == NULL;
	UnlockReleaseBuffer(buffer);
	return good;
}

BlockNumber *
elac_blob_retired(Relation index, uint64 id, BlockNumber map_block, uint32 *nblocks)
{
	ElacBlockList pages = {NULL, 0, 0};
	ElacBlockList maps = {NULL, 0, 0};
	BlockNumber size = RelationGetNumberOfBlocks(index);
	BlockNumber block = map_block;
	ElacMapPage map;

	/* Numbers rise along the chain, so it cannot come back to a page seen. */
	for (uint32 number = 0; block != InvalidBlockNumber; number++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!elac_local_try_map(index, id, block, number, &map))
			break;
		for (uint32 i = 0; i < map.count; i++)
		{
			/* What a damaged map may claim is bounded by the file. */
			if ((uint64) map.extents[i].start + map.extents[i].count <= size &&
				pages.used + (uint64) map.extents[i].count <= size)
				elac_local_list_blocks(&pages, map.extents[i].start, map.extents[i].count);
		}
		elac_local_list_blocks(&maps, block, 1);
		block = map.next;
	}
	return elac_local_join_lists(&pages, &maps, nblocks);
}
