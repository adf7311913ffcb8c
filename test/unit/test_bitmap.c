/*
 * test_bitmap.c
 *	  Bitmaps against arrays of bool, at every size around word limits.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/rng.h"

static ElacRng rng;

/* Exactly as many words as needed, so that the sanitizer sees the next one. */
static ElacBitmap
bitmap_make(uint32_t nbits)
{
	ElacBitmap	bitmap = {nbits, malloc(elac_bitmap_words(nbits) * sizeof(uint64_t))};

	elac_bitmap_zero(&bitmap);
	return bitmap;
}

static void
bitmap_random(ElacBitmap *bitmap, unsigned char *bits, unsigned sparse)
{
	elac_bitmap_zero(bitmap);
	for (uint32_t i = 0; i < bitmap->nbits; i++)
	{
		bits[i] = elac_rng_below(&rng, sparse) == 0;
		if (bits[i])
			elac_bitmap_set(bitmap, i);
	}
}

/* Same bits, and nothing beyond nbits. */
static void
check_bits(const ElacBitmap *bitmap, const unsigned char *bits)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < bitmap->nbits; i++)
	{
		CHECK_EQ(elac_bitmap_get(bitmap, i), bits[i]);
		count += bits[i];
	}
	CHECK_EQ(elac_bitmap_count(bitmap), count);
	if (bitmap->nbits % 64 != 0)
		CHECK(bitmap->words[bitmap->nbits / 64] >> (bitmap->nbits % 64) == 0);
}

static void
check_operations(uint32_t n)
{
	ElacBitmap	a = bitmap_make(n);
	ElacBitmap	b = bitmap_make(n);
	ElacBitmap	c = bitmap_make(n);
	unsigned char *x = calloc(n + 1, 1);
	unsigned char *y = calloc(n + 1, 1);
	unsigned char *z = calloc(n + 1, 1);

	bitmap_random(&a, x, 2);
	bitmap_random(&b, y, 3);
	check_bits(&a, x);

	elac_bitmap_copy(&c, &a);
	check_bits(&c, x);
	elac_bitmap_and(&c, &b);
	for (uint32_t i = 0; i < n; i++)
		z[i] = x[i] && y[i];
	check_bits(&c, z);
	elac_bitmap_copy(&c, &a);
	elac_bitmap_or(&c, &b);
	for (uint32_t i = 0; i < n; i++)
		z[i] = x[i] || y[i];
	check_bits(&c, z);
	elac_bitmap_copy(&c, &a);
	elac_bitmap_andnot(&c, &b);
	for (uint32_t i = 0; i < n; i++)
		z[i] = x[i] && !y[i];
	check_bits(&c, z);
	elac_bitmap_not(&c);
	for (uint32_t i = 0; i < n; i++)
		z[i] = !z[i];
	check_bits(&c, z);
	elac_bitmap_fill(&c);
	memset(z, 1, n);
	check_bits(&c, z);
	for (uint32_t i = 0; i < n; i += 3)
	{
		elac_bitmap_clear(&c, i);
		z[i] = 0;
	}
	check_bits(&c, z);
	elac_bitmap_zero(&c);
	memset(z, 0, n);
	check_bits(&c, z);

	free(a.words);
	free(b.words);
	free(c.words);
	free(x);
	free(y);
	free(z);
}

static void
check_ranges(uint32_t n)
{
	ElacBitmap	a = bitmap_make(n);
	ElacBitmap	c = bitmap_make(n);
	unsigned char *x = calloc(n + 1, 1);
	unsigned char *z = calloc(n + 1, 1);

	bitmap_random(&a, x, 2);
	for (uint32_t first = 0; first <= n + 2; first += 1 + first / 7)
	{
		for (uint32_t last = 0; last <= n + 2; last++)
		{
			uint32_t	count = 0;

			for (uint32_t i = first; i < last && i < n; i++)
				count += x[i];
			CHECK_EQ(elac_bitmap_count_range(&a, first, last), count);

			elac_bitmap_zero(&c);
			elac_bitmap_set_range(&c, first, last);
			CHECK_EQ(elac_bitmap_count(&c), elac_bitmap_count_range(&c, first, last));
			CHECK_EQ(elac_bitmap_count(&c), first < last && first < n ? (last < n ? last : n) - first : 0);
		}
	}
	/* ranges are added to what is there */
	elac_bitmap_set_range(&a, n / 3, n);
	memcpy(z, x, n);
	if (n > 0)
		memset(z + n / 3, 1, n - n / 3);
	check_bits(&a, z);

	free(a.words);
	free(c.words);
	free(x);
	free(z);
}

static void
check_walk(uint32_t n, unsigned sparse)
{
	ElacBitmap	a = bitmap_make(n);
	unsigned char *x = calloc(n + 64, 1);

	bitmap_random(&a, x, sparse);
	for (uint32_t from = 0; from <= n + 40; from++)
	{
		uint32_t	want = from;
		uint32_t	window = 0;

		while (want < n && !x[want])
			want++;
		CHECK_EQ(elac_bitmap_next(&a, from), want < n ? want : n);
		for (uint32_t to = from; to <= n; to += 1 + to / 7)
			CHECK_EQ(elac_bitmap_any(&a, from, to), want < to);

		for (uint32_t i = 0; i < 32 && from + i < n; i++)
			window |= (uint32_t) x[from + i] << i;
		CHECK_EQ(elac_bitmap_window32(&a, from), window);
	}
	free(a.words);
	free(x);
}

/* Numbers near 2^32 do not wrap. */
static void
check_largest(void)
{
	CHECK(elac_bitmap_words(UINT32_MAX) == (size_t) 1 << 26);
	CHECK_EQ(elac_bitmap_words(0), 0);
	CHECK_EQ(elac_bitmap_words(64), 1);
	CHECK_EQ(elac_bitmap_words(65), 2);
	{
		ElacBitmap	huge = {UINT32_MAX, calloc(elac_bitmap_words(UINT32_MAX), sizeof(uint64_t))};

		if (huge.words == NULL)
			return;
		elac_bitmap_set(&huge, UINT32_MAX - 1);
		CHECK_EQ(elac_bitmap_next(&huge, UINT32_MAX - 200), UINT32_MAX - 1);
		CHECK_EQ(elac_bitmap_next(&huge, UINT32_MAX), UINT32_MAX);
		CHECK_EQ(elac_bitmap_window32(&huge, UINT32_MAX - 1), 1);
		CHECK_EQ(elac_bitmap_count_range(&huge, UINT32_MAX - 100, UINT32_MAX), 1);
		elac_bitmap_set_range(&huge, UINT32_MAX - 10, UINT32_MAX);
		CHECK_EQ(elac_bitmap_count_range(&huge, UINT32_MAX - 100, UINT32_MAX), 10);
		free(huge.words);
	}
}

int
main(void)
{
	static const uint32_t sizes[] = {0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 129, 191, 192, 193, 257};

	elac_rng_seed(&rng, 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		check_operations(sizes[i]);
		check_ranges(sizes[i]);
		check_walk(sizes[i], 2);
		check_walk(sizes[i], 90);
		check_walk(sizes[i], 100000);
	}
	check_largest();
	return check_done();
}
