/*
 * lane_rows.h
 *	  Rows of the delta as this process keeps them from query to query.
 *	  Private to lsm.
 *
 * A lane's rows never change but for being marked dead, which its descriptor
 * counts (ElacLane.ndead), and ids of chains are given out once: so what was
 * read of a lane stays true while ndead stays, and only rows that have come
 * since are read.  A rotated lane keeps its chains' ids and is still known.
 */
#ifndef ELAC_LANE_ROWS_H
#define ELAC_LANE_ROWS_H

#include "elacsym.h"

#include "utils/rel.h"

#include "lsm/delta_format.h"
#include "lsm/manifest.h"

typedef struct ElacLaneRows ElacLaneRows;

/*
 * The first lane->ndocs rows (or more) of a lane that has some.  uuid is the
 * index's.  Held until unhold; what the functions below return stays as long.
 */
extern ElacLaneRows *elac_lane_rows_hold(Relation index, const uint8 *uuid, const ElacRowType *type, const ElacLane *lane);
extern void elac_lane_rows_unhold(ElacLaneRows *rows);

extern const ElacDeltaHeader *elac_lane_rows_header(const ElacLaneRows *rows, uint32 row);

/* ordinal counts attribute columns from 0. */
extern Datum elac_lane_rows_attr(const ElacLaneRows *rows, uint32 row, int ordinal, bool *isnull);

/*
 * Reads the vectors' codes of the first lane->ndocs rows, those that are not
 * there yet; false when they would take too much memory.  Then code gives that
 * of a row of class FINITE.
 */
extern bool elac_lane_rows_load_codes(ElacLaneRows *rows, Relation index, const ElacRowType *type, const ElacLane *lane);
extern const uint8 *elac_lane_rows_code(const ElacLaneRows *rows, uint32 row);

#endif							/* ELAC_LANE_ROWS_H */
