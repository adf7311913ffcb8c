/*
 * chain.h
 *	  Append-only byte chains of pages: the delta's storage.
 *
 * A chain is a singly linked list of CHAIN pages owned by one chain id.  A
 * record is a run of bytes of any length that starts in the last page and goes
 * on in as many new pages as it needs.  Payload of a CHAIN page: a uint32 next
 * block (InvalidBlockNumber at the end), 4 bytes zero, then record bytes.
 *
 * A record longer than a page is written page by page, each its own WAL
 * record, new pages being linked in before the record counts: nothing points
 * at its bytes until the caller publishes the position (in the docs record),
 * so a crash in between leaves dead bytes and nothing else.
 */
#ifndef ELAC_CHAIN_H
#define ELAC_CHAIN_H

#include "elacsym.h"

#include "utils/rel.h"

/* Where a record begins: payload offset within a block. */
typedef struct ElacChainPos
{
	BlockNumber block;			/* InvalidBlockNumber: no record */
	uint32		offset;			/* payload offset of its first byte */
} ElacChainPos;

/* Kept by the owner (the lane page); changed in place by append. */
typedef struct ElacChain
{
	uint64		id;				/* owner in each page's tail; unique within the index */
	BlockNumber head;			/* InvalidBlockNumber when empty */
	BlockNumber tail;
	uint32		npages;
	uint32		tail_used;		/* payload bytes used in tail: bytes past it are dead */
} ElacChain;

StaticAssertDecl(sizeof(ElacChain) == 24, "ElacChain is stored");

/*
 * Appends len bytes; the caller holds the lane's exclusive lock, so nobody
 * else appends to this chain.  Updates *chain; the caller stores it with its
 * own next WAL record.  Returns where the record begins.
 */
extern ElacChainPos elac_chain_append(Relation index, ElacChain *chain, const void *data, Size len);

/*
 * A forward reader.  Pages are pinned one at a time and their content copied
 * under a share lock, so a reader is safe beside an appender and, on a
 * standby, beside replay.  A page of another owner raises elac_retry() in
 * recovery and elac_corrupted() otherwise.
 */
typedef struct ElacChainReader ElacChainReader;

extern ElacChainReader *elac_chain_open(Relation index, const ElacChain *chain);
extern void elac_chain_seek(ElacChainReader *reader, ElacChainPos pos);

/* Copies the next len bytes; false when the chain ends before them. */
extern bool elac_chain_read(ElacChainReader *reader, void *dst, Size len);
extern ElacChainPos elac_chain_tell(ElacChainReader *reader);
extern void elac_chain_close(ElacChainReader *reader);

/*
 * Every block of the chain from tail to head, palloc'd, every page checked
 * with its checksum; for retirement and verification.
 */
extern BlockNumber *elac_chain_blocks(Relation index, const ElacChain *chain, uint32 *nblocks);

/*
 * The same in the same order for a chain that is being freed, known by its id
 * and head: what an interrupted elac_freespace_release() has freed already is
 * left out, and nothing is raised for it.
 */
extern BlockNumber *elac_chain_retired(Relation index, uint64 id, BlockNumber head, uint32 *nblocks);

#endif							/* ELAC_CHAIN_H */
