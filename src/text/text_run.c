/*
 * text_run.c
 *	  Moves what a text writer has collected into a temporary file, and writes
 *	  sections out of runs, in memory or in files: terms are merged in byte
 *	  order, postings renumbered by the callers' maps.
 *
 * Owns no file: whoever opened it closes it when the section has been written.
 * Memory: a buffer for each run in a file, and one term's postings.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/varint.h"
#include "text/text_run.h"

#define BUFFER_MIN ((Size) 8 * 1024)	/* holds a term and its numbers, or the longest posting */
#define BUFFER_MAX ((Size) 256 * 1024)
#define NORMS_PIECE 8192		/* length codes read at once */
#define KEYS_AHEAD 8			/* terms asked of memory before their turn */

/* One run of one label, standing at a term. */
typedef struct RunCursor
{
	const ElacDoc *doc_of_seq;	/* NULL: as they come */
	uint64		left;			/* terms behind this one */
	/* the term; bytes lie in the writer or in copy */
	uint64		prefix;
	const char *bytes;
	uint32		len;
	uint32		df;

	ElacTextKey *keys;			/* in memory; NULL in a file */
	const ElacTextKey *key;		/* the next one */

	ElacTextRunFile *file;
	uint64		offset;			/* of what is to be read next */
	uint64		end;			/* where the label's part of the run ends */
	uint64		stream_left;	/* bytes of the term's postings still to be taken */
	uint8	   *buffer;
	Size		room;
	Size		at;				/* taken so far */
	Size		filled;
	char	   *copy;
} RunCursor;

typedef struct RunMerge
{
	ElacTextRunSource *sources;
	int			nsources;
	bool		positions;		/* runs have them */
	uint32		ndocs;
	uint8	   *norms;
	ElacBitmap	nulls;
	int			ncursors;		/* that are not at their ends: a heap by term, then source */
	RunCursor **heap;
	RunCursor  *cursors;
	/* the term at hand */
	uint64		n;
	uint64		room;
	ElacPosting *postings;
	uint64		spare_room;
	ElacPosting *spare;
	uint64		npositions;
	uint64		positions_room;
	uint16	   *where;
	bool		sorted;
} RunMerge;

pg_noreturn static void
run_damaged(void)
{
	elog(ERROR, "postings collected for a text section are damaged");
}

/* ---- into a file ---- */

static void
file_write(ElacTextRunFile *file, const void *bytes, Size len)
{
	BufFileWrite(file->file, unconstify(void *, bytes), len);
	file->size += len;
}

static void
file_write_term(ElacTextRunFile *file, const ElacTextTerm *term)
{
	uint8		numbers[3 * ELAC_VARINT_MAX];
	Size		len = elac_varint_put(numbers, term->len);
	uint64		stream = 0;

	for (const ElacTextChunk *chunk = term->first; chunk != NULL; chunk = chunk->next)
		stream += chunk->used;
	len += elac_varint_put(numbers + len, term->df);
	len += elac_varint_put(numbers + len, stream);
	file_write(file, numbers, len);
	file_write(file, elac_text_term_bytes(term), term->len);
	for (const ElacTextChunk *chunk = term->first; chunk != NULL; chunk = chunk->next)
		file_write(file, chunk->bytes, chunk->used);
}

