/*
 * test_vector_section.c
 *	  A section written and read back: ranges, classes, leaves, filters, the
 *	  heap, copies in a merge, large sections, damaged ones.
 */
#include "pgshim.h"

#include "utils/errcodes.h"

#include "vector_fixture.h"

static void
test_layout(void)
{
	ElacVectorLayout layout;

	elac_vector_layout(&layout, 768, 4, 0, 1000);
	CHECK(layout.nblocks == 0 && layout.end == 1000);
	elac_vector_layout(&layout, 768, 1, 33, 1000);
	CHECK(layout.nblocks == 2 && layout.codes == 1024 && layout.end == 1024 + 2 * (96 * 32 + 384));
	elac_vector_layout(&layout, 4096, 8, UINT32_MAX, UINT64_C(1) << 40);
	CHECK_EQ(layout.nblocks, UINT64_C(1) << 27);
	CHECK_EQ(layout.records_per_page, 2);
	CHECK(layout.end > (UINT64_C(1) << 40) + (uint64) UINT32_MAX * 4096);
	CHECK_EQ(layout.refinement % ELAC_PAGE_DATA, 0);
}

static void
test_ranges(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 12, 9000, 100, 8);
	ElacCodebook *codebook = fixture_train(&data, 9000);
	static const uint32 sizes[] = {0, 1, 31, 32, 33, 500, 2500, 9000};

	for (int i = 0; i < lengthof(sizes); i++)
		for (int bits = 1; bits <= 3; bits += 2)
		{
			FixtureSection section = fixture_write(&data, codebook, bits, 0, sizes[i], 3, 5);
			ElacVectorReader *reader = section.reader;
			uint32		nlists = elac_vector_nlists(reader);
			ElacDoc		next = 0;
			ElacDoc		first;
			ElacDoc		last;

			CHECK_EQ(elac_vector_bits(reader), bits);
			CHECK_EQ(elac_vector_cut(reader), elac_codebook_cut(codebook, sizes[i] + 8));
			for (uint32 list = 0; list < nlists; list++)
			{
				elac_vector_list_range(reader, list, &first, &last);
				CHECK_EQ(first, next);
				for (ElacDoc doc = first; doc < last; doc++)
				{
					CHECK_EQ(elac_vector_doc_leaf(reader, doc), section.leaf[doc]);
					CHECK_EQ(elac_codebook_list_of_leaf(codebook, elac_vector_cut(reader), section.leaf[doc]), list);
					CHECK_EQ(elac_vector_doc_class(reader, doc), ELAC_VECTOR_FINITE);
				}
				next = last;
			}
			CHECK_EQ(next, sizes[i]);
			elac_vector_list_range(reader, nlists, &first, &last);
			CHECK(first == sizes[i] && last == sizes[i] + 3);
			elac_vector_list_range(reader, nlists + 1, &first, &last);
			CHECK(first == sizes[i] + 3 && last == sizes[i] + 8);
			CHECK_EQ(elac_vector_doc_class(reader, sizes[i] + 2), ELAC_VECTOR_NAN);
			CHECK_EQ(elac_vector_doc_class(reader, sizes[i] + 3), ELAC_VECTOR_NULL);
			CHECK(PGSHIM_RAISES(elac_vector_doc_class(reader, sizes[i] + 8)));
			CHECK(PGSHIM_RAISES(elac_vector_doc_leaf(reader, sizes[i])));
			CHECK(PGSHIM_RAISES(elac_vector_list_range(reader, nlists + 2, &first, &last)));
			elac_vector_verify(reader);
			CHECK_RAISES(elac_vector_open(&section.section, codebook, section.ndocs + 1), ERRCODE_INDEX_CORRUPTED);
		}
}

