/*
 * cache.c
 *	  The session's cache of pages of remote objects.
 *
 * Owns the slots, their bytes and the record of who pins them.  A slot stays
 * where it is for as long as it is pinned.  A pin belongs to the resource
 * owner that was current when it was taken and ends with it, so that an error
 * leaves none behind; nobody may use a slot after that.  What a page contains
 * is not looked at here: whoever fills a slot has checked the bytes.
 *
 * Eviction is S3-FIFO (Yang et al., SOSP 2023).  A page enters the small
 * queue, a tenth of the cache, where pages that are read once pass through; one that is
 * read again there moves to the main queue, as does a page that returns while
 * its name is still in the ghost queue (names of pages lately dropped from
 * the small one).  The main queue is a clock of up to three rounds.
 *
 *	  insert --> SMALL --read again--> MAIN <--returns-- GHOST
 *	               |                    |                  ^
 *	               +--read once------> out ---------------+ (from SMALL)
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/checksum.h"
#include "guc.h"
#include "storage/cache.h"
#include "storage/page.h"

#define ELAC_CACHE_FREQUENCY_MAX 3

/* What a page costs: its bytes as the allocator rounds them, and its slot. */
#define ELAC_CACHE_PAGE_BYTES ((uint64) BLCKSZ + sizeof(ElacCacheSlot))

typedef enum ElacCacheQueue
{
	ELAC_CACHE_SMALL,
	ELAC_CACHE_MAIN,
	ELAC_CACHE_GHOST,			/* a name without bytes */
	ELAC_CACHE_QUEUES
} ElacCacheQueue;

struct ElacCacheSlot
{
	dlist_node	queue_node;		/* head of a queue is its youngest */
	struct ElacCacheSlot *bucket_next;
	uint8		object[16];
	uint32		page;
	uint8		queue;			/* ElacCacheQueue */
	uint8		frequency;		/* reads since it came in, at most ELAC_CACHE_FREQUENCY_MAX */
	dlist_head	pins;			/* of ElacCachePin */
	uint8	   *data;			/* ELAC_PAGE_DATA bytes; NULL in the ghost queue */
};

/* Pins of one slot that one resource owner holds. */
typedef struct ElacCachePin
{
	dlist_node	slot_node;
	dlist_node	all_node;
	ElacCacheSlot *slot;
	ResourceOwner owner;
	uint32		count;
} ElacCachePin;

static MemoryContext cache_context = NULL;
static ElacCacheSlot **cache_buckets = NULL;
static uint32 cache_nbuckets = 0;	/* a power of two */
static dlist_head cache_queues[ELAC_CACHE_QUEUES];
static uint64 cache_lengths[ELAC_CACHE_QUEUES];
static dlist_head cache_pins;
static ElacCacheCounters cache_counts;

static uint64
elac_cache_limit(void)
{
	return (uint64) elac_guc_session_cache_kb * 1024;
}

static uint64
elac_cache_used(void)
{
	return (cache_lengths[ELAC_CACHE_SMALL] + cache_lengths[ELAC_CACHE_MAIN]) * ELAC_CACHE_PAGE_BYTES;
}

/* ---- the hash table: chained buckets ---- */

static uint32
elac_cache_hash(const uint8 *object, uint32 page)
{
	uint32		hash = elac_crc32c(page, object, 16);

	/* CRCs of neighbouring pages differ in few bits: spread them. */
	hash ^= hash >> 16;
	hash *= 0x85EBCA6B;
	hash ^= hash >> 13;
	return hash;
}

static ElacCacheSlot **
elac_cache_bucket(const uint8 *object, uint32 page)
{
	return &cache_buckets[elac_cache_hash(object, page) & (cache_nbuckets - 1)];
}

