/*
 * posting_pack.c
 *	  The stored form of one frequent term's postings: blocks for the body, a
 *	  directory for the head, positions for the stream of positions.  The bytes
 *	  are in text_format.h; posting_list.c reads them.
 *
 * Owns nothing: buffers, postings and length codes are the caller's.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "base/patched.h"
#include "base/varint.h"
#include "text/bm25.h"
#include "text/text_private.h"

/* More than any block, row, table entry or set of impacts takes. */
#define PACK_ROOM 2048

/* Makes room for so many more bytes and returns where they go. */
static uint8 *
pack_reserve(ElacTextBytes *to, uint64 more)
{
	if (to->len + more > to->room)
	{
		uint64		room = Max(to->room * 2, Max(to->len + more, 4096));

		if (to->bytes == NULL)
			to->bytes = MemoryContextAllocHuge(to->context, room);
		else
			to->bytes = repalloc_huge(to->bytes, room);
		to->room = room;
	}
	return to->bytes + to->len;
}

void
elac_text_bytes_add(ElacTextBytes *to, const void *bytes, uint64 len)
{
	uint8	   *dst = pack_reserve(to, len);

	if (len > 0)
		memcpy(dst, bytes, len);
	to->len += len;
}

/* ---- impacts ---- */

/* Adds a posting or pair to a Pareto set, ascending by both; sets may grow beyond ELAC_TEXT_IMPACTS_MAX. */
typedef struct ImpactSet
{
	uint32		n;
	ElacTextImpact pairs[256];	/* length codes differ */
} ImpactSet;

static void
impact_add(ImpactSet *set, uint32 tf, uint8 length_code)
{
	uint32		at = 0;
	uint32		end;

	/* The first pair that is not shorter; an equal or shorter one with at least this tf covers it. */
	while (at < set->n && set->pairs[at].length_code < length_code)
		at++;
	if ((at > 0 && set->pairs[at - 1].tf >= tf) ||
		(at < set->n && set->pairs[at].length_code == length_code && set->pairs[at].tf >= tf))
		return;
	/* It covers those from there on that do not have a larger tf. */
	end = at;
	while (end < set->n && set->pairs[end].tf <= tf)
		end++;
	memmove(set->pairs + at + 1, set->pairs + end, (set->n - end) * sizeof(ElacTextImpact));
	set->n = set->n - end + at + 1;
	set->pairs[at].tf = tf;
	set->pairs[at].length_code = length_code;
}

static void
impact_add_set(ImpactSet *set, const ImpactSet *other)
{
	for (uint32 i = 0; i < other->n; i++)
		impact_add(set, other->pairs[i].tf, other->pairs[i].length_code);
}

/*
 * Joins neighbours until there are at most ELAC_TEXT_IMPACTS_MAX: those first
 * that together lose least, measured in length codes, each an eighth of a
 * doubling or less.
 */
static void
impact_limit(ImpactSet *set)
{
	while (set->n > ELAC_TEXT_IMPACTS_MAX)
	{
		uint32		best = 0;

		for (uint32 i = 1; i + 1 < set->n; i++)
			if (set->pairs[i + 1].length_code - set->pairs[i].length_code <
				set->pairs[best + 1].length_code - set->pairs[best].length_code)
				best = i;
		set->pairs[best].tf = set->pairs[best + 1].tf;
		set->n--;
		memmove(set->pairs + best + 1, set->pairs + best + 2, (set->n - best - 1) * sizeof(ElacTextImpact));
	}
}

