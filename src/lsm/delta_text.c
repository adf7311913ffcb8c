/*
 * delta_text.c
 *	  Text queries over the rows of the delta: what the rows add to a query's
 *	  statistics, and which words of a query each row has.
 *
 * Owns nothing stored and takes no locks.  Works on the inverted texts that
 * the process keeps (lane_texts.c); of lanes whose texts are too large for
 * that, on the rows' term vectors, one after the other.  A score is never
 * computed here: the rows' term vectors, cut down to the words of the query,
 * are for elac_bm25_score() and elac_bm25_matches(), which see no others.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "base/bitmap.h"
#include "lsm/delta_view.h"

#define BOUND_SLACK (1.0 + 1e-6)	/* contributions are computed in floats */

void
elac_delta_view_load_texts(ElacDeltaView *view)
{
	if (view->texts_tried)
		return;
	for (int i = 0; i < view->nlanes; i++)
	{
		ElacDeltaViewLane *lane = &view->lanes[i];

		/* an error may have come between */
		if (lane->texts == NULL)
			lane->texts = elac_lane_texts_hold(view->index, view->uuid, view->type, lane->lane, lane->rows);
	}
	view->texts_tried = true;
}

/* ---- the terms of a query in one lane ---- */

typedef struct FoundTerm
{
	const ElacLaneTerm *term;
	double		weight;			/* of the query's words that it stands for */
} FoundTerm;

/* Terms found; a prefix may stand for many. */
typedef struct TextTerms
{
	uint32		nterms;
	uint32		room;
	FoundTerm  *terms;
} TextTerms;

static void
terms_add(TextTerms *found, const ElacLaneTerm *term, double weight)
{
	if (found->nterms == found->room)
	{
		found->room = Max(found->room * 2, 16);
		found->terms = found->terms == NULL ? palloc(found->room * sizeof(FoundTerm))
			: repalloc(found->terms, found->room * sizeof(FoundTerm));
	}
	found->terms[found->nterms].term = term;
	found->terms[found->nterms++].weight = weight;
}

static void
terms_find(TextTerms *found, const ElacLaneTexts *texts, const ElacBm25Field *field, const ElacBm25Term *term)
{
	const ElacLaneTerm *one;
	uint32		at = 0;

	if (!term->prefix)
	{
		one = elac_lane_texts_find(texts, field->column, field->label, term->bytes, term->len);
		if (one != NULL)
			terms_add(found, one, term->weight);
		return;
	}
	while ((one = elac_lane_texts_next(texts, field->column, field->label, term->bytes, term->len, &at)) != NULL)
		terms_add(found, one, term->weight);
}

/* ---- statistics ---- */

/* Rows below nrows that have one of the terms at least. */
static uint32
stats_count_rows(const TextTerms *found, uint32 nrows)
{
	ElacBitmap	rows;
	uint32		n;

	if (found->nterms == 0)
		return 0;
	if (found->nterms == 1)
		return elac_lane_term_count(found->terms[0].term, nrows);
	rows.nbits = nrows;
	rows.words = MemoryContextAllocExtended(CurrentMemoryContext, (elac_bitmap_words(nrows) + 1) * sizeof(uint64),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 t = 0; t < found->nterms; t++)
	{
		const ElacLaneTerm *term = found->terms[t].term;
		const ElacLanePosting *postings = elac_lane_term_postings(term);

		for (uint32 i = 0; i < term->npostings && postings[i].row < nrows; i++)
			elac_bitmap_set(&rows, postings[i].row);
	}
	n = elac_bitmap_count(&rows);
	pfree(rows.words);
	return n;
}

static void
stats_add_kept(const ElacDeltaViewLane *lane, ElacBm25Query *query)
{
	uint32		nrows = lane->lane->ndocs;
	TextTerms	found = {0};

	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		ElacFieldStats stats = elac_lane_texts_stats(lane->texts, field->column, field->label, nrows);

		field->stats.ndocs += stats.ndocs;
		field->stats.total_length += stats.total_length;
		for (uint32 t = 0; t < field->nterms; t++)
		{
			found.nterms = 0;
			terms_find(&found, lane->texts, field, &field->terms[t]);
			field->terms[t].df += stats_count_rows(&found, nrows);
		}
	}
	if (found.terms != NULL)
		pfree(found.terms);
}

