/*
 * manifest.c
 *	  The manifest (blocks 1..3) and the lane pages behind it: creation, reading
 *	  with validation, atomic change.
 *
 * Owns: the bytes of blocks 1..3 and the form of a lane page.  Callers need
 * the index open with any lock.  What a change means (which segments replace
 * which) is publish.c's business, not this file's.
 *
 * The struct ElacManifest is cut into the payloads of three pages: page i
 * carries bytes [i * ELAC_PAGE_DATA, ...).  All three are full length for
 * ever; generic WAL logs only what differs.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "errors.h"
#include "lsm/manifest.h"
#include "lsm/manifest_check.h"
#include "storage/freepages.h"
#include "storage/page.h"
#include "storage/pagelog.h"

struct ElacManifestChange
{
	Relation	index;
	Buffer		buffers[ELAC_MANIFEST_PAGES];
	ElacPageLog log;
	Page		first;			/* image of block 1, when it is registered already */
	ElacManifest *content;
};

/* Bytes of the manifest that page i carries. */
static uint32
manifest_page_bytes(int i)
{
	Size		done = (Size) i * ELAC_PAGE_DATA;

	return (uint32) Min((Size) ELAC_PAGE_DATA, sizeof(ElacManifest) - done);
}

/* Raises unless page is part i of a manifest. */
static void
manifest_check_page(Relation index, int i, Page page)
{
	BlockNumber block = ELAC_MANIFEST_BLOCK + i;

	elac_page_check(index, block, page, ELAC_PAGE_MANIFEST, true);
	if (ElacPageGetTail(page)->number != (uint32) i ||
		ElacPageGetUsed(page) != manifest_page_bytes(i))
		elac_corrupted(RelationGetRelationName(index),
					   "Block %u is not part %d of the manifest.", block, i);
}

/* Puts the parts together. */
static void
manifest_assemble(ElacManifest *manifest, int i, Page page)
{
	memcpy((char *) manifest + (Size) i * ELAC_PAGE_DATA, ElacPageGetData(page), manifest_page_bytes(i));
}

void
elac_lane_get(Relation index, int lane, Page page, ElacLane *out)
{
	BlockNumber block = ELAC_LANE_BLOCK + lane;
	const char *fault;

	elac_page_check(index, block, page, ELAC_PAGE_LANE, true);
	if (ElacPageGetTail(page)->number != (uint32) lane || ElacPageGetUsed(page) != sizeof(ElacLane))
		elac_corrupted(RelationGetRelationName(index), "Block %u is not the head of lane %d.", block, lane);
	memcpy(out, ElacPageGetData(page), sizeof(ElacLane));
	fault = elac_lane_fault(out, MaxBlockNumber);
	if (fault != NULL)
		elac_corrupted(RelationGetRelationName(index), "Lane %d: %s.", lane, fault);
}

void
elac_lane_put(Page image, const ElacLane *lane)
{
	memcpy(ElacPageGetData(image), lane, sizeof(ElacLane));
}

void
elac_lane_init(ElacLane *lane, uint64 generation, uint64 first_id)
{
	ElacChain  *chains[ELAC_LANE_IDS];

	memset(lane, 0, sizeof(ElacLane));
	lane->generation = generation;
	chains[0] = &lane->docs;
	chains[1] = &lane->vectors;
	chains[2] = &lane->texts;
	for (int i = 0; i < ELAC_LANE_IDS; i++)
	{
		chains[i]->id = first_id + i;
		chains[i]->head = InvalidBlockNumber;
		chains[i]->tail = InvalidBlockNumber;
	}
}

/* ---- creation ---- */

/* Appends one page to fork. */
static void
manifest_create_page(Relation index, ForkNumber fork, BlockNumber block, ElacPageKind kind, uint32 number,
					 const void *content, uint32 used)
{
	Buffer		buffer = elac_freespace_extend(index, fork);
	ElacPageLog log;
	Page		page;

	if (BufferGetBlockNumber(buffer) != block)
		elog(ERROR, "block %u of new index \"%s\" is already in use", block, RelationGetRelationName(index));
	elac_pagelog_begin(&log, index);
	page = elac_pagelog_page(&log, buffer, true);
	elac_page_init(page, kind, 0, number);
	memcpy(ElacPageGetData(page), content, used);
	elac_page_set_used(page, used);
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);
}

