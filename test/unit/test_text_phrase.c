/*
 * test_text_phrase.c
 *	  Phrases of plain words, for whole windows and for single documents,
 *	  against text_condition.c reading the documents themselves: words that
 *	  nearly every document has (bitsets), frequent and rare ones, words that
 *	  come in one stretch, more than 255 occurrences, positions that end at
 *	  16383, labels, columns, positions that are not known, any distance, up to
 *	  65 words, repeated words, any window, any set of documents.
 */
#include "pgshim.h"

#include "test_text_corpus.h"

#include "text/text_phrase.h"
#include "tsearch/ts_type.h"

#define WORDS 8
#define COLUMNS 2
#define FIELDS (COLUMNS * ELAC_LABELS)
#define ITEMS (2 * (ELAC_PHRASE_WORDS + 2))

static ElacRng rng;
static const char *const spelling[WORDS] = {"a", "b", "c", "d", "e", "f", "g", "h"};

/* The label of an occurrence; most are D's, one in a few documents of a labelled column is not. */
typedef struct Token
{
	uint8		word;
	uint8		label;
	uint16		position;
} Token;

typedef struct Shape
{
	uint32		ndocs;
	int			ncolumns;
	bool		labelled;		/* all columns */
	bool		unknown;		/* of some documents positions are not known */
} Shape;

static int
random_word(const Shape *shape, uint32 d)
{
	uint32		roll = elac_rng_below(&rng, 1000);

	/* one word in one stretch of documents, one nowhere */
	if (d > shape->ndocs / 3 && d < shape->ndocs / 3 + 700 && roll < 100)
		return 6;
	return roll < 500 ? 0 : roll < 800 ? 1 : roll < 940 ? 2 : roll < 990 ? 3 : roll < 999 ? 4 : 5;
}

/* One label's terms of some tokens. */
static void
token_terms(const Token *tokens, uint32 ntokens, int label, bool known, ElacTermVector *vector)
{
	memset(vector, 0, sizeof(*vector));
	vector->terms = palloc0(WORDS * sizeof(ElacTerm));
	for (int w = 0; w < WORDS; w++)
	{
		ElacTerm   *term = &vector->terms[vector->nterms];
		uint16		positions[ELAC_POSITIONS_MAX];
		uint32		n = 0;

		for (uint32 i = 0; i < ntokens; i++)
		{
			if (tokens[i].word != w || tokens[i].label != label)
				continue;
			term->tf++;
			if (known && n < ELAC_POSITIONS_MAX && (n == 0 || positions[n - 1] != tokens[i].position))
				positions[n++] = tokens[i].position;
		}
		if (term->tf == 0)
			continue;
		term->bytes = spelling[w];
		term->len = 1;
		term->npositions = n;
		term->positions = memcpy(palloc(Max(n, 1) * sizeof(uint16)), positions, n * sizeof(uint16));
		vector->length += term->tf;
		vector->nterms++;
	}
}

static void
make_doc(const Shape *shape, uint32 d, ElacTermVector *vector)
{
	uint32		kind = elac_rng_below(&rng, 300);
	uint32		ntokens = kind == 0 ? 1200 : kind < 20 ? elac_rng_below(&rng, 150) : elac_rng_below(&rng, 7);
	uint32		position = kind % 30 == 1 ? ELAC_POSITION_MAX - 4 : kind == 2 ? 10000 : 0;
	bool		known = !shape->unknown || elac_rng_below(&rng, 20) > 0;
	Token	   *tokens = palloc((ntokens + 1) * sizeof(Token));

	for (uint32 i = 0; i < ntokens; i++)
	{
		position += elac_rng_below(&rng, 6) == 0 ? 1 + elac_rng_below(&rng, 9) : 1;
		/* two lexemes at one position */
		if (i > 0 && elac_rng_below(&rng, 20) == 0)
			position = tokens[i - 1].position;
		position = Min(position, ELAC_POSITION_MAX);
		tokens[i].word = random_word(shape, d);
		tokens[i].label = shape->labelled && elac_rng_below(&rng, 3) == 0 ? elac_rng_below(&rng, ELAC_LABELS) : ELAC_LABEL_D;
		tokens[i].position = position;
	}
	token_terms(tokens, ntokens, ELAC_LABEL_D, known, vector);
	if (shape->labelled)
	{
		vector->labels = palloc((ELAC_LABELS - 1) * sizeof(ElacTermVector));
		for (int label = 1; label < ELAC_LABELS; label++)
			token_terms(tokens, ntokens, label, known && label != ELAC_LABEL_NONE, &vector->labels[label - 1]);
	}
	pfree(tokens);
}

