/*
 * sort_items.c
 *	  Radix sort of items by their upper halves.
 *
 * A comparison of random values is mispredicted every other time, which makes
 * a quicksort of a hundred items cost ten times as much as counting their
 * bytes four times.  Passes over a byte in which all items agree are skipped:
 * distances of one query share their exponents.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "vector/sort_items.h"

/* Up to so many items insertion is quicker. */
#define ELAC_SORT_FEW 12

/* Stable, too: whole numbers are not compared, only their upper halves. */
static void
elac_sort_insert(ElacSortItem *items, uint32 n)
{
	for (uint32 i = 1; i < n; i++)
	{
		ElacSortItem item = items[i];
		uint32		j = i;

		for (; j > 0 && (items[j - 1] >> 32) > (item >> 32); j--)
			items[j] = items[j - 1];
		items[j] = item;
	}
}

void
elac_sort_items(ElacSortItem *items, uint32 n)
{
	uint32		counts[4][256] = {{0}};
	ElacSortItem *other;
	ElacSortItem *from = items;
	ElacSortItem *to;

	if (n <= ELAC_SORT_FEW)
	{
		elac_sort_insert(items, n);
		return;
	}
	to = other = palloc_extended((Size) n * sizeof(ElacSortItem), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
		for (int pass = 0; pass < 4; pass++)
			counts[pass][(items[i] >> (32 + 8 * pass)) & 255]++;
	for (int pass = 0; pass < 4; pass++)
	{
		uint32	   *count = counts[pass];
		int			shift = 32 + 8 * pass;
		uint32		total = 0;
		ElacSortItem *swap = from;

		if (count[(items[0] >> shift) & 255] == n)
			continue;
		for (int value = 0; value < 256; value++)
		{
			uint32		here = count[value];

			count[value] = total;
			total += here;
		}
		for (uint32 i = 0; i < n; i++)
			to[count[(from[i] >> shift) & 255]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, (Size) n * sizeof(ElacSortItem));
	pfree(other);
}
