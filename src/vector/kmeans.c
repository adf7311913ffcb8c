/*
 * kmeans.c
 *	  k-means++ seeds and Lloyd iterations, flat.  The hierarchy that makes
 *	  thousands of clusters affordable is codebook_train.c's.
 *
 * Uses O(n + k * dim) memory of CurrentMemoryContext and frees it.
 * Duplicates, constant data and empty clusters are normal input: seeds are
 * distinct points, a cluster that runs empty takes the point that lies
 * farthest from its own centroid, and clusters that cannot be filled are
 * dropped.  Components whose squares overflow give infinite distances and end
 * in any cluster, never in a wrong access.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "vector/kmeans.h"

typedef struct ElacKmeansState
{
	const ElacKmeans *in;
	float	   *centroids;
	uint32	   *assignment;
	float	   *distance;		/* of each member to its centroid, squared */
	uint64	   *counts;
	double	   *sums;			/* k * dim */
	uint32		k;				/* clusters there are */
} ElacKmeansState;

static inline const float *
elac_kmeans_point(const ElacKmeans *in, uint64 i)
{
	return in->points + (in->members ? in->members[i] : i) * (Size) in->dim;
}

uint32
elac_kmeans_nearest(const float *point, const float *centroids, uint32 ncentroids, int dim, float *distance)
{
	const ElacKernels *kernels = elac_kernels();
	uint32		best = 0;
	float		best_distance = kernels->l2sq_f32(point, centroids, dim);

	for (uint32 c = 1; c < ncentroids; c++)
	{
		float		d = kernels->l2sq_f32(point, centroids + (Size) c * dim, dim);

		if (d < best_distance)
		{
			best_distance = d;
			best = c;
		}
	}
	if (distance)
		*distance = best_distance;
	return best;
}

void
elac_kmeans_mean(const float *points, const uint32 *members, uint64 n, int dim, float *mean)
{
	double	   *sum = palloc0(dim * sizeof(double));

	for (uint64 i = 0; i < n; i++)
	{
		const float *point = points + (members ? members[i] : i) * (Size) dim;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int d = 0; d < dim; d++)
			sum[d] += point[d];
	}
	for (int d = 0; d < dim; d++)
		mean[d] = (float) (sum[d] / n);
	pfree(sum);
}

/*
 * Seeds by k-means++: each next seed is drawn with probability proportional to
 * the squared distance to the seeds so far.  Leaves state->distance filled.
 */
