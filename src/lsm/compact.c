/*
 * compact.c
 *	  Merges segments: as the policy in pick.c says, all into one, or all into
 *	  one under another codebook.
 *
 * Holds the maintenance lock throughout, so the live bits read before a merge
 * are those at its publish: VACUUM waits.  Inserts and queries go on.
 *
 * The manifest has one codebook, so another one rewrites every segment, in one
 * publish.  It is considered when half of the documents would be rewritten
 * anyway, so it at most doubles the work.  A codebook is trained anew when as
 * many rows as a quarter of those there are have come since one was trained (an
 * eighth, in a full merge).  Before that the lists are examined (codebook_adapt.h), and when they have become too
 * long, too short or lie beside their documents, either some lists change and
 * most codes are copied, or a codebook is trained after all.  It is trained anew,
 * too, as soon as an index has four times the rows that its codebook was made
 * for (twice, in a full merge).  So a row causes a bounded number of rows to be
 * encoded anew.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "lsm/compact.h"
#include "lsm/lsm.h"
#include "lsm/publish.h"
#include "lsm/retire.h"
#include "lsm/snapshot_store.h"
#include "lsm/train.h"

#define RETRAIN_FACTOR 4
#define RETRAIN_FACTOR_FULL 2
#define RETRAIN_PART_NEW 4		/* so many have come as a quarter of those there are */
#define RETRAIN_PART_NEW_FULL 8
#define EXAMINE_PART 2			/* lists are examined when one half of the documents is rewritten */
#define ROOM_FOR_FLUSH 8		/* segments that a flush may add */

/* One publish of merges, under way. */
typedef struct Compaction
{
	ElacJob    *job;
	ElacSnapshot *snapshot;
	uint32		ndead[ELAC_MAX_SEGMENTS];
	uint64		nlive;			/* of all segments */
	bool		for_room;		/* only to have fewer segments, now */
	const ElacCodebook *codebook;	/* of the output */
	ElacBlobRef codebook_ref;	/* id 0 unless made by this compaction */
	ElacAdapt  *adapt;			/* how the codebook is derived from the one before, or NULL */
	bool		leftovers;		/* an output was empty: its pages are for a sweep */
	int			nremoved;
	uint64		removed[ELAC_MAX_SEGMENTS];
	int			nadded;
	ElacSegmentRef added[ELAC_MAX_SEGMENTS];
} Compaction;

static Compaction *
compact_begin(ElacJob *job)
{
	Compaction *compaction = palloc0(sizeof(Compaction));
	ElacSnapshot *snapshot = elac_snapshot_take(job->index);

	compaction->job = job;
	compaction->snapshot = snapshot;
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		const ElacSegmentRef *ref = &snapshot->manifest->segments[i];

		compaction->ndead[i] = Min(elac_live_ndead(job->index, ref), ref->ndocs);
		compaction->nlive += ref->ndocs - compaction->ndead[i];
	}
	return compaction;
}

static uint64
compact_live(const Compaction *compaction, int i)
{
	return compaction->snapshot->manifest->segments[i].ndocs - compaction->ndead[i];
}

static void
compact_input(Compaction *compaction, int i, ElacMergeInput *input)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	uint32		ndead;

	input->segment = elac_snapshot_segment(snapshot, i);
	input->live = elac_live_read(compaction->job->index, &snapshot->manifest->segments[i], &ndead);
}

/*
 * Merges segments chosen[0 .. n-1] into one more output; into none when no
 * document is alive.  The output goes where the inputs are: to the store as
 * soon as one of them lies there.
 */
static void
compact_group(Compaction *compaction, const int *chosen, int n)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	ElacJob    *job = compaction->job;
	ElacMergeInput *inputs = palloc0(n * sizeof(ElacMergeInput));
	ElacStore  *store = NULL;
	uint64		nlive = 0;
	uint64		id;
	ElacDoc   **carried;
	ElacSegmentRef *ref = &compaction->added[compaction->nadded];

	for (int i = 0; i < n; i++)
	{
		compaction->removed[compaction->nremoved++] = snapshot->manifest->segments[chosen[i]].id;
		nlive += compact_live(compaction, chosen[i]);
	}
	if (nlive == 0)
		return;
	for (int i = 0; i < n; i++)
	{
		compact_input(compaction, chosen[i], &inputs[i]);
		if (snapshot->manifest->segments[chosen[i]].body.home == ELAC_HOME_REMOTE)
			store = elac_snapshot_store(snapshot);
	}
	id = elac_manifest_allocate_ids(job->index, ELAC_SEGMENT_IDS);
	elac_segment_merge(job->index, snapshot->type, inputs, n, compaction->codebook, compaction->adapt,
					   job->fetch, job->fetch_arg, id, elac_pick_level(nlive), store, snapshot->key_prefix, ref,
					   &carried);
	if (ref->ndocs > 0)
		compaction->nadded++;
	else
		compaction->leftovers = true;
}

