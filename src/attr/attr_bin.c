/*
 * attr_bin.c
 *	  Reads bins: the values of one, and the value of one document.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_internal.h"
#include "errors.h"

#define bin_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

const char *
elac_attr_bins_fault(const ElacAttrHeader *header, const ElacAttrType *type, const ElacAttrBin *bins)
{
	bool		binned = header->encoding == ELAC_ATTR_BINNED;
	uint64		offset = 0;
	uint64		count = 0;

	for (uint32 b = 0; b < header->nbins; b++)
	{
		const ElacAttrBin *bin = &bins[b];
		uint64		span = (uint64) bin->high - (uint64) bin->low;

		if (bin->low > bin->high || (b > 0 && bin->low <= bins[b - 1].high) || bin->offset != offset ||
			bin->count == 0 || bin->raw > 1 || bin->width > sizeof(uint64))
			return "they are out of order";
		if (binned && (bin->distinct != 0 || (bin->raw && bin->width != type->typlen) ||
					   (!bin->raw && bin->width < sizeof(uint64) && span >> (8 * bin->width) != 0)))
			return "values have another length";
		if (!binned && (bin->distinct == 0 || bin->width != 0 || bin->raw))
			return "they count no values";
		offset += binned ? TYPEALIGN64(8, (uint64) bin->count * bin->width) : bin->distinct;
		count += bin->count;
	}
	if (header->nbins > 0 && count != (uint64) header->ndocs - header->nnull)
		return "they have another number of documents";
	if (header->nbins > 0 && offset != (binned ? header->values_len : header->nvalues))
		return "they do not hold all values";
	return NULL;
}

uint8 *
elac_attr_bin_bytes(ElacAttrReader *reader, uint32 number)
{
	const ElacAttrBin *bin = &elac_attr_bins(reader)[number];
	Size		len = (Size) bin->count * bin->width;
	uint8	   *bytes = palloc_extended(len + sizeof(uint64), MCXT_ALLOC_HUGE);

	memset(bytes + len, 0, sizeof(uint64));
	elac_section_read_body(&reader->section, reader->header.values_offset + bin->offset, bytes, len);
	return bytes;
}

/* The bits stored for value i; bytes has room for eight from there on. */
static uint64
attr_bin_bits(const ElacAttrBin *bin, const uint8 *bytes, uint32 i)
{
	uint64		bits;

	memcpy(&bits, bytes + (Size) i * bin->width, sizeof(bits));
	return bin->width == sizeof(bits) ? bits : bits & ((UINT64CONST(1) << (8 * bin->width)) - 1);
}

int64
elac_attr_bin_key(const ElacAttrType *type, const ElacAttrBin *bin, const uint8 *bytes, uint32 i)
{
	uint64		bits = attr_bin_bits(bin, bytes, i);

	return bin->raw ? elac_attr_sort_key(type, bits) : (int64) ((uint64) bin->low + bits);
}

uint64
elac_attr_bin_image(const ElacAttrType *type, const ElacAttrBin *bin, const uint8 *bytes, uint32 i)
{
	uint64		bits = attr_bin_bits(bin, bytes, i);

	return bin->raw ? bits : elac_attr_sort_image(type, (int64) ((uint64) bin->low + bits));
}

uint16 *
elac_attr_bin_counts(ElacAttrReader *reader, uint32 number)
{
	uint32		ngroups = elac_attr_ngroups(reader->header.ndocs);
	Size		len = (Size) ngroups * sizeof(uint16);
	uint16	   *counts = palloc_extended(len, MCXT_ALLOC_HUGE);
	uint64		sum = 0;

	elac_section_read_body(&reader->section, reader->header.counts_offset + number * len, counts, len);
	for (uint32 g = 0; g < ngroups; g++)
	{
		if (counts[g] > ELAC_ATTR_GROUP)
			bin_corrupted(reader, "Bin %u of an attribute section counts %u documents in a group.", number, counts[g]);
		sum += counts[g];
	}
	if (sum != elac_attr_bins(reader)[number].count)
		bin_corrupted(reader, "Bin %u of an attribute section counts " UINT64_FORMAT " documents, expected are %u.",
					  number, sum, elac_attr_bins(reader)[number].count);
	return counts;
}

