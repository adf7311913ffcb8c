/*
 * attr_reader.c
 *	  Opens an attribute section, checks what it reads, hands out values.
 *
 * Values passed by reference point into decompressed blocks, which stay in
 * the reader's context for as long as the reader does, or until the next when
 * a whole column is passed through.  A block's checksum is
 * compared before its bytes become datums, because an operator believes what
 * stands in a datum.  No page stays pinned.
 */
#include "postgres.h"

#include <zstd.h>

#include "access/tupmacs.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "attr/attr_internal.h"
#include "base/checksum.h"
#include "compat.h"
#include "errors.h"

#define attr_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

/* A block has one value of the largest size at most, beside the smaller ones. */
#define ATTR_MAX_RAW (MaxAllocSize + ELAC_ATTR_BLOCK_BYTES + 2 * ELAC_ATTR_BLOCK_VALUES * sizeof(uint32))

/* Bytes of all codes: a plane has a word for each 64 documents. */
static uint64
attr_codes_len(uint32 ndocs, unsigned width)
{
	return (uint64) elac_bitmap_words(ndocs) * sizeof(uint64) * width;
}

static uint64
attr_nulls_len(const ElacAttrHeader *header)
{
	if (header->nnull == 0 || header->nnull == header->ndocs)
		return 0;
	return (uint64) elac_bitmap_words(header->ndocs) * sizeof(uint64);
}

/* Where the pieces of the head begin. */
static uint64
attr_bins_offset(const ElacAttrHeader *header)
{
	return sizeof(ElacAttrHeader) + (uint64) header->nblocks * sizeof(ElacAttrBlock);
}

static uint64
attr_filter_offset(const ElacAttrHeader *header)
{
	return attr_bins_offset(header) + (uint64) header->nbins * sizeof(ElacAttrBin) +
		(uint64) header->nfrequent * sizeof(ElacAttrFrequent);
}

static uint64
attr_keys_offset(const ElacAttrHeader *header)
{
	return attr_filter_offset(header) + header->filter_len + header->rows_len +
		(uint64) header->nlists * sizeof(ElacAttrList);
}

/* What the header says of the parts' pieces; NULL when good. */
static const char *
attr_pieces_fault(const ElacAttrHeader *header, const ElacAttrType *type, const ElacSection *section)
{
	uint64		counts_len = header->encoding == ELAC_ATTR_BINNED ?
		(uint64) header->nbins * elac_attr_ngroups(header->ndocs) * sizeof(uint16) : 0;
	uint64		rows_len = ((uint64) header->nblocks + 7) / 8 * ELAC_ATTR_ROWS;

	if (header->nbins > ELAC_ATTR_MAX_BINS || (header->nbins > 0 && !elac_attr_is_ordered(type)) ||
		(header->encoding == ELAC_ATTR_BINNED &&
		 ((header->nbins == 0) != (header->nnull == header->ndocs) ||
		  header->width != (header->nbins <= 1 ? 0 : pg_leftmost_one_pos32(header->nbins - 1) + 1))))
		return "its number of bins is wrong";
	if (header->nfrequent > ELAC_ATTR_MAX_FREQUENT || header->filter_len % 8 != 0 || header->nlists == 1 ||
		(header->rows_len != 0 && header->rows_len != rows_len) ||
		((header->filter_len > 0 || header->rows_len > 0) && !elac_attr_has_filter(type)) ||
		(header->nlists == 0 && (header->keys_head_len > 0 || header->keys_body_len > 0)))
		return "the pieces of its head do not fit";

	/* each piece is bounded by the section, so that the sums cannot overflow */
	if (header->keys_body_len > section->head_len || header->rows_len > section->head_len ||
		attr_keys_offset(header) + header->keys_head_len + header->keys_body_len != section->head_len)
		return "the length of its head is wrong";
	if (header->values_len > section->body_len || header->codes_len > section->body_len ||
		header->counts_len != counts_len || counts_len > section->body_len || header->lists_len > section->body_len ||
		header->values_offset != attr_nulls_len(header) ||
		header->codes_offset != TYPEALIGN64(8, header->values_offset + header->values_len) ||
		header->counts_offset != header->codes_offset + header->codes_len ||
		header->lists_offset != TYPEALIGN64(8, header->counts_offset + header->counts_len) ||
		header->lists_offset + header->lists_len != section->body_len)
		return "the pieces of its body do not fit";
	if (type->typbyval && header->encoding != ELAC_ATTR_BINNED &&
		header->values_len != (uint64) header->nvalues * (uint64) type->typlen)
		return "the length of its values is wrong";
	return NULL;
}

