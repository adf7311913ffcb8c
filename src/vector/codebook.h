/*
 * codebook.h
 *	  Rotation and centroids: what makes codes of different segments
 *	  comparable.  Immutable, versioned, shared by segments.
 *
 * Centroids form a tree numbered depth-first, so that a list of a coarse cut
 * is a contiguous range of lists of a finer one.  Cut 0 is a single list
 * around the mean; cut ncuts - 1 are the leaves.  All vectors here are
 * *prepared*: float4, length dim, divided by their norm under cosine.
 */
#ifndef ELAC_CODEBOOK_H
#define ELAC_CODEBOOK_H

#include "elacsym.h"

#include "storage/blob.h"

typedef struct ElacCodebook ElacCodebook;

typedef struct ElacCodebookParams
{
	ElacMetric	metric;
	int			dim;
	uint64		seed;			/* rotation and k-means; from the metapage */
	uint64		nrows;			/* rows the codebook is to serve; decides the number of leaves */
} ElacCodebookParams;

/*
 * Trains on nsample prepared vectors (row-major, dim floats each; nsample may
 * be 0: one list, mean zero).  Result in CurrentMemoryContext.  Interruptible.
 * Fewer than some thousand rows: cut 0 only.
 */
extern ElacCodebook *elac_codebook_train(const ElacCodebookParams *params, const float *sample, uint64 nsample);

/* How many rows training would like to see for nrows. */
extern uint64 elac_codebook_sample_wanted(uint64 nrows);

/*
 * Training on more rows than fit into memory: they are added in any order, and
 * lie in temporary files where they do not fit.  memory bounds the sample and
 * the work on it, not the codebook.  elac_trainer_finish() frees the trainer;
 * its result lies in CurrentMemoryContext.
 */
typedef struct ElacTrainer ElacTrainer;

extern ElacTrainer *elac_trainer_begin(const ElacCodebookParams *params, Size memory);
extern void elac_trainer_set_rows(ElacTrainer *trainer, uint64 nrows);	/* a better params->nrows, before finish */
extern void elac_trainer_add(ElacTrainer *trainer, const float *vector);
extern uint64 elac_trainer_count(const ElacTrainer *trainer);	/* vectors added */
extern ElacCodebook *elac_trainer_finish(ElacTrainer *trainer);

extern void elac_codebook_write(const ElacCodebook *codebook, ElacBlobWriter *writer);
extern ElacCodebook *elac_codebook_read(ElacBlobReader *reader);	/* validates everything */

extern uint64 elac_codebook_id(const ElacCodebook *codebook);	/* id of the blob it was read from or 0; */
extern void elac_codebook_set_id(ElacCodebook *codebook, uint64 id);	/* set after write/read */
extern ElacMetric elac_codebook_metric(const ElacCodebook *codebook);
extern int	elac_codebook_dim(const ElacCodebook *codebook);
extern int	elac_codebook_padded(const ElacCodebook *codebook);	/* multiple of 16, >= dim */
extern uint64 elac_codebook_nrows(const ElacCodebook *codebook);	/* as trained for */
extern int	elac_codebook_ncuts(const ElacCodebook *codebook);
extern uint32 elac_codebook_nlists(const ElacCodebook *codebook, int cut);

/* The cut whose mean list is nearest to 100..250 for a segment of ndocs. */
extern int	elac_codebook_cut(const ElacCodebook *codebook, uint64 ndocs);

/* Leaf (list of the finest cut) nearest to a prepared vector. */
extern uint32 elac_codebook_assign(const ElacCodebook *codebook, const float *vector);

/*
 * The same for many vectors (row-major, dim floats each), several times as
 * fast; near ties may fall otherwise.  memory bounds what is kept of the
 * centroids in the kernels' form; some MB of working memory come on top.
 * Lives in CurrentMemoryContext.  Interruptible.
 */
typedef struct ElacAssigner ElacAssigner;

extern ElacAssigner *elac_assigner_begin(const ElacCodebook *codebook, Size memory);
extern void elac_assigner_assign(ElacAssigner *assigner, const float *vectors, uint64 n, uint32 *leaves);
extern void elac_assigner_end(ElacAssigner *assigner);

/* The list of cut that contains a leaf. */
extern uint32 elac_codebook_list_of_leaf(const ElacCodebook *codebook, int cut, uint32 leaf);

/* First leaf of a list of a cut (list == nlists gives the number of leaves). */
extern uint32 elac_codebook_first_leaf(const ElacCodebook *codebook, int cut, uint32 list);

/*
 * Codes made under one codebook can mean the same under another: when rotation
 * and mean are the same (related) and the centroids of both lists are, bit for bit.
 */
extern bool elac_codebook_related(const ElacCodebook *a, const ElacCodebook *b);
extern bool elac_codebook_same_list(const ElacCodebook *a, int a_cut, uint32 a_list,
									const ElacCodebook *b, int b_cut, uint32 b_list);

/*
 * Turns a stored vector (float4 or half) into a prepared one, dim floats in
 * dst, and tells its class (zero vector under cosine: NAN, dst all zero).
 */
extern ElacVectorClass elac_vector_prepare(ElacMetric metric, ElacVectorElement element, const void *datum, float *dst);

/* Exact distance of two prepared vectors, as the SQL operator of the metric gives it (float8). */
extern double elac_vector_distance(ElacMetric metric, const float *a, const float *b, int dim);

#endif							/* ELAC_CODEBOOK_H */
