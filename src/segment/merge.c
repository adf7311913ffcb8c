/*
 * merge.c
 *	  Merges segments into one: decides what is carried over, numbers it,
 *	  writes the sections.
 *
 * 1. Decide.  A document that is live is carried over.  Where its code means
 *    the same in the new segment, its leaf is as stored; else its vector is read
 *    from the heap, which also tells whether the row is still there, and
 *    encoded at once.  Codes so made are kept in a spool.
 * 2. Number.  By class and leaf, then input, then number in the input: a
 *    counting sort.  Without a vector column, by input and number.
 * 3. Write.  Sections are merged by their own modules through the maps; codes
 *    are copied from the inputs or taken from the spool.
 *
 * Under a codebook derived from the inputs' (codebook_adapt.h) documents of
 * lists that are gone are read from the heap, and of the lists near a new
 * centroid those that may be nearer to it.
 *
 * Rows are read from the heap in its order, some at a time.
 *
 * Memory: 8 bytes per input document (12 when some are read from the heap),
 * maintenance_work_mem for the spool, and the state of one section at a time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "segment/code_wave.h"
#include "segment/merge_spool.h"
#include "segment/segment_internal.h"
#include "vector/vector_decode.h"

#define MERGE_TIDS 1024			/* docmap entries looked at a time */

/* Rows read from the heap in its order at a time: at least so many, and what a part of the memory holds. */
#define MERGE_PENDING_MIN 65536
#define MERGE_PENDING_PART 16

/* Rows whose leaves are found together. */
#define MERGE_BATCH 256

/* Memory of each of the section writer's spools, and of rotated or packed centroids. */
#define MERGE_WRITER_BYTES ((Size) 16 * 1024 * 1024)
#define MERGE_CENTROID_BYTES ((Size) 8 * 1024 * 1024)

typedef struct MergeSource
{
	ElacSegment *segment;
	const ElacBitmap *live;
	uint32		ndocs;
	uint32		nlive;
	uint32		base;			/* number of its first document in what merge_origins() gives */
	uint32	   *keys;			/* leaf, nleaves for NAN, nleaves + 1 for NULL; ELAC_INVALID_DOC = dropped */
	uint32	   *slots;			/* number in the spool, ELAC_INVALID_DOC = code is copied; NULL = all are */
	ElacDoc    *map;			/* new number; ELAC_INVALID_DOC = dropped */
	CodeWave	wave;
	/* vectors: how this source's codebook and the new one go together */
	ElacVectorReader *vector;	/* NULL without a vector column */
	const ElacCodebook *codebook;
	bool		same;			/* it is the new one */
	bool		adapted;		/* the new one is derived from it */
	bool		same_bits;
	ElacVectorDecoder *decoder; /* NULL until needed */
	/* the leaf that was met last */
	int64		leaf;			/* -1: none */
	uint32		new_leaf;		/* ELAC_ADAPT_NOWHERE: to be found */
	bool		copy;			/* its codes can be copied */
	bool		watch;			/* but some documents may be nearer to a new centroid */
} MergeSource;

/* A row to be read. */
typedef struct MergePending
{
	ItemPointerData tid;
	ElacDoc		doc;
	uint32		leaf;			/* when its codebook is the new one, else not known */
} MergePending;

struct ElacMerge
{
	MemoryContext context;		/* all but the maps, which outlive it */
	MemoryContext result_context;
	const ElacRowType *type;
	const ElacCodebook *codebook;
	ElacAdapt  *adapt;			/* or NULL */
	ElacVectorFetch fetch;
	void	   *fetch_arg;
	int			nsources;
	MergeSource *sources;
	uint64		ninput;			/* documents of all inputs */
	uint32		nlive;			/* of them */
	uint32		ndocs;			/* carried over */
	uint32		nleaves;		/* 0 without a vector column */
	uint32	   *first;			/* first document of each key, nleaves + 3 of them */
	/* vectors */
	int			bits;
	int			dim;
	int			cut;			/* that suits nlive: known before any row is read */
	float	   *rotated;		/* room for a decoded vector */
	ElacVectorEncoder *encoder; /* this and the rest are NULL until a row has to be read */
	ElacAssigner *assigner;
	float	   *vectors;		/* MERGE_BATCH of them */
	uint32	   *leaves;
	uint8	   *coded;
	MergeSpool *spool;
	Size		npending;
	Size		max_pending;
	MergePending *pending;
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
	const ElacSegmentRef *ref = elac_segment_ref(input->segment);

