/*
 * delta_view.h
 *	  What delta_view.c and delta_text.c share.  Private to lsm.
 */
#ifndef ELAC_DELTA_VIEW_H
#define ELAC_DELTA_VIEW_H

#include "elacsym.h"

#include "lsm/lane_reader.h"
#include "lsm/lane_rows.h"
#include "lsm/lane_texts.h"
#include "lsm/lsm.h"

typedef struct ElacDeltaViewLane
{
	const ElacLane *lane;
	ElacLaneRows *rows;			/* held */
	ElacDoc		first;			/* number of its first row */
	ElacLaneTexts *texts;		/* held; NULL until needed, and when they are too large to be kept */
	ElacLaneReader *reader;		/* NULL until needed */
} ElacDeltaViewLane;

struct ElacDeltaView
{
	Relation	index;
	const ElacRowType *type;
	MemoryContext context;
	MemoryContextCallback callback;
	int			ordinal[ELAC_MAX_COLUMNS];	/* attribute columns: 0 .. nattr-1 */
	int			nlanes;
	ElacDeltaViewLane lanes[ELAC_MAX_FROZEN + ELAC_LANES];
	uint32		ndocs;
	uint8		uuid[16];
	int			last;			/* lane that the last row asked for lies in */

	bool		codes_tried;
	bool		has_codes;		/* of all lanes */
	float	   *vector;			/* of vector_doc */
	ElacDoc		vector_doc;
	bool		texts_tried;
	struct ElacDeltaMatch *matches; /* queries that elac_delta_text_matches() was asked about */
	MemoryContext text_context; /* reset from row to row */
	ElacDoc		text_doc;
	ElacTermVector terms[ELAC_MAX_COLUMNS];
};

/* The lane that a row lies in; *row is its number there. */
static inline ElacDeltaViewLane *
elac_delta_view_lane(ElacDeltaView *view, ElacDoc doc, uint32 *row)
{
	Assert(doc < view->ndocs);
	if (doc < view->lanes[view->last].first)
		view->last = 0;
	while (view->last + 1 < view->nlanes && doc >= view->lanes[view->last + 1].first)
		view->last++;
	*row = doc - view->lanes[view->last].first;
	return &view->lanes[view->last];
}

/* delta_text.c: the lanes' texts, as far as they are kept. */
extern void elac_delta_view_load_texts(ElacDeltaView *view);

#endif							/* ELAC_DELTA_VIEW_H */