void
elac_text_writer_spill(ElacTextWriter *writer, ElacTextRunFile *file, ElacTextRun *run)
{
	memset(run, 0, sizeof(*run));
	run->nrows = writer->nrows;
	run->start = file->size;
	file_write(file, writer->nulls, elac_bitmap_words(writer->nrows) * sizeof(uint64));
	for (int label = 0; label < writer->nlabels; label++)
	{
		ElacTextTable *table = &writer->tables[label];
		ElacTextKey *keys = elac_text_writer_sort(writer, label);

		file_write(file, table->norms, writer->nrows);
		run->nterms[label] = table->nterms;
		for (uint64 i = 0; i < table->nterms; i++)
		{
			if (i % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			if (i + KEYS_AHEAD < table->nterms)
			{
				__builtin_prefetch(keys[i + KEYS_AHEAD].term);
				__builtin_prefetch(keys[i + KEYS_AHEAD / 2].term->first);
			}
			file_write_term(file, keys[i].term);
		}
		run->end[label] = file->size;
		pfree(keys);
	}
	elac_text_writer_reset(writer);
}

/* ---- out of a file ---- */

/* Where a label's length codes lie; its terms follow. */
static uint64
run_norms(const ElacTextRun *run, int label)
{
	return label == 0 ? run->start + elac_bitmap_words(run->nrows) * sizeof(uint64) : run->end[label - 1];
}

static void
file_read(ElacTextRunFile *file, uint64 offset, void *dst, Size len)
{
	if (offset + len > file->size ||
		BufFileSeek(file->file, 0, (off_t) offset, SEEK_SET) != 0 ||
		BufFileRead(file->file, dst, len) != len)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file of a text section: %m")));
}

/* Has need bytes in the buffer, or all that are left; returns how many there are. */
static inline Size
cursor_fill(RunCursor *cursor, Size need)
{
	Size		have = cursor->filled - cursor->at;
	Size		more;

	if (have >= need || cursor->offset == cursor->end)
		return have;
	memmove(cursor->buffer, cursor->buffer + cursor->at, have);
	more = (Size) Min(cursor->room - have, cursor->end - cursor->offset);
	file_read(cursor->file, cursor->offset, cursor->buffer + have, more);
	cursor->offset += more;
	cursor->at = 0;
	cursor->filled = have + more;
	return cursor->filled;
}

/* Moves to the run's next term; false at the end. */
static bool
cursor_next(RunCursor *cursor)
{
	if (cursor->left == 0)
		return false;
	cursor->left--;
	if (cursor->key != NULL)
	{
		const ElacTextTerm *term = cursor->key->term;

		if (cursor->left >= KEYS_AHEAD)
		{
			__builtin_prefetch(cursor->key[KEYS_AHEAD].term);
			__builtin_prefetch(cursor->key[KEYS_AHEAD / 2].term->first);
		}
		cursor->prefix = cursor->key->prefix;
		cursor->bytes = elac_text_term_bytes(term);
		cursor->len = term->len;
		cursor->df = term->df;
		cursor->key++;
	}
	else
	{
		Size		have = cursor_fill(cursor, ELAC_TERM_MAX + 3 * ELAC_VARINT_MAX);
		const uint8 *src = cursor->buffer + cursor->at;
		const uint8 *end = src + have;
		uint64		len;
		uint64		df;

		if (!elac_varint_get(&src, end, &len) || !elac_varint_get(&src, end, &df) ||
			!elac_varint_get(&src, end, &cursor->stream_left) || len == 0 || len > ELAC_TERM_MAX || end - src < len ||
			df == 0 || df > UINT32_MAX)
			run_damaged();
		memcpy(cursor->copy, src, len);
		cursor->bytes = cursor->copy;
		cursor->len = (uint32) len;
		cursor->df = (uint32) df;
		cursor->prefix = elac_text_term_prefix(cursor->bytes, cursor->len);
		cursor->at = src + len - cursor->buffer;
	}
	return true;
}

/* ---- postings ---- */

/* Grows an array to at least need elements; what is in it stays. */
static void *
merge_reserve(void *array, uint64 *room, uint64 need, Size size)
{
	uint64		wanted = Max(need, *room * 2);

	if (need <= *room)
		return array;
	array = array == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, wanted * size) :
		repalloc_huge(array, wanted * size);
	*room = wanted;
	return array;
}

static inline const uint8 *
get_number(const uint8 *src, const uint8 *end, uint64 *value)
{
	if (src < end && *src < 0x80)
	{
		*value = *src;
		return src + 1;
	}
	if (!elac_varint_get(&src, end, value))
		run_damaged();
	return src;
}

/*
 * Takes the postings that begin before stop (and end before end), which has
 * been made room for; *next is the row that a gap of 0 means.
 */
