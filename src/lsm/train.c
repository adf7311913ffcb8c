/*
 * train.c
 *	  Trains and writes the codebook of an index.
 *
 * Owns the choice of the sample: rows at random, chosen in one pass (selection
 * sampling: row i of n is taken with probability missing / left), from a seed
 * that depends on the index and on nothing else, so that a run can be repeated.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/rng.h"
#include "lsm/lane_reader.h"
#include "lsm/train.h"
#include "storage/metapage.h"

typedef struct TrainSample
{
	ElacCodebookParams params;
	ElacRng		rng;
	uint64		left;			/* rows not yet offered */
	uint64		missing;		/* rows still to be taken */
	ElacTrainer *trainer;
	float	   *vector;			/* the row at hand: params.dim floats */
} TrainSample;

static void
train_begin(TrainSample *sample, ElacSnapshot *snapshot, uint64 nrows)
{
	const ElacSchema *schema = snapshot->type->schema;
	const ElacColumn *column = &schema->columns[schema->vector_column];

	memset(sample, 0, sizeof(*sample));
	sample->params.metric = column->metric;
	sample->params.dim = column->dim;
	sample->params.seed = elac_metapage_get(snapshot->index)->rotation_seed;
	sample->params.nrows = nrows;
	elac_rng_seed(&sample->rng, sample->params.seed + snapshot->manifest->generation);
	sample->left = nrows;
	sample->missing = elac_codebook_sample_wanted(nrows);
	sample->vector = palloc(column->dim * sizeof(float));
	sample->trainer = elac_trainer_begin(&sample->params, (Size) maintenance_work_mem * 1024);
}

/* Whether the next row offered is to be taken. */
static bool
train_take(TrainSample *sample)
{
	bool		take = sample->left > 0 && elac_rng_below(&sample->rng, sample->left) < sample->missing;

	if (sample->left > 0)
		sample->left--;
	if (take)
		sample->missing--;
	return take;
}

void
elac_train_write(Relation index, ElacCodebook *codebook, ElacBlobRef *ref)
{
	uint64		id = elac_manifest_allocate_ids(index, 1);
	ElacBlobWriter *writer = elac_blob_create(index, id, NULL, NULL);

	elac_codebook_write(codebook, writer);
	elac_blob_finish(writer, ref);
	elac_codebook_set_id(codebook, id);
}

static ElacCodebook *
train_finish(TrainSample *sample, Relation index, ElacBlobRef *ref)
{
	ElacCodebook *codebook = elac_trainer_finish(sample->trainer);

	pfree(sample->vector);
	elac_train_write(index, codebook, ref);
	return codebook;
}

ElacCodebook *
elac_train_from_delta(ElacSnapshot *snapshot, uint64 nvectors, ElacBlobRef *ref)
{
	TrainSample sample;

	train_begin(&sample, snapshot, nvectors);
	for (uint32 i = 0; i < snapshot->manifest->nfrozen; i++)
	{
		ElacLaneReader *reader = elac_lane_reader_begin(snapshot->index, snapshot->type,
														&snapshot->manifest->frozen[i]);
		ElacDeltaRecord record;

		while (elac_lane_reader_next(reader, &record))
		{
			if (record.attrs != NULL)
				pfree(record.attrs);
			if ((record.header.flags & ELAC_DELTA_DEAD) != 0 ||
				record.header.vector_class != ELAC_VECTOR_FINITE || !train_take(&sample))
				continue;
			elac_lane_reader_vector(reader, &record.header, sample.vector);
			elac_trainer_add(sample.trainer, sample.vector);
		}
		elac_lane_reader_end(reader);
	}
	return train_finish(&sample, snapshot->index, ref);
}

static int
train_compare_tid(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) a, (ItemPointer) b);
}

/* Documents of a segment that have a finite vector: its first ones. */
static uint32
train_finite(ElacSegment *segment)
{
	ElacVectorReader *vector = elac_segment_vector(segment);
	ElacDoc		nfinite;
	ElacDoc		last;

	/* the list of NaN begins where the finite ones end */
	elac_vector_list_range(vector, elac_vector_nlists(vector), &nfinite, &last);
	return nfinite;
}

static ElacBitmap *
train_live(ElacSnapshot *snapshot, ElacSegment *segment)
{
	uint32		ndead;

	return elac_live_read(snapshot->index, elac_segment_ref(segment), &ndead);
}

/* Live rows that have a vector: lists are made for these, whatever other rows there are. */
static uint64
train_count(ElacSnapshot *snapshot)
{
	uint64		count = 0;

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		ElacSegment *segment = elac_snapshot_segment(snapshot, i);

		CHECK_FOR_INTERRUPTS();
		count += elac_bitmap_count_range(train_live(snapshot, segment), 0, train_finite(segment));
	}
	return count;
}

/* Chooses live rows of one segment that have a vector; returns how many tids were added. */
static uint64
train_choose(TrainSample *sample, ElacSnapshot *snapshot, int segment, ItemPointerData *tids)
{
	ElacSegment *source = elac_snapshot_segment(snapshot, segment);
	ItemPointerData *all = elac_segment_tids(source);
	uint32		nfinite = train_finite(source);
	ElacBitmap *live = train_live(snapshot, source);
	uint64		n = 0;

	for (ElacDoc doc = 0; doc < nfinite; doc++)
		if (elac_bitmap_get(live, doc) && train_take(sample))
			tids[n++] = all[doc];
	pfree(all);
	return n;
}

ElacCodebook *
elac_train_from_heap(ElacJob *job, ElacSnapshot *snapshot, ElacBlobRef *ref)
{
	TrainSample sample;
	ItemPointerData *tids;
	uint64		ntids = 0;

	train_begin(&sample, snapshot, train_count(snapshot));
	tids = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(Max(sample.missing, 1), sizeof(ItemPointerData)));
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ntids += train_choose(&sample, snapshot, i, tids + ntids);
	}
	/* in the heap's order: each page is read once */
	qsort(tids, ntids, sizeof(ItemPointerData), train_compare_tid);
	for (uint64 i = 0; i < ntids; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (job->fetch(job->fetch_arg, &tids[i], sample.vector) == ELAC_VECTOR_FINITE)
			elac_trainer_add(sample.trainer, sample.vector);
	}
	pfree(tids);
	return train_finish(&sample, snapshot->index, ref);
}
