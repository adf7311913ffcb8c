/*
 * directory.c
 *	  Where the sections of a segment lie: written last, read first.
 *
 * Everything a reader later believes about offsets and lengths is checked
 * here once: parts ascend, do not overlap, and lie within their blobs.
 */
#include "postgres.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "errors.h"
#include "miscadmin.h"
#include "segment/segment_internal.h"

#define DIRECTORY_TIDS 1024		/* docmap entries written at a time */

void
elac_directory_begin(ElacDirectoryWriter *directory, ElacSectionWriter *out, const ElacSchema *schema, uint32 ndocs)
{
	memset(directory, 0, sizeof(*directory));
	directory->out = out;
	directory->schema = schema;
	directory->ndocs = ndocs;
}

void
elac_directory_open_section(ElacDirectoryWriter *directory, int column)
{
	ElacDirectoryEntry *entry = &directory->entries[directory->nsections];

	Assert(column == (int) directory->nsections - 1);
	entry->column = column;
	if (column != ELAC_DOCMAP_COLUMN)
		entry->kind = directory->schema->columns[column].kind;
	elac_blob_align(directory->out->head, ELAC_PART_ALIGNMENT);
	elac_blob_align(directory->out->body, ELAC_PART_ALIGNMENT);
	entry->head_offset = elac_blob_tell(directory->out->head);
	entry->body_offset = elac_blob_tell(directory->out->body);
}

void
elac_directory_close_section(ElacDirectoryWriter *directory)
{
	ElacDirectoryEntry *entry = &directory->entries[directory->nsections++];

	entry->head_len = elac_blob_tell(directory->out->head) - entry->head_offset;
	entry->body_len = elac_blob_tell(directory->out->body) - entry->body_offset;
}

void
elac_directory_add_tids(ElacDirectoryWriter *directory, const ItemPointerData *tids, uint32 ntids)
{
	uint8		buffer[DIRECTORY_TIDS * ELAC_DOCMAP_ENTRY];

	for (uint32 done = 0; done < ntids;)
	{
		uint32		n = Min(DIRECTORY_TIDS, ntids - done);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < n; i++)
		{
			const ItemPointerData *tid = &tids[done + i];

			elac_put_u32(buffer + i * ELAC_DOCMAP_ENTRY, ItemPointerGetBlockNumberNoCheck(tid));
			elac_put_u16(buffer + i * ELAC_DOCMAP_ENTRY + 4, ItemPointerGetOffsetNumberNoCheck(tid));
		}
		elac_blob_write(directory->out->head, buffer, (uint64) n * ELAC_DOCMAP_ENTRY);
		done += n;
	}
}

void
elac_directory_docmap(ElacDirectoryWriter *directory, const ItemPointerData *tids)
{
	elac_directory_open_section(directory, ELAC_DOCMAP_COLUMN);
	elac_directory_add_tids(directory, tids, directory->ndocs);
	elac_directory_close_section(directory);
}

void
elac_directory_finish(ElacDirectoryWriter *directory, uint64 segment_id)
{
	ElacDirectoryHeader header = {0};
	ElacDirectoryFooter footer = {0};
	uint64		entries_len = directory->nsections * sizeof(ElacDirectoryEntry);

	Assert(directory->nsections == 1 + directory->schema->ncolumns);
	header.magic = ELAC_DIRECTORY_MAGIC;
	header.version = ELAC_DIRECTORY_VERSION;
	header.ndocs = directory->ndocs;
	header.nsections = directory->nsections;
	header.segment = segment_id;
	header.body_nbytes = elac_blob_tell(directory->out->body);

	elac_blob_align(directory->out->head, ELAC_PART_ALIGNMENT);
	footer.offset = elac_blob_tell(directory->out->head);
	footer.len = (uint32) (sizeof(header) + entries_len);
	footer.crc = elac_crc32c(elac_crc32c(0, &header, sizeof(header)), directory->entries, entries_len);
	footer.magic = ELAC_FOOTER_MAGIC;
	elac_blob_write(directory->out->head, &header, sizeof(header));
	elac_blob_write(directory->out->head, directory->entries, entries_len);
	elac_blob_write(directory->out->head, &footer, sizeof(footer));
}

/* One part of a section: in order, within its blob; advances *end. */
static bool
directory_part_fits(uint64 offset, uint64 len, uint64 limit, uint64 *end)
{
	if (offset < *end || offset > limit || len > limit - offset || offset % ELAC_PART_ALIGNMENT != 0)
		return false;
	*end = offset + len;
	return true;
}

