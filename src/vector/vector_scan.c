/*
 * vector_scan.c
 *	  Scans lists of a vector section: a 1-bit pass over blocks of 32
 *	  documents, then the full codes of those that may still win.
 *
 * A list's documents are consecutive, so its blocks are too; the first and
 * last may hold documents of neighbouring lists, whose lanes are masked, as
 * are those that the caller's bitmap excludes.  One logical page of codes is
 * pinned at a time, and one page of refinement records.
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

/* With this few documents left in a block, their full codes are cheaper than the block. */
#define ELAC_SCAN_FEW_LANES 2

/* Relative rounding error granted to sums of floats. */
#define ELAC_SCAN_ROUNDING 1e-6f

/* A logical page of the body, pinned. */
typedef struct ElacScanPage
{
	ElacBlobReader *blob;
	uint64		end;			/* of the section, offset in the blob */
	int64		page;			/* -1: none */
	const uint8 *data;
	ElacBlobPin pin;
} ElacScanPage;

typedef struct ElacVectorScan
{
	ElacVectorReader *reader;
	ElacVectorQuery *query;
	const ElacBitmap *allowed;
	uint32		source;
	ElacVectorHeap *heap;
	ElacScanPage codes;
	ElacScanPage records;
	uint64		scored;
	/* of the list being scanned */
	float		add;
	float		lambda;
	float		spread;			/* epsilon * |q - lambda c| */
	/* of the block being scanned */
	uint32		sums[ELAC_VECTOR_LANES];
	const float *factors;		/* add[32], rescale[32], error[32]; until the codes' page changes */
	float		copied[3 * ELAC_VECTOR_LANES];	/* when they straddle pages */
	float		estimate[ELAC_VECTOR_LANES];
	float		lower[ELAC_VECTOR_LANES];
} ElacVectorScan;

static void
elac_scan_page_release(ElacScanPage *page)
{
	if (page->page >= 0)
		elac_blob_unpin(page->blob, &page->pin);
	page->page = -1;
}

/* Bytes at offset and how many of them lie in the same page. */
static const uint8 *
elac_scan_page_get(ElacScanPage *page, uint64 offset, uint32 *available)
{
	int64		number = (int64) (offset / ELAC_PAGE_DATA);
	uint64		start = (uint64) number * ELAC_PAGE_DATA;
	uint32		len = (uint32) Min(page->end - start, (uint64) ELAC_PAGE_DATA);

	Assert(offset < page->end);
	if (page->page != number)
	{
		elac_scan_page_release(page);
		page->data = elac_blob_pin(page->blob, start, len, &page->pin);
		page->page = number;
	}
	*available = len - (uint32) (offset - start);
	return page->data + (offset - start);
}

/* FastScan over a block, page by page, and its factors. */
static void
elac_scan_block_sums(ElacVectorScan *scan, uint32 block)
{
	const ElacKernels *kernels = elac_kernels();
	const ElacVectorLayout *layout = &scan->reader->layout;
	uint64		offset = elac_vector_block_offset(layout, block);
	uint32		units = layout->code_bytes / ELAC_VECTOR_UNIT;
	uint32		available;
	const uint8 *data;

	for (uint32 done = 0; done < units;)
	{
		uint32		sums[ELAC_VECTOR_LANES];
		uint32		n;

		data = elac_scan_page_get(&scan->codes, offset + (uint64) done * ELAC_VECTOR_UNIT, &available);
		n = Min(units - done, available / ELAC_VECTOR_UNIT);
		kernels->fastscan32(data, scan->query->lut + (Size) done * 32, n, done == 0 ? scan->sums : sums);
		if (done > 0)
			for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
				scan->sums[lane] += sums[lane];
		done += n;
	}

	/* most blocks have their factors in one page: no need to copy them */
	offset += layout->code_bytes;
	data = elac_scan_page_get(&scan->codes, offset, &available);
	if (available >= sizeof(scan->copied) && (uintptr_t) data % sizeof(float) == 0)
	{
		scan->factors = (const float *) data;
		return;
	}
	for (uint32 done = 0; done < sizeof(scan->copied);)
	{
		uint32		n;

		data = elac_scan_page_get(&scan->codes, offset + done, &available);
		n = Min(sizeof(scan->copied) - done, available);
		memcpy((uint8 *) scan->copied + done, data, n);
		done += n;
	}
	scan->factors = scan->copied;
}