static Built *
build_section(const Shape *shape, const ElacTermVector *docs, int flags)
{
	ElacTextWriter *writer = elac_text_writer_begin(shape->labelled ? ELAC_TEXT_TSVECTOR : ELAC_TEXT_PLAIN, flags);
	ElacSectionWriter out;
	Built	   *built = palloc(sizeof(Built));

	built_begin(&out);
	for (uint32 d = 0; d < shape->ndocs; d++)
		elac_text_writer_add(writer, &docs[d]);
	elac_text_writer_finish(writer, NULL, shape->ndocs, &out);
	*built = built_end(&out);
	return built;
}

static ElacTextReader *
make_reader(const Shape *shape, const ElacTermVector *docs, int flags)
{
	return elac_text_open(&build_section(shape, docs, flags)->section, shape->ndocs);
}

/* ---- what is asked ---- */

/* Adds a phrase of n words, however it is bracketed; returns its item. */
static uint32
make_phrase(TSQuery condition, int n, int *words)
{
	uint32		number = (uint32) condition->size++;
	QueryItem  *item = GETQUERY(condition) + number;
	uint32		left;
	int			right;

	memset(item, 0, sizeof(*item));
	if (n == 1)
	{
		uint32		roll = elac_rng_below(&rng, 40);

		item->type = QI_VAL;
		words[number] = roll < 12 ? 0 : roll < 22 ? 1 : roll < 29 ? 2 : roll < 33 ? 3 : roll < 36 ? 4 : roll < 38 ? 5 : roll < 39 ? 6 : 7;
		return number;
	}
	words[number] = -1;
	right = n > 10 || elac_rng_below(&rng, 3) > 0 ? 1 : 1 + (int) elac_rng_below(&rng, n - 1);
	item->type = QI_OPR;
	item->qoperator.oper = OP_PHRASE;
	item->qoperator.distance = (int16) (elac_rng_below(&rng, 3) > 0 ? 1 : elac_rng_below(&rng, 30) == 0 ? 16384 : elac_rng_below(&rng, 5));
	make_phrase(condition, right, words);
	left = make_phrase(condition, n - right, words);
	GETQUERY(condition)[number].qoperator.left = left - number;
	return number;
}

static void
make_query(const Shape *shape, const ElacTextReader *const *readers, int nwords, ElacBm25Query *query)
{
	int			words[ITEMS];

	memset(query, 0, sizeof(*query));
	query->fields = palloc0(FIELDS * sizeof(ElacBm25Field));
	query->nslots = WORDS;
	query->condition = palloc0(HDRSIZETQ + ITEMS * sizeof(QueryItem));
	query->operands = palloc(ITEMS * FIELDS * sizeof(int32));
	make_phrase(query->condition, nwords, words);
	query->nfields = shape->ncolumns * (shape->labelled ? ELAC_LABELS : 1);
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		ElacFieldStats stats = elac_text_stats(readers[f]);

		field->column = shape->labelled ? f / ELAC_LABELS : f;
		field->label = shape->labelled ? f % ELAC_LABELS : ELAC_LABEL_D;
		field->k1 = 1.2;
		field->b = 0.75;
		field->weight = 1;
		field->stats = stats;
		field->nterms = WORDS;
		field->terms = palloc0(WORDS * sizeof(ElacBm25Term));
		for (int w = 0; w < WORDS; w++)
		{
			field->terms[w].bytes = spelling[w];
			field->terms[w].len = 1;
			field->terms[w].qtf = 1;
			field->terms[w].slot = w;
			field->terms[w].df = 1;
		}
		for (int i = 0; i < query->condition->size; i++)
			query->operands[i * query->nfields + f] = words[i];
	}
	/* one word asked for with some labels only */
	if (shape->labelled && elac_rng_below(&rng, 2) == 0)
		for (int i = query->condition->size - 1; i < query->condition->size; i++)
			for (int f = 0; f < query->nfields; f++)
				if (elac_rng_below(&rng, 2) == 0)
					query->operands[i * query->nfields + f] = -1;
	elac_bm25_prepare(query);
}

