/*
 * text_merge.c
 *	  Merges text sections into one: dictionaries term by term in byte order,
 *	  postings renumbered by the callers' maps.  Dropped documents leave no
 *	  trace, so the statistics are those of a fresh build.
 *
 * Memory: the postings of one term, twice, and their positions, a length code
 * and a NULL bit per document, one dictionary block per source and tier.  The
 * labels of a labelled column are merged one after the other.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "text/text_private.h"

#define NORMS_PIECE 8192		/* length codes read at once */

typedef struct MergeState
{
	ElacTextReader **sources;
	const ElacDoc *const *maps;
	int			nsources;
	uint32		ndocs;
	ElacTextCursor *cursors;	/* of source i: 2i and 2i + 1 */
	uint8	   *norms;
	ElacBitmap	nulls;
	ElacPosting *postings;
	ElacPosting *spare;
	uint64		room;			/* of both */
	bool		with_positions;
	ElacTextPositions positions;
} MergeState;

/* Carries a source's length codes and NULL bits over. */
static void
merge_norms(MergeState *state, int source)
{
	ElacTextReader *reader = state->sources[source];
	const ElacDoc *map = state->maps[source];
	uint32		ndocs = reader->footer.ndocs;
	ElacBitmap	nulls;
	uint8		piece[NORMS_PIECE];

	nulls.nbits = ndocs;
	nulls.words = palloc_extended(Max(elac_bitmap_words(ndocs), 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	elac_text_null_docs(reader, &nulls);
	for (uint32 first = 0; first < ndocs;)
	{
		uint32		n = Min(ndocs - first, NORMS_PIECE);

		elac_text_norms(reader, first, n, piece);
		for (uint32 i = 0; i < n; i++)
		{
			ElacDoc		to = map[first + i];

			if (to == ELAC_INVALID_DOC)
				continue;
			if (to >= state->ndocs)
				elog(ERROR, "document %u of a merge is to become number %u of %u", first + i, to, state->ndocs);
			state->norms[to] = piece[i];
			if (elac_bitmap_get(&nulls, first + i))
				elac_bitmap_set(&state->nulls, to);
		}
		first += n;
		CHECK_FOR_INTERRUPTS();
	}
	pfree(nulls.words);
}

/* The cursor with the smallest term, NULL when all are at their ends. */
static ElacTextCursor *
smallest_cursor(MergeState *state)
{
	ElacTextCursor *smallest = NULL;

	for (int i = 0; i < state->nsources * 2; i++)
	{
		ElacTextCursor *cursor = &state->cursors[i];

		if (!cursor->done &&
			(smallest == NULL || elac_term_compare(cursor->term, cursor->len, smallest->term, smallest->len) < 0))
			smallest = cursor;
	}
	return smallest;
}

static void
reserve_postings(MergeState *state, uint64 need)
{
	uint64		room = Max(need, state->room * 2);

	if (need <= state->room)
		return;
	if (state->room > 0)
	{
		pfree(state->spare);
		state->postings = repalloc_huge(state->postings, room * sizeof(ElacPosting));
	}
	else
		state->postings = MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(ElacPosting));
	state->spare = MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(ElacPosting));
	state->room = room;
}

/* Appends what is left of the cursor's postings to the n there are; returns how many there are then. */
static uint64
append_postings(MergeState *state, const ElacTextCursor *cursor, uint64 n)
{
	const ElacDoc *map = state->maps[(cursor - state->cursors) / 2];
	uint32		df = cursor->entry.df;
	uint64		kept = n;

	reserve_postings(state, n + df);
	elac_text_postings(cursor->reader, &cursor->entry, state->postings + n,
					   state->with_positions ? &state->positions : NULL);
	for (uint64 i = n; i < n + df; i++)
	{
		ElacPosting posting = state->postings[i];

		posting.doc = map[posting.doc];
		if (posting.doc != ELAC_INVALID_DOC)
			state->postings[kept++] = posting;
	}
	return kept;
}

