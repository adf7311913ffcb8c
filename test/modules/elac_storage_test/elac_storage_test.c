/*
 * elac_storage_test.c
 *	  SQL functions over the storage layer, for test/t/020_storage.pl alone.
 *
 * Brings an index access method, elac_pages, whose indexes have a metapage and
 * nothing else: the functions put blobs and chains into them.  Blob refs and
 * chain descriptors travel as bytea.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "base/rng.h"
#include "storage/blob.h"
#include "storage/chain.h"
#include "storage/freepages.h"
#include "storage/metapage.h"
#include "storage/pagelog.h"

PG_MODULE_MAGIC;

#define TEST_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

TEST_FUNCTION(test_handler);
TEST_FUNCTION(test_metapage);
TEST_FUNCTION(test_blob_write);
TEST_FUNCTION(test_blob_check);
TEST_FUNCTION(test_blob_verify);
TEST_FUNCTION(test_blob_blocks);
TEST_FUNCTION(test_blob_free);
TEST_FUNCTION(test_chain_append);
TEST_FUNCTION(test_chain_check);
TEST_FUNCTION(test_chain_blocks);
TEST_FUNCTION(test_chain_free);
TEST_FUNCTION(test_flip);
TEST_FUNCTION(test_get_page);
TEST_FUNCTION(test_put_page);
TEST_FUNCTION(test_churn);

/* ---- the access method ---- */

static void
test_schema(ElacSchema *schema)
{
	memset(schema, 0, sizeof(*schema));
	schema->ncolumns = 3;
	schema->vector_column = 1;
	schema->ntext = 1;
	schema->nattr = 1;
	schema->columns[0].kind = ELAC_COLUMN_TEXT;
	schema->columns[0].k1 = 1.2f;
	schema->columns[0].b = 0.75f;
	schema->columns[0].weight = 1;
	strcpy(schema->columns[0].config, "english");
	schema->columns[1].kind = ELAC_COLUMN_VECTOR;
	schema->columns[1].metric = ELAC_METRIC_COSINE;
	schema->columns[1].element = ELAC_ELEMENT_HALF;
	schema->columns[1].bits = 4;
	schema->columns[1].rerank = ELAC_RERANK_HEAP;
	schema->columns[1].dim = 384;
	schema->columns[2].kind = ELAC_COLUMN_ATTR;
}

static IndexBuildResult *
test_ambuild(Relation heap, Relation index, struct IndexInfo *info)
{
	ElacSchema	schema;

	test_schema(&schema);
	elac_metapage_create(index, MAIN_FORKNUM, &schema);
	return palloc0(sizeof(IndexBuildResult));
}

static void
test_ambuildempty(Relation index)
{
	ElacSchema	schema;

	test_schema(&schema);
	elac_metapage_create(index, INIT_FORKNUM, &schema);
}

static bytea *
test_amoptions(Datum reloptions, bool validate)
{
	return NULL;
}

static bool
test_amvalidate(Oid opclass)
{
	return true;
}

static void
test_amcostestimate(struct PlannerInfo *root, struct IndexPath *path, double loop_count, Cost *startup, Cost *total,
					Selectivity *selectivity, double *correlation, double *pages)
{
	*startup = *total = 1e10;
	*selectivity = 1;
	*correlation = 0;
	*pages = 1;
}

Datum
test_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->amkeytype = InvalidOid;
	am->ambuild = test_ambuild;
	am->ambuildempty = test_ambuildempty;
	am->amcostestimate = test_amcostestimate;
	am->amoptions = test_amoptions;
	am->amvalidate = test_amvalidate;
	PG_RETURN_POINTER(am);
}

/* ---- arguments ---- */

static Relation
test_open(FunctionCallInfo fcinfo)
{
	return relation_open(PG_GETARG_OID(0), RecoveryInProgress() ? AccessShareLock : RowExclusiveLock);
}

static bytea *
test_bytea(const void *data, Size len)
{
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), data, len);
	return result;
}

