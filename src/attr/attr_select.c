/*
 * attr_select.c
 *	  The documents of a section for which a condition is TRUE or UNKNOWN.
 *
 * Comparisons that are ranges of an ordered type call nothing: they are bins,
 * and codes of a dictionary, which ascend with the values.  Equality of values
 * that have a hash reads the blocks whose filters may have it.  Lists by
 * element answer what they can.  Else the operator is called once per distinct
 * value where there is a dictionary, or once per value; calls run in a memory
 * context of their own, reset as they go on.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "attr/attr_select.h"

/* Groups whose codes are read at a time. */
#define ATTR_CHUNK_GROUPS 32

/* With more runs of codes than this, looking up each document's is cheaper. */
#define ATTR_RUNS_MAX 24

/* Codes [first, end), all of which are TRUE, or all UNKNOWN. */
typedef struct AttrRun
{
	uint32		first;
	uint32		end;
	ElacTruth	truth;
} AttrRun;

/* ---- what the predicate is ---- */

/*
 * Equality alone does not tell on which side of a bin an argument lies; the
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

	if (select->ranged || predicate->strategy != BTEqualStrategyNumber || !OidIsValid(predicate->function.fn_oid))
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

static int
attr_range_compare(const void *a, const void *b)
{
	const ElacAttrRange *x = a;
	const ElacAttrRange *y = b;

	return x->low < y->low ? -1 : x->low > y->low ? 1 : 0;
}

/* In sort keys; those that nothing is in are left out. */
static void
attr_select_add_range(AttrSelect *select, const ElacAttrType *argument, Datum arg)
{
	ElacAttrRange range = elac_attr_sort_range(&select->reader->type, elac_attr_range(select->predicate, argument, arg));

	if (range.low <= range.high)
		select->ranges[select->nranges++] = range;
}

static int
attr_hash_compare(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static void
attr_select_add_hash(AttrSelect *select, const ElacAttrType *argument, Datum arg)
{
	const ElacAttrType *type = &select->reader->type;
	uint64		hash;

	if (argument != NULL)
		hash = elac_attr_hash_key(elac_attr_key(argument, arg));
	else
		hash = elac_attr_hash(type, type->typlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_PACKED(arg)) : arg);
	select->hashes[select->nhashes++] = hash;
}

/* One argument, or those of ANY that are not NULL. */
static void
attr_select_add_arguments(AttrSelect *select, const ElacAttrType *argument)
{
	const ElacPredicate *predicate = select->predicate;
	bool		any = predicate->kind == ELAC_PREDICATE_ANY;
	Size		n = any ? predicate->nelements : 1;
	uint32		kept = 0;

	if (select->ranged)
		select->ranges = palloc_extended(mul_size(n, sizeof(ElacAttrRange)), MCXT_ALLOC_HUGE);
	if (select->hashed)
		select->hashes = palloc_extended(mul_size(n, sizeof(uint64)), MCXT_ALLOC_HUGE);
	for (Size i = 0; i < n; i++)
	{
		Datum		arg = any ? predicate->elements[i] : predicate->arg;

		if (any && predicate->element_nulls[i])
		{
			select->null_element = true;
			continue;
		}
		if (select->ranged)
			attr_select_add_range(select, argument, arg);
		if (select->hashed)
			attr_select_add_hash(select, argument, arg);
	}

	/* equality: ranges of one key each, of which the same may come twice */
	if (select->nranges > 1)
		qsort(select->ranges, select->nranges, sizeof(ElacAttrRange), attr_range_compare);
	for (uint32 i = 0; i < select->nranges; i++)
		if (kept == 0 || select->ranges[kept - 1].low != select->ranges[i].low)
			select->ranges[kept++] = select->ranges[i];
	select->nranges = kept;
	if (select->nhashes > 1)
		qsort(select->hashes, select->nhashes, sizeof(uint64), attr_hash_compare);
}

void
elac_attr_select_begin(AttrSelect *select, ElacAttrReader *reader, ElacPredicate *predicate)
{
	const ElacAttrType *type = &reader->type;
	ElacAttrType argument;

	memset(select, 0, sizeof(*select));
	select->reader = reader;
	select->predicate = predicate;
	select->context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute predicate", ALLOCSET_DEFAULT_SIZES);
	select->ranged = elac_attr_has_ranges(type, predicate, &argument);
	select->hashed = elac_attr_has_filter(type) && elac_attr_is_equality(type, predicate);
	if (select->ranged || select->hashed)
		attr_select_add_arguments(select, select->ranged ? &argument : NULL);
	if (reader->header.encoding == ELAC_ATTR_BINNED)
		attr_select_find_compare(select);
}

