/*
 * test_kernels.c
 *	  Every implementation of the inner loops that this processor has, against
 *	  sums in double precision and against the scalar one.
 *
 * Inputs end where an unreadable page begins, so a load past an array ends
 * the program, in every kind of build.
 */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bitpack.h"
#include "base/kernels.h"
#include "base/rng.h"

static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

#define NNAMES (sizeof(names) / sizeof(names[0]))

static ElacRng rng;

/* size bytes, the last of which is followed by a page that may not be touched */
typedef struct Guarded
{
	char	   *map;
	size_t		map_len;
	size_t		room;
} Guarded;

static Guarded
guarded_make(size_t room)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	Guarded		area;

	area.room = (room + page - 1) / page * page;
	area.map_len = area.room + page;
	area.map = mmap(NULL, area.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area.map == MAP_FAILED || mprotect(area.map + area.room, page, PROT_NONE) != 0)
		abort();
	return area;
}

static void *
guarded_last(const Guarded *area, size_t size)
{
	return area->map + area->room - size;
}

static float
random_float(void)
{
	return (float) (elac_rng_double(&rng) * 2 - 1);
}

/* |got - wanted| <= 1e-5 of the sum of magnitudes */
static int
near(float got, double wanted, double magnitudes)
{
	return fabs(got - wanted) <= 1e-5 * magnitudes + 1e-30;
}

typedef struct Sums
{
	double		l2sq,
				ip,
				l1,
				aa,
				bb,
				ip_abs;
} Sums;

static Sums
reference_sums(const float *a, const float *b, size_t n)
{
	Sums		sums = {0};

	for (size_t i = 0; i < n; i++)
	{
		double		x = a[i];
		double		y = b[i];

		sums.l2sq += (x - y) * (x - y);
		sums.ip += x * y;
		sums.ip_abs += fabs(x * y);
		sums.l1 += fabs(x - y);
		sums.aa += x * x;
		sums.bb += y * y;
	}
	return sums;
}

static void
check_sums(const ElacKernels *k, size_t n, const Guarded *area)
{
	float	   *a = guarded_last(&area[0], n * sizeof(float));
	float	   *b = guarded_last(&area[1], n * sizeof(float));
	uint16_t   *ha = guarded_last(&area[2], n * sizeof(uint16_t));
	uint16_t   *hb = guarded_last(&area[3], n * sizeof(uint16_t));
	float		ab,
				aa,
				bb;
	Sums		want;

	for (size_t i = 0; i < n; i++)
	{
		a[i] = random_float();
		b[i] = random_float();
	}
	want = reference_sums(a, b, n);
	CHECK(near(k->l2sq_f32(a, b, n), want.l2sq, want.l2sq));
	CHECK(near(k->ip_f32(a, b, n), want.ip, want.ip_abs));
	CHECK(near(k->l1_f32(a, b, n), want.l1, want.l1));
	k->cosine_f32(a, b, n, &ab, &aa, &bb);
	CHECK(near(ab, want.ip, want.ip_abs));
	CHECK(near(aa, want.aa, want.aa));
	CHECK(near(bb, want.bb, want.bb));
	CHECK(k->l2sq_f32(a, a, n) == 0.0f);
	CHECK(k->l1_f32(a, a, n) == 0.0f);

	/* halves: exact once converted, so the same sums over converted values */
	k->f32_to_f16(a, ha, n);
	k->f32_to_f16(b, hb, n);
	k->f16_to_f32(ha, a, n);
	k->f16_to_f32(hb, b, n);
	want = reference_sums(a, b, n);
	CHECK(near(k->l2sq_f16(ha, hb, n), want.l2sq, want.l2sq));
	CHECK(near(k->ip_f16(ha, hb, n), want.ip, want.ip_abs));
	CHECK(near(k->l1_f16(ha, hb, n), want.l1, want.l1));
	k->cosine_f16(ha, hb, n, &ab, &aa, &bb);
	CHECK(near(ab, want.ip, want.ip_abs));
	CHECK(near(aa, want.aa, want.aa));
	CHECK(near(bb, want.bb, want.bb));
}