void
elac_attr_prefetch_bin(ElacAttrReader *reader, uint32 number)
{
	const ElacAttrBin *bin = &elac_attr_bins(reader)[number];
	uint64		start = reader->section.body_offset;
	uint64		counts_len = (uint64) elac_attr_ngroups(reader->header.ndocs) * sizeof(uint16);

	if (bin->width > 0)
		elac_blob_prefetch(reader->section.body, start + reader->header.values_offset + bin->offset,
						   (uint64) bin->count * bin->width);
	elac_blob_prefetch(reader->section.body, start + reader->header.counts_offset + number * counts_len, counts_len);
}

/* Which of a bin's values a document's is. */
static uint32
attr_binned_rank(ElacAttrReader *reader, ElacDoc doc, uint32 number)
{
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	uint16	   *counts = elac_attr_bin_counts(reader, number);
	uint64		words[ELAC_ATTR_GROUP / 64] = {0};
	uint32		group = doc / ELAC_ATTR_GROUP;
	uint32		within = doc % ELAC_ATTR_GROUP;
	uint32		rank = 0;

	for (uint32 g = 0; g < group; g++)
		rank += counts[g];
	pfree(counts);
	/* elac_attr_code() has read the group's planes */
	elac_attr_planes_select(reader->planes, reader->header.width, number, number + 1, words);
	for (uint32 w = 0; w <= within / 64; w++)
	{
		uint64		word = words[w] & ~nulls->words[(Size) group * (ELAC_ATTR_GROUP / 64) + w];

		if (w == within / 64)
			word &= (UINT64CONST(1) << (within % 64)) - 1;
		rank += (uint32) __builtin_popcountll(word);
	}
	return rank;
}

uint64
elac_attr_binned_image(ElacAttrReader *reader, ElacDoc doc)
{
	const ElacAttrType *type = &reader->type;
	uint32		number = elac_attr_code(reader, doc);
	const ElacAttrBin *bin = &elac_attr_bins(reader)[number];
	uint32		rank = attr_binned_rank(reader, doc, number);
	uint8		bytes[sizeof(uint64)] = {0};

	if (rank >= bin->count)
		bin_corrupted(reader, "Document %u has value %u of a bin of %u.", doc, rank, bin->count);
	elac_section_read_body(&reader->section, reader->header.values_offset + bin->offset + (uint64) rank * bin->width,
						   bytes, bin->width);
	return elac_attr_bin_image(type, bin, bytes, 0);
}

uint64 *
elac_attr_binned_images(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	const ElacAttrBin *bins = elac_attr_bins(reader);
	uint64	   *images = palloc_extended(mul_size((Size) header->ndocs + 1, sizeof(uint64)), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint8	   *bytes[ELAC_ATTR_MAX_BINS];
	uint32		next[ELAC_ATTR_MAX_BINS] = {0};

	for (uint32 b = 0; b < header->nbins; b++)
		bytes[b] = elac_attr_bin_bytes(reader, b);
	for (uint32 doc = 0; doc < header->ndocs; doc++)
	{
		uint32		code;

		if (doc % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (elac_bitmap_get(nulls, doc))
			continue;
		code = elac_attr_code(reader, doc);
		if (next[code] == bins[code].count)
			bin_corrupted(reader, "Bin %u of an attribute section has more than %u documents.", code, bins[code].count);
		images[doc] = elac_attr_bin_image(&reader->type, &bins[code], bytes[code], next[code]++);
	}
	for (uint32 b = 0; b < header->nbins; b++)
		pfree(bytes[b]);
	return images;
}