static void
impact_write(const ImpactSet *whole, uint8 floor, ElacTextBytes *to)
{
	ImpactSet	set;
	uint8	   *start = pack_reserve(to, PACK_ROOM);
	uint8	   *dst = start;
	uint32		tf = 0;
	uint32		length_code = floor;

	set.n = whole->n;
	memcpy(set.pairs, whole->pairs, whole->n * sizeof(ElacTextImpact));
	impact_limit(&set);
	for (uint32 i = 0; i < set.n; i++)
	{
		uint32		tf_step = set.pairs[i].tf - tf;
		uint32		length_step = set.pairs[i].length_code - length_code;
		bool		tf_follows = tf_step == 0 || tf_step > ELAC_IMPACT_TF_MASK;
		bool		length_follows = length_step >= ELAC_IMPACT_LENGTH_MASK;

		*dst++ = (uint8) ((i + 1 == set.n ? ELAC_IMPACT_LAST : 0) |
						  (tf_follows ? 0 : tf_step << ELAC_IMPACT_TF_SHIFT) |
						  (length_follows ? ELAC_IMPACT_LENGTH_MASK : length_step));
		if (tf_follows)
			dst += elac_varint_put(dst, tf_step);
		if (length_follows)
			*dst++ = (uint8) length_step;
		tf = set.pairs[i].tf;
		length_code = set.pairs[i].length_code;
	}
	to->len += dst - start;
}

/* ---- rows of numbers ---- */

static void
row_write(const uint32 *values, uint32 n, ElacTextBytes *to)
{
	uint8	   *start = pack_reserve(to, PACK_ROOM);
	uint8	   *dst = start;
	uint32		above[ELAC_TEXT_GROUP_BLOCKS];
	uint32		smallest = values[0];
	unsigned	width;

	for (uint32 i = 1; i < n; i++)
		smallest = Min(smallest, values[i]);
	for (uint32 i = 0; i < n; i++)
		above[i] = values[i] - smallest;
	width = elac_bitpack_width(above, n);
	dst += elac_varint_put(dst, smallest);
	*dst++ = (uint8) width;
	elac_bitpack(above, n, width, dst);
	to->len += dst - start + elac_bitpack_bytes(n, width);
}

/* ---- blocks ---- */

/* Gaps and counts of n postings that come at or after base. */
static void
block_write(const ElacPosting *postings, uint32 n, uint64 base, ElacTextBytes *to)
{
	uint32		values[ELAC_TEXT_BLOCK_DOCS];
	uint64		span = (uint64) postings[n - 1].doc + 1 - base;
	uint64		bitset_len = (span + 7) / 8;
	uint64		next = base;
	uint8	   *dst = pack_reserve(to, PACK_ROOM);
	Size		len;

	for (uint32 i = 0; i < n; i++)
	{
		values[i] = (uint32) (postings[i].doc - next);
		next = (uint64) postings[i].doc + 1;
	}
	len = elac_patched_write(values, n, dst);
	if (1 + bitset_len <= len)
	{
		dst[0] = ELAC_TEXT_BITSET;
		memset(dst + 1, 0, bitset_len);
		for (uint32 i = 0; i < n; i++)
			dst[1 + (postings[i].doc - base) / 8] |= 1 << (postings[i].doc - base) % 8;
		len = 1 + bitset_len;
	}
	for (uint32 i = 0; i < n; i++)
		values[i] = postings[i].tf - 1;
	len += elac_patched_write(values, n, dst + len);
	to->len += len;
}

static void
block_positions_write(const ElacPosting *postings, uint32 n, const uint16 *positions, ElacTextBytes *to)
{
	uint32		values[ELAC_PATCHED_VALUES];
	uint32		nvalues = 0;
	bool		some = false;
	bool		counted = false;

	for (uint32 i = 0; i < n; i++)
	{
		some |= elac_posting_npositions(&postings[i]) > 0;
		counted |= elac_posting_npositions(&postings[i]) != Min(postings[i].tf, ELAC_POSITIONS_MAX);
	}
	if (!some)
		return;
	*pack_reserve(to, PACK_ROOM) = counted;
	to->len++;
	if (counted)
	{
		for (uint32 i = 0; i < n; i++)
			values[i] = elac_posting_npositions(&postings[i]);
		to->len += elac_patched_write(values, n, to->bytes + to->len);
	}
	for (uint32 i = 0; i < n; i++)
	{
		const uint16 *from = positions + elac_posting_start(&postings[i]);
		uint32		next = 1;

		for (uint32 j = 0; j < elac_posting_npositions(&postings[i]); j++)
		{
			values[nvalues++] = from[j] - next;
			next = (uint32) from[j] + 1;
			if (nvalues == ELAC_PATCHED_VALUES)
			{
				to->len += elac_patched_write(values, nvalues, pack_reserve(to, PACK_ROOM));
				nvalues = 0;
			}
		}
	}
	if (nvalues > 0)
		to->len += elac_patched_write(values, nvalues, pack_reserve(to, PACK_ROOM));
}

