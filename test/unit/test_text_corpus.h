/*
 * test_text_corpus.h
 *	  Random documents, sections made of them in memory, and the answers that
 *	  scoring every document gives.  For test_text_*.c and fuzz_text.c.
 */
#ifndef ELAC_TEST_TEXT_CORPUS_H
#define ELAC_TEST_TEXT_CORPUS_H

#include "pgshim.h"

#include "base/rng.h"
#include "storage/blob.h"
#include "text/text_private.h"
#include "text/text_section.h"

#define HEAD_JUNK 13			/* bytes of something else before the section */
#define BODY_JUNK 37

typedef struct Corpus
{
	uint32		ndocs;
	ElacTermVector *docs;
} Corpus;

/* A section, and what keeps it. */
typedef struct Built
{
	uint8	   *head;
	uint64		head_len;		/* junk included */
	uint8	   *body;
	uint64		body_len;
	ElacSection section;
} Built;

static inline int
corpus_compare_terms(const void *a, const void *b)
{
	const ElacTerm *x = a;
	const ElacTerm *y = b;

	return elac_term_compare(x->bytes, x->len, y->bytes, y->len);
}

/* Sorts and joins equal terms. */
static inline void
corpus_normalize(ElacTermVector *doc)
{
	uint32		n = 0;

	qsort(doc->terms, doc->nterms, sizeof(ElacTerm), corpus_compare_terms);
	doc->length = 0;
	for (uint32 i = 0; i < doc->nterms; i++)
	{
		doc->length += doc->terms[i].tf;
		if (n > 0 && corpus_compare_terms(&doc->terms[n - 1], &doc->terms[i]) == 0)
			doc->terms[n - 1].tf += doc->terms[i].tf;
		else
			doc->terms[n++] = doc->terms[i];
	}
	doc->nterms = n;
}

/* Word number i: spelled so that neighbours share prefixes, some long, some not ASCII. */
static inline void
corpus_word(uint32 i, ElacTerm *term)
{
	char		buffer[64];

	memset(term, 0, sizeof(*term));
	if (i % 1009 == 7)
	{
		char	   *bytes = palloc(ELAC_TERM_MAX);

		memset(bytes, 'x', ELAC_TERM_MAX);
		snprintf(buffer, sizeof(buffer), "%u", i);
		memcpy(bytes + (i % 2 ? 0 : ELAC_TERM_MAX - strlen(buffer)), buffer, strlen(buffer));
		term->bytes = bytes;
		term->len = ELAC_TERM_MAX;
		return;
	}
	snprintf(buffer, sizeof(buffer), i % 5 == 0 ? "\xc3\xa4%u" : i % 3 == 0 ? "pre%u" : "%u", i);
	term->bytes = pstrdup(buffer);
	term->len = strlen(buffer);
}

/* ndocs documents over a vocabulary used unevenly; every 17th is NULL, every 19th empty. */
static inline Corpus
corpus_random(ElacRng *rng, uint32 ndocs, uint32 vocabulary, uint32 max_terms)
{
	Corpus		corpus;
	ElacTerm   *words = palloc((Size) vocabulary * sizeof(ElacTerm));

	for (uint32 i = 0; i < vocabulary; i++)
		corpus_word(i, &words[i]);
	corpus.ndocs = ndocs;
	corpus.docs = palloc0(Max(ndocs, 1) * sizeof(ElacTermVector));
	for (uint32 d = 0; d < ndocs; d++)
	{
		ElacTermVector *doc = &corpus.docs[d];
		uint64		roll = elac_rng_below(rng, 400);

		doc->isnull = roll % 17 == 0;
		doc->nterms = roll % 17 == 0 || roll % 19 == 0 ? 0 : 1 + elac_rng_below(rng, max_terms);
		doc->terms = palloc(Max(doc->nterms, 1) * sizeof(ElacTerm));
		for (uint32 i = 0; i < doc->nterms; i++)
		{
			double		u = elac_rng_double(rng);

			doc->terms[i] = words[(uint32) (u * u * u * vocabulary)];
			doc->terms[i].tf = roll == 1 ? 1 + elac_rng_below(rng, 1000000) : 1 + (elac_rng_below(rng, 8) == 0 ? elac_rng_below(rng, 20) : 0);
		}
		corpus_normalize(doc);
	}
	return corpus;
}

/* Points a section at what was written behind the junk. */
static inline void
built_open(Built *built)
{
	memset(&built->section, 0, sizeof(built->section));
	built->section.head = elac_blob_open_memory(built->head, built->head_len, "idx");
	built->section.head_offset = HEAD_JUNK;
	built->section.head_len = built->head_len - HEAD_JUNK;
	built->section.body = elac_blob_open_memory(built->body, built->body_len, "idx");
	built->section.body_offset = BODY_JUNK;
	built->section.body_len = built->body_len - BODY_JUNK;
}

