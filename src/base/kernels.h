/*
 * kernels.h
 *	  The inner loops, behind one table chosen at run time: scalar (the
 *	  truth), AVX2, AVX-512, NEON.  Freestanding.
 *
 * Vectors are float arrays of any alignment and any length n >= 0; halves are
 * IEEE 754 binary16 bit patterns.  Floating-point sums may differ between
 * implementations in the last bits (relative 1e-5 of the sum of magnitudes);
 * integer kernels are bit-identical.
 */
#ifndef ELAC_KERNELS_H
#define ELAC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a query's 8-bit look-up tables stand for: <bits,q> ~ scale * sum + offset. */
typedef struct ElacLutTerms
{
	float		scale;
	float		offset;
	float		deviation;		/* standard deviation of the error over random bits; its mean is 0 */
	float		worst;			/* which the error never exceeds, nearly */
} ElacLutTerms;

/*
 * What the bound of a block's documents needs beside their own numbers:
 *	estimate = add + lambda * doc.add + doc.rescale * (scale * sum + offset)
 *	lower    = estimate - spread * doc.error - lut_error * |doc.rescale| - rounding
 */
typedef struct ElacBoundTerms
{
	float		scale;
	float		offset;
	float		lut_error;
	float		add;
	float		lambda;
	float		spread;
} ElacBoundTerms;

/* Rounding granted to estimates, relative to the sum of magnitudes. */
#define ELAC_BOUND_ROUNDING 1e-6f

