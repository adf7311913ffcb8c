/*
 * fusion.c
 *	  elacsym_rrf(), elacsym_linear() and elacsym_legs(): what they are to the
 *	  parser and the planner.
 *
 * A fused score depends on all rows, so no call of a function can compute it:
 * the node ElacsymFusion does (am/fusion_path.c), and the bodies here raise an
 * error.  That the value gets from the node to wherever the query uses it is
 * the planner's work, if it is told that the call belongs to one table: the
 * support function wraps the call into a PlaceHolderVar of that table.  It is
 * then computed where the table is scanned, and carried up through joins,
 * sorts and groups like a column.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/placeholder.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/palloc.h"

#include "compat.h"
#include "query/fusion_call.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_rrf);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_rrf_array);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_linear);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_linear_array);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_legs);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_fusion_support);

/* ---- which table a call belongs to ---- */

typedef struct ColumnContext
{
	Index		varno;			/* 0: none yet */
	Relids		nulling;		/* outer joins that may make its columns NULL */
	bool		mixed;			/* several tables */
} ColumnContext;

static bool
column_walker(Node *node, void *arg)
{
	ColumnContext *context = (ColumnContext *) arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varlevelsup > 0)
			return false;
		if (context->varno != 0 &&
			(context->varno != var->varno || !bms_equal(context->nulling, elac_var_nulling(var))))
			context->mixed = true;
		context->varno = var->varno;
		context->nulling = elac_var_nulling(var);
		return false;
	}
	return expression_tree_walker(node, column_walker, arg);
}

/* The range table entry of a table whose columns the legs are made of, 0 when there is none. */
static Index
fusion_table(PlannerInfo *root, List *legs, Relids *nulling)
{
	ColumnContext context = {0};

	(void) column_walker((Node *) legs, &context);
	if (context.varno < 1 || context.mixed || context.varno > list_length(root->parse->rtable) ||
		rt_fetch(context.varno, root->parse->rtable)->rtekind != RTE_RELATION)
		return 0;
	*nulling = context.nulling;
	return context.varno;
}

/*
 * A member of UNION ALL that became part of the query: what it puts out is
 * computed by its scan as it is, and a PlaceHolderVar there would be one that
 * the planner does not know of.
 */
static bool
fusion_table_is_member(PlannerInfo *root, Index varno)
{
	ListCell   *cell;

	foreach(cell, root->append_rel_list)
		if (lfirst_node(AppendRelInfo, cell)->child_relid == varno)
			return true;
	return false;
}

/* ---- the support function ---- */

/*
 * A call that was given its place in the query that root plans.  The same call
 * elsewhere in that query gets a copy of the same PlaceHolderVar, so that it
 * is one for the planner: later its copies may differ, for each subquery in
 * the arguments of each becomes a plan and a parameter of its own.
 */
typedef struct PlacedCall
{
	dlist_node	link;			/* in placed_calls */
	MemoryContextCallback forget;	/* when the planner's memory goes */
	const PlannerInfo *root;
	Oid			function;
	List	   *args;			/* as they were given */
	Node	   *placed;
} PlacedCall;

static dlist_head placed_calls = DLIST_STATIC_INIT(placed_calls);

static void
placed_forget(void *arg)
{
	dlist_delete(&((PlacedCall *) arg)->link);
}

static Node *
placed_find(const PlannerInfo *root, const FuncExpr *call)
{
	dlist_iter	iter;

	dlist_foreach(iter, &placed_calls)
	{
		PlacedCall *known = dlist_container(PlacedCall, link, iter.cur);

		if (known->root == root && known->function == call->funcid && equal(known->args, call->args))
			return copyObject(known->placed);
	}
	return NULL;
}

static void
placed_remember(const PlannerInfo *root, const FuncExpr *call, Node *placed)
{
	PlacedCall *known = palloc0(sizeof(PlacedCall));

	known->root = root;
	known->function = call->funcid;
	known->args = copyObject(call->args);
	known->placed = copyObject(placed);
	dlist_push_head(&placed_calls, &known->link);
	known->forget.func = placed_forget;
	known->forget.arg = known;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &known->forget);
}

/*
 * The call, marked, in a PlaceHolderVar: computed below the outer joins that
 * make the table's columns NULL, and made NULL with them.
 */
static Node *
fusion_place(PlannerInfo *root, const FuncExpr *call, List *args, Relids table, Relids nulling)
{
	Expr	   *marked = (Expr *) makeFuncExpr(call->funcid, call->funcresulttype, args, call->funccollid,
											   ELAC_FUSION_MARK, COERCE_EXPLICIT_CALL);
	PlaceHolderVar *placeholder;

	if (table == NULL)
		return (Node *) marked;
	placeholder = make_placeholder_expr(root, marked, bms_copy(table));
	elac_placeholder_set_nulling(placeholder, bms_copy(nulling));
	placed_remember(root, call, (Node *) placeholder);
	return (Node *) placeholder;
}

