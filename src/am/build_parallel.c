/*
 * build_parallel.c
 *	  The scan of a build: rows of the table into a sort, with workers when
 *	  the server's planner grants them.
 *
 * Leader and workers share one parallel scan of the table; each forms, codes
 * and sorts its rows within an equal share of maintenance_work_mem.  When all
 * are done the leader merges what they sorted while it reads it.  What an
 * expression or a type raises in a worker is raised in the leader.
 *
 *		leader									worker
 *		elac_build_load_begin
 *		  leader_begin: DSM, launch  ----->	elac_build_worker_main
 *		  load_scan								  load_scan
 *		  leader_wait  <-- done, by condition --	  (ends)
 *		elac_rowsort_next ...
 *		elac_build_load_end
 *
 * Pages of the index are written by the leader alone, before and after.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/build_private.h"
#include "compat.h"
#include "errors.h"
#include "storage/metapage.h"

/* Keys in the parallel context's table of contents. */
#define KEY_SHARED UINT64CONST(0xE1AC000000000001)
#define KEY_SORT UINT64CONST(0xE1AC000000000002)
#define KEY_QUERY UINT64CONST(0xE1AC000000000003)
#define KEY_WAL UINT64CONST(0xE1AC000000000004)
#define KEY_BUFFERS UINT64CONST(0xE1AC000000000005)
#define KEY_FILES UINT64CONST(0xE1AC000000000006)

/* Rows after which a participant adds to the common count. */
#define LOAD_REPORT_ROWS 64

/* How often a waiting leader reports progress. */
#define LEADER_REPORT_MS 200

/* In shared memory; the parallel table scan follows it. */
typedef struct BuildShared
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	int			cut;
	ElacBlobRef codebook;
	Size		memory;			/* of each participant */

	slock_t		mutex;			/* guards what follows */
	ConditionVariable done_changed;
	int			done;			/* participants whose rows are sorted */
	double		heap_tuples;
	uint64		index_tuples;
	bool		broken_hot_chain;
	pg_atomic_uint64 rows;		/* put so far: for progress */
} BuildShared;

#define BuildSharedScan(shared) \
	((ParallelTableScanDesc) ((char *) (shared) + BUFFERALIGN(sizeof(BuildShared))))

typedef struct ElacBuildLeader
{
	ParallelContext *context;
	BuildShared *shared;
	Sharedsort *sort;
	SharedFileSet *files;
	Snapshot	snapshot;		/* registered, when concurrent */
	WalUsage   *wal;
	BufferUsage *buffers;
	int			participants;
} ElacBuildLeader;

/* One process's part of the scan. */
typedef struct LoadScan
{
	ElacRowSort *sort;
	BuildShared *shared;		/* NULL in a serial build */
	bool		progress;		/* this process reports */
	uint64		rows;
	uint64		unreported;
} LoadScan;

static void
load_report(LoadScan *scan)
{
	uint64		rows = scan->rows;

	if (scan->shared != NULL)
		rows = pg_atomic_add_fetch_u64(&scan->shared->rows, (int64) scan->unreported);
	scan->unreported = 0;
	if (scan->progress)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) rows);
}

static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	LoadScan   *scan = arg;

	elac_rowsort_put(scan->sort, tid, values, isnull);
	scan->rows++;
	scan->unreported++;
	if (scan->shared == NULL || scan->unreported == LOAD_REPORT_ROWS)
		load_report(scan);
}

/* Puts this process's share of the rows into sort, and sorts them; returns live tuples seen. */
static double
load_scan(LoadScan *scan, Relation heap, Relation index, IndexInfo *info)
{
	TableScanDesc parallel = NULL;
	double		tuples;

	if (scan->shared != NULL)
		parallel = table_beginscan_parallel(heap, BuildSharedScan(scan->shared));
	tuples = table_index_build_scan(heap, index, info, true, scan->progress, load_row, scan, parallel);
	load_report(scan);
	if (scan->progress)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, ELAC_BUILD_SORT);
	elac_rowsort_perform(scan->sort);
	return tuples;
}

