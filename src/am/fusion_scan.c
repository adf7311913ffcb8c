/*
 * fusion_scan.c
 *	  Execution of ElacsymFusion: ranked lists of rows in, one list out.
 *
 * At the first call each leg is read as deep as its window, its rows are kept
 * and matched by where they lie (tableoid, ctid), and the scores are computed
 * (query/fuse.c).  These rows come first; then the plans of the rest are run,
 * and what they return comes with score 0 unless it has come before.
 * Conditions that ask for the score are checked on rows as they come.
 *
 * The node's memory is bounded by windows times legs, of the columns that the
 * query asks for; long values that lie outside of their rows stay there.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

#include "am/am.h"
#include "am/fusion.h"
#include "compat.h"
#include "query/fuse.h"
#include "query/fusion_call.h"

/* Where a row lies; the key it is matched by, so padding is zero. */
typedef struct FusionPlace
{
	Oid			table;
	ItemPointerData tid;
	uint16		padding;
} FusionPlace;

typedef struct FusionEntry
{
	FusionPlace place;			/* hash key */
	uint32		row;
} FusionEntry;

/* One plan of a leg, and the row it has put out last. */
typedef struct FusionSource
{
	PlanState  *plan;
	double		passing;		/* share of its rows that pass what is checked on them */
	TupleTableSlot *slot;
	double		value;
	FusionPlace place;
} FusionSource;

typedef struct FusionLeg
{
	int			nsources;
	FusionSource *sources;
	uint64		ranked;			/* rows, of all scans: for EXPLAIN */
} FusionLeg;

typedef struct FusionState
{
	CustomScanState css;		/* first */
	ElacFusionKind kind;
	int			ncolumns;
	bool		has_legs;		/* somebody asks for elacsym_legs() */
	ExprState  *arguments[ELAC_FUSION_ARGUMENTS];
	ElacFuse	fuse;
	uint32		window;
	FusionLeg	legs[ELAC_FUSE_LEGS_MAX];
	PlanState **rest;
	int			nrest;
	TupleTableSlot *row_slot;	/* a ranked row */
	ExprState  *score_qual;		/* conditions that ask for nothing but the score */

	/* of the current scan */
	MemoryContext context;
	bool		is_fused;
	HTAB	   *table;			/* place -> row */
	ElacFuseRows rows;
	uint32		nrows_max;		/* room in the arrays below and in rows */
	MinimalTuple *tuples;
	uint32	   *ranks;
	double	   *values;
	uint64	   *places;
	uint32		next;			/* position in rows.order */
	int			next_rest;		/* plan of the rest being read; -1: none yet */
	uint64		fused;			/* rows, of all scans: for EXPLAIN */
} FusionState;

/* ---- arguments ---- */

static Datum
argument_value(FusionState *state, ElacFusionArgument argument, bool *isnull)
{
	return ExecEvalExprSwitchContext(state->arguments[argument], state->css.ss.ps.ps_ExprContext, isnull);
}

static void
argument_weights(FusionState *state)
{
	bool		isnull;
	Datum		datum = argument_value(state, ELAC_FUSION_WEIGHTS, &isnull);
	ArrayType  *array;
	const float8 *weights;
	double		sum = 0;

	for (int i = 0; i < state->fuse.nlegs; i++)
		state->fuse.legs[i].weight = 1;
	if (isnull)
		return;
	array = DatumGetArrayTypeP(datum);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != state->fuse.nlegs)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must be an array of %d numbers, one for each leg", state->fuse.nlegs)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must not contain NULL")));
	weights = (const float8 *) ARR_DATA_PTR(array);
	for (int i = 0; i < state->fuse.nlegs; i++)
	{
		const char *fault = elac_fuse_weight_fault(weights[i]);

		if (fault != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weights must be finite numbers not below zero"),
					 errdetail("The weight of leg %d is %s.", i + 1, fault)));
		state->fuse.legs[i].weight = weights[i];
		sum = Max(sum, weights[i]);
	}
	if (sum == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must not all be zero")));
}

