/*
 * merge_spool.h
 *	  Coded documents kept aside between the pass of a merge that reads their
 *	  vectors and the one that writes them.  Private to segment/.
 */
#ifndef ELAC_MERGE_SPOOL_H
#define ELAC_MERGE_SPOOL_H

#include "postgres.h"

typedef struct MergeSpool MergeSpool;

/*
 * For at most nitems items of item_bytes each with keys below nkeys.  About
 * memory_max bytes are used, the rest goes to temporary files.  Lives in
 * CurrentMemoryContext; the files go with it or with the resource owner.
 */
extern MergeSpool *elac_merge_spool_begin(Size item_bytes, uint64 nitems, uint32 nkeys, Size memory_max);

/* Keeps an item; what is returned names it together with its key. */
extern uint32 elac_merge_spool_put(MergeSpool *spool, uint32 key, const uint8 *item);

/*
 * An item again, valid until the next call.  Asked for in order of key, each
 * file is read once.
 */
extern const uint8 *elac_merge_spool_get(MergeSpool *spool, uint32 key, uint32 number);
extern uint64 elac_merge_spool_count(const MergeSpool *spool);
extern void elac_merge_spool_end(MergeSpool *spool);

#endif							/* ELAC_MERGE_SPOOL_H */
