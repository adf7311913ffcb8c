/*
 * customscan.c
 *	  What the custom scans share: the hook that offers them to the planner,
 *	  which conditions go into the index, and the part of a node that is the
 *	  index's.
 *
 * set_rel_pathlist_hook asks for each base relation what each of its elacsym
 * indexes has to offer (ordered_plan.c, only_scan.c).  The hook is there as
 * soon as the library is loaded, which planning a query over an index does.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "am/am.h"
#include "am/customscan.h"
#include "guc.h"

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

/* ---- planning ---- */

List *
elac_customscan_clauses(RelOptInfo *rel, List *restrictions, const ElacTarget *target, bool *whole)
{
	List	   *clauses = NIL;
	bool		all = true;
	ListCell   *cell;

	foreach(cell, restrictions)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);

		if (info->pseudoconstant)
			continue;
		if (restriction_is_securely_promotable(info, rel) && elac_condition_is_supported(target, (Node *) info->clause))
			clauses = lappend(clauses, info);
		else
			all = false;
	}
	if (whole != NULL)
		*whole = all;
	return clauses;
}

static void
customscan_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Oid			am;
	ListCell   *cell;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);

	if (!elac_guc_enable_customscan || rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		!IS_SIMPLE_REL(rel) || IS_DUMMY_REL(rel) || rel->indexlist == NIL ||
		(int) rti == root->parse->resultRelation)
		return;
	am = elac_am_oid();
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);

		if (index->relam == am && !index->hypothetical &&
			(index->indpred == NIL || index->predOK))
		{
			elac_ordered_consider(root, rel, index);
			elac_only_consider(root, rel, index);
		}
	}
}

/* ---- execution ---- */

void
elac_custom_index_begin(ElacCustomIndex *part, CustomScanState *node, Oid index, List *clauses, int eflags)
{
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	ElacTarget	target;

	part->index = index_open(index, AccessShareLock);
	elac_target_from_relation(&target, part->index, plan->scan.scanrelid);
	part->condition = elac_condition_prepare(&target, clauses, &node->ss.ps);
	part->context = AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "elacsym custom scan", ALLOCSET_DEFAULT_SIZES);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	part->fetch = table_index_fetch_begin(node->ss.ss_currentRelation);
}

void
elac_custom_index_query(ElacCustomIndex *part, CustomScanState *node, ElacQuery *query)
{
	query->index = part->index;
	query->heap = node->ss.ss_currentRelation;
	query->snapshot = node->ss.ps.state->es_snapshot;

	/* What index_beginscan() and the access method do in an index scan: inserts conflict with it, and it is counted. */
	PredicateLockRelation(part->index, query->snapshot);
	pgstat_count_index_scan(part->index);
	query->filter = elac_condition_build(part->condition, node->ss.ps.ps_ExprContext, &part->rest);
}

/* The clauses that were planned for the index, and that it cannot evaluate as things are. */
static bool
custom_check_rest(ElacCustomIndex *part, CustomScanState *node, TupleTableSlot *slot)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ListCell   *cell;

	econtext->ecxt_scantuple = slot;
	foreach(cell, part->rest)
	{
		if (!ExecQualAndReset(lfirst(cell), econtext))
		{
			InstrCountFiltered1(&node->ss.ps, 1);
			return false;
		}
	}
	return true;
}

bool
elac_custom_index_fetch(ElacCustomIndex *part, CustomScanState *node, ItemPointer tid)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ItemPointerData walk = *tid;
	bool		call_again = false;

	CHECK_FOR_INTERRUPTS();
	if (!table_index_fetch_tuple(part->fetch, &walk, node->ss.ps.state->es_snapshot, slot, &call_again, NULL))
		return false;
	pgstat_count_index_tuples(part->index, 1);
	pgstat_count_heap_fetch(part->index);
	return part->rest == NIL || custom_check_rest(part, node, slot);
}

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

ElacQueryCounters
elac_custom_index_counters(const ElacCustomIndex *part)
{
	ElacQueryCounters counters = part->counters;

	if (part->scan != NULL)
		custom_add_counters(&counters, elac_query_counters(part->scan));
	return counters;
}

void
elac_custom_index_close(ElacCustomIndex *part)
{
	if (part->scan != NULL)
	{
		custom_add_counters(&part->counters, elac_query_counters(part->scan));
		elac_query_close(part->scan);
	}
	part->scan = NULL;
	part->rest = NIL;
	MemoryContextReset(part->context);
}

void
elac_custom_index_end(ElacCustomIndex *part)
{
	elac_custom_index_close(part);
	if (part->fetch != NULL)
		table_index_fetch_end(part->fetch);
	if (part->index != NULL)
		index_close(part->index, NoLock);
}

/* ---- EXPLAIN ---- */

void
elac_custom_explain_expression(const char *label, CustomScanState *node, Node *expression, List *ancestors,
							   ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;

	ExplainPropertyText(label, deparse_expression(expression, context, prefix, false), es);
}

void
elac_custom_explain_conditions(const ElacCustomIndex *part, CustomScanState *node, List *clauses, List *ancestors,
							   ExplainState *es)
{
	ExplainPropertyText("Index", RelationGetRelationName(part->index), es);
	if (clauses != NIL)
		elac_custom_explain_expression("Index Cond", node, (Node *) make_ands_explicit(clauses), ancestors, es);
}

void
elac_custom_explain_sources(const ElacQueryCounters *counters, ExplainState *es)
{
	ExplainPropertyUInteger("Segments", NULL, counters->segments, es);
	ExplainPropertyUInteger("Delta Rows", NULL, counters->delta_rows, es);
}

void
elac_custom_explain_text(const ElacQueryCounters *counters, ExplainState *es)
{
	ExplainPropertyUInteger("Terms", NULL, counters->text.terms, es);
	ExplainPropertyUInteger("Posting Blocks Decoded", NULL, counters->text.blocks_decoded, es);
	ExplainPropertyUInteger("Posting Blocks Skipped", NULL, counters->text.blocks_passed, es);
}

void
elac_customscan_init(void)
{
	RegisterCustomScanMethods(&elac_ordered_scan_methods);
	RegisterCustomScanMethods(&elac_only_scan_methods);
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = customscan_pathlist_hook;
}
