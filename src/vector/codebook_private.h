/*
 * codebook_private.h
 *	  A codebook in memory.  Private to vector/.
 */
#ifndef ELAC_CODEBOOK_PRIVATE_H
#define ELAC_CODEBOOK_PRIVATE_H

#include "base/bytes.h"
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
	uint8	   *codes;			/* coded centroids (codebook_format.h); NULL when there are few lists */
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

/* ---- codebook_codes.c ---- */

/* Cuts with fewer lists are not coded. */
#define ELAC_CODEBOOK_CODED_LISTS 128

/* Coded centroids begin at a cache line. */
#define ELAC_CODEBOOK_CODES_ALIGN 64

/* Bytes of 32 coded centroids: P/8 units of 32, then float add[32], rescale[32], error[32], norm[32]. */
static inline Size
elac_codebook_code_block_bytes(int padded)
{
	return (Size) padded * 4 + 4 * 32 * sizeof(float);
}

/* Bytes of the coded centroids of a cut; 0 when it has too few lists. */
extern Size elac_codebook_code_bytes(int padded, uint32 nlists);
extern uint8 *elac_codebook_alloc_codes(MemoryContext context, Size nbytes);	/* zeroed; never freed alone */

/* Codes the centroids of every cut; a step of sealing. */
extern void elac_codebook_make_codes(ElacCodebook *codebook);

/* Squared length of a coded centroid. */
static inline float
elac_codebook_code_norm(const ElacCodebook *codebook, const ElacCodebookCut *cut, uint32 list)
{
	Size		block_bytes = elac_codebook_code_block_bytes(codebook->padded);

	return elac_get_f32(cut->codes + (list / 32 + 1) * block_bytes - (32 - list % 32) * sizeof(float));
}

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

/* The way back; destroys rotated (padded floats), sets vector (dim floats). */
extern void elac_codebook_rotate_back(const ElacCodebook *codebook, float *rotated, float *vector);

#endif							/* ELAC_CODEBOOK_PRIVATE_H */
