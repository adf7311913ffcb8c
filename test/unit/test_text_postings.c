/*
 * test_text_postings.c
 *	  Posting lists of any length, density and gaps, block by block; positions
 *	  and labels; terms with a prefix; merges of all that, byte for byte.
 */
#include "pgshim.h"

#include <sys/mman.h>

#include "test_text_corpus.h"

#include "base/rng.h"
#include "text/text_eval.h"

static ElacRng rng;

/* ---- one list, packed and read ---- */

/* Length codes of 2^32 documents: pages nobody writes to cost nothing. */
static uint8 *
make_norms(void)
{
	void	   *norms = mmap(NULL, (size_t) 1 << 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (norms == MAP_FAILED)
		abort();
	return norms;
}

/* A reader of a section that is one list: directory and chunks in the head, blocks and positions in the body. */
static ElacTextReader *
reader_of_list(const ElacTextPacked *packed, uint32 ndocs, bool positions, ElacTextEntry *entry)
{
	ElacTextReader *reader = palloc0(sizeof(ElacTextReader));
	uint64		nchunks = packed->stream.len / ELAC_TEXT_POSITIONS_CHUNK + 1;
	uint8	   *head = palloc(packed->directory.len + nchunks * sizeof(uint64));
	uint8	   *body = palloc(packed->data.len + packed->stream.len + 1);

	memcpy(head, packed->directory.bytes, packed->directory.len);
	for (uint64 i = 0; i < nchunks; i++)
	{
		uint64		offset = packed->data.len + i * ELAC_TEXT_POSITIONS_CHUNK;

		memcpy(head + packed->directory.len + i * sizeof(uint64), &offset, sizeof(uint64));
	}
	memcpy(body, packed->data.bytes, packed->data.len);
	if (packed->stream.len > 0)
		memcpy(body + packed->data.len, packed->stream.bytes, packed->stream.len);
	reader->section.head_len = packed->directory.len + nchunks * sizeof(uint64);
	reader->section.head = elac_blob_open_memory(head, reader->section.head_len, "idx");
	reader->section.body_len = packed->data.len + packed->stream.len;
	reader->section.body = elac_blob_open_memory(body, reader->section.body_len, "idx");
	reader->name = "idx";
	reader->context = CurrentMemoryContext;
	reader->positions = positions;
	reader->footer.ndocs = ndocs;
	reader->footer.positions_len = packed->stream.len;
	reader->footer.chunks = packed->directory.len;
	entry->len = packed->data.len;
	entry->directory_len = packed->directory.len;
	entry->positions_len = packed->stream.len;
	return reader;
}

/* Impacts are at most so many, ascend, and bound each posting by lengths and counts that occur. */
static void
check_impacts(const ElacPosting *postings, uint32 n, const uint8 *norms, const ElacTextImpact *impacts, uint32 nimpacts)
{
	bool		bad = nimpacts == 0 || nimpacts > ELAC_TEXT_IMPACTS_MAX;
	uint32		max_tf = 0;
	uint8		min_length = UINT8_MAX;

	for (uint32 k = 1; k < nimpacts && !bad; k++)
		bad |= impacts[k].tf <= impacts[k - 1].tf || impacts[k].length_code <= impacts[k - 1].length_code;
	for (uint32 i = 0; i < n; i++)
	{
		bool		below = false;

		for (uint32 k = 0; k < nimpacts; k++)
			below |= postings[i].tf <= impacts[k].tf && norms[postings[i].doc] >= impacts[k].length_code;
		bad |= !below;
		max_tf = Max(max_tf, postings[i].tf);
		min_length = Min(min_length, norms[postings[i].doc]);
	}
	CHECK(!bad);
	CHECK_EQ(impacts[nimpacts - 1].tf, max_tf);
	CHECK_EQ(impacts[0].length_code, min_length);
}

/* Marks of a block in a window are those of its documents. */
static void
check_mark(ElacPostingList *list, uint32 block, const ElacPosting *postings, uint32 n, ElacDoc first, uint32 nbits)
{
	uint32		nwords = (nbits + 63) / 64;
	uint64	   *got = palloc0((nwords + 1) * sizeof(uint64));
	uint64	   *want = palloc0((nwords + 1) * sizeof(uint64));

	got[0] = want[0] = nbits > 3 ? 5 : 0;	/* what was there stays */
	got[nwords] = want[nwords] = 42;
	elac_posting_list_mark(list, block, first, nbits, got);
	for (uint32 i = 0; i < n; i++)
		if (postings[i].doc >= first && postings[i].doc - first < nbits)
			want[(postings[i].doc - first) / 64] |= UINT64CONST(1) << ((postings[i].doc - first) % 64);
	CHECK(memcmp(got, want, (nwords + 1) * sizeof(uint64)) == 0);
	pfree(got);
	pfree(want);
}

static void
check_block(ElacPostingList *list, uint32 block, const ElacPosting *postings, uint32 n, const uint16 *positions)
{
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
	uint16		places[ELAC_POSITIONS_MAX];
	uint32		span = postings[n - 1].doc - postings[0].doc + 1;
	long		failures = check_failures();

	CHECK_EQ(elac_posting_list_decode(list, block, docs, tfs), n);
	for (uint32 i = 0; i < n && check_failures() == failures; i++)
	{
		CHECK_EQ(docs[i], postings[i].doc);
		CHECK_EQ(tfs[i], postings[i].tf);
	}
	memset(docs, 0, sizeof(docs));
	CHECK_EQ(elac_posting_list_decode(list, block, docs, NULL), n);
	CHECK_EQ(docs[n - 1], postings[n - 1].doc);
	CHECK_EQ(docs[0], postings[0].doc);
	CHECK_EQ(list->last_docs[block], postings[n - 1].doc);
	if (span < 100000)
	{
		check_mark(list, block, postings, n, postings[0].doc - Min(postings[0].doc, 70), span + 200);
		check_mark(list, block, postings, n, postings[0].doc + 1, span / 2 + 1);
		check_mark(list, block, postings, n, postings[n / 2].doc, 64);
	}
	for (uint32 i = 0; i < n && check_failures() == failures; i++)
	{
		uint32		wanted = positions == NULL ? 0 : elac_posting_npositions(&postings[i]);

		CHECK_EQ(elac_posting_list_positions(list, block, i, places), wanted);
		if (wanted > 0)
			CHECK(memcmp(places, positions + elac_posting_start(&postings[i]), wanted * sizeof(uint16)) == 0);
	}
}

static void
check_list(const ElacPosting *postings, uint32 df, uint32 ndocs, const uint8 *norms, const uint16 *positions)
{
	ElacTextPacked packed;
	ElacTextEntry entry;
	ElacTextReader *reader;
	ElacPostingList *list;
	ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];
	ElacPosting *all = palloc((Size) df * sizeof(ElacPosting));
	ElacTextPositions collected = {0};
	const uint32 group = ELAC_TEXT_GROUP_BLOCKS * ELAC_TEXT_BLOCK_DOCS;
	bool		same = true;

	memset(&packed, 0, sizeof(packed));
	packed.data.context = packed.stream.context = packed.directory.context = CurrentMemoryContext;
	elac_posting_pack(postings, df, norms, positions, &packed);
	memset(&entry, 0, sizeof(entry));
	entry.tier = ELAC_TEXT_FREQUENT;
	entry.df = df;
	reader = reader_of_list(&packed, ndocs, positions != NULL, &entry);
	list = elac_posting_list_open(reader, &entry);
	CHECK_EQ(list->df, df);
	CHECK_EQ(list->nblocks, (df + ELAC_TEXT_BLOCK_DOCS - 1) / ELAC_TEXT_BLOCK_DOCS);
	check_impacts(postings, df, norms, impacts, elac_posting_list_impacts(list, ELAC_IMPACTS_LIST, 0, impacts));
	for (uint32 first = 0, i = 0; first < df; first += group, i++)
		check_impacts(postings + first, Min(df - first, group), norms, impacts,
					  elac_posting_list_impacts(list, ELAC_IMPACTS_GROUP, i, impacts));
	for (uint32 round = 0; round < Min(2 * list->nblocks, 200); round++)
	{
		/* in order, then here and there */
		uint32		block = round < list->nblocks && df < 20000 ? round : elac_rng_below(&rng, list->nblocks);
		uint32		first = block * ELAC_TEXT_BLOCK_DOCS;
		uint32		n = Min(df - first, ELAC_TEXT_BLOCK_DOCS);

		check_block(list, block, postings + first, n, positions);
		check_impacts(postings + first, n, norms, impacts,
					  elac_posting_list_impacts(list, ELAC_IMPACTS_BLOCK, block, impacts));
	}
	elac_posting_list_close(list);
	elac_text_postings(reader, &entry, all, &collected);
	for (uint32 i = 0; i < df; i++)
	{
		uint32		n = positions == NULL ? 0 : elac_posting_npositions(&postings[i]);

		same &= all[i].doc == postings[i].doc && all[i].tf == postings[i].tf &&
			elac_posting_npositions(&all[i]) == n &&
			(n == 0 || memcmp(collected.values + elac_posting_start(&all[i]), positions + elac_posting_start(&postings[i]),
							  n * sizeof(uint16)) == 0);
	}
	CHECK(same);
}

