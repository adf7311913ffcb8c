/*
 * text_format.h
 *	  Bytes of a text section.  text/README.md has the pictures.
 *
 * Head: frequent dictionary blocks among the directories of their posting
 * lists, then, after all terms, the two block indexes with their separators,
 * where the chunks of positions lie, norms, NULL bitmap, and the footer as the
 * last bytes.  Body: posting lists of frequent terms and blocks of the rare
 * dictionary, in the order of terms, and among them chunks of positions.  All
 * offsets count from the section's start in its blob; everything is
 * little-endian and unaligned.
 */
#ifndef ELAC_TEXT_FORMAT_H
#define ELAC_TEXT_FORMAT_H

#include "elacsym.h"

#define ELAC_TEXT_MAGIC 0x54584C45	/* "ELXT" */
#define ELAC_TEXT_LABELS_MAGIC 0x4C584C45	/* "ELXL" */
#define ELAC_TEXT_VERSION 4

/* Postings a block of a posting list holds; the last may have fewer. */
#define ELAC_TEXT_BLOCK_DOCS 128

/*
 * A term in at least so many documents is frequent: its entry is in the head,
 * its postings are a list of their own.  The others lie with their postings in
 * blocks of the rare dictionary.
 */
#define ELAC_TEXT_FREQUENT_DF 128

/*
 * A dictionary block is closed when it has reached its target size, or has so
 * many bytes of positions.  The largest entry (a term of 2047 bytes, 127
 * postings of at most 10 bytes, some numbers) and the offsets keep it below
 * ELAC_TEXT_BLOCK_MAX, positions not counted.
 */
#define ELAC_TEXT_FREQUENT_TARGET 1024
#define ELAC_TEXT_RARE_TARGET 4096
#define ELAC_TEXT_POSITIONS_TARGET 32768
#define ELAC_TEXT_BLOCK_MAX 16384

/* Every so many entries one is written in full, and its offset kept. */
#define ELAC_TEXT_RESTART 32

/*
 * A dictionary block: its entries, then, as uint16, the offsets of entries 32,
 * 64, ...: a lookup bisects these before it walks.  A rare block is compressed
 * where that saves an eighth; behind it lie the positions of its terms, raw.
 *
 * Entry of a dictionary block (numbers are LEB128):
 *	 shared		bytes shared with the block's previous term, 0 for entries 0, 32, ...
 *	 rest		bytes that follow, > 0; then these bytes
 *	 df			documents
 *	 frequent:	list		where its posting list begins in the body
 *				list_len
 *				[directory]	where its directory begins in the head
 *				directory_len
 *				in a section with positions: [positions], positions_len, within the stream of positions
 *	 rare:		bytes of postings; then per posting (gap << 1 | tf > 1), [tf]
 *				in a section with positions: [positions] where they begin behind the block,
 *				positions_len << 1 | counted
 * Entries 0, 32, ... say where things begin; in the others `list` counts from
 * the end of the list before, what is in brackets is left out, and things
 * begin where those of the entry before end.  A gap is the number of documents
 * between this one and the one before.
 *
 * Positions of a rare term: for each posting the first position - 1, then the
 * gaps - 1 between the others, LEB128.  There are min(tf, 255) of each
 * posting; when that is wrong for one of them (counted), the numbers of all
 * come first, a byte each.
 */

/* One block of a dictionary, in the block index. */
typedef struct ElacTextBlockRef
{
	uint64		offset;			/* in the head (frequent) or body (rare) */
	uint64		separator;		/* offset of the separator within the separators */
	uint32		stored_len;		/* bytes stored, positions not counted */
	uint32		positions_len;	/* bytes of positions behind them */
	uint16		separator_len;	/* last term of the block before < separator <= first term; 0 in the first block */
	uint16		raw_len;		/* bytes before zstd; equal to stored_len when stored raw */
	uint16		nterms;			/* > 0 */
	uint16		reserved;		/* 0 */
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
	uint64		norms;			/* offset of ndocs length codes, 0 = no term; absent when nscored = 0 */
	uint64		nulls;			/* offset of the NULL bitmap, 64-bit words; absent when nnull = 0 */
	uint64		body_len;
	ElacTextDictionaryRef frequent;
	ElacTextDictionaryRef rare;
	uint64		positions_len;	/* bytes in the stream of positions */
	uint64		chunks;			/* offset of the chunks' offsets in the body, a uint64 each */
	ElacTextTrailer trailer;
} ElacTextFooter;

