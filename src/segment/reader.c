/*
 * reader.c
 *	  Opens a segment and, on demand, its sections.
 *
 * A segment and all its readers live in one memory context, a child of the
 * one current at open; elac_segment_close() drops pins and deletes it.  On a
 * base that is kept from scan to scan a segment is but a handful of pointers
 * in the scan's own context.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "errors.h"
#include "segment/segment_internal.h"

#define READER_TIDS 1024		/* docmap entries copied at a time */

ElacSegment *
elac_segment_open_blobs(Relation index, const ElacRowType *type, const ElacSegmentRef *ref,
						const ElacCodebook *codebook, ElacBlobReader *head, ElacBlobReader *body)
{
	ElacSegment *segment = palloc0(sizeof(ElacSegment));

	segment->context = CurrentMemoryContext;
	segment->index = index;
	segment->type = type;
	segment->codebook = codebook;
	segment->ref = *ref;
	segment->head = head;
	segment->body = body;
	segment->entries = palloc((1 + ELAC_MAX_COLUMNS) * sizeof(ElacDirectoryEntry));
	elac_directory_read(head, ref, type->schema, segment->entries);
	return segment;
}

ElacSegment *
elac_segment_open(Relation index, const ElacRowType *type, const ElacSegmentRef *ref,
				  const ElacCodebook *codebook, ElacStore *store, const char *key_prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym segment", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacBlobReader *head;
	ElacBlobReader *body = NULL;
	ElacSegment *segment;

	head = elac_blob_open(index, &ref->head, NULL, NULL);
	if (ref->body.home != ELAC_HOME_REMOTE || store != NULL)
		body = elac_blob_open(index, &ref->body, store, key_prefix);
	segment = elac_segment_open_blobs(index, type, ref, codebook, head, body);
	MemoryContextSwitchTo(old);
	return segment;
}

ElacSegmentBase *
elac_segment_base(Relation index, const ElacSchema *schema, const ElacSegmentRef *ref)
{
	ElacSegmentBase *base = palloc0(sizeof(ElacSegmentBase));

	Assert(ref->body.home == ELAC_HOME_LOCAL);
	base->context = CurrentMemoryContext;
	base->ref = *ref;
	base->head = elac_blob_open(index, &ref->head, NULL, NULL);
	base->body = elac_blob_open(index, &ref->body, NULL, NULL);
	elac_directory_read(base->head, ref, schema, base->entries);
	return base;
}

ElacSegment *
elac_segment_open_base(ElacSegmentBase *base, Relation index, const ElacRowType *type, const ElacCodebook *codebook)
{
	ElacSegment *segment = palloc0(sizeof(ElacSegment));

	elac_blob_attach(base->head, index);
	elac_blob_attach(base->body, index);
	segment->context = CurrentMemoryContext;
	segment->index = index;
	segment->type = type;
	segment->codebook = codebook;
	segment->ref = base->ref;
	segment->head = base->head;
	segment->body = base->body;
	segment->entries = base->entries;
	segment->base = base;
	return segment;
}

void
elac_segment_close(ElacSegment *segment)
{
	if (segment->base != NULL)
		return;
	elac_blob_close(segment->head);
	if (segment->body != NULL)
		elac_blob_close(segment->body);
	MemoryContextDelete(segment->context);
}

const ElacSegmentRef *
elac_segment_ref(const ElacSegment *segment)
{
	return &segment->ref;
}

uint32
elac_segment_ndocs(const ElacSegment *segment)
{
	return segment->ref.ndocs;
}

ElacBlobReader *
elac_segment_body(ElacSegment *segment)
{
	return segment->body;
}

/* ---- sections ---- */

static ElacSection
reader_section(ElacSegment *segment, int column, ElacColumnKind kind)
{
	const ElacSchema *schema = segment->type->schema;
	const ElacDirectoryEntry *entry;
	ElacSection section;

	if (column < 0 || column >= schema->ncolumns || schema->columns[column].kind != kind)
		elog(ERROR, "column %d of index \"%s\" is not of kind %d", column + 1, segment->type->index_name, (int) kind);
	if (segment->body == NULL)
		elog(ERROR, "segment " UINT64_FORMAT " was opened without its store", segment->ref.id);
	entry = &segment->entries[column + 1];
	section.head = segment->head;
	section.head_offset = entry->head_offset;
	section.head_len = entry->head_len;
	section.body = segment->body;
	section.body_offset = entry->body_offset;
	section.body_len = entry->body_len;
	return section;
}

