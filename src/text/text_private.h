/*
 * text_private.h
 *	  What the files of text/ share with each other and with nobody else.
 */
#ifndef ELAC_TEXT_PRIVATE_H
#define ELAC_TEXT_PRIVATE_H

#include "elacsym.h"

#include "compat.h"
#include "text/text_format.h"
#include "text/text_section.h"

/* A document, how often it has the term, and where. */
typedef struct ElacPosting
{
	ElacDoc		doc;
	uint32		tf;
	uint64		where;			/* elac_posting_where(); 0: its positions are not known */
} ElacPosting;

/*
 * Positions of all postings of a term lie in one array of uint16, in any
 * order: a posting has n of them (at most ELAC_POSITIONS_MAX) from start on.
 */
static inline uint64
elac_posting_where(uint64 start, uint32 n)
{
	return n == 0 ? 0 : start << 8 | n;
}

static inline uint64
elac_posting_start(const ElacPosting *posting)
{
	return posting->where >> 8;
}

static inline uint32
elac_posting_npositions(const ElacPosting *posting)
{
	return (uint32) (posting->where & 0xFF);
}

/* ---- text_emit.c: writes a section from terms in order ---- */

typedef struct ElacTextEmitter ElacTextEmitter;

/*
 * norms (ndocs length codes) and nulls (may be NULL: none) belong to the
 * caller, who may fill them until elac_text_emit_finish(), except that the
 * norms of a term's documents must be right when the term is emitted.
 * positions: the section has positions.
 */
extern ElacTextEmitter *elac_text_emit_begin(ElacSectionWriter *out, uint32 ndocs, const uint8 *norms,
											 const ElacBitmap *nulls, bool positions);

/*
 * Terms ascending and distinct; postings (> 0 of them) ascending by doc.
 * positions: the array that the postings' `where` points into; not looked at,
 * and may be NULL, in a section without positions.
 */
extern void elac_text_emit_term(ElacTextEmitter *emitter, const char *bytes, uint32 len,
								const ElacPosting *postings, uint32 df, const uint16 *positions);
extern void elac_text_emit_finish(ElacTextEmitter *emitter);

/*
 * A labelled column (a tsvector) is five sections one after the other, label D
 * first, and a trailer.  Between begin and finish: for each label
 * elac_text_emit_begin() .. elac_text_emit_finish(), then elac_text_labels_next().
 * NULLs are given to label D's section and to no other.
 */
typedef struct ElacTextLabelWriter
{
	ElacSectionWriter *out;
	uint64		head_start;
	uint64		body_start;
	int			nlabels;		/* labels written */
	uint64		head_end[ELAC_LABELS];	/* from the column's start */
	uint64		body_end[ELAC_LABELS];
} ElacTextLabelWriter;

extern void elac_text_labels_begin(ElacTextLabelWriter *labels, ElacSectionWriter *out);
extern void elac_text_labels_next(ElacTextLabelWriter *labels);
extern void elac_text_labels_finish(ElacTextLabelWriter *labels);

/* Sorts postings by doc; spare has room for n. */
extern void elac_postings_sort(ElacPosting *postings, ElacPosting *spare, uint32 n);

/* ---- posting_pack.c: the stored form of a frequent term's postings ---- */

/* Bytes that grow in a context. */
typedef struct ElacTextBytes
{
	MemoryContext context;
	uint8	   *bytes;			/* NULL at first */
	uint64		len;
	uint64		room;
} ElacTextBytes;

extern void elac_text_bytes_add(ElacTextBytes *to, const void *bytes, uint64 len);

/* What a posting list consists of, for body, stream of positions and head. */
typedef struct ElacTextPacked
{
	ElacTextBytes data;
	ElacTextBytes stream;
	ElacTextBytes directory;
} ElacTextPacked;

/* Packs postings as elac_text_emit_term() gets them; positions NULL: the section has none. */
extern void elac_posting_pack(const ElacPosting *postings, uint32 df, const uint8 *norms, const uint16 *positions,
							  ElacTextPacked *packed);

/* ---- text_reader.c, text_dictionary.c ---- */

typedef enum ElacTextTier
{
	ELAC_TEXT_FREQUENT,
	ELAC_TEXT_RARE
} ElacTextTier;

/* A dictionary block decoded far enough to be walked. */
typedef struct ElacTextBlock
{
	uint64		number;			/* which block; UINT64_MAX = none */
	uint32		entries_len;	/* bytes of entries; the restarts follow */
	uint32		nrestarts;
	uint32		nterms;
	uint64		positions;		/* where those of its terms lie in the body */
	uint32		positions_len;
	uint8	   *raw;			/* ELAC_TEXT_BLOCK_MAX bytes of room */
} ElacTextBlock;

