/*
 * compile_bigrams.c
 *	  A tsquery as it is asked of columns that index bigrams.
 *
 * The server's parser makes a run of CJK characters one word, so that is what
 * to_tsquery() and its like put into a tsquery.  A column with bigrams has the
 * run's overlapping pairs instead: the word becomes the phrase of its pairs,
 * and one character the prefix of the pairs that begin with it.
 * Where columns of both kinds are searched it becomes (word | phrase), each
 * side for its own columns.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"

#include "compat.h"
#include "text/analyze.h"
#include "text/bigrams.h"
#include "text/compile_private.h"

/* The condition under construction. */
typedef struct Rewrite
{
	TSQuery		from;
	const ElacColumn *with;		/* a column with bigrams */
	ElacColumn	without;		/* the same column, as if it had none */
	Oid			config;
	bool		mixed;			/* there are columns without bigrams, too */
	QueryItem  *items;
	ElacBigramItem *kinds;
	uint32		nitems;
	uint32		room;
	StringInfoData bytes;		/* of operands */
} Rewrite;

static QueryItem *
rewrite_add(Rewrite *rewrite, ElacBigramItem kind)
{
	if (rewrite->nitems == rewrite->room)
	{
		rewrite->room = rewrite->room * 2 + 16;
		rewrite->items = repalloc(rewrite->items, rewrite->room * sizeof(QueryItem));
		rewrite->kinds = repalloc(rewrite->kinds, rewrite->room * sizeof(ElacBigramItem));
	}
	rewrite->kinds[rewrite->nitems] = kind;
	memset(&rewrite->items[rewrite->nitems], 0, sizeof(QueryItem));
	return &rewrite->items[rewrite->nitems++];
}

/* An operator whose right operand comes next; its left one begins right_items further on. */
static void
rewrite_add_operator(Rewrite *rewrite, ElacBigramItem kind, int8 oper, int16 distance, uint32 right_items)
{
	QueryItem  *item = rewrite_add(rewrite, kind);

	item->type = QI_OPR;
	item->qoperator.oper = oper;
	item->qoperator.distance = distance;
	item->qoperator.left = right_items + 1;
}

