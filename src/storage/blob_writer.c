/*
 * blob_writer.c
 *	  Writing blobs: pages of the index, an object, or memory.
 *
 * Owns ElacBlobWriter.  LOCAL: payload is gathered until four pages are full,
 * and goes out as one WAL record of full images into pages taken from free
 * space; the map is written at finish, its last page first, so that no page
 * ever points at one that is not there.  Nothing refers to the pages until the
 * caller publishes the ref: an error or a crash before that leaks them.
 * REMOTE: frames are gathered in memory and PUT at finish.
 *
 * The caller holds a lock on the index that keeps it in place; it need not
 * keep other writers away.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "errors.h"
#include "storage/blob_internal.h"
#include "storage/freepages.h"
#include "storage/pagelog.h"

#define ELAC_WRITER_PAGES ELAC_PAGELOG_MAX
#define ELAC_WRITER_BUFFER ((Size) ELAC_WRITER_PAGES * ELAC_PAGE_DATA)

/* A run of bytes that grows. */
typedef struct ElacBytes
{
	uint8	   *data;
	Size		used;
	Size		size;
} ElacBytes;

struct ElacBlobWriter
{
	MemoryContext context;
	ElacHome	home;
	Relation	index;			/* NULL for MEMORY */
	uint64		id;
	uint64		nbytes;			/* written so far */
	bool		finished;

	/* LOCAL and REMOTE: payload that does not fill its pages yet */
	uint8	   *pending;
	Size		npending;

	/* LOCAL */
	ElacExtent *extents;
	uint32		nextents;
	uint32		extents_size;
	uint32		npages;			/* flushed */

	/* REMOTE: frames; MEMORY: the bytes */
	ElacBytes	bytes;
	ElacStore  *store;
	char	   *key_prefix;
	uint8		object[16];
};

static ElacBlobWriter *
elac_writer_new(ElacHome home)
{
	ElacBlobWriter *writer = palloc0(sizeof(ElacBlobWriter));

	writer->context = CurrentMemoryContext;
	writer->home = home;
	return writer;
}

