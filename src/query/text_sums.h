/*
 * text_sums.h
 *	  Private to query/: what the leaf indexes of a partitioned index added to
 *	  the statistics of text queries before.
 */
#ifndef ELAC_TEXT_SUMS_H
#define ELAC_TEXT_SUMS_H

#include "query/query.h"

/*
 * Fills df and statistics of part with what index holds, without opening it
 * further than to see that it is as it was; false when some of it is not known.
 */
extern bool elac_text_sums_get(Relation index, ElacBm25Query *part);

/* Keeps what part says of the index as snapshot has it. */
extern void elac_text_sums_keep(const ElacSnapshot *snapshot, const ElacBm25Query *part);

#endif							/* ELAC_TEXT_SUMS_H */
