/*
 * segment_internal.h
 *	  What the files of segment/ share.  Included by this folder and its unit
 *	  tests: the functions here take writers and readers of any home, the
 *	  public ones of segment.h make those for an index.
 */
#ifndef ELAC_SEGMENT_INTERNAL_H
#define ELAC_SEGMENT_INTERNAL_H

#include "segment/segment.h"
#include "segment/segment_format.h"

struct ElacSegmentBase
{
	MemoryContext context;		/* all of it */
	ElacSegmentRef ref;
	ElacBlobReader *head;
	ElacBlobReader *body;
	ElacDirectoryEntry entries[1 + ELAC_MAX_COLUMNS];
	/* opened on demand */
	ElacVectorReader *vector;
	ElacTextReader *texts[ELAC_MAX_COLUMNS];
};

struct ElacSegment
{
	MemoryContext context;		/* all of the segment, its readers included */
	Relation	index;			/* NULL in tests */
	const ElacRowType *type;
	const ElacCodebook *codebook;
	ElacSegmentRef ref;
	ElacBlobReader *head;
	ElacBlobReader *body;
	ElacDirectoryEntry *entries;	/* docmap, then columns in order */
	ElacSegmentBase *base;		/* owns head, body, entries, vector and texts; NULL: the segment does */
	/* opened on demand, by position in the schema */
	ElacVectorReader *vector;
	ElacTextReader *texts[ELAC_MAX_COLUMNS];
	ElacAttrReader *attrs[ELAC_MAX_COLUMNS];
};

/* ---- the directory (segment/directory.c) ---- */

/* Collects entries while a segment is written. */
typedef struct ElacDirectoryWriter
{
	ElacSectionWriter *out;
	const ElacSchema *schema;
	uint32		ndocs;
	uint32		nsections;
	ElacDirectoryEntry entries[1 + ELAC_MAX_COLUMNS];
} ElacDirectoryWriter;

extern void elac_directory_begin(ElacDirectoryWriter *directory, ElacSectionWriter *out, const ElacSchema *schema,
								 uint32 ndocs);

/* Writes the docmap section: tids in document order. */
extern void elac_directory_docmap(ElacDirectoryWriter *directory, const ItemPointerData *tids);

/*
 * The same for one who has them bit by bit: between opening and closing the
 * section ELAC_DOCMAP_COLUMN.  ndocs may be set as late as before the directory is finished.
 */
extern void elac_directory_add_tids(ElacDirectoryWriter *directory, const ItemPointerData *tids, uint32 ntids);

/* Around the writing of one column's section. */
extern void elac_directory_open_section(ElacDirectoryWriter *directory, int column);
extern void elac_directory_close_section(ElacDirectoryWriter *directory);

/* Writes directory and footer; the blobs are complete then. */
extern void elac_directory_finish(ElacDirectoryWriter *directory, uint64 segment_id);

/* Reads and checks; raises elac_corrupted().  entries: 1 + schema->ncolumns. */
extern void elac_directory_read(ElacBlobReader *head, const ElacSegmentRef *ref, const ElacSchema *schema,
								ElacDirectoryEntry *entries);

/* Raises unless the bytes between the parts are zero. */
extern void elac_directory_verify(ElacSegment *segment);

/* ---- writers without a home ---- */

/* The sections of a builder's rows, in document order; at least one row. */
extern void elac_segment_builder_write(ElacSegmentBuilder *builder, uint64 id, ElacSectionWriter *out);

typedef struct ElacMerge ElacMerge;

/* Decides which documents are carried over, encodes those that have to be, and numbers all. */
extern ElacMerge *elac_merge_begin(const ElacRowType *type, ElacMergeInput *inputs, int ninputs,
								   const ElacCodebook *codebook, ElacAdapt *adapt,
								   ElacVectorFetch fetch, void *fetch_arg);
extern uint32 elac_merge_ndocs(const ElacMerge *merge);

/* Writes the sections; at least one document. */
extern void elac_merge_write(ElacMerge *merge, uint64 id, ElacSectionWriter *out);

/* As elac_segment_merge() returns it. */
extern ElacDoc **elac_merge_carried(const ElacMerge *merge);

/* Opens a segment whose blobs are open already; they are closed with it. */
extern ElacSegment *elac_segment_open_blobs(Relation index, const ElacRowType *type, const ElacSegmentRef *ref,
											const ElacCodebook *codebook, ElacBlobReader *head, ElacBlobReader *body);

/* ---- blobs of a new segment (segment/builder.c) ---- */

extern void elac_segment_create_blobs(Relation index, uint64 id, ElacStore *store, const char *key_prefix,
									  ElacSectionWriter *out);

/* Completes both, makes the live pages and fills ref. */
extern void elac_segment_finish_blobs(Relation index, ElacSectionWriter *out, uint64 id, uint32 level, uint32 ndocs,
									  const ElacCodebook *codebook, ElacSegmentRef *ref);

#endif							/* ELAC_SEGMENT_INTERNAL_H */
