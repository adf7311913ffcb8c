/*
 * rowsort.c
 *	  Rows of a build on their way into their final order.
 *
 * put --> batch of formed rows --> leaves found together, vectors coded -->
 * the server's tuplesort, keyed by (leaf, heap tid) --> next.
 *
 * What goes through the sort is the code, not the vector: at 4 bits an eighth
 * of its bytes.  Texts do not go through it at all: they are inverted where
 * they arrive (text_load.c), and the row carries the number it has there.  The
 * sort spills to temporary files; with a coordinate its participants are those
 * of a parallel build.
 *
 * The sorted tuple:
 *
 *	1	int8	class or leaf in the upper, heap block in the lower half; the
 *				highest bit flipped, so that signed order is unsigned order
 *	2	int4	offset number within the block
 *	3	bytea	coded vector, NULL unless finite
 *	4	int8	number of arrival, NULL without text columns
 *	then		one for each attribute column, of its own type
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "segment/rowsort.h"
#include "vector/vector_section.h"

/* Leaves of rows that have none: after all others. */
#define ROWSORT_LEAF_NAN (UINT32_MAX - 1)
#define ROWSORT_LEAF_NULL UINT32_MAX

#define ROWSORT_KEYS 4			/* columns before those of the index */
#define ROWSORT_BATCH_MIN 32	/* rows */
#define ROWSORT_BATCH_MAX 1024
#define ROWSORT_BATCH_BYTES ((Size) 2 * 1024 * 1024)
#define ROWSORT_CACHE_BYTES ((Size) 64 * 1024 * 1024)

typedef struct RowsortRow
{
	ItemPointerData tid;
	ElacVectorClass class;
	uint64		arrival;
	Datum	   *values;			/* of attribute columns */
	bool	   *isnull;
} RowsortRow;

struct ElacRowSort
{
	MemoryContext context;
	ElacRowSortParams params;
	const ElacSchema *schema;
	Tuplesortstate *sort;
	TupleDesc	descriptor;
	TupleTableSlot *slot;		/* virtual while rows are put, minimal while they are read */
	int			attribute[ELAC_MAX_COLUMNS];	/* place of attribute columns in descriptor, from 0 */
	bool		has_texts;
	bool		adding;			/* this process puts rows */
	ElacTextLoad *texts;		/* NULL without text columns */

	/* the batch; absent in a leader that only reads */
	Size		memory;
	MemoryContext row_context;	/* one row being formed */
	MemoryContext batch_context;	/* what the rows of the batch point to */
	int			nrows;
	int			rows_max;
	Size		batch_bytes;
	RowsortRow *rows;
	int			nvectors;
	float	   *vectors;
	uint32	   *leaves;
	ElacAssigner *assigner;
	ElacVectorEncoder *encoder;
	bytea	   *coded;

	Tuplestorestate *rest;		/* what was still to be read when the sort was given up */
};

/* The sorted tuple's columns. */
static void
rowsort_describe(ElacRowSort *sort)
{
	TupleDesc	index = RelationGetDescr(sort->params.index);
	int			n = ROWSORT_KEYS;

	for (int i = 0; i < sort->schema->ncolumns; i++)
	{
		if (sort->schema->columns[i].kind == ELAC_COLUMN_ATTR)
			sort->attribute[i] = n++;
		else if (sort->schema->columns[i].kind == ELAC_COLUMN_TEXT)
			sort->has_texts = true;
	}
	sort->descriptor = CreateTemplateTupleDesc(n);
	TupleDescInitEntry(sort->descriptor, 1, "place", INT8OID, -1, 0);
	TupleDescInitEntry(sort->descriptor, 2, "position", INT4OID, -1, 0);
	TupleDescInitEntry(sort->descriptor, 3, "code", BYTEAOID, -1, 0);
	TupleDescInitEntry(sort->descriptor, 4, "arrival", INT8OID, -1, 0);
	for (int i = 0; i < sort->schema->ncolumns; i++)
	{
		if (sort->schema->columns[i].kind == ELAC_COLUMN_ATTR)
			TupleDescCopyEntry(sort->descriptor, sort->attribute[i] + 1, index, i + 1);
	}
}

