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
#include "am/text_cost.h"
#include "compat.h"
#include "guc.h"
#include "lsm/lsm.h"
#include "query/distance_cost.h"
#include "query/patience.h"
#include "storage/metapage.h"

/* ---- what things take, in nanoseconds (am/README.md tells how it was measured) ---- */

#define OPEN_NS 15000.0			/* manifest, lanes, segments, live bitmaps */
#define OPEN_SEGMENT_NS 5000.0
#define OPEN_DOC_NS 0.05		/* ... each row's bits in them */
#define CONDITION_DOC_NS 0.5	/* one condition and one row */
#define TID_NS 130.0			/* a row found by conditions: its place, into a bitmap */

#define QUERY_DIM_NS 60.0		/* rotation and tables, each dimension */
#define LIST_NS 8.0			/* distance to one list's centroid ... */
#define LIST_DIM_NS 0.03			/* ... each dimension */
#define BLOCK_NS 50.0			/* 32 codes, those refined included ... */
#define BLOCK_DIM_NS 0.25		/* ... each dimension */
#define CODE_NS 40.0			/* one code by itself ... */
#define CODE_DIM_NS 0.15		/* ... each dimension */
#define RANK_NS 1200.0			/* a row of the heap found by its place, and sorted; its distance comes on top */
#define ROW_NS 800.0			/* the same row found again by the executor */
#define DELTA_DOC_NS 200.0

#define TERM_NS 5000.0			/* one word of a text query in one segment: looked up, opened */
#define POSTING_NS 3.5			/* decoded and scored ... */
#define MATCH_POSTING_NS 2.0	/* ... or marked in a bitmap */
#define TEXT_ROW_NS 300.0		/* a row ranked, and its place; the executor finds it */

/* ---- how much of it there is ---- */

#define CONDITION_BYTES 1.0		/* stored of a value, each row; values repeat */
#define LIST_DOCS 160.0			/* vector/README.md */
#define GUESS_FACTOR 60.0		/* query/patience.c: without an index that could be calibrated */
#define FIRST_BATCH_ROWS 20.0	/* query/exec.c, as the least and the most that a LIMIT makes of it */
#define FIRST_BATCH_MIN 10.0
#define FIRST_BATCH_MAX 100000.0
#define BATCH_GROWTH 4.0		/* query/vector_batch.c, as EFFORT_GROWTH */
#define EFFORT_GROWTH 2.0
#define ESTIMATE_MARGIN 1.2
#define ANALYSED_SHARE 0.9	/* of the rows, found by a condition that analyses texts: more is not said */
#define LIKELY_ROWS 1000.0		/* taken of an ordered scan by those who do not say how many */
#define RANKED_PER_ROW 1.1		/* heap rows read for each that is wanted ... */
#define RANKED_MIN 5.0			/* ... and on top of them */

/* What costs depend on. */
typedef struct CostShape
{
	bool		text;			/* ordered by a text's score */
	double		terms;			/* of the text query */
	double		postings;		/* of them, per row of the index */
	ElacSnapshot *snapshot;		/* NULL: of no interest, or the index is hypothetical */
	double		docs;			/* rows in the index */
	double		delta_docs;		/* of them in the delta */
	double		segments;
	ElacConditionsCost conditions;	/* that the index evaluates */
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
		uint32		k = (uint32) Min(Max(rows, ELAC_PATIENCE_ROWS), PG_INT32_MAX);

		elac_patience_choose(manifest, (uint64) passing, k, elac_guc_target_recall, &patience);
		scored = patience.expected;
	}
	scored = Max(scored, rows);
	return Min(scored, passing) / Max(selectivity, 1e-9);
}

/* One search of the lists for the best rows, so much farther than the first one would go for them. */
static Cost
cost_search(const CostShape *shape, double rows, double effort)
{
	const ElacManifest *manifest = shape->snapshot != NULL ? shape->snapshot->manifest : NULL;
	double		documents = effort * elac_cost_documents(manifest, shape->docs, shape->conditions.selectivity, rows);
	double		looked_at = Min(documents, shape->docs);
	double		passing = looked_at * shape->conditions.selectivity;
	double		blocks = looked_at / 32 * (1 - pow(1 - shape->conditions.selectivity, 32));
	double		ns = blocks * (BLOCK_NS + BLOCK_DIM_NS * shape->dim);

	/* a block of which little passes is not scored whole */
	ns = Min(ns, passing * (CODE_NS + CODE_DIM_NS * shape->dim));
	return ELAC_COST_NS(ns) + shape->spc_seq * blocks * 32 * shape->code_bytes / BLCKSZ;
}

/* Heap rows read and ranked. */
static Cost
cost_rank(const CostShape *shape, double rows)
{
	double		found = shape->docs * shape->conditions.selectivity;
	double		ranked = Min(rows * RANKED_PER_ROW + RANKED_MIN, found);

	if (!shape->ranks)
		return ELAC_COST_NS(Min(rows, found) * (TID_NS + ROW_NS));
	return ranked * (ELAC_COST_NS(RANK_NS) + shape->distance) + ELAC_COST_NS(Min(rows, found) * ROW_NS);
}

