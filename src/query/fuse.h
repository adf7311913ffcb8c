/*
 * fuse.h
 *	  Ranked lists made one: scores and their order.
 *
 * A leg is one ranked list of a hybrid query.  Numbers alone: where rows come
 * from and what they hold is the caller's business.
 */
#ifndef ELAC_FUSE_H
#define ELAC_FUSE_H

#include "postgres.h"

#define ELAC_FUSE_LEGS_MAX 16
#define ELAC_FUSE_WINDOW_MAX 1000000	/* rows of one leg */

typedef enum ElacFuseMethod
{
	ELAC_FUSE_RRF,				/* 1 / (k + rank) */
	ELAC_FUSE_MAX,				/* similarity, not below 0, divided by the leg's best */
	ELAC_FUSE_MINMAX,			/* 0 for the leg's lowest similarity, 1 for its best */
	ELAC_FUSE_ZSCORE,			/* standard deviations above the leg's lowest */
	ELAC_FUSE_DBSF				/* 0 to 1 from mean - 3 to mean + 3 standard deviations */
} ElacFuseMethod;

/* What a leg's values, smaller is better, mean: how they become similarities. */
typedef enum ElacFuseValue
{
	ELAC_FUSE_SCORE,			/* negative score of a text */
	ELAC_FUSE_COSINE,			/* cosine distance: 1 - value */
	ELAC_FUSE_PRODUCT,			/* negative inner product: -value */
	ELAC_FUSE_L2				/* Euclidean distance: 1 / (1 + value) */
} ElacFuseValue;

typedef struct ElacFuseLeg
{
	double		weight;
	ElacFuseValue value;
} ElacFuseLeg;

typedef struct ElacFuse
{
	ElacFuseMethod method;
	int			k;				/* ELAC_FUSE_RRF */
	int			nlegs;
	ElacFuseLeg legs[ELAC_FUSE_LEGS_MAX];
} ElacFuse;

/* Rows that at least one leg ranks. */
typedef struct ElacFuseRows
{
	uint32		n;
	const uint32 *ranks;		/* n times nlegs: from 1, 0 where the leg does not rank the row */
	const double *values;		/* the same for the legs' values, finite where there is a rank */
	const uint64 *places;		/* n times 2: table, place in it; decide between equals */
	double	   *scores;			/* n */
	uint32	   *order;			/* n: rows, the best first */
} ElacFuseRows;

/* The method of a name of linear fusion; false when there is none. */
extern bool elac_fuse_method(const char *name, ElacFuseMethod *method);

/* Why weight cannot be the weight of a leg; NULL when it can. */
extern const char *elac_fuse_weight_fault(double weight);

extern double elac_fuse_similarity(ElacFuseValue kind, double value);

/*
 * scores[]: the sum over the legs of weight times the row's share (see the
 * methods; a leg that does not rank the row gives 0), finite and never below 0.
 * order[]: by score, then by the better rank in the first leg, the second, and
 * so on (a rank is better than none), then by place.
 */
extern void elac_fuse_rows(const ElacFuse *fuse, ElacFuseRows *rows);

#endif							/* ELAC_FUSE_H */
