/*
 * codebook_private.h
 *	  A codebook in memory.  Private to vector/.
 */
#ifndef ELAC_CODEBOOK_PRIVATE_H
#define ELAC_CODEBOOK_PRIVATE_H

#include "vector/codebook.h"
#include "vector/codebook_format.h"
#include "vector/rotate.h"

/* Documents a list should have on average. */
#define ELAC_LIST_TARGET 160

/* Segments with fewer documents have one list. */
#define ELAC_LIST_MIN_ROWS 2000

typedef struct ElacCodebookCut
{
	uint32		nlists;
	uint32	   *first_leaf;		/* nlists + 1; the identity in the last cut */
	float	   *centroids;		/* nlists * dim, unrotated */
} ElacCodebookCut;

struct ElacCodebook
{
	ElacCodebookParams params;
	uint64		id;
	uint32		crc;			/* of the stored form: tells codebooks apart */
	int			padded;
	int			ncuts;
	uint8	   *signs;			/* stored form of the rotation */
	ElacRotation rotation;
	ElacCodebookCut cuts[ELAC_CODEBOOK_MAX_CUTS];
};

/* An empty codebook for params with its rotation drawn. */
extern ElacCodebook *elac_codebook_create(const ElacCodebookParams *params);

/* Sets crc; the last step of making a codebook. */
extern void elac_codebook_seal(ElacCodebook *codebook);

/* Nearest list of a cut by beam search down the tree. */
extern uint32 elac_codebook_descend(const ElacCodebook *codebook, const float *vector, int cut);

static inline const float *
elac_codebook_centroid(const ElacCodebook *codebook, int cut, uint32 list)
{
	return codebook->cuts[cut].centroids + (Size) list * codebook->params.dim;
}

/* Mean of the data: what vectors are taken relative to under L2. */
static inline const float *
elac_codebook_mean(const ElacCodebook *codebook)
{
	return codebook->cuts[0].centroids;
}

/*
 * Rotates vector (dim floats) into dst (padded floats), minus the mean under
 * L2: the space in which <c,x> and <q,x> are taken.
 */
extern void elac_codebook_rotate_relative(const ElacCodebook *codebook, const float *vector, float *dst);

#endif							/* ELAC_CODEBOOK_PRIVATE_H */
