/*
 * text_prefix.c
 *	  A prefix of a query as one term: for each document the sum of the counts
 *	  of all lexemes that begin with it.
 *
 * The union is made once for a reader and kept with it, so that counting
 * documents and searching share it: df first asks for it, the search finds it.
 * Unions too large to keep live in the memory context of who asks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/text_eval.h"

/* What the unions kept by one reader take at most, and how many they are. */
#define KEPT_BYTES (8 * 1024 * 1024)
#define KEPT_UNIONS 8

typedef struct KeptUnion
{
	ElacPrefixUnion *all;		/* NULL: no lexeme has the prefix */
	char	   *bytes;			/* NULL: the place is free */
	uint32		len;
	Size		size;
	uint64		used;			/* last use */
} KeptUnion;

struct ElacPrefixCache
{
	uint64		clock;
	Size		size;
	KeptUnion	kept[KEPT_UNIONS];
};

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

static ElacPrefixUnion *
union_make(ElacTextReader *reader, const char *bytes, uint32 len, MemoryContext target)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym prefix", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTextPrefixWalk *walk = palloc(sizeof(ElacTextPrefixWalk));
	ElacPrefixUnion *all = NULL;
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
			build.has = MemoryContextAllocExtended(context, elac_bitmap_words(build.ndocs) * sizeof(uint64),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
			build.tfs = MemoryContextAllocHuge(context, (Size) build.ndocs * sizeof(uint32));
		}
		union_add(&build, reader, &entry);
	}
	elac_text_prefix_end(walk);
	MemoryContextSwitchTo(target);
	if (build.has != NULL)
		all = union_finish(&build);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return all;
}

static void
kept_free(struct ElacPrefixCache *cache, KeptUnion *kept)
{
	cache->size -= kept->size;
	if (kept->all != NULL)
	{
		pfree(kept->all->docs);
		pfree(kept->all->tfs);
		pfree(kept->all->last_docs);
		pfree(kept->all);
	}
	pfree(kept->bytes);
	memset(kept, 0, sizeof(*kept));
}

/* A free place, when `evict` after those used longest ago have made room for size bytes; NULL: there is none. */
static KeptUnion *
kept_find_room(struct ElacPrefixCache *cache, Size size, bool evict)
{
	for (;;)
	{
		KeptUnion  *place = NULL;
		KeptUnion  *oldest = NULL;

		for (int i = 0; i < KEPT_UNIONS; i++)
		{
			KeptUnion  *kept = &cache->kept[i];

			if (kept->bytes == NULL)
				place = kept;
			else if (oldest == NULL || kept->used < oldest->used)
				oldest = kept;
		}
		if (place != NULL && cache->size + size <= KEPT_BYTES)
			return place;
		if (!evict)
			return NULL;
		kept_free(cache, oldest);
	}
}

/*
 * The union, kept by the reader where there is room, else new.  Only counting
 * makes others go: a search still has those of its other terms.
 */
static const ElacPrefixUnion *
prefix_union(ElacTextReader *reader, const char *bytes, uint32 len, bool evict)
{
	struct ElacPrefixCache *cache = reader->prefixes;
	MemoryContext old;
	ElacPrefixUnion *all;
	ElacPrefixUnion *copy = NULL;
	KeptUnion  *place;
	Size		size;

	if (cache == NULL)
		cache = reader->prefixes = MemoryContextAllocZero(reader->context, sizeof(struct ElacPrefixCache));
	for (int i = 0; i < KEPT_UNIONS; i++)
	{
		KeptUnion  *kept = &cache->kept[i];

		if (kept->bytes != NULL && kept->len == len && memcmp(kept->bytes, bytes, len) == 0)
		{
			kept->used = ++cache->clock;
			return kept->all;
		}
	}
	all = union_make(reader, bytes, len, CurrentMemoryContext);
	size = sizeof(KeptUnion) + len;
	if (all != NULL)
		size += sizeof(ElacPrefixUnion) + (Size) all->df * 2 * sizeof(uint32) + (Size) all->nblocks * sizeof(uint32);
	if (size > KEPT_BYTES)
		return all;
	place = kept_find_room(cache, size, evict);
	if (place == NULL)
		return all;
	old = MemoryContextSwitchTo(reader->context);
	if (all != NULL)
	{
		copy = palloc(sizeof(ElacPrefixUnion));
		*copy = *all;
		copy->docs = memcpy(palloc((Size) all->df * sizeof(uint32)), all->docs, (Size) all->df * sizeof(uint32));
		copy->tfs = memcpy(palloc((Size) all->df * sizeof(uint32)), all->tfs, (Size) all->df * sizeof(uint32));
		copy->last_docs = memcpy(palloc((Size) all->nblocks * sizeof(uint32)), all->last_docs,
								 (Size) all->nblocks * sizeof(uint32));
	}
	place->bytes = memcpy(palloc(len + 1), bytes, len);
	place->len = len;
	place->size = size;
	place->used = ++cache->clock;
	place->all = copy;
	cache->size += size;
	MemoryContextSwitchTo(old);
	return all;
}

const ElacPrefixUnion *
elac_text_prefix_union(ElacTextReader *reader, const char *bytes, uint32 len)
{
	return prefix_union(reader, bytes, len, false);
}

uint32
elac_text_prefix_df(ElacTextReader *reader, const char *bytes, uint32 len)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym prefix df", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	const ElacPrefixUnion *all = prefix_union(reader, bytes, len, true);
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
