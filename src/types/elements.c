/*
 * elements.c
 *	  What vector and halfvec have in common: checks, text form, conversion.
 *
 * Owns the rules about dimensions and components and the errors that report
 * their breach, the same for both types and the same SQLSTATEs as pgvector's.
 * Nothing here knows the SQL functions; callers pass detoasted values.
 */
#include "postgres.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/kernels.h"
#include "compat.h"
#include "types/elements.h"

StaticAssertDecl(sizeof(ElacVector) == 8 && offsetof(ElacVector, x) == 8,
				 "vector datums have an 8-byte header");
StaticAssertDecl(sizeof(ElacHalfvec) == 8 && offsetof(ElacHalfvec, x) == 8,
				 "halfvec datums have an 8-byte header");
StaticAssertDecl(ELAC_MAX_DIM_STORED <= PG_INT16_MAX, "dim is an int16");

static const char *
element_type_name(ElacVectorElement element)
{
	return element == ELAC_ELEMENT_HALF ? "halfvec" : "vector";
}

/*
 * Values reach functions from heap pages too: what follows trusts dim, so a
 * damaged one must not lead outside the datum.
 */
static void
element_check_length(ElacVectorElement element, struct varlena *datum, int dim, Size width)
{
	if (dim < 1 || dim > ELAC_MAX_DIM_STORED ||
		VARSIZE(datum) != offsetof(ElacVector, x) + width * (Size) dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored %s is damaged", element_type_name(element)),
				 errdetail("It says %d dimensions in %zu bytes.", dim, (size_t) VARSIZE(datum))));
}

ElacVector *
elac_element_get_vector(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM(datum);
	ElacVector *v = (ElacVector *) raw;

	if (VARSIZE(raw) < offsetof(ElacVector, x))
		element_check_length(ELAC_ELEMENT_FLOAT, raw, 0, sizeof(float));
	element_check_length(ELAC_ELEMENT_FLOAT, raw, v->dim, sizeof(float));
	return v;
}

ElacHalfvec *
elac_element_get_halfvec(Datum datum)
{
	struct varlena *raw = PG_DETOAST_DATUM(datum);
	ElacHalfvec *v = (ElacHalfvec *) raw;

	if (VARSIZE(raw) < offsetof(ElacHalfvec, x))
		element_check_length(ELAC_ELEMENT_HALF, raw, 0, sizeof(uint16));
	element_check_length(ELAC_ELEMENT_HALF, raw, v->dim, sizeof(uint16));
	return v;
}

void
elac_element_check_dim(ElacVectorElement element, int dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a %s must have at least 1 dimension", element_type_name(element))));
	if (dim > ELAC_MAX_DIM_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a %s cannot have more than %d dimensions",
						element_type_name(element), ELAC_MAX_DIM_STORED)));
}

void
elac_element_check_typmod(int32 typmod, int dim)
{
	if (typmod != -1 && typmod != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", typmod, dim)));
}

void
elac_element_check_same(ElacVectorElement element, int dim_a, int dim_b)
{
	if (dim_a != dim_b)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d",
						element_type_name(element), dim_a, dim_b)));
}

void
elac_element_check_finite(ElacVectorElement element, float value)
{
	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in %s", element_type_name(element))));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("infinite value not allowed in %s", element_type_name(element))));
}

ElacVector *
elac_element_new_vector(int dim)
{
	ElacVector *v;

	elac_element_check_dim(ELAC_ELEMENT_FLOAT, dim);
	v = palloc0(ELAC_VECTOR_SIZE(dim));
	SET_VARSIZE(v, ELAC_VECTOR_SIZE(dim));
	v->dim = (int16) dim;
	return v;
}

ElacHalfvec *
elac_element_new_halfvec(int dim)
{
	ElacHalfvec *v;

	elac_element_check_dim(ELAC_ELEMENT_HALF, dim);
	v = palloc0(ELAC_HALFVEC_SIZE(dim));
	SET_VARSIZE(v, ELAC_HALFVEC_SIZE(dim));
	v->dim = (int16) dim;
	return v;
}

ElacVector *
elac_element_make_vector(const float *x, int dim)
{
	ElacVector *v = elac_element_new_vector(dim);

	for (int i = 0; i < dim; i++)
		elac_element_check_finite(ELAC_ELEMENT_FLOAT, x[i]);
	memcpy(v->x, x, sizeof(float) * (Size) dim);
	return v;
}

static inline bool
half_is_infinite(uint16 half)
{
	return (half & 0x7FFF) == 0x7C00;
}

ElacHalfvec *
elac_element_make_halfvec(const float *x, int dim)
{
	ElacHalfvec *v = elac_element_new_halfvec(dim);

	elac_kernels()->f32_to_f16(x, v->x, (size_t) dim);
	for (int i = 0; i < dim; i++)
	{
		if (half_is_infinite(v->x[i]) && !isinf(x[i]))
		{
			char		number[FLOAT_SHORTEST_DECIMAL_LEN];

			float_to_shortest_decimal_buf(x[i], number);
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("\"%s\" is out of range for type halfvec", number)));
		}
	}
	for (int i = 0; i < dim; i++)
		elac_element_check_finite(ELAC_ELEMENT_HALF, x[i]);
	return v;
}

