/*
 * vector_format.h
 *	  The stored form of a vector section.
 *
 * Head:
 *	offset			content
 *	0				ElacVectorHeader, 64 bytes
 *	64				uint32 list_first[nlists + 1]: first document of each list
 *					of the cut; the last is nfinite
 *	then			when the cut is not the finest: uint32 run_leaf[nruns],
 *					uint32 run_first[nruns]: the leaves that have documents,
 *					ascending, with the first document of each
 *
 * Body (only when nfinite > 0), P = padded dimensions, ex = bits - 1:
 *	zero bytes up to the next multiple of 32 of the blob, then
 *	codes: a block for each 32 consecutive documents, whatever their lists
 *		P/8 units of 32 bytes (layout: fastscan32 in base/kernels.h)
 *		float add[32], rescale[32], error[32]
 *		(lanes past the last document are zero)
 *	when ex > 0: zero bytes up to the next logical page of the blob, then
 *	refinement: a record for each document; a record never straddles logical
 *	pages, what is left of a page is zero
 *		float add, rescale, error
 *		ex code: P values of ex bits (base/bitpack.h), zero bytes up to a
 *		multiple of 4
 *
 * Factors as in rabitq.h.  Little-endian.
 */
#ifndef ELAC_VECTOR_FORMAT_H
#define ELAC_VECTOR_FORMAT_H

#include "postgres.h"

#include "storage/page.h"

#define ELAC_VECTOR_MAGIC 0x56454331	/* "1CEV" */
#define ELAC_VECTOR_VERSION 1

#define ELAC_VECTOR_LANES 32	/* documents in a block */
#define ELAC_VECTOR_UNIT 32		/* bytes */
#define ELAC_VECTOR_FACTOR_BYTES 12 /* add, rescale, error */

typedef struct ElacVectorHeader
{
	uint32		magic;
	uint16		version;
	uint8		bits;			/* 1..8 */
	uint8		cut;
	uint32		codebook_crc;	/* of the codebook the codes were made with */
	uint16		dim;
	uint16		padded;
	uint32		ndocs;
	uint32		nfinite;
	uint32		nnan;			/* the rest is NULL */
	uint32		nlists;
	uint32		nleaves;		/* of the codebook */
	uint32		nruns;			/* 0 in the finest cut */
	uint8		reserved[24];	/* 0 */
} ElacVectorHeader;

StaticAssertDecl(sizeof(ElacVectorHeader) == 64, "ElacVectorHeader is stored");
StaticAssertDecl(offsetof(ElacVectorHeader, ndocs) == 16, "ElacVectorHeader is stored");
StaticAssertDecl(ELAC_PAGE_DATA % ELAC_VECTOR_UNIT == 0, "units do not straddle logical pages");

/* Where everything lies in the body, from the header's numbers. */
typedef struct ElacVectorLayout
{
	int			padded;
	int			ex_bits;
	uint32		nfinite;
	uint32		nblocks;
	uint32		block_bytes;
	uint32		code_bytes;		/* of a block without its factors */
	uint32		record_bytes;	/* of a refinement record */
	uint32		records_per_page;
	uint64		codes;			/* offset of the first block in the blob */
	uint64		refinement;		/* offset of the first record in the blob */
	uint64		end;			/* offset of the first byte after the section */
} ElacVectorLayout;

/* start: offset in the blob at which the section's body starts. */
extern void elac_vector_layout(ElacVectorLayout *layout, int padded, int bits, uint32 nfinite, uint64 start);

/* Byte of a 32-byte unit's half in which a lane's nibble lies, and its shift. */
static inline int
elac_vector_lane_byte(int lane)
{
	int			low = lane & 15;

	return low < 8 ? 2 * low : 2 * (low - 8) + 1;
}

static inline int
elac_vector_lane_shift(int lane)
{
	return lane < 16 ? 0 : 4;
}

static inline uint64
elac_vector_block_offset(const ElacVectorLayout *layout, uint32 block)
{
	return layout->codes + (uint64) block * layout->block_bytes;
}

static inline uint64
elac_vector_record_offset(const ElacVectorLayout *layout, uint32 doc)
{
	return layout->refinement + (uint64) (doc / layout->records_per_page) * ELAC_PAGE_DATA +
		(uint64) (doc % layout->records_per_page) * layout->record_bytes;
}

#endif							/* ELAC_VECTOR_FORMAT_H */
