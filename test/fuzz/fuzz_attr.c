/*
 * fuzz_attr.c
 *	  Feeds bytes to the reader of attribute sections: whatever they are, it
 *	  reads them or raises ERRCODE_INDEX_CORRUPTED.
 *
 * Input: byte 0 chooses the type.  Byte 1, bit 0: checksums are made right, so
 * that the bytes behind them are reached; bit 1: what follows are changes to a
 * section that was written properly, four bytes each (offset, part, mask), bit
 * 2 saying which of two; otherwise bytes 2 and 3 are the length of the head,
 * and head and body follow.
 */
#include "pgshim.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "attr/attr_internal.h"
#include "compat.h"
#include "base/checksum.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ElacAttrType fuzz_attr_types[] = {
	{INT4OID, 4, true, TYPALIGN_INT, 0},
	{FLOAT8OID, 8, true, TYPALIGN_DOUBLE, 0},
	{BOOLOID, 1, true, TYPALIGN_CHAR, 0},
	{UUIDOID, 16, false, TYPALIGN_CHAR, 0},
	{TEXTOID, -1, false, TYPALIGN_INT, 0},
	{PATHOID, -1, false, TYPALIGN_DOUBLE, 0},
	{INT8OID, 8, true, TYPALIGN_DOUBLE, 0},
	{FLOAT4OID, 4, true, TYPALIGN_INT, 0},
	{TEXTARRAYOID, -1, false, TYPALIGN_INT, 0},
	{INT4ARRAYOID, -1, false, TYPALIGN_INT, 0},
};

static const ElacAttrType *fuzz_attr_type;	/* of the operators' arguments */

/* Operators compare values of the column's type. */
Oid
get_func_signature(Oid function, Oid **argtypes, int *nargs)
{
	*argtypes = palloc(2 * sizeof(Oid));
	*nargs = 2;
	(*argtypes)[0] = (*argtypes)[1] = fuzz_attr_type->type;
	return BOOLOID;
}

int16
get_typlen(Oid type)
{
	return fuzz_attr_type->typlen;
}

/* Value number v of a type, in 64 bytes. */
static void
fuzz_attr_value(const ElacAttrType *type, uint32 v, void *dst)
{
	ArrayType  *array = dst;
	int32	   *words = dst;

	memset(dst, 0, 64);
	if (type->type == TEXTARRAYOID || type->type == INT4ARRAYOID)
	{
		array->ndim = 1;
		array->elemtype = type->type == TEXTARRAYOID ? TEXTOID : INT4OID;
		ARR_DIMS(array)[0] = 2;
		ARR_LBOUND(array)[0] = 1;
		words = (int32 *) ARR_DATA_PTR(array);
		words[0] = words[1] = (int32) (v % 50);
		words[2] = (int32) (v / 50 % 30);
		if (type->type == TEXTARRAYOID)
		{
			SET_VARSIZE(&words[0], 8);
			SET_VARSIZE(&words[2], 8);
			words[3] = (int32) (v / 50 % 30);
		}
		SET_VARSIZE(dst, ARR_OVERHEAD_NONULLS(1) + (type->type == TEXTARRAYOID ? 16 : 8));
		if (type->type == INT4ARRAYOID)
			words[1] = (int32) (v / 50 % 30);
	}
	else if (type->typbyval)
		*(Datum *) dst = (Datum) v;
	else
	{
		snprintf((char *) dst + VARHDRSZ, 64 - VARHDRSZ, "value %u", v);
		SET_VARSIZE(dst, VARHDRSZ + 6 + v % 20);
	}
}

#define FUZZ_ATTR_TYPES ((int) lengthof(fuzz_attr_types))

/* Head and body of properly written sections: few distinct values, and many. */
typedef struct FuzzAttrSection
{
	const uint8 *head;
	const uint8 *body;
	uint64		head_len;
	uint64		body_len;
} FuzzAttrSection;

static FuzzAttrSection fuzz_attr_sections[FUZZ_ATTR_TYPES][2];

