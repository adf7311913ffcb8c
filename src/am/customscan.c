/*
 * customscan.c
 *	  ElacsymScan: ordered rows of one table under any condition.
 *
 * An index path gets its conditions one by one and only as an AND.  This node
 * takes the whole restriction of the table: what the index can evaluate
 * becomes a filter inside it, the rest is checked on the rows it returns, and
 * the scan goes on until the executor has enough.
 *
 * Planning: set_rel_pathlist_hook adds a path when the query's order is an
 * ordering operator of an elacsym index.  custom_exprs holds the ordering
 * expression and then the clauses evaluated inside the index; custom_private
 * the index's OID, the position of the ordered column, how many rows the LIMIT
 * will take (0: unknown), where the scan's value serves (ValueUse), and the
 * number of the parameter that carries it into expressions.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/paramassign.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "am/condition.h"
#include "am/order.h"
#include "am/text_cost.h"
#include "compat.h"
#include "guc.h"
#include "query/query.h"

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

/* Where a vector's distance is the scan's, which may be an estimate; a text's score always is. */
typedef enum ValueUse
{
	VALUE_NOWHERE,
	VALUE_HIDDEN,				/* where it is an order that nobody sees */
	VALUE_EVERYWHERE
} ValueUse;

/* ---- planning ---- */

static Plan *custom_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
						 List *clauses, List *custom_plans);
static Node *custom_create_state(CustomScan *plan);

static const CustomPathMethods path_methods = {
	.CustomName = "ElacsymScan",
	.PlanCustomPath = custom_plan,
};

static const CustomScanMethods plan_methods = {
	.CustomName = "ElacsymScan",
	.CreateCustomScanState = custom_create_state,
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
 * Clauses that may be evaluated inside the index: before all others, on rows
 * the query may not see, so only those of the lowest security level, or
 * leakproof ones.
 */
static List *
path_index_clauses(RelOptInfo *rel, const ElacTarget *target)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);

		if (!info->pseudoconstant && restriction_is_securely_promotable(info, rel) &&
			elac_condition_is_supported(target, (Node *) info->clause))
			clauses = lappend(clauses, info);
	}
	return clauses;
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

/* Is the order a text's score?  The scan's is the operator's, to the last bit. */
static bool
order_is_text(const OpExpr *order)
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
	if (order_is_text((OpExpr *) order))
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
		  PathTarget *output, ValueUse use)
{
	CustomPath *path = makeNode(CustomPath);
	List	   *clauses = path_index_clauses(rel, target);
	double		rows;

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = output;
	path->path.parallel_safe = rel->consider_parallel;	/* as an index scan's */
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	path_set_cost(root, rel, index, path, (OpExpr *) order, clauses, &rows);
	path->custom_private = list_make3(list_make4(makeInteger((int) index->indexoid), makeInteger(column),
												 makeInteger((int) Min(rows, PG_INT32_MAX)), makeInteger(use)),
									  order, clauses);
	return path;
}

static void
path_consider(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	ElacTarget	target;
	int			column;
	Expr	   *order;
	CustomPath *path;

	elac_target_from_info(&target, index);
	order = path_order_expression(root, rel, &target, index->indexoid, &column);
	if (order == NULL || elac_cost_order_is_for_groups(root, (OpExpr *) order))
		return;
	path = path_make(root, rel, index, &target, column, order, rel->reltarget,
					 path_order_is_alone(root) ? VALUE_HIDDEN : VALUE_NOWHERE);
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
	return path_make(root, rel, index, &target, column, order, output, estimates ? VALUE_EVERYWHERE : VALUE_NOWHERE);
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

static void
customscan_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Oid			am;
	ListCell   *cell;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);

	if (!elac_guc_enable_customscan || rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		!IS_SIMPLE_REL(rel) || IS_DUMMY_REL(rel) || rel->indexlist == NIL || root->query_pathkeys == NIL ||
		(int) rti == root->parse->resultRelation)
		return;
	am = elac_am_oid();
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);

		if (index->relam == am && !index->hypothetical &&
			(index->indpred == NIL || index->predOK))
		{
			path_consider_bitmap(root, rel, index);
			path_consider(root, rel, index);
		}
	}
}

static Plan *
custom_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
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
	scan->methods = &plan_methods;
	return (Plan *) scan;
}

/* ---- execution ---- */