static const uint8 *
merge_take(RunMerge *merge, const ElacDoc *doc_of_seq, const uint8 *src, const uint8 *stop, const uint8 *end, uint64 *next)
{
	const int	shift = merge->positions ? 2 : 1;
	ElacDoc		last = merge->n > 0 ? merge->postings[merge->n - 1].doc : 0;
	uint64		seq = *next;

	while (src < stop)
	{
		ElacPosting *posting = &merge->postings[merge->n];
		uint16	   *where = merge->positions ? merge->where + merge->npositions : NULL;
		uint64		first;
		uint64		tf = 1;
		uint64		npositions = 0;
		uint64		at = 0;

		src = get_number(src, end, &first);
		if (first & 1)
			src = get_number(src, end, &tf);
		if (merge->positions)
			npositions = tf;
		if (merge->positions && (first & 2))
			src = get_number(src, end, &npositions);
		if (npositions > ELAC_POSITIONS_MAX)
			run_damaged();
		for (uint64 i = 0; i < npositions; i++)
		{
			uint64		step;

			src = get_number(src, end, &step);
			at += step;
			where[i] = (uint16) at;
		}
		seq += (first >> shift) + 1;
		posting->doc = doc_of_seq == NULL ? (ElacDoc) (seq - 1) : doc_of_seq[seq - 1];
		if (posting->doc == ELAC_INVALID_DOC)
			continue;
		posting->tf = (uint32) tf;
		posting->where = elac_posting_where(merge->npositions, (uint32) npositions);
		merge->sorted &= merge->n == 0 || posting->doc > last;
		last = posting->doc;
		merge->npositions += npositions;
		merge->n++;
	}
	*next = seq;
	return src;
}

/* Appends the postings of the cursor's term. */
static void
merge_append(RunMerge *merge, RunCursor *cursor)
{
	uint64		next = 0;

	merge->postings = merge_reserve(merge->postings, &merge->room, merge->n + cursor->df, sizeof(ElacPosting));
	if (cursor->key != NULL)
	{
		for (const ElacTextChunk *chunk = cursor->key[-1].term->first; chunk != NULL; chunk = chunk->next)
		{
			const uint8 *end = chunk->bytes + chunk->used;

			if (merge->positions)
				merge->where = merge_reserve(merge->where, &merge->positions_room, merge->npositions + chunk->used,
											 sizeof(uint16));
			merge_take(merge, cursor->doc_of_seq, chunk->bytes, end, end, &next);
		}
		return;
	}
	while (cursor->stream_left > 0)
	{
		Size		have = cursor_fill(cursor, (Size) Min(cursor->stream_left, ELAC_TEXT_POSTING_MAX));
		const uint8 *src = cursor->buffer + cursor->at;
		const uint8 *end = src + Min(have, cursor->stream_left);
		const uint8 *stop = have >= cursor->stream_left ? end : end - ELAC_TEXT_POSTING_MAX + 1;
		const uint8 *taken;

		if (stop <= src)
			run_damaged();
		if (merge->positions)
			merge->where = merge_reserve(merge->where, &merge->positions_room, merge->npositions + (end - src),
										 sizeof(uint16));
		taken = merge_take(merge, cursor->doc_of_seq, src, stop, end, &next);
		cursor->at += taken - src;
		cursor->stream_left -= taken - src;
	}
}

/* ---- the heap of cursors ---- */

static inline int
cursor_compare_terms(const RunCursor *a, const RunCursor *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return elac_term_compare(a->bytes, a->len, b->bytes, b->len);
}

static inline bool
cursor_before(const RunCursor *a, const RunCursor *b)
{
	int			cmp = cursor_compare_terms(a, b);

	return cmp < 0 || (cmp == 0 && a < b);
}

static void
heap_down(RunMerge *merge, int at)
{
	RunCursor  *moving = merge->heap[at];

	for (;;)
	{
		int			child = at * 2 + 1;

		if (child >= merge->ncursors)
			break;
		if (child + 1 < merge->ncursors && cursor_before(merge->heap[child + 1], merge->heap[child]))
			child++;
		if (cursor_before(moving, merge->heap[child]))
			break;
		merge->heap[at] = merge->heap[child];
		at = child;
	}
	merge->heap[at] = moving;
}

