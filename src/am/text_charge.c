/*
 * text_charge.c
 *	  Charges paths of the server what it takes to analyse texts for @@.
 *
 * `text @@ query` goes through to_tsvector(): 135 ns a byte of the text.  The
 * server charges the same for every text, a hundredth of that for one of a
 * page, so that a parallel sequential scan looks cheaper than any index as soon
 * as a third of the rows matches.  Where an index of ours evaluates such a
 * condition, every path that evaluates it row by row is charged the rest here;
 * set_rel_pathlist_hook is where the server lets paths be modified.  Before
 * that the index's costs are relative (cost.c): paths dropped earlier do not
 * come back.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#include "am/am.h"
#include "am/match_condition.h"

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

/* A clause of the relation that analyses texts. */
typedef struct TextCharge
{
	RestrictInfo *info;
	Cost		unseen;			/* of evaluating it on one row, beyond what the server charges */
} TextCharge;

typedef struct ChargeContext
{
	PlannerInfo *root;
	List	   *targets;		/* of ElacTarget: the relation's elacsym indexes */
	Cost		unseen;
} ChargeContext;

/* Adds up the conditions with @@ that an index evaluates, wherever they stand in a clause. */
static bool
charge_walker(Node *node, void *arg)
{
	ChargeContext *context = (ChargeContext *) arg;
	ListCell   *cell;

	if (node == NULL)
		return false;
	if (!IsA(node, OpExpr) || !elac_match_condition_is_operator(((OpExpr *) node)->opno))
		return expression_tree_walker(node, charge_walker, arg);
	foreach(cell, context->targets)
	{
		const ElacTarget *target = (const ElacTarget *) lfirst(cell);
		ElacMatchCondition match;

		if (elac_match_condition_recognise(target, (OpExpr *) node, &match) && match.analysed &&
			elac_match_condition_is_served(target, &match))
		{
			context->unseen += elac_text_cost_analysis(context->root, (OpExpr *) node, match.value);
			break;
		}
	}
	return false;
}

/* The relation's clauses with such conditions that an index may evaluate. */
static List *
charge_find(PlannerInfo *root, RelOptInfo *rel)
{
	ChargeContext context = {root, NIL, 0};
	List	   *charges = NIL;
	Oid			am = elac_am_oid();
	ListCell   *cell;

	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);
		ElacTarget *target;

		if (index->relam != am || index->hypothetical || (index->indpred != NIL && !index->predOK))
			continue;
		target = palloc(sizeof(ElacTarget));
		elac_target_from_info(target, index);
		context.targets = lappend(context.targets, target);
	}
	if (context.targets == NIL)
		return NIL;
	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);

		context.unseen = 0;
		if (!info->pseudoconstant && restriction_is_securely_promotable(info, rel))
			charge_walker((Node *) info->clause, &context);
		if (context.unseen > 0)
		{
			TextCharge *charge = palloc(sizeof(TextCharge));

			charge->info = info;
			charge->unseen = context.unseen;
			charges = lappend(charges, charge);
		}
	}
	return charges;
}

/* Does the index, or one of a bitmap's, evaluate the clause? */
static bool
path_evaluates_inside(Path *path, RestrictInfo *info)
{
	ListCell   *cell;

	if (IsA(path, IndexPath))
	{
		foreach(cell, ((IndexPath *) path)->indexclauses)
			if (lfirst_node(IndexClause, cell)->rinfo == info)
				return true;
	}
	else if (IsA(path, BitmapHeapPath))
		return path_evaluates_inside(((BitmapHeapPath *) path)->bitmapqual, info);
	else if (IsA(path, BitmapAndPath))
	{
		foreach(cell, ((BitmapAndPath *) path)->bitmapquals)
			if (path_evaluates_inside(lfirst(cell), info))
				return true;
	}
	/* made of an OR, most likely of this one */
	return IsA(path, BitmapOrPath) && restriction_is_or_clause(info);
}

/* Share of the table's rows that the path reads and checks; 0: of no interest. */
static double
path_share(Path *path)
{
	Cost		cost;
	Selectivity share = 0;

	if (path->pathtype == T_SeqScan)
		return 1;
	if (IsA(path, IndexPath))
		return ((IndexPath *) path)->indexselectivity;
	if (IsA(path, BitmapHeapPath))
		cost_bitmap_tree_node(((BitmapHeapPath *) path)->bitmapqual, &cost, &share);
	return share;
}

static void
path_charge(RelOptInfo *rel, Path *path, List *charges)
{
	double		rows = rel->tuples * path_share(path);
	double		all = path->param_info != NULL ? path->param_info->ppi_rows : rel->rows;
	ListCell   *cell;

	/* one process of several returns a part of the rows, and checks as much of them */
	if (path->parallel_workers > 0 && path->rows < all)
		rows *= path->rows / all;
	foreach(cell, charges)
	{
		const TextCharge *charge = (const TextCharge *) lfirst(cell);

		if (rows > 0 && !path_evaluates_inside(path, charge->info))
			path->total_cost += rows * charge->unseen;
	}
}

/* Paths are added anew, since costs decide on their order and on which of them stay. */
static void
charge_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	List	   *paths;
	List	   *partial_paths;
	List	   *charges;
	ListCell   *cell;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || rte->inh || !IS_SIMPLE_REL(rel) || IS_DUMMY_REL(rel) ||
		rel->indexlist == NIL || rel->baserestrictinfo == NIL)
		return;
	charges = charge_find(root, rel);
	if (charges == NIL)
		return;
	paths = rel->pathlist;
	partial_paths = rel->partial_pathlist;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	foreach(cell, paths)
	{
		path_charge(rel, lfirst(cell), charges);
		add_path(rel, lfirst(cell));
	}
	foreach(cell, partial_paths)
	{
		path_charge(rel, lfirst(cell), charges);
		add_partial_path(rel, lfirst(cell));
	}
	list_free(paths);
	list_free(partial_paths);
}

void
elac_text_charge_init(void)
{
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = charge_pathlist_hook;
}
