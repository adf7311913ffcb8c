/*
 * text_stats.c
 *	  Statistics of a text query over everything an index holds.
 *
 * Scores must not depend on how rows are spread over segments, delta and
 * partitions: N, document frequencies and lengths are summed over all of them.
 * A statement asks several times (the scan, the projection, every partition),
 * so the last few answers are kept, keyed by query and snapshot.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "query/query.h"
#include "query/text_sums.h"
#include "storage/metapage.h"

#define KEPT_QUERIES 64

/* What decides whether a kept answer is still the statement's own. */
typedef struct StatsKey
{
	LocalTransactionId lxid;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	CommandId	curcid;
} StatsKey;

typedef struct KeptQuery
{
	MemoryContext context;		/* NULL when the place is free */
	StatsKey	key;
	ElacBoundQuery *bound;
	ElacBm25Query *query;
	uint64		used;			/* last use, for replacement */
} KeptQuery;

static KeptQuery kept_queries[KEPT_QUERIES];
static uint64 kept_clock = 0;

static void
stats_key_fill(StatsKey *key)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;

	memset(key, 0, sizeof(StatsKey));
	key->lxid = ELAC_MY_LXID;
	if (snapshot != NULL)
	{
		key->xmin = snapshot->xmin;
		key->xmax = snapshot->xmax;
		key->xcnt = snapshot->xcnt;
		key->curcid = snapshot->curcid;
	}
}

/* A copy with everything it points at, in CurrentMemoryContext. */
static ElacBm25Query *
stats_copy(const ElacBm25Query *from)
{
	ElacBm25Query *query = palloc(sizeof(ElacBm25Query));

	*query = *from;
	query->fields = palloc(sizeof(ElacBm25Field) * Max(from->nfields, 1));
	for (int f = 0; f < from->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];

		*field = from->fields[f];
		field->terms = palloc_extended(mul_size(sizeof(ElacBm25Term), Max(field->nterms, 1)), MCXT_ALLOC_HUGE);
		for (uint32 t = 0; t < field->nterms; t++)
		{
			field->terms[t] = from->fields[f].terms[t];
			field->terms[t].bytes = memcpy(palloc(field->terms[t].len + 1), field->terms[t].bytes, field->terms[t].len);
		}
	}
	if (from->condition != NULL)
		query->condition = memcpy(palloc(VARSIZE(from->condition)), from->condition, VARSIZE(from->condition));
	if (from->operands != NULL)
	{
		Size		size = mul_size(mul_size(from->condition->size, from->nfields), sizeof(int32));

		query->operands = memcpy(palloc_extended(size + 1, MCXT_ALLOC_HUGE), from->operands, size);
	}
	return query;
}

/* The reader of a field in a segment; NULL when no document has the label. */
static ElacTextReader *
stats_reader(ElacSegment *segment, const ElacBm25Field *field)
{
	return elac_text_label(elac_segment_text(segment, field->column), field->label);
}

/*
 * One wave for what REMOTE segments have to say, and for the postings that the
 * scan is going to read.
 */
static void
stats_prefetch(const ElacBm25Query *query, ElacSnapshot *snapshot)
{
	ElacBlobReader **bodies = palloc(sizeof(ElacBlobReader *) * Max(snapshot->nsegments, 1));
	int			nbodies = 0;

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		ElacSegment *segment;

		if (snapshot->manifest->segments[i].body.home != ELAC_HOME_REMOTE)
			continue;
		segment = elac_snapshot_segment(snapshot, i);
		for (int f = 0; f < query->nfields; f++)
		{
			ElacTextReader *reader = stats_reader(segment, &query->fields[f]);

			if (reader != NULL)
				elac_text_prefetch(reader, &query->fields[f]);
		}
		bodies[nbodies++] = elac_segment_body(segment);
	}
	if (nbodies > 0)
		elac_blob_wait(bodies, nbodies);
	pfree(bodies);
}

static void
stats_add_segment(ElacBm25Query *query, ElacSegment *segment)
{
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];
		ElacTextReader *reader = stats_reader(segment, field);
		ElacFieldStats stats;

		if (reader == NULL)
			continue;
		stats = elac_text_stats(reader);
		field->stats.ndocs += stats.ndocs;
		field->stats.total_length += stats.total_length;
		for (uint32 t = 0; t < field->nterms; t++)
		{
			CHECK_FOR_INTERRUPTS();
			field->terms[t].df += elac_text_term_df(reader, &field->terms[t]);
		}
	}
}

/*
 * Adds what one index holds.  Rows of the delta that are marked dead count,
 * as dead rows of segments do, until they are purged.  Readers of texts stay
 * with the process (segment/reader.c): the scan finds them open, and its terms
 * looked up.  keep: the query has this index's sums alone, to be kept.
 */
