/*
 * vector_lists.c
 *	  The lists of a cut in the order in which a query meets them: ascending
 *	  exact distance of their centroids, as many as are asked for.
 *
 * Exact distances of all centroids would be most of a query's time.  The coded
 * centroids give an estimate and a lower bound of each.  To hand out n lists:
 *
 * 1. the exact distances of about n lists whose estimates are low; the n-th
 *	  smallest exact distance known is a limit that the n nearest keep to;
 * 2. the exact distances of all lists whose lower bounds keep to it;
 * 3. what keeps to it exactly is complete: sorted, it is handed out.
 *
 * The next call goes on from there, for more, and repeats nothing.  Estimates
 * by more than the first bit would rule out more in step 2, but computing them
 * costs what it saves: measured with 3 more bits on 4,870 centroids of 128
 * dimensions (600 exact distances fewer, 10 us more) and 3,416 of 256 (even).
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "vector/sort_items.h"
#include "vector/vector_private.h"

/* Lists handed out at least, and how their number grows: most queries need no more than the first. */
#define ELAC_LISTS_FIRST 128
#define ELAC_LISTS_GROWTH 4

/* When more than one in so many lists is wanted, all are measured: codes would rule out too few. */
#define ELAC_LISTS_ALL 16

/* One estimate in so many is looked at to choose a first limit. */
#define ELAC_LISTS_SAMPLE 8

/*
 * Standard deviations of the bound of a centroid's distance: .3% of lists come
 * later than they should, by a place or so.
 */
#define ELAC_LISTS_EPSILON 2.5f

/* How far ahead centroids are asked for. */
#define ELAC_LISTS_AHEAD 8

/* Arrays of a cut, each with room for all lists and whole blocks. */
#define ELAC_LISTS_ARRAYS 7

struct ElacQueryCut
{
	ElacVectorLists lists;
	uint32	   *order;
	float	   *distance;
	uint32		nlists;
	float	   *add;			/* of each list: its centroid's distance, NaN while unknown */
	uint32		nknown;			/* lists measured but not handed out */
	uint32	   *known;
	uint32	   *chosen;			/* work space */
	float	   *estimate;		/* of all lists; NULL without codes */
	float	   *lower;
};

/*
 * Memory of a cut's arrays.  The arrays of thousands of lists are more than
 * malloc keeps: given back at the end of every query they would be mapped,
 * faulted in and cleared anew for the next one, which costs more than ranking
 * the lists does.  So one is kept for the next query.
 */
typedef struct ElacListsSpace
{
	MemoryContextCallback callback; /* gives it back with the query's context */
	Size		nbytes;			/* that follow */
} ElacListsSpace;

/* Larger ones are not kept. */
#define ELAC_LISTS_SPACE_KEPT ((Size) 8 * 1024 * 1024)

static ElacListsSpace *lists_space_kept = NULL;

static void
elac_lists_space_return(void *arg)
{
	ElacListsSpace *space = arg;

	if (space->nbytes <= ELAC_LISTS_SPACE_KEPT &&
		(lists_space_kept == NULL || lists_space_kept->nbytes < space->nbytes))
	{
		ElacListsSpace *other = lists_space_kept;

		lists_space_kept = space;
		space = other;
	}
	if (space != NULL)
		pfree(space);
}

/* Memory that lives as long as the query. */
static void *
elac_lists_space_take(ElacVectorQuery *query, Size nbytes)
{
	ElacListsSpace *space = lists_space_kept;

	if (space != NULL && space->nbytes >= nbytes)
		lists_space_kept = NULL;
	else
	{
		space = MemoryContextAllocHuge(TopMemoryContext, MAXALIGN(sizeof(ElacListsSpace)) + nbytes);
		space->nbytes = nbytes;
	}
	space->callback.func = elac_lists_space_return;
	space->callback.arg = space;
	MemoryContextRegisterResetCallback(query->context, &space->callback);
	return (char *) space + MAXALIGN(sizeof(ElacListsSpace));
}

