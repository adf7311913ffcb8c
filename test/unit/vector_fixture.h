/*
 * vector_fixture.h
 *	  Data, codebooks and sections in memory for the tests of src/vector.
 */
#ifndef ELAC_VECTOR_FIXTURE_H
#define ELAC_VECTOR_FIXTURE_H

#include "pgshim.h"

#include <float.h>
#include <math.h>

#include "base/kernels.h"
#include "base/rng.h"
#include "vector/vector_private.h"

typedef struct FixtureData
{
	ElacMetric	metric;
	int			dim;
	uint32		n;
	float	   *rows;			/* prepared */
} FixtureData;

/* A segment's vector section over data, with its documents in leaf order. */
typedef struct FixtureSection
{
	const FixtureData *data;
	ElacCodebook *codebook;
	uint32	   *row;			/* row of each finite document */
	uint32	   *leaf;			/* leaf of each finite document */
	uint32		ndocs;
	uint64		head_len;
	uint64		body_len;
	const uint8 *head_bytes;	/* of the whole blobs */
	const uint8 *body_bytes;
	uint64		head_total;
	uint64		body_total;
	ElacSection section;
	ElacVectorReader *reader;
} FixtureSection;

static inline float
fixture_gauss(ElacRng *rng)
{
	double		u = 1.0 - elac_rng_double(rng);

	return (float) (sqrt(-2 * log(u)) * cos(6.283185307179586 * elac_rng_double(rng)));
}

static inline void
fixture_normalise(float *x, int dim)
{
	double		square = 0;

	for (int d = 0; d < dim; d++)
		square += (double) x[d] * x[d];
	for (int d = 0; d < dim && square > 0; d++)
		x[d] = (float) (x[d] / sqrt(square));
}

/* Clusters around random centres, off the origin; unit vectors under cosine. */
static inline FixtureData
fixture_clustered(ElacMetric metric, int dim, uint32 n, uint32 nclusters, uint64 seed)
{
	FixtureData data = {metric, dim, n, NULL};
	ElacRng		rng;
	float	   *centres = palloc_extended((Size) nclusters * dim * sizeof(float), MCXT_ALLOC_HUGE);

	elac_rng_seed(&rng, seed);
	data.rows = palloc_extended((Size) Max(n, 1) * dim * sizeof(float), MCXT_ALLOC_HUGE);
	for (Size i = 0; i < (Size) nclusters * dim; i++)
		centres[i] = fixture_gauss(&rng) + 0.5f;
	for (uint32 row = 0; row < n; row++)
	{
		const float *centre = centres + elac_rng_below(&rng, nclusters) * dim;
		float	   *x = data.rows + (Size) row * dim;

		for (int d = 0; d < dim; d++)
			x[d] = centre[d] + 0.6f * fixture_gauss(&rng);
		if (metric == ELAC_METRIC_COSINE)
			fixture_normalise(x, dim);
	}
	pfree(centres);
	return data;
}

/* Distance in the unit of candidates: L2 squared, -ip, 1 - ip. */
static inline double
fixture_distance(ElacMetric metric, const float *a, const float *b, int dim)
{
	double		sum = 0;

	for (int d = 0; d < dim; d++)
		sum += metric == ELAC_METRIC_L2 ? ((double) a[d] - b[d]) * ((double) a[d] - b[d]) : -(double) a[d] * b[d];
	return metric == ELAC_METRIC_COSINE ? 1 + sum : sum;
}

static inline ElacCodebook *
fixture_train(const FixtureData *data, uint64 nrows)
{
	ElacCodebookParams params = {data->metric, data->dim, 4711, nrows};

	return elac_codebook_train(&params, data->rows, Min(data->n, Max(elac_codebook_sample_wanted(nrows), 1)));
}

typedef struct FixtureOrder
{
	uint32		leaf;
	uint32		row;
} FixtureOrder;

