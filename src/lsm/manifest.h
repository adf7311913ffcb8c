/*
 * manifest.h
 *	  Which segments exist: blocks 1..3, replaced atomically.
 *
 * Lock order, everywhere: maintenance lock (heavyweight) -> manifest block 1
 * -> blocks 2, 3 -> lane pages ascending -> chain, map and live pages.
 * A reader takes block 1 shared, copies all, releases.  A publish holds block
 * 1 exclusively from before its WAL record until after it.
 */
#ifndef ELAC_MANIFEST_H
#define ELAC_MANIFEST_H

#include "elacsym.h"

#include "access/transam.h"
#include "utils/rel.h"

#include "lsm/calibration.h"
#include "segment/segment.h"
#include "storage/chain.h"
#include "storage/metapage.h"

#define ELAC_MANIFEST_VERSION 1
#define ELAC_MAX_SEGMENTS 96
#define ELAC_MAX_FROZEN 8
#define ELAC_MAX_RETIRED 320	/* a merge of all segments retires three entries each */

/* A lane's chains, live (on the lane page) or frozen (in the manifest). */
typedef struct ElacLane
{
	uint64		generation;		/* rises when the lane is rotated */
	uint32		ndocs;			/* rows in it, dead ones included */
	uint32		ndead;			/* rows marked dead (lsm/delta_mark.c) */
	ElacChain	docs;			/* one docs record per row: tid, flags, attributes, positions of the rest */
	ElacChain	vectors;		/* codes of prepared vectors, lsm/delta_vector.h */
	ElacChain	texts;			/* serialised term vectors of all text columns */
} ElacLane;

StaticAssertDecl(sizeof(ElacLane) == 88, "ElacLane is stored");

/* Pages that nothing refers to any more, once no snapshot can read them. */
typedef struct ElacRetired
{
	uint64		owner;			/* blob or chain id */
	uint64		xid;			/* FullTransactionId at retirement */
	BlockNumber first;			/* MAP page, chain head or LIVE page */
	uint32		ndocs;			/* of a LIVE bitmap, else 0 */
	uint32		kind;			/* ElacPageKind: MAP, CHAIN or LIVE */
	uint32		reserved;		/* 0 */
} ElacRetired;

StaticAssertDecl(sizeof(ElacRetired) == 32, "ElacRetired is stored");

typedef struct ElacManifest
{
	uint32		version;
	uint32		nsegments;
	uint32		nfrozen;
	uint32		nretired;
	uint64		generation;		/* rises with every change (elac_manifest_commit): names the content */
	uint64		next_id;		/* next blob or chain id */
	/* owner of the objects: who may write and delete them */
	uint64		system_identifier;
	uint32		database;		/* OID */
	uint32		epoch;
	uint8		store_uuid[16];	/* of the store that REMOTE bodies lie in, 0 when none */
	char		store[NAMEDATALEN];	/* name of its foreign server, "" when none */
	uint64		rows_trained;	/* rows the codebook is for */
	uint64		rows_since;		/* rows flushed since one was trained */
	uint64		sweep_xid;		/* not 0: pages may exist that nothing refers to; free to reuse once no
								 * snapshot is older than this FullTransactionId (lsm/retire.c) */
	ElacBlobRef codebook;		/* id 0: none yet */
	ElacCalibration calibration;	/* of the set that its codebook and rows tell; none: all zero */
	uint64		reservoir_id;	/* owner of the pages with the sample of queries; 0: none */
	BlockNumber reservoir_root; /* 0 when none */
	uint32		reserved;		/* 0 */
	ElacLane	frozen[ELAC_MAX_FROZEN];
	ElacSegmentRef segments[ELAC_MAX_SEGMENTS];
	ElacRetired retired[ELAC_MAX_RETIRED];
} ElacManifest;

StaticAssertDecl(sizeof(ElacManifest) <= ELAC_MANIFEST_PAGES * ELAC_PAGE_DATA, "the manifest fits its pages");

/* Writes blocks 1..3 and the lanes' pages of an empty index. */
extern void elac_manifest_create(Relation index, ForkNumber fork);

/* A validated copy, palloc'd. */
extern ElacManifest *elac_manifest_read(Relation index);

/* A validated copy of manifest and all lanes, taken together. */
extern ElacManifest *elac_manifest_read_with_lanes(Relation index, ElacLane *lanes);

/*
 * The same for whoever still has the manifest of generation `known`: NULL when
 * that is the present one, and only lanes are filled then.
 */
extern ElacManifest *elac_manifest_read_newer(Relation index, uint64 known, ElacLane *lanes);

/*
 * One change.  begin locks blocks 1..3 exclusively and gives the current
 * content to modify; add_page makes one page more, locked by the caller, part
 * of the same WAL record and returns the image to change; commit checks the
 * new content, writes what differs in one WAL record and unlocks blocks 1..3
 * (the added page stays locked); abort unlocks and changes nothing.  Between
 * begin and the end the caller must not read pages, wait or call the store.
 */
typedef struct ElacManifestChange ElacManifestChange;

extern ElacManifestChange *elac_manifest_begin(Relation index, ElacManifest **manifest);
extern Page elac_manifest_add_page(ElacManifestChange *change, Buffer buffer);
extern void elac_manifest_commit(ElacManifestChange *change);
extern void elac_manifest_abort(ElacManifestChange *change);

/* Takes n fresh ids, WAL-logged; never given out twice, even after a crash. */
extern uint64 elac_manifest_allocate_ids(Relation index, int n);

/* ---- lane pages ---- */

/*
 * Reads the lane on a page that the caller has locked, or a copy of one;
 * raises elac_corrupted() when page or lane make no sense.
 */
extern void elac_lane_get(Relation index, int lane, Page page, ElacLane *out);

/* Puts a lane into a page image given by pagelog or elac_manifest_add_page(). */
extern void elac_lane_put(Page image, const ElacLane *lane);

/* An empty lane whose chains have the ids first_id .. first_id + 2. */
extern void elac_lane_init(ElacLane *lane, uint64 generation, uint64 first_id);
#define ELAC_LANE_IDS 3

#endif							/* ELAC_MANIFEST_H */
