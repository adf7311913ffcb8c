/*
 * kernels_unpack.c
 *	  From packed gaps to numbers: unpacking at a fixed width, and the running
 *	  sums that make document numbers of gaps.  One function each for scalar
 *	  code (the truth), AVX2, AVX-512 and NEON, for the tables of kernels_*.c.
 *
 * Packed areas are those of base/bitpack.h.  A lane takes the two words that
 * its value can lie in, shifts and joins them.  Nothing outside of the packed
 * area is read: where a whole register would be, its rest is copied first.
 */
#include <string.h>

#include "base/bitpack.h"
#include "base/kernels_impl.h"

void
elac_unpack_scalar(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values)
{
	elac_bitunpack(src, n, width, values);
	for (size_t i = 0; i < n; i++)
		values[i] += add;
}

/* Adds the high parts to values that are unpacked already. */
static inline size_t
unpack_add_high(unsigned width, const uint64_t where[4], const uint32_t *high, uint32_t *values)
{
	const uint32_t *first = high;

	for (int word = 0; word < 4; word++)
		for (uint64_t bits = where[word]; bits != 0; bits &= bits - 1)
			values[word * 64 + __builtin_ctzll(bits)] += *high++ << width;
	return (size_t) (high - first);
}

size_t
elac_unpack_patched_scalar(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
						   const uint32_t *high, uint32_t *values)
{
	elac_unpack_scalar(src, n, width, add, values);
	return unpack_add_high(width, where, high, values);
}

bool
elac_gaps_to_docs_scalar(uint32_t *values, size_t n, uint32_t base)
{
	uint64_t	next = base;

	for (size_t i = 0; i < n; i++)
	{
		next += values[i];
		values[i] = (uint32_t) next;
		next++;
	}
	return next <= (uint64_t) UINT32_MAX + 1;
}

#ifdef ELAC_KERNELS_X86

#include <immintrin.h>

#define UNPACK_AVX2 __attribute__((target("avx2,fma,f16c")))
#define UNPACK_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))

UNPACK_AVX2 void
elac_unpack_avx2(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values)
{
	const __m256i bits = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32((int) width));
	const __m256i low = _mm256_srli_epi32(bits, 5);
	const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(1));
	const __m256i right = _mm256_and_si256(bits, _mm256_set1_epi32(31));
	const __m256i left = _mm256_sub_epi32(_mm256_set1_epi32(32), right);
	const __m256i mask = _mm256_set1_epi32((int) (((uint64_t) 1 << width) - 1));
	const __m256i plus = _mm256_set1_epi32((int) add);
	size_t		left_bytes = elac_bitpack_bytes(n, width);
	uint8_t		rest[64];		/* fewer than 32 bytes, zeros behind them */
	bool		copied = false;

	for (size_t i = 0; i < n; i += 8)
	{
		__m256i		words;
		__m256i		value;

		if (!copied && left_bytes < 32)
		{
			memset(rest, 0, sizeof(rest));
			memcpy(rest, src, left_bytes);
			src = rest;
			copied = true;
		}
		words = _mm256_loadu_si256((const __m256i *) src);
		value = _mm256_or_si256(_mm256_srlv_epi32(_mm256_permutevar8x32_epi32(words, low), right),
								_mm256_sllv_epi32(_mm256_permutevar8x32_epi32(words, high), left));
		value = _mm256_add_epi32(_mm256_and_si256(value, mask), plus);
		if (n - i >= 8)
			_mm256_storeu_si256((__m256i *) (values + i), value);
		else
		{
			uint32_t	last[8];

			_mm256_storeu_si256((__m256i *) last, value);
			memcpy(values + i, last, (n - i) * sizeof(uint32_t));
		}
		src += width;
		left_bytes -= left_bytes < width ? left_bytes : width;
	}
}

UNPACK_AVX2 size_t
elac_unpack_patched_avx2(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
						 const uint32_t *high, uint32_t *values)
{
	elac_unpack_avx2(src, n, width, add, values);
	return unpack_add_high(width, where, high, values);
}

/*
 * A number that is not above the one before shows that a sum has passed 2^32;
 * what comes first is compared with the base.
 */
