/*
 * rng.c
 *	  xoshiro256** 1.0 (Blackman, Vigna 2018), state filled by splitmix64
 *	  (Steele, Lea, Flood 2014).
 *
 * Rotations and samples that reach the disk are drawn from it: the sequence
 * of a seed is part of the stored format.  Not for secrets.
 */
#include "base/rng.h"

static uint64_t
rng_rotate_left(uint64_t x, unsigned k)
{
	return (x << k) | (x >> (64 - k));
}

void
elac_rng_seed(ElacRng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
	{
		uint64_t	z;

		seed += UINT64_C(0x9E3779B97F4A7C15);
		z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
		rng->s[i] = z ^ (z >> 31);
	}
}

uint64_t
elac_rng_u64(ElacRng *rng)
{
	uint64_t   *s = rng->s;
	uint64_t	result = rng_rotate_left(s[1] * 5, 7) * 9;
	uint64_t	t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotate_left(s[3], 45);
	return result;
}

/*
 * Draws that fall into the incomplete last stretch of the 2^64 values are
 * thrown away, so every remainder is equally likely.
 */
uint64_t
elac_rng_below(ElacRng *rng, uint64_t bound)
{
	uint64_t	reject = (UINT64_MAX % bound + 1) % bound;	/* 2^64 mod bound */
	uint64_t	draw;

	do
		draw = elac_rng_u64(rng);
	while (draw > UINT64_MAX - reject);
	return draw % bound;
}

double
elac_rng_double(ElacRng *rng)
{
	return (double) (elac_rng_u64(rng) >> 11) * 0x1.0p-53;
}
