/*
 * reservoir.h
 *	  A random sample of the query vectors that users sent, within the index.
 *
 * Pages of kind ELAC_PAGE_SAMPLE, all of one owner, made by a job
 * (elac_reservoir_create) and named by the manifest.  Payload of the root
 * (number 0):
 *
 *	offset	size	what
 *	0		4		ELAC_RESERVOIR_MAGIC
 *	4		2		dimensions
 *	6		2		slots in a page
 *	8		4		slots
 *	12		4		slots in use
 *	16		8		queries that the slots in use are a sample of
 *	24		4		pages of slots
 *	28		4		zero
 *	32		4 each	their blocks
 *
 * Pages of slots (numbers 1, 2, ..) hold as many slots as fit: for each 32
 * components a float4 scale, then one signed byte a component, padded with
 * zeros to a multiple of 32: x = scale * byte.
 */
#ifndef ELAC_RESERVOIR_H
#define ELAC_RESERVOIR_H

#include "elacsym.h"

#include "utils/rel.h"

#include "lsm/manifest.h"

#define ELAC_RESERVOIR_MAGIC 0x51524553	/* "SERQ" */

/* Slots and pages at most: 1 MB. */
#define ELAC_RESERVOIR_SLOTS 512
#define ELAC_RESERVOIR_PAGES 128

/*
 * Gives the index an empty reservoir unless it has one.  The caller holds the
 * maintenance lock.
 */
extern void elac_reservoir_create(Relation index, int dim);

/*
 * A user's query, prepared.  Mostly does nothing: the first few hundred are
 * kept, later ones with falling probability, each in place of another.
 * Never waits and never raises for what is stored; not in recovery, not in
 * parallel mode.
 */
extern void elac_reservoir_offer(Relation index, const ElacManifest *manifest, int dim, const float *vector);

/*
 * The sample: *n vectors of dim floats one after the other, palloc'd; *seen
 * queries it was taken from.  NULL when there is none.
 */
extern float *elac_reservoir_read(Relation index, const ElacManifest *manifest, int dim, uint32 *n, uint64 *seen);

/* How many it has, and of how many it is a sample. */
extern uint32 elac_reservoir_count(Relation index, const ElacManifest *manifest, uint64 *seen);

/* Blocks of all its pages, palloc'd, each checked; for verification. */
extern BlockNumber *elac_reservoir_blocks(Relation index, const ElacManifest *manifest, uint32 *nblocks);

#endif							/* ELAC_RESERVOIR_H */