/* Batches of a vector scan until `rows` have been returned, the first of first_rows. */
static Cost
cost_batches(const CostShape *shape, double first_rows, double rows)
{
	double		batch = first_rows;
	double		effort = 1;
	double		returned = 0;
	Cost		cost = 0;

	do
	{
		cost += cost_search(shape, batch, effort) + cost_rank(shape, batch);
		returned += batch;
		batch *= BATCH_GROWTH;
		effort *= EFFORT_GROWTH;
	} while (returned < rows);
	return cost;
}

/* Before the first search. */
static Cost
cost_open(const CostShape *shape)
{
	double		ns = OPEN_NS + shape->segments * OPEN_SEGMENT_NS + shape->delta_docs * DELTA_DOC_NS +
		shape->docs * (OPEN_DOC_NS + shape->conditions.nattributes * CONDITION_DOC_NS +
					   shape->conditions.postings * MATCH_POSTING_NS);

	return ELAC_COST_NS(ns) + shape->conditions.nattributes * shape->spc_seq * shape->docs * CONDITION_BYTES / BLCKSZ;
}

static Cost
cost_vector(const CostShape *shape, double first_rows, double rows)
{
	double		lists = Max(shape->docs / LIST_DOCS, 1.0);
	double		ns = QUERY_DIM_NS * shape->dim + lists * (LIST_NS + LIST_DIM_NS * shape->dim);

	return ELAC_COST_NS(ns) + cost_batches(shape, first_rows, rows);
}

static Cost
cost_text(const CostShape *shape, double rows)
{
	double		ns = shape->terms * Max(shape->segments, 1) * TERM_NS + shape->docs * shape->postings * POSTING_NS;

	return ELAC_COST_NS(ns + rows * (TEXT_ROW_NS + ROW_NS));
}

/* What the index says of itself: cheap, as queries have read it before (lsm/index_cache.c). */
static void
cost_shape_index(Relation index, CostShape *shape)
{
	const ElacManifest *manifest;
	double		docs = 0;

	shape->snapshot = elac_snapshot_share(index);
	manifest = shape->snapshot->manifest;
	shape->segments = manifest->nsegments;
	shape->delta_docs = elac_delta_count(manifest, shape->snapshot->lanes);
	for (int i = 0; i < manifest->nsegments; i++)
		docs += manifest->segments[i].ndocs;
	shape->docs = Max(docs + shape->delta_docs, 1);
}

static void
cost_shape_vector(PlannerInfo *root, Relation index, OpExpr *order, CostShape *shape)
{
	const ElacSchema *schema = &elac_metapage_get(index)->schema;
	const ElacColumn *column = &schema->columns[Max(schema->vector_column, 0)];

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
	shape->ranks = !shape->text;
	if (shape->text)
	{
		elac_text_cost_order(root, order, &shape->terms, &shape->postings);
		shape->distance = elac_text_cost_score(root, order);
	}
	else
		shape->distance = elac_distance_cost(root, linitial(order->args), 0, sizeof(float));
	if (index->hypothetical)
		return;
	relation = index_open(index->indexoid, NoLock);
	cost_shape_index(relation, shape);
	if (!shape->text)
		cost_shape_vector(root, relation, order, shape);
	index_close(relation, NoLock);
}

bool
elac_cost_is_whole_query(PlannerInfo *root, RelOptInfo *rel)
{
	Relids		relids = rel->top_parent_relids != NULL ? rel->top_parent_relids : rel->relids;

	return bms_equal(root->all_baserels, relids);
}

double
elac_cost_rows_wanted(PlannerInfo *root, RelOptInfo *rel, double found)
{
	double		passing = Min(Max(rel->rows, 1.0) / found, 1.0);
	double		rows = root->limit_tuples;

	/* below a join more rows than the LIMIT may be needed, or fewer */
	if (rows <= 0 || !elac_cost_is_whole_query(root, rel))
		return 0;

	/*
	 * What the index does not know of may throw out more rows than expected,
	 * and to search again for the last of them costs several times more:
	 * enough for two standard deviations, and for a bad estimate.
	 */
	if (passing < 0.999)
		rows = (rows + 2 * sqrt(rows * (1 - passing))) / passing * ESTIMATE_MARGIN;
	return Min(found, ceil(rows));
}

/*
 * The rival is a sequential scan that sorts, or that evaluates conditions, and
 * the planner does not know what distances cost when the operator is not ours,
 * nor scores, nor texts that are analysed for @@.  The rival cannot be made
 * dearer; so the index is made cheaper in proportion.
 */
