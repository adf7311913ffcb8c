/*
 * kernels_avx512.c
 *	  The inner loops with AVX-512 (F, BW, DQ, VL): sixteen floats a register,
 *	  masks instead of separate code for what is left over.
 *
 * Only kernels.c may hand this table out, after asking the processor.  Masked
 * loads do not touch the bytes masked off.
 */
#include "base/kernels_impl.h"

#ifdef ELAC_KERNELS_X86

#include <immintrin.h>

#include <string.h>

#include "base/bitpack.h"
#include "base/bytes.h"

#define AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))

/* Mask of the first n of sixteen lanes, all of them when n is larger. */
static inline __mmask16
avx512_mask16(size_t n)
{
	return n >= 16 ? (__mmask16) 0xFFFF : (__mmask16) ((1u << n) - 1);
}

static inline AVX512 __m512
avx512_load_f32(const float *src)
{
	return _mm512_loadu_ps(src);
}

static inline AVX512 __m512
avx512_load_tail_f32(const float *src, size_t n)
{
	return _mm512_maskz_loadu_ps(avx512_mask16(n), src);
}

static inline AVX512 __m512
avx512_load_f16(const uint16_t *src)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) src));
}

static inline AVX512 __m512
avx512_load_tail_f16(const uint16_t *src, size_t n)
{
	return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(avx512_mask16(n), src));
}

static inline AVX512 __m512
avx512_step_l2sq(__m512 acc, __m512 a, __m512 b)
{
	__m512		diff = _mm512_sub_ps(a, b);

	return _mm512_fmadd_ps(diff, diff, acc);
}

static inline AVX512 __m512
avx512_step_ip(__m512 acc, __m512 a, __m512 b)
{
	return _mm512_fmadd_ps(a, b, acc);
}

static inline AVX512 __m512
avx512_step_l1(__m512 acc, __m512 a, __m512 b)
{
	return _mm512_add_ps(acc, _mm512_abs_ps(_mm512_sub_ps(a, b)));
}

/* Zeros behind a tail add nothing in any of the steps. */
#define AVX512_DEFINE_REDUCTION(kernel, kind, element) \
static AVX512 float \
avx512_##kernel##_##kind(const element *a, const element *b, size_t n) \
{ \
	__m512		acc0 = _mm512_setzero_ps(); \
	__m512		acc1 = acc0; \
	__m512		acc2 = acc0; \
	__m512		acc3 = acc0; \
	size_t		i = 0; \
	for (; i + 64 <= n; i += 64) \
	{ \
		acc0 = avx512_step_##kernel(acc0, avx512_load_##kind(a + i), avx512_load_##kind(b + i)); \
		acc1 = avx512_step_##kernel(acc1, avx512_load_##kind(a + i + 16), avx512_load_##kind(b + i + 16)); \
		acc2 = avx512_step_##kernel(acc2, avx512_load_##kind(a + i + 32), avx512_load_##kind(b + i + 32)); \
		acc3 = avx512_step_##kernel(acc3, avx512_load_##kind(a + i + 48), avx512_load_##kind(b + i + 48)); \
	} \
	for (; i < n; i += 16) \
		acc0 = avx512_step_##kernel(acc0, avx512_load_tail_##kind(a + i, n - i), avx512_load_tail_##kind(b + i, n - i)); \
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(acc0, acc1), _mm512_add_ps(acc2, acc3))); \
}

#define AVX512_DEFINE_COSINE(kind, element) \
static AVX512 void \
avx512_cosine_##kind(const element *a, const element *b, size_t n, float *ab, float *aa, float *bb) \
{ \
	__m512		acc_ab = _mm512_setzero_ps(); \
	__m512		acc_aa = acc_ab; \
	__m512		acc_bb = acc_ab; \
	for (size_t i = 0; i < n; i += 16) \
	{ \
		__m512		x = avx512_load_tail_##kind(a + i, n - i); \
		__m512		y = avx512_load_tail_##kind(b + i, n - i); \
		acc_ab = _mm512_fmadd_ps(x, y, acc_ab); \
		acc_aa = _mm512_fmadd_ps(x, x, acc_aa); \
		acc_bb = _mm512_fmadd_ps(y, y, acc_bb); \
	} \
	*ab = _mm512_reduce_add_ps(acc_ab); \
	*aa = _mm512_reduce_add_ps(acc_aa); \
	*bb = _mm512_reduce_add_ps(acc_bb); \
}

