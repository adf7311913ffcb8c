/*
 * text_writer.c
 *	  Collects the rows of a new segment in memory: a hash table from term to
 *	  postings in order of arrival, turned into a section at the end.
 *
 * Everything lies in one memory context of the writer's; terms, entries and
 * postings in large blocks cut up by arena_alloc(), because half a million
 * palloc headers would cost more than the postings of rare terms.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/varint.h"
#include "text/text_private.h"

#define ARENA_BLOCK (256 * 1024)
#define CHUNK_FIRST 12			/* bytes of postings in a term's first chunk */
#define CHUNK_MAX 4096

/* A piece of a term's postings: (gap << 1 | tf > 1), [tf] as LEB128. */
typedef struct PostingChunk
{
	struct PostingChunk *next;
	uint32		used;
	uint32		room;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} PostingChunk;

typedef struct WriterTerm
{
	const char *bytes;
	uint32		len;
	uint32		hash;
	uint32		df;
	uint32		next_seq;		/* last row that has the term, plus one */
	PostingChunk *first;
	PostingChunk *last;
} WriterTerm;

/* For sorting: most comparisons are decided by the first eight bytes. */
typedef struct SortKey
{
	uint64		prefix;			/* big-endian, zero-padded */
	const WriterTerm *term;
} SortKey;

struct ElacTextWriter
{
	MemoryContext context;
	Size		memory;			/* bytes taken from context */
	uint8	   *arena;			/* rest of the newest block */
	Size		arena_left;
	WriterTerm **slots;			/* open addressing, a power of two */
	uint64		nslots;
	uint64		nterms;
	uint8	   *norms;			/* by seq */
	uint64	   *nulls;			/* bits by seq */
	uint64		rows_room;		/* multiple of 64 */
	uint32		nrows;
};

static void *
writer_alloc(ElacTextWriter *writer, Size size, int flags)
{
	writer->memory += size;
	return MemoryContextAllocExtended(writer->context, size, flags | MCXT_ALLOC_HUGE);
}

static void *
arena_alloc(ElacTextWriter *writer, Size size)
{
	void	   *result;

	size = MAXALIGN(size);
	if (size > writer->arena_left)
	{
		writer->arena_left = Max(size, ARENA_BLOCK);
		writer->arena = writer_alloc(writer, writer->arena_left, 0);
	}
	result = writer->arena;
	writer->arena += size;
	writer->arena_left -= size;
	return result;
}

ElacTextWriter *
elac_text_writer_begin(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text writer", ALLOCSET_DEFAULT_SIZES);
	ElacTextWriter *writer = MemoryContextAllocZero(context, sizeof(ElacTextWriter));

	writer->context = context;
	writer->nslots = 1024;
	writer->slots = writer_alloc(writer, writer->nslots * sizeof(WriterTerm *), MCXT_ALLOC_ZERO);
	return writer;
}

Size
elac_text_writer_memory(const ElacTextWriter *writer)
{
	return writer->memory;
}

/* FNV-1a, stirred so that the low bits depend on all bytes. */
static uint32
hash_term(const char *bytes, uint32 len)
{
	uint64		hash = UINT64CONST(14695981039346656037);

	for (uint32 i = 0; i < len; i++)
		hash = (hash ^ (uint8) bytes[i]) * UINT64CONST(1099511628211);
	return (uint32) ((hash ^ (hash >> 32)) * 0x9E3779B1u) ^ (uint32) (hash >> 17);
}

static void
grow_slots(ElacTextWriter *writer)
{
	uint64		nslots = writer->nslots * 2;
	WriterTerm **slots = writer_alloc(writer, nslots * sizeof(WriterTerm *), MCXT_ALLOC_ZERO);

	for (uint64 i = 0; i < writer->nslots; i++)
	{
		uint64		at;

		if (writer->slots[i] == NULL)
			continue;
		at = writer->slots[i]->hash & (nslots - 1);
		while (slots[at] != NULL)
			at = (at + 1) & (nslots - 1);
		slots[at] = writer->slots[i];
	}
	pfree(writer->slots);
	writer->memory -= writer->nslots * sizeof(WriterTerm *);
	writer->slots = slots;
	writer->nslots = nslots;
}