static void
stats_add_index(ElacBm25Query *query, Relation index, MemoryContext work, bool keep)
{
	MemoryContext old = MemoryContextSwitchTo(work);
	ElacSnapshot *snapshot = elac_snapshot_share(index);

	stats_prefetch(query, snapshot);
	for (int i = 0; i < snapshot->nsegments; i++)
		stats_add_segment(query, elac_snapshot_segment(snapshot, i));
	if (elac_delta_count(snapshot->manifest, snapshot->lanes) > 0)
		elac_delta_text_stats(elac_delta_view(snapshot), query);
	if (keep)
		elac_text_sums_keep(snapshot, query);
	elac_snapshot_release(snapshot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(work);
}

/* Adds what one of many indexes holds; part is a copy of the query for its sums alone. */
static void
stats_add_leaf(ElacBm25Query *query, ElacBm25Query *part, Relation index, MemoryContext work)
{
	if (!elac_text_sums_get(index, part))
	{
		for (int f = 0; f < part->nfields; f++)
		{
			memset(&part->fields[f].stats, 0, sizeof(ElacFieldStats));
			for (uint32 t = 0; t < part->fields[f].nterms; t++)
				part->fields[f].terms[t].df = 0;
		}
		stats_add_index(part, index, work, true);
	}
	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];

		field->stats.ndocs += part->fields[f].stats.ndocs;
		field->stats.total_length += part->fields[f].stats.total_length;
		for (uint32 t = 0; t < field->nterms; t++)
			field->terms[t].df += part->fields[f].terms[t].df;
	}
}

/* The indexes that hold rows, locked: the index itself, or the leaves of a partitioned one. */
static List *
stats_leaf_indexes(Oid index)
{
	List	   *leaves = NIL;
	ListCell   *cell;

	/* also when there is none: to open it tells why */
	LockRelationOid(index, AccessShareLock);
	if (get_rel_relkind(index) != RELKIND_PARTITIONED_INDEX)
		return list_make1_oid(index);
	foreach(cell, find_all_inheritors(index, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_INDEX)
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	}
	return leaves;
}

static ElacBm25Query *
stats_compute(const ElacBoundQuery *bound)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "elacsym text statistics of one index",
											   ALLOCSET_DEFAULT_SIZES);
	ElacBm25Query *query = NULL;
	ElacBm25Query *part = NULL;
	ElacTextRequest request;
	List	   *leaves = stats_leaf_indexes(bound->index);
	ListCell   *cell;

	elac_bound_query_request(bound, &request);
	foreach(cell, leaves)
	{
		Relation	leaf = index_open(lfirst_oid(cell), NoLock);

		CHECK_FOR_INTERRUPTS();
		if (query == NULL)
		{
			/* a copy: dictionaries read catalogues, and the relcache entry may be rebuilt meanwhile */
			ElacSchema	schema = elac_metapage_get(leaf)->schema;

			query = elac_text_compile(&schema, &request, RelationGetRelationName(leaf));
			part = list_length(leaves) > 1 ? stats_copy(query) : NULL;
		}
		if (part != NULL)
			stats_add_leaf(query, part, leaf, work);
		else
			stats_add_index(query, leaf, work, false);
		index_close(leaf, AccessShareLock);
	}
	if (query == NULL)
		query = palloc0(sizeof(ElacBm25Query));
	elac_bm25_prepare(query);
	MemoryContextDelete(work);
	return query;
}

static KeptQuery *
stats_lookup(const StatsKey *key, const ElacBoundQuery *bound)
{
	for (int i = 0; i < KEPT_QUERIES; i++)
	{
		KeptQuery  *kept = &kept_queries[i];

		if (kept->context != NULL && VARSIZE(kept->bound) == VARSIZE(bound) &&
			memcmp(&kept->key, key, sizeof(StatsKey)) == 0 &&
			memcmp(kept->bound, bound, VARSIZE(bound)) == 0)
			return kept;
	}
	return NULL;
}

static void
stats_keep(const StatsKey *key, const ElacBoundQuery *bound, const ElacBm25Query *query)
{
	KeptQuery  *oldest = &kept_queries[0];
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "elacsym text statistics", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KeptQuery	fresh;

	fresh.context = context;
	fresh.key = *key;
	fresh.bound = memcpy(palloc(VARSIZE(bound)), bound, VARSIZE(bound));
	fresh.query = stats_copy(query);
	fresh.used = ++kept_clock;
	MemoryContextSwitchTo(old);

	for (int i = 0; i < KEPT_QUERIES; i++)
		if (kept_queries[i].used < oldest->used)
			oldest = &kept_queries[i];
	if (oldest->context != NULL)
		MemoryContextDelete(oldest->context);
	*oldest = fresh;
}

ElacBm25Query *
elac_query_text_prepare(const ElacBoundQuery *bound)
{
	StatsKey	key;
	KeptQuery  *kept;
	ElacBm25Query *query;

	stats_key_fill(&key);
	kept = stats_lookup(&key, bound);
	if (kept != NULL)
	{
		kept->used = ++kept_clock;
		return stats_copy(kept->query);
	}
	query = stats_compute(bound);
	stats_keep(&key, bound, query);
	return query;
}
