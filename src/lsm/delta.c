/*
 * delta.c
 *	  Writes to the delta: a row appended, a row marked dead.
 *
 * Owns: lane pages after their creation.  A backend appends to the lane that
 * its process id points at, or to another that happens to be free.
 *
 * WAL: a row is up to four records: vector bytes, term vectors, docs record
 * (each written by storage/chain.c), then the lane page, which counts the row
 * and moves the chains' ends.  Until that last record nobody sees the others'
 * bytes, and the next append writes over them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/bytes.h"
#include "errors.h"
#include "lsm/delta_format.h"
#include "lsm/delta_mark.h"
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

uint32
elac_delta_append(Relation index, const ElacRowType *type, const ElacRow *row)
{
	const ElacSchema *schema = type->schema;
	Size		attrs_len = elac_delta_attrs_size(type, row);
	Size		texts_len = elac_delta_texts_size(type, row);
	uint8	   *record;
	uint8	   *texts = NULL;
	ElacDeltaHeader *header;
	ElacLane	lane;
	ElacPageLog log;
	Buffer		buffer;
	int			number;

	delta_check_size(index, sizeof(ElacDeltaHeader) + attrs_len);
	delta_check_size(index, texts_len);
	record = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(ElacDeltaHeader) + attrs_len);
	elac_delta_attrs_encode(type, row, record + sizeof(ElacDeltaHeader));
	if (texts_len > 0)
	{
		texts = MemoryContextAllocHuge(CurrentMemoryContext, texts_len);
		elac_delta_texts_encode(type, row, texts);
	}
	header = (ElacDeltaHeader *) record;
	memset(header, 0, sizeof(ElacDeltaHeader));
	header->magic = ELAC_DELTA_MAGIC;
	header->vector_class = row->vector_class;
	header->tid = row->tid;
	header->vector.block = InvalidBlockNumber;
	header->texts.block = InvalidBlockNumber;
	header->texts_len = (uint32) texts_len;
	header->attrs_len = (uint32) attrs_len;

	buffer = delta_lock_lane(index, &number);
	elac_lane_get(index, number, BufferGetPage(buffer), &lane);
	if (lane.ndocs >= PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("delta of index \"%s\" is full", RelationGetRelationName(index)),
				 errhint("Run elacsym_flush() on the index.")));
	if (row->vector_class == ELAC_VECTOR_FINITE)
		header->vector = elac_chain_append(index, &lane.vectors, row->vector,
										   (Size) schema->columns[schema->vector_column].dim * sizeof(float));
	if (texts_len > 0)
		header->texts = elac_chain_append(index, &lane.texts, texts, texts_len);
	header->crc = elac_delta_crc(header, record + sizeof(ElacDeltaHeader));
	elac_chain_append(index, &lane.docs, record, sizeof(ElacDeltaHeader) + attrs_len);
	lane.ndocs++;

	elac_pagelog_begin(&log, index);
	elac_lane_put(elac_pagelog_page(&log, buffer, false), &lane);
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);

	pfree(record);
	if (texts != NULL)
		pfree(texts);
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