static void
test_from_bytea(bytea *from, void *to, Size len)
{
	if (VARSIZE_ANY_EXHDR(from) < len)
		elog(ERROR, "argument is too short");
	memcpy(to, VARDATA_ANY(from), len);
}

static ArrayType *
test_blocks_array(const BlockNumber *blocks, uint32 n)
{
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));

	for (uint32 i = 0; i < n; i++)
		values[i] = Int64GetDatum((int64) blocks[i]);
	return construct_array(values, (int) n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Byte number `at` of the data that a seed stands for. */
static void
test_fill(uint8 *dst, uint64 at, Size len, uint64 seed)
{
	for (Size i = 0; i < len; i++)
	{
		uint64		x = (at + i) / 8 * UINT64CONST(0x9E3779B97F4A7C15) + seed;

		x ^= x >> 29;
		x *= UINT64CONST(0xBF58476D1CE4E5B9);
		dst[i] = (uint8) (x >> (8 * ((at + i) % 8)));
	}
}

/* ---- metapage ---- */

Datum
test_metapage(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	const ElacMetapage *meta = elac_metapage_get(index);
	char	   *text;

	text = psprintf("%d columns, %d dimensions, %s, seed " UINT64_FORMAT, meta->schema.ncolumns,
					meta->schema.columns[1].dim, meta->schema.columns[0].config, meta->rotation_seed);
	elac_metapage_verify(index);
	relation_close(index, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

/* ---- blobs ---- */

static void
test_write(Relation index, uint64 id, uint64 nbytes, uint64 seed, ElacBlobRef *ref)
{
	ElacBlobWriter *writer = elac_blob_create(index, id, NULL, NULL);
	Size		piece = 100000;
	uint8	   *data = palloc(piece);

	for (uint64 at = 0; at < nbytes; at += piece)
	{
		Size		n = Min(piece, nbytes - at);

		test_fill(data, at, n, seed);
		elac_blob_write(writer, data, n);
	}
	elac_blob_finish(writer, ref);
	pfree(data);
}

/* Reads everything, and pins every page; false when a byte differs. */
static bool
test_compare(Relation index, const ElacBlobRef *ref, uint64 seed)
{
	ElacBlobReader *reader = elac_blob_open(index, ref, NULL, NULL);
	Size		piece = 100000;
	uint8	   *data = palloc(piece);
	uint8	   *wanted = palloc(piece);
	bool		same = true;

	elac_blob_prefetch(reader, 0, ref->nbytes);
	elac_blob_wait(&reader, 1);
	for (uint64 at = 0; at < ref->nbytes; at += piece)
	{
		Size		n = Min(piece, ref->nbytes - at);

		elac_blob_read(reader, at, data, n);
		test_fill(wanted, at, n, seed);
		same = same && memcmp(data, wanted, n) == 0;
	}
	for (uint64 at = 0; at < ref->nbytes; at += ELAC_PAGE_DATA)
	{
		Size		n = Min(ELAC_PAGE_DATA, ref->nbytes - at);
		ElacBlobPin pin;
		const uint8 *got = elac_blob_pin(reader, at, (uint32) n, &pin);

		test_fill(wanted, at, n, seed);
		same = same && memcmp(got, wanted, n) == 0;
		elac_blob_unpin(reader, &pin);
	}
	elac_blob_close(reader);
	pfree(data);
	pfree(wanted);
	return same;
}

Datum
test_blob_write(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	ElacBlobRef ref;

	test_write(index, PG_GETARG_INT64(1), PG_GETARG_INT64(2), PG_GETARG_INT64(3), &ref);
	relation_close(index, NoLock);
	PG_RETURN_BYTEA_P(test_bytea(&ref, sizeof(ref)));
}

Datum
test_blob_check(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	ElacBlobRef ref;
	bool		same;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &ref, sizeof(ref));
	same = test_compare(index, &ref, PG_GETARG_INT64(2));
	relation_close(index, NoLock);
	PG_RETURN_BOOL(same);
}

Datum
test_blob_verify(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	ElacBlobRef ref;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &ref, sizeof(ref));
	elac_blob_verify(index, &ref, NULL, NULL);
	relation_close(index, NoLock);
	PG_RETURN_BOOL(true);
}

Datum
test_blob_blocks(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	BlockNumber *blocks;
	uint32		n;
	ElacBlobRef ref;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &ref, sizeof(ref));
	blocks = elac_blob_blocks(index, &ref, &n);
	relation_close(index, NoLock);
	PG_RETURN_ARRAYTYPE_P(test_blocks_array(blocks, n));
}

