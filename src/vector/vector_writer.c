/*
 * vector_writer.c
 *	  Writes a vector section: codes, refinement records, list offsets.
 *
 * Caller adds documents in their final order.  Codes and records are spooled
 * (the blobs are known at the end only); memory is bounded by the two spools
 * and the list offsets.  Does not choose document numbers and reads no heap.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "vector/codespool.h"
#include "vector/vector_private.h"

/* Memory of each spool before it goes to a temporary file. */
#define ELAC_WRITER_SPOOL_BYTES ((Size) 16 * 1024 * 1024)

struct ElacVectorWriter
{
	const ElacCodebook *codebook;
	MemoryContext context;
	int			bits;
	int			cut;
	uint32		ndocs;			/* expected */
	uint32		counts[3];		/* added, by class */
	ElacVectorLayout layout;	/* sizes only */
	ElacRabitq	code;
	float	   *residual;		/* dim floats */
	float	   *rotated;		/* padded floats */
	/* the list of the last document */
	int64		list;			/* -1: none */
	float	   *centroid;		/* rotated, padded floats */
	uint32	   *list_first;		/* filled up to and including list */
	uint32		nlists;
	/* runs of documents of one leaf */
	uint32		nruns;
	uint32		max_runs;
	uint32	   *run_leaf;
	uint32	   *run_first;
	/* the block being filled, and a record */
	uint8	   *block;
	uint8	   *record;
	ElacCodeSpool codes;
	ElacCodeSpool records;
};

void
elac_vector_layout(ElacVectorLayout *layout, int padded, int bits, uint32 nfinite, uint64 start)
{
	memset(layout, 0, sizeof(*layout));
	layout->padded = padded;
	layout->ex_bits = bits - 1;
	layout->nfinite = nfinite;
	layout->nblocks = nfinite / ELAC_VECTOR_LANES + (nfinite % ELAC_VECTOR_LANES != 0);
	layout->code_bytes = padded / 8 * ELAC_VECTOR_UNIT;
	layout->block_bytes = layout->code_bytes + ELAC_VECTOR_FACTOR_BYTES * ELAC_VECTOR_LANES;
	layout->end = start;
	if (bits > 1)
	{
		layout->record_bytes = TYPEALIGN(4, ELAC_VECTOR_FACTOR_BYTES + elac_bitpack_bytes(padded, bits - 1));
		layout->records_per_page = ELAC_PAGE_DATA / layout->record_bytes;
	}
	if (nfinite == 0)
		return;
	layout->codes = (start + ELAC_VECTOR_UNIT - 1) / ELAC_VECTOR_UNIT * ELAC_VECTOR_UNIT;
	layout->end = layout->codes + (uint64) layout->nblocks * layout->block_bytes;
	if (bits > 1)
	{
		layout->refinement = (layout->end + ELAC_PAGE_DATA - 1) / ELAC_PAGE_DATA * ELAC_PAGE_DATA;
		layout->end = elac_vector_record_offset(layout, nfinite - 1) + layout->record_bytes;
	}
}

