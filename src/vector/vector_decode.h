/*
 * vector_decode.h
 *	  Codes read back as vectors.
 */
#ifndef ELAC_VECTOR_DECODE_H
#define ELAC_VECTOR_DECODE_H

#include "vector/vector_section.h"

typedef struct ElacVectorDecoder ElacVectorDecoder;

extern ElacVectorDecoder *elac_vector_decoder_begin(ElacVectorReader *reader);

/*
 * What the code of a finite document says its vector is: rotated, relative to
 * the mean under L2, elac_codebook_padded() floats; and the standard deviation
 * of that in any one direction.  False when the code says nothing.
 */
extern bool elac_vector_decode(ElacVectorDecoder *decoder, ElacDoc doc, float *rotated, float *deviation);

#endif							/* ELAC_VECTOR_DECODE_H */
