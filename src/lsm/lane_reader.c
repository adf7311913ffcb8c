/*
 * lane_reader.c
 *	  Reads the rows of one lane.
 *
 * Owns nothing stored.  Takes no locks: chains are append-only and their
 * readers copy a page under its share lock, so it runs beside inserters.  The
 * caller's snapshot (or the maintenance lock) keeps the pages from being
 * reused.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/delta_vector.h"
#include "lsm/lane_reader.h"

struct ElacLaneReader
{
	Relation	index;
	const ElacRowType *type;
	ElacLane	lane;
	int			dim;
	uint8	   *code;			/* of one vector */
	uint32		next;			/* rows read so far */
	MemoryContext context;
	ElacChainReader *docs;
	ElacChainReader *vectors;	/* opened when first asked for */
	ElacChainReader *texts;
};

ElacLaneReader *
elac_lane_reader_begin(Relation index, const ElacRowType *type, const ElacLane *lane)
{
	ElacLaneReader *reader = palloc0(sizeof(ElacLaneReader));

	reader->index = index;
	reader->type = type;
	reader->lane = *lane;
	if (type->schema->vector_column >= 0)
	{
		reader->dim = type->schema->columns[type->schema->vector_column].dim;
		reader->code = palloc(elac_delta_vector_size(reader->dim) + 1);
	}
	reader->context = CurrentMemoryContext;
	if (lane->ndocs > 0)
		reader->docs = elac_chain_open(index, &lane->docs);
	return reader;
}

void
elac_lane_reader_end(ElacLaneReader *reader)
{
	if (reader->docs != NULL)
		elac_chain_close(reader->docs);
	if (reader->vectors != NULL)
		elac_chain_close(reader->vectors);
	if (reader->texts != NULL)
		elac_chain_close(reader->texts);
	if (reader->code != NULL)
		pfree(reader->code);
	pfree(reader);
}

/* What is wrong with a header, or NULL. */
static const char *
header_fault(const ElacLaneReader *reader, const ElacDeltaHeader *header)
{
	const ElacSchema *schema = reader->type->schema;

	if (header->magic != ELAC_DELTA_MAGIC)
		return "magic number";
	if ((header->flags & ~ELAC_DELTA_DEAD) != 0)
		return "flags";
	if (!ItemPointerIsValid(&header->tid))
		return "tid";
	if (header->vector_class > ELAC_VECTOR_NULL ||
		(header->vector_class != ELAC_VECTOR_NULL && schema->vector_column < 0) ||
		(header->vector_class == ELAC_VECTOR_FINITE) != (header->vector.block != InvalidBlockNumber) ||
		(header->vector_class == ELAC_VECTOR_FINITE && reader->dim == 0))
		return "vector";
	if (!(elac_delta_error_value(header->vector_error) >= 0) ||
		(header->vector_class != ELAC_VECTOR_FINITE && header->vector_error != 0))
		return "vector error";
	if ((header->texts_len > 0) != (header->texts.block != InvalidBlockNumber) ||
		(header->texts_len > 0) != (schema->ntext > 0) ||
		(uint64) header->texts_len > (uint64) reader->lane.texts.npages * ELAC_PAGE_DATA)
		return "length of texts";
	if ((uint64) header->attrs_len > (uint64) reader->lane.docs.npages * ELAC_PAGE_DATA)
		return "length of attributes";
	return NULL;
}

static void
lane_corrupted(const ElacLaneReader *reader, const char *what)
{
	elac_corrupted(RelationGetRelationName(reader->index),
				   "Row %u of the delta chain " UINT64_FORMAT " has a wrong %s.",
				   reader->next, reader->lane.docs.id, what);
}

/* Room for len bytes, which may exceed 1 GB. */
static uint8 *
lane_alloc(Size len)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, len);
}

