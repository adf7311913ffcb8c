/*
 * search_target.c
 *	  Works out how to search a relation.
 *
 * For a view the columns are traced down to the one table they come from;
 * the legs are then written with the view's own column names, so that the
 * view's conditions, its owner's rights and its security barrier hold.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "api/search_target.h"
#include "compat.h"
#include "query/column_traits.h"

/* Where a column of the searched relation comes from. */
typedef struct ColumnOrigin
{
	Oid			table;			/* InvalidOid: not a plain column of a table */
	AttrNumber	attno;
} ColumnOrigin;

typedef struct SearchedRelation
{
	Oid			oid;
	bool		is_view;
	int			nattrs;
	ColumnOrigin *origins;		/* by attno - 1 */
} SearchedRelation;

static ColumnOrigin origin_of_view_column(Oid view, AttrNumber attno);

/* Traces an output column of a query. */
static ColumnOrigin
origin_of_query_column(Query *query, AttrNumber attno)
{
	ColumnOrigin none = {InvalidOid, InvalidAttrNumber};
	TargetEntry *entry = get_tle_by_resno(query->targetList, attno);
	Node	   *node;

	check_stack_depth();
	if (entry == NULL || query->setOperations != NULL || query->groupClause != NIL ||
		query->groupingSets != NIL || query->distinctClause != NIL)
		return none;
	node = (Node *) entry->expr;
	while (node != NULL && IsA(node, Var) && ((Var *) node)->varlevelsup == 0)
	{
		Var		   *var = (Var *) node;
		RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);

		if (var->varattno <= 0)
			return none;
		switch (rte->rtekind)
		{
			case RTE_RELATION:
				if (rte->relkind == RELKIND_VIEW)
					return origin_of_view_column(rte->relid, var->varattno);
				return (ColumnOrigin) {rte->relid, var->varattno};
			case RTE_SUBQUERY:
				return origin_of_query_column(rte->subquery, var->varattno);
			case RTE_JOIN:
				node = (Node *) list_nth(rte->joinaliasvars, var->varattno - 1);
				break;
			default:
				return none;
		}
	}
	return none;
}

static ColumnOrigin
origin_of_view_column(Oid view, AttrNumber attno)
{
	Relation	relation = relation_open(view, AccessShareLock);
	ColumnOrigin origin = origin_of_query_column(get_view_query(relation), attno);

	relation_close(relation, NoLock);
	return origin;
}

bool
elac_search_column_origin(Oid relation, AttrNumber attno, Oid *table, AttrNumber *table_attno)
{
	ColumnOrigin origin = {relation, attno};

	if (get_rel_relkind(relation) == RELKIND_VIEW)
		origin = origin_of_view_column(relation, attno);
	*table = origin.table;
	*table_attno = origin.attno;
	return OidIsValid(origin.table);
}

static void
searched_open(SearchedRelation *searched, Oid oid)
{
	Relation	relation = relation_open(oid, AccessShareLock);
	char		kind = relation->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
		kind != RELKIND_MATVIEW && kind != RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot search relation \"%s\"", RelationGetRelationName(relation)),
				 errdetail("It is neither a table nor a view.")));
	searched->oid = oid;
	searched->is_view = kind == RELKIND_VIEW;
	searched->nattrs = RelationGetNumberOfAttributes(relation);
	searched->origins = palloc0(sizeof(ColumnOrigin) * Max(searched->nattrs, 1));
	for (int i = 0; i < searched->nattrs; i++)
	{
		if (searched->is_view)
			searched->origins[i] = origin_of_view_column(oid, i + 1);
		else if (!TupleDescAttr(RelationGetDescr(relation), i)->attisdropped)
			searched->origins[i] = (ColumnOrigin) {oid, i + 1};
	}
	relation_close(relation, NoLock);
}

/* Name of the searched relation's column that shows a table's column, or NULL. */
static char *
searched_column(const SearchedRelation *searched, Oid table, AttrNumber attno)
{
	for (int i = 0; i < searched->nattrs; i++)
		if (searched->origins[i].table == table && searched->origins[i].attno == attno)
			return get_attname(searched->oid, i + 1, false);
	return NULL;
}