static inline void
built_begin(ElacSectionWriter *out)
{
	uint8		junk[64];

	memset(junk, 0xAB, sizeof(junk));
	out->head = elac_blob_create_memory();
	out->body = elac_blob_create_memory();
	elac_blob_write(out->head, junk, HEAD_JUNK);
	elac_blob_write(out->body, junk, BODY_JUNK);
}

/* Copies of exactly the written bytes: the address sanitizer guards their ends. */
static inline Built
built_end(ElacSectionWriter *out)
{
	Built		built;
	ElacBlobRef ref;
	const uint8 *bytes;

	elac_blob_finish(out->head, &ref);
	bytes = elac_blob_memory(out->head, &built.head_len);
	built.head = palloc(built.head_len);
	memcpy(built.head, bytes, built.head_len);
	elac_blob_finish(out->body, &ref);
	bytes = elac_blob_memory(out->body, &built.body_len);
	built.body = palloc(built.body_len);
	memcpy(built.body, bytes, built.body_len);
	built_open(&built);
	return built;
}

/* The section of docs in this order of arrival, numbered by doc_of_seq (NULL: as they come). */
static inline Built
corpus_build(const Corpus *corpus, const ElacDoc *doc_of_seq)
{
	ElacTextWriter *writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, 0);
	ElacSectionWriter out;

	built_begin(&out);
	for (uint32 i = 0; i < corpus->ndocs; i++)
		elac_text_writer_add(writer, &corpus->docs[i]);
	elac_text_writer_finish(writer, doc_of_seq, corpus->ndocs, &out);
	return built_end(&out);
}

/* A query of n words, some of them in no document. */
static inline ElacTermVector
corpus_query(ElacRng *rng, uint32 vocabulary, uint32 n)
{
	ElacTermVector query;

	memset(&query, 0, sizeof(query));
	query.nterms = n;
	query.terms = palloc(Max(n, 1) * sizeof(ElacTerm));
	for (uint32 i = 0; i < n; i++)
	{
		double		u = elac_rng_double(rng);

		corpus_word((uint32) (u * u * 1.1 * vocabulary), &query.terms[i]);
		query.terms[i].tf = 1;
	}
	corpus_normalize(&query);
	return query;
}

/* Best hit first, as the heap orders. */
static inline int
corpus_compare_hits(const void *a, const void *b)
{
	const ElacTextHit *x = a;
	const ElacTextHit *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->doc < y->doc ? -1 : x->doc > y->doc;
}

/* A field from the words of a query; df and statistics still 0. */
static inline void
corpus_field(ElacBm25Field *field, int column, const ElacColumn *schema, const ElacTermVector *query)
{
	memset(field, 0, sizeof(*field));
	field->column = column;
	field->k1 = schema->k1;
	field->b = schema->b;
	field->weight = schema->weight;
	field->nterms = query->nterms;
	field->terms = palloc_extended((Size) Max(query->nterms, 1) * sizeof(ElacBm25Term), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < query->nterms; i++)
	{
		ElacBm25Term *term = &field->terms[i];

		memset(term, 0, sizeof(*term));
		term->bytes = query->terms[i].bytes;
		term->len = query->terms[i].len;
		term->qtf = query->terms[i].tf;
	}
}

/* Adds a corpus to the statistics of field f of a query. */
static inline void
corpus_count(const Corpus *corpus, ElacBm25Field *field)
{
	for (uint32 d = 0; d < corpus->ndocs; d++)
	{
		const ElacTermVector *doc = &corpus->docs[d];

		field->stats.ndocs += doc->nterms > 0;
		field->stats.total_length += doc->length;
		for (uint32 i = 0; i < field->nterms; i++)
		{
			ElacTerm	key;

			memset(&key, 0, sizeof(key));
			key.bytes = field->terms[i].bytes;
			key.len = field->terms[i].len;
			if (doc->nterms > 0 && bsearch(&key, doc->terms, doc->nterms, sizeof(ElacTerm), corpus_compare_terms) != NULL)
				field->terms[i].df++;
		}
	}
}

/* Gives every term min(tf, 255) positions, and every third document fewer of its first. */
static inline void
corpus_positions(ElacRng *rng, Corpus *corpus)
{
	for (uint32 d = 0; d < corpus->ndocs; d++)
		for (uint32 i = 0; i < corpus->docs[d].nterms; i++)
		{
			ElacTerm   *term = &corpus->docs[d].terms[i];
			uint16	   *positions = palloc(ELAC_POSITIONS_MAX * sizeof(uint16));
			uint32		next = 1;

			term->npositions = Min(term->tf, ELAC_POSITIONS_MAX) - (i == 0 && d % 3 == 0);
			term->positions = positions;
			for (uint32 k = 0; k < term->npositions; k++)
			{
				positions[k] = (uint16) (next + elac_rng_below(rng, 60));
				next = (uint32) positions[k] + 1;
			}
		}
}

