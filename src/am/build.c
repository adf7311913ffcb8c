/*
 * build.c
 *	  ambuild: from a heap to published segments.
 *
 * The table is sampled to train the codebook, then scanned once; a segment is
 * finished whenever the builder has used maintenance_work_mem.  Segments are
 * published, and merged as the policy says, as they become many; at the end
 * all of them are merged into one.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "am/am.h"
#include "am/schema.h"
#include "base/rng.h"
#include "errors.h"
#include "lsm/lsm.h"
#include "query/calibrate.h"
#include "query/job.h"
#include "storage/metapage.h"

/* Phases reported in pg_stat_progress_create_index; 1 is the server's own. */
#define PHASE_SAMPLE 2
#define PHASE_TRAIN 3
#define PHASE_LOAD 4
#define PHASE_WRITE 5
#define PHASE_MERGE 6
#define PHASE_CALIBRATE 7

/*
 * Segments written before they are published and merged, and rows that a
 * segment has at least, whatever maintenance_work_mem is: a segment costs some
 * pages and, with many columns, some megabytes of its builder, however few rows it has.
 */
#define BUILD_SEGMENTS 32
#define BUILD_ROWS_MIN 4096

typedef struct BuildState
{
	Relation	index;
	Relation	heap;
	IndexInfo  *info;
	const ElacSchema *schema;
	ElacRowType *type;
	MemoryContext context;		/* of the whole build */
	MemoryContext row_context;
	ElacCodebook *codebook;
	ElacBlobRef codebook_ref;
	uint64		rows_trained;
	ElacSegmentBuilder *builder;
	ElacSegmentRef segments[BUILD_SEGMENTS];	/* written, not yet published */
	int			nsegments;
	int			published;
	bool		codebook_published;
	int64		rows;
} BuildState;

typedef struct SampleState
{
	BuildState *build;
	float	   *vectors;		/* capacity * dim */
	uint64		capacity;
	uint64		nrows;			/* in vectors */
	uint64		seen;
	ElacRng		rng;
} SampleState;

char *
elacbuildphasename(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case PHASE_SAMPLE:
			return "sampling table";
		case PHASE_TRAIN:
			return "training codebook";
		case PHASE_LOAD:
			return "loading tuples";
		case PHASE_WRITE:
			return "writing segment";
		case PHASE_MERGE:
			return "merging segments";
		case PHASE_CALIBRATE:
			return "calibrating";
		default:
			return NULL;
	}
}

static void
build_phase(int phase)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
}

/* Reservoir of vectors, for the codebook. */
static void
build_sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	SampleState *sample = (SampleState *) arg;
	BuildState *build = sample->build;
	int			i = build->schema->vector_column;
	const ElacColumn *column = &build->schema->columns[i];
	uint64		place;
	MemoryContext old;

	if (isnull[i])
		return;
	place = sample->nrows;
	if (sample->nrows == sample->capacity)
	{
		place = elac_rng_below(&sample->rng, sample->seen + 1);
		sample->seen++;
		if (place >= sample->capacity)
			return;
	}
	old = MemoryContextSwitchTo(build->row_context);
	if (((ElacVector *) PG_DETOAST_DATUM(values[i]))->dim == column->dim &&
		elac_vector_prepare(column->metric, column->element, PG_DETOAST_DATUM(values[i]),
							sample->vectors + place * column->dim) == ELAC_VECTOR_FINITE &&
		place == sample->nrows)
	{
		sample->nrows++;
		sample->seen++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->row_context);
}

/* Reads random blocks until the reservoir has seen enough rows. */
static void
build_sample(BuildState *build, SampleState *sample)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(build->heap);
	BlockSamplerData sampler;

	if (nblocks == 0)
		return;
	BlockSampler_Init(&sampler, nblocks, (int) Min(nblocks, PG_INT32_MAX), (uint32) elac_rng_u64(&sample->rng));
	while (BlockSampler_HasMore(&sampler) && sample->nrows < sample->capacity)
	{
		CHECK_FOR_INTERRUPTS();
		table_index_build_range_scan(build->heap, build->index, build->info, false,
									 !build->info->ii_Concurrent, false,
									 BlockSampler_Next(&sampler), 1,
									 build_sample_row, sample, NULL);
	}
}

