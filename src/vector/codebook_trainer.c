/*
 * codebook_trainer.c
 *	  Training on a sample of any size within a given memory.
 *
 * Vectors are added one by one, in any order.  What fits is trained on by
 * codebook_train.c.  Otherwise all of them go to a temporary file, while a
 * reservoir of them stays in memory; then
 *
 * 1. the reservoir is clustered into parts small enough for memory,
 * 2. each vector of the file goes to the file of its part,
 * 3. each part is read and gets leaves in proportion to its vectors,
 * 4. the tree is grown, and a last reading of the parts' files makes each leaf
 *	  the mean of what falls to it.
 *
 * What is bounded is the sample; leaves and tree are as large as the codebook
 * that is asked for.  Caller holds a resource owner: files go away with it.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "vector/codebook_train.h"
#include "vector/codebook_tree.h"
#include "vector/codespool.h"
#include "vector/kmeans.h"

#define TRAINER_ROWS_MIN 256	/* in memory, however large they are */
#define TRAINER_PARTS_MAX 1024
#define TRAINER_PART_POINTS 128 /* of the reservoir, to find a part's centroid */
#define TRAINER_FILE_BYTES ((Size) 16 * 1024)	/* an open temporary file, with its buffer */
#define TRAINER_ITERATIONS 10

struct ElacTrainer
{
	MemoryContext context;
	ElacCodebookParams params;
	Size		memory;
	Size		row;			/* bytes */
	uint64		capacity;		/* vectors in memory */
	uint64		allocated;		/* of them */
	uint64		n;				/* added */
	float	   *vectors;		/* all, or the reservoir; later what is being worked on */
	bool		spilled;
	ElacCodeSpool all;
	ElacRng		rng;
	/* parts */
	uint32		nparts;
	uint64	   *counts;
	ElacCodeSpool *parts;
};

ElacTrainer *
elac_trainer_begin(const ElacCodebookParams *params, Size memory)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym trainer", ALLOCSET_DEFAULT_SIZES);
	ElacTrainer *trainer = MemoryContextAllocZero(context, sizeof(ElacTrainer));

	trainer->context = context;
	trainer->params = *params;
	trainer->memory = memory;
	trainer->row = params->dim * sizeof(float);
	trainer->capacity = Max(memory / 2 / trainer->row, TRAINER_ROWS_MIN);
	elac_rng_seed(&trainer->rng, params->seed + 2);
	return trainer;
}

void
elac_trainer_set_rows(ElacTrainer *trainer, uint64 nrows)
{
	trainer->params.nrows = nrows;
}

uint64
elac_trainer_count(const ElacTrainer *trainer)
{
	return trainer->n;
}

static void
trainer_grow(ElacTrainer *trainer)
{
	uint64		wanted = Min(Max(trainer->allocated * 2, TRAINER_ROWS_MIN), trainer->capacity);

	trainer->vectors = trainer->vectors == NULL
		? palloc_extended(wanted * trainer->row, MCXT_ALLOC_HUGE)
		: repalloc_huge(trainer->vectors, wanted * trainer->row);
	trainer->allocated = wanted;
}

void
elac_trainer_add(ElacTrainer *trainer, const float *vector)
{
	MemoryContext old = MemoryContextSwitchTo(trainer->context);
	uint64		place = trainer->n;

	if (trainer->n == UINT32_MAX)
		elog(ERROR, "sample of a codebook is too large");
	if (trainer->n >= trainer->capacity)
	{
		if (!trainer->spilled)
		{
			elac_codespool_init(&trainer->all, 0);
			for (uint64 i = 0; i < trainer->n; i++)
				elac_codespool_put(&trainer->all, (char *) trainer->vectors + i * trainer->row, trainer->row);
			trainer->spilled = true;
		}
		elac_codespool_put(&trainer->all, vector, trainer->row);
		place = elac_rng_below(&trainer->rng, trainer->n + 1);
	}
	else if (trainer->n == trainer->allocated)
		trainer_grow(trainer);
	if (place < trainer->capacity)
		memcpy((char *) trainer->vectors + place * trainer->row, vector, trainer->row);
	trainer->n++;
	MemoryContextSwitchTo(old);
}

