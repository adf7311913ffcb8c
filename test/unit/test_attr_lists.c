/*
 * test_attr_lists.c
 *	  Conditions on arrays, which lists by element answer, against the same
 *	  conditions row by row: NULL elements, empty arrays, duplicates, several
 *	  dimensions, values that repeat and that do not; merges; damage; estimates.
 */
#include "pgshim.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "attr_fixture.h"

long		fixture_calls;
FixtureKind fixture_kind;

static Oid	element_oid;

/* Both arguments of an element's operator have its type. */
Oid
get_func_signature(Oid function, Oid **argtypes, int *nargs)
{
	*argtypes = palloc(2 * sizeof(Oid));
	*nargs = 2;
	(*argtypes)[0] = (*argtypes)[1] = element_oid;
	return BOOLOID;
}

int16
get_typlen(Oid type)
{
	return type == INT4OID ? 4 : 8;
}

typedef enum ListKind
{
	LIST_TEXT,
	LIST_INT4,
	LIST_FLOAT8,				/* NaNs and zeros of both signs */
	LIST_KINDS
} ListKind;

static const ElacAttrType list_types[LIST_KINDS] = {
	{TEXTARRAYOID, -1, false, TYPALIGN_INT, 0},
	{INT4ARRAYOID, -1, false, TYPALIGN_INT, 0},
	{FLOAT8ARRAYOID, -1, false, TYPALIGN_DOUBLE, 0},
};

static ListKind kind_now;

static Datum
element_value(ListKind kind, uint32 v)
{
	char		bytes[40];

	switch (kind)
	{
		case LIST_INT4:
			return Int32GetDatum((int32) v - 20);
		case LIST_FLOAT8:
			return Float8GetDatum(v % 9 == 1 ? NAN : v % 9 == 2 ? -0.0 : v % 9 == 3 ? 0.0 : v % 9 == 4 ? -NAN : v);
		default:
			return fixture_varlena(bytes, snprintf(bytes, sizeof(bytes), v % 5 == 0 ? "t%u" : "a longer tag %u", v), false);
	}
}

/* An array of n elements, NULL where said, in ndim dimensions. */
static Datum
make_array(ListKind kind, uint32 n, const uint32 *v, const bool *nulls, int ndim)
{
	ElacAttrType element;
	bool		any_null = false;
	Size		overhead;
	char	   *bytes = palloc0(1000 + 100 * (Size) n);
	ArrayType  *array = (ArrayType *) bytes;
	char	   *at;

	elac_attr_element_type(list_types[kind].type, &element);
	for (uint32 i = 0; i < n; i++)
		any_null |= nulls[i];
	if (n == 0)
		ndim = 0;
	array->ndim = ndim;
	array->elemtype = element.type;
	overhead = any_null ? ARR_OVERHEAD_WITHNULLS(ndim, n) : ARR_OVERHEAD_NONULLS(ndim);
	array->dataoffset = any_null ? overhead : 0;
	for (int i = 0; i < ndim; i++)
	{
		ARR_DIMS(array)[i] = i == 0 ? n : 1;
		ARR_LBOUND(array)[i] = 1;
	}
	at = bytes + overhead;
	for (uint32 i = 0; i < n; i++)
	{
		Datum		value = element_value(kind, v[i]);

		if (any_null && !nulls[i])
			ARR_NULLBITMAP(array)[i / 8] |= 1 << (i % 8);
		if (nulls[i])
			continue;
		at = bytes + TYPEALIGN(element.typlen == 8 ? 8 : 4, at - bytes);
		if (element.typbyval)
		{
			store_att_byval(at, value, element.typlen);
			at += element.typlen;
		}
		else
		{
			memcpy(at, DatumGetPointer(value), VARSIZE_4B(DatumGetPointer(value)));
			at += VARSIZE_4B(DatumGetPointer(value));
		}
	}
	at = bytes + TYPEALIGN(element.typlen == 8 ? 8 : 4, at - bytes);
	SET_VARSIZE(bytes, at - bytes);
	return PointerGetDatum(bytes);
}