ElacVectorReader *
elac_segment_vector(ElacSegment *segment)
{
	int			column = segment->type->schema->vector_column;

	if (column < 0)
		return NULL;
	if (segment->vector == NULL && segment->base != NULL)
		segment->vector = segment->base->vector;
	if (segment->vector == NULL)
	{
		ElacSection section = reader_section(segment, column, ELAC_COLUMN_VECTOR);
		MemoryContext context;
		MemoryContext old;

		if (segment->codebook == NULL)
			elog(ERROR, "the codebook of segment " UINT64_FORMAT " was not given", segment->ref.id);
		if (elac_codebook_id(segment->codebook) != segment->ref.codebook)
			elac_corrupted(segment->type->index_name, "Segment " UINT64_FORMAT " needs codebook " UINT64_FORMAT
						   ", found is " UINT64_FORMAT ".", segment->ref.id, segment->ref.codebook,
						   elac_codebook_id(segment->codebook));
		/* below the scan's context until it is complete: an error leaves nothing in a base */
		context = AllocSetContextCreate(segment->context, "elacsym vector section", ALLOCSET_SMALL_SIZES);
		old = MemoryContextSwitchTo(context);
		segment->vector = elac_vector_open(&section, segment->codebook, segment->ref.ndocs);
		MemoryContextSwitchTo(old);
		if (segment->base != NULL)
		{
			MemoryContextSetParent(context, segment->base->context);
			segment->base->vector = segment->vector;
		}
	}
	return segment->vector;
}

/*
 * On a base the reader stays for later scans, and with it what it has looked
 * up: statistics and scan of a query find each term once.
 */
ElacTextReader *
elac_segment_text(ElacSegment *segment, int column)
{
	if (segment->texts[column] == NULL && segment->base != NULL)
		segment->texts[column] = segment->base->texts[column];
	if (segment->texts[column] == NULL)
	{
		ElacSection section = reader_section(segment, column, ELAC_COLUMN_TEXT);
		/* below the scan's context until it is complete: an error leaves nothing in a base */
		MemoryContext context = AllocSetContextCreate(segment->context, "elacsym text section", ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);

		segment->texts[column] = elac_text_open(&section, segment->ref.ndocs);
		MemoryContextSwitchTo(old);
		if (segment->base != NULL)
		{
			MemoryContextSetParent(context, segment->base->context);
			segment->base->texts[column] = segment->texts[column];
		}
	}
	return segment->texts[column];
}

ElacAttrReader *
elac_segment_attr(ElacSegment *segment, int column)
{
	ElacSection section = reader_section(segment, column, ELAC_COLUMN_ATTR);

	if (segment->attrs[column] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(segment->context);

		segment->attrs[column] = elac_attr_open(&section, &segment->type->attr[column], segment->ref.ndocs);
		MemoryContextSwitchTo(old);
	}
	return segment->attrs[column];
}

ElacSectionSize *
elac_segment_sizes(ElacSegment *segment, int *nsections)
{
	ElacSectionSize *sizes;

	*nsections = 1 + segment->type->schema->ncolumns;
	sizes = palloc(*nsections * sizeof(ElacSectionSize));
	for (int i = 0; i < *nsections; i++)
	{
		sizes[i].column = segment->entries[i].column;
		sizes[i].head_bytes = segment->entries[i].head_len;
		sizes[i].body_bytes = segment->entries[i].body_len;
	}
	return sizes;
}

/* ---- docmap ---- */

/* n of READER_TIDS at most */
static void
reader_copy_tids(ElacSegment *segment, ElacDoc first, uint32 n, ItemPointerData *tids)
{
	uint8		bytes[READER_TIDS * ELAC_DOCMAP_ENTRY];

	elac_blob_read(segment->head, segment->entries[0].head_offset + (uint64) first * ELAC_DOCMAP_ENTRY,
				   bytes, (uint64) n * ELAC_DOCMAP_ENTRY);
	for (uint32 i = 0; i < n; i++)
	{
		uint32		block = elac_get_u32(bytes + i * ELAC_DOCMAP_ENTRY);
		uint16		offset = elac_get_u16(bytes + i * ELAC_DOCMAP_ENTRY + 4);

		if (block == InvalidBlockNumber || offset == InvalidOffsetNumber)
			elac_corrupted(elac_blob_name(segment->head), "Document %u of segment " UINT64_FORMAT
						   " has no valid heap tid.", first + i, segment->ref.id);
		ItemPointerSet(&tids[i], block, offset);
	}
}

void
elac_segment_read_tids(ElacSegment *segment, ElacDoc first, uint32 n, ItemPointerData *tids)
{
	if (first > segment->ref.ndocs || n > segment->ref.ndocs - first)
		elog(ERROR, "documents %u to %u are out of range", first, first + n);
	while (n > 0)
	{
		uint32		step = Min(n, READER_TIDS);

		CHECK_FOR_INTERRUPTS();
		reader_copy_tids(segment, first, step, tids);
		first += step;
		tids += step;
		n -= step;
	}
}

void
elac_segment_tid(ElacSegment *segment, ElacDoc doc, ItemPointer tid)
{
	elac_segment_read_tids(segment, doc, 1, tid);
}

ItemPointerData *
elac_segment_tids(ElacSegment *segment)
{
	ItemPointerData *tids = MemoryContextAllocHuge(CurrentMemoryContext,
												   mul_size((Size) segment->ref.ndocs + 1, sizeof(ItemPointerData)));

	elac_segment_read_tids(segment, 0, segment->ref.ndocs, tids);
	return tids;
}