typedef struct ElacKernels
{
	const char *name;			/* "scalar", "avx2", "avx512", "neon" */

	float		(*l2sq_f32) (const float *a, const float *b, size_t n);	/* sum (a-b)^2 */
	float		(*ip_f32) (const float *a, const float *b, size_t n);	/* sum a*b */
	float		(*l1_f32) (const float *a, const float *b, size_t n);	/* sum |a-b| */
	void		(*cosine_f32) (const float *a, const float *b, size_t n, float *ab, float *aa, float *bb);

	float		(*l2sq_f16) (const uint16_t *a, const uint16_t *b, size_t n);
	float		(*ip_f16) (const uint16_t *a, const uint16_t *b, size_t n);
	float		(*l1_f16) (const uint16_t *a, const uint16_t *b, size_t n);
	void		(*cosine_f16) (const uint16_t *a, const uint16_t *b, size_t n, float *ab, float *aa, float *bb);
	void		(*f16_to_f32) (const uint16_t *src, float *dst, size_t n);
	void		(*f32_to_f16) (const float *src, uint16_t *dst, size_t n);	/* round to nearest even; overflow gives infinity */

	/* In-place unnormalised fast Hadamard transform; n a power of two. */
	void		(*hadamard) (float *x, size_t n);

	/*
	 * FastScan: 1-bit codes of 32 documents against 4-bit look-up tables.
	 * codes: padded/8 units of 32 bytes.  Unit u carries dimensions 8u..8u+7:
	 * bytes 0..15 dimensions 8u..8u+3, bytes 16..31 dimensions 8u+4..8u+7; in
	 * each half, byte j's low nibble belongs to document perm[j], the high
	 * nibble to perm[j] + 16, perm = 0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15;
	 * bit i of a nibble is dimension base + i.
	 * lut: padded/4 tables of 16 bytes (table 2u for the first half, 2u+1 for
	 * the second).  out[d] = sum over tables of lut[table][nibble of d].
	 */
	void		(*fastscan32) (const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32]);

	/*
	 * Look-up tables of fastscan32 for n components (a multiple of 8), n / 4
	 * tables of 16 bytes: entry m of table t stands for the sum of q[4t + i]
	 * over the bits i of m, in steps of one scale for all tables.  The bytes
	 * are bit-identical everywhere.  Components that are not finite give a
	 * scale of 0 and terms that are not finite.
	 */
	void		(*tabulate) (const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms);

	/*
	 * Estimates and lower bounds of 32 documents from their sums.  factors:
	 * float add[32], rescale[32], error[32] at any alignment.  Returns the
	 * documents whose lower bound is below the threshold or not a number; an
	 * error of FLT_MAX makes the lower bound infinite.
	 */
	uint32_t	(*bounds32) (const ElacBoundTerms *terms, const uint32_t sums[32], const void *factors, float threshold,
							 float estimate[32], float lower[32]);

	/*
	 * Positions of the values that are not above a limit (NaN is not), in
	 * ascending order; out has room for n.  Returns how many.
	 */
	size_t		(*select_below) (const float *values, size_t n, float limit, uint32_t *out);

	/*
	 * Inner product of a query with an ex code: sum q[i] * code[i], codes of
	 * width 1..7 bits packed low bits first (base/bitpack.h), n of them.
	 */
	float		(*ip_packed) (const float *q, const uint8_t *code, unsigned width, size_t n);

	/*
	 * Packed integers (base/bitpack.h) of width 0..32, n of them: values[i] is
	 * the i-th plus add, modulo 2^32.  Reads the packed bytes and no others.
	 */
	void		(*unpack) (const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values);

	/*
	 * The same with the high bits of some values apart (base/patched.h): bit i
	 * of where says that value i has more, (the next of high) << width.  n is
	 * at most 256, where has no bits from n on; high has ELAC_PATCH_SLACK
	 * values behind its last that may be read.  Returns how many were used.
	 */
	size_t		(*unpack_patched) (const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
								   const uint32_t *high, uint32_t *values);

	/*
	 * Gaps to ascending numbers: values[i] becomes base + the sum of
	 * values[0 .. i] + i, modulo 2^32.  False when one of them would not fit
	 * 32 bits (what values hold then is not said).
	 */
	bool		(*gaps_to_docs) (uint32_t *values, size_t n, uint32_t base);

	/*
	 * Many vectors against many centroids: score(x, c) = |c|^2 / 2 - <x, c>,
	 * smallest for the nearest centroid; |x - c|^2 = |x|^2 + 2 score.  Both
	 * take rows by pointer and centroids as elac_assign_pack() wrote them, in
	 * any number.  assign_block gives the nearest centroid of each row (the
	 * lowest number of equals; 0 and infinity when no score is finite) with
	 * its score; score_block gives all: scores[row * ELAC_ASSIGN_STRIDE(n) + c]
	 * (what lies behind c = n is infinite).  Worth calling with some dozens of
	 * rows at once.  A score is off by rounding relative to |x||c|: data far
	 * from the origin are centred first.
	 */
	void		(*assign_block) (const float *const *rows, size_t nrows, const float *packed, size_t ncentroids,
								 size_t dim, uint32_t *nearest, float *scores);
	void		(*score_block) (const float *const *rows, size_t nrows, const float *packed, size_t ncentroids,
								size_t dim, float *scores);

	/*
	 * Adds what n postings of one term contribute to the scores of a window of
	 * documents that starts at first: for each
	 *		c = (weight * tf) / (tf + norm[codes[doc - first]])
	 *		scores[doc - first] += ((double) c + rounder) - rounder
	 * in floats, counts above ELAC_BM25_TF_MAX taken for that; touched has a
	 * byte for 64 documents, set where a score has changed (and perhaps between
	 * such places).  docs ascend; codes have ELAC_BM25_CODES_SLACK readable
	 * bytes behind the last.  Bit-identical everywhere.
	 */
	void		(*bm25_add) (const uint32_t *docs, const uint32_t *tfs, size_t n, uint32_t first, const uint8_t *codes,
							 const float *norm, float weight, double rounder, double *scores, uint8_t *touched);

	/*
	 * Documents of a window whose score is not below a limit > 0 and that are
	 * allowed (NULL: all), ascending, with their scores; then sets all scores
	 * that were touched, and touched itself, to 0.  A window has nwords * 64
	 * documents, out as much room.  Returns how many.
	 */
	size_t		(*bm25_collect) (double *scores, uint8_t *touched, const uint64_t *allowed, size_t nwords, double limit,
								 uint32_t *positions, double *values);
} ElacKernels;

/* Counts are cut off here when they are scored: all below are exact in a float. */
#define ELAC_BM25_TF_MAX (1u << 24)

#define ELAC_BM25_CODES_SLACK 3

/* Values that unpack_patched may read behind the last high part. */
#define ELAC_PATCH_SLACK 16

/* Centroids beside each other in a packed panel. */
#define ELAC_ASSIGN_PANEL 16

/* n rounded up to whole panels. */
#define ELAC_ASSIGN_STRIDE(n) (((n) + ELAC_ASSIGN_PANEL - 1) / ELAC_ASSIGN_PANEL * ELAC_ASSIGN_PANEL)

/* Floats that n packed centroids take. */
static inline size_t
elac_assign_packed_floats(size_t ncentroids, size_t dim)
{
	return ELAC_ASSIGN_STRIDE(ncentroids) * (dim + 1);
}

/* Packs n centroids (row-major) for assign_block and score_block. */
extern void elac_assign_pack(const float *centroids, size_t ncentroids, size_t dim, float *packed);

/* Best for this processor; ELACSYM_KERNELS=name in the environment forces one. */
extern const ElacKernels *elac_kernels(void);

/* By name, NULL when the processor or the build does not have it; for tests. */
extern const ElacKernels *elac_kernels_by_name(const char *name);

#endif							/* ELAC_KERNELS_H */