static inline int
fixture_order_compare(const void *a, const void *b)
{
	const FixtureOrder *x = a;
	const FixtureOrder *y = b;

	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Ends a writer: blobs, section, reader; offset bytes lie before the section in both blobs. */
static inline void
fixture_finish(FixtureSection *out, ElacVectorWriter *writer, uint32 offset)
{
	ElacSectionWriter blobs = {elac_blob_create_memory(), elac_blob_create_memory()};
	uint8		filler[64] = {0};
	ElacBlobRef ref;

	elac_blob_write(blobs.head, filler, offset);
	elac_blob_write(blobs.body, filler, offset);
	elac_vector_writer_finish(writer, &blobs);
	out->head_len = elac_blob_tell(blobs.head) - offset;
	out->body_len = elac_blob_tell(blobs.body) - offset;
	elac_blob_finish(blobs.head, &ref);
	elac_blob_finish(blobs.body, &ref);
	out->head_bytes = elac_blob_memory(blobs.head, &out->head_total);
	out->body_bytes = elac_blob_memory(blobs.body, &out->body_total);
	out->section.head = elac_blob_open_memory(out->head_bytes, out->head_total, "fixture");
	out->section.body = elac_blob_open_memory(out->body_bytes, out->body_total, "fixture");
	out->section.head_offset = out->section.body_offset = offset;
	out->section.head_len = out->head_len;
	out->section.body_len = out->body_len;
	out->reader = elac_vector_open(&out->section, out->codebook, out->ndocs);
}

/* Writes rows [first, last) of data, then nnan NAN and nnull NULL documents. */
static inline FixtureSection
fixture_write(const FixtureData *data, ElacCodebook *codebook, int bits, uint32 first, uint32 last, uint32 nnan,
			  uint32 nnull)
{
	FixtureSection out = {0};
	uint32		n = last - first;
	FixtureOrder *order = palloc_extended((Size) Max(n, 1) * sizeof(FixtureOrder), MCXT_ALLOC_HUGE);
	ElacVectorWriter *writer;

	out.data = data;
	out.codebook = codebook;
	out.ndocs = n + nnan + nnull;
	out.row = palloc_extended((Size) Max(n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	out.leaf = palloc_extended((Size) Max(n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		order[i].row = first + i;
		order[i].leaf = elac_codebook_assign(codebook, data->rows + (Size) (first + i) * data->dim);
	}
	qsort(order, n, sizeof(FixtureOrder), fixture_order_compare);
	writer = elac_vector_writer_begin(codebook, bits, out.ndocs);
	for (uint32 doc = 0; doc < n; doc++)
	{
		out.row[doc] = order[doc].row;
		out.leaf[doc] = order[doc].leaf;
		elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, order[doc].leaf, data->rows + (Size) order[doc].row * data->dim);
	}
	for (uint32 i = 0; i < nnan; i++)
		elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL);
	for (uint32 i = 0; i < nnull; i++)
		elac_vector_writer_add(writer, ELAC_VECTOR_NULL, 0, NULL);
	fixture_finish(&out, writer, 40);
	pfree(order);
	return out;
}

/* Scans the first nprobe lists for a query; candidates by lower bound. */
static inline ElacVectorCandidate *
fixture_search(FixtureSection *section, const float *query, double epsilon, uint32 nprobe, uint32 capacity,
			   const ElacBitmap *allowed, uint32 *n, uint64 *scored)
{
	ElacVectorQuery *q = elac_vector_query_begin(section->codebook, query, epsilon);
	ElacVectorHeap *heap = elac_vector_heap_create(capacity);
	const uint32 *lists = elac_vector_query_lists(q, elac_vector_cut(section->reader));
	uint64		count;

	nprobe = Min(nprobe, elac_vector_nlists(section->reader));
	elac_vector_prefetch(section->reader, lists, nprobe);
	count = elac_vector_scan(section->reader, q, lists, nprobe, allowed, 7, heap);
	if (scored)
		*scored = count;
	return elac_vector_heap_finish(heap, n);
}

#endif							/* ELAC_VECTOR_FIXTURE_H */
