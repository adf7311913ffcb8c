/*
 * visible.c
 *	  Which of the rows found need not be looked at in the heap, since every
 *	  snapshot sees them.
 *
 * The visibility map has a bit for each page of the table, set by VACUUM when
 * everything on it is visible to everybody.  Asking the index and asking the
 * map are two moments, and between them VACUUM may take a row out of the index,
 * give its line pointer free and set the page's bit, or somebody may put a new
 * row on a page whose bit was set.  So the order of reads is what makes it
 * right:
 *
 *	 A	which rows there are: copies of the manifest and of the lanes' heads
 *		(elac_snapshot_share())
 *	 M	the map's bits of these rows' pages (elac_visible_ask())
 *	 L	which rows are alive: the live bits of each segment
 *	 B	that no row can have been taken out elsewhere: each segment is still in
 *		the manifest, each lane has still as many dead rows (elac_visible_split())
 *
 * A row that is in the copies of A, alive in those of L, and whose page's bit
 * was set at M is visible to every snapshot that there is, for:
 *
 *	 - Its tuple was on the page at A, since the heap has a row before its index.
 *	 - Its line pointer was not given free before L.  VACUUM gives it free after
 *	   ambulkdelete() has taken the row out of the index, and then either the
 *	   live bit is cleared, or the lane has one dead row more, or (after a merge
 *	   or a flush) the row was taken out of another segment than that of A, which
 *	   is not in the manifest any more: B notices the last two.  Merges and
 *	   flushes cannot overlook what is taken out meanwhile: they and
 *	   ambulkdelete() exclude each other by the maintenance lock.
 *	 - So at M the line pointer was that of the row, on a page whose bit was set.
 *	   Such a page has no dead line pointers, and each chain of HOT updates on it
 *	   one member, which everybody sees: that one is the row.
 *
 * Were the map asked after L, a row taken out and its line pointer given free
 * between L and M would be counted; were it asked before A, a row put on the
 * page between M and A would be, though no snapshot of today sees it.
 *
 * A bit that says that everybody sees the rows of a page says so of our
 * snapshot, too: VACUUM sets it by a horizon that our snapshot holds back or
 * comes after, and whoever changed a row of the page, and committed before our
 * snapshot was taken, has cleared the bit before.  All this is so on a standby:
 * changes come in the WAL's order, and the record that sets a bit carries the
 * xid by which sessions with older snapshots are cancelled.
 *
 * The process keeps copies from query to query, but none that spoils L: of
 * filters it keeps what is true of a segment whether rows are alive or not
 * (filter_cache.c), and live bits are used again when the counter of dead rows,
 * read anew at L, is that of the copy (lsm/index_cache.c).  Dead rows of a lane
 * are as many as the lane's head says, which is of A and which B compares.
 *
 * Serializable transactions lock the pages before they ask for their bits: who
 * changes a row later finds the lock, who did so before has cleared the bit.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

#include "query/exec.h"

/* The map is copied when there is a row to ask for in so many pages; else it is asked row by row. */
#define COPY_PAGES_PER_ROW 8

/* The map's bits while rows are asked for. */
typedef struct VisibleMap
{
	Relation	heap;
	Snapshot	snapshot;
	bool		lock_pages;		/* the transaction is serializable */
	Buffer		buffer;			/* page of the map */
	ElacBitmap *copy;			/* NULL: asked page by page */
	BlockNumber last;			/* page asked for last ... */
	bool		last_visible;	/* ... and its bit */
} VisibleMap;

/*
 * Is every page all-visible?  The bits first, then the number of pages: a page
 * that came between may not stand in for one whose bit is not set.
 */
static bool
visible_is_whole(Relation heap)
{
	BlockNumber all_visible;

	visibilitymap_count(heap, &all_visible, NULL);
	return all_visible >= RelationGetNumberOfBlocks(heap);
}

static bool
visible_page(VisibleMap *map, BlockNumber block)
{
	return (visibilitymap_get_status(map->heap, block, &map->buffer) & VISIBILITYMAP_ALL_VISIBLE) != 0;
}

static void
visible_copy(VisibleMap *map)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(map->heap);

	map->copy = elac_source_bitmap(nblocks);
	for (BlockNumber block = 0; block < nblocks; block++)
	{
		if (block % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (visible_page(map, block))
			elac_bitmap_set(map->copy, block);
	}
}

/* The bit of a row's page. */
static inline bool
visible_row(VisibleMap *map, BlockNumber block)
{
	if (map->copy != NULL)
		return block < map->copy->nbits && elac_bitmap_get(map->copy, block);
	if (block != map->last)
	{
		if (map->lock_pages)
			PredicateLockPage(map->heap, block, map->snapshot);
		map->last_visible = visible_page(map, block);
		map->last = block;
	}
	return map->last_visible;
}