AVX512_DEFINE_REDUCTION(l2sq, f32, float)
AVX512_DEFINE_REDUCTION(ip, f32, float)
AVX512_DEFINE_REDUCTION(l1, f32, float)
AVX512_DEFINE_REDUCTION(l2sq, f16, uint16_t)
AVX512_DEFINE_REDUCTION(ip, f16, uint16_t)
AVX512_DEFINE_REDUCTION(l1, f16, uint16_t)
AVX512_DEFINE_COSINE(f32, float)
AVX512_DEFINE_COSINE(f16, uint16_t)

static AVX512 void
avx512_f16_to_f32(const uint16_t *src, float *dst, size_t n)
{
	for (size_t i = 0; i < n; i += 16)
		_mm512_mask_storeu_ps(dst + i, avx512_mask16(n - i), avx512_load_tail_f16(src + i, n - i));
}

static AVX512 void
avx512_f32_to_f16(const float *src, uint16_t *dst, size_t n)
{
	for (size_t i = 0; i < n; i += 16)
		_mm256_mask_storeu_epi16(dst + i, avx512_mask16(n - i),
								 _mm512_cvtps_ph(avx512_load_tail_f32(src + i, n - i), _MM_FROUND_TO_NEAREST_INT));
}

/* u + v, but u - v in the lanes of minus. */
static inline AVX512 __m512
avx512_butterfly(__m512 u, __m512 v, __mmask16 minus)
{
	return _mm512_mask_sub_ps(_mm512_add_ps(u, v), minus, u, v);
}

/* Butterflies of distance 1, 2, 4 and 8 within sixteen values. */
static inline AVX512 __m512
avx512_hadamard16(__m512 x)
{
	x = avx512_butterfly(_mm512_moveldup_ps(x), _mm512_movehdup_ps(x), 0xAAAA);
	x = avx512_butterfly(_mm512_permute_ps(x, 0x44), _mm512_permute_ps(x, 0xEE), 0xCCCC);
	x = avx512_butterfly(_mm512_shuffle_f32x4(x, x, 0xA0), _mm512_shuffle_f32x4(x, x, 0xF5), 0xF0F0);
	return avx512_butterfly(_mm512_shuffle_f32x4(x, x, 0x44), _mm512_shuffle_f32x4(x, x, 0xEE), 0xFF00);
}

/* Stages of distance h and 2h in one pass over memory; h is at least 16. */
static AVX512 void
avx512_hadamard_pair(float *x, size_t n, size_t h)
{
	for (size_t i = 0; i < n; i += 4 * h)
	{
		for (size_t j = i; j < i + h; j += 16)
		{
			__m512		x0 = _mm512_loadu_ps(x + j);
			__m512		x1 = _mm512_loadu_ps(x + j + h);
			__m512		x2 = _mm512_loadu_ps(x + j + 2 * h);
			__m512		x3 = _mm512_loadu_ps(x + j + 3 * h);
			__m512		y0 = _mm512_add_ps(x0, x1);
			__m512		y1 = _mm512_sub_ps(x0, x1);
			__m512		y2 = _mm512_add_ps(x2, x3);
			__m512		y3 = _mm512_sub_ps(x2, x3);

			_mm512_storeu_ps(x + j, _mm512_add_ps(y0, y2));
			_mm512_storeu_ps(x + j + h, _mm512_add_ps(y1, y3));
			_mm512_storeu_ps(x + j + 2 * h, _mm512_sub_ps(y0, y2));
			_mm512_storeu_ps(x + j + 3 * h, _mm512_sub_ps(y1, y3));
		}
	}
}

static AVX512 void
avx512_hadamard(float *x, size_t n)
{
	size_t		h = 16;

	if (n < 16)
	{
		elac_kernels_scalar.hadamard(x, n);
		return;
	}

	for (size_t i = 0; i < n; i += 16)
		_mm512_storeu_ps(x + i, avx512_hadamard16(_mm512_loadu_ps(x + i)));
	for (; h * 4 <= n; h *= 4)
		avx512_hadamard_pair(x, n, h);
	if (h < n)
	{
		/* one stage is left, of distance n / 2 */
		for (size_t j = 0; j < h; j += 16)
		{
			__m512		u = _mm512_loadu_ps(x + j);
			__m512		v = _mm512_loadu_ps(x + j + h);

			_mm512_storeu_ps(x + j, _mm512_add_ps(u, v));
			_mm512_storeu_ps(x + j + h, _mm512_sub_ps(u, v));
		}
	}
}

