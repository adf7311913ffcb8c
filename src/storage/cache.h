/*
 * cache.h
 *	  Logical pages of remote objects kept near.
 *
 * This is the per-session cache: correct without preloading, bounded by
 * elacsym.session_cache, CRC checked when a page comes in, S3-FIFO order of
 * eviction.  A page is named by its object's UUID and its number; objects are
 * immutable, so nothing is ever invalidated.
 */
#ifndef ELAC_CACHE_H
#define ELAC_CACHE_H

#include "elacsym.h"

typedef struct ElacCacheSlot ElacCacheSlot;

typedef struct ElacCacheCounters
{
	uint64		hits;
	uint64		misses;
	uint64		evictions;
	uint64		bytes_used;
	uint64		bytes_limit;
	uint64		pages;
} ElacCacheCounters;

/* The page when it is near, pinned; NULL otherwise. */
extern ElacCacheSlot *elac_cache_lookup(const uint8 *object, uint32 page);

/* Whether it is near; counts nothing and pins nothing. */
extern bool elac_cache_contains(const uint8 *object, uint32 page);

/*
 * Room for a page that is not near, pinned, evicting others when the limit is
 * reached (pinned pages may exceed it for a moment).  The caller fills
 * elac_cache_data() with ELAC_PAGE_DATA bytes it has checked, before anything
 * can fail, and calls elac_cache_unpin() when done with them, or
 * elac_cache_drop() to forget them.
 *
 * All pins belong to CurrentResourceOwner and end with it, on an error too.
 */
extern ElacCacheSlot *elac_cache_insert(const uint8 *object, uint32 page);
extern uint8 *elac_cache_data(ElacCacheSlot *slot);
extern void elac_cache_unpin(ElacCacheSlot *slot);
extern void elac_cache_drop(ElacCacheSlot *slot);

extern void elac_cache_clear(void);	/* unpinned pages only */
extern void elac_cache_counters(ElacCacheCounters *counters);
extern void elac_cache_init(void);

#endif							/* ELAC_CACHE_H */