/* SQL of an index column in terms of the searched relation, or NULL. */
static char *
column_sql(const SearchedRelation *searched, Relation index, int column)
{
	AttrNumber	attno = index->rd_index->indkey.values[column];

	if (attno != 0)
	{
		char	   *name = searched_column(searched, index->rd_index->indrelid, attno);

		return name == NULL ? NULL :
			psprintf("%s.%s", quote_identifier(get_rel_name(searched->oid)), quote_identifier(name));
	}
	if (searched->is_view)
		return NULL;
	return psprintf("(%s)", TextDatumGetCString(OidFunctionCall3(F_PG_GET_INDEXDEF_OID_INT4_BOOL,
																  ObjectIdGetDatum(RelationGetRelid(index)),
																  Int32GetDatum(column + 1),
																  BoolGetDatum(false))));
}

char *
elac_search_operator_sql(Oid op)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(op));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", op);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

static void
target_set_vector(ElacSearchTarget *target, const SearchedRelation *searched, Relation index, int column)
{
	char	   *sql = column_sql(searched, index, column);
	Oid			type = index->rd_opcintype[column];
	Oid			op = get_opfamily_member(index->rd_opfamily[column], type, type, 1);

	if (sql == NULL)
		return;
	target->vector_type = type;
	target->vector_sql = psprintf("%s %s ($1)::%s", sql, elac_search_operator_sql(op), format_type_be_qualified(type));
}

/* Name of the schema that holds the extension's functions: the traits function's. */
static char *
extension_schema(Relation index, int text_column)
{
	return get_namespace_name(get_func_namespace(index_getprocid(index, text_column + 1, 1)));
}

/*
 * The leg's text columns: an array has elements of one type, so those of type
 * text, else of tsvector, else the one text[].  Returns how many.
 */
static int
target_text_columns(Relation index, int *columns, ElacTextType *type)
{
	static const ElacTextType preferred[] = {ELAC_TEXT_PLAIN, ELAC_TEXT_TSVECTOR, ELAC_TEXT_ARRAY};
	int			n = 0;

	for (int t = 0; t < lengthof(preferred) && n == 0; t++)
	{
		*type = preferred[t];
		for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		{
			const ElacColumnTraits *traits = elac_column_traits(index, i);

			if (traits->kind == ELAC_COLUMN_TEXT && traits->element == *type)
				columns[n++] = i;
		}
	}
	return *type == ELAC_TEXT_ARRAY && n > 1 ? 0 : n;
}

static void
target_set_text(ElacSearchTarget *target, const SearchedRelation *searched, Relation index)
{
	int			columns[ELAC_MAX_COLUMNS];
	ElacTextType type;
	int			ncolumns = target_text_columns(index, columns, &type);
	/* a varchar becomes a text, an expression's type is what it is */
	const char *cast = type == ELAC_TEXT_PLAIN ? "::pg_catalog.text" : "";
	StringInfoData values;
	StringInfoData attnos;
	const char *schema;

	if (ncolumns == 0)
		return;
	schema = quote_identifier(extension_schema(index, columns[0]));
	initStringInfo(&values);
	initStringInfo(&attnos);
	for (int i = 0; i < ncolumns; i++)
	{
		char	   *sql = column_sql(searched, index, columns[i]);

		if (sql == NULL)
			return;
		appendStringInfo(&values, "%s%s%s", i > 0 ? ", " : "", sql, cast);
		appendStringInfo(&attnos, "%s%d", i > 0 ? ", " : "", columns[i] + 1);
	}
	if (ncolumns == 1)
		target->text_sql = psprintf("%s OPERATOR(%s.<@>) %s.elacsym_bind($2, '%u'::pg_catalog.regclass, %s::pg_catalog.int2)",
									values.data, schema, schema, RelationGetRelid(index), attnos.data);
	else
		target->text_sql = psprintf("ARRAY[%s] OPERATOR(%s.<@>) %s.elacsym_bind($2, '%u'::pg_catalog.regclass, ARRAY[%s]::pg_catalog.int2[])",
									values.data, schema, schema, RelationGetRelid(index), attnos.data);
}