static void
elac_cache_grow_buckets(void)
{
	ElacCacheSlot **old = cache_buckets;
	uint32		nold = cache_nbuckets;
	uint32		nnew = nold == 0 ? 1024 : nold * 2;

	cache_buckets = MemoryContextAllocExtended(cache_context, mul_size(nnew, sizeof(ElacCacheSlot *)),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cache_nbuckets = nnew;
	for (uint32 i = 0; i < nold; i++)
	{
		while (old[i] != NULL)
		{
			ElacCacheSlot *slot = old[i];
			ElacCacheSlot **bucket = elac_cache_bucket(slot->object, slot->page);

			old[i] = slot->bucket_next;
			slot->bucket_next = *bucket;
			*bucket = slot;
		}
	}
	if (old != NULL)
		pfree(old);
}

static ElacCacheSlot *
elac_cache_find(const uint8 *object, uint32 page)
{
	ElacCacheSlot *slot;

	if (cache_nbuckets == 0)
		return NULL;
	slot = *elac_cache_bucket(object, page);
	while (slot != NULL && (slot->page != page || memcmp(slot->object, object, 16) != 0))
		slot = slot->bucket_next;
	return slot;
}

/* ---- the queues ---- */

static void
elac_cache_enqueue(ElacCacheSlot *slot, ElacCacheQueue queue)
{
	slot->queue = (uint8) queue;
	dlist_push_head(&cache_queues[queue], &slot->queue_node);
	cache_lengths[queue]++;
}

static void
elac_cache_dequeue(ElacCacheSlot *slot)
{
	dlist_delete(&slot->queue_node);
	cache_lengths[slot->queue]--;
}

static ElacCacheSlot *
elac_cache_oldest(ElacCacheQueue queue)
{
	return dlist_container(ElacCacheSlot, queue_node, dlist_tail_node(&cache_queues[queue]));
}

/* Forgets slot altogether. */
static void
elac_cache_remove(ElacCacheSlot *slot)
{
	ElacCacheSlot **link = elac_cache_bucket(slot->object, slot->page);

	Assert(dlist_is_empty(&slot->pins));
	while (*link != slot)
		link = &(*link)->bucket_next;
	*link = slot->bucket_next;
	elac_cache_dequeue(slot);
	if (slot->data != NULL)
		pfree(slot->data);
	pfree(slot);
}

/* Drops the bytes and keeps the name. */
static void
elac_cache_make_ghost(ElacCacheSlot *slot)
{
	uint64		names_max = Max(cache_lengths[ELAC_CACHE_MAIN], elac_cache_limit() / ELAC_CACHE_PAGE_BYTES);

	pfree(slot->data);
	slot->data = NULL;
	elac_cache_dequeue(slot);
	elac_cache_enqueue(slot, ELAC_CACHE_GHOST);
	while (cache_lengths[ELAC_CACHE_GHOST] > names_max)
		elac_cache_remove(elac_cache_oldest(ELAC_CACHE_GHOST));
}

/*
 * Evicts one page of the small queue, or moves pages read more than once to
 * the main one.  False when the queue has no page that may go.
 */
static bool
elac_cache_evict_small(void)
{
	for (uint64 tries = cache_lengths[ELAC_CACHE_SMALL]; tries > 0; tries--)
	{
		ElacCacheSlot *slot = elac_cache_oldest(ELAC_CACHE_SMALL);

		if (slot->frequency > 1)
		{
			slot->frequency = 0;
			elac_cache_dequeue(slot);
			elac_cache_enqueue(slot, ELAC_CACHE_MAIN);
		}
		else if (dlist_is_empty(&slot->pins))
		{
			elac_cache_make_ghost(slot);
			return true;
		}
		else
			dlist_move_head(&cache_queues[ELAC_CACHE_SMALL], &slot->queue_node);
	}
	return false;
}

/* Evicts one page of the main queue; false when every one is pinned. */
static bool
elac_cache_evict_main(void)
{
	uint64		tries = cache_lengths[ELAC_CACHE_MAIN] * (ELAC_CACHE_FREQUENCY_MAX + 1);

	for (; tries > 0; tries--)
	{
		ElacCacheSlot *slot = elac_cache_oldest(ELAC_CACHE_MAIN);

		if (slot->frequency == 0 && dlist_is_empty(&slot->pins))
		{
			elac_cache_remove(slot);
			return true;
		}
		if (slot->frequency > 0)
			slot->frequency--;
		dlist_move_head(&cache_queues[ELAC_CACHE_MAIN], &slot->queue_node);
	}
	return false;
}

/* Evicts until one more page fits, or only pinned pages are left. */
static void
elac_cache_make_room(void)
{
	uint64		limit = elac_cache_limit();

	while (elac_cache_used() + ELAC_CACHE_PAGE_BYTES > limit)
	{
		bool		small_first = cache_lengths[ELAC_CACHE_SMALL] * ELAC_CACHE_PAGE_BYTES >= limit / 10;
		bool		evicted;

		evicted = small_first ? elac_cache_evict_small() : elac_cache_evict_main();
		if (!evicted)
			evicted = small_first ? elac_cache_evict_main() : elac_cache_evict_small();
		if (!evicted)
			break;
		cache_counts.evictions++;
	}
}

/* ---- pins ---- */

static void
elac_cache_pin(ElacCacheSlot *slot)
{
	ElacCachePin *pin;
	dlist_iter	iter;

	dlist_foreach(iter, &slot->pins)
	{
		pin = dlist_container(ElacCachePin, slot_node, iter.cur);
		if (pin->owner == CurrentResourceOwner)
		{
			pin->count++;
			return;
		}
	}
	pin = MemoryContextAlloc(cache_context, sizeof(ElacCachePin));
	pin->slot = slot;
	pin->owner = CurrentResourceOwner;
	pin->count = 1;
	dlist_push_head(&slot->pins, &pin->slot_node);
	dlist_push_head(&cache_pins, &pin->all_node);
}

static void
elac_cache_forget_pin(ElacCachePin *pin)
{
	dlist_delete(&pin->slot_node);
	dlist_delete(&pin->all_node);
	pfree(pin);
}

/* Ends the pins of a resource owner; called while it is released. */
static void
elac_cache_release_owner(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	dlist_mutable_iter iter;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS || cache_context == NULL)
		return;
	dlist_foreach_modify(iter, &cache_pins)
	{
		ElacCachePin *pin = dlist_container(ElacCachePin, all_node, iter.cur);

		if (pin->owner == CurrentResourceOwner)
			elac_cache_forget_pin(pin);
	}
}

