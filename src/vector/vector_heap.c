/*
 * vector_heap.c
 *	  The best candidates of a scan so far: a binary max-heap by estimate.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "utils/memutils.h"

#include "vector/vector_private.h"

struct ElacVectorHeap
{
	uint32		capacity;
	uint32		n;
	uint32		allocated;		/* grows: a large capacity is often not filled */
	ElacVectorCandidate *items;
	ElacVectorWatch *watch;		/* NULL: nobody asks */
};

ElacVectorHeap *
elac_vector_heap_create(uint32 capacity)
{
	ElacVectorHeap *heap = palloc0(sizeof(ElacVectorHeap));

	heap->capacity = Max(capacity, 1);
	heap->allocated = Min(heap->capacity, 256);
	heap->items = palloc(heap->allocated * sizeof(ElacVectorCandidate));
	return heap;
}

ElacVectorWatch **
elac_vector_heap_watch_of(ElacVectorHeap *heap)
{
	return &heap->watch;
}

float
elac_vector_heap_threshold(const ElacVectorHeap *heap)
{
	return heap->n < heap->capacity ? INFINITY : heap->items[0].estimate;
}

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

void
elac_vector_heap_push(ElacVectorHeap *heap, const ElacVectorCandidate *candidate)
{
	ElacVectorCandidate unknown;
	uint32		position;

	if (heap->watch != NULL)
		elac_vector_watch_push(heap->watch, candidate->estimate);

	/* a distance that overflowed: keep it while there is room, to be looked at exactly */
	if (isnan(candidate->estimate))
	{
		unknown = *candidate;
		unknown.estimate = INFINITY;
		unknown.lower = -FLT_MAX;
		candidate = &unknown;
	}
	if (heap->n == heap->capacity)
	{
		if (candidate->estimate < heap->items[0].estimate)
			elac_vector_heap_sink(heap, 0, candidate);
		return;
	}
	if (heap->n == heap->allocated)
	{
		Size		allocated = Min((Size) heap->allocated * 2, heap->capacity);

		heap->items = repalloc_huge(heap->items, allocated * sizeof(ElacVectorCandidate));
		heap->allocated = allocated;
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

static int
elac_vector_candidate_compare(const void *a, const void *b)
{
	const ElacVectorCandidate *x = a;
	const ElacVectorCandidate *y = b;

	if (x->lower != y->lower)
		return x->lower < y->lower ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->doc < y->doc ? -1 : x->doc > y->doc ? 1 : 0;
}

ElacVectorCandidate *
elac_vector_heap_finish(ElacVectorHeap *heap, uint32 *ncandidates)
{
	ElacVectorCandidate *items = heap->items;

	qsort(items, heap->n, sizeof(ElacVectorCandidate), elac_vector_candidate_compare);
	*ncandidates = heap->n;
	heap->n = 0;
	heap->allocated = Min(heap->capacity, 256);
	heap->items = palloc(heap->allocated * sizeof(ElacVectorCandidate));
	return items;
}
