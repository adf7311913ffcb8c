/*
 * attr_bin_select.c
 *	  Predicates over values that lie in bins.
 *
 * Each bin's extremes say that none of its documents is TRUE, that all are, or
 * that its values must be looked at: those of two bins, for a range.  The
 * documents of the others come from the bit planes of the bins' numbers.
 * When few values match, only the groups where they are have their planes
 * read, which the bins' counts tell.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_select.h"
#include "errors.h"

#define bins_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

/* Groups whose codes are read at a time. */
#define ATTR_CHUNK_GROUPS 32

/* With as many groups for each value that matches, or more, they are looked for one by one. */
#define ATTR_SPARSE_GROUPS 8

/* With more ranges than this in a bin, looking for each value's is cheaper. */
#define ATTR_RANGES_MAX 4

/* The truth of a bin's values, in the bin's order. */
typedef struct AttrBinTruth
{
	uint32		number;
	uint32		count;
	uint32		ntrue;
	uint64	   *yes;
	uint64	   *unknown;		/* NULL: nowhere */
	uint32		next;			/* the first value of the next group */
} AttrBinTruth;

/* ---- verdicts ---- */

static AttrVerdict
attr_bin_judge_ranges(const AttrSelect *select, const ElacAttrBin *bin)
{
	uint32		first = elac_attr_select_range(select->ranges, select->nranges, bin->low);

	if (first == select->nranges || select->ranges[first].low > bin->high)
		return ATTR_NONE;
	if (select->ranges[first].low <= bin->low && select->ranges[first].high >= bin->high)
		return ATTR_ALL;
	return ATTR_SOME;
}

static AttrVerdict
attr_bin_judge_equality(AttrSelect *select, Datum min, Datum max, bool single, Datum arg)
{
	ElacPredicate *predicate = select->predicate;

	if (select->has_compare &&
		(DatumGetInt32(FunctionCall2Coll(&select->compare, predicate->collation, min, arg)) > 0 ||
		 DatumGetInt32(FunctionCall2Coll(&select->compare, predicate->collation, max, arg)) < 0))
		return ATTR_NONE;
	if (!single)
		return ATTR_SOME;
	switch (elac_predicate_call(predicate, min, arg))
	{
		case ELAC_TRUE:
			return ATTR_ALL;
		case ELAC_FALSE:
			return ATTR_NONE;
		default:
			return ATTR_SOME;
	}
}

/*
 * For < and <= the smallest value decides that none matches and the largest
 * that all do; for > and >= the other way round.
 */
static AttrVerdict
attr_bin_judge_scalar(AttrSelect *select, Datum min, Datum max, bool single, Datum arg)
{
	ElacPredicate *predicate = select->predicate;

	switch (predicate->strategy)
	{
		case BTLessStrategyNumber:
		case BTLessEqualStrategyNumber:
			if (elac_predicate_call(predicate, min, arg) == ELAC_FALSE)
				return ATTR_NONE;
			return elac_predicate_call(predicate, max, arg) == ELAC_TRUE ? ATTR_ALL : ATTR_SOME;
		case BTGreaterEqualStrategyNumber:
		case BTGreaterStrategyNumber:
			if (elac_predicate_call(predicate, max, arg) == ELAC_FALSE)
				return ATTR_NONE;
			return elac_predicate_call(predicate, min, arg) == ELAC_TRUE ? ATTR_ALL : ATTR_SOME;
		case BTEqualStrategyNumber:
			return attr_bin_judge_equality(select, min, max, single, arg);
		default:
			return ATTR_SOME;
	}
}

/*
 * ANY is FALSE when it is for each element, and there is no NULL among them to
 * make it UNKNOWN; ALL is FALSE when it is for one.
 */
static AttrVerdict
attr_bin_judge_elements(AttrSelect *select, Datum min, Datum max, bool single)
{
	ElacPredicate *predicate = select->predicate;
	bool		any = predicate->kind == ELAC_PREDICATE_ANY;

	for (int i = 0; i < predicate->nelements; i++)
	{
		AttrVerdict verdict = ATTR_SOME;

		if (!predicate->element_nulls[i])
			verdict = attr_bin_judge_scalar(select, min, max, single, predicate->elements[i]);
		if (any && verdict != ATTR_NONE)
			return ATTR_SOME;
		if (!any && verdict == ATTR_NONE)
			return ATTR_NONE;
	}
	return any ? ATTR_NONE : ATTR_SOME;
}

