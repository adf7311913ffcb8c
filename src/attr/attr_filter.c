/*
 * attr_filter.c
 *	  Bloom filters: which value blocks may hold a value, and whether any may.
 *
 * Blocks of 1024 values have 8192 bits each.  They are stored by rows, one for
 * each bit position and with a bit for each block, so that a question reads
 * as many short rows as it has probes, and not a line of each block.  The
 * section's own filter comes first: it alone tells that a segment has nothing,
 * for among a thousand blocks some always answer wrongly.
 *
 * Frequent values are kept here, too, by the same hashes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_output.h"
#include "errors.h"

#define filter_corrupted(reader, ...) elac_corrupted(elac_blob_name((reader)->section.head), __VA_ARGS__)

/* With fewer blocks than a byte has bits the section's filter has to do. */
#define ATTR_ROWS_BLOCKS 8

/* One frequent value is kept for so many documents. */
#define ATTR_FREQUENT_DOCUMENTS 128

/* Of a sample of so many, what comes so often is counted. */
#define ATTR_FREQUENT_SAMPLE 16384
#define ATTR_FREQUENT_REPEATS 4

/* Position number i of a hash's probes among n: two halves of it, the second odd. */
static uint64
attr_probe(uint64 hash, int i, uint64 n)
{
	uint64		place = (hash & PG_UINT32_MAX) + (uint64) i * ((hash >> 32) | 1);

	return ((place & PG_UINT32_MAX) * n) >> 32;
}

bool
elac_attr_has_filter(const ElacAttrType *type)
{
	return elac_attr_is_ordered(type) ? type->type == INT8OID : elac_attr_sameness(type) != ELAC_ATTR_SAME_UNKNOWN;
}

/* ---- writing ---- */

