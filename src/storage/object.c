/*
 * object.c
 *	  Opens stores and passes requests to their drivers.
 *
 * Owns the registry of drivers, the per-process cache of opened stores, the
 * checks of privileges and keys, and the store's UUID.  Callers are inside a
 * transaction (catalogue lookups) and hold no lightweight lock: requests wait
 * for the network.  How bytes travel is the drivers' business (object_dir.c,
 * object_s3.c).
 *
 *	  no entry --elac_store_connect--> open --elac_store_invalidate--> stale
 *	                                    ^------elac_store_connect--------+
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "storage/object.h"
#include "storage/object_dir.h"
#include "storage/object_s3.h"

#define ELAC_MAX_DRIVERS 8
#define ELAC_UUID_KEY "elacsym-store"
#define ELAC_UUID_BYTES 16
#define ELAC_UUID_TEXT (ELAC_UUID_BYTES * 2)

typedef struct ElacStoreKey
{
	Oid			server;
	Oid			owner;
} ElacStoreKey;

struct ElacStore
{
	ElacStoreKey key;			/* hash key, must be first */
	bool		open;			/* state is there */
	bool		stale;			/* the catalogue changed since */
	bool		need_privilege; /* owner must be privileged at every open */
	bool		has_uuid;
	uint8		uuid[ELAC_UUID_BYTES];
	const char *name;
	const ElacStoreDriver *driver;
	void	   *state;
	MemoryContext context;		/* of name and state */
};

ElacStoreCounters elac_store_counters;

static const ElacStoreDriver *elac_store_drivers[ELAC_MAX_DRIVERS];
static int	elac_store_ndrivers = 0;
static HTAB *elac_store_cache = NULL;

void
elac_store_register(const ElacStoreDriver *driver)
{
	if (elac_store_ndrivers == ELAC_MAX_DRIVERS)
		elog(ERROR, "too many store drivers");
	elac_store_drivers[elac_store_ndrivers++] = driver;
}

const ElacStoreDriver *
elac_store_driver(const char *type)
{
	for (int i = 0; i < elac_store_ndrivers; i++)
		if (strcmp(elac_store_drivers[i]->type, type) == 0)
			return elac_store_drivers[i];
	return NULL;
}

void
elac_object_init(void)
{
	elac_store_register(&elac_object_dir_driver);
	elac_store_register(&elac_object_s3_driver);
}

/* ---- options ---- */

const char *
elac_store_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

void
elac_store_check_names(List *options, const char *const *names)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);
		bool		known = false;
		StringInfoData list;

		for (int i = 0; names[i] != NULL && !known; i++)
			known = strcmp(names[i], option->defname) == 0;
		if (known)
			continue;
		initStringInfo(&list);
		for (int i = 0; names[i] != NULL; i++)
			appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", names[i]);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", option->defname),
				 list.len > 0 ? errhint("Valid options here are: %s.", list.data) :
				 errhint("There are no valid options here.")));
	}
}

bool
elac_store_is_privileged(Oid role)
{
	return has_privs_of_role(role, ROLE_PG_WRITE_SERVER_FILES);
}

/* what begins the sentence: "type \"dir\"", "option \"ca_file\"". */
void
elac_store_require_privilege(bool privileged, const char *server_name, const char *what)
{
	if (privileged)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 server_name ? errmsg("permission denied for %s of server \"%s\"", what, server_name) :
			 errmsg("permission denied for %s of a store", what),
			 errdetail("Only superusers and members of pg_write_server_files may use files and environment of the database server.")));
}

static const ElacStoreDriver *
elac_store_driver_for(List *server_options)
{
	const char *type = elac_store_option(server_options, "type");
	const ElacStoreDriver *driver = type ? elac_store_driver(type) : NULL;
	StringInfoData list;

	if (driver != NULL)
		return driver;
	initStringInfo(&list);
	for (int i = 0; i < elac_store_ndrivers; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", elac_store_drivers[i]->type);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 type ? errmsg("invalid value for option \"type\": \"%s\"", type) :
			 errmsg("option \"type\" of the store is missing"),
			 errhint("Valid types are: %s.", list.data)));
}

void
elac_store_validate(List *options, Oid catalog)
{
	static const char *const none[] = {NULL};

	if (catalog == ForeignServerRelationId)
		elac_store_driver_for(options)->validate(options, catalog);
	else if (catalog == UserMappingRelationId)
		/* A mapping's options come without its server's: only s3 has any. */
		elac_object_s3_driver.validate(options, catalog);
	else
		elac_store_check_names(options, none);
}

/* ---- opening ---- */