void
elac_manifest_create(Relation index, ForkNumber fork)
{
	ElacManifest *manifest = palloc0(sizeof(ElacManifest));

	manifest->version = ELAC_MANIFEST_VERSION;
	manifest->generation = 1;
	manifest->next_id = 1 + ELAC_LANES * ELAC_LANE_IDS;
	manifest->system_identifier = GetSystemIdentifier();
	manifest->database = MyDatabaseId;
	manifest->codebook.map = InvalidBlockNumber;
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
		manifest_create_page(index, fork, ELAC_MANIFEST_BLOCK + i, ELAC_PAGE_MANIFEST, i,
							 (char *) manifest + (Size) i * ELAC_PAGE_DATA, manifest_page_bytes(i));
	for (int i = 0; i < ELAC_LANES; i++)
	{
		ElacLane	lane;

		elac_lane_init(&lane, 1, 1 + i * ELAC_LANE_IDS);
		manifest_create_page(index, fork, ELAC_LANE_BLOCK + i, ELAC_PAGE_LANE, i, &lane, sizeof(lane));
	}
	pfree(manifest);
}

/* ---- reading ---- */

/* Generation of the manifest whose first page is given, locked and checked but for its checksum. */
static uint64
manifest_generation(Page first)
{
	uint64		generation;

	StaticAssertStmt(offsetof(ElacManifest, generation) + sizeof(uint64) <= ELAC_PAGE_DATA, "block 1 tells it");
	memcpy(&generation, ElacPageGetData(first) + offsetof(ElacManifest, generation), sizeof(generation));
	return generation;
}

/*
 * Copies the manifest's pages and, when lanes is given, the lanes, under share
 * locks; block 1's is kept until the last is copied, which keeps rotations and
 * replay of publishes out.  All are pinned first: no page is read from disk
 * under a lock.  Copies nothing but the lanes, and returns false, when the
 * manifest has the generation `known`.
 */
static bool
manifest_copy(Relation index, uint64 known, PGAlignedBlock *copies, ElacLane *lanes)
{
	Buffer		buffers[ELAC_MANIFEST_PAGES + ELAC_LANES];
	int			npages = lanes != NULL ? lengthof(buffers) : ELAC_MANIFEST_PAGES;
	int			first_lane = ELAC_MANIFEST_PAGES;
	bool		changed = true;

	StaticAssertStmt(ELAC_LANE_BLOCK == ELAC_MANIFEST_BLOCK + ELAC_MANIFEST_PAGES, "lanes follow the manifest");
	for (int i = 0; i < npages; i++)
		buffers[i] = ReadBuffer(index, ELAC_MANIFEST_BLOCK + i);
	LockBuffer(buffers[0], BUFFER_LOCK_SHARE);
	if (known != 0)
	{
		elac_page_check(index, ELAC_MANIFEST_BLOCK, BufferGetPage(buffers[0]), ELAC_PAGE_MANIFEST, false);
		changed = manifest_generation(BufferGetPage(buffers[0])) != known;
	}
	for (int i = 0; changed && i < ELAC_MANIFEST_PAGES; i++)
	{
		if (i > 0)
			LockBuffer(buffers[i], BUFFER_LOCK_SHARE);
		memcpy(copies[i].data, BufferGetPage(buffers[i]), BLCKSZ);
	}
	for (int i = first_lane; i < npages; i++)
	{
		LockBuffer(buffers[i], BUFFER_LOCK_SHARE);
		elac_lane_get(index, i - first_lane, BufferGetPage(buffers[i]), &lanes[i - first_lane]);
		LockBuffer(buffers[i], BUFFER_LOCK_UNLOCK);
	}
	for (int i = ELAC_MANIFEST_PAGES - 1; i >= 0; i--)
		if (changed || i == 0)
			LockBuffer(buffers[i], BUFFER_LOCK_UNLOCK);
	for (int i = 0; i < npages; i++)
		ReleaseBuffer(buffers[i]);
	return changed;
}

