/*
 * predicate.c
 *	  The truth of a condition on one value, in SQL's three-valued logic.
 *
 * What it allocates (results and temporaries of the operator's function) is
 * in CurrentMemoryContext: whoever tests many values resets it.
 */
#include "postgres.h"

#include "attr/attr_internal.h"

ElacTruth
elac_predicate_call(ElacPredicate *predicate, Datum value, Datum arg)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &predicate->function, 2, predicate->collation, NULL, NULL);
	fcinfo->args[0].value = value;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = arg;
	fcinfo->args[1].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		return ELAC_UNKNOWN;
	return DatumGetBool(result) ? ELAC_TRUE : ELAC_FALSE;
}

/*
 * As the executor has it: a NULL array gives NULL before all else, an empty
 * one a truth of its own even for a NULL value.
 */
bool
elac_predicate_constant(const ElacPredicate *predicate, ElacTruth *truth)
{
	switch (predicate->kind)
	{
		case ELAC_PREDICATE_OPERATOR:
			*truth = ELAC_UNKNOWN;
			return predicate->arg_isnull;
		case ELAC_PREDICATE_ANY:
			*truth = predicate->arg_isnull ? ELAC_UNKNOWN : ELAC_FALSE;
			return predicate->arg_isnull || predicate->nelements <= 0;
		case ELAC_PREDICATE_ALL:
			*truth = predicate->arg_isnull ? ELAC_UNKNOWN : ELAC_TRUE;
			return predicate->arg_isnull || predicate->nelements <= 0;
		default:
			return false;
	}
}

/*
 * An empty array has a truth of its own even where the argument is NULL.  As
 * above, a deciding element decides, and without one a NULL makes it UNKNOWN.
 */
static ElacTruth
predicate_test_value(ElacPredicate *predicate, Datum value)
{
	ElacTruth	deciding = predicate->kind == ELAC_PREDICATE_ANY_ELEMENT ? ELAC_TRUE : ELAC_FALSE;
	ElacAttrElements elements;
	bool		unknown;

	elac_attr_array_elements(value, &predicate->element, &elements);
	unknown = elements.has_null || (predicate->arg_isnull && elements.n > 0);
	for (uint32 i = 0; i < elements.n && !predicate->arg_isnull; i++)
	{
		ElacTruth	truth = elac_predicate_call(predicate, predicate->arg, elements.values[i]);

		if (truth == deciding)
			return deciding;
		unknown |= truth == ELAC_UNKNOWN;
	}
	if (unknown)
		return ELAC_UNKNOWN;
	return deciding == ELAC_TRUE ? ELAC_FALSE : ELAC_TRUE;
}

/* ANY stops at the first TRUE, ALL at the first FALSE. */
static ElacTruth
predicate_test_elements(ElacPredicate *predicate, Datum value)
{
	ElacTruth	deciding = predicate->kind == ELAC_PREDICATE_ANY ? ELAC_TRUE : ELAC_FALSE;
	bool		unknown = false;

	for (int i = 0; i < predicate->nelements; i++)
	{
		ElacTruth	truth = ELAC_UNKNOWN;

		if (!predicate->element_nulls[i])
			truth = elac_predicate_call(predicate, value, predicate->elements[i]);
		if (truth == deciding)
			return deciding;
		if (truth == ELAC_UNKNOWN)
			unknown = true;
	}
	if (unknown)
		return ELAC_UNKNOWN;
	return deciding == ELAC_TRUE ? ELAC_FALSE : ELAC_TRUE;
}

ElacTruth
elac_predicate_test(ElacPredicate *predicate, Datum value, bool isnull)
{
	ElacTruth	truth;

	if (predicate->kind == ELAC_PREDICATE_IS_NULL)
		return isnull ? ELAC_TRUE : ELAC_FALSE;
	if (elac_predicate_constant(predicate, &truth))
		return truth;
	if (isnull)
		return ELAC_UNKNOWN;
	switch (predicate->kind)
	{
		case ELAC_PREDICATE_OPERATOR:
			return elac_predicate_call(predicate, value, predicate->arg);
		case ELAC_PREDICATE_ANY:
		case ELAC_PREDICATE_ALL:
			return predicate_test_elements(predicate, value);
		case ELAC_PREDICATE_ANY_ELEMENT:
		case ELAC_PREDICATE_ALL_ELEMENTS:
			return predicate_test_value(predicate, value);
		case ELAC_PREDICATE_IS_TRUE:
			return DatumGetBool(value) ? ELAC_TRUE : ELAC_FALSE;
		case ELAC_PREDICATE_IS_NULL:
			break;
	}
	elog(ERROR, "unknown predicate kind %d", (int) predicate->kind);
}
