/*
 * vector_query.c
 *	  A query vector as the scan wants it: rotated, tabulated in 8 bits, and
 *	  measured against the centroids.
 *
 * The look-up table replaces the sum of the components that a 4-bit pattern
 * selects by an 8-bit number.  What that rounds away is known: its mean goes
 * into lut_offset, so that estimates stay unbiased, and a bound of the rest
 * into lut_error, which widens every lower bound.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "vector/vector_private.h"

const float *
elac_vector_query_table(ElacVectorQuery *query)
{
	int			ntables = query->codebook->padded / 4;

	if (query->table != NULL)
		return query->table;
	query->table = MemoryContextAlloc(query->context, (Size) ntables * 16 * sizeof(float));
	for (int t = 0; t < ntables; t++)
	{
		const float *q = query->rotated + 4 * t;
		float	   *table = query->table + 16 * t;

		table[0] = 0;
		for (int m = 1; m < 16; m++)
		{
			int			low = m & -m;
			int			bit = low == 1 ? 0 : low == 2 ? 1 : low == 4 ? 2 : 3;

			table[m] = table[m ^ low] + q[bit];
		}
	}
	return query->table;
}

ElacVectorQuery *
elac_vector_query_begin(const ElacCodebook *codebook, const float *prepared, double epsilon)
{
	ElacVectorQuery *query = palloc0(sizeof(ElacVectorQuery));
	int			dim = codebook->params.dim;
	double		sum = 0;
	ElacLutTerms terms;

	query->codebook = codebook;
	query->context = CurrentMemoryContext;
	query->epsilon = epsilon;
	query->vector = palloc(dim * sizeof(float));
	memcpy(query->vector, prepared, dim * sizeof(float));
	query->rotated = palloc(codebook->padded * sizeof(float));
	elac_codebook_rotate_relative(codebook, prepared, query->rotated);
	for (int i = 0; i < codebook->padded; i++)
		sum += query->rotated[i];
	query->half_sum = (float) (sum / 2);
	query->lut = palloc((Size) codebook->padded * 4);
	elac_kernels()->tabulate(query->rotated, codebook->padded, query->lut, &terms);
	query->lut_scale = terms.scale;
	query->lut_offset = terms.offset;
	query->lut_deviation = terms.deviation;

	/*
	 * The rounding errors of different tables add up like independent numbers
	 * over the documents; the bound is their deviation times epsilon, but at
	 * least 4 of them, and never more than what nothing can exceed.
	 */
	query->lut_error = (float) Min(terms.worst, Max(epsilon, 4) * terms.deviation);
	return query;
}

/* A key that orders as the float does, NaN last. */
static uint32
elac_query_sort_key(float value)
{
	uint32		bits;

	if (isnan(value))
		return UINT32_MAX;
	memcpy(&bits, &value, sizeof(bits));
	return (bits & UINT32_C(0x80000000)) ? ~bits : bits | UINT32_C(0x80000000);
}

