/*
 * vector_funcs.c
 *	  Functions of one vector or halfvec: dimensions, norm, normalisation,
 *	  binary quantization, subvector.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/float.h"
#include "utils/varbit.h"

#include "base/kernels.h"
#include "compat.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_vector_dims);
PG_FUNCTION_INFO_V1(elac_vector_norm);
PG_FUNCTION_INFO_V1(elac_vector_l2_normalize);
PG_FUNCTION_INFO_V1(elac_vector_binary_quantize);
PG_FUNCTION_INFO_V1(elac_vector_subvector);
PG_FUNCTION_INFO_V1(elac_halfvec_dims);
PG_FUNCTION_INFO_V1(elac_halfvec_norm);
PG_FUNCTION_INFO_V1(elac_halfvec_l2_normalize);
PG_FUNCTION_INFO_V1(elac_halfvec_binary_quantize);
PG_FUNCTION_INFO_V1(elac_halfvec_subvector);

/* In double precision: the square of a float4 may overflow a float4. */
static double
euclidean_norm(const float *x, int dim)
{
	double		sum = 0.0;

	for (int i = 0; i < dim; i++)
		sum += (double) x[i] * (double) x[i];
	return sqrt(sum);
}

/* r = x / |x|; the zero vector stays what it is. */
static void
normalize_floats(const float *x, float *r, int dim)
{
	double		norm = euclidean_norm(x, dim);

	for (int i = 0; i < dim; i++)
	{
		r[i] = norm > 0 ? (float) (x[i] / norm) : 0.0f;
		if (isinf(r[i]))
			float_overflow_error();
	}
}

/* One bit a component, first component first: is it above zero? */
static VarBit *
quantize_floats(const float *x, int dim)
{
	VarBit	   *result = palloc0(VARBITTOTALLEN(dim));
	bits8	   *bits = VARBITS(result);

	SET_VARSIZE(result, VARBITTOTALLEN(dim));
	VARBITLEN(result) = dim;
	for (int i = 0; i < dim; i++)
	{
		if (x[i] > 0)
			bits[i / 8] |= (bits8) (0x80 >> (i % 8));
	}
	return result;
}

/*
 * The part of 1 .. dim that lies in start .. start + count - 1, as a 0-based
 * offset and a length; as in substring(), a start before 1 counts too.
 */
static void
clip_slice(ElacVectorElement element, int dim, int32 start, int32 count, int *offset, int *length)
{
	int64		first = Max((int64) start, 1);
	int64		last = Min((int64) start + (int64) count - 1, (int64) dim);

	if (count < 1 || last < first)
		elac_element_check_dim(element, 0);
	*offset = (int) (first - 1);
	*length = (int) (last - first + 1);
}

/* vector_dims(vector) */
Datum
elac_vector_dims(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(ELAC_GETARG_VECTOR(0)->dim);
}

/* vector_dims(halfvec) */
Datum
elac_halfvec_dims(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(ELAC_GETARG_HALFVEC(0)->dim);
}

/* vector_norm(vector) */
Datum
elac_vector_norm(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	PG_RETURN_FLOAT8(euclidean_norm(v->x, v->dim));
}

/* l2_norm(halfvec) */
Datum
elac_halfvec_norm(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);

	PG_RETURN_FLOAT8(euclidean_norm(elac_element_widen(v), v->dim));
}

/* l2_normalize(vector) */
Datum
elac_vector_l2_normalize(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);
	ElacVector *r = elac_element_new_vector(v->dim);

	normalize_floats(v->x, r->x, v->dim);
	PG_RETURN_POINTER(r);
}

/* l2_normalize(halfvec) */
Datum
elac_halfvec_l2_normalize(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *r = elac_element_new_halfvec(v->dim);
	float	   *x = elac_element_widen(v);

	normalize_floats(x, x, v->dim);
	elac_kernels()->f32_to_f16(x, r->x, (size_t) v->dim);
	PG_RETURN_POINTER(r);
}

/* binary_quantize(vector) */
Datum
elac_vector_binary_quantize(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	PG_RETURN_VARBIT_P(quantize_floats(v->x, v->dim));
}

/* binary_quantize(halfvec) */
Datum
elac_halfvec_binary_quantize(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);

	PG_RETURN_VARBIT_P(quantize_floats(elac_element_widen(v), v->dim));
}

/* subvector(vector, start integer, count integer); the first component is 1 */
Datum
elac_vector_subvector(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);
	ElacVector *r;
	int			offset;
	int			length;

	clip_slice(ELAC_ELEMENT_FLOAT, v->dim, PG_GETARG_INT32(1), PG_GETARG_INT32(2), &offset, &length);
	r = elac_element_new_vector(length);
	memcpy(r->x, v->x + offset, sizeof(float) * (Size) length);
	PG_RETURN_POINTER(r);
}

/* subvector(halfvec, start integer, count integer); the first component is 1 */
Datum
elac_halfvec_subvector(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *r;
	int			offset;
	int			length;

	clip_slice(ELAC_ELEMENT_HALF, v->dim, PG_GETARG_INT32(1), PG_GETARG_INT32(2), &offset, &length);
	r = elac_element_new_halfvec(length);
	memcpy(r->x, v->x + offset, sizeof(uint16) * (Size) length);
	PG_RETURN_POINTER(r);
}