/* A position after the last one there can be is damage, though no gap is too large by itself. */
static void
test_last_position(uint8 *norms)
{
	uint16		positions[2 * ELAC_TEXT_BLOCK_DOCS];
	ElacPosting postings[ELAC_TEXT_BLOCK_DOCS];
	uint16		found[ELAC_POSITIONS_MAX];
	uint32		last = ELAC_TEXT_BLOCK_DOCS - 1;

	for (int beyond = 0; beyond < 2; beyond++)
	{
		ElacTextPacked packed;
		ElacTextEntry entry;
		ElacTextReader *reader;
		ElacPostingList *list;

		for (uint32 i = 0; i <= last; i++)
		{
			positions[2 * i] = ELAC_POSITION_MAX - 1 + beyond;
			positions[2 * i + 1] = ELAC_POSITION_MAX + beyond;
			postings[i].doc = i;
			postings[i].tf = 2;
			postings[i].where = elac_posting_where(2 * i, 2);
			norms[i] = 2;
		}
		memset(&packed, 0, sizeof(packed));
		packed.data.context = packed.stream.context = packed.directory.context = CurrentMemoryContext;
		elac_posting_pack(postings, last + 1, norms, positions, &packed);
		memset(&entry, 0, sizeof(entry));
		entry.tier = ELAC_TEXT_FREQUENT;
		entry.df = last + 1;
		reader = reader_of_list(&packed, last + 1, true, &entry);
		list = elac_posting_list_open(reader, &entry);
		if (beyond)
			CHECK_RAISES((void) elac_posting_list_positions(list, 0, last, found), ERRCODE_INDEX_CORRUPTED);
		else
			CHECK(elac_posting_list_positions(list, 0, last, found) == 2 && found[1] == ELAC_POSITION_MAX);
	}
}