/* Moves the first cursor on and puts it where it belongs. */
static void
heap_advance(RunMerge *merge)
{
	if (!cursor_next(merge->heap[0]))
		merge->heap[0] = merge->heap[--merge->ncursors];
	if (merge->ncursors > 0)
		heap_down(merge, 0);
}

static void
merge_open_cursors(RunMerge *merge, int label, Size memory)
{
	Size		room = Min(Max(memory / Max(merge->nsources, 1), BUFFER_MIN), BUFFER_MAX);

	merge->ncursors = 0;
	for (int i = 0; i < merge->nsources; i++)
	{
		ElacTextRunSource *source = &merge->sources[i];
		RunCursor  *cursor = &merge->cursors[i];

		memset(cursor, 0, sizeof(*cursor));
		cursor->doc_of_seq = source->doc_of_seq;
		if (source->writer != NULL)
		{
			cursor->left = source->writer->tables[label].nterms;
			cursor->key = cursor->keys = elac_text_writer_sort(source->writer, label);
		}
		else
		{
			cursor->left = source->run.nterms[label];
			cursor->file = source->file;
			cursor->offset = run_norms(&source->run, label) + source->run.nrows;
			cursor->end = source->run.end[label];
			cursor->room = room;
			cursor->buffer = palloc(room);
			cursor->copy = palloc(ELAC_TERM_MAX);
		}
		if (cursor_next(cursor))
			merge->heap[merge->ncursors++] = cursor;
	}
	for (int i = merge->ncursors / 2 - 1; i >= 0; i--)
		heap_down(merge, i);
}

/* ---- norms and NULLs ---- */

static void
merge_place_norms(RunMerge *merge, const ElacDoc *doc_of_seq, uint32 first, uint32 n, const uint8 *norms)
{
	for (uint32 i = 0; i < n; i++)
	{
		ElacDoc		doc = doc_of_seq == NULL ? first + i : doc_of_seq[first + i];

		if (doc == ELAC_INVALID_DOC)
			continue;
		if (doc >= merge->ndocs)
			elog(ERROR, "row %u of a text section has document number %u of %u", first + i, doc, merge->ndocs);
		merge->norms[doc] = norms[i];
	}
}

static void
merge_place_nulls(RunMerge *merge, const ElacTextRunSource *source, const uint64 *words, uint32 nrows)
{
	for (uint32 seq = 0; seq < nrows; seq++)
	{
		if (words[seq / 64] == 0)
			seq |= 63;
		else if (words[seq / 64] >> (seq % 64) & 1)
		{
			ElacDoc		doc = source->doc_of_seq == NULL ? seq : source->doc_of_seq[seq];

			if (doc != ELAC_INVALID_DOC)
				elac_bitmap_set(&merge->nulls, doc);
		}
	}
}

/* Length codes of a label; with label D the NULLs. */
static void
merge_load_norms(RunMerge *merge, int label)
{
	memset(merge->norms, 0, merge->ndocs);
	for (int i = 0; i < merge->nsources; i++)
	{
		ElacTextRunSource *source = &merge->sources[i];
		uint32		nrows = source->run.nrows;
		Size		null_bytes = elac_bitmap_words(nrows) * sizeof(uint64);
		uint64		offset;
		uint8		piece[NORMS_PIECE];

		CHECK_FOR_INTERRUPTS();
		if (source->writer != NULL)
		{
			merge_place_norms(merge, source->doc_of_seq, 0, source->writer->nrows, source->writer->tables[label].norms);
			if (label == ELAC_LABEL_D)
				merge_place_nulls(merge, source, source->writer->nulls, source->writer->nrows);
			continue;
		}
		offset = run_norms(&source->run, label);
		for (uint32 first = 0; first < nrows;)
		{
			uint32		n = Min(nrows - first, NORMS_PIECE);

			file_read(source->file, offset + first, piece, n);
			merge_place_norms(merge, source->doc_of_seq, first, n, piece);
			first += n;
		}
		if (label == ELAC_LABEL_D && nrows > 0)
		{
			uint64	   *words = palloc_extended(null_bytes, MCXT_ALLOC_HUGE);

			file_read(source->file, source->run.start, words, null_bytes);
			merge_place_nulls(merge, source, words, nrows);
			pfree(words);
		}
	}
}

