/*
 * json_text_rank.c
 *	  BM25 ranks of a JSON request: a field, and Sum, Max and Product over
 *	  fields, as one operand of <@>.
 *
 * The index orders by the sum or the maximum of weighted fields for one query.
 * So every tree of one query that comes down to that can be asked for: sums of
 * sums, maxima of maxima, products anywhere.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "api/json_request.h"
#include "api/search_target.h"
#include "compat.h"
#include "query/bound_query.h"
#include "query/column_traits.h"

typedef enum TextCombine
{
	TEXT_ONE_FIELD,
	TEXT_SUM,
	TEXT_MAX
} TextCombine;

typedef struct TextRank
{
	TextCombine combine;
	char	   *query;
	bool		prefix;			/* the last word is the beginning of one */
	bool		weighted;		/* some Product */
	int			nfields;
	Form_pg_attribute fields[ELAC_MAX_COLUMNS];
	double		weights[ELAC_MAX_COLUMNS];	/* factor of each field's score */
} TextRank;

static void compile_text(ElacJsonStatement *statement, const ElacJson *rank, int depth, TextRank *out);

/* ---- a field ---- */

typedef struct FieldSearch
{
	bool		found;
} FieldSearch;

static bool
visit_field(Relation index, int column, void *context)
{
	((FieldSearch *) context)->found = elac_column_traits(index, column)->kind == ELAC_COLUMN_TEXT;
	return ((FieldSearch *) context)->found;
}

/* [attribute, "BM25", query] or [attribute, "BM25", query, {"last_as_prefix": true}] */
static void
compile_field(ElacJsonStatement *statement, const ElacJson *rank, TextRank *out)
{
	static const char *const keys[] = {"last_as_prefix", NULL};
	ElacJson	attribute;
	ElacJson	query;
	FieldSearch search = {false};

	elac_json_element(rank, 0, &attribute);
	elac_json_element(rank, 2, &query);
	out->combine = TEXT_ONE_FIELD;
	out->nfields = 1;
	out->weights[0] = 1;
	out->fields[0] = elac_json_column(statement, &attribute);
	if (elac_json_visit_indexes(statement, out->fields[0]->attnum, visit_field, &search) && !search.found)
		elac_json_error(&attribute, "CREATE INDEX ... USING elacsym makes it one.", "attribute \"%s\" is not a BM25 field of an elacsym index",
						NameStr(out->fields[0]->attname));
	out->query = elac_json_string(&query);
	if (out->query == NULL)
		elac_json_error(&query, NULL, "must be a string, not %s", elac_json_kind(&query));
	if (elac_json_count(rank) == 4)
	{
		ElacJson	options;
		ElacJson	prefix;

		elac_json_element(rank, 3, &options);
		if (!elac_json_is_object(&options))
			elac_json_error(&options, NULL, "must be an object, not %s", elac_json_kind(&options));
		elac_json_check_keys(&options, keys);
		if (elac_json_member(&options, "last_as_prefix", &prefix))
		{
			if (prefix.value.type != jbvBool)
				elac_json_error(&prefix, NULL, "must be true or false, not %s", elac_json_kind(&prefix));
			out->prefix = prefix.value.val.boolean;
		}
	}
}

/* ---- Product, Sum, Max ---- */

