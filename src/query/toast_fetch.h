/*
 * toast_fetch.h
 *	  Values that lie outside their row, of rows that may be dead.
 */
#ifndef ELAC_TOAST_FETCH_H
#define ELAC_TOAST_FETCH_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"

/*
 * The value whole and uncompressed, in CurrentMemoryContext; NULL when parts
 * of it are gone, as VACUUM may have removed those of a dead row.
 */
extern struct varlena *elac_toast_fetch(struct varlena *value);

/*
 * Stores the row of source in target, a virtual slot of the same columns, with
 * those of attributes (numbers less FirstLowInvalidHeapAttributeNumber) whole.
 * False when parts of one are gone.
 */
extern bool elac_toast_fetch_slot(TupleTableSlot *source, const Bitmapset *attributes, TupleTableSlot *target);

#endif							/* ELAC_TOAST_FETCH_H */
