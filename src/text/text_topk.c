/*
 * text_topk.c
 *	  The best documents of one segment for a text query, into a heap shared
 *	  by all sources of a scan.
 *
 * Term at a time within windows of documents: for each window every term adds
 * its contributions to an accumulator per document, in the order of fields and
 * terms, which is the order in which elac_bm25_score() adds: equal to the bit.
 * A window is passed over when no allowed document lies in it, or when the
 * block maxima of all terms together stay below the worst hit of a full heap.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/text_private.h"

#define WINDOW 4096				/* documents; accumulators of 32 kB fit the first-level cache */
#define WINDOW_WORDS (WINDOW / 64)

/*
 * tf / (tf + norm) rounds a few times, and not monotonically in tf: bounds are
 * raised by far more than that error, and by far less than matters.
 */
#define BOUND_SLACK (1.0 + 1e-9)

/* ---- the heap: the worst hit at the root ---- */

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

/* Score that a document must reach to be worth pushing; 0 while there is room. */
static double
heap_threshold(const ElacTextHeap *heap)
{
	if (heap->nhits < heap->capacity)
		return 0.0;
	return heap->capacity > 0 ? heap->hits[0].score : INFINITY;
}

/* ---- one term's postings ---- */

typedef struct TermPostings
{
	ElacTextReader *reader;
	const ElacBm25Field *field;
	const ElacBm25Term *term;
	int			field_number;
	ElacTextEntry entry;
	/* the postings at hand: all of a rare term, one block of a frequent one */
	uint32	   *docs;
	uint32	   *tfs;
	uint32		n;
	uint32		at;
	/* frequent terms */
	ElacTextPostingBlock *blocks;
	uint64	   *offsets;
	uint32		nblocks;
	uint32		block;			/* current one; nblocks at the end */
	bool		decoded;		/* docs and tfs hold it */
} TermPostings;

static void
postings_open(TermPostings *postings, ElacTextReader *reader, const ElacTextEntry *entry)
{
	postings->reader = reader;
	postings->entry = *entry;
	if (entry->tier == ELAC_TEXT_RARE)
	{
		ElacPosting all[ELAC_TEXT_FREQUENT_DF];

		elac_text_postings(reader, entry, all);
		postings->docs = palloc(entry->df * sizeof(uint32));
		postings->tfs = palloc(entry->df * sizeof(uint32));
		for (uint32 i = 0; i < entry->df; i++)
		{
			postings->docs[i] = all[i].doc;
			postings->tfs[i] = all[i].tf;
		}
		postings->n = entry->df;
		postings->decoded = true;
		return;
	}
	postings->docs = palloc(ELAC_TEXT_BLOCK_DOCS * sizeof(uint32));
	postings->tfs = palloc(ELAC_TEXT_BLOCK_DOCS * sizeof(uint32));
	postings->blocks = elac_text_blocks(reader, entry, &postings->nblocks, &postings->offsets);
}

/* The next document is not below this; ELAC_INVALID_DOC at the end. */
static ElacDoc
postings_peek(const TermPostings *postings)
{
	uint32		next_block = postings->block + (postings->decoded ? 1 : 0);

	if (postings->decoded && postings->at < postings->n)
		return postings->docs[postings->at];
	if (postings->entry.tier == ELAC_TEXT_RARE || next_block >= postings->nblocks)
		return ELAC_INVALID_DOC;
	return next_block == 0 ? 0 : postings->blocks[next_block - 1].last_doc + 1;
}

/* Passes over documents below first; blocks wholly below it are not decoded. */
static void
postings_skip(TermPostings *postings, ElacDoc first)
{
	while (postings->block < postings->nblocks && postings->blocks[postings->block].last_doc < first)
	{
		postings->block++;
		postings->decoded = false;
	}
	if (postings->decoded)
		while (postings->at < postings->n && postings->docs[postings->at] < first)
			postings->at++;
}

/* Makes the current block's postings be at hand; false at the end. */
static bool
postings_fill(TermPostings *postings)
{
	if (postings->decoded && postings->at < postings->n)
		return true;
	if (postings->entry.tier == ELAC_TEXT_RARE)
		return false;
	if (postings->decoded)
		postings->block++;
	postings->decoded = false;
	if (postings->block >= postings->nblocks)
		return false;
	postings->n = elac_text_block_decode(postings->reader, &postings->entry, postings->blocks, postings->offsets,
										 postings->block, postings->docs, postings->tfs);
	postings->at = 0;
	postings->decoded = true;
	return true;
}

