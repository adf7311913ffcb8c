/*
 * adopt.c
 *	  Decides, when extension elacsym is created or updated, whose vector types
 *	  it works with: those of extension "vector" when that is installed, its
 *	  own otherwise.
 *
 * Called by the extension script alone.  It works on the catalogs by OID and
 * extension membership, never by way of a search_path, so nothing that a user
 * may have put into some schema can be taken for pgvector's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "nodes/value.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(elac_types_adopt);

#define ADOPT_MIN_MAJOR 0
#define ADOPT_MIN_MINOR 7

static const char *const adopted_types[] = {"vector", "halfvec"};
static const char *const adopted_operators[] = {"<->", "<#>", "<=>", "<+>"};

/* What pg_extension says of one extension. */
typedef struct ExtensionRow
{
	Oid			oid;
	Oid			schema;
	char	   *version;
} ExtensionRow;

static ExtensionRow
extension_read(Oid extension)
{
	ExtensionRow row = {extension, InvalidOid, NULL};
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(catalog, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion,
										   RelationGetDescr(catalog), &isnull);

		row.schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
		row.version = isnull ? pstrdup("") : TextDatumGetCString(version);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (row.version == NULL)
		elog(ERROR, "extension with OID %u does not exist", extension);
	return row;
}

static bool
version_suffices(const char *version)
{
	int			major;
	int			minor;

	if (sscanf(version, "%d.%d", &major, &minor) != 2)
		return false;
	return major > ADOPT_MIN_MAJOR || (major == ADOPT_MIN_MAJOR && minor >= ADOPT_MIN_MINOR);
}

static void
check_member(const ExtensionRow *vector, Oid class, Oid object, const char *kind, const char *name)
{
	if (!OidIsValid(object) || getExtensionOfObject(class, object) != vector->oid)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot use the vector types of extension \"vector\""),
				 errdetail("Version %s of the extension has no %s \"%s\" in its schema.",
						   vector->version, kind, name)));
}

/* What the name means to the rest of the script must be pgvector's object. */
static void
check_unshadowed(Oid found, Oid wanted, const char *kind, const char *name)
{
	if (found != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("%s \"%s\" hides that of extension \"vector\"", kind, name),
				 errhint("Create extension \"elacsym\" in another schema, or drop the object.")));
}

static void
check_type(const ExtensionRow *vector, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name), ObjectIdGetDatum(vector->schema));

	check_member(vector, TypeRelationId, type, "type", name);
	check_unshadowed(TypenameGetTypid(name), type, "type", name);

	for (int i = 0; i < (int) lengthof(adopted_operators); i++)
	{
		const char *sign = adopted_operators[i];
		Oid			operator = GetSysCacheOid4(OPERNAMENSP, Anum_pg_operator_oid,
											   CStringGetDatum(sign), ObjectIdGetDatum(type),
											   ObjectIdGetDatum(type), ObjectIdGetDatum(vector->schema));
		char		label[NAMEDATALEN * 2];

		snprintf(label, sizeof(label), "%s (%s, %s)", sign, name, name);
		check_member(vector, OperatorRelationId, operator, "operator", label);
		check_unshadowed(OpernameGetOprid(list_make1(makeString(pstrdup(sign))), type, type),
						 operator, "operator", label);
	}
}

/* Did elacsym bring its own types when it was created? */
static bool
has_own_types(const ExtensionRow *own)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(adopted_types[0]), ObjectIdGetDatum(own->schema));

	return OidIsValid(type) && getExtensionOfObject(TypeRelationId, type) == own->oid;
}

/*
 * For the rest of the extension script: new objects go into elacsym's schema,
 * and names that are not there are looked up in pgvector's.
 */
static void
set_script_path(Oid own_schema, Oid vector_schema)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, quote_identifier(get_namespace_name(own_schema)));
	if (vector_schema != own_schema)
		appendStringInfo(&path, ", %s", quote_identifier(get_namespace_name(vector_schema)));
	appendStringInfoString(&path, ", pg_temp");
	(void) set_config_option("search_path", path.data, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * elacsym_adopt_vector() returns boolean
 *
 * True when extension "vector" is installed: its types are checked, the rest
 * of the script finds them by their bare names, and pg_depend holds a
 * dependency of elacsym on it (which pg_dump and DROP EXTENSION heed).  ALTER
 * EXTENSION UPDATE deletes that row, so each update script calls this again.
 * Types once created stay: with types of its own, elacsym leaves an extension
 * "vector" that was installed later alone.
 */
Datum
elac_types_adopt(PG_FUNCTION_ARGS)
{
	Oid			vector_oid;
	ExtensionRow own;
	ExtensionRow vector;
	ObjectAddress depender;
	ObjectAddress referenced;

	if (!creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("elacsym_adopt_vector() can only be called by an extension script")));

	own = extension_read(CurrentExtensionObject);
	vector_oid = get_extension_oid("vector", true);
	if (!OidIsValid(vector_oid) || has_own_types(&own))
		PG_RETURN_BOOL(false);

	/* DROP EXTENSION waits for this, or has been faster: then the row is gone */
	LockDatabaseObject(ExtensionRelationId, vector_oid, 0, AccessShareLock);
	vector = extension_read(vector_oid);
	if (!version_suffices(vector.version))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot use version %s of extension \"vector\"", vector.version),
				 errdetail("Version %d.%d or later is needed.", ADOPT_MIN_MAJOR, ADOPT_MIN_MINOR),
				 errhint("Run ALTER EXTENSION vector UPDATE, or drop the extension: elacsym brings vector types of its own.")));

	set_script_path(own.schema, vector.schema);
	for (int i = 0; i < (int) lengthof(adopted_types); i++)
		check_type(&vector, adopted_types[i]);

	ObjectAddressSet(depender, ExtensionRelationId, CurrentExtensionObject);
	ObjectAddressSet(referenced, ExtensionRelationId, vector_oid);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_NORMAL);
	CommandCounterIncrement();
	PG_RETURN_BOOL(true);
}