static AttrVerdict
attr_bin_judge_calls(AttrSelect *select, const ElacAttrBin *bin)
{
	const ElacAttrType *type = &select->reader->type;
	Datum		min = elac_attr_datum(type, elac_attr_sort_image(type, bin->low));
	Datum		max = elac_attr_datum(type, elac_attr_sort_image(type, bin->high));
	bool		single = bin->low == bin->high;
	MemoryContext old;
	AttrVerdict verdict = ATTR_SOME;

	if (select->predicate->strategy == 0)
		return verdict;
	old = MemoryContextSwitchTo(select->context);
	if (select->predicate->kind == ELAC_PREDICATE_OPERATOR)
		verdict = attr_bin_judge_scalar(select, min, max, single, select->predicate->arg);
	else if (select->predicate->kind == ELAC_PREDICATE_ANY || select->predicate->kind == ELAC_PREDICATE_ALL)
		verdict = attr_bin_judge_elements(select, min, max, single);
	MemoryContextSwitchTo(old);
	MemoryContextReset(select->context);
	return verdict;
}

bool
elac_attr_bins_judge(AttrSelect *select, AttrVerdict *verdicts)
{
	const ElacAttrBin *bins = elac_attr_bins(select->reader);
	bool		any = false;

	for (uint32 b = 0; b < select->reader->header.nbins; b++)
	{
		verdicts[b] = select->ranged ? attr_bin_judge_ranges(select, &bins[b]) : attr_bin_judge_calls(select, &bins[b]);
		any |= verdicts[b] != ATTR_NONE;
	}
	if (any && select->hashed)
	{
		any = false;
		for (uint32 i = 0; i < select->nhashes && !any; i++)
			any = elac_attr_may_have(select->reader, select->hashes[i]);
	}
	return any;
}

/* ---- the values of a bin ---- */

/* Values as differences from the bin's smallest, in one range of them. */
static void
attr_bin_compare_range(const ElacAttrBin *bin, const uint8 *bytes, uint64 low, uint64 span, uint64 *yes)
{
	uint64		mask = bin->width == sizeof(uint64) ? ~UINT64CONST(0) : (UINT64CONST(1) << (8 * bin->width)) - 1;

	for (uint32 first = 0; first < bin->count; first += 64)
	{
		uint32		n = Min(64, bin->count - first);
		uint64		word = 0;

		for (uint32 i = 0; i < n; i++)
		{
			uint64		bits;

			memcpy(&bits, bytes + (Size) (first + i) * bin->width, sizeof(bits));
			word |= (uint64) ((bits & mask) - low <= span) << i;
		}
		yes[first / 64] |= word;
	}
}

static void
attr_bin_test_ranges(AttrSelect *select, const ElacAttrBin *bin, const uint8 *bytes, uint64 *yes)
{
	const ElacAttrRange *ranges = select->ranges + elac_attr_select_range(select->ranges, select->nranges, bin->low);
	uint32		left = (uint32) (select->ranges + select->nranges - ranges);
	uint32		n = elac_attr_select_range(ranges, left, bin->high);

	/* those that end in the bin, and one that goes on */
	if (n < left && ranges[n].low <= bin->high)
		n++;
	if (!bin->raw && n <= ATTR_RANGES_MAX)
	{
		for (uint32 r = 0; r < n; r++)
		{
			uint64		low = (uint64) Max(ranges[r].low, bin->low) - (uint64) bin->low;
			uint64		high = (uint64) Min(ranges[r].high, bin->high) - (uint64) bin->low;

			attr_bin_compare_range(bin, bytes, low, high - low, yes);
		}
		return;
	}
	for (uint32 i = 0; i < bin->count; i++)
	{
		int64		key = elac_attr_bin_key(&select->reader->type, bin, bytes, i);
		uint32		range = elac_attr_select_range(ranges, n, key);

		if (range < n && ranges[range].low <= key)
			yes[i / 64] |= UINT64CONST(1) << (i % 64);
	}
}

