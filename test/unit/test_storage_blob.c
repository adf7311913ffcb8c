/*
 * test_storage_blob.c
 *	  Blobs in memory and in a store: what is written is read, waves are as
 *	  few and as large as promised, a damaged object is always an error.
 *
 * The store here is a table of byte strings that counts its waves.  Blobs in
 * pages of an index need a server: test/t/020_storage.pl.
 */
#include "pgshim.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/resowner.h"

#include "base/bytes.h"
#include "base/rng.h"
#include "guc.h"
#include "storage/blob_internal.h"

/* ---- the server's, as far as blobs look at it ---- */

ResourceOwner CurrentResourceOwner = NULL;
static bool in_recovery = false;

bool
RecoveryInProgress(void)
{
	return in_recovery;
}

bool
TransactionStartedDuringRecovery(void)
{
	return false;
}

void
RegisterResourceReleaseCallback(ResourceReleaseCallback callback, void *arg)
{
}

bool
pg_strong_random(void *buf, size_t len)
{
	static ElacRng rng = {{1, 2, 3, 4}};

	for (size_t i = 0; i < len; i++)
		((uint8 *) buf)[i] = (uint8) elac_rng_u64(&rng);
	return true;
}

static FormData_pg_class index_class = {.relname = {"docs_idx"}};
static RelationData index_data = {.rd_rel = &index_class};
static Relation index_relation = &index_data;

/* ---- a store ---- */

typedef struct Object
{
	char	   *key;
	uint8	   *data;
	uint64		len;
} Object;

static Object objects[16];
static int	nobjects = 0;
static int	waves = 0;
static int	ranges_got = 0;
static uint64 bytes_got = 0;
static uint64 largest_wave = 0;
static ElacStore *store = (ElacStore *) objects;

static Object *
find_object(const char *key)
{
	for (int i = 0; i < nobjects; i++)
		if (strcmp(objects[i].key, key) == 0)
			return &objects[i];
	return NULL;
}

void
elac_store_put(ElacStore *to, const char *key, const uint8 *data, uint64 len, bool if_absent)
{
	CHECK(to == store && if_absent && find_object(key) == NULL && nobjects < 16);
	objects[nobjects].key = strdup(key);
	objects[nobjects].data = malloc(len);
	memcpy(objects[nobjects].data, data, len);
	objects[nobjects++].len = len;
}

void
elac_store_get(ElacStore *from, ElacObjectRange *ranges, int nranges)
{
	uint64		bytes = 0;

	CHECK(from == store && nranges > 0);
	waves++;
	ranges_got += nranges;
	for (int i = 0; i < nranges; i++)
	{
		Object	   *object = find_object(ranges[i].key);

		if (object == NULL)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FILE), errmsg("object \"%s\" does not exist", ranges[i].key)));
		if (ranges[i].offset + ranges[i].len > object->len)
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("object \"%s\" is too short", ranges[i].key)));
		memcpy(ranges[i].dst, object->data + ranges[i].offset, ranges[i].len);
		bytes += ranges[i].len;
	}
	bytes_got += bytes;
	largest_wave = Max(largest_wave, bytes);
}

int64
elac_store_size(ElacStore *from, const char *key)
{
	Object	   *object = find_object(key);

	return object == NULL ? -1 : (int64) object->len;
}

const char *
elac_store_name(ElacStore *of)
{
	return "cold";
}

static void
count_from_zero(void)
{
	waves = 0;
	ranges_got = 0;
	bytes_got = 0;
	largest_wave = 0;
}

/* ---- data ---- */

static uint8 *
random_bytes(uint64 len, uint64 seed)
{
	uint8	   *bytes = malloc(len + 8);
	ElacRng		rng;

	elac_rng_seed(&rng, seed);
	for (uint64 i = 0; i < len; i += 8)
		elac_put_u64(bytes + i, elac_rng_u64(&rng));
	return bytes;
}