/* Everything in the header that can be told without reading more; NULL when good. */
static const char *
attr_header_fault(const ElacAttrHeader *header, const ElacAttrType *type, const ElacSection *section, uint32 ndocs)
{
	if (header->magic != ELAC_ATTR_MAGIC)
		return "its magic number is wrong";
	if (header->crc != elac_crc32c(0, header, offsetof(ElacAttrHeader, crc)))
		return "the checksum of its header is wrong";
	if (header->version != ELAC_ATTR_VERSION)
		return "its version is unknown";
	if (header->typlen != type->typlen || (header->typbyval != 0) != type->typbyval ||
		header->typalign != type->typalign)
		return "it was written for another type";
	if (header->ndocs != ndocs || header->nnull > ndocs)
		return "its number of documents is wrong";
	switch (header->encoding)
	{
		case ELAC_ATTR_PLAIN:
			if (header->nvalues != ndocs || header->width != 0 || header->codes_len != 0 || header->nbins != 0)
				return "its number of values is wrong";
			break;
		case ELAC_ATTR_DICTIONARY:
			if (header->nvalues > ELAC_ATTR_MAX_DISTINCT || (header->nvalues == 0) != (header->nnull == ndocs) ||
				header->width > ELAC_ATTR_MAX_WIDTH || header->codes_len != attr_codes_len(ndocs, header->width))
				return "its dictionary's size is wrong";
			break;
		case ELAC_ATTR_BINNED:
			if (header->nvalues != ndocs || !elac_attr_is_ordered(type) ||
				header->width > ELAC_ATTR_MAX_WIDTH || header->codes_len != attr_codes_len(ndocs, header->width))
				return "its codes' size is wrong";
			break;
		default:
			return "its encoding is unknown";
	}
	if (header->nblocks > (type->typbyval ? 0 : header->nvalues))
		return "its number of value blocks is wrong";
	return attr_pieces_fault(header, type, section);
}

/* Blocks follow each other, in values and in bytes, and end where the values do. */
static void
attr_check_directory(const ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	uint64		offset = 0;
	uint64		first = 0;

	if (header->directory_crc != elac_crc32c(0, reader->directory, header->nblocks * sizeof(ElacAttrBlock)))
		attr_corrupted(reader, "The checksum of an attribute section's block directory is wrong.");
	for (uint32 i = 0; i < header->nblocks; i++)
	{
		const ElacAttrBlock *block = &reader->directory[i];

		if (block->offset != offset || block->first != first || block->nvalues == 0 ||
			block->nvalues > ELAC_ATTR_BLOCK_VALUES || block->compression > ELAC_ATTR_ZSTD ||
			block->stored_len == 0 || block->raw_len == 0 || block->raw_len > ATTR_MAX_RAW ||
			(block->compression == ELAC_ATTR_RAW && block->stored_len != block->raw_len))
			attr_corrupted(reader, "Block %u of an attribute section's directory makes no sense.", i);
		offset += block->stored_len;
		first += block->nvalues;
	}
	if (!reader->type.typbyval && (offset != header->values_len || first != header->nvalues))
		attr_corrupted(reader, "An attribute section's blocks hold " UINT64_FORMAT " values in " UINT64_FORMAT
					   " bytes, expected are %u in " UINT64_FORMAT ".",
					   first, offset, header->nvalues, header->values_len);
}

ElacAttrReader *
elac_attr_open(const ElacSection *section, const ElacAttrType *type, uint32 ndocs)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute reader",
												  ALLOCSET_SMALL_SIZES);
	ElacAttrReader *reader = MemoryContextAllocZero(context, sizeof(ElacAttrReader));
	const char *fault;

	reader->context = context;
	reader->section = *section;
	reader->type = *type;
	reader->group = ELAC_ATTR_NO_GROUP;
	if (section->head_len < sizeof(ElacAttrHeader))
		attr_corrupted(reader, "An attribute section is %llu bytes long.", (unsigned long long) section->head_len);
	elac_section_read_head(section, 0, &reader->header, sizeof(ElacAttrHeader));
	fault = attr_header_fault(&reader->header, type, section, ndocs);
	if (fault != NULL)
		attr_corrupted(reader, "An attribute section cannot be read: %s.", fault);

	if (reader->header.nblocks > 0)
	{
		Size		bytes = mul_size(reader->header.nblocks, sizeof(ElacAttrBlock));

		reader->directory = MemoryContextAllocHuge(context, bytes);
		elac_section_read_head(section, sizeof(ElacAttrHeader), reader->directory, bytes);
		bytes = mul_size(reader->header.nblocks, sizeof(char *));
		reader->blocks = MemoryContextAllocHuge(context, bytes);
		memset(reader->blocks, 0, bytes);
	}
	attr_check_directory(reader);
	reader->filter_offset = attr_filter_offset(&reader->header);
	reader->rows_offset = reader->filter_offset + reader->header.filter_len;
	reader->lists_head_offset = reader->rows_offset + reader->header.rows_len;
	reader->keys_offset = attr_keys_offset(&reader->header);
	return reader;
}

