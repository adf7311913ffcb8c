/*
 * segment.h
 *	  One immutable segment: build, read, merge.  Which segments exist is
 *	  lsm's business.
 *
 * A segment's head blob ends with the section directory (format in
 * segment_format.h); sections: docmap, then one per index column.  Its live
 * bitmap lies outside, in pages of its own, and is the only part that changes.
 */
#ifndef ELAC_SEGMENT_H
#define ELAC_SEGMENT_H

#include "elacsym.h"

#include "storage/itemptr.h"
#include "utils/rel.h"

#include "attr/attr_section.h"
#include "base/bitmap.h"
#include "segment/row.h"
#include "segment/rowsort.h"
#include "storage/blob.h"
#include "text/text_section.h"
#include "vector/codebook_adapt.h"
#include "vector/vector_section.h"

/* What the manifest keeps of a segment. */
typedef struct ElacSegmentRef
{
	uint64		id;				/* = head.id; body.id = id + 1, live owner = id + 2 */
	uint32		ndocs;
	uint32		level;			/* of the size-tiered policy */
	uint64		codebook;		/* blob id of its codebook, 0 without a vector column */
	ElacBlobRef head;
	ElacBlobRef body;
	BlockNumber live;			/* first LIVE page */
	uint32		reserved;		/* 0 */
} ElacSegmentRef;

StaticAssertDecl(sizeof(ElacSegmentRef) == 128, "ElacSegmentRef is stored");

/* Blob ids a segment uses: callers allocate this many from the manifest. */
#define ELAC_SEGMENT_IDS 3

/* ---- building ---- */

typedef struct ElacSegmentBuilder ElacSegmentBuilder;

/* codebook NULL without a vector column. */
extern ElacSegmentBuilder *elac_segment_builder_begin(Relation index, const ElacRowType *type, const ElacCodebook *codebook);

/* Copies what it needs of row. */
extern void elac_segment_builder_add(ElacSegmentBuilder *builder, const ElacRow *row);
extern Size elac_segment_builder_memory(const ElacSegmentBuilder *builder);
extern uint32 elac_segment_builder_ndocs(const ElacSegmentBuilder *builder);

/*
 * Numbers the documents in cluster order (heap order without a vector column),
 * writes head, body and live pages, fills ref and frees the builder.  Not yet
 * published.  store NULL: body LOCAL.  Without a row nothing is written, and
 * ref->ndocs is 0: there is no segment to publish.
 */
extern void elac_segment_builder_finish(ElacSegmentBuilder *builder, uint64 id, uint32 level,
										ElacStore *store, const char *key_prefix, ElacSegmentRef *ref);

/* ---- writing rows that come in their final order (segment/stream.c) ---- */

typedef struct ElacSegmentStream ElacSegmentStream;

/*
 * A segment under the id given, coded for lists of cut; spool_bytes bounds each
 * of two buffers of codes.  texts: those of the rows to come, NULL without text
 * columns.  Its body is LOCAL.  Not yet published.
 */
extern ElacSegmentStream *elac_segment_stream_begin(Relation index, const ElacRowType *type, const ElacCodebook *codebook,
													int cut, uint64 id, Size spool_bytes, ElacTextLoad *texts);

/* Adds the next row of elac_rowsort_next(). */
extern void elac_segment_stream_add(ElacSegmentStream *stream, const ElacSortedRow *row);

/* What grows with the rows: of attribute columns. */
extern Size elac_segment_stream_memory(const ElacSegmentStream *stream);
extern uint32 elac_segment_stream_ndocs(const ElacSegmentStream *stream);

/* Fills ref and frees the stream.  Without a row nothing is written, and ref->ndocs is 0. */
extern void elac_segment_stream_finish(ElacSegmentStream *stream, uint32 level, ElacSegmentRef *ref);

/* ---- reading ---- */

typedef struct ElacSegment ElacSegment;

/*
 * Opens ref in CurrentMemoryContext; sections are opened on demand.  codebook
 * may be NULL when the vector column will not be read.  Validates directory,
 * counts and section lengths before anything is used.  store NULL opens a
 * segment whose body is REMOTE for its heap tids alone: VACUUM must not depend
 * on a network.
 */
extern ElacSegment *elac_segment_open(Relation index, const ElacRowType *type, const ElacSegmentRef *ref,
									  const ElacCodebook *codebook, ElacStore *store, const char *key_prefix);
extern void elac_segment_close(ElacSegment *segment);

/*
 * What scanning a segment with a LOCAL body begins with, kept by a process
 * from scan to scan: where its pages lie, its directory, its lists.  Lives in
 * CurrentMemoryContext and goes with it.  Nothing in it may hold a pin or be
 * one scan's own.
 */
typedef struct ElacSegmentBase ElacSegmentBase;

extern ElacSegmentBase *elac_segment_base(Relation index, const ElacSchema *schema, const ElacSegmentRef *ref);

