/*
 * attr_merge.c
 *	  Merges attribute sections into one.
 *
 * Sources are read front to back and their values entered again, which finds
 * anew whether a dictionary pays; the writer puts them into the new order.
 * Memory: four bytes per document, the distinct values (all values where
 * they hardly repeat), one value block per source; eight bytes per document
 * of a source whose values lie in bins.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_internal.h"

#define ATTR_UNKNOWN_ID UINT32_MAX

/* Adds the documents that are carried over; returns the next sequence number. */
static uint32
attr_merge_source(ElacAttrWriter *writer, ElacAttrReader *source, const ElacDoc *map, ElacDoc *doc_of_seq, uint32 seq,
				  uint32 ndocs)
{
	uint32	   *id_of_code = NULL;
	uint64	   *images = NULL;

	/*
	 * A dictionary's values are entered once each.  Its codes and values are
	 * read by turns, as are bins, so what is remote comes in one wave; a plain
	 * section is read front to back, which storage sees by itself.
	 */
	if (source->header.encoding != ELAC_ATTR_PLAIN)
	{
		elac_attr_prefetch(source);
		elac_blob_wait(&source->section.body, 1);
	}
	if (source->header.encoding == ELAC_ATTR_BINNED)
		images = elac_attr_binned_images(source);
	if (source->header.encoding == ELAC_ATTR_DICTIONARY)
	{
		id_of_code = palloc((source->header.nvalues + 1) * sizeof(uint32));
		memset(id_of_code, 0xFF, (source->header.nvalues + 1) * sizeof(uint32));
	}
	for (uint32 doc = 0; doc < source->header.ndocs; doc++)
	{
		if (doc % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (map[doc] == ELAC_INVALID_DOC)
			continue;
		if (seq >= ndocs)
			elog(ERROR, "more than %u documents to merge", ndocs);
		if (elac_bitmap_get(elac_attr_nulls(source), doc))
			elac_attr_writer_add(writer, (Datum) 0, true);
		else if (images != NULL)
			elac_attr_writer_add(writer, elac_attr_datum(&source->type, images[doc]), false);
		else if (id_of_code == NULL)
			elac_attr_writer_add(writer, elac_attr_peek(source, doc), false);
		else
		{
			uint32		code = elac_attr_index(source, doc);

			if (id_of_code[code] == ATTR_UNKNOWN_ID)
				id_of_code[code] = elac_attr_writer_intern(writer, elac_attr_value(source, code));
			elac_attr_writer_add_id(writer, id_of_code[code]);
		}
		doc_of_seq[seq++] = map[doc];
	}
	if (id_of_code != NULL)
		pfree(id_of_code);
	if (images != NULL)
		pfree(images);
	return seq;
}

void
elac_attr_merge(ElacAttrReader **sources, const ElacDoc *const *maps, int nsources, uint32 ndocs, ElacSectionWriter *out)
{
	ElacAttrWriter *writer;
	ElacDoc    *doc_of_seq;
	uint32		seq = 0;

	if (nsources <= 0)
		elog(ERROR, "no attribute sections to merge");
	writer = elac_attr_writer_begin(&sources[0]->type);
	doc_of_seq = MemoryContextAllocHuge(CurrentMemoryContext, mul_size((Size) ndocs + 1, sizeof(ElacDoc)));
	for (int i = 0; i < nsources; i++)
		seq = attr_merge_source(writer, sources[i], maps[i], doc_of_seq, seq, ndocs);
	elac_attr_writer_finish(writer, doc_of_seq, seq, out);
	if (seq != ndocs)
		elog(ERROR, "%u documents merged, not %u", seq, ndocs);
	pfree(doc_of_seq);
}
