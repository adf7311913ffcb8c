/*
 * attr_format.h
 *	  The stored form of an attribute section.  Included by this folder alone.
 *
 * Head part of the section:
 *
 * offset  size         what
 *      0    80         ElacAttrHeader
 *     80    32 nblocks ElacAttrBlock: where each value block lies
 *      .    24 nzones  ElacAttrZone: smallest and largest value of 1024 documents
 *
 * Body part of the section, each piece starting at a multiple of 8 bytes:
 *
 *   NULL bitmap   8 bytes per 64 documents; only when some but not all are NULL
 *   values        by value: nvalues * typlen bytes; else value blocks
 *   codes         dictionary only: per 1024 documents `width` bit planes,
 *                 lowest bit first, each 8 bytes per 64 documents
 *
 * With a dictionary, values are the distinct ones, ascending by their type's
 * order where the type has zones and by their bytes otherwise, and codes say
 * which one a document has (0 for NULL).  Without one, value i
 * is document i's (zero bytes, or an empty slot, for NULL).
 *
 * A value block, decompressed: for variable-length types nvalues + 1 uint32
 * offsets from the block's start, then the values at those offsets, each with
 * a four-byte header and at its type's alignment; for fixed-length types
 * passed by reference nvalues values at a stride of typlen rounded up to the
 * type's alignment.  A block is closed at 1024 values or 1 MB.
 */
#ifndef ELAC_ATTR_FORMAT_H
#define ELAC_ATTR_FORMAT_H

#include "elacsym.h"

#define ELAC_ATTR_MAGIC 0x52545445	/* "ETTR" */
#define ELAC_ATTR_VERSION 1
#define ELAC_ATTR_GROUP 1024	/* documents per zone and per run of codes */
#define ELAC_ATTR_BLOCK_VALUES 1024
#define ELAC_ATTR_BLOCK_BYTES (1024 * 1024)
#define ELAC_ATTR_MAX_DISTINCT 65535
#define ELAC_ATTR_MAX_WIDTH 16	/* bits of a code */

typedef enum ElacAttrEncoding
{
	ELAC_ATTR_PLAIN = 1,
	ELAC_ATTR_DICTIONARY = 2
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
	uint32		nvalues;		/* distinct values, or ndocs when plain */
	uint32		nblocks;		/* value blocks; 0 for types passed by value */
	uint32		nzones;			/* 0, or one per 1024 documents */
	uint64		values_offset;	/* in the body part */
	uint64		values_len;
	uint64		codes_offset;
	uint64		codes_len;
	uint32		directory_crc;	/* CRC-32C of all ElacAttrBlock */
	uint32		zones_crc;		/* CRC-32C of all ElacAttrZone */
	uint32		crc;			/* CRC-32C of the 72 bytes before */
	uint32		reserved;		/* 0 */
} ElacAttrHeader;

StaticAssertDecl(sizeof(ElacAttrHeader) == 80, "ElacAttrHeader is stored");
StaticAssertDecl(offsetof(ElacAttrHeader, values_offset) == 32, "ElacAttrHeader is stored");
StaticAssertDecl(offsetof(ElacAttrHeader, crc) == 72, "ElacAttrHeader is stored");

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
 * Extremes by the type's own order, NULLs left out; both 0 when all are NULL.
 * The value's typlen bytes are the low ones, the rest is 0.
 */
typedef struct ElacAttrZone
{
	uint64		min;
	uint64		max;
	uint32		nnull;
	uint32		reserved;		/* 0 */
} ElacAttrZone;

StaticAssertDecl(sizeof(ElacAttrZone) == 24, "ElacAttrZone is stored");

#endif							/* ELAC_ATTR_FORMAT_H */
