/*
 * match_condition.c
 *	  Recognises @@ on text columns and makes filters of it.
 *
 * Operators and functions are the server's own, known by their numbers: what
 * they mean is what text/compile.h and the evaluation of conditions repeat,
 * lexeme for lexeme.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_utils.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "am/match_condition.h"
#include "storage/metapage.h"
#include "text/analyze.h"
#include "text/compile.h"

/* The index's own description; the caller of the planner or the executor holds a lock on it. */
static bool
match_schema(const ElacTarget *target, ElacSchema *schema)
{
	Relation	index;

	if (!OidIsValid(target->index))
		return false;
	index = index_open(target->index, NoLock);
	*schema = elac_metapage_get(index)->schema;
	index_close(index, NoLock);
	return true;
}

/* Position of the BM25 column that node is, and what it holds; -1 when it is none. */
static int
match_column(const ElacTarget *target, Node *node, ElacTextType *type)
{
	int			column = elac_target_column(target, node);
	ElacSchema	schema;

	if (column < 0 || !match_schema(target, &schema) || schema.columns[column].kind != ELAC_COLUMN_TEXT ||
		(schema.columns[column].flags & ELAC_TEXT_BIGRAMS) != 0)
		return -1;
	*type = (ElacTextType) schema.columns[column].element;
	return column;
}

/* A text column by itself. */
static bool
match_text(const ElacTarget *target, Node *node, ElacMatchCondition *match)
{
	ElacTextType type;

	match->column = match_column(target, node, &type);
	match->value = node;
	match->analysed = true;
	return match->column >= 0 && type == ELAC_TEXT_PLAIN;
}

/* A tsvector column, or to_tsvector() of a text column. */
static bool
match_vector(const ElacTarget *target, Node *node, ElacMatchCondition *match)
{
	FuncExpr   *call = (FuncExpr *) node;
	Const	   *config;
	ElacTextType type;

	match->column = match_column(target, node, &type);
	match->value = node;
	match->analysed = false;
	if (match->column >= 0)
		return type == ELAC_TEXT_TSVECTOR;
	if (!IsA(node, FuncExpr))
		return false;
	if (call->funcid == F_TO_TSVECTOR_TEXT)
		return match_text(target, linitial(call->args), match);
	if (call->funcid != F_TO_TSVECTOR_REGCONFIG_TEXT)
		return false;
	config = linitial(call->args);
	if (!IsA(config, Const) || config->constisnull)
		return false;
	match->config = DatumGetObjectId(config->constvalue);
	return match_text(target, lsecond(call->args), match);
}

bool
elac_match_condition_is_operator(Oid op)
{
	Oid			function = get_opcode(op);

	return function == F_TS_MATCH_VQ || function == F_TS_MATCH_QV || function == F_TS_MATCH_TT || function == F_TS_MATCH_TQ;
}

bool
elac_match_condition_recognise(const ElacTarget *target, const OpExpr *expr, ElacMatchCondition *match)
{
	if (list_length(expr->args) != 2)
		return false;
	memset(match, 0, sizeof(ElacMatchCondition));
	match->argument = lsecond(expr->args);
	switch (get_opcode(expr->opno))
	{
		case F_TS_MATCH_VQ:
			return match_vector(target, linitial(expr->args), match);
		case F_TS_MATCH_QV:
			match->argument = linitial(expr->args);
			return match_vector(target, lsecond(expr->args), match);
		case F_TS_MATCH_TT:
			match->by_words = true;
			return match_text(target, linitial(expr->args), match);
		case F_TS_MATCH_TQ:
			return match_text(target, linitial(expr->args), match);
		default:
			return false;
	}
}

/* The configuration that the condition analyses texts with. */
static Oid
match_config(const ElacMatchCondition *match)
{
	return OidIsValid(match->config) ? match->config : getTSCurrentConfig(false);
}

