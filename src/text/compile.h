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
	bool		weighted;		/* weights[] replace the columns' own */
	float		weights[ELAC_MAX_COLUMNS];	/* by column asked */
	ElacTextCombine combine;
	uint32		min_match;		/* words that must match; 0 and 1: any; words only */
	bool		prefix;			/* the last word is a prefix; words only */
	text	   *words;			/* analysed as each column is; NULL when condition is set */
	TSQuery		condition;		/* lexemes as they are; NULL when words is set */
} ElacTextRequest;

/*
 * The query in CurrentMemoryContext, df and statistics still 0.  Raises when a
 * configuration is gone, or when a phrase is asked of a column without
 * positions.
 */
extern ElacBm25Query *elac_text_compile(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name);

#endif							/* ELAC_TEXT_COMPILE_H */