typedef struct CustomState
{
	CustomScanState css;		/* first */
	Relation	index;
	int			column;
	double		rows;			/* that the LIMIT will take, 0: unknown */
	ExprState  *order_argument;
	int			value;			/* parameter that carries the scan's value */
	ExprState  *order;			/* the same from the row, where EvalPlanQual() brings it; NULL: nobody asks */
	ElacCondition *condition;
	ExprState  *recheck;		/* clauses evaluated inside the index, for EvalPlanQual */
	List	   *rest;			/* ExprStates of those that this scan has to check on the rows */
	MemoryContext context;		/* of the current (re)scan */
	ElacScan   *scan;
	ElacQueryCounters counters; /* of finished scans */
	IndexFetchTableData *fetch;
} CustomState;

/* What stands for the order in expressions over the node's rows. */
typedef struct ValueContext
{
	Expr	   *order;
	int			parameter;
	bool		found;
} ValueContext;

static Node *
value_make(ValueContext *context)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXEC;
	param->paramid = context->parameter;
	param->paramtype = exprType((Node *) context->order);
	param->paramtypmod = -1;
	param->location = -1;
	context->found = true;
	return (Node *) param;
}

/* The expression with the scan's value wherever the order stands in it. */
static Node *
value_mutator(Node *node, void *arg)
{
	ValueContext *context = (ValueContext *) arg;

	if (node == NULL)
		return NULL;
	if (equal(node, context->order))
		return value_make(context);
	return expression_tree_mutator(node, value_mutator, arg);
}

/* The same for entries of the target list that are the order and that nobody sees. */
static List *
value_hidden_targets(List *targets, ValueContext *context)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (target->resjunk && equal(target->expr, context->order))
		{
			target = flatCopyTargetEntry(target);
			target->expr = (Expr *) value_make(context);
		}
		result = lappend(result, target);
	}
	return result;
}

/*
 * Gives the node a slot of the table's own kind in place of the virtual one
 * that the executor made, and the expressions that were made for it.  Rows go
 * into it as they are, system columns and all, and so do those that
 * EvalPlanQual() puts there when it fetches a row again.
 *
 * The scan knows the order's value: to compute it from the row means to
 * analyse the row's text again, or to read the vector again, which costs as
 * much as finding the row.  A text's score is the operator's, so the scan's is
 * taken everywhere, inside of other expressions and in conditions, too.  A
 * distance is taken where it serves as an order alone: it may be an estimate.
 * A leg of a fusion says itself whether it wants that.
 * True when the scan's value is used.
 */
static bool
custom_init_expressions(CustomScanState *node, EState *estate, Expr *order, ValueUse use, int parameter)
{
	Scan	   *plan = (Scan *) node->ss.ps.plan;
	Relation	table = node->ss.ss_currentRelation;
	ValueContext context = {order, parameter, false};
	List	   *targets = plan->plan.targetlist;
	List	   *qual = plan->plan.qual;
	bool		project;

	if (order_is_text((OpExpr *) order) || use == VALUE_EVERYWHERE)
		targets = (List *) value_mutator((Node *) targets, &context);
	else if (use == VALUE_HIDDEN)
		targets = value_hidden_targets(targets, &context);
	project = context.found;
	if (order_is_text((OpExpr *) order))
		qual = (List *) value_mutator((Node *) qual, &context);

	node->ss.ps.subPlan = NIL;	/* the expressions bring them again */
	ExecInitScanTupleSlot(estate, &node->ss, RelationGetDescr(table), table_slot_callbacks(table));
	node->ss.ps.qual = ExecInitQual(qual, &node->ss.ps);
	if (project)
		/* the slot for the result is there: the executor has made a projection, too */
		node->ss.ps.ps_ProjInfo = ExecBuildProjectionInfo(targets, node->ss.ps.ps_ExprContext,
														  node->ss.ps.ps_ResultTupleSlot, &node->ss.ps,
														  RelationGetDescr(table));
	else
		ExecAssignScanProjectionInfoWithVarno(&node->ss, plan->scanrelid);
	return context.found;
}

