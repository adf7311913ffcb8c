/*
 * flush.c
 *	  Moves the delta into segments.
 *
 * Two publishes: the rotation freezes each lane's chains, so that inserters go
 * on in empty ones; then segments are built from the frozen chains and replace
 * them.  A crash in between leaves frozen lanes, which queries read as part of
 * the delta and which the next flush takes up.
 *
 * Holds the maintenance lock throughout; VACUUM marks no row dead meanwhile.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "lsm/compact.h"
#include "lsm/lane_reader.h"
#include "lsm/lsm.h"
#include "lsm/publish.h"
#include "lsm/retire.h"
#include "lsm/train.h"

#define FLUSH_ROWS_MIN 4096

/* One flush of all frozen lanes, under way. */
typedef struct Flush
{
	Relation	index;
	ElacSnapshot *snapshot;
	const ElacCodebook *codebook;
	ElacBlobRef codebook_ref;	/* id 0 unless trained by this flush */
	ElacSegmentBuilder *builder;	/* NULL between segments */
	uint64		nrows;
	int			nsegments_max;	/* that the manifest has room for */
	int			nsegments;
	ElacSegmentRef segments[ELAC_MAX_SEGMENTS];
} Flush;

/* Freezes all lanes that have rows; false when there was no room for one. */
static bool
flush_rotate(Relation index)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = elac_manifest_read_with_lanes(index, lanes);
	bool		complete = true;

	pfree(manifest);
	for (int i = 0; i < ELAC_LANES; i++)
		if (lanes[i].ndocs > 0 && !elac_publish_rotation(index, i))
			complete = false;
	return complete;
}

static void
flush_finish_segment(Flush *flush)
{
	uint64		id;

	if (flush->builder == NULL)
		return;
	id = elac_manifest_allocate_ids(flush->index, ELAC_SEGMENT_IDS);
	elac_segment_builder_finish(flush->builder, id, elac_pick_level(elac_segment_builder_ndocs(flush->builder)),
								NULL, NULL, &flush->segments[flush->nsegments]);
	flush->nsegments++;
	flush->builder = NULL;
}

/*
 * A segment is full: of documents, or of memory when the manifest has room for
 * another one.  A builder's own needs may exceed a small maintenance_work_mem:
 * FLUSH_ROWS_MIN rows go into a segment whatever they take.
 */
static bool
flush_segment_is_full(const Flush *flush)
{
	if (elac_segment_builder_ndocs(flush->builder) >= ELAC_SEGMENT_DOCS_MAX)
		return true;
	return flush->nsegments + 1 < flush->nsegments_max &&
		elac_segment_builder_ndocs(flush->builder) >= FLUSH_ROWS_MIN &&
		elac_segment_builder_memory(flush->builder) > (Size) maintenance_work_mem * 1024;
}

static void
flush_lane(Flush *flush, const ElacLane *lane, MemoryContext row_context)
{
	const ElacRowType *type = flush->snapshot->type;
	ElacLaneReader *reader = elac_lane_reader_begin(flush->index, type, lane);
	MemoryContext old = MemoryContextSwitchTo(row_context);
	ElacDeltaRecord record;

	while (elac_lane_reader_next(reader, &record))
	{
		ElacRow		row;

		if ((record.header.flags & ELAC_DELTA_DEAD) == 0)
		{
			elac_lane_reader_row(reader, &record, &row);
			MemoryContextSwitchTo(old);
			if (flush->builder == NULL)
				flush->builder = elac_segment_builder_begin(flush->index, type, flush->codebook);
			elac_segment_builder_add(flush->builder, &row);
			flush->nrows++;
			if (flush_segment_is_full(flush))
				flush_finish_segment(flush);
			MemoryContextSwitchTo(row_context);
		}
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	elac_lane_reader_end(reader);
}

/* Live rows of the frozen lanes, and how many of them have a vector. */
static uint64
flush_count_rows(ElacSnapshot *snapshot, uint64 *nvectors)
{
	uint64		nrows = 0;

	*nvectors = 0;
	for (uint32 i = 0; i < snapshot->manifest->nfrozen; i++)
	{
		ElacLaneReader *reader = elac_lane_reader_begin(snapshot->index, snapshot->type,
														&snapshot->manifest->frozen[i]);
		ElacDeltaRecord record;

		while (elac_lane_reader_next(reader, &record))
		{
			if (record.attrs != NULL)
				pfree(record.attrs);
			if ((record.header.flags & ELAC_DELTA_DEAD) != 0)
				continue;
			nrows++;
			if (record.header.vector_class == ELAC_VECTOR_FINITE)
				(*nvectors)++;
		}
		elac_lane_reader_end(reader);
	}
	return nrows;
}

static void
flush_publish(Flush *flush)
{
	const ElacManifest *manifest = flush->snapshot->manifest;
	uint64		frozen[ELAC_MAX_FROZEN];
	ElacPublish publish = {0};

	for (uint32 i = 0; i < manifest->nfrozen; i++)
		frozen[i] = manifest->frozen[i].docs.id;
	publish.nfrozen = manifest->nfrozen;
	publish.frozen = frozen;
	publish.nadded = flush->nsegments;
	publish.added = flush->segments;
	publish.rows_new = flush->nrows;
	if (flush->codebook_ref.id != 0)
	{
		publish.codebook = &flush->codebook_ref;
		publish.rows_trained = flush->nrows;
	}
	elac_publish_segments(flush->index, &publish);
}

/* Builds segments from the frozen lanes and publishes them; returns rows moved. */
static uint64
flush_frozen(ElacJob *job)
{
	Flush	   *flush = palloc0(sizeof(Flush));
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "elacsym flush row",
													  ALLOCSET_DEFAULT_SIZES);
	ElacSnapshot *snapshot = elac_snapshot_take(job->index);
	const ElacManifest *manifest = snapshot->manifest;
	ElacBuilding building;

	if (manifest->nfrozen == 0)
	{
		elac_snapshot_release(snapshot);
		return 0;
	}
	elac_building_begin(job->index, &building);
	flush->index = job->index;
	flush->snapshot = snapshot;
	flush->nsegments_max = ELAC_MAX_SEGMENTS - manifest->nsegments;
	if (snapshot->type->schema->vector_column >= 0)
	{
		if (manifest->codebook.id != 0)
			flush->codebook = elac_codebook_get(snapshot, manifest->codebook.id);
		else
		{
			uint64		nvectors;

			/* rows without a vector need a codebook, too */
			if (flush_count_rows(snapshot, &nvectors) > 0)
				flush->codebook = elac_train_from_delta(snapshot, nvectors, &flush->codebook_ref);
		}
	}
	for (uint32 i = 0; i < manifest->nfrozen; i++)
		flush_lane(flush, &manifest->frozen[i], row_context);
	flush_finish_segment(flush);
	flush_publish(flush);
	elac_building_end(job->index, &building);
	elac_snapshot_release(snapshot);
	return flush->nrows;
}

uint64
elac_lsm_flush(ElacJob *job)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym flush", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		nrows = 0;
	bool		complete = false;

	elac_maintenance_lock(job->index, true);
	elac_retire_list(job);
	while (!complete)
	{
		complete = flush_rotate(job->index);
		elac_compact_make_room(job);
		nrows += flush_frozen(job);
		MemoryContextReset(context);
	}
	elac_maintenance_unlock(job->index);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nrows;
}
