/*
 * attr_estimate.c
 *	  How many documents a predicate is about TRUE for, by the section's head.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "utils/memutils.h"

#include "attr/attr_select.h"

/* What the server takes for the share of an operator that it knows nothing of. */
#define ATTR_UNKNOWN_SHARE 0.005

/* Documents per value that is not among the frequent ones. */
static double
attr_estimate_rest(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	const ElacAttrFrequent *frequent = elac_attr_frequent(reader);
	double		documents = (double) header->ndocs - header->nnull;
	double		values = header->encoding == ELAC_ATTR_DICTIONARY ? header->nvalues : documents;

	for (uint32 i = 0; i < header->nfrequent; i++)
		documents -= frequent[i].count;
	values -= header->nfrequent;
	return values < 1 ? 0 : Max(documents, 0) / values;
}

static double
attr_estimate_hash(ElacAttrReader *reader, uint64 hash)
{
	const ElacAttrFrequent *frequent = elac_attr_find_frequent(reader, hash);

	if (frequent != NULL)
		return frequent->count;
	return elac_attr_may_have(reader, hash) ? attr_estimate_rest(reader) : 0;
}

static double
attr_estimate_hashes(AttrSelect *select)
{
	double		sum = 0;

	for (uint32 i = 0; i < select->nhashes; i++)
		if (i == 0 || select->hashes[i] != select->hashes[i - 1])
			sum += attr_estimate_hash(select->reader, select->hashes[i]);
	return sum;
}

/* Documents of a bin in a range: in proportion to the keys, or a value's share of those the bin has. */
static double
attr_estimate_bin(ElacAttrReader *reader, const ElacAttrBin *bin, const ElacAttrRange *range)
{
	int64		low = Max(range->low, bin->low);
	int64		high = Min(range->high, bin->high);
	double		width = (double) bin->high - (double) bin->low + 1;
	double		share;

	if (low > high)
		return 0;
	share = ((double) high - (double) low + 1) / width;
	if (bin->distinct > 0)
		return bin->count * Max(share, 1.0 / bin->distinct);
	/* bins of values that hardly repeat */
	return Max(bin->count * share, 1);
}

/* One key: frequent values are known exactly. */
static double
attr_estimate_key(ElacAttrReader *reader, int64 key)
{
	const ElacAttrType *type = &reader->type;
	const ElacAttrBin *bins = elac_attr_bins(reader);
	const ElacAttrFrequent *frequent =
		elac_attr_find_frequent(reader, elac_attr_hash(type, elac_attr_datum(type, elac_attr_sort_image(type, key))));

	if (frequent != NULL)
		return frequent->count;
	for (uint32 b = 0; b < reader->header.nbins; b++)
	{
		if (key < bins[b].low || key > bins[b].high)
			continue;
		if (bins[b].low == bins[b].high)
			return bins[b].count;
		return reader->header.encoding == ELAC_ATTR_DICTIONARY ?
			Min((double) bins[b].count / bins[b].distinct, Max(attr_estimate_rest(reader), 1)) : 1;
	}
	return 0;
}

static double
attr_estimate_ranges(AttrSelect *select)
{
	ElacAttrReader *reader = select->reader;
	const ElacAttrBin *bins = elac_attr_bins(reader);
	double		sum = 0;

	for (uint32 i = 0; i < select->nranges; i++)
	{
		const ElacAttrRange *range = &select->ranges[i];

		if (range->low == range->high)
			sum += attr_estimate_key(reader, range->low);
		else
			for (uint32 b = 0; b < reader->header.nbins; b++)
				sum += attr_estimate_bin(reader, &bins[b], range);
	}
	return sum;
}

/* As if elements came independently of each other. */
static double
attr_estimate_lists(ElacAttrReader *reader, const AttrListPlan *plan)
{
	const ElacAttrList *lists = elac_attr_lists(reader);
	double		documents = (double) reader->header.ndocs - reader->header.nnull;
	double		left = documents;	/* with all elements so far, or with none */

	if (plan->nothing || documents <= 0)
		return 0;
	for (uint32 i = 0; i < plan->nspans; i++)
	{
		double		one = Min(plan->spans[i].count, documents);

		left = left * (plan->all ? one : documents - one) / documents;
	}
	if (plan->all)
		return left;
	return documents - left + (plan->empty ? lists[reader->header.nlists - 1].count : 0);
}

static double
attr_estimate_select(AttrSelect *select, bool *known)
{
	AttrListPlan plan;
	double		documents = (double) select->reader->header.ndocs - select->reader->header.nnull;

	if (elac_attr_lists_plan(select->reader, select->predicate, &plan))
		return attr_estimate_lists(select->reader, &plan);
	if (select->ranged && select->reader->header.nbins > 0)
		return attr_estimate_ranges(select);
	if (select->hashed)
		return attr_estimate_hashes(select);
	*known = false;
	return documents * ATTR_UNKNOWN_SHARE;
}

double
elac_attr_estimate(ElacAttrReader *reader, ElacPredicate *predicate, bool *known)
{
	const ElacAttrHeader *header = &reader->header;
	double		documents = (double) header->ndocs - header->nnull;
	AttrSelect	select;
	ElacTruth	truth;
	double		estimate;

	*known = true;
	if (elac_predicate_constant(predicate, &truth))
		return truth == ELAC_TRUE ? header->ndocs : 0;
	if (predicate->kind == ELAC_PREDICATE_IS_NULL)
		return header->nnull;
	elac_attr_select_begin(&select, reader, predicate);
	estimate = attr_estimate_select(&select, known);
	elac_attr_select_end(&select);
	return Min(estimate, documents);
}
