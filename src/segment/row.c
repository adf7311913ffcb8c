/*
 * row.c
 *	  From index values to the form that delta and segments keep: lexemes with
 *	  counts, prepared vectors, detoasted attributes.
 *
 * Allocates in CurrentMemoryContext, which callers reset per row.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "segment/row.h"
#include "vector/codebook.h"

ElacRowType *
elac_row_type(Relation index, const ElacSchema *schema)
{
	ElacRowType *type = palloc0(sizeof(ElacRowType));
	TupleDesc	descriptor = RelationGetDescr(index);

	if (descriptor->natts < schema->ncolumns)
		elog(ERROR, "index \"%s\" has %d columns, expected are %d",
			 RelationGetRelationName(index), descriptor->natts, schema->ncolumns);
	type->schema = schema;
	type->index_name = pstrdup(RelationGetRelationName(index));
	for (int i = 0; i < schema->ncolumns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (schema->columns[i].kind == ELAC_COLUMN_TEXT)
			type->config[i] = elac_text_config_find(schema->columns[i].config);
		else if (schema->columns[i].kind == ELAC_COLUMN_ATTR)
		{
			type->attr[i].type = getBaseType(attribute->atttypid);
			type->attr[i].typlen = attribute->attlen;
			type->attr[i].typbyval = attribute->attbyval;
			type->attr[i].typalign = attribute->attalign;
			type->attr[i].collation = index->rd_indcollation[i];
		}
	}
	return type;
}

Oid
elac_row_config(const ElacRowType *type, int column)
{
	return OidIsValid(type->config[column]) ? type->config[column] : elac_text_config(type->schema->columns[column].config);
}

/* The vector of a row, detoasted, when it fits the column. */
static const ElacVector *
row_check_vector(const ElacColumn *column, Datum value)
{
	/* dim lies at the same place in both types */
	ElacVector *vector = (ElacVector *) PG_DETOAST_DATUM(value);
	Size		component = column->element == ELAC_ELEMENT_HALF ? sizeof(uint16) : sizeof(float);

	if (vector->dim <= 0 || VARSIZE(vector) != offsetof(ElacVector, x) + vector->dim * component)
		elog(ERROR, "vector of %d dimensions has an impossible length", vector->dim);
	if (column->dim > 0 && vector->dim != column->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", column->dim, vector->dim)));
	if (vector->dim > ELAC_MAX_DIM_INDEXED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot index a vector of %d dimensions", vector->dim),
				 errdetail("An elacsym index takes vectors of at most %d dimensions.", ELAC_MAX_DIM_INDEXED)));
	return vector;
}

ElacVectorClass
elac_row_form_vector(const ElacColumn *column, Datum value, float *dst)
{
	Assert(column->dim > 0);
	return elac_vector_prepare(column->metric, column->element, row_check_vector(column, value), dst);
}

static void
row_form_vector(const ElacColumn *column, Datum value, ElacRow *row)
{
	const ElacVector *vector = row_check_vector(column, value);
	float	   *prepared = palloc(vector->dim * sizeof(float));

	row->dim = vector->dim;
	row->vector_class = elac_vector_prepare(column->metric, column->element, vector, prepared);
	if (row->vector_class == ELAC_VECTOR_FINITE)
		row->vector = prepared;
}

void
elac_row_form(const ElacRowType *type, ItemPointer tid, const Datum *values, const bool *isnull, ElacRow *row)
{
	const ElacSchema *schema = type->schema;

	memset(row, 0, sizeof(*row));
	row->tid = *tid;
	row->vector_class = ELAC_VECTOR_NULL;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		ElacRowColumn *column = &row->columns[i];

		switch (schema->columns[i].kind)
		{
			case ELAC_COLUMN_VECTOR:
				if (!isnull[i])
					row_form_vector(&schema->columns[i], values[i], row);
				break;
			case ELAC_COLUMN_TEXT:
				column->text.isnull = isnull[i];
				if (!isnull[i])
					elac_text_analyze(&schema->columns[i], elac_row_config(type, i), values[i], &column->text);
				break;
			case ELAC_COLUMN_ATTR:
				column->isnull = isnull[i];
				if (isnull[i])
					break;
				column->value = values[i];
				if (type->attr[i].typlen == -1)
					column->value = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
				break;
			default:
				elog(ERROR, "column %d of index \"%s\" has unknown kind %d", i + 1, type->index_name,
					 schema->columns[i].kind);
		}
	}
}
