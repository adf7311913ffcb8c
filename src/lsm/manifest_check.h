/*
 * manifest_check.h
 *	  Is this a manifest, is this a lane?  Pure functions over copies.
 */
#ifndef ELAC_MANIFEST_CHECK_H
#define ELAC_MANIFEST_CHECK_H

#include "elacsym.h"

#include "lsm/manifest.h"

/*
 * NULL when every field is within its limits, blocks lie below nblocks and
 * ids are unique and were given out; else what is wrong (palloc'd).  lanes
 * (ELAC_LANES of them) may be NULL.
 */
extern const char *elac_manifest_fault(const ElacManifest *manifest, const ElacLane *lanes, BlockNumber nblocks);

/* The same for one lane alone. */
extern const char *elac_lane_fault(const ElacLane *lane, BlockNumber nblocks);

#endif							/* ELAC_MANIFEST_CHECK_H */
