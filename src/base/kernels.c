/*
 * kernels.c
 *	  Chooses the implementation of the inner loops, once a process.
 *
 * The order of preference is avx512, avx2, neon, scalar.  The environment
 * variable ELACSYM_KERNELS names another one; a name that this processor or
 * build does not have is ignored, for a wrong choice would be a crash.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernels_impl.h"

#ifdef ELAC_KERNELS_X86
#include <cpuid.h>

/* AVX2 table: half-precision conversion and fused multiply-add as well. */
static bool
kernels_avx2_present(void)
{
	unsigned	eax,
				ebx,
				ecx,
				edx;

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return false;
	/* not every supported compiler knows "f16c" as a name */
	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

static bool
kernels_avx512_present(void)
{
	return kernels_avx2_present() &&
		__builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl");
}
#endif

#define PACKED_BYTES(i, width) (i) * (width) / 8, (i) * (width) / 8 + 1, 0x80, 0x80
#define PACKED_SHIFT(i, width) (i) * (width) % 8
#define PACKED_MASK(i, width) ((1u << (width)) - 1) << (i) * (width) % 8
#define PACKED_SCALE(i, width) 1.0f / (float) (1 << (i) * (width) % 8)
#define PACKED_SHIFT_WORD(i, width) (i) * (width) % 32
#define PACKED_SCALE_WORD(i, width) 1.0f / (float) (1u << (i) * (width) % 32)
#define PACKED_4(what, i, width) what(i, width), what((i) + 1, width), what((i) + 2, width), what((i) + 3, width)
#define PACKED_16(what, width) \
	PACKED_4(what, 0, width), PACKED_4(what, 4, width), PACKED_4(what, 8, width), PACKED_4(what, 12, width)
#define PACKED_CONTROL(width) \
	{ \
		{PACKED_16(PACKED_BYTES, width)}, {PACKED_16(PACKED_SHIFT, width)}, {PACKED_16(PACKED_MASK, width)}, \
		{PACKED_16(PACKED_SCALE, width)}, {PACKED_16(PACKED_SHIFT_WORD, width)}, {PACKED_16(PACKED_SCALE_WORD, width)} \
	}

const ElacPackedControl elac_packed_control[8] = {
	PACKED_CONTROL(0), PACKED_CONTROL(1), PACKED_CONTROL(2), PACKED_CONTROL(3),
	PACKED_CONTROL(4), PACKED_CONTROL(5), PACKED_CONTROL(6), PACKED_CONTROL(7)
};

void
elac_lut_blank(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms)
{
	double		sum = 0;
	double		sizes = 0;

	memset(lut, 0, n * 4);
	for (size_t i = 0; i < n; i++)
	{
		sum += q[i];
		sizes += fabsf(q[i]);
	}
	terms->scale = 0;
	terms->offset = (float) (sum / 2);
	terms->deviation = terms->worst = (float) (sizes / 2);
}

/* A panel: half the squared norms of 16 centroids, then their components side by side. */
void
elac_assign_pack(const float *centroids, size_t ncentroids, size_t dim, float *packed)
{
	for (size_t first = 0; first < ncentroids; first += ELAC_ASSIGN_PANEL)
	{
		for (size_t lane = 0; lane < ELAC_ASSIGN_PANEL; lane++)
		{
			const float *centroid = centroids + (first + lane) * dim;
			bool		present = first + lane < ncentroids;
			double		square = 0;

			for (size_t d = 0; d < dim; d++)
			{
				float		value = present ? centroid[d] : 0;

				packed[(d + 1) * ELAC_ASSIGN_PANEL + lane] = value;
				square += (double) value * value;
			}
			packed[lane] = present ? (float) (square / 2) : INFINITY;
		}
		packed += (dim + 1) * ELAC_ASSIGN_PANEL;
	}
}

static bool
kernels_always_present(void)
{
	return true;
}

/* Best first. */
static const struct
{
	const ElacKernels *kernels;
	bool		(*present) (void);
}			kernels_known[] = {
#ifdef ELAC_KERNELS_X86
	{&elac_kernels_avx512, kernels_avx512_present},
	{&elac_kernels_avx2, kernels_avx2_present},
#endif
#ifdef ELAC_KERNELS_ARM
	{&elac_kernels_neon, kernels_always_present},
#endif
	{&elac_kernels_scalar, kernels_always_present},
};

#define KERNELS_NKNOWN (sizeof(kernels_known) / sizeof(kernels_known[0]))

const ElacKernels *
elac_kernels_by_name(const char *name)
{
	for (size_t i = 0; i < KERNELS_NKNOWN; i++)
	{
		if (strcmp(kernels_known[i].kernels->name, name) == 0)
			return kernels_known[i].present() ? kernels_known[i].kernels : NULL;
	}
	return NULL;
}

const ElacKernels *
elac_kernels(void)
{
	static const ElacKernels *chosen = NULL;

	if (chosen == NULL)
	{
		const char *wanted = getenv("ELACSYM_KERNELS");

		if (wanted != NULL)
			chosen = elac_kernels_by_name(wanted);
		for (size_t i = 0; chosen == NULL; i++)
		{
			/* ends: the last entry is always present */
			if (kernels_known[i].present())
				chosen = kernels_known[i].kernels;
		}
	}
	return chosen;
}
