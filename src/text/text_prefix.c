/*
 * text_prefix.c
 *	  A prefix of a query as one term: for each document the sum of the counts
 *	  of all lexemes that begin with it.
 *
 * Unions are kept by the process, so that counting documents, searching and
 * the next query share them: each under the reader that it was made of, all
 * of them within one bound, least recently used first out.  Whoever asks for
 * a union holds it until his memory context is reset, and what is held does
 * not go.  Unions for which there is no room live in that context.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/text_eval.h"

/* What all unions kept by a process take at most, and how many of one reader there are. */
#define KEPT_BYTES ((Size) 16 * 1024 * 1024)
#define KEPT_UNIONS 32

/* Beside the postings: a context's first block. */
#define KEPT_OVERHEAD 1024

typedef struct KeptUnion
{
	dlist_node	node;			/* in kept_unions; most recently used first */
	struct ElacPrefixCache *cache;	/* of its reader; NULL: not kept any more, the last user frees it */
	MemoryContext context;		/* all of it */
	int			users;			/* memory contexts that hold it */
	Size		size;
	uint32		len;
	char	   *bytes;			/* the prefix */
	ElacPrefixUnion *all;		/* NULL: no lexeme has it */
} KeptUnion;

/* A reader's; lives in its memory context. */
struct ElacPrefixCache
{
	MemoryContextCallback callback;
	int			n;
	KeptUnion  *kept[KEPT_UNIONS];
};

/* Somebody's hold on a union, in the memory context that it lasts as long as. */
typedef struct UnionUse
{
	MemoryContextCallback callback;
	KeptUnion  *kept;
} UnionUse;

static dlist_head kept_unions = DLIST_STATIC_INIT(kept_unions);
static Size kept_bytes = 0;		/* of those in the list */

/* The sums of counts while lexemes are added: an array over all documents, and which of them it has. */
typedef struct UnionBuild
{
	uint32		ndocs;
	uint32	   *tfs;
	uint64	   *has;
} UnionBuild;

static void
union_add(UnionBuild *build, ElacTextReader *reader, const ElacTextEntry *entry)
{
	ElacPostingList *list = elac_posting_list_open(reader, entry);
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		tfs[ELAC_TEXT_BLOCK_DOCS];

	for (uint32 block = 0; block < list->nblocks; block++)
	{
		uint32		n = elac_posting_list_decode(list, block, docs, tfs);

		for (uint32 i = 0; i < n; i++)
		{
			uint32		doc = docs[i];
			uint64		bit = UINT64CONST(1) << (doc % 64);
			uint64		tf = tfs[i];

			if (build->has[doc / 64] & bit)
				tf += build->tfs[doc];
			build->has[doc / 64] |= bit;
			build->tfs[doc] = (uint32) Min(tf, UINT32_MAX);
		}
	}
	elac_posting_list_close(list);
}

/* What was added, as a list in CurrentMemoryContext. */
static ElacPrefixUnion *
union_finish(const UnionBuild *build)
{
	ElacPrefixUnion *all = palloc0(sizeof(ElacPrefixUnion));
	uint32		nwords = (uint32) elac_bitmap_words(build->ndocs);
	uint32		n = 0;

	for (uint32 w = 0; w < nwords; w++)
		all->df += (uint32) __builtin_popcountll(build->has[w]);
	all->nblocks = (all->df - 1) / ELAC_TEXT_BLOCK_DOCS + 1;
	all->docs = MemoryContextAllocHuge(CurrentMemoryContext, (Size) all->df * sizeof(uint32));
	all->tfs = MemoryContextAllocHuge(CurrentMemoryContext, (Size) all->df * sizeof(uint32));
	all->last_docs = MemoryContextAllocHuge(CurrentMemoryContext, (Size) all->nblocks * sizeof(uint32));
	for (uint32 w = 0; w < nwords; w++)
		for (uint64 bits = build->has[w]; bits != 0; bits &= bits - 1)
		{
			uint32		doc = w * 64 + (uint32) __builtin_ctzll(bits);

			all->docs[n] = doc;
			all->tfs[n] = build->tfs[doc];
			all->max_tf = Max(all->max_tf, all->tfs[n]);
			all->last_docs[n / ELAC_TEXT_BLOCK_DOCS] = doc;
			n++;
		}
	return all;
}