static void
argument_constant(FusionState *state)
{
	bool		isnull;
	Datum		datum = argument_value(state, ELAC_FUSION_CONSTANT, &isnull);

	if (state->kind == ELAC_FUSION_RRF)
	{
		state->fuse.method = ELAC_FUSE_RRF;
		state->fuse.k = isnull ? 60 : DatumGetInt32(datum);
		if (state->fuse.k < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("k must be greater than zero, not %d", state->fuse.k)));
		return;
	}
	state->fuse.method = ELAC_FUSE_MAX;
	if (!isnull && !elac_fuse_method(TextDatumGetCString(datum), &state->fuse.method))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized normalization: \"%s\"", TextDatumGetCString(datum)),
				 errhint("It is one of \"max\", \"minmax\", \"zscore\", \"dbsf\".")));
}

/* The window asked for, or the default; but never less than the LIMIT takes. */
static void
argument_window(FusionState *state)
{
	static const ElacFusionArgument taken[] = {ELAC_FUSION_LIMIT, ELAC_FUSION_OFFSET};
	bool		isnull;
	int32		window = DatumGetInt32(argument_value(state, ELAC_FUSION_WINDOW, &isnull));
	int64		rows = 0;

	if (isnull)
		window = ELAC_FUSION_WINDOW_DEFAULT;
	else if (window < 1 || window > ELAC_FUSE_WINDOW_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("window must be between 1 and %d, not %d", ELAC_FUSE_WINDOW_MAX, window)));
	for (int i = 0; i < lengthof(taken); i++)
	{
		int64		count = DatumGetInt64(argument_value(state, taken[i], &isnull));

		if (isnull && taken[i] == ELAC_FUSION_LIMIT)
			break;				/* all rows: a window would not end */
		if (!isnull)
			rows += Min(Max(count, 0), ELAC_FUSE_WINDOW_MAX);
	}
	state->window = Max(window, Min(rows, ELAC_FUSE_WINDOW_MAX));
}

/* ---- reading the legs ---- */

static void
place_set(FusionPlace *place, TupleTableSlot *slot, int ncolumns)
{
	bool		isnull;

	memset(place, 0, sizeof(FusionPlace));
	place->table = DatumGetObjectId(slot_getattr(slot, ncolumns + 1, &isnull));
	place->tid = *(ItemPointer) DatumGetPointer(slot_getattr(slot, ncolumns + 2, &isnull));
}

/* One number for a place in a table, in the order of places. */
static uint64
place_number(const FusionPlace *place)
{
	return ((uint64) ItemPointerGetBlockNumberNoCheck(&place->tid) << 16) | ItemPointerGetOffsetNumberNoCheck(&place->tid);
}

/* The next row that the leg ranks, of one plan; false when there are no more. */
static bool
source_next(FusionState *state, FusionSource *source, ElacFuseValue kind)
{
	bool		isnull;

	source->slot = ExecProcNode(source->plan);
	if (TupIsNull(source->slot))
		return false;
	source->value = DatumGetFloat8(slot_getattr(source->slot, state->ncolumns + 3, &isnull));
	if (isnull || isnan(source->value) || isinf(source->value) ||
		(kind == ELAC_FUSE_SCORE && source->value >= 0))
		return false;
	place_set(&source->place, source->slot, state->ncolumns);
	return true;
}

/* By value, then by place; a binaryheap has the greatest first. */
static int
source_compare(Datum a, Datum b, void *arg)
{
	const FusionSource *left = (const FusionSource *) DatumGetPointer(a);
	const FusionSource *right = (const FusionSource *) DatumGetPointer(b);

	if (left->value != right->value)
		return left->value < right->value ? 1 : -1;
	if (left->place.table != right->place.table)
		return left->place.table < right->place.table ? 1 : -1;
	if (place_number(&left->place) != place_number(&right->place))
		return place_number(&left->place) < place_number(&right->place) ? 1 : -1;
	return 0;
}

