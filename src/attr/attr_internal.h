/*
 * attr_internal.h
 *	  What the files of attr/ share: the reader's state, by-value images and
 *	  the order of types that have zones.  Included by this folder alone.
 */
#ifndef ELAC_ATTR_INTERNAL_H
#define ELAC_ATTR_INTERNAL_H

#include "attr/attr_format.h"
#include "attr/attr_section.h"

#define ELAC_ATTR_NO_GROUP UINT32_MAX

struct ElacAttrReader
{
	MemoryContext context;		/* everything below, and every datum handed out */
	ElacSection section;
	ElacAttrType type;
	ElacAttrHeader header;
	ElacAttrBlock *directory;	/* header.nblocks */
	char	  **blocks;			/* decompressed value blocks that datums may point into */
	char	   *passing;		/* one more, of the last elac_attr_peek(), or NULL */
	uint32		passing_block;	/* its number */
	ElacBitmap	nulls;			/* words NULL until needed */
	ElacAttrZone *zones;		/* NULL until needed */
	char	   *values;			/* by-value dictionary, NULL until needed */
	uint32		last_block;		/* where the last value was found */
	/* the last group of 1024 documents read */
	uint32		group;
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ELAC_ATTR_GROUP / 64];	/* dictionary */
	char		fixed[ELAC_ATTR_GROUP * sizeof(Datum)]; /* plain, by value */
};

/* ---- by-value images: the typlen low bytes of 8, the others 0 ---- */

extern uint64 elac_attr_image(const ElacAttrType *type, Datum value);
extern Datum elac_attr_datum(const ElacAttrType *type, uint64 image);

/* Bytes from one fixed-length, by-reference value to the next in a block. */
extern uint32 elac_attr_stride(const ElacAttrType *type);

/* typalign in bytes. */
extern uint32 elac_attr_alignment(const ElacAttrType *type);

/* True for the types whose order is known here: they get zones. */
extern bool elac_attr_has_zones(const ElacAttrType *type);

/* The type's btree order; only when elac_attr_has_zones(). */
extern int	elac_attr_compare(const ElacAttrType *type, uint64 a, uint64 b);

/* ---- comparisons as ranges (attr_range.c) ---- */

typedef struct ElacAttrRange
{
	int64		low;			/* keys low .. high; none when low > high */
	int64		high;
} ElacAttrRange;

/* An integer that orders as the type's btree operators do; only when elac_attr_has_zones(). */
extern int64 elac_attr_key(const ElacAttrType *type, Datum value);

/*
 * True when the predicate (an operator, or = ANY) is TRUE just for values
 * whose keys lie in a range, one for each argument; *argument gets the
 * arguments' type.
 */
extern bool elac_attr_has_ranges(const ElacAttrType *type, const ElacPredicate *predicate, ElacAttrType *argument);
extern ElacAttrRange elac_attr_range(const ElacPredicate *predicate, const ElacAttrType *argument, Datum arg);

/*
 * Sets the bits of a group's documents whose plain value lies in the range, or
 * whose code is in [first, end): 16 words, of which the caller masks those of
 * NULLs and past the last document.
 */
extern void elac_attr_range_select(const ElacAttrType *type, const void *values, ElacAttrRange range, uint64 *words);
extern void elac_attr_planes_select(const uint64 *planes, unsigned width, uint32 first, uint32 end, uint64 *words);

/* ---- reading ---- */

/* Number of documents in a group. */
extern uint32 elac_attr_group_size(const ElacAttrReader *reader, uint32 group);

/* The NULL bitmap; words are all set when every document is NULL. */
extern const ElacBitmap *elac_attr_nulls(ElacAttrReader *reader);
extern const ElacAttrZone *elac_attr_zones(ElacAttrReader *reader); /* NULL when there are none */

/* Value number index: of the dictionary, or of a document that is not NULL. */
extern Datum elac_attr_value(ElacAttrReader *reader, uint32 index);

/*
 * The same for whoever passes through a whole column: memory of one block.
 * The datum lives until the next call, as long as the reader when the section
 * has a dictionary.
 */
extern Datum elac_attr_peek(ElacAttrReader *reader, uint32 index);

/*
 * The codes of groups [first, first + n) as bit planes: for each group `width`
 * planes of 16 words, lowest bit first, zero past the last document.
 */
extern void elac_attr_planes(ElacAttrReader *reader, uint32 first, uint32 n, uint64 *planes);

/* Plain values of a group, by value: 1024 places, whatever there are documents. */
extern const void *elac_attr_fixed_group(ElacAttrReader *reader, uint32 group);

/* Number of a document's value: its code, or itself when plain. */
extern uint32 elac_attr_index(ElacAttrReader *reader, ElacDoc doc);

/* ---- predicates ---- */

/* One call of the operator; a NULL result is UNKNOWN. */
extern ElacTruth elac_predicate_call(ElacPredicate *predicate, Datum value, Datum arg);

/* True when the predicate's truth does not depend on the value, which may be NULL. */
extern bool elac_predicate_constant(const ElacPredicate *predicate, ElacTruth *truth);

/* ---- writing, by value number ---- */

/* Enters a value and returns its number, for elac_attr_writer_add_id(). */
extern uint32 elac_attr_writer_intern(ElacAttrWriter *writer, Datum value);
extern void elac_attr_writer_add_id(ElacAttrWriter *writer, uint32 id);

#endif							/* ELAC_ATTR_INTERNAL_H */
