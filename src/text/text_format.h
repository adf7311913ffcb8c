/*
 * text_format.h
 *	  Bytes of a text section.  text/README.md has the pictures.
 *
 * Head: frequent dictionary blocks, then, after all terms, the two block
 * indexes with their separators, norms, NULL bitmap, and the footer as the last
 * bytes.  Body: posting lists of frequent terms and blocks of the rare
 * dictionary, in the order of terms.  All offsets count from the section's
 * start in its blob; everything is little-endian and unaligned.
 */
#ifndef ELAC_TEXT_FORMAT_H
#define ELAC_TEXT_FORMAT_H

#include "elacsym.h"

#define ELAC_TEXT_MAGIC 0x54584C45	/* "ELXT" */
#define ELAC_TEXT_LABELS_MAGIC 0x4C584C45	/* "ELXL" */
#define ELAC_TEXT_VERSION 1

/* Postings a block of a posting list holds; the last may have fewer. */
#define ELAC_TEXT_BLOCK_DOCS 128

/*
 * A term in at least so many documents is frequent: its entry is in the head,
 * its postings are a list of their own.  The others lie with their postings in
 * blocks of the rare dictionary.
 */
#define ELAC_TEXT_FREQUENT_DF 128

/*
 * A dictionary block is closed when it has reached its target size.  The
 * largest entry (a term of 2047 bytes, 127 postings of at most 10 bytes, some
 * numbers) and the offsets keep it below ELAC_TEXT_BLOCK_MAX.
 */
#define ELAC_TEXT_FREQUENT_TARGET 1024
#define ELAC_TEXT_RARE_TARGET 8192
#define ELAC_TEXT_BLOCK_MAX 16384

/* Every so many entries one is written in full, and its offset kept. */
#define ELAC_TEXT_RESTART 32

/*
 * A dictionary block: its entries, then, as uint16, the offsets of entries 32,
 * 64, ...: a lookup bisects these before it walks.
 *
 * Entry of a dictionary block (numbers are LEB128):
 *	 shared		bytes shared with the block's previous term, 0 for entries 0, 32, ...
 *	 rest		bytes that follow, > 0; then these bytes
 *	 df			documents
 *	 frequent: offset in the body, length, largest tf, smallest length code
 *	 rare: bytes of postings; then per posting (gap << 1 | tf > 1), [tf]
 * A gap is the number of documents between this one and the one before.
 */

/* One block of a dictionary, in the block index. */
typedef struct ElacTextBlockRef
{
	uint64		offset;			/* in the head (frequent) or body (rare) */
	uint64		separator;		/* offset of the separator within the separators */
	uint32		separator_len;	/* last term of the block before < separator <= first term; 0 in the first block */
	uint32		stored_len;		/* bytes stored */
	uint32		raw_len;		/* bytes before zstd; equal to stored_len when stored raw */
	uint32		nterms;			/* > 0 */
} ElacTextBlockRef;

StaticAssertDecl(sizeof(ElacTextBlockRef) == 32, "ElacTextBlockRef is stored");

/* A dictionary: where its block index and separators lie in the head. */
typedef struct ElacTextDictionaryRef
{
	uint64		nterms;
	uint64		nblocks;
	uint64		index;			/* offset of nblocks ElacTextBlockRef */
	uint64		separators;		/* offset of the separators */
	uint64		separators_len;
} ElacTextDictionaryRef;

StaticAssertDecl(sizeof(ElacTextDictionaryRef) == 40, "ElacTextDictionaryRef is stored");

/* The last bytes of a head tell what lies before them. */
typedef struct ElacTextTrailer
{
	uint16		version;		/* ELAC_TEXT_VERSION */
	uint16		flags;			/* ELAC_TEXT_HAS_POSITIONS or 0 */
	uint32		magic;			/* ELAC_TEXT_MAGIC or ELAC_TEXT_LABELS_MAGIC */
} ElacTextTrailer;

StaticAssertDecl(sizeof(ElacTextTrailer) == 8, "ElacTextTrailer is stored");

#define ELAC_TEXT_HAS_POSITIONS 1

/* What the section's head ends with. */
typedef struct ElacTextFooter
{
	uint32		ndocs;
	uint32		nnull;			/* documents that are NULL */
	uint64		nscored;		/* documents with at least one term */
	uint64		total_length;	/* sum of tf over all postings */
	uint64		npostings;
	uint64		norms;			/* offset of ndocs length codes, 0 = no term */
	uint64		nulls;			/* offset of the NULL bitmap, 64-bit words; absent when nnull = 0 */
	uint64		body_len;
	ElacTextDictionaryRef frequent;
	ElacTextDictionaryRef rare;
	ElacTextTrailer trailer;
} ElacTextFooter;

StaticAssertDecl(sizeof(ElacTextFooter) == 144, "ElacTextFooter is stored");

/*
 * The last bytes of a labelled column's head: it is the sections of labels D,
 * C, B and A, one after the other in head and body.  Offsets count from the
 * column's start.
 */
typedef struct ElacTextLabelsFooter
{
	uint64		head_end[ELAC_LABELS];	/* the last is where this footer begins */
	uint64		body_end[ELAC_LABELS];
	ElacTextTrailer trailer;
} ElacTextLabelsFooter;

StaticAssertDecl(sizeof(ElacTextLabelsFooter) == 72, "ElacTextLabelsFooter is stored");

/*
 * A posting list: one ElacTextPostingBlock per ELAC_TEXT_BLOCK_DOCS postings,
 * then the blocks' data in the same order: gaps at gap_width bits, then tf - 1
 * at tf_width bits, both as base/bitpack.h packs them.
 */
typedef struct ElacTextPostingBlock
{
	uint32		last_doc;
	uint32		max_tf;
	uint8		min_length;		/* smallest length code */
	uint8		gap_width;		/* 0..32 */
	uint8		tf_width;		/* 0..32 */
	uint8		reserved;		/* 0 */
} ElacTextPostingBlock;

StaticAssertDecl(sizeof(ElacTextPostingBlock) == 12, "ElacTextPostingBlock is stored");

#endif							/* ELAC_TEXT_FORMAT_H */
