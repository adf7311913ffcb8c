/*
 * delta_view.c
 *	  All rows of the delta as one query sees them.
 *
 * Owns nothing stored and takes no locks.  Rows are those that the snapshot's
 * copy of the lanes counts; rows appended since are not seen.  docs records
 * are read when the view is made; of vectors and texts one row's at a time is
 * kept.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/delta_vector.h"
#include "lsm/lane_reader.h"
#include "lsm/lsm.h"

typedef struct DeltaDoc
{
	ElacDeltaHeader header;
	int			lane;			/* index into readers */
} DeltaDoc;

struct ElacDeltaView
{
	const ElacRowType *type;
	int			ordinal[ELAC_MAX_COLUMNS];	/* attribute columns: 0 .. nattr-1 */
	int			nreaders;
	ElacLaneReader *readers[ELAC_MAX_FROZEN + ELAC_LANES];
	uint32		ndocs;
	DeltaDoc   *docs;
	Datum	   *values;			/* ndocs * nattr */
	bool	   *isnull;
	float	   *vector;			/* of vector_doc */
	ElacDoc		vector_doc;
	MemoryContext text_context;	/* reset from row to row */
	ElacDoc		text_doc;
	ElacTermVector terms[ELAC_MAX_COLUMNS];
};

/* Decodes a row's attributes into the view's arrays. */
static void
view_add_attrs(ElacDeltaView *view, const ElacDeltaRecord *record, Relation index)
{
	const ElacSchema *schema = view->type->schema;
	Size		first = (Size) view->ndocs * schema->nattr;
	Datum		values[ELAC_MAX_COLUMNS];
	bool		isnull[ELAC_MAX_COLUMNS];

	if (!elac_delta_attrs_decode(view->type, record->attrs, record->header.attrs_len, values, isnull))
		elac_corrupted(RelationGetRelationName(index), "Row %u of the delta has wrong attributes.", view->ndocs);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		view->values[first + view->ordinal[i]] = values[i];
		view->isnull[first + view->ordinal[i]] = isnull[i];
	}
}

static void
view_add_lane(ElacDeltaView *view, Relation index, const ElacLane *lane)
{
	ElacLaneReader *reader;
	ElacDeltaRecord record;

	if (lane->ndocs == 0)
		return;
	reader = elac_lane_reader_begin(index, view->type, lane);
	view->readers[view->nreaders] = reader;
	while (elac_lane_reader_next(reader, &record))
	{
		view->docs[view->ndocs].header = record.header;
		view->docs[view->ndocs].lane = view->nreaders;
		if (view->type->schema->nattr > 0)
			view_add_attrs(view, &record, index);
		view->ndocs++;
	}
	view->nreaders++;
}

ElacDeltaView *
elac_delta_view(ElacSnapshot *snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym delta view", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacDeltaView *view = palloc0(sizeof(ElacDeltaView));
	const ElacSchema *schema = snapshot->type->schema;
	uint64		count = elac_delta_count(snapshot->manifest, snapshot->lanes);
	int			nattr = 0;

	if (count >= ELAC_INVALID_DOC)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("delta of index \"%s\" has too many rows to be read",
						RelationGetRelationName(snapshot->index)),
				 errhint("Run elacsym_flush() on the index.")));
	view->text_context = AllocSetContextCreate(context, "elacsym delta text", ALLOCSET_DEFAULT_SIZES);
	view->type = snapshot->type;
	view->vector_doc = ELAC_INVALID_DOC;
	view->text_doc = ELAC_INVALID_DOC;
	for (int i = 0; i < schema->ncolumns; i++)
		view->ordinal[i] = schema->columns[i].kind == ELAC_COLUMN_ATTR ? nattr++ : -1;
	view->docs = MemoryContextAllocHuge(context, Max(count, 1) * sizeof(DeltaDoc));
	if (nattr > 0)
	{
		view->values = MemoryContextAllocHuge(context, Max(count, 1) * nattr * sizeof(Datum));
		view->isnull = MemoryContextAllocHuge(context, Max(count, 1) * nattr * sizeof(bool));
	}
	if (schema->vector_column >= 0)
		view->vector = palloc(Max(schema->columns[schema->vector_column].dim, 1) * sizeof(float));
	for (uint32 i = 0; i < snapshot->manifest->nfrozen; i++)
		view_add_lane(view, snapshot->index, &snapshot->manifest->frozen[i]);
	for (int i = 0; i < ELAC_LANES; i++)
		view_add_lane(view, snapshot->index, &snapshot->lanes[i]);
	MemoryContextSwitchTo(old);
	return view;
}

uint32
elac_delta_ndocs(const ElacDeltaView *view)
{
	return view->ndocs;
}

bool
elac_delta_is_dead(const ElacDeltaView *view, ElacDoc doc)
{
	Assert(doc < view->ndocs);
	return (view->docs[doc].header.flags & ELAC_DELTA_DEAD) != 0;
}

ItemPointer
elac_delta_tid(ElacDeltaView *view, ElacDoc doc)
{
	Assert(doc < view->ndocs);
	return &view->docs[doc].header.tid;
}

Datum
elac_delta_attr(ElacDeltaView *view, ElacDoc doc, int column, bool *isnull)
{
	Size		i = (Size) doc * view->type->schema->nattr + view->ordinal[column];

	Assert(doc < view->ndocs && view->ordinal[column] >= 0);
	*isnull = view->isnull[i];
	return view->values[i];
}

ElacVectorClass
elac_delta_vector(ElacDeltaView *view, ElacDoc doc, const float **vector)
{
	const ElacDeltaHeader *header = &view->docs[doc].header;

	Assert(doc < view->ndocs);
	*vector = NULL;
	if (header->vector_class != ELAC_VECTOR_FINITE)
		return header->vector_class;
	if (view->vector_doc != doc)
	{
		view->vector_doc = ELAC_INVALID_DOC;
		elac_lane_reader_vector(view->readers[view->docs[doc].lane], header, view->vector);
		view->vector_doc = doc;
	}
	*vector = view->vector;
	return ELAC_VECTOR_FINITE;
}

float
elac_delta_vector_error(const ElacDeltaView *view, ElacDoc doc)
{
	Assert(doc < view->ndocs);
	return elac_delta_error_value(view->docs[doc].header.vector_error);
}

const ElacTermVector *
elac_delta_terms(ElacDeltaView *view, ElacDoc doc, int column)
{
	Assert(doc < view->ndocs);
	if (view->text_doc != doc)
	{
		MemoryContext old = MemoryContextSwitchTo(view->text_context);

		view->text_doc = ELAC_INVALID_DOC;
		MemoryContextReset(view->text_context);
		elac_lane_reader_texts(view->readers[view->docs[doc].lane], &view->docs[doc].header, view->terms);
		view->text_doc = doc;
		MemoryContextSwitchTo(old);
	}
	return &view->terms[column];
}
