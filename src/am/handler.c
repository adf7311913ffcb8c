/*
 * handler.c
 *	  Tells PostgreSQL what the access method elacsym is and can do.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "fmgr.h"

#include "am/am.h"
#include "compat.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_handler);

void
elac_am_init(void)
{
	elac_options_init();
	elac_text_charge_init();
	elac_customscan_init();
	elac_fusion_init();			/* after the others that add paths */
	elac_text_estimate_init();
}

Oid
elac_am_oid(void)
{
	return get_index_am_oid("elacsym", true);
}

Datum
elacsym_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = makeNode(IndexAmRoutine);

	routine->amstrategies = 0;	/* not fixed: each operator class lists its own */
	routine->amsupport = 2;		/* 1: column traits, 2: options */
	routine->amoptsprocnum = 2;
	routine->amcanorderbyop = true;
	routine->amcanmulticol = true;
	routine->amoptionalkey = true;
	routine->amsearcharray = true;
	routine->amsearchnulls = true;
	routine->amusemaintenanceworkmem = true;
	elac_can_build_parallel(routine);
	routine->amparallelvacuumoptions = VACUUM_OPTION_NO_PARALLEL;
	routine->amkeytype = InvalidOid;

	routine->ambuild = elacbuild;
	routine->ambuildempty = elacbuildempty;
	routine->aminsert = elacinsert;
	routine->ambulkdelete = elacbulkdelete;
	routine->amvacuumcleanup = elacvacuumcleanup;
	routine->amcostestimate = elaccostestimate;
	routine->amoptions = elacoptions;
	routine->ambuildphasename = elacbuildphasename;
	routine->amvalidate = elacvalidate;
	routine->ambeginscan = elacbeginscan;
	routine->amrescan = elacrescan;
	routine->amgettuple = elacgettuple;
	routine->amgetbitmap = elacgetbitmap;
	routine->amendscan = elacendscan;

	PG_RETURN_POINTER(routine);
}