ElacManifest *
elac_manifest_read_newer(Relation index, uint64 known, ElacLane *lanes)
{
	PGAlignedBlock copies[ELAC_MANIFEST_PAGES];
	ElacManifest *manifest;
	const char *fault;

	if (!manifest_copy(index, known, copies, lanes))
		return NULL;
	manifest = palloc(sizeof(ElacManifest));
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
	{
		manifest_check_page(index, i, copies[i].data);
		manifest_assemble(manifest, i, copies[i].data);
	}
	fault = elac_manifest_fault(manifest, lanes, RelationGetNumberOfBlocks(index));
	if (fault != NULL)
		elac_corrupted(RelationGetRelationName(index), "Manifest: %s.", fault);
	return manifest;
}

ElacManifest *
elac_manifest_read(Relation index)
{
	return elac_manifest_read_newer(index, 0, NULL);
}

ElacManifest *
elac_manifest_read_with_lanes(Relation index, ElacLane *lanes)
{
	return elac_manifest_read_newer(index, 0, lanes);
}

/* ---- changing ---- */

ElacManifestChange *
elac_manifest_begin(Relation index, ElacManifest **manifest)
{
	ElacManifestChange *change = palloc0(sizeof(ElacManifestChange));
	BlockNumber nblocks = RelationGetNumberOfBlocks(index);
	const char *fault;

	change->index = index;
	change->content = palloc(sizeof(ElacManifest));
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
		change->buffers[i] = ReadBuffer(index, ELAC_MANIFEST_BLOCK + i);
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
	{
		Page		page = BufferGetPage(change->buffers[i]);

		LockBuffer(change->buffers[i], BUFFER_LOCK_EXCLUSIVE);
		manifest_check_page(index, i, page);
		manifest_assemble(change->content, i, page);
	}
	fault = elac_manifest_fault(change->content, NULL, nblocks);
	if (fault != NULL)
		elac_corrupted(RelationGetRelationName(index), "Manifest: %s.", fault);
	elac_pagelog_begin(&change->log, index);
	*manifest = change->content;
	return change;
}

/*
 * Redo locks the pages of a record in the order of their registration and
 * keeps them until the last is done: block 1 comes first there too, or replay
 * and a reader on a standby, who holds it while he locks the lanes, wait for
 * each other for ever.
 */
Page
elac_manifest_add_page(ElacManifestChange *change, Buffer buffer)
{
	Assert(change->log.npages == 0);
	change->first = elac_pagelog_page(&change->log, change->buffers[0], false);
	return elac_pagelog_page(&change->log, buffer, false);
}

static void
manifest_end(ElacManifestChange *change)
{
	for (int i = ELAC_MANIFEST_PAGES - 1; i >= 0; i--)
		UnlockReleaseBuffer(change->buffers[i]);
	pfree(change->content);
	pfree(change);
}

/* Whether the new content differs from the pages. */
static bool
manifest_differs(const ElacManifestChange *change)
{
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
		if (memcmp(ElacPageGetData(BufferGetPage(change->buffers[i])),
				   (char *) change->content + (Size) i * ELAC_PAGE_DATA, manifest_page_bytes(i)) != 0)
			return true;
	return false;
}

void
elac_manifest_commit(ElacManifestChange *change)
{
	const char *fault = elac_manifest_fault(change->content, NULL, MaxBlockNumber);

	if (manifest_differs(change))
		change->content->generation++;
	if (fault != NULL)
		elog(ERROR, "refused to write a wrong manifest of index \"%s\": %s",
			 RelationGetRelationName(change->index), fault);
	for (int i = 0; i < ELAC_MANIFEST_PAGES; i++)
	{
		const char *bytes = (char *) change->content + (Size) i * ELAC_PAGE_DATA;
		Page		image = i == 0 ? change->first : NULL;

		if (image == NULL &&
			memcmp(ElacPageGetData(BufferGetPage(change->buffers[i])), bytes, manifest_page_bytes(i)) == 0)
			continue;
		if (image == NULL)
			image = elac_pagelog_page(&change->log, change->buffers[i], false);
		memcpy(ElacPageGetData(image), bytes, manifest_page_bytes(i));
	}
	if (change->log.npages > 0)
		elac_pagelog_commit(&change->log);
	else
		elac_pagelog_abort(&change->log);
	manifest_end(change);
}

void
elac_manifest_abort(ElacManifestChange *change)
{
	elac_pagelog_abort(&change->log);
	manifest_end(change);
}

uint64
elac_manifest_allocate_ids(Relation index, int n)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);
	uint64		first = manifest->next_id;

	manifest->next_id += n;
	elac_manifest_commit(change);
	return first;
}
