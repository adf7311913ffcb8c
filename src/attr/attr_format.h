/*
 * attr_format.h
 *	  The stored form of an attribute section.  Included by this folder alone.
 *
 * Head part of the section, each piece starting at a multiple of 8 bytes:
 *
 *   size          what
 *   152           ElacAttrHeader
 *   32 nblocks    ElacAttrBlock: where each value block lies
 *   40 nbins      ElacAttrBin: quantiles of an ordered type
 *   16 nfrequent  ElacAttrFrequent: values that many documents have, ascending by hash
 *   filter_len    Bloom filter of all values
 *   rows_len      Bloom filters of the value blocks, by rows
 *   16 nlists     ElacAttrList: where each list lies, and how long it is
 *   keys_head_len head of the section that holds the lists' keys
 *   keys_body_len its body
 *
 * Body part of the section, each piece starting at a multiple of 8 bytes:
 *
 *   NULL bitmap   8 bytes per 64 documents; only when some but not all are NULL
 *   values        by value: nvalues * typlen bytes, or bins; else value blocks
 *   codes         dictionary and bins: per 1024 documents `width` bit planes,
 *                 lowest bit first, each 8 bytes per 64 documents
 *   counts        bins: for each bin a uint16 per 1024 documents, how many of
 *                 them have a value in it
 *   lists         documents of each key
 *
 * With a dictionary, values are the distinct ones, ascending by their type's
 * order where this is known here (elac_attr_is_ordered()) and by their bytes
 * otherwise, and codes say which one a document has (0 for NULL).
 *
 * Without one, value i is document i's (zero bytes, or an empty slot, for
 * NULL), except where the type's order is known: these values lie in bins.
 * Bin b holds all values from bins[b].low to bins[b].high in the order of
 * their documents, at bins[b].offset; the code is the bin's number.  In a bin
 * a value takes `width` bytes, little-endian: its sort key less bins[b].low,
 * or its image when `raw` (0 and -0, a NaN that is not the usual one).
 *
 * A value block, decompressed: for variable-length types nvalues + 1 uint32
 * offsets from the block's start, then the values at those offsets, each with
 * a four-byte header and at its type's alignment; for fixed-length types
 * passed by reference nvalues values at a stride of typlen rounded up to the
 * type's alignment.  A block is closed at 1024 values or 1 MB.
 *
 * Bloom filters hold 64-bit hashes (attr_hash.c) of values that are not NULL.
 * The first has 8 * filter_len bits.  The second has ELAC_ATTR_ROWS rows of
 * ceil(nblocks / 8) bytes: bit b of row r is bit r of block b's filter.
 *
 * Lists say which documents' arrays have an element (or objects a key): list
 * i < nlists - 2 that of key i, ascending as a dictionary is; list nlists - 2
 * documents with a NULL element, the last one those without any element.  A
 * list is a bitmap (8 bytes per 64 documents) when that is no longer than the
 * gaps between its documents (each less 1, the first counted from -1) as
 * varints, which it is otherwise.
 */
#ifndef ELAC_ATTR_FORMAT_H
#define ELAC_ATTR_FORMAT_H

#include "elacsym.h"

#define ELAC_ATTR_MAGIC 0x52545445	/* "ETTR" */
#define ELAC_ATTR_VERSION 2		/* 1 was never released */
#define ELAC_ATTR_GROUP 1024	/* documents per run of codes */
#define ELAC_ATTR_BLOCK_VALUES 1024
#define ELAC_ATTR_BLOCK_BYTES (1024 * 1024)
#define ELAC_ATTR_MAX_DISTINCT 65535
#define ELAC_ATTR_MAX_WIDTH 16	/* bits of a code */
#define ELAC_ATTR_MAX_BINS 64
#define ELAC_ATTR_MAX_FREQUENT 64
#define ELAC_ATTR_ROWS 8192		/* bits of a block's filter: 8 a value */
#define ELAC_ATTR_ROW_PROBES 6
#define ELAC_ATTR_FILTER_BITS 6 /* of the whole section's filter, a value */
#define ELAC_ATTR_FILTER_PROBES 4

typedef enum ElacAttrEncoding
{
	ELAC_ATTR_PLAIN = 1,
	ELAC_ATTR_DICTIONARY = 2,
	ELAC_ATTR_BINNED = 3
} ElacAttrEncoding;

