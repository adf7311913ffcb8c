/*
 * freepages.h
 *	  Which blocks of an index may be used for something new.
 *
 * A block is free when its page is new (all zero) or has kind FREE.  The
 * server's free space map says where to look and is never trusted: it is not
 * WAL-logged, so each block it names is read and checked under an exclusive
 * lock before use.
 */
#ifndef ELAC_FREEPAGES_H
#define ELAC_FREEPAGES_H

#include "elacsym.h"

#include "common/relpath.h"
#include "storage/buf.h"
#include "utils/rel.h"

/*
 * Returns an exclusively locked, pinned buffer whose page may be initialised;
 * the caller makes it part of a WAL record.  Extends the relation when there
 * is no free block.
 */
extern Buffer elac_freespace_get(Relation index);

/*
 * The next page at the end of a fork, exclusively locked: for the pages of an
 * empty index, whose block numbers are fixed.
 */
extern Buffer elac_freespace_extend(Relation index, ForkNumber fork);

/*
 * Turns blocks into FREE pages in the order given, WAL-logged four at a time,
 * and enters them into the free space map.  Only BLOB, MAP, CHAIN and LIVE
 * pages that still belong to owner are touched, so that repeating it after a
 * crash is harmless.  The lists of elac_blob_retired() and
 * elac_chain_retired() are ordered so that what a crash leaves can still be
 * found from the first MAP page or the chain's head.
 */
extern void elac_freespace_release(Relation index, const BlockNumber *blocks, uint32 nblocks, uint64 owner);

/* Makes what was released visible in the map's upper levels (end of a job). */
extern void elac_freespace_vacuum(Relation index);

#endif							/* ELAC_FREEPAGES_H */
