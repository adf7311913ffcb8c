/*
 * validate.c
 *	  Checks an operator class when CREATE OPERATOR CLASS or amvalidate() asks.
 */
#include "postgres.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "am/am.h"

static bool
validate_procs(CatCList *procs, const char *family)
{
	bool		result = true;

	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc form = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);
		bool		ok;

		switch (form->amprocnum)
		{
			case 1:
				ok = check_amproc_signature(form->amproc, INTERNALOID, false, 1, 1, INTERNALOID);
				break;
			case 2:
				ok = check_amoptsproc_signature(form->amproc);
				break;
			default:
				ok = false;
		}
		if (!ok)
		{
			ereport(INFO,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("operator family \"%s\" of access method %s contains function %s with wrong signature or number %d",
							family, "elacsym", format_procedure(form->amproc), form->amprocnum)));
			result = false;
		}
	}
	return result;
}

static bool
validate_operators(CatCList *operators, const char *family)
{
	bool		result = true;

	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);
		Oid			wanted = form->amoppurpose == AMOP_ORDER ? FLOAT8OID : BOOLOID;

		if (form->amopstrategy < 1 || get_op_rettype(form->amopopr) != wanted)
		{
			ereport(INFO,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("operator family \"%s\" of access method %s contains invalid operator %s",
							family, "elacsym", format_operator(form->amopopr))));
			result = false;
		}
	}
	return result;
}

bool
elacvalidate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Oid			family;
	char	   *name;
	CatCList   *operators;
	CatCList   *procs;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	family = ((Form_pg_opclass) GETSTRUCT(tuple))->opcfamily;
	ReleaseSysCache(tuple);

	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	name = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);

	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	procs = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
	result = validate_operators(operators, name);
	result = validate_procs(procs, name) && result;
	ReleaseCatCacheList(procs);
	ReleaseCatCacheList(operators);
	return result;
}