/* Whether a document has a term of a query. */
static bool
document_has(const ElacTermVector *document, const ElacBm25Term *term)
{
	uint32		low = 0;
	uint32		high = document->nterms;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (elac_term_compare(document->terms[middle].bytes, document->terms[middle].len, term->bytes, term->len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == document->nterms || document->terms[low].len < term->len)
		return false;
	return (term->prefix || document->terms[low].len == term->len) &&
		memcmp(document->terms[low].bytes, term->bytes, term->len) == 0;
}

static void
stats_add_row(ElacDeltaView *view, ElacDoc doc, ElacBm25Query *query)
{
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = elac_terms_label(elac_delta_terms(view, doc, field->column), field->label);

		if (document->nterms == 0)
			continue;
		field->stats.ndocs++;
		field->stats.total_length += document->length;
		for (uint32 t = 0; t < field->nterms; t++)
			if (document_has(document, &field->terms[t]))
				field->terms[t].df++;
	}
}

void
elac_delta_text_stats(ElacDeltaView *view, ElacBm25Query *query)
{
	elac_delta_view_load_texts(view);
	for (int i = 0; i < view->nlanes; i++)
	{
		const ElacDeltaViewLane *lane = &view->lanes[i];

		if (lane->texts != NULL)
		{
			stats_add_kept(lane, query);
			continue;
		}
		for (uint32 row = 0; row < lane->lane->ndocs; row++)
		{
			CHECK_FOR_INTERRUPTS();
			stats_add_row(view, lane->first + row, query);
		}
	}
}

/* ---- the rows' words ---- */

/* A term of the query that a row has. */
typedef struct TextHit
{
	const char *bytes;
	uint32		len;
	uint32		tf;
	uint32		positions;		/* for elac_lane_texts_positions() */
	uint32		vector;			/* of ElacDeltaText.vectors */
} TextHit;

struct ElacDeltaText
{
	ElacDeltaView *view;
	const ElacBm25Query *query;
	ElacTermVector *documents;	/* by field of the query, of the row last asked for */
	ElacTerm   *terms;			/* of vectors, of that row */
	int			ncolumns;		/* that the query asks for */
	int			columns[ELAC_MAX_COLUMNS];
	bool		labelled[ELAC_MAX_COLUMNS]; /* by number in columns */
	ElacTermVector (*vectors)[ELAC_LABELS]; /* of that row, by number in columns */
	uint32	   *first_hit;		/* by row, and one more */
	double	   *bounds;			/* by row: weights of its hits */
	TextHit    *hits;			/* row by row, within one by column, label and bytes */
};

/* What the query asks of one lane, in the order in which a row's hits are wanted. */
typedef struct LaneTerms
{
	const ElacDeltaViewLane *lane;
	uint32		ends[ELAC_MAX_COLUMNS * ELAC_LABELS];	/* of found, by vector */
	TextTerms	found;
} LaneTerms;

static int
compare_terms(const void *a, const void *b)
{
	const ElacLaneTerm *x = ((const FoundTerm *) a)->term;
	const ElacLaneTerm *y = ((const FoundTerm *) b)->term;

	return elac_term_compare(x->bytes, x->len, y->bytes, y->len);
}

/* Puts the terms from `first` on in order, each once: words and prefixes may mean the same ones. */
static void
terms_sort(TextTerms *found, uint32 first)
{
	uint32		n = first;

	if (found->nterms - first < 2)
		return;
	qsort(found->terms + first, found->nterms - first, sizeof(FoundTerm), compare_terms);
	for (uint32 i = first; i < found->nterms; i++)
	{
		if (n > first && found->terms[n - 1].term == found->terms[i].term)
			found->terms[n - 1].weight += found->terms[i].weight;
		else
			found->terms[n++] = found->terms[i];
	}
	found->nterms = n;
}

static void
text_find_lane(const ElacDeltaText *text, LaneTerms *terms)
{
	const ElacBm25Query *query = text->query;

	for (int v = 0; v < text->ncolumns * ELAC_LABELS; v++)
	{
		uint32		first = terms->found.nterms;

		for (int f = 0; f < query->nfields; f++)
		{
			const ElacBm25Field *field = &query->fields[f];

			if (field->column != text->columns[v / ELAC_LABELS] || field->label != v % ELAC_LABELS)
				continue;
			for (uint32 t = 0; t < field->nterms; t++)
				terms_find(&terms->found, terms->lane->texts, field, &field->terms[t]);
		}
		terms_sort(&terms->found, first);
		terms->ends[v] = terms->found.nterms;
	}
}

/* Counts a lane's hits, each at the row after its own, and sums their weights. */
static void
text_count_hits(ElacDeltaText *text, const LaneTerms *terms)
{
	uint32		nrows = terms->lane->lane->ndocs;
	uint32	   *counts = text->first_hit + terms->lane->first + 1;
	double	   *bounds = text->bounds + terms->lane->first;

	for (uint32 t = 0; t < terms->found.nterms; t++)
	{
		const FoundTerm *found = &terms->found.terms[t];
		const ElacLanePosting *postings = elac_lane_term_postings(found->term);
		uint32		n = elac_lane_term_count(found->term, nrows);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < n; i++)
		{
			counts[postings[i].row]++;
			bounds[postings[i].row] += found->weight;
		}
	}
}

