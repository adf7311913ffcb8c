/*
 * delta_distance.c
 *	  Distances between a query and vectors of the delta, from their codes.
 *
 * One text, compiled once for any processor and twice more for x86 with wide
 * registers, as vector/rabitq_loops.c is; the choice is that of base/kernels.c.
 * A distance beyond the range of float4 is infinite; where that leads to no
 * number, it is minus infinity, which makes the row a candidate.
 */
#include "postgres.h"

#include <math.h>

#include "base/bytes.h"
#include "base/kernels.h"
#include "lsm/delta_vector.h"

#define BLOCK 32				/* components that share a scale: lsm/delta_vector.c */
#define LANES 16

typedef float DistanceFloats __attribute__((vector_size(LANES * sizeof(float))));
typedef int8 DistanceBytes __attribute__((vector_size(LANES)));

#define LOOP static inline __attribute__((always_inline))

LOOP float
distance_total(const DistanceFloats *a, const DistanceFloats *b)
{
	DistanceFloats sum = *a + *b;
	float		total = 0;

	for (int i = 0; i < LANES / 2; i++)
		total += sum[i] + sum[i + LANES / 2];
	return total;
}

/* 16 components: their products with the query's, or the squares of the differences, are added. */
LOOP void
distance_add(DistanceFloats *sum, const float *query, const int8 *components, float scale, bool squares)
{
	DistanceBytes bytes;
	DistanceFloats values;
	DistanceFloats other;

	memcpy(&bytes, components, sizeof(bytes));
	memcpy(&other, query, sizeof(other));
	values = __builtin_convertvector(bytes, DistanceFloats) * scale;
	if (squares)
	{
		values = other - values;
		other = values;
	}
	*sum += values * other;
}

LOOP float
distance_sum(const float *query, const uint8 *code, int dim, bool squares)
{
	const int8 *components = (const int8 *) (code + (dim + BLOCK - 1) / BLOCK * sizeof(uint16));
	DistanceFloats first = {0};
	DistanceFloats second = {0};
	float		rest = 0;
	int			i;

	for (i = 0; i + BLOCK <= dim; i += BLOCK)
	{
		float		scale = elac_delta_error_value(elac_get_u16(code + i / BLOCK * sizeof(uint16)));

		distance_add(&first, query + i, components + i, scale, squares);
		distance_add(&second, query + i + LANES, components + i + LANES, scale, squares);
	}
	for (; i < dim; i++)
	{
		float		value = components[i] * elac_delta_error_value(elac_get_u16(code + i / BLOCK * sizeof(uint16)));
		float		difference = query[i] - value;

		rest += squares ? difference * difference : query[i] * value;
	}
	return distance_total(&first, &second) + rest;
}

LOOP float
distance_number(float distance)
{
	return isnan(distance) ? -INFINITY : distance;
}

#define VARIANT(name, attribute) \
	attribute static float \
	distance_l2_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(distance_sum(query, code, dim, true)); \
	} \
	attribute static float \
	distance_ip_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(-distance_sum(query, code, dim, false)); \
	} \
	attribute static float \
	distance_cosine_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(1 - distance_sum(query, code, dim, false)); \
	}

#define ROW(name, kernels) {kernels, {distance_l2_##name, distance_ip_##name, distance_cosine_##name}}

VARIANT(plain, )
#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2,fma"))))
VARIANT(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))))
#endif

static const struct
{
	const char *kernels;
	ElacDeltaDistance functions[3];
}			distance_variants[] = {
#if defined(__x86_64__)
	ROW(avx512, "avx512"),
	ROW(avx2, "avx2"),
#endif
	ROW(plain, "neon"),
	ROW(plain, "scalar"),
};

ElacDeltaDistance
elac_delta_distance_by_name(ElacMetric metric, const char *name)
{
	if (elac_kernels_by_name(name) == NULL)
		return NULL;
	for (int i = 0; i < lengthof(distance_variants); i++)
		if (strcmp(distance_variants[i].kernels, name) == 0)
			return distance_variants[i].functions[metric - ELAC_METRIC_L2];
	return NULL;
}

ElacDeltaDistance
elac_delta_distance_function(ElacMetric metric)
{
	return elac_delta_distance_by_name(metric, elac_kernels()->name);
}
