/*
 * merge.c
 *	  Merges segments into one: decides what is carried over, numbers it,
 *	  writes the sections.
 *
 * 1. Decide.  A document that is live is carried over.  Its leaf is the one
 *    stored where codebook and cut stay the same, for then its code can be
 *    copied; else its vector is fetched from the heap, which also tells
 *    whether the row is still there.  The cut follows from the number of
 *    documents, and that from how many were gone: repeated until it stands.
 * 2. Number.  By class and leaf, then input, then number in the input: a
 *    counting sort.  Without a vector column, by input and number.
 * 3. Write.  Sections are merged by their own modules through the maps;
 *    vectors are added one by one, codes copied or encoded anew.
 *
 * Memory: 8 bytes per input document, and the state of one section at a time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "segment/segment_internal.h"

#define MERGE_TIDS 1024			/* docmap entries looked at a time */
#define MERGE_WAVE_BYTES (8 * 1024 * 1024)	/* of a remote vector section, fetched in one wave */

typedef struct MergeSource
{
	ElacSegment *segment;
	const ElacBitmap *live;
	uint32		ndocs;
	uint32		base;			/* number of its first document in ElacMerge.origin */
	bool		same;			/* its codebook and bits are those of the result */
	bool		fetched;		/* its vectors were fetched, all */
	uint32		list;			/* first list whose codes were not asked for yet */
	ElacDoc		near;			/* documents before this one were */
	uint32	   *keys;			/* leaf, nleaves for NAN, nleaves + 1 for NULL; ELAC_INVALID_DOC = dropped */
	ElacDoc    *map;			/* new number; ELAC_INVALID_DOC = dropped */
} MergeSource;

struct ElacMerge
{
	MemoryContext context;		/* all but the maps, which outlive it */
	MemoryContext result_context;
	const ElacRowType *type;
	const ElacCodebook *codebook;
	ElacVectorFetch fetch;
	void	   *fetch_arg;
	int			nsources;
	MergeSource *sources;
	uint64		ninput;			/* documents of all inputs */
	uint32		ndocs;			/* carried over */
	uint32		nleaves;		/* 0 without a vector column */
	uint32	   *first;			/* first document of each key, nleaves + 3 of them */
	float	   *vector;			/* room for one */
	float	   *zero;			/* stands for a vector that vanished */
	uint32		nlost;
	Size		lost_allocated;
	ElacDoc    *lost;
};

static bool
merge_has_vector(const ElacMerge *merge)
{
	return merge->type->schema->vector_column >= 0;
}