UNPACK_AVX2 bool
elac_gaps_to_docs_avx2(uint32_t *values, size_t n, uint32_t base)
{
	const __m256i sign = _mm256_set1_epi32((int) 0x80000000u);
	const __m256i one = _mm256_set1_epi32(1);
	const __m256i last = _mm256_set1_epi32(7);
	const __m256i back = _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6);
	__m256i		before = _mm256_set1_epi32((int) (base - 1));
	__m256i		good = _mm256_set1_epi32(-1);
	size_t		i = 0;

	if (n == 0)
		return true;
	if (values[0] > UINT32_MAX - base)
		return elac_gaps_to_docs_scalar(values, n, base);
	for (; i + 8 <= n; i += 8)
	{
		__m256i		sum = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *) (values + i)), one);
		__m256i		carry;
		__m256i		shifted;
		__m256i		above;

		sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 4));
		sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 8));
		carry = _mm256_shuffle_epi32(_mm256_permute2x128_si256(sum, sum, 0x08), 0xFF);
		sum = _mm256_add_epi32(_mm256_add_epi32(sum, carry), before);
		_mm256_storeu_si256((__m256i *) (values + i), sum);
		shifted = _mm256_blend_epi32(_mm256_permutevar8x32_epi32(sum, back), before, 1);
		above = _mm256_cmpgt_epi32(_mm256_xor_si256(sum, sign), _mm256_xor_si256(shifted, sign));
		/* The very first has been compared above: base - 1 may be -1. */
		if (i == 0)
			above = _mm256_blend_epi32(above, _mm256_set1_epi32(-1), 1);
		good = _mm256_and_si256(good, above);
		before = _mm256_permutevar8x32_epi32(sum, last);
	}
	if (i == 0)
		return elac_gaps_to_docs_scalar(values, n, base);
	if (_mm256_movemask_epi8(good) != -1)
		return false;
	if (i == n)
		return true;
	if (values[i - 1] == UINT32_MAX)
		return false;
	return elac_gaps_to_docs_scalar(values + i, n - i, values[i - 1] + 1);
}

/* Sixteen values a register; the high parts of those that have some are spread over it. */
static inline UNPACK_AVX512 size_t
avx512_unpack_patched(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t *where,
					  const uint32_t *high, uint32_t *values)
{
	const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	const __m512i bits = _mm512_mullo_epi32(lanes, _mm512_set1_epi32((int) width));
	const __m512i low = _mm512_srli_epi32(bits, 5);
	const __m512i next = _mm512_add_epi32(low, _mm512_set1_epi32(1));
	const __m512i right = _mm512_and_si512(bits, _mm512_set1_epi32(31));
	const __m512i left = _mm512_sub_epi32(_mm512_set1_epi32(32), right);
	const __m512i mask = _mm512_set1_epi32((int) (((uint64_t) 1 << width) - 1));
	const __m512i plus = _mm512_set1_epi32((int) add);
	const __m128i up = _mm_cvtsi32_si128((int) width);
	const __mmask64 group = width == 32 ? ~(__mmask64) 0 : ((__mmask64) 1 << (2 * width)) - 1;
	const uint32_t *first = high;

	for (size_t i = 0; i < n; i += 16)
	{
		bool		whole = n - i >= 16;
		__mmask64	bytes = whole ? group : ((__mmask64) 1 << elac_bitpack_bytes(n - i, width)) - 1;
		__m512i		words = _mm512_maskz_loadu_epi8(bytes, src);
		__m512i		value = _mm512_or_si512(_mm512_srlv_epi32(_mm512_permutexvar_epi32(low, words), right),
											_mm512_sllv_epi32(_mm512_permutexvar_epi32(next, words), left));

		value = _mm512_add_epi32(_mm512_and_si512(value, mask), plus);
		if (where != NULL)
		{
			__mmask16	some = (__mmask16) (where[i / 64] >> (i % 64));
			__m512i		parts = _mm512_maskz_expand_epi32(some, _mm512_loadu_si512(high));

			value = _mm512_add_epi32(value, _mm512_sll_epi32(parts, up));
			high += __builtin_popcount(some);
		}
		_mm512_mask_storeu_epi32(values + i, whole ? (__mmask16) 0xFFFF : (__mmask16) ((1u << (n - i)) - 1), value);
		src += 2 * width;
	}
	return (size_t) (high - first);
}

UNPACK_AVX512 void
elac_unpack_avx512(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values)
{
	avx512_unpack_patched(src, n, width, add, NULL, NULL, values);
}

UNPACK_AVX512 size_t
elac_unpack_patched_avx512(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
						   const uint32_t *high, uint32_t *values)
{
	return avx512_unpack_patched(src, n, width, add, where, high, values);
}

UNPACK_AVX512 bool
elac_gaps_to_docs_avx512(uint32_t *values, size_t n, uint32_t base)
{
	const __m512i zero = _mm512_setzero_si512();
	const __m512i one = _mm512_set1_epi32(1);
	const __m512i last = _mm512_set1_epi32(15);
	__m512i		before = _mm512_set1_epi32((int) (base - 1));
	__mmask16	broken = 0;

	if (n == 0)
		return true;
	if (values[0] > UINT32_MAX - base)
		return elac_gaps_to_docs_scalar(values, n, base);
	for (size_t i = 0; i < n; i += 16)
	{
		__mmask16	lanes = n - i >= 16 ? (__mmask16) 0xFFFF : (__mmask16) ((1u << (n - i)) - 1);
		/* The very first has been compared above: base - 1 may be -1. */
		__mmask16	compared = i == 0 ? lanes & ~(__mmask16) 1 : lanes;
		__m512i		sum = _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, values + i), one);

		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 15));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 14));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 12));
		sum = _mm512_add_epi32(sum, _mm512_alignr_epi32(sum, zero, 8));
		sum = _mm512_add_epi32(sum, before);
		_mm512_mask_storeu_epi32(values + i, lanes, sum);
		broken |= _mm512_mask_cmple_epu32_mask(compared, sum, _mm512_alignr_epi32(sum, before, 15));
		before = _mm512_permutexvar_epi32(last, sum);
	}
	return broken == 0;
}

