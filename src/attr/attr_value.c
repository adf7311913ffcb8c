/*
 * attr_value.c
 *	  Images, alignment and order of attribute values, without the catalogues.
 *
 * The order of the types that get bins is written out here, not looked up: it
 * reaches the disk, and must be what the type's btree operators say:
 * integers by value, dates, times and timestamps as the integers they are, floats
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
elac_attr_is_ordered(const ElacAttrType *type)
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
		case TIMEOID:
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

/* ---- sort keys: the order above, ties told apart only where bytes are ---- */

int64
elac_attr_sort_key(const ElacAttrType *type, uint64 image)
{
	uint32		bits = (uint32) image;

	switch (type->type)
	{
		case FLOAT4OID:
			if (isnan(DatumGetFloat4(elac_attr_datum(type, image))))
				return ELAC_ATTR_NAN4;
			return (bits >> 31) != 0 ? -(int64) (bits & PG_INT32_MAX) : (int64) bits;
		case FLOAT8OID:
			if (isnan(DatumGetFloat8(elac_attr_datum(type, image))))
				return ELAC_ATTR_NAN8;
			return (image >> 63) != 0 ? -(int64) (image & PG_INT64_MAX) : (int64) image;
		case INT2OID:
			return DatumGetInt16(elac_attr_datum(type, image));
		case INT4OID:
		case DATEOID:
			return DatumGetInt32(elac_attr_datum(type, image));
		default:
			return DatumGetInt64(elac_attr_datum(type, image));
	}
}

uint64
elac_attr_sort_image(const ElacAttrType *type, int64 key)
{
	switch (type->type)
	{
		case FLOAT4OID:
			if (key == ELAC_ATTR_NAN4)
				return UINT64CONST(0x7FC00000);
			return key < 0 ? (uint64) -key | UINT64CONST(0x80000000) : (uint64) key;
		case FLOAT8OID:
			if (key == ELAC_ATTR_NAN8)
				return UINT64CONST(0x7FF8000000000000);
			return key < 0 ? (uint64) -key | (UINT64CONST(1) << 63) : (uint64) key;
		default:
			/* the low bytes of the number, the others 0 */
			return type->typlen == 8 ? (uint64) key : (uint64) key & ((UINT64CONST(1) << (8 * type->typlen)) - 1);
	}
}
