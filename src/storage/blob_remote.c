/*
 * blob_remote.c
 *	  Blobs in objects of a store: waves of parallel GETs into the session's
 *	  cache.
 *
 * A wave is all pages that a set of readers has declared and that are not
 * near.  Pages with small gaps between them travel in one range, ranges are
 * cut so that long ones travel in parallel, and a wave larger than
 * ELAC_REMOTE_SLICE goes out in slices, which bounds the memory for frames in
 * flight.  Every frame that arrives is checked, the gaps' included, before
 * its payload enters the cache: a damaged object is an error and never an
 * answer.
 *
 * What a wave brought stays pinned for its reader (ElacHeldPages), because a
 * wave may be larger than the cache.  Pins end with the resource owner; a
 * reader that met an error is not used again.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "errors.h"
#include "storage/blob_internal.h"

/* Frames between two wanted pages that are cheaper to read than to leave out: 64 KiB. */
#define ELAC_REMOTE_GAP (65536 / ELAC_FRAME_SIZE)

/* Frames in one range at most, about 4 MiB, and bytes in flight at most. */
#define ELAC_REMOTE_RANGE 512
#define ELAC_REMOTE_SLICE ((Size) 64 * 1024 * 1024)

/* Pages read ahead of an undeclared read: at first, and when reading goes on. */
#define ELAC_REMOTE_AHEAD_MIN 8
#define ELAC_REMOTE_AHEAD_MAX 512

/* Pages of an undeclared read that travel in one wave. */
#define ELAC_REMOTE_UNDECLARED 1024

/* A page to fetch, and where its pin goes. */
typedef struct ElacWantedPage
{
	ElacBlobReader *reader;
	ElacHeldPages *held;
	uint32		page;
} ElacWantedPage;

typedef struct ElacWantedList
{
	ElacWantedPage *pages;
	Size		used;
	Size		size;
} ElacWantedList;

/* Consecutive frames of one object, fetched as one range. */
typedef struct ElacFrameRun
{
	ElacBlobReader *reader;
	uint32		first;			/* logical page */
	uint32		count;
	Size		wanted;			/* index of the first wanted page in it */
	Size		nwanted;
	uint8	   *frames;			/* count * ELAC_FRAME_SIZE bytes */
	bool		done;
} ElacFrameRun;

uint32
elac_remote_crc(const uint8 *object, const uint8 *payload, uint32 page)
{
	uint8		number[4];
	uint32		crc;

	elac_put_u32(number, page);
	crc = elac_crc32c(0, object, 16);
	crc = elac_crc32c(crc, payload, ELAC_PAGE_DATA);
	return elac_crc32c(crc, number, sizeof(number));
}

/* ---- pins kept for a reader ---- */

static void
elac_remote_hold(ElacBlobReader *reader, ElacHeldPages *held, ElacCacheSlot *slot)
{
	if (held->used == held->size)
	{
		uint32		size = held->size == 0 ? 64 : held->size * 2;

		if (held->slots == NULL)
			held->slots = MemoryContextAlloc(reader->context, size * sizeof(ElacCacheSlot *));
		else
			held->slots = repalloc_huge(held->slots, mul_size(size, sizeof(ElacCacheSlot *)));
		held->size = size;
	}
	held->slots[held->used++] = slot;
}

static void
elac_remote_release(ElacHeldPages *held)
{
	for (uint32 i = 0; i < held->used; i++)
		elac_cache_unpin(held->slots[i]);
	if (held->slots != NULL)
		pfree(held->slots);
	memset(held, 0, sizeof(*held));
}

/* ---- fetching ---- */

/* elac_store_get(), with a vanished object on a standby made a retryable error. */
static void
elac_remote_get(ElacBlobReader *reader, ElacObjectRange *ranges, int nranges)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		elac_store_get(reader->store, ranges, nranges);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (geterrcode() != ERRCODE_UNDEFINED_FILE || !elac_page_may_vanish())
			PG_RE_THROW();
		FlushErrorState();
		elac_retry(reader->name, "An object of its segments no longer exists.");
	}
	PG_END_TRY();
}

