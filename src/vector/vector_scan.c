/*
 * vector_scan.c
 *	  Scans lists of a vector section: a 1-bit pass over blocks of 32
 *	  documents, then the full codes of those that may still win.
 *
 * A list's documents are consecutive, so its blocks are too; the first and
 * last may hold documents of neighbouring lists, whose lanes are masked, as
 * are those that the caller's bitmap excludes.
 *
 * Records lie anywhere and a first look at one waits for memory.  So survivors
 * queue: a record is asked for when its document enters the queue and read
 * when the queue is full, by when it has arrived.  The threshold that falls
 * meanwhile is compared again before.  Pages are pinned in runs and kept
 * pinned while something in the queue points into them.  Under a filter that
 * leaves few documents in a block, blocks lie far apart as well and are put off
 * in the same way; their documents are looked at one by one.
 *
 * Any bytes in the codes are safe: they only lead to wrong numbers, and a
 * number that is not finite becomes a candidate with the worst estimate and
 * the best lower bound, which the caller looks at exactly.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#include "base/bytes.h"
#include "base/kernels.h"
#include "vector/vector_private.h"

/* With this few documents left in a block, looking at each is cheaper than the tables for all. */
#define ELAC_SCAN_FEW_LANES 2

/* Blocks with few documents that are on their way from memory. */
#define ELAC_SCAN_DEFERRED 8

/*
 * The first pass's sums serve the second when their rounding, which counts
 * 2^ex times there, has at most this part of |q - c| as its standard deviation:
 * a code of 3 to 5 bits leaves an error of a third of |q - c| in the same unit.
 */
#define ELAC_SCAN_REUSE_PART 0.1f

/* Relative rounding error granted to sums of floats. */
#define ELAC_SCAN_ROUNDING 1e-6f

#define ELAC_SCAN_PAGES 16
#define ELAC_SCAN_QUEUE 64
#define ELAC_SCAN_LINE 64		/* bytes of a cache line */
#define ELAC_SCAN_ANNOUNCED 2048	/* bytes of a list asked for ahead */

/* Logical pages of the body, pinned: the newest is the likeliest to be asked for. */
typedef struct ElacScanPages
{
	ElacBlobReader *blob;
	uint64		end;			/* of the section, offset in the blob */
	int			n;
	int			last;			/* slot asked for last */
	uint32		number[ELAC_SCAN_PAGES];
	const uint8 *data[ELAC_SCAN_PAGES];
	ElacBlobPin pin[ELAC_SCAN_PAGES];
} ElacScanPages;

/* A document whose full code is to be looked at. */
typedef struct ElacScanSurvivor
{
	const uint8 *record;
	ElacDoc		doc;
	float		lower;			/* by its first bit */
	float		bits;			/* <bits,q> */
	float		deviation;		/* of bits, times epsilon; 0 when exact */
	/* of its list */
	float		add;
	float		lambda;
	float		spread;
} ElacScanSurvivor;

/* A block of which few documents are allowed. */
typedef struct ElacScanSparse
{
	uint32		block;
	uint32		mask;
	/* of its list */
	float		add;
	float		lambda;
	float		spread;
} ElacScanSparse;

typedef struct ElacVectorScan
{
	ElacVectorReader *reader;
	ElacVectorQuery *query;
	const ElacKernels *kernels;
	const ElacBitmap *allowed;
	uint32		source;
	ElacVectorHeap *heap;
	ElacScanPages codes;
	ElacScanPages records;
	uint64		scored;
	ElacBoundTerms terms;		/* of the list being scanned */
	bool		reuses_sums;
	/* of the block being scanned */
	uint32		sums[ELAC_VECTOR_LANES];
	float		copied[3 * ELAC_VECTOR_LANES];	/* factors that straddle pages */
	float		estimate[ELAC_VECTOR_LANES];
	float		lower[ELAC_VECTOR_LANES];
	int			nqueued;
	ElacScanSurvivor queue[ELAC_SCAN_QUEUE];
	int			ndeferred;
	ElacScanSparse deferred[ELAC_SCAN_DEFERRED];
} ElacVectorScan;

/* ---- pages ---- */

static void
elac_scan_pages_init(ElacScanPages *pages, const ElacVectorReader *reader)
{
	pages->blob = reader->section.body;
	pages->end = reader->layout.end;
	pages->n = 0;
	pages->last = 0;
}

static void
elac_scan_pages_release(ElacScanPages *pages)
{
	for (int i = 0; i < pages->n; i++)
		elac_blob_unpin(pages->blob, &pages->pin[i]);
	pages->n = 0;
}