/* ---- the answer, from the documents ---- */

typedef struct Row
{
	const ElacBm25Query *query;
	const ElacTermVector *columns[COLUMNS];
} Row;

static const ElacTerm *
row_term(const Row *row, int field, uint32 number)
{
	const ElacBm25Field *asked = &row->query->fields[field];
	const ElacTermVector *vector = elac_terms_label(row->columns[asked->column], asked->label);

	for (uint32 i = 0; vector != NULL && i < vector->nterms; i++)
		if (vector->terms[i].bytes[0] == spelling[number][0])
			return &vector->terms[i];
	return NULL;
}

static bool
row_has(void *arg, int field, uint32 number)
{
	return row_term(arg, field, number) != NULL;
}

static uint32
row_positions(void *arg, int field, uint32 number, uint16 *dst)
{
	const ElacTerm *term = row_term(arg, field, number);

	if (term == NULL)
		return 0;
	memcpy(dst, term->positions, term->npositions * sizeof(uint16));
	return term->npositions;
}

/* ---- the comparison ---- */

/* One window, all its documents or some; returns in how many the phrase holds. */
static uint32
check_window(ElacPhrase *phrase, const Shape *shape, const bool *wanted)
{
	uint32		first = elac_rng_below(&rng, (shape->ndocs + 63) / 64) * 64;
	uint32		most = elac_rng_below(&rng, 2) == 0 ? 65536 : ELAC_WINDOW;
	ElacWindow	window = {first, Min(shape->ndocs - first, most)};
	uint32		every = elac_rng_below(&rng, 3) == 0 ? 1 + elac_rng_below(&rng, 400) : 1;
	uint64	   *docs = palloc0((window.ndocs + 63) / 64 * sizeof(uint64));
	uint64	   *asked = palloc0((window.ndocs + 63) / 64 * sizeof(uint64));
	uint32		bad = 0;
	uint32		n = 0;

	for (uint32 i = 0; i < window.ndocs; i++)
		if (every == 1 || elac_rng_below(&rng, every) == 0)
			asked[i / 64] |= UINT64CONST(1) << (i % 64);
	memcpy(docs, asked, (window.ndocs + 63) / 64 * sizeof(uint64));
	elac_phrase_window(phrase, &window, docs);
	for (uint32 i = 0; i < window.ndocs; i++)
	{
		bool		in_question = asked[i / 64] >> (i % 64) & 1;

		bad += (docs[i / 64] >> (i % 64) & 1) != (in_question && wanted[first + i]);
		n += docs[i / 64] >> (i % 64) & 1;
	}
	CHECK_EQ(bad, 0);
	pfree(docs);
	pfree(asked);
	return n;
}

