/*
 * distance_cost.h
 *	  What reading a vector and computing one distance costs, for the planner.
 */
#ifndef ELAC_DISTANCE_COST_H
#define ELAC_DISTANCE_COST_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "optimizer/cost.h"

/*
 * Nanoseconds as costs.  With default settings the planner charges one
 * cpu_operator_cost for what took this long on the machine where the times of
 * cost.c and distance_cost.c were measured: the mean over sequential scans of
 * narrow rows, which it charges too little, and wide ones, which it charges
 * too much (am/README.md).
 */
#define ELAC_OPERATOR_NS 3.75
#define ELAC_COST_NS(ns) ((ns) / ELAC_OPERATOR_NS * cpu_operator_cost)

/*
 * The distance to one value of vector, an expression over relations of root:
 * dim components (0: by its type or by what ANALYZE found) of component_bytes.
 */
extern Cost elac_distance_cost(PlannerInfo *root, Node *vector, int dim, int component_bytes);

#endif							/* ELAC_DISTANCE_COST_H */
