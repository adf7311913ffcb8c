/*
 * attr_list_write.c
 *	  Writes, for columns of arrays and of jsonb, which documents have which
 *	  element.
 *
 * Memory: four bytes for each element of each distinct value, and for each
 * element of each document.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_output.h"
#include "base/varint.h"

typedef struct AttrLists
{
	ElacAttrWriter *keys;
	MemoryContext context;
	/* elements of value i: items[starts[i] .. starts[i + 1]), each once */
	Size		nitems;
	Size		items_allocated;
	uint32	   *items;
	Size	   *starts;
	uint8	   *has_null;		/* by value */
	uint32	   *last_value;		/* by element: the last value it was entered for, plus 1 */
	Size		last_allocated;
} AttrLists;

static void
attr_lists_add_item(AttrLists *lists, uint32 item, uint32 id)
{
	while (item >= lists->last_allocated)
	{
		Size		before = lists->last_allocated;

		lists->last_value = elac_attr_writer_grow(lists->keys, lists->last_value, &lists->last_allocated, sizeof(uint32));
		memset(lists->last_value + before, 0, (lists->last_allocated - before) * sizeof(uint32));
	}
	if (lists->last_value[item] == id + 1)
		return;
	lists->last_value[item] = id + 1;
	if (lists->nitems == lists->items_allocated)
		lists->items = elac_attr_writer_grow(lists->keys, lists->items, &lists->items_allocated, sizeof(uint32));
	lists->items[lists->nitems++] = item;
}

