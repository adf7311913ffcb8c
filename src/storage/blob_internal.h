/*
 * blob_internal.h
 *	  What the blob files share: blob.c dispatches by home, blob_local.c reads
 *	  pages of the index, blob_remote.c fetches frames of objects,
 *	  blob_writer.c writes.  Nobody else includes this.
 *
 * Payload of a MAP page: uint32 next MAP block (InvalidBlockNumber at the
 * end), uint32 number of extents in this page (1 .. ELAC_MAP_EXTENTS), then
 * that many ElacExtent.  The tail's number counts MAP pages from 0.
 */
#ifndef ELAC_BLOB_INTERNAL_H
#define ELAC_BLOB_INTERNAL_H

#include "elacsym.h"

#include "storage/bufmgr.h"

#include "storage/blob.h"
#include "storage/cache.h"

#define ELAC_MAP_HEADER 8
#define ELAC_MAP_EXTENTS ((ELAC_PAGE_DATA - ELAC_MAP_HEADER) / sizeof(ElacExtent))

StaticAssertDecl(sizeof(ElacExtent) == 8, "ElacExtent is stored");

/* Logical pages first .. last (inclusive), declared by a reader. */
typedef struct ElacPageRange
{
	uint32		first;
	uint32		last;
} ElacPageRange;

/* Cache slots a reader keeps pinned, so that a small cache cannot lose them unread. */
typedef struct ElacHeldPages
{
	ElacCacheSlot **slots;
	uint32		used;
	uint32		size;
} ElacHeldPages;

struct ElacBlobReader
{
	MemoryContext context;		/* the one it was opened in */
	Relation	index;			/* NULL for MEMORY */
	char	   *name;
	ElacBlobRef ref;

	/* MEMORY */
	const uint8 *bytes;

	/* LOCAL: extents in order, and the logical page each begins with */
	ElacExtent *extents;
	uint32	   *firsts;
	uint32		nextents;
	uint32		last_extent;	/* where the last page was found */
	BlockNumber nblocks;		/* size of the index as last seen */
	BufferAccessStrategy strategy;	/* NULL outside verification and copies */
	Buffer	   *recent;			/* where checked pages were: slot page & recent_mask; NULL until one is pinned */
	uint32		recent_mask;
	uint32		pins;			/* of recent pages */

	/* REMOTE */
	ElacStore  *store;
	char	   *key;
	ElacPageRange *declared;	/* since the last wait */
	uint32		ndeclared;
	uint32		declared_size;
	ElacHeldPages waited;		/* until the next wait with declarations */
	ElacHeldPages ahead;		/* until the next undeclared wave */
	uint32		readahead;		/* pages fetched beyond an undeclared read */
	uint32		expected;		/* page after the last undeclared wave */
};

/* Payload bytes of a logical page: ELAC_PAGE_DATA but for the last. */
static inline uint32
elac_blob_page_bytes(const ElacBlobRef *ref, uint32 page)
{
	uint64		start = (uint64) page * ELAC_PAGE_DATA;

	return (uint32) Min((uint64) ELAC_PAGE_DATA, ref->nbytes - start);
}

/* ---- blob_local.c ---- */

extern void elac_local_open(ElacBlobReader *reader);
extern void elac_local_prefetch(ElacBlobReader *reader, uint32 first, uint32 last);

/* Copies len bytes at offset within a logical page. */
extern void elac_local_copy(ElacBlobReader *reader, uint32 page, uint32 offset, uint8 *dst, uint32 len);

/* Payload of a page: pinned buffer on a primary, palloc'd copy in recovery. */
extern const uint8 *elac_local_pin(ElacBlobReader *reader, uint32 page, ElacBlobPin *pin);
extern void elac_local_verify(ElacBlobReader *reader);

/* ---- blob_remote.c ---- */

extern void elac_remote_declare(ElacBlobReader *reader, uint32 first, uint32 last);
extern void elac_remote_wait(ElacBlobReader **readers, int nreaders);
extern void elac_remote_close(ElacBlobReader *reader);

/* The page, pinned; fetched with what follows up to `last` when it is not near. */
extern ElacCacheSlot *elac_remote_page(ElacBlobReader *reader, uint32 page, uint32 last);
extern void elac_remote_verify(ElacBlobReader *reader);

/* CRC-32C that a frame carries: over object UUID, payload and page number. */
extern uint32 elac_remote_crc(const uint8 *object, const uint8 *payload, uint32 page);

#endif							/* ELAC_BLOB_INTERNAL_H */
