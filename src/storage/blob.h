/*
 * blob.h
 *	  A blob is an immutable run of bytes stored as logical pages of
 *	  ELAC_PAGE_DATA bytes, wherever they lie.
 *
 * Offsets count bytes from the blob's start; byte o is in logical page
 * o / ELAC_PAGE_DATA.  Homes: LOCAL (pages of the index), REMOTE (an object
 * whose bytes are ELAC_FRAME_SIZE frames: payload, zero padded in the last,
 * then CRC-32C of object UUID, payload and page number, then logical page
 * number, both uint32 little-endian), or MEMORY (tests, merges).  An empty
 * blob has no pages and no object.
 *
 * A segment has two blobs: its head, which stays LOCAL for ever, and its
 * body, which may be offloaded.  What every query needs first goes into the
 * head (docmap, list offsets, norms, dictionaries' frequent terms, zone maps);
 * codes, postings and values go into the body.
 */
#ifndef ELAC_BLOB_H
#define ELAC_BLOB_H

#include "elacsym.h"

#include "storage/buf.h"
#include "utils/rel.h"

#include "storage/object.h"
#include "storage/page.h"

#define ELAC_FRAME_SIZE (ELAC_PAGE_DATA + 8)

typedef enum ElacHome
{
	ELAC_HOME_LOCAL = 1,
	ELAC_HOME_REMOTE = 2,
	ELAC_HOME_MEMORY = 3		/* never stored */
} ElacHome;

/* A run of blocks that hold consecutive logical pages. */
typedef struct ElacExtent
{
	BlockNumber start;
	uint32		count;
} ElacExtent;

/*
 * Names a blob: stored in the manifest.  LOCAL blobs have a chain of MAP
 * pages (owner = id) that lists their extents.
 */
typedef struct ElacBlobRef
{
	uint64		id;				/* owner in the tails of its pages; unique within the index */
	uint64		nbytes;
	uint32		npages;			/* (nbytes + ELAC_PAGE_DATA - 1) / ELAC_PAGE_DATA */
	BlockNumber map;			/* first MAP page; InvalidBlockNumber when REMOTE or empty */
	uint8		home;			/* ElacHome */
	uint8		reserved[7];	/* 0 */
	uint8		object[16];		/* object UUID when REMOTE, else 0 */
} ElacBlobRef;

StaticAssertDecl(sizeof(ElacBlobRef) == 48, "ElacBlobRef is stored");

/* ---- reading ---- */

typedef struct ElacBlobReader ElacBlobReader;

/*
 * Opens ref for reading; the reader lives in CurrentMemoryContext.  REMOTE
 * blobs need store and key_prefix ("<system identifier>-<epoch>/<index UUID>");
 * both may be NULL otherwise.
 */
extern ElacBlobReader *elac_blob_open(Relation index, const ElacBlobRef *ref, ElacStore *store, const char *key_prefix);
extern ElacBlobReader *elac_blob_open_memory(const uint8 *bytes, uint64 nbytes, const char *name);
extern void elac_blob_close(ElacBlobReader *reader);	/* drops pins */

/*
 * For a LOCAL reader that outlived the relation it was opened with: index is
 * the same relation, opened again.  A LOCAL reader holds no pins between calls.
 */
extern void elac_blob_attach(ElacBlobReader *reader, Relation index);
extern uint64 elac_blob_nbytes(ElacBlobReader *reader);

/* The index's name, for messages. */
extern const char *elac_blob_name(ElacBlobReader *reader);

/*
 * Declares a range that will be read.  elac_blob_wait() fetches what is
 * declared and not yet near, for all readers given, in one wave; reading what
 * was not declared works, and costs a wave of its own when REMOTE.
 */
extern void elac_blob_prefetch(ElacBlobReader *reader, uint64 offset, uint64 len);
extern void elac_blob_wait(ElacBlobReader **readers, int nreaders);

/* Copies [offset, offset + len); raises elac_corrupted() past the end. */
extern void elac_blob_read(ElacBlobReader *reader, uint64 offset, void *dst, uint64 len);

/*
 * Pointer to len bytes at offset without copying when they lie within one
 * logical page, else into a copy.  Valid until elac_blob_unpin(pin).
 */
typedef struct ElacBlobPin
{
	Buffer		buffer;			/* InvalidBuffer when data is copied or cached */
	void	   *copy;			/* palloc'd, or NULL */
	void	   *slot;			/* cache slot held, or NULL */
} ElacBlobPin;

extern const uint8 *elac_blob_pin(ElacBlobReader *reader, uint64 offset, uint32 len, ElacBlobPin *pin);
extern void elac_blob_unpin(ElacBlobReader *reader, ElacBlobPin *pin);

/* ---- writing ---- */

typedef struct ElacBlobWriter ElacBlobWriter;

/*
 * Writes a new LOCAL blob (WAL-logged pages, taken from free space) or, with
 * a store, a REMOTE object, PUT at finish (bounded memory is a later
 * matter: bodies are multipart then).  Nothing refers to it until the ref
 * that finish returns is published: a crash leaks pages, nothing else.
 */
extern ElacBlobWriter *elac_blob_create(Relation index, uint64 id, ElacStore *store, const char *key_prefix);
extern ElacBlobWriter *elac_blob_create_memory(void);
extern void elac_blob_write(ElacBlobWriter *writer, const void *data, uint64 len);
extern void elac_blob_align(ElacBlobWriter *writer, uint32 alignment);	/* zero bytes up to a multiple */
extern uint64 elac_blob_tell(ElacBlobWriter *writer);
extern void elac_blob_finish(ElacBlobWriter *writer, ElacBlobRef *ref);
extern const uint8 *elac_blob_memory(ElacBlobWriter *writer, uint64 *nbytes);	/* MEMORY writers, after finish */

/* Copies a blob to another home under a new id; used by offload and onload. */
extern void elac_blob_copy(ElacBlobReader *from, ElacBlobWriter *to);

/*
 * Every block a LOCAL blob occupies, palloc'd: logical pages, then MAP pages
 * from the last to the first.  Raises when the map is damaged.
 */
extern BlockNumber *elac_blob_blocks(Relation index, const ElacBlobRef *ref, uint32 *nblocks);

/*
 * The same in the same order for a blob that is being freed, known by its id
 * and first MAP page: what an interrupted elac_freespace_release() has freed
 * already is left out, and nothing is raised for it.
 */
extern BlockNumber *elac_blob_retired(Relation index, uint64 id, BlockNumber map, uint32 *nblocks);

/* Object key of a REMOTE blob below the store's prefix; palloc'd. */
extern char *elac_blob_key(const char *key_prefix, const ElacBlobRef *ref);

/*
 * Reads every page, checks tails, CRCs and numbers; raises on the first that
 * is wrong.
 */
extern void elac_blob_verify(Relation index, const ElacBlobRef *ref, ElacStore *store, const char *key_prefix);

/* ---- sections: what the L2 modules read and write ---- */

typedef struct ElacSectionWriter
{
	ElacBlobWriter *head;
	ElacBlobWriter *body;
} ElacSectionWriter;

typedef struct ElacSection
{
	ElacBlobReader *head;
	uint64		head_offset;
	uint64		head_len;
	ElacBlobReader *body;
	uint64		body_offset;
	uint64		body_len;
} ElacSection;

/* Reads within a section; raises elac_corrupted() beyond its length. */
extern void elac_section_read_head(const ElacSection *section, uint64 offset, void *dst, uint64 len);
extern void elac_section_read_body(const ElacSection *section, uint64 offset, void *dst, uint64 len);

#endif							/* ELAC_BLOB_H */
