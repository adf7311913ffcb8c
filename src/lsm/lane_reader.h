/*
 * lane_reader.h
 *	  Reads the rows of one lane, frozen or live, in the order of insertion.
 */
#ifndef ELAC_LANE_READER_H
#define ELAC_LANE_READER_H

#include "elacsym.h"

#include "lsm/delta_format.h"
#include "lsm/manifest.h"

typedef struct ElacLaneReader ElacLaneReader;

/* A docs record, checked: magic, CRC, tid, class, lengths. */
typedef struct ElacDeltaRecord
{
	ElacDeltaHeader header;
	ElacChainPos pos;			/* of the flags byte, as the chain's reader tells it */
	uint8	   *attrs;			/* header.attrs_len bytes, palloc'd, MAXALIGNed; NULL when none */
} ElacDeltaRecord;

/*
 * lane is copied; rows appended to it later are not seen.  The reader lives in
 * CurrentMemoryContext.  All of these raise elac_corrupted() when bytes make
 * no sense (or elac_retry() from the chain on a standby).
 */
extern ElacLaneReader *elac_lane_reader_begin(Relation index, const ElacRowType *type, const ElacLane *lane);
extern void elac_lane_reader_end(ElacLaneReader *reader);

/* The next row; false after lane.ndocs of them.  attrs in CurrentMemoryContext. */
extern bool elac_lane_reader_next(ElacLaneReader *reader, ElacDeltaRecord *record);

/*
 * Goes on with row number n, whose docs record begins where a reader of the
 * same lane stood after n rows: tell.
 */
extern void elac_lane_reader_skip(ElacLaneReader *reader, uint32 n, ElacChainPos pos);
extern ElacChainPos elac_lane_reader_tell(ElacLaneReader *reader);

/* The vector's code of a FINITE row, checked; elac_delta_vector_size() bytes. */
extern void elac_lane_reader_code(ElacLaneReader *reader, const ElacDeltaHeader *header, uint8 *code);

/*
 * The vector of a FINITE row, decoded: dim floats into dst, at most
 * elac_delta_error_value(header->vector_error) away from the vector that was
 * inserted.  Cheapest in row order.
 */
extern void elac_lane_reader_vector(ElacLaneReader *reader, const ElacDeltaHeader *header, float *dst);

/*
 * All term vectors of a row into terms[] (by position in the schema), allocated
 * in CurrentMemoryContext.  Cheapest in row order.
 */
extern void elac_lane_reader_texts(ElacLaneReader *reader, const ElacDeltaHeader *header, ElacTermVector *terms);

/* A row as the segment builder wants it, in CurrentMemoryContext. */
extern void elac_lane_reader_row(ElacLaneReader *reader, const ElacDeltaRecord *record, ElacRow *row);

#endif							/* ELAC_LANE_READER_H */
