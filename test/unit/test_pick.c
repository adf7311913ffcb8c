/*
 * test_pick.c
 *	  The merge policy over simulated lives of indexes: it ends, it is
 *	  deterministic, it keeps few segments, writes rows seldom and never asks
 *	  for what cannot be.
 */
#include "pgshim.h"

#include <math.h>

#include "check.h"

#include "base/rng.h"

/* The policy alone: the rest of lsm needs a server. */
#include "lsm/pick.c"

#define MANY 4096

typedef struct Life
{
	int			nsegments;
	ElacPickSegment segments[MANY];
	uint64		rewritten;		/* rows written by merges */
	uint64		merges;
} Life;

static uint64
live_of(const ElacPickSegment *segment)
{
	return segment->ndocs - segment->ndead;
}

static uint64
life_rows(const Life *life)
{
	uint64		rows = 0;

	for (int i = 0; i < life->nsegments; i++)
		rows += live_of(&life->segments[i]);
	return rows;
}

static void
life_add(Life *life, uint32 ndocs)
{
	ElacPickSegment *segment = &life->segments[life->nsegments++];

	segment->ndocs = ndocs;
	segment->ndead = 0;
	segment->level = elac_pick_level(ndocs);
}

/* Merges until the policy is content. */
static void
life_merge(Life *life)
{
	int			rounds = 0;

	for (;;)
	{
		int			chosen[MANY];
		int			again[MANY];
		uint32		level = 99;
		uint32		level_again = 98;
		uint64		rows = 0;
		int			n = elac_pick_merge(life->segments, life->nsegments, chosen, &level);
		int			kept = 0;
		int			next = 0;

		CHECK_EQ(elac_pick_merge(life->segments, life->nsegments, again, &level_again), n);
		if (n == 0)
			return;
		CHECK(level == level_again && memcmp(chosen, again, n * sizeof(int)) == 0);
		CHECK(n <= life->nsegments);
		for (int i = 0; i < n; i++)
		{
			CHECK(chosen[i] >= 0 && chosen[i] < life->nsegments && (i == 0 || chosen[i] > chosen[i - 1]));
			rows += live_of(&life->segments[chosen[i]]);
		}
		if (n == 1)
			CHECK(life->segments[chosen[0]].ndead > 0);
		CHECK(rows <= ELAC_SEGMENT_DOCS_MAX);
		CHECK_EQ(level, elac_pick_level(rows));
		for (int i = 0; i < life->nsegments; i++)
		{
			if (next < n && chosen[next] == i)
				next++;
			else
				life->segments[kept++] = life->segments[i];
		}
		life->nsegments = kept;
		if (rows > 0)
			life_add(life, (uint32) rows);
		life->rewritten += rows;
		life->merges++;
		if (++rounds > MANY)
		{
			CHECK(!"the policy does not come to an end");
			return;
		}
	}
}

static int
segments_limit(uint64 rows)
{
	return 3 * (1 + elac_pick_level(rows));
}

static void
test_levels(void)
{
	CHECK_EQ(elac_pick_level(0), 0);
	CHECK_EQ(elac_pick_level(63), 0);
	CHECK_EQ(elac_pick_level(64), 1);
	CHECK_EQ(elac_pick_level(255), 1);
	CHECK_EQ(elac_pick_level(256), 2);
	CHECK(segments_limit(ELAC_SEGMENT_DOCS_MAX) < ELAC_MAX_SEGMENTS - 8);
	CHECK(elac_pick_level(ELAC_SEGMENT_DOCS_MAX) < PICK_LEVELS);
	CHECK(elac_pick_level(UINT64_MAX) < PICK_LEVELS);
	for (uint64 n = 1; n < 1000000; n += 997)
		CHECK(elac_pick_level(n) <= elac_pick_level(n + 997));
}

static void
test_edges(void)
{
	ElacPickSegment segments[8] = {0};
	int			chosen[8];
	uint32		level;

	CHECK_EQ(elac_pick_merge(NULL, 0, chosen, &level), 0);
	segments[0].ndocs = 1000;
	CHECK_EQ(elac_pick_merge(segments, 1, chosen, &level), 0);
	segments[0].ndead = 300;
	CHECK_EQ(elac_pick_merge(segments, 1, chosen, &level), 0);
	segments[0].ndead = 301;
	CHECK_EQ(elac_pick_merge(segments, 1, chosen, &level), 1);
	CHECK_EQ(chosen[0], 0);
	segments[0].ndead = 1000;
	CHECK_EQ(elac_pick_merge(segments, 1, chosen, &level), 1);
	CHECK_EQ(level, 0);

	/* three of a level stay, four go */
	memset(segments, 0, sizeof(segments));
	for (int i = 0; i < 4; i++)
		segments[i].ndocs = 1500 + i;
	CHECK_EQ(elac_pick_merge(segments, 3, chosen, &level), 0);
	CHECK_EQ(elac_pick_merge(segments, 4, chosen, &level), 4);
	CHECK_EQ(level, elac_pick_level(6006));

	/* segments too large to be merged are left alone, rewritten when half dead */
	for (int i = 0; i < 5; i++)
	{
		segments[i].ndocs = ELAC_SEGMENT_DOCS_MAX;
		segments[i].ndead = 0;
	}
	CHECK_EQ(elac_pick_merge(segments, 5, chosen, &level), 0);
	segments[3].ndead = ELAC_SEGMENT_DOCS_MAX / 2;
	CHECK_EQ(elac_pick_merge(segments, 5, chosen, &level), 1);
	CHECK_EQ(chosen[0], 3);

	/* small ones come before large ones */
	for (int i = 0; i < 4; i++)
	{
		segments[i].ndocs = 100000;
		segments[i].ndead = 0;
		segments[4 + i].ndocs = 10;
		segments[4 + i].ndead = 0;
	}
	CHECK_EQ(elac_pick_merge(segments, 8, chosen, &level), 4);
	CHECK_EQ(chosen[0], 4);
	CHECK_EQ(chosen[3], 7);
}

