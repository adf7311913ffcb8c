/*
 * codebook_cache.h
 *	  Codebooks of this process, shared by its scans and jobs.  Private to lsm.
 */
#ifndef ELAC_CODEBOOK_CACHE_H
#define ELAC_CODEBOOK_CACHE_H

#include "elacsym.h"

#include "utils/rel.h"

#include "vector/codebook.h"

typedef struct ElacCodebookEntry ElacCodebookEntry;

/*
 * The codebook that ref names, read when it is not there yet.  uuid is the
 * index's (metapage).  Held until elac_codebook_unhold(); an entry that is
 * held is never evicted.
 */
extern ElacCodebookEntry *elac_codebook_hold(Relation index, const uint8 *uuid, const ElacBlobRef *ref);
extern const ElacCodebook *elac_codebook_of(const ElacCodebookEntry *entry);
extern void elac_codebook_unhold(ElacCodebookEntry *entry);

/* Memory it takes. */
extern Size elac_codebook_bytes(const ElacCodebookEntry *entry);

#endif							/* ELAC_CODEBOOK_CACHE_H */
