/*
 * attr_verify.c
 *	  Deep check of an attribute section: what opening and reading check, for
 *	  every block and document, and that nothing stands where nothing should.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_internal.h"
#include "base/checksum.h"
#include "compat.h"
#include "errors.h"

#define verify_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

/* Order of the dictionary: the type's where it is known here, then image, or bytes and then length. */
static int
attr_verify_compare(const ElacAttrType *type, Datum a, Datum b)
{
	Size		left;
	Size		right;
	int			result;

	if (elac_attr_is_ordered(type))
	{
		result = elac_attr_compare(type, elac_attr_image(type, a), elac_attr_image(type, b));
		if (result != 0)
			return result;
	}
	if (type->typbyval)
	{
		uint64		x = elac_attr_image(type, a);
		uint64		y = elac_attr_image(type, b);

		return x < y ? -1 : (x > y ? 1 : 0);
	}
	if (type->typlen > 0)
		return memcmp(DatumGetPointer(a), DatumGetPointer(b), type->typlen);
	left = VARSIZE_ANY_EXHDR(DatumGetPointer(a));
	right = VARSIZE_ANY_EXHDR(DatumGetPointer(b));
	result = memcmp(VARDATA_ANY(DatumGetPointer(a)), VARDATA_ANY(DatumGetPointer(b)), Min(left, right));
	if (result != 0)
		return result;
	return left < right ? -1 : (left > right ? 1 : 0);
}

static void
attr_verify_order(ElacAttrReader *reader)
{
	for (uint32 i = 1; i < reader->header.nvalues; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (attr_verify_compare(&reader->type, elac_attr_value(reader, i - 1), elac_attr_value(reader, i)) >= 0)
			verify_corrupted(reader, "Values %u and %u of an attribute section are out of order.", i - 1, i);
	}
}

/* Bytes between the pieces of the body are zero. */
static void
attr_verify_gap(ElacAttrReader *reader, uint64 start, uint64 end)
{
	uint64		padding = 0;

	elac_section_read_body(&reader->section, start, &padding, end - start);
	if (padding != 0)
		verify_corrupted(reader, "The padding of an attribute section is not zero.");
}

static void
attr_verify_padding(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;

	attr_verify_gap(reader, header->values_offset + header->values_len, header->codes_offset);
	attr_verify_gap(reader, header->counts_offset + header->counts_len, header->lists_offset);
	for (uint32 b = 0; b < header->nbins && header->encoding == ELAC_ATTR_BINNED; b++)
	{
		const ElacAttrBin *bin = &elac_attr_bins(reader)[b];
		uint64		end = header->values_offset + bin->offset + (uint64) bin->count * bin->width;

		attr_verify_gap(reader, end, TYPEALIGN64(8, end));
	}
}

/* So are the bits of the codes' planes past the last document. */
static void
attr_verify_planes(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ELAC_ATTR_GROUP / 64];
	uint32		within = header->ndocs % ELAC_ATTR_GROUP;

	if (header->encoding == ELAC_ATTR_PLAIN || header->ndocs % 64 == 0)
		return;
	elac_attr_planes(reader, header->ndocs / ELAC_ATTR_GROUP, 1, planes);
	for (unsigned p = 0; p < header->width; p++)
		if (planes[p * (ELAC_ATTR_GROUP / 64) + within / 64] >> (within % 64) != 0)
			verify_corrupted(reader, "A code of an attribute section stands past the last document.");
}

/* The place of a NULL holds nothing. */
static void
attr_verify_null(ElacAttrReader *reader, ElacDoc doc)
{
	bool		empty = true;

	if (reader->header.encoding != ELAC_ATTR_PLAIN)
		empty = elac_attr_code(reader, doc) == 0;
	else if (reader->type.typbyval)
		empty = elac_attr_image(&reader->type, elac_attr_value(reader, doc)) == 0;
	if (!empty)
		verify_corrupted(reader, "Document %u is NULL but has a value.", doc);
}

/* What is found of a bin, or of the codes of a dictionary that it stands for. */
typedef struct VerifyBin
{
	int64		low;
	int64		high;
	uint32		count;
} VerifyBin;

static void
attr_verify_bin_value(VerifyBin *found, int64 key)
{
	found->low = found->count == 0 ? key : Min(found->low, key);
	found->high = found->count == 0 ? key : Max(found->high, key);
	found->count++;
}