StaticAssertDecl(sizeof(ElacTextFooter) == 160, "ElacTextFooter is stored");

/*
 * The last bytes of a labelled column's head: it is the sections of labels D,
 * C, B and A and of no label, one after the other in head and body.  Offsets count from the
 * column's start.
 */
typedef struct ElacTextLabelsFooter
{
	uint64		head_end[ELAC_LABELS];	/* the last is where this footer begins */
	uint64		body_end[ELAC_LABELS];
	ElacTextTrailer trailer;
} ElacTextLabelsFooter;

StaticAssertDecl(sizeof(ElacTextLabelsFooter) == 88, "ElacTextLabelsFooter is stored");

/*
 * Positions of frequent terms are one stream of bytes, cut into chunks of this
 * size (the last is shorter) that are written to the body as they fill up.
 */
#define ELAC_TEXT_POSITIONS_CHUNK ((uint64) 1024 * 1024)

/*
 * A posting list is blocks of ELAC_TEXT_BLOCK_DOCS postings, the last of which
 * may have fewer.  A block (frames are those of base/patched.h):
 *	 gaps		a frame; the first gap counts from the block before.  Or, when no longer,
 *				ELAC_TEXT_BITSET and a bit for each document after the block before up to the last
 *	 tfs		a frame of tf - 1
 *
 * Positions of a block:
 *	 kind		0: every posting has min(tf, 255); 1: a frame of the numbers follows
 *	 positions	frames of 256 (the last has fewer): of each posting the first position - 1,
 *				then the gaps - 1
 * No bytes at all: no positions are known.
 *
 * Peaks of a list of ELAC_TEXT_PEAKS_DF postings or more, behind its last
 * block: those of its postings that score most, a part in ELAC_TEXT_PEAKS_PART
 * of them or fewer, once more, 128 at a time: frames of their gaps, counted
 * from the 128 before, of tf - 1, and of their length codes.
 *
 * The directory of a list, in the head:
 *	 last documents		by group of 32 blocks a row of (last - last of the block before - 1)
 *	 impacts of the list
 *	 with more than one group, for each group:
 *		uint32 where its record begins, from the first record on
 *		uint64 where its first block begins, from the list's start
 *		uint64 the same of its positions, in a section with positions
 *	 records, for each group:
 *		a row of the blocks' lengths
 *		in a section with positions a row of the lengths of the blocks' positions
 *		impacts of the group, when there is more than one
 *		impacts of the blocks, when there is more than one
 *	 of a list with peaks: a record of them
 *
 * A record of peaks: their number, the bytes they take (LEB128), impacts of
 * all other postings, as pairs of a tf (LEB128) and a length code (a byte);
 * then a byte, the number of bytes before it.
 *
 * A row: the smallest of its numbers (LEB128), the width of their distances
 * from it (a byte, 0..32), these, packed (base/bitpack.h).
 *
 * Impacts: pairs with ascending tf and length code, a byte each: bit 7 says
 * that it is the last, bits 5 and 6 are the step of tf from the pair before
 * (from 0) or 0 when it follows as LEB128, bits 0 to 4 the step of the length
 * code from the pair before (from the smallest of the list, for the list's
 * own from 0) or 31 when it follows as a byte.
 */
#define ELAC_TEXT_BITSET 0x80

#define ELAC_TEXT_PEAKS_DF 4096
#define ELAC_TEXT_PEAKS_PART 16

#define ELAC_IMPACT_LAST 0x80
#define ELAC_IMPACT_TF_SHIFT 5
#define ELAC_IMPACT_TF_MASK 3
#define ELAC_IMPACT_LENGTH_MASK 31

#endif							/* ELAC_TEXT_FORMAT_H */
