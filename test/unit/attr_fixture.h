/*
 * attr_fixture.h
 *	  Columns, sections in memory and operators for the tests of src/attr.
 */
#ifndef ELAC_ATTR_FIXTURE_H
#define ELAC_ATTR_FIXTURE_H

#include "pgshim.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "attr/attr_internal.h"
#include "compat.h"
#include "base/rng.h"

/* What the values of a test column are. */
typedef enum FixtureKind
{
	FIXTURE_BOOL,
	FIXTURE_INT2,
	FIXTURE_INT4,
	FIXTURE_INT8,
	FIXTURE_FLOAT4,
	FIXTURE_FLOAT8,				/* NaN, infinities and both zeros among them */
	FIXTURE_UUID,				/* 16 bytes by reference */
	FIXTURE_TEXT,				/* varlena, int alignment; some with a short header */
	FIXTURE_WIDE,				/* varlena, double alignment */
	FIXTURE_KINDS
} FixtureKind;

typedef struct FixtureColumn
{
	FixtureKind kind;
	ElacAttrType type;
	uint32		n;
	Datum	   *values;
	bool	   *nulls;
} FixtureColumn;

typedef struct FixtureSection
{
	uint8	   *head;
	uint8	   *body;
	uint64		head_len;
	uint64		body_len;
	ElacSection section;
} FixtureSection;

static inline ElacAttrType
fixture_type(FixtureKind kind)
{
	static const ElacAttrType types[FIXTURE_KINDS] = {
		{BOOLOID, 1, true, TYPALIGN_CHAR, 0},
		{INT2OID, 2, true, TYPALIGN_SHORT, 0},
		{INT4OID, 4, true, TYPALIGN_INT, 0},
		{INT8OID, 8, true, TYPALIGN_DOUBLE, 0},
		{FLOAT4OID, 4, true, TYPALIGN_INT, 0},
		{FLOAT8OID, 8, true, TYPALIGN_DOUBLE, 0},
		{UUIDOID, 16, false, TYPALIGN_CHAR, 0},
		{TEXTOID, -1, false, TYPALIGN_INT, 0},
		{PATHOID, -1, false, TYPALIGN_DOUBLE, 0},
	};

	return types[kind];
}

static inline Datum
fixture_varlena(const char *bytes, Size len, bool brief)
{
	char	   *result = palloc(len + VARHDRSZ);

	if (brief && len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		SET_VARSIZE_SHORT(result, len + VARHDRSZ_SHORT);
		memcpy(result + VARHDRSZ_SHORT, bytes, len);
	}
	else
	{
		SET_VARSIZE(result, len + VARHDRSZ);
		memcpy(result + VARHDRSZ, bytes, len);
	}
	return PointerGetDatum(result);
}

/* Value number v of a kind: the same v always gives the same bytes. */
static inline Datum
fixture_value(FixtureKind kind, uint32 v, ElacRng *rng)
{
	char		bytes[256];
	double		number = (double) v - 100;

	switch (kind)
	{
		case FIXTURE_BOOL:
			return BoolGetDatum(v % 2 == 1);
		case FIXTURE_INT2:
			return Int16GetDatum((int16) (v - 100));
		case FIXTURE_INT4:
			return Int32GetDatum((int32) (v - 100));
		case FIXTURE_INT8:
			return Int64GetDatum(((int64) v - 100) * 1000000007);
		case FIXTURE_FLOAT4:
			return Float4GetDatum((float) number);
		case FIXTURE_FLOAT8:
			if (v % 16 == 3)
				number = NAN;
			else if (v % 16 == 5)
				number = INFINITY;
			else if (v % 16 == 6)
				number = -INFINITY;
			else if (v % 16 == 7)
				number = -0.0;
			else if (v % 16 == 8)
				number = 0.0;
			return Float8GetDatum(number);
		case FIXTURE_UUID:
			{
				char	   *uuid = palloc0(16);

				memcpy(uuid + 12, &v, 4);
				memset(uuid, (int) v % 251, 8);
				return PointerGetDatum(uuid);
			}
		default:
			{
				Size		len = v % 7 == 0 ? 0 : snprintf(bytes, sizeof(bytes), "value %u of this column", v);

				if (v % 5 == 0)
				{
					memset(bytes + len, 'x', 150);
					len += 150;
				}
				return fixture_varlena(bytes, len, kind == FIXTURE_TEXT && elac_rng_below(rng, 2) == 0);
			}
	}
}

/* n rows of about ndistinct values; one in null_every is NULL (0: none, 1: all). */
static inline FixtureColumn
fixture_column(FixtureKind kind, uint32 n, uint32 ndistinct, uint32 null_every, uint64 seed)
{
	FixtureColumn column;
	ElacRng		rng;

	elac_rng_seed(&rng, seed);
	column.kind = kind;
	column.type = fixture_type(kind);
	column.n = n;
	column.values = palloc0((n + 1) * sizeof(Datum));
	column.nulls = palloc0((n + 1) * sizeof(bool));
	for (uint32 i = 0; i < n; i++)
	{
		column.nulls[i] = null_every > 0 && elac_rng_below(&rng, null_every) == 0;
		if (!column.nulls[i])
			column.values[i] = fixture_value(kind, (uint32) elac_rng_below(&rng, ndistinct), &rng);
	}
	return column;
}