/* Documents with all labels, the last two of which have no terms. */
static inline Corpus
corpus_labelled(ElacRng *rng, uint32 ndocs, uint32 vocabulary, uint32 max_terms)
{
	Corpus		corpus = corpus_random(rng, ndocs, vocabulary, max_terms);

	corpus_positions(rng, &corpus);
	for (uint32 d = 0; d < ndocs; d++)
		corpus.docs[d].labels = palloc0((ELAC_LABELS - 1) * sizeof(ElacTermVector));
	for (int label = 0; label < 2; label++)
	{
		Corpus		more = corpus_random(rng, ndocs, vocabulary, max_terms);

		corpus_positions(rng, &more);
		for (uint32 d = 0; d < ndocs; d++)
			if (!corpus.docs[d].isnull && !more.docs[d].isnull)
				corpus.docs[d].labels[label] = more.docs[d];
	}
	return corpus;
}

/* The section of docs for a column of this type. */
static inline Built
corpus_build_as(const Corpus *corpus, ElacTextType type, int flags)
{
	ElacTextWriter *writer = elac_text_writer_begin(type, flags);
	ElacSectionWriter out;

	built_begin(&out);
	for (uint32 i = 0; i < corpus->ndocs; i++)
		elac_text_writer_add(writer, &corpus->docs[i]);
	elac_text_writer_finish(writer, NULL, corpus->ndocs, &out);
	return built_end(&out);
}

/* Reads terms with a prefix, and of each what a posting list can be asked. */
static inline void
corpus_exercise_lists(ElacTextReader *reader, const char *prefix, uint32 len)
{
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	uint32		ndocs = reader->footer.ndocs;
	uint64	   *words = palloc0((ndocs / 64 + 2) * sizeof(uint64));
	ElacTextEntry entry;

	elac_text_prefix_begin(walk, reader, prefix, len);
	while (elac_text_prefix_next(walk, &entry))
	{
		ElacPostingList *list = elac_posting_list_open(reader, &entry);
		ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];
		uint16		positions[ELAC_POSITIONS_MAX];

		CHECK(elac_posting_list_impacts(list, ELAC_IMPACTS_LIST, 0, impacts) <= ELAC_TEXT_IMPACTS_MAX);
		for (uint32 block = 0; block < list->nblocks; block++)
		{
			uint32		docs[ELAC_TEXT_BLOCK_DOCS];
			uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
			uint32		n;

			elac_posting_list_mark(list, block, 0, ndocs, words);
			elac_posting_list_impacts(list, ELAC_IMPACTS_GROUP, block / ELAC_TEXT_GROUP_BLOCKS, impacts);
			elac_posting_list_impacts(list, ELAC_IMPACTS_BLOCK, block, impacts);
			n = elac_posting_list_decode(list, block, docs, tfs);
			for (uint32 i = 0; i < n; i++)
			{
				CHECK(docs[i] < ndocs && (i == 0 || docs[i] > docs[i - 1]) && tfs[i] > 0);
				CHECK(elac_posting_list_positions(list, block, i, positions) <= ELAC_POSITIONS_MAX);
			}
		}
		elac_posting_list_close(list);
	}
	elac_text_prefix_end(walk);
}

/*
 * Asks a section everything a reader can be asked; the only error allowed is
 * that the index is corrupted.  Returns whether opening or verification said so.
 */
static inline bool
corpus_exercise(Built *built, uint32 ndocs, const ElacTermVector *text)
{
	ElacColumn	column = {.kind = ELAC_COLUMN_TEXT,.k1 = 1.2f,.b = 0.75f,.weight = 1.0f};
	ElacTextReader *reader = NULL;
	ElacBm25Field field;
	ElacBm25Query query = {.nfields = 1,.fields = &field};
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
	corpus_field(&field, 0, &column, text);
	PGSHIM_RAISES(elac_text_prefetch(reader, &field));
	PGSHIM_RAISES(elac_text_prefetch_positions(reader, &field));
	for (int label = 0; label < ELAC_LABELS; label++)
		if (elac_text_label(reader, label) != NULL)
		{
			PGSHIM_RAISES(corpus_exercise_lists(elac_text_label(reader, label), "", 0));
			PGSHIM_RAISES(corpus_exercise_lists(elac_text_label(reader, label), "pre", 3));
		}
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

#endif							/* ELAC_TEST_TEXT_CORPUS_H */
