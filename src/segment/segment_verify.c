/*
 * segment_verify.c
 *	  Deep check of a segment: parts tile the blobs, the docmap names each heap
 *	  row once, the live bitmap's count is right, every section is sound.
 *
 * Blobs' pages (checksums, owners, order) are checked by elac_blob_verify().
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "segment/segment_internal.h"

static int
segment_verify_compare(const void *a, const void *b)
{
	uint64		left = *(const uint64 *) a;
	uint64		right = *(const uint64 *) b;

	return left < right ? -1 : (left > right ? 1 : 0);
}

/*
 * A tid may have come back after its row died, so it is among live documents
 * that it must not be twice.  live NULL: all are.
 */
static void
segment_verify_docmap(ElacSegment *segment, const ElacBitmap *live)
{
	ItemPointerData *tids = elac_segment_tids(segment);
	uint32		ndocs = segment->ref.ndocs;
	uint64	   *sorted = MemoryContextAllocHuge(CurrentMemoryContext, mul_size((Size) ndocs + 1, sizeof(uint64)));
	uint32		n = 0;

	for (uint32 doc = 0; doc < ndocs; doc++)
	{
		if (live == NULL || elac_bitmap_get(live, doc))
			sorted[n++] = ((uint64) ItemPointerGetBlockNumber(&tids[doc]) << 16) | ItemPointerGetOffsetNumber(&tids[doc]);
	}
	qsort(sorted, n, sizeof(uint64), segment_verify_compare);
	for (uint32 i = 1; i < n; i++)
	{
		if (sorted[i] == sorted[i - 1])
			elac_corrupted(segment->type->index_name, "Heap tid (%u,%u) is twice in segment " UINT64_FORMAT ".",
						   (uint32) (sorted[i] >> 16), (uint32) (sorted[i] & 0xFFFF), segment->ref.id);
	}
	pfree(sorted);
	pfree(tids);
}

/* The copied bits, palloc'd; NULL in tests, where there are no pages. */
static ElacBitmap *
segment_verify_live(ElacSegment *segment)
{
	ElacBitmap *live;
	uint32		ndead;
	uint32		counted;

	if (segment->index == NULL)
		return NULL;
	live = elac_live_read(segment->index, &segment->ref, &ndead);
	counted = elac_live_ndead(segment->index, &segment->ref);
	/* a row may die between the two readings: bits are never set again */
	if (counted < ndead)
		elac_corrupted(segment->type->index_name, "Segment " UINT64_FORMAT
					   " has %u dead documents, but %u are counted.", segment->ref.id, ndead, counted);
	if (counted > ndead)
	{
		live = elac_live_read(segment->index, &segment->ref, &ndead);
		if (counted > ndead)
			elac_corrupted(segment->type->index_name, "Segment " UINT64_FORMAT
						   " has %u dead documents, but %u are counted.", segment->ref.id, ndead, counted);
	}
	return live;
}

void
elac_segment_verify(ElacSegment *segment)
{
	const ElacSchema *schema = segment->type->schema;
	ElacBitmap *live;

	elac_directory_verify(segment);
	live = segment_verify_live(segment);
	segment_verify_docmap(segment, live);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		CHECK_FOR_INTERRUPTS();
		switch (schema->columns[i].kind)
		{
			case ELAC_COLUMN_VECTOR:
				elac_vector_verify(elac_segment_vector(segment));
				break;
			case ELAC_COLUMN_TEXT:
				elac_text_verify(elac_segment_text(segment, i));
				break;
			case ELAC_COLUMN_ATTR:
				elac_attr_verify(elac_segment_attr(segment, i));
				break;
		}
	}
}
