/*
 * text_match.c
 *	  Which documents of a segment match a query, window by window, as bitmaps.
 *
 * Every node of a condition has two bitmaps of the window: documents for which
 * it surely holds, and those for which it may, which includes the former.
 * Words and logic over words are certain.  Where all words of a phrase are,
 * text_check.c says whether it holds: for the window at once, or later, for
 * the documents that stay undecided and matter.  NOT swaps the two.
 * Without a condition, "at least so many words" is counted in bit planes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/text_match.h"

#define MATCHES_WINDOW 65536	/* documents, where nothing is scored */

/* Bitmaps that a condition may have for windows larger than ELAC_WINDOW. */
#define MATCHES_BITMAPS 512

/* ---- building ---- */

static MatchNode *
make_node(MatchKind kind, uint32 max_children)
{
	MatchNode  *node = palloc0(sizeof(MatchNode));

	node->kind = kind;
	node->exact = true;
	if (max_children > 0)
		node->children = palloc(max_children * sizeof(MatchNode *));
	return node;
}

static void
add_child(MatchNode *node, MatchNode *child)
{
	node->children[node->nchildren++] = child;
	node->exact = node->exact && child->exact;
}

static MatchNode *
make_word(const ElacTermSet *set, uint32 item)
{
	const ElacBm25Query *query = set->query;
	MatchNode  *node = make_node(MATCH_WORD, 0);

	node->terms = palloc(query->nfields * sizeof(ElacTermReader *));
	for (int f = 0; f < query->nfields; f++)
	{
		int32		number = query->operands[(Size) item * query->nfields + f];
		ElacTermReader *term = number >= 0 ? elac_term_set_get(set, f, number) : NULL;

		if (term == NULL)
			continue;
		node->terms[node->nterms++] = term;
		node->estimate += term->df;
	}
	return node;
}

/* NOT comes last among equals in cost: it narrows what the others have found. */
static int
compare_estimates(const void *a, const void *b)
{
	const MatchNode *x = *(MatchNode *const *) a;
	const MatchNode *y = *(MatchNode *const *) b;

	return (x->estimate > y->estimate) - (x->estimate < y->estimate);
}

static MatchNode *make_condition(const ElacTermSet *set, uint32 item, bool in_phrase);

/* Do operands of this item count as those of the operator above it? */
static bool
joins_above(const QueryItem *item, int oper, bool in_phrase)
{
	return item->type == QI_OPR && (item->qoperator.oper == oper ||
									(in_phrase && oper == OP_AND && item->qoperator.oper == OP_PHRASE));
}

/* How many operands add_operands() will add: room for all items would be a square of them in all. */
static uint32
count_operands(const QueryItem *items, uint32 item, int oper, bool in_phrase)
{
	uint32		sides[2];
	uint32		n = 0;

	check_stack_depth();
	sides[0] = item + items[item].qoperator.left;
	sides[1] = item + 1;
	for (int i = 0; i < 2; i++)
		n += joins_above(&items[sides[i]], oper, in_phrase) ? count_operands(items, sides[i], oper, in_phrase) : 1;
	return n;
}

/* The operands of an AND (or an OR), those of the same below it included. */
static void
add_operands(const ElacTermSet *set, MatchNode *node, uint32 item, int oper, bool in_phrase)
{
	const QueryItem *items = GETQUERY(set->query->condition);
	uint32		sides[2];

	check_stack_depth();
	sides[0] = item + items[item].qoperator.left;
	sides[1] = item + 1;
	for (int i = 0; i < 2; i++)
	{
		if (joins_above(&items[sides[i]], oper, in_phrase))
			add_operands(set, node, sides[i], oper, in_phrase);
		else
			add_child(node, make_condition(set, sides[i], in_phrase));
	}
}

