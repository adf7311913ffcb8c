/*
 * kernels_neon.c
 *	  The inner loops for 64-bit ARM, whose every processor has NEON: four
 *	  floats a register.
 *
 * Loads never touch bytes outside of the arrays given: what is left over goes
 * through a small copy.
 */
#include "base/kernels_impl.h"

#ifdef ELAC_KERNELS_ARM

#include <arm_neon.h>
#include <string.h>

#include "base/bitpack.h"

static inline float32x4_t
neon_load_f32(const float *src)
{
	return vld1q_f32(src);
}

/* The first n of four, zeros behind; n is 1..3. */
static inline float32x4_t
neon_load_tail_f32(const float *src, size_t n)
{
	float		whole[4] = {0};

	memcpy(whole, src, n * sizeof(float));
	return vld1q_f32(whole);
}

static inline float32x4_t
neon_load_f16(const uint16_t *src)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(src)));
}

static inline float32x4_t
neon_load_tail_f16(const uint16_t *src, size_t n)
{
	uint16_t	whole[4] = {0};

	memcpy(whole, src, n * sizeof(uint16_t));
	return neon_load_f16(whole);
}

static inline float32x4_t
neon_step_l2sq(float32x4_t acc, float32x4_t a, float32x4_t b)
{
	float32x4_t diff = vsubq_f32(a, b);

	return vfmaq_f32(acc, diff, diff);
}

static inline float32x4_t
neon_step_ip(float32x4_t acc, float32x4_t a, float32x4_t b)
{
	return vfmaq_f32(acc, a, b);
}

static inline float32x4_t
neon_step_l1(float32x4_t acc, float32x4_t a, float32x4_t b)
{
	return vaddq_f32(acc, vabdq_f32(a, b));
}

/* Zeros behind a tail add nothing in any of the steps. */
#define NEON_DEFINE_REDUCTION(kernel, kind, element) \
static float \
neon_##kernel##_##kind(const element *a, const element *b, size_t n) \
{ \
	float32x4_t acc0 = vdupq_n_f32(0); \
	float32x4_t acc1 = acc0; \
	float32x4_t acc2 = acc0; \
	float32x4_t acc3 = acc0; \
	size_t		i = 0; \
	for (; i + 16 <= n; i += 16) \
	{ \
		acc0 = neon_step_##kernel(acc0, neon_load_##kind(a + i), neon_load_##kind(b + i)); \
		acc1 = neon_step_##kernel(acc1, neon_load_##kind(a + i + 4), neon_load_##kind(b + i + 4)); \
		acc2 = neon_step_##kernel(acc2, neon_load_##kind(a + i + 8), neon_load_##kind(b + i + 8)); \
		acc3 = neon_step_##kernel(acc3, neon_load_##kind(a + i + 12), neon_load_##kind(b + i + 12)); \
	} \
	for (; i + 4 <= n; i += 4) \
		acc0 = neon_step_##kernel(acc0, neon_load_##kind(a + i), neon_load_##kind(b + i)); \
	if (i < n) \
		acc1 = neon_step_##kernel(acc1, neon_load_tail_##kind(a + i, n - i), neon_load_tail_##kind(b + i, n - i)); \
	return vaddvq_f32(vaddq_f32(vaddq_f32(acc0, acc1), vaddq_f32(acc2, acc3))); \
}

#define NEON_DEFINE_COSINE(kind, element) \
static void \
neon_cosine_##kind(const element *a, const element *b, size_t n, float *ab, float *aa, float *bb) \
{ \
	float32x4_t acc_ab = vdupq_n_f32(0); \
	float32x4_t acc_aa = acc_ab; \
	float32x4_t acc_bb = acc_ab; \
	for (size_t i = 0; i < n; i += 4) \
	{ \
		float32x4_t x = n - i >= 4 ? neon_load_##kind(a + i) : neon_load_tail_##kind(a + i, n - i); \
		float32x4_t y = n - i >= 4 ? neon_load_##kind(b + i) : neon_load_tail_##kind(b + i, n - i); \
		acc_ab = vfmaq_f32(acc_ab, x, y); \
		acc_aa = vfmaq_f32(acc_aa, x, x); \
		acc_bb = vfmaq_f32(acc_bb, y, y); \
	} \
	*ab = vaddvq_f32(acc_ab); \
	*aa = vaddvq_f32(acc_aa); \
	*bb = vaddvq_f32(acc_bb); \
}

