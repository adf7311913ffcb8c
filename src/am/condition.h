/*
 * condition.h
 *	  From SQL conditions to filters of the query engine.
 *
 * What can be evaluated inside the index: AND, OR, NOT, IS [NOT] TRUE | FALSE |
 * UNKNOWN over operators of the columns' operator families, = ANY, <> ALL,
 * IS [NOT] NULL, boolean columns, and @@ on text columns (match_condition.h).  All
 * these operators are immutable or stable and never raise an error, so
 * evaluating them on rows that the query may not see does no harm.
 */
#ifndef ELAC_CONDITION_H
#define ELAC_CONDITION_H

#include "elacsym.h"

#include "access/skey.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"

#include "query/query.h"

/* The columns of an index as expressions over one range table entry. */
typedef struct ElacTarget
{
	Oid			index;			/* InvalidOid: hypothetical */
	int			varno;
	int			ncolumns;
	AttrNumber	attnos[ELAC_MAX_COLUMNS];	/* heap attribute, 0 for an expression */
	Node	   *expressions[ELAC_MAX_COLUMNS];	/* when attno is 0 */
	Oid			opfamily[ELAC_MAX_COLUMNS];
	Oid			opcintype[ELAC_MAX_COLUMNS];
} ElacTarget;

extern void elac_target_from_info(ElacTarget *target, IndexOptInfo *info);
extern void elac_target_from_relation(ElacTarget *target, Relation index, int varno);

/* Position of the index column that node is, or -1. */
extern int	elac_target_column(const ElacTarget *target, Node *node);

/* Planning: can the clause be evaluated inside the index? */
extern bool elac_condition_is_supported(const ElacTarget *target, Node *clause);

/*
 * Execution: prepare once, build for every (re)scan, since arguments may be
 * parameters.  *rest gets the clauses (ExprStates) that turn out not to be the
 * index's to evaluate: they are to be checked on the rows.
 */
typedef struct ElacCondition ElacCondition;

extern ElacCondition *elac_condition_prepare(const ElacTarget *target, List *clauses, PlanState *parent);
extern ElacFilter *elac_condition_build(ElacCondition *condition, ExprContext *econtext, List **rest);

/*
 * The filter of index scan keys (an AND), in CurrentMemoryContext; NULL without
 * keys.  *recheck: rows that do not fulfil them may pass, too.
 */
extern ElacFilter *elac_condition_from_keys(Relation index, ScanKey keys, int nkeys, bool *recheck);

#endif							/* ELAC_CONDITION_H */
