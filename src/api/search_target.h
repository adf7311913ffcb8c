/*
 * search_target.h
 *	  What a hybrid search runs on: a relation, one of its elacsym indexes, and
 *	  how the legs are written in SQL.
 */
#ifndef ELAC_SEARCH_TARGET_H
#define ELAC_SEARCH_TARGET_H

#include "elacsym.h"

#include "access/attnum.h"

typedef struct ElacSearchTarget
{
	Oid			relation;		/* table, partitioned table, materialized view or view */
	bool		has_ctid;		/* rows are named by (tableoid, ctid); else by their content */
	Oid			index;
	char	   *relation_sql;	/* qualified and quoted */
	bool		has_node;		/* ElacsymFusion serves the relation */
	const char *schema;			/* of the extension, quoted */
	/* vector leg: distance of a row, $1 the query; NULL when the index has no vector column */
	char	   *vector_sql;
	Oid			vector_type;
	/* text leg: score of a row, $2 the query text; NULL when the index has no text column */
	char	   *text_sql;
} ElacSearchTarget;

/*
 * Finds the index to use: `index` when valid, else the only elacsym index of
 * the relation (of the relation below a view) that has what is wanted.  Raises
 * ERRCODE_UNDEFINED_OBJECT, ERRCODE_AMBIGUOUS_COLUMN or
 * ERRCODE_WRONG_OBJECT_TYPE.  Result in CurrentMemoryContext.
 */
extern ElacSearchTarget *elac_search_target(Oid relation, Oid index, bool want_vector, bool want_text);

/* An operator as it is written in SQL, whatever the search_path; palloc'd. */
extern char *elac_search_operator_sql(Oid op);

/*
 * The table's column that a column of the relation shows: itself, or what a
 * view shows.  False when it is no plain column of a table.
 */
extern bool elac_search_column_origin(Oid relation, AttrNumber attno, Oid *table, AttrNumber *table_attno);

#endif							/* ELAC_SEARCH_TARGET_H */
