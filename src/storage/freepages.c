/*
 * freepages.c
 *	  Which blocks of an index may be used for something new.
 *
 * Owns the transition between FREE pages and pages in use, in both
 * directions:
 *
 *	  end of file --elac_freespace_extend--> new page (all zero)
 *	  new or FREE page --elac_freespace_get, caller's WAL record--> in use
 *	  in use --elac_freespace_release--> FREE
 *
 * The server's free space map is a hint: not WAL-logged, possibly stale after
 * a crash or on a promoted standby.  Whether nobody can read a page any more
 * is for the caller of elac_freespace_release() to know.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"

#include "compat.h"
#include "storage/freepages.h"
#include "storage/pagelog.h"

/* The caller holds the exclusive lock on the page. */
static bool
elac_freespace_is_free(Page page)
{
	return PageIsNew(page) || elac_page_is_valid(page, ELAC_PAGE_FREE, false, NULL);
}

Buffer
elac_freespace_extend(Relation index, ForkNumber fork)
{
	for (;;)
	{
		Buffer		buffer = elac_extend_relation(index, fork);

		/*
		 * Before PostgreSQL 16 there is a moment in which the page exists and
		 * is not locked: whoever looks for new pages may have found it, entered
		 * it into the map, and somebody may have taken it from there.
		 */
		if (PageIsNew(BufferGetPage(buffer)))
			return buffer;
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
	}
}

Buffer
elac_freespace_get(Relation index)
{
	BlockNumber block;

	/* The map forgets what it hands out, so this ends. */
	while ((block = GetFreeIndexPage(index)) != InvalidBlockNumber)
	{
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();

		/* A map older than the file can name blocks that are not there. */
		if (block >= RelationGetNumberOfBlocks(index))
			continue;
		buffer = ReadBuffer(index, block);

		/* Somebody else was given the same block: it is not free for long. */
		if (ConditionalLockBuffer(buffer))
		{
			if (elac_freespace_is_free(BufferGetPage(buffer)))
				return buffer;
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		}
		ReleaseBuffer(buffer);
	}
	return elac_freespace_extend(index, MAIN_FORKNUM);
}

/* Whether page may be freed for owner; the caller holds the exclusive lock. */
static bool
elac_freespace_belongs(Page page, uint64 owner)
{
	if (!elac_page_is_ours(page, false, NULL) || ElacPageGetTail(page)->owner != owner)
		return false;
	switch ((ElacPageKind) ElacPageGetTail(page)->kind)
	{
		case ELAC_PAGE_CHAIN:
		case ELAC_PAGE_MAP:
		case ELAC_PAGE_BLOB:
		case ELAC_PAGE_LIVE:
		case ELAC_PAGE_SAMPLE:
			return true;
		case ELAC_PAGE_FREE:
		case ELAC_PAGE_META:
		case ELAC_PAGE_MANIFEST:
		case ELAC_PAGE_LANE:
			break;
	}
	return false;
}

/* Frees locked pages in one WAL record and enters them into the map. */
static void
elac_freespace_free(Relation index, Buffer *buffers, int nbuffers)
{
	BlockNumber blocks[ELAC_PAGELOG_MAX];
	ElacPageLog log;

	elac_pagelog_begin(&log, index);
	for (int i = 0; i < nbuffers; i++)
	{
		Page		page = elac_pagelog_page(&log, buffers[i], true);

		elac_page_init(page, ELAC_PAGE_FREE, 0, 0);
		blocks[i] = BufferGetBlockNumber(buffers[i]);
	}
	elac_pagelog_commit(&log);
	for (int i = 0; i < nbuffers; i++)
		UnlockReleaseBuffer(buffers[i]);
	for (int i = 0; i < nbuffers; i++)
		RecordFreeIndexPage(index, blocks[i]);
}

void
elac_freespace_release(Relation index, const BlockNumber *blocks, uint32 nblocks, uint64 owner)
{
	BlockNumber size = RelationGetNumberOfBlocks(index);
	Buffer		buffers[ELAC_PAGELOG_MAX];
	int			nbuffers = 0;

	if (owner == 0)
		elog(ERROR, "pages of index \"%s\" that nobody owns cannot be freed", RelationGetRelationName(index));
	for (uint32 i = 0; i < nblocks; i++)
	{
		bool		locked = false;
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();

		/* A damaged map can name a block twice: do not wait for ourselves. */
		for (int j = 0; j < nbuffers; j++)
			locked |= BufferGetBlockNumber(buffers[j]) == blocks[i];
		if (locked || blocks[i] >= size)
			continue;
		buffer = ReadBuffer(index, blocks[i]);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		if (!elac_freespace_belongs(BufferGetPage(buffer), owner))
		{
			UnlockReleaseBuffer(buffer);
			continue;
		}
		buffers[nbuffers++] = buffer;
		if (nbuffers == ELAC_PAGELOG_MAX)
		{
			elac_freespace_free(index, buffers, nbuffers);
			nbuffers = 0;
		}
	}
	if (nbuffers > 0)
		elac_freespace_free(index, buffers, nbuffers);
}

void
elac_freespace_vacuum(Relation index)
{
	IndexFreeSpaceMapVacuum(index);
}
