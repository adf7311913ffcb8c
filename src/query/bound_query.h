/*
 * bound_query.h
 *	  The stored form of elacsym_query: a text query with its options, and
 *	  the index and the text columns that it is bound to.
 *
 * types/text_query.c makes these (elacsym_match(), binding at plan time), the
 * scans in am/ and elac_query_text_prepare() read them; therefore the layout
 * lives here, below both.
 */
#ifndef ELAC_BOUND_QUERY_H
#define ELAC_BOUND_QUERY_H

#include "elacsym.h"

#include "text/compile.h"

/* What the query's payload is. */
#define ELAC_QUERY_WORDS 1		/* the bytes of a text */
#define ELAC_QUERY_TSQUERY 2	/* a tsquery, header and all */

#define ELAC_QUERY_PREFIX 1		/* flag: the last word is a prefix */

#define ELAC_QUERY_WEIGHT_MAX 1000000.0f

/*
 * After the last attribute number come, aligned to four bytes, nweights floats
 * and then the payload.
 */
typedef struct ElacBoundQuery
{
	int32		vl_len_;
	Oid			index;			/* the index, or the partitioned index, whose statistics count; InvalidOid: not bound */
	uint16		nattnos;		/* 1 .. ELAC_MAX_COLUMNS; 0 when not bound */
	uint8		kind;			/* ELAC_QUERY_WORDS or ELAC_QUERY_TSQUERY */
	uint8		combine;		/* ElacTextCombine */
	uint8		flags;			/* ELAC_QUERY_PREFIX */
	uint8		nweights;		/* 0 .. ELAC_MAX_COLUMNS */
	uint16		reserved;		/* 0 */
	float		min_match;		/* above 0; a whole number, or a share below 1 */
	int16		attnos[FLEXIBLE_ARRAY_MEMBER];	/* index attribute numbers from 1 */
} ElacBoundQuery;

StaticAssertDecl(offsetof(ElacBoundQuery, attnos) == 20, "ElacBoundQuery is stored");

/*
 * An index that elacsym_bind() may name in the statement under way although
 * the user has no privilege on its table; InvalidOid mostly.  elacsym_search()
 * sets it for a view that shows all text columns of the index, after the
 * server has checked that the user may read the view.
 */
extern Oid	elac_bound_query_granted;

/*
 * A new datum in CurrentMemoryContext that is not bound: of the request all
 * but the columns.
 */
extern ElacBoundQuery *elac_bound_query_make(const ElacTextRequest *request);

/* A copy that is bound; raises as decoding does when attribute numbers are out of range. */
extern ElacBoundQuery *elac_bound_query_bind(const ElacBoundQuery *query, Oid index, const int16 *attnos, int nattnos);

/* Detoasts and validates a datum; raises ERRCODE_INVALID_BINARY_REPRESENTATION. */
extern const ElacBoundQuery *elac_bound_query_decode(Datum datum);

/* What is asked, ready to be compiled; points into new memory in CurrentMemoryContext. */
extern void elac_bound_query_request(const ElacBoundQuery *bound, ElacTextRequest *request);

#endif							/* ELAC_BOUND_QUERY_H */
