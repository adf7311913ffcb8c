/*
 * kernels_avx2.c
 *	  The inner loops with AVX2, FMA and F16C: eight floats a register.
 *
 * Only kernels.c may hand this table out, after asking the processor.  Loads
 * never touch bytes outside of the arrays given.
 */
#include "base/kernels_impl.h"

#ifdef ELAC_KERNELS_X86

#include <immintrin.h>
#include <string.h>

#include "base/bitpack.h"
#include "base/bytes.h"

#define AVX2 __attribute__((target("avx2,fma,f16c")))

/* avx2_masks + 8 - k: k lanes of ones, then zeros */
static const int32_t avx2_masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

static inline AVX2 __m256
avx2_load_f32(const float *src)
{
	return _mm256_loadu_ps(src);
}

/* The first n of eight, zeros behind; n is 1..7. */
static inline AVX2 __m256
avx2_load_tail_f32(const float *src, size_t n)
{
	return _mm256_maskload_ps(src, _mm256_loadu_si256((const __m256i *) (avx2_masks + 8 - n)));
}

static inline AVX2 __m256
avx2_load_f16(const uint16_t *src)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) src));
}

static inline AVX2 __m256
avx2_load_tail_f16(const uint16_t *src, size_t n)
{
	uint16_t	whole[8] = {0};

	memcpy(whole, src, n * sizeof(uint16_t));
	return avx2_load_f16(whole);
}

static inline AVX2 float
avx2_sum(__m256 x)
{
	__m128		half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));

	half = _mm_add_ps(half, _mm_movehl_ps(half, half));
	half = _mm_add_ss(half, _mm_movehdup_ps(half));
	return _mm_cvtss_f32(half);
}

static inline AVX2 __m256
avx2_step_l2sq(__m256 acc, __m256 a, __m256 b)
{
	__m256		diff = _mm256_sub_ps(a, b);

	return _mm256_fmadd_ps(diff, diff, acc);
}

static inline AVX2 __m256
avx2_step_ip(__m256 acc, __m256 a, __m256 b)
{
	return _mm256_fmadd_ps(a, b, acc);
}

static inline AVX2 __m256
avx2_step_l1(__m256 acc, __m256 a, __m256 b)
{
	__m256		diff = _mm256_sub_ps(a, b);

	return _mm256_add_ps(acc, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), diff));
}

/*
 * Four accumulators: an addition takes four cycles to be ready for the next.
 * Zeros behind a tail add nothing in any of the steps.
 */
#define AVX2_DEFINE_REDUCTION(kernel, kind, element) \
static AVX2 float \
avx2_##kernel##_##kind(const element *a, const element *b, size_t n) \
{ \
	__m256		acc0 = _mm256_setzero_ps(); \
	__m256		acc1 = acc0; \
	__m256		acc2 = acc0; \
	__m256		acc3 = acc0; \
	size_t		i = 0; \
	for (; i + 32 <= n; i += 32) \
	{ \
		acc0 = avx2_step_##kernel(acc0, avx2_load_##kind(a + i), avx2_load_##kind(b + i)); \
		acc1 = avx2_step_##kernel(acc1, avx2_load_##kind(a + i + 8), avx2_load_##kind(b + i + 8)); \
		acc2 = avx2_step_##kernel(acc2, avx2_load_##kind(a + i + 16), avx2_load_##kind(b + i + 16)); \
		acc3 = avx2_step_##kernel(acc3, avx2_load_##kind(a + i + 24), avx2_load_##kind(b + i + 24)); \
	} \
	for (; i + 8 <= n; i += 8) \
		acc0 = avx2_step_##kernel(acc0, avx2_load_##kind(a + i), avx2_load_##kind(b + i)); \
	if (i < n) \
		acc1 = avx2_step_##kernel(acc1, avx2_load_tail_##kind(a + i, n - i), avx2_load_tail_##kind(b + i, n - i)); \
	return avx2_sum(_mm256_add_ps(_mm256_add_ps(acc0, acc1), _mm256_add_ps(acc2, acc3))); \
}

