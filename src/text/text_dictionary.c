/*
 * text_dictionary.c
 *	  The two dictionaries of a text section: looking terms up, walking them in
 *	  order, all of them or those with a prefix.
 *
 * Owns the reader's decoded blocks, one a dictionary, and its cache of lookups.
 * Nothing is trusted: every offset, length and count is checked before use.
 */
#include "postgres.h"

#include <zstd.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "base/varint.h"
#include "errors.h"
#include "text/text_private.h"

/* True when [offset, offset + len) lies within total. */
static bool
within(uint64 offset, uint64 len, uint64 total)
{
	return offset <= total && len <= total - offset;
}

/* ---- dictionary blocks ---- */

static const ElacTextDictionaryRef *
dictionary_ref(const ElacTextReader *reader, ElacTextTier tier)
{
	return tier == ELAC_TEXT_FREQUENT ? &reader->footer.frequent : &reader->footer.rare;
}

/* Entry number of the block index. */
static void
read_block_ref(ElacTextReader *reader, ElacTextTier tier, uint64 number, ElacTextBlockRef *ref)
{
	const ElacTextDictionaryRef *dictionary = dictionary_ref(reader, tier);
	uint64		total = tier == ELAC_TEXT_FREQUENT ? reader->section.head_len : reader->section.body_len;

	Assert(number < dictionary->nblocks);
	elac_section_read_head(&reader->section, dictionary->index + number * sizeof(ElacTextBlockRef), ref, sizeof(*ref));
	if (!within(ref->offset, (uint64) ref->stored_len + ref->positions_len, total) ||
		!within(ref->separator, ref->separator_len, dictionary->separators_len) ||
		ref->separator_len > ELAC_TERM_MAX ||
		ref->raw_len == 0 || ref->raw_len > ELAC_TEXT_BLOCK_MAX ||
		ref->stored_len == 0 || ref->stored_len > ref->raw_len ||
		(tier == ELAC_TEXT_FREQUENT && ref->stored_len != ref->raw_len) ||
		(ref->positions_len > 0 && (tier == ELAC_TEXT_FREQUENT || !reader->positions)) ||
		ref->nterms == 0 || ref->nterms > ref->raw_len || ref->reserved != 0 ||
		(ref->nterms - 1) / ELAC_TEXT_RESTART * sizeof(uint16) >= ref->raw_len)
		elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary is described wrongly.", number);
}

/*
 * Number of the block that has the term if any has: the last one whose
 * separator is not above it.  False when all are above.  Terms of a query
 * ascend, so the block of the last search is tried first.
 */
static bool
find_block(ElacTextReader *reader, ElacTextTier tier, const char *bytes, uint32 len, uint64 *number)
{
	const ElacTextDictionaryRef *dictionary = dictionary_ref(reader, tier);
	ElacTextRange *range = &reader->range[tier];
	uint64		low = 0;
	uint64		high = dictionary->nblocks;

	if (range->number != PG_UINT64_MAX &&
		elac_term_compare(range->low, range->low_len, bytes, len) <= 0 &&
		(range->high_len == 0 || elac_term_compare(bytes, len, range->high, range->high_len) < 0))
	{
		*number = range->number;
		return true;
	}
	range->number = PG_UINT64_MAX;
	range->high_len = 0;
	/* Blocks below low are not above the term, those from high on are. */
	while (low < high)
	{
		uint64		middle = low + (high - low) / 2;
		ElacTextBlockRef ref;
		char		separator[ELAC_TERM_MAX];

		read_block_ref(reader, tier, middle, &ref);
		elac_section_read_head(&reader->section, dictionary->separators + ref.separator, separator, ref.separator_len);
		if (elac_term_compare(separator, ref.separator_len, bytes, len) <= 0)
		{
			low = middle + 1;
			memcpy(range->low, separator, ref.separator_len);
			range->low_len = ref.separator_len;
		}
		else
		{
			high = middle;
			memcpy(range->high, separator, ref.separator_len);
			range->high_len = ref.separator_len;
		}
	}
	if (low == 0)
		return false;
	range->number = *number = low - 1;
	return true;
}

