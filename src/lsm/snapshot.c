/*
 * snapshot.c
 *	  What one query or job reads: the manifest and the lanes as they were, the
 *	  row type, and the segments it opens.
 *
 * Takes no locks beyond the moment of copying.  A query's own transaction
 * snapshot, taken before, keeps the pages that the copy names from being
 * reused (publish.c); a job relies on the maintenance lock.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/codebook_cache.h"
#include "lsm/index_cache.h"
#include "lsm/lsm.h"
#include "lsm/snapshot_store.h"
#include "storage/metapage.h"

/* The public struct with what only this file needs around it. */
typedef struct SnapshotPrivate
{
	ElacSnapshot public;
	MemoryContext context;
	MemoryContextCallback callback;
	bool		owns_context;
	uint8		uuid[16];
	ElacCodebookEntry *codebook;	/* held; NULL until asked for */
	ElacIndexVersion *version;	/* held; NULL unless shared */
	ElacLiveBits **live;		/* of each segment, held; NULL until asked for */
} SnapshotPrivate;

/*
 * Runs when the snapshot is released or its context goes, after an error too.
 * Pins are then the resource owner's business; what is held in this process is
 * ours.
 */
static void
snapshot_forget(void *arg)
{
	SnapshotPrivate *private = arg;

	if (private->codebook != NULL)
		elac_codebook_unhold(private->codebook);
	private->codebook = NULL;
	if (private->version == NULL)
		return;
	for (int i = 0; i < private->public.nsegments; i++)
		if (private->live[i] != NULL)
			elac_index_cache_live_unhold(private->live[i]);
	elac_index_cache_unhold(private->version);
	private->version = NULL;
}

char *
elac_snapshot_key_prefix(const ElacManifest *manifest, const uint8 *uuid)
{
	char		hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
	return psprintf(UINT64_FORMAT "-%u/%s", manifest->system_identifier, manifest->epoch, hex);
}

/* In CurrentMemoryContext; forgets itself with it. */
static SnapshotPrivate *
snapshot_create(Relation index, const ElacMetapage *meta)
{
	SnapshotPrivate *private = palloc0(sizeof(SnapshotPrivate));

	private->context = CurrentMemoryContext;
	private->callback.func = snapshot_forget;
	private->callback.arg = private;
	MemoryContextRegisterResetCallback(private->context, &private->callback);
	memcpy(private->uuid, meta->uuid, sizeof(private->uuid));
	private->public.index = index;
	return private;
}

ElacSnapshot *
elac_snapshot_take(Relation index)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym snapshot", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	const ElacMetapage *meta = elac_metapage_get(index);
	SnapshotPrivate *private = snapshot_create(index, meta);
	ElacSnapshot *snapshot = &private->public;
	ElacSchema *schema = palloc(sizeof(ElacSchema));

	/* A copy: the metapage's goes with the relcache entry's. */
	*schema = meta->schema;
	private->owns_context = true;
	snapshot->manifest = elac_manifest_read_with_lanes(index, snapshot->lanes);
	snapshot->type = elac_row_type(index, schema);
	snapshot->nsegments = snapshot->manifest->nsegments;
	snapshot->segments = palloc0(Max(snapshot->nsegments, 1) * sizeof(ElacSegment *));
	snapshot->key_prefix = elac_snapshot_key_prefix(snapshot->manifest, private->uuid);
	MemoryContextSwitchTo(old);
	return snapshot;
}

ElacSnapshot *
elac_snapshot_share(Relation index)
{
	SnapshotPrivate *private = snapshot_create(index, elac_metapage_get(index));
	ElacSnapshot *snapshot = &private->public;
	ElacIndexVersion *version = elac_index_cache_hold(index, snapshot->lanes);

	/* from here on nothing fails before it can be forgotten */
	private->version = version;
	snapshot->manifest = elac_index_cache_manifest(version);
	snapshot->type = elac_index_cache_type(version);
	snapshot->segments = palloc0(Max(snapshot->manifest->nsegments, 1) * sizeof(ElacSegment *));
	private->live = palloc0(Max(snapshot->manifest->nsegments, 1) * sizeof(ElacLiveBits *));
	snapshot->nsegments = snapshot->manifest->nsegments;
	return snapshot;
}

