/*
 * filter_match.c
 *	  text @@ tsquery as a condition of a filter.
 *
 * The condition is one column's, so its query has that column's fields alone:
 * one, or the labels of a tsvector that the tsquery asks for.  It was compiled
 * without statistics, and nothing is scored.
 */
#include "postgres.h"

#include "query/filter_match.h"

static ElacTextReader **
match_readers(const ElacFilter *filter, ElacSegment *segment)
{
	const ElacBm25Query *match = filter->match;
	ElacTextReader **readers = palloc(sizeof(ElacTextReader *) * match->nfields);

	for (int f = 0; f < match->nfields; f++)
		readers[f] = elac_text_label(elac_segment_text(segment, match->fields[f].column), match->fields[f].label);
	return readers;
}

void
elac_match_prefetch(const ElacFilter *filter, ElacSegment *segment)
{
	ElacTextReader **readers;
	bool		phrases;

	if (filter->match == NULL)
		return;
	readers = match_readers(filter, segment);
	phrases = filter->match->condition != NULL && elac_text_has_phrase(filter->match->condition);
	for (int f = 0; f < filter->match->nfields; f++)
		if (readers[f] == NULL)
			continue;			/* nobody has the label */
		else if (phrases)
			elac_text_prefetch_positions(readers[f], &filter->match->fields[f]);
		else
			elac_text_prefetch(readers[f], &filter->match->fields[f]);
	pfree(readers);
}

void
elac_match_segment(const ElacFilter *filter, ElacSegment *segment, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacTextReader **readers;

	if (filter->predicate.arg_isnull)
	{
		elac_bitmap_fill(is_unknown);
		return;
	}
	elac_text_null_docs(elac_segment_text(segment, filter->predicate.column), is_unknown);
	if (filter->match == NULL)
		return;
	readers = match_readers(filter, segment);
	elac_text_matches(readers, filter->match, is_true);
	pfree(readers);
	/* a condition such as !word is true of a text without words, but not of no text */
	elac_bitmap_andnot(is_true, is_unknown);
}

ElacTruth
elac_match_delta(const ElacFilter *filter, ElacDeltaView *view, ElacDoc doc)
{
	if (filter->predicate.arg_isnull || elac_delta_text_isnull(view, doc, filter->predicate.column))
		return ELAC_UNKNOWN;
	if (filter->match == NULL)
		return ELAC_FALSE;
	return elac_delta_text_matches(view, filter->match, doc) ? ELAC_TRUE : ELAC_FALSE;
}

/* Does every document that the text query scores fulfil the condition? */
static bool
match_is_implied(const ElacFilter *filter, const ElacBm25Query *text)
{
	if (filter->kind != ELAC_FILTER_MATCH || filter->match == NULL || text->condition == NULL ||
		VARSIZE(text->condition) != VARSIZE(filter->match->condition) ||
		memcmp(text->condition, filter->match->condition, VARSIZE(text->condition)) != 0)
		return false;
	for (int f = 0; f < text->nfields; f++)
		if (text->fields[f].column != filter->predicate.column)
			return false;
	return true;
}

ElacFilter *
elac_match_split(ElacFilter *filter, const ElacBm25Query *text, ElacFilter **taken)
{
	ElacFilter *rest;

	*taken = NULL;
	if (match_is_implied(filter, text))
	{
		*taken = filter;
		return NULL;
	}
	if (filter->kind != ELAC_FILTER_AND)
		return filter;
	rest = palloc(sizeof(ElacFilter));
	*rest = *filter;
	rest->nchildren = 0;
	rest->children = palloc(sizeof(ElacFilter *) * filter->nchildren);
	for (int i = 0; i < filter->nchildren; i++)
	{
		/* equal conditions are one */
		if (match_is_implied(filter->children[i], text))
			*taken = filter->children[i];
		else
			rest->children[rest->nchildren++] = filter->children[i];
	}
	return rest->nchildren > 0 ? rest : NULL;
}
