/*
 * reservoir.c
 *	  A random sample of the query vectors that users sent, within the index.
 *
 * Owns the pages of kind ELAC_PAGE_SAMPLE.  Written by queries, without any
 * lock but those of root and slot page (in this order), each time in one WAL
 * record.  A backend draws in advance how many queries it will let pass before
 * it offers the next one, so most queries cost a subtraction.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/checksum.h"
#include "errors.h"
#include "lsm/publish.h"
#include "lsm/reservoir.h"
#include "storage/freepages.h"
#include "storage/pagelog.h"

#define GROUP 32				/* components with a scale of their own */

/* From here on old queries give way to new ones at a constant rate. */
#define SEEN_MAX (UINT64CONST(1) << 20)

typedef struct ReservoirRoot
{
	uint32		magic;
	uint16		dim;
	uint16		slots_per_page;
	uint32		slots;
	uint32		used;
	uint64		seen;
	uint32		npages;
	uint32		reserved;		/* 0 */
	BlockNumber blocks[ELAC_RESERVOIR_PAGES];
} ReservoirRoot;

StaticAssertDecl(sizeof(ReservoirRoot) == 32 + 4 * ELAC_RESERVOIR_PAGES, "ReservoirRoot is stored");

static uint32
reservoir_slot_bytes(int dim)
{
	return (dim + GROUP - 1) / GROUP * (sizeof(float) + GROUP);
}

/* ---- vectors ---- */

static void
reservoir_encode(const float *vector, int dim, uint8 *slot)
{
	for (int first = 0; first < dim; first += GROUP)
	{
		int			n = Min(GROUP, dim - first);
		float		largest = 0;
		float		scale;

		for (int i = 0; i < n; i++)
			largest = Max(largest, fabsf(vector[first + i]));
		scale = largest / 127;
		memcpy(slot, &scale, sizeof(float));
		memset(slot + sizeof(float), 0, GROUP);
		for (int i = 0; i < n; i++)
		{
			float		code = scale > 0 ? rintf(vector[first + i] / scale) : 0;

			/* a subnormal scale is too coarse to divide by exactly */
			slot[sizeof(float) + i] = (uint8) (int8) Max(Min(code, 127), -127);
		}
		slot += sizeof(float) + GROUP;
	}
}

/* False when the bytes are no vector. */
static bool
reservoir_decode(const uint8 *slot, int dim, float *vector)
{
	for (int first = 0; first < dim; first += GROUP)
	{
		int			n = Min(GROUP, dim - first);
		float		scale;

		memcpy(&scale, slot, sizeof(float));
		if (!isfinite(scale) || fabsf(scale) > FLT_MAX / 256)
			return false;
		for (int i = 0; i < n; i++)
			vector[first + i] = scale * (float) (int8) slot[sizeof(float) + i];
		slot += sizeof(float) + GROUP;
	}
	return true;
}

/* ---- the root ---- */

/* NULL when the root makes sense; else what is wrong. */
static const char *
reservoir_fault(const ReservoirRoot *root, BlockNumber nblocks)
{
	if (root->magic != ELAC_RESERVOIR_MAGIC || root->reserved != 0)
		return "it has no magic number";
	if (root->dim < 1 || root->dim > ELAC_MAX_DIM_INDEXED ||
		root->slots_per_page != ELAC_PAGE_DATA / reservoir_slot_bytes(root->dim))
		return "its dimensions make no sense";
	if (root->npages < 1 || root->npages > ELAC_RESERVOIR_PAGES || root->used > root->slots || root->used > root->seen ||
		root->slots > root->npages * root->slots_per_page)
		return "its counts make no sense";
	for (uint32 i = 0; i < root->npages; i++)
		if (root->blocks[i] >= nblocks)
			return "it names a block beyond the index";
	return NULL;
}

/* Is that a page of the reservoir?  The caller has locked it. */
static bool
reservoir_is_page(const ElacManifest *manifest, Page page, uint32 number)
{
	return elac_page_is_valid(page, ELAC_PAGE_SAMPLE, true, NULL) &&
		ElacPageGetTail(page)->owner == manifest->reservoir_id && ElacPageGetTail(page)->number == number;
}

/* Copies the root from a locked page; false when it makes no sense. */
static bool
reservoir_get_root(Relation index, const ElacManifest *manifest, Page page, ReservoirRoot *root)
{
	if (!reservoir_is_page(manifest, page, 0) || ElacPageGetUsed(page) != sizeof(ReservoirRoot))
		return false;
	memcpy(root, ElacPageGetData(page), sizeof(ReservoirRoot));
	return reservoir_fault(root, RelationGetNumberOfBlocks(index)) == NULL;
}

static bool
reservoir_read_root(Relation index, const ElacManifest *manifest, ReservoirRoot *root)
{
	Buffer		buffer;
	bool		good;

	if (manifest->reservoir_id == 0)
		return false;
	buffer = ReadBuffer(index, manifest->reservoir_root);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	good = reservoir_get_root(index, manifest, BufferGetPage(buffer), root);
	UnlockReleaseBuffer(buffer);
	return good;
}

