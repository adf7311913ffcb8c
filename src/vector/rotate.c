/*
 * rotate.c
 *	  Fast Hadamard rotation: four rounds of random sign flips and a Hadamard
 *	  transform, O(P log P) instead of the O(P^2) of a dense matrix.
 *
 * Owns the definition of the rotation, which reaches the disk: codes made
 * with one rotation are garbage under another.  Holds no state; callers keep
 * the ElacRotation.
 *
 * When P is no power of two the transform covers the first T = 2^floor(log2 P)
 * components in even rounds and the last T in odd ones, and every round mixes
 * the two halves by (x, y) -> (x + y, x - y).  That step grows the norm by
 * sqrt(2) a round, hence the factor 1/4 at the end.
 */
#include "postgres.h"

#include <math.h>

#include "base/kernels.h"
#include "base/rng.h"
#include "vector/rotate.h"

void
elac_rotate_draw(uint64 seed, int padded, uint8 *signs)
{
	ElacRng		rng;
	Size		nbytes = elac_rotate_sign_bytes(padded);

	elac_rng_seed(&rng, seed);
	for (Size i = 0; i < nbytes; i += 8)
	{
		uint64		word = elac_rng_u64(&rng);

		for (int j = 0; j < 8 && i + j < nbytes; j++)
			signs[i + j] = (uint8) (word >> (8 * j));
	}
}

void
elac_rotate_init(ElacRotation *rotation, int padded, const uint8 *signs)
{
	int			nflips = ELAC_ROTATE_ROUNDS * padded;

	rotation->padded = padded;
	rotation->span = 1;
	while (rotation->span * 2 <= padded)
		rotation->span *= 2;
	rotation->flips = palloc(nflips * sizeof(uint32));
	for (int i = 0; i < nflips; i++)
		rotation->flips[i] = ((signs[i / 8] >> (i % 8)) & 1) ? UINT32_C(0x80000000) : 0;
}

/* Negates the components whose mask has the sign bit set. */
static void
elac_rotate_flip(float *x, const uint32 *flips, int n)
{
	for (int i = 0; i < n; i++)
	{
		uint32		bits;

		memcpy(&bits, &x[i], sizeof(bits));
		bits ^= flips[i];
		memcpy(&x[i], &bits, sizeof(bits));
	}
}

static void
elac_rotate_scale(float *x, float factor, int n)
{
	for (int i = 0; i < n; i++)
		x[i] *= factor;
}

/* (x, y) -> (x + y, x - y) over the two halves. */
static void
elac_rotate_mix(float *x, int n)
{
	float	   *y = x + n / 2;

	for (int i = 0; i < n / 2; i++)
	{
		float		sum = x[i] + y[i];

		y[i] = x[i] - y[i];
		x[i] = sum;
	}
}

void
elac_rotate(const ElacRotation *rotation, const float *src, int dim, float *dst)
{
	const ElacKernels *kernels = elac_kernels();
	int			padded = rotation->padded;
	int			span = rotation->span;
	float		scale = 1.0f / sqrtf((float) span);

	Assert(dim <= padded);
	memcpy(dst, src, dim * sizeof(float));
	memset(dst + dim, 0, (padded - dim) * sizeof(float));

	for (int round = 0; round < ELAC_ROTATE_ROUNDS; round++)
	{
		float	   *part = (round % 2 == 0) ? dst : dst + padded - span;

		elac_rotate_flip(dst, rotation->flips + (Size) round * padded, padded);
		kernels->hadamard(part, span);
		elac_rotate_scale(part, scale, span);
		if (span != padded)
			elac_rotate_mix(dst, padded);
	}
	if (span != padded)
		elac_rotate_scale(dst, 0.25f, padded);
}

/* Every step is its own inverse but for its scale, so: the same steps, last first. */
void
elac_rotate_back(const ElacRotation *rotation, float *x)
{
	const ElacKernels *kernels = elac_kernels();
	int			padded = rotation->padded;
	int			span = rotation->span;
	float		scale = 1.0f / sqrtf((float) span);

	for (int round = ELAC_ROTATE_ROUNDS - 1; round >= 0; round--)
	{
		float	   *part = (round % 2 == 0) ? x : x + padded - span;

		if (span != padded)
			elac_rotate_mix(x, padded);
		kernels->hadamard(part, span);
		elac_rotate_scale(part, scale, span);
		elac_rotate_flip(x, rotation->flips + (Size) round * padded, padded);
	}
	if (span != padded)
		elac_rotate_scale(x, 0.25f, padded);
}