/*
 * Sums of bytes in 16-bit lanes, of the documents of low and of high nibbles.
 * all: of whole lanes, modulo 2^16; odd: of their upper bytes.  What remains
 * of `all` without the upper bytes is the sum of the lower ones.  The quarters
 * of a register are four tables of the same documents.
 */
typedef struct Avx512Sums
{
	__m512i		all_low;
	__m512i		odd_low;
	__m512i		all_high;
	__m512i		odd_high;
} Avx512Sums;

static inline AVX512 void
avx512_fastscan_add(Avx512Sums *sums, __m512i code, __m512i table)
{
	const __m512i low = _mm512_set1_epi8(15);
	__m512i		hit_low = _mm512_shuffle_epi8(table, _mm512_and_si512(code, low));
	__m512i		hit_high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(code, 4), low));

	sums->all_low = _mm512_add_epi16(sums->all_low, hit_low);
	sums->odd_low = _mm512_add_epi16(sums->odd_low, _mm512_srli_epi16(hit_low, 8));
	sums->all_high = _mm512_add_epi16(sums->all_high, hit_high);
	sums->odd_high = _mm512_add_epi16(sums->odd_high, _mm512_srli_epi16(hit_high, 8));
}

/* Sums of the quarters, modulo 2^16. */
static inline AVX512 __m128i
avx512_fold(__m512i x)
{
	__m256i		half = _mm256_add_epi16(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));

	return _mm_add_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Adds the sums of 16 documents to out. */
static inline AVX512 void
avx512_fastscan_widen(__m512i all, __m512i odd, uint32_t *out, int first)
{
	__m128i		odds = avx512_fold(odd);
	__m256i		even = _mm256_cvtepu16_epi32(_mm_sub_epi16(avx512_fold(all), _mm_slli_epi16(odds, 8)));
	__m256i		uneven = _mm256_cvtepu16_epi32(odds);

	if (!first)
	{
		even = _mm256_add_epi32(even, _mm256_loadu_si256((const __m256i *) out));
		uneven = _mm256_add_epi32(uneven, _mm256_loadu_si256((const __m256i *) out + 1));
	}
	_mm256_storeu_si256((__m256i *) out, even);
	_mm256_storeu_si256((__m256i *) out + 1, uneven);
}

/* Two units a register; quarters are added in 16 bits, so a batch has a quarter of the additions that fit. */
static AVX512 void
avx512_fastscan32(const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32])
{
	size_t		nbytes = units * 32;
	size_t		pos = 0;
	int			first = 1;

	do
	{
		size_t		left = nbytes - pos;
		size_t		stop = left > ELAC_FASTSCAN_ADDS_16BIT * 16 ? pos + ELAC_FASTSCAN_ADDS_16BIT * 16 : nbytes;
		Avx512Sums	sums = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};

		for (; pos + 128 <= stop; pos += 128)
		{
			avx512_fastscan_add(&sums, _mm512_loadu_si512(codes + pos), _mm512_loadu_si512(lut + pos));
			avx512_fastscan_add(&sums, _mm512_loadu_si512(codes + pos + 64), _mm512_loadu_si512(lut + pos + 64));
		}
		if (pos + 64 <= stop)
		{
			avx512_fastscan_add(&sums, _mm512_loadu_si512(codes + pos), _mm512_loadu_si512(lut + pos));
			pos += 64;
		}
		if (pos < stop)
		{
			/* a last single unit looks up zeros in its upper half */
			avx512_fastscan_add(&sums, _mm512_maskz_loadu_epi8(0xFFFFFFFF, codes + pos),
								_mm512_maskz_loadu_epi8(0xFFFFFFFF, lut + pos));
			pos = stop;
		}
		avx512_fastscan_widen(sums.all_low, sums.odd_low, out, first);
		avx512_fastscan_widen(sums.all_high, sums.odd_high, out + 16, first);
		first = 0;
	} while (pos < nbytes);
}

