/*
 * test_attr_select.c
 *	  Conditions over sections against the same conditions row by row, and
 *	  those against SQL's truth tables; calls saved by dictionaries and bins.
 */
#include "pgshim.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "attr_fixture.h"

long		fixture_calls;
FixtureKind fixture_kind;

/*
 * With this OID an operator is the server's own, between values of the type
 * that the fixture's are of; with none, nothing is known about it.
 */
#define SERVER_OPERATOR 65

Oid
get_func_signature(Oid function, Oid **argtypes, int *nargs)
{
	*argtypes = palloc(2 * sizeof(Oid));
	*nargs = 2;
	(*argtypes)[0] = (*argtypes)[1] = fixture_type(fixture_kind).type;
	return BOOLOID;
}

int16
get_typlen(Oid type)
{
	return fixture_type(fixture_kind).typlen;
}

static ElacBitmap
bitmap(uint32 n)
{
	ElacBitmap	result;

	result.nbits = n;
	result.words = palloc0((elac_bitmap_words(n) + 1) * sizeof(uint64));
	memset(result.words, 0xFF, elac_bitmap_words(n) * sizeof(uint64));	/* stale bits */
	return result;
}

static void
check_select_once(FixtureSection *section, const FixtureColumn *column, ElacPredicate *predicate)
{
	ElacAttrReader *reader = elac_attr_open(&section->section, &column->type, column->n);
	ElacBitmap	is_true = bitmap(column->n);
	ElacBitmap	is_unknown = bitmap(column->n);
	uint32		wrong = 0;

	elac_attr_prefetch_for(reader, predicate);
	elac_attr_select(reader, predicate, &is_true, &is_unknown);
	for (uint32 doc = 0; doc < column->n; doc++)
	{
		ElacTruth	truth = elac_predicate_test(predicate, column->values[doc], column->nulls[doc]);

		wrong += elac_bitmap_get(&is_true, doc) != (truth == ELAC_TRUE);
		wrong += elac_bitmap_get(&is_unknown, doc) != (truth == ELAC_UNKNOWN);
	}
	if (column->n % 64 != 0)
		wrong += ((is_true.words[column->n / 64] | is_unknown.words[column->n / 64]) >> (column->n % 64)) != 0;
	CHECK_EQ(wrong, 0);
	if (wrong > 0)
		printf("# kind %d, predicate kind %d, strategy %d, %d elements, operator %u\n",
			   (int) column->kind, (int) predicate->kind, predicate->strategy, predicate->nelements,
			   predicate->function.fn_oid);
}

/* By calls, and by ranges or hashes where the operator is known. */
static void
check_select(FixtureSection *section, const FixtureColumn *column, ElacPredicate *predicate)
{
	check_select_once(section, column, predicate);
	if (predicate->strategy <= 0 || predicate->kind == ELAC_PREDICATE_ALL)
		return;
	if (elac_attr_is_ordered(&column->type))
		predicate->function.fn_oid = SERVER_OPERATOR;
	else if (predicate->strategy == BTEqualStrategyNumber && column->kind != FIXTURE_WIDE)
		predicate->function.fn_oid = column->kind == FIXTURE_UUID ? F_UUID_EQ : column->kind == FIXTURE_TEXT ? F_TEXTEQ : F_BOOLEQ;
	else
		return;
	check_select_once(section, column, predicate);
	predicate->function.fn_oid = InvalidOid;
}

static void
test_kind(FixtureKind kind, uint32 n, uint32 ndistinct, uint32 null_every, bool sorted)
{
	FixtureColumn column = fixture_column(kind, n, ndistinct, null_every, 21 + n);
	FixtureSection section;
	ElacPredicate predicate;
	ElacRng		rng;
	Datum		elements[60];
	bool		element_nulls[60] = {0};

	fixture_kind = kind;
	elac_rng_seed(&rng, 17);
	for (uint32 i = 0; sorted && i < n; i++)
	{
		if (!column.nulls[i])
			column.values[i] = fixture_value(kind, i * (ndistinct / n + 1), &rng);
	}
	section = fixture_write(&column, NULL);
	fixture_predicate(&predicate, ELAC_PREDICATE_IS_NULL, 0);
	check_select(&section, &column, &predicate);
	for (int strategy = -1; strategy <= 5; strategy++)
	{
		for (uint32 v = 0; v < 8; v++)
		{
			fixture_predicate(&predicate, ELAC_PREDICATE_OPERATOR, strategy);
			predicate.arg = fixture_value(kind, (uint32) elac_rng_below(&rng, ndistinct + 10), &rng);
			check_select(&section, &column, &predicate);
		}
		predicate.arg_isnull = true;
		check_select(&section, &column, &predicate);
		for (int round = 0; round < 12; round++)
		{
			fixture_predicate(&predicate, round % 2 ? ELAC_PREDICATE_ANY : ELAC_PREDICATE_ALL, strategy);
			predicate.nelements = round < 10 ? round % 6 : 60;
			predicate.elements = elements;
			predicate.element_nulls = element_nulls;
			for (int i = 0; i < predicate.nelements; i++)
			{
				element_nulls[i] = round >= 6 && i == 1;
				elements[i] = fixture_value(kind, (uint32) elac_rng_below(&rng, ndistinct + 10), &rng);
			}
			check_select(&section, &column, &predicate);
		}
		predicate.arg_isnull = true;
		check_select(&section, &column, &predicate);
	}
	if (kind == FIXTURE_BOOL)
	{
		fixture_predicate(&predicate, ELAC_PREDICATE_IS_TRUE, 0);
		check_select(&section, &column, &predicate);
	}
}

