/*
 * codebook_adapt.h
 *	  A codebook whose lists have grown, shrunk or moved, made fit again: lists
 *	  that are too long are split, hardly used ones dropped, and those that lie
 *	  beside their documents moved.  All other lists keep their centroids, so
 *	  that codes of their documents stay valid (Xu et al., "SPFresh: Incremental
 *	  In-Place Update for Billion-Scale Vector Search", SOSP 2023).
 *
 * Order of calls: begin; count for every document; sample for some; judge;
 * and when that says so: split for every list that is wanted; finish; then
 * leaf and may_move for every document.  Lists here are those of the cut that
 * suits the number of documents: they become the leaves of the new codebook.
 */
#ifndef ELAC_CODEBOOK_ADAPT_H
#define ELAC_CODEBOOK_ADAPT_H

#include "vector/codebook.h"

typedef struct ElacAdapt ElacAdapt;

/* No leaf: the documents of such a list are assigned anew. */
#define ELAC_ADAPT_NOWHERE UINT32_MAX

typedef enum ElacAdaptVerdict
{
	ELAC_ADAPT_NOTHING,			/* the lists are well */
	ELAC_ADAPT_LISTS,			/* some lists have to change */
	ELAC_ADAPT_TRAIN			/* so many that training anew is better */
} ElacAdaptVerdict;

/* ndocs: live documents of the whole index.  All memory is in CurrentMemoryContext. */
extern ElacAdapt *elac_adapt_begin(const ElacCodebook *codebook, uint64 ndocs);
/* What elac_adapt_begin() was given. */
extern const ElacCodebook *elac_adapt_codebook(const ElacAdapt *adapt);
extern uint32 elac_adapt_nlists(const ElacAdapt *adapt);

/* The cut that the lists are of, and the list of a leaf. */
extern int	elac_adapt_cut(const ElacAdapt *adapt);
extern uint32 elac_adapt_list(const ElacAdapt *adapt, uint32 leaf);

extern void elac_adapt_count(ElacAdapt *adapt, uint32 list);
extern uint64 elac_adapt_ndocs(const ElacAdapt *adapt, uint32 list);

/* rotated: as elac_vector_decode() gives it. */
extern void elac_adapt_sample(ElacAdapt *adapt, uint32 list, const float *rotated);

extern ElacAdaptVerdict elac_adapt_judge(ElacAdapt *adapt);

/* How many documents of a list elac_adapt_split() wants to see; 0 when the list stays as it is. */
extern uint32 elac_adapt_wants(const ElacAdapt *adapt, uint32 list);

/* n > 0 documents of a list, in rotated form, padded floats each.  Lists that cannot be split stay. */
extern void elac_adapt_split(ElacAdapt *adapt, uint32 list, const float *rotated, uint32 n);

/* The new codebook, without an id; NULL when nothing came of it. */
extern ElacCodebook *elac_adapt_finish(ElacAdapt *adapt);

/* Where a list went; ELAC_ADAPT_NOWHERE when its centroid is gone. */
extern uint32 elac_adapt_leaf(const ElacAdapt *adapt, uint32 list);

/* Whether a new centroid lies so near to a list that documents of it may move there. */
extern bool elac_adapt_is_near(const ElacAdapt *adapt, uint32 list);

/* Whether a new centroid may be nearer to a document than that of its list. */
extern bool elac_adapt_may_move(ElacAdapt *adapt, uint32 list, const float *rotated, float deviation);

/* For messages. */
typedef struct ElacAdaptSummary
{
	uint32		nlists;			/* before */
	uint32		nsplit;
	uint32		nmoved;
	uint32		ndropped;
	uint32		nfresh;			/* centroids made */
} ElacAdaptSummary;

extern ElacAdaptSummary elac_adapt_summary(const ElacAdapt *adapt);

#endif							/* ELAC_CODEBOOK_ADAPT_H */
