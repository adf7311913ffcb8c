/*
 * order.h
 *	  The right-hand side of an ordering operator, as a value, made part of a
 *	  query.
 */
#ifndef ELAC_ORDER_H
#define ELAC_ORDER_H

#include "elacsym.h"

#include "nodes/primnodes.h"

#include "query/query.h"

/* Strategies of ordering operators. */
#define ELAC_STRATEGY_DISTANCE 1	/* column <op> argument */
#define ELAC_STRATEGY_FIELDS 2	/* ARRAY[column, ...] <@> bound query: custom scan only */

/*
 * Planning: is argument a call of elacsym_bind() that binds a query to index,
 * or to a partitioned index above it?  attnos gets the columns bound
 * (ELAC_MAX_COLUMNS of room), *nattnos their number.
 */
extern bool elac_order_is_bound(Node *argument, Oid index, int16 *attnos, int *nattnos);

/*
 * Sets the order of query from the argument of the ordering operator of an
 * index column: a vector, or a bound text query.  Allocates in
 * CurrentMemoryContext.  Raises ERRCODE_DATA_EXCEPTION when the vector's
 * dimensions differ from the column's, and ERRCODE_FEATURE_NOT_SUPPORTED when
 * the text query is bound to another index.
 */
extern void elac_order_set(ElacQuery *query, int column, Datum argument, bool isnull);

#endif							/* ELAC_ORDER_H */
