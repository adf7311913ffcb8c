/*
 * attr_value.c
 *	  Images, alignment and order of attribute values, without the catalogues.
 *
 * The order of the types that get zones is written out here, not looked up:
 * it reaches the disk, and must be what the type's btree operators say:
 * integers by value, dates and timestamps as the integers they are, floats
 * with NaN equal to itself and above everything.
 */
#include "postgres.h"

#include <math.h>

#include "access/tupmacs.h"
#include "catalog/pg_type.h"

#include "attr/attr_internal.h"

uint64
elac_attr_image(const ElacAttrType *type, Datum value)
{
	uint64		image = 0;

	store_att_byval(&image, value, type->typlen);
	return image;
}

Datum
elac_attr_datum(const ElacAttrType *type, uint64 image)
{
	const void *bytes = &image;

	return fetch_att(bytes, true, type->typlen);
}

uint32
elac_attr_alignment(const ElacAttrType *type)
{
	switch (type->typalign)
	{
		case TYPALIGN_DOUBLE:
			return ALIGNOF_DOUBLE;
		case TYPALIGN_SHORT:
			return ALIGNOF_SHORT;
		case TYPALIGN_CHAR:
			return 1;
		default:
			return ALIGNOF_INT;
	}
}

uint32
elac_attr_stride(const ElacAttrType *type)
{
	return TYPEALIGN(elac_attr_alignment(type), (uint32) type->typlen);
}

bool
elac_attr_has_zones(const ElacAttrType *type)
{
	if (!type->typbyval)
		return false;
	switch (type->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			return false;
	}
}

static int
attr_compare_int(int64 a, int64 b)
{
	return a < b ? -1 : (a > b ? 1 : 0);
}

static int
attr_compare_float(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
	return a < b ? -1 : (a > b ? 1 : 0);
}

int
elac_attr_compare(const ElacAttrType *type, uint64 a, uint64 b)
{
	Datum		left = elac_attr_datum(type, a);
	Datum		right = elac_attr_datum(type, b);

	switch (type->type)
	{
		case FLOAT4OID:
			return attr_compare_float(DatumGetFloat4(left), DatumGetFloat4(right));
		case FLOAT8OID:
			return attr_compare_float(DatumGetFloat8(left), DatumGetFloat8(right));
		case INT2OID:
			return attr_compare_int(DatumGetInt16(left), DatumGetInt16(right));
		case INT4OID:
		case DATEOID:
			return attr_compare_int(DatumGetInt32(left), DatumGetInt32(right));
		default:
			return attr_compare_int(DatumGetInt64(left), DatumGetInt64(right));
	}
}
