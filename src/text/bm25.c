/*
 * bm25.c
 *	  Length bytes, query preparation and the exhaustive score of one document.
 *	  The formula itself is elac_bm25_contribution() in bm25.h.
 */
#include "postgres.h"

#include <math.h>

#include "text/bm25.h"
#include "text/text_condition.h"

/*
 * Lucene's SmallFloat.intToByte4: lengths below FREE_VALUES are their own code,
 * longer ones a floating-point number with a mantissa of three stored bits and
 * an implicit one.  FREE_VALUES is what the largest int leaves unused of 256
 * codes.
 */
#define FREE_VALUES 24

static uint32
mantissa_encode(uint32 value)
{
	int			shift;

	if (value < 8)
		return value;
	shift = 31 - __builtin_clz(value) - 3;
	return ((value >> shift) & 7) | ((uint32) (shift + 1) << 3);
}

uint8
elac_length_encode(uint32 length)
{
	uint32		value = Min(length, (uint32) INT32_MAX);

	if (value < FREE_VALUES)
		return (uint8) value;
	return (uint8) (FREE_VALUES + mantissa_encode(value - FREE_VALUES));
}

uint32
elac_length_decode(uint8 code)
{
	uint32		value;

	if (code < FREE_VALUES)
		return code;
	value = code - FREE_VALUES;
	if (value < 16)
		return FREE_VALUES + value;
	return FREE_VALUES + (((value & 7) | 8) << ((value >> 3) - 1));
}

/* Weights above, or divisors below, would overflow in the formula; no ranking needs them. */
#define WEIGHT_MAX 1e25
#define NORM_MIN 1e-12

/* What a document that is full of nothing but the term gets. */
static float
term_weight(double ndocs, double df, double factor, double *idf)
{
	df = Min(df, ndocs);
	*idf = log(1.0 + (ndocs - df + 0.5) / (df + 0.5));
	return (float) Min(*idf * factor, WEIGHT_MAX);
}

static void
prepare_norms(ElacBm25Field *field, ElacTextCombine combine)
{
	double		ndocs = (double) field->stats.ndocs;
	double		average = field->stats.ndocs > 0 ? (double) field->stats.total_length / ndocs : 0.0;

	for (int code = 0; code < 256; code++)
	{
		/* With no document there is no average, and nothing to be scored. */
		double		ratio = average > 0 ? elac_length_decode((uint8) code) / average : 1.0;
		double		norm = 1.0 - field->b + field->b * ratio;

		/* A field without weight is not looked at. */
		if (combine == ELAC_COMBINE_BM25F)
			field->norm[code] = (float) (field->weight > 0 ? Max(norm / field->weight, NORM_MIN) : 1.0);
		else
			field->norm[code] = (float) (field->k1 * norm);
	}
}

/* Number of the term among field's that has the bytes of another's; nterms when there is none. */
static uint32
find_lexeme(const ElacBm25Field *field, const ElacBm25Term *wanted)
{
	uint32		low = 0;
	uint32		high = field->nterms;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		const ElacBm25Term *term = &field->terms[middle];
		int			order = elac_term_compare(term->bytes, term->len, wanted->bytes, wanted->len);

		if (order == 0)
			order = (int) term->prefix - (int) wanted->prefix;
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return field->nterms;
}

/* BM25F: numbers lexemes over all fields; each has the df and N of the field where they are largest. */
static void
prepare_groups(ElacBm25Query *query)
{
	double		weights = 0;
	double		k1 = 0;
	double		ndocs = 0;

	query->ngroups = 0;
	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];

		if (!(field->weight > 0))
			continue;
		weights += field->weight;
		k1 += field->weight * field->k1;
		ndocs = Max(ndocs, (double) field->stats.ndocs);
	}
	query->k1 = weights > 0 ? (float) (k1 / weights) : 0;
	for (int f = 0; f < query->nfields; f++)
		for (uint32 t = 0; t < query->fields[f].nterms; t++)
			query->fields[f].terms[t].group = UINT32_MAX;
	for (int f = 0; f < query->nfields; f++)
		for (uint32 t = 0; t < query->fields[f].nterms; t++)
		{
			ElacBm25Term *term = &query->fields[f].terms[t];
			uint64		df = 0;
			uint32		qtf = 0;

			if (term->group != UINT32_MAX)
				continue;
			for (int pass = 0; pass < 2; pass++)
				for (int g = f; g < query->nfields; g++)
				{
					ElacBm25Field *field = &query->fields[g];
					uint32		i = find_lexeme(field, term);

					if (i == field->nterms)
						continue;
					if (pass == 0 && field->weight > 0)
					{
						df = Max(df, field->terms[i].df);
						qtf = Max(qtf, field->terms[i].qtf);
					}
					if (pass == 1)
					{
						ElacBm25Term *same = &field->terms[i];

						same->group = query->ngroups;
						same->weight = term_weight(ndocs, (double) df, qtf, &same->idf);
						if (!(field->weight > 0))
							same->weight = 0;
					}
				}
			query->ngroups++;
		}
}