/* More room for rows; the arrays are of one length. */
static void
rows_grow(FusionState *state)
{
	Size		old = state->nrows_max;
	Size		room = old == 0 ? 256 : old * 2;
	Size		cells = mul_size(room, state->fuse.nlegs);
	MemoryContext context = MemoryContextSwitchTo(state->context);

#define GROW(array, n, was) \
	do { \
		void	   *grown = palloc_extended(mul_size(sizeof(*(array)), (n)), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO); \
		if ((array) != NULL) \
		{ \
			memcpy(grown, (array), sizeof(*(array)) * (was)); \
			pfree(array); \
		} \
		(array) = grown; \
	} while (0)

	GROW(state->tuples, room, old);
	GROW(state->ranks, cells, old * state->fuse.nlegs);
	GROW(state->values, cells, old * state->fuse.nlegs);
	GROW(state->places, room * 2, old * 2);
#undef GROW
	state->nrows_max = room;
	MemoryContextSwitchTo(context);
}

/* Notes that the leg ranks the row at hand of the source; keeps the row unless another leg has. */
static void
rows_add(FusionState *state, int leg, uint32 rank, const FusionSource *source)
{
	bool		found;
	FusionEntry *entry = hash_search(state->table, &source->place, HASH_ENTER, &found);
	size_t		at;

	if (!found)
	{
		MemoryContext context;

		if (state->rows.n == state->nrows_max)
			rows_grow(state);
		entry->row = state->rows.n++;
		context = MemoryContextSwitchTo(state->context);
		state->tuples[entry->row] = ExecCopySlotMinimalTuple(source->slot);
		MemoryContextSwitchTo(context);
		state->places[entry->row * (size_t) 2] = source->place.table;
		state->places[entry->row * (size_t) 2 + 1] = place_number(&source->place);
	}
	at = (size_t) entry->row * state->fuse.nlegs + leg;
	if (state->ranks[at] != 0)
		return;					/* a plan has put it out twice: the better rank stays */
	state->ranks[at] = rank;
	state->values[at] = source->value;
}

/* How many rows a plan of the leg is likely to be asked for. */
static double
source_expected(const FusionState *state, const FusionLeg *leg, const FusionSource *source)
{
	double		rows = state->window;
	double		share = rows / leg->nsources;

	/* rows of the window lie in one partition as in another, or nearly */
	rows = Min(rows, ceil(share + 3 * sqrt(share)));
	if (source->passing < 0.999)
		rows = (rows + 2 * sqrt(rows * (1 - source->passing))) / source->passing * 1.2;
	return ceil(rows);
}

static void
leg_read(FusionState *state, int number)
{
	FusionLeg  *leg = &state->legs[number];
	ElacFuseValue kind = state->fuse.legs[number].value;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	binaryheap *heap = binaryheap_allocate(Max(leg->nsources, 1), source_compare, NULL);
	uint32		rank = 0;

	MemoryContextSwitchTo(old);
	for (int i = 0; i < leg->nsources; i++)
	{
		elac_customscan_expect(leg->sources[i].plan, source_expected(state, leg, &leg->sources[i]));
		if (source_next(state, &leg->sources[i], kind))
			binaryheap_add_unordered(heap, PointerGetDatum(&leg->sources[i]));
	}
	binaryheap_build(heap);
	while (!binaryheap_empty(heap))
	{
		FusionSource *source = (FusionSource *) DatumGetPointer(binaryheap_first(heap));

		CHECK_FOR_INTERRUPTS();
		rows_add(state, number, ++rank, source);
		if (rank == state->window)
			break;				/* what comes after it need not be computed */
		if (source_next(state, source, kind))
			binaryheap_replace_first(heap, PointerGetDatum(source));
		else
			(void) binaryheap_remove_first(heap);
	}
	leg->ranked += rank;
	binaryheap_free(heap);
}

