/*
 * text_run.h
 *	  Runs: the postings that a text writer has collected, by term, in memory
 *	  or in a temporary file.  Private to text_writer.c, which makes them, and
 *	  text_run.c, which writes sections out of them.
 */
#ifndef ELAC_TEXT_RUN_H
#define ELAC_TEXT_RUN_H

#include "text/text_private.h"

/*
 * A posting in a run.  All numbers are LEB128:
 *	 gap << 1 | (tf > 1)		rows between this one and the term's row before
 *	 [tf]						when the bit says so
 * in a run with positions the first is gap << 2 | (npositions != tf) << 1 |
 * (tf > 1), and there follow
 *	 [npositions]				when the bit says so
 *	 npositions steps			from the position before, the first from 0
 */
#define ELAC_TEXT_POSTING_MAX 1024	/* bytes: three numbers and 255 steps of at most 3 */

/* A piece of a term's postings; postings do not straddle pieces. */
typedef struct ElacTextChunk
{
	struct ElacTextChunk *next;
	uint32		used;			/* of the last chunk: see the term's tail */
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} ElacTextChunk;

#define ELAC_TEXT_INLINE 24		/* bytes of a term that lie beside its numbers */

/* A term being collected: one cache line. */
typedef struct ElacTextTerm
{
	union
	{
		char		inlined[ELAC_TEXT_INLINE];	/* a term that fits */
		const char *bytes;		/* another */
	}			u;
	uint32		len;
	uint32		df;
	uint32		next_seq;		/* last row that has the term, plus one */
	uint32		tail_left;		/* bytes free behind tail */
	uint8	   *tail;			/* where the last chunk goes on */
	ElacTextChunk *first;
	ElacTextChunk *last;
} ElacTextTerm;

StaticAssertDecl(sizeof(ElacTextTerm) <= 64, "a term has its cache line");

static inline const char *
elac_text_term_bytes(const ElacTextTerm *term)
{
	return term->len <= ELAC_TEXT_INLINE ? term->u.inlined : term->u.bytes;
}

/* For sorting and merging: most comparisons are decided by the first eight bytes. */
static inline uint64
elac_text_term_prefix(const char *bytes, uint32 len)
{
	uint64		prefix = 0;

	for (uint32 i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < len ? (uint8) bytes[i] : 0);
	return prefix;
}

typedef struct ElacTextKey
{
	uint64		prefix;
	const ElacTextTerm *term;
} ElacTextKey;

typedef struct ElacTextSlot
{
	uint32		hash;
	uint32		number;			/* of the term, plus one; 0 = free */
} ElacTextSlot;

/* The terms of one label. */
typedef struct ElacTextTable
{
	ElacTextSlot *slots;		/* open addressing */
	uint64		nslots;			/* a power of two */
	uint64		nterms;
	ElacTextTerm **blocks;		/* terms by number, some hundred to a block */
	uint64		blocks_room;
	uint8	   *norms;			/* length codes by row */
} ElacTextTable;

struct ElacTextWriter
{
	MemoryContext context;		/* all of it */
	MemoryContext run_context;	/* what is given back when a run has moved to a file */
	Size		memory;			/* bytes taken from both */
	Size		run_memory;		/* of these from run_context */
	uint8	   *arena;			/* rest of the newest block */
	Size		arena_left;
	int			nlabels;		/* 1 or ELAC_LABELS */
	bool		positions;
	ElacTextTable tables[ELAC_LABELS];
	uint64	   *nulls;			/* bits by row */
	uint64		rows_room;		/* multiple of 64 */
	uint32		nrows;
};

/* All terms of a label in order, palloc'd in the current context. */
extern ElacTextKey *elac_text_writer_sort(ElacTextWriter *writer, int label);

#endif							/* ELAC_TEXT_RUN_H */