/* ---- lists ---- */

/* What the directory says about a group of blocks. */
typedef struct PackedGroup
{
	uint32		nblocks;
	uint32		lens[ELAC_TEXT_GROUP_BLOCKS];
	uint32		positions_lens[ELAC_TEXT_GROUP_BLOCKS];
	uint64		data;			/* where its blocks begin, from the list's start */
	uint64		positions;
	ImpactSet	impacts;
	ImpactSet	block_impacts[ELAC_TEXT_GROUP_BLOCKS];
} PackedGroup;

/* Impacts of all postings, and the smallest length code. */
static uint8
list_impacts(const ElacPosting *postings, uint32 df, const uint8 *norms, ImpactSet *set)
{
	uint32		largest[256];	/* tf by length code */
	uint8		smallest = UINT8_MAX;

	memset(largest, 0, sizeof(largest));
	for (uint32 i = 0; i < df; i++)
	{
		uint8		code = norms[postings[i].doc];

		largest[code] = Max(largest[code], postings[i].tf);
		smallest = Min(smallest, code);
	}
	set->n = 0;
	for (int code = 0; code < 256; code++)
		if (largest[code] > 0)
			impact_add(set, largest[code], (uint8) code);
	return smallest;
}

/* Packs the blocks of a group, whose first posting is number first. */
static void
group_write(const ElacPosting *postings, uint32 df, uint32 first, const uint8 *norms, const uint16 *positions,
			PackedGroup *group, ElacTextBytes *data, ElacTextBytes *stream)
{
	group->nblocks = 0;
	group->impacts.n = 0;
	while (first < df && group->nblocks < ELAC_TEXT_GROUP_BLOCKS)
	{
		uint32		n = Min(df - first, ELAC_TEXT_BLOCK_DOCS);
		uint64		data_start = data->len;
		uint64		stream_start = stream->len;
		ImpactSet  *impacts = &group->block_impacts[group->nblocks];

		block_write(postings + first, n, first == 0 ? 0 : (uint64) postings[first - 1].doc + 1, data);
		group->lens[group->nblocks] = (uint32) (data->len - data_start);
		if (positions != NULL)
			block_positions_write(postings + first, n, positions, stream);
		group->positions_lens[group->nblocks] = (uint32) (stream->len - stream_start);
		impacts->n = 0;
		for (uint32 i = first; i < first + n; i++)
			impact_add(impacts, postings[i].tf, norms[postings[i].doc]);
		impact_add_set(&group->impacts, impacts);
		group->nblocks++;
		first += n;
	}
}

/* The record of a group. */
static void
record_write(const PackedGroup *group, bool alone, bool with_positions, uint8 floor, ElacTextBytes *to)
{
	row_write(group->lens, group->nblocks, to);
	if (with_positions)
		row_write(group->positions_lens, group->nblocks, to);
	if (!alone)
		impact_write(&group->impacts, floor, to);
	if (!alone || group->nblocks > 1)
		for (uint32 i = 0; i < group->nblocks; i++)
			impact_write(&group->block_impacts[i], floor, to);
}

