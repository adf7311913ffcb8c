/*
 * vector_private.h
 *	  Readers, queries and heaps in memory.  Private to vector/.
 */
#ifndef ELAC_VECTOR_PRIVATE_H
#define ELAC_VECTOR_PRIVATE_H

#include "base/kernels.h"
#include "vector/codebook_private.h"
#include "vector/rabitq.h"
#include "vector/vector_format.h"
#include "vector/vector_section.h"

struct ElacVectorReader
{
	ElacSection section;
	const ElacCodebook *codebook;
	ElacVectorHeader header;
	ElacVectorLayout layout;
	uint32	   *list_first;		/* nlists + 1 */
	uint32		nruns;			/* run_* are loaded when first asked for */
	uint32	   *run_leaf;
	uint32	   *run_first;
	/* the block copied last, for merges and refinement */
	uint8	   *block;
	uint32		block_number;	/* UINT32_MAX: none */
};

/* Copies a block into reader->block unless it is there already. */
extern const uint8 *elac_vector_load_block(ElacVectorReader *reader, uint32 block);

/* Loads run_leaf and run_first, validated; for cuts above the finest. */
extern void elac_vector_load_runs(ElacVectorReader *reader);

/* The lists of a cut to a query; of vector_lists.c. */
typedef struct ElacQueryCut ElacQueryCut;

struct ElacVectorQuery
{
	const ElacCodebook *codebook;
	MemoryContext context;
	double		epsilon;
	float	   *vector;			/* prepared, dim floats */
	float		square;			/* its squared length */
	float	   *rotated;		/* relative to the mean under L2, padded floats */
	float		half_sum;		/* sum(rotated) / 2 */
	float	   *table;			/* padded / 4 exact tables of 16; NULL until asked for */
	uint8	   *lut;			/* the same in 8 bits */
	float		lut_scale;		/* <bits,q> ~ lut_scale * sum + lut_offset */
	float		lut_offset;
	float		lut_deviation;	/* of that approximation's error */
	float		lut_error;		/* bound of it */
	ElacQueryCut *cuts[ELAC_CODEBOOK_MAX_CUTS]; /* NULL until asked for */
};

/* What a list is to a query. */
typedef struct ElacListTerms
{
	float		add;			/* g_add: the list's part of the estimate, its centroid's distance */
	float		lambda;			/* factor of the codes' `add` */
	float		spread;			/* factor of the codes' `error` */
} ElacListTerms;

/* The query's numbers for a list. */
extern ElacListTerms elac_vector_query_list(ElacVectorQuery *query, int cut, uint32 list);

/* Exact tables: entry m of table t is the sum of rotated[4t + i] over the bits i of m. */
extern const float *elac_vector_query_table(ElacVectorQuery *query);

/* Beside a heap: its best k estimates (vector_watch.c). */
typedef struct ElacVectorWatch ElacVectorWatch;

extern ElacVectorWatch **elac_vector_heap_watch_of(ElacVectorHeap *heap);
extern void elac_vector_watch_push(ElacVectorWatch *watch, const ElacVectorCandidate *candidate);

#endif							/* ELAC_VECTOR_PRIVATE_H */
