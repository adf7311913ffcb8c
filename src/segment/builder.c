/*
 * builder.c
 *	  Collects rows in memory, numbers them in cluster order, writes a segment.
 *
 * A row's leaf is found when it arrives, so that the work is spread over the
 * scan that brings the rows.  Everything is in the builder's own memory
 * context, a child of the caller's; the caller asks for its size and finishes
 * a segment before it gets too large.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "segment/segment_internal.h"

#define BUILDER_CHUNK_BYTES (16 * 1024 * 1024)

/* Keys of rows without a leaf: after all leaves. */
#define BUILDER_KEY_NAN (UINT32_MAX - 1)
#define BUILDER_KEY_NULL UINT32_MAX

/* What decides a row's place; sorted. */
typedef struct BuilderRow
{
	uint32		key;			/* leaf, or one of the above; 0 without a vector column */
	uint32		block;
	uint32		seq;			/* order of arrival */
	uint16		offset;
	uint16		unused;
} BuilderRow;

struct ElacSegmentBuilder
{
	MemoryContext context;
	Relation	index;			/* NULL in tests */
	const ElacRowType *type;
	const ElacCodebook *codebook;
	Size		memory;			/* without the writers' */
	uint32		ndocs;
	Size		rows_allocated;
	BuilderRow *rows;
	/* finite vectors in order of arrival, chunk_vectors to a chunk */
	uint32		nvectors;
	uint32		chunk_vectors;
	uint32		nchunks;
	Size		chunks_allocated;
	float	  **chunks;
	Size		vector_of_seq_allocated;
	uint32	   *vector_of_seq;	/* only meaningful for finite rows */
	ElacTextWriter *texts[ELAC_MAX_COLUMNS];
	ElacAttrWriter *attrs[ELAC_MAX_COLUMNS];
};

ElacSegmentBuilder *
elac_segment_builder_begin(Relation index, const ElacRowType *type, const ElacCodebook *codebook)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym segment builder",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacSegmentBuilder *builder = palloc0(sizeof(ElacSegmentBuilder));
	const ElacSchema *schema = type->schema;

	builder->context = context;
	builder->index = index;
	builder->type = type;
	builder->codebook = codebook;
	if (schema->vector_column >= 0)
	{
		if (codebook == NULL)
			elog(ERROR, "a segment with a vector column needs a codebook");
		builder->chunk_vectors = BUILDER_CHUNK_BYTES / (elac_codebook_dim(codebook) * sizeof(float));
	}
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind == ELAC_COLUMN_TEXT)
			builder->texts[i] = elac_text_writer_begin((ElacTextType) schema->columns[i].element, schema->columns[i].flags);
		else if (schema->columns[i].kind == ELAC_COLUMN_ATTR)
			builder->attrs[i] = elac_attr_writer_begin(&type->attr[i]);
	}
	MemoryContextSwitchTo(old);
	return builder;
}

uint32
elac_segment_builder_ndocs(const ElacSegmentBuilder *builder)
{
	return builder->ndocs;
}

Size
elac_segment_builder_memory(const ElacSegmentBuilder *builder)
{
	Size		memory = builder->memory;

	for (int i = 0; i < builder->type->schema->ncolumns; i++)
	{
		if (builder->texts[i] != NULL)
			memory += elac_text_writer_memory(builder->texts[i]);
		if (builder->attrs[i] != NULL)
			memory += elac_attr_writer_memory(builder->attrs[i]);
	}
	return memory;
}

/* Doubles an array until it has room for element number n. */
static void *
builder_grow(ElacSegmentBuilder *builder, void *array, Size n, Size *allocated, Size element)
{
	Size		wanted;
	Size		bytes;

	if (n < *allocated)
		return array;
	wanted = *allocated == 0 ? 256 : mul_size(*allocated, 2);
	bytes = mul_size(wanted, element);
	builder->memory += bytes - *allocated * element;
	*allocated = wanted;
	if (array == NULL)
		return MemoryContextAllocHuge(builder->context, bytes);
	return repalloc_huge(array, bytes);
}

