/*
 * test_storage_cache.c
 *	  The session cache: limit, pins, resource owners, order of eviction, and
 *	  that a page never has another page's bytes.
 */
#include "pgshim.h"

#include "utils/resowner.h"

#include "base/rng.h"
#include "guc.h"
#include "storage/cache.h"
#include "storage/page.h"

/* The server's, as far as the cache looks at it. */
ResourceOwner CurrentResourceOwner = NULL;
static ResourceReleaseCallback release_callback = NULL;

void
RegisterResourceReleaseCallback(ResourceReleaseCallback callback, void *arg)
{
	release_callback = callback;
}

static ResourceOwner
make_owner(uintptr_t number)
{
	return (ResourceOwner) (number * 64);
}

static void
release_owner(ResourceOwner owner)
{
	ResourceOwner save = CurrentResourceOwner;

	CurrentResourceOwner = owner;
	for (int phase = RESOURCE_RELEASE_BEFORE_LOCKS; phase <= RESOURCE_RELEASE_AFTER_LOCKS; phase++)
		release_callback((ResourceReleasePhase) phase, false, true, NULL);
	CurrentResourceOwner = save;
}

static uint8 object_a[16] = "object a";
static uint8 object_b[16] = "object b";

static uint64
stamp(const uint8 *object, uint32 page)
{
	return ((uint64) object[7] << 32) | page;
}

/* Reads a page through the cache as a reader would; true when it was near. */
static bool
touch(const uint8 *object, uint32 page)
{
	ElacCacheSlot *slot = elac_cache_lookup(object, page);
	uint64		wanted = stamp(object, page);
	bool		near = slot != NULL;

	if (!near)
	{
		slot = elac_cache_insert(object, page);
		memset(elac_cache_data(slot), 0, ELAC_PAGE_DATA);
		memcpy(elac_cache_data(slot) + ELAC_PAGE_DATA - 8, &wanted, 8);
	}
	if (memcmp(elac_cache_data(slot) + ELAC_PAGE_DATA - 8, &wanted, 8) != 0)
		CHECK(!"a page has its own bytes");
	elac_cache_unpin(slot);
	return near;
}

static void
test_limit(void)
{
	ElacCacheCounters counters;
	int			near = 0;

	elac_guc_session_cache_kb = 1024;
	for (uint32 page = 0; page < 1000; page++)
	{
		CHECK(!touch(object_a, page));
		elac_cache_counters(&counters);
		if (counters.bytes_used > counters.bytes_limit)
			CHECK(!"within the limit");
	}
	CHECK_EQ(counters.bytes_limit, 1024 * 1024);
	CHECK(counters.bytes_used > 1024 * 1024 - 16 * 1024);
	CHECK_EQ(counters.evictions, 1000 - counters.pages);
	for (uint32 page = 0; page < 1000; page++)
		near += elac_cache_contains(object_a, page);
	CHECK_EQ(near, counters.pages);
	CHECK(!elac_cache_contains(object_b, 0));

	/* A lower limit counts from the next insert on. */
	elac_guc_session_cache_kb = 512;
	touch(object_b, 0);
	elac_cache_counters(&counters);
	CHECK(counters.bytes_used <= 512 * 1024);
	elac_guc_session_cache_kb = 1024;

	elac_cache_clear();
	elac_cache_counters(&counters);
	CHECK_EQ(counters.pages, 0);
	CHECK_EQ(counters.bytes_used, 0);
}

/* What is read again and again outlives what is read once. */
static void
test_scan_resistance(void)
{
	int			near = 0;

	elac_cache_clear();
	for (int round = 0; round < 4; round++)
		for (uint32 page = 0; page < 50; page++)
			touch(object_a, page);
	for (uint32 page = 0; page < 2000; page++)
		touch(object_b, page);
	for (uint32 page = 0; page < 50; page++)
		near += elac_cache_contains(object_a, page);
	CHECK_EQ(near, 50);

	/* But not for ever: other pages that are read often take their place. */
	for (int round = 0; round < 12; round++)
		for (uint32 page = 5000; page < 5100; page++)
			touch(object_b, page);
	near = 0;
	for (uint32 page = 5000; page < 5100; page++)
		near += elac_cache_contains(object_b, page);
	CHECK(near >= 90);
}

/* A page that comes back soon after it was dropped stays longer. */
static void
test_ghost(void)
{
	elac_cache_clear();
	for (uint32 page = 0; page < 200; page++)
		touch(object_a, page);
	CHECK(!elac_cache_contains(object_a, 20));
	touch(object_a, 20);
	for (uint32 page = 1000; page < 1100; page++)
		touch(object_a, page);
	CHECK(elac_cache_contains(object_a, 20));
}

