/*
 * vector_distance.c
 *	  Distances between two vectors or two halfvecs, as SQL functions.
 *
 * The sums come from base/kernels.h in single precision, as pgvector's do;
 * what is done with them (root, quotient, arc cosine) is double precision.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

#include "base/kernels.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_vector_l2_distance);
PG_FUNCTION_INFO_V1(elac_vector_l2_squared_distance);
PG_FUNCTION_INFO_V1(elac_vector_inner_product);
PG_FUNCTION_INFO_V1(elac_vector_negative_inner_product);
PG_FUNCTION_INFO_V1(elac_vector_cosine_distance);
PG_FUNCTION_INFO_V1(elac_vector_spherical_distance);
PG_FUNCTION_INFO_V1(elac_vector_l1_distance);
PG_FUNCTION_INFO_V1(elac_halfvec_l2_distance);
PG_FUNCTION_INFO_V1(elac_halfvec_l2_squared_distance);
PG_FUNCTION_INFO_V1(elac_halfvec_inner_product);
PG_FUNCTION_INFO_V1(elac_halfvec_negative_inner_product);
PG_FUNCTION_INFO_V1(elac_halfvec_cosine_distance);
PG_FUNCTION_INFO_V1(elac_halfvec_spherical_distance);
PG_FUNCTION_INFO_V1(elac_halfvec_l1_distance);

typedef float (*KernelF32) (const float *a, const float *b, size_t n);
typedef float (*KernelF16) (const uint16_t *a, const uint16_t *b, size_t n);

static float
vector_apply(FunctionCallInfo fcinfo, KernelF32 kernel)
{
	ElacVector *a = ELAC_GETARG_VECTOR(0);
	ElacVector *b = ELAC_GETARG_VECTOR(1);

	elac_element_check_same(ELAC_ELEMENT_FLOAT, a->dim, b->dim);
	return kernel(a->x, b->x, (size_t) a->dim);
}

static float
halfvec_apply(FunctionCallInfo fcinfo, KernelF16 kernel)
{
	ElacHalfvec *a = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *b = ELAC_GETARG_HALFVEC(1);

	elac_element_check_same(ELAC_ELEMENT_HALF, a->dim, b->dim);
	return kernel(a->x, b->x, (size_t) a->dim);
}

/*
 * 1 - cos of the angle, within 0 .. 2 despite rounding; NaN when a norm is 0
 * (no angle) or infinite.  One root of the product loses less than the product
 * of two roots.
 */
static double
cosine_distance_from_sums(float ab, float aa, float bb)
{
	double		cosine = (double) ab / sqrt((double) aa * (double) bb);

	if (cosine > 1.0)
		cosine = 1.0;
	else if (cosine < -1.0)
		cosine = -1.0;
	return 1.0 - cosine;
}

/* The angle between unit vectors, as a fraction of half a turn. */
static double
angle_from_cosine(float cosine)
{
	if (cosine > 1.0f)
		cosine = 1.0f;
	else if (cosine < -1.0f)
		cosine = -1.0f;
	return acos((double) cosine) / M_PI;
}

/* l2_distance(vector, vector), vector <-> vector */
Datum
elac_vector_l2_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(sqrt((double) vector_apply(fcinfo, elac_kernels()->l2sq_f32)));
}

/* vector_l2_squared_distance(vector, vector) */
Datum
elac_vector_l2_squared_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) vector_apply(fcinfo, elac_kernels()->l2sq_f32));
}

/* inner_product(vector, vector) */
Datum
elac_vector_inner_product(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) vector_apply(fcinfo, elac_kernels()->ip_f32));
}

/* vector_negative_inner_product(vector, vector), vector <#> vector */
Datum
elac_vector_negative_inner_product(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) -vector_apply(fcinfo, elac_kernels()->ip_f32));
}

/* cosine_distance(vector, vector), vector <=> vector */
Datum
elac_vector_cosine_distance(PG_FUNCTION_ARGS)
{
	ElacVector *a = ELAC_GETARG_VECTOR(0);
	ElacVector *b = ELAC_GETARG_VECTOR(1);
	float		ab;
	float		aa;
	float		bb;

	elac_element_check_same(ELAC_ELEMENT_FLOAT, a->dim, b->dim);
	elac_kernels()->cosine_f32(a->x, b->x, (size_t) a->dim, &ab, &aa, &bb);
	PG_RETURN_FLOAT8(cosine_distance_from_sums(ab, aa, bb));
}

/* vector_spherical_distance(vector, vector); both must be unit vectors */
Datum
elac_vector_spherical_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(angle_from_cosine(vector_apply(fcinfo, elac_kernels()->ip_f32)));
}

/* l1_distance(vector, vector), vector <+> vector */
Datum
elac_vector_l1_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) vector_apply(fcinfo, elac_kernels()->l1_f32));
}

/* l2_distance(halfvec, halfvec), halfvec <-> halfvec */
Datum
elac_halfvec_l2_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(sqrt((double) halfvec_apply(fcinfo, elac_kernels()->l2sq_f16)));
}

/* halfvec_l2_squared_distance(halfvec, halfvec) */
Datum
elac_halfvec_l2_squared_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) halfvec_apply(fcinfo, elac_kernels()->l2sq_f16));
}

/* inner_product(halfvec, halfvec) */
Datum
elac_halfvec_inner_product(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) halfvec_apply(fcinfo, elac_kernels()->ip_f16));
}

/* halfvec_negative_inner_product(halfvec, halfvec), halfvec <#> halfvec */
Datum
elac_halfvec_negative_inner_product(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) -halfvec_apply(fcinfo, elac_kernels()->ip_f16));
}

/* cosine_distance(halfvec, halfvec), halfvec <=> halfvec */
Datum
elac_halfvec_cosine_distance(PG_FUNCTION_ARGS)
{
	ElacHalfvec *a = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *b = ELAC_GETARG_HALFVEC(1);
	float		ab;
	float		aa;
	float		bb;

	elac_element_check_same(ELAC_ELEMENT_HALF, a->dim, b->dim);
	elac_kernels()->cosine_f16(a->x, b->x, (size_t) a->dim, &ab, &aa, &bb);
	PG_RETURN_FLOAT8(cosine_distance_from_sums(ab, aa, bb));
}

/* halfvec_spherical_distance(halfvec, halfvec); both must be unit vectors */
Datum
elac_halfvec_spherical_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(angle_from_cosine(halfvec_apply(fcinfo, elac_kernels()->ip_f16)));
}

/* l1_distance(halfvec, halfvec), halfvec <+> halfvec */
Datum
elac_halfvec_l1_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((double) halfvec_apply(fcinfo, elac_kernels()->l1_f16));
}
