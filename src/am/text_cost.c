/*
 * text_cost.c
 *	  Estimates of text queries, from document frequencies.
 *
 * A constant query is looked up in the dictionaries, which a query that is
 * planned for one execution needs next anyway (query/text_stats.c keeps it).
 * Words are taken to be independent, as the server takes lexemes to be.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "am/text_cost.h"
#include "am/match_condition.h"
#include "query/bound_query.h"
#include "query/distance_cost.h"
#include "query/query.h"

/* Of a query that is not known. */
#define GUESS_TERMS 4.0
#define GUESS_POSTINGS 0.1

/* The operators' work, measured (am/README.md). */
#define SCORE_NS 1000.0
#define SCORE_BYTE_NS 9.5
#define SCORE_TSVECTOR_BYTE_NS 1.0
#define TO_TSVECTOR_BYTE_NS 135.0
#define UNKNOWN_WIDTH 500

/* The value that an expression is likely to have, NULL when it is not known, or NULL. */
static Const *
cost_constant(PlannerInfo *root, Node *node)
{
	Const	   *value = (Const *) estimate_expression_value(root, node);

	return IsA(value, Const) && !value->constisnull ? value : NULL;
}

/* Share of rows that have a term, in any of the fields. */
static double
term_share(const ElacBm25Query *query, int item, double *postings)
{
	double		share = 0;

	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];
		int32		term = query->operands[item * query->nfields + f];
		double		part;

		if (term < 0 || field->stats.ndocs == 0)
			continue;
		part = Min((double) field->terms[term].df / (double) field->stats.ndocs, 1.0);
		*postings += part;
		share += part - share * part;
	}
	return share;
}

/* Share of rows for which the subtree of a condition holds. */
static double
condition_share(const ElacBm25Query *query, int item, double *postings)
{
	const QueryItem *node = GETQUERY(query->condition) + item;
	double		left;
	double		right;

	check_stack_depth();
	if (node->type == QI_VAL)
		return term_share(query, item, postings);
	right = condition_share(query, item + 1, postings);
	if (node->qoperator.oper == OP_NOT)
		return 1 - right;
	left = condition_share(query, item + node->qoperator.left, postings);
	return node->qoperator.oper == OP_OR ? left + right - left * right : left * right;
}

/* Share of rows that a constant tsquery matches in a column. */
static double
match_share(IndexOptInfo *index, const ElacMatchCondition *match, Const *argument, double *postings)
{
	ElacTextRequest request = {0};
	int16		attno = match->column + 1;
	ElacBm25Query *query;

	request.condition = DatumGetTSQuery(argument->constvalue);
	request.min_match = 1;
	if (request.condition->size == 0)
		return 0;
	query = elac_query_text_prepare(elac_bound_query_bind(elac_bound_query_make(&request), index->indexoid, &attno, 1));
	return condition_share(query, 0, postings);
}

/* Average bytes of a value, or of all elements of ARRAY[column, ...]. */
static double
value_width(PlannerInfo *root, Node *value)
{
	double		width = 0;
	ListCell   *cell;

	value = strip_implicit_coercions(value);
	if (IsA(value, ArrayExpr))
	{
		foreach(cell, ((ArrayExpr *) value)->elements)
			width += value_width(root, lfirst(cell));
		return width;
	}
	if (IsA(value, Var))
	{
		Var		   *var = (Var *) value;
		RelOptInfo *rel = find_base_rel(root, var->varno);

		if (var->varattno >= rel->min_attr && var->varattno <= rel->max_attr)
			width = rel->attr_widths[var->varattno - rel->min_attr];
		/* those that are only in conditions are not among them */
		if (width <= 0 && var->varattno > 0 && planner_rt_fetch(var->varno, root)->rtekind == RTE_RELATION)
			width = get_attavgwidth(planner_rt_fetch(var->varno, root)->relid, var->varattno);
	}
	return width > 0 ? width : UNKNOWN_WIDTH;
}

