/*
 * distance_support.c
 *	  Planner support of the distance functions: what a call costs.
 *
 * Without it a sequential scan that sorts by distance looks as cheap as one
 * that compares integers, and a WHERE clause may compute distances before it
 * asks cheaper questions.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"

#include "elacsym.h"
#include "query/distance_cost.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_vector_distance_support);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_halfvec_distance_support);

static Node *
distance_support(Node *request, int component_bytes)
{
	SupportRequestCost *cost = (SupportRequestCost *) request;
	List	   *args = NIL;
	ListCell   *cell;

	if (!IsA(request, SupportRequestCost) || cost->node == NULL)
		return NULL;
	if (IsA(cost->node, OpExpr))
		args = ((OpExpr *) cost->node)->args;
	else if (IsA(cost->node, FuncExpr))
		args = ((FuncExpr *) cost->node)->args;
	if (args == NIL)
		return NULL;
	/* the dearest argument: the others are the query, read once and cached by then */
	cost->startup = 0;
	cost->per_tuple = 0;
	foreach(cell, args)
		cost->per_tuple = Max(cost->per_tuple, elac_distance_cost(cost->root, lfirst(cell), 0, component_bytes));
	return request;
}

Datum
elac_vector_distance_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(distance_support((Node *) PG_GETARG_POINTER(0), sizeof(float)));
}

Datum
elac_halfvec_distance_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(distance_support((Node *) PG_GETARG_POINTER(0), sizeof(uint16)));
}