float *
elac_element_widen(const ElacHalfvec *v)
{
	float	   *x = palloc(sizeof(float) * (Size) v->dim);

	elac_kernels()->f16_to_f32(v->x, x, (size_t) v->dim);
	return x;
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	return p;
}

static void
report_syntax(ElacVectorElement element, const char *literal, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					element_type_name(element), literal),
			 detail ? errdetail("%s", detail) : 0));
}

/*
 * One component at *p, which moves behind it.  strtof, because reading a
 * double and rounding it would round twice; the server keeps LC_NUMERIC at C.
 */
static float
parse_component(ElacVectorElement element, const char *literal, const char **p)
{
	float		value;
	bool		overflow;
	char	   *end;

	errno = 0;
	value = strtof(*p, &end);
	if (end == *p)
		report_syntax(element, literal, NULL);
	overflow = errno == ERANGE && isinf(value);

	if (element == ELAC_ELEMENT_HALF && isfinite(value))
	{
		uint16		half;

		elac_kernels()->f32_to_f16(&value, &half, 1);
		if (half_is_infinite(half))
			overflow = true;
		elac_kernels()->f16_to_f32(&half, &value, 1);
	}
	if (overflow)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s",
						pnstrdup(*p, (Size) (end - *p)), element_type_name(element))));
	elac_element_check_finite(element, value);
	*p = end;
	return value;
}

/*
 * Reads "[a,b,...]" with white space anywhere between the tokens.  Returns a
 * palloc'd array; its size comes from the number of commas, each of which
 * stands between two components when the literal is well formed.
 */
float *
elac_element_parse(ElacVectorElement element, const char *literal, int32 typmod, int *dim)
{
	const char *p = skip_space(literal);
	Size		room = 1;
	float	   *x;
	int			n = 0;

	if (*p != '[')
		report_syntax(element, literal, "The components must follow an opening bracket \"[\".");
	p = skip_space(p + 1);
	if (*p == ']')
		elac_element_check_dim(element, 0);

	for (const char *c = p; *c != '\0' && room < ELAC_MAX_DIM_STORED; c++)
	{
		if (*c == ',')
			room++;
	}
	x = palloc(sizeof(float) * room);

	for (;;)
	{
		if (n == ELAC_MAX_DIM_STORED)
			elac_element_check_dim(element, n + 1);
		Assert((Size) n < room);
		p = skip_space(p);
		x[n++] = parse_component(element, literal, &p);
		p = skip_space(p);
		if (*p == ']')
			break;
		if (*p != ',')
			report_syntax(element, literal, NULL);
		p++;
	}
	p = skip_space(p + 1);
	if (*p != '\0')
		report_syntax(element, literal, "Nothing but white space may follow the closing bracket.");

	elac_element_check_typmod(typmod, n);
	*dim = n;
	return x;
}

char *
elac_element_print(const float *x, int dim)
{
	/* a number, and the comma or bracket after it, takes at most this many bytes */
	char	   *result = palloc(FLOAT_SHORTEST_DECIMAL_LEN * (Size) dim + 3);
	char	   *p = result;

	*p++ = '[';
	for (int i = 0; i < dim; i++)
	{
		if (i > 0)
			*p++ = ',';
		p += float_to_shortest_decimal_bufn(x[i], p);
	}
	*p++ = ']';
	*p = '\0';
	return result;
}

int32
elac_element_typmod_in(ElacVectorElement element, ArrayType *modifiers)
{
	int			n;
	int32	   *values = ArrayGetIntegerTypmods(modifiers, &n);

	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid type modifier for type %s", element_type_name(element)),
				 errdetail("The number of dimensions is the only modifier.")));
	if (values[0] < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s must be at least 1", element_type_name(element))));
	if (values[0] > ELAC_MAX_DIM_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s cannot exceed %d",
						element_type_name(element), ELAC_MAX_DIM_STORED)));
	return values[0];
}

static float
component_of_datum(Datum datum, Oid type)
{
	switch (type)
	{
		case INT4OID:
			return (float) DatumGetInt32(datum);
		case FLOAT4OID:
			return DatumGetFloat4(datum);
		case FLOAT8OID:
			return (float) DatumGetFloat8(datum);
		case NUMERICOID:
			return DatumGetFloat4(DirectFunctionCall1(numeric_float4, datum));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("cannot convert an array of %s to a vector", format_type_be(type))));
	}
	return 0.0f;				/* keep compiler quiet */
}

float *
elac_element_from_array(ElacVectorElement element, ArrayType *array, int32 typmod, int *dim)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		width;
	bool		byval;
	char		align;
	Datum	   *datums;
	int			n;
	float	   *x;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be one-dimensional")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));

	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	elac_element_check_dim(element, n);
	elac_element_check_typmod(typmod, n);

	get_typlenbyvalalign(type, &width, &byval, &align);
	deconstruct_array(array, type, width, byval, align, &datums, NULL, &n);

	x = palloc(sizeof(float) * (Size) n);
	for (int i = 0; i < n; i++)
		x[i] = component_of_datum(datums[i], type);
	pfree(datums);
	*dim = n;
	return x;
}

ArrayType *
elac_element_to_array(const float *x, int dim)
{
	Datum	   *datums = palloc(sizeof(Datum) * (Size) dim);
	ArrayType  *array;

	for (int i = 0; i < dim; i++)
		datums[i] = Float4GetDatum(x[i]);
	array = construct_array(datums, dim, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT);
	pfree(datums);
	return array;
}