/* zstd's state, one for the process: to make it takes longer than to decompress a block. */
static ZSTD_DCtx *
decompression(void)
{
	static ZSTD_DCtx *state = NULL;

	if (state == NULL)
		state = ZSTD_createDCtx();
	if (state == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return state;
}

/* Makes block hold block number of a dictionary. */
static void
load_block(ElacTextReader *reader, ElacTextTier tier, uint64 number, ElacTextBlock *block)
{
	ElacTextBlockRef ref;
	size_t		raw_len;

	if (block->number == number)
		return;
	block->number = PG_UINT64_MAX;
	if (block->raw == NULL)
		block->raw = MemoryContextAlloc(reader->context, ELAC_TEXT_BLOCK_MAX);
	read_block_ref(reader, tier, number, &ref);
	if (tier == ELAC_TEXT_FREQUENT)
		elac_section_read_head(&reader->section, ref.offset, block->raw, ref.raw_len);
	else if (ref.stored_len == ref.raw_len)
		elac_section_read_body(&reader->section, ref.offset, block->raw, ref.raw_len);
	else
	{
		if (reader->stored == NULL)
			reader->stored = MemoryContextAlloc(reader->context, ELAC_TEXT_BLOCK_MAX);
		elac_section_read_body(&reader->section, ref.offset, reader->stored, ref.stored_len);
		raw_len = ZSTD_decompressDCtx(decompression(), block->raw, ELAC_TEXT_BLOCK_MAX, reader->stored, ref.stored_len);
		if (ZSTD_isError(raw_len) || raw_len != ref.raw_len)
			elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary cannot be decompressed.", number);
	}
	block->number = number;
	block->nterms = ref.nterms;
	block->nrestarts = (ref.nterms - 1) / ELAC_TEXT_RESTART;
	block->entries_len = ref.raw_len - block->nrestarts * sizeof(uint16);
	block->positions = ref.offset + ref.stored_len;
	block->positions_len = ref.positions_len;
}

/*
 * Reads where a frequent term's list, directory and positions lie: from the
 * start of the section in entries that begin anew, else behind those of the
 * entry before.
 */
static bool
parse_places(const ElacTextReader *reader, bool anew, const uint8 **src, const uint8 *end, ElacTextPlaces *places,
			 ElacTextEntry *entry)
{
	uint64		offset;

	if (!elac_varint_get(src, end, &offset) || !elac_varint_get(src, end, &entry->len) ||
		(anew && !elac_varint_get(src, end, &places->directory)) || !elac_varint_get(src, end, &entry->directory_len))
		return false;
	entry->offset = (anew ? 0 : places->list) + offset;
	entry->directory = places->directory;
	if (entry->offset < offset || !within(entry->offset, entry->len, reader->section.body_len) ||
		!within(entry->directory, entry->directory_len, reader->section.head_len))
		return false;
	places->list = entry->offset + entry->len;
	places->directory += entry->directory_len;
	if (!reader->positions)
		return true;
	if ((anew && !elac_varint_get(src, end, &places->positions)) || !elac_varint_get(src, end, &entry->positions_len))
		return false;
	entry->positions = places->positions;
	if (!within(entry->positions, entry->positions_len, reader->footer.positions_len))
		return false;
	places->positions += entry->positions_len;
	return true;
}

/* Reads a rare term's postings, and where its positions lie behind the block. */
static bool
parse_inline(const ElacTextReader *reader, const ElacTextBlock *block, bool anew, const uint8 **src, const uint8 *end,
			 ElacTextPlaces *places, ElacTextEntry *entry)
{
	uint64		len;

	if (!elac_varint_get(src, end, &len) || len < entry->df || len > (uint64) (end - *src))
		return false;
	entry->inline_bytes = *src;
	entry->inline_len = (uint32) len;
	*src += len;
	if (!reader->positions)
		return true;
	if ((anew && !elac_varint_get(src, end, &places->positions)) || !elac_varint_get(src, end, &len))
		return false;
	entry->positions = places->positions;
	entry->positions_len = len >> 1;
	entry->counted = (len & 1) != 0;
	if (!within(entry->positions, entry->positions_len, block->positions_len))
		return false;
	places->positions += entry->positions_len;
	entry->positions += block->positions;
	return true;
}

/* Reads the payload of entry number i of a block at *src. */
static bool
parse_payload(const ElacTextReader *reader, ElacTextTier tier, const ElacTextBlock *block, uint32 i,
			  const uint8 **src, const uint8 *end, ElacTextPlaces *places, ElacTextEntry *entry)
{
	bool		anew = i % ELAC_TEXT_RESTART == 0;
	uint64		df;

	memset(entry, 0, sizeof(*entry));
	entry->tier = tier;
	if (!elac_varint_get(src, end, &df) || df == 0 || df > reader->footer.ndocs ||
		(df >= ELAC_TEXT_FREQUENT_DF) != (tier == ELAC_TEXT_FREQUENT))
		return false;
	entry->df = (uint32) df;
	return tier == ELAC_TEXT_RARE ? parse_inline(reader, block, anew, src, end, places, entry) :
		parse_places(reader, anew, src, end, places, entry);
}

/* Reads shared and rest of an entry at *src and completes term with them. */
static bool
parse_term(const uint8 **src, const uint8 *end, char *term, uint32 *term_len)
{
	uint64		shared;
	uint64		rest;

	if (!elac_varint_get(src, end, &shared) || !elac_varint_get(src, end, &rest) ||
		shared > *term_len || rest == 0 || rest > ELAC_TERM_MAX - shared || rest > (uint64) (end - *src))
		return false;
	memcpy(term + shared, *src, rest);
	*src += rest;
	*term_len = (uint32) (shared + rest);
	return true;
}

/* The entry from which to walk towards a term: the last restart that is not above it. */
static uint32
find_restart(ElacTextReader *reader, const ElacTextBlock *block, const char *bytes, uint32 len, const uint8 **start)
{
	const uint8 *end = block->raw + block->entries_len;
	uint32		low = 0;
	uint32		high = block->nrestarts;

	*start = block->raw;
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		const uint8 *entry = block->raw + Min(elac_get_u16(end + middle * sizeof(uint16)), block->entries_len);
		const uint8 *src = entry;
		char		term[ELAC_TERM_MAX];
		uint32		term_len = 0;

		if (!parse_term(&src, end, term, &term_len))
			elac_corrupted(reader->name, "Restart %u of block " UINT64_FORMAT " of a text dictionary is malformed.",
						   middle, block->number);
		if (elac_term_compare(term, term_len, bytes, len) <= 0)
		{
			low = middle + 1;
			*start = entry;
		}
		else
			high = middle;
	}
	return low * ELAC_TEXT_RESTART;
}

