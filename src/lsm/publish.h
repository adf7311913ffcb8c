/*
 * publish.h
 *	  Changes of the set of segments, each one WAL record; and the list of what
 *	  they leave behind.  Private to lsm.
 */
#ifndef ELAC_PUBLISH_H
#define ELAC_PUBLISH_H

#include "elacsym.h"

#include "lsm/manifest.h"

/*
 * One publish: removed segments and frozen lanes go, added segments come, in
 * one step.  All arrays may be empty.
 */
typedef struct ElacPublish
{
	int			nremoved;
	const uint64 *removed;		/* ids of segments */
	int			nadded;
	const ElacSegmentRef *added;
	int			nfrozen;
	const uint64 *frozen;		/* docs chain ids of frozen lanes that the added segments replace */
	const ElacBlobRef *codebook;	/* a new codebook, NULL: as it was */
	uint64		rows_trained;	/* rows that the new codebook is for */
	bool		derived;		/* it was not trained, but made from the one before */
	uint64		rows_new;		/* rows that came from the delta */
} ElacPublish;

/* The caller holds the maintenance lock (or owns a fresh index). */
extern void elac_publish_segments(Relation index, const ElacPublish *publish);

/*
 * Gives a segment's body another home.  store and store_uuid name the store
 * when the new body is REMOTE; when the last REMOTE body goes, the manifest
 * forgets its store.
 */
extern void elac_publish_body(Relation index, uint64 segment, const ElacBlobRef *body,
							  const char *store, const uint8 *store_uuid);

/* The store's server has another name now. */
extern void elac_publish_store_name(Relation index, const char *store);

/* Freezes one lane when it has rows; false when it is empty or there is no room for it. */
extern bool elac_publish_rotation(Relation index, int lane);

/*
 * Brackets the writing of pages that no publish names yet: begin marks the
 * index as one where a crash or an error may leave pages behind (manifest
 * sweep_xid = ELAC_SWEEP_NOW), end takes the mark back unless there was one
 * before.  elac_lsm_retire() sweeps an index that it finds marked.
 */
#define ELAC_SWEEP_NOW 1		/* older than every snapshot */

typedef struct ElacBuilding
{
	bool		was_due;
} ElacBuilding;

extern void elac_building_begin(Relation index, ElacBuilding *building);
extern void elac_building_end(Relation index, const ElacBuilding *building);

#endif							/* ELAC_PUBLISH_H */