/* Where things of the next entry of a block begin, unless it says. */
typedef struct ElacTextPlaces
{
	uint64		list;
	uint64		directory;
	uint64		positions;
} ElacTextPlaces;

/* Which terms a dictionary block can have: those from low on and below high. */
typedef struct ElacTextRange
{
	uint64		number;			/* the block; UINT64_MAX = none */
	uint32		low_len;
	uint32		high_len;		/* 0 = no limit: the last block */
	char		low[ELAC_TERM_MAX];
	char		high[ELAC_TERM_MAX];
} ElacTextRange;

struct ElacTextReader
{
	ElacSection section;
	ElacTextFooter footer;
	const char *name;			/* the index's name, for messages */
	ElacTextBlock block[2];		/* by tier, the last one looked into */
	ElacTextRange range[2];		/* by tier, of the last search */
	uint8	   *stored;			/* room for a compressed block */
	struct ElacTextCache *cache;	/* text_dictionary.c's; NULL at first */
	uint64		chunk;			/* number of the chunk of positions read last, from 1; 0: none */
	uint64		chunk_offset;	/* where it lies in the body */
	MemoryContext context;		/* the reader's own */
	bool		positions;		/* the section has positions */
	ElacTextReader *labels[ELAC_LABELS];	/* of a labelled column, [0] the reader itself; else all NULL */
	struct ElacPrefixCache *prefixes;	/* text_prefix.c's; NULL at first */
};

/* An entry of a dictionary. */
typedef struct ElacTextEntry
{
	ElacTextTier tier;
	uint32		df;
	/* in a section with positions; of frequent terms within the stream of positions, of rare ones in the body */
	uint64		positions;
	uint64		positions_len;
	/* frequent */
	uint64		offset;			/* of the posting list in the body */
	uint64		len;
	uint64		directory;		/* of its directory in the head */
	uint64		directory_len;
	/* rare: points into the reader's cache or a cursor's block */
	const uint8 *inline_bytes;
	uint32		inline_len;
	bool		counted;		/* numbers of positions come before them */
} ElacTextEntry;

/*
 * Finds a term; false when the section has none.  May read the body.  The
 * entry is good until the next lookup of this reader.
 */
extern bool elac_text_lookup(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry);

/* The same, past what the reader keeps of earlier lookups. */
extern bool elac_text_lookup_stored(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry);

/*
 * Where a term is to be found, without reading the body: a frequent term's
 * entry, else (entry->tier tells, no more) the block that a rare one would be
 * in.  False when there is none.
 */
extern bool elac_text_locate(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry,
							 ElacTextBlockRef *ref);

/* The blocks of the rare dictionary that terms with a prefix can be in; false when there are none. */
extern bool elac_text_prefix_blocks(ElacTextReader *reader, const char *prefix, uint32 len, uint64 *first, uint64 *last);
extern void elac_text_rare_block(ElacTextReader *reader, uint64 number, ElacTextBlockRef *ref);

/* Walks one tier's terms in order. */
typedef struct ElacTextCursor
{
	ElacTextReader *reader;
	ElacTextTier tier;
	ElacTextBlock block;		/* of its own: several cursors walk one reader */
	uint64		next_block;
	uint32		left;			/* terms left in the block */
	const uint8 *src;
	ElacTextPlaces places;
	uint32		len;			/* of term */
	char		term[ELAC_TERM_MAX];
	ElacTextEntry entry;
	bool		done;
} ElacTextCursor;

extern void elac_text_cursor_init(ElacTextCursor *cursor, ElacTextReader *reader, ElacTextTier tier);

/* Moves to the next term (the first, after init); false at the end. */
extern bool elac_text_cursor_next(ElacTextCursor *cursor);
extern void elac_text_cursor_close(ElacTextCursor *cursor);

/* Moves to the first term that is not below this one; false when there is none. */
extern bool elac_text_cursor_seek(ElacTextCursor *cursor, const char *bytes, uint32 len);

/*
 * Walks the terms that begin with a prefix, of both tiers, in order.  The
 * entry is good until the next call; term and len are what it belongs to.
 */
typedef struct ElacTextPrefixWalk
{
	ElacTextCursor cursors[2];	/* by tier */
	bool		started;
	ElacTextTier at;			/* the cursor whose entry was given last */
	uint32		prefix_len;
	char		prefix[ELAC_TERM_MAX];
	const char *term;
	uint32		len;
} ElacTextPrefixWalk;

extern void elac_text_prefix_begin(ElacTextPrefixWalk *walk, ElacTextReader *reader, const char *prefix, uint32 len);
extern bool elac_text_prefix_next(ElacTextPrefixWalk *walk, ElacTextEntry *entry);
extern void elac_text_prefix_end(ElacTextPrefixWalk *walk);

