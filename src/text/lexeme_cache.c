/*
 * lexeme_cache.c
 *	  Tokens and the lexemes that a configuration's dictionaries make of them,
 *	  remembered for the session.
 *
 * Owns the caches' memory (children of TopMemoryContext).  At the start of a
 * document all caches are thrown away when anything changed in the catalogues
 * of text search, and when they have grown beyond their bound each keeps the
 * third of its tokens that was used most; within a document they only grow.  What a dictionary says about a token is asked once: dictionaries
 * are functions of their token, as the server's own indexes on tsvector assume.
 * One that wants to see further tokens (a thesaurus) is not: such a token is
 * remembered as ELAC_TOKEN_ASKS, and who meets it leaves the text to the server.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_public.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "text/analyze.h"
#include "text/lexeme_cache.h"

/*
 * Bounds of the bytes of all caches of a process, checked between documents: an
 * eighth of maintenance_work_mem within them, so that builds stay in theirs.
 */
#define CACHE_BYTES_MIN ((Size) 1024 * 1024)
#define CACHE_BYTES_MAX ((Size) 64 * 1024 * 1024)
#define MAX_CACHES 8			/* configurations at a time */
#define MAX_USES 63				/* of a token, as counted when a cache is made smaller */
#define FIRST_SLOTS 1024
#define FIRST_LEXEMES 512
#define FIRST_STEPS 512
#define ROOM_BYTES 8192			/* taken at a time for bytes of keys and lexemes */
#define BLANK_TYPE 12			/* white space, in the default parser */
#define TAG_TYPE 13				/* a tag of SGML */

static ElacLexemeCache *caches[MAX_CACHES];
static int	ncaches = 0;
static bool caches_valid = true;

static void
cache_invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	caches_valid = false;
}

