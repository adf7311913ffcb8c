/*
 * manifest_check.c
 *	  Validation of manifest and lanes, before use and before writing.
 *
 * Works on copies in memory, takes no locks, never raises.  It looks at the
 * struct alone: whether the pages it points at are what it says is checked by
 * their readers.
 */
#include "postgres.h"

#include "lsm/manifest_check.h"

#define FIRST_FREE_BLOCK (ELAC_LANE_BLOCK + ELAC_LANES)

/* Ids seen so far: at most codebook, reservoir, 3 a segment, 3 a lane, 1 a retired entry. */
typedef struct IdSet
{
	int			n;
	uint64		ids[2 + ELAC_MAX_SEGMENTS * 3 + (ELAC_MAX_FROZEN + ELAC_LANES) * 3 + ELAC_MAX_RETIRED];
} IdSet;

static bool
manifest_block_ok(BlockNumber block, BlockNumber nblocks)
{
	return block >= FIRST_FREE_BLOCK && block < nblocks;
}

static const char *
chain_fault(const ElacChain *chain, const char *what, BlockNumber nblocks)
{
	if (chain->id == 0)
		return psprintf("the %s chain has no id", what);
	if (chain->head == InvalidBlockNumber)
	{
		if (chain->tail != InvalidBlockNumber || chain->npages != 0 || chain->tail_used != 0)
			return psprintf("the empty %s chain " UINT64_FORMAT " has pages", what, chain->id);
		return NULL;
	}
	if (!manifest_block_ok(chain->head, nblocks) || !manifest_block_ok(chain->tail, nblocks))
		return psprintf("the %s chain " UINT64_FORMAT " begins at block %u and ends at block %u",
						what, chain->id, chain->head, chain->tail);
	if (chain->npages == 0 || chain->npages > nblocks || chain->tail_used > ELAC_PAGE_DATA ||
		(chain->npages == 1) != (chain->head == chain->tail))
		return psprintf("the %s chain " UINT64_FORMAT " has %u pages and %u bytes in the last",
						what, chain->id, chain->npages, chain->tail_used);
	return NULL;
}

const char *
elac_lane_fault(const ElacLane *lane, BlockNumber nblocks)
{
	const char *fault = chain_fault(&lane->docs, "docs", nblocks);

	if (fault == NULL)
		fault = chain_fault(&lane->vectors, "vectors", nblocks);
	if (fault == NULL)
		fault = chain_fault(&lane->texts, "texts", nblocks);
	if (fault != NULL)
		return fault;
	if (lane->generation == 0)
		return "a lane has no generation";
	if (lane->ndead > lane->ndocs)
		return psprintf("a lane counts %u rows and %u dead ones", lane->ndocs, lane->ndead);
	if ((lane->ndocs == 0) != (lane->docs.head == InvalidBlockNumber) ||
		(uint64) lane->ndocs > (uint64) lane->docs.npages * ELAC_PAGE_DATA)
		return psprintf("a lane counts %u rows in %u pages", lane->ndocs, lane->docs.npages);
	return NULL;
}

static const char *
blob_fault(const ElacBlobRef *ref, bool may_be_remote, BlockNumber nblocks)
{
	static const uint8 no_object[16] = {0};

	if (ref->id == 0)
		return "a blob has no id";
	if (ref->npages != ref->nbytes / ELAC_PAGE_DATA + (ref->nbytes % ELAC_PAGE_DATA != 0))
		return psprintf("blob " UINT64_FORMAT " has " UINT64_FORMAT " bytes in %u pages",
						ref->id, ref->nbytes, ref->npages);
	if (ref->home == ELAC_HOME_LOCAL)
	{
		if (memcmp(ref->object, no_object, sizeof(no_object)) != 0)
			return psprintf("local blob " UINT64_FORMAT " names an object", ref->id);
		if (ref->npages > 0 && (!manifest_block_ok(ref->map, nblocks) || ref->npages > nblocks))
			return psprintf("local blob " UINT64_FORMAT " has %u pages and its map at block %u",
							ref->id, ref->npages, ref->map);
		if (ref->npages == 0 && ref->map != InvalidBlockNumber && !manifest_block_ok(ref->map, nblocks))
			return psprintf("empty blob " UINT64_FORMAT " has its map at block %u", ref->id, ref->map);
		return NULL;
	}
	if (ref->home == ELAC_HOME_REMOTE && may_be_remote)
		return NULL;
	return psprintf("blob " UINT64_FORMAT " has home %u", ref->id, ref->home);
}

static const char *
segment_fault(const ElacManifest *manifest, const ElacSegmentRef *ref, BlockNumber nblocks)
{
	const char *fault = blob_fault(&ref->head, false, nblocks);

	if (fault == NULL)
		fault = blob_fault(&ref->body, true, nblocks);
	if (fault != NULL)
		return fault;
	if (ref->id != ref->head.id || ref->head.npages == 0)
		return psprintf("segment " UINT64_FORMAT " has head " UINT64_FORMAT, ref->id, ref->head.id);
	if (ref->ndocs == 0 || ref->ndocs > PG_INT32_MAX)
		return psprintf("segment " UINT64_FORMAT " has %u documents", ref->id, ref->ndocs);
	if (!manifest_block_ok(ref->live, nblocks))
		return psprintf("segment " UINT64_FORMAT " has its live bitmap at block %u", ref->id, ref->live);
	if (ref->codebook != 0 && ref->codebook != manifest->codebook.id)
		return psprintf("segment " UINT64_FORMAT " has codebook " UINT64_FORMAT ", not " UINT64_FORMAT,
						ref->id, ref->codebook, manifest->codebook.id);
	if (ref->body.home == ELAC_HOME_REMOTE && manifest->store[0] == '\0')
		return psprintf("segment " UINT64_FORMAT " is remote but no store is named", ref->id);
	return NULL;
}