/* Slot of a page, pinned now if it was not; there must be room for it. */
static int
elac_scan_pages_find(ElacScanPages *pages, uint32 number)
{
	uint64		start = (uint64) number * ELAC_PAGE_DATA;

	for (int i = pages->n - 1; i >= 0; i--)
		if (pages->number[i] == number)
			return i;
	Assert(pages->n < ELAC_SCAN_PAGES);
	pages->data[pages->n] = elac_blob_pin(pages->blob, start, (uint32) Min(pages->end - start, (uint64) ELAC_PAGE_DATA),
										  &pages->pin[pages->n]);
	pages->number[pages->n] = number;
	return pages->n++;
}

/* Bytes at offset and how many of them lie in the same page. */
static inline const uint8 *
elac_scan_pages_get(ElacScanPages *pages, uint64 offset, uint32 *available)
{
	uint32		number = (uint32) (offset / ELAC_PAGE_DATA);
	uint32		within = (uint32) (offset % ELAC_PAGE_DATA);
	uint64		start = offset - within;

	Assert(offset < pages->end);
	if (pages->n == 0 || pages->number[pages->last] != number)
		pages->last = elac_scan_pages_find(pages, number);
	*available = (uint32) Min(pages->end - start, (uint64) ELAC_PAGE_DATA) - within;
	return pages->data[pages->last] + within;
}

/* The same for codes, whose old pages nothing points into. */
static inline const uint8 *
elac_scan_code_bytes(ElacVectorScan *scan, uint64 offset, uint32 *available)
{
	ElacScanPages *pages = &scan->codes;

	if (pages->n == ELAC_SCAN_PAGES && pages->number[pages->last] != offset / ELAC_PAGE_DATA)
		elac_scan_pages_release(pages);
	return elac_scan_pages_get(pages, offset, available);
}

/* ---- the second stage ---- */

/* Offers a document; what is not a number is left to the caller's exact look. */
static void
elac_scan_offer(ElacVectorScan *scan, ElacDoc doc, float estimate, float lower, float error_factor)
{
	ElacVectorCandidate candidate;

	candidate.estimate = estimate;
	candidate.lower = lower;
	candidate.source = scan->source;
	candidate.doc = doc;
	if (!isfinite(estimate) || error_factor >= ELAC_RABITQ_UNKNOWN)
	{
		candidate.estimate = FLT_MAX;
		candidate.lower = -FLT_MAX;
	}
	else if (!(lower >= -FLT_MAX))
		candidate.lower = -FLT_MAX;
	elac_vector_heap_push(scan->heap, &candidate);
}

/* Scores a document by its full code. */
static void
elac_scan_refine(ElacVectorScan *scan, const ElacScanSurvivor *survivor)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	const ElacVectorQuery *query = scan->query;
	const uint8 *record = survivor->record;
	float		levels = (float) (1 << layout->ex_bits);
	float		rescale = elac_get_f32(record + 4);
	float		error_factor = elac_get_f32(record + 8);
	float		own = survivor->lambda * elac_get_f32(record);
	float		width = survivor->spread * error_factor;
	float		rest = levels * survivor->deviation * rescale;
	float		ip;
	float		cross;
	float		estimate;
	float		error;

	/* <x,q> with x = 2^ex bits + ex code - (2^(ex + 1) - 1) / 2 */
	ip = scan->kernels->ip_packed(query->rotated, record + ELAC_VECTOR_FACTOR_BYTES, layout->ex_bits, layout->padded);
	ip += levels * survivor->bits - (2 * levels - 1) * query->half_sum;
	cross = rescale * ip;
	estimate = survivor->add + own + cross;

	/* what the code and what the sum of the first bits leave out are independent */
	error = survivor->deviation > 0 ? sqrtf(width * width + rest * rest) : width;
	error += ELAC_SCAN_ROUNDING * (fabsf(survivor->add) + fabsf(own) + fabsf(cross));
	elac_scan_offer(scan, survivor->doc, estimate, estimate - error, error_factor);
}

/* Refines the queue and lets its pages go if asked to. */
static void
elac_scan_flush(ElacVectorScan *scan, bool release)
{
	for (int i = 0; i < scan->nqueued; i++)
	{
		/* the threshold has fallen since; NaN survives */
		if (scan->queue[i].lower >= elac_vector_heap_threshold(scan->heap))
			continue;
		elac_scan_refine(scan, &scan->queue[i]);
	}
	scan->nqueued = 0;
	if (release)
		elac_scan_pages_release(&scan->records);
}