/* The smallest k of n values come first, the k-th smallest at values[k - 1]; 1 <= k <= n. */
static float
elac_lists_nth(float *values, uint32 n, uint32 k)
{
	uint32		low = 0;
	uint32		high = n - 1;

	while (low < high)
	{
		float		pivot = values[low + (high - low) / 2];
		int64		i = (int64) low - 1;
		int64		j = (int64) high + 1;

		/* Hoare's partition: NaN compares false both ways and stops both */
		for (;;)
		{
			float		swap;

			do
				i++;
			while (values[i] < pivot);
			do
				j--;
			while (values[j] > pivot);
			if (i >= j)
				break;
			swap = values[i];
			values[i] = values[j];
			values[j] = swap;
		}
		if (k - 1 <= (uint32) j)
			high = (uint32) j;
		else
			low = (uint32) j + 1;
	}
	return values[k - 1];
}

/* ---- distances ---- */

/* The centroid's distance as it is added to estimates; see rabitq.h. */
static inline float
elac_lists_measure(const ElacVectorQuery *query, const float *centroid)
{
	const ElacKernels *kernels = elac_kernels();
	int			dim = query->codebook->params.dim;

	switch (query->codebook->params.metric)
	{
		case ELAC_METRIC_L2:
			return kernels->l2sq_f32(query->vector, centroid, dim);
		case ELAC_METRIC_IP:
			return -kernels->ip_f32(query->vector, centroid, dim);
		case ELAC_METRIC_COSINE:
			return 1 - kernels->ip_f32(query->vector, centroid, dim);
	}
	return 0;					/* keep compiler quiet */
}

/* Terms of a list whose distance and squared centroid length are known. */
static ElacListTerms
elac_lists_terms(const ElacVectorQuery *query, float add, float cc)
{
	ElacListTerms terms;
	float		qc;

	terms.add = add;
	terms.lambda = 1;
	terms.spread = sqrtf(add);
	if (query->codebook->params.metric == ELAC_METRIC_L2)
		return terms;
	qc = (query->codebook->params.metric == ELAC_METRIC_COSINE ? 1 : 0) - add;
	terms.lambda = cc > 0 ? qc / cc : 0;
	if (!isfinite(terms.lambda))
		terms.lambda = 0;
	/* |q - lambda c|^2 = |q|^2 - <q,c>^2 / |c|^2, never below rounding */
	terms.spread = sqrtf(Max(query->square - terms.lambda * qc, 1e-6f * query->square));
	return terms;
}

/* Squared length of a centroid. */
static float
elac_lists_norm(const ElacCodebook *codebook, int cut, uint32 list)
{
	const ElacCodebookCut *c = &codebook->cuts[cut];
	const float *centroid = elac_codebook_centroid(codebook, cut, list);

	if (c->codes != NULL)
		return elac_codebook_code_norm(codebook, c, list);
	return elac_kernels()->ip_f32(centroid, centroid, codebook->params.dim);
}

/* Measures the lists chosen that were not yet, and adds them to the known. */
static void
elac_lists_learn(const ElacVectorQuery *query, ElacQueryCut *cut, const ElacCodebookCut *c, uint32 nchosen)
{
	Size		dim = query->codebook->params.dim;

	for (uint32 i = 0; i < nchosen; i++)
	{
		uint32		list = cut->chosen[i];

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		if (i + ELAC_LISTS_AHEAD < nchosen)
		{
			const float *next = c->centroids + cut->chosen[i + ELAC_LISTS_AHEAD] * dim;

			for (Size d = 0; d < dim; d += 16)
				__builtin_prefetch(next + d);
		}
		if (!isnan(cut->add[list]))
			continue;
		cut->add[list] = elac_lists_measure(query, c->centroids + list * dim);

		/* not a number, so as far as can be: known from now on */
		if (isnan(cut->add[list]))
			cut->add[list] = INFINITY;
		cut->known[cut->nknown++] = list;
	}
}

/* ---- handing out ---- */