static ElacBlobRef
put_blob(const uint8 *bytes, uint64 len)
{
	ElacBlobWriter *writer = elac_blob_create(index_relation, 7, store, "1-1/idx");
	ElacBlobRef ref;

	for (uint64 at = 0; at < len;)
	{
		uint64		n = Min(len - at, (at % 5000) + 1);

		elac_blob_write(writer, bytes + at, n);
		at += n;
		CHECK_EQ(elac_blob_tell(writer), at);
	}
	elac_blob_finish(writer, &ref);
	return ref;
}

static const uint64 sizes[] = {0, 1, 31, ELAC_PAGE_DATA - 1, ELAC_PAGE_DATA, ELAC_PAGE_DATA + 1,
	4 * ELAC_PAGE_DATA, 4 * ELAC_PAGE_DATA + 1, 1024 * 1024};

/* Reads everything, random ranges and random pins; checks the end. */
static void
check_reader(ElacBlobReader *reader, const uint8 *bytes, uint64 len)
{
	uint8	   *copy = malloc(len + 1);
	ElacRng		rng;

	CHECK_EQ(elac_blob_nbytes(reader), len);
	CHECK_QUIET(elac_blob_read(reader, 0, copy, len));
	CHECK(memcmp(copy, bytes, len) == 0);
	elac_rng_seed(&rng, len);
	for (int i = 0; i < 200 && len > 0; i++)
	{
		uint64		offset = elac_rng_below(&rng, len);
		uint32		n = (uint32) elac_rng_below(&rng, Min(len - offset, 20000) + 1);
		ElacBlobPin pin;
		const uint8 *data;

		CHECK_QUIET(elac_blob_read(reader, offset, copy, n));
		CHECK(memcmp(copy, bytes + offset, n) == 0);
		data = elac_blob_pin(reader, offset, n, &pin);
		CHECK(memcmp(data, bytes + offset, n) == 0);
		elac_blob_unpin(reader, &pin);
		CHECK(pin.copy == NULL && pin.slot == NULL);
	}
	CHECK_QUIET(elac_blob_read(reader, len, copy, 0));
	CHECK_RAISES(elac_blob_read(reader, len, copy, 1), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_blob_read(reader, len + 1, copy, 0), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_blob_read(reader, UINT64_MAX, copy, 2), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_blob_read(reader, 0, copy, UINT64_MAX), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_blob_prefetch(reader, 1, len), ERRCODE_INDEX_CORRUPTED);
	free(copy);
}

/* ---- MEMORY ---- */

static void
test_memory(void)
{
	for (int i = 0; i < lengthof(sizes); i++)
	{
		uint8	   *bytes = random_bytes(sizes[i], i);
		ElacBlobWriter *writer = elac_blob_create_memory();
		ElacBlobRef ref;
		ElacBlobReader *reader;
		uint64		len;
		const uint8 *written;

		elac_blob_write(writer, bytes, sizes[i] / 3);
		elac_blob_write(writer, bytes + sizes[i] / 3, sizes[i] - sizes[i] / 3);
		elac_blob_finish(writer, &ref);
		CHECK_EQ(ref.home, ELAC_HOME_MEMORY);
		CHECK_EQ(ref.nbytes, sizes[i]);
		written = elac_blob_memory(writer, &len);
		CHECK_EQ(len, sizes[i]);
		reader = elac_blob_open_memory(written, len, "memory");
		CHECK(strcmp(elac_blob_name(reader), "memory") == 0);
		check_reader(reader, bytes, sizes[i]);
		elac_blob_wait(&reader, 1);
		elac_blob_close(reader);
		free(bytes);
	}
}

static void
test_align(void)
{
	ElacBlobWriter *writer = elac_blob_create_memory();
	uint64		len;
	const uint8 *bytes;

	elac_blob_align(writer, 32);
	CHECK_EQ(elac_blob_tell(writer), 0);
	elac_blob_write(writer, "abc", 3);
	elac_blob_align(writer, 1);
	CHECK_EQ(elac_blob_tell(writer), 3);
	elac_blob_align(writer, 32);
	CHECK_EQ(elac_blob_tell(writer), 32);
	elac_blob_write(writer, "d", 1);
	elac_blob_align(writer, ELAC_PAGE_DATA);
	CHECK_EQ(elac_blob_tell(writer), ELAC_PAGE_DATA);
	elac_blob_finish(writer, NULL);
	bytes = elac_blob_memory(writer, &len);
	CHECK_EQ(len, ELAC_PAGE_DATA);
	for (uint64 i = 3; i < len; i++)
		if (i != 32)
			CHECK_EQ(bytes[i], 0);
}