/* Sum of magnitudes of each four components, beside them. */
static inline AVX512 __m512
avx512_spans(__m512 q)
{
	__m512		pairs;

	q = _mm512_abs_ps(q);
	pairs = _mm512_add_ps(q, _mm512_permute_ps(q, 0xB1));
	return _mm512_add_ps(pairs, _mm512_permute_ps(pairs, 0x4E));
}

static AVX512 void
avx512_tabulate(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms)
{
	__m512		range = _mm512_setzero_ps();
	__m512		low = range;
	__m512		sum = range;
	__m512		square = range;
	__mmask16	odd = 0;
	float		scale;
	__m512		inverse;

	for (size_t i = 0; i < n; i += 16)
	{
		__m512		part = avx512_load_tail_f32(q + i, n - i);
		__m512		spans = avx512_spans(part);

		odd |= _mm512_cmp_ps_mask(spans, spans, _CMP_UNORD_Q);
		range = _mm512_max_ps(range, spans);
		low = _mm512_add_ps(low, _mm512_min_ps(part, _mm512_setzero_ps()));
	}
	scale = elac_lut_scale(odd != 0 ? NAN : _mm512_reduce_max_ps(range));
	if (scale == 0)
	{
		elac_lut_blank(q, n, lut, terms);
		return;
	}
	inverse = _mm512_set1_ps(1.0f / scale);
	for (size_t i = 0; i < n; i += 4, lut += 16)
	{
		/* entries with the component's bit: its magnitude, or in those without when it is negative */
		__m512		part0 = _mm512_maskz_mov_ps(q[i] < 0 ? 0x5555 : 0xAAAA, _mm512_set1_ps(q[i]));
		__m512		part1 = _mm512_maskz_mov_ps(q[i + 1] < 0 ? 0x3333 : 0xCCCC, _mm512_set1_ps(q[i + 1]));
		__m512		part2 = _mm512_maskz_mov_ps(q[i + 2] < 0 ? 0x0F0F : 0xF0F0, _mm512_set1_ps(q[i + 2]));
		__m512		part3 = _mm512_maskz_mov_ps(q[i + 3] < 0 ? 0x00FF : 0xFF00, _mm512_set1_ps(q[i + 3]));
		__m512		steps = _mm512_add_ps(_mm512_add_ps(_mm512_abs_ps(part0), _mm512_abs_ps(part1)),
										  _mm512_add_ps(_mm512_abs_ps(part2), _mm512_abs_ps(part3)));
		__m512		level;
		__m512		error;

		steps = _mm512_mul_ps(steps, inverse);
		level = _mm512_min_ps(_mm512_roundscale_ps(steps, 0), _mm512_set1_ps(255));
		error = _mm512_sub_ps(steps, level);
		_mm_storeu_si128((__m128i *) lut, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(level)));
		sum = _mm512_add_ps(sum, error);
		square = _mm512_fmadd_ps(error, error, square);
	}
	elac_lut_terms(terms, scale, _mm512_reduce_add_ps(low), _mm512_reduce_add_ps(sum), _mm512_reduce_add_ps(square), n / 4);
}

