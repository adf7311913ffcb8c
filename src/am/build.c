/*
 * build.c
 *	  ambuild: from a heap to a published segment.
 *
 *		build_train.c		sample of the table -> codebook
 *		build_parallel.c	table -> rows coded and sorted by list, in several
 *							processes when allowed
 *		here				sorted rows -> segment -> publish -> calibrate
 *
 * A row is written once.  Only attributes that do not fit into
 * maintenance_work_mem make several segments, which are then merged.
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "am/build_private.h"
#include "am/schema.h"
#include "errors.h"
#include "lsm/lsm.h"
#include "query/calibrate.h"
#include "query/job.h"
#include "storage/metapage.h"

/*
 * Segments written before they are published and merged, and rows that a
 * segment has at least, whatever maintenance_work_mem is: a segment costs some
 * pages and, with many columns, some megabytes of its writers, however few rows it has.
 */
#define BUILD_SEGMENTS 32
#define BUILD_ROWS_MIN 4096

/* Bounds of a buffer of codes while a segment is written. */
#define BUILD_SPOOL_MIN ((Size) 64 * 1024)
#define BUILD_SPOOL_MAX ((Size) 16 * 1024 * 1024)

typedef struct BuildState
{
	Relation	index;
	Relation	heap;
	IndexInfo  *info;
	const ElacSchema *schema;
	ElacRowType *type;
	MemoryContext context;		/* of the whole build */
	ElacCodebook *codebook;		/* NULL without a vector column or a row */
	ElacBlobRef codebook_ref;
	uint64		rows_trained;
	int			cut;			/* that rows are coded for */
	ElacSegmentStream *stream;	/* NULL between segments */
	ElacSegmentRef segments[BUILD_SEGMENTS];	/* written, not yet published */
	int			nsegments;
	int			published;
	bool		codebook_published;
} BuildState;

char *
elacbuildphasename(int64 phase)
{
	if (phase == PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE)
		return "initializing";
	switch ((ElacBuildPhase) phase)
	{
		case ELAC_BUILD_SAMPLE:
			return "sampling table";
		case ELAC_BUILD_TRAIN:
			return "training codebook";
		case ELAC_BUILD_LOAD:
			return "loading tuples";
		case ELAC_BUILD_SORT:
			return "sorting tuples";
		case ELAC_BUILD_WRITE:
			return "writing segment";
		case ELAC_BUILD_MERGE:
			return "merging segments";
		case ELAC_BUILD_CALIBRATE:
			return "calibrating";
	}
	return NULL;
}

void
elac_build_phase(ElacBuildPhase phase)
{
	const int	index[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_CREATEIDX_TUPLES_DONE,
	PROGRESS_SCAN_BLOCKS_TOTAL, PROGRESS_SCAN_BLOCKS_DONE};
	const int64 values[] = {phase, 0, 0, 0, 0};

	pgstat_progress_update_multi_param(lengthof(index), index, values);
}

/*
 * Publishes what has been written and merges as the policy says or, with
 * everything, into one segment.  Nobody else reads the index yet, so what
 * merges leave behind is free at once.
 */
static void
build_publish(BuildState *build, bool everything)
{
	ElacJob    *job;

	elac_lsm_publish_build(build->index, build->codebook_published || build->codebook == NULL ? NULL : &build->codebook_ref,
						   build->rows_trained, build->segments, build->nsegments);
	build->codebook_published = true;
	build->published += build->nsegments;
	build->nsegments = 0;
	if (build->published < 2)
		return;
	elac_build_phase(ELAC_BUILD_MERGE);
	job = elac_job_begin(build->index, build->heap);
	job->unshared = true;
	elac_lsm_compact(job, everything);
	elac_lsm_retire(job);
	elac_job_end(job);
}

/* How far queries have to look, measured on what was built. */
static void
build_calibrate(BuildState *build)
{
	ElacJob    *job;

	elac_build_phase(ELAC_BUILD_CALIBRATE);
	job = elac_job_begin(build->index, build->heap);
	elac_calibrate(job, true);
	elac_job_end(job);
}

static void
build_finish_segment(BuildState *build)
{
	uint32		level = elac_pick_level(elac_segment_stream_ndocs(build->stream));

	elac_segment_stream_finish(build->stream, level, &build->segments[build->nsegments]);
	build->nsegments++;
	build->stream = NULL;
}