/* Frees the first `limit` blocks of a blob (NULL: all); returns how many it found. */
Datum
test_blob_free(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	BlockNumber *blocks;
	uint32		n;
	ElacBlobRef ref;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &ref, sizeof(ref));
	blocks = elac_blob_retired(index, ref.id, ref.map, &n);
	elac_freespace_release(index, blocks, PG_ARGISNULL(2) ? n : Min(n, (uint32) PG_GETARG_INT32(2)), ref.id);
	elac_freespace_vacuum(index);
	relation_close(index, NoLock);
	PG_RETURN_INT32((int32) n);
}

/* Writes, checks and frees blobs of changing sizes: for concurrent sessions. */
Datum
test_churn(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	uint64		id = PG_GETARG_INT64(1);
	bool		good = true;

	for (int round = 0; round < PG_GETARG_INT32(2); round++)
	{
		BlockNumber *blocks;
		uint32		n;
		ElacBlobRef ref;

		CHECK_FOR_INTERRUPTS();
		test_write(index, id, (round * 7919) % 200000, id, &ref);
		good = good && test_compare(index, &ref, id);
		elac_blob_verify(index, &ref, NULL, NULL);
		blocks = elac_blob_blocks(index, &ref, &n);
		elac_freespace_release(index, blocks, n, id);
		elac_freespace_vacuum(index);
		id++;
	}
	relation_close(index, NoLock);
	PG_RETURN_BOOL(good);
}

/* ---- chains ---- */

typedef struct TestAppended
{
	ElacChain	chain;
	ElacChainPos pos;
} TestAppended;

/* (index, chain or '\x' with an id, id, len, seed): chain and position, as bytea. */
Datum
test_chain_append(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	bytea	   *from = PG_GETARG_BYTEA_PP(1);
	Size		len = PG_GETARG_INT64(3);
	uint8	   *data = palloc_extended(len + 1, MCXT_ALLOC_HUGE);
	TestAppended result;

	if (VARSIZE_ANY_EXHDR(from) > 0)
		test_from_bytea(from, &result.chain, sizeof(result.chain));
	else
	{
		memset(&result, 0, sizeof(result));
		result.chain.id = PG_GETARG_INT64(2);
		result.chain.head = result.chain.tail = InvalidBlockNumber;
	}
	test_fill(data, 0, len, PG_GETARG_INT64(4));
	result.pos = elac_chain_append(index, &result.chain, data, len);
	relation_close(index, NoLock);
	PG_RETURN_BYTEA_P(test_bytea(&result, sizeof(result)));
}

/*
 * (index, chain, lens int8[], position bytea): reads records of these lengths,
 * seeds 1, 2, ..., from the position (NULL: the head, then the end must come).
 * Returns how many were right.
 */