/* Last documents of all blocks, in rows. */
static void
last_docs_write(const ElacPosting *postings, uint32 df, ElacTextBytes *to)
{
	uint32		row[ELAC_TEXT_GROUP_BLOCKS];
	uint32		n = 0;
	uint64		next = 0;

	for (uint64 end = ELAC_TEXT_BLOCK_DOCS; end < (uint64) df + ELAC_TEXT_BLOCK_DOCS; end += ELAC_TEXT_BLOCK_DOCS)
	{
		uint32		last = postings[Min(end, df) - 1].doc;

		row[n++] = (uint32) (last - next);
		next = (uint64) last + 1;
		if (n == ELAC_TEXT_GROUP_BLOCKS)
		{
			row_write(row, n, to);
			n = 0;
		}
	}
	if (n > 0)
		row_write(row, n, to);
}

/* ---- peaks ---- */

/* A count and a length code, and how many postings have them; larger counts are one class with the largest here. */
#define PEAK_TFS 64

typedef struct PeakClass
{
	uint32		n;
	uint16		tf;
	uint8		code;
	bool		chosen;
	double		impact;
} PeakClass;

/* The highest impact first. */
static int
compare_classes(const void *a, const void *b)
{
	const PeakClass *x = *(PeakClass *const *) a;
	const PeakClass *y = *(PeakClass *const *) b;

	if (x->impact != y->impact)
		return x->impact > y->impact ? -1 : 1;
	if (x->tf != y->tf)
		return x->tf > y->tf ? -1 : 1;
	return x->code - y->code;
}

/*
 * Chooses whole classes, those first that score most with b = 0.75 (k1 does
 * not change the order), until a sixteenth of the postings are chosen.
 * Returns how many are.
 */
static uint32
choose_peaks(const ElacPosting *postings, uint32 df, const uint8 *norms, PeakClass *classes)
{
	PeakClass **order = palloc(PEAK_TFS * 256 * sizeof(PeakClass *));
	double		average;
	uint64		total = 0;
	uint32		nclasses = 0;
	uint32		chosen = 0;

	memset(classes, 0, PEAK_TFS * 256 * sizeof(PeakClass));
	for (uint32 i = 0; i < df; i++)
	{
		uint8		code = norms[postings[i].doc];

		total += elac_length_decode(code);
		classes[(Min(postings[i].tf, PEAK_TFS) - 1) * 256 + code].n++;
	}
	average = (double) total / df;
	for (uint32 i = 0; i < PEAK_TFS * 256; i++)
	{
		PeakClass  *class = &classes[i];

		if (class->n == 0)
			continue;
		class->tf = (uint16) (i / 256 + 1);
		class->code = (uint8) (i % 256);
		class->impact = class->tf / (average + 3.0 * elac_length_decode(class->code));
		order[nclasses++] = class;
	}
	qsort(order, nclasses, sizeof(PeakClass *), compare_classes);
	for (uint32 i = 0; i < nclasses && chosen + order[i]->n <= df / ELAC_TEXT_PEAKS_PART; i++)
	{
		order[i]->chosen = true;
		chosen += order[i]->n;
	}
	pfree(order);
	return chosen;
}

static inline bool
is_peak(const PeakClass *classes, const ElacPosting *posting, const uint8 *norms)
{
	return classes[(Min(posting->tf, PEAK_TFS) - 1) * 256 + norms[posting->doc]].chosen;
}

/* Impacts of the postings that are not chosen. */
static void
rest_impacts(const ElacPosting *postings, uint32 df, const uint8 *norms, const PeakClass *classes, ImpactSet *set)
{
	uint32		largest[256];	/* tf by length code */

	memset(largest, 0, sizeof(largest));
	for (uint32 i = 0; i < df; i++)
		if (!is_peak(classes, &postings[i], norms))
		{
			uint8		code = norms[postings[i].doc];

			largest[code] = Max(largest[code], postings[i].tf);
		}
	set->n = 0;
	for (int code = 0; code < 256; code++)
		if (largest[code] > 0)
			impact_add(set, largest[code], (uint8) code);
	impact_limit(set);
}

