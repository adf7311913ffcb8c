/*
 * attr_element.c
 *	  What columns of arrays and of jsonb are made of: elements, or keys and
 *	  strings of the top level, as the server's operators see them.
 *
 * Listed are element types that are equal when their bytes are, or whose order
 * is known here.  Dimensions do not matter: the operators flatten arrays.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "attr/attr_internal.h"

typedef struct AttrElement
{
	Oid			container;
	ElacAttrType type;
} AttrElement;

static const AttrElement attr_elements[] = {
	{TEXTARRAYOID, {TEXTOID, -1, false, TYPALIGN_INT, InvalidOid}},
	{VARCHARARRAYOID, {VARCHAROID, -1, false, TYPALIGN_INT, InvalidOid}},
	{INT2ARRAYOID, {INT2OID, 2, true, TYPALIGN_SHORT, InvalidOid}},
	{INT4ARRAYOID, {INT4OID, 4, true, TYPALIGN_INT, InvalidOid}},
	{INT8ARRAYOID, {INT8OID, 8, true, TYPALIGN_DOUBLE, InvalidOid}},
	{FLOAT4ARRAYOID, {FLOAT4OID, 4, true, TYPALIGN_INT, InvalidOid}},
	{FLOAT8ARRAYOID, {FLOAT8OID, 8, true, TYPALIGN_DOUBLE, InvalidOid}},
	{DATEARRAYOID, {DATEOID, 4, true, TYPALIGN_INT, InvalidOid}},
	{TIMESTAMPARRAYOID, {TIMESTAMPOID, 8, true, TYPALIGN_DOUBLE, InvalidOid}},
	{TIMESTAMPTZARRAYOID, {TIMESTAMPTZOID, 8, true, TYPALIGN_DOUBLE, InvalidOid}},
	{TIMEARRAYOID, {TIMEOID, 8, true, TYPALIGN_DOUBLE, InvalidOid}},
	{BOOLARRAYOID, {BOOLOID, 1, true, TYPALIGN_CHAR, InvalidOid}},
	{OIDARRAYOID, {OIDOID, 4, true, TYPALIGN_INT, InvalidOid}},
	{UUIDARRAYOID, {UUIDOID, 16, false, TYPALIGN_CHAR, InvalidOid}},
	{BYTEAARRAYOID, {BYTEAOID, -1, false, TYPALIGN_INT, InvalidOid}},
	{INETARRAYOID, {INETOID, -1, false, TYPALIGN_INT, InvalidOid}},
	{CIDRARRAYOID, {CIDROID, -1, false, TYPALIGN_INT, InvalidOid}},
	{MACADDRARRAYOID, {MACADDROID, 6, false, TYPALIGN_INT, InvalidOid}},
	{JSONBOID, {TEXTOID, -1, false, TYPALIGN_INT, InvalidOid}},
};

bool
elac_attr_element_type(Oid container, ElacAttrType *element)
{
	for (int i = 0; i < (int) lengthof(attr_elements); i++)
		if (attr_elements[i].container == container)
		{
			*element = attr_elements[i].type;
			return true;
		}
	return false;
}

/* One more element; the array doubles. */
static void
attr_element_add(ElacAttrElements *elements, Datum value)
{
	if ((elements->n & (elements->n - 1)) == 0)
	{
		Size		bytes = mul_size(Max(elements->n, 1) * (Size) 2, sizeof(Datum));

		if (elements->values == NULL)
			elements->values = palloc_extended(bytes, MCXT_ALLOC_HUGE);
		else
			elements->values = repalloc_huge(elements->values, bytes);
	}
	elements->values[elements->n++] = value;
}

void
elac_attr_array_elements(Datum value, const ElacAttrType *type, ElacAttrElements *elements)
{
	ArrayType  *array = (ArrayType *) PG_DETOAST_DATUM(value);
	const bits8 *present = ARR_NULLBITMAP(array);
	const char *data = ARR_DATA_PTR(array);
	int64		n = ARR_NDIM(array) > 0 ? 1 : 0;

	memset(elements, 0, sizeof(*elements));
	for (int i = 0; i < ARR_NDIM(array); i++)
		n *= ARR_DIMS(array)[i];
	for (int64 i = 0; i < n; i++)
	{
		if (present != NULL && (present[i / 8] >> (i % 8) & 1) == 0)
		{
			elements->has_null = true;
			continue;
		}
		attr_element_add(elements, fetch_att(data, type->typbyval, type->typlen));
		data = (const char *) att_addlength_pointer(data, type->typlen, data);
		data = (const char *) att_align_nominal(data, type->typalign);
	}
}

static void
attr_elements_of_jsonb(Datum value, ElacAttrElements *elements)
{
	Jsonb	   *json = (Jsonb *) PG_DETOAST_DATUM(value);
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	one;

	while ((token = JsonbIteratorNext(&iterator, &one, true)) != WJB_DONE)
	{
		char	   *text;

		if (token != WJB_KEY && (token != WJB_ELEM || one.type != jbvString))
			continue;
		text = palloc(one.val.string.len + VARHDRSZ);
		SET_VARSIZE(text, one.val.string.len + VARHDRSZ);
		memcpy(text + VARHDRSZ, one.val.string.val, one.val.string.len);
		attr_element_add(elements, PointerGetDatum(text));
	}
}

void
elac_attr_elements(Oid container, Datum value, ElacAttrElements *elements)
{
	ElacAttrType type;

	memset(elements, 0, sizeof(*elements));
	if (!elac_attr_element_type(container, &type))
		elog(ERROR, "type with OID %u has no elements", container);
	if (container == JSONBOID)
		attr_elements_of_jsonb(value, elements);
	else
		elac_attr_array_elements(value, &type, elements);
}