static void
merge_add_source(ElacMerge *merge, int i, const ElacMergeInput *input)
{
	MergeSource *source = &merge->sources[i];
	const ElacSchema *schema = merge->type->schema;
	const ElacSegmentRef *ref = elac_segment_ref(input->segment);

	source->segment = input->segment;
	source->live = input->live;
	source->ndocs = ref->ndocs;
	source->base = (uint32) merge->ninput;
	if (input->live->nbits != ref->ndocs)
		elog(ERROR, "live bitmap of %u documents for a segment of %u", input->live->nbits, ref->ndocs);
	merge->ninput += ref->ndocs;
	if (merge->ninput >= UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot merge " UINT64_FORMAT " documents into one segment", merge->ninput)));
	if (merge_has_vector(merge))
		source->same = ref->codebook == elac_codebook_id(merge->codebook) && ref->codebook != 0 &&
			elac_vector_bits(elac_segment_vector(input->segment)) == schema->columns[schema->vector_column].bits;
	source->map = MemoryContextAllocHuge(merge->result_context, mul_size((Size) ref->ndocs + 1, sizeof(ElacDoc)));
	source->keys = MemoryContextAllocHuge(merge->context, mul_size((Size) ref->ndocs + 1, sizeof(uint32)));
}

/* ---- 1. decide ---- */

static uint32
merge_key(const ElacMerge *merge, int class, uint32 leaf)
{
	switch (class)
	{
		case ELAC_VECTOR_FINITE:
			if (leaf >= merge->nleaves)
				elog(ERROR, "leaf %u is out of range", leaf);
			return leaf;
		case ELAC_VECTOR_NAN:
			return merge->nleaves;
		case ELAC_VECTOR_NULL:
			return merge->nleaves + 1;
		default:
			return ELAC_INVALID_DOC;	/* the row is gone */
	}
}

/* Fetches the vector of a row into merge->vector; -1 when the row is gone. */
static int
merge_fetch(ElacMerge *merge, ItemPointer tid)
{
	if (merge->fetch == NULL)
		elog(ERROR, "vectors have to be encoded anew but cannot be fetched");
	return merge->fetch(merge->fetch_arg, tid, merge->vector);
}

/* The key of a live document from what its segment has stored. */
static uint32
merge_stored_key(const ElacMerge *merge, const MergeSource *source, ElacDoc doc)
{
	ElacVectorReader *reader = elac_segment_vector(source->segment);
	ElacVectorClass class = elac_vector_doc_class(reader, doc);

	return merge_key(merge, class, class == ELAC_VECTOR_FINITE ? elac_vector_doc_leaf(reader, doc) : 0);
}

/*
 * The key of a live document from the heap.  Rows without a finite vector
 * have no code that a codebook could change: theirs is as stored.
 */
static uint32
merge_fetched_key(ElacMerge *merge, const MergeSource *source, ElacDoc doc, ItemPointer tid)
{
	ElacVectorClass stored = elac_vector_doc_class(elac_segment_vector(source->segment), doc);
	int			class;

	if (stored != ELAC_VECTOR_FINITE)
		return merge_key(merge, stored, 0);
	class = merge_fetch(merge, tid);
	/* a vector of another class belongs to a later row at the same place */
	if (class != ELAC_VECTOR_FINITE)
		return ELAC_INVALID_DOC;
	return merge_key(merge, class, elac_codebook_assign(merge->codebook, merge->vector));
}

/* Sets the keys of a source; returns the number of documents carried over. */
static uint32
merge_decide_source(ElacMerge *merge, MergeSource *source, bool fetch)
{
	ItemPointerData tids[MERGE_TIDS];
	uint32		carried = 0;

	for (uint32 doc = 0; doc < source->ndocs; doc++)
	{
		uint32		key = ELAC_INVALID_DOC;

		if (doc % MERGE_TIDS == 0)
		{
			CHECK_FOR_INTERRUPTS();
			if (fetch)
				elac_segment_read_tids(source->segment, doc, Min(MERGE_TIDS, source->ndocs - doc), tids);
		}
		if (elac_bitmap_get(source->live, doc))
		{
			if (!merge_has_vector(merge))
				key = 0;
			else if (fetch)
				key = merge_fetched_key(merge, source, doc, &tids[doc % MERGE_TIDS]);
			else
				key = merge_stored_key(merge, source, doc);
		}
		source->keys[doc] = key;
		carried += key != ELAC_INVALID_DOC;
	}
	source->fetched = fetch;
	return carried;
}

/*
 * Fetching loses rows, fewer rows may mean a coarser cut, another cut means
 * fetching from sources that were to be copied: each round fetches from at
 * least one more source, so there are at most nsources rounds.
 */
static void
merge_decide(ElacMerge *merge)
{
	uint32	   *carried = palloc0(merge->nsources * sizeof(uint32));
	bool		again;

	for (int i = 0; i < merge->nsources; i++)
		carried[i] = merge_decide_source(merge, &merge->sources[i],
										 merge_has_vector(merge) && !merge->sources[i].same);
	do
	{
		again = false;
		merge->ndocs = 0;
		for (int i = 0; i < merge->nsources; i++)
			merge->ndocs += carried[i];
		for (int i = 0; merge_has_vector(merge) && i < merge->nsources; i++)
		{
			MergeSource *source = &merge->sources[i];

			if (source->fetched || carried[i] == 0 ||
				elac_vector_cut(elac_segment_vector(source->segment)) == elac_codebook_cut(merge->codebook, merge->ndocs))
				continue;
			carried[i] = merge_decide_source(merge, source, true);
			again = true;
		}
	} while (again);
	pfree(carried);
}

/* ---- 2. number ---- */

static void
merge_number(ElacMerge *merge)
{
	Size		nkeys = (Size) merge->nleaves + 2;
	uint32	   *next;

	merge->first = MemoryContextAllocHuge(merge->context, mul_size(nkeys + 1, sizeof(uint32)));
	memset(merge->first, 0, (nkeys + 1) * sizeof(uint32));
	for (int i = 0; i < merge->nsources; i++)
	{
		const MergeSource *source = &merge->sources[i];

		for (uint32 doc = 0; doc < source->ndocs; doc++)
		{
			if (source->keys[doc] != ELAC_INVALID_DOC)
				merge->first[source->keys[doc] + 1]++;
		}
		CHECK_FOR_INTERRUPTS();
	}
	for (Size key = 0; key < nkeys; key++)
		merge->first[key + 1] += merge->first[key];
	Assert(merge->first[nkeys] == merge->ndocs);

	next = MemoryContextAllocHuge(merge->context, mul_size(nkeys, sizeof(uint32)));
	memcpy(next, merge->first, nkeys * sizeof(uint32));
	for (int i = 0; i < merge->nsources; i++)
	{
		MergeSource *source = &merge->sources[i];

		for (uint32 doc = 0; doc < source->ndocs; doc++)
			source->map[doc] = source->keys[doc] == ELAC_INVALID_DOC ? ELAC_INVALID_DOC : next[source->keys[doc]]++;
		pfree(source->keys);
		source->keys = NULL;
		CHECK_FOR_INTERRUPTS();
	}
	pfree(next);
}

ElacMerge *
elac_merge_begin(const ElacRowType *type, ElacMergeInput *inputs, int ninputs,
				 const ElacCodebook *codebook, ElacVectorFetch fetch, void *fetch_arg)
{
	MemoryContext result_context = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym segment merge", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacMerge  *merge = palloc0(sizeof(ElacMerge));

	merge->context = context;
	merge->result_context = result_context;
	merge->type = type;
	merge->codebook = codebook;
	merge->fetch = fetch;
	merge->fetch_arg = fetch_arg;
	merge->nsources = ninputs;
	merge->sources = palloc0((ninputs + 1) * sizeof(MergeSource));
	if (merge_has_vector(merge))
	{
		if (codebook == NULL)
			elog(ERROR, "a segment with a vector column needs a codebook");
		merge->nleaves = elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1);
		merge->vector = palloc(elac_codebook_dim(codebook) * sizeof(float));
		merge->zero = palloc0(elac_codebook_dim(codebook) * sizeof(float));
	}
	for (int i = 0; i < ninputs; i++)
		merge_add_source(merge, i, &inputs[i]);
	merge_decide(merge);
	merge_number(merge);
	MemoryContextSwitchTo(old);
	return merge;
}