static AVX512 uint32_t
avx512_bounds32(const ElacBoundTerms *terms, const uint32_t sums[32], const void *factors, float threshold,
				float estimate[32], float lower[32])
{
	const float *own_terms = factors;
	const __m512 scale = _mm512_set1_ps(terms->scale);
	const __m512 offset = _mm512_set1_ps(terms->offset);
	const __m512 lut_error = _mm512_set1_ps(terms->lut_error);
	const __m512 add = _mm512_set1_ps(terms->add);
	const __m512 lambda = _mm512_set1_ps(terms->lambda);
	const __m512 spread = _mm512_set1_ps(terms->spread);
	const __m512 rounding = _mm512_set1_ps(ELAC_BOUND_ROUNDING);
	uint32_t	survivors = 0;

	for (int half = 0; half < 2; half++)
	{
		__m512		rescale = _mm512_loadu_ps(own_terms + 32 + half * 16);
		__m512		error = _mm512_loadu_ps(own_terms + 64 + half * 16);
		__m512		ip = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + half * 16)), offset);
		__m512		own = _mm512_mul_ps(lambda, _mm512_loadu_ps(own_terms + half * 16));
		__m512		cross = _mm512_mul_ps(rescale, ip);
		__m512		tiny = _mm512_mul_ps(error, _mm512_set1_ps(0x1p-32f));
		__m512		sizes = _mm512_add_ps(_mm512_add_ps(_mm512_abs_ps(add), _mm512_abs_ps(own)), _mm512_abs_ps(cross));
		__m512		width = _mm512_mul_ps(spread, error);
		__m512		value = _mm512_add_ps(_mm512_add_ps(add, own), cross);

		width = _mm512_fmadd_ps(lut_error, _mm512_abs_ps(rescale), width);
		width = _mm512_fmadd_ps(rounding, sizes, width);
		width = _mm512_fmadd_ps(tiny, tiny, width);
		_mm512_storeu_ps(estimate + half * 16, value);
		value = _mm512_sub_ps(value, width);
		_mm512_storeu_ps(lower + half * 16, value);
		survivors |= (uint32_t) _mm512_cmp_ps_mask(value, _mm512_set1_ps(threshold), _CMP_NGE_UQ) << (half * 16);
	}
	return survivors;
}

static AVX512 size_t
avx512_select_below(const float *values, size_t n, float limit, uint32_t *out)
{
	const __m512 limits = _mm512_set1_ps(limit);
	__m512i		position = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	size_t		count = 0;

	for (size_t i = 0; i < n; i += 16)
	{
		__mmask16	present = avx512_mask16(n - i);
		__mmask16	chosen = _mm512_mask_cmp_ps_mask(present, _mm512_maskz_loadu_ps(present, values + i), limits, _CMP_NGT_UQ);

		if (chosen != 0)
		{
			_mm512_mask_compressstoreu_epi32(out + count, chosen, position);
			count += (size_t) __builtin_popcount(chosen);
		}
		position = _mm512_add_epi32(position, _mm512_set1_epi32(16));
	}
	return count;
}

/* One bit a value: the components whose bit is set. */
static AVX512 float
avx512_ip_bits(const float *q, const uint8_t *code, size_t n)
{
	__m512		acc0 = _mm512_setzero_ps();
	__m512		acc1 = acc0;
	size_t		i = 0;

	for (; i + 32 <= n; i += 32, code += 4)
	{
		uint32_t	bits = elac_get_u32(code);

		acc0 = _mm512_mask_add_ps(acc0, (__mmask16) bits, acc0, _mm512_loadu_ps(q + i));
		acc1 = _mm512_mask_add_ps(acc1, (__mmask16) (bits >> 16), acc1, _mm512_loadu_ps(q + i + 16));
	}
	for (; i < n; i += 16, code += 2)
	{
		uint32_t	bits = n - i > 8 ? elac_get_u16(code) : code[0];

		acc0 = _mm512_mask_add_ps(acc0, (__mmask16) bits, acc0, avx512_load_tail_f32(q + i, n - i));
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(acc0, acc1));
}

/* Two bits a value: sixteen are a word, which every lane gets. */
static AVX512 float
avx512_ip_pairs(const float *q, const uint8_t *code, size_t n)
{
	const __m512i mask = _mm512_sllv_epi32(_mm512_set1_epi32(3), _mm512_loadu_si512(elac_packed_control[2].shift_word));
	__m512		acc0 = _mm512_setzero_ps();
	__m512		acc1 = acc0;
	size_t		i = 0;

	for (; i + 32 <= n; i += 32, code += 8)
	{
		__m512i		first = _mm512_and_si512(_mm512_set1_epi32((int) elac_get_u32(code)), mask);
		__m512i		second = _mm512_and_si512(_mm512_set1_epi32((int) elac_get_u32(code + 4)), mask);

		acc0 = _mm512_fmadd_ps(_mm512_loadu_ps(q + i), _mm512_cvtepu32_ps(first), acc0);
		acc1 = _mm512_fmadd_ps(_mm512_loadu_ps(q + i + 16), _mm512_cvtepu32_ps(second), acc1);
	}
	for (; i < n; i += 16, code += 4)
	{
		uint8_t		word[4] = {0};

		memcpy(word, code, n - i < 16 ? elac_bitpack_bytes(n - i, 2) : 4);
		acc0 = _mm512_fmadd_ps(avx512_load_tail_f32(q + i, n - i),
							   _mm512_cvtepu32_ps(_mm512_and_si512(_mm512_set1_epi32((int) elac_get_u32(word)), mask)), acc0);
	}
	acc0 = _mm512_add_ps(acc0, acc1);
	return _mm512_reduce_add_ps(_mm512_mul_ps(acc0, _mm512_loadu_ps(elac_packed_control[2].scale_word)));
}

