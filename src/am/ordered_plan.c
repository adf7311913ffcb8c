/*
 * ordered_plan.c
 *	  Planning of ElacsymScan: ordered rows of one table under any condition.
 *
 * An index path gets its conditions one by one and only as an AND.  This node
 * takes the whole restriction of the table: what the index can evaluate
 * becomes a filter inside it, the rest is checked on the rows it returns, and
 * the scan goes on until the executor has enough (ordered_scan.c).
 *
 * A path is added when the query's order is an ordering operator of an elacsym
 * index.  custom_exprs holds the ordering expression and then the clauses
 * evaluated inside the index; custom_private the index's OID, the position of
 * the ordered column, how many rows the LIMIT will take (0: unknown), where the
 * scan's value serves (ElacValueUse), and the number of the parameter that
 * carries it into expressions.
 */
#include "postgres.h"

#include "catalog/pg_amop.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paramassign.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "am/condition.h"
#include "am/customscan.h"
#include "am/order.h"
#include "am/text_cost.h"
#include "compat.h"

static Plan *ordered_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
						  List *clauses, List *custom_plans);

static const CustomPathMethods ordered_path_methods = {
	.CustomName = ELAC_ORDERED_SCAN_NAME,
	.PlanCustomPath = ordered_plan,
};


/* Strategy of an ordering operator in a family, 0 when it is none. */
static int
order_strategy(Oid op, Oid family)
{
	HeapTuple	tuple = SearchSysCache3(AMOPOPID, ObjectIdGetDatum(op), CharGetDatum(AMOP_ORDER), ObjectIdGetDatum(family));
	int			strategy = 0;

	if (HeapTupleIsValid(tuple))
	{
		strategy = ((Form_pg_amop) GETSTRUCT(tuple))->amopstrategy;
		ReleaseSysCache(tuple);
	}
	return strategy;
}

/*
 * ARRAY[column, ...] <@> elacsym_bind(query, index, columns): the elements must
 * be the columns bound, in their order.  Returns the first, or -1.
 */
static int
path_order_fields(const ElacTarget *target, Oid index, OpExpr *op)
{
	ArrayExpr  *array = (ArrayExpr *) linitial(op->args);
	int16		attnos[ELAC_MAX_COLUMNS];
	int			nattnos;
	ListCell   *cell;
	int			i = 0;

	if (!elac_order_is_bound(lsecond(op->args), index, attnos, &nattnos) ||
		list_length(array->elements) != nattnos || nattnos == 0)
		return -1;
	foreach(cell, array->elements)
	{
		int			column = elac_target_column(target, lfirst(cell));

		if (column < 0 || column + 1 != attnos[i++] ||
			order_strategy(op->opno, target->opfamily[column]) != ELAC_STRATEGY_FIELDS)
			return -1;
	}
	return attnos[0] - 1;
}

/* Position of the column that expr orders by in this index, or -1. */
static int
path_order_column(const ElacTarget *target, Oid index, Expr *expr)
{
	OpExpr	   *op = (OpExpr *) expr;
	Node	   *argument;
	int			column;
	int16		attnos[ELAC_MAX_COLUMNS];
	int			nattnos;

	if (!IsA(expr, OpExpr) || list_length(op->args) != 2)
		return -1;
	argument = lsecond(op->args);
	if (contain_var_clause(argument) || contain_volatile_functions(argument))
		return -1;
	if (IsA(linitial(op->args), ArrayExpr))
		return path_order_fields(target, index, op);
	column = elac_target_column(target, linitial(op->args));
	if (column < 0 || order_strategy(op->opno, target->opfamily[column]) != ELAC_STRATEGY_DISTANCE)
		return -1;
	if (exprType(argument) != exprType(linitial(op->args)) &&
		!elac_order_is_bound(argument, index, attnos, &nattnos))
		return -1;
	return column;
}