uint32
elac_merge_ndocs(const ElacMerge *merge)
{
	return merge->ndocs;
}

const ElacDoc *
elac_merge_lost(const ElacMerge *merge, uint32 *nlost)
{
	*nlost = merge->nlost;
	return merge->lost;
}

ElacDoc   **
elac_merge_carried(const ElacMerge *merge)
{
	ElacDoc   **carried = MemoryContextAlloc(merge->result_context, (merge->nsources + 1) * sizeof(ElacDoc *));

	for (int i = 0; i < merge->nsources; i++)
		carried[i] = merge->sources[i].map;
	return carried;
}

/* ---- 3. write ---- */

static void
merge_write_docmap(ElacMerge *merge, ElacDirectoryWriter *directory)
{
	ItemPointerData *tids = MemoryContextAllocHuge(merge->context, mul_size(merge->ndocs, sizeof(ItemPointerData)));
	ItemPointerData some[MERGE_TIDS];

	for (int i = 0; i < merge->nsources; i++)
	{
		const MergeSource *source = &merge->sources[i];

		for (uint32 doc = 0; doc < source->ndocs; doc++)
		{
			if (doc % MERGE_TIDS == 0)
				elac_segment_read_tids(source->segment, doc, Min(MERGE_TIDS, source->ndocs - doc), some);
			if (source->map[doc] != ELAC_INVALID_DOC)
				tids[source->map[doc]] = some[doc % MERGE_TIDS];
		}
	}
	elac_directory_docmap(directory, tids);
	pfree(tids);
}

