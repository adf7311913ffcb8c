/*
 * codebook_tree.c
 *	  Grows the tree of cuts above a set of leaves, for codebooks trained and
 *	  derived alike.
 *
 * Leaf centroids are clustered top-down into groups; a cut has CUT_FANOUT times
 * the lists of the next coarser one, so that for any size of segment some cut
 * has a mean list within 100..250.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "vector/codebook_tree.h"
#include "vector/kmeans.h"

/* sqrt(250 / 100) on either side of the target */
#define CUT_FANOUT 2.5

#define TREE_ITERATIONS 8

typedef struct TreeGrowth
{
	const float *leaves;
	uint32		nleaves;
	int			dim;
	ElacRng    *rng;
	uint32	   *order;			/* leaves in depth-first order */
} TreeGrowth;

/*
 * Refines a cut of the tree: splits each of its lists of leaves into about
 * (leaves / group) lists, reordering growth->order within the list.
 */
static void
tree_refine_cut(TreeGrowth *growth, const ElacCodebookCut *coarse, double group, ElacCodebookCut *fine)
{
	int			dim = growth->dim;
	uint32	   *assignment = palloc_extended(growth->nleaves * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *copy = palloc_extended(growth->nleaves * sizeof(uint32), MCXT_ALLOC_HUGE);

	fine->nlists = 0;
	fine->first_leaf = palloc_extended(((Size) growth->nleaves + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 list = 0; list < coarse->nlists; list++)
	{
		uint32		first = coarse->first_leaf[list];
		uint32		n = coarse->first_leaf[list + 1] - first;
		uint32		k = (uint32) Max(Min(rint(n / group), n), 1);
		uint32		position = first;

		CHECK_FOR_INTERRUPTS();
		if (k > 1)
		{
			ElacKmeans	input = {0};
			float	   *centroids = palloc_extended((Size) k * dim * sizeof(float), MCXT_ALLOC_HUGE);

			input.points = growth->leaves;
			input.members = growth->order + first;
			input.n = n;
			input.dim = dim;
			input.k = k;
			input.iterations = TREE_ITERATIONS;
			input.rng = growth->rng;
			k = elac_kmeans_run(&input, centroids, assignment);
			pfree(centroids);
		}
		else
			memset(assignment, 0, n * sizeof(uint32));

		memcpy(copy, growth->order + first, n * sizeof(uint32));
		for (uint32 c = 0; c < k; c++)
		{
			fine->first_leaf[fine->nlists++] = position;
			for (uint32 i = 0; i < n; i++)
				if (assignment[i] == c)
					growth->order[position++] = copy[i];
		}
	}
	fine->first_leaf[fine->nlists] = growth->nleaves;
	pfree(assignment);
	pfree(copy);
}

void
elac_codebook_grow_tree(ElacCodebook *codebook, const float *leaves, uint32 nleaves, ElacRng *rng, uint32 *order)
{
	TreeGrowth	growth = {leaves, nleaves, codebook->params.dim, rng, order};
	ElacCodebookCut *cuts = codebook->cuts;
	ElacCodebookCut *last;
	int			depth = (int) ceil(log(Max(nleaves, 2)) / log(CUT_FANOUT));
	Size		row = growth.dim * sizeof(float);

	for (uint32 i = 0; i < nleaves; i++)
		order[i] = i;
	memset(cuts, 0, sizeof(codebook->cuts));
	cuts[0].nlists = 1;
	cuts[0].first_leaf = palloc(2 * sizeof(uint32));
	cuts[0].first_leaf[0] = 0;
	cuts[0].first_leaf[1] = nleaves;
	codebook->ncuts = 1;

	/* beyond 16 cuts the coarsest ones are left out: they serve small segments only */
	depth = Min(depth, ELAC_CODEBOOK_MAX_CUTS - 1);

	for (int level = depth - 1; level >= 1; level--)
	{
		ElacCodebookCut fine = {0};

		tree_refine_cut(&growth, &cuts[codebook->ncuts - 1], pow(CUT_FANOUT, level), &fine);
		if (fine.nlists > cuts[codebook->ncuts - 1].nlists && fine.nlists < nleaves)
			cuts[codebook->ncuts++] = fine;
		else
			pfree(fine.first_leaf);
	}
	if (nleaves > 1)
	{
		last = &cuts[codebook->ncuts++];
		last->nlists = nleaves;
		last->first_leaf = palloc_extended(((Size) nleaves + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
		for (Size leaf = 0; leaf <= nleaves; leaf++)
			last->first_leaf[leaf] = leaf;
	}
	for (int cut = 0; cut < codebook->ncuts; cut++)
		cuts[cut].centroids = palloc_extended(cuts[cut].nlists * row, MCXT_ALLOC_HUGE);
	last = &cuts[codebook->ncuts - 1];
	for (uint32 leaf = 0; leaf < nleaves; leaf++)
		memcpy(last->centroids + (Size) leaf * growth.dim, leaves + (Size) order[leaf] * growth.dim, row);
}

void
elac_codebook_average_tree(ElacCodebook *codebook, const uint64 *counts)
{
	int			dim = codebook->params.dim;
	const ElacCodebookCut *leaves = &codebook->cuts[codebook->ncuts - 1];
	double	   *sum = palloc(dim * sizeof(double));

	for (int cut = 0; cut < codebook->ncuts - 1; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];

		for (uint32 list = 0; list < c->nlists; list++)
		{
			double		total = 0;

			CHECK_FOR_INTERRUPTS();
			memset(sum, 0, dim * sizeof(double));
			for (uint32 leaf = c->first_leaf[list]; leaf < c->first_leaf[list + 1]; leaf++)
			{
				/* a leaf without rows still has a place */
				double		weight = Max(counts[leaf], 1);

				total += weight;
				for (int d = 0; d < dim; d++)
					sum[d] += weight * leaves->centroids[(Size) leaf * dim + d];
			}
			for (int d = 0; d < dim; d++)
				c->centroids[(Size) list * dim + d] = (float) (sum[d] / total);
		}
	}
	pfree(sum);
}
