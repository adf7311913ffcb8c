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
 * those two into lane i; indexes with the top bit set give zero.
 */
typedef struct ElacPackedControl
{
	uint8_t		bytes[64];
	uint32_t	shift[16];
} ElacPackedControl;

extern const ElacPackedControl elac_packed_control[8];

/* Floats of packed centroids that a pass over the rows keeps in the cache: 256 kB. */
#define ELAC_ASSIGN_TILE_FLOATS 65536

extern const ElacKernels elac_kernels_scalar;
#ifdef ELAC_KERNELS_X86
extern const ElacKernels elac_kernels_avx2;
extern const ElacKernels elac_kernels_avx512;
#endif
#ifdef ELAC_KERNELS_ARM
extern const ElacKernels elac_kernels_neon;
#endif

#endif							/* ELAC_KERNELS_IMPL_H */
