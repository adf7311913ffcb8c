/*
 * delta_mark.c
 *	  Marks a row of the delta dead, in place.
 *
 * One byte of a docs record changes, under the chain page's exclusive lock, in
 * one WAL record with the lane page (or the manifest's page of a frozen lane),
 * which counts the dead: by that number readers know whether what they have
 * kept of a lane is still true.  Everything else in a chain is append-only.
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/bytes.h"
#include "errors.h"
#include "lsm/delta_format.h"
#include "lsm/delta_mark.h"
#include "lsm/manifest.h"
#include "storage/pagelog.h"

#define CHAIN_PAGE_HEADER 8		/* next block and zero, see storage/chain.h */

/*
 * The page on which the record at *pos begins, locked exclusively; a position
 * at the end of a page means the beginning of the next one.
 */
static Buffer
mark_lock_page(Relation index, uint64 docs_id, ElacChainPos *pos)
{
	for (int hop = 0; hop < 2 && pos->block != InvalidBlockNumber; hop++)
	{
		Buffer		buffer = ReadBuffer(index, pos->block);
		Page		page = BufferGetPage(buffer);

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		elac_page_check(index, pos->block, page, ELAC_PAGE_CHAIN, true);
		if (ElacPageGetTail(page)->owner != docs_id || ElacPageGetUsed(page) < CHAIN_PAGE_HEADER)
			break;
		if (pos->offset < ElacPageGetUsed(page))
			return buffer;
		pos->block = elac_get_u32(ElacPageGetData(page));
		pos->offset = CHAIN_PAGE_HEADER;
		UnlockReleaseBuffer(buffer);
	}
	elac_corrupted(RelationGetRelationName(index),
				   "A row of the delta chain " UINT64_FORMAT " was not found again at block %u.", docs_id, pos->block);
}

static void
mark_set(Page image, ElacChainPos pos)
{
	ElacPageGetData(image)[pos.offset] |= ELAC_DELTA_DEAD;
}

static void
mark_in_lane(Relation index, int number, uint64 docs_id, ElacChainPos pos)
{
	Buffer		lane_buffer = ReadBuffer(index, ELAC_LANE_BLOCK + number);
	Buffer		buffer;
	ElacLane	lane;
	ElacPageLog log;
	Page		image;

	LockBuffer(lane_buffer, BUFFER_LOCK_EXCLUSIVE);
	elac_lane_get(index, number, BufferGetPage(lane_buffer), &lane);
	if (lane.docs.id != docs_id)
		elog(ERROR, "lane %d has another chain than " UINT64_FORMAT, number, docs_id);
	buffer = mark_lock_page(index, docs_id, &pos);
	lane.ndead++;
	elac_pagelog_begin(&log, index);
	image = elac_pagelog_page(&log, lane_buffer, false);
	elac_lane_put(image, &lane);
	mark_set(elac_pagelog_page(&log, buffer, false), pos);
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(lane_buffer);
}

static void
mark_in_frozen(Relation index, uint64 docs_id, ElacChainPos pos)
{
	ElacManifest *manifest;
	ElacManifestChange *change;
	Buffer		buffer;
	uint32		i = 0;

	/* no page may be read while the manifest is locked: this one is now in memory and pinned */
	buffer = mark_lock_page(index, docs_id, &pos);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	change = elac_manifest_begin(index, &manifest);
	while (i < manifest->nfrozen && manifest->frozen[i].docs.id != docs_id)
		i++;
	if (i == manifest->nfrozen)
		elog(ERROR, "frozen lane " UINT64_FORMAT " is not in the manifest", docs_id);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	manifest->frozen[i].ndead++;
	mark_set(elac_manifest_add_page(change, buffer), pos);
	elac_manifest_commit(change);
	UnlockReleaseBuffer(buffer);
}

void
elac_delta_mark_dead(Relation index, int number, uint64 docs_id, ElacChainPos pos)
{
	if (number == ELAC_LANE_FROZEN)
		mark_in_frozen(index, docs_id, pos);
	else
		mark_in_lane(index, number, docs_id, pos);
}