/* Reads all legs and puts their rows in order. */
static void
fusion_run(FusionState *state)
{
	HASHCTL		control = {0};
	MemoryContext old;

	argument_weights(state);
	argument_constant(state);
	argument_window(state);

	control.keysize = sizeof(FusionPlace);
	control.entrysize = sizeof(FusionEntry);
	control.hcxt = state->context;
	state->table = hash_create("elacsym fusion", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < state->fuse.nlegs; i++)
		leg_read(state, i);

	old = MemoryContextSwitchTo(state->context);
	state->rows.ranks = state->ranks;
	state->rows.values = state->values;
	state->rows.places = state->places;
	state->rows.scores = palloc_extended(mul_size(sizeof(double), Max(state->rows.n, 1)), MCXT_ALLOC_HUGE);
	state->rows.order = palloc_extended(mul_size(sizeof(uint32), Max(state->rows.n, 1)), MCXT_ALLOC_HUGE);
	MemoryContextSwitchTo(old);
	elac_fuse_rows(&state->fuse, &state->rows);
	state->fused += state->rows.n;
	state->is_fused = true;
}

/* ---- putting rows out ---- */

/* elacsym_legs(): rank and value of each leg; row: number of a ranked row, or -1. */
static Datum
legs_datum(FusionState *state, int64 row)
{
	int			n = state->fuse.nlegs * 2;
	int			lower = 1;
	Datum		values[ELAC_FUSE_LEGS_MAX * 2];
	bool		nulls[ELAC_FUSE_LEGS_MAX * 2];

	for (int i = 0; i < state->fuse.nlegs; i++)
	{
		size_t		at = (size_t) Max(row, 0) * state->fuse.nlegs + i;
		bool		ranked = row >= 0 && state->ranks[at] != 0;

		nulls[2 * i] = nulls[2 * i + 1] = !ranked;
		values[2 * i] = Float8GetDatum(ranked ? (double) state->ranks[at] : 0);
		values[2 * i + 1] = Float8GetDatum(ranked ? state->values[at] : 0);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, FLOAT8OID, sizeof(float8),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* The node's row: columns of another slot, the score, and what each leg says of it. */
static TupleTableSlot *
fusion_store(FusionState *state, TupleTableSlot *from, int64 row)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	double		score = row < 0 ? 0.0 : state->rows.scores[row];
	int			n = state->ncolumns;

	ExecClearTuple(slot);
	slot_getsomeattrs(from, n);
	memcpy(slot->tts_values, from->tts_values, sizeof(Datum) * n);
	memcpy(slot->tts_isnull, from->tts_isnull, sizeof(bool) * n);
	slot->tts_values[n] = Float8GetDatum(score > 0 ? -score : 0.0);
	slot->tts_isnull[n] = false;
	if (state->has_legs)
	{
		slot->tts_values[n + 1] = legs_datum(state, row);
		slot->tts_isnull[n + 1] = false;
	}
	MemoryContextSwitchTo(old);
	return ExecStoreVirtualTuple(slot);
}

/* Can rows of score 0 fulfil the conditions? */
static bool
fusion_wants_rest(FusionState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

	if (state->score_qual == NULL)
		return true;
	ExecStoreAllNullTuple(state->row_slot);
	econtext->ecxt_scantuple = fusion_store(state, state->row_slot, -1);
	return ExecQual(state->score_qual, econtext);
}

static TupleTableSlot *
fusion_next(FusionState *state)
{
	if (!state->is_fused)
		fusion_run(state);
	if (state->next < state->rows.n)
	{
		uint32		row = state->rows.order[state->next++];

		ExecStoreMinimalTuple(state->tuples[row], state->row_slot, false);
		return fusion_store(state, state->row_slot, row);
	}
	if (state->next_rest < 0)
		state->next_rest = fusion_wants_rest(state) ? 0 : state->nrest;
	while (state->next_rest < state->nrest)
	{
		TupleTableSlot *slot = ExecProcNode(state->rest[state->next_rest]);
		FusionPlace place;

		CHECK_FOR_INTERRUPTS();
		if (TupIsNull(slot))
		{
			state->next_rest++;
			continue;
		}
		place_set(&place, slot, state->ncolumns);
		if (hash_search(state->table, &place, HASH_FIND, NULL) == NULL)
			return fusion_store(state, slot, -1);
	}
	return NULL;
}

/*
 * Not ExecScan(): where EvalPlanQual() runs the plan, below a CTE for one,
 * rows are to be found as always.
 */
static TupleTableSlot *
fusion_exec(CustomScanState *node)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	for (;;)
	{
		TupleTableSlot *slot;

		ResetExprContext(econtext);
		slot = fusion_next((FusionState *) node);
		if (slot == NULL)
			return ExecClearTuple(projection != NULL ? node->ss.ps.ps_ResultTupleSlot : node->ss.ss_ScanTupleSlot);
		econtext->ecxt_scantuple = slot;
		if (ExecQual(node->ss.ps.qual, econtext))
			return projection != NULL ? ExecProject(projection) : slot;
		InstrCountFiltered1(node, 1);
	}
}

