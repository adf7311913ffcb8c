/*
 * delta_view.c
 *	  All rows of the delta as one query sees them.
 *
 * Owns nothing stored and takes no locks.  Rows are those that the snapshot's
 * copy of the lanes counts; rows appended since are not seen.  docs records,
 * vectors' codes and texts are kept by the process (lane_rows.c, lane_texts.c
 * through delta_text.c), codes and texts from when they are first asked for;
 * of those too many to be kept, and of whole texts, one row's at a time.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/kernels.h"
#include "errors.h"
#include "lsm/delta_vector.h"
#include "lsm/delta_view.h"
#include "storage/metapage.h"

/* Runs when the view's context goes, after an error too. */
static void
view_forget(void *arg)
{
	ElacDeltaView *view = arg;

	for (int i = 0; i < view->nlanes; i++)
	{
		elac_lane_rows_unhold(view->lanes[i].rows);
		if (view->lanes[i].texts != NULL)
			elac_lane_texts_unhold(view->lanes[i].texts);
	}
	view->nlanes = 0;
}

static void
view_add_lane(ElacDeltaView *view, const ElacLane *lane)
{
	ElacDeltaViewLane *entry = &view->lanes[view->nlanes];

	if (lane->ndocs == 0)
		return;
	entry->lane = lane;
	entry->rows = elac_lane_rows_hold(view->index, view->uuid, view->type, lane);
	entry->first = view->ndocs;
	entry->texts = NULL;
	entry->reader = NULL;
	view->nlanes++;
	view->ndocs += lane->ndocs;
}

/* What is kept of texts that have been flushed is of no use any more. */
static void
view_forget_texts(const ElacDeltaView *view)
{
	uint64		ids[lengthof(view->lanes)];

	for (int i = 0; i < view->nlanes; i++)
		ids[i] = view->lanes[i].lane->docs.id;
	elac_lane_texts_forget_others(view->index, view->uuid, ids, view->nlanes);
}

ElacDeltaView *
elac_delta_view(ElacSnapshot *snapshot)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym delta view", ALLOCSET_SMALL_SIZES);
	ElacDeltaView *view = MemoryContextAllocZero(context, sizeof(ElacDeltaView));
	const ElacSchema *schema = snapshot->type->schema;
	int			nattr = 0;

	if (elac_delta_count(snapshot->manifest, snapshot->lanes) >= ELAC_INVALID_DOC)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("delta of index \"%s\" has too many rows to be read",
						RelationGetRelationName(snapshot->index)),
				 errhint("Run elacsym_flush() on the index.")));
	view->index = snapshot->index;
	view->type = snapshot->type;
	view->context = context;
	view->vector_doc = ELAC_INVALID_DOC;
	view->text_doc = ELAC_INVALID_DOC;
	for (int i = 0; i < schema->ncolumns; i++)
		view->ordinal[i] = schema->columns[i].kind == ELAC_COLUMN_ATTR ? nattr++ : -1;
	view->callback.func = view_forget;
	view->callback.arg = view;
	MemoryContextRegisterResetCallback(context, &view->callback);
	memcpy(view->uuid, elac_metapage_get(snapshot->index)->uuid, sizeof(view->uuid));
	for (uint32 i = 0; i < snapshot->manifest->nfrozen; i++)
		view_add_lane(view, &snapshot->manifest->frozen[i]);
	for (int i = 0; i < ELAC_LANES; i++)
		view_add_lane(view, &snapshot->lanes[i]);
	view_forget_texts(view);
	return view;
}

uint32
elac_delta_ndocs(const ElacDeltaView *view)
{
	return view->ndocs;
}

static inline const ElacDeltaHeader *
view_header(ElacDeltaView *view, ElacDoc doc)
{
	uint32		row;
	ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);

	return elac_lane_rows_header(lane->rows, row);
}

static ElacLaneReader *
view_reader(ElacDeltaView *view, ElacDeltaViewLane *lane)
{
	if (lane->reader == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(view->context);

		lane->reader = elac_lane_reader_begin(view->index, view->type, lane->lane);
		MemoryContextSwitchTo(old);
	}
	return lane->reader;
}

uint64
elac_delta_ndead(const ElacDeltaView *view)
{
	uint64		ndead = 0;

	for (int i = 0; i < view->nlanes; i++)
		ndead += view->lanes[i].lane->ndead;
	return ndead;
}

bool
elac_delta_is_dead(ElacDeltaView *view, ElacDoc doc)
{
	return (view_header(view, doc)->flags & ELAC_DELTA_DEAD) != 0;
}

