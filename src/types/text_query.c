/*
 * text_query.c
 *	  The type elacsym_query and the operator <@>: BM25 of a text, or of an
 *	  array of texts, against a query bound to an index.
 *
 * The score of a row that does not come out of an index scan (projection,
 * sort, join) is computed here, from the same statistics and by the same
 * function as the scan's: the two agree to the last bit.  text_bind.c binds at
 * plan time; what reaches <@>(text, text) at run time was not bound.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "query/bound_query.h"
#include "query/query.h"
#include "storage/metapage.h"
#include "text/analyze.h"
#include "text/bm25.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_in);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_out);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind_columns);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_unbound);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score_columns);

/* ---- the type ---- */

/* A query is bound to an index by the planner or by elacsym_bind(), never by text. */
Datum
elac_text_query_in(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot accept a value of type elacsym_query"),
			 errhint("Write the query as text: column <@> 'words'.")));
	PG_RETURN_NULL();
}

/* For people: index(attribute numbers): words. */
Datum
elac_text_query_out(PG_FUNCTION_ARGS)
{
	const ElacBoundQuery *bound = elac_bound_query_decode(PG_GETARG_DATUM(0));
	char	   *name = get_rel_name(bound->index);
	StringInfoData out;

	initStringInfo(&out);
	if (name != NULL)
		appendStringInfo(&out, "%s(", quote_identifier(name));
	else
		appendStringInfo(&out, "%u(", bound->index);
	for (int i = 0; i < bound->nattnos; i++)
		appendStringInfo(&out, i > 0 ? ",%d" : "%d", bound->attnos[i]);
	appendStringInfo(&out, "): %s", TextDatumGetCString(elac_bound_query_text(bound)));
	PG_RETURN_CSTRING(out.data);
}

/* elacsym_bind(text, regclass, int2) */
Datum
elac_text_query_bind(PG_FUNCTION_ARGS)
{
	int16		attno = PG_GETARG_INT16(2);
	ElacBoundQuery *bound = elac_bound_query_make(PG_GETARG_OID(1), &attno, 1, PG_GETARG_DATUM(0));

	elac_bound_query_decode(PointerGetDatum(bound));
	PG_RETURN_POINTER(bound);
}

/* elacsym_bind(text, regclass, int2[]) */
Datum
elac_text_query_bind_columns(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);
	int			nattnos = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	ElacBoundQuery *bound;

	if (nattnos < 1 || nattnos > ELAC_MAX_COLUMNS || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a text query needs between 1 and %d columns", ELAC_MAX_COLUMNS)));
	bound = elac_bound_query_make(PG_GETARG_OID(1), (const int16 *) ARR_DATA_PTR(array), nattnos, PG_GETARG_DATUM(0));
	elac_bound_query_decode(PointerGetDatum(bound));
	PG_RETURN_POINTER(bound);
}

/* <@> with a text on the right: text_bind.c found no index. */
Datum
elac_text_query_unbound(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no elacsym index covers the left operand of operator <@>"),
			 errdetail("BM25 needs the statistics of an index on the column or expression."),
			 errhint("Create one, for example CREATE INDEX ON docs USING elacsym (body text_bm25_ops), "
					 "and apply <@> to that column of that table.")));
	PG_RETURN_NULL();
}

/* ---- the score of one value ---- */

/*
 * What statistics are good for: those of the snapshot that they were taken
 * under.  An expression may outlive its statement (PL/pgSQL keeps them).
 */
typedef struct ScoreKey
{
	LocalTransactionId lxid;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	CommandId	curcid;
} ScoreKey;

/* In fn_extra: the query last seen, ready to score. */
typedef struct ScoreCache
{
	MemoryContext context;		/* of this; reset by each new query */
	MemoryContext work;			/* of one value; reset by each */
	ScoreKey	key;
	bool		valid;
	Size		bound_size;
	ElacBoundQuery *bound;		/* copy */
	ElacBm25Query *query;
	Oid			configs[ELAC_MAX_COLUMNS];	/* by field */
	ElacColumn	columns[ELAC_MAX_COLUMNS];	/* by field */
} ScoreCache;

static void
score_key_fill(ScoreKey *key)
{
	memset(key, 0, sizeof(ScoreKey));
	key->lxid = ELAC_MY_LXID;
	if (ActiveSnapshotSet())
	{
		Snapshot	snapshot = GetActiveSnapshot();

		key->xmin = snapshot->xmin;
		key->xmax = snapshot->xmax;
		key->xcnt = snapshot->xcnt;
		key->curcid = snapshot->curcid;
	}
}

