/*
 * posting_list.c
 *	  The postings of one term, read block by block: a frequent term's list, or
 *	  the postings that lie in a rare term's dictionary entry.
 *
 * Owns a copy of the list's directory and of some kilobytes of its blocks; the
 * reader must outlive the list.  Nothing read is trusted: what a caller gets
 * are ascending documents of the segment, whatever the bytes are.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "base/kernels.h"
#include "base/patched.h"
#include "base/varint.h"
#include "errors.h"
#include "storage/page.h"
#include "text/text_private.h"

/* Blocks are copied from pages so many bytes at a time, and what a block takes at most. */
#define LIST_WINDOW 4096
#define LIST_BLOCK_MAX (2 * ELAC_PATCHED_MAX(ELAC_TEXT_BLOCK_DOCS))

/* What the positions of a block take at most: 255 of each posting at most five bytes each, and headers. */
#define LIST_POSITIONS_MAX (2 * ELAC_TEXT_BLOCK_DOCS * ELAC_PATCHED_MAX(ELAC_PATCHED_VALUES))

#define NO_BLOCK PG_UINT32_MAX

struct ElacPostingSource
{
	ElacTextEntry entry;
	uint32	   *last_docs;		/* by block */
	/* a rare term's postings */
	uint32	   *docs;
	uint32	   *tfs;
	/* a frequent term's directory */
	const uint8 *directory;
	const uint8 *end;
	const uint8 *impacts;		/* of the list */
	const uint8 *table;			/* where groups begin; not there when there is one */
	const uint8 *records;
	uint32		ngroups;
	uint8		floor;			/* smallest length code of the list */
	/* the group whose record was read last */
	uint32		group;			/* NO_BLOCK: none */
	uint64		starts[ELAC_TEXT_GROUP_BLOCKS + 1];	/* of blocks, from the list's start */
	uint64		positions_starts[ELAC_TEXT_GROUP_BLOCKS + 1];
	const uint8 *group_impacts;
	const uint8 *block_impacts[ELAC_TEXT_GROUP_BLOCKS];	/* filled when asked for */
	bool		impacts_found;
	/* bytes of the list at hand */
	uint8	   *window;
	uint64		window_start;
	uint64		window_end;
	/* the block whose positions are at hand */
	uint32		positions_block;	/* NO_BLOCK: none */
	uint32		positions_first[ELAC_TEXT_BLOCK_DOCS + 1];
	ElacPositionSums sums;
	/* bytes of the list's positions at hand */
	uint8	   *stream;
	uint64		stream_room;
	uint64		stream_start;
	uint64		stream_end;
};

static uint32
block_count(const ElacPostingList *list, uint32 block)
{
	return block + 1 < list->nblocks ? ELAC_TEXT_BLOCK_DOCS : list->df - block * ELAC_TEXT_BLOCK_DOCS;
}

static void
list_corrupted(const ElacPostingList *list, const char *what)
{
	elac_corrupted(list->reader->name, "%s of a posting list of %u documents is malformed.", what, list->df);
}

/* ---- rare terms ---- */

static void
open_rare(ElacPostingList *list, struct ElacPostingSource *source)
{
	const uint8 *src = source->entry.inline_bytes;
	const uint8 *end = src + source->entry.inline_len;
	uint32		ndocs = list->reader->footer.ndocs;
	uint64		next = 0;

	for (uint32 i = 0; i < list->df; i++)
	{
		uint64		gap;
		uint64		tf = 1;

		if (!elac_varint_get(&src, end, &gap) || ((gap & 1) && !elac_varint_get(&src, end, &tf)) ||
			tf == 0 || tf > UINT32_MAX || next >= ndocs || (gap >> 1) >= ndocs - next)
			elac_corrupted(list->reader->name, "The postings of a rare term are malformed.");
		next += gap >> 1;
		source->docs[i] = (uint32) next++;
		source->tfs[i] = (uint32) tf;
	}
	if (src != end)
		elac_corrupted(list->reader->name, "The postings of a rare term have bytes left over.");
	source->last_docs[0] = source->docs[list->df - 1];
}

