/*
 * row.h
 *	  A row as the index sees it: analysed, prepared, detoasted.  The one form
 *	  in which rows go into the delta, into segments and out of the delta.
 */
#ifndef ELAC_ROW_H
#define ELAC_ROW_H

#include "elacsym.h"

#include "storage/itemptr.h"
#include "utils/rel.h"

#include "attr/attr_section.h"
#include "text/analyze.h"

/*
 * What is needed to make rows of an index: the schema beside the index's
 * current types and configurations.  Built once per statement or job.
 */
typedef struct ElacRowType
{
	const ElacSchema *schema;
	Oid			config[ELAC_MAX_COLUMNS];	/* text columns; InvalidOid: gone, see elac_row_config() */
	ElacAttrType attr[ELAC_MAX_COLUMNS];	/* attribute columns */
	const char *index_name;
} ElacRowType;

/*
 * columns[] is indexed by position in the schema; only the member that fits
 * the column's kind is meaningful.
 */
typedef struct ElacRowColumn
{
	ElacTermVector text;
	Datum		value;			/* attribute */
	bool		isnull;			/* attribute */
} ElacRowColumn;

typedef struct ElacRow
{
	ItemPointerData tid;
	int			dim;			/* components of the vector; 0 when NULL or when whoever made the row did not say */
	ElacVectorClass vector_class;	/* NULL when there is no vector column */
	const float *vector;		/* prepared, dim floats, when FINITE */
	ElacRowColumn columns[ELAC_MAX_COLUMNS];
} ElacRow;

/* Allocates in CurrentMemoryContext. */
extern ElacRowType *elac_row_type(Relation index, const ElacSchema *schema);

/* The configuration of a text column; raises when it is gone, which is nothing to those who analyse no texts. */
extern Oid	elac_row_config(const ElacRowType *type, int column);

/*
 * Forms a row from index values in CurrentMemoryContext: analyses texts,
 * prepares the vector (raises ERRCODE_DATA_EXCEPTION on a wrong number of
 * dimensions), detoasts attributes.
 */
extern void elac_row_form(const ElacRowType *type, ItemPointer tid, const Datum *values, const bool *isnull, ElacRow *row);

/*
 * The vector of a row alone, prepared into dst (room for column->dim floats);
 * raises as above.
 */
extern ElacVectorClass elac_row_form_vector(const ElacColumn *column, Datum value, float *dst);

#endif							/* ELAC_ROW_H */
