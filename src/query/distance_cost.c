/*
 * distance_cost.c
 *	  What reading a vector and computing one distance costs, for the planner.
 *
 * Most of it is neither arithmetic nor anything the planner knows of: a vector
 * of more than 2 kB lies in chunks in the TOAST table, and putting it together
 * takes longer than a hundred distances.  Whether a column's values do, its
 * average width tells, which counts the pointer and not what it points to.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "elacsym.h"
#include "query/distance_cost.h"

/* Nanoseconds, measured (am/README.md). */
#define CALL_NS 60.0
#define COMPONENT_BYTE_NS 0.2
#define TOAST_NS 2000.0			/* look up a value, put it together */
#define TOAST_CHUNK_NS 800.0

#define UNKNOWN_DIM 256
/* A row of this many bytes has its vector TOASTed when nothing is known of the row. */
#define UNKNOWN_TOAST_BYTES (TOAST_TUPLE_THRESHOLD - 60)

/* Average bytes of a column in its rows, from ANALYZE; 0 when unknown or no column. */
static int32
distance_stored_width(PlannerInfo *root, Node *vector)
{
	Var		   *var = (Var *) vector;
	RangeTblEntry *rte;

	if (!IsA(vector, Var) || root == NULL || var->varlevelsup != 0 || var->varattno <= 0 ||
		IS_SPECIAL_VARNO(var->varno))
		return 0;
	rte = planner_rt_fetch(var->varno, root);
	return rte->rtekind == RTE_RELATION ? get_attavgwidth(rte->relid, var->varattno) : 0;
}

Cost
elac_distance_cost(PlannerInfo *root, Node *vector, int dim, int component_bytes)
{
	int32		stored;
	double		bytes;
	double		ns;

	vector = strip_implicit_coercions(vector);
	stored = distance_stored_width(root, vector);
	if (dim <= 0)
		dim = exprTypmod(vector);
	if (dim > 0)
		bytes = offsetof(ElacVector, x) + (double) dim * component_bytes;
	else if (stored > TOAST_POINTER_SIZE)
		bytes = stored;
	else
		bytes = offsetof(ElacVector, x) + UNKNOWN_DIM * (double) component_bytes;

	ns = CALL_NS + bytes * COMPONENT_BYTE_NS;
	if (IsA(vector, Var) && (stored > 0 ? stored < bytes / 2 : bytes > UNKNOWN_TOAST_BYTES))
		ns += TOAST_NS + TOAST_CHUNK_NS * ceil(bytes / TOAST_MAX_CHUNK_SIZE);
	return ELAC_COST_NS(ns);
}
