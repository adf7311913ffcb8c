/*
 * publish.c
 *	  Changes of the set of segments.
 *
 * Owns the meaning of a change: what comes, what goes, and that whatever goes
 * is put on the list of retired pages in the same WAL record.  Callers hold the
 * maintenance lock; everything that a publish names is on disk (WAL-logged)
 * before it.
 *
 * The xid of a retirement is read while block 1 is locked: whoever copied the
 * manifest before has a snapshot that began before, so its xmin is not later.
 *
 *	          elac_publish_rotation        elac_publish_segments
 *	 live lane ------------------> frozen ----------------------> retired
 *	                                       elac_publish_segments
 *	 written segment -> live segment ----------------------------> retired
 *	                                       elac_retire_list
 *	 retired -----------------------------------------------------> free pages
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "lsm/lsm.h"
#include "lsm/publish.h"

/* ---- retirement ---- */

static void
publish_retire(ElacManifest *manifest, ElacPageKind kind, uint64 owner, BlockNumber first, uint32 ndocs)
{
	uint64		xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	ElacRetired *retired;

	/* No room: the pages are found by a sweep, once that xid is old enough. */
	if (manifest->nretired >= ELAC_MAX_RETIRED)
	{
		manifest->sweep_xid = Max(manifest->sweep_xid, xid);
		return;
	}
	retired = &manifest->retired[manifest->nretired++];
	retired->owner = owner;
	retired->xid = xid;
	retired->first = first;
	retired->ndocs = ndocs;
	retired->kind = kind;
	retired->reserved = 0;
}

static void
publish_retire_blob(ElacManifest *manifest, const ElacBlobRef *ref)
{
	if (ref->home == ELAC_HOME_LOCAL && ref->npages > 0)
		publish_retire(manifest, ELAC_PAGE_MAP, ref->id, ref->map, 0);
}

static void
publish_retire_chain(ElacManifest *manifest, const ElacChain *chain)
{
	if (chain->npages > 0)
		publish_retire(manifest, ELAC_PAGE_CHAIN, chain->id, chain->head, 0);
}

/* ---- segments ---- */

static void
publish_remove_segment(ElacManifest *manifest, uint64 id)
{
	for (uint32 i = 0; i < manifest->nsegments; i++)
	{
		const ElacSegmentRef ref = manifest->segments[i];

		if (ref.id != id)
			continue;
		publish_retire_blob(manifest, &ref.head);
		publish_retire_blob(manifest, &ref.body);
		publish_retire(manifest, ELAC_PAGE_LIVE, ref.id + 2, ref.live, ref.ndocs);
		manifest->nsegments--;
		memmove(&manifest->segments[i], &manifest->segments[i + 1],
				(manifest->nsegments - i) * sizeof(ElacSegmentRef));
		memset(&manifest->segments[manifest->nsegments], 0, sizeof(ElacSegmentRef));
		return;
	}
	elog(ERROR, "segment " UINT64_FORMAT " is not in the manifest", id);
}

static void
publish_remove_frozen(ElacManifest *manifest, uint64 id)
{
	for (uint32 i = 0; i < manifest->nfrozen; i++)
	{
		const ElacLane lane = manifest->frozen[i];

		if (lane.docs.id != id)
			continue;
		publish_retire_chain(manifest, &lane.docs);
		publish_retire_chain(manifest, &lane.vectors);
		publish_retire_chain(manifest, &lane.texts);
		manifest->nfrozen--;
		memmove(&manifest->frozen[i], &manifest->frozen[i + 1], (manifest->nfrozen - i) * sizeof(ElacLane));
		memset(&manifest->frozen[manifest->nfrozen], 0, sizeof(ElacLane));
		return;
	}
	elog(ERROR, "frozen lane " UINT64_FORMAT " is not in the manifest", id);
}

/* A store that no segment lies in is forgotten. */
static void
publish_forget_store(ElacManifest *manifest)
{
	for (uint32 i = 0; i < manifest->nsegments; i++)
		if (manifest->segments[i].body.home == ELAC_HOME_REMOTE)
			return;
	memset(manifest->store, 0, sizeof(manifest->store));
	memset(manifest->store_uuid, 0, sizeof(manifest->store_uuid));
}

static void
publish_name_store(ElacManifest *manifest, const char *store)
{
	memset(manifest->store, 0, sizeof(manifest->store));
	strlcpy(manifest->store, store, sizeof(manifest->store));
}