void
elac_attr_select_end(AttrSelect *select)
{
	if (select->ranges != NULL)
		pfree(select->ranges);
	if (select->hashes != NULL)
		pfree(select->hashes);
	MemoryContextDelete(select->context);
}

uint32
elac_attr_select_range(const ElacAttrRange *ranges, uint32 nranges, int64 key)
{
	uint32		low = 0;
	uint32		high = nranges;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (ranges[middle].high < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- shared by all ---- */

ElacTruth
elac_attr_select_call(AttrSelect *select, Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(select->context);
	ElacTruth	truth = elac_predicate_test(select->predicate, value, false);

	MemoryContextSwitchTo(old);
	if (++select->ncalls % 256 == 0)
		MemoryContextReset(select->context);
	return truth;
}

void
elac_attr_select_enter(AttrSelect *select, uint32 group, const uint64 *yes, const uint64 *unknown,
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

/* ---- dictionary ---- */

/* The prefix that all values matching the pattern have, when a pattern it is; *exact: and all that have it do. */
static bool
attr_select_prefix(const AttrSelect *select, const char **prefix, Size *len, bool *exact)
{
	const ElacPredicate *predicate = select->predicate;
	struct varlena *argument;
	const char *bytes;
	Size		n;

	if (predicate->kind != ELAC_PREDICATE_OPERATOR || select->reader->type.typlen != -1 ||
		(predicate->function.fn_oid != F_TEXTLIKE && predicate->function.fn_oid != F_STARTS_WITH) ||
		!elac_attr_bytes_decide(predicate->collation))
		return false;
	argument = PG_DETOAST_DATUM_PACKED(predicate->arg);
	bytes = VARDATA_ANY(argument);
	n = VARSIZE_ANY_EXHDR(argument);
	*prefix = bytes;
	*len = n;
	*exact = true;
	if (predicate->function.fn_oid == F_STARTS_WITH)
		return true;
	/* an escape ends it: what follows is not the value's bytes */
	*len = 0;
	while (*len < n && bytes[*len] != '%' && bytes[*len] != '_' && bytes[*len] != '\\')
		(*len)++;
	*exact = *len == n - 1 && bytes[*len] == '%';
	return *len > 0;
}

/* Truths of a dictionary's values that its order tells; false when it tells nothing. */
static bool
attr_select_sorted(AttrSelect *select, uint8 *truths)
{
	ElacAttrReader *reader = select->reader;
	const ElacPredicate *predicate = select->predicate;
	bool		any = predicate->kind == ELAC_PREDICATE_ANY;
	const char *prefix;
	Size		len;
	bool		exact;
	uint32		first;
	uint32		end;

	memset(truths, select->null_element ? ELAC_UNKNOWN : ELAC_FALSE, reader->header.nvalues);
	for (uint32 i = 0; select->ranged && i < select->nranges; i++)
	{
		CHECK_FOR_INTERRUPTS();
		first = elac_attr_bound_key(reader, select->ranges[i].low, false);
		end = elac_attr_bound_key(reader, select->ranges[i].high, true);
		if (first < end)
			memset(truths + first, ELAC_TRUE, end - first);
	}
	if (select->ranged)
		return true;
	if (select->hashed && elac_attr_sameness(&reader->type) == ELAC_ATTR_SAME_BYTES)
	{
		for (int i = 0; i < (any ? predicate->nelements : 1); i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (any && predicate->element_nulls[i])
				continue;
			elac_attr_find_equal(reader, any ? predicate->elements[i] : predicate->arg, &first, &end);
			if (first < end)
				memset(truths + first, ELAC_TRUE, end - first);
		}
		return true;
	}
	if (!attr_select_prefix(select, &prefix, &len, &exact))
		return false;
	elac_attr_find_prefix(reader, prefix, len, &first, &end);
	for (uint32 i = first; i < end; i++)
		truths[i] = exact ? ELAC_TRUE : elac_attr_select_call(select, elac_attr_peek(reader, i));
	return true;
}

/* May a dictionary have one of the values asked for?  True when that is not known. */
static bool
attr_select_may_match(AttrSelect *select)
{
	ElacAttrReader *reader = select->reader;

	if (select->ranged && reader->header.nbins > 0)
	{
		AttrVerdict verdicts[ELAC_ATTR_MAX_BINS];

		return elac_attr_bins_judge(select, verdicts);
	}
	if (!select->hashed)
		return true;
	for (uint32 i = 0; i < select->nhashes; i++)
		if (elac_attr_may_have(reader, select->hashes[i]))
			return true;
	return false;
}

/* Truth of every distinct value, palloc'd. */
static uint8 *
attr_select_dictionary(AttrSelect *select)
{
	uint32		nvalues = select->reader->header.nvalues;
	uint8	   *truths = palloc((Size) nvalues + 1);

	if (attr_select_sorted(select, truths))
		return truths;
	for (uint32 i = 0; i < nvalues; i++)
	{
		CHECK_FOR_INTERRUPTS();
		truths[i] = elac_attr_select_call(select, elac_attr_peek(select->reader, i));
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

		/* elac_attr_code() says what is wrong with it */
		if (code >= reader->header.nvalues)
			code = elac_attr_code(reader, group * ELAC_ATTR_GROUP + i);
		yes[i / 64] |= (uint64) (truths[code] == ELAC_TRUE) << (i % 64);
		unknown[i / 64] |= (uint64) (truths[code] == ELAC_UNKNOWN) << (i % 64);
	}
}

static void
attr_select_codes(AttrSelect *select, const uint8 *truths, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	const ElacAttrHeader *header = &select->reader->header;
	uint32		ngroups = elac_attr_ngroups(header->ndocs);
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
			elac_attr_select_enter(select, first + i, bits[ELAC_TRUE], bits[ELAC_UNKNOWN], is_true, is_unknown);
		}
	}
	pfree(planes);
}

/* ---- plain ---- */

/* Value blocks that may have one of the values asked for, palloc'd; NULL: none has. */
static ElacBitmap *
attr_select_blocks(AttrSelect *select)
{
	uint32		nblocks = select->reader->header.nblocks;
	ElacBitmap *blocks = palloc(sizeof(ElacBitmap));
	bool		any = false;

	blocks->nbits = nblocks;
	blocks->words = palloc0((elac_bitmap_words(nblocks) + 1) * sizeof(uint64));
	for (uint32 i = 0; i < select->nhashes; i++)
		any |= elac_attr_candidate_blocks(select->reader, select->hashes[i], blocks);
	return any ? blocks : NULL;
}

static bool
attr_select_has_hash(const AttrSelect *select, uint64 hash)
{
	return bsearch(&hash, select->hashes, select->nhashes, sizeof(uint64), attr_hash_compare) != NULL;
}

/* Calls for documents [first, end); of many values asked for, the one that has the same hash. */
static void
attr_select_documents(AttrSelect *select, uint32 first, uint32 end, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	const ElacBitmap *nulls = elac_attr_nulls(reader);

	for (uint32 doc = first; doc < end; doc++)
	{
		Datum		value;
		ElacTruth	truth;

		if ((doc - first) % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (elac_bitmap_get(nulls, doc))
			continue;
		value = elac_attr_peek(reader, doc);
		if (select->nhashes > 1)
		{
			MemoryContext old = MemoryContextSwitchTo(select->context);
			bool		found = attr_select_has_hash(select, elac_attr_hash(&reader->type, value));

			MemoryContextSwitchTo(old);
			if (!found)
				continue;
		}
		truth = elac_attr_select_call(select, value);
		if (truth == ELAC_TRUE)
			elac_bitmap_set(is_true, doc);
		else if (truth == ELAC_UNKNOWN)
			elac_bitmap_set(is_unknown, doc);
	}
}

static void
attr_select_plain(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	ElacBitmap *blocks;

	if (!select->hashed)
	{
		attr_select_documents(select, 0, reader->header.ndocs, is_true, is_unknown);
		return;
	}
	blocks = attr_select_blocks(select);
	if (blocks != NULL && blocks->nbits == 0)
		attr_select_documents(select, 0, reader->header.ndocs, is_true, is_unknown);
	else if (blocks != NULL)
		for (uint32 b = elac_bitmap_next(blocks, 0); b < blocks->nbits; b = elac_bitmap_next(blocks, b + 1))
			attr_select_documents(select, reader->directory[b].first,
								  reader->directory[b].first + reader->directory[b].nvalues, is_true, is_unknown);
}

/* ---- the whole ---- */

static void
attr_select_by_encoding(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	uint8	   *truths;

	switch (select->reader->header.encoding)
	{
		case ELAC_ATTR_DICTIONARY:
			if (!attr_select_may_match(select))
				break;
			truths = attr_select_dictionary(select);
			attr_select_codes(select, truths, is_true, is_unknown);
			pfree(truths);
			break;
		case ELAC_ATTR_BINNED:
			elac_attr_bins_select(select, is_true, is_unknown);
			break;
		default:
			attr_select_plain(select, is_true, is_unknown);
	}
	/* what a NULL among the elements leaves open */
	if (select->null_element)
	{
		elac_bitmap_fill(is_unknown);
		elac_bitmap_andnot(is_unknown, is_true);
	}
}

void
elac_attr_select(ElacAttrReader *reader, ElacPredicate *predicate, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	AttrSelect	select;
	AttrListPlan plan;
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
	elac_attr_select_begin(&select, reader, predicate);
	if (elac_attr_lists_plan(reader, predicate, &plan))
		elac_attr_lists_select(&select, &plan, is_true, is_unknown);
	else
		attr_select_by_encoding(&select, is_true, is_unknown);
	elac_attr_select_end(&select);
	if (reader->header.nnull > 0)
		elac_bitmap_or(is_unknown, elac_attr_nulls(reader));
}

/* ---- what it will read ---- */

/* Bytes of the body from one offset to another. */
static void
attr_prefetch_bytes(ElacAttrReader *reader, uint64 start, uint64 end)
{
	if (start < end)
		elac_blob_prefetch(reader->section.body, reader->section.body_offset + start, end - start);
}

static void
attr_prefetch_codes(ElacAttrReader *reader)
{
	attr_prefetch_bytes(reader, reader->header.codes_offset, reader->header.counts_offset);
}

static void
attr_prefetch_values(ElacAttrReader *reader)
{
	attr_prefetch_bytes(reader, reader->header.values_offset, reader->header.values_offset + reader->header.values_len);
}

static void
attr_prefetch_bins(AttrSelect *select)
{
	AttrVerdict verdicts[ELAC_ATTR_MAX_BINS];

	if (!elac_attr_bins_judge(select, verdicts))
		return;
	attr_prefetch_codes(select->reader);
	for (uint32 b = 0; b < select->reader->header.nbins; b++)
		if (verdicts[b] == ATTR_SOME)
			elac_attr_prefetch_bin(select->reader, b);
}

static void
attr_prefetch_plain(AttrSelect *select)
{
	ElacAttrReader *reader = select->reader;
	ElacBitmap *blocks = select->hashed ? attr_select_blocks(select) : NULL;
	uint64		start = reader->header.values_offset;

	if (!select->hashed || (blocks != NULL && blocks->nbits == 0))
		attr_prefetch_values(reader);
	else if (blocks != NULL)
		for (uint32 b = elac_bitmap_next(blocks, 0); b < blocks->nbits; b = elac_bitmap_next(blocks, b + 1))
			attr_prefetch_bytes(reader, start + reader->directory[b].offset,
								start + reader->directory[b].offset + reader->directory[b].stored_len);
}

void
elac_attr_prefetch_for(ElacAttrReader *reader, ElacPredicate *predicate)
{
	AttrSelect	select;
	AttrListPlan plan;
	ElacTruth	truth;

	if (elac_predicate_constant(predicate, &truth))
		return;
	attr_prefetch_bytes(reader, 0, reader->header.values_offset);	/* NULLs */
	if (predicate->kind == ELAC_PREDICATE_IS_NULL)
		return;
	elac_attr_select_begin(&select, reader, predicate);
	if (elac_attr_lists_plan(reader, predicate, &plan))
	{
		elac_attr_lists_prefetch(reader, &plan);
		if (!plan.exact && !plan.nothing)
		{
			attr_prefetch_values(reader);
			attr_prefetch_codes(reader);
		}
	}
	else if (reader->header.encoding == ELAC_ATTR_BINNED)
		attr_prefetch_bins(&select);
	else if (reader->header.encoding == ELAC_ATTR_PLAIN)
		attr_prefetch_plain(&select);
	else if (attr_select_may_match(&select))
	{
		attr_prefetch_values(reader);
		attr_prefetch_codes(reader);
	}
	elac_attr_select_end(&select);
}
