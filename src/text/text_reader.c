/*
 * text_reader.c
 *	  Reads a text section: footer, dictionaries, posting lists, norms.
 *
 * Nothing is trusted: every offset, length and count is checked against the
 * section before it is used, so damaged bytes end in elac_corrupted() and not
 * in a wild read.  elac_text_verify() checks what this file can do without:
 * that counts, impacts and norms agree with the postings.
 *
 * A reader serves one backend and keeps one decoded block per dictionary; an
 * entry of a rare term points into it and is good until the next lookup.
 */
#include "postgres.h"

#include <zstd.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "errors.h"
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
	if (!range_fits(footer->norms, ndocs, head_len) ||
		(footer->nnull > 0 && !range_fits(footer->nulls, elac_bitmap_words(ndocs) * sizeof(uint64), head_len)))
		elac_corrupted(reader->name, "The length codes of a text section lie outside of it.");
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
	elac_section_read_head(&reader->section, reader->footer.norms + first, dst, n);
}

/* ---- dictionary blocks ---- */

static const ElacTextDictionaryRef *
dictionary_ref(const ElacTextReader *reader, ElacTextTier tier)
{
	return tier == ELAC_TEXT_FREQUENT ? &reader->footer.frequent : &reader->footer.rare;
}

/* Entry number of the block index. */
static void
read_block_ref(ElacTextReader *reader, ElacTextTier tier, uint64 number, ElacTextBlockRef *ref)
{
	const ElacTextDictionaryRef *dictionary = dictionary_ref(reader, tier);
	uint64		total = tier == ELAC_TEXT_FREQUENT ? reader->section.head_len : reader->section.body_len;

	Assert(number < dictionary->nblocks);
	elac_section_read_head(&reader->section, dictionary->index + number * sizeof(ElacTextBlockRef), ref, sizeof(*ref));
	if (!range_fits(ref->offset, ref->stored_len, total) ||
		!range_fits(ref->separator, ref->separator_len, dictionary->separators_len) ||
		ref->separator_len > ELAC_TERM_MAX ||
		ref->raw_len == 0 || ref->raw_len > ELAC_TEXT_BLOCK_MAX ||
		ref->stored_len == 0 || ref->stored_len > ref->raw_len ||
		(tier == ELAC_TEXT_FREQUENT && ref->stored_len != ref->raw_len) ||
		ref->nterms == 0 || ref->nterms > ref->raw_len ||
		(ref->nterms - 1) / ELAC_TEXT_RESTART * sizeof(uint16) >= ref->raw_len)
		elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary is described wrongly.", number);
}

/*
 * Number of the block that has the term if any has: the last one whose
 * separator is not above it.  False when all are above.  Terms of a query
 * ascend, so the block of the last search is tried first.
 */
static bool
find_block(ElacTextReader *reader, ElacTextTier tier, const char *bytes, uint32 len, uint64 *number)
{
	const ElacTextDictionaryRef *dictionary = dictionary_ref(reader, tier);
	ElacTextRange *range = &reader->range[tier];
	uint64		low = 0;
	uint64		high = dictionary->nblocks;

	if (range->number != PG_UINT64_MAX &&
		elac_term_compare(range->low, range->low_len, bytes, len) <= 0 &&
		(range->high_len == 0 || elac_term_compare(bytes, len, range->high, range->high_len) < 0))
	{
		*number = range->number;
		return true;
	}
	range->number = PG_UINT64_MAX;
	range->high_len = 0;
	/* Blocks below low are not above the term, those from high on are. */
	while (low < high)
	{
		uint64		middle = low + (high - low) / 2;
		ElacTextBlockRef ref;
		char		separator[ELAC_TERM_MAX];

		read_block_ref(reader, tier, middle, &ref);
		elac_section_read_head(&reader->section, dictionary->separators + ref.separator, separator, ref.separator_len);
		if (elac_term_compare(separator, ref.separator_len, bytes, len) <= 0)
		{
			low = middle + 1;
			memcpy(range->low, separator, ref.separator_len);
			range->low_len = ref.separator_len;
		}
		else
		{
			high = middle;
			memcpy(range->high, separator, ref.separator_len);
			range->high_len = ref.separator_len;
		}
	}
	if (low == 0)
		return false;
	range->number = *number = low - 1;
	return true;
}

