/*
 * text_phrase.c
 *	  Phrases of plain words over the postings of a segment.
 *
 * Every word has a fixed distance to the end of the phrase (text_condition.h):
 * its positions say where the phrase may end.  For all documents of a window
 * the words are taken one after the other, the rarest first, their blocks in
 * order.  Of each document that is still in question 64 bits are kept: bit e %
 * 64 is set when all words so far may end the phrase at e.  A document whose
 * bits have all gone is out; the few that are left at the end have their
 * positions compared.
 *
 * Owns decoded blocks; reads the lists of the term set apart from the terms'
 * own reading.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "errors.h"
#include "text/text_phrase.h"

/* Documents that are worked on at a time; windows may be larger. */
#define PHRASE_WINDOW ELAC_WINDOW
#define PHRASE_WINDOW_WORDS (PHRASE_WINDOW / 64)

#define PHRASE_NO_BLOCK PG_UINT32_MAX

/* A run of positions in a list's sums: where it begins, and in the low 8 bits how many; 0: none. */
#define RUN_COUNT_BITS 8
#define RUN_COUNT_MASK 0xFF

StaticAssertDecl(ELAC_POSITIONS_MAX <= RUN_COUNT_MASK, "the positions of a posting can be counted in a run");
StaticAssertDecl((uint64) (PHRASE_WINDOW + 2 * ELAC_TEXT_BLOCK_DOCS) * (ELAC_POSITIONS_MAX + 1) < UINT64CONST(1) << 24,
				 "the sums of a window can be counted in a run");

/* The postings of one word in one field. */
typedef struct PhraseList
{
	const ElacTermReader *term;
	uint32		block;			/* documents before it are behind us */
	uint32		loaded;			/* the block that what follows is of */
	uint32		n;
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
	uint32		first[ELAC_TEXT_BLOCK_DOCS + 1];	/* in sums */
	ElacPositionSums sums;		/* of the window's blocks that were read */
	uint32	   *runs;			/* by document of the window; NULL: none was read at once yet */
	uint32		run;			/* of the document being compared */
} PhraseList;

typedef struct PhrasePart
{
	uint32		before_end;
	uint32		nlists;			/* > 1: a column's labels */
	PhraseList *lists;
	uint64		df;				/* together */
} PhrasePart;

/* The words in one column, rarest first. */
typedef struct PhraseColumn
{
	uint32		nwords;
	PhrasePart *words;
} PhraseColumn;

struct ElacPhrase
{
	MemoryContext context;
	uint32		ncolumns;		/* those that have all the words */
	PhraseColumn *columns;
	uint32		few;
	uint32	   *ends[2];		/* where the phrase may end, for two words */
	/* by document of the window; NULL: none was read at once yet */
	uint64	   *may_end;
	uint64	   *word_ends;		/* as far as one word goes; 0 between words */
};

/* ---- opening ---- */

static int
compare_parts(const void *a, const void *b)
{
	const PhrasePart *x = a;
	const PhrasePart *y = b;

	return (x->df > y->df) - (x->df < y->df);
}

/* The lists of a word in the fields of one column; false when there is a prefix. */
static bool
open_word(const ElacTermSet *set, const ElacPhraseWord *from, int first_field, int end_field, PhrasePart *word)
{
	word->before_end = from->before_end;
	word->nlists = 0;
	word->df = 0;
	word->lists = palloc((end_field - first_field) * sizeof(PhraseList));
	for (int f = first_field; f < end_field; f++)
	{
		int32		number = set->query->operands[(Size) from->item * set->query->nfields + f];
		const ElacTermReader *term = number >= 0 ? elac_term_set_get(set, f, number) : NULL;
		PhraseList *list = &word->lists[word->nlists];

		if (number >= 0 && set->query->fields[f].terms[number].prefix)
			return false;
		if (term == NULL)
			continue;
		memset(list, 0, sizeof(PhraseList));
		list->term = term;
		list->loaded = PHRASE_NO_BLOCK;
		word->nlists++;
		word->df += term->df;
	}
	return true;
}

