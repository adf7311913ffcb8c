/*
 * stats.c
 *	  elacsym_segments, elacsym_sections, elacsym_lists, elacsym_delta,
 *	  elacsym_cache: what an index and this session hold.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/target_index.h"
#include "compat.h"
#include "lsm/lsm.h"
#include "storage/cache.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_segments);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_sections);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_lists);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_delta);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_cache);

/* Adds one index's rows to a result set. */
typedef void (*StatsRows) (Relation index, ReturnSetInfo *result);

static void
stats_put(ReturnSetInfo *result, Datum *values, bool *nulls)
{
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Datum
stats_run(FunctionCallInfo fcinfo, StatsRows rows)
{
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, elac_target_indexes(PG_GETARG_OID(0), ELAC_RIGHT_LOOK))
	{
		Relation	heap;
		Relation	index;

		elac_target_open(lfirst_oid(cell), AccessShareLock, &heap, &index);
		rows(index, (ReturnSetInfo *) fcinfo->resultinfo);
		elac_target_close(heap, index);
	}
	return (Datum) 0;
}

static void
stats_segment_rows(Relation index, ReturnSetInfo *result)
{
	ElacManifest *manifest = elac_manifest_read(index);

	for (uint32 i = 0; i < manifest->nsegments; i++)
	{
		ElacSegmentRef *ref = &manifest->segments[i];
		bool		remote = ref->body.home == ELAC_HOME_REMOTE;
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = ObjectIdGetDatum(RelationGetRelid(index));
		values[1] = Int64GetDatum((int64) ref->id);
		values[2] = Int32GetDatum((int32) ref->level);
		values[3] = Int64GetDatum((int64) ref->ndocs);
		values[4] = Int64GetDatum((int64) elac_live_ndead(index, ref));
		values[5] = CStringGetTextDatum(remote ? "REMOTE" : "LOCAL");
		values[6] = Int64GetDatum((int64) (ref->head.npages + (remote ? 0 : ref->body.npages)) * BLCKSZ);
		values[7] = Int64GetDatum((int64) ref->head.nbytes);
		values[8] = Int64GetDatum((int64) ref->body.nbytes);
		stats_put(result, values, nulls);
	}
	pfree(manifest);
}

static void
stats_section_rows(Relation index, ReturnSetInfo *result)
{
	ElacSnapshot *snapshot = elac_snapshot_take(index);

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		ElacSegment *segment = elac_snapshot_segment(snapshot, i);
		int			nsections;
		ElacSectionSize *sizes = elac_segment_sizes(segment, &nsections);

		for (int s = 0; s < nsections; s++)
		{
			static const char *const kinds[] = {"docmap", "vector", "text", "attribute"};
			int			column = sizes[s].column;
			Datum		values[6];
			bool		nulls[6] = {0};

			values[0] = ObjectIdGetDatum(RelationGetRelid(index));
			values[1] = Int64GetDatum((int64) elac_segment_ref(segment)->id);
			values[2] = CStringGetTextDatum(kinds[column < 0 ? 0 : snapshot->type->schema->columns[column].kind]);
			nulls[3] = column < 0;
			values[3] = column < 0 ? (Datum) 0 :
				CStringGetTextDatum(NameStr(TupleDescAttr(RelationGetDescr(index), column)->attname));
			values[4] = Int64GetDatum((int64) sizes[s].head_bytes);
			values[5] = Int64GetDatum((int64) sizes[s].body_bytes);
			stats_put(result, values, nulls);
		}
	}
	elac_snapshot_release(snapshot);
}

static int
stats_compare_lengths(const void *a, const void *b)
{
	uint32		left = *(const uint32 *) a;
	uint32		right = *(const uint32 *) b;

	return left < right ? -1 : left > right;
}

