/*
 * page.c
 *	  Layout of every page of an elacsym index, and its checks.
 *
 * Works on page images only: whoever calls holds the buffer's content lock or
 * a private copy.  Reading and writing buffers is pagelog.c's, chain.c's and
 * the blob files' business; what a page's payload means is its owner's.
 */
#include "postgres.h"

#include <stddef.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "storage/bufmgr.h"

#include "base/checksum.h"
#include "errors.h"
#include "storage/page.h"

StaticAssertDecl(BLCKSZ == 8192, "elacsym is written for pages of 8192 bytes");
StaticAssertDecl(offsetof(ElacPageTail, owner) == 0, "ElacPageTail is stored");
StaticAssertDecl(offsetof(ElacPageTail, number) == 8, "ElacPageTail is stored");
StaticAssertDecl(offsetof(ElacPageTail, crc) == 12, "ElacPageTail is stored");
StaticAssertDecl(offsetof(ElacPageTail, kind) == 16, "ElacPageTail is stored");
StaticAssertDecl(offsetof(ElacPageTail, version) == 18, "ElacPageTail is stored");
StaticAssertDecl(offsetof(ElacPageTail, magic) == 20, "ElacPageTail is stored");

#define ELAC_PAGE_START MAXALIGN(SizeOfPageHeaderData)
#define ELAC_PAGE_SPECIAL (BLCKSZ - sizeof(ElacPageTail))

StaticAssertDecl(MAXALIGN(SizeOfPageHeaderData) + ELAC_PAGE_DATA + 16 == ELAC_PAGE_SPECIAL,
				 "payload, gap and tail fill a page");

void
elac_page_init(Page page, ElacPageKind kind, uint64 owner, uint32 number)
{
	ElacPageTail *tail;

	PageInit(page, BLCKSZ, sizeof(ElacPageTail));
	((PageHeader) page)->pd_lower = ELAC_PAGE_START;
	tail = ElacPageGetTail(page);
	tail->owner = owner;
	tail->number = number;
	tail->crc = 0;
	tail->kind = (uint16) kind;
	tail->version = ELAC_PAGE_VERSION;
	tail->magic = ELAC_PAGE_MAGIC;
}

void
elac_page_set_used(Page page, uint32 used)
{
	if (used > ELAC_PAGE_DATA)
		elog(ERROR, "payload of %u bytes does not fit an elacsym page", used);
	((PageHeader) page)->pd_lower = (LocationIndex) (ELAC_PAGE_START + used);
}

uint32
elac_page_crc(Page page)
{
	const uint8 *tail = (const uint8 *) ElacPageGetTail(page);
	const size_t after = offsetof(ElacPageTail, crc) + sizeof(uint32);
	uint32		crc;

	crc = elac_crc32c(0, ElacPageGetData(page), ElacPageGetUsed(page));
	crc = elac_crc32c(crc, tail, offsetof(ElacPageTail, crc));
	return elac_crc32c(crc, tail + after, sizeof(ElacPageTail) - after);
}

/*
 * The reason why page is no elacsym page of any kind, or NULL.  Everything
 * that the accessor macros rely on is compared before they are used.
 */
static const char *
elac_page_defect(Page page)
{
	PageHeader	header = (PageHeader) page;
	ElacPageTail *tail;

	if (PageIsNew(page))
		return "the page is empty";
	if (PageGetPageSize(page) != BLCKSZ || header->pd_special != ELAC_PAGE_SPECIAL)
		return "the page has no elacsym page tail";
	if (header->pd_upper != header->pd_special ||
		header->pd_lower < ELAC_PAGE_START ||
		header->pd_lower > ELAC_PAGE_START + ELAC_PAGE_DATA)
		return "the page header gives an impossible payload size";
	tail = ElacPageGetTail(page);
	if (tail->magic != ELAC_PAGE_MAGIC)
		return "the page's magic number is wrong";
	if (tail->version != ELAC_PAGE_VERSION)
		return "the page has an unknown version";
	return NULL;
}

bool
elac_page_is_ours(Page page, bool check_crc, const char **why)
{
	const char *defect = elac_page_defect(page);

	if (defect == NULL && check_crc && ElacPageGetTail(page)->crc != elac_page_crc(page))
		defect = "the page's checksum is wrong";
	if (why != NULL)
		*why = defect;
	return defect == NULL;
}

bool
elac_page_is_valid(Page page, ElacPageKind kind, bool check_crc, const char **why)
{
	const char *defect = elac_page_defect(page);

	if (defect == NULL && ElacPageGetTail(page)->kind != (uint16) kind)
		defect = "the page is of another kind";
	if (defect == NULL && check_crc && ElacPageGetTail(page)->crc != elac_page_crc(page))
		defect = "the page's checksum is wrong";
	if (why != NULL)
		*why = defect;
	return defect == NULL;
}

void
elac_page_check(Relation index, BlockNumber block, Page page, ElacPageKind kind, bool check_crc)
{
	const char *why;

	if (!elac_page_is_valid(page, kind, check_crc, &why))
		elac_corrupted(RelationGetRelationName(index), "Block %u: %s.", block, why);
}

bool
elac_page_may_vanish(void)
{
	return RecoveryInProgress() || TransactionStartedDuringRecovery();
}

void
elac_page_raise(Relation index, BlockNumber block, const char *why)
{
	if (elac_page_may_vanish())
		elac_retry(RelationGetRelationName(index), "Block %u: %s.", block, why);
	elac_corrupted(RelationGetRelationName(index), "Block %u: %s.", block, why);
}

void
elac_page_check_owned(Relation index, BlockNumber block, Page page, ElacPageKind kind,
					  uint64 owner, uint32 number, bool check_crc)
{
	const char *why;

	if (!elac_page_is_valid(page, kind, false, &why))
		elac_page_raise(index, block, why);
	if (ElacPageGetTail(page)->owner != owner)
		elac_page_raise(index, block, "the page belongs to something else");
	if (number != ELAC_PAGE_ANY_NUMBER && ElacPageGetTail(page)->number != number)
		elac_page_raise(index, block, "the page has another number in its owner");

	/* A page that is ours and under a content lock has its checksum, in recovery too. */
	if (check_crc && ElacPageGetTail(page)->crc != elac_page_crc(page))
		elac_corrupted(RelationGetRelationName(index), "Block %u: the page's checksum is wrong.", block);
}

Buffer
elac_page_buffer(Relation index, BlockNumber block, BlockNumber *nblocks, BufferAccessStrategy strategy)
{
	if (block >= *nblocks)
		*nblocks = RelationGetNumberOfBlocks(index);
	if (block >= *nblocks)
		elac_page_raise(index, block, "the block lies beyond the end of the index");
	return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
}