/* Fills in a lane's hits; next is by row of the view. */
static void
text_put_hits(ElacDeltaText *text, const LaneTerms *terms, uint32 *next)
{
	uint32		nrows = terms->lane->lane->ndocs;
	uint32		vector = 0;

	next += terms->lane->first;
	for (uint32 t = 0; t < terms->found.nterms; t++)
	{
		const ElacLaneTerm *term = terms->found.terms[t].term;
		const ElacLanePosting *postings = elac_lane_term_postings(term);
		uint32		n = elac_lane_term_count(term, nrows);

		CHECK_FOR_INTERRUPTS();
		while (terms->ends[vector] <= t)
			vector++;
		for (uint32 i = 0; i < n; i++)
		{
			TextHit    *hit = &text->hits[next[postings[i].row]++];

			hit->bytes = term->bytes;
			hit->len = term->len;
			hit->tf = postings[i].tf;
			hit->positions = postings[i].positions;
			hit->vector = vector;
		}
	}
}

/* From counts to places, and the most that one row has. */
static uint32
text_sum_hits(ElacDeltaText *text)
{
	uint64		sum = 0;
	uint32		most = 0;

	for (uint32 doc = 0; doc <= text->view->ndocs; doc++)
	{
		most = Max(most, text->first_hit[doc]);
		sum += text->first_hit[doc];
		text->first_hit[doc] = (uint32) sum;
	}
	/* as many as postings are kept, which memory bounds far below */
	Assert(sum <= PG_UINT32_MAX);
	return most;
}

/* Sorts the postings of the query's terms by row. */
static void
text_fill(ElacDeltaText *text)
{
	ElacDeltaView *view = text->view;
	LaneTerms  *lanes = palloc0(Max(view->nlanes, 1) * sizeof(LaneTerms));
	Size		size = ((Size) view->ndocs + 1) * sizeof(uint32);
	uint32	   *next = MemoryContextAllocHuge(CurrentMemoryContext, size);

	text->bounds = MemoryContextAllocExtended(CurrentMemoryContext, mul_size((Size) view->ndocs + 1, sizeof(double)),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	text->first_hit = MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < view->nlanes; i++)
	{
		lanes[i].lane = &view->lanes[i];
		if (view->lanes[i].texts == NULL)
			continue;
		text_find_lane(text, &lanes[i]);
		text_count_hits(text, &lanes[i]);
	}
	text->terms = palloc_extended(mul_size((Size) text_sum_hits(text) + 1, sizeof(ElacTerm)), MCXT_ALLOC_HUGE);
	text->hits = palloc_extended(mul_size((Size) text->first_hit[view->ndocs] + 1, sizeof(TextHit)), MCXT_ALLOC_HUGE);
	memcpy(next, text->first_hit, size);
	for (int i = 0; i < view->nlanes; i++)
	{
		if (lanes[i].found.terms == NULL)
			continue;
		text_put_hits(text, &lanes[i], next);
		pfree(lanes[i].found.terms);
	}
	pfree(next);
	pfree(lanes);
}

/* The number of a column in text->columns. */
static int
text_column(const ElacDeltaText *text, int column)
{
	int			i = 0;

	while (i < text->ncolumns && text->columns[i] != column)
		i++;
	return i;
}

ElacDeltaText *
elac_delta_text_begin(ElacDeltaView *view, const ElacBm25Query *query)
{
	ElacDeltaText *text = palloc0(sizeof(ElacDeltaText));

	elac_delta_view_load_texts(view);
	text->view = view;
	text->query = query;
	text->documents = palloc0(Max(query->nfields, 1) * sizeof(ElacTermVector));
	for (int f = 0; f < query->nfields; f++)
	{
		int			column = query->fields[f].column;
		int			i = text_column(text, column);

		if (i < text->ncolumns)
			continue;
		text->columns[i] = column;
		text->labelled[i] = view->type->schema->columns[column].element == ELAC_TEXT_TSVECTOR;
		text->ncolumns++;
	}
	text->vectors = palloc0(Max(text->ncolumns, 1) * sizeof(*text->vectors));
	text_fill(text);
	return text;
}