/* Every alignment of both arrays, at lengths around a register's. */
static void
check_alignments(const ElacKernels *k)
{
	static char bytes[2][4 * 80 + 64];

	for (size_t shift = 0; shift < 64; shift++)
	{
		for (size_t n = 60; n < 70; n++)
		{
			float	   *a = (float *) (void *) (bytes[0] + shift / 4 * 4);
			float	   *b = (float *) (void *) (bytes[1] + (63 - shift) / 4 * 4);
			Sums		want;

			for (size_t i = 0; i < n; i++)
			{
				a[i] = random_float();
				b[i] = random_float();
			}
			want = reference_sums(a, b, n);
			CHECK(near(k->ip_f32(a, b, n), want.ip, want.ip_abs));
			CHECK(near(k->l2sq_f32(a, b, n), want.l2sq, want.l2sq));
		}
	}
}

static void
check_special(const ElacKernels *k)
{
	float		a[40];
	float		b[40];

	for (size_t at = 0; at < 40; at++)
	{
		for (size_t i = 0; i < 40; i++)
			a[i] = b[i] = 1;
		a[at] = INFINITY;
		CHECK(isinf(k->l2sq_f32(a, b, 40)));
		CHECK(isinf(k->ip_f32(a, b, 40)));
		CHECK(isinf(k->l1_f32(a, b, 40)));
		a[at] = NAN;
		CHECK(isnan(k->l2sq_f32(a, b, 40)));
		CHECK(isnan(k->ip_f32(a, b, 40)));
		CHECK(isnan(k->l1_f32(a, b, 40)));
	}
	for (size_t i = 0; i < 40; i++)
		a[i] = 3e38f;
	CHECK(isinf(k->ip_f32(a, b, 40)));
}

/* Exact value of a half, by arithmetic. */
static double
half_value(uint16_t half)
{
	int			exponent = (half >> 10) & 31;
	double		mantissa = half & 0x3FF;
	double		value;

	if (exponent == 0)
		value = ldexp(mantissa, -24);
	else
		value = ldexp(mantissa + 1024, exponent - 25);
	return (half & 0x8000) != 0 ? -value : value;
}

/* All 65536 halves to float; and floats at, around and between halves back. */
static void
check_halves(const ElacKernels *k)
{
	static uint16_t halves[65536];
	static float floats[65536];
	static uint16_t back[65536];

	for (size_t i = 0; i < 65536; i++)
		halves[i] = (uint16_t) i;
	k->f16_to_f32(halves, floats, 65536);
	k->f32_to_f16(floats, back, 65536);
	for (size_t i = 0; i < 65536; i++)
	{
		uint32_t	exponent = (i >> 10) & 31;
		uint32_t	bits;

		memcpy(&bits, &floats[i], sizeof(bits));
		if (exponent != 31)
		{
			CHECK(floats[i] == half_value((uint16_t) i));
			CHECK(bits >> 31 == i >> 15);
			CHECK_EQ(back[i], i);
		}
		else if ((i & 0x3FF) == 0)
		{
			CHECK(isinf(floats[i]) && bits >> 31 == i >> 15);
			CHECK_EQ(back[i], i);
		}
		else
		{
			CHECK(isnan(floats[i]));
			CHECK_EQ(back[i], i | 0x200);
		}
	}

	/* round to nearest, ties to the even half; 0x7BFF is the largest */
	for (uint32_t i = 0; i < 0x7BFF; i++)
	{
		double		low = half_value((uint16_t) i);
		double		high = half_value((uint16_t) (i + 1));
		float		in[3];
		uint16_t	out[3];

		in[1] = (float) ((low + high) / 2);	/* exact */
		in[0] = nextafterf(in[1], 0);
		in[2] = -nextafterf(in[1], INFINITY);
		k->f32_to_f16(in, out, 3);
		CHECK_EQ(out[0], i);
		CHECK_EQ(out[1], i + (i & 1));
		CHECK_EQ(out[2], (i + 1) | 0x8000);
	}
	{
		float		in[8] = {65519.996f, 65520.0f, 1e30f, -65520.0f, 0.0f, -0.0f, 1e-30f, -1e-45f};
		uint16_t	want[8] = {0x7BFF, 0x7C00, 0x7C00, 0xFC00, 0, 0x8000, 0, 0x8000};
		uint16_t	out[8];

		k->f32_to_f16(in, out, 8);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(out[i], want[i]);
	}
}

/* Conversions write n elements and not one more. */
static void
check_half_bounds(const ElacKernels *k, size_t n, const Guarded *area)
{
	float	   *floats = guarded_last(&area[0], n * sizeof(float));
	uint16_t   *halves = guarded_last(&area[2], n * sizeof(uint16_t));

	for (size_t i = 0; i < n; i++)
		floats[i] = (float) i;
	k->f32_to_f16(floats, halves, n);
	memset(floats, 0, n * sizeof(float));
	k->f16_to_f32(halves, floats, n);
	for (size_t i = 0; i < n; i++)
		CHECK(floats[i] == (float) i);
}