static Node *
simplify_fusion(PlannerInfo *root, const FuncExpr *fcall, ElacFusionKind kind)
{
	ElacFusionCall call;
	ListCell   *cell;
	bool		is_empty = true;
	Relids		nulling = NULL;
	Index		varno;

	if (!elac_fusion_call_read(fcall, kind, &call))
		return NULL;
	foreach(cell, call.legs)
		is_empty = is_empty && elac_fusion_leg_is_empty(lfirst(cell));
	if (is_empty)				/* nobody ranks anything */
		return (Node *) makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8), Float8GetDatum(0.0), false, FLOAT8PASSBYVAL);
	varno = fusion_table(root, call.legs, &nulling);
	if (varno == 0)
		return NULL;
	return fusion_place(root, fcall, (List *) elac_remove_nulling((Node *) copyObject(fcall->args), nulling),
						fusion_table_is_member(root, varno) ? NULL : bms_make_singleton(varno), nulling);
}

/* elacsym_legs(): belongs to the same table as the call that it asks about. */
static Node *
simplify_legs(PlannerInfo *root, const FuncExpr *fcall)
{
	Node	   *argument = linitial(fcall->args);
	PlaceHolderVar *placeholder = (PlaceHolderVar *) argument;
	FuncExpr   *call = (FuncExpr *) argument;

	if (IsA(argument, Const))	/* of legs that rank nothing */
		return (Node *) makeNullConst(fcall->funcresulttype, -1, InvalidOid);
	if (IsA(argument, PlaceHolderVar))
		call = (FuncExpr *) placeholder->phexpr;
	if (!IsA(call, FuncExpr) || call->inputcollid != ELAC_FUSION_MARK)
		return NULL;
	if (!IsA(argument, PlaceHolderVar))
		return fusion_place(root, fcall, list_make1(copyObject(argument)), NULL, NULL);
	return fusion_place(root, fcall, list_make1(elac_remove_nulling(copyObject(argument), elac_placeholder_nulling(placeholder))),
						placeholder->phrels, elac_placeholder_nulling(placeholder));
}

Datum
elac_fusion_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestSimplify *simplify = (SupportRequestSimplify *) request;
	Node	   *result = NULL;

	/* a marked call has its PlaceHolderVar around it, and may be simplified again */
	if (IsA(request, SupportRequestSimplify) && simplify->root != NULL && simplify->fcall->inputcollid != ELAC_FUSION_MARK)
	{
		ElacFusionKind kind = elac_fusion_kind(simplify->fcall->funcid);

		result = placed_find(simplify->root, simplify->fcall);
		if (result != NULL)
			PG_RETURN_POINTER(result);
		if (kind == ELAC_FUSION_LEGS)
			result = simplify_legs(simplify->root, simplify->fcall);
		else if (kind != ELAC_FUSION_NONE)
			result = simplify_fusion(simplify->root, simplify->fcall, kind);
	}
	PG_RETURN_POINTER(result);
}

/* ---- the functions, where no node computes them ---- */

static void
fusion_raise(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s() can only be computed by a scan of an elacsym index", get_func_name(fcinfo->flinfo->fn_oid)),
			 errdetail("Its legs must be distances of columns of one table, such as embedding <=> $1 or body <@> 'words'."),
			 errhint("Put SELECT key, elacsym_rrf(...) AS score FROM table ORDER BY score LIMIT n into a subquery or WITH, and join its rows.")));
}

Datum
elac_fusion_rrf(PG_FUNCTION_ARGS)
{
	fusion_raise(fcinfo);
	PG_RETURN_NULL();
}

Datum
elac_fusion_rrf_array(PG_FUNCTION_ARGS)
{
	fusion_raise(fcinfo);
	PG_RETURN_NULL();
}

Datum
elac_fusion_linear(PG_FUNCTION_ARGS)
{
	fusion_raise(fcinfo);
	PG_RETURN_NULL();
}

Datum
elac_fusion_linear_array(PG_FUNCTION_ARGS)
{
	fusion_raise(fcinfo);
	PG_RETURN_NULL();
}

Datum
elac_fusion_legs(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("elacsym_legs() can only be computed by a scan of an elacsym index"),
			 errhint("Its argument must be the very call of elacsym_rrf() or elacsym_linear() that the query orders by.")));
	PG_RETURN_NULL();
}
