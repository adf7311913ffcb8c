/*
 * build_train.c
 *	  The codebook of an index being built: a sample of the table, training,
 *	  and the blob that holds the result.
 *
 * Random blocks are read until the sample is full; the rows met on the way
 * tell how many vectors the index will have, whatever a predicate or NULLs
 * leave of the table's rows.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "am/build_private.h"
#include "base/rng.h"
#include "lsm/lsm.h"
#include "segment/row.h"
#include "storage/metapage.h"

typedef struct SampleState
{
	const ElacColumn *column;
	int			position;		/* of the column */
	MemoryContext row_context;
	float	   *vectors;		/* capacity * dim */
	uint64		capacity;
	uint64		nrows;			/* in vectors */
	uint64		seen;			/* finite vectors met */
	ElacRng		rng;
} SampleState;

/* Reservoir of vectors. */
static void
train_sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	SampleState *sample = arg;
	const ElacColumn *column = sample->column;
	uint64		place = sample->nrows;
	ElacVectorClass class;
	float	   *dst;
	MemoryContext old;

	if (isnull[sample->position])
		return;
	if (sample->nrows == sample->capacity)
	{
		place = elac_rng_below(&sample->rng, sample->seen + 1);
		if (place >= sample->capacity)
		{
			sample->seen++;
			return;
		}
	}
	dst = sample->vectors + place * column->dim;
	old = MemoryContextSwitchTo(sample->row_context);
	class = elac_row_form_vector(column, values[sample->position], dst);
	MemoryContextSwitchTo(old);
	MemoryContextReset(sample->row_context);
	if (class != ELAC_VECTOR_FINITE)
	{
		/* prepared into zeros: a place already taken has lost its vector */
		if (place < sample->nrows)
			memcpy(dst, sample->vectors + (sample->nrows - 1) * column->dim, column->dim * sizeof(float));
		return;
	}
	if (place == sample->nrows)
		sample->nrows++;
	sample->seen++;
}

/* Reads random blocks until the sample is full; returns the number of vectors in the table, estimated. */
static uint64
train_sample(SampleState *sample, Relation heap, Relation index, IndexInfo *info)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	BlockNumber nread = 0;
	BlockSamplerData sampler;

	if (nblocks == 0)
		return 0;
	pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, nblocks);
	BlockSampler_Init(&sampler, nblocks, (int) Min(nblocks, PG_INT32_MAX), (uint32) elac_rng_u64(&sample->rng));
	while (BlockSampler_HasMore(&sampler) && sample->nrows < sample->capacity)
	{
		CHECK_FOR_INTERRUPTS();
		table_index_build_range_scan(heap, index, info, false, !info->ii_Concurrent, false,
									 BlockSampler_Next(&sampler), 1, train_sample_row, sample, NULL);
		nread++;
		pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, nread);
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) sample->seen);
	}
	return (uint64) ((double) sample->seen * nblocks / Max(nread, 1));
}

/* Writes the codebook's blob. */
static void
train_write(Relation index, ElacCodebook *codebook, ElacBlobRef *ref)
{
	uint64		id = elac_manifest_allocate_ids(index, 1);
	ElacBlobWriter *writer = elac_blob_create(index, id, NULL, NULL);

	elac_codebook_write(codebook, writer);
	elac_blob_finish(writer, ref);
	elac_codebook_set_id(codebook, id);
}

ElacCodebook *
elac_build_train(Relation heap, Relation index, IndexInfo *info, const ElacSchema *schema, ElacBlobRef *ref,
				 uint64 *rows)
{
	const ElacColumn *column = &schema->columns[schema->vector_column];
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	ElacCodebookParams params;
	SampleState sample = {0};
	ElacCodebook *codebook;
	double		tuples;
	double		allvisfrac;
	BlockNumber pages;

	*rows = 0;
	if (nblocks == 0)
		return NULL;			/* an empty table is trained at its first flush */
	elac_build_phase(ELAC_BUILD_SAMPLE);
	estimate_rel_size(heap, NULL, &pages, &tuples, &allvisfrac);
	params.metric = column->metric;
	params.dim = column->dim;
	params.seed = elac_metapage_get(index)->rotation_seed;
	params.nrows = (uint64) Max(tuples, 0);

	sample.column = column;
	sample.position = schema->vector_column;
	sample.row_context = AllocSetContextCreate(CurrentMemoryContext, "elacsym sample row", ALLOCSET_DEFAULT_SIZES);
	sample.capacity = Max(elac_codebook_sample_size(params.nrows, params.dim), 1);
	sample.vectors = palloc_extended(sample.capacity * column->dim * sizeof(float), MCXT_ALLOC_HUGE);
	elac_rng_seed(&sample.rng, params.seed);
	params.nrows = train_sample(&sample, heap, index, info);

	/*
	 * Without a vector in the sample rows may still have one (all blocks read
	 * held NULLs): they then share one list around zero until the codebook is
	 * trained again.
	 */
	elac_build_phase(ELAC_BUILD_TRAIN);
	codebook = elac_codebook_train(&params, sample.vectors, sample.nrows);
	train_write(index, codebook, ref);
	*rows = params.nrows;
	pfree(sample.vectors);
	MemoryContextDelete(sample.row_context);
	return codebook;
}