/* ---- what others call ---- */

static void
elac_cache_prepare(void)
{
	if (cache_context != NULL)
		return;
	cache_context = AllocSetContextCreate(TopMemoryContext, "elacsym session cache", ALLOCSET_DEFAULT_SIZES);
	for (int queue = 0; queue < ELAC_CACHE_QUEUES; queue++)
		dlist_init(&cache_queues[queue]);
	dlist_init(&cache_pins);
}

ElacCacheSlot *
elac_cache_lookup(const uint8 *object, uint32 page)
{
	ElacCacheSlot *slot = elac_cache_find(object, page);

	if (slot == NULL || slot->queue == ELAC_CACHE_GHOST)
	{
		cache_counts.misses++;
		return NULL;
	}
	elac_cache_pin(slot);
	if (slot->frequency < ELAC_CACHE_FREQUENCY_MAX)
		slot->frequency++;
	cache_counts.hits++;
	return slot;
}

bool
elac_cache_contains(const uint8 *object, uint32 page)
{
	ElacCacheSlot *slot = elac_cache_find(object, page);

	return slot != NULL && slot->queue != ELAC_CACHE_GHOST;
}

ElacCacheSlot *
elac_cache_insert(const uint8 *object, uint32 page)
{
	ElacCacheQueue queue = ELAC_CACHE_SMALL;
	ElacCacheSlot *slot;
	ElacCacheSlot **bucket;

	elac_cache_prepare();
	slot = elac_cache_find(object, page);
	if (slot != NULL && slot->queue == ELAC_CACHE_GHOST)
	{
		queue = ELAC_CACHE_MAIN;
		elac_cache_remove(slot);
		slot = NULL;
	}
	if (slot != NULL)
		elog(ERROR, "page %u is in the session cache already", page);

	elac_cache_make_room();
	if (cache_lengths[ELAC_CACHE_SMALL] + cache_lengths[ELAC_CACHE_MAIN] +
		cache_lengths[ELAC_CACHE_GHOST] >= cache_nbuckets)
		elac_cache_grow_buckets();

	slot = MemoryContextAllocZero(cache_context, sizeof(ElacCacheSlot));
	slot->data = MemoryContextAlloc(cache_context, ELAC_PAGE_DATA);
	memcpy(slot->object, object, 16);
	slot->page = page;
	dlist_init(&slot->pins);

	/* The last step that can fail: what is entered below will be filled. */
	elac_cache_pin(slot);
	bucket = elac_cache_bucket(object, page);
	slot->bucket_next = *bucket;
	*bucket = slot;
	elac_cache_enqueue(slot, queue);
	return slot;
}

uint8 *
elac_cache_data(ElacCacheSlot *slot)
{
	return slot->data;
}

void
elac_cache_unpin(ElacCacheSlot *slot)
{
	ElacCachePin *found = NULL;
	dlist_iter	iter;

	/* Usually the current owner took it; whoever closes in its stead may not be. */
	dlist_foreach(iter, &slot->pins)
	{
		ElacCachePin *pin = dlist_container(ElacCachePin, slot_node, iter.cur);

		if (found == NULL || pin->owner == CurrentResourceOwner)
			found = pin;
	}
	if (found == NULL)
		elog(ERROR, "a page of the session cache was unpinned twice");
	if (--found->count == 0)
		elac_cache_forget_pin(found);
}

void
elac_cache_drop(ElacCacheSlot *slot)
{
	elac_cache_unpin(slot);
	if (dlist_is_empty(&slot->pins))
		elac_cache_remove(slot);
}

void
elac_cache_clear(void)
{
	if (cache_context == NULL)
		return;
	for (int queue = 0; queue < ELAC_CACHE_QUEUES; queue++)
	{
		dlist_mutable_iter iter;

		dlist_foreach_modify(iter, &cache_queues[queue])
		{
			ElacCacheSlot *slot = dlist_container(ElacCacheSlot, queue_node, iter.cur);

			if (dlist_is_empty(&slot->pins))
				elac_cache_remove(slot);
		}
	}
}

void
elac_cache_counters(ElacCacheCounters *counters)
{
	*counters = cache_counts;
	counters->bytes_used = elac_cache_used();
	counters->bytes_limit = elac_cache_limit();
	counters->pages = cache_lengths[ELAC_CACHE_SMALL] + cache_lengths[ELAC_CACHE_MAIN];
}

void
elac_cache_init(void)
{
	RegisterResourceReleaseCallback(elac_cache_release_owner, NULL);
}
