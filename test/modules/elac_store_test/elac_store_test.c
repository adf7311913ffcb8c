/*
 * elac_store_test.c
 *	  SQL functions over storage/object.h, for test/t/03*_store_*.pl alone.
 *
 * Objects hold a sequence that depends on a seed and the position, so that
 * any range can be checked without keeping the object.  Functions act as the
 * current user, as an index's owner would.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "guc.h"
#include "storage/object.h"

PG_MODULE_MAGIC;

#define TEST_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

TEST_FUNCTION(store_uuid);
TEST_FUNCTION(store_put);
TEST_FUNCTION(store_check);
TEST_FUNCTION(store_size);
TEST_FUNCTION(store_remove);
TEST_FUNCTION(store_list);
TEST_FUNCTION(store_retries);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	elac_guc_init();
	elac_object_init();
}

static uint8
test_byte(uint64 position, int32 seed)
{
	uint64		x = (position / 8 + 1) * UINT64CONST(0x9E3779B97F4A7C15) + (uint64) seed * UINT64CONST(0xBF58476D1CE4E5B9);

	x = (x ^ (x >> 31)) * UINT64CONST(0x94D049BB133111EB);
	return (uint8) (x >> (8 * (position % 8)));
}

static ElacStore *
test_store(Datum name)
{
	char	   *server = TextDatumGetCString(name);

	return elac_store_connect(get_foreign_server_oid(server, false), GetUserId());
}

/* (server, create): the UUID in hexadecimal */
Datum
store_uuid(PG_FUNCTION_ARGS)
{
	char	   *server = TextDatumGetCString(PG_GETARG_DATUM(0));
	ElacStore  *store = elac_store_open(get_foreign_server_oid(server, false), GetUserId(), PG_GETARG_BOOL(1));
	char		hex[33];

	hex[hex_encode((const char *) elac_store_uuid(store), 16, hex)] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}

/* (server, key, bytes, seed, if_absent) */
Datum
store_put(PG_FUNCTION_ARGS)
{
	uint64		len = PG_GETARG_INT64(2);
	uint8	   *data = MemoryContextAllocHuge(CurrentMemoryContext, len + 1);

	for (uint64 i = 0; i < len; i++)
		data[i] = test_byte(i, PG_GETARG_INT32(3));
	elac_store_put(test_store(PG_GETARG_DATUM(0)), TextDatumGetCString(PG_GETARG_DATUM(1)), data, len, PG_GETARG_BOOL(4));
	PG_RETURN_VOID();
}

/* (server, keys, offsets, lengths, seed): reads all in one wave; are the bytes right? */
Datum
store_check(PG_FUNCTION_ARGS)
{
	Datum	   *keys;
	Datum	   *offsets;
	Datum	   *lens;
	int			n[3];
	ElacObjectRange *ranges;
	bool		equal = true;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &keys, NULL, &n[0]);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), INT8OID, 8, true, TYPALIGN_DOUBLE, &offsets, NULL, &n[1]);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), INT8OID, 8, true, TYPALIGN_DOUBLE, &lens, NULL, &n[2]);
	if (n[0] != n[1] || n[0] != n[2])
		elog(ERROR, "arrays of different lengths");
	ranges = palloc0(sizeof(ElacObjectRange) * (n[0] + 1));
	for (int i = 0; i < n[0]; i++)
	{
		ranges[i].key = TextDatumGetCString(keys[i]);
		ranges[i].offset = DatumGetInt64(offsets[i]);
		ranges[i].len = DatumGetInt64(lens[i]);
		ranges[i].dst = MemoryContextAllocHuge(CurrentMemoryContext, ranges[i].len + 1);
	}
	elac_store_get(test_store(PG_GETARG_DATUM(0)), ranges, n[0]);
	for (int i = 0; i < n[0]; i++)
		for (uint64 j = 0; j < ranges[i].len && equal; j++)
			equal = ranges[i].dst[j] == test_byte(ranges[i].offset + j, PG_GETARG_INT32(4));
	PG_RETURN_BOOL(equal);
}

/* (server, key) */
Datum
store_size(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(elac_store_size(test_store(PG_GETARG_DATUM(0)), TextDatumGetCString(PG_GETARG_DATUM(1))));
}

/* (server, key) */
Datum
store_remove(PG_FUNCTION_ARGS)
{
	elac_store_remove(test_store(PG_GETARG_DATUM(0)), TextDatumGetCString(PG_GETARG_DATUM(1)));
	PG_RETURN_VOID();
}

/* (server, prefix): text[] */
Datum
store_list(PG_FUNCTION_ARGS)
{
	List	   *keys = elac_store_list(test_store(PG_GETARG_DATUM(0)), TextDatumGetCString(PG_GETARG_DATUM(1)));
	Datum	   *values = palloc(sizeof(Datum) * (list_length(keys) + 1));
	ListCell   *lc;

	foreach(lc, keys)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	PG_RETURN_ARRAYTYPE_P(construct_array(values, list_length(keys), TEXTOID, -1, false, TYPALIGN_INT));
}

/* (): requests of this session that were repeated */
Datum
store_retries(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) elac_store_counters.retries);
}
