/*
 * kernels_scalar.c
 *	  The inner loops in plain C: what the other implementations are compared
 *	  with, and what runs where no vector instructions are known.
 *
 * Sums go into eight accumulators: shorter chains of rounding, and room for
 * the compiler to keep them in registers side by side.
 */
#include <math.h>
#include <string.h>

#include "base/bitpack.h"
#include "base/kernels_impl.h"

#define SCALAR_LANES 8

static float
scalar_sum_lanes(const float lanes[SCALAR_LANES])
{
	return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
		((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

static float
scalar_half_to_float(uint16_t half)
{
	uint32_t	sign = (uint32_t) (half & 0x8000) << 16;
	uint32_t	exponent = (half >> 10) & 0x1F;
	uint32_t	mantissa = half & 0x3FF;
	uint32_t	bits;
	float		value;

	if (exponent == 0)
	{
		/* zero or subnormal: mantissa * 2^-24, exact in a float */
		value = (float) mantissa * 0x1.0p-24f;
		memcpy(&bits, &value, sizeof(bits));
		bits |= sign;
	}
	else if (exponent == 31)
	{
		/* infinity, or NaN made quiet as the processors do */
		bits = sign | UINT32_C(0x7F800000) | (mantissa << 13);
		if (mantissa != 0)
			bits |= UINT32_C(0x00400000);
	}
	else
		bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint16_t
scalar_float_to_half(float value)
{
	uint32_t	bits;
	uint16_t	sign;
	uint32_t	magnitude;

	memcpy(&bits, &value, sizeof(bits));
	sign = (uint16_t) ((bits >> 16) & 0x8000);
	magnitude = bits & UINT32_C(0x7FFFFFFF);

	if (magnitude > UINT32_C(0x7F800000))	/* NaN: quiet, top of the payload kept */
		return (uint16_t) (sign | 0x7E00 | ((magnitude >> 13) & 0x3FF));
	if (magnitude >= UINT32_C(0x477FF000))	/* 65520 and more round to infinity */
		return (uint16_t) (sign | 0x7C00);
	if (magnitude < UINT32_C(0x38800000))
	{
		/* below 2^-14: the result counts units of 2^-24; rintf rounds to even */
		float		units;

		memcpy(&units, &magnitude, sizeof(units));
		return (uint16_t) (sign | (uint16_t) rintf(units * 0x1.0p24f));
	}

	/* round to nearest, ties to even; a carry moves into the exponent rightly */
	magnitude += 0xFFF + ((magnitude >> 13) & 1);
	return (uint16_t) (sign | ((magnitude - UINT32_C(0x38000000)) >> 13));
}

static float
scalar_l2sq_f32(const float *a, const float *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};
	size_t		i = 0;

	for (; i + SCALAR_LANES <= n; i += SCALAR_LANES)
	{
		for (size_t j = 0; j < SCALAR_LANES; j++)
		{
			float		diff = a[i + j] - b[i + j];

			lanes[j] += diff * diff;
		}
	}
	for (; i < n; i++)
	{
		float		diff = a[i] - b[i];

		lanes[i % SCALAR_LANES] += diff * diff;
	}
	return scalar_sum_lanes(lanes);
}

static float
scalar_ip_f32(const float *a, const float *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};
	size_t		i = 0;

	for (; i + SCALAR_LANES <= n; i += SCALAR_LANES)
	{
		for (size_t j = 0; j < SCALAR_LANES; j++)
			lanes[j] += a[i + j] * b[i + j];
	}
	for (; i < n; i++)
		lanes[i % SCALAR_LANES] += a[i] * b[i];
	return scalar_sum_lanes(lanes);
}

static float
scalar_l1_f32(const float *a, const float *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};
	size_t		i = 0;

	for (; i + SCALAR_LANES <= n; i += SCALAR_LANES)
	{
		for (size_t j = 0; j < SCALAR_LANES; j++)
			lanes[j] += fabsf(a[i + j] - b[i + j]);
	}
	for (; i < n; i++)
		lanes[i % SCALAR_LANES] += fabsf(a[i] - b[i]);
	return scalar_sum_lanes(lanes);
}

static void
scalar_cosine_f32(const float *a, const float *b, size_t n, float *ab, float *aa, float *bb)
{
	*ab = scalar_ip_f32(a, b, n);
	*aa = scalar_ip_f32(a, a, n);
	*bb = scalar_ip_f32(b, b, n);
}

static float
scalar_l2sq_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};

	for (size_t i = 0; i < n; i++)
	{
		float		diff = scalar_half_to_float(a[i]) - scalar_half_to_float(b[i]);

		lanes[i % SCALAR_LANES] += diff * diff;
	}
	return scalar_sum_lanes(lanes);
}

