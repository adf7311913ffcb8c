/*
 * attr_select.h
 *	  What the files that evaluate a predicate over a section share.  Included
 *	  by this folder alone.
 */
#ifndef ELAC_ATTR_SELECT_H
#define ELAC_ATTR_SELECT_H

#include "attr/attr_internal.h"

#define ATTR_WORDS (ELAC_ATTR_GROUP / 64)

typedef struct AttrSelect
{
	ElacAttrReader *reader;
	ElacPredicate *predicate;
	MemoryContext context;		/* for calls */
	uint32		ncalls;
	/* when the predicate is ranges of sort keys: ascending, not touching each other */
	bool		ranged;
	uint32		nranges;
	ElacAttrRange *ranges;
	/* when it is equality of a type with a hash */
	bool		hashed;
	uint32		nhashes;
	uint64	   *hashes;			/* ascending */
	bool		null_element;	/* of = ANY: what is not TRUE is UNKNOWN */
	/* btree comparison of column type and argument type, for equality by calls */
	FmgrInfo	compare;
	bool		has_compare;
} AttrSelect;

/* Finds out what the predicate is; nothing is read of the body. */
extern void elac_attr_select_begin(AttrSelect *select, ElacAttrReader *reader, ElacPredicate *predicate);
extern void elac_attr_select_end(AttrSelect *select);

/* The predicate on one value, in the context for calls. */
extern ElacTruth elac_attr_select_call(AttrSelect *select, Datum value);

/* Enters a group's bits where there is a document that is not NULL. */
extern void elac_attr_select_enter(AttrSelect *select, uint32 group, const uint64 *yes, const uint64 *unknown,
								   ElacBitmap *is_true, ElacBitmap *is_unknown);

/* First range that ends at key or after it, or their number. */
extern uint32 elac_attr_select_range(const ElacAttrRange *ranges, uint32 nranges, int64 key);

/* ---- bins (attr_bin_select.c) ---- */

/* What is known of all values of a bin. */
typedef enum AttrVerdict
{
	ATTR_SOME,					/* look at them */
	ATTR_NONE,					/* all FALSE */
	ATTR_ALL					/* all TRUE */
} AttrVerdict;

/* One verdict for each bin; false when all are FALSE. */
extern bool elac_attr_bins_judge(AttrSelect *select, AttrVerdict *verdicts);
extern void elac_attr_bins_select(AttrSelect *select, ElacBitmap *is_true, ElacBitmap *is_unknown);

/* ---- lists (attr_list_select.c) ---- */

typedef struct AttrListSpan
{
	uint32		first;			/* lists [first, end): keys that equal one element */
	uint32		end;
	uint64		count;			/* documents in all of them, at most */
} AttrListSpan;

typedef struct AttrListPlan
{
	bool		all;			/* of the elements, or any of them */
	bool		exact;			/* else candidates are looked at */
	bool		nothing;		/* FALSE for whatever is not NULL */
	bool		nulls;			/* all: and a NULL element; any: UNKNOWN where one is */
	bool		empty;			/* or without elements */
	uint32		nspans;
	AttrListSpan *spans;		/* the shortest first */
} AttrListPlan;

/* Can the lists tell?  Reads the head alone. */
extern bool elac_attr_lists_plan(ElacAttrReader *reader, const ElacPredicate *predicate, AttrListPlan *plan);
extern void elac_attr_lists_prefetch(ElacAttrReader *reader, const AttrListPlan *plan);
extern void elac_attr_lists_select(AttrSelect *select, const AttrListPlan *plan, ElacBitmap *is_true, ElacBitmap *is_unknown);

#endif							/* ELAC_ATTR_SELECT_H */
