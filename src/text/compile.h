/*
 * compile.h
 *	  From what a user asked (words, or a tsquery, over some columns) to a
 *	  query that can be run: fields, terms, condition.
 */
#ifndef ELAC_TEXT_COMPILE_H
#define ELAC_TEXT_COMPILE_H

#include "elacsym.h"

#include "text/bm25.h"

/* A text query as asked, before it is analysed. */
typedef struct ElacTextRequest
{
	int			ncolumns;		/* > 0 */
	int			columns[ELAC_MAX_COLUMNS];	/* positions in the schema, all BM25 columns */
	int			nweights;		/* 0: the index's own count */
	float		weights[ELAC_MAX_COLUMNS];	/* by column asked; of one tsvector column also by label, D C B A */
	ElacTextCombine combine;
	float		min_match;		/* words that must match, or, below 1, which share of them; words only */
	bool		prefix;			/* the last word is a prefix; words only */
	text	   *words;			/* analysed as each column is; NULL when condition is set */
	TSQuery		condition;		/* lexemes as they are; NULL when words is set */
} ElacTextRequest;

/* Has the condition phrases, which need positions? */
extern bool elac_text_has_phrase(TSQuery condition);

/*
 * The query in CurrentMemoryContext, df and statistics still 0.  Raises when a
 * configuration is gone, when the number of weights does not fit, or when a
 * phrase is asked of a column without positions.
 */
extern ElacBm25Query *elac_text_compile(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name);

#endif							/* ELAC_TEXT_COMPILE_H */
