/*
 * attr_list_select.c
 *	  Predicates on arrays and jsonb that lists of documents by element answer.
 *
 *   @>  &&  ?  ?|  ?&  and  constant = ANY (column)    are exact
 *   =   <@   and  @> of jsonb     give candidates, whose values are looked at
 *
 * What a NULL element, an empty array and an empty argument mean is the
 * server's: NULL is contained in nothing and contains nothing, what is empty
 * is contained in everything and overlaps with nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "attr/attr_select.h"

/* With so few distinct values it is as well to look at all of them as at candidates. */
#define ATTR_LOOK_AT_ALL 1024

static int
attr_span_compare(const void *a, const void *b)
{
	const AttrListSpan *x = a;
	const AttrListSpan *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first ? 1 : 0;
}

/* Looks up the elements; those that nobody has end a search for all of them. */
static void
attr_plan_elements(ElacAttrReader *reader, AttrListPlan *plan, uint32 n, const Datum *values)
{
	const ElacAttrList *lists = elac_attr_lists(reader);
	uint32		kept = 0;

	plan->spans = palloc_extended(mul_size((Size) n + 1, sizeof(AttrListSpan)), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		AttrListSpan span = {0};

		elac_attr_find_keys(reader, values[i], &span.first, &span.end);
		for (uint32 l = span.first; l < span.end; l++)
			span.count += lists[l].count;
		if (span.first < span.end)
			plan->spans[plan->nspans++] = span;
		else if (plan->all)
			plan->nothing = true;
	}
	qsort(plan->spans, plan->nspans, sizeof(AttrListSpan), attr_span_compare);
	for (uint32 i = 0; i < plan->nspans; i++)
		if (kept == 0 || plan->spans[kept - 1].first != plan->spans[i].first)
			plan->spans[kept++] = plan->spans[i];
	plan->nspans = kept;
}

static bool
attr_plan_array(ElacAttrReader *reader, const ElacPredicate *predicate, AttrListPlan *plan)
{
	ElacAttrElements elements;
	Oid			function = predicate->function.fn_oid;
	bool		empty;

	if (function != F_ARRAYCONTAINS && function != F_ARRAYOVERLAP && function != F_ARRAYCONTAINED && function != F_ARRAY_EQ)
		return false;
	elac_attr_elements(reader->type.type, predicate->arg, &elements);
	empty = elements.n == 0 && !elements.has_null;
	plan->all = function == F_ARRAYCONTAINS || function == F_ARRAY_EQ;
	plan->exact = function == F_ARRAYCONTAINS || function == F_ARRAYOVERLAP;
	plan->nothing = function == F_ARRAYCONTAINS && elements.has_null;
	plan->nulls = function == F_ARRAY_EQ && elements.has_null;
	plan->empty = function == F_ARRAYCONTAINED || (function == F_ARRAY_EQ && empty);
	attr_plan_elements(reader, plan, elements.n, elements.values);
	return true;
}

static bool
attr_plan_jsonb(ElacAttrReader *reader, const ElacPredicate *predicate, AttrListPlan *plan)
{
	ElacAttrElements elements;

	switch (predicate->function.fn_oid)
	{
		case F_JSONB_CONTAINS:
			elac_attr_elements(JSONBOID, predicate->arg, &elements);
			plan->all = true;
			attr_plan_elements(reader, plan, elements.n, elements.values);
			return elements.n > 0;
		case F_JSONB_EXISTS:
			plan->exact = true;
			attr_plan_elements(reader, plan, 1, &predicate->arg);
			return true;
		case F_JSONB_EXISTS_ANY:
		case F_JSONB_EXISTS_ALL:
			plan->exact = true;
			plan->all = predicate->function.fn_oid == F_JSONB_EXISTS_ALL;
			elac_attr_elements(TEXTARRAYOID, predicate->arg, &elements);
			attr_plan_elements(reader, plan, elements.n, elements.values);
			return true;
		default:
			return false;
	}
}

/* constant = ANY (column) */
static bool
attr_plan_element(ElacAttrReader *reader, const ElacPredicate *predicate, const ElacAttrType *element, AttrListPlan *plan)
{
	ElacPredicate equality = *predicate;

	equality.kind = ELAC_PREDICATE_OPERATOR;
	if (predicate->arg_isnull || !elac_attr_is_equality(element, &equality))
		return false;
	plan->exact = true;
	plan->nulls = true;
	attr_plan_elements(reader, plan, 1, &predicate->arg);
	return true;
}

