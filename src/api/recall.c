/*
 * recall.c
 *	  elacsym_calibrate, elacsym_calibration: how far queries look.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "api/target_index.h"
#include "query/calibrate.h"
#include "query/job.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_calibrate);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_calibration);

Datum
elacsym_calibrate(PG_FUNCTION_ARGS)
{
	int64		queries = 0;
	ListCell   *cell;

	PreventCommandDuringRecovery("elacsym_calibrate()");
	PreventCommandIfReadOnly("elacsym_calibrate()");
	foreach(cell, elac_target_indexes(PG_GETARG_OID(0), ELAC_RIGHT_MAINTAIN))
	{
		Relation	heap;
		Relation	index;
		ElacJob    *job;

		elac_target_open(lfirst_oid(cell), RowExclusiveLock, &heap, &index);
		job = elac_job_begin(index, heap);
		queries += elac_calibrate(job, true);
		elac_job_end(job);
		elac_target_close(heap, index);
	}
	PG_RETURN_INT64(queries);
}

/* One row a point of a curve. */
Datum
elacsym_calibration(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, elac_target_indexes(PG_GETARG_OID(0), ELAC_RIGHT_LOOK))
	{
		Relation	heap;
		Relation	index;
		ElacManifest *manifest;

		elac_target_open(lfirst_oid(cell), AccessShareLock, &heap, &index);
		manifest = elac_manifest_read(index);
		for (uint32 i = 0; i < manifest->calibration.ncurves; i++)
			for (int point = 0; point < ELAC_CALIBRATION_POINTS; point++)
			{
				const ElacCalibrationCurve *curve = &manifest->calibration.curves[i];
				Datum		values[7];
				bool		nulls[7] = {0};

				values[0] = ObjectIdGetDatum(lfirst_oid(cell));
				values[1] = CStringGetTextDatum(manifest->calibration.seen > 0 ? "queries" : "rows");
				values[2] = Int64GetDatum(curve->queries);
				values[3] = Float8GetDatum(curve->rows);
				values[4] = Float4GetDatum(elac_calibration_recalls[point]);
				values[5] = Float8GetDatum(curve->patience[point]);
				values[6] = Float8GetDatum(curve->scanned[point]);
				tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			}
		pfree(manifest);
		elac_target_close(heap, index);
	}
	return (Datum) 0;
}
