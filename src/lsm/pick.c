/*
 * pick.c
 *	  Which segments to merge: size-tiered, a pure function of counts.
 *
 * A segment's level is the base-4 logarithm of its live documents, in units
 * of PICK_UNIT.  As soon as a level has PICK_FANOUT segments, those are merged
 * into one, mostly of the next level: after that no level has more than three,
 * so an index of n rows has at most 3 * (1 + log4(n / PICK_UNIT)) segments and
 * a row is rewritten less than log4(n / PICK_UNIT) times: where the result
 * would be the fourth of its level, that level's segments go into the merge at
 * once, and so on upwards.  A segment of which more than PICK_DEAD_PERCENT is
 * dead is rewritten alone.
 *
 * Includes no page, lock or clock: same input, same answer.
 */
#include "postgres.h"

#include "lsm/lsm.h"

#define PICK_UNIT 16
#define PICK_FANOUT 4
#define PICK_INPUTS_MAX 16
#define PICK_DEAD_PERCENT 30
#define PICK_LEVELS 32

static uint32
pick_live(const ElacPickSegment *segment)
{
	return segment->ndead < segment->ndocs ? segment->ndocs - segment->ndead : 0;
}

uint32
elac_pick_level(uint64 nlive)
{
	uint32		level = 0;

	for (nlive /= PICK_UNIT; nlive >= 4; nlive /= 4)
		level++;
	return level;
}

/*
 * Adds the smallest segments of one level, oldest first among equals, to the n
 * chosen already, as many as have docs_max documents at most; returns how many
 * there are then.
 */
static int
pick_from_level(const ElacPickSegment *segments, int nsegments, uint32 level, uint64 docs_max,
				int *chosen, int n, uint64 *nlive)
{
	while (n < PICK_INPUTS_MAX)
	{
		int			best = -1;

		for (int i = 0; i < nsegments; i++)
		{
			bool		taken = false;

			for (int j = 0; j < n; j++)
				taken |= chosen[j] == i;
			if (taken || elac_pick_level(pick_live(&segments[i])) != level)
				continue;
			if (best < 0 || pick_live(&segments[i]) < pick_live(&segments[best]))
				best = i;
		}
		if (best < 0 || *nlive + pick_live(&segments[best]) > docs_max)
			break;
		*nlive += pick_live(&segments[best]);
		chosen[n++] = best;
	}
	return n;
}

/*
 * While the result would be the PICK_FANOUT-th segment of a level above, and
 * all of that level fits, it goes into the merge as well.
 */
static int
pick_cascade(const ElacPickSegment *segments, int nsegments, const int *counts, uint32 level, uint64 docs_max,
			 int *chosen, int n, uint64 *nlive)
{
	while (elac_pick_level(*nlive) > level)
	{
		uint64		more = *nlive;
		int			m;

		level = elac_pick_level(*nlive);
		if (counts[level] < PICK_FANOUT - 1)
			break;
		m = pick_from_level(segments, nsegments, level, docs_max, chosen, n, &more);
		if (m < n + counts[level])
			break;
		n = m;
		*nlive = more;
	}
	return n;
}

static void
pick_sort(int *chosen, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = i; j > 0 && chosen[j - 1] > chosen[j]; j--)
		{
			int			swap = chosen[j];

			chosen[j] = chosen[j - 1];
			chosen[j - 1] = swap;
		}
}

int
elac_pick_merge(const ElacPickSegment *segments, int nsegments, int *chosen, uint32 *level)
{
	return elac_pick_merge_below(segments, nsegments, ELAC_SEGMENT_DOCS_MAX, chosen, level);
}

int
elac_pick_merge_below(const ElacPickSegment *segments, int nsegments, uint64 docs_max, int *chosen, uint32 *level)
{
	int			counts[PICK_LEVELS] = {0};

	for (int i = 0; i < nsegments; i++)
		counts[elac_pick_level(pick_live(&segments[i]))]++;
	for (uint32 l = 0; l < PICK_LEVELS; l++)
	{
		uint64		nlive = 0;
		int			n;

		if (counts[l] < PICK_FANOUT)
			continue;
		n = pick_from_level(segments, nsegments, l, docs_max, chosen, 0, &nlive);
		/* two that fit into one segment are worth it; under a smaller limit the merge is whole or not at all */
		if (n < (docs_max < ELAC_SEGMENT_DOCS_MAX ? PICK_FANOUT : 2))
			continue;
		n = pick_cascade(segments, nsegments, counts, l, docs_max, chosen, n, &nlive);
		pick_sort(chosen, n);
		*level = elac_pick_level(nlive);
		return n;
	}
	for (int i = 0; i < nsegments; i++)
	{
		if ((uint64) segments[i].ndead * 100 <= (uint64) segments[i].ndocs * PICK_DEAD_PERCENT ||
			pick_live(&segments[i]) > docs_max)
			continue;
		chosen[0] = i;
		*level = elac_pick_level(pick_live(&segments[i]));
		return 1;
	}
	return 0;
}
