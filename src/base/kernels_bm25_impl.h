/*
 * kernels_bm25_impl.h
 *	  Scoring of postings, for any width of registers.  Included by a
 *	  kernels_*.c file, which defines
 *
 *	  BM25_NAME(x)		the name of function x
 *	  BM25_TARGET		the attribute of its functions
 *	  BM25_LANES		floats a register, even
 *	  BM25_AT_LEAST64(values, limit)	which of 64 doubles are not below the limit
 *	  BM25_ZERO64(values)	sets 64 doubles to 0
 *
 *	  BM25_OWN_ADD		defined: the file has a bm25_add of its own
 *
 * All give the same bits: every operation is rounded once, as IEEE 754 says,
 * and no product is followed by a sum that a compiler could fuse with it.
 */
#include <string.h>

/* Marks where n > 0 documents lie: all between the first and the last when they are dense. */
static inline void
BM25_NAME(bm25_touch) (const uint32_t *docs, size_t n, uint32_t first, uint8_t *touched)
{
	uint32_t	low = (docs[0] - first) / 64;
	uint32_t	high = (docs[n - 1] - first) / 64;

	if (high - low <= 2 * n)
		memset(touched + low, 1, high - low + 1);
	else
		for (size_t i = 0; i < n; i++)
			touched[(docs[i] - first) / 64] = 1;
}

#ifndef BM25_OWN_ADD

#define BM25_CHUNK 128			/* postings at a time: their norms and contributions stay in the cache */

typedef float BM25_NAME(bm25_floats) __attribute__((vector_size(BM25_LANES * 4)));
typedef int32_t BM25_NAME(bm25_ints) __attribute__((vector_size(BM25_LANES * 4)));
typedef uint32_t BM25_NAME(bm25_uints) __attribute__((vector_size(BM25_LANES * 4)));
typedef float BM25_NAME(bm25_half) __attribute__((vector_size(BM25_LANES * 2)));
typedef double BM25_NAME(bm25_doubles) __attribute__((vector_size(BM25_LANES * 4)));

/* Contributions of BM25_LANES postings; all arrays have room for them. */
static inline BM25_TARGET void
BM25_NAME(bm25_contribute) (const uint32_t *tfs, const float *norms, float weight, double rounder, double *out)
{
	BM25_NAME(bm25_uints) tf;
	BM25_NAME(bm25_uints) large;
	BM25_NAME(bm25_floats) freq;
	BM25_NAME(bm25_floats) norm;
	float		part[BM25_LANES];

	memcpy(&tf, tfs, sizeof(tf));
	memcpy(&norm, norms, sizeof(norm));
	large = (BM25_NAME(bm25_uints)) (tf > ELAC_BM25_TF_MAX);
	tf = (tf & ~large) | (large & ELAC_BM25_TF_MAX);
	freq = __builtin_convertvector((BM25_NAME(bm25_ints)) tf, BM25_NAME(bm25_floats));
	freq = (freq * weight) / (freq + norm);
	memcpy(part, &freq, sizeof(part));
	for (int i = 0; i < 2; i++)
	{
		BM25_NAME(bm25_half) half;
		BM25_NAME(bm25_doubles) wide;

		memcpy(&half, part + i * (BM25_LANES / 2), sizeof(half));
		wide = __builtin_convertvector(half, BM25_NAME(bm25_doubles));
		wide = (wide + rounder) - rounder;
		memcpy(out + i * (BM25_LANES / 2), &wide, sizeof(wide));
	}
}

static BM25_TARGET void
BM25_NAME(bm25_add) (const uint32_t *docs, const uint32_t *tfs, size_t n, uint32_t first, const uint8_t *codes,
					 const float *norm, float weight, double rounder, double *scores, uint8_t *touched)
{
	float		norms[BM25_CHUNK];
	double		parts[BM25_CHUNK];

	while (n > 0)
	{
		size_t		m = n < BM25_CHUNK ? n : BM25_CHUNK;
		size_t		i = 0;

		for (size_t j = 0; j < m; j++)
			norms[j] = norm[codes[docs[j] - first]];
		for (; i + BM25_LANES <= m; i += BM25_LANES)
			BM25_NAME(bm25_contribute) (tfs + i, norms + i, weight, rounder, parts + i);
		if (i < m)
		{
			uint32_t	rest[BM25_LANES] = {0};

			memcpy(rest, tfs + i, (m - i) * sizeof(uint32_t));
			for (size_t j = m; j < i + BM25_LANES; j++)
				norms[j] = 1;
			BM25_NAME(bm25_contribute) (rest, norms + i, weight, rounder, parts + i);
		}
		for (size_t j = 0; j < m; j++)
			scores[docs[j] - first] += parts[j];
		BM25_NAME(bm25_touch) (docs, m, first, touched);
		docs += m;
		tfs += m;
		n -= m;
	}
}

#endif

static BM25_TARGET size_t
BM25_NAME(bm25_collect) (double *scores, uint8_t *touched, const uint64_t *allowed, size_t nwords, double limit,
						 uint32_t *positions, double *values)
{
	size_t		n = 0;

	for (size_t word = 0; word < nwords; word++)
	{
		double	   *from = scores + word * 64;
		uint64_t	found;

		if (!touched[word])
			continue;
		touched[word] = 0;
		found = BM25_AT_LEAST64(from, limit);
		if (allowed != NULL)
			found &= allowed[word];
		for (; found != 0; found &= found - 1)
		{
			unsigned	bit = (unsigned) __builtin_ctzll(found);

			positions[n] = (uint32_t) (word * 64 + bit);
			values[n++] = from[bit];
		}
		BM25_ZERO64(from);
	}
	return n;
}