static void
test_filters(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_COSINE, 30, 3000, 20, 9);
	ElacCodebook *codebook = fixture_train(&data, 3000);
	static const double shares[] = {0, 0.001, 0.02, 0.3, 1};
	ElacRng		rng;

	elac_rng_seed(&rng, 1);
	for (int bits = 1; bits <= 5; bits += 4)
	{
		FixtureSection section = fixture_write(&data, codebook, bits, 0, data.n, 2, 2);

		for (int i = 0; i < lengthof(shares); i++)
		{
			ElacBitmap	allowed = {section.ndocs, palloc0(elac_bitmap_words(section.ndocs) * 8)};
			uint32		wanted = 0;
			uint32		n;
			uint64		scored;
			ElacVectorCandidate *found;
			uint8	   *seen = palloc0(section.ndocs);

			for (uint32 doc = 0; doc < section.ndocs; doc++)
				if (elac_rng_double(&rng) < shares[i])
					elac_bitmap_set(&allowed, doc);
			for (uint32 doc = 0; doc < data.n; doc++)
				wanted += elac_bitmap_get(&allowed, doc);
			found = fixture_search(&section, data.rows, 1.9, UINT32_MAX, 5000, &allowed, &n, &scored);
			CHECK_EQ(n, wanted);
			CHECK_EQ(scored, wanted);
			for (uint32 j = 0; j < n; j++)
			{
				CHECK(found[j].doc < data.n && elac_bitmap_get(&allowed, found[j].doc) && !seen[found[j].doc]);
				seen[found[j].doc] = 1;
			}

			/* a small heap holds the best of them */
			if (wanted > 40)
			{
				ElacVectorCandidate *few = fixture_search(&section, data.rows, 3, UINT32_MAX, 20, &allowed, &n, NULL);
				double		worst = -INFINITY;
				uint32		better = 0;

				CHECK_EQ(n, 20);
				for (uint32 j = 0; j < n; j++)
					worst = Max(worst, few[j].estimate);
				for (uint32 j = 0; j < wanted; j++)
					better += found[j].estimate < worst;
				CHECK(better <= 20);
			}
		}
	}
}

static void
test_heap(void)
{
	ElacRng		rng;

	elac_rng_seed(&rng, 2);
	for (uint32 capacity = 0; capacity < 2000; capacity = capacity * 3 + 1)
	{
		ElacVectorHeap *heap = elac_vector_heap_create(capacity);
		float		all[1000];
		ElacVectorCandidate *found;
		uint32		n;
		double		worst = -1;
		uint32		below = 0;

		CHECK(isinf(elac_vector_heap_threshold(heap)));
		for (int i = 0; i < 1000; i++)
		{
			ElacVectorCandidate c = {0};

			all[i] = c.estimate = (float) elac_rng_below(&rng, 500);
			c.lower = c.estimate - (float) elac_rng_below(&rng, 10);
			c.doc = i;
			elac_vector_heap_push(heap, &c);
		}
		found = elac_vector_heap_finish(heap, &n);
		CHECK_EQ(n, Min(Max(capacity, 1), 1000));
		for (uint32 i = 0; i < n; i++)
		{
			worst = Max(worst, found[i].estimate);
			if (i > 0)
				CHECK(found[i].lower >= found[i - 1].lower);
		}
		for (int i = 0; i < 1000; i++)
			below += all[i] < worst;
		CHECK(below < n || n == 1000);
		elac_vector_heap_finish(heap, &n);
		CHECK_EQ(n, 0);
	}
}

