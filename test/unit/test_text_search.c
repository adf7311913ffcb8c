/*
 * test_text_search.c
 *	  Searches, matches and the score of one document against a naive reading
 *	  of the words: conditions, phrases, prefixes, labels, fields combined in
 *	  every way, minimum numbers of words, filters, ties, any split into
 *	  segments, every k.  To the bit.
 *
 * Conditions here have phrases of plain words only; the rest of tsquery is
 * compared with the server's @@ where there is a server (test/t).
 */
#include "pgshim.h"

#include <math.h>

#include "test_text_corpus.h"
#include "text/text_eval.h"

#include "tsearch/ts_type.h"

#define WORDS 24
#define MAX_FIELDS 8
#define MAX_COLUMNS 3
#define MAX_ITEMS 40
#define MAX_SOURCES 4

/* A word of a document. */
typedef struct Token
{
	uint8		word;
	uint8		label;
	uint16		position;
} Token;

typedef struct Doc
{
	int			ntokens;
	Token	   *tokens;
	bool		isnull;
	ElacTermVector vector;
} Doc;

static ElacRng rng;
static char spelling[WORDS][16];
static int	words_by_bytes[WORDS];	/* in the order of terms */

/* Words that are prefixes of each other. */
static void
make_words(void)
{
	for (int i = 0; i < WORDS; i++)
		snprintf(spelling[i], sizeof(spelling[i]), "%c%.*s", 'a' + i % 4, i / 4, "bcdbcd");
	for (int i = 0; i < WORDS; i++)
		words_by_bytes[i] = i;
	for (int i = 1; i < WORDS; i++)
		for (int j = i; j > 0 && strcmp(spelling[words_by_bytes[j]], spelling[words_by_bytes[j - 1]]) < 0; j--)
		{
			int			swap = words_by_bytes[j];

			words_by_bytes[j] = words_by_bytes[j - 1];
			words_by_bytes[j - 1] = swap;
		}
}

static bool
word_is(int word, int wanted, bool prefix)
{
	return prefix ? strncmp(spelling[word], spelling[wanted], strlen(spelling[wanted])) == 0 : word == wanted;
}

/* The vector of one label of a document. */
static void
label_vector(const Doc *doc, int label, ElacTermVector *vector)
{
	memset(vector, 0, sizeof(*vector));
	vector->isnull = doc->isnull;
	vector->terms = palloc0(WORDS * sizeof(ElacTerm));
	for (int w = 0; w < WORDS; w++)
	{
		ElacTerm   *term = &vector->terms[vector->nterms];
		uint16	   *positions = palloc((doc->ntokens + 1) * sizeof(uint16));

		for (int i = 0; i < doc->ntokens; i++)
		{
			const Token *token = &doc->tokens[i];

			if (token->word != words_by_bytes[w] || token->label != label)
				continue;
			term->tf++;
			if (term->npositions == 0 || positions[term->npositions - 1] != token->position)
				positions[term->npositions++] = token->position;
		}
		if (term->tf == 0)
			continue;
		term->bytes = spelling[words_by_bytes[w]];
		term->len = strlen(term->bytes);
		term->positions = positions;
		vector->length += term->tf;
		vector->nterms++;
	}
}

/* strong: the first word over and over. */
static void
make_doc(Doc *doc, bool labelled, bool strong)
{
	uint32		length = elac_rng_below(&rng, 12) == 0 ? elac_rng_below(&rng, 60) : elac_rng_below(&rng, 9);
	uint16		position = 0;

	memset(doc, 0, sizeof(*doc));
	doc->isnull = elac_rng_below(&rng, 15) == 0;
	doc->ntokens = doc->isnull ? 0 : (int) length;
	doc->tokens = palloc((length + 1) * sizeof(Token));
	for (int i = 0; i < doc->ntokens; i++)
	{
		double		u = elac_rng_double(&rng);

		position += elac_rng_below(&rng, 9) == 0 ? elac_rng_below(&rng, 4) : 1;
		doc->tokens[i].word = strong && i > 0 ? doc->tokens[0].word : (uint8) (u * u * u * WORDS);
		doc->tokens[i].label = labelled ? (uint8) elac_rng_below(&rng, ELAC_LABELS) : ELAC_LABEL_D;
		doc->tokens[i].position = Max(position, 1);
	}
	label_vector(doc, ELAC_LABEL_D, &doc->vector);
	if (labelled)
	{
		doc->vector.labels = palloc((ELAC_LABELS - 1) * sizeof(ElacTermVector));
		for (int label = 1; label < ELAC_LABELS; label++)
			label_vector(doc, label, &doc->vector.labels[label - 1]);
	}
}

/* ---- what is asked ---- */

typedef struct Asked
{
	ElacBm25Query query;
	ElacBm25Field fields[MAX_FIELDS];
	/* by item of the condition */
	int			word[MAX_ITEMS];
	bool		prefix[MAX_ITEMS];
	int			mask[MAX_ITEMS];
	/* by field and term */
	int			term_word[MAX_FIELDS][WORDS * 2];
} Asked;

