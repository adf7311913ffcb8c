/*
 * json_rank.c
 *	  rank_by of a JSON request: what rows are ordered by.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "api/json_request.h"
#include "api/search_target.h"
#include "compat.h"
#include "query/column_traits.h"

#define FUSION_LEGS_MAX 16
#define FUSION_WINDOW_MAX 1000000

/* Visits the columns of the table's indexes that are the given column, 0: expressions. */
static void
visit_indexes(Oid table_oid, AttrNumber attno, ElacJsonIndexVisit visit, void *context)
{
	Oid			am = get_index_am_oid("elacsym", false);
	Relation	table = relation_open(table_oid, AccessShareLock);
	bool		done = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(table))	/* in the order of OIDs */
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_rel->relam == am && index->rd_index->indisvalid)
			for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index) && !done; i++)
				if (index->rd_index->indkey.values[i] == attno)
					done = visit(index, i, context);
		index_close(index, NoLock);
		if (done)
			break;
	}
	relation_close(table, NoLock);
}

bool
elac_json_visit_indexes(const ElacJsonStatement *statement, AttrNumber attno, ElacJsonIndexVisit visit, void *context)
{
	Oid			table;
	AttrNumber	table_attno;

	if (!elac_search_column_origin(RelationGetRelid(statement->relation), attno, &table, &table_attno))
		return false;
	visit_indexes(table, table_attno, visit, context);
	return true;
}

/* ---- vectors ---- */

typedef struct VectorSearch
{
	AttrNumber	casted;			/* a column of the table: look for casts of it, too; else invalid */
	Oid			op;				/* distance of the index's operator class */
	Oid			type;			/* its operands' */
	int32		typmod;
	char	   *sql;			/* what is indexed, when it is a cast */
	bool		ambiguous;
} VectorSearch;

static void
found_vector(VectorSearch *search, Relation index, int column)
{
	Oid			type = index->rd_opcintype[column];
	Oid			op = get_opfamily_member(index->rd_opfamily[column], type, type, 1);

	search->ambiguous = search->ambiguous || (OidIsValid(search->op) && search->op != op);
	search->op = op;
	search->type = type;
	search->typmod = TupleDescAttr(RelationGetDescr(index), column)->atttypmod;
}

static bool
visit_vector(Relation index, int column, void *context)
{
	if (elac_column_traits(index, column)->kind == ELAC_COLUMN_VECTOR)
		found_vector((VectorSearch *) context, index, column);
	return false;
}

/* Is node a column's value, converted to another type? */
static bool
is_cast(Node *node, AttrNumber attno)
{
	while (node != NULL)
	{
		if (IsA(node, Var))
			return ((Var *) node)->varattno == attno;
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcformat != COERCE_EXPLICIT_CALL)
			node = linitial(((FuncExpr *) node)->args);
		else
			return false;
	}
	return false;
}

/* (embedding::halfvec(384)) of a table is searched when the column itself is not indexed. */
static bool
visit_cast(Relation index, int column, void *context)
{
	VectorSearch *search = (VectorSearch *) context;
	int			expression = 0;

	if (elac_column_traits(index, column)->kind != ELAC_COLUMN_VECTOR)
		return false;
	for (int i = 0; i < column; i++)
		if (index->rd_index->indkey.values[i] == 0)
			expression++;
	if (!is_cast(list_nth(RelationGetIndexExpressions(index), expression), search->casted))
		return false;
	found_vector(search, index, column);
	search->sql = psprintf("(%s)", TextDatumGetCString(OidFunctionCall3(F_PG_GET_INDEXDEF_OID_INT4_BOOL,
																		ObjectIdGetDatum(RelationGetRelid(index)),
																		Int32GetDatum(column + 1), BoolGetDatum(false))));
	return false;
}