typedef enum PositionsKind
{
	NO_POSITIONS,
	REGULAR,					/* min(tf, 255) of each posting */
	SOME_MISSING,				/* fewer of some, none of others */
	NONE_KNOWN					/* a section with positions, a term without */
} PositionsKind;

/* n ascending positions. */
static void
make_positions(uint16 *to, uint32 n)
{
	uint32		limit = n > 200 || elac_rng_below(&rng, 4) == 0 ? ELAC_POSITION_MAX : n + 100;
	uint32		next = 1;

	for (uint32 i = 0; i < n; i++)
	{
		to[i] = (uint16) (next + elac_rng_below(&rng, (limit - next - (n - 1 - i)) / (n - i) + 1));
		next = (uint32) to[i] + 1;
	}
}

/*
 * A list of df documents: the gaps of a share of 1 in `dense` are 0, others
 * have up to gap_bits bits; counts up to tf_bits bits, mostly 1.
 */
static void
test_list(uint8 *norms, uint32 df, uint32 dense, unsigned gap_bits, unsigned tf_bits, PositionsKind kind)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacPosting *postings = palloc((Size) df * sizeof(ElacPosting));
	uint16	   *positions = NULL;
	uint64		npositions = 0;
	uint64		doc = elac_rng_below(&rng, 3);
	uint32		n = 0;

	while (n < df && doc < ELAC_INVALID_DOC - 1)
	{
		postings[n].doc = (ElacDoc) doc;
		postings[n].tf = elac_rng_below(&rng, 4) == 0 ? 1 + (uint32) (elac_rng_u64(&rng) >> (64 - tf_bits)) : 1;
		postings[n].where = 0;
		norms[doc] = (uint8) (1 + elac_rng_below(&rng, elac_rng_below(&rng, 10) == 0 ? 255 : 40));
		n++;
		doc += dense > 0 && elac_rng_below(&rng, dense) > 0 ? 1 : 1 + (elac_rng_u64(&rng) >> (64 - gap_bits));
	}
	df = n;
	if (kind != NO_POSITIONS)
	{
		for (uint32 i = 0; i < df; i++)
			npositions += Min(postings[i].tf, ELAC_POSITIONS_MAX);
		positions = palloc((npositions + 1) * sizeof(uint16));
		npositions = 0;
		for (uint32 i = 0; i < df && kind != NONE_KNOWN; i++)
		{
			uint32		known = Min(postings[i].tf, ELAC_POSITIONS_MAX);

			if (kind == SOME_MISSING && elac_rng_below(&rng, 50) == 0)
				known = elac_rng_below(&rng, known + 1);
			make_positions(positions + npositions, known);
			postings[i].where = elac_posting_where(npositions, known);
			npositions += known;
		}
	}
	check_list(postings, df, (uint32) (postings[df - 1].doc + 1), norms, positions);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
