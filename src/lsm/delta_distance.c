/*
 * delta_distance.c
 *	  Distances between a query and vectors of the delta, from their codes.
 *
 * Plain loops, and two variants for x86 with wide registers; the choice is
 * that of base/kernels.c.  A distance beyond the range of float4 is infinite;
 * where that leads to no number, it is minus infinity, which makes the row a
 * candidate.
 */
#include "postgres.h"

#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/bytes.h"
#include "base/kernels.h"
#include "lsm/delta_vector.h"

#define BLOCK 32				/* components that share a scale: lsm/delta_vector.c */

#define LOOP static inline __attribute__((always_inline))

LOOP const int8 *
distance_components(const uint8 *code, int dim)
{
	return (const int8 *) (code + (dim + BLOCK - 1) / BLOCK * sizeof(uint16));
}

LOOP float
distance_scale(const uint8 *code, int first)
{
	return elac_delta_error_value(elac_get_u16(code + first / BLOCK * sizeof(uint16)));
}

/*
 * Components [first, dim): sum of their products with the query's, or of the
 * squares of the differences.
 */
LOOP float
distance_rest(const float *query, const uint8 *code, int first, int dim, bool squares)
{
	const int8 *components = distance_components(code, dim);
	float		sum = 0;

	for (int i = first; i < dim; i++)
	{
		float		value = components[i] * distance_scale(code, i);
		float		difference = query[i] - value;

		sum += squares ? difference * difference : query[i] * value;
	}
	return sum;
}

LOOP float
distance_sum_plain(const float *query, const uint8 *code, int dim, bool squares)
{
	const int8 *components = distance_components(code, dim);
	float		sums[4] = {0};
	int			i;

	for (i = 0; i + BLOCK <= dim; i += BLOCK)
	{
		float		scale = distance_scale(code, i);

		for (int j = i; j < i + BLOCK; j += 4)
			for (int k = 0; k < 4; k++)
			{
				float		value = components[j + k] * scale;
				float		difference = query[j + k] - value;

				sums[k] += squares ? difference * difference : query[j + k] * value;
			}
	}
	return (sums[0] + sums[1]) + (sums[2] + sums[3]) + distance_rest(query, code, i, dim, squares);
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

LOOP AVX2 void
distance_add_avx2(__m256 *sum, const float *query, const int8 *components, __m256 scale, bool squares)
{
	__m128i		bytes = _mm_loadl_epi64((const __m128i *) components);
	__m256		values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
	__m256		other = _mm256_loadu_ps(query);

	if (squares)
	{
		other = _mm256_fnmadd_ps(values, scale, other);
		*sum = _mm256_fmadd_ps(other, other, *sum);
	}
	else
		*sum = _mm256_fmadd_ps(_mm256_mul_ps(values, scale), other, *sum);
}

LOOP AVX2 float
distance_sum_avx2(const float *query, const uint8 *code, int dim, bool squares)
{
	const int8 *components = distance_components(code, dim);
	__m256		sums[4];
	__m128		half;
	float		lanes[4];
	int			i;

	for (i = 0; i < 4; i++)
		sums[i] = _mm256_setzero_ps();
	for (i = 0; i + BLOCK <= dim; i += BLOCK)
	{
		__m256		scale = _mm256_set1_ps(distance_scale(code, i));

		for (int k = 0; k < 4; k++)
			distance_add_avx2(&sums[k], query + i + k * 8, components + i + k * 8, scale, squares);
	}
	sums[0] = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
	half = _mm_add_ps(_mm256_castps256_ps128(sums[0]), _mm256_extractf128_ps(sums[0], 1));
	_mm_storeu_ps(lanes, half);
	return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + distance_rest(query, code, i, dim, squares);
}

LOOP AVX512 void
distance_add_avx512(__m512 *sum, const float *query, const int8 *components, __m512 scale, bool squares)
{
	__m128i		bytes = _mm_loadu_si128((const __m128i *) components);
	__m512		values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
	__m512		other = _mm512_loadu_ps(query);

	if (squares)
	{
		other = _mm512_fnmadd_ps(values, scale, other);
		*sum = _mm512_fmadd_ps(other, other, *sum);
	}
	else
		*sum = _mm512_fmadd_ps(_mm512_mul_ps(values, scale), other, *sum);
}

LOOP AVX512 float
distance_sum_avx512(const float *query, const uint8 *code, int dim, bool squares)
{
	const int8 *components = distance_components(code, dim);
	__m512		first = _mm512_setzero_ps();
	__m512		second = _mm512_setzero_ps();
	int			i;

	for (i = 0; i + BLOCK <= dim; i += BLOCK)
	{
		__m512		scale = _mm512_set1_ps(distance_scale(code, i));

		distance_add_avx512(&first, query + i, components + i, scale, squares);
		distance_add_avx512(&second, query + i + 16, components + i + 16, scale, squares);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(first, second)) + distance_rest(query, code, i, dim, squares);
}

#endif							/* __x86_64__ */

LOOP float
distance_number(float distance)
{
	return isnan(distance) ? -INFINITY : distance;
}

#define VARIANT(name, attribute) \
	attribute static float \
	distance_l2_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(distance_sum_##name(query, code, dim, true)); \
	} \
	attribute static float \
	distance_ip_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(-distance_sum_##name(query, code, dim, false)); \
	} \
	attribute static float \
	distance_cosine_##name(const float *query, const uint8 *code, int dim) \
	{ \
		return distance_number(1 - distance_sum_##name(query, code, dim, false)); \
	}

#define ROW(name, kernels) {kernels, {distance_l2_##name, distance_ip_##name, distance_cosine_##name}}

VARIANT(plain, )
#if defined(__x86_64__)
VARIANT(avx2, AVX2)
VARIANT(avx512, AVX512)
#endif

static const struct
{
	const char *kernels;
	ElacDeltaDistance functions[3]; /* by metric, from ELAC_METRIC_L2 */
}			distance_variants[] = {
#if defined(__x86_64__)
	ROW(avx512, "avx512"),
	ROW(avx2, "avx2"),
#endif
	ROW(plain, "neon"),
	ROW(plain, "scalar"),
};

static ElacDeltaDistance
distance_variant(ElacMetric metric, const char *name)
{
	for (int i = 0; i < lengthof(distance_variants); i++)
		if (strcmp(distance_variants[i].kernels, name) == 0)
			return distance_variants[i].functions[metric - ELAC_METRIC_L2];
	return NULL;
}

ElacDeltaDistance
elac_delta_distance_by_name(ElacMetric metric, const char *name)
{
	return elac_kernels_by_name(name) == NULL ? NULL : distance_variant(metric, name);
}

ElacDeltaDistance
elac_delta_distance_function(ElacMetric metric)
{
	return distance_variant(metric, elac_kernels()->name);
}