/* ---- directories ---- */

/* Reads a row of n numbers. */
static bool
row_read(const uint8 **src, const uint8 *end, uint32 n, uint32 *values)
{
	uint64		smallest;
	unsigned	width;
	Size		len;

	if (!elac_varint_get(src, end, &smallest) || smallest > UINT32_MAX || *src >= end)
		return false;
	width = *(*src)++;
	if (width > 32)
		return false;
	len = elac_bitpack_bytes(n, width);
	if (len > (Size) (end - *src))
		return false;
	elac_kernels()->unpack(*src, n, width, (uint32) smallest, values);
	*src += len;
	return true;
}

/* Reads pairs, at most ELAC_TEXT_IMPACTS_MAX; 0 when they are malformed.  dst NULL: passes over them. */
static uint32
impacts_read(const uint8 **src, const uint8 *end, uint8 floor, ElacTextImpact *dst)
{
	uint64		tf = 0;
	uint32		length_code = floor;

	for (uint32 n = 0; n < ELAC_TEXT_IMPACTS_MAX;)
	{
		uint8		head;
		uint64		tf_step;
		uint32		length_step;

		if (*src >= end)
			return 0;
		head = *(*src)++;
		tf_step = head >> ELAC_IMPACT_TF_SHIFT & ELAC_IMPACT_TF_MASK;
		length_step = head & ELAC_IMPACT_LENGTH_MASK;
		if (tf_step == 0 && (!elac_varint_get(src, end, &tf_step) || tf_step > UINT32_MAX))
			return 0;
		if (length_step == ELAC_IMPACT_LENGTH_MASK)
		{
			if (*src >= end)
				return 0;
			length_step = *(*src)++;
		}
		tf += tf_step;
		length_code += length_step;
		if (tf == 0 || tf > UINT32_MAX || length_code > UINT8_MAX)
			return 0;
		if (dst != NULL)
		{
			dst[n].tf = (uint32) tf;
			dst[n].length_code = (uint8) length_code;
		}
		n++;
		if (head & ELAC_IMPACT_LAST)
			return n;
	}
	return 0;
}

/* Last documents of all blocks, and where the parts of the directory begin. */
static void
open_frequent(ElacPostingList *list, struct ElacPostingSource *source)
{
	const uint8 *src = source->directory;
	uint32		ndocs = list->reader->footer.ndocs;
	uint32		base = 0;
	ElacTextImpact impacts[ELAC_TEXT_IMPACTS_MAX];

	for (uint32 block = 0; block < list->nblocks; block += ELAC_TEXT_GROUP_BLOCKS)
	{
		uint32		n = Min(list->nblocks - block, ELAC_TEXT_GROUP_BLOCKS);
		uint32	   *last_docs = source->last_docs + block;

		if (!row_read(&src, source->end, n, last_docs) ||
			!elac_kernels()->gaps_to_docs(last_docs, n, base) || last_docs[n - 1] >= ndocs)
			list_corrupted(list, "The row of last documents");
		base = last_docs[n - 1] + 1;
	}
	source->impacts = src;
	if (impacts_read(&src, source->end, 0, impacts) == 0)
		list_corrupted(list, "The impacts");
	source->floor = impacts[0].length_code;
	source->ngroups = (list->nblocks - 1) / ELAC_TEXT_GROUP_BLOCKS + 1;
	source->table = src;
	if (source->ngroups > 1)
	{
		uint64		table_len = (uint64) source->ngroups * (list->reader->positions ? 20 : 12);

		if (table_len > (uint64) (source->end - src))
			list_corrupted(list, "The table of groups");
		src += table_len;
	}
	source->records = src;
	source->group = source->positions_block = NO_BLOCK;
}