/* Hands out the known lists that keep to a limit. */
static void
elac_lists_hand_out(ElacQueryCut *cut, float limit)
{
	ElacSortItem *items = palloc_extended(Max(cut->nknown, 1) * sizeof(ElacSortItem), MCXT_ALLOC_HUGE);
	uint32		nitems = 0;
	uint32		nkept = 0;

	for (uint32 i = 0; i < cut->nknown; i++)
	{
		uint32		list = cut->known[i];

		if (cut->add[list] > limit)
			cut->known[nkept++] = list;
		else
			items[nitems++] = elac_sort_item(cut->add[list], list);
	}
	cut->nknown = nkept;
	elac_sort_items(items, nitems);
	for (uint32 i = 0; i < nitems; i++)
	{
		uint32		list = elac_sort_payload(items[i]);

		cut->order[cut->lists.n] = list;
		cut->distance[cut->lists.n] = cut->add[list];
		cut->lists.n++;
	}
	pfree(items);
}

/* Hands out all lists. */
static void
elac_lists_all(ElacVectorQuery *query, ElacQueryCut *cut, const ElacCodebookCut *c)
{
	for (uint32 list = 0; list < cut->nlists; list++)
		cut->chosen[list] = list;
	elac_lists_learn(query, cut, c, cut->nlists);
	elac_lists_hand_out(cut, INFINITY);
}