static void
build_codebook(BuildState *build)
{
	const ElacColumn *column;
	ElacCodebookParams params;
	SampleState sample = {0};
	double		tuples;
	double		allvisfrac;
	BlockNumber pages;
	uint64		memory = (uint64) maintenance_work_mem * 1024;
	uint64		id;
	ElacBlobWriter *writer;

	if (build->schema->vector_column < 0)
		return;
	column = &build->schema->columns[build->schema->vector_column];
	build_phase(PHASE_SAMPLE);
	estimate_rel_size(build->heap, NULL, &pages, &tuples, &allvisfrac);
	params.metric = column->metric;
	params.dim = column->dim;
	params.seed = elac_metapage_get(build->index)->rotation_seed;
	params.nrows = (uint64) Max(tuples, 0);

	sample.build = build;
	sample.capacity = elac_codebook_sample_size(params.nrows, params.dim);
	sample.capacity = Min(sample.capacity, Max(memory / (column->dim * sizeof(float)), 1000));
	sample.capacity = Max(sample.capacity, 1);
	sample.vectors = MemoryContextAllocHuge(build->context, sample.capacity * column->dim * sizeof(float));
	elac_rng_seed(&sample.rng, params.seed);
	build_sample(build, &sample);
	/* an empty table is trained at its first flush */
	if (sample.nrows > 0)
	{
		build_phase(PHASE_TRAIN);
		build->codebook = elac_codebook_train(&params, sample.vectors, sample.nrows);
		id = elac_manifest_allocate_ids(build->index, 1);
		writer = elac_blob_create(build->index, id, NULL, NULL);
		elac_codebook_write(build->codebook, writer);
		elac_blob_finish(writer, &build->codebook_ref);
		elac_codebook_set_id(build->codebook, id);
		build->rows_trained = Max(params.nrows, sample.nrows);
	}
	pfree(sample.vectors);
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
	build_phase(PHASE_MERGE);
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

	build_phase(PHASE_CALIBRATE);
	job = elac_job_begin(build->index, build->heap);
	elac_calibrate(job, true);
	elac_job_end(job);
}

static void
build_finish_segment(BuildState *build)
{
	uint64		id;

	build_phase(PHASE_WRITE);
	id = elac_manifest_allocate_ids(build->index, ELAC_SEGMENT_IDS);
	elac_segment_builder_finish(build->builder, id, elac_pick_level(elac_segment_builder_ndocs(build->builder)),
								NULL, NULL, &build->segments[build->nsegments]);
	build->nsegments++;
	build->builder = NULL;
	if (build->nsegments == BUILD_SEGMENTS)
		build_publish(build, false);
	build_phase(PHASE_LOAD);
}

static void
build_add_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	BuildState *build = (BuildState *) arg;
	MemoryContext old = MemoryContextSwitchTo(build->row_context);
	ElacRow		row;

	elac_row_form(build->type, tid, values, isnull, &row);
	MemoryContextSwitchTo(build->context);
	if (build->builder == NULL)
		build->builder = elac_segment_builder_begin(index, build->type, build->codebook);
	elac_segment_builder_add(build->builder, &row);
	if (elac_segment_builder_memory(build->builder) >= (Size) maintenance_work_mem * 1024 &&
		elac_segment_builder_ndocs(build->builder) >= BUILD_ROWS_MIN)
		build_finish_segment(build);
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->row_context);
	build->rows++;
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, build->rows);
}

/*
 * Rows with a vector may turn up although the sample had none (all of its
 * blocks held NULLs): they then share one list around zero until the codebook
 * is trained again.
 */
static void
build_codebook_fallback(BuildState *build)
{
	ElacCodebookParams params;
	const ElacColumn *column;
	uint64		id;
	ElacBlobWriter *writer;

	if (build->schema->vector_column < 0 || build->codebook != NULL)
		return;
	column = &build->schema->columns[build->schema->vector_column];
	params.metric = column->metric;
	params.dim = column->dim;
	params.seed = elac_metapage_get(build->index)->rotation_seed;
	params.nrows = 0;
	build->codebook = elac_codebook_train(&params, NULL, 0);
	id = elac_manifest_allocate_ids(build->index, 1);
	writer = elac_blob_create(build->index, id, NULL, NULL);
	elac_codebook_write(build->codebook, writer);
	elac_blob_finish(writer, &build->codebook_ref);
	elac_codebook_set_id(build->codebook, id);
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
	build->row_context = AllocSetContextCreate(build->context, "elacsym build row", ALLOCSET_DEFAULT_SIZES);
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
	build_codebook(&build);
	if (RelationGetNumberOfBlocks(heap) > 0)
		build_codebook_fallback(&build);
	build_phase(PHASE_LOAD);
	result->heap_tuples = table_index_build_scan(heap, index, info, true, true, build_add_row, &build, NULL);
	if (build.builder != NULL)
		build_finish_segment(&build);
	build_publish(&build, true);
	build_calibrate(&build);
	result->index_tuples = build.rows;
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
