/*
 * stream.c
 *	  Writes a segment whose rows come in their final order.
 *
 * The document map goes into the head as rows arrive, codes into the vector
 * writer.  Attributes are collected in memory, because their sections are in
 * the order of values: the caller asks how much that is.  Texts have been
 * collected before; they are told their rows' numbers, and written in the end.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "segment/segment_internal.h"

/* Tids written to the head at a time. */
#define STREAM_TIDS 1024

struct ElacSegmentStream
{
	MemoryContext context;
	Relation	index;
	const ElacRowType *type;
	const ElacCodebook *codebook;
	uint64		id;
	uint32		ndocs;
	ElacSectionWriter out;		/* made with the first row */
	ElacDirectoryWriter directory;
	int			ntids;			/* not yet written */
	ItemPointerData *tids;
	ElacVectorWriter *vector;
	ElacTextLoad *texts;		/* the caller's */
	ElacAttrWriter *attrs[ELAC_MAX_COLUMNS];
};

ElacSegmentStream *
elac_segment_stream_begin(Relation index, const ElacRowType *type, const ElacCodebook *codebook, int cut, uint64 id,
						  Size spool_bytes, ElacTextLoad *texts)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym segment stream",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacSegmentStream *stream = palloc0(sizeof(ElacSegmentStream));
	const ElacSchema *schema = type->schema;

	stream->context = context;
	stream->index = index;
	stream->type = type;
	stream->codebook = codebook;
	stream->id = id;
	stream->texts = texts;
	if (texts != NULL)
		elac_text_load_forget(texts);
	stream->tids = palloc(STREAM_TIDS * sizeof(ItemPointerData));
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind == ELAC_COLUMN_VECTOR)
			stream->vector = elac_vector_writer_begin_cut(codebook, schema->columns[i].bits, cut, spool_bytes);
		else if (schema->columns[i].kind == ELAC_COLUMN_ATTR)
			stream->attrs[i] = elac_attr_writer_begin(&type->attr[i]);
	}
	MemoryContextSwitchTo(old);
	return stream;
}

uint32
elac_segment_stream_ndocs(const ElacSegmentStream *stream)
{
	return stream->ndocs;
}

Size
elac_segment_stream_memory(const ElacSegmentStream *stream)
{
	Size		memory = 0;

	for (int i = 0; i < stream->type->schema->ncolumns; i++)
	{
		if (stream->attrs[i] != NULL)
			memory += elac_attr_writer_memory(stream->attrs[i]);
	}
	return memory;
}

static void
stream_write_tids(ElacSegmentStream *stream)
{
	elac_directory_add_tids(&stream->directory, stream->tids, stream->ntids);
	stream->ntids = 0;
}

void
elac_segment_stream_add(ElacSegmentStream *stream, const ElacSortedRow *sorted)
{
	const ElacRow *row = &sorted->row;
	MemoryContext old = MemoryContextSwitchTo(stream->context);

	if (stream->ndocs == 0)
	{
		elac_segment_create_blobs(stream->index, stream->id, NULL, NULL, &stream->out);
		elac_directory_begin(&stream->directory, &stream->out, stream->type->schema, 0);
		elac_directory_open_section(&stream->directory, ELAC_DOCMAP_COLUMN);
	}
	if (stream->ndocs == UINT32_MAX - 1)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one segment")));
	stream->tids[stream->ntids++] = row->tid;
	if (stream->ntids == STREAM_TIDS)
		stream_write_tids(stream);
	if (stream->vector != NULL)
	{
		if (row->vector_class == ELAC_VECTOR_FINITE)
			elac_vector_writer_add_coded(stream->vector, sorted->leaf, sorted->coded);
		else
			elac_vector_writer_add(stream->vector, row->vector_class, 0, NULL);
	}
	if (stream->texts != NULL)
		elac_text_load_place(stream->texts, sorted->arrival, stream->ndocs);
	for (int i = 0; i < stream->type->schema->ncolumns; i++)
	{
		if (stream->attrs[i] != NULL)
			elac_attr_writer_add(stream->attrs[i], row->columns[i].value, row->columns[i].isnull);
	}
	stream->ndocs++;
	MemoryContextSwitchTo(old);
}

/* The sections after the document map. */
static void
stream_write_sections(ElacSegmentStream *stream)
{
	stream_write_tids(stream);
	elac_directory_close_section(&stream->directory);
	stream->directory.ndocs = stream->ndocs;
	for (int i = 0; i < stream->type->schema->ncolumns; i++)
	{
		CHECK_FOR_INTERRUPTS();
		elac_directory_open_section(&stream->directory, i);
		if (stream->type->schema->columns[i].kind == ELAC_COLUMN_TEXT)
			elac_text_load_write(stream->texts, i, stream->ndocs, &stream->out);
		else if (stream->attrs[i] != NULL)
			elac_attr_writer_finish(stream->attrs[i], NULL, stream->ndocs, &stream->out);
		else
			elac_vector_writer_finish(stream->vector, &stream->out);
		elac_directory_close_section(&stream->directory);
	}
	elac_directory_finish(&stream->directory, stream->id);
}

void
elac_segment_stream_finish(ElacSegmentStream *stream, uint32 level, ElacSegmentRef *ref)
{
	MemoryContext old = MemoryContextSwitchTo(stream->context);

	memset(ref, 0, sizeof(*ref));
	ref->live = InvalidBlockNumber;
	if (stream->ndocs > 0)
	{
		stream_write_sections(stream);
		elac_segment_finish_blobs(stream->index, &stream->out, stream->id, level, stream->ndocs, stream->codebook, ref);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(stream->context);
}
