/*
 * text_reader.c
 *	  Opens a text section, or the five of a labelled column, and reads what is
 *	  neither dictionary (text_dictionary.c) nor postings (posting_list.c):
 *	  footer, length codes, NULLs, bytes of positions.
 *
 * Nothing is trusted: every offset, length and count is checked against the
 * section before it is used, so damaged bytes end in elac_corrupted() and not
 * in a wild read.  elac_text_verify() checks what reading can do without: that
 * counts, impacts and norms agree with the postings.
 *
 * A reader serves one backend; an entry is good until the next lookup.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "storage/page.h"
#include "text/text_private.h"

/* True when [offset, offset + len) lies within total. */
static bool
range_fits(uint64 offset, uint64 len, uint64 total)
{
	return offset <= total && len <= total - offset;
}

void
elac_text_corrupted_order(const ElacTextReader *reader)
{
	elac_corrupted(reader->name, "Terms or postings of a text section are out of order.");
	pg_unreachable();
}

static void
check_dictionary(const ElacTextReader *reader, const ElacTextDictionaryRef *ref)
{
	uint64		head_len = reader->section.head_len;

	if (ref->nblocks > head_len / sizeof(ElacTextBlockRef) ||
		!range_fits(ref->index, ref->nblocks * sizeof(ElacTextBlockRef), head_len) ||
		!range_fits(ref->separators, ref->separators_len, head_len) ||
		(ref->nblocks == 0) != (ref->nterms == 0))
		elac_corrupted(reader->name, "A dictionary of a text section lies outside of it.");
}

/* What the head ends with. */
static void
read_trailer(const ElacSection *section, ElacTextTrailer *trailer)
{
	const char *name = elac_blob_name(section->head);

	if (section->head_len < sizeof(ElacTextTrailer))
		elac_corrupted(name, "A text section has only " UINT64_FORMAT " bytes.", section->head_len);
	elac_section_read_head(section, section->head_len - sizeof(ElacTextTrailer), trailer, sizeof(ElacTextTrailer));
	if (trailer->magic != ELAC_TEXT_MAGIC && trailer->magic != ELAC_TEXT_LABELS_MAGIC)
		elac_corrupted(name, "A text section has wrong magic number 0x%08X.", trailer->magic);
	if (trailer->version != ELAC_TEXT_VERSION)
		elac_corrupted(name, "A text section has unknown version %u.", trailer->version);
	if ((trailer->flags & ~ELAC_TEXT_HAS_POSITIONS) != 0)
		elac_corrupted(name, "A text section has unknown flags 0x%04X.", trailer->flags);
}

/* Opens a section that has no labels. */
static ElacTextReader *
open_plain(const ElacSection *section, uint32 ndocs)
{
	ElacTextReader *reader = palloc0(sizeof(ElacTextReader));
	ElacTextFooter *footer = &reader->footer;
	uint64		head_len = section->head_len;
	uint64		nchunks;

	reader->section = *section;
	reader->name = elac_blob_name(section->head);
	reader->context = CurrentMemoryContext;
	for (int tier = 0; tier < 2; tier++)
		reader->block[tier].number = reader->range[tier].number = PG_UINT64_MAX;
	read_trailer(section, &footer->trailer);
	if (head_len < sizeof(ElacTextFooter) || footer->trailer.magic != ELAC_TEXT_MAGIC)
		elac_corrupted(reader->name, "A text section has no footer.");
	elac_section_read_head(section, head_len - sizeof(ElacTextFooter), footer, sizeof(ElacTextFooter));
	reader->positions = (footer->trailer.flags & ELAC_TEXT_HAS_POSITIONS) != 0;
	if (footer->ndocs != ndocs || footer->nnull > ndocs || footer->nscored > ndocs - footer->nnull)
		elac_corrupted(reader->name, "A text section counts %u documents in a segment of %u.", footer->ndocs, ndocs);
	if (footer->nscored > footer->total_length || footer->npostings > footer->total_length ||
		footer->body_len > section->body_len)
		elac_corrupted(reader->name, "The statistics of a text section contradict each other.");
	if ((footer->nscored > 0 && !range_fits(footer->norms, ndocs, head_len)) ||
		(footer->nnull > 0 && !range_fits(footer->nulls, elac_bitmap_words(ndocs) * sizeof(uint64), head_len)))
		elac_corrupted(reader->name, "The length codes of a text section lie outside of it.");
	nchunks = (footer->positions_len + ELAC_TEXT_POSITIONS_CHUNK - 1) / ELAC_TEXT_POSITIONS_CHUNK;
	if (footer->positions_len > footer->body_len || (footer->positions_len > 0 && !reader->positions) ||
		!range_fits(footer->chunks, nchunks * sizeof(uint64), head_len))
		elac_corrupted(reader->name, "The positions of a text section lie outside of it.");
	check_dictionary(reader, &footer->frequent);
	check_dictionary(reader, &footer->rare);
	return reader;
}