/* Raises unless frame is the one that was written as this page. */
static void
elac_remote_check_frame(ElacBlobReader *reader, const uint8 *frame, uint32 page)
{
	const char *why = NULL;

	if (elac_get_u32(frame + ELAC_PAGE_DATA + 4) != page)
		why = "page number is wrong";
	else if (elac_get_u32(frame + ELAC_PAGE_DATA) != elac_remote_crc(reader->ref.object, frame, page))
		why = "checksum is wrong";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" is damaged", reader->key, elac_store_name(reader->store)),
				 errdetail("Page %u of %u of index \"%s\": the %s.", page, reader->ref.npages, reader->name, why),
				 errhint("Restore the object, or REINDEX INDEX rebuilds the index from the table.")));
}

/* Checks the frames of a run and enters them into the cache. */
static void
elac_remote_accept(const ElacFrameRun *run, const ElacWantedPage *wanted)
{
	ElacBlobReader *reader = run->reader;
	const uint8 *object = reader->ref.object;
	Size		next = 0;

	for (uint32 i = 0; i < run->count; i++)
		elac_remote_check_frame(reader, run->frames + (Size) i * ELAC_FRAME_SIZE, run->first + i);
	for (uint32 i = 0; i < run->count; i++)
	{
		uint32		page = run->first + i;
		bool		is_wanted = next < run->nwanted && wanted[next].page == page;
		ElacCacheSlot *slot;

		/* Gap pages, and what another reader of this wave brought, may be near. */
		if (!is_wanted && elac_cache_contains(object, page))
			continue;
		slot = elac_cache_contains(object, page) ? elac_cache_lookup(object, page) : NULL;
		if (slot == NULL)
		{
			slot = elac_cache_insert(object, page);
			memcpy(elac_cache_data(slot), run->frames + (Size) i * ELAC_FRAME_SIZE, ELAC_PAGE_DATA);
		}
		if (is_wanted)
			elac_remote_hold(reader, wanted[next++].held, slot);
		else
			elac_cache_unpin(slot);
	}
}

/* Cuts the wanted pages (ascending for each reader) into runs; palloc'd. */
static ElacFrameRun *
elac_remote_cut(const ElacWantedList *list, Size *nruns)
{
	ElacFrameRun *runs = palloc_extended(mul_size(list->used, sizeof(ElacFrameRun)), MCXT_ALLOC_HUGE);
	Size		n = 0;

	for (Size i = 0; i < list->used; i++)
	{
		const ElacWantedPage *wanted = &list->pages[i];
		ElacFrameRun *run = n > 0 ? &runs[n - 1] : NULL;

		if (run != NULL && run->reader == wanted->reader &&
			wanted->page - (run->first + run->count) <= ELAC_REMOTE_GAP &&
			wanted->page - run->first < ELAC_REMOTE_RANGE)
		{
			run->count = wanted->page - run->first + 1;
			run->nwanted++;
			continue;
		}
		run = &runs[n++];
		run->reader = wanted->reader;
		run->first = wanted->page;
		run->count = 1;
		run->wanted = i;
		run->nwanted = 1;
		run->frames = NULL;
		run->done = false;
	}
	*nruns = n;
	return runs;
}

/*
 * Fetches runs of one store, from the first that is not done, as far as a
 * slice goes.  False when all are done.
 */
