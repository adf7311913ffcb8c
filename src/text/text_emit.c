/*
 * text_emit.c
 *	  Writes a text section from terms handed over in order: dictionary blocks,
 *	  posting lists, norms, footer.  The bytes depend on terms, postings, norms
 *	  and NULLs alone, so a merge writes what a fresh build would.
 *
 * Owns the open block and the block index of each dictionary (one entry per
 * block); callers own postings, norms and NULLs.
 */
#include "postgres.h"

#include <zstd.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/varint.h"
#include "text/text_private.h"

#define ZSTD_LEVEL 3

/* One dictionary being written. */
typedef struct DictionaryWriter
{
	ElacTextTier tier;
	uint8	   *raw;			/* the open block, ELAC_TEXT_BLOCK_MAX bytes of room */
	uint32		raw_len;
	uint32		block_terms;
	uint16		restarts[ELAC_TEXT_BLOCK_MAX / ELAC_TEXT_RESTART];	/* an entry has more than one byte */
	uint32		nrestarts;
	char		last[ELAC_TERM_MAX];	/* last term added */
	uint32		last_len;
	uint64		nterms;
	ElacTextBlockRef *refs;
	uint64		nblocks;
	uint64		capacity;
	char	   *separators;
	uint64		separators_len;
	uint64		separators_room;
	ElacTextPlaces places;		/* where those of the entry before end */
	ElacTextBytes positions;	/* of the open block's terms, rare ones */
} DictionaryWriter;

struct ElacTextEmitter
{
	MemoryContext context;
	ElacSectionWriter *out;
	bool		positions;
	uint64		head_start;
	uint64		body_start;
	uint32		ndocs;
	const uint8 *norms;
	const ElacBitmap *nulls;
	DictionaryWriter dictionary[2];
	uint8	   *stored;			/* room for a compressed block */
	Size		stored_room;
	ElacTextPacked packed;		/* the list being written */
	ElacTextBytes chunk;		/* of positions, not yet written */
	uint64	   *chunks;			/* where those written begin */
	uint64		nchunks;
	uint64		chunks_room;
	uint64		npostings;
	uint64		total_length;
};

ElacTextEmitter *
elac_text_emit_begin(ElacSectionWriter *out, uint32 ndocs, const uint8 *norms, const ElacBitmap *nulls, bool positions)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text section", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTextEmitter *emitter = palloc0(sizeof(ElacTextEmitter));

	emitter->context = context;
	emitter->out = out;
	emitter->positions = positions;
	emitter->head_start = elac_blob_tell(out->head);
	emitter->body_start = elac_blob_tell(out->body);
	emitter->ndocs = ndocs;
	emitter->norms = norms;
	emitter->nulls = nulls;
	for (int tier = 0; tier < 2; tier++)
	{
		emitter->dictionary[tier].tier = (ElacTextTier) tier;
		emitter->dictionary[tier].raw = palloc(ELAC_TEXT_BLOCK_MAX);
		emitter->dictionary[tier].positions.context = context;
	}
	emitter->packed.data.context = emitter->packed.stream.context = emitter->packed.directory.context = context;
	emitter->chunk.context = context;
	emitter->stored_room = ZSTD_compressBound(ELAC_TEXT_BLOCK_MAX);
	emitter->stored = palloc(emitter->stored_room);
	MemoryContextSwitchTo(old);
	return emitter;
}

/* Grows a palloc'd array to at least need elements of size bytes. */
static void *
grow(MemoryContext context, void *array, uint64 *room, uint64 need, Size size)
{
	uint64		wanted = Max(*room * 2, Max(need, 64));
	void	   *result;

	if (need <= *room)
		return array;
	if (array == NULL)
		result = MemoryContextAllocHuge(context, wanted * size);
	else
		result = repalloc_huge(array, wanted * size);
	*room = wanted;
	return result;
}

