/*
 * codebook_assign.c
 *	  The leaves of many vectors at once: what builds, flushes and training
 *	  use instead of one descent of the tree after the other.
 *
 * Vectors are taken some hundreds at a time and go down the tree together.
 * At each level the pairs of a vector and a list of its beam are sorted by
 * list, so that a list's children are read once for all vectors that look at
 * them, by the blocked kernels of base.  Those compare inner products: rows
 * and centroids are centred on the mean of the data first.
 *
 * Levels are cuts whose numbers of lists differ by a factor of about
 * ASSIGN_FANOUT.  Children are packed for the kernels once when memory allows,
 * else whenever they are looked at.  The result is elac_codebook_assign()'s
 * but for near ties.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "vector/codebook_private.h"

#define ASSIGN_FANOUT 32
#define ASSIGN_FLAT 128			/* lists of the first level, all looked at */
#define ASSIGN_BEAM 8
#define ASSIGN_ROWS_MAX 1024	/* vectors taken together, fewer when they are long */
#define ASSIGN_ROWS_MIN 32
#define ASSIGN_ROWS_BYTES (1024 * 1024)
#define ASSIGN_GROUP 64			/* vectors of a list scored in one call */

typedef struct AssignLevel
{
	int			cut;
	uint32		nlists;
	uint32	   *first_child;	/* nlists + 1: numbers of lists of the next level; NULL in the last */
	uint32		children_max;	/* of a list */
	float	  **packed;			/* children of each list, or NULL where not packed yet */
} AssignLevel;

/* A list that a row looks at. */
typedef struct AssignPair
{
	uint32		row;
	uint32		list;
} AssignPair;

struct ElacAssigner
{
	const ElacCodebook *codebook;
	MemoryContext context;
	int			dim;
	int			nlevels;
	AssignLevel levels[ELAC_CODEBOOK_MAX_CUTS];
	float	   *top;			/* packed lists of the first level */
	Size		memory_left;	/* for packed children */
	/* room for rows_max rows */
	int			rows_max;
	float	   *centred;
	const float **rows;
	uint32	   *beam_list;		/* rows_max * ASSIGN_BEAM, ascending by score */
	float	   *beam_score;
	uint32	   *next_list;
	float	   *next_score;
	int		   *beam_n;
	int		   *next_n;
	AssignPair *pairs;
	AssignPair *sorted;
	uint32	   *starts;			/* of the largest inner level + 1 */
	/* for one call of a kernel */
	uint32		lists_max;
	float	   *centroids;		/* centred, before they are packed */
	float	   *scratch;		/* packed, of a list that is not kept */
	float	   *scores;			/* Max(rows_max * stride of the top, ASSIGN_GROUP * stride of children) */
};

/* Centres and packs lists [first, first + n) of a cut. */
static void
assign_pack(ElacAssigner *assigner, int cut, uint32 first, uint32 n, float *packed)
{
	const float *mean = elac_codebook_mean(assigner->codebook);
	int			dim = assigner->dim;

	for (uint32 i = 0; i < n; i++)
	{
		const float *centroid = elac_codebook_centroid(assigner->codebook, cut, first + i);
		float	   *dst = assigner->centroids + (Size) i * dim;

		for (int d = 0; d < dim; d++)
			dst[d] = centroid[d] - mean[d];
	}
	elac_assign_pack(assigner->centroids, n, dim, packed);
}

/* Chooses the levels, from the leaves up. */
static void
assign_choose_levels(ElacAssigner *assigner)
{
	const ElacCodebook *codebook = assigner->codebook;
	int			cuts[ELAC_CODEBOOK_MAX_CUTS];
	int			n = 0;
	int			cut = codebook->ncuts - 1;

	cuts[n++] = cut;
	while (codebook->cuts[cut].nlists > ASSIGN_FLAT)
	{
		double		wanted = (double) codebook->cuts[cut].nlists / ASSIGN_FANOUT;
		int			best = cut - 1;

		for (int i = cut - 1; i >= 0; i--)
			if (fabs(log(codebook->cuts[i].nlists / wanted)) < fabs(log(codebook->cuts[best].nlists / wanted)))
				best = i;
		cut = best;
		cuts[n++] = cut;
	}
	assigner->nlevels = n;
	for (int i = 0; i < n; i++)
	{
		assigner->levels[i].cut = cuts[n - 1 - i];
		assigner->levels[i].nlists = codebook->cuts[cuts[n - 1 - i]].nlists;
	}
}

