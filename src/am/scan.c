/*
 * scan.c
 *	  Index scans and bitmap scans: AND conditions, at most one order.
 *
 * Conditions and order are evaluated exactly, so nothing is rechecked, but for
 * @@ conditions that the index turns out not to serve (match_condition.h).  Rows go
 * to the executor, which checks their visibility in the heap.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/am.h"
#include "am/condition.h"
#include "am/order.h"
#include "compat.h"

typedef struct ElacScanOpaque
{
	MemoryContext context;		/* of the current (re)scan */
	ElacScan   *scan;			/* opened by the first fetch */
	bool		recheck;		/* rows may not fulfil the keys */
} ElacScanOpaque;

IndexScanDesc
elacbeginscan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	ElacScanOpaque  *state = palloc0(sizeof(ElacScanOpaque));

	state->context = AllocSetContextCreate(CurrentMemoryContext, "elacsym scan", ALLOCSET_DEFAULT_SIZES);
	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc0(sizeof(Datum) * norderbys);
		scan->xs_orderbynulls = palloc(sizeof(bool) * norderbys);
		memset(scan->xs_orderbynulls, true, sizeof(bool) * norderbys);
	}
	scan->opaque = state;
	return scan;
}

static void
scan_close(ElacScanOpaque *state)
{
	if (state->scan != NULL)
		elac_query_close(state->scan);
	state->scan = NULL;
	MemoryContextReset(state->context);
}

void
elacrescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	scan_close((ElacScanOpaque *) scan->opaque);
	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
}

static void
scan_open(IndexScanDesc scan)
{
	ElacScanOpaque  *state = (ElacScanOpaque *) scan->opaque;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	ElacQuery	query = {0};

	/* cost.c makes the planner avoid it where it has a choice */
	if (scan->numberOfOrderBys > 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("elacsym index \"%s\" cannot order by two distances at once",
						RelationGetRelationName(scan->indexRelation)),
				 errhint("Order by one distance, or fuse both with elacsym_search().")));
	if (scan->xs_snapshot != NULL && !IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "elacsym index scans need an MVCC snapshot");

	query.index = scan->indexRelation;
	query.heap = scan->heapRelation;
	query.snapshot = scan->xs_snapshot;
	query.filter = elac_condition_from_keys(scan->indexRelation, scan->keyData, scan->numberOfKeys, &state->recheck);
	if (scan->numberOfOrderBys == 1)
		elac_order_set(&query, scan->orderByData[0].sk_attno - 1, scan->orderByData[0].sk_argument,
					   (scan->orderByData[0].sk_flags & SK_ISNULL) != 0);
	pgstat_count_index_scan(scan->indexRelation);
	elac_count_index_search(scan);
	state->scan = elac_query_open(&query);
	MemoryContextSwitchTo(old);
}

/*
 * An index-only scan is planned when no column is needed at all (count(*)):
 * it wants a tuple, whose values nobody reads.
 */
static void
scan_set_empty_tuple(IndexScanDesc scan)
{
	Datum		values[INDEX_MAX_KEYS] = {0};
	bool		isnull[INDEX_MAX_KEYS];

	memset(isnull, true, sizeof(isnull));
	scan->xs_itupdesc = RelationGetDescr(scan->indexRelation);
	scan->xs_itup = index_form_tuple(scan->xs_itupdesc, values, isnull);
}

bool
elacgettuple(IndexScanDesc scan, ScanDirection direction)
{
	ElacScanOpaque  *state = (ElacScanOpaque *) scan->opaque;
	ElacResult	result;

	Assert(ScanDirectionIsForward(direction));
	if (state->scan == NULL)
		scan_open(scan);
	if (!elac_query_next(state->scan, &result))
		return false;
	scan->xs_heaptid = result.tid;
	if (scan->xs_want_itup && scan->xs_itup == NULL)
		scan_set_empty_tuple(scan);
	scan->xs_recheck = state->recheck;
	scan->xs_recheckorderby = false;
	if (scan->numberOfOrderBys == 1)
	{
		if (!scan->xs_orderbynulls[0] && !FLOAT8PASSBYVAL)
			pfree(DatumGetPointer(scan->xs_orderbyvals[0]));
		scan->xs_orderbynulls[0] = result.isnull;
		scan->xs_orderbyvals[0] = result.isnull ? (Datum) 0 : Float8GetDatum(result.distance);
	}
	return true;
}

/* Rows of one block that come one after the other are cheap to add together. */
#define BITMAP_ROWS 256

int64
elacgetbitmap(IndexScanDesc scan, TIDBitmap *bitmap)
{
	ElacScanOpaque  *state = (ElacScanOpaque *) scan->opaque;
	ItemPointerData tids[BITMAP_ROWS];
	uint32		n;
	int64		count = 0;

	if (state->scan == NULL)
		scan_open(scan);
	while ((n = elac_query_next_tids(state->scan, tids, BITMAP_ROWS)) > 0)
	{
		tbm_add_tuples(bitmap, tids, (int) n, state->recheck);
		count += n;
	}
	return count;
}

void
elacendscan(IndexScanDesc scan)
{
	ElacScanOpaque  *state = (ElacScanOpaque *) scan->opaque;

	scan_close(state);
	MemoryContextDelete(state->context);
}