/* Writes the open block, compressed when that saves an eighth, and closes it. */
static void
close_block(ElacTextEmitter *emitter, DictionaryWriter *dictionary)
{
	ElacTextBlockRef *ref;
	const uint8 *bytes = dictionary->raw;
	Size		len;

	if (dictionary->block_terms == 0)
		return;
	Assert(dictionary->raw_len + dictionary->nrestarts * sizeof(uint16) <= ELAC_TEXT_BLOCK_MAX);
	memcpy(dictionary->raw + dictionary->raw_len, dictionary->restarts, dictionary->nrestarts * sizeof(uint16));
	dictionary->raw_len += dictionary->nrestarts * sizeof(uint16);
	len = dictionary->raw_len;
	ref = &dictionary->refs[dictionary->nblocks - 1];
	if (dictionary->tier == ELAC_TEXT_RARE)
	{
		size_t		compressed = ZSTD_compress(emitter->stored, emitter->stored_room, bytes, len, ZSTD_LEVEL);

		if (!ZSTD_isError(compressed) && compressed < len - len / 8)
		{
			bytes = emitter->stored;
			len = compressed;
		}
		ref->offset = elac_blob_tell(emitter->out->body) - emitter->body_start;
		elac_blob_write(emitter->out->body, bytes, len);
		ref->positions_len = (uint32) dictionary->positions.len;
		if (dictionary->positions.len > 0)
			elac_blob_write(emitter->out->body, dictionary->positions.bytes, dictionary->positions.len);
		dictionary->positions.len = 0;
	}
	else
	{
		ref->offset = elac_blob_tell(emitter->out->head) - emitter->head_start;
		elac_blob_write(emitter->out->head, bytes, len);
	}
	ref->stored_len = (uint32) len;
	ref->raw_len = (uint16) dictionary->raw_len;
	ref->nterms = (uint16) dictionary->block_terms;
	dictionary->raw_len = 0;
	dictionary->block_terms = 0;
	dictionary->nrestarts = 0;
}