/* Queues a document; deviation as in ElacScanSurvivor. */
static void
elac_scan_enqueue(ElacVectorScan *scan, ElacDoc doc, float lower, float bits, float deviation)
{
	uint64		offset = elac_vector_record_offset(&scan->reader->layout, doc);
	uint32		record_bytes = scan->reader->layout.record_bytes;
	ElacScanSurvivor *survivor;
	uint32		available;

	if (scan->nqueued == ELAC_SCAN_QUEUE || scan->records.n == ELAC_SCAN_PAGES)
		elac_scan_flush(scan, scan->records.n == ELAC_SCAN_PAGES);
	survivor = &scan->queue[scan->nqueued++];
	survivor->record = elac_scan_pages_get(&scan->records, offset, &available);
	Assert(available >= record_bytes);
	for (uint32 at = 0; at < record_bytes; at += ELAC_SCAN_LINE)
		__builtin_prefetch(survivor->record + at);
	__builtin_prefetch(survivor->record + record_bytes - 1);
	survivor->doc = doc;
	survivor->lower = lower;
	survivor->bits = bits;
	survivor->deviation = deviation;
	survivor->add = scan->terms.add;
	survivor->lambda = scan->terms.lambda;
	survivor->spread = scan->terms.spread;
}

/* Exact sum of the query's components where a document's bits are set. */
static float
elac_scan_exact_bits(ElacVectorScan *scan, ElacDoc doc)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	const float *table = elac_vector_query_table(scan->query);
	int			lane = doc % ELAC_VECTOR_LANES;
	int			byte = elac_vector_lane_byte(lane);
	int			shift = elac_vector_lane_shift(lane);
	uint64		offset = elac_vector_block_offset(layout, doc / ELAC_VECTOR_LANES);
	float		total[4] = {0};

	for (uint32 done = 0; done < layout->code_bytes;)
	{
		uint32		available;
		const uint8 *data = elac_scan_code_bytes(scan, offset + done, &available);
		uint32		n = Min(layout->code_bytes - done, available / ELAC_VECTOR_UNIT * ELAC_VECTOR_UNIT);

		/* two groups of four dimensions in each unit */
		for (uint32 i = 0; i < n; i += ELAC_VECTOR_UNIT)
		{
			int			which = (i / ELAC_VECTOR_UNIT) & 1;

			total[which] += table[(data[i + byte] >> shift) & 15];
			total[which + 2] += table[16 + ((data[i + 16 + byte] >> shift) & 15)];
			table += 32;
		}
		done += n;
	}
	return (total[0] + total[1]) + (total[2] + total[3]);
}

/* ---- the first stage ---- */

/* FastScan over a block, page by page; returns its factors. */
static const void *
elac_scan_block_sums(ElacVectorScan *scan, uint32 block)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	uint64		offset = elac_vector_block_offset(layout, block);
	uint32		units = layout->code_bytes / ELAC_VECTOR_UNIT;
	uint32		available;
	const uint8 *data = elac_scan_code_bytes(scan, offset, &available);

	if (available >= layout->block_bytes)
	{
		scan->kernels->fastscan32(data, scan->query->lut, units, scan->sums);
		return data + layout->code_bytes;
	}
	for (uint32 done = 0; done < units;)
	{
		uint32		sums[ELAC_VECTOR_LANES];
		uint32		n;

		data = elac_scan_code_bytes(scan, offset + (uint64) done * ELAC_VECTOR_UNIT, &available);
		n = Min(units - done, available / ELAC_VECTOR_UNIT);
		scan->kernels->fastscan32(data, scan->query->lut + (Size) done * 32, n, done == 0 ? scan->sums : sums);
		if (done > 0)
			for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
				scan->sums[lane] += sums[lane];
		done += n;
	}
	offset += layout->code_bytes;
	for (uint32 done = 0; done < sizeof(scan->copied);)
	{
		uint32		n;

		data = elac_scan_code_bytes(scan, offset + done, &available);
		n = Min(sizeof(scan->copied) - done, available);
		memcpy((uint8 *) scan->copied + done, data, n);
		done += n;
	}
	return scan->copied;
}

static float
elac_scan_factor(ElacVectorScan *scan, uint32 block, int factor, int lane)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	uint32		available;

	return elac_get_f32(elac_scan_code_bytes(scan, elac_vector_block_offset(layout, block) + layout->code_bytes +
											 (factor * ELAC_VECTOR_LANES + lane) * sizeof(float), &available));
}

