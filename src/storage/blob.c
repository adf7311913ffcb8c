/*
 * blob.c
 *	  Reading blobs: checks what is asked for against the blob's size and
 *	  sends each logical page to the home it lies in.
 *
 * Owns ElacBlobReader.  A reader belongs to the memory context it was opened
 * in; buffers and cache slots it holds belong to the current resource owner,
 * so an error needs no clean-up.  What the bytes mean is not known here.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "errors.h"
#include "storage/blob_internal.h"

/* Bytes that a copy declares and reads at a time. */
#define ELAC_BLOB_STRIDE ((uint64) 1024 * ELAC_PAGE_DATA)

/* Raises unless ref is one that elac_blob_finish() can have returned. */
static void
elac_blob_check_ref(const char *name, const ElacBlobRef *ref)
{
	uint64		npages = ref->nbytes / ELAC_PAGE_DATA + (ref->nbytes % ELAC_PAGE_DATA != 0);

	if (ref->home != ELAC_HOME_LOCAL && ref->home != ELAC_HOME_REMOTE)
		elac_corrupted(name, "Blob " UINT64_FORMAT " has the unknown home %u.", ref->id, ref->home);
	if (npages != ref->npages)
		elac_corrupted(name, "Blob " UINT64_FORMAT " of " UINT64_FORMAT " bytes claims %u pages.",
					   ref->id, ref->nbytes, ref->npages);
	if (ref->home == ELAC_HOME_LOCAL && (ref->map == InvalidBlockNumber) != (npages == 0))
		elac_corrupted(name, "Blob " UINT64_FORMAT " has a map that does not suit its size.", ref->id);
}

ElacBlobReader *
elac_blob_open(Relation index, const ElacBlobRef *ref, ElacStore *store, const char *key_prefix)
{
	ElacBlobReader *reader = palloc0(sizeof(ElacBlobReader));

	reader->context = CurrentMemoryContext;
	reader->index = index;
	reader->name = pstrdup(RelationGetRelationName(index));
	reader->ref = *ref;
	elac_blob_check_ref(reader->name, ref);
	if (ref->home == ELAC_HOME_LOCAL)
		elac_local_open(reader);
	else
	{
		if (store == NULL || key_prefix == NULL)
			elog(ERROR, "remote blob " UINT64_FORMAT " of index \"%s\" was opened without its store",
				 ref->id, reader->name);
		reader->store = store;
		reader->key = elac_blob_key(key_prefix, ref);
	}
	return reader;
}

ElacBlobReader *
elac_blob_open_memory(const uint8 *bytes, uint64 nbytes, const char *name)
{
	ElacBlobReader *reader = palloc0(sizeof(ElacBlobReader));

	reader->context = CurrentMemoryContext;
	reader->name = pstrdup(name);
	reader->bytes = bytes;
	reader->ref.home = ELAC_HOME_MEMORY;
	reader->ref.nbytes = nbytes;
	return reader;
}

void
elac_blob_close(ElacBlobReader *reader)
{
	if (reader->ref.home == ELAC_HOME_REMOTE)
		elac_remote_close(reader);
	if (reader->extents != NULL)
	{
		pfree(reader->extents);
		pfree(reader->firsts);
	}
	if (reader->recent != NULL)
		pfree(reader->recent);
	if (reader->key != NULL)
		pfree(reader->key);
	pfree(reader->name);
	pfree(reader);
}

void
elac_blob_attach(ElacBlobReader *reader, Relation index)
{
	Assert(reader->ref.home == ELAC_HOME_LOCAL);
	reader->index = index;
}

uint64
elac_blob_nbytes(ElacBlobReader *reader)
{
	return reader->ref.nbytes;
}

const char *
elac_blob_name(ElacBlobReader *reader)
{
	return reader->name;
}

static void
elac_blob_check_range(ElacBlobReader *reader, uint64 offset, uint64 len)
{
	if (offset > reader->ref.nbytes || len > reader->ref.nbytes - offset)
		elac_corrupted(reader->name,
					   "Reading " UINT64_FORMAT " bytes at offset " UINT64_FORMAT
					   " goes beyond the end of blob " UINT64_FORMAT " at " UINT64_FORMAT ".",
					   len, offset, reader->ref.id, reader->ref.nbytes);
}

void
elac_blob_prefetch(ElacBlobReader *reader, uint64 offset, uint64 len)
{
	uint32		first;
	uint32		last;

	elac_blob_check_range(reader, offset, len);
	if (len == 0 || reader->ref.home == ELAC_HOME_MEMORY)
		return;
	first = (uint32) (offset / ELAC_PAGE_DATA);
	last = (uint32) ((offset + len - 1) / ELAC_PAGE_DATA);
	if (reader->ref.home == ELAC_HOME_LOCAL)
		elac_local_prefetch(reader, first, last);
	else
		elac_remote_declare(reader, first, last);
}

void
elac_blob_wait(ElacBlobReader **readers, int nreaders)
{
	for (int i = 0; i < nreaders; i++)
	{
		if (readers[i]->ref.home == ELAC_HOME_REMOTE)
		{
			elac_remote_wait(readers, nreaders);
			return;
		}
	}
}

