/*
 * delta_mark.c
 *	  Marks a row of the delta dead, in place.
 *
 * One byte of a docs record changes, under the chain page's exclusive lock and
 * in a WAL record of its own.  Everything else in a chain is append-only.
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/bytes.h"
#include "errors.h"
#include "lsm/delta_format.h"
#include "lsm/delta_mark.h"
#include "storage/pagelog.h"

#define CHAIN_PAGE_HEADER 8		/* next block and zero, see storage/chain.h */

void
elac_delta_mark_dead(Relation index, const ElacChain *docs, ElacChainPos pos)
{
	/* The record may begin on the page after the one that the reader stood on. */
	for (int hop = 0; hop < 2; hop++)
	{
		Buffer		buffer = ReadBuffer(index, pos.block);
		Page		page = BufferGetPage(buffer);
		ElacPageLog log;
		uint8	   *flags;

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		elac_page_check(index, pos.block, page, ELAC_PAGE_CHAIN, true);
		if (ElacPageGetTail(page)->owner != docs->id || ElacPageGetUsed(page) < CHAIN_PAGE_HEADER)
			break;
		if (pos.offset >= ElacPageGetUsed(page))
		{
			pos.block = elac_get_u32(ElacPageGetData(page));
			pos.offset = CHAIN_PAGE_HEADER;
			UnlockReleaseBuffer(buffer);
			if (pos.block == InvalidBlockNumber)
				break;
			continue;
		}
		elac_pagelog_begin(&log, index);
		flags = ElacPageGetData(elac_pagelog_page(&log, buffer, false)) + pos.offset;
		*flags |= ELAC_DELTA_DEAD;
		elac_pagelog_commit(&log);
		UnlockReleaseBuffer(buffer);
		return;
	}
	elac_corrupted(RelationGetRelationName(index),
				   "A row of the delta chain " UINT64_FORMAT " was not found again at block %u.", docs->id, pos.block);
}
