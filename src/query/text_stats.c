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
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "query/query.h"
#include "storage/metapage.h"

#define KEPT_QUERIES 16

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
		field->terms = palloc(sizeof(ElacBm25Term) * Max(field->nterms, 1));
		for (uint32 t = 0; t < field->nterms; t++)
		{
			field->terms[t] = from->fields[f].terms[t];
			field->terms[t].bytes = memcpy(palloc(field->terms[t].len + 1), field->terms[t].bytes, field->terms[t].len);
		}
	}
	return query;
}

/* Adds one document's part to a field. */
static void
stats_add_document(ElacBm25Field *field, const ElacTermVector *document)
{
	uint32		d = 0;

	if (document->nterms == 0)
		return;
	field->stats.ndocs++;
	field->stats.total_length += document->length;
	for (uint32 t = 0; t < field->nterms; t++)
	{
		ElacBm25Term *term = &field->terms[t];

		for (; d < document->nterms; d++)
		{
			const ElacTerm *other = &document->terms[d];
			int			order = memcmp(other->bytes, term->bytes, Min(other->len, term->len));

			if (order == 0)
				order = other->len < term->len ? -1 : other->len > term->len;
			if (order == 0)
				term->df++;
			if (order >= 0)
				break;
		}
	}
}

/*
 * Adds what one index holds.  Rows of the delta that are marked dead count,
 * as dead rows of segments do, until they are purged.
 */
static void
stats_add_index(ElacBm25Query *query, Relation index)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "elacsym text statistics of one index",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	ElacSnapshot *snapshot = elac_snapshot_share(index);
	ElacDeltaView *delta = elac_delta_view(snapshot);
	ElacBlobReader **bodies = palloc(sizeof(ElacBlobReader *) * Max(snapshot->nsegments, 1));

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		for (int f = 0; f < query->nfields; f++)
			elac_text_prefetch(elac_segment_text(elac_snapshot_segment(snapshot, i), query->fields[f].column),
							   &query->fields[f]);
		bodies[i] = elac_segment_body(elac_snapshot_segment(snapshot, i));
	}
	elac_blob_wait(bodies, snapshot->nsegments);

	for (int f = 0; f < query->nfields; f++)
	{
		ElacBm25Field *field = &query->fields[f];

		for (int i = 0; i < snapshot->nsegments; i++)
		{
			ElacTextReader *reader = elac_segment_text(elac_snapshot_segment(snapshot, i), field->column);
			ElacFieldStats stats = elac_text_stats(reader);

			CHECK_FOR_INTERRUPTS();
			field->stats.ndocs += stats.ndocs;
			field->stats.total_length += stats.total_length;
			for (uint32 t = 0; t < field->nterms; t++)
				field->terms[t].df += elac_text_df(reader, field->terms[t].bytes, field->terms[t].len);
		}
		for (ElacDoc doc = 0; doc < elac_delta_ndocs(delta); doc++)
			stats_add_document(field, elac_delta_terms(delta, doc, field->column));
	}
	elac_snapshot_release(snapshot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* The indexes that hold rows: the index itself, or the leaves of a partitioned one. */
static List *
stats_leaf_indexes(Oid index)
{
	List	   *leaves = NIL;
	ListCell   *cell;

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
	ElacBm25Query *query = NULL;
	ElacTextRequest request;
	ListCell   *cell;

	elac_bound_query_request(bound, &request);
	foreach(cell, stats_leaf_indexes(bound->index))
	{
		Relation	leaf = index_open(lfirst_oid(cell), AccessShareLock);

		if (query == NULL)
		{
			/* a copy: dictionaries read catalogues, and the relcache entry may be rebuilt meanwhile */
			ElacSchema	schema = elac_metapage_get(leaf)->schema;

			query = elac_text_compile(&schema, &request, RelationGetRelationName(leaf));
		}
		stats_add_index(query, leaf);
		index_close(leaf, AccessShareLock);
	}
	if (query == NULL)
		query = palloc0(sizeof(ElacBm25Query));
	elac_bm25_prepare(query);
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
