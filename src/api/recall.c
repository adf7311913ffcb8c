/*
 * recall.c
 *	  elacsym_recall, elacsym_calibrate, elacsym_calibration: what share of the
 *	  true nearest rows queries find, and how far they look for it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "api/target_index.h"
#include "compat.h"
#include "query/calibrate.h"
#include "query/column_traits.h"
#include "query/job.h"
#include "query/recall_measure.h"
#include "storage/metapage.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_recall);
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

/* ---- elacsym_recall ---- */

#define RECALL_K_MAX 10000
#define RECALL_SAMPLES_MAX 100000

/* Heap attributes, offset as in pull_varattnos(), that a query by the index looks at. */
static Bitmapset *
recall_attributes(Relation index)
{
	int			column = 0;
	AttrNumber	attno;
	Bitmapset  *attributes = NULL;

	while (column < index->rd_index->indnkeyatts && elac_column_traits(index, column)->kind != ELAC_COLUMN_VECTOR)
		column++;
	if (column == index->rd_index->indnkeyatts)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("index \"%s\" has no vector column", RelationGetRelationName(index))));
	attno = index->rd_index->indkey.values[column];
	if (attno != 0)
		attributes = bms_make_singleton(attno - FirstLowInvalidHeapAttributeNumber);
	else
		pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &attributes);
	pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &attributes);
	return attributes;
}

/*
 * What a query that orders by the index's column would need: SELECT on the
 * table, or on the columns.  Policies would decide row by row; what was measured
 * beside them would tell of rows that the user must not see.
 */
static void
recall_check_rights(Oid index_oid)
{
	Relation	index = relation_open(index_oid, AccessShareLock);
	Oid			table = index->rd_index->indrelid;
	Bitmapset  *attributes = recall_attributes(index);

	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
	{
		int			i = -1;

		while ((i = bms_next_member(attributes, i)) >= 0)
			if (pg_attribute_aclcheck(table, i + FirstLowInvalidHeapAttributeNumber, GetUserId(), ACL_SELECT) !=
				ACLCHECK_OK)
				aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
		if (bms_is_empty(attributes))
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	}
	if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot measure recall on table \"%s\" because of its row-level security policies",
						get_rel_name(table)),
				 errhint("The table's owner, or a role with BYPASSRLS, can measure it.")));
	relation_close(index, AccessShareLock);
}

/* The vectors of an array, detoasted. */
static const ElacVector **
recall_array(ArrayType *array, uint32 *n)
{
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;
	const ElacVector **vectors;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &values, &nulls, &nvalues);
	vectors = palloc(sizeof(ElacVector *) * Max(nvalues, 1));
	*n = 0;
	for (int i = 0; i < nvalues; i++)
		if (!nulls[i])
			vectors[(*n)++] = (const ElacVector *) PG_DETOAST_DATUM(values[i]);
	return vectors;
}

/* One index; returns where its queries came from. */
static ElacRecallSource
recall_of_index(Oid index_oid, const ElacVector **vectors, uint32 nvectors, int32 k, int32 samples, ElacRecall *recall)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Relation	heap;
	Relation	index;
	ElacJob    *job;
	ElacRecallQueries *queries;

	elac_target_open(index_oid, AccessShareLock, &heap, &index);
	if (!index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(index))));
	/* expressions of the index are evaluated with its owner's rights, not the caller's */
	job = elac_job_begin(index, heap);
	queries = vectors != NULL ? elac_recall_given(index, vectors, nvectors)
		: elac_recall_sample(index, heap, snapshot, samples);
	elac_recall_measure(index, heap, snapshot, queries, k, recall);
	elac_job_end(job);
	elac_target_close(heap, index);
	return queries->source;
}

static void
recall_check_number(int32 value, int32 limit, const char *name)
{
	if (value < 1 || value > limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, limit)));
}

Datum
elacsym_recall(PG_FUNCTION_ARGS)
{
	static const char *const sources[] = {"given", "queries", "rows"};
	ElacRecall	recall = {0};
	ElacRecallSource source = ELAC_RECALL_GIVEN;
	const ElacVector **vectors = NULL;
	uint32		nvectors = 0;
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {0};
	ListCell   *cell;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	recall_check_number(PG_GETARG_INT32(2), RECALL_K_MAX, "k");
	recall_check_number(PG_GETARG_INT32(3), RECALL_SAMPLES_MAX, "samples");
	if (!PG_ARGISNULL(1))
		vectors = recall_array(PG_GETARG_ARRAYTYPE_P(1), &nvectors);

	/* raises for what is no elacsym index; the rights of a query are checked then */
	(void) elac_target_indexes(PG_GETARG_OID(0), ELAC_RIGHT_NONE);
	recall_check_rights(PG_GETARG_OID(0));
	foreach(cell, elac_target_indexes(PG_GETARG_OID(0), ELAC_RIGHT_NONE))
		source = recall_of_index(lfirst_oid(cell), vectors, nvectors, PG_GETARG_INT32(2), PG_GETARG_INT32(3), &recall);

	nulls[0] = recall.sought == 0;
	values[0] = Float8GetDatum(recall.sought > 0 ? (double) recall.hits / recall.sought : 0);
	values[1] = Int64GetDatum(recall.queries);
	values[2] = CStringGetTextDatum(sources[source]);
	nulls[3] = nulls[4] = recall.queries == 0;
	values[3] = Float8GetDatum(recall.queries > 0 ? recall.documents / recall.queries : 0);
	values[4] = Float8GetDatum(recall.queries > 0 ? recall.milliseconds / recall.queries : 0);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