/* Documents with at least one lexeme that begins with a prefix (text_prefix.c). */
extern uint32 elac_text_prefix_df(ElacTextReader *reader, const char *prefix, uint32 len);

/* Raises: terms or postings of a section are not in order. */
pg_noreturn extern void elac_text_corrupted_order(const ElacTextReader *reader);

/*
 * Reads len bytes of the stream of positions, and what lies behind them, up to
 * room bytes in all, as far as it is on the page that was read last.  Returns
 * how many.
 */
extern uint64 elac_text_read_positions(ElacTextReader *reader, uint64 offset, uint8 *dst, uint64 len, uint64 room);

/* ---- posting_list.c: the postings of one term, frequent or rare, block by block ---- */

#define ELAC_TEXT_GROUP_BLOCKS 32	/* blocks that share impacts of the second level */
#define ELAC_TEXT_IMPACTS_MAX 8 /* pairs that bound one block, one group or one list */

/*
 * A frequency and a length code.  The pairs of a range of postings bound its
 * scores whatever the statistics of the day: each posting has at most the
 * frequency and at least the length code of one of them.
 */
typedef struct ElacTextImpact
{
	uint32		tf;
	uint8		length_code;
} ElacTextImpact;

typedef enum ElacImpactLevel
{
	ELAC_IMPACTS_BLOCK,			/* i is a block */
	ELAC_IMPACTS_GROUP,			/* i is a group of ELAC_TEXT_GROUP_BLOCKS blocks */
	ELAC_IMPACTS_LIST			/* i is 0 */
} ElacImpactLevel;

typedef struct ElacPostingList
{
	ElacTextReader *reader;
	uint32		df;
	uint32		nblocks;		/* > 0; all but the last have ELAC_TEXT_BLOCK_DOCS postings; a rare term has one */
	const uint32 *last_docs;	/* by block */
	struct ElacPostingSource *source;	/* posting_list.c's own */
} ElacPostingList;

/* In CurrentMemoryContext; raises when its directory is damaged. */
extern ElacPostingList *elac_posting_list_open(ElacTextReader *reader, const ElacTextEntry *entry);
extern void elac_posting_list_close(ElacPostingList *list);

/* At most ELAC_TEXT_IMPACTS_MAX pairs; returns how many. */
extern uint32 elac_posting_list_impacts(const ElacPostingList *list, ElacImpactLevel level, uint32 i,
										ElacTextImpact *dst);

/* Decodes a block; docs and tfs (NULL: not wanted) have room for ELAC_TEXT_BLOCK_DOCS; returns how many. */
extern uint32 elac_posting_list_decode(ElacPostingList *list, uint32 block, uint32 *docs, uint32 *tfs);

/* Sets the bits of a block's documents in a window of documents that starts at first and has nbits bits. */
extern void elac_posting_list_mark(ElacPostingList *list, uint32 block, ElacDoc first, uint32 nbits, uint64 *words);

/*
 * Positions of posting i of a block, ascending; dst has room for
 * ELAC_POSITIONS_MAX; returns how many, 0 when they are not known.
 */
extern uint32 elac_posting_list_positions(ElacPostingList *list, uint32 block, uint32 i, uint16 *dst);

/* Running sums of positions, block behind block.  All zero at first. */
typedef struct ElacPositionSums
{
	uint32	   *values;			/* in the list's context; NULL: none yet */
	uint32		n;
	uint32		room;
} ElacPositionSums;

/*
 * Appends a block's positions to the sums: those of posting i are values[j] -
 * values[first[i]] for each j in first[i] + 1 .. first[i + 1], ascending, from
 * 1 on.  That the last is not above ELAC_POSITION_MAX the caller has to check.
 * tfs: the block's counts; first has room for ELAC_TEXT_BLOCK_DOCS + 1.  False,
 * and nothing else, in a section without positions.
 */
extern bool elac_posting_list_sums(ElacPostingList *list, uint32 block, const uint32 *tfs, uint32 *first,
								   ElacPositionSums *sums);

/* Positions of many postings; those of one lie together. */
typedef struct ElacTextPositions
{
	uint16	   *values;			/* palloc'd; NULL at first */
	uint64		n;
	uint64		room;
} ElacTextPositions;

/*
 * All postings of an entry; dst has room for entry->df.  positions: their
 * positions are appended, and `where` points to them; NULL: `where` is 0.
 */
extern void elac_text_postings(ElacTextReader *reader, const ElacTextEntry *entry, ElacPosting *dst,
							   ElacTextPositions *positions);

/* Copies length codes of docs first .. first + n - 1. */
extern void elac_text_norms(ElacTextReader *reader, ElacDoc first, uint32 n, uint8 *dst);

#endif							/* ELAC_TEXT_PRIVATE_H */