ElacTextReader *
elac_text_open(const ElacSection *section, uint32 ndocs)
{
	ElacTextTrailer trailer;
	ElacTextLabelsFooter footer;
	ElacTextReader *readers[ELAC_LABELS];
	const char *name = elac_blob_name(section->head);
	uint64		head = 0;
	uint64		body = 0;

	read_trailer(section, &trailer);
	if (trailer.magic == ELAC_TEXT_MAGIC)
		return open_plain(section, ndocs);
	if (section->head_len < sizeof(footer) || trailer.flags != 0)
		elac_corrupted(name, "A labelled text section has a malformed footer.");
	elac_section_read_head(section, section->head_len - sizeof(footer), &footer, sizeof(footer));
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		ElacSection part = *section;

		if (footer.head_end[label] < head || footer.head_end[label] > section->head_len - sizeof(footer) ||
			footer.body_end[label] < body || footer.body_end[label] > section->body_len)
			elac_corrupted(name, "Label %d of a text section lies outside of it.", label);
		part.head_offset += head;
		part.head_len = footer.head_end[label] - head;
		part.body_offset += body;
		part.body_len = footer.body_end[label] - body;
		readers[label] = open_plain(&part, ndocs);
		if (label != ELAC_LABEL_D && (readers[label]->footer.nnull != 0 || readers[label]->positions != readers[0]->positions))
			elac_corrupted(name, "Label %d of a text section does not suit label 0.", label);
		head = footer.head_end[label];
		body = footer.body_end[label];
	}
	if (head != section->head_len - sizeof(footer))
		elac_corrupted(name, "The labels of a text section do not fill it.");
	memcpy(readers[0]->labels, readers, sizeof(readers));
	return readers[0];
}

ElacFieldStats
elac_text_stats(const ElacTextReader *reader)
{
	ElacFieldStats stats;

	stats.ndocs = reader->footer.nscored;
	stats.total_length = reader->footer.total_length;
	return stats;
}

void
elac_text_null_docs(ElacTextReader *reader, ElacBitmap *out)
{
	uint32		ndocs = reader->footer.ndocs;

	if (reader->footer.nnull == 0)
	{
		elac_bitmap_zero(out);
		return;
	}
	if (out->nbits != ndocs)
		elog(ERROR, "bitmap of %u bits for %u documents", out->nbits, ndocs);
	elac_section_read_head(&reader->section, reader->footer.nulls, out->words, elac_bitmap_words(ndocs) * sizeof(uint64));
	if (ndocs % 64 != 0)
		out->words[ndocs / 64] &= (UINT64CONST(1) << (ndocs % 64)) - 1;
}

void
elac_text_norms(ElacTextReader *reader, ElacDoc first, uint32 n, uint8 *dst)
{
	if (!range_fits(first, n, reader->footer.ndocs))
		elog(ERROR, "length codes %u to %u of %u asked for", first, first + n, reader->footer.ndocs);
	if (reader->footer.nscored == 0)
		memset(dst, 0, n);
	else
		elac_section_read_head(&reader->section, reader->footer.norms + first, dst, n);
}

ElacTextReader *
elac_text_label(ElacTextReader *reader, int label)
{
	return label == ELAC_LABEL_D ? reader : reader->labels[label];
}

uint32
elac_text_term_df(ElacTextReader *reader, const ElacBm25Term *term)
{
	return term->prefix ? elac_text_prefix_df(reader, term->bytes, term->len) :
		elac_text_df(reader, term->bytes, term->len);
}

uint32
elac_text_df(ElacTextReader *reader, const char *bytes, uint32 len)
{
	ElacTextEntry entry;

	return elac_text_lookup(reader, bytes, len, &entry) ? entry.df : 0;
}

/* ---- positions ---- */

/* Where chunk number `chunk` of the stream of positions begins in the body. */
static uint64
chunk_offset(ElacTextReader *reader, uint64 chunk, uint64 len)
{
	uint64		offset;

	if (reader->chunk == chunk + 1)
		return reader->chunk_offset;
	elac_section_read_head(&reader->section, reader->footer.chunks + chunk * sizeof(uint64), &offset, sizeof(uint64));
	if (!range_fits(offset, len, reader->section.body_len))
		elac_corrupted(reader->name, "A chunk of positions lies outside of its text section.");
	reader->chunk = chunk + 1;
	reader->chunk_offset = offset;
	return offset;
}