/* The query's order as an expression over this relation that the index provides. */
static Expr *
path_order_expression(PlannerInfo *root, RelOptInfo *rel, const ElacTarget *target, Oid index, int *column)
{
	PathKey    *pathkey;
	ListCell   *cell;
	List	   *members;

	/* further keys, such as an id to break ties, are an incremental sort's */
	if (root->query_pathkeys == NIL)
		return NULL;
	pathkey = linitial_node(PathKey, root->query_pathkeys);
	if (!elac_pathkey_is_ascending(pathkey) || pathkey->pk_nulls_first || pathkey->pk_eclass->ec_has_volatile)
		return NULL;
	members = elac_eclass_members(pathkey->pk_eclass, rel->relids);
	foreach(cell, members)
	{
		EquivalenceMember *member = (EquivalenceMember *) lfirst(cell);

		*column = path_order_column(target, index, member->em_expr);
		if (*column >= 0)
			return member->em_expr;
	}
	return NULL;
}

/*
 * Does the order's value serve to put rows into this order and nothing else?
 * Where equal distances matter, the operator's own are needed: those of the
 * scan may be estimates.
 */
static bool
path_order_is_alone(PlannerInfo *root)
{
	const Query *parse = root->parse;

	return list_length(root->query_pathkeys) == 1 && parse->limitOption != LIMIT_OPTION_WITH_TIES &&
		parse->distinctClause == NIL && !parse->hasWindowFuncs;
}

bool
elac_ordered_by_text(const OpExpr *order)
{
	return exprType(lsecond(order->args)) != exprType(linitial(order->args));
}

/*
 * Will the scan's value be handed up instead of being computed from the row
 * (custom_init_value)?  Above a join the scan cannot give it.
 */
static bool
path_order_is_known(PlannerInfo *root, RelOptInfo *rel, Expr *order)
{
	ListCell   *cell;

	if (!elac_cost_is_whole_query(root, rel))
		return false;
	if (elac_ordered_by_text((OpExpr *) order))
		return true;
	foreach(cell, root->processed_tlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (target->resjunk && equal(target->expr, order))
			return path_order_is_alone(root);
	}
	return false;
}

/*
 * As cost_index() does for an index scan that returns rows in no order of the
 * heap.  The planner will add the distance of each row returned, which is not
 * computed anew when the scan's serves; where it is, this path is still the
 * better one of two equals.
 */
static void
path_set_cost(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, CustomPath *path, OpExpr *order, List *clauses,
			  double *rows)
{
	double		indexed = Min(rel->tuples, Max(index->tuples, 1));
	ElacConditionsCost conditions;
	double		tuples;
	double		pages;
	Cost		startup;
	Cost		total;
	QualCost	qual;
	QualCost	distance;

	elac_text_cost_conditions(root, index, clauses, &conditions);
	tuples = clamp_row_est(conditions.selectivity * indexed);
	pages = index_pages_fetched(tuples, rel->pages, (double) index->pages, root);
	*rows = Min(elac_cost_rows_wanted(root, rel, clamp_row_est(conditions.estimated * indexed)), tuples);
	cost_qual_eval_node(&distance, (Node *) order, root);
	elac_cost_query(root, index, order, &conditions, &startup, &total);
	cost_qual_eval(&qual, list_difference_ptr(rel->baserestrictinfo, clauses), root);
	path->path.rows = rel->rows;
	path->path.startup_cost = startup + qual.startup + path->path.pathtarget->cost.startup;
	path->path.total_cost = total + qual.startup + path->path.pathtarget->cost.startup +
		pages * random_page_cost + tuples * (cpu_tuple_cost + qual.per_tuple) +
		rel->rows * path->path.pathtarget->cost.per_tuple;
	if (!path_order_is_known(root, rel, (Expr *) order))
		distance.per_tuple = Min(distance.per_tuple, cpu_operator_cost);
	else if (*rows > 0)
		path->path.startup_cost = Max(path->path.startup_cost - Min(root->limit_tuples, rel->rows) * distance.per_tuple, 0);
	path->path.total_cost = Max(path->path.total_cost - rel->rows * distance.per_tuple, path->path.startup_cost);
}