/* Where parts of a group begin that have these lengths. */
static bool
starts_fill(const uint32 *lens, uint32 n, uint64 first, uint64 limit, uint64 *starts)
{
	if (first > limit)
		return false;
	starts[0] = first;
	for (uint32 i = 0; i < n; i++)
		starts[i + 1] = starts[i] + lens[i];
	return starts[n] <= limit;
}

/* Makes a group's record be at hand. */
static void
load_group(const ElacPostingList *list, uint32 group)
{
	struct ElacPostingSource *source = list->source;
	uint32		n = Min(list->nblocks - group * ELAC_TEXT_GROUP_BLOCKS, ELAC_TEXT_GROUP_BLOCKS);
	uint32		lens[ELAC_TEXT_GROUP_BLOCKS];
	uint64		data = 0;
	uint64		positions = 0;
	const uint8 *src = source->records;

	if (source->group == group)
		return;
	source->group = NO_BLOCK;
	if (source->ngroups > 1)
	{
		const uint8 *entry = source->table + (uint64) group * (list->reader->positions ? 20 : 12);
		uint32		record = elac_get_u32(entry);

		if (record > (uint64) (source->end - src))
			list_corrupted(list, "The table of groups");
		src += record;
		data = elac_get_u64(entry + 4);
		if (list->reader->positions)
			positions = elac_get_u64(entry + 12);
	}
	if (!row_read(&src, source->end, n, lens) ||
		!starts_fill(lens, n, data, source->entry.len, source->starts))
		list_corrupted(list, "A row of lengths");
	if (list->reader->positions &&
		(!row_read(&src, source->end, n, lens) ||
		 !starts_fill(lens, n, positions, source->entry.positions_len, source->positions_starts)))
		list_corrupted(list, "A row of lengths of positions");
	source->group_impacts = src;
	source->impacts_found = false;
	source->group = group;
}

/* Finds the impacts of each block of the group at hand. */
static void
find_impacts(const ElacPostingList *list)
{
	struct ElacPostingSource *source = list->source;
	uint32		n = Min(list->nblocks - source->group * ELAC_TEXT_GROUP_BLOCKS, ELAC_TEXT_GROUP_BLOCKS);
	const uint8 *src = source->group_impacts;

	if (source->impacts_found)
		return;
	if (source->ngroups > 1 && impacts_read(&src, source->end, source->floor, NULL) == 0)
		list_corrupted(list, "A set of impacts");
	for (uint32 i = 0; i < n; i++)
	{
		source->block_impacts[i] = src;
		if (impacts_read(&src, source->end, source->floor, NULL) == 0)
			list_corrupted(list, "A set of impacts");
	}
	source->impacts_found = true;
}

/* ---- opening ---- */

ElacPostingList *
elac_posting_list_open(ElacTextReader *reader, const ElacTextEntry *entry)
{
	ElacPostingList *list = palloc(sizeof(ElacPostingList));
	struct ElacPostingSource *source;
	bool		rare = entry->tier == ELAC_TEXT_RARE;
	uint32		nblocks = rare ? 1 : (entry->df - 1) / ELAC_TEXT_BLOCK_DOCS + 1;
	Size		numbers = rare ? 2 * (Size) entry->df + 1 : nblocks;
	Size		room = sizeof(struct ElacPostingSource) + numbers * sizeof(uint32);

	/* A block's last document takes two bits or more, or blocks are all alike and rows are short. */
	if (!rare && (entry->directory_len < (nblocks - 1) / ELAC_TEXT_GROUP_BLOCKS + 1 ||
				  entry->directory_len > MaxAllocHugeSize / 2))
		elac_corrupted(reader->name, "A posting list of %u documents has a directory of " UINT64_FORMAT " bytes.",
					   entry->df, entry->directory_len);
	if (!rare)
		room += entry->directory_len;
	source = palloc_extended(room, MCXT_ALLOC_HUGE);
	source->entry = *entry;
	source->last_docs = (uint32 *) (source + 1);
	source->window = NULL;
	source->window_start = source->window_end = 0;
	source->positions_block = NO_BLOCK;
	source->sums.values = NULL;
	source->sums.n = source->sums.room = 0;
	source->stream = NULL;
	source->stream_room = source->stream_start = source->stream_end = 0;
	list->reader = reader;
	list->df = entry->df;
	list->nblocks = nblocks;
	list->last_docs = source->last_docs;
	list->source = source;
	if (rare)
	{
		source->docs = source->last_docs + 1;
		source->tfs = source->docs + entry->df;
		open_rare(list, source);
		return list;
	}
	source->directory = (const uint8 *) (source->last_docs + nblocks);
	source->end = source->directory + entry->directory_len;
	elac_section_read_head(&reader->section, entry->directory, (uint8 *) source->directory, entry->directory_len);
	open_frequent(list, source);
	return list;
}