static void
test_sections(void)
{
	uint8	   *bytes = random_bytes(1000, 3);
	uint8		copy[1000];
	ElacSection section;

	section.head = elac_blob_open_memory(bytes, 1000, "sections");
	section.head_offset = 100;
	section.head_len = 50;
	section.body = section.head;
	section.body_offset = 900;
	section.body_len = 101;
	elac_section_read_head(&section, 10, copy, 40);
	CHECK(memcmp(copy, bytes + 110, 40) == 0);
	CHECK_RAISES(elac_section_read_head(&section, 10, copy, 41), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_section_read_head(&section, 51, copy, 0), ERRCODE_INDEX_CORRUPTED);
	CHECK_RAISES(elac_section_read_head(&section, UINT64_MAX, copy, 2), ERRCODE_INDEX_CORRUPTED);
	elac_section_read_body(&section, 0, copy, 100);
	CHECK(memcmp(copy, bytes + 900, 100) == 0);
	CHECK_RAISES(elac_section_read_body(&section, 0, copy, 101), ERRCODE_INDEX_CORRUPTED);
	section.body_offset = UINT64_MAX - 5;
	CHECK_RAISES(elac_section_read_body(&section, 10, copy, 10), ERRCODE_INDEX_CORRUPTED);
	elac_blob_close(section.head);
	free(bytes);
}

/* ---- REMOTE ---- */

static void
test_remote_sizes(void)
{
	for (int i = 0; i < lengthof(sizes); i++)
	{
		uint8	   *bytes = random_bytes(sizes[i], 100 + i);
		ElacBlobRef ref = put_blob(bytes, sizes[i]);
		ElacBlobReader *reader;
		uint32		nblocks;
		ElacBlobWriter *copy = elac_blob_create_memory();
		uint64		len;

		CHECK_EQ(ref.home, ELAC_HOME_REMOTE);
		CHECK_EQ(ref.id, 7);
		CHECK_EQ(ref.nbytes, sizes[i]);
		CHECK_EQ(ref.npages, (sizes[i] + ELAC_PAGE_DATA - 1) / ELAC_PAGE_DATA);
		CHECK_EQ(ref.map, InvalidBlockNumber);
		if (sizes[i] > 0)
			CHECK_EQ(elac_store_size(store, elac_blob_key("1-1/idx", &ref)), ref.npages * ELAC_FRAME_SIZE);
		reader = elac_blob_open(index_relation, &ref, store, "1-1/idx");
		CHECK(strcmp(elac_blob_name(reader), "docs_idx") == 0);
		check_reader(reader, bytes, sizes[i]);
		elac_blob_copy(reader, copy);
		elac_blob_finish(copy, NULL);
		CHECK(memcmp(elac_blob_memory(copy, &len), bytes, sizes[i]) == 0);
		CHECK_EQ(len, sizes[i]);
		elac_blob_close(reader);
		CHECK_QUIET(elac_blob_verify(index_relation, &ref, store, "1-1/idx"));
		elac_blob_blocks(index_relation, &ref, &nblocks);
		CHECK_EQ(nblocks, 0);
	}
	nobjects = 0;
}