static uint32
field_term(const Asked *asked, int f, int word, bool prefix)
{
	for (uint32 t = 0; t < asked->fields[f].nterms; t++)
		if (asked->term_word[f][t] == word && asked->fields[f].terms[t].prefix == prefix)
			return t;
	return UINT32_MAX;
}

/* Adds an item and what is below it; returns its number.  Right operands come first. */
static uint32
make_item(Asked *asked, int depth, bool in_phrase)
{
	TSQuery		condition = asked->query.condition;
	uint32		number = (uint32) condition->size++;
	QueryItem  *item = GETQUERY(condition) + number;
	static const int8 opers[] = {OP_AND, OP_OR, OP_NOT, OP_PHRASE, OP_AND, OP_PHRASE};
	int			oper = in_phrase ? OP_PHRASE : opers[elac_rng_below(&rng, lengthof(opers))];

	memset(item, 0, sizeof(*item));
	if (depth == 0 || condition->size > MAX_ITEMS / 2 || elac_rng_below(&rng, in_phrase ? 2 : 4) == 0)
	{
		double		u = elac_rng_double(&rng);

		item->type = QI_VAL;
		asked->word[number] = (int) (u * u * WORDS);
		asked->prefix[number] = elac_rng_below(&rng, 6) == 0;
		asked->mask[number] = elac_rng_below(&rng, 5) == 0 ? 1 + elac_rng_below(&rng, 15) : 0;
		return number;
	}
	item->type = QI_OPR;
	item->qoperator.oper = oper;
	make_item(asked, depth - 1, oper == OP_PHRASE);
	if (oper != OP_NOT)
	{
		uint32		left = make_item(asked, depth - 1, oper == OP_PHRASE);

		item->qoperator.left = left - number;
		item->qoperator.distance = (int16) elac_rng_below(&rng, 4);
	}
	return number;
}

static int
compare_query_terms(const void *a, const void *b)
{
	const ElacBm25Term *x = a;
	const ElacBm25Term *y = b;
	int			order = elac_term_compare(x->bytes, x->len, y->bytes, y->len);

	return order != 0 ? order : (int) x->prefix - (int) y->prefix;
}

/* Words and prefixes in all fields, a few left out of some. */
static void
make_query(Asked *asked, int ncolumns, bool labelled, int kind)
{
	int			chosen[WORDS * 2];
	bool		used[WORDS * 2] = {0};
	int			nwords = 0;

	memset(asked, 0, sizeof(*asked));
	asked->query.fields = asked->fields;
	asked->query.combine = (ElacTextCombine) elac_rng_below(&rng, 3);
	asked->query.condition = NULL;
	if (kind == 2)
	{
		asked->query.condition = palloc0(HDRSIZETQ + MAX_ITEMS * 4 * sizeof(QueryItem));
		make_item(asked, 4, false);
		for (int i = 0; i < asked->query.condition->size; i++)
			if (GETQUERY(asked->query.condition)[i].type == QI_VAL)
				used[asked->word[i] * 2 + asked->prefix[i]] = true;
	}
	else
		for (int i = elac_rng_below(&rng, 6) == 0 ? 60 : 1 + (int) elac_rng_below(&rng, 7); i > 0; i--)
			used[elac_rng_below(&rng, WORDS) * 2 + (elac_rng_below(&rng, 5) == 0)] = true;
	for (int i = 0; i < WORDS * 2; i++)
		if (used[i])
			chosen[nwords++] = i;
	asked->query.nslots = nwords;
	asked->query.min_match = kind == 1 ? elac_rng_below(&rng, nwords + 2) : 0;
	for (int c = 0; c < ncolumns; c++)
	{
		bool		has_labels = labelled && c == ncolumns - 1;
		double		weight = elac_rng_below(&rng, 8) == 0 ? 0 : 0.5 + elac_rng_double(&rng) * 3;

		/* contributions of very different size add up exactly, too */
		if (elac_rng_below(&rng, 6) == 0)
			weight *= 1e-8;
		for (int label = 0; label < (has_labels ? ELAC_LABELS : 1); label++)
		{
			int			f = asked->query.nfields++;
			ElacBm25Field *field = &asked->fields[f];

			field->column = c;
			field->label = label;
			field->k1 = elac_rng_below(&rng, 5) == 0 ? 0 : 1.2;
			field->b = elac_rng_below(&rng, 5) == 0 ? 0 : 0.75;
			field->weight = weight * (1 + label);
			field->terms = palloc0(WORDS * 2 * sizeof(ElacBm25Term));
			for (int i = 0; i < nwords; i++)
			{
				ElacBm25Term *term = &field->terms[field->nterms];

				if (kind != 2 && elac_rng_below(&rng, 10) == 0)
					continue;
				term->bytes = spelling[chosen[i] / 2];
				term->len = strlen(term->bytes);
				term->prefix = chosen[i] % 2;
				term->qtf = elac_rng_below(&rng, 6) == 0 && kind == 2 ? 0 : 1 + elac_rng_below(&rng, 2);
				term->slot = i;
				field->nterms++;
			}
			qsort(field->terms, field->nterms, sizeof(ElacBm25Term), compare_query_terms);
			for (uint32 t = 0; t < field->nterms; t++)
				for (int w = 0; w < WORDS; w++)
					if (strlen(spelling[w]) == field->terms[t].len &&
						memcmp(spelling[w], field->terms[t].bytes, field->terms[t].len) == 0)
						asked->term_word[f][t] = w;
		}
	}
	if (kind != 2)
		return;
	asked->query.operands = palloc(MAX_ITEMS * 4 * asked->query.nfields * sizeof(int32));
	for (int i = 0; i < asked->query.condition->size; i++)
		for (int f = 0; f < asked->query.nfields; f++)
		{
			bool		word = GETQUERY(asked->query.condition)[i].type == QI_VAL &&
				(asked->mask[i] == 0 || (asked->mask[i] >> asked->fields[f].label & 1));

			asked->query.operands[i * asked->query.nfields + f] =
				word ? (int32) field_term(asked, f, asked->word[i], asked->prefix[i]) : -1;
		}
}