/*
 * Opens the store that the manifest names, as the index's owner, and makes
 * sure that it is the one that the segments were written to.
 */
ElacStore *
elac_snapshot_store(ElacSnapshot *snapshot)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;
	const ElacManifest *manifest = snapshot->manifest;
	MemoryContext old;
	Oid			server;

	if (snapshot->store != NULL)
		return snapshot->store;
	server = get_foreign_server_oid(manifest->store, true);
	if (!OidIsValid(server))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", manifest->store),
				 errdetail("Segments of index \"%s\" lie in the store it named.",
						   RelationGetRelationName(snapshot->index)),
				 errhint("Create the server again, or name one that points at the same store with elacsym_offload().")));
	old = MemoryContextSwitchTo(private->context);
	snapshot->store = elac_store_open(server, snapshot->index->rd_rel->relowner, false);
	MemoryContextSwitchTo(old);
	if (memcmp(elac_store_uuid(snapshot->store), manifest->store_uuid, sizeof(manifest->store_uuid)) != 0)
	{
		snapshot->store = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" now points at another store", manifest->store),
				 errdetail("Segments of index \"%s\" lie in the store it pointed at before.",
						   RelationGetRelationName(snapshot->index)),
				 errhint("Set the server's options back with ALTER SERVER.")));
	}
	return snapshot->store;
}

const ElacCodebook *
elac_codebook_get(ElacSnapshot *snapshot, uint64 id)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;

	if (id == 0)
		return NULL;
	if (id != snapshot->manifest->codebook.id)
		elog(ERROR, "codebook " UINT64_FORMAT " is not in the manifest", id);
	if (private->codebook == NULL)
		private->codebook = elac_codebook_hold(snapshot->index, private->uuid, &snapshot->manifest->codebook);
	return elac_codebook_of(private->codebook);
}

static ElacSegment *
snapshot_open_segment(ElacSnapshot *snapshot, int i)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;
	const ElacSegmentRef *ref = &snapshot->manifest->segments[i];
	ElacStore  *store = NULL;
	const char *key_prefix = snapshot->key_prefix;

	if (private->version != NULL && ref->body.home == ELAC_HOME_LOCAL)
		return elac_index_cache_segment(private->version, snapshot->index, i);
	if (ref->body.home == ELAC_HOME_REMOTE)
	{
		store = elac_snapshot_store(snapshot);
		if (key_prefix == NULL)
			key_prefix = elac_snapshot_key_prefix(snapshot->manifest, private->uuid);
	}
	return elac_segment_open(snapshot->index, snapshot->type, ref, elac_codebook_get(snapshot, ref->codebook), store,
							 key_prefix);
}

ElacSegment *
elac_snapshot_segment(ElacSnapshot *snapshot, int i)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;

	Assert(i >= 0 && i < snapshot->nsegments);
	if (snapshot->segments[i] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(private->context);

		snapshot->segments[i] = snapshot_open_segment(snapshot, i);
		MemoryContextSwitchTo(old);
	}
	return snapshot->segments[i];
}

const ElacBitmap *
elac_snapshot_live(ElacSnapshot *snapshot, int i, uint32 *ndead)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;
	MemoryContext old = MemoryContextSwitchTo(private->context);
	const ElacBitmap *bits;

	Assert(i >= 0 && i < snapshot->nsegments);
	if (private->version == NULL || snapshot->manifest->segments[i].body.home != ELAC_HOME_LOCAL)
		bits = elac_live_read(snapshot->index, &snapshot->manifest->segments[i], ndead);
	else
	{
		if (private->live[i] == NULL)
			private->live[i] = elac_index_cache_live(private->version, snapshot->index, i);
		bits = elac_index_cache_bitmap(private->live[i], ndead);
	}
	MemoryContextSwitchTo(old);
	return bits;
}

void
elac_snapshot_release(ElacSnapshot *snapshot)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;

	for (int i = 0; i < snapshot->nsegments; i++)
		if (snapshot->segments[i] != NULL)
			elac_segment_close(snapshot->segments[i]);
	snapshot_forget(private);
	if (private->owns_context)
		MemoryContextDelete(private->context);
}