/* elacsym_bind() takes any regclass: see that it is an index of ours. */
static void
score_check_index(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Form_pg_class form;
	bool		ours;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u does not exist", index)));
	form = (Form_pg_class) GETSTRUCT(tuple);
	ours = (form->relkind == RELKIND_INDEX || form->relkind == RELKIND_PARTITIONED_INDEX) &&
		form->relam == get_index_am_oid("elacsym", true);
	if (!ours)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an elacsym index", NameStr(form->relname))));
	ReleaseSysCache(tuple);
}

/*
 * Looks up the configurations of the query's columns: those frozen in the
 * index, or in the first leaf of a partitioned one (as for the statistics).
 */
static void
score_find_configs(ScoreCache *cache)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(cache->bound->index, AccessShareLock, NULL))
	{
		ElacSchema	schema;		/* a copy: the look-ups may rebuild the relcache entry */
		Relation	leaf;

		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_INDEX)
			continue;
		leaf = index_open(lfirst_oid(cell), AccessShareLock);
		schema = elac_metapage_get(leaf)->schema;
		for (int f = 0; f < cache->query->nfields; f++)
		{
			cache->columns[f] = schema.columns[cache->query->fields[f].column];
			cache->configs[f] = elac_text_config(cache->columns[f].config);
		}
		index_close(leaf, AccessShareLock);
		return;
	}
}

/* The cache, holding this query under this snapshot. */
static ScoreCache *
score_cache_get(FmgrInfo *flinfo, Datum query)
{
	ScoreCache *cache = flinfo->fn_extra;
	const ElacBoundQuery *bound = elac_bound_query_decode(query);
	Size		size = VARSIZE(bound);
	ScoreKey	key;
	MemoryContext old;

	score_key_fill(&key);
	if (cache != NULL && cache->valid && cache->bound_size == size &&
		memcmp(&cache->key, &key, sizeof(key)) == 0 && memcmp(cache->bound, bound, size) == 0)
		return cache;
	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ScoreCache));
		cache->context = AllocSetContextCreate(flinfo->fn_mcxt, "elacsym text query", ALLOCSET_SMALL_SIZES);
		cache->work = AllocSetContextCreate(flinfo->fn_mcxt, "elacsym text score", ALLOCSET_DEFAULT_SIZES);
		flinfo->fn_extra = cache;
	}
	cache->valid = false;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	cache->bound = memcpy(palloc(size), bound, size);
	cache->bound_size = size;
	cache->key = key;
	score_check_index(bound->index);
	cache->query = elac_query_text_prepare(cache->bound);
	score_find_configs(cache);
	MemoryContextSwitchTo(old);
	cache->valid = true;
	return cache;
}

/* The operator's value for nvalues texts, one per bound column. */
static float8
score_values(ScoreCache *cache, const Datum *values, const bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(cache->work);
	ElacTermVector documents[ELAC_MAX_COLUMNS];
	double		score;

	memset(documents, 0, sizeof(documents));
	for (int f = 0; f < cache->query->nfields; f++)
	{
		if (isnull[f])
			documents[f].isnull = true;
		else
			elac_text_analyze(&cache->columns[f], cache->configs[f], values[f], &documents[f]);
	}
	score = elac_bm25_score(cache->query, documents);
	MemoryContextSwitchTo(old);
	MemoryContextReset(cache->work);
	return score > 0 ? -score : 0.0;
}

static void
score_raise_columns(const ElacBoundQuery *bound, int nvalues)
{
	ereport(ERROR,
			(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 errmsg("number of texts (%d) does not match number of columns of the query (%d)", nvalues, bound->nattnos)));
}

/* text <@> elacsym_query */
Datum
elac_text_query_score(PG_FUNCTION_ARGS)
{
	bool		isnull = false;
	ScoreCache *cache;
	Datum		value;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	value = PG_GETARG_DATUM(0);
	cache = score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1));
	if (cache->bound->nattnos != 1)
		score_raise_columns(cache->bound, 1);
	PG_RETURN_FLOAT8(score_values(cache, &value, &isnull));
}

/* text[] <@> elacsym_query: NULL when all texts are, as in the index. */
Datum
elac_text_query_score_columns(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	ScoreCache *cache;
	Datum	   *values;
	bool	   *isnull;
	int			nvalues;
	bool		all_null = true;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	array = PG_GETARG_ARRAYTYPE_P(0);
	cache = score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &isnull, &nvalues);
	if (nvalues != cache->bound->nattnos)
		score_raise_columns(cache->bound, nvalues);
	for (int i = 0; i < nvalues; i++)
		all_null = all_null && isnull[i];
	if (all_null)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score_values(cache, values, isnull));
}