ElacDoc
elac_delta_text_next(const ElacDeltaText *text, ElacDoc doc)
{
	const ElacDeltaView *view = text->view;

	for (int i = 0; i < view->nlanes; i++)
	{
		const ElacDeltaViewLane *lane = &view->lanes[i];
		ElacDoc		end = lane->first + lane->lane->ndocs;

		if (doc >= end)
			continue;
		if (lane->texts == NULL)
			return doc;
		while (doc < end && text->first_hit[doc] == text->first_hit[doc + 1])
			doc++;
		if (doc < end)
			return doc;
	}
	return view->ndocs;
}

double
elac_delta_text_bound(ElacDeltaText *text, ElacDoc doc)
{
	uint32		row;

	/* what a term adds is a part of its weight, rounded to a multiple of the quantum */
	return elac_delta_view_lane(text->view, doc, &row)->texts == NULL ? get_float8_infinity()
		: text->bounds[doc] * BOUND_SLACK + (text->first_hit[doc + 1] - text->first_hit[doc]) * text->query->quantum;
}

/* Makes the vectors of a row whose texts are kept. */
static void
text_make_vectors(ElacDeltaText *text, const ElacDeltaViewLane *lane, ElacDoc doc)
{
	uint32		row = doc - lane->first;
	uint32		end = text->first_hit[doc + 1];
	uint32		h = text->first_hit[doc];
	ElacTerm   *terms = text->terms;

	for (int c = 0; c < text->ncolumns; c++)
	{
		for (int label = 0; label < (text->labelled[c] ? ELAC_LABELS : 1); label++)
		{
			ElacTermVector *vector = &text->vectors[c][label];

			vector->isnull = elac_lane_texts_isnull(lane->texts, row, text->columns[c]);
			vector->length = elac_lane_texts_length(lane->texts, row, text->columns[c], label);
			vector->terms = terms;
			for (; h < end && text->hits[h].vector == c * ELAC_LABELS + label; h++, terms++)
			{
				const TextHit *hit = &text->hits[h];

				terms->bytes = hit->bytes;
				terms->len = hit->len;
				terms->tf = hit->tf;
				terms->positions = elac_lane_texts_positions(lane->texts, hit->positions, &terms->npositions);
			}
			vector->nterms = (uint32) (terms - vector->terms);
		}
		text->vectors[c][0].labels = text->labelled[c] ? &text->vectors[c][1] : NULL;
	}
	Assert(h == end);
}

const ElacTermVector *
elac_delta_text_documents(ElacDeltaText *text, ElacDoc doc)
{
	const ElacBm25Query *query = text->query;
	uint32		row;
	const ElacDeltaViewLane *lane = elac_delta_view_lane(text->view, doc, &row);

	if (lane->texts != NULL)
		text_make_vectors(text, lane, doc);
	for (int f = 0; f < query->nfields; f++)
	{
		int			column = query->fields[f].column;

		text->documents[f] = lane->texts != NULL ? text->vectors[text_column(text, column)][0]
			: *elac_delta_terms(text->view, doc, column);
	}
	return text->documents;
}

/* ---- conditions ---- */

typedef struct ElacDeltaMatch
{
	struct ElacDeltaMatch *next;
	const ElacBm25Query *query;
	ElacDeltaText *text;
	bool		without;		/* does a row match that has none of the words? */
} ElacDeltaMatch;

static const ElacDeltaMatch *
match_get(ElacDeltaView *view, const ElacBm25Query *query)
{
	MemoryContext old;
	ElacDeltaMatch *match;

	for (match = view->matches; match != NULL; match = match->next)
		if (match->query == query)
			return match;
	old = MemoryContextSwitchTo(view->context);
	match = palloc0(sizeof(ElacDeltaMatch));
	match->query = query;
	match->text = elac_delta_text_begin(view, query);
	memset(match->text->documents, 0, query->nfields * sizeof(ElacTermVector));
	match->without = elac_bm25_matches(query, match->text->documents);
	match->next = view->matches;
	view->matches = match;
	MemoryContextSwitchTo(old);
	return match;
}

bool
elac_delta_text_matches(ElacDeltaView *view, const ElacBm25Query *query, ElacDoc doc)
{
	const ElacDeltaMatch *match = match_get(view, query);
	const ElacDeltaText *text = match->text;
	uint32		row;

	if (elac_delta_view_lane(view, doc, &row)->texts != NULL && text->first_hit[doc] == text->first_hit[doc + 1])
		return match->without;
	return elac_bm25_matches(query, elac_delta_text_documents(match->text, doc));
}

bool
elac_delta_text_isnull(ElacDeltaView *view, ElacDoc doc, int column)
{
	uint32		row;
	const ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);

	elac_delta_view_load_texts(view);
	return lane->texts != NULL ? elac_lane_texts_isnull(lane->texts, row, column)
		: elac_delta_terms(view, doc, column)->isnull;
}
