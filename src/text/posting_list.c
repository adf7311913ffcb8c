/*
 * posting_list.c
 *	  The postings of one term, read block by block: a frequent term's list, or
 *	  the postings that lie in a rare term's dictionary entry.
 *
 * Owns the term's block directory; the reader must outlive the list.
 */
#include "postgres.h"

#include "text/text_private.h"

struct ElacPostingSource
{
	ElacTextEntry entry;
	ElacPosting *inlined;		/* a rare term's postings */
	ElacTextPostingBlock *blocks;	/* a frequent term's */
	uint64	   *offsets;
	uint32		last_docs[FLEXIBLE_ARRAY_MEMBER];
};

ElacPostingList *
elac_posting_list_open(ElacTextReader *reader, const ElacTextEntry *entry)
{
	ElacPostingList *list = palloc0(sizeof(ElacPostingList));
	ElacPosting *inlined = NULL;
	ElacTextPostingBlock *blocks = NULL;
	uint64	   *offsets = NULL;
	uint32		nblocks = 1;

	if (entry->tier == ELAC_TEXT_RARE)
	{
		inlined = palloc(entry->df * sizeof(ElacPosting));
		elac_text_postings(reader, entry, inlined);
	}
	else
		blocks = elac_text_blocks(reader, entry, &nblocks, &offsets);
	list->source = palloc_extended(offsetof(struct ElacPostingSource, last_docs) + (Size) nblocks * sizeof(uint32),
								   MCXT_ALLOC_HUGE);
	list->source->entry = *entry;
	list->source->inlined = inlined;
	list->source->blocks = blocks;
	list->source->offsets = offsets;
	for (uint32 i = 0; i < nblocks; i++)
		list->source->last_docs[i] = inlined != NULL ? inlined[entry->df - 1].doc : blocks[i].last_doc;
	list->reader = reader;
	list->df = entry->df;
	list->nblocks = nblocks;
	list->last_docs = list->source->last_docs;
	return list;
}

void
elac_posting_list_close(ElacPostingList *list)
{
	if (list->source->inlined != NULL)
		pfree(list->source->inlined);
	else
	{
		pfree(list->source->blocks);
		pfree(list->source->offsets);
	}
	pfree(list->source);
	pfree(list);
}

uint32
elac_posting_list_impacts(const ElacPostingList *list, ElacImpactLevel level, uint32 i, ElacTextImpact *dst)
{
	const struct ElacPostingSource *source = list->source;
	uint32		first = level == ELAC_IMPACTS_GROUP ? i * ELAC_TEXT_GROUP_BLOCKS : level == ELAC_IMPACTS_BLOCK ? i : 0;
	uint32		end = level == ELAC_IMPACTS_GROUP ? Min(first + ELAC_TEXT_GROUP_BLOCKS, list->nblocks) :
		level == ELAC_IMPACTS_BLOCK ? i + 1 : list->nblocks;

	dst->tf = 0;
	dst->length_code = UINT8_MAX;
	if (source->inlined != NULL)
	{
		for (uint32 p = 0; p < list->df; p++)
			dst->tf = Max(dst->tf, source->inlined[p].tf);
		dst->length_code = 1;
		return 1;
	}
	for (uint32 block = first; block < end; block++)
	{
		dst->tf = Max(dst->tf, source->blocks[block].max_tf);
		dst->length_code = Min(dst->length_code, source->blocks[block].min_length);
	}
	return 1;
}

uint32
elac_posting_list_decode(ElacPostingList *list, uint32 block, uint32 *docs, uint32 *tfs)
{
	struct ElacPostingSource *source = list->source;
	uint32		unwanted[ELAC_TEXT_BLOCK_DOCS];

	if (source->inlined == NULL)
		return elac_text_block_decode(list->reader, &source->entry, source->blocks, source->offsets, block,
									  docs, tfs != NULL ? tfs : unwanted);
	for (uint32 i = 0; i < list->df; i++)
	{
		docs[i] = source->inlined[i].doc;
		if (tfs != NULL)
			tfs[i] = source->inlined[i].tf;
	}
	return list->df;
}

void
elac_posting_list_mark(ElacPostingList *list, uint32 block, ElacDoc first, uint32 nbits, uint64 *words)
{
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		n = elac_posting_list_decode(list, block, docs, NULL);

	for (uint32 i = 0; i < n; i++)
		if (docs[i] >= first && docs[i] - first < nbits)
			words[(docs[i] - first) / 64] |= UINT64CONST(1) << ((docs[i] - first) % 64);
}

uint32
elac_posting_list_positions(ElacPostingList *list, uint32 block, uint32 i, uint16 *dst)
{
	return 0;
}
