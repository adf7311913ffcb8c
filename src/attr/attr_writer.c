/*
 * attr_writer.c
 *	  Collects a column's values in order of arrival and writes the section in
 *	  document order.
 *
 * A value is kept once for all rows that have it, as long as there are few
 * distinct ones; what decides is the value's bytes, never an operator, so that
 * every row gets back exactly what it brought (1.0 and 1.00 are two values).
 * All memory is in the writer's own context, a child of the caller's.
 */
#include "postgres.h"

#include <zstd.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_output.h"
#include "base/bitpack.h"
#include "base/checksum.h"
#include "compat.h"

#define ATTR_ARENA_CHUNK (64 * 1024)
#define ATTR_FIRST_SLOTS 256
#define ATTR_ZSTD_LEVEL 3

/* Errors that a CREATE INDEX on an unsuitable type may meet. */
ElacAttrWriter *
elac_attr_writer_begin(const ElacAttrType *type)
{
	MemoryContext context;
	ElacAttrWriter *writer;

	if (type->typlen < -1 || type->typlen == 0 || type->typlen > 1024 ||
		(type->typbyval && type->typlen != 1 && type->typlen != 2 && type->typlen != 4 && type->typlen != 8))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type with OID %u cannot be an attribute of an elacsym index", type->type)));

	context = AllocSetContextCreate(CurrentMemoryContext, "elacsym attribute writer", ALLOCSET_DEFAULT_SIZES);
	writer = MemoryContextAllocZero(context, sizeof(ElacAttrWriter));
	writer->context = context;
	writer->type = *type;
	writer->nslots = ATTR_FIRST_SLOTS;
	writer->slots = MemoryContextAllocZero(context, writer->nslots * sizeof(uint32));
	return writer;
}

ElacAttrWriter *
elac_attr_keys_begin(const ElacAttrType *type)
{
	ElacAttrWriter *writer = elac_attr_writer_begin(type);

	writer->keys = true;
	return writer;
}

Size
elac_attr_writer_memory(const ElacAttrWriter *writer)
{
	return writer->memory + writer->nslots * sizeof(uint32);
}

void *
elac_attr_writer_grow(ElacAttrWriter *writer, void *array, Size *allocated, Size element)
{
	Size		wanted = *allocated == 0 ? 1024 : mul_size(*allocated, 2);
	Size		bytes = mul_size(wanted, element);

	writer->memory += bytes - *allocated * element;
	*allocated = wanted;
	if (array == NULL)
		return MemoryContextAllocHuge(writer->context, bytes);
	return repalloc_huge(array, bytes);
}

/* Uninitialised room for len bytes, MAXALIGNed. */
static char *
attr_writer_room(ElacAttrWriter *writer, Size len)
{
	char	   *room;

	len = MAXALIGN(len);
	if (len > ATTR_ARENA_CHUNK / 4)
	{
		writer->memory += len;
		return MemoryContextAllocHuge(writer->context, len);
	}
	if (len > writer->arena_left)
	{
		writer->arena = MemoryContextAlloc(writer->context, ATTR_ARENA_CHUNK);
		writer->arena_left = ATTR_ARENA_CHUNK;
		writer->memory += ATTR_ARENA_CHUNK;
	}
	room = writer->arena;
	writer->arena += len;
	writer->arena_left -= len;
	return room;
}

/* Bytes of a by-reference value as the writer keeps it. */
static Size
attr_value_len(const ElacAttrType *type, const char *bytes)
{
	return type->typlen == -1 ? VARSIZE_4B(bytes) : (Size) type->typlen;
}

static uint32
attr_hash(const void *bytes, Size len)
{
	/* CRC spreads well; the multiplication brings it to the low bits too */
	return (uint32) ((elac_crc32c(0, bytes, len) * UINT64CONST(0x9E3779B97F4A7C15)) >> 32);
}

static bool
attr_same(const ElacAttrType *type, uint64 stored, const void *bytes, Size len)
{
	const char *other;

	if (type->typbyval)
		return memcmp(&stored, bytes, sizeof(uint64)) == 0;
	other = (const char *) (uintptr_t) stored;
	return attr_value_len(type, other) == len && memcmp(other, bytes, len) == 0;
}