/* ---- begin, end ---- */

static void
fusion_begin_plans(FusionState *state, CustomScan *plan, EState *estate, int eflags)
{
	List	   *counts = list_nth(plan->custom_private, ELAC_FUSION_PLANS);
	List	   *passing = list_nth(plan->custom_private, ELAC_FUSION_PASSING);
	ListCell   *cell;
	int			next = 0;

	foreach(cell, plan->custom_plans)
		state->css.custom_ps = lappend(state->css.custom_ps, ExecInitNode(lfirst(cell), estate, eflags));
	for (int i = 0; i < state->fuse.nlegs; i++)
	{
		FusionLeg  *leg = &state->legs[i];

		leg->nsources = list_nth_int(counts, i);
		leg->sources = palloc0(sizeof(FusionSource) * Max(leg->nsources, 1));
		for (int source = 0; source < leg->nsources; source++)
		{
			leg->sources[source].passing = floatVal(list_nth(passing, next));
			leg->sources[source].plan = list_nth(state->css.custom_ps, next++);
			if (state->row_slot == NULL)
				state->row_slot = ExecInitExtraTupleSlot(estate, ExecGetResultType(leg->sources[source].plan), &TTSOpsMinimalTuple);
		}
	}
	state->nrest = llast_int(counts);
	state->rest = palloc(sizeof(PlanState *) * Max(state->nrest, 1));
	for (int i = 0; i < state->nrest; i++)
		state->rest[i] = list_nth(state->css.custom_ps, next++);
}

typedef struct ScoreContext
{
	int			ncolumns;
	bool		other;			/* a column that is not the score, or the legs */
} ScoreContext;

static bool
score_walker(Node *node, void *arg)
{
	ScoreContext *context = (ScoreContext *) arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
		context->other = context->other || ((Var *) node)->varattno <= context->ncolumns;
	return expression_tree_walker(node, score_walker, arg);
}

/* What the rest of the rows, all of which have score 0, can be judged by before they are read. */
static ExprState *
fusion_begin_score_qual(FusionState *state, List *quals)
{
	List	   *chosen = NIL;
	ListCell   *cell;

	foreach(cell, quals)
	{
		ScoreContext context = {state->ncolumns, false};

		(void) score_walker(lfirst(cell), &context);
		if (!context.other && !contain_volatile_functions(lfirst(cell)))
			chosen = lappend(chosen, lfirst(cell));
	}
	return ExecInitQual(chosen, &state->css.ss.ps);
}

