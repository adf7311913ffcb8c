/*
 * fuzz_vector.c
 *	  Feeds bytes to the readers of codebooks and vector sections: whatever
 *	  they are, they are read and searched, or ERRCODE_INDEX_CORRUPTED is
 *	  raised; no candidate is outside the section or not a number.
 *
 * Input: byte 0 chooses what is read (bit 0: a codebook, with bit 1 one of enough
 * lists to be coded; else a section; bits 1 and 2: which section) and how (bit 3: byte runs replace the whole, bits 4
 * and 5: where the section starts in its blobs).  Then either changes to what
 * was written properly, four bytes each (offset, part, mask; part bit 0: body),
 * or the bytes themselves, the head's length in two bytes first.
 */
#include "pgshim.h"

#include "utils/errcodes.h"

#include "base/checksum.h"
#include "base/rng.h"
#include "vector/vector_private.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_VECTOR_DIM 10
#define FUZZ_VECTOR_ROWS 2100
#define FUZZ_VECTOR_DOCS 70
#define FUZZ_VECTOR_SECTIONS 4

typedef struct FuzzVectorBytes
{
	uint8	   *bytes;
	uint64		len;
} FuzzVectorBytes;

static ElacCodebook *fuzz_codebook;
static FuzzVectorBytes fuzz_stored_codebooks[2];
static FuzzVectorBytes fuzz_sections[FUZZ_VECTOR_SECTIONS][2];
static float fuzz_rows[FUZZ_VECTOR_ROWS][FUZZ_VECTOR_DIM];

static FuzzVectorBytes
fuzz_vector_finish(ElacBlobWriter *writer)
{
	FuzzVectorBytes out;
	ElacBlobRef ref;

	elac_blob_finish(writer, &ref);
	out.bytes = unconstify(uint8 *, elac_blob_memory(writer, &out.len));
	return out;
}

/* All lists of the cut are used; the finest cut is that of 2000 documents and more. */
static void
fuzz_vector_write(int which)
{
	static const int bits[FUZZ_VECTOR_SECTIONS] = {1, 4, 8, 2};
	uint32		nnull = which == 3 ? 2000 : 1;
	ElacVectorWriter *writer = elac_vector_writer_begin(fuzz_codebook, bits[which], FUZZ_VECTOR_DOCS + 2 + nnull);
	ElacSectionWriter out = {elac_blob_create_memory(), elac_blob_create_memory()};
	uint32		nleaves = elac_codebook_nlists(fuzz_codebook, elac_codebook_ncuts(fuzz_codebook) - 1);

	for (uint32 doc = 0; doc < FUZZ_VECTOR_DOCS; doc++)
		elac_vector_writer_add(writer, ELAC_VECTOR_FINITE, doc * nleaves / FUZZ_VECTOR_DOCS, fuzz_rows[doc]);
	elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL);
	elac_vector_writer_add(writer, ELAC_VECTOR_NAN, 0, NULL);
	for (uint32 doc = 0; doc < nnull; doc++)
		elac_vector_writer_add(writer, ELAC_VECTOR_NULL, 0, NULL);
	elac_vector_writer_finish(writer, &out);
	fuzz_sections[which][0] = fuzz_vector_finish(out.head);
	fuzz_sections[which][1] = fuzz_vector_finish(out.body);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ElacCodebookParams params = {ELAC_METRIC_L2, FUZZ_VECTOR_DIM, 1, FUZZ_VECTOR_ROWS};
	ElacRng		rng;

	pgshim_init();
	elac_rng_seed(&rng, 1);
	for (int row = 0; row < FUZZ_VECTOR_ROWS; row++)
		for (int d = 0; d < FUZZ_VECTOR_DIM; d++)
			fuzz_rows[row][d] = (float) elac_rng_double(&rng);
	fuzz_codebook = elac_codebook_train(&params, &fuzz_rows[0][0], FUZZ_VECTOR_ROWS);
	for (int which = 0; which < 2; which++)
	{
		ElacBlobWriter *writer = elac_blob_create_memory();

		/* 300 lists serve 48,000 rows */
		params.nrows = which == 0 ? FUZZ_VECTOR_ROWS : 48000;
		elac_codebook_write(elac_codebook_train(&params, &fuzz_rows[0][0], FUZZ_VECTOR_ROWS), writer);
		fuzz_stored_codebooks[which] = fuzz_vector_finish(writer);
	}
	for (int which = 0; which < FUZZ_VECTOR_SECTIONS; which++)
		fuzz_vector_write(which);
	return 0;
}

static void
fuzz_vector_read_codebook(const FuzzVectorBytes *bytes)
{
	ElacCodebook *codebook = elac_codebook_read(elac_blob_open_memory(bytes->bytes, bytes->len, "fuzz"));
	int			finest = elac_codebook_ncuts(codebook) - 1;
	float		vector[ELAC_MAX_DIM_INDEXED] = {0.5f};
	ElacVectorQuery *query = elac_vector_query_begin(codebook, vector, 1.9);

	if (elac_codebook_assign(codebook, vector) >= elac_codebook_nlists(codebook, finest))
		abort();
	for (int cut = 0; cut <= finest; cut++)
	{
		const ElacVectorLists *few = elac_vector_query_ensure(query, cut, 1);
		const uint32 *lists;

		for (uint32 i = 0; i < few->n; i++)
			if (few->distance[i] != few->distance[i])
				abort();
		lists = elac_vector_query_lists(query, cut);
		for (uint32 i = 0; i < elac_codebook_nlists(codebook, cut); i++)
			if (lists[i] >= elac_codebook_nlists(codebook, cut))
				abort();
		elac_codebook_cut(codebook, 1000 * cut);
	}
}