/* Slot of a value: where it is, or where it would go. */
static uint32 *
attr_slot(ElacAttrWriter *writer, const void *bytes, Size len)
{
	uint32		i = attr_hash(bytes, len) & (writer->nslots - 1);

	while (writer->slots[i] != 0 && !attr_same(&writer->type, writer->values[writer->slots[i] - 1], bytes, len))
		i = (i + 1) & (writer->nslots - 1);
	return &writer->slots[i];
}

/* Doubles the table; it is at most half full. */
static void
attr_rehash(ElacAttrWriter *writer)
{
	pfree(writer->slots);
	writer->nslots *= 2;
	writer->slots = MemoryContextAllocExtended(writer->context, writer->nslots * sizeof(uint32),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 id = 0; id < writer->nvalues; id++)
	{
		const void *bytes = &writer->values[id];
		Size		len = sizeof(uint64);

		if (!writer->type.typbyval)
		{
			bytes = (const void *) (uintptr_t) writer->values[id];
			len = attr_value_len(&writer->type, bytes);
		}
		*attr_slot(writer, bytes, len) = id + 1;
	}
}

/* bytes: the image, or a normalised by-reference value that is copied. */
static uint32
attr_intern_bytes(ElacAttrWriter *writer, const void *bytes, Size len)
{
	uint32	   *slot = NULL;
	uint64		stored;

	if (writer->slots != NULL)
	{
		slot = attr_slot(writer, bytes, len);
		if (*slot != 0)
			return *slot - 1;
	}
	if (writer->nvalues == UINT32_MAX - 1)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one segment")));
	if (writer->nvalues == writer->values_allocated)
		writer->values = elac_attr_writer_grow(writer, writer->values, &writer->values_allocated, sizeof(uint64));

	if (writer->type.typbyval)
		memcpy(&stored, bytes, sizeof(stored));
	else
	{
		char	   *copy = attr_writer_room(writer, len);

		memcpy(copy, bytes, len);
		stored = (uint64) (uintptr_t) copy;
	}
	writer->values[writer->nvalues++] = stored;

	if (slot != NULL)
	{
		*slot = writer->nvalues;
		if (writer->nvalues > ELAC_ATTR_MAX_DISTINCT && !writer->keys)
		{
			/* too many for a dictionary: from here on every row has a value of its own */
			pfree(writer->slots);
			writer->slots = NULL;
			writer->nslots = 0;
		}
		else if (writer->nvalues > writer->nslots / 2)
			attr_rehash(writer);
	}
	return writer->nvalues - 1;
}

uint32
elac_attr_writer_intern(ElacAttrWriter *writer, Datum value)
{
	uint64		image;
	struct varlena *detoasted;
	uint32		id;

	if (writer->type.typbyval)
	{
		image = elac_attr_image(&writer->type, value);
		return attr_intern_bytes(writer, &image, sizeof(image));
	}
	if (writer->type.typlen > 0)
		return attr_intern_bytes(writer, DatumGetPointer(value), writer->type.typlen);

	/* external, compressed and short forms all become the plain four-byte one */
	detoasted = PG_DETOAST_DATUM(value);
	id = attr_intern_bytes(writer, detoasted, VARSIZE_4B(detoasted));
	if ((Pointer) detoasted != DatumGetPointer(value))
		pfree(detoasted);
	return id;
}

void
elac_attr_writer_add_id(ElacAttrWriter *writer, uint32 id)
{
	if (writer->nrows == UINT32_MAX - 1)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one segment")));
	if (writer->nrows == writer->rows_allocated)
		writer->rows = elac_attr_writer_grow(writer, writer->rows, &writer->rows_allocated, sizeof(uint32));
	writer->rows[writer->nrows++] = id;
	if (id == ATTR_NULL_ID)
		writer->nnull++;
}

void
elac_attr_writer_add(ElacAttrWriter *writer, Datum value, bool isnull)
{
	elac_attr_writer_add_id(writer, isnull ? ATTR_NULL_ID : elac_attr_writer_intern(writer, value));
}