ElacPhrase *
elac_phrase_open(const ElacTermSet *set, uint32 item)
{
	const ElacBm25Query *query = set->query;
	ElacPhraseWord words[ELAC_PHRASE_WORDS];
	int			nwords = elac_phrase_words(GETQUERY(query->condition), item, words);
	ElacPhrase *phrase;
	uint64		blocks = 0;
	uint32		nlists = 0;
	int			end_field;

	if (nwords == 0)
		return NULL;
	phrase = palloc0(sizeof(ElacPhrase));
	phrase->context = CurrentMemoryContext;
	phrase->columns = palloc(Max(query->nfields, 1) * sizeof(PhraseColumn));
	for (int f = 0; f < query->nfields; f = end_field)
	{
		PhraseColumn *column = &phrase->columns[phrase->ncolumns];
		bool		whole = true;

		end_field = f + 1;
		while (end_field < query->nfields && query->fields[end_field].column == query->fields[f].column)
			end_field++;
		column->nwords = nwords;
		column->words = palloc(nwords * sizeof(PhrasePart));
		for (int w = 0; w < nwords; w++)
		{
			if (!open_word(set, &words[w], f, end_field, &column->words[w]))
				return NULL;
			whole = whole && column->words[w].nlists > 0;
			nlists = Max(nlists, column->words[w].nlists);
		}
		if (!whole)
			continue;
		qsort(column->words, nwords, sizeof(PhrasePart), compare_parts);
		for (int w = 0; w < nwords; w++)
			for (uint32 i = 0; i < column->words[w].nlists; i++)
				blocks += column->words[w].lists[i].term->per_window / ELAC_TEXT_BLOCK_DOCS + 1;
		phrase->ncolumns++;
	}
	for (int i = 0; i < 2; i++)
		phrase->ends[i] = palloc((Size) Max(nlists, 1) * ELAC_POSITIONS_MAX * sizeof(uint32));
	phrase->few = (uint32) Min(blocks / ((uint64) 2 * nwords), PG_UINT32_MAX);
	return phrase;
}

uint32
elac_phrase_few(const ElacPhrase *phrase)
{
	return phrase->few;
}

/* ---- lists ---- */

/* Decodes a block, its positions behind those that the list has. */
static void
load_postings(PhraseList *list, uint32 block)
{
	ElacPostingList *postings = list->term->list;

	list->loaded = PHRASE_NO_BLOCK;
	list->n = elac_posting_list_decode(postings, block, list->docs, list->tfs);
	if (!elac_posting_list_sums(postings, block, list->tfs, list->first, &list->sums))
		memset(list->first, 0, sizeof(list->first));
	list->loaded = block;
}

/* Drops the positions of all blocks but the one that was read last. */
static void
forget_blocks(PhraseList *list)
{
	uint32		start = list->first[0];

	if (list->loaded == PHRASE_NO_BLOCK || list->sums.n == 0)
	{
		list->sums.n = 0;
		return;
	}
	list->sums.n = list->first[list->n] - start + 1;
	memmove(list->sums.values, list->sums.values + start, list->sums.n * sizeof(uint32));
	for (uint32 i = 0; i <= list->n; i++)
		list->first[i] -= start;
}