	source->segment = input->segment;
	source->live = input->live;
	source->ndocs = ref->ndocs;
	source->base = (uint32) merge->ninput;
	source->leaf = -1;
	if (input->live->nbits != ref->ndocs)
		elog(ERROR, "live bitmap of %u documents for a segment of %u", input->live->nbits, ref->ndocs);
	source->nlive = elac_bitmap_count(input->live);
	merge->nlive += source->nlive;
	merge->ninput += ref->ndocs;
	if (merge->ninput >= UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot merge " UINT64_FORMAT " documents into one segment", merge->ninput)));
	if (merge_has_vector(merge))
	{
		source->vector = elac_segment_vector(input->segment);
		source->codebook = input->segment->codebook;
		source->same = ref->codebook == elac_codebook_id(merge->codebook) && ref->codebook != 0;
		source->adapted = !source->same && merge->adapt != NULL &&
			ref->codebook == elac_codebook_id(elac_adapt_codebook(merge->adapt)) && ref->codebook != 0;
		source->same_bits = elac_vector_bits(source->vector) == merge->bits;
	}
	source->map = MemoryContextAllocHuge(merge->result_context, mul_size((Size) ref->ndocs + 1, sizeof(ElacDoc)));
	source->keys = MemoryContextAllocHuge(merge->context, mul_size((Size) ref->ndocs + 1, sizeof(uint32)));
	elac_code_wave_begin(&source->wave, source->segment);
}

/* ---- 1. decide ---- */

/* What becomes of the documents of a leaf. */
static void
merge_enter_leaf(ElacMerge *merge, MergeSource *source, uint32 leaf)
{
	int			cut = elac_vector_cut(source->vector);
	uint32		list = elac_codebook_list_of_leaf(source->codebook, cut, leaf);
	uint32		adapt_list = 0;

	source->leaf = leaf;
	source->new_leaf = ELAC_ADAPT_NOWHERE;
	if (source->same)
		source->new_leaf = leaf;
	else if (source->adapted)
	{
		adapt_list = elac_adapt_list(merge->adapt, leaf);
		source->new_leaf = elac_adapt_leaf(merge->adapt, adapt_list);
	}
	source->copy = source->new_leaf != ELAC_ADAPT_NOWHERE && source->same_bits &&
		elac_codebook_same_list(source->codebook, cut, list, merge->codebook, merge->cut,
								elac_codebook_list_of_leaf(merge->codebook, merge->cut, source->new_leaf));
	source->watch = source->copy && source->adapted && elac_adapt_is_near(merge->adapt, adapt_list);
	/* a row that is read can as well be given its best list */
	if (!source->copy && !source->same)
		source->new_leaf = ELAC_ADAPT_NOWHERE;
}

/* Whether a document of a list near a new centroid may belong there. */
static bool
merge_may_move(ElacMerge *merge, MergeSource *source, ElacDoc doc)
{
	float		deviation;

	if (source->decoder == NULL)
		source->decoder = elac_vector_decoder_begin(source->vector);
	elac_code_wave_ask(&source->wave, doc);
	if (!elac_vector_decode(source->decoder, doc, merge->rotated, &deviation))
		return true;
	return elac_adapt_may_move(merge->adapt, elac_adapt_list(merge->adapt, (uint32) source->leaf), merge->rotated,
							   deviation);
}

/* What reading rows needs. */
static void
merge_begin_reading(ElacMerge *merge, MergeSource *source)
{
	Size		memory = (Size) maintenance_work_mem * 1024;

	if (merge->fetch == NULL)
		elog(ERROR, "vectors have to be encoded anew but cannot be fetched");
	if (merge->spool == NULL)
	{
		merge->encoder = elac_vector_encoder_begin(merge->codebook, merge->bits, merge->cut, MERGE_CENTROID_BYTES);
		merge->assigner = elac_assigner_begin(merge->codebook, Max(memory / 4, MERGE_CENTROID_BYTES));
		merge->vectors = palloc(mul_size(MERGE_BATCH, merge->dim * sizeof(float)));
		merge->leaves = palloc(MERGE_BATCH * sizeof(uint32));
		merge->coded = palloc(elac_vector_encoder_bytes(merge->encoder));
		merge->spool = elac_merge_spool_begin(elac_vector_encoder_bytes(merge->encoder), merge->nlive, merge->nleaves,
											  memory);
		merge->max_pending = Max(memory / MERGE_PENDING_PART / sizeof(MergePending), MERGE_PENDING_MIN);
		merge->max_pending = Min(merge->max_pending, merge->nlive);
		merge->pending = MemoryContextAllocHuge(merge->context, mul_size(merge->max_pending, sizeof(MergePending)));
	}
	if (source->slots == NULL)
	{
		source->slots = MemoryContextAllocHuge(merge->context, mul_size((Size) source->ndocs + 1, sizeof(uint32)));
		for (uint32 doc = 0; doc < source->ndocs; doc++)
			source->slots[doc] = ELAC_INVALID_DOC;
	}
}

static int
merge_compare_pending(const void *a, const void *b)
{
	const MergePending *left = a;
	const MergePending *right = b;
	BlockNumber left_block = ItemPointerGetBlockNumber(&left->tid);
	BlockNumber right_block = ItemPointerGetBlockNumber(&right->tid);

	if (left_block != right_block)
		return left_block < right_block ? -1 : 1;
	return (int) ItemPointerGetOffsetNumber(&left->tid) - (int) ItemPointerGetOffsetNumber(&right->tid);
}

/* Finds the leaves of rows that were read, unless they are known, and encodes them. */
static void
merge_encode_rows(ElacMerge *merge, MergeSource *source, MergePending *const *rows, uint32 nrows)
{
	if (nrows == 0)
		return;
	if (!source->same)
		elac_assigner_assign(merge->assigner, merge->vectors, nrows, merge->leaves);
	for (uint32 i = 0; i < nrows; i++)
	{
		uint32		leaf = source->same ? rows[i]->leaf : merge->leaves[i];

		CHECK_FOR_INTERRUPTS();
		elac_vector_encode(merge->encoder, leaf, merge->vectors + (Size) i * merge->dim, merge->coded);
		source->keys[rows[i]->doc] = leaf;
		source->slots[rows[i]->doc] = elac_merge_spool_put(merge->spool, leaf, merge->coded);
	}
}

/* Reads the rows that are pending, all of one source; returns how many were there. */
static uint32
merge_read_pending(ElacMerge *merge, MergeSource *source)
{
	MergePending *rows[MERGE_BATCH];
	uint32		nrows = 0;
	uint32		found = 0;

	qsort(merge->pending, merge->npending, sizeof(MergePending), merge_compare_pending);
	for (Size i = 0; i < merge->npending; i++)
	{
		MergePending *row = &merge->pending[i];

		CHECK_FOR_INTERRUPTS();
		/* a vector of another class belongs to a later row at the same place */
		if (merge->fetch(merge->fetch_arg, &row->tid, merge->vectors + (Size) nrows * merge->dim) != ELAC_VECTOR_FINITE)
			continue;
		rows[nrows++] = row;
		found++;
		if (nrows == MERGE_BATCH)
		{
			merge_encode_rows(merge, source, rows, nrows);
			nrows = 0;
		}
	}
	merge_encode_rows(merge, source, rows, nrows);
	merge->npending = 0;
	return found;
}

/*
 * The key of a live document, or ELAC_INVALID_DOC when its row has to be read.
 * Rows without a finite vector have no code: theirs is as stored.
 */
static uint32
merge_stored_key(ElacMerge *merge, MergeSource *source, ElacDoc doc)
{
	uint32		leaf;

	if (!merge_has_vector(merge))
		return 0;
	switch (elac_vector_doc_class(source->vector, doc))
	{
		case ELAC_VECTOR_NAN:
			return merge->nleaves;
		case ELAC_VECTOR_NULL:
			return merge->nleaves + 1;
		default:
			break;
	}
	leaf = elac_vector_doc_leaf(source->vector, doc);
	if (source->leaf != leaf)
		merge_enter_leaf(merge, source, leaf);
	if (!source->copy || (source->watch && merge_may_move(merge, source, doc)))
		return ELAC_INVALID_DOC;
	return source->new_leaf;
}

/* Sets the keys of a source; returns the number of documents carried over. */
static uint32
merge_decide_source(ElacMerge *merge, MergeSource *source)
{
	ItemPointerData tids[MERGE_TIDS];
	uint32		carried = 0;
	int64		have_tids = -1;

	for (uint32 doc = 0; doc < source->ndocs; doc++)
	{
		if (doc % MERGE_TIDS == 0)
			CHECK_FOR_INTERRUPTS();
		source->keys[doc] = ELAC_INVALID_DOC;
		if (!elac_bitmap_get(source->live, doc))
			continue;
		source->keys[doc] = merge_stored_key(merge, source, doc);
		if (source->keys[doc] != ELAC_INVALID_DOC)
		{
			carried++;
			continue;
		}
		if (merge->spool == NULL || source->slots == NULL)
			merge_begin_reading(merge, source);
		if (have_tids != doc / MERGE_TIDS)
		{
			ElacDoc		start = doc / MERGE_TIDS * MERGE_TIDS;

			elac_segment_read_tids(source->segment, start, Min(MERGE_TIDS, source->ndocs - start), tids);
			have_tids = doc / MERGE_TIDS;
		}
		merge->pending[merge->npending].tid = tids[doc % MERGE_TIDS];
		merge->pending[merge->npending].doc = doc;
		merge->pending[merge->npending].leaf = source->new_leaf;
		if (++merge->npending == merge->max_pending)
			carried += merge_read_pending(merge, source);
	}
	return carried + merge_read_pending(merge, source);
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
elac_merge_begin(const ElacRowType *type, ElacMergeInput *inputs, int ninputs, const ElacCodebook *codebook,
				 ElacAdapt *adapt, ElacVectorFetch fetch, void *fetch_arg)
{
	MemoryContext result_context = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym segment merge", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacMerge  *merge = palloc0(sizeof(ElacMerge));

	merge->context = context;
	merge->result_context = result_context;
	merge->type = type;
	merge->codebook = codebook;
	merge->adapt = adapt;
	merge->fetch = fetch;
	merge->fetch_arg = fetch_arg;
	merge->nsources = ninputs;
	merge->sources = palloc0((ninputs + 1) * sizeof(MergeSource));
	if (merge_has_vector(merge))
	{
		if (codebook == NULL)
			elog(ERROR, "a segment with a vector column needs a codebook");
		merge->bits = type->schema->columns[type->schema->vector_column].bits;
		merge->nleaves = elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1);
		merge->dim = elac_codebook_dim(codebook);
		merge->rotated = palloc(elac_codebook_padded(codebook) * sizeof(float));
	}
	for (int i = 0; i < ninputs; i++)
		merge_add_source(merge, i, &inputs[i]);
	if (merge_has_vector(merge))
		merge->cut = elac_codebook_cut(codebook, merge->nlive);
	for (int i = 0; i < ninputs; i++)
		merge->ndocs += merge_decide_source(merge, &merge->sources[i]);
	merge_number(merge);
	MemoryContextSwitchTo(old);
	return merge;
}

uint32
elac_merge_ndocs(const ElacMerge *merge)
{
	return merge->ndocs;
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

static void
merge_write_vectors(ElacMerge *merge, ElacSectionWriter *out)
{
	ElacVectorWriter *writer = elac_vector_writer_begin_cut(merge->codebook, merge->bits, merge->cut, MERGE_WRITER_BYTES);
	uint32	   *origins = merge_origins(merge);
	uint32		key = 0;

	for (int i = 0; i < merge->nsources; i++)
		elac_code_wave_begin(&merge->sources[i].wave, merge->sources[i].segment);
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
		else if (source->slots != NULL && source->slots[doc] != ELAC_INVALID_DOC)
			elac_vector_writer_add_coded(writer, key, elac_merge_spool_get(merge->spool, key, source->slots[doc]));
		else
		{
			elac_code_wave_ask(&source->wave, doc);
			if (!elac_vector_writer_copy(writer, key, source->vector, doc))
				elog(ERROR, "the code of a document cannot be copied");
		}
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
				   const ElacCodebook *codebook, ElacAdapt *adapt, ElacVectorFetch fetch, void *fetch_arg,
				   uint64 id, uint32 level, ElacStore *store, const char *key_prefix,
				   ElacSegmentRef *ref, ElacDoc ***carried)
{
	ElacMerge  *merge = elac_merge_begin(type, inputs, ninputs, codebook, adapt, fetch, fetch_arg);
	MemoryContext old = MemoryContextSwitchTo(merge->context);
	ElacSectionWriter out;

	memset(ref, 0, sizeof(*ref));
	ref->live = InvalidBlockNumber;
	if (merge->ndocs > 0)
	{
		elac_segment_create_blobs(index, id, store, key_prefix, &out);
		elac_merge_write(merge, id, &out);
		elac_segment_finish_blobs(index, &out, id, level, merge->ndocs, codebook, ref);
	}
	if (merge->spool != NULL)
		elac_merge_spool_end(merge->spool);
	*carried = elac_merge_carried(merge);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(merge->context);
}