static float
scalar_ip_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};

	for (size_t i = 0; i < n; i++)
		lanes[i % SCALAR_LANES] += scalar_half_to_float(a[i]) * scalar_half_to_float(b[i]);
	return scalar_sum_lanes(lanes);
}

static float
scalar_l1_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};

	for (size_t i = 0; i < n; i++)
		lanes[i % SCALAR_LANES] += fabsf(scalar_half_to_float(a[i]) - scalar_half_to_float(b[i]));
	return scalar_sum_lanes(lanes);
}

static void
scalar_cosine_f16(const uint16_t *a, const uint16_t *b, size_t n, float *ab, float *aa, float *bb)
{
	float		lanes_ab[SCALAR_LANES] = {0};
	float		lanes_aa[SCALAR_LANES] = {0};
	float		lanes_bb[SCALAR_LANES] = {0};

	for (size_t i = 0; i < n; i++)
	{
		float		x = scalar_half_to_float(a[i]);
		float		y = scalar_half_to_float(b[i]);

		lanes_ab[i % SCALAR_LANES] += x * y;
		lanes_aa[i % SCALAR_LANES] += x * x;
		lanes_bb[i % SCALAR_LANES] += y * y;
	}
	*ab = scalar_sum_lanes(lanes_ab);
	*aa = scalar_sum_lanes(lanes_aa);
	*bb = scalar_sum_lanes(lanes_bb);
}

static void
scalar_f16_to_f32(const uint16_t *src, float *dst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = scalar_half_to_float(src[i]);
}

static void
scalar_f32_to_f16(const float *src, uint16_t *dst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = scalar_float_to_half(src[i]);
}

/*
 * Butterflies with distance 1, 2, 4, ... n/2.  Every implementation does the
 * same additions in the same order, so results are bit-identical.
 */
static void
scalar_hadamard(float *x, size_t n)
{
	for (size_t h = 1; h < n; h *= 2)
	{
		for (size_t i = 0; i < n; i += 2 * h)
		{
			for (size_t j = i; j < i + h; j++)
			{
				float		u = x[j];
				float		v = x[j + h];

				x[j] = u + v;
				x[j + h] = u - v;
			}
		}
	}
}

static void
scalar_fastscan32(const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32])
{
	memset(out, 0, 32 * sizeof(uint32_t));
	for (size_t u = 0; u < units; u++)
	{
		for (size_t half = 0; half < 2; half++)
		{
			const uint8_t *code = codes + u * 32 + half * 16;
			const uint8_t *table = lut + u * 32 + half * 16;

			for (size_t j = 0; j < 16; j++)
			{
				/* perm[j]: even bytes are documents 0..7, odd ones 8..15 */
				size_t		doc = j / 2 + (j & 1) * 8;

				out[doc] += table[code[j] & 15];
				out[doc + 16] += table[code[j] >> 4];
			}
		}
	}
}

