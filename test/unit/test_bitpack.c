/*
 * test_bitpack.c
 *	  Every width, lengths around block limits, exact reads and writes.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitpack.h"
#include "base/rng.h"

static ElacRng rng;

static void
round_trip(size_t n, unsigned width)
{
	size_t		nbytes = elac_bitpack_bytes(n, width);
	uint32_t   *values = malloc((n + 1) * sizeof(uint32_t));
	uint32_t   *got = malloc((n + 1) * sizeof(uint32_t));
	uint8_t    *packed = malloc(nbytes + 1);
	uint8_t    *exact = malloc(nbytes);	/* the sanitizer sees the next byte */

	for (size_t i = 0; i < n; i++)
		values[i] = (uint32_t) (elac_rng_u64(&rng) & (((uint64_t) 1 << width) - 1));
	packed[nbytes] = 0xA5;
	elac_bitpack(values, n, width, packed);
	CHECK_EQ(packed[nbytes], 0xA5);
	elac_bitpack(values, n, width, exact);
	CHECK(nbytes == 0 || memcmp(packed, exact, nbytes) == 0);

	/* bit by bit, from the definition */
	for (size_t bit = 0; bit < nbytes * 8; bit++)
	{
		unsigned	want = width > 0 && bit / width < n ? values[bit / width] >> (bit % width) & 1 : 0;

		CHECK_EQ(exact[bit / 8] >> (bit % 8) & 1, want);
	}

	memset(got, 0xEE, (n + 1) * sizeof(uint32_t));
	elac_bitunpack(exact, n, width, got);
	CHECK(memcmp(got, values, n * sizeof(uint32_t)) == 0);
	CHECK_EQ(got[n], 0xEEEEEEEE);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(elac_bitpack_get(exact, n, width, i), values[i]);

	free(values);
	free(got);
	free(packed);
	free(exact);
}

int
main(void)
{
	static const size_t lengths[] = {128, 129, 255, 1000};
	uint32_t	values[3] = {0, 0, 0};
	uint8_t		byte = 0xFF;

	elac_rng_seed(&rng, 11);
	for (unsigned width = 0; width <= 32; width++)
	{
		for (size_t n = 0; n <= 70; n++)
			round_trip(n, width);
		for (size_t i = 0; i < 4; i++)
			round_trip(lengths[i], width);
	}

	/* the width that is needed */
	CHECK_EQ(elac_bitpack_width(values, 0), 0);
	CHECK_EQ(elac_bitpack_width(values, 3), 0);
	for (unsigned bit = 0; bit < 32; bit++)
	{
		values[1] = (uint32_t) 1 << bit;
		CHECK_EQ(elac_bitpack_width(values, 3), bit + 1);
	}

	/* values wider than the width are cut, neighbours unharmed */
	values[0] = 1;
	values[1] = 0xFFFFFFF0;
	values[2] = 2;
	elac_bitpack(values, 3, 2, &byte);
	CHECK_EQ(byte, 0x21);

	/* a position past the packed bytes is 0, not a read */
	CHECK_EQ(elac_bitpack_get(&byte, 3, 2, 100), 0);
	CHECK_EQ(elac_bitpack_get(&byte, 3, 0, 1), 0);
	return check_done();
}
