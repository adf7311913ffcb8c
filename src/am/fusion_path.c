/*
 * fusion_path.c
 *	  Planning of ElacsymFusion: the node that reads ranked lists of rows and
 *	  puts them out as one, with the fused score as a column.
 *
 * A table of the query whose columns a call of elacsym_rrf() or
 * elacsym_linear() is made of has that call in its target list, in the
 * PlaceHolderVar that the support function put around it (types/fusion.c).
 * Nothing but this node can compute it, so where the node can be made all
 * other paths of the table are dropped, and where it cannot an error says why.
 *
 * The legs are ElacsymScans below the node, one for each leg and leaf table,
 * of the table itself or of its partitions.  Each evaluates the table's
 * restrictions, row-level security among them, as any scan does; but those
 * that ask for the score are the node's, after the fusion.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "am/am.h"
#include "am/fusion.h"
#include "am/text_cost.h"
#include "compat.h"
#include "guc.h"
#include "query/column_traits.h"
#include "query/fuse.h"
#include "query/fusion_call.h"

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

static Plan *fusion_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
						 List *clauses, List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = "ElacsymFusion",
	.PlanCustomPath = fusion_plan,
};

/* What is being planned. */
typedef struct FusionPlanning
{
	PlannerInfo *root;
	RelOptInfo *rel;
	ElacFusionFound found;
	ElacFusionCall call;
	List	   *columns;		/* expressions over rel that the node's rows consist of */
	List	   *leaves;			/* of FusionLeaf */
} FusionPlanning;

/* A table that is read, and expressions as they read over it. */
typedef struct FusionLeaf
{
	RelOptInfo *rel;
	List	   *columns;
	List	   *legs;
} FusionLeaf;

/* ---- why not ---- */

#define SUBQUERY_HINT \
	"Put SELECT key, elacsym_rrf(...) AS score FROM table ORDER BY score LIMIT n into a subquery or WITH, and join its rows."
#define LEG_HINT \
	"A leg is a distance such as embedding <=> $1 or body <@> 'words', of columns that an elacsym index has with an operator class for it."

/* hint: a literal, or NULL */
static void pg_attribute_printf(3, 4)
fusion_refuse(const FusionPlanning *planning, const char *hint, const char *reason,...)
{
	char		detail[512];
	va_list		args;

	va_start(args, reason);
	vsnprintf(detail, sizeof(detail), reason, args);
	va_end(args);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s() cannot be computed here", get_func_name(planning->found.fusion->funcid)),
			 errdetail_internal("%s", detail),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static const char *
fusion_table_name(const FusionPlanning *planning, RelOptInfo *rel)
{
	return get_rel_name(planner_rt_fetch(rel->relid, planning->root)->relid);
}

/* Things that make a call impossible to compute, whatever the indexes. */
static void
fusion_check_query(const FusionPlanning *planning, const RangeTblEntry *rte)
{
	RelOptInfo *rel = planning->rel;
	const char *table = get_rel_name(rte->relid);
	ListCell   *cell;

	if (!elac_guc_enable_customscan)
		fusion_refuse(planning, "Set it to on.", "elacsym.enable_customscan is off.");
	if (planning->found.several)
		fusion_refuse(planning, SUBQUERY_HINT, "One query can fuse the rows of table \"%s\" in one way only.", table);
	if (rte->tablesample != NULL)
		fusion_refuse(planning, SUBQUERY_HINT, "Table \"%s\" is sampled.", table);
	if (rel->relid == planning->root->parse->resultRelation)
		fusion_refuse(planning, SUBQUERY_HINT, "Rows of table \"%s\" are changed by the query.", table);
	foreach(cell, planning->root->rowMarks)
		if (lfirst_node(PlanRowMark, cell)->rti == rel->relid)
			fusion_refuse(planning, SUBQUERY_HINT, "The query locks rows of table \"%s\", or changes rows joined to them.", table);
	if (!bms_is_empty(rel->lateral_relids))
		fusion_refuse(planning, SUBQUERY_HINT, "Rows of table \"%s\" depend on those of other tables of the same query.", table);
}

static void
fusion_check_call(FusionPlanning *planning)
{
	const ElacFusionCall *call = &planning->call;
	List	   *arguments = list_make3(call->weights, call->constant, call->window);

	if (list_length(call->legs) > ELAC_FUSE_LEGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s() takes at most %d legs, not %d", get_func_name(planning->found.fusion->funcid),
						ELAC_FUSE_LEGS_MAX, list_length(call->legs))));
	if (contain_var_clause((Node *) arguments))
		fusion_refuse(planning, NULL, "The arguments after the legs must not have columns in them.");
}