static void
check_hadamard(const ElacKernels *k, const Guarded *area)
{
	const ElacKernels *scalar = elac_kernels_by_name("scalar");

	for (size_t n = 1; n <= 8192; n *= 2)
	{
		float	   *x = guarded_last(&area[0], n * sizeof(float));
		float	   *y = guarded_last(&area[1], n * sizeof(float));
		double		norm_in = 0;
		double		norm_out = 0;

		for (size_t i = 0; i < n; i++)
		{
			x[i] = y[i] = random_float();
			norm_in += (double) x[i] * x[i];
		}
		if (n <= 256)
		{
			/* entry (i, j) of the matrix is -1 to the number of common bits */
			float		want[256];

			for (size_t i = 0; i < n; i++)
			{
				double		sum = 0;

				for (size_t j = 0; j < n; j++)
					sum += __builtin_popcountll(i & j) % 2 == 0 ? x[j] : -x[j];
				want[i] = (float) sum;
			}
			k->hadamard(y, n);
			for (size_t i = 0; i < n; i++)
				CHECK(fabsf(y[i] - want[i]) <= 1e-4f);
			memcpy(y, x, n * sizeof(float));
		}
		k->hadamard(x, n);
		scalar->hadamard(y, n);
		CHECK(memcmp(x, y, n * sizeof(float)) == 0);	/* bit-identical */
		for (size_t i = 0; i < n; i++)
			norm_out += (double) x[i] * x[i];
		CHECK(fabs(norm_out - norm_in * (double) n) <= 1e-4 * norm_out);
	}
}

/* Straight from the definition in kernels.h. */
static void
reference_fastscan(const uint8_t *codes, const uint8_t *lut, size_t units, uint32_t out[32])
{
	static const int perm[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};

	memset(out, 0, 32 * sizeof(uint32_t));
	for (size_t u = 0; u < units; u++)
	{
		for (int j = 0; j < 16; j++)
		{
			const uint8_t *code = codes + 32 * u;

			out[perm[j]] += lut[16 * (2 * u) + (code[j] & 15)];
			out[perm[j]] += lut[16 * (2 * u + 1) + (code[16 + j] & 15)];
			out[perm[j] + 16] += lut[16 * (2 * u) + (code[j] >> 4)];
			out[perm[j] + 16] += lut[16 * (2 * u + 1) + (code[16 + j] >> 4)];
		}
	}
}

static void
check_fastscan(const ElacKernels *k, size_t units, int largest, const Guarded *area)
{
	uint8_t    *codes = guarded_last(&area[0], units * 32);
	uint8_t    *lut = guarded_last(&area[1], units * 32);
	uint32_t	got[32];
	uint32_t	want[32];

	for (size_t i = 0; i < units * 32; i++)
	{
		codes[i] = (uint8_t) elac_rng_u64(&rng);
		lut[i] = largest ? 255 : (uint8_t) elac_rng_u64(&rng);
	}
	memset(got, 0xAA, sizeof(got));
	k->fastscan32(codes, lut, units, got);
	reference_fastscan(codes, lut, units, want);
	CHECK(memcmp(got, want, sizeof(got)) == 0);
}

