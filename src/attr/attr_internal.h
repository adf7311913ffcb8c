/*
 * attr_internal.h
 *	  What the files of attr/ share: the reader's state, by-value images and
 *	  the order of types that have bins.  Included by this folder alone.
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
	ElacAttrBin *bins;			/* NULL until needed, and so on */
	ElacAttrFrequent *frequent;
	ElacAttrList *lists;
	ElacAttrReader *keys;		/* of the lists */
	/* pieces of the head */
	uint64		filter_offset;
	uint64		rows_offset;
	uint64		lists_head_offset;
	uint64		keys_offset;
	char	   *values;			/* by-value dictionary, NULL until needed */
	uint32		last_block;		/* where the last value was found */
	/* the last group of 1024 documents read */
	uint32		group;
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ELAC_ATTR_GROUP / 64];	/* dictionary, bins */
	char		fixed[ELAC_ATTR_GROUP * sizeof(Datum)]; /* plain, by value */
};

/* ---- by-value images: the typlen low bytes of 8, the others 0 ---- */

extern uint64 elac_attr_image(const ElacAttrType *type, Datum value);
extern Datum elac_attr_datum(const ElacAttrType *type, uint64 image);

/* Bytes from one fixed-length, by-reference value to the next in a block. */
extern uint32 elac_attr_stride(const ElacAttrType *type);

/* typalign in bytes. */
extern uint32 elac_attr_alignment(const ElacAttrType *type);

/* True for the types whose order is known here: they get bins. */
extern bool elac_attr_is_ordered(const ElacAttrType *type);

/* The type's btree order; only when elac_attr_is_ordered(), as all that follow. */
extern int	elac_attr_compare(const ElacAttrType *type, uint64 a, uint64 b);

/*
 * An integer that orders images as bins do: as elac_attr_compare(), and -0 as
 * 0.  elac_attr_sort_image() gives back the image, but for -0 and for NaNs of
 * unusual bits.
 */
#define ELAC_ATTR_NAN8 PG_INT64_MAX
#define ELAC_ATTR_NAN4 ((int64) PG_INT32_MAX)

extern int64 elac_attr_sort_key(const ElacAttrType *type, uint64 image);
extern uint64 elac_attr_sort_image(const ElacAttrType *type, int64 key);

static inline uint32
elac_attr_ngroups(uint32 ndocs)
{
	return ndocs / ELAC_ATTR_GROUP + (ndocs % ELAC_ATTR_GROUP != 0);
}

/* ---- comparisons as ranges (attr_range.c) ---- */

typedef struct ElacAttrRange
{
	int64		low;			/* keys low .. high; none when low > high */
	int64		high;
} ElacAttrRange;

/* An integer that orders as the type's btree operators do; only when elac_attr_is_ordered(). */
extern int64 elac_attr_key(const ElacAttrType *type, Datum value);

/*
 * True when the predicate (an operator, or = ANY) is TRUE just for values
 * whose keys lie in a range, one for each argument; *argument gets the
 * arguments' type.
 */
extern bool elac_attr_has_ranges(const ElacAttrType *type, const ElacPredicate *predicate, ElacAttrType *argument);
extern ElacAttrRange elac_attr_range(const ElacPredicate *predicate, const ElacAttrType *argument, Datum arg);

/* The same range of sort keys. */
extern ElacAttrRange elac_attr_sort_range(const ElacAttrType *type, ElacAttrRange range);

/*
 * Sets the bits of a group's documents whose code is in [first, end): 16
 * words, of which the caller masks those of NULLs and past the last document.
 */
extern void elac_attr_planes_select(const uint64 *planes, unsigned width, uint32 first, uint32 end, uint64 *words);

/* ---- equality without calls (attr_hash.c) ---- */

typedef enum ElacAttrSameness
{
	ELAC_ATTR_SAME_UNKNOWN,		/* the operator alone knows */
	ELAC_ATTR_SAME_KEYS,		/* equal when elac_attr_key() is */
	ELAC_ATTR_SAME_BYTES,		/* when the bytes are */
	ELAC_ATTR_SAME_HASH			/* equal values have equal elac_attr_hash() */
} ElacAttrSameness;

extern ElacAttrSameness elac_attr_sameness(const ElacAttrType *type);

/* Under this collation texts are equal when their bytes are. */
extern bool elac_attr_bytes_decide(Oid collation);

/* Is the predicate (an operator, or = ANY) the server's equality of the type? */
extern bool elac_attr_is_equality(const ElacAttrType *type, const ElacPredicate *predicate);

/* Of a value of the type, detoasted; only when its sameness is known.  The second is the first for an ordered type. */
extern uint64 elac_attr_hash(const ElacAttrType *type, Datum value);
extern uint64 elac_attr_hash_key(int64 key);

