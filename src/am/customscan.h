/*
 * customscan.h
 *	  What the custom scans share.  Private to am/.
 *
 *	  ElacsymScan			rows in the order of a distance or score
 *	  ElacsymOnlyScan		rows of which no column is needed, without reading
 *							those that everybody sees
 */
#ifndef ELAC_CUSTOMSCAN_H
#define ELAC_CUSTOMSCAN_H

#include "elacsym.h"

#include "access/relscan.h"
#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

#include "am/condition.h"
#include "compat.h"
#include "query/query.h"

#define ELAC_ORDERED_SCAN_NAME "ElacsymScan"
#define ELAC_ONLY_SCAN_NAME "ElacsymOnlyScan"

extern const CustomScanMethods elac_ordered_scan_methods;
extern const CustomScanMethods elac_only_scan_methods;

/* ---- planning ---- */

/*
 * Those of the restrictions (of rel) that may be evaluated inside the index:
 * before all others, on rows the query may not see, so only those of the lowest
 * security level, or leakproof ones.  *whole (unless NULL): they are all,
 * but for those without a column, which are not a scan's to evaluate.
 */
extern List *elac_customscan_clauses(RelOptInfo *rel, List *restrictions, const ElacTarget *target, bool *whole);

/* ordered_plan.c, only_scan.c: add paths to rel where they can answer. */
extern void elac_ordered_consider(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index);
extern void elac_only_consider(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index);

/* Is the order a text's score?  The scan's is the operator's, to the last bit. */
extern bool elac_ordered_by_text(const OpExpr *order);

/* Where a vector's distance is the scan's, which may be an estimate; a text's score always is. */
typedef enum ElacValueUse
{
	ELAC_VALUE_NOWHERE,
	ELAC_VALUE_HIDDEN,			/* where it is an order that nobody sees */
	ELAC_VALUE_EVERYWHERE
} ElacValueUse;

/* ---- execution ---- */

/* The index of a node, and the scan of it under way. */
typedef struct ElacCustomIndex
{
	Relation	index;
	ElacCondition *condition;
	List	   *rest;			/* ExprStates of conditions that have to be checked on the rows, in this scan */
	MemoryContext context;		/* of the current (re)scan */
	ElacScan   *scan;			/* NULL until opened */
	ElacQueryCounters counters; /* of finished scans */
	IndexFetchTableData *fetch;
} ElacCustomIndex;

/* Opens the index; the node's scan slot is to be of the table's own kind by then. */
extern void elac_custom_index_begin(ElacCustomIndex *part, CustomScanState *node, Oid index, List *clauses, int eflags);

/*
 * For a scan that is about to be opened in part->context: says what an index
 * scan says of itself to others, and fills relations, snapshot and filter.
 */
extern void elac_custom_index_query(ElacCustomIndex *part, CustomScanState *node, ElacQuery *query);

/* Fetches a row into the scan slot; false when the snapshot does not see it or it fails the conditions left. */
extern bool elac_custom_index_fetch(ElacCustomIndex *part, CustomScanState *node, ItemPointer tid);
extern void elac_custom_index_close(ElacCustomIndex *part);	/* of the scan under way */
extern void elac_custom_index_end(ElacCustomIndex *part);

/* Of all scans so far; segments and delta as the last one found them. */
extern ElacQueryCounters elac_custom_index_counters(const ElacCustomIndex *part);

/* ---- EXPLAIN ---- */

extern void elac_custom_explain_expression(const char *label, CustomScanState *node, Node *expression, List *ancestors,
										   ExplainState *es);
extern void elac_custom_explain_conditions(const ElacCustomIndex *part, CustomScanState *node, List *clauses,
										   List *ancestors, ExplainState *es);
extern void elac_custom_explain_sources(const ElacQueryCounters *counters, ExplainState *es);
extern void elac_custom_explain_text(const ElacQueryCounters *counters, ExplainState *es);

#endif							/* ELAC_CUSTOMSCAN_H */
