/*
 * elements.h
 *	  What vector and halfvec have in common: checks, text form, conversion.
 *
 * Both types have the header of ElacVector and differ in the width of their
 * components alone, so everything that is not about speed works on float
 * arrays: a halfvec is widened, which is exact.
 */
#ifndef ELAC_TYPES_ELEMENTS_H
#define ELAC_TYPES_ELEMENTS_H

#include "elacsym.h"

#include "utils/array.h"

#define ELAC_VECTOR_SIZE(dim) (offsetof(ElacVector, x) + sizeof(float) * (Size) (dim))
#define ELAC_HALFVEC_SIZE(dim) (offsetof(ElacHalfvec, x) + sizeof(uint16) * (Size) (dim))

#define ELAC_GETARG_VECTOR(n) elac_element_get_vector(PG_GETARG_DATUM(n))
#define ELAC_GETARG_HALFVEC(n) elac_element_get_halfvec(PG_GETARG_DATUM(n))

/* Detoasted and checked against its own length; DATA_CORRUPTED otherwise. */
extern ElacVector *elac_element_get_vector(Datum datum);
extern ElacHalfvec *elac_element_get_halfvec(Datum datum);

/* A new zero vector of 1 .. ELAC_MAX_DIM_STORED components, checked. */
extern ElacVector *elac_element_new_vector(int dim);
extern ElacHalfvec *elac_element_new_halfvec(int dim);

/* A new vector holding x, components checked (NaN, infinity). */
extern ElacVector *elac_element_make_vector(const float *x, int dim);

/*
 * A new halfvec holding x rounded to nearest.  A finite component that rounds
 * to infinity raises NUMERIC_VALUE_OUT_OF_RANGE; NaN and infinity as above.
 */
extern ElacHalfvec *elac_element_make_halfvec(const float *x, int dim);

/* The components as a new float array. */
extern float *elac_element_widen(const ElacHalfvec *v);

extern void elac_element_check_dim(ElacVectorElement element, int dim);
extern void elac_element_check_typmod(int32 typmod, int dim);
extern void elac_element_check_same(ElacVectorElement element, int dim_a, int dim_b);
extern void elac_element_check_finite(ElacVectorElement element, float value);

/* Text form; halfvec components come back rounded to what they will be. */
extern float *elac_element_parse(ElacVectorElement element, const char *literal, int32 typmod, int *dim);
extern char *elac_element_print(const float *x, int dim);

extern int32 elac_element_typmod_in(ElacVectorElement element, ArrayType *modifiers);

/* From int4[], float4[], float8[], numeric[]; components are not yet checked. */
extern float *elac_element_from_array(ElacVectorElement element, ArrayType *array, int32 typmod, int *dim);
extern ArrayType *elac_element_to_array(const float *x, int dim);

#endif							/* ELAC_TYPES_ELEMENTS_H */