static void
custom_begin(CustomScanState *node, EState *estate, int eflags)
{
	CustomState *state = (CustomState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	OpExpr	   *order = (OpExpr *) linitial(plan->custom_exprs);
	List	   *clauses = list_copy_tail(plan->custom_exprs, 1);
	ElacTarget	target;

	state->value = intVal(list_nth(plan->custom_private, 4));
	if (custom_init_expressions(node, estate, (Expr *) order, intVal(lfourth(plan->custom_private)), state->value))
		state->order = ExecInitExpr((Expr *) order, &node->ss.ps);
	state->index = index_open((Oid) intVal(linitial(plan->custom_private)), AccessShareLock);
	state->column = intVal(lsecond(plan->custom_private));
	state->rows = intVal(lthird(plan->custom_private));
	elac_target_from_relation(&target, state->index, plan->scan.scanrelid);
	state->order_argument = ExecInitExpr((Expr *) lsecond(order->args), &node->ss.ps);
	state->condition = elac_condition_prepare(&target, clauses, &node->ss.ps);
	state->recheck = ExecInitQual(clauses, &node->ss.ps);
	state->context = AllocSetContextCreate(estate->es_query_cxt, "elacsym custom scan", ALLOCSET_DEFAULT_SIZES);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	state->fetch = table_index_fetch_begin(node->ss.ss_currentRelation);
}

/* Counters of all scans so far; segments and delta as the last one found them. */
static void
custom_add_counters(ElacQueryCounters *sum, const ElacQueryCounters *counters)
{
	sum->segments = counters->segments;
	sum->delta_rows = counters->delta_rows;
	sum->lists_probed += counters->lists_probed;
	sum->codes_scored += counters->codes_scored;
	sum->reranked += counters->reranked;
	sum->batches += counters->batches;
	sum->text.terms += counters->text.terms;
	sum->text.blocks_decoded += counters->text.blocks_decoded;
	sum->text.blocks_passed += counters->text.blocks_passed;
	sum->text.windows += counters->text.windows;
	sum->text.documents += counters->text.documents;
}

static void
custom_close_scan(CustomState *state)
{
	if (state->scan != NULL)
	{
		custom_add_counters(&state->counters, elac_query_counters(state->scan));
		elac_query_close(state->scan);
	}
	state->scan = NULL;
	state->rest = NIL;
	MemoryContextReset(state->context);
}

static void
custom_open_scan(CustomState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	ElacQuery	query = {0};
	Datum		argument;
	bool		isnull;

	query.index = state->index;
	query.heap = state->css.ss.ss_currentRelation;
	query.snapshot = state->css.ss.ps.state->es_snapshot;
	query.rows = state->rows;

	/* What index_beginscan() and the access method do in an index scan: inserts conflict with it, and it is counted. */
	PredicateLockRelation(state->index, query.snapshot);
	pgstat_count_index_scan(state->index);
	argument = ExecEvalExpr(state->order_argument, econtext, &isnull);
	query.filter = elac_condition_build(state->condition, econtext, &state->rest);
	elac_order_set(&query, state->column, argument, isnull);
	state->scan = elac_query_open(&query);
	MemoryContextSwitchTo(old);
}

/* The value of the row at hand, for the expressions that ask for it. */
static void
custom_set_value(CustomState *state, double value, bool isnull)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	ParamExecData *param = &econtext->ecxt_param_exec_vals[state->value];
	MemoryContext old;

	if (state->order == NULL)
		return;
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	param->execPlan = NULL;
	param->value = isnull ? (Datum) 0 : Float8GetDatum(value);
	param->isnull = isnull;
	MemoryContextSwitchTo(old);
}

/* The clauses that were planned for the index, and that it cannot evaluate as things are. */
static bool
custom_check_rest(CustomState *state, TupleTableSlot *slot)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	ListCell   *cell;

	econtext->ecxt_scantuple = slot;
	foreach(cell, state->rest)
	{
		if (!ExecQualAndReset(lfirst(cell), econtext))
		{
			InstrCountFiltered1(&state->css.ss.ps, 1);
			return false;
		}
	}
	return true;
}

