/*
 * test_attr_estimate.c
 *	  Estimates from a section's head against what conditions find, on skewed
 *	  values, repeating and not; that a head tells what cannot match; that no
 *	  byte of the body is read for either.
 */
#include "pgshim.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "attr_fixture.h"

long		fixture_calls;
FixtureKind fixture_kind;

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

/* How values are spread: each halves, many times over; or a long tail; or one is a third of all. */
typedef enum Skew
{
	SKEW_HALVES,
	SKEW_TAIL,
	SKEW_HEAVY,
	SKEWS
} Skew;

static uint32
skewed(Skew skew, uint32 ndistinct, ElacRng *rng)
{
	double		u = (double) (elac_rng_below(rng, 1 << 30) + 1) / (1 << 30);

	switch (skew)
	{
		case SKEW_HALVES:
			return Min((uint32) (-log2(u) * 4), ndistinct - 1);
		case SKEW_TAIL:
			return (uint32) (ndistinct * u * u * u * 0.999);
		default:
			return elac_rng_below(rng, 3) == 0 ? ndistinct / 3 : (uint32) elac_rng_below(rng, ndistinct);
	}
}

static Datum
skewed_value(FixtureKind kind, uint32 v, ElacRng *rng)
{
	char		bytes[32];

	switch (kind)
	{
		case FIXTURE_FLOAT8:
			return Float8GetDatum(v / 7.0);
		case FIXTURE_INT8:
			return Int64GetDatum((int64) v * 1000);
		case FIXTURE_TEXT:
			return fixture_varlena(bytes, snprintf(bytes, sizeof(bytes), "value %u", v), false);
		default:
			return fixture_value(kind, v, rng);
	}
}

static FixtureColumn
skewed_column(FixtureKind kind, uint32 n, Skew skew, uint32 ndistinct)
{
	FixtureColumn column = fixture_column(kind, n, 2, 7, 3);
	ElacRng		rng;

	elac_rng_seed(&rng, 5 + skew);
	for (uint32 i = 0; i < n; i++)
		if (!column.nulls[i])
			column.values[i] = skewed_value(kind, skewed(skew, ndistinct, &rng), &rng);
	fixture_kind = kind;
	return column;
}

/* A section whose body cannot be read. */
static ElacAttrReader *
head_only(const FixtureSection *section, const FixtureColumn *column)
{
	ElacSection cut = section->section;

	cut.body = elac_blob_open_memory((const uint8 *) "", 0, "unread");
	return elac_attr_open(&cut, &column->type, column->n);
}

static uint32
count(const FixtureSection *section, const FixtureColumn *column, ElacPredicate *predicate)
{
	ElacAttrReader *reader = elac_attr_open(&section->section, &column->type, column->n);
	ElacBitmap	is_true = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};
	ElacBitmap	is_unknown = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};

	elac_attr_select(reader, predicate, &is_true, &is_unknown);
	return elac_bitmap_count(&is_true);
}

/* Within a factor of two; or twenty documents where there are few, or for ranges the documents of a bin. */
static void
check_estimate(const FixtureSection *section, const FixtureColumn *column, ElacPredicate *predicate)
{
	double		slack = predicate->strategy == BTEqualStrategyNumber ? 20 : column->n / 64.0;
	bool		known;
	double		estimate = elac_attr_estimate(head_only(section, column), predicate, &known);
	double		found = count(section, column, predicate);

	CHECK(known);
	CHECK(estimate <= 2 * found + slack && estimate >= found / 2 - slack);
	if (estimate > 2 * found + slack || estimate < found / 2 - slack)
		printf("# kind %d, strategy %d, %d elements: %.0f estimated, %.0f found\n", (int) column->kind,
			   predicate->strategy, predicate->nelements, estimate, found);
}

static Oid
operator_of(FixtureKind kind, int strategy)
{
	if (kind == FIXTURE_TEXT)
		return strategy == BTEqualStrategyNumber ? F_TEXTEQ : InvalidOid;
	return kind == FIXTURE_UUID ? F_UUID_EQ : SERVER_OPERATOR;
}

