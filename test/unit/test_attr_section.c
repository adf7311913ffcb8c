/*
 * test_attr_section.c
 *	  Attribute sections: what goes in comes out, for every kind of type,
 *	  number of distinct values and share of NULLs; merges; damage.
 */
#include "pgshim.h"

#include "attr_fixture.h"

long		fixture_calls;
FixtureKind fixture_kind;

static void
shuffle(ElacDoc *docs, uint32 n, ElacRng *rng)
{
	for (uint32 i = 0; i < n; i++)
		docs[i] = i;
	for (uint32 i = n; i > 1; i--)
	{
		uint32		j = (uint32) elac_rng_below(rng, i);
		ElacDoc		swap = docs[i - 1];

		docs[i - 1] = docs[j];
		docs[j] = swap;
	}
}

static void
check_document(ElacAttrReader *reader, const FixtureColumn *column, ElacDoc doc, uint32 row)
{
	bool		isnull;
	Datum		value = elac_attr_get(reader, doc, &isnull);

	if (isnull != column->nulls[row] || (!isnull && !fixture_equal(&column->type, value, column->values[row])))
	{
		CHECK(!"a document has the value it was given");
		return;
	}
	if (!isnull && column->type.typlen == -1)
	{
		CHECK(VARATT_IS_4B_U(DatumGetPointer(value)));
		CHECK(value % elac_attr_alignment(&column->type) == 0);
	}
}

static void
test_round_trip(FixtureKind kind, uint32 n, uint32 ndistinct, uint32 null_every)
{
	FixtureColumn column = fixture_column(kind, n, ndistinct, null_every, 7 + n + ndistinct);
	ElacDoc    *doc_of_seq = palloc((n + 1) * sizeof(ElacDoc));
	ElacRng		rng;

	elac_rng_seed(&rng, 3);
	shuffle(doc_of_seq, n, &rng);
	for (int pass = 0; pass < 2; pass++)
	{
		FixtureSection section = fixture_write(&column, pass == 0 ? NULL : doc_of_seq);
		ElacAttrReader *reader = elac_attr_open(&section.section, &column.type, n);
		long		bad = check_failures();

		elac_attr_prefetch(reader);
		CHECK_QUIET(elac_attr_verify(reader));
		for (uint32 row = 0; row < n; row++)
			check_document(reader, &column, pass == 0 ? row : doc_of_seq[row], row);
		/* and once more, out of order */
		for (uint32 i = 0; i < n && i < 500; i++)
		{
			uint32		row = (uint32) elac_rng_below(&rng, n);

			check_document(reader, &column, pass == 0 ? row : doc_of_seq[row], row);
		}
		if (check_failures() > bad)
			printf("# kind %d, %u rows, %u distinct, one in %u NULL\n", (int) kind, n, ndistinct, null_every);
	}
}

static void
test_encodings(void)
{
	FixtureColumn few = fixture_column(FIXTURE_TEXT, 5000, 20, 0, 1);
	FixtureColumn many = fixture_column(FIXTURE_TEXT, 5000, 1000000, 0, 1);
	FixtureSection few_section = fixture_write(&few, NULL);
	FixtureSection many_section = fixture_write(&many, NULL);
	ElacAttrReader *reader = elac_attr_open(&few_section.section, &few.type, 5000);

	CHECK_EQ(reader->header.encoding, ELAC_ATTR_DICTIONARY);
	CHECK_EQ(reader->header.width, 5);
	CHECK(reader->header.nvalues <= 20);
	reader = elac_attr_open(&many_section.section, &many.type, 5000);
	CHECK_EQ(reader->header.encoding, ELAC_ATTR_PLAIN);
	CHECK(reader->header.nblocks >= 5);
	/* values compress */
	CHECK(many_section.body_len < 5000 * 40);
}

/* Values that are equal by operator and not by bytes stay apart: -0 and 0. */
static void
test_bytes_decide(void)
{
	FixtureColumn column = fixture_column(FIXTURE_FLOAT8, 100, 10, 0, 1);
	FixtureSection section;
	ElacAttrReader *reader;
	bool		isnull;

	for (uint32 i = 0; i < 100; i++)
		column.values[i] = Float8GetDatum(i % 2 == 0 ? 0.0 : -0.0);
	section = fixture_write(&column, NULL);
	reader = elac_attr_open(&section.section, &column.type, 100);
	CHECK_EQ(reader->header.nvalues, 2);
	CHECK(!signbit(DatumGetFloat8(elac_attr_get(reader, 0, &isnull))));
	CHECK(signbit(DatumGetFloat8(elac_attr_get(reader, 1, &isnull))));
	CHECK_QUIET(elac_attr_verify(reader));
}

/* One huge value among small ones, and blocks that are closed by size. */
static void
test_large_values(void)
{
	FixtureColumn column = fixture_column(FIXTURE_TEXT, 3000, 1000000, 10, 5);
	char	   *big = palloc(3 * 1024 * 1024);
	FixtureSection section;
	ElacAttrReader *reader;
	ElacRng		rng;

	elac_rng_seed(&rng, 1);
	for (int i = 0; i < 3 * 1024 * 1024; i++)
		big[i] = (char) elac_rng_u64(&rng);
	column.nulls[1500] = column.nulls[1700] = false;
	column.values[1500] = fixture_varlena(big, 3 * 1024 * 1024, false);
	column.values[1700] = fixture_varlena(big, 900 * 1024, false);
	section = fixture_write(&column, NULL);
	reader = elac_attr_open(&section.section, &column.type, 3000);
	CHECK_QUIET(elac_attr_verify(reader));
	for (uint32 i = 0; i < 3000; i++)
		check_document(reader, &column, i, i);
	CHECK(reader->header.nblocks >= 5);
}

