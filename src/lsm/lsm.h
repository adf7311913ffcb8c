/*
 * lsm.h
 *	  The life of an index's data: delta, flush, compaction, offload,
 *	  deletion, retirement.  Called by am, api and worker; read by query.
 *
 * Jobs that change the set of segments take the maintenance lock of the index
 * (a heavyweight page lock on block 0): two never run at once on one index.
 * Inserts and reads never take it.
 */
#ifndef ELAC_LSM_H
#define ELAC_LSM_H

#include "elacsym.h"

#include "access/genam.h"
#include "utils/rel.h"

#include "lsm/manifest.h"
#include "segment/segment.h"

/* ---- snapshot: what one query reads (lsm/snapshot.c) ---- */

typedef struct ElacSnapshot
{
	Relation	index;
	const ElacManifest *manifest;	/* copy */
	ElacLane	lanes[ELAC_LANES];	/* copy */
	const ElacRowType *type;
	int			nsegments;
	ElacSegment **segments;		/* opened lazily: elac_snapshot_segment() */
	ElacStore  *store;			/* opened lazily */
	char	   *key_prefix;			/* of elac_snapshot_take() */
} ElacSnapshot;

/*
 * Lives in CurrentMemoryContext; elac_snapshot_release() drops its pins.  take
 * reads everything itself, as jobs need it; share is for queries and uses what
 * this process knows from queries before (lsm/index_cache.c).
 */
extern ElacSnapshot *elac_snapshot_take(Relation index);
extern ElacSnapshot *elac_snapshot_share(Relation index);
extern ElacSegment *elac_snapshot_segment(ElacSnapshot *snapshot, int i);
extern void elac_snapshot_release(ElacSnapshot *snapshot);

/*
 * Live bits of a segment, read now or known to be as if they were, and how
 * many of them are cleared; NULL means that none is.  Not to be changed; they
 * stay until the snapshot is released.
 */
extern const ElacBitmap *elac_snapshot_live(ElacSnapshot *snapshot, int i, uint32 *ndead);

/*
 * The codebook by its blob id, from a per-relcache-entry cache of this process;
 * NULL for id 0.
 */
extern const ElacCodebook *elac_codebook_get(ElacSnapshot *snapshot, uint64 id);

/* ---- delta (lsm/delta.c) ---- */

/*
 * Appends a row, durable with the transaction's commit.  Takes one lane's
 * lock.  Returns the number of rows now in that lane.
 */
extern uint32 elac_delta_append(Relation index, const ElacRowType *type, const ElacRow *row);

/*
 * All rows of the frozen and live lanes of a snapshot, numbered 0 .. ndocs-1.
 * tids and attribute values are there at once, vectors and texts are read when
 * asked for: a vector is valid until another row's is asked for, a term vector
 * until a term vector of another row is (all columns of a row are valid
 * together).  Lives in CurrentMemoryContext.
 */
typedef struct ElacDeltaView ElacDeltaView;

extern ElacDeltaView *elac_delta_view(ElacSnapshot *snapshot);
extern uint32 elac_delta_ndocs(const ElacDeltaView *view);
extern uint64 elac_delta_ndead(const ElacDeltaView *view);
extern bool elac_delta_is_dead(ElacDeltaView *view, ElacDoc doc);
extern ItemPointer elac_delta_tid(ElacDeltaView *view, ElacDoc doc);
extern Datum elac_delta_attr(ElacDeltaView *view, ElacDoc doc, int column, bool *isnull);
extern ElacVectorClass elac_delta_vector_class(ElacDeltaView *view, ElacDoc doc);

/* A prepared query for the rows of a view; vector has to stay. */
typedef struct ElacDeltaQuery
{
	const float *vector;
	ElacMetric	metric;
	int			dim;
	float		norm;
	float		(*distance) (const float *query, const uint8 *code, int dim);
} ElacDeltaQuery;

extern void elac_delta_query_init(ElacDeltaQuery *query, const ElacDeltaView *view, const float *vector);

/*
 * Distance of a row as its code has it, in the metric's internal unit (L2
 * squared, -ip, 1 - ip), and a certain lower bound of its true one; false
 * unless the row's vector is FINITE.
 */
extern bool elac_delta_distance(ElacDeltaView *view, ElacDoc doc, const ElacDeltaQuery *query,
								float *estimate, float *lower);
extern const ElacTermVector *elac_delta_terms(ElacDeltaView *view, ElacDoc doc, int column);

/* ---- texts of the delta (lsm/delta_text.c): fast, for the process keeps them inverted ---- */

/* Adds what all rows hold, dead ones included, to df and statistics of a query. */
extern void elac_delta_text_stats(ElacDeltaView *view, ElacBm25Query *query);

