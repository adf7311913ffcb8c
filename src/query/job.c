/*
 * job.c
 *	  Jobs on an index, for am, api and worker alike.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "query/calibrate.h"
#include "query/heap_fetch.h"
#include "query/job.h"
#include "storage/metapage.h"

/* An ElacJob and what it will restore. */
typedef struct JobState
{
	ElacJob		job;			/* first */
	Oid			user;
	int			security;
	int			nest;
} JobState;

static int
job_fetch_vector(void *arg, ItemPointer tid, float *dst)
{
	return elac_heap_fetch_vector((ElacHeapFetch *) arg, tid, dst);
}

ElacJob *
elac_job_begin(Relation index, Relation heap)
{
	JobState   *state = palloc0(sizeof(JobState));

	GetUserIdAndSecContext(&state->user, &state->security);
	SetUserIdAndSecContext(heap->rd_rel->relowner, state->security | SECURITY_RESTRICTED_OPERATION);
	state->nest = NewGUCNestLevel();
	elac_restrict_search_path();

	state->job.index = index;
	state->job.heap = heap;
	if (elac_metapage_get(index)->schema.vector_column >= 0)
	{
		state->job.fetch = job_fetch_vector;
		state->job.fetch_arg = elac_heap_fetch_begin(index, heap, NULL);
	}
	return &state->job;
}

void
elac_job_end(ElacJob *job)
{
	JobState   *state = (JobState *) job;

	if (job->fetch_arg != NULL)
		elac_heap_fetch_end((ElacHeapFetch *) job->fetch_arg);
	AtEOXact_GUC(false, state->nest);
	SetUserIdAndSecContext(state->user, state->security);
	pfree(state);
}

static uint64
job_delta_rows(Relation index)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = elac_manifest_read_with_lanes(index, lanes);
	uint64		rows = elac_delta_count(manifest, lanes);

	pfree(manifest);
	return rows;
}

bool
elac_job_maintain(ElacJob *job, uint64 delta_limit, bool wait)
{
	bool		worked = false;

	if (!elac_maintenance_lock(job->index, wait))
		return false;
	if (job_delta_rows(job->index) >= delta_limit)
		worked = elac_lsm_flush(job) > 0;
	worked = elac_lsm_compact(job, false) > 0 || worked;
	worked = elac_lsm_retire(job) > 0 || worked;
	/* not within a user's INSERT */
	if (!job->no_sweep)
		worked = elac_calibrate(job, false) > 0 || worked;
	elac_maintenance_unlock(job->index);
	return worked;
}
