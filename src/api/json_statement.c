/*
 * json_statement.c
 *	  The parts of the statement that a JSON request becomes: parameters, and
 *	  columns and operators by their quoted and qualified names.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/json_request.h"
#include "compat.h"

int
elac_json_parameter(ElacJsonStatement *statement, Oid type, Datum value)
{
	if (statement->nparameters == statement->space)
	{
		statement->space = statement->space > 0 ? statement->space * 2 : 16;
		if (statement->types == NULL)
		{
			statement->types = palloc(sizeof(Oid) * statement->space);
			statement->values = palloc(sizeof(Datum) * statement->space);
		}
		else
		{
			statement->types = repalloc(statement->types, sizeof(Oid) * statement->space);
			statement->values = repalloc(statement->values, sizeof(Datum) * statement->space);
		}
	}
	statement->types[statement->nparameters] = type;
	statement->values[statement->nparameters] = value;
	return ++statement->nparameters;
}

bool
elac_json_may_read(const ElacJsonStatement *statement, AttrNumber attno)
{
	return statement->readable ||
		pg_attribute_aclcheck(RelationGetRelid(statement->relation), attno, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

Form_pg_attribute
elac_json_column(const ElacJsonStatement *statement, const ElacJson *name)
{
	TupleDesc	desc = RelationGetDescr(statement->relation);
	char	   *string = elac_json_string(name);

	if (string == NULL)
		elac_json_error(name, NULL, "must be the name of an attribute, not %s", elac_json_kind(name));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped || strcmp(NameStr(column->attname), string) != 0)
			continue;
		if (!elac_json_may_read(statement, column->attnum))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("%s: permission denied for column \"%s\" of relation \"%s\"", elac_json_path(name),
							NameStr(column->attname), RelationGetRelationName(statement->relation))));
		return column;
	}
	elac_json_error(name, NULL, "\"%s\" has no attribute %s", RelationGetRelationName(statement->relation), elac_json_show(string));
}

bool
elac_json_never_null(const ElacJsonStatement *statement, Form_pg_attribute column)
{
	Relation	relation = statement->relation;

	/* children of plain inheritance may have NULL where their parent has none, and nobody enforces what a foreign table says */
	if (relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE ||
		(relation->rd_rel->relkind == RELKIND_RELATION && relation->rd_rel->relhassubclass))
		return false;
	return elac_column_not_null(RelationGetDescr(relation), column->attnum - 1);
}

char *
elac_json_column_sql(Form_pg_attribute column)
{
	return psprintf("t.%s", quote_identifier(NameStr(column->attname)));
}

char *
elac_json_function_sql(const ElacJsonStatement *statement, const char *name)
{
	return psprintf("%s.%s", quote_identifier(get_namespace_name(statement->schema)), name);
}
