/*
 * build_train.c
 *	  The codebook of an index being built: a sample of the table, training,
 *	  and the blob that holds the result.
 *
 * The table is gone through in passes, each of every 32nd block, until the
 * sample is full: rows of all ages are in it, in a table that lies in the order
 * of time, too.  The rows met on the way tell how many vectors the index will
 * have, whatever a predicate or NULLs leave of the table's rows.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "am/build_private.h"
#include "base/rng.h"
#include "lsm/lsm.h"
#include "segment/row.h"
#include "storage/metapage.h"

/* Rows read whatever the table is believed to have. */
#define BUILD_SAMPLE_MIN 2000

/* Each pass reads one block in so many; the sample ends with a pass. */
#define TRAIN_PASSES 32

typedef struct SampleState
{
	const ElacColumn *column;
	int			position;		/* of the column */
	MemoryContext row_context;
	ElacTrainer *trainer;
	float	   *vector;
	ElacRng		rng;
} SampleState;

static void
train_sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	SampleState *sample = arg;
	MemoryContext old;

	if (isnull[sample->position])
		return;
	old = MemoryContextSwitchTo(sample->row_context);
	if (elac_row_form_vector(sample->column, values[sample->position], sample->vector) == ELAC_VECTOR_FINITE)
		elac_trainer_add(sample->trainer, sample->vector);
	MemoryContextSwitchTo(old);
	MemoryContextReset(sample->row_context);
}

/* Reads blocks from all over the table until there are enough rows; returns the number of vectors in the table, estimated. */
static uint64
train_sample(SampleState *sample, uint64 wanted, Relation heap, Relation index, IndexInfo *info)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	BlockNumber nread = 0;
	uint32		start = (uint32) elac_rng_below(&sample->rng, TRAIN_PASSES);

	pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, nblocks);
	for (uint32 pass = 0; pass < TRAIN_PASSES && elac_trainer_count(sample->trainer) < wanted; pass++)
	{
		/* 13 and the number of passes have no common divisor: each once, far from the one before */
		for (uint64 block = (start + 13 * pass) % TRAIN_PASSES; block < nblocks; block += TRAIN_PASSES)
		{
			CHECK_FOR_INTERRUPTS();
			table_index_build_range_scan(heap, index, info, false, !info->ii_Concurrent, false,
										 (BlockNumber) block, 1, train_sample_row, sample, NULL);
			nread++;
			pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, nread);
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) elac_trainer_count(sample->trainer));
		}
	}
	return (uint64) ((double) elac_trainer_count(sample->trainer) * nblocks / Max(nread, 1));
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
	sample.vector = palloc(column->dim * sizeof(float));
	sample.trainer = elac_trainer_begin(&params, (Size) maintenance_work_mem * 1024);
	elac_rng_seed(&sample.rng, params.seed);
	params.nrows = train_sample(&sample, Max(elac_codebook_sample_wanted(params.nrows), BUILD_SAMPLE_MIN), heap, index, info);

	/*
	 * Without a vector in the sample rows may still have one (all blocks read
	 * held NULLs): they then share one list around zero until the codebook is
	 * trained again.
	 */
	elac_build_phase(ELAC_BUILD_TRAIN);
	elac_trainer_set_rows(sample.trainer, params.nrows);
	codebook = elac_trainer_finish(sample.trainer);
	train_write(index, codebook, ref);
	*rows = params.nrows;
	pfree(sample.vector);
	MemoryContextDelete(sample.row_context);
	return codebook;
}
