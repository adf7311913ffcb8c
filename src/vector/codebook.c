/*
 * codebook.c
 *	  A codebook in memory: what it says of itself, and which list a vector
 *	  belongs to.  Training is codebook_train.c's, the stored form
 *	  codebook_io.c's.
 *
 * A codebook never changes once made (but for its id, known when its blob has
 * been written), so it may be shared within a process without locks.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "base/kernels.h"
#include "vector/codebook_private.h"

/* Lists looked at without a tree, and kept at every level below. */
#define ELAC_DESCEND_FLAT 64
#define ELAC_DESCEND_BEAM 8

/* A level that is skipped costs nothing; one in eight lists is fine enough. */
#define ELAC_DESCEND_FANOUT 8

ElacCodebook *
elac_codebook_create(const ElacCodebookParams *params)
{
	ElacCodebook *codebook = palloc0(sizeof(ElacCodebook));

	Assert(params->dim >= 1 && params->dim <= ELAC_MAX_DIM_INDEXED);
	codebook->params = *params;
	codebook->padded = elac_rotate_padded(params->dim);
	codebook->signs = palloc(elac_rotate_sign_bytes(codebook->padded));
	elac_rotate_draw(params->seed, codebook->padded, codebook->signs);
	elac_rotate_init(&codebook->rotation, codebook->padded, codebook->signs);
	return codebook;
}

uint64
elac_codebook_id(const ElacCodebook *codebook)
{
	return codebook->id;
}

void
elac_codebook_set_id(ElacCodebook *codebook, uint64 id)
{
	codebook->id = id;
}

ElacMetric
elac_codebook_metric(const ElacCodebook *codebook)
{
	return codebook->params.metric;
}

int
elac_codebook_dim(const ElacCodebook *codebook)
{
	return codebook->params.dim;
}

int
elac_codebook_padded(const ElacCodebook *codebook)
{
	return codebook->padded;
}

uint64
elac_codebook_nrows(const ElacCodebook *codebook)
{
	return codebook->params.nrows;
}

int
elac_codebook_ncuts(const ElacCodebook *codebook)
{
	return codebook->ncuts;
}

uint32
elac_codebook_nlists(const ElacCodebook *codebook, int cut)
{
	Assert(cut >= 0 && cut < codebook->ncuts);
	return codebook->cuts[cut].nlists;
}

int
elac_codebook_cut(const ElacCodebook *codebook, uint64 ndocs)
{
	int			best = 0;
	double		best_ratio = INFINITY;

	if (ndocs < ELAC_LIST_MIN_ROWS)
		return 0;
	for (int cut = 0; cut < codebook->ncuts; cut++)
	{
		double		mean = (double) ndocs / codebook->cuts[cut].nlists;
		double		ratio = fabs(log(mean / ELAC_LIST_TARGET));

		if (ratio < best_ratio)
		{
			best_ratio = ratio;
			best = cut;
		}
	}
	return best;
}

