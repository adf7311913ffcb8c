/*
 * text_search.c
 *	  The best documents of one segment for a text query, into a heap shared
 *	  by all sources of a scan.
 *
 * Windows of ELAC_WINDOW documents, one after the other.  In each, terms are
 * put in the order of what they can add (MAXSCORE): the first ones, without
 * which no document can enter the heap, add their contributions to an array of
 * scores, postings by the block; the others are looked up, one after the
 * other, for the documents that can still make it.  When few documents of a
 * window may match at all, every term is looked up.  Sums are exact (bm25.h),
 * so a score does not depend on how it came about.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/kernels.h"
#include "text/text_eval.h"

/* Looking one document up in a list costs as much as scoring so many postings in bulk (measured). */
#define LOOKUP_COST 10

/* Of the documents whose essential terms do not make a candidate each by itself, one in so many is one. */
#define CHANCE_CANDIDATES 16

/* Ways to divide the terms that are thought through for one window. */
#define PLANS 32

/* Thresholds less bounds are rounded: this much of them is given away. */
#define LIMIT_SLACK 1e-12

/* Arrays that stay with the process: all zero between windows, unless an error came in between. */
typedef struct SearchScratch
{
	bool		in_use;
	double		scores[ELAC_WINDOW];
	uint8		touched[ELAC_WINDOW_WORDS];
	/* candidates of a window */
	uint32		positions[ELAC_WINDOW];
	double		values[ELAC_WINDOW];
} SearchScratch;

static SearchScratch scratch;

typedef struct TextSearch
{
	ElacTermSet set;
	const ElacBm25Query *query;
	const ElacKernels *kernels;
	const ElacBitmap *allowed;
	uint32		source;
	ElacTextHeap *heap;
	ElacMatcher *matcher;		/* NULL: whatever scores matches */
	ElacCombiner *combiner;		/* NULL: fields are added */
	ElacTermReader **terms;		/* that score; within a window by what they can add, most first */
	uint32		nterms;
	double		planned_for;	/* threshold that `planned` is for */
	uint32		planned;		/* terms to be scored in bulk, as long as threshold and bounds stay */
	double	   *rest;			/* rest[i]: what terms i, i + 1, ... add together at most */
	ElacTermReader **rising;	/* the same terms by what they can add anywhere, least first */
	uint32		nidle;			/* so many of them, from the first on, never bring a document into the heap */
	double		idle_sum;		/* what these add together at most */
	uint64		eligible[ELAC_WINDOW_WORDS];	/* documents of the window that are allowed and may match */
	uint32		neligible;
	double		floor;			/* a score that the worst hit of the heap will reach */
	const uint64 *surely;		/* of these, the ones that need no check; NULL: all */
} TextSearch;

static int
compare_bounds(const void *a, const void *b)
{
	const ElacTermReader *x = *(ElacTermReader *const *) a;
	const ElacTermReader *y = *(ElacTermReader *const *) b;

	return (x->bound > y->bound) - (x->bound < y->bound);
}

static void
search_open(TextSearch *search, ElacTextReader **readers, const ElacBm25Query *query)
{
	ElacTermSet *set = &search->set;

	search->query = query;
	search->kernels = elac_kernels();
	elac_term_set_open(set, readers, query);
	search->matcher = elac_matcher_open(set, ELAC_WINDOW);
	search->terms = palloc(Max(set->nterms, 1) * sizeof(ElacTermReader *));
	search->rising = palloc(Max(set->nterms, 1) * sizeof(ElacTermReader *));
	search->nterms = 0;
	for (uint32 i = 0; i < set->nterms; i++)
		if (set->terms[i].term->weight > 0)
			search->terms[search->nterms++] = &set->terms[i];
	memcpy(search->rising, search->terms, search->nterms * sizeof(ElacTermReader *));
	qsort(search->rising, search->nterms, sizeof(ElacTermReader *), compare_bounds);
	search->rest = palloc0((search->nterms + 1) * sizeof(double));
	search->planned_for = -1;
	search->floor = 0;
	search->nidle = 0;
	search->idle_sum = 0;
	search->surely = NULL;
	search->combiner = query->combine == ELAC_COMBINE_BM25F || (query->combine == ELAC_COMBINE_MAX && query->nfields > 1) ?
		elac_combiner_create(set) : NULL;
	if (scratch.in_use)
		memset(&scratch, 0, sizeof(scratch));
	scratch.in_use = true;
}

