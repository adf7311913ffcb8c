/*
 * only_scan.c
 *	  ElacsymOnlyScan: the rows that fulfil conditions, and nothing of them.
 *
 * What the server's index-only scan is to columns, this is to queries that
 * need none: SELECT count(*), SELECT 1, EXISTS.  All conditions are evaluated
 * inside the index, as bitmaps; rows that every snapshot sees are counted
 * (query/visible.c), and only the others are looked at in the heap.  The node
 * returns one and the same empty row as often as rows were found.
 *
 * Planning: custom_exprs holds the conditions, custom_private the index's OID
 * and whether few rows are wanted (EXISTS, a small LIMIT): these are looked at,
 * which is less work than to ask the visibility map about all rows found.
 * The path is offered where nothing of the table is needed above the scan, no
 * system column and no whole row either, and where the index evaluates every
 * condition.  Tables whose rows are locked or changed always need their ctid,
 * and EvalPlanQual() brings rows of no others, so it never brings one here.
 */
#include "postgres.h"

#include <math.h>

#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/restrictinfo.h"
#include "pgstat.h"
#include "utils/rel.h"
#include "utils/spccache.h"

#include "am/am.h"
#include "am/customscan.h"
#include "am/text_cost.h"
#include "query/distance_cost.h"
#include "query/heap_ahead.h"

/* Planning: the place of one row to be looked at, found and sorted (am/README.md). */
#define ONLY_TID_NS 40.0

/* Rows to be looked at are taken from the index so many at first, then ever more, up to work_mem. */
#define ONLY_TIDS_FIRST 256
#define ONLY_TIDS_GROWTH 4

/* Rows announced ahead of the one that is read. */
#define ONLY_AHEAD 10

/* Rows wanted that are few. */
#define ONLY_FEW_ROWS 100

/* ---- planning ---- */

static Plan *only_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
					   List *clauses, List *custom_plans);
static Node *only_create_state(CustomScan *plan);

static const CustomPathMethods only_path_methods = {
	.CustomName = ELAC_ONLY_SCAN_NAME,
	.PlanCustomPath = only_plan,
};

const CustomScanMethods elac_only_scan_methods = {
	.CustomName = ELAC_ONLY_SCAN_NAME,
	.CreateCustomScanState = only_create_state,
};

/* Does nobody above the scan want to see a row, or lock or change it? */
static bool
only_rows_are_unseen(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *cell;

	if (contain_var_clause((Node *) rel->reltarget->exprs) || !bms_is_empty(rel->lateral_relids) ||
		bms_is_member(rel->relid, root->all_result_relids))
		return false;
	foreach(cell, root->rowMarks)
		if (lfirst_node(PlanRowMark, cell)->rti == rel->relid)
			return false;
	return true;
}

/* EXISTS is planned as if it had a LIMIT; above groups, aggregates and the like a limit says nothing of rows. */
static bool
only_few_are_wanted(PlannerInfo *root, RelOptInfo *rel)
{
	const Query *parse = root->parse;

	return root->tuple_fraction >= 1 && root->tuple_fraction <= ONLY_FEW_ROWS && elac_cost_is_whole_query(root, rel) &&
		!parse->hasAggs && parse->groupClause == NIL && parse->groupingSets == NIL && parse->distinctClause == NIL &&
		!parse->hasWindowFuncs && !parse->hasTargetSRFs && !root->hasHavingQual;
}

/* What reading the rows costs that are not on all-visible pages; they are read in the table's order. */
static Cost
only_fetch_cost(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, double tuples)
{
	double		share = 1 - rel->allvisfrac;
	double		pages = ceil(index_pages_fetched(tuples, rel->pages, (double) index->pages, root) * share);
	double		page_random;
	double		page_seq;

	get_tablespace_page_costs(rel->reltablespace, &page_random, &page_seq);
	if (pages >= 2)
		page_random -= (page_random - page_seq) * Min(sqrt(pages / Max(rel->pages, 1)), 1);
	return pages * page_random + tuples * share * ELAC_COST_NS(ONLY_TID_NS);
}

