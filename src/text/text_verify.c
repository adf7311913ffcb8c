/*
 * text_verify.c
 *	  Deep check of a text section: what reading takes on trust is compared
 *	  with what the postings say.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "text/text_eval.h"

typedef struct TextVerify
{
	ElacTextReader *reader;
	ElacTextReader *column;		/* that it is a label of; else itself */
	uint8	   *norms;
	uint64	   *lengths;		/* sum of tf per document */
	uint64		npostings;
	uint64		total_length;
	char		last[2][ELAC_TERM_MAX];	/* by tier */
	uint32		last_len[2];
	uint64		nterms[2];
	ElacTextPositions positions;	/* of the term at hand */
} TextVerify;

/*
 * Pairs of a range of postings: they ascend, each posting is below one of
 * them, and each has the frequency and the length of some posting (not of the
 * same one: pairs may have been joined).
 */
static void
verify_impacts(TextVerify *verify, const ElacPosting *postings, uint32 n, const ElacTextImpact *impacts, uint32 nimpacts)
{
	bool		tf_found[ELAC_TEXT_IMPACTS_MAX] = {false};
	bool		length_found[ELAC_TEXT_IMPACTS_MAX] = {false};
	bool		good = true;

	for (uint32 k = 1; k < nimpacts; k++)
		good &= impacts[k].tf > impacts[k - 1].tf && impacts[k].length_code > impacts[k - 1].length_code;
	for (uint32 i = 0; i < n; i++)
	{
		uint8		length_code = verify->norms[postings[i].doc];
		bool		below = false;

		for (uint32 k = 0; k < nimpacts; k++)
		{
			below |= postings[i].tf <= impacts[k].tf && length_code >= impacts[k].length_code;
			tf_found[k] |= postings[i].tf == impacts[k].tf;
			length_found[k] |= length_code == impacts[k].length_code;
		}
		good &= below;
	}
	for (uint32 k = 0; k < nimpacts; k++)
		good &= tf_found[k] && length_found[k];
	if (!good)
		elac_corrupted(verify->reader->name, "The impacts of a posting list do not fit its postings.");
}

/* Impacts of a list, of its groups and of its blocks. */
static void
verify_list(TextVerify *verify, const ElacTextEntry *entry, const ElacPosting *postings)
{
	ElacPostingList *list = elac_posting_list_open(verify->reader, entry);
	ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];
	uint32		n = elac_posting_list_impacts(list, ELAC_IMPACTS_LIST, 0, impacts);

	verify_impacts(verify, postings, entry->df, impacts, n);
	for (uint32 block = 0; block < list->nblocks; block++)
	{
		uint32		first = block * ELAC_TEXT_BLOCK_DOCS;

		if (block % ELAC_TEXT_GROUP_BLOCKS == 0)
		{
			n = elac_posting_list_impacts(list, ELAC_IMPACTS_GROUP, block / ELAC_TEXT_GROUP_BLOCKS, impacts);
			verify_impacts(verify, postings + first,
						   Min(entry->df - first, ELAC_TEXT_GROUP_BLOCKS * ELAC_TEXT_BLOCK_DOCS), impacts, n);
		}
		n = elac_posting_list_impacts(list, ELAC_IMPACTS_BLOCK, block, impacts);
		verify_impacts(verify, postings + first, Min(entry->df - first, ELAC_TEXT_BLOCK_DOCS), impacts, n);
		CHECK_FOR_INTERRUPTS();
	}
	elac_posting_list_close(list);
}

/* Peaks are postings of the list, and their record bounds all others. */
static void
verify_peaks(TextVerify *verify, const ElacTextEntry *entry, const ElacPosting *postings)
{
	ElacTextPeaks *peaks = palloc(sizeof(ElacTextPeaks));
	ElacPosting *others;
	uint32		nothers = 0;
	uint32		at = 0;
	uint32		n;

	if (!elac_peaks_open(peaks, verify->reader, entry))
	{
		pfree(peaks);
		return;
	}
	others = MemoryContextAllocHuge(CurrentMemoryContext, (Size) entry->df * sizeof(ElacPosting));
	while ((n = elac_peaks_next(peaks)) > 0)
		for (uint32 i = 0; i < n; i++)
		{
			while (at < entry->df && postings[at].doc < peaks->docs[i])
				others[nothers++] = postings[at++];
			if (at == entry->df || postings[at].doc != peaks->docs[i] || postings[at].tf != peaks->tfs[i] ||
				verify->norms[peaks->docs[i]] != peaks->codes[i])
				elac_corrupted(verify->reader->name, "The peaks of a posting list are not its postings.");
			at++;
		}
	while (at < entry->df)
		others[nothers++] = postings[at++];
	verify_impacts(verify, others, nothers, peaks->rest, peaks->nrest);
	elac_peaks_close(peaks);
	pfree(others);
	pfree(peaks);
}