/* Declared pages of several readers come in one wave, gaps included. */
static void
test_waves(void)
{
	uint64		len = 400 * ELAC_PAGE_DATA;
	uint8	   *bytes = random_bytes(len, 5);
	ElacBlobRef ref = put_blob(bytes, len);
	ElacBlobRef other = put_blob(bytes, len);
	ElacBlobReader *readers[3];
	uint8		copy[64];

	elac_guc_session_cache_kb = 64 * 1024;
	elac_cache_clear();
	readers[0] = elac_blob_open(index_relation, &ref, store, "1-1/idx");
	readers[1] = elac_blob_open(index_relation, &other, store, "1-1/idx");
	readers[2] = elac_blob_open_memory(bytes, len, "memory");
	count_from_zero();
	elac_blob_wait(readers, 3);
	CHECK_EQ(waves, 0);

	/* Pages 0-9 and 15 (gap of 5), 100 (far), 3-4 again; and one page elsewhere. */
	elac_blob_prefetch(readers[0], 100 * ELAC_PAGE_DATA + 5, 10);
	elac_blob_prefetch(readers[0], 0, 10 * ELAC_PAGE_DATA);
	elac_blob_prefetch(readers[0], 15 * ELAC_PAGE_DATA, 1);
	elac_blob_prefetch(readers[0], 3 * ELAC_PAGE_DATA, 2 * ELAC_PAGE_DATA);
	elac_blob_prefetch(readers[1], len - 1, 1);
	elac_blob_prefetch(readers[2], 0, len);
	elac_blob_wait(readers, 3);
	CHECK_EQ(waves, 1);
	CHECK_EQ(ranges_got, 3);
	CHECK_EQ(bytes_got, (16 + 1 + 1) * ELAC_FRAME_SIZE);

	/* All of it is near now, the gap too. */
	for (int page = 0; page < 16; page++)
	{
		elac_blob_read(readers[0], page * ELAC_PAGE_DATA + 100, copy, 64);
		CHECK(memcmp(copy, bytes + page * ELAC_PAGE_DATA + 100, 64) == 0);
	}
	elac_blob_read(readers[0], 100 * ELAC_PAGE_DATA, copy, 64);
	elac_blob_read(readers[1], len - 64, copy, 64);
	CHECK(memcmp(copy, bytes + len - 64, 64) == 0);
	CHECK_EQ(waves, 1);
	elac_blob_prefetch(readers[0], 0, 16 * ELAC_PAGE_DATA);
	elac_blob_wait(readers, 3);
	CHECK_EQ(waves, 1);

	/* Reading what is declared without waiting is a wave as well. */
	elac_cache_clear();
	count_from_zero();
	elac_blob_prefetch(readers[0], 300 * ELAC_PAGE_DATA, 3 * ELAC_PAGE_DATA);
	elac_blob_prefetch(readers[0], 350 * ELAC_PAGE_DATA, ELAC_PAGE_DATA);
	elac_blob_read(readers[0], 301 * ELAC_PAGE_DATA, copy, 64);
	elac_blob_read(readers[0], 350 * ELAC_PAGE_DATA, copy, 64);
	CHECK(memcmp(copy, bytes + 350 * ELAC_PAGE_DATA, 64) == 0);
	CHECK_EQ(waves, 1);
	CHECK_EQ(bytes_got, 4 * ELAC_FRAME_SIZE);

	/* An undeclared read costs one wave, with readahead; reading on reads further ahead. */
	count_from_zero();
	elac_blob_read(readers[0], 200 * ELAC_PAGE_DATA, copy, 64);
	CHECK_EQ(waves, 1);
	CHECK_EQ(bytes_got, 9 * ELAC_FRAME_SIZE);
	for (int page = 201; page < 209; page++)
		elac_blob_read(readers[0], page * ELAC_PAGE_DATA, copy, 64);
	CHECK_EQ(waves, 1);
	elac_blob_read(readers[0], 209 * ELAC_PAGE_DATA, copy, 64);
	CHECK_EQ(waves, 2);
	CHECK_EQ(bytes_got, (9 + 17) * ELAC_FRAME_SIZE);

	/* Readahead ends with the blob. */
	elac_blob_read(readers[0], len - 10, copy, 10);
	CHECK_EQ(bytes_got, (9 + 17 + 1) * ELAC_FRAME_SIZE);
	for (int i = 0; i < 3; i++)
		elac_blob_close(readers[i]);
	free(bytes);
	nobjects = 0;
}