static MatchNode *
make_condition(const ElacTermSet *set, uint32 item, bool in_phrase)
{
	const QueryItem *items = GETQUERY(set->query->condition);
	const QueryItem *node = items + item;
	MatchNode  *made;

	check_stack_depth();
	if (node->type == QI_VAL)
		return make_word(set, item);
	switch (node->qoperator.oper)
	{
		case OP_NOT:
			if (in_phrase)
			{
				made = make_node(MATCH_ANYTHING, 0);
				made->estimate = set->ndocs;
				return made;
			}
			made = make_node(MATCH_NOT, 1);
			add_child(made, make_condition(set, item + 1, false));
			made->estimate = set->ndocs - Min(made->children[0]->estimate, set->ndocs);
			return made;
		case OP_PHRASE:
			if (!in_phrase)
			{
				made = make_node(MATCH_PHRASE, 1);
				add_child(made, make_condition(set, item, true));
				made->exact = false;
				made->item = item;
				made->estimate = made->children[0]->estimate;
				return made;
			}
			/* FALLTHROUGH */
		case OP_AND:
			made = make_node(MATCH_ALL_OF, count_operands(items, item, OP_AND, in_phrase));
			add_operands(set, made, item, OP_AND, in_phrase);
			qsort(made->children, made->nchildren, sizeof(MatchNode *), compare_estimates);
			made->estimate = made->children[0]->estimate;
			return made;
		case OP_OR:
			made = make_node(MATCH_ANY_OF, count_operands(items, item, OP_OR, in_phrase));
			add_operands(set, made, item, OP_OR, in_phrase);
			for (uint32 i = 0; i < made->nchildren; i++)
				made->estimate += made->children[i]->estimate;
			return made;
	}
	elog(ERROR, "unrecognized operator of a text query: %d", node->qoperator.oper);
	return NULL;
}

static int
compare_slots(const void *a, const void *b)
{
	const ElacTermReader *x = *(ElacTermReader *const *) a;
	const ElacTermReader *y = *(ElacTermReader *const *) b;

	return (x->term->slot > y->term->slot) - (x->term->slot < y->term->slot);
}

/* At least min_match of the query's words: a child for each word that the segment has. */
static MatchNode *
make_count(const ElacTermSet *set)
{
	const ElacBm25Query *query = set->query;
	MatchNode  *node = make_node(MATCH_COUNT, set->nterms + 1);
	MatchNode  *word = NULL;

	node->wanted = query->min_match;
	node->terms = palloc((set->nterms + 1) * sizeof(ElacTermReader *));
	for (uint32 i = 0; i < set->nterms; i++)
		if (set->terms[i].term->weight > 0 && set->terms[i].term->slot < query->nslots)
			node->terms[node->nterms++] = &set->terms[i];
	qsort(node->terms, node->nterms, sizeof(ElacTermReader *), compare_slots);
	for (uint32 i = 0; i < node->nterms; i++)
	{
		if (i == 0 || node->terms[i]->term->slot != node->terms[i - 1]->term->slot)
		{
			word = make_node(MATCH_WORD, 0);
			word->terms = &node->terms[i];
			add_child(node, word);
		}
		word->nterms++;
		word->estimate += node->terms[i]->df;
		node->estimate += node->terms[i]->df;
	}
	node->estimate /= Max(node->wanted, 1);
	return node;
}

/*
 * Bitmaps are needed where somebody asks for them: of the root, and of the
 * children of inexact nodes.  What is below an exact node is evaluated into
 * spare ones, of which there is one by depth; words need none.
 */
static uint64
count_bitmaps(const MatchNode *node)
{
	uint64		n = node->exact ? 1 : 2;

	check_stack_depth();
	for (uint32 i = 0; i < node->nchildren && !node->exact; i++)
		n += count_bitmaps(node->children[i]);
	return n;
}

/* Spare bitmaps that evaluating an exact node takes, at most. */
static uint32
count_spare(const MatchNode *node)
{
	uint32		most = 0;

	check_stack_depth();
	for (uint32 i = 0; i < node->nchildren; i++)
	{
		uint32		below = count_spare(node->children[i]);

		most = Max(most, below);
	}
	return most + (node->nchildren > 0 && node->kind != MATCH_NOT ? 1 : 0);
}

static void
allocate_bitmaps(MatchNode *node, Size nwords)
{
	node->maybe = palloc(nwords * sizeof(uint64));
	node->surely = node->exact ? node->maybe : palloc(nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren && !node->exact; i++)
		allocate_bitmaps(node->children[i], nwords);
}

ElacMatcher *
elac_matcher_open(ElacTermSet *set, uint32 max_window)
{
	const ElacBm25Query *query = set->query;
	ElacMatcher *matcher;
	uint32		nspare;

	if (query->condition == NULL && query->min_match <= 1)
		return NULL;
	matcher = palloc0(sizeof(ElacMatcher));
	matcher->set = set;
	matcher->probes = palloc0(Max(set->nterms, 1) * sizeof(MatchProbe *));
	matcher->places = palloc0(Max(set->nterms, 1) * sizeof(MatchPlaces *));
	if (query->condition == NULL)
		matcher->root = make_count(set);
	else if (query->condition->size == 0)
		matcher->root = make_node(MATCH_ANY_OF, 0);	/* of nothing: the server's @@ is false */
	else
		matcher->root = make_condition(set, 0, false);
	nspare = count_spare(matcher->root);
	if (count_bitmaps(matcher->root) + nspare > MATCHES_BITMAPS)
		max_window = Min(max_window, ELAC_WINDOW);
	matcher->max_window = max_window;
	if (matcher->root->kind == MATCH_COUNT)
	{
		while (((uint64) matcher->root->nchildren >> matcher->nplanes) > 0)
			matcher->nplanes++;
		matcher->planes = palloc((Size) Max(matcher->nplanes, 1) * (max_window / 64) * sizeof(uint64));
	}
	matcher->spare = palloc(Max(nspare, 1) * sizeof(uint64 *));
	for (uint32 i = 0; i < nspare; i++)
		matcher->spare[i] = palloc(max_window / 8);
	allocate_bitmaps(matcher->root, max_window / 64);
	return matcher;
}