/* Lookups must find the term in this tier, or the other tier would hide it. */
static void
verify_lookup(TextVerify *verify, const ElacTextCursor *cursor)
{
	ElacTextEntry found;

	if (!elac_text_lookup_stored(verify->reader, cursor->term, cursor->len, &found) ||
		found.tier != cursor->tier || found.df != cursor->entry.df)
		elac_corrupted(verify->reader->name, "A term of a text dictionary is not found by its name.");
}

static void
verify_term(TextVerify *verify, const ElacTextCursor *cursor)
{
	const ElacTextEntry *entry = &cursor->entry;
	int			tier = cursor->tier;
	ElacPosting *postings;

	if (verify->nterms[tier] > 0 &&
		elac_term_compare(verify->last[tier], verify->last_len[tier], cursor->term, cursor->len) >= 0)
		elac_text_corrupted_order(verify->reader);
	memcpy(verify->last[tier], cursor->term, cursor->len);
	verify->last_len[tier] = cursor->len;
	verify->nterms[tier]++;
	verify_lookup(verify, cursor);

	postings = MemoryContextAllocHuge(CurrentMemoryContext, (Size) entry->df * sizeof(ElacPosting));
	verify->positions.n = 0;
	elac_text_postings(verify->reader, entry, postings, &verify->positions);
	for (uint32 i = 0; i < entry->df; i++)
	{
		verify->lengths[postings[i].doc] += postings[i].tf;
		verify->total_length += postings[i].tf;
		if (elac_posting_npositions(&postings[i]) > Min(postings[i].tf, ELAC_POSITIONS_MAX))
			elac_corrupted(verify->reader->name, "Document %u has a term at more positions than it occurs.",
						   postings[i].doc);
	}
	verify->npostings += entry->df;
	if (entry->tier == ELAC_TEXT_FREQUENT)
	{
		verify_list(verify, entry, postings);
		verify_peaks(verify, entry, postings);
	}
	pfree(postings);
}

/* Norms, NULLs and the footer's sums. */
static void
verify_documents(TextVerify *verify)
{
	ElacTextReader *reader = verify->reader;
	const ElacTextFooter *footer = &reader->footer;
	uint32		ndocs = footer->ndocs;
	uint64		nscored = 0;
	ElacBitmap	nulls;

	nulls.nbits = ndocs;
	nulls.words = palloc_extended(Max(elac_bitmap_words(ndocs), 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	/* of the column: a document that is NULL has terms of no label */
	elac_text_null_docs(verify->column, &nulls);
	if (verify->column == reader && elac_bitmap_count(&nulls) != footer->nnull)
		elac_corrupted(reader->name, "A text section has %u NULL documents instead of %u.",
					   elac_bitmap_count(&nulls), footer->nnull);
	for (uint32 doc = 0; doc < ndocs; doc++)
	{
		uint64		length = verify->lengths[doc];

		if (length > UINT32_MAX || elac_length_encode((uint32) length) != verify->norms[doc])
			elac_corrupted(reader->name, "Document %u has a length code that does not fit its terms.", doc);
		if (length > 0 && elac_bitmap_get(&nulls, doc))
			elac_corrupted(reader->name, "Document %u is NULL and has terms.", doc);
		nscored += length > 0;
	}
	if (nscored != footer->nscored || verify->npostings != footer->npostings ||
		verify->total_length != footer->total_length ||
		verify->nterms[ELAC_TEXT_FREQUENT] != footer->frequent.nterms ||
		verify->nterms[ELAC_TEXT_RARE] != footer->rare.nterms)
		elac_corrupted(reader->name, "The statistics of a text section do not fit its postings.");
}

/* One section, whatever the column's labels. */
static void
verify_section(ElacTextReader *reader, ElacTextReader *column)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text verify", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32		ndocs = reader->footer.ndocs;
	TextVerify *verify = palloc0(sizeof(TextVerify));
	ElacTextCursor *cursor = palloc(sizeof(ElacTextCursor));

	verify->reader = reader;
	verify->column = column;
	verify->norms = palloc_extended(Max(ndocs, 1), MCXT_ALLOC_HUGE);
	verify->lengths = palloc_extended((Size) Max(ndocs, 1) * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	elac_text_norms(reader, 0, ndocs, verify->norms);
	for (int tier = 0; tier < 2; tier++)
	{
		elac_text_cursor_init(cursor, reader, (ElacTextTier) tier);
		while (elac_text_cursor_next(cursor))
		{
			verify_term(verify, cursor);
			CHECK_FOR_INTERRUPTS();
		}
		elac_text_cursor_close(cursor);
	}
	verify_documents(verify);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
elac_text_verify(ElacTextReader *reader)
{
	verify_section(reader, reader);
	for (int label = 1; label < ELAC_LABELS; label++)
		if (reader->labels[label] != NULL)
			verify_section(reader->labels[label], reader);
}