static uint32
shared_prefix(const char *a, uint32 alen, const char *b, uint32 blen)
{
	uint32		n = Min(alen, blen);
	uint32		i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* Opens a block whose first term is this one. */
static void
open_block(ElacTextEmitter *emitter, DictionaryWriter *dictionary, const char *bytes, uint32 len, uint32 shared)
{
	/* As much of the term as sets it apart from the one before; nothing in the first block. */
	uint32		separator_len = dictionary->nterms == 0 ? 0 : shared + 1;
	ElacTextBlockRef *ref;

	dictionary->refs = grow(emitter->context, dictionary->refs, &dictionary->capacity,
							dictionary->nblocks + 1, sizeof(ElacTextBlockRef));
	ref = &dictionary->refs[dictionary->nblocks++];
	memset(ref, 0, sizeof(*ref));
	ref->separator = dictionary->separators_len;
	ref->separator_len = (uint16) separator_len;
	if (separator_len == 0)
		return;
	dictionary->separators = grow(emitter->context, dictionary->separators, &dictionary->separators_room,
								  dictionary->separators_len + separator_len, 1);
	memcpy(dictionary->separators + dictionary->separators_len, bytes, separator_len);
	dictionary->separators_len += separator_len;
}

/*
 * Adds the term to a dictionary; returns where its payload goes (room for the
 * largest).  The caller adds what it wrote to raw_len.
 */
static uint8 *
add_term(ElacTextEmitter *emitter, DictionaryWriter *dictionary, const char *bytes, uint32 len)
{
	uint32		target = dictionary->tier == ELAC_TEXT_RARE ? ELAC_TEXT_RARE_TARGET : ELAC_TEXT_FREQUENT_TARGET;
	uint32		shared = shared_prefix(dictionary->last, dictionary->last_len, bytes, len);
	uint8	   *dst;

	if (shared == len || (dictionary->nterms > 0 &&
						  elac_term_compare(dictionary->last, dictionary->last_len, bytes, len) >= 0))
		elog(ERROR, "terms of a text section are out of order");
	if (dictionary->raw_len >= target || dictionary->positions.len >= ELAC_TEXT_POSITIONS_TARGET)
		close_block(emitter, dictionary);
	if (dictionary->block_terms == 0)
	{
		open_block(emitter, dictionary, bytes, len, shared);
		shared = 0;
	}
	else if (dictionary->block_terms % ELAC_TEXT_RESTART == 0)
	{
		dictionary->restarts[dictionary->nrestarts++] = (uint16) dictionary->raw_len;
		shared = 0;
	}
	dst = dictionary->raw + dictionary->raw_len;
	dst += elac_varint_put(dst, shared);
	dst += elac_varint_put(dst, len - shared);
	memcpy(dst, bytes + shared, len - shared);
	dst += len - shared;
	memcpy(dictionary->last, bytes, len);
	dictionary->last_len = len;
	dictionary->block_terms++;
	dictionary->nterms++;
	return dst;
}

/* The entry that was just added says where things begin. */
static bool
begins_anew(const DictionaryWriter *dictionary)
{
	return (dictionary->block_terms - 1) % ELAC_TEXT_RESTART == 0;
}

/* Appends a rare term's positions; returns their length, and whether they begin with their numbers. */
static uint64
rare_positions(const ElacPosting *postings, uint32 df, const uint16 *positions, ElacTextBytes *to, bool *counted)
{
	uint64		start = to->len;
	bool		some = false;

	*counted = false;
	for (uint32 i = 0; i < df; i++)
	{
		some |= elac_posting_npositions(&postings[i]) > 0;
		*counted |= elac_posting_npositions(&postings[i]) != Min(postings[i].tf, ELAC_POSITIONS_MAX);
	}
	if (!some)
	{
		*counted = false;
		return 0;
	}
	for (uint32 i = 0; i < df && *counted; i++)
	{
		uint8		n = (uint8) elac_posting_npositions(&postings[i]);

		elac_text_bytes_add(to, &n, 1);
	}
	for (uint32 i = 0; i < df; i++)
	{
		const uint16 *from = positions + elac_posting_start(&postings[i]);
		uint32		next = 1;

		for (uint32 j = 0; j < elac_posting_npositions(&postings[i]); j++)
		{
			uint8		packed[ELAC_VARINT_MAX];

			elac_text_bytes_add(to, packed, elac_varint_put(packed, from[j] - next));
			next = (uint32) from[j] + 1;
		}
	}
	return to->len - start;
}

static void
emit_rare(ElacTextEmitter *emitter, const char *bytes, uint32 len, const ElacPosting *postings, uint32 df,
		  const uint16 *positions)
{
	DictionaryWriter *dictionary = &emitter->dictionary[ELAC_TEXT_RARE];
	uint8		packed[ELAC_TEXT_FREQUENT_DF * 2 * ELAC_VARINT_MAX];
	uint8	   *end = packed;
	uint64		next = 0;
	uint8	   *dst;

	for (uint32 i = 0; i < df; i++)
	{
		uint64		gap = postings[i].doc - next;

		end += elac_varint_put(end, gap << 1 | (postings[i].tf > 1));
		if (postings[i].tf > 1)
			end += elac_varint_put(end, postings[i].tf);
		next = (uint64) postings[i].doc + 1;
	}
	dst = add_term(emitter, dictionary, bytes, len);
	dst += elac_varint_put(dst, df);
	dst += elac_varint_put(dst, end - packed);
	memcpy(dst, packed, end - packed);
	dst += end - packed;
	if (emitter->positions)
	{
		bool		counted;
		uint64		start = dictionary->positions.len;
		uint64		positions_len = rare_positions(postings, df, positions, &dictionary->positions, &counted);

		if (begins_anew(dictionary))
			dst += elac_varint_put(dst, start);
		dst += elac_varint_put(dst, positions_len << 1 | counted);
	}
	dictionary->raw_len = (uint32) (dst - dictionary->raw);
	Assert(dictionary->raw_len <= ELAC_TEXT_BLOCK_MAX);
}

/* Writes the chunk of positions that has been collected. */
static void
close_chunk(ElacTextEmitter *emitter)
{
	if (emitter->chunk.len == 0)
		return;
	emitter->chunks = grow(emitter->context, emitter->chunks, &emitter->chunks_room, emitter->nchunks + 1, sizeof(uint64));
	emitter->chunks[emitter->nchunks++] = elac_blob_tell(emitter->out->body) - emitter->body_start;
	elac_blob_write(emitter->out->body, emitter->chunk.bytes, emitter->chunk.len);
	emitter->chunk.len = 0;
}

/* Appends to the stream of positions; returns where that was. */
static uint64
add_to_stream(ElacTextEmitter *emitter, const uint8 *bytes, uint64 len)
{
	uint64		start = emitter->nchunks * ELAC_TEXT_POSITIONS_CHUNK + emitter->chunk.len;

	while (len > 0)
	{
		uint64		n = Min(len, ELAC_TEXT_POSITIONS_CHUNK - emitter->chunk.len);

		elac_text_bytes_add(&emitter->chunk, bytes, n);
		bytes += n;
		len -= n;
		if (emitter->chunk.len == ELAC_TEXT_POSITIONS_CHUNK)
			close_chunk(emitter);
	}
	return start;
}

static void
emit_frequent(ElacTextEmitter *emitter, const char *bytes, uint32 len, const ElacPosting *postings, uint32 df,
			  const uint16 *positions)
{
	DictionaryWriter *dictionary = &emitter->dictionary[ELAC_TEXT_FREQUENT];
	ElacTextPlaces *places = &dictionary->places;
	ElacTextPacked *packed = &emitter->packed;
	uint64		offset;
	uint64		directory;
	uint64		stream;
	uint8	   *dst;
	bool		anew;

	elac_posting_pack(postings, df, emitter->norms, emitter->positions ? positions : NULL, packed);
	/* first, for it may close a block, which lies in the head as directories do */
	dst = add_term(emitter, dictionary, bytes, len);
	anew = begins_anew(dictionary);
	offset = elac_blob_tell(emitter->out->body) - emitter->body_start;
	elac_blob_write(emitter->out->body, packed->data.bytes, packed->data.len);
	directory = elac_blob_tell(emitter->out->head) - emitter->head_start;
	elac_blob_write(emitter->out->head, packed->directory.bytes, packed->directory.len);
	stream = add_to_stream(emitter, packed->stream.bytes, packed->stream.len);
	Assert(anew || (places->directory == directory && places->positions == stream));

	dst += elac_varint_put(dst, df);
	dst += elac_varint_put(dst, anew ? offset : offset - places->list);
	dst += elac_varint_put(dst, packed->data.len);
	if (anew)
		dst += elac_varint_put(dst, directory);
	dst += elac_varint_put(dst, packed->directory.len);
	if (emitter->positions)
	{
		if (anew)
			dst += elac_varint_put(dst, stream);
		dst += elac_varint_put(dst, packed->stream.len);
	}
	places->list = offset + packed->data.len;
	places->directory = directory + packed->directory.len;
	places->positions = stream + packed->stream.len;
	dictionary->raw_len = (uint32) (dst - dictionary->raw);
	Assert(dictionary->raw_len <= ELAC_TEXT_BLOCK_MAX);
}

/* Positions must be what text_format.h can hold. */
static void
check_positions(const ElacPosting *posting, const uint16 *positions)
{
	const uint16 *from = positions + elac_posting_start(posting);

	for (uint32 i = 0; i < elac_posting_npositions(posting); i++)
		if (from[i] == 0 || from[i] > ELAC_POSITION_MAX || (i > 0 && from[i] <= from[i - 1]))
			elog(ERROR, "positions of a text section are out of order");
}

void
elac_text_emit_term(ElacTextEmitter *emitter, const char *bytes, uint32 len, const ElacPosting *postings, uint32 df,
					const uint16 *positions)
{
	static const uint16 nowhere = 0;

	if (df == 0 || len == 0 || len > ELAC_TERM_MAX)
		elog(ERROR, "a term of %u bytes in %u documents cannot be stored", len, df);
	for (uint32 i = 0; i < df; i++)
	{
		if (postings[i].doc >= emitter->ndocs || postings[i].tf == 0 ||
			(i > 0 && postings[i].doc <= postings[i - 1].doc))
			elog(ERROR, "postings of a text section are out of order");
		emitter->total_length += postings[i].tf;
		if (emitter->positions && elac_posting_npositions(&postings[i]) > 0)
			check_positions(&postings[i], positions);
	}
	emitter->npostings += df;
	/* A term without any positions: an array that is not looked at. */
	if (positions == NULL)
		positions = &nowhere;
	if (df >= ELAC_TEXT_FREQUENT_DF)
		emit_frequent(emitter, bytes, len, postings, df, positions);
	else
		emit_rare(emitter, bytes, len, postings, df, positions);
	CHECK_FOR_INTERRUPTS();
}

static void
finish_dictionary(ElacTextEmitter *emitter, DictionaryWriter *dictionary, ElacTextDictionaryRef *ref)
{
	ElacBlobWriter *head = emitter->out->head;

	close_block(emitter, dictionary);
	ref->nterms = dictionary->nterms;
	ref->nblocks = dictionary->nblocks;
	ref->index = elac_blob_tell(head) - emitter->head_start;
	if (dictionary->nblocks > 0)
		elac_blob_write(head, dictionary->refs, dictionary->nblocks * sizeof(ElacTextBlockRef));
	ref->separators = elac_blob_tell(head) - emitter->head_start;
	ref->separators_len = dictionary->separators_len;
	if (dictionary->separators_len > 0)
		elac_blob_write(head, dictionary->separators, dictionary->separators_len);
}

void
elac_text_emit_finish(ElacTextEmitter *emitter)
{
	ElacBlobWriter *head = emitter->out->head;
	ElacTextFooter footer;

	memset(&footer, 0, sizeof(footer));
	footer.trailer.magic = ELAC_TEXT_MAGIC;
	footer.trailer.version = ELAC_TEXT_VERSION;
	footer.trailer.flags = emitter->positions ? ELAC_TEXT_HAS_POSITIONS : 0;
	footer.ndocs = emitter->ndocs;
	footer.npostings = emitter->npostings;
	footer.total_length = emitter->total_length;
	for (int tier = 0; tier < 2; tier++)
		finish_dictionary(emitter, &emitter->dictionary[tier], tier == ELAC_TEXT_FREQUENT ? &footer.frequent : &footer.rare);
	footer.positions_len = emitter->nchunks * ELAC_TEXT_POSITIONS_CHUNK + emitter->chunk.len;
	close_chunk(emitter);
	footer.chunks = elac_blob_tell(head) - emitter->head_start;
	if (emitter->nchunks > 0)
		elac_blob_write(head, emitter->chunks, emitter->nchunks * sizeof(uint64));
	footer.norms = elac_blob_tell(head) - emitter->head_start;
	for (uint32 doc = 0; doc < emitter->ndocs; doc++)
		footer.nscored += emitter->norms[doc] != 0;
	if (footer.nscored > 0)
		elac_blob_write(head, emitter->norms, emitter->ndocs);
	footer.nulls = elac_blob_tell(head) - emitter->head_start;
	if (emitter->nulls != NULL)
		footer.nnull = elac_bitmap_count(emitter->nulls);
	if (footer.nnull > 0)
		elac_blob_write(head, emitter->nulls->words, elac_bitmap_words(emitter->ndocs) * sizeof(uint64));
	footer.body_len = elac_blob_tell(emitter->out->body) - emitter->body_start;
	elac_blob_write(head, &footer, sizeof(footer));
	MemoryContextDelete(emitter->context);
}

/* ---- labelled columns ---- */

void
elac_text_labels_begin(ElacTextLabelWriter *labels, ElacSectionWriter *out)
{
	memset(labels, 0, sizeof(*labels));
	labels->out = out;
	labels->head_start = elac_blob_tell(out->head);
	labels->body_start = elac_blob_tell(out->body);
}

void
elac_text_labels_next(ElacTextLabelWriter *labels)
{
	if (labels->nlabels >= ELAC_LABELS)
		elog(ERROR, "a text column has more than %d labels", ELAC_LABELS);
	labels->head_end[labels->nlabels] = elac_blob_tell(labels->out->head) - labels->head_start;
	labels->body_end[labels->nlabels] = elac_blob_tell(labels->out->body) - labels->body_start;
	labels->nlabels++;
}

void
elac_text_labels_finish(ElacTextLabelWriter *labels)
{
	ElacTextLabelsFooter footer;

	if (labels->nlabels != ELAC_LABELS)
		elog(ERROR, "a text column has %d labels", labels->nlabels);
	memset(&footer, 0, sizeof(footer));
	for (int i = 0; i < ELAC_LABELS; i++)
	{
		footer.head_end[i] = labels->head_end[i];
		footer.body_end[i] = labels->body_end[i];
	}
	footer.trailer.magic = ELAC_TEXT_LABELS_MAGIC;
	footer.trailer.version = ELAC_TEXT_VERSION;
	elac_blob_write(labels->out->head, &footer, sizeof(footer));
}

/* LSD radix sort by doc, eleven bits a pass; short runs by insertion. */
void
elac_postings_sort(ElacPosting *postings, ElacPosting *spare, uint32 n)
{
	ElacPosting *from = postings;
	ElacPosting *to = spare;
	uint32		sorted = 1;

	while (sorted < n && postings[sorted - 1].doc <= postings[sorted].doc)
		sorted++;
	if (sorted >= n)
		return;
	if (n <= 64)
	{
		for (uint32 i = sorted; i < n; i++)
		{
			ElacPosting moving = postings[i];
			uint32		j = i;

			for (; j > 0 && postings[j - 1].doc > moving.doc; j--)
				postings[j] = postings[j - 1];
			postings[j] = moving;
		}
		return;
	}
	for (int shift = 0; shift < 32; shift += 11)
	{
		uint32		start[2048];
		uint32		sum = 0;
		ElacPosting *swap;

		memset(start, 0, sizeof(start));
		for (uint32 i = 0; i < n; i++)
			start[(from[i].doc >> shift) & 2047]++;
		for (int digit = 0; digit < 2048; digit++)
		{
			uint32		count = start[digit];

			start[digit] = sum;
			sum += count;
		}
		for (uint32 i = 0; i < n; i++)
			to[start[(from[i].doc >> shift) & 2047]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	/* Three passes: the result is in spare. */
	memcpy(postings, from, (Size) n * sizeof(ElacPosting));
}
