/*
 * lsm_verify.c
 *	  The deep check behind elacsym_verify().
 *
 * Reads everything: every page of the index, manifest and lanes, codebook,
 * every row of the delta, every section of every segment (objects included).
 * Changes nothing.  Raises on the first fault.  Holds the maintenance lock
 * (not in recovery, where nobody but replay changes anything and a page that
 * was recycled meanwhile raises a retryable error).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"

#include "compat.h"
#include "errors.h"
#include "lsm/lane_reader.h"
#include "lsm/lsm.h"
#include "lsm/reservoir.h"
#include "lsm/snapshot_store.h"

typedef struct Verify
{
	ElacSnapshot *snapshot;
	const char *name;			/* of the index */
	Tuplesortstate *blocks;		/* int8: every block that something owns */
	Tuplesortstate *tids;		/* int8: every live row */
} Verify;

/* ---- pages ---- */

/*
 * Every page is empty or has the form and the checksum of its kind; fixed
 * kinds lie at fixed blocks and nowhere else.
 */
static void
verify_pages(Verify *verify)
{
	Relation	index = verify->snapshot->index;
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	BlockNumber nblocks = RelationGetNumberOfBlocks(index);

	for (BlockNumber block = 0; block < nblocks; block++)
	{
		Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
		PGAlignedBlock copy;
		const char *why = NULL;
		uint16		kind;
		bool		fixed;

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		if (PageIsNew(copy.data) && block >= ELAC_LANE_BLOCK + ELAC_LANES)
			continue;
		if (!elac_page_is_ours(copy.data, true, &why))
			elac_corrupted(verify->name, "Block %u: %s.", block, why);
		kind = ElacPageGetTail(copy.data)->kind;
		fixed = kind == ELAC_PAGE_META || kind == ELAC_PAGE_MANIFEST || kind == ELAC_PAGE_LANE;
		if (kind < ELAC_PAGE_FREE || kind > ELAC_PAGE_SAMPLE || fixed != (block < ELAC_LANE_BLOCK + ELAC_LANES))
			elac_corrupted(verify->name, "Block %u has kind %u.", block, kind);
		if ((kind == ELAC_PAGE_FREE || fixed) != (ElacPageGetTail(copy.data)->owner == 0))
			elac_corrupted(verify->name, "Block %u of kind %u has owner " UINT64_FORMAT ".",
						   block, kind, ElacPageGetTail(copy.data)->owner);
	}
	FreeAccessStrategy(strategy);
}

/* ---- what must be there once ---- */

static Tuplesortstate *
verify_sort_begin(void)
{
	return tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, maintenance_work_mem, NULL,
								 TUPLESORT_NONE);
}

static void
verify_sort_add(Tuplesortstate *sort, int64 value)
{
	tuplesort_putdatum(sort, Int64GetDatum(value), false);
}

/* The first value that comes twice, or -1. */
static int64
verify_sort_twice(Tuplesortstate *sort)
{
	int64		last = -1;
	int64		twice = -1;
	Datum		value;
	bool		isnull;

	tuplesort_performsort(sort);
	while (twice < 0 && elac_tuplesort_getdatum(sort, &value, &isnull))
	{
		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt64(value) == last)
			twice = last;
		last = DatumGetInt64(value);
	}
	tuplesort_end(sort);
	return twice;
}

static void
verify_add_tid(Verify *verify, ItemPointer tid)
{
	verify_sort_add(verify->tids, ((int64) ItemPointerGetBlockNumber(tid) << 16) | ItemPointerGetOffsetNumber(tid));
}

static void
verify_add_blocks(Verify *verify, BlockNumber *blocks, uint32 nblocks)
{
	for (uint32 i = 0; i < nblocks; i++)
		verify_sort_add(verify->blocks, blocks[i]);
	if (blocks != NULL)
		pfree(blocks);
}

static void
verify_add_blob(Verify *verify, const ElacBlobRef *ref)
{
	uint32		nblocks;
	BlockNumber *blocks;

	if (ref->home != ELAC_HOME_LOCAL || ref->npages == 0)
		return;
	blocks = elac_blob_blocks(verify->snapshot->index, ref, &nblocks);
	verify_add_blocks(verify, blocks, nblocks);
}

static void
verify_add_chain(Verify *verify, const ElacChain *chain)
{
	uint32		nblocks;
	BlockNumber *blocks;

	if (chain->npages == 0)
		return;
	blocks = elac_chain_blocks(verify->snapshot->index, chain, &nblocks);
	verify_add_blocks(verify, blocks, nblocks);
}

/* ---- parts ---- */