static void
fusion_begin(CustomScanState *node, EState *estate, int eflags)
{
	FusionState *state = (FusionState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *values = list_nth(plan->custom_private, ELAC_FUSION_VALUES);
	ListCell   *cell;

	state->kind = intVal(list_nth(plan->custom_private, ELAC_FUSION_KIND));
	state->ncolumns = intVal(list_nth(plan->custom_private, ELAC_FUSION_COLUMNS));
	state->has_legs = list_length(plan->custom_scan_tlist) > state->ncolumns + 1;
	state->fuse.nlegs = list_length(values);
	Assert(state->fuse.nlegs <= ELAC_FUSE_LEGS_MAX);
	foreach(cell, values)
		state->fuse.legs[foreach_current_index(cell)].value = lfirst_int(cell);
	for (int i = 0; i < ELAC_FUSION_ARGUMENTS; i++)
		state->arguments[i] = ExecInitExpr(list_nth(plan->custom_exprs, i), &node->ss.ps);
	state->context = AllocSetContextCreate(estate->es_query_cxt, "elacsym fusion", ALLOCSET_DEFAULT_SIZES);
	fusion_begin_plans(state, plan, estate, eflags);
	state->score_qual = fusion_begin_score_qual(state, plan->scan.plan.qual);
}

static void
fusion_end(CustomScanState *node)
{
	ListCell   *cell;

	foreach(cell, node->custom_ps)
		ExecEndNode(lfirst(cell));
}

static void
fusion_rescan(CustomScanState *node)
{
	FusionState *state = (FusionState *) node;
	ListCell   *cell;

	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	if (state->row_slot != NULL)
		ExecClearTuple(state->row_slot);
	MemoryContextReset(state->context);
	state->is_fused = false;
	state->table = NULL;
	memset(&state->rows, 0, sizeof(state->rows));
	state->nrows_max = 0;
	state->tuples = NULL;
	state->ranks = NULL;
	state->values = NULL;
	state->places = NULL;
	state->next = 0;
	state->next_rest = -1;
	foreach(cell, node->custom_ps)
	{
		PlanState  *plan = lfirst(cell);

		if (node->ss.ps.chgParam != NULL)
			UpdateChangedParamSet(plan, node->ss.ps.chgParam);
		if (plan->chgParam == NULL)
			ExecReScan(plan);
	}
}

/* ---- EXPLAIN ---- */

static void
fusion_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	FusionState *state = (FusionState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	FuncExpr   *fusion = (FuncExpr *) list_nth_node(TargetEntry, plan->custom_scan_tlist, state->ncolumns)->expr;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;
	ElacFusionCall call;
	List	   *legs = NIL;
	List	   *weights = NIL;
	List	   *ranked = NIL;
	ListCell   *cell;

	ExplainPropertyText("Fusion", get_func_name(fusion->funcid), es);
	if (elac_fusion_call_read(fusion, state->kind, &call))
		foreach(cell, call.legs)
			legs = lappend(legs, deparse_expression(lfirst(cell), context, prefix, false));
	ExplainPropertyList("Legs", legs, es);
	if (!es->analyze)
		return;
	for (int i = 0; i < state->fuse.nlegs; i++)
	{
		weights = lappend(weights, psprintf("%g", state->fuse.legs[i].weight));
		ranked = lappend(ranked, psprintf(UINT64_FORMAT, state->legs[i].ranked));
	}
	ExplainPropertyList("Weights", weights, es);
	ExplainPropertyUInteger("Window", NULL, state->window, es);
	ExplainPropertyList("Leg Rows", ranked, es);
	ExplainPropertyUInteger("Rows Fused", NULL, state->fused, es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "ElacsymFusion",
	.BeginCustomScan = fusion_begin,
	.ExecCustomScan = fusion_exec,
	.EndCustomScan = fusion_end,
	.ReScanCustomScan = fusion_rescan,
	.ExplainCustomScan = fusion_explain,
};

static Node *
fusion_create_state(CustomScan *plan)
{
	FusionState *state = (FusionState *) newNode(sizeof(FusionState), T_CustomScanState);

	state->css.methods = &exec_methods;
	state->next_rest = -1;
	return (Node *) state;
}

const CustomScanMethods elac_fusion_scan_methods = {
	.CustomName = "ElacsymFusion",
	.CreateCustomScanState = fusion_create_state,
};