static void
test_pins(void)
{
	ElacCacheSlot *slots[400];
	ElacCacheSlot *again;
	ElacCacheCounters counters;
	int			near = 0;

	elac_cache_clear();
	CurrentResourceOwner = make_owner(1);
	for (uint32 page = 0; page < 400; page++)
	{
		slots[page] = elac_cache_insert(object_a, page);
		memset(elac_cache_data(slots[page]), (int) page, ELAC_PAGE_DATA);
	}
	elac_cache_counters(&counters);
	CHECK_EQ(counters.pages, 400);
	for (uint32 page = 0; page < 400; page++)
	{
		again = elac_cache_lookup(object_a, page);
		CHECK(again == slots[page]);
		CHECK_EQ(elac_cache_data(again)[17], (uint8) page);
		elac_cache_unpin(again);
	}
	CHECK_RAISES(elac_cache_insert(object_a, 7), ERRCODE_INTERNAL_ERROR);

	/* Let go, and the next insert brings the cache back to its limit. */
	for (uint32 page = 0; page < 400; page++)
		if (page != 5)
			elac_cache_unpin(slots[page]);
	touch(object_b, 1);
	elac_cache_counters(&counters);
	CHECK(counters.bytes_used <= counters.bytes_limit);
	elac_cache_clear();
	CHECK(elac_cache_contains(object_a, 5));
	for (uint32 page = 0; page < 400; page++)
		near += elac_cache_contains(object_a, page);
	CHECK_EQ(near, 1);
	elac_cache_unpin(slots[5]);
	CHECK_RAISES(elac_cache_unpin(slots[5]), ERRCODE_INTERNAL_ERROR);

	/* A page whose fetch failed is forgotten. */
	elac_cache_drop(elac_cache_insert(object_b, 99));
	CHECK(!elac_cache_contains(object_b, 99));
	CurrentResourceOwner = NULL;
}

/* An error releases its resource owner, and with it that owner's pins alone. */
static void
test_owners(void)
{
	ElacCacheSlot *ours;
	ElacCacheSlot *shared;

	elac_cache_clear();
	CurrentResourceOwner = make_owner(1);
	ours = elac_cache_insert(object_a, 1);
	shared = elac_cache_lookup(object_a, 1);
	CHECK(ours == shared);
	elac_cache_unpin(elac_cache_insert(object_a, 2));
	CHECK(elac_cache_lookup(object_a, 2) != NULL);
	CurrentResourceOwner = make_owner(2);
	CHECK(elac_cache_lookup(object_a, 2) != NULL);
	CHECK(elac_cache_insert(object_a, 3) != NULL);

	release_owner(make_owner(1));
	elac_cache_clear();
	CHECK(!elac_cache_contains(object_a, 1));
	CHECK(elac_cache_contains(object_a, 2));
	CHECK(elac_cache_contains(object_a, 3));
	release_owner(make_owner(2));
	elac_cache_clear();
	CHECK(!elac_cache_contains(object_a, 2));
	CHECK(!elac_cache_contains(object_a, 3));
	CurrentResourceOwner = NULL;
}

/* Out of memory at any allocation leaves a cache that works. */
static void
test_no_memory(void)
{
	for (long countdown = 1; countdown < 8; countdown++)
	{
		bool		raised;

		elac_cache_clear();
		pgshim_fail_alloc_after(countdown);
		raised = PGSHIM_RAISES(
		{
			touch(object_a, 77);
			touch(object_b, 78);
		});
		pgshim_fail_alloc_after(0);
		CHECK(raised == (countdown <= 6));
		CHECK(touch(object_a, 77) || raised);
		CHECK(touch(object_a, 77));
	}
}

/* Random reads, pins and clearings: contents are always right. */
static void
test_random(void)
{
	ElacCacheSlot *held[64] = {NULL};
	uint32		pages[64] = {0};
	ElacRng		rng;
	ElacCacheCounters before;
	ElacCacheCounters counters;

	elac_rng_seed(&rng, 1);
	elac_cache_counters(&before);
	elac_cache_clear();
	for (int step = 0; step < 200000; step++)
	{
		uint32		page = (uint32) (elac_rng_below(&rng, 30) * elac_rng_below(&rng, 30));
		int			at = (int) elac_rng_below(&rng, 64);

		touch(step & 1 ? object_a : object_b, page);
		if (step % 7 == 0)
		{
			if (held[at] != NULL)
			{
				uint64		wanted = stamp(object_a, pages[at]);

				if (memcmp(elac_cache_data(held[at]) + ELAC_PAGE_DATA - 8, &wanted, 8) != 0)
					CHECK(!"a pinned page has its own bytes");
				elac_cache_unpin(held[at]);
			}
			touch(object_a, page);
			held[at] = elac_cache_lookup(object_a, page);
			pages[at] = page;
			CHECK(held[at] != NULL);
		}
		if (step % 50000 == 49999)
			elac_cache_clear();
	}
	for (int at = 0; at < 64; at++)
		if (held[at] != NULL)
			elac_cache_unpin(held[at]);
	elac_cache_counters(&counters);
	CHECK(counters.hits - before.hits > 60000);
	elac_cache_clear();
}

int
main(void)
{
	pgshim_init();
	elac_cache_init();
	CHECK(elac_cache_lookup(object_a, 0) == NULL);
	CHECK(!elac_cache_contains(object_a, 0));
	elac_cache_clear();
	test_limit();
	test_scan_resistance();
	test_ghost();
	test_pins();
	test_owners();
	test_no_memory();
	test_random();
	return check_done();
}