void
elac_posting_list_close(ElacPostingList *list)
{
	struct ElacPostingSource *source = list->source;

	if (source->window != NULL)
		pfree(source->window);
	if (source->sums.values != NULL)
		pfree(source->sums.values);
	if (source->stream != NULL)
		pfree(source->stream);
	pfree(source);
	pfree(list);
}

/* ---- impacts ---- */

/* A rare term's postings have no impacts of their own: the largest count, and any length. */
static uint32
rare_impacts(const ElacPostingList *list, ElacTextImpact *dst)
{
	dst->tf = 1;
	dst->length_code = 1;
	for (uint32 i = 0; i < list->df; i++)
		dst->tf = Max(dst->tf, list->source->tfs[i]);
	return 1;
}

uint32
elac_posting_list_impacts(const ElacPostingList *list, ElacImpactLevel level, uint32 i, ElacTextImpact *dst)
{
	struct ElacPostingSource *source = list->source;
	const uint8 *src = source->impacts;
	uint8		floor = 0;
	uint32		n;

	if (source->entry.tier == ELAC_TEXT_RARE)
		return rare_impacts(list, dst);
	if (level == ELAC_IMPACTS_GROUP && source->ngroups > 1)
	{
		Assert(i < source->ngroups);
		load_group(list, i);
		src = source->group_impacts;
		floor = source->floor;
	}
	else if (level == ELAC_IMPACTS_BLOCK && list->nblocks > 1)
	{
		Assert(i < list->nblocks);
		load_group(list, i / ELAC_TEXT_GROUP_BLOCKS);
		find_impacts(list);
		src = source->block_impacts[i % ELAC_TEXT_GROUP_BLOCKS];
		floor = source->floor;
	}
	n = impacts_read(&src, source->end, floor, dst);
	if (n == 0)
		list_corrupted(list, "A set of impacts");
	return n;
}

/* ---- blocks ---- */

/*
 * The bytes of a block.  They are copied from pages some kilobytes at a time,
 * because finding a page costs as much as decoding some blocks; never more
 * pages than the block itself needs.
 */
static const uint8 *
block_bytes(ElacPostingList *list, uint32 block, const uint8 **end)
{
	struct ElacPostingSource *source = list->source;
	const ElacSection *section = &list->reader->section;
	uint64		start;
	uint64		stop;

	load_group(list, block / ELAC_TEXT_GROUP_BLOCKS);
	start = source->starts[block % ELAC_TEXT_GROUP_BLOCKS];
	stop = source->starts[block % ELAC_TEXT_GROUP_BLOCKS + 1];
	if (stop - start > LIST_BLOCK_MAX)
		list_corrupted(list, "A block");
	if (start < source->window_start || stop > source->window_end)
	{
		uint64		place = section->body_offset + source->entry.offset;
		uint64		page_end = ((place + stop + ELAC_PAGE_DATA - 1) / ELAC_PAGE_DATA) * ELAC_PAGE_DATA - place;
		uint64		window_end = Min(Min(source->entry.len, start + LIST_WINDOW), Max(page_end, stop));

		if (source->window == NULL)
			source->window = MemoryContextAlloc(GetMemoryChunkContext(list), Min(source->entry.len, (uint64) LIST_WINDOW) + 1);
		source->window_end = source->window_start = 0;
		elac_section_read_body(section, source->entry.offset + start, source->window, window_end - start);
		source->window_start = start;
		source->window_end = window_end;
	}
	*end = source->window + (stop - source->window_start);
	return source->window + (start - source->window_start);
}