/* Estimates of all lists from their codes. */
static void
elac_lists_estimate(ElacVectorQuery *query, ElacQueryCut *cut, const ElacCodebookCut *c)
{
	const ElacCodebook *codebook = query->codebook;
	const ElacKernels *kernels = elac_kernels();
	const float *mean = elac_codebook_mean(codebook);
	ElacListTerms list = elac_lists_terms(query, elac_lists_measure(query, mean),
										  kernels->ip_f32(mean, mean, codebook->params.dim));
	Size		block_bytes = elac_codebook_code_block_bytes(codebook->padded);
	Size		nblocks = (cut->nlists + ELAC_VECTOR_LANES - 1) / ELAC_VECTOR_LANES;
	Size		units = codebook->padded / 8;
	ElacBoundTerms terms;

	terms.scale = query->lut_scale;
	terms.offset = query->lut_offset - query->half_sum;
	terms.lut_error = query->lut_error;
	terms.add = list.add;
	terms.lambda = list.lambda;
	terms.spread = ELAC_LISTS_EPSILON * list.spread;
	for (Size block = 0; block < nblocks; block++)
	{
		const uint8 *codes = c->codes + block * block_bytes;
		uint32		sums[ELAC_VECTOR_LANES];

		if (block % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		kernels->fastscan32(codes, query->lut, units, sums);
		kernels->bounds32(&terms, sums, codes + units * ELAC_VECTOR_UNIT, INFINITY,
						  cut->estimate + block * ELAC_VECTOR_LANES, cut->lower + block * ELAC_VECTOR_LANES);
	}
}

/* A value that about n estimates, or some more, do not exceed. */
static float
elac_lists_guess(ElacQueryCut *cut, uint32 n)
{
	uint32		nsample = cut->nlists / ELAC_LISTS_SAMPLE;
	float	   *sample = palloc_extended(nsample * sizeof(float), MCXT_ALLOC_HUGE);
	uint32		share = n / ELAC_LISTS_SAMPLE;
	float		limit;

	for (uint32 i = 0; i < nsample; i++)
		sample[i] = cut->estimate[(Size) i * ELAC_LISTS_SAMPLE];
	share += (uint32) sqrt((double) share) + 2;
	limit = elac_lists_nth(sample, nsample, Min(share, nsample));
	pfree(sample);
	return limit;
}

/* The n-th smallest distance of the lists known and handed out; infinite when there are not so many. */
static float
elac_lists_limit(ElacQueryCut *cut, uint32 n)
{
	float	   *distances;
	float		limit;

	Assert(n > cut->lists.n);
	n -= cut->lists.n;			/* those known are beyond those handed out */
	if (n > cut->nknown)
		return INFINITY;
	distances = palloc_extended(cut->nknown * sizeof(float), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < cut->nknown; i++)
		distances[i] = cut->add[cut->known[i]];
	limit = elac_lists_nth(distances, cut->nknown, n);
	pfree(distances);
	return limit;
}

/* Whether codes help to find the nearest n lists. */
static inline bool
elac_lists_by_codes(const ElacCodebookCut *c, uint32 n)
{
	return c->codes != NULL && n <= Max(c->nlists / ELAC_LISTS_ALL, ELAC_LISTS_FIRST) && n < c->nlists / 2;
}

static ElacQueryCut *
elac_lists_begin(ElacVectorQuery *query, int number, uint32 n)
{
	const ElacCodebookCut *c = &query->codebook->cuts[number];
	ElacQueryCut *cut = palloc0(sizeof(ElacQueryCut));
	Size		nbytes = TYPEALIGN64(ELAC_VECTOR_LANES, (uint64) c->nlists) * sizeof(float);
	char	   *space = elac_lists_space_take(query, ELAC_LISTS_ARRAYS * nbytes);

	cut->nlists = c->nlists;
	cut->order = (uint32 *) space;
	cut->distance = (float *) (space + nbytes);
	cut->known = (uint32 *) (space + 2 * nbytes);
	cut->chosen = (uint32 *) (space + 3 * nbytes);
	cut->add = (float *) (space + 4 * nbytes);
	memset(cut->add, 0xFF, c->nlists * sizeof(float));	/* NaN */
	cut->lists.order = cut->order;
	cut->lists.distance = cut->distance;
	if (elac_lists_by_codes(c, n))
	{
		cut->estimate = (float *) (space + 5 * nbytes);
		cut->lower = (float *) (space + 6 * nbytes);
		elac_lists_estimate(query, cut, c);
	}
	return cut;
}

const ElacVectorLists *
elac_vector_query_ensure(ElacVectorQuery *query, int number, uint32 n)
{
	const ElacKernels *kernels = elac_kernels();
	const ElacCodebookCut *c;
	MemoryContext old;
	ElacQueryCut *cut;
	uint32		nchosen;
	float		limit;

	if (number < 0 || number >= elac_codebook_ncuts(query->codebook))
		elog(ERROR, "codebook has no cut %d", number);
	cut = query->cuts[number];
	if (cut != NULL && n <= cut->lists.n)
		return &cut->lists;

	old = MemoryContextSwitchTo(query->context);
	if (cut == NULL)
		cut = query->cuts[number] = elac_lists_begin(query, number, n);
	c = &query->codebook->cuts[number];
	n = Max(n, ELAC_LISTS_FIRST);
	n = (uint32) Max((uint64) n, (uint64) cut->lists.n * ELAC_LISTS_GROWTH);
	if (cut->estimate == NULL || !elac_lists_by_codes(c, n))
	{
		if (cut->lists.n < cut->nlists)
			elac_lists_all(query, cut, c);
	}
	else
	{
		elac_lists_learn(query, cut, c,
						 (uint32) kernels->select_below(cut->estimate, cut->nlists, elac_lists_guess(cut, n), cut->chosen));
		limit = elac_lists_limit(cut, n);
		nchosen = (uint32) kernels->select_below(cut->lower, cut->nlists, limit, cut->chosen);
		if (nchosen <= cut->nlists / 2)
		{
			elac_lists_learn(query, cut, c, nchosen);
			elac_lists_hand_out(cut, limit);
		}
		else					/* all are about as far away: codes cannot tell */
			elac_lists_all(query, cut, c);
	}
	MemoryContextSwitchTo(old);
	return &cut->lists;
}

const uint32 *
elac_vector_query_lists(ElacVectorQuery *query, int cut)
{
	if (cut < 0 || cut >= elac_codebook_ncuts(query->codebook))
		elog(ERROR, "codebook has no cut %d", cut);
	return elac_vector_query_ensure(query, cut, elac_codebook_nlists(query->codebook, cut))->order;
}

ElacListTerms
elac_vector_query_list(ElacVectorQuery *query, int number, uint32 list)
{
	const ElacQueryCut *cut = query->cuts[number];
	float		add = cut != NULL ? cut->add[list] : NAN;

	if (isnan(add))
		add = elac_lists_measure(query, elac_codebook_centroid(query->codebook, number, list));
	return elac_lists_terms(query, add,
							query->codebook->params.metric == ELAC_METRIC_L2
							? 0 : elac_lists_norm(query->codebook, number, list));
}