#define AVX2_DEFINE_COSINE(kind, element) \
static AVX2 void \
avx2_cosine_##kind(const element *a, const element *b, size_t n, float *ab, float *aa, float *bb) \
{ \
	__m256		acc_ab = _mm256_setzero_ps(); \
	__m256		acc_aa = acc_ab; \
	__m256		acc_bb = acc_ab; \
	for (size_t i = 0; i < n; i += 8) \
	{ \
		__m256		x = n - i >= 8 ? avx2_load_##kind(a + i) : avx2_load_tail_##kind(a + i, n - i); \
		__m256		y = n - i >= 8 ? avx2_load_##kind(b + i) : avx2_load_tail_##kind(b + i, n - i); \
		acc_ab = _mm256_fmadd_ps(x, y, acc_ab); \
		acc_aa = _mm256_fmadd_ps(x, x, acc_aa); \
		acc_bb = _mm256_fmadd_ps(y, y, acc_bb); \
	} \
	*ab = avx2_sum(acc_ab); \
	*aa = avx2_sum(acc_aa); \
	*bb = avx2_sum(acc_bb); \
}

AVX2_DEFINE_REDUCTION(l2sq, f32, float)
AVX2_DEFINE_REDUCTION(ip, f32, float)
AVX2_DEFINE_REDUCTION(l1, f32, float)
AVX2_DEFINE_REDUCTION(l2sq, f16, uint16_t)
AVX2_DEFINE_REDUCTION(ip, f16, uint16_t)
AVX2_DEFINE_REDUCTION(l1, f16, uint16_t)
AVX2_DEFINE_COSINE(f32, float)
AVX2_DEFINE_COSINE(f16, uint16_t)

static AVX2 void
avx2_f16_to_f32(const uint16_t *src, float *dst, size_t n)
{
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(dst + i, avx2_load_f16(src + i));
	if (i < n)
		_mm256_maskstore_ps(dst + i, _mm256_loadu_si256((const __m256i *) (avx2_masks + 8 - (n - i))),
							avx2_load_tail_f16(src + i, n - i));
}

static AVX2 void
avx2_f32_to_f16(const float *src, uint16_t *dst, size_t n)
{
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		_mm_storeu_si128((__m128i *) (dst + i),
						 _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
	if (i < n)
	{
		uint16_t	whole[8];

		_mm_storeu_si128((__m128i *) whole,
						 _mm256_cvtps_ph(avx2_load_tail_f32(src + i, n - i), _MM_FROUND_TO_NEAREST_INT));
		memcpy(dst + i, whole, (n - i) * sizeof(uint16_t));
	}
}

/* Butterflies of distance 1, 2 and 4 within eight values. */
static inline AVX2 __m256
avx2_hadamard8(__m256 x)
{
	const __m256 minus1 = _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f);
	const __m256 minus2 = _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f);
	const __m256 minus4 = _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f);

	/* first + second in the first's place, first - second in the second's */
	x = _mm256_add_ps(_mm256_moveldup_ps(x), _mm256_xor_ps(_mm256_movehdup_ps(x), minus1));
	x = _mm256_add_ps(_mm256_permute_ps(x, 0x44), _mm256_xor_ps(_mm256_permute_ps(x, 0xEE), minus2));
	return _mm256_add_ps(_mm256_permute2f128_ps(x, x, 0x00),
						 _mm256_xor_ps(_mm256_permute2f128_ps(x, x, 0x11), minus4));
}

