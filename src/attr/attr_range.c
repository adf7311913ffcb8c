/*
 * attr_range.c
 *	  Comparisons of ordered types as ranges of integers.
 *
 * Each value of an ordered type has a key, an int64 that orders as the
 * type's btree operators do (attr_value.c): integers, dates, times and timestamps are
 * their own; floats are taken as doubles, whose bits order like integers once
 * the sign is seen to; -0 has the key of 0 and every NaN the largest of all.
 * A comparison with a constant is then low <= key <= high, without a call for
 * each value.  Only the server's own operators, between types whose keys mean
 * the same, are taken for what their strategy says.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "attr/attr_internal.h"

#define KEY_NAN PG_INT64_MAX

/* ---- keys ---- */

static int64
attr_key_double(double value)
{
	int64		magnitude;

	if (isnan(value))
		return KEY_NAN;
	memcpy(&magnitude, &value, sizeof(magnitude));
	magnitude &= PG_INT64_MAX;
	return signbit(value) ? -magnitude : magnitude;
}

int64
elac_attr_key(const ElacAttrType *type, Datum value)
{
	switch (type->type)
	{
		case FLOAT4OID:
			return attr_key_double(DatumGetFloat4(value));
		case FLOAT8OID:
			return attr_key_double(DatumGetFloat8(value));
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
		case DATEOID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* ---- which range ---- */

/* Types whose keys can be compared with each other. */
static int
attr_key_family(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return 1;
		case FLOAT4OID:
		case FLOAT8OID:
			return 2;
		case DATEOID:
			return 3;
		case TIMESTAMPOID:
			return 4;
		case TIMESTAMPTZOID:
			return 5;
		case TIMEOID:
			return 6;
		default:
			return 0;
	}
}

bool
elac_attr_has_ranges(const ElacAttrType *type, const ElacPredicate *predicate, ElacAttrType *argument)
{
	Oid		   *argtypes = NULL;
	int			nargs = 0;
	int			family = attr_key_family(type->type);

	if (family == 0 || !elac_attr_is_ordered(type) || predicate->strategy < BTLessStrategyNumber ||
		predicate->strategy > BTGreaterStrategyNumber || !OidIsValid(predicate->function.fn_oid) ||
		predicate->function.fn_oid >= FirstNormalObjectId ||
		(predicate->kind != ELAC_PREDICATE_OPERATOR &&
		 !(predicate->kind == ELAC_PREDICATE_ANY && predicate->strategy == BTEqualStrategyNumber)))
		return false;
	if (!OidIsValid(get_func_signature(predicate->function.fn_oid, &argtypes, &nargs)) ||
		nargs != 2 || argtypes[0] != type->type || attr_key_family(argtypes[1]) != family)
		return false;
	memset(argument, 0, sizeof(*argument));
	argument->type = argtypes[1];
	argument->typbyval = true;
	argument->typlen = get_typlen(argtypes[1]);
	return true;
}

ElacAttrRange
elac_attr_range(const ElacPredicate *predicate, const ElacAttrType *argument, Datum arg)
{
	static const ElacAttrRange none = {1, 0};
	int64		key = elac_attr_key(argument, arg);
	ElacAttrRange range = {PG_INT64_MIN, PG_INT64_MAX};

	switch (predicate->strategy)
	{
		case BTLessStrategyNumber:
			if (key == PG_INT64_MIN)
				return none;
			range.high = key - 1;
			break;
		case BTLessEqualStrategyNumber:
			range.high = key;
			break;
		case BTEqualStrategyNumber:
			range.low = range.high = key;
			break;
		case BTGreaterEqualStrategyNumber:
			range.low = key;
			break;
		default:
			if (key == PG_INT64_MAX)
				return none;
			range.low = key + 1;
	}
	return range;
}

/* The least sort key of a float4 whose key is at least key; above them all when there is none. */
static int64
attr_float4_bound(const ElacAttrType *type, int64 key)
{
	int64		low = -INT64CONST(0x7F800000);	/* -Infinity */
	int64		high = ELAC_ATTR_NAN4 + 1;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		/* above Infinity there are only NaNs */
		if (middle <= INT64CONST(0x7F800000) &&
			elac_attr_key(type, elac_attr_datum(type, elac_attr_sort_image(type, middle))) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

ElacAttrRange
elac_attr_sort_range(const ElacAttrType *type, ElacAttrRange range)
{
	ElacAttrRange result = range;

	if (type->type != FLOAT4OID || range.low > range.high)
		return result;
	result.low = attr_float4_bound(type, range.low);
	result.high = range.high == KEY_NAN ? ELAC_ATTR_NAN4 : attr_float4_bound(type, range.high + 1) - 1;
	return result;
}

#define ATTR_WORDS (ELAC_ATTR_GROUP / 64)

/* ---- codes in bit planes ---- */

/* Documents whose code is below limit: from the top plane down, those equal so far and those below. */
static void
attr_planes_below(const uint64 *restrict planes, unsigned width, uint32 limit, uint64 *restrict below)
{
	uint64		equal[ATTR_WORDS];

	if (limit >> width != 0)
	{
		memset(below, 0xFF, ELAC_ATTR_GROUP / 8);
		return;
	}
	memset(below, 0, ELAC_ATTR_GROUP / 8);
	memset(equal, 0xFF, ELAC_ATTR_GROUP / 8);
	for (unsigned p = width; p-- > 0;)
	{
		const uint64 *restrict plane = planes + (Size) p * ATTR_WORDS;

		if ((limit >> p) & 1)
			for (int i = 0; i < ATTR_WORDS; i++)
			{
				below[i] |= equal[i] & ~plane[i];
				equal[i] &= plane[i];
			}
		else
			for (int i = 0; i < ATTR_WORDS; i++)
				equal[i] &= ~plane[i];
	}
}

static void
attr_planes_equal(const uint64 *restrict planes, unsigned width, uint32 code, uint64 *restrict equal)
{
	memset(equal, 0xFF, ELAC_ATTR_GROUP / 8);
	for (unsigned p = 0; p < width; p++)
	{
		const uint64 *restrict plane = planes + (Size) p * ATTR_WORDS;
		uint64		flip = (code >> p) & 1 ? 0 : ~UINT64CONST(0);

		for (int i = 0; i < ATTR_WORDS; i++)
			equal[i] &= plane[i] ^ flip;
	}
}

void
elac_attr_planes_select(const uint64 *planes, unsigned width, uint32 first, uint32 end, uint64 *words)
{
	uint64		below[ATTR_WORDS];
	uint64		before[ATTR_WORDS];

	if (first >= end)
		return;
	if (end - first == 1)
	{
		attr_planes_equal(planes, width, first, below);
		memset(before, 0, sizeof(before));
	}
	else
	{
		attr_planes_below(planes, width, end, below);
		attr_planes_below(planes, width, first, before);
	}
	for (int i = 0; i < ATTR_WORDS; i++)
		words[i] |= below[i] & ~before[i];
}
