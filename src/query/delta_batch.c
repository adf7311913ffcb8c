/*
 * delta_batch.c
 *	  The delta's rows as candidates of a vector query.
 *
 * Distances are those of the rows' codes (lsm/delta_vector.h); the bound is
 * certain, not probable as those of segments.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "base/kernels.h"
#include "lsm/delta_vector.h"
#include "query/exec.h"

/* In the metric's internal unit. */
static float
delta_distance(const ElacKernels *kernels, ElacMetric metric, const float *query, const float *vector, int dim)
{
	float		similarity;

	if (metric == ELAC_METRIC_L2)
		return kernels->l2sq_f32(query, vector, dim);
	similarity = kernels->ip_f32(query, vector, dim);
	if (metric == ELAC_METRIC_IP)
		return -similarity;
	return 1 - Max(Min(similarity, 1.0F), -1.0F);
}

void
elac_delta_batch(ElacScan *scan, ElacVectorHeap *heap)
{
	ElacSource *source = &scan->sources[scan->nsources - 1];
	const ElacColumn *column = &scan->schema->columns[scan->schema->vector_column];
	const ElacKernels *kernels = elac_kernels();
	const ElacBitmap *pending = elac_source_pending(scan, source);
	const float *query = scan->query.vector;
	float		query_norm = sqrtf(kernels->ip_f32(query, query, column->dim));
	ElacDoc		doc = 0;

	while ((doc = elac_source_next(source, pending, doc)) < source->ndocs)
	{
		const float *vector;
		ElacVectorCandidate candidate;

		CHECK_FOR_INTERRUPTS();
		if (elac_delta_vector(scan->delta, doc, &vector) == ELAC_VECTOR_FINITE)
		{
			candidate.estimate = delta_distance(kernels, column->metric, query, vector, column->dim);
			candidate.lower = elac_delta_lower_bound(column->metric, candidate.estimate,
													 elac_delta_vector_error(scan->delta, doc), query_norm);
			candidate.source = scan->nsources - 1;
			candidate.doc = doc;
			elac_vector_heap_push(heap, &candidate);
		}
		doc++;
	}
}