test_lists(void)
{
	static const uint32 dfs[] = {1, 2, 3, 31, 64, 100, 127, 128, 129, 200, 255, 256, 257, 4095, 4096, 4097, 8192, 8300, 30000};
	uint8	   *norms = make_norms();

	for (int i = 0; i < lengthof(dfs); i++)
		for (int kind = NO_POSITIONS; kind <= NONE_KNOWN; kind++)
		{
			test_list(norms, dfs[i], 0, 1 + i % 20, 1 + i % 11, kind);
			test_list(norms, dfs[i], 2 + i % 9, 3, 3, kind);
			test_list(norms, dfs[i], 300, 9, 5, kind);
		}
	for (uint32 df = 1; df <= 128; df++)
		test_list(norms, df, df % 3 == 0 ? 3 : 0, 1 + df % 25, 1 + df % 32, df % 4);
	/* gaps to the end of all numbers, counts to the largest */
	for (unsigned bits = 20; bits <= 32; bits++)
		test_list(norms, 300, 20, bits, 32, NO_POSITIONS);
	test_list(norms, 300000, 0, 4, 2, REGULAR);
	test_last_position(norms);
	test_list(norms, 300000, 40, 6, 3, NO_POSITIONS);
	munmap(norms, (size_t) 1 << 32);
}

/* Dense lists are bitsets, and small: little more than a bit a document. */
static void
test_dense(void)
{
	uint8	   *norms = make_norms();
	ElacPosting *postings = palloc(10000 * sizeof(ElacPosting));
	ElacTextPacked packed;
	uint32		n = 0;

	for (uint32 doc = 0; n < 10000; doc++)
		if (elac_rng_below(&rng, 3) > 0)
		{
			postings[n].doc = doc;
			postings[n].tf = 1;
			postings[n].where = 0;
			norms[doc] = 7;
			n++;
		}
	memset(&packed, 0, sizeof(packed));
	packed.data.context = packed.stream.context = packed.directory.context = CurrentMemoryContext;
	elac_posting_pack(postings, n, norms, NULL, &packed);
	CHECK(packed.data.bytes[0] == ELAC_TEXT_BITSET);
	CHECK(packed.data.len < 10000 * 3 / 2 / 8 * 115 / 100 + 79 * 2);
	CHECK(packed.directory.len < 79 * 6);
	munmap(norms, (size_t) 1 << 32);
}

/* ---- sections with positions and labels ---- */

/* Gives positions to a vector's terms. */
static void
add_positions(ElacTermVector *vector, PositionsKind kind)
{
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		ElacTerm   *term = &vector->terms[i];
		uint16	   *positions;

		term->npositions = Min(term->tf, ELAC_POSITIONS_MAX);
		if (kind == SOME_MISSING && elac_rng_below(&rng, 30) == 0)
			term->npositions = elac_rng_below(&rng, term->npositions + 1);
		if (kind == NONE_KNOWN || kind == NO_POSITIONS)
			term->npositions = 0;
		positions = palloc(Max(term->npositions, 1) * sizeof(uint16));
		make_positions(positions, term->npositions);
		term->positions = positions;
	}
}