/* ["Product", factor, rank], in either order, or ["Product", [factor, rank]] */
static void
compile_product(ElacJsonStatement *statement, const ElacJson *rank, int depth, TextRank *out)
{
	ElacJson	list;
	ElacJson	operands[2];
	const ElacJson *from = rank;
	int			first = 1;
	int			number;
	double		factor;

	if (elac_json_count(rank) == 2)
	{
		elac_json_element(rank, 1, &list);
		if (!elac_json_is_array(&list))
			elac_json_error(&list, NULL, "must be an array, not %s", elac_json_kind(&list));
		from = &list;
		first = 0;
	}
	if (elac_json_count(from) != first + 2)
		elac_json_error(from, "Write [\"Product\", 2, rank].", "must have %d elements, not %d", first + 2, elac_json_count(from));
	elac_json_element(from, first, &operands[0]);
	elac_json_element(from, first + 1, &operands[1]);
	number = operands[0].value.type == jbvNumeric ? 0 : 1;
	if (operands[number].value.type != jbvNumeric || operands[1 - number].value.type == jbvNumeric)
		elac_json_error(from, "Write [\"Product\", 2, rank].", "must have a number and a rank");
	factor = elac_json_number(&operands[number]);
	if (factor < 0 || factor > ELAC_QUERY_WEIGHT_MAX)
		elac_json_error(&operands[number], NULL, "must be between 0 and %.0f", ELAC_QUERY_WEIGHT_MAX);
	compile_text(statement, &operands[1 - number], depth + 1, out);
	out->weighted = true;
	for (int i = 0; i < out->nfields; i++)
		out->weights[i] *= factor;
}

/* Adds the fields of one operand of a Sum or a Max. */
static void
merge_text(TextRank *out, const TextRank *operand, const ElacJson *json)
{
	for (int i = 0; i < operand->nfields; i++)
	{
		int			place = 0;

		while (place < out->nfields && out->fields[place]->attnum != operand->fields[i]->attnum)
			place++;
		if (place == ELAC_MAX_COLUMNS)
			elac_json_error(json, NULL, "more than %d fields", ELAC_MAX_COLUMNS);
		if (place == out->nfields)
		{
			out->fields[out->nfields++] = operand->fields[i];
			out->weights[place] = operand->weights[i];
			continue;
		}
		/* the same field once more */
		out->weighted = true;
		if (out->combine == TEXT_SUM)
			out->weights[place] += operand->weights[i];
		else
			out->weights[place] = Max(out->weights[place], operand->weights[i]);
	}
	out->weighted = out->weighted || operand->weighted;
}

/* ["Sum", [rank, ...]] or ["Max", [rank, ...]] */
static void
compile_list(ElacJsonStatement *statement, const ElacJson *rank, TextCombine combine, int depth, TextRank *out)
{
	static const char *const hint = "The index orders by the sum or the maximum of fields for one query: use one query, or [\"RRF\", [rank, rank]].";
	ElacJson	list;

	if (elac_json_count(rank) != 2)
		elac_json_error(rank, NULL, "must have 2 elements, not %d", elac_json_count(rank));
	elac_json_element(rank, 1, &list);
	if (!elac_json_is_array(&list) || elac_json_count(&list) == 0)
		elac_json_error(&list, NULL, "must be an array of ranks");
	for (int i = 0; i < elac_json_count(&list); i++)
	{
		ElacJson	element;
		TextRank   *operand = palloc0(sizeof(TextRank));

		CHECK_FOR_INTERRUPTS();
		elac_json_element(&list, i, &element);
		compile_text(statement, &element, depth + 1, operand);
		if (i == 0)
		{
			*out = *operand;
			if (elac_json_count(&list) == 1)
				return;
			if (operand->combine == TEXT_ONE_FIELD)
				out->combine = combine;
		}
		if (out->combine != combine || (operand->combine != TEXT_ONE_FIELD && operand->combine != combine))
			elac_json_error(&element, hint, "cannot be ranked by a Max within a Sum, or a Sum within a Max");
		if (strcmp(out->query, operand->query) != 0 || out->prefix != operand->prefix)
			elac_json_error(&element, hint, "cannot be ranked by the scores of two different queries");
		if (i > 0)
			merge_text(out, operand, &element);
		pfree(operand);
	}
	if (out->nfields == 1)
		out->combine = TEXT_ONE_FIELD;
}

bool
elac_json_is_text_rank(const ElacJson *rank)
{
	ElacJson	element;
	char	   *string;

	if (!elac_json_is_array(rank) || elac_json_count(rank) < 2)
		return false;
	elac_json_element(rank, 1, &element);
	string = elac_json_string(&element);
	if (string != NULL && strcmp(string, "BM25") == 0)
		return true;
	elac_json_element(rank, 0, &element);
	string = elac_json_string(&element);
	return string != NULL && (strcmp(string, "Sum") == 0 || strcmp(string, "Max") == 0 || strcmp(string, "Product") == 0);
}

