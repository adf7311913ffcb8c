/*
 * delta_vector.c
 *	  The form of a vector in the delta: 8 bits a component.
 *
 * Pure functions over memory; nothing here allocates, raises or reads pages.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "base/bytes.h"
#include "lsm/delta_vector.h"

#define BLOCK 32				/* components that share a scale */
#define LIMIT 127				/* largest component of a code */

static int
vector_blocks(int dim)
{
	return (dim + BLOCK - 1) / BLOCK;
}

Size
elac_delta_vector_size(int dim)
{
	return (Size) vector_blocks(dim) * sizeof(uint16) + (Size) dim;
}

/* The smallest upper half of a float4 that is not below x >= 0; infinity for NaN. */
static uint16
upper_half(double x)
{
	float		single = (float) x;
	uint32		bits;

	if (!(x <= FLT_MAX))
		return 0x7F80;
	if ((double) single < x)
		single = nextafterf(single, INFINITY);
	memcpy(&bits, &single, sizeof(bits));
	return (uint16) ((bits >> 16) + ((bits & 0xFFFF) != 0 ? 1 : 0));
}

/* A component of a block whose scale is near the largest float4 may round beyond it. */
static inline float
component_value(int code, float scale)
{
	float		value = code * scale;

	return Max(Min(value, FLT_MAX), -FLT_MAX);
}

uint16
elac_delta_vector_encode(const float *vector, int dim, uint8 *code)
{
	uint8	   *scales = code;
	int8	   *components = (int8 *) (code + vector_blocks(dim) * sizeof(uint16));
	double		square = 0;

	for (int first = 0; first < dim; first += BLOCK)
	{
		int			last = Min(first + BLOCK, dim);
		float		largest = 0;
		uint16		stored;
		float		scale;
		float		inverse;

		for (int i = first; i < last; i++)
			largest = Max(largest, fabsf(vector[i]));
		stored = upper_half((double) largest / LIMIT);
		scale = elac_delta_error_value(stored);
		inverse = scale > 0 ? 1 / scale : 0;
		/* so small that the inverse is no number: the block is as good as zero */
		if (!isfinite(inverse))
		{
			stored = 0;
			scale = 0;
			inverse = 0;
		}
		elac_put_u16(scales, stored);
		scales += sizeof(uint16);
		for (int i = first; i < last; i++)
		{
			float		scaled = Max(Min(vector[i] * inverse, LIMIT), -LIMIT);
			int			component = (int) (scaled + copysignf(0.5f, scaled));
			double		rest = (double) vector[i] - component_value(component, scale);

			components[i] = (int8) component;
			square += rest * rest;
		}
	}
	return upper_half(sqrt(square));
}

bool
elac_delta_vector_is_valid(const uint8 *code, int dim)
{
	const int8 *components = (const int8 *) (code + vector_blocks(dim) * sizeof(uint16));
	int			bad = 0;

	for (int i = 0; i < vector_blocks(dim); i++)
	{
		float		scale = elac_delta_error_value(elac_get_u16(code + i * sizeof(uint16)));

		bad |= !(scale >= 0 && scale <= FLT_MAX);
	}
	for (int i = 0; i < dim; i++)
		bad |= components[i] == INT8_MIN;
	return bad == 0;
}

bool
elac_delta_vector_decode(const uint8 *code, int dim, float *vector)
{
	const int8 *components = (const int8 *) (code + vector_blocks(dim) * sizeof(uint16));

	if (!elac_delta_vector_is_valid(code, dim))
		return false;
	for (int first = 0; first < dim; first += BLOCK)
	{
		int			last = Min(first + BLOCK, dim);
		float		scale = elac_delta_error_value(elac_get_u16(code));

		code += sizeof(uint16);
		for (int i = first; i < last; i++)
			vector[i] = component_value(components[i], scale);
	}
	return true;
}

float
elac_delta_lower_bound(ElacMetric metric, float internal, float error, float query_norm)
{
	float		distance;

	if (error == 0)
		return internal;
	if (metric != ELAC_METRIC_L2)
		return internal - error * query_norm;
	distance = sqrtf(Max(internal, 0)) - error;
	return distance > 0 ? distance * distance : 0;
}
