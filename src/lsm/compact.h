/*
 * compact.h
 *	  Merging from within another job.  Private to lsm; the caller holds the
 *	  maintenance lock.
 */
#ifndef ELAC_COMPACT_H
#define ELAC_COMPACT_H

#include "elacsym.h"

#include "lsm/lsm.h"

/* Merges until the manifest has room for the segments of a flush. */
extern void elac_compact_make_room(ElacJob *job);

#endif							/* ELAC_COMPACT_H */
