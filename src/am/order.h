/*
 * order.h
 *	  The right-hand side of an ordering operator, as a value, made part of a
 *	  query.
 */
#ifndef ELAC_ORDER_H
#define ELAC_ORDER_H

#include "elacsym.h"

#include "query/query.h"

/*
 * Sets the order of query from the argument of the ordering operator of an
 * index column: a vector, or a bound text query.  Allocates in
 * CurrentMemoryContext.  Raises ERRCODE_DATA_EXCEPTION when the vector's
 * dimensions differ from the column's.
 */
extern void elac_order_set(ElacQuery *query, int column, Datum argument, bool isnull);

#endif							/* ELAC_ORDER_H */