/* Scans, sorts and tells the leader. */
static void
load_participate(BuildShared *shared, Sharedsort *sharedsort, Relation heap, Relation index, IndexInfo *info,
				 const ElacRowSortParams *params, bool progress)
{
	SortCoordinateData coordinate = {0};
	LoadScan	scan = {0};
	double		tuples;

	coordinate.isWorker = true;
	coordinate.nParticipants = -1;
	coordinate.sharedsort = sharedsort;
	scan.sort = elac_rowsort_begin(params, shared->memory, &coordinate);
	scan.shared = shared;
	scan.progress = progress;
	tuples = load_scan(&scan, heap, index, info);

	SpinLockAcquire(&shared->mutex);
	shared->done++;
	shared->heap_tuples += tuples;
	shared->index_tuples += scan.rows;
	if (info->ii_BrokenHotChain)
		shared->broken_hot_chain = true;
	SpinLockRelease(&shared->mutex);
	ConditionVariableSignal(&shared->done_changed);
	elac_rowsort_end(scan.sort);
}

/* ---- workers ---- */

extern PGDLLEXPORT void elac_build_worker_main(dsm_segment *segment, shm_toc *toc);

static ElacCodebook *
worker_read_codebook(Relation index, const ElacBlobRef *ref)
{
	ElacBlobReader *reader;
	ElacCodebook *codebook;

	if (ref->id == 0)
		return NULL;
	reader = elac_blob_open(index, ref, NULL, NULL);
	codebook = elac_codebook_read(reader);
	elac_codebook_set_id(codebook, ref->id);
	elac_blob_close(reader);
	return codebook;
}

/* Where a worker starts. */
void
elac_build_worker_main(dsm_segment *segment, shm_toc *toc)
{
	BuildShared *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	Sharedsort *sharedsort = shm_toc_lookup(toc, KEY_SORT, false);
	SharedFileSet *files = shm_toc_lookup(toc, KEY_FILES, false);
	WalUsage   *wal = shm_toc_lookup(toc, KEY_WAL, false);
	BufferUsage *buffers = shm_toc_lookup(toc, KEY_BUFFERS, false);
	LOCKMODE	heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	LOCKMODE	index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	ElacRowSortParams params = {0};
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	ElacSchema *schema;

	debug_query_string = shm_toc_lookup(toc, KEY_QUERY, true);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);

	/* the locks that the leader holds: the server lets its group have them too */
	heap = table_open(shared->heap, heap_lock);
	index = index_open(shared->index, index_lock);
	tuplesort_attach_shared(sharedsort, segment);
	SharedFileSetAttach(files, segment);

	info = BuildIndexInfo(index);
	info->ii_Concurrent = shared->concurrent;
	schema = palloc(sizeof(ElacSchema));
	*schema = elac_metapage_get(index)->schema;
	params.index = index;
	params.type = elac_row_type(index, schema);
	params.codebook = worker_read_codebook(index, &shared->codebook);
	params.cut = shared->cut;
	params.files = files;
	params.participant = ParallelWorkerNumber + 1;

	InstrStartParallelQuery();
	load_participate(shared, sharedsort, heap, index, info, &params, false);
	InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);

	index_close(index, index_lock);
	table_close(heap, heap_lock);
}

/* ---- leader ---- */

static void
leader_end(ElacBuildLeader *leader)
{
	WaitForParallelWorkersToFinish(leader->context);
	for (int i = 0; i < leader->context->nworkers_launched; i++)
		InstrAccumParallelQuery(&leader->buffers[i], &leader->wal[i]);
	if (leader->snapshot != NULL && IsMVCCSnapshot(leader->snapshot))
		UnregisterSnapshot(leader->snapshot);
	DestroyParallelContext(leader->context);
	ExitParallelMode();
	pfree(leader);
}

