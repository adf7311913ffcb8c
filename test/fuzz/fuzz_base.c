/*
 * fuzz_base.c
 *	  The decoders of base on arbitrary bytes: they must neither read outside
 *	  of what they are given nor disagree with themselves.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitpack.h"
#include "base/checksum.h"
#include "base/checksum_impl.h"
#include "base/kernels.h"
#include "base/varint.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) do { if (!(condition)) abort(); } while (0)

/* Whatever is read back encodes to the bytes it was read from. */
static void
fuzz_varint(const uint8_t *data, size_t size)
{
	const uint8_t *p = data;
	const uint8_t *end = data + size;

	for (;;)
	{
		const uint8_t *before = p;
		uint64_t	value;
		uint8_t		again[ELAC_VARINT_MAX];
		size_t		len;

		if (!elac_varint_get(&p, end, &value))
		{
			REQUIRE(p == before);
			return;
		}
		len = elac_varint_put(again, value);
		REQUIRE(len == (size_t) (p - before) && len == elac_varint_len(value));
		REQUIRE(memcmp(again, before, len) == 0);
	}
}

/* First byte: width; the rest is packed values, in a buffer of its exact size. */
static void
fuzz_bitpack(const uint8_t *data, size_t size)
{
	unsigned	width;
	size_t		n;
	size_t		nbytes;
	uint8_t    *packed;
	uint8_t    *again;
	uint32_t   *values;

	if (size < 1)
		return;
	width = data[0] % 33;
	n = width == 0 ? size : (size - 1) * 8 / width;
	nbytes = elac_bitpack_bytes(n, width);
	REQUIRE(nbytes < size || width == 0);
	packed = malloc(nbytes + (nbytes == 0));
	again = malloc(nbytes + (nbytes == 0));
	values = malloc((n + 1) * sizeof(uint32_t));
	memcpy(packed, data + 1, nbytes);

	elac_bitunpack(packed, n, width, values);
	REQUIRE(elac_bitpack_width(values, n) <= width);
	for (size_t i = 0; i < n; i++)
		REQUIRE(elac_bitpack_get(packed, n, width, i) == values[i]);
	elac_bitpack(values, n, width, again);
	if (n * width / 8 > 0)		/* bits behind the last value may differ */
		REQUIRE(memcmp(packed, again, n * width / 8) == 0);

	free(packed);
	free(again);
	free(values);
}

/* Integer kernels and packed codes: every implementation on the same bytes. */
static void
fuzz_kernels(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"avx2", "avx512", "neon"};
	const ElacKernels *scalar = elac_kernels_by_name("scalar");
	size_t		units = size / 64;
	unsigned	width = size > 0 ? data[0] % 7 + 1 : 1;
	size_t		n = size * 8 / width;
	float	   *q = calloc(n + 1, sizeof(float));
	uint32_t	want[32];

	for (size_t i = 0; i < n; i++)
		q[i] = (float) (i % 3);	/* sums of small integers are exact */
	scalar->fastscan32(data, data + units * 32, units, want);
	for (size_t i = 0; i < 3; i++)
	{
		const ElacKernels *k = elac_kernels_by_name(names[i]);
		uint32_t	got[32];

		if (k == NULL)
			continue;
		k->fastscan32(data, data + units * 32, units, got);
		REQUIRE(memcmp(got, want, sizeof(got)) == 0);
		if (n < 10000)
			REQUIRE(k->ip_packed(q, data, width, n) == scalar->ip_packed(q, data, width, n));
	}
	free(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_varint(data, size);
	fuzz_bitpack(data, size);
	fuzz_kernels(data, size);
	REQUIRE(elac_crc32c(0, data, size) == elac_crc32c_portable(0, data, size));
	return 0;
}