/*
 * A segment opened on a base, which has to stay until it is closed, as have
 * type and codebook (always the same one) until the base goes.  index is the
 * relation of the base, opened by this scan: all segments open on one base
 * have the same.  Readers of vectors and texts are the base's, those of
 * attributes the segment's own.
 */
extern ElacSegment *elac_segment_open_base(ElacSegmentBase *base, Relation index, const ElacRowType *type,
										   const ElacCodebook *codebook);
extern const ElacSegmentRef *elac_segment_ref(const ElacSegment *segment);
extern uint32 elac_segment_ndocs(const ElacSegment *segment);
extern ElacVectorReader *elac_segment_vector(ElacSegment *segment);	/* NULL without vector column */
extern ElacTextReader *elac_segment_text(ElacSegment *segment, int column);
extern ElacAttrReader *elac_segment_attr(ElacSegment *segment, int column);

/* The body's reader, for elac_blob_wait(); the head is always local. */
extern ElacBlobReader *elac_segment_body(ElacSegment *segment);

/* Heap tid of a document. */
extern void elac_segment_tid(ElacSegment *segment, ElacDoc doc, ItemPointer tid);

/* Copies n tids from document first on; raises when one is not valid. */
extern void elac_segment_read_tids(ElacSegment *segment, ElacDoc first, uint32 n, ItemPointerData *tids);

/* All tids in document order, palloc'd. */
extern ItemPointerData *elac_segment_tids(ElacSegment *segment);

/* Bytes of each section, for elacsym_segments(). */
typedef struct ElacSectionSize
{
	int			column;			/* -1 docmap */
	uint64		head_bytes;
	uint64		body_bytes;
} ElacSectionSize;

extern ElacSectionSize *elac_segment_sizes(ElacSegment *segment, int *nsections);

/* Deep check of every section, docmap order and live bitmap; raises. */
extern void elac_segment_verify(ElacSegment *segment);

/* ---- live bitmap (segment/live.c) ---- */

/* Copies the live bits (palloc'd words); *ndead counts cleared ones. */
extern ElacBitmap *elac_live_read(Relation index, const ElacSegmentRef *ref, uint32 *ndead);

/* Number of dead documents, from the first page's counter: cheap. */
extern uint32 elac_live_ndead(Relation index, const ElacSegmentRef *ref);

/*
 * The same without a checksum: tells versions of the bitmap apart, because
 * bits are only ever cleared and each clearing counts.  A bitmap read after
 * this counter is that version as long as the counter stays.
 */
extern uint32 elac_live_version(Relation index, const ElacSegmentRef *ref);

/* Clears the bits of docs (ascending), WAL-logged page by page. */
extern void elac_live_clear(Relation index, const ElacSegmentRef *ref, const ElacDoc *docs, uint32 ndocs);
extern BlockNumber elac_live_create(Relation index, uint64 owner, uint32 ndocs);	/* all alive; returns first page */
extern BlockNumber *elac_live_blocks(Relation index, const ElacSegmentRef *ref, uint32 *nblocks);

/* The same for freeing: pages up to the first that is not what it should be (damaged, or freed before a crash), last first. */
extern BlockNumber *elac_live_retired(Relation index, const ElacSegmentRef *ref, uint32 *nblocks);

/* ---- merging (segment/merge.c) ---- */

/*
 * Fetches the stored vector of a heap row, prepared, into dst; returns its
 * class, or -1 when the row is gone for everybody.  Given from above: the
 * heap is not this layer's business.
 */
typedef int (*ElacVectorFetch) (void *arg, ItemPointer tid, float *dst);

typedef struct ElacMergeInput
{
	ElacSegment *segment;
	const ElacBitmap *live;		/* documents to carry over */
} ElacMergeInput;

/*
 * What the lists of all live documents of an index need (codebook_adapt.h):
 * codebook is that of the inputs, which are all its segments.  On
 * ELAC_ADAPT_LISTS *adapt says what to do and *derived is the new codebook,
 * not yet written, to be given to elac_segment_merge() both.  Reads codes,
 * not the heap.
 */
extern ElacAdaptVerdict elac_segment_examine(ElacMergeInput *inputs, int ninputs, const ElacCodebook *codebook,
											 ElacAdapt **adapt, ElacCodebook **derived);

/*
 * Merges segments into one new segment under codebook.  Codes are copied where
 * they mean the same there, which needs the inputs' own codebook or, with
 * adapt, one derived from it; other vectors are fetched and encoded anew, each
 * once.  carried[i] (palloc'd, one entry per input document) tells where each
 * went, ELAC_INVALID_DOC when dropped: for deletes that happened meanwhile.
 * When no document is left nothing is written, and ref->ndocs is 0.
 */
extern void elac_segment_merge(Relation index, const ElacRowType *type, ElacMergeInput *inputs, int ninputs,
							   const ElacCodebook *codebook, ElacAdapt *adapt,
							   ElacVectorFetch fetch, void *fetch_arg,
							   uint64 id, uint32 level, ElacStore *store, const char *key_prefix,
							   ElacSegmentRef *ref, ElacDoc ***carried);

#endif							/* ELAC_SEGMENT_H */