/*
 * Sixteen packed values in the low 2 * width bytes of each quarter of packed,
 * as floats; each still times 2 to the power of its place in its first byte.
 */
static inline AVX512 __m512
avx512_unpack16(__m512i packed, __m512i bytes, __m512i mask)
{
	return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_shuffle_epi8(packed, bytes), mask));
}

static AVX512 float
avx512_ip_packed(const float *q, const uint8_t *code, unsigned width, size_t n)
{
	const ElacPackedControl *control = &elac_packed_control[width];
	const __m512i bytes = _mm512_loadu_si512(control->bytes);
	const __m512i mask = _mm512_loadu_si512(control->mask);
	const uint8_t *end = code + elac_bitpack_bytes(n, width);
	const __mmask16 whole = avx512_mask16(2 * width);
	__m512		acc0 = _mm512_setzero_ps();
	__m512		acc1 = acc0;
	size_t		i = 0;

	if (width == 1)
		return avx512_ip_bits(q, code, n);
	if (width == 2)
		return avx512_ip_pairs(q, code, n);

	/* a load takes 16 bytes, of which 2 * width are used */
	for (; i + 32 <= n && (size_t) (end - code) >= 2 * width + 16; i += 32, code += 4 * width)
	{
		__m512i		first = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *) code));
		__m512i		second = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *) (code + 2 * width)));

		acc0 = _mm512_fmadd_ps(_mm512_loadu_ps(q + i), avx512_unpack16(first, bytes, mask), acc0);
		acc1 = _mm512_fmadd_ps(_mm512_loadu_ps(q + i + 16), avx512_unpack16(second, bytes, mask), acc1);
	}
	for (; i + 16 <= n; i += 16, code += 2 * width)
		acc1 = _mm512_fmadd_ps(_mm512_loadu_ps(q + i),
							   avx512_unpack16(_mm512_broadcast_i32x4(_mm_maskz_loadu_epi8(whole, code)), bytes, mask), acc1);
	if (i < n)
	{
		__mmask16	present = avx512_mask16(elac_bitpack_bytes(n - i, width));
		__m512i		packed = _mm512_broadcast_i32x4(_mm_maskz_loadu_epi8(present, code));

		acc0 = _mm512_fmadd_ps(avx512_load_tail_f32(q + i, n - i), avx512_unpack16(packed, bytes, mask), acc0);
	}
	acc0 = _mm512_add_ps(acc0, acc1);
	return _mm512_reduce_add_ps(_mm512_mul_ps(acc0, _mm512_loadu_ps(control->scale)));
}

#define ASSIGN_NAME(x) avx512_##x
#define ASSIGN_TARGET AVX512
#define ASSIGN_LANES 16
#define ASSIGN_PANELS 2
#define ASSIGN_ROWS 8
#include "base/kernels_assign_impl.h"

/* Which of 64 doubles are not below the limit. */
static inline AVX512 uint64_t
avx512_at_least64(const double *values, double limit)
{
	const __m512d limits = _mm512_set1_pd(limit);
	uint64_t	found = 0;

#define AVX512_AT_LEAST(i) \
	(uint64_t) _mm512_cmp_pd_mask(_mm512_loadu_pd(values + (i) * 8), limits, _CMP_GE_OQ) << ((i) * 8)
	found = AVX512_AT_LEAST(0) | AVX512_AT_LEAST(1) | AVX512_AT_LEAST(2) | AVX512_AT_LEAST(3) |
		AVX512_AT_LEAST(4) | AVX512_AT_LEAST(5) | AVX512_AT_LEAST(6) | AVX512_AT_LEAST(7);
#undef AVX512_AT_LEAST
	return found;
}