/* Does the index hold what the condition asks of a column? */
static bool
match_fits(const ElacColumn *column, const ElacMatchCondition *match, TSQuery condition)
{
	Oid			config;

	if (match->analysed)
	{
		config = match_config(match);
		if (!OidIsValid(config) || elac_text_config_find(column->config) != config)
			return false;
	}
	return condition == NULL || (column->flags & ELAC_TEXT_POSITIONS) != 0 || !elac_text_has_phrase(condition);
}

bool
elac_match_condition_is_served(const ElacTarget *target, const ElacMatchCondition *match)
{
	Const	   *argument = (Const *) match->argument;
	TSQuery		condition = NULL;
	ElacSchema	schema;

	if (IsA(argument, Const) && !argument->constisnull && !match->by_words)
		condition = DatumGetTSQuery(argument->constvalue);
	return match_schema(target, &schema) && match_fits(&schema.columns[match->column], match, condition);
}

/* The tsquery that the argument is, a copy. */
static TSQuery
match_condition(const ElacMatchCondition *match, Datum argument)
{
	if (match->by_words)
		return DatumGetTSQuery(DirectFunctionCall2(plainto_tsquery_byid, ObjectIdGetDatum(match_config(match)), argument));
	return DatumGetTSQueryCopy(argument);
}

ElacFilter *
elac_match_condition_filter(const ElacTarget *target, const ElacMatchCondition *match, Datum argument, bool isnull)
{
	ElacTextRequest request = {0};
	ElacFilter *filter;
	ElacSchema	schema;

	if (!match_schema(target, &schema))
		return NULL;
	request.ncolumns = 1;
	request.columns[0] = match->column;
	if (!isnull)
	{
		if (!match_fits(&schema.columns[match->column], match, NULL))
			return NULL;
		request.condition = match_condition(match, argument);
		if (!match_fits(&schema.columns[match->column], match, request.condition))
			return NULL;
	}
	filter = palloc0(sizeof(ElacFilter));
	filter->kind = ELAC_FILTER_MATCH;
	filter->predicate.column = match->column;
	filter->predicate.arg_isnull = isnull;
	/* a query without words matches nothing */
	if (!isnull && request.condition->size > 0)
		filter->match = elac_text_compile(&schema, &request, get_rel_name(target->index));
	return filter;
}

/* column @@ ANY (array) */
static ElacFilter *
match_any(const ElacTarget *target, const ElacMatchCondition *match, ScanKey key)
{
	ElacFilter *filter = palloc0(sizeof(ElacFilter));
	Datum	   *values = NULL;
	bool	   *nulls = NULL;
	int			nvalues = 0;

	if ((key->sk_flags & SK_ISNULL) == 0)
		deconstruct_array(DatumGetArrayTypeP(key->sk_argument), match->by_words ? TEXTOID : TSQUERYOID,
						  -1, false, TYPALIGN_INT, &values, &nulls, &nvalues);
	/* nothing asked: never true, nor is it to be told from unknown here */
	if (nvalues == 0)
		return elac_match_condition_filter(target, match, (Datum) 0, true);
	filter->kind = ELAC_FILTER_OR;
	filter->children = palloc(sizeof(ElacFilter *) * nvalues);
	for (int i = 0; i < nvalues; i++)
	{
		filter->children[i] = elac_match_condition_filter(target, match, values[i], nulls[i]);
		if (filter->children[i] == NULL)
			return NULL;
		filter->nchildren++;
	}
	return filter;
}

ElacFilter *
elac_match_condition_from_key(Relation index, ScanKey key)
{
	ElacTarget	target = {0};
	ElacMatchCondition match = {0};

	target.index = RelationGetRelid(index);
	match.column = key->sk_attno - 1;
	match.by_words = key->sk_func.fn_oid == F_TS_MATCH_TT;
	match.analysed = match.by_words || key->sk_func.fn_oid == F_TS_MATCH_TQ;
	if ((elac_metapage_get(index)->schema.columns[match.column].flags & ELAC_TEXT_BIGRAMS) != 0)
		return NULL;
	if ((key->sk_flags & SK_SEARCHARRAY) != 0)
		return match_any(&target, &match, key);
	return elac_match_condition_filter(&target, &match, key->sk_argument, (key->sk_flags & SK_ISNULL) != 0);
}
