/*
 * order.c
 *	  Turns the argument of an ordering operator into a query's order.
 */
#include "postgres.h"

#include "fmgr.h"

#include "am/order.h"
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

void
elac_order_set(ElacQuery *query, int column, Datum argument, bool isnull)
{
	const ElacColumn *definition = &elac_metapage_get(query->index)->schema.columns[column];

	if (definition->kind == ELAC_COLUMN_VECTOR)
	{
		query->order = ELAC_ORDER_VECTOR;
		query->vector_isnull = isnull;
		if (!isnull)
			order_set_vector(query, definition, argument);
		return;
	}
	Assert(definition->kind == ELAC_COLUMN_TEXT);
	query->order = ELAC_ORDER_TEXT;
	if (!isnull)
	{
		const ElacBoundQuery *bound = elac_bound_query_decode(argument);

		query->text = elac_query_text_prepare(bound->index, bound->attnos, bound->nattnos,
											  elac_bound_query_text(bound));
	}
}