static WriterTerm *
find_or_add(ElacTextWriter *writer, const char *bytes, uint32 len)
{
	uint32		hash = hash_term(bytes, len);
	uint64		at = hash & (writer->nslots - 1);
	WriterTerm *term;
	char	   *copy;

	while ((term = writer->slots[at]) != NULL)
	{
		if (term->hash == hash && term->len == len && memcmp(term->bytes, bytes, len) == 0)
			return term;
		at = (at + 1) & (writer->nslots - 1);
	}
	term = arena_alloc(writer, sizeof(WriterTerm));
	memset(term, 0, sizeof(*term));
	copy = arena_alloc(writer, len);
	memcpy(copy, bytes, len);
	term->bytes = copy;
	term->len = len;
	term->hash = hash;
	writer->slots[at] = term;
	writer->nterms++;
	if (writer->nterms > writer->nslots - writer->nslots / 4)
		grow_slots(writer);
	return term;
}

static void
append_posting(ElacTextWriter *writer, WriterTerm *term, uint32 seq, uint32 tf)
{
	uint8		packed[2 * ELAC_VARINT_MAX];
	Size		len = elac_varint_put(packed, (uint64) (seq - term->next_seq) << 1 | (tf > 1));
	PostingChunk *chunk = term->last;

	if (tf > 1)
		len += elac_varint_put(packed + len, tf);
	if (chunk == NULL || chunk->room - chunk->used < len)
	{
		uint32		room = chunk == NULL ? CHUNK_FIRST : Min(chunk->room * 2, CHUNK_MAX);

		room = Max(room, (uint32) len);
		chunk = arena_alloc(writer, offsetof(PostingChunk, bytes) + room);
		chunk->next = NULL;
		chunk->used = 0;
		chunk->room = room;
		if (term->last == NULL)
			term->first = chunk;
		else
			term->last->next = chunk;
		term->last = chunk;
	}
	memcpy(chunk->bytes + chunk->used, packed, len);
	chunk->used += (uint32) len;
	term->df++;
	term->next_seq = seq + 1;
}

