/*
 * test_text_section.c
 *	  Sections against exhaustive scoring: to the bit, for every k, with
 *	  filters, several fields, several sources, after merges.
 */
#include "pgshim.h"

#include "test_text_corpus.h"

#include "text/text_format.h"

static ElacColumn column = {.kind = ELAC_COLUMN_TEXT,.k1 = 1.2f,.b = 0.75f,.weight = 1.0f};

/* A corpus made into one section, opened. */
static ElacTextReader *
reader_of(const Corpus *corpus)
{
	Built	   *built = palloc(sizeof(Built));

	*built = corpus_build(corpus, NULL);
	return elac_text_open(&built->section, corpus->ndocs);
}

/*
 * Compares elac_text_search() over nsources sources of nfields fields with
 * scoring everything.  corpora and readers: [source * nfields + field].
 */
static void
check_search(Corpus *corpora, ElacTextReader **readers, int nsources, int nfields, const ElacBm25Query *query,
			 ElacBitmap **allowed, uint32 k)
{
	ElacTextHeap *heap = elac_text_heap_create(k);
	ElacTextHit *hits;
	ElacTextHit *wanted;
	uint64		total = 0;
	uint32		nwanted = 0;
	uint32		nhits;
	long		failures = check_failures();

	for (int s = 0; s < nsources; s++)
		total += corpora[s * nfields].ndocs;
	wanted = palloc(Max(total, 1) * sizeof(ElacTextHit));
	for (int s = 0; s < nsources; s++)
	{
		for (uint32 d = 0; d < corpora[s * nfields].ndocs; d++)
		{
			ElacTermVector fields[4];
			ElacTextHit hit;

			for (int f = 0; f < nfields; f++)
				fields[f] = corpora[s * nfields + f].docs[d];
			hit.score = elac_bm25_score(query, fields);
			hit.source = s;
			hit.doc = d;
			if (hit.score > 0 && (allowed == NULL || elac_bitmap_get(allowed[s], d)))
				wanted[nwanted++] = hit;
		}
		elac_text_search(readers + s * nfields, query, allowed == NULL ? NULL : allowed[s], s, heap);
	}
	qsort(wanted, nwanted, sizeof(ElacTextHit), corpus_compare_hits);
	nwanted = Min(nwanted, k);
	hits = elac_text_heap_finish(heap, &nhits);
	CHECK_EQ(nhits, nwanted);
	for (uint32 i = 0; i < Min(nhits, nwanted) && check_failures() == failures; i++)
	{
		CHECK(memcmp(&hits[i].score, &wanted[i].score, sizeof(double)) == 0);
		CHECK_EQ(hits[i].source, wanted[i].source);
		CHECK_EQ(hits[i].doc, wanted[i].doc);
	}
}

/* elac_text_matches() against the term vectors. */
static void
check_matches(Corpus *corpora, ElacTextReader **readers, int nfields, const ElacBm25Query *query)
{
	ElacBitmap	bitmap;

	bitmap.nbits = corpora[0].ndocs;
	bitmap.words = palloc(Max(elac_bitmap_words(bitmap.nbits), 1) * sizeof(uint64));
	elac_bitmap_fill(&bitmap);
	elac_text_matches(readers, query, &bitmap);
	for (uint32 d = 0; d < corpora[0].ndocs; d++)
	{
		ElacTermVector fields[4];

		for (int f = 0; f < nfields; f++)
			fields[f] = corpora[f].docs[d];
		if (elac_bitmap_get(&bitmap, d) != (elac_bm25_score(query, fields) > 0))
		{
			CHECK(!"a document matches when it should not, or the reverse");
			return;
		}
	}
}

/* A bitmap with about one in `every` documents. */
static ElacBitmap *
random_bitmap(ElacRng *rng, uint32 nbits, uint32 every)
{
	ElacBitmap *bitmap = palloc(sizeof(ElacBitmap));

	bitmap->nbits = nbits;
	bitmap->words = palloc0(Max(elac_bitmap_words(nbits), 1) * sizeof(uint64));
	for (uint32 i = 0; i < nbits; i++)
		if (every > 0 && elac_rng_below(rng, every) == 0)
			elac_bitmap_set(bitmap, i);
	return bitmap;
}