/* ---- sections ---- */

static void
merge_label(RunMerge *merge, int label, Size memory, ElacSectionWriter *out)
{
	ElacTextEmitter *emitter;

	merge_load_norms(merge, label);
	merge_open_cursors(merge, label, memory);
	emitter = elac_text_emit_begin(out, merge->ndocs, merge->norms,
								   label == ELAC_LABEL_D && merge->ndocs > 0 ? &merge->nulls : NULL, merge->positions);
	while (merge->ncursors > 0)
	{
		char		term[ELAC_TERM_MAX];
		RunCursor	at = *merge->heap[0];

		memcpy(term, at.bytes, at.len);
		at.bytes = term;
		merge->n = 0;
		merge->npositions = 0;
		merge->sorted = true;
		do
		{
			merge_append(merge, merge->heap[0]);
			heap_advance(merge);
		} while (merge->ncursors > 0 && cursor_compare_terms(merge->heap[0], &at) == 0);
		if (merge->n == 0)
			continue;
		if (!merge->sorted)
		{
			merge->spare = merge_reserve(merge->spare, &merge->spare_room, merge->n, sizeof(ElacPosting));
			elac_postings_sort(merge->postings, merge->spare, (uint32) merge->n);
		}
		elac_text_emit_term(emitter, term, at.len, merge->postings, (uint32) merge->n, merge->where);
	}
	elac_text_emit_finish(emitter);
	for (int i = 0; i < merge->nsources; i++)
	{
		RunCursor  *cursor = &merge->cursors[i];

		if (cursor->keys != NULL)
			pfree(cursor->keys);
		else
		{
			pfree(cursor->buffer);
			pfree(cursor->copy);
		}
	}
}

void
elac_text_write_runs(ElacTextType type, int flags, ElacTextRunSource *sources, int nsources, uint32 ndocs,
					 Size memory, ElacSectionWriter *out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text runs", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacTextLabelWriter labels;
	RunMerge	merge;

	memset(&merge, 0, sizeof(merge));
	merge.sources = sources;
	merge.nsources = nsources;
	merge.positions = (flags & ELAC_TEXT_POSITIONS) != 0;
	merge.ndocs = ndocs;
	merge.norms = palloc_extended(Max(ndocs, 1), MCXT_ALLOC_HUGE);
	merge.nulls.nbits = ndocs;
	merge.nulls.words = palloc_extended(Max(elac_bitmap_words(ndocs), 1) * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	merge.cursors = palloc_extended(Max(nsources, 1) * sizeof(RunCursor), MCXT_ALLOC_HUGE);
	merge.heap = palloc_extended(Max(nsources, 1) * sizeof(RunCursor *), MCXT_ALLOC_HUGE);
	if (type == ELAC_TEXT_TSVECTOR)
	{
		elac_text_labels_begin(&labels, out);
		for (int label = 0; label < ELAC_LABELS; label++)
		{
			merge_label(&merge, label, memory, out);
			elac_text_labels_next(&labels);
		}
		elac_text_labels_finish(&labels);
	}
	else
		merge_label(&merge, ELAC_LABEL_D, memory, out);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
elac_text_writer_finish(ElacTextWriter *writer, const ElacDoc *doc_of_seq, uint32 ndocs, ElacSectionWriter *out)
{
	ElacTextRunSource source = {0};

	if (ndocs != writer->nrows)
		elog(ERROR, "text section has %u rows instead of %u", writer->nrows, ndocs);
	source.writer = writer;
	source.doc_of_seq = doc_of_seq;
	elac_text_write_runs(writer->nlabels > 1 ? ELAC_TEXT_TSVECTOR : ELAC_TEXT_PLAIN,
						 writer->positions ? ELAC_TEXT_POSITIONS : 0, &source, 1, ndocs, 0, out);
	elac_text_writer_end(writer);
}
