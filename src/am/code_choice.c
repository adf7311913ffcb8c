/*
 * code_choice.c
 *	  How vectors are coded and whether queries read them in the heap, where
 *	  the index's options leave it open.
 *
 * Reading a vector that is stored inline costs about a microsecond, one that
 * is TOASTed four to six.  The first is re-ranked by the heap and needs few
 * bits; the second has so many bits that the codes alone keep the order.  The
 * numbers behind the table are in am/README.md.
 */
#include "postgres.h"

#include "access/heaptoast.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "am/schema.h"
#include "compat.h"
#include "query/index_options.h"

/* Blocks of the table looked at, spread over it, and rows with a vector that suffice. */
#define CHOICE_BLOCKS 32
#define CHOICE_ROWS 256

/* Bits when the heap is read for the best candidates: these hold the ten best in all but .05% of cases. */
#define BITS_RERANKED 4

/* Fewest dimensions with which codes of five bits alone keep recall@10 above .95. */
#define DIM_WITHOUT_HEAP 512

/* Heap columns that the vector comes from: one, or those of an expression. */
static Bitmapset *
choice_columns(Relation index, int column)
{
	Bitmapset  *columns = NULL;
	Bitmapset  *vars = NULL;
	AttrNumber	attno = index->rd_index->indkey.values[column];
	int			position = 0;
	int			member = -1;

	if (attno != 0)
		return bms_make_singleton(attno);
	for (int i = 0; i < column; i++)
		if (index->rd_index->indkey.values[i] == 0)
			position++;
	pull_varattnos((Node *) list_nth(RelationGetIndexExpressions(index), position), 1, &vars);
	while ((member = bms_next_member(vars, member)) >= 0)
		if (member + FirstLowInvalidHeapAttributeNumber > 0)
			columns = bms_add_member(columns, member + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/* What a table without rows would do with vectors of this size. */
static bool
choice_would_toast(Relation heap, const Bitmapset *columns, const ElacColumn *column)
{
	Size		component = column->element == ELAC_ELEMENT_HALF ? sizeof(uint16) : sizeof(float);
	Size		size = MAXALIGN(SizeofHeapTupleHeader) + offsetof(ElacVector, x) + component * column->dim;
	int			attno = -1;

	if (size <= RelationGetToastTupleTarget(heap, TOAST_TUPLE_TARGET))
		return false;
	while ((attno = bms_next_member(columns, attno)) >= 0)
	{
		char		storage = TupleDescAttr(RelationGetDescr(heap), attno - 1)->attstorage;

		if (storage == TYPSTORAGE_EXTERNAL || storage == TYPSTORAGE_EXTENDED)
			return true;
	}
	return false;
}

/* Counts rows of the slot's kind: +1 for a vector out of line or compressed, -1 for one inline. */
static int
choice_row(TupleTableSlot *slot, const Bitmapset *columns)
{
	int			attno = -1;
	int			vote = 0;

	while ((attno = bms_next_member(columns, attno)) >= 0)
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, attno, &isnull);

		if (isnull || TupleDescAttr(slot->tts_tupleDescriptor, attno - 1)->attlen != -1)
			continue;
		if (VARATT_IS_EXTERNAL(DatumGetPointer(value)) || VARATT_IS_COMPRESSED(DatumGetPointer(value)))
			return 1;
		vote = -1;
	}
	return vote;
}

/*
 * Whether most rows have their vector out of line.  Dead rows count like the
 * others: nothing is detoasted.
 */
static bool
choice_is_toasted(Relation heap, const Bitmapset *columns, const ElacColumn *column)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	BlockNumber step = Max(nblocks / CHOICE_BLOCKS, 1);
	TupleTableSlot *slot;
	TableScanDesc scan = NULL;
	int			rows = 0;
	int			balance = 0;

	if (nblocks == 0 || heap->rd_tableam->scan_set_tidrange == NULL)
		return choice_would_toast(heap, columns, column);
	slot = table_slot_create(heap, NULL);
	for (uint64 block = 0; block < nblocks && rows < CHOICE_ROWS; block += step)
	{
		ItemPointerData first;
		ItemPointerData last;

		CHECK_FOR_INTERRUPTS();
		ItemPointerSet(&first, (BlockNumber) block, FirstOffsetNumber);
		ItemPointerSet(&last, (BlockNumber) block, MaxOffsetNumber);
		if (scan == NULL)
			scan = table_beginscan_tidrange(heap, SnapshotAny, &first, &last);
		else
			table_rescan_tidrange(scan, &first, &last);
		while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
		{
			int			vote = choice_row(slot, columns);

			balance += vote;
			rows += vote != 0;
		}
	}
	if (scan != NULL)
		table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return rows > 0 ? balance > 0 : choice_would_toast(heap, columns, column);
}

/* Fewest bits whose order alone has recall@10 of .95 and some to spare for lists not probed. */
static int
choice_bits_alone(int dim)
{
	if (dim >= 1024)
		return 4;
	if (dim >= DIM_WITHOUT_HEAP)
		return 5;
	return dim >= 192 ? 6 : 7;
}

void
elac_code_choice(Relation heap, Relation index, ElacSchema *schema)
{
	ElacColumn *column;

	if (schema->vector_column < 0)
		return;
	column = &schema->columns[schema->vector_column];
	if (column->rerank == ELAC_RERANK_OPEN)
	{
		Bitmapset  *columns = choice_columns(index, schema->vector_column);

		column->rerank = ELAC_RERANK_HEAP;
		if ((column->bits == 0 ? column->dim >= DIM_WITHOUT_HEAP : column->bits >= choice_bits_alone(column->dim)) &&
			choice_is_toasted(heap, columns, column))
			column->rerank = ELAC_RERANK_UNLESS_EXACT;
		bms_free(columns);
	}
	if (column->bits == 0)
		column->bits = column->rerank == ELAC_RERANK_HEAP ? BITS_RERANKED : choice_bits_alone(column->dim);
}
