/*
 * bound_query.h
 *	  The stored form of elacsym_query: a text query bound to an index and to
 *	  one or several of its text columns.
 *
 * types/text_query.c makes these (input, output, binding at plan time), the
 * scans in am/ and elac_query_text_prepare() read them; therefore the layout
 * lives here, below both.
 */
#ifndef ELAC_BOUND_QUERY_H
#define ELAC_BOUND_QUERY_H

#include "elacsym.h"

#include "text/compile.h"

typedef struct ElacBoundQuery
{
	int32		vl_len_;
	Oid			index;			/* the index, or the partitioned index, whose statistics count */
	uint16		nattnos;		/* 1 .. ELAC_MAX_COLUMNS */
	uint16		reserved;		/* 0 */
	int16		attnos[FLEXIBLE_ARRAY_MEMBER];	/* index attribute numbers from 1; the query's bytes follow the last */
} ElacBoundQuery;

/*
 * An index that elacsym_bind() may name in the statement under way although
 * the user has no privilege on its table; InvalidOid mostly.  elacsym_search()
 * sets it for a view that shows all text columns of the index, after the
 * server has checked that the user may read the view.
 */
extern Oid	elac_bound_query_granted;

/* A new datum in CurrentMemoryContext; query is a text datum. */
extern ElacBoundQuery *elac_bound_query_make(Oid index, const int16 *attnos, int nattnos, Datum query);

/* Detoasts and validates a datum; raises ERRCODE_INVALID_BINARY_REPRESENTATION. */
extern const ElacBoundQuery *elac_bound_query_decode(Datum datum);

/* The query's text, a new text datum. */
extern Datum elac_bound_query_text(const ElacBoundQuery *bound);

/* What is asked, ready to be compiled; points into new memory in CurrentMemoryContext. */
extern void elac_bound_query_request(const ElacBoundQuery *bound, ElacTextRequest *request);

#endif							/* ELAC_BOUND_QUERY_H */
