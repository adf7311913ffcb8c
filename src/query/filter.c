/*
 * filter.c
 *	  Evaluates a tree of conditions over a segment (as bitmaps) or over one
 *	  row of the delta.
 *
 * SQL's logic has three values, so each node gives two bitmaps: where it is
 * true and where it is unknown.  What is neither is false.  Hardly any
 * condition is unknown anywhere: the second bitmap is left out then.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "query/filter_cache.h"
#include "query/filter_match.h"
#include "query/query.h"

typedef struct FilterResult
{
	ElacBitmap *is_true;
	ElacBitmap *is_unknown;		/* NULL: nowhere */
} FilterResult;

/* What is evaluated. */
typedef struct FilterInput
{
	Relation	index;
	const ElacSchema *schema;
	ElacSegment *segment;
} FilterInput;

static ElacBitmap *
filter_bitmap_create(uint32 ndocs)
{
	ElacBitmap *bitmap = palloc(sizeof(ElacBitmap));

	bitmap->nbits = ndocs;
	bitmap->words = palloc0(elac_bitmap_words(ndocs) * sizeof(uint64_t) + sizeof(uint64_t));
	return bitmap;
}

static void
filter_bitmap_free(ElacBitmap *bitmap)
{
	if (bitmap == NULL)
		return;
	pfree(bitmap->words);
	pfree(bitmap);
}

static void
filter_attribute(const FilterInput *input, ElacPredicate *predicate, FilterResult *result)
{
	ElacBitmap *unknown = filter_bitmap_create(result->is_true->nbits);
	bool		any_unknown;
	ElacFilterKey key;

	elac_filter_key(&key, input->index, elac_segment_ref(input->segment)->id, predicate);
	if (!elac_filter_cache_get(&key, result->is_true, unknown, &any_unknown))
	{
		elac_attr_select(elac_segment_attr(input->segment, predicate->column), predicate, result->is_true, unknown);
		any_unknown = elac_bitmap_next(unknown, 0) < unknown->nbits;
		elac_filter_cache_put(&key, result->is_true, any_unknown ? unknown : NULL);
	}
	if (key.bytes != NULL)
		pfree(key.bytes);
	if (any_unknown)
		result->is_unknown = unknown;
	else
		filter_bitmap_free(unknown);
}

/* IS NULL on a vector column: the section's last list. */
static void
filter_vector_nulls(ElacSegment *segment, ElacBitmap *out)
{
	ElacVectorReader *reader = elac_segment_vector(segment);
	ElacDoc		first;
	ElacDoc		last;

	elac_vector_list_range(reader, elac_vector_nlists(reader) + 1, &first, &last);
	elac_bitmap_set_range(out, first, last);
}

static FilterResult
filter_predicate(const FilterInput *input, ElacFilter *filter)
{
	ElacSegment *segment = input->segment;
	int			column = filter->predicate.column;
	FilterResult result;

	result.is_true = filter_bitmap_create(elac_segment_ndocs(segment));
	result.is_unknown = NULL;
	switch (input->schema->columns[column].kind)
	{
		case ELAC_COLUMN_ATTR:
			filter_attribute(input, &filter->predicate, &result);
			break;
		case ELAC_COLUMN_TEXT:
			Assert(filter->predicate.kind == ELAC_PREDICATE_IS_NULL);
			elac_text_null_docs(elac_segment_text(segment, column), result.is_true);
			break;
		case ELAC_COLUMN_VECTOR:
			Assert(filter->predicate.kind == ELAC_PREDICATE_IS_NULL);
			filter_vector_nulls(segment, result.is_true);
			break;
	}
	return result;
}

/* Texts that match; unknown where the text is NULL. */
static FilterResult
filter_match(const FilterInput *input, ElacFilter *filter)
{
	FilterResult result;

	result.is_true = filter_bitmap_create(elac_segment_ndocs(input->segment));
	result.is_unknown = filter_bitmap_create(result.is_true->nbits);
	elac_match_segment(filter, input->segment, result.is_true, result.is_unknown);
	if (elac_bitmap_next(result.is_unknown, 0) == result.is_unknown->nbits)
	{
		filter_bitmap_free(result.is_unknown);
		result.is_unknown = NULL;
	}
	return result;
}

static FilterResult
filter_constant(const FilterInput *input, ElacTruth truth)
{
	FilterResult result;

	result.is_true = filter_bitmap_create(elac_segment_ndocs(input->segment));
	result.is_unknown = truth == ELAC_UNKNOWN ? filter_bitmap_create(result.is_true->nbits) : NULL;
	if (truth == ELAC_TRUE)
		elac_bitmap_fill(result.is_true);
	else if (truth == ELAC_UNKNOWN)
		elac_bitmap_fill(result.is_unknown);
	return result;
}

/* The bitmap of what is unknown, made when there is none. */
static ElacBitmap *
filter_with_unknown(FilterResult *result)
{
	if (result->is_unknown == NULL)
		result->is_unknown = filter_bitmap_create(result->is_true->nbits);
	return result->is_unknown;
}

/* true AND: both; unknown: neither is false, and not true. */
static void
filter_and(FilterResult *left, FilterResult *right)
{
	if (left->is_unknown != NULL || right->is_unknown != NULL)
	{
		/* possible = true or unknown, on both sides */
		elac_bitmap_or(filter_with_unknown(left), left->is_true);
		elac_bitmap_or(filter_with_unknown(right), right->is_true);
		elac_bitmap_and(left->is_unknown, right->is_unknown);
	}
	elac_bitmap_and(left->is_true, right->is_true);
	if (left->is_unknown != NULL)
		elac_bitmap_andnot(left->is_unknown, left->is_true);
}

