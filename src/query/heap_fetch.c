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
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "query/heap_fetch.h"
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
		fetch->expression = ExecPrepareExpr(heap_fetch_expression(index, column), fetch->estate);
	return fetch;
}

/* The indexed value of the row in the slot, in the row's memory context. */
static Datum
heap_fetch_value(ElacHeapFetch *fetch, bool *isnull)
{
	ExprContext *econtext;

	if (fetch->attno != 0)
		return slot_getattr(fetch->slot, fetch->attno, isnull);
	econtext = GetPerTupleExprContext(fetch->estate);
	econtext->ecxt_scantuple = fetch->slot;
	return ExecEvalExprSwitchContext(fetch->expression, econtext, isnull);
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
	bool		isnull;
	int			class;
	Datum		value;
	const ElacVector *vector;
	MemoryContext old;

	heap_fetch_check(fetch, &walk);
	if (!table_index_fetch_tuple(fetch->fetch, &walk, fetch->snapshot, fetch->slot, &call_again, NULL))
		return -1;
	old = MemoryContextSwitchTo(fetch->row_context);
	value = heap_fetch_value(fetch, &isnull);
	if (isnull)
		class = ELAC_VECTOR_NULL;
	else
	{
		vector = (const ElacVector *) PG_DETOAST_DATUM(value);
		/* vector and halfvec keep dim in the same place */
		if (vector->dim != fetch->column.dim)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("expected %d dimensions, not %d", fetch->column.dim, vector->dim)));
		class = elac_vector_prepare(fetch->column.metric, fetch->column.element, vector, dst);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(fetch->row_context);
	ExecClearTuple(fetch->slot);
	return class;
}

void
elac_heap_fetch_end(ElacHeapFetch *fetch)
{
	table_index_fetch_end(fetch->fetch);
	ExecDropSingleTupleTableSlot(fetch->slot);
	FreeExecutorState(fetch->estate);
	pfree(fetch);
}