static inline AVX512 void
avx512_zero64(double *values)
{
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		_mm512_storeu_pd(values + i * 8, _mm512_setzero_pd());
}

#define BM25_NAME(x) avx512_##x
#define BM25_TARGET AVX512
#define BM25_OWN_ADD
#define BM25_AT_LEAST64(values, limit) avx512_at_least64(values, limit)
#define BM25_ZERO64(values) avx512_zero64(values)
#include "base/kernels_bm25_impl.h"

/* Adds eight contributions to the scores of distinct documents. */
static inline AVX512 void
avx512_bm25_scatter(double *scores, __m256i at, __mmask8 present, __m256 parts, __m512d rounder)
{
	__m512d		before = _mm512_mask_i32gather_pd(rounder, present, at, scores, 8);
	__m512d		rounded = _mm512_sub_pd(_mm512_add_pd(_mm512_cvtps_pd(parts), rounder), rounder);

	_mm512_mask_i32scatter_pd(scores, present, at, _mm512_add_pd(before, rounded), 8);
}

/* Two documents never share a lane's score, so gathering and scattering is adding; 1.1 ns a posting instead of 2.1. */
static AVX512 void
avx512_bm25_add(const uint32_t *docs, const uint32_t *tfs, size_t n, uint32_t first, const uint8_t *codes,
				const float *norm, float weight, double rounder, double *scores, uint8_t *touched)
{
	const __m512i firsts = _mm512_set1_epi32((int) first);
	const __m512i tf_max = _mm512_set1_epi32((int) ELAC_BM25_TF_MAX);
	const __m512i byte = _mm512_set1_epi32(0xFF);
	const __m512 weights = _mm512_set1_ps(weight);
	const __m512d rounders = _mm512_set1_pd(rounder);

	for (size_t i = 0; i < n; i += 16)
	{
		__mmask16	present = avx512_mask16(n - i);
		__m512i		at = _mm512_maskz_sub_epi32(present, _mm512_maskz_loadu_epi32(present, docs + i), firsts);
		__m512i		code = _mm512_and_si512(_mm512_i32gather_epi32(at, codes, 1), byte);
		__m512i		tf = _mm512_min_epu32(_mm512_maskz_loadu_epi32(present, tfs + i), tf_max);
		__m512		freq = _mm512_cvtepi32_ps(tf);
		__m512		parts = _mm512_div_ps(_mm512_mul_ps(weights, freq), _mm512_add_ps(freq, _mm512_i32gather_ps(code, norm, 4)));

		avx512_bm25_scatter(scores, _mm512_castsi512_si256(at), (__mmask8) present, _mm512_castps512_ps256(parts), rounders);
		avx512_bm25_scatter(scores, _mm512_extracti32x8_epi32(at, 1), (__mmask8) (present >> 8),
							_mm512_extractf32x8_ps(parts, 1), rounders);
	}
	if (n > 0)
		avx512_bm25_touch(docs, n, first, touched);
}

const ElacKernels elac_kernels_avx512 = {
	.name = "avx512",
	.l2sq_f32 = avx512_l2sq_f32,
	.ip_f32 = avx512_ip_f32,
	.l1_f32 = avx512_l1_f32,
	.cosine_f32 = avx512_cosine_f32,
	.l2sq_f16 = avx512_l2sq_f16,
	.ip_f16 = avx512_ip_f16,
	.l1_f16 = avx512_l1_f16,
	.cosine_f16 = avx512_cosine_f16,
	.f16_to_f32 = avx512_f16_to_f32,
	.f32_to_f16 = avx512_f32_to_f16,
	.hadamard = avx512_hadamard,
	.fastscan32 = avx512_fastscan32,
	.tabulate = avx512_tabulate,
	.bounds32 = avx512_bounds32,
	.select_below = avx512_select_below,
	.ip_packed = avx512_ip_packed,
	.unpack = elac_unpack_avx512,
	.unpack_patched = elac_unpack_patched_avx512,
	.gaps_to_docs = elac_gaps_to_docs_avx512,
	.assign_block = avx512_assign_block,
	.score_block = avx512_score_block,
	.bm25_add = avx512_bm25_add,
	.bm25_collect = avx512_bm25_collect,
};

#endif							/* ELAC_KERNELS_X86 */