static void
filter_or(FilterResult *left, FilterResult *right)
{
	elac_bitmap_or(left->is_true, right->is_true);
	if (right->is_unknown != NULL)
		elac_bitmap_or(filter_with_unknown(left), right->is_unknown);
	if (left->is_unknown != NULL)
		elac_bitmap_andnot(left->is_unknown, left->is_true);
}

static FilterResult
filter_evaluate(const FilterInput *input, ElacFilter *filter)
{
	FilterResult result;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (filter->kind == ELAC_FILTER_PREDICATE)
		return filter_predicate(input, filter);
	if (filter->kind == ELAC_FILTER_MATCH)
		return filter_match(input, filter);
	if (filter->kind == ELAC_FILTER_CONSTANT)
		return filter_constant(input, filter->truth);

	result = filter_evaluate(input, filter->children[0]);
	if (filter->kind == ELAC_FILTER_NOT)
	{
		/* not true becomes the rest: neither true nor unknown */
		if (result.is_unknown != NULL)
			elac_bitmap_or(result.is_true, result.is_unknown);
		elac_bitmap_not(result.is_true);
		return result;
	}
	if (filter->kind == ELAC_FILTER_IS_TRUE)
	{
		filter_bitmap_free(result.is_unknown);
		result.is_unknown = NULL;
		return result;
	}
	for (int i = 1; i < filter->nchildren; i++)
	{
		FilterResult child = filter_evaluate(input, filter->children[i]);

		if (filter->kind == ELAC_FILTER_AND)
			filter_and(&result, &child);
		else
			filter_or(&result, &child);
		filter_bitmap_free(child.is_true);
		filter_bitmap_free(child.is_unknown);
	}
	return result;
}

ElacBitmap *
elac_filter_segment(ElacFilter *filter, Relation index, const ElacSchema *schema, ElacSegment *segment)
{
	FilterInput input = {index, schema, segment};
	FilterResult result = filter_evaluate(&input, filter);

	filter_bitmap_free(result.is_unknown);
	return result.is_true;
}

/* Nothing, when the answer is kept from an earlier query. */
static void
filter_prefetch_attribute(ElacPredicate *predicate, Relation index, ElacSegment *segment)
{
	ElacFilterKey key;

	elac_filter_key(&key, index, elac_segment_ref(segment)->id, predicate);
	if (!elac_filter_cache_has(&key))
		elac_attr_prefetch_for(elac_segment_attr(segment, predicate->column), predicate);
	if (key.bytes != NULL)
		pfree(key.bytes);
}

void
elac_filter_prefetch(ElacFilter *filter, Relation index, const ElacSchema *schema, ElacSegment *segment)
{
	if (filter->kind == ELAC_FILTER_PREDICATE)
	{
		if (schema->columns[filter->predicate.column].kind == ELAC_COLUMN_ATTR)
			filter_prefetch_attribute(&filter->predicate, index, segment);
		return;
	}
	if (filter->kind == ELAC_FILTER_MATCH)
	{
		elac_match_prefetch(filter, segment);
		return;
	}
	for (int i = 0; i < filter->nchildren; i++)
		elac_filter_prefetch(filter->children[i], index, schema, segment);
}

static ElacTruth
filter_delta_predicate(ElacFilter *filter, const ElacSchema *schema, ElacDeltaView *view, ElacDoc doc)
{
	int			column = filter->predicate.column;
	bool		isnull;
	Datum		value;

	switch (schema->columns[column].kind)
	{
		case ELAC_COLUMN_TEXT:
			return elac_delta_text_isnull(view, doc, column) ? ELAC_TRUE : ELAC_FALSE;
		case ELAC_COLUMN_VECTOR:
			return elac_delta_vector_class(view, doc) == ELAC_VECTOR_NULL ? ELAC_TRUE : ELAC_FALSE;
		default:
			value = elac_delta_attr(view, doc, column, &isnull);
			return elac_predicate_test(&filter->predicate, value, isnull);
	}
}

ElacTruth
elac_filter_delta(ElacFilter *filter, const ElacSchema *schema, ElacDeltaView *view, ElacDoc doc)
{
	ElacTruth	deciding = filter->kind == ELAC_FILTER_AND ? ELAC_FALSE : ELAC_TRUE;
	ElacTruth	result;

	check_stack_depth();
	if (filter->kind == ELAC_FILTER_PREDICATE)
		return filter_delta_predicate(filter, schema, view, doc);
	if (filter->kind == ELAC_FILTER_MATCH)
		return elac_match_delta(filter, view, doc);
	if (filter->kind == ELAC_FILTER_CONSTANT)
		return filter->truth;
	if (filter->kind == ELAC_FILTER_NOT)
	{
		result = elac_filter_delta(filter->children[0], schema, view, doc);
		return result == ELAC_UNKNOWN ? ELAC_UNKNOWN : (result == ELAC_TRUE ? ELAC_FALSE : ELAC_TRUE);
	}
	if (filter->kind == ELAC_FILTER_IS_TRUE)
		return elac_filter_delta(filter->children[0], schema, view, doc) == ELAC_TRUE ? ELAC_TRUE : ELAC_FALSE;
	result = filter->kind == ELAC_FILTER_AND ? ELAC_TRUE : ELAC_FALSE;
	for (int i = 0; i < filter->nchildren; i++)
	{
		ElacTruth	child = elac_filter_delta(filter->children[i], schema, view, doc);

		if (child == deciding)
			return deciding;
		if (child == ELAC_UNKNOWN)
			result = ELAC_UNKNOWN;
	}
	return result;
}
