/*
 * varint.c
 *	  LEB128 for unsigned 64-bit integers.
 *
 * One value has one encoding: the reader refuses a last byte of zero after a
 * first byte, so that equal bytes mean equal values and the other way round.
 */
#include "base/varint.h"

size_t
elac_varint_put(uint8_t *dst, uint64_t value)
{
	size_t		len = 0;

	while (value >= 0x80)
	{
		dst[len++] = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	dst[len++] = (uint8_t) value;
	return len;
}

/*
 * On failure neither *src nor *value is changed, so that the caller can say
 * where the damage is.
 */
bool
elac_varint_get(const uint8_t **src, const uint8_t *end, uint64_t *value)
{
	const uint8_t *p = *src;
	uint64_t	result = 0;

	for (unsigned shift = 0; shift < 7 * ELAC_VARINT_MAX; shift += 7)
	{
		uint8_t		byte;

		if (p >= end)
			return false;
		byte = *p++;

		/* The tenth byte holds bit 63 alone. */
		if (shift == 63 && byte > 1)
			return false;
		result |= (uint64_t) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			if (byte == 0 && shift > 0)
				return false;
			*src = p;
			*value = result;
			return true;
		}
	}
	return false;
}

size_t
elac_varint_len(uint64_t value)
{
	/* value | 1 spares the case of zero, which takes one byte too */
	unsigned	bits = 64 - (unsigned) __builtin_clzll(value | 1);

	return (bits + 6) / 7;
}