/* First of ascending numbers from `from` on that is not below one; n when there is none. */
static uint32
first_not_below(const uint32 *numbers, uint32 from, uint32 n, uint32 wanted)
{
	uint32		step = 1;
	uint32		end;

	while (from + step < n && numbers[from + step - 1] < wanted)
	{
		from += step;
		step *= 2;
	}
	end = Min(from + step, n);
	while (from < end)
	{
		uint32		middle = (from + end) / 2;

		if (numbers[middle] < wanted)
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

/* Moves to the block that has the first document not below doc. */
static void
list_to_block(PhraseList *list, ElacDoc doc)
{
	const ElacTermReader *term = list->term;

	if (list->block > 0 && term->last_docs[list->block - 1] >= doc)
		list->block = 0;
	list->block = first_not_below(term->last_docs, list->block, term->nblocks, doc);
}

/* A posting's positions; that they are positions has been left to us. */
static inline uint32
list_run(const PhraseList *list, uint32 i)
{
	uint32		start = list->first[i];
	uint32		count = list->first[i + 1] - start;

	if (count == 0)
		return 0;
	if (list->sums.values[start + count] - list->sums.values[start] > ELAC_POSITION_MAX)
		elac_corrupted(list->term->reader->name, "A position of a posting list of %u documents is malformed.", list->term->df);
	return start << RUN_COUNT_BITS | count;
}

/* ---- one document ---- */

static int
compare_ends(const void *a, const void *b)
{
	return (*(const uint32 *) a > *(const uint32 *) b) - (*(const uint32 *) a < *(const uint32 *) b);
}

/* Where the word lets the phrase end, ascending and distinct, by its lists' runs; returns how many. */
static uint32
ends_of_word(const PhrasePart *word, uint32 *ends)
{
	uint32		n = 0;
	uint32		kept = 0;

	for (uint32 l = 0; l < word->nlists; l++)
	{
		const PhraseList *list = &word->lists[l];
		uint32		count = list->run & RUN_COUNT_MASK;
		const uint32 *sums = count > 0 ? list->sums.values + (list->run >> RUN_COUNT_BITS) : NULL;

		for (uint32 j = 0; j < count; j++)
			ends[n++] = sums[j + 1] - sums[0] + word->before_end;
	}
	if (word->nlists == 1)
		return n;
	qsort(ends, n, sizeof(uint32), compare_ends);
	for (uint32 i = 0; i < n; i++)
		if (i == 0 || ends[i] != ends[i - 1])
			ends[kept++] = ends[i];
	return kept;
}

/* Do all words agree on an end?  By their lists' runs. */
static bool
ends_meet(const ElacPhrase *phrase, const PhraseColumn *column)
{
	uint32	   *ends = phrase->ends[0];
	const uint32 *others = phrase->ends[1];
	uint32		nends = ends_of_word(&column->words[0], ends);

	for (uint32 w = 1; w < column->nwords && nends > 0; w++)
	{
		uint32		n = ends_of_word(&column->words[w], phrase->ends[1]);
		uint32		kept = 0;

		for (uint32 i = 0, j = 0; i < nends && j < n;)
		{
			uint32		end = ends[i];

			if (end == others[j])
				ends[kept++] = end;
			i += end <= others[j];
			j += others[j] <= end;
		}
		nends = kept;
	}
	return nends > 0;
}

/* Finds the document's run in a list; false when it has the word, and nobody knows where. */
static bool
find_run(PhraseList *list, ElacDoc doc)
{
	uint32		i;

	list->run = 0;
	list_to_block(list, doc);
	if (list->block == list->term->nblocks)
		return true;
	if (list->loaded != list->block)
	{
		list->sums.n = 0;
		load_postings(list, list->block);
	}
	i = first_not_below(list->docs, 0, list->n, doc);
	if (i == list->n || list->docs[i] != doc)
		return true;
	list->run = list_run(list, i);
	return list->run != 0;
}

/* Finds the document's runs of a word; false when there are none, or some are not known. */
static bool
find_word(PhrasePart *word, ElacDoc doc)
{
	bool		found = false;

	for (uint32 l = 0; l < word->nlists; l++)
	{
		if (!find_run(&word->lists[l], doc))
			return false;
		found = found || word->lists[l].run != 0;
	}
	return found;
}

bool
elac_phrase_check(ElacPhrase *phrase, ElacDoc doc)
{
	for (uint32 c = 0; c < phrase->ncolumns; c++)
	{
		PhraseColumn *column = &phrase->columns[c];
		bool		found = true;

		for (uint32 w = 0; w < column->nwords && found; w++)
			found = find_word(&column->words[w], doc);
		if (found && ends_meet(phrase, column))
			return true;
	}
	return false;
}

/* ---- all documents of a window ---- */

/* Is one of the documents [from, to] of the window set? */
static bool
any_document(const uint64 *docs, uint32 from, uint32 to)
{
	uint32		word = from / 64;
	uint64		bits = docs[word] & (PG_UINT64_MAX << (from % 64));

	for (; word < to / 64; bits = docs[++word])
		if (bits != 0)
			return true;
	return (bits & (PG_UINT64_MAX >> (63 - to % 64))) != 0;
}

/* The postings of the loaded block whose documents are in question: their places; returns how many. */
static uint32
select_postings(const PhraseList *list, const ElacWindow *window, const uint64 *docs, uint8 *places)
{
	ElacDoc		behind = window->first + window->ndocs;
	uint32		i = list->docs[0] < window->first ? first_not_below(list->docs, 0, list->n, window->first) : 0;
	uint32		end = list->docs[list->n - 1] >= behind ? first_not_below(list->docs, i, list->n, behind) : list->n;
	uint32		n = 0;

	for (; i < end; i++)
	{
		uint32		place = list->docs[i] - window->first;

		places[n] = (uint8) i;
		n += docs[place / 64] >> (place % 64) & 1;
	}
	return n;
}

/* Bits of where the phrase may end by a run. */
static inline uint64
ends_of_run(const PhraseList *list, uint32 run, uint32 before_end)
{
	const uint32 *sums = list->sums.values + (run >> RUN_COUNT_BITS);
	uint32		n = run & RUN_COUNT_MASK;
	uint32		shift = before_end - sums[0];
	uint64		ends;

	/* most have one or two: these without a branch between them */
	ends = UINT64CONST(1) << ((sums[1] + shift) % 64) | UINT64CONST(1) << ((sums[n] + shift) % 64);
	for (uint32 i = 2; i < n; i++)
		ends |= UINT64CONST(1) << ((sums[i] + shift) % 64);
	return ends;
}

/* What becomes of the ends that a list allows a document. */
typedef enum EndsUse
{
	ENDS_SET,					/* the first word's only list */
	ENDS_MEET,					/* another word's only list: those stay that the words before have as well */
	ENDS_ADD					/* one of several lists of a word */
} EndsUse;

/*
 * Takes the ends that the selected postings of the loaded block allow; left
 * gets the documents that have any.  Where positions are not known there are
 * none, whatever other lists of the word have.
 */
static inline void
take_ends(ElacPhrase *phrase, PhraseList *list, uint32 before_end, ElacDoc first, EndsUse use,
		  const uint8 *places, uint32 n, uint64 *docs, uint64 *left)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32		place = list->docs[places[i]] - first;
		uint64		bit = UINT64CONST(1) << (place % 64);
		uint32		run = list_run(list, places[i]);
		uint64		ends = run == 0 ? 0 : ends_of_run(list, run, before_end);

		list->runs[place] = run;
		if (use == ENDS_ADD)
		{
			phrase->word_ends[place] = run == 0 ? 0 : phrase->word_ends[place] | ends;
			docs[place / 64] &= run == 0 ? ~bit : PG_UINT64_MAX;
			continue;
		}
		if (use == ENDS_MEET)
			ends &= phrase->may_end[place];
		phrase->may_end[place] = ends;
		left[place / 64] |= ends == 0 ? 0 : bit;
	}
}