/* ---- finish: the section's pieces, in the order of attr_format.h ---- */

/* The type's order where it is known here; unsigned bytes, then length: an order that needs no type. */
static int
attr_order_compare(const void *a, const void *b, void *arg)
{
	const ElacAttrWriter *writer = arg;
	uint64		left = writer->values[*(const uint32 *) a];
	uint64		right = writer->values[*(const uint32 *) b];
	const char *left_bytes;
	const char *right_bytes;
	Size		left_len;
	Size		right_len;
	int			result;

	if (elac_attr_is_ordered(&writer->type))
	{
		result = elac_attr_compare(&writer->type, left, right);
		if (result != 0)
			return result;
	}
	if (writer->type.typbyval)
		return left < right ? -1 : (left > right ? 1 : 0);
	left_bytes = (const char *) (uintptr_t) left;
	right_bytes = (const char *) (uintptr_t) right;
	left_len = attr_value_len(&writer->type, left_bytes);
	right_len = attr_value_len(&writer->type, right_bytes);
	if (writer->type.typlen != -1)
		return memcmp(left_bytes, right_bytes, left_len);
	result = memcmp(left_bytes + VARHDRSZ, right_bytes + VARHDRSZ, Min(left_len, right_len) - VARHDRSZ);
	if (result != 0)
		return result;
	return left_len < right_len ? -1 : (left_len > right_len ? 1 : 0);
}

uint32 *
elac_attr_writer_order(ElacAttrWriter *writer)
{
	uint32	   *order = MemoryContextAllocHuge(writer->context, mul_size((Size) writer->nvalues + 1, sizeof(uint32)));

	for (uint32 id = 0; id < writer->nvalues; id++)
		order[id] = id;
	qsort_arg(order, writer->nvalues, sizeof(uint32), attr_order_compare, writer);
	return order;
}

Datum
elac_attr_writer_value(const ElacAttrWriter *writer, uint32 id)
{
	if (writer->type.typbyval)
		return elac_attr_datum(&writer->type, writer->values[id]);
	return PointerGetDatum((const char *) (uintptr_t) writer->values[id]);
}

static unsigned
attr_code_width(uint32 nvalues)
{
	uint32		largest = nvalues == 0 ? 0 : nvalues - 1;

	return elac_bitpack_width(&largest, 1);
}

/* A dictionary pays when values repeat and codes are shorter than values. */
static bool
attr_wants_dictionary(const ElacAttrWriter *writer)
{
	if (writer->keys || writer->slots == NULL || writer->nvalues > writer->nrows / 2)
		return false;
	return !writer->type.typbyval || attr_code_width(writer->nvalues) < 8 * (unsigned) writer->type.typlen;
}

uint64
elac_attr_output_tell(const AttrOutput *output)
{
	return elac_blob_tell(output->out->body) - output->body_start;
}

void
elac_attr_output_pad(AttrOutput *output)
{
	static const char zeros[8] = {0};

	elac_blob_write(output->out->body, zeros, (8 - elac_attr_output_tell(output) % 8) % 8);
}

static void
attr_write_nulls(AttrOutput *output)
{
	uint32		ndocs = output->header.ndocs;
	uint64		words[ELAC_ATTR_GROUP / 64];

	if (output->header.nnull == 0 || output->header.nnull == ndocs)
		return;
	for (uint32 first = 0; first < ndocs; first += ELAC_ATTR_GROUP)
	{
		uint32		n = Min(ELAC_ATTR_GROUP, ndocs - first);

		CHECK_FOR_INTERRUPTS();
		memset(words, 0, sizeof(words));
		for (uint32 i = 0; i < n; i++)
		{
			if (output->ids[first + i] == ATTR_NULL_ID)
				words[i / 64] |= UINT64CONST(1) << (i % 64);
		}
		elac_blob_write(output->out->body, words, elac_bitmap_words(n) * sizeof(uint64));
		if (ndocs - first <= ELAC_ATTR_GROUP)
			break;
	}
}