NEON_DEFINE_REDUCTION(l2sq, f32, float)
NEON_DEFINE_REDUCTION(ip, f32, float)
NEON_DEFINE_REDUCTION(l1, f32, float)
NEON_DEFINE_REDUCTION(l2sq, f16, uint16_t)
NEON_DEFINE_REDUCTION(ip, f16, uint16_t)
NEON_DEFINE_REDUCTION(l1, f16, uint16_t)
NEON_DEFINE_COSINE(f32, float)
NEON_DEFINE_COSINE(f16, uint16_t)

static void
neon_f16_to_f32(const uint16_t *src, float *dst, size_t n)
{
	size_t		i = 0;

	for (; i + 4 <= n; i += 4)
		vst1q_f32(dst + i, neon_load_f16(src + i));
	if (i < n)
	{
		float		whole[4];

		vst1q_f32(whole, neon_load_tail_f16(src + i, n - i));
		memcpy(dst + i, whole, (n - i) * sizeof(float));
	}
}

static void
neon_f32_to_f16(const float *src, uint16_t *dst, size_t n)
{
	for (size_t i = 0; i < n; i += 4)
	{
		size_t		count = n - i < 4 ? n - i : 4;
		uint16_t	whole[4];

		vst1_u16(whole, vreinterpret_u16_f16(vcvt_f16_f32(count == 4 ? neon_load_f32(src + i) :
														  neon_load_tail_f32(src + i, count))));
		memcpy(dst + i, whole, count * sizeof(uint16_t));
	}
}

/* Butterflies of distance 1 and 2 within four values. */
static inline float32x4_t
neon_hadamard4(float32x4_t x)
{
	float32x4_t first = vtrn1q_f32(x, x);
	float32x4_t second = vtrn2q_f32(x, x);
	float32x2_t low,
				high;

	x = vtrn1q_f32(vaddq_f32(first, second), vsubq_f32(first, second));
	low = vget_low_f32(x);
	high = vget_high_f32(x);
	return vcombine_f32(vadd_f32(low, high), vsub_f32(low, high));
}

static void
neon_hadamard(float *x, size_t n)
{
	if (n < 4)
	{
		elac_kernels_scalar.hadamard(x, n);
		return;
	}

	for (size_t i = 0; i < n; i += 4)
		vst1q_f32(x + i, neon_hadamard4(vld1q_f32(x + i)));
	for (size_t h = 4; h < n; h *= 2)
	{
		for (size_t i = 0; i < n; i += 2 * h)
		{
			for (size_t j = i; j < i + h; j += 4)
			{
				float32x4_t u = vld1q_f32(x + j);
				float32x4_t v = vld1q_f32(x + j + h);

				vst1q_f32(x + j, vaddq_f32(u, v));
				vst1q_f32(x + j + h, vsubq_f32(u, v));
			}
		}
	}
}

/* 16-bit sums of bytes at even and odd places, for one nibble. */
typedef struct NeonSums
{
	uint16x8_t	all;			/* of whole 16-bit lanes, modulo 2^16 */
	uint16x8_t	odd;			/* of their upper bytes */
} NeonSums;

static inline void
neon_fastscan_add(NeonSums *sums, uint8x16_t hit)
{
	uint16x8_t	pairs = vreinterpretq_u16_u8(hit);

	sums->all = vaddq_u16(sums->all, pairs);
	sums->odd = vsraq_n_u16(sums->odd, pairs, 8);
}

