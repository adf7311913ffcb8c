/*
 * order.c
 *	  Turns the argument of an ordering operator into a query's order.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "am/order.h"
#include "compat.h"
#include "query/bound_query.h"
#include "storage/metapage.h"
#include "vector/codebook.h"

static void
order_set_vector(ElacQuery *query, const ElacColumn *column, Datum argument)
{
	const ElacVector *vector = (const ElacVector *) PG_DETOAST_DATUM(argument);
	float	   *prepared;

	/* vector and halfvec keep dim in the same place */
	if (vector->dim != column->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d", column->dim, vector->dim)));
	prepared = palloc(sizeof(float) * column->dim);
	query->vector_class = elac_vector_prepare(column->metric, column->element, vector, prepared);
	query->vector = prepared;
}

/* Do statistics of bound hold for index: is it the index, or above it? */
static bool
order_index_matches(Oid bound, Oid index)
{
	return bound == index ||
		(get_rel_relispartition(index) && list_member_oid(get_partition_ancestors(index), bound));
}

/* The columns in the last argument of elacsym_bind(): int2 or int2[]. */
static bool
order_bound_columns(Const *columns, int16 *attnos, int *nattnos)
{
	ArrayType  *array;

	if (!IsA(columns, Const) || columns->constisnull)
		return false;
	if (columns->consttype == INT2OID)
	{
		attnos[0] = DatumGetInt16(columns->constvalue);
		*nattnos = 1;
		return true;
	}
	if (columns->consttype != INT2ARRAYOID)
		return false;
	array = DatumGetArrayTypeP(columns->constvalue);
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) || ARR_DIMS(array)[0] > ELAC_MAX_COLUMNS)
		return false;
	*nattnos = ARR_DIMS(array)[0];
	memcpy(attnos, ARR_DATA_PTR(array), sizeof(int16) * *nattnos);
	return true;
}

bool
elac_order_is_bound(Node *argument, Oid index, int16 *attnos, int *nattnos)
{
	FuncExpr   *call = (FuncExpr *) argument;
	Const	   *bound;

	if (!IsA(argument, FuncExpr) || list_length(call->args) != 3)
		return false;
	bound = (Const *) lsecond(call->args);
	return IsA(bound, Const) && bound->consttype == REGCLASSOID && !bound->constisnull &&
		order_index_matches(DatumGetObjectId(bound->constvalue), index) &&
		order_bound_columns((Const *) lthird(call->args), attnos, nattnos);
}

void
elac_order_set(ElacQuery *query, int column, Datum argument, bool isnull)
{
	/* a copy: to detoast the argument may rebuild the index's relcache entry */
	const ElacColumn definition = elac_metapage_get(query->index)->schema.columns[column];

	if (definition.kind == ELAC_COLUMN_VECTOR)
	{
		query->order = ELAC_ORDER_VECTOR;
		query->vector_isnull = isnull;
		if (!isnull)
			order_set_vector(query, &definition, argument);
		return;
	}
	Assert(definition.kind == ELAC_COLUMN_TEXT);
	query->order = ELAC_ORDER_TEXT;
	if (!isnull)
	{
		const ElacBoundQuery *bound = elac_bound_query_decode(argument);

		if (!order_index_matches(bound->index, RelationGetRelid(query->index)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("text query is bound to another index than \"%s\"", RelationGetRelationName(query->index)),
					 errhint("Bind it with elacsym_bind(query, index, column).")));
		query->text = elac_query_text_prepare(bound);
	}
}
