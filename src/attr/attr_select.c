/*
 * attr_select.c
 *	  The documents of a section for which a condition is TRUE or UNKNOWN.
 *
 * The operator is called once per distinct value where there is a dictionary,
 * else once per value of those groups of 1024 documents whose smallest and
 * largest value leave it open.  Calls run in a memory context of their own,
 * reset as they go on.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "attr/attr_internal.h"

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
} AttrSelect;

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

/* Truth of every distinct value, palloc'd. */
static uint8 *
attr_select_dictionary(AttrSelect *select)
{
	uint32		nvalues = select->reader->header.nvalues;
	uint8	   *truths = palloc(nvalues + 1);

	for (uint32 i = 0; i < nvalues; i++)
	{
		CHECK_FOR_INTERRUPTS();
		truths[i] = attr_select_test(select, i);
	}
	return truths;
}

/* One group; NULL documents are not touched.  truths: of the dictionary, or NULL when plain. */
static void
attr_select_group(AttrSelect *select, uint32 group, const uint8 *truths, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	uint32		first = group * ELAC_ATTR_GROUP;
	uint32		n = elac_attr_group_size(reader, group);
	AttrVerdict verdict = attr_zone_verdict(select, group);
	const uint32 *codes = NULL;

	if (verdict == ATTR_NONE)
		return;
	if (verdict == ATTR_SOME && truths != NULL)
		codes = elac_attr_codes(reader, group);
	for (uint32 base = 0; base < n; base += 64)
	{
		uint32		left = Min(64, n - base);
		uint64		present = ~nulls->words[(first + base) / 64];
		uint64		yes = 0;
		uint64		unknown = 0;

		if (left < 64)
			present &= (UINT64CONST(1) << left) - 1;
		if (verdict == ATTR_ALL)
			yes = present;
		for (uint32 i = 0; verdict == ATTR_SOME && i < left; i++)
		{
			ElacTruth	truth;

			if (((present >> i) & 1) == 0)
				continue;
			if (codes != NULL)
				truth = truths[codes[base + i]];
			else
				truth = attr_select_test(select, first + base + i);
			yes |= (uint64) (truth == ELAC_TRUE) << i;
			unknown |= (uint64) (truth == ELAC_UNKNOWN) << i;
		}
		is_true->words[(first + base) / 64] |= yes;
		is_unknown->words[(first + base) / 64] |= unknown;
	}
}

static void
attr_select_groups(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown)
{
	ElacAttrReader *reader = select->reader;
	uint32		ngroups = reader->header.ndocs / ELAC_ATTR_GROUP + (reader->header.ndocs % ELAC_ATTR_GROUP != 0);
	uint8	   *truths = NULL;
	bool		any = true;

	if (reader->header.encoding == ELAC_ATTR_DICTIONARY)
	{
		/* each value has been looked at: zones have nothing to add */
		truths = attr_select_dictionary(select);
		any = false;
		for (uint32 i = 0; i < reader->header.nvalues && !any; i++)
			any = truths[i] != ELAC_FALSE;
	}
	else if (select->predicate->strategy >= BTLessStrategyNumber &&
			 select->predicate->strategy <= BTGreaterStrategyNumber &&
			 select->predicate->kind != ELAC_PREDICATE_IS_TRUE)
	{
		select->zones = elac_attr_zones(reader);
		if (select->zones != NULL)
			attr_select_find_compare(select);
	}
	for (uint32 group = 0; any && group < ngroups; group++)
	{
		CHECK_FOR_INTERRUPTS();
		attr_select_group(select, group, truths, is_true, is_unknown);
	}
	if (truths != NULL)
		pfree(truths);
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
	elac_bitmap_copy(is_unknown, elac_attr_nulls(reader));
	select.reader = reader;
	select.predicate = predicate;
	select.context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute predicate", ALLOCSET_DEFAULT_SIZES);
	attr_select_groups(&select, is_true, is_unknown);
	MemoryContextDelete(select.context);
}
