/*
 * codebook_adapt.c
 *	  Derives a codebook from another one by changing some of its lists.
 *
 * Works on numbers of documents and on decoded codes; reads no page and no
 * heap.  Rotation and mean stay, and centroids of lists that need no change, bit
 * for bit; the tree above the leaves is grown anew.  Which documents a change
 * concerns is told afterwards: all of a list whose centroid is gone, and of a
 * list near a new centroid those that may be nearer to it (elac_adapt_may_move
 * compares as the codes allow, with their error granted).
 *
 *	 list is            | what happens                  | because
 *	 over the limit     | split into parts of the target| a query reads whole lists
 *	 beside its rows    | centroid becomes their mean   | residuals, and so errors, grow
 *	 hardly used        | dropped                       | a centroid costs as much as a document
 *
 * Every step is bounded: a list is split at most once, into parts that are
 * split further only while they get smaller, ADAPT_DEPTH times at most.  Equal
 * vectors cannot be split and stay one list.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "vector/codebook_adapt.h"
#include "vector/codebook_private.h"
#include "vector/codebook_tree.h"
#include "vector/kmeans.h"

/* Longest list that is left alone, lowered until the mean is below ADAPT_MEAN_MAX. */
#define ADAPT_LIMIT (5 * ELAC_LIST_TARGET / 2)
#define ADAPT_LIMIT_STEP (ELAC_LIST_TARGET / 4)
#define ADAPT_LIMIT_MIN (3 * ELAC_LIST_TARGET / 2)
#define ADAPT_MEAN_MAX 220
#define ADAPT_MEAN_MIN 80

/* Fewer documents: dropped. */
#define ADAPT_TINY (ELAC_LIST_TARGET / 10)

/*
 * A list is beside its documents when this part of their squared residuals
 * would be gone with the centroid in their midst, beyond what chance gives.
 */
#define ADAPT_STALE 0.15

/* Less than that part of the usual squared residual, or of the centroid's own length (rounding), is no matter. */
#define ADAPT_STALE_USUAL 0.01
#define ADAPT_STALE_ROUNDING 1e-9

/* Changes are made when they concern this part of the documents, or of the lists; or one list is huge. */
#define ADAPT_WORTHWHILE 0.05
#define ADAPT_WORTHWHILE_TINY 0.1
#define ADAPT_HUGE (5 * ELAC_LIST_TARGET)

/*
 * When this part of the documents is concerned, in this part of the lists, a
 * new codebook costs no more and is better, provided that it can be: there is
 * another number of documents than it was made for, or they lie elsewhere.
 */
#define ADAPT_TOO_MUCH 0.5
#define ADAPT_TOO_MUCH_LISTS 0.2
#define ADAPT_OTHER_SIZE 1.25
#define ADAPT_OTHER_PLACE 0.25

/* Documents looked at to split a list: so many for a part, and in all. */
#define ADAPT_SAMPLE_PER_PART 64
#define ADAPT_SAMPLE_MIN 512
#define ADAPT_SAMPLE_BYTES ((Size) 64 * 1024 * 1024)
#define ADAPT_PARTS 32			/* made in one step */
#define ADAPT_DEPTH 8
#define ADAPT_ITERATIONS 10

/* Neighbours of a new centroid that are looked at, found below so many coarse lists. */
#define ADAPT_NEIGHBOURS 24
#define ADAPT_COARSE 8

/* Deviations of the code that are granted to a document that may move. */
#define ADAPT_DEVIATIONS 2.0f

typedef enum AdaptState
{
	ADAPT_KEEP,
	ADAPT_SPLIT,
	ADAPT_MOVE,
	ADAPT_DROP
} AdaptState;

typedef struct AdaptList
{
	uint64		ndocs;
	double		square;			/* sum of squared residuals of the sample */
	uint32		nsample;
	uint32		leaf;			/* in the new codebook, when it stays */
	uint32		near_first;		/* in ElacAdapt.near: new centroids that lie near */
	uint32		nnear;
	AdaptState	state;
	bool		replaced;		/* its own centroid is gone */
} AdaptList;