/* [attribute, "ANN", vector] */
static char *
compile_vector(ElacJsonStatement *statement, const ElacJson *rank)
{
	ElacJson	attribute;
	ElacJson	vector;
	VectorSearch search = {0};
	Form_pg_attribute column;
	int			parameter;

	elac_json_element(rank, 0, &attribute);
	elac_json_element(rank, 2, &vector);
	column = elac_json_column(statement, &attribute);
	elac_json_visit_indexes(statement, column->attnum, visit_vector, &search);
	if (!OidIsValid(search.op) && statement->relation->rd_rel->relkind != RELKIND_VIEW)
	{
		search.casted = column->attnum;
		visit_indexes(RelationGetRelid(statement->relation), InvalidAttrNumber, visit_cast, &search);
	}
	if (!OidIsValid(search.op))
		elac_json_error(&attribute, "CREATE INDEX ... USING elacsym makes it one.", "attribute \"%s\" is not the vector of an elacsym index",
						NameStr(column->attname));
	if (search.ambiguous)
		elac_json_error(&attribute, NULL, "elacsym indexes of attribute \"%s\" have different distances", NameStr(column->attname));
	if (!elac_json_is_array(&vector) && vector.value.type != jbvString)
		elac_json_error(&vector, NULL, "must be an array of numbers, or a string such as \"[1,2,3]\", not %s", elac_json_kind(&vector));
	parameter = elac_json_parameter(statement, search.type, elac_json_datum(&vector, search.type, search.typmod));
	return psprintf("%s %s $%d", search.sql != NULL ? search.sql : elac_json_column_sql(column),
					elac_search_operator_sql(search.op), parameter);
}

static bool
is_vector_rank(const ElacJson *rank)
{
	ElacJson	element;
	char	   *string;

	if (!elac_json_is_array(rank) || elac_json_count(rank) != 3)
		return false;
	elac_json_element(rank, 1, &element);
	string = elac_json_string(&element);
	return string != NULL && strcmp(string, "ANN") == 0;
}

/* ---- fusion ---- */