/* Hashes of all values, by number. */
static const uint64 *
attr_filter_hashes(AttrOutput *output)
{
	ElacAttrWriter *writer = output->writer;
	MemoryContext context;
	MemoryContext old;
	uint64	   *hashes;

	if (output->hashes != NULL)
		return output->hashes;
	hashes = MemoryContextAllocHuge(writer->context, mul_size((Size) writer->nvalues + 1, sizeof(uint64)));
	context = AllocSetContextCreate(writer->context, "elacsym attribute hashes", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	for (uint32 id = 0; id < writer->nvalues; id++)
	{
		hashes[id] = elac_attr_hash(&writer->type, elac_attr_writer_value(writer, id));
		if (id % 256 == 0)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextReset(context);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	output->hashes = hashes;
	return hashes;
}

static void
attr_filter_make_rows(AttrOutput *output, const uint64 *hashes)
{
	ElacAttrHeader *header = &output->header;
	Size		stride = (header->nblocks + 7) / 8;

	header->rows_len = stride * ELAC_ATTR_ROWS;
	output->rows = MemoryContextAllocExtended(output->writer->context, header->rows_len,
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 b = 0; b < header->nblocks; b++)
	{
		const ElacAttrBlock *block = &output->directory[b];

		CHECK_FOR_INTERRUPTS();
		for (uint32 doc = block->first; doc < block->first + block->nvalues; doc++)
			for (int i = 0; i < ELAC_ATTR_ROW_PROBES && output->ids[doc] != ATTR_NULL_ID; i++)
			{
				uint64		row = attr_probe(hashes[output->ids[doc]], i, ELAC_ATTR_ROWS);

				output->rows[row * stride + b / 8] |= 1 << (b % 8);
			}
	}
}

void
elac_attr_make_filters(AttrOutput *output)
{
	ElacAttrWriter *writer = output->writer;
	ElacAttrHeader *header = &output->header;
	const uint64 *hashes;
	uint64		nbits;

	if (writer->nvalues == 0 || !elac_attr_has_filter(&writer->type))
		return;
	hashes = attr_filter_hashes(output);
	nbits = Min(TYPEALIGN64(64, (uint64) writer->nvalues * ELAC_ATTR_FILTER_BITS), UINT64CONST(1) << 32);
	header->filter_len = (uint32) (nbits / 8);
	output->filter = MemoryContextAllocExtended(writer->context, header->filter_len, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 id = 0; id < writer->nvalues; id++)
		for (int i = 0; i < ELAC_ATTR_FILTER_PROBES; i++)
		{
			uint64		bit = attr_probe(hashes[id], i, nbits);

			output->filter[bit / 8] |= 1 << (bit % 8);
		}
	if (header->encoding == ELAC_ATTR_PLAIN && header->nblocks >= ATTR_ROWS_BLOCKS)
		attr_filter_make_rows(output, hashes);
}

static int
attr_frequent_by_count(const void *a, const void *b)
{
	const ElacAttrFrequent *x = a;
	const ElacAttrFrequent *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : 0;
}

static int
attr_frequent_by_hash(const void *a, const void *b)
{
	uint64		x = ((const ElacAttrFrequent *) a)->hash;
	uint64		y = ((const ElacAttrFrequent *) b)->hash;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* All values of a dictionary with their documents; returns how many. */
static uint32
attr_frequent_dictionary(AttrOutput *output, const uint64 *hashes)
{
	ElacAttrWriter *writer = output->writer;

	output->frequent = MemoryContextAllocZero(writer->context, (Size) writer->nvalues * sizeof(ElacAttrFrequent));
	for (uint32 id = 0; id < writer->nvalues; id++)
		output->frequent[id].hash = hashes[id];
	for (uint32 doc = 0; doc < output->header.ndocs; doc++)
		if (output->ids[doc] != ATTR_NULL_ID)
			output->frequent[output->ids[doc]].count++;
	return writer->nvalues;
}

/* Values without a dictionary that come several times in a sample, counted over all documents. */
static uint32
attr_frequent_sample(AttrOutput *output, const uint64 *hashes)
{
	ElacAttrHeader *header = &output->header;
	uint32		stride = header->ndocs / ATTR_FREQUENT_SAMPLE + 1;
	ElacAttrFrequent *sample = MemoryContextAllocZero(output->writer->context,
													  (header->ndocs / stride + 1) * sizeof(ElacAttrFrequent));
	uint32		nsample = 0;
	uint32		n = 0;

	for (uint32 doc = 0; doc < header->ndocs; doc++)
		if (output->ids[doc] != ATTR_NULL_ID && doc % stride == 0)
			sample[nsample++].hash = hashes[output->ids[doc]];
	qsort(sample, nsample, sizeof(ElacAttrFrequent), attr_frequent_by_hash);
	for (uint32 i = 0; i < nsample;)
	{
		uint32		end = i + 1;

		while (end < nsample && sample[end].hash == sample[i].hash)
			end++;
		if (end - i >= ATTR_FREQUENT_REPEATS)
			sample[n++].hash = sample[i].hash;
		i = end;
	}
	for (uint32 doc = 0; n > 0 && doc < header->ndocs; doc++)
	{
		ElacAttrFrequent *found = NULL;
		ElacAttrFrequent key = {0};

		if (doc % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (output->ids[doc] == ATTR_NULL_ID)
			continue;
		key.hash = hashes[output->ids[doc]];
		found = bsearch(&key, sample, n, sizeof(ElacAttrFrequent), attr_frequent_by_hash);
		if (found != NULL)
			found->count++;
	}
	output->frequent = sample;
	return n;
}

/* Values that are equal but for their bytes are one. */
static uint32
attr_frequent_join(ElacAttrFrequent *frequent, uint32 n)
{
	uint32		kept = 0;

	qsort(frequent, n, sizeof(ElacAttrFrequent), attr_frequent_by_hash);
	for (uint32 i = 0; i < n; i++)
	{
		if (kept > 0 && frequent[kept - 1].hash == frequent[i].hash)
			frequent[kept - 1].count += frequent[i].count;
		else
			frequent[kept++] = frequent[i];
	}
	return kept;
}

void
elac_attr_make_frequent(AttrOutput *output)
{
	ElacAttrWriter *writer = output->writer;
	ElacAttrHeader *header = &output->header;
	const uint64 *hashes;
	uint32		most = Min(header->ndocs / ATTR_FREQUENT_DOCUMENTS, ELAC_ATTR_MAX_FREQUENT);
	uint32		n;

	if (most == 0 || writer->nvalues == 0 || elac_attr_sameness(&writer->type) == ELAC_ATTR_SAME_UNKNOWN)
		return;
	hashes = attr_filter_hashes(output);
	n = header->encoding == ELAC_ATTR_DICTIONARY ? attr_frequent_dictionary(output, hashes)
		: attr_frequent_sample(output, hashes);
	n = attr_frequent_join(output->frequent, n);
	qsort(output->frequent, n, sizeof(ElacAttrFrequent), attr_frequent_by_count);
	header->nfrequent = Min(n, most);
	qsort(output->frequent, header->nfrequent, sizeof(ElacAttrFrequent), attr_frequent_by_hash);
}

/* ---- reading ---- */

/* True when there is no filter. */
bool
elac_attr_may_have(const ElacAttrReader *reader, uint64 hash)
{
	for (int i = 0; i < ELAC_ATTR_FILTER_PROBES && reader->header.filter_len > 0; i++)
	{
		uint64		bit = attr_probe(hash, i, (uint64) reader->header.filter_len * 8);
		uint8		byte;

		elac_section_read_head(&reader->section, reader->filter_offset + bit / 8, &byte, 1);
		if ((byte >> (bit % 8) & 1) == 0)
			return false;
	}
	return true;
}

bool
elac_attr_candidate_blocks(const ElacAttrReader *reader, uint64 hash, ElacBitmap *blocks)
{
	uint32		nblocks = reader->header.nblocks;
	Size		stride = (nblocks + 7) / 8;
	uint64	   *found;
	uint64	   *row;
	Size		nwords = elac_bitmap_words(nblocks);

	if (!elac_attr_may_have(reader, hash))
		return false;
	if (reader->header.rows_len == 0)
	{
		elac_bitmap_fill(blocks);
		return true;
	}
	found = palloc0(nwords * sizeof(uint64));
	row = palloc0(nwords * sizeof(uint64));
	for (int i = 0; i < ELAC_ATTR_ROW_PROBES; i++)
	{
		uint64		number = attr_probe(hash, i, ELAC_ATTR_ROWS);

		elac_section_read_head(&reader->section, reader->rows_offset + number * stride, row, stride);
		for (Size w = 0; w < nwords; w++)
			found[w] = i == 0 ? row[w] : found[w] & row[w];
	}
	for (Size w = 0; w < nwords; w++)
	{
		/* bits that no block has are padding */
		uint64		mask = w == nwords - 1 && nblocks % 64 != 0 ? (UINT64CONST(1) << (nblocks % 64)) - 1 : ~UINT64CONST(0);

		blocks->words[w] |= found[w] & mask;
	}
	pfree(found);
	pfree(row);
	return true;
}

const ElacAttrFrequent *
elac_attr_find_frequent(ElacAttrReader *reader, uint64 hash)
{
	const ElacAttrFrequent *frequent = elac_attr_frequent(reader);
	uint32		low = 0;
	uint32		high = reader->header.nfrequent;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (frequent[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < reader->header.nfrequent && frequent[low].hash == hash ? &frequent[low] : NULL;
}

void
elac_attr_verify_filters(ElacAttrReader *reader, ElacDoc doc, Datum value, ElacBitmap *blocks)
{
	uint64		hash;

	if (reader->header.filter_len == 0)
		return;
	hash = elac_attr_hash(&reader->type, value);
	elac_bitmap_zero(blocks);
	if (!elac_attr_may_have(reader, hash) ||
		(blocks->nbits > 0 && (!elac_attr_candidate_blocks(reader, hash, blocks) ||
							   !elac_bitmap_get(blocks, elac_attr_block_of(reader, doc)))))
		filter_corrupted(reader, "The value of document %u of an attribute section is not in its filter.", doc);
}
