/*
 * lane_texts.c
 *	  The texts of a lane's rows, inverted, as this process keeps them from
 *	  query to query.
 *
 * Owns copies only: for each label of each text column a list of the rows that
 * have a term, found by a hash table of all terms of the lane, and the rows'
 * lengths.  Takes no locks and reads nothing itself (lane_reader.c does).
 *
 * Memory: all lanes together take TEXTS_BYTES at most.  What nobody holds goes
 * first, the least recently used first; a lane that then does not fit is not
 * kept, or not beyond the rows read so far, and its readers parse its rows.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "lsm/lane_reader.h"
#include "lsm/lane_texts.h"

#define TEXTS_BYTES ((Size) 64 * 1024 * 1024)
#define TEXTS_PER_BYTE 4		/* memory for a byte of the texts chain, before anything is known */
#define TERM_CHUNK 16384		/* bytes of terms allocated at a time */
#define FIRST_ROWS 64
#define FIRST_SLOTS 1024		/* a power of two */
#define FIRST_POSITIONS 1024

struct ElacLaneTexts
{
	dlist_node	node;			/* in texts_cache, most recently used first; unless dropped */
	MemoryContext context;
	Oid			relid;
	uint8		uuid[16];
	uint64		id;				/* of the docs chain */
	int			holders;
	bool		dropped;		/* goes with its last holder */
	bool		torn;			/* a row is there in part: an error came between */
	Size		nbytes;

	int			nfields;		/* labels of all text columns */
	int			first_field[ELAC_MAX_COLUMNS];	/* of label D; text columns */
	int			ncolumns;		/* text columns */
	int			ordinal[ELAC_MAX_COLUMNS];	/* text columns: 0 .. ncolumns - 1 */
	ElacFieldStats *stats;		/* of all rows read, by field */

	uint32		nrows;
	uint32		rows_room;
	uint32	   *lengths;		/* nfields a row */
	bool	   *isnull;			/* ncolumns a row */

	uint32		nterms;
	uint32		terms_room;
	ElacLaneTerm *terms;
	uint32		nslots;			/* a power of two, more than 4/3 of the terms */
	uint32	   *slots;			/* number of a term + 1; 0: free */
	char	   *term_bytes;		/* room for more */
	Size		term_bytes_left;

	Size		npositions;		/* the first one is not used */
	Size		positions_room;
	uint16	   *positions;		/* of a posting: how many, then so many */
};

static dlist_head texts_cache = DLIST_STATIC_INIT(texts_cache);
static Size texts_bytes = 0;	/* of all in texts_cache */

/* ---- what is kept ---- */

static void
texts_drop(ElacLaneTexts *texts)
{
	if (!texts->dropped)
	{
		dlist_delete(&texts->node);
		texts_bytes -= texts->nbytes;
		texts->dropped = true;
	}
	if (texts->holders == 0)
		MemoryContextDelete(texts->context);
}

static void
texts_measure(ElacLaneTexts *texts)
{
	texts_bytes -= texts->nbytes;
	texts->nbytes = MemoryContextMemAllocated(texts->context, true);
	texts_bytes += texts->nbytes;
}

/* Whether a lane may take so many bytes; makes room for them where it can. */
static bool
texts_admit(ElacLaneTexts *texts, Size needed)
{
	dlist_node *node = dlist_tail_node(&texts_cache);

	if (needed > TEXTS_BYTES)
		return false;
	while (node != NULL && texts_bytes - texts->nbytes + needed > TEXTS_BYTES)
	{
		ElacLaneTexts *other = dlist_container(ElacLaneTexts, node, node);

		node = dlist_has_prev(&texts_cache, node) ? dlist_prev_node(&texts_cache, node) : NULL;
		if (other != texts && other->holders == 0)
			texts_drop(other);
	}
	return texts_bytes - texts->nbytes + needed <= TEXTS_BYTES;
}

static ElacLaneTexts *
texts_find(const uint8 *uuid, const ElacLane *lane)
{
	dlist_iter	iter;

	dlist_foreach(iter, &texts_cache)
	{
		ElacLaneTexts *texts = dlist_container(ElacLaneTexts, node, iter.cur);

		if (texts->id != lane->docs.id || memcmp(texts->uuid, uuid, sizeof(texts->uuid)) != 0)
			continue;
		if (!texts->torn)
			return texts;
		texts_drop(texts);
		return NULL;
	}
	return NULL;
}