/* What the bound of a block's lanes needs beside the codes. */
typedef struct ElacLaneTerms
{
	float		scale;			/* of the look-up tables */
	float		offset;
	float		lut_error;
	float		add;
	float		lambda;
	float		spread;
} ElacLaneTerms;

/*
 * Estimates and lower bounds of all lanes from the 1-bit codes.  Pointers do
 * not overlap and the trip count is fixed, so that the compiler can use vector
 * instructions.
 */
static void
elac_scan_lane_bounds(const ElacLaneTerms *terms, const uint32 *restrict sums, const float *restrict add,
					  const float *restrict rescale, const float *restrict error, float *restrict estimate,
					  float *restrict lower)
{
	const ElacLaneTerms t = *terms;

	for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
	{
		float		ip = t.scale * (float) (int32) sums[lane] + t.offset;
		float		own = t.lambda * add[lane];
		float		cross = rescale[lane] * ip;
		float		tiny = error[lane] * 0x1p-32f;
		float		width = t.spread * error[lane] + t.lut_error * fabsf(rescale[lane]) +
			ELAC_SCAN_ROUNDING * (fabsf(t.add) + fabsf(own) + fabsf(cross));

		/*
		 * tiny squared is nothing beside a real error, and infinite for
		 * ELAC_RABITQ_UNKNOWN whatever spread is; a condition would keep the
		 * loop scalar.
		 */
		estimate[lane] = t.add + own + cross;
		lower[lane] = estimate[lane] - (width + tiny * tiny);
	}
}

static void
elac_scan_block_bounds(ElacVectorScan *scan)
{
	const ElacVectorQuery *query = scan->query;
	ElacLaneTerms terms;

	terms.scale = query->lut_scale;
	terms.offset = query->lut_offset - query->half_sum;
	terms.lut_error = query->lut_error;
	terms.add = scan->add;
	terms.lambda = scan->lambda;
	terms.spread = scan->spread;
	elac_scan_lane_bounds(&terms, scan->sums, scan->factors, scan->factors + ELAC_VECTOR_LANES,
						  scan->factors + 2 * ELAC_VECTOR_LANES, scan->estimate, scan->lower);
}

/* Lanes that cannot be ruled out: below the threshold or not a number. */
static uint32
elac_scan_survivors(const float *restrict lower, float threshold)
{
	int32		flags[ELAC_VECTOR_LANES];
	int32		any = 0;
	uint32		survivors = 0;

	for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
	{
		flags[lane] = lower[lane] >= threshold ? 0 : 1;
		any |= flags[lane];
	}
	if (any == 0)
		return 0;
	for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
		survivors |= (uint32) flags[lane] << lane;
	return survivors;
}

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