ElacRowSort *
elac_rowsort_begin(const ElacRowSortParams *params, Size memory, SortCoordinate coordinate)
{
	AttrNumber	keys[2] = {1, 2};
	Oid			operators[2] = {Int8LessOperator, Int4LessOperator};
	Oid			collations[2] = {InvalidOid, InvalidOid};
	bool		nulls_first[2] = {false, false};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym row sort", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacRowSort *sort = palloc0(sizeof(ElacRowSort));
	bool		leader = coordinate != NULL && !coordinate->isWorker;
	Size		sort_memory;

	sort->context = context;
	sort->params = *params;
	sort->schema = params->type->schema;
	sort->memory = memory;
	sort->adding = !leader;
	rowsort_describe(sort);
	/*
	 * While rows are put texts have three eighths, the sort a quarter, the
	 * batch as much, and what remembers the lexemes of words an eighth of
	 * maintenance_work_mem; while rows are read sort and texts have a half each.
	 */
	sort_memory = leader ? memory : memory - memory / 4;
	if (sort->has_texts)
	{
		sort_memory = leader ? memory / 2 : memory / 4;
		sort->texts = leader ? elac_text_load_open(params->type, memory / 2, params->files, params->participant)
			: elac_text_load_begin(params->type, memory / 8 * 3, params->files, params->participant);
	}
	sort->slot = MakeSingleTupleTableSlot(sort->descriptor, &TTSOpsVirtual);
	sort->sort = tuplesort_begin_heap(sort->descriptor, lengthof(keys), keys, operators, collations, nulls_first,
									  (int) Min(Max(sort_memory / 1024, 64), MAX_KILOBYTES), coordinate, TUPLESORT_NONE);
	MemoryContextSwitchTo(old);
	return sort;
}

/* Makes the batch when the first row arrives. */
static void
rowsort_begin_batch(ElacRowSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);
	Size		quarter = sort->memory / 4;
	Size		row_bytes = 256;

	/* a quarter of the memory is not the sort's: half of it for rows, half for centroids in two forms */
	sort->batch_bytes = Min(quarter / 2, ROWSORT_BATCH_BYTES);
	if (sort->params.codebook != NULL)
		row_bytes += elac_codebook_dim(sort->params.codebook) * sizeof(float);
	sort->rows_max = (int) Min(Max(sort->batch_bytes / row_bytes, ROWSORT_BATCH_MIN), ROWSORT_BATCH_MAX);
	sort->rows = palloc0(sort->rows_max * sizeof(RowsortRow));
	for (int i = 0; i < sort->rows_max; i++)
	{
		sort->rows[i].values = palloc(sort->descriptor->natts * sizeof(Datum));
		sort->rows[i].isnull = palloc(sort->descriptor->natts * sizeof(bool));
	}
	sort->row_context = AllocSetContextCreate(sort->context, "elacsym row", ALLOCSET_DEFAULT_SIZES);
	sort->batch_context = AllocSetContextCreate(sort->context, "elacsym rows", ALLOCSET_DEFAULT_SIZES);
	if (sort->params.codebook != NULL)
	{
		const ElacColumn *column = &sort->schema->columns[sort->schema->vector_column];
		Size		cache = Min(quarter / 4, ROWSORT_CACHE_BYTES);
		Size		coded;

		sort->vectors = palloc_extended((Size) sort->rows_max * elac_codebook_dim(sort->params.codebook) * sizeof(float),
										MCXT_ALLOC_HUGE);
		sort->leaves = palloc(sort->rows_max * sizeof(uint32));
		sort->assigner = elac_assigner_begin(sort->params.codebook, cache);
		sort->encoder = elac_vector_encoder_begin(sort->params.codebook, column->bits, sort->params.cut, cache);
		coded = elac_vector_encoder_bytes(sort->encoder);
		sort->coded = palloc(VARHDRSZ + coded);
		SET_VARSIZE(sort->coded, VARHDRSZ + coded);
	}
	MemoryContextSwitchTo(old);
}