void
elac_attr_prefetch(ElacAttrReader *reader)
{
	if (reader->section.body_len > 0)
		elac_blob_prefetch(reader->section.body, reader->section.body_offset, reader->section.body_len);
}

uint32
elac_attr_group_size(const ElacAttrReader *reader, uint32 group)
{
	uint32		first = group * ELAC_ATTR_GROUP;

	Assert(first < reader->header.ndocs);
	return Min(ELAC_ATTR_GROUP, reader->header.ndocs - first);
}

const ElacBitmap *
elac_attr_nulls(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	ElacBitmap	nulls;
	Size		bytes;

	if (reader->nulls.words != NULL)
		return &reader->nulls;
	nulls.nbits = header->ndocs;
	bytes = elac_bitmap_words(header->ndocs) * sizeof(uint64);
	nulls.words = MemoryContextAllocHuge(reader->context, bytes + sizeof(uint64));
	if (header->nnull == 0)
		elac_bitmap_zero(&nulls);
	else if (header->nnull == header->ndocs)
		elac_bitmap_fill(&nulls);
	else
	{
		elac_section_read_body(&reader->section, 0, nulls.words, bytes);
		if (header->ndocs % 64 != 0 && nulls.words[header->ndocs / 64] >> (header->ndocs % 64) != 0)
			attr_corrupted(reader, "The NULL bitmap of an attribute section has bits past its end.");
		if (elac_bitmap_count(&nulls) != header->nnull)
			attr_corrupted(reader, "The NULL bitmap of an attribute section has %u bits set, expected are %u.",
						   elac_bitmap_count(&nulls), header->nnull);
	}
	reader->nulls = nulls;
	return &reader->nulls;
}

/* Bins and frequent values, which have one checksum. */
static void
attr_load_statistics(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	Size		bins_len = header->nbins * sizeof(ElacAttrBin);
	Size		frequent_len = header->nfrequent * sizeof(ElacAttrFrequent);
	char	   *bytes = MemoryContextAlloc(reader->context, bins_len + frequent_len + 1);
	const char *fault;

	elac_section_read_head(&reader->section, attr_bins_offset(header), bytes, bins_len + frequent_len);
	if (elac_crc32c(0, bytes, bins_len + frequent_len) != header->statistics_crc)
		attr_corrupted(reader, "The checksum of an attribute section's bins is wrong.");
	fault = elac_attr_bins_fault(header, &reader->type, (ElacAttrBin *) bytes);
	if (fault != NULL)
		attr_corrupted(reader, "The bins of an attribute section cannot be read: %s.", fault);
	reader->frequent = (ElacAttrFrequent *) (bytes + bins_len);
	reader->bins = (ElacAttrBin *) bytes;
}

const ElacAttrBin *
elac_attr_bins(ElacAttrReader *reader)
{
	if (reader->bins == NULL)
		attr_load_statistics(reader);
	return reader->bins;
}

const ElacAttrFrequent *
elac_attr_frequent(ElacAttrReader *reader)
{
	if (reader->bins == NULL)
		attr_load_statistics(reader);
	return reader->frequent;
}

/* Offsets ascend by whole values, each of which is as long as its header says; NULL when good. */
static const char *
attr_varlena_fault(const ElacAttrReader *reader, const ElacAttrBlock *block, const char *raw)
{
	const uint32 *offsets = (const uint32 *) raw;
	Size		start = MAXALIGN((block->nvalues + 1) * sizeof(uint32));
	uint32		alignment = elac_attr_alignment(&reader->type);

	if (block->raw_len < start || offsets[0] != start || offsets[block->nvalues] != block->raw_len)
		return "its offsets do not fit";
	for (uint32 i = 0; i < block->nvalues; i++)
	{
		Size		room;

		if (offsets[i + 1] < offsets[i] || offsets[i + 1] > block->raw_len || offsets[i] % alignment != 0)
			return "an offset is out of order";
		room = offsets[i + 1] - offsets[i];
		if (room == 0)
			continue;			/* the place of a NULL */
		if (room < VARHDRSZ || !VARATT_IS_4B_U(raw + offsets[i]) || VARSIZE_4B(raw + offsets[i]) < VARHDRSZ ||
			TYPEALIGN(alignment, (Size) VARSIZE_4B(raw + offsets[i])) != room)
			return "the length of a value is wrong";
	}
	return NULL;
}

