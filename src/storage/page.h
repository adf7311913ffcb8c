/*
 * page.h
 *	  Layout of every page of an elacsym index, and its checks.
 *
 * offset  size  what
 *      0    24  PageHeaderData
 *     24  8128  payload: ELAC_PAGE_DATA bytes at most, pd_lower marks its end
 *   8152    16  unused, zero
 *   8168    24  ElacPageTail (the special area)
 *
 * The payload lies below pd_lower, because generic WAL zeroes the gap between
 * pd_lower and pd_upper.  8128 = 254 * 32: a 32-byte unit of a FastScan stream
 * never straddles two pages.
 */
#ifndef ELAC_PAGE_H
#define ELAC_PAGE_H

#include "compat.h"
#include "elacsym.h"

#include "storage/buf.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#define ELAC_PAGE_MAGIC 0xE1AC5E61
#define ELAC_PAGE_VERSION 1
#define ELAC_PAGE_DATA 8128		/* payload bytes of a logical page */

typedef enum ElacPageKind
{
	ELAC_PAGE_FREE = 1,			/* may be allocated */
	ELAC_PAGE_META = 2,			/* block 0 */
	ELAC_PAGE_MANIFEST = 3,		/* blocks 1..3 */
	ELAC_PAGE_LANE = 4,			/* head of one insert lane */
	ELAC_PAGE_CHAIN = 5,		/* page of an append-only chain */
	ELAC_PAGE_MAP = 6,			/* where a blob's logical pages lie */
	ELAC_PAGE_BLOB = 7,			/* logical page of a blob (segment head, body, codebook) */
	ELAC_PAGE_LIVE = 8,			/* live bitmap of a segment */
	ELAC_PAGE_SAMPLE = 9		/* sample of queries (lsm/reservoir.h) */
} ElacPageKind;

typedef struct ElacPageTail
{
	uint64		owner;			/* blob id or chain id the page belongs to; 0 for fixed and free pages */
	uint32		number;			/* position within the owner: logical page number */
	uint32		crc;			/* CRC-32C of payload and of the other fields here */
	uint16		kind;			/* ElacPageKind */
	uint16		version;		/* ELAC_PAGE_VERSION */
	uint32		magic;			/* ELAC_PAGE_MAGIC */
} ElacPageTail;

StaticAssertDecl(sizeof(ElacPageTail) == 24, "ElacPageTail is stored");

#define ElacPageGetTail(page) ((ElacPageTail *) PageGetSpecialPointer(page))
#define ElacPageGetData(page) ((uint8 *) PageGetContents(page))
#define ElacPageGetUsed(page) ((uint32) (((PageHeader) (page))->pd_lower - MAXALIGN(SizeOfPageHeaderData)))

/* Makes page an empty page of that kind and owner; used bytes 0. */
extern void elac_page_init(Page page, ElacPageKind kind, uint64 owner, uint32 number);

/* Sets the number of payload bytes in use (pd_lower). */
extern void elac_page_set_used(Page page, uint32 used);

/* CRC-32C over the used payload and the tail (crc itself excepted). */
extern uint32 elac_page_crc(Page page);

/*
 * True when page has our magic, a version we read, the kind asked for, and
 * pd_lower, pd_upper and pd_special where they must be.  With check_crc the
 * checksum is compared as well.  Never raises; why (may be NULL) gets a static
 * reason.
 */
extern bool elac_page_is_valid(Page page, ElacPageKind kind, bool check_crc, const char **why);

/* The same, but raises ERRCODE_INDEX_CORRUPTED naming index and block. */
extern void elac_page_check(Relation index, BlockNumber block, Page page, ElacPageKind kind, bool check_crc);

/* An elacsym page of whatever kind, by the same checks. */
extern bool elac_page_is_ours(Page page, bool check_crc, const char **why);

/*
 * For readers that follow block numbers: raises when page is not page number
 * `number` (or any, ELAC_PAGE_ANY_NUMBER) of `owner`: elac_retry() in recovery,
 * where pages are recycled under readers, elac_corrupted() otherwise.  Call
 * with the share lock held or on a copy taken under it.
 */
#define ELAC_PAGE_ANY_NUMBER UINT32_MAX
extern void elac_page_check_owned(Relation index, BlockNumber block, Page page, ElacPageKind kind,
								  uint64 owner, uint32 number, bool check_crc);

/*
 * True in recovery, and for a transaction that began there and has lived
 * through a promotion: what its snapshot needs may have been recycled, while
 * on a primary nothing recycles what a snapshot can reach.
 */
extern bool elac_page_may_vanish(void);

/* Raises for a block that is not what was expected: retry if it may vanish, corruption otherwise. */
pg_noreturn extern void elac_page_raise(Relation index, BlockNumber block, const char *why);

/*
 * ReadBuffer for a block number that stored bytes gave: one beyond the end of
 * the index raises as above.  *nblocks is the size as last seen (0 at first).
 */
extern Buffer elac_page_buffer(Relation index, BlockNumber block, BlockNumber *nblocks, BufferAccessStrategy strategy);

#endif							/* ELAC_PAGE_H */
