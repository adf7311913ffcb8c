/*
 * attr_select.c
 *	  The documents of a section for which a condition is TRUE or UNKNOWN.
 *
 * Comparisons that are ranges of an ordered type call nothing: plain values
 * are compared as they lie, and codes, which ascend with the values, by their
 * bit planes.  Else the operator is called once per distinct value where there
 * is a dictionary, or once per value of those groups of 1024 documents whose
 * smallest and largest value leave it open; calls run in a memory context of
 * their own, reset as they go on.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "attr/attr_internal.h"

#define ATTR_WORDS (ELAC_ATTR_GROUP / 64)

/* Groups whose codes are read at a time. */
#define ATTR_CHUNK_GROUPS 32

/* With more runs of codes than this, looking up each document's is cheaper. */
#define ATTR_RUNS_MAX 24

/* With more ranges than this, looking for each plain value's is cheaper. */
#define ATTR_RANGES_MAX 8

/* What a zone says about the values of its group that are not NULL. */
typedef enum AttrVerdict
{
	ATTR_SOME,					/* look at them */
	ATTR_NONE,					/* all FALSE */
	ATTR_ALL					/* all TRUE */
} AttrVerdict;

typedef struct AttrSelect
{
	ElacAttrReader *reader;
	ElacPredicate *predicate;
	const ElacAttrZone *zones;	/* NULL: not used */
	FmgrInfo	compare;		/* btree comparison of column type and argument type */
	bool		has_compare;
	MemoryContext context;		/* for calls */
	uint32		ncalls;
	/* when the predicate is ranges: ascending, not touching each other */
	bool		ranged;
	uint32		nranges;
	ElacAttrRange *ranges;
	bool		null_element;	/* of ANY: what is not TRUE is UNKNOWN */
} AttrSelect;

/* Codes [first, end), all of which are TRUE, or all UNKNOWN. */
typedef struct AttrRun
{
	uint32		first;
	uint32		end;
	ElacTruth	truth;
} AttrRun;

static void
attr_select_tick(AttrSelect *select)
{
	if (++select->ncalls % 256 == 0)
		MemoryContextReset(select->context);
}

/*
 * Equality alone does not tell on which side of a zone an argument lies; the
 * btree family of the column's type may.
 */
static void
attr_select_find_compare(AttrSelect *select)
{
	ElacPredicate *predicate = select->predicate;
	Oid		   *argtypes = NULL;
	int			nargs = 0;
	Oid			procedure;
	TypeCacheEntry *entry;

	if (predicate->strategy != BTEqualStrategyNumber || !OidIsValid(predicate->function.fn_oid))
		return;
	get_func_signature(predicate->function.fn_oid, &argtypes, &nargs);
	entry = lookup_type_cache(select->reader->type.type, TYPECACHE_BTREE_OPFAMILY);
	if (nargs != 2 || argtypes[0] != select->reader->type.type || !OidIsValid(entry->btree_opf))
		return;
	procedure = get_opfamily_proc(entry->btree_opf, argtypes[0], argtypes[1], BTORDER_PROC);
	if (!OidIsValid(procedure))
		return;
	/* what the function keeps from call to call must outlive select->context's resets */
	fmgr_info(procedure, &select->compare);
	select->has_compare = true;
}

/*
 * For < and <= the smallest value decides that none matches and the largest
 * that all do; for > and >= the other way round.
 */
static AttrVerdict
attr_zone_scalar(AttrSelect *select, Datum min, Datum max, bool single, Datum arg)
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
		default:
			return ATTR_SOME;
	}
}

/*
 * ANY is FALSE when it is for each element, and there is no NULL among them to
 * make it UNKNOWN; ALL is FALSE when it is for one.
 */