/* Documents copied are the same bytes as documents encoded. */
static void
test_copy(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_IP, 20, 4000, 50, 11);
	ElacCodebook *codebook = fixture_train(&data, 4000);
	ElacCodebook *other;
	ElacCodebookParams params = {ELAC_METRIC_IP, 20, 12, 4000};

	other = elac_codebook_train(&params, data.rows, data.n);
	for (int bits = 1; bits <= 8; bits++)
	{
		FixtureSection part = fixture_write(&data, codebook, bits, 0, 3900, 0, 0);
		FixtureSection small = fixture_write(&data, codebook, bits, 0, 900, 0, 0);
		FixtureSection copy = part;
		ElacVectorWriter *writer = elac_vector_writer_begin(codebook, bits, part.ndocs);
		uint32		copied = 0;

		for (ElacDoc doc = 0; doc < part.ndocs; doc++)
			if (elac_vector_writer_copy(writer, elac_vector_doc_leaf(part.reader, doc), part.reader, doc))
				copied++;
		CHECK_EQ(copied, part.ndocs);
		fixture_finish(&copy, writer, 8);
		elac_vector_verify(copy.reader);
		CHECK_EQ(copy.head_len, part.head_len);
		CHECK(memcmp(copy.head_bytes + 8, part.head_bytes + 40, part.head_len) == 0);
		CHECK(memcmp(copy.body_bytes + copy.reader->layout.codes, part.body_bytes + part.reader->layout.codes,
					 (Size) part.reader->layout.nblocks * part.reader->layout.block_bytes) == 0);
		for (ElacDoc doc = 0; bits > 1 && doc < part.ndocs; doc++)
			CHECK(memcmp(copy.body_bytes + elac_vector_record_offset(&copy.reader->layout, doc),
						 part.body_bytes + elac_vector_record_offset(&part.reader->layout, doc),
						 part.reader->layout.record_bytes) == 0);

		/* every other document: lanes move */
		writer = elac_vector_writer_begin(codebook, bits, part.ndocs / 2);
		for (ElacDoc doc = 1; doc < part.ndocs; doc += 2)
			if (!elac_vector_writer_copy(writer, part.leaf[doc], part.reader, doc))
				elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, part.leaf[doc],
									   data.rows + (Size) part.row[doc] * data.dim);
		copy.ndocs = part.ndocs / 2;
		fixture_finish(&copy, writer, 0);
		elac_vector_verify(copy.reader);

		/* another list, other bits or another codebook: no */
		CHECK(elac_vector_cut(small.reader) != elac_vector_cut(part.reader));
		writer = elac_vector_writer_begin(codebook, bits, part.ndocs);
		CHECK(!elac_vector_writer_copy(writer, small.leaf[0], small.reader, 0));
		writer = elac_vector_writer_begin(codebook, bits % 8 + 1, part.ndocs);
		CHECK(!elac_vector_writer_copy(writer, part.leaf[0], part.reader, 0));
		writer = elac_vector_writer_begin(other, bits, part.ndocs);
		CHECK(!elac_vector_writer_copy(writer, 0, part.reader, 0));
		CHECK_RAISES(elac_vector_open(&part.section, other, part.ndocs), ERRCODE_INDEX_CORRUPTED);
	}
}

static void
test_order(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 8, 4000, 50, 11);
	ElacCodebook *codebook = fixture_train(&data, 4000);
	ElacVectorWriter *writer = elac_vector_writer_begin(codebook, 2, 100);
	ElacSectionWriter blobs = {elac_blob_create_memory(), elac_blob_create_memory()};

	elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, 5, data.rows);
	CHECK(PGSHIM_RAISES(elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, 4, data.rows)));
	CHECK(PGSHIM_RAISES(elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, 1000000, data.rows)));
	elac_vector_writer_add(writer, ELAC_VECTOR_NULL, 0, NULL);
	CHECK(PGSHIM_RAISES(elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL)));
	CHECK(PGSHIM_RAISES(elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, 5, data.rows)));
	CHECK(PGSHIM_RAISES(elac_vector_writer_finish(writer, &blobs)));
	CHECK(PGSHIM_RAISES(elac_vector_writer_begin(codebook, 9, 100)));
	CHECK(PGSHIM_RAISES(elac_vector_writer_begin(codebook, 0, 100)));
}

/* More codes than the writer keeps in memory. */
static void
test_spill(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 512, 100, 5, 13);
	ElacCodebook *codebook = fixture_train(&data, 100);
	uint32		ndocs = 50000;
	FixtureSection section = {0};
	FixtureSection few = fixture_write(&data, codebook, 8, 0, 100, 0, 0);
	ElacVectorWriter *writer = elac_vector_writer_begin(codebook, 8, ndocs);
	ElacVectorCandidate *found;
	uint32		n;

	section.data = &data;
	section.codebook = codebook;
	section.ndocs = ndocs;
	for (uint32 doc = 0; doc < ndocs; doc++)
		CHECK(elac_vector_writer_copy(writer, 0, few.reader, doc % 100));
	fixture_finish(&section, writer, 0);
	CHECK(section.body_len > 26000000);
	elac_vector_verify(section.reader);
	found = fixture_search(&section, data.rows + 7 * data.dim, 1.9, 1, 500, NULL, &n, NULL);
	CHECK_EQ(n, 500);
	for (uint32 i = 0; i < n; i++)
		CHECK_EQ(few.row[found[i].doc % 100], 7);
}