/* Elements of all values. */
static void
attr_lists_collect(AttrOutput *output, AttrLists *lists)
{
	ElacAttrWriter *writer = output->writer;
	MemoryContext context = AllocSetContextCreate(lists->context, "elacsym attribute elements", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	lists->starts = MemoryContextAllocHuge(lists->context, mul_size((Size) writer->nvalues + 1, sizeof(Size)));
	lists->has_null = MemoryContextAllocHuge(lists->context, (Size) writer->nvalues + 1);
	for (uint32 id = 0; id < writer->nvalues; id++)
	{
		ElacAttrElements elements;

		CHECK_FOR_INTERRUPTS();
		elac_attr_elements(writer->type.type, elac_attr_writer_value(writer, id), &elements);
		lists->starts[id] = lists->nitems;
		lists->has_null[id] = elements.has_null;
		for (uint32 i = 0; i < elements.n; i++)
			attr_lists_add_item(lists, elac_attr_writer_intern(lists->keys, elements.values[i]), id);
		MemoryContextReset(context);
	}
	lists->starts[writer->nvalues] = lists->nitems;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Calls back for each list of each document, in order; list numbers are those of keys as they were entered. */
typedef void (*AttrListVisit) (void *arg, uint32 list, ElacDoc doc);

static void
attr_lists_visit(const AttrOutput *output, const AttrLists *lists, AttrListVisit visit, void *arg)
{
	uint32		nkeys = lists->keys->nvalues;

	for (uint32 doc = 0; doc < output->header.ndocs; doc++)
	{
		uint32		id = output->ids[doc];

		if (doc % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (id == ATTR_NULL_ID)
			continue;
		for (Size i = lists->starts[id]; i < lists->starts[id + 1]; i++)
			visit(arg, lists->items[i], doc);
		if (lists->has_null[id])
			visit(arg, nkeys, doc);
		else if (lists->starts[id] == lists->starts[id + 1])
			visit(arg, nkeys + 1, doc);
	}
}

typedef struct AttrPostings
{
	Size	   *next;			/* of each list: its length, then its place in docs */
	ElacDoc    *docs;
} AttrPostings;

static void
attr_list_count(void *arg, uint32 list, ElacDoc doc)
{
	((AttrPostings *) arg)->next[list + 1]++;
}

static void
attr_list_enter(void *arg, uint32 list, ElacDoc doc)
{
	AttrPostings *postings = arg;

	postings->docs[postings->next[list]++] = doc;
}

static void
attr_list_write_dense(AttrOutput *output, const ElacDoc *docs, Size n)
{
	Size		words = elac_bitmap_words(output->header.ndocs);
	ElacBitmap	bitmap = {output->header.ndocs, palloc_extended(words * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO)};

	for (Size i = 0; i < n; i++)
		elac_bitmap_set(&bitmap, docs[i]);
	elac_blob_write(output->out->body, bitmap.words, words * sizeof(uint64));
	pfree(bitmap.words);
}

static void
attr_list_write_gaps(AttrOutput *output, const ElacDoc *docs, Size n)
{
	uint8		buffer[1024];
	Size		used = 0;
	uint64		next = 0;

	for (Size i = 0; i < n; i++)
	{
		if (used > sizeof(buffer) - ELAC_VARINT_MAX)
		{
			elac_blob_write(output->out->body, buffer, used);
			used = 0;
		}
		used += elac_varint_put(buffer + used, docs[i] - next);
		next = (uint64) docs[i] + 1;
	}
	elac_blob_write(output->out->body, buffer, used);
}

static void
attr_list_write(AttrOutput *output, ElacAttrList *list, const ElacDoc *docs, Size n)
{
	uint64		next = 0;
	uint64		gaps = 0;

	for (Size i = 0; i < n; i++)
	{
		gaps += elac_varint_len(docs[i] - next);
		next = (uint64) docs[i] + 1;
	}
	list->offset = elac_attr_output_tell(output) - output->header.lists_offset;
	list->count = (uint32) n;
	list->dense = elac_bitmap_words(output->header.ndocs) * sizeof(uint64) <= gaps;
	CHECK_FOR_INTERRUPTS();
	if (list->dense)
		attr_list_write_dense(output, docs, n);
	else
		attr_list_write_gaps(output, docs, n);
}

static void
attr_lists_write_keys(AttrOutput *output, AttrLists *lists, const uint32 *order)
{
	ElacAttrWriter *keys = lists->keys;
	ElacSectionWriter out;
	ElacDoc    *rank = MemoryContextAllocHuge(lists->context, mul_size((Size) keys->nvalues + 1, sizeof(ElacDoc)));

	for (uint32 i = 0; i < keys->nvalues; i++)
	{
		elac_attr_writer_add_id(keys, i);
		rank[order[i]] = i;
	}
	out.head = output->keys[0] = elac_blob_create_memory();
	out.body = output->keys[1] = elac_blob_create_memory();
	elac_attr_writer_finish(keys, rank, keys->nvalues, &out);
}

void
elac_attr_write_lists(AttrOutput *output)
{
	ElacAttrHeader *header = &output->header;
	AttrLists	lists = {0};
	AttrPostings postings;
	ElacAttrType element;
	uint32		nkeys;
	uint32	   *order;

	if (!elac_attr_element_type(output->writer->type.type, &element))
		return;
	lists.context = output->writer->context;
	lists.keys = elac_attr_keys_begin(&element);
	attr_lists_collect(output, &lists);
	nkeys = lists.keys->nvalues;
	order = elac_attr_writer_order(lists.keys);
	header->nlists = nkeys + 2;
	output->lists = MemoryContextAllocHuge(lists.context, mul_size(header->nlists, sizeof(ElacAttrList)));

	postings.next = MemoryContextAllocExtended(lists.context, mul_size((Size) nkeys + 3, sizeof(Size)),
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	attr_lists_visit(output, &lists, attr_list_count, &postings);
	for (uint32 i = 0; i < nkeys + 2; i++)
		postings.next[i + 1] += postings.next[i];
	postings.docs = MemoryContextAllocHuge(lists.context, mul_size(postings.next[nkeys + 2] + 1, sizeof(ElacDoc)));
	attr_lists_visit(output, &lists, attr_list_enter, &postings);

	/* each list's place is its end now, which is where the next one began */
	for (uint32 i = 0; i < nkeys + 2; i++)
	{
		uint32		list = i < nkeys ? order[i] : i;
		Size		start = list == 0 ? 0 : postings.next[list - 1];

		attr_list_write(output, &output->lists[i], postings.docs + start, postings.next[list] - start);
	}
	header->lists_len = elac_attr_output_tell(output) - header->lists_offset;
	pfree(postings.docs);
	attr_lists_write_keys(output, &lists, order);
}