/* Stages of distance h and 2h in one pass over memory; h is at least 8. */
static AVX2 void
avx2_hadamard_pair(float *x, size_t n, size_t h)
{
	for (size_t i = 0; i < n; i += 4 * h)
	{
		for (size_t j = i; j < i + h; j += 8)
		{
			__m256		x0 = _mm256_loadu_ps(x + j);
			__m256		x1 = _mm256_loadu_ps(x + j + h);
			__m256		x2 = _mm256_loadu_ps(x + j + 2 * h);
			__m256		x3 = _mm256_loadu_ps(x + j + 3 * h);
			__m256		y0 = _mm256_add_ps(x0, x1);
			__m256		y1 = _mm256_sub_ps(x0, x1);
			__m256		y2 = _mm256_add_ps(x2, x3);
			__m256		y3 = _mm256_sub_ps(x2, x3);

			_mm256_storeu_ps(x + j, _mm256_add_ps(y0, y2));
			_mm256_storeu_ps(x + j + h, _mm256_add_ps(y1, y3));
			_mm256_storeu_ps(x + j + 2 * h, _mm256_sub_ps(y0, y2));
			_mm256_storeu_ps(x + j + 3 * h, _mm256_sub_ps(y1, y3));
		}
	}
}

static AVX2 void
avx2_hadamard(float *x, size_t n)
{
	size_t		h = 8;

	if (n < 8)
	{
		elac_kernels_scalar.hadamard(x, n);
		return;
	}

	for (size_t i = 0; i < n; i += 8)
		_mm256_storeu_ps(x + i, avx2_hadamard8(_mm256_loadu_ps(x + i)));
	for (; h * 4 <= n; h *= 4)
		avx2_hadamard_pair(x, n, h);
	if (h < n)
	{
		/* one stage is left, of distance n / 2 */
		for (size_t j = 0; j < h; j += 8)
		{
			__m256		u = _mm256_loadu_ps(x + j);
			__m256		v = _mm256_loadu_ps(x + j + h);

			_mm256_storeu_ps(x + j, _mm256_add_ps(u, v));
			_mm256_storeu_ps(x + j + h, _mm256_sub_ps(u, v));
		}
	}
}

/*
 * Adds sums of bytes to 32-bit totals.  all: sums of 16-bit lanes, modulo
 * 2^16; odd: sums of their upper bytes.  What remains of `all` without the
 * upper bytes is the sum of the lower ones.  The halves of a register are two
 * tables of the same documents.
 */
static inline AVX2 void
avx2_fastscan_widen(__m256i all, __m256i odd, __m256i *total_even, __m256i *total_odd)
{
	__m256i		even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));

	*total_even = _mm256_add_epi32(*total_even,
								   _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(even)),
													_mm256_cvtepu16_epi32(_mm256_extracti128_si256(even, 1))));
	*total_odd = _mm256_add_epi32(*total_odd,
								  _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(odd)),
												   _mm256_cvtepu16_epi32(_mm256_extracti128_si256(odd, 1))));
}

static AVX2 void
avx2_fastscan32(const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32])
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i		total[4];

	for (int i = 0; i < 4; i++)
		total[i] = _mm256_setzero_si256();

	while (units > 0)
	{
		size_t		batch = units < ELAC_FASTSCAN_ADDS_16BIT ? units : ELAC_FASTSCAN_ADDS_16BIT;
		__m256i		all_low = _mm256_setzero_si256();
		__m256i		odd_low = all_low;
		__m256i		all_high = all_low;
		__m256i		odd_high = all_low;

		for (size_t u = 0; u < batch; u++)
		{
			__m256i		code = _mm256_loadu_si256((const __m256i *) codes + u);
			__m256i		table = _mm256_loadu_si256((const __m256i *) lut + u);
			__m256i		hit_low = _mm256_shuffle_epi8(table, _mm256_and_si256(code, low));
			__m256i		hit_high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(code, 4), low));

			all_low = _mm256_add_epi16(all_low, hit_low);
			odd_low = _mm256_add_epi16(odd_low, _mm256_srli_epi16(hit_low, 8));
			all_high = _mm256_add_epi16(all_high, hit_high);
			odd_high = _mm256_add_epi16(odd_high, _mm256_srli_epi16(hit_high, 8));
		}
		avx2_fastscan_widen(all_low, odd_low, &total[0], &total[1]);
		avx2_fastscan_widen(all_high, odd_high, &total[2], &total[3]);
		codes += batch * 32;
		lut += batch * 32;
		units -= batch;
	}
	for (int i = 0; i < 4; i++)
		_mm256_storeu_si256((__m256i *) out + i, total[i]);
}