static bool
lookup_in_tier(ElacTextReader *reader, ElacTextTier tier, const char *bytes, uint32 len, ElacTextEntry *entry)
{
	ElacTextBlock *block = &reader->block[tier];
	uint64		number;
	const uint8 *src;
	const uint8 *end;
	ElacTextPlaces places = {0};
	char		term[ELAC_TERM_MAX];
	uint32		term_len = 0;
	uint32		first;

	if (!find_block(reader, tier, bytes, len, &number))
		return false;
	load_block(reader, tier, number, block);
	first = find_restart(reader, block, bytes, len, &src);
	end = block->raw + block->entries_len;
	for (uint32 i = first; i < Min(block->nterms, first + ELAC_TEXT_RESTART); i++)
	{
		int			cmp;

		if (!parse_term(&src, end, term, &term_len) ||
			!parse_payload(reader, tier, block, i, &src, end, &places, entry))
			elac_corrupted(reader->name, "Entry %u of block " UINT64_FORMAT " of a text dictionary is malformed.", i, number);
		cmp = elac_term_compare(term, term_len, bytes, len);
		if (cmp >= 0)
			return cmp == 0;
	}
	return false;
}

/*
 * ---- what was looked up before ----
 *
 * Statistics and search ask for the same terms, one after the other and in
 * every statement of a session: the answers are kept, of terms that are absent
 * too, with copies of rare terms' postings.  When the cache is full it is
 * emptied.
 */

