/*
 * match_condition.h
 *	  Conditions with @@ on text columns: which ones the index can evaluate,
 *	  and the filters they become.
 *
 * Served are, with a tsquery (or a text, for text @@ text) computed before the
 * scan:
 *	  tsvector column @@ query
 *	  text column @@ query				the session's configuration has to be the column's
 *	  to_tsvector(text column) @@ query	likewise
 *	  to_tsvector('config', text column) @@ query
 * Whether the session's configuration is the column's, and whether a phrase
 * can be answered, is known when the scan begins: a condition that cannot be
 * evaluated then has to be checked on the rows.
 */
#ifndef ELAC_MATCH_CONDITION_H
#define ELAC_MATCH_CONDITION_H

#include "elacsym.h"

#include "nodes/primnodes.h"
#include "utils/rel.h"

#include "am/condition.h"

#define ELAC_STRATEGY_MATCH 3	/* column @@ tsquery or text, in the families of text columns */

/* A condition recognised. */
typedef struct ElacMatchCondition
{
	int			column;
	bool		analysed;		/* a text, analysed for the condition; else a tsvector */
	bool		by_words;		/* the argument is a text, to be analysed like plainto_tsquery() does */
	Oid			config;			/* of the analysis; InvalidOid: the session's */
	Node	   *value;			/* the text or tsvector */
	Node	   *argument;
} ElacMatchCondition;

/* Is it one of the server's operators named @@ on texts and tsvectors? */
extern bool elac_match_condition_is_operator(Oid op);

/* Has the condition the form of those above, on a column without bigrams? */
extern bool elac_match_condition_recognise(const ElacTarget *target, const OpExpr *expr, ElacMatchCondition *match);

/* Can it be evaluated, as far as settings of this moment and a constant argument tell? */
extern bool elac_match_condition_is_served(const ElacTarget *target, const ElacMatchCondition *match);

/*
 * The filter, in CurrentMemoryContext; NULL when the condition cannot be
 * evaluated inside the index after all.
 */
extern ElacFilter *elac_match_condition_filter(const ElacTarget *target, const ElacMatchCondition *match, Datum argument, bool isnull);

/* The same for a scan key of strategy ELAC_STRATEGY_MATCH. */
extern ElacFilter *elac_match_condition_from_key(Relation index, ScanKey key);

#endif							/* ELAC_MATCH_CONDITION_H */
