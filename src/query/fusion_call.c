/*
 * fusion_call.c
 *	  Calls of elacsym_rrf(), elacsym_linear() and elacsym_legs() in
 *	  expressions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "query/fusion_call.h"

ElacFusionKind
elac_fusion_kind(Oid function)
{
	static const struct
	{
		const char *symbol;
		ElacFusionKind kind;
	}			functions[] =
	{
		{"elac_fusion_rrf", ELAC_FUSION_RRF},
		{"elac_fusion_rrf_array", ELAC_FUSION_RRF},
		{"elac_fusion_linear", ELAC_FUSION_LINEAR},
		{"elac_fusion_linear_array", ELAC_FUSION_LINEAR},
		{"elac_fusion_legs", ELAC_FUSION_LEGS}
	};
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	ElacFusionKind kind = ELAC_FUSION_NONE;

	if (!HeapTupleIsValid(tuple))
		return ELAC_FUSION_NONE;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		bool		isnull;
		Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		char	   *symbol = isnull ? pstrdup("") : TextDatumGetCString(source);

		for (int i = 0; i < lengthof(functions); i++)
			if (strcmp(symbol, functions[i].symbol) == 0)
				kind = functions[i].kind;
		pfree(symbol);
	}
	ReleaseSysCache(tuple);
	return kind;
}

/* The elements of a constant array when all are NULL, as constants. */
static bool
call_read_empty_array(const Const *array, List **legs)
{
	int			n;

	if (array->constisnull || array->consttype != FLOAT8ARRAYOID)
		return array->constisnull;
	n = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(array->constvalue)), ARR_DIMS(DatumGetArrayTypeP(array->constvalue)));
	for (int i = 1; i <= n; i++)
	{
		bool		isnull;

		(void) array_get_element(array->constvalue, 1, &i, -1, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &isnull);
		if (!isnull)
			return false;
		*legs = lappend(*legs, makeNullConst(FLOAT8OID, -1, InvalidOid));
	}
	return true;
}

bool
elac_fusion_call_read(const FuncExpr *expr, ElacFusionKind kind, ElacFusionCall *call)
{
	Node	   *first = linitial(expr->args);
	List	   *rest;

	memset(call, 0, sizeof(ElacFusionCall));
	call->kind = kind;
	if (exprType(first) != FLOAT8ARRAYOID)
	{
		if (list_length(expr->args) != 5)
			return false;
		call->legs = list_make2(first, lsecond(expr->args));
		rest = list_copy_tail(expr->args, 2);
	}
	else
	{
		if (list_length(expr->args) != 4)
			return false;
		if (IsA(first, ArrayExpr) && !((ArrayExpr *) first)->multidims)
			call->legs = list_copy(((ArrayExpr *) first)->elements);
		else if (!IsA(first, Const) || !call_read_empty_array((Const *) first, &call->legs))
			return false;
		rest = list_copy_tail(expr->args, 1);
	}
	call->weights = linitial(rest);
	call->constant = lsecond(rest);
	call->window = lthird(rest);
	return true;
}

bool
elac_fusion_leg_is_empty(const Node *leg)
{
	return IsA(leg, Const) && ((const Const *) leg)->constisnull;
}

/* The marked call that node is, perhaps in a PlaceHolderVar; NULL when it is none. */
static FuncExpr *
find_call(Node *node, ElacFusionKind *kind)
{
	FuncExpr   *call = (FuncExpr *) node;

	if (IsA(node, PlaceHolderVar))
		call = (FuncExpr *) ((PlaceHolderVar *) node)->phexpr;
	if (call == NULL || !IsA(call, FuncExpr) || call->inputcollid != ELAC_FUSION_MARK)
		return NULL;
	*kind = elac_fusion_kind(call->funcid);
	return *kind == ELAC_FUSION_NONE ? NULL : call;
}

/*
 * Of two PlaceHolderVars equal() compares the numbers: copies of one call stay
 * the same even when each got parameters of its own for its subqueries.
 */
static bool
find_walker(Node *node, void *arg)
{
	ElacFusionFound *found = (ElacFusionFound *) arg;
	ElacFusionKind kind;
	FuncExpr   *call;
	Node	  **place;

	if (node == NULL)
		return false;
	call = find_call(node, &kind);
	if (call == NULL)
		return expression_tree_walker(node, find_walker, arg);
	place = kind == ELAC_FUSION_LEGS ? &found->legs_node : &found->fusion_node;
	if (*place != NULL && !equal(*place, node))
		found->several = true;
	if (*place == NULL)
		*place = node;
	if (kind == ELAC_FUSION_LEGS)
		return find_walker(linitial(call->args), arg);
	if (found->fusion == NULL)
		found->fusion = call;
	return false;
}

void
elac_fusion_find(Node *node, ElacFusionFound *found)
{
	(void) find_walker(node, found);
}
