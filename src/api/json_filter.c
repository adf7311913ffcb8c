/*
 * json_filter.c
 *	  Filters of a JSON request as a condition.
 *
 * A missing value (NULL) is less than every other and equal to null alone, as
 * turbopuffer documents it: a filter is true or false, and Not, or an operator
 * whose name begins with Not, is true for exactly the other rows.  SQL knows a
 * third value, so negation is pushed down to the comparisons, each of which
 * says what it makes of NULL.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "api/json_request.h"
#include "api/search_target.h"
#include "compat.h"

typedef enum FilterKind
{
	FILTER_EQ,
	FILTER_LT,
	FILTER_LTE,
	FILTER_IN,
	FILTER_CONTAINS,
	FILTER_CONTAINS_ANY,
	FILTER_GLOB
} FilterKind;

typedef struct FilterOperator
{
	const char *name;
	FilterKind	kind;
	bool		negated;		/* true for exactly the rows for which the kind is false */
	bool		ignore_case;
} FilterOperator;

static const FilterOperator operators[] = {
	{"Eq", FILTER_EQ, false, false},
	{"NotEq", FILTER_EQ, true, false},
	{"Lt", FILTER_LT, false, false},
	{"Lte", FILTER_LTE, false, false},
	{"Gt", FILTER_LTE, true, false},
	{"Gte", FILTER_LT, true, false},
	{"In", FILTER_IN, false, false},
	{"NotIn", FILTER_IN, true, false},
	{"Contains", FILTER_CONTAINS, false, false},
	{"NotContains", FILTER_CONTAINS, true, false},
	{"ContainsAny", FILTER_CONTAINS_ANY, false, false},
	{"NotContainsAny", FILTER_CONTAINS_ANY, true, false},
	{"Glob", FILTER_GLOB, false, false},
	{"NotGlob", FILTER_GLOB, true, false},
	{"IGlob", FILTER_GLOB, false, true},
	{"NotIGlob", FILTER_GLOB, true, true}
};

/* A comparison of one attribute. */
typedef struct Comparison
{
	ElacJsonStatement *statement;
	Form_pg_attribute column;
	const char *sql;			/* the column */
	Oid			type;			/* of the column, below domains; text for a varchar */
	const ElacJson *value;
	bool		negated;
} Comparison;

/* ---- comparisons ---- */

static void
compare_null(const Comparison *comparison, bool is_null)
{
	appendStringInfo(&comparison->statement->where, "%s IS %sNULL", comparison->sql, is_null ? "" : "NOT ");
}

/*
 * Ends a comparison that began with a parenthesis and is true for NULL.  A
 * btree would not see a range in an OR, so columns without NULL do without.
 */
static void
end_with_null(const Comparison *comparison)
{
	if (elac_json_never_null(comparison->statement, comparison->column))
		appendStringInfoChar(&comparison->statement->where, ')');
	else
		appendStringInfo(&comparison->statement->where, " OR %s IS NULL)", comparison->sql);
}

/* A btree operator of the type, with which the column is compared to a value of the type. */
static char *
ordering_operator(const Comparison *comparison, const ElacJson *name, StrategyNumber strategy)
{
	TypeCacheEntry *type = lookup_type_cache(comparison->type, TYPECACHE_BTREE_OPFAMILY);
	Oid			op = InvalidOid;

	if (OidIsValid(type->btree_opf))
		op = get_opfamily_member(type->btree_opf, type->btree_opintype, type->btree_opintype, strategy);
	if (!OidIsValid(op))
		elac_json_error(name, NULL, "attribute \"%s\" of type %s cannot be compared", NameStr(comparison->column->attname),
						format_type_be(comparison->type));
	return elac_search_operator_sql(op);
}

/* =, or <> when negated: its negator, which an index may know. */
static char *
equality_operator(const Comparison *comparison, const ElacJson *name)
{
	TypeCacheEntry *type = lookup_type_cache(comparison->type, TYPECACHE_EQ_OPR);
	Oid			op = type->eq_opr;

	if (OidIsValid(op) && comparison->negated)
		op = get_negator(op);
	if (!OidIsValid(op))
		elac_json_error(name, NULL, "attribute \"%s\" of type %s cannot be compared", NameStr(comparison->column->attname),
						format_type_be(comparison->type));
	return elac_search_operator_sql(op);
}

static void
compare_equal(const Comparison *comparison, const ElacJson *name)
{
	StringInfo	out = &comparison->statement->where;
	const char *op;
	int			parameter;

	if (comparison->value->value.type == jbvNull)
	{
		compare_null(comparison, !comparison->negated);
		return;
	}
	op = equality_operator(comparison, name);
	parameter = elac_json_parameter(comparison->statement, comparison->type,
									elac_json_datum(comparison->value, comparison->type, -1));
	appendStringInfo(out, "%s%s %s $%d", comparison->negated ? "(" : "", comparison->sql, op, parameter);
	if (comparison->negated)
		end_with_null(comparison);
}