static CustomPath *
path_make(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, const ElacTarget *target, int column, Expr *order,
		  PathTarget *output, ElacValueUse use)
{
	CustomPath *path = makeNode(CustomPath);
	List	   *clauses = elac_customscan_clauses(rel, rel->baserestrictinfo, target, NULL);
	double		rows;

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = output;
	path->path.parallel_safe = rel->consider_parallel;	/* as an index scan's */
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &ordered_path_methods;
	path_set_cost(root, rel, index, path, (OpExpr *) order, clauses, &rows);
	path->custom_private = list_make3(list_make4(makeInteger((int) index->indexoid), makeInteger(column),
												 makeInteger((int) Min(rows, PG_INT32_MAX)), makeInteger(use)),
									  order, clauses);
	return path;
}

/*
 * An ordered index path with conditions is also offered as a bitmap scan, at
 * the cost of the order.  This is the one without: conditions from the index,
 * then a sort.
 */
static void
path_consider_bitmap(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	ListCell   *cell;

	foreach(cell, rel->pathlist)
	{
		IndexPath  *ordered = (IndexPath *) lfirst(cell);
		IndexPath  *unordered;

		if (!IsA(ordered, IndexPath) || ordered->indexinfo != index || ordered->indexorderbys == NIL ||
			ordered->indexclauses == NIL)
			continue;
		unordered = create_index_path(root, index, ordered->indexclauses, NIL, NIL, NIL, ForwardScanDirection, false,
									  PATH_REQ_OUTER(&ordered->path), 1.0, false);
		add_path(rel, (Path *) create_bitmap_heap_path(root, rel, (Path *) unordered, PATH_REQ_OUTER(&ordered->path), 1.0, 0));
		return;
	}
}

void
elac_ordered_consider(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	ElacTarget	target;
	int			column;
	Expr	   *order;
	CustomPath *path;

	if (root->query_pathkeys == NIL)
		return;
	path_consider_bitmap(root, rel, index);
	elac_target_from_info(&target, index);
	order = path_order_expression(root, rel, &target, index->indexoid, &column);
	if (order == NULL || elac_cost_order_is_for_groups(root, (OpExpr *) order))
		return;
	path = path_make(root, rel, index, &target, column, order, rel->reltarget,
					 path_order_is_alone(root) ? ELAC_VALUE_HIDDEN : ELAC_VALUE_NOWHERE);
	path->path.pathkeys = list_make1(linitial(root->query_pathkeys));
	add_path(rel, (Path *) path);
}

CustomPath *
elac_customscan_leg(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, Expr *order, PathTarget *output, bool estimates)
{
	ElacTarget	target;
	int			column;

	elac_target_from_info(&target, index);
	column = path_order_column(&target, index->indexoid, order);
	if (column < 0)
		return NULL;
	return path_make(root, rel, index, &target, column, order, output,
					 estimates ? ELAC_VALUE_EVERYWHERE : ELAC_VALUE_NOWHERE);
}

static Plan *
ordered_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
			List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);
	List	   *pushed = (List *) lthird(path->custom_private);
	List	   *rest = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
		if (!list_member_ptr(pushed, lfirst(cell)))
			rest = lappend(rest, lfirst(cell));

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(rest, false);
	scan->scan.scanrelid = rel->relid;
	scan->flags = path->flags;
	scan->custom_exprs = lcons(lsecond(path->custom_private), extract_actual_clauses(pushed, false));
	scan->custom_private = lappend(list_copy((List *) linitial(path->custom_private)),
								   makeInteger(assign_special_exec_param(root)));
	scan->methods = &elac_ordered_scan_methods;
	return (Plan *) scan;
}