static void
test_skew(FixtureKind kind, Skew skew, uint32 ndistinct)
{
	FixtureColumn column = skewed_column(kind, 30000, skew, ndistinct);
	FixtureSection section = fixture_write(&column, NULL);
	ElacPredicate predicate;
	ElacRng		rng;
	Datum		elements[20];
	bool		nulls[20] = {false};
	bool		known;

	elac_rng_seed(&rng, 99);
	for (int round = 0; round < 60; round++)
	{
		int			strategy = fixture_type(kind).typbyval ? 1 + round % 5 : BTEqualStrategyNumber;

		fixture_predicate(&predicate, ELAC_PREDICATE_OPERATOR, strategy);
		predicate.function.fn_oid = operator_of(kind, strategy);
		predicate.arg = skewed_value(kind, round % 2 ? skewed(skew, ndistinct, &rng) : (uint32) elac_rng_below(&rng, ndistinct), &rng);
		check_estimate(&section, &column, &predicate);
	}
	fixture_predicate(&predicate, ELAC_PREDICATE_ANY, BTEqualStrategyNumber);
	predicate.function.fn_oid = operator_of(kind, BTEqualStrategyNumber);
	predicate.elements = elements;
	predicate.element_nulls = nulls;
	predicate.nelements = 20;
	for (int i = 0; i < 20; i++)
		elements[i] = skewed_value(kind, (uint32) elac_rng_below(&rng, ndistinct), &rng);
	check_estimate(&section, &column, &predicate);

	fixture_predicate(&predicate, ELAC_PREDICATE_IS_NULL, 0);
	CHECK_EQ((uint32) elac_attr_estimate(head_only(&section, &column), &predicate, &known), count(&section, &column, &predicate));
	fixture_predicate(&predicate, ELAC_PREDICATE_OPERATOR, 0);
	predicate.arg = elements[0];
	elac_attr_estimate(head_only(&section, &column), &predicate, &known);
	CHECK(!known);
	predicate.arg_isnull = true;
	CHECK_EQ((int) elac_attr_estimate(head_only(&section, &column), &predicate, &known), 0);
	CHECK(known);
}

/* Values that are not there: the head says so, and nothing else is read, by 19 of 20 at least. */
static void
test_absent(FixtureKind kind, uint32 ndistinct)
{
	FixtureColumn column = skewed_column(kind, 20000, SKEW_HEAVY, ndistinct);
	FixtureSection section = fixture_write(&column, NULL);
	ElacPredicate predicate;
	ElacBitmap	is_true = {column.n, palloc0((elac_bitmap_words(column.n) + 1) * sizeof(uint64))};
	ElacBitmap	is_unknown = {column.n, palloc0((elac_bitmap_words(column.n) + 1) * sizeof(uint64))};
	ElacRng		rng;
	int			quiet = 0;

	memset(column.nulls, 0, column.n);
	elac_rng_seed(&rng, 7);
	for (uint32 i = 0; i < column.n; i++)
		column.values[i] = skewed_value(kind, (uint32) elac_rng_below(&rng, ndistinct), &rng);
	section = fixture_write(&column, NULL);
	fixture_predicate(&predicate, ELAC_PREDICATE_OPERATOR, BTEqualStrategyNumber);
	predicate.function.fn_oid = operator_of(kind, BTEqualStrategyNumber);
	for (uint32 i = 0; i < 200; i++)
	{
		predicate.arg = kind == FIXTURE_INT8 ? Int64GetDatum((int64) elac_rng_below(&rng, ndistinct) * 1000 + 500) :
			skewed_value(kind, 100000000 + i, &rng);
		if (!PGSHIM_RAISES(elac_attr_select(head_only(&section, &column), &predicate, &is_true, &is_unknown)))
		{
			quiet++;
			CHECK_EQ(elac_bitmap_count(&is_true), 0);
		}
	}
	CHECK(quiet >= 170);
	/* outside of all bins */
	if (kind == FIXTURE_INT8)
	{
		predicate.strategy = BTLessStrategyNumber;
		predicate.arg = Int64GetDatum(-1);
		CHECK_QUIET(elac_attr_select(head_only(&section, &column), &predicate, &is_true, &is_unknown));
		CHECK_EQ(elac_bitmap_count(&is_true), 0);
	}
}

int
main(void)
{
	pgshim_init();
	for (int skew = 0; skew < SKEWS; skew++)
	{
		test_skew(FIXTURE_INT8, skew, 40);
		test_skew(FIXTURE_INT8, skew, 3000);
		test_skew(FIXTURE_INT8, skew, 100000000);
		test_skew(FIXTURE_FLOAT8, skew, 2000);
		test_skew(FIXTURE_FLOAT8, skew, 100000000);
		test_skew(FIXTURE_TEXT, skew, 40);
		test_skew(FIXTURE_TEXT, skew, 2000);
		test_skew(FIXTURE_UUID, skew, 100000000);
	}
	test_absent(FIXTURE_INT8, 30);
	test_absent(FIXTURE_INT8, 100000000);
	test_absent(FIXTURE_TEXT, 1000);
	test_absent(FIXTURE_TEXT, 100000000);
	test_absent(FIXTURE_UUID, 100000000);
	return check_done();
}
