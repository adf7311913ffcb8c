/*
 * attr_list.c
 *	  Lists of the documents that have an element: finds and reads them.
 *
 * Keys and the lists' places lie in the head, so that what a condition will
 * read of the body is known before anything of it is.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_internal.h"
#include "base/checksum.h"
#include "base/varint.h"
#include "errors.h"

#define list_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

/* Checked when first needed; they live as long as the reader. */
const ElacAttrList *
elac_attr_lists(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	Size		bytes = mul_size(header->nlists, sizeof(ElacAttrList));
	ElacAttrList *lists;

	if (reader->lists != NULL || header->nlists == 0)
		return reader->lists;
	lists = MemoryContextAllocHuge(reader->context, bytes);
	elac_section_read_head(&reader->section, reader->lists_head_offset, lists, bytes);
	if (elac_crc32c(0, lists, bytes) != header->lists_crc)
		list_corrupted(reader, "The checksum of an attribute section's lists is wrong.");
	for (uint32 i = 0; i < header->nlists; i++)
	{
		uint64		end = i + 1 < header->nlists ? lists[i + 1].offset : header->lists_len;

		if (lists[i].offset > end || end > header->lists_len || (i == 0 && lists[i].offset != 0) ||
			lists[i].count > header->ndocs || lists[i].dense > 1 ||
			(lists[i].dense == 1 && end - lists[i].offset != elac_bitmap_words(header->ndocs) * sizeof(uint64)) ||
			(lists[i].dense == 0 && end - lists[i].offset < lists[i].count))
			list_corrupted(reader, "List %u of an attribute section makes no sense.", i);
	}
	reader->lists = lists;
	return lists;
}

ElacAttrReader *
elac_attr_keys(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	ElacSection section = reader->section;
	ElacAttrType type;
	MemoryContext old;

	if (reader->keys != NULL)
		return reader->keys;
	if (!elac_attr_element_type(reader->type.type, &type))
		list_corrupted(reader, "An attribute section has lists, but its values have no elements.");
	section.head_offset = reader->section.head_offset + reader->keys_offset;
	section.head_len = header->keys_head_len;
	section.body = reader->section.head;
	section.body_offset = section.head_offset + header->keys_head_len;
	section.body_len = header->keys_body_len;
	old = MemoryContextSwitchTo(reader->context);
	reader->keys = elac_attr_open(&section, &type, header->nlists - 2);
	MemoryContextSwitchTo(old);
	if (reader->keys->header.encoding != ELAC_ATTR_PLAIN || reader->keys->header.nnull > 0 ||
		reader->keys->header.nlists > 0)
		list_corrupted(reader, "The keys of an attribute section's lists make no sense.");
	return reader->keys;
}

void
elac_attr_find_keys(ElacAttrReader *reader, Datum element, uint32 *first, uint32 *end)
{
	elac_attr_find_equal(elac_attr_keys(reader), element, first, end);
}

static uint64
attr_list_len(ElacAttrReader *reader, uint32 number)
{
	const ElacAttrList *lists = elac_attr_lists(reader);
	uint64		end = number + 1 < reader->header.nlists ? lists[number + 1].offset : reader->header.lists_len;

	return end - lists[number].offset;
}

void
elac_attr_prefetch_list(ElacAttrReader *reader, uint32 number)
{
	const ElacAttrList *lists = elac_attr_lists(reader);
	uint64		len = attr_list_len(reader, number);

	if (len > 0)
		elac_blob_prefetch(reader->section.body, reader->section.body_offset + reader->header.lists_offset +
						   lists[number].offset, len);
}

static void
attr_list_or_dense(ElacAttrReader *reader, uint32 number, uint64 *words, ElacBitmap *out)
{
	Size		nwords = elac_bitmap_words(out->nbits);
	uint32		count = 0;

	if (out->nbits % 64 != 0 && words[nwords - 1] >> (out->nbits % 64) != 0)
		list_corrupted(reader, "List %u of an attribute section has documents past the last one.", number);
	for (Size i = 0; i < nwords; i++)
		count += (uint32) __builtin_popcountll(words[i]);
	if (count != elac_attr_lists(reader)[number].count)
		list_corrupted(reader, "List %u of an attribute section has %u documents, expected are %u.", number, count,
					   elac_attr_lists(reader)[number].count);
	for (Size i = 0; i < nwords; i++)
		out->words[i] |= words[i];
}

static void
attr_list_or_gaps(ElacAttrReader *reader, uint32 number, const uint8 *at, uint64 len, ElacBitmap *out)
{
	const uint8 *end = at + len;
	uint32		count = elac_attr_lists(reader)[number].count;
	uint64		next = 0;

	for (uint32 i = 0; i < count; i++)
	{
		uint64		gap;

		/* most gaps are a byte */
		if (at < end && *at < 0x80)
			gap = *at++;
		else if (!elac_varint_get(&at, end, &gap))
			list_corrupted(reader, "List %u of an attribute section ends too early.", number);
		if (gap >= out->nbits - next)
			list_corrupted(reader, "List %u of an attribute section has documents past the last one.", number);
		next += gap;
		elac_bitmap_set(out, (uint32) next);
		next++;
	}
	if (at != end)
		list_corrupted(reader, "List %u of an attribute section is too long.", number);
}

void
elac_attr_or_list(ElacAttrReader *reader, uint32 number, ElacBitmap *out)
{
	const ElacAttrList *list = &elac_attr_lists(reader)[number];
	uint64		len = attr_list_len(reader, number);
	uint8	   *bytes;

	if (len == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	bytes = palloc_extended(len, MCXT_ALLOC_HUGE);
	elac_section_read_body(&reader->section, reader->header.lists_offset + list->offset, bytes, len);
	if (list->dense)
		attr_list_or_dense(reader, number, (uint64 *) bytes, out);
	else
		attr_list_or_gaps(reader, number, bytes, len, out);
	pfree(bytes);
}
