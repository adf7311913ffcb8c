/*
 * index_cache.c
 *	  What this process keeps of indexes from query to query.
 *
 * Owns copies only; what they say about the index is made sure of at the
 * beginning of each query, after its snapshot was taken:
 *
 *	 kept                          is what the index says, because
 *	 manifest                      block 1 still has its generation
 *	 where a segment's pages lie,  the manifest names the segment; blob ids of an
 *	   its directory and lists     index (its metapage's UUID) are given out once
 *	 live bits                     the first live page still counts as many dead
 *	 row type, names               no invalidation message has come
 *
 * So nothing kept leads to a page that the present manifest does not name, and
 * what protects those is the query's snapshot, as ever (publish.c).
 *
 *	 entry (one an index) --> versions (one a generation: the present one, and
 *	 older ones that scans hold) --> segments (shared by versions) --> live bits
 *
 * Memory: an entry that nobody holds is dropped, the least recently used
 * first, while all of them take more than CACHE_IDLE_BYTES; the index used
 * last stays whatever its size.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "lsm/codebook_cache.h"
#include "lsm/index_cache.h"
#include "storage/metapage.h"

#define CACHE_IDLE_BYTES ((Size) 64 * 1024 * 1024)
#define CACHE_MEASURE_USES 64

struct ElacLiveBits
{
	MemoryContext context;
	int			holders;		/* scans, and the segment whose present bits these are */
	uint32		version;		/* elac_live_version() before they were read */
	uint32		ndead;
	ElacBitmap *bits;			/* NULL: nothing is dead */
};

typedef struct CacheSegment
{
	MemoryContext context;
	int			versions;		/* that have it */
	ElacSegmentBase *base;
	ElacSegmentRef ref;
	ElacCodebookEntry *codebook;	/* held; NULL without a vector column */
	ElacLiveBits *live;			/* as last read; NULL: never */
} CacheSegment;

typedef struct CacheEntry
{
	dlist_node	node;			/* in cache_entries, most recently used first */
	MemoryContext context;		/* all of it */
	uint8		uuid[16];
	Oid			relid;
	bool		stale;			/* an invalidation has come: not used again */
	bool		grown;			/* since nbytes was determined */
	uint32		uses;
	Size		nbytes;
	int			holders;		/* of its versions */
	ElacSchema	schema;
	ElacRowType *type;
	ElacIndexVersion *present;	/* NULL until read */
} CacheEntry;

struct ElacIndexVersion
{
	CacheEntry *entry;
	MemoryContext context;		/* below the entry's */
	int			holders;
	ElacManifest *manifest;
	CacheSegment **segments;	/* nsegments; NULL until opened */
};

static dlist_head cache_entries = DLIST_STATIC_INIT(cache_entries);
static Size cache_bytes = 0;	/* of all entries */
static bool cache_registered = false;
static uint64 cache_invalidations = 0;

/* ---- dropping ---- */

void
elac_index_cache_live_unhold(ElacLiveBits *live)
{
	Assert(live->holders > 0);
	if (--live->holders == 0)
		MemoryContextDelete(live->context);
}

static void
cache_release_segment(CacheSegment *segment)
{
	Assert(segment->versions > 0);
	if (--segment->versions > 0)
		return;
	if (segment->codebook != NULL)
		elac_codebook_unhold(segment->codebook);
	MemoryContextDelete(segment->context);
}

static void
cache_drop_version(ElacIndexVersion *version)
{
	Assert(version->holders == 0);
	for (uint32 i = 0; i < version->manifest->nsegments; i++)
		if (version->segments[i] != NULL)
			cache_release_segment(version->segments[i]);
	MemoryContextDelete(version->context);
}

static void
cache_drop_entry(CacheEntry *entry)
{
	Assert(entry->holders == 0);
	dlist_delete(&entry->node);
	cache_bytes -= entry->nbytes;
	if (entry->present != NULL)
		cache_drop_version(entry->present);
	MemoryContextDelete(entry->context);
}

static void
cache_measure(CacheEntry *entry)
{
	Size		nbytes = MemoryContextMemAllocated(entry->context, true);

	if (entry->present != NULL)
		for (uint32 i = 0; i < entry->present->manifest->nsegments; i++)
		{
			CacheSegment *segment = entry->present->segments[i];

			/* they all have the manifest's codebook */
			if (segment != NULL && segment->codebook != NULL)
			{
				nbytes += elac_codebook_bytes(segment->codebook);
				break;
			}
		}
	cache_bytes += nbytes - entry->nbytes;
	entry->nbytes = nbytes;
	entry->grown = false;
}

