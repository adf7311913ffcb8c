/*
 * kmeans.c
 *	  k-means++ seeds and Lloyd iterations, flat.  The hierarchy that makes
 *	  thousands of clusters affordable is codebook_train.c's.
 *
 * Uses 4 * n + 24 * k * dim bytes of CurrentMemoryContext and frees them.
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

/* Points taken together by the blocked kernel. */
#define KMEANS_BLOCK 128

/* Bytes of points that are centred once for all iterations. */
#define KMEANS_CENTRED_BYTES ((Size) 8 * 1024 * 1024)

/* Components added up beside each other. */
#define KMEANS_LANES 16

/* Points per cluster among which seeds are chosen. */
#define KMEANS_SEED_POINTS 16

typedef struct ElacKmeansState
{
	const ElacKmeans *in;
	float	   *centroids;
	uint32	   *assignment;
	float	   *distance;		/* of each member to its centroid, squared */
	uint64	   *counts;
	double	   *sums;			/* k * dim, of the members less the mean; NULL when not wanted */
	float	   *partial;		/* what is still to be added to them */
	uint32		k;				/* clusters there are */
	float	   *mean;			/* of the members: what the kernel's input is relative to */
	float	   *packed;			/* centroids for the kernel */
	float	   *centred;		/* the points, centred: all when that is not much, else KMEANS_BLOCK at a time */
	float	   *squares;		/* their squared lengths */
	bool		all_centred;
} ElacKmeansState;

static inline const float *
elac_kmeans_point(const ElacKmeans *in, uint64 i)
{
	return in->points + (in->members ? in->members[i] : i) * (Size) in->dim;
}

/* Number of the i-th of nsome members spread over all. */
static inline uint64
elac_kmeans_some(const ElacKmeans *in, uint64 i, uint64 nsome)
{
	/* n is below 2^32, so the product fits */
	return nsome == in->n ? i : i * in->n / nsome;
}