/* Writes the peaks behind the list's blocks, and what to know of them behind its directory. */
static void
peaks_write(const ElacPosting *postings, uint32 df, const uint8 *norms, ElacTextBytes *data, ElacTextBytes *directory)
{
	PeakClass  *classes = palloc(PEAK_TFS * 256 * sizeof(PeakClass));
	uint32		npeaks = choose_peaks(postings, df, norms, classes);
	uint64		start = data->len;
	uint64		next = 0;
	uint32		at = 0;
	ImpactSet	rest;
	uint8	   *record;
	uint8	   *dst;

	for (uint32 left = npeaks; left > 0;)
	{
		uint32		gaps[ELAC_TEXT_BLOCK_DOCS];
		uint32		tfs[ELAC_TEXT_BLOCK_DOCS];
		uint32		codes[ELAC_TEXT_BLOCK_DOCS];
		uint32		n = 0;

		for (; n < Min(left, ELAC_TEXT_BLOCK_DOCS); at++)
			if (is_peak(classes, &postings[at], norms))
			{
				gaps[n] = (uint32) (postings[at].doc - next);
				next = (uint64) postings[at].doc + 1;
				tfs[n] = postings[at].tf - 1;
				codes[n++] = norms[postings[at].doc];
			}
		data->len += elac_patched_write(gaps, n, pack_reserve(data, PACK_ROOM));
		data->len += elac_patched_write(tfs, n, pack_reserve(data, PACK_ROOM));
		data->len += elac_patched_write(codes, n, pack_reserve(data, PACK_ROOM));
		left -= n;
	}
	rest_impacts(postings, df, norms, classes, &rest);
	record = dst = pack_reserve(directory, PACK_ROOM);
	dst += elac_varint_put(dst, npeaks);
	dst += elac_varint_put(dst, data->len - start);
	for (uint32 i = 0; i < rest.n; i++)
	{
		dst += elac_varint_put(dst, rest.pairs[i].tf);
		*dst++ = rest.pairs[i].length_code;
	}
	*dst = (uint8) (dst - record);
	directory->len += dst + 1 - record;
	pfree(classes);
}

void
elac_posting_pack(const ElacPosting *postings, uint32 df, const uint8 *norms, const uint16 *positions,
				  ElacTextPacked *packed)
{
	uint32		nblocks = (df - 1) / ELAC_TEXT_BLOCK_DOCS + 1;
	uint32		ngroups = (nblocks - 1) / ELAC_TEXT_GROUP_BLOCKS + 1;
	uint32		entry_len = positions != NULL ? 20 : 12;
	ElacTextBytes *directory = &packed->directory;
	PackedGroup *group = MemoryContextAlloc(directory->context, sizeof(PackedGroup));
	uint64		table;
	uint64		records;
	uint8		floor;

	packed->data.len = packed->stream.len = directory->len = 0;
	last_docs_write(postings, df, directory);
	floor = list_impacts(postings, df, norms, &group->impacts);
	impact_write(&group->impacts, 0, directory);
	table = directory->len;
	if (ngroups > 1)
	{
		pack_reserve(directory, (uint64) ngroups * entry_len);
		directory->len += (uint64) ngroups * entry_len;
	}
	records = directory->len;
	for (uint32 i = 0; i < ngroups; i++)
	{
		group->data = packed->data.len;
		group->positions = packed->stream.len;
		if (ngroups > 1)
		{
			uint8	   *dst = directory->bytes + table + (uint64) i * entry_len;

			elac_put_u32(dst, (uint32) (directory->len - records));
			elac_put_u64(dst + 4, group->data);
			if (positions != NULL)
				elac_put_u64(dst + 12, group->positions);
		}
		group_write(postings, df, i * ELAC_TEXT_GROUP_BLOCKS * ELAC_TEXT_BLOCK_DOCS, norms, positions, group,
					&packed->data, &packed->stream);
		record_write(group, ngroups == 1, positions != NULL, floor, directory);
	}
	if (df >= ELAC_TEXT_PEAKS_DF)
		peaks_write(postings, df, norms, &packed->data, directory);
	pfree(group);
}