static int
order(FixtureKind kind, Datum a, Datum b)
{
	ElacAttrType type = fixture_type(kind);

	return elac_attr_compare(&type, elac_attr_image(&type, a), elac_attr_image(&type, b));
}

/* The order of zones is stored: what it must be, said without itself. */
static void
test_order(void)
{
	static const double floats[] = {-INFINITY, -1e300, -1.5, -0.0, 1e-300, 2, INFINITY, NAN};
	static const int64 integers[] = {PG_INT64_MIN, -70000, -1, 0, 1, 70000, PG_INT64_MAX};
	static const int16 small[] = {PG_INT16_MIN, -1, 0, 1, PG_INT16_MAX};

	for (int i = 0; i < (int) lengthof(floats); i++)
		for (int j = 0; j < (int) lengthof(floats); j++)
		{
			CHECK_EQ(order(FIXTURE_FLOAT8, Float8GetDatum(floats[i]), Float8GetDatum(floats[j])), (i > j) - (i < j));
			if (fabs(floats[i]) < 1e10 && fabs(floats[i]) > 1e-10 && j == 7)
				CHECK_EQ(order(FIXTURE_FLOAT4, Float4GetDatum((float) floats[i]), Float4GetDatum(NAN)), -1);
		}
	CHECK_EQ(order(FIXTURE_FLOAT8, Float8GetDatum(0.0), Float8GetDatum(-0.0)), 0);
	CHECK_EQ(order(FIXTURE_FLOAT4, Float4GetDatum(NAN), Float4GetDatum(NAN)), 0);
	for (int i = 0; i < (int) lengthof(integers); i++)
		for (int j = 0; j < (int) lengthof(integers); j++)
		{
			CHECK_EQ(order(FIXTURE_INT8, Int64GetDatum(integers[i]), Int64GetDatum(integers[j])), (i > j) - (i < j));
			if (i > 0 && i < 6 && j > 0 && j < 6)
				CHECK_EQ(order(FIXTURE_INT4, Int32GetDatum((int32) integers[i]), Int32GetDatum((int32) integers[j])),
						 (i > j) - (i < j));
		}
	for (int i = 0; i < (int) lengthof(small); i++)
		for (int j = 0; j < (int) lengthof(small); j++)
			CHECK_EQ(order(FIXTURE_INT2, Int16GetDatum(small[i]), Int16GetDatum(small[j])), (i > j) - (i < j));
}

/* Truth of 5 = ANY or ALL over given elements; 'n' stands for NULL. */
static ElacTruth
truth_of(ElacPredicateKind kind, const char *elements, int value, bool isnull)
{
	ElacPredicate predicate;
	Datum		datums[8];
	bool		nulls[8];

	fixture_kind = FIXTURE_INT4;
	fixture_predicate(&predicate, kind, 3);
	predicate.elements = datums;
	predicate.element_nulls = nulls;
	for (; elements[predicate.nelements] != 0; predicate.nelements++)
	{
		nulls[predicate.nelements] = elements[predicate.nelements] == 'n';
		datums[predicate.nelements] = Int32GetDatum(elements[predicate.nelements] - '0');
	}
	return elac_predicate_test(&predicate, Int32GetDatum(value), isnull);
}

static void
test_truth_tables(void)
{
	ElacPredicate predicate;

	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "", 5, false), ELAC_FALSE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "", 5, false), ELAC_TRUE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "", 5, true), ELAC_FALSE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "", 5, true), ELAC_TRUE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "15", 5, false), ELAC_TRUE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "12", 5, false), ELAC_FALSE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "1n", 5, false), ELAC_UNKNOWN);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "n5", 5, false), ELAC_TRUE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "n", 5, true), ELAC_UNKNOWN);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ANY, "5", 5, true), ELAC_UNKNOWN);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "55", 5, false), ELAC_TRUE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "51", 5, false), ELAC_FALSE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "5n", 5, false), ELAC_UNKNOWN);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "n1", 5, false), ELAC_FALSE);
	CHECK_EQ(truth_of(ELAC_PREDICATE_ALL, "5", 5, true), ELAC_UNKNOWN);

	fixture_predicate(&predicate, ELAC_PREDICATE_IS_NULL, 0);
	CHECK_EQ(elac_predicate_test(&predicate, 0, true), ELAC_TRUE);
	CHECK_EQ(elac_predicate_test(&predicate, 0, false), ELAC_FALSE);
	fixture_predicate(&predicate, ELAC_PREDICATE_IS_TRUE, 0);
	CHECK_EQ(elac_predicate_test(&predicate, 0, true), ELAC_UNKNOWN);
	CHECK_EQ(elac_predicate_test(&predicate, BoolGetDatum(true), false), ELAC_TRUE);
	CHECK_EQ(elac_predicate_test(&predicate, BoolGetDatum(false), false), ELAC_FALSE);
	fixture_predicate(&predicate, ELAC_PREDICATE_ANY, 3);
	predicate.arg_isnull = true;
	CHECK_EQ(elac_predicate_test(&predicate, Int32GetDatum(1), false), ELAC_UNKNOWN);
	CHECK_EQ(elac_predicate_test(&predicate, Int32GetDatum(1), true), ELAC_UNKNOWN);
}

