/*
 * json_rows.c
 *	  elacsym_query(): a search asked for in JSON, in the shape of
 *	  turbopuffer's queries, and answered by rows as jsonb.
 *
 * The request becomes one statement that runs through SPI with the caller's
 * rights under the caller's snapshot: privileges, row-level security, views
 * and partitions are the server's business.  All values are parameters.
 *
 * A session keeps the plans of the last PLANS_MAX statements.  Requests that
 * differ in values alone are one statement; the server's plan cache decides
 * when to plan it anew.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "api/json_request.h"
#include "compat.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_json_query);

#define LIMIT_DEFAULT 10
#define LIMIT_MAX 10000
#define PLANS_MAX 64
#define PLAN_SQL_MAX 16384		/* bytes of a statement whose plan is kept */
#define PAIRS_MAX 45			/* of a name and a value in one call of jsonb_build_object() */

typedef struct QueryRequest
{
	ElacJsonStatement statement;
	ElacJsonRank rank;
	Bitmapset  *attributes;		/* attribute numbers of the rows returned */
	int			limit;
} QueryRequest;

/* ---- the request ---- */

/* top_k, or limit: a number, or {"total": number} */
static int
request_limit(const ElacJson *request)
{
	static const char *const keys[] = {"total", NULL};
	ElacJson	top_k;
	ElacJson	limit;
	ElacJson	total;
	bool		has_top_k = elac_json_member(request, "top_k", &top_k);

	if (!elac_json_member(request, "limit", &limit))
		return has_top_k ? elac_json_integer(&top_k, 1, LIMIT_MAX) : LIMIT_DEFAULT;
	if (has_top_k)
		elac_json_error(&limit, NULL, "is another name of top_k: give one of them");
	if (!elac_json_is_object(&limit))
		return elac_json_integer(&limit, 1, LIMIT_MAX);
	elac_json_check_keys(&limit, keys);
	if (!elac_json_member(&limit, "total", &total))
		elac_json_error(&limit, NULL, "has no \"total\"");
	return elac_json_integer(&total, 1, LIMIT_MAX);
}

/* What names a row comes with every row: the primary key, or else a column "id". */
static Bitmapset *
key_attributes(const ElacJsonStatement *statement)
{
	Relation	relation = statement->relation;
	TupleDesc	desc = RelationGetDescr(relation);
	Bitmapset  *key = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	Bitmapset  *result = NULL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped || !elac_json_may_read(statement, column->attnum))
			continue;
		if (key == NULL ? strcmp(NameStr(column->attname), "id") == 0 :
			bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, key))
			result = bms_add_member(result, column->attnum);
	}
	return result;
}

/* All columns that the user may read. */
static Bitmapset *
all_attributes(const ElacJsonStatement *statement)
{
	TupleDesc	desc = RelationGetDescr(statement->relation);
	Bitmapset  *result = NULL;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && elac_json_may_read(statement, i + 1))
			result = bms_add_member(result, i + 1);
	return result;
}

static Bitmapset *
listed_attributes(const ElacJsonStatement *statement, const ElacJson *list)
{
	Bitmapset  *result = NULL;

	for (int i = 0; i < elac_json_count(list); i++)
	{
		ElacJson	name;

		elac_json_element(list, i, &name);
		result = bms_add_member(result, elac_json_column(statement, &name)->attnum);
	}
	return result;
}