/* Where the result would be the fourth of its level, that level goes in as well. */
static void
test_cascade(void)
{
	ElacPickSegment segments[16] = {0};
	int			chosen[16];
	uint32		level;

	for (int i = 0; i < 3; i++)
	{
		segments[i].ndocs = 16000;
		segments[3 + i].ndocs = 4000;
		segments[6 + i].ndocs = 1000;
	}
	segments[9].ndocs = 1000;
	CHECK_EQ(elac_pick_merge(segments, 10, chosen, &level), 10);
	CHECK_EQ(level, elac_pick_level(64000));

	/* not all of the level above: only what is due */
	segments[0].ndocs = 4000;
	segments[3].ndocs = 200000;
	segments[4].ndocs = 200000;
	CHECK_EQ(elac_pick_merge(segments, 10, chosen, &level), 4);
	CHECK_EQ(chosen[0], 6);

	/* nor what does not fit into one segment */
	for (int i = 0; i < 3; i++)
		segments[i].ndocs = ELAC_SEGMENT_DOCS_MAX / 4 * 3;
	for (int i = 3; i < 7; i++)
		segments[i].ndocs = ELAC_SEGMENT_DOCS_MAX / 6;
	CHECK_EQ(elac_pick_level(segments[0].ndocs), elac_pick_level(4 * (uint64) segments[3].ndocs));
	CHECK_EQ(elac_pick_merge(segments, 7, chosen, &level), 4);
	CHECK_EQ(chosen[0], 3);
}

/* Whoever must not take long does the small merges and leaves the large ones. */
static void
test_below(void)
{
	ElacPickSegment segments[16] = {0};
	int			chosen[16];
	uint32		level;

	for (int i = 0; i < 3; i++)
	{
		segments[i].ndocs = 16000;
		segments[3 + i].ndocs = 4000;
		segments[6 + i].ndocs = 1000;
	}
	segments[9].ndocs = 1000;
	CHECK_EQ(elac_pick_merge_below(segments, 10, 64000, chosen, &level), 10);
	CHECK_EQ(elac_pick_merge_below(segments, 10, 63999, chosen, &level), 7);
	CHECK_EQ(chosen[0], 3);
	CHECK_EQ(level, elac_pick_level(16000));
	CHECK_EQ(elac_pick_merge_below(segments, 10, 15999, chosen, &level), 4);
	CHECK_EQ(elac_pick_merge_below(segments, 10, 3999, chosen, &level), 0);

	segments[0].ndead = 8000;
	CHECK_EQ(elac_pick_merge_below(segments, 9, 7999, chosen, &level), 0);
	CHECK_EQ(elac_pick_merge_below(segments, 9, 8000, chosen, &level), 1);
	CHECK_EQ(chosen[0], 0);
}

/* Inserts only: few segments at any time, each row written about log times. */
static void
test_growth(uint32 flush, int nflushes)
{
	static Life life;
	uint64		rows = 0;

	memset(&life, 0, sizeof(life));
	for (int i = 0; i < nflushes; i++)
	{
		life_add(&life, flush);
		rows += flush;
		life_merge(&life);
		CHECK(life.nsegments <= segments_limit(rows));
	}
	CHECK_EQ(life_rows(&life), rows);
	/* segments of a few rows are merged within the first level several times */
	CHECK(life.rewritten <= rows * (flush < 64 ? 16 : 0) +
		  rows * (elac_pick_level(rows) - elac_pick_level(flush) + 1) * 4 / 5);
}

/* Inserts and deletes at random: still few segments, and the dead go. */
static void
test_churn(uint64 seed)
{
	static Life life;
	ElacRng		rng;

	memset(&life, 0, sizeof(life));
	elac_rng_seed(&rng, seed);
	for (int i = 0; i < 3000; i++)
	{
		uint64		ndocs = 0;
		uint64		ndead = 0;

		life_add(&life, 1 + (uint32) elac_rng_below(&rng, 3000));
		for (int j = 0; j < life.nsegments; j++)
			if (elac_rng_below(&rng, 4) == 0)
				life.segments[j].ndead += (uint32) elac_rng_below(&rng, live_of(&life.segments[j]) + 1) / 4;
		life_merge(&life);
		CHECK(life.nsegments <= segments_limit(Max(life_rows(&life), 1)));
		for (int j = 0; j < life.nsegments; j++)
		{
			ndocs += life.segments[j].ndocs;
			ndead += life.segments[j].ndead;
		}
		CHECK(ndead * 100 <= ndocs * PICK_DEAD_PERCENT);
	}
}

/* A heap of segments that was never merged comes down to few. */
static void
test_backlog(void)
{
	static Life life;

	memset(&life, 0, sizeof(life));
	for (int i = 0; i < 2000; i++)
		life_add(&life, 1 + (i * 7919) % 50000);
	life_merge(&life);
	CHECK(life.nsegments <= segments_limit(life_rows(&life)));
}

int
main(void)
{
	test_levels();
	test_edges();
	test_cascade();
	test_below();
	test_growth(1000, 4000);
	test_growth(1, 4000);
	test_growth(2000, 2000);
	test_growth(1000000, 4000);
	for (uint64 seed = 1; seed <= 5; seed++)
		test_churn(seed);
	test_backlog();
	return check_done();
}