/* Documents of a bitset, which must be n. */
static bool
bitset_read(const uint8 *bits, Size len, uint32 base, uint32 n, uint32 *docs)
{
	uint32		found = 0;

	for (Size at = 0; at < len; at += 8)
	{
		uint64		word = 0;

		memcpy(&word, bits + at, Min(len - at, 8));
		if (found + (uint32) __builtin_popcountll(word) > n)
			return false;
		for (; word != 0; word &= word - 1)
			docs[found++] = base + (uint32) (at * 8) + (uint32) __builtin_ctzll(word);
	}
	return found == n;
}

/* Bytes of the bitset of a block that begins with base, which ends at its last document. */
static Size
bitset_len(const ElacPostingList *list, uint32 block, uint32 base)
{
	return ((Size) (list->last_docs[block] - base) + 8) / 8;
}

static uint32
block_base(const ElacPostingList *list, uint32 block)
{
	return block == 0 ? 0 : list->last_docs[block - 1] + 1;
}

/* Documents of a block at *src, which ends at its last document. */
static void
read_docs(const ElacPostingList *list, uint32 block, const uint8 **src, const uint8 *end, uint32 *docs)
{
	uint32		n = block_count(list, block);
	uint32		base = block_base(list, block);

	if (*src < end && **src == ELAC_TEXT_BITSET)
	{
		Size		len = bitset_len(list, block, base);

		if (len >= (Size) (end - *src) || !bitset_read(*src + 1, len, base, n, docs))
			list_corrupted(list, "A bitset");
		*src += 1 + len;
	}
	else if (!elac_patched_read(src, end, n, 0, docs) || !elac_kernels()->gaps_to_docs(docs, n, base))
		list_corrupted(list, "A block");
	if (docs[n - 1] != list->last_docs[block])
		list_corrupted(list, "A block");
}

/* Counts of a block at src; gaps are passed over. */
static void
read_tfs(const ElacPostingList *list, const uint8 *src, const uint8 *end, uint32 n, uint32 *tfs)
{
	if (!elac_patched_read(&src, end, n, 1, tfs) || src != end)
		list_corrupted(list, "A block");
}

/* The counts of a frequent term's block alone. */
static void
block_tfs(ElacPostingList *list, uint32 block, uint32 *tfs)
{
	uint32		n = block_count(list, block);
	const uint8 *end;
	const uint8 *src = block_bytes(list, block, &end);

	if (src < end && *src == ELAC_TEXT_BITSET)
		src += Min(1 + bitset_len(list, block, block_base(list, block)), (Size) (end - src));
	else if (!elac_patched_skip(&src, end, n))
		list_corrupted(list, "A block");
	read_tfs(list, src, end, n, tfs);
}

uint32
elac_posting_list_decode(ElacPostingList *list, uint32 block, uint32 *docs, uint32 *tfs)
{
	struct ElacPostingSource *source = list->source;
	uint32		n = block_count(list, block);
	const uint8 *src;
	const uint8 *end;

	Assert(block < list->nblocks);
	if (source->entry.tier == ELAC_TEXT_RARE)
	{
		memcpy(docs, source->docs, n * sizeof(uint32));
		if (tfs != NULL)
			memcpy(tfs, source->tfs, n * sizeof(uint32));
		return n;
	}
	src = block_bytes(list, block, &end);
	read_docs(list, block, &src, end, docs);
	if (tfs != NULL)
		read_tfs(list, src, end, n, tfs);
	return n;
}