static AttrVerdict
attr_zone_elements(AttrSelect *select, Datum min, Datum max, bool single)
{
	ElacPredicate *predicate = select->predicate;
	bool		any = predicate->kind == ELAC_PREDICATE_ANY;

	for (int i = 0; i < predicate->nelements; i++)
	{
		AttrVerdict verdict = ATTR_SOME;

		if (!predicate->element_nulls[i])
			verdict = attr_zone_scalar(select, min, max, single, predicate->elements[i]);
		if (any && verdict != ATTR_NONE)
			return ATTR_SOME;
		if (!any && verdict == ATTR_NONE)
			return ATTR_NONE;
		attr_select_tick(select);
	}
	return any ? ATTR_NONE : ATTR_SOME;
}

static AttrVerdict
attr_zone_verdict(AttrSelect *select, uint32 group)
{
	const ElacAttrZone *zone;
	const ElacAttrType *type = &select->reader->type;
	MemoryContext old;
	AttrVerdict verdict;
	Datum		min;
	Datum		max;
	bool		single;

	if (select->zones == NULL)
		return ATTR_SOME;
	zone = &select->zones[group];
	if (zone->nnull >= elac_attr_group_size(select->reader, group))
		return ATTR_NONE;
	min = elac_attr_datum(type, zone->min);
	max = elac_attr_datum(type, zone->max);
	single = elac_attr_compare(type, zone->min, zone->max) == 0;
	old = MemoryContextSwitchTo(select->context);
	if (select->predicate->kind == ELAC_PREDICATE_OPERATOR)
		verdict = attr_zone_scalar(select, min, max, single, select->predicate->arg);
	else
		verdict = attr_zone_elements(select, min, max, single);
	attr_select_tick(select);
	MemoryContextSwitchTo(old);
	return verdict;
}

static ElacTruth
attr_select_test(AttrSelect *select, uint32 index)
{
	Datum		value = elac_attr_peek(select->reader, index);
	MemoryContext old = MemoryContextSwitchTo(select->context);
	ElacTruth	truth = elac_predicate_test(select->predicate, value, false);

	MemoryContextSwitchTo(old);
	attr_select_tick(select);
	return truth;
}

/* Enters a group's bits where there is a document that is not NULL. */
static void
attr_select_enter(AttrSelect *select, uint32 group, const uint64 *yes, const uint64 *unknown,
				  ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	uint32		n = elac_attr_group_size(reader, group);
	uint32		nwords = (uint32) elac_bitmap_words(n);
	Size		first = (Size) group * ATTR_WORDS;
	const uint64 *nulls = reader->header.nnull > 0 ? elac_attr_nulls(reader)->words + first : NULL;

	for (uint32 i = 0; i < nwords; i++)
	{
		uint64		present = nulls != NULL ? ~nulls[i] : ~UINT64CONST(0);

		if (i == nwords - 1 && n % 64 != 0)
			present &= (UINT64CONST(1) << (n % 64)) - 1;
		is_true->words[first + i] |= yes[i] & present;
		is_unknown->words[first + i] |= unknown[i] & present;
	}
}

/* ---- ranges ---- */

static int
attr_range_compare(const void *a, const void *b)
{
	const ElacAttrRange *x = a;
	const ElacAttrRange *y = b;

	return x->low < y->low ? -1 : x->low > y->low ? 1 : 0;
}

/* The predicate as ranges, when it is. */
static void
attr_select_find_ranges(AttrSelect *select)
{
	const ElacPredicate *predicate = select->predicate;
	ElacAttrType argument;
	uint32		n = 0;

	if (!elac_attr_has_ranges(&select->reader->type, predicate, &argument))
		return;
	select->ranged = true;
	if (predicate->kind == ELAC_PREDICATE_OPERATOR)
	{
		select->ranges = palloc(sizeof(ElacAttrRange));
		select->ranges[0] = elac_attr_range(predicate, &argument, predicate->arg);
		select->nranges = 1;
		return;
	}
	select->ranges = palloc_extended(mul_size(predicate->nelements, sizeof(ElacAttrRange)), MCXT_ALLOC_HUGE);
	for (int i = 0; i < predicate->nelements; i++)
	{
		if (predicate->element_nulls[i])
			select->null_element = true;
		else
			select->ranges[n++] = elac_attr_range(predicate, &argument, predicate->elements[i]);
	}
	qsort(select->ranges, n, sizeof(ElacAttrRange), attr_range_compare);
	for (uint32 i = 0; i < n; i++)
	{
		/* equality: ranges of one key each, of which the same may come twice */
		if (select->nranges == 0 || select->ranges[select->nranges - 1].low != select->ranges[i].low)
			select->ranges[select->nranges++] = select->ranges[i];
	}
}

