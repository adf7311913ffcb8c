/*
 * cost.c
 *	  What a scan of an elacsym index costs, honestly: the planner chooses.
 *
 * Times are measured and given in nanoseconds; ELAC_COST_NS() makes costs of
 * them (query/distance_cost.h).  An ordered query pays before its first row
 * for its filter over all rows, for the lists it looks at and the rows it
 * ranks exactly; then it gives rows for nothing until the batch is used up,
 * and searches again, wider.  So its cost is no straight line, and the planner
 * draws one: through the point that the query's LIMIT makes likely, and never
 * below the cost of all rows.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "am/am.h"
#include "am/order.h"
#include "compat.h"
#include "guc.h"
#include "lsm/lsm.h"
#include "query/distance_cost.h"
#include "query/patience.h"
#include "storage/metapage.h"

/* ---- what things take, in nanoseconds (am/README.md tells how it was measured) ---- */

#define OPEN_NS 25000.0			/* manifest, lanes, segments, live bitmaps */
#define OPEN_SEGMENT_NS 5000.0
#define OPEN_DOC_NS 0.05		/* ... each row's bits in them */
#define CONDITION_DOC_NS 3.5	/* one condition and one row */
#define TID_NS 130.0			/* a row found by conditions: its place, into a bitmap */

#define QUERY_DIM_NS 60.0		/* rotation and tables, each dimension */
#define LIST_NS 10.0			/* distance to one list's centroid ... */
#define LIST_DIM_NS 0.2			/* ... each dimension */
#define BLOCK_NS 70.0			/* 32 codes, those refined included ... */
#define BLOCK_DIM_NS 0.33		/* ... each dimension */
#define CODE_NS 40.0			/* one code by itself ... */
#define CODE_DIM_NS 0.15		/* ... each dimension */
#define RANK_NS 400.0			/* a row of the heap found by its place, and sorted; its vector comes on top */
#define DELTA_DOC_NS 200.0

#define POSTINGS_DOC_NS 1.0		/* words of a text query, each row of the index */
#define TEXT_ROW_NS 300.0

/* ---- how much of it there is ---- */

#define LIST_DOCS 160.0			/* vector/README.md */
#define GUESS_FACTOR 60.0		/* query/patience.c: without an index that could be calibrated */
#define FIRST_BATCH_ROWS 20.0	/* query/exec.c */
#define BATCH_GROWTH 4.0		/* query/vector_batch.c */
#define LIKELY_ROWS 1000.0		/* taken of an ordered scan by those who do not say how many */
#define RANKED_PER_ROW 1.5		/* heap rows read for each that is wanted ... */
#define RANKED_MIN 20.0			/* ... and on top of them */

/* What costs depend on. */
typedef struct CostShape
{
	bool		text;			/* ordered by a text's score */
	ElacSnapshot *snapshot;		/* NULL: of no interest, or the index is hypothetical */
	double		docs;			/* rows in the index */
	double		delta_docs;		/* of them in the delta */
	double		segments;
	double		selectivity;	/* of the conditions that the index evaluates */
	int			nconditions;
	double		dim;
	double		code_bytes;		/* of the first pass, each row */
	bool		ranks;			/* reads heap rows to rank them */
	Cost		distance;		/* of one heap row */
	double		spc_random;
	double		spc_seq;
} CostShape;

double
elac_cost_documents(const ElacManifest *manifest, double docs, double selectivity, double rows)
{
	double		passing = Max(docs * selectivity, 1);
	double		scored;
	ElacPatience patience;

	if (elac_guc_probes > 0)
		scored = elac_guc_probes * LIST_DOCS;
	else if (manifest == NULL)
		scored = GUESS_FACTOR * sqrt(passing);
	else
	{
		elac_patience_choose(manifest, (uint64) passing, ELAC_PATIENCE_ROWS, elac_guc_target_recall, &patience);
		scored = patience.expected;
	}
	/* as more rows are wanted, so is more of what lies around them */
	scored *= sqrt(Max(rows / ELAC_PATIENCE_ROWS, 1));
	return Min(scored, passing) / Max(selectivity, 1e-9);
}