/* Exact sum of the query's components where a document's bits are set. */
static float
elac_scan_exact_bits(ElacVectorScan *scan, ElacDoc doc)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	const float *table = scan->query->table;
	int			lane = doc % ELAC_VECTOR_LANES;
	int			byte = elac_vector_lane_byte(lane);
	int			shift = elac_vector_lane_shift(lane);
	uint64		offset = elac_vector_block_offset(layout, doc / ELAC_VECTOR_LANES);
	float		total[4] = {0};

	for (uint32 done = 0; done < layout->code_bytes;)
	{
		uint32		available;
		const uint8 *data = elac_scan_page_get(&scan->codes, offset + done, &available);
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

/* Scores a document by its full code. */
static void
elac_scan_refine(ElacVectorScan *scan, ElacDoc doc)
{
	const ElacVectorLayout *layout = &scan->reader->layout;
	const ElacVectorQuery *query = scan->query;
	float		levels = (float) (1 << layout->ex_bits);
	uint32		available;
	const uint8 *record;
	float		bits;
	float		ip;
	float		own;
	float		cross;
	float		estimate;
	float		error_factor;
	float		error;

	bits = elac_scan_exact_bits(scan, doc);
	record = elac_scan_page_get(&scan->records, elac_vector_record_offset(layout, doc), &available);
	Assert(available >= layout->record_bytes);
	ip = elac_kernels()->ip_packed(query->rotated, record + ELAC_VECTOR_FACTOR_BYTES, layout->ex_bits, layout->padded);

	/* <x,q> with x = 2^ex bits + ex code - (2^(ex + 1) - 1) / 2 */
	ip += levels * bits - (2 * levels - 1) * query->half_sum;
	own = scan->lambda * elac_get_f32(record);
	cross = elac_get_f32(record + 4) * ip;
	error_factor = elac_get_f32(record + 8);
	estimate = scan->add + own + cross;
	error = scan->spread * error_factor + ELAC_SCAN_ROUNDING * (fabsf(scan->add) + fabsf(own) + fabsf(cross));
	elac_scan_offer(scan, doc, estimate, estimate - error, error_factor);
}

/* Scans the lanes of mask in a block. */
static void
elac_scan_block(ElacVectorScan *scan, uint32 block, uint32 mask)
{
	ElacDoc		base = block * ELAC_VECTOR_LANES;
	bool		refines = scan->reader->layout.ex_bits > 0;

	scan->scored += pg_popcount32(mask);
	if (refines && pg_popcount32(mask) <= ELAC_SCAN_FEW_LANES)
	{
		for (; mask != 0; mask &= mask - 1)
			elac_scan_refine(scan, base + pg_rightmost_one_pos32(mask));
		return;
	}

	elac_scan_block_sums(scan, block);
	elac_scan_block_bounds(scan);
	mask &= elac_scan_survivors(scan->lower, elac_vector_heap_threshold(scan->heap));
	for (; mask != 0; mask &= mask - 1)
	{
		int			lane = pg_rightmost_one_pos32(mask);

		/* the threshold falls while the block is scanned; NaN survives */
		if (scan->lower[lane] >= elac_vector_heap_threshold(scan->heap))
			continue;
		if (refines)
			elac_scan_refine(scan, base + lane);
		else
			elac_scan_offer(scan, base + lane, scan->estimate[lane], scan->lower[lane],
							scan->factors[2 * ELAC_VECTOR_LANES + lane]);
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

static void
elac_scan_page_init(ElacScanPage *page, const ElacVectorReader *reader)
{
	page->blob = reader->section.body;
	page->end = reader->layout.end;
	page->page = -1;
}

uint64
elac_vector_scan(ElacVectorReader *reader, ElacVectorQuery *query, const uint32 *lists, uint32 nlists,
				 const ElacBitmap *allowed, uint32 source, ElacVectorHeap *heap)
{
	ElacVectorScan scan = {0};
	const ElacQueryCut *cut = elac_vector_query_cut(query, reader->header.cut);

	Assert(query->codebook->crc == reader->codebook->crc);
	Assert(allowed == NULL || allowed->nbits == reader->header.ndocs);
	scan.reader = reader;
	scan.query = query;
	scan.allowed = allowed;
	scan.source = source;
	scan.heap = heap;
	elac_scan_page_init(&scan.codes, reader);
	elac_scan_page_init(&scan.records, reader);

	for (uint32 i = 0; i < nlists; i++)
	{
		ElacDoc		first;
		ElacDoc		last;

		/* the lists of NAN and NULL have no codes */
		if (lists[i] >= reader->header.nlists)
			continue;
		elac_vector_list_range(reader, lists[i], &first, &last);
		if (first == last)
			continue;
		scan.add = cut->add[lists[i]];
		scan.lambda = cut->lambda[lists[i]];
		scan.spread = (float) query->epsilon * cut->spread[lists[i]];
		elac_scan_list(&scan, first, last);
	}
	elac_scan_page_release(&scan.codes);
	elac_scan_page_release(&scan.records);
	return scan.scored;
}
