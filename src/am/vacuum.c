/*
 * vacuum.c
 *	  ambulkdelete and amvacuumcleanup.
 *
 * Deleting marks rows dead; compaction leaves them out later.  The cleanup
 * does what a worker would: flushes and compacts when due, frees pages that no
 * snapshot can read any more and pages that a crash left behind.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "commands/vacuum.h"
#include "storage/bufmgr.h"

#include "am/am.h"
#include "guc.h"
#include "lsm/lsm.h"
#include "query/job.h"

IndexBulkDeleteResult *
elacbulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
			   IndexBulkDeleteCallback callback, void *state)
{
	ElacJob		job = {0};

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	job.index = info->index;
	stats->num_index_tuples = 0;
	elac_lsm_bulkdelete(&job, callback, state, stats);
	return stats;
}

/*
 * Live rows of the index, as far as it knows.  VACUUM's snapshot does not keep
 * pages from being retired, so no other job may run meanwhile.
 */
static double
vacuum_count(Relation index)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest;
	double		count;

	(void) elac_maintenance_lock(index, true);
	manifest = elac_manifest_read_with_lanes(index, lanes);
	count = elac_delta_count(manifest, lanes);
	for (uint32 i = 0; i < manifest->nsegments; i++)
		count += manifest->segments[i].ndocs - elac_live_ndead(index, &manifest->segments[i]);
	pfree(manifest);
	elac_maintenance_unlock(index);
	return count;
}

IndexBulkDeleteResult *
elacvacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	Relation	index = info->index;
	Relation	heap;
	ElacJob    *job;

	if (info->analyze_only)
		return stats;
	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));

	heap = table_open(index->rd_index->indrelid, NoLock);
	job = elac_job_begin(index, heap);
	/* VACUUM must not depend on a store: offloaded segments are merged by workers or by hand */
	job->local_only = true;
	elac_job_maintain(job, elac_guc_delta_limit, true);
	elac_job_end(job);
	table_close(heap, NoLock);

	stats->num_pages = RelationGetNumberOfBlocks(index);
	stats->num_index_tuples = vacuum_count(index);
	stats->estimated_count = false;
	return stats;
}