/* Documents with positions, and as many labels as a column of this type has. */
static Corpus
make_corpus(ElacTextType type, uint32 ndocs, uint32 vocabulary, uint32 max_terms)
{
	Corpus		corpus = corpus_random(&rng, ndocs, vocabulary, max_terms);

	for (uint32 d = 0; d < ndocs; d++)
		add_positions(&corpus.docs[d], d % 2 == 0 ? REGULAR : SOME_MISSING);
	for (int label = 0; label < ELAC_LABELS - 1 && type == ELAC_TEXT_TSVECTOR; label++)
	{
		/* label A has no terms at all */
		Corpus		more = corpus_random(&rng, ndocs, vocabulary / (label + 1), label == 2 ? 1 : max_terms / 2);

		for (uint32 d = 0; d < ndocs; d++)
		{
			ElacTermVector *doc = &corpus.docs[d];

			if (label == 0)
				doc->labels = palloc0((ELAC_LABELS - 1) * sizeof(ElacTermVector));
			if (doc->isnull || more.docs[d].isnull || label == 2)
				continue;
			add_positions(&more.docs[d], REGULAR);
			doc->labels[label] = more.docs[d];
		}
	}
	return corpus;
}

static Built
build(const Corpus *corpus, ElacTextType type, int flags)
{
	ElacTextWriter *writer = elac_text_writer_begin(type, flags);
	ElacSectionWriter out;

	built_begin(&out);
	for (uint32 i = 0; i < corpus->ndocs; i++)
		elac_text_writer_add(writer, &corpus->docs[i]);
	elac_text_writer_finish(writer, NULL, corpus->ndocs, &out);
	return built_end(&out);
}

/* Every term of every document is found with its count and its positions. */
static void
check_documents(const Corpus *corpus, ElacTextReader *reader, bool positions)
{
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		ElacTextReader *part = elac_text_label(reader, label);

		for (uint32 d = 0; d < corpus->ndocs; d += 7)
		{
			const ElacTermVector *doc = elac_terms_label(&corpus->docs[d], label);

			CHECK(part != NULL || doc->nterms == 0);
			for (uint32 i = 0; i < doc->nterms; i++)
			{
				const ElacTerm *term = &doc->terms[i];
				ElacTextEntry entry;
				ElacPostingList *list;
				uint32		docs[ELAC_TEXT_BLOCK_DOCS];
				uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
				uint16		places[ELAC_POSITIONS_MAX];
				uint32		block = 0;
				uint32		at = 0;
				uint32		n;

				if (!elac_text_lookup(part, term->bytes, term->len, &entry))
				{
					CHECK(!"a term is not found");
					continue;
				}
				list = elac_posting_list_open(part, &entry);
				while (list->last_docs[block] < d)
					block++;
				n = elac_posting_list_decode(list, block, docs, tfs);
				while (at < n && docs[at] < d)
					at++;
				CHECK(at < n && docs[at] == d && tfs[at] == term->tf);
				n = elac_posting_list_positions(list, block, at, places);
				CHECK_EQ(n, positions ? term->npositions : 0);
				CHECK(n == 0 || memcmp(places, term->positions, n * sizeof(uint16)) == 0);
				elac_posting_list_close(list);
			}
		}
	}
}