/* Makes the idle entries small enough together; the first one stays. */
static void
cache_trim(void)
{
	dlist_node *node = dlist_is_empty(&cache_entries) ? NULL : dlist_tail_node(&cache_entries);

	while (cache_bytes > CACHE_IDLE_BYTES && node != NULL && node != dlist_head_node(&cache_entries))
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, node);

		node = dlist_prev_node(&cache_entries, node);
		if (entry->holders == 0)
			cache_drop_entry(entry);
	}
}

/* ---- invalidation ---- */

/* The entry is not to be used again. */
static void
cache_invalidate(CacheEntry *entry)
{
	entry->stale = true;
	if (entry->holders == 0)
		cache_drop_entry(entry);
}

/* relid InvalidOid: all relations. */
static void
cache_relcache_callback(Datum arg, Oid relid)
{
	dlist_mutable_iter iter;

	cache_invalidations++;
	dlist_foreach_modify(iter, &cache_entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (!OidIsValid(relid) || entry->relid == relid)
			cache_invalidate(entry);
	}
}

/* A text search configuration or a schema: row types have looked them up by name. */
static void
cache_syscache_callback(Datum arg, int cacheid, uint32 hashvalue)
{
	dlist_mutable_iter iter;

	cache_invalidations++;
	dlist_foreach_modify(iter, &cache_entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->schema.ntext > 0)
			cache_invalidate(entry);
	}
}

static void
cache_register(void)
{
	if (cache_registered)
		return;
	CacheRegisterRelcacheCallback(cache_relcache_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(TSCONFIGOID, cache_syscache_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, cache_syscache_callback, (Datum) 0);
	cache_registered = true;
}

/* ---- the index ---- */

static CacheEntry *
cache_find(Relation index, const uint8 *uuid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &cache_entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->relid == RelationGetRelid(index) && !entry->stale &&
			memcmp(entry->uuid, uuid, sizeof(entry->uuid)) == 0)
			return entry;
	}
	return NULL;
}

/* Below the caller's context until it is complete: an error frees it. */
static CacheEntry *
cache_add(Relation index, const ElacMetapage *meta)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym index cache", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CacheEntry *entry = palloc0(sizeof(CacheEntry));
	uint64		invalidations = cache_invalidations;

	entry->context = context;
	entry->relid = RelationGetRelid(index);
	memcpy(entry->uuid, meta->uuid, sizeof(entry->uuid));
	entry->schema = meta->schema;
	entry->type = elac_row_type(index, &entry->schema);
	MemoryContextSwitchTo(old);
	/* looking up names may have let a message in */
	entry->stale = invalidations != cache_invalidations;
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->grown = true;
	dlist_push_head(&cache_entries, &entry->node);
	return entry;
}

/* A version with a copy of the manifest, which takes over what the one before knows of the same segments. */
static ElacIndexVersion *
cache_add_version(CacheEntry *entry, const ElacManifest *manifest)
{
	MemoryContext context = AllocSetContextCreate(entry->context, "elacsym index version", ALLOCSET_SMALL_SIZES);
	ElacIndexVersion *version = MemoryContextAllocZero(context, sizeof(ElacIndexVersion));
	ElacIndexVersion *before = entry->present;

	version->entry = entry;
	version->context = context;
	version->manifest = MemoryContextAlloc(context, sizeof(ElacManifest));
	*version->manifest = *manifest;
	version->segments = MemoryContextAllocZero(context, Max(manifest->nsegments, 1) * sizeof(CacheSegment *));
	for (uint32 i = 0; before != NULL && i < manifest->nsegments; i++)
		for (uint32 j = 0; j < before->manifest->nsegments; j++)
		{
			if (before->segments[j] == NULL ||
				memcmp(&before->segments[j]->ref, &manifest->segments[i], sizeof(ElacSegmentRef)) != 0)
				continue;
			version->segments[i] = before->segments[j];
			version->segments[i]->versions++;
		}
	entry->present = version;
	entry->grown = true;
	if (before != NULL && before->holders == 0)
		cache_drop_version(before);
	return version;
}