/* Finds the leaves of the batch, codes its vectors and hands it to the sort. */
static void
rowsort_flush(ElacRowSort *sort)
{
	Datum	   *values = sort->slot->tts_values;
	bool	   *isnull = sort->slot->tts_isnull;
	int			nvectors = 0;
	int			natts = sort->descriptor->natts;

	if (sort->nvectors > 0)
		elac_assigner_assign(sort->assigner, sort->vectors, sort->nvectors, sort->leaves);
	for (int i = 0; i < sort->nrows; i++)
	{
		const RowsortRow *row = &sort->rows[i];
		uint32		leaf = 0;
		uint64		place;

		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(sort->slot);
		memcpy(values + ROWSORT_KEYS, row->values + ROWSORT_KEYS, (natts - ROWSORT_KEYS) * sizeof(Datum));
		memcpy(isnull + ROWSORT_KEYS, row->isnull + ROWSORT_KEYS, (natts - ROWSORT_KEYS) * sizeof(bool));
		isnull[2] = true;
		values[2] = (Datum) 0;
		values[3] = Int64GetDatum((int64) row->arrival);
		isnull[3] = !sort->has_texts;
		if (sort->params.codebook != NULL)
		{
			if (row->class == ELAC_VECTOR_FINITE)
			{
				leaf = sort->leaves[nvectors];
				elac_vector_encode(sort->encoder, leaf,
								   sort->vectors + (Size) nvectors * elac_codebook_dim(sort->params.codebook),
								   (uint8 *) VARDATA(sort->coded));
				values[2] = PointerGetDatum(sort->coded);
				isnull[2] = false;
				nvectors++;
			}
			else
				leaf = row->class == ELAC_VECTOR_NAN ? ROWSORT_LEAF_NAN : ROWSORT_LEAF_NULL;
		}
		place = (uint64) leaf << 32 | ItemPointerGetBlockNumberNoCheck(&row->tid);
		values[0] = Int64GetDatum((int64) (place ^ (UINT64CONST(1) << 63)));
		values[1] = Int32GetDatum((int32) ItemPointerGetOffsetNumberNoCheck(&row->tid));
		isnull[0] = isnull[1] = false;
		ExecStoreVirtualTuple(sort->slot);
		tuplesort_puttupleslot(sort->sort, sort->slot);
	}
	ExecClearTuple(sort->slot);
	sort->nrows = 0;
	sort->nvectors = 0;
	MemoryContextReset(sort->batch_context);
}

/* Hands a row's text on; what its analysis allocates is in the row's context. */
static void
rowsort_put_text(ElacRowSort *sort, int column, Datum value, bool isnull)
{
	ElacTermVector terms = {0};

	if (isnull)
		terms.isnull = true;
	else
		elac_text_analyze(&sort->schema->columns[column], elac_row_config(sort->params.type, column), value, &terms);
	elac_text_load_add(sort->texts, column, &terms);
}

static Datum
rowsort_form_attr(ElacRowSort *sort, int column, Datum value)
{
	const ElacAttrType *type = &sort->params.type->attr[column];
	MemoryContext old;

	if (type->typlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM(value));
	old = MemoryContextSwitchTo(sort->batch_context);
	value = datumCopy(value, type->typbyval, type->typlen);
	MemoryContextSwitchTo(old);
	return value;
}

void
elac_rowsort_put(ElacRowSort *sort, ItemPointer tid, const Datum *values, const bool *isnull)
{
	MemoryContext old;
	RowsortRow *row;

	if (sort->rows == NULL)
		rowsort_begin_batch(sort);
	row = &sort->rows[sort->nrows];
	row->tid = *tid;
	row->class = ELAC_VECTOR_NULL;
	old = MemoryContextSwitchTo(sort->row_context);
	for (int i = 0; i < sort->schema->ncolumns; i++)
	{
		const ElacColumn *column = &sort->schema->columns[i];

		if (column->kind == ELAC_COLUMN_VECTOR)
		{
			if (isnull[i])
				continue;
			row->class = elac_row_form_vector(column, values[i],
											  sort->vectors + (Size) sort->nvectors * column->dim);
			if (row->class == ELAC_VECTOR_FINITE)
				sort->nvectors++;
			continue;
		}
		if (column->kind == ELAC_COLUMN_TEXT)
		{
			rowsort_put_text(sort, i, values[i], isnull[i]);
			continue;
		}
		row->isnull[sort->attribute[i]] = isnull[i];
		row->values[sort->attribute[i]] = isnull[i] ? (Datum) 0 : rowsort_form_attr(sort, i, values[i]);
	}
	MemoryContextSwitchTo(old);
	if (sort->has_texts)
		row->arrival = elac_text_load_end_row(sort->texts);
	MemoryContextReset(sort->row_context);
	sort->nrows++;
	if (sort->nrows == sort->rows_max || MemoryContextMemAllocated(sort->batch_context, true) > sort->batch_bytes)
		rowsort_flush(sort);
}

