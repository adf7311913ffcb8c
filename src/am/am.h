/*
 * am.h
 *	  The access method's callbacks, spelled as amapi spells them, and what the
 *	  files of this folder share.
 */
#ifndef ELAC_AM_H
#define ELAC_AM_H

#include "elacsym.h"

#include "access/amapi.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "am/text_cost.h"
#include "lsm/manifest.h"
#include "query/index_options.h"

/* handler.c */
extern void elac_am_init(void);
extern Oid	elac_am_oid(void);	/* of the access method named elacsym, or InvalidOid */

/* options.c */
extern bytea *elacoptions(Datum reloptions, bool validate);
extern void elac_options_init(void);

/* build.c */
extern IndexBuildResult *elacbuild(Relation heap, Relation index, IndexInfo *info);
extern void elacbuildempty(Relation index);
extern char *elacbuildphasename(int64 phase);

/* insert.c */
extern bool elacinsert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
					   IndexUniqueCheck check_unique, bool index_unchanged, IndexInfo *info);

/* vacuum.c */
extern IndexBulkDeleteResult *elacbulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
											 IndexBulkDeleteCallback callback, void *state);
extern IndexBulkDeleteResult *elacvacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);

/* cost.c */
extern void elaccostestimate(PlannerInfo *root, IndexPath *path, double loop_count,
							 Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
							 double *correlation, double *pages);

/*
 * What a query costs inside the index, until the first row and until the last;
 * reading the rows it returns is not in it.  order: column <op> argument, NULL
 * for none.
 */
extern void elac_cost_query(PlannerInfo *root, IndexOptInfo *index, OpExpr *order, const ElacConditionsCost *conditions,
							Cost *startup_cost, Cost *total_cost);

/*
 * How many rows lie in the lists that a search for the nearest `rows` looks
 * at, in an index of docs rows, of which a share of selectivity passes: what
 * the manifest's calibration says of the target recall, or a guess (manifest
 * NULL: there is no index yet).
 */
extern double elac_cost_documents(const ElacManifest *manifest, double docs, double selectivity, double rows);

/*
 * How many rows of rel the query will take, of `found` that pass the index's
 * conditions, as far as its LIMIT tells: 0 when it does not.
 */
extern double elac_cost_rows_wanted(PlannerInfo *root, RelOptInfo *rel, double found);

/* Does the query read nothing but rel, or the table that rel is a partition of? */
extern bool elac_cost_is_whole_query(PlannerInfo *root, RelOptInfo *rel);
extern bool elac_cost_order_is_for_groups(PlannerInfo *root, OpExpr *order);

/* validate.c */
extern bool elacvalidate(Oid opclass);

/* scan.c */
extern IndexScanDesc elacbeginscan(Relation index, int nkeys, int norderbys);
extern void elacrescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
extern bool elacgettuple(IndexScanDesc scan, ScanDirection direction);
extern int64 elacgetbitmap(IndexScanDesc scan, TIDBitmap *bitmap);
extern void elacendscan(IndexScanDesc scan);

/* customscan.c */
extern void elac_customscan_init(void);

/*
 * A leg of a fusion: rows of rel as index orders them by `order`, with output
 * in their target list, where the order's value is the scan's (estimates; else
 * a vector's distance is computed from the row).  NULL when the index does not
 * provide the order.  The path has no pathkeys.
 */
extern CustomPath *elac_customscan_leg(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index, Expr *order,
									   PathTarget *output, bool estimates);

/* Execution: how many rows the scan's reader will take, before it reads the first. */
extern void elac_customscan_expect(PlanState *node, double rows);

/* text_charge.c: before hooks that add paths of ours */
extern void elac_text_charge_init(void);

/* fusion_path.c: its paths replace those of the hooks installed before */
extern void elac_fusion_init(void);

/* text_estimate.c */
extern void elac_text_estimate_init(void);

#endif							/* ELAC_AM_H */
