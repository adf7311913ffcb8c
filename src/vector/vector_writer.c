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
	ElacVectorEncoder *encoder; /* made when first needed */
	uint8	   *coded;			/* what it made */
	/* the list of the last document */
	int64		list;			/* -1: none */
	uint32	   *list_first;		/* filled up to and including list */
	uint32		nlists;
	/* the list that was last copied from, into which list */
	ElacVectorReader *copied;	/* NULL: none */
	uint32		copied_list;
	ElacDoc		copied_first;
	ElacDoc		copied_last;
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
elac_vector_writer_begin_cut(const ElacCodebook *codebook, int bits, int cut, Size spool_bytes)
{
	ElacVectorWriter *writer = palloc0(sizeof(ElacVectorWriter));

	if (bits < 1 || bits > 8)
		elog(ERROR, "number of bits %d is out of range", bits);
	writer->codebook = codebook;
	writer->context = CurrentMemoryContext;
	writer->bits = bits;
	writer->cut = cut;
	writer->ndocs = ELAC_INVALID_DOC;
	writer->nlists = elac_codebook_nlists(codebook, writer->cut);
	elac_vector_layout(&writer->layout, codebook->padded, bits, 0, 0);
	writer->list = -1;
	writer->list_first = palloc_extended(((Size) writer->nlists + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	writer->block = palloc0(writer->layout.block_bytes);
	writer->record = palloc0(Max(writer->layout.record_bytes, 1));
	elac_codespool_init(&writer->codes, spool_bytes);
	elac_codespool_init(&writer->records, spool_bytes);
	return writer;
}

ElacVectorWriter *
elac_vector_writer_begin(const ElacCodebook *codebook, int bits, uint32 ndocs)
{
	ElacVectorWriter *writer = elac_vector_writer_begin_cut(codebook, bits, elac_codebook_cut(codebook, ndocs),
															 ELAC_WRITER_SPOOL_BYTES);

	writer->ndocs = ndocs;
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
	}
}

/* Ends a document: counts it and puts away the block when it is full. */
static void
elac_vector_writer_advance(ElacVectorWriter *writer, const uint8 *record)
{
	if (writer->bits > 1)
		elac_codespool_put(&writer->records, record, writer->layout.record_bytes);
	writer->counts[ELAC_VECTOR_FINITE]++;
	if (writer->counts[ELAC_VECTOR_FINITE] % ELAC_VECTOR_LANES == 0)
	{
		elac_codespool_put(&writer->codes, writer->block, writer->layout.block_bytes);
		memset(writer->block, 0, writer->layout.block_bytes);
	}
}

/* A finite document is next. */
static void
elac_vector_writer_expect_finite(const ElacVectorWriter *writer)
{
	if (writer->counts[ELAC_VECTOR_NAN] + writer->counts[ELAC_VECTOR_NULL] > 0)
		elog(ERROR, "documents of a vector section are out of order");
}

void
elac_vector_writer_add_coded(ElacVectorWriter *writer, uint32 leaf, const uint8 *coded)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	const ElacVectorLayout *layout = &writer->layout;
	const uint8 *signs = coded + ELAC_VECTOR_FACTOR_BYTES;
	int			sign_bytes = layout->padded / 8;
	int			lane = writer->counts[ELAC_VECTOR_FINITE] % ELAC_VECTOR_LANES;
	uint8	   *slot = writer->block + elac_vector_lane_byte(lane);
	int			shift = elac_vector_lane_shift(lane);

	elac_vector_writer_expect_finite(writer);
	elac_vector_writer_enter(writer, leaf);
	for (int unit = 0; unit < sign_bytes; unit++)
	{
		slot[unit * ELAC_VECTOR_UNIT] |= (signs[unit] & 15) << shift;
		slot[unit * ELAC_VECTOR_UNIT + ELAC_VECTOR_UNIT / 2] |= (signs[unit] >> 4) << shift;
	}
	for (int factor = 0; factor < 3; factor++)
		memcpy(writer->block + layout->code_bytes + (factor * ELAC_VECTOR_LANES + lane) * sizeof(float),
			   coded + factor * sizeof(float), sizeof(float));
	elac_vector_writer_advance(writer, signs + sign_bytes);
	MemoryContextSwitchTo(old);
}

void
elac_vector_writer_add(ElacVectorWriter *writer, ElacVectorClass class, uint32 leaf, const float *vector)
{
	MemoryContext old;

	for (int later = (int) class + 1; later <= (int) ELAC_VECTOR_NULL; later++)
		if (writer->counts[later] > 0)
			elog(ERROR, "documents of a vector section are out of order");
	if (class != ELAC_VECTOR_FINITE)
	{
		writer->counts[class]++;
		return;
	}
	if (writer->encoder == NULL)
	{
		/* documents come list by list: one rotated centroid is enough */
		old = MemoryContextSwitchTo(writer->context);
		writer->encoder = elac_vector_encoder_begin(writer->codebook, writer->bits, writer->cut, 0);
		writer->coded = palloc(elac_vector_encoder_bytes(writer->encoder));
		MemoryContextSwitchTo(old);
	}
	elac_vector_encode(writer->encoder, leaf, vector, writer->coded);
	elac_vector_writer_add_coded(writer, leaf, writer->coded);
}

/*
 * Whether a document's code means the same in the list of leaf that the writer
 * would put it into.  What holds for one document of a list does for all.
 */
static bool
elac_vector_same_centroid(ElacVectorWriter *writer, ElacVectorReader *from, ElacDoc doc, uint32 leaf)
{
	const ElacCodebook *codebook = writer->codebook;
	uint32		list = elac_codebook_list_of_leaf(codebook, writer->cut, leaf);
	uint32		from_list;

	if (from == writer->copied && list == writer->copied_list && doc >= writer->copied_first && doc < writer->copied_last)
		return true;
	if (!elac_codebook_related(from->codebook, codebook))
		return false;
	from_list = elac_codebook_list_of_leaf(from->codebook, from->header.cut, elac_vector_doc_leaf(from, doc));
	if (!elac_codebook_same_list(from->codebook, from->header.cut, from_list, codebook, writer->cut, list))
		return false;
	writer->copied = from;
	writer->copied_list = list;
	elac_vector_list_range(from, from_list, &writer->copied_first, &writer->copied_last);
	return true;
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
	if (from->header.bits != writer->bits || !elac_vector_same_centroid(writer, from, doc, leaf))
		return false;
	elac_vector_writer_expect_finite(writer);

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
	elac_vector_writer_advance(writer, writer->record);
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

	if (writer->ndocs == ELAC_INVALID_DOC)
		writer->ndocs = nfinite + writer->counts[ELAC_VECTOR_NAN] + writer->counts[ELAC_VECTOR_NULL];
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