/* Notes the rows of 64 documents (those of a word of passing) whose page's bit is not set. */
static void
visible_ask_word(ElacScan *scan, ElacSource *source, uint64 rows, ElacDoc first, const ItemPointerData *tids,
				 VisibleMap *map)
{
	for (; rows != 0; rows &= rows - 1)
	{
		int			bit = pg_rightmost_one_pos64(rows);
		ItemPointerData tid;

		if (tids == NULL)
			elac_source_tid(scan, source, first + bit, &tid);
		else
			tid = tids[bit];
		if (visible_row(map, ItemPointerGetBlockNumberNoCheck(&tid)))
			continue;
		if (source->unsure == NULL)
			source->unsure = elac_source_bitmap(source->ndocs);
		elac_bitmap_set(source->unsure, first + bit);
	}
}

static void
visible_ask_source(ElacScan *scan, ElacSource *source, const ElacBitmap *passing, VisibleMap *map)
{
	StaticAssertStmt(ELAC_SOURCE_WINDOW % 64 == 0, "windows are whole words");
	for (ElacDoc first = 0; first < source->ndocs;)
	{
		ElacDoc		last = source->ndocs - first > ELAC_SOURCE_WINDOW ? first + ELAC_SOURCE_WINDOW : source->ndocs;
		const ItemPointerData *tids;

		CHECK_FOR_INTERRUPTS();
		if (elac_bitmap_any(passing, first, last))
		{
			tids = elac_source_window(scan, source, passing, first);
			for (ElacDoc doc = first; doc < last; doc += Min(64, last - doc))
				visible_ask_word(scan, source, passing->words[doc / 64], doc, tids == NULL ? NULL : tids + (doc - first),
								 map);
		}
		first = last;
	}
}

void
elac_visible_ask(ElacScan *scan, ElacBitmap **passing)
{
	VisibleMap	map = {0};
	uint64		nrows = 0;

	map.heap = scan->query.heap;
	map.snapshot = scan->query.snapshot;
	map.buffer = InvalidBuffer;
	map.last = InvalidBlockNumber;
	map.lock_pages = IsolationIsSerializable();

	/* what the map says is about the server's own tables */
	if (map.heap->rd_tableam != GetHeapamTableAmRoutine())
		return;
	scan->has_map = true;
	if (!map.lock_pages && visible_is_whole(map.heap))
		return;
	for (int i = 0; i < scan->nsources; i++)
		nrows += elac_bitmap_count(passing[i]);
	if (!map.lock_pages && nrows > RelationGetNumberOfBlocks(map.heap) / COPY_PAGES_PER_ROW)
		visible_copy(&map);
	for (int i = 0; i < scan->nsources; i++)
		visible_ask_source(scan, &scan->sources[i], passing[i], &map);
	if (BufferIsValid(map.buffer))
		ReleaseBuffer(map.buffer);
}

/* Is a segment of the scan's snapshot in the manifest now? */
static bool
visible_has_segment(const ElacSnapshot *now, const ElacSegmentRef *ref)
{
	for (uint32 i = 0; i < now->manifest->nsegments; i++)
		if (now->manifest->segments[i].id == ref->id)
			return true;
	return false;
}

static bool
visible_is_same_lane(const ElacLane *lane, const ElacLane *other)
{
	return lane->docs.id == other->docs.id && lane->ndead == other->ndead;
}

/* Is a lane of the scan's snapshot there now, frozen or not, with no more dead rows? */
static bool
visible_has_lane(const ElacSnapshot *now, const ElacLane *lane)
{
	if (lane->ndocs == 0)
		return true;
	for (uint32 i = 0; i < now->manifest->nfrozen; i++)
		if (visible_is_same_lane(lane, &now->manifest->frozen[i]))
			return true;
	for (int i = 0; i < ELAC_LANES; i++)
		if (visible_is_same_lane(lane, &now->lanes[i]))
			return true;
	return false;
}

static bool
visible_has_delta(const ElacSnapshot *now, const ElacSnapshot *then)
{
	for (uint32 i = 0; i < then->manifest->nfrozen; i++)
		if (!visible_has_lane(now, &then->manifest->frozen[i]))
			return false;
	for (int i = 0; i < ELAC_LANES; i++)
		if (!visible_has_lane(now, &then->lanes[i]))
			return false;
	return true;
}

void
elac_visible_split(ElacScan *scan, ElacBitmap **passing)
{
	ElacSnapshot *now;

	if (!scan->has_map)
		return;
	now = elac_snapshot_share(scan->query.index);
	for (int i = 0; i < scan->nsources; i++)
	{
		ElacSource *source = &scan->sources[i];
		uint32		nrows;

		/* rows of what is gone by now are looked at in the heap, all of them */
		if (source->segment != NULL ? !visible_has_segment(now, elac_segment_ref(source->segment))
			: !visible_has_delta(now, scan->snapshot))
			continue;
		nrows = elac_bitmap_count(passing[i]);
		if (source->unsure != NULL)
			elac_bitmap_and(passing[i], source->unsure);
		else
			elac_bitmap_zero(passing[i]);
		scan->nvisible += nrows - elac_bitmap_count(passing[i]);
	}
	elac_snapshot_release(now);
}
