/*
 * test_text_damage.c
 *	  Every byte of a small section damaged in several ways, and sections cut
 *	  short: an error or an answer, never anything else (the sanitizers watch).
 */
#include "pgshim.h"

#include "test_text_corpus.h"

static ElacColumn column = {.kind = ELAC_COLUMN_TEXT,.k1 = 1.2f,.b = 0.75f,.weight = 1.0f};

/* Everything a reader can be asked; returns whether verification complained. */
static bool
exercise(Built *built, uint32 ndocs, const ElacTermVector *text)
{
	ElacTextReader *reader = NULL;
	ElacBm25Field field;
	ElacBm25Query query = {1, &field};
	ElacTextHeap *heap = elac_text_heap_create(5);
	ElacBitmap	bitmap;
	ElacDoc    *map = palloc(Max(ndocs, 1) * sizeof(ElacDoc));
	const ElacDoc *maps[1] = {map};
	ElacSectionWriter out;
	uint32		nhits;
	bool		found;

	pgshim_error.sqlstate = ERRCODE_INDEX_CORRUPTED;
	if (PGSHIM_RAISES(reader = elac_text_open(&built->section, ndocs)))
	{
		CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
		return true;
	}
	bitmap.nbits = ndocs;
	bitmap.words = palloc0(Max(elac_bitmap_words(ndocs), 1) * sizeof(uint64));
	for (uint32 i = 0; i < ndocs; i++)
		map[i] = i % 3 == 0 ? ELAC_INVALID_DOC : i;
	elac_bm25_field_init(&field, 0, &column, text);
	PGSHIM_RAISES(elac_text_prefetch(reader, &field));
	field.stats = elac_text_stats(reader);
	PGSHIM_RAISES(
				  for (uint32 i = 0; i < field.nterms; i++)
				  field.terms[i].df = elac_text_df(reader, field.terms[i].bytes, field.terms[i].len));
	elac_bm25_prepare(&query);
	PGSHIM_RAISES(elac_text_null_docs(reader, &bitmap));
	PGSHIM_RAISES(elac_text_search(&reader, &query, NULL, 0, heap));
	elac_text_heap_finish(heap, &nhits);
	CHECK(nhits <= 5);
	PGSHIM_RAISES(elac_text_matches(&reader, &query, &bitmap));
	built_begin(&out);
	PGSHIM_RAISES(elac_text_merge(&reader, maps, 1, ndocs, &out));
	CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
	found = PGSHIM_RAISES(elac_text_verify(reader));
	CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
	return found;
}

static void
damage_all(uint64 seed, uint32 ndocs, uint32 vocabulary, uint32 max_terms, uint32 every)
{
	ElacRng		rng;
	Corpus		corpus;
	Built		built;
	ElacTermVector text;
	uint64		total;
	uint64		tried = 0;
	uint64		missed = 0;

	elac_rng_seed(&rng, seed);
	corpus = corpus_random(&rng, ndocs, vocabulary, max_terms);
	built = corpus_build(&corpus, NULL);
	text = corpus_query(&rng, vocabulary, 12);
	CHECK(!exercise(&built, ndocs, &text));
	total = built.head_len + built.body_len - HEAD_JUNK - BODY_JUNK;
	for (uint64 at = 0; at < total; at++)
	{
		uint8	   *byte = at < built.head_len - HEAD_JUNK ? built.head + HEAD_JUNK + at :
			built.body + BODY_JUNK + (at - (built.head_len - HEAD_JUNK));
		uint8		good = *byte;

		for (int way = 0; way < 4; way++)
		{
			MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
			MemoryContext old = MemoryContextSwitchTo(context);

			if ((at * 4 + way) % every == 0)
			{
				*byte = way == 0 ? good ^ (1 << elac_rng_below(&rng, 8)) : way == 1 ? good + 1 : way == 2 ? 0xFF : 0;
				if (*byte != good)
				{
					tried++;
					missed += !exercise(&built, ndocs, &text);
				}
				*byte = good;
			}
			MemoryContextSwitchTo(old);
			MemoryContextDelete(context);
		}
	}
	/* What verification may miss: padding bits, the choice of a separator, an offset into bytes alike. */
	printf("# %llu damaged sections, %llu not found by verification\n", (unsigned long long) tried, (unsigned long long) missed);
	CHECK(missed * 20 < tried);
}

/* Sections that end early, in the head or in the body. */
static void
cut_all(void)
{
	ElacRng		rng;
	Corpus		corpus;
	Built		built;
	ElacTermVector text;

	elac_rng_seed(&rng, 9);
	corpus = corpus_random(&rng, 40, 60, 8);
	built = corpus_build(&corpus, NULL);
	text = corpus_query(&rng, 60, 6);
	for (uint64 cut = 1; cut <= built.head_len - HEAD_JUNK; cut++)
	{
		Built		less = built;

		less.section.head_len -= cut;
		CHECK(exercise(&less, 40, &text));
	}
	for (uint64 cut = 1; cut <= built.body_len - BODY_JUNK; cut++)
	{
		Built		less = built;

		less.section.body_len -= cut;
		CHECK(exercise(&less, 40, &text));
	}
	CHECK(exercise(&built, 39, &text));
	CHECK(exercise(&built, 41, &text));
}

int
main(void)
{
	pgshim_init();
	damage_all(21, 60, 80, 10, 1);
	damage_all(22, 700, 20, 6, 5);
	cut_all();
	return check_done();
}