/* One document has one bit: only its place may answer. */
static void
check_fastscan_places(const ElacKernels *k)
{
	static const int perm[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
	uint8_t		codes[64];
	uint8_t		lut[64];
	uint32_t	got[32];

	for (int doc = 0; doc < 32; doc++)
	{
		for (int dim = 0; dim < 16; dim++)
		{
			int			place = 0;

			while (perm[place] != doc % 16)
				place++;
			memset(codes, 0, sizeof(codes));
			memset(lut, 0, sizeof(lut));
			codes[dim / 4 * 16 + place] = (uint8_t) (1 << (dim % 4 + (doc >= 16 ? 4 : 0)));
			lut[dim / 4 * 16 + (1 << dim % 4)] = 7;
			k->fastscan32(codes, lut, 2, got);
			for (int i = 0; i < 32; i++)
				CHECK_EQ(got[i], i == doc ? 7 : 0);
		}
	}
}

static void
check_ip_packed(const ElacKernels *k, unsigned width, size_t n, const Guarded *area)
{
	float	   *q = guarded_last(&area[0], n * sizeof(float));
	uint8_t    *code = guarded_last(&area[1], elac_bitpack_bytes(n, width));
	uint32_t   *values = malloc((n + 1) * sizeof(uint32_t));
	double		want = 0;
	double		magnitudes = 0;

	for (size_t i = 0; i < n; i++)
	{
		q[i] = random_float();
		values[i] = (uint32_t) elac_rng_below(&rng, (uint64_t) 1 << width);
		want += (double) q[i] * values[i];
		magnitudes += fabs((double) q[i] * values[i]);
	}
	elac_bitpack(values, n, width, code);
	CHECK(near(k->ip_packed(q, code, width, n), want, magnitudes));
	free(values);
}

/* Tables against the sums they stand for, and against the scalar ones bit for bit. */
static void
check_tabulate(const ElacKernels *k, size_t n, const Guarded *area, double size)
{
	const ElacKernels *scalar = elac_kernels_by_name("scalar");
	float	   *q = guarded_last(&area[0], n * sizeof(float));
	uint8_t    *lut = guarded_last(&area[1], n * 4);
	uint8_t    *want = malloc(n * 4 + 1);
	ElacLutTerms terms;
	ElacLutTerms other;
	double		error = 0;
	double		square = 0;
	int			largest = 0;

	for (size_t i = 0; i < n; i++)
		q[i] = (float) (random_float() * size);
	memset(lut, 0xAA, n * 4);
	k->tabulate(q, n, lut, &terms);
	scalar->tabulate(q, n, want, &other);
	CHECK(memcmp(lut, want, n * 4) == 0);
	CHECK(terms.scale == other.scale && fabsf(terms.offset - other.offset) <= 1e-4f * (float) (size * n));
	CHECK(fabsf(terms.deviation - other.deviation) <= 1e-3f * other.deviation);

	/* all entries of a table are equally likely: mean error 0, deviation as told */
	for (size_t t = 0; t < n / 4; t++)
	{
		double		mean = 0;

		for (int m = 0; m < 16; m++)
		{
			double		sum = 0;

			for (int bit = 0; bit < 4; bit++)
				sum += (m >> bit) & 1 ? q[4 * t + bit] : 0;
			sum -= terms.scale * (double) lut[16 * t + m];
			mean += sum / 16;
			largest = lut[16 * t + m] > largest ? lut[16 * t + m] : largest;
		}
		error += mean;
		for (int m = 0; m < 16; m++)
		{
			double		sum = -mean;

			for (int bit = 0; bit < 4; bit++)
				sum += (m >> bit) & 1 ? q[4 * t + bit] : 0;
			sum -= terms.scale * (double) lut[16 * t + m];
			square += sum * sum / 16;
		}
	}
	if (n > 0)
	{
		CHECK_EQ(largest, size > 0 ? 255 : 0);
		if (size == 0)
			CHECK(terms.offset == 0 && terms.worst == 0);
		CHECK(fabs(error - terms.offset) <= 1e-5 * size * n);
		CHECK(sqrt(square) <= terms.deviation * 1.001 + 1e-30 && sqrt(square) >= terms.deviation * 0.8);
		CHECK(terms.worst >= sqrt(square));
	}
	free(want);
}

static void
check_tabulate_special(const ElacKernels *k)
{
	float		q[24] = {0};
	uint8_t		lut[96];
	ElacLutTerms terms;

	q[9] = NAN;
	k->tabulate(q, 24, lut, &terms);
	CHECK(terms.scale == 0 && isnan(terms.offset) && lut[36] == 0);
	q[9] = INFINITY;
	k->tabulate(q, 24, lut, &terms);
	CHECK(terms.scale == 0 && !isfinite(terms.offset) && lut[38] == 0);
	q[9] = 1e-42f;
	k->tabulate(q, 24, lut, &terms);
	CHECK(terms.scale == 0 && terms.offset >= 0 && terms.worst > 0 && terms.worst < 1e-40f);
	q[9] = -3e38f;
	k->tabulate(q, 24, lut, &terms);
	CHECK(lut[32] == 255 && lut[34] == 0 && fabsf(terms.scale * 255 + terms.offset) <= 1e33f);
}

/* Estimates and bounds by their definition; which lanes survive. */
static void
check_bounds(const ElacKernels *k, const Guarded *area)
{
	/* at no particular alignment */
	uint8_t    *factors = (uint8_t *) guarded_last(&area[0], 384) - elac_rng_below(&rng, 60);
	uint32_t	sums[32];
	float		values[96];
	float		estimate[32];
	float		lower[32];
	ElacBoundTerms t;
	uint32_t	survivors;
	float		threshold = (float) (elac_rng_double(&rng) * 400 - 200);

	t.scale = random_float();
	t.offset = random_float() * 10;
	t.lut_error = fabsf(random_float());
	t.add = random_float() * 100;
	t.lambda = random_float();
	t.spread = fabsf(random_float()) * 10;
	for (int i = 0; i < 96; i++)
		values[i] = i < 64 ? random_float() * 3 : fabsf(random_float());
	values[5] = NAN;
	values[64 + 9] = 3.402823466e+38f;	/* FLT_MAX: the bound says nothing */
	memcpy(factors, values, sizeof(values));
	for (int i = 0; i < 32; i++)
		sums[i] = (uint32_t) elac_rng_below(&rng, 1 << 18);
	survivors = k->bounds32(&t, sums, factors, threshold, estimate, lower);
	for (int i = 0; i < 32; i++)
	{
		double		own = (double) t.lambda * values[i];
		double		cross = values[32 + i] * ((double) t.scale * sums[i] + t.offset);
		double		sizes = fabs(t.add) + fabs(own) + fabs(cross);
		double		width = t.spread * (double) values[64 + i] + t.lut_error * fabs(values[32 + i]) + 1e-6 * sizes;

		CHECK_EQ((survivors >> i) & 1, !(lower[i] >= threshold));
		if (i == 5)
			CHECK(isnan(estimate[i]) && isnan(lower[i]));
		else
			CHECK(near(estimate[i], t.add + own + cross, sizes));
		if (i == 9)
			CHECK(lower[i] == -INFINITY);
		else if (i != 5)
			CHECK(near(lower[i], t.add + own + cross - width, sizes + width));
	}
}

static void
check_select(const ElacKernels *k, size_t n, const Guarded *area)
{
	float	   *values = guarded_last(&area[0], n * sizeof(float));
	uint32_t   *out = guarded_last(&area[1], n * sizeof(uint32_t));
	static const float limits[] = {-INFINITY, -0.9f, 0, 0.9f, INFINITY, NAN};

	for (size_t i = 0; i < n; i++)
		values[i] = elac_rng_below(&rng, 20) == 0 ? NAN : (float) (int) (random_float() * 10) / 10;
	for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++)
	{
		size_t		count = k->select_below(values, n, limits[l], out);
		size_t		at = 0;

		for (size_t i = 0; i < n; i++)
			if (!(values[i] > limits[l]))
			{
				CHECK(at < count && out[at] == i);
				at++;
			}
		CHECK_EQ(count, at);
	}
}

