/*
 * kernels_impl.h
 *	  The tables that kernels.c chooses from, and what their files share.
 *	  Private to base.
 *
 * A table exists only where the compiler can target its instructions; whether
 * the processor has them is kernels.c's question.
 */
#ifndef ELAC_KERNELS_IMPL_H
#define ELAC_KERNELS_IMPL_H

#include <math.h>

#include "base/kernels.h"

#if defined(__x86_64__)
#define ELAC_KERNELS_X86 1
#endif
#if defined(__aarch64__)
#define ELAC_KERNELS_ARM 1
#endif

/*
 * FastScan adds bytes in 16-bit lanes: after this many additions the sums are
 * at most 65280 and must be widened.
 */
#define ELAC_FASTSCAN_ADDS_16BIT 256

/*
 * How to spread packed values over 32-bit lanes, by width.  Sixteen values
 * fill 2 * width bytes; value i lies in bytes first[i] and first[i] + 1 of
 * them, shift[i] bits up.  `bytes` are controls of a byte shuffle that brings
 * those two into lane i; indexes with the top bit set give zero.  A lane
 * masked with mask[i] is the value times 2^shift[i]: as that factor depends on
 * the lane alone, sums of products are multiplied by scale[i] = 2^-shift[i] in
 * the end, and no value is shifted.  The last two are the same for values that
 * all lie in one word.
 */
typedef struct ElacPackedControl
{
	uint8_t		bytes[64];
	uint32_t	shift[16];
	uint32_t	mask[16];
	float		scale[16];
	uint32_t	shift_word[16];
	float		scale_word[16];
} ElacPackedControl;

extern const ElacPackedControl elac_packed_control[8];

/*
 * Scale of look-up tables whose largest sum of magnitudes is range; 0 when it
 * is not finite or too small to divide by.
 */
static inline float
elac_lut_scale(float range)
{
	float		scale = range / 255.0f;

	return scale >= 0x1p-120f && scale <= 0x1p120f ? scale : 0;
}

/*
 * Terms of ntables tables: sum of the negative components, sums over all 16
 * entries of all tables of the rounding errors and of their squares, in units
 * of scale.  The variance of an entry's error is taken around 0 instead of its
 * table's mean: a little larger, and needs no sum across a register.
 */
static inline void
elac_lut_terms(ElacLutTerms *terms, float scale, double low, double error, double square, size_t ntables)
{
	terms->scale = scale;
	terms->offset = (float) (low + scale * error / 16);
	terms->deviation = (float) (scale * sqrt(square / 16));
	terms->worst = scale * 0.5001f * (float) ntables;
}

/* Tables that say nothing, for a scale of 0: every sum is taken to be half of all. */
extern void elac_lut_blank(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms);

/* Floats of packed centroids that a pass over the rows keeps in the cache: 256 kB. */
#define ELAC_ASSIGN_TILE_FLOATS 65536

/* kernels_unpack.c */
extern void elac_unpack_scalar(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values);
extern size_t elac_unpack_patched_scalar(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
										 const uint32_t *high, uint32_t *values);
extern bool elac_gaps_to_docs_scalar(uint32_t *values, size_t n, uint32_t base);
#ifdef ELAC_KERNELS_X86
extern void elac_unpack_avx2(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values);
extern size_t elac_unpack_patched_avx2(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
										 const uint32_t *high, uint32_t *values);
extern bool elac_gaps_to_docs_avx2(uint32_t *values, size_t n, uint32_t base);
extern void elac_unpack_avx512(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values);
extern size_t elac_unpack_patched_avx512(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
										 const uint32_t *high, uint32_t *values);
extern bool elac_gaps_to_docs_avx512(uint32_t *values, size_t n, uint32_t base);
#endif
#ifdef ELAC_KERNELS_ARM
extern void elac_unpack_neon(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values);
extern size_t elac_unpack_patched_neon(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
										 const uint32_t *high, uint32_t *values);
extern bool elac_gaps_to_docs_neon(uint32_t *values, size_t n, uint32_t base);
#endif

extern const ElacKernels elac_kernels_scalar;
#ifdef ELAC_KERNELS_X86
extern const ElacKernels elac_kernels_avx2;
extern const ElacKernels elac_kernels_avx512;
#endif
#ifdef ELAC_KERNELS_ARM
extern const ElacKernels elac_kernels_neon;
#endif

#endif							/* ELAC_KERNELS_IMPL_H */
