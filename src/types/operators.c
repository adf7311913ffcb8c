/*
 * operators.c
 *	  + - * || and the comparisons of vector and halfvec, with their btree and
 *	  hash support.
 *
 * Order is lexicographic by components, then by number of dimensions, as for
 * PostgreSQL's arrays.  Components are never NaN or infinite: the type's input
 * functions and every function here see to that.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/float.h"

#include "base/kernels.h"
#include "compat.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_vector_add);
PG_FUNCTION_INFO_V1(elac_vector_sub);
PG_FUNCTION_INFO_V1(elac_vector_mul);
PG_FUNCTION_INFO_V1(elac_vector_concat);
PG_FUNCTION_INFO_V1(elac_vector_hash);
PG_FUNCTION_INFO_V1(elac_vector_hash_extended);
PG_FUNCTION_INFO_V1(elac_halfvec_add);
PG_FUNCTION_INFO_V1(elac_halfvec_sub);
PG_FUNCTION_INFO_V1(elac_halfvec_mul);
PG_FUNCTION_INFO_V1(elac_halfvec_concat);
PG_FUNCTION_INFO_V1(elac_halfvec_hash);
PG_FUNCTION_INFO_V1(elac_halfvec_hash_extended);

/* r = a op b; an infinite component is an overflow. */
static void
combine_floats(char op, const float *a, const float *b, float *r, int dim)
{
	switch (op)
	{
		case '+':
			for (int i = 0; i < dim; i++)
				r[i] = a[i] + b[i];
			break;
		case '-':
			for (int i = 0; i < dim; i++)
				r[i] = a[i] - b[i];
			break;
		default:
			for (int i = 0; i < dim; i++)
				r[i] = a[i] * b[i];
			break;
	}
}

static Datum
vector_combine_args(FunctionCallInfo fcinfo, char op)
{
	ElacVector *a = ELAC_GETARG_VECTOR(0);
	ElacVector *b = ELAC_GETARG_VECTOR(1);
	ElacVector *r;

	elac_element_check_same(ELAC_ELEMENT_FLOAT, a->dim, b->dim);
	r = elac_element_new_vector(a->dim);
	combine_floats(op, a->x, b->x, r->x, a->dim);
	for (int i = 0; i < a->dim; i++)
	{
		if (isinf(r->x[i]))
			float_overflow_error();
		if (op == '*' && r->x[i] == 0 && a->x[i] != 0 && b->x[i] != 0)
			float_underflow_error();
	}
	PG_RETURN_POINTER(r);
}

/*
 * Half precision by way of single: a float has more than twice the bits of a
 * half, so rounding twice gives what rounding once would.
 */
static Datum
halfvec_combine_args(FunctionCallInfo fcinfo, char op)
{
	ElacHalfvec *a = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *b = ELAC_GETARG_HALFVEC(1);
	ElacHalfvec *r;
	float	   *ax;
	float	   *bx;
	float	   *rx;

	elac_element_check_same(ELAC_ELEMENT_HALF, a->dim, b->dim);
	r = elac_element_new_halfvec(a->dim);
	ax = elac_element_widen(a);
	bx = elac_element_widen(b);
	rx = palloc(sizeof(float) * (Size) a->dim);
	combine_floats(op, ax, bx, rx, a->dim);
	elac_kernels()->f32_to_f16(rx, r->x, (size_t) a->dim);
	for (int i = 0; i < a->dim; i++)
	{
		if ((r->x[i] & 0x7FFF) == 0x7C00)
			float_overflow_error();
		if (op == '*' && (r->x[i] & 0x7FFF) == 0 && ax[i] != 0 && bx[i] != 0)
			float_underflow_error();
	}
	pfree(rx);
	pfree(bx);
	pfree(ax);
	PG_RETURN_POINTER(r);
}

/* vector_add(vector, vector), vector + vector */
Datum
elac_vector_add(PG_FUNCTION_ARGS)
{
	return vector_combine_args(fcinfo, '+');
}

/* vector_sub(vector, vector), vector - vector */
Datum
elac_vector_sub(PG_FUNCTION_ARGS)
{
	return vector_combine_args(fcinfo, '-');
}

/* vector_mul(vector, vector), vector * vector: component by component */
Datum
elac_vector_mul(PG_FUNCTION_ARGS)
{
	return vector_combine_args(fcinfo, '*');
}

/* halfvec_add(halfvec, halfvec), halfvec + halfvec */
Datum
elac_halfvec_add(PG_FUNCTION_ARGS)
{
	return halfvec_combine_args(fcinfo, '+');
}

/* halfvec_sub(halfvec, halfvec), halfvec - halfvec */
Datum
elac_halfvec_sub(PG_FUNCTION_ARGS)
{
	return halfvec_combine_args(fcinfo, '-');
}

/* halfvec_mul(halfvec, halfvec), halfvec * halfvec: component by component */
Datum
elac_halfvec_mul(PG_FUNCTION_ARGS)
{
	return halfvec_combine_args(fcinfo, '*');
}

/* vector_concat(vector, vector), vector || vector */
Datum
elac_vector_concat(PG_FUNCTION_ARGS)
{
	ElacVector *a = ELAC_GETARG_VECTOR(0);
	ElacVector *b = ELAC_GETARG_VECTOR(1);
	ElacVector *r = elac_element_new_vector(a->dim + b->dim);

	memcpy(r->x, a->x, sizeof(float) * (Size) a->dim);
	memcpy(r->x + a->dim, b->x, sizeof(float) * (Size) b->dim);
	PG_RETURN_POINTER(r);
}