static void
test_unsupported(void)
{
	ElacAttrType cstring = {CSTRINGOID, -2, false, TYPALIGN_CHAR, 0};

	CHECK_RAISES(elac_attr_writer_begin(&cstring), ERRCODE_FEATURE_NOT_SUPPORTED);
}

static void
test_merge(FixtureKind kind, uint32 ndistinct, uint32 null_every)
{
	uint32		sizes[4] = {1500, 1, 40, 2600};
	FixtureColumn columns[4];
	FixtureSection sections[4];
	ElacAttrReader *readers[4];
	ElacDoc    *maps[4];
	uint32	   *origin = palloc(5000 * sizeof(uint32));
	ElacDoc    *order = palloc(5000 * sizeof(ElacDoc));
	uint32		ndocs = 0;
	ElacSectionWriter out;
	FixtureSection merged;
	ElacAttrReader *reader;
	ElacRng		rng;

	elac_rng_seed(&rng, 11);
	for (int i = 0; i < 4; i++)
	{
		columns[i] = fixture_column(kind, sizes[i], ndistinct, null_every, 100 + i);
		sections[i] = fixture_write(&columns[i], NULL);
		readers[i] = elac_attr_open(&sections[i].section, &columns[i].type, sizes[i]);
		maps[i] = palloc(sizes[i] * sizeof(ElacDoc));
		for (uint32 doc = 0; doc < sizes[i]; doc++)
		{
			bool		dropped = elac_rng_below(&rng, 4) == 0;

			maps[i][doc] = dropped ? ELAC_INVALID_DOC : ndocs;
			if (!dropped)
				origin[ndocs++] = i * 10000 + doc;
		}
	}
	shuffle(order, ndocs, &rng);
	for (int i = 0; i < 4; i++)
		for (uint32 doc = 0; doc < sizes[i]; doc++)
			if (maps[i][doc] != ELAC_INVALID_DOC)
				maps[i][doc] = order[maps[i][doc]];

	fixture_writers(&out);
	elac_attr_merge(readers, (const ElacDoc *const *) maps, 4, ndocs, &out);
	merged = fixture_section(&out, 64, 192);
	reader = elac_attr_open(&merged.section, &columns[0].type, ndocs);
	CHECK_QUIET(elac_attr_verify(reader));
	for (uint32 i = 0; i < ndocs; i++)
		check_document(reader, &columns[origin[i] / 10000], order[i], origin[i] % 10000);

	/* the number of documents must be the maps' */
	fixture_writers(&out);
	CHECK(PGSHIM_RAISES(elac_attr_merge(readers, (const ElacDoc *const *) maps, 4, ndocs - 1, &out)));
}

/* Reads everything a damaged section may offer. */
static void
read_damaged(FixtureSection *section, const FixtureColumn *column)
{
	ElacAttrReader *reader = elac_attr_open(&section->section, &column->type, column->n);
	bool		isnull;

	for (uint32 doc = 0; doc < column->n; doc += 3)
		elac_attr_get(reader, doc, &isnull);
	elac_attr_verify(reader);
}

/* Flipped bits raise corruption or change a value; they never do worse. */
static void
test_damage(FixtureKind kind, uint32 n, uint32 ndistinct)
{
	FixtureColumn column = fixture_column(kind, n, ndistinct, 10, 9);
	FixtureSection section = fixture_write(&column, NULL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacRng		rng;

	elac_rng_seed(&rng, 13);
	for (int round = 0; round < 400; round++)
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
		CHECK(!raised || pgshim_error.sqlstate == ERRCODE_INDEX_CORRUPTED);
		/* nothing in the head goes unnoticed, and no byte of a by-reference value */
		if (head || !column.type.typbyval)
			CHECK(raised || (!head && ndistinct < n));
		*byte ^= mask;
		MemoryContextReset(context);
	}
	CHECK_QUIET(read_damaged(&section, &column));
	for (uint64 len = 0; len < section.section.head_len; len += 7)
	{
		ElacSection cut = section.section;

		cut.head_len = len;
		CHECK_RAISES(elac_attr_open(&cut, &column.type, n), ERRCODE_INDEX_CORRUPTED);
	}
	CHECK_RAISES(elac_attr_open(&section.section, &column.type, n + 1), ERRCODE_INDEX_CORRUPTED);
	section.section.body_len--;
	CHECK_RAISES(elac_attr_open(&section.section, &column.type, n), ERRCODE_INDEX_CORRUPTED);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

int
main(void)
{
	static const uint32 sizes[] = {0, 1, 2, 63, 64, 65, 1023, 1024, 1025, 5000};

	pgshim_init();
	for (int kind = 0; kind < FIXTURE_KINDS; kind++)
	{
		for (int i = 0; i < (int) lengthof(sizes); i++)
		{
			test_round_trip(kind, sizes[i], 1, 0);
			test_round_trip(kind, sizes[i], 30, 3);
			test_round_trip(kind, sizes[i], 1000000, 5);
			test_round_trip(kind, sizes[i], 300, 1);
		}
		test_merge(kind, 25, 4);
		test_merge(kind, 1000000, 4);
		test_merge(kind, 3, 1);
		test_damage(kind, 3000, 10);
		test_damage(kind, 3000, 1000000);
	}
	/* more distinct values than a dictionary takes, and as many */
	test_round_trip(FIXTURE_INT8, 140000, 66000, 0);
	test_round_trip(FIXTURE_INT8, 300000, 65535, 0);
	test_round_trip(FIXTURE_UUID, 200000, 80000, 3);
	test_encodings();
	test_bytes_decide();
	test_large_values();
	test_unsupported();
	return check_done();
}