static void
only_set_cost(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, const ElacConditionsCost *conditions, Path *path)
{
	double		tuples = clamp_row_est(conditions->selectivity * Min(rel->tuples, Max(index->tuples, 1)));
	Cost		startup;
	Cost		total;

	/* the total has the place of each row in it */
	elac_cost_query(root, index, NULL, conditions, &startup, &total);
	path->rows = rel->rows;
	path->startup_cost = startup + path->pathtarget->cost.startup;
	path->total_cost = path->startup_cost + only_fetch_cost(root, rel, index, tuples) + tuples * cpu_tuple_cost +
		rel->rows * path->pathtarget->cost.per_tuple;
}

void
elac_only_consider(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	ElacTarget	target;
	ElacConditionsCost conditions;
	List	   *clauses;
	bool		whole;
	CustomPath *path;

	/* a partial index's predicate has taken the clauses out that it implies */
	if ((index->indrestrictinfo == NIL && index->indpred == NIL) || !only_rows_are_unseen(root, rel))
		return;
	elac_target_from_info(&target, index);
	clauses = elac_customscan_clauses(rel, index->indrestrictinfo, &target, &whole);
	if (!whole || (clauses == NIL && index->indpred == NIL))
		return;
	elac_text_cost_conditions(root, index, clauses, &conditions);
	if (conditions.nunserved > 0)
		return;

	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.parallel_safe = rel->consider_parallel;	/* as an index scan's */
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &only_path_methods;
	path->custom_private = list_make2(list_make2(makeInteger((int) index->indexoid), makeBoolean(only_few_are_wanted(root, rel))),
									  clauses);
	only_set_cost(root, rel, index, &conditions, &path->path);
	add_path(rel, (Path *) path);
}

static Plan *
only_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);

	/* clauses has those that a predicate implies, too, and those without a column, which are checked above */
	scan->scan.plan.targetlist = tlist;
	scan->scan.scanrelid = rel->relid;
	scan->flags = path->flags;
	scan->custom_exprs = extract_actual_clauses(lsecond(path->custom_private), false);
	scan->custom_private = linitial(path->custom_private);
	scan->methods = &elac_only_scan_methods;
	return (Plan *) scan;
}

/* ---- execution ---- */

typedef struct OnlyState
{
	CustomScanState css;		/* first */
	ElacCustomIndex part;
	bool		project;		/* expressions, of no column, are to be evaluated for each row */
	bool		few;			/* rows are wanted */
	uint64		visible;		/* rows found that are still to be returned, and need not be looked at */
	uint64		heap_fetches;	/* rows looked at, of all scans */

	/* rows to be looked at, in the table's order */
	ItemPointerData *tids;
	uint32		size;			/* room for them */
	uint32		ntids;
	uint32		next;
	uint32		announced;
	ElacHeapAhead ahead;
} OnlyState;

/*
 * The executor made a virtual slot for the table's rows; those that have to be
 * looked at are put into one of the table's own kind, for conditions that turn
 * out to be checked on the rows.  Nothing in the target list reads it.
 */
static void
only_begin(CustomScanState *node, EState *estate, int eflags)
{
	OnlyState  *state = (OnlyState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	Relation	table = node->ss.ss_currentRelation;

	state->project = plan->scan.plan.targetlist != NIL;
	state->few = boolVal(lsecond(plan->custom_private));
	ExecInitScanTupleSlot(estate, &node->ss, RelationGetDescr(table), table_slot_callbacks(table));
	elac_custom_index_begin(&state->part, node, (Oid) intVal(linitial(plan->custom_private)), plan->custom_exprs, eflags);
}

static void
only_open_scan(OnlyState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->part.context);
	ElacQuery	query = {0};

	elac_custom_index_query(&state->part, &state->css, &query);
	query.visible_apart = state->part.rest == NIL && !state->few;
	state->part.scan = elac_query_open(&query);
	state->visible = elac_query_visible(state->part.scan);
	pgstat_count_index_tuples(state->part.index, state->visible);
	memset(&state->ahead, 0, sizeof(state->ahead));
	MemoryContextSwitchTo(old);
}

static int
only_compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare(unconstify(ItemPointerData *, (const ItemPointerData *) a),
							  unconstify(ItemPointerData *, (const ItemPointerData *) b));
}

