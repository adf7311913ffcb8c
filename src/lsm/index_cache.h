/*
 * index_cache.h
 *	  What this process keeps of indexes from query to query.  Private to lsm.
 *
 * A query looks at five pages to learn that nothing has changed, and then
 * reads what was read before: the manifest, where the segments' pages lie,
 * their lists, their live bitmaps.
 */
#ifndef ELAC_INDEX_CACHE_H
#define ELAC_INDEX_CACHE_H

#include "elacsym.h"

#include "utils/rel.h"

#include "lsm/lsm.h"

/* The manifest of one generation and what was read of its segments. */
typedef struct ElacIndexVersion ElacIndexVersion;

/* A segment's live bits as they were at some moment. */
typedef struct ElacLiveBits ElacLiveBits;

/*
 * The index as it is now; lanes are filled.  The caller's snapshot was taken
 * before and keeps the pages named from being reused.  Held until unhold.
 */
extern ElacIndexVersion *elac_index_cache_hold(Relation index, ElacLane *lanes);
extern void elac_index_cache_unhold(ElacIndexVersion *version);

extern const ElacManifest *elac_index_cache_manifest(const ElacIndexVersion *version);
extern const ElacRowType *elac_index_cache_type(const ElacIndexVersion *version);

/* Segment i, whose body is LOCAL, opened in CurrentMemoryContext. */
extern ElacSegment *elac_index_cache_segment(ElacIndexVersion *version, Relation index, int i);

/*
 * Its live bits as they are now: NULL when no document is dead.  Held until
 * unhold, which comes before that of the version.
 */
extern ElacLiveBits *elac_index_cache_live(ElacIndexVersion *version, Relation index, int i);
extern void elac_index_cache_live_unhold(ElacLiveBits *live);
extern const ElacBitmap *elac_index_cache_bitmap(const ElacLiveBits *live, uint32 *ndead);

#endif							/* ELAC_INDEX_CACHE_H */
