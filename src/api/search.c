/*
 * search.c
 *	  elacsym_search(): both legs of a hybrid query and their fusion in one
 *	  call.
 *
 * Each leg is an SQL statement, run with the caller's rights under the
 * caller's snapshot: privileges, row-level security, views and partitions are
 * the server's business, and ranks count only rows that the caller may see
 * and that pass the filter.  Rows of both legs are matched by (tableoid,
 * ctid), or, below a view, by their content.
 *
 * score = sum over legs of weight / (rrf_k + rank), rank from 1.  Ties: the
 * better vector rank, then the better text rank, then the row's place.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "api/search_plan.h"
#include "api/search_target.h"
#include "compat.h"
#include "guc.h"
#include "query/bound_query.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_search);

#define DEFAULT_WINDOW 100
#define MAX_WINDOW 1000000

/* Arguments by position; the SQL declaration gives names and defaults. */
enum SearchArgument
{
	ARG_RELATION, ARG_VECTOR, ARG_TEXT, ARG_FILTER, ARG_K,
	ARG_VECTOR_WEIGHT, ARG_TEXT_WEIGHT, ARG_VECTOR_WINDOW, ARG_TEXT_WINDOW,
	ARG_RRF_K, ARG_INDEX
};

typedef enum SearchLeg
{
	LEG_VECTOR,
	LEG_TEXT
} SearchLeg;

typedef struct SearchRequest
{
	ElacSearchTarget *target;
	const char *filter;			/* NULL: none */
	int			k;
	double		weight[2];		/* per leg */
	int			window[2];
	int			rrf_k;
	TupleDesc	row_desc;		/* of the relation's row type */
	MemoryContext context;		/* survives SPI */
} SearchRequest;

/* What names a row: tableoid and ctid, or its whole content. */
typedef struct SearchKey
{
	const uint8 *bytes;
	Size		len;
} SearchKey;

typedef struct SearchRow
{
	SearchKey	key;
	HeapTuple	tuple;			/* the row, when already read */
	Oid			tableoid;
	ItemPointerData ctid;
	int			rank[2];		/* 0 = absent */
	double		value[2];		/* distance, score */
	double		score;
} SearchRow;

typedef struct SearchRows
{
	SearchRow  *rows;
	uint32		n;
} SearchRows;

/* ---- arguments ---- */

static bool
filter_find_parameter(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ParamRef))
		return true;
	return raw_expression_tree_walker(node, filter_find_parameter, context);
}

/*
 * The filter must be one expression and nothing else: it is parsed alone, so
 * that nothing in it can close the parenthesis it is put into.
 */
static void
filter_check(const char *filter)
{
	List	   *statements = raw_parser(filter, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;

	if (!IsA(select, SelectStmt) || select->op != SETOP_NONE || list_length(select->targetList) != 1 ||
		linitial_node(ResTarget, select->targetList)->name != NULL ||
		select->distinctClause != NIL || select->intoClause != NULL || select->fromClause != NIL ||
		select->whereClause != NULL || select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->valuesLists != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL || select->lockingClause != NIL ||
		select->withClause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("filter is not a single condition"),
				 errhint("Write what would follow WHERE, such as 'price < 300'.")));
	if (filter_find_parameter((Node *) select, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("filter cannot contain parameters")));
}

static double
request_weight(FunctionCallInfo fcinfo, int argument, const char *name)
{
	double		weight = PG_ARGISNULL(argument) ? 1.0 : PG_GETARG_FLOAT8(argument);

	if (isnan(weight) || isinf(weight) || weight < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a finite number not below zero", name)));
	return weight;
}

static int
request_positive(FunctionCallInfo fcinfo, int argument, const char *name, int value_default)
{
	int			value = PG_ARGISNULL(argument) ? value_default : PG_GETARG_INT32(argument);

	if (value <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be greater than zero, not %d", name, value)));
	return value;
}

/* The relation whose row type the first argument has. */
static Oid
request_relation(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, ARG_RELATION);
	Oid			relation = OidIsValid(type) ? get_typ_typrelid(type) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("first argument of elacsym_search() must be of a table's row type"),
				 errhint("Write elacsym_search(NULL::my_table, ...).")));
	return relation;
}