/* The bin of a dictionary's code. */
static uint32
attr_verify_bin_of(const ElacAttrBin *bins, uint32 nbins, uint32 code)
{
	uint32		b = 0;

	while (b + 1 < nbins && bins[b + 1].offset <= code)
		b++;
	return b;
}

static void
attr_verify_bins(ElacAttrReader *reader, const VerifyBin *found)
{
	const ElacAttrHeader *header = &reader->header;
	const ElacAttrBin *bins = elac_attr_bins(reader);

	for (uint32 b = 0; b < header->nbins; b++)
	{
		if (found[b].low != bins[b].low || found[b].high != bins[b].high || found[b].count != bins[b].count)
			verify_corrupted(reader, "Bin %u of an attribute section does not fit its values.", b);
		for (int i = 0; i < (int) lengthof(bins[b].reserved); i++)
			if (bins[b].reserved[i] != 0)
				verify_corrupted(reader, "Reserved bytes of an attribute section are not zero.");
		if (header->encoding == ELAC_ATTR_BINNED)
			pfree(elac_attr_bin_counts(reader, b));
	}
}

static void
attr_verify_filters_crc(ElacAttrReader *reader)
{
	uint64		end = reader->rows_offset + reader->header.rows_len;
	uint8		bytes[ELAC_ATTR_ROWS];
	uint32		crc = 0;

	for (uint64 at = reader->filter_offset; at < end; at += sizeof(bytes))
	{
		Size		n = Min(sizeof(bytes), end - at);

		CHECK_FOR_INTERRUPTS();
		elac_section_read_head(&reader->section, at, bytes, n);
		crc = elac_crc32c(crc, bytes, n);
	}
	if (crc != reader->header.filters_crc)
		verify_corrupted(reader, "The checksum of an attribute section's filters is wrong.");
}

