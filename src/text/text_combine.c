/*
 * text_combine.c
 *	  Scores of a window's documents when the fields of a query are not simply
 *	  added: the best field's score, or BM25F.
 */
#include "postgres.h"

#include "base/kernels.h"
#include "text/text_eval.h"

struct ElacCombiner
{
	ElacTermSet *set;
	ElacTermReader **terms;		/* that score; by field (maximum) or by lexeme, then field (BM25F) */
	uint32		nterms;
	double	   *sums;			/* of one field; 0 between fields */
	float	   *freqs;			/* BM25F: of one lexeme; 0 between lexemes */
	uint8		touched[ELAC_WINDOW_WORDS];
};

static int
compare_by_lexeme(const void *a, const void *b)
{
	const ElacTermReader *x = *(ElacTermReader *const *) a;
	const ElacTermReader *y = *(ElacTermReader *const *) b;

	if (x->term->group != y->term->group)
		return x->term->group < y->term->group ? -1 : 1;
	return x->field_number - y->field_number;
}

ElacCombiner *
elac_combiner_create(ElacTermSet *set)
{
	ElacCombiner *combiner = palloc0(sizeof(ElacCombiner));

	combiner->set = set;
	combiner->terms = palloc(Max(set->nterms, 1) * sizeof(ElacTermReader *));
	for (uint32 i = 0; i < set->nterms; i++)
		if (set->terms[i].term->weight > 0)
			combiner->terms[combiner->nterms++] = &set->terms[i];
	if (set->query->combine == ELAC_COMBINE_BM25F)
	{
		qsort(combiner->terms, combiner->nterms, sizeof(ElacTermReader *), compare_by_lexeme);
		combiner->freqs = palloc0(ELAC_WINDOW * sizeof(float));
	}
	else
		combiner->sums = palloc0(ELAC_WINDOW * sizeof(double));
	return combiner;
}

/* The field's sums are complete: a document's score is its best field's. */
static void
finish_field(ElacCombiner *combiner, double *scores, uint8 *touched)
{
	for (uint32 word = 0; word < ELAC_WINDOW_WORDS; word++)
	{
		if (!combiner->touched[word])
			continue;
		combiner->touched[word] = 0;
		touched[word] = 1;
		for (uint32 i = word * 64; i < (word + 1) * 64; i++)
			scores[i] = Max(scores[i], combiner->sums[i]);
		memset(combiner->sums + word * 64, 0, 64 * sizeof(double));
	}
}

static void
score_maximum(ElacCombiner *combiner, const ElacWindow *window, double *scores, uint8 *touched)
{
	const ElacKernels *kernels = elac_kernels();
	double		rounder = combiner->set->query->rounder;

	for (uint32 i = 0; i < combiner->nterms; i++)
	{
		ElacTermReader *term = combiner->terms[i];
		const uint32 *docs;
		const uint32 *tfs;
		uint32		n;

		while ((n = elac_term_run(term, window, &docs, &tfs)) > 0)
			kernels->bm25_add(docs, tfs, n, window->first, elac_term_set_codes(combiner->set, term->field_number, window),
							  term->field->norm, term->term->weight, rounder, combiner->sums, combiner->touched);
		if (i + 1 == combiner->nterms || combiner->terms[i + 1]->field_number != term->field_number)
			finish_field(combiner, scores, touched);
	}
}

/* The lexeme's frequencies over all fields are complete. */
static void
finish_lexeme(ElacCombiner *combiner, float weight, double *scores, uint8 *touched)
{
	const ElacBm25Query *query = combiner->set->query;

	for (uint32 word = 0; word < ELAC_WINDOW_WORDS; word++)
	{
		if (!combiner->touched[word])
			continue;
		combiner->touched[word] = 0;
		touched[word] = 1;
		for (uint32 i = word * 64; i < (word + 1) * 64; i++)
			if (combiner->freqs[i] > 0)
				scores[i] += elac_bm25_contribution(weight, combiner->freqs[i], query->k1, query->rounder);
		memset(combiner->freqs + word * 64, 0, 64 * sizeof(float));
	}
}

static void
score_bm25f(ElacCombiner *combiner, const ElacWindow *window, double *scores, uint8 *touched)
{
	for (uint32 i = 0; i < combiner->nterms; i++)
	{
		ElacTermReader *term = combiner->terms[i];
		const uint32 *docs;
		const uint32 *tfs;
		uint32		n;

		while ((n = elac_term_run(term, window, &docs, &tfs)) > 0)
		{
			const uint8 *codes = elac_term_set_codes(combiner->set, term->field_number, window);

			for (uint32 j = 0; j < n; j++)
			{
				uint32		at = docs[j] - window->first;

				combiner->freqs[at] += elac_bm25_tf(tfs[j]) / term->field->norm[codes[at]];
				combiner->touched[at / 64] = 1;
			}
		}
		if (i + 1 == combiner->nterms || combiner->terms[i + 1]->term->group != term->term->group)
			finish_lexeme(combiner, term->term->weight, scores, touched);
	}
}

void
elac_combiner_score(ElacCombiner *combiner, const ElacWindow *window, double *scores, uint8 *touched)
{
	if (combiner->set->query->combine == ELAC_COMBINE_BM25F)
		score_bm25f(combiner, window, scores, touched);
	else
		score_maximum(combiner, window, scores, touched);
}