/* Lt, or Lte when inclusive; negated they are Gte and Gt. */
static void
compare_order(const Comparison *comparison, const ElacJson *name, bool inclusive)
{
	StringInfo	out = &comparison->statement->where;
	StrategyNumber strategy = inclusive ? BTLessEqualStrategyNumber : BTLessStrategyNumber;
	const char *op;
	int			parameter;

	if (comparison->value->value.type == jbvNull)
	{
		if (inclusive)
			compare_null(comparison, !comparison->negated);
		else
			appendStringInfoString(out, comparison->negated ? "true" : "false");
		return;
	}
	if (comparison->negated)
		strategy = inclusive ? BTGreaterStrategyNumber : BTGreaterEqualStrategyNumber;
	op = ordering_operator(comparison, name, strategy);
	parameter = elac_json_parameter(comparison->statement, comparison->type,
									elac_json_datum(comparison->value, comparison->type, -1));
	appendStringInfo(out, "%s%s %s $%d", comparison->negated ? "" : "(", comparison->sql, op, parameter);
	if (!comparison->negated)
		end_with_null(comparison);
}

static void
compare_in(const Comparison *comparison, const ElacJson *name)
{
	StringInfo	out = &comparison->statement->where;
	Oid			array_type = get_array_type(comparison->type);
	const char *op;
	bool		has_null;
	Datum		list;

	if (OidIsValid(get_element_type(comparison->type)) || !OidIsValid(array_type))
		elac_json_error(name, "Arrays are searched by ContainsAny.", "attribute \"%s\" of type %s cannot be looked up in a list",
						NameStr(comparison->column->attname), format_type_be(comparison->type));
	op = equality_operator(comparison, name);
	list = elac_json_datum_list(comparison->value, comparison->type, &has_null);
	appendStringInfo(out, "(%s %s %s ($%d)", comparison->sql, op, comparison->negated ? "ALL" : "ANY",
					 elac_json_parameter(comparison->statement, array_type, list));
	if (comparison->negated && has_null)
		appendStringInfo(out, " AND %s IS NOT NULL)", comparison->sql);
	else if (comparison->negated || has_null)
		end_with_null(comparison);
	else
		appendStringInfoChar(out, ')');
}

/* The value of Contains, one element, as an array. */
static Datum
contained_element(const Comparison *comparison, Oid element_type)
{
	Datum		element = elac_json_datum(comparison->value, element_type, -1);
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(element_type, &length, &by_value, &align);
	return PointerGetDatum(construct_array(&element, 1, element_type, length, by_value, align));
}

static void
compare_contains(const Comparison *comparison, const ElacJson *name, bool any)
{
	StringInfo	out = &comparison->statement->where;
	Oid			element_type = get_element_type(comparison->type);
	bool		has_null = comparison->value->value.type == jbvNull;
	Datum		elements = (Datum) 0;

	if (!OidIsValid(element_type))
		elac_json_error(name, NULL, "attribute \"%s\" of type %s is not an array", NameStr(comparison->column->attname),
						format_type_be(comparison->type));
	if (any)
		elements = elac_json_datum_list(comparison->value, element_type, &has_null);
	if (has_null)
		elac_json_error(comparison->value, NULL, any ? "must not contain null" : "must not be null");
	if (!any)
		elements = contained_element(comparison, element_type);
	appendStringInfo(out, "%s%s OPERATOR(pg_catalog.%s) $%d", comparison->negated ? "(NOT " : "", comparison->sql,
					 any ? "&&" : "@>", elac_json_parameter(comparison->statement, comparison->type, elements));
	if (comparison->negated)
		end_with_null(comparison);
}

static void
compare_glob(const Comparison *comparison, const ElacJson *name, bool ignore_case)
{
	StringInfo	out = &comparison->statement->where;
	char	   *glob = elac_json_string(comparison->value);
	char		category;
	bool		preferred;
	bool		is_regex;
	const char *error;
	char	   *pattern;

	get_type_category_preferred(comparison->type, &category, &preferred);
	if (category != TYPCATEGORY_STRING)
		elac_json_error(name, NULL, "attribute \"%s\" of type %s is not a string", NameStr(comparison->column->attname),
						format_type_be(comparison->type));
	if (glob == NULL)
		elac_json_error(comparison->value, NULL, "must be a string, not %s", elac_json_kind(comparison->value));
	pattern = elac_json_glob(glob, &is_regex, &error);
	if (pattern == NULL)
		elac_json_error(comparison->value, NULL, "pattern %s %s", elac_json_show(glob), error);
	appendStringInfo(out, "%s%s OPERATOR(pg_catalog.%s%s%s) $%d", comparison->negated ? "(" : "", comparison->sql,
					 comparison->negated ? "!" : "", is_regex ? "~" : "~~", ignore_case ? "*" : "",
					 elac_json_parameter(comparison->statement, TEXTOID, CStringGetTextDatum(pattern)));
	if (comparison->negated)
		end_with_null(comparison);
}