static Bitmapset *
request_attributes(const ElacJsonStatement *statement, const ElacJson *request)
{
	Bitmapset  *key = key_attributes(statement);
	ElacJson	include;
	ElacJson	exclude;
	bool		has_include = elac_json_member(request, "include_attributes", &include);

	if (elac_json_member(request, "exclude_attributes", &exclude))
	{
		if (has_include)
			elac_json_error(&exclude, NULL, "cannot be combined with include_attributes");
		if (!elac_json_is_array(&exclude))
			elac_json_error(&exclude, NULL, "must be an array of names, not %s", elac_json_kind(&exclude));
		return bms_add_members(bms_del_members(all_attributes(statement), listed_attributes(statement, &exclude)), key);
	}
	if (!has_include)
		return key;
	if (include.value.type == jbvBool)
		return include.value.val.boolean ? all_attributes(statement) : key;
	if (!elac_json_is_array(&include))
		elac_json_error(&include, NULL, "must be true, false or an array of names, not %s", elac_json_kind(&include));
	return bms_add_members(listed_attributes(statement, &include), key);
}

static void
request_parse(QueryRequest *query, const ElacJson *request)
{
	static const char *const keys[] = {"rank_by", "filters", "top_k", "limit", "include_attributes", "exclude_attributes", NULL};
	ElacJson	member;

	if (!elac_json_is_object(request))
		elac_json_error(request, NULL, "must be an object, not %s", elac_json_kind(request));
	elac_json_check_keys(request, keys);
	if (!elac_json_member(request, "rank_by", &member))
		elac_json_error(request, "Write \"rank_by\": [\"id\", \"asc\"] for rows in the order of an attribute.", "has no rank_by");
	elac_json_rank(&query->statement, &member, &query->rank);
	if (elac_json_member(request, "filters", &member) && member.value.type != jbvNull)
		elac_json_filter(&query->statement, &member);
	query->limit = request_limit(request);
	query->attributes = request_attributes(&query->statement, request);
}

static Relation
request_relation(Oid oid)
{
	Relation	relation = relation_open(oid, AccessShareLock);
	char		kind = relation->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_MATVIEW &&
		kind != RELKIND_VIEW && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot search relation \"%s\"", RelationGetRelationName(relation)),
				 errdetail("It is neither a table nor a view.")));
	return relation;
}

/* ---- the statement ---- */

/* A column of the inner statement as jsonb_build_object() is to see it. */
static const char *
shown_column(Form_pg_attribute column)
{
	return elac_json_is_vector_type(getBaseType(column->atttypid)) ?
		psprintf("s.a%d::pg_catalog._float4", column->attnum) : psprintf("s.a%d", column->attnum);
}

/* Rank and distance, or score, in each leg of a fusion; null where the leg does not rank the row. */
static void
append_legs(StringInfo sql, const ElacJsonRank *rank)
{
	appendStringInfoString(sql, ", '$legs', pg_catalog.jsonb_build_array(");
	for (int i = 0; i < rank->nlegs; i++)
		appendStringInfo(sql, "%sCASE WHEN s.legs[%d] IS NOT NULL THEN pg_catalog.jsonb_build_object('rank', s.legs[%d]::pg_catalog.int4, '$dist', %ss.legs[%d]) END",
						 i > 0 ? ", " : "", 2 * i + 1, 2 * i + 1, (rank->text_legs >> i) & 1 ? "-" : "", 2 * i + 2);
	appendStringInfoChar(sql, ')');
}

/*
 * The row as jsonb.  What search adds comes last, so that it is not hidden by
 * a column of the same name.
 */
static void
append_row(StringInfo sql, const QueryRequest *query)
{
	TupleDesc	desc = RelationGetDescr(query->statement.relation);
	int			pairs = 0;
	int			attno = -1;

	appendStringInfoString(sql, "pg_catalog.jsonb_build_object(");
	while ((attno = bms_next_member(query->attributes, attno)) >= 0)
	{
		Form_pg_attribute column = TupleDescAttr(desc, attno - 1);

		if (pairs > 0)
			appendStringInfoString(sql, pairs % PAIRS_MAX == 0 ? ") OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(" : ", ");
		appendStringInfo(sql, "%s, %s", quote_literal_cstr(NameStr(column->attname)), shown_column(column));
		pairs++;
	}
	if (query->rank.distance != NULL)
	{
		appendStringInfo(sql, "%s'%s', %ss.d", pairs > 0 ? ", " : "", query->rank.legs != NULL ? "$score" : "$dist",
						 query->rank.positive ? "-" : "");
		if (query->rank.legs != NULL)
			append_legs(sql, &query->rank);
	}
	appendStringInfoChar(sql, ')');
}

