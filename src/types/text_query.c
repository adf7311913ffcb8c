/*
 * text_query.c
 *	  The type elacsym_query, the functions that make its values, and the
 *	  operator <@>: BM25 of a value, or of an array of values, against a query
 *	  bound to an index.
 *
 * The score of a row that does not come out of an index scan (projection,
 * sort, join) is computed here, from the same statistics and by the same
 * function as the scan's: the two agree to the last bit.  text_bind.c binds at
 * plan time; what reaches <@> at run time with a text, a tsquery or a query
 * that is not bound was not bound there.
 */
#include "postgres.h"

#include <math.h>

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
#include "tsearch/ts_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
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
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_match_words);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_match_tsquery);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind_words);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind_tsquery);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind_query);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_unbound);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score_text);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score_texts);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score_tsvector);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_score_tsvectors);

static const char *const combine_names[] = {"sum", "max", "bm25f"};	/* by ElacTextCombine */

/* ---- the type ---- */

/* A query is made by elacsym_match() and bound by the planner or elacsym_bind(), never by text. */
Datum
elac_text_query_in(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot accept a value of type elacsym_query"),
			 errhint("Write the query as text: column <@> 'words', or call elacsym_match().")));
	PG_RETURN_NULL();
}

static void
out_binding(StringInfo out, const ElacBoundQuery *bound)
{
	char	   *name = OidIsValid(bound->index) ? get_rel_name(bound->index) : NULL;

	if (!OidIsValid(bound->index))
	{
		appendStringInfoString(out, "not bound");
		return;
	}
	if (name != NULL)
		appendStringInfo(out, "%s(", quote_identifier(name));
	else
		appendStringInfo(out, "%u(", bound->index);
	for (int i = 0; i < bound->nattnos; i++)
		appendStringInfo(out, i > 0 ? ",%d" : "%d", bound->attnos[i]);
	appendStringInfoChar(out, ')');
}

/* For people: index(attribute numbers), options: words. */
Datum
elac_text_query_out(PG_FUNCTION_ARGS)
{
	const ElacBoundQuery *bound = elac_bound_query_decode(PG_GETARG_DATUM(0));
	ElacTextRequest request;
	StringInfoData out;

	elac_bound_query_request(bound, &request);
	initStringInfo(&out);
	out_binding(&out, bound);
	for (int i = 0; i < request.nweights; i++)
		appendStringInfo(&out, i > 0 ? ",%g" : ", weights {%g", request.weights[i]);
	if (request.nweights > 0)
		appendStringInfoChar(&out, '}');
	if (request.combine != ELAC_COMBINE_SUM)
		appendStringInfo(&out, ", combine %s", combine_names[request.combine]);
	if (request.min_match != 1)
		appendStringInfo(&out, ", min_match %g", request.min_match);
	if (request.prefix)
		appendStringInfoString(&out, ", prefix");
	appendStringInfo(&out, ": %s", request.words != NULL ? text_to_cstring(request.words) :
					 DatumGetCString(DirectFunctionCall1(tsqueryout, TSQueryGetDatum(request.condition))));
	PG_RETURN_CSTRING(out.data);
}

/* ---- elacsym_match() ---- */

static void
request_init(ElacTextRequest *request)
{
	memset(request, 0, sizeof(ElacTextRequest));
	request->combine = ELAC_COMBINE_SUM;
	request->min_match = 1;
}

static void
request_set_weights(ElacTextRequest *request, ArrayType *array)
{
	int			nweights = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;

	if (nweights < 1 || nweights > ELAC_MAX_COLUMNS || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must be an array of 1 to %d numbers", ELAC_MAX_COLUMNS)));
	request->nweights = nweights;
	memcpy(request->weights, ARR_DATA_PTR(array), nweights * sizeof(float));
	for (int i = 0; i < nweights; i++)
		if (!(request->weights[i] >= 0 && request->weights[i] <= ELAC_QUERY_WEIGHT_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weight %g is out of range", request->weights[i]),
					 errdetail("Weights lie between 0 and %g.", ELAC_QUERY_WEIGHT_MAX)));
}

static void
request_set_combine(ElacTextRequest *request, const char *name)
{
	for (int i = 0; i < lengthof(combine_names); i++)
		if (strcmp(name, combine_names[i]) == 0)
		{
			request->combine = (ElacTextCombine) i;
			return;
		}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown way to combine fields: \"%s\"", name),
			 errhint("It is \"sum\", \"max\" or \"bm25f\".")));
}

static void
request_set_min_match(ElacTextRequest *request, float min_match)
{
	if (!(min_match > 0) || isinf(min_match) || (min_match > 1 && min_match != floorf(min_match)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_match %g is out of range", min_match),
				 errdetail("It is a whole number of words, or, between 0 and 1, a share of them.")));
	request->min_match = min_match;
}

