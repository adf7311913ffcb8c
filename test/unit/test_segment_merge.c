/*
 * test_segment_merge.c
 *	  Builds, reads and merges segments in memory.  A merge must give what a
 *	  fresh build of the same rows gives, byte for byte.
 */
#include "pgshim.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/rng.h"
#include "segment/segment_internal.h"

#define DIM 8
#define TERMS 40

/* The heap: what every row has, by its number; tids follow from the number. */
typedef struct TestRow
{
	ElacVectorClass class;
	float		vector[DIM];
	bool		gone;
	ElacTermVector terms;
	int32		number;
	bool		number_null;
	Datum		label;
	bool		label_null;
} TestRow;

typedef struct TestSegment
{
	ElacSegmentRef ref;
	uint8	   *head;
	uint8	   *body;
	ElacSegment *segment;
} TestSegment;

static TestRow *heap;
static long fetches;
static long vanish_after;		/* fetches after which rows are gone; 0 = never */

static void
row_tid(uint32 row, ItemPointer tid)
{
	ItemPointerSet(tid, row / 100, row % 100 + 1);
}

static uint32
tid_row(const ItemPointerData *tid)
{
	return ItemPointerGetBlockNumber(tid) * 100 + ItemPointerGetOffsetNumber(tid) - 1;
}