static void
compact_publish(Compaction *compaction)
{
	ElacPublish publish = {0};

	publish.nremoved = compaction->nremoved;
	publish.removed = compaction->removed;
	publish.nadded = compaction->nadded;
	publish.added = compaction->added;
	if (compaction->codebook_ref.id != 0)
	{
		publish.codebook = &compaction->codebook_ref;
		publish.rows_trained = compaction->nlive;
		publish.derived = compaction->adapt != NULL;
	}
	elac_publish_segments(compaction->job->index, &publish);
}

/* Groups of segments, in order, each as large as one segment may be. */
static void
compact_all_groups(Compaction *compaction)
{
	int			nsegments = compaction->snapshot->nsegments;
	int			chosen[ELAC_MAX_SEGMENTS];
	int			i = 0;

	while (i < nsegments)
	{
		uint64		nlive = 0;
		int			n = 0;

		while (i < nsegments && (n == 0 || nlive + compact_live(compaction, i) <= ELAC_SEGMENT_DOCS_MAX))
		{
			nlive += compact_live(compaction, i);
			chosen[n++] = i++;
		}
		compact_group(compaction, chosen, n);
	}
}

/*
 * What the policy chooses, as positions in the manifest.  With local_only it
 * sees LOCAL segments alone.
 */
static int
compact_pick(const Compaction *compaction, int *chosen)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	ElacPickSegment segments[ELAC_MAX_SEGMENTS];
	int			positions[ELAC_MAX_SEGMENTS];
	int			nsegments = 0;
	uint64		docs_max = compaction->job->merge_docs_max;
	uint32		level;
	int			n;

	/* without places in the manifest nothing can be put off */
	if (docs_max == 0 || compaction->for_room)
		docs_max = ELAC_SEGMENT_DOCS_MAX;
	for (int i = 0; i < snapshot->nsegments; i++)
	{
		const ElacSegmentRef *ref = &snapshot->manifest->segments[i];

		if (compaction->job->local_only && ref->body.home == ELAC_HOME_REMOTE)
			continue;
		segments[nsegments].ndocs = ref->ndocs;
		segments[nsegments].ndead = compaction->ndead[i];
		segments[nsegments].level = ref->level;
		positions[nsegments++] = i;
	}
	n = elac_pick_merge_below(segments, nsegments, docs_max, chosen, &level);
	for (int i = 0; i < n; i++)
		chosen[i] = positions[chosen[i]];
	return n;
}

/* What to do in one round. */
typedef enum CompactAim
{
	COMPACT_NOTHING,
	COMPACT_POLICY,				/* what pick.c chooses */
	COMPACT_ALL,				/* everything into one */
	COMPACT_ADAPT,				/* the same under a codebook of which some lists have changed */
	COMPACT_TRAIN				/* the same under a new codebook */
} CompactAim;

/* Whether all segments can be rewritten under another codebook now. */
static bool
compact_may_change_codebook(const Compaction *compaction)
{
	const ElacManifest *manifest = compaction->snapshot->manifest;
	const ElacJob *job = compaction->job;

	/* an index being built gets the codebook that suits it when it is complete */
	if (job->fetch == NULL || job->unshared || compaction->for_room || (job->local_only && manifest->store[0] != '\0') ||
		(job->merge_docs_max > 0 && compaction->nlive > job->merge_docs_max))
		return false;
	return manifest->codebook.id != 0 && compaction->nlive > 0;
}

/* What the lists of all segments need. */
static CompactAim
compact_examine(Compaction *compaction, CompactAim otherwise)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	int			n = snapshot->nsegments;
	ElacMergeInput *inputs = palloc0(n * sizeof(ElacMergeInput));
	ElacCodebook *derived;

	for (int i = 0; i < n; i++)
		compact_input(compaction, i, &inputs[i]);
	switch (elac_segment_examine(inputs, n, elac_codebook_get(snapshot, snapshot->manifest->codebook.id),
								 &compaction->adapt, &derived))
	{
		case ELAC_ADAPT_TRAIN:
			return COMPACT_TRAIN;
		case ELAC_ADAPT_LISTS:
			compaction->codebook = derived;
			return COMPACT_ADAPT;
		default:
			return otherwise;
	}
}

