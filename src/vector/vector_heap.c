/*
 * vector_heap.c
 *	  The candidates of a scan so far, and the threshold that a document must
 *	  be below to become one.
 *
 * By estimate: the best `wanted`, for those who return them as they are; the
 * threshold is the worst of their estimates.  By bound: every candidate that
 * may be among the best `wanted`, for those who look at them exactly.  An
 * upper bound lies as far above the estimate as the lower bound below; once
 * `wanted` documents have upper bounds of at most t, nothing whose lower bound
 * is t or more is needed.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "utils/memutils.h"

#include "vector/sort_items.h"
#include "vector/vector_private.h"

#define HEAP_FIRST_ITEMS 256

struct ElacVectorHeap
{
	uint32		wanted;
	bool		bounded;
	uint32		n;
	Size		allocated;		/* grows: what is wanted is often not there */
	ElacVectorCandidate *items; /* by estimate: a max-heap; bounded: in no order */
	uint32		nuppers;
	Size		uppers_allocated;
	float	   *uppers;			/* bounded: a max-heap of the smallest upper bounds */
	ElacVectorWatch *watch;		/* NULL: nobody asks */
};

static ElacVectorHeap *
elac_vector_heap_new(uint32 wanted, bool bounded)
{
	ElacVectorHeap *heap = palloc0(sizeof(ElacVectorHeap));

	heap->wanted = Max(wanted, 1);
	heap->bounded = bounded;
	heap->allocated = bounded ? HEAP_FIRST_ITEMS : Min(heap->wanted, HEAP_FIRST_ITEMS);
	heap->items = palloc(heap->allocated * sizeof(ElacVectorCandidate));
	if (bounded)
	{
		heap->uppers_allocated = Min(heap->wanted, HEAP_FIRST_ITEMS);
		heap->uppers = palloc(heap->uppers_allocated * sizeof(float));
	}
	return heap;
}

ElacVectorHeap *
elac_vector_heap_create(uint32 wanted)
{
	return elac_vector_heap_new(wanted, false);
}

ElacVectorHeap *
elac_vector_heap_create_bounded(uint32 wanted)
{
	return elac_vector_heap_new(wanted, true);
}

ElacVectorWatch **
elac_vector_heap_watch_of(ElacVectorHeap *heap)
{
	return &heap->watch;
}

float
elac_vector_heap_threshold(const ElacVectorHeap *heap)
{
	if (heap->bounded)
		return heap->nuppers < heap->wanted ? INFINITY : heap->uppers[0];
	return heap->n < heap->wanted ? INFINITY : heap->items[0].estimate;
}

/* ---- by estimate ---- */

/* Puts item at position, moving larger children up. */
static void
elac_vector_heap_sink(ElacVectorHeap *heap, uint32 position, const ElacVectorCandidate *item)
{
	for (;;)
	{
		Size		child = 2 * (Size) position + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && heap->items[child + 1].estimate > heap->items[child].estimate)
			child++;
		if (heap->items[child].estimate <= item->estimate)
			break;
		heap->items[position] = heap->items[child];
		position = child;
	}
	heap->items[position] = *item;
}

static void
elac_vector_heap_push_estimate(ElacVectorHeap *heap, const ElacVectorCandidate *candidate)
{
	uint32		position;

	if (heap->n == heap->wanted)
	{
		if (candidate->estimate < heap->items[0].estimate)
			elac_vector_heap_sink(heap, 0, candidate);
		return;
	}
	if (heap->n == heap->allocated)
	{
		heap->allocated = Min(heap->allocated * 2, heap->wanted);
		heap->items = repalloc_huge(heap->items, heap->allocated * sizeof(ElacVectorCandidate));
	}
	position = heap->n++;
	while (position > 0)
	{
		uint32		parent = (position - 1) / 2;

		if (heap->items[parent].estimate >= candidate->estimate)
			break;
		heap->items[position] = heap->items[parent];
		position = parent;
	}
	heap->items[position] = *candidate;
}

/* ---- by bound ---- */

