/*
 * rabitq_loops.c
 *	  The encoder's loops over dimensions.
 *
 * One text, compiled once for any processor and twice more for x86 with wide
 * registers.  Sums run in 16 lanes that are added up in one fixed order, so
 * that every variant makes the same code but for the rounding of fused
 * multiplications.  Written with the compiler's vectors instead of one set of
 * intrinsics a processor; what a processor lacks the compiler splits.
 *
 * Sums that end in factors are taken in double: at 8 bits the angle between
 * residual and code, a difference of nearly equal numbers, is below the
 * rounding of floats.
 */
#include "postgres.h"

#include "base/kernels.h"
#include "vector/rabitq_loops.h"

#define LANES 16

typedef float LoopFloats __attribute__((vector_size(LANES * sizeof(float))));
typedef int32 LoopInts __attribute__((vector_size(LANES * sizeof(int32))));
typedef uint8 LoopBytes __attribute__((vector_size(LANES)));
typedef float LoopHalf __attribute__((vector_size(LANES / 2 * sizeof(float))));
typedef double LoopDoubles __attribute__((vector_size(LANES / 2 * sizeof(double))));

#define LOOP static inline __attribute__((always_inline))

/* 16 floats at any address */
LOOP void
loop_load(LoopFloats *dst, const float *src)
{
	memcpy(dst, src, sizeof(LoopFloats));
}

/* Adds the 16 products a * b to two accumulators of doubles. */
LOOP void
loop_add(LoopDoubles sum[2], const LoopFloats *a, const LoopFloats *b)
{
	LoopHalf	half[2];
	LoopHalf	other[2];

	memcpy(half, a, sizeof(half));
	memcpy(other, b, sizeof(other));
	sum[0] += __builtin_convertvector(half[0], LoopDoubles) * __builtin_convertvector(other[0], LoopDoubles);
	sum[1] += __builtin_convertvector(half[1], LoopDoubles) * __builtin_convertvector(other[1], LoopDoubles);
}

LOOP double
loop_total(const LoopDoubles sum[2])
{
	LoopDoubles both = sum[0] + sum[1];

	return ((both[0] + both[4]) + (both[2] + both[6])) + ((both[1] + both[5]) + (both[3] + both[7]));
}

LOOP float
loop_total_floats(const LoopFloats *sum)
{
	float		total = 0;

	for (int i = 0; i < LANES / 2; i++)
		total += (*sum)[i] + (*sum)[i + LANES / 2];
	return total;
}

LOOP void
loop_measure(const float *r, const float *c, int n, uint8 *bits, float *magnitude, ElacRabitqSums *sums)
{
	LoopDoubles rr[2] = {{0}};
	LoopDoubles rc[2] = {{0}};
	LoopDoubles rx[2] = {{0}};
	LoopDoubles cx[2] = {{0}};
	const LoopFloats half = (LoopFloats) {0} + 0.5f;

	for (int i = 0; i < n; i += LANES)
	{
		LoopFloats	r16;
		LoopFloats	c16;
		LoopFloats	x16;
		LoopFloats	m16;
		LoopInts	positive;
		LoopInts	image;
		LoopBytes	b16;

		loop_load(&r16, r + i);
		loop_load(&c16, c + i);
		positive = r16 > 0.0f;
		/* the sign of r, for 0 the negative one, on 1/2 */
		image = ((LoopInts) half) | (~positive & (int32) 0x80000000);
		memcpy(&x16, &image, sizeof(x16));
		image = ((LoopInts) r16) & 0x7FFFFFFF;
		memcpy(&m16, &image, sizeof(m16));
		b16 = __builtin_convertvector(positive & 1, LoopBytes);
		memcpy(magnitude + i, &m16, sizeof(m16));
		memcpy(bits + i, &b16, sizeof(b16));
		loop_add(rr, &r16, &r16);
		loop_add(rc, &r16, &c16);
		loop_add(rx, &m16, &half);
		loop_add(cx, &c16, &x16);
	}
	sums->rr = loop_total(rr);
	sums->rc = loop_total(rc);
	sums->rx = loop_total(rx);
	sums->cx = loop_total(cx);
}

/* min(floor(magnitude * step), limit) of 16; magnitudes are not negative */
LOOP void
loop_levels(const float *magnitude, float step, float limit, LoopInts *levels)
{
	LoopFloats	m16;
	LoopFloats	scaled;
	LoopInts	over;
	LoopInts	image;

	loop_load(&m16, magnitude);
	scaled = m16 * step;
	over = scaled > limit;
	image = (((LoopInts) scaled) & ~over) | (((LoopInts) ((LoopFloats) {0} + limit)) & over);
	memcpy(&scaled, &image, sizeof(scaled));
	*levels = __builtin_convertvector(scaled, LoopInts);
}