/* Calls elac_section_read_body() for each piece of a range of the stream, or declares it when dst is NULL. */
static void
positions_pieces(ElacTextReader *reader, uint64 offset, uint8 *dst, uint64 len)
{
	const ElacSection *section = &reader->section;

	if (!range_fits(offset, len, reader->footer.positions_len))
		elac_corrupted(reader->name, "Positions lie outside of their text section.");
	while (len > 0)
	{
		uint64		chunk = offset / ELAC_TEXT_POSITIONS_CHUNK;
		uint64		within = offset % ELAC_TEXT_POSITIONS_CHUNK;
		uint64		chunk_len = Min(reader->footer.positions_len - chunk * ELAC_TEXT_POSITIONS_CHUNK,
									ELAC_TEXT_POSITIONS_CHUNK);
		uint64		n = Min(len, chunk_len - within);
		uint64		start = chunk_offset(reader, chunk, chunk_len) + within;

		if (dst != NULL)
		{
			elac_section_read_body(section, start, dst, n);
			dst += n;
		}
		else
			elac_blob_prefetch(section->body, section->body_offset + start, n);
		offset += n;
		len -= n;
	}
}

uint64
elac_text_read_positions(ElacTextReader *reader, uint64 offset, uint8 *dst, uint64 len, uint64 room)
{
	uint64		total = reader->footer.positions_len;
	uint64		end = offset + len;

	if (range_fits(offset, len, total) && len > 0 && len < room)
	{
		uint64		chunk = (end - 1) / ELAC_TEXT_POSITIONS_CHUNK;
		uint64		within = end - chunk * ELAC_TEXT_POSITIONS_CHUNK;
		uint64		chunk_len = Min(total - chunk * ELAC_TEXT_POSITIONS_CHUNK, ELAC_TEXT_POSITIONS_CHUNK);
		uint64		place = reader->section.body_offset + chunk_offset(reader, chunk, chunk_len) + within;
		uint64		on_page = (ELAC_PAGE_DATA - place % ELAC_PAGE_DATA) % ELAC_PAGE_DATA;

		len += Min(room - len, Min(on_page, chunk_len - within));
	}
	positions_pieces(reader, offset, dst, len);
	return len;
}

/* ---- declaring what will be read ---- */

/* Declares an entry's posting list, and its positions when they are wanted. */
static void
prefetch_list(ElacTextReader *reader, const ElacTextEntry *entry, bool positions)
{
	const ElacSection *section = &reader->section;

	elac_blob_prefetch(section->body, section->body_offset + entry->offset, entry->len);
	if (positions && reader->positions)
		positions_pieces(reader, entry->positions, NULL, entry->positions_len);
}

/* Declares a block of the rare dictionary. */
static void
prefetch_block(ElacTextReader *reader, const ElacTextBlockRef *ref, bool positions)
{
	const ElacSection *section = &reader->section;

	elac_blob_prefetch(section->body, section->body_offset + ref->offset,
					   (uint64) ref->stored_len + (positions ? ref->positions_len : 0));
}

/*
 * Lists of the frequent terms with a prefix, and the blocks of the rare ones,
 * of which nothing is read: from the one that has the prefix itself to the
 * last whose separator is not beyond it.
 */
static void
prefetch_prefix(ElacTextReader *reader, const char *prefix, uint32 len, bool positions)
{
	ElacTextCursor *cursor = palloc(sizeof(ElacTextCursor));
	uint64		first;
	uint64		last;

	elac_text_cursor_init(cursor, reader, ELAC_TEXT_FREQUENT);
	for (bool more = elac_text_cursor_seek(cursor, prefix, len);
		 more && cursor->len >= len && memcmp(cursor->term, prefix, len) == 0;
		 more = elac_text_cursor_next(cursor))
		prefetch_list(reader, &cursor->entry, positions);
	elac_text_cursor_close(cursor);
	pfree(cursor);
	if (!elac_text_prefix_blocks(reader, prefix, len, &first, &last))
		return;
	for (uint64 number = first; number <= last; number++)
	{
		ElacTextBlockRef ref;

		elac_text_rare_block(reader, number, &ref);
		prefetch_block(reader, &ref, positions);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
prefetch_term(ElacTextReader *reader, const ElacBm25Term *term, bool positions)
{
	ElacTextEntry entry;
	ElacTextBlockRef ref;

	if (term->prefix)
		prefetch_prefix(reader, term->bytes, Min(term->len, ELAC_TERM_MAX), positions);
	else if (!elac_text_locate(reader, term->bytes, term->len, &entry, &ref))
		return;
	else if (entry.tier == ELAC_TEXT_FREQUENT)
		prefetch_list(reader, &entry, positions);
	else
		prefetch_block(reader, &ref, positions);
}

void
elac_text_prefetch(ElacTextReader *reader, const ElacBm25Field *field)
{
	for (uint32 i = 0; i < field->nterms; i++)
		prefetch_term(reader, &field->terms[i], false);
}

void
elac_text_prefetch_positions(ElacTextReader *reader, const ElacBm25Field *field)
{
	for (uint32 i = 0; i < field->nterms; i++)
		prefetch_term(reader, &field->terms[i], true);
}