Datum
test_chain_check(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	ArrayType  *lens = PG_GETARG_ARRAYTYPE_P(2);
	int64	   *len = (int64 *) ARR_DATA_PTR(lens);
	int			n = ArrayGetNItems(ARR_NDIM(lens), ARR_DIMS(lens));
	int			first = PG_GETARG_INT32(4);
	ElacChainReader *reader;
	TestAppended from;
	ElacChain	chain;
	int			right = 0;
	uint8		byte;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &chain, sizeof(chain));
	reader = elac_chain_open(index, &chain);
	if (!PG_ARGISNULL(3))
	{
		test_from_bytea(PG_GETARG_BYTEA_PP(3), &from, sizeof(from));
		elac_chain_seek(reader, from.pos);
	}
	for (int i = 0; i < n; i++)
	{
		uint8	   *data = palloc_extended(len[i] * 2 + 2, MCXT_ALLOC_HUGE);
		uint8	   *wanted = data + len[i];
		ElacChainPos pos = elac_chain_tell(reader);

		test_fill(wanted, 0, len[i], first + i);
		if (!elac_chain_read(reader, data, len[i]) || memcmp(data, wanted, len[i]) != 0)
			break;

		/* Again, from where it began, in two pieces. */
		elac_chain_seek(reader, pos);
		if (!elac_chain_read(reader, data, len[i] / 3) ||
			!elac_chain_read(reader, data + len[i] / 3, len[i] - len[i] / 3) ||
			memcmp(data, wanted, len[i]) != 0)
			break;
		right++;
		pfree(data);
	}
	if (right == n && PG_ARGISNULL(3) && elac_chain_read(reader, &byte, 1))
		elog(ERROR, "the chain does not end where it should");
	elac_chain_close(reader);
	relation_close(index, NoLock);
	PG_RETURN_INT32(right);
}

Datum
test_chain_blocks(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	BlockNumber *blocks;
	uint32		n;
	ElacChain	chain;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &chain, sizeof(chain));
	blocks = elac_chain_blocks(index, &chain, &n);
	relation_close(index, NoLock);
	PG_RETURN_ARRAYTYPE_P(test_blocks_array(blocks, n));
}

Datum
test_chain_free(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	BlockNumber *blocks;
	uint32		n;
	ElacChain	chain;

	test_from_bytea(PG_GETARG_BYTEA_PP(1), &chain, sizeof(chain));
	blocks = elac_chain_retired(index, chain.id, chain.head, &n);
	elac_freespace_release(index, blocks, PG_ARGISNULL(2) ? n : Min(n, (uint32) PG_GETARG_INT32(2)), chain.id);
	elac_freespace_vacuum(index);
	relation_close(index, NoLock);
	PG_RETURN_INT32((int32) n);
}

/* ---- damage ---- */

/* XORs a byte of a page in shared buffers: seen by everybody, never written. */
Datum
test_flip(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	Buffer		buffer = ReadBuffer(index, (BlockNumber) PG_GETARG_INT64(1));

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	((uint8 *) BufferGetPage(buffer))[PG_GETARG_INT32(2) % BLCKSZ] ^= (uint8) PG_GETARG_INT32(3);
	UnlockReleaseBuffer(buffer);
	CacheInvalidateRelcache(index);
	relation_close(index, NoLock);
	PG_RETURN_VOID();
}

/* The first bytes of a page's payload. */
Datum
test_get_page(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	Buffer		buffer = ReadBuffer(index, (BlockNumber) PG_GETARG_INT64(1));
	bytea	   *bytes;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	bytes = test_bytea(ElacPageGetData(BufferGetPage(buffer)), Min((Size) PG_GETARG_INT32(2), ELAC_PAGE_DATA));
	UnlockReleaseBuffer(buffer);
	relation_close(index, NoLock);
	PG_RETURN_BYTEA_P(bytes);
}

/* Overwrites payload bytes of a page, with a good checksum: (index, block, offset, bytea). */
Datum
test_put_page(PG_FUNCTION_ARGS)
{
	Relation	index = test_open(fcinfo);
	Buffer		buffer = ReadBuffer(index, (BlockNumber) PG_GETARG_INT64(1));
	bytea	   *bytes = PG_GETARG_BYTEA_PP(3);
	ElacPageLog log;
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	elac_pagelog_begin(&log, index);
	page = elac_pagelog_page(&log, buffer, false);
	memcpy(ElacPageGetData(page) + PG_GETARG_INT32(2), VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);
	relation_close(index, NoLock);
	PG_RETURN_VOID();
}