static const char *
retired_fault(const ElacRetired *retired, BlockNumber nblocks)
{
	if (retired->kind != ELAC_PAGE_MAP && retired->kind != ELAC_PAGE_CHAIN && retired->kind != ELAC_PAGE_LIVE)
		return psprintf("retired pages of " UINT64_FORMAT " have kind %u", retired->owner, retired->kind);
	if (!manifest_block_ok(retired->first, nblocks) || retired->reserved != 0 ||
		(retired->kind == ELAC_PAGE_LIVE) != (retired->ndocs > 0) || retired->ndocs > PG_INT32_MAX)
		return psprintf("retired pages of " UINT64_FORMAT " begin at block %u", retired->owner, retired->first);
	return NULL;
}

static void
ids_add_lane(IdSet *set, const ElacLane *lane)
{
	set->ids[set->n++] = lane->docs.id;
	set->ids[set->n++] = lane->vectors.id;
	set->ids[set->n++] = lane->texts.id;
}

static int
ids_compare(const void *a, const void *b)
{
	uint64		left = *(const uint64 *) a;
	uint64		right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

/* Every id at most once, and given out. */
static const char *
ids_fault(const ElacManifest *manifest, const ElacLane *lanes)
{
	IdSet		set;

	set.n = 0;
	if (manifest->codebook.id != 0)
		set.ids[set.n++] = manifest->codebook.id;
	if (manifest->reservoir_id != 0)
		set.ids[set.n++] = manifest->reservoir_id;
	for (uint32 i = 0; i < manifest->nsegments; i++)
	{
		set.ids[set.n++] = manifest->segments[i].id;
		set.ids[set.n++] = manifest->segments[i].body.id;
		set.ids[set.n++] = manifest->segments[i].id + 2;
	}
	for (uint32 i = 0; i < manifest->nfrozen; i++)
		ids_add_lane(&set, &manifest->frozen[i]);
	for (int i = 0; lanes != NULL && i < ELAC_LANES; i++)
		ids_add_lane(&set, &lanes[i]);
	for (uint32 i = 0; i < manifest->nretired; i++)
		set.ids[set.n++] = manifest->retired[i].owner;

	qsort(set.ids, set.n, sizeof(uint64), ids_compare);
	for (int i = 0; i < set.n; i++)
	{
		if (set.ids[i] == 0 || set.ids[i] >= manifest->next_id)
			return psprintf("id " UINT64_FORMAT " was never given out", set.ids[i]);
		if (i > 0 && set.ids[i] == set.ids[i - 1])
			return psprintf("id " UINT64_FORMAT " has two owners", set.ids[i]);
	}
	return NULL;
}

const char *
elac_manifest_fault(const ElacManifest *manifest, const ElacLane *lanes, BlockNumber nblocks)
{
	const char *fault;

	if (manifest->version != ELAC_MANIFEST_VERSION)
		return psprintf("version %u is not one that this version of elacsym reads", manifest->version);
	if (manifest->nsegments > ELAC_MAX_SEGMENTS || manifest->nfrozen > ELAC_MAX_FROZEN ||
		manifest->nretired > ELAC_MAX_RETIRED || manifest->generation == 0)
		return psprintf("%u segments, %u frozen lanes and %u retired runs are not possible",
						manifest->nsegments, manifest->nfrozen, manifest->nretired);
	if (memchr(manifest->store, '\0', NAMEDATALEN) == NULL)
		return "the store's name does not end";
	if (manifest->codebook.id != 0 && (fault = blob_fault(&manifest->codebook, false, nblocks)) != NULL)
		return fault;
	if (manifest->reserved != 0 || (manifest->reservoir_id != 0
									? !manifest_block_ok(manifest->reservoir_root, nblocks) : manifest->reservoir_root != 0))
		return psprintf("the sample of queries begins at block %u", manifest->reservoir_root);
	if ((fault = elac_calibration_fault(&manifest->calibration)) != NULL)
		return fault;
	for (uint32 i = 0; i < manifest->nsegments; i++)
	{
		fault = segment_fault(manifest, &manifest->segments[i], nblocks);
		if (fault != NULL)
			return fault;
	}
	for (uint32 i = 0; i < manifest->nfrozen; i++)
	{
		fault = elac_lane_fault(&manifest->frozen[i], nblocks);
		if (fault != NULL)
			return fault;
		if (manifest->frozen[i].ndocs == 0)
			return "a frozen lane is empty";
	}
	for (int i = 0; lanes != NULL && i < ELAC_LANES; i++)
	{
		fault = elac_lane_fault(&lanes[i], nblocks);
		if (fault != NULL)
			return fault;
	}
	for (uint32 i = 0; i < manifest->nretired; i++)
	{
		fault = retired_fault(&manifest->retired[i], nblocks);
		if (fault != NULL)
			return fault;
	}
	return ids_fault(manifest, lanes);
}
