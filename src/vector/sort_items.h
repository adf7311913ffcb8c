/*
 * sort_items.h
 *	  Sorting by a float: numbers of which the upper half orders as the float
 *	  does, NaN last, and the lower half is what goes with it.  Private to
 *	  vector/.
 */
#ifndef ELAC_SORT_ITEMS_H
#define ELAC_SORT_ITEMS_H

#include "postgres.h"

#include <math.h>

typedef uint64 ElacSortItem;

static inline ElacSortItem
elac_sort_item(float value, uint32 payload)
{
	uint32		bits;

	if (isnan(value))
		bits = UINT32_MAX;
	else
	{
		memcpy(&bits, &value, sizeof(bits));
		bits = (bits & UINT32_C(0x80000000)) ? ~bits : bits | UINT32_C(0x80000000);
	}
	return (uint64) bits << 32 | payload;
}

static inline uint32
elac_sort_payload(ElacSortItem item)
{
	return (uint32) item;
}

/* Ascending by value; equal values stay in the order they came in. */
extern void elac_sort_items(ElacSortItem *items, uint32 n);

#endif							/* ELAC_SORT_ITEMS_H */