static ElacLaneTexts *
texts_create(Relation index, const uint8 *uuid, const ElacSchema *schema, const ElacLane *lane)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym lane texts", ALLOCSET_DEFAULT_SIZES);
	ElacLaneTexts *texts = MemoryContextAllocZero(context, sizeof(ElacLaneTexts));

	texts->context = context;
	texts->relid = RelationGetRelid(index);
	memcpy(texts->uuid, uuid, sizeof(texts->uuid));
	texts->id = lane->docs.id;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].kind != ELAC_COLUMN_TEXT)
			continue;
		texts->ordinal[i] = texts->ncolumns++;
		texts->first_field[i] = texts->nfields;
		texts->nfields += schema->columns[i].element == ELAC_TEXT_TSVECTOR ? ELAC_LABELS : 1;
	}
	texts->stats = MemoryContextAllocZero(context, Max(texts->nfields, 1) * sizeof(ElacFieldStats));
	texts->nslots = FIRST_SLOTS;
	texts->slots = MemoryContextAllocZero(context, FIRST_SLOTS * sizeof(uint32));
	texts->npositions = 1;
	/* complete: from here on it stays */
	MemoryContextSetParent(context, CacheMemoryContext);
	dlist_push_head(&texts_cache, &texts->node);
	texts_measure(texts);
	return texts;
}

/* ---- adding rows ---- */

/* Room for `needed` elements of an array that has room for *room. */
static void *
texts_grow(MemoryContext context, void *array, Size *room, Size needed, Size first, Size element)
{
	Size		wanted = Max(*room, first);

	if (array != NULL && needed <= *room)
		return array;
	while (wanted < needed)
		wanted = mul_size(wanted, 2);
	array = array == NULL ? MemoryContextAllocHuge(context, mul_size(wanted, element))
		: repalloc_huge(array, mul_size(wanted, element));
	*room = wanted;
	return array;
}

static uint32
term_head(const char *bytes, uint32 len)
{
	uint32		head = 0;

	for (uint32 i = 0; i < sizeof(uint32); i++)
		head = head << 8 | (i < len ? (uint8) bytes[i] : 0);
	return head;
}

static inline uint32
term_hash(int field, const char *bytes, uint32 len)
{
	return hash_bytes((const unsigned char *) bytes, (int) len) ^ (uint32) field * 0x9E3779B1;
}

/* The slot of a term, or the free one where it belongs. */
static inline uint32 *
texts_slot(const ElacLaneTexts *texts, int field, const char *bytes, uint32 len, uint32 hash)
{
	for (uint32 i = hash;; i++)
	{
		uint32	   *slot = &texts->slots[i & (texts->nslots - 1)];
		const ElacLaneTerm *term;

		if (*slot == 0)
			return slot;
		term = &texts->terms[*slot - 1];
		if (term->hash == hash && term->len == len && term->field == field && memcmp(term->bytes, bytes, len) == 0)
			return slot;
	}
}

/* Twice as many slots. */
static void
texts_rehash(ElacLaneTexts *texts)
{
	uint32		nslots = texts->nslots * 2;
	uint32	   *slots = MemoryContextAllocExtended(texts->context, nslots * sizeof(uint32),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 t = 0; t < texts->nterms; t++)
	{
		uint32		i = texts->terms[t].hash;

		while (slots[i & (nslots - 1)] != 0)
			i++;
		slots[i & (nslots - 1)] = t + 1;
	}
	pfree(texts->slots);
	texts->slots = slots;
	texts->nslots = nslots;
}

static const char *
texts_copy_bytes(ElacLaneTexts *texts, const char *bytes, uint32 len)
{
	char	   *copy;

	if (texts->term_bytes_left < len)
	{
		texts->term_bytes = MemoryContextAlloc(texts->context, TERM_CHUNK);
		texts->term_bytes_left = TERM_CHUNK;
	}
	copy = memcpy(texts->term_bytes, bytes, len);
	texts->term_bytes += len;
	texts->term_bytes_left -= len;
	return copy;
}

/* The term, made when it is new. */
static ElacLaneTerm *
texts_term(ElacLaneTexts *texts, int field, const char *bytes, uint32 len)
{
	uint32		hash = term_hash(field, bytes, len);
	uint32	   *slot = texts_slot(texts, field, bytes, len, hash);
	ElacLaneTerm *term;
	Size		room = texts->terms_room;

	if (*slot != 0)
		return &texts->terms[*slot - 1];
	if (texts->nterms >= texts->nslots / 4 * 3)
	{
		texts_rehash(texts);
		slot = texts_slot(texts, field, bytes, len, hash);
	}
	texts->terms = texts_grow(texts->context, texts->terms, &room, (Size) texts->nterms + 1, FIRST_SLOTS,
							  sizeof(ElacLaneTerm));
	texts->terms_room = (uint32) room;
	term = &texts->terms[texts->nterms];
	memset(term, 0, sizeof(ElacLaneTerm));
	term->bytes = texts_copy_bytes(texts, bytes, len);
	term->hash = hash;
	term->head = term_head(bytes, len);
	term->len = (uint16) len;
	term->field = (uint8) field;
	term->room = 1;
	*slot = ++texts->nterms;
	return term;
}