/* A full merge would change nothing. */
static bool
compact_is_compact(const Compaction *compaction)
{
	int			nsegments = compaction->snapshot->nsegments;

	for (int i = 0; i < nsegments; i++)
		if (compaction->ndead[i] > 0)
			return false;

	/* neighbours that do not fit into one segment are compact too */
	for (int i = 1; i < nsegments; i++)
		if (compact_live(compaction, i - 1) + compact_live(compaction, i) <= ELAC_SEGMENT_DOCS_MAX)
			return false;
	return true;
}

/* Decides what to do; chosen and n are set for COMPACT_POLICY. */
static CompactAim
compact_aim(Compaction *compaction, bool full, int *chosen, int *n)
{
	CompactAim	aim = full ? COMPACT_ALL : COMPACT_POLICY;
	uint64		rewritten = compaction->nlive;
	bool		upkeep = compact_may_change_codebook(compaction);

	if (upkeep && compaction->nlive / (full ? RETRAIN_FACTOR_FULL : RETRAIN_FACTOR) >=
		Max(compaction->snapshot->manifest->rows_trained, 1))
		return COMPACT_TRAIN;
	if (full)
	{
		if (compact_is_compact(compaction))
			aim = COMPACT_NOTHING;
	}
	else
	{
		*n = compact_pick(compaction, chosen);
		if (*n == 0)
			return COMPACT_NOTHING;
		rewritten = 0;
		for (int i = 0; i < *n; i++)
			rewritten += compact_live(compaction, chosen[i]);
	}
	if (!upkeep || rewritten < compaction->nlive / EXAMINE_PART)
		return aim;
	if (compaction->snapshot->manifest->rows_since >=
		Max(compaction->nlive / (full ? RETRAIN_PART_NEW_FULL : RETRAIN_PART_NEW), 1))
		return COMPACT_TRAIN;
	return compact_examine(compaction, aim);
}

/* The round itself; 0 when there is nothing to do. */
static int
compact_round_begun(Compaction *compaction, bool full)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	ElacJob    *job = compaction->job;
	int			chosen[ELAC_MAX_SEGMENTS];
	int			n = 0;
	ElacBuilding building;
	CompactAim	aim = compact_aim(compaction, full, chosen, &n);

	if (aim == COMPACT_NOTHING)
		return 0;
	elac_building_begin(job->index, &building);
	if (aim == COMPACT_TRAIN)
		compaction->codebook = elac_train_from_heap(job, snapshot, &compaction->codebook_ref);
	else if (aim == COMPACT_ADAPT)
		elac_train_write(job->index, unconstify(ElacCodebook *, compaction->codebook), &compaction->codebook_ref);
	else
		compaction->codebook = elac_codebook_get(snapshot, snapshot->manifest->codebook.id);
	if (aim == COMPACT_POLICY)
		compact_group(compaction, chosen, n);
	else
		compact_all_groups(compaction);
	compact_publish(compaction);
	if (!compaction->leftovers)
		elac_building_end(job->index, &building);
	return Max(compaction->nadded, 1);
}

/*
 * One round, one publish, with a snapshot and a memory context of its own.
 * Returns the number of segments made, at least 1 when something was done.
 */
static int
compact_round(ElacJob *job, bool full, bool for_room)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym compaction", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Compaction *compaction = compact_begin(job);
	int			merges;

	CHECK_FOR_INTERRUPTS();
	compaction->for_room = for_room;
	merges = compact_round_begun(compaction, full);
	elac_snapshot_release(compaction->snapshot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return merges;
}

/*
 * Fewer segments than the limit by as many as a flush may add.  The policy
 * keeps an index far below; only an index whose merges never ran (or whose
 * segments cannot be merged for their size) comes here with work to do.
 */
void
elac_compact_make_room(ElacJob *job)
{
	for (;;)
	{
		ElacManifest *manifest = elac_manifest_read(job->index);
		uint32		nsegments = manifest->nsegments;

		pfree(manifest);
		if (nsegments + ROOM_FOR_FLUSH <= ELAC_MAX_SEGMENTS || compact_round(job, false, true) == 0)
			return;
	}
}

int
elac_lsm_compact(ElacJob *job, bool full)
{
	int			merges;

	elac_maintenance_lock(job->index, true);
	elac_retire_list(job);
	merges = compact_round(job, full, false);
	if (!full && merges > 0)
	{
		int			more;

		while ((more = compact_round(job, false, false)) > 0)
			merges += more;
	}
	elac_maintenance_unlock(job->index);
	return merges;
}