/* Makes block hold block number of a dictionary. */
static void
load_block(ElacTextReader *reader, ElacTextTier tier, uint64 number, ElacTextBlock *block)
{
	ElacTextBlockRef ref;
	size_t		raw_len;

	if (block->number == number)
		return;
	block->number = PG_UINT64_MAX;
	if (block->raw == NULL)
		block->raw = MemoryContextAlloc(reader->context, ELAC_TEXT_BLOCK_MAX);
	read_block_ref(reader, tier, number, &ref);
	if (tier == ELAC_TEXT_FREQUENT)
		elac_section_read_head(&reader->section, ref.offset, block->raw, ref.raw_len);
	else if (ref.stored_len == ref.raw_len)
		elac_section_read_body(&reader->section, ref.offset, block->raw, ref.raw_len);
	else
	{
		if (reader->stored == NULL)
			reader->stored = MemoryContextAlloc(reader->context, ELAC_TEXT_BLOCK_MAX);
		elac_section_read_body(&reader->section, ref.offset, reader->stored, ref.stored_len);
		raw_len = ZSTD_decompress(block->raw, ELAC_TEXT_BLOCK_MAX, reader->stored, ref.stored_len);
		if (ZSTD_isError(raw_len) || raw_len != ref.raw_len)
			elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary cannot be decompressed.", number);
	}
	block->number = number;
	block->nterms = ref.nterms;
	block->nrestarts = (ref.nterms - 1) / ELAC_TEXT_RESTART;
	block->entries_len = ref.raw_len - block->nrestarts * sizeof(uint16);
}

/* Reads the payload of an entry at *src. */
static bool
parse_payload(const ElacTextReader *reader, ElacTextTier tier, const uint8 **src, const uint8 *end, ElacTextEntry *entry)
{
	uint64		df;
	uint64		len;
	uint64		max_tf;
	uint64		min_length;

	memset(entry, 0, sizeof(*entry));
	entry->tier = tier;
	if (!elac_varint_get(src, end, &df) || df == 0 || df > reader->footer.ndocs ||
		(df >= ELAC_TEXT_FREQUENT_DF) != (tier == ELAC_TEXT_FREQUENT))
		return false;
	entry->df = (uint32) df;
	if (tier == ELAC_TEXT_RARE)
	{
		if (!elac_varint_get(src, end, &len) || len < df || len > (uint64) (end - *src))
			return false;
		entry->inline_bytes = *src;
		entry->inline_len = (uint32) len;
		*src += len;
		return true;
	}
	if (!elac_varint_get(src, end, &entry->offset) || !elac_varint_get(src, end, &entry->len) ||
		!elac_varint_get(src, end, &max_tf) || !elac_varint_get(src, end, &min_length) ||
		max_tf == 0 || max_tf > UINT32_MAX || min_length > UINT8_MAX ||
		!range_fits(entry->offset, entry->len, reader->section.body_len))
		return false;
	entry->max_tf = (uint32) max_tf;
	entry->min_length = (uint8) min_length;
	return true;
}

/* Reads shared and rest of an entry at *src and completes term with them. */
static bool
parse_term(const uint8 **src, const uint8 *end, char *term, uint32 *term_len)
{
	uint64		shared;
	uint64		rest;

	if (!elac_varint_get(src, end, &shared) || !elac_varint_get(src, end, &rest) ||
		shared > *term_len || rest == 0 || rest > ELAC_TERM_MAX - shared || rest > (uint64) (end - *src))
		return false;
	memcpy(term + shared, *src, rest);
	*src += rest;
	*term_len = (uint32) (shared + rest);
	return true;
}

/* The entry from which to walk towards a term: the last restart that is not above it. */
static uint32
find_restart(ElacTextReader *reader, const ElacTextBlock *block, const char *bytes, uint32 len, const uint8 **start)
{
	const uint8 *end = block->raw + block->entries_len;
	uint32		low = 0;
	uint32		high = block->nrestarts;

	*start = block->raw;
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		const uint8 *entry = block->raw + Min(elac_get_u16(end + middle * sizeof(uint16)), block->entries_len);
		const uint8 *src = entry;
		char		term[ELAC_TERM_MAX];
		uint32		term_len = 0;

		if (!parse_term(&src, end, term, &term_len))
			elac_corrupted(reader->name, "Restart %u of block " UINT64_FORMAT " of a text dictionary is malformed.",
						   middle, block->number);
		if (elac_term_compare(term, term_len, bytes, len) <= 0)
		{
			low = middle + 1;
			*start = entry;
		}
		else
			high = middle;
	}
	return low * ELAC_TEXT_RESTART;
}