bool
elac_matcher_is_plain(const ElacMatcher *matcher, uint32 nterms, bool *all)
{
	const MatchNode *root = matcher->root;

	*all = root->kind == MATCH_ALL_OF || (root->kind == MATCH_COUNT && root->wanted == root->nchildren);
	if ((!*all && root->kind != MATCH_ANY_OF) || root->nchildren != nterms)
		return false;
	for (uint32 i = 0; i < nterms; i++)
	{
		const MatchNode *word = root->children[i];

		if (word->kind != MATCH_WORD || word->nterms != 1 || !(word->terms[0]->term->weight > 0))
			return false;
		for (uint32 j = 0; j < i; j++)
			if (root->children[j]->terms[0] == word->terms[0])
				return false;
	}
	return true;
}

uint64
elac_matcher_estimate(const ElacMatcher *matcher)
{
	return Min(matcher->root->estimate, matcher->set->ndocs);
}

/* ---- leaping ---- */

/* Max() and Min() evaluate twice what they return: below, no call stands in them. */
static uint64
node_next(const ElacMatcher *matcher, const MatchNode *node, uint64 first)
{
	uint64		next = matcher->set->ndocs;

	switch (node->kind)
	{
		case MATCH_NOT:
		case MATCH_ANYTHING:
			return first;
		case MATCH_PHRASE:
			return node_next(matcher, node->children[0], first);
		case MATCH_ALL_OF:
			next = first;
			for (uint32 i = 0; i < node->nchildren; i++)
			{
				uint64		child = node_next(matcher, node->children[i], first);

				next = Max(next, child);
			}
			return next;
		case MATCH_ANY_OF:
			for (uint32 i = 0; i < node->nchildren; i++)
			{
				uint64		child = node_next(matcher, node->children[i], first);

				next = Min(next, child);
			}
			return next;
		case MATCH_COUNT:
			if (node->nchildren < node->wanted)
				return next;
			/* FALLTHROUGH */
		case MATCH_WORD:
			for (uint32 i = 0; i < node->nterms; i++)
			{
				elac_term_skip(node->terms[i], (ElacDoc) first);
				next = Min(next, Max(first, elac_term_peek(node->terms[i])));
			}
			return next;
	}
	return first;
}

uint64
elac_matcher_next(ElacMatcher *matcher, uint64 first)
{
	return node_next(matcher, matcher->root, first);
}

/* ---- a window ---- */

static bool
any_bit(const uint64 *words, uint32 nwords)
{
	uint64		all = 0;

	for (uint32 i = 0; i < nwords; i++)
		all |= words[i];
	return all != 0;
}

/* Adds the documents of a word to a bitmap; blocks without any of `within` may be left out. */
static void
mark_word(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out)
{
	for (uint32 i = 0; i < node->nterms; i++)
	{
		elac_term_skip(node->terms[i], matcher->window.first);
		elac_term_mark(node->terms[i], &matcher->window, within, out);
	}
}

static void evaluate_exact(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out, uint32 depth);

static void
exact_all_of(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out, uint32 depth)
{
	uint64	   *found = matcher->spare[depth];

	memcpy(out, within, matcher->nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren && any_bit(out, matcher->nwords); i++)
	{
		evaluate_exact(matcher, node->children[i], out, found, depth + 1);
		memcpy(out, found, matcher->nwords * sizeof(uint64));
	}
}

static void
exact_any_of(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out, uint32 depth)
{
	uint64	   *found = matcher->spare[depth];
	uint32		nwords = matcher->nwords;

	memset(out, 0, nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren; i++)
	{
		const MatchNode *child = node->children[i];

		if (child->kind == MATCH_WORD)
		{
			mark_word(matcher, child, within, out);
			continue;
		}
		evaluate_exact(matcher, child, within, found, depth + 1);
		for (uint32 w = 0; w < nwords; w++)
			out[w] |= found[w];
	}
	for (uint32 w = 0; w < nwords; w++)
		out[w] &= within[w];
}

