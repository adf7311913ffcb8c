/*
 * rabitq.h
 *	  RaBitQ: one residual into a code of 1 + ex bits a dimension, with the
 *	  numbers that make distances estimable from it.  Private to vector/.
 *
 * Sources: Gao and Long, "RaBitQ" (arXiv 2405.12497), and its extension to
 * several bits (arXiv 2409.09913).  The estimator used here, for a document o
 * in a list with centroid c, r = o - c, and a code x of r (all rotated):
 *
 *	s		= |r|^2 / <r,x>
 *	L2		|q-o|^2 ~ |q-c|^2 + [|r|^2 + 2s<x,c'>] - 2s <x,q'>
 *			where q' and c' are relative to the mean of the data
 *	IP		-<q,o>  ~ -<q,c> + lambda [-<r,c> + s<x,c>] - s <x,q>
 *			for any lambda; the error is smallest at lambda = <q,c>/|c|^2
 *	cosine	1 + IP, on unit vectors
 *
 * The square brackets are `add`, the factor of <x,q> is `rescale`; the standard
 * deviation of the estimate is `error` times |q-c| (L2) or |q - lambda c|.
 */
#ifndef ELAC_RABITQ_H
#define ELAC_RABITQ_H

#include "elacsym.h"

/* The error factor of a code that says nothing (overflowing components). */
#define ELAC_RABITQ_UNKNOWN FLT_MAX

typedef struct ElacRabitqFactors
{
	float		add;
	float		rescale;
	float		error;
} ElacRabitqFactors;

/* Working memory and result of one encoding. */
typedef struct ElacRabitq
{
	ElacMetric	metric;
	int			padded;
	int			ex_bits;		/* 0..7 */
	uint8	   *bits;			/* result: padded values 0 or 1 */
	uint32	   *ex;				/* result: padded values 0 .. 2^ex_bits - 1 */
	ElacRabitqFactors one;		/* result: for bits alone */
	ElacRabitqFactors full;		/* result: for bits and ex; only when ex_bits > 0 */
	float	   *magnitude;		/* |r| */
} ElacRabitq;

/* Allocates in CurrentMemoryContext. */
extern void elac_rabitq_init(ElacRabitq *code, ElacMetric metric, int padded, int bits);
extern void elac_rabitq_free(ElacRabitq *code);

/*
 * Encodes a rotated residual.  centroid is the rotated centroid of the list,
 * relative to the mean under L2.  Factors are always finite.
 */
extern void elac_rabitq_encode(ElacRabitq *code, const float *residual, const float *centroid);

#endif							/* ELAC_RABITQ_H */
