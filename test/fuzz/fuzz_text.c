/*
 * fuzz_text.c
 *	  Text sections and flat term vectors made of arbitrary bytes.
 *
 * The first byte chooses: a flat term vector; a good section, plain or with
 * labels and positions, with bytes replaced (offset, value); or a section that
 * is all input.
 */
#include "pgshim.h"

#include "../unit/test_text_corpus.h"

#include "base/bytes.h"

#define GOOD_DOCS 300

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Built good[2];			/* plain; a tsvector column's */
static ElacTermVector query;

static void
fuzz_init(void)
{
	ElacRng		rng;
	Corpus		corpus;

	pgshim_init();
	elac_rng_seed(&rng, 1);
	corpus = corpus_random(&rng, GOOD_DOCS, 60, 6);
	good[0] = corpus_build(&corpus, NULL);
	corpus = corpus_labelled(&rng, GOOD_DOCS, 40, 5);
	good[1] = corpus_build_as(&corpus, ELAC_TEXT_TSVECTOR, ELAC_TEXT_POSITIONS);
	query = corpus_query(&rng, 60, 8);
}

static void
fuzz_terms(const uint8_t *data, size_t size)
{
	uint8	   *bytes = palloc(Max(size, 1));
	ElacTermVector terms;
	uint64		length = 0;

	memcpy(bytes, data, size);
	if (!elac_terms_parse(bytes, size, &terms))
		return;
	for (uint32 i = 0; i < terms.nterms; i++)
	{
		length += terms.terms[i].tf;
		if (i > 0 && corpus_compare_terms(&terms.terms[i - 1], &terms.terms[i]) >= 0)
			abort();
	}
	if (length != terms.length || elac_terms_serialized_size(&terms) != size)
		abort();
	elac_terms_serialize(&terms, bytes);
	if (memcmp(bytes, data, size) != 0)
		abort();
}

/* Edits of four bytes: offset (three bytes, modulo the section's length), value. */
static void
fuzz_edits(const Built *section, const uint8_t *data, size_t size)
{
	Built		built = *section;
	uint64		head = section->head_len - HEAD_JUNK;
	uint64		body = section->body_len - BODY_JUNK;

	built.head = memcpy(palloc(section->head_len), section->head, section->head_len);
	built.body = memcpy(palloc(section->body_len), section->body, section->body_len);
	for (; size >= 4; data += 4, size -= 4)
	{
		uint64		at = (elac_get_u32(data) & 0xFFFFFF) % (head + body);

		if (at < head)
			built.head[HEAD_JUNK + at] = data[3];
		else
			built.body[BODY_JUNK + at - head] = data[3];
	}
	built_open(&built);
	corpus_exercise(&built, GOOD_DOCS, &query);
}

/* Number of documents, length of the head, then head and body. */
static void
fuzz_bytes(const uint8_t *data, size_t size)
{
	Built		built;
	uint64		head;

	if (size < 4)
		return;
	head = Min(elac_get_u16(data + 2), size - 4);
	built.head_len = HEAD_JUNK + head;
	built.body_len = BODY_JUNK + size - 4 - head;
	built.head = palloc0(built.head_len);
	built.body = palloc0(built.body_len);
	memcpy(built.head + HEAD_JUNK, data + 4, head);
	memcpy(built.body + BODY_JUNK, data + 4 + head, size - 4 - head);
	built_open(&built);
	corpus_exercise(&built, elac_get_u16(data), &query);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started = false;
	MemoryContext context;
	MemoryContext old;

	if (!started)
		fuzz_init();
	started = true;
	if (size == 0)
		return 0;
	context = AllocSetContextCreate(CurrentMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	switch (data[0] % 4)
	{
		case 0:
			fuzz_terms(data + 1, size - 1);
			break;
		case 1:
			fuzz_bytes(data + 1, size - 1);
			break;
		default:
			fuzz_edits(&good[data[0] % 2], data + 1, size - 1);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	if (check_failures() > 0)
		abort();
	return 0;
}