/* Counts in planes: plane p has bit p of every document's count. */
static void
exact_count(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out, uint32 depth)
{
	uint64	   *found = matcher->spare[depth];
	uint32		nwords = matcher->nwords;
	uint32		stride = matcher->max_window / 64;

	memset(out, 0, nwords * sizeof(uint64));
	if (node->nchildren < node->wanted)
		return;
	for (uint32 p = 0; p < matcher->nplanes; p++)
		memset(matcher->planes + (Size) p * stride, 0, nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren; i++)
	{
		evaluate_exact(matcher, node->children[i], within, found, depth + 1);
		for (uint32 w = 0; w < nwords; w++)
		{
			uint64		carry = found[w];

			for (uint64 *plane = matcher->planes + w; carry != 0; plane += stride)
			{
				uint64		sum = *plane ^ carry;

				carry &= *plane;
				*plane = sum;
			}
		}
	}
	for (uint32 w = 0; w < nwords; w++)
	{
		uint64		above = 0;
		uint64		equal = within[w];

		for (uint32 p = matcher->nplanes; p-- > 0;)
		{
			uint64		plane = matcher->planes[(Size) p * stride + w];

			if ((node->wanted >> p) & 1)
				equal &= plane;
			else
				above |= equal & plane;
		}
		out[w] = above | equal;
	}
}

/*
 * The documents of `within` for which an exact node holds, into out, which is
 * another bitmap; spare bitmaps from this depth on are free.
 */
static void
evaluate_exact(ElacMatcher *matcher, const MatchNode *node, const uint64 *within, uint64 *out, uint32 depth)
{
	uint32		nwords = matcher->nwords;

	switch (node->kind)
	{
		case MATCH_WORD:
			memset(out, 0, nwords * sizeof(uint64));
			mark_word(matcher, node, within, out);
			for (uint32 w = 0; w < nwords; w++)
				out[w] &= within[w];
			break;
		case MATCH_ALL_OF:
			exact_all_of(matcher, node, within, out, depth);
			break;
		case MATCH_ANY_OF:
			exact_any_of(matcher, node, within, out, depth);
			break;
		case MATCH_NOT:
			evaluate_exact(matcher, node->children[0], within, out, depth);
			for (uint32 w = 0; w < nwords; w++)
				out[w] = within[w] & ~out[w];
			break;
		case MATCH_COUNT:
			exact_count(matcher, node, within, out, depth);
			break;
		case MATCH_ANYTHING:
		case MATCH_PHRASE:		/* never exact */
			memcpy(out, within, nwords * sizeof(uint64));
			break;
	}
}

static void evaluate_node(ElacMatcher *matcher, MatchNode *node, const uint64 *within);

static void
evaluate_all_of(ElacMatcher *matcher, MatchNode *node, const uint64 *within)
{
	uint32		nwords = matcher->nwords;

	memcpy(node->maybe, within, nwords * sizeof(uint64));
	memcpy(node->surely, within, nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren; i++)
	{
		MatchNode  *child = node->children[i];

		evaluate_node(matcher, child, node->maybe);
		for (uint32 w = 0; w < nwords; w++)
		{
			node->maybe[w] &= child->maybe[w];
			node->surely[w] &= child->surely[w];
		}
		if (!any_bit(node->maybe, nwords))
			return;
	}
}

static void
evaluate_any_of(ElacMatcher *matcher, MatchNode *node, const uint64 *within)
{
	uint32		nwords = matcher->nwords;

	memset(node->maybe, 0, nwords * sizeof(uint64));
	memset(node->surely, 0, nwords * sizeof(uint64));
	for (uint32 i = 0; i < node->nchildren; i++)
	{
		MatchNode  *child = node->children[i];

		evaluate_node(matcher, child, within);
		for (uint32 w = 0; w < nwords; w++)
		{
			node->maybe[w] |= child->maybe[w];
			node->surely[w] |= child->surely[w];
		}
	}
}

/* Only documents of `within` are told apart; the bitmaps have no others. */
static void
evaluate_node(ElacMatcher *matcher, MatchNode *node, const uint64 *within)
{
	uint32		nwords = matcher->nwords;

	if (node->exact)
	{
		evaluate_exact(matcher, node, within, node->maybe, 0);
		return;
	}
	switch (node->kind)
	{
		case MATCH_ALL_OF:
			evaluate_all_of(matcher, node, within);
			break;
		case MATCH_ANY_OF:
			evaluate_any_of(matcher, node, within);
			break;
		case MATCH_NOT:
			evaluate_node(matcher, node->children[0], within);
			for (uint32 w = 0; w < nwords; w++)
			{
				uint64		surely = node->children[0]->surely[w];
				uint64		maybe = node->children[0]->maybe[w];

				node->surely[w] = within[w] & ~maybe;
				node->maybe[w] = within[w] & ~surely;
			}
			break;
		case MATCH_PHRASE:
			evaluate_node(matcher, node->children[0], within);
			elac_matcher_phrase(matcher, node);
			break;
		case MATCH_WORD:
		case MATCH_ANYTHING:
		case MATCH_COUNT:		/* always exact */
			break;
	}
}