/* ---- the naive answer ---- */

static uint32
naive_tf(const Doc *docs, const Asked *asked, int f, uint32 t)
{
	const ElacBm25Field *field = &asked->fields[f];
	const Doc  *doc = &docs[field->column];
	uint32		tf = 0;

	for (int i = 0; i < doc->ntokens; i++)
		tf += doc->tokens[i].label == field->label &&
			word_is(doc->tokens[i].word, asked->term_word[f][t], field->terms[t].prefix);
	return tf;
}

static bool
naive_word_at(const Doc *doc, const Asked *asked, uint32 item, int position)
{
	for (int i = 0; i < doc->ntokens; i++)
		if (word_is(doc->tokens[i].word, asked->word[item], asked->prefix[item]) &&
			(asked->mask[item] == 0 || (asked->mask[item] >> doc->tokens[i].label & 1)) &&
			(position < 0 || doc->tokens[i].position == position))
			return true;
	return false;
}

static int
naive_width(const QueryItem *items, uint32 item)
{
	if (items[item].type == QI_VAL)
		return 0;
	return items[item].qoperator.distance + naive_width(items, item + 1) + naive_width(items, item + items[item].qoperator.left);
}

/* Does a phrase end at this position? */
static bool
naive_phrase(const Doc *doc, const Asked *asked, uint32 item, int end)
{
	const QueryItem *items = GETQUERY(asked->query.condition);

	if (end < 1)
		return false;
	if (items[item].type == QI_VAL)
		return naive_word_at(doc, asked, item, end);
	return naive_phrase(doc, asked, item + 1, end) &&
		naive_phrase(doc, asked, item + items[item].qoperator.left,
					 end - items[item].qoperator.distance - naive_width(items, item + 1));
}

static bool
naive_condition(const Doc *docs, int ncolumns, const Asked *asked, uint32 item)
{
	const QueryItem *node = GETQUERY(asked->query.condition) + item;

	for (int c = 0; c < ncolumns && node->type == QI_VAL; c++)
		if (naive_word_at(&docs[c], asked, item, -1))
			return true;
	if (node->type == QI_VAL)
		return false;
	if (node->qoperator.oper == OP_PHRASE)
	{
		for (int c = 0; c < ncolumns; c++)
			for (int end = 1; end < 300; end++)
				if (naive_phrase(&docs[c], asked, item, end))
					return true;
		return false;
	}
	if (node->qoperator.oper == OP_NOT)
		return !naive_condition(docs, ncolumns, asked, item + 1);
	if (node->qoperator.oper == OP_AND)
		return naive_condition(docs, ncolumns, asked, item + 1) &&
			naive_condition(docs, ncolumns, asked, item + node->qoperator.left);
	return naive_condition(docs, ncolumns, asked, item + 1) ||
		naive_condition(docs, ncolumns, asked, item + node->qoperator.left);
}

static bool
naive_matches(const Doc *docs, int ncolumns, const Asked *asked)
{
	bool		seen[WORDS * 2] = {0};
	uint32		n = 0;
	bool		isnull = true;

	for (int c = 0; c < ncolumns; c++)
		isnull = isnull && docs[c].isnull;
	if (asked->query.condition != NULL)
		return !isnull && naive_condition(docs, ncolumns, asked, 0);
	for (int f = 0; f < asked->query.nfields; f++)
		for (uint32 t = 0; t < asked->fields[f].nterms; t++)
		{
			const ElacBm25Term *term = &asked->fields[f].terms[t];

			if (term->weight > 0 && !seen[term->slot] && naive_tf(docs, asked, f, t) > 0)
			{
				seen[term->slot] = true;
				n++;
			}
		}
	return n >= Max(asked->query.min_match, 1);
}