/* Of documents, or of memory; attributes are kept there until a segment ends. */
static bool
build_segment_is_full(const BuildState *build)
{
	uint32		ndocs = elac_segment_stream_ndocs(build->stream);

	return ndocs >= ELAC_SEGMENT_DOCS_MAX ||
		(ndocs >= BUILD_ROWS_MIN && ndocs % 64 == 0 &&
		 elac_segment_stream_memory(build->stream) >= (Size) maintenance_work_mem * 1024 / 2);
}

/* Writes the sorted rows: one segment, unless it would be too large. */
static void
build_write(BuildState *build, ElacBuildLoad *load)
{
	Size		memory = (Size) maintenance_work_mem * 1024;
	Size		spool = Min(Max(memory / 16, BUILD_SPOOL_MIN), BUILD_SPOOL_MAX);
	ElacSortedRow row;
	int64		rows = 0;

	elac_build_phase(ELAC_BUILD_WRITE);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, (int64) load->index_tuples);
	while (elac_rowsort_next(load->sort, &row))
	{
		CHECK_FOR_INTERRUPTS();
		if (build->stream == NULL)
			build->stream = elac_segment_stream_begin(build->index, build->type, build->codebook, build->cut,
													  elac_manifest_allocate_ids(build->index, ELAC_SEGMENT_IDS), spool,
													  elac_rowsort_texts(load->sort));
		elac_segment_stream_add(build->stream, &row);
		if (++rows % 64 == 0)
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, rows);
		if (build_segment_is_full(build))
		{
			build_finish_segment(build);
			if (build->nsegments == BUILD_SEGMENTS)
			{
				elac_build_load_detach(load);
				build_publish(build, false);
				elac_build_phase(ELAC_BUILD_WRITE);
				pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, (int64) load->index_tuples);
			}
		}
	}
	if (build->stream != NULL)
		build_finish_segment(build);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, rows);
}

/* Sorts the table's rows and writes them. */
static void
build_load(BuildState *build, IndexBuildResult *result)
{
	ElacRowSortParams params = {0};
	ElacBuildLoad load;

	params.index = build->index;
	params.type = build->type;
	params.codebook = build->codebook;
	params.cut = build->cut;
	elac_build_phase(ELAC_BUILD_LOAD);
	elac_build_load_begin(build->heap, build->info, &params, &build->codebook_ref, &load);
	/* what compactions compare with counts rows without a vector, too; not when training saw no vector at all */
	if (build->rows_trained > 0)
		build->rows_trained = load.index_tuples;
	build_write(build, &load);
	result->heap_tuples = load.heap_tuples;
	result->index_tuples = load.index_tuples;
	elac_build_load_end(&load);
}

static void
build_init(BuildState *build, Relation heap, Relation index, IndexInfo *info)
{
	Oid			configs[ELAC_MAX_COLUMNS];
	ElacSchema *schema;

	memset(build, 0, sizeof(BuildState));
	build->index = index;
	build->heap = heap;
	build->info = info;
	build->context = AllocSetContextCreate(CurrentMemoryContext, "elacsym build", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(build->context);

	schema = elac_schema_form(index, configs);
	elac_code_choice(heap, index, schema);
	elac_metapage_create(index, MAIN_FORKNUM, schema);
	elac_manifest_create(index, MAIN_FORKNUM);
	elac_schema_record_dependencies(index, schema, configs);
	build->schema = schema;
	build->type = elac_row_type(index, schema);
}

IndexBuildResult *
elacbuild(Relation heap, Relation index, IndexInfo *info)
{
	MemoryContext old = CurrentMemoryContext;
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	BuildState	build;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	if (info->ii_ExclusionOps != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method \"elacsym\" does not support exclusion constraints")));

	build_init(&build, heap, index, info);
	if (build.schema->vector_column >= 0)
	{
		uint64		rows;

		build.codebook = elac_build_train(heap, index, info, build.schema, &build.codebook_ref, &rows);
		build.rows_trained = rows;
		if (build.codebook != NULL)
			build.cut = elac_codebook_cut(build.codebook, rows);
	}
	/* rows of a table that has no block yet are none that this index must have */
	if (build.schema->vector_column < 0 || build.codebook != NULL)
		build_load(&build, result);
	build_publish(&build, true);
	build_calibrate(&build);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(build.context);
	return result;
}

void
elacbuildempty(Relation index)
{
	Oid			configs[ELAC_MAX_COLUMNS];
	ElacSchema *schema = elac_schema_form(index, configs);
	Relation	heap = table_open(index->rd_index->indrelid, NoLock);

	elac_code_choice(heap, index, schema);
	table_close(heap, NoLock);
	elac_metapage_create(index, INIT_FORKNUM, schema);
	elac_manifest_create(index, INIT_FORKNUM);
}