/* Makes room for one more row's norm and NULL bit. */
static void
grow_rows(ElacTextWriter *writer)
{
	uint64		room = Max(writer->rows_room * 2, 1024);
	uint8	   *norms;
	uint64	   *nulls;

	if (writer->nrows < writer->rows_room)
		return;
	if (writer->nrows >= UINT32_MAX - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment cannot hold more than %u rows", UINT32_MAX - 1)));
	norms = writer_alloc(writer, room, 0);
	nulls = writer_alloc(writer, room / 8, MCXT_ALLOC_ZERO);
	if (writer->nrows > 0)
	{
		memcpy(norms, writer->norms, writer->nrows);
		memcpy(nulls, writer->nulls, writer->rows_room / 8);
		pfree(writer->norms);
		pfree(writer->nulls);
		writer->memory -= writer->rows_room + writer->rows_room / 8;
	}
	writer->norms = norms;
	writer->nulls = nulls;
	writer->rows_room = room;
}

void
elac_text_writer_add(ElacTextWriter *writer, const ElacTermVector *terms)
{
	uint32		seq = writer->nrows;

	grow_rows(writer);
	writer->norms[seq] = elac_length_encode(terms->length);
	if (terms->isnull)
		writer->nulls[seq / 64] |= UINT64CONST(1) << (seq % 64);
	for (uint32 i = 0; i < terms->nterms; i++)
	{
		const ElacTerm *term = &terms->terms[i];

		append_posting(writer, find_or_add(writer, term->bytes, term->len), seq, term->tf);
	}
	writer->nrows++;
}

static int
compare_keys(const void *a, const void *b)
{
	const SortKey *x = a;
	const SortKey *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return elac_term_compare(x->term->bytes, x->term->len, y->term->bytes, y->term->len);
}

/* All terms in order; *max_df gets the largest df. */
static SortKey *
sort_terms(ElacTextWriter *writer, uint32 *max_df)
{
	SortKey    *keys = writer_alloc(writer, Max(writer->nterms, 1) * sizeof(SortKey), 0);
	uint64		n = 0;

	*max_df = 0;
	for (uint64 i = 0; i < writer->nslots; i++)
	{
		const WriterTerm *term = writer->slots[i];
		uint64		prefix = 0;

		if (term == NULL)
			continue;
		for (uint32 j = 0; j < 8; j++)
			prefix = prefix << 8 | (j < term->len ? (uint8) term->bytes[j] : 0);
		keys[n].prefix = prefix;
		keys[n].term = term;
		n++;
		*max_df = Max(*max_df, term->df);
	}
	Assert(n == writer->nterms);
	if (n > 1)
		qsort(keys, n, sizeof(SortKey), compare_keys);
	return keys;
}

/* Decodes a term's postings, renumbered. */
static void
collect_postings(const WriterTerm *term, const ElacDoc *doc_of_seq, ElacPosting *postings)
{
	uint64		seq = 0;
	uint32		n = 0;

	for (const PostingChunk *chunk = term->first; chunk != NULL; chunk = chunk->next)
	{
		const uint8 *src = chunk->bytes;
		const uint8 *end = src + chunk->used;

		while (src < end)
		{
			uint64		gap;
			uint64		tf = 1;

			if (!elac_varint_get(&src, end, &gap) || ((gap & 1) && !elac_varint_get(&src, end, &tf)))
				elog(ERROR, "postings collected in memory are broken");
			seq += gap >> 1;
			postings[n].doc = doc_of_seq ? doc_of_seq[seq] : (ElacDoc) seq;
			postings[n].tf = (uint32) tf;
			postings[n].where = 0;
			n++;
			seq++;
		}
	}
	Assert(n == term->df);
}

void
elac_text_writer_finish(ElacTextWriter *writer, const ElacDoc *doc_of_seq, uint32 ndocs, ElacSectionWriter *out)
{
	uint8	   *norms = writer->norms;
	ElacBitmap	nulls;
	uint32		max_df;
	SortKey    *keys;
	ElacPosting *postings;
	ElacPosting *spare;
	ElacTextEmitter *emitter;

	if (ndocs != writer->nrows)
		elog(ERROR, "text section has %u rows instead of %u", writer->nrows, ndocs);
	keys = sort_terms(writer, &max_df);
	nulls.nbits = ndocs;
	nulls.words = writer->nulls;
	if (doc_of_seq != NULL && ndocs > 0)
	{
		norms = writer_alloc(writer, ndocs, 0);
		nulls.words = writer_alloc(writer, elac_bitmap_words(ndocs) * sizeof(uint64), MCXT_ALLOC_ZERO);
		for (uint32 seq = 0; seq < ndocs; seq++)
		{
			ElacDoc		doc = doc_of_seq[seq];

			if (doc >= ndocs)
				elog(ERROR, "row %u of a text section has document number %u of %u", seq, doc, ndocs);
			norms[doc] = writer->norms[seq];
			if (writer->nulls[seq / 64] >> (seq % 64) & 1)
				elac_bitmap_set(&nulls, doc);
		}
	}
	postings = writer_alloc(writer, Max(max_df, 1) * sizeof(ElacPosting), 0);
	spare = writer_alloc(writer, Max(max_df, 1) * sizeof(ElacPosting), 0);
	emitter = elac_text_emit_begin(out, ndocs, norms, ndocs > 0 ? &nulls : NULL, false);
	for (uint64 i = 0; i < writer->nterms; i++)
	{
		const WriterTerm *term = keys[i].term;

		collect_postings(term, doc_of_seq, postings);
		elac_postings_sort(postings, spare, term->df);
		elac_text_emit_term(emitter, term->bytes, term->len, postings, term->df, NULL);
	}
	elac_text_emit_finish(emitter);
	MemoryContextDelete(writer->context);
}