#endif							/* ELAC_KERNELS_X86 */

#ifdef ELAC_KERNELS_ARM

#include <arm_neon.h>

/* Values of up to 25 bits lie in four bytes, whatever the bit they begin at. */
void
elac_unpack_neon(const uint8_t *src, size_t n, unsigned width, uint32_t add, uint32_t *values)
{
	static const uint32_t numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	size_t		left_bytes = elac_bitpack_bytes(n, width);
	uint8_t		rest[64];		/* fewer than 32 bytes, zeros behind them */
	bool		copied = false;
	uint8x16_t	bytes[2];
	int32x4_t	shifts[2];
	const uint32x4_t mask = vdupq_n_u32((uint32_t) (((uint64_t) 1 << width) - 1));
	const uint32x4_t plus = vdupq_n_u32(add);

	if (width > 25)
	{
		elac_unpack_scalar(src, n, width, add, values);
		return;
	}
	for (int half = 0; half < 2; half++)
	{
		uint32x4_t	bits = vmulq_u32(vld1q_u32(numbers + half * 4), vdupq_n_u32(width));
		uint32x4_t	first = vmulq_u32(vshrq_n_u32(bits, 3), vdupq_n_u32(0x01010101));

		bytes[half] = vreinterpretq_u8_u32(vaddq_u32(first, vdupq_n_u32(0x03020100)));
		shifts[half] = vnegq_s32(vreinterpretq_s32_u32(vandq_u32(bits, vdupq_n_u32(7))));
	}
	for (size_t i = 0; i < n; i += 8)
	{
		uint8x16x2_t words;
		uint32_t	out[8];

		if (!copied && left_bytes < 32)
		{
			memset(rest, 0, sizeof(rest));
			memcpy(rest, src, left_bytes);
			src = rest;
			copied = true;
		}
		words.val[0] = vld1q_u8(src);
		words.val[1] = vld1q_u8(src + 16);
		for (int half = 0; half < 2; half++)
		{
			uint32x4_t	value = vshlq_u32(vreinterpretq_u32_u8(vqtbl2q_u8(words, bytes[half])), shifts[half]);

			vst1q_u32(out + half * 4, vaddq_u32(vandq_u32(value, mask), plus));
		}
		memcpy(values + i, out, (n - i >= 8 ? 8 : n - i) * sizeof(uint32_t));
		src += width;
		left_bytes -= left_bytes < width ? left_bytes : width;
	}
}

size_t
elac_unpack_patched_neon(const uint8_t *src, size_t n, unsigned width, uint32_t add, const uint64_t where[4],
						 const uint32_t *high, uint32_t *values)
{
	elac_unpack_neon(src, n, width, add, values);
	return unpack_add_high(width, where, high, values);
}

bool
elac_gaps_to_docs_neon(uint32_t *values, size_t n, uint32_t base)
{
	const uint32x4_t zero = vdupq_n_u32(0);
	const uint32x4_t one = vdupq_n_u32(1);
	uint32x4_t	before;
	uint32x4_t	good = vdupq_n_u32(UINT32_MAX);
	size_t		i = 0;

	if (n == 0)
		return true;
	if (n < 4 || values[0] > UINT32_MAX - base)
		return elac_gaps_to_docs_scalar(values, n, base);
	before = vdupq_n_u32(base - 1);
	for (; i + 4 <= n; i += 4)
	{
		uint32x4_t	sum = vaddq_u32(vld1q_u32(values + i), one);
		uint32x4_t	above;

		sum = vaddq_u32(sum, vextq_u32(zero, sum, 3));
		sum = vaddq_u32(sum, vextq_u32(zero, sum, 2));
		sum = vaddq_u32(sum, before);
		vst1q_u32(values + i, sum);
		above = vcgtq_u32(sum, vextq_u32(before, sum, 3));
		/* The very first has been compared above: base - 1 may be -1. */
		if (i == 0)
			above = vsetq_lane_u32(UINT32_MAX, above, 0);
		good = vandq_u32(good, above);
		before = vdupq_laneq_u32(sum, 3);
	}
	if (vminvq_u32(good) == 0)
		return false;
	if (i == n)
		return true;
	if (values[i - 1] == UINT32_MAX)
		return false;
	return elac_gaps_to_docs_scalar(values + i, n - i, values[i - 1] + 1);
}

#endif							/* ELAC_KERNELS_ARM */