static void
fuzz_vector_read_section(const FuzzVectorBytes *head, const FuzzVectorBytes *body, uint32 ndocs, uint32 start)
{
	ElacSection section = {0};
	ElacVectorReader *reader;
	ElacVectorQuery *query = elac_vector_query_begin(fuzz_codebook, fuzz_rows[100], 1.9);
	ElacVectorHeap *heap = elac_vector_heap_create(20);
	ElacVectorCandidate *found;
	const uint32 *lists;
	uint32		n;

	section.head = elac_blob_open_memory(head->bytes, head->len, "fuzz");
	section.body = elac_blob_open_memory(body->bytes, body->len, "fuzz");
	section.head_offset = Min(start, head->len);
	section.body_offset = Min(start, body->len);
	section.head_len = head->len - section.head_offset;
	section.body_len = body->len - section.body_offset;
	reader = elac_vector_open(&section, fuzz_codebook, ndocs);
	lists = elac_vector_query_lists(query, elac_vector_cut(reader));
	elac_vector_prefetch(reader, lists, elac_vector_nlists(reader));
	elac_vector_scan(reader, query, lists, elac_vector_nlists(reader), NULL, 0, heap);
	found = elac_vector_heap_finish(heap, &n);
	for (uint32 i = 0; i < n; i++)
		if (found[i].doc >= ndocs || found[i].estimate != found[i].estimate || found[i].lower != found[i].lower)
			abort();
	for (ElacDoc doc = 0; doc < ndocs; doc++)
		if (elac_vector_doc_class(reader, doc) == ELAC_VECTOR_FINITE)
		{
			ElacVectorWriter *writer;

			elac_vector_doc_leaf(reader, doc);
			if (doc % 16 != 0)
				continue;
			writer = elac_vector_writer_begin(fuzz_codebook, elac_vector_bits(reader), ndocs);
			elac_vector_writer_copy(writer, elac_vector_doc_leaf(reader, doc), reader, doc);
		}
	elac_vector_verify(reader);
}

/* Changes of four bytes each: offset (2), part, mask. */
static void
fuzz_vector_change(const uint8_t *data, size_t size, FuzzVectorBytes *head, FuzzVectorBytes *body)
{
	for (size_t i = 0; i + 4 <= size; i += 4)
	{
		FuzzVectorBytes *target = (data[i + 2] & 1) ? body : head;

		if (target->len > 0)
			target->bytes[(data[i] | data[i + 1] << 8 | (data[i + 2] >> 1) << 16) % target->len] ^= data[i + 3];
	}
}

static FuzzVectorBytes
fuzz_vector_copy(const uint8 *bytes, uint64 len)
{
	FuzzVectorBytes copy = {palloc(Max(len, 1)), len};

	if (len > 0)
		memcpy(copy.bytes, bytes, len);
	return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemoryContext context;
	MemoryContext old;
	FuzzVectorBytes head;
	FuzzVectorBytes body;
	uint8		mode;
	int			which;
	uint32		start;

	if (size < 3)
		return 0;
	mode = data[0];
	which = (mode >> 1) & 3;
	start = ((mode >> 4) & 3) * 16;
	context = AllocSetContextCreate(TopMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	data++;
	size--;
	if (mode & 8)
	{
		size_t		cut = data[0] | data[1] << 8;

		data += 2;
		size -= 2;
		cut = Min(cut, size);
		head = fuzz_vector_copy(data, cut);
		body = fuzz_vector_copy(data + cut, size - cut);
	}
	else
	{
		const FuzzVectorBytes *from = fuzz_sections[which];

		start = 0;
		head = (mode & 1) ? fuzz_vector_copy(fuzz_stored_codebooks[which & 1].bytes, fuzz_stored_codebooks[which & 1].len)
			: fuzz_vector_copy(from[0].bytes, from[0].len);
		body = fuzz_vector_copy(from[1].bytes, from[1].len);
		fuzz_vector_change(data, size, &head, &body);
	}

	/* a checksum that fits, so that what it protects is reached */
	if ((mode & 1) && head.len >= 4)
	{
		uint32		crc = elac_crc32c(0, head.bytes, head.len - 4);

		memcpy(head.bytes + head.len - 4, &crc, 4);
	}
	pgshim_error.sqlstate = ERRCODE_INDEX_CORRUPTED;
	if (PGSHIM_RAISES(
					  {
						  if (mode & 1)
							  fuzz_vector_read_codebook(&head);
						  else
							  fuzz_vector_read_section(&head, &body, FUZZ_VECTOR_DOCS + 2 + (which == 3 ? 2000 : 1), start);
					  })
		&& pgshim_error.sqlstate != ERRCODE_INDEX_CORRUPTED)
		abort();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return 0;
}