/* ---- conditions that ask for the score ---- */

static bool
clause_has_call(const RestrictInfo *info)
{
	ElacFusionFound found = {0};

	elac_fusion_find((Node *) info->clause, &found);
	return found.fusion != NULL;
}

/* Of RestrictInfos, those that have a call, or those that have none. */
static List *
clauses_with_call(List *clauses, bool has)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
		if (clause_has_call(lfirst_node(RestrictInfo, cell)) == has)
			result = lappend(result, lfirst(cell));
	return result;
}

/* The relation as scans below the node see it: without conditions that they cannot evaluate. */
static RelOptInfo *
relation_without_call(RelOptInfo *rel)
{
	List	   *clauses = clauses_with_call(rel->baserestrictinfo, false);
	RelOptInfo *copy;

	if (list_length(clauses) == list_length(rel->baserestrictinfo))
		return rel;
	copy = makeNode(RelOptInfo);
	memcpy(copy, rel, sizeof(RelOptInfo));
	copy->baserestrictinfo = clauses;
	return copy;
}

/* ---- the table's columns and leaves ---- */

/* Collects what expressions around a call need of the row. */
static bool
columns_walker(Node *node, void *arg)
{
	List	  **columns = (List **) arg;
	ElacFusionFound found = {0};

	if (node == NULL)
		return false;
	if (IsA(node, List))
		return expression_tree_walker(node, columns_walker, arg);
	elac_fusion_find(node, &found);
	if (found.fusion == NULL)
	{
		/* as it is, when it is something of the row */
		if (contain_var_clause(node))
			*columns = list_append_unique(*columns, node);
		return false;
	}
	if (equal(node, found.fusion_node) || equal(node, found.legs_node))
		return false;
	return expression_tree_walker(node, columns_walker, arg);
}

static void
leaves_add(FusionPlanning *planning, RelOptInfo *rel, List *columns, List *legs)
{
	PlannerInfo *root = planning->root;
	FusionLeaf *leaf;
	ListCell   *cell;

	CHECK_FOR_INTERRUPTS();
	if (!planner_rt_fetch(rel->relid, root)->inh)
	{
		leaf = palloc0(sizeof(FusionLeaf));
		leaf->rel = relation_without_call(rel);
		leaf->columns = columns;
		leaf->legs = legs;
		planning->leaves = lappend(planning->leaves, leaf);
		return;
	}
	foreach(cell, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, cell);
		RelOptInfo *child;

		if (info->parent_relid != rel->relid)
			continue;
		child = root->simple_rel_array[info->child_relid];
		if (child == NULL || IS_DUMMY_REL(child))
			continue;			/* pruned */
		leaves_add(planning, child, (List *) adjust_appendrel_attrs(root, (Node *) columns, 1, &info),
				   (List *) adjust_appendrel_attrs(root, (Node *) legs, 1, &info));
	}
}

/* ---- paths below the node ---- */

/* What a plan of the leaf puts out; value: the leg's, or NULL. */
static PathTarget *
leaf_target(PlannerInfo *root, const FusionLeaf *leaf, Expr *value)
{
	PathTarget *target = create_empty_pathtarget();
	Index		relid = leaf->rel->relid;

	target->exprs = list_copy(leaf->columns);
	target->exprs = lappend(target->exprs, makeVar(relid, TableOidAttributeNumber, OIDOID, -1, InvalidOid, 0));
	target->exprs = lappend(target->exprs, makeVar(relid, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0));
	if (value != NULL)
		target->exprs = lappend(target->exprs, value);
	return set_pathtarget_cost_width(root, target);
}