/* Score that a document must reach. */
static inline double
search_threshold(const TextSearch *search)
{
	double		threshold = elac_text_heap_threshold(search->heap);

	return Max(threshold, search->floor);
}

/* Start of the next window worth a look, at or after the window start `first`; ndocs at the end. */
static uint64
next_window(TextSearch *search, uint64 first)
{
	uint64		ndocs = search->set.ndocs;
	double		threshold = search_threshold(search);
	uint64		next = ELAC_INVALID_DOC;

	if (first >= ndocs)
		return ndocs;
	while (search->nidle < search->nterms &&
		   search->idle_sum + search->rising[search->nidle]->bound < threshold)
		search->idle_sum += search->rising[search->nidle++]->bound;
	for (uint32 i = search->nidle; i < search->nterms; i++)
	{
		elac_term_skip(search->rising[i], (ElacDoc) first);
		next = Min(next, elac_term_peek(search->rising[i]));
	}
	if (next == ELAC_INVALID_DOC)
		return ndocs;
	first = Max(first, next);
	if (search->matcher != NULL && first < ndocs)
	{
		next = elac_matcher_next(search->matcher, first - first % ELAC_WINDOW);
		first = Max(first, next);
	}
	if (search->allowed != NULL && first < ndocs)
		first = elac_bitmap_next(search->allowed, (uint32) first);
	return first < ndocs ? first - first % ELAC_WINDOW : ndocs;
}

/* Puts terms in order for the window; returns how many have a document there. */
static uint32
order_terms(TextSearch *search, const ElacWindow *window)
{
	ElacTermReader **terms = search->terms;
	uint32		present = search->nterms;
	bool		changed = false;

	for (uint32 i = 0; i < search->nterms; i++)
	{
		ElacTermReader *term = terms[i];
		double		bound;
		uint32		j = i;

		elac_term_skip(term, window->first);
		bound = elac_term_window_bound(term, search->query, window);
		changed = changed || bound != term->window_bound;
		term->window_bound = bound;
		for (; j > 0 && terms[j - 1]->window_bound < bound; j--)
			terms[j] = terms[j - 1];
		terms[j] = term;
	}
	while (present > 0 && terms[present - 1]->window_bound == 0)
		present--;
	if (changed)
	{
		search->rest[present] = 0;
		for (uint32 i = present; i > 0; i--)
			search->rest[i - 1] = search->rest[i] + terms[i - 1]->window_bound;
		search->planned_for = -1;
	}
	return present;
}

/*
 * How many of the window's terms to score in bulk: at least those without
 * which no document reaches the threshold.  With each further one the limit
 * that makes a candidate rises, and lists are left that candidates are looked
 * up in; scoring costs by posting, looking up by candidate and list.
 */
static uint32
plan_essential(TextSearch *search, uint32 present, double threshold)
{
	ElacTermReader **terms = search->terms;
	uint32		least = present;
	uint32		step;
	double		best = INFINITY;
	double		scored = 0;

	if (search->combiner != NULL || threshold <= 0)
		return present;
	if (search->planned_for == threshold)
		return search->planned;
	while (least > 0 && search->rest[least - 1] < threshold)
		least--;
	for (uint32 i = 0; i < least; i++)
		scored += terms[i]->per_window;
	step = 1 + (present - least) / PLANS;
	for (uint32 n = least;;)
	{
		double		limit = threshold - search->rest[n];
		double		candidates = scored / CHANCE_CANDIDATES;
		double		cost;

		for (uint32 i = 0; i < n; i++)
			if (terms[i]->typical >= limit)
				candidates += terms[i]->per_window;
		cost = n == present ? scored : scored + candidates * LOOKUP_COST * (present - n);
		if (cost < best)
		{
			best = cost;
			search->planned = n;
		}
		if (n == present)
			break;
		for (uint32 end = Min(n + step, present); n < end; n++)
			scored += terms[n]->per_window;
	}
	search->planned_for = threshold;
	return search->planned;
}

/* Which documents of the window are allowed; false when there is none. */
static bool
find_eligible(TextSearch *search, const ElacWindow *window)
{
	uint64	   *eligible = search->eligible;
	uint32		nwords = (window->ndocs + 63) / 64;
	ElacBitmap	counted = {nwords * 64, eligible};

	if (search->allowed != NULL)
		memcpy(eligible, search->allowed->words + window->first / 64, nwords * sizeof(uint64));
	else
	{
		memset(eligible, 0xFF, nwords * sizeof(uint64));
		if (window->ndocs % 64 != 0)
			eligible[nwords - 1] = (UINT64CONST(1) << (window->ndocs % 64)) - 1;
	}
	search->neligible = elac_bitmap_count(&counted);
	return search->neligible > 0;
}

