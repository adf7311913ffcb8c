/*
 * rotate.h
 *	  The random rotation that makes 1-bit codes of any data behave alike.
 *
 * Vectors of dim floats are padded with zeros to `padded` (a multiple of 16)
 * and multiplied by an orthogonal matrix that is given by 4 * padded random
 * signs.  Private to vector/.
 */
#ifndef ELAC_ROTATE_H
#define ELAC_ROTATE_H

#include "postgres.h"

#define ELAC_ROTATE_ROUNDS 4

typedef struct ElacRotation
{
	int			padded;			/* P: length of what comes out */
	int			span;			/* largest power of two <= padded */
	uint32	   *flips;			/* rounds * padded sign masks: 0 or 0x80000000 */
} ElacRotation;

/* Length that vectors of dim components are padded to. */
static inline int
elac_rotate_padded(int dim)
{
	return (dim + 15) / 16 * 16;
}

/* Bytes of the signs as they are stored. */
static inline Size
elac_rotate_sign_bytes(int padded)
{
	return (Size) ELAC_ROTATE_ROUNDS * padded / 8;
}

/* Draws signs for a seed; the same for ever. */
extern void elac_rotate_draw(uint64 seed, int padded, uint8 *signs);

/* Expands stored signs; the mask array is palloc'd. */
extern void elac_rotate_init(ElacRotation *rotation, int padded, const uint8 *signs);

/* dst (padded floats, not src) = rotation of src (dim floats). */
extern void elac_rotate(const ElacRotation *rotation, const float *src, int dim, float *dst);

/* x (padded floats) rotated back, in place; the first dim components are the vector's. */
extern void elac_rotate_back(const ElacRotation *rotation, float *x);

#endif							/* ELAC_ROTATE_H */
