/*
 * offload.c
 *	  Moves the bodies of segments to a store and back.
 *
 * A body is copied under a new id, the copy is checked, then one publish gives
 * the segment its new home and retires what was there before.  Segments move
 * one by one: an error leaves those done where they are now.  Objects are
 * never deleted here: a backup, a copy of the cluster or a standby may still
 * read them.
 *
 * Holds the maintenance lock throughout; no buffer or LWLock while the store
 * works.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "lsm/lsm.h"
#include "lsm/publish.h"
#include "lsm/retire.h"
#include "lsm/snapshot_store.h"

/* The object has to be as long as what was written. */
static void
offload_check_object(Relation index, ElacStore *store, const char *key_prefix, const ElacBlobRef *ref)
{
	char	   *key = elac_blob_key(key_prefix, ref);
	int64		size = elac_store_size(store, key);

	if (size != (int64) ref->npages * ELAC_FRAME_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not offload index \"%s\" to server \"%s\"",
						RelationGetRelationName(index), elac_store_name(store)),
				 errdetail("Object \"%s\" has " INT64_FORMAT " bytes after it was written, not " INT64_FORMAT ".",
						   key, size, (int64) ref->npages * ELAC_FRAME_SIZE)));
	pfree(key);
}

/* Copies a segment's body to another home; to and from NULL: LOCAL. */
static void
offload_move(ElacSnapshot *snapshot, const ElacSegmentRef *segment, ElacStore *from, ElacStore *to)
{
	Relation	index = snapshot->index;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym offload", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacBlobReader *reader = elac_blob_open(index, &segment->body, from, snapshot->key_prefix);
	ElacBlobWriter *writer = elac_blob_create(index, elac_manifest_allocate_ids(index, 1), to, snapshot->key_prefix);
	ElacBlobRef ref;

	elac_blob_copy(reader, writer);
	elac_blob_finish(writer, &ref);
	elac_blob_close(reader);
	if (ref.nbytes != segment->body.nbytes)
		elog(ERROR, "copy of blob " UINT64_FORMAT " has " UINT64_FORMAT " bytes, not " UINT64_FORMAT,
			 segment->body.id, ref.nbytes, segment->body.nbytes);
	if (to != NULL)
	{
		offload_check_object(index, to, snapshot->key_prefix, &ref);
		elac_publish_body(index, segment->id, &ref, elac_store_name(to), elac_store_uuid(to));
	}
	else
		elac_publish_body(index, segment->id, &ref, NULL, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Segments that lie in another store have to come back first. */
static void
offload_check_store(ElacSnapshot *snapshot, ElacStore *store)
{
	const ElacManifest *manifest = snapshot->manifest;

	if (manifest->store[0] == '\0' ||
		memcmp(manifest->store_uuid, elac_store_uuid(store), sizeof(manifest->store_uuid)) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot offload index \"%s\" to server \"%s\"",
					RelationGetRelationName(snapshot->index), elac_store_name(store)),
			 errdetail("Some of its segments lie in the store of server \"%s\".", manifest->store),
			 errhint("Bring them back with elacsym_onload() first.")));
}

int
elac_lsm_offload(ElacJob *job, Oid server)
{
	Relation	index = job->index;
	ElacStore  *store;
	ElacSnapshot *snapshot;
	int			moved = 0;

	if (index->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot offload index \"%s\"", RelationGetRelationName(index)),
				 errdetail("Indexes of temporary and unlogged tables have no store.")));
	elac_maintenance_lock(index, true);
	elac_retire_list(job);
	store = elac_store_open(server, index->rd_rel->relowner, true);
	snapshot = elac_snapshot_take(index);
	offload_check_store(snapshot, store);
	if (snapshot->manifest->store[0] != '\0' && strcmp(snapshot->manifest->store, elac_store_name(store)) != 0)
		elac_publish_store_name(index, elac_store_name(store));
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		const ElacSegmentRef *segment = &snapshot->manifest->segments[i];

		CHECK_FOR_INTERRUPTS();
		if (segment->body.home != ELAC_HOME_LOCAL || segment->body.npages == 0)
			continue;
		offload_move(snapshot, segment, NULL, store);
		moved++;
	}
	elac_snapshot_release(snapshot);
	elac_maintenance_unlock(index);
	return moved;
}

int
elac_lsm_onload(ElacJob *job)
{
	Relation	index = job->index;
	ElacSnapshot *snapshot;
	ElacBuilding building;
	int			moved = 0;

	elac_maintenance_lock(index, true);
	elac_retire_list(job);
	snapshot = elac_snapshot_take(index);
	elac_building_begin(index, &building);
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		const ElacSegmentRef *segment = &snapshot->manifest->segments[i];

		CHECK_FOR_INTERRUPTS();
		if (segment->body.home != ELAC_HOME_REMOTE)
			continue;
		offload_move(snapshot, segment, elac_snapshot_store(snapshot), NULL);
		moved++;
	}
	elac_building_end(index, &building);
	elac_snapshot_release(snapshot);
	elac_maintenance_unlock(index);
	return moved;
}
