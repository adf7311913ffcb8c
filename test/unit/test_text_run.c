/*
 * test_text_run.c
 *	  Sections written from runs: whatever rows were in memory together, in
 *	  which order they came and how many files hold them, the bytes are those
 *	  of one writer that had all rows in their final order.
 */
#include "pgshim.h"

#include "test_text_corpus.h"

#include "text/text_run.h"

#define FILES 3

/* Positions as a tsvector has them: mostly all, sometimes fewer than tf, sometimes none. */
static void
add_positions(ElacRng *rng, ElacTermVector *doc)
{
	for (uint32 i = 0; i < doc->nterms; i++)
	{
		ElacTerm   *term = &doc->terms[i];
		uint32		step = elac_rng_below(rng, 3) == 0 ? ELAC_POSITION_MAX / ELAC_POSITIONS_MAX : 40;
		uint16	   *positions;
		uint32		at = 0;

		term->npositions = elac_rng_below(rng, 10) == 0 ? elac_rng_below(rng, Min(term->tf, ELAC_POSITIONS_MAX) + 1)
			: Min(term->tf, ELAC_POSITIONS_MAX);
		positions = palloc(Max(term->npositions, 1) * sizeof(uint16));
		for (uint32 n = 0; n < term->npositions; n++)
			positions[n] = (uint16) (at += 1 + elac_rng_below(rng, step));
		term->positions = positions;
	}
}

static Corpus
corpus_with_positions(ElacRng *rng, ElacTextType type, uint32 ndocs, uint32 vocabulary, uint32 max_terms)
{
	Corpus		corpus = corpus_random(rng, ndocs, vocabulary, max_terms);

	for (uint32 i = 0; i < ndocs; i++)
		add_positions(rng, &corpus.docs[i]);
	for (int label = 1; type == ELAC_TEXT_TSVECTOR && label < ELAC_LABELS; label++)
	{
		Corpus		other = corpus_random(rng, ndocs, vocabulary / label, max_terms);

		for (uint32 i = 0; i < ndocs; i++)
		{
			ElacTermVector *doc = &corpus.docs[i];

			if (doc->isnull || i % 5 == 0)
				continue;
			if (doc->labels == NULL)
				doc->labels = palloc0((ELAC_LABELS - 1) * sizeof(ElacTermVector));
			add_positions(rng, &other.docs[i]);
			doc->labels[label - 1] = other.docs[i];
		}
	}
	return corpus;
}

/* The section of documents first .. first + n - 1, by one writer. */
static Built
build_at_once(const Corpus *corpus, uint32 first, uint32 n, ElacTextType type, int flags)
{
	ElacTextWriter *writer = elac_text_writer_begin(type, flags);
	ElacSectionWriter out;

	built_begin(&out);
	for (uint32 i = first; i < first + n; i++)
		elac_text_writer_add(writer, &corpus->docs[i]);
	CHECK_EQ(elac_text_writer_nrows(writer), n);
	elac_text_writer_finish(writer, NULL, n, &out);
	return built_end(&out);
}

static void
check_same(const Built *a, const Built *b)
{
	CHECK_EQ(a->head_len, b->head_len);
	CHECK_EQ(a->body_len, b->body_len);
	CHECK(a->head_len == b->head_len && memcmp(a->head, b->head, a->head_len) == 0);
	CHECK(a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0);
}

/*
 * Rows arrive in random order at several participants, which spill now and
 * then; the last rows of the first one stay in memory.  Then two sections: the
 * documents below cut, and the others.
 */