/* A wave larger than the cache stays for its reader until it is read. */
static void
test_small_cache(void)
{
	uint64		len = 3000 * (uint64) ELAC_PAGE_DATA;
	uint8	   *bytes = random_bytes(len, 6);
	ElacBlobRef ref = put_blob(bytes, len);
	uint8	   *copy = malloc(len);
	ElacBlobReader *reader;
	ElacCacheCounters counters;

	elac_guc_session_cache_kb = 1024;
	elac_cache_clear();
	reader = elac_blob_open(index_relation, &ref, store, "1-1/idx");
	count_from_zero();
	elac_blob_prefetch(reader, 0, 1000 * ELAC_PAGE_DATA);
	elac_blob_wait(&reader, 1);
	CHECK_EQ(waves, 1);
	for (int page = 0; page < 1000; page++)
		elac_blob_read(reader, page * ELAC_PAGE_DATA, copy, ELAC_PAGE_DATA);
	CHECK_EQ(waves, 1);
	elac_cache_counters(&counters);
	CHECK(counters.pages >= 1000);

	/* The next wave lets it go. */
	elac_blob_prefetch(reader, 2000 * ELAC_PAGE_DATA, 1);
	elac_blob_wait(&reader, 1);
	elac_blob_prefetch(reader, 2999 * ELAC_PAGE_DATA, 1);
	elac_blob_wait(&reader, 1);
	elac_cache_counters(&counters);
	CHECK(counters.bytes_used <= counters.bytes_limit);

	/* One undeclared read of everything: each page travels about once. */
	count_from_zero();
	elac_blob_read(reader, 0, copy, len);
	CHECK(memcmp(copy, bytes, len) == 0);
	CHECK(waves <= 4);
	CHECK(bytes_got < len + len / 4);
	elac_blob_close(reader);
	elac_cache_clear();
	free(copy);
	free(bytes);
	nobjects = 0;
}

/* More than a slice goes out in slices. */
static void
test_slices(void)
{
	uint64		len = 9000 * (uint64) ELAC_PAGE_DATA;
	uint8	   *bytes = random_bytes(len, 6);
	ElacBlobRef ref = put_blob(bytes, len);
	ElacBlobReader *reader = elac_blob_open(index_relation, &ref, store, "1-1/idx");
	uint8	   *copy = malloc(len);

	count_from_zero();
	elac_blob_prefetch(reader, 0, len);
	elac_blob_wait(&reader, 1);
	CHECK_EQ(waves, 2);
	CHECK(largest_wave <= 64 * 1024 * 1024);
	CHECK_EQ(bytes_got, 9000 * (uint64) ELAC_FRAME_SIZE);
	elac_blob_read(reader, 0, copy, len);
	CHECK(memcmp(copy, bytes, len) == 0);
	CHECK_EQ(waves, 2);
	elac_blob_close(reader);
	elac_cache_clear();
	free(copy);
	free(bytes);
	nobjects = 0;
}

