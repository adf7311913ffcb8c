/*
 * lane_texts.h
 *	  The texts of a lane's rows, inverted, as this process keeps them from
 *	  query to query.  Private to lsm.
 *
 * Rows never change their texts, and ids of chains are given out once: what
 * was read stays true for as long as a manifest or a lane page names the
 * chain, marks of dead rows included.  Only rows that have come since are
 * read.
 */
#ifndef ELAC_LANE_TEXTS_H
#define ELAC_LANE_TEXTS_H

#include "elacsym.h"

#include "utils/rel.h"

#include "lsm/lane_rows.h"
#include "lsm/manifest.h"
#include "text/bm25.h"

typedef struct ElacLaneTexts ElacLaneTexts;

/* One row that has a term. */
typedef struct ElacLanePosting
{
	uint32		row;
	uint32		tf;
	uint32		positions;		/* for elac_lane_texts_positions(); 0: not known */
} ElacLanePosting;

/* A lexeme of one label of one column. */
typedef struct ElacLaneTerm
{
	const char *bytes;			/* stay as long as the texts are held */
	uint32		hash;
	uint32		head;			/* first four bytes, the first one highest, zeros after the end */
	uint16		len;
	uint8		field;			/* number of column and label: private to lane_texts.c */
	uint32		npostings;
	uint32		room;			/* 1: the posting lies here */
	union
	{
		ElacLanePosting one;
		ElacLanePosting *many;
	}			postings;
} ElacLaneTerm;

/*
 * The first lane->ndocs rows' texts (or more) of a lane that has rows, held
 * until unhold; NULL when they would take too much memory: then they are to be
 * read row by row.  rows are the same lane's, held.  Terms and postings move
 * when rows are added, which is here alone.
 */
extern ElacLaneTexts *elac_lane_texts_hold(Relation index, const uint8 *uuid, const ElacRowType *type,
										   const ElacLane *lane, const ElacLaneRows *rows);
extern void elac_lane_texts_unhold(ElacLaneTexts *texts);

/* Drops what is kept of other lanes of the index, or of it before it was built anew, unless held. */
extern void elac_lane_texts_forget_others(Relation index, const uint8 *uuid, const uint64 *ids, int nids);

/* The term, or NULL. */
extern const ElacLaneTerm *elac_lane_texts_find(const ElacLaneTexts *texts, int column, int label,
												const char *bytes, uint32 len);

/* The next term that begins with prefix, in no order; *at is 0 at first; NULL at the end. */
extern const ElacLaneTerm *elac_lane_texts_next(const ElacLaneTexts *texts, int column, int label,
												const char *prefix, uint32 len, uint32 *at);

/* Ascending by row. */
static inline const ElacLanePosting *
elac_lane_term_postings(const ElacLaneTerm *term)
{
	return term->room == 1 ? &term->postings.one : term->postings.many;
}

/* Postings of rows below nrows. */
extern uint32 elac_lane_term_count(const ElacLaneTerm *term, uint32 nrows);

/* Statistics of the first nrows rows. */
extern ElacFieldStats elac_lane_texts_stats(const ElacLaneTexts *texts, int column, int label, uint32 nrows);

extern uint32 elac_lane_texts_length(const ElacLaneTexts *texts, uint32 row, int column, int label);
extern bool elac_lane_texts_isnull(const ElacLaneTexts *texts, uint32 row, int column);

/* *n positions of a posting; they move when rows are added. */
extern const uint16 *elac_lane_texts_positions(const ElacLaneTexts *texts, uint32 positions, uint32 *n);

#endif							/* ELAC_LANE_TEXTS_H */
