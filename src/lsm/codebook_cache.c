/*
 * codebook_cache.c
 *	  Codebooks of this process.
 *
 * A codebook is named by the UUID of its index's build and its blob id; both
 * never come back with other content, so nothing is ever invalidated: a
 * codebook that is no longer used is the one evicted when another one comes.
 * Of those that nobody holds, the one used last stays, and others as long as
 * they are CACHE_IDLE_MAX at most and take CACHE_IDLE_BYTES at most.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "lsm/codebook_cache.h"

#define CACHE_IDLE_MAX 8
#define CACHE_IDLE_BYTES ((Size) 16 * 1024 * 1024)

struct ElacCodebookEntry
{
	dlist_node	node;			/* in cache_entries, most recently used first */
	uint8		uuid[16];
	uint64		id;
	int			holders;
	Size		nbytes;
	MemoryContext context;		/* holds the entry and the codebook */
	ElacCodebook *codebook;
};

static dlist_head cache_entries = DLIST_STATIC_INIT(cache_entries);

static void
cache_evict(void)
{
	int			idle = 0;
	Size		nbytes = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &cache_entries)
	{
		ElacCodebookEntry *entry = dlist_container(ElacCodebookEntry, node, iter.cur);

		if (entry->holders > 0)
			continue;
		nbytes += entry->nbytes;
		if (++idle == 1 || (idle <= CACHE_IDLE_MAX && nbytes <= CACHE_IDLE_BYTES))
			continue;
		dlist_delete(&entry->node);
		MemoryContextDelete(entry->context);
	}
}

ElacCodebookEntry *
elac_codebook_hold(Relation index, const uint8 *uuid, const ElacBlobRef *ref)
{
	dlist_iter	iter;
	ElacCodebookEntry *entry;
	ElacBlobReader *reader;
	MemoryContext context;
	MemoryContext old;

	dlist_foreach(iter, &cache_entries)
	{
		entry = dlist_container(ElacCodebookEntry, node, iter.cur);
		if (entry->id == ref->id && memcmp(entry->uuid, uuid, sizeof(entry->uuid)) == 0)
		{
			entry->holders++;
			dlist_move_head(&cache_entries, &entry->node);
			return entry;
		}
	}

	/* Below the caller's context until it is complete: an error frees it. */
	context = AllocSetContextCreate(CurrentMemoryContext, "elacsym codebook", ALLOCSET_DEFAULT_SIZES);
	reader = elac_blob_open(index, ref, NULL, NULL);
	old = MemoryContextSwitchTo(context);
	entry = palloc0(sizeof(ElacCodebookEntry));
	entry->codebook = elac_codebook_read(reader);
	MemoryContextSwitchTo(old);
	elac_blob_close(reader);
	elac_codebook_set_id(entry->codebook, ref->id);
	memcpy(entry->uuid, uuid, sizeof(entry->uuid));
	entry->id = ref->id;
	entry->context = context;
	entry->holders = 1;
	entry->nbytes = MemoryContextMemAllocated(context, true);
	MemoryContextSetParent(context, CacheMemoryContext);
	dlist_push_head(&cache_entries, &entry->node);
	return entry;
}

const ElacCodebook *
elac_codebook_of(const ElacCodebookEntry *entry)
{
	return entry->codebook;
}

Size
elac_codebook_bytes(const ElacCodebookEntry *entry)
{
	return entry->nbytes;
}

void
elac_codebook_unhold(ElacCodebookEntry *entry)
{
	Assert(entry->holders > 0);
	entry->holders--;
	cache_evict();
}