/* The union in a memory context of its own below the current one. */
static KeptUnion *
union_make(ElacTextReader *reader, const char *bytes, uint32 len)
{
	MemoryContext target = AllocSetContextCreate(CurrentMemoryContext, "elacsym prefix union", ALLOCSET_SMALL_SIZES);
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "elacsym prefix", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	KeptUnion  *made = MemoryContextAllocZero(target, sizeof(KeptUnion));
	ElacTextEntry entry;
	UnionBuild	build;

	memset(&build, 0, sizeof(build));
	build.ndocs = reader->footer.ndocs;
	elac_text_prefix_begin(walk, reader, bytes, len);
	while (elac_text_prefix_next(walk, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		if (build.has == NULL)
		{
			build.has = MemoryContextAllocExtended(work, elac_bitmap_words(build.ndocs) * sizeof(uint64),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
			build.tfs = MemoryContextAllocHuge(work, (Size) build.ndocs * sizeof(uint32));
		}
		union_add(&build, reader, &entry);
	}
	elac_text_prefix_end(walk);
	MemoryContextSwitchTo(target);
	made->context = target;
	made->bytes = memcpy(palloc(Max(len, 1)), bytes, len);
	made->len = len;
	made->size = KEPT_OVERHEAD + len;
	if (build.has != NULL)
	{
		made->all = union_finish(&build);
		made->size += ((Size) made->all->df * 2 + made->all->nblocks) * sizeof(uint32);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return made;
}

/* ---- unions that are kept ---- */

/* Takes a union from its reader and frees it, unless somebody still holds it. */
static void
kept_drop(KeptUnion *kept)
{
	struct ElacPrefixCache *cache = kept->cache;
	int			i = 0;

	while (cache->kept[i] != kept)
		i++;
	cache->kept[i] = cache->kept[--cache->n];
	kept->cache = NULL;
	kept_bytes -= kept->size;
	dlist_delete(&kept->node);
	if (kept->users == 0)
		MemoryContextDelete(kept->context);
}

/* The reader goes. */
static void
kept_drop_all(void *arg)
{
	struct ElacPrefixCache *cache = arg;

	while (cache->n > 0)
		kept_drop(cache->kept[0]);
}

/* A user's memory context goes. */
static void
kept_unhold(void *arg)
{
	KeptUnion  *kept = ((UnionUse *) arg)->kept;

	if (--kept->users == 0 && kept->cache == NULL)
		MemoryContextDelete(kept->context);
}

static void
kept_hold(KeptUnion *kept)
{
	UnionUse   *use = palloc(sizeof(UnionUse));

	use->kept = kept;
	use->callback.func = kept_unhold;
	use->callback.arg = use;
	kept->users++;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &use->callback);
	if (kept->cache != NULL)
		dlist_move_head(&kept_unions, &kept->node);
}

/* Makes room for size bytes under the reader by dropping those used longest ago; false when others are held. */
static bool
kept_make_room(struct ElacPrefixCache *cache, Size size)
{
	dlist_node *node = dlist_is_empty(&kept_unions) ? NULL : dlist_tail_node(&kept_unions);

	if (size > KEPT_BYTES)
		return false;
	while (kept_bytes + size > KEPT_BYTES || cache->n == KEPT_UNIONS)
	{
		KeptUnion  *kept;

		if (node == NULL)
			return false;
		kept = dlist_container(KeptUnion, node, node);
		node = dlist_has_prev(&kept_unions, node) ? dlist_prev_node(&kept_unions, node) : NULL;
		/* with too many of this reader's, only one of those helps */
		if (kept->users == 0 && (kept_bytes + size > KEPT_BYTES || kept->cache == cache))
			kept_drop(kept);
	}
	return true;
}

/* A reader's cache, which exists from the first union on. */
static struct ElacPrefixCache *
kept_cache(ElacTextReader *reader)
{
	struct ElacPrefixCache *cache = reader->prefixes;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(reader->context, sizeof(struct ElacPrefixCache));
		cache->callback.func = kept_drop_all;
		cache->callback.arg = cache;
		MemoryContextRegisterResetCallback(reader->context, &cache->callback);
		reader->prefixes = cache;
	}
	return cache;
}

const ElacPrefixUnion *
elac_text_prefix_union(ElacTextReader *reader, const char *bytes, uint32 len)
{
	struct ElacPrefixCache *cache = kept_cache(reader);
	KeptUnion  *made;

	for (int i = 0; i < cache->n; i++)
	{
		KeptUnion  *kept = cache->kept[i];

		if (kept->len == len && memcmp(kept->bytes, bytes, len) == 0)
		{
			kept_hold(kept);
			return kept->all;
		}
	}
	made = union_make(reader, bytes, len);
	if (!kept_make_room(cache, made->size))
		return made->all;
	/* held first: an error leaves it to this context */
	kept_hold(made);
	MemoryContextSetParent(made->context, CacheMemoryContext);
	made->cache = cache;
	cache->kept[cache->n++] = made;
	kept_bytes += made->size;
	dlist_push_head(&kept_unions, &made->node);
	return made->all;
}

uint32
elac_text_prefix_df(ElacTextReader *reader, const char *bytes, uint32 len)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym prefix df", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	const ElacPrefixUnion *all = elac_text_prefix_union(reader, bytes, len);
	uint32		df = all != NULL ? all->df : 0;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return df;
}