ElacIndexVersion *
elac_index_cache_hold(Relation index, ElacLane *lanes)
{
	const ElacMetapage *meta = elac_metapage_get(index);
	CacheEntry *entry;
	ElacIndexVersion *version;
	ElacManifest *manifest;

	cache_register();
	entry = cache_find(index, meta->uuid);
	if (entry == NULL)
		entry = cache_add(index, meta);
	else
		dlist_move_head(&cache_entries, &entry->node);

	/* no invalidation comes in while pages are read: the entry stays */
	version = entry->present;
	manifest = elac_manifest_read_newer(index, version != NULL ? version->manifest->generation : 0, lanes);
	if (manifest != NULL)
	{
		version = cache_add_version(entry, manifest);
		pfree(manifest);
	}
	version->holders++;
	entry->holders++;
	return version;
}

void
elac_index_cache_unhold(ElacIndexVersion *version)
{
	CacheEntry *entry = version->entry;

	Assert(version->holders > 0 && entry->holders > 0);
	entry->holders--;
	if (--version->holders == 0 && version != entry->present)
		cache_drop_version(version);
	if (entry->holders > 0)
		return;
	if (entry->stale)
	{
		cache_drop_entry(entry);
		return;
	}
	/* now and then for what readers add to themselves */
	if (entry->grown || ++entry->uses % CACHE_MEASURE_USES == 0)
	{
		cache_measure(entry);
		cache_trim();
	}
}

const ElacManifest *
elac_index_cache_manifest(const ElacIndexVersion *version)
{
	return version->manifest;
}

const ElacRowType *
elac_index_cache_type(const ElacIndexVersion *version)
{
	return version->entry->type;
}

/* ---- segments ---- */

/* Below the caller's context until it is complete: an error frees it. */
static CacheSegment *
cache_open_segment(ElacIndexVersion *version, Relation index, int i)
{
	CacheEntry *entry = version->entry;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym cached segment", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CacheSegment *segment = palloc0(sizeof(CacheSegment));

	segment->context = context;
	segment->versions = 1;
	segment->ref = version->manifest->segments[i];
	segment->base = elac_segment_base(index, &entry->schema, &segment->ref);
	MemoryContextSwitchTo(old);
	if (segment->ref.codebook != 0)
		segment->codebook = elac_codebook_hold(index, entry->uuid, &version->manifest->codebook);
	MemoryContextSetParent(context, entry->context);
	version->segments[i] = segment;
	entry->grown = true;
	return segment;
}

static CacheSegment *
cache_segment(ElacIndexVersion *version, Relation index, int i)
{
	CacheSegment *segment = version->segments[i];

	return segment != NULL ? segment : cache_open_segment(version, index, i);
}

ElacSegment *
elac_index_cache_segment(ElacIndexVersion *version, Relation index, int i)
{
	CacheSegment *segment = cache_segment(version, index, i);
	const ElacCodebook *codebook = segment->codebook != NULL ? elac_codebook_of(segment->codebook) : NULL;

	return elac_segment_open_base(segment->base, index, version->entry->type, codebook);
}

/* Reads the live bits; version is the counter read before them. */
static ElacLiveBits *
cache_read_live(CacheSegment *segment, Relation index, uint32 version)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym live bits", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacLiveBits *live = palloc0(sizeof(ElacLiveBits));

	live->context = context;
	live->holders = 1;
	live->version = version;
	if (version > 0)
		live->bits = elac_live_read(index, &segment->ref, &live->ndead);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, segment->context);
	return live;
}

ElacLiveBits *
elac_index_cache_live(ElacIndexVersion *version, Relation index, int i)
{
	CacheSegment *segment = cache_segment(version, index, i);
	uint32		counter = elac_live_version(index, &segment->ref);

	if (segment->live == NULL || segment->live->version != counter)
	{
		ElacLiveBits *live = cache_read_live(segment, index, counter);

		if (segment->live != NULL)
			elac_index_cache_live_unhold(segment->live);
		segment->live = live;
		version->entry->grown = true;
	}
	segment->live->holders++;
	return segment->live;
}

const ElacBitmap *
elac_index_cache_bitmap(const ElacLiveBits *live, uint32 *ndead)
{
	*ndead = live->ndead;
	return live->bits;
}