static int
compare_uint32(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

static ElacTermVector
random_terms(ElacRng *rng)
{
	ElacTermVector result = {0};
	uint32		numbers[6];
	uint32		n = (uint32) elac_rng_below(rng, 7);

	if (elac_rng_below(rng, 10) == 0)
	{
		result.isnull = true;
		return result;
	}
	for (uint32 i = 0; i < n; i++)
		numbers[i] = (uint32) elac_rng_below(rng, TERMS);
	qsort(numbers, n, sizeof(uint32), compare_uint32);
	result.terms = palloc0(sizeof(ElacTerm) * 6);
	for (uint32 i = 0; i < n; i++)
	{
		if (i > 0 && numbers[i] == numbers[i - 1])
			continue;
		result.terms[result.nterms].bytes = psprintf("term%02u", numbers[i]);
		result.terms[result.nterms].len = 6;
		result.terms[result.nterms].tf = 1 + (uint32) elac_rng_below(rng, 3);
		result.length += result.terms[result.nterms].tf;
		result.nterms++;
	}
	return result;
}

static void
make_heap(uint32 n)
{
	ElacRng		rng;

	elac_rng_seed(&rng, 42);
	heap = palloc0(n * sizeof(TestRow));
	for (uint32 i = 0; i < n; i++)
	{
		uint64		dice = elac_rng_below(&rng, 20);
		char	   *text = psprintf("label %u", (uint32) elac_rng_below(&rng, 30));

		heap[i].class = dice == 0 ? ELAC_VECTOR_NAN : (dice == 1 ? ELAC_VECTOR_NULL : ELAC_VECTOR_FINITE);
		for (int d = 0; d < DIM; d++)
			heap[i].vector[d] = (float) (elac_rng_double(&rng) - 0.5 + (double) (i % 13));
		heap[i].terms = random_terms(&rng);
		heap[i].number = (int32) elac_rng_u64(&rng);
		heap[i].number_null = elac_rng_below(&rng, 6) == 0;
		heap[i].label = PointerGetDatum(cstring_to_text(text));
		heap[i].label_null = elac_rng_below(&rng, 6) == 0;
	}
}

static ElacRowType *
make_type(bool with_vector)
{
	ElacRowType *type = palloc0(sizeof(ElacRowType));
	ElacSchema *schema = palloc0(sizeof(ElacSchema));

	schema->ncolumns = with_vector ? 4 : 3;
	schema->vector_column = with_vector ? 3 : -1;
	schema->ntext = 1;
	schema->nattr = 2;
	schema->columns[0].kind = ELAC_COLUMN_ATTR;
	schema->columns[1].kind = ELAC_COLUMN_TEXT;
	schema->columns[2].kind = ELAC_COLUMN_ATTR;
	schema->columns[3].kind = ELAC_COLUMN_VECTOR;
	schema->columns[3].metric = ELAC_METRIC_L2;
	schema->columns[3].element = ELAC_ELEMENT_FLOAT;
	schema->columns[3].bits = 4;
	schema->columns[3].dim = DIM;
	type->schema = schema;
	type->index_name = "segment_test";
	type->attr[0] = (ElacAttrType) {INT4OID, 4, true, TYPALIGN_INT, 0};
	type->attr[2] = (ElacAttrType) {TEXTOID, -1, false, TYPALIGN_INT, 0};
	return type;
}

static ElacCodebook *
make_codebook(uint64 seed, uint64 nrows, uint64 id)
{
	ElacCodebookParams params = {ELAC_METRIC_L2, DIM, seed, nrows};
	float	   *sample = palloc(3000 * DIM * sizeof(float));
	ElacCodebook *codebook;

	for (int i = 0; i < 3000; i++)
		memcpy(sample + i * DIM, heap[i].vector, DIM * sizeof(float));
	codebook = elac_codebook_train(&params, sample, 3000);
	elac_codebook_set_id(codebook, id);
	return codebook;
}

static void
form_row(uint32 number, ElacRow *row)
{
	const TestRow *source = &heap[number];

	memset(row, 0, sizeof(*row));
	row_tid(number, &row->tid);
	row->vector_class = source->class;
	row->vector = source->class == ELAC_VECTOR_FINITE ? source->vector : NULL;
	row->columns[0].value = Int32GetDatum(source->number);
	row->columns[0].isnull = source->number_null;
	row->columns[1].text = source->terms;
	row->columns[2].value = source->label;
	row->columns[2].isnull = source->label_null;
}

/* Takes the writers' bytes and opens them as a segment. */
static TestSegment
open_written(ElacSectionWriter *out, const ElacRowType *type, uint64 id, uint32 ndocs, const ElacCodebook *codebook)
{
	TestSegment result = {0};
	uint64		len;

	result.ref.id = id;
	result.ref.ndocs = ndocs;
	result.ref.codebook = type->schema->vector_column >= 0 ? elac_codebook_id(codebook) : 0;
	elac_blob_finish(out->head, &result.ref.head);
	elac_blob_finish(out->body, &result.ref.body);
	result.head = palloc(result.ref.head.nbytes + 1);
	memcpy(result.head, elac_blob_memory(out->head, &len), result.ref.head.nbytes);
	CHECK_EQ(len, result.ref.head.nbytes);
	result.body = palloc(result.ref.body.nbytes + 1);
	memcpy(result.body, elac_blob_memory(out->body, &len), result.ref.body.nbytes);
	result.segment = elac_segment_open_blobs(NULL, type, &result.ref, codebook,
											 elac_blob_open_memory(result.head, result.ref.head.nbytes, "segment_test"),
											 elac_blob_open_memory(result.body, result.ref.body.nbytes, "segment_test"));
	return result;
}

/* Rows first .. last-1, those for which keep says so (NULL: all), in shuffled order. */
static TestSegment
build(const ElacRowType *type, uint32 first, uint32 last, const bool *keep, uint64 id, const ElacCodebook *codebook)
{
	ElacSegmentBuilder *builder = elac_segment_builder_begin(NULL, type, codebook);
	ElacSectionWriter out;
	uint32		n = last - first;
	uint32		ndocs;

	for (uint32 i = 0; i < n; i++)
	{
		uint32		row = first + (uint32) ((uint64) i * 7919 % n);
		ElacRow		formed;

		if (keep != NULL && !keep[row])
			continue;
		form_row(row, &formed);
		elac_segment_builder_add(builder, &formed);
	}
	ndocs = elac_segment_builder_ndocs(builder);
	CHECK(elac_segment_builder_memory(builder) > ndocs * sizeof(uint32));
	out.head = elac_blob_create_memory();
	out.body = elac_blob_create_memory();
	elac_segment_builder_write(builder, id, &out);
	return open_written(&out, type, id, ndocs, codebook);
}

/* Every document has what the heap says its tid has. */
static void
check_segment(TestSegment *test, const ElacRowType *type, const ElacCodebook *codebook)
{
	ElacSegment *segment = test->segment;
	ItemPointerData *tids = elac_segment_tids(segment);
	uint32		df[TERMS] = {0};
	uint64		length = 0;
	uint32		wrong = 0;
	uint32		leaf = 0;
	ElacBitmap	nulls;

	CHECK_QUIET(elac_segment_verify(segment));
	nulls.nbits = test->ref.ndocs;
	nulls.words = palloc0((elac_bitmap_words(nulls.nbits) + 1) * sizeof(uint64));
	elac_text_null_docs(elac_segment_text(segment, 1), &nulls);
	for (uint32 doc = 0; doc < test->ref.ndocs; doc++)
	{
		const TestRow *row = &heap[tid_row(&tids[doc])];
		bool		isnull;
		Datum		value = elac_attr_get(elac_segment_attr(segment, 0), doc, &isnull);

		wrong += isnull != row->number_null || (!isnull && DatumGetInt32(value) != row->number);
		value = elac_attr_get(elac_segment_attr(segment, 2), doc, &isnull);
		wrong += isnull != row->label_null ||
			(!isnull && strcmp(text_to_cstring((text *) DatumGetPointer(value)),
							   text_to_cstring((text *) DatumGetPointer(row->label))) != 0);
		wrong += elac_bitmap_get(&nulls, doc) != row->terms.isnull;
		for (uint32 i = 0; i < row->terms.nterms; i++)
			df[atoi(row->terms.terms[i].bytes + 4)]++;
		length += row->terms.length;
		if (type->schema->vector_column < 0)
			continue;
		wrong += elac_vector_doc_class(elac_segment_vector(segment), doc) != row->class;
		if (row->class == ELAC_VECTOR_FINITE)
		{
			uint32		found = elac_vector_doc_leaf(elac_segment_vector(segment), doc);

			wrong += found != elac_codebook_assign(codebook, row->vector) || found < leaf;
			leaf = found;
		}
	}
	for (int i = 0; i < TERMS; i++)
		wrong += elac_text_df(elac_segment_text(segment, 1), psprintf("term%02d", i), 6) != df[i];
	wrong += elac_text_stats(elac_segment_text(segment, 1)).total_length != length;
	CHECK_EQ(wrong, 0);
}

static bool
same_bytes(const TestSegment *a, const TestSegment *b)
{
	return a->ref.head.nbytes == b->ref.head.nbytes && a->ref.body.nbytes == b->ref.body.nbytes &&
		memcmp(a->head, b->head, a->ref.head.nbytes) == 0 && memcmp(a->body, b->body, a->ref.body.nbytes) == 0;
}

/* Estimated distance of every finite row of the heap to row 0's vector; 0 for the others. */
static float *
estimates(TestSegment *test, const ElacCodebook *codebook, uint32 nrows)
{
	ElacVectorReader *reader = elac_segment_vector(test->segment);
	ElacVectorQuery *query = elac_vector_query_begin(codebook, heap[0].vector, 3.0);
	const uint32 *lists = elac_vector_query_lists(query, elac_vector_cut(reader));
	ElacVectorHeap *candidates = elac_vector_heap_create(nrows);
	ElacVectorCandidate *found;
	float	   *result = palloc0(nrows * sizeof(float));
	uint32		nfound;

	elac_vector_scan(reader, query, lists, elac_vector_nlists(reader), NULL, 0, candidates);
	found = elac_vector_heap_finish(candidates, &nfound);
	for (uint32 i = 0; i < nfound; i++)
	{
		ItemPointerData tid;

		elac_segment_tid(test->segment, found[i].doc, &tid);
		result[tid_row(&tid)] = found[i].estimate;
	}
	CHECK(nfound > 0);
	return result;
}

/* How many estimates are not the same but for the rounding of look-up tables, which depends on a document's neighbours. */
static uint32
count_differing(const float *a, const float *b, uint32 n)
{
	uint32		differing = 0;

	for (uint32 i = 0; i < n; i++)
		differing += !(fabsf(a[i] - b[i]) <= 0.02f * (1 + fabsf(a[i])));
	return differing;
}

static int
fetch_row(void *arg, ItemPointer tid, float *dst)
{
	const TestRow *row = &heap[tid_row(tid)];

	CHECK(arg == &heap);
	fetches++;
	if (row->gone || (vanish_after > 0 && fetches > vanish_after))
		return -1;
	memcpy(dst, row->vector, sizeof(row->vector));
	return row->class;
}

static ElacBitmap *
live_bits(uint32 ndocs, int dead_every)
{
	ElacBitmap *live = palloc(sizeof(ElacBitmap));

	live->nbits = ndocs;
	live->words = palloc0((elac_bitmap_words(ndocs) + 1) * sizeof(uint64));
	elac_bitmap_fill(live);
	for (uint32 doc = 0; dead_every > 0 && doc < ndocs; doc += dead_every)
		elac_bitmap_clear(live, doc);
	return live;
}

/*
 * Merges parts of the heap (bounds: nparts + 1 row numbers) built under
 * `before` into one under `after`; checks against a fresh build of the same
 * rows.
 */
static void
test_merge(const ElacRowType *type, const uint32 *bounds, int nparts, int dead_every, uint32 gone_every,
		   const ElacCodebook *before, const ElacCodebook *after, bool expect_fetches)
{
	TestSegment parts[8];
	ElacMergeInput inputs[8];
	bool	   *keep = palloc0(bounds[nparts] + 1);
	ElacMerge  *merge;
	ElacSectionWriter out;
	TestSegment merged;
	TestSegment fresh;
	ElacDoc   **carried;
	ItemPointerData *new_tids;
	uint32		wrong = 0;

	fetches = 0;
	vanish_after = 0;
	for (uint32 row = 0; row < bounds[nparts]; row++)
		heap[row].gone = gone_every > 0 && row % gone_every == 1;
	for (int i = 0; i < nparts; i++)
	{
		parts[i] = build(type, bounds[i], bounds[i + 1], NULL, 100 + i * 3, before);
		check_segment(&parts[i], type, before);
		inputs[i].segment = parts[i].segment;
		inputs[i].live = live_bits(parts[i].ref.ndocs, dead_every);
	}
	merge = elac_merge_begin(type, inputs, nparts, after, NULL, fetch_row, &heap);
	CHECK_EQ(fetches > 0, expect_fetches);
	CHECK(fetches <= bounds[nparts]);
	fetches = 0;
	out.head = elac_blob_create_memory();
	out.body = elac_blob_create_memory();
	elac_merge_write(merge, 500, &out);
	CHECK_EQ(fetches, 0);
	merged = open_written(&out, type, 500, elac_merge_ndocs(merge), after);
	check_segment(&merged, type, after);

	carried = elac_merge_carried(merge);
	new_tids = elac_segment_tids(merged.segment);
	for (int i = 0; i < nparts; i++)
	{
		ItemPointerData *tids = elac_segment_tids(parts[i].segment);

		for (uint32 doc = 0; doc < parts[i].ref.ndocs; doc++)
		{
			const TestRow *row = &heap[tid_row(&tids[doc])];
			bool		dropped = carried[i][doc] == ELAC_INVALID_DOC;

			/* a row may be dropped that is dead, or gone and asked for */
			if (!elac_bitmap_get(inputs[i].live, doc))
				wrong += !dropped;
			else if (!row->gone || !expect_fetches || row->class != ELAC_VECTOR_FINITE)
				wrong += dropped;
			if (!dropped)
			{
				wrong += tid_row(&tids[doc]) != tid_row(&new_tids[carried[i][doc]]);
				keep[tid_row(&tids[doc])] = true;
			}
		}
	}
	CHECK_EQ(wrong, 0);
	fresh = build(type, 0, bounds[nparts], keep, 500, after);
	CHECK_EQ(fresh.ref.ndocs, merged.ref.ndocs);
	/* under another codebook documents of a leaf keep the order that they had */
	if (before == after)
		CHECK(same_bytes(&fresh, &merged));
	/* the cut is chosen before it is known how many rows are gone */
	if (after != NULL &&
		elac_vector_cut(elac_segment_vector(fresh.segment)) == elac_vector_cut(elac_segment_vector(merged.segment)))
		CHECK_EQ(count_differing(estimates(&fresh, after, bounds[nparts]), estimates(&merged, after, bounds[nparts]),
								 bounds[nparts]), 0);
}

/* Rows that vanish while a merge goes on are left out; what was read once is not needed again. */
static void
test_vanishing(const ElacRowType *type, const ElacCodebook *before, const ElacCodebook *after)
{
	TestSegment part = build(type, 0, 1000, NULL, 100, before);
	ElacMergeInput input = {part.segment, live_bits(part.ref.ndocs, 0)};
	ElacMerge  *merge;
	ElacSectionWriter out;
	TestSegment merged;

	for (uint32 row = 0; row < 1000; row++)
		heap[row].gone = false;
	fetches = 0;
	vanish_after = 400;
	merge = elac_merge_begin(type, &input, 1, after, NULL, fetch_row, &heap);
	CHECK(fetches > 800);
	CHECK(elac_merge_ndocs(merge) >= 400 && elac_merge_ndocs(merge) < 600);
	vanish_after = 1;
	out.head = elac_blob_create_memory();
	out.body = elac_blob_create_memory();
	elac_merge_write(merge, 500, &out);
	vanish_after = 0;
	merged = open_written(&out, type, 500, elac_merge_ndocs(merge), after);
	check_segment(&merged, type, after);
}

/* What lists a segment has: returns the longest. */
static uint32
longest_list(TestSegment *test)
{
	ElacVectorReader *reader = elac_segment_vector(test->segment);
	uint32		longest = 0;

	for (uint32 list = 0; list < elac_vector_nlists(reader); list++)
	{
		ElacDoc		first;
		ElacDoc		last;

		elac_vector_list_range(reader, list, &first, &last);
		longest = Max(longest, last - first);
	}
	return longest;
}

static ElacMergeInput
all_of(TestSegment *test)
{
	ElacMergeInput input = {test->segment, live_bits(test->ref.ndocs, 0)};

	return input;
}

/* Rows first .. last-1 get vectors around a place. */
static void
place_rows(uint32 first, uint32 last, float center, float width)
{
	ElacRng		rng;

	elac_rng_seed(&rng, first);
	for (uint32 row = first; row < last; row++)
	{
		heap[row].class = ELAC_VECTOR_FINITE;
		for (int d = 0; d < DIM; d++)
			heap[row].vector[d] = center + width * (float) (elac_rng_double(&rng) - 0.5);
	}
}

/*
 * New rows that all fall into one list: it is split, and only documents
 * concerned are read.
 */
static void
test_adapted(const ElacRowType *type, const ElacCodebook *codebook)
{
	TestSegment parts[2];
	ElacMergeInput inputs[2];
	ElacMergeInput again;
	ElacAdapt  *adapt;
	ElacCodebook *derived;
	ElacCodebook *next;
	ElacMerge  *merge;
	ElacSectionWriter out;
	TestSegment merged;
	ElacVectorReader *reader;
	ItemPointerData *tids;
	uint32		elsewhere = 0;
	uint32		finest;

	for (uint32 row = 0; row < 8000; row++)
		heap[row].gone = false;
	place_rows(6000, 8000, 14, 4);
	parts[0] = build(type, 0, 6000, NULL, 100, codebook);
	parts[1] = build(type, 6000, 8000, NULL, 200, codebook);
	inputs[0] = all_of(&parts[0]);
	inputs[1] = all_of(&parts[1]);
	CHECK_EQ(elac_segment_examine(inputs, 2, codebook, &adapt, &derived), ELAC_ADAPT_LISTS);
	if (derived == NULL)
		return;
	elac_codebook_set_id(derived, 300);
	CHECK(elac_codebook_related(codebook, derived));
	fetches = 0;
	merge = elac_merge_begin(type, inputs, 2, derived, adapt, fetch_row, &heap);
	/* the new ones, and few of the old */
	CHECK(fetches >= 1500 && fetches < 3500);
	printf("# adapted: %ld of 8000 rows read\n", fetches);
	out.head = elac_blob_create_memory();
	out.body = elac_blob_create_memory();
	elac_merge_write(merge, 500, &out);
	merged = open_written(&out, type, 500, elac_merge_ndocs(merge), derived);
	CHECK_EQ(merged.ref.ndocs, 8000);
	CHECK_QUIET(elac_segment_verify(merged.segment));
	CHECK(longest_list(&merged) <= 640);

	reader = elac_segment_vector(merged.segment);
	tids = elac_segment_tids(merged.segment);
	elac_vector_list_range(reader, elac_vector_nlists(reader), &finest, &elsewhere);
	elsewhere = 0;
	for (uint32 doc = 0; doc < finest; doc++)
		elsewhere += elac_vector_doc_leaf(reader, doc) != elac_codebook_assign(derived, heap[tid_row(&tids[doc])].vector);
	printf("# adapted: %u of %u documents have a nearer list\n", elsewhere, finest);
	CHECK(elsewhere < finest / 50);

	/* nothing more to do */
	again = all_of(&merged);
	CHECK_EQ(elac_segment_examine(&again, 1, derived, &adapt, &next), ELAC_ADAPT_NOTHING);
	CHECK(adapt == NULL && next == NULL);
}

/* A list of equal vectors cannot be split, and nothing goes on for ever. */
static void
test_duplicates(const ElacRowType *type, const ElacCodebook *codebook)
{
	TestSegment part;
	ElacMergeInput input;
	ElacAdapt  *adapt;
	ElacCodebook *derived;
	const ElacCodebook *current = codebook;
	int			rounds = 0;

	place_rows(6000, 9000, 14, 0);
	part = build(type, 0, 9000, NULL, 100, codebook);
	input = all_of(&part);
	while (rounds < 4 && elac_segment_examine(&input, 1, current, &adapt, &derived) == ELAC_ADAPT_LISTS)
	{
		ElacMerge  *merge;
		ElacSectionWriter out;

		elac_codebook_set_id(derived, 300 + rounds);
		merge = elac_merge_begin(type, &input, 1, derived, adapt, fetch_row, &heap);
		out.head = elac_blob_create_memory();
		out.body = elac_blob_create_memory();
		elac_merge_write(merge, 500, &out);
		part = open_written(&out, type, 500, elac_merge_ndocs(merge), derived);
		CHECK_QUIET(elac_segment_verify(part.segment));
		CHECK_EQ(part.ref.ndocs, 9000);
		input = all_of(&part);
		current = derived;
		rounds++;
	}
	printf("# duplicates: %d rounds\n", rounds);
	CHECK(rounds <= 2);
	CHECK(longest_list(&part) >= 3000);
}

static void
test_nothing_left(const ElacRowType *type, const ElacCodebook *codebook)
{
	TestSegment part = build(type, 0, 10, NULL, 100, codebook);
	ElacMergeInput input = {part.segment, live_bits(part.ref.ndocs, 1)};
	ElacMerge  *merge = elac_merge_begin(type, &input, 1, codebook, NULL, NULL, NULL);
	ElacDoc   **carried = elac_merge_carried(merge);

	CHECK_EQ(elac_merge_ndocs(merge), 0);
	for (int doc = 0; doc < 10; doc++)
		CHECK_EQ(carried[0][doc], ELAC_INVALID_DOC);
}

static void
reopen(const TestSegment *test, const ElacRowType *type, const ElacCodebook *codebook, bool deep)
{
	ElacSegment *segment;

	segment = elac_segment_open_blobs(NULL, type, &test->ref, codebook,
									  elac_blob_open_memory(test->head, test->ref.head.nbytes, "segment_test"),
									  elac_blob_open_memory(test->body, test->ref.body.nbytes, "segment_test"));
	if (deep)
		elac_segment_verify(segment);
}

/* Every bit of directory and footer counts; damage elsewhere never does worse than raise. */
static void
test_damage(const ElacRowType *type, const ElacCodebook *codebook)
{
	TestSegment test = build(type, 0, 700, NULL, 100, codebook);
	uint64		directory = sizeof(ElacDirectoryHeader) + 5 * sizeof(ElacDirectoryEntry) + sizeof(ElacDirectoryFooter);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ElacSegmentRef ref = test.ref;
	ElacRng		rng;

	elac_rng_seed(&rng, 5);
	for (uint64 i = test.ref.head.nbytes - directory; i < test.ref.head.nbytes; i++)
	{
		test.head[i] ^= (uint8) (1 << i % 8);
		CHECK_RAISES(reopen(&test, type, codebook, false), ERRCODE_INDEX_CORRUPTED);
		test.head[i] ^= (uint8) (1 << i % 8);
		MemoryContextReset(context);
	}
	for (int round = 0; round < 300; round++)
	{
		uint8	   *byte = round % 2 ? test.head + elac_rng_below(&rng, test.ref.head.nbytes) :
			test.body + elac_rng_below(&rng, test.ref.body.nbytes);
		uint8		mask = (uint8) (1 << elac_rng_below(&rng, 8));

		*byte ^= mask;
		pgshim_error.sqlstate = 0;
		if (PGSHIM_RAISES(reopen(&test, type, codebook, true)))
			CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
		*byte ^= mask;
		MemoryContextReset(context);
	}
	/* a heap tid twice, and none at all */
	memcpy(test.head + 6, test.head, 6);
	CHECK_RAISES(reopen(&test, type, codebook, true), ERRCODE_INDEX_CORRUPTED);
	memset(test.head + 6, 0, 6);
	CHECK_RAISES(reopen(&test, type, codebook, true), ERRCODE_INDEX_CORRUPTED);

	/* a ref that does not fit */
	test.ref.id++;
	CHECK_RAISES(reopen(&test, type, codebook, false), ERRCODE_INDEX_CORRUPTED);
	test.ref = ref;
	test.ref.ndocs++;
	CHECK_RAISES(reopen(&test, type, codebook, false), ERRCODE_INDEX_CORRUPTED);
	test.ref = ref;
	test.ref.head.nbytes = 10;
	CHECK_RAISES(reopen(&test, type, codebook, false), ERRCODE_INDEX_CORRUPTED);
	test.ref = ref;
	test.ref.body.nbytes -= 64;
	CHECK_RAISES(reopen(&test, type, codebook, false), ERRCODE_INDEX_CORRUPTED);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

int
main(void)
{
	static const uint32 three[] = {0, 1500, 1501, 5200};
	static const uint32 two[] = {0, 200, 500};
	ElacRowType *type;
	ElacRowType *plain;
	ElacCodebook *codebook;
	ElacCodebook *other;

	pgshim_init();
	make_heap(9000);
	type = make_type(true);
	plain = make_type(false);
	codebook = make_codebook(1, 6000, 7);
	other = make_codebook(2, 6000, 9);
	printf("# cuts of 1500, 3699, 5200 documents: %d, %d, %d of %d\n", elac_codebook_cut(codebook, 1500),
		   elac_codebook_cut(codebook, 3699), elac_codebook_cut(codebook, 5200), elac_codebook_ncuts(codebook));

	/* no vector column: heap order is kept, nothing is fetched */
	test_merge(plain, three, 3, 0, 0, NULL, NULL, false);
	test_merge(plain, three, 3, 3, 0, NULL, NULL, false);
	/* the same cut: codes are copied */
	test_merge(type, two, 2, 0, 0, codebook, codebook, false);
	test_merge(type, two, 2, 4, 5, codebook, codebook, false);
	/* another cut, and another codebook: vectors are fetched, rows may be gone */
	test_merge(type, three, 3, 0, 0, codebook, codebook, true);
	test_merge(type, three, 3, 3, 7, codebook, codebook, true);
	test_merge(type, three, 3, 0, 0, codebook, other, true);
	test_merge(type, three, 3, 5, 3, codebook, other, true);
	test_vanishing(type, codebook, other);
	/* the same through temporary files */
	maintenance_work_mem = 64;
	test_merge(type, three, 3, 5, 3, codebook, other, true);
	test_adapted(type, codebook);
	maintenance_work_mem = 65536;
	test_duplicates(type, codebook);
	test_nothing_left(type, codebook);
	test_nothing_left(plain, NULL);
	test_damage(type, codebook);
	return check_done();
}
