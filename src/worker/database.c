/*
 * database.c
 *	  One database's worker: one round over its elacsym indexes, then leaves.
 *
 * Every index is a transaction of its own; a job that fails is logged and the
 * round goes on.  Indexes whose table is locked by DDL are passed over.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "guc.h"
#include "query/job.h"
#include "worker/worker.h"

/* Permanent and unlogged elacsym indexes of this database, in context. */
static List *
database_indexes(MemoryContext context)
{
	List	   *indexes = NIL;
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			am;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	am = get_index_am_oid("elacsym", true);
	if (OidIsValid(am) && OidIsValid(get_extension_oid("elacsym", true)))
	{
		relation = table_open(RelationRelationId, AccessShareLock);
		scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

			if (form->relkind == RELKIND_INDEX && form->relam == am && form->relpersistence != RELPERSISTENCE_TEMP)
			{
				MemoryContext old = MemoryContextSwitchTo(context);

				indexes = lappend_oid(indexes, form->oid);
				MemoryContextSwitchTo(old);
			}
		}
		systable_endscan(scan);
		table_close(relation, AccessShareLock);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	return indexes;
}

/* Does what is due on one index, within a transaction. */
static void
database_maintain(Oid index_oid)
{
	Oid			heap_oid = IndexGetRelation(index_oid, true);
	Relation	heap;
	Relation	index;

	/* gone, or somebody is changing the table: the next round will see */
	if (!OidIsValid(heap_oid) || !ConditionalLockRelationOid(heap_oid, AccessShareLock))
		return;
	heap = try_table_open(heap_oid, NoLock);
	if (heap == NULL)
		return;
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index_oid)) &&
		ConditionalLockRelationOid(index_oid, RowExclusiveLock))
	{
		index = index_open(index_oid, NoLock);
		if (index->rd_index->indisready && index->rd_index->indisvalid)
		{
			ElacJob    *job = elac_job_begin(index, heap);

			elac_job_maintain(job, elac_guc_delta_limit, false);
			elac_job_end(job);
		}
		index_close(index, NoLock);
	}
	table_close(heap, NoLock);
}

static void
database_visit(Oid index_oid)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		database_maintain(index_oid);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		HOLD_INTERRUPTS();
		errcontext("background maintenance of elacsym index with OID %u", index_oid);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
}

void
elacsym_database_main(Datum arg)
{
	MemoryContext context;
	ListCell   *cell;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);

	/*
	 * As autovacuum does: functions of indexed expressions run as the table's
	 * owner and must not find what others put into a schema of the path.
	 */
	SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);

	context = AllocSetContextCreate(TopMemoryContext, "elacsym worker", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	foreach(cell, database_indexes(context))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(context);
		database_visit(lfirst_oid(cell));
	}
}