/* What the term adds at most to a document of [first, end). */
static double
postings_bound(const TermPostings *postings, ElacDoc first, uint64 end)
{
	double		bound = 0.0;

	if (postings_peek(postings) >= end)
		return 0.0;
	if (postings->entry.tier == ELAC_TEXT_RARE)
		return postings->term->weight * BOUND_SLACK;
	for (uint32 i = postings->block; i < postings->nblocks; i++)
	{
		const ElacTextPostingBlock *block = &postings->blocks[i];
		double		score;

		if (i > 0 && (uint64) postings->blocks[i - 1].last_doc + 1 >= end)
			break;
		if (block->last_doc < first)
			continue;
		score = elac_bm25_term_score(postings->field, postings->term, block->max_tf, block->min_length);
		bound = Max(bound, score);
	}
	return bound * BOUND_SLACK;
}

/* ---- the search ---- */

typedef struct TextSearch
{
	ElacTextReader **readers;
	const ElacBm25Query *query;
	uint32		ndocs;
	TermPostings *terms;
	uint64		nterms;
	double	   *scores;			/* of the window's documents; zero between windows */
	uint64		touched[WINDOW_WORDS];	/* documents with a score */
	uint8	   *norms;			/* WINDOW codes per field */
	bool	   *norms_read;		/* per field: norms are this window's */
} TextSearch;

/* Opens the postings of all terms that can add to a score, in order. */
static void
search_open(TextSearch *search, ElacTextReader **readers, const ElacBm25Query *query)
{
	uint64		room = 0;

	memset(search, 0, sizeof(*search));
	search->readers = readers;
	search->query = query;
	search->ndocs = query->nfields > 0 ? readers[0]->footer.ndocs : 0;
	for (int f = 0; f < query->nfields; f++)
	{
		room += query->fields[f].nterms;
		if (readers[f]->footer.ndocs != search->ndocs)
			elog(ERROR, "fields of a text query have %u and %u documents", search->ndocs, readers[f]->footer.ndocs);
	}
	search->terms = palloc_extended(Max(room, 1) * sizeof(TermPostings), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int f = 0; f < query->nfields; f++)
		for (uint32 i = 0; i < query->fields[f].nterms; i++)
		{
			const ElacBm25Term *term = &query->fields[f].terms[i];
			TermPostings *postings = &search->terms[search->nterms];
			ElacTextEntry entry;

			CHECK_FOR_INTERRUPTS();
			if (!(term->weight > 0) || !elac_text_lookup(readers[f], term->bytes, term->len, &entry))
				continue;
			postings_open(postings, readers[f], &entry);
			postings->field = &query->fields[f];
			postings->term = term;
			postings->field_number = f;
			search->nterms++;
		}
	search->scores = palloc0(WINDOW * sizeof(double));
	search->norms = palloc((Size) Max(query->nfields, 1) * WINDOW);
	search->norms_read = palloc0(Max(query->nfields, 1) * sizeof(bool));
}

/* Adds one term's contributions to the window that starts at first. */
static void
score_term(TextSearch *search, TermPostings *postings, ElacDoc first, uint32 ndocs)
{
	const ElacBm25Field *field = postings->field;
	const ElacBm25Term *term = postings->term;
	uint8	   *norms = search->norms + (Size) postings->field_number * WINDOW;
	double	   *scores = search->scores;
	uint64	   *touched = search->touched;

	postings_skip(postings, first);
	if ((uint64) postings_peek(postings) >= (uint64) first + ndocs)
		return;
	if (!search->norms_read[postings->field_number])
	{
		elac_text_norms(postings->reader, first, ndocs, norms);
		search->norms_read[postings->field_number] = true;
	}
	while (postings_fill(postings))
	{
		const uint32 *docs = postings->docs;
		const uint32 *tfs = postings->tfs;
		uint32		at = postings->at;
		uint32		n = postings->n;

		/* A block decoded only now may begin in windows passed over. */
		while (at < n && docs[at] < first)
			at++;
		for (; at < n && docs[at] - first < ndocs; at++)
		{
			uint32		i = docs[at] - first;

			scores[i] += elac_bm25_term_score(field, term, tfs[at], norms[i]);
			touched[i / 64] |= UINT64CONST(1) << (i % 64);
		}
		postings->at = at;
		if (at < n)
			break;
	}
}