/* Numbers, one a leg. */
static Datum
compile_weights(const ElacJson *weights, int nlegs)
{
	Datum		values[FUSION_LEGS_MAX];
	double		sum = 0;

	if (!elac_json_is_array(weights) || elac_json_count(weights) != nlegs)
		elac_json_error(weights, NULL, "must be an array of %d numbers, one for each rank", nlegs);
	for (int i = 0; i < nlegs; i++)
	{
		ElacJson	element;
		double		weight;

		elac_json_element(weights, i, &element);
		weight = elac_json_number(&element);
		if (weight < 0)
			elac_json_error(&element, NULL, "must not be negative");
		values[i] = Float8GetDatum(weight);
		sum += weight;
	}
	if (sum == 0)
		elac_json_error(weights, NULL, "must not be all zero");
	return PointerGetDatum(construct_array(values, nlegs, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Options of a fusion as further arguments of its function. */
static void
compile_options(ElacJsonStatement *statement, const ElacJson *options, bool linear, int nlegs, StringInfo out)
{
	static const char *const rrf_keys[] = {"weights", "window", "k", "rank_constant", NULL};
	static const char *const linear_keys[] = {"weights", "window", "normalization", NULL};
	static const char *const normalizations[] = {"max", "minmax", "zscore", "dbsf"};
	ElacJson	option;

	if (!elac_json_is_object(options))
		elac_json_error(options, NULL, "must be an object, not %s", elac_json_kind(options));
	elac_json_check_keys(options, linear ? linear_keys : rrf_keys);
	if (elac_json_member(options, "weights", &option))
		appendStringInfo(out, ", weights => $%d", elac_json_parameter(statement, FLOAT8ARRAYOID, compile_weights(&option, nlegs)));
	if (elac_json_member(options, "window", &option))
		appendStringInfo(out, ", \"window\" => %d", elac_json_integer(&option, 1, FUSION_WINDOW_MAX));
	if (!linear && elac_json_member(options, "k", &option))
	{
		ElacJson	other;

		if (elac_json_member(options, "rank_constant", &other))
			elac_json_error(&other, NULL, "is another name of k: give one of them");
		appendStringInfo(out, ", k => %d", elac_json_integer(&option, 1, INT_MAX));
	}
	else if (!linear && elac_json_member(options, "rank_constant", &option))
		appendStringInfo(out, ", k => %d", elac_json_integer(&option, 1, INT_MAX));
	if (linear && elac_json_member(options, "normalization", &option))
	{
		char	   *name = elac_json_string(&option);
		int			i = 0;

		while (name != NULL && i < lengthof(normalizations) && strcmp(name, normalizations[i]) != 0)
			i++;
		if (name == NULL || i == lengthof(normalizations))
			elac_json_error(&option, NULL, "must be \"max\", \"minmax\", \"zscore\" or \"dbsf\"");
		appendStringInfo(out, ", normalization => '%s'", normalizations[i]);
	}
}

/* One leg: a rank by vector or by text. */
static char *
compile_leg(ElacJsonStatement *statement, const ElacJson *leg)
{
	if (is_vector_rank(leg))
		return compile_vector(statement, leg);
	if (!elac_json_is_text_rank(leg))
		elac_json_error(leg, "It is [attribute, \"ANN\", vector], or a rank by BM25.", "is not a rank that can be fused");
	return elac_json_text_rank(statement, leg);
}

/* ["RRF", [rank, ...], options] or ["Linear", [rank, ...], options]; options may be left out. */
static void
compile_fusion(ElacJsonStatement *statement, const ElacJson *rank_by, bool linear, ElacJsonRank *rank)
{
	ElacJson	list;
	StringInfoData out;
	int			nlegs;

	elac_json_element(rank_by, 1, &list);
	nlegs = elac_json_is_array(&list) ? elac_json_count(&list) : 0;
	if (nlegs < 1 || nlegs > FUSION_LEGS_MAX)
		elac_json_error(&list, NULL, "must be an array of 1 to %d ranks", FUSION_LEGS_MAX);
	initStringInfo(&out);
	appendStringInfo(&out, "%s(ARRAY[", elac_json_function_sql(statement, linear ? "elacsym_linear" : "elacsym_rrf"));
	for (int i = 0; i < nlegs; i++)
	{
		ElacJson	leg;

		elac_json_element(&list, i, &leg);
		if (!is_vector_rank(&leg))
			rank->text_legs |= UINT32_C(1) << i;
		appendStringInfo(&out, "%s%s", i > 0 ? ", " : "", compile_leg(statement, &leg));
	}
	appendStringInfoChar(&out, ']');
	if (elac_json_count(rank_by) == 3)
	{
		ElacJson	options;

		elac_json_element(rank_by, 2, &options);
		compile_options(statement, &options, linear, nlegs, &out);
	}
	appendStringInfoChar(&out, ')');
	rank->distance = out.data;
	rank->legs = psprintf("%s(%s)", elac_json_function_sql(statement, "elacsym_legs"), out.data);
	rank->nlegs = nlegs;
	rank->positive = true;
}

/* ---- all ---- */

/* [attribute, "asc"] or [attribute, "desc"]; NULL comes last. */
static char *
compile_order(ElacJsonStatement *statement, const ElacJson *rank, bool descending)
{
	ElacJson	attribute;
	Form_pg_attribute column;

	elac_json_element(rank, 0, &attribute);
	column = elac_json_column(statement, &attribute);
	return psprintf("%s %s%s", elac_json_column_sql(column), descending ? "DESC" : "ASC",
					elac_json_never_null(statement, column) ? "" : " NULLS LAST");
}

/* A second element that is right, so that something else is wrong. */
static bool
is_rank_name(const char *name)
{
	return strcmp(name, "asc") == 0 || strcmp(name, "desc") == 0 || strcmp(name, "ANN") == 0 || strcmp(name, "BM25") == 0;
}

void
elac_json_rank(ElacJsonStatement *statement, const ElacJson *rank_by, ElacJsonRank *rank)
{
	static const char *const shape = "A rank is [attribute, \"ANN\", vector], [attribute, \"BM25\", query], [\"Sum\", [rank, ...]], [\"Max\", [rank, ...]], [\"Product\", number, rank], [\"RRF\", [rank, ...]], [\"Linear\", [rank, ...]] or [attribute, \"asc\" or \"desc\"].";
	ElacJson	element;
	char	   *first;
	char	   *second;

	memset(rank, 0, sizeof(ElacJsonRank));
	if (!elac_json_is_array(rank_by))
		elac_json_error(rank_by, shape, "must be an array, not %s", elac_json_kind(rank_by));
	if (elac_json_count(rank_by) < 2)
		elac_json_error(rank_by, shape, "is not a rank");
	elac_json_element(rank_by, 0, &element);
	first = elac_json_string(&element);
	elac_json_element(rank_by, 1, &element);
	second = elac_json_string(&element);
	if (elac_json_count(rank_by) == 2 && second != NULL && (strcmp(second, "asc") == 0 || strcmp(second, "desc") == 0))
		rank->order = compile_order(statement, rank_by, second[0] == 'd');
	else if (is_vector_rank(rank_by))
		rank->distance = compile_vector(statement, rank_by);
	else if (elac_json_is_text_rank(rank_by))
	{
		rank->distance = elac_json_text_rank(statement, rank_by);
		rank->positive = true;
	}
	else if (elac_json_count(rank_by) <= 3 && first != NULL && (strcmp(first, "RRF") == 0 || strcmp(first, "Linear") == 0))
		compile_fusion(statement, rank_by, first[0] == 'L', rank);
	else if (second != NULL && !is_rank_name(second))
		elac_json_error(&element, shape, "unknown rank %s", elac_json_show(second));
	else
		elac_json_error(rank_by, shape, "is not a rank");
}
