/*
 * test_rng.c
 *	  The random numbers that reach the disk: the sequence of a seed is
 *	  frozen, and it is even enough.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

int
main(void)
{
	ElacRng		rng;
	ElacRng		other;
	uint64_t	bounds[] = {1, 2, 3, 7, 10, 1000, (uint64_t) 1 << 32, (uint64_t) 1 << 63, ((uint64_t) 1 << 63) + 1, UINT64_MAX};
	double		sum = 0;
	double		squares = 0;
	long		bins[16] = {0};

	/* splitmix64 from 0, by its published reference values */
	elac_rng_seed(&rng, 0);
	CHECK(rng.s[0] == UINT64_C(0xE220A8397B1DCDAF));
	CHECK(rng.s[1] == UINT64_C(0x6E789E6AA1B965F4));
	CHECK(rng.s[2] == UINT64_C(0x06C45D188009454F));
	CHECK(rng.s[3] == UINT64_C(0xF88BB8A8724C81EC));
	/* xoshiro256** from 1, 2, 3, 4: the first outputs other implementations are tested with */
	rng = (ElacRng) {{1, 2, 3, 4}};
	CHECK(elac_rng_u64(&rng) == 11520);
	CHECK(elac_rng_u64(&rng) == 0);
	CHECK(elac_rng_u64(&rng) == 1509978240);

	elac_rng_seed(&rng, 42);
	elac_rng_seed(&other, 42);
	for (int i = 0; i < 100; i++)
		CHECK(elac_rng_u64(&rng) == elac_rng_u64(&other));
	elac_rng_seed(&other, 43);
	CHECK(elac_rng_u64(&rng) != elac_rng_u64(&other));

	for (int b = 0; b < 10; b++)
	{
		for (int i = 0; i < 1000; i++)
			CHECK(elac_rng_below(&rng, bounds[b]) < bounds[b]);
	}
	for (int i = 0; i < 160000; i++)
		bins[elac_rng_below(&rng, 16)]++;
	for (int i = 0; i < 16; i++)
		CHECK(labs(bins[i] - 10000) < 500);	/* five standard deviations */

	for (int i = 0; i < 100000; i++)
	{
		double		x = elac_rng_double(&rng);

		CHECK(x >= 0 && x < 1);
		sum += x;
		squares += x * x;
	}
	CHECK(fabs(sum / 100000 - 0.5) < 0.005);
	CHECK(fabs(squares / 100000 - 1.0 / 3) < 0.005);
	return check_done();
}
