/*
 * bulkdelete.c
 *	  VACUUM's deletes: clears live bits of segments, marks rows of the delta.
 *
 * Holds the maintenance lock: the set of segments stands still and merges do
 * not run meanwhile, so no row is missed because it moved, and none is seen
 * twice.  The price is that VACUUM waits for a running merge; the wait can be
 * interrupted.  Rows inserted meanwhile are not looked at: what VACUUM wants
 * to be rid of was in the index before it began.
 */
#include "postgres.h"

#include "access/genam.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "lsm/delta_mark.h"
#include "lsm/lane_reader.h"
#include "lsm/lsm.h"

#define DELAY_ROWS 1024			/* rows between looks at vacuum_cost_delay */

typedef struct BulkDelete
{
	ElacSnapshot *snapshot;
	IndexBulkDeleteCallback callback;
	void	   *state;
	IndexBulkDeleteResult *stats;
	uint32		nrows;			/* looked at */
} BulkDelete;

/* Asks VACUUM about one row and counts the answer. */
static bool
bulkdelete_is_dead(BulkDelete *work, ItemPointer tid)
{
	if (++work->nrows % DELAY_ROWS == 0)
		elac_vacuum_delay_point();
	if (work->callback(tid, work->state))
	{
		work->stats->tuples_removed++;
		return true;
	}
	work->stats->num_index_tuples++;
	return false;
}

/* Neither codebook nor store: the docmap is in the head. */
static void
bulkdelete_segment(BulkDelete *work, int i)
{
	Relation	index = work->snapshot->index;
	const ElacSegmentRef *ref = &work->snapshot->manifest->segments[i];
	ElacSegment *segment = elac_segment_open(index, work->snapshot->type, ref, NULL, NULL, NULL);
	uint32		ndead;
	uint32		n = 0;
	ElacBitmap *live = elac_live_read(index, ref, &ndead);
	ItemPointerData *tids = elac_segment_tids(segment);
	ElacDoc    *dead = MemoryContextAllocHuge(CurrentMemoryContext, (Size) ref->ndocs * sizeof(ElacDoc));

	for (ElacDoc doc = 0; doc < ref->ndocs; doc++)
		if (elac_bitmap_get(live, doc) && bulkdelete_is_dead(work, &tids[doc]))
			dead[n++] = doc;
	if (n > 0)
		elac_live_clear(index, ref, dead, n);
	elac_segment_close(segment);
}

static void
bulkdelete_lane(BulkDelete *work, const ElacLane *lane, int number)
{
	Relation	index = work->snapshot->index;
	ElacLaneReader *reader = elac_lane_reader_begin(index, work->snapshot->type, lane);
	ElacDeltaRecord record;

	while (elac_lane_reader_next(reader, &record))
	{
		if (record.attrs != NULL)
			pfree(record.attrs);
		if ((record.header.flags & ELAC_DELTA_DEAD) == 0 && bulkdelete_is_dead(work, &record.header.tid))
			elac_delta_mark_dead(index, number, lane->docs.id, record.pos);
	}
	elac_lane_reader_end(reader);
}

void
elac_lsm_bulkdelete(ElacJob *job, IndexBulkDeleteCallback callback, void *state, IndexBulkDeleteResult *stats)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym bulkdelete", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BulkDelete	work = {0};

	elac_maintenance_lock(job->index, true);
	work.snapshot = elac_snapshot_take(job->index);
	work.callback = callback;
	work.state = state;
	work.stats = stats;
	for (int i = 0; i < work.snapshot->nsegments; i++)
	{
		MemoryContext segment_context = AllocSetContextCreate(context, "elacsym bulkdelete segment",
															  ALLOCSET_DEFAULT_SIZES);

		MemoryContextSwitchTo(segment_context);
		bulkdelete_segment(&work, i);
		MemoryContextSwitchTo(context);
		MemoryContextDelete(segment_context);
	}
	for (uint32 i = 0; i < work.snapshot->manifest->nfrozen; i++)
		bulkdelete_lane(&work, &work.snapshot->manifest->frozen[i], ELAC_LANE_FROZEN);
	for (int i = 0; i < ELAC_LANES; i++)
		bulkdelete_lane(&work, &work.snapshot->lanes[i], i);
	elac_snapshot_release(work.snapshot);
	elac_maintenance_unlock(job->index);
	stats->num_pages = RelationGetNumberOfBlocks(job->index);
	stats->estimated_count = false;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