/* Which of eight entries of a table have bit i (i < 3), all ones or zeros. */
static const int32_t avx2_entry_masks[3][8] = {
	{0, -1, 0, -1, 0, -1, 0, -1}, {0, 0, -1, -1, 0, 0, -1, -1}, {0, 0, 0, 0, -1, -1, -1, -1}
};

static inline AVX2 __m256
avx2_abs(__m256 x)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* A component's part of eight entries: its magnitude where the bit is set, or where it is not when it is negative. */
static inline AVX2 __m256
avx2_entry_part(float q, __m256 has_bit)
{
	__m256		size = avx2_abs(_mm256_set1_ps(q));

	return q < 0 ? _mm256_andnot_ps(has_bit, size) : _mm256_and_ps(has_bit, size);
}

static AVX2 void
avx2_tabulate(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms)
{
	const __m256 has_bit0 = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *) avx2_entry_masks[0]));
	const __m256 has_bit1 = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *) avx2_entry_masks[1]));
	const __m256 has_bit2 = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *) avx2_entry_masks[2]));
	__m256		low = _mm256_setzero_ps();
	__m256		sum = low;
	__m256		square = low;
	float		range = 0;
	float		scale;
	__m256		inverse;

	for (size_t i = 0; i < n; i += 8)
	{
		__m256		part = _mm256_loadu_ps(q + i);
		__m256		pairs = _mm256_add_ps(avx2_abs(part), _mm256_permute_ps(avx2_abs(part), 0xB1));
		__m256		spans = _mm256_add_ps(pairs, _mm256_permute_ps(pairs, 0x4E));
		float		first = _mm256_cvtss_f32(spans);
		float		second = _mm_cvtss_f32(_mm256_extractf128_ps(spans, 1));

		range = first > range || isnan(first) ? first : range;
		range = second > range || isnan(second) ? second : range;
		low = _mm256_add_ps(low, _mm256_min_ps(part, _mm256_setzero_ps()));
	}
	scale = elac_lut_scale(range);
	if (scale == 0)
	{
		elac_lut_blank(q, n, lut, terms);
		return;
	}
	inverse = _mm256_set1_ps(1.0f / scale);
	for (size_t i = 0; i < n; i += 4, lut += 16)
	{
		__m256		parts01 = _mm256_add_ps(avx2_entry_part(q[i], has_bit0), avx2_entry_part(q[i + 1], has_bit1));
		__m256		part2 = avx2_entry_part(q[i + 2], has_bit2);
		__m256i		levels[2];

		for (int upper = 0; upper < 2; upper++)
		{
			__m256		part3 = _mm256_set1_ps((q[i + 3] < 0) == (upper == 0) ? fabsf(q[i + 3]) : 0);
			__m256		steps = _mm256_mul_ps(_mm256_add_ps(parts01, _mm256_add_ps(part2, part3)), inverse);
			__m256		level = _mm256_round_ps(steps, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
			__m256		error;

			level = _mm256_min_ps(level, _mm256_set1_ps(255));
			error = _mm256_sub_ps(steps, level);
			sum = _mm256_add_ps(sum, error);
			square = _mm256_fmadd_ps(error, error, square);
			levels[upper] = _mm256_cvtps_epi32(level);
		}
		/* 32 -> 16 -> 8 bits; packing works within 128 bits, so sort quarters */
		levels[0] = _mm256_permute4x64_epi64(_mm256_packus_epi32(levels[0], levels[1]), 0xD8);
		_mm_storeu_si128((__m128i *) lut, _mm_packus_epi16(_mm256_castsi256_si128(levels[0]),
														   _mm256_extracti128_si256(levels[0], 1)));
	}
	elac_lut_terms(terms, scale, avx2_sum(low), avx2_sum(sum), avx2_sum(square), n / 4);
}

