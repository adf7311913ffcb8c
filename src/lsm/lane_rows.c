/*
 * lane_rows.c
 *	  Rows of the delta as this process keeps them from query to query.
 *
 * Owns copies only: of docs records, attribute values and vectors' codes of
 * the lanes that queries have read, in chunks that never move.  Takes no locks
 * and reads nothing itself (lane_reader.c does).  Rows are added one by one, so
 * an error on the way leaves what was complete.
 *
 * Memory: lanes that nobody holds are dropped, the least recently used first,
 * while all of them take more than CACHE_BYTES; codes of a lane that alone
 * would take that much are not kept at all.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/delta_vector.h"
#include "lsm/lane_reader.h"
#include "lsm/lane_rows.h"

#define CACHE_BYTES ((Size) 32 * 1024 * 1024)
#define CHUNK_ROWS 256

typedef struct RowsChunk
{
	ElacDeltaHeader headers[CHUNK_ROWS];
	Datum	   *values;			/* CHUNK_ROWS * nattr, of a row together; into attrs of the rows */
	bool	   *isnull;
	uint8	   *codes;			/* CHUNK_ROWS codes; NULL until one is read */
} RowsChunk;

struct ElacLaneRows
{
	dlist_node	node;			/* in rows_cache, most recently used first; unless dropped */
	MemoryContext context;
	uint8		uuid[16];
	uint64		id;				/* of the docs chain */
	uint32		ndead;			/* of the lane before it was read */
	int			holders;
	bool		dropped;		/* goes with its last holder */
	Size		nbytes;
	int			nattr;
	Size		code_size;
	uint32		nrows;
	uint32		ncodes;			/* rows whose codes have been read */
	ElacChainPos end;			/* of the last row's docs record */
	uint32		nchunks;
	RowsChunk **chunks;
};

static dlist_head rows_cache = DLIST_STATIC_INIT(rows_cache);
static Size rows_bytes = 0;		/* of all in rows_cache */

/* ---- what is kept ---- */

static void
rows_drop(ElacLaneRows *rows)
{
	if (!rows->dropped)
	{
		dlist_delete(&rows->node);
		rows_bytes -= rows->nbytes;
		rows->dropped = true;
	}
	if (rows->holders == 0)
		MemoryContextDelete(rows->context);
}

static void
rows_trim(void)
{
	dlist_node *node = dlist_is_empty(&rows_cache) ? NULL : dlist_tail_node(&rows_cache);

	while (rows_bytes > CACHE_BYTES && node != NULL)
	{
		ElacLaneRows *rows = dlist_container(ElacLaneRows, node, node);

		node = dlist_has_prev(&rows_cache, node) ? dlist_prev_node(&rows_cache, node) : NULL;
		if (rows->holders == 0)
			rows_drop(rows);
	}
}

static ElacLaneRows *
rows_find(const uint8 *uuid, const ElacLane *lane)
{
	dlist_iter	iter;

	dlist_foreach(iter, &rows_cache)
	{
		ElacLaneRows *rows = dlist_container(ElacLaneRows, node, iter.cur);

		if (rows->id != lane->docs.id || memcmp(rows->uuid, uuid, sizeof(rows->uuid)) != 0)
			continue;
		if (rows->ndead == lane->ndead)
			return rows;
		rows_drop(rows);
		return NULL;
	}
	return NULL;
}

static ElacLaneRows *
rows_create(const uint8 *uuid, const ElacRowType *type, const ElacLane *lane)
{
	MemoryContext context = AllocSetContextCreate(CacheMemoryContext, "elacsym lane rows", ALLOCSET_DEFAULT_SIZES);
	ElacLaneRows *rows = MemoryContextAllocZero(context, sizeof(ElacLaneRows));
	const ElacSchema *schema = type->schema;

	rows->context = context;
	memcpy(rows->uuid, uuid, sizeof(rows->uuid));
	rows->id = lane->docs.id;
	rows->ndead = lane->ndead;
	rows->nattr = schema->nattr;
	if (schema->vector_column >= 0)
		rows->code_size = elac_delta_vector_size(schema->columns[schema->vector_column].dim);
	dlist_push_head(&rows_cache, &rows->node);
	return rows;
}

/* ---- reading ---- */

static RowsChunk *
rows_chunk(ElacLaneRows *rows, uint32 row)
{
	uint32		number = row / CHUNK_ROWS;

	if (number == rows->nchunks)
	{
		RowsChunk  *chunk = MemoryContextAllocZero(rows->context, sizeof(RowsChunk));
		Size		size = ((Size) rows->nchunks + 1) * sizeof(RowsChunk *);

		if (rows->nattr > 0)
		{
			chunk->values = MemoryContextAlloc(rows->context, (Size) CHUNK_ROWS * rows->nattr * sizeof(Datum));
			chunk->isnull = MemoryContextAlloc(rows->context, (Size) CHUNK_ROWS * rows->nattr * sizeof(bool));
		}
		/* powers of two, so that not every chunk copies the array */
		if (rows->chunks == NULL)
			rows->chunks = MemoryContextAlloc(rows->context, size);
		else if ((rows->nchunks & (rows->nchunks - 1)) == 0)
			rows->chunks = repalloc_huge(rows->chunks, 2 * rows->nchunks * sizeof(RowsChunk *));
		rows->chunks[rows->nchunks++] = chunk;
	}
	return rows->chunks[number];
}