/* Single documents, mostly forward; returns in how many the phrase holds. */
static uint32
check_documents(ElacPhrase *phrase, const Shape *shape, const bool *wanted)
{
	uint32		step = 1 + elac_rng_below(&rng, 300);
	uint32		d = elac_rng_below(&rng, shape->ndocs);
	uint32		bad = 0;
	uint32		n = 0;

	for (uint32 i = 0; i < 2000; i++)
	{
		bool		holds;

		if (d >= shape->ndocs || elac_rng_below(&rng, 500) == 0)
			d = elac_rng_below(&rng, shape->ndocs);
		holds = elac_phrase_check(phrase, d);
		bad += holds != wanted[d];
		n += holds;
		d += 1 + elac_rng_below(&rng, step);
	}
	CHECK_EQ(bad, 0);
	return n;
}

static void
test_shape(uint64 seed, const Shape *shape, int nqueries)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTermVector *docs[COLUMNS];
	ElacTextReader *readers[FIELDS];
	bool	   *wanted = palloc(shape->ndocs * sizeof(bool));
	uint64		found = 0;

	elac_rng_seed(&rng, seed);
	for (int c = 0; c < shape->ncolumns; c++)
	{
		ElacTextReader *reader;

		docs[c] = palloc0(shape->ndocs * sizeof(ElacTermVector));
		for (uint32 d = 0; d < shape->ndocs; d++)
			make_doc(shape, d, &docs[c][d]);
		reader = make_reader(shape, docs[c], ELAC_TEXT_POSITIONS);
		for (int label = 0; label < (shape->labelled ? ELAC_LABELS : 1); label++)
			readers[shape->labelled ? c * ELAC_LABELS + label : c] = elac_text_label(reader, label);
	}
	for (int q = 0; q < nqueries; q++)
	{
		int			nwords = q % 16 == 15 ? ELAC_PHRASE_WORDS + (int) elac_rng_below(&rng, 2) : 2 + (int) elac_rng_below(&rng, q % 4 + 1);
		MemoryContext query_context = AllocSetContextCreate(context, "query", ALLOCSET_DEFAULT_SIZES);
		ElacBm25Query query;
		ElacTermSet set;
		ElacPhrase *phrase;
		long		failures = check_failures();

		MemoryContextSwitchTo(query_context);
		make_query(shape, (const ElacTextReader *const *) readers, nwords, &query);
		elac_term_set_open(&set, readers, &query);
		phrase = elac_phrase_open(&set, 0);
		CHECK_EQ(phrase == NULL, nwords > ELAC_PHRASE_WORDS);
		for (uint32 d = 0; phrase != NULL && d < shape->ndocs; d++)
		{
			Row			row = {&query, {&docs[0][d], &docs[shape->ncolumns - 1][d]}};
			ElacTextEvidence evidence = {&query, &row, row_has, row_positions};

			wanted[d] = elac_text_phrase_holds(&evidence, 0);
		}
		for (int i = 0; i < 12 && phrase != NULL; i++)
			found += elac_rng_below(&rng, 3) > 0 ? check_window(phrase, shape, wanted) : check_documents(phrase, shape, wanted);
		if (check_failures() > failures)
		{
			printf("seed %d, query %d, %d words\n", (int) seed, q, nwords);
			break;
		}
		MemoryContextSwitchTo(context);
		MemoryContextDelete(query_context);
	}
	CHECK(found > 100);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* A prefix is not for it, and where no positions are stored a phrase holds nowhere. */
static void
test_others(void)
{
	Shape		shape = {600, 1, false, false};
	ElacTermVector *docs = palloc0(shape.ndocs * sizeof(ElacTermVector));
	ElacTextReader *reader;
	ElacBm25Query query;
	ElacTermSet set;
	ElacWindow	window = {0, 600};
	uint64		all[10];
	uint64		left = 0;

	elac_rng_seed(&rng, 99);
	for (uint32 d = 0; d < shape.ndocs; d++)
		make_doc(&shape, d, &docs[d]);
	reader = make_reader(&shape, docs, 0);
	make_query(&shape, (const ElacTextReader *const *) &reader, 2, &query);
	elac_term_set_open(&set, &reader, &query);
	memset(all, 0xFF, sizeof(all));
	all[9] = (UINT64CONST(1) << 24) - 1;
	elac_phrase_window(elac_phrase_open(&set, 0), &window, all);
	for (int i = 0; i < 10; i++)
		left |= all[i];
	CHECK_EQ(left, 0);
	CHECK(!elac_phrase_check(elac_phrase_open(&set, 0), 5));
	query.fields[0].terms[query.operands[1]].prefix = true;
	elac_term_set_open(&set, &reader, &query);
	CHECK(elac_phrase_open(&set, 0) == NULL);
}

