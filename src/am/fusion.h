/*
 * fusion.h
 *	  What planning (fusion_path.c) and execution (fusion_scan.c) of the node
 *	  ElacsymFusion have in common.
 */
#ifndef ELAC_FUSION_H
#define ELAC_FUSION_H

#include "elacsym.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

#define ELAC_FUSION_WINDOW_DEFAULT 100

/*
 * custom_private of the plan.  The plans below it (custom_plans) are those of
 * leg 1, one for each leaf table, then those of leg 2, and so on, at last
 * those of the rows that no leg ranks.  Each puts out the node's columns and
 * then the row's tableoid and ctid; a leg's, its value after them.
 */
typedef enum ElacFusionPrivate
{
	ELAC_FUSION_KIND,			/* Integer: ElacFusionKind */
	ELAC_FUSION_COLUMNS,		/* Integer: how many of the rows' columns come first in custom_scan_tlist */
	ELAC_FUSION_PLANS,			/* IntList: number of plans of each leg, and of the rest */
	ELAC_FUSION_VALUES,			/* IntList: ElacFuseValue of each leg */
	ELAC_FUSION_PASSING			/* List of Float: of each leg's plan, share of its rows that pass what is checked on them */
} ElacFusionPrivate;

/* custom_exprs of the plan; none of them has columns. */
typedef enum ElacFusionArgument
{
	ELAC_FUSION_WEIGHTS,
	ELAC_FUSION_CONSTANT,		/* k, or the normalization */
	ELAC_FUSION_WINDOW,
	ELAC_FUSION_LIMIT,			/* of the query, and its offset; NULL constants where they do not tell */
	ELAC_FUSION_OFFSET,
	ELAC_FUSION_ARGUMENTS
} ElacFusionArgument;

extern const CustomScanMethods elac_fusion_scan_methods;

#endif							/* ELAC_FUSION_H */