/* elacsym_match(text, weights, combine, min_match, prefix); options that are NULL have their defaults */
Datum
elac_text_query_match_words(PG_FUNCTION_ARGS)
{
	ElacTextRequest request;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	request_init(&request);
	request.words = PG_GETARG_TEXT_PP(0);
	if (!PG_ARGISNULL(1))
		request_set_weights(&request, PG_GETARG_ARRAYTYPE_P(1));
	if (!PG_ARGISNULL(2))
		request_set_combine(&request, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (!PG_ARGISNULL(3))
		request_set_min_match(&request, PG_GETARG_FLOAT4(3));
	request.prefix = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	PG_RETURN_POINTER(elac_bound_query_make(&request));
}

/* elacsym_match(tsquery, weights, combine) */
Datum
elac_text_query_match_tsquery(PG_FUNCTION_ARGS)
{
	ElacTextRequest request;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	request_init(&request);
	request.condition = PG_GETARG_TSQUERY(0);
	if (!PG_ARGISNULL(1))
		request_set_weights(&request, PG_GETARG_ARRAYTYPE_P(1));
	if (!PG_ARGISNULL(2))
		request_set_combine(&request, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_POINTER(elac_bound_query_make(&request));
}

/* ---- elacsym_bind() ---- */

/* Binds a query by the other two arguments of elacsym_bind(): regclass, int2 or int2[]. */
static ElacBoundQuery *
bind_query(FunctionCallInfo fcinfo, const ElacBoundQuery *query)
{
	int16		attno;
	const int16 *attnos = &attno;
	int			nattnos = 1;

	if (get_fn_expr_argtype(fcinfo->flinfo, 2) == INT2ARRAYOID)
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);

		nattnos = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
		if (nattnos < 1 || nattnos > ELAC_MAX_COLUMNS || ARR_HASNULL(array))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a text query needs between 1 and %d columns", ELAC_MAX_COLUMNS)));
		attnos = (const int16 *) ARR_DATA_PTR(array);
	}
	else
		attno = PG_GETARG_INT16(2);
	return elac_bound_query_bind(query, PG_GETARG_OID(1), attnos, nattnos);
}

/* elacsym_bind(text, regclass, int2 or int2[]) */
Datum
elac_text_query_bind_words(PG_FUNCTION_ARGS)
{
	ElacTextRequest request;

	request_init(&request);
	request.words = PG_GETARG_TEXT_PP(0);
	PG_RETURN_POINTER(bind_query(fcinfo, elac_bound_query_make(&request)));
}

/* elacsym_bind(tsquery, regclass, int2 or int2[]) */
Datum
elac_text_query_bind_tsquery(PG_FUNCTION_ARGS)
{
	ElacTextRequest request;

	request_init(&request);
	request.condition = PG_GETARG_TSQUERY(0);
	PG_RETURN_POINTER(bind_query(fcinfo, elac_bound_query_make(&request)));
}

/* elacsym_bind(elacsym_query, regclass, int2 or int2[]): one that is bound stays as it is */
Datum
elac_text_query_bind_query(PG_FUNCTION_ARGS)
{
	const ElacBoundQuery *query = elac_bound_query_decode(PG_GETARG_DATUM(0));

	if (OidIsValid(query->index))
		PG_RETURN_POINTER(query);
	PG_RETURN_POINTER(bind_query(fcinfo, query));
}

static void
raise_unbound(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("cannot find an index for the left operand of operator <@>"),
			 errdetail("Scores need the statistics of an index, and the operand is not computed from one row of one table."),
			 errhint("Apply <@> where the table is read, or name an index and the number of its field: "
					 "elacsym_bind('words', 'docs_idx', 1::int2) to the right of <@>.")));
}

/* <@> with a text or a tsquery on the right: text_bind.c found no index. */
Datum
elac_text_query_unbound(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1))
		raise_unbound();
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
	int			ncolumns;		/* that the query is bound to; 0: the index has no leaf */
	ElacColumn	columns[ELAC_MAX_COLUMNS];
	Oid			configs[ELAC_MAX_COLUMNS];
	int		   *column_of;		/* by field, which of the columns it is of */
	ElacTermVector *documents;	/* by field */
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
 * Looks up the query's columns and their configurations: those frozen in the
 * index, or in the first leaf of a partitioned one (as for the statistics).
 */
static void
score_find_columns(ScoreCache *cache)
{
	ListCell   *cell;

	cache->ncolumns = 0;
	foreach(cell, find_all_inheritors(cache->bound->index, AccessShareLock, NULL))
	{
		ElacSchema	schema;		/* a copy: the look-ups may rebuild the relcache entry */
		Relation	leaf;

		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_INDEX)
			continue;
		leaf = index_open(lfirst_oid(cell), AccessShareLock);
		schema = elac_metapage_get(leaf)->schema;
		for (int i = 0; i < cache->bound->nattnos; i++)
		{
			/* elac_query_text_prepare() has seen that the index has such a column */
			cache->columns[i] = schema.columns[cache->bound->attnos[i] - 1];
			cache->configs[i] = elac_text_config(cache->columns[i].config);
		}
		cache->ncolumns = cache->bound->nattnos;
		index_close(leaf, AccessShareLock);
		return;
	}
}