static void
elac_kmeans_seed(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	const ElacKernels *kernels = elac_kernels();
	Size		row = in->dim * sizeof(float);
	uint64		chosen = elac_rng_below(in->rng, in->n);

	for (uint64 i = 0; i < in->n; i++)
	{
		state->distance[i] = INFINITY;
		state->assignment[i] = 0;
	}
	state->k = 0;
	while (state->k < in->k)
	{
		float	   *seed = state->centroids + (Size) state->k * in->dim;
		double		total = 0;
		double		target;

		memcpy(seed, elac_kmeans_point(in, chosen), row);
		for (uint64 i = 0; i < in->n; i++)
		{
			float		d = kernels->l2sq_f32(elac_kmeans_point(in, i), seed, in->dim);

			if (i % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			if (d < state->distance[i])
			{
				state->distance[i] = d;
				state->assignment[i] = state->k;
			}
			/* infinite distances must not swallow the sum */
			total += Min(state->distance[i], 1e30f);
		}
		state->k++;
		if (total <= 0)
			break;				/* every point is a seed: no more distinct ones */

		target = elac_rng_double(in->rng) * total;
		chosen = in->n;
		for (uint64 i = 0; i < in->n; i++)
		{
			if (state->distance[i] <= 0)
				continue;
			chosen = i;
			target -= Min(state->distance[i], 1e30f);
			if (target < 0)
				break;
		}
		if (chosen == in->n)
			break;
	}
}

/* Assigns every member to its nearest centroid; returns how many moved. */
static uint64
elac_kmeans_assign(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	uint64		moved = 0;

	memset(state->counts, 0, state->k * sizeof(uint64));
	for (uint64 i = 0; i < in->n; i++)
	{
		uint32		c;

		if (i % 64 == 0)
			CHECK_FOR_INTERRUPTS();
		c = elac_kmeans_nearest(elac_kmeans_point(in, i), state->centroids, state->k, in->dim, &state->distance[i]);
		if (c != state->assignment[i])
		{
			state->assignment[i] = c;
			moved++;
		}
		state->counts[c]++;
	}
	return moved;
}

/* Gives each empty cluster the point farthest from its centroid, if there is one. */
static void
elac_kmeans_fill_empty(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;

	for (uint32 c = 0; c < state->k; c++)
	{
		uint64		farthest = in->n;
		float		distance = 0;

		if (state->counts[c] > 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (uint64 i = 0; i < in->n; i++)
		{
			if (state->distance[i] > distance && state->counts[state->assignment[i]] > 1)
			{
				distance = state->distance[i];
				farthest = i;
			}
		}
		if (farthest == in->n)
			return;
		state->counts[state->assignment[farthest]]--;
		state->assignment[farthest] = c;
		state->counts[c] = 1;
		state->distance[farthest] = 0;
	}
}

/* Moves every centroid to the mean of its members; empty ones stay. */
static void
elac_kmeans_update(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	int			dim = in->dim;

	memset(state->sums, 0, (Size) state->k * dim * sizeof(double));
	for (uint64 i = 0; i < in->n; i++)
	{
		const float *point = elac_kmeans_point(in, i);
		double	   *sum = state->sums + (Size) state->assignment[i] * dim;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int d = 0; d < dim; d++)
			sum[d] += point[d];
	}
	for (uint32 c = 0; c < state->k; c++)
	{
		if (state->counts[c] == 0)
			continue;
		for (int d = 0; d < dim; d++)
			state->centroids[(Size) c * dim + d] = (float) (state->sums[(Size) c * dim + d] / state->counts[c]);
	}
}

/* Drops clusters without members and numbers the others anew. */
static void
elac_kmeans_compact(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	uint32	   *number = palloc_extended(state->k * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		kept = 0;

	for (uint32 c = 0; c < state->k; c++)
	{
		number[c] = kept;
		if (state->counts[c] == 0)
			continue;
		if (kept != c)
			memcpy(state->centroids + (Size) kept * in->dim, state->centroids + (Size) c * in->dim,
				   in->dim * sizeof(float));
		kept++;
	}
	for (uint64 i = 0; i < in->n; i++)
		state->assignment[i] = number[state->assignment[i]];
	state->k = kept;
	pfree(number);
}

uint32
elac_kmeans_run(const ElacKmeans *input, float *centroids, uint32 *assignment)
{
	ElacKmeansState state = {0};

	Assert(input->n >= 1 && input->k >= 1);
	state.in = input;
	state.centroids = centroids;
	state.assignment = assignment;
	state.distance = palloc_extended(input->n * sizeof(float), MCXT_ALLOC_HUGE);
	state.counts = palloc_extended(input->k * sizeof(uint64), MCXT_ALLOC_HUGE);
	state.sums = palloc_extended((Size) input->k * input->dim * sizeof(double), MCXT_ALLOC_HUGE);

	elac_kmeans_seed(&state);
	memset(state.counts, 0, state.k * sizeof(uint64));
	for (uint64 i = 0; i < input->n; i++)
		state.counts[assignment[i]]++;
	for (int i = 0; i < input->iterations; i++)
	{
		elac_kmeans_update(&state);
		if (elac_kmeans_assign(&state) <= input->n / 500)
			break;
		elac_kmeans_fill_empty(&state);
	}
	elac_kmeans_compact(&state);

	pfree(state.distance);
	pfree(state.counts);
	pfree(state.sums);
	return state.k;
}
