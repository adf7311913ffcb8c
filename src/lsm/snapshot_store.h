/*
 * snapshot_store.h
 *	  What jobs need of a snapshot beyond what queries do.  Private to lsm.
 */
#ifndef ELAC_SNAPSHOT_STORE_H
#define ELAC_SNAPSHOT_STORE_H

#include "elacsym.h"

#include "lsm/lsm.h"

/* The store that the manifest names, opened once; raises when it is gone or another. */
extern ElacStore *elac_snapshot_store(ElacSnapshot *snapshot);

/* "<system identifier>-<epoch>/<index UUID>", palloc'd. */
extern char *elac_snapshot_key_prefix(const ElacManifest *manifest, const uint8 *uuid);

#endif							/* ELAC_SNAPSHOT_STORE_H */