/* Leaves of the eligible documents those that may match; false when there is none. */
static bool
match_eligible(TextSearch *search, const ElacWindow *window, bool all)
{
	uint32		nwords = (window->ndocs + 63) / 64;
	ElacBitmap	counted = {nwords * 64, search->eligible};
	const uint64 *maybe;

	elac_matcher_expect(search->matcher, all);
	if (!elac_matcher_window(search->matcher, window, search->eligible, &search->surely, &maybe))
		return false;
	memcpy(search->eligible, maybe, nwords * sizeof(uint64));
	search->neligible = elac_bitmap_count(&counted);
	return true;
}

/* Leaves of the candidates those that may match; returns how many. */
static uint32
match_candidates(TextSearch *search, const ElacWindow *window, uint32 ncandidates)
{
	uint64	   *eligible = search->eligible;
	uint32		kept = 0;

	memset(eligible, 0, sizeof(search->eligible));
	for (uint32 c = 0; c < ncandidates; c++)
		eligible[scratch.positions[c] / 64] |= UINT64CONST(1) << (scratch.positions[c] % 64);
	if (!match_eligible(search, window, false))
		return 0;
	for (uint32 c = 0; c < ncandidates; c++)
	{
		uint32		position = scratch.positions[c];

		scratch.positions[kept] = position;
		scratch.values[kept] = scratch.values[c];
		kept += (eligible[position / 64] >> (position % 64)) & 1;
	}
	return kept;
}

/* Adds the contributions of terms 0 .. n-1 to the window's scores. */
static void
score_terms(TextSearch *search, const ElacWindow *window, uint32 nterms)
{
	for (uint32 i = 0; i < nterms; i++)
	{
		ElacTermReader *term = search->terms[i];
		const uint32 *docs;
		const uint32 *tfs;
		uint32		n;

		while ((n = elac_term_run(term, window, &docs, &tfs)) > 0)
			search->kernels->bm25_add(docs, tfs, n, window->first,
									  elac_term_set_codes(&search->set, term->field_number, window), term->field->norm,
									  term->term->weight, search->query->rounder, scratch.scores, scratch.touched);
	}
}

/* All eligible documents become candidates, with no score yet. */
static uint32
take_eligible(TextSearch *search, const ElacWindow *window)
{
	uint32		n = 0;

	for (uint32 word = 0; word < (window->ndocs + 63) / 64; word++)
		for (uint64 bits = search->eligible[word]; bits != 0; bits &= bits - 1)
		{
			scratch.positions[n] = word * 64 + (uint32) __builtin_ctzll(bits);
			scratch.values[n++] = 0.0;
		}
	return n;
}

/*
 * Adds term i's contributions to the candidates and drops those that cannot
 * reach the threshold with what is left.  Returns how many remain.
 */
static uint32
look_up_term(TextSearch *search, const ElacWindow *window, uint32 i, uint32 ncandidates, double threshold)
{
	ElacTermReader *term = search->terms[i];
	const uint8 *codes = elac_term_set_codes(&search->set, term->field_number, window);
	double		limit = threshold - search->rest[i + 1] - threshold * LIMIT_SLACK;
	uint32		kept = 0;
	bool		more = true;

	for (uint32 c = 0; c < ncandidates; c++)
	{
		uint32		position = scratch.positions[c];
		double		value = scratch.values[c];

		more = more && elac_term_seek(term, window->first + position);
		if (more && term->docs[term->at] == window->first + position)
			value += elac_bm25_contribution(term->term->weight, elac_bm25_tf(term->tfs[term->at]),
											term->field->norm[codes[position]], search->query->rounder);
		if (value < limit)
			continue;
		scratch.positions[kept] = position;
		scratch.values[kept++] = value;
	}
	return kept;
}

/* Pushes the candidates that match. */
static void
push_candidates(TextSearch *search, const ElacWindow *window, uint32 ncandidates)
{
	double		threshold = search_threshold(search);

	for (uint32 c = 0; c < ncandidates; c++)
	{
		uint32		position = scratch.positions[c];
		ElacTextHit hit;

		hit.score = scratch.values[c];
		if (hit.score < threshold || hit.score <= 0.0)
			continue;
		hit.source = search->source;
		hit.doc = window->first + position;
		if (search->surely != NULL && !((search->surely[position / 64] >> (position % 64)) & 1) &&
			!elac_matcher_check(search->matcher, hit.doc))
			continue;
		elac_text_heap_push(search->heap, &hit);
		threshold = search_threshold(search);
	}
}

