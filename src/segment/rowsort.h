/*
 * rowsort.h
 *	  Rows of a build on their way into their final order: formed, coded and
 *	  sorted outside of memory, by one process or by several.
 */
#ifndef ELAC_ROWSORT_H
#define ELAC_ROWSORT_H

#include "elacsym.h"

#include "utils/rel.h"
#include "utils/tuplesort.h"

#include "segment/row.h"
#include "segment/text_load.h"
#include "vector/codebook.h"

typedef struct ElacRowSort ElacRowSort;

/* What a sort is for: the same in all processes that take part. */
typedef struct ElacRowSortParams
{
	Relation	index;
	const ElacRowType *type;
	const ElacCodebook *codebook;	/* NULL without a vector column */
	int			cut;			/* whose lists documents are coded for */
	SharedFileSet *files;		/* where participants leave texts; NULL in a serial build */
	int			participant;	/* this process's number; in the one that reads: how many there are */
} ElacRowSortParams;

/*
 * memory bounds what this process uses, the codebook apart.  coordinate as for
 * tuplesort_begin_heap(): NULL in a serial build, a worker's in those that put
 * rows, the leader's in the one that reads them.  Everything lies in a context
 * of its own, a child of the current one.
 */
extern ElacRowSort *elac_rowsort_begin(const ElacRowSortParams *params, Size memory, SortCoordinate coordinate);

/* Forms and codes a row (elac_row_form() tells what it raises); copies what it needs. */
extern void elac_rowsort_put(ElacRowSort *sort, ItemPointer tid, const Datum *values, const bool *isnull);

/* No more rows: sorts.  A leader may call this when all workers have. */
extern void elac_rowsort_perform(ElacRowSort *sort);

/* A row in its final order; what it points to is valid until the next call. */
typedef struct ElacSortedRow
{
	ElacRow		row;			/* vector and texts are not set */
	uint64		arrival;		/* what elac_rowsort_texts() knows its texts by */
	uint32		leaf;			/* when vector_class is FINITE */
	const uint8 *coded;			/* by elac_vector_encode(), when FINITE */
} ElacSortedRow;

extern bool elac_rowsort_next(ElacRowSort *sort, ElacSortedRow *row);

/* Texts of the rows, to be placed as these are read; NULL without text columns. */
extern ElacTextLoad *elac_rowsort_texts(ElacRowSort *sort);

/*
 * Copies the rows still to be read, so that the processes that sorted them are
 * no longer needed; memory bounds what is not written to a file.
 */
extern void elac_rowsort_detach(ElacRowSort *sort, Size memory);

/* Frees everything; workers call it before their leader performs its sort's end, or after. */
extern void elac_rowsort_end(ElacRowSort *sort);

#endif							/* ELAC_ROWSORT_H */