/* Value number of position i of the values piece; ATTR_NULL_ID for an empty place. */
static uint32
attr_value_at(const AttrOutput *output, uint32 i)
{
	return output->order != NULL ? output->order[i] : output->ids[i];
}

static void
attr_write_fixed_values(AttrOutput *output)
{
	const ElacAttrWriter *writer = output->writer;
	uint32		typlen = writer->type.typlen;
	char		buffer[ELAC_ATTR_GROUP * sizeof(Datum)];
	uint32		used = 0;

	for (uint32 i = 0; i < output->header.nvalues; i++)
	{
		uint32		id = attr_value_at(output, i);
		uint64		image = id == ATTR_NULL_ID ? 0 : writer->values[id];

		memcpy(buffer + used, &image, typlen);	/* low bytes first */
		used += typlen;
		if (used + typlen > sizeof(buffer))
		{
			CHECK_FOR_INTERRUPTS();
			elac_blob_write(output->out->body, buffer, used);
			used = 0;
		}
	}
	elac_blob_write(output->out->body, buffer, used);
}

/* Compresses raw when that makes it shorter, writes it and enters it into the directory. */
static void
attr_write_block(AttrOutput *output, const char *raw, Size raw_len, uint32 first, uint32 nvalues)
{
	ElacAttrBlock *block;
	Size		bound = ZSTD_compressBound(raw_len);
	char	   *compressed = palloc_extended(bound, MCXT_ALLOC_HUGE);
	const char *stored = compressed;
	Size		stored_len = ZSTD_compress(compressed, bound, raw, raw_len, ATTR_ZSTD_LEVEL);

	if (ZSTD_isError(stored_len) || stored_len >= raw_len)
	{
		stored = raw;
		stored_len = raw_len;
	}
	if (output->header.nblocks == output->directory_allocated)
		output->directory = elac_attr_writer_grow(output->writer, output->directory, &output->directory_allocated,
											 sizeof(ElacAttrBlock));
	block = &output->directory[output->header.nblocks++];
	block->offset = elac_attr_output_tell(output) - output->header.values_offset;
	block->stored_len = (uint32) stored_len;
	block->raw_len = (uint32) raw_len;
	block->first = first;
	block->nvalues = nvalues;
	block->crc = elac_crc32c(0, stored, stored_len);
	block->compression = stored == raw ? ELAC_ATTR_RAW : ELAC_ATTR_ZSTD;
	elac_blob_write(output->out->body, stored, stored_len);
	pfree(compressed);
}

/*
 * How many values from first on make a block, and its length.  One value can
 * be 1 GB long, so a block's length fits 32 bits.
 */
static uint32
attr_block_extent(const AttrOutput *output, uint32 first, Size *raw_len)
{
	const ElacAttrType *type = &output->writer->type;
	uint32		left = output->header.nvalues - first;
	uint32		n = 0;
	Size		bytes = 0;

	while (n < left && n < ELAC_ATTR_BLOCK_VALUES && bytes < ELAC_ATTR_BLOCK_BYTES)
	{
		uint32		id = attr_value_at(output, first + n);
		Size		len = 0;

		if (type->typlen > 0)
			len = elac_attr_stride(type);
		else if (id != ATTR_NULL_ID)
			len = TYPEALIGN(elac_attr_alignment(type),
							attr_value_len(type, (const char *) (uintptr_t) output->writer->values[id]));
		if (n > 0 && bytes + len > ELAC_ATTR_BLOCK_BYTES)
			break;
		bytes += len;
		n++;
	}
	*raw_len = bytes;
	if (type->typlen == -1)
		*raw_len += MAXALIGN((n + 1) * sizeof(uint32));
	return n;
}

