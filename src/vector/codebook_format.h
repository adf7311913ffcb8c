/*
 * codebook_format.h
 *	  The stored form of a codebook: a blob of its own.
 *
 *	offset			content
 *	0				ElacCodebookHeader, 128 bytes
 *	128				signs of the rotation: 4 * padded / 8 bytes
 *	then			for each cut but the last: uint32 first_leaf[nlists + 1]
 *	then			for each cut: float centroid[nlists][dim], unrotated
 *	then			for each cut of 128 lists or more: its coded centroids, a block
 *					for each 32 consecutive lists
 *						padded/8 units of 32 bytes (layout: fastscan32 in base/kernels.h)
 *						float add[32], rescale[32], error[32] (rabitq.h): the
 *						centroid as a document of a list around the mean
 *						float norm[32]: the centroid's squared length
 *					(lanes past the last list are zero)
 *	then			uint32 CRC-32C of everything before it
 *
 * Little-endian, no padding between the parts.
 */
#ifndef ELAC_CODEBOOK_FORMAT_H
#define ELAC_CODEBOOK_FORMAT_H

#include "postgres.h"

#define ELAC_CODEBOOK_MAGIC 0x43424B31	/* "1KBC" */
#define ELAC_CODEBOOK_VERSION 1
#define ELAC_CODEBOOK_MAX_CUTS 16

typedef struct ElacCodebookHeader
{
	uint32		magic;
	uint16		version;
	uint16		dim;
	uint8		metric;			/* ElacMetric */
	uint8		ncuts;			/* 1..ELAC_CODEBOOK_MAX_CUTS */
	uint16		padded;			/* dim rounded up to a multiple of 16 */
	uint32		reserved;		/* 0 */
	uint64		seed;
	uint64		nrows;			/* rows it was trained for */
	uint32		nlists[ELAC_CODEBOOK_MAX_CUTS]; /* of each cut, ascending; 0 from ncuts on */
	uint8		reserved2[32];	/* 0 */
} ElacCodebookHeader;

StaticAssertDecl(sizeof(ElacCodebookHeader) == 128, "ElacCodebookHeader is stored");
StaticAssertDecl(offsetof(ElacCodebookHeader, seed) == 16, "ElacCodebookHeader is stored");
StaticAssertDecl(offsetof(ElacCodebookHeader, nlists) == 32, "ElacCodebookHeader is stored");

#endif							/* ELAC_CODEBOOK_FORMAT_H */