bool
elac_lane_reader_next(ElacLaneReader *reader, ElacDeltaRecord *record)
{
	ElacDeltaHeader *header = &record->header;
	const char *fault;

	if (reader->next >= reader->lane.ndocs)
		return false;
	CHECK_FOR_INTERRUPTS();
	record->pos = elac_chain_tell(reader->docs);
	record->attrs = NULL;
	if (!elac_chain_read(reader->docs, header, sizeof(ElacDeltaHeader)))
		lane_corrupted(reader, "end");
	fault = header_fault(reader, header);
	if (fault != NULL)
		lane_corrupted(reader, fault);
	if (header->attrs_len > 0)
	{
		record->attrs = lane_alloc(header->attrs_len);
		if (!elac_chain_read(reader->docs, record->attrs, header->attrs_len))
			lane_corrupted(reader, "end");
	}
	if (elac_delta_crc(header, record->attrs) != header->crc)
		lane_corrupted(reader, "checksum");
	reader->next++;
	return true;
}

/*
 * Brings *chain_reader to pos: opens it the first time, and spares the seek
 * when it stands there already, as it does when rows are read in order.
 */
static ElacChainReader *
lane_seek(ElacLaneReader *reader, ElacChainReader **chain_reader, const ElacChain *chain, ElacChainPos pos)
{
	ElacChainPos here;

	if (*chain_reader == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(reader->context);

		if (chain->head == InvalidBlockNumber)
			lane_corrupted(reader, "position in an empty chain");
		*chain_reader = elac_chain_open(reader->index, chain);
		MemoryContextSwitchTo(old);
	}
	here = elac_chain_tell(*chain_reader);
	if (here.block != pos.block || here.offset != pos.offset)
		elac_chain_seek(*chain_reader, pos);
	return *chain_reader;
}

void
elac_lane_reader_skip(ElacLaneReader *reader, uint32 n, ElacChainPos pos)
{
	Assert(n <= reader->lane.ndocs && reader->docs != NULL);
	reader->next = n;
	elac_chain_seek(reader->docs, pos);
}

ElacChainPos
elac_lane_reader_tell(ElacLaneReader *reader)
{
	return elac_chain_tell(reader->docs);
}

void
elac_lane_reader_code(ElacLaneReader *reader, const ElacDeltaHeader *header, uint8 *code)
{
	ElacChainReader *vectors = lane_seek(reader, &reader->vectors, &reader->lane.vectors, header->vector);

	if (!elac_chain_read(vectors, code, elac_delta_vector_size(reader->dim)) ||
		!elac_delta_vector_is_valid(code, reader->dim))
		lane_corrupted(reader, "vector");
}

void
elac_lane_reader_vector(ElacLaneReader *reader, const ElacDeltaHeader *header, float *dst)
{
	elac_lane_reader_code(reader, header, reader->code);
	elac_delta_vector_decode(reader->code, reader->dim, dst);
}

void
elac_lane_reader_texts(ElacLaneReader *reader, const ElacDeltaHeader *header, ElacTermVector *terms)
{
	ElacChainReader *texts;
	uint8	   *bytes;

	if (header->texts_len == 0)
		return;
	texts = lane_seek(reader, &reader->texts, &reader->lane.texts, header->texts);
	bytes = lane_alloc(header->texts_len);
	if (!elac_chain_read(texts, bytes, header->texts_len) ||
		!elac_delta_texts_decode(reader->type, bytes, header->texts_len, terms))
		lane_corrupted(reader, "text");
}

void
elac_lane_reader_row(ElacLaneReader *reader, const ElacDeltaRecord *record, ElacRow *row)
{
	const ElacSchema *schema = reader->type->schema;
	Datum		values[ELAC_MAX_COLUMNS];
	bool		isnull[ELAC_MAX_COLUMNS];
	ElacTermVector terms[ELAC_MAX_COLUMNS];

	memset(row, 0, sizeof(ElacRow));
	row->tid = record->header.tid;
	row->vector_class = record->header.vector_class;
	if (row->vector_class == ELAC_VECTOR_FINITE)
	{
		float	   *vector = palloc((Size) reader->dim * sizeof(float));

		elac_lane_reader_vector(reader, &record->header, vector);
		row->vector = vector;
	}
	if (!elac_delta_attrs_decode(reader->type, record->attrs, record->header.attrs_len, values, isnull))
		lane_corrupted(reader, "attribute");
	elac_lane_reader_texts(reader, &record->header, terms);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind == ELAC_COLUMN_ATTR)
		{
			row->columns[i].value = values[i];
			row->columns[i].isnull = isnull[i];
		}
		else if (schema->columns[i].kind == ELAC_COLUMN_TEXT)
			row->columns[i].text = terms[i];
	}
}
