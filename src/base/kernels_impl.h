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

/*
 * FastScan adds bytes of at most 255 in 16-bit lanes: after this many units
 * the sums are still below 65536 and must be widened.
 */
#define ELAC_FASTSCAN_UNITS_16BIT 256

extern const ElacKernels elac_kernels_scalar;

#endif							/* ELAC_KERNELS_IMPL_H */
