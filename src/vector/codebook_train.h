/*
 * codebook_train.h
 *	  What the two ways of training share: with all of the sample in memory
 *	  (codebook_train.c) and with most of it in files (codebook_trainer.c).
 *	  Private to vector/.
 */
#ifndef ELAC_CODEBOOK_TRAIN_H
#define ELAC_CODEBOOK_TRAIN_H

#include "base/rng.h"
#include "vector/codebook_private.h"

/* Fewest sample rows with which a leaf is made. */
#define ELAC_SAMPLE_PER_LEAF_MIN 4

typedef struct ElacTrain
{
	const ElacCodebookParams *params;
	const float *sample;
	uint64		nsample;
	ElacRng		rng;
	uint32		nleaves;		/* made so far */
	uint32		max_leaves;		/* room in leaves */
	float	   *leaves;
} ElacTrain;

/* How many leaves an index of nrows should have. */
extern uint64 elac_train_leaves_wanted(uint64 nrows);

/* Allocates leaves for about `wanted`, in CurrentMemoryContext. */
extern void elac_train_make_room(ElacTrain *train, uint64 wanted);

/* Appends about k leaves for n members of train->sample, which it reorders; depth 0 at first. */
extern void elac_train_leaves(ElacTrain *train, uint32 *members, uint64 n, uint32 k, int depth);

#endif							/* ELAC_CODEBOOK_TRAIN_H */
