/*
 * retire.c
 *	  Frees what no snapshot can read any more: pages on the manifest's list of
 *	  retired runs, and pages that nothing refers to.
 *
 * Owns the way from retired to free.  Holds the maintenance lock throughout,
 * so no job is writing pages or reading retired ones; queries are kept safe by
 * the horizon of the heap (publish.c).
 *
 * A run's entry is removed before its pages are freed: between the two the
 * index is marked (elac_building_begin), and a crash there, as one in the
 * middle of a flush or merge, leaves pages that the next elac_lsm_retire()
 * sweeps.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "lsm/lsm.h"
#include "lsm/publish.h"
#include "lsm/retire.h"
#include "storage/freepages.h"

/*
 * Whether no snapshot is old enough to need what was retired at xid.  The
 * horizon of temporary tables leaves out this session's own snapshots, which
 * may have an open cursor: for them the widest one decides.
 */
static bool
retire_removable(ElacJob *job, uint64 xid)
{
	Relation	heap = job->heap;

	if (job->unshared)
		return true;
	if (RelationUsesLocalBuffers(heap))
		heap = NULL;
	return GlobalVisCheckRemovableFullXid(heap, FullTransactionIdFromU64(xid));
}

/* ---- the list ---- */

/* Blocks of a retired run, palloc'd. */
static BlockNumber *
retire_blocks(Relation index, const ElacRetired *retired, uint32 *nblocks)
{
	ElacSegmentRef ref;

	if (retired->kind == ELAC_PAGE_MAP)
		return elac_blob_retired(index, retired->owner, retired->first, nblocks);
	if (retired->kind == ELAC_PAGE_CHAIN)
		return elac_chain_retired(index, retired->owner, retired->first, nblocks);
	memset(&ref, 0, sizeof(ref));
	ref.id = retired->owner - 2;
	ref.ndocs = retired->ndocs;
	ref.live = retired->first;
	return elac_live_retired(index, &ref, nblocks);
}

/* Takes one run off the list, then frees its pages; returns how many. */
static uint64
retire_run(Relation index, const ElacRetired *run)
{
	ElacManifest *manifest;
	ElacManifestChange *change;
	uint32		nblocks;
	BlockNumber *blocks = retire_blocks(index, run, &nblocks);
	uint32		i = 0;

	change = elac_manifest_begin(index, &manifest);
	while (i < manifest->nretired && manifest->retired[i].owner != run->owner)
		i++;
	if (i == manifest->nretired)
		elog(ERROR, "retired run " UINT64_FORMAT " is not in the manifest", run->owner);
	manifest->nretired--;
	memmove(&manifest->retired[i], &manifest->retired[i + 1], (manifest->nretired - i) * sizeof(ElacRetired));
	memset(&manifest->retired[manifest->nretired], 0, sizeof(ElacRetired));
	elac_manifest_commit(change);
	elac_freespace_release(index, blocks, nblocks, run->owner);
	if (blocks != NULL)
		pfree(blocks);
	return nblocks;
}

uint64
elac_retire_list(ElacJob *job)
{
	ElacManifest *manifest = elac_manifest_read(job->index);
	ElacBuilding building;
	uint64		freed = 0;
	bool		begun = false;

	for (uint32 i = 0; i < manifest->nretired; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!retire_removable(job, manifest->retired[i].xid))
			continue;
		if (!begun)
			elac_building_begin(job->index, &building);
		begun = true;
		freed += retire_run(job->index, &manifest->retired[i]);
	}
	if (begun)
	{
		elac_building_end(job->index, &building);
		elac_freespace_vacuum(job->index);
	}
	pfree(manifest);
	return freed;
}

/* ---- the sweep ---- */

typedef struct SweepCandidate
{
	uint64		owner;
	BlockNumber block;
} SweepCandidate;

typedef struct Sweep
{
	Relation	index;
	uint64		next_id;		/* ids from here on were given out since it began */
	int			nowners;
	uint64	   *owners;			/* ids in use, ascending */
	Size		ncandidates;
	Size		size;
	SweepCandidate *candidates;
} Sweep;

static int
sweep_compare_id(const void *a, const void *b)
{
	uint64		left = *(const uint64 *) a;
	uint64		right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

static int
sweep_compare_candidate(const void *a, const void *b)
{
	const SweepCandidate *left = a;
	const SweepCandidate *right = b;

	if (left->owner != right->owner)
		return left->owner < right->owner ? -1 : 1;
	return left->block < right->block ? -1 : left->block > right->block;
}

/* Every id that manifest and lanes refer to. */
static void
sweep_collect_owners(Sweep *sweep)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = elac_manifest_read_with_lanes(sweep->index, lanes);
	uint64	   *owners = palloc((2 + 3 * ELAC_MAX_SEGMENTS + 3 * (ELAC_MAX_FROZEN + ELAC_LANES) + ELAC_MAX_RETIRED) *
								sizeof(uint64));
	int			n = 0;

	owners[n++] = manifest->codebook.id;
	owners[n++] = manifest->reservoir_id;
	for (uint32 i = 0; i < manifest->nsegments; i++)
	{
		owners[n++] = manifest->segments[i].id;
		owners[n++] = manifest->segments[i].body.id;
		owners[n++] = manifest->segments[i].id + 2;
	}
	for (uint32 i = 0; i < manifest->nfrozen + ELAC_LANES; i++)
	{
		const ElacLane *lane = i < manifest->nfrozen ? &manifest->frozen[i] : &lanes[i - manifest->nfrozen];

		owners[n++] = lane->docs.id;
		owners[n++] = lane->vectors.id;
		owners[n++] = lane->texts.id;
	}
	for (uint32 i = 0; i < manifest->nretired; i++)
		owners[n++] = manifest->retired[i].owner;
	qsort(owners, n, sizeof(uint64), sweep_compare_id);
	sweep->next_id = manifest->next_id;
	sweep->owners = owners;
	sweep->nowners = n;
	pfree(manifest);
}

