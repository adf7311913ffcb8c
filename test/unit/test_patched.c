/*
 * test_patched.c
 *	  Patched frames: what is written is read back, takes no more than plain
 *	  packing, and no other bytes are read; damaged frames are refused or give
 *	  values, within their bytes.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitpack.h"
#include "base/patched.h"
#include "base/rng.h"

static ElacRng rng;

/* n values, most of them below 2^width, one in `every` of any size up to 2^wide. */
static void
make_values(uint32_t *values, size_t n, unsigned width, unsigned wide, unsigned every)
{
	for (size_t i = 0; i < n; i++)
	{
		unsigned	bits = every > 0 && elac_rng_below(&rng, every) == 0 ? wide : width;

		values[i] = (uint32_t) (elac_rng_u64(&rng) & (((uint64_t) 1 << bits) - 1));
	}
}

static void
round_trip(const uint32_t *values, size_t n)
{
	uint8_t    *written = malloc(ELAC_PATCHED_MAX(n));
	size_t		len = elac_patched_write(values, n, written);
	uint8_t    *exact = malloc(len);	/* the sanitizer sees the next byte */
	uint32_t   *got = malloc((n + 1) * sizeof(uint32_t));
	const uint8_t *src = exact;

	memcpy(exact, written, len);
	CHECK(len <= 1 + elac_bitpack_bytes(n, elac_bitpack_width(values, n)));
	for (uint32_t add = 0; add < 2; add++)
	{
		bool		fits = true;

		for (size_t i = 0; i < n; i++)
			fits &= values[i] <= UINT32_MAX - add;
		if (!fits)
		{
			src = exact;
			CHECK(!elac_patched_read(&src, exact + len, n, add, got));
			continue;
		}
		got[n] = 0xEEEEEEEE;
		src = exact;
		CHECK(elac_patched_read(&src, exact + len, n, add, got));
		CHECK(src == exact + len);
		for (size_t i = 0; i < n; i++)
			CHECK(got[i] == values[i] + add);
		CHECK_EQ(got[n], 0xEEEEEEEE);
	}
	src = exact;
	CHECK(elac_patched_skip(&src, exact + len, n));
	CHECK(src == exact + len);
	for (size_t cut = 1; cut <= len; cut += 1 + len / 8)
	{
		src = exact;
		CHECK(!elac_patched_read(&src, exact + len - cut, n, 0, got));
		src = exact;
		CHECK(!elac_patched_skip(&src, exact + len - cut, n));
	}
	free(written);
	free(exact);
	free(got);
}

/* Any bytes: true or false, and nothing outside of them touched. */
static void
damaged(size_t n)
{
	uint32_t	values[ELAC_PATCHED_VALUES];
	uint8_t		written[ELAC_PATCHED_MAX(ELAC_PATCHED_VALUES)];
	size_t		len;
	uint8_t    *exact;

	make_values(values, n, 3, 17, 9);
	len = elac_patched_write(values, n, written);
	exact = malloc(len);
	for (int round = 0; round < 300; round++)
	{
		const uint8_t *src = exact;
		size_t		at = elac_rng_below(&rng, round % 2 ? len : len < 3 ? len : 3);

		memcpy(exact, written, len);
		exact[at] = (uint8_t) elac_rng_u64(&rng);
		if (elac_patched_read(&src, exact + len, n, 0, values))
			CHECK(src <= exact + len);
	}
	free(exact);
}

int
main(void)
{
	static const size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256};
	uint32_t	values[ELAC_PATCHED_VALUES + 1];
	uint8_t		bytes[ELAC_PATCHED_MAX(ELAC_PATCHED_VALUES)];
	const uint8_t *src;

	elac_rng_seed(&rng, 5);
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
	{
		size_t		n = lengths[l];

		for (unsigned width = 0; width <= 32; width++)
			for (unsigned every = 0; every <= 40; every += every < 5 ? 1 : 7)
			{
				make_values(values, n, width, every % 2 ? 32 : width + (32 - width) / 2, every);
				round_trip(values, n);
			}
		damaged(n);
	}

	/* the largest value has no room for one more */
	for (int i = 0; i < 128; i++)
		values[i] = i == 77 ? UINT32_MAX : 3;
	round_trip(values, 128);
	for (int i = 0; i < 128; i++)
		values[i] = UINT32_MAX - (i == 99);
	round_trip(values, 128);

	/* a few large ones cost what they need, and not their width for all */
	memset(values, 0, sizeof(values));
	values[5] = 1000000;
	CHECK(elac_patched_write(values, 128, bytes) <= 3 + 1 + 3);
	/* many: a bit each instead of a byte */
	for (int i = 0; i < 128; i++)
		values[i] = i % 3 == 0 ? 40 : 1;
	CHECK(elac_patched_write(values, 128, bytes) <= 3 + 16 + 16 + 43 * 5 / 8 + 1);

	/* headers that no writer makes */
	src = memcpy(bytes, "\x21", 1);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 4, 0, values));
	src = memcpy(bytes, "\x80", 1);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 4, 0, values));
	src = memcpy(bytes, "\x40\x00\x01", 3);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 4, 0, values));
	src = memcpy(bytes, "\x40\x05\x01", 3);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 4, 0, values));
	src = memcpy(bytes, "\x60\x01\x01", 3);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 4, 0, values));
	/* positions that do not ascend, or lie beyond the end */
	src = memcpy(bytes, "\x40\x02\x01\x03\x03\x03", 6);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 32, 0, values));
	src = memcpy(bytes, "\x40\x02\x01\x03\x20\x03", 6);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 32, 0, values));
	/* a bitmap with too few bits, or with one beyond the end */
	src = memcpy(bytes, "\x40\x02\x01\x01\x03", 5);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 7, 0, values));
	src = memcpy(bytes, "\x40\x02\x01\x81\x03", 5);
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), 7, 0, values));
	src = memcpy(bytes, "\x40\x02\x01\x41\x03", 5);
	CHECK(elac_patched_read(&src, bytes + sizeof(bytes), 7, 0, values));
	CHECK_EQ(values[0], 1);
	CHECK_EQ(values[6], 1);
	CHECK_EQ(src - bytes, 5);
	src = bytes;
	CHECK(!elac_patched_read(&src, bytes, 7, 0, values));
	CHECK(!elac_patched_read(&src, bytes + sizeof(bytes), ELAC_PATCHED_VALUES + 1, 0, values));
	return check_done();
}
