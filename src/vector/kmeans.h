/*
 * kmeans.h
 *	  Lloyd's k-means on a subset of points.  Private to vector/.
 */
#ifndef ELAC_KMEANS_H
#define ELAC_KMEANS_H

#include "postgres.h"

#include "base/rng.h"

typedef struct ElacKmeans
{
	const float *points;		/* row-major, dim floats each */
	const uint32 *members;		/* rows that take part; NULL = the first n */
	uint64		n;
	int			dim;
	uint32		k;				/* clusters wanted, >= 1 */
	int			iterations;
	ElacRng    *rng;
} ElacKmeans;

/*
 * Makes at most k clusters (fewer when there are fewer distinct points) and
 * returns how many.  centroids: room for k * dim floats; assignment: n, the
 * cluster of each member.  No cluster is empty.  1 <= n < 2^32.
 */
extern uint32 elac_kmeans_run(const ElacKmeans *input, float *centroids, uint32 *assignment);

/* The nearest of ncentroids (> 0) for each member of input, whose k is not used. */
extern void elac_kmeans_assign_all(const ElacKmeans *input, const float *centroids, uint32 ncentroids,
								   uint32 *assignment);

/* Mean of the members, dim floats; n >= 1. */
extern void elac_kmeans_mean(const float *points, const uint32 *members, uint64 n, int dim, float *mean);

#endif							/* ELAC_KMEANS_H */
