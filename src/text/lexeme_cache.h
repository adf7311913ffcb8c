/*
 * lexeme_cache.h
 *	  What a session knows about the tokens of its text search configurations:
 *	  which lexemes the dictionaries make of each.
 *
 * One cache a configuration.  Pointers and numbers are good until the next
 * elac_lexeme_cache_get(): that call alone replaces a cache that is too large
 * or out of date.
 */
#ifndef ELAC_LEXEME_CACHE_H
#define ELAC_LEXEME_CACHE_H

#include "elacsym.h"

#include "base/bytes.h"

/*
 * What a token gives: a lexeme at the next position (its number), one of the
 * special values, or ELAC_TOKEN_SEQUENCE plus the place of a list of steps.
 */
typedef uint32 ElacTokenValue;

#define ELAC_TOKEN_SEQUENCE UINT32_C(0x80000000)
#define ELAC_TOKEN_ASKS (UINT32_MAX - 2)	/* a dictionary wants to see the next token */
#define ELAC_TOKEN_STOP (UINT32_MAX - 1)	/* a position and no lexeme */
#define ELAC_TOKEN_UNKNOWN UINT32_MAX	/* no dictionary knows it: not even a position */
#define ELAC_TOKEN_SPECIAL ELAC_TOKEN_ASKS	/* the first of these */

#define ELAC_STEP_ADVANCE UINT32_MAX	/* in a sequence: the next position; else a lexeme at the present one */

/* A kind of key beside the parser's token types (1 .. 23 in the default parser). */
#define ELAC_KEY_STRETCH 255	/* bytes that the server's parser took apart */
#define ELAC_KEY_TYPE_MAX 254

typedef struct ElacLexeme
{
	uint64		order;			/* its first eight bytes, so that smaller numbers come first */
	const char *bytes;
	uint32		len;			/* 1 .. ELAC_TERM_MAX */
	uint32		stamp;			/* document that has it at ... */
	uint32		place;			/* ... this place of its own list */
} ElacLexeme;

#define ELAC_KEY_INLINE 14		/* keys up to this length lie in the slot */

/*
 * A key is two words: up to 14 bytes, the length, the kind; or a hash, the
 * length, 0xFF, the kind, and then the bytes are compared as well.
 */
typedef struct ElacTokenSlot
{
	uint64		key[2];			/* key[1] = 0: free */
	const char *bytes;			/* of a long key */
	ElacTokenValue value;
	uint32		uses;			/* since the cache was made or made smaller */
} ElacTokenSlot;

typedef struct ElacLexemeCache
{
	Oid			config;
	bool		own_parser;		/* token_parser.c knows this configuration's parser */
	bool		maps_tags;		/* tags have dictionaries */
	uint32		stamp;			/* of the present document */
	uint32		nlexemes;
	uint32		lexemes_room;
	ElacLexeme *lexemes;
	uint32		numbers_mask;	/* places - 1, all ones */
	uint32	   *numbers;		/* hash table of lexemes: number + 1, or 0 */
	uint32		nslots;			/* used */
	uint32		mask;			/* slots - 1, all ones */
	ElacTokenSlot *slots;
	uint32		nsteps;
	uint32		steps_room;
	uint32	   *steps;			/* sequences: number of steps, steps */
	char	   *room;			/* for bytes of keys and lexemes */
	Size		room_left;
	MemoryContext context;		/* of all this */
	MemoryContext work;			/* of the dictionaries, reset after each token */
} ElacLexemeCache;

/* The cache of a configuration, in order and below its bound; to be called once a document. */
extern ElacLexemeCache *elac_lexeme_cache_get(Oid config);

/* Asks the dictionaries about a token and remembers the answer. */
extern ElacTokenValue elac_lexeme_cache_ask(ElacLexemeCache *cache, int type, const char *bytes, uint32 len);

/* The number of a lexeme of 1 .. ELAC_TERM_MAX bytes. */
extern uint32 elac_lexeme_cache_intern(ElacLexemeCache *cache, const char *bytes, uint32 len);

/* A value that stands for these steps. */
extern ElacTokenValue elac_lexeme_cache_sequence(ElacLexemeCache *cache, const uint32 *steps, uint32 nsteps);

/* Remembers the value of a key that is not there yet. */
extern void elac_lexeme_cache_put(ElacLexemeCache *cache, int kind, const char *bytes, uint32 len, ElacTokenValue value);

/* Hash of the bytes of a long key. */
extern uint64 elac_lexeme_cache_hash(const char *bytes, uint32 len);

/* The key of len bytes (> 0), of which all up to end may be read. */
static inline void
elac_lexeme_cache_key(int kind, const char *bytes, uint32 len, const char *end, uint64 key[2])
{
	if (len > ELAC_KEY_INLINE)
	{
		key[0] = elac_lexeme_cache_hash(bytes, len);
		key[1] = (uint64) len | UINT64CONST(0xFF) << 48 | (uint64) kind << 56;
		return;
	}
	if (end - bytes >= 16)
	{
		key[0] = elac_get_u64(bytes);
		key[1] = elac_get_u64(bytes + 8);
		if (len < 8)
			key[0] &= (UINT64CONST(1) << (8 * len)) - 1;
		key[1] = len <= 8 ? 0 : key[1] & ((UINT64CONST(1) << (8 * (len - 8))) - 1);
	}
	else
	{
		key[0] = key[1] = 0;
		memcpy(key, bytes, len);
	}
	key[1] |= (uint64) len << 48 | (uint64) kind << 56;
}

/* Where the search for a key starts. */
static inline uint32
elac_lexeme_cache_start(const uint64 key[2])
{
	uint64		h = (key[0] ^ UINT64CONST(0x9E3779B97F4A7C15)) * UINT64CONST(0xFF51AFD7ED558CCD);

	h = ((h ^ (h >> 32)) + key[1]) * UINT64CONST(0xC4CEB9FE1A85EC53);
	return (uint32) (h >> 32);
}

/* Told before a key is looked for. */
static inline void
elac_lexeme_cache_prefetch(const ElacLexemeCache *cache, const uint64 key[2])
{
	__builtin_prefetch(&cache->slots[elac_lexeme_cache_start(key) & cache->mask]);
}

/* The slot of a key, or the free one where it belongs. */
static inline ElacTokenSlot *
elac_lexeme_cache_slot(const ElacLexemeCache *cache, const uint64 key[2], const char *bytes, uint32 len)
{
	uint32		i = elac_lexeme_cache_start(key) & cache->mask;

	for (;; i = (i + 1) & cache->mask)
	{
		ElacTokenSlot *slot = &cache->slots[i];

		if (slot->key[1] == 0 ||
			(slot->key[0] == key[0] && slot->key[1] == key[1] &&
			 (len <= ELAC_KEY_INLINE || memcmp(slot->bytes, bytes, len) == 0)))
			return slot;
	}
}

/* False when the key is not known; all bytes up to end may be read. */
static inline bool
elac_lexeme_cache_find(const ElacLexemeCache *cache, int kind, const char *bytes, uint32 len, const char *end,
					   ElacTokenValue *value)
{
	uint64		key[2];
	ElacTokenSlot *slot;

	elac_lexeme_cache_key(kind, bytes, len, end, key);
	slot = elac_lexeme_cache_slot(cache, key, bytes, len);
	*value = slot->value;
	slot->uses++;
	return slot->key[1] != 0;
}

#endif							/* ELAC_LEXEME_CACHE_H */
