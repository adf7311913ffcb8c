/*
 * vector_aggregates.c
 *	  The state of avg(vector) and avg(halfvec), and what is made of it.
 *
 * The state is a float8[]: the number of values, then the sum of each
 * component (none as long as there is no value).  sum() needs no state of its
 * own: it adds.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/float.h"

#include "compat.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_vector_accum);
PG_FUNCTION_INFO_V1(elac_vector_combine);
PG_FUNCTION_INFO_V1(elac_vector_avg);
PG_FUNCTION_INFO_V1(elac_halfvec_accum);
PG_FUNCTION_INFO_V1(elac_halfvec_avg);

/*
 * The count and sums in a state, and the number of sums.  Only SQL that calls
 * a transition function by hand can bring anything else than a state.
 */
static float8 *
state_values(ArrayType *state, int *dim)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 || ARR_HASNULL(state) ||
		ARR_ELEMTYPE(state) != FLOAT8OID)
		elog(ERROR, "not the state of an average of vectors");
	*dim = ARR_DIMS(state)[0] - 1;
	return (float8 *) ARR_DATA_PTR(state);
}

static ArrayType *
state_make(int dim, float8 **values)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * ((Size) dim + 1);
	ArrayType  *state = palloc0(size);

	SET_VARSIZE(state, size);
	state->ndim = 1;
	state->dataoffset = 0;
	state->elemtype = FLOAT8OID;
	ARR_DIMS(state)[0] = dim + 1;
	ARR_LBOUND(state)[0] = 1;
	*values = (float8 *) ARR_DATA_PTR(state);
	return state;
}

static inline float8
add_checked(float8 a, float8 b)
{
	float8		sum = a + b;

	if (isinf(sum))
		float_overflow_error();
	return sum;
}

/* The state after one more value x; in place when the aggregate owns it. */
static ArrayType *
state_add(FunctionCallInfo fcinfo, const float *x, int xdim)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	int			dim;
	float8	   *old = state_values(state, &dim);
	float8	   *new = old;

	if (dim != 0)
		elac_element_check_typmod(dim, xdim);
	if (dim == 0 || !AggCheckCallContext(fcinfo, NULL))
		state = state_make(xdim, &new);

	new[0] = old[0] + 1.0;
	for (int i = 1; i <= xdim; i++)
		new[i] = dim == 0 ? (float8) x[i - 1] : add_checked(old[i], (float8) x[i - 1]);
	return state;
}

/* vector_accum(double precision[], vector) */
Datum
elac_vector_accum(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(1);

	PG_RETURN_ARRAYTYPE_P(state_add(fcinfo, v->x, v->dim));
}

/* halfvec_accum(double precision[], halfvec) */
Datum
elac_halfvec_accum(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(1);
	float	   *x = elac_element_widen(v);
	ArrayType  *state = state_add(fcinfo, x, v->dim);

	pfree(x);
	PG_RETURN_ARRAYTYPE_P(state);
}

/* vector_combine, halfvec_combine(double precision[], double precision[]) */
Datum
elac_vector_combine(PG_FUNCTION_ARGS)
{
	int			dim_a;
	int			dim_b;
	float8	   *a = state_values(PG_GETARG_ARRAYTYPE_P(0), &dim_a);
	float8	   *b = state_values(PG_GETARG_ARRAYTYPE_P(1), &dim_b);
	int			dim = dim_a != 0 ? dim_a : dim_b;
	ArrayType  *state;
	float8	   *sums;

	if (dim != 0)
		elac_element_check_dim(ELAC_ELEMENT_FLOAT, dim);
	if (dim_a != 0 && dim_b != 0)
		elac_element_check_typmod(dim_a, dim_b);

	state = state_make(dim, &sums);
	sums[0] = a[0] + b[0];
	for (int i = 1; i <= dim; i++)
	{
		if (dim_b == 0)
			sums[i] = a[i];
		else if (dim_a == 0)
			sums[i] = b[i];
		else
			sums[i] = add_checked(a[i], b[i]);
	}
	PG_RETURN_ARRAYTYPE_P(state);
}

/* The mean of a state's values as floats, NULL when there are none. */
static float *
state_mean(ElacVectorElement element, ArrayType *state, int *dim)
{
	float8	   *values = state_values(state, dim);
	float	   *mean;

	if (values[0] == 0.0)
		return NULL;
	elac_element_check_dim(element, *dim);
	mean = palloc(sizeof(float) * (Size) *dim);
	for (int i = 0; i < *dim; i++)
		mean[i] = (float) (values[i + 1] / values[0]);
	return mean;
}

/* vector_avg(double precision[]) */
Datum
elac_vector_avg(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *mean = state_mean(ELAC_ELEMENT_FLOAT, PG_GETARG_ARRAYTYPE_P(0), &dim);

	if (mean == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(elac_element_make_vector(mean, dim));
}

/* halfvec_avg(double precision[]) */
Datum
elac_halfvec_avg(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *mean = state_mean(ELAC_ELEMENT_HALF, PG_GETARG_ARRAYTYPE_P(0), &dim);

	if (mean == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(elac_element_make_halfvec(mean, dim));
}