/* The quantum is so small beside the sum of all weights that every sum of contributions fits a double. */
static void
prepare_quantum(ElacBm25Query *query)
{
	double		sum = 0;
	int			exponent;

	for (int f = 0; f < query->nfields; f++)
		for (uint32 t = 0; t < query->fields[f].nterms; t++)
			sum += query->fields[f].terms[t].weight;
	if (!(sum > 0))
		sum = 1.0;
	frexp(sum, &exponent);
	query->quantum = ldexp(1.0, exponent - 50);
	query->rounder = ldexp(1.5, exponent + 2);
}

void
elac_bm25_prepare(ElacBm25Query *query)
{
	query->ngroups = 0;
	query->k1 = 0;
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];

		prepare_norms(field, query->combine);
		for (uint32 t = 0; t < field->nterms; t++)
		{
			ElacBm25Term *term = &field->terms[t];

			term->group = 0;
			term->weight = term_weight((double) field->stats.ndocs, (double) term->df, field->weight * term->qtf, &term->idf);
		}
	}
	if (query->combine == ELAC_COMBINE_BM25F)
		prepare_groups(query);
	prepare_quantum(query);
}

/* ---- one document ---- */

static inline bool
has_prefix(const ElacTerm *lexeme, const ElacBm25Term *term)
{
	return lexeme->len >= term->len && memcmp(lexeme->bytes, term->bytes, term->len) == 0;
}

/*
 * First lexeme at or after `from` that is not below a term.  Steps of doubling
 * length, then bisection: a query's few terms in a long document cost little,
 * and in a short one no more than a walk.
 */
static uint32
document_seek(const ElacTermVector *document, const ElacBm25Term *term, uint32 from)
{
	uint32		low = from;
	uint32		step = 1;
	uint32		high;

#define BELOW(i) (elac_term_compare(document->terms[i].bytes, document->terms[i].len, term->bytes, term->len) < 0)
	while (low < document->nterms && document->nterms - low > step && BELOW(low + step - 1))
	{
		low += step;
		step *= 2;
	}
	high = document->nterms - low > step ? low + step : document->nterms;
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (BELOW(middle))
			low = middle + 1;
		else
			high = middle;
	}
#undef BELOW
	return low;
}

/* How often a document has a term that is not before lexeme *from, which moves there. */
static uint32
document_tf(const ElacTermVector *document, const ElacBm25Term *term, uint32 *from)
{
	uint64		tf = 0;

	*from = document_seek(document, term, *from);
	if (!term->prefix)
	{
		const ElacTerm *lexeme = &document->terms[*from];

		return *from < document->nterms && lexeme->len == term->len &&
			memcmp(lexeme->bytes, term->bytes, term->len) == 0 ? lexeme->tf : 0;
	}
	for (uint32 i = *from; i < document->nterms && has_prefix(&document->terms[i], term); i++)
		tf += document->terms[i].tf;
	return (uint32) Min(tf, UINT32_MAX);
}

/* What a document is to a query: its vector in each field. */
typedef struct BoundDocument
{
	const ElacBm25Query *query;
	const ElacTermVector *documents;
} BoundDocument;

static inline const ElacTermVector *
document_field(const BoundDocument *bound, int field)
{
	return elac_terms_label(&bound->documents[field], bound->query->fields[field].label);
}

static bool
document_has(void *arg, int field, uint32 term)
{
	uint32		from = 0;

	return document_tf(document_field(arg, field), &((BoundDocument *) arg)->query->fields[field].terms[term], &from) > 0;
}

static uint32
document_positions(void *arg, int field, uint32 number, uint16 *dst)
{
	const ElacTermVector *document = document_field(arg, field);
	const ElacBm25Term *term = &((BoundDocument *) arg)->query->fields[field].terms[number];
	ElacPositionSet set;
	uint32		from = 0;

	if (document_tf(document, term, &from) == 0)
		return 0;
	memset(&set, 0, sizeof(set));
	for (uint32 i = from; i < document->nterms && has_prefix(&document->terms[i], term); i++)
	{
		if (document->terms[i].npositions == 0)
			return 0;
		elac_positions_add(&set, document->terms[i].positions, document->terms[i].npositions);
		if (!term->prefix)
			break;
	}
	return elac_positions_list(&set, dst);
}