/* Puts into the table of contents what workers need. */
static void
leader_fill_toc(ElacBuildLeader *leader, Relation heap, const IndexInfo *info, const ElacRowSortParams *params,
				const ElacBlobRef *codebook_ref, Size shared_bytes, Size sort_bytes)
{
	ParallelContext *context = leader->context;
	BuildShared *shared = shm_toc_allocate(context->toc, shared_bytes);

	memset(shared, 0, sizeof(*shared));
	shared->heap = RelationGetRelid(heap);
	shared->index = RelationGetRelid(params->index);
	shared->concurrent = info->ii_Concurrent;
	shared->cut = params->cut;
	shared->codebook = *codebook_ref;
	shared->memory = (Size) maintenance_work_mem * 1024 / leader->participants;
	SpinLockInit(&shared->mutex);
	ConditionVariableInit(&shared->done_changed);
	pg_atomic_init_u64(&shared->rows, 0);
	table_parallelscan_initialize(heap, BuildSharedScan(shared), leader->snapshot);
	shm_toc_insert(context->toc, KEY_SHARED, shared);
	leader->shared = shared;

	leader->sort = shm_toc_allocate(context->toc, sort_bytes);
	tuplesort_initialize_shared(leader->sort, leader->participants, context->seg);
	shm_toc_insert(context->toc, KEY_SORT, leader->sort);

	leader->files = shm_toc_allocate(context->toc, sizeof(SharedFileSet));
	SharedFileSetInit(leader->files, context->seg);
	shm_toc_insert(context->toc, KEY_FILES, leader->files);

	leader->wal = shm_toc_allocate(context->toc, mul_size(sizeof(WalUsage), context->nworkers));
	shm_toc_insert(context->toc, KEY_WAL, leader->wal);
	leader->buffers = shm_toc_allocate(context->toc, mul_size(sizeof(BufferUsage), context->nworkers));
	shm_toc_insert(context->toc, KEY_BUFFERS, leader->buffers);
	if (debug_query_string != NULL)
	{
		Size		len = strlen(debug_query_string) + 1;
		char	   *query = shm_toc_allocate(context->toc, len);

		memcpy(query, debug_query_string, len);
		shm_toc_insert(context->toc, KEY_QUERY, query);
	}
}

/* Launches workers; NULL when there is none to be had. */
static ElacBuildLeader *
leader_begin(Relation heap, const IndexInfo *info, const ElacRowSortParams *params, const ElacBlobRef *codebook_ref,
			 int workers)
{
	ElacBuildLeader *leader = palloc0(sizeof(ElacBuildLeader));
	ParallelContext *context;
	Size		shared_bytes;
	Size		sort_bytes;

	EnterParallelMode();
	context = CreateParallelContext("elacsym", "elac_build_worker_main", workers);
	leader->context = context;
	leader->participants = workers + 1;
	leader->snapshot = info->ii_Concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;

	shared_bytes = add_size(BUFFERALIGN(sizeof(BuildShared)), table_parallelscan_estimate(heap, leader->snapshot));
	sort_bytes = tuplesort_estimate_shared(leader->participants);
	shm_toc_estimate_chunk(&context->estimator, shared_bytes);
	shm_toc_estimate_chunk(&context->estimator, sort_bytes);
	shm_toc_estimate_chunk(&context->estimator, sizeof(SharedFileSet));
	shm_toc_estimate_chunk(&context->estimator, mul_size(sizeof(WalUsage), context->nworkers));
	shm_toc_estimate_chunk(&context->estimator, mul_size(sizeof(BufferUsage), context->nworkers));
	shm_toc_estimate_keys(&context->estimator, 5);
	if (debug_query_string != NULL)
	{
		shm_toc_estimate_chunk(&context->estimator, strlen(debug_query_string) + 1);
		shm_toc_estimate_keys(&context->estimator, 1);
	}
	InitializeParallelDSM(context);
	if (context->seg != NULL)
	{
		leader_fill_toc(leader, heap, info, params, codebook_ref, shared_bytes, sort_bytes);
		LaunchParallelWorkers(context);
	}
	if (context->nworkers_launched == 0)
	{
		leader_end(leader);
		return NULL;
	}
	leader->participants = context->nworkers_launched + 1;
	/* a worker that dies at once must not be waited for */
	WaitForParallelWorkersToAttach(context);
	return leader;
}