/* Moves a cursor on, whose terms must ascend: a damaged source must not make the merge write nonsense. */
static void
advance_cursor(ElacTextCursor *cursor, const char *term, uint32 len)
{
	if (elac_text_cursor_next(cursor) && elac_term_compare(term, len, cursor->term, cursor->len) >= 0)
		elac_text_corrupted_order(cursor->reader);
}

static void
merge_terms(MergeState *state, ElacTextEmitter *emitter)
{
	ElacTextCursor *smallest;
	char		term[ELAC_TERM_MAX];

	while ((smallest = smallest_cursor(state)) != NULL)
	{
		uint32		len = smallest->len;
		uint64		n = 0;

		state->positions.n = 0;
		memcpy(term, smallest->term, len);
		for (int i = 0; i < state->nsources * 2; i++)
		{
			ElacTextCursor *cursor = &state->cursors[i];

			if (cursor->done || elac_term_compare(cursor->term, cursor->len, term, len) != 0)
				continue;
			n = append_postings(state, cursor, n);
			advance_cursor(cursor, term, len);
		}
		if (n > state->ndocs)
			elac_text_corrupted_order(smallest->reader);
		if (n > 0)
		{
			elac_postings_sort(state->postings, state->spare, (uint32) n);
			for (uint64 i = 1; i < n; i++)
				if (state->postings[i].doc == state->postings[i - 1].doc)
					elac_text_corrupted_order(smallest->reader);
			elac_text_emit_term(emitter, term, len, state->postings, (uint32) n, state->positions.values);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/* Merges sections without labels. */
static void
merge_plain(ElacTextReader **sources, const ElacDoc *const *maps, int nsources, uint32 ndocs, ElacSectionWriter *out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text merge", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MergeState	state;
	ElacTextEmitter *emitter;

	memset(&state, 0, sizeof(state));
	state.sources = sources;
	state.maps = maps;
	state.nsources = nsources;
	state.ndocs = ndocs;
	state.with_positions = nsources > 0 && sources[0]->positions;
	state.norms = palloc_extended(Max(ndocs, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	state.nulls.nbits = ndocs;
	state.nulls.words = palloc_extended(Max(elac_bitmap_words(ndocs), 1) * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < nsources; i++)
		merge_norms(&state, i);
	state.cursors = palloc(sizeof(ElacTextCursor) * Max(nsources, 1) * 2);
	for (int i = 0; i < nsources * 2; i++)
	{
		elac_text_cursor_init(&state.cursors[i], sources[i / 2], (ElacTextTier) (i % 2));
		elac_text_cursor_next(&state.cursors[i]);
	}
	emitter = elac_text_emit_begin(out, ndocs, state.norms, &state.nulls, state.with_positions);
	merge_terms(&state, emitter);
	elac_text_emit_finish(emitter);
	for (int i = 0; i < nsources * 2; i++)
		elac_text_cursor_close(&state.cursors[i]);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
elac_text_merge(ElacTextReader **sources, const ElacDoc *const *maps, int nsources, uint32 ndocs, ElacSectionWriter *out)
{
	bool		labelled = nsources > 0 && sources[0]->labels[0] != NULL;
	ElacTextReader **parts;
	ElacTextLabelWriter labels;

	/* A column is indexed in one way for ever: its sections are alike. */
	for (int i = 1; i < nsources; i++)
		if ((sources[i]->labels[0] != NULL) != labelled || sources[i]->positions != sources[0]->positions)
			elac_corrupted(sources[i]->name, "Text sections of one column differ in labels or positions.");
	if (!labelled)
	{
		merge_plain(sources, maps, nsources, ndocs, out);
		return;
	}
	parts = palloc(nsources * sizeof(ElacTextReader *));
	elac_text_labels_begin(&labels, out);
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		for (int i = 0; i < nsources; i++)
			parts[i] = elac_text_label(sources[i], label);
		merge_plain(parts, maps, nsources, ndocs, out);
		elac_text_labels_next(&labels);
	}
	elac_text_labels_finish(&labels);
	pfree(parts);
}
