/*
 * heap_ahead.h
 *	  Heap rows that will be read soon, announced: their blocks are fetched
 *	  from disk or, when they are in shared memory, their bytes into the
 *	  processor's caches.  Nothing but hints.
 */
#ifndef ELAC_HEAP_AHEAD_H
#define ELAC_HEAP_AHEAD_H

#include "elacsym.h"

#include "storage/buf.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

/* Rows announced whose place in their block is not looked up yet. */
#define ELAC_AHEAD_ROWS 4

typedef struct ElacHeapAhead	/* zero at first */
{
	uint32		announced;		/* rows, all in all */
	uint32		touched;		/* of them */
	struct
	{
		Buffer		buffer;		/* not pinned */
		OffsetNumber offset;
	}			rows[ELAC_AHEAD_ROWS];
} ElacHeapAhead;

/* The row at tid, within the table, will be read after those announced before. */
extern void elac_heap_announce(ElacHeapAhead *ahead, Relation heap, ItemPointer tid);

/* Before each row is read. */
extern void elac_heap_advance(ElacHeapAhead *ahead);

#endif							/* ELAC_HEAP_AHEAD_H */
