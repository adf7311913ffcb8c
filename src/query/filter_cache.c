/*
 * filter_cache.c
 *	  Bitmaps of conditions that this process has evaluated before.
 *
 * A prepared query comes with the same condition again and again, and a
 * segment never changes: the condition's bitmap is the same for as long as the
 * segment exists.  Kept are answers of the server's own immutable operators
 * only; whatever a setting, a catalogue or a user's function may change is
 * evaluated each time.  Nothing kept needs to be invalidated: UUID of the index
 * and number of the segment are never used again.
 *
 * Memory: CACHE_BYTES, the least recently used answers make room.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "query/filter_cache.h"
#include "storage/metapage.h"

#define CACHE_BYTES ((Size) 16 * 1024 * 1024)

/* An answer that would take more of the cache is not kept. */
#define CACHE_ENTRY_BYTES (CACHE_BYTES / 4)

/* Nor is one to a question of more bytes (long lists). */
#define CACHE_KEY_BYTES 8192

typedef struct FilterEntry
{
	uint64		hash;			/* of the key: the table's key */
	dlist_node	node;			/* in recency, the last used first */
	Size		size;
	Size		key_len;
	char	   *key;
	uint32		nbits;
	uint64	   *is_true;
	uint64	   *is_unknown;		/* NULL: nowhere */
} FilterEntry;

static MemoryContext cache_context = NULL;
static HTAB *cache_table = NULL;
static dlist_head cache_recency = DLIST_STATIC_INIT(cache_recency);
static Size cache_used = 0;

/* ---- keys ---- */

static void
filter_key_datum(StringInfo key, Datum value, bool isnull, int16 typlen, bool typbyval)
{
	appendStringInfoChar(key, isnull ? 'n' : 'v');
	if (isnull)
		return;
	if (typbyval)
		appendBinaryStringInfo(key, (char *) &value, sizeof(value));
	else if (typlen > 0)
		appendBinaryStringInfo(key, DatumGetPointer(value), typlen);
	else
	{
		struct varlena *plain = PG_DETOAST_DATUM_PACKED(value);
		uint32		len = VARSIZE_ANY_EXHDR(plain);

		appendBinaryStringInfo(key, (char *) &len, sizeof(len));
		appendBinaryStringInfo(key, VARDATA_ANY(plain), Min(len, CACHE_KEY_BYTES + 1));
	}
}

/* The type of the operator's argument; false when its answers must not be kept. */
static bool
filter_key_argument(const ElacPredicate *predicate, int16 *typlen, bool *typbyval)
{
	Oid			function = predicate->function.fn_oid;
	Oid		   *argtypes = NULL;
	Oid			argument;
	int			nargs = 0;

	if (!OidIsValid(function) || function >= FirstNormalObjectId ||
		func_volatile(function) != PROVOLATILE_IMMUTABLE ||
		!OidIsValid(get_func_signature(function, &argtypes, &nargs)) || nargs != 2)
		return false;
	argument = predicate->kind == ELAC_PREDICATE_ANY_ELEMENT || predicate->kind == ELAC_PREDICATE_ALL_ELEMENTS ?
		argtypes[0] : argtypes[1];
	/* what it really is, is not known here */
	if (argument == ANYELEMENTOID)
		return false;
	get_typlenbyval(argument, typlen, typbyval);
	return *typlen > 0 || *typlen == -1;
}

void
elac_filter_key(ElacFilterKey *key, Relation index, uint64 segment, const ElacPredicate *predicate)
{
	const ElacMetapage *meta = elac_metapage_get(index);
	bool		has_elements = predicate->kind == ELAC_PREDICATE_ANY || predicate->kind == ELAC_PREDICATE_ALL;
	bool		has_argument = predicate->kind != ELAC_PREDICATE_IS_NULL && predicate->kind != ELAC_PREDICATE_IS_TRUE;
	int32		words[5] = {predicate->column, predicate->kind, (int32) predicate->function.fn_oid,
		(int32) predicate->collation, predicate->nelements};
	StringInfoData bytes;
	int16		typlen = 0;
	bool		typbyval = false;

	key->len = 0;
	key->bytes = NULL;
	if (has_argument && !filter_key_argument(predicate, &typlen, &typbyval))
		return;
	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, (const char *) meta->uuid, sizeof(meta->uuid));
	appendBinaryStringInfo(&bytes, (char *) &segment, sizeof(segment));
	appendBinaryStringInfo(&bytes, (char *) words, sizeof(words));
	appendStringInfoChar(&bytes, predicate->arg_isnull ? 'n' : 'v');
	if (has_argument && !has_elements)
		filter_key_datum(&bytes, predicate->arg, predicate->arg_isnull, typlen, typbyval);
	else if (has_elements)
	{
		int16		element_len = typlen;
		bool		element_byval = typbyval;

		for (int i = 0; i < predicate->nelements && bytes.len <= CACHE_KEY_BYTES; i++)
			filter_key_datum(&bytes, predicate->elements[i], predicate->element_nulls[i], element_len, element_byval);
	}
	if (bytes.len > CACHE_KEY_BYTES)
	{
		pfree(bytes.data);
		return;
	}
	key->len = bytes.len;
	key->bytes = bytes.data;
}

