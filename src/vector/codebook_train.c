/*
 * codebook_train.c
 *	  Makes a codebook from a sample: leaves by hierarchical k-means, a tree
 *	  above them, one pass that settles both.
 *
 * 1. Leaves.  Flat k-means with K clusters costs n * K; splitting first into
 *	  sqrt(K) parts and then each part in proportion to its rows costs
 *	  n * sqrt(K), and gives dense regions more leaves, which balances them.
 * 2. Tree above them: codebook_tree.c.
 * 3. Settling.  The sample is assigned through the tree as rows will be, and
 *	  every centroid becomes the mean of what fell to it.
 *
 * Working memory is in a context of its own, about 12 bytes a sample row
 * beside the centroids; the sample itself is the caller's.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "vector/codebook_train.h"
#include "vector/codebook_tree.h"
#include "vector/kmeans.h"

/* Sample rows wanted for a leaf. */
#define ELAC_SAMPLE_PER_LEAF 64

/* Up to this many clusters are made flat. */
#define ELAC_TRAIN_FLAT 128
#define ELAC_TRAIN_DEPTH 8

#define ELAC_TRAIN_ITERATIONS 10

uint64
elac_train_leaves_wanted(uint64 nrows)
{
	uint64		leaves = nrows / ELAC_LIST_TARGET;

	if (nrows < ELAC_LIST_MIN_ROWS)
		return 1;
	/* leaf numbers are 32 bits wide; 2^31 leaves serve 3e11 rows */
	return Min(leaves, UINT64_C(1) << 31);
}

uint64
elac_codebook_sample_wanted(uint64 nrows)
{
	uint64		leaves = elac_train_leaves_wanted(nrows);

	/* one list needs its mean only */
	return Min(leaves == 1 ? ELAC_LIST_MIN_ROWS : Min(leaves * ELAC_SAMPLE_PER_LEAF, (uint64) UINT32_MAX), nrows);
}

/* Clusters members into k flat clusters and appends their centroids as leaves. */
static void
elac_train_flat(ElacTrain *train, const uint32 *members, uint64 n, uint32 k)
{
	ElacKmeans	input = {0};
	uint32	   *assignment = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);

	Assert(train->nleaves < train->max_leaves);
	input.points = train->sample;
	input.members = members;
	input.n = n;
	input.dim = train->params->dim;
	input.k = Min(k, train->max_leaves - train->nleaves);
	input.iterations = ELAC_TRAIN_ITERATIONS;
	input.rng = &train->rng;
	train->nleaves += elac_kmeans_run(&input, train->leaves + (Size) train->nleaves * input.dim, assignment);
	pfree(assignment);
}

/*
 * Splits members into nparts by k-means on some of them.  members is reordered
 * so that part p is members[starts[p] .. starts[p + 1]); starts has room for
 * nparts + 1.  Returns how many parts there are.
 */