/* Fills target from one index; false when it lacks what is wanted. */
static bool
target_try_index(ElacSearchTarget *target, const SearchedRelation *searched, Oid oid, bool want_vector, bool want_text)
{
	Relation	index = index_open(oid, AccessShareLock);

	target->index = oid;
	target->vector_sql = NULL;
	target->text_sql = NULL;
	target->schema = quote_identifier(extension_schema(index, 0));
	if (index->rd_index->indisvalid && RelationGetIndexPredicate(index) == NIL)
	{
		for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		{
			const ElacColumnTraits *traits = elac_column_traits(index, i);

			if (traits->kind == ELAC_COLUMN_VECTOR)
				target_set_vector(target, searched, index, i);
		}
		target_set_text(target, searched, index);
	}
	index_close(index, NoLock);
	return (!want_vector || target->vector_sql != NULL) && (!want_text || target->text_sql != NULL);
}

static bool
relation_has_am(Oid relation, Oid am)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	bool		result = HeapTupleIsValid(tuple) && ((Form_pg_class) GETSTRUCT(tuple))->relam == am;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* elacsym indexes of the tables that the searched relation shows columns of. */
static List *
searched_indexes(const SearchedRelation *searched)
{
	Oid			am = get_index_am_oid("elacsym", true);
	List	   *tables = NIL;
	List	   *indexes = NIL;
	ListCell   *cell;

	for (int i = 0; i < searched->nattrs; i++)
		if (OidIsValid(searched->origins[i].table))
			tables = list_append_unique_oid(tables, searched->origins[i].table);
	foreach(cell, tables)
	{
		Relation	table = relation_open(lfirst_oid(cell), AccessShareLock);
		ListCell   *index;

		foreach(index, RelationGetIndexList(table))
		{
			if (relation_has_am(lfirst_oid(index), am))
				indexes = lappend_oid(indexes, lfirst_oid(index));
		}
		relation_close(table, NoLock);
	}
	return indexes;
}

static const char *
wanted_columns(bool want_vector, bool want_text)
{
	if (want_vector && want_text)
		return "a vector and a text column";
	return want_vector ? "a vector column" : "a text column";
}

/*
 * A view may be one that is not merged with the query; tables that inherit,
 * and foreign partitions, may have no index.
 */
static bool
node_serves_relation(Oid relation, bool is_view)
{
	ListCell   *cell;

	if (is_view)
		return false;
	if (get_rel_relkind(relation) != RELKIND_PARTITIONED_TABLE)
		return !has_subclass(relation);
	foreach(cell, find_all_inheritors(relation, NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE)
			return false;
	}
	return true;
}

ElacSearchTarget *
elac_search_target(Oid relation, Oid index, bool want_vector, bool want_text)
{
	ElacSearchTarget *target = palloc0(sizeof(ElacSearchTarget));
	ElacSearchTarget candidate;
	SearchedRelation searched;
	List	   *indexes;
	ListCell   *cell;
	int			found = 0;

	searched_open(&searched, relation);
	indexes = searched_indexes(&searched);
	if (OidIsValid(index) && !list_member_oid(indexes, index))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an elacsym index of \"%s\"", get_rel_name(index), get_rel_name(relation))));

	foreach(cell, indexes)
	{
		memset(&candidate, 0, sizeof(candidate));
		if (OidIsValid(index) && lfirst_oid(cell) != index)
			continue;
		if (target_try_index(&candidate, &searched, lfirst_oid(cell), want_vector, want_text))
		{
			*target = candidate;
			found++;
		}
	}
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" has no elacsym index with %s", get_rel_name(relation), wanted_columns(want_vector, want_text)),
				 errhint("CREATE INDEX ... USING elacsym over the columns to search, without a WHERE clause.")));
	if (found > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("\"%s\" has several elacsym indexes with %s", get_rel_name(relation), wanted_columns(want_vector, want_text)),
				 errhint("Name one with index => 'name'.")));
	target->relation = relation;
	target->has_ctid = !searched.is_view;
	target->has_node = node_serves_relation(relation, searched.is_view);
	target->relation_sql = psprintf("%s AS %s",
									quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation)),
									quote_identifier(get_rel_name(relation)));
	return target;
}
