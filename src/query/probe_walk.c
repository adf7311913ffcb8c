/*
 * probe_walk.c
 *	  The lists of all sources in the one order in which a query looks at them.
 *
 * Segments of one cut of the codebook share their lists' order, so a walk has
 * one stream a cut, not one a segment.  Within a stream lists come in ascending
 * distance.  Streams are merged by position / sqrt(lists): list counts that give
 * equal recall grow as the square root of the number of lists, and distances
 * to centroids of different cuts cannot be compared (a coarse list's centroid
 * is farther from its members).  The nearest list of each stream comes first.
 *
 * Owns what is scanned and what is declared to REMOTE sources; when to stop is
 * the caller's business.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "query/probe_walk.h"

typedef struct ProbeStream
{
	ElacVectorQuery *query;
	int			cut;
	uint32		nlists;
	uint32		end;			/* lists that may be scanned */
	uint32		next;			/* first position not yet scanned */
	uint32		declared;		/* first position not yet declared; for REMOTE members */
	bool		remote;			/* a member is */
	double		rate;			/* key of a position: position * rate */
	uint64		ndocs;			/* of the members */
	uint64		nallowed;
	int			nmembers;
	int		   *members;		/* positions in sources */
} ProbeStream;

struct ElacProbeWalk
{
	int			nsources;
	ElacProbeSource *sources;
	int			nstreams;
	ProbeStream *streams;
	bool		remote;			/* a source is */
	uint64		lists;
	double		expected;		/* documents allowed in the lists scanned, were the filter anywhere the same */
};

static ProbeStream *
probe_walk_stream(ElacProbeWalk *walk, const ElacProbeSource *source)
{
	int			cut = elac_vector_cut(source->reader);
	ProbeStream *stream;

	for (int i = 0; i < walk->nstreams; i++)
		if (walk->streams[i].cut == cut && walk->streams[i].query == source->query)
			return &walk->streams[i];
	stream = &walk->streams[walk->nstreams++];
	stream->query = source->query;
	stream->cut = cut;
	stream->nlists = elac_vector_nlists(source->reader);
	stream->end = stream->nlists;
	stream->rate = 1.0 / sqrt((double) stream->nlists);
	stream->members = palloc(sizeof(int) * walk->nsources);
	return stream;
}

ElacProbeWalk *
elac_probe_walk_begin(const ElacProbeSource *sources, int nsources)
{
	ElacProbeWalk *walk = palloc0(sizeof(ElacProbeWalk));

	walk->nsources = nsources;
	walk->sources = palloc(sizeof(ElacProbeSource) * Max(nsources, 1));
	memcpy(walk->sources, sources, sizeof(ElacProbeSource) * nsources);
	walk->streams = palloc0(sizeof(ProbeStream) * Max(nsources, 1));
	for (int i = 0; i < nsources; i++)
	{
		ProbeStream *stream;
		ElacDoc		first;
		ElacDoc		last;

		if (sources[i].nallowed == 0)
			continue;
		stream = probe_walk_stream(walk, &sources[i]);
		elac_vector_list_range(sources[i].reader, stream->nlists, &first, &last);
		stream->ndocs += first; /* the finite ones come first */
		stream->nallowed += sources[i].nallowed;
		stream->members[stream->nmembers++] = i;
		if (sources[i].remote != NULL)
			stream->remote = walk->remote = true;
	}
	return walk;
}

void
elac_probe_walk_limit(ElacProbeWalk *walk, double lists, double effort)
{
	for (int i = 0; i < walk->nstreams; i++)
	{
		ProbeStream *stream = &walk->streams[i];
		double		probes = ceil(lists * effort * Max(stream->ndocs, 1) / stream->nallowed);

		stream->end = probes >= stream->nlists ? stream->nlists : (uint32) Max(probes, 1);
	}
}

/* The stream whose next list (or next list not declared) comes first; NULL when none is left. */
static ProbeStream *
probe_walk_first(ElacProbeWalk *walk, bool declaring)
{
	ProbeStream *best = NULL;
	double		best_key = 0;

	for (int i = 0; i < walk->nstreams; i++)
	{
		ProbeStream *stream = &walk->streams[i];
		uint32		position = declaring ? stream->declared : stream->next;

		if (position < stream->end && (best == NULL || position * stream->rate < best_key))
		{
			best = stream;
			best_key = position * stream->rate;
		}
	}
	return best;
}

/* Declares one list of a stream; returns how many allowed documents it is likely to have. */
static double
probe_walk_declare_list(ElacProbeWalk *walk, ProbeStream *stream)
{
	const ElacVectorLists *lists = elac_vector_query_ensure(stream->query, stream->cut, stream->declared + 1);
	const uint32 *list = &lists->order[stream->declared++];
	uint64		ndocs = 0;

	for (int i = 0; i < stream->nmembers; i++)
	{
		ElacProbeSource *source = &walk->sources[stream->members[i]];
		ElacDoc		first;
		ElacDoc		last;

		elac_vector_list_range(source->reader, *list, &first, &last);
		ndocs += last - first;
		if (source->remote != NULL)
			elac_vector_prefetch(source->reader, list, 1);
	}
	return (double) ndocs * stream->nallowed / Max(stream->ndocs, 1);
}