/* Each flipped byte of an object is an error that names it, and is not cached. */
static void
test_damage(void)
{
	uint64		len = 20 * ELAC_PAGE_DATA + 100;
	uint8	   *bytes = random_bytes(len, 8);
	ElacBlobRef ref = put_blob(bytes, len);
	Object	   *object = &objects[0];
	ElacBlobReader *reader = elac_blob_open(index_relation, &ref, store, "1-1/idx");
	uint8		copy[10];

	for (uint64 at = 0; at < object->len; at += 997)
	{
		uint64		page = at / ELAC_FRAME_SIZE;

		elac_cache_clear();
		object->data[at] ^= 0x10;
		CHECK_RAISES(elac_blob_read(reader, page * ELAC_PAGE_DATA, copy, 10), ERRCODE_DATA_CORRUPTED);
		CHECK(strstr(pgshim_error.message, object->key) != NULL);
		CHECK(strstr(pgshim_error.message, "cold") != NULL);
		CHECK(strstr(pgshim_error.detail, psprintf("Page %d of 21 of index \"docs_idx\"", (int) page)) != NULL);
		CHECK(!elac_cache_contains(ref.object, (uint32) page));
		CHECK_RAISES(elac_blob_verify(index_relation, &ref, store, "1-1/idx"), ERRCODE_DATA_CORRUPTED);

		/* Damage between two wanted pages counts as well. */
		elac_cache_clear();
		elac_blob_prefetch(reader, Max(page, 1) * ELAC_PAGE_DATA - 1, 1);
		elac_blob_prefetch(reader, Min(page + 1, 20) * ELAC_PAGE_DATA, 1);
		CHECK_RAISES(elac_blob_wait(&reader, 1), ERRCODE_DATA_CORRUPTED);
		object->data[at] ^= 0x10;
		reader->waited.used = reader->ahead.used = 0;
		reader->ndeclared = 0;
	}

	/* Frames in the wrong place, a short object, another blob's bytes, none at all. */
	elac_cache_clear();
	memcpy(object->data, object->data + ELAC_FRAME_SIZE, ELAC_FRAME_SIZE);
	CHECK_RAISES(elac_blob_read(reader, 0, copy, 1), ERRCODE_DATA_CORRUPTED);
	object->len -= 1;
	CHECK_RAISES(elac_blob_read(reader, len - 1, copy, 1), ERRCODE_DATA_CORRUPTED);
	CHECK_RAISES(elac_blob_verify(index_relation, &ref, store, "1-1/idx"), ERRCODE_DATA_CORRUPTED);
	put_blob(bytes, len);
	object->data = objects[1].data;
	object->len = objects[1].len;
	CHECK_RAISES(elac_blob_read(reader, 0, copy, 1), ERRCODE_DATA_CORRUPTED);
	object->key = strdup("elsewhere");
	CHECK_RAISES(elac_blob_read(reader, 0, copy, 1), ERRCODE_UNDEFINED_FILE);
	CHECK_RAISES(elac_blob_verify(index_relation, &ref, store, "1-1/idx"), ERRCODE_UNDEFINED_FILE);
	in_recovery = true;
	CHECK_RAISES(elac_blob_read(reader, 0, copy, 1), ERRCODE_T_R_SERIALIZATION_FAILURE);
	in_recovery = false;
	free(bytes);
	nobjects = 0;
}

static void
test_bad_refs(void)
{
	uint8	   *bytes = random_bytes(10000, 8);
	ElacBlobRef good = put_blob(bytes, 10000);
	ElacBlobRef ref;

	ref = good;
	ref.npages++;
	CHECK_RAISES(elac_blob_open(index_relation, &ref, store, "k"), ERRCODE_INDEX_CORRUPTED);
	ref = good;
	ref.nbytes = UINT64_MAX;
	CHECK_RAISES(elac_blob_open(index_relation, &ref, store, "k"), ERRCODE_INDEX_CORRUPTED);
	ref = good;
	ref.home = 9;
	CHECK_RAISES(elac_blob_open(index_relation, &ref, store, "k"), ERRCODE_INDEX_CORRUPTED);
	ref = good;
	ref.home = ELAC_HOME_LOCAL;
	CHECK_RAISES(elac_blob_open(index_relation, &ref, store, "k"), ERRCODE_INDEX_CORRUPTED);
	ref.nbytes = ref.npages = 0;
	CHECK_QUIET(elac_blob_open(index_relation, &ref, NULL, NULL));
	CHECK_RAISES(elac_blob_open(index_relation, &good, NULL, NULL), ERRCODE_INTERNAL_ERROR);
	CHECK_RAISES(elac_blob_create(index_relation, 0, store, "k"), ERRCODE_INTERNAL_ERROR);
	nobjects = 0;
	free(bytes);
}

int
main(void)
{
	pgshim_init();
	elac_cache_init();
	test_memory();
	test_align();
	test_sections();
	test_remote_sizes();
	test_waves();
	test_small_cache();
	test_slices();
	test_damage();
	test_bad_refs();
	return check_done();
}