/* Where finite vector number n lies. */
static float *
builder_vector(const ElacSegmentBuilder *builder, uint32 n)
{
	return builder->chunks[n / builder->chunk_vectors] +
		(Size) (n % builder->chunk_vectors) * elac_codebook_dim(builder->codebook);
}

/* Keeps a finite vector and returns its leaf. */
static uint32
builder_add_vector(ElacSegmentBuilder *builder, const ElacRow *row)
{
	int			dim = elac_codebook_dim(builder->codebook);

	if (row->dim != 0 && row->dim != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", dim, row->dim)));
	if (builder->nvectors == builder->nchunks * builder->chunk_vectors)
	{
		Size		bytes = (Size) builder->chunk_vectors * dim * sizeof(float);

		builder->chunks = builder_grow(builder, builder->chunks, builder->nchunks, &builder->chunks_allocated,
									   sizeof(float *));
		builder->chunks[builder->nchunks++] = MemoryContextAllocHuge(builder->context, bytes);
		builder->memory += bytes;
	}
	builder->vector_of_seq = builder_grow(builder, builder->vector_of_seq, builder->ndocs,
										  &builder->vector_of_seq_allocated, sizeof(uint32));
	builder->vector_of_seq[builder->ndocs] = builder->nvectors;
	memcpy(builder_vector(builder, builder->nvectors), row->vector, dim * sizeof(float));
	builder->nvectors++;
	return elac_codebook_assign(builder->codebook, row->vector);
}

void
elac_segment_builder_add(ElacSegmentBuilder *builder, const ElacRow *row)
{
	const ElacSchema *schema = builder->type->schema;
	MemoryContext old = MemoryContextSwitchTo(builder->context);
	BuilderRow *place;

	if (builder->ndocs == UINT32_MAX - 1)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one segment")));
	builder->rows = builder_grow(builder, builder->rows, builder->ndocs, &builder->rows_allocated, sizeof(BuilderRow));
	place = &builder->rows[builder->ndocs];
	memset(place, 0, sizeof(*place));
	place->block = ItemPointerGetBlockNumber(&row->tid);
	place->offset = ItemPointerGetOffsetNumber(&row->tid);
	place->seq = builder->ndocs;
	if (schema->vector_column >= 0)
	{
		if (row->vector_class == ELAC_VECTOR_FINITE)
			place->key = builder_add_vector(builder, row);
		else
			place->key = row->vector_class == ELAC_VECTOR_NAN ? BUILDER_KEY_NAN : BUILDER_KEY_NULL;
	}
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (builder->texts[i] != NULL)
			elac_text_writer_add(builder->texts[i], &row->columns[i].text);
		if (builder->attrs[i] != NULL)
			elac_attr_writer_add(builder->attrs[i], row->columns[i].value, row->columns[i].isnull);
	}
	builder->ndocs++;
	MemoryContextSwitchTo(old);
}

/* By class and leaf, then heap tid, then arrival: a total order. */
static int
builder_compare(const void *a, const void *b)
{
	const BuilderRow *left = a;
	const BuilderRow *right = b;

	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	if (left->block != right->block)
		return left->block < right->block ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return left->seq < right->seq ? -1 : (left->seq > right->seq ? 1 : 0);
}

static void
builder_write_docmap(ElacSegmentBuilder *builder, ElacDirectoryWriter *directory)
{
	ItemPointerData *tids = MemoryContextAllocHuge(builder->context,
												   mul_size(builder->ndocs, sizeof(ItemPointerData)));

	for (uint32 doc = 0; doc < builder->ndocs; doc++)
		ItemPointerSet(&tids[doc], builder->rows[doc].block, builder->rows[doc].offset);
	elac_directory_docmap(directory, tids);
	pfree(tids);
}