/* Scores against double precision; the nearest is the first of the smallest scores. */
static void
check_assign(const ElacKernels *k, size_t nrows, size_t ncentroids, size_t dim)
{
	size_t		stride = ELAC_ASSIGN_STRIDE(ncentroids);
	size_t		packed_size = elac_assign_packed_floats(ncentroids, dim) * sizeof(float);
	Guarded		packed_area = guarded_make(packed_size);
	Guarded		row_area = guarded_make(nrows * dim * sizeof(float));
	float	   *packed = guarded_last(&packed_area, packed_size);
	float	   *x = guarded_last(&row_area, nrows * dim * sizeof(float));
	float	   *centroids = malloc((ncentroids * dim + 1) * sizeof(float));
	const float **rows = malloc((nrows + 1) * sizeof(float *));
	float	   *scores = malloc((nrows * stride + 1) * sizeof(float));
	float	   *best = malloc((nrows + 1) * sizeof(float));
	uint32_t   *nearest = malloc((nrows + 1) * sizeof(uint32_t));

	for (size_t i = 0; i < ncentroids * dim; i++)
		centroids[i] = random_float();
	/* duplicates: the lower number wins */
	if (ncentroids > 20)
		memcpy(centroids + 19 * dim, centroids + 3 * dim, dim * sizeof(float));
	for (size_t i = 0; i < nrows * dim; i++)
		x[i] = random_float();
	for (size_t r = 0; r < nrows; r++)
		rows[r] = x + (nrows - 1 - r) * dim;
	elac_assign_pack(centroids, ncentroids, dim, packed);
	k->score_block(rows, nrows, packed, ncentroids, dim, scores);
	k->assign_block(rows, nrows, packed, ncentroids, dim, nearest, best);
	for (size_t r = 0; r < nrows; r++)
	{
		size_t		first = 0;

		for (size_t c = 0; c < stride; c++)
		{
			double		want = 0;
			double		magnitudes = 0;

			if (c >= ncentroids)
			{
				CHECK(isinf(scores[r * stride + c]) && scores[r * stride + c] > 0);
				continue;
			}
			for (size_t d = 0; d < dim; d++)
			{
				double		value = centroids[c * dim + d];

				want += value * value / 2 - rows[r][d] * value;
				magnitudes += value * value / 2 + fabs(rows[r][d] * value);
			}
			CHECK(near(scores[r * stride + c], want, magnitudes));
			if (scores[r * stride + c] < scores[r * stride + first])
				first = c;
		}
		CHECK_EQ(nearest[r], first);
		CHECK(ncentroids == 0 ? isinf(best[r]) : best[r] == scores[r * stride + first]);
	}
	munmap(packed_area.map, packed_area.map_len);
	munmap(row_area.map, row_area.map_len);
	free(centroids);
	free(rows);
	free(scores);
	free(best);
	free(nearest);
}

