/*
 * snapshot.c
 *	  What one query or job reads: a copy of the manifest and the lanes, the
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
#include "lsm/lsm.h"
#include "lsm/snapshot_store.h"
#include "storage/metapage.h"

/* The public struct with what only this file needs around it. */
typedef struct SnapshotPrivate
{
	ElacSnapshot public;
	MemoryContext context;
	MemoryContextCallback callback;
	uint8		uuid[16];
	ElacCodebookEntry *codebook;	/* held; NULL until asked for */
} SnapshotPrivate;

/*
 * Runs when the snapshot's context goes, after an error too.  Pins are then
 * the resource owner's business; the hold on the codebook is ours.
 */
static void
snapshot_forget(void *arg)
{
	SnapshotPrivate *private = arg;

	if (private->codebook != NULL)
		elac_codebook_unhold(private->codebook);
	private->codebook = NULL;
}

char *
elac_snapshot_key_prefix(const ElacManifest *manifest, const uint8 *uuid)
{
	char		hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
	return psprintf(UINT64_FORMAT "-%u/%s", manifest->system_identifier, manifest->epoch, hex);
}

ElacSnapshot *
elac_snapshot_take(Relation index)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym snapshot", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SnapshotPrivate *private = palloc0(sizeof(SnapshotPrivate));
	ElacSnapshot *snapshot = &private->public;
	const ElacMetapage *meta = elac_metapage_get(index);
	ElacSchema *schema = palloc(sizeof(ElacSchema));

	private->context = context;
	private->callback.func = snapshot_forget;
	private->callback.arg = private;
	MemoryContextRegisterResetCallback(context, &private->callback);

	/* A copy: the metapage's goes with the relcache entry's. */
	*schema = meta->schema;
	memcpy(private->uuid, meta->uuid, sizeof(private->uuid));
	snapshot->index = index;
	snapshot->manifest = elac_manifest_read_with_lanes(index, snapshot->lanes);
	snapshot->type = elac_row_type(index, schema);
	snapshot->nsegments = snapshot->manifest->nsegments;
	snapshot->segments = palloc0(Max(snapshot->nsegments, 1) * sizeof(ElacSegment *));
	snapshot->key_prefix = elac_snapshot_key_prefix(snapshot->manifest, private->uuid);
	MemoryContextSwitchTo(old);
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

ElacSegment *
elac_snapshot_segment(ElacSnapshot *snapshot, int i)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;

	Assert(i >= 0 && i < snapshot->nsegments);
	if (snapshot->segments[i] == NULL)
	{
		const ElacSegmentRef *ref = &snapshot->manifest->segments[i];
		const ElacCodebook *codebook = elac_codebook_get(snapshot, ref->codebook);
		ElacStore  *store = ref->body.home == ELAC_HOME_REMOTE ? elac_snapshot_store(snapshot) : NULL;
		MemoryContext old = MemoryContextSwitchTo(private->context);

		snapshot->segments[i] = elac_segment_open(snapshot->index, snapshot->type, ref, codebook, store,
												  snapshot->key_prefix);
		MemoryContextSwitchTo(old);
	}
	return snapshot->segments[i];
}

void
elac_snapshot_release(ElacSnapshot *snapshot)
{
	SnapshotPrivate *private = (SnapshotPrivate *) snapshot;

	for (int i = 0; i < snapshot->nsegments; i++)
		if (snapshot->segments[i] != NULL)
			elac_segment_close(snapshot->segments[i]);
	MemoryContextDelete(private->context);
}