/* One search of the lists for the best rows. */
static Cost
cost_search(const CostShape *shape, double rows)
{
	const ElacManifest *manifest = shape->snapshot != NULL ? shape->snapshot->manifest : NULL;
	double		looked_at = Min(elac_cost_documents(manifest, shape->docs, shape->selectivity, rows), shape->docs);
	double		passing = looked_at * shape->selectivity;
	double		blocks = looked_at / 32 * (1 - pow(1 - shape->selectivity, 32));
	double		ns = blocks * (BLOCK_NS + BLOCK_DIM_NS * shape->dim);

	/* a block of which little passes is not scored whole */
	ns = Min(ns, passing * (CODE_NS + CODE_DIM_NS * shape->dim));
	return ELAC_COST_NS(ns) + shape->spc_seq * looked_at * shape->code_bytes / BLCKSZ;
}

/* Heap rows read and ranked. */
static Cost
cost_rank(const CostShape *shape, double rows)
{
	double		found = shape->docs * shape->selectivity;
	double		ranked = Min(rows * RANKED_PER_ROW + RANKED_MIN, found);

	if (!shape->ranks)
		return ELAC_COST_NS(rows * TID_NS);
	return ranked * (ELAC_COST_NS(RANK_NS) + shape->distance);
}

/* Batches of a vector scan until `rows` have been returned, the first of first_rows. */
static Cost
cost_batches(const CostShape *shape, double first_rows, double rows)
{
	double		batch = first_rows;
	double		returned = 0;
	Cost		cost = 0;

	do
	{
		cost += cost_search(shape, batch) + cost_rank(shape, batch);
		returned += batch;
		batch *= BATCH_GROWTH;
	} while (returned < rows);
	return cost;
}

/* Before the first search. */
static Cost
cost_open(const CostShape *shape)
{
	double		ns = OPEN_NS + shape->segments * OPEN_SEGMENT_NS + shape->delta_docs * DELTA_DOC_NS +
		shape->docs * (OPEN_DOC_NS + shape->nconditions * CONDITION_DOC_NS);

	return ELAC_COST_NS(ns) + shape->nconditions * shape->spc_seq * shape->docs * sizeof(uint32) / BLCKSZ;
}

static Cost
cost_vector(const CostShape *shape, double rows)
{
	double		lists = Max(shape->docs / LIST_DOCS, 1.0);
	double		ns = QUERY_DIM_NS * shape->dim + lists * (LIST_NS + LIST_DIM_NS * shape->dim);

	return ELAC_COST_NS(ns) + cost_batches(shape, FIRST_BATCH_ROWS, rows);
}

static Cost
cost_text(const CostShape *shape, double rows)
{
	return ELAC_COST_NS(shape->docs * POSTINGS_DOC_NS + rows * TEXT_ROW_NS);
}

/* What the index says of itself: cheap, as queries have read it before (lsm/index_cache.c). */
static void
cost_shape_vector(PlannerInfo *root, Relation index, OpExpr *order, CostShape *shape)
{
	const ElacSchema *schema = &elac_metapage_get(index)->schema;
	const ElacColumn *column = &schema->columns[Max(schema->vector_column, 0)];
	const ElacManifest *manifest;
	double		docs = 0;

	shape->snapshot = elac_snapshot_share(index);
	manifest = shape->snapshot->manifest;
	shape->segments = manifest->nsegments;
	shape->delta_docs = elac_delta_count(manifest, shape->snapshot->lanes);
	for (int i = 0; i < manifest->nsegments; i++)
		docs += manifest->segments[i].ndocs;
	shape->docs = Max(docs + shape->delta_docs, 1);
	shape->dim = column->dim;
	shape->code_bytes = column->dim / 8.0 + 12;
	shape->ranks = column->rerank != ELAC_RERANK_NONE &&
		(column->rerank != ELAC_RERANK_UNLESS_EXACT || elac_guc_target_recall >= ELAC_RECALL_EXACT);
	shape->distance = elac_distance_cost(root, linitial(order->args), column->dim,
										 column->element == ELAC_ELEMENT_HALF ? sizeof(uint16) : sizeof(float));
}

static void
cost_shape(PlannerInfo *root, IndexOptInfo *index, OpExpr *order, CostShape *shape)
{
	RelOptInfo *rel = index->rel;
	Relation	relation;

	shape->docs = Max(Min(index->tuples, rel->tuples), 1.0);
	get_tablespace_page_costs(index->reltablespace, &shape->spc_random, &shape->spc_seq);
	if (order == NULL)
		return;
	shape->text = exprType(lsecond(order->args)) != exprType(linitial(order->args));
	if (shape->text)
		return;
	shape->ranks = true;
	shape->distance = elac_distance_cost(root, linitial(order->args), 0, sizeof(float));
	if (index->hypothetical)
		return;
	relation = index_open(index->indexoid, NoLock);
	cost_shape_vector(root, relation, order, shape);
	index_close(relation, NoLock);
}