/* Adds the sums of sixteen documents to out. */
static inline void
neon_fastscan_widen(const NeonSums *sums, uint32_t *out)
{
	uint16x8_t	even = vsubq_u16(sums->all, vshlq_n_u16(sums->odd, 8));

	vst1q_u32(out, vaddw_u16(vld1q_u32(out), vget_low_u16(even)));
	vst1q_u32(out + 4, vaddw_u16(vld1q_u32(out + 4), vget_high_u16(even)));
	vst1q_u32(out + 8, vaddw_u16(vld1q_u32(out + 8), vget_low_u16(sums->odd)));
	vst1q_u32(out + 12, vaddw_u16(vld1q_u32(out + 12), vget_high_u16(sums->odd)));
}

/* A unit adds twice to the same sums, once for each half. */
static void
neon_fastscan32(const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32])
{
	const uint8x16_t low = vdupq_n_u8(15);

	memset(out, 0, 32 * sizeof(uint32_t));
	while (units > 0)
	{
		size_t		batch = units < ELAC_FASTSCAN_ADDS_16BIT / 2 ? units : ELAC_FASTSCAN_ADDS_16BIT / 2;
		NeonSums	sums_low = {vdupq_n_u16(0), vdupq_n_u16(0)};
		NeonSums	sums_high = sums_low;

		for (size_t i = 0; i < batch * 32; i += 16)
		{
			uint8x16_t	code = vld1q_u8(codes + i);
			uint8x16_t	table = vld1q_u8(lut + i);

			neon_fastscan_add(&sums_low, vqtbl1q_u8(table, vandq_u8(code, low)));
			neon_fastscan_add(&sums_high, vqtbl1q_u8(table, vshrq_n_u8(code, 4)));
		}
		neon_fastscan_widen(&sums_low, out);
		neon_fastscan_widen(&sums_high, out + 16);
		codes += batch * 32;
		lut += batch * 32;
		units -= batch;
	}
}

/* A component's part of four entries of a table: its magnitude where has_bit is set, or where it is not. */
static inline float32x4_t
neon_entry_part(float q, uint32x4_t has_bit)
{
	uint32x4_t	size = vreinterpretq_u32_f32(vdupq_n_f32(fabsf(q)));

	return vreinterpretq_f32_u32(q < 0 ? vbicq_u32(size, has_bit) : vandq_u32(size, has_bit));
}

static void
neon_tabulate(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms)
{
	static const uint32_t masks[2][4] = {{0, UINT32_MAX, 0, UINT32_MAX}, {0, 0, UINT32_MAX, UINT32_MAX}};
	const uint32x4_t has_bit0 = vld1q_u32(masks[0]);
	const uint32x4_t has_bit1 = vld1q_u32(masks[1]);
	float32x4_t low = vdupq_n_f32(0);
	float32x4_t sum = low;
	float32x4_t square = low;
	float		range = 0;
	float		scale;
	float		inverse;

	for (size_t i = 0; i < n; i += 4)
	{
		float32x4_t part = vld1q_f32(q + i);
		float		span = (fabsf(q[i]) + fabsf(q[i + 1])) + (fabsf(q[i + 2]) + fabsf(q[i + 3]));

		range = span > range || isnan(span) ? span : range;
		low = vaddq_f32(low, vminq_f32(part, vdupq_n_f32(0)));
	}
	scale = elac_lut_scale(range);
	if (scale == 0)
	{
		elac_lut_blank(q, n, lut, terms);
		return;
	}
	inverse = 1.0f / scale;
	for (size_t i = 0; i < n; i += 4, lut += 16)
	{
		float32x4_t parts01 = vaddq_f32(neon_entry_part(q[i], has_bit0), neon_entry_part(q[i + 1], has_bit1));
		uint16x4_t	levels[4];

		for (int quarter = 0; quarter < 4; quarter++)
		{
			float		part2 = (q[i + 2] < 0) == ((quarter & 1) == 0) ? fabsf(q[i + 2]) : 0;
			float		part3 = (q[i + 3] < 0) == ((quarter & 2) == 0) ? fabsf(q[i + 3]) : 0;
			float32x4_t steps = vmulq_n_f32(vaddq_f32(parts01, vdupq_n_f32(part2 + part3)), inverse);
			float32x4_t level = vminq_f32(vrndnq_f32(steps), vdupq_n_f32(255));
			float32x4_t error = vsubq_f32(steps, level);

			sum = vaddq_f32(sum, error);
			square = vfmaq_f32(square, error, error);
			levels[quarter] = vmovn_u32(vcvtq_u32_f32(level));
		}
		vst1q_u8(lut, vcombine_u8(vmovn_u16(vcombine_u16(levels[0], levels[1])),
								  vmovn_u16(vcombine_u16(levels[2], levels[3]))));
	}
	elac_lut_terms(terms, scale, vaddvq_f32(low), vaddvq_f32(sum), vaddvq_f32(square), n / 4);
}