typedef struct ElacAttrHeader
{
	uint32		magic;
	uint16		version;
	uint8		encoding;		/* ElacAttrEncoding */
	uint8		width;			/* bits of a code; 0 when plain */
	int16		typlen;			/* of the type when written: checked, not trusted */
	uint8		typbyval;
	char		typalign;
	uint32		ndocs;
	uint32		nnull;
	uint32		nvalues;		/* distinct values, or ndocs without a dictionary */
	uint32		nblocks;		/* value blocks; 0 for types passed by value */
	uint32		nbins;			/* 0 unless the type's order is known */
	uint64		values_offset;	/* in the body part */
	uint64		values_len;
	uint64		codes_offset;
	uint64		codes_len;
	uint64		counts_offset;
	uint64		counts_len;
	uint64		lists_offset;
	uint64		lists_len;
	uint32		nfrequent;
	uint32		filter_len;		/* bytes, a multiple of 8; 0: none */
	uint32		nlists;			/* 0, or at least 2 */
	uint32		keys_head_len;
	uint64		rows_len;		/* bytes, a multiple of 8; 0: none */
	uint64		keys_body_len;
	uint32		directory_crc;	/* CRC-32C of all ElacAttrBlock */
	uint32		statistics_crc; /* CRC-32C of all ElacAttrBin and ElacAttrFrequent */
	uint32		lists_crc;		/* CRC-32C of all ElacAttrList */
	uint32		filters_crc;	/* CRC-32C of the Bloom filters: only a deep check reads them all */
	uint32		reserved;		/* 0 */
	uint32		crc;			/* CRC-32C of the 148 bytes before */
} ElacAttrHeader;

StaticAssertDecl(sizeof(ElacAttrHeader) == 152, "ElacAttrHeader is stored");
StaticAssertDecl(offsetof(ElacAttrHeader, values_offset) == 32, "ElacAttrHeader is stored");
StaticAssertDecl(offsetof(ElacAttrHeader, nfrequent) == 96, "ElacAttrHeader is stored");
StaticAssertDecl(offsetof(ElacAttrHeader, crc) == 148, "ElacAttrHeader is stored");

typedef enum ElacAttrCompression
{
	ELAC_ATTR_RAW = 0,
	ELAC_ATTR_ZSTD = 1
} ElacAttrCompression;

typedef struct ElacAttrBlock
{
	uint64		offset;			/* from values_offset */
	uint32		stored_len;
	uint32		raw_len;
	uint32		first;			/* number of its first value */
	uint32		nvalues;		/* > 0 */
	uint32		crc;			/* CRC-32C of the stored bytes */
	uint32		compression;	/* ElacAttrCompression */
} ElacAttrBlock;

StaticAssertDecl(sizeof(ElacAttrBlock) == 32, "ElacAttrBlock is stored");

/*
 * Documents whose values are close to each other in the type's order.  Bins
 * ascend and do not touch: a value is in one bin alone.
 */
typedef struct ElacAttrBin
{
	int64		low;			/* smallest and largest sort key (elac_attr_sort_key()) */
	int64		high;
	uint64		offset;			/* bins: from values_offset; dictionary: first code */
	uint32		count;			/* documents, > 0 */
	uint32		distinct;		/* dictionary: values; else 0, for nobody counted */
	uint8		width;			/* bytes of a value in the bin; 0 with a dictionary */
	uint8		raw;			/* images instead of differences */
	uint8		reserved[6];	/* 0 */
} ElacAttrBin;

StaticAssertDecl(sizeof(ElacAttrBin) == 40, "ElacAttrBin is stored");

/* A value by its hash. */
typedef struct ElacAttrFrequent
{
	uint64		hash;
	uint32		count;			/* documents */
	uint32		reserved;		/* 0 */
} ElacAttrFrequent;

StaticAssertDecl(sizeof(ElacAttrFrequent) == 16, "ElacAttrFrequent is stored");

typedef struct ElacAttrList
{
	uint64		offset;			/* from lists_offset; its end is the next one's, or lists_len */
	uint32		count;			/* documents */
	uint32		dense;			/* a bitmap */
} ElacAttrList;

StaticAssertDecl(sizeof(ElacAttrList) == 16, "ElacAttrList is stored");

#endif							/* ELAC_ATTR_FORMAT_H */