/* Callbacks cannot be taken back: registered once a session. */
static void
cache_register(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterSyscacheCallback(TSCONFIGOID, cache_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(TSCONFIGMAP, cache_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(TSDICTOID, cache_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(TSTEMPLATEOID, cache_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(TSPARSEROID, cache_invalidate, (Datum) 0);
	registered = true;
}

static void
caches_drop(void)
{
	while (ncaches > 0)
		MemoryContextDelete(caches[--ncaches]->context);
	caches_valid = true;
}

static ElacLexemeCache *
cache_create(Oid config)
{
	/* look-ups may fail: nothing is to stay behind then */
	TSConfigCacheEntry *entry = lookup_ts_config_cache(config);
	TSParserCacheEntry *parser = lookup_ts_parser_cache(entry->prsId);
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "elacsym lexemes", ALLOCSET_DEFAULT_SIZES);
	ElacLexemeCache *cache = MemoryContextAllocZero(context, sizeof(ElacLexemeCache));

	cache->config = config;

	/* White space that is a token of its own is seen by the server's parser alone. */
	cache->own_parser = parser->startOid == F_PRSD_START && parser->tokenOid == F_PRSD_NEXTTOKEN &&
		(entry->lenmap <= BLANK_TYPE || entry->map[BLANK_TYPE].len == 0);
	cache->maps_tags = entry->lenmap > TAG_TYPE && entry->map[TAG_TYPE].len > 0;
	cache->context = context;
	cache->work = AllocSetContextCreate(context, "elacsym dictionaries", ALLOCSET_SMALL_SIZES);
	cache->lexemes_room = FIRST_LEXEMES;
	cache->lexemes = MemoryContextAlloc(context, FIRST_LEXEMES * sizeof(ElacLexeme));
	cache->numbers_mask = 2 * FIRST_LEXEMES - 1;
	cache->numbers = MemoryContextAllocZero(context, 2 * FIRST_LEXEMES * sizeof(uint32));
	cache->mask = FIRST_SLOTS - 1;
	cache->slots = MemoryContextAllocZero(context, FIRST_SLOTS * sizeof(ElacTokenSlot));
	cache->steps_room = FIRST_STEPS;
	cache->steps = MemoryContextAlloc(context, FIRST_STEPS * sizeof(uint32));
	return cache;
}

uint64
elac_lexeme_cache_hash(const char *bytes, uint32 len)
{
	uint64		h = len;

	for (; len >= 8; bytes += 8, len -= 8)
		h = (h ^ elac_get_u64(bytes)) * UINT64CONST(0x9E3779B97F4A7C15), h ^= h >> 29;
	if (len > 0)
	{
		uint64		rest = 0;

		memcpy(&rest, bytes, len);
		h = (h ^ rest) * UINT64CONST(0xFF51AFD7ED558CCD), h ^= h >> 32;
	}
	return h;
}

/* A copy of bytes for as long as the cache lives. */
static char *
cache_copy(ElacLexemeCache *cache, const char *bytes, uint32 len)
{
	char	   *copy;

	if (len > cache->room_left)
	{
		cache->room = MemoryContextAlloc(cache->context, Max(ROOM_BYTES, len));
		cache->room_left = Max(ROOM_BYTES, len);
	}
	copy = memcpy(cache->room, bytes, len);
	cache->room += len;
	cache->room_left -= len;
	return copy;
}

/* Twice as many slots. */
static void
cache_grow_slots(ElacLexemeCache *cache)
{
	ElacTokenSlot *old = cache->slots;
	uint32		nold = cache->mask + 1;
	Size		bytes = (Size) nold * 2 * sizeof(ElacTokenSlot);

	if (nold > UINT32_MAX / 4)
		elog(ERROR, "too many distinct words in one document");
	cache->slots = MemoryContextAllocExtended(cache->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cache->mask = nold * 2 - 1;
	for (uint32 i = 0; i < nold; i++)
	{
		uint32		at = elac_lexeme_cache_start(old[i].key) & cache->mask;

		if (old[i].key[1] == 0)
			continue;
		while (cache->slots[at].key[1] != 0)
			at = (at + 1) & cache->mask;
		cache->slots[at] = old[i];
	}
	pfree(old);
}

/* Adds a key that is not there; bytes are those of a long one. */
static void
cache_insert(ElacLexemeCache *cache, const uint64 key[2], const char *bytes, uint32 len, ElacTokenValue value)
{
	ElacTokenSlot *slot;
	char	   *copy = NULL;

	if (cache->nslots > cache->mask - cache->mask / 4)
		cache_grow_slots(cache);
	if (len > ELAC_KEY_INLINE)
		copy = cache_copy(cache, bytes, len);
	slot = elac_lexeme_cache_slot(cache, key, bytes, len);
	Assert(slot->key[1] == 0);
	slot->key[0] = key[0];
	slot->key[1] = key[1];
	slot->bytes = copy;
	slot->value = value;
	slot->uses = 0;
	cache->nslots++;
}

void
elac_lexeme_cache_put(ElacLexemeCache *cache, int kind, const char *bytes, uint32 len, ElacTokenValue value)
{
	uint64		key[2];

	elac_lexeme_cache_key(kind, bytes, len, bytes + len, key);
	cache_insert(cache, key, bytes, len, value);
}

/* The place of a lexeme in the hash table, or the free one where it belongs. */
static uint32 *
cache_number(const ElacLexemeCache *cache, const char *bytes, uint32 len)
{
	uint64		hash = elac_lexeme_cache_hash(bytes, len);
	uint32		i = (uint32) (hash >> 32) & cache->numbers_mask;

	for (;; i = (i + 1) & cache->numbers_mask)
	{
		uint32	   *number = &cache->numbers[i];

		if (*number == 0 ||
			(cache->lexemes[*number - 1].len == len && memcmp(cache->lexemes[*number - 1].bytes, bytes, len) == 0))
			return number;
	}
}

/* Twice as many lexemes, and four times as many places for them as there are now. */
static void
cache_grow_lexemes(ElacLexemeCache *cache)
{
	Size		room = (Size) cache->lexemes_room * 2;

	if (room >= ELAC_TOKEN_SEQUENCE / 2)
		elog(ERROR, "too many distinct words in one document");
	cache->lexemes = repalloc_huge(cache->lexemes, room * sizeof(ElacLexeme));
	cache->lexemes_room = (uint32) room;
	pfree(cache->numbers);
	cache->numbers = MemoryContextAllocExtended(cache->context, 2 * room * sizeof(uint32),
												MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cache->numbers_mask = (uint32) (2 * room) - 1;
	for (uint32 i = 0; i < cache->nlexemes; i++)
		*cache_number(cache, cache->lexemes[i].bytes, cache->lexemes[i].len) = i + 1;
}

uint32
elac_lexeme_cache_intern(ElacLexemeCache *cache, const char *bytes, uint32 len)
{
	uint32	   *number;
	ElacLexeme *lexeme;
	char		first[8] = {0};

	Assert(len > 0 && len <= ELAC_TERM_MAX);
	if (cache->nlexemes == cache->lexemes_room)
		cache_grow_lexemes(cache);
	number = cache_number(cache, bytes, len);
	if (*number == 0)
	{
		memcpy(first, bytes, Min(len, 8));
		lexeme = &cache->lexemes[cache->nlexemes];
		lexeme->order = pg_bswap64(elac_get_u64(first));
		lexeme->bytes = cache_copy(cache, bytes, len);
		lexeme->len = len;
		lexeme->stamp = 0;
		*number = ++cache->nlexemes;
	}
	return *number - 1;
}

ElacTokenValue
elac_lexeme_cache_sequence(ElacLexemeCache *cache, const uint32 *steps, uint32 nsteps)
{
	uint32		at = cache->nsteps;

	if (nsteps == 0)
		return ELAC_TOKEN_UNKNOWN;
	if (nsteps == 1 && steps[0] == ELAC_STEP_ADVANCE)
		return ELAC_TOKEN_STOP;
	if (nsteps == 2 && steps[0] == ELAC_STEP_ADVANCE && steps[1] != ELAC_STEP_ADVANCE)
		return steps[1];
	while (cache->steps_room - at <= nsteps)
	{
		if (cache->steps_room >= ELAC_TOKEN_SEQUENCE / 2)
			elog(ERROR, "too many distinct words in one document");
		cache->steps = repalloc_huge(cache->steps, (Size) cache->steps_room * 2 * sizeof(uint32));
		cache->steps_room *= 2;
	}
	cache->steps[at] = nsteps;
	memcpy(&cache->steps[at + 1], steps, (Size) nsteps * sizeof(uint32));
	cache->nsteps += nsteps + 1;
	return ELAC_TOKEN_SEQUENCE | at;
}

/* The value of a dictionary's answer: for each lexeme at most two steps. */
static ElacTokenValue
cache_lexemes(ElacLexemeCache *cache, const TSLexeme *lexemes)
{
	uint32		nsteps = 0;
	uint32		room = 1;
	uint32	   *steps;

	for (const TSLexeme *lexeme = lexemes; lexeme->lexeme != NULL; lexeme++)
		room += 2;
	steps = palloc(room * sizeof(uint32));
	steps[nsteps++] = ELAC_STEP_ADVANCE;
	for (const TSLexeme *lexeme = lexemes; lexeme->lexeme != NULL; lexeme++)
	{
		size_t		len = strlen(lexeme->lexeme);

		if (lexeme->flags & TSL_ADDPOS)
			steps[nsteps++] = ELAC_STEP_ADVANCE;
		if (len > 0 && len <= ELAC_TERM_MAX)
			steps[nsteps++] = elac_lexeme_cache_intern(cache, lexeme->lexeme, (uint32) len);
	}
	return elac_lexeme_cache_sequence(cache, steps, nsteps);
}

/* What the dictionaries of the token's type say, the first that knows it. */
static ElacTokenValue
cache_lexize(ElacLexemeCache *cache, int type, const char *bytes, uint32 len)
{
	TSConfigCacheEntry *config = lookup_ts_config_cache(cache->config);
	const char *token = bytes;
	int32		token_len = (int32) len;

	if (type >= config->lenmap)
		return ELAC_TOKEN_UNKNOWN;
	for (int i = 0; i < config->map[type].len; i++)
	{
		TSDictionaryCacheEntry *dictionary = lookup_ts_dictionary_cache(config->map[type].dictIds[i]);
		DictSubState state = {0};
		TSLexeme   *lexemes;

		lexemes = (TSLexeme *) DatumGetPointer(FunctionCall4(&dictionary->lexize,
															 PointerGetDatum(dictionary->dictData),
															 PointerGetDatum(token), Int32GetDatum(token_len),
															 PointerGetDatum(&state)));
		if (state.getnext)
			return ELAC_TOKEN_ASKS;
		if (lexemes == NULL)
			continue;
		if (!(lexemes->flags & TSL_FILTER))
			return cache_lexemes(cache, lexemes);
		token = lexemes->lexeme;
		token_len = (int32) strlen(token);
	}
	return ELAC_TOKEN_UNKNOWN;
}

ElacTokenValue
elac_lexeme_cache_ask(ElacLexemeCache *cache, int type, const char *bytes, uint32 len)
{
	MemoryContext old = MemoryContextSwitchTo(cache->work);
	ElacTokenValue value = cache_lexize(cache, type, bytes, len);

	MemoryContextSwitchTo(old);
	MemoryContextReset(cache->work);
	elac_lexeme_cache_put(cache, type, bytes, len, value);
	return value;
}

/* ---- the bound ---- */

static Size
caches_size(void)
{
	Size		size = 0;

	for (int i = 0; i < ncaches; i++)
		size += MemoryContextMemAllocated(caches[i]->context, true);
	return size;
}

static Size
caches_bound(void)
{
	return Min(Max((Size) maintenance_work_mem * 1024 / 8, CACHE_BYTES_MIN), CACHE_BYTES_MAX);
}

/* The least uses that a token must have to be among the third used most; *most is how many may be kept. */
static uint32
cache_threshold(const ElacLexemeCache *cache, uint32 *most)
{
	uint32		with_uses[MAX_USES + 1] = {0};
	uint32		kept = 0;
	uint32		uses = MAX_USES;

	*most = cache->nslots / 3;
	for (uint32 i = 0; i <= cache->mask; i++)
		if (cache->slots[i].key[1] != 0)
			with_uses[Min(cache->slots[i].uses, MAX_USES)]++;
	while (uses > 1 && kept + with_uses[uses] + with_uses[uses - 1] <= *most)
		kept += with_uses[uses--];
	return uses;
}

/* A value in another cache. */
static ElacTokenValue
cache_move_value(const ElacLexemeCache *from, ElacTokenValue value, ElacLexemeCache *to)
{
	const uint32 *steps;
	uint32	   *moved;
	uint32		nsteps;

	if (value >= ELAC_TOKEN_SPECIAL)
		return value;
	if (value < ELAC_TOKEN_SEQUENCE)
		return elac_lexeme_cache_intern(to, from->lexemes[value].bytes, from->lexemes[value].len);
	steps = from->steps + (value & ~ELAC_TOKEN_SEQUENCE);
	nsteps = *steps++;
	moved = palloc(nsteps * sizeof(uint32));
	for (uint32 i = 0; i < nsteps; i++)
		moved[i] = steps[i] == ELAC_STEP_ADVANCE ? ELAC_STEP_ADVANCE :
			elac_lexeme_cache_intern(to, from->lexemes[steps[i]].bytes, from->lexemes[steps[i]].len);
	value = elac_lexeme_cache_sequence(to, moved, nsteps);
	pfree(moved);
	return value;
}

/* A smaller cache in place of this one. */
static ElacLexemeCache *
cache_renew(ElacLexemeCache *old)
{
	ElacLexemeCache *cache = cache_create(old->config);
	uint32		most;
	uint32		threshold = cache_threshold(old, &most);

	for (uint32 i = 0; i <= old->mask && cache->nslots < most; i++)
	{
		const ElacTokenSlot *slot = &old->slots[i];
		uint32		len = (uint32) (slot->key[1] >> 48 & 0xFF);

		if (slot->key[1] == 0 || Min(slot->uses, MAX_USES) < threshold)
			continue;
		if (len > ELAC_KEY_INLINE)
			len = (uint32) slot->key[1];
		cache_insert(cache, slot->key, slot->bytes, len, cache_move_value(old, slot->value, cache));
	}
	MemoryContextDelete(old->context);
	return cache;
}

ElacLexemeCache *
elac_lexeme_cache_get(Oid config)
{
	ElacLexemeCache *cache = NULL;

	cache_register();
	if (!caches_valid)
		caches_drop();
	else if (caches_size() > caches_bound())
	{
		for (int i = 0; i < ncaches; i++)
			caches[i] = cache_renew(caches[i]);
		if (caches_size() > caches_bound())
			caches_drop();
	}
	for (int i = 0; i < ncaches && cache == NULL; i++)
		if (caches[i]->config == config)
			cache = caches[i];
	if (cache == NULL)
	{
		if (ncaches == MAX_CACHES)
			caches_drop();
		cache = cache_create(config);
		caches[ncaches++] = cache;
	}
	if (++cache->stamp == 0)
	{
		for (uint32 i = 0; i < cache->nlexemes; i++)
			cache->lexemes[i].stamp = 0;
		cache->stamp = 1;
	}
	return cache;
}