/* The first stage for one document, as bounds32 has it but with an exact sum. */
static void
elac_scan_lane(ElacVectorScan *scan, const ElacScanSparse *sparse, int lane)
{
	ElacDoc		doc = sparse->block * ELAC_VECTOR_LANES + lane;
	float		bits = elac_scan_exact_bits(scan, doc);
	float		rescale = elac_scan_factor(scan, sparse->block, 1, lane);
	float		error_factor = elac_scan_factor(scan, sparse->block, 2, lane);
	float		own = sparse->lambda * elac_scan_factor(scan, sparse->block, 0, lane);
	float		cross = rescale * (bits - scan->query->half_sum);
	float		estimate = sparse->add + own + cross;
	float		lower = estimate - (sparse->spread * error_factor +
									ELAC_SCAN_ROUNDING * (fabsf(sparse->add) + fabsf(own) + fabsf(cross)));

	if (error_factor >= ELAC_RABITQ_UNKNOWN)
		lower = -INFINITY;
	if (lower >= elac_vector_heap_threshold(scan->heap))
		return;
	scan->terms.add = sparse->add;
	scan->terms.lambda = sparse->lambda;
	scan->terms.spread = sparse->spread;
	if (scan->reader->layout.ex_bits > 0)
		elac_scan_enqueue(scan, doc, lower, bits, 0);
	else
		elac_scan_offer(scan, doc, estimate, lower, error_factor);
}

static void
elac_scan_run_deferred(ElacVectorScan *scan)
{
	ElacBoundTerms terms = scan->terms;

	for (int i = 0; i < scan->ndeferred; i++)
	{
		const ElacScanSparse *sparse = &scan->deferred[i];

		for (uint32 mask = sparse->mask; mask != 0; mask &= mask - 1)
			elac_scan_lane(scan, sparse, pg_rightmost_one_pos32(mask));
	}
	scan->ndeferred = 0;
	scan->terms = terms;
}

/* Asks memory for a block and puts it off. */
static void
elac_scan_defer(ElacVectorScan *scan, uint32 block, uint32 mask)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	uint64		offset = elac_vector_block_offset(layout, block);
	uint64		end = offset + layout->block_bytes;
	ElacScanSparse *sparse;

	/* a block may lie on some pages, and when there is no room for them all old ones go */
	if (scan->ndeferred == ELAC_SCAN_DEFERRED ||
		scan->codes.n + (end - 1) / ELAC_PAGE_DATA - offset / ELAC_PAGE_DATA + 1 > ELAC_SCAN_PAGES)
		elac_scan_run_deferred(scan);
	while (offset < end)
	{
		uint32		available;
		const uint8 *data = elac_scan_code_bytes(scan, offset, &available);
		uint32		n = (uint32) Min(available, end - offset);

		for (uint32 at = 0; at < n; at += ELAC_SCAN_LINE)
			__builtin_prefetch(data + at);
		offset += n;
	}
	sparse = &scan->deferred[scan->ndeferred++];
	sparse->block = block;
	sparse->mask = mask;
	sparse->add = scan->terms.add;
	sparse->lambda = scan->terms.lambda;
	sparse->spread = scan->terms.spread;
}

/* Scans the lanes of mask in a block. */
static void
elac_scan_block(ElacVectorScan *scan, uint32 block, uint32 mask)
{
	ElacDoc		base = block * ELAC_VECTOR_LANES;
	bool		refines = scan->reader->layout.ex_bits > 0;
	const uint8 *factors;

	scan->scored += pg_popcount32(mask);
	if (scan->allowed != NULL && pg_popcount32(mask) <= ELAC_SCAN_FEW_LANES)
	{
		elac_scan_defer(scan, block, mask);
		return;
	}

	factors = elac_scan_block_sums(scan, block);
	mask &= scan->kernels->bounds32(&scan->terms, scan->sums, factors, elac_vector_heap_threshold(scan->heap),
									scan->estimate, scan->lower);
	for (; mask != 0; mask &= mask - 1)
	{
		int			lane = pg_rightmost_one_pos32(mask);

		if (!refines)
		{
			/* the threshold falls while the block is scanned */
			if (!(scan->lower[lane] >= elac_vector_heap_threshold(scan->heap)))
				elac_scan_offer(scan, base + lane, scan->estimate[lane], scan->lower[lane],
								elac_get_f32(factors + (2 * ELAC_VECTOR_LANES + lane) * sizeof(float)));
		}
		else if (scan->reuses_sums)
			elac_scan_enqueue(scan, base + lane, scan->lower[lane],
							  scan->query->lut_scale * (float) (int32) scan->sums[lane] + scan->query->lut_offset,
							  (float) scan->query->epsilon * scan->query->lut_deviation);
		else
			elac_scan_enqueue(scan, base + lane, scan->lower[lane], elac_scan_exact_bits(scan, base + lane), 0);
	}
}