/* What is wrong with the directory; NULL when nothing is. */
static const char *
directory_fault(const ElacDirectoryHeader *header, const ElacDirectoryEntry *entries, const ElacSegmentRef *ref,
				const ElacSchema *schema, uint64 head_limit)
{
	uint64		head_end = 0;
	uint64		body_end = 0;

	if (header->magic != ELAC_DIRECTORY_MAGIC)
		return "its magic number is wrong";
	if (header->version != ELAC_DIRECTORY_VERSION)
		return "its version is unknown";
	if (header->ndocs != ref->ndocs)
		return "its number of documents is wrong";
	if (header->segment != ref->id)
		return "it belongs to another segment";
	if (header->body_nbytes != ref->body.nbytes)
		return "the size of the body is wrong";
	for (uint32 i = 0; i < header->nsections; i++)
	{
		uint32		kind = i == 0 ? 0 : schema->columns[i - 1].kind;

		if (entries[i].column != (int32) i - 1 || entries[i].kind != kind)
			return "its sections do not match the index's columns";
		if (!directory_part_fits(entries[i].head_offset, entries[i].head_len, head_limit, &head_end) ||
			!directory_part_fits(entries[i].body_offset, entries[i].body_len, header->body_nbytes, &body_end))
			return "its sections overlap or lie outside";
	}
	if (entries[0].head_len != (uint64) header->ndocs * ELAC_DOCMAP_ENTRY || entries[0].body_len != 0)
		return "the length of the docmap is wrong";
	return NULL;
}

void
elac_directory_read(ElacBlobReader *head, const ElacSegmentRef *ref, const ElacSchema *schema,
					ElacDirectoryEntry *entries)
{
	uint64		nbytes = elac_blob_nbytes(head);
	uint32		nsections = 1 + schema->ncolumns;
	uint64		len = sizeof(ElacDirectoryHeader) + nsections * sizeof(ElacDirectoryEntry);
	ElacDirectoryFooter footer;
	ElacDirectoryHeader header;
	const char *fault;

	if (nbytes < len + sizeof(footer))
		elac_corrupted(elac_blob_name(head), "The head of segment " UINT64_FORMAT " is only " UINT64_FORMAT
					   " bytes long.", ref->id, nbytes);
	elac_blob_read(head, nbytes - sizeof(footer), &footer, sizeof(footer));
	if (footer.magic != ELAC_FOOTER_MAGIC || footer.reserved != 0 || footer.len != len ||
		footer.offset != nbytes - sizeof(footer) - len)
		elac_corrupted(elac_blob_name(head), "The footer of segment " UINT64_FORMAT " makes no sense.", ref->id);
	elac_blob_read(head, footer.offset, &header, sizeof(header));
	elac_blob_read(head, footer.offset + sizeof(header), entries, len - sizeof(header));
	if (footer.crc != elac_crc32c(elac_crc32c(0, &header, sizeof(header)), entries, len - sizeof(header)))
		fault = "its checksum is wrong";
	else if (header.nsections != nsections)
		fault = "its number of sections is wrong";
	else
		fault = directory_fault(&header, entries, ref, schema, footer.offset);
	if (fault != NULL)
		elac_corrupted(elac_blob_name(head), "The directory of segment " UINT64_FORMAT " cannot be used: %s.",
					   ref->id, fault);
}

/* Bytes [from, to) of a blob must be zero, and no more than alignment asks for. */
static void
directory_verify_gap(ElacSegment *segment, ElacBlobReader *blob, uint64 from, uint64 to)
{
	uint8		bytes[ELAC_PART_ALIGNMENT];

	if (to - from >= sizeof(bytes))
		elac_corrupted(elac_blob_name(blob), UINT64_FORMAT " bytes of segment " UINT64_FORMAT
					   " belong to no section.", to - from, segment->ref.id);
	elac_blob_read(blob, from, bytes, to - from);
	for (uint64 i = 0; i < to - from; i++)
	{
		if (bytes[i] != 0)
			elac_corrupted(elac_blob_name(blob), "Padding of segment " UINT64_FORMAT " is not zero.", segment->ref.id);
	}
}

void
elac_directory_verify(ElacSegment *segment)
{
	int			nsections = 1 + segment->type->schema->ncolumns;
	uint64		head_end = 0;
	uint64		body_end = 0;
	ElacDirectoryFooter footer;

	for (int i = 0; i < nsections; i++)
	{
		const ElacDirectoryEntry *entry = &segment->entries[i];

		directory_verify_gap(segment, segment->head, head_end, entry->head_offset);
		directory_verify_gap(segment, segment->body, body_end, entry->body_offset);
		head_end = entry->head_offset + entry->head_len;
		body_end = entry->body_offset + entry->body_len;
	}
	elac_blob_read(segment->head, elac_blob_nbytes(segment->head) - sizeof(footer), &footer, sizeof(footer));
	directory_verify_gap(segment, segment->head, head_end, footer.offset);
	directory_verify_gap(segment, segment->body, body_end, segment->ref.body.nbytes);
}