void
elac_publish_segments(Relation index, const ElacPublish *publish)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);

	for (int i = 0; i < publish->nremoved; i++)
		publish_remove_segment(manifest, publish->removed[i]);
	for (int i = 0; i < publish->nfrozen; i++)
		publish_remove_frozen(manifest, publish->frozen[i]);
	if (publish->codebook != NULL)
	{
		if (manifest->codebook.id != 0)
			publish_retire_blob(manifest, &manifest->codebook);
		manifest->codebook = *publish->codebook;
		manifest->rows_trained = publish->rows_trained;
		if (!publish->derived)
			manifest->rows_since = 0;
	}
	else
		manifest->rows_since += publish->rows_new;
	if (manifest->nsegments + publish->nadded > ELAC_MAX_SEGMENTS)
	{
		elac_manifest_abort(change);
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" has too many segments", RelationGetRelationName(index)),
				 errdetail("An index has %d segments at most.", ELAC_MAX_SEGMENTS),
				 errhint("Run elacsym_compact() on the index.")));
	}
	for (int i = 0; i < publish->nadded; i++)
		manifest->segments[manifest->nsegments++] = publish->added[i];
	publish_forget_store(manifest);
	elac_manifest_commit(change);
}

void
elac_publish_body(Relation index, uint64 segment, const ElacBlobRef *body, const char *store, const uint8 *store_uuid)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);
	uint32		i = 0;

	while (i < manifest->nsegments && manifest->segments[i].id != segment)
		i++;
	if (i == manifest->nsegments)
		elog(ERROR, "segment " UINT64_FORMAT " is not in the manifest", segment);
	publish_retire_blob(manifest, &manifest->segments[i].body);
	manifest->segments[i].body = *body;
	if (body->home == ELAC_HOME_REMOTE)
	{
		publish_name_store(manifest, store);
		memcpy(manifest->store_uuid, store_uuid, sizeof(manifest->store_uuid));
	}
	else
		publish_forget_store(manifest);
	elac_manifest_commit(change);
}

void
elac_publish_store_name(Relation index, const char *store)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);

	publish_name_store(manifest, store);
	elac_manifest_commit(change);
}

void
elac_lsm_publish_build(Relation index, const ElacBlobRef *codebook, uint64 rows_trained,
					   const ElacSegmentRef *segments, int nsegments)
{
	ElacPublish publish = {0};

	publish.nadded = nsegments;
	publish.added = segments;
	publish.codebook = codebook;
	publish.rows_trained = rows_trained;
	elac_publish_segments(index, &publish);
}

/* ---- rotation ---- */

bool
elac_publish_rotation(Relation index, int number)
{
	Buffer		buffer = ReadBuffer(index, ELAC_LANE_BLOCK + number);
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);
	ElacLane	lane;
	bool		rotate;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	elac_lane_get(index, number, BufferGetPage(buffer), &lane);
	rotate = lane.ndocs > 0 && manifest->nfrozen < ELAC_MAX_FROZEN;
	if (rotate)
	{
		Page		image = elac_manifest_add_page(change, buffer);

		manifest->frozen[manifest->nfrozen++] = lane;
		elac_lane_init(&lane, lane.generation + 1, manifest->next_id);
		manifest->next_id += ELAC_LANE_IDS;
		elac_lane_put(image, &lane);
		elac_manifest_commit(change);
	}
	else
		elac_manifest_abort(change);
	UnlockReleaseBuffer(buffer);
	return rotate;
}

/* ---- pages that may be left behind ---- */

void
elac_building_begin(Relation index, ElacBuilding *building)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);

	building->was_due = manifest->sweep_xid != 0;
	if (!building->was_due)
		manifest->sweep_xid = ELAC_SWEEP_NOW;
	elac_manifest_commit(change);
}

/* A publish may have raised sweep_xid meanwhile (publish_retire): that stays. */
void
elac_building_end(Relation index, const ElacBuilding *building)
{
	ElacManifest *manifest;
	ElacManifestChange *change;

	if (building->was_due)
		return;
	change = elac_manifest_begin(index, &manifest);
	if (manifest->sweep_xid == ELAC_SWEEP_NOW)
		manifest->sweep_xid = 0;
	elac_manifest_commit(change);
}
