/*
 * segment_format.h
 *	  The stored form of a segment around its sections, and of its live pages.
 *	  Included by this folder alone.
 *
 * Head blob:
 *
 *   docmap       6 bytes per document: uint32 block, uint16 offset number
 *   sections     head parts, in the order of the index's columns
 *   directory    ElacDirectoryHeader, then one ElacDirectoryEntry per section
 *   footer       ElacDirectoryFooter: the blob's last 24 bytes
 *
 * Body blob: the sections' body parts in the same order.
 *
 * Every part starts at a multiple of 64 bytes (a page's payload is 127 * 64);
 * what lies between parts is zero.
 *
 * LIVE page payload: uint32 next block (InvalidBlockNumber in the last), uint32
 * number of dead documents of the whole segment (first page; 0 in the others),
 * then 64,960 bits, 1 = live; bits past the last document are 0.
 */
#ifndef ELAC_SEGMENT_FORMAT_H
#define ELAC_SEGMENT_FORMAT_H

#include "elacsym.h"

#include "storage/page.h"

#define ELAC_DIRECTORY_MAGIC 0x47455345	/* "ESEG" */
#define ELAC_DIRECTORY_VERSION 1
#define ELAC_FOOTER_MAGIC 0x544F4F46	/* "FOOT" */
#define ELAC_PART_ALIGNMENT 64
#define ELAC_DOCMAP_COLUMN (-1)
#define ELAC_DOCMAP_ENTRY 6

typedef struct ElacDirectoryHeader
{
	uint32		magic;
	uint32		version;
	uint32		ndocs;
	uint32		nsections;		/* 1 (docmap) + index columns */
	uint64		segment;		/* id of the segment */
	uint64		body_nbytes;	/* of the body blob */
} ElacDirectoryHeader;

StaticAssertDecl(sizeof(ElacDirectoryHeader) == 32, "ElacDirectoryHeader is stored");

typedef struct ElacDirectoryEntry
{
	int32		column;			/* position in the schema; ELAC_DOCMAP_COLUMN */
	uint32		kind;			/* ElacColumnKind; 0 for the docmap */
	uint64		head_offset;
	uint64		head_len;
	uint64		body_offset;
	uint64		body_len;
} ElacDirectoryEntry;

StaticAssertDecl(sizeof(ElacDirectoryEntry) == 40, "ElacDirectoryEntry is stored");

typedef struct ElacDirectoryFooter
{
	uint64		offset;			/* of the directory, in the head */
	uint32		len;			/* of the directory */
	uint32		crc;			/* CRC-32C of the directory */
	uint32		magic;
	uint32		reserved;		/* 0 */
} ElacDirectoryFooter;

StaticAssertDecl(sizeof(ElacDirectoryFooter) == 24, "ElacDirectoryFooter is stored");

typedef struct ElacLiveHeader
{
	BlockNumber next;
	uint32		ndead;
} ElacLiveHeader;

StaticAssertDecl(sizeof(ElacLiveHeader) == 8, "ElacLiveHeader is stored");

#define ELAC_LIVE_WORDS ((ELAC_PAGE_DATA - sizeof(ElacLiveHeader)) / sizeof(uint64))
#define ELAC_LIVE_BITS ((uint32) (ELAC_LIVE_WORDS * 64))

StaticAssertDecl(ELAC_LIVE_WORDS == 1015, "ELAC_LIVE_BITS is stored");

#endif							/* ELAC_SEGMENT_FORMAT_H */