/* The stored bytes of a block, checked, in memory of the reader. */
static char *
attr_load_stored(const ElacAttrReader *reader, uint32 number)
{
	const ElacAttrBlock *block = &reader->directory[number];
	char	   *stored = MemoryContextAllocHuge(reader->context, block->stored_len);

	elac_section_read_body(&reader->section, reader->header.values_offset + block->offset, stored, block->stored_len);
	if (elac_crc32c(0, stored, block->stored_len) != block->crc)
		attr_corrupted(reader, "The checksum of value block %u of an attribute section is wrong.", number);
	return stored;
}

static char *
attr_load_block(const ElacAttrReader *reader, uint32 number)
{
	const ElacAttrBlock *block = &reader->directory[number];
	char	   *stored = attr_load_stored(reader, number);
	char	   *raw = stored;
	const char *fault = NULL;

	if (block->compression == ELAC_ATTR_ZSTD)
	{
		/* so that no more is allocated than what was compressed */
		if (ZSTD_getFrameContentSize(stored, block->stored_len) != block->raw_len)
			attr_corrupted(reader, "Value block %u of an attribute section has another length.", number);
		raw = MemoryContextAllocHuge(reader->context, block->raw_len);
		if (ZSTD_decompress(raw, block->raw_len, stored, block->stored_len) != block->raw_len)
			attr_corrupted(reader, "Value block %u of an attribute section cannot be decompressed.", number);
		pfree(stored);
	}
	if (reader->type.typlen == -1)
		fault = attr_varlena_fault(reader, block, raw);
	else if (block->raw_len != (uint64) block->nvalues * elac_attr_stride(&reader->type))
		fault = "its length is wrong";
	if (fault != NULL)
		attr_corrupted(reader, "Value block %u of an attribute section cannot be read: %s.", number, fault);
	return raw;
}

/* keep: for as long as the reader lives, else until another is asked for. */
static const char *
attr_block(ElacAttrReader *reader, uint32 number, bool keep)
{
	reader->last_block = number;
	if (reader->blocks[number] != NULL)
		return reader->blocks[number];
	if (reader->passing == NULL || reader->passing_block != number)
	{
		if (reader->passing != NULL)
			pfree(reader->passing);
		reader->passing = NULL;
		reader->passing = attr_load_block(reader, number);
		reader->passing_block = number;
	}
	if (!keep)
		return reader->passing;
	reader->blocks[number] = reader->passing;
	reader->passing = NULL;
	return reader->blocks[number];
}