/* Which input document each new one was: the maps turned round. */
static uint32 *
merge_origins(const ElacMerge *merge)
{
	uint32	   *origins = MemoryContextAllocHuge(merge->context, mul_size(merge->ndocs, sizeof(uint32)));

	for (int i = 0; i < merge->nsources; i++)
	{
		const MergeSource *source = &merge->sources[i];

		for (uint32 doc = 0; doc < source->ndocs; doc++)
		{
			if (source->map[doc] != ELAC_INVALID_DOC)
				origins[source->map[doc]] = source->base + doc;
		}
		CHECK_FOR_INTERRUPTS();
	}
	return origins;
}

static MergeSource *
merge_source_of(const ElacMerge *merge, uint32 origin)
{
	int			low = 0;
	int			high = merge->nsources;

	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;

		if (merge->sources[middle].base <= origin)
			low = middle;
		else
			high = middle;
	}
	return &merge->sources[low];
}

/*
 * A row that vanished since it was numbered keeps its number, for all sections
 * have to hold the same documents, and is dead from the start.
 */
static void
merge_lose(ElacMerge *merge, ElacDoc new_doc)
{
	if (merge->nlost == merge->lost_allocated)
	{
		merge->lost_allocated = merge->lost_allocated == 0 ? 256 : merge->lost_allocated * 2;
		if (merge->lost == NULL)
			merge->lost = MemoryContextAlloc(merge->context, merge->lost_allocated * sizeof(ElacDoc));
		else
			merge->lost = repalloc_huge(merge->lost, mul_size(merge->lost_allocated, sizeof(ElacDoc)));
	}
	merge->lost[merge->nlost++] = new_doc;
}

/*
 * Asks for the codes of the lists from document doc on, some MB at a time:
 * copying goes through a source's lists in order.
 */
static void
merge_ask_codes(MergeSource *source, ElacDoc doc)
{
	ElacVectorReader *reader = elac_segment_vector(source->segment);
	ElacBlobReader *body = elac_segment_body(source->segment);
	const ElacDirectoryEntry *entry = &source->segment->entries[1 + source->segment->type->schema->vector_column];
	uint32		nlists = elac_vector_nlists(reader);
	uint64		wanted = (uint64) source->ndocs * MERGE_WAVE_BYTES / Max(entry->body_len, 1);

	/* under another cut hardly a code can be copied */
	if (source->fetched || doc < source->near || elac_segment_ref(source->segment)->body.home != ELAC_HOME_REMOTE)
		return;
	while (source->list < nlists && source->near <= doc + wanted)
	{
		ElacDoc		first;

		elac_vector_prefetch(reader, &source->list, 1);
		elac_vector_list_range(reader, source->list++, &first, &source->near);
	}
	elac_blob_wait(&body, 1);
}

/* Adds a finite document; returns false when its row has vanished. */
static bool
merge_write_vector(ElacMerge *merge, ElacVectorWriter *writer, uint32 leaf, MergeSource *source, ElacDoc doc)
{
	ItemPointerData tid;

	if (source->same)
	{
		merge_ask_codes(source, doc);
		if (elac_vector_writer_copy(writer, leaf, elac_segment_vector(source->segment), doc))
			return true;
	}
	elac_segment_tid(source->segment, doc, &tid);
	if (merge_fetch(merge, &tid) == ELAC_VECTOR_FINITE)
	{
		elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, leaf, merge->vector);
		return true;
	}
	elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, leaf, merge->zero);
	return false;
}