/* Fields come in the order of the columns, labels of one column ascending; a column may be asked twice. */
static void
score_place_fields(ScoreCache *cache)
{
	const ElacBm25Query *query = cache->query;
	int			column = 0;

	cache->column_of = palloc(Max(query->nfields, 1) * sizeof(int));
	cache->documents = palloc(Max(query->nfields, 1) * sizeof(ElacTermVector));
	for (int f = 0; f < query->nfields; f++)
	{
		if (f > 0 && (query->fields[f].column != query->fields[f - 1].column ||
					  query->fields[f].label <= query->fields[f - 1].label))
			column++;
		cache->column_of[f] = column;
	}
}

/* The cache, holding this query under this snapshot. */
static ScoreCache *
score_cache_get(FmgrInfo *flinfo, Datum query)
{
	ScoreCache *cache = flinfo->fn_extra;
	const ElacBoundQuery *bound = (const ElacBoundQuery *) PG_DETOAST_DATUM(query);
	Size		size = VARSIZE(bound);
	ScoreKey	key;
	MemoryContext old;

	score_key_fill(&key);
	if (cache != NULL && cache->valid && cache->bound_size == size &&
		memcmp(&cache->key, &key, sizeof(key)) == 0 && memcmp(cache->bound, bound, size) == 0)
		return cache;
	bound = elac_bound_query_decode(PointerGetDatum(bound));
	if (!OidIsValid(bound->index))
		raise_unbound();
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
	score_find_columns(cache);
	score_place_fields(cache);
	MemoryContextSwitchTo(old);
	cache->valid = true;
	return cache;
}

/* Values of a type are scored as values of a column of that type alone. */
static void
score_check_type(const ScoreCache *cache, ElacTextType type)
{
	static const char *const names[] = {"", "text", "tsvector", "text[]"};	/* by ElacTextType */

	for (int i = 0; i < cache->ncolumns; i++)
		if (cache->columns[i].element != type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %d of index \"%s\" is of type %s, not %s", cache->bound->attnos[i],
							get_rel_name(cache->bound->index), names[cache->columns[i].element], names[type])));
}

/* The operator's value for one value a column. */
static float8
score_values(ScoreCache *cache, const Datum *values, const bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(cache->work);
	ElacTermVector columns[ELAC_MAX_COLUMNS];
	double		score;

	memset(columns, 0, cache->ncolumns * sizeof(ElacTermVector));
	for (int i = 0; i < cache->ncolumns; i++)
	{
		if (isnull[i])
			columns[i].isnull = true;
		else
			elac_text_analyze(&cache->columns[i], cache->configs[i], values[i], &columns[i]);
	}
	for (int f = 0; f < cache->query->nfields; f++)
		cache->documents[f] = columns[cache->column_of[f]];
	score = elac_bm25_score(cache->query, cache->documents);
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

static Datum
score_column(ScoreCache *cache, Datum value, ElacTextType type)
{
	bool		isnull = false;

	if (cache->bound->nattnos != 1)
		score_raise_columns(cache->bound, 1);
	score_check_type(cache, type);
	return Float8GetDatum(score_values(cache, &value, &isnull));
}

/* text <@> elacsym_query */
Datum
elac_text_query_score_text(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return score_column(score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1)), PG_GETARG_DATUM(0), ELAC_TEXT_PLAIN);
}

/* tsvector <@> elacsym_query */
Datum
elac_text_query_score_tsvector(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return score_column(score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1)), PG_GETARG_DATUM(0), ELAC_TEXT_TSVECTOR);
}

/* An array of one value a column: NULL when all are, as in the index. */
static Datum
score_columns(FunctionCallInfo fcinfo, ScoreCache *cache, ElacTextType type)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *values;
	bool	   *isnull;
	int			nvalues;
	bool		all_null = true;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &values, &isnull, &nvalues);
	if (nvalues != cache->bound->nattnos)
		score_raise_columns(cache->bound, nvalues);
	score_check_type(cache, type);
	for (int i = 0; i < nvalues; i++)
		all_null = all_null && isnull[i];
	if (all_null)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score_values(cache, values, isnull));
}

/* text[] <@> elacsym_query: the value of a column of that type, or texts of several columns */
Datum
elac_text_query_score_texts(PG_FUNCTION_ARGS)
{
	ScoreCache *cache;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	cache = score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1));
	if (cache->ncolumns == 1 && cache->columns[0].element == ELAC_TEXT_ARRAY)
		return score_column(cache, PG_GETARG_DATUM(0), ELAC_TEXT_ARRAY);
	return score_columns(fcinfo, cache, ELAC_TEXT_PLAIN);
}

/* tsvector[] <@> elacsym_query */
Datum
elac_text_query_score_tsvectors(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return score_columns(fcinfo, score_cache_get(fcinfo->flinfo, PG_GETARG_DATUM(1)), ELAC_TEXT_TSVECTOR);
}
