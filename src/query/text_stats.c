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
	Oid			index;
	int			nattnos;
	int16		attnos[ELAC_MAX_COLUMNS];
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
	Size		query_len;
	char	   *query_bytes;
	ElacBm25Query *query;
	uint64		used;			/* last use, for replacement */
} KeptQuery;

static KeptQuery kept_queries[KEPT_QUERIES];
static uint64 kept_clock = 0;

static void
stats_key_fill(StatsKey *key, Oid index, const int16 *attnos, int nattnos)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;

	memset(key, 0, sizeof(StatsKey));
	key->index = index;
	key->nattnos = nattnos;
	memcpy(key->attnos, attnos, nattnos * sizeof(int16));
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

	query->nfields = from->nfields;
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

/* The fields of a query, analysed as the index's columns are; statistics still 0. */
static ElacBm25Query *
stats_analyze(const ElacSchema *schema, const char *index_name, const int16 *attnos, int nattnos, Datum query_text)
{
	ElacBm25Query *query = palloc0(sizeof(ElacBm25Query));

	query->nfields = nattnos;
	query->fields = palloc0(sizeof(ElacBm25Field) * nattnos);
	for (int i = 0; i < nattnos; i++)
	{
		int			column = attnos[i] - 1;
		ElacTermVector terms;

		if (column < 0 || column >= schema->ncolumns || schema->columns[column].kind != ELAC_COLUMN_TEXT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column %d of index \"%s\" is not indexed for BM25", attnos[i], index_name)));
		elac_text_analyze(elac_text_config(schema->columns[column].config), query_text, &terms);
		elac_bm25_field_init(&query->fields[i], column, &schema->columns[column], &terms);
	}
	return query;
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
stats_compute(Oid index, const int16 *attnos, int nattnos, Datum query_text)
{
	ElacBm25Query *query = NULL;
	ListCell   *cell;

	foreach(cell, stats_leaf_indexes(index))
	{
		Relation	leaf = index_open(lfirst_oid(cell), AccessShareLock);

		if (query == NULL)
		{
			/* a copy: dictionaries read catalogues, and the relcache entry may be rebuilt meanwhile */
			ElacSchema	schema = elac_metapage_get(leaf)->schema;

			query = stats_analyze(&schema, RelationGetRelationName(leaf), attnos, nattnos, query_text);
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
stats_lookup(const StatsKey *key, const char *bytes, Size len)
{
	for (int i = 0; i < KEPT_QUERIES; i++)
	{
		KeptQuery  *kept = &kept_queries[i];

		if (kept->context != NULL && kept->query_len == len &&
			memcmp(&kept->key, key, sizeof(StatsKey)) == 0 &&
			memcmp(kept->query_bytes, bytes, len) == 0)
			return kept;
	}
	return NULL;
}

static void
stats_keep(const StatsKey *key, const char *bytes, Size len, const ElacBm25Query *query)
{
	KeptQuery  *oldest = &kept_queries[0];
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "elacsym text statistics", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KeptQuery	fresh;

	fresh.context = context;
	fresh.key = *key;
	fresh.query_len = len;
	fresh.query_bytes = memcpy(palloc(len + 1), bytes, len);
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
elac_query_text_prepare(Oid index, const int16 *attnos, int nattnos, Datum query_text)
{
	text	   *value = DatumGetTextPP(query_text);
	const char *bytes = VARDATA_ANY(value);
	Size		len = VARSIZE_ANY_EXHDR(value);
	StatsKey	key;
	KeptQuery  *kept;
	ElacBm25Query *query;

	stats_key_fill(&key, index, attnos, nattnos);
	kept = stats_lookup(&key, bytes, len);
	if (kept != NULL)
	{
		kept->used = ++kept_clock;
		return stats_copy(kept->query);
	}
	query = stats_compute(index, attnos, nattnos, PointerGetDatum(value));
	stats_keep(&key, bytes, len, query);
	return query;
}