uint32
elac_text_prefix_positions(ElacTextReader *reader, const char *bytes, uint32 len, ElacDoc doc, uint16 *dst)
{
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	ElacPositionSet set;
	ElacTextEntry entry;
	bool		known = true;

	memset(&set, 0, sizeof(set));
	elac_text_prefix_begin(walk, reader, bytes, len);
	while (known && elac_text_prefix_next(walk, &entry))
	{
		ElacPostingList *list = elac_posting_list_open(reader, &entry);
		uint32		docs[ELAC_TEXT_BLOCK_DOCS];
		uint32		block = 0;

		CHECK_FOR_INTERRUPTS();
		while (block < list->nblocks && list->last_docs[block] < doc)
			block++;
		if (block < list->nblocks)
		{
			uint32		n = elac_posting_list_decode(list, block, docs, NULL);

			for (uint32 i = 0; i < n; i++)
			{
				if (docs[i] != doc)
					continue;
				n = elac_posting_list_positions(list, block, i, dst);
				elac_positions_add(&set, dst, n);
				known = n > 0;
				break;
			}
		}
		elac_posting_list_close(list);
	}
	elac_text_prefix_end(walk);
	pfree(walk);
	return known ? elac_positions_list(&set, dst) : 0;
}

/* ---- positions of many documents ---- */

#define PLACES_POSITION_BITS 14

static void
places_add(ElacPrefixPlaces *places, uint32 offset, const uint16 *positions, uint32 n)
{
	const uint32 document = offset << PLACES_POSITION_BITS;

	if (places->n + n + 1 > places->room)
	{
		uint64		room = Max(places->room * 2, places->n + n + 4096);

		places->keys = places->keys == NULL ? palloc_extended(room * sizeof(uint32), MCXT_ALLOC_HUGE)
			: repalloc_huge(places->keys, room * sizeof(uint32));
		places->room = room;
	}
	if (n == 0)
		places->keys[places->n++] = document;
	for (uint32 i = 0; i < n; i++)
		places->keys[places->n++] = document | positions[i];
}

/* Adds what one lexeme has. */
static void
places_add_list(ElacPrefixPlaces *places, ElacPostingList *list, uint32 ndocs, const uint64 *within)
{
	uint64		end = (uint64) places->first + ndocs;
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint16		positions[ELAC_POSITIONS_MAX];
	uint32		block = 0;
	uint32		high = list->nblocks;

	while (block < high)
	{
		uint32		middle = block + (high - block) / 2;

		if (list->last_docs[middle] < places->first)
			block = middle + 1;
		else
			high = middle;
	}
	for (; block < list->nblocks && (block == 0 || list->last_docs[block - 1] + 1 < end); block++)
	{
		uint32		n = elac_posting_list_decode(list, block, docs, NULL);

		for (uint32 i = 0; i < n; i++)
		{
			uint32		offset = docs[i] - places->first;

			if (docs[i] >= places->first && offset < ndocs && ((within[offset / 64] >> (offset % 64)) & 1))
				places_add(places, offset, positions, elac_posting_list_positions(list, block, i, positions));
		}
	}
}

static int
compare_keys(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

void
elac_text_prefix_places(ElacTextReader *reader, const char *bytes, uint32 len, ElacDoc first, uint32 ndocs,
						const uint64 *within, ElacPrefixPlaces *places)
{
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	ElacTextEntry entry;

	Assert(ndocs <= PG_UINT32_MAX >> PLACES_POSITION_BITS);
	places->first = first;
	places->n = 0;
	elac_text_prefix_begin(walk, reader, bytes, len);
	while (elac_text_prefix_next(walk, &entry))
	{
		ElacPostingList *list = elac_posting_list_open(reader, &entry);

		CHECK_FOR_INTERRUPTS();
		places_add_list(places, list, ndocs, within);
		elac_posting_list_close(list);
	}
	elac_text_prefix_end(walk);
	pfree(walk);
	if (places->n > 1)
		qsort(places->keys, places->n, sizeof(uint32), compare_keys);
}

uint32
elac_prefix_places_get(const ElacPrefixPlaces *places, ElacDoc doc, uint16 *dst)
{
	uint32		offset = doc - places->first;
	uint64		low = 0;
	uint64		high = places->n;
	uint32		n = 0;

	while (low < high)
	{
		uint64		middle = low + (high - low) / 2;

		if (places->keys[middle] >> PLACES_POSITION_BITS < offset)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < places->n && places->keys[low] >> PLACES_POSITION_BITS == offset; low++)
	{
		uint16		position = places->keys[low] & ((1 << PLACES_POSITION_BITS) - 1);

		if (position == 0)
			return 0;
		if (n == 0 || dst[n - 1] != position)
			dst[n++] = position;
	}
	return n;
}