static void
scalar_tabulate(const float *q, size_t n, uint8_t *lut, ElacLutTerms *terms)
{
	float		range = 0;
	float		scale;
	float		inverse;
	double		low = 0;
	double		sum = 0;
	double		square = 0;

	for (size_t i = 0; i < n; i += 4)
	{
		float		span = (fabsf(q[i]) + fabsf(q[i + 1])) + (fabsf(q[i + 2]) + fabsf(q[i + 3]));

		range = span > range || isnan(span) ? span : range;
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
		for (int m = 0; m < 16; m++)
		{
			float		part[4];
			float		steps;
			float		level;
			float		error;

			/* relative to the smallest entry of the table: a sum of magnitudes */
			for (int bit = 0; bit < 4; bit++)
				part[bit] = ((m >> bit) & 1) == (q[i + bit] < 0) ? 0 : fabsf(q[i + bit]);
			steps = ((part[0] + part[1]) + (part[2] + part[3])) * inverse;
			level = rintf(steps);
			level = level < 255 ? level : 255;
			lut[m] = (uint8_t) level;
			error = steps - level;
			sum += error;
			square += (double) error * error;
		}
		for (int bit = 0; bit < 4; bit++)
			low += q[i + bit] < 0 ? q[i + bit] : 0;
	}
	elac_lut_terms(terms, scale, low, sum, square, n / 4);
}

static uint32_t
scalar_bounds32(const ElacBoundTerms *terms, const uint32_t sums[32], const void *factors, float threshold,
				float estimate[32], float lower[32])
{
	const ElacBoundTerms t = *terms;
	float		own_terms[96];
	uint32_t	survivors = 0;

	memcpy(own_terms, factors, sizeof(own_terms));
	for (int doc = 0; doc < 32; doc++)
	{
		float		rescale = own_terms[32 + doc];
		float		error = own_terms[64 + doc];
		float		ip = t.scale * (float) (int32_t) sums[doc] + t.offset;
		float		own = t.lambda * own_terms[doc];
		float		cross = rescale * ip;
		float		tiny = error * 0x1p-32f;
		float		width = t.spread * error + t.lut_error * fabsf(rescale) +
			ELAC_BOUND_ROUNDING * (fabsf(t.add) + fabsf(own) + fabsf(cross));

		/* tiny squared is nothing beside a real error, and infinite for FLT_MAX whatever spread is */
		estimate[doc] = t.add + own + cross;
		lower[doc] = estimate[doc] - (width + tiny * tiny);
		if (!(lower[doc] >= threshold))
			survivors |= UINT32_C(1) << doc;
	}
	return survivors;
}

static size_t
scalar_select_below(const float *values, size_t n, float limit, uint32_t *out)
{
	size_t		count = 0;

	/* without a branch: few are selected, and which ones is hard to foresee */
	for (size_t i = 0; i < n; i++)
	{
		out[count] = (uint32_t) i;
		count += !(values[i] > limit);
	}
	return count;
}

static float
scalar_ip_packed(const float *q, const uint8_t *code, unsigned width, size_t n)
{
	float		lanes[SCALAR_LANES] = {0};
	uint32_t	values[64];

	/* 64 values fill 8 * width bytes exactly, so every chunk starts on a byte */
	for (size_t i = 0; i < n; i += 64)
	{
		size_t		chunk = n - i < 64 ? n - i : 64;

		elac_bitunpack(code + i / 8 * width, chunk, width, values);
		for (size_t j = 0; j < chunk; j++)
			lanes[j % SCALAR_LANES] += q[i + j] * (float) values[j];
	}
	return scalar_sum_lanes(lanes);
}

/* Scores of the 16 centroids of a panel. */
static void
scalar_score_panel(const float *x, const float *panel, size_t dim, float scores[ELAC_ASSIGN_PANEL])
{
	float		sum[ELAC_ASSIGN_PANEL];

	memcpy(sum, panel, sizeof(sum));
	for (size_t d = 0; d < dim; d++)
	{
		panel += ELAC_ASSIGN_PANEL;
		for (size_t lane = 0; lane < ELAC_ASSIGN_PANEL; lane++)
			sum[lane] -= x[d] * panel[lane];
	}
	memcpy(scores, sum, sizeof(sum));
}