static void
test_runs(uint64 seed, ElacTextType type, int flags, uint32 ndocs, uint32 vocabulary, uint32 max_terms, uint32 run_rows,
		  uint32 cut)
{
	ElacRng		rng;
	Corpus		corpus;
	ElacTextRunFile files[FILES];
	ElacTextWriter *writers[FILES];
	ElacTextRunSource *sources = palloc0(((ndocs / run_rows + 1) * 2 + FILES) * sizeof(ElacTextRunSource));
	int			nsources = 0;
	uint32	   *order = palloc((ndocs + 1) * sizeof(uint32));
	ElacDoc    *seqs[FILES];

	elac_rng_seed(&rng, seed);
	corpus = corpus_with_positions(&rng, type, ndocs, vocabulary, max_terms);
	for (uint32 i = 0; i < ndocs; i++)
		order[i] = i;
	for (uint32 i = ndocs; i > 1; i--)
	{
		uint32		other = (uint32) elac_rng_below(&rng, i);
		uint32		kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
	for (int f = 0; f < FILES; f++)
	{
		files[f].file = BufFileCreateTemp(false);
		files[f].size = 0;
		writers[f] = elac_text_writer_begin(type, flags);
		seqs[f] = palloc((ndocs + 1) * sizeof(ElacDoc));
	}
	for (uint32 i = 0; i <= ndocs; i++)
	{
		for (int f = 0; f < FILES; f++)
		{
			uint32		n = elac_text_writer_nrows(writers[f]);
			ElacTextRunSource *source = &sources[nsources];
			ElacDoc    *map;

			if (i < ndocs ? n < run_rows || elac_rng_below(&rng, 4) != 0 : n == 0)
				continue;
			map = palloc(n * sizeof(ElacDoc));
			memcpy(map, seqs[f], n * sizeof(ElacDoc));
			source->doc_of_seq = map;
			source->run.nrows = n;
			nsources++;
			if (i == ndocs && f == 0)
				source->writer = writers[f];
			else
			{
				source->file = &files[f];
				elac_text_writer_spill(writers[f], &files[f], &source->run);
				CHECK_EQ(elac_text_writer_nrows(writers[f]), 0);
			}
		}
		if (i < ndocs)
		{
			int			f = (int) elac_rng_below(&rng, FILES);

			seqs[f][elac_text_writer_nrows(writers[f])] = order[i];
			elac_text_writer_add(writers[f], &corpus.docs[order[i]]);
		}
	}
	for (int part = 0; part < 2; part++)
	{
		uint32		first = part == 0 ? 0 : cut;
		uint32		n = part == 0 ? cut : ndocs - cut;
		ElacTextRunSource *mapped = palloc((nsources + 1) * sizeof(ElacTextRunSource));
		ElacSectionWriter out;
		Built		fresh = build_at_once(&corpus, first, n, type, flags);
		Built		merged;

		for (int i = 0; i < nsources; i++)
		{
			uint32		nrows = sources[i].writer != NULL ? elac_text_writer_nrows(sources[i].writer) : sources[i].run.nrows;
			ElacDoc    *map = palloc(nrows * sizeof(ElacDoc));

			for (uint32 seq = 0; seq < nrows; seq++)
			{
				ElacDoc		doc = sources[i].doc_of_seq[seq];

				map[seq] = doc >= first && doc - first < n ? doc - first : ELAC_INVALID_DOC;
			}
			mapped[i] = sources[i];
			mapped[i].doc_of_seq = map;
		}
		built_begin(&out);
		elac_text_write_runs(type, flags, mapped, nsources, n, 0, &out);
		merged = built_end(&out);
		check_same(&fresh, &merged);
	}
	for (int f = 0; f < FILES; f++)
	{
		elac_text_writer_end(writers[f]);
		BufFileClose(files[f].file);
	}
}

/* One row with many words, each of them as large as it can be. */
static void
test_large_row(void)
{
	const uint32 nterms = 4000;
	ElacTermVector doc = {0};
	Corpus		corpus;
	uint16		positions[ELAC_POSITIONS_MAX];
	ElacTextWriter *writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	ElacTextRunFile file;
	ElacTextRunSource source = {0};
	ElacSectionWriter out;
	Built		fresh;
	Built		merged;

	for (uint32 i = 0; i < ELAC_POSITIONS_MAX; i++)
		positions[i] = (uint16) (ELAC_POSITION_MAX - ELAC_POSITIONS_MAX + 1 + i);
	doc.nterms = nterms;
	doc.terms = palloc(nterms * sizeof(ElacTerm));
	for (uint32 i = 0; i < nterms; i++)
	{
		char	   *bytes = palloc(ELAC_TERM_MAX);

		memset(bytes, 'w', ELAC_TERM_MAX);
		snprintf(bytes + ELAC_TERM_MAX - 8, 8, "%07u", i);
		doc.terms[i].bytes = bytes;
		doc.terms[i].len = i % 2 ? ELAC_TERM_MAX - 1 : ELAC_TERM_MAX - 9;
		if (i % 2 == 0)
			snprintf(bytes, 8, "%07u", i);
		doc.terms[i].tf = 100000 + i;
		doc.terms[i].npositions = ELAC_POSITIONS_MAX;
		doc.terms[i].positions = positions;
	}
	qsort(doc.terms, nterms, sizeof(ElacTerm), corpus_compare_terms);
	doc.length = UINT32_MAX;
	corpus.ndocs = 1;
	corpus.docs = &doc;
	fresh = build_at_once(&corpus, 0, 1, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	file.file = BufFileCreateTemp(false);
	file.size = 0;
	elac_text_writer_add(writer, &doc);
	elac_text_writer_spill(writer, &file, &source.run);
	CHECK_EQ(source.run.nterms[0], nterms);
	source.file = &file;
	built_begin(&out);
	elac_text_write_runs(ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS, &source, 1, 1, 1024 * 1024, &out);
	merged = built_end(&out);
	check_same(&fresh, &merged);
	BufFileClose(file.file);
	elac_text_writer_end(writer);
}

/* A spilled writer has given its memory back, and says so. */
static void
test_spill_memory(void)
{
	ElacRng		rng;
	Corpus		corpus;
	ElacTextWriter *writer;
	ElacTextRunFile file;
	ElacTextRun run;
	Size		before;
	Size		full;
	Size		used;

	elac_rng_seed(&rng, 9);
	corpus = corpus_with_positions(&rng, ELAC_TEXT_PLAIN, 3000, 20000, 80);
	before = pgshim_allocated();
	file.file = BufFileCreateTemp(false);
	file.size = 0;
	writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	for (uint32 i = 0; i < corpus.ndocs; i++)
		elac_text_writer_add(writer, &corpus.docs[i]);
	full = elac_text_writer_memory(writer);
	used = pgshim_allocated() - before;
	CHECK(full <= used);
	CHECK(full >= used - used / 20);
	elac_text_writer_spill(writer, &file, &run);
	CHECK_EQ(run.nrows, corpus.ndocs);
	used = pgshim_allocated() - before;
	CHECK(elac_text_writer_memory(writer) < full / 3);
	CHECK(used < full / 3);
	elac_text_writer_end(writer);
	BufFileClose(file.file);
	CHECK_EQ(pgshim_allocated(), before);
}

int
main(void)
{
	pgshim_init();
	for (int flags = 0; flags <= ELAC_TEXT_POSITIONS; flags += ELAC_TEXT_POSITIONS)
	{
		test_runs(1, ELAC_TEXT_PLAIN, flags, 0, 10, 5, 1, 0);
		test_runs(2, ELAC_TEXT_PLAIN, flags, 1, 10, 5, 1, 1);
		test_runs(3, ELAC_TEXT_PLAIN, flags, 300, 50, 20, 1, 100);
		test_runs(4, ELAC_TEXT_PLAIN, flags, 3000, 4000, 60, 100, 2999);
		test_runs(5, ELAC_TEXT_PLAIN, flags, 20000, 300, 20, 4000, 20000);
		test_runs(6, ELAC_TEXT_TSVECTOR, flags, 2000, 500, 20, 300, 700);
		test_runs(7, ELAC_TEXT_TSVECTOR, flags, 40, 30, 5, 3, 0);
	}
	test_large_row();
	test_spill_memory();
	return check_done();
}
