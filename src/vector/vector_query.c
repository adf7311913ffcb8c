/*
 * vector_query.c
 *	  A query vector as the scan wants it: rotated and tabulated in 8 bits.
 *	  Which lists are near is vector_lists.c's.
 *
 * The look-up table replaces the sum of the components that a 4-bit pattern
 * selects by an 8-bit number.  What that rounds away is known: its mean goes
 * into lut_offset, so that estimates stay unbiased, and a bound of the rest
 * into lut_error, which widens every lower bound.
 */
#include "postgres.h"

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
	query->square = elac_kernels()->ip_f32(prepared, prepared, dim);
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
