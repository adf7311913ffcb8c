/*
 * kernels.c
 *	  How long the inner loops of src/base take, in nanoseconds a code.
 *
 *	cc -O2 -std=gnu11 -Isrc -o /tmp/kernels bench/kernels.c $(find src/base -name '*.c') -lm
 *	/tmp/kernels [avx512|avx2|neon|scalar]
 *
 * For several dimensions: the 1-bit pass over blocks of 32 (alone, and with
 * the bounds), inner products with extra bits of each width, tables of a query,
 * and centroid assignment.  "near" goes round data that stay in the
 * first-level cache, "far" once through 256 MB in order, which is what memory
 * gives.  Processor time, best of several rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bitpack.h"
#include "base/kernels.h"
#include "base/rng.h"

#define ROUNDS 7
#define NEAR_BYTES ((size_t) 16 * 1024)
#define FAR_BYTES ((size_t) 256 * 1024 * 1024)

static const ElacKernels *kernels;
static uint8_t *bytes;			/* FAR_BYTES of codes */
static float query[4096];
static uint8_t lut[4096 * 4];
static volatile float sink;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* A pass over n items of `stride` bytes, going round within `room` bytes. */
typedef void (*Pass) (size_t n, size_t stride, size_t room, size_t dim, unsigned width);

static void
pass_fastscan(size_t n, size_t stride, size_t room, size_t dim, unsigned width)
{
	uint32_t	sums[32];
	uint32_t	total = 0;
	size_t		at = 0;

	for (size_t i = 0; i < n; i++)
	{
		kernels->fastscan32(bytes + at, lut, dim / 8, sums);
		total += sums[i % 32];
		at = at + 2 * stride <= room ? at + stride : 0;
	}
	sink = (float) (total + width);
}

static void
pass_bounds(size_t n, size_t stride, size_t room, size_t dim, unsigned width)
{
	ElacBoundTerms terms = {0.01f, -1, 0.1f, 10, 1, 0.5f};
	uint32_t	sums[32];
	float		estimate[32];
	float		lower[32];
	float		factors[96];
	uint32_t	total = 0;
	size_t		at = 0;

	/* the bytes of the block are random: not what a processor is quick with as floats */
	for (int i = 0; i < 96; i++)
		factors[i] = (float) (i % 7) + 0.5f;

	for (size_t i = 0; i < n; i++)
	{
		kernels->fastscan32(bytes + at, lut, dim / 8, sums);
		total += kernels->bounds32(&terms, sums, factors, 3, estimate, lower);
		at = at + 2 * stride <= room ? at + stride : 0;
	}
	sink = (float) (total + width);
}

static void
pass_packed(size_t n, size_t stride, size_t room, size_t dim, unsigned width)
{
	float		total = 0;
	size_t		at = 0;

	for (size_t i = 0; i < n; i++)
	{
		total += kernels->ip_packed(query, bytes + at, width, dim);
		at = at + 2 * stride <= room ? at + stride : 0;
	}
	sink = total;
}

/* Best time of an item in nanoseconds. */
static double
measure(Pass pass, size_t stride, size_t room, size_t dim, unsigned width)
{
	size_t		n = room == FAR_BYTES ? FAR_BYTES / stride - 1 : (size_t) 20 * 1000 * 1000 / dim;
	double		best = 1e300;

	for (int round = 0; round < (room == FAR_BYTES ? 2 : ROUNDS); round++)
	{
		double		start = now();

		pass(n, stride, room, dim, width);
		start = (now() - start) / (double) n;
		best = start < best ? start : best;
	}
	return best;
}

static void
bench_assign(size_t dim)
{
	enum
	{
		NROWS = 512, NCENTROIDS = 1024
	};
	float	   *rows = malloc(NROWS * dim * sizeof(float));
	float	   *centroids = malloc(NCENTROIDS * dim * sizeof(float));
	float	   *packed = malloc(elac_assign_packed_floats(NCENTROIDS, dim) * sizeof(float));
	const float *pointers[NROWS];
	uint32_t	nearest[NROWS];
	float		scores[NROWS];
	double		best = 1e300;

	for (size_t i = 0; i < NROWS * dim; i++)
		rows[i] = (float) (i * 2654435761u % 1000) / 1000;
	for (size_t i = 0; i < NCENTROIDS * dim; i++)
		centroids[i] = (float) (i * 2246822519u % 1000) / 1000;
	for (size_t i = 0; i < NROWS; i++)
		pointers[i] = rows + i * dim;
	elac_assign_pack(centroids, NCENTROIDS, dim, packed);
	for (int round = 0; round < ROUNDS; round++)
	{
		double		start = now();

		kernels->assign_block(pointers, NROWS, packed, NCENTROIDS, dim, nearest, scores);
		start = (now() - start) / NROWS / NCENTROIDS;
		best = start < best ? start : best;
	}
	printf("dim %4zu  assignment: %6.2f a pair of vector and centroid\n", dim, best);
	free(rows);
	free(centroids);
	free(packed);
}

int
main(int argc, char **argv)
{
	static const size_t dims[] = {128, 256, 768, 1024};
	ElacRng		rng;

	kernels = argc > 1 ? elac_kernels_by_name(argv[1]) : elac_kernels();
	bytes = malloc(FAR_BYTES);
	if (kernels == NULL || bytes == NULL)
	{
		fprintf(stderr, "no such kernels, or no memory\n");
		return 1;
	}
	elac_rng_seed(&rng, 1);
	for (size_t i = 0; i + 8 <= FAR_BYTES; i += 8)
	{
		uint64_t	word = elac_rng_u64(&rng);

		memcpy(bytes + i, &word, 8);
	}
	for (size_t i = 0; i < 4096; i++)
		query[i] = (float) (elac_rng_double(&rng) - 0.5);
	printf("# kernels %s; nanoseconds of processor time\n", kernels->name);
	for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++)
	{
		size_t		dim = dims[i];
		ElacLutTerms terms;
		double		start = now();

		for (int j = 0; j < 1000; j++)
			kernels->tabulate(query, dim, lut, &terms);
		printf("dim %4zu  tables of a query: %.0f\n", dim, (now() - start) / 1000);
		printf("dim %4zu  1-bit pass: near %.2f, far %.2f a code; with bounds: near %.2f, far %.2f\n", dim,
			   measure(pass_fastscan, dim * 4, NEAR_BYTES, dim, 0) / 32,
			   measure(pass_fastscan, dim * 4, FAR_BYTES, dim, 0) / 32,
			   measure(pass_bounds, dim * 4 + 384, NEAR_BYTES, dim, 0) / 32,
			   measure(pass_bounds, dim * 4 + 384, FAR_BYTES, dim, 0) / 32);
		for (unsigned width = 1; width <= 7; width++)
			printf("dim %4zu  inner product with %u extra bits: near %6.2f, far %6.2f a code\n", dim, width,
				   measure(pass_packed, elac_bitpack_bytes(dim, width), NEAR_BYTES, dim, width),
				   measure(pass_packed, elac_bitpack_bytes(dim, width), FAR_BYTES, dim, width));
		bench_assign(dim);
	}
	return 0;
}
