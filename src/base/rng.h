/*
 * rng.h
 *	  Pseudo-random numbers that reach the disk: xoshiro256** seeded by
 *	  splitmix64.  The sequence for a seed never changes.
 */
#ifndef ELAC_RNG_H
#define ELAC_RNG_H

#include <stdint.h>

typedef struct ElacRng
{
	uint64_t	s[4];
} ElacRng;

extern void elac_rng_seed(ElacRng *rng, uint64_t seed);
extern uint64_t elac_rng_u64(ElacRng *rng);
extern uint64_t elac_rng_below(ElacRng *rng, uint64_t bound);	/* uniform in [0, bound), bound > 0 */
extern double elac_rng_double(ElacRng *rng);	/* uniform in [0, 1) */

#endif							/* ELAC_RNG_H */
