/*
 * column_traits.h
 *	  What an operator class says of its column, through support function 1.
 */
#ifndef ELAC_COLUMN_TRAITS_H
#define ELAC_COLUMN_TRAITS_H

#include "elacsym.h"

#include "utils/rel.h"

/* No support function 1: an attribute. */
typedef struct ElacColumnTraits
{
	uint8		kind;			/* ElacColumnKind */
	uint8		metric;			/* ElacMetric */
	uint8		element;		/* ElacVectorElement; ElacTextType of a text column */
} ElacColumnTraits;

/* Traits of a column (from 0) of an index or partitioned index. */
extern const ElacColumnTraits *elac_column_traits(Relation index, int column);

#endif							/* ELAC_COLUMN_TRAITS_H */