static void
compile_text(ElacJsonStatement *statement, const ElacJson *rank, int depth, TextRank *out)
{
	static const char *const shape = "A rank by text is [attribute, \"BM25\", query], [\"Sum\", [rank, ...]], [\"Max\", [rank, ...]] or [\"Product\", number, rank].";
	ElacJson	element;
	char	   *first;
	char	   *second;

	check_stack_depth();
	if (depth > ELAC_JSON_DEPTH_MAX)
		elac_json_error(rank, NULL, "ranks are nested more than %d deep", ELAC_JSON_DEPTH_MAX);
	if (!elac_json_is_array(rank) || elac_json_count(rank) < 2 || elac_json_count(rank) > 4)
		elac_json_error(rank, shape, "is not a rank by text");
	elac_json_element(rank, 0, &element);
	first = elac_json_string(&element);
	elac_json_element(rank, 1, &element);
	second = elac_json_string(&element);
	if (second != NULL && strcmp(second, "BM25") == 0 && elac_json_count(rank) >= 3)
		compile_field(statement, rank, out);
	else if (first != NULL && strcmp(first, "Product") == 0)
		compile_product(statement, rank, depth, out);
	else if (first != NULL && strcmp(first, "Sum") == 0)
		compile_list(statement, rank, TEXT_SUM, depth, out);
	else if (first != NULL && strcmp(first, "Max") == 0)
		compile_list(statement, rank, TEXT_MAX, depth, out);
	else
		elac_json_error(rank, shape, "is not a rank by text");
}

/* ---- weights of the index ---- */

typedef struct WeightSearch
{
	const TextRank *rank;
	AttrNumber	attnos[ELAC_MAX_COLUMNS];	/* of the fields in the table */
	Oid			index;
	bool		partial;
	double		weights[ELAC_MAX_COLUMNS];
} WeightSearch;

/* The operator class option "weight" of a column. */
static double
index_weight(Relation index, int column)
{
	Datum		options = get_attoptions(RelationGetRelid(index), column + 1);
	ListCell   *cell;

	if (options == (Datum) 0)
		return 1;
	foreach(cell, untransformRelOptions(options))
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "weight") == 0)
			return DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(defGetString(option))));
	}
	return 1;
}

/* The index that <@> is bound to: the oldest that has all fields, partial ones last. */
static bool
visit_weights(Relation index, int column, void *context)
{
	WeightSearch *search = (WeightSearch *) context;
	const TextRank *rank = search->rank;
	bool		partial = RelationGetIndexPredicate(index) != NIL;
	double		weights[ELAC_MAX_COLUMNS];

	if (OidIsValid(search->index) && (partial || !search->partial))
		return false;
	for (int i = 0; i < rank->nfields; i++)
	{
		bool		found = false;

		for (int c = 0; c < IndexRelationGetNumberOfKeyAttributes(index) && !found; c++)
		{
			found = index->rd_index->indkey.values[c] == search->attnos[i] &&
				elac_column_traits(index, c)->kind == ELAC_COLUMN_TEXT;
			if (found)
				weights[i] = index_weight(index, c);
		}
		if (!found)
			return false;
	}
	search->index = RelationGetRelid(index);
	search->partial = partial;
	memcpy(search->weights, weights, sizeof(double) * rank->nfields);
	return false;
}

/* ---- SQL ---- */

