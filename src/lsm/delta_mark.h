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
 * docs is the chain the record lies in, pos its flags byte as
 * elac_chain_tell() gave it.  The caller holds the maintenance lock, so the
 * chain is neither rotated into a segment nor retired meanwhile.
 */
extern void elac_delta_mark_dead(Relation index, const ElacChain *docs, ElacChainPos pos);

#endif							/* ELAC_DELTA_MARK_H */