LOOP void
loop_try_step(const float *magnitude, int n, float step, float limit, double *dot, double *square)
{
	*dot = 0;
	*square = 0;
	for (int i = 0; i < n;)
	{
		/* few enough that sums in float choose between steps well */
		int			stop = Min(n, i + 32 * LANES);
		LoopFloats	part_dot = {0};
		LoopFloats	part_square = {0};

		for (; i < stop; i += LANES)
		{
			LoopInts	levels;
			LoopFloats	level;
			LoopFloats	m16;

			loop_levels(magnitude + i, step, limit, &levels);
			level = __builtin_convertvector(levels, LoopFloats) + 0.5f;
			loop_load(&m16, magnitude + i);
			part_dot += level * m16;
			part_square += level * level;
		}
		*dot += loop_total_floats(&part_dot);
		*square += loop_total_floats(&part_square);
	}
}

LOOP void
loop_quantise(const float *magnitude, int n, float step, float limit, uint32 *ex)
{
	for (int i = 0; i < n; i += LANES)
	{
		LoopInts	levels;

		loop_levels(magnitude + i, step, limit, &levels);
		memcpy(ex + i, &levels, sizeof(levels));
	}
}

LOOP void
loop_finish(const float *magnitude, const float *c, const uint8 *bits, int n, uint32 mask, uint32 *ex,
			ElacRabitqSums *sums)
{
	LoopDoubles rx[2] = {{0}};
	LoopDoubles cx[2] = {{0}};
	LoopDoubles xx[2] = {{0}};

	for (int i = 0; i < n; i += LANES)
	{
		LoopFloats	m16;
		LoopFloats	c16;
		LoopFloats	level;
		LoopFloats	x16;
		LoopInts	codes;
		LoopInts	negative;
		LoopInts	image;
		LoopBytes	b16;

		loop_load(&m16, magnitude + i);
		loop_load(&c16, c + i);
		memcpy(&codes, ex + i, sizeof(codes));
		memcpy(&b16, bits + i, sizeof(b16));
		level = __builtin_convertvector(codes, LoopFloats) + 0.5f;
		negative = __builtin_convertvector(b16, LoopInts) - 1;	/* all ones where the bit is 0 */
		image = ((LoopInts) level) | (negative & (int32) 0x80000000);
		memcpy(&x16, &image, sizeof(x16));
		loop_add(rx, &m16, &level);
		loop_add(cx, &c16, &x16);
		loop_add(xx, &level, &level);
		codes ^= negative & (int32) mask;
		memcpy(ex + i, &codes, sizeof(codes));
	}
	sums->rx = loop_total(rx);
	sums->cx = loop_total(cx);
	sums->xx = loop_total(xx);
}

/* The four of them under a processor's flags. */
#define VARIANT(name, attribute) \
	attribute static void \
	name##_measure(const float *r, const float *c, int n, uint8 *bits, float *magnitude, ElacRabitqSums *sums) \
	{ \
		loop_measure(r, c, n, bits, magnitude, sums); \
	} \
	attribute static void \
	name##_try_step(const float *magnitude, int n, float step, float limit, double *dot, double *square) \
	{ \
		loop_try_step(magnitude, n, step, limit, dot, square); \
	} \
	attribute static void \
	name##_quantise(const float *magnitude, int n, float step, float limit, uint32 *ex) \
	{ \
		loop_quantise(magnitude, n, step, limit, ex); \
	} \
	attribute static void \
	name##_finish(const float *magnitude, const float *c, const uint8 *bits, int n, uint32 mask, uint32 *ex, \
				  ElacRabitqSums *sums) \
	{ \
		loop_finish(magnitude, c, bits, n, mask, ex, sums); \
	} \
	static const ElacRabitqLoops name##_loops = \
		{name##_measure, name##_try_step, name##_quantise, name##_finish};

VARIANT(scalar,)
#ifdef __x86_64__
VARIANT(avx2, __attribute__((target("avx2,fma"))))
VARIANT(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))))
#endif

const ElacRabitqLoops *
elac_rabitq_loops_by_name(const char *name)
{
#ifdef __x86_64__
	if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return &avx512_loops;
	if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &avx2_loops;
#endif
	return strcmp(name, "scalar") == 0 ? &scalar_loops : NULL;
}

const ElacRabitqLoops *
elac_rabitq_loops(void)
{
	static const ElacRabitqLoops *chosen = NULL;

	if (chosen == NULL)
	{
		/* what the kernels were chosen by decides here too */
		const ElacRabitqLoops *loops = elac_rabitq_loops_by_name(elac_kernels()->name);

		chosen = loops ? loops : &scalar_loops;
	}
	return chosen;
}
