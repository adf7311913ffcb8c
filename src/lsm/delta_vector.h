/*
 * delta_vector.h
 *	  The form of a vector in the delta: 8 bits a component.
 *
 * A code of dim components, all little-endian:
 *
 *	 offset            size  what
 *	      0          2 * nb  scales of the blocks of 32 components (the last one
 *	                         may be shorter), nb = (dim + 31) / 32: the upper half
 *	                         of a float4, not negative
 *	 2 * nb             dim  components, int8 in -127 .. 127; decoded: component
 *	                         times scale of its block
 *
 * A scale is the smallest that takes the largest magnitude of its block, so a
 * code needs nothing but the vector: no codebook, no mean, no rotation.  The
 * distance between a vector and its decoded form is stored beside it (in the
 * docs record): by the triangle inequality it bounds the error of every
 * distance computed from the code.
 *
 * Pure functions over memory.
 */
#ifndef ELAC_DELTA_VECTOR_H
#define ELAC_DELTA_VECTOR_H

#include "elacsym.h"

/* Bytes of a code. */
extern Size elac_delta_vector_size(int dim);

/*
 * Encodes dim finite components.  Returns the Euclidean distance between
 * vector and code, rounded up to a stored error (elac_delta_error_value()).
 */
extern uint16 elac_delta_vector_encode(const float *vector, int dim, uint8 *code);

extern bool elac_delta_vector_is_valid(const uint8 *code, int dim);

/* Decodes into dim finite floats; false when the bytes are no code. */
extern bool elac_delta_vector_decode(const uint8 *code, int dim, float *vector);

/* A stored error, or scale, as a number, possibly infinity; NaN or negative: neither. */
static inline float
elac_delta_error_value(uint16 error)
{
	uint32		bits = (uint32) error << 16;
	float		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * Distance between a query and a decoded code, in the metric's internal unit
 * (L2 squared, -ip, 1 - ip); for the processor at hand.
 */
typedef float (*ElacDeltaDistance) (const float *query, const uint8 *code, int dim);

extern ElacDeltaDistance elac_delta_distance_function(ElacMetric metric);

/* Of the kernels of that name (base/kernels.h), NULL when there are none; for tests. */
extern ElacDeltaDistance elac_delta_distance_by_name(ElacMetric metric, const char *name);

/*
 * A certain lower bound of the internal distance between a query and a vector
 * whose decoded form has distance `internal` and error `error`.  query_norm:
 * Euclidean.
 */
extern float elac_delta_lower_bound(ElacMetric metric, float internal, float error, float query_norm);

#endif							/* ELAC_DELTA_VECTOR_H */