/* A condition by itself with @@, which is the index's when a tree of others is not. */
static bool
clause_is_match(Node *clause)
{
	if (IsA(clause, OpExpr))
		return elac_match_condition_is_operator(((OpExpr *) clause)->opno);
	return IsA(clause, ScalarArrayOpExpr) && elac_match_condition_is_operator(((ScalarArrayOpExpr *) clause)->opno);
}

Cost
elac_text_cost_analysis(PlannerInfo *root, OpExpr *condition, Node *value)
{
	QualCost	charged;

	cost_qual_eval_node(&charged, (Node *) condition, root);
	return Max(ELAC_COST_NS(value_width(root, value) * TO_TSVECTOR_BYTE_NS) - charged.per_tuple, 0);
}

/* Takes a condition with @@ into account; false when nothing is known of it. */
static bool
conditions_add_match(PlannerInfo *root, IndexOptInfo *index, const ElacTarget *target, Node *clause,
					 ElacConditionsCost *cost)
{
	ElacMatchCondition match;
	Const	   *argument;

	/* an index that does not exist serves what it might */
	if (!IsA(clause, OpExpr) || index->hypothetical)
		return false;
	if (!elac_match_condition_recognise(target, (OpExpr *) clause, &match) ||
		!elac_match_condition_is_served(target, &match))
	{
		cost->nunserved++;
		return true;
	}
	if (match.analysed)
		cost->unseen += elac_text_cost_analysis(root, (OpExpr *) clause, match.value);
	argument = match.by_words ? NULL : cost_constant(root, match.argument);
	if (argument == NULL)
		return false;
	cost->selectivity *= match_share(index, &match, argument, &cost->postings);
	return true;
}

void
elac_text_cost_conditions(PlannerInfo *root, IndexOptInfo *index, List *clauses, ElacConditionsCost *cost)
{
	List	   *others = NIL;
	List	   *served = NIL;
	ElacTarget	target;
	ListCell   *cell;

	memset(cost, 0, sizeof(ElacConditionsCost));
	cost->selectivity = 1;
	elac_target_from_info(&target, index);
	foreach(cell, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);
		int			nunserved = cost->nunserved;

		if (!clause_is_match((Node *) info->clause) ||
			!conditions_add_match(root, index, &target, (Node *) info->clause, cost))
			others = lappend(others, info);
		if (cost->nunserved == nunserved)
			served = lappend(served, info);
	}
	cost->nattributes = list_length(others);
	cost->estimated = clauselist_selectivity(root, served, index->rel->relid, JOIN_INNER, NULL);
	cost->selectivity = list_length(others) == list_length(served) ? cost->estimated :
		cost->selectivity * clauselist_selectivity(root, others, index->rel->relid, JOIN_INNER, NULL);
}

void
elac_text_cost_order(PlannerInfo *root, OpExpr *order, double *nterms, double *postings)
{
	Const	   *argument = cost_constant(root, lsecond(order->args));
	ElacBm25Query *query;

	*nterms = GUESS_TERMS;
	*postings = GUESS_POSTINGS;
	if (argument == NULL)
		return;
	query = elac_query_text_prepare(elac_bound_query_decode(argument->constvalue));
	*nterms = 0;
	*postings = 0;
	for (int f = 0; f < query->nfields; f++)
	{
		const ElacBm25Field *field = &query->fields[f];

		*nterms += field->nterms;
		for (uint32 t = 0; t < field->nterms && field->stats.ndocs > 0; t++)
			*postings += (double) field->terms[t].df / (double) field->stats.ndocs;
	}
}

Cost
elac_text_cost_score(PlannerInfo *root, OpExpr *order)
{
	Node	   *value = linitial(order->args);
	bool		vectors = exprType(value) == TSVECTOROID || exprType(value) == TSVECTORARRAYOID;

	return ELAC_COST_NS(SCORE_NS + value_width(root, value) * (vectors ? SCORE_TSVECTOR_BYTE_NS : SCORE_BYTE_NS));
}