/* Until every participant has sorted its rows. */
static void
leader_wait(ElacBuildLeader *leader)
{
	BuildShared *shared = leader->shared;

	for (;;)
	{
		int			done;

		SpinLockAcquire(&shared->mutex);
		done = shared->done;
		SpinLockRelease(&shared->mutex);
		if (done == leader->participants)
			break;
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) pg_atomic_read_u64(&shared->rows));
		ConditionVariableTimedSleep(&shared->done_changed, LEADER_REPORT_MS, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
	}
	ConditionVariableCancelSleep();
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) pg_atomic_read_u64(&shared->rows));
}

static void
load_in_parallel(ElacBuildLeader *leader, Relation heap, IndexInfo *info, const ElacRowSortParams *params,
				 ElacBuildLoad *load)
{
	SortCoordinateData *coordinate = palloc0(sizeof(SortCoordinateData));
	ElacRowSortParams shared_params = *params;

	shared_params.files = leader->files;
	shared_params.participant = 0;
	load_participate(leader->shared, leader->sort, heap, params->index, info, &shared_params, true);
	leader_wait(leader);
	coordinate->isWorker = false;
	coordinate->nParticipants = leader->participants;
	coordinate->sharedsort = leader->sort;
	shared_params.participant = leader->participants;
	load->sort = elac_rowsort_begin(&shared_params, (Size) maintenance_work_mem * 1024 / 2, coordinate);
	elac_rowsort_perform(load->sort);
	load->heap_tuples = leader->shared->heap_tuples;
	load->index_tuples = leader->shared->index_tuples;
	load->workers = leader->participants - 1;
	if (leader->shared->broken_hot_chain)
		info->ii_BrokenHotChain = true;
	load->leader = leader;
}

void
elac_build_load_begin(Relation heap, IndexInfo *info, const ElacRowSortParams *params, const ElacBlobRef *codebook_ref,
					  ElacBuildLoad *load)
{
	int			workers = elac_build_workers(heap, params->index, info);
	ElacBuildLeader *leader = NULL;
	LoadScan	scan = {0};

	memset(load, 0, sizeof(*load));
	if (workers > 0)
		leader = leader_begin(heap, info, params, codebook_ref, workers);
	ereport(DEBUG1,
			(errmsg_internal("building index \"%s\" with %d workers", RelationGetRelationName(params->index),
							 leader != NULL ? leader->participants - 1 : 0)));
	if (leader != NULL)
	{
		load_in_parallel(leader, heap, info, params, load);
		return;
	}
	scan.progress = true;
	scan.sort = elac_rowsort_begin(params, (Size) maintenance_work_mem * 1024, NULL);
	load->heap_tuples = load_scan(&scan, heap, params->index, info);
	load->index_tuples = scan.rows;
	load->sort = scan.sort;
}

void
elac_build_load_detach(ElacBuildLoad *load)
{
	if (load->leader == NULL)
		return;
	elac_rowsort_detach(load->sort, (Size) maintenance_work_mem * 1024 / 4);
	leader_end(load->leader);
	load->leader = NULL;
}

void
elac_build_load_end(ElacBuildLoad *load)
{
	elac_rowsort_end(load->sort);
	if (load->leader != NULL)
		leader_end(load->leader);
	load->sort = NULL;
	load->leader = NULL;
}