/* Reads the next vectors of a spool into trainer->vectors; returns how many. */
static uint64
trainer_read(ElacTrainer *trainer, ElacCodeSpool *spool, uint64 left)
{
	uint64		n = Min(left, Min(trainer->capacity, 4096));

	CHECK_FOR_INTERRUPTS();
	elac_codespool_take(spool, trainer->vectors, n * trainer->row);
	return n;
}

/* Clusters the reservoir and gives each vector to its part. */
static void
trainer_split(ElacTrainer *trainer, uint64 nleaves)
{
	uint64		wanted = Max((uint64) ceil(sqrt((double) nleaves)), trainer->n * 4 / trainer->capacity + 1);
	uint64		bound = Max(trainer->memory / 2 / TRAINER_FILE_BYTES, 8);
	ElacKmeans	input = {0};
	float	   *centroids;
	uint32	   *assignment = palloc_extended(trainer->capacity * sizeof(uint32), MCXT_ALLOC_HUGE);

	wanted = Min(Min(wanted, bound), TRAINER_PARTS_MAX);
	centroids = palloc_extended(wanted * trainer->row, MCXT_ALLOC_HUGE);
	input.points = trainer->vectors;
	input.n = Min(trainer->capacity, wanted * TRAINER_PART_POINTS);
	input.dim = trainer->params.dim;
	input.k = (uint32) wanted;
	input.iterations = TRAINER_ITERATIONS;
	input.rng = &trainer->rng;
	trainer->nparts = elac_kmeans_run(&input, centroids, assignment);

	trainer->counts = palloc0(trainer->nparts * sizeof(uint64));
	trainer->parts = palloc(trainer->nparts * sizeof(ElacCodeSpool));
	for (uint32 p = 0; p < trainer->nparts; p++)
		elac_codespool_init(&trainer->parts[p], 0);
	elac_codespool_rewind(&trainer->all);
	for (uint64 done = 0; done < trainer->n;)
	{
		uint64		n = trainer_read(trainer, &trainer->all, trainer->n - done);

		input.n = n;
		elac_kmeans_assign_all(&input, centroids, trainer->nparts, assignment);
		for (uint64 i = 0; i < n; i++)
		{
			trainer->counts[assignment[i]]++;
			elac_codespool_put(&trainer->parts[assignment[i]], (char *) trainer->vectors + i * trainer->row,
							   trainer->row);
		}
		done += n;
	}
	elac_codespool_free(&trainer->all);
	pfree(centroids);
	pfree(assignment);
}

/* Makes the leaves of a part: of all its vectors, or of as many as memory takes. */
static void
trainer_train_part(ElacTrainer *trainer, ElacTrain *train, uint32 part, uint64 nleaves)
{
	uint64		count = trainer->counts[part];
	uint64		n = Min(count, trainer->capacity);
	uint64		taken = 0;
	uint32	   *members;
	float	   *skipped = palloc(trainer->row);

	if (count == 0)
		return;
	elac_codespool_rewind(&trainer->parts[part]);
	for (uint64 i = 0; i < count; i++)
	{
		bool		take = elac_rng_below(&trainer->rng, count - i) < n - taken;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		elac_codespool_take(&trainer->parts[part],
							take ? (char *) trainer->vectors + taken * trainer->row : (char *) skipped, trainer->row);
		if (take)
			taken++;
	}
	members = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < n; i++)
		members[i] = (uint32) i;
	train->sample = trainer->vectors;
	train->nsample = n;
	elac_train_leaves(train, members, n, (uint32) Max(rint((double) nleaves * count / trainer->n), 1), 0);
	pfree(members);
	pfree(skipped);
}

