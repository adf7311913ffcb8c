/*
 * cost.c
 *	  What a scan of an elacsym index costs, honestly: the planner chooses.
 *
 * An ordered query pays before its first row for the delta, for the lists it
 * probes (or the postings it reads) and for the heap rows it ranks; each
 * further row costs a share of another, larger batch.  Conditions are
 * evaluated over the stored values of every document once, before the first
 * row.  The unit is PostgreSQL's: one operator call is cpu_operator_cost.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "am/am.h"
#include "am/order.h"
#include "compat.h"

/* A quantized code costs some nanoseconds (vector/README.md); an operator call is taken for 25 of them, not measured. */
#define CODE_COST_FACTOR 0.04
/* A stored value that repeats is looked at once: average over dictionaries and plain columns. */
#define VALUE_COST_FACTOR 0.2
/* Heap rows read to rank the first rows returned. */
#define RANKED_ROWS 50

void
elac_cost_query(PlannerInfo *root, IndexOptInfo *index, bool ordered, int nconditions,
				double selectivity, Cost *startup_cost, Cost *per_row)
{
	double		tuples = Max(index->rel->tuples, 1.0);
	double		spc_random;
	double		spc_seq;
	double		probed;

	get_tablespace_page_costs(index->reltablespace, &spc_random, &spc_seq);

	/* opening: metapage, manifest, lanes, directories */
	*startup_cost = 10 * cpu_operator_cost + 4 * spc_seq;
	*startup_cost += nconditions * tuples * cpu_operator_cost * VALUE_COST_FACTOR;
	*per_row = cpu_index_tuple_cost;
	if (!ordered)
		return;

	/* about 8 sqrt(lists) lists of 160 rows, more when few rows pass */
	probed = Min(tuples, 8 * sqrt(tuples * 160) / Max(selectivity, 1e-4));
	*startup_cost += probed * cpu_operator_cost * CODE_COST_FACTOR;
	*startup_cost += Min(RANKED_ROWS, tuples) * (cpu_tuple_cost + 0.1 * spc_random);
	/* going on ranks and searches again: a few codes and one heap row a row */
	*per_row += 4 * cpu_operator_cost + cpu_tuple_cost + 0.1 * spc_random;
}

/*
 * Can the index provide the order?  Not two orders at once, and not the order
 * of a text query that is bound to another index: its statistics and
 * analysis are that index's.
 */
static bool
cost_order_is_ours(IndexPath *path)
{
	OpExpr	   *order;
	int16		attnos[ELAC_MAX_COLUMNS];
	int			nattnos;

	if (path->indexorderbys == NIL)
		return true;
	if (list_length(path->indexorderbys) > 1)
		return false;
	order = (OpExpr *) linitial(path->indexorderbys);
	if (!IsA(order, OpExpr) || list_length(order->args) != 2)
		return true;
	return exprType(lsecond(order->args)) == exprType(linitial(order->args)) ||
		elac_order_is_bound(lsecond(order->args), path->indexinfo->indexoid, attnos, &nattnos);
}

void
elaccostestimate(PlannerInfo *root, IndexPath *path, double loop_count,
				 Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
				 double *correlation, double *pages)
{
	IndexOptInfo *index = path->indexinfo;
	List	   *quals = get_quals_from_indexclauses(path->indexclauses);
	bool		ordered = path->indexorderbys != NIL;
	Cost		per_row;

	*selectivity = clauselist_selectivity(root, add_predicate_to_index_quals(index, quals),
										  index->rel->relid, JOIN_INNER, NULL);
	*correlation = 0;
	*pages = index->pages;

	/*
	 * A scan of everything in no order is a sequential scan's work, and an
	 * order that is not ours a sort's: also where enable_seqscan and
	 * enable_sort are off, which costs 1e10 each.
	 */
	if ((!ordered && quals == NIL) || !cost_order_is_ours(path))
	{
		*startup_cost = *total_cost = 1.0e12;
		elac_path_discourage(&path->path);
		return;
	}
	elac_cost_query(root, index, ordered, list_length(quals), *selectivity, startup_cost, &per_row);
	*total_cost = *startup_cost + per_row * Max(*selectivity * index->rel->tuples, 1.0);
}