static void
rewrite_add_value(Rewrite *rewrite, ElacBigramItem kind, const QueryOperand *like, const char *bytes, uint32 len,
				  bool prefix)
{
	QueryItem  *item = rewrite_add(rewrite, kind);

	if (rewrite->bytes.len >= MAXSTRPOS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tsquery is too large")));
	item->qoperand = *like;
	item->qoperand.prefix = prefix;
	item->qoperand.length = len;
	item->qoperand.distance = rewrite->bytes.len;
	appendBinaryStringInfo(&rewrite->bytes, bytes, len);
	appendStringInfoChar(&rewrite->bytes, '\0');
}

/* Is what is asked of pairs what is asked of other columns? */
static bool
same_words(const ElacTermVector *pairs, const ElacTermVector *whole)
{
	if (pairs->nterms != whole->nterms)
		return false;
	for (uint32 t = 0; t < pairs->nterms; t++)
		if (elac_bigrams_is_character(pairs->terms[t].bytes, pairs->terms[t].len) ||
			elac_term_compare(pairs->terms[t].bytes, pairs->terms[t].len, whole->terms[t].bytes, whole->terms[t].len) != 0)
			return false;
	return true;
}

/* A lexeme of the phrase. */
typedef struct PhraseWord
{
	const ElacTerm *term;
	uint16		position;
} PhraseWord;

static int
compare_phrase_words(const void *a, const void *b)
{
	return (int) ((const PhraseWord *) a)->position - (int) ((const PhraseWord *) b)->position;
}

/* Words in the order of their positions; of several at one position the first. */
static uint32
phrase_words(const ElacTermVector *words, PhraseWord **dst)
{
	PhraseWord *phrase;
	Size		room = 0;
	uint32		n = 0;
	uint32		kept = 0;

	for (uint32 t = 0; t < words->nterms; t++)
		room += words->terms[t].npositions;
	phrase = palloc(Max(room, 1) * sizeof(PhraseWord));
	for (uint32 t = 0; t < words->nterms; t++)
		for (uint32 p = 0; p < words->terms[t].npositions; p++)
		{
			phrase[n].term = &words->terms[t];
			phrase[n++].position = words->terms[t].positions[p];
		}
	qsort(phrase, n, sizeof(PhraseWord), compare_phrase_words);
	for (uint32 i = 0; i < n; i++)
		if (kept == 0 || phrase[kept - 1].position != phrase[i].position)
			phrase[kept++] = phrase[i];
	*dst = phrase;
	return kept;
}

/* A lexeme of the phrase, for columns with pairs. */
static void
rewrite_add_gram(Rewrite *rewrite, const QueryOperand *operand, const ElacTerm *term, bool last)
{
	rewrite_add_value(rewrite, ELAC_BIGRAM_WITH, operand, term->bytes, term->len,
					  (operand->prefix && last) || elac_bigrams_is_character(term->bytes, term->len));
}

/* One operand: as it is, or the phrase of its bigrams. */
static void
rewrite_operand(Rewrite *rewrite, const QueryOperand *operand)
{
	const char *bytes = GETOPERAND(rewrite->from) + operand->distance;
	text	   *value = cstring_to_text_with_len(bytes, operand->length);
	ElacTermVector pairs;
	ElacTermVector whole;
	PhraseWord *phrase;
	uint32		n;

	elac_text_analyze_words(rewrite->with, rewrite->config, value, &pairs);
	elac_text_analyze_words(&rewrite->without, rewrite->config, value, &whole);
	n = same_words(&pairs, &whole) ? 0 : phrase_words(&pairs, &phrase);
	if (n == 0)
	{
		rewrite_add_value(rewrite, ELAC_BIGRAM_BOTH, operand, bytes, operand->length, operand->prefix);
		return;
	}
	if (rewrite->mixed)
	{
		rewrite_add_operator(rewrite, ELAC_BIGRAM_BOTH, OP_OR, 0, 1);
		rewrite_add_value(rewrite, ELAC_BIGRAM_WITHOUT, operand, bytes, operand->length, operand->prefix);
	}
	for (uint32 i = n - 1; i > 0; i--)
	{
		rewrite_add_operator(rewrite, ELAC_BIGRAM_WITH, OP_PHRASE, phrase[i].position - phrase[i - 1].position, 1);
		rewrite_add_gram(rewrite, operand, phrase[i].term, i == n - 1);
	}
	rewrite_add_gram(rewrite, operand, phrase[0].term, n == 1);
	pfree(phrase);
}

/* The subtree that begins at an item of the original. */
static void
rewrite_subtree(Rewrite *rewrite, uint32 first)
{
	const QueryItem *item = &GETQUERY(rewrite->from)[first];
	uint32		place = rewrite->nitems;

	check_stack_depth();
	if (item->type == QI_VAL)
	{
		rewrite_operand(rewrite, &item->qoperand);
		return;
	}
	rewrite_add_operator(rewrite, ELAC_BIGRAM_BOTH, item->qoperator.oper, item->qoperator.distance, 0);
	rewrite_subtree(rewrite, first + 1);
	if (item->qoperator.oper == OP_NOT)
		return;
	rewrite->items[place].qoperator.left = rewrite->nitems - place;
	rewrite_subtree(rewrite, first + item->qoperator.left);
}

static TSQuery
rewrite_finish(const Rewrite *rewrite)
{
	Size		size = COMPUTESIZE((Size) rewrite->nitems, (Size) rewrite->bytes.len);
	TSQuery		condition = palloc0(size);

	SET_VARSIZE(condition, size);
	condition->size = rewrite->nitems;
	memcpy(GETQUERY(condition), rewrite->items, rewrite->nitems * sizeof(QueryItem));
	memcpy(GETOPERAND(condition), rewrite->bytes.data, rewrite->bytes.len);
	return condition;
}

TSQuery
elac_text_bigram_condition(const ElacSchema *schema, const ElacTextRequest *request, ElacBigramItem **items)
{
	TSQuery		condition = memcpy(palloc(VARSIZE(request->condition)), request->condition, VARSIZE(request->condition));
	Rewrite		rewrite;

	memset(&rewrite, 0, sizeof(rewrite));
	for (int i = 0; i < request->ncolumns; i++)
	{
		const ElacColumn *column = &schema->columns[request->columns[i]];

		if ((column->flags & ELAC_TEXT_BIGRAMS) == 0)
			rewrite.mixed = true;
		else if (rewrite.with == NULL)
			rewrite.with = column;
	}
	*items = NULL;
	if (rewrite.with == NULL || condition->size == 0)
		return condition;
	rewrite.from = condition;
	rewrite.without = *rewrite.with;
	rewrite.without.flags &= ~ELAC_TEXT_BIGRAMS;
	rewrite.config = elac_text_config(rewrite.with->config);
	rewrite.room = condition->size;
	rewrite.items = palloc(rewrite.room * sizeof(QueryItem));
	rewrite.kinds = palloc(rewrite.room * sizeof(ElacBigramItem));
	initStringInfo(&rewrite.bytes);
	rewrite_subtree(&rewrite, 0);
	*items = rewrite.kinds;
	return rewrite_finish(&rewrite);
}
