/*
 * delta_batch.c
 *	  The delta's rows as candidates of a vector query.
 *
 * Distances are those of the rows' codes (lsm/delta_vector.h); the bound is
 * certain, not probable as those of segments.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "query/exec.h"

#define INTERRUPT_ROWS 256		/* rows between looks at interrupts */

void
elac_delta_batch(ElacScan *scan, ElacVectorHeap *heap)
{
	ElacSource *source = &scan->sources[scan->nsources - 1];
	const ElacBitmap *pending = elac_source_pending(scan, source);
	ElacVectorCandidate candidate;
	ElacDeltaQuery query;
	ElacDoc		doc = 0;

	if (source->ndocs == 0)
		return;
	elac_delta_query_init(&query, scan->delta, scan->query.vector);
	candidate.source = scan->nsources - 1;
	while ((doc = elac_source_next(source, pending, doc)) < source->ndocs)
	{
		if (doc % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (elac_delta_distance(scan->delta, doc, &query, &candidate.estimate, &candidate.lower))
		{
			candidate.doc = doc;
			elac_vector_heap_push(heap, &candidate);
		}
		doc++;
	}
}
