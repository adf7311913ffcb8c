/*
 * metapage.h
 *	  Block 0: what an index is, fixed when it was built.
 *
 * What changes (segments, lanes, codebook) is in the manifest, blocks 1..3,
 * which belongs to lsm/manifest.  The metapage is written once by
 * elac_metapage_create() and read once per relcache entry.
 */
#ifndef ELAC_METAPAGE_H
#define ELAC_METAPAGE_H

#include "elacsym.h"

#include "common/relpath.h"
#include "utils/rel.h"

#include "storage/page.h"

#define ELAC_META_MAGIC 0x454C4143	/* "ELAC" */
#define ELAC_META_VERSION 1
#define ELAC_META_BLOCK 0
#define ELAC_MANIFEST_BLOCK 1	/* blocks 1..3 */
#define ELAC_MANIFEST_PAGES 3
#define ELAC_LANE_BLOCK 4		/* blocks 4..4+nlanes-1 */
#define ELAC_LANES 4

typedef struct ElacMetapage
{
	uint32		magic;
	uint32		version;
	uint32		page_size;		/* BLCKSZ */
	uint32		nlanes;
	uint8		uuid[16];		/* of this build of the index; names its objects */
	uint64		rotation_seed;	/* randomness that reaches the disk */
	ElacSchema	schema;
} ElacMetapage;

/* Writes block 0 of an empty relation (fork main or init). */
extern void elac_metapage_create(Relation index, ForkNumber fork, const ElacSchema *schema);

/*
 * The metapage's content, validated: magic, version, page size, counts.
 * Cached in rd_amcache for the life of the relcache entry; callers do not
 * free it and do not keep it across relcache invalidation.
 */
extern const ElacMetapage *elac_metapage_get(Relation index);

/* Deep check for elacsym_verify(); raises. */
extern void elac_metapage_verify(Relation index);

#endif							/* ELAC_METAPAGE_H */