double
elac_cost_rows_wanted(PlannerInfo *root, RelOptInfo *rel, double found)
{
	Relids		relids = rel->top_parent_relids != NULL ? rel->top_parent_relids : rel->relids;

	/* below a join more rows than the LIMIT may be needed, or fewer */
	if (root->limit_tuples <= 0 || !bms_equal(root->all_baserels, relids))
		return 0;
	return Min(found, ceil(root->limit_tuples * Max(found / Max(rel->rows, 1.0), 1.0)));
}

/*
 * The sequential scan that sorts is the ordered scan's rival, and the planner
 * does not know what its distances cost when the operator is not ours.  The
 * rival cannot be made dearer; so the index is made cheaper in proportion.
 */
static double
cost_currency(PlannerInfo *root, RelOptInfo *rel, OpExpr *order, const CostShape *shape)
{
	QualCost	charged;
	QualCost	quals;
	double		unseen;
	double		seen;

	cost_qual_eval_node(&charged, (Node *) order, root);
	unseen = rel->rows * (shape->distance - charged.per_tuple);
	if (unseen <= 0)
		return 1;
	cost_qual_eval(&quals, rel->baserestrictinfo, root);
	seen = rel->pages * seq_page_cost + rel->tuples * (cpu_tuple_cost + quals.per_tuple) +
		rel->rows * (charged.per_tuple + 2 * cpu_operator_cost * 4);
	return seen / (seen + unseen);
}

void
elac_cost_query(PlannerInfo *root, IndexOptInfo *index, OpExpr *order, int nconditions,
				double selectivity, Cost *startup_cost, Cost *total_cost)
{
	CostShape	shape = {0};
	double		found;
	double		wanted;
	Cost		first;
	Cost		all;
	Cost		at_limit;

	shape.nconditions = nconditions;
	shape.selectivity = selectivity;
	cost_shape(root, index, order, &shape);
	found = clamp_row_est(shape.docs * selectivity);
	*startup_cost = cost_open(&shape);
	if (order == NULL)
	{
		*total_cost = *startup_cost + ELAC_COST_NS(found * TID_NS);
		return;
	}

	wanted = elac_cost_rows_wanted(root, index->rel, found);
	if (wanted == 0)
		wanted = Min(found, LIKELY_ROWS);
	if (shape.text)
	{
		first = cost_text(&shape, FIRST_BATCH_ROWS);
		at_limit = cost_text(&shape, wanted);
		all = cost_text(&shape, found);
	}
	else
	{
		double		currency = cost_currency(root, index->rel, order, &shape);

		first = currency * cost_vector(&shape, Min(found, FIRST_BATCH_ROWS));
		at_limit = currency * cost_vector(&shape, wanted);
		all = currency * cost_vector(&shape, found);
		*startup_cost *= currency;
	}
	if (shape.snapshot != NULL)
		elac_snapshot_release(shape.snapshot);
	if (wanted > FIRST_BATCH_ROWS)
		all = Max(all, first + (at_limit - first) * found / wanted);
	*total_cost = *startup_cost + all;
	*startup_cost += first;
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
		return false;
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
	OpExpr	   *order = path->indexorderbys != NIL ? (OpExpr *) linitial(path->indexorderbys) : NULL;
	double		conditions;

	*selectivity = clauselist_selectivity(root, add_predicate_to_index_quals(index, quals),
										  index->rel->relid, JOIN_INNER, NULL);
	*correlation = 0;
	*pages = index->pages;

	/*
	 * A scan of everything in no order is a sequential scan's work, and an
	 * order that is not ours a sort's: also where enable_seqscan and
	 * enable_sort are off, which costs 1e10 each.
	 */
	if ((order == NULL && quals == NIL) || !cost_order_is_ours(path))
	{
		*startup_cost = *total_cost = 1.0e12;
		elac_path_discourage(&path->path);
		return;
	}
	/* of the index's own rows, which a predicate has chosen already */
	conditions = clauselist_selectivity(root, quals, index->rel->relid, JOIN_INNER, NULL);
	elac_cost_query(root, index, order, list_length(quals), conditions, startup_cost, total_cost);
}