/* Terms last to first: the order must not matter. */
static double
naive_score(const Doc *docs, int ncolumns, const Asked *asked)
{
	const ElacBm25Query *query = &asked->query;
	double		sum[MAX_FIELDS] = {0};
	float		freq[WORDS * 2] = {0};
	float		weight[WORDS * 2] = {0};
	double		score = 0;

	if (!naive_matches(docs, ncolumns, asked))
		return 0;
	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &asked->fields[f];
		const ElacTermVector *vector = elac_terms_label(&docs[field->column].vector, field->label);
		float		norm = field->norm[elac_length_encode(vector->length)];

		for (uint32 t = field->nterms; t-- > 0;)
		{
			uint32		tf = naive_tf(docs, asked, f, t);
			const ElacBm25Term *term = &field->terms[t];
			int			lexeme = asked->term_word[f][t] * 2 + term->prefix;

			if (tf == 0 || !(term->weight > 0))
				continue;
			if (query->combine == ELAC_COMBINE_BM25F)
			{
				freq[lexeme] += elac_bm25_tf(tf) / norm;
				weight[lexeme] = term->weight;
			}
			else
				sum[f] += elac_bm25_contribution(term->weight, elac_bm25_tf(tf), norm, query->rounder);
		}
	}
	for (int i = WORDS * 2; i-- > 0;)
		if (freq[i] > 0)
			score += elac_bm25_contribution(weight[i], freq[i], query->k1, query->rounder);
	for (int f = query->nfields; f-- > 0;)
		score = query->combine == ELAC_COMBINE_MAX ? Max(score, sum[f]) : score + sum[f];
	return score;
}

/* ---- segments ---- */