/* halfvec_concat(halfvec, halfvec), halfvec || halfvec */
Datum
elac_halfvec_concat(PG_FUNCTION_ARGS)
{
	ElacHalfvec *a = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *b = ELAC_GETARG_HALFVEC(1);
	ElacHalfvec *r = elac_element_new_halfvec(a->dim + b->dim);

	memcpy(r->x, a->x, sizeof(uint16) * (Size) a->dim);
	memcpy(r->x + a->dim, b->x, sizeof(uint16) * (Size) b->dim);
	PG_RETURN_POINTER(r);
}

static inline int
compare_floats(const float *a, const float *b, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return 0;
}

static int
vector_compare_args(FunctionCallInfo fcinfo)
{
	ElacVector *a = ELAC_GETARG_VECTOR(0);
	ElacVector *b = ELAC_GETARG_VECTOR(1);
	int			order = compare_floats(a->x, b->x, Min(a->dim, b->dim));

	if (order == 0)
		order = (a->dim > b->dim) - (a->dim < b->dim);

	/* a sort calls this for every pair, in a memory context that lives on */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return order;
}

/* Widens a few components at a time: most pairs differ in the first ones. */
static int
halfvec_compare_args(FunctionCallInfo fcinfo)
{
	ElacHalfvec *a = ELAC_GETARG_HALFVEC(0);
	ElacHalfvec *b = ELAC_GETARG_HALFVEC(1);
	const ElacKernels *kernels = elac_kernels();
	int			common = Min(a->dim, b->dim);
	int			order = 0;
	float		ax[32];
	float		bx[32];

	for (int start = 0; start < common && order == 0; start += (int) lengthof(ax))
	{
		int			n = Min(common - start, (int) lengthof(ax));

		kernels->f16_to_f32(a->x + start, ax, (size_t) n);
		kernels->f16_to_f32(b->x + start, bx, (size_t) n);
		order = compare_floats(ax, bx, n);
	}
	if (order == 0)
		order = (a->dim > b->dim) - (a->dim < b->dim);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return order;
}

#define ELAC_COMPARISON(type, name, expression) \
	PG_FUNCTION_INFO_V1(elac_##type##_##name); \
	Datum \
	elac_##type##_##name(PG_FUNCTION_ARGS) \
	{ \
		int			order = type##_compare_args(fcinfo); \
\
		return expression; \
	}

ELAC_COMPARISON(vector, lt, BoolGetDatum(order < 0))
ELAC_COMPARISON(vector, le, BoolGetDatum(order <= 0))
ELAC_COMPARISON(vector, eq, BoolGetDatum(order == 0))
ELAC_COMPARISON(vector, ne, BoolGetDatum(order != 0))
ELAC_COMPARISON(vector, ge, BoolGetDatum(order >= 0))
ELAC_COMPARISON(vector, gt, BoolGetDatum(order > 0))
ELAC_COMPARISON(vector, cmp, Int32GetDatum(order))
ELAC_COMPARISON(halfvec, lt, BoolGetDatum(order < 0))
ELAC_COMPARISON(halfvec, le, BoolGetDatum(order <= 0))
ELAC_COMPARISON(halfvec, eq, BoolGetDatum(order == 0))
ELAC_COMPARISON(halfvec, ne, BoolGetDatum(order != 0))
ELAC_COMPARISON(halfvec, ge, BoolGetDatum(order >= 0))
ELAC_COMPARISON(halfvec, gt, BoolGetDatum(order > 0))
ELAC_COMPARISON(halfvec, cmp, Int32GetDatum(order))

/*
 * Bytes that equal values share: components in order, zeroes without sign.
 * Hash indexes and hash partitions keep what comes of them: never change it.
 */
static float *
vector_hash_key(const ElacVector *v, int *length)
{
	float	   *key = palloc(sizeof(float) * (Size) v->dim);

	for (int i = 0; i < v->dim; i++)
		key[i] = v->x[i] == 0 ? 0.0f : v->x[i];
	*length = (int) sizeof(float) * v->dim;
	return key;
}

static uint16 *
halfvec_hash_key(const ElacHalfvec *v, int *length)
{
	uint16	   *key = palloc(sizeof(uint16) * (Size) v->dim);

	for (int i = 0; i < v->dim; i++)
		key[i] = (v->x[i] & 0x7FFF) == 0 ? 0 : v->x[i];
	*length = (int) sizeof(uint16) * v->dim;
	return key;
}

/* vector_hash(vector) */
Datum
elac_vector_hash(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);
	int			length;
	float	   *key = vector_hash_key(v, &length);
	Datum		hash = hash_any((unsigned char *) key, length);

	pfree(key);
	PG_FREE_IF_COPY(v, 0);
	return hash;
}

/* vector_hash_extended(vector, bigint) */
Datum
elac_vector_hash_extended(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);
	int			length;
	float	   *key = vector_hash_key(v, &length);
	Datum		hash = hash_any_extended((unsigned char *) key, length,
										 (uint64) PG_GETARG_INT64(1));

	pfree(key);
	PG_FREE_IF_COPY(v, 0);
	return hash;
}

/* halfvec_hash(halfvec) */
Datum
elac_halfvec_hash(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);
	int			length;
	uint16	   *key = halfvec_hash_key(v, &length);
	Datum		hash = hash_any((unsigned char *) key, length);

	pfree(key);
	PG_FREE_IF_COPY(v, 0);
	return hash;
}

/* halfvec_hash_extended(halfvec, bigint) */
Datum
elac_halfvec_hash_extended(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);
	int			length;
	uint16	   *key = halfvec_hash_key(v, &length);
	Datum		hash = hash_any_extended((unsigned char *) key, length,
										 (uint64) PG_GETARG_INT64(1));

	pfree(key);
	PG_FREE_IF_COPY(v, 0);
	return hash;
}