static AVX2 uint32_t
avx2_bounds32(const ElacBoundTerms *terms, const uint32_t sums[32], const void *factors, float threshold,
			  float estimate[32], float lower[32])
{
	const float *own_terms = factors;
	const __m256 scale = _mm256_set1_ps(terms->scale);
	const __m256 offset = _mm256_set1_ps(terms->offset);
	const __m256 lut_error = _mm256_set1_ps(terms->lut_error);
	const __m256 add = _mm256_set1_ps(terms->add);
	const __m256 lambda = _mm256_set1_ps(terms->lambda);
	const __m256 spread = _mm256_set1_ps(terms->spread);
	const __m256 rounding = _mm256_set1_ps(ELAC_BOUND_ROUNDING);
	uint32_t	survivors = 0;

	for (int part = 0; part < 4; part++)
	{
		__m256		rescale = _mm256_loadu_ps(own_terms + 32 + part * 8);
		__m256		error = _mm256_loadu_ps(own_terms + 64 + part * 8);
		__m256i		sum = _mm256_loadu_si256((const __m256i *) sums + part);
		__m256		ip = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), offset);
		__m256		own = _mm256_mul_ps(lambda, _mm256_loadu_ps(own_terms + part * 8));
		__m256		cross = _mm256_mul_ps(rescale, ip);
		__m256		tiny = _mm256_mul_ps(error, _mm256_set1_ps(0x1p-32f));
		__m256		sizes = _mm256_add_ps(_mm256_add_ps(avx2_abs(add), avx2_abs(own)), avx2_abs(cross));
		__m256		width = _mm256_mul_ps(spread, error);
		__m256		value = _mm256_add_ps(_mm256_add_ps(add, own), cross);

		width = _mm256_fmadd_ps(lut_error, avx2_abs(rescale), width);
		width = _mm256_fmadd_ps(rounding, sizes, width);
		width = _mm256_fmadd_ps(tiny, tiny, width);
		_mm256_storeu_ps(estimate + part * 8, value);
		value = _mm256_sub_ps(value, width);
		_mm256_storeu_ps(lower + part * 8, value);
		survivors |= (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps(value, _mm256_set1_ps(threshold), _CMP_NGE_UQ)) << (part * 8);
	}
	return survivors;
}

static AVX2 size_t
avx2_select_below(const float *values, size_t n, float limit, uint32_t *out)
{
	const __m256 limits = _mm256_set1_ps(limit);
	size_t		count = 0;

	for (size_t i = 0; i < n; i += 8)
	{
		size_t		present = n - i < 8 ? n - i : 8;
		__m256		part = present == 8 ? _mm256_loadu_ps(values + i) : avx2_load_tail_f32(values + i, present);
		unsigned	chosen = (unsigned) _mm256_movemask_ps(_mm256_cmp_ps(part, limits, _CMP_NGT_UQ));

		for (chosen &= (1u << present) - 1; chosen != 0; chosen &= chosen - 1)
			out[count++] = (uint32_t) (i + (size_t) __builtin_ctz(chosen));
	}
	return count;
}

/*
 * Eight packed values, in the low 8 * width bits of word, as floats; each still
 * times 2 to the power of its place in its first byte.
 */
static inline AVX2 __m256
avx2_unpack8(uint64_t word, __m256i bytes, __m256i mask)
{
	__m256i		lanes = _mm256_shuffle_epi8(_mm256_set1_epi64x((long long) word), bytes);

	return _mm256_cvtepi32_ps(_mm256_and_si256(lanes, mask));
}