static bool
lookup_in_tier(ElacTextReader *reader, ElacTextTier tier, const char *bytes, uint32 len, ElacTextEntry *entry)
{
	ElacTextBlock *block = &reader->block[tier];
	uint64		number;
	const uint8 *src;
	const uint8 *end;
	char		term[ELAC_TERM_MAX];
	uint32		term_len = 0;
	uint32		first;

	if (!find_block(reader, tier, bytes, len, &number))
		return false;
	load_block(reader, tier, number, block);
	first = find_restart(reader, block, bytes, len, &src);
	end = block->raw + block->entries_len;
	for (uint32 i = first; i < Min(block->nterms, first + ELAC_TEXT_RESTART); i++)
	{
		int			cmp;

		if (!parse_term(&src, end, term, &term_len) || !parse_payload(reader, tier, &src, end, entry))
			elac_corrupted(reader->name, "Entry %u of block " UINT64_FORMAT " of a text dictionary is malformed.", i, number);
		cmp = elac_term_compare(term, term_len, bytes, len);
		if (cmp >= 0)
			return cmp == 0;
	}
	return false;
}

bool
elac_text_lookup(ElacTextReader *reader, const char *bytes, uint32 len, ElacTextEntry *entry)
{
	if (len == 0 || len > ELAC_TERM_MAX)
		return false;
	return lookup_in_tier(reader, ELAC_TEXT_FREQUENT, bytes, len, entry) ||
		lookup_in_tier(reader, ELAC_TEXT_RARE, bytes, len, entry);
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

void
elac_text_prefetch(ElacTextReader *reader, const ElacBm25Field *field)
{
	const ElacSection *section = &reader->section;
	uint64		last = PG_UINT64_MAX;

	for (uint32 i = 0; i < field->nterms; i++)
	{
		const ElacBm25Term *term = &field->terms[i];
		ElacTextEntry entry;
		ElacTextBlockRef ref;
		uint64		number;

		if (term->len == 0 || term->len > ELAC_TERM_MAX)
			continue;
		if (lookup_in_tier(reader, ELAC_TEXT_FREQUENT, term->bytes, term->len, &entry))
			elac_blob_prefetch(section->body, section->body_offset + entry.offset, entry.len);
		else if (find_block(reader, ELAC_TEXT_RARE, term->bytes, term->len, &number) && number != last)
		{
			read_block_ref(reader, ELAC_TEXT_RARE, number, &ref);
			elac_blob_prefetch(section->body, section->body_offset + ref.offset, ref.stored_len);
			last = number;
		}
	}
}

/* ---- walking a dictionary ---- */

void
elac_text_cursor_init(ElacTextCursor *cursor, ElacTextReader *reader, ElacTextTier tier)
{
	memset(cursor, 0, offsetof(ElacTextCursor, term));
	cursor->reader = reader;
	cursor->tier = tier;
	cursor->block.number = PG_UINT64_MAX;
	cursor->done = false;
}

bool
elac_text_cursor_next(ElacTextCursor *cursor)
{
	ElacTextReader *reader = cursor->reader;
	const uint8 *end;

	if (cursor->left == 0)
	{
		if (cursor->next_block >= dictionary_ref(reader, cursor->tier)->nblocks)
		{
			cursor->done = true;
			return false;
		}
		load_block(reader, cursor->tier, cursor->next_block++, &cursor->block);
		cursor->left = cursor->block.nterms;
		cursor->src = cursor->block.raw;
		cursor->len = 0;
		CHECK_FOR_INTERRUPTS();
	}
	end = cursor->block.raw + cursor->block.entries_len;
	if (!parse_term(&cursor->src, end, cursor->term, &cursor->len) ||
		!parse_payload(reader, cursor->tier, &cursor->src, end, &cursor->entry))
		elac_corrupted(reader->name, "An entry of block " UINT64_FORMAT " of a text dictionary is malformed.",
					   cursor->block.number);
	cursor->left--;
	if (cursor->left == 0 && cursor->src != end)
		elac_corrupted(reader->name, "Block " UINT64_FORMAT " of a text dictionary has bytes left over.",
					   cursor->block.number);
	return true;
}

bool
elac_text_cursor_seek(ElacTextCursor *cursor, const char *bytes, uint32 len)
{
	ElacTextReader *reader = cursor->reader;
	uint64		number = 0;

	cursor->left = 0;
	cursor->next_block = 0;
	cursor->done = false;
	if (find_block(reader, cursor->tier, bytes, len, &number))
	{
		uint32		first;

		load_block(reader, cursor->tier, number, &cursor->block);
		first = find_restart(reader, &cursor->block, bytes, len, &cursor->src);
		cursor->next_block = number + 1;
		cursor->left = cursor->block.nterms - first;
		cursor->len = 0;
	}
	while (elac_text_cursor_next(cursor))
		if (elac_term_compare(cursor->term, cursor->len, bytes, len) >= 0)
			return true;
	return false;
}

void
elac_text_cursor_close(ElacTextCursor *cursor)
{
	if (cursor->block.raw != NULL)
		pfree(cursor->block.raw);
	cursor->block.raw = NULL;
}

/* ---- terms with a prefix ---- */

void
elac_text_prefix_begin(ElacTextPrefixWalk *walk, ElacTextReader *reader, const char *prefix, uint32 len)
{
	if (len > ELAC_TERM_MAX)
		elog(ERROR, "a prefix of %u bytes is asked for", len);
	for (int tier = 0; tier < 2; tier++)
		elac_text_cursor_init(&walk->cursors[tier], reader, (ElacTextTier) tier);
	walk->started = false;
	walk->prefix_len = len;
	memcpy(walk->prefix, prefix, len);
}

/* A cursor has left the prefix: it is done. */
static void
prefix_check(const ElacTextPrefixWalk *walk, ElacTextCursor *cursor)
{
	if (!cursor->done &&
		(cursor->len < walk->prefix_len || memcmp(cursor->term, walk->prefix, walk->prefix_len) != 0))
		cursor->done = true;
}

bool
elac_text_prefix_next(ElacTextPrefixWalk *walk, ElacTextEntry *entry)
{
	ElacTextCursor *frequent = &walk->cursors[ELAC_TEXT_FREQUENT];
	ElacTextCursor *rare = &walk->cursors[ELAC_TEXT_RARE];
	ElacTextCursor *at = &walk->cursors[walk->at];

	if (!walk->started)
	{
		for (int tier = 0; tier < 2; tier++)
		{
			elac_text_cursor_seek(&walk->cursors[tier], walk->prefix, walk->prefix_len);
			prefix_check(walk, &walk->cursors[tier]);
		}
		walk->started = true;
	}
	else if (!at->done)
	{
		char		last[ELAC_TERM_MAX];
		uint32		last_len = at->len;

		memcpy(last, at->term, last_len);
		if (elac_text_cursor_next(at) && elac_term_compare(last, last_len, at->term, at->len) >= 0)
			elac_text_corrupted_order(at->reader);
		prefix_check(walk, at);
	}
	if (frequent->done && rare->done)
		return false;
	walk->at = rare->done ||
		(!frequent->done && elac_term_compare(frequent->term, frequent->len, rare->term, rare->len) < 0) ?
		ELAC_TEXT_FREQUENT : ELAC_TEXT_RARE;
	at = &walk->cursors[walk->at];
	*entry = at->entry;
	walk->term = at->term;
	walk->len = at->len;
	return true;
}

void
elac_text_prefix_end(ElacTextPrefixWalk *walk)
{
	for (int tier = 0; tier < 2; tier++)
		elac_text_cursor_close(&walk->cursors[tier]);
}

/* ---- postings ---- */

static void
inline_postings(ElacTextReader *reader, const ElacTextEntry *entry, ElacPosting *dst)
{
	const uint8 *src = entry->inline_bytes;
	const uint8 *end = src + entry->inline_len;
	uint64		doc = 0;

	for (uint32 i = 0; i < entry->df; i++)
	{
		uint64		gap;
		uint64		tf = 1;

		if (!elac_varint_get(&src, end, &gap) || ((gap & 1) && !elac_varint_get(&src, end, &tf)) ||
			tf == 0 || tf > UINT32_MAX || (gap >> 1) >= reader->footer.ndocs - doc)
			elac_corrupted(reader->name, "The postings of a rare term are malformed.");
		doc += gap >> 1;
		dst[i].doc = (ElacDoc) doc;
		dst[i].tf = (uint32) tf;
		dst[i].where = 0;
		doc++;
		if (doc >= reader->footer.ndocs && i + 1 < entry->df)
			elac_corrupted(reader->name, "The postings of a rare term go past the last document.");
	}
	if (src != end)
		elac_corrupted(reader->name, "The postings of a rare term have bytes left over.");
}

ElacTextPostingBlock *
elac_text_blocks(ElacTextReader *reader, const ElacTextEntry *entry, uint32 *nblocks, uint64 **offsets)
{
	uint32		n = (entry->df - 1) / ELAC_TEXT_BLOCK_DOCS + 1;
	uint64		header_len = (uint64) n * sizeof(ElacTextPostingBlock);
	uint64		at = entry->offset + header_len;
	ElacTextPostingBlock *blocks;

	if (header_len > entry->len)
		elac_corrupted(reader->name, "A posting list is shorter than its block headers.");
	blocks = MemoryContextAllocHuge(CurrentMemoryContext, header_len);
	*offsets = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(uint64));
	elac_section_read_body(&reader->section, entry->offset, blocks, header_len);
	for (uint32 i = 0; i < n; i++)
	{
		const ElacTextPostingBlock *block = &blocks[i];
		uint32		count = i + 1 < n ? ELAC_TEXT_BLOCK_DOCS : entry->df - i * ELAC_TEXT_BLOCK_DOCS;

		if (block->gap_width > 32 || block->tf_width > 32 || block->max_tf == 0 || block->reserved != 0 ||
			block->last_doc >= reader->footer.ndocs || (i > 0 && block->last_doc <= blocks[i - 1].last_doc))
			elac_corrupted(reader->name, "Block %u of a posting list has a malformed header.", i);
		(*offsets)[i] = at;
		at += elac_bitpack_bytes(count, block->gap_width) + elac_bitpack_bytes(count, block->tf_width);
	}
	if (at != entry->offset + entry->len)
		elac_corrupted(reader->name, "The blocks of a posting list do not fill it.");
	*nblocks = n;
	return blocks;
}