static void
sweep_add(Sweep *sweep, uint64 owner, BlockNumber block)
{
	if (sweep->ncandidates == sweep->size)
	{
		sweep->size = Max(sweep->size * 2, 1024);
		if (sweep->candidates == NULL)
			sweep->candidates = palloc_extended(sweep->size * sizeof(SweepCandidate), MCXT_ALLOC_HUGE);
		else
			sweep->candidates = repalloc_huge(sweep->candidates, sweep->size * sizeof(SweepCandidate));
	}
	sweep->candidates[sweep->ncandidates].owner = owner;
	sweep->candidates[sweep->ncandidates].block = block;
	sweep->ncandidates++;
}

/*
 * Looks at one page.  Free ones are entered into the free space map again,
 * which is not WAL-logged and may have forgotten them; whoever takes a block
 * from the map looks at it anew.
 */
static void
sweep_page(Sweep *sweep, BlockNumber block, BufferAccessStrategy strategy)
{
	Buffer		buffer = ReadBufferExtended(sweep->index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	Page		page = BufferGetPage(buffer);
	ElacPageTail tail;
	bool		is_new;
	bool		is_ours;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	is_new = PageIsNew(page);
	is_ours = !is_new && elac_page_is_ours(page, true, NULL);
	if (is_ours)
		tail = *ElacPageGetTail(page);
	UnlockReleaseBuffer(buffer);

	if (is_new || (is_ours && tail.kind == ELAC_PAGE_FREE))
		RecordFreeIndexPage(sweep->index, block);
	else if (is_ours && tail.owner != 0 && tail.owner < sweep->next_id &&
			 bsearch(&tail.owner, sweep->owners, sweep->nowners, sizeof(uint64), sweep_compare_id) == NULL)
		sweep_add(sweep, tail.owner, block);
}

/* Frees the candidates, owner by owner. */
static uint64
sweep_release(Sweep *sweep)
{
	BlockNumber *blocks;
	Size		i = 0;

	if (sweep->ncandidates == 0)
		return 0;
	qsort(sweep->candidates, sweep->ncandidates, sizeof(SweepCandidate), sweep_compare_candidate);
	blocks = palloc_extended(sweep->ncandidates * sizeof(BlockNumber), MCXT_ALLOC_HUGE);
	while (i < sweep->ncandidates)
	{
		uint64		owner = sweep->candidates[i].owner;
		uint32		n = 0;

		while (i < sweep->ncandidates && sweep->candidates[i].owner == owner)
			blocks[n++] = sweep->candidates[i++].block;
		elac_freespace_release(sweep->index, blocks, n, owner);
	}
	pfree(blocks);
	return sweep->ncandidates;
}

/*
 * Lanes keep their ids while the maintenance lock is held, and everything
 * given out from now on is >= next_id: what is found to have no owner has none.
 */
static uint64
sweep_index(Relation index)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym sweep", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	Sweep		sweep = {0};
	BlockNumber nblocks = RelationGetNumberOfBlocks(index);
	uint64		freed;

	sweep.index = index;
	sweep_collect_owners(&sweep);
	for (BlockNumber block = ELAC_LANE_BLOCK + ELAC_LANES; block < nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		sweep_page(&sweep, block, strategy);
	}
	freed = sweep_release(&sweep);
	elac_freespace_vacuum(index);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return freed;
}

/*
 * Sweeps unless pages that overflowed the retired list may still be read, and
 * takes the mark back.
 */
static uint64
retire_sweep(ElacJob *job)
{
	uint64		due = elac_retire_sweep_due(job);
	ElacManifest *manifest;
	ElacManifestChange *change;
	uint64		freed;

	if (due != 0 && !retire_removable(job, due))
		return 0;
	freed = sweep_index(job->index);
	if (due != 0)
	{
		change = elac_manifest_begin(job->index, &manifest);
		manifest->sweep_xid = 0;
		elac_manifest_commit(change);
	}
	return freed;
}

uint64
elac_retire_sweep_due(ElacJob *job)
{
	ElacManifest *manifest = elac_manifest_read(job->index);
	uint64		due = manifest->sweep_xid;

	pfree(manifest);
	return due;
}

/* ---- jobs ---- */

uint64
elac_lsm_retire(ElacJob *job)
{
	uint64		freed;

	elac_maintenance_lock(job->index, true);
	freed = elac_retire_list(job);
	if (!job->no_sweep && elac_retire_sweep_due(job) != 0)
		freed += retire_sweep(job);
	elac_maintenance_unlock(job->index);
	return freed;
}

uint64
elac_lsm_sweep(ElacJob *job)
{
	uint64		freed;

	elac_maintenance_lock(job->index, true);
	freed = retire_sweep(job);
	elac_maintenance_unlock(job->index);
	return freed;
}