void
elac_blob_read(ElacBlobReader *reader, uint64 offset, void *dst, uint64 len)
{
	uint8	   *out = dst;
	uint32		last;

	elac_blob_check_range(reader, offset, len);
	if (len == 0)
		return;
	if (reader->ref.home == ELAC_HOME_MEMORY)
	{
		memcpy(dst, reader->bytes + offset, len);
		return;
	}
	last = (uint32) ((offset + len - 1) / ELAC_PAGE_DATA);
	while (len > 0)
	{
		uint32		page = (uint32) (offset / ELAC_PAGE_DATA);
		uint32		within = (uint32) (offset % ELAC_PAGE_DATA);
		uint32		n = (uint32) Min(len, (uint64) (ELAC_PAGE_DATA - within));

		CHECK_FOR_INTERRUPTS();
		if (reader->ref.home == ELAC_HOME_LOCAL)
			elac_local_copy(reader, page, within, out, n);
		else
		{
			ElacCacheSlot *slot = elac_remote_page(reader, page, last);

			memcpy(out, elac_cache_data(slot) + within, n);
			elac_cache_unpin(slot);
		}
		out += n;
		offset += n;
		len -= n;
	}
}

const uint8 *
elac_blob_pin(ElacBlobReader *reader, uint64 offset, uint32 len, ElacBlobPin *pin)
{
	uint32		page = (uint32) (offset / ELAC_PAGE_DATA);
	uint32		within = (uint32) (offset % ELAC_PAGE_DATA);

	pin->buffer = InvalidBuffer;
	pin->copy = NULL;
	pin->slot = NULL;
	elac_blob_check_range(reader, offset, len);
	if (reader->ref.home == ELAC_HOME_MEMORY)
		return reader->bytes + offset;
	if (len == 0 || len > ELAC_PAGE_DATA - within)
	{
		/* A byte more than asked for, so that no allocation is empty. */
		pin->copy = palloc_extended((Size) len + 1, MCXT_ALLOC_HUGE);
		elac_blob_read(reader, offset, pin->copy, len);
		return pin->copy;
	}
	if (reader->ref.home == ELAC_HOME_LOCAL)
		return elac_local_pin(reader, page, pin) + within;
	pin->slot = elac_remote_page(reader, page, page);
	return elac_cache_data(pin->slot) + within;
}

void
elac_blob_unpin(ElacBlobReader *reader, ElacBlobPin *pin)
{
	if (BufferIsValid(pin->buffer))
		ReleaseBuffer(pin->buffer);
	if (pin->slot != NULL)
		elac_cache_unpin(pin->slot);
	if (pin->copy != NULL)
		pfree(pin->copy);
	pin->buffer = InvalidBuffer;
	pin->slot = NULL;
	pin->copy = NULL;
}

void
elac_blob_copy(ElacBlobReader *from, ElacBlobWriter *to)
{
	uint64		size = from->ref.nbytes;
	uint8	   *piece = palloc(ELAC_PAGE_DATA);
	BufferAccessStrategy strategy = from->strategy;

	/* Read once: do not push what queries need out of shared buffers. */
	if (from->ref.home == ELAC_HOME_LOCAL)
		from->strategy = GetAccessStrategy(BAS_BULKREAD);
	for (uint64 start = 0; start < size; start += ELAC_BLOB_STRIDE)
	{
		uint64		end = Min(size, start + ELAC_BLOB_STRIDE);

		elac_blob_prefetch(from, start, end - start);
		elac_blob_wait(&from, 1);
		for (uint64 at = start; at < end; at += ELAC_PAGE_DATA)
		{
			uint64		n = Min(end - at, (uint64) ELAC_PAGE_DATA);

			elac_blob_read(from, at, piece, n);
			elac_blob_write(to, piece, n);
		}
	}
	if (from->strategy != strategy)
		FreeAccessStrategy(from->strategy);
	from->strategy = strategy;
	pfree(piece);
}

char *
elac_blob_key(const char *key_prefix, const ElacBlobRef *ref)
{
	const uint8 *u = ref->object;

	return psprintf("%s/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", key_prefix,
					u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7],
					u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

void
elac_blob_verify(Relation index, const ElacBlobRef *ref, ElacStore *store, const char *key_prefix)
{
	ElacBlobReader *reader = elac_blob_open(index, ref, store, key_prefix);

	if (ref->home == ELAC_HOME_LOCAL)
		elac_local_verify(reader);
	else
		elac_remote_verify(reader);
	elac_blob_close(reader);
}

/* ---- sections ---- */

static void
elac_section_read(ElacBlobReader *blob, uint64 start, uint64 size, uint64 offset, void *dst, uint64 len)
{
	if (offset > size || len > size - offset)
		elac_corrupted(elac_blob_name(blob),
					   "Reading " UINT64_FORMAT " bytes at offset " UINT64_FORMAT
					   " goes beyond the end of a section of " UINT64_FORMAT " bytes.",
					   len, offset, size);
	if (offset > PG_UINT64_MAX - start)
		elac_corrupted(elac_blob_name(blob), "A section begins at the impossible offset " UINT64_FORMAT ".", start);
	elac_blob_read(blob, start + offset, dst, len);
}

void
elac_section_read_head(const ElacSection *section, uint64 offset, void *dst, uint64 len)
{
	elac_section_read(section->head, section->head_offset, section->head_len, offset, dst, len);
}

void
elac_section_read_body(const ElacSection *section, uint64 offset, void *dst, uint64 len)
{
	elac_section_read(section->body, section->body_offset, section->body_len, offset, dst, len);
}
