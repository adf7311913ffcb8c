/*
 * delta_mark.h
 *	  Marks a row of the delta dead, in place.
 */
#ifndef ELAC_DELTA_MARK_H
#define ELAC_DELTA_MARK_H

#include "elacsym.h"

#include "utils/rel.h"

#include "storage/chain.h"

/*
 * Marks the row of a lane whose docs record lies at pos (of its flags byte, as
 * elac_chain_tell() gave it), and counts it.  number: of the lane, or
 * ELAC_LANE_FROZEN for one in the manifest; docs_id: of its docs chain.  The
 * caller holds the maintenance lock, so the chain is neither rotated into a
 * segment nor retired meanwhile, and marks no row twice.
 */
#define ELAC_LANE_FROZEN (-1)
extern void elac_delta_mark_dead(Relation index, int number, uint64 docs_id, ElacChainPos pos);

#endif							/* ELAC_DELTA_MARK_H */