/* Whatever the bytes: an error of the right kind or some answer. */
static void
use_damaged(FixtureSection *section, const uint8 *head, uint64 head_len, const uint8 *body, uint64 body_len)
{
	ElacSection damaged = section->section;
	uint32		n;

	damaged.head = elac_blob_open_memory(head, head_len, "damaged");
	damaged.body = elac_blob_open_memory(body, body_len, "damaged");
	pgshim_error.sqlstate = ERRCODE_INDEX_CORRUPTED;
	if (!PGSHIM_RAISES(
					   {
						   FixtureSection copy = *section;
						   ElacVectorCandidate *found;

						   copy.reader = elac_vector_open(&damaged, section->codebook, section->ndocs);
						   found = fixture_search(&copy, section->data->rows, 1.9, UINT32_MAX, 50, NULL, &n, NULL);
						   for (uint32 i = 0; i < n; i++)
							   CHECK(!isnan(found[i].estimate) && !isnan(found[i].lower) && found[i].doc < section->ndocs);
						   for (ElacDoc doc = 0; doc < section->ndocs; doc++)
							   if (elac_vector_doc_class(copy.reader, doc) == ELAC_VECTOR_FINITE)
								   elac_vector_doc_leaf(copy.reader, doc);
						   elac_vector_verify(copy.reader);
					   }))
		return;
	CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
}

static void
test_damage(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 10, 3000, 20, 14);
	ElacCodebook *codebook = fixture_train(&data, 3000);

	for (int bits = 1; bits <= 4; bits += 3)
	{
		FixtureSection section = fixture_write(&data, codebook, bits, 0, 60, 2, 1);
		uint8	   *head = palloc(section.head_total);
		uint8	   *body = palloc(section.body_total);
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);

		CHECK(elac_vector_cut(section.reader) < elac_codebook_ncuts(codebook) - 1);
		memcpy(head, section.head_bytes, section.head_total);
		memcpy(body, section.body_bytes, section.body_total);
		for (int flip = 0; flip < 2; flip++)
		{
			uint8		mask = flip == 0 ? 0xFF : 0x10;
			MemoryContext old = MemoryContextSwitchTo(context);

			for (uint64 i = 40; i < section.head_total; i++)
			{
				head[i] ^= mask;
				use_damaged(&section, head, section.head_total, body, section.body_total);
				head[i] ^= mask;
				MemoryContextReset(context);
			}
			for (uint64 i = 40; i < section.body_total; i++)
			{
				body[i] ^= mask;
				use_damaged(&section, head, section.head_total, body, section.body_total);
				body[i] ^= mask;
				MemoryContextReset(context);
			}
			MemoryContextSwitchTo(old);
		}

		/* what has only one right value is found by verify */
		body[section.reader->layout.codes + section.reader->layout.block_bytes * 2 - 1] = 1;
		{
			ElacSection damaged = section.section;

			damaged.body = elac_blob_open_memory(body, section.body_total, "damaged");
			CHECK_RAISES(elac_vector_verify(elac_vector_open(&damaged, codebook, section.ndocs)), ERRCODE_INDEX_CORRUPTED);
		}
		for (uint64 n = 0; n < section.head_total; n += 5)
			use_damaged(&section, section.head_bytes, n, section.body_bytes, section.body_total);
		for (uint64 n = 0; n < section.body_total; n += 97)
			use_damaged(&section, section.head_bytes, section.head_total, section.body_bytes, n);
	}
}

/* Many documents at exactly one distance: as many as wanted come back. */
static void
test_equal_candidates(void)
{
	for (int bounded = 0; bounded < 2; bounded++)
	{
		ElacVectorHeap *heap = bounded ? elac_vector_heap_create_bounded(10) : elac_vector_heap_create(10);
		ElacVectorCandidate *found;
		uint32		n;

		for (uint32 doc = 0; doc < 3000; doc++)
		{
			ElacVectorCandidate candidate = {0.0f, 0.0f, 0, doc};

			if (doc % 3 == 2)
				candidate.estimate = candidate.lower = 1.0f;
			elac_vector_heap_push(heap, &candidate);
		}
		found = elac_vector_heap_finish(heap, &n);
		CHECK(n >= 10);
		for (uint32 i = 0; i < 10; i++)
			CHECK(i < n && found[i].estimate == 0);
	}
}

int
main(void)
{
	pgshim_init();
	test_layout();
	test_ranges();
	test_filters();
	test_heap();
	test_copy();
	test_order();
	test_spill();
	test_damage();
	test_equal_candidates();
	return check_done();
}
