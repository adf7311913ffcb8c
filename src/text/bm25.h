/*
 * bm25.h
 *	  The ranking formula (Lucene 8+, notes in text/README.md):
 *
 *	  idf * tf / (tf + k1 * (1 - b + b * dl / avgdl))
 *	  idf = ln(1 + (N - n + 0.5) / (n + 0.5))
 *
 * dl is the document's length rounded to one byte as Lucene's SmallFloat does;
 * N counts documents with at least one lexeme in the field, n those with the
 * term, avgdl = sum of exact lengths / N.  Sums over segments and delta.
 *
 * What one term adds to one document is computed in floats and rounded to a
 * multiple of one quantum of the query, so that sums in doubles are exact:
 * they do not depend on the order in which terms are added.
 */
#ifndef ELAC_BM25_H
#define ELAC_BM25_H

#include "elacsym.h"

#include "tsearch/ts_type.h"

#include "base/kernels.h"
#include "text/analyze.h"

/* Statistics of one field over any set of documents; they add up. */
typedef struct ElacFieldStats
{
	uint64		ndocs;			/* documents with at least one lexeme */
	uint64		total_length;	/* sum of their lengths */
} ElacFieldStats;

/* One query term in one field. */
typedef struct ElacBm25Term
{
	const char *bytes;
	uint32		len;
	uint64		df;				/* summed over all sources */
	double		idf;			/* set by elac_bm25_prepare */
	float		weight;			/* idf * field weight * occurrences in the query; BM25F: of the lexeme in all
								 * fields, 0 where the field has no weight.  Terms of weight 0 do not score */
	uint32		group;			/* BM25F: which of the query's lexemes it is, the same in all fields */
	uint32		qtf;			/* occurrences that score; 0: the term is in the condition only */
	bool		prefix;			/* stands for all lexemes that begin with bytes: tf is the sum of theirs,
								 * df the number of documents that have one */
	uint32		slot;			/* which word of the query it stems from: for min_match */
} ElacBm25Term;

/* One field of a query. */
typedef struct ElacBm25Field
{
	int			column;			/* position in the schema */
	int			label;			/* ELAC_LABEL_D .. ELAC_LABEL_NONE */
	double		k1;
	double		b;
	double		weight;
	ElacFieldStats stats;
	uint32		nterms;
	ElacBm25Term *terms;		/* ascending by bytes, then prefix; distinct */
	float		norm[256];		/* per length byte: k1 * (1 - b + b * dl / avgdl); BM25F: (1 - b + b * dl / avgdl)
								 * / weight, by which a frequency is divided */
} ElacBm25Field;

/* How the scores of several fields become one; the numbers are in elacsym_query values. */
typedef enum ElacTextCombine
{
	ELAC_COMBINE_SUM = 0,
	ELAC_COMBINE_MAX = 1,		/* the best field's */
	ELAC_COMBINE_BM25F = 2		/* frequencies are added, weighted and normalised by field, then saturated once */
} ElacTextCombine;

/*
 * A text query over one or several fields.  A document matches when the
 * condition holds, or, without one, when it has terms of at least min_match
 * words in any of the fields.  One that does not match scores 0.
 */
typedef struct ElacBm25Query
{
	int			nfields;
	ElacBm25Field *fields;		/* by column; a tsvector column has up to five, by label */
	ElacTextCombine combine;
	uint32		nslots;			/* words of the query */
	uint32		min_match;		/* words that must match; 0 and 1: any */
	TSQuery		condition;		/* NULL: there is none */
	int32	   *operands;		/* of each item of the condition in each field, item * nfields + field: which of
								 * the field's terms it is, -1: none (an operator, or a label asked for) */
	/* set by elac_bm25_prepare */
	double		rounder;		/* x + rounder - rounder is x rounded to a multiple of the quantum */
	double		quantum;		/* a power of two; scores are multiples of it */
	uint32		ngroups;		/* BM25F: lexemes */
	float		k1;				/* BM25F: the fields', averaged by weight */
} ElacBm25Query;

/* Length to byte and back, as Lucene's SmallFloat.intToByte4 / byte4ToInt. */
extern uint8 elac_length_encode(uint32 length);
extern uint32 elac_length_decode(uint8 code);

/* Computes idf, weights, norms and the quantum once df and stats are complete. */
extern void elac_bm25_prepare(ElacBm25Query *query);

/*
 * What a term adds to a document that has it tf times; the kernels' bm25_add
 * computes the same to the bit.  For BM25F, tf is the lexeme's sum over the
 * fields of tf / norm, and norm is k1.
 */
static inline double
elac_bm25_contribution(float weight, float tf, float norm, double rounder)
{
	float		part = (weight * tf) / (tf + norm);

	return ((double) part + rounder) - rounder;
}

/* A count as it is scored: exact in a float. */
static inline float
elac_bm25_tf(uint32 tf)
{
	return (float) Min(tf, ELAC_BM25_TF_MAX);
}

/* Does one document match?  documents[f] is the whole value of field f's column. */
extern bool elac_bm25_matches(const ElacBm25Query *query, const ElacTermVector *documents);

/*
 * Score of one document given its term vectors (one per query field, of the
 * field's column), 0 when it does not match: what elac_text_search() finds, to
 * the bit.
 */
extern double elac_bm25_score(const ElacBm25Query *query, const ElacTermVector *documents);

#endif							/* ELAC_BM25_H */