static void
attr_write_blocks(AttrOutput *output)
{
	const ElacAttrWriter *writer = output->writer;
	const ElacAttrType *type = &writer->type;
	uint32		first = 0;

	while (first < output->header.nvalues)
	{
		Size		raw_len;
		uint32		n = attr_block_extent(output, first, &raw_len);
		char	   *raw = palloc_extended(raw_len, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		uint32	   *offsets = (uint32 *) raw;
		Size		at = type->typlen == -1 ? MAXALIGN((n + 1) * sizeof(uint32)) : 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < n; i++)
		{
			uint32		id = attr_value_at(output, first + i);
			const char *bytes = id == ATTR_NULL_ID ? NULL : (const char *) (uintptr_t) writer->values[id];
			Size		len = bytes == NULL ? 0 : attr_value_len(type, bytes);

			if (type->typlen == -1)
				offsets[i] = (uint32) at;
			if (bytes != NULL)
				memcpy(raw + at, bytes, len);
			at += type->typlen == -1 ? TYPEALIGN(elac_attr_alignment(type), len) : elac_attr_stride(type);
		}
		if (type->typlen == -1)
			offsets[n] = (uint32) at;
		Assert(at == raw_len);
		attr_write_block(output, raw, raw_len, first, n);
		pfree(raw);
		first += n;
	}
}

void
elac_attr_write_planes(AttrOutput *output, AttrCodeOf code_of, const void *arg)
{
	uint32		ndocs = output->header.ndocs;
	unsigned	width = output->header.width;
	uint64		planes[ELAC_ATTR_MAX_WIDTH * ELAC_ATTR_GROUP / 64];

	for (uint32 done = 0; done < ndocs;)
	{
		uint32		n = Min(ELAC_ATTR_GROUP, ndocs - done);
		Size		words = elac_bitmap_words(n);

		CHECK_FOR_INTERRUPTS();
		memset(planes, 0, words * sizeof(uint64) * width);
		for (uint32 i = 0; i < n; i++)
		{
			uint32		code = output->ids[done + i] == ATTR_NULL_ID ? 0 : code_of(output, done + i, arg);

			for (unsigned p = 0; p < width; p++)
				planes[p * words + i / 64] |= (uint64) ((code >> p) & 1) << (i % 64);
		}
		elac_blob_write(output->out->body, planes, words * sizeof(uint64) * width);
		done += n;
	}
}

static uint32
attr_dictionary_code(AttrOutput *output, uint32 doc, const void *arg)
{
	const uint32 *code_of_id = arg;

	return code_of_id[output->ids[doc]];
}

static void
attr_write_codes(AttrOutput *output)
{
	ElacAttrWriter *writer = output->writer;
	uint32	   *code_of_id = MemoryContextAlloc(writer->context, (writer->nvalues + 1) * sizeof(uint32));

	for (uint32 code = 0; code < writer->nvalues; code++)
		code_of_id[output->order[code]] = code;
	elac_attr_write_planes(output, attr_dictionary_code, code_of_id);
}

/* The head is written last: it holds what only the body's writing tells. */
static void
attr_write_head(AttrOutput *output)
{
	ElacAttrHeader *header = &output->header;
	ElacBlobWriter *head = output->out->head;
	uint32		bins_len = header->nbins * sizeof(ElacAttrBin);
	uint32		frequent_len = header->nfrequent * sizeof(ElacAttrFrequent);
	Size		lists_len = mul_size(header->nlists, sizeof(ElacAttrList));
	const uint8 *keys[2] = {NULL, NULL};
	uint64		keys_len[2] = {0, 0};

	for (int i = 0; i < 2 && header->nlists > 0; i++)
	{
		ElacBlobRef ref;

		elac_blob_finish(output->keys[i], &ref);
		keys[i] = elac_blob_memory(output->keys[i], &keys_len[i]);
	}
	header->keys_head_len = (uint32) keys_len[0];
	header->keys_body_len = keys_len[1];
	header->directory_crc = elac_crc32c(0, output->directory, header->nblocks * sizeof(ElacAttrBlock));
	header->statistics_crc = elac_crc32c(elac_crc32c(0, output->bins, bins_len), output->frequent, frequent_len);
	header->filters_crc = elac_crc32c(elac_crc32c(0, output->filter, header->filter_len), output->rows, header->rows_len);
	header->lists_crc = elac_crc32c(0, output->lists, lists_len);
	header->crc = elac_crc32c(0, header, offsetof(ElacAttrHeader, crc));
	elac_blob_write(head, header, sizeof(*header));
	elac_blob_write(head, output->directory, header->nblocks * sizeof(ElacAttrBlock));
	elac_blob_write(head, output->bins, bins_len);
	elac_blob_write(head, output->frequent, frequent_len);
	elac_blob_write(head, output->filter, header->filter_len);
	elac_blob_write(head, output->rows, header->rows_len);
	elac_blob_write(head, output->lists, lists_len);
	elac_blob_write(head, keys[0], keys_len[0]);
	elac_blob_write(head, keys[1], keys_len[1]);
}