/* Sections of both types, with and without positions; and merged, byte for byte what a fresh build writes. */
static void
test_sections(uint64 seed, ElacTextType type, int flags, int nsources, uint32 ndocs, uint32 vocabulary, uint32 drop_every)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Corpus		merged;
	ElacTextReader *readers[8];
	ElacDoc    *maps[8];
	ElacSectionWriter out;
	Built		fresh;
	Built		built;
	uint32		total = 0;
	ElacTextReader *reader;
	ElacBitmap	nulls;

	elac_rng_seed(&rng, seed);
	merged.docs = palloc0((Size) nsources * ndocs * sizeof(ElacTermVector));
	for (int s = 0; s < nsources; s++)
	{
		Corpus		corpus = make_corpus(type, elac_rng_below(&rng, ndocs + 1), vocabulary, 20);
		Built	   *source = palloc(sizeof(Built));

		*source = build(&corpus, type, flags);
		readers[s] = elac_text_open(&source->section, corpus.ndocs);
		CHECK_QUIET(elac_text_verify(readers[s]));
		check_documents(&corpus, readers[s], (flags & ELAC_TEXT_POSITIONS) != 0);
		maps[s] = palloc(Max(corpus.ndocs, 1) * sizeof(ElacDoc));
		for (uint32 d = 0; d < corpus.ndocs; d++)
		{
			bool		drop = drop_every > 0 && elac_rng_below(&rng, drop_every) == 0;

			maps[s][d] = drop ? ELAC_INVALID_DOC : total;
			if (!drop)
				merged.docs[total++] = corpus.docs[d];
		}
	}
	merged.ndocs = total;
	built_begin(&out);
	elac_text_merge(readers, (const ElacDoc *const *) maps, nsources, total, &out);
	built = built_end(&out);
	fresh = build(&merged, type, flags);
	CHECK_EQ(built.head_len, fresh.head_len);
	CHECK_EQ(built.body_len, fresh.body_len);
	CHECK(built.head_len == fresh.head_len && memcmp(built.head, fresh.head, fresh.head_len) == 0);
	CHECK(built.body_len == fresh.body_len && memcmp(built.body, fresh.body, fresh.body_len) == 0);
	reader = elac_text_open(&built.section, total);
	CHECK_QUIET(elac_text_verify(reader));
	check_documents(&merged, reader, (flags & ELAC_TEXT_POSITIONS) != 0);
	nulls.nbits = total;
	nulls.words = palloc(Max(elac_bitmap_words(total), 1) * sizeof(uint64));
	elac_text_null_docs(reader, &nulls);
	for (uint32 d = 0; d < total; d++)
		if (elac_bitmap_get(&nulls, d) != merged.docs[d].isnull)
		{
			CHECK(!"a NULL document is not NULL, or the reverse");
			break;
		}
	CHECK((elac_text_label(reader, ELAC_LABEL_A) != NULL) == (type == ELAC_TEXT_TSVECTOR));
	CHECK(elac_text_label(reader, ELAC_LABEL_D) == reader);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---- dictionary ---- */

/* The walk gives exactly the terms with the prefix, in order, with the right entries. */
static void
check_prefix(ElacTextReader *reader, const ElacTerm *terms, uint32 nterms, const char *prefix, uint32 len)
{
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	ElacTextEntry entry;
	uint32		i = 0;
	bool		same = true;

	elac_text_prefix_begin(walk, reader, prefix, len);
	while (same && elac_text_prefix_next(walk, &entry))
	{
		while (i < nterms && (terms[i].len < len || memcmp(terms[i].bytes, prefix, len) != 0))
			i++;
		same = i < nterms && elac_term_compare(terms[i].bytes, terms[i].len, walk->term, walk->len) == 0 &&
			entry.df == terms[i].tf;
		i++;
	}
	while (i < nterms && (terms[i].len < len || memcmp(terms[i].bytes, prefix, len) != 0))
		i++;
	CHECK(same && i == nterms);
	CHECK(!same || !elac_text_prefix_next(walk, &entry));
	elac_text_prefix_end(walk);
	pfree(walk);
}

