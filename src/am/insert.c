/*
 * insert.c
 *	  aminsert: one row into the delta.
 *
 * The row is durable with its transaction and found by the next statement.
 * Where no background worker flushes, the backend that fills a lane does it,
 * unless another maintenance job is under way.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/xact.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "am/am.h"
#include "guc.h"
#include "lsm/lsm.h"
#include "query/job.h"
#include "query/worker_state.h"
#include "storage/metapage.h"

/* What one statement keeps between its rows. */
typedef struct InsertCache
{
	ElacRowType *type;
	MemoryContext row_context;
} InsertCache;

/*
 * With workers, the delta may grow beyond its limit while they are busy; a
 * backend steps in only when it has become this many times too large.
 */
#define WORKER_SLACK 8

/*
 * Merges within an INSERT have at most this many times the delta's limit of
 * rows, so that no statement takes seconds; VACUUM or a worker does the others.
 */
#define MERGE_LIMITS 20

/* Pause of a backend whose maintenance has failed. */
#define RETRY_AFTER_MS 60000

static InsertCache *
insert_cache(Relation index, IndexInfo *info)
{
	InsertCache *cache = (InsertCache *) info->ii_AmCache;
	MemoryContext old;
	ElacSchema *schema;

	if (cache != NULL)
		return cache;
	old = MemoryContextSwitchTo(info->ii_Context);
	cache = palloc(sizeof(InsertCache));
	/* the relcache entry may be rebuilt between rows: keep a schema of our own */
	schema = palloc(sizeof(ElacSchema));
	*schema = elac_metapage_get(index)->schema;
	cache->type = elac_row_type(index, schema);
	cache->row_context = AllocSetContextCreate(info->ii_Context, "elacsym insert", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	info->ii_AmCache = cache;
	return cache;
}

/* Errors that are not the job's own: they end the statement. */
static bool
insert_error_is_final(int sqlstate)
{
	return sqlstate == ERRCODE_QUERY_CANCELED || ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_OPERATOR_INTERVENTION;
}

/*
 * Maintenance in place of a worker.  Its failure (a full disk, a damaged
 * segment, an indexed expression that raises) is no reason to refuse the row,
 * which is safe in the delta: it becomes a warning, and this backend leaves
 * maintenance alone for a while.
 */
static void
insert_maintain(Relation index, Relation heap, uint64 limit)
{
	static TimestampTz not_before = 0;
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if (GetCurrentTimestamp() < not_before)
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		ElacJob    *job = elac_job_begin(index, heap);

		job->local_only = true;
		job->no_sweep = true;
		job->merge_docs_max = (uint64) elac_guc_delta_limit * MERGE_LIMITS;
		elac_job_maintain(job, limit, false);
		elac_job_end(job);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (insert_error_is_final(error->sqlerrcode))
			ReThrowError(error);
		not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_AFTER_MS);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not flush or merge index \"%s\": %s", RelationGetRelationName(index), error->message),
				 errdetail("The row is in the index; the work is left to a later statement, VACUUM or a background worker.")));
		FreeErrorData(error);
	}
	PG_END_TRY();
}

bool
elacinsert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
		   IndexUniqueCheck check_unique, bool index_unchanged, IndexInfo *info)
{
	InsertCache *cache = insert_cache(index, info);
	MemoryContext old = MemoryContextSwitchTo(cache->row_context);
	uint64		limit = elac_guc_delta_limit;
	ElacRow		row;
	uint32		lane_rows;

	elac_row_form(cache->type, tid, values, isnull, &row);
	lane_rows = elac_delta_append(index, cache->type, &row);
	if (elac_worker_is_running())
		limit *= WORKER_SLACK;
	if (lane_rows >= limit)
		insert_maintain(index, heap, limit);
	MemoryContextSwitchTo(old);
	MemoryContextReset(cache->row_context);
	return false;
}