static void
merge_write_vectors(ElacMerge *merge, ElacSectionWriter *out)
{
	const ElacSchema *schema = merge->type->schema;
	ElacVectorWriter *writer = elac_vector_writer_begin(merge->codebook, schema->columns[schema->vector_column].bits,
														merge->ndocs);
	uint32	   *origins = merge_origins(merge);
	uint32		key = 0;

	for (uint32 new_doc = 0; new_doc < merge->ndocs; new_doc++)
	{
		MergeSource *source = merge_source_of(merge, origins[new_doc]);
		ElacDoc		doc = origins[new_doc] - source->base;

		CHECK_FOR_INTERRUPTS();
		while (new_doc >= merge->first[key + 1])
			key++;
		if (key == merge->nleaves)
			elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL);
		else if (key == merge->nleaves + 1)
			elac_vector_writer_add(writer, ELAC_VECTOR_NULL, 0, NULL);
		else if (!merge_write_vector(merge, writer, key, source, doc))
			merge_lose(merge, new_doc);
	}
	pfree(origins);
	elac_vector_writer_finish(writer, out);
}

static void
merge_write_text(ElacMerge *merge, int column, const ElacDoc *const *maps, ElacSectionWriter *out)
{
	ElacTextReader **readers = palloc((merge->nsources + 1) * sizeof(ElacTextReader *));

	for (int i = 0; i < merge->nsources; i++)
		readers[i] = elac_segment_text(merge->sources[i].segment, column);
	elac_text_merge(readers, maps, merge->nsources, merge->ndocs, out);
	pfree(readers);
}

static void
merge_write_attr(ElacMerge *merge, int column, const ElacDoc *const *maps, ElacSectionWriter *out)
{
	ElacAttrReader **readers = palloc((merge->nsources + 1) * sizeof(ElacAttrReader *));

	for (int i = 0; i < merge->nsources; i++)
		readers[i] = elac_segment_attr(merge->sources[i].segment, column);
	elac_attr_merge(readers, maps, merge->nsources, merge->ndocs, out);
	pfree(readers);
}

void
elac_merge_write(ElacMerge *merge, uint64 id, ElacSectionWriter *out)
{
	const ElacSchema *schema = merge->type->schema;
	MemoryContext old = MemoryContextSwitchTo(merge->context);
	const ElacDoc **maps = palloc((merge->nsources + 1) * sizeof(ElacDoc *));
	ElacDirectoryWriter directory;

	for (int i = 0; i < merge->nsources; i++)
		maps[i] = merge->sources[i].map;
	elac_directory_begin(&directory, out, schema, merge->ndocs);
	merge_write_docmap(merge, &directory);
	for (int i = 0; i < schema->ncolumns; i++)
	{
		elac_directory_open_section(&directory, i);
		if (schema->columns[i].kind == ELAC_COLUMN_VECTOR)
			merge_write_vectors(merge, out);
		else if (schema->columns[i].kind == ELAC_COLUMN_TEXT)
			merge_write_text(merge, i, maps, out);
		else
			merge_write_attr(merge, i, maps, out);
		elac_directory_close_section(&directory);
	}
	elac_directory_finish(&directory, id);
	MemoryContextSwitchTo(old);
}

void
elac_segment_merge(Relation index, const ElacRowType *type, ElacMergeInput *inputs, int ninputs,
				   const ElacCodebook *codebook, ElacVectorFetch fetch, void *fetch_arg,
				   uint64 id, uint32 level, ElacStore *store, const char *key_prefix,
				   ElacSegmentRef *ref, ElacDoc ***carried)
{
	ElacMerge  *merge = elac_merge_begin(type, inputs, ninputs, codebook, fetch, fetch_arg);
	MemoryContext old = MemoryContextSwitchTo(merge->context);
	ElacSectionWriter out;

	memset(ref, 0, sizeof(*ref));
	ref->live = InvalidBlockNumber;
	if (merge->ndocs > 0)
	{
		elac_segment_create_blobs(index, id, store, key_prefix, &out);
		elac_merge_write(merge, id, &out);
		elac_segment_finish_blobs(index, &out, id, level, merge->ndocs, codebook, ref);
		elac_live_clear(index, ref, merge->lost, merge->nlost);
	}
	*carried = elac_merge_carried(merge);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(merge->context);
}