/* The factors times the index's own weights, which elacsym_match() replaces. */
static int
weights_parameter(ElacJsonStatement *statement, const ElacJson *json, const TextRank *rank)
{
	WeightSearch search = {0};
	Datum		weights[ELAC_MAX_COLUMNS];

	search.rank = rank;
	for (int i = 0; i < rank->nfields; i++)
	{
		Oid			table;

		if (!elac_search_column_origin(RelationGetRelid(statement->relation), rank->fields[i]->attnum, &table, &search.attnos[i]))
			search.attnos[i] = InvalidAttrNumber;
	}
	elac_json_visit_indexes(statement, rank->fields[0]->attnum, visit_weights, &search);
	if (!OidIsValid(search.index))
		elac_json_error(json, "CREATE INDEX ... USING elacsym over all of them.", "the fields are not in one elacsym index");
	for (int i = 0; i < rank->nfields; i++)
	{
		double		weight = rank->weights[i] * search.weights[i];

		if (!(weight <= ELAC_QUERY_WEIGHT_MAX))
			elac_json_error(json, NULL, "weight %g of attribute \"%s\" is out of range", weight, NameStr(rank->fields[i]->attname));
		weights[i] = Float4GetDatum((float4) weight);
	}
	return elac_json_parameter(statement, FLOAT4ARRAYOID,
							   PointerGetDatum(construct_array(weights, rank->nfields, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT)));
}

/* The type that <@> takes: a varchar becomes a text. */
static Oid
field_type(const ElacJson *json, Form_pg_attribute field)
{
	Oid			type = getBaseType(field->atttypid);

	if (type == VARCHAROID)
		type = TEXTOID;
	if (type == get_array_type(VARCHAROID))
		type = TEXTARRAYOID;
	if (type != TEXTOID && type != TSVECTOROID && type != TEXTARRAYOID)
		elac_json_error(json, NULL, "attribute \"%s\" of type %s cannot be ranked by BM25", NameStr(field->attname), format_type_be(type));
	return type;
}

/* The left operand: one field, or an array of several, which have one type. */
static char *
fields_sql(const ElacJson *json, const TextRank *rank)
{
	Oid			type = field_type(json, rank->fields[0]);
	StringInfoData out;

	initStringInfo(&out);
	if (rank->nfields > 1)
		appendStringInfoString(&out, "ARRAY[");
	for (int i = 0; i < rank->nfields; i++)
	{
		if (field_type(json, rank->fields[i]) != type || (type == TEXTARRAYOID && rank->nfields > 1))
			elac_json_error(json, "Fields are all of type text, or all of type tsvector; one of type text[] is ranked alone.",
							"attributes \"%s\" and \"%s\" cannot be ranked together", NameStr(rank->fields[0]->attname),
							NameStr(rank->fields[Max(i, 1)]->attname));
		appendStringInfo(&out, "%s%s::pg_catalog.%s", i > 0 ? ", " : "", elac_json_column_sql(rank->fields[i]),
						 type == TEXTOID ? "text" : type == TSVECTOROID ? "tsvector" : "_text");
	}
	if (rank->nfields > 1)
		appendStringInfoChar(&out, ']');
	return out.data;
}

char *
elac_json_text_rank(ElacJsonStatement *statement, const ElacJson *json)
{
	TextRank   *rank = palloc0(sizeof(TextRank));
	StringInfoData out;
	int			query;

	compile_text(statement, json, 1, rank);
	query = elac_json_parameter(statement, TEXTOID, CStringGetTextDatum(rank->query));
	initStringInfo(&out);
	appendStringInfo(&out, "%s OPERATOR(%s) ", fields_sql(json, rank), elac_json_function_sql(statement, "<@>"));
	if (!rank->weighted && !rank->prefix && rank->combine != TEXT_MAX)
	{
		appendStringInfo(&out, "$%d", query);
		return out.data;
	}
	appendStringInfo(&out, "%s($%d", elac_json_function_sql(statement, "elacsym_match"), query);
	if (rank->weighted)
		appendStringInfo(&out, ", weights => $%d", weights_parameter(statement, json, rank));
	if (rank->combine == TEXT_MAX)
		appendStringInfoString(&out, ", combine => 'max'");
	if (rank->prefix)
		appendStringInfoString(&out, ", prefix => true");
	appendStringInfoChar(&out, ')');
	return out.data;
}
