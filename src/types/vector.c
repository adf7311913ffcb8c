/*
 * vector.c
 *	  SQL type vector(n): single-precision components.
 *
 * Text and binary form, type modifier and casts.  The rules about dimensions
 * and components are in elements.c, operators in operators.c.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"

#include "compat.h"
#include "types/elements.h"

PG_FUNCTION_INFO_V1(elac_vector_in);
PG_FUNCTION_INFO_V1(elac_vector_out);
PG_FUNCTION_INFO_V1(elac_vector_typmod_in);
PG_FUNCTION_INFO_V1(elac_vector_recv);
PG_FUNCTION_INFO_V1(elac_vector_send);
PG_FUNCTION_INFO_V1(elac_vector_coerce);
PG_FUNCTION_INFO_V1(elac_vector_from_array);
PG_FUNCTION_INFO_V1(elac_vector_to_array);
PG_FUNCTION_INFO_V1(elac_vector_from_halfvec);

/* vector_in(cstring, oid, integer) */
Datum
elac_vector_in(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *x = elac_element_parse(ELAC_ELEMENT_FLOAT, PG_GETARG_CSTRING(0),
									   PG_GETARG_INT32(2), &dim);

	PG_RETURN_POINTER(elac_element_make_vector(x, dim));
}

/* vector_out(vector) */
Datum
elac_vector_out(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	PG_RETURN_CSTRING(elac_element_print(v->x, v->dim));
}

/* vector_typmod_in(cstring[]) */
Datum
elac_vector_typmod_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(elac_element_typmod_in(ELAC_ELEMENT_FLOAT, PG_GETARG_ARRAYTYPE_P(0)));
}

/*
 * vector_recv(internal, oid, integer)
 *
 * Wire form: int16 dimensions, int16 zero, one float4 a component, all in
 * network byte order.
 */
Datum
elac_vector_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			dim = (int) pq_getmsgint(message, sizeof(int16));
	int			unused = (int) pq_getmsgint(message, sizeof(int16));
	ElacVector *v;

	elac_element_check_dim(ELAC_ELEMENT_FLOAT, dim);
	elac_element_check_typmod(PG_GETARG_INT32(2), dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	v = elac_element_new_vector(dim);
	for (int i = 0; i < dim; i++)
	{
		v->x[i] = pq_getmsgfloat4(message);
		elac_element_check_finite(ELAC_ELEMENT_FLOAT, v->x[i]);
	}
	PG_RETURN_POINTER(v);
}

/* vector_send(vector) */
Datum
elac_vector_send(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, (uint16) v->dim);
	pq_sendint16(&message, 0);
	for (int i = 0; i < v->dim; i++)
		pq_sendfloat4(&message, v->x[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* vector(vector, integer, boolean): applies a type modifier */
Datum
elac_vector_coerce(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	elac_element_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_POINTER(v);
}

/* array_to_vector(anyarray-of-number, integer, boolean) */
Datum
elac_vector_from_array(PG_FUNCTION_ARGS)
{
	int			dim;
	float	   *x = elac_element_from_array(ELAC_ELEMENT_FLOAT, PG_GETARG_ARRAYTYPE_P(0),
											PG_GETARG_INT32(1), &dim);

	PG_RETURN_POINTER(elac_element_make_vector(x, dim));
}

/* vector_to_float4(vector, integer, boolean) */
Datum
elac_vector_to_array(PG_FUNCTION_ARGS)
{
	ElacVector *v = ELAC_GETARG_VECTOR(0);

	PG_RETURN_POINTER(elac_element_to_array(v->x, v->dim));
}

/* halfvec_to_vector(halfvec, integer, boolean) */
Datum
elac_vector_from_halfvec(PG_FUNCTION_ARGS)
{
	ElacHalfvec *half = ELAC_GETARG_HALFVEC(0);

	elac_element_check_typmod(PG_GETARG_INT32(1), half->dim);
	PG_RETURN_POINTER(elac_element_make_vector(elac_element_widen(half), half->dim));
}
