/*
 * maintenance.c
 *	  The maintenance lock: one job at a time on an index.
 *
 * A heavyweight lock, so that waiting for it can be interrupted and deadlocks
 * with table locks are found.  Its tag is that of a tuple lock on item 1 of
 * block 0 of the index, which nothing else locks.  (Not of a page lock: while
 * one is held PostgreSQL 13 to 16 allow no other heavyweight lock to be taken,
 * and jobs read catalogues.)  Released by elac_maintenance_unlock() or with
 * the transaction; taking it again while holding it is counted.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/rel.h"

#include "lsm/lsm.h"
#include "storage/metapage.h"

static void
maintenance_tag(Relation index, LOCKTAG *tag)
{
	SET_LOCKTAG_TUPLE(*tag, index->rd_lockInfo.lockRelId.dbId, index->rd_lockInfo.lockRelId.relId,
					  ELAC_META_BLOCK, 1);
}

bool
elac_maintenance_lock(Relation index, bool wait)
{
	LOCKTAG		tag;

	maintenance_tag(index, &tag);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
elac_maintenance_unlock(Relation index)
{
	LOCKTAG		tag;

	maintenance_tag(index, &tag);
	LockRelease(&tag, ExclusiveLock, false);
}