static FuzzAttrSection
fuzz_attr_write(const ElacAttrType *type, uint32 ndistinct)
{
	ElacAttrWriter *writer = elac_attr_writer_begin(type);
	ElacSectionWriter out = {elac_blob_create_memory(), elac_blob_create_memory()};
	FuzzAttrSection section;
	ElacBlobRef ref;
	union
	{
		Datum		header;
		char		bytes[64];
	}			value;

	for (uint32 i = 0; i < 2100; i++)
	{
		fuzz_attr_value(type, i % ndistinct, &value);
		elac_attr_writer_add(writer, type->typbyval ? *(Datum *) &value : PointerGetDatum(&value), i % 11 == 3);
	}
	elac_attr_writer_finish(writer, NULL, 2100, &out);
	elac_blob_finish(out.head, &ref);
	elac_blob_finish(out.body, &ref);
	section.head = elac_blob_memory(out.head, &section.head_len);
	section.body = elac_blob_memory(out.body, &section.body_len);
	return section;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pgshim_init();
	for (int i = 0; i < FUZZ_ATTR_TYPES; i++)
	{
		fuzz_attr_sections[i][0] = fuzz_attr_write(&fuzz_attr_types[i], 10);
		fuzz_attr_sections[i][1] = fuzz_attr_write(&fuzz_attr_types[i], 5000);
	}
	return 0;
}

/* An operator that looks at every byte of both values. */
static Datum
fuzz_attr_operator(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	const ElacAttrType *type = fuzz_attr_type;
	const char *bytes = (const char *) &value;
	Size		len = type->typlen;
	uint32		sum = 0;

	if (!type->typbyval)
	{
		bytes = DatumGetPointer(value);
		len = type->typlen > 0 ? (Size) type->typlen : VARSIZE_ANY(bytes);
	}
	for (Size i = 0; i < len; i++)
		sum += (unsigned char) bytes[i];
	PG_RETURN_BOOL(sum % 2 == 0);
}

/* Puts right checksums into a head as far as it is one; and into that of its keys, which lies behind it. */
static void
fuzz_attr_mend(uint8 *head, Size head_len, uint8 *body, Size body_len)
{
	ElacAttrHeader header;
	Size		directory;
	Size		statistics;
	Size		filters;
	Size		lists;
	uint8	   *at = head + sizeof(header);
	Size		left = head_len - sizeof(header);

	if (head_len < sizeof(header))
		return;
	memcpy(&header, head, sizeof(header));
	header.magic = ELAC_ATTR_MAGIC;
	header.version = ELAC_ATTR_VERSION;
	directory = (Size) header.nblocks * sizeof(ElacAttrBlock);
	statistics = (Size) header.nbins * sizeof(ElacAttrBin) + (Size) header.nfrequent * sizeof(ElacAttrFrequent);
	filters = (Size) header.filter_len + (header.rows_len < head_len ? header.rows_len : head_len);
	lists = (Size) header.nlists * sizeof(ElacAttrList);
	for (uint32 i = 0; directory <= left && i < header.nblocks; i++)
	{
		uint8	   *place = at + i * sizeof(ElacAttrBlock);
		ElacAttrBlock block;

		memcpy(&block, place, sizeof(block));
		if (header.values_offset <= body_len && block.offset <= body_len - header.values_offset &&
			block.stored_len <= body_len - header.values_offset - block.offset)
			block.crc = elac_crc32c(0, body + header.values_offset + block.offset, block.stored_len);
		memcpy(place, &block, sizeof(block));
	}
	if (directory + statistics + filters + lists <= left)
	{
		header.directory_crc = elac_crc32c(0, at, directory);
		header.statistics_crc = elac_crc32c(0, at + directory, statistics);
		header.filters_crc = elac_crc32c(0, at + directory + statistics, filters);
		header.lists_crc = elac_crc32c(0, at + directory + statistics + filters, lists);
		at += directory + statistics + filters + lists;
		left -= directory + statistics + filters + lists;
		if (header.keys_head_len < left)
			fuzz_attr_mend(at, header.keys_head_len, at + header.keys_head_len, left - header.keys_head_len);
	}
	header.crc = elac_crc32c(0, &header, offsetof(ElacAttrHeader, crc));
	memcpy(head, &header, sizeof(header));
}

/* Predicates that read by ranges, hashes and lists, and one that calls. */
static void
fuzz_attr_select(ElacAttrReader *reader, const ElacAttrType *type, ElacPredicate *predicate)
{
	uint32		ndocs = reader->header.ndocs;
	ElacBitmap	is_true = {ndocs, palloc((elac_bitmap_words(ndocs) + 1) * sizeof(uint64))};
	ElacBitmap	is_unknown = {ndocs, palloc((elac_bitmap_words(ndocs) + 1) * sizeof(uint64))};
	bool		known;

	if (PGSHIM_RAISES(elac_attr_estimate(reader, predicate, &known)) && pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED)
		abort();
	if (PGSHIM_RAISES(elac_attr_prefetch_for(reader, predicate)) && pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED)
		abort();
	if (PGSHIM_RAISES(elac_attr_select(reader, predicate, &is_true, &is_unknown)) &&
		pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED)
		abort();
}