/* What is not a number never wins; without any finite score the answer is 0. */
static void
check_assign_special(const ElacKernels *k)
{
	float		centroids[33][4] = {{0}};
	float		packed[48 * 5];
	float		x[4] = {1, 2, 3, 4};
	const float *rows[1] = {x};
	float		best;
	uint32_t	nearest;

	for (int c = 0; c < 33; c++)
		for (int d = 0; d < 4; d++)
			centroids[c][d] = c % 2 == 0 ? NAN : 3e38f;
	elac_assign_pack(&centroids[0][0], 33, 4, packed);
	k->assign_block(rows, 1, packed, 33, 4, &nearest, &best);
	CHECK(nearest == 0 && isinf(best));
	memset(centroids[32], 0, sizeof(centroids[32]));
	elac_assign_pack(&centroids[0][0], 33, 4, packed);
	k->assign_block(rows, 1, packed, 33, 4, &nearest, &best);
	CHECK(nearest == 32 && best == 0);
}

/* Packed values of every width, with and without high parts apart; bit for bit the scalar code's. */
static void
check_unpack(const ElacKernels *k, size_t n, unsigned width, const Guarded *area)
{
	const ElacKernels *scalar = elac_kernels_by_name("scalar");
	size_t		nbytes = elac_bitpack_bytes(n, width);
	uint8_t    *packed = guarded_last(&area[0], nbytes);
	uint32_t   *got = guarded_last(&area[1], n * sizeof(uint32_t));
	uint32_t   *high = guarded_last(&area[2], (n + ELAC_PATCH_SLACK) * sizeof(uint32_t));
	uint32_t   *want = malloc((n + 1) * sizeof(uint32_t));
	uint64_t	where[4] = {0};

	for (size_t i = 0; i < n; i++)
		want[i] = (uint32_t) (elac_rng_u64(&rng) & (((uint64_t) 1 << width) - 1));
	elac_bitpack(want, n, width, packed);
	k->unpack(packed, n, width, 7, got);
	for (size_t i = 0; i < n; i++)
		CHECK(got[i] == want[i] + 7);
	if (n <= 256)
	{
		size_t		nhigh = 0;

		for (size_t i = 0; i < n; i++)
			if (elac_rng_below(&rng, 1 + width % 7) == 0)
			{
				where[i / 64] |= (uint64_t) 1 << (i % 64);
				high[nhigh++] = (uint32_t) elac_rng_u64(&rng);
			}
		/* all bits shifted out, where the width is the word's: no writer makes that */
		if (width < 32)
		{
			CHECK_EQ(k->unpack_patched(packed, n, width, 1, where, high, got), nhigh);
			scalar->unpack_patched(packed, n, width, 1, where, high, want);
			CHECK(memcmp(got, want, n * sizeof(uint32_t)) == 0);
		}
	}
	free(want);
}

/* Gaps of all sizes: the same numbers, and the same answer whether they fit. */
static void
check_gaps(const ElacKernels *k, size_t n, const Guarded *area)
{
	const ElacKernels *scalar = elac_kernels_by_name("scalar");
	uint32_t   *got = guarded_last(&area[0], n * sizeof(uint32_t));
	uint32_t   *want = malloc((n + 1) * sizeof(uint32_t));

	for (int round = 0; round < 60; round++)
	{
		uint32_t	base = round % 4 == 0 ? 0 : round % 4 == 1 ? UINT32_MAX - (uint32_t) elac_rng_below(&rng, 300) :
			(uint32_t) elac_rng_u64(&rng);
		unsigned	width = round % 33;
		bool		fits;

		for (size_t i = 0; i < n; i++)
			want[i] = got[i] = (uint32_t) (elac_rng_u64(&rng) & (((uint64_t) 1 << width) - 1));
		/* sums that end just below, at and above the limit */
		if (round % 5 == 4 && n > 0)
		{
			memset(want, 0, n * sizeof(uint32_t));
			want[elac_rng_below(&rng, n)] = UINT32_MAX - base - (uint32_t) n + (uint32_t) elac_rng_below(&rng, 4);
			memcpy(got, want, n * sizeof(uint32_t));
		}
		fits = scalar->gaps_to_docs(want, n, base);
		CHECK(k->gaps_to_docs(got, n, base) == fits);
		if (fits)
			CHECK(memcmp(got, want, n * sizeof(uint32_t)) == 0);
	}
	free(want);
}