static void
test_prefixes(void)
{
	Corpus		corpus;
	Built		built;
	ElacTextReader *reader;
	ElacTermVector all;			/* each term, tf = its df */
	uint32		n = 0;

	elac_rng_seed(&rng, 99);
	corpus = corpus_random(&rng, 4000, 9000, 25);
	built = build(&corpus, ELAC_TEXT_PLAIN, 0);
	reader = elac_text_open(&built.section, corpus.ndocs);
	memset(&all, 0, sizeof(all));
	for (uint32 d = 0; d < corpus.ndocs; d++)
		n += corpus.docs[d].nterms;
	all.terms = palloc(n * sizeof(ElacTerm));
	for (uint32 d = 0; d < corpus.ndocs; d++)
		for (uint32 i = 0; i < corpus.docs[d].nterms; i++)
		{
			all.terms[all.nterms] = corpus.docs[d].terms[i];
			all.terms[all.nterms++].tf = 1;
		}
	corpus_normalize(&all);
	check_prefix(reader, all.terms, all.nterms, "", 0);
	check_prefix(reader, all.terms, all.nterms, "1", 1);
	check_prefix(reader, all.terms, all.nterms, "pre", 3);
	check_prefix(reader, all.terms, all.nterms, "\xc3", 1);
	check_prefix(reader, all.terms, all.nterms, "\xff", 1);
	check_prefix(reader, all.terms, all.nterms, "!", 1);
	check_prefix(reader, all.terms, all.nterms, "xxxxx", 5);
	for (uint32 i = 0; i < all.nterms; i += 17)
	{
		const ElacTerm *term = &all.terms[i];

		check_prefix(reader, all.terms, all.nterms, term->bytes, term->len);
		check_prefix(reader, all.terms, all.nterms, term->bytes, 1 + elac_rng_below(&rng, term->len));
	}
}

/* Lookups through the cache, more than it holds, are those without it; entries of rare terms stay whole. */
static void
test_lookups(void)
{
	Corpus		corpus;
	Built		built;
	ElacTextReader *reader;
	Size		before;

	elac_rng_seed(&rng, 98);
	corpus = corpus_random(&rng, 6000, 30000, 30);
	built = build(&corpus, ELAC_TEXT_PLAIN, 0);
	reader = elac_text_open(&built.section, corpus.ndocs);
	before = pgshim_allocated();
	for (uint32 i = 0; i < 40000; i++)
	{
		ElacTerm	word;
		ElacTextEntry kept;
		ElacTextEntry stored;
		bool		found;
		const ElacTermVector *doc = &corpus.docs[elac_rng_below(&rng, corpus.ndocs)];

		if (i % 3 > 0 && doc->nterms > 0)
			word = doc->terms[elac_rng_below(&rng, doc->nterms)];
		else
			corpus_word(elac_rng_below(&rng, 33000), &word);
		found = elac_text_lookup(reader, word.bytes, word.len, &kept);
		CHECK_EQ(elac_text_lookup_stored(reader, word.bytes, word.len, &stored), found);
		if (found)
			CHECK(kept.tier == stored.tier && kept.df == stored.df && kept.offset == stored.offset &&
				  kept.directory == stored.directory && kept.inline_len == stored.inline_len &&
				  (kept.inline_len == 0 || memcmp(kept.inline_bytes, stored.inline_bytes, kept.inline_len) == 0));
		if (i % 3 == 0 && word.len == ELAC_TERM_MAX)
			pfree((char *) word.bytes);
	}
	CHECK(!elac_text_lookup(reader, "", 0, &(ElacTextEntry) {0}));
	/* the words themselves are the test's: some megabytes are a cache without limits */
	CHECK(pgshim_allocated() - before < 4 * 1024 * 1024);
}

/* Peaks of a list: postings of it, a sixteenth at most, and impacts that bound all others. */
static void
check_peaks(const ElacPosting *postings, uint32 df, const uint8 *norms, ElacTextReader *reader, const ElacTextEntry *entry)
{
	ElacTextPeaks *peaks = palloc(sizeof(ElacTextPeaks));
	ElacPosting *others = palloc(df * sizeof(ElacPosting));
	uint32		nothers = 0;
	uint32		at = 0;
	uint32		n;

	CHECK_EQ(elac_peaks_open(peaks, reader, entry), df >= ELAC_TEXT_PEAKS_DF);
	if (df < ELAC_TEXT_PEAKS_DF)
		return;
	CHECK(peaks->n <= df / ELAC_TEXT_PEAKS_PART);
	while ((n = elac_peaks_next(peaks)) > 0)
		for (uint32 i = 0; i < n; i++)
		{
			while (at < df && postings[at].doc < peaks->docs[i])
				others[nothers++] = postings[at++];
			CHECK(at < df && postings[at].doc == peaks->docs[i] && postings[at].tf == peaks->tfs[i] &&
				  norms[postings[at].doc] == peaks->codes[i]);
			at++;
		}
	while (at < df)
		others[nothers++] = postings[at++];
	CHECK_EQ(nothers, df - peaks->n);
	check_impacts(others, nothers, norms, peaks->rest, peaks->nrest);
	/* a posting that scores more than the best that is left out is a peak; some are, where counts differ */
	CHECK(peaks->n > df / 100);
}

