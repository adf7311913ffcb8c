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
#include "am/order.h"
#include "am/match_condition.h"

static bool
validate_procs(CatCList *procs, const char *family)
{
	bool		result = true;
	bool		traits = false;
	bool		options = false;

	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc form = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);
		bool		ok;

		switch (form->amprocnum)
		{
			case 1:
				ok = check_amproc_signature(form->amproc, INTERNALOID, false, 1, 1, INTERNALOID);
				traits = true;
				break;
			case 2:
				ok = check_amoptsproc_signature(form->amproc);
				options = true;
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
	if (options && !traits)
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator family \"%s\" of access method %s is missing support function %d", family, "elacsym", 1)));
		result = false;
	}
	return result;
}

/* Columns with traits are ordered by; of texts, conditions are @@ alone.  The others only have conditions. */
static bool
operator_fits(Form_pg_amop form, bool traits)
{
	if (form->amopstrategy < 1)
		return false;
	if (form->amoppurpose != AMOP_ORDER)
		return get_op_rettype(form->amopopr) == BOOLOID &&
			(!traits || (form->amopstrategy == ELAC_STRATEGY_MATCH &&
						 (form->amoprighttype == TSQUERYOID || form->amoprighttype == TEXTOID)));
	return traits && get_op_rettype(form->amopopr) == FLOAT8OID &&
		opfamily_can_sort_type(form->amopsortfamily, FLOAT8OID) &&
		(form->amopstrategy == ELAC_STRATEGY_DISTANCE || form->amopstrategy == ELAC_STRATEGY_FIELDS);
}

static bool
validate_operators(CatCList *operators, bool traits, Oid opcintype, const char *family)
{
	bool		result = true;
	bool		ordered = false;

	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (form->amoppurpose == AMOP_ORDER && form->amopstrategy == ELAC_STRATEGY_DISTANCE &&
			form->amoplefttype == opcintype)
			ordered = true;
		if (!operator_fits(form, traits))
		{
			ereport(INFO,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("operator family \"%s\" of access method %s contains invalid operator %s",
							family, "elacsym", format_operator(form->amopopr))));
			result = false;
		}
	}
	if (traits && !ordered)
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator family \"%s\" of access method %s is missing an ordering operator for type %s",
						family, "elacsym", format_type_be(opcintype))));
		result = false;
	}
	return result;
}

bool
elacvalidate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Oid			family;
	Oid			opcintype;
	char	   *name;
	CatCList   *operators;
	CatCList   *procs;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	family = ((Form_pg_opclass) GETSTRUCT(tuple))->opcfamily;
	opcintype = ((Form_pg_opclass) GETSTRUCT(tuple))->opcintype;
	ReleaseSysCache(tuple);

	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	name = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);

	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	procs = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
	result = validate_operators(operators, OidIsValid(get_opfamily_proc(family, opcintype, opcintype, 1)), opcintype, name);
	result = validate_procs(procs, name) && result;
	ReleaseCatCacheList(procs);
	ReleaseCatCacheList(operators);
	return result;
}