bool
elac_attr_lists_plan(ElacAttrReader *reader, const ElacPredicate *predicate, AttrListPlan *plan)
{
	ElacAttrType element;

	memset(plan, 0, sizeof(*plan));
	if (reader->header.nlists == 0 || !elac_attr_element_type(reader->type.type, &element) ||
		!elac_attr_bytes_decide(predicate->collation))
		return false;
	if (predicate->kind == ELAC_PREDICATE_ANY_ELEMENT)
		return reader->type.type != JSONBOID && attr_plan_element(reader, predicate, &element, plan);
	if (predicate->kind != ELAC_PREDICATE_OPERATOR || predicate->arg_isnull)
		return false;
	if (!(reader->type.type == JSONBOID ? attr_plan_jsonb(reader, predicate, plan) : attr_plan_array(reader, predicate, plan)))
		return false;
	return plan->exact || plan->nothing || reader->header.encoding != ELAC_ATTR_DICTIONARY ||
		reader->header.nvalues > ATTR_LOOK_AT_ALL;
}

void
elac_attr_lists_prefetch(ElacAttrReader *reader, const AttrListPlan *plan)
{
	uint32		nlists = reader->header.nlists;

	for (uint32 i = 0; i < plan->nspans && !plan->nothing; i++)
		for (uint32 l = plan->spans[i].first; l < plan->spans[i].end; l++)
			elac_attr_prefetch_list(reader, l);
	if (plan->nulls)
		elac_attr_prefetch_list(reader, nlists - 2);
	if (plan->empty)
		elac_attr_prefetch_list(reader, nlists - 1);
}

static ElacBitmap
attr_list_bitmap(uint32 ndocs)
{
	ElacBitmap	bitmap = {ndocs, palloc_extended((elac_bitmap_words(ndocs) + 1) * sizeof(uint64),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO)};

	return bitmap;
}

static void
attr_or_span(ElacAttrReader *reader, const AttrListSpan *span, ElacBitmap *out)
{
	for (uint32 l = span->first; l < span->end; l++)
		elac_attr_or_list(reader, l, out);
}

/* Leaves in found, whose bits are all documents that are not NULL, those with every element. */
static void
attr_lists_and(ElacAttrReader *reader, const AttrListPlan *plan, ElacBitmap *found)
{
	ElacBitmap	one = attr_list_bitmap(found->nbits);

	for (uint32 i = 0; i < plan->nspans && elac_bitmap_next(found, 0) < found->nbits; i++)
	{
		elac_bitmap_zero(&one);
		attr_or_span(reader, &plan->spans[i], &one);
		elac_bitmap_and(found, &one);
	}
	if (plan->nulls)
	{
		elac_bitmap_zero(&one);
		elac_attr_or_list(reader, reader->header.nlists - 2, &one);
		elac_bitmap_and(found, &one);
	}
	if (plan->empty)
	{
		elac_bitmap_zero(&one);
		elac_attr_or_list(reader, reader->header.nlists - 1, &one);
		elac_bitmap_and(found, &one);
	}
	pfree(one.words);
}

/* Looks at the values of candidates; a dictionary's once each. */
static void
attr_lists_check(AttrSelect *select, const ElacBitmap *candidates, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	bool		dictionary = reader->header.encoding == ELAC_ATTR_DICTIONARY;
	uint8	   *truths = dictionary ? palloc0((Size) reader->header.nvalues + 1) : NULL;	/* plus 1; 0: not looked at */
	uint32		n = 0;

	for (uint32 doc = elac_bitmap_next(candidates, 0); doc < candidates->nbits; doc = elac_bitmap_next(candidates, doc + 1))
	{
		uint32		index = elac_attr_index(reader, doc);
		ElacTruth	truth;

		if (n++ % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (truths != NULL && truths[index] != 0)
			truth = (ElacTruth) (truths[index] - 1);
		else
			truth = elac_attr_select_call(select, elac_attr_peek(reader, index));
		if (truths != NULL)
			truths[index] = (uint8) truth + 1;
		if (truth == ELAC_TRUE)
			elac_bitmap_set(is_true, doc);
		else if (truth == ELAC_UNKNOWN)
			elac_bitmap_set(is_unknown, doc);
	}
	if (truths != NULL)
		pfree(truths);
}

void
elac_attr_lists_select(AttrSelect *select, const AttrListPlan *plan, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	ElacBitmap	candidates;
	ElacBitmap *found = is_true;

	if (plan->nothing)
		return;
	if (!plan->exact)
	{
		candidates = attr_list_bitmap(is_true->nbits);
		found = &candidates;
	}
	if (plan->all)
	{
		elac_bitmap_copy(found, elac_attr_nulls(reader));
		elac_bitmap_not(found);
		attr_lists_and(reader, plan, found);
	}
	else
	{
		for (uint32 i = 0; i < plan->nspans; i++)
			attr_or_span(reader, &plan->spans[i], found);
		if (plan->empty)
			elac_attr_or_list(reader, reader->header.nlists - 1, found);
		if (plan->nulls)
		{
			elac_attr_or_list(reader, reader->header.nlists - 2, is_unknown);
			elac_bitmap_andnot(is_unknown, found);
		}
	}
	/* lists hold no document whose value is NULL, unless they are damaged */
	elac_bitmap_andnot(found, elac_attr_nulls(reader));
	if (found != is_true)
	{
		attr_lists_check(select, found, is_true, is_unknown);
		pfree(candidates.words);
	}
}