static SearchRequest *
request_form(FunctionCallInfo fcinfo)
{
	SearchRequest *request = palloc0(sizeof(SearchRequest));
	Oid			relation = request_relation(fcinfo);
	bool		want_vector = !PG_ARGISNULL(ARG_VECTOR);
	bool		want_text = !PG_ARGISNULL(ARG_TEXT);

	if (!want_vector && !want_text)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("elacsym_search() needs a vector, a text, or both")));
	request->context = CurrentMemoryContext;
	request->k = request_positive(fcinfo, ARG_K, "k", 10);
	request->weight[LEG_VECTOR] = request_weight(fcinfo, ARG_VECTOR_WEIGHT, "vector_weight");
	request->weight[LEG_TEXT] = request_weight(fcinfo, ARG_TEXT_WEIGHT, "text_weight");
	request->window[LEG_VECTOR] = request_positive(fcinfo, ARG_VECTOR_WINDOW, "vector_window", Max(request->k, DEFAULT_WINDOW));
	request->window[LEG_TEXT] = request_positive(fcinfo, ARG_TEXT_WINDOW, "text_window", Max(request->k, DEFAULT_WINDOW));
	request->rrf_k = request_positive(fcinfo, ARG_RRF_K, "rrf_k", 60);
	if (!PG_ARGISNULL(ARG_FILTER))
	{
		request->filter = text_to_cstring(PG_GETARG_TEXT_PP(ARG_FILTER));
		filter_check(request->filter);
	}
	request->target = elac_search_target(relation, PG_ARGISNULL(ARG_INDEX) ? InvalidOid : PG_GETARG_OID(ARG_INDEX),
										 want_vector, want_text);
	request->row_desc = lookup_rowtype_tupdesc_copy(get_rel_type_id(relation), -1);
	return request;
}

/* ---- legs ---- */

/*
 * The relation's row from a result row of "SELECT <relation>.*, ..." (which
 * leaves out dropped columns), copied into the current context.  Below a view
 * the row is its own name, so values are detoasted to one form.
 */
static HeapTuple
leg_form_row(const SearchRequest *request, HeapTuple result, TupleDesc result_desc, bool detoast)
{
	TupleDesc	desc = request->row_desc;
	Datum	   *values = palloc0(sizeof(Datum) * Max(desc->natts, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(desc->natts, 1));
	int			column = 0;
	HeapTuple	tuple;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		nulls[i] = true;
		if (attribute->attisdropped)
			continue;
		values[i] = SPI_getbinval(result, result_desc, ++column, &nulls[i]);
		if (detoast && !nulls[i] && attribute->attlen == -1)
			values[i] = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
	}
	tuple = heap_form_tuple(desc, values, nulls);
	pfree(values);
	pfree(nulls);
	return tuple;
}

/* The statement of a leg: rows by distance, at most window of them. */
static char *
leg_sql(const SearchRequest *request, SearchLeg leg)
{
	const ElacSearchTarget *target = request->target;
	const char *alias = quote_identifier(get_rel_name(target->relation));
	const char *distance = leg == LEG_VECTOR ? target->vector_sql : target->text_sql;
	StringInfoData sql;

	initStringInfo(&sql);
	if (target->has_ctid)
		appendStringInfo(&sql, "SELECT %s.tableoid, %s.ctid", alias, alias);
	else
		appendStringInfo(&sql, "SELECT %s.*", alias);
	appendStringInfo(&sql, ", %s FROM %s", distance, target->relation_sql);
	if (request->filter != NULL)
		appendStringInfo(&sql, " WHERE (%s\n)", request->filter);
	appendStringInfo(&sql, " ORDER BY %s LIMIT %d", distance, Min(request->window[leg], MAX_WINDOW));
	return sql.data;
}