static void
verify_segment(Verify *verify, int i)
{
	ElacSnapshot *snapshot = verify->snapshot;
	const ElacSegmentRef *ref = &snapshot->manifest->segments[i];
	ElacSegment *segment = elac_snapshot_segment(snapshot, i);
	ElacStore  *store = ref->body.home == ELAC_HOME_REMOTE ? elac_snapshot_store(snapshot) : NULL;
	ItemPointerData *tids;
	ElacBitmap *live;
	BlockNumber *blocks;
	uint32		nblocks;
	uint32		ndead;

	elac_blob_verify(snapshot->index, &ref->head, NULL, NULL);
	elac_blob_verify(snapshot->index, &ref->body, store, snapshot->key_prefix);
	elac_segment_verify(segment);
	verify_add_blob(verify, &ref->head);
	verify_add_blob(verify, &ref->body);
	blocks = elac_live_blocks(snapshot->index, ref, &nblocks);
	verify_add_blocks(verify, blocks, nblocks);

	live = elac_live_read(snapshot->index, ref, &ndead);
	tids = elac_segment_tids(segment);
	if (elac_bitmap_count(live) != ref->ndocs - ndead)
		elac_corrupted(verify->name, "Segment " UINT64_FORMAT " counts %u dead documents of %u, but %u are alive.",
					   ref->id, ndead, ref->ndocs, elac_bitmap_count(live));
	for (ElacDoc doc = 0; doc < ref->ndocs; doc++)
		if (elac_bitmap_get(live, doc))
			verify_add_tid(verify, &tids[doc]);
}

/* Every row parses, to the last value; the chains are as long as they say. */
static void
verify_lane(Verify *verify, const ElacLane *lane, MemoryContext row_context)
{
	ElacLaneReader *reader = elac_lane_reader_begin(verify->snapshot->index, verify->snapshot->type, lane);
	MemoryContext old = MemoryContextSwitchTo(row_context);
	ElacDeltaRecord record;

	while (elac_lane_reader_next(reader, &record))
	{
		ElacRow		row;

		elac_lane_reader_row(reader, &record, &row);
		MemoryContextReset(row_context);
		if ((record.header.flags & ELAC_DELTA_DEAD) == 0)
			verify_add_tid(verify, &row.tid);
	}
	MemoryContextSwitchTo(old);
	elac_lane_reader_end(reader);
	verify_add_chain(verify, &lane->docs);
	verify_add_chain(verify, &lane->vectors);
	verify_add_chain(verify, &lane->texts);
}

static void
verify_reservoir(Verify *verify)
{
	ElacSnapshot *snapshot = verify->snapshot;
	uint32		nblocks;
	BlockNumber *blocks = elac_reservoir_blocks(snapshot->index, snapshot->manifest, &nblocks);

	verify_add_blocks(verify, blocks, nblocks);
}

/* Retired runs are not looked into, but nobody else may use their blocks. */
static void
verify_retired(Verify *verify, const ElacRetired *retired)
{
	Relation	index = verify->snapshot->index;
	ElacSegmentRef ref;
	BlockNumber *blocks;
	uint32		nblocks;

	if (retired->kind == ELAC_PAGE_MAP)
		blocks = elac_blob_retired(index, retired->owner, retired->first, &nblocks);
	else if (retired->kind == ELAC_PAGE_CHAIN)
		blocks = elac_chain_retired(index, retired->owner, retired->first, &nblocks);
	else
	{
		memset(&ref, 0, sizeof(ref));
		ref.id = retired->owner - 2;
		ref.ndocs = retired->ndocs;
		ref.live = retired->first;
		blocks = elac_live_blocks(index, &ref, &nblocks);
	}
	verify_add_blocks(verify, blocks, nblocks);
}

static void
verify_parts(Verify *verify, MemoryContext row_context)
{
	const ElacManifest *manifest = verify->snapshot->manifest;

	if (manifest->codebook.id != 0)
	{
		elac_blob_verify(verify->snapshot->index, &manifest->codebook, NULL, NULL);
		elac_codebook_get(verify->snapshot, manifest->codebook.id);
		verify_add_blob(verify, &manifest->codebook);
	}
	for (int i = 0; i < verify->snapshot->nsegments; i++)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym verify segment",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);

		verify_segment(verify, i);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
	}
	for (uint32 i = 0; i < manifest->nfrozen; i++)
		verify_lane(verify, &manifest->frozen[i], row_context);
	for (int i = 0; i < ELAC_LANES; i++)
		verify_lane(verify, &verify->snapshot->lanes[i], row_context);
	for (uint32 i = 0; i < manifest->nretired; i++)
		verify_retired(verify, &manifest->retired[i]);
}

void
elac_lsm_verify(ElacJob *job)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym verify", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MemoryContext row_context = AllocSetContextCreate(context, "elacsym verify row", ALLOCSET_DEFAULT_SIZES);
	bool		lock = !RecoveryInProgress();
	Verify		verify;
	int64		twice;

	if (lock)
		elac_maintenance_lock(job->index, true);
	elac_metapage_verify(job->index);
	verify.snapshot = elac_snapshot_take(job->index);
	verify.name = RelationGetRelationName(job->index);
	verify.blocks = verify_sort_begin();
	verify.tids = verify_sort_begin();
	verify_pages(&verify);
	verify_parts(&verify, row_context);

	verify_reservoir(&verify);
	twice = verify_sort_twice(verify.blocks);
	if (twice >= 0)
		elac_corrupted(verify.name, "Block " INT64_FORMAT " is used twice.", twice);
	twice = verify_sort_twice(verify.tids);
	if (twice >= 0)
		elac_corrupted(verify.name, "Row (%u,%u) of the table is in the index twice.",
					   (uint32) (twice >> 16), (uint32) (twice & 0xFFFF));
	elac_snapshot_release(verify.snapshot);
	if (lock)
		elac_maintenance_unlock(job->index);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