/* Where the positions of a posting are kept. */
static uint32
texts_copy_positions(ElacLaneTexts *texts, const ElacTerm *term)
{
	Size		at = texts->npositions;

	if (term->npositions == 0)
		return 0;
	texts->positions = texts_grow(texts->context, texts->positions, &texts->positions_room,
								  at + 1 + term->npositions, FIRST_POSITIONS, sizeof(uint16));
	texts->positions[at] = (uint16) term->npositions;
	memcpy(&texts->positions[at + 1], term->positions, term->npositions * sizeof(uint16));
	texts->npositions += 1 + term->npositions;
	return (uint32) at;
}

static void
texts_add_posting(ElacLaneTexts *texts, ElacLaneTerm *term, const ElacLanePosting *posting)
{
	if (term->npostings < term->room && term->room == 1)
		term->postings.one = *posting;
	else
	{
		if (term->room == 1)
		{
			ElacLanePosting *many = MemoryContextAlloc(texts->context, 4 * sizeof(ElacLanePosting));

			many[0] = term->postings.one;
			term->postings.many = many;
			term->room = 4;
		}
		else if (term->npostings == term->room)
		{
			term->postings.many = repalloc_huge(term->postings.many, mul_size(2 * (Size) term->room, sizeof(ElacLanePosting)));
			term->room *= 2;
		}
		term->postings.many[term->npostings] = *posting;
	}
	term->npostings++;
}

/* The next row's lexemes of one label of one column. */
static void
texts_add_vector(ElacLaneTexts *texts, int field, const ElacTermVector *vector)
{
	ElacFieldStats *stats = &texts->stats[field];

	texts->lengths[(Size) texts->nrows * texts->nfields + field] = vector->length;
	if (vector->nterms > 0)
	{
		stats->ndocs++;
		stats->total_length += vector->length;
	}
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		const ElacTerm *term = &vector->terms[i];
		ElacLanePosting posting;

		posting.row = texts->nrows;
		posting.tf = term->tf;
		posting.positions = texts_copy_positions(texts, term);
		texts_add_posting(texts, texts_term(texts, field, term->bytes, term->len), &posting);
	}
}

/* terms by position in the schema. */
static void
texts_add_row(ElacLaneTexts *texts, const ElacSchema *schema, const ElacTermVector *terms)
{
	Size		room = texts->rows_room;

	texts->torn = true;
	texts->lengths = texts_grow(texts->context, texts->lengths, &room, (Size) texts->nrows + 1, FIRST_ROWS,
								Max(texts->nfields, 1) * sizeof(uint32));
	room = texts->rows_room;
	texts->isnull = texts_grow(texts->context, texts->isnull, &room, (Size) texts->nrows + 1, FIRST_ROWS,
							   Max(texts->ncolumns, 1) * sizeof(bool));
	texts->rows_room = (uint32) room;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		int			nlabels = schema->columns[i].element == ELAC_TEXT_TSVECTOR ? ELAC_LABELS : 1;

		if (schema->columns[i].kind != ELAC_COLUMN_TEXT)
			continue;
		texts->isnull[(Size) texts->nrows * texts->ncolumns + texts->ordinal[i]] = terms[i].isnull;
		for (int label = 0; label < nlabels; label++)
			texts_add_vector(texts, texts->first_field[i] + label, elac_terms_label(&terms[i], label));
	}
	texts->nrows++;
	texts->torn = false;
}