/* A new centroid near a list. */
typedef struct AdaptNear
{
	uint32		list;
	uint32		fresh;
} AdaptNear;

struct ElacAdapt
{
	const ElacCodebook *codebook;
	int			cut;
	int			padded;
	uint32		nlists;
	uint64		ndocs;
	AdaptList  *lists;
	float	   *sums;			/* of the sample's residuals, padded floats a list */
	double		usual_square;	/* residual, squared, over all lists */
	double		stale_limit;
	ElacRng		rng;
	ElacAdaptSummary summary;
	/* new centroids */
	Size		fresh_allocated;
	uint32		nfresh;
	float	   *fresh;			/* rotated, padded floats each */
	uint64	   *fresh_ndocs;
	/* pairs, sorted by list */
	Size		near_allocated;
	uint32		nnear;
	AdaptNear  *near;
	/* the list that was asked about last */
	int64		current;		/* -1: none */
	float	   *centroid;		/* rotated */
	uint32		deltas_for;		/* list + 1 */
	Size		deltas_allocated;
	float	   *deltas;			/* new centroid minus its own, for each that is near */
	float	   *lengths;		/* of deltas */
};

ElacAdapt *
elac_adapt_begin(const ElacCodebook *codebook, uint64 ndocs)
{
	ElacAdapt  *adapt = palloc0(sizeof(ElacAdapt));
	Size		row = codebook->padded * sizeof(float);

	adapt->codebook = codebook;
	adapt->cut = elac_codebook_cut(codebook, ndocs);
	adapt->padded = codebook->padded;
	adapt->nlists = elac_codebook_nlists(codebook, adapt->cut);
	adapt->ndocs = ndocs;
	adapt->lists = palloc_extended(adapt->nlists * sizeof(AdaptList), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	adapt->sums = palloc_extended(adapt->nlists * row, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	adapt->summary.nlists = adapt->nlists;
	adapt->current = -1;
	adapt->centroid = palloc(row);
	elac_rng_seed(&adapt->rng, codebook->params.seed + ndocs);
	return adapt;
}

const ElacCodebook *
elac_adapt_codebook(const ElacAdapt *adapt)
{
	return adapt->codebook;
}

uint32
elac_adapt_nlists(const ElacAdapt *adapt)
{
	return adapt->nlists;
}

int
elac_adapt_cut(const ElacAdapt *adapt)
{
	return adapt->cut;
}

uint32
elac_adapt_list(const ElacAdapt *adapt, uint32 leaf)
{
	return elac_codebook_list_of_leaf(adapt->codebook, adapt->cut, leaf);
}

void
elac_adapt_count(ElacAdapt *adapt, uint32 list)
{
	adapt->lists[list].ndocs++;
}

uint64
elac_adapt_ndocs(const ElacAdapt *adapt, uint32 list)
{
	return adapt->lists[list].ndocs;
}

/* The rotated centroid of a list; callers go through lists in order. */
static const float *
adapt_centroid(ElacAdapt *adapt, uint32 list)
{
	if (adapt->current != list)
	{
		elac_codebook_rotate_relative(adapt->codebook, elac_codebook_centroid(adapt->codebook, adapt->cut, list),
									  adapt->centroid);
		adapt->current = list;
	}
	return adapt->centroid;
}

void
elac_adapt_sample(ElacAdapt *adapt, uint32 list, const float *rotated)
{
	const float *centroid = adapt_centroid(adapt, list);
	float	   *sum = adapt->sums + (Size) list * adapt->padded;
	float		square = 0;

	for (int i = 0; i < adapt->padded; i++)
	{
		float		r = rotated[i] - centroid[i];

		sum[i] += r;
		square += r * r;
	}
	adapt->lists[list].square += square;
	adapt->lists[list].nsample++;
}

/* ---- judging ---- */

/* The mean squared residual of all lists, and what their centroids may be off by. */
static void
adapt_set_usual(ElacAdapt *adapt)
{
	uint64		sample = elac_codebook_sample_wanted(adapt->codebook->params.nrows);
	double		square = 0;
	uint64		nsample = 0;

	for (uint32 list = 0; list < adapt->nlists; list++)
	{
		if (!isfinite(adapt->lists[list].square))
			continue;
		square += adapt->lists[list].square;
		nsample += adapt->lists[list].nsample;
	}
	adapt->usual_square = square / Max(nsample, 1);
	/* training made a centroid from so many rows of its list */
	adapt->stale_limit = ADAPT_STALE + (double) adapt->nlists / Max(sample, adapt->nlists);
}

/*
 * Whether a list lies beside its documents: by the part of its squared
 * residuals that its centroid causes by its place.
 */
static bool
adapt_is_stale(const ElacAdapt *adapt, uint32 list)
{
	const AdaptList *l = &adapt->lists[list];
	const float *sum = adapt->sums + (Size) list * adapt->padded;
	const float *centroid = elac_codebook_centroid(adapt->codebook, adapt->cut, list);
	int			dim = adapt->codebook->params.dim;
	double		offset = 0;
	double		chance;

	if (l->nsample < 2 || !(l->square > 0) || !isfinite(l->square))
		return false;
	for (int i = 0; i < adapt->padded; i++)
		offset += (double) sum[i] * sum[i];
	offset /= (double) l->nsample * l->nsample;
	if (offset < ADAPT_STALE_USUAL * adapt->usual_square ||
		offset < ADAPT_STALE_ROUNDING * elac_kernels()->ip_f32(centroid, centroid, dim))
		return false;
	/* the mean of n residuals that have none is still 1/n of their square */
	chance = 1.0 / l->nsample;
	return offset * l->nsample / l->square - chance > adapt->stale_limit;
}

static uint32
adapt_parts(uint64 ndocs)
{
	return (uint32) Min(Max((ndocs + ELAC_LIST_TARGET / 2) / ELAC_LIST_TARGET, 1), (uint64) 1 << 30);
}

/* Lists that there would be if those above a limit were split. */
static uint64
adapt_lists_at(const ElacAdapt *adapt, uint64 limit)
{
	uint64		nlists = 0;

	for (uint32 list = 0; list < adapt->nlists; list++)
	{
		uint64		ndocs = adapt->lists[list].ndocs;

		if (ndocs >= ADAPT_TINY)
			nlists += ndocs > limit ? adapt_parts(ndocs) : 1;
	}
	return Max(nlists, 1);
}

/* Documents and lists that a change concerns. */
typedef struct AdaptExtent
{
	double		over;			/* documents of lists that are too long */
	double		stale;
	double		tiny;
	uint32		nlists;			/* of all three */
	uint32		ntiny;
	uint64		longest;
} AdaptExtent;

/* Decides on each list. */
static AdaptExtent
adapt_mark(ElacAdapt *adapt, uint64 limit)
{
	AdaptExtent extent = {0};

	for (uint32 list = 0; list < adapt->nlists; list++)
	{
		AdaptList  *l = &adapt->lists[list];

		extent.longest = Max(extent.longest, l->ndocs);
		if (l->ndocs > limit)
		{
			l->state = ADAPT_SPLIT;
			extent.over += l->ndocs;
		}
		else if (l->ndocs < ADAPT_TINY)
		{
			l->state = ADAPT_DROP;
			extent.tiny += l->ndocs;
			extent.ntiny++;
		}
		else if (adapt_is_stale(adapt, list))
		{
			l->state = ADAPT_MOVE;
			extent.stale += l->ndocs;
		}
		extent.nlists += l->state != ADAPT_KEEP;
	}
	return extent;
}

ElacAdaptVerdict
elac_adapt_judge(ElacAdapt *adapt)
{
	uint64		limit = ADAPT_LIMIT;
	AdaptExtent extent;
	double		made_for = Max(adapt->codebook->params.nrows, 1);
	bool		other_size = adapt->ndocs > made_for * ADAPT_OTHER_SIZE || adapt->ndocs < made_for / ADAPT_OTHER_SIZE;

	if (adapt->ndocs < ELAC_LIST_MIN_ROWS)
		return ELAC_ADAPT_NOTHING;
	while (limit > ADAPT_LIMIT_MIN && adapt->ndocs / adapt_lists_at(adapt, limit) >= ADAPT_MEAN_MAX)
		limit -= ADAPT_LIMIT_STEP;
	adapt_set_usual(adapt);
	extent = adapt_mark(adapt, limit);
	if (other_size && adapt->ndocs / adapt->nlists < ADAPT_MEAN_MIN)
		return ELAC_ADAPT_TRAIN;
	if (extent.over + extent.stale + extent.tiny > ADAPT_TOO_MUCH * adapt->ndocs &&
		extent.nlists > ADAPT_TOO_MUCH_LISTS * adapt->nlists &&
		(other_size || extent.stale > ADAPT_OTHER_PLACE * adapt->ndocs))
		return ELAC_ADAPT_TRAIN;
	if (extent.over + extent.stale > ADAPT_WORTHWHILE * adapt->ndocs ||
		extent.ntiny > ADAPT_WORTHWHILE_TINY * adapt->nlists || extent.longest > ADAPT_HUGE)
		return ELAC_ADAPT_LISTS;
	return ELAC_ADAPT_NOTHING;
}

/* ---- new centroids ---- */

uint32
elac_adapt_wants(const ElacAdapt *adapt, uint32 list)
{
	const AdaptList *l = &adapt->lists[list];
	uint64		n;

	if (l->state != ADAPT_SPLIT && l->state != ADAPT_MOVE)
		return 0;
	n = Max((uint64) adapt_parts(l->ndocs) * ADAPT_SAMPLE_PER_PART, ADAPT_SAMPLE_MIN);
	n = Min(n, ADAPT_SAMPLE_BYTES / (adapt->padded * sizeof(float)));
	return (uint32) Min(n, l->ndocs);
}

/* Adds the mean of some members as a new centroid that will have ndocs documents. */
static void
adapt_add_fresh(ElacAdapt *adapt, const float *points, const uint32 *members, uint32 n, double ndocs)
{
	if (adapt->nfresh == adapt->fresh_allocated)
	{
		Size		row = adapt->padded * sizeof(float);

		adapt->fresh_allocated = Max(adapt->fresh_allocated * 2, 64);
		if (adapt->fresh == NULL)
		{
			adapt->fresh = palloc_extended(adapt->fresh_allocated * row, MCXT_ALLOC_HUGE);
			adapt->fresh_ndocs = palloc_extended(adapt->fresh_allocated * sizeof(uint64), MCXT_ALLOC_HUGE);
		}
		else
		{
			adapt->fresh = repalloc_huge(adapt->fresh, adapt->fresh_allocated * row);
			adapt->fresh_ndocs = repalloc_huge(adapt->fresh_ndocs, adapt->fresh_allocated * sizeof(uint64));
		}
	}
	elac_kmeans_mean(points, members, n, adapt->padded, adapt->fresh + (Size) adapt->nfresh * adapt->padded);
	adapt->fresh_ndocs[adapt->nfresh] = (uint64) Max(ndocs, 1);
	adapt->nfresh++;
}

/* Splits members, each of which stands for `weight` documents, into parts of about the target. */
static void
adapt_split_members(ElacAdapt *adapt, const float *points, const uint32 *members, uint32 n, double weight, int depth)
{
	ElacKmeans	input = {0};
	uint32		nparts = adapt_parts((uint64) (n * weight));
	uint32	   *assignment;
	uint32	   *part;
	float	   *centroids;

	CHECK_FOR_INTERRUPTS();
	if (nparts < 2 || n < 2 || depth == ADAPT_DEPTH)
	{
		adapt_add_fresh(adapt, points, members, n, n * weight);
		return;
	}
	nparts = Min(Min(nparts, ADAPT_PARTS), n);
	assignment = palloc(n * sizeof(uint32));
	part = palloc(n * sizeof(uint32));
	centroids = palloc((Size) nparts * adapt->padded * sizeof(float));
	input.points = points;
	input.members = members;
	input.n = n;
	input.dim = adapt->padded;
	input.k = nparts;
	input.iterations = ADAPT_ITERATIONS;
	input.rng = &adapt->rng;
	nparts = elac_kmeans_run(&input, centroids, assignment);
	pfree(centroids);
	for (uint32 p = 0; p < nparts; p++)
	{
		uint32		npart = 0;

		for (uint32 i = 0; i < n; i++)
			if (assignment[i] == p)
				part[npart++] = members[i];
		/* the few of an outlier go to whatever is nearest */
		if (nparts > 1 && npart * weight < ADAPT_TINY)
			continue;
		if (nparts > 1 && npart * weight > ADAPT_LIMIT)
			adapt_split_members(adapt, points, part, npart, weight, depth + 1);
		else
			adapt_add_fresh(adapt, points, part, npart, npart * weight);
	}
	pfree(assignment);
	pfree(part);
}

void
elac_adapt_split(ElacAdapt *adapt, uint32 list, const float *rotated, uint32 n)
{
	AdaptList  *l = &adapt->lists[list];
	uint32		before = adapt->nfresh;
	uint32	   *members;

	Assert(n > 0 && !l->replaced);
	members = palloc(n * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		members[i] = i;
	if (l->state == ADAPT_MOVE)
		adapt_add_fresh(adapt, rotated, members, n, (double) l->ndocs);
	else
		adapt_split_members(adapt, rotated, members, n, (double) l->ndocs / n, 0);
	pfree(members);

	/* in one piece, and where it was */
	if (adapt->nfresh == before + 1 && l->state == ADAPT_SPLIT && !adapt_is_stale(adapt, list))
	{
		adapt->nfresh = before;
		return;
	}
	l->replaced = true;
	if (adapt->nfresh == before + 1)
		adapt->summary.nmoved++;
	else
		adapt->summary.nsplit++;
}

/* ---- neighbours ---- */

static void
adapt_add_near(ElacAdapt *adapt, uint32 list, uint32 fresh)
{
	if (adapt->nnear == adapt->near_allocated)
	{
		adapt->near_allocated = Max(adapt->near_allocated * 2, 1024);
		if (adapt->near == NULL)
			adapt->near = palloc_extended(adapt->near_allocated * sizeof(AdaptNear), MCXT_ALLOC_HUGE);
		else
			adapt->near = repalloc_huge(adapt->near, adapt->near_allocated * sizeof(AdaptNear));
	}
	adapt->near[adapt->nnear].list = list;
	adapt->near[adapt->nnear].fresh = fresh;
	adapt->nnear++;
	adapt->lists[list].nnear++;
}

/* The lists nearest so far, ascending. */
typedef struct AdaptNearest
{
	uint32		room;
	uint32		n;
	uint32		list[ADAPT_NEIGHBOURS];
	float		distance[ADAPT_NEIGHBOURS];
} AdaptNearest;

static void
adapt_offer(AdaptNearest *nearest, uint32 list, float distance)
{
	uint32		i;

	if (nearest->n == nearest->room)
	{
		if (!(distance < nearest->distance[nearest->n - 1]))
			return;
		nearest->n--;
	}
	for (i = nearest->n; i > 0 && distance < nearest->distance[i - 1]; i--)
	{
		nearest->list[i] = nearest->list[i - 1];
		nearest->distance[i] = nearest->distance[i - 1];
	}
	nearest->list[i] = list;
	nearest->distance[i] = distance;
	nearest->n++;
}

/* A cut with about as many lists as the square root of those of the lists' cut. */
static int
adapt_coarse_cut(const ElacAdapt *adapt)
{
	int			cut = 0;

	while (cut < adapt->cut &&
		   (uint64) elac_codebook_nlists(adapt->codebook, cut) * elac_codebook_nlists(adapt->codebook, cut) < adapt->nlists)
		cut++;
	return cut;
}

/* Notes the lists that lie near a new centroid, given unrotated. */
static void
adapt_find_near(ElacAdapt *adapt, uint32 fresh, const float *vector, int coarse)
{
	const ElacCodebook *codebook = adapt->codebook;
	const ElacKernels *kernels = elac_kernels();
	int			dim = codebook->params.dim;
	AdaptNearest above = {ADAPT_COARSE};
	AdaptNearest nearest = {ADAPT_NEIGHBOURS};

	for (uint32 list = 0; list < elac_codebook_nlists(codebook, coarse); list++)
		adapt_offer(&above, list, kernels->l2sq_f32(vector, elac_codebook_centroid(codebook, coarse, list), dim));
	for (uint32 i = 0; i < above.n; i++)
	{
		uint32		leaf = elac_codebook_first_leaf(codebook, coarse, above.list[i]);
		uint32		end = elac_codebook_first_leaf(codebook, coarse, above.list[i] + 1);
		uint32		list = elac_adapt_list(adapt, leaf);

		for (; list < adapt->nlists && elac_codebook_first_leaf(codebook, adapt->cut, list) < end; list++)
			if (!adapt->lists[list].replaced && adapt->lists[list].state != ADAPT_DROP)
				adapt_offer(&nearest, list, kernels->l2sq_f32(vector, elac_codebook_centroid(codebook, adapt->cut, list), dim));
	}
	for (uint32 i = 0; i < nearest.n; i++)
	{
		const AdaptList *l = &adapt->lists[nearest.list[i]];

		/* a residual more than twice as long as usual would be needed to come over */
		if (l->nsample > 0 && nearest.distance[i] > 16 * l->square / l->nsample)
			continue;
		adapt_add_near(adapt, nearest.list[i], fresh);
	}
}

static int
adapt_compare_near(const void *a, const void *b)
{
	const AdaptNear *left = a;
	const AdaptNear *right = b;

	if (left->list != right->list)
		return left->list < right->list ? -1 : 1;
	return left->fresh < right->fresh ? -1 : left->fresh > right->fresh;
}

static void
adapt_sort_near(ElacAdapt *adapt)
{
	uint32		first = 0;

	qsort(adapt->near, adapt->nnear, sizeof(AdaptNear), adapt_compare_near);
	for (uint32 list = 0; list < adapt->nlists; list++)
	{
		adapt->lists[list].near_first = first;
		first += adapt->lists[list].nnear;
	}
}

/* ---- the new codebook ---- */

ElacCodebook *
elac_adapt_finish(ElacAdapt *adapt)
{
	const ElacCodebook *old = adapt->codebook;
	ElacCodebookParams params = old->params;
	ElacCodebook *codebook;
	int			dim = params.dim;
	int			coarse = adapt_coarse_cut(adapt);
	uint32		nleaves = 0;
	uint32		nkept = 0;
	float	   *leaves = palloc_extended(((Size) adapt->nlists + adapt->nfresh) * dim * sizeof(float), MCXT_ALLOC_HUGE);
	uint32	   *source = palloc_extended(((Size) adapt->nlists + adapt->nfresh) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *order;
	uint64	   *counts;
	float	   *rotated = palloc(adapt->padded * sizeof(float));

	for (uint32 list = 0; list < adapt->nlists; list++)
	{
		AdaptList  *l = &adapt->lists[list];

		l->leaf = ELAC_ADAPT_NOWHERE;
		if (l->state == ADAPT_DROP)
			adapt->summary.ndropped++;
		else if (!l->replaced)
		{
			memcpy(leaves + (Size) nleaves * dim, elac_codebook_centroid(old, adapt->cut, list), dim * sizeof(float));
			source[nleaves++] = list;
		}
	}
	nkept = nleaves;
	adapt->summary.nfresh = adapt->nfresh;
	if ((adapt->nfresh == 0 && adapt->summary.ndropped == 0) || nleaves + adapt->nfresh < 2)
		return NULL;
	for (uint32 fresh = 0; fresh < adapt->nfresh; fresh++)
	{
		float	   *vector = leaves + (Size) nleaves * dim;

		CHECK_FOR_INTERRUPTS();
		memcpy(rotated, adapt->fresh + (Size) fresh * adapt->padded, adapt->padded * sizeof(float));
		elac_codebook_rotate_back(old, rotated, vector);
		adapt_find_near(adapt, fresh, vector, coarse);
		source[nleaves++] = fresh;
	}
	adapt_sort_near(adapt);

	params.nrows = adapt->ndocs;
	codebook = elac_codebook_create(&params);
	memcpy(codebook->signs, old->signs, elac_rotate_sign_bytes(old->padded));
	elac_rotate_init(&codebook->rotation, codebook->padded, codebook->signs);
	order = palloc_extended(nleaves * sizeof(uint32), MCXT_ALLOC_HUGE);
	counts = palloc_extended(nleaves * sizeof(uint64), MCXT_ALLOC_HUGE);
	elac_codebook_grow_tree(codebook, leaves, nleaves, &adapt->rng, order);
	for (uint32 leaf = 0; leaf < nleaves; leaf++)
	{
		uint32		from = source[order[leaf]];

		if (order[leaf] < nkept)
			adapt->lists[from].leaf = leaf;
		counts[leaf] = order[leaf] < nkept ? adapt->lists[from].ndocs : adapt->fresh_ndocs[from];
	}
	elac_codebook_average_tree(codebook, counts);
	memcpy(codebook->cuts[0].centroids, elac_codebook_mean(old), dim * sizeof(float));
	elac_codebook_seal(codebook);
	pfree(leaves);
	pfree(source);
	pfree(order);
	pfree(counts);
	pfree(rotated);
	return codebook;
}

/* ---- documents ---- */

uint32
elac_adapt_leaf(const ElacAdapt *adapt, uint32 list)
{
	return adapt->lists[list].leaf;
}

bool
elac_adapt_is_near(const ElacAdapt *adapt, uint32 list)
{
	return adapt->lists[list].nnear > 0;
}

/* What lies between a list's centroid and the new ones near it. */
static void
adapt_load_deltas(ElacAdapt *adapt, uint32 list)
{
	const AdaptList *l = &adapt->lists[list];
	const float *centroid = adapt_centroid(adapt, list);
	Size		row = adapt->padded * sizeof(float);

	if (l->nnear > adapt->deltas_allocated)
	{
		if (adapt->deltas != NULL)
		{
			pfree(adapt->deltas);
			pfree(adapt->lengths);
		}
		adapt->deltas_allocated = l->nnear * 2;
		adapt->deltas = MemoryContextAllocHuge(GetMemoryChunkContext(adapt), adapt->deltas_allocated * row);
		adapt->lengths = MemoryContextAlloc(GetMemoryChunkContext(adapt), adapt->deltas_allocated * sizeof(float));
	}
	for (uint32 i = 0; i < l->nnear; i++)
	{
		const float *fresh = adapt->fresh + (Size) adapt->near[l->near_first + i].fresh * adapt->padded;
		float	   *delta = adapt->deltas + (Size) i * adapt->padded;
		float		square = 0;

		for (int d = 0; d < adapt->padded; d++)
		{
			delta[d] = fresh[d] - centroid[d];
			square += delta[d] * delta[d];
		}
		adapt->lengths[i] = sqrtf(square);
	}
	adapt->deltas_for = list + 1;
}

/*
 * |r - delta|^2 < |r|^2 when <r, delta> > |delta|^2 / 2; the code's <r, delta>
 * has a standard deviation of `deviation` times |delta|.
 */
bool
elac_adapt_may_move(ElacAdapt *adapt, uint32 list, const float *rotated, float deviation)
{
	const AdaptList *l = &adapt->lists[list];
	const ElacKernels *kernels = elac_kernels();
	const float *centroid;

	if (l->nnear == 0)
		return false;
	if (adapt->deltas_for != list + 1)
		adapt_load_deltas(adapt, list);
	centroid = adapt_centroid(adapt, list);
	for (uint32 i = 0; i < l->nnear; i++)
	{
		const float *delta = adapt->deltas + (Size) i * adapt->padded;
		float		ip = kernels->ip_f32(rotated, delta, adapt->padded) - kernels->ip_f32(centroid, delta, adapt->padded);

		if (!(ip + ADAPT_DEVIATIONS * deviation * adapt->lengths[i] <= adapt->lengths[i] * adapt->lengths[i] / 2))
			return true;
	}
	return false;
}

ElacAdaptSummary
elac_adapt_summary(const ElacAdapt *adapt)
{
	return adapt->summary;
}