static void
elac_store_invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS scan;
	ElacStore  *store;

	hash_seq_init(&scan, elac_store_cache);
	while ((store = hash_seq_search(&scan)) != NULL)
		store->stale = true;
}

static void
elac_store_cache_create(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(ElacStoreKey);
	ctl.entrysize = sizeof(ElacStore);
	ctl.hcxt = TopMemoryContext;
	elac_store_cache = hash_create("elacsym stores", 8, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, elac_store_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, elac_store_invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, elac_store_invalidate, (Datum) 0);
}

/* Options of the owner's user mapping, else of PUBLIC's, else NIL. */
static List *
elac_store_mapping_options(Oid server, Oid owner)
{
	HeapTuple	tuple;
	Datum		datum;
	bool		isnull;
	List	   *options = NIL;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(owner), ObjectIdGetDatum(server));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return options;
}

/* The server, which must be one of ours. */
static ForeignServer *
elac_store_server_of_ours(Oid server)
{
	ForeignServer *fs = GetForeignServerExtended(server, FSV_MISSING_OK);
	ForeignDataWrapper *fdw;
	char	   *validator;

	if (fs == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the foreign server of the store does not exist any more")));
	fdw = GetForeignDataWrapper(fs->fdwid);
	validator = OidIsValid(fdw->fdwvalidator) ? get_func_name(fdw->fdwvalidator) : NULL;
	if (validator == NULL || strcmp(validator, "elacsym_store_validator") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("foreign server \"%s\" is not an elacsym store", fs->servername),
				 errhint("Create it with FOREIGN DATA WRAPPER elacsym_store.")));
	return fs;
}

void
elac_store_check_server(Oid server)
{
	(void) elac_store_server_of_ours(server);
}

/* The server, which must be one of ours and usable by owner. */
static ForeignServer *
elac_store_server(Oid server, Oid owner)
{
	ForeignServer *fs = elac_store_server_of_ours(server);
	AclResult	acl;

	acl = ElacServerAclCheck(server, owner, ACL_USAGE);
	if (acl != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", fs->servername),
				 errdetail("Role \"%s\" needs the privilege USAGE.", GetUserNameFromId(owner, false))));
	return fs;
}

void
elac_store_check_access(Oid server, Oid owner)
{
	(void) elac_store_server(server, owner);
}

/* Opens the driver and puts it behind store; what was there is closed. */
static void
elac_store_renew(ElacStore *store, ForeignServer *fs)
{
	ElacStoreLogin login = {0};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "elacsym store", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	const ElacStoreDriver *driver = elac_store_driver_for(fs->options);
	char	   *name = pstrdup(fs->servername);
	void	   *state;

	login.server_name = name;
	login.server_options = fs->options;
	login.mapping_options = elac_store_mapping_options(fs->serverid, store->key.owner);
	login.privileged = elac_store_is_privileged(store->key.owner);
	login.files_vetted = login.privileged || elac_store_is_privileged(fs->owner);
	state = driver->open(&login);
	MemoryContextSwitchTo(caller);

	if (store->open)
	{
		store->driver->close(store->state);
		MemoryContextDelete(store->context);
	}
	MemoryContextSetParent(context, TopMemoryContext);
	store->context = context;
	store->name = name;
	store->driver = driver;
	store->state = state;
	store->need_privilege = login.used_privilege;
	store->has_uuid = false;
	store->open = true;
}

ElacStore *
elac_store_connect(Oid server, Oid owner)
{
	ForeignServer *fs = elac_store_server(server, owner);
	ElacStoreKey key = {.server = server,.owner = owner};
	ElacStore  *store;
	bool		found;

	if (elac_store_cache == NULL)
		elac_store_cache_create();
	store = hash_search(elac_store_cache, &key, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) store + sizeof(key), 0, sizeof(*store) - sizeof(key));
		store->stale = true;
	}
	if (store->open && store->need_privilege && !elac_store_is_privileged(owner))
		store->stale = true;	/* opening anew says what is missing */
	while (store->stale)
	{
		/* A change that arrives while we open makes it stale again. */
		store->stale = false;
		PG_TRY();
		{
			elac_store_renew(store, fs);
		}
		PG_CATCH();
		{
			store->stale = true;
			PG_RE_THROW();
		}
		PG_END_TRY();
		if (store->stale)
			fs = elac_store_server(server, owner);
	}
	return store;
}

