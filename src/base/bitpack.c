/*
 * bitpack.c
 *	  Unsigned integers packed at a fixed width of 0..32 bits, low bits first.
 *
 * Value i occupies the bits [i * width, (i + 1) * width) of the packed area,
 * bit b being bit b % 8 of byte b / 8.  Bits past the last value are zero.
 * Callers check width <= 32 and that the area has elac_bitpack_bytes() bytes;
 * nothing outside of the area is touched.
 */
#include "base/bitpack.h"

#include <string.h>

#include "base/bytes.h"

static uint64_t
bitpack_mask(unsigned width)
{
	return ((uint64_t) 1 << width) - 1;
}

unsigned
elac_bitpack_width(const uint32_t *values, size_t n)
{
	uint32_t	all = 0;

	for (size_t i = 0; i < n; i++)
		all |= values[i];
	return all == 0 ? 0 : 32 - (unsigned) __builtin_clz(all);
}

void
elac_bitpack(const uint32_t *values, size_t n, unsigned width, uint8_t *dst)
{
	uint64_t	mask = bitpack_mask(width);
	uint64_t	pending = 0;	/* at most 31 + 32 bits */
	unsigned	npending = 0;

	for (size_t i = 0; i < n; i++)
	{
		pending |= (values[i] & mask) << npending;
		npending += width;
		if (npending >= 32)
		{
			elac_put_u32(dst, (uint32_t) pending);
			dst += 4;
			pending >>= 32;
			npending -= 32;
		}
	}
	while (npending > 0)
	{
		*dst++ = (uint8_t) pending;
		pending >>= 8;
		npending = npending > 8 ? npending - 8 : 0;
	}
}

void
elac_bitunpack(const uint8_t *src, size_t n, unsigned width, uint32_t *values)
{
	uint64_t	mask = bitpack_mask(width);
	size_t		nbytes = elac_bitpack_bytes(n, width);
	size_t		i = 0;
	size_t		bit = 0;

	if (width == 0)
	{
		if (n > 0)
			memset(values, 0, n * sizeof(uint32_t));
		return;
	}

	/* A value spans at most 7 + 32 bits: one load of eight bytes has it. */
	while (i < n && (bit >> 3) + 8 <= nbytes)
	{
		values[i++] = (uint32_t) ((elac_get_u64(src + (bit >> 3)) >> (bit & 7)) & mask);
		bit += width;
	}
	for (; i < n; i++)
		values[i] = elac_bitpack_get(src, n, width, i);
}

uint32_t
elac_bitpack_get(const uint8_t *src, size_t n, unsigned width, size_t position)
{
	size_t		bit = position * width;
	size_t		first = bit >> 3;
	size_t		nbytes = elac_bitpack_bytes(n, width);
	uint64_t	window = 0;

	if (first >= nbytes)
		return 0;				/* width 0, or a position past the end */
	if (nbytes - first >= 8)
		window = elac_get_u64(src + first);
	else
	{
		for (size_t i = first; i < nbytes; i++)
			window |= (uint64_t) src[i] << (8 * (i - first));
	}
	return (uint32_t) ((window >> (bit & 7)) & bitpack_mask(width));
}
