/*
 * text_estimate.c
 *	  Keeps the planner from analysing a table's sample texts.
 *
 * The server estimates `text @@ tsquery` by applying the operator to every
 * value in the column's statistics: up to two hundred texts are parsed and
 * stemmed to plan one statement, which takes many times what the query itself
 * does.  Common values and histogram of a column of long texts say next to
 * nothing: for one that is indexed for BM25, estimates are made without them,
 * from width, NULLs and number of distinct values alone.  Short texts (titles,
 * names) keep theirs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "nodes/pathnodes.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "am/match_condition.h"

/* Average bytes from which texts are long. */
#define LONG_TEXT_WIDTH 100

static get_relation_stats_hook_type previous_stats_hook = NULL;

/* The relation of a range table entry; NULL when the planner has none yet. */
static RelOptInfo *
estimate_find_rel(PlannerInfo *root, RangeTblEntry *rte)
{
	if (root == NULL || root->simple_rel_array == NULL || root->simple_rte_array == NULL)
		return NULL;
	for (int i = 1; i < root->simple_rel_array_size; i++)
		if (root->simple_rte_array[i] == rte)
			return root->simple_rel_array[i];
	return NULL;
}

/* Is the column a BM25 column of one of the relation's indexes? */
static bool
estimate_is_text_column(RelOptInfo *rel, AttrNumber attnum)
{
	Oid			am = InvalidOid;
	ListCell   *cell;

	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);

		for (int i = 0; i < index->nkeycolumns; i++)
		{
			if (index->indexkeys[i] != attnum || index->opcintype[i] != TEXTOID)
				continue;
			if (!OidIsValid(am))
				am = elac_am_oid();
			if (index->relam == am &&
				OidIsValid(get_opfamily_member(index->opfamily[i], TEXTOID, TSQUERYOID, ELAC_STRATEGY_MATCH)))
				return true;
		}
	}
	return false;
}

/* A copy of a column's statistics without those that list values; NULL when it has none or its texts are short. */
static HeapTuple
estimate_without_values(HeapTuple tuple)
{
	Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(tuple);
	int16	   *kinds;

	if (form->stawidth < LONG_TEXT_WIDTH)
		return NULL;
	tuple = heap_copytuple(tuple);
	form = (Form_pg_statistic) GETSTRUCT(tuple);
	kinds = &form->stakind1;
	for (int i = 0; i < STATISTIC_NUM_SLOTS; i++)
		if (kinds[i] == STATISTIC_KIND_MCV || kinds[i] == STATISTIC_KIND_HISTOGRAM)
			kinds[i] = 0;
	return tuple;
}

static bool
estimate_stats_hook(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum, VariableStatData *vardata)
{
	RelOptInfo *rel;
	HeapTuple	tuple;
	HeapTuple	without;

	if (previous_stats_hook != NULL && previous_stats_hook(root, rte, attnum, vardata))
		return true;
	if (rte->rtekind != RTE_RELATION || attnum <= 0)
		return false;
	rel = estimate_find_rel(root, rte);
	if (rel == NULL || !estimate_is_text_column(rel, attnum))
		return false;
	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(rte->relid), Int16GetDatum(attnum), BoolGetDatum(rte->inh));
	if (!HeapTupleIsValid(tuple))
		return false;
	without = estimate_without_values(tuple);
	ReleaseSysCache(tuple);
	if (without == NULL)
		return false;
	vardata->statsTuple = without;
	vardata->freefunc = heap_freetuple;
	vardata->acl_ok = false;	/* no value is left that it could protect */
	return true;
}

void
elac_text_estimate_init(void)
{
	previous_stats_hook = get_relation_stats_hook;
	get_relation_stats_hook = estimate_stats_hook;
}
