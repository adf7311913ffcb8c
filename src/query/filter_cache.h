/*
 * filter_cache.h
 *	  Bitmaps of conditions that this process has evaluated before.  Private to
 *	  query/.
 */
#ifndef ELAC_FILTER_CACHE_H
#define ELAC_FILTER_CACHE_H

#include "attr/attr_section.h"

#include "utils/rel.h"

/*
 * What a condition's answer depends on: the index and segment (immutable), the
 * operator, its arguments' bytes.
 */
typedef struct ElacFilterKey
{
	Size		len;			/* 0: the answer must not be kept */
	char	   *bytes;
} ElacFilterKey;

/* The key of a condition on an attribute of a segment, palloc'd. */
extern void elac_filter_key(ElacFilterKey *key, Relation index, uint64 segment, const ElacPredicate *predicate);

/* Are bitmaps kept for it? */
extern bool elac_filter_cache_has(const ElacFilterKey *key);

/*
 * Copies the bitmaps kept for a key; *any_unknown says whether is_unknown has
 * bits, and where it is false is_unknown is not touched.  False when none are
 * kept, or not for so many documents.
 */
extern bool elac_filter_cache_get(const ElacFilterKey *key, ElacBitmap *is_true, ElacBitmap *is_unknown,
								  bool *any_unknown);

/* Keeps copies; is_unknown NULL where it has no bits. */
extern void elac_filter_cache_put(const ElacFilterKey *key, const ElacBitmap *is_true, const ElacBitmap *is_unknown);

#endif							/* ELAC_FILTER_CACHE_H */