/* Bloom filters (attr_filter.c): of all types with a sameness, but for ordered ones of int8 alone. */
extern bool elac_attr_has_filter(const ElacAttrType *type);

/* May the section have a value of this hash? */
extern bool elac_attr_may_have(const ElacAttrReader *reader, uint64 hash);

/* Adds the value blocks that may have one; false when none may. */
extern bool elac_attr_candidate_blocks(const ElacAttrReader *reader, uint64 hash, ElacBitmap *blocks);

/* A value by its hash; NULL when it is not among the frequent ones. */
extern const ElacAttrFrequent *elac_attr_find_frequent(ElacAttrReader *reader, uint64 hash);

/* Raises when the document's value is not in the filters; blocks has room for all value blocks. */
extern void elac_attr_verify_filters(ElacAttrReader *reader, ElacDoc doc, Datum value, ElacBitmap *blocks);

/* ---- elements and lists (attr_element.c, attr_list.c) ---- */

typedef struct ElacAttrElements
{
	uint32		n;
	Datum	   *values;			/* not NULL; into the container, or palloc'd */
	bool		has_null;
} ElacAttrElements;

/* Type of a container's elements; false when there are no lists for it. */
extern bool elac_attr_element_type(Oid container, ElacAttrType *element);
extern void elac_attr_elements(Oid container, Datum value, ElacAttrElements *elements);

/* Of an array of any type. */
extern void elac_attr_array_elements(Datum value, const ElacAttrType *type, ElacAttrElements *elements);

/* NULL when the section has none. */
extern const ElacAttrList *elac_attr_lists(ElacAttrReader *reader);

/* The section of the lists' keys. */
extern ElacAttrReader *elac_attr_keys(ElacAttrReader *reader);

/* Lists [first, end) of keys that equal an element. */
extern void elac_attr_find_keys(ElacAttrReader *reader, Datum element, uint32 *first, uint32 *end);
extern void elac_attr_prefetch_list(ElacAttrReader *reader, uint32 number);

/* Adds a list's documents. */
extern void elac_attr_or_list(ElacAttrReader *reader, uint32 number, ElacBitmap *out);

/* ---- sorted values (attr_find.c): a dictionary, or keys of lists ---- */

/* First value whose sort key is at least key, or above it. */
extern uint32 elac_attr_bound_key(ElacAttrReader *reader, int64 key, bool above);

/* Values [first, end) that equal value, of the section's type, whose sameness is KEYS or BYTES. */
extern void elac_attr_find_equal(ElacAttrReader *reader, Datum value, uint32 *first, uint32 *end);

/* Values [first, end) that begin with these bytes. */
extern void elac_attr_find_prefix(ElacAttrReader *reader, const char *prefix, Size len, uint32 *first, uint32 *end);

/* ---- bins (attr_bin.c) ---- */

/* What is wrong with a section's bins, or NULL. */
extern const char *elac_attr_bins_fault(const ElacAttrHeader *header, const ElacAttrType *type, const ElacAttrBin *bins);
extern const ElacAttrBin *elac_attr_bins(ElacAttrReader *reader);
extern const ElacAttrFrequent *elac_attr_frequent(ElacAttrReader *reader);

/* The stored bytes of a bin, palloc'd, to be handed to the next two. */
extern uint8 *elac_attr_bin_bytes(ElacAttrReader *reader, uint32 number);
extern int64 elac_attr_bin_key(const ElacAttrType *type, const ElacAttrBin *bin, const uint8 *bytes, uint32 i);
extern uint64 elac_attr_bin_image(const ElacAttrType *type, const ElacAttrBin *bin, const uint8 *bytes, uint32 i);

/* How many documents of each group have a value in the bin, palloc'd. */
extern uint16 *elac_attr_bin_counts(ElacAttrReader *reader, uint32 number);
extern void elac_attr_prefetch_bin(ElacAttrReader *reader, uint32 number);

/* The image of a document that is not NULL; those of all documents (0 for NULL), palloc'd. */
extern uint64 elac_attr_binned_image(ElacAttrReader *reader, ElacDoc doc);
extern uint64 *elac_attr_binned_images(ElacAttrReader *reader);

/* ---- reading ---- */

/* Number of documents in a group. */
extern uint32 elac_attr_group_size(const ElacAttrReader *reader, uint32 group);

/* The NULL bitmap; words are all set when every document is NULL. */
extern const ElacBitmap *elac_attr_nulls(ElacAttrReader *reader);

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

/* A document's code; 0 for NULL. */
extern uint32 elac_attr_code(ElacAttrReader *reader, ElacDoc doc);

/* Number of a document's value: its code in a dictionary, else itself. */
extern uint32 elac_attr_index(ElacAttrReader *reader, ElacDoc doc);

/* The block that holds value number index. */
extern uint32 elac_attr_block_of(const ElacAttrReader *reader, uint32 index);

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