void
elac_probe_walk_declare(ElacProbeWalk *walk, double documents)
{
	ElacBlobReader **readers;
	int			nreaders = 0;
	ProbeStream *stream;
	double		declared = 0;

	if (!walk->remote)
		return;
	while (declared < documents && (stream = probe_walk_first(walk, true)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		declared += probe_walk_declare_list(walk, stream);
	}
	readers = palloc(sizeof(ElacBlobReader *) * walk->nsources);
	for (int i = 0; i < walk->nsources; i++)
		if (walk->sources[i].nallowed > 0 && walk->sources[i].remote != NULL)
			readers[nreaders++] = walk->sources[i].remote;
	elac_blob_wait(readers, nreaders);
	pfree(readers);
}

/* Documents of a source that lists would have allowed, were the filter everywhere the same. */
static double
probe_walk_expected(const ProbeStream *stream, const ElacProbeSource *source, const uint32 *lists, uint32 nlists)
{
	uint64		ndocs = 0;

	if (source->allowed == NULL)
		return 0;
	for (uint32 i = 0; i < nlists; i++)
	{
		ElacDoc		first;
		ElacDoc		last;

		elac_vector_list_range(source->reader, lists[i], &first, &last);
		ndocs += last - first;
	}
	return (double) ndocs * stream->nallowed / Max(stream->ndocs, 1);
}

bool
elac_probe_walk_next(ElacProbeWalk *walk, uint32 nlists, ElacVectorHeap *heap, uint64 *scored)
{
	ProbeStream *stream = probe_walk_first(walk, false);
	const ElacVectorLists *lists;

	if (stream == NULL)
		return false;
	if (stream->remote && stream->next >= stream->declared)
		elac_probe_walk_declare(walk, 1);
	nlists = Min(nlists, stream->end - stream->next);
	if (stream->remote)
		nlists = Min(nlists, stream->declared - stream->next);
	lists = elac_vector_query_ensure(stream->query, stream->cut, stream->next + nlists);
	for (int i = 0; i < stream->nmembers; i++)
	{
		ElacProbeSource *source = &walk->sources[stream->members[i]];

		*scored += elac_vector_scan(source->reader, source->query, lists->order + stream->next, nlists,
									source->allowed, source->number, heap);
		walk->lists += nlists;
		walk->expected += probe_walk_expected(stream, source, lists->order + stream->next, nlists);
	}
	stream->next += nlists;
	return true;
}

/*
 * What ranking a list and visiting one cost, in documents scored under a filter
 * that leaves few of each list; measured at 547,000 x 256 and 3,400 lists, where
 * such a document costs .33 us (README.md).
 */
#define WALK_RANK_COST 0.3
#define WALK_LIST_COST 0.75

bool
elac_probe_walk_prefers_all(const ElacProbeWalk *walk, double documents)
{
	double		all = 0;
	double		some = 0;

	for (int i = 0; i < walk->nstreams; i++)
	{
		const ProbeStream *stream = &walk->streams[i];
		double		share = Min(documents / Max(stream->nallowed, 1), 1.0);

		/* a store is asked for few lists rather than for all */
		if (stream->remote)
			return false;
		all += stream->nallowed;
		some += share * stream->nallowed + (WALK_LIST_COST * share + WALK_RANK_COST) * stream->nlists;
	}
	return all <= some;
}

void
elac_probe_walk_all(ElacProbeWalk *walk, ElacVectorHeap *heap, uint64 *scored)
{
	for (int i = 0; i < walk->nsources; i++)
	{
		const ElacProbeSource *source = &walk->sources[i];
		uint32		nlists;
		uint32	   *lists;
		uint32		n = 0;

		if (source->nallowed == 0)
			continue;
		nlists = elac_vector_nlists(source->reader);
		lists = palloc_extended(nlists * sizeof(uint32), MCXT_ALLOC_HUGE);
		for (uint32 list = 0; list < nlists; list++)
		{
			ElacDoc		first;
			ElacDoc		last;

			elac_vector_list_range(source->reader, list, &first, &last);
			if (first < last && (source->allowed == NULL || elac_bitmap_any(source->allowed, first, last)))
				lists[n++] = list;
		}
		*scored += elac_vector_scan(source->reader, source->query, lists, n, source->allowed, source->number, heap);
		walk->lists += n;
		pfree(lists);
	}
	for (int i = 0; i < walk->nstreams; i++)
		walk->streams[i].next = walk->streams[i].nlists;
}

bool
elac_probe_walk_is_complete(const ElacProbeWalk *walk)
{
	for (int i = 0; i < walk->nstreams; i++)
		if (walk->streams[i].next < walk->streams[i].nlists)
			return false;
	return true;
}

double
elac_probe_walk_expected(const ElacProbeWalk *walk)
{
	return walk->expected;
}

uint64
elac_probe_walk_lists(const ElacProbeWalk *walk)
{
	return walk->lists;
}
