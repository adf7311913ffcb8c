/*
 * heap_fetch.h
 *	  Reads the indexed vector of a heap row: for exact distances (under the
 *	  query's snapshot) and for encoding anew (rows not dead to everybody).
 */
#ifndef ELAC_HEAP_FETCH_H
#define ELAC_HEAP_FETCH_H

#include "elacsym.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

typedef struct ElacHeapFetch ElacHeapFetch;

/*
 * snapshot NULL: every row that some snapshot might still see.  Lives in
 * CurrentMemoryContext; end releases slot and pin.
 */
extern ElacHeapFetch *elac_heap_fetch_begin(Relation index, Relation heap, Snapshot snapshot);

/*
 * Prepared vector of the row at tid (or of the member of its HOT chain that
 * is visible) into dst; its class, or -1 when there is none.
 */
extern int	elac_heap_fetch_vector(ElacHeapFetch *fetch, ItemPointer tid, float *dst);
extern void elac_heap_fetch_end(ElacHeapFetch *fetch);

#endif							/* ELAC_HEAP_FETCH_H */