#define CACHE_SLOTS 4096		/* a power of two, twice the terms kept */
#define CACHE_TERMS (CACHE_SLOTS / 2)
#define CACHE_BYTES (256 * 1024)

typedef struct CachedTerm
{
	uint32		hash;
	uint32		len;
	bool		found;
	ElacTextEntry entry;
	char		bytes[FLEXIBLE_ARRAY_MEMBER];	/* of the term, then of its postings */
} CachedTerm;

struct ElacTextCache
{
	MemoryContext context;		/* the terms' */
	uint32		nterms;
	Size		nbytes;
	CachedTerm *slots[CACHE_SLOTS];
};

static uint32
cache_hash(const char *bytes, uint32 len)
{
	uint64		hash = len;

	while (len >= 8)
	{
		uint64		word;

		memcpy(&word, bytes, 8);
		hash = (hash ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
		bytes += 8;
		len -= 8;
	}
	for (uint32 i = 0; i < len; i++)
		hash = (hash ^ (uint8) bytes[i]) * UINT64CONST(0x100000001B3);
	hash *= UINT64CONST(0x9E3779B97F4A7C15);
	return (uint32) (hash >> 32);
}

/* The slot where the term is, or where it goes. */
static CachedTerm **
cache_slot(struct ElacTextCache *cache, const char *bytes, uint32 len, uint32 hash)
{
	uint32		at = hash % CACHE_SLOTS;

	while (cache->slots[at] != NULL &&
		   (cache->slots[at]->hash != hash || cache->slots[at]->len != len ||
			memcmp(cache->slots[at]->bytes, bytes, len) != 0))
		at = (at + 1) % CACHE_SLOTS;
	return &cache->slots[at];
}

static struct ElacTextCache *
cache_make(ElacTextReader *reader)
{
	struct ElacTextCache *cache = MemoryContextAllocZero(reader->context, sizeof(struct ElacTextCache));

	cache->context = AllocSetContextCreate(reader->context, "elacsym text lookups", ALLOCSET_SMALL_SIZES);
	reader->cache = cache;
	return cache;
}

/* Keeps an answer; an entry of a rare term then points to the copy. */
static void
cache_add(struct ElacTextCache *cache, const char *bytes, uint32 len, uint32 hash, bool found, ElacTextEntry *entry)
{
	uint32		inline_len = found && entry->tier == ELAC_TEXT_RARE ? entry->inline_len : 0;
	Size		size = offsetof(CachedTerm, bytes) + len + inline_len;
	CachedTerm *term;

	if (cache->nterms >= CACHE_TERMS || cache->nbytes + size > CACHE_BYTES)
	{
		MemoryContextReset(cache->context);
		memset(cache->slots, 0, sizeof(cache->slots));
		cache->nterms = 0;
		cache->nbytes = 0;
	}
	term = MemoryContextAlloc(cache->context, size);
	term->hash = hash;
	term->len = len;
	term->found = found;
	memcpy(term->bytes, bytes, len);
	if (inline_len > 0)
	{
		memcpy(term->bytes + len, entry->inline_bytes, inline_len);
		entry->inline_bytes = (const uint8 *) term->bytes + len;
	}
	if (found)
		term->entry = *entry;
	*cache_slot(cache, bytes, len, hash) = term;
	cache->nterms++;
	cache->nbytes += size;
}

bool
elac_text_lookup(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry)
{
	struct ElacTextCache *cache = reader->cache;
	CachedTerm *known;
	uint32		hash;
	bool		found;

	if (len == 0 || len > ELAC_TERM_MAX)
		return false;
	if (cache == NULL)
		cache = cache_make(reader);
	hash = cache_hash(bytes, len);
	known = *cache_slot(cache, bytes, len, hash);
	if (known != NULL)
	{
		if (known->found)
			*entry = known->entry;
		return known->found;
	}
	found = elac_text_lookup_stored(reader, bytes, len, entry);
	cache_add(cache, bytes, len, hash, found, entry);
	return found;
}

/* The same without the cache. */
bool
elac_text_lookup_stored(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry)
{
	return lookup_in_tier(reader, ELAC_TEXT_FREQUENT, bytes, len, entry) ||
		lookup_in_tier(reader, ELAC_TEXT_RARE, bytes, len, entry);
}

bool
elac_text_locate(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry, ElacTextBlockRef *ref)
{
	uint64		number;

	if (len == 0 || len > ELAC_TERM_MAX)
		return false;
	if (lookup_in_tier(reader, ELAC_TEXT_FREQUENT, bytes, len, entry))
		return true;
	memset(entry, 0, sizeof(*entry));
	entry->tier = ELAC_TEXT_RARE;
	if (!find_block(reader, ELAC_TEXT_RARE, bytes, len, &number))
		return false;
	read_block_ref(reader, ELAC_TEXT_RARE, number, ref);
	return true;
}

void
elac_text_rare_block(ElacTextReader *reader, uint64 number, ElacTextBlockRef *ref)
{
	read_block_ref(reader, ELAC_TEXT_RARE, number, ref);
}

bool
elac_text_prefix_blocks(ElacTextReader *reader, const char *prefix, uint32 len, uint64 *first, uint64 *last)
{
	char		beyond[ELAC_TERM_MAX];	/* not below any term with the prefix */

	memset(beyond, 0xFF, sizeof(beyond));
	memcpy(beyond, prefix, len);
	if (!find_block(reader, ELAC_TEXT_RARE, beyond, sizeof(beyond), last))
		return false;
	if (!find_block(reader, ELAC_TEXT_RARE, prefix, len, first))
		*first = 0;
	return *first <= *last;
}

/* ---- walking a dictionary ---- */

void
elac_text_cursor_init(ElacTextCursor *cursor, ElacTextReader *reader, ElacTextTier tier)
{
	memset(cursor, 0, offsetof(ElacTextCursor, term));
	cursor->reader = reader;
	cursor->tier = tier;
	cursor->block.number = PG_UINT64_MAX;
	cursor->done = false;
}

bool
elac_text_cursor_next(ElacTextCursor *cursor)
{
	ElacTextReader *reader = cursor->reader;
	const uint8 *end;

	if (cursor->left == 0)
	{
		if (cursor->next_block >= dictionary_ref(reader, cursor->tier)->nblocks)
		{
			cursor->done = true;
			return false;
		}
		load_block(reader, cursor->tier, cursor->next_block++, &cursor->block);
		cursor->left = cursor->block.nterms;
		memset(&cursor->places, 0, sizeof(cursor->places));
		cursor->src = cursor->block.raw;
		cursor->len = 0;
		CHECK_FOR_INTERRUPTS();
	}
	end = cursor->block.raw + cursor->block.entries_len;
	if (!parse_term(&cursor->src, end, cursor->term, &cursor->len) ||
		!parse_payload(reader, cursor->tier, &cursor->block, cursor->block.nterms - cursor->left, &cursor->src, end,
					   &cursor->places, &cursor->entry))
		elac_corrupted(reader->name, "An entry of block " UINT64_FORMAT " of a text dictionary is malformed.",
					   cursor->block.number);
	cursor->left--;
	if (cursor->left == 0 && cursor->src != end)
		elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary has bytes left over.",
					   cursor->block.number);
	return true;
}