ElacVectorWriter *
elac_vector_writer_begin(const ElacCodebook *codebook, int bits, uint32 ndocs)
{
	ElacVectorWriter *writer = palloc0(sizeof(ElacVectorWriter));

	if (bits < 1 || bits > 8)
		elog(ERROR, "number of bits %d is out of range", bits);
	writer->codebook = codebook;
	writer->context = CurrentMemoryContext;
	writer->bits = bits;
	writer->ndocs = ndocs;
	writer->cut = elac_codebook_cut(codebook, ndocs);
	writer->nlists = elac_codebook_nlists(codebook, writer->cut);
	elac_vector_layout(&writer->layout, codebook->padded, bits, 0, 0);
	elac_rabitq_init(&writer->code, codebook->params.metric, codebook->padded, bits);
	writer->residual = palloc(codebook->params.dim * sizeof(float));
	writer->rotated = palloc(codebook->padded * sizeof(float));
	writer->centroid = palloc(codebook->padded * sizeof(float));
	writer->list = -1;
	writer->list_first = palloc_extended(((Size) writer->nlists + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	writer->block = palloc0(writer->layout.block_bytes);
	writer->record = palloc0(Max(writer->layout.record_bytes, 1));
	elac_codespool_init(&writer->codes, ELAC_WRITER_SPOOL_BYTES);
	elac_codespool_init(&writer->records, ELAC_WRITER_SPOOL_BYTES);
	return writer;
}

/* Notes the leaf of the next finite document. */
static void
elac_vector_writer_enter(ElacVectorWriter *writer, uint32 leaf)
{
	uint32		doc = writer->counts[ELAC_VECTOR_FINITE];
	uint32		list;

	if (writer->nruns > 0 && writer->run_leaf[writer->nruns - 1] == leaf)
		return;
	if (leaf >= elac_codebook_nlists(writer->codebook, elac_codebook_ncuts(writer->codebook) - 1) ||
		(writer->nruns > 0 && writer->run_leaf[writer->nruns - 1] > leaf))
		elog(ERROR, "documents of a vector section are out of order");

	if (writer->nruns == writer->max_runs)
	{
		Size		n = Max((Size) writer->max_runs * 2, 64);

		n = Min(n, (Size) UINT32_MAX);
		if (writer->max_runs == 0)
		{
			writer->run_leaf = palloc(n * sizeof(uint32));
			writer->run_first = palloc(n * sizeof(uint32));
		}
		else
		{
			writer->run_leaf = repalloc_huge(writer->run_leaf, n * sizeof(uint32));
			writer->run_first = repalloc_huge(writer->run_first, n * sizeof(uint32));
		}
		writer->max_runs = n;
	}
	writer->run_leaf[writer->nruns] = leaf;
	writer->run_first[writer->nruns] = doc;
	writer->nruns++;

	list = elac_codebook_list_of_leaf(writer->codebook, writer->cut, leaf);
	if ((int64) list != writer->list)
	{
		while (writer->list < (int64) list)
			writer->list_first[++writer->list] = doc;
		elac_codebook_rotate_relative(writer->codebook,
									  elac_codebook_centroid(writer->codebook, writer->cut, list),
									  writer->centroid);
	}
}

/* Sets a lane's factors in a block. */
static void
elac_vector_put_factors(const ElacVectorLayout *layout, uint8 *block, int lane, const ElacRabitqFactors *factors)
{
	uint8	   *base = block + layout->code_bytes + lane * sizeof(float);

	elac_put_f32(base, factors->add);
	elac_put_f32(base + ELAC_VECTOR_LANES * sizeof(float), factors->rescale);
	elac_put_f32(base + 2 * ELAC_VECTOR_LANES * sizeof(float), factors->error);
}

/* Ends a document: counts it and puts away the block when it is full. */
static void
elac_vector_writer_advance(ElacVectorWriter *writer)
{
	if (writer->bits > 1)
		elac_codespool_put(&writer->records, writer->record, writer->layout.record_bytes);
	writer->counts[ELAC_VECTOR_FINITE]++;
	if (writer->counts[ELAC_VECTOR_FINITE] % ELAC_VECTOR_LANES == 0)
	{
		elac_codespool_put(&writer->codes, writer->block, writer->layout.block_bytes);
		memset(writer->block, 0, writer->layout.block_bytes);
	}
}

/* Encodes a vector into the current lane and record. */
static void
elac_vector_writer_encode(ElacVectorWriter *writer, const float *vector)
{
	const ElacCodebook *codebook = writer->codebook;
	const float *centroid = elac_codebook_centroid(codebook, writer->cut, (uint32) writer->list);
	ElacRabitq *code = &writer->code;
	int			lane = writer->counts[ELAC_VECTOR_FINITE] % ELAC_VECTOR_LANES;
	uint8	   *slot = writer->block + elac_vector_lane_byte(lane);
	int			shift = elac_vector_lane_shift(lane);

	for (int d = 0; d < codebook->params.dim; d++)
		writer->residual[d] = vector[d] - centroid[d];
	elac_rotate(&codebook->rotation, writer->residual, codebook->params.dim, writer->rotated);
	elac_rabitq_encode(code, writer->rotated, writer->centroid);

	for (int group = 0; group < codebook->padded / 4; group++)
	{
		const uint8 *bits = code->bits + group * 4;

		slot[group * 16] |= (bits[0] | bits[1] << 1 | bits[2] << 2 | bits[3] << 3) << shift;
	}
	elac_vector_put_factors(&writer->layout, writer->block, lane, &code->one);
	if (writer->bits > 1)
	{
		elac_put_f32(writer->record, code->full.add);
		elac_put_f32(writer->record + 4, code->full.rescale);
		elac_put_f32(writer->record + 8, code->full.error);
		elac_bitpack(code->ex, codebook->padded, writer->bits - 1, writer->record + ELAC_VECTOR_FACTOR_BYTES);
	}
}

void
elac_vector_writer_add(ElacVectorWriter *writer, ElacVectorClass class, uint32 leaf, const float *vector)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	for (int later = (int) class + 1; later <= (int) ELAC_VECTOR_NULL; later++)
		if (writer->counts[later] > 0)
			elog(ERROR, "documents of a vector section are out of order");
	if (class == ELAC_VECTOR_FINITE)
	{
		elac_vector_writer_enter(writer, leaf);
		elac_vector_writer_encode(writer, vector);
		elac_vector_writer_advance(writer);
	}
	else
		writer->counts[class]++;
	MemoryContextSwitchTo(old);
}

/* Whether codes of one cut's list mean the same in the writer's cut. */
static bool
elac_vector_same_centroid(const ElacVectorWriter *writer, const ElacVectorReader *from, uint32 leaf)
{
	const ElacCodebook *codebook = writer->codebook;
	int			cut = from->header.cut;

	if (cut == writer->cut)
		return true;
	return memcmp(elac_codebook_centroid(codebook, cut, elac_codebook_list_of_leaf(codebook, cut, leaf)),
				  elac_codebook_centroid(codebook, writer->cut, elac_codebook_list_of_leaf(codebook, writer->cut, leaf)),
				  codebook->params.dim * sizeof(float)) == 0;
}

bool
elac_vector_writer_copy(ElacVectorWriter *writer, uint32 leaf, ElacVectorReader *from, ElacDoc doc)
{
	MemoryContext old;
	const uint8 *block;
	const uint8 *source;
	uint8	   *target;
	int			from_lane = doc % ELAC_VECTOR_LANES;
	int			to_lane = writer->counts[ELAC_VECTOR_FINITE] % ELAC_VECTOR_LANES;
	int			from_shift = elac_vector_lane_shift(from_lane);
	int			to_shift = elac_vector_lane_shift(to_lane);

	if (doc >= from->header.nfinite)
		elog(ERROR, "document %u has no code", doc);
	if (from->header.codebook_crc != writer->codebook->crc || from->header.bits != writer->bits ||
		!elac_vector_same_centroid(writer, from, leaf))
		return false;
	if (writer->counts[ELAC_VECTOR_NAN] + writer->counts[ELAC_VECTOR_NULL] > 0)
		elog(ERROR, "documents of a vector section are out of order");

	old = MemoryContextSwitchTo(writer->context);
	elac_vector_writer_enter(writer, leaf);
	block = elac_vector_load_block(from, doc / ELAC_VECTOR_LANES);
	source = block + elac_vector_lane_byte(from_lane);
	target = writer->block + elac_vector_lane_byte(to_lane);
	for (int group = 0; group < writer->codebook->padded / 4; group++)
		target[group * 16] |= ((source[group * 16] >> from_shift) & 15) << to_shift;
	for (int factor = 0; factor < 3; factor++)
	{
		Size		base = writer->layout.code_bytes + factor * ELAC_VECTOR_LANES * sizeof(float);

		memcpy(writer->block + base + to_lane * sizeof(float), block + base + from_lane * sizeof(float), sizeof(float));
	}
	if (writer->bits > 1)
		elac_blob_read(from->section.body, elac_vector_record_offset(&from->layout, doc), writer->record,
					   writer->layout.record_bytes);
	elac_vector_writer_advance(writer);
	MemoryContextSwitchTo(old);
	return true;
}

/* Writes zero bytes up to an offset of the blob. */
static void
elac_vector_writer_pad(ElacBlobWriter *blob, uint64 offset)
{
	static const uint8 zeros[512];

	while (elac_blob_tell(blob) < offset)
		elac_blob_write(blob, zeros, Min(offset - elac_blob_tell(blob), sizeof(zeros)));
}

static void
elac_vector_writer_body(ElacVectorWriter *writer, const ElacVectorLayout *layout, ElacBlobWriter *body)
{
	uint8	   *page = palloc(Max(ELAC_PAGE_DATA, layout->block_bytes));

	elac_vector_writer_pad(body, layout->codes);
	elac_codespool_rewind(&writer->codes);
	for (uint32 block = 0; block < layout->nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		elac_codespool_take(&writer->codes, page, layout->block_bytes);
		elac_blob_write(body, page, layout->block_bytes);
	}
	if (writer->bits > 1)
	{
		elac_codespool_rewind(&writer->records);
		for (uint32 doc = 0; doc < layout->nfinite;)
		{
			uint32		n = Min(layout->records_per_page, layout->nfinite - doc);

			CHECK_FOR_INTERRUPTS();
			elac_vector_writer_pad(body, elac_vector_record_offset(layout, doc));
			elac_codespool_take(&writer->records, page, (Size) n * layout->record_bytes);
			elac_blob_write(body, page, (uint64) n * layout->record_bytes);
			doc += n;
		}
	}
	Assert(elac_blob_tell(body) == layout->end);
	pfree(page);
}

void
elac_vector_writer_finish(ElacVectorWriter *writer, ElacSectionWriter *out)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	ElacVectorHeader header = {0};
	ElacVectorLayout layout;
	uint32		nfinite = writer->counts[ELAC_VECTOR_FINITE];
	int			finest = elac_codebook_ncuts(writer->codebook) - 1;

	if ((uint64) nfinite + writer->counts[ELAC_VECTOR_NAN] + writer->counts[ELAC_VECTOR_NULL] != writer->ndocs)
		elog(ERROR, "vector section has another number of documents than announced");
	while (writer->list < (int64) writer->nlists)
		writer->list_first[++writer->list] = nfinite;
	if (nfinite % ELAC_VECTOR_LANES != 0)
		elac_codespool_put(&writer->codes, writer->block, writer->layout.block_bytes);

	header.magic = ELAC_VECTOR_MAGIC;
	header.version = ELAC_VECTOR_VERSION;
	header.bits = writer->bits;
	header.cut = writer->cut;
	header.codebook_crc = writer->codebook->crc;
	header.dim = writer->codebook->params.dim;
	header.padded = writer->codebook->padded;
	header.ndocs = writer->ndocs;
	header.nfinite = nfinite;
	header.nnan = writer->counts[ELAC_VECTOR_NAN];
	header.nlists = writer->nlists;
	header.nleaves = elac_codebook_nlists(writer->codebook, finest);
	header.nruns = writer->cut == finest ? 0 : writer->nruns;
	elac_blob_write(out->head, &header, sizeof(header));
	elac_blob_write(out->head, writer->list_first, ((uint64) writer->nlists + 1) * sizeof(uint32));
	if (header.nruns > 0)
	{
		elac_blob_write(out->head, writer->run_leaf, (uint64) header.nruns * sizeof(uint32));
		elac_blob_write(out->head, writer->run_first, (uint64) header.nruns * sizeof(uint32));
	}

	elac_vector_layout(&layout, writer->codebook->padded, writer->bits, nfinite, elac_blob_tell(out->body));
	if (nfinite > 0)
		elac_vector_writer_body(writer, &layout, out->body);

	elac_codespool_free(&writer->codes);
	elac_codespool_free(&writer->records);
	MemoryContextSwitchTo(old);
}