static ElacTextReader *
make_reader(Doc *docs, uint32 ndocs, int column, int stride, bool labelled)
{
	ElacTextWriter *writer = elac_text_writer_begin(labelled ? ELAC_TEXT_TSVECTOR : ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	ElacSectionWriter out;
	Built	   *built = palloc(sizeof(Built));

	built_begin(&out);
	for (uint32 d = 0; d < ndocs; d++)
		elac_text_writer_add(writer, &docs[d * stride + column].vector);
	elac_text_writer_finish(writer, NULL, ndocs, &out);
	*built = built_end(&out);
	return elac_text_open(&built->section, ndocs);
}

typedef struct Segments
{
	int			nsources;
	int			ncolumns;
	bool		labelled;		/* the last column */
	bool		reverse;		/* how ties are broken */
	uint32		ndocs;
	Doc		   *docs;			/* all, ncolumns each */
	uint32		first[MAX_SOURCES + 1];
	ElacTextReader *columns[MAX_SOURCES][MAX_COLUMNS];
} Segments;

/* Rows lie in the order in which they were made, or the reverse, whatever segment has them. */
static uint64
place_of_row(const Segments *segments, uint32 row)
{
	return segments->reverse ? segments->ndocs - row : row;
}

static uint64
row_place(void *arg, uint32 source, ElacDoc doc)
{
	return place_of_row(arg, ((Segments *) arg)->first[source] + doc);
}

static void
split(Segments *segments, int nsources)
{
	segments->nsources = nsources;
	segments->first[0] = 0;
	for (int s = 1; s < nsources; s++)
		segments->first[s] = segments->first[s - 1] + elac_rng_below(&rng, segments->ndocs - segments->first[s - 1] + 1);
	segments->first[nsources] = segments->ndocs;
	for (int s = 0; s < nsources; s++)
		for (int c = 0; c < segments->ncolumns; c++)
			segments->columns[s][c] = make_reader(segments->docs + (Size) segments->first[s] * segments->ncolumns,
												  segments->first[s + 1] - segments->first[s], c, segments->ncolumns,
												  segments->labelled && c == segments->ncolumns - 1);
}

static void
count_and_prepare(const Segments *segments, Asked *asked)
{
	for (int f = 0; f < asked->query.nfields; f++)
	{
		ElacBm25Field *field = &asked->fields[f];

		memset(&field->stats, 0, sizeof(field->stats));
		for (uint32 t = 0; t < field->nterms; t++)
		{
			uint64		df = 0;

			field->terms[t].df = 0;
			for (int s = 0; s < segments->nsources; s++)
				field->terms[t].df += elac_text_term_df(elac_text_label(segments->columns[s][field->column], field->label),
														&field->terms[t]);
			for (uint32 d = 0; d < segments->ndocs; d++)
				df += naive_tf(segments->docs + (Size) d * segments->ncolumns, asked, f, t) > 0;
			CHECK_EQ(field->terms[t].df, df);
		}
		for (int s = 0; s < segments->nsources; s++)
		{
			ElacFieldStats stats = elac_text_stats(elac_text_label(segments->columns[s][field->column], field->label));

			field->stats.ndocs += stats.ndocs;
			field->stats.total_length += stats.total_length;
		}
	}
	elac_bm25_prepare(&asked->query);
}

static int
compare_wanted(const void *a, const void *b)
{
	const ElacTextHit *x = a;
	const ElacTextHit *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static ElacBitmap
new_bitmap(uint32 nbits)
{
	ElacBitmap	bitmap = {nbits, palloc0(Max(elac_bitmap_words(nbits), 1) * sizeof(uint64))};

	return bitmap;
}

static void
check_segments(Segments *segments, Asked *asked, uint32 k, const double *scores, const bool *matches, uint32 every)
{
	ElacTextHeap *heap = elac_text_heap_create(k);
	ElacTextHit *wanted = palloc((segments->ndocs + 1) * sizeof(ElacTextHit));
	ElacTextHit *hits;
	uint32		nwanted = 0;
	uint32		nhits;
	long		failures = check_failures();

	elac_text_heap_set_place(heap, row_place, segments);
	for (int s = 0; s < segments->nsources; s++)
	{
		uint32		ndocs = segments->first[s + 1] - segments->first[s];
		ElacBitmap	allowed = new_bitmap(ndocs);
		ElacBitmap	out = new_bitmap(ndocs);
		ElacTextReader *readers[MAX_FIELDS];

		for (int f = 0; f < asked->query.nfields; f++)
			readers[f] = elac_text_label(segments->columns[s][asked->fields[f].column], asked->fields[f].label);
		for (uint32 d = 0; d < ndocs; d++)
		{
			uint32		row = segments->first[s] + d;

			if (every > 0 && elac_rng_below(&rng, every) > 0)
				continue;
			elac_bitmap_set(&allowed, d);
			if (!(scores[row] > 0))
				continue;
			wanted[nwanted].score = scores[row];
			wanted[nwanted].place = place_of_row(segments, row);
			nwanted++;
		}
		elac_text_search(readers, &asked->query, every == 0 ? NULL : &allowed, s, heap);
		if (k > 1)
			continue;
		elac_text_matches(readers, &asked->query, &out);
		for (uint32 d = 0; d < ndocs && check_failures() == failures; d++)
			CHECK_EQ(elac_bitmap_get(&out, d), matches[segments->first[s] + d]);
	}
	qsort(wanted, nwanted, sizeof(ElacTextHit), compare_wanted);
	nwanted = Min(nwanted, k);
	hits = elac_text_heap_finish(heap, &nhits);
	CHECK_EQ(nhits, nwanted);
	for (uint32 i = 0; i < Min(nhits, nwanted) && check_failures() == failures; i++)
	{
		CHECK(memcmp(&hits[i].score, &wanted[i].score, sizeof(double)) == 0);
		CHECK_EQ(hits[i].place, wanted[i].place);
	}
}

static void
test_queries(uint64 seed, uint32 ndocs, int ncolumns, bool labelled, int nqueries)
{
	static const uint32 ks[] = {1, 2, 10, 100, 1000, 10000, UINT32_MAX};
	static const uint32 everies[] = {0, 1, 2, 30, 1500};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Segments	segments;
	double	   *scores = palloc(ndocs * sizeof(double));
	bool	   *matches = palloc(ndocs * sizeof(bool));

	elac_rng_seed(&rng, seed);
	memset(&segments, 0, sizeof(segments));
	segments.ncolumns = ncolumns;
	segments.labelled = labelled;
	segments.ndocs = ndocs;
	segments.docs = palloc((Size) ndocs * ncolumns * sizeof(Doc));
	/* some documents in the middle, of a window's part only, are better than all before them */
	for (uint32 i = 0; i < ndocs * ncolumns; i++)
	{
		uint32		d = i / ncolumns;

		make_doc(&segments.docs[i], labelled && (int) (i % ncolumns) == ncolumns - 1,
				 d > ndocs / 2 && d - ndocs / 2 < 1200 && d % 4 == 0);
	}
	for (int q = 0; q < nqueries; q++)
	{
		Asked		asked;
		long		failures = check_failures();

		if (q % 8 == 0)
			split(&segments, 1 + elac_rng_below(&rng, MAX_SOURCES));
		segments.reverse = q % 2;
		make_query(&asked, ncolumns, labelled, q % 3);
		count_and_prepare(&segments, &asked);
		for (uint32 d = 0; d < ndocs; d++)
		{
			const Doc  *docs = segments.docs + (Size) d * ncolumns;
			ElacTermVector vectors[MAX_FIELDS];
			double		score;

			for (int f = 0; f < asked.query.nfields; f++)
				vectors[f] = docs[asked.fields[f].column].vector;
			scores[d] = naive_score(docs, ncolumns, &asked);
			matches[d] = naive_matches(docs, ncolumns, &asked);
			score = elac_bm25_score(&asked.query, vectors);
			if (check_failures() > failures)
				break;
			CHECK(memcmp(&score, &scores[d], sizeof(double)) == 0);
			CHECK_EQ(elac_bm25_matches(&asked.query, vectors), matches[d]);
		}
		for (int i = 0; i < lengthof(ks); i++)
			check_segments(&segments, &asked, ks[i], scores, matches, everies[(q + i) % lengthof(everies)]);
		if (check_failures() > failures)
		{
			printf("seed %d, query %d, kind %d, combine %d\n", (int) seed, q, q % 3, asked.query.combine);
			break;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Bounds of one window come from two groups of blocks, and only the second has
 * what beats the threshold that another word has set.
 */
static void
test_groups(void)
{
	Segments	segments;
	Asked		asked;
	ElacBm25Field *field = &asked.fields[0];
	double	   *scores;
	bool	   *matches;

	memset(&segments, 0, sizeof(segments));
	memset(&asked, 0, sizeof(asked));
	segments.ncolumns = 1;
	segments.ndocs = 12000;
	segments.docs = palloc0(segments.ndocs * sizeof(Doc));
	scores = palloc(segments.ndocs * sizeof(double));
	matches = palloc(segments.ndocs * sizeof(bool));
	for (uint32 d = 0; d < segments.ndocs; d++)
	{
		Doc		   *doc = &segments.docs[d];
		bool		rare = d % 3 == 0 && d < 30;
		bool		strong = d > 6200 && d < 6240;

		doc->ntokens = 100;
		doc->tokens = palloc0(doc->ntokens * sizeof(Token));
		for (int i = 0; i < doc->ntokens; i++)
		{
			doc->tokens[i].word = rare ? 1 : strong || (i == 0 && d % 3 > 0) ? 0 : 5;
			doc->tokens[i].position = i + 1;
		}
		label_vector(doc, ELAC_LABEL_D, &doc->vector);
	}
	split(&segments, 1);
	asked.query.nfields = 1;
	asked.query.fields = asked.fields;
	asked.query.nslots = 2;
	field->k1 = 1.2;
	field->b = 0.75;
	field->weight = 1;
	field->nterms = 2;
	field->terms = palloc0(2 * sizeof(ElacBm25Term));
	for (int t = 0; t < 2; t++)
	{
		asked.term_word[0][t] = t;
		field->terms[t].bytes = spelling[t];
		field->terms[t].len = strlen(spelling[t]);
		field->terms[t].qtf = t == 0 ? 20 : 1;
		field->terms[t].slot = t;
	}
	count_and_prepare(&segments, &asked);
	for (uint32 d = 0; d < segments.ndocs; d++)
	{
		scores[d] = naive_score(&segments.docs[d], 1, &asked);
		matches[d] = scores[d] > 0;
	}
	CHECK(scores[6202] > scores[3] && scores[3] > 1.5 * scores[1]);
	for (uint32 k = 1; k < 9; k++)
		check_segments(&segments, &asked, k, scores, matches, 0);
}

/* ---- peaks ---- */

#define PEAKS_DOCS 40000
#define PEAKS_WORDS 5			/* of the words that are asked for, the last one rare */

/*
 * Words that many documents have, more often in some stretches than in others:
 * the peaks of their lists score far more than the rest.
 */
static void
make_uneven(Segments *segments)
{
	static const double parts[PEAKS_WORDS] = {0.5, 0.3, 0.3, 0.3, 0.004};

	segments->ncolumns = 1;
	segments->ndocs = PEAKS_DOCS;
	segments->docs = palloc0(segments->ndocs * sizeof(Doc));
	for (uint32 d = 0; d < segments->ndocs; d++)
	{
		Doc		   *doc = &segments->docs[d];
		uint32		filler = elac_rng_below(&rng, 30);
		bool		second = false;

		doc->tokens = palloc0((filler + PEAKS_WORDS * 8) * sizeof(Token));
		for (int w = 0; w < PEAKS_WORDS; w++)
		{
			bool		strong = (d / 500 + w) % 7 == 3 && elac_rng_below(&rng, 20) == 0;
			int			tf = elac_rng_double(&rng) < parts[w] ? 1 + (elac_rng_below(&rng, 4) == 0) : 0;

			tf += strong ? 1 + elac_rng_below(&rng, 5) : 0;
			/* words 2 and 3 meet in few documents, and not where they are strong */
			second = second || (w == 2 && tf > 0);
			if (w == 3 && second)
				tf = elac_rng_below(&rng, 400) == 0;
			for (; tf > 0; tf--)
				doc->tokens[doc->ntokens++].word = (uint8) w;
		}
		for (; filler > 0; filler--)
			doc->tokens[doc->ntokens++].word = WORDS - 1;
		for (int i = doc->ntokens - 1; i > 0; i--)
		{
			int			j = (int) elac_rng_below(&rng, i + 1);
			uint8		word = doc->tokens[i].word;

			doc->tokens[i].word = doc->tokens[j].word;
			doc->tokens[j].word = word;
		}
		for (int i = 0; i < doc->ntokens; i++)
			doc->tokens[i].position = i + 1;
		label_vector(doc, ELAC_LABEL_D, &doc->vector);
	}
}

/* Items of a condition in the order they are stored: a word, or an operator, its right operand, its left one. */
static uint32
place_items(Asked *asked, const char **spec)
{
	TSQuery		condition = asked->query.condition;
	uint32		number = (uint32) condition->size++;
	QueryItem  *item = GETQUERY(condition) + number;
	char		c = *(*spec)++;

	if (c >= '0' && c <= '9')
	{
		item->type = QI_VAL;
		asked->word[number] = c - '0';
		return number;
	}
	item->type = QI_OPR;
	item->qoperator.oper = c == '&' ? OP_AND : c == '|' ? OP_OR : c == '!' ? OP_NOT : OP_PHRASE;
	item->qoperator.distance = 1;
	place_items(asked, spec);
	if (c != '!')
		item->qoperator.left = place_items(asked, spec) - number;
	return number;
}

/* Words score as often as they are in `words`; those of the condition that are not there do not. */
static void
ask_uneven(Asked *asked, const char *words, const char *condition, uint32 min_match)
{
	ElacBm25Field *field = &asked->fields[0];

	memset(asked, 0, sizeof(*asked));
	asked->query.nfields = 1;
	asked->query.fields = asked->fields;
	asked->query.min_match = min_match;
	asked->query.nslots = PEAKS_WORDS;
	field->k1 = 1.2;
	field->b = 0.75;
	field->weight = 1;
	field->terms = palloc0(PEAKS_WORDS * sizeof(ElacBm25Term));
	for (int i = 0; i < WORDS; i++)
	{
		int			w = words_by_bytes[i];
		ElacBm25Term *term = &field->terms[field->nterms];
		uint32		scores = 0;

		for (const char *c = words; *c != '\0'; c++)
			scores += *c == '0' + w;

		if (w >= PEAKS_WORDS || (scores == 0 && (condition == NULL || strchr(condition, '0' + w) == NULL)))
			continue;
		asked->term_word[0][field->nterms++] = w;
		term->bytes = spelling[w];
		term->len = strlen(spelling[w]);
		term->qtf = scores;
		term->slot = w;
	}
	if (condition == NULL)
		return;
	asked->query.condition = palloc0(HDRSIZETQ + MAX_ITEMS * sizeof(QueryItem));
	asked->query.operands = palloc(MAX_ITEMS * sizeof(int32));
	place_items(asked, &condition);
	for (int i = 0; i < asked->query.condition->size; i++)
		asked->query.operands[i] = GETQUERY(asked->query.condition)[i].type == QI_VAL ?
			(int32) field_term(asked, 0, asked->word[i], false) : -1;
}

/* least: so many blocks of a hundred are never decoded for the best three. */
static void
test_peaks(void)
{
	static const struct
	{
		const char *words;
		const char *condition;
		uint32		min_match;
		uint32		least;
	}			asks[] = {
		{"01", NULL, 0, 80}, {"0", NULL, 0, 90}, {"12", NULL, 0, 50}, {"012", NULL, 0, 0}, {"0123", NULL, 0, 0},
		{"04", NULL, 0, 60}, {"01234", NULL, 3, 0}, {"12", NULL, 2, 70}, {"01", "&01", 0, 40}, {"12", "&12", 0, 70},
		{"012", "&0&12", 0, 0}, {"04", "&04", 0, 60}, {"01", "&01", 0, 40}, {"01", "&!2&01", 0, 0}, {"12", "|12", 0, 50},
		{"12", "-12", 0, 0}, {"012", "&0|12", 0, 0}, {"1", "&01", 0, 0},
		{"2333333333", "&23", 0, 0}, {"0333333333", "&03", 0, 0}, {"012", "|&01&12", 0, 0}, {"0123", "|&0|&12&23&13", 0, 0}
	};
	static const uint32 ks[] = {1, 3, 10, 100, 1000, 10000};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Segments	segments;
	double	   *scores = palloc(PEAKS_DOCS * sizeof(double));
	bool	   *matches = palloc(PEAKS_DOCS * sizeof(bool));

	elac_rng_seed(&rng, 77);
	memset(&segments, 0, sizeof(segments));
	make_uneven(&segments);
	for (int i = 0; i < lengthof(asks); i++)
	{
		Asked		asked;
		long		failures = check_failures();

		split(&segments, i % 3 == 2 ? 3 : 1);
		segments.reverse = i % 2;
		ask_uneven(&asked, asks[i].words, asks[i].condition, asks[i].min_match);
		count_and_prepare(&segments, &asked);
		for (uint32 d = 0; d < segments.ndocs; d++)
		{
			scores[d] = naive_score(&segments.docs[d], 1, &asked);
			matches[d] = naive_matches(&segments.docs[d], 1, &asked);
		}
		for (int j = 0; j < lengthof(ks); j++)
		{
			ElacTextCounters before = elac_text_counters;
			uint64		decoded;
			uint64		passed;

			check_segments(&segments, &asked, ks[j], scores, matches, 0);
			decoded = elac_text_counters.blocks_decoded - before.blocks_decoded;
			passed = elac_text_counters.blocks_passed - before.blocks_passed;
			CHECK(ks[j] != 3 || passed * 100 >= (decoded + passed) * asks[i].least);
			check_segments(&segments, &asked, ks[j], scores, matches, 3);
		}
		if (check_failures() > failures)
			printf("asked %s, condition %s\n", asks[i].words, asks[i].condition != NULL ? asks[i].condition : "none");
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---- conditions of thousands of words ---- */

#define WIDE_WORDS 16384
#define WIDE_DOCS 70000			/* more than one window */

/* A condition over words from first on: one word, or a tree with this operator above those of the level below. */
static uint32
place_wide(Asked *asked, uint32 first, uint32 n, int oper, uint32 leaf, int leaf_oper)
{
	TSQuery		condition = asked->query.condition;
	uint32		number = (uint32) condition->size++;
	QueryItem  *item = GETQUERY(condition) + number;

	if (n == 1)
	{
		item->type = QI_VAL;
		asked->query.operands[number] = (int32) first;
		return number;
	}
	item->type = QI_OPR;
	item->qoperator.oper = n <= leaf ? leaf_oper : oper;
	item->qoperator.distance = 1;
	asked->query.operands[number] = -1;
	place_wide(asked, first + n / 2, n - n / 2, oper, leaf, leaf_oper);
	item->qoperator.left = place_wide(asked, first, n / 2, oper, leaf, leaf_oper) - number;
	return number;
}

/* Word number i is in the documents i, i + WIDE_WORDS, ... at position 1, and in those after them at position 2. */
static void
test_wide(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTextWriter *writer = elac_text_writer_begin(ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	char		(*names)[8] = palloc(WIDE_WORDS * 8);
	ElacTextReader *reader;
	ElacSectionWriter out;
	Built		built;
	Asked		asked;
	static const struct
	{
		uint32		nwords;
		int			oper;
		uint32		leaf;
		int			leaf_oper;
		uint32		matching;
	}			conditions[] = {
		{WIDE_WORDS, OP_OR, 1, OP_OR, WIDE_DOCS}, {WIDE_WORDS, OP_OR, 2, OP_AND, WIDE_DOCS / 2}, {WIDE_WORDS, OP_AND, 2, OP_OR, 0},
		{512, OP_OR, 2, OP_PHRASE, (WIDE_DOCS / WIDE_WORDS + 1) * 256}
	};

	for (uint32 i = 0; i < WIDE_WORDS; i++)
		snprintf(names[i], 8, "w%05u", i);
	for (uint32 d = 0; d < WIDE_DOCS; d++)
	{
		uint32		words[2] = {d % WIDE_WORDS, (d + WIDE_WORDS - 1) % WIDE_WORDS};
		uint16		positions[2] = {2, 1};
		ElacTerm	terms[2];
		ElacTermVector vector;

		memset(&vector, 0, sizeof(vector));
		memset(terms, 0, sizeof(terms));
		for (int i = 0; i < 2; i++)
		{
			ElacTerm   *term = &terms[i ^ (words[0] > words[1])];

			term->bytes = names[words[i]];
			term->len = 6;
			term->tf = term->npositions = 1;
			term->positions = &positions[i];
		}
		vector.nterms = vector.length = 2;
		vector.terms = terms;
		elac_text_writer_add(writer, &vector);
	}
	built_begin(&out);
	elac_text_writer_finish(writer, NULL, WIDE_DOCS, &out);
	built = built_end(&out);
	reader = elac_text_open(&built.section, WIDE_DOCS);
	memset(&asked, 0, sizeof(asked));
	asked.query.fields = asked.fields;
	asked.query.nfields = 1;
	asked.query.nslots = WIDE_WORDS;
	asked.fields[0].k1 = 1.2;
	asked.fields[0].b = 0.75;
	asked.fields[0].weight = 1;
	asked.fields[0].nterms = WIDE_WORDS;
	asked.fields[0].stats = elac_text_stats(reader);
	asked.fields[0].terms = palloc0(WIDE_WORDS * sizeof(ElacBm25Term));
	for (uint32 i = 0; i < WIDE_WORDS; i++)
	{
		ElacBm25Term *term = &asked.fields[0].terms[i];

		term->bytes = names[i];
		term->len = 6;
		term->qtf = 1;
		term->slot = i;
		term->df = WIDE_DOCS / WIDE_WORDS * 2;
	}
	elac_bm25_prepare(&asked.query);
	for (int i = 0; i < lengthof(conditions); i++)
	{
		ElacTextHeap *heap = elac_text_heap_create(10);
		ElacBitmap	found = new_bitmap(WIDE_DOCS);
		uint32		nhits;
		Size		before;

		asked.query.condition = palloc0(HDRSIZETQ + WIDE_WORDS * 2 * sizeof(QueryItem));
		asked.query.operands = palloc(WIDE_WORDS * 2 * sizeof(int32));
		place_wide(&asked, 0, conditions[i].nwords, conditions[i].oper, conditions[i].leaf, conditions[i].leaf_oper);
		before = pgshim_allocated();
		pgshim_allocated_most();
		elac_text_matches(&reader, &asked.query, &found);
		/* the words' lists are 3 kB each, a phrase has more; bitmaps of a large window for each node would be 256 MB */
		CHECK(pgshim_allocated_most() - before < 128 * 1024 * 1024);
		CHECK_EQ(elac_bitmap_count(&found), conditions[i].matching);
		if (i % 2 == 0)
			continue;
		elac_text_search(&reader, &asked.query, NULL, 0, heap);
		elac_text_heap_finish(heap, &nhits);
		CHECK_EQ(nhits, 10);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

int
main(void)
{
	pgshim_init();
	make_words();
	elac_peaks_postings = 0;	/* small segments are to be searched by them, too */
	test_queries(1, 40, 1, false, 60);
	test_queries(2, 300, 1, true, 60);
	test_queries(3, 300, 3, true, 60);
	test_queries(4, 20000, 1, false, 12);
	test_queries(5, 9000, 2, true, 12);
	test_groups();
	test_peaks();
	test_wide();
	return check_done();
}