bool
elac_matcher_window(ElacMatcher *matcher, const ElacWindow *window, const uint64 *within,
					const uint64 **surely, const uint64 **maybe)
{
	Assert(window->ndocs <= matcher->max_window);
	matcher->window = *window;
	matcher->nwindows++;
	matcher->nwords = (window->ndocs + 63) / 64;
	evaluate_node(matcher, matcher->root, within);
	*surely = matcher->root->surely;
	*maybe = matcher->root->maybe;
	return any_bit(matcher->root->maybe, matcher->nwords);
}

/* ---- all that match ---- */

/* Rows whose every column is NULL match nothing, not even a condition without positive words. */
static void
drop_nulls(ElacTextReader **readers, const ElacBm25Query *query, ElacBitmap *out)
{
	ElacBitmap	nulls = {out->nbits, NULL};
	ElacBitmap	part = {out->nbits, NULL};
	Size		size = Max(elac_bitmap_words(out->nbits), 1) * sizeof(uint64);

	for (int f = 0; f < query->nfields; f++)
	{
		if (query->fields[f].label != ELAC_LABEL_D || readers[f] == NULL)
			continue;
		if (part.words == NULL)
			part.words = MemoryContextAllocHuge(CurrentMemoryContext, size);
		elac_text_null_docs(readers[f], &part);
		if (nulls.words == NULL)
		{
			nulls.words = MemoryContextAllocHuge(CurrentMemoryContext, size);
			elac_bitmap_copy(&nulls, &part);
		}
		else
			elac_bitmap_and(&nulls, &part);
	}
	if (nulls.words != NULL)
		elac_bitmap_andnot(out, &nulls);
}

static void
match_windows(ElacMatcher *matcher, ElacBitmap *out)
{
	uint32		max_window = matcher->max_window;
	uint64	   *within = palloc(max_window / 8);
	uint64		first = 0;

	while ((first = elac_matcher_next(matcher, first)) < out->nbits)
	{
		ElacWindow	window;
		const uint64 *surely;
		const uint64 *maybe;
		uint32		nwords;

		CHECK_FOR_INTERRUPTS();
		first -= first % max_window;
		window.first = (ElacDoc) first;
		window.ndocs = (uint32) Min(out->nbits - first, max_window);
		nwords = (window.ndocs + 63) / 64;
		memset(within, 0xFF, nwords * sizeof(uint64));
		if (window.ndocs % 64 != 0)
			within[nwords - 1] = (UINT64CONST(1) << (window.ndocs % 64)) - 1;
		if (elac_matcher_window(matcher, &window, within, &surely, &maybe))
		{
			uint64	   *dst = out->words + window.first / 64;

			for (uint32 w = 0; w < nwords; w++)
			{
				uint64		found = surely[w];

				for (uint64 bits = maybe[w] & ~surely[w]; bits != 0; bits &= bits - 1)
					if (elac_matcher_check(matcher, window.first + w * 64 + (uint32) __builtin_ctzll(bits)))
						found |= bits & -bits;
				dst[w] = found;
			}
		}
		first += max_window;
	}
}

void
elac_text_matches(ElacTextReader **readers, const ElacBm25Query *query, ElacBitmap *out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text matches", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTermSet set;
	ElacMatcher *matcher;

	elac_bitmap_zero(out);
	elac_term_set_open(&set, readers, query);
	if (out->nbits != set.ndocs && query->nfields > 0)
		elog(ERROR, "bitmap of %u bits for %u documents", out->nbits, set.ndocs);
	matcher = elac_matcher_open(&set, MATCHES_WINDOW);
	if (matcher != NULL)
	{
		elac_matcher_expect(matcher, true);
		match_windows(matcher, out);
	}
	else
		for (uint32 i = 0; i < set.nterms; i++)
		{
			ElacWindow	all = {0, set.ndocs};

			elac_term_mark(&set.terms[i], &all, NULL, out->words);
			CHECK_FOR_INTERRUPTS();
		}
	elac_term_set_count(&set);
	if (query->condition != NULL)
		drop_nulls(readers, query, out);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