/* ---- making one ---- */

static BlockNumber
reservoir_write_page(Relation index, uint64 id, uint32 number, const void *content, uint32 used)
{
	Buffer		buffer = elac_freespace_get(index);
	BlockNumber block = BufferGetBlockNumber(buffer);
	ElacPageLog log;
	Page		page;

	elac_pagelog_begin(&log, index);
	page = elac_pagelog_page(&log, buffer, true);
	elac_page_init(page, ELAC_PAGE_SAMPLE, id, number);
	if (content != NULL)
		memcpy(ElacPageGetData(page), content, used);
	else
		memset(ElacPageGetData(page), 0, used);
	elac_page_set_used(page, used);
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);
	return block;
}

void
elac_reservoir_create(Relation index, int dim)
{
	ReservoirRoot root = {0};
	ElacManifest *manifest = elac_manifest_read(index);
	ElacManifestChange *change;
	ElacBuilding building;
	bool		exists = manifest->reservoir_id != 0;
	uint64		id;
	BlockNumber block;

	pfree(manifest);
	if (exists)
		return;
	elac_building_begin(index, &building);
	id = elac_manifest_allocate_ids(index, 1);
	root.magic = ELAC_RESERVOIR_MAGIC;
	root.dim = dim;
	root.slots_per_page = ELAC_PAGE_DATA / reservoir_slot_bytes(dim);
	root.npages = Min((ELAC_RESERVOIR_SLOTS + root.slots_per_page - 1) / root.slots_per_page, ELAC_RESERVOIR_PAGES);
	root.slots = Min(root.npages * root.slots_per_page, ELAC_RESERVOIR_SLOTS);
	for (uint32 i = 0; i < root.npages; i++)
		root.blocks[i] = reservoir_write_page(index, id, i + 1, NULL,
											  root.slots_per_page * reservoir_slot_bytes(dim));
	block = reservoir_write_page(index, id, 0, &root, sizeof(root));
	change = elac_manifest_begin(index, &manifest);
	manifest->reservoir_id = id;
	manifest->reservoir_root = block;
	manifest->generation++;
	elac_manifest_commit(change);
	elac_building_end(index, &building);
}

/* ---- offering ---- */

/* What this process knows of a reservoir. */
typedef struct ReservoirPace
{
	Oid			index;
	uint64		id;
	double		skip;			/* queries to let pass */
	uint32		last;			/* checksum of the query kept last */
} ReservoirPace;

#define PACES 16

static ReservoirPace reservoir_paces[PACES];

/* Number of queries before the next that is kept, when each is with that probability. */
static double
reservoir_draw_skip(double probability)
{
	if (probability >= 1)
		return 0;
	return floor(log(1 - pg_prng_double(&pg_global_prng_state)) / log1p(-probability));
}

static double
reservoir_probability(const ReservoirRoot *root)
{
	return root->used < root->slots ? 1.0 : Min(1.0, (double) root->slots / root->seen);
}

/* A process that begins to query an index looks at the root once. */
static ReservoirPace *
reservoir_pace(Relation index, const ElacManifest *manifest)
{
	ReservoirPace *pace = &reservoir_paces[RelationGetRelid(index) % PACES];
	ReservoirRoot root;

	if (pace->index == RelationGetRelid(index) && pace->id == manifest->reservoir_id)
		return pace;
	pace->index = RelationGetRelid(index);
	pace->id = manifest->reservoir_id;
	pace->last = 0;
	pace->skip = INFINITY;
	if (reservoir_read_root(index, manifest, &root))
		pace->skip = reservoir_draw_skip(reservoir_probability(&root));
	return pace;
}

/* Puts a vector into a slot, root and slot in one record; both pages are locked. */
static void
reservoir_write(Relation index, Buffer root_buffer, const ReservoirRoot *root, Buffer buffer, uint32 offset,
				const float *vector)
{
	ElacPageLog log;
	Page		image;

	elac_pagelog_begin(&log, index);
	image = elac_pagelog_page(&log, root_buffer, false);
	memcpy(ElacPageGetData(image), root, sizeof(*root));
	image = elac_pagelog_page(&log, buffer, false);
	reservoir_encode(vector, root->dim, ElacPageGetData(image) + offset);
	elac_pagelog_commit(&log);
}