static uint32
elac_train_split(ElacTrain *train, uint32 *members, uint64 n, uint32 nparts, uint64 *starts)
{
	int			dim = train->params->dim;
	uint64		nsome = Min(n, (uint64) nparts * 128);
	uint32	   *some = palloc_extended(nsome * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *part = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *copy = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	float	   *centroids = palloc_extended((Size) nparts * dim * sizeof(float), MCXT_ALLOC_HUGE);
	uint64	   *next = palloc0((nparts + 1) * sizeof(uint64));
	ElacKmeans	input = {0};
	uint32		made;

	for (uint64 i = 0; i < nsome; i++)
		some[i] = members[i * n / nsome];
	input.points = train->sample;
	input.members = some;
	input.n = nsome;
	input.dim = dim;
	input.k = nparts;
	input.iterations = ELAC_TRAIN_ITERATIONS;
	input.rng = &train->rng;
	made = elac_kmeans_run(&input, centroids, part);

	input.members = members;
	input.n = n;
	elac_kmeans_assign_all(&input, centroids, made, part);
	for (uint64 i = 0; i < n; i++)
		next[part[i] + 1]++;
	starts[0] = 0;
	for (uint32 p = 0; p < made; p++)
		next[p + 1] = starts[p + 1] = starts[p] + next[p + 1];
	memcpy(copy, members, n * sizeof(uint32));
	for (uint64 i = 0; i < n; i++)
		members[next[part[i]]++] = copy[i];

	pfree(some);
	pfree(part);
	pfree(copy);
	pfree(centroids);
	pfree(next);
	return made;
}

void
elac_train_leaves(ElacTrain *train, uint32 *members, uint64 n, uint32 k, int depth)
{
	uint32		nparts;
	uint64	   *starts;

	if (n == 0 || train->nleaves == train->max_leaves)
		return;
	k = Min(k, n);
	if (k <= ELAC_TRAIN_FLAT || depth == ELAC_TRAIN_DEPTH)
	{
		elac_train_flat(train, members, n, Max(Min(k, 2 * ELAC_TRAIN_FLAT), 1));
		return;
	}

	nparts = Min((uint32) ceil(sqrt((double) k)), 1024);
	starts = palloc((nparts + 1) * sizeof(uint64));
	nparts = elac_train_split(train, members, n, nparts, starts);
	if (nparts == 1)
		elac_train_flat(train, members, n, 1);	/* all points are the same */
	else
		for (uint32 p = 0; p < nparts; p++)
		{
			uint64		part = starts[p + 1] - starts[p];

			elac_train_leaves(train, members + starts[p], part, (uint32) Max(rint((double) k * part / n), 1), depth + 1);
		}
	pfree(starts);
}

void
elac_train_make_room(ElacTrain *train, uint64 wanted)
{
	/* parts are rounded to whole leaves */
	train->max_leaves = (uint32) (wanted + wanted / 8 + 8);
	train->leaves = palloc_extended((Size) train->max_leaves * train->params->dim * sizeof(float), MCXT_ALLOC_HUGE);
}

/* Assigns the sample through the tree; leaves become the means of their rows. */
static void
elac_train_settle(ElacTrain *train, ElacCodebook *codebook)
{
	int			dim = codebook->params.dim;
	ElacCodebookCut *leaves = &codebook->cuts[codebook->ncuts - 1];
	uint64	   *counts = palloc_extended(leaves->nlists * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint64	   *next = palloc_extended(leaves->nlists * sizeof(uint64), MCXT_ALLOC_HUGE);
	uint32	   *assigned = palloc_extended(train->nsample * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *sorted = palloc_extended(train->nsample * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint64		total = 0;
	ElacAssigner *assigner;

	elac_codebook_average_tree(codebook, counts);
	assigner = elac_assigner_begin(codebook, 0);
	elac_assigner_assign(assigner, train->sample, train->nsample, assigned);
	elac_assigner_end(assigner);
	for (uint64 i = 0; i < train->nsample; i++)
		counts[assigned[i]]++;

	/* sorted by leaf, so that one leaf's sum at a time is enough */
	for (uint32 leaf = 0; leaf < leaves->nlists; leaf++)
	{
		next[leaf] = total;
		total += counts[leaf];
	}
	for (uint64 i = 0; i < train->nsample; i++)
		sorted[next[assigned[i]]++] = (uint32) i;
	for (uint32 leaf = 0; leaf < leaves->nlists; leaf++)
		if (counts[leaf] > 0)
			elac_kmeans_mean(train->sample, sorted + next[leaf] - counts[leaf], counts[leaf], dim,
							 leaves->centroids + (Size) leaf * dim);
	elac_codebook_average_tree(codebook, counts);
	pfree(counts);
	pfree(next);
	pfree(assigned);
	pfree(sorted);
}

/* A codebook of one list around the mean. */
static void
elac_train_single(ElacTrain *train, ElacCodebook *codebook)
{
	ElacCodebookCut *cut = &codebook->cuts[0];
	int			dim = codebook->params.dim;

	codebook->ncuts = 1;
	cut->nlists = 1;
	cut->first_leaf = palloc(2 * sizeof(uint32));
	cut->first_leaf[0] = 0;
	cut->first_leaf[1] = 1;
	cut->centroids = palloc0(dim * sizeof(float));
	if (train->nsample > 0)
		elac_kmeans_mean(train->sample, NULL, train->nsample, dim, cut->centroids);
}

ElacCodebook *
elac_codebook_train(const ElacCodebookParams *params, const float *sample, uint64 nsample)
{
	ElacCodebook *codebook = elac_codebook_create(params);
	ElacTrain	train = {0};
	uint64		wanted = Min(elac_train_leaves_wanted(params->nrows), nsample / ELAC_SAMPLE_PER_LEAF_MIN);

	if (nsample > UINT32_MAX)
		elog(ERROR, "sample of " UINT64_FORMAT " vectors is too large", nsample);
	train.params = params;
	train.sample = sample;
	train.nsample = nsample;
	elac_rng_seed(&train.rng, params->seed + 1);

	if (wanted >= 2)
	{
		MemoryContext result = CurrentMemoryContext;
		MemoryContext work = AllocSetContextCreate(result, "elacsym training", ALLOCSET_DEFAULT_SIZES);
		uint32	   *members;
		uint32	   *order;

		MemoryContextSwitchTo(work);
		elac_train_make_room(&train, wanted);
		members = palloc_extended(nsample * sizeof(uint32), MCXT_ALLOC_HUGE);
		for (uint64 i = 0; i < nsample; i++)
			members[i] = (uint32) i;
		elac_train_leaves(&train, members, nsample, (uint32) wanted, 0);
		order = palloc_extended(train.nleaves * sizeof(uint32), MCXT_ALLOC_HUGE);
		MemoryContextSwitchTo(result);
		elac_codebook_grow_tree(codebook, train.leaves, train.nleaves, &train.rng, order);
		MemoryContextSwitchTo(work);
		elac_train_settle(&train, codebook);
		MemoryContextSwitchTo(result);
		MemoryContextDelete(work);
	}
	else
		elac_train_single(&train, codebook);
	elac_codebook_seal(codebook);
	return codebook;
}
