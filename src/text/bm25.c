/*
 * bm25.c
 *	  Length bytes, query preparation and the exhaustive score of one document.
 *	  The formula itself is elac_bm25_term_score() in bm25.h.
 */
#include "postgres.h"

#include <math.h>

#include "text/bm25.h"

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

void
elac_bm25_field_init(ElacBm25Field *field, int column, const ElacColumn *schema, const ElacTermVector *query)
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

void
elac_bm25_prepare(ElacBm25Query *query)
{
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		double		ndocs = (double) field->stats.ndocs;
		double		average = field->stats.ndocs > 0 ? (double) field->stats.total_length / ndocs : 0.0;

		for (int code = 0; code < 256; code++)
		{
			/* With no document there is no average, and nothing to be scored. */
			double		ratio = average > 0 ? elac_length_decode((uint8) code) / average : 1.0;

			field->norm[code] = field->k1 * (1.0 - field->b + field->b * ratio);
		}
		for (uint32 i = 0; i < field->nterms; i++)
		{
			ElacBm25Term *term = &field->terms[i];
			double		df = Min((double) term->df, ndocs);

			term->idf = log(1.0 + (ndocs - df + 0.5) / (df + 0.5));
			term->weight = term->idf * field->weight * term->qtf;
		}
	}
}

bool
elac_bm25_matches(const ElacBm25Query *query, const ElacTermVector *documents)
{
	return elac_bm25_score(query, documents) > 0;
}

double
elac_bm25_score(const ElacBm25Query *query, const ElacTermVector *documents)
{
	double		score = 0.0;

	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		const ElacTermVector *document = &documents[f];
		uint8		code = elac_length_encode(document->length);
		uint32		j = 0;

		/* Both are sorted: one pass over the two. */
		for (uint32 i = 0; i < field->nterms && j < document->nterms; i++)
		{
			const ElacBm25Term *term = &field->terms[i];
			int			cmp = -1;

			while (j < document->nterms &&
				   (cmp = elac_term_compare(document->terms[j].bytes, document->terms[j].len,
											term->bytes, term->len)) < 0)
				j++;
			if (j < document->nterms && cmp == 0 && term->weight > 0)
				score += elac_bm25_term_score(field, term, document->terms[j].tf, code);
		}
	}
	return score;
}