/* Puts a row behind the others; record's attributes lie in rows->context. */
static void
rows_add(ElacLaneRows *rows, Relation index, const ElacRowType *type, const ElacDeltaRecord *record)
{
	RowsChunk  *chunk = rows_chunk(rows, rows->nrows);
	uint32		slot = rows->nrows % CHUNK_ROWS;
	const ElacSchema *schema = type->schema;
	Datum		values[ELAC_MAX_COLUMNS];
	bool		isnull[ELAC_MAX_COLUMNS];
	int			n = slot * rows->nattr;

	if (!elac_delta_attrs_decode(type, record->attrs, record->header.attrs_len, values, isnull))
		elac_corrupted(RelationGetRelationName(index), "Row %u of the delta chain " UINT64_FORMAT " has wrong attributes.",
					   rows->nrows, rows->id);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		chunk->values[n] = values[i];
		chunk->isnull[n] = isnull[i];
		n++;
	}
	chunk->headers[slot] = record->header;
	rows->nrows++;
}

static void
rows_read(ElacLaneRows *rows, Relation index, const ElacRowType *type, const ElacLane *lane)
{
	ElacLaneReader *reader;
	ElacDeltaRecord record;

	if (rows->nrows >= lane->ndocs)
		return;
	reader = elac_lane_reader_begin(index, type, lane);
	if (rows->nrows > 0)
		elac_lane_reader_skip(reader, rows->nrows, rows->end);
	for (;;)
	{
		MemoryContext old = MemoryContextSwitchTo(rows->context);
		bool		found = elac_lane_reader_next(reader, &record);
		ElacChainPos end;

		MemoryContextSwitchTo(old);
		if (!found)
			break;
		/* nothing fails between the row and its end */
		end = elac_lane_reader_tell(reader);
		rows_add(rows, index, type, &record);
		rows->end = end;
	}
	elac_lane_reader_end(reader);
}

ElacLaneRows *
elac_lane_rows_hold(Relation index, const uint8 *uuid, const ElacRowType *type, const ElacLane *lane)
{
	ElacLaneRows *rows = rows_find(uuid, lane);

	if (rows == NULL)
		rows = rows_create(uuid, type, lane);
	else
		dlist_move_head(&rows_cache, &rows->node);
	rows_read(rows, index, type, lane);
	rows->holders++;
	return rows;
}

void
elac_lane_rows_unhold(ElacLaneRows *rows)
{
	Assert(rows->holders > 0);
	rows->holders--;
	if (rows->dropped)
	{
		if (rows->holders == 0)
			MemoryContextDelete(rows->context);
		return;
	}
	rows_bytes -= rows->nbytes;
	rows->nbytes = MemoryContextMemAllocated(rows->context, true);
	rows_bytes += rows->nbytes;
	rows_trim();
}

const ElacDeltaHeader *
elac_lane_rows_header(const ElacLaneRows *rows, uint32 row)
{
	Assert(row < rows->nrows);
	return &rows->chunks[row / CHUNK_ROWS]->headers[row % CHUNK_ROWS];
}

Datum
elac_lane_rows_attr(const ElacLaneRows *rows, uint32 row, int ordinal, bool *isnull)
{
	const RowsChunk *chunk = rows->chunks[row / CHUNK_ROWS];
	uint32		i = row % CHUNK_ROWS * rows->nattr + ordinal;

	Assert(row < rows->nrows && ordinal < rows->nattr);
	*isnull = chunk->isnull[i];
	return chunk->values[i];
}

/* ---- vectors ---- */

bool
elac_lane_rows_load_codes(ElacLaneRows *rows, Relation index, const ElacRowType *type, const ElacLane *lane)
{
	ElacLaneReader *reader;

	if (rows->ncodes >= lane->ndocs)
		return true;
	if (lane->ndocs > CACHE_BYTES / Max(rows->code_size, 1))
		return false;
	reader = elac_lane_reader_begin(index, type, lane);
	for (; rows->ncodes < lane->ndocs; rows->ncodes++)
	{
		RowsChunk  *chunk = rows_chunk(rows, rows->ncodes);
		uint32		slot = rows->ncodes % CHUNK_ROWS;
		const ElacDeltaHeader *header = &chunk->headers[slot];

		CHECK_FOR_INTERRUPTS();
		if (header->vector_class != ELAC_VECTOR_FINITE)
			continue;
		if (chunk->codes == NULL)
			chunk->codes = MemoryContextAllocHuge(rows->context, CHUNK_ROWS * rows->code_size);
		elac_lane_reader_code(reader, header, chunk->codes + slot * rows->code_size);
	}
	elac_lane_reader_end(reader);
	return true;
}

const uint8 *
elac_lane_rows_code(const ElacLaneRows *rows, uint32 row)
{
	Assert(row < rows->ncodes);
	return rows->chunks[row / CHUNK_ROWS]->codes + row % CHUNK_ROWS * rows->code_size;
}