/* Sets the bits of a bitset whose bit 0 is document base in a window; bits outside of it are dropped. */
static void
mark_bitset(const uint8 *bits, Size len, uint32 base, ElacDoc first, uint32 nbits, uint64 *words)
{
	uint32		nwords = (nbits + 63) / 64;

	for (Size at = 0; at < len; at += 8)
	{
		int64		place = (int64) base + (int64) (at * 8) - (int64) first;
		uint64		word = 0;
		uint32		shift;

		if (place <= -64 || place >= (int64) nbits)
			continue;
		memcpy(&word, bits + at, Min(len - at, 8));
		if (place < 0)
		{
			words[0] |= word >> -place;
			continue;
		}
		shift = (uint32) (place % 64);
		words[place / 64] |= word << shift;
		if (shift > 0 && place / 64 + 1 < nwords)
			words[place / 64 + 1] |= word >> (64 - shift);
	}
	if (nbits % 64 != 0)
		words[nwords - 1] &= (UINT64CONST(1) << (nbits % 64)) - 1;
}

/* Sets the bits of ascending documents in a window. */
static void
mark_ascending(const uint32 *docs, uint32 n, ElacDoc first, uint32 nbits, uint64 *words)
{
	uint32		i = 0;
	uint32		word;
	uint64		bits = 0;

	while (i < n && docs[i] < first)
		i++;
	while (n > i && docs[n - 1] - first >= nbits)
		n--;
	if (i == n)
		return;
	/* the documents of one word together: they would wait for each other in memory */
	word = (docs[i] - first) / 64;
	for (; i < n; i++)
	{
		uint32		place = docs[i] - first;

		if (place / 64 != word)
		{
			words[word] |= bits;
			word = place / 64;
			bits = 0;
		}
		bits |= UINT64CONST(1) << (place % 64);
	}
	words[word] |= bits;
}

void
elac_posting_list_mark(ElacPostingList *list, uint32 block, ElacDoc first, uint32 nbits, uint64 *words)
{
	uint32		docs[ELAC_TEXT_BLOCK_DOCS];
	uint32		n;

	if (nbits == 0)
		return;
	if (list->source->entry.tier == ELAC_TEXT_FREQUENT)
	{
		const uint8 *end;
		const uint8 *src = block_bytes(list, block, &end);
		uint32		base = block_base(list, block);

		if (src < end && *src == ELAC_TEXT_BITSET)
		{
			Size		len = bitset_len(list, block, base);

			if (len >= (Size) (end - src))
				list_corrupted(list, "A bitset");
			mark_bitset(src + 1, len, base, first, nbits, words);
			return;
		}
	}
	n = elac_posting_list_decode(list, block, docs, NULL);
	mark_ascending(docs, n, first, nbits, words);
}

/* ---- positions ---- */

/*
 * Where the positions of each posting begin in the sums, from their numbers,
 * of which more than 255 count as that.  Makes room for them and for the 0 in
 * front of all; returns how many.
 */
static uint32
positions_count(const ElacPostingList *list, uint32 n, const uint32 *counts, uint32 *first, ElacPositionSums *sums)
{
	uint32		at = sums->n;

	for (uint32 i = 0; i < n; i++)
	{
		first[i] = at;
		at += Min(counts[i], ELAC_POSITIONS_MAX);
	}
	first[n] = at;
	at++;
	if (at > sums->room)
	{
		uint32		room = Max(2 * sums->room, at + ELAC_TEXT_BLOCK_DOCS);

		if (sums->values == NULL)
			sums->values = MemoryContextAlloc(GetMemoryChunkContext((void *) list), room * sizeof(uint32));
		else
			sums->values = repalloc(sums->values, room * sizeof(uint32));
		sums->room = room;
	}
	return first[n] - first[0];
}

/* Gaps behind the 0 to sums of all of them, which fit. */
static void
positions_add_up(const ElacPostingList *list, uint32 total, ElacPositionSums *sums)
{
	sums->values[sums->n] = 0;
	if (!elac_kernels()->gaps_to_docs(sums->values + sums->n + 1, total, 1))
		list_corrupted(list, "A position");
	sums->n += total + 1;
}