static void
check_integers(const ElacKernels *k, const Guarded *area)
{
	for (unsigned width = 0; width <= 32; width++)
	{
		for (size_t n = 0; n <= 130; n++)
			check_unpack(k, n, width, area);
		check_unpack(k, 256, width, area);
		check_unpack(k, 1000, width, area);
	}
	for (size_t n = 0; n <= 140; n++)
		check_gaps(k, n, area);
}

/* Scores of postings and their collection: the scalar kernels' to the bit, nothing read or written outside. */
static void
check_bm25(const ElacKernels *k, const Guarded *area, size_t nwords, size_t n)
{
	const ElacKernels *truth = elac_kernels_by_name("scalar");
	size_t		ndocs = nwords * 64;
	double	   *scores = guarded_last(&area[0], ndocs * sizeof(double));
	uint8_t    *codes = guarded_last(&area[1], ndocs + ELAC_BM25_CODES_SLACK);
	uint32_t   *docs = guarded_last(&area[2], n * sizeof(uint32_t));
	uint32_t   *tfs = guarded_last(&area[3], n * sizeof(uint32_t));
	static double want[4096],
				values[4096],
				want_values[4096];
	static uint32_t positions[4096],
				want_positions[4096];
	uint64_t	allowed[64];
	uint8_t		touched[64] = {0};
	uint8_t		want_touched[64] = {0};
	float		norm[256];
	uint32_t	first = (uint32_t) elac_rng_below(&rng, 1000) * 64;
	double		rounder = 0x1.8p2;
	double		limit;
	size_t		found,
				want_found;

	for (size_t i = 0; i < ndocs + ELAC_BM25_CODES_SLACK; i++)
		codes[i] = (uint8_t) elac_rng_u64(&rng);
	for (size_t i = 0; i < 256; i++)
		norm[i] = (float) i / 40;
	for (size_t i = 0; i < 64; i++)
		allowed[i] = elac_rng_u64(&rng);
	memset(scores, 0, ndocs * sizeof(double));
	memset(want, 0, sizeof(want));
	for (int term = 0; term < 5; term++)
	{
		float		weight = (float) elac_rng_double(&rng) * 9;

		for (size_t i = 0; i < n; i++)
		{
			docs[i] = first + (uint32_t) (i * ndocs / n + elac_rng_below(&rng, ndocs / n));
			tfs[i] = term == 4 ? (uint32_t) elac_rng_u64(&rng) | 1 : 1 + (uint32_t) elac_rng_below(&rng, 20);
		}
		k->bm25_add(docs, tfs, n, first, codes, norm, weight, rounder, scores, touched);
		truth->bm25_add(docs, tfs, n, first, codes, norm, weight, rounder, want, want_touched);
	}
	CHECK(memcmp(scores, want, ndocs * sizeof(double)) == 0);
	for (size_t i = 0; i < nwords; i++)
		CHECK(touched[i] >= want_touched[i]);
	limit = elac_rng_below(&rng, 2) ? 0x1p-50 : elac_rng_double(&rng) * 20;
	found = k->bm25_collect(scores, touched, n % 2 ? allowed : NULL, nwords, limit, positions, values);
	want_found = truth->bm25_collect(want, want_touched, n % 2 ? allowed : NULL, nwords, limit, want_positions, want_values);
	CHECK_EQ(found, want_found);
	CHECK(memcmp(positions, want_positions, want_found * sizeof(uint32_t)) == 0);
	CHECK(memcmp(values, want_values, want_found * sizeof(double)) == 0);
	for (size_t i = 0; i < ndocs; i++)
		CHECK(scores[i] == 0);
	for (size_t i = 0; i < nwords; i++)
		CHECK(touched[i] == 0);
}

