/*
 * fusion_call.h
 *	  Calls of elacsym_rrf(), elacsym_linear() and elacsym_legs() in
 *	  expressions, for the planner's support function and for the node that
 *	  computes them.
 *
 * The support function marks a call that it has seen (types/fusion.c); only
 * marked calls are looked for, which costs other queries nothing.
 */
#ifndef ELAC_FUSION_CALL_H
#define ELAC_FUSION_CALL_H

#include "postgres.h"

#include "catalog/pg_collation.h"
#include "nodes/primnodes.h"

/* Input collation of a marked call: none that the parser gives to these functions. */
#define ELAC_FUSION_MARK C_COLLATION_OID

typedef enum ElacFusionKind
{
	ELAC_FUSION_NONE,
	ELAC_FUSION_RRF,			/* elacsym_rrf() */
	ELAC_FUSION_LINEAR,			/* elacsym_linear() */
	ELAC_FUSION_LEGS			/* elacsym_legs() */
} ElacFusionKind;

/* The arguments of a call, all of which may be constants that are NULL. */
typedef struct ElacFusionCall
{
	ElacFusionKind kind;		/* RRF or LINEAR */
	List	   *legs;
	Expr	   *weights;		/* float8[] */
	Expr	   *constant;		/* RRF: k, int4; LINEAR: normalization, text */
	Expr	   *window;			/* int4 */
} ElacFusionCall;

/* By the function's C symbol: which of ours it is. */
extern ElacFusionKind elac_fusion_kind(Oid function);

/*
 * Takes a call of kind RRF or LINEAR apart, when all its arguments are there.
 * False when the legs are an array that is not spelled out.
 */
extern bool elac_fusion_call_read(const FuncExpr *expr, ElacFusionKind kind, ElacFusionCall *call);

/* A leg that ranks no row: its distance is NULL whatever the row. */
extern bool elac_fusion_leg_is_empty(const Node *leg);

/* What a walk over expressions found. */
typedef struct ElacFusionFound
{
	FuncExpr   *fusion;			/* marked call of kind RRF or LINEAR; NULL: none */
	Node	   *fusion_node;	/* the same with the PlaceHolderVar around it, where there is one */
	Node	   *legs_node;		/* elacsym_legs() of it, likewise; NULL: none */
	bool		several;		/* calls that are not the same */
} ElacFusionFound;

/* Looks for marked calls in an expression or list; adds to *found, which begins as zeroes. */
extern void elac_fusion_find(Node *node, ElacFusionFound *found);

#endif							/* ELAC_FUSION_CALL_H */