static uint32_t
neon_bounds32(const ElacBoundTerms *terms, const uint32_t sums[32], const void *factors, float threshold,
			  float estimate[32], float lower[32])
{
	static const uint32_t bits[4] = {1, 2, 4, 8};
	const uint8_t *bytes = factors;
	const float32x4_t add = vdupq_n_f32(terms->add);
	const float32x4_t offset = vdupq_n_f32(terms->offset);
	uint32_t	survivors = 0;

	for (int part = 0; part < 8; part++)
	{
		float32x4_t doc_add = vreinterpretq_f32_u8(vld1q_u8(bytes + part * 16));
		float32x4_t rescale = vreinterpretq_f32_u8(vld1q_u8(bytes + 128 + part * 16));
		float32x4_t error = vreinterpretq_f32_u8(vld1q_u8(bytes + 256 + part * 16));
		float32x4_t ip = vfmaq_n_f32(offset, vcvtq_f32_u32(vld1q_u32(sums + part * 4)), terms->scale);
		float32x4_t own = vmulq_n_f32(doc_add, terms->lambda);
		float32x4_t cross = vmulq_f32(rescale, ip);
		float32x4_t tiny = vmulq_n_f32(error, 0x1p-32f);
		float32x4_t sizes = vaddq_f32(vaddq_f32(vabsq_f32(add), vabsq_f32(own)), vabsq_f32(cross));
		float32x4_t width = vmulq_n_f32(error, terms->spread);
		float32x4_t value = vaddq_f32(vaddq_f32(add, own), cross);
		uint32x4_t	pruned;

		width = vfmaq_n_f32(width, vabsq_f32(rescale), terms->lut_error);
		width = vfmaq_n_f32(width, sizes, ELAC_BOUND_ROUNDING);
		width = vfmaq_f32(width, tiny, tiny);
		vst1q_f32(estimate + part * 4, value);
		value = vsubq_f32(value, width);
		vst1q_f32(lower + part * 4, value);
		pruned = vcgeq_f32(value, vdupq_n_f32(threshold));
		survivors |= vaddvq_u32(vbicq_u32(vld1q_u32(bits), pruned)) << (part * 4);
	}
	return survivors;
}

static size_t
neon_select_below(const float *values, size_t n, float limit, uint32_t *out)
{
	const float32x4_t limits = vdupq_n_f32(limit);
	size_t		count = 0;
	size_t		i = 0;

	for (; i + 4 <= n; i += 4)
	{
		uint32x4_t	above = vcgtq_f32(vld1q_f32(values + i), limits);

		if (vminvq_u32(above) != 0)
			continue;			/* all of them */
		for (size_t j = 0; j < 4; j++)
		{
			out[count] = (uint32_t) (i + j);
			count += !(values[i + j] > limit);
		}
	}
	for (; i < n; i++)
	{
		out[count] = (uint32_t) i;
		count += !(values[i] > limit);
	}
	return count;
}

/* Four packed values of word, as floats. */
static inline float32x4_t
neon_spread4(uint8x16_t word, uint8x16_t bytes, int32x4_t shift, uint32x4_t mask)
{
	uint32x4_t	lanes = vreinterpretq_u32_u8(vqtbl1q_u8(word, bytes));

	return vcvtq_f32_u32(vandq_u32(vshlq_u32(lanes, shift), mask));
}

