/*
 * ordered_scan.c
 *	  Execution of ElacsymScan: rows in order, each as the snapshot sees it,
 *	  with the order's value for the expressions above.
 *
 * What the plan carries is written down in ordered_plan.c.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "am/am.h"
#include "am/condition.h"
#include "am/customscan.h"
#include "am/order.h"
#include "compat.h"
#include "query/query.h"

static Node *ordered_create_state(CustomScan *plan);

const CustomScanMethods elac_ordered_scan_methods = {
	.CustomName = ELAC_ORDERED_SCAN_NAME,
	.CreateCustomScanState = ordered_create_state,
};

typedef struct OrderedState
{
	CustomScanState css;		/* first */
	ElacCustomIndex part;
	int			column;
	double		rows;			/* that the LIMIT will take, 0: unknown */
	ExprState  *order_argument;
	int			value;			/* parameter that carries the scan's value */
	ExprState  *order;			/* the same from the row, where EvalPlanQual() brings it; NULL: nobody asks */
	ExprState  *recheck;		/* clauses evaluated inside the index, for EvalPlanQual */
} OrderedState;

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
ordered_init_expressions(CustomScanState *node, EState *estate, Expr *order, ElacValueUse use, int parameter)
{
	Scan	   *plan = (Scan *) node->ss.ps.plan;
	Relation	table = node->ss.ss_currentRelation;
	ValueContext context = {order, parameter, false};
	List	   *targets = plan->plan.targetlist;
	List	   *qual = plan->plan.qual;
	bool		project;

	if (elac_ordered_by_text((OpExpr *) order) || use == ELAC_VALUE_EVERYWHERE)
		targets = (List *) value_mutator((Node *) targets, &context);
	else if (use == ELAC_VALUE_HIDDEN)
		targets = value_hidden_targets(targets, &context);
	project = context.found;
	if (elac_ordered_by_text((OpExpr *) order))
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
ordered_begin(CustomScanState *node, EState *estate, int eflags)
{
	OrderedState *state = (OrderedState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	OpExpr	   *order = (OpExpr *) linitial(plan->custom_exprs);
	List	   *clauses = list_copy_tail(plan->custom_exprs, 1);

	state->value = intVal(list_nth(plan->custom_private, 4));
	if (ordered_init_expressions(node, estate, (Expr *) order, intVal(lfourth(plan->custom_private)), state->value))
		state->order = ExecInitExpr((Expr *) order, &node->ss.ps);
	state->column = intVal(lsecond(plan->custom_private));
	state->rows = intVal(lthird(plan->custom_private));
	state->order_argument = ExecInitExpr((Expr *) lsecond(order->args), &node->ss.ps);
	state->recheck = ExecInitQual(clauses, &node->ss.ps);
	elac_custom_index_begin(&state->part, node, (Oid) intVal(linitial(plan->custom_private)), clauses, eflags);
}

static void
ordered_open_scan(OrderedState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	MemoryContext old = MemoryContextSwitchTo(state->part.context);
	ElacQuery	query = {0};
	Datum		argument;
	bool		isnull;

	query.rows = state->rows;
	argument = ExecEvalExpr(state->order_argument, econtext, &isnull);
	elac_custom_index_query(&state->part, &state->css, &query);
	elac_order_set(&query, state->column, argument, isnull);
	state->part.scan = elac_query_open(&query);
	MemoryContextSwitchTo(old);
}

/* The value of the row at hand, for the expressions that ask for it. */
static void
ordered_set_value(OrderedState *state, double value, bool isnull)
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

/* The next row that the snapshot sees, in the scan's slot. */
static TupleTableSlot *
ordered_next(ScanState *node)
{
	OrderedState *state = (OrderedState *) node;
	ElacResult	result;

	if (state->part.scan == NULL)
		ordered_open_scan(state);
	ExecClearTuple(node->ss_ScanTupleSlot);
	while (elac_query_next(state->part.scan, &result))
	{
		if (!elac_custom_index_fetch(&state->part, &state->css, &result.tid))
			continue;
		ordered_set_value(state, result.distance, result.isnull);
		return node->ss_ScanTupleSlot;
	}
	return NULL;
}

static bool
ordered_recheck(ScanState *node, TupleTableSlot *slot)
{
	OrderedState *state = (OrderedState *) node;
	ExprContext *econtext = node->ps.ps_ExprContext;

	econtext->ecxt_scantuple = slot;
	if (!ExecQualAndReset(state->recheck, econtext))
		return false;
	if (state->order != NULL)
	{
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(state->order, econtext, &isnull);

		ordered_set_value(state, isnull ? 0.0 : DatumGetFloat8(value), isnull);
	}
	return true;
}

static TupleTableSlot *
ordered_exec(CustomScanState *node)
{
	return ExecScan(&node->ss, ordered_next, ordered_recheck);
}

static void
ordered_end(CustomScanState *node)
{
	elac_custom_index_end(&((OrderedState *) node)->part);
}

static void
ordered_rescan(CustomScanState *node)
{
	elac_custom_index_close(&((OrderedState *) node)->part);
	ExecScanReScan(&node->ss);
}

static void
ordered_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	OrderedState *state = (OrderedState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *clauses = list_copy_tail(plan->custom_exprs, 1);
	bool		text = elac_ordered_by_text(linitial(plan->custom_exprs));
	ElacQueryCounters counters;

	elac_custom_explain_conditions(&state->part, node, clauses, ancestors, es);
	elac_custom_explain_expression("Order By", node, linitial(plan->custom_exprs), ancestors, es);
	if (!es->analyze)
		return;
	counters = elac_custom_index_counters(&state->part);
	ExplainPropertyUInteger("Searches", NULL, counters.batches, es);
	elac_custom_explain_sources(&counters, es);
	if (!text)
	{
		ExplainPropertyUInteger("Lists Probed", NULL, counters.lists_probed, es);
		ExplainPropertyUInteger("Codes Scored", NULL, counters.codes_scored, es);
		ExplainPropertyUInteger("Rows Ranked", NULL, counters.reranked, es);
	}
	/* a vector's order has them when conditions are texts' */
	if (!text && counters.text.terms == 0)
		return;
	elac_custom_explain_text(&counters, es);
	ExplainPropertyUInteger("Windows", NULL, counters.text.windows, es);
	ExplainPropertyUInteger("Documents Scored", NULL, counters.text.documents, es);
}

static const CustomExecMethods ordered_exec_methods = {
	.CustomName = ELAC_ORDERED_SCAN_NAME,
	.BeginCustomScan = ordered_begin,
	.ExecCustomScan = ordered_exec,
	.EndCustomScan = ordered_end,
	.ReScanCustomScan = ordered_rescan,
	.ExplainCustomScan = ordered_explain,
};

static Node *
ordered_create_state(CustomScan *plan)
{
	OrderedState *state = (OrderedState *) newNode(sizeof(OrderedState), T_CustomScanState);

	state->css.methods = &ordered_exec_methods;
	return (Node *) state;
}

void
elac_customscan_expect(PlanState *node, double rows)
{
	/* conditions without columns are checked by a node above the scan */
	while (IsA(node, ResultState) && outerPlanState(node) != NULL)
		node = outerPlanState(node);
	if (IsA(node, CustomScanState) && ((CustomScanState *) node)->methods == &ordered_exec_methods)
		((OrderedState *) node)->rows = rows;
}