ItemPointer
elac_delta_tid(ElacDeltaView *view, ElacDoc doc)
{
	return unconstify(ItemPointerData *, &view_header(view, doc)->tid);
}

Datum
elac_delta_attr(ElacDeltaView *view, ElacDoc doc, int column, bool *isnull)
{
	uint32		row;
	ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);

	Assert(view->ordinal[column] >= 0);
	return elac_lane_rows_attr(lane->rows, row, view->ordinal[column], isnull);
}

/* ---- vectors ---- */

/* Whether all codes are in memory now. */
static bool
view_load_codes(ElacDeltaView *view)
{
	if (view->codes_tried)
		return view->has_codes;
	view->has_codes = true;
	for (int i = 0; i < view->nlanes && view->has_codes; i++)
		view->has_codes = elac_lane_rows_load_codes(view->lanes[i].rows, view->index, view->type, view->lanes[i].lane);
	view->codes_tried = true;
	return view->has_codes;
}

ElacVectorClass
elac_delta_vector_class(ElacDeltaView *view, ElacDoc doc)
{
	return view_header(view, doc)->vector_class;
}

static const float *
view_vector(ElacDeltaView *view, ElacDoc doc)
{
	uint32		row;
	ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);
	int			dim = view->type->schema->columns[view->type->schema->vector_column].dim;

	if (view->vector == NULL)
		view->vector = MemoryContextAlloc(view->context, Max(dim, 1) * sizeof(float));
	if (view->vector_doc == doc)
		return view->vector;
	view->vector_doc = ELAC_INVALID_DOC;
	if (view_load_codes(view))
		elac_delta_vector_decode(elac_lane_rows_code(lane->rows, row), dim, view->vector);
	else
		elac_lane_reader_vector(view_reader(view, lane), elac_lane_rows_header(lane->rows, row), view->vector);
	view->vector_doc = doc;
	return view->vector;
}

void
elac_delta_query_init(ElacDeltaQuery *query, const ElacDeltaView *view, const float *vector)
{
	const ElacColumn *column = &view->type->schema->columns[view->type->schema->vector_column];

	query->vector = vector;
	query->metric = column->metric;
	query->dim = column->dim;
	query->norm = sqrtf(elac_kernels()->ip_f32(vector, vector, column->dim));
	query->distance = elac_delta_distance_function(column->metric);
}

/* From the decoded vector: as the functions for codes do. */
static float
view_decoded_distance(const ElacDeltaQuery *query, const float *vector)
{
	const ElacKernels *kernels = elac_kernels();

	switch (query->metric)
	{
		case ELAC_METRIC_L2:
			return kernels->l2sq_f32(query->vector, vector, query->dim);
		case ELAC_METRIC_IP:
			return -kernels->ip_f32(query->vector, vector, query->dim);
		default:
			return 1 - kernels->ip_f32(query->vector, vector, query->dim);
	}
}

bool
elac_delta_distance(ElacDeltaView *view, ElacDoc doc, const ElacDeltaQuery *query, float *estimate, float *lower)
{
	uint32		row;
	ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);
	const ElacDeltaHeader *header = elac_lane_rows_header(lane->rows, row);

	if (header->vector_class != ELAC_VECTOR_FINITE)
		return false;
	if (view_load_codes(view))
		*estimate = query->distance(query->vector, elac_lane_rows_code(lane->rows, row), query->dim);
	else
		*estimate = view_decoded_distance(query, view_vector(view, doc));
	*lower = elac_delta_lower_bound(query->metric, *estimate, elac_delta_error_value(header->vector_error), query->norm);
	return true;
}

/* ---- texts ---- */

const ElacTermVector *
elac_delta_terms(ElacDeltaView *view, ElacDoc doc, int column)
{
	if (view->text_context == NULL)
		view->text_context = AllocSetContextCreate(view->context, "elacsym delta text", ALLOCSET_DEFAULT_SIZES);
	if (view->text_doc != doc)
	{
		uint32		row;
		ElacDeltaViewLane *lane = elac_delta_view_lane(view, doc, &row);
		ElacLaneReader *reader = view_reader(view, lane);
		MemoryContext old = MemoryContextSwitchTo(view->text_context);

		view->text_doc = ELAC_INVALID_DOC;
		MemoryContextReset(view->text_context);
		elac_lane_reader_texts(reader, elac_lane_rows_header(lane->rows, row), view->terms);
		view->text_doc = doc;
		MemoryContextSwitchTo(old);
	}
	return &view->terms[column];
}