static void
elac_vector_heap_add_upper(ElacVectorHeap *heap, float upper)
{
	float	   *uppers;
	Size		position = 0;

	if (heap->nuppers == heap->wanted)
	{
		/* replaces the largest */
		uppers = heap->uppers;
		if (!(upper < uppers[0]))
			return;
		for (Size child = 1; child < heap->nuppers; child = 2 * position + 1)
		{
			if (child + 1 < heap->nuppers && uppers[child + 1] > uppers[child])
				child++;
			if (uppers[child] <= upper)
				break;
			uppers[position] = uppers[child];
			position = child;
		}
		uppers[position] = upper;
		return;
	}
	if (heap->nuppers == heap->uppers_allocated)
	{
		heap->uppers_allocated = Min(heap->uppers_allocated * 2, heap->wanted);
		heap->uppers = repalloc_huge(heap->uppers, heap->uppers_allocated * sizeof(float));
	}
	uppers = heap->uppers;
	position = heap->nuppers++;
	while (position > 0)
	{
		Size		parent = (position - 1) / 2;

		if (uppers[parent] >= upper)
			break;
		uppers[position] = uppers[parent];
		position = parent;
	}
	uppers[position] = upper;
}

/*
 * Drops candidates that the threshold has left behind; not those at it, for
 * exact estimates (documents that are their centroid) may have made it.
 */
static void
elac_vector_heap_sift(ElacVectorHeap *heap)
{
	float		threshold = elac_vector_heap_threshold(heap);
	uint32		n = 0;

	for (uint32 i = 0; i < heap->n; i++)
		if (heap->items[i].lower <= threshold)
			heap->items[n++] = heap->items[i];
	heap->n = n;
}

static void
elac_vector_heap_push_bound(ElacVectorHeap *heap, const ElacVectorCandidate *candidate)
{
	float		upper = candidate->estimate + (candidate->estimate - candidate->lower);

	if (candidate->lower >= elac_vector_heap_threshold(heap))
		return;
	elac_vector_heap_add_upper(heap, upper);
	if (heap->n == heap->allocated)
	{
		elac_vector_heap_sift(heap);
		if (heap->n > heap->allocated / 2)
		{
			heap->allocated *= 2;
			heap->items = repalloc_huge(heap->items, heap->allocated * sizeof(ElacVectorCandidate));
		}
	}
	heap->items[heap->n++] = *candidate;
}

/* ---- both ---- */

void
elac_vector_heap_push(ElacVectorHeap *heap, const ElacVectorCandidate *candidate)
{
	ElacVectorCandidate unknown;

	if (heap->watch != NULL)
		elac_vector_watch_push(heap->watch, candidate);

	/* a distance that overflowed: keep it while there is room, to be looked at exactly */
	if (isnan(candidate->estimate))
	{
		unknown = *candidate;
		unknown.estimate = INFINITY;
		unknown.lower = -FLT_MAX;
		candidate = &unknown;
	}
	if (heap->bounded)
		elac_vector_heap_push_bound(heap, candidate);
	else
		elac_vector_heap_push_estimate(heap, candidate);
}

ElacVectorCandidate *
elac_vector_heap_finish(ElacVectorHeap *heap, uint32 *ncandidates)
{
	ElacVectorCandidate *sorted;
	ElacSortItem *order;

	if (heap->bounded)
		elac_vector_heap_sift(heap);
	sorted = palloc_extended(Max(heap->n, 1) * sizeof(ElacVectorCandidate), MCXT_ALLOC_HUGE);
	order = palloc_extended(Max(heap->n, 1) * sizeof(ElacSortItem), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < heap->n; i++)
		order[i] = elac_sort_item(heap->items[i].lower, i);
	elac_sort_items(order, heap->n);
	for (uint32 i = 0; i < heap->n; i++)
		sorted[i] = heap->items[elac_sort_payload(order[i])];
	pfree(order);
	*ncandidates = heap->n;
	heap->n = 0;
	heap->nuppers = 0;
	return sorted;
}
