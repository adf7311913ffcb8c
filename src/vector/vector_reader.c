/*
 * vector_reader.c
 *	  Opens a vector section and answers what lies where.  Searching is
 *	  vector_scan.c's, the deep check vector_verify.c's.
 *
 * Everything that later code relies on is checked here: sizes against the
 * section's lengths, list offsets against the number of documents, the
 * codebook against the one the codes were made with.  What the codes say is
 * not checked: any bytes are safe to score.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "vector/vector_private.h"

static void
elac_vector_check_header(const ElacSection *section, const ElacCodebook *codebook, uint32 ndocs,
						 const ElacVectorHeader *header)
{
	static const uint8 zeros[sizeof(header->reserved)];
	const char *name = elac_blob_name(section->head);
	int			finest = elac_codebook_ncuts(codebook) - 1;

	if (header->magic != ELAC_VECTOR_MAGIC)
		elac_corrupted(name, "A vector section has magic number %08X.", header->magic);
	if (header->version != ELAC_VECTOR_VERSION)
		elac_corrupted(name, "A vector section has unknown version %u.", header->version);
	if (header->codebook_crc != codebook->crc || header->dim != codebook->params.dim ||
		header->padded != codebook->padded || header->nleaves != elac_codebook_nlists(codebook, finest))
		elac_corrupted(name, "A vector section was made with another codebook.");
	if (header->bits < 1 || header->bits > 8 || header->cut > finest ||
		header->nlists != elac_codebook_nlists(codebook, header->cut) ||
		memcmp(header->reserved, zeros, sizeof(zeros)) != 0)
		elac_corrupted(name, "The header of a vector section makes no sense.");
	if (header->ndocs != ndocs || (uint64) header->nfinite + header->nnan > ndocs)
		elac_corrupted(name, "A vector section has %u documents (%u finite, %u NaN) instead of %u.",
					   header->ndocs, header->nfinite, header->nnan, ndocs);
	if (header->cut == finest ? header->nruns != 0
		: header->nruns > Min(header->nfinite, header->nleaves) || (header->nruns == 0) != (header->nfinite == 0))
		elac_corrupted(name, "A vector section has %u leaf runs.", header->nruns);
}

static void
elac_vector_check_lengths(const ElacVectorReader *reader)
{
	const ElacVectorHeader *header = &reader->header;
	const ElacSection *section = &reader->section;
	uint64		head = sizeof(ElacVectorHeader) + ((uint64) header->nlists + 1) * sizeof(uint32) +
		(uint64) header->nruns * 2 * sizeof(uint32);
	uint64		body = reader->layout.end - section->body_offset;

	if (section->head_len != head || section->body_len != body)
		elac_corrupted(elac_blob_name(section->head),
					   "A vector section has " UINT64_FORMAT " and " UINT64_FORMAT " bytes instead of "
					   UINT64_FORMAT " and " UINT64_FORMAT ".",
					   section->head_len, section->body_len, head, body);
}

ElacVectorReader *
elac_vector_open(const ElacSection *section, const ElacCodebook *codebook, uint32 ndocs)
{
	ElacVectorReader *reader = palloc0(sizeof(ElacVectorReader));
	ElacVectorHeader *header = &reader->header;
	Size		nbytes;

	reader->section = *section;
	reader->codebook = codebook;
	reader->block_number = UINT32_MAX;
	elac_section_read_head(section, 0, header, sizeof(*header));
	elac_vector_check_header(section, codebook, ndocs, header);
	elac_vector_layout(&reader->layout, header->padded, header->bits, header->nfinite, section->body_offset);
	elac_vector_check_lengths(reader);

	nbytes = ((Size) header->nlists + 1) * sizeof(uint32);
	reader->list_first = palloc_extended(nbytes, MCXT_ALLOC_HUGE);
	elac_section_read_head(section, sizeof(*header), reader->list_first, nbytes);
	if (reader->list_first[0] != 0 || reader->list_first[header->nlists] != header->nfinite)
		elac_corrupted(elac_blob_name(section->head), "The lists of a vector section do not cover its documents.");
	for (uint32 list = 0; list < header->nlists; list++)
		if (reader->list_first[list] > reader->list_first[list + 1])
			elac_corrupted(elac_blob_name(section->head), "List %u of a vector section is not in order.", list);
	return reader;
}

uint32
elac_vector_nlists(const ElacVectorReader *reader)
{
	return reader->header.nlists;
}

int
elac_vector_cut(const ElacVectorReader *reader)
{
	return reader->header.cut;
}

int
elac_vector_bits(const ElacVectorReader *reader)
{
	return reader->header.bits;
}

void
elac_vector_list_range(const ElacVectorReader *reader, uint32 list, ElacDoc *first, ElacDoc *last)
{
	const ElacVectorHeader *header = &reader->header;

	if (list < header->nlists)
	{
		*first = reader->list_first[list];
		*last = reader->list_first[list + 1];
	}
	else if (list == header->nlists)
	{
		*first = header->nfinite;
		*last = header->nfinite + header->nnan;
	}
	else if (list == header->nlists + 1)
	{
		*first = header->nfinite + header->nnan;
		*last = header->ndocs;
	}
	else
		elog(ERROR, "list %u does not exist", list);
}

ElacVectorClass
elac_vector_doc_class(ElacVectorReader *reader, ElacDoc doc)
{
	const ElacVectorHeader *header = &reader->header;

	if (doc >= header->ndocs)
		elog(ERROR, "document %u does not exist", doc);
	if (doc < header->nfinite)
		return ELAC_VECTOR_FINITE;
	return doc < header->nfinite + header->nnan ? ELAC_VECTOR_NAN : ELAC_VECTOR_NULL;
}

void
elac_vector_load_runs(ElacVectorReader *reader)
{
	const ElacVectorHeader *header = &reader->header;
	MemoryContext old;
	uint64		offset = sizeof(ElacVectorHeader) + ((uint64) header->nlists + 1) * sizeof(uint32);
	uint64		nbytes = (uint64) header->nruns * sizeof(uint32);
	uint32	   *leaf;
	uint32	   *first;
	bool		good;

	if (reader->run_leaf != NULL || header->nruns == 0)
		return;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(reader));
	leaf = palloc_extended(nbytes, MCXT_ALLOC_HUGE);
	first = palloc_extended(nbytes, MCXT_ALLOC_HUGE);
	MemoryContextSwitchTo(old);
	elac_section_read_head(&reader->section, offset, leaf, nbytes);
	elac_section_read_head(&reader->section, offset + nbytes, first, nbytes);

	good = first[0] == 0;
	for (uint32 run = 0; good && run < header->nruns; run++)
	{
		uint32		list;

		good = leaf[run] < header->nleaves && first[run] < header->nfinite &&
			(run == 0 || (leaf[run] > leaf[run - 1] && first[run] > first[run - 1]));
		if (!good)
			break;
		list = elac_codebook_list_of_leaf(reader->codebook, header->cut, leaf[run]);
		good = first[run] >= reader->list_first[list] && first[run] < reader->list_first[list + 1];

		/* a list starts with a run of its own */
		if (good && run > 0 && elac_codebook_list_of_leaf(reader->codebook, header->cut, leaf[run - 1]) != list)
			good = first[run] == reader->list_first[list];
	}
	if (!good)
		elac_corrupted(elac_blob_name(reader->section.head), "The leaf runs of a vector section are not in order.");
	reader->run_leaf = leaf;
	reader->run_first = first;
}