static void
elac_scan_list(ElacVectorScan *scan, ElacDoc first, ElacDoc last)
{
	uint32		last_block = (last - 1) / ELAC_VECTOR_LANES;

	for (uint32 block = first / ELAC_VECTOR_LANES; block <= last_block; block++)
	{
		ElacDoc		base = block * ELAC_VECTOR_LANES;
		uint32		mask = UINT32_MAX;

		CHECK_FOR_INTERRUPTS();
		if (first > base)
			mask &= UINT32_MAX << (first - base);
		if (last - base < ELAC_VECTOR_LANES)
			mask &= ~(UINT32_MAX << (last - base));
		if (scan->allowed)
			mask &= elac_bitmap_window32(scan->allowed, base);
		if (mask != 0)
			elac_scan_block(scan, block, mask);
	}
}

/*
 * Asks memory for the beginning of a list while the one before is scanned; the
 * processor itself foresees the rest.
 */
static void
elac_scan_announce(ElacVectorScan *scan, ElacDoc first, ElacDoc last)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	uint32		available;
	const uint8 *data = elac_scan_code_bytes(scan, elac_vector_block_offset(layout, first / ELAC_VECTOR_LANES),
											 &available);
	uint64		nbytes = ((uint64) (last - 1) / ELAC_VECTOR_LANES - first / ELAC_VECTOR_LANES + 1) * layout->block_bytes;

	available = (uint32) Min(Min(available, nbytes), ELAC_SCAN_ANNOUNCED);
	for (uint32 at = 0; at < available; at += ELAC_SCAN_LINE)
		__builtin_prefetch(data + at);
}

static void
elac_scan_begin(ElacVectorScan *scan, ElacVectorReader *reader, ElacVectorQuery *query, const ElacBitmap *allowed,
				uint32 source, ElacVectorHeap *heap)
{
	Assert(query->codebook->crc == reader->codebook->crc);
	Assert(allowed == NULL || allowed->nbits == reader->header.ndocs);
	scan->reader = reader;
	scan->query = query;
	scan->kernels = elac_kernels();
	scan->allowed = allowed;
	scan->source = source;
	scan->heap = heap;
	scan->scored = 0;
	scan->nqueued = 0;
	scan->ndeferred = 0;
	scan->terms.scale = query->lut_scale;
	scan->terms.offset = query->lut_offset - query->half_sum;
	scan->terms.lut_error = query->lut_error;
	elac_scan_pages_init(&scan->codes, reader);
	elac_scan_pages_init(&scan->records, reader);
}

uint64
elac_vector_scan(ElacVectorReader *reader, ElacVectorQuery *query, const uint32 *lists, uint32 nlists,
				 const ElacBitmap *allowed, uint32 source, ElacVectorHeap *heap)
{
	ElacVectorScan scan;
	uint32		ncoded = reader->header.nlists;
	float		rounding = (float) (1 << reader->layout.ex_bits) * query->lut_deviation;
	uint64		passed = 0;		/* documents of the lists scanned, allowed or not */

	elac_scan_begin(&scan, reader, query, allowed, source, heap);
	for (uint32 i = 0; i < nlists; i++)
	{
		ElacListTerms list;
		ElacDoc		first;
		ElacDoc		last;

		/* the lists of NAN and NULL have no codes */
		if (lists[i] >= ncoded)
			continue;
		elac_vector_list_range(reader, lists[i], &first, &last);
		/* a filter may leave nothing of a list: neither its codes nor its centroid are looked at then */
		if (allowed != NULL && !elac_bitmap_any(allowed, first, last))
			continue;
		if (i + 1 < nlists && lists[i + 1] < ncoded && (allowed == NULL || scan.scored * 2 > passed))
		{
			const uint32 *next = &reader->list_first[lists[i + 1]];

			if (next[0] < next[1])
				elac_scan_announce(&scan, next[0], next[1]);
		}
		if (first == last)
			continue;
		passed += last - first;
		list = elac_vector_query_list(query, reader->header.cut, lists[i]);
		scan.terms.add = list.add;
		scan.terms.lambda = list.lambda;
		scan.terms.spread = (float) query->epsilon * list.spread;
		scan.reuses_sums = rounding <= ELAC_SCAN_REUSE_PART * list.spread;
		elac_scan_list(&scan, first, last);
	}
	elac_scan_run_deferred(&scan);
	elac_scan_flush(&scan, true);
	elac_scan_pages_release(&scan.codes);
	return scan.scored;
}
