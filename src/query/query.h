/*
 * query.h
 *	  One query, end to end: filter, order, rows.
 *
 * am/scan, am/customscan build an ElacQuery, open it, and pull rows as long as
 * they like: first those in order, as well as the index knows it, until every
 * row that passes has been returned.
 */
#ifndef ELAC_QUERY_H
#define ELAC_QUERY_H

#include "elacsym.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

#include "attr/attr_section.h"
#include "lsm/lsm.h"
#include "query/bound_query.h"
#include "text/bm25.h"
#include "text/text_section.h"

/* ---- filter: a tree of conditions on columns (query/filter.c) ---- */

typedef enum ElacFilterKind
{
	ELAC_FILTER_AND,
	ELAC_FILTER_OR,
	ELAC_FILTER_NOT,
	ELAC_FILTER_IS_TRUE,		/* one child; unknown becomes false */
	ELAC_FILTER_PREDICATE,
	ELAC_FILTER_MATCH,			/* text @@ tsquery */
	ELAC_FILTER_CONSTANT		/* the same for every row */
} ElacFilterKind;

typedef struct ElacFilter
{
	ElacFilterKind kind;
	int			nchildren;
	struct ElacFilter **children;	/* AND, OR: one or more; NOT, IS_TRUE: one */
	ElacPredicate predicate;	/* MATCH: the column, and whether the tsquery is NULL */
	ElacBm25Query *match;		/* MATCH: compiled without statistics; NULL: matches nothing */
	ElacTruth	truth;			/* CONSTANT */
} ElacFilter;

/* Declares what elac_filter_segment() will read of a segment. */
extern void elac_filter_prefetch(ElacFilter *filter, Relation index, const ElacSchema *schema, ElacSegment *segment);

/* Documents of a segment for which the filter is TRUE; palloc'd. */
extern ElacBitmap *elac_filter_segment(ElacFilter *filter, Relation index, const ElacSchema *schema,
									   ElacSegment *segment);

/* The same for one row of the delta. */
extern ElacTruth elac_filter_delta(ElacFilter *filter, const ElacSchema *schema, ElacDeltaView *view, ElacDoc doc);

/* ---- the query ---- */

typedef enum ElacOrderKind
{
	ELAC_ORDER_NONE,
	ELAC_ORDER_VECTOR,
	ELAC_ORDER_TEXT
} ElacOrderKind;

typedef struct ElacQuery
{
	Relation	index;
	Relation	heap;			/* to re-rank exactly */
	Snapshot	snapshot;
	ElacFilter *filter;			/* NULL = all */
	double		rows;			/* that will be asked for, as far as is known; 0: it is not */
	bool		measuring;		/* nobody's query: not one to be kept for calibration */
	bool		visible_apart;	/* ELAC_ORDER_NONE: rows that every snapshot sees are counted, not returned */
	ElacOrderKind order;
	/* ELAC_ORDER_VECTOR */
	bool		vector_isnull;	/* NULL query: every distance is NULL */
	ElacVectorClass vector_class;
	const float *vector;		/* prepared */
	/* ELAC_ORDER_TEXT: df and statistics complete, prepared; NULL query: every score NULL */
	ElacBm25Query *text;
} ElacQuery;

/* A row found. */
typedef struct ElacResult
{
	ItemPointerData tid;
	double		distance;		/* as the operator returns it; text: -score */
	bool		isnull;			/* the distance is NULL */
} ElacResult;

/* Counters for EXPLAIN ANALYZE. */
typedef struct ElacQueryCounters
{
	uint64		segments;
	uint64		lists_probed;
	uint64		codes_scored;
	uint64		reranked;		/* heap rows read for exact distances */
	uint64		delta_rows;
	uint64		batches;
	ElacTextCounters text;		/* of segments */
} ElacQueryCounters;

typedef struct ElacScan ElacScan;

extern ElacScan *elac_query_open(const ElacQuery *query);	/* in CurrentMemoryContext */
extern bool elac_query_next(ElacScan *scan, ElacResult *result);

/* The places of the next rows, at most max; 0 when there are none left. */
extern uint32 elac_query_next_tids(ElacScan *scan, ItemPointer tids, uint32 max);

/* Rows left out by visible_apart: fulfil the filter, and the snapshot sees them. */
extern uint64 elac_query_visible(const ElacScan *scan);
extern const ElacQueryCounters *elac_query_counters(const ElacScan *scan);
extern void elac_query_close(ElacScan *scan);

/*
 * A text query over columns of an index (or, for a partitioned index, over all
 * its leaf indexes): analysed, df, N and lengths summed, prepared; once per
 * statement, shared by scan and projection.  The result is the caller's, in
 * CurrentMemoryContext.
 */
extern ElacBm25Query *elac_query_text_prepare(const ElacBoundQuery *bound);

#endif							/* ELAC_QUERY_H */