static void
attr_bin_test_calls(AttrSelect *select, const ElacAttrBin *bin, const uint8 *bytes, AttrBinTruth *truth)
{
	const ElacAttrType *type = &select->reader->type;

	for (uint32 i = 0; i < bin->count; i++)
	{
		ElacTruth	one = elac_attr_select_call(select, elac_attr_datum(type, elac_attr_bin_image(type, bin, bytes, i)));

		truth->yes[i / 64] |= (uint64) (one == ELAC_TRUE) << (i % 64);
		if (one == ELAC_UNKNOWN && truth->unknown == NULL)
			truth->unknown = palloc0((bin->count / 64 + 1) * sizeof(uint64));
		if (one == ELAC_UNKNOWN)
			truth->unknown[i / 64] |= UINT64CONST(1) << (i % 64);
		if (i % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

static void
attr_bin_test(AttrSelect *select, uint32 number, AttrBinTruth *truth)
{
	const ElacAttrBin *bin = &elac_attr_bins(select->reader)[number];
	uint8	   *bytes = elac_attr_bin_bytes(select->reader, number);
	ElacBitmap	yes;

	CHECK_FOR_INTERRUPTS();
	memset(truth, 0, sizeof(*truth));
	truth->number = number;
	truth->count = bin->count;
	truth->yes = palloc0((bin->count / 64 + 1) * sizeof(uint64));
	if (select->ranged)
		attr_bin_test_ranges(select, bin, bytes, truth->yes);
	else
		attr_bin_test_calls(select, bin, bytes, truth);
	yes.nbits = bin->count;
	yes.words = truth->yes;
	truth->ntrue = elac_bitmap_count(&yes);
	pfree(bytes);
}

/* ---- documents ---- */

/* Documents of a group whose values are in a bin. */
static void
attr_bin_members(AttrSelect *select, const uint64 *planes, uint32 group, uint32 number, uint64 *words)
{
	ElacAttrReader *reader = select->reader;
	uint32		n = elac_attr_group_size(reader, group);
	const uint64 *nulls = reader->header.nnull > 0 ? elac_attr_nulls(reader)->words + (Size) group * ATTR_WORDS : NULL;

	memset(words, 0, ATTR_WORDS * sizeof(uint64));
	elac_attr_planes_select(planes, reader->header.width, number, number + 1, words);
	for (uint32 w = 0; w < ATTR_WORDS; w++)
	{
		if (w * 64 + 64 > n)
			words[w] &= w * 64 >= n ? 0 : (UINT64CONST(1) << (n - w * 64)) - 1;
		if (nulls != NULL && w * 64 < n)
			words[w] &= ~nulls[w];
	}
}

/* n bits from bit `from` on; there is a word behind the last. */
static uint64
attr_bits(const uint64 *words, uint32 from, uint32 n)
{
	uint64		bits = words[from / 64] >> (from % 64);

	if (from % 64 != 0 && from % 64 + n > 64)
		bits |= words[from / 64 + 1] << (64 - from % 64);
	return n == 64 ? bits : bits & ((UINT64CONST(1) << n) - 1);
}

/* The members that have a bit set, of which there is one for each. */
static uint64
attr_deposit(uint64 bits, uint64 members)
{
	uint64		result = 0;

	for (; bits != 0; bits >>= 1)
	{
		if (bits & 1)
			result |= members & -members;
		members &= members - 1;
	}
	return result;
}

static void
attr_bin_deposit(AttrSelect *select, AttrBinTruth *truth, const uint64 *members, uint64 *yes, uint64 *unknown)
{
	for (uint32 w = 0; w < ATTR_WORDS; w++)
	{
		uint32		n = (uint32) __builtin_popcountll(members[w]);

		if (n == 0)
			continue;
		if (n > truth->count - truth->next)
			bins_corrupted(select->reader, "Bin %u of an attribute section has more than %u documents.", truth->number,
						   truth->count);
		yes[w] |= attr_deposit(attr_bits(truth->yes, truth->next, n), members[w]);
		if (truth->unknown != NULL)
			unknown[w] |= attr_deposit(attr_bits(truth->unknown, truth->next, n), members[w]);
		truth->next += n;
	}
}

static void
attr_bins_select_group(AttrSelect *select, uint32 group, const uint64 *planes, const AttrVerdict *verdicts,
					   AttrBinTruth *truths, uint32 ntruths, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	const ElacAttrHeader *header = &select->reader->header;
	uint64		yes[ATTR_WORDS] = {0};
	uint64		unknown[ATTR_WORDS] = {0};
	uint64		members[ATTR_WORDS];

	for (uint32 b = 0; b < header->nbins;)
	{
		uint32		end = b + 1;

		while (end < header->nbins && verdicts[end] == verdicts[b])
			end++;
		if (verdicts[b] == ATTR_ALL)
			elac_attr_planes_select(planes, header->width, b, end, yes);
		b = end;
	}
	for (uint32 t = 0; t < ntruths; t++)
	{
		attr_bin_members(select, planes, group, truths[t].number, members);
		attr_bin_deposit(select, &truths[t], members, yes, unknown);
	}
	elac_attr_select_enter(select, group, yes, unknown, is_true, is_unknown);
}

static void
attr_bins_select_dense(AttrSelect *select, const AttrVerdict *verdicts, AttrBinTruth *truths, uint32 ntruths,
					   ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	const ElacAttrHeader *header = &select->reader->header;
	uint32		ngroups = elac_attr_ngroups(header->ndocs);
	Size		group_words = (Size) header->width * ATTR_WORDS;
	uint64	   *planes = palloc((group_words * Min(ATTR_CHUNK_GROUPS, ngroups) + 1) * sizeof(uint64));

	for (uint32 first = 0; first < ngroups; first += ATTR_CHUNK_GROUPS)
	{
		uint32		n = Min(ATTR_CHUNK_GROUPS, ngroups - first);

		CHECK_FOR_INTERRUPTS();
		elac_attr_planes(select->reader, first, n, planes);
		for (uint32 i = 0; i < n; i++)
			attr_bins_select_group(select, first + i, planes + i * group_words, verdicts, truths, ntruths,
								   is_true, is_unknown);
		if (ngroups - first <= ATTR_CHUNK_GROUPS)
			break;
	}
	pfree(planes);
}

/* The documents of a bin's few TRUE values. */
static void
attr_bin_select_sparse(AttrSelect *select, const AttrBinTruth *truth, ElacBitmap *is_true)
{
	ElacAttrReader *reader = select->reader;
	uint16	   *counts = elac_attr_bin_counts(reader, truth->number);
	ElacBitmap	values = {truth->count, truth->yes};
	uint64		members[ATTR_WORDS];
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ATTR_WORDS];
	uint32		value = elac_bitmap_next(&values, 0);
	uint32		before = 0;

	for (uint32 group = 0; value < truth->count; before += counts[group++])
	{
		if (value - before >= counts[group])
			continue;
		elac_attr_planes(reader, group, 1, planes);
		attr_bin_members(select, planes, group, truth->number, members);
		for (; value < truth->count && value - before < counts[group]; value = elac_bitmap_next(&values, value + 1))
		{
			uint32		rank = value - before;
			uint32		w = 0;
			uint64		word;

			while (w < ATTR_WORDS && rank >= (uint32) __builtin_popcountll(members[w]))
				rank -= (uint32) __builtin_popcountll(members[w++]);
			if (w == ATTR_WORDS)
				bins_corrupted(reader, "Group %u of an attribute section has fewer than %u documents in bin %u.", group,
							   counts[group], truth->number);
			for (word = members[w]; rank > 0; rank--)
				word &= word - 1;
			elac_bitmap_set(is_true, group * ELAC_ATTR_GROUP + w * 64 + (uint32) __builtin_ctzll(word));
		}
	}
	pfree(counts);
}

void
elac_attr_bins_select(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	const ElacAttrHeader *header = &select->reader->header;
	AttrVerdict verdicts[ELAC_ATTR_MAX_BINS];
	AttrBinTruth truths[ELAC_ATTR_MAX_BINS];
	uint32		ntruths = 0;
	uint64		ntrue = 0;
	bool		dense = false;

	if (!elac_attr_bins_judge(select, verdicts))
		return;
	for (uint32 b = 0; b < header->nbins; b++)
	{
		dense |= verdicts[b] == ATTR_ALL;
		if (verdicts[b] != ATTR_SOME)
			continue;
		attr_bin_test(select, b, &truths[ntruths]);
		ntrue += truths[ntruths].ntrue;
		dense |= truths[ntruths].unknown != NULL;
		if (truths[ntruths].ntrue > 0 || truths[ntruths].unknown != NULL)
			ntruths++;
	}
	if (dense || ntrue * ATTR_SPARSE_GROUPS > elac_attr_ngroups(header->ndocs))
		attr_bins_select_dense(select, verdicts, truths, ntruths, is_true, is_unknown);
	else
		for (uint32 t = 0; t < ntruths; t++)
			attr_bin_select_sparse(select, &truths[t], is_true);
}