/* Value number of each document, and the dictionary's order when there is one. */
static void
attr_output_begin(AttrOutput *output, const ElacDoc *doc_of_seq)
{
	ElacAttrWriter *writer = output->writer;
	ElacAttrHeader *header = &output->header;

	header->magic = ELAC_ATTR_MAGIC;
	header->version = ELAC_ATTR_VERSION;
	header->typlen = writer->type.typlen;
	header->typbyval = writer->type.typbyval;
	header->typalign = writer->type.typalign;
	header->ndocs = writer->nrows;
	header->nnull = writer->nnull;

	output->ids = writer->rows;
	if (doc_of_seq != NULL)
	{
		output->ids = MemoryContextAllocHuge(writer->context, mul_size((Size) writer->nrows + 1, sizeof(uint32)));
		for (uint32 seq = 0; seq < writer->nrows; seq++)
		{
			if (doc_of_seq[seq] >= writer->nrows)
				elog(ERROR, "document number %u is out of range", doc_of_seq[seq]);
			output->ids[doc_of_seq[seq]] = writer->rows[seq];
		}
	}

	header->encoding = elac_attr_is_ordered(&writer->type) && !writer->keys ? ELAC_ATTR_BINNED : ELAC_ATTR_PLAIN;
	header->nvalues = header->ndocs;
	if (attr_wants_dictionary(writer))
	{
		header->encoding = ELAC_ATTR_DICTIONARY;
		header->nvalues = writer->nvalues;
		header->width = attr_code_width(writer->nvalues);
		output->order = elac_attr_writer_order(writer);
	}
}

static void
attr_write_values(AttrOutput *output)
{
	ElacAttrHeader *header = &output->header;

	if (output->writer->type.typbyval)
		attr_write_fixed_values(output);
	else
		attr_write_blocks(output);
	header->values_len = elac_attr_output_tell(output) - header->values_offset;
	elac_attr_output_pad(output);
	header->codes_offset = elac_attr_output_tell(output);
	if (header->encoding == ELAC_ATTR_DICTIONARY)
		attr_write_codes(output);
	header->codes_len = elac_attr_output_tell(output) - header->codes_offset;
	header->counts_offset = elac_attr_output_tell(output);
}

void
elac_attr_writer_finish(ElacAttrWriter *writer, const ElacDoc *doc_of_seq, uint32 ndocs, ElacSectionWriter *out)
{
	AttrOutput	output = {0};
	ElacAttrHeader *header = &output.header;

	if (writer->nrows != ndocs)
		elog(ERROR, "attribute column has %u rows, not %u", writer->nrows, ndocs);
	output.writer = writer;
	output.out = out;
	output.body_start = elac_blob_tell(out->body);
	attr_output_begin(&output, doc_of_seq);

	attr_write_nulls(&output);
	elac_attr_output_pad(&output);
	header->values_offset = elac_attr_output_tell(&output);
	if (header->encoding == ELAC_ATTR_BINNED)
		elac_attr_write_bins(&output);
	else
		attr_write_values(&output);
	header->lists_offset = elac_attr_output_tell(&output);
	if (!writer->keys)
	{
		elac_attr_write_lists(&output);
		elac_attr_summarise(&output);
		elac_attr_make_frequent(&output);
		elac_attr_make_filters(&output);
	}
	header->lists_len = elac_attr_output_tell(&output) - header->lists_offset;
	attr_write_head(&output);
	MemoryContextDelete(writer->context);
}