/* ---- damaged bytes ---- */

static void
ask_damaged(const Shape *shape, Built *built, const ElacBm25Query *query, bool window_first)
{
	ElacTextReader *reader = elac_text_open(&built->section, shape->ndocs);
	ElacWindow	window = {0, shape->ndocs};
	uint64	   *docs = palloc((shape->ndocs + 63) / 64 * sizeof(uint64));
	ElacBitmap	out = {shape->ndocs, palloc0(elac_bitmap_words(shape->ndocs) * sizeof(uint64))};
	ElacTermSet set;
	ElacPhrase *phrase;

	elac_term_set_open(&set, &reader, query);
	phrase = elac_phrase_open(&set, 0);
	memset(docs, 0xFF, (shape->ndocs + 63) / 64 * sizeof(uint64));
	if (shape->ndocs % 64 != 0)
		docs[shape->ndocs / 64] = (UINT64CONST(1) << (shape->ndocs % 64)) - 1;
	if (window_first)
		elac_phrase_window(phrase, &window, docs);
	for (uint32 d = 0; d < shape->ndocs; d += 7)
		(void) elac_phrase_check(phrase, d);
	elac_text_matches(&reader, query, &out);
}

/* Whatever the bytes are, they end in an answer or in the one error there may be. */
static void
test_damage(void)
{
	Shape		shape = {3000, 1, false, true};
	ElacTermVector *docs = palloc0(shape.ndocs * sizeof(ElacTermVector));
	ElacTextReader *reader;
	Built	   *good;
	ElacBm25Query query;
	uint32		raised = 0;

	elac_rng_seed(&rng, 7);
	for (uint32 d = 0; d < shape.ndocs; d++)
		make_doc(&shape, d, &docs[d]);
	good = build_section(&shape, docs, ELAC_TEXT_POSITIONS);
	reader = elac_text_open(&good->section, shape.ndocs);
	for (int i = 0; i < 600; i++)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		Built		built = *good;

		make_query(&shape, (const ElacTextReader *const *) &reader, 2 + i % 3, &query);
		built.head = memcpy(palloc(good->head_len), good->head, good->head_len);
		built.body = memcpy(palloc(good->body_len), good->body, good->body_len);
		for (uint32 n = elac_rng_below(&rng, 5); n < 5; n++)
		{
			if (elac_rng_below(&rng, 3) == 0)
				built.head[HEAD_JUNK + elac_rng_below(&rng, good->head_len - HEAD_JUNK)] = (uint8) elac_rng_u64(&rng);
			else
				built.body[BODY_JUNK + elac_rng_below(&rng, good->body_len - BODY_JUNK)] = (uint8) elac_rng_u64(&rng);
		}
		built_open(&built);
		if (PGSHIM_RAISES(ask_damaged(&shape, &built, &query, i % 2)))
		{
			raised++;
			CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
		}
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
	}
	CHECK(raised > 50);
}

int
main(void)
{
	static const Shape plain = {20000, 1, false, false};
	static const Shape two = {9000, 2, false, true};
	static const Shape labels = {6000, 2, true, true};
	static const Shape large = {150000, 1, false, false};

	pgshim_init();
	test_shape(1, &plain, 64);
	test_shape(2, &two, 64);
	test_shape(3, &labels, 64);
	test_shape(4, &large, 8);
	test_others();
	test_damage();
	return check_done();
}