/* Same bytes, headers normalised. */
static inline bool
fixture_equal(const ElacAttrType *type, Datum a, Datum b)
{
	if (type->typbyval)
		return elac_attr_image(type, a) == elac_attr_image(type, b);
	if (type->typlen > 0)
		return memcmp(DatumGetPointer(a), DatumGetPointer(b), type->typlen) == 0;
	return VARSIZE_ANY_EXHDR(DatumGetPointer(a)) == VARSIZE_ANY_EXHDR(DatumGetPointer(b)) &&
		memcmp(VARDATA_ANY(DatumGetPointer(a)), VARDATA_ANY(DatumGetPointer(b)),
			   VARSIZE_ANY_EXHDR(DatumGetPointer(a))) == 0;
}

/* Copies writers' bytes, each to an allocation of exactly its size. */
static inline FixtureSection
fixture_section(ElacSectionWriter *out, uint64 head_start, uint64 body_start)
{
	FixtureSection result;
	ElacBlobRef ref;
	const uint8 *bytes;

	elac_blob_finish(out->head, &ref);
	elac_blob_finish(out->body, &ref);
	bytes = elac_blob_memory(out->head, &result.head_len);
	result.head = palloc(result.head_len + 1);
	memcpy(result.head, bytes, result.head_len);
	bytes = elac_blob_memory(out->body, &result.body_len);
	result.body = palloc(result.body_len + 1);
	if (result.body_len > 0)
		memcpy(result.body, bytes, result.body_len);
	result.section.head = elac_blob_open_memory(result.head, result.head_len, "attr_test");
	result.section.body = elac_blob_open_memory(result.body, result.body_len, "attr_test");
	result.section.head_offset = head_start;
	result.section.head_len = result.head_len - head_start;
	result.section.body_offset = body_start;
	result.section.body_len = result.body_len - body_start;
	return result;
}

/* Writers that already hold some bytes: sections do not start at 0. */
static inline void
fixture_writers(ElacSectionWriter *out)
{
	char		bytes[192] = {1, 2, 3};

	out->head = elac_blob_create_memory();
	out->body = elac_blob_create_memory();
	elac_blob_write(out->head, bytes, 64);
	elac_blob_write(out->body, bytes, 192);
}

/* doc_of_seq NULL: identity. */
static inline FixtureSection
fixture_write(const FixtureColumn *column, const ElacDoc *doc_of_seq)
{
	ElacSectionWriter out;
	ElacAttrWriter *writer = elac_attr_writer_begin(&column->type);

	for (uint32 i = 0; i < column->n; i++)
		elac_attr_writer_add(writer, column->values[i], column->nulls[i]);
	fixture_writers(&out);
	elac_attr_writer_finish(writer, doc_of_seq, column->n, &out);
	return fixture_section(&out, 64, 192);
}

/* ---- operators: every argument has the column's type ---- */

static inline int
fixture_order(FixtureKind kind, Datum a, Datum b)
{
	ElacAttrType type = fixture_type(kind);

	if (kind == FIXTURE_BOOL)
		return (int) DatumGetBool(a) - (int) DatumGetBool(b);
	if (type.typbyval)
		return elac_attr_compare(&type, elac_attr_image(&type, a), elac_attr_image(&type, b));
	if (type.typlen > 0)
		return memcmp(DatumGetPointer(a), DatumGetPointer(b), type.typlen);
	else
	{
		Size		left = VARSIZE_ANY_EXHDR(DatumGetPointer(a));
		Size		right = VARSIZE_ANY_EXHDR(DatumGetPointer(b));
		int			result = memcmp(VARDATA_ANY(DatumGetPointer(a)), VARDATA_ANY(DatumGetPointer(b)), Min(left, right));

		return result != 0 ? result : (left > right) - (left < right);
	}
}

extern long fixture_calls;		/* of operators */
extern FixtureKind fixture_kind;	/* type of the operators' arguments */

#define FIXTURE_OPERATOR(name, symbol) \
static inline Datum \
name(PG_FUNCTION_ARGS) \
{ \
	fixture_calls++; \
	PG_RETURN_BOOL(fixture_order(fixture_kind, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) symbol 0); \
}

FIXTURE_OPERATOR(fixture_lt, <)
FIXTURE_OPERATOR(fixture_le, <=)
FIXTURE_OPERATOR(fixture_eq, ==)
FIXTURE_OPERATOR(fixture_ge, >=)
FIXTURE_OPERATOR(fixture_gt, >)
FIXTURE_OPERATOR(fixture_ne, !=)

/* An operator that gives NULL where the values are equal. */
static inline Datum
fixture_maybe(PG_FUNCTION_ARGS)
{
	int			order = fixture_order(fixture_kind, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));

	if (order == 0)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(order < 0);
}

/* strategy 1..5, 0 for <>, -1 for the one that gives NULL. */
static inline void
fixture_predicate(ElacPredicate *predicate, ElacPredicateKind kind, int strategy)
{
	static PGFunction functions[] = {fixture_ne, fixture_lt, fixture_le, fixture_eq, fixture_ge, fixture_gt};

	memset(predicate, 0, sizeof(*predicate));
	predicate->kind = kind;
	predicate->strategy = Max(strategy, 0);
	predicate->function.fn_addr = strategy < 0 ? fixture_maybe : functions[strategy];
	predicate->function.fn_nargs = 2;
	predicate->function.fn_strict = true;
}

#endif							/* ELAC_ATTR_FIXTURE_H */
