/*
 * vector_watch.c
 *	  Watches the best k candidates of a heap while it is being filled: has one
 *	  of them changed, and (for calibration) which candidates were among them.
 *
 * A heap keeps many more candidates than rows are wanted, and its threshold
 * falls until the end.  When the best k stop changing, the scan has probably
 * found them: that is what decides how far it goes (query/README.md).
 */
#include "postgres.h"

#include <math.h>

#include "vector/vector_private.h"

struct ElacVectorWatch
{
	uint32		k;
	uint32		n;
	uint32		allocated;
	float	   *best;			/* max-heap of estimates */
	bool		moved;
	bool		records;
	uint32		nrecorded;
	uint32		recorded_allocated;
	ElacVectorCandidate *recorded;
};

void
elac_vector_heap_watch(ElacVectorHeap *heap, uint32 k, bool records)
{
	ElacVectorWatch *watch = palloc0(sizeof(ElacVectorWatch));

	watch->k = Max(k, 1);
	watch->allocated = Min(watch->k, 64);
	watch->best = palloc(watch->allocated * sizeof(float));
	watch->records = records;
	*elac_vector_heap_watch_of(heap) = watch;
}

bool
elac_vector_heap_moved(ElacVectorHeap *heap)
{
	ElacVectorWatch *watch = *elac_vector_heap_watch_of(heap);
	bool		moved = watch->moved;

	watch->moved = false;
	return moved;
}

const ElacVectorCandidate *
elac_vector_heap_recorded(ElacVectorHeap *heap, uint32 *n)
{
	ElacVectorWatch *watch = *elac_vector_heap_watch_of(heap);

	*n = watch->nrecorded;
	return watch->recorded;
}

static void
elac_watch_record(ElacVectorWatch *watch, const ElacVectorCandidate *candidate)
{
	if (watch->recorded == NULL)
	{
		watch->recorded_allocated = 256;
		watch->recorded = palloc(watch->recorded_allocated * sizeof(ElacVectorCandidate));
	}
	else if (watch->nrecorded == watch->recorded_allocated)
	{
		watch->recorded_allocated *= 2;
		watch->recorded = repalloc_huge(watch->recorded,
										(Size) watch->recorded_allocated * sizeof(ElacVectorCandidate));
	}
	watch->recorded[watch->nrecorded++] = *candidate;
}

/* Adds to best, which is not full. */
static void
elac_watch_add(ElacVectorWatch *watch, float estimate)
{
	uint32		position;

	if (watch->n == watch->allocated)
	{
		Size		allocated = Min((Size) watch->allocated * 2, watch->k);

		watch->best = repalloc_huge(watch->best, allocated * sizeof(float));
		watch->allocated = allocated;
	}
	position = watch->n++;
	while (position > 0 && watch->best[(position - 1) / 2] < estimate)
	{
		watch->best[position] = watch->best[(position - 1) / 2];
		position = (position - 1) / 2;
	}
	watch->best[position] = estimate;
}

/* Puts estimate in place of the worst of a full best. */
static void
elac_watch_replace(ElacVectorWatch *watch, float estimate)
{
	uint32		position = 0;

	for (;;)
	{
		Size		child = 2 * (Size) position + 1;

		if (child >= watch->n)
			break;
		if (child + 1 < watch->n && watch->best[child + 1] > watch->best[child])
			child++;
		if (watch->best[child] <= estimate)
			break;
		watch->best[position] = watch->best[child];
		position = child;
	}
	watch->best[position] = estimate;
}

void
elac_vector_watch_push(ElacVectorWatch *watch, const ElacVectorCandidate *candidate)
{
	float		estimate = isnan(candidate->estimate) ? INFINITY : candidate->estimate;

	if (watch->n < watch->k)
		elac_watch_add(watch, estimate);
	else if (estimate < watch->best[0])
		elac_watch_replace(watch, estimate);
	else
		return;
	watch->moved = true;
	if (watch->records)
		elac_watch_record(watch, candidate);
}