static void
builder_write_vectors(ElacSegmentBuilder *builder, ElacSectionWriter *out)
{
	const ElacSchema *schema = builder->type->schema;
	ElacVectorWriter *writer = elac_vector_writer_begin(builder->codebook,
														schema->columns[schema->vector_column].bits, builder->ndocs);

	for (uint32 doc = 0; doc < builder->ndocs; doc++)
	{
		const BuilderRow *row = &builder->rows[doc];

		CHECK_FOR_INTERRUPTS();
		if (row->key == BUILDER_KEY_NULL)
			elac_vector_writer_add(writer, ELAC_VECTOR_NULL, 0, NULL);
		else if (row->key == BUILDER_KEY_NAN)
			elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL);
		else
			elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, row->key,
								   builder_vector(builder, builder->vector_of_seq[row->seq]));
	}
	elac_vector_writer_finish(writer, out);
}

void
elac_segment_builder_write(ElacSegmentBuilder *builder, uint64 id, ElacSectionWriter *out)
{
	const ElacSchema *schema = builder->type->schema;
	MemoryContext old = MemoryContextSwitchTo(builder->context);
	ElacDirectoryWriter directory;
	ElacDoc    *doc_of_seq;

	qsort(builder->rows, builder->ndocs, sizeof(BuilderRow), builder_compare);
	doc_of_seq = MemoryContextAllocHuge(builder->context, mul_size((Size) builder->ndocs + 1, sizeof(ElacDoc)));
	for (uint32 doc = 0; doc < builder->ndocs; doc++)
		doc_of_seq[builder->rows[doc].seq] = doc;

	elac_directory_begin(&directory, out, schema, builder->ndocs);
	builder_write_docmap(builder, &directory);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		elac_directory_open_section(&directory, i);
		if (schema->columns[i].kind == ELAC_COLUMN_VECTOR)
			builder_write_vectors(builder, out);
		else if (schema->columns[i].kind == ELAC_COLUMN_TEXT)
			elac_text_writer_finish(builder->texts[i], doc_of_seq, builder->ndocs, out);
		else
			elac_attr_writer_finish(builder->attrs[i], doc_of_seq, builder->ndocs, out);
		elac_directory_close_section(&directory);
	}
	elac_directory_finish(&directory, id);
	MemoryContextSwitchTo(old);
}

void
elac_segment_create_blobs(Relation index, uint64 id, ElacStore *store, const char *key_prefix, ElacSectionWriter *out)
{
	out->head = elac_blob_create(index, id, NULL, NULL);
	out->body = elac_blob_create(index, id + 1, store, key_prefix);
}

void
elac_segment_finish_blobs(Relation index, ElacSectionWriter *out, uint64 id, uint32 level, uint32 ndocs,
						  const ElacCodebook *codebook, ElacSegmentRef *ref)
{
	memset(ref, 0, sizeof(*ref));
	ref->id = id;
	ref->ndocs = ndocs;
	ref->level = level;
	ref->codebook = codebook != NULL ? elac_codebook_id(codebook) : 0;
	elac_blob_finish(out->body, &ref->body);
	elac_blob_finish(out->head, &ref->head);
	ref->live = elac_live_create(index, id + 2, ndocs);
}

void
elac_segment_builder_finish(ElacSegmentBuilder *builder, uint64 id, uint32 level,
							ElacStore *store, const char *key_prefix, ElacSegmentRef *ref)
{
	MemoryContext old = MemoryContextSwitchTo(builder->context);
	ElacSectionWriter out;

	memset(ref, 0, sizeof(*ref));
	ref->live = InvalidBlockNumber;
	if (builder->ndocs > 0)
	{
		elac_segment_create_blobs(builder->index, id, store, key_prefix, &out);
		elac_segment_builder_write(builder, id, &out);
		elac_segment_finish_blobs(builder->index, &out, id, level, builder->ndocs, builder->codebook, ref);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(builder->context);
}