/* Which lists of the next level each list of a level has. */
static void
assign_link_level(ElacAssigner *assigner, AssignLevel *level, const AssignLevel *next)
{
	const ElacCodebookCut *coarse = &assigner->codebook->cuts[level->cut];
	const ElacCodebookCut *fine = &assigner->codebook->cuts[next->cut];
	uint32		child = 0;

	level->first_child = palloc_extended(((Size) level->nlists + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	level->packed = palloc_extended(level->nlists * sizeof(float *), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 list = 0; list < level->nlists; list++)
	{
		level->first_child[list] = child;
		while (child < fine->nlists && fine->first_leaf[child] < coarse->first_leaf[list + 1])
			child++;
		level->children_max = Max(level->children_max, child - level->first_child[list]);
	}
	level->first_child[level->nlists] = child;
}

ElacAssigner *
elac_assigner_begin(const ElacCodebook *codebook, Size memory)
{
	ElacAssigner *assigner = palloc0(sizeof(ElacAssigner));
	int			dim = codebook->params.dim;
	uint32		inner_max = 1;
	uint32		children_max = 1;
	Size		n;

	assigner->codebook = codebook;
	assigner->context = CurrentMemoryContext;
	assigner->dim = dim;
	assigner->memory_left = memory;
	assign_choose_levels(assigner);
	for (int i = 0; i + 1 < assigner->nlevels; i++)
	{
		assign_link_level(assigner, &assigner->levels[i], &assigner->levels[i + 1]);
		inner_max = Max(inner_max, assigner->levels[i].nlists);
		children_max = Max(children_max, assigner->levels[i].children_max);
	}
	assigner->lists_max = Max(children_max, assigner->levels[0].nlists);
	assigner->centroids = palloc_extended((Size) assigner->lists_max * dim * sizeof(float), MCXT_ALLOC_HUGE);
	assigner->scratch = palloc_extended(elac_assign_packed_floats(children_max, dim) * sizeof(float), MCXT_ALLOC_HUGE);
	assigner->top = palloc_extended(elac_assign_packed_floats(assigner->levels[0].nlists, dim) * sizeof(float),
									MCXT_ALLOC_HUGE);
	assign_pack(assigner, assigner->levels[0].cut, 0, assigner->levels[0].nlists, assigner->top);

	assigner->rows_max = Min(Max(ASSIGN_ROWS_BYTES / (dim * (int) sizeof(float)), ASSIGN_ROWS_MIN), ASSIGN_ROWS_MAX);
	n = assigner->rows_max;
	assigner->centred = palloc(n * dim * sizeof(float));
	assigner->rows = palloc(n * sizeof(float *));
	assigner->beam_list = palloc(n * ASSIGN_BEAM * sizeof(uint32));
	assigner->beam_score = palloc(n * ASSIGN_BEAM * sizeof(float));
	assigner->next_list = palloc(n * ASSIGN_BEAM * sizeof(uint32));
	assigner->next_score = palloc(n * ASSIGN_BEAM * sizeof(float));
	assigner->beam_n = palloc(n * sizeof(int));
	assigner->next_n = palloc(n * sizeof(int));
	assigner->pairs = palloc(n * ASSIGN_BEAM * sizeof(AssignPair));
	assigner->sorted = palloc(n * ASSIGN_BEAM * sizeof(AssignPair));
	assigner->starts = palloc_extended(((Size) inner_max + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	assigner->scores = palloc_extended(Max(n * ELAC_ASSIGN_STRIDE(assigner->levels[0].nlists),
										   ASSIGN_GROUP * ELAC_ASSIGN_STRIDE((Size) children_max)) * sizeof(float),
									   MCXT_ALLOC_HUGE);
	return assigner;
}

void
elac_assigner_end(ElacAssigner *assigner)
{
	for (int i = 0; i + 1 < assigner->nlevels; i++)
	{
		for (uint32 list = 0; list < assigner->levels[i].nlists; list++)
			if (assigner->levels[i].packed[list] != NULL)
				pfree(assigner->levels[i].packed[list]);
		pfree(assigner->levels[i].packed);
		pfree(assigner->levels[i].first_child);
	}
	pfree(assigner->centroids);
	pfree(assigner->scratch);
	pfree(assigner->top);
	pfree(assigner->centred);
	pfree(assigner->rows);
	pfree(assigner->beam_list);
	pfree(assigner->beam_score);
	pfree(assigner->next_list);
	pfree(assigner->next_score);
	pfree(assigner->beam_n);
	pfree(assigner->next_n);
	pfree(assigner->pairs);
	pfree(assigner->sorted);
	pfree(assigner->starts);
	pfree(assigner->scores);
	pfree(assigner);
}

/* The packed children of a list. */
static const float *
assign_children(ElacAssigner *assigner, AssignLevel *level, uint32 list)
{
	int			cut = (level + 1)->cut;
	uint32		first = level->first_child[list];
	uint32		n = level->first_child[list + 1] - first;
	Size		bytes = elac_assign_packed_floats(n, assigner->dim) * sizeof(float);

	if (level->packed[list] != NULL)
		return level->packed[list];
	if (bytes > assigner->memory_left)
	{
		assign_pack(assigner, cut, first, n, assigner->scratch);
		return assigner->scratch;
	}
	level->packed[list] = MemoryContextAllocHuge(assigner->context, bytes);
	assigner->memory_left -= bytes;
	assign_pack(assigner, cut, first, n, level->packed[list]);
	return level->packed[list];
}

/* Keeps the width best lists of a row, ascending by score. */
static inline void
assign_offer(uint32 *lists, float *scores, int *n, int width, uint32 list, float score)
{
	int			i;

	if (*n == width)
	{
		if (!(score < scores[width - 1]))
			return;
		(*n)--;
	}
	for (i = *n; i > 0 && score < scores[i - 1]; i--)
	{
		lists[i] = lists[i - 1];
		scores[i] = scores[i - 1];
	}
	lists[i] = list;
	scores[i] = score;
	(*n)++;
}

/* The first level: every list for every row. */
static void
assign_top(ElacAssigner *assigner, int n, int width)
{
	uint32		nlists = assigner->levels[0].nlists;
	Size		stride = ELAC_ASSIGN_STRIDE(nlists);

	elac_kernels()->score_block(assigner->rows, n, assigner->top, nlists, assigner->dim, assigner->scores);
	for (int row = 0; row < n; row++)
	{
		const float *scores = assigner->scores + row * stride;

		assigner->beam_n[row] = 0;
		for (uint32 list = 0; list < nlists; list++)
			assign_offer(assigner->beam_list + row * ASSIGN_BEAM, assigner->beam_score + row * ASSIGN_BEAM,
						 &assigner->beam_n[row], width, list, scores[list]);
	}
}

/* Rows' beams as pairs sorted by list; returns how many. */
static uint32
assign_sort_pairs(ElacAssigner *assigner, int n, uint32 nlists)
{
	uint32	   *starts = assigner->starts;
	uint32		npairs = 0;

	memset(starts, 0, ((Size) nlists + 1) * sizeof(uint32));
	for (int row = 0; row < n; row++)
		for (int i = 0; i < assigner->beam_n[row]; i++)
		{
			uint32		list = assigner->beam_list[row * ASSIGN_BEAM + i];

			assigner->pairs[npairs].row = row;
			assigner->pairs[npairs++].list = list;
			starts[list + 1]++;
		}
	for (uint32 list = 0; list < nlists; list++)
		starts[list + 1] += starts[list];
	for (uint32 i = 0; i < npairs; i++)
		assigner->sorted[starts[assigner->pairs[i].list]++] = assigner->pairs[i];
	return npairs;
}

/* Offers the children of one list to some of the rows that look at it. */
static void
assign_group(ElacAssigner *assigner, const AssignPair *pairs, int n, const float *packed, uint32 first, uint32 nchildren,
			 int width)
{
	const float *rows[ASSIGN_GROUP];
	Size		stride = ELAC_ASSIGN_STRIDE(nchildren);

	for (int i = 0; i < n; i++)
		rows[i] = assigner->rows[pairs[i].row];
	if (width == 1)
	{
		uint32		nearest[ASSIGN_GROUP];
		float		best[ASSIGN_GROUP];

		elac_kernels()->assign_block(rows, n, packed, nchildren, assigner->dim, nearest, best);
		for (int i = 0; i < n; i++)
		{
			uint32		row = pairs[i].row;

			assign_offer(assigner->next_list + row * ASSIGN_BEAM, assigner->next_score + row * ASSIGN_BEAM,
						 &assigner->next_n[row], 1, first + nearest[i], best[i]);
		}
		return;
	}
	elac_kernels()->score_block(rows, n, packed, nchildren, assigner->dim, assigner->scores);
	for (int i = 0; i < n; i++)
	{
		uint32		row = pairs[i].row;

		for (uint32 child = 0; child < nchildren; child++)
			assign_offer(assigner->next_list + row * ASSIGN_BEAM, assigner->next_score + row * ASSIGN_BEAM,
						 &assigner->next_n[row], width, first + child, assigner->scores[i * stride + child]);
	}
}

/* From a level's beams to those of the next. */
static void
assign_descend(ElacAssigner *assigner, int n, AssignLevel *level, int width)
{
	uint32		npairs = assign_sort_pairs(assigner, n, level->nlists);
	uint32		stop;

	memset(assigner->next_n, 0, n * sizeof(int));
	for (uint32 i = 0; i < npairs; i = stop)
	{
		uint32		list = assigner->sorted[i].list;
		uint32		first = level->first_child[list];
		const float *packed = assign_children(assigner, level, list);

		for (stop = i + 1; stop < npairs && assigner->sorted[stop].list == list;)
			stop++;
		for (uint32 start = i; start < stop; start += ASSIGN_GROUP)
			assign_group(assigner, assigner->sorted + start, Min(stop - start, ASSIGN_GROUP), packed, first,
						 level->first_child[list + 1] - first, width);
	}
	for (int row = 0; row < n; row++)
	{
		Size		offset = (Size) row * ASSIGN_BEAM;

		assigner->beam_n[row] = assigner->next_n[row];
		memcpy(assigner->beam_list + offset, assigner->next_list + offset, assigner->next_n[row] * sizeof(uint32));
	}
}

void
elac_assigner_assign(ElacAssigner *assigner, const float *vectors, uint64 n, uint32 *leaves)
{
	const float *mean = elac_codebook_mean(assigner->codebook);
	int			dim = assigner->dim;

	for (uint64 start = 0; start < n; start += assigner->rows_max)
	{
		int			nrows = (int) Min(n - start, (uint64) assigner->rows_max);

		CHECK_FOR_INTERRUPTS();
		for (int row = 0; row < nrows; row++)
		{
			const float *vector = vectors + (Size) (start + row) * dim;
			float	   *centred = assigner->centred + (Size) row * dim;

			for (int d = 0; d < dim; d++)
				centred[d] = vector[d] - mean[d];
			assigner->rows[row] = centred;
		}
		assign_top(assigner, nrows, assigner->nlevels == 1 ? 1 : ASSIGN_BEAM);
		for (int level = 0; level + 1 < assigner->nlevels; level++)
			assign_descend(assigner, nrows, &assigner->levels[level], level + 2 == assigner->nlevels ? 1 : ASSIGN_BEAM);
		for (int row = 0; row < nrows; row++)
			leaves[start + row] = assigner->beam_list[row * ASSIGN_BEAM];
	}
}