static int
attr_verify_number(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Frequent values are those of as many documents. */
static void
attr_verify_frequent(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	const ElacAttrFrequent *frequent = elac_attr_frequent(reader);
	uint64		sum = 0;

	for (uint32 i = 0; i < header->nfrequent; i++)
	{
		if (frequent[i].reserved != 0 || frequent[i].count == 0 || (i > 0 && frequent[i].hash <= frequent[i - 1].hash))
			verify_corrupted(reader, "Frequent value %u of an attribute section makes no sense.", i);
		sum += frequent[i].count;
	}
	if (sum > header->ndocs - header->nnull)
		verify_corrupted(reader, "The frequent values of an attribute section have more documents than there are.");
}

/* Adds a document's mark to the sums of the lists that it belongs to. */
static void
attr_verify_elements(ElacAttrReader *reader, ElacAttrReader *keys, const ElacAttrElements *elements, uint64 mark,
					 uint64 *expected)
{
	uint32		nlists = reader->header.nlists;
	uint32	   *numbers = palloc_extended(mul_size((Size) elements->n + 1, sizeof(uint32)), MCXT_ALLOC_HUGE);
	uint32		n = 0;

	for (uint32 i = 0; i < elements->n; i++)
	{
		uint32		first;
		uint32		end;

		elac_attr_find_equal(keys, elements->values[i], &first, &end);
		while (first < end && attr_verify_compare(&keys->type, elac_attr_value(keys, first), elements->values[i]) != 0)
			first++;
		if (first >= end)
			verify_corrupted(reader, "An element in an attribute section has no list.");
		numbers[n++] = first;
	}
	qsort(numbers, n, sizeof(uint32), attr_verify_number);
	for (uint32 i = 0; i < n; i++)
		if (i == 0 || numbers[i] != numbers[i - 1])
			expected[numbers[i]] += mark;
	if (elements->has_null)
		expected[nlists - 2] += mark;
	else if (n == 0)
		expected[nlists - 1] += mark;
}

/* Lists hold the documents that have the elements, and no others. */
static void
attr_verify_lists(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	ElacAttrReader *keys = elac_attr_keys(reader);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute lists", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64	   *expected = palloc_extended(mul_size(header->nlists, sizeof(uint64)), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ElacBitmap	bitmap = {header->ndocs, palloc_extended((elac_bitmap_words(header->ndocs) + 1) * sizeof(uint64), MCXT_ALLOC_HUGE)};
	MemoryContext each = AllocSetContextCreate(context, "elacsym attribute list", ALLOCSET_DEFAULT_SIZES);

	attr_verify_order(keys);
	/* a sum of what is different for each document tells whether the same documents are in a list */
	MemoryContextSwitchTo(each);
	for (uint32 doc = 0; doc < header->ndocs; doc++)
	{
		ElacAttrElements elements;
		uint64		mark = elac_attr_hash_key(doc);

		CHECK_FOR_INTERRUPTS();
		if (elac_bitmap_get(elac_attr_nulls(reader), doc))
			continue;
		elac_attr_elements(reader->type.type, elac_attr_peek(reader, elac_attr_index(reader, doc)), &elements);
		attr_verify_elements(reader, keys, &elements, mark, expected);
		MemoryContextReset(each);
	}
	for (uint32 i = 0; i < header->nlists; i++)
	{
		uint64		sum = 0;

		elac_bitmap_zero(&bitmap);
		elac_attr_or_list(reader, i, &bitmap);
		for (uint32 doc = elac_bitmap_next(&bitmap, 0); doc < header->ndocs; doc = elac_bitmap_next(&bitmap, doc + 1))
			sum += elac_attr_hash_key(doc);
		if (sum != expected[i])
			verify_corrupted(reader, "List %u of an attribute section has other documents than its element.", i);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Values of documents against statistics, filters and, in a dictionary, use. */
static void
attr_verify_documents(ElacAttrReader *reader, VerifyBin *found, ElacBitmap *used)
{
	const ElacAttrHeader *header = &reader->header;
	const ElacAttrType *type = &reader->type;
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	uint64	   *images = header->encoding == ELAC_ATTR_BINNED ? elac_attr_binned_images(reader) : NULL;
	ElacBitmap	blocks = {header->rows_len > 0 ? header->nblocks : 0, NULL};

	blocks.words = palloc0((elac_bitmap_words(blocks.nbits) + 1) * sizeof(uint64));
	for (uint32 doc = 0; doc < header->ndocs; doc++)
	{
		uint32		index;
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		if (elac_bitmap_get(nulls, doc))
		{
			attr_verify_null(reader, doc);
			continue;
		}
		index = elac_attr_index(reader, doc);
		value = images != NULL ? elac_attr_datum(type, images[doc]) : elac_attr_peek(reader, index);
		if (header->nbins > 0)
			attr_verify_bin_value(&found[images != NULL ? elac_attr_code(reader, doc)
										 : attr_verify_bin_of(elac_attr_bins(reader), header->nbins, index)],
								  elac_attr_sort_key(type, elac_attr_image(type, value)));
		if (header->encoding != ELAC_ATTR_DICTIONARY)
			elac_attr_verify_filters(reader, doc, value, &blocks);
		else if (!elac_bitmap_get(used, index))
		{
			elac_bitmap_set(used, index);
			elac_attr_verify_filters(reader, doc, value, &blocks);
		}
	}
	pfree(blocks.words);
	if (images != NULL)
		pfree(images);
}

void
elac_attr_verify(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	ElacBitmap	used = {header->nvalues, NULL};
	VerifyBin	found[ELAC_ATTR_MAX_BINS] = {0};
	bool		dictionary = header->encoding == ELAC_ATTR_DICTIONARY;
	ElacAttrType element;

	if (header->nbins == 0 && header->ndocs > header->nnull && elac_attr_is_ordered(&reader->type))
		verify_corrupted(reader, "An attribute section has no bins.");
	if ((header->nlists > 0) != elac_attr_element_type(reader->type.type, &element))
		verify_corrupted(reader, "An attribute section has no lists.");
	if (header->reserved != 0)
		verify_corrupted(reader, "Reserved bytes of an attribute section are not zero.");
	attr_verify_filters_crc(reader);
	attr_verify_padding(reader);
	attr_verify_planes(reader);
	if (dictionary)
	{
		used.words = palloc0((elac_bitmap_words(header->nvalues) + 1) * sizeof(uint64));
		attr_verify_order(reader);
	}
	attr_verify_documents(reader, found, &used);
	attr_verify_bins(reader, found);
	attr_verify_frequent(reader);
	if (header->nlists > 0)
		attr_verify_lists(reader);
	if (dictionary)
	{
		if (elac_bitmap_count(&used) != header->nvalues)
			verify_corrupted(reader, "An attribute section's dictionary has values that no document has.");
		pfree(used.words);
	}
}