ElacBlobWriter *
elac_blob_create(Relation index, uint64 id, ElacStore *store, const char *key_prefix)
{
	ElacBlobWriter *writer = elac_writer_new(store != NULL ? ELAC_HOME_REMOTE : ELAC_HOME_LOCAL);

	if (id == 0)
		elog(ERROR, "a blob of index \"%s\" was created without an id", RelationGetRelationName(index));
	writer->index = index;
	writer->id = id;
	writer->pending = palloc(ELAC_WRITER_BUFFER);
	if (store != NULL)
	{
		writer->store = store;
		writer->key_prefix = pstrdup(key_prefix);
		if (!pg_strong_random(writer->object, sizeof(writer->object)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a random object name")));

		/* RFC 9562, version 4. */
		writer->object[6] = (writer->object[6] & 0x0F) | 0x40;
		writer->object[8] = (writer->object[8] & 0x3F) | 0x80;
	}
	return writer;
}

ElacBlobWriter *
elac_blob_create_memory(void)
{
	return elac_writer_new(ELAC_HOME_MEMORY);
}

/* Room for len more bytes; returns where they go and counts them as used. */
static uint8 *
elac_writer_extend(ElacBlobWriter *writer, uint64 len)
{
	ElacBytes  *bytes = &writer->bytes;
	Size		needed = add_size(bytes->used, len);
	uint8	   *start;

	if (needed > bytes->size)
	{
		Size		size = Max(Max(needed, bytes->size + bytes->size / 2), 32 * 1024);

		if (!AllocHugeSizeIsValid(size))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a blob of %zu bytes does not fit into memory", size)));
		if (bytes->data == NULL)
			bytes->data = MemoryContextAllocHuge(writer->context, size);
		else
			bytes->data = repalloc_huge(bytes->data, size);
		bytes->size = size;
	}
	start = bytes->data + bytes->used;
	bytes->used = needed;
	return start;
}

/* ---- LOCAL ---- */

static void
elac_writer_add_block(ElacBlobWriter *writer, BlockNumber block)
{
	ElacExtent *last = writer->nextents > 0 ? &writer->extents[writer->nextents - 1] : NULL;

	if (last != NULL && last->start + last->count == block)
	{
		last->count++;
		return;
	}
	if (writer->nextents == writer->extents_size)
	{
		uint32		size = Max(64, writer->extents_size * 2);

		if (writer->extents == NULL)
			writer->extents = MemoryContextAlloc(writer->context, size * sizeof(ElacExtent));
		else
			writer->extents = repalloc_huge(writer->extents, mul_size(size, sizeof(ElacExtent)));
		writer->extents_size = size;
	}
	writer->extents[writer->nextents].start = block;
	writer->extents[writer->nextents].count = 1;
	writer->nextents++;
}

/* Writes the pending bytes, as many pages as they need (four at most). */
static void
elac_writer_flush_local(ElacBlobWriter *writer)
{
	Buffer		buffers[ELAC_WRITER_PAGES];
	Size		done = 0;
	int			npages = 0;
	ElacPageLog log;

	if (writer->npending == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	if (writer->npages > UINT32_MAX - 1 - ELAC_WRITER_PAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a blob of index \"%s\" has too many pages", RelationGetRelationName(writer->index))));
	while ((Size) npages * ELAC_PAGE_DATA < writer->npending)
		buffers[npages++] = elac_freespace_get(writer->index);

	elac_pagelog_begin(&log, writer->index);
	for (int i = 0; i < npages; i++)
	{
		Page		page = elac_pagelog_page(&log, buffers[i], true);
		Size		n = Min(writer->npending - done, ELAC_PAGE_DATA);

		elac_page_init(page, ELAC_PAGE_BLOB, writer->id, writer->npages + i);
		memcpy(ElacPageGetData(page), writer->pending + done, n);
		elac_page_set_used(page, (uint32) n);
		done += n;
	}
	elac_pagelog_commit(&log);
	for (int i = 0; i < npages; i++)
	{
		elac_writer_add_block(writer, BufferGetBlockNumber(buffers[i]));
		UnlockReleaseBuffer(buffers[i]);
	}
	writer->npages += npages;
	writer->npending = 0;
}

/* Writes the MAP pages, last to first, and returns the first one's block. */
static BlockNumber
elac_writer_write_map(ElacBlobWriter *writer)
{
	uint32		nmaps = (writer->nextents + ELAC_MAP_EXTENTS - 1) / ELAC_MAP_EXTENTS;
	BlockNumber next = InvalidBlockNumber;

	for (uint32 i = nmaps; i-- > 0;)
	{
		uint32		first = i * ELAC_MAP_EXTENTS;
		uint32		count = Min(writer->nextents - first, ELAC_MAP_EXTENTS);
		Buffer		buffer;
		ElacPageLog log;
		Page		page;
		uint8	   *data;

		CHECK_FOR_INTERRUPTS();
		buffer = elac_freespace_get(writer->index);
		elac_pagelog_begin(&log, writer->index);
		page = elac_pagelog_page(&log, buffer, true);
		elac_page_init(page, ELAC_PAGE_MAP, writer->id, i);
		data = ElacPageGetData(page);
		elac_put_u32(data, next);
		elac_put_u32(data + 4, count);
		memcpy(data + ELAC_MAP_HEADER, writer->extents + first, count * sizeof(ElacExtent));
		elac_page_set_used(page, ELAC_MAP_HEADER + count * (uint32) sizeof(ElacExtent));
		elac_pagelog_commit(&log);
		next = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
	}
	return next;
}

/* ---- REMOTE ---- */

/* Turns the pending bytes into frames, the last one padded with zeros. */
static void
elac_writer_flush_remote(ElacBlobWriter *writer)
{
	Size		done = 0;

	CHECK_FOR_INTERRUPTS();
	while (done < writer->npending)
	{
		Size		n = Min(writer->npending - done, ELAC_PAGE_DATA);
		uint8	   *frame = elac_writer_extend(writer, ELAC_FRAME_SIZE);

		memcpy(frame, writer->pending + done, n);
		memset(frame + n, 0, ELAC_PAGE_DATA - n);
		elac_put_u32(frame + ELAC_PAGE_DATA, elac_remote_crc(writer->object, frame, writer->npages));
		elac_put_u32(frame + ELAC_PAGE_DATA + 4, writer->npages);
		writer->npages++;
		done += n;
	}
	writer->npending = 0;
}

static void
elac_writer_put(ElacBlobWriter *writer, ElacBlobRef *ref)
{
	char	   *key = elac_blob_key(writer->key_prefix, ref);

	/* An empty blob has no object: nothing will be read of it. */
	if (writer->bytes.used > 0)
	{
		elac_store_put(writer->store, key, writer->bytes.data, writer->bytes.used, true);
		pfree(writer->bytes.data);
		writer->bytes.data = NULL;
	}
	pfree(key);
}

/* ---- what others call ---- */

static void
elac_writer_flush(ElacBlobWriter *writer)
{
	if (writer->home == ELAC_HOME_LOCAL)
		elac_writer_flush_local(writer);
	else
		elac_writer_flush_remote(writer);
}

void
elac_blob_write(ElacBlobWriter *writer, const void *data, uint64 len)
{
	const uint8 *from = data;

	Assert(!writer->finished);
	if (writer->home == ELAC_HOME_MEMORY)
	{
		if (len > 0)
			memcpy(elac_writer_extend(writer, len), data, len);
		writer->nbytes += len;
		return;
	}
	while (len > 0)
	{
		Size		n = Min(len, ELAC_WRITER_BUFFER - writer->npending);

		memcpy(writer->pending + writer->npending, from, n);
		writer->npending += n;
		writer->nbytes += n;
		from += n;
		len -= n;
		if (writer->npending == ELAC_WRITER_BUFFER)
			elac_writer_flush(writer);
	}
}

void
elac_blob_align(ElacBlobWriter *writer, uint32 alignment)
{
	static const uint8 zeros[1024] = {0};
	uint32		missing = (uint32) (writer->nbytes % alignment);

	if (missing > 0)
		missing = alignment - missing;
	while (missing > 0)
	{
		uint32		n = Min(missing, (uint32) sizeof(zeros));

		elac_blob_write(writer, zeros, n);
		missing -= n;
	}
}

uint64
elac_blob_tell(ElacBlobWriter *writer)
{
	return writer->nbytes;
}

void
elac_blob_finish(ElacBlobWriter *writer, ElacBlobRef *ref)
{
	ElacBlobRef result;

	Assert(!writer->finished);
	memset(&result, 0, sizeof(result));
	result.id = writer->id;
	result.nbytes = writer->nbytes;
	result.npages = (uint32) (writer->nbytes / ELAC_PAGE_DATA + (writer->nbytes % ELAC_PAGE_DATA != 0));
	result.map = InvalidBlockNumber;
	result.home = (uint8) writer->home;
	if (writer->home != ELAC_HOME_MEMORY)
	{
		elac_writer_flush(writer);
		Assert(writer->npages == result.npages);
		pfree(writer->pending);
		writer->pending = NULL;
	}
	if (writer->home == ELAC_HOME_LOCAL)
		result.map = elac_writer_write_map(writer);
	if (writer->home == ELAC_HOME_REMOTE)
	{
		memcpy(result.object, writer->object, sizeof(result.object));
		elac_writer_put(writer, &result);
	}
	if (writer->extents != NULL)
	{
		pfree(writer->extents);
		writer->extents = NULL;
	}
	writer->finished = true;
	if (ref != NULL)
		*ref = result;
}

const uint8 *
elac_blob_memory(ElacBlobWriter *writer, uint64 *nbytes)
{
	Assert(writer->home == ELAC_HOME_MEMORY && writer->finished);
	*nbytes = writer->nbytes;
	return writer->bytes.data != NULL ? writer->bytes.data : (const uint8 *) "";
}
