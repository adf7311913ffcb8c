/*
 * heap_fetch.c
 *	  Reads indexed vectors from the heap.
 *
 * The indexed value may be an expression: it is then evaluated as an insert
 * would.  Callers hold a lock on both relations.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "query/heap_fetch.h"
#include "query/toast_fetch.h"
#include "storage/metapage.h"
#include "vector/codebook.h"

struct ElacHeapFetch
{
	Relation	index;
	Relation	heap;
	Snapshot	snapshot;
	SnapshotData non_vacuumable;
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
	AttrNumber	attno;			/* heap attribute, 0 when an expression */
	ExprState  *expression;
	Bitmapset  *expression_attrs;	/* that it uses, less FirstLowInvalidHeapAttributeNumber */
	TupleTableSlot *whole;		/* a row of which those are whole; for rows that may be dead */
	EState	   *estate;
	MemoryContext row_context;
	ElacColumn	column;
	BlockNumber heap_blocks;	/* as last seen */
};

/* The expression of an index column whose key is no plain attribute. */
static Expr *
heap_fetch_expression(Relation index, int column)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	int			position = 0;

	for (int i = 0; i < column; i++)
		if (index->rd_index->indkey.values[i] == 0)
			position++;
	if (position >= list_length(expressions))
		elog(ERROR, "too few expressions in index \"%s\"", RelationGetRelationName(index));
	return (Expr *) list_nth(expressions, position);
}

ElacHeapFetch *
elac_heap_fetch_begin(Relation index, Relation heap, Snapshot snapshot)
{
	ElacHeapFetch *fetch = palloc0(sizeof(ElacHeapFetch));
	const ElacMetapage *meta = elac_metapage_get(index);
	int			column = meta->schema.vector_column;

	Assert(column >= 0);
	fetch->index = index;
	fetch->heap = heap;
	fetch->column = meta->schema.columns[column];
	fetch->snapshot = snapshot;
	if (snapshot == NULL)
	{
		InitNonVacuumableSnapshot(fetch->non_vacuumable, GlobalVisTestFor(heap));
		fetch->snapshot = &fetch->non_vacuumable;
	}
	fetch->fetch = table_index_fetch_begin(heap);
	fetch->slot = table_slot_create(heap, NULL);
	fetch->attno = index->rd_index->indkey.values[column];
	fetch->estate = CreateExecutorState();
	fetch->row_context = GetPerTupleMemoryContext(fetch->estate);
	if (fetch->attno == 0)
	{
		Expr	   *expression = heap_fetch_expression(index, column);

		fetch->expression = ExecPrepareExpr(expression, fetch->estate);
		pull_varattnos((Node *) expression, 1, &fetch->expression_attrs);
		if (snapshot == NULL)
			fetch->whole = MakeSingleTupleTableSlot(RelationGetDescr(heap), &TTSOpsVirtual);
	}
	return fetch;
}

/*
 * Parts of the row in the slot are not there.  That happens to rows that
 * nobody sees any more; else the table is damaged.
 */
static void
heap_fetch_check_gone(ElacHeapFetch *fetch)
{
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	bool		visible = table_tuple_satisfies_snapshot(fetch->heap, fetch->slot, latest);

	UnregisterSnapshot(latest);
	if (visible)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not read the vector of row (%u,%u) of table \"%s\"",
						ItemPointerGetBlockNumber(&fetch->slot->tts_tid),
						ItemPointerGetOffsetNumber(&fetch->slot->tts_tid), RelationGetRelationName(fetch->heap)),
				 errdetail("Chunks of it are missing in the TOAST table.")));
}

/*
 * The indexed value of the row in the slot, detoasted, in the row's memory
 * context; NULL when it is null or, with *gone, not there any more.
 */
static const ElacVector *
heap_fetch_value(ElacHeapFetch *fetch, bool *gone)
{
	ExprContext *econtext;
	Datum		value;
	bool		isnull;
	struct varlena *whole;

	*gone = false;
	if (fetch->attno == 0)
	{
		econtext = GetPerTupleExprContext(fetch->estate);
		econtext->ecxt_scantuple = fetch->slot;
		if (fetch->whole != NULL)
		{
			if (!elac_toast_fetch_slot(fetch->slot, fetch->expression_attrs, fetch->whole))
			{
				*gone = true;
				return NULL;
			}
			econtext->ecxt_scantuple = fetch->whole;
		}
		value = ExecEvalExprSwitchContext(fetch->expression, econtext, &isnull);
	}
	else
		value = slot_getattr(fetch->slot, fetch->attno, &isnull);
	if (isnull)
		return NULL;
	if (fetch->snapshot != &fetch->non_vacuumable)
		return (const ElacVector *) PG_DETOAST_DATUM(value);
	whole = elac_toast_fetch((struct varlena *) DatumGetPointer(value));
	*gone = whole == NULL;
	return (const ElacVector *) whole;
}

/* A damaged docmap may name a row beyond the table's end. */
static void
heap_fetch_check(ElacHeapFetch *fetch, ItemPointer tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);

	if (block < fetch->heap_blocks)
		return;
	fetch->heap_blocks = RelationGetNumberOfBlocks(fetch->heap);
	if (block >= fetch->heap_blocks)
		elac_corrupted(RelationGetRelationName(fetch->index), "A row lies in block %u of a table of %u blocks.",
					   block, fetch->heap_blocks);
}

int
elac_heap_fetch_vector(ElacHeapFetch *fetch, ItemPointer tid, float *dst)
{
	ItemPointerData walk = *tid;
	bool		call_again = false;
	bool		gone;
	int			class;
	const ElacVector *vector;
	MemoryContext old;

	heap_fetch_check(fetch, &walk);
	if (!table_index_fetch_tuple(fetch->fetch, &walk, fetch->snapshot, fetch->slot, &call_again, NULL))
		return -1;
	old = MemoryContextSwitchTo(fetch->row_context);
	vector = heap_fetch_value(fetch, &gone);
	if (gone)
	{
		heap_fetch_check_gone(fetch);
		class = -1;
	}
	else if (vector == NULL)
		class = ELAC_VECTOR_NULL;
	else
	{
		/* vector and halfvec keep dim in the same place */
		if (vector->dim != fetch->column.dim)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("expected %d dimensions, not %d", fetch->column.dim, vector->dim)));
		class = elac_vector_prepare(fetch->column.metric, fetch->column.element, vector, dst);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(fetch->row_context);
	if (fetch->whole != NULL)
		ExecClearTuple(fetch->whole);
	ExecClearTuple(fetch->slot);
	return class;
}

void
elac_heap_fetch_end(ElacHeapFetch *fetch)
{
	table_index_fetch_end(fetch->fetch);
	ExecDropSingleTupleTableSlot(fetch->slot);
	if (fetch->whole != NULL)
		ExecDropSingleTupleTableSlot(fetch->whole);
	FreeExecutorState(fetch->estate);
	pfree(fetch);
}