uint32
elac_vector_doc_leaf(ElacVectorReader *reader, ElacDoc doc)
{
	const ElacVectorHeader *header = &reader->header;
	const uint32 *first = reader->list_first;
	uint32		low = 0;
	uint32		high = header->nlists;

	if (doc >= header->nfinite)
		elog(ERROR, "document %u has no leaf", doc);
	if (header->nruns > 0)
	{
		elac_vector_load_runs(reader);
		first = reader->run_first;
		high = header->nruns;
	}
	/* the last entry that starts at or before doc: lists may be empty */
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (first[middle] <= doc)
			low = middle;
		else
			high = middle;
	}
	return header->nruns > 0 ? reader->run_leaf[low] : low;
}

const uint8 *
elac_vector_load_block(ElacVectorReader *reader, uint32 block)
{
	const ElacVectorLayout *layout = &reader->layout;

	Assert(block < layout->nblocks);
	if (reader->block_number == block)
		return reader->block;
	if (reader->block == NULL)
		reader->block = MemoryContextAlloc(GetMemoryChunkContext(reader), layout->block_bytes);
	reader->block_number = UINT32_MAX;
	elac_blob_read(reader->section.body, elac_vector_block_offset(layout, block), reader->block, layout->block_bytes);
	reader->block_number = block;
	return reader->block;
}

void
elac_vector_prefetch(ElacVectorReader *reader, const uint32 *lists, uint32 nlists)
{
	const ElacVectorLayout *layout = &reader->layout;

	for (uint32 i = 0; i < nlists; i++)
	{
		ElacDoc		first;
		ElacDoc		last;
		uint32		block;

		elac_vector_list_range(reader, lists[i], &first, &last);
		if (first == last || lists[i] >= reader->header.nlists)
			continue;
		block = first / ELAC_VECTOR_LANES;
		elac_blob_prefetch(reader->section.body, elac_vector_block_offset(layout, block),
						   ((uint64) (last - 1) / ELAC_VECTOR_LANES - block + 1) * layout->block_bytes);

		/*
		 * Records as well: fetching them for survivors only would save bytes,
		 * but cost a second wave, and on a store waves are what is slow.
		 */
		if (layout->ex_bits > 0)
		{
			uint64		offset = elac_vector_record_offset(layout, first);

			elac_blob_prefetch(reader->section.body, offset,
							   elac_vector_record_offset(layout, last - 1) + layout->record_bytes - offset);
		}
	}
}