static bool
elac_remote_fetch_slice(ElacFrameRun *runs, Size nruns, const ElacWantedList *list)
{
	ElacObjectRange *ranges;
	ElacBlobReader *reader;
	Size		bytes = 0;
	int			nranges = 0;
	Size		first = 0;
	Size		end;
	uint8	   *frames;

	while (first < nruns && runs[first].done)
		first++;
	if (first == nruns)
		return false;
	reader = runs[first].reader;
	for (end = first; end < nruns; end++)
	{
		Size		size = (Size) runs[end].count * ELAC_FRAME_SIZE;

		if (runs[end].done || runs[end].reader->store != reader->store)
			continue;
		if (nranges > 0 && bytes + size > ELAC_REMOTE_SLICE)
			break;
		bytes += size;
		nranges++;
	}
	frames = palloc_extended(bytes, MCXT_ALLOC_HUGE);
	ranges = palloc_extended(mul_size(nranges, sizeof(ElacObjectRange)), MCXT_ALLOC_HUGE);
	bytes = 0;
	nranges = 0;
	for (Size i = first; i < end; i++)
	{
		if (runs[i].done || runs[i].reader->store != reader->store)
			continue;
		runs[i].frames = frames + bytes;
		ranges[nranges].key = runs[i].reader->key;
		ranges[nranges].offset = (uint64) runs[i].first * ELAC_FRAME_SIZE;
		ranges[nranges].len = (uint64) runs[i].count * ELAC_FRAME_SIZE;
		ranges[nranges].dst = runs[i].frames;
		bytes += ranges[nranges].len;
		nranges++;
	}
	elac_remote_get(reader, ranges, nranges);
	for (Size i = first; i < end; i++)
	{
		if (runs[i].done || runs[i].reader->store != reader->store)
			continue;
		CHECK_FOR_INTERRUPTS();
		elac_remote_accept(&runs[i], &list->pages[runs[i].wanted]);
		runs[i].done = true;
	}
	pfree(ranges);
	pfree(frames);
	return true;
}

static void
elac_remote_fetch(ElacWantedList *list)
{
	ElacFrameRun *runs;
	Size		nruns;

	if (list->used == 0)
		return;
	runs = elac_remote_cut(list, &nruns);
	while (elac_remote_fetch_slice(runs, nruns, list))
		CHECK_FOR_INTERRUPTS();
	pfree(runs);
	pfree(list->pages);
}

/* Holds the page if it is near, else adds it to what is fetched. */
static void
elac_remote_want(ElacWantedList *list, ElacBlobReader *reader, ElacHeldPages *held, uint32 page)
{
	ElacCacheSlot *slot = elac_cache_lookup(reader->ref.object, page);

	if (slot != NULL)
	{
		elac_remote_hold(reader, held, slot);
		return;
	}
	if (list->used == list->size)
	{
		Size		size = list->size == 0 ? 256 : list->size * 2;

		if (list->pages == NULL)
			list->pages = palloc(size * sizeof(ElacWantedPage));
		else
			list->pages = repalloc_huge(list->pages, mul_size(size, sizeof(ElacWantedPage)));
		list->size = size;
	}
	list->pages[list->used].reader = reader;
	list->pages[list->used].held = held;
	list->pages[list->used].page = page;
	list->used++;
}

/* ---- declared ranges ---- */

void
elac_remote_declare(ElacBlobReader *reader, uint32 first, uint32 last)
{
	ElacPageRange *range = reader->ndeclared > 0 ? &reader->declared[reader->ndeclared - 1] : NULL;

	/* Declarations mostly come in order. */
	if (range != NULL && first >= range->first && first <= range->last + (uint64) 1)
	{
		range->last = Max(range->last, last);
		return;
	}
	if (reader->ndeclared == reader->declared_size)
	{
		uint32		size = reader->declared_size == 0 ? 32 : reader->declared_size * 2;

		if (reader->declared == NULL)
			reader->declared = MemoryContextAlloc(reader->context, size * sizeof(ElacPageRange));
		else
			reader->declared = repalloc_huge(reader->declared, mul_size(size, sizeof(ElacPageRange)));
		reader->declared_size = size;
	}
	reader->declared[reader->ndeclared].first = first;
	reader->declared[reader->ndeclared].last = last;
	reader->ndeclared++;
}

static int
elac_remote_compare_ranges(const void *a, const void *b)
{
	uint32		left = ((const ElacPageRange *) a)->first;
	uint32		right = ((const ElacPageRange *) b)->first;

	return left < right ? -1 : left > right;
}

/* Wants every page a reader has declared, each once, and forgets the declarations. */
static void
elac_remote_want_declared(ElacWantedList *list, ElacBlobReader *reader)
{
	uint64		next = 0;		/* first page not looked at yet */

	qsort(reader->declared, reader->ndeclared, sizeof(ElacPageRange), elac_remote_compare_ranges);
	for (uint32 i = 0; i < reader->ndeclared; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (next = Max(next, reader->declared[i].first); next <= reader->declared[i].last; next++)
			elac_remote_want(list, reader, &reader->waited, (uint32) next);
	}
	reader->ndeclared = 0;
}