/* Takes the ends that a list's postings in the window allow. */
static void
walk_list(ElacPhrase *phrase, PhraseList *list, uint32 before_end, const ElacWindow *window, EndsUse use,
		  uint64 *docs, uint64 *left)
{
	const ElacTermReader *term = list->term;
	uint64		end = (uint64) window->first + window->ndocs;

	list_to_block(list, window->first);
	forget_blocks(list);
	for (uint32 block = list->block; block < term->nblocks; block++)
	{
		ElacDoc		low = block == 0 ? 0 : term->last_docs[block - 1] + 1;
		uint8		places[ELAC_TEXT_BLOCK_DOCS];
		uint32		n;

		if (low >= end)
			break;
		list->block = block;
		if (!any_document(docs, Max(low, window->first) - window->first,
						  Min(term->last_docs[block], (ElacDoc) (end - 1)) - window->first))
			continue;
		if (list->loaded != block)
			load_postings(list, block);
		n = select_postings(list, window, docs, places);
		/* the loop once for each use */
		if (use == ENDS_SET)
			take_ends(phrase, list, before_end, window->first, ENDS_SET, places, n, docs, left);
		else if (use == ENDS_MEET)
			take_ends(phrase, list, before_end, window->first, ENDS_MEET, places, n, docs, left);
		else
			take_ends(phrase, list, before_end, window->first, ENDS_ADD, places, n, docs, left);
	}
}

