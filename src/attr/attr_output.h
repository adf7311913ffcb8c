/*
 * attr_output.h
 *	  What the files that write a section share: the collected column, and
 *	  what is known once all rows are in.  Included by this folder alone.
 */
#ifndef ELAC_ATTR_OUTPUT_H
#define ELAC_ATTR_OUTPUT_H

#include "attr/attr_internal.h"

#define ATTR_NULL_ID UINT32_MAX

struct ElacAttrWriter
{
	MemoryContext context;
	ElacAttrType type;
	Size		memory;
	bool		keys;			/* keys of lists: distinct, without codes, statistics and filters */
	/* rows: number of the value of each, ATTR_NULL_ID for NULL */
	uint32		nrows;
	uint32		nnull;
	Size		rows_allocated;
	uint32	   *rows;
	/* values: image when by value, else a pointer to normalised bytes */
	uint32		nvalues;
	Size		values_allocated;
	uint64	   *values;
	/* hash table of value number + 1; NULL once there are too many values */
	uint32	   *slots;
	uint32		nslots;			/* power of two */
	/* bump allocator of the values' bytes */
	char	   *arena;
	Size		arena_left;
};

/* What is known once all rows are in, in document order. */
typedef struct AttrOutput
{
	ElacAttrWriter *writer;
	ElacSectionWriter *out;
	ElacAttrHeader header;
	uint64		body_start;
	uint32	   *ids;			/* value number of each document, ATTR_NULL_ID for NULL */
	uint32	   *order;			/* dictionary: value numbers ascending */
	ElacAttrBlock *directory;
	Size		directory_allocated;
	uint64	   *hashes;			/* of all values by number, NULL until needed */
	/* of the head, in the writer's context */
	ElacAttrBin *bins;
	ElacAttrFrequent *frequent;
	uint8	   *filter;
	uint8	   *rows;
	ElacAttrList *lists;
	ElacBlobWriter *keys[2];	/* head and body of the keys' section */
} AttrOutput;

/* A writer for keys of lists: each value is entered once, whatever their number. */
extern ElacAttrWriter *elac_attr_keys_begin(const ElacAttrType *type);

/* Value numbers of a writer, ascending; in its context. */
extern uint32 *elac_attr_writer_order(ElacAttrWriter *writer);

/* Number of a value as a datum. */
extern Datum elac_attr_writer_value(const ElacAttrWriter *writer, uint32 id);

/* Bytes so far of this section's body. */
extern uint64 elac_attr_output_tell(const AttrOutput *output);

/* Zero bytes up to a multiple of 8. */
extern void elac_attr_output_pad(AttrOutput *output);

/* Doubles an array of elements until it has room for one more. */
extern void *elac_attr_writer_grow(ElacAttrWriter *writer, void *array, Size *allocated, Size element);

/* Bins (attr_bin_write.c): values, codes and counts of the section, and output->bins. */
extern void elac_attr_write_bins(AttrOutput *output);

/* Bins of a dictionary, for estimates alone. */
extern void elac_attr_summarise(AttrOutput *output);

/* Codes of documents as bit planes; code_of_doc() for document numbers in ascending order. */
typedef uint32 (*AttrCodeOf) (AttrOutput *output, uint32 doc, const void *arg);

extern void elac_attr_write_planes(AttrOutput *output, AttrCodeOf code_of, const void *arg);

/* Filters and frequent values (attr_filter_write.c): output->filter, rows, frequent. */
extern void elac_attr_make_filters(AttrOutput *output);
extern void elac_attr_make_frequent(AttrOutput *output);

/* Lists (attr_list_write.c): the body's last piece; output->lists and keys. */
extern void elac_attr_write_lists(AttrOutput *output);

#endif							/* ELAC_ATTR_OUTPUT_H */
