/*
 * compact.c
 *	  Merges segments: as the policy in pick.c says, all into one, or all into
 *	  one under a codebook trained anew.
 *
 * Holds the maintenance lock throughout, so the live bits read before a merge
 * are those at its publish: VACUUM waits.  Inserts and queries go on.
 *
 * The manifest has one codebook, so training anew rewrites every segment, in
 * one publish.  It happens when an index has four times the rows that its
 * codebook was trained for (twice, when a full merge rewrites all anyway): over
 * an index's life each row is encoded anew a constant number of times.
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
#define ROOM_FOR_FLUSH 8		/* segments that a flush may add */

/* One publish of merges, under way. */
typedef struct Compaction
{
	ElacJob    *job;
	ElacSnapshot *snapshot;
	uint32		ndead[ELAC_MAX_SEGMENTS];
	uint64		nlive;			/* of all segments */
	const ElacCodebook *codebook;	/* of the output */
	ElacBlobRef codebook_ref;	/* id 0 unless trained by this compaction */
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
		const ElacSegmentRef *input = &snapshot->manifest->segments[chosen[i]];
		uint32		ndead;

		inputs[i].segment = elac_snapshot_segment(snapshot, chosen[i]);
		inputs[i].live = elac_live_read(job->index, input, &ndead);
		if (input->body.home == ELAC_HOME_REMOTE)
			store = elac_snapshot_store(snapshot);
	}
	id = elac_manifest_allocate_ids(job->index, ELAC_SEGMENT_IDS);
	elac_segment_merge(job->index, snapshot->type, inputs, n, compaction->codebook, job->fetch, job->fetch_arg,
					   id, elac_pick_level(nlive), store, snapshot->key_prefix, ref, &carried);
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
	uint32		level;
	int			n;

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
	n = elac_pick_merge(segments, nsegments, chosen, &level);
	for (int i = 0; i < n; i++)
		chosen[i] = positions[chosen[i]];
	return n;
}

/* What to do in one round. */
typedef enum CompactAim
{
	COMPACT_POLICY,				/* what pick.c chooses */
	COMPACT_ALL,				/* everything into one */
	COMPACT_RETRAIN				/* the same under a new codebook */
} CompactAim;

/* Whether the codebook was trained for too few rows, and can be trained now. */
static bool
compact_wants_training(const Compaction *compaction, int factor)
{
	const ElacManifest *manifest = compaction->snapshot->manifest;

	if (compaction->job->local_only && manifest->store[0] != '\0')
		return false;
	return manifest->codebook.id != 0 && compaction->job->fetch != NULL && compaction->nlive > 0 &&
		compaction->nlive / factor >= Max(manifest->rows_trained, 1);
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

/* The round itself; 0 when there is nothing to do. */
static int
compact_round_begun(Compaction *compaction, CompactAim aim)
{
	ElacSnapshot *snapshot = compaction->snapshot;
	int			chosen[ELAC_MAX_SEGMENTS];
	int			n = 0;
	ElacBuilding building;

	if (aim == COMPACT_POLICY && (n = compact_pick(compaction, chosen)) == 0)
		return 0;
	if (aim == COMPACT_ALL && compact_is_compact(compaction))
		return 0;

	elac_building_begin(compaction->job->index, &building);
	if (aim == COMPACT_RETRAIN)
		compaction->codebook = elac_train_from_heap(compaction->job, snapshot, compaction->nlive,
													&compaction->codebook_ref);
	else
		compaction->codebook = elac_codebook_get(snapshot, snapshot->manifest->codebook.id);
	if (aim == COMPACT_POLICY)
		compact_group(compaction, chosen, n);
	else
		compact_all_groups(compaction);
	compact_publish(compaction);
	if (!compaction->leftovers)
		elac_building_end(compaction->job->index, &building);
	return Max(compaction->nadded, 1);
}

/*
 * One round, one publish, with a snapshot and a memory context of its own.
 * Returns the number of segments made, at least 1 when something was done.
 */
static int
compact_round(ElacJob *job, bool full, bool may_train)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym compaction", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Compaction *compaction = compact_begin(job);
	CompactAim	aim = full ? COMPACT_ALL : COMPACT_POLICY;
	int			merges;

	CHECK_FOR_INTERRUPTS();
	if (may_train && compact_wants_training(compaction, full ? RETRAIN_FACTOR_FULL : RETRAIN_FACTOR))
		aim = COMPACT_RETRAIN;
	merges = compact_round_begun(compaction, aim);
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
		if (nsegments + ROOM_FOR_FLUSH <= ELAC_MAX_SEGMENTS || compact_round(job, false, false) == 0)
			return;
	}
}

int
elac_lsm_compact(ElacJob *job, bool full)
{
	int			merges;

	elac_maintenance_lock(job->index, true);
	elac_retire_list(job);
	merges = compact_round(job, full, true);
	if (!full && merges > 0)
	{
		int			more;

		while ((more = compact_round(job, false, false)) > 0)
			merges += more;
	}
	elac_maintenance_unlock(job->index);
	return merges;
}
