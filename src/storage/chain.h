/*
 * chain.h
 *	  Append-only byte chains of pages: the delta's storage.
 *
 * A chain is a singly linked list of CHAIN pages owned by one chain id.  A
 * record is a run of bytes of any length that starts in the last page and goes
 * on in as many new pages as it needs.  Payload of a CHAIN page: a uint32 next
 * block (InvalidBlockNumber at the end), 4 bytes zero, then record bytes.
 *
 * A record that fits few enough pages goes into a WAL record of the caller's,
 * with other chains' and with the page that counts it (ElacChainAppend).  A
 * longer one is written by elac_chain_append() in WAL records of its own, new
 * pages being linked in before the record counts: nothing points at its bytes
 * until the caller publishes the position (in the docs record), so a crash in
 * between leaves dead bytes and pages, which the next append writes over.
 */
#ifndef ELAC_CHAIN_H
#define ELAC_CHAIN_H

#include "elacsym.h"

#include "storage/buf.h"
#include "utils/rel.h"

#include "storage/pagelog.h"

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

/* Pages of which appending len bytes changes or makes: the tail and new ones. */
extern uint32 elac_chain_pages(const ElacChain *chain, Size len);

/*
 * An append within the caller's WAL record.  reserve locks the tail, takes the
 * new pages (elac_chain_pages() of them in all, at most ELAC_PAGELOG_MAX) and
 * fills pos; write puts the bytes into images of log and updates *chain, which
 * the caller stores in the same WAL record; release unlocks.  The caller holds
 * the lane's exclusive lock throughout.  An error in between changes nothing:
 * the pages taken are as free as before.
 */
typedef struct ElacChainAppend
{
	ElacChain  *chain;
	Size		len;
	ElacChainPos pos;			/* where the bytes will begin */
	bool		has_tail;		/* buffers[0] is the tail so far */
	int			nbuffers;
	Buffer		buffers[ELAC_PAGELOG_MAX];
	BlockNumber leftover;		/* page of an append that failed, for the next one */
} ElacChainAppend;

extern void elac_chain_reserve(Relation index, ElacChain *chain, Size len, ElacChainAppend *append);
extern void elac_chain_write(ElacChainAppend *append, ElacPageLog *log, const void *data);
extern void elac_chain_release(ElacChainAppend *append);

/*
 * Appends len bytes, however many; the caller holds the lane's exclusive lock, so nobody
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