/* The next row that the snapshot sees, in the scan's slot. */
static TupleTableSlot *
custom_next(ScanState *node)
{
	CustomState *state = (CustomState *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	ElacResult	result;

	if (state->scan == NULL)
		custom_open_scan(state);
	ExecClearTuple(slot);
	while (elac_query_next(state->scan, &result))
	{
		bool		call_again = false;

		CHECK_FOR_INTERRUPTS();
		if (!table_index_fetch_tuple(state->fetch, &result.tid, node->ps.state->es_snapshot,
									 slot, &call_again, NULL))
			continue;
		pgstat_count_index_tuples(state->index, 1);
		pgstat_count_heap_fetch(state->index);
		if (state->rest != NIL && !custom_check_rest(state, slot))
			continue;
		custom_set_value(state, result.distance, result.isnull);
		return slot;
	}
	return NULL;
}

static bool
custom_recheck(ScanState *node, TupleTableSlot *slot)
{
	CustomState *state = (CustomState *) node;
	ExprContext *econtext = node->ps.ps_ExprContext;

	econtext->ecxt_scantuple = slot;
	if (!ExecQualAndReset(state->recheck, econtext))
		return false;
	if (state->order != NULL)
	{
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(state->order, econtext, &isnull);

		custom_set_value(state, isnull ? 0.0 : DatumGetFloat8(value), isnull);
	}
	return true;
}

static TupleTableSlot *
custom_exec(CustomScanState *node)
{
	return ExecScan(&node->ss, custom_next, custom_recheck);
}

static void
custom_end(CustomScanState *node)
{
	CustomState *state = (CustomState *) node;

	custom_close_scan(state);
	if (state->fetch != NULL)
		table_index_fetch_end(state->fetch);
	if (state->index != NULL)
		index_close(state->index, NoLock);
}

static void
custom_rescan(CustomScanState *node)
{
	custom_close_scan((CustomState *) node);
	ExecScanReScan(&node->ss);
}

static void
explain_counters(const ElacQueryCounters *counters, bool text, ExplainState *es)
{
	ExplainPropertyUInteger("Searches", NULL, counters->batches, es);
	ExplainPropertyUInteger("Segments", NULL, counters->segments, es);
	ExplainPropertyUInteger("Delta Rows", NULL, counters->delta_rows, es);
	if (!text)
	{
		ExplainPropertyUInteger("Lists Probed", NULL, counters->lists_probed, es);
		ExplainPropertyUInteger("Codes Scored", NULL, counters->codes_scored, es);
		ExplainPropertyUInteger("Rows Ranked", NULL, counters->reranked, es);
	}
	/* a vector's order has them when conditions are texts' */
	if (!text && counters->text.terms == 0)
		return;
	ExplainPropertyUInteger("Terms", NULL, counters->text.terms, es);
	ExplainPropertyUInteger("Posting Blocks Decoded", NULL, counters->text.blocks_decoded, es);
	ExplainPropertyUInteger("Posting Blocks Skipped", NULL, counters->text.blocks_passed, es);
	ExplainPropertyUInteger("Windows", NULL, counters->text.windows, es);
	ExplainPropertyUInteger("Documents Scored", NULL, counters->text.documents, es);
}

static void
custom_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomState *state = (CustomState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;
	List	   *clauses = list_copy_tail(plan->custom_exprs, 1);
	ElacQueryCounters counters = state->counters;

	ExplainPropertyText("Index", RelationGetRelationName(state->index), es);
	if (clauses != NIL)
		ExplainPropertyText("Index Cond",
							deparse_expression((Node *) make_ands_explicit(clauses), context, prefix, false), es);
	ExplainPropertyText("Order By", deparse_expression(linitial(plan->custom_exprs), context, prefix, false), es);
	if (!es->analyze)
		return;
	if (state->scan != NULL)
		custom_add_counters(&counters, elac_query_counters(state->scan));
	explain_counters(&counters, order_is_text((OpExpr *) linitial(plan->custom_exprs)), es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "ElacsymScan",
	.BeginCustomScan = custom_begin,
	.ExecCustomScan = custom_exec,
	.EndCustomScan = custom_end,
	.ReScanCustomScan = custom_rescan,
	.ExplainCustomScan = custom_explain,
};

static Node *
custom_create_state(CustomScan *plan)
{
	CustomState *state = (CustomState *) newNode(sizeof(CustomState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}

void
elac_customscan_expect(PlanState *node, double rows)
{
	/* conditions without columns are checked by a node above the scan */
	while (IsA(node, ResultState) && outerPlanState(node) != NULL)
		node = outerPlanState(node);
	if (IsA(node, CustomScanState) && ((CustomScanState *) node)->methods == &exec_methods)
		((CustomState *) node)->rows = rows;
}

void
elac_customscan_init(void)
{
	RegisterCustomScanMethods(&plan_methods);
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = customscan_pathlist_hook;
}