/* sum += x, by the compiler's vectors: no option makes it find them in a plain loop. */
static inline void
elac_kmeans_add(float *sum, const float *x, int dim)
{
	typedef float Floats __attribute__((vector_size(KMEANS_LANES * sizeof(float))));
	int			d = 0;

	for (; d + KMEANS_LANES <= dim; d += KMEANS_LANES)
	{
		Floats		a;
		Floats		b;

		memcpy(&a, sum + d, sizeof(a));
		memcpy(&b, x + d, sizeof(b));
		a += b;
		memcpy(sum + d, &a, sizeof(a));
	}
	for (; d < dim; d++)
		sum[d] += x[d];
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
 * the squared distance to the seeds so far.  Some points a cluster are enough
 * to draw from; uses state->distance for them.
 */
static void
elac_kmeans_seed(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	const ElacKernels *kernels = elac_kernels();
	Size		row = in->dim * sizeof(float);
	uint64		nsome = Min(in->n, Max((uint64) in->k * KMEANS_SEED_POINTS, 1024));
	uint64		chosen = elac_rng_below(in->rng, nsome);

	for (uint64 i = 0; i < nsome; i++)
		state->distance[i] = INFINITY;
	state->k = 0;
	while (state->k < in->k)
	{
		float	   *seed = state->centroids + (Size) state->k * in->dim;
		double		total = 0;
		double		target;

		memcpy(seed, elac_kmeans_point(in, elac_kmeans_some(in, chosen, nsome)), row);
		for (uint64 i = 0; i < nsome; i++)
		{
			float		d = kernels->l2sq_f32(elac_kmeans_point(in, elac_kmeans_some(in, i, nsome)), seed, in->dim);

			if (i % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			if (d < state->distance[i])
				state->distance[i] = d;
			/* infinite distances must not swallow the sum */
			total += Min(state->distance[i], 1e30f);
		}
		state->k++;
		if (total <= 0)
			break;				/* every point is a seed: no more distinct ones */

		target = elac_rng_double(in->rng) * total;
		chosen = nsome;
		for (uint64 i = 0; i < nsome; i++)
		{
			if (state->distance[i] <= 0)
				continue;
			chosen = i;
			target -= Min(state->distance[i], 1e30f);
			if (target < 0)
				break;
		}
		if (chosen == nsome)
			break;
	}
}

/* Centres n points from first on; they lie at the start of state->centred unless all do. */
static void
elac_kmeans_centre(ElacKmeansState *state, uint64 first, int n)
{
	const ElacKmeans *in = state->in;
	int			dim = in->dim;
	uint64		at = state->all_centred ? first : 0;

	for (int i = 0; i < n; i++)
	{
		const float *point = elac_kmeans_point(in, first + i);
		float	   *centred = state->centred + (Size) (at + i) * dim;

		for (int d = 0; d < dim; d++)
			centred[d] = point[d] - state->mean[d];
		state->squares[at + i] = elac_kernels()->ip_f32(centred, centred, dim);
	}
}

/* Allocates what assigning the members to up to k centroids needs. */
static void
elac_kmeans_state_begin(ElacKmeansState *state, uint32 k, bool often)
{
	const ElacKmeans *in = state->in;
	Size		row = in->dim * sizeof(float);
	Size		npoints;

	state->distance = palloc_extended(in->n * sizeof(float), MCXT_ALLOC_HUGE);
	state->counts = palloc_extended(k * sizeof(uint64), MCXT_ALLOC_HUGE);
	state->mean = palloc(row);
	state->packed = palloc_extended(elac_assign_packed_floats(k, in->dim) * sizeof(float), MCXT_ALLOC_HUGE);
	elac_kmeans_mean(in->points, in->members, in->n, in->dim, state->mean);
	state->all_centred = often && in->n <= KMEANS_CENTRED_BYTES / row;
	npoints = state->all_centred ? in->n : KMEANS_BLOCK;
	state->centred = palloc(npoints * row);
	state->squares = palloc(npoints * sizeof(float));
	if (state->all_centred)
		for (uint64 first = 0; first < in->n; first += KMEANS_BLOCK)
		{
			CHECK_FOR_INTERRUPTS();
			elac_kmeans_centre(state, first, (int) Min(in->n - first, (uint64) KMEANS_BLOCK));
		}
}

static void
elac_kmeans_state_end(ElacKmeansState *state)
{
	pfree(state->distance);
	pfree(state->counts);
	pfree(state->mean);
	pfree(state->packed);
	pfree(state->centred);
	pfree(state->squares);
}

/* The centroids in the kernel's form. */
static void
elac_kmeans_pack(ElacKmeansState *state)
{
	int			dim = state->in->dim;
	float	   *centred = palloc_extended((Size) state->k * dim * sizeof(float), MCXT_ALLOC_HUGE);

	for (uint32 c = 0; c < state->k; c++)
		for (int d = 0; d < dim; d++)
			centred[(Size) c * dim + d] = state->centroids[(Size) c * dim + d] - state->mean[d];
	elac_assign_pack(centred, state->k, dim, state->packed);
	pfree(centred);
}

/* Floats are precise enough for some points only: their sums go into sums of doubles. */
static void
elac_kmeans_settle_sums(ElacKmeansState *state)
{
	Size		n = (Size) state->k * state->in->dim;

	for (Size i = 0; i < n; i++)
		state->sums[i] += state->partial[i];
	memset(state->partial, 0, n * sizeof(float));
}

/* Assigns every member to its nearest centroid, and sums them up; returns how many moved. */
static uint64
elac_kmeans_assign(ElacKmeansState *state)
{
	const ElacKmeans *in = state->in;
	uint64		moved = 0;
	uint64		settle = Max((uint64) state->k * 8, 1024);
	uint64		unsettled = 0;

	memset(state->counts, 0, state->k * sizeof(uint64));
	if (state->sums != NULL)
	{
		memset(state->sums, 0, (Size) state->k * in->dim * sizeof(double));
		memset(state->partial, 0, (Size) state->k * in->dim * sizeof(float));
	}
	elac_kmeans_pack(state);
	for (uint64 first = 0; first < in->n; first += KMEANS_BLOCK)
	{
		int			n = (int) Min(in->n - first, (uint64) KMEANS_BLOCK);
		uint64		at = state->all_centred ? first : 0;
		const float *rows[KMEANS_BLOCK];
		uint32		nearest[KMEANS_BLOCK];
		float		scores[KMEANS_BLOCK];

		CHECK_FOR_INTERRUPTS();
		if (!state->all_centred)
			elac_kmeans_centre(state, first, n);
		for (int i = 0; i < n; i++)
			rows[i] = state->centred + (Size) (at + i) * in->dim;
		elac_kernels()->assign_block(rows, n, state->packed, state->k, in->dim, nearest, scores);
		for (int i = 0; i < n; i++)
		{
			if (nearest[i] != state->assignment[first + i])
			{
				state->assignment[first + i] = nearest[i];
				moved++;
			}
			state->counts[nearest[i]]++;
			/* the difference of like numbers can end below 0 */
			state->distance[first + i] = Max(state->squares[at + i] + 2 * scores[i], 0);
			if (state->sums != NULL)
				elac_kmeans_add(state->partial + (Size) nearest[i] * in->dim, rows[i], in->dim);
		}
		unsettled += n;
		if (state->sums != NULL && (unsettled >= settle || first + n == in->n))
		{
			elac_kmeans_settle_sums(state);
			unsettled = 0;
		}
	}
	return moved;
}

void
elac_kmeans_assign_all(const ElacKmeans *input, const float *centroids, uint32 ncentroids, uint32 *assignment)
{
	ElacKmeansState state = {0};

	state.in = input;
	state.centroids = unconstify(float *, centroids);
	state.k = ncentroids;
	elac_kmeans_state_begin(&state, ncentroids, false);
	state.assignment = assignment;
	memset(assignment, 0, input->n * sizeof(uint32));
	elac_kmeans_assign(&state);
	elac_kmeans_state_end(&state);
}

/* Moves a member to an empty cluster. */
static void
elac_kmeans_move(ElacKmeansState *state, uint64 i, uint32 to)
{
	const float *point = elac_kmeans_point(state->in, i);
	int			dim = state->in->dim;
	double	   *old = state->sums + (Size) state->assignment[i] * dim;
	double	   *new = state->sums + (Size) to * dim;

	for (int d = 0; d < dim; d++)
	{
		new[d] = point[d] - state->mean[d];
		old[d] -= new[d];
	}
	state->counts[state->assignment[i]]--;
	state->assignment[i] = to;
	state->counts[to] = 1;
	state->distance[i] = 0;
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
		elac_kmeans_move(state, farthest, c);
	}
}

/* Moves every centroid to the mean of its members; empty ones stay. */
static void
elac_kmeans_update(ElacKmeansState *state)
{
	int			dim = state->in->dim;

	for (uint32 c = 0; c < state->k; c++)
	{
		const double *sum = state->sums + (Size) c * dim;
		float	   *centroid = state->centroids + (Size) c * dim;

		if (state->counts[c] == 0)
			continue;
		for (int d = 0; d < dim; d++)
		{
			float		mean = (float) (state->mean[d] + sum[d] / state->counts[c]);

			/* sums of components near the largest float overflow: the centroid stays where it was */
			if (isfinite(mean))
				centroid[d] = mean;
		}
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
	elac_kmeans_state_begin(&state, input->k, true);
	state.sums = palloc_extended((Size) input->k * input->dim * sizeof(double), MCXT_ALLOC_HUGE);
	state.partial = palloc_extended((Size) input->k * input->dim * sizeof(float), MCXT_ALLOC_HUGE);

	elac_kmeans_seed(&state);
	memset(assignment, 0, input->n * sizeof(uint32));
	elac_kmeans_assign(&state);
	elac_kmeans_fill_empty(&state);
	for (int i = 0; i < input->iterations; i++)
	{
		elac_kmeans_update(&state);
		if (elac_kmeans_assign(&state) <= input->n / 500)
			break;
		elac_kmeans_fill_empty(&state);
	}
	elac_kmeans_compact(&state);

	elac_kmeans_state_end(&state);
	pfree(state.sums);
	pfree(state.partial);
	return state.k;
}