static double
cost_currency(PlannerInfo *root, RelOptInfo *rel, OpExpr *order, const CostShape *shape)
{
	QualCost	charged = {0};
	QualCost	quals;
	double		unseen = rel->tuples * shape->conditions.unseen;
	double		seen;

	if (order != NULL)
	{
		cost_qual_eval_node(&charged, (Node *) order, root);
		unseen += rel->rows * Max(shape->distance - charged.per_tuple, 0);
	}
	if (unseen <= 0)
		return 1;
	cost_qual_eval(&quals, rel->baserestrictinfo, root);
	seen = rel->pages * seq_page_cost + rel->tuples * (cpu_tuple_cost + quals.per_tuple) +
		rel->rows * (charged.per_tuple + 2 * cpu_operator_cost * 4);
	return seen / (seen + unseen);
}

void
elac_cost_query(PlannerInfo *root, IndexOptInfo *index, OpExpr *order, const ElacConditionsCost *conditions,
				Cost *startup_cost, Cost *total_cost)
{
	CostShape	shape = {0};
	double		found;
	double		wanted;
	double		first_rows = FIRST_BATCH_ROWS;
	Cost		first;
	Cost		all;
	Cost		at_limit;
	double		currency;

	shape.conditions = *conditions;
	cost_shape(root, index, order, &shape);
	found = clamp_row_est(shape.docs * conditions->selectivity);
	currency = cost_currency(root, index->rel, order, &shape);
	*startup_cost = currency * cost_open(&shape);
	if (order == NULL)
	{
		*total_cost = *startup_cost + currency * ELAC_COST_NS(found * TID_NS);
		return;
	}

	wanted = Min(elac_cost_rows_wanted(root, index->rel, clamp_row_est(shape.docs * conditions->estimated)), found);
	if (wanted > 0)
		first_rows = Max(Min(wanted, FIRST_BATCH_MAX), FIRST_BATCH_MIN);
	else if (root->tuple_fraction == 0 && elac_cost_is_whole_query(root, index->rel))
		wanted = found;
	else
		wanted = Min(found, LIKELY_ROWS);
	if (shape.text)
	{
		first = currency * cost_text(&shape, first_rows);
		at_limit = currency * cost_text(&shape, wanted);
		all = currency * cost_text(&shape, found);
	}
	else
	{
		first = currency * cost_vector(&shape, first_rows, 0);
		at_limit = currency * cost_vector(&shape, first_rows, wanted);
		all = currency * cost_vector(&shape, first_rows, found);
	}
	if (shape.snapshot != NULL)
		elac_snapshot_release(shape.snapshot);
	/* who says how many rows he takes has them from the first batch */
	all = wanted <= first_rows ? first : Max(all, first + (at_limit - first) * (found / wanted));
	*total_cost = *startup_cost + all;
	*startup_cost += first;
}

/*
 * Whether the order by distance is to bring rows of equal distance together
 * for a GROUP BY or an aggregate: nearest first as far as the recall goes is
 * not sorted, and groups would come in parts.
 */
bool
elac_cost_order_is_for_groups(PlannerInfo *root, OpExpr *order)
{
	const Query *parse = root->parse;

	return (parse->groupClause != NIL || parse->groupingSets != NIL || parse->hasAggs) &&
		exprType(lsecond(order->args)) == exprType(linitial(order->args));
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
	ElacConditionsCost conditions;

	*correlation = 0;
	*pages = index->pages;
	elac_text_cost_conditions(root, index, quals, &conditions);

	/*
	 * A scan of everything in no order is a sequential scan's work, and an
	 * order that is not ours, or has to be exact, a sort's: also where
	 * enable_seqscan and enable_sort are off, which costs 1e10 each.  What is
	 * to be checked on rows in order the custom scan leaves to the executor.
	 */
	if ((order == NULL && list_length(quals) == conditions.nunserved) || !cost_order_is_ours(path) ||
		(order != NULL && (conditions.nunserved > 0 || elac_cost_order_is_for_groups(root, order))))
	{
		*selectivity = 1;
		*startup_cost = *total_cost = 1.0e12;
		elac_path_discourage(&path->path);
		return;
	}
	/* a predicate chooses among the table's rows, document frequencies among the index's */
	*selectivity = clauselist_selectivity(root, add_predicate_to_index_quals(index, quals),
										  index->rel->relid, JOIN_INNER, NULL);
	if (conditions.nunserved > 0)
		*selectivity = Max(*selectivity, conditions.selectivity);
	else if (conditions.estimated > 0)
		*selectivity = Min(*selectivity * conditions.selectivity / conditions.estimated, 1.0);

	/*
	 * A bitmap scan is charged for evaluating the conditions on each of its
	 * rows again, which it does not do.  It must not look dearer than a
	 * sequential scan that really does, even when all rows are found.
	 */
	if (order == NULL && conditions.unseen > 0)
		*selectivity = Min(*selectivity, ANALYSED_SHARE);
	elac_cost_query(root, index, order, &conditions, startup_cost, total_cost);
}