/* After all lists of a word: leaves the documents that have ends left. */
static void
meet_word(ElacPhrase *phrase, bool first, uint32 nwords, uint64 *docs)
{
	uint64	   *may_end = phrase->may_end;
	uint64	   *word_ends = phrase->word_ends;

	for (uint32 w = 0; w < nwords; w++)
	{
		uint64		left = 0;

		for (uint64 bits = docs[w]; bits != 0; bits &= bits - 1)
		{
			uint32		bit = (uint32) __builtin_ctzll(bits);
			uint32		place = w * 64 + bit;
			uint64		ends = word_ends[place];

			if (!first)
				ends &= may_end[place];
			may_end[place] = ends;
			word_ends[place] = 0;
			left |= (uint64) (ends != 0) << bit;
		}
		docs[w] = left;
	}
}

/* Leaves the documents in which a word, the first or another, leaves the phrase an end. */
static void
take_word(ElacPhrase *phrase, PhrasePart *word, bool first, const ElacWindow *window, uint64 *docs)
{
	uint32		nwords = (window->ndocs + 63) / 64;
	uint64		left[PHRASE_WINDOW_WORDS];

	for (uint32 l = 0; l < word->nlists; l++)
	{
		PhraseList *list = &word->lists[l];

		if (list->runs == NULL)
			list->runs = MemoryContextAlloc(phrase->context, PHRASE_WINDOW * sizeof(uint32));
		if (word->nlists > 1)
			memset(list->runs, 0, window->ndocs * sizeof(uint32));
	}
	if (word->nlists == 1)
	{
		memset(left, 0, nwords * sizeof(uint64));
		walk_list(phrase, &word->lists[0], word->before_end, window, first ? ENDS_SET : ENDS_MEET, docs, left);
		memcpy(docs, left, nwords * sizeof(uint64));
		return;
	}
	for (uint32 l = 0; l < word->nlists; l++)
		walk_list(phrase, &word->lists[l], word->before_end, window, ENDS_ADD, docs, NULL);
	meet_word(phrase, first, nwords, docs);
}

/* Leaves the documents in whose column the phrase holds. */
static void
column_window(ElacPhrase *phrase, PhraseColumn *column, const ElacWindow *window, uint64 *docs)
{
	uint32		nwords = (window->ndocs + 63) / 64;

	for (uint32 w = 0; w < column->nwords; w++)
		take_word(phrase, &column->words[w], w == 0, window, docs);
	for (uint32 i = 0; i < nwords; i++)
		for (uint64 bits = docs[i]; bits != 0; bits &= bits - 1)
		{
			uint32		place = i * 64 + (uint32) __builtin_ctzll(bits);

			for (uint32 w = 0; w < column->nwords; w++)
				for (uint32 l = 0; l < column->words[w].nlists; l++)
					column->words[w].lists[l].run = column->words[w].lists[l].runs[place];
			if (!ends_meet(phrase, column))
				docs[i] &= ~(bits & -bits);
		}
}

void
elac_phrase_window(ElacPhrase *phrase, const ElacWindow *window, uint64 *docs)
{
	if (phrase->may_end == NULL)
	{
		phrase->may_end = MemoryContextAlloc(phrase->context, PHRASE_WINDOW * sizeof(uint64));
		phrase->word_ends = MemoryContextAllocZero(phrase->context, PHRASE_WINDOW * sizeof(uint64));
	}
	for (uint32 at = 0; at < window->ndocs; at += PHRASE_WINDOW)
	{
		ElacWindow	part = {window->first + at, Min(window->ndocs - at, PHRASE_WINDOW)};
		uint64	   *part_docs = docs + at / 64;
		uint32		nwords = (part.ndocs + 63) / 64;
		uint64		found[PHRASE_WINDOW_WORDS] = {0};

		CHECK_FOR_INTERRUPTS();
		for (uint32 c = 0; c < phrase->ncolumns; c++)
		{
			uint64		left[PHRASE_WINDOW_WORDS];

			for (uint32 i = 0; i < nwords; i++)
				left[i] = part_docs[i] & ~found[i];
			column_window(phrase, &phrase->columns[c], &part, left);
			for (uint32 i = 0; i < nwords; i++)
				found[i] |= left[i];
		}
		memcpy(part_docs, found, nwords * sizeof(uint64));
	}
}