static void
scalar_score_block(const float *const *rows, size_t nrows, const float *packed, size_t ncentroids, size_t dim,
				   float *scores)
{
	size_t		stride = ELAC_ASSIGN_STRIDE(ncentroids);

	for (size_t row = 0; row < nrows; row++)
		for (size_t c = 0; c < ncentroids; c += ELAC_ASSIGN_PANEL)
			scalar_score_panel(rows[row], packed + c * (dim + 1), dim, scores + row * stride + c);
}

static void
scalar_assign_block(const float *const *rows, size_t nrows, const float *packed, size_t ncentroids, size_t dim,
					uint32_t *nearest, float *scores)
{
	float		panel[ELAC_ASSIGN_PANEL] = {0};

	for (size_t row = 0; row < nrows; row++)
	{
		nearest[row] = 0;
		scores[row] = INFINITY;
		for (size_t c = 0; c < ncentroids; c++)
		{
			size_t		lane = c % ELAC_ASSIGN_PANEL;

			if (lane == 0)
				scalar_score_panel(rows[row], packed + c * (dim + 1), dim, panel);
			if (panel[lane] < scores[row])
			{
				scores[row] = panel[lane];
				nearest[row] = (uint32_t) c;
			}
		}
	}
}

static void
scalar_bm25_add(const uint32_t *docs, const uint32_t *tfs, size_t n, uint32_t first, const uint8_t *codes,
				const float *norm, float weight, double rounder, double *scores, uint8_t *touched)
{
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	at = docs[i] - first;
		float		tf = (float) (tfs[i] < ELAC_BM25_TF_MAX ? tfs[i] : ELAC_BM25_TF_MAX);
		float		part = (weight * tf) / (tf + norm[codes[at]]);

		scores[at] += ((double) part + rounder) - rounder;
		touched[at / 64] = 1;
	}
}

static size_t
scalar_bm25_collect(double *scores, uint8_t *touched, const uint64_t *allowed, size_t nwords, double limit,
					uint32_t *positions, double *values)
{
	size_t		n = 0;

	for (size_t i = 0; i < nwords * 64; i++)
	{
		if (!touched[i / 64])
			continue;
		if (scores[i] >= limit && (allowed == NULL || (allowed[i / 64] >> (i % 64) & 1)))
		{
			positions[n] = (uint32_t) i;
			values[n++] = scores[i];
		}
		scores[i] = 0;
	}
	memset(touched, 0, nwords);
	return n;
}

const ElacKernels elac_kernels_scalar = {
	.name = "scalar",
	.l2sq_f32 = scalar_l2sq_f32,
	.ip_f32 = scalar_ip_f32,
	.l1_f32 = scalar_l1_f32,
	.cosine_f32 = scalar_cosine_f32,
	.l2sq_f16 = scalar_l2sq_f16,
	.ip_f16 = scalar_ip_f16,
	.l1_f16 = scalar_l1_f16,
	.cosine_f16 = scalar_cosine_f16,
	.f16_to_f32 = scalar_f16_to_f32,
	.f32_to_f16 = scalar_f32_to_f16,
	.hadamard = scalar_hadamard,
	.fastscan32 = scalar_fastscan32,
	.tabulate = scalar_tabulate,
	.bounds32 = scalar_bounds32,
	.select_below = scalar_select_below,
	.ip_packed = scalar_ip_packed,
	.unpack = elac_unpack_scalar,
	.unpack_patched = elac_unpack_patched_scalar,
	.gaps_to_docs = elac_gaps_to_docs_scalar,
	.assign_block = scalar_assign_block,
	.score_block = scalar_score_block,
	.bm25_add = scalar_bm25_add,
	.bm25_collect = scalar_bm25_collect,
};