/* The cheapest scan of the leaf in the order of leg number i (from 0). */
static CustomPath *
leg_path(FusionPlanning *planning, const FusionLeaf *leaf, int i, IndexOptInfo **chosen)
{
	Expr	   *order = list_nth(leaf->legs, i);
	PathTarget *target = leaf_target(planning->root, leaf, order);
	Oid			am = elac_am_oid();
	CustomPath *best = NULL;
	ListCell   *cell;

	foreach(cell, leaf->rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);
		CustomPath *path;

		if (index->relam != am || index->hypothetical || (index->indpred != NIL && !index->predOK))
			continue;
		/* a sum of similarities needs the exact ones, and so does who asks for the legs' values */
		path = elac_customscan_leg(planning->root, leaf->rel, index, order, target,
								   planning->call.kind == ELAC_FUSION_RRF && planning->found.legs_node == NULL);
		if (path != NULL && (best == NULL || path->path.total_cost < best->path.total_cost))
		{
			best = path;
			*chosen = index;
		}
	}
	if (best == NULL)
		fusion_refuse(planning, LEG_HINT, "No elacsym index of table \"%s\" orders by leg %d.",
					  fusion_table_name(planning, leaf->rel), i + 1);
	return best;
}

/* What values of the leg are. */
static ElacFuseValue
leg_value(CustomPath *path, IndexOptInfo *index)
{
	OpExpr	   *order = (OpExpr *) lsecond(path->custom_private);
	int			column = intVal(lsecond((List *) linitial(path->custom_private)));
	Relation	relation;
	ElacFuseValue value;

	if (exprType(linitial(order->args)) != exprType(lsecond(order->args)))
		return ELAC_FUSE_SCORE;
	relation = index_open(index->indexoid, AccessShareLock);
	switch (elac_column_traits(relation, column)->metric)
	{
		case ELAC_METRIC_COSINE:
			value = ELAC_FUSE_COSINE;
			break;
		case ELAC_METRIC_IP:
			value = ELAC_FUSE_PRODUCT;
			break;
		default:
			value = ELAC_FUSE_L2;
			break;
	}
	index_close(relation, NoLock);
	return value;
}

/* Share of the rows an index returns that will pass what it cannot evaluate. */
static double
leg_passing(PlannerInfo *root, CustomPath *path, IndexOptInfo *index)
{
	RelOptInfo *rel = path->path.parent;
	List	   *pushed = (List *) lthird(path->custom_private);
	ElacConditionsCost conditions;
	double		found;

	if (list_length(pushed) == list_length(rel->baserestrictinfo))
		return 1;
	elac_text_cost_conditions(root, index, pushed, &conditions);
	found = clamp_row_est(conditions.estimated * Min(rel->tuples, Max(index->tuples, 1)));
	return Min(Max(rel->rows, 1) / found, 1);
}

/*
 * The cheapest scan of the leaf in the order of its pages, for rows that no
 * leg ranks.  The path is a copy with a target of its own: that of the path at
 * hand has the call in it.
 */
static Path *
rest_path(PlannerInfo *root, const FusionLeaf *leaf)
{
	Path	   *best = create_seqscan_path(root, leaf->rel, NULL, 0);
	ListCell   *cell;

	foreach(cell, leaf->rel->pathlist)
	{
		Path	   *path = (Path *) lfirst(cell);

		if (IsA(path, BitmapHeapPath) && path->param_info == NULL && path->total_cost < best->total_cost)
		{
			best = palloc(sizeof(BitmapHeapPath));
			memcpy(best, path, sizeof(BitmapHeapPath));
		}
	}
	best->parallel_aware = false;
	best->parallel_safe = false;
	best->parallel_workers = 0;
	best->parent = leaf->rel;
	best->pathtarget = leaf_target(root, leaf, NULL);
	return best;
}

/* ---- the node ---- */