static const FilterOperator *
find_operator(const ElacJson *name)
{
	char	   *string = elac_json_string(name);

	if (string == NULL)
		elac_json_error(name, NULL, "must be an operator, not %s", elac_json_kind(name));
	for (int i = 0; i < lengthof(operators); i++)
		if (strcmp(operators[i].name, string) == 0)
			return &operators[i];
	elac_json_error(name, "Known operators: Eq, NotEq, Lt, Lte, Gt, Gte, In, NotIn, Contains, NotContains, ContainsAny, NotContainsAny, Glob, NotGlob, IGlob, NotIGlob.",
					"unknown operator %s", elac_json_show(string));
}

/* [attribute, operator, value] */
static void
compile_comparison(ElacJsonStatement *statement, const ElacJson *filter, bool negate)
{
	ElacJson	attribute;
	ElacJson	name;
	ElacJson	value;
	Comparison	comparison;
	const FilterOperator *op;

	elac_json_element(filter, 0, &attribute);
	elac_json_element(filter, 1, &name);
	elac_json_element(filter, 2, &value);
	comparison.statement = statement;
	comparison.column = elac_json_column(statement, &attribute);
	op = find_operator(&name);
	comparison.sql = elac_json_column_sql(comparison.column);
	comparison.type = getBaseType(comparison.column->atttypid);
	if (comparison.type == VARCHAROID)
		comparison.type = TEXTOID;
	comparison.value = &value;
	comparison.negated = op->negated != negate;
	switch (op->kind)
	{
		case FILTER_EQ:
			compare_equal(&comparison, &name);
			break;
		case FILTER_LT:
		case FILTER_LTE:
			compare_order(&comparison, &name, op->kind == FILTER_LTE);
			break;
		case FILTER_IN:
			compare_in(&comparison, &name);
			break;
		case FILTER_CONTAINS:
		case FILTER_CONTAINS_ANY:
			compare_contains(&comparison, &name, op->kind == FILTER_CONTAINS_ANY);
			break;
		case FILTER_GLOB:
			compare_glob(&comparison, &name, op->ignore_case);
			break;
	}
}

/* ---- And, Or, Not ---- */

static void compile_filter(ElacJsonStatement *statement, const ElacJson *filter, bool negate, int depth);

static void
compile_list(ElacJsonStatement *statement, const ElacJson *list, bool is_and, bool negate, int depth)
{
	StringInfo	out = &statement->where;

	if (!elac_json_is_array(list))
		elac_json_error(list, NULL, "must be an array of filters, not %s", elac_json_kind(list));
	if (elac_json_count(list) == 0)
	{
		appendStringInfoString(out, is_and != negate ? "true" : "false");
		return;
	}
	appendStringInfoChar(out, '(');
	for (int i = 0; i < elac_json_count(list); i++)
	{
		ElacJson	element;

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(out, is_and != negate ? " AND " : " OR ");
		elac_json_element(list, i, &element);
		compile_filter(statement, &element, negate, depth + 1);
	}
	appendStringInfoChar(out, ')');
}

static void
compile_filter(ElacJsonStatement *statement, const ElacJson *filter, bool negate, int depth)
{
	static const char *const shape = "A filter is [attribute, operator, value], [\"And\", [filter, ...]], [\"Or\", [filter, ...]] or [\"Not\", filter].";
	ElacJson	name;
	ElacJson	operand;
	char	   *string;

	check_stack_depth();
	if (depth > ELAC_JSON_DEPTH_MAX)
		elac_json_error(filter, NULL, "filters are nested more than %d deep", ELAC_JSON_DEPTH_MAX);
	if (!elac_json_is_array(filter))
		elac_json_error(filter, shape, "must be an array, not %s", elac_json_kind(filter));
	if (elac_json_count(filter) == 3)
	{
		compile_comparison(statement, filter, negate);
		return;
	}
	if (elac_json_count(filter) != 2)
		elac_json_error(filter, shape, "must have 2 or 3 elements, not %d", elac_json_count(filter));
	elac_json_element(filter, 0, &name);
	elac_json_element(filter, 1, &operand);
	string = elac_json_string(&name);
	if (string == NULL)
		elac_json_error(&name, shape, "must be a string, not %s", elac_json_kind(&name));
	if (strcmp(string, "And") == 0 || strcmp(string, "Or") == 0)
		compile_list(statement, &operand, string[0] == 'A', negate, depth);
	else if (strcmp(string, "Not") == 0)
		compile_filter(statement, &operand, !negate, depth + 1);
	else
		elac_json_error(&name, shape, "must be And, Or or Not, not %s", elac_json_show(string));
}

void
elac_json_filter(ElacJsonStatement *statement, const ElacJson *filter)
{
	compile_filter(statement, filter, false, 1);
}