bool
elac_text_cursor_seek(ElacTextCursor *cursor, const char *bytes, uint32 len)
{
	ElacTextReader *reader = cursor->reader;
	uint64		number = 0;

	cursor->left = 0;
	cursor->next_block = 0;
	cursor->done = false;
	if (find_block(reader, cursor->tier, bytes, len, &number))
	{
		uint32		first;

		load_block(reader, cursor->tier, number, &cursor->block);
		first = find_restart(reader, &cursor->block, bytes, len, &cursor->src);
		cursor->next_block = number + 1;
		cursor->left = cursor->block.nterms - first;
		memset(&cursor->places, 0, sizeof(cursor->places));
		cursor->len = 0;
	}
	while (elac_text_cursor_next(cursor))
		if (elac_term_compare(cursor->term, cursor->len, bytes, len) >= 0)
			return true;
	return false;
}

void
elac_text_cursor_close(ElacTextCursor *cursor)
{
	if (cursor->block.raw != NULL)
		pfree(cursor->block.raw);
	cursor->block.raw = NULL;
}

/* ---- terms with a prefix ---- */

void
elac_text_prefix_begin(ElacTextPrefixWalk *walk, ElacTextReader *reader, const char *prefix, uint32 len)
{
	if (len > ELAC_TERM_MAX)
		elog(ERROR, "a prefix of %u bytes is asked for", len);
	for (int tier = 0; tier < 2; tier++)
		elac_text_cursor_init(&walk->cursors[tier], reader, (ElacTextTier) tier);
	walk->started = false;
	walk->at = ELAC_TEXT_FREQUENT;
	walk->prefix_len = len;
	memcpy(walk->prefix, prefix, len);
}