static AVX2 float
avx2_ip_packed(const float *q, const uint8_t *code, unsigned width, size_t n)
{
	const ElacPackedControl *control = &elac_packed_control[width];
	const __m256i bytes = _mm256_loadu_si256((const __m256i *) control->bytes);
	const __m256i mask = _mm256_loadu_si256((const __m256i *) control->mask);
	const uint8_t *end = code + elac_bitpack_bytes(n, width);
	__m256		acc0 = _mm256_setzero_ps();
	__m256		acc1 = acc0;
	size_t		i = 0;

	/* eight values fill `width` bytes; a load takes eight */
	for (; i + 16 <= n && (size_t) (end - code) >= width + 8; i += 16, code += 2 * width)
	{
		acc0 = _mm256_fmadd_ps(_mm256_loadu_ps(q + i), avx2_unpack8(elac_get_u64(code), bytes, mask), acc0);
		acc1 = _mm256_fmadd_ps(_mm256_loadu_ps(q + i + 8), avx2_unpack8(elac_get_u64(code + width), bytes, mask), acc1);
	}
	for (; i < n; i += 8, code += width)
	{
		size_t		left = (size_t) (end - code);
		uint64_t	word = 0;

		memcpy(&word, code, left < width ? left : width);
		acc0 = _mm256_fmadd_ps(n - i >= 8 ? _mm256_loadu_ps(q + i) : avx2_load_tail_f32(q + i, n - i),
							   avx2_unpack8(word, bytes, mask), acc0);
	}
	return avx2_sum(_mm256_mul_ps(_mm256_add_ps(acc0, acc1), _mm256_loadu_ps(control->scale)));
}

#define ASSIGN_NAME(x) avx2_##x
#define ASSIGN_TARGET AVX2
#define ASSIGN_LANES 8
#define ASSIGN_PANELS 1
#define ASSIGN_ROWS 4
#include "base/kernels_assign_impl.h"

/* Which of 64 doubles are not below the limit. */
static inline AVX2 uint64_t
avx2_at_least64(const double *values, double limit)
{
	const __m256d limits = _mm256_set1_pd(limit);
	uint64_t	found = 0;

#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		found |= (uint64_t) (unsigned) _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(values + i * 4), limits, _CMP_GE_OQ))
			<< (i * 4);
	return found;
}

static inline AVX2 void
avx2_zero64(double *values)
{
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		_mm256_storeu_pd(values + i * 4, _mm256_setzero_pd());
}

#define BM25_NAME(x) avx2_##x
#define BM25_TARGET AVX2
#define BM25_LANES 8
#define BM25_AT_LEAST64(values, limit) avx2_at_least64(values, limit)
#define BM25_ZERO64(values) avx2_zero64(values)
#include "base/kernels_bm25_impl.h"

const ElacKernels elac_kernels_avx2 = {
	.name = "avx2",
	.l2sq_f32 = avx2_l2sq_f32,
	.ip_f32 = avx2_ip_f32,
	.l1_f32 = avx2_l1_f32,
	.cosine_f32 = avx2_cosine_f32,
	.l2sq_f16 = avx2_l2sq_f16,
	.ip_f16 = avx2_ip_f16,
	.l1_f16 = avx2_l1_f16,
	.cosine_f16 = avx2_cosine_f16,
	.f16_to_f32 = avx2_f16_to_f32,
	.f32_to_f16 = avx2_f32_to_f16,
	.hadamard = avx2_hadamard,
	.fastscan32 = avx2_fastscan32,
	.tabulate = avx2_tabulate,
	.bounds32 = avx2_bounds32,
	.select_below = avx2_select_below,
	.ip_packed = avx2_ip_packed,
	.unpack = elac_unpack_avx2,
	.unpack_patched = elac_unpack_patched_avx2,
	.gaps_to_docs = elac_gaps_to_docs_avx2,
	.assign_block = avx2_assign_block,
	.score_block = avx2_score_block,
	.bm25_add = avx2_bm25_add,
	.bm25_collect = avx2_bm25_collect,
};

#endif							/* ELAC_KERNELS_X86 */