static long
calls_of(FixtureSection *section, const FixtureColumn *column, Oid operator, int strategy, Datum arg, uint32 *found)
{
	ElacAttrReader *reader = elac_attr_open(&section->section, &column->type, column->n);
	ElacBitmap	is_true = bitmap(column->n);
	ElacBitmap	is_unknown = bitmap(column->n);
	ElacPredicate predicate;

	fixture_kind = column->kind;
	fixture_predicate(&predicate, ELAC_PREDICATE_OPERATOR, strategy);
	predicate.arg = arg;
	fixture_calls = 0;
	predicate.function.fn_oid = operator;
	elac_attr_select(reader, &predicate, &is_true, &is_unknown);
	*found = elac_bitmap_count(&is_true);
	return fixture_calls;
}

static void
test_savings(void)
{
	FixtureColumn few = fixture_column(FIXTURE_TEXT, 20000, 10, 0, 3);
	FixtureColumn rising = fixture_column(FIXTURE_INT8, 20000, 10, 0, 3);
	FixtureSection section = fixture_write(&few, NULL);
	FixtureSection few_section = section;
	uint32		found;
	ElacRng		rng;

	elac_rng_seed(&rng, 1);
	/* a dictionary: one call per distinct value */
	CHECK(calls_of(&section, &few, InvalidOid, 3, few.values[0], &found) <= 10);
	CHECK(found > 0);

	/* bins: two calls for each of 64, and one of them in full at most */
	for (uint32 i = 0; i < 20000; i++)
		rising.values[i] = fixture_value(FIXTURE_INT8, i, &rng);
	section = fixture_write(&rising, NULL);
	CHECK(calls_of(&section, &rising, InvalidOid, 1, rising.values[7000], &found) <= 128 + 640);
	CHECK_EQ(found, 7000);
	CHECK(calls_of(&section, &rising, InvalidOid, 5, rising.values[7000], &found) <= 128 + 640);
	CHECK_EQ(found, 20000 - 7001);
	CHECK(calls_of(&section, &rising, InvalidOid, 2, rising.values[19999], &found) <= 128);
	CHECK_EQ(found, 20000);
	calls_of(&section, &rising, InvalidOid, 3, rising.values[7000], &found);
	CHECK_EQ(found, 1);

	/* the order of a dictionary's bytes tells: one call to find the value, no more */
	CHECK_EQ(calls_of(&few_section, &few, F_TEXTEQ, 3, few.values[0], &found), 0);
	CHECK(found > 0);

	/* filters: blocks that may have it, of 20 */
	few = fixture_column(FIXTURE_UUID, 20000, 1000000, 0, 3);
	few_section = fixture_write(&few, NULL);
	CHECK(calls_of(&few_section, &few, F_UUID_EQ, 3, few.values[7000], &found) <= 3 * 1024);
	CHECK(found > 0);
	CHECK(calls_of(&few_section, &few, F_UUID_EQ, 3, fixture_value(FIXTURE_UUID, 5000000, &rng), &found) <= 2 * 1024);
	CHECK_EQ(found, 0);

	/* ranges: none */
	CHECK_EQ(calls_of(&section, &rising, SERVER_OPERATOR, 1, rising.values[7000], &found), 0);
	CHECK_EQ(found, 7000);
	CHECK_EQ(calls_of(&section, &rising, SERVER_OPERATOR, 3, rising.values[7000], &found), 0);
	CHECK_EQ(found, 1);
}

int
main(void)
{
	pgshim_init();
	test_order();
	test_truth_tables();
	for (int kind = 0; kind < FIXTURE_KINDS; kind++)
	{
		test_kind(kind, 3000, 40, 5, false);
		test_kind(kind, 3000, 40, 1, false);
		test_kind(kind, 2500, 1000000, 7, false);
		test_kind(kind, 20000, 1000000, 7, false);
		test_kind(kind, 5000, 1000000, 7, true);
		test_kind(kind, 5000, 5000, 0, true);
		test_kind(kind, 1, 4, 0, false);
		test_kind(kind, 0, 4, 0, false);
	}
	test_savings();
	return check_done();
}