/* Gives back what only rows being put need. */
static void
rowsort_end_batch(ElacRowSort *sort)
{
	MemoryContextDelete(sort->row_context);
	MemoryContextDelete(sort->batch_context);
	if (sort->assigner != NULL)
	{
		elac_assigner_end(sort->assigner);
		elac_vector_encoder_end(sort->encoder);
		pfree(sort->vectors);
	}
	for (int i = 0; i < sort->rows_max; i++)
	{
		pfree(sort->rows[i].values);
		pfree(sort->rows[i].isnull);
	}
	pfree(sort->rows);
	sort->rows = NULL;
}

void
elac_rowsort_perform(ElacRowSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);

	if (sort->rows != NULL)
	{
		rowsort_flush(sort);
		rowsort_end_batch(sort);
	}
	if (sort->adding && sort->texts != NULL)
		elac_text_load_finish(sort->texts);
	tuplesort_performsort(sort->sort);
	ExecDropSingleTupleTableSlot(sort->slot);
	sort->slot = MakeSingleTupleTableSlot(sort->descriptor, &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(old);
}

ElacTextLoad *
elac_rowsort_texts(ElacRowSort *sort)
{
	return sort->texts;
}

bool
elac_rowsort_next(ElacRowSort *sort, ElacSortedRow *sorted)
{
	ElacRow    *row = &sorted->row;
	uint64		place;

	if (sort->rest != NULL
		? !tuplestore_gettupleslot(sort->rest, true, false, sort->slot)
		: !tuplesort_gettupleslot(sort->sort, true, false, sort->slot, NULL))
		return false;
	slot_getallattrs(sort->slot);
	memset(sorted, 0, sizeof(*sorted));
	place = (uint64) DatumGetInt64(sort->slot->tts_values[0]) ^ (UINT64CONST(1) << 63);
	ItemPointerSet(&row->tid, (BlockNumber) place, (OffsetNumber) DatumGetInt32(sort->slot->tts_values[1]));
	sorted->leaf = (uint32) (place >> 32);
	row->vector_class = ELAC_VECTOR_NULL;
	if (!sort->slot->tts_isnull[2])
	{
		row->vector_class = ELAC_VECTOR_FINITE;
		sorted->coded = (const uint8 *) VARDATA_ANY(DatumGetPointer(sort->slot->tts_values[2]));
	}
	else if (sorted->leaf == ROWSORT_LEAF_NAN)
		row->vector_class = ELAC_VECTOR_NAN;

	if (!sort->slot->tts_isnull[3])
		sorted->arrival = (uint64) DatumGetInt64(sort->slot->tts_values[3]);
	for (int i = 0; i < sort->schema->ncolumns; i++)
	{
		if (sort->schema->columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		row->columns[i].value = sort->slot->tts_values[sort->attribute[i]];
		row->columns[i].isnull = sort->slot->tts_isnull[sort->attribute[i]];
	}
	return true;
}

void
elac_rowsort_detach(ElacRowSort *sort, Size memory)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);

	Assert(sort->rest == NULL);
	if (sort->texts != NULL)
		elac_text_load_detach(sort->texts);
	sort->rest = tuplestore_begin_heap(false, false, (int) Min(Max(memory / 1024, 64), MAX_KILOBYTES));
	while (tuplesort_gettupleslot(sort->sort, true, false, sort->slot, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(sort->rest, sort->slot);
	}
	ExecClearTuple(sort->slot);
	tuplesort_end(sort->sort);
	sort->sort = NULL;
	MemoryContextSwitchTo(old);
}

void
elac_rowsort_end(ElacRowSort *sort)
{
	ExecDropSingleTupleTableSlot(sort->slot);
	if (sort->sort != NULL)
		tuplesort_end(sort->sort);
	if (sort->rest != NULL)
		tuplestore_end(sort->rest);
	if (sort->texts != NULL)
		elac_text_load_end(sort->texts);
	MemoryContextDelete(sort->context);
}