static Datum
random_array(ListKind kind, uint32 most, uint32 ndistinct, ElacRng *rng)
{
	uint32		v[32];
	bool		nulls[32];
	uint32		n = (uint32) elac_rng_below(rng, most + 1);

	for (uint32 i = 0; i < n; i++)
	{
		/* skewed: small numbers are frequent */
		uint32		below = 1 + (uint32) elac_rng_below(rng, ndistinct);

		v[i] = (uint32) elac_rng_below(rng, below);
		nulls[i] = elac_rng_below(rng, 12) == 0;
	}
	return make_array(kind, n, v, nulls, n > 0 && elac_rng_below(rng, 6) == 0 ? 2 : 1);
}

/* ---- the operators, by their definitions ---- */

static bool
same(Datum a, Datum b)
{
	ElacAttrType element;

	elac_attr_element_type(list_types[kind_now].type, &element);
	if (kind_now == LIST_FLOAT8)
	{
		double		x = DatumGetFloat8(a);
		double		y = DatumGetFloat8(b);

		return x == y || (isnan(x) && isnan(y));
	}
	return fixture_equal(&element, a, b);
}

static bool
has_element(const ElacAttrElements *elements, Datum value)
{
	for (uint32 i = 0; i < elements->n; i++)
		if (same(elements->values[i], value))
			return true;
	return false;
}

static bool
contains(Datum whole, Datum part)
{
	ElacAttrElements a;
	ElacAttrElements b;

	elac_attr_elements(list_types[kind_now].type, whole, &a);
	elac_attr_elements(list_types[kind_now].type, part, &b);
	if (b.has_null)
		return false;
	for (uint32 i = 0; i < b.n; i++)
		if (!has_element(&a, b.values[i]))
			return false;
	return true;
}