static float
neon_ip_packed(const float *q, const uint8_t *code, unsigned width, size_t n)
{
	const ElacPackedControl *control = &elac_packed_control[width];
	const uint8x16_t bytes0 = vld1q_u8(control->bytes);
	const uint8x16_t bytes1 = vld1q_u8(control->bytes + 16);
	const int32x4_t shift0 = vnegq_s32(vreinterpretq_s32_u32(vld1q_u32(control->shift)));
	const int32x4_t shift1 = vnegq_s32(vreinterpretq_s32_u32(vld1q_u32(control->shift + 4)));
	const uint32x4_t mask = vdupq_n_u32((1u << width) - 1);
	const uint8_t *end = code + elac_bitpack_bytes(n, width);
	float32x4_t acc0 = vdupq_n_f32(0);
	float32x4_t acc1 = acc0;

	/* eight values fill `width` bytes; a load takes eight */
	for (size_t i = 0; i < n; i += 8, code += width)
	{
		uint8_t		last[8] = {0};
		float		part[8] = {0};
		const uint8_t *from = code;
		const float *with = q + i;
		uint8x16_t	word;

		if ((size_t) (end - code) < 8)
		{
			memcpy(last, code, (size_t) (end - code));
			from = last;
		}
		if (n - i < 8)
		{
			memcpy(part, q + i, (n - i) * sizeof(float));
			with = part;
		}
		word = vcombine_u8(vld1_u8(from), vdup_n_u8(0));
		acc0 = vfmaq_f32(acc0, vld1q_f32(with), neon_spread4(word, bytes0, shift0, mask));
		acc1 = vfmaq_f32(acc1, vld1q_f32(with + 4), neon_spread4(word, bytes1, shift1, mask));
	}
	return vaddvq_f32(vaddq_f32(acc0, acc1));
}

#define ASSIGN_NAME(x) neon_##x
#define ASSIGN_TARGET
#define ASSIGN_LANES 4
#define ASSIGN_PANELS 1
#define ASSIGN_ROWS 4
#include "base/kernels_assign_impl.h"

/* Which of 64 doubles are not below the limit. */
static inline uint64_t
neon_at_least64(const double *values, double limit)
{
	const float64x2_t limits = vdupq_n_f64(limit);
	uint64_t	found = 0;

	for (int i = 0; i < 32; i++)
	{
		uint64x2_t	both = vcgeq_f64(vld1q_f64(values + i * 2), limits);

		found |= ((vgetq_lane_u64(both, 0) & 1) | (vgetq_lane_u64(both, 1) & 2)) << (i * 2);
	}
	return found;
}

#define BM25_NAME(x) neon_##x
#define BM25_TARGET
#define BM25_LANES 4
#define BM25_AT_LEAST64(values, limit) neon_at_least64(values, limit)
#define BM25_ZERO64(values) memset(values, 0, 64 * sizeof(double))
#include "base/kernels_bm25_impl.h"

const ElacKernels elac_kernels_neon = {
	.name = "neon",
	.l2sq_f32 = neon_l2sq_f32,
	.ip_f32 = neon_ip_f32,
	.l1_f32 = neon_l1_f32,
	.cosine_f32 = neon_cosine_f32,
	.l2sq_f16 = neon_l2sq_f16,
	.ip_f16 = neon_ip_f16,
	.l1_f16 = neon_l1_f16,
	.cosine_f16 = neon_cosine_f16,
	.f16_to_f32 = neon_f16_to_f32,
	.f32_to_f16 = neon_f32_to_f16,
	.hadamard = neon_hadamard,
	.fastscan32 = neon_fastscan32,
	.tabulate = neon_tabulate,
	.bounds32 = neon_bounds32,
	.select_below = neon_select_below,
	.ip_packed = neon_ip_packed,
	.unpack = elac_unpack_neon,
	.unpack_patched = elac_unpack_patched_neon,
	.gaps_to_docs = elac_gaps_to_docs_neon,
	.assign_block = neon_assign_block,
	.score_block = neon_score_block,
	.bm25_add = neon_bm25_add,
	.bm25_collect = neon_bm25_collect,
};

#endif							/* ELAC_KERNELS_ARM */
