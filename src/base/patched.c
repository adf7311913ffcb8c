/*
 * patched.c
 *	  Patched frames of integers; the bytes are in patched.h.
 */
#include "base/patched.h"

#include <string.h>

#include "base/bitpack.h"
#include "base/kernels.h"

/* What byte 0 and the two behind it say. */
typedef struct PatchedHeader
{
	unsigned	width;
	unsigned	npatches;
	unsigned	high_width;
} PatchedHeader;

/* Bytes that say which of n values have patches. */
static size_t
patched_where_bytes(size_t n, size_t npatches)
{
	size_t		bitmap = (n + 7) / 8;

	return npatches < bitmap ? npatches : bitmap;
}

/* The width that makes the frame shortest, the larger of equals: fewer patches are quicker to read. */
static PatchedHeader
patched_choose(const uint32_t *values, size_t n)
{
	size_t		count[33] = {0};	/* values that need so many bits */
	PatchedHeader best = {0, 0, 0};
	unsigned	widest = 32;
	size_t		shortest;
	size_t		npatches = 0;

	for (size_t i = 0; i < n; i++)
		count[values[i] == 0 ? 0 : 32 - __builtin_clz(values[i])]++;
	while (widest > 0 && count[widest] == 0)
		widest--;
	best.width = widest;
	shortest = elac_bitpack_bytes(n, widest);
	for (unsigned width = widest; width-- > 0;)
	{
		size_t		length;

		npatches += count[width + 1];
		length = 2 + elac_bitpack_bytes(n, width) + patched_where_bytes(n, npatches) +
			elac_bitpack_bytes(npatches, widest - width);
		if (npatches < ELAC_PATCHED_VALUES && length < shortest)
		{
			best.width = width;
			best.npatches = (unsigned) npatches;
			best.high_width = widest - width;
			shortest = length;
		}
	}
	return best;
}

size_t
elac_patched_write(const uint32_t *values, size_t n, uint8_t *dst)
{
	PatchedHeader header = patched_choose(values, n);
	uint32_t	high[ELAC_PATCHED_VALUES];
	uint8_t    *start = dst;
	uint8_t    *where;
	size_t		npatches = 0;
	bool		bitmap;

	*dst++ = (uint8_t) (header.width | (header.npatches > 0 ? ELAC_PATCHED_SOME : 0));
	if (header.npatches > 0)
	{
		*dst++ = (uint8_t) header.npatches;
		*dst++ = (uint8_t) header.high_width;
	}
	elac_bitpack(values, n, header.width, dst);
	dst += elac_bitpack_bytes(n, header.width);
	if (header.npatches == 0)
		return (size_t) (dst - start);
	bitmap = header.npatches >= (n + 7) / 8;
	where = dst;
	dst += patched_where_bytes(n, header.npatches);
	if (bitmap)
		memset(where, 0, (size_t) (dst - where));
	for (size_t i = 0; i < n; i++)
	{
		if (values[i] >> header.width == 0)
			continue;
		if (bitmap)
			where[i / 8] |= (uint8_t) (1 << i % 8);
		else
			where[npatches] = (uint8_t) i;
		high[npatches++] = values[i] >> header.width;
	}
	elac_bitpack(high, npatches, header.high_width, dst);
	return (size_t) (dst - start) + elac_bitpack_bytes(npatches, header.high_width);
}

/* Reads the header and checks that the frame ends before end. */
static bool
patched_header(const uint8_t **src, const uint8_t *end, size_t n, PatchedHeader *header)
{
	const uint8_t *at = *src;
	size_t		length;

	if (n > ELAC_PATCHED_VALUES || at >= end || (*at & ELAC_PATCHED_OTHER) != 0)
		return false;
	header->width = *at & ELAC_PATCHED_WIDTH;
	header->npatches = 0;
	header->high_width = 0;
	if (header->width > 32)
		return false;
	if (*at++ & ELAC_PATCHED_SOME)
	{
		if (end - at < 2)
			return false;
		header->npatches = *at++;
		header->high_width = *at++;
		if (header->npatches == 0 || header->npatches > n || header->high_width == 0 ||
			header->width + header->high_width > 32)
			return false;
	}
	length = elac_bitpack_bytes(n, header->width) + patched_where_bytes(n, header->npatches) +
		elac_bitpack_bytes(header->npatches, header->high_width);
	if (length > (size_t) (end - at))
		return false;
	*src = at;
	return true;
}

/* Which values have patches, as bits below n (how many is not checked); false when positions do not ascend. */
static bool
patched_where(const uint8_t *src, size_t n, unsigned npatches, uint64_t where[ELAC_PATCHED_VALUES / 64])
{
	size_t		bitmap = (n + 7) / 8;
	unsigned	count = 0;

	memset(where, 0, ELAC_PATCHED_VALUES / 8);
	if (npatches < bitmap)
	{
		uint64_t	low = 0;
		uint64_t	high = 0;

		/* The usual frame of 128 in two registers. */
		for (unsigned i = 0; i < npatches && n <= 128; i++)
		{
			uint64_t	bit = (uint64_t) 1 << (src[i] & 63);

			low |= src[i] < 64 ? bit : 0;
			high |= src[i] < 64 ? 0 : bit;
		}
		where[0] = low;
		where[1] = high;
		for (unsigned i = 0; i < npatches && n > 128; i++)
			where[src[i] / 64] |= (uint64_t) 1 << (src[i] % 64);
		for (unsigned i = 1; i < npatches; i++)
			count += src[i] <= src[i - 1];
		return count == 0 && src[npatches - 1] < n;
	}
	memcpy(where, src, bitmap);
	return n == ELAC_PATCHED_VALUES || where[n / 64] >> (n % 64) == 0;
}

/* Values to which add was added have not passed 2^32; only full width lets them. */
static bool
patched_no_overflow(const uint32_t *values, size_t n, uint32_t add)
{
	for (size_t i = 0; i < n; i++)
		if (values[i] < add)
			return false;
	return true;
}

bool
elac_patched_read(const uint8_t **src, const uint8_t *end, size_t n, uint32_t add, uint32_t *values)
{
	const ElacKernels *kernels = elac_kernels();
	PatchedHeader header;
	uint64_t	where[ELAC_PATCHED_VALUES / 64];
	uint32_t	high[ELAC_PATCHED_VALUES + ELAC_PATCH_SLACK];
	const uint8_t *low;

	if (!patched_header(src, end, n, &header))
		return false;
	low = *src;
	*src += elac_bitpack_bytes(n, header.width);
	if (header.npatches == 0)
	{
		kernels->unpack(low, n, header.width, add, values);
		return header.width < 32 || patched_no_overflow(values, n, add);
	}
	if (!patched_where(*src, n, header.npatches, where))
		return false;
	*src += patched_where_bytes(n, header.npatches);
	kernels->unpack(*src, header.npatches, header.high_width, 0, high);
	*src += elac_bitpack_bytes(header.npatches, header.high_width);
	if (kernels->unpack_patched(low, n, header.width, add, where, high, values) != header.npatches)
		return false;
	return header.width + header.high_width < 32 || patched_no_overflow(values, n, add);
}

bool
elac_patched_skip(const uint8_t **src, const uint8_t *end, size_t n)
{
	PatchedHeader header;

	if (!patched_header(src, end, n, &header))
		return false;
	*src += elac_bitpack_bytes(n, header.width) + patched_where_bytes(n, header.npatches) +
		elac_bitpack_bytes(header.npatches, header.high_width);
	return true;
}
