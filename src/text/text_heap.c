/*
 * text_heap.c
 *	  The best hits of a search, shared by all sources of a scan: a heap with
 *	  the worst hit at the root.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "text/text_eval.h"

struct ElacTextHeap
{
	MemoryContext context;
	uint32		capacity;
	uint32		nhits;
	uint32		room;
	ElacTextHit *hits;
	ElacTextPlace place;		/* NULL: every hit has place 0 */
	void	   *place_arg;
};

ElacTextHeap *
elac_text_heap_create(uint32 capacity)
{
	ElacTextHeap *heap = palloc0(sizeof(ElacTextHeap));

	heap->context = CurrentMemoryContext;
	heap->capacity = capacity;
	return heap;
}

void
elac_text_heap_set_place(ElacTextHeap *heap, ElacTextPlace place, void *arg)
{
	heap->place = place;
	heap->place_arg = arg;
}

/* Negative when a ranks before b. */
static int
compare_hits(const void *a, const void *b)
{
	const ElacTextHit *x = a;
	const ElacTextHit *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->doc > y->doc) - (x->doc < y->doc);
}

/* Puts hit in place of the hole at position, moving worse children up. */
static void
heap_sift_down(ElacTextHeap *heap, uint32 position, const ElacTextHit *hit)
{
	for (;;)
	{
		uint64		child = (uint64) position * 2 + 1;

		if (child >= heap->nhits)
			break;
		if (child + 1 < heap->nhits && compare_hits(&heap->hits[child + 1], &heap->hits[child]) > 0)
			child++;
		if (compare_hits(&heap->hits[child], hit) <= 0)
			break;
		heap->hits[position] = heap->hits[child];
		position = (uint32) child;
	}
	heap->hits[position] = *hit;
}

static void
heap_grow(ElacTextHeap *heap)
{
	uint32		room = (uint32) Min((uint64) heap->capacity, Max((uint64) heap->room * 2, 256));

	if (heap->hits == NULL)
		heap->hits = MemoryContextAllocHuge(heap->context, (Size) room * sizeof(ElacTextHit));
	else
		heap->hits = repalloc_huge(heap->hits, (Size) room * sizeof(ElacTextHit));
	heap->room = room;
}

void
elac_text_heap_push(ElacTextHeap *heap, const ElacTextHit *candidate)
{
	ElacTextHit placed = *candidate;
	const ElacTextHit *hit = &placed;
	uint32		position;

	if (heap->nhits == heap->capacity && (heap->capacity == 0 || hit->score < heap->hits[0].score))
		return;
	placed.place = heap->place != NULL ? heap->place(heap->place_arg, hit->source, hit->doc) : 0;
	if (heap->nhits == heap->capacity)
	{
		if (compare_hits(hit, &heap->hits[0]) < 0)
			heap_sift_down(heap, 0, hit);
		return;
	}
	if (heap->nhits == heap->room)
		heap_grow(heap);
	position = heap->nhits++;
	while (position > 0)
	{
		uint32		parent = (position - 1) / 2;

		if (compare_hits(&heap->hits[parent], hit) >= 0)
			break;
		heap->hits[position] = heap->hits[parent];
		position = parent;
	}
	heap->hits[position] = *hit;
}

ElacTextHit *
elac_text_heap_finish(ElacTextHeap *heap, uint32 *nhits)
{
	ElacTextHit *hits = heap->hits;

	*nhits = heap->nhits;
	if (heap->nhits > 1)
		qsort(hits, heap->nhits, sizeof(ElacTextHit), compare_hits);
	heap->hits = NULL;
	heap->nhits = heap->room = 0;
	return hits;
}

uint32
elac_text_heap_capacity(const ElacTextHeap *heap)
{
	return heap->capacity;
}

double
elac_text_heap_threshold(const ElacTextHeap *heap)
{
	if (heap->nhits < heap->capacity)
		return 0.0;
	return heap->capacity > 0 ? heap->hits[0].score : INFINITY;
}