/* Keeps a query; the root is locked. */
static void
reservoir_keep(Relation index, const ElacManifest *manifest, Buffer root_buffer, ReservoirPace *pace, int dim,
			   const float *vector)
{
	ReservoirRoot root;
	uint32		slot;
	uint32		offset;
	Buffer		buffer;

	pace->skip = INFINITY;		/* unless everything is as it should be */
	if (!reservoir_get_root(index, manifest, BufferGetPage(root_buffer), &root) || root.dim != dim)
		return;
	slot = root.used < root.slots ? root.used : (uint32) pg_prng_uint64_range(&pg_global_prng_state, 0, root.slots - 1);
	offset = slot % root.slots_per_page * reservoir_slot_bytes(root.dim);
	buffer = ReadBuffer(index, root.blocks[slot / root.slots_per_page]);
	if (ConditionalLockBuffer(buffer))
	{
		Page		page = BufferGetPage(buffer);

		if (reservoir_is_page(manifest, page, 1 + slot / root.slots_per_page) &&
			ElacPageGetUsed(page) >= offset + reservoir_slot_bytes(root.dim))
		{
			root.seen = Min(SEEN_MAX, root.seen + (uint64) rint(1 / reservoir_probability(&root)));
			root.used = Max(root.used, slot + 1);
			reservoir_write(index, root_buffer, &root, buffer, offset, vector);
			pace->skip = reservoir_draw_skip(reservoir_probability(&root));
		}
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	else
		pace->skip = 0;
	ReleaseBuffer(buffer);
}

void
elac_reservoir_offer(Relation index, const ElacManifest *manifest, int dim, const float *vector)
{
	ReservoirPace *pace;
	Buffer		buffer;
	uint32		checksum;

	if (manifest->reservoir_id == 0 || IsInParallelMode() || RecoveryInProgress())
		return;
	pace = reservoir_pace(index, manifest);
	if (pace->skip > 0)
	{
		pace->skip -= 1;
		return;
	}
	/* the same query over and over tells nothing new */
	checksum = elac_crc32c(0, vector, (size_t) dim * sizeof(float));
	if (checksum == pace->last)
		return;
	buffer = ReadBuffer(index, manifest->reservoir_root);
	if (ConditionalLockBuffer(buffer))
	{
		pace->last = checksum;
		reservoir_keep(index, manifest, buffer, pace, dim, vector);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	ReleaseBuffer(buffer);
}

/* ---- reading ---- */

uint32
elac_reservoir_count(Relation index, const ElacManifest *manifest, uint64 *seen)
{
	ReservoirRoot root;

	*seen = 0;
	if (!reservoir_read_root(index, manifest, &root))
		return 0;
	*seen = root.seen;
	return root.used;
}

float *
elac_reservoir_read(Relation index, const ElacManifest *manifest, int dim, uint32 *n, uint64 *seen)
{
	ReservoirRoot root;
	float	   *vectors;

	*n = 0;
	*seen = 0;
	if (!reservoir_read_root(index, manifest, &root) || root.dim != dim || root.used == 0)
		return NULL;
	vectors = palloc_extended(mul_size(root.used, dim * sizeof(float)), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < root.npages; i++)
	{
		Buffer		buffer = ReadBuffer(index, root.blocks[i]);
		PGAlignedBlock copy;
		uint32		first = i * root.slots_per_page;

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		elac_page_check_owned(index, root.blocks[i], copy.data, ELAC_PAGE_SAMPLE, manifest->reservoir_id, i + 1, true);
		for (uint32 slot = first; slot < Min(first + root.slots_per_page, root.used); slot++)
			if (ElacPageGetUsed(copy.data) >= (slot - first + 1) * reservoir_slot_bytes(dim) &&
				reservoir_decode(ElacPageGetData(copy.data) + (slot - first) * reservoir_slot_bytes(dim), dim,
								 vectors + (Size) *n * dim))
				(*n)++;
	}
	*seen = root.seen;
	return vectors;
}

BlockNumber *
elac_reservoir_blocks(Relation index, const ElacManifest *manifest, uint32 *nblocks)
{
	Buffer		buffer;
	PGAlignedBlock copy;
	ReservoirRoot root;
	BlockNumber *blocks;
	const char *fault;

	*nblocks = 0;
	if (manifest->reservoir_id == 0)
		return NULL;
	buffer = ReadBuffer(index, manifest->reservoir_root);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	elac_page_check_owned(index, manifest->reservoir_root, copy.data, ELAC_PAGE_SAMPLE, manifest->reservoir_id, 0, true);
	memcpy(&root, ElacPageGetData(copy.data), sizeof(root));
	fault = ElacPageGetUsed(copy.data) != sizeof(root) ? "its root has another length"
		: reservoir_fault(&root, RelationGetNumberOfBlocks(index));
	if (fault != NULL)
		elac_corrupted(RelationGetRelationName(index), "The sample of queries: %s.", fault);

	blocks = palloc(sizeof(BlockNumber) * (root.npages + 1));
	blocks[(*nblocks)++] = manifest->reservoir_root;
	for (uint32 i = 0; i < root.npages; i++)
	{
		buffer = ReadBuffer(index, root.blocks[i]);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		elac_page_check_owned(index, root.blocks[i], copy.data, ELAC_PAGE_SAMPLE, manifest->reservoir_id, i + 1, true);
		blocks[(*nblocks)++] = root.blocks[i];
	}
	return blocks;
}
