/*
 * codebook_tree.h
 *	  The tree of cuts above a set of leaves.  Private to vector/.
 */
#ifndef ELAC_CODEBOOK_TREE_H
#define ELAC_CODEBOOK_TREE_H

#include "base/rng.h"
#include "vector/codebook_private.h"

/*
 * Makes the cuts of codebook (none so far) above nleaves >= 1 leaves (row-major)
 * and copies the leaves in depth-first order into the finest: its list i is
 * leaf order[i].  order: room for nleaves.  Centroids of the cuts above are
 * allocated, not set.  Cuts lie in CurrentMemoryContext.
 */
extern void elac_codebook_grow_tree(ElacCodebook *codebook, const float *leaves, uint32 nleaves, ElacRng *rng,
									uint32 *order);

/* Sets every centroid above the leaves to the mean of its leaves, weighted by their counts of documents. */
extern void elac_codebook_average_tree(ElacCodebook *codebook, const uint64 *counts);

#endif							/* ELAC_CODEBOOK_TREE_H */