static void
leg_name_row(const SearchRequest *request, SearchRow *row, HeapTuple result, TupleDesc desc)
{
	bool		isnull;

	if (request->target->has_ctid)
	{
		uint8	   *bytes = palloc(sizeof(Oid) + sizeof(ItemPointerData));

		row->tableoid = DatumGetObjectId(SPI_getbinval(result, desc, 1, &isnull));
		row->ctid = *(ItemPointer) DatumGetPointer(SPI_getbinval(result, desc, 2, &isnull));
		memcpy(bytes, &row->tableoid, sizeof(Oid));
		memcpy(bytes + sizeof(Oid), &row->ctid, sizeof(ItemPointerData));
		row->key.bytes = bytes;
		row->key.len = sizeof(Oid) + sizeof(ItemPointerData);
		return;
	}
	row->tuple = leg_form_row(request, result, desc, true);
	row->key.bytes = (uint8 *) row->tuple->t_data + SizeofHeapTupleHeader;
	row->key.len = row->tuple->t_len - SizeofHeapTupleHeader;
}

/*
 * Whoever may read a view may order it by score without any privilege on the
 * table below.  So may a leg, which has to name the index: the server checks
 * the rights, the view owner's among them, before that is granted, because
 * functions of the filter may run while the leg is planned.
 */
static void
leg_execute(const SearchRequest *request, SearchLeg leg, SPIPlanPtr plan, Datum query)
{
	Datum		values[2] = {query, query};
	const char *nulls = leg == LEG_VECTOR ? " n" : "n ";
	const ElacSearchTarget *target = request->target;
	Oid			outer = elac_bound_query_granted;
	int			result = SPI_OK_SELECT;
	bool		grant = leg == LEG_TEXT && !target->has_ctid;

	if (grant)
		result = SPI_execute(psprintf("SELECT %s.* FROM %s LIMIT 0", quote_identifier(get_rel_name(target->relation)),
									  target->relation_sql), true, 0);
	if (result == SPI_OK_SELECT)
	{
		PG_TRY();
		{
			if (grant)
				elac_bound_query_granted = target->index;
			result = SPI_execute_plan(plan, values, nulls, true, 0);
		}
		PG_FINALLY();
		{
			elac_bound_query_granted = outer;
		}
		PG_END_TRY();
	}
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not run leg: %s", SPI_result_code_string(result));
}