/* Reads rows that have come; false when not all of them are to be kept. */
static bool
texts_read(ElacLaneTexts *texts, Relation index, const ElacRowType *type, const ElacLane *lane, const ElacLaneRows *rows)
{
	ElacLaneReader *reader;
	MemoryContext work;
	Size		needed;
	Size		others;

	if (texts->nrows >= lane->ndocs)
		return true;
	needed = texts->nrows > 0 ? texts->nbytes / texts->nrows * lane->ndocs
		: mul_size((Size) lane->texts.npages * ELAC_PAGE_DATA, TEXTS_PER_BYTE);
	if (!texts_admit(texts, needed))
		return false;
	work = AllocSetContextCreate(CurrentMemoryContext, "elacsym lane texts read", ALLOCSET_DEFAULT_SIZES);
	reader = elac_lane_reader_begin(index, type, lane);
	others = texts_bytes - texts->nbytes;
	while (texts->nrows < lane->ndocs && others + MemoryContextMemAllocated(texts->context, false) <= TEXTS_BYTES)
	{
		MemoryContext old = MemoryContextSwitchTo(work);
		ElacTermVector terms[ELAC_MAX_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		elac_lane_reader_texts(reader, elac_lane_rows_header(rows, texts->nrows), terms);
		texts_add_row(texts, type->schema, terms);
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	elac_lane_reader_end(reader);
	MemoryContextDelete(work);
	texts_measure(texts);
	return texts->nrows >= lane->ndocs;
}

ElacLaneTexts *
elac_lane_texts_hold(Relation index, const uint8 *uuid, const ElacRowType *type, const ElacLane *lane,
					 const ElacLaneRows *rows)
{
	ElacLaneTexts *texts = texts_find(uuid, lane);

	if (texts == NULL)
		texts = texts_create(index, uuid, type->schema, lane);
	else
		dlist_move_head(&texts_cache, &texts->node);
	if (!texts_read(texts, index, type, lane, rows))
		return NULL;
	texts->holders++;
	return texts;
}

void
elac_lane_texts_unhold(ElacLaneTexts *texts)
{
	Assert(texts->holders > 0);
	if (--texts->holders == 0 && texts->dropped)
		MemoryContextDelete(texts->context);
}

void
elac_lane_texts_forget_others(Relation index, const uint8 *uuid, const uint64 *ids, int nids)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &texts_cache)
	{
		ElacLaneTexts *texts = dlist_container(ElacLaneTexts, node, iter.cur);
		bool		stays = texts->holders > 0 || texts->relid != RelationGetRelid(index);

		for (int i = 0; i < nids && !stays; i++)
			stays = texts->id == ids[i] && memcmp(texts->uuid, uuid, sizeof(texts->uuid)) == 0;
		if (!stays)
			texts_drop(texts);
	}
}

/* ---- reading ---- */

const ElacLaneTerm *
elac_lane_texts_find(const ElacLaneTexts *texts, int column, int label, const char *bytes, uint32 len)
{
	int			field = texts->first_field[column] + label;
	uint32	   *slot = texts_slot(texts, field, bytes, len, term_hash(field, bytes, len));

	return *slot == 0 ? NULL : &texts->terms[*slot - 1];
}

const ElacLaneTerm *
elac_lane_texts_next(const ElacLaneTexts *texts, int column, int label, const char *prefix, uint32 len, uint32 *at)
{
	int			field = texts->first_field[column] + label;
	uint32		nhead = Min(len, sizeof(uint32));
	uint32		mask = nhead == 0 ? 0 : PG_UINT32_MAX << 8 * (sizeof(uint32) - nhead);
	uint32		head = term_head(prefix, len) & mask;

	while (*at < texts->nterms)
	{
		const ElacLaneTerm *term = &texts->terms[(*at)++];

		if ((term->head & mask) == head && term->field == field && term->len >= len &&
			memcmp(term->bytes, prefix, len) == 0)
			return term;
	}
	return NULL;
}

uint32
elac_lane_term_count(const ElacLaneTerm *term, uint32 nrows)
{
	const ElacLanePosting *postings = elac_lane_term_postings(term);
	uint32		n = term->npostings;

	/* rows that came after the caller's snapshot are few */
	while (n > 0 && postings[n - 1].row >= nrows)
		n--;
	return n;
}

ElacFieldStats
elac_lane_texts_stats(const ElacLaneTexts *texts, int column, int label, uint32 nrows)
{
	int			field = texts->first_field[column] + label;
	ElacFieldStats stats = texts->stats[field];

	for (uint32 row = nrows; row < texts->nrows; row++)
	{
		uint32		length = texts->lengths[(Size) row * texts->nfields + field];

		stats.total_length -= length;
		stats.ndocs -= length > 0 ? 1 : 0;
	}
	return stats;
}

uint32
elac_lane_texts_length(const ElacLaneTexts *texts, uint32 row, int column, int label)
{
	Assert(row < texts->nrows);
	return texts->lengths[(Size) row * texts->nfields + texts->first_field[column] + label];
}

bool
elac_lane_texts_isnull(const ElacLaneTexts *texts, uint32 row, int column)
{
	Assert(row < texts->nrows);
	return texts->isnull[(Size) row * texts->ncolumns + texts->ordinal[column]];
}

const uint16 *
elac_lane_texts_positions(const ElacLaneTexts *texts, uint32 positions, uint32 *n)
{
	if (positions == 0)
	{
		*n = 0;
		return NULL;
	}
	*n = texts->positions[positions];
	return &texts->positions[positions + 1];
}