/*
 * A query's words in the rows of a view, in CurrentMemoryContext; query has to
 * stay.  next: the first row at or after doc that has one of the query's words
 * (under NOT or not), or maybe has; ndocs when there is none.  documents: for
 * elac_bm25_score() and elac_bm25_matches(), the term vectors of any row, one
 * per field, of which those words are left that the query has; valid until
 * another row is asked for, here or with elac_delta_terms(), or until another
 * scan reads the delta.  bound: a row's score is not above it (query prepared).
 */
typedef struct ElacDeltaText ElacDeltaText;

extern ElacDeltaText *elac_delta_text_begin(ElacDeltaView *view, const ElacBm25Query *query);
extern ElacDoc elac_delta_text_next(const ElacDeltaText *text, ElacDoc doc);
extern double elac_delta_text_bound(ElacDeltaText *text, ElacDoc doc);
extern const ElacTermVector *elac_delta_text_documents(ElacDeltaText *text, ElacDoc doc);

/*
 * elac_bm25_matches() of a row.  What it takes to find rows fast is made when a
 * query is first asked about, and stays with the view, as query has to.
 */
extern bool elac_delta_text_matches(ElacDeltaView *view, const ElacBm25Query *query, ElacDoc doc);

/* Whether a row's text is NULL. */
extern bool elac_delta_text_isnull(ElacDeltaView *view, ElacDoc doc, int column);

/* Rows in the delta, from the lane heads alone. */
extern uint64 elac_delta_count(const ElacManifest *manifest, const ElacLane *lanes);

/* ---- jobs ---- */

/* Takes the maintenance lock; false when wait is false and it is not free. */
extern bool elac_maintenance_lock(Relation index, bool wait);
extern void elac_maintenance_unlock(Relation index);

/*
 * What jobs need of the heap, given from above: to fetch a row's vector and to
 * tell when retired pages may be reused (heap is used for its horizon only).
 */
typedef struct ElacJob
{
	Relation	index;
	Relation	heap;
	ElacVectorFetch fetch;
	void	   *fetch_arg;
	bool		local_only;		/* do not use the store: compaction leaves REMOTE segments alone */
	bool		unshared;		/* nobody else can read the index yet (it is being built): what is retired
								 * is free at once */
	uint64		merge_docs_max; /* merges and training anew that would write more documents are left to other
								 * jobs, unless the manifest runs out of places; 0: no limit */
	bool		no_sweep;		/* elac_lsm_retire() does not read the whole index after a crash: for
								 * jobs within a user's INSERT */
} ElacJob;

/* All take and release the maintenance lock themselves. */

/* Moves the delta into one new segment; returns rows flushed. */
extern uint64 elac_lsm_flush(ElacJob *job);

/* Size-tiered merges until the policy is content; full: everything into one. Returns merges done. */
extern int	elac_lsm_compact(ElacJob *job, bool full);

/* Moves bodies of LOCAL segments to the server named (by OID); returns segments moved. */
extern int	elac_lsm_offload(ElacJob *job, Oid server);
extern int	elac_lsm_onload(ElacJob *job);

/*
 * Frees retired pages that no snapshot can read; sweeps when a crash, an error
 * in a job or a full list of retired pages has left something to find.
 * Returns pages freed.
 */
extern uint64 elac_lsm_retire(ElacJob *job);

/* Frees pages that nothing refers to (left by a crash); returns pages freed. */
extern uint64 elac_lsm_sweep(ElacJob *job);

/* ambulkdelete: marks rows for which callback says so. */
extern void elac_lsm_bulkdelete(ElacJob *job, IndexBulkDeleteCallback callback, void *state, IndexBulkDeleteResult *stats);

/*
 * Publishes segments made by ambuild into an index that nobody reads yet.  A
 * large build calls it again and again, merging in between (job.unshared), so
 * that the number of segments stays within the limit.  codebook NULL: none, or
 * the one published before.
 */
extern void elac_lsm_publish_build(Relation index, const ElacBlobRef *codebook, uint64 rows_trained,
								   const ElacSegmentRef *segments, int nsegments);

/* ---- policy (lsm/pick.c), pure ---- */

typedef struct ElacPickSegment
{
	uint32		ndocs;
	uint32		ndead;
	uint32		level;
} ElacPickSegment;

/*
 * Chooses segments to merge (indexes into segments, ascending, in chosen;
 * returns how many, 0 when content) and the level of the result.
 */
#define ELAC_SEGMENT_DOCS_MAX PG_INT32_MAX	/* documents of one segment */

extern int	elac_pick_merge(const ElacPickSegment *segments, int nsegments, int *chosen, uint32 *level);

/* The same among merges whose result has docs_max documents at most. */
extern int	elac_pick_merge_below(const ElacPickSegment *segments, int nsegments, uint64 docs_max,
								  int *chosen, uint32 *level);

/* Level of a segment with that many live documents. */
extern uint32 elac_pick_level(uint64 nlive);

/* Deep check of manifest, lanes, chains, every segment; raises on the first fault. */
extern void elac_lsm_verify(ElacJob *job);

#endif							/* ELAC_LSM_H */