/* The last one used, or by bisection. */
uint32
elac_attr_block_of(const ElacAttrReader *reader, uint32 index)
{
	const ElacAttrBlock *last = &reader->directory[reader->last_block];
	uint32		low = 0;
	uint32		high = reader->header.nblocks;

	if (index >= last->first && index - last->first < last->nvalues)
		return reader->last_block;
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (reader->directory[middle].first <= index)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* All values of a by-value dictionary, or those of a group. */
static const char *
attr_fixed_values(ElacAttrReader *reader, uint32 index, uint32 *first)
{
	uint32		typlen = reader->type.typlen;

	if (reader->header.encoding == ELAC_ATTR_DICTIONARY)
	{
		if (reader->values == NULL)
		{
			char	   *values = MemoryContextAlloc(reader->context, reader->header.values_len + 1);

			elac_section_read_body(&reader->section, reader->header.values_offset, values, reader->header.values_len);
			reader->values = values;
		}
		*first = 0;
		return reader->values;
	}
	if (reader->group != index / ELAC_ATTR_GROUP)
	{
		uint32		group = index / ELAC_ATTR_GROUP;

		reader->group = ELAC_ATTR_NO_GROUP;
		elac_section_read_body(&reader->section,
							   reader->header.values_offset + (uint64) group * ELAC_ATTR_GROUP * typlen,
							   reader->fixed, (uint64) elac_attr_group_size(reader, group) * typlen);
		reader->group = group;
	}
	*first = reader->group * ELAC_ATTR_GROUP;
	return reader->fixed;
}

static Datum
attr_value(ElacAttrReader *reader, uint32 index, bool keep)
{
	const ElacAttrType *type = &reader->type;
	const char *raw;
	uint32		first;
	uint32		number;
	const uint32 *offsets;

	if (index >= reader->header.nvalues)
		elog(ERROR, "attribute value number %u is out of range", index);
	if (reader->header.encoding == ELAC_ATTR_BINNED)
		return elac_attr_datum(type, elac_attr_binned_image(reader, index));
	if (type->typbyval)
	{
		raw = attr_fixed_values(reader, index, &first);
		raw += (Size) (index - first) * type->typlen;
		return fetch_att(raw, true, type->typlen);
	}
	number = elac_attr_block_of(reader, index);
	raw = attr_block(reader, number, keep);
	index -= reader->directory[number].first;
	if (type->typlen > 0)
		return PointerGetDatum(raw + (Size) index * elac_attr_stride(type));
	offsets = (const uint32 *) raw;
	if (offsets[index] == offsets[index + 1])
		attr_corrupted(reader, "A value of an attribute section is missing.");
	return PointerGetDatum(raw + offsets[index]);
}

Datum
elac_attr_value(ElacAttrReader *reader, uint32 index)
{
	return attr_value(reader, index, true);
}

Datum
elac_attr_peek(ElacAttrReader *reader, uint32 index)
{
	return attr_value(reader, index, reader->header.encoding == ELAC_ATTR_DICTIONARY);
}

void
elac_attr_planes(ElacAttrReader *reader, uint32 first, uint32 n, uint64 *planes)
{
	const ElacAttrHeader *header = &reader->header;
	uint32		words = ELAC_ATTR_GROUP / 64;
	Size		group_bytes = (Size) words * sizeof(uint64) * header->width;
	uint64		offset = header->codes_offset + first * group_bytes;
	uint32		last_words;

	Assert(header->encoding != ELAC_ATTR_PLAIN && n > 0);
	last_words = (uint32) elac_bitmap_words(elac_attr_group_size(reader, first + n - 1));
	if (last_words == words)
	{
		elac_section_read_body(&reader->section, offset, planes, n * group_bytes);
		return;
	}

	/* the planes of the last group are shorter: each to its place, the top one first */
	elac_section_read_body(&reader->section, offset, planes,
						   (n - 1) * group_bytes + (Size) last_words * sizeof(uint64) * header->width);
	planes += (n - 1) * group_bytes / sizeof(uint64);
	for (unsigned p = header->width; p-- > 0;)
	{
		memmove(planes + p * words, planes + p * last_words, last_words * sizeof(uint64));
		memset(planes + p * words + last_words, 0, (words - last_words) * sizeof(uint64));
	}
}

uint32
elac_attr_code(ElacAttrReader *reader, ElacDoc doc)
{
	const ElacAttrHeader *header = &reader->header;
	uint32		group = doc / ELAC_ATTR_GROUP;
	uint32		within = doc % ELAC_ATTR_GROUP;
	uint32		ncodes = header->encoding == ELAC_ATTR_BINNED ? header->nbins : header->nvalues;
	uint32		code = 0;

	if (reader->group != group)
	{
		reader->group = ELAC_ATTR_NO_GROUP;
		elac_attr_planes(reader, group, 1, reader->planes);
		reader->group = group;
	}
	for (unsigned p = 0; p < header->width; p++)
		code |= (uint32) ((reader->planes[p * (ELAC_ATTR_GROUP / 64) + within / 64] >> (within % 64)) & 1) << p;
	if (code >= Max(ncodes, 1))
		attr_corrupted(reader, "Document %u has code %u, but there are only %u.", doc, code, ncodes);
	return code;
}

uint32
elac_attr_index(ElacAttrReader *reader, ElacDoc doc)
{
	return reader->header.encoding == ELAC_ATTR_DICTIONARY ? elac_attr_code(reader, doc) : doc;
}

Datum
elac_attr_get(ElacAttrReader *reader, ElacDoc doc, bool *isnull)
{
	if (doc >= reader->header.ndocs)
		elog(ERROR, "document number %u is out of range", doc);
	*isnull = elac_bitmap_get(elac_attr_nulls(reader), doc);
	if (*isnull)
		return (Datum) 0;
	return elac_attr_value(reader, elac_attr_index(reader, doc));
}