void
elac_remote_wait(ElacBlobReader **readers, int nreaders)
{
	ElacHeldPages *old = palloc0(mul_size(nreaders, sizeof(ElacHeldPages)));
	ElacWantedList list = {NULL, 0, 0};

	/* What both waves need stays pinned throughout: let go after fetching. */
	for (int i = 0; i < nreaders; i++)
	{
		ElacBlobReader *reader = readers[i];

		if (reader->ref.home != ELAC_HOME_REMOTE || reader->ndeclared == 0)
			continue;
		old[i] = reader->waited;
		memset(&reader->waited, 0, sizeof(reader->waited));
		elac_remote_want_declared(&list, reader);
	}
	elac_remote_fetch(&list);
	for (int i = 0; i < nreaders; i++)
		elac_remote_release(&old[i]);
	pfree(old);
}

/* ---- undeclared reads ---- */

ElacCacheSlot *
elac_remote_page(ElacBlobReader *reader, uint32 page, uint32 last)
{
	ElacCacheSlot *slot = elac_cache_lookup(reader->ref.object, page);
	ElacWantedList list = {NULL, 0, 0};
	ElacHeldPages old = reader->ahead;
	uint64		end;

	if (slot != NULL)
		return slot;

	/* Declared, but nobody waited: then this is the wait. */
	if (reader->ndeclared > 0)
	{
		elac_remote_wait(&reader, 1);
		slot = elac_cache_lookup(reader->ref.object, page);
		if (slot != NULL)
			return slot;
	}

	/* Whoever reads on after a wave probably reads on after this one. */
	if (page == reader->expected && reader->readahead > 0)
		reader->readahead = Min(reader->readahead * 2, ELAC_REMOTE_AHEAD_MAX);
	else
		reader->readahead = ELAC_REMOTE_AHEAD_MIN;
	end = Min((uint64) last, (uint64) page + ELAC_REMOTE_UNDECLARED) + reader->readahead;
	end = Min(end, (uint64) reader->ref.npages - 1);
	reader->expected = (uint32) end + 1;

	memset(&reader->ahead, 0, sizeof(reader->ahead));
	for (uint64 next = page; next <= end; next++)
		elac_remote_want(&list, reader, &reader->ahead, (uint32) next);
	elac_remote_fetch(&list);
	elac_remote_release(&old);
	slot = elac_cache_lookup(reader->ref.object, page);
	if (slot == NULL)
		elog(ERROR, "page %u of object \"%s\" left the session cache while it was pinned", page, reader->key);
	return slot;
}

void
elac_remote_close(ElacBlobReader *reader)
{
	elac_remote_release(&reader->waited);
	elac_remote_release(&reader->ahead);
	if (reader->declared != NULL)
		pfree(reader->declared);
}

/* ---- verification: past the cache, which would hide damage ---- */

void
elac_remote_verify(ElacBlobReader *reader)
{
	uint64		wanted = (uint64) reader->ref.npages * ELAC_FRAME_SIZE;
	ElacObjectRange range;
	int64		size;

	if (reader->ref.npages == 0)
		return;
	size = elac_store_size(reader->store, reader->key);
	if (size >= 0 && (uint64) size != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" is damaged", reader->key, elac_store_name(reader->store)),
				 errdetail("It has " INT64_FORMAT " bytes and index \"%s\" stored " UINT64_FORMAT ".",
						   size, reader->name, wanted)));
	range.key = reader->key;
	range.dst = palloc((Size) ELAC_REMOTE_RANGE * ELAC_FRAME_SIZE);
	for (uint64 first = 0; first < reader->ref.npages; first += ELAC_REMOTE_RANGE)
	{
		uint32		count = (uint32) Min((uint64) ELAC_REMOTE_RANGE, reader->ref.npages - first);

		CHECK_FOR_INTERRUPTS();
		range.offset = first * ELAC_FRAME_SIZE;
		range.len = (uint64) count * ELAC_FRAME_SIZE;
		elac_remote_get(reader, &range, 1);
		for (uint32 i = 0; i < count; i++)
			elac_remote_check_frame(reader, range.dst + (Size) i * ELAC_FRAME_SIZE, (uint32) first + i);
	}
	pfree(range.dst);
}
