/*
 * text_writer.c
 *	  Collects rows in memory: for each label of a column a hash table from
 *	  term to postings in order of arrival.  What has been collected is a run:
 *	  it becomes a section, or moves to a file and becomes part of one later
 *	  (text_run.c).
 *
 * Terms and postings lie in large blocks cut up by writer_arena(), because
 * half a million palloc headers would cost more than the postings of rare
 * terms.  A row's terms are looked up together, so that the processor waits
 * for several cache lines at once.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/bytes.h"
#include "text/text_run.h"

#define ARENA_BLOCK_MIN ((Size) 8 * 1024)
#define ARENA_BLOCK_MAX ((Size) 256 * 1024)
#define CHUNK_FIRST 32			/* bytes of a term's first chunk, header included */
#define CHUNK_MAX 4096
#define TERMS_BLOCK 256			/* terms allocated together */
#define TERMS_LINE 64			/* their alignment */
#define SLOTS_MIN 1024
#define LOOKUPS 32				/* terms looked up together */

static void *
writer_alloc(ElacTextWriter *writer, MemoryContext context, Size size, int flags)
{
	writer->memory += size;
	if (context == writer->run_context)
		writer->run_memory += size;
	return MemoryContextAllocExtended(context, size, flags | MCXT_ALLOC_HUGE);
}

/* Blocks grow with what is there, so that a small writer is small. */
static void *
writer_arena(ElacTextWriter *writer, Size size)
{
	void	   *result;

	size = MAXALIGN(size);
	if (size > writer->arena_left)
	{
		Size		block = Min(Max(writer->run_memory / 8, ARENA_BLOCK_MIN), ARENA_BLOCK_MAX);

		writer->arena_left = Max(size, block);
		writer->arena = writer_alloc(writer, writer->run_context, writer->arena_left, 0);
	}
	result = writer->arena;
	writer->arena += size;
	writer->arena_left -= size;
	return result;
}

ElacTextWriter *
elac_text_writer_begin(ElacTextType type, int flags)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text writer", ALLOCSET_DEFAULT_SIZES);
	ElacTextWriter *writer = MemoryContextAllocZero(context, sizeof(ElacTextWriter));

	writer->context = context;
	writer->run_context = AllocSetContextCreate(context, "elacsym text run", ALLOCSET_DEFAULT_SIZES);
	writer->nlabels = type == ELAC_TEXT_TSVECTOR ? ELAC_LABELS : 1;
	writer->positions = (flags & ELAC_TEXT_POSITIONS) != 0;
	return writer;
}

Size
elac_text_writer_memory(const ElacTextWriter *writer)
{
	return writer->memory;
}

uint32
elac_text_writer_nrows(const ElacTextWriter *writer)
{
	return writer->nrows;
}

void
elac_text_writer_reset(ElacTextWriter *writer)
{
	MemoryContextReset(writer->run_context);
	writer->memory -= writer->run_memory;
	writer->run_memory = 0;
	writer->arena = NULL;
	writer->arena_left = 0;
	for (int label = 0; label < writer->nlabels; label++)
	{
		ElacTextTable *table = &writer->tables[label];

		if (table->nslots > 0)
			memset(table->slots, 0, table->nslots * sizeof(ElacTextSlot));
		table->nterms = 0;
		table->blocks = NULL;
		table->blocks_room = 0;
	}
	if (writer->rows_room > 0)
		memset(writer->nulls, 0, writer->rows_room / 8);
	writer->nrows = 0;
}

void
elac_text_writer_end(ElacTextWriter *writer)
{
	MemoryContextDelete(writer->context);
}

/* ---- the table of terms ---- */

/* Eight bytes a step; the low bits, which choose the slot, depend on all of them. */
static inline uint32
hash_term(const char *bytes, uint32 len)
{
	const uint8 *p = (const uint8 *) bytes;
	uint64		hash = len * UINT64CONST(0x9E3779B97F4A7C15);
	uint64		last = 0;

	for (; len >= 8; p += 8, len -= 8)
	{
		hash = (hash ^ elac_get_u64(p)) * UINT64CONST(0xD6E8FEB86659FD93);
		hash ^= hash >> 32;
	}
	if (len >= 4)
		last = (uint64) elac_get_u32(p) << 32 | elac_get_u32(p + len - 4);
	else if (len > 0)
		last = (uint64) p[0] << 16 | (uint64) p[len / 2] << 8 | p[len - 1];
	hash = (hash ^ last) * UINT64CONST(0xD6E8FEB86659FD93);
	return (uint32) (hash >> 32) ^ (uint32) (hash >> 15);
}

static inline ElacTextTerm *
table_term(const ElacTextTable *table, uint32 number)
{
	return &table->blocks[number / TERMS_BLOCK][number % TERMS_BLOCK];
}

