/*
 * delta.c
 *	  Writes to the delta: a row appended, a row marked dead.
 *
 * Owns: lane pages after their creation.  A backend appends to the lane that
 * its process id points at, or to another that happens to be free.
 *
 * WAL: a row is one record of its lane page, which counts it and moves the
 * chains' ends, and of the chains' pages.  Only pieces of a row that is too
 * long for the pages of one record are written before it, in records of their
 * own: until the last one nobody sees their bytes, and the next append writes
 * over them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/delta_format.h"
#include "lsm/delta_mark.h"
#include "lsm/delta_vector.h"
#include "lsm/lsm.h"
#include "storage/pagelog.h"

/* Pins and locks a lane page exclusively. */
static Buffer
delta_lock_lane(Relation index, int *lane)
{
	Buffer		buffer;

	for (int i = 0; i < ELAC_LANES; i++)
	{
		*lane = (MyProcPid + i) % ELAC_LANES;
		buffer = ReadBuffer(index, ELAC_LANE_BLOCK + *lane);
		if (ConditionalLockBuffer(buffer))
			return buffer;
		ReleaseBuffer(buffer);
	}
	*lane = MyProcPid % ELAC_LANES;
	buffer = ReadBuffer(index, ELAC_LANE_BLOCK + *lane);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	return buffer;
}

static void
delta_check_size(Relation index, Size size)
{
	if (size >= UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too large for index \"%s\"", RelationGetRelationName(index)),
				 errdetail("It needs %zu bytes in one section of the delta; the limit is %u.", size, UINT32_MAX)));
}

/* The bytes that a row adds to one of its lane's chains. */
typedef struct DeltaPiece
{
	ElacChain  *chain;			/* set under the lane's lock */
	uint8	   *data;
	Size		len;			/* 0: nothing, or written already */
	ElacChainAppend append;
} DeltaPiece;

typedef struct DeltaRow
{
	DeltaPiece	texts;
	DeltaPiece	vector;
	DeltaPiece	docs;			/* data begins with an ElacDeltaHeader */
} DeltaRow;

static void
delta_alloc(Relation index, DeltaPiece *piece, Size len)
{
	delta_check_size(index, len);
	piece->len = len;
	piece->data = len > 0 ? MemoryContextAllocHuge(CurrentMemoryContext, len) : NULL;
}

/* Everything that can be made without the lane: all but positions and CRC. */
static void
delta_encode(Relation index, const ElacRowType *type, const ElacRow *row, DeltaRow *out)
{
	const ElacSchema *schema = type->schema;
	Size		attrs_len = elac_delta_attrs_size(type, row);
	ElacDeltaHeader *header;

	delta_alloc(index, &out->docs, sizeof(ElacDeltaHeader) + attrs_len);
	delta_alloc(index, &out->texts, elac_delta_texts_size(type, row));
	header = (ElacDeltaHeader *) out->docs.data;
	memset(header, 0, sizeof(ElacDeltaHeader));
	header->magic = ELAC_DELTA_MAGIC;
	header->vector_class = row->vector_class;
	header->tid = row->tid;
	header->vector.block = InvalidBlockNumber;
	header->texts.block = InvalidBlockNumber;
	header->texts_len = (uint32) out->texts.len;
	header->attrs_len = (uint32) attrs_len;
	elac_delta_attrs_encode(type, row, out->docs.data + sizeof(ElacDeltaHeader));
	if (out->texts.len > 0)
		elac_delta_texts_encode(type, row, out->texts.data);
	out->vector.len = 0;
	out->vector.data = NULL;
	if (row->vector_class == ELAC_VECTOR_FINITE)
	{
		int			dim = schema->columns[schema->vector_column].dim;

		delta_alloc(index, &out->vector, elac_delta_vector_size(dim));
		header->vector_error = elac_delta_vector_encode(row->vector, dim, out->vector.data);
	}
}

/*
 * Writes the pieces and the lane page.  As many pieces as fit the pages of one
 * WAL record go into that of the lane page, mostly all; what is too long for
 * that is written before.  docs comes last, for it holds the others' positions.
 */
static void
delta_write(Relation index, Buffer buffer, ElacLane *lane, DeltaRow *row)
{
	DeltaPiece *pieces[] = {&row->texts, &row->vector, &row->docs};
	ElacDeltaHeader *header = (ElacDeltaHeader *) row->docs.data;
	ElacChainPos *positions[] = {&header->texts, &header->vector, NULL};
	uint64		npages = 1;
	ElacPageLog log;
	Page		image;

	row->texts.chain = &lane->texts;
	row->vector.chain = &lane->vectors;
	row->docs.chain = &lane->docs;
	for (int i = 0; i < lengthof(pieces); i++)
		if (pieces[i]->len > 0)
			npages += elac_chain_pages(pieces[i]->chain, pieces[i]->len);
	for (int i = 0; i < lengthof(pieces); i++)
	{
		DeltaPiece *piece = pieces[i];
		ElacChainPos pos;

		if (piece->len == 0)
			continue;
		if (npages <= ELAC_PAGELOG_MAX)
		{
			elac_chain_reserve(index, piece->chain, piece->len, &piece->append);
			pos = piece->append.pos;
		}
		else
		{
			if (piece == &row->docs)
				header->crc = elac_delta_crc(header, piece->data + sizeof(ElacDeltaHeader));
			npages -= elac_chain_pages(piece->chain, piece->len);
			pos = elac_chain_append(index, piece->chain, piece->data, piece->len);
			piece->len = 0;
		}
		if (positions[i] != NULL)
			*positions[i] = pos;
	}
	header->crc = elac_delta_crc(header, row->docs.data + sizeof(ElacDeltaHeader));
	lane->ndocs++;

	elac_pagelog_begin(&log, index);
	image = elac_pagelog_page(&log, buffer, false);
	for (int i = 0; i < lengthof(pieces); i++)
		if (pieces[i]->len > 0)
			elac_chain_write(&pieces[i]->append, &log, pieces[i]->data);
	elac_lane_put(image, lane);
	elac_pagelog_commit(&log);
	for (int i = 0; i < lengthof(pieces); i++)
		if (pieces[i]->len > 0)
			elac_chain_release(&pieces[i]->append);
}

uint32
elac_delta_append(Relation index, const ElacRowType *type, const ElacRow *row)
{
	DeltaRow	encoded;
	ElacLane	lane;
	Buffer		buffer;
	int			number;

	delta_encode(index, type, row, &encoded);
	buffer = delta_lock_lane(index, &number);
	elac_lane_get(index, number, BufferGetPage(buffer), &lane);
	if (lane.ndocs >= PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("delta of index \"%s\" is full", RelationGetRelationName(index)),
				 errhint("Run elacsym_flush() on the index.")));
	delta_write(index, buffer, &lane, &encoded);
	UnlockReleaseBuffer(buffer);
	return lane.ndocs;
}

uint64
elac_delta_count(const ElacManifest *manifest, const ElacLane *lanes)
{
	uint64		count = 0;

	for (uint32 i = 0; i < manifest->nfrozen; i++)
		count += manifest->frozen[i].ndocs;
	for (int i = 0; i < ELAC_LANES; i++)
		count += lanes[i].ndocs;
	return count;
}
