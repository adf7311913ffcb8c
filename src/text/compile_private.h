/*
 * compile_private.h
 *	  What the files that compile text requests share.
 */
#ifndef ELAC_COMPILE_PRIVATE_H
#define ELAC_COMPILE_PRIVATE_H

#include "text/compile.h"

/* Which columns an item of a condition is for. */
typedef enum ElacBigramItem
{
	ELAC_BIGRAM_BOTH,			/* all */
	ELAC_BIGRAM_WITH,			/* columns with ELAC_TEXT_BIGRAMS */
	ELAC_BIGRAM_WITHOUT			/* columns without */
} ElacBigramItem;

/*
 * The request's condition as it is asked of columns with bigrams: an operand
 * that these analyse into several lexemes is their phrase there.  *items says
 * of each item which columns it is for (NULL: of all).  A new tsquery in
 * CurrentMemoryContext.
 */
extern TSQuery elac_text_bigram_condition(const ElacSchema *schema, const ElacTextRequest *request,
										  ElacBigramItem **items);

#endif							/* ELAC_COMPILE_PRIVATE_H */
