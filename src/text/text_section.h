/*
 * text_section.h
 *	  The text section of a segment, one per BM25 column: dictionary, postings
 *	  and length norms.
 */
#ifndef ELAC_TEXT_SECTION_H
#define ELAC_TEXT_SECTION_H

#include "elacsym.h"

#include "storage/buffile.h"

#include "base/bitmap.h"
#include "storage/blob.h"
#include "text/analyze.h"
#include "text/bm25.h"

/* ---- writing ---- */

typedef struct ElacTextWriter ElacTextWriter;

/*
 * Collects a column's rows in memory, in CurrentMemoryContext's child of its
 * own.  type: what the column holds; flags: ELAC_TEXT_POSITIONS keeps positions.
 */
extern ElacTextWriter *elac_text_writer_begin(ElacTextType type, int flags);

/* Adds row seq = 0, 1, 2, ... in order of arrival. */
extern void elac_text_writer_add(ElacTextWriter *writer, const ElacTermVector *terms);
extern uint32 elac_text_writer_nrows(const ElacTextWriter *writer);
extern Size elac_text_writer_memory(const ElacTextWriter *writer);

/*
 * Writes the section.  doc_of_seq maps arrival order to document number (a
 * permutation of 0 .. ndocs-1), NULL = identity.  Frees the writer.
 */
extern void elac_text_writer_finish(ElacTextWriter *writer, const ElacDoc *doc_of_seq, uint32 ndocs, ElacSectionWriter *out);

/* Forgets all rows: the next one has seq 0 again. */
extern void elac_text_writer_reset(ElacTextWriter *writer);
extern void elac_text_writer_end(ElacTextWriter *writer);

/*
 * A run: what a writer has collected, moved to a temporary file when there is
 * more of it than memory.  It is plain data: another process that opens the
 * same file may use it.
 */
typedef struct ElacTextRunFile
{
	BufFile    *file;
	uint64		size;			/* bytes written; runs are appended */
} ElacTextRunFile;

typedef struct ElacTextRun
{
	uint32		nrows;
	uint32		reserved;		/* 0 */
	uint64		start;			/* in its file */
	uint64		end[ELAC_LABELS];	/* of each label's part */
	uint64		nterms[ELAC_LABELS];
} ElacTextRun;

/* Moves the writer's rows to the file and resets it. */
extern void elac_text_writer_spill(ElacTextWriter *writer, ElacTextRunFile *file, ElacTextRun *run);

typedef struct ElacTextRunSource
{
	ElacTextWriter *writer;		/* rows that are in memory; else NULL */
	ElacTextRunFile *file;		/* where run lies */
	ElacTextRun run;
	const ElacDoc *doc_of_seq;	/* by row; ELAC_INVALID_DOC: not in this section; NULL: identity */
} ElacTextRunSource;

/*
 * Writes a section of ndocs documents from runs; all may be used again.  The
 * bytes are those that one writer with all rows would give.  memory bounds the
 * buffers, 8 kB a run at least.
 */
extern void elac_text_write_runs(ElacTextType type, int flags, ElacTextRunSource *sources, int nsources, uint32 ndocs,
								 Size memory, ElacSectionWriter *out);

typedef struct ElacTextReader ElacTextReader;

/*
 * Merges sections term by term with memory of one term's postings.
 * maps[i][doc] is the new number of source i's doc, ELAC_INVALID_DOC when the
 * row is dropped.
 */
extern void elac_text_merge(ElacTextReader **sources, const ElacDoc *const *maps, int nsources, uint32 ndocs, ElacSectionWriter *out);

/* ---- reading ---- */

/*
 * In CurrentMemoryContext, as is all that the reader keeps.  A process keeps
 * readers of LOCAL segments from query to query (segment/reader.c): between
 * calls they hold no pins, an error in one leaves them usable, and what they
 * keep to themselves is bounded.
 */
extern ElacTextReader *elac_text_open(const ElacSection *section, uint32 ndocs);
extern ElacFieldStats elac_text_stats(const ElacTextReader *reader);

/* What a labelled column (a tsvector) holds for one label; the reader itself for others' label D. */
extern ElacTextReader *elac_text_label(ElacTextReader *reader, int label);

/* Document frequency of a query's term, a prefix included, in this section, dead rows included. */
extern uint32 elac_text_term_df(ElacTextReader *reader, const ElacBm25Term *term);

/* Document frequency of a lexeme in this section, dead rows included; 0 when absent. */
extern uint32 elac_text_df(ElacTextReader *reader, const char *bytes, uint32 len);

/* NULL documents of the column. */
extern void elac_text_null_docs(ElacTextReader *reader, ElacBitmap *out);

/* ---- searching ---- */

/* A document found. */
typedef struct ElacTextHit
{
	double		score;			/* > 0 */
	uint64		place;			/* set by the heap: see ElacTextPlace */
	uint32		source;
	ElacDoc		doc;
} ElacTextHit;

/*
 * Where a document's row lies, as a number that no merge or flush changes (the
 * heap's tid): it breaks ties, so that which of equal rows are found does not
 * depend on how rows are spread over segments.
 */
typedef uint64 (*ElacTextPlace) (void *arg, uint32 source, ElacDoc doc);

/*
 * The best capacity hits: score descending, then place (0 for all unless a
 * function is set), then source, then doc ascending.  Shared by all sources of
 * a scan.
 */
typedef struct ElacTextHeap ElacTextHeap;

extern ElacTextHeap *elac_text_heap_create(uint32 capacity);
extern void elac_text_heap_set_place(ElacTextHeap *heap, ElacTextPlace place, void *arg);
extern void elac_text_heap_push(ElacTextHeap *heap, const ElacTextHit *hit);

extern uint32 elac_text_heap_capacity(const ElacTextHeap *heap);

/* Score that a hit must reach to be worth pushing; 0 while there is room. */
extern double elac_text_heap_threshold(const ElacTextHeap *heap);
extern ElacTextHit *elac_text_heap_finish(ElacTextHeap *heap, uint32 *nhits);	/* best first; empties */

/*
 * What searches and matches of this process have done so far, for EXPLAIN
 * (ANALYZE): whoever wants to know what one did takes the difference.
 */
typedef struct ElacTextCounters
{
	uint64		terms;			/* opened, in each segment that has them */
	uint64		blocks_decoded; /* of postings */
	uint64		blocks_passed;	/* over, without decoding them */
	uint64		windows;		/* of documents looked into */
	uint64		documents;		/* whose score was summed up */
} ElacTextCounters;

extern ElacTextCounters elac_text_counters;

/* Declares the posting ranges that the query will read; the other one their positions as well, for phrases. */
extern void elac_text_prefetch(ElacTextReader *reader, const ElacBm25Field *field);
extern void elac_text_prefetch_positions(ElacTextReader *reader, const ElacBm25Field *field);

/*
 * Scores every allowed document that has a query term, into heap.  readers[i]
 * serves query->fields[i]; allowed NULL = all.
 */
extern void elac_text_search(ElacTextReader **readers, const ElacBm25Query *query, const ElacBitmap *allowed,
							 uint32 source, ElacTextHeap *heap);

/* Documents that match the query, whatever their score. */
extern void elac_text_matches(ElacTextReader **readers, const ElacBm25Query *query, ElacBitmap *out);

/* Deep check: order of terms and postings, counts, norms, stats; raises. */
extern void elac_text_verify(ElacTextReader *reader);

#endif							/* ELAC_TEXT_SECTION_H */