/* The bytes of positions from start to stop, copied some kilobytes at a time as those of blocks are. */
static const uint8 *
positions_bytes(ElacPostingList *list, uint64 start, uint64 stop)
{
	struct ElacPostingSource *source = list->source;
	const ElacTextEntry *entry = &source->entry;

	/* rows of lengths have been checked against the whole */
	if (stop - start > LIST_POSITIONS_MAX)
		list_corrupted(list, "A row of positions");
	if (source->stream == NULL || start < source->stream_start || stop > source->stream_end)
	{
		uint64		wanted = Min(entry->positions_len - start, Max(LIST_WINDOW, stop - start));

		if (source->stream == NULL || wanted > source->stream_room)
		{
			if (source->stream != NULL)
				pfree(source->stream);
			source->stream = NULL;
			source->stream_room = wanted;
			source->stream = MemoryContextAlloc(GetMemoryChunkContext(list), wanted + 1);
		}
		source->stream_end = source->stream_start = 0;
		if (entry->tier == ELAC_TEXT_FREQUENT)
			wanted = elac_text_read_positions(list->reader, entry->positions + start, source->stream, stop - start, wanted);
		else
			elac_section_read_body(&list->reader->section, entry->positions + start, source->stream, wanted);
		source->stream_start = start;
		source->stream_end = start + wanted;
	}
	return source->stream + (start - source->stream_start);
}

static void
rare_positions(ElacPostingList *list, const uint32 *tfs, uint32 *first, ElacPositionSums *sums)
{
	struct ElacPostingSource *source = list->source;
	uint64		len = source->entry.positions_len;
	const uint8 *src = positions_bytes(list, 0, len);
	const uint8 *end = src + len;
	uint32		counts[ELAC_TEXT_BLOCK_DOCS] = {0};
	uint32		total;

	if (source->entry.counted)
	{
		if ((Size) (end - src) < list->df)
			list_corrupted(list, "Numbers of positions");
		for (uint32 i = 0; i < list->df; i++)
			counts[i] = *src++;
	}
	total = positions_count(list, list->df, len == 0 || source->entry.counted ? counts : tfs, first, sums);
	for (uint32 i = 0; i < total; i++)
	{
		uint64		gap;

		if (!elac_varint_get(&src, end, &gap) || gap > ELAC_POSITION_MAX)
			list_corrupted(list, "A position");
		sums->values[sums->n + 1 + i] = (uint32) gap;
	}
	if (src != end)
		list_corrupted(list, "A row of positions");
	positions_add_up(list, total, sums);
}

static void
block_positions(ElacPostingList *list, uint32 block, const uint32 *tfs, uint32 *first, ElacPositionSums *sums)
{
	struct ElacPostingSource *source = list->source;
	uint32		n = block_count(list, block);
	uint32		counts[ELAC_TEXT_BLOCK_DOCS];
	uint32		total;
	uint64		start;
	uint64		stop;
	const uint8 *src;
	const uint8 *end;

	load_group(list, block / ELAC_TEXT_GROUP_BLOCKS);
	start = source->positions_starts[block % ELAC_TEXT_GROUP_BLOCKS];
	stop = source->positions_starts[block % ELAC_TEXT_GROUP_BLOCKS + 1];
	src = positions_bytes(list, start, stop);
	end = src + (stop - start);
	if (src == end)
		tfs = memset(counts, 0, sizeof(counts));
	else if (*src == 1)
	{
		src++;
		if (!elac_patched_read(&src, end, n, 0, counts))
			list_corrupted(list, "Numbers of positions");
		for (uint32 i = 0; i < n; i++)
			if (counts[i] > ELAC_POSITIONS_MAX)
				list_corrupted(list, "A number of positions");
		tfs = counts;
	}
	else if (*src++ != 0)
		list_corrupted(list, "Numbers of positions");
	total = positions_count(list, n, tfs, first, sums);
	for (uint32 i = 0; i < total; i += ELAC_PATCHED_VALUES)
		if (!elac_patched_read(&src, end, Min(total - i, ELAC_PATCHED_VALUES), 0, sums->values + sums->n + 1 + i))
			list_corrupted(list, "A row of positions");
	if (src != end)
		list_corrupted(list, "A row of positions");
	positions_add_up(list, total, sums);
}