/* Does a leg rank the row? */
static void
append_ranked(StringInfo sql, int nlegs)
{
	for (int i = 0; i < nlegs; i++)
		appendStringInfo(sql, "%ss.legs[%d] IS NOT NULL", i > 0 ? " OR " : ", ", 2 * i + 1);
}

/*
 * The inner statement finds the rows, the outer one makes jsonb of those that
 * remain: below a sort it would be made of all.
 */
static char *
request_sql(const QueryRequest *query)
{
	Relation	relation = query->statement.relation;
	const char *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
	StringInfoData sql;
	int			attno = -1;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_row(&sql, query);
	if (query->rank.distance != NULL)
		appendStringInfoString(&sql, ", s.d");
	if (query->rank.legs != NULL)
		append_ranked(&sql, query->rank.nlegs);
	appendStringInfoString(&sql, " FROM (SELECT ");
	if (query->rank.distance != NULL)
		appendStringInfo(&sql, "%s AS d", query->rank.distance);
	else
		appendStringInfoString(&sql, "1 AS d");
	if (query->rank.legs != NULL)
		appendStringInfo(&sql, ", %s AS legs", query->rank.legs);
	while ((attno = bms_next_member(query->attributes, attno)) >= 0)
		appendStringInfo(&sql, ", %s AS a%d", elac_json_column_sql(TupleDescAttr(RelationGetDescr(relation), attno - 1)), attno);
	appendStringInfo(&sql, " FROM %s AS t", name);
	if (query->statement.where.len > 0)
		appendStringInfo(&sql, " WHERE %s", query->statement.where.data);
	appendStringInfo(&sql, " ORDER BY %s LIMIT %d) AS s", query->rank.order != NULL ? query->rank.order : "1", query->limit);
	return sql.data;
}

/* ---- plans kept by the session ---- */

typedef struct KeptPlan
{
	uint32		hash;
	char	   *sql;			/* NULL: free */
	int			nparameters;
	Oid		   *types;
	SPIPlanPtr	plan;
	int			users;			/* executions under way: a policy may search, too */
	uint64		used;			/* time of the last use, counted in uses */
} KeptPlan;

static KeptPlan kept_plans[PLANS_MAX];
static uint64 kept_uses;

static KeptPlan *
find_plan(const char *sql, uint32 hash, const ElacJsonStatement *statement)
{
	for (int i = 0; i < PLANS_MAX; i++)
	{
		KeptPlan   *kept = &kept_plans[i];

		if (kept->sql != NULL && kept->hash == hash && kept->nparameters == statement->nparameters &&
			strcmp(kept->sql, sql) == 0 &&
			(kept->nparameters == 0 || memcmp(kept->types, statement->types, sizeof(Oid) * kept->nparameters) == 0))
			return kept;
	}
	return NULL;
}

/* The place of the plan used longest ago that nobody is executing; NULL when all are. */
static KeptPlan *
free_place(void)
{
	KeptPlan   *oldest = NULL;

	for (int i = 0; i < PLANS_MAX; i++)
	{
		KeptPlan   *kept = &kept_plans[i];

		if (kept->sql == NULL)
			return kept;
		if (kept->users == 0 && (oldest == NULL || kept->used < oldest->used))
			oldest = kept;
	}
	if (oldest != NULL)
	{
		SPIPlanPtr	plan = oldest->plan;

		pfree(oldest->sql);
		if (oldest->types != NULL)
			pfree(oldest->types);
		memset(oldest, 0, sizeof(KeptPlan));
		SPI_freeplan(plan);
	}
	return oldest;
}