/* Reads the store's UUID; false when it has none yet. */
static bool
elac_store_read_uuid(ElacStore *store)
{
	uint8		text[ELAC_UUID_TEXT];
	ElacObjectRange range = {.key = ELAC_UUID_KEY,.offset = 0,.len = ELAC_UUID_TEXT,.dst = text};
	int64		size = elac_store_size(store, ELAC_UUID_KEY);
	bool		valid = size == ELAC_UUID_TEXT;

	if (size < 0)
		return false;
	if (valid)
		elac_store_get(store, &range, 1);
	for (int i = 0; i < ELAC_UUID_TEXT && valid; i++)
		valid = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" is damaged", ELAC_UUID_KEY, store->name),
				 errdetail("It must consist of %d hexadecimal digits: the UUID of the store.", ELAC_UUID_TEXT)));
	hex_decode((const char *) text, ELAC_UUID_TEXT, (char *) store->uuid);
	store->has_uuid = true;
	return true;
}

ElacStore *
elac_store_open(Oid server, Oid owner, bool create)
{
	ElacStore  *store = elac_store_connect(server, owner);
	uint8		uuid[ELAC_UUID_BYTES];
	char		text[ELAC_UUID_TEXT];

	if (store->has_uuid || elac_store_read_uuid(store))
		return store;
	if (!create)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("server \"%s\" does not hold the object \"%s\"", store->name, ELAC_UUID_KEY),
				 errdetail("Every store that was written to holds it."),
				 errhint("Check that the options of the server name the same place as before.")));
	if (!pg_strong_random(uuid, sizeof(uuid)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	hex_encode((const char *) uuid, sizeof(uuid), text);

	/* Somebody else may create it meanwhile: what can be read afterwards counts. */
	(void) elac_store_create(store, ELAC_UUID_KEY, (const uint8 *) text, sizeof(text));
	if (!elac_store_read_uuid(store))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" vanished after it was written", ELAC_UUID_KEY, store->name)));
	return store;
}

const uint8 *
elac_store_uuid(ElacStore *store)
{
	if (!store->has_uuid && !elac_store_read_uuid(store))
		elog(ERROR, "store \"%s\" was opened without its UUID", store->name);
	return store->uuid;
}

const char *
elac_store_name(ElacStore *store)
{
	return store->name;
}

/* ---- requests ---- */

bool
elac_store_key_is_valid(const char *key, bool prefix)
{
	size_t		len = strlen(key);
	bool		valid = len <= ELAC_MAX_KEY && (prefix || (len > 0 && key[len - 1] != '/'));
	bool		at_start = true;

	for (size_t i = 0; i < len && valid; i++)
	{
		char		c = key[i];

		if (c == '/' || c == '.')
			valid = !at_start;
		else
			valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
		at_start = c == '/';
	}
	return valid;
}

static void
elac_store_check_key(const char *key, bool prefix)
{
	if (!elac_store_key_is_valid(key, prefix))
		elog(ERROR, "invalid object key \"%s\"", key);
}

bool
elac_store_create(ElacStore *store, const char *key, const uint8 *data, uint64 len)
{
	elac_store_check_key(key, false);
	elac_store_counters.puts++;
	elac_store_counters.put_bytes += len;
	return store->driver->put(store->state, key, data, len, true);
}

void
elac_store_put(ElacStore *store, const char *key, const uint8 *data, uint64 len, bool if_absent)
{
	bool		written;

	elac_store_check_key(key, false);
	elac_store_counters.puts++;
	elac_store_counters.put_bytes += len;
	written = store->driver->put(store->state, key, data, len, if_absent);
	if (!written)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_FILE),
				 errmsg("object \"%s\" of server \"%s\" already exists", key, store->name)));
}

void
elac_store_get(ElacStore *store, ElacObjectRange *ranges, int nranges)
{
	for (int i = 0; i < nranges; i++)
	{
		elac_store_check_key(ranges[i].key, false);
		if (ranges[i].len > PG_INT64_MAX - 1 || ranges[i].offset > PG_INT64_MAX - ranges[i].len)
			elog(ERROR, "range of object \"%s\" is out of bounds", ranges[i].key);
		elac_store_counters.gets++;
		elac_store_counters.get_bytes += ranges[i].len;
	}
	if (nranges <= 0)
		return;
	elac_store_counters.waves++;
	store->driver->get(store->state, ranges, nranges);
}

int64
elac_store_size(ElacStore *store, const char *key)
{
	elac_store_check_key(key, false);
	return store->driver->size(store->state, key);
}

void
elac_store_remove(ElacStore *store, const char *key)
{
	elac_store_check_key(key, false);
	store->driver->remove(store->state, key);
}

List *
elac_store_list(ElacStore *store, const char *prefix)
{
	elac_store_check_key(prefix, true);
	return store->driver->list(store->state, prefix);
}