/* Pushes the window's allowed documents and clears the accumulators. */
static void
collect_window(TextSearch *search, ElacDoc first, const ElacBitmap *allowed, uint32 source, ElacTextHeap *heap)
{
	double		threshold = heap_threshold(heap);

	for (uint32 word = 0; word < WINDOW_WORDS; word++)
	{
		uint64		bits = search->touched[word];

		search->touched[word] = 0;
		while (bits != 0)
		{
			uint32		i = word * 64 + (uint32) __builtin_ctzll(bits);
			ElacTextHit hit;

			bits &= bits - 1;
			hit.score = search->scores[i];
			hit.source = source;
			hit.doc = first + i;
			search->scores[i] = 0.0;
			if (hit.score < threshold || hit.score <= 0.0 || (allowed != NULL && !elac_bitmap_get(allowed, hit.doc)))
				continue;
			elac_text_heap_push(heap, &hit);
			threshold = heap_threshold(heap);
		}
	}
}

/* First document of the next window worth a look, at or after first; ndocs when there is none. */
static uint64
next_window(const TextSearch *search, uint64 first, const ElacBitmap *allowed)
{
	ElacDoc		next = ELAC_INVALID_DOC;

	for (uint64 i = 0; i < search->nterms; i++)
		next = Min(next, postings_peek(&search->terms[i]));
	if (next == ELAC_INVALID_DOC)
		return search->ndocs;
	first = Max(first, next);
	if (allowed != NULL && first < search->ndocs)
		first = elac_bitmap_next(allowed, (uint32) first);
	return first;
}

/* True when no document of the window can enter a full heap. */
static bool
window_is_hopeless(const TextSearch *search, ElacDoc first, uint64 end, const ElacTextHeap *heap)
{
	double		threshold = heap_threshold(heap);
	double		bound = 0.0;

	if (threshold <= 0.0)
		return false;
	for (uint64 i = 0; i < search->nterms && bound < threshold; i++)
		bound += postings_bound(&search->terms[i], first, end);
	return bound < threshold;
}

void
elac_text_search(ElacTextReader **readers, const ElacBm25Query *query, const ElacBitmap *allowed,
				 uint32 source, ElacTextHeap *heap)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text search", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TextSearch	search;
	uint64		first = 0;

	search_open(&search, readers, query);
	if (allowed != NULL && allowed->nbits != search.ndocs && query->nfields > 0)
		elog(ERROR, "bitmap of %u bits for %u documents", allowed->nbits, search.ndocs);
	while ((first = next_window(&search, first, allowed)) < search.ndocs)
	{
		uint64		end;

		CHECK_FOR_INTERRUPTS();
		first -= first % WINDOW;
		end = Min(first + WINDOW, search.ndocs);
		if (!window_is_hopeless(&search, (ElacDoc) first, end, heap))
		{
			memset(search.norms_read, 0, query->nfields * sizeof(bool));
			for (uint64 i = 0; i < search.nterms; i++)
				score_term(&search, &search.terms[i], (ElacDoc) first, (uint32) (end - first));
			collect_window(&search, (ElacDoc) first, allowed, source, heap);
		}
		else
			for (uint64 i = 0; i < search.nterms; i++)
				postings_skip(&search.terms[i], (ElacDoc) Min(end, ELAC_INVALID_DOC));
		first = end;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
elac_text_matches(ElacTextReader **readers, const ElacBm25Query *query, ElacBitmap *out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text matches", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TextSearch	search;

	elac_bitmap_zero(out);
	search_open(&search, readers, query);
	if (out->nbits != search.ndocs && query->nfields > 0)
		elog(ERROR, "bitmap of %u bits for %u documents", out->nbits, search.ndocs);
	for (uint64 i = 0; i < search.nterms; i++)
	{
		TermPostings *postings = &search.terms[i];

		while (postings_fill(postings))
		{
			for (uint32 j = 0; j < postings->n; j++)
				elac_bitmap_set(out, postings->docs[j]);
			postings->at = postings->n;
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