/* Does the query want the rows by the fused score, the best first? */
static bool
fusion_is_order(const FusionPlanning *planning)
{
	PathKey    *pathkey;
	ListCell   *cell;
	List	   *members;

	if (planning->root->query_pathkeys == NIL)
		return false;
	pathkey = linitial_node(PathKey, planning->root->query_pathkeys);
	if (!elac_pathkey_is_ascending(pathkey))
		return false;
	members = elac_eclass_members(pathkey->pk_eclass, planning->rel->relids);
	foreach(cell, members)
	{
		if (equal(lfirst_node(EquivalenceMember, cell)->em_expr, planning->found.fusion_node))
			return true;
	}
	return false;
}

/* Does the query's LIMIT take rows as the node puts them out? */
static bool
fusion_limit_counts(const FusionPlanning *planning)
{
	const Query *parse = planning->root->parse;

	return fusion_is_order(planning) && !parse->hasAggs && !parse->hasWindowFuncs && !parse->hasTargetSRFs &&
		parse->groupClause == NIL && parse->groupingSets == NIL && parse->distinctClause == NIL &&
		parse->setOperations == NULL && parse->havingQual == NULL;
}

static Expr *
fusion_limit(const FusionPlanning *planning, Node *expr)
{
	if (expr == NULL || !fusion_limit_counts(planning))
		return (Expr *) makeNullConst(INT8OID, -1, InvalidOid);
	return (Expr *) copyObject(expr);
}

/* The windows are read before the first row; the rest only after all rows that have a rank. */
static void
fusion_set_cost(CustomPath *path, int nlegs, double window, RelOptInfo *rel)
{
	Cost		startup = path->path.pathtarget->cost.startup;
	Cost		rest = 0;
	ListCell   *cell;

	foreach(cell, path->custom_paths)
	{
		Path	   *child = (Path *) lfirst(cell);

		if (foreach_current_index(cell) >= nlegs)
		{
			rest += child->total_cost;
			continue;
		}
		startup += child->startup_cost +
			(child->total_cost - child->startup_cost) * Min(window / Max(child->rows, 1), 1);
		startup += Min(window, child->rows) * 4 * cpu_operator_cost;
	}
	path->path.rows = rel->rows;
	path->path.startup_cost = startup;
	path->path.total_cost = startup + rest + rel->rows * (cpu_tuple_cost + path->path.pathtarget->cost.per_tuple);
}

static double
fusion_window_guess(FusionPlanning *planning)
{
	double		window = ELAC_FUSION_WINDOW_DEFAULT;
	Node	   *argument = estimate_expression_value(planning->root, (Node *) planning->call.window);

	if (IsA(argument, Const) && !((Const *) argument)->constisnull)
		window = DatumGetInt32(((Const *) argument)->constvalue);
	return Max(Max(window, planning->root->limit_tuples), 1);
}

static CustomPath *
fusion_path(FusionPlanning *planning)
{
	PlannerInfo *root = planning->root;
	CustomPath *path = makeNode(CustomPath);
	List	   *counts = NIL;
	List	   *values = NIL;
	List	   *passing = NIL;
	ListCell   *cell;
	int			nscans;

	for (int i = 0; i < list_length(planning->call.legs); i++)
	{
		ElacFuseValue value = ELAC_FUSE_SCORE;
		bool		empty = elac_fusion_leg_is_empty(list_nth(planning->call.legs, i));

		counts = lappend_int(counts, empty ? 0 : list_length(planning->leaves));
		foreach(cell, planning->leaves)
		{
			IndexOptInfo *index = NULL;
			CustomPath *leg;

			if (empty)
				break;
			leg = leg_path(planning, lfirst(cell), i, &index);
			value = leg_value(leg, index);
			path->custom_paths = lappend(path->custom_paths, leg);
			passing = lappend(passing, makeFloat(psprintf("%.6g", leg_passing(root, leg, index))));
		}
		values = lappend_int(values, value);
	}
	nscans = list_length(path->custom_paths);
	foreach(cell, planning->leaves)
		path->custom_paths = lappend(path->custom_paths, rest_path(root, lfirst(cell)));
	counts = lappend_int(counts, list_length(planning->leaves));

	path->path.pathtype = T_CustomScan;
	path->path.parent = planning->rel;
	/* without what the call would cost if it were one */
	path->path.pathtarget = set_pathtarget_cost_width(root, copy_pathtarget(planning->rel->reltarget));
	path->path.pathkeys = fusion_is_order(planning) ? list_make1(linitial(root->query_pathkeys)) : NIL;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	fusion_set_cost(path, nscans, fusion_window_guess(planning), planning->rel);
	path->custom_private =
		list_make3(list_make5(makeInteger(planning->call.kind), makeInteger(list_length(planning->columns)), counts, values, passing),
				   list_make5(planning->call.weights, planning->call.constant, planning->call.window,
							  fusion_limit(planning, root->parse->limitCount), fusion_limit(planning, root->parse->limitOffset)),
				   list_concat_copy(planning->columns,
									planning->found.legs_node == NULL ? list_make1(planning->found.fusion_node) :
									list_make2(planning->found.fusion_node, planning->found.legs_node)));
	return path;
}