/*
 * Is the condition to be evaluated before the scores?  It is when it leaves
 * few documents, which are then looked up, or there is no threshold yet that
 * leaves few.
 */
static bool
match_first(const TextSearch *search, uint32 present, uint64 postings, double threshold)
{
	uint64		matching = elac_matcher_estimate(search->matcher) * ELAC_WINDOW / search->set.ndocs + 1;

	return threshold <= 0 || matching * present * LOOKUP_COST < postings;
}

/* Scores terms 0 .. essential-1 in bulk: what may reach the threshold with the others are candidates. */
static uint32
collect_candidates(TextSearch *search, const ElacWindow *window, uint32 essential, double threshold)
{
	double		limit = threshold - search->rest[essential] - threshold * LIMIT_SLACK;

	if (search->combiner != NULL)
		elac_combiner_score(search->combiner, window, scratch.scores, scratch.touched);
	else
		score_terms(search, window, essential);
	return (uint32) search->kernels->bm25_collect(scratch.scores, scratch.touched,
												  search->allowed != NULL || search->matcher != NULL ? search->eligible : NULL,
												  (window->ndocs + 63) / 64, Max(limit, search->query->quantum),
												  scratch.positions, scratch.values);
}

static void
search_window(TextSearch *search, const ElacWindow *window)
{
	double		threshold = search_threshold(search);
	uint32		present = order_terms(search, window);
	bool		unmatched = search->matcher != NULL;
	uint32		essential;
	uint64		postings = 0;
	uint32		n;

	search->neligible = ELAC_WINDOW;
	search->surely = NULL;
	if (present == 0 || search->rest[0] < threshold ||
		((search->allowed != NULL || search->matcher != NULL) && !find_eligible(search, window)))
		return;
	essential = plan_essential(search, present, threshold);
	for (uint32 i = 0; i < essential; i++)
		postings += search->terms[i]->per_window;
	if (unmatched && match_first(search, present, postings, threshold))
	{
		if (!match_eligible(search, window, threshold <= 0))
			return;
		unmatched = false;
	}
	elac_text_counters.windows++;
	if (search->combiner == NULL && (uint64) search->neligible * present * LOOKUP_COST < postings)
	{
		essential = 0;
		n = take_eligible(search, window);
	}
	else
		n = collect_candidates(search, window, essential, threshold);
	elac_text_counters.documents += n;
	for (uint32 i = essential; i < present && n > 0; i++)
		n = look_up_term(search, window, i, n, threshold);
	if (unmatched && n > 0)
		n = match_candidates(search, window, n);
	push_candidates(search, window, n);
}

/* Of the documents, one in so many must be allowed for a search by peaks. */
#define PEAKS_ALLOWED 8

/* Tries to find the best documents by the peaks of the terms alone, or a threshold at least. */
static bool
search_peaks(TextSearch *search, const ElacBm25Query *query)
{
	bool		all = false;

	if (query->combine != ELAC_COMBINE_SUM ||
		(search->matcher != NULL && !elac_matcher_is_plain(search->matcher, search->nterms, &all)) ||
		(search->allowed != NULL && elac_bitmap_count(search->allowed) < search->set.ndocs / PEAKS_ALLOWED))
		return false;
	return elac_peaks_search(&search->set, search->terms, search->nterms, all, search->allowed, search->source,
							 search->heap, &search->floor);
}

void
elac_text_search(ElacTextReader **readers, const ElacBm25Query *query, const ElacBitmap *allowed,
				 uint32 source, ElacTextHeap *heap)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text search", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TextSearch	search;
	uint64		first = 0;

	search.allowed = allowed;
	search.source = source;
	search.heap = heap;
	search_open(&search, readers, query);
	if (allowed != NULL && allowed->nbits != search.set.ndocs && query->nfields > 0)
		elog(ERROR, "bitmap of %u bits for %u documents", allowed->nbits, search.set.ndocs);
	if (search_peaks(&search, query))
		first = search.set.ndocs;
	while ((first = next_window(&search, first)) < search.set.ndocs)
	{
		ElacWindow	window;

		CHECK_FOR_INTERRUPTS();
		window.first = (ElacDoc) first;
		window.ndocs = (uint32) Min(search.set.ndocs - first, ELAC_WINDOW);
		search_window(&search, &window);
		first += ELAC_WINDOW;
	}
	scratch.in_use = false;
	elac_term_set_count(&search.set);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
