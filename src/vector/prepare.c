/*
 * prepare.c
 *	  Prepared vectors: the one form in which vectors are coded and compared.
 */
#include "postgres.h"

#include <math.h>

#include "base/kernels.h"
#include "vector/codebook.h"

ElacVectorClass
elac_vector_prepare(ElacMetric metric, ElacVectorElement element, const void *datum, float *dst)
{
	int			dim;
	double		square = 0;
	double		norm;

	if (element == ELAC_ELEMENT_HALF)
	{
		const ElacHalfvec *half = datum;

		dim = half->dim;
		elac_kernels()->f16_to_f32(half->x, dst, dim);
	}
	else
	{
		const ElacVector *vector = datum;

		dim = vector->dim;
		memcpy(dst, vector->x, dim * sizeof(float));
	}
	if (metric != ELAC_METRIC_COSINE)
		return ELAC_VECTOR_FINITE;

	/* in double, so that no component is too large or too small to be squared */
	for (int i = 0; i < dim; i++)
		square += (double) dst[i] * dst[i];
	norm = sqrt(square);
	if (!(norm > 0) || !isfinite(norm))
	{
		memset(dst, 0, dim * sizeof(float));
		return ELAC_VECTOR_NAN;
	}
	for (int i = 0; i < dim; i++)
		dst[i] = (float) (dst[i] / norm);
	return ELAC_VECTOR_FINITE;
}

double
elac_vector_distance(ElacMetric metric, const float *a, const float *b, int dim)
{
	const ElacKernels *kernels = elac_kernels();
	double		similarity;

	switch (metric)
	{
		case ELAC_METRIC_L2:
			return sqrt((double) kernels->l2sq_f32(a, b, dim));
		case ELAC_METRIC_IP:
			return -(double) kernels->ip_f32(a, b, dim);
		case ELAC_METRIC_COSINE:
			similarity = kernels->ip_f32(a, b, dim);
			return 1.0 - Max(Min(similarity, 1.0), -1.0);
	}
	elog(ERROR, "unrecognized metric: %d", (int) metric);
	return 0;					/* keep compiler quiet */
}
