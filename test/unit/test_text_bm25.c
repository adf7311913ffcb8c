/*
 * test_text_bm25.c
 *	  Length bytes, formula and the flat form of term vectors.
 */
#include "pgshim.h"

#include <math.h>

#include "test_text_corpus.h"
#include "text/bm25.h"

static void
test_lengths(void)
{
	uint32		last = 0;

	for (uint32 length = 0; length <= 40; length++)
	{
		CHECK_EQ(elac_length_decode(elac_length_encode(length)), length);
		CHECK_EQ(elac_length_encode(length), length);
	}
	CHECK_EQ(elac_length_decode(elac_length_encode(41)), 40);
	CHECK_EQ(elac_length_decode(elac_length_encode(42)), 42);
	/* values of Lucene's BM25Similarity.LENGTH_TABLE */
	CHECK_EQ(elac_length_decode(48), 56);
	CHECK_EQ(elac_length_decode(255), 2013265944);
	for (int code = 0; code < 256; code++)
	{
		uint32		length = elac_length_decode(code);

		CHECK(code == 0 || length > last);
		CHECK_EQ(elac_length_encode(length), code);
		if (code > 0)
			CHECK_EQ(elac_length_encode(length - 1), code - 1);
		last = length;
	}
	for (uint64 length = 1; length < UINT32_MAX; length = length * 3 / 2 + 1)
	{
		uint32		rounded = elac_length_decode(elac_length_encode((uint32) length));

		CHECK(rounded <= length);
		CHECK(length > INT32_MAX || rounded >= length - length / 8);
	}
	CHECK_EQ(elac_length_encode(UINT32_MAX), 255);
}

/* Two documents and a query worked out by hand. */
static void
test_formula(void)
{
	ElacTerm	query_terms[] = {{"cat", 3, 1}, {"dog", 3, 2}};
	ElacTerm	doc_terms[] = {{"bird", 4, 1}, {"cat", 3, 3}, {"dog", 3, 1}};
	ElacTermVector query_text = {.nterms = 2,.length = 3,.terms = query_terms};
	ElacTermVector doc = {.nterms = 3,.length = 5,.terms = doc_terms};
	ElacTermVector null_doc = {.isnull = true};
	ElacColumn	column;
	ElacBm25Field field;
	ElacBm25Query query = {.nfields = 1,.fields = &field};
	double		wanted = 0;
	double		norm;

	memset(&column, 0, sizeof(column));
	column.k1 = 1.2f;
	column.b = 0.75f;
	column.weight = 2.0f;
	corpus_field(&field, 4, &column, &query_text);
	field.stats.ndocs = 10;
	field.stats.total_length = 80;
	field.terms[0].df = 3;
	field.terms[1].df = 10;
	elac_bm25_prepare(&query);
	CHECK_EQ(field.column, 4);
	norm = 1.2f * (1 - 0.75 + 0.75 * 5 / 8.0);
	wanted += 2 * log(1 + 7.5 / 3.5) * 3 / (3 + norm);
	wanted += 2 * 2 * log(1 + 0.5 / 10.5) * 1 / (1 + norm);
	CHECK(fabs(elac_bm25_score(&query, &doc) - wanted) < 1e-6 * wanted);
	CHECK(elac_bm25_score(&query, &null_doc) == 0.0);

	/* no statistics at all, and more documents with the term than documents */
	memset(&field.stats, 0, sizeof(field.stats));
	elac_bm25_prepare(&query);
	CHECK(isfinite(elac_bm25_score(&query, &doc)));
	CHECK(elac_bm25_score(&query, &doc) >= 0);
}

static void
test_terms(void)
{
	ElacRng		rng;
	Corpus		corpus;

	elac_rng_seed(&rng, 5);
	corpus = corpus_random(&rng, 300, 3000, 40);
	for (uint32 d = 0; d < corpus.ndocs; d++)
	{
		ElacTermVector *doc = &corpus.docs[d];
		Size		size = elac_terms_serialized_size(doc);
		uint8	   *bytes = palloc(size);
		uint8	   *damaged = palloc(size);
		ElacTermVector read;

		elac_terms_serialize(doc, bytes);
		CHECK(elac_terms_parse(bytes, size, &read));
		CHECK_EQ(read.isnull, doc->isnull);
		CHECK_EQ(read.nterms, doc->nterms);
		CHECK_EQ(read.length, doc->length);
		for (uint32 i = 0; i < Min(read.nterms, doc->nterms); i++)
			CHECK(corpus_compare_terms(&read.terms[i], &doc->terms[i]) == 0 && read.terms[i].tf == doc->terms[i].tf);
		if (d % 10 != 0)
			continue;
		for (Size cut = 0; cut < size; cut++)
		{
			uint8	   *part = palloc(Max(cut, 1));

			memcpy(part, bytes, cut);
			CHECK(!elac_terms_parse(part, cut, &read));
			pfree(part);
		}
		for (int round = 0; round < 500; round++)
		{
			memcpy(damaged, bytes, size);
			damaged[elac_rng_below(&rng, size)] = (uint8) elac_rng_u64(&rng);
			if (!elac_terms_parse(damaged, size, &read))
				continue;
			for (uint32 i = 1; i < read.nterms; i++)
				CHECK(corpus_compare_terms(&read.terms[i - 1], &read.terms[i]) < 0);
		}
	}
}

int
main(void)
{
	pgshim_init();
	test_lengths();
	test_formula();
	test_terms();
	return check_done();
}