/* Runs a leg; rows with a rank are those with a distance (vector) or a score above 0 (text). */
static void
leg_run(const SearchRequest *request, SearchLeg leg, Oid type, Datum query, SearchRows *out)
{
	char	   *sql = leg_sql(request, leg);
	Oid			types[2] = {type, TEXTOID};
	SPIPlanPtr	plan = SPI_prepare(sql, 2, types);
	MemoryContext old;

	if (plan == NULL)
		elog(ERROR, "could not prepare leg: %s", SPI_result_code_string(SPI_result));
	leg_execute(request, leg, plan, query);

	old = MemoryContextSwitchTo(request->context);
	out->rows = palloc_extended(sizeof(SearchRow) * Max(SPI_processed, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	out->n = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	result = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		SearchRow  *row = &out->rows[out->n];
		bool		isnull;
		double		distance = DatumGetFloat8(SPI_getbinval(result, desc, desc->natts, &isnull));

		if (isnull || isnan(distance) || (leg == LEG_TEXT && distance >= 0))
			break;
		leg_name_row(request, row, result, desc);
		row->value[leg] = leg == LEG_TEXT ? -distance : distance;
		row->rank[leg] = ++out->n;
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
	SPI_freeplan(plan);
}

/* ---- fusion ---- */

static int
key_compare(const SearchKey *a, const SearchKey *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

/* By name, then leg, then rank: equal rows of a view pair off in order. */
static int
row_compare_key(const void *a, const void *b)
{
	const SearchRow *left = (const SearchRow *) a;
	const SearchRow *right = (const SearchRow *) b;
	int			order = key_compare(&left->key, &right->key);

	if (order != 0)
		return order;
	if ((left->rank[LEG_VECTOR] == 0) != (right->rank[LEG_VECTOR] == 0))
		return left->rank[LEG_VECTOR] == 0 ? 1 : -1;
	return left->rank[LEG_VECTOR] + left->rank[LEG_TEXT] - right->rank[LEG_VECTOR] - right->rank[LEG_TEXT];
}

static int
rank_compare(int left, int right)
{
	if (left == right)
		return 0;
	if (left == 0 || right == 0)
		return left == 0 ? 1 : -1;
	return left < right ? -1 : 1;
}

static int
row_compare_score(const void *a, const void *b)
{
	const SearchRow *left = (const SearchRow *) a;
	const SearchRow *right = (const SearchRow *) b;
	int			order;

	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	order = rank_compare(left->rank[LEG_VECTOR], right->rank[LEG_VECTOR]);
	if (order == 0)
		order = rank_compare(left->rank[LEG_TEXT], right->rank[LEG_TEXT]);
	if (order == 0 && left->tableoid != right->tableoid)
		order = left->tableoid < right->tableoid ? -1 : 1;
	if (order == 0)
		order = ItemPointerCompare(unconstify(ItemPointerData *, &left->ctid), unconstify(ItemPointerData *, &right->ctid));
	return order == 0 ? key_compare(&left->key, &right->key) : order;
}

/* Merges the rows of one name: the i-th of one leg with the i-th of the other. */
static uint32
fuse_group(SearchRow *group, uint32 n, SearchRow *out)
{
	uint32		nvector = 0;
	uint32		ntext;
	uint32		count;

	while (nvector < n && group[nvector].rank[LEG_VECTOR] != 0)
		nvector++;
	ntext = n - nvector;
	count = Max(nvector, ntext);
	for (uint32 i = 0; i < count; i++)
	{
		SearchRow	row = i < nvector ? group[i] : group[nvector + i];

		if (i < nvector && i < ntext)
		{
			row.rank[LEG_TEXT] = group[nvector + i].rank[LEG_TEXT];
			row.value[LEG_TEXT] = group[nvector + i].value[LEG_TEXT];
		}
		out[i] = row;
	}
	return count;
}

static SearchRows
fuse(const SearchRequest *request, const SearchRows *legs)
{
	uint32		total = legs[LEG_VECTOR].n + legs[LEG_TEXT].n;
	SearchRow  *all = palloc_extended(sizeof(SearchRow) * Max(total, 1), MCXT_ALLOC_HUGE);
	SearchRows	fused;
	uint32		first = 0;

	memcpy(all, legs[LEG_VECTOR].rows, sizeof(SearchRow) * legs[LEG_VECTOR].n);
	memcpy(all + legs[LEG_VECTOR].n, legs[LEG_TEXT].rows, sizeof(SearchRow) * legs[LEG_TEXT].n);
	qsort(all, total, sizeof(SearchRow), row_compare_key);

	fused.rows = palloc_extended(sizeof(SearchRow) * Max(total, 1), MCXT_ALLOC_HUGE);
	fused.n = 0;
	while (first < total)
	{
		uint32		last = first + 1;

		while (last < total && key_compare(&all[first].key, &all[last].key) == 0)
			last++;
		fused.n += fuse_group(all + first, last - first, fused.rows + fused.n);
		first = last;
	}
	for (uint32 i = 0; i < fused.n; i++)
		for (int leg = 0; leg < 2; leg++)
			if (fused.rows[i].rank[leg] > 0)
				fused.rows[i].score += request->weight[leg] / ((double) request->rrf_k + fused.rows[i].rank[leg]);
	qsort(fused.rows, fused.n, sizeof(SearchRow), row_compare_score);
	fused.n = Min(fused.n, (uint32) request->k);
	pfree(all);
	return fused;
}

/* Reads the rows of the answer that the legs only named. */
static void
read_rows(const SearchRequest *request, SearchRows *answer)
{
	const char *alias = quote_identifier(get_rel_name(request->target->relation));
	Oid			types[2] = {OIDOID, TIDOID};
	SPIPlanPtr	plan;

	if (!request->target->has_ctid)
		return;
	plan = SPI_prepare(psprintf("SELECT %s.* FROM %s WHERE %s.tableoid OPERATOR(pg_catalog.=) $1 AND %s.ctid OPERATOR(pg_catalog.=) $2",
								alias, request->target->relation_sql, alias, alias), 2, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare reading rows: %s", SPI_result_code_string(SPI_result));
	for (uint32 i = 0; i < answer->n; i++)
	{
		SearchRow  *row = &answer->rows[i];
		Datum		values[2] = {ObjectIdGetDatum(row->tableoid), PointerGetDatum(&row->ctid)};
		MemoryContext old;

		if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "a row of the answer could not be read again");
		old = MemoryContextSwitchTo(request->context);
		row->tuple = leg_form_row(request, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, false);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_freeplan(plan);
}

static void
put_answer(const SearchRequest *request, const SearchRows *answer, ReturnSetInfo *result)
{
	for (uint32 i = 0; i < answer->n; i++)
	{
		const SearchRow *row = &answer->rows[i];
		Datum		values[6];
		bool		nulls[6] = {0};

		values[0] = heap_copy_tuple_as_datum(row->tuple, request->row_desc);
		values[1] = Float8GetDatum(row->score);
		for (int leg = 0; leg < 2; leg++)
		{
			nulls[2 + 2 * leg] = nulls[3 + 2 * leg] = row->rank[leg] == 0;
			values[2 + 2 * leg] = Int32GetDatum(row->rank[leg]);
			values[3 + 2 * leg] = Float8GetDatum(row->value[leg]);
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* ---- one statement, where the node serves it ---- */

/* Less could become 0 when divided by rrf_k and a rank, and the row would be left out. */
#define NODE_WEIGHT_MIN 1e-290

/*
 * The node has one window, not less than LIMIT, and no leg of weight 0 alone:
 * what differs from that is for the legs' own statements.
 */
static bool
node_serves(const SearchRequest *request, const bool *wanted)
{
	int			window = request->window[wanted[LEG_VECTOR] ? LEG_VECTOR : LEG_TEXT];

	if (!request->target->has_node || !elac_guc_enable_customscan || window > MAX_WINDOW || request->k > window)
		return false;
	for (int leg = 0; leg < 2; leg++)
		if (wanted[leg] && (request->window[leg] != window || request->weight[leg] < NODE_WEIGHT_MIN))
			return false;
	return true;
}

static char *
node_sql(const SearchRequest *request, const bool *wanted)
{
	const ElacSearchTarget *target = request->target;
	const char *alias = quote_identifier(get_rel_name(target->relation));
	char	   *call;
	StringInfoData sql;

	call = psprintf("%s.elacsym_rrf(ARRAY[%s%s%s], weights => $3, k => $4, \"window\" => $5)", target->schema,
					wanted[LEG_VECTOR] ? target->vector_sql : "", wanted[LEG_VECTOR] && wanted[LEG_TEXT] ? ", " : "",
					wanted[LEG_TEXT] ? target->text_sql : "");
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s.*, %s, %s.elacsym_legs(%s) FROM %s WHERE %s OPERATOR(pg_catalog.<) 0", alias, call,
					 target->schema, call, target->relation_sql, call);
	if (request->filter != NULL)
		appendStringInfo(&sql, " AND (%s\n)", request->filter);
	appendStringInfo(&sql, " ORDER BY %s LIMIT $6", call);
	return sql.data;
}

/* A row of the answer from a row of the statement, in the request's context. */
static void
node_form_row(const SearchRequest *request, const bool *wanted, HeapTuple result, TupleDesc desc, SearchRow *row)
{
	bool		isnull;
	ArrayType  *legs;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	int			next = 0;

	row->tuple = leg_form_row(request, result, desc, false);
	row->score = -DatumGetFloat8(SPI_getbinval(result, desc, desc->natts - 1, &isnull));
	legs = DatumGetArrayTypeP(SPI_getbinval(result, desc, desc->natts, &isnull));
	deconstruct_array(legs, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &n);
	for (int leg = 0; leg < 2; leg++)
	{
		if (!wanted[leg])
			continue;
		if (!nulls[next])
		{
			row->rank[leg] = (int) DatumGetFloat8(values[next]);
			row->value[leg] = DatumGetFloat8(values[next + 1]);
			if (leg == LEG_TEXT)
				row->value[leg] = -row->value[leg];
		}
		next += 2;
	}
}

static void
node_run(const SearchRequest *request, const bool *wanted, Oid type, const Datum *queries, SearchRows *answer)
{
	Oid			types[ELAC_SEARCH_PARAMETERS] = {type, TEXTOID, FLOAT8ARRAYOID, INT4OID, INT4OID, INT8OID};
	char		nulls[ELAC_SEARCH_PARAMETERS + 1] = "      ";
	Datum		values[ELAC_SEARCH_PARAMETERS];
	Datum		weights[2];
	int			nweights = 0;
	MemoryContext old;

	for (int leg = 0; leg < 2; leg++)
	{
		values[leg] = queries[leg];
		nulls[leg] = wanted[leg] ? ' ' : 'n';
		if (wanted[leg])
			weights[nweights++] = Float8GetDatum(request->weight[leg]);
	}
	values[2] = PointerGetDatum(construct_array(weights, nweights, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[3] = Int32GetDatum(request->rrf_k);
	values[4] = Int32GetDatum(request->window[wanted[LEG_VECTOR] ? LEG_VECTOR : LEG_TEXT]);
	values[5] = Int64GetDatum(request->k);
	elac_search_plan_execute(node_sql(request, wanted), types, values, nulls);

	old = MemoryContextSwitchTo(request->context);
	answer->rows = palloc_extended(sizeof(SearchRow) * Max(SPI_processed, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	answer->n = (uint32) SPI_processed;
	for (uint32 i = 0; i < answer->n; i++)
		node_form_row(request, wanted, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &answer->rows[i]);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

Datum
elacsym_search(PG_FUNCTION_ARGS)
{
	SearchRequest *request;
	SearchRows	legs[2] = {0};
	SearchRows	answer;
	MemoryContext old;
	bool		wanted[2];
	Datum		queries[2];
	Oid			type;

	InitMaterializedSRF(fcinfo, 0);
	request = request_form(fcinfo);
	type = get_fn_expr_argtype(fcinfo->flinfo, ARG_VECTOR);
	for (int leg = 0; leg < 2; leg++)
	{
		wanted[leg] = !PG_ARGISNULL(ARG_VECTOR + leg);
		queries[leg] = PG_GETARG_DATUM(ARG_VECTOR + leg);
	}
	SPI_connect();
	if (node_serves(request, wanted))
		node_run(request, wanted, type, queries, &answer);
	else
	{
		if (wanted[LEG_VECTOR])
			leg_run(request, LEG_VECTOR, type, queries[LEG_VECTOR], &legs[LEG_VECTOR]);
		if (wanted[LEG_TEXT])
			leg_run(request, LEG_TEXT, type, queries[LEG_TEXT], &legs[LEG_TEXT]);
		old = MemoryContextSwitchTo(request->context);
		answer = fuse(request, legs);
		MemoryContextSwitchTo(old);
		read_rows(request, &answer);
	}
	SPI_finish();
	put_answer(request, &answer, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
