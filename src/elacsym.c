/*
 * elacsym.c
 *	  Entry point of the library: calls each module's init function.
 */
#include "postgres.h"

#include "fmgr.h"

#include "am/am.h"
#include "guc.h"
#include "storage/cache.h"
#include "storage/object.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	elac_guc_init();
	elac_cache_init();
	elac_object_init();
	elac_am_init();
	elac_worker_init();
}