/* df and statistics as a query sums them, which must be what the documents say. */
static void
prepare(Corpus *corpora, ElacTextReader **readers, int nsources, int nfields, ElacBm25Query *query)
{
	for (int f = 0; f < nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		ElacFieldStats stats = {0};

		for (int s = 0; s < nsources; s++)
			corpus_count(&corpora[s * nfields + f], field);
		for (int s = 0; s < nsources; s++)
		{
			ElacFieldStats part = elac_text_stats(readers[s * nfields + f]);

			stats.ndocs += part.ndocs;
			stats.total_length += part.total_length;
		}
		CHECK_EQ(stats.ndocs, field->stats.ndocs);
		CHECK_EQ(stats.total_length, field->stats.total_length);
		for (uint32 i = 0; i < field->nterms; i++)
		{
			uint64		df = 0;

			for (int s = 0; s < nsources; s++)
				df += elac_text_df(readers[s * nfields + f], field->terms[i].bytes, field->terms[i].len);
			CHECK_EQ(df, field->terms[i].df);
		}
	}
	elac_bm25_prepare(query);
}

static void
test_random(uint64 seed, int nsources, int nfields, uint32 ndocs, uint32 vocabulary, uint32 max_terms)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Corpus		corpora[16];
	ElacTextReader *readers[16];
	ElacRng		rng;
	static const uint32 ks[] = {1, 2, 7, 10, 100, 1000, 10000, 0};

	elac_rng_seed(&rng, seed);
	for (int s = 0; s < nsources; s++)
	{
		uint32		n = ndocs == 0 ? 0 : 1 + elac_rng_below(&rng, ndocs);

		for (int f = 0; f < nfields; f++)
		{
			corpora[s * nfields + f] = corpus_random(&rng, n, vocabulary, max_terms);
			readers[s * nfields + f] = reader_of(&corpora[s * nfields + f]);
			CHECK_QUIET(elac_text_verify(readers[s * nfields + f]));
		}
	}
	for (int round = 0; round < 10; round++)
	{
		ElacBm25Query query;
		ElacBitmap *allowed[16];

		memset(&query, 0, sizeof(query));
		query.nfields = nfields;
		query.fields = palloc(nfields * sizeof(ElacBm25Field));
		column.k1 = round % 3 == 2 ? 0.0f : 1.2f;
		column.b = round % 4 == 3 ? 0.0f : 0.75f;
		for (int f = 0; f < nfields; f++)
		{
			ElacTermVector text = corpus_query(&rng, vocabulary, round * 2);

			column.weight = round == 7 && f == 0 ? 0.0f : 1.0f + f;
			corpus_field(&query.fields[f], f, &column, &text);
		}
		prepare(corpora, readers, nsources, nfields, &query);
		for (int s = 0; s < nsources; s++)
			allowed[s] = random_bitmap(&rng, corpora[s * nfields].ndocs, (uint32[]) {1, 2, 50, 2000, 0}[round % 5]);
		for (int i = 0; i < lengthof(ks); i++)
		{
			check_search(corpora, readers, nsources, nfields, &query, NULL, ks[i]);
			check_search(corpora, readers, nsources, nfields, &query, allowed, ks[i]);
		}
		check_matches(corpora, readers, nfields, &query);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Terms in exactly so many documents, with equal and unequal scores; lengths
 * and counts up to a million; terms of 2047 bytes that differ at the end only.
 */
static void
test_extremes(void)
{
	static const uint32 dfs[] = {1, 2, 127, 128, 129, 255, 256, 257, 4096, 99999, 100000};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTerm	words[lengthof(dfs)];
	ElacTerm	words_sorted[lengthof(dfs)];
	Corpus		corpus;
	ElacTextReader *reader;
	ElacBm25Field field;
	ElacBm25Query query = {1, &field};
	ElacTermVector text;
	static const uint32 ks[] = {1, 10, 128, 5000, 200000};

	corpus.ndocs = 100000;
	corpus.docs = palloc0(corpus.ndocs * sizeof(ElacTermVector));
	for (int w = 0; w < lengthof(dfs); w++)
	{
		char	   *bytes = palloc(ELAC_TERM_MAX);

		memset(bytes, 'q', ELAC_TERM_MAX);
		bytes[ELAC_TERM_MAX - 1] = 'a' + w;
		words[w].bytes = bytes;
		words[w].len = ELAC_TERM_MAX - (w % 2) * 3;
		words[w].tf = 1;
		if (w % 2)
			bytes[words[w].len - 1] = 'a' + w;
	}
	for (uint32 d = 0; d < corpus.ndocs; d++)
	{
		ElacTermVector *doc = &corpus.docs[d];

		doc->terms = palloc(lengthof(dfs) * sizeof(ElacTerm));
		for (int w = 0; w < lengthof(dfs); w++)
			if ((uint64) d * 7919 % corpus.ndocs < dfs[w])
			{
				doc->terms[doc->nterms] = words[w];
				doc->terms[doc->nterms++].tf = d % 1000 == 0 ? 1000000 - d / 1000 : 1 + d % 3;
			}
		corpus_normalize(doc);
	}
	reader = reader_of(&corpus);
	CHECK_QUIET(elac_text_verify(reader));
	for (int w = 0; w < lengthof(dfs); w++)
		CHECK_EQ(elac_text_df(reader, words[w].bytes, words[w].len), dfs[w]);
	CHECK_EQ(elac_text_df(reader, words[0].bytes, words[0].len - 1), 0);
	CHECK_EQ(elac_text_df(reader, "", 0), 0);
	CHECK_EQ(elac_text_df(reader, "\xff", 1), 0);
	CHECK_EQ(elac_text_df(reader, "\x01", 1), 0);
	for (int first = 0; first < lengthof(dfs); first += 3)
	{
		memset(&text, 0, sizeof(text));
		memcpy(words_sorted, words, sizeof(words));
		text.terms = words_sorted + first;
		text.nterms = Min(3, lengthof(dfs) - first);
		corpus_normalize(&text);
		corpus_field(&field, 0, &column, &text);
		prepare(&corpus, &reader, 1, 1, &query);
		for (int i = 0; i < lengthof(ks); i++)
			check_search(&corpus, &reader, 1, 1, &query, NULL, ks[i]);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* The section of corpus with documents numbered by doc_of_seq reads back as that. */
static void
test_permutation(void)
{
	Corpus		corpus;
	Corpus		permuted;
	Built		direct;
	Built		mapped;
	ElacRng		rng;
	ElacDoc    *doc_of_seq;

	elac_rng_seed(&rng, 77);
	corpus = corpus_random(&rng, 3000, 2000, 30);
	permuted.ndocs = corpus.ndocs;
	permuted.docs = palloc(corpus.ndocs * sizeof(ElacTermVector));
	doc_of_seq = palloc(corpus.ndocs * sizeof(ElacDoc));
	for (uint32 i = 0; i < corpus.ndocs; i++)
		doc_of_seq[i] = i;
	for (uint32 i = corpus.ndocs - 1; i > 0; i--)
	{
		uint32		j = elac_rng_below(&rng, i + 1);
		ElacDoc		swap = doc_of_seq[i];

		doc_of_seq[i] = doc_of_seq[j];
		doc_of_seq[j] = swap;
	}
	for (uint32 i = 0; i < corpus.ndocs; i++)
		permuted.docs[doc_of_seq[i]] = corpus.docs[i];
	mapped = corpus_build(&corpus, doc_of_seq);
	direct = corpus_build(&permuted, NULL);
	CHECK_EQ(mapped.head_len, direct.head_len);
	CHECK_EQ(mapped.body_len, direct.body_len);
	CHECK(mapped.head_len == direct.head_len && memcmp(mapped.head, direct.head, direct.head_len) == 0);
	CHECK(mapped.body_len == direct.body_len && memcmp(mapped.body, direct.body, direct.body_len) == 0);
}

/* A merge with drops and any order of documents writes what a fresh build would, byte for byte. */
static void
test_merge(uint64 seed, int nsources, uint32 ndocs, uint32 drop_every, bool shuffle)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Corpus		corpora[8];
	Corpus		merged;
	ElacTextReader *readers[8];
	ElacDoc    *maps[8];
	ElacRng		rng;
	ElacSectionWriter out;
	Built		fresh;
	Built		built;
	uint32		total = 0;
	ElacDoc    *order;
	ElacTextReader *reader;
	ElacBitmap	nulls;

	elac_rng_seed(&rng, seed);
	for (int s = 0; s < nsources; s++)
	{
		corpora[s] = corpus_random(&rng, elac_rng_below(&rng, ndocs + 1), 1500, 30);
		readers[s] = reader_of(&corpora[s]);
		maps[s] = palloc(Max(corpora[s].ndocs, 1) * sizeof(ElacDoc));
		for (uint32 d = 0; d < corpora[s].ndocs; d++)
			maps[s][d] = drop_every > 0 && elac_rng_below(&rng, drop_every) == 0 ? ELAC_INVALID_DOC : total++;
	}
	order = palloc(Max(total, 1) * sizeof(ElacDoc));
	for (uint32 i = 0; i < total; i++)
		order[i] = i;
	for (uint32 i = total; shuffle && i > 1; i--)
	{
		uint32		j = elac_rng_below(&rng, i);
		ElacDoc		swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
	merged.ndocs = total;
	merged.docs = palloc(Max(total, 1) * sizeof(ElacTermVector));
	for (int s = 0; s < nsources; s++)
		for (uint32 d = 0; d < corpora[s].ndocs; d++)
			if (maps[s][d] != ELAC_INVALID_DOC)
			{
				maps[s][d] = order[maps[s][d]];
				merged.docs[maps[s][d]] = corpora[s].docs[d];
			}
	built_begin(&out);
	elac_text_merge(readers, (const ElacDoc *const *) maps, nsources, total, &out);
	built = built_end(&out);
	fresh = corpus_build(&merged, NULL);
	CHECK_EQ(built.head_len, fresh.head_len);
	CHECK_EQ(built.body_len, fresh.body_len);
	CHECK(built.head_len == fresh.head_len && memcmp(built.head, fresh.head, fresh.head_len) == 0);
	CHECK(built.body_len == fresh.body_len && memcmp(built.body, fresh.body, fresh.body_len) == 0);

	reader = elac_text_open(&built.section, total);
	CHECK_QUIET(elac_text_verify(reader));
	nulls.nbits = total;
	nulls.words = palloc(Max(elac_bitmap_words(total), 1) * sizeof(uint64));
	elac_text_null_docs(reader, &nulls);
	for (uint32 d = 0; d < total; d++)
		if (elac_bitmap_get(&nulls, d) != merged.docs[d].isnull)
		{
			CHECK(!"a NULL document is not NULL, or the reverse");
			break;
		}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Rows lie in the reverse order of sources and documents. */
static uint64
reverse_place(void *arg, uint32 source, ElacDoc doc)
{
	(*(int *) arg)++;
	return PG_UINT64_MAX - ((uint64) source << 32 | doc);
}

/* Equal scores are ranked by place, whatever the order in which they are pushed. */
static void
test_place(void)
{
	for (int reverse = 0; reverse <= 1; reverse++)
	{
		ElacTextHeap *heap = elac_text_heap_create(10);
		int			asked = 0;
		uint32		nhits;
		ElacTextHit *hits;

		if (reverse)
			elac_text_heap_set_place(heap, reverse_place, &asked);
		for (uint32 i = 0; i < 1000; i++)
		{
			ElacTextHit hit = {.score = i % 7 == 0 ? 0.5 : 0.25,.source = i % 3,.doc = i * 7919 % 1000};

			elac_text_heap_push(heap, &hit);
		}
		hits = elac_text_heap_finish(heap, &nhits);
		CHECK_EQ(nhits, 10);
		CHECK_EQ(asked > 0, reverse);
		for (uint32 i = 0; i < nhits; i++)
		{
			CHECK(hits[i].score == 0.5);
			CHECK_EQ(hits[i].source, reverse ? 2 : 0);
			CHECK(i == 0 || (hits[i].doc < hits[i - 1].doc) == (reverse == 1));
		}
	}
}

/* What the writer says it needs, and that it gives everything back. */
static void
test_memory(void)
{
	ElacRng		rng;
	Corpus		corpus;
	ElacTextWriter *writer;
	ElacSectionWriter out;
	Size		before;
	Size		used;

	elac_rng_seed(&rng, 3);
	corpus = corpus_random(&rng, 4000, 30000, 60);
	built_begin(&out);
	before = pgshim_allocated();
	writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, 0);
	for (uint32 i = 0; i < corpus.ndocs; i++)
		elac_text_writer_add(writer, &corpus.docs[i]);
	used = pgshim_allocated() - before;
	CHECK(elac_text_writer_memory(writer) <= used);
	CHECK(elac_text_writer_memory(writer) >= used - used / 20);
	elac_text_writer_finish(writer, NULL, corpus.ndocs, &out);
	built_end(&out);
	before = pgshim_allocated();
	writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, 0);
	MemoryContextDelete(*(MemoryContext *) writer);
	CHECK_EQ(pgshim_allocated(), before);
}

int
main(void)
{
	pgshim_init();
	test_random(1, 1, 1, 0, 10, 5);
	test_random(2, 1, 1, 1, 10, 5);
	test_random(3, 1, 1, 300, 50, 20);
	test_random(4, 3, 1, 2000, 300, 30);
	test_random(5, 2, 3, 1500, 400, 30);
	test_random(6, 1, 2, 40000, 5000, 12);
	test_random(7, 4, 1, 9000, 20, 4);
	test_extremes();
	test_permutation();
	test_merge(11, 1, 500, 0, false);
	test_merge(12, 3, 2000, 0, false);
	test_merge(13, 3, 2000, 4, false);
	test_merge(14, 4, 2000, 3, true);
	test_merge(15, 2, 300, 1, false);
	test_merge(16, 8, 40, 2, true);
	test_merge(17, 2, 0, 0, false);
	test_merge(18, 2, 6000, 100, true);
	test_place();
	test_memory();
	return check_done();
}