/* ---- the table ---- */

static void
filter_cache_init(void)
{
	HASHCTL		control = {0};

	cache_context = AllocSetContextCreate(CacheMemoryContext, "elacsym filter cache", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(FilterEntry);
	control.hcxt = cache_context;
	cache_table = hash_create("elacsym filter cache", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static uint64
filter_key_hash(const ElacFilterKey *key)
{
	return hash_bytes_extended((const unsigned char *) key->bytes, (int) key->len, 0);
}

static void
filter_cache_drop(FilterEntry *entry)
{
	uint64		hash = entry->hash;

	dlist_delete(&entry->node);
	cache_used -= entry->size;
	pfree(entry->key);			/* the bitmaps are behind it */
	hash_search(cache_table, &hash, HASH_REMOVE, NULL);
}

/* The entry that has the key, or NULL. */
static FilterEntry *
filter_cache_find(const ElacFilterKey *key)
{
	uint64		hash;
	FilterEntry *entry;

	if (cache_table == NULL || key->len == 0)
		return NULL;
	hash = filter_key_hash(key);
	entry = hash_search(cache_table, &hash, HASH_FIND, NULL);
	if (entry == NULL || entry->key_len != key->len || memcmp(entry->key, key->bytes, key->len) != 0)
		return NULL;
	return entry;
}

bool
elac_filter_cache_has(const ElacFilterKey *key)
{
	return filter_cache_find(key) != NULL;
}

bool
elac_filter_cache_get(const ElacFilterKey *key, ElacBitmap *is_true, ElacBitmap *is_unknown, bool *any_unknown)
{
	FilterEntry *entry = filter_cache_find(key);
	Size		bytes;

	if (entry == NULL || entry->nbits != is_true->nbits)
		return false;
	dlist_move_head(&cache_recency, &entry->node);
	bytes = elac_bitmap_words(entry->nbits) * sizeof(uint64);
	memcpy(is_true->words, entry->is_true, bytes);
	*any_unknown = entry->is_unknown != NULL;
	if (*any_unknown)
		memcpy(is_unknown->words, entry->is_unknown, bytes);
	return true;
}

void
elac_filter_cache_put(const ElacFilterKey *key, const ElacBitmap *is_true, const ElacBitmap *is_unknown)
{
	Size		bitmap = elac_bitmap_words(is_true->nbits) * sizeof(uint64);
	Size		size = MAXALIGN(key->len) + bitmap * (is_unknown != NULL ? 2 : 1);
	uint64		hash;
	FilterEntry *entry;
	char	   *bytes;
	bool		found;

	if (key->len == 0 || size > CACHE_ENTRY_BYTES)
		return;
	if (cache_table == NULL)
		filter_cache_init();
	hash = filter_key_hash(key);
	entry = hash_search(cache_table, &hash, HASH_FIND, NULL);
	if (entry != NULL)
		filter_cache_drop(entry);
	while (cache_used + size > CACHE_BYTES && !dlist_is_empty(&cache_recency))
		filter_cache_drop(dlist_tail_element(FilterEntry, node, &cache_recency));

	/* the memory first: once the entry is in the table nothing can fail */
	bytes = MemoryContextAlloc(cache_context, size);
	entry = hash_search(cache_table, &hash, HASH_ENTER, &found);
	entry->size = size;
	entry->key_len = key->len;
	entry->key = bytes;
	entry->nbits = is_true->nbits;
	memcpy(bytes, key->bytes, key->len);
	bytes += MAXALIGN(key->len);
	entry->is_true = (uint64 *) bytes;
	memcpy(entry->is_true, is_true->words, bitmap);
	entry->is_unknown = NULL;
	if (is_unknown != NULL)
	{
		entry->is_unknown = (uint64 *) (bytes + bitmap);
		memcpy(entry->is_unknown, is_unknown->words, bitmap);
	}
	dlist_push_head(&cache_recency, &entry->node);
	cache_used += size;
}