bool
elac_posting_list_sums(ElacPostingList *list, uint32 block, const uint32 *tfs, uint32 *first, ElacPositionSums *sums)
{
	if (!list->reader->positions)
		return false;
	Assert(block < list->nblocks);
	if (list->source->entry.tier == ELAC_TEXT_FREQUENT)
		block_positions(list, block, tfs, first, sums);
	else
		rare_positions(list, tfs, first, sums);
	return true;
}

/* Makes the positions of a block be at hand. */
static void
load_positions(ElacPostingList *list, uint32 block)
{
	struct ElacPostingSource *source = list->source;
	uint32		counts[ELAC_TEXT_BLOCK_DOCS];

	if (source->positions_block == block)
		return;
	source->positions_block = NO_BLOCK;
	source->sums.n = 0;
	if (source->entry.tier == ELAC_TEXT_FREQUENT)
		block_tfs(list, block, counts);
	(void) elac_posting_list_sums(list, block, source->entry.tier == ELAC_TEXT_FREQUENT ? counts : source->tfs,
								  source->positions_first, &source->sums);
	source->positions_block = block;
}

/* The positions of posting i of the block at hand. */
static uint32
read_positions(const ElacPostingList *list, uint32 i, uint16 *dst)
{
	const struct ElacPostingSource *source = list->source;
	const uint32 *sums = source->sums.values + source->positions_first[i];
	uint32		n = source->positions_first[i + 1] - source->positions_first[i];

	if (sums[n] - sums[0] > ELAC_POSITION_MAX)
		list_corrupted(list, "A position");
	for (uint32 j = 0; j < n; j++)
		dst[j] = (uint16) (sums[j + 1] - sums[0]);
	return n;
}

uint32
elac_posting_list_positions(ElacPostingList *list, uint32 block, uint32 i, uint16 *dst)
{
	if (!list->reader->positions)
		return 0;
	Assert(i < block_count(list, block));
	load_positions(list, block);
	return read_positions(list, i, dst);
}

/* ---- all postings ---- */

/* Appends the positions of a block to those collected, and says in its postings where they are. */
static void
collect_positions(ElacPostingList *list, uint32 block, ElacPosting *postings, ElacTextPositions *to)
{
	uint32		n = block_count(list, block);
	uint32		total;

	load_positions(list, block);
	total = list->source->positions_first[n];
	if (to->n + total > to->room)
	{
		uint64		room = Max(to->room * 2, Max(to->n + total, 4096));

		if (to->values == NULL)
			to->values = palloc_extended(room * sizeof(uint16), MCXT_ALLOC_HUGE);
		else
			to->values = repalloc_huge(to->values, room * sizeof(uint16));
		to->room = room;
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32		count = read_positions(list, i, to->values + to->n);

		postings[i].where = elac_posting_where(to->n, count);
		to->n += count;
	}
}

void
elac_text_postings(ElacTextReader *reader, const ElacTextEntry *entry, ElacPosting *dst, ElacTextPositions *positions)
{
	ElacPostingList *list = elac_posting_list_open(reader, entry);

	for (uint32 block = 0; block < list->nblocks; block++)
	{
		uint32		docs[ELAC_TEXT_BLOCK_DOCS];
		uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
		ElacPosting *postings = dst + (Size) block * ELAC_TEXT_BLOCK_DOCS;
		uint32		n = elac_posting_list_decode(list, block, docs, tfs);

		for (uint32 i = 0; i < n; i++)
		{
			postings[i].doc = docs[i];
			postings[i].tf = tfs[i];
			postings[i].where = 0;
		}
		if (positions != NULL && reader->positions)
			collect_positions(list, block, postings, positions);
		CHECK_FOR_INTERRUPTS();
	}
	elac_posting_list_close(list);
}