uint32
elac_text_block_decode(ElacTextReader *reader, const ElacTextEntry *entry, const ElacTextPostingBlock *blocks,
					   const uint64 *offsets, uint32 i, uint32 *docs, uint32 *tfs)
{
	const ElacTextPostingBlock *block = &blocks[i];
	const ElacSection *section = &reader->section;
	uint32		left = entry->df - i * ELAC_TEXT_BLOCK_DOCS;
	uint32		n = Min(left, ELAC_TEXT_BLOCK_DOCS);
	Size		gap_bytes = elac_bitpack_bytes(n, block->gap_width);
	Size		len = gap_bytes + elac_bitpack_bytes(n, block->tf_width);
	uint64		next = i == 0 ? 0 : (uint64) blocks[i - 1].last_doc + 1;
	ElacBlobPin pin;
	const uint8 *data;

	if (len == 0)
	{
		memset(docs, 0, n * sizeof(uint32));
		memset(tfs, 0, n * sizeof(uint32));
	}
	else
	{
		data = elac_blob_pin(section->body, section->body_offset + offsets[i], (uint32) len, &pin);
		elac_bitunpack(data, n, block->gap_width, docs);
		elac_bitunpack(data + gap_bytes, n, block->tf_width, tfs);
		elac_blob_unpin(section->body, &pin);
	}
	/* Sums of gaps only grow: when the last is where the header says, all are in range. */
	for (uint32 j = 0; j < n; j++)
	{
		next += docs[j];
		docs[j] = (uint32) next;
		next++;
		if (tfs[j] == UINT32_MAX)
			elac_corrupted(reader->name, "Block %u of a posting list has a count that is too large.", i);
		tfs[j]++;
	}
	if (next != (uint64) block->last_doc + 1)
		elac_corrupted(reader->name, "Block %u of a posting list does not end at its last document.", i);
	return n;
}

void
elac_text_postings(ElacTextReader *reader, const ElacTextEntry *entry, ElacPosting *dst)
{
	ElacTextPostingBlock *blocks;
	uint64	   *offsets;
	uint32		nblocks;

	if (entry->tier == ELAC_TEXT_RARE)
	{
		inline_postings(reader, entry, dst);
		return;
	}
	blocks = elac_text_blocks(reader, entry, &nblocks, &offsets);
	for (uint32 i = 0; i < nblocks; i++)
	{
		uint32		docs[ELAC_TEXT_BLOCK_DOCS];
		uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
		uint32		n = elac_text_block_decode(reader, entry, blocks, offsets, i, docs, tfs);

		for (uint32 j = 0; j < n; j++)
		{
			dst[i * ELAC_TEXT_BLOCK_DOCS + j].doc = docs[j];
			dst[i * ELAC_TEXT_BLOCK_DOCS + j].tf = tfs[j];
			dst[i * ELAC_TEXT_BLOCK_DOCS + j].where = 0;
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(blocks);
	pfree(offsets);
}
