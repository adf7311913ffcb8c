/*
 * patience.h
 *	  When a vector query has looked at enough lists.
 *
 * A scan that has scored n documents, the last of which that changed the best
 * k being number m, goes on while n < ELAC_PATIENCE_FACTOR * m + extra.  Only
 * documents that pass the filter count.
 */
#ifndef ELAC_PATIENCE_H
#define ELAC_PATIENCE_H

#include "elacsym.h"

#include "lsm/manifest.h"

#define ELAC_PATIENCE_FACTOR 1.25

/* Rows whose changes are watched when nobody says how many are wanted. */
#define ELAC_PATIENCE_ROWS 10

typedef struct ElacPatience
{
	double		extra;
	double		expected;		/* documents that a query is likely to score */
} ElacPatience;

/*
 * For queries that want the best k of nallowed rows at a target recall.  Pure;
 * without a calibration, a cautious guess.
 */
extern void elac_patience_choose(const ElacManifest *manifest, uint64 nallowed, uint32 k, double target,
								 ElacPatience *patience);

/*
 * The share of the true rows that lists have to be searched for, when rows come
 * in the order of the codes: what that order loses has to be found in addition.
 */
extern double elac_patience_target_by_codes(const ElacManifest *manifest, double target);

#endif							/* ELAC_PATIENCE_H */