/* How long the lists of each segment are; dead documents count until they are merged away. */
static void
stats_list_rows(Relation index, ReturnSetInfo *result)
{
	ElacSnapshot *snapshot = elac_snapshot_take(index);

	for (int i = 0; i < snapshot->nsegments; i++)
	{
		ElacSegment *segment = elac_snapshot_segment(snapshot, i);
		ElacVectorReader *reader = elac_segment_vector(segment);
		uint32		nlists;
		uint32	   *lengths;
		uint64		total = 0;
		Datum		values[7];
		bool		nulls[7] = {0};

		if (reader == NULL)
			continue;
		nlists = elac_vector_nlists(reader);
		lengths = palloc_extended(nlists * sizeof(uint32), MCXT_ALLOC_HUGE);
		for (uint32 list = 0; list < nlists; list++)
		{
			ElacDoc		first;
			ElacDoc		last;

			elac_vector_list_range(reader, list, &first, &last);
			lengths[list] = last - first;
			total += lengths[list];
		}
		qsort(lengths, nlists, sizeof(uint32), stats_compare_lengths);
		values[0] = ObjectIdGetDatum(RelationGetRelid(index));
		values[1] = Int64GetDatum((int64) elac_segment_ref(segment)->id);
		values[2] = Int64GetDatum((int64) total);
		values[3] = Int64GetDatum((int64) nlists);
		values[4] = Float8GetDatum((double) total / nlists);
		values[5] = Int64GetDatum((int64) lengths[(uint64) (nlists - 1) * 99 / 100]);
		values[6] = Int64GetDatum((int64) lengths[nlists - 1]);
		stats_put(result, values, nulls);
		pfree(lengths);
	}
	elac_snapshot_release(snapshot);
}

static int64
stats_lane_pages(const ElacLane *lane)
{
	return (int64) lane->docs.npages + lane->vectors.npages + lane->texts.npages;
}

static void
stats_delta_row(Relation index, ReturnSetInfo *result)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = elac_manifest_read_with_lanes(index, lanes);
	int64		rows = 0;
	int64		frozen = 0;
	int64		pages = 0;
	Datum		values[5];
	bool		nulls[5] = {0};

	for (int i = 0; i < ELAC_LANES; i++)
	{
		rows += lanes[i].ndocs;
		pages += stats_lane_pages(&lanes[i]);
	}
	for (uint32 i = 0; i < manifest->nfrozen; i++)
	{
		frozen += manifest->frozen[i].ndocs;
		pages += stats_lane_pages(&manifest->frozen[i]);
	}
	values[0] = ObjectIdGetDatum(RelationGetRelid(index));
	values[1] = Int64GetDatum(rows + frozen);
	values[2] = Int64GetDatum(frozen);
	values[3] = Int32GetDatum(ELAC_LANES);
	values[4] = Int64GetDatum(pages * BLCKSZ);
	stats_put(result, values, nulls);
	pfree(manifest);
}

Datum
elacsym_segments(PG_FUNCTION_ARGS)
{
	return stats_run(fcinfo, stats_segment_rows);
}

Datum
elacsym_sections(PG_FUNCTION_ARGS)
{
	return stats_run(fcinfo, stats_section_rows);
}

Datum
elacsym_lists(PG_FUNCTION_ARGS)
{
	return stats_run(fcinfo, stats_list_rows);
}

Datum
elacsym_delta(PG_FUNCTION_ARGS)
{
	return stats_run(fcinfo, stats_delta_row);
}

/* The session's cache of remote pages and its requests to stores. */
Datum
elacsym_cache(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	ElacCacheCounters counters;
	Datum		values[11];
	bool		nulls[11] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	elac_cache_counters(&counters);
	values[0] = Int64GetDatum((int64) counters.hits);
	values[1] = Int64GetDatum((int64) counters.misses);
	values[2] = Int64GetDatum((int64) counters.evictions);
	values[3] = Int64GetDatum((int64) counters.pages);
	values[4] = Int64GetDatum((int64) counters.bytes_used);
	values[5] = Int64GetDatum((int64) counters.bytes_limit);
	values[6] = Int64GetDatum((int64) elac_store_counters.gets);
	values[7] = Int64GetDatum((int64) elac_store_counters.get_bytes);
	values[8] = Int64GetDatum((int64) elac_store_counters.waves);
	values[9] = Int64GetDatum((int64) elac_store_counters.puts);
	values[10] = Int64GetDatum((int64) elac_store_counters.retries);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