/* Damaged peaks are an error or other peaks, never anything else. */
static void
damage_peaks(const ElacTextPacked *packed, uint32 ndocs)
{
	ElacTextEntry entry;

	for (int round = 0; round < 4000; round++)
	{
		ElacTextBytes *part = (ElacTextBytes *) (round % 2 ? &packed->data : &packed->directory);
		uint64		tail = round % 2 ? 2000 : 30;
		uint8	   *byte = part->bytes + part->len - 1 - elac_rng_below(&rng, (uint32) Min(part->len, tail));
		uint8		was = *byte;
		ElacTextPeaks *peaks = palloc(sizeof(ElacTextPeaks));
		ElacTextReader *reader;

		*byte ^= 1 << elac_rng_below(&rng, 8);
		memset(&entry, 0, sizeof(entry));
		entry.tier = ELAC_TEXT_FREQUENT;
		entry.df = ELAC_TEXT_PEAKS_DF + 1000;
		reader = reader_of_list(packed, ndocs, false, &entry);
		pgshim_error.sqlstate = ERRCODE_INDEX_CORRUPTED;
		if (!PGSHIM_RAISES(elac_peaks_open(peaks, reader, &entry)))
		{
			uint64		next = 0;
			volatile uint32 n = 1;

			while (n > 0 && !PGSHIM_RAISES(n = elac_peaks_next(peaks)))
				for (uint32 i = 0; i < n; i++)
				{
					CHECK(peaks->docs[i] >= next && peaks->docs[i] < ndocs && peaks->tfs[i] > 0 && peaks->codes[i] < 256);
					next = (uint64) peaks->docs[i] + 1;
				}
		}
		CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
		*byte = was;
	}
}

static void
test_peaks(void)
{
	static const uint32 dfs[] = {ELAC_TEXT_PEAKS_DF - 1, ELAC_TEXT_PEAKS_DF, ELAC_TEXT_PEAKS_DF + 1000, 70000};

	for (int i = 0; i < lengthof(dfs); i++)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		uint32		df = dfs[i];
		uint32		ndocs = df * 3;
		uint8	   *norms = palloc0(ndocs);
		ElacPosting *postings = palloc0(df * sizeof(ElacPosting));
		ElacTextPacked packed;
		ElacTextEntry entry;

		memset(&packed, 0, sizeof(packed));
		packed.data.context = packed.stream.context = packed.directory.context = context;
		for (uint32 d = 0; d < df; d++)
		{
			postings[d].doc = d * 3 + elac_rng_below(&rng, 3);
			postings[d].tf = elac_rng_below(&rng, 500) == 0 ? 1 + elac_rng_below(&rng, 100000) : 1 + elac_rng_below(&rng, 4);
			norms[postings[d].doc] = 20 + elac_rng_below(&rng, 40);
		}
		elac_posting_pack(postings, df, norms, NULL, &packed);
		memset(&entry, 0, sizeof(entry));
		entry.tier = ELAC_TEXT_FREQUENT;
		entry.df = df;
		check_peaks(postings, df, norms, reader_of_list(&packed, ndocs, false, &entry), &entry);
		if (df == ELAC_TEXT_PEAKS_DF + 1000)
			damage_peaks(&packed, ndocs);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
	}
}

int
main(void)
{
	pgshim_init();
	elac_rng_seed(&rng, 4711);
	test_lists();
	test_dense();
	test_sections(1, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS, 1, 600, 200, 0);
	test_sections(2, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS, 3, 1500, 700, 5);
	test_sections(3, ELAC_TEXT_TSVECTOR, ELAC_TEXT_POSITIONS, 3, 1500, 400, 4);
	test_sections(4, ELAC_TEXT_TSVECTOR, 0, 2, 900, 300, 0);
	test_sections(5, ELAC_TEXT_TSVECTOR, ELAC_TEXT_POSITIONS, 2, 3, 5, 1);
	test_sections(6, ELAC_TEXT_PLAIN, 0, 2, 900, 300, 3);
	test_prefixes();
	test_lookups();
	test_peaks();
	return check_done();
}
