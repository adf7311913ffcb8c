/*
 * text_cost.h
 *	  What the planner can know of a text query before it runs: how many
 *	  postings it has and how many rows it matches, by the index's own document
 *	  frequencies.
 */
#ifndef ELAC_TEXT_COST_H
#define ELAC_TEXT_COST_H

#include "elacsym.h"

#include "nodes/pathnodes.h"

/* Conditions evaluated inside the index. */
typedef struct ElacConditionsCost
{
	double		selectivity;	/* by document frequencies where they are known */
	double		estimated;		/* by the operators' own estimates, as the planner counts rows */
	int			nattributes;	/* conditions that are evaluated value by value */
	double		postings;		/* read for the others, per row of the index */
	Cost		unseen;			/* of evaluating them on a row, beyond what the planner charges */
	int			nunserved;		/* conditions with @@ that every row has to be read for: in none of the above */
} ElacConditionsCost;

/* clauses: RestrictInfos, ANDed, of an index path or of the custom scan. */
extern void elac_text_cost_conditions(PlannerInfo *root, IndexOptInfo *index, List *clauses, ElacConditionsCost *cost);

/* An order by a text's score: terms, and postings per row of the index; a guess while the query is not known. */
extern void elac_text_cost_order(PlannerInfo *root, OpExpr *order, double *nterms, double *postings);

/* What @@ takes to analyse a value, a text, beyond what the server charges for the condition. */
extern Cost elac_text_cost_analysis(PlannerInfo *root, OpExpr *condition, Node *value);

/* What the operator takes to compute the score of one value. */
extern Cost elac_text_cost_score(PlannerInfo *root, OpExpr *order);

#endif							/* ELAC_TEXT_COST_H */