static Plan *
fusion_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
			List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);
	ListCell   *cell;

	scan->scan.plan.targetlist = tlist;
	/* the plans below have checked all others */
	scan->scan.plan.qual = extract_actual_clauses(clauses_with_call(clauses, true), false);
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->custom_plans = custom_plans;
	scan->custom_private = (List *) linitial(path->custom_private);
	scan->custom_exprs = (List *) copyObject(lsecond(path->custom_private));
	foreach(cell, (List *) lthird(path->custom_private))
		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) copyObject(lfirst(cell)), foreach_current_index(cell) + 1,
														  NULL, false));
	scan->methods = &elac_fusion_scan_methods;
	return (Plan *) scan;
}

/* Calls that a scan of rel would have to compute, for its target list or its conditions. */
static void
fusion_find_in_relation(const RelOptInfo *rel, ElacFusionFound *found)
{
	ListCell   *cell;

	elac_fusion_find((Node *) rel->reltarget->exprs, found);
	foreach(cell, rel->baserestrictinfo)
		elac_fusion_find((Node *) lfirst_node(RestrictInfo, cell)->clause, found);
}

/*
 * Is rel a partition, or a member of UNION ALL, below a relation that has the
 * call itself?  Ranks are then taken over that one.
 */
static bool
fusion_is_parents(PlannerInfo *root, RelOptInfo *rel)
{
	ElacFusionFound found = {0};

	if (rel->reloptkind != RELOPT_OTHER_MEMBER_REL)
		return false;
	fusion_find_in_relation(root->simple_rel_array[root->append_rel_array[rel->relid]->parent_relid], &found);
	return found.fusion != NULL;
}

static void
fusion_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FusionPlanning planning = {0};
	CustomPath *path;
	ListCell   *cell;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || !IS_SIMPLE_REL(rel) || IS_DUMMY_REL(rel))
		return;
	fusion_find_in_relation(rel, &planning.found);
	if (planning.found.fusion == NULL || fusion_is_parents(root, rel))
		return;
	planning.root = root;
	planning.rel = rel;
	if (!elac_fusion_call_read(planning.found.fusion, elac_fusion_kind(planning.found.fusion->funcid), &planning.call))
		elog(ERROR, "call of a fusion function cannot be read");
	fusion_check_query(&planning, rte);
	fusion_check_call(&planning);
	(void) columns_walker((Node *) rel->reltarget->exprs, &planning.columns);
	foreach(cell, clauses_with_call(rel->baserestrictinfo, true))
		(void) columns_walker((Node *) lfirst_node(RestrictInfo, cell)->clause, &planning.columns);
	leaves_add(&planning, rel, planning.columns, planning.call.legs);
	path = fusion_path(&planning);

	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	/* else the paths of a partitioned relation are made anew from its partitions', at last */
	rel->part_scheme = NULL;
	add_path(rel, (Path *) path);
}

void
elac_fusion_init(void)
{
	RegisterCustomScanMethods(&elac_fusion_scan_methods);
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = fusion_pathlist_hook;
}
