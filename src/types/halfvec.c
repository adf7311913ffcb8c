/*
 * halfvec.c
 *	  SQL type halfvec(n): half-precision components.
 *
 * Text and binary form, type modifier and casts.  The rules about dimensions
 * and components are in elements.c, operators in operators.c.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"

#include "base/kernels.h"
#include "compat.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_halfvec_in);
PG_FUNCTION_INFO_V1(elac_halfvec_out);
PG_FUNCTION_INFO_V1(elac_halfvec_typmod_in);
PG_FUNCTION_INFO_V1(elac_halfvec_recv);
PG_FUNCTION_INFO_V1(elac_halfvec_send);
PG_FUNCTION_INFO_V1(elac_halfvec_coerce);
PG_FUNCTION_INFO_V1(elac_halfvec_from_array);
PG_FUNCTION_INFO_V1(elac_halfvec_to_array);
PG_FUNCTION_INFO_V1(elac_halfvec_from_vector);

/* halfvec_in(cstring, oid, integer) */
Datum
elac_halfvec_in(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *x = elac_element_parse(ELAC_ELEMENT_HALF, PG_GETARG_CSTRING(0),
									   PG_GETARG_INT32(2), &dim);

	PG_RETURN_POINTER(elac_element_make_halfvec(x, dim));
}

/* halfvec_out(halfvec): the shortest text that reads back as the same float4 */
Datum
elac_halfvec_out(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);

	PG_RETURN_CSTRING(elac_element_print(elac_element_widen(v), v->dim));
}

/* halfvec_typmod_in(cstring[]) */
Datum
elac_halfvec_typmod_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(elac_element_typmod_in(ELAC_ELEMENT_HALF, PG_GETARG_ARRAYTYPE_P(0)));
}

/*
 * halfvec_recv(internal, oid, integer)
 *
 * Wire form: int16 dimensions, int16 zero, the 16 bits of each component, all
 * in network byte order.
 */
Datum
elac_halfvec_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			dim = (int) pq_getmsgint(message, sizeof(int16));
	int			unused = (int) pq_getmsgint(message, sizeof(int16));
	ElacHalfvec *v;

	elac_element_check_dim(ELAC_ELEMENT_HALF, dim);
	elac_element_check_typmod(PG_GETARG_INT32(2), dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	v = elac_element_new_halfvec(dim);
	for (int i = 0; i < dim; i++)
	{
		float		value;

		v->x[i] = (uint16) pq_getmsgint(message, sizeof(uint16));
		elac_kernels()->f16_to_f32(&v->x[i], &value, 1);
		elac_element_check_finite(ELAC_ELEMENT_HALF, value);
	}
	PG_RETURN_POINTER(v);
}

/* halfvec_send(halfvec) */
Datum
elac_halfvec_send(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, (uint16) v->dim);
	pq_sendint16(&message, 0);
	for (int i = 0; i < v->dim; i++)
		pq_sendint16(&message, v->x[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* halfvec(halfvec, integer, boolean): applies a type modifier */
Datum
elac_halfvec_coerce(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);

	elac_element_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_POINTER(v);
}

/* array_to_halfvec(anyarray-of-number, integer, boolean) */
Datum
elac_halfvec_from_array(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *x = elac_element_from_array(ELAC_ELEMENT_HALF, PG_GETARG_ARRAYTYPE_P(0),
											PG_GETARG_INT32(1), &dim);

	PG_RETURN_POINTER(elac_element_make_halfvec(x, dim));
}

/* halfvec_to_float4(halfvec, integer, boolean) */
Datum
elac_halfvec_to_array(PG_FUNCTION_ARGS)
{
	ElacHalfvec *v = ELAC_GETARG_HALFVEC(0);

	PG_RETURN_POINTER(elac_element_to_array(elac_element_widen(v), v->dim));
}

/* vector_to_halfvec(vector, integer, boolean) */
Datum
elac_halfvec_from_vector(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	elac_element_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_POINTER(elac_element_make_halfvec(v->x, v->dim));
}
