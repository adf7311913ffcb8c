/*
 * rabitq_loops.h
 *	  The loops over dimensions of the encoder, compiled for several
 *	  processors.  Private to vector/.
 */
#ifndef ELAC_RABITQ_LOOPS_H
#define ELAC_RABITQ_LOOPS_H

#include "postgres.h"

/* Inner products of a residual r, a centroid c and a code x. */
typedef struct ElacRabitqSums
{
	double		rr;
	double		rc;
	double		rx;
	double		cx;
	double		xx;				/* not set by measure */
} ElacRabitqSums;

/* n is a multiple of 16 throughout. */
typedef struct ElacRabitqLoops
{
	/* signs and magnitudes of r; rr, rc, and rx and cx for the code of signs, x = +-1/2 */
	void		(*measure) (const float *r, const float *c, int n, uint8 *bits, float *magnitude, ElacRabitqSums *sums);

	/* level = min(floor(magnitude * step), limit) + 1/2: sum(level * magnitude) and sum(level^2) */
	void		(*try_step) (const float *magnitude, int n, float step, float limit, double *dot, double *square);

	/* ex = min(floor(magnitude * step), limit) */
	void		(*quantise) (const float *magnitude, int n, float step, float limit, uint32 *ex);

	/* rx, cx and xx for the code of all bits; complements ex (within mask) where the sign bit is 0 */
	void		(*finish) (const float *magnitude, const float *c, const uint8 *bits, int n, uint32 mask, uint32 *ex,
						   ElacRabitqSums *sums);
} ElacRabitqLoops;

/* Best for this processor, unless ELACSYM_KERNELS in the environment says otherwise. */
extern const ElacRabitqLoops *elac_rabitq_loops(void);

/* By name ("scalar", "avx2", "avx512"); NULL when the processor or the build does not have it. */
extern const ElacRabitqLoops *elac_rabitq_loops_by_name(const char *name);

#endif							/* ELAC_RABITQ_LOOPS_H */