static Datum
op_contains(PG_FUNCTION_ARGS)
{
	fixture_calls++;
	PG_RETURN_BOOL(contains(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

static Datum
op_contained(PG_FUNCTION_ARGS)
{
	fixture_calls++;
	PG_RETURN_BOOL(contains(PG_GETARG_DATUM(1), PG_GETARG_DATUM(0)));
}

static Datum
op_overlap(PG_FUNCTION_ARGS)
{
	ElacAttrElements a;
	ElacAttrElements b;

	fixture_calls++;
	elac_attr_elements(list_types[kind_now].type, PG_GETARG_DATUM(0), &a);
	elac_attr_elements(list_types[kind_now].type, PG_GETARG_DATUM(1), &b);
	for (uint32 i = 0; i < b.n; i++)
		if (has_element(&a, b.values[i]))
			PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(false);
}

/* The same elements in the same places and dimensions. */
static Datum
op_equal(PG_FUNCTION_ARGS)
{
	ArrayType  *x = (ArrayType *) DatumGetPointer(PG_GETARG_DATUM(0));
	ArrayType  *y = (ArrayType *) DatumGetPointer(PG_GETARG_DATUM(1));
	ElacAttrElements a;
	ElacAttrElements b;
	int			n;

	fixture_calls++;
	elac_attr_elements(list_types[kind_now].type, PG_GETARG_DATUM(0), &a);
	elac_attr_elements(list_types[kind_now].type, PG_GETARG_DATUM(1), &b);
	if (ARR_NDIM(x) != ARR_NDIM(y) || a.n != b.n || a.has_null != b.has_null ||
		(ARR_NDIM(x) > 0 && ARR_DIMS(x)[0] != ARR_DIMS(y)[0]))
		PG_RETURN_BOOL(false);
	n = ARR_NDIM(x) > 0 ? ARR_DIMS(x)[0] : 0;
	for (int i = 0; i < n && a.has_null; i++)
		if (((ARR_NULLBITMAP(x)[i / 8] ^ ARR_NULLBITMAP(y)[i / 8]) >> (i % 8) & 1) != 0)
			PG_RETURN_BOOL(false);
	for (uint32 i = 0; i < a.n; i++)
		if (!same(a.values[i], b.values[i]))
			PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(true);
}

static Datum
op_element_equal(PG_FUNCTION_ARGS)
{
	fixture_calls++;
	PG_RETURN_BOOL(same(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

typedef struct ListOperator
{
	PGFunction	function;
	Oid			oid;
} ListOperator;

static const ListOperator operators[] = {
	{op_contains, F_ARRAYCONTAINS}, {op_contained, F_ARRAYCONTAINED},
	{op_overlap, F_ARRAYOVERLAP}, {op_equal, F_ARRAY_EQ},
};

/* ---- columns ---- */

static FixtureColumn
list_column(ListKind kind, uint32 n, uint32 most, uint32 ndistinct, uint32 arrays, uint64 seed)
{
	FixtureColumn column = {0};
	Datum	   *pool = palloc((arrays + 1) * sizeof(Datum));
	ElacRng		rng;

	elac_rng_seed(&rng, seed);
	column.type = list_types[kind];
	column.n = n;
	column.values = palloc0((n + 1) * sizeof(Datum));
	column.nulls = palloc0((n + 1) * sizeof(bool));
	for (uint32 i = 0; i < arrays; i++)
		pool[i] = random_array(kind, most, ndistinct, &rng);
	for (uint32 i = 0; i < n; i++)
	{
		column.nulls[i] = elac_rng_below(&rng, 9) == 0;
		if (!column.nulls[i])
			column.values[i] = arrays > 0 ? pool[elac_rng_below(&rng, arrays)] : random_array(kind, most, ndistinct, &rng);
	}
	return column;
}

static uint32
check_predicate(ElacAttrReader *reader, const FixtureColumn *column, ElacPredicate *predicate)
{
	ElacBitmap	is_true = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};
	ElacBitmap	is_unknown = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};
	uint32		wrong = 0;

	elac_attr_prefetch_for(reader, predicate);
	elac_attr_select(reader, predicate, &is_true, &is_unknown);
	for (uint32 doc = 0; doc < column->n; doc++)
	{
		ElacTruth	truth = elac_predicate_test(predicate, column->values[doc], column->nulls[doc]);

		wrong += elac_bitmap_get(&is_true, doc) != (truth == ELAC_TRUE);
		wrong += elac_bitmap_get(&is_unknown, doc) != (truth == ELAC_UNKNOWN);
	}
	CHECK_EQ(wrong, 0);
	if (wrong > 0)
		printf("# kind %d, operator %u, predicate kind %d\n", (int) kind_now, predicate->function.fn_oid, (int) predicate->kind);
	return elac_bitmap_count(&is_true);
}

static void
check_operators(ElacAttrReader *reader, const FixtureColumn *column, uint32 ndistinct, ElacRng *rng)
{
	ElacPredicate predicate = {0};
	uint32		found = 0;

	predicate.function.fn_nargs = 2;
	predicate.function.fn_strict = true;
	for (int round = 0; round < 40; round++)
	{
		const ListOperator *operator = &operators[round % lengthof(operators)];

		predicate.kind = ELAC_PREDICATE_OPERATOR;
		predicate.function.fn_addr = operator->function;
		predicate.function.fn_oid = operator->oid;
		predicate.arg = random_array(kind_now, round % 8 < 4 ? 2 : 5, ndistinct + 10, rng);
		if (round >= 32 && column->n > 0 && !column->nulls[round])
			predicate.arg = column->values[round];
		found += check_predicate(reader, column, &predicate);
	}
	CHECK(column->n < 100 || found > 0);
	for (int round = 0; round < 12; round++)
	{
		predicate.kind = round % 4 == 3 ? ELAC_PREDICATE_ALL_ELEMENTS : ELAC_PREDICATE_ANY_ELEMENT;
		elac_attr_element_type(column->type.type, &predicate.element);
		predicate.strategy = 3;
		predicate.function.fn_addr = op_element_equal;
		predicate.function.fn_oid = round % 2 == 0 ? InvalidOid : kind_now == LIST_TEXT ? F_TEXTEQ : 65;
		predicate.arg = element_value(kind_now, (uint32) elac_rng_below(rng, round < 6 ? 4 : ndistinct + 10));
		predicate.arg_isnull = round == 11;
		check_predicate(reader, column, &predicate);
	}
}

static void
test_lists(ListKind kind, uint32 n, uint32 most, uint32 ndistinct, uint32 arrays)
{
	FixtureColumn column;
	FixtureSection section;
	ElacAttrReader *reader;
	ElacRng		rng;
	ElacAttrType element;

	kind_now = kind;
	elac_attr_element_type(list_types[kind].type, &element);
	element_oid = element.type;
	column = list_column(kind, n, most, ndistinct, arrays, 5 + n);
	section = fixture_write(&column, NULL);
	reader = elac_attr_open(&section.section, &column.type, n);
	elac_rng_seed(&rng, 23);
	CHECK_QUIET(elac_attr_verify(reader));
	check_operators(reader, &column, ndistinct, &rng);
}

/* What lists answer exactly calls nothing; estimates are counts. */
static void
test_exact(void)
{
	FixtureColumn column;
	FixtureSection section;
	ElacAttrReader *reader;
	ElacPredicate predicate = {0};
	uint32		v[2] = {0, 1};
	bool		nulls[2] = {false, false};
	bool		known;
	uint32		found;
	double		estimate;

	kind_now = LIST_TEXT;
	column = list_column(LIST_TEXT, 20000, 6, 300, 0, 77);
	section = fixture_write(&column, NULL);
	reader = elac_attr_open(&section.section, &column.type, column.n);
	CHECK_EQ(reader->header.encoding, ELAC_ATTR_PLAIN);
	predicate.kind = ELAC_PREDICATE_OPERATOR;
	for (uint32 n = 1; n <= 2; n++)
		for (int i = 0; i < 3; i += 2)
		{
			ElacBitmap	is_true = {column.n, palloc0((elac_bitmap_words(column.n) + 1) * sizeof(uint64))};
			ElacBitmap	is_unknown = {column.n, palloc0((elac_bitmap_words(column.n) + 1) * sizeof(uint64))};

			predicate.function.fn_addr = operators[i].function;
			predicate.function.fn_oid = operators[i].oid;
			predicate.arg = make_array(LIST_TEXT, n, v, nulls, 1);
			fixture_calls = 0;
			elac_attr_select(reader, &predicate, &is_true, &is_unknown);
			CHECK_EQ(fixture_calls, 0);
			found = elac_bitmap_count(&is_true);
			estimate = elac_attr_estimate(reader, &predicate, &known);
			CHECK(known);
			CHECK(found > 40 && estimate <= 2 * found && estimate >= found / 2.0);
			if (n == 1)
				CHECK_EQ((uint32) estimate, found);
		}
	/* nobody has it: nothing is read */
	v[0] = 1000000;
	predicate.arg = make_array(LIST_TEXT, 2, v, nulls, 1);
	predicate.function.fn_oid = F_ARRAYCONTAINS;
	predicate.function.fn_addr = op_contains;
	CHECK_EQ((int) elac_attr_estimate(reader, &predicate, &known), 0);
}

static void
test_merge(ListKind kind)
{
	uint32		sizes[3] = {1500, 0, 2600};
	FixtureColumn columns[3];
	FixtureColumn all = {0};
	FixtureSection sections[3];
	FixtureSection merged;
	ElacAttrReader *readers[3];
	ElacDoc    *maps[3];
	ElacSectionWriter out;
	ElacRng		rng;

	kind_now = kind;
	elac_rng_seed(&rng, 2);
	all.type = list_types[kind];
	all.values = palloc0(5000 * sizeof(Datum));
	all.nulls = palloc0(5000 * sizeof(bool));
	for (int i = 0; i < 3; i++)
	{
		columns[i] = list_column(kind, sizes[i], 5, 60, i == 0 ? 50 : 0, 31 + i);
		sections[i] = fixture_write(&columns[i], NULL);
		readers[i] = elac_attr_open(&sections[i].section, &columns[i].type, sizes[i]);
		maps[i] = palloc((sizes[i] + 1) * sizeof(ElacDoc));
		for (uint32 doc = 0; doc < sizes[i]; doc++)
		{
			maps[i][doc] = elac_rng_below(&rng, 5) == 0 ? ELAC_INVALID_DOC : all.n;
			if (maps[i][doc] == ELAC_INVALID_DOC)
				continue;
			all.values[all.n] = columns[i].values[doc];
			all.nulls[all.n++] = columns[i].nulls[doc];
		}
	}
	fixture_writers(&out);
	elac_attr_merge(readers, (const ElacDoc *const *) maps, 3, all.n, &out);
	merged = fixture_section(&out, 64, 192);
	readers[0] = elac_attr_open(&merged.section, &all.type, all.n);
	CHECK_QUIET(elac_attr_verify(readers[0]));
	check_operators(readers[0], &all, 60, &rng);
}

static void
read_damaged(FixtureSection *section, const FixtureColumn *column)
{
	ElacAttrReader *reader = elac_attr_open(&section->section, &column->type, column->n);
	ElacBitmap	is_true = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};
	ElacBitmap	is_unknown = {column->n, palloc0((elac_bitmap_words(column->n) + 1) * sizeof(uint64))};
	ElacPredicate predicate = {0};
	uint32		v[3] = {0, 1, 2};
	bool		nulls[3] = {false};

	predicate.kind = ELAC_PREDICATE_OPERATOR;
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		predicate.function.fn_addr = operators[i].function;
		predicate.function.fn_oid = operators[i].oid;
		predicate.arg = make_array(kind_now, 1 + i % 3, v, nulls, 1);
		elac_attr_select(reader, &predicate, &is_true, &is_unknown);
	}
	elac_attr_verify(reader);
}

/* No flipped bit goes unnoticed, for the lists are checked against the values. */
static void
test_damage(ListKind kind)
{
	FixtureColumn column;
	FixtureSection section;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	ElacRng		rng;

	kind_now = kind;
	column = list_column(kind, 1500, 9, 900, 0, 3);
	section = fixture_write(&column, NULL);
	/* with a dictionary, a code may become that of another array of the same elements */
	CHECK_EQ(elac_attr_open(&section.section, &column.type, column.n)->header.encoding, ELAC_ATTR_PLAIN);
	old = MemoryContextSwitchTo(context);
	elac_rng_seed(&rng, 4);
	for (int round = 0; round < 200; round++)
	{
		bool		head = round % 2 == 0;
		uint64		start = head ? section.section.head_offset : section.section.body_offset;
		uint64		len = head ? section.section.head_len : section.section.body_len;
		uint8	   *byte = (head ? section.head : section.body) + start + elac_rng_below(&rng, len);
		uint8		mask = (uint8) (1 << elac_rng_below(&rng, 8));
		bool		raised;

		*byte ^= mask;
		pgshim_error.sqlstate = 0;
		raised = PGSHIM_RAISES(read_damaged(&section, &column));
		CHECK(raised && pgshim_error.sqlstate == ERRCODE_INDEX_CORRUPTED);
		*byte ^= mask;
		MemoryContextReset(context);
	}
	CHECK_QUIET(read_damaged(&section, &column));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

int
main(void)
{
	pgshim_init();
	for (int kind = 0; kind < LIST_KINDS; kind++)
	{
		test_lists(kind, 3000, 4, 20, 40);
		test_lists(kind, 3000, 4, 20, 0);
		test_lists(kind, 5000, 8, 3000, 0);
		test_lists(kind, 4000, 6, 900, 1300);
		test_lists(kind, 70, 1, 3, 0);
		test_lists(kind, 300, 0, 3, 0);
		test_lists(kind, 0, 1, 3, 0);
		test_merge(kind);
		test_damage(kind);
	}
	test_exact();
	return check_done();
}