/* A cursor has left the prefix: it is done. */
static void
prefix_check(const ElacTextPrefixWalk *walk, ElacTextCursor *cursor)
{
	if (!cursor->done &&
		(cursor->len < walk->prefix_len || memcmp(cursor->term, walk->prefix, walk->prefix_len) != 0))
		cursor->done = true;
}

bool
elac_text_prefix_next(ElacTextPrefixWalk *walk, ElacTextEntry *entry)
{
	ElacTextCursor *frequent = &walk->cursors[ELAC_TEXT_FREQUENT];
	ElacTextCursor *rare = &walk->cursors[ELAC_TEXT_RARE];
	ElacTextCursor *at = &walk->cursors[walk->at];

	if (!walk->started)
	{
		for (int tier = 0; tier < 2; tier++)
		{
			elac_text_cursor_seek(&walk->cursors[tier], walk->prefix, walk->prefix_len);
			prefix_check(walk, &walk->cursors[tier]);
		}
		walk->started = true;
	}
	else if (!at->done)
	{
		char		last[ELAC_TERM_MAX];
		uint32		last_len = at->len;

		memcpy(last, at->term, last_len);
		if (elac_text_cursor_next(at) && elac_term_compare(last, last_len, at->term, at->len) >= 0)
			elac_text_corrupted_order(at->reader);
		prefix_check(walk, at);
	}
	if (frequent->done && rare->done)
		return false;
	walk->at = rare->done ||
		(!frequent->done && elac_term_compare(frequent->term, frequent->len, rare->term, rare->len) < 0) ?
		ELAC_TEXT_FREQUENT : ELAC_TEXT_RARE;
	at = &walk->cursors[walk->at];
	*entry = at->entry;
	walk->term = at->term;
	walk->len = at->len;
	return true;
}

void
elac_text_prefix_end(ElacTextPrefixWalk *walk)
{
	for (int tier = 0; tier < 2; tier++)
		elac_text_cursor_close(&walk->cursors[tier]);
}