static bool
document_condition(const ElacBm25Query *query, const ElacTermVector *documents)
{
	BoundDocument bound = {query, documents};
	ElacTextEvidence evidence = {query, &bound, document_has, document_positions};
	bool		isnull = true;

	/* nothing matches a row without any text, not even a condition without positive words */
	for (int f = 0; f < query->nfields; f++)
		isnull = isnull && documents[f].isnull;
	return !isnull && elac_text_condition_holds(&evidence);
}

#define SLOTS_ON_STACK 1024

/* Does it have terms of at least `wanted` words? */
static bool
document_slots(const ElacBm25Query *query, const ElacTermVector *documents, uint32 wanted)
{
	BoundDocument bound = {query, documents};
	uint64		on_stack[SLOTS_ON_STACK / 64];
	uint64	   *seen = on_stack;
	uint32		n = 0;

	if (query->nslots > SLOTS_ON_STACK)
		seen = palloc0(((Size) query->nslots / 64 + 1) * sizeof(uint64));
	else
		memset(on_stack, 0, sizeof(on_stack));
	for (int f = 0; f < query->nfields && n < wanted; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = document_field(&bound, f);
		uint32		from = 0;

		for (uint32 t = 0; t < field->nterms && n < wanted; t++)
		{
			const ElacBm25Term *term = &field->terms[t];
			uint64		bit = UINT64CONST(1) << (term->slot % 64);

			if (!(term->weight > 0) || term->slot >= query->nslots || (seen[term->slot / 64] & bit) != 0)
				continue;
			if (document_tf(document, term, &from) > 0)
			{
				seen[term->slot / 64] |= bit;
				n++;
			}
		}
	}
	if (seen != on_stack)
		pfree(seen);
	return n >= wanted;
}

bool
elac_bm25_matches(const ElacBm25Query *query, const ElacTermVector *documents)
{
	if (query->condition != NULL)
		return document_condition(query, documents);
	if (query->min_match > 1)
		return document_slots(query, documents, query->min_match);
	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = elac_terms_label(&documents[f], field->label);
		uint32		from = 0;

		for (uint32 t = 0; t < field->nterms && from < document->nterms; t++)
			if (field->terms[t].weight > 0 && document_tf(document, &field->terms[t], &from) > 0)
				return true;
	}
	return false;
}

#define GROUPS_ON_STACK 128

/* BM25F: the frequency of each lexeme over the fields, in their order, then saturated. */
static double
document_bm25f(const ElacBm25Query *query, const ElacTermVector *documents)
{
	float		on_stack[GROUPS_ON_STACK];
	float	   *freqs = on_stack;
	double		score = 0.0;

	if (query->ngroups > GROUPS_ON_STACK)
		freqs = palloc((Size) query->ngroups * sizeof(float));
	memset(freqs, 0, query->ngroups * sizeof(float));
	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = elac_terms_label(&documents[f], field->label);
		float		norm = field->norm[elac_length_encode(document->length)];
		uint32		from = 0;

		for (uint32 t = 0; t < field->nterms && from < document->nterms; t++)
		{
			const ElacBm25Term *term = &field->terms[t];
			uint32		tf = term->weight > 0 ? document_tf(document, term, &from) : 0;

			if (tf > 0)
				freqs[term->group] += elac_bm25_tf(tf) / norm;
		}
	}
	for (int f = 0; f < query->nfields; f++)
		for (uint32 t = 0; t < query->fields[f].nterms; t++)
		{
			const ElacBm25Term *term = &query->fields[f].terms[t];

			if (!(term->weight > 0) || !(freqs[term->group] > 0))
				continue;
			score += elac_bm25_contribution(term->weight, freqs[term->group], query->k1, query->rounder);
			freqs[term->group] = 0;
		}
	if (freqs != on_stack)
		pfree(freqs);
	return score;
}

static double
document_fields(const ElacBm25Query *query, const ElacTermVector *documents)
{
	double		score = 0.0;

	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = elac_terms_label(&documents[f], field->label);
		float		norm = field->norm[elac_length_encode(document->length)];
		double		sum = 0.0;
		uint32		from = 0;

		for (uint32 t = 0; t < field->nterms && from < document->nterms; t++)
		{
			const ElacBm25Term *term = &field->terms[t];
			uint32		tf = term->weight > 0 ? document_tf(document, term, &from) : 0;

			if (tf > 0)
				sum += elac_bm25_contribution(term->weight, elac_bm25_tf(tf), norm, query->rounder);
		}
		score = query->combine == ELAC_COMBINE_MAX ? Max(score, sum) : score + sum;
	}
	return score;
}

double
elac_bm25_score(const ElacBm25Query *query, const ElacTermVector *documents)
{
	double		score = query->combine == ELAC_COMBINE_BM25F ? document_bm25f(query, documents) :
		document_fields(query, documents);

	if (score > 0 && (query->condition != NULL || query->min_match > 1) && !elac_bm25_matches(query, documents))
		return 0.0;
	return score;
}
