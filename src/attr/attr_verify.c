/*
 * attr_verify.c
 *	  Deep check of an attribute section: what opening and reading check, for
 *	  every block and document, and that nothing stands where nothing should.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "attr/attr_internal.h"
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

	if (elac_attr_has_zones(type))
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
	left = VARSIZE_4B(DatumGetPointer(a));
	right = VARSIZE_4B(DatumGetPointer(b));
	result = memcmp(DatumGetPointer(a) + VARHDRSZ, DatumGetPointer(b) + VARHDRSZ, Min(left, right) - VARHDRSZ);
	if (result != 0)
		return result;
	return left < right ? -1 : (left > right ? 1 : 0);
}

static void
attr_verify_dictionary(ElacAttrReader *reader)
{
	for (uint32 i = 1; i < reader->header.nvalues; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (attr_verify_compare(&reader->type, elac_attr_value(reader, i - 1), elac_attr_value(reader, i)) >= 0)
			verify_corrupted(reader, "Values %u and %u of an attribute section's dictionary are out of order.", i - 1, i);
	}
}

/* Bytes between the pieces of the body are zero. */
static void
attr_verify_padding(ElacAttrReader *reader)
{
	uint64		end = reader->header.values_offset + reader->header.values_len;
	uint64		padding = 0;

	elac_section_read_body(&reader->section, end, &padding, reader->header.codes_offset - end);
	if (padding != 0)
		verify_corrupted(reader, "The padding of an attribute section is not zero.");
}

/* So are the bits of the codes' planes past the last document. */
static void
attr_verify_planes(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ELAC_ATTR_GROUP / 64];
	uint32		within = header->ndocs % ELAC_ATTR_GROUP;

	if (header->ndocs % 64 == 0)
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
	const ElacAttrHeader *header = &reader->header;
	bool		empty = true;

	if (header->encoding == ELAC_ATTR_DICTIONARY)
		empty = elac_attr_index(reader, doc) == 0;
	else if (reader->type.typbyval)
		empty = elac_attr_image(&reader->type, elac_attr_value(reader, doc)) == 0;
	if (!empty)
		verify_corrupted(reader, "Document %u is NULL but has a value.", doc);
}

static void
attr_verify_group(ElacAttrReader *reader, uint32 group, ElacBitmap *used)
{
	const ElacAttrType *type = &reader->type;
	const ElacBitmap *nulls = elac_attr_nulls(reader);
	const ElacAttrZone *zones = elac_attr_zones(reader);
	ElacAttrZone found = {0};
	uint32		first = group * ELAC_ATTR_GROUP;
	uint32		n = elac_attr_group_size(reader, group);

	for (uint32 i = 0; i < n; i++)
	{
		uint32		index;
		Datum		value;
		uint64		image;

		if (elac_bitmap_get(nulls, first + i))
		{
			attr_verify_null(reader, first + i);
			found.nnull++;
			continue;
		}
		index = elac_attr_index(reader, first + i);
		value = elac_attr_peek(reader, index);
		if (used != NULL)
			elac_bitmap_set(used, index);
		if (zones == NULL)
			continue;
		image = elac_attr_image(type, value);
		if (i == found.nnull)
			found.min = found.max = image;
		else if (elac_attr_compare(type, image, found.min) < 0)
			found.min = image;
		else if (elac_attr_compare(type, image, found.max) > 0)
			found.max = image;
	}
	if (zones != NULL && memcmp(&found, &zones[group], sizeof(found)) != 0)
		verify_corrupted(reader, "Zone %u of an attribute section does not fit its values.", group);
}

void
elac_attr_verify(ElacAttrReader *reader)
{
	const ElacAttrHeader *header = &reader->header;
	uint32		ngroups = header->ndocs / ELAC_ATTR_GROUP + (header->ndocs % ELAC_ATTR_GROUP != 0);
	ElacBitmap	used = {header->nvalues, NULL};
	bool		dictionary = header->encoding == ELAC_ATTR_DICTIONARY;

	if (header->reserved != 0)
		verify_corrupted(reader, "Reserved bytes of an attribute section are not zero.");
	if (header->nzones == 0 && ngroups > 0 && elac_attr_has_zones(&reader->type))
		verify_corrupted(reader, "An attribute section has no zones.");
	attr_verify_padding(reader);
	if (dictionary)
	{
		used.words = palloc0((elac_bitmap_words(header->nvalues) + 1) * sizeof(uint64));
		attr_verify_dictionary(reader);
		attr_verify_planes(reader);
	}
	for (uint32 group = 0; group < ngroups; group++)
	{
		CHECK_FOR_INTERRUPTS();
		attr_verify_group(reader, group, dictionary ? &used : NULL);
	}
	if (dictionary)
	{
		if (elac_bitmap_count(&used) != header->nvalues)
			verify_corrupted(reader, "An attribute section's dictionary has values that no document has.");
		pfree(used.words);
	}
}
