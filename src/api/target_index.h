/*
 * target_index.h
 *	  From a regclass argument to opened relations, with the checks that every
 *	  function on an index needs.
 */
#ifndef ELAC_TARGET_INDEX_H
#define ELAC_TARGET_INDEX_H

#include "elacsym.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

typedef enum ElacIndexRight
{
	ELAC_RIGHT_NONE,			/* the caller checks */
	ELAC_RIGHT_LOOK,			/* SELECT on the table, or pg_monitor */
	ELAC_RIGHT_MAINTAIN			/* owner of the index */
} ElacIndexRight;

/*
 * The indexes behind index: itself, or the leaves of a partitioned one (OIDs).
 * Raises ERRCODE_WRONG_OBJECT_TYPE when it is not an elacsym index and
 * ERRCODE_INSUFFICIENT_PRIVILEGE without the right.
 */
extern List *elac_target_indexes(Oid index, ElacIndexRight right);

/* Opens the table (AccessShareLock) and then the index. */
extern void elac_target_open(Oid index_oid, LOCKMODE lockmode, Relation *heap, Relation *index);
extern void elac_target_close(Relation heap, Relation index);

#endif							/* ELAC_TARGET_INDEX_H */