/* Keeps a plan; NULL when it is not worth it or there is no place. */
static KeptPlan *
keep_plan(const char *sql, uint32 hash, const ElacJsonStatement *statement, SPIPlanPtr plan)
{
	MemoryContext old;
	KeptPlan   *kept;
	char	   *sql_copy;
	Oid		   *types_copy = NULL;

	if (strlen(sql) > PLAN_SQL_MAX)
		return NULL;
	kept = free_place();
	if (kept == NULL)
		return NULL;
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (statement->nparameters > 0)
	{
		types_copy = palloc(sizeof(Oid) * statement->nparameters);
		memcpy(types_copy, statement->types, sizeof(Oid) * statement->nparameters);
	}
	sql_copy = pstrdup(sql);
	MemoryContextSwitchTo(old);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of a search");
	kept->sql = sql_copy;
	kept->types = types_copy;
	kept->hash = hash;
	kept->nparameters = statement->nparameters;
	kept->plan = plan;
	return kept;
}

static void
execute(const char *sql, const ElacJsonStatement *statement)
{
	uint32		hash = hash_bytes((const unsigned char *) sql, strlen(sql));
	KeptPlan   *kept = find_plan(sql, hash, statement);
	SPIPlanPtr	plan;
	int			result;

	if (kept == NULL)
	{
		plan = SPI_prepare(sql, statement->nparameters, statement->types);
		if (plan == NULL)
			elog(ERROR, "could not prepare the search: %s", SPI_result_code_string(SPI_result));
		kept = keep_plan(sql, hash, statement, plan);
	}
	else
		plan = kept->plan;
	if (kept != NULL)
	{
		kept->used = ++kept_uses;
		kept->users++;
	}
	PG_TRY();
	{
		result = SPI_execute_plan(plan, statement->values, NULL, true, 0);
	}
	PG_FINALLY();
	{
		if (kept != NULL)
			kept->users--;
	}
	PG_END_TRY();
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not run the search: %s", SPI_result_code_string(result));
}

/* ---- rows ---- */

/* Has the row a distance, or a score above 0, or a rank in a leg of a fusion?  Those that have none come last. */
static bool
row_is_ranked(const ElacJsonRank *rank, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value;

	if (rank->distance == NULL)
		return true;
	if (rank->legs != NULL)
		return DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	value = SPI_getbinval(tuple, desc, 2, &isnull);
	if (isnull || isnan(DatumGetFloat8(value)))
		return false;
	return !rank->positive || DatumGetFloat8(value) < 0;
}

static void
put_rows(const QueryRequest *query, ReturnSetInfo *result)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		row;

		if (!row_is_ranked(&query->rank, tuple, SPI_tuptable->tupdesc))
			break;
		row = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);
		tuplestore_putvalues(result->setResult, result->setDesc, &row, &isnull);
	}
}

Datum
elac_json_query(PG_FUNCTION_ARGS)
{
	QueryRequest query;
	ElacJson	request;
	Jsonb	   *jsonb;
	char	   *sql;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of elacsym_query() must not be null", PG_ARGISNULL(0) ? "table" : "request")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	jsonb = PG_GETARG_JSONB_P(1);
	memset(&query, 0, sizeof(query));
	memset(&request, 0, sizeof(request));
	if (!JsonbExtractScalar(&jsonb->root, &request.value))
	{
		request.value.type = jbvBinary;
		request.value.val.binary.data = &jsonb->root;
		request.value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	}

	query.statement.relation = request_relation(PG_GETARG_OID(0));
	query.statement.readable = pg_class_aclcheck(PG_GETARG_OID(0), GetUserId(), ACL_SELECT) == ACLCHECK_OK;
	query.statement.schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	initStringInfo(&query.statement.where);
	request_parse(&query, &request);
	sql = request_sql(&query);

	SPI_connect();
	execute(sql, &query.statement);
	put_rows(&query, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	relation_close(query.statement.relation, NoLock);
	return (Datum) 0;
}