static void
table_set_slots(ElacTextWriter *writer, ElacTextTable *table, uint64 nslots)
{
	ElacTextSlot *slots = writer_alloc(writer, writer->context, nslots * sizeof(ElacTextSlot), MCXT_ALLOC_ZERO);

	for (uint64 i = 0; i < table->nslots; i++)
	{
		uint64		at = table->slots[i].hash & (nslots - 1);

		if (table->slots[i].number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & (nslots - 1);
		slots[at] = table->slots[i];
	}
	if (table->nslots > 0)
	{
		pfree(table->slots);
		writer->memory -= table->nslots * sizeof(ElacTextSlot);
	}
	table->slots = slots;
	table->nslots = nslots;
}

/* Room for so many more terms, so that none moves while they are looked up. */
static inline void
table_reserve(ElacTextWriter *writer, ElacTextTable *table, uint32 n)
{
	if (table->nterms + n > table->nslots / 4 * 3)
	{
		if (table->nterms + n >= UINT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a text column of a segment cannot have more than %u distinct lexemes", UINT32_MAX / 2)));
		table_set_slots(writer, table, Max(table->nslots * 2, SLOTS_MIN));
	}
}

static ElacTextTerm *
table_add(ElacTextWriter *writer, ElacTextTable *table, const char *bytes, uint32 len)
{
	uint64		block = table->nterms / TERMS_BLOCK;
	ElacTextTerm *term;

	if (table->nterms % TERMS_BLOCK == 0)
	{
		char	   *terms = writer_alloc(writer, writer->run_context, TERMS_BLOCK * sizeof(ElacTextTerm) + TERMS_LINE, 0);

		if (block == table->blocks_room)
		{
			uint64		room = Max(table->blocks_room * 2, 64);
			ElacTextTerm **blocks = writer_alloc(writer, writer->run_context, room * sizeof(ElacTextTerm *), 0);

			if (block > 0)
			{
				memcpy(blocks, table->blocks, block * sizeof(ElacTextTerm *));
				pfree(table->blocks);
				writer->memory -= block * sizeof(ElacTextTerm *);
				writer->run_memory -= block * sizeof(ElacTextTerm *);
			}
			table->blocks = blocks;
			table->blocks_room = room;
		}
		table->blocks[block] = (ElacTextTerm *) TYPEALIGN(TERMS_LINE, terms);
	}
	term = table_term(table, (uint32) table->nterms);
	table->nterms++;
	memset(term, 0, sizeof(*term));
	term->len = len;
	if (len <= ELAC_TEXT_INLINE)
		memcpy(term->u.inlined, bytes, len);
	else
	{
		char	   *copy = writer_arena(writer, len);

		memcpy(copy, bytes, len);
		term->u.bytes = copy;
	}
	return term;
}

/* The term, from this slot on; made when it is not there. */
static inline ElacTextTerm *
table_find(ElacTextWriter *writer, ElacTextTable *table, uint32 hash, const char *bytes, uint32 len)
{
	uint64		mask = table->nslots - 1;
	uint64		at = hash & mask;

	for (; table->slots[at].number != 0; at = (at + 1) & mask)
	{
		ElacTextTerm *term;

		if (table->slots[at].hash != hash)
			continue;
		term = table_term(table, table->slots[at].number - 1);
		if (term->len == len && memcmp(elac_text_term_bytes(term), bytes, len) == 0)
			return term;
	}
	table->slots[at].hash = hash;
	table->slots[at].number = (uint32) table->nterms + 1;
	return table_add(writer, table, bytes, len);
}

/* ---- postings ---- */

static inline uint8 *
put_number(uint8 *dst, uint64 value)
{
	while (value >= 0x80)
	{
		*dst++ = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	*dst++ = (uint8) value;
	return dst;
}

/* See text_run.h; returns where it ends. */
static inline uint8 *
put_posting(uint8 *dst, uint64 gap, const ElacTerm *from, bool positions)
{
	uint32		before = 0;

	if (!positions)
	{
		dst = put_number(dst, gap << 1 | (from->tf > 1));
		return from->tf > 1 ? put_number(dst, from->tf) : dst;
	}
	dst = put_number(dst, gap << 2 | (uint64) (from->npositions != from->tf) << 1 | (from->tf > 1));
	if (from->tf > 1)
		dst = put_number(dst, from->tf);
	if (from->npositions != from->tf)
		dst = put_number(dst, from->npositions);
	for (uint32 i = 0; i < from->npositions; i++)
	{
		dst = put_number(dst, (uint16) (from->positions[i] - before));
		before = from->positions[i];
	}
	return dst;
}

/* A chunk with room for so many bytes, twice as large as the last one. */
static void
add_chunk(ElacTextWriter *writer, ElacTextTerm *term, Size need)
{
	Size		size = CHUNK_FIRST;
	ElacTextChunk *chunk;

	if (term->last != NULL)
	{
		term->last->used = (uint32) (term->tail - term->last->bytes);
		size = Min((offsetof(ElacTextChunk, bytes) + term->last->used + term->tail_left) * 2, CHUNK_MAX);
	}
	size = MAXALIGN(Max(size, offsetof(ElacTextChunk, bytes) + need));
	chunk = writer_arena(writer, size);
	chunk->next = NULL;
	chunk->used = 0;
	if (term->last == NULL)
		term->first = chunk;
	else
		term->last->next = chunk;
	term->last = chunk;
	term->tail = chunk->bytes;
	term->tail_left = (uint32) (size - offsetof(ElacTextChunk, bytes));
}

static inline void
append_posting(ElacTextWriter *writer, ElacTextTerm *term, uint32 seq, const ElacTerm *from)
{
	uint64		gap = seq - term->next_seq;
	Size		most = 16 + (writer->positions ? from->npositions * 3 : 0);

	Assert(from->tf > 0 && from->npositions <= ELAC_POSITIONS_MAX);
	if (most <= term->tail_left)
	{
		uint8	   *end = put_posting(term->tail, gap, from, writer->positions);

		term->tail_left -= (uint32) (end - term->tail);
		term->tail = end;
	}
	else
	{
		uint8		bytes[ELAC_TEXT_POSTING_MAX];
		uint32		len = (uint32) (put_posting(bytes, gap, from, writer->positions) - bytes);

		if (len > term->tail_left)
			add_chunk(writer, term, len);
		memcpy(term->tail, bytes, len);
		term->tail += len;
		term->tail_left -= len;
	}
	term->df++;
	term->next_seq = seq + 1;
}

/* ---- rows ---- */

/* Makes room for one more row's norms and NULL bit. */
static void
grow_rows(ElacTextWriter *writer)
{
	uint64		room = Max(writer->rows_room * 2, 1024);
	uint64	   *nulls;

	if (writer->nrows < writer->rows_room)
		return;
	if (writer->nrows >= UINT32_MAX - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment cannot hold more than %u rows", UINT32_MAX - 1)));
	nulls = writer_alloc(writer, writer->context, room / 8, MCXT_ALLOC_ZERO);
	if (writer->rows_room > 0)
	{
		memcpy(nulls, writer->nulls, writer->rows_room / 8);
		pfree(writer->nulls);
		writer->memory -= writer->rows_room / 8;
	}
	writer->nulls = nulls;
	for (int label = 0; label < writer->nlabels; label++)
	{
		uint8	   *norms = writer_alloc(writer, writer->context, room, 0);

		if (writer->rows_room > 0)
		{
			memcpy(norms, writer->tables[label].norms, writer->nrows);
			pfree(writer->tables[label].norms);
			writer->memory -= writer->rows_room;
		}
		writer->tables[label].norms = norms;
	}
	writer->rows_room = room;
}

/* Three passes over some terms: where to look, whom one finds there, what is added. */
static void
add_terms(ElacTextWriter *writer, ElacTextTable *table, const ElacTerm *terms, uint32 n)
{
	uint32		hashes[LOOKUPS];
	ElacTextTerm *found[LOOKUPS];
	uint64		mask;

	table_reserve(writer, table, n);
	mask = table->nslots - 1;
	for (uint32 i = 0; i < n; i++)
	{
		hashes[i] = hash_term(terms[i].bytes, terms[i].len);
		__builtin_prefetch(&table->slots[hashes[i] & mask]);
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32		number = table->slots[hashes[i] & mask].number;

		if (number != 0)
			__builtin_prefetch(table_term(table, number - 1));
	}
	for (uint32 i = 0; i < n; i++)
	{
		found[i] = table_find(writer, table, hashes[i], terms[i].bytes, terms[i].len);
		__builtin_prefetch(found[i]->tail);
	}
	for (uint32 i = 0; i < n; i++)
		append_posting(writer, found[i], writer->nrows, &terms[i]);
}

void
elac_text_writer_add(ElacTextWriter *writer, const ElacTermVector *terms)
{
	uint32		seq = writer->nrows;

	grow_rows(writer);
	if (terms->isnull)
		writer->nulls[seq / 64] |= UINT64CONST(1) << (seq % 64);
	for (int label = 0; label < writer->nlabels; label++)
	{
		const ElacTermVector *vector = elac_terms_label(terms, label);
		ElacTextTable *table = &writer->tables[label];

		table->norms[seq] = elac_length_encode(vector->length);
		for (uint32 i = 0; i < vector->nterms; i += LOOKUPS)
			add_terms(writer, table, vector->terms + i, Min(vector->nterms - i, LOOKUPS));
	}
	writer->nrows++;
}

static int
compare_keys(const void *a, const void *b)
{
	const ElacTextKey *x = a;
	const ElacTextKey *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return elac_term_compare(elac_text_term_bytes(x->term), x->term->len, elac_text_term_bytes(y->term), y->term->len);
}

ElacTextKey *
elac_text_writer_sort(ElacTextWriter *writer, int label)
{
	ElacTextTable *table = &writer->tables[label];
	ElacTextKey *keys = palloc_extended((table->nterms + 1) * sizeof(ElacTextKey), MCXT_ALLOC_HUGE);

	for (uint64 i = 0; i < table->nterms; i++)
	{
		ElacTextTerm *term = table_term(table, (uint32) i);

		term->last->used = (uint32) (term->tail - term->last->bytes);
		keys[i].prefix = elac_text_term_prefix(elac_text_term_bytes(term), term->len);
		keys[i].term = term;
	}
	if (table->nterms > 1)
		qsort(keys, table->nterms, sizeof(ElacTextKey), compare_keys);
	return keys;
}
