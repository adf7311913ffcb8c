/*
 * document.c
 *	  Counts the lexemes of one document: from occurrences in the order of its
 *	  words to terms in the order of bytes.
 *
 * Each lexeme of the cache remembers the document that was the last to have it
 * and its place among that document's distinct lexemes, so that nothing is
 * hashed or compared here; only the distinct ones are sorted.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "text/document.h"

typedef struct DistinctLexeme
{
	uint32		lexeme;
	uint32		tf;
	uint32		npositions;
	uint32		last;			/* position of the last occurrence; 0 before the first */
	uint16	   *next;			/* where its next position goes */
} DistinctLexeme;

typedef struct SortedLexeme
{
	uint64		order;			/* ElacLexeme's */
	const ElacLexeme *lexeme;
	DistinctLexeme *distinct;
} SortedLexeme;

static inline int
sorted_compare(const SortedLexeme *a, const SortedLexeme *b)
{
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return elac_term_compare(a->lexeme->bytes, a->lexeme->len, b->lexeme->bytes, b->lexeme->len);
}

#define ST_SORT sort_lexemes
#define ST_ELEMENT_TYPE SortedLexeme
#define ST_COMPARE(a, b) sorted_compare(a, b)
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

void
elac_document_start(ElacDocument *document, Oid config, Size nbytes)
{
	document->cache = elac_lexeme_cache_get(config);
	document->position = 0;
	document->words = false;
	document->noccurrences = 0;
	document->room = nbytes / 6 + 16;	/* a word in six bytes; grows */
	document->occurrences = palloc_extended(document->room * sizeof(ElacOccurrence), MCXT_ALLOC_HUGE);
}

void
elac_document_grow(ElacDocument *document, uint64 more)
{
	while (document->room - document->noccurrences < more)
		document->room *= 2;
	document->occurrences = repalloc_huge(document->occurrences, document->room * sizeof(ElacOccurrence));
}

void
elac_document_add_sequence(ElacDocument *document, ElacTokenValue value)
{
	const uint32 *steps = document->cache->steps + (value & ~ELAC_TOKEN_SEQUENCE);
	uint32		nsteps = *steps++;

	for (uint32 i = 0; i < nsteps; i++)
	{
		if (steps[i] == ELAC_STEP_ADVANCE)
			document->position++;
		else
			elac_document_add(document, steps[i]);
	}
}

/*
 * Finds the distinct lexemes and counts them; *npositions is how many
 * positions they have.  An occurrence at the position of the one before it is
 * the same token's and counts once, as in to_tsvector; not so at the last
 * position, where all words are that come after.
 */
static uint32
document_count(const ElacDocument *document, DistinctLexeme *distinct, Size *npositions, Size *nbytes)
{
	ElacLexeme *lexemes = document->cache->lexemes;
	uint32		stamp = document->cache->stamp;
	uint32		n = 0;

	*npositions = 0;
	*nbytes = 0;
	for (uint64 i = 0; i < document->noccurrences; i++)
	{
		const ElacOccurrence *occurrence = &document->occurrences[i];
		ElacLexeme *lexeme = &lexemes[occurrence->lexeme];
		DistinctLexeme *counted;

		if (lexeme->stamp != stamp)
		{
			lexeme->stamp = stamp;
			lexeme->place = n;
			counted = &distinct[n++];
			memset(counted, 0, sizeof(DistinctLexeme));
			counted->lexeme = occurrence->lexeme;
			*nbytes += lexeme->len;
		}
		else
		{
			counted = &distinct[lexeme->place];
			if (counted->last == occurrence->position && counted->last != ELAC_POSITION_MAX)
				continue;
		}
		counted->tf++;
		if (counted->last != occurrence->position && counted->npositions < ELAC_POSITIONS_MAX)
		{
			counted->npositions++;
			(*npositions)++;
		}
		counted->last = occurrence->position;
	}
	return n;
}

/* Writes each occurrence's position where its lexeme's positions lie. */
static void
document_place(const ElacDocument *document, DistinctLexeme *distinct, uint32 ndistinct)
{
	const ElacLexeme *lexemes = document->cache->lexemes;

	for (uint32 i = 0; i < ndistinct; i++)
		distinct[i].last = 0;
	for (uint64 i = 0; i < document->noccurrences; i++)
	{
		const ElacOccurrence *occurrence = &document->occurrences[i];
		DistinctLexeme *counted = &distinct[lexemes[occurrence->lexeme].place];

		if (counted->last == occurrence->position || counted->npositions == 0)
			continue;
		*counted->next++ = (uint16) occurrence->position;
		counted->npositions--;
		counted->last = occurrence->position;
	}
}

/* The terms in order; their bytes and positions follow them in the same piece of memory. */
static void
document_terms(const SortedLexeme *sorted, uint32 nterms, Size npositions, Size nbytes, bool positions,
			   ElacTermVector *out)
{
	uint16	   *next;
	char	   *bytes;
	uint64		length = 0;

	out->terms = palloc_extended(nterms * sizeof(ElacTerm) + (positions ? npositions * sizeof(uint16) : 0) + nbytes + 1,
								 MCXT_ALLOC_HUGE);
	out->nterms = nterms;
	next = (uint16 *) (out->terms + nterms);
	bytes = (char *) (next + (positions ? npositions : 0));
	for (uint32 i = 0; i < nterms; i++)
	{
		const ElacLexeme *lexeme = sorted[i].lexeme;
		DistinctLexeme *counted = sorted[i].distinct;
		ElacTerm   *term = &out->terms[i];

		term->bytes = memcpy(bytes, lexeme->bytes, lexeme->len);
		bytes += lexeme->len;
		term->len = lexeme->len;
		term->tf = counted->tf;
		term->npositions = positions ? counted->npositions : 0;
		term->positions = positions ? next : NULL;
		counted->next = next;
		next += term->npositions;
		length += term->tf;
	}
	if (length > UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text has too many words to be indexed")));
	out->length = (uint32) length;
}

void
elac_document_finish(ElacDocument *document, bool positions, ElacTermVector *out)
{
	Size		most = Max(Min(document->noccurrences, document->cache->nlexemes), 1);
	DistinctLexeme *distinct = palloc_extended(most * sizeof(DistinctLexeme), MCXT_ALLOC_HUGE);
	SortedLexeme *sorted;
	Size		npositions;
	Size		nbytes;
	uint32		n = document_count(document, distinct, &npositions, &nbytes);

	CHECK_FOR_INTERRUPTS();
	sorted = palloc_extended(Max(n, 1) * sizeof(SortedLexeme), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		sorted[i].lexeme = &document->cache->lexemes[distinct[i].lexeme];
		sorted[i].order = sorted[i].lexeme->order;
		sorted[i].distinct = &distinct[i];
	}
	sort_lexemes(sorted, n);
	memset(out, 0, sizeof(*out));
	document_terms(sorted, n, npositions, nbytes, positions, out);
	if (positions)
		document_place(document, distinct, n);
	pfree(sorted);
	pfree(distinct);
	pfree(document->occurrences);
}
