/*
 * admin.c
 *	  elacsym_flush, elacsym_compact, elacsym_offload, elacsym_onload,
 *	  elacsym_verify: the jobs of an index, run by hand.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "api/target_index.h"
#include "lsm/lsm.h"
#include "query/calibrate.h"
#include "query/job.h"
#include "query/index_options.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_flush);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_compact);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_offload);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_onload);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_verify);

/* What to do with one index; arg is the function's own. */
typedef int64 (*AdminAction) (ElacJob *job, void *arg);

/* Runs action on an index, or on every leaf of a partitioned one; the sum. */
static int64
admin_run(Oid index_oid, LOCKMODE lockmode, AdminAction action, void *arg)
{
	int64		total = 0;
	ListCell   *cell;

	foreach(cell, elac_target_indexes(index_oid, ELAC_RIGHT_MAINTAIN))
	{
		Relation	heap;
		Relation	index;
		ElacJob    *job;

		elac_target_open(lfirst_oid(cell), lockmode, &heap, &index);
		job = elac_job_begin(index, heap);
		total += action(job, arg);
		elac_job_end(job);
		elac_target_close(heap, index);
	}
	return total;
}

static int64
admin_flush(ElacJob *job, void *arg)
{
	return elac_lsm_flush(job);
}

static int64
admin_compact(ElacJob *job, void *arg)
{
	int64		merges;

	elac_lsm_flush(job);
	merges = elac_lsm_compact(job, *(bool *) arg);
	elac_lsm_retire(job);
	elac_calibrate(job, false);
	/* everything: pages that a killed backend left behind, too */
	if (*(bool *) arg)
		elac_lsm_sweep(job);
	return merges;
}

/* While segments lie in a store, its server cannot be dropped without CASCADE. */
static void
admin_depend_on_store(Relation index, Oid server)
{
	ObjectAddress depender;
	ObjectAddress referenced;

	deleteDependencyRecordsForSpecific(RelationRelationId, RelationGetRelid(index), DEPENDENCY_NORMAL,
									   ForeignServerRelationId, server);
	ObjectAddressSet(depender, RelationRelationId, RelationGetRelid(index));
	ObjectAddressSet(referenced, ForeignServerRelationId, server);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_NORMAL);
}

static int64
admin_offload(ElacJob *job, void *arg)
{
	const char *name = (const char *) arg;
	Oid			server;
	int64		moved;

	if (name == NULL && elac_index_store(job->index) != NULL)
		name = pstrdup(elac_index_store(job->index));	/* the relcache entry may be rebuilt */
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" has no store", RelationGetRelationName(job->index)),
				 errhint("Name a server, elacsym_offload(index, 'server'), or ALTER INDEX ... SET (store = 'server').")));
	server = get_foreign_server_oid(name, false);
	moved = elac_lsm_offload(job, server);
	admin_depend_on_store(job->index, server);
	return moved;
}

static int64
admin_onload(ElacJob *job, void *arg)
{
	return elac_lsm_onload(job);
}

static int64
admin_verify(ElacJob *job, void *arg)
{
	elac_lsm_verify(job);
	return 0;
}

Datum
elacsym_flush(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("elacsym_flush()");
	PreventCommandIfReadOnly("elacsym_flush()");
	PG_RETURN_INT64(admin_run(PG_GETARG_OID(0), RowExclusiveLock, admin_flush, NULL));
}

Datum
elacsym_compact(PG_FUNCTION_ARGS)
{
	bool		everything = PG_GETARG_BOOL(1);

	PreventCommandDuringRecovery("elacsym_compact()");
	PreventCommandIfReadOnly("elacsym_compact()");
	PG_RETURN_INT64(admin_run(PG_GETARG_OID(0), RowExclusiveLock, admin_compact, &everything));
}

/* Second argument NULL: the index's own store option. */
Datum
elacsym_offload(PG_FUNCTION_ARGS)
{
	char	   *server = PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1));

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PreventCommandDuringRecovery("elacsym_offload()");
	PreventCommandIfReadOnly("elacsym_offload()");
	PG_RETURN_INT64(admin_run(PG_GETARG_OID(0), RowExclusiveLock, admin_offload, server));
}

Datum
elacsym_onload(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("elacsym_onload()");
	PreventCommandIfReadOnly("elacsym_onload()");
	PG_RETURN_INT64(admin_run(PG_GETARG_OID(0), RowExclusiveLock, admin_onload, NULL));
}

Datum
elacsym_verify(PG_FUNCTION_ARGS)
{
	(void) admin_run(PG_GETARG_OID(0), AccessShareLock, admin_verify, NULL);
	PG_RETURN_BOOL(true);
}