/* Clusters of vectors are not in the table's order, and neither are segments one after the other. */
static void
only_sort_tids(OnlyState *state)
{
	for (uint32 i = 1; i < state->ntids; i++)
	{
		if (ItemPointerCompare(&state->tids[i - 1], &state->tids[i]) > 0)
		{
			qsort(state->tids, state->ntids, sizeof(ItemPointerData), only_compare_tids);
			return;
		}
	}
}

/* The next rows to be looked at; false when there are none. */
static bool
only_read_tids(OnlyState *state)
{
	Size		most = (Size) work_mem * 1024 / sizeof(ItemPointerData);

	if (state->tids != NULL)
		pfree(state->tids);
	state->size = state->size == 0 ? ONLY_TIDS_FIRST : (uint32) Min((uint64) state->size * ONLY_TIDS_GROWTH, Min(most, PG_INT32_MAX));
	state->tids = MemoryContextAllocHuge(state->part.context, (Size) state->size * sizeof(ItemPointerData));
	state->ntids = elac_query_next_tids(state->part.scan, state->tids, state->size);
	state->next = 0;
	state->announced = 0;
	only_sort_tids(state);
	return state->ntids > 0;
}

/* Finds the next row that the snapshot sees. */
static bool
only_look(OnlyState *state)
{
	Relation	table = state->css.ss.ss_currentRelation;

	while (state->next < state->ntids || only_read_tids(state))
	{
		for (; state->announced < Min(state->ntids, state->next + ONLY_AHEAD); state->announced++)
			elac_heap_announce(&state->ahead, table, &state->tids[state->announced]);
		elac_heap_advance(&state->ahead);
		state->heap_fetches++;
		if (elac_custom_index_fetch(&state->part, &state->css, &state->tids[state->next++]))
			return true;
	}
	return false;
}

static TupleTableSlot *
only_exec(CustomScanState *node)
{
	OnlyState  *state = (OnlyState *) node;
	TupleTableSlot *slot = node->ss.ps.ps_ResultTupleSlot;

	if (state->part.scan == NULL)
		only_open_scan(state);
	if (state->visible > 0)
		state->visible--;
	else if (!only_look(state))
		return NULL;
	if (state->project)
	{
		ResetExprContext(node->ss.ps.ps_ExprContext);
		node->ss.ps.ps_ExprContext->ecxt_scantuple = node->ss.ss_ScanTupleSlot;
		return ExecProject(node->ss.ps.ps_ProjInfo);
	}
	/* a row without columns: stored once, and good for all */
	return TTS_EMPTY(slot) ? ExecStoreVirtualTuple(slot) : slot;
}

static void
only_close(OnlyState *state)
{
	elac_custom_index_close(&state->part);
	state->visible = 0;
	state->tids = NULL;
	state->size = 0;
	state->ntids = 0;
	state->next = 0;
}

static void
only_end(CustomScanState *node)
{
	elac_custom_index_end(&((OnlyState *) node)->part);
}

static void
only_rescan(CustomScanState *node)
{
	only_close((OnlyState *) node);
	ExecScanReScan(&node->ss);
}

static void
only_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	OnlyState  *state = (OnlyState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	ElacQueryCounters counters;

	elac_custom_explain_conditions(&state->part, node, plan->custom_exprs, ancestors, es);
	if (!es->analyze)
		return;
	counters = elac_custom_index_counters(&state->part);
	ExplainPropertyUInteger("Heap Fetches", NULL, state->heap_fetches, es);
	elac_custom_explain_sources(&counters, es);
	if (counters.text.terms > 0)
		elac_custom_explain_text(&counters, es);
}

static const CustomExecMethods only_exec_methods = {
	.CustomName = ELAC_ONLY_SCAN_NAME,
	.BeginCustomScan = only_begin,
	.ExecCustomScan = only_exec,
	.EndCustomScan = only_end,
	.ReScanCustomScan = only_rescan,
	.ExplainCustomScan = only_explain,
};

static Node *
only_create_state(CustomScan *plan)
{
	OnlyState  *state = (OnlyState *) newNode(sizeof(OnlyState), T_CustomScanState);

	state->css.methods = &only_exec_methods;
	return (Node *) state;
}
