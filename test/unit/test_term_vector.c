/*
 * test_term_vector.c
 *	  The flat form of term vectors with positions and labels: whole, cut short
 *	  and damaged.
 */
#include "pgshim.h"

#include "test_text_corpus.h"

/* Gives a vector's terms random positions, for some of them fewer than occurrences. */
static void
give_positions(ElacRng *rng, ElacTermVector *vector)
{
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		ElacTerm   *term = &vector->terms[i];
		uint32		n = Min(elac_rng_below(rng, 5) == 0 ? elac_rng_below(rng, term->tf) : term->tf, ELAC_POSITIONS_MAX);
		uint16	   *positions = palloc((n + 1) * sizeof(uint16));
		uint32		position = 0;

		for (uint32 p = 0; p < n; p++)
		{
			uint32		room = ELAC_POSITION_MAX - position - (n - p) + 1;

			position += 1 + elac_rng_below(rng, elac_rng_below(rng, 2) == 0 ? Min(room, 100) : (room + 1) / 2);
			positions[p] = (uint16) position;
		}
		CHECK(position <= ELAC_POSITION_MAX);
		term->npositions = n;
		term->positions = positions;
	}
}

static void
check_same(const ElacTermVector *a, const ElacTermVector *b)
{
	CHECK_EQ(a->nterms, b->nterms);
	CHECK_EQ(a->length, b->length);
	for (uint32 i = 0; i < Min(a->nterms, b->nterms); i++)
	{
		const ElacTerm *x = &a->terms[i];
		const ElacTerm *y = &b->terms[i];

		CHECK(corpus_compare_terms(x, y) == 0 && x->tf == y->tf);
		CHECK_EQ(x->npositions, y->npositions);
		if (x->npositions == y->npositions && x->npositions > 0)
			CHECK(memcmp(x->positions, y->positions, x->npositions * sizeof(uint16)) == 0);
	}
}

/* Whatever the bytes are, what is parsed from them is a term vector and has these bytes. */
static void
check_damaged(const uint8 *bytes, Size size)
{
	ElacTermVector read;
	uint8	   *again;

	if (!elac_terms_parse(bytes, size, &read))
		return;
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		const ElacTermVector *vector = elac_terms_label(&read, label);

		for (uint32 i = 0; i < vector->nterms; i++)
		{
			const ElacTerm *term = &vector->terms[i];

			CHECK(i == 0 || corpus_compare_terms(&vector->terms[i - 1], term) < 0);
			CHECK(term->npositions <= Min(term->tf, ELAC_POSITIONS_MAX));
			for (uint32 p = 0; p < term->npositions; p++)
				CHECK(term->positions[p] > (p > 0 ? term->positions[p - 1] : 0) &&
					  term->positions[p] <= ELAC_POSITION_MAX);
		}
	}
	CHECK_EQ(elac_terms_serialized_size(&read), size);
	again = palloc(size);
	elac_terms_serialize(&read, again);
	CHECK(memcmp(again, bytes, size) == 0);
	pfree(again);
}

static void
check_flat(ElacRng *rng, const ElacTermVector *doc)
{
	Size		size = elac_terms_serialized_size(doc);
	uint8	   *bytes = palloc(size);
	ElacTermVector read;

	elac_terms_serialize(doc, bytes);
	CHECK(elac_terms_parse(bytes, size, &read));
	for (int label = 0; label < ELAC_LABELS; label++)
		check_same(elac_terms_label(doc, label), elac_terms_label(&read, label));
	CHECK_EQ(read.labels != NULL, doc->labels != NULL);
	for (Size cut = 0; cut < size; cut += 1 + size / 50)
	{
		uint8	   *part = palloc(Max(cut, 1));

		memcpy(part, bytes, cut);
		CHECK(!elac_terms_parse(part, cut, &read));
		pfree(part);
	}
	for (int round = 0; round < 100; round++)
	{
		Size		at = elac_rng_below(rng, round % 2 == 0 ? size : Min(size, 8));
		uint8		kept = bytes[at];

		bytes[at] = (uint8) (elac_rng_below(rng, 2) == 0 ? kept + 1 : elac_rng_u64(rng));
		check_damaged(bytes, size);
		if (round % 4 > 0)
			bytes[at] = kept;
	}
	pfree(bytes);
}

static void
test_random_vectors(void)
{
	ElacRng		rng;
	Corpus		corpus;
	ElacTermVector empty = {0};

	elac_rng_seed(&rng, 6);
	corpus = corpus_random(&rng, 400, 3000, 40);
	check_flat(&rng, &empty);
	for (uint32 d = 0; d + ELAC_LABELS <= corpus.ndocs; d += ELAC_LABELS)
	{
		ElacTermVector doc = corpus.docs[d];

		if (doc.isnull)
			continue;
		give_positions(&rng, &doc);
		check_flat(&rng, &doc);
		doc.labels = palloc0((ELAC_LABELS - 1) * sizeof(ElacTermVector));
		check_flat(&rng, &doc);
		for (uint32 label = 1; label < ELAC_LABELS; label++)
			if (!corpus.docs[d + label].isnull && elac_rng_below(&rng, 3) > 0)
			{
				doc.labels[label - 1] = corpus.docs[d + label];
				give_positions(&rng, &doc.labels[label - 1]);
			}
		check_flat(&rng, &doc);
	}
}

/* What no writer writes is refused. */
static void
test_refused(void)
{
	static const struct
	{
		uint8		bytes[12];
		Size		len;
		bool		good;
	}			cases[] =
	{
		{{1}, 1, true},
		{{1, 0}, 2, false},		/* more than NULL */
		{{0, 0}, 2, true},
		{{2, 0, 0}, 3, false},	/* positions said, none there */
		{{2, 1, 1, 1, 'a', 2, 7}, 7, true},
		{{2, 1, 1, 1, 'a', 2, 0}, 7, false},	/* position 0 */
		{{2, 1, 1, 1, 'a', 3, 1, 7}, 8, false}, /* number of positions told although it is tf */
		{{2, 1, 1, 1, 'a', 5, 1, 7}, 8, true},
		{{2, 1, 2, 1, 'a', 5, 1, 7}, 8, false}, /* a position less than in all */
		{{2, 1, 1, 1, 'a', 2, 0x80, 0x80, 1}, 9, false},	/* position 16384 */
		{{2, 1, 1, 1, 'a', 2, 0xFF, 0x7F}, 8, true},	/* 16383 */
		{{8, 0}, 2, false},
		{{4, 0, 0, 0, 0}, 5, false},	/* a label missing */
		{{4, 0, 0, 0, 0, 0}, 6, true},
		{{4, 0, 0, 0, 0, 1, 1, 'a', 1}, 9, true},
		{{4, 0, 0, 0, 0, 1, 1, 'a', 1, 0}, 10, false},
	};

	for (int i = 0; i < lengthof(cases); i++)
	{
		uint8	   *bytes = memcpy(palloc(cases[i].len), cases[i].bytes, cases[i].len);
		ElacTermVector read;

		CHECK_EQ(elac_terms_parse(bytes, cases[i].len, &read), cases[i].good);
		pfree(bytes);
	}
}

int
main(void)
{
	pgshim_init();
	test_random_vectors();
	test_refused();
	return check_done();
}
