/*
 * test_text_damage.c
 *	  Every byte of a small section damaged in several ways, and sections cut
 *	  short: an error or an answer, never anything else (the sanitizers watch).
 */
#include "pgshim.h"

#include "test_text_corpus.h"

static void
damage_all(uint64 seed, ElacTextType type, int flags, uint32 ndocs, uint32 vocabulary, uint32 max_terms, uint32 every)
{
	ElacRng		rng;
	Corpus		corpus;
	Built		built;
	ElacTermVector text;
	uint64		total;
	uint64		tried = 0;
	uint64		missed = 0;

	elac_rng_seed(&rng, seed);
	corpus = type == ELAC_TEXT_TSVECTOR ? corpus_labelled(&rng, ndocs, vocabulary, max_terms) :
		corpus_random(&rng, ndocs, vocabulary, max_terms);
	if (type == ELAC_TEXT_PLAIN)
		corpus_positions(&rng, &corpus);
	built = corpus_build_as(&corpus, type, flags);
	text = corpus_query(&rng, vocabulary, 12);
	CHECK(!corpus_exercise(&built, ndocs, &text));
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
					missed += !corpus_exercise(&built, ndocs, &text);
				}
				*byte = good;
			}
			MemoryContextSwitchTo(old);
			MemoryContextDelete(context);
		}
	}
	/*
	 * What verification may miss: padding bits, the choice of a separator, an
	 * offset into bytes alike; and positions, which are compared with counts
	 * alone: any others that ascend are as good.
	 */
	printf("# %llu damaged sections, %llu not found by verification\n", (unsigned long long) tried, (unsigned long long) missed);
	CHECK(flags & ELAC_TEXT_POSITIONS ? missed * 3 < tried * 2 : missed * 20 < tried);
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
		CHECK(corpus_exercise(&less, 40, &text));
	}
	for (uint64 cut = 1; cut <= built.body_len - BODY_JUNK; cut++)
	{
		Built		less = built;

		less.section.body_len -= cut;
		CHECK(corpus_exercise(&less, 40, &text));
	}
	CHECK(corpus_exercise(&built, 39, &text));
	CHECK(corpus_exercise(&built, 41, &text));
}

int
main(void)
{
	pgshim_init();
	damage_all(21, ELAC_TEXT_PLAIN, 0, 60, 80, 10, 1);
	damage_all(22, ELAC_TEXT_PLAIN, 0, 700, 20, 6, 5);
	damage_all(23, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS, 60, 80, 10, 3);
	damage_all(24, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS, 600, 12, 5, 17);
	damage_all(25, ELAC_TEXT_TSVECTOR, ELAC_TEXT_POSITIONS, 150, 25, 8, 17);
	cut_all();
	return check_done();
}
