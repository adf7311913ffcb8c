/*
 * launcher.c
 *	  The launcher: starts a worker for each database, one after the other,
 *	  every elacsym.worker_naptime seconds.
 *
 * It is connected to no database and does nothing but that.  A worker leaves
 * as soon as its round is over, so that it stands in nobody's way (DROP
 * DATABASE, CREATE DATABASE ... TEMPLATE) while there is nothing to do.  It
 * starts when recovery has finished: a standby has no launcher until it is
 * promoted.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "guc.h"
#include "query/worker_state.h"
#include "worker/worker.h"

static void
launcher_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 10;
	strlcpy(worker.bgw_library_name, "elacsym", MAXPGPATH);
	strlcpy(worker.bgw_function_name, "elacsym_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "elacsym launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "elacsym launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
elac_worker_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	elac_worker_state_init();
	launcher_register();
}

/* Names in elacsym.worker_databases; NIL means every database. */
static bool
launcher_wants(const char *database)
{
	char	   *copy = pstrdup(elac_guc_worker_databases != NULL ? elac_guc_worker_databases : "");
	List	   *names = NIL;
	ListCell   *cell;

	if (copy[0] == '\0')
		return true;
	if (!SplitIdentifierString(copy, ',', &names))
	{
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list syntax in parameter \"%s\"", "elacsym.worker_databases")));
		return false;
	}
	foreach(cell, names)
		if (strcmp((const char *) lfirst(cell), database) == 0)
			return true;
	return false;
}

/* OIDs of the databases to visit, in context. */
static List *
launcher_databases(MemoryContext context)
{
	List	   *databases = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate && launcher_wants(NameStr(form->datname)))
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			databases = lappend_oid(databases, form->oid);
			MemoryContextSwitchTo(old);
		}
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

/* Runs one database's worker and waits for it to leave. */
static void
launcher_visit(Oid database)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "elacsym", MAXPGPATH);
	strlcpy(worker.bgw_function_name, "elacsym_database_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "elacsym worker for database %u", database);
	strlcpy(worker.bgw_type, "elacsym worker", BGW_MAXLEN);
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = MyProcPid;
	/* no slot free: the next round tries again */
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		return;
	(void) WaitForBackgroundWorkerShutdown(handle);
	pfree(handle);
}

static void
launcher_leave(int code, Datum arg)
{
	elac_worker_set_running(false);
}

void
elacsym_launcher_main(Datum arg)
{
	MemoryContext round = AllocSetContextCreate(TopMemoryContext, "elacsym launcher round", ALLOCSET_DEFAULT_SIZES);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(launcher_leave, (Datum) 0);
	elac_worker_set_running(true);

	for (;;)
	{
		ListCell   *cell;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		MemoryContextReset(round);
		MemoryContextSwitchTo(round);
		foreach(cell, launcher_databases(round))
		{
			CHECK_FOR_INTERRUPTS();
			launcher_visit(lfirst_oid(cell));
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 elac_guc_worker_naptime_s * 1000L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
