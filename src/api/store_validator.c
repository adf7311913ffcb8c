/*
 * store_validator.c
 *	  SQL functions of stores: the validator of the foreign data wrapper
 *	  elacsym_store, and elacsym_store_check().
 *
 * elacsym_store_check() tries what elacsym needs of a store, one row for each
 * thing, each in a subtransaction of its own: an error becomes the row's
 * detail.  It uses the current user's mapping and writes only below
 * "elacsym-check/".
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "storage/object.h"

#define ELAC_CHECK_BYTES 100000
#define ELAC_CHECK_ROUNDS 3

PG_FUNCTION_INFO_V1(elacsym_store_validator);
PG_FUNCTION_INFO_V1(elacsym_store_check);

Datum
elacsym_store_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));

	elac_store_validate(options, PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

typedef struct ElacStoreCheck
{
	Oid			server;
	ElacStore  *store;
	char	   *prefix;			/* "elacsym-check/<random>/" */
	char	   *key;
	uint8	   *data;			/* ELAC_CHECK_BYTES */
} ElacStoreCheck;

/*
 * One thing that is tried.  Returns whether it holds; detail is what to say
 * about it.  May raise.
 */
typedef bool (*ElacStoreCheckFunction) (ElacStoreCheck *check, char **detail);

static bool
elac_check_reachable(ElacStoreCheck *check, char **detail)
{
	check->store = elac_store_connect(check->server, GetUserId());
	(void) elac_store_size(check->store, check->key);
	*detail = "answers requests with these credentials";
	return true;
}

static bool
elac_check_write(ElacStoreCheck *check, char **detail)
{
	elac_store_put(check->store, check->key, check->data, ELAC_CHECK_BYTES, true);
	*detail = psprintf("wrote %d bytes", ELAC_CHECK_BYTES);
	return true;
}

/* Reads in two ranges that do not begin at 0, in one wave. */
static bool
elac_check_read(ElacStoreCheck *check, char **detail)
{
	uint8	   *copy = palloc(ELAC_CHECK_BYTES);
	uint64		half = ELAC_CHECK_BYTES / 2;
	ElacObjectRange ranges[2] = {
		{.key = check->key,.offset = 1,.len = half,.dst = copy + 1},
		{.key = check->key,.offset = 1 + half,.len = half - 1,.dst = copy + 1 + half}
	};
	bool		equal;

	copy[0] = check->data[0];
	elac_store_get(check->store, ranges, 2);
	equal = memcmp(copy, check->data, ELAC_CHECK_BYTES) == 0 &&
		elac_store_size(check->store, check->key) == ELAC_CHECK_BYTES;
	*detail = equal ? "read the same bytes in ranges" : "read other bytes than were written";
	return equal;
}

static bool
elac_check_conditional(ElacStoreCheck *check, char **detail)
{
	bool		written = elac_store_create(check->store, check->key, check->data, 1);

	*detail = written ? "overwrote an object that was to be written only if absent" :
		"an existing object is not overwritten";
	return !written;
}

static bool
elac_check_list(ElacStoreCheck *check, char **detail)
{
	List	   *keys = elac_store_list(check->store, check->prefix);
	bool		found = list_length(keys) == 1 && strcmp(linitial(keys), check->key) == 0;

	*detail = found ? "lists what was written" :
		psprintf("expected 1 object, listed %d", list_length(keys));
	return found;
}

static bool
elac_check_remove(ElacStoreCheck *check, char **detail)
{
	bool		gone;

	elac_store_remove(check->store, check->key);
	gone = elac_store_size(check->store, check->key) < 0;
	*detail = gone ? "removed" : "the object is still there after it was deleted";
	return gone;
}

static bool
elac_check_round_trip(ElacStoreCheck *check, char **detail)
{
	double		best_ms = 0;

	for (int i = 0; i < ELAC_CHECK_ROUNDS; i++)
	{
		instr_time	start;
		instr_time	end;

		INSTR_TIME_SET_CURRENT(start);
		(void) elac_store_size(check->store, check->key);
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, start);
		if (i == 0 || INSTR_TIME_GET_MILLISEC(end) < best_ms)
			best_ms = INSTR_TIME_GET_MILLISEC(end);
	}
	*detail = psprintf("%.2f ms", best_ms);
	return true;
}

static const struct
{
	const char *name;
	ElacStoreCheckFunction function;
}			elac_store_checks[] = {
	{"reachable", elac_check_reachable},	/* first: the others need it */
	{"write", elac_check_write},
	{"read back", elac_check_read},
	{"conditional write", elac_check_conditional},
	{"list", elac_check_list},
	{"delete", elac_check_remove},
	{"round trip", elac_check_round_trip}
};

/* The error being handled as one line; cancellation is not ours to catch. */
static char *
elac_check_error(MemoryContext context)
{
	ErrorData  *error;
	char	   *detail;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		PG_RE_THROW();
	FlushErrorState();
	detail = psprintf("%s%s%s%s%s", error->message,
					  error->detail ? " DETAIL: " : "", error->detail ? error->detail : "",
					  error->hint ? " HINT: " : "", error->hint ? error->hint : "");
	FreeErrorData(error);
	return detail;
}

/* Runs one check in a subtransaction that an error rolls back. */
static bool
elac_check_run(ElacStoreCheckFunction function, ElacStoreCheck *check, char **detail)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool ok = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		ok = function(check, detail);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		*detail = elac_check_error(context);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return ok;
}

static void
elac_check_prepare(ElacStoreCheck *check)
{
	uint64		random[2];

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	check->prefix = psprintf("elacsym-check/%016llx/", (unsigned long long) random[0]);
	check->key = psprintf("%sobject", check->prefix);
	check->data = palloc(ELAC_CHECK_BYTES);
	for (int i = 0; i < ELAC_CHECK_BYTES; i++)
	{
		random[1] = random[1] * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
		check->data[i] = (uint8) (random[1] >> 56);
	}
}

Datum
elacsym_store_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ForeignServer *server = GetForeignServerByName(NameStr(*PG_GETARG_NAME(0)), false);
	ElacStoreCheck check = {.server = server->serverid};

	InitMaterializedSRF(fcinfo, 0);
	/* What is wrong with the server or the rights to it is no row, but an error. */
	elac_store_check_access(server->serverid, GetUserId());
	elac_check_prepare(&check);
	for (int i = 0; i < lengthof(elac_store_checks); i++)
	{
		char	   *detail = "";
		bool		ok = elac_check_run(elac_store_checks[i].function, &check, &detail);
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		values[0] = CStringGetTextDatum(elac_store_checks[i].name);
		values[1] = BoolGetDatum(ok);
		values[2] = CStringGetTextDatum(detail);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		if (i == 0 && !ok)
			break;				/* the others would wait as long for as little */
	}
	return (Datum) 0;
}
