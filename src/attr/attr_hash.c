/*
 * attr_hash.c
 *	  Equality of the server's own types, without calling their operators.
 *
 * Values of an ordered type are equal when their keys are (attr_range.c).
 * Those of other types listed here are when their bytes are; or else have the
 * hash function that the type's hash operator class uses, which gives equal
 * values equal hashes and never changes, because partitions by hash rest on
 * it.  Of all other types nothing is known.
 *
 * Hashes reach the disk.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "attr/attr_internal.h"
#include "base/checksum.h"

typedef struct AttrEquality
{
	Oid			type;
	Oid			function;		/* of the operator = between two of them */
	ElacAttrSameness sameness;
	PGFunction	hash;			/* of 64 bits with a seed, when the bytes do not tell */
} AttrEquality;

static const AttrEquality attr_equalities[] = {
	{TEXTOID, F_TEXTEQ, ELAC_ATTR_SAME_BYTES, NULL},
	{VARCHAROID, F_TEXTEQ, ELAC_ATTR_SAME_BYTES, NULL},
	{BYTEAOID, F_BYTEAEQ, ELAC_ATTR_SAME_BYTES, NULL},
	{UUIDOID, F_UUID_EQ, ELAC_ATTR_SAME_BYTES, NULL},
	{INETOID, F_NETWORK_EQ, ELAC_ATTR_SAME_BYTES, NULL},
	{CIDROID, F_NETWORK_EQ, ELAC_ATTR_SAME_BYTES, NULL},
	{MACADDROID, F_MACADDR_EQ, ELAC_ATTR_SAME_BYTES, NULL},
	{MACADDR8OID, F_MACADDR8_EQ, ELAC_ATTR_SAME_BYTES, NULL},
	{BOOLOID, F_BOOLEQ, ELAC_ATTR_SAME_BYTES, NULL},
	{CHAROID, F_CHAREQ, ELAC_ATTR_SAME_BYTES, NULL},
	{OIDOID, F_OIDEQ, ELAC_ATTR_SAME_BYTES, NULL},
	{BPCHAROID, F_BPCHAREQ, ELAC_ATTR_SAME_HASH, hashbpcharextended},
	{NUMERICOID, F_NUMERIC_EQ, ELAC_ATTR_SAME_HASH, hash_numeric_extended},
	{INTERVALOID, F_INTERVAL_EQ, ELAC_ATTR_SAME_HASH, interval_hash_extended},
	{TIMETZOID, F_TIMETZ_EQ, ELAC_ATTR_SAME_HASH, timetz_hash_extended},
	{JSONBOID, F_JSONB_EQ, ELAC_ATTR_SAME_HASH, jsonb_hash_extended},
};

static const AttrEquality *
attr_equality(Oid type)
{
	for (int i = 0; i < (int) lengthof(attr_equalities); i++)
		if (attr_equalities[i].type == type)
			return &attr_equalities[i];
	return NULL;
}

ElacAttrSameness
elac_attr_sameness(const ElacAttrType *type)
{
	const AttrEquality *equality = attr_equality(type->type);

	if (elac_attr_is_ordered(type))
		return ELAC_ATTR_SAME_KEYS;
	return equality == NULL ? ELAC_ATTR_SAME_UNKNOWN : equality->sameness;
}

bool
elac_attr_bytes_decide(Oid collation)
{
	return !OidIsValid(collation) || collation == DEFAULT_COLLATION_OID || collation == C_COLLATION_OID ||
		get_collation_isdeterministic(collation);
}

bool
elac_attr_is_equality(const ElacAttrType *type, const ElacPredicate *predicate)
{
	const AttrEquality *equality;
	ElacAttrType argument;

	if (elac_attr_is_ordered(type))
		return predicate->strategy == BTEqualStrategyNumber && elac_attr_has_ranges(type, predicate, &argument);
	equality = attr_equality(type->type);
	return equality != NULL && (predicate->kind == ELAC_PREDICATE_OPERATOR || predicate->kind == ELAC_PREDICATE_ANY) &&
		predicate->function.fn_oid == equality->function && elac_attr_bytes_decide(predicate->collation);
}

/* The finalizer of MurmurHash3: every bit of the argument moves every bit of the result. */
static uint64
attr_mix(uint64 x)
{
	x = (x ^ (x >> 33)) * UINT64CONST(0xFF51AFD7ED558CCD);
	x = (x ^ (x >> 33)) * UINT64CONST(0xC4CEB9FE1A85EC53);
	return x ^ (x >> 33);
}

static uint64
attr_hash_bytes(const void *bytes, Size len)
{
	uint64		low = elac_crc32c(0, bytes, len);
	uint64		high = 0;

	/* CRCs with different seeds differ by what depends on the length alone: a second look of another kind */
	for (Size at = 0; at < len; at += 8)
	{
		uint64		word = 0;

		memcpy(&word, (const char *) bytes + at, Min(len - at, 8));
		high = (high ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
		high ^= high >> 29;
	}
	return attr_mix(low << 32 ^ high ^ (uint64) len);
}

uint64
elac_attr_hash_key(int64 key)
{
	return attr_mix((uint64) key + UINT64CONST(0x9E3779B97F4A7C15));
}

uint64
elac_attr_hash(const ElacAttrType *type, Datum value)
{
	const AttrEquality *equality;

	if (elac_attr_is_ordered(type))
		return elac_attr_hash_key(elac_attr_key(type, value));
	equality = attr_equality(type->type);
	Assert(equality != NULL);
	if (equality->sameness == ELAC_ATTR_SAME_HASH)
		return DatumGetUInt64(DirectFunctionCall2Coll(equality->hash, C_COLLATION_OID, value, Int64GetDatum(0)));
	if (type->typbyval)
		return elac_attr_hash_key((int64) elac_attr_image(type, value));
	if (type->typlen > 0)
		return attr_hash_bytes(DatumGetPointer(value), type->typlen);
	return attr_hash_bytes(VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
}
