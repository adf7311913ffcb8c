/*
 * delta_format.c
 *	  Encodes and decodes what a delta row's records carry.
 *
 * Pure functions over memory.  Decoders accept any bytes and say false when
 * they are not what the encoder writes; datums that pass have the lengths that
 * their type demands, and the CRC of the record vouches for their inside.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "fmgr.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "compat.h"
#include "lsm/delta_format.h"

uint32
elac_delta_crc(const ElacDeltaHeader *header, const uint8 *attrs)
{
	const uint8 *bytes = (const uint8 *) header;
	uint32		crc = elac_crc32c(0, bytes + 1, 3);

	crc = elac_crc32c(crc, bytes + 8, sizeof(ElacDeltaHeader) - 8);
	return elac_crc32c(crc, attrs, header->attrs_len);
}

/* ---- attributes ---- */

/* Bytes of a value that is not NULL; *src is where they are when by reference. */
static Size
attr_value_size(const ElacAttrType *type, Datum value, const uint8 **src)
{
	*src = NULL;
	if (type->typbyval)
		return type->typlen;
	*src = (const uint8 *) DatumGetPointer(value);
	if (type->typlen > 0)
		return type->typlen;
	if (type->typlen != -1)
		elog(ERROR, "attribute type %u has length %d", type->type, type->typlen);
	return VARSIZE(*src);
}

/*
 * Encodes when dst is given, only counts otherwise.  Varlena values are
 * brought into their plain form (four-byte header, not compressed) first, so
 * that a reader can use them where they lie.
 */
static Size
attrs_encode(const ElacRowType *type, const ElacRow *row, uint8 *dst)
{
	const ElacSchema *schema = type->schema;
	Size		offset = (schema->nattr + 7) / 8;
	int			ordinal = 0;

	if (dst != NULL)
		memset(dst, 0, offset);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		const ElacAttrType *attr = &type->attr[i];
		Datum		value = row->columns[i].value;
		const uint8 *src;
		Size		start;
		Size		len;

		if (schema->columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		ordinal++;
		if (row->columns[i].isnull)
		{
			if (dst != NULL)
				dst[(ordinal - 1) / 8] |= 1 << ((ordinal - 1) % 8);
			continue;
		}
		if (attr->typlen == -1)
			value = PointerGetDatum(PG_DETOAST_DATUM(value));
		len = attr_value_size(attr, value, &src);
		start = att_align_nominal(offset, attr->typalign);
		if (dst != NULL)
		{
			memset(dst + offset, 0, start - offset);
			if (attr->typbyval)
				store_att_byval(dst + start, value, attr->typlen);
			else
				memcpy(dst + start, src, len);
		}
		offset = start + len;
	}
	return schema->nattr == 0 ? 0 : offset;
}

Size
elac_delta_attrs_size(const ElacRowType *type, const ElacRow *row)
{
	return attrs_encode(type, row, NULL);
}

void
elac_delta_attrs_encode(const ElacRowType *type, const ElacRow *row, uint8 *dst)
{
	if (type->schema->nattr > 0)
		attrs_encode(type, row, dst);
}

/* Reads one value at bytes + *offset; advances *offset. */
static bool
attr_decode(const ElacAttrType *attr, const uint8 *bytes, Size len, Size *offset, Datum *value)
{
	Size		start = att_align_nominal(*offset, attr->typalign);
	Size		size;

	if (attr->typlen > 0)
		size = attr->typlen;
	else
	{
		if (start > len || len - start < VARHDRSZ || !VARATT_IS_4B_U(bytes + start))
			return false;
		size = VARSIZE(bytes + start);
		if (size < VARHDRSZ)
			return false;
	}
	if (start > len || len - start < size)
		return false;
	*value = attr->typbyval ? fetch_att(bytes + start, true, attr->typlen) : PointerGetDatum(bytes + start);
	*offset = start + size;
	return true;
}

bool
elac_delta_attrs_decode(const ElacRowType *type, const uint8 *bytes, Size len, Datum *values, bool *isnull)
{
	const ElacSchema *schema = type->schema;
	Size		offset = (schema->nattr + 7) / 8;
	int			ordinal = 0;

	if (schema->nattr == 0)
		return len == 0;
	if (len < offset)
		return false;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		isnull[i] = (bytes[ordinal / 8] >> (ordinal % 8)) & 1;
		values[i] = (Datum) 0;
		ordinal++;
		if (!isnull[i] && !attr_decode(&type->attr[i], bytes, len, &offset, &values[i]))
			return false;
	}
	return offset == len;
}

/* ---- texts ---- */

Size
elac_delta_texts_size(const ElacRowType *type, const ElacRow *row)
{
	Size		size = 0;

	for (int i = 0; i < type->schema->ncolumns; i++)
	{
		if (type->schema->columns[i].kind != ELAC_COLUMN_TEXT)
			continue;
		size += sizeof(uint32) + elac_terms_serialized_size(&row->columns[i].text);
	}
	return size;
}

void
elac_delta_texts_encode(const ElacRowType *type, const ElacRow *row, uint8 *dst)
{
	for (int i = 0; i < type->schema->ncolumns; i++)
	{
		const ElacTermVector *terms = &row->columns[i].text;
		Size		len;

		if (type->schema->columns[i].kind != ELAC_COLUMN_TEXT)
			continue;
		len = elac_terms_serialized_size(terms);
		elac_put_u32(dst, (uint32) len);
		elac_terms_serialize(terms, dst + sizeof(uint32));
		dst += sizeof(uint32) + len;
	}
}

bool
elac_delta_texts_decode(const ElacRowType *type, const uint8 *bytes, Size len, ElacTermVector *terms)
{
	Size		offset = 0;

	for (int i = 0; i < type->schema->ncolumns; i++)
	{
		uint32		size;

		if (type->schema->columns[i].kind != ELAC_COLUMN_TEXT)
			continue;
		if (len - offset < sizeof(uint32))
			return false;
		size = elac_get_u32(bytes + offset);
		offset += sizeof(uint32);
		if (len - offset < size || !elac_terms_parse(bytes + offset, size, &terms[i]))
			return false;
		offset += size;
	}
	return offset == len;
}
