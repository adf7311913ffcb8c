/*
 * probe_walk.h
 *	  The lists of all sources in the one order in which a query looks at them.
 */
#ifndef ELAC_PROBE_WALK_H
#define ELAC_PROBE_WALK_H

#include "elacsym.h"

#include "vector/vector_section.h"

/* A segment to search. */
typedef struct ElacProbeSource
{
	ElacVectorReader *reader;
	ElacVectorQuery *query;		/* for the codebook of the segment */
	const ElacBitmap *allowed;	/* documents that may be returned */
	uint32		nallowed;		/* how many; 0 leaves the source out */
	uint32		number;			/* as candidates carry it */
	ElacBlobReader *remote;		/* of its body when that is REMOTE, else NULL */
} ElacProbeSource;

typedef struct ElacProbeWalk ElacProbeWalk;

/* In CurrentMemoryContext; the sources are copied, what they point at is the caller's. */
extern ElacProbeWalk *elac_probe_walk_begin(const ElacProbeSource *sources, int nsources);

/*
 * Declares and fetches in one wave what REMOTE sources need for the next lists
 * with about that many allowed documents.  elac_probe_walk_next() stops at the
 * end of what was declared, and declares itself when nothing is.  Does nothing
 * without REMOTE sources.
 */
extern void elac_probe_walk_declare(ElacProbeWalk *walk, double documents);

/* No more than that many lists of each source, from the beginning. */
extern void elac_probe_walk_limit(ElacProbeWalk *walk, double lists, double effort);

/*
 * Scans the next lists, at most nlists of each source, into heap; adds the
 * number of documents scored to *scored.  False when no list is left.
 */
extern bool elac_probe_walk_next(ElacProbeWalk *walk, uint32 nlists, ElacVectorHeap *heap, uint64 *scored);

/*
 * Is it cheaper to look at all pending rows in their own order than to rank
 * lists and look at about that many rows of the nearest?
 */
extern bool elac_probe_walk_prefers_all(const ElacProbeWalk *walk, double documents);

/* Scans all lists that have pending rows, in the order in which they are stored. */
extern void elac_probe_walk_all(ElacProbeWalk *walk, ElacVectorHeap *heap, uint64 *scored);

/* Are there lists that have not been scanned? */
extern bool elac_probe_walk_is_complete(const ElacProbeWalk *walk);

/*
 * Documents that would have been allowed in the lists scanned, did the filter
 * let as many pass near the query as elsewhere.
 */
extern double elac_probe_walk_expected(const ElacProbeWalk *walk);

/* Lists scanned, summed over sources. */
extern uint64 elac_probe_walk_lists(const ElacProbeWalk *walk);

#endif							/* ELAC_PROBE_WALK_H */