uint32
elac_codebook_list_of_leaf(const ElacCodebook *codebook, int cut, uint32 leaf)
{
	const ElacCodebookCut *c = &codebook->cuts[cut];
	uint32		low = 0;
	uint32		high = c->nlists;

	Assert(leaf < codebook->cuts[codebook->ncuts - 1].nlists);
	if (cut == codebook->ncuts - 1)
		return leaf;
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (c->first_leaf[middle] <= leaf)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint32
elac_codebook_first_leaf(const ElacCodebook *codebook, int cut, uint32 list)
{
	Assert(list <= codebook->cuts[cut].nlists);
	return codebook->cuts[cut].first_leaf[list];
}

void
elac_codebook_rotate_relative(const ElacCodebook *codebook, const float *vector, float *dst)
{
	int			dim = codebook->params.dim;

	if (codebook->params.metric == ELAC_METRIC_L2)
	{
		float		relative[ELAC_MAX_DIM_INDEXED];
		const float *mean = elac_codebook_mean(codebook);

		for (int d = 0; d < dim; d++)
			relative[d] = vector[d] - mean[d];
		elac_rotate(&codebook->rotation, relative, dim, dst);
	}
	else
		elac_rotate(&codebook->rotation, vector, dim, dst);
}

void
elac_codebook_rotate_back(const ElacCodebook *codebook, float *rotated, float *vector)
{
	int			dim = codebook->params.dim;
	const float *mean = elac_codebook_mean(codebook);
	bool		relative = codebook->params.metric == ELAC_METRIC_L2;

	elac_rotate_back(&codebook->rotation, rotated);
	for (int d = 0; d < dim; d++)
		vector[d] = rotated[d] + (relative ? mean[d] : 0);
}

bool
elac_codebook_related(const ElacCodebook *a, const ElacCodebook *b)
{
	return a == b ||
		(a->params.metric == b->params.metric && a->params.dim == b->params.dim &&
		 memcmp(a->signs, b->signs, elac_rotate_sign_bytes(a->padded)) == 0 &&
		 memcmp(elac_codebook_mean(a), elac_codebook_mean(b), a->params.dim * sizeof(float)) == 0);
}

bool
elac_codebook_same_list(const ElacCodebook *a, int a_cut, uint32 a_list,
						const ElacCodebook *b, int b_cut, uint32 b_list)
{
	if (a == b && a_cut == b_cut)
		return a_list == b_list;
	return memcmp(elac_codebook_centroid(a, a_cut, a_list), elac_codebook_centroid(b, b_cut, b_list),
				  a->params.dim * sizeof(float)) == 0;
}

/* The lists nearest so far, ascending by distance. */
typedef struct ElacBeam
{
	int			n;
	uint32		list[ELAC_DESCEND_BEAM];
	float		distance[ELAC_DESCEND_BEAM];
} ElacBeam;

static void
elac_beam_offer(ElacBeam *beam, uint32 list, float distance)
{
	int			i;

	if (beam->n == ELAC_DESCEND_BEAM)
	{
		if (!(distance < beam->distance[beam->n - 1]))
			return;
		beam->n--;
	}
	for (i = beam->n; i > 0 && distance < beam->distance[i - 1]; i--)
	{
		beam->list[i] = beam->list[i - 1];
		beam->distance[i] = beam->distance[i - 1];
	}
	beam->list[i] = list;
	beam->distance[i] = distance;
	beam->n++;
}

/* Offers lists [first, last) of a cut. */
static void
elac_beam_offer_range(ElacBeam *beam, const ElacCodebook *codebook, const float *vector, int cut, uint32 first,
					  uint32 last)
{
	const ElacKernels *kernels = elac_kernels();
	int			dim = codebook->params.dim;

	for (uint32 list = first; list < last; list++)
		elac_beam_offer(beam, list, kernels->l2sq_f32(vector, elac_codebook_centroid(codebook, cut, list), dim));
}

/* Lists of the finer cut that lie within a list of the coarser one. */
static void
elac_codebook_children(const ElacCodebook *codebook, int coarse, uint32 list, int fine, uint32 *first, uint32 *last)
{
	uint32		end = codebook->cuts[coarse].first_leaf[list + 1];

	*first = elac_codebook_list_of_leaf(codebook, fine, codebook->cuts[coarse].first_leaf[list]);
	*last = end == codebook->cuts[coarse].first_leaf[codebook->cuts[coarse].nlists]
		? codebook->cuts[fine].nlists
		: elac_codebook_list_of_leaf(codebook, fine, end);
}

uint32
elac_codebook_descend(const ElacCodebook *codebook, const float *vector, int target)
{
	ElacBeam	beam = {0};
	int			cut = 0;

	while (cut < target && codebook->cuts[cut + 1].nlists <= ELAC_DESCEND_FLAT)
		cut++;
	elac_beam_offer_range(&beam, codebook, vector, cut, 0, codebook->cuts[cut].nlists);

	while (cut < target)
	{
		ElacBeam	next = {0};
		int			fine = cut + 1;

		while (fine < target &&
			   codebook->cuts[fine + 1].nlists / ELAC_DESCEND_FANOUT <= codebook->cuts[cut].nlists)
			fine++;
		for (int i = 0; i < beam.n; i++)
		{
			uint32		first;
			uint32		last;

			elac_codebook_children(codebook, cut, beam.list[i], fine, &first, &last);
			elac_beam_offer_range(&next, codebook, vector, fine, first, last);
		}
		beam = next;
		cut = fine;
	}
	return beam.list[0];
}

uint32
elac_codebook_assign(const ElacCodebook *codebook, const float *vector)
{
	return elac_codebook_descend(codebook, vector, codebook->ncuts - 1);
}