static void
check_implementation(const ElacKernels *k, const Guarded *area)
{
	static const size_t lengths[] = {768, 784, 1000, 1536, 4096};

	for (size_t n = 0; n <= 300; n++)
	{
		check_sums(k, n, area);
		check_half_bounds(k, n, area);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		check_sums(k, lengths[i], area);
	check_alignments(k);
	check_special(k);
	check_halves(k);
	check_hadamard(k, area);
	check_fastscan_places(k);
	for (size_t units = 0; units <= 130; units++)
		check_fastscan(k, units, 0, area);
	for (size_t units = 127; units <= 1200; units += units < 135 ? 1 : 61)
	{
		check_fastscan(k, units, 0, area);
		check_fastscan(k, units, 1, area);
	}
	for (size_t units = 255; units <= 1025; units += units % 256 < 2 || units % 256 == 255 ? 1 : 253)
		check_fastscan(k, units, 1, area);
	for (size_t n = 0; n <= 400; n += 8)
	{
		check_tabulate(k, n, area, 1);
		check_tabulate(k, n, area, 1e-30);
		check_tabulate(k, n, area, 1e30);
	}
	check_tabulate(k, 4096, area, 3);
	check_tabulate(k, 128, area, 0);
	check_tabulate_special(k);
	for (int i = 0; i < 200; i++)
		check_bounds(k, area);
	for (size_t n = 0; n <= 100; n++)
		check_select(k, n, area);
	check_select(k, 5000, area);
	check_assign_special(k);
	for (size_t rows = 0; rows <= 17; rows++)
		for (size_t centroids = 0; centroids <= 70; centroids += centroids % 16 < 2 || centroids % 16 == 15 ? 1 : 6)
			check_assign(k, rows, centroids, 1 + rows * 7 % 20);
	check_assign(k, 9, 1100, 130);	/* several tiles */
	check_assign(k, 3, 40, 4096);	/* panels larger than a tile */
	for (unsigned width = 1; width <= 7; width++)
	{
		for (size_t n = 0; n <= 300; n++)
			check_ip_packed(k, width, n, area);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			check_ip_packed(k, width, lengths[i], area);
	}
	for (size_t n = 1; n <= 128; n += 1 + n / 9)
		for (size_t nwords = (n + 63) / 64; nwords <= 16; nwords += 5)
			check_bm25(k, area, nwords, n);
}

/* Forced by the environment: an unknown or missing name gives the best. */
static void
check_dispatch(void)
{
	const ElacKernels *chosen;
	const char *forced = getenv("ELACSYM_KERNELS");

	CHECK(elac_kernels_by_name("scalar") != NULL);
	CHECK(elac_kernels_by_name("") == NULL);
	CHECK(elac_kernels_by_name("avx") == NULL);
	if (forced == NULL)
		setenv("ELACSYM_KERNELS", "no such kernels", 1);
	chosen = elac_kernels();
	CHECK(chosen != NULL && chosen == elac_kernels());
	CHECK(elac_kernels_by_name(chosen->name) == chosen);
	if (forced != NULL && elac_kernels_by_name(forced) != NULL)
		CHECK(strcmp(chosen->name, forced) == 0);
	else if (elac_kernels_by_name("avx512") != NULL)
		CHECK(strcmp(chosen->name, "avx512") == 0);
	else if (elac_kernels_by_name("avx2") != NULL)
		CHECK(strcmp(chosen->name, "avx2") == 0);
}

/* The variable is read once a process: ask another process. */
static void
check_forced(const char *self, const char *name)
{
	char		command[1024];

	snprintf(command, sizeof(command), "ELACSYM_KERNELS=%s '%s' --name", name, self);
	CHECK_EQ(system(command), 0);
}

int
main(int argc, char **argv)
{
	Guarded		area[4];

	if (argc > 1)
		return strcmp(elac_kernels()->name, getenv("ELACSYM_KERNELS")) != 0;

	elac_rng_seed(&rng, 20240521);
	for (int i = 0; i < 4; i++)
		area[i] = guarded_make(1 << 16);
	check_dispatch();
	for (size_t i = 0; i < NNAMES; i++)
	{
		const ElacKernels *k = elac_kernels_by_name(names[i]);

		if (k == NULL)
			continue;
		printf("# testing %s\n", k->name);
		CHECK(strcmp(k->name, names[i]) == 0);
		check_implementation(k, area);
		check_forced(argv[0], names[i]);
	}
	for (size_t i = 0; i < NNAMES; i++)
		if (elac_kernels_by_name(names[i]) != NULL)
			check_integers(elac_kernels_by_name(names[i]), area);
	return check_done();
}
