/*
 * text_check.c
 *	  Documents that the bitmaps of words leave undecided: those that have all
 *	  words of a phrase.
 *
 * A phrase of plain words is text_phrase.c's: it is decided ahead for all
 * documents of a window when all of them will be asked for, or more were in the
 * window before than it is worth to look up one by one.  Any other phrase is
 * asked of text_condition.c, document by document.
 */
#include "postgres.h"

#include "text/text_match.h"
#include "text/text_phrase.h"

#define PLACES_ASKED 2			/* so many are looked for one by one */

/* So many windows are decided ahead before it is seen again how many documents of one are asked for. */
#define PHRASE_AHEAD 8

/* A phrase of plain words. */
typedef struct MatchPhrase
{
	ElacPhrase *phrase;			/* NULL: it has more than that */
	uint32		asked;			/* documents of the window, one by one */
	uint32		ahead;			/* windows to come that are decided ahead */
} MatchPhrase;

/* Where a document's posting of a term was looked for last: apart from the term's own reading. */
struct MatchProbe
{
	uint32		block;
	uint32		n;				/* 0: nothing is decoded */
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
};

/* A prefix's positions in a window, read all at once when more than a few documents ask. */
struct MatchPlaces
{
	uint64		window;			/* number of the window that what follows is about */
	uint32		asked;			/* documents that were looked for one by one */
	bool		read;
	ElacPrefixPlaces places;
};

void
elac_matcher_expect(ElacMatcher *matcher, bool all)
{
	matcher->ask_all = all;
}

void
elac_matcher_phrase(ElacMatcher *matcher, MatchNode *node)
{
	Size		size = matcher->nwords * sizeof(uint64);
	MatchPhrase *match = node->phrase;

	if (match == NULL)
	{
		match = node->phrase = palloc0(sizeof(MatchPhrase));
		match->phrase = elac_phrase_open(matcher->set, node->item);
	}
	memcpy(node->maybe, node->children[0]->maybe, size);
	if (match->ahead > 0)
		match->ahead--;
	else if (match->phrase != NULL && match->asked > elac_phrase_few(match->phrase))
		match->ahead = PHRASE_AHEAD;
	match->asked = 0;
	if (match->phrase != NULL && (matcher->ask_all || match->ahead > 0))
	{
		elac_phrase_window(match->phrase, &matcher->window, node->maybe);
		memcpy(node->surely, node->maybe, size);
	}
	else
		memset(node->surely, 0, size);
}

/* Finds the posting of the document being checked. */
static bool
probe_find(ElacMatcher *matcher, const ElacTermReader *term, uint32 *block, uint32 *place)
{
	MatchProbe **probe = &matcher->probes[term - matcher->set->terms];
	const uint32 *docs;
	uint32		n;
	uint32		low = 0;
	uint32		high = term->nblocks;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (term->last_docs[middle] < matcher->doc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == term->nblocks)
		return false;
	*block = low;
	if (term->list != NULL)
	{
		if (*probe == NULL)
			*probe = palloc0(sizeof(MatchProbe));
		if ((*probe)->n == 0 || (*probe)->block != low)
		{
			(*probe)->n = 0;
			(*probe)->n = elac_posting_list_decode(term->list, low, (*probe)->docs, NULL);
			(*probe)->block = low;
		}
		docs = (*probe)->docs;
		n = (*probe)->n;
	}
	else
	{
		docs = term->prefix->docs + (Size) low * ELAC_TEXT_BLOCK_DOCS;
		n = Min(term->df - low * ELAC_TEXT_BLOCK_DOCS, ELAC_TEXT_BLOCK_DOCS);
	}
	low = 0;
	high = n;
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (docs[middle] < matcher->doc)
			low = middle + 1;
		else
			high = middle;
	}
	*place = low;
	return low < n && docs[low] == matcher->doc;
}

static bool
matcher_has(void *arg, int field, uint32 number)
{
	ElacMatcher *matcher = arg;
	const ElacTermReader *term = elac_term_set_get(matcher->set, field, number);
	uint32		block;
	uint32		place;

	return term != NULL && probe_find(matcher, term, &block, &place);
}

/* Positions of a prefix in the document being checked. */
static uint32
prefix_positions(ElacMatcher *matcher, const ElacTermReader *term, uint16 *dst)
{
	MatchPlaces **place = &matcher->places[term - matcher->set->terms];

	if (*place == NULL)
		*place = palloc0(sizeof(MatchPlaces));
	if ((*place)->window != matcher->nwindows)
	{
		(*place)->window = matcher->nwindows;
		(*place)->asked = 0;
		(*place)->read = false;
	}
	if (!(*place)->read && (*place)->asked++ < PLACES_ASKED)
		return elac_text_prefix_positions(term->reader, term->term->bytes, term->term->len, matcher->doc, dst);
	if (!(*place)->read)
		elac_text_prefix_places(term->reader, term->term->bytes, term->term->len, matcher->window.first,
								matcher->window.ndocs, matcher->root->maybe, &(*place)->places);
	(*place)->read = true;
	return elac_prefix_places_get(&(*place)->places, matcher->doc, dst);
}

static uint32
matcher_positions(void *arg, int field, uint32 number, uint16 *dst)
{
	ElacMatcher *matcher = arg;
	const ElacTermReader *term = elac_term_set_get(matcher->set, field, number);
	uint32		block;
	uint32		place;

	if (term == NULL || !probe_find(matcher, term, &block, &place))
		return 0;
	if (term->list == NULL)
		return prefix_positions(matcher, term, dst);
	return elac_posting_list_positions(term->list, block, place, dst);
}

/* Does a node hold for the document?  Its bitmaps tell, unless it hangs on a phrase. */
static bool
check_node(ElacMatcher *matcher, const ElacTextEvidence *evidence, const MatchNode *node)
{
	uint32		bit = matcher->doc - matcher->window.first;

	if (!((node->maybe[bit / 64] >> (bit % 64)) & 1))
		return false;
	if ((node->surely[bit / 64] >> (bit % 64)) & 1)
		return true;
	switch (node->kind)
	{
		case MATCH_ALL_OF:
			for (uint32 i = 0; i < node->nchildren; i++)
				if (!check_node(matcher, evidence, node->children[i]))
					return false;
			return true;
		case MATCH_ANY_OF:
			for (uint32 i = 0; i < node->nchildren; i++)
				if (check_node(matcher, evidence, node->children[i]))
					return true;
			return false;
		case MATCH_NOT:
			return !check_node(matcher, evidence, node->children[0]);
		case MATCH_PHRASE:
			if (node->phrase->phrase == NULL)
				return elac_text_phrase_holds(evidence, node->item);
			node->phrase->asked++;
			return elac_phrase_check(node->phrase->phrase, matcher->doc);
		case MATCH_WORD:
		case MATCH_ANYTHING:
		case MATCH_COUNT:
			break;
	}
	return true;
}

bool
elac_matcher_check(ElacMatcher *matcher, ElacDoc doc)
{
	ElacTextEvidence evidence = {matcher->set->query, matcher, matcher_has, matcher_positions};

	matcher->doc = doc;
	return check_node(matcher, &evidence, matcher->root);
}
