/*
 * target_index.c
 *	  Opens the index that a function was called for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "api/target_index.h"
#include "compat.h"

static void
target_check_right(Oid index, const char *name, ElacIndexRight right)
{
	Oid			table;

	if (right == ELAC_RIGHT_NONE)
		return;
	if (right == ELAC_RIGHT_MAINTAIN)
	{
		if (!elac_class_ownercheck(index, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, name);
		return;
	}
	table = IndexGetRelation(index, false);
	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
}

List *
elac_target_indexes(Oid index, ElacIndexRight right)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Form_pg_class form;
	char	   *name;
	char		kind;
	Oid			am;
	List	   *leaves = NIL;
	ListCell   *cell;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u does not exist", index)));
	form = (Form_pg_class) GETSTRUCT(tuple);
	name = pstrdup(NameStr(form->relname));
	kind = form->relkind;
	am = form->relam;
	ReleaseSysCache(tuple);

	if ((kind != RELKIND_INDEX && kind != RELKIND_PARTITIONED_INDEX) || am != get_index_am_oid("elacsym", true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an elacsym index", name)));
	target_check_right(index, name, right);
	if (kind == RELKIND_INDEX)
		return list_make1_oid(index);
	foreach(cell, find_all_inheritors(index, NoLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_INDEX)
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	}
	return leaves;
}

void
elac_target_open(Oid index_oid, LOCKMODE lockmode, Relation *heap, Relation *index)
{
	Oid			heap_oid = IndexGetRelation(index_oid, true);

	/* either may be dropped while we wait for its lock */
	*heap = OidIsValid(heap_oid) ? try_table_open(heap_oid, AccessShareLock) : NULL;
	if (*heap != NULL)
		LockRelationOid(index_oid, lockmode);
	if (*heap == NULL || !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index_oid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u does not exist", index_oid)));
	*index = index_open(index_oid, NoLock);
	if (RELATION_IS_OTHER_TEMP(*index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary indexes of other sessions")));
	if (!(*index)->rd_index->indisready)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not ready", RelationGetRelationName(*index)),
				 errhint("Wait for CREATE INDEX CONCURRENTLY to finish, or drop what a failed one left behind.")));
}

void
elac_target_close(Relation heap, Relation index)
{
	index_close(index, NoLock);
	table_close(heap, NoLock);
}
