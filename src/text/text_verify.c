/*
 * text_verify.c
 *	  Deep check of a text section: what reading takes on trust is compared
 *	  with what the postings say.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "text/text_private.h"

typedef struct TextVerify
{
	ElacTextReader *reader;
	uint8	   *norms;
	uint64	   *lengths;		/* sum of tf per document */
	uint64		npostings;
	uint64		total_length;
	char		last[2][ELAC_TERM_MAX];	/* by tier */
	uint32		last_len[2];
	uint64		nterms[2];
} TextVerify;

/* Impacts of a posting list against its postings. */
static void
verify_blocks(TextVerify *verify, const ElacTextEntry *entry, const ElacPosting *postings)
{
	uint64	   *offsets;
	uint32		nblocks;
	ElacTextPostingBlock *blocks = elac_text_blocks(verify->reader, entry, &nblocks, &offsets);
	uint32		list_tf = 0;
	uint8		list_length = UINT8_MAX;

	for (uint32 i = 0; i < nblocks; i++)
	{
		uint32		first = i * ELAC_TEXT_BLOCK_DOCS;
		uint32		n = Min(entry->df - first, ELAC_TEXT_BLOCK_DOCS);
		uint32		max_tf = 0;
		uint8		min_length = UINT8_MAX;

		for (uint32 j = first; j < first + n; j++)
		{
			max_tf = Max(max_tf, postings[j].tf);
			min_length = Min(min_length, verify->norms[postings[j].doc]);
		}
		if (max_tf != blocks[i].max_tf || min_length != blocks[i].min_length)
			elac_corrupted(verify->reader->name, "Block %u of a posting list has wrong maxima.", i);
		list_tf = Max(list_tf, max_tf);
		list_length = Min(list_length, min_length);
	}
	if (list_tf != entry->max_tf || list_length != entry->min_length)
		elac_corrupted(verify->reader->name, "A posting list has wrong maxima.");
	pfree(blocks);
	pfree(offsets);
}

/* Lookups must find the term in this tier, or the other tier would hide it. */
static void
verify_lookup(TextVerify *verify, const ElacTextCursor *cursor)
{
	ElacTextEntry found;

	if (!elac_text_lookup(verify->reader, cursor->term, cursor->len, &found) ||
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
	elac_text_postings(verify->reader, entry, postings);
	for (uint32 i = 0; i < entry->df; i++)
	{
		verify->lengths[postings[i].doc] += postings[i].tf;
		verify->total_length += postings[i].tf;
	}
	verify->npostings += entry->df;
	if (entry->tier == ELAC_TEXT_FREQUENT)
		verify_blocks(verify, entry, postings);
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
	elac_text_null_docs(reader, &nulls);
	if (elac_bitmap_count(&nulls) != footer->nnull)
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

void
elac_text_verify(ElacTextReader *reader)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym text verify", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32		ndocs = reader->footer.ndocs;
	TextVerify *verify = palloc0(sizeof(TextVerify));
	ElacTextCursor *cursor = palloc(sizeof(ElacTextCursor));

	verify->reader = reader;
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