/* First of n ranges that ends at key or after it, or n. */
static uint32
attr_select_range_of(const AttrSelect *select, int64 key)
{
	uint32		low = 0;
	uint32		high = select->nranges;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (select->ranges[middle].high < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
attr_select_plain_group(AttrSelect *select, uint32 group, uint64 *yes)
{
	ElacAttrReader *reader = select->reader;
	const ElacAttrType *type = &reader->type;
	const ElacAttrZone *zone = &elac_attr_zones(reader)[group];
	uint32		n = elac_attr_group_size(reader, group);
	int64		min = elac_attr_key(type, elac_attr_datum(type, zone->min));
	int64		max = elac_attr_key(type, elac_attr_datum(type, zone->max));
	uint32		first = attr_select_range_of(select, min);

	if (zone->nnull >= n || first == select->nranges || select->ranges[first].low > max)
		return;
	if (select->ranges[first].low <= min && select->ranges[first].high >= max)
	{
		memset(yes, 0xFF, ELAC_ATTR_GROUP / 8);
		return;
	}
	if (select->nranges <= ATTR_RANGES_MAX)
	{
		const void *values = elac_attr_fixed_group(reader, group);

		for (uint32 i = first; i < select->nranges && select->ranges[i].low <= max; i++)
			elac_attr_range_select(type, values, select->ranges[i], yes);
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		int64		key = elac_attr_key(type, elac_attr_peek(reader, group * ELAC_ATTR_GROUP + i));
		uint32		range = attr_select_range_of(select, key);

		if (range < select->nranges && select->ranges[range].low <= key)
			yes[i / 64] |= UINT64CONST(1) << (i % 64);
	}
}

static void
attr_select_plain_ranges(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	uint32		ngroups = select->reader->header.nzones;

	for (uint32 group = 0; group < ngroups; group++)
	{
		uint64		yes[ATTR_WORDS] = {0};
		uint64		unknown[ATTR_WORDS] = {0};

		CHECK_FOR_INTERRUPTS();
		attr_select_plain_group(select, group, yes);
		for (int i = 0; select->null_element && i < ATTR_WORDS; i++)
			unknown[i] = ~yes[i];
		attr_select_enter(select, group, yes, unknown, is_true, is_unknown);
	}
}

/* ---- dictionary ---- */

/* The first value whose key is at least key, or above it. */
static uint32
attr_select_bound(AttrSelect *select, int64 key, bool above)
{
	ElacAttrReader *reader = select->reader;
	uint32		low = 0;
	uint32		high = reader->header.nvalues;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		int64		other = elac_attr_key(&reader->type, elac_attr_value(reader, middle));

		if (other < key || (above && other == key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Truth of every distinct value, palloc'd. */
static uint8 *
attr_select_dictionary(AttrSelect *select)
{
	uint32		nvalues = select->reader->header.nvalues;
	uint8	   *truths = palloc(nvalues + 1);

	if (select->ranged)
	{
		memset(truths, select->null_element ? ELAC_UNKNOWN : ELAC_FALSE, nvalues);
		for (uint32 i = 0; i < select->nranges; i++)
		{
			uint32		first = attr_select_bound(select, select->ranges[i].low, false);
			uint32		end = attr_select_bound(select, select->ranges[i].high, true);

			CHECK_FOR_INTERRUPTS();
			if (first < end)
				memset(truths + first, ELAC_TRUE, end - first);
		}
		return truths;
	}
	for (uint32 i = 0; i < nvalues; i++)
	{
		CHECK_FOR_INTERRUPTS();
		truths[i] = attr_select_test(select, i);
	}
	return truths;
}

/* Runs of values that are not FALSE; ATTR_RUNS_MAX + 1 when there are more than runs[] holds. */
static uint32
attr_select_runs(const uint8 *truths, uint32 nvalues, AttrRun *runs)
{
	uint32		nruns = 0;

	for (uint32 i = 0; i < nvalues;)
	{
		uint32		end = i + 1;

		while (end < nvalues && truths[end] == truths[i])
			end++;
		if (truths[i] != ELAC_FALSE)
		{
			if (nruns == ATTR_RUNS_MAX)
				return ATTR_RUNS_MAX + 1;
			runs[nruns].first = i;
			runs[nruns].end = end;
			runs[nruns].truth = (ElacTruth) truths[i];
			nruns++;
		}
		i = end;
	}
	return nruns;
}

/* Truth of each document of a group by its code. */
static void
attr_select_lookup(AttrSelect *select, uint32 group, const uint64 *planes, const uint8 *truths,
				   uint64 *yes, uint64 *unknown)
{
	ElacAttrReader *reader = select->reader;
	uint32		n = elac_attr_group_size(reader, group);
	unsigned	width = reader->header.width;

	for (uint32 i = 0; i < n; i++)
	{
		uint32		code = 0;

		for (unsigned p = 0; p < width; p++)
			code |= (uint32) ((planes[p * ATTR_WORDS + i / 64] >> (i % 64)) & 1) << p;

		/* elac_attr_index() says what is wrong with it */
		if (code >= reader->header.nvalues)
			code = elac_attr_index(reader, group * ELAC_ATTR_GROUP + i);
		yes[i / 64] |= (uint64) (truths[code] == ELAC_TRUE) << (i % 64);
		unknown[i / 64] |= (uint64) (truths[code] == ELAC_UNKNOWN) << (i % 64);
	}
}

static void
attr_select_codes(AttrSelect *select, const uint8 *truths, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	const ElacAttrHeader *header = &select->reader->header;
	uint32		ngroups = header->ndocs / ELAC_ATTR_GROUP + (header->ndocs % ELAC_ATTR_GROUP != 0);
	Size		group_words = (Size) header->width * ATTR_WORDS;
	uint64	   *planes;
	AttrRun		runs[ATTR_RUNS_MAX];
	uint32		nruns = attr_select_runs(truths, header->nvalues, runs);

	if (nruns == 0)
		return;
	planes = palloc((group_words * Min(ATTR_CHUNK_GROUPS, ngroups) + 1) * sizeof(uint64));
	for (uint32 first = 0; first < ngroups; first += ATTR_CHUNK_GROUPS)
	{
		uint32		n = Min(ATTR_CHUNK_GROUPS, ngroups - first);

		CHECK_FOR_INTERRUPTS();
		elac_attr_planes(select->reader, first, n, planes);
		for (uint32 i = 0; i < n; i++)
		{
			uint64		bits[3][ATTR_WORDS] = {0};	/* by ElacTruth */

			if (nruns > ATTR_RUNS_MAX)
				attr_select_lookup(select, first + i, planes + i * group_words, truths,
								   bits[ELAC_TRUE], bits[ELAC_UNKNOWN]);
			else
				for (uint32 r = 0; r < nruns; r++)
					elac_attr_planes_select(planes + i * group_words, header->width, runs[r].first, runs[r].end,
											bits[runs[r].truth]);
			attr_select_enter(select, first + i, bits[ELAC_TRUE], bits[ELAC_UNKNOWN], is_true, is_unknown);
		}
	}
	pfree(planes);
}

/* ---- plain, by calls ---- */

/* One group; NULL documents are not looked at. */
static void
attr_select_group(AttrSelect *select, uint32 group, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	uint32		first = group * ELAC_ATTR_GROUP;
	uint32		n = elac_attr_group_size(reader, group);
	AttrVerdict verdict = attr_zone_verdict(select, group);
	uint64		yes[ATTR_WORDS] = {0};
	uint64		unknown[ATTR_WORDS] = {0};

	if (verdict == ATTR_NONE)
		return;
	if (verdict == ATTR_ALL)
		memset(yes, 0xFF, sizeof(yes));
	for (uint32 i = 0; verdict == ATTR_SOME && i < n; i++)
	{
		ElacTruth	truth;

		if (elac_bitmap_get(nulls, first + i))
			continue;
		truth = attr_select_test(select, first + i);
		yes[i / 64] |= (uint64) (truth == ELAC_TRUE) << (i % 64);
		unknown[i / 64] |= (uint64) (truth == ELAC_UNKNOWN) << (i % 64);
	}
	attr_select_enter(select, group, yes, unknown, is_true, is_unknown);
}

static void
attr_select_plain(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	uint32		ngroups = reader->header.ndocs / ELAC_ATTR_GROUP + (reader->header.ndocs % ELAC_ATTR_GROUP != 0);

	if (select->predicate->strategy >= BTLessStrategyNumber &&
		select->predicate->strategy <= BTGreaterStrategyNumber &&
		select->predicate->kind != ELAC_PREDICATE_IS_TRUE)
	{
		select->zones = elac_attr_zones(reader);
		if (select->zones != NULL)
			attr_select_find_compare(select);
	}
	for (uint32 group = 0; group < ngroups; group++)
	{
		CHECK_FOR_INTERRUPTS();
		attr_select_group(select, group, is_true, is_unknown);
	}
}

static void
attr_select_documents(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	attr_select_find_ranges(select);
	if (select->reader->header.encoding == ELAC_ATTR_DICTIONARY)
	{
		/* each value has been looked at: zones have nothing to add */
		uint8	   *truths = attr_select_dictionary(select);

		attr_select_codes(select, truths, is_true, is_unknown);
		pfree(truths);
	}
	else if (select->ranged && elac_attr_zones(select->reader) != NULL)
		attr_select_plain_ranges(select, is_true, is_unknown);
	else
		attr_select_plain(select, is_true, is_unknown);
	if (select->ranges != NULL)
		pfree(select->ranges);
}

void
elac_attr_select(ElacAttrReader *reader, ElacPredicate *predicate, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	AttrSelect	select = {0};
	ElacTruth	truth;

	if (is_true->nbits != reader->header.ndocs || is_unknown->nbits != reader->header.ndocs)
		elog(ERROR, "bitmap of %u documents for a segment of %u", is_true->nbits, reader->header.ndocs);
	elac_bitmap_zero(is_true);
	elac_bitmap_zero(is_unknown);
	if (elac_predicate_constant(predicate, &truth))
	{
		if (truth == ELAC_TRUE)
			elac_bitmap_fill(is_true);
		else if (truth == ELAC_UNKNOWN)
			elac_bitmap_fill(is_unknown);
		return;
	}
	if (predicate->kind == ELAC_PREDICATE_IS_NULL)
	{
		elac_bitmap_copy(is_true, elac_attr_nulls(reader));
		return;
	}
	if (reader->header.nnull > 0)
		elac_bitmap_copy(is_unknown, elac_attr_nulls(reader));
	select.reader = reader;
	select.predicate = predicate;
	select.context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute predicate", ALLOCSET_DEFAULT_SIZES);
	attr_select_documents(&select, is_true, is_unknown);
	MemoryContextDelete(select.context);
}