/* Every leaf becomes the mean of the vectors that fall to it. */
static void
trainer_settle(ElacTrainer *trainer, ElacCodebook *codebook)
{
	int			dim = codebook->params.dim;
	ElacCodebookCut *leaves = &codebook->cuts[codebook->ncuts - 1];
	uint64	   *counts = palloc_extended(leaves->nlists * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	float	   *sums = palloc_extended(leaves->nlists * trainer->row, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *assigned = palloc_extended(trainer->capacity * sizeof(uint32), MCXT_ALLOC_HUGE);
	ElacAssigner *assigner;

	elac_codebook_average_tree(codebook, counts);
	assigner = elac_assigner_begin(codebook, 0);
	for (uint32 p = 0; p < trainer->nparts; p++)
	{
		elac_codespool_rewind(&trainer->parts[p]);
		for (uint64 done = 0; done < trainer->counts[p];)
		{
			uint64		n = trainer_read(trainer, &trainer->parts[p], trainer->counts[p] - done);

			elac_assigner_assign(assigner, trainer->vectors, n, assigned);
			for (uint64 i = 0; i < n; i++)
			{
				const float *vector = trainer->vectors + i * dim;
				const float *centroid = leaves->centroids + (Size) assigned[i] * dim;
				float	   *sum = sums + (Size) assigned[i] * dim;

				/* of differences: small, so that floats are enough */
				for (int d = 0; d < dim; d++)
					sum[d] += vector[d] - centroid[d];
				counts[assigned[i]]++;
			}
			done += n;
		}
		elac_codespool_free(&trainer->parts[p]);
	}
	elac_assigner_end(assigner);
	for (uint32 leaf = 0; leaf < leaves->nlists; leaf++)
		for (int d = 0; d < dim && counts[leaf] > 0; d++)
		{
			float	   *component = &leaves->centroids[(Size) leaf * dim + d];
			float		mean = *component + sums[(Size) leaf * dim + d] / counts[leaf];

			if (isfinite(mean))
				*component = mean;
		}
	elac_codebook_average_tree(codebook, counts);
	pfree(counts);
	pfree(sums);
	pfree(assigned);
}

static ElacCodebook *
trainer_train_spilled(ElacTrainer *trainer, MemoryContext result, uint64 nleaves)
{
	ElacCodebook *codebook;
	ElacTrain	train = {0};
	uint32	   *order;

	trainer_split(trainer, nleaves);
	train.params = &trainer->params;
	train.rng = trainer->rng;
	elac_train_make_room(&train, nleaves);
	for (uint32 p = 0; p < trainer->nparts; p++)
		trainer_train_part(trainer, &train, p, nleaves);
	order = palloc_extended(train.nleaves * sizeof(uint32), MCXT_ALLOC_HUGE);
	MemoryContextSwitchTo(result);
	codebook = elac_codebook_create(&trainer->params);
	elac_codebook_grow_tree(codebook, train.leaves, train.nleaves, &train.rng, order);
	MemoryContextSwitchTo(trainer->context);
	pfree(train.leaves);
	pfree(order);
	trainer_settle(trainer, codebook);
	elac_codebook_seal(codebook);
	return codebook;
}

ElacCodebook *
elac_trainer_finish(ElacTrainer *trainer)
{
	MemoryContext result = CurrentMemoryContext;
	uint64		nleaves = Min(elac_train_leaves_wanted(trainer->params.nrows), trainer->n / ELAC_SAMPLE_PER_LEAF_MIN);
	ElacCodebook *codebook;

	if (trainer->spilled && nleaves >= 2)
	{
		MemoryContextSwitchTo(trainer->context);
		codebook = trainer_train_spilled(trainer, result, nleaves);
		MemoryContextSwitchTo(result);
	}
	else
	{
		/* one list: the reservoir's mean is as good as any */
		codebook = elac_codebook_train(&trainer->params, trainer->vectors, Min(trainer->n, trainer->capacity));
		if (trainer->spilled)
			elac_codespool_free(&trainer->all);
	}
	MemoryContextDelete(trainer->context);
	return codebook;
}