static void
fuzz_attr_read(ElacSection *section, ElacAttrType *type, uint32 ndocs)
{
	ElacAttrReader *reader = elac_attr_open(section, type, ndocs);
	ElacPredicate predicate = {0};
	union
	{
		Datum		header;
		char		bytes[64];
	}			value;
	bool		isnull;

	for (uint32 doc = 0; doc < ndocs; doc += 5)
	{
		if (!PGSHIM_RAISES(elac_attr_get(reader, doc, &isnull)))
			continue;
		if (pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED)
			abort();
		break;
	}
	fuzz_attr_type = type;
	predicate.kind = ELAC_PREDICATE_OPERATOR;
	predicate.strategy = 2;
	predicate.function.fn_addr = fuzz_attr_operator;
	fuzz_attr_value(type, 7, &value);
	predicate.arg = type->typbyval ? value.header : PointerGetDatum(&value);
	fuzz_attr_select(reader, type, &predicate);
	predicate.strategy = 3;
	predicate.function.fn_oid = type->type == UUIDOID ? F_UUID_EQ : type->type == TEXTOID ? F_TEXTEQ :
		type->type == TEXTARRAYOID || type->type == INT4ARRAYOID ? F_ARRAYCONTAINS : 65;
	fuzz_attr_select(reader, type, &predicate);
	predicate.function.fn_oid = type->type == TEXTOID ? F_STARTS_WITH : F_ARRAYCONTAINED;
	fuzz_attr_select(reader, type, &predicate);
	elac_attr_verify(reader);
}

/* Allocations of exactly the parts' sizes, so that a sanitizer sees every step beyond. */
static void
fuzz_attr_parts(const uint8_t *data, size_t size, ElacSection *section, uint8 **head, uint8 **body)
{
	const FuzzAttrSection *base = &fuzz_attr_sections[data[0] % FUZZ_ATTR_TYPES][data[1] >> 2 & 1];

	if ((data[1] & 2) == 0)
	{
		section->head_len = Min((size_t) (data[2] | data[3] << 8), size - 4);
		section->body_len = size - 4 - section->head_len;
		*head = palloc(section->head_len + 1);
		memcpy(*head, data + 4, section->head_len);
		*body = palloc(section->body_len + 1);
		memcpy(*body, data + 4 + section->head_len, section->body_len);
		return;
	}
	section->head_len = base->head_len;
	section->body_len = base->body_len;
	*head = palloc(base->head_len + 1);
	memcpy(*head, base->head, base->head_len);
	*body = palloc(base->body_len + 1);
	memcpy(*body, base->body, base->body_len);
	for (size_t i = 4; i + 4 <= size; i += 4)
	{
		Size		offset = data[i] | data[i + 1] << 8;

		if (data[i + 2] % 2 == 0)
			(*head)[offset % base->head_len] ^= data[i + 3];
		else
			(*body)[offset % base->body_len] ^= data[i + 3];
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemoryContext context;
	MemoryContext old;
	ElacSection section = {0};
	ElacAttrType type;
	uint8	   *head;
	uint8	   *body;
	uint32		ndocs = 1;

	if (size < 4)
		return 0;
	context = AllocSetContextCreate(CurrentMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	type = fuzz_attr_types[data[0] % FUZZ_ATTR_TYPES];
	fuzz_attr_parts(data, size, &section, &head, &body);
	if (data[1] & 1)
		fuzz_attr_mend(head, section.head_len, body, section.body_len);
	if (section.head_len >= sizeof(ElacAttrHeader))
		memcpy(&ndocs, head + offsetof(ElacAttrHeader, ndocs), sizeof(ndocs));
	if (ndocs > 100000)
		ndocs = 100000;
	section.head = elac_blob_open_memory(head, section.head_len, "fuzz");
	section.body = elac_blob_open_memory(body, section.body_len, "fuzz");
	if (PGSHIM_RAISES(fuzz_attr_read(&section, &type, ndocs)) &&
		pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED && pgshim_error.sqlstate != ERRCODE_OUT_OF_MEMORY)
		abort();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return 0;
}