/* Fills order with 0 .. n-1 by ascending value: stable radix sort, 11 bits a pass. */
static void
elac_query_sort(const float *values, uint32 n, uint32 *order)
{
	uint32	   *keys = palloc_extended((Size) n * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *other = palloc_extended((Size) n * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *from = order;
	uint32	   *to = other;

	for (uint32 i = 0; i < n; i++)
	{
		keys[i] = elac_query_sort_key(values[i]);
		order[i] = i;
	}
	for (int shift = 0; shift < 32; shift += 11)
	{
		uint32		starts[2048] = {0};
		uint32		total = 0;
		uint32	   *swap = from;

		for (uint32 i = 0; i < n; i++)
			starts[(keys[i] >> shift) & 2047]++;
		for (int bucket = 0; bucket < 2048; bucket++)
		{
			uint32		count = starts[bucket];

			starts[bucket] = total;
			total += count;
		}
		for (uint32 i = 0; i < n; i++)
			to[starts[(keys[from[i]] >> shift) & 2047]++] = from[i];
		from = to;
		to = swap;
	}
	/* three passes: the result is in other */
	memcpy(order, from, (Size) n * sizeof(uint32));
	pfree(keys);
	pfree(other);
}

/* Distance parts of one list; see rabitq.h. */
static void
elac_query_measure(const ElacVectorQuery *query, const float *centroid, float qq, float *add, float *lambda,
				   float *spread)
{
	const ElacKernels *kernels = elac_kernels();
	int			dim = query->codebook->params.dim;
	float		qc;
	float		cc;

	if (query->codebook->params.metric == ELAC_METRIC_L2)
	{
		*add = kernels->l2sq_f32(query->vector, centroid, dim);
		*lambda = 1;
		*spread = sqrtf(*add);
		return;
	}
	qc = kernels->ip_f32(query->vector, centroid, dim);
	cc = kernels->ip_f32(centroid, centroid, dim);
	*add = (query->codebook->params.metric == ELAC_METRIC_COSINE ? 1 : 0) - qc;
	*lambda = cc > 0 ? qc / cc : 0;
	if (!isfinite(*lambda))
		*lambda = 0;
	/* |q - lambda c|^2 = |q|^2 - <q,c>^2 / |c|^2, never below rounding */
	*spread = sqrtf(Max(qq - *lambda * qc, 1e-6f * qq));
}

static const ElacQueryCut *
elac_vector_query_cut(ElacVectorQuery *query, int cut)
{
	ElacQueryCut *result = &query->cuts[cut];
	const ElacCodebook *codebook = query->codebook;
	int			dim = codebook->params.dim;
	uint32		n = elac_codebook_nlists(codebook, cut);
	MemoryContext old;
	uint32	   *order;
	float		qq;

	if (result->order != NULL)
		return result;
	old = MemoryContextSwitchTo(query->context);
	result->add = palloc_extended((Size) n * sizeof(float), MCXT_ALLOC_HUGE);
	result->lambda = palloc_extended((Size) n * sizeof(float), MCXT_ALLOC_HUGE);
	result->spread = palloc_extended((Size) n * sizeof(float), MCXT_ALLOC_HUGE);
	order = palloc_extended((Size) n * sizeof(uint32), MCXT_ALLOC_HUGE);
	qq = elac_kernels()->ip_f32(query->vector, query->vector, dim);
	for (uint32 list = 0; list < n; list++)
	{
		if (list % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		elac_query_measure(query, elac_codebook_centroid(codebook, cut, list), qq,
						   &result->add[list], &result->lambda[list], &result->spread[list]);
	}
	elac_query_sort(result->add, n, order);
	result->distance = palloc_extended((Size) n * sizeof(float), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
		result->distance[i] = result->add[order[i]];
	result->lists.n = n;
	result->lists.order = order;
	result->lists.distance = result->distance;
	result->order = order;
	MemoryContextSwitchTo(old);
	return result;
}

const uint32 *
elac_vector_query_lists(ElacVectorQuery *query, int cut)
{
	if (cut < 0 || cut >= elac_codebook_ncuts(query->codebook))
		elog(ERROR, "codebook has no cut %d", cut);
	return elac_vector_query_cut(query, cut)->order;
}

const ElacVectorLists *
elac_vector_query_ensure(ElacVectorQuery *query, int cut, uint32 n)
{
	if (cut < 0 || cut >= elac_codebook_ncuts(query->codebook))
		elog(ERROR, "codebook has no cut %d", cut);
	return &elac_vector_query_cut(query, cut)->lists;
}

ElacListTerms
elac_vector_query_list(ElacVectorQuery *query, int cut, uint32 list)
{
	const ElacQueryCut *c = elac_vector_query_cut(query, cut);
	ElacListTerms terms = {c->add[list], c->lambda[list], c->spread[list]};

	return terms;
}
