/*
 * train.h
 *	  Trains and writes the codebook of an index from what the index holds.
 *	  Private to lsm; the caller holds the maintenance lock and has called
 *	  elac_building_begin().
 */
#ifndef ELAC_TRAIN_H
#define ELAC_TRAIN_H

#include "elacsym.h"

#include "lsm/lsm.h"

/*
 * From the rows of the frozen lanes, of which nvectors are alive and have a
 * vector.  The codebook is in CurrentMemoryContext and written; *ref names it.
 */
extern ElacCodebook *elac_train_from_delta(ElacSnapshot *snapshot, uint64 nvectors, ElacBlobRef *ref);

/*
 * From a random sample of the segments' live rows that have a vector, which is
 * fetched from the heap.
 */
extern ElacCodebook *elac_train_from_heap(ElacJob *job, ElacSnapshot *snapshot, ElacBlobRef *ref);

/* Writes a codebook that was made otherwise and gives it an id. */
extern void elac_train_write(Relation index, ElacCodebook *codebook, ElacBlobRef *ref);

#endif							/* ELAC_TRAIN_H */
