/*
 * condition.c
 *	  Recognises conditions that the index can evaluate and turns them into
 *	  filters.
 *
 * One walk over the expression serves three purposes: to check (planning), to
 * collect the arguments' expressions (executor start) and to build the filter
 * from their values (every scan).  Arguments are met in the same order each
 * time.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "am/condition.h"
#include "am/match_condition.h"
#include "storage/metapage.h"

/* Strategy numbers in the families of attributes (am/README.md): <> and ^@. */
#define ELAC_STRATEGY_NOT_EQUAL 6
#define ELAC_STRATEGY_PREFIX 11

typedef struct ConditionClause
{
	Node	   *clause;
	List	   *arguments;		/* ExprState, in the order of the walk */
	ExprState  *qual;			/* the clause itself; NULL: the index can always evaluate it */
} ConditionClause;

struct ElacCondition
{
	ElacTarget	target;
	int			nclauses;
	ConditionClause *clauses;	/* ANDed */
};

typedef enum WalkMode
{
	WALK_CHECK,
	WALK_COLLECT,
	WALK_BUILD
} WalkMode;

typedef struct Walk
{
	WalkMode	mode;
	const ElacTarget *target;
	List	   *expressions;	/* COLLECT: arguments met */
	bool		conditional;	/* COLLECT: has parts that the index may be unable to evaluate */
	bool		unserved;		/* BUILD: and it is */
	ListCell   *next;			/* BUILD: ExprState of the next argument */
	List	   *states;			/* BUILD */
	ExprContext *econtext;		/* BUILD */
} Walk;

static bool condition_walk(Walk *walk, Node *node, ElacFilter **out);

void
elac_target_from_info(ElacTarget *target, IndexOptInfo *info)
{
	ListCell   *expression = list_head(info->indexprs);

	memset(target, 0, sizeof(ElacTarget));
	target->index = info->hypothetical ? InvalidOid : info->indexoid;
	target->varno = info->rel->relid;
	target->ncolumns = info->nkeycolumns;
	for (int i = 0; i < info->nkeycolumns; i++)
	{
		target->attnos[i] = info->indexkeys[i];
		target->opfamily[i] = info->opfamily[i];
		target->opcintype[i] = info->opcintype[i];
		if (info->indexkeys[i] == 0)
		{
			target->expressions[i] = lfirst(expression);
			expression = lnext(info->indexprs, expression);
		}
	}
}

void
elac_target_from_relation(ElacTarget *target, Relation index, int varno)
{
	List	   *expressions = copyObject(RelationGetIndexExpressions(index));
	ListCell   *expression;

	ChangeVarNodes((Node *) expressions, 1, varno, 0);
	expression = list_head(expressions);
	memset(target, 0, sizeof(ElacTarget));
	target->index = RelationGetRelid(index);
	target->varno = varno;
	target->ncolumns = IndexRelationGetNumberOfKeyAttributes(index);
	for (int i = 0; i < target->ncolumns; i++)
	{
		target->attnos[i] = index->rd_index->indkey.values[i];
		target->opfamily[i] = index->rd_opfamily[i];
		target->opcintype[i] = index->rd_opcintype[i];
		if (target->attnos[i] == 0)
		{
			target->expressions[i] = lfirst(expression);
			expression = lnext(expressions, expression);
		}
	}
}

static Node *
strip_relabel(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

int
elac_target_column(const ElacTarget *target, Node *node)
{
	node = strip_relabel(node);
	for (int i = 0; i < target->ncolumns; i++)
	{
		if (target->attnos[i] != 0)
		{
			Var		   *var = (Var *) node;

			if (IsA(node, Var) && var->varno == target->varno && var->varattno == target->attnos[i] &&
				var->varlevelsup == 0)
				return i;
		}
		else if (equal(node, strip_relabel(target->expressions[i])))
			return i;
	}
	return -1;
}

/* May node be computed before the scan, from parameters and constants alone? */
static bool
condition_is_argument(Node *node)
{
	return !contain_var_clause(node) && !contain_volatile_functions(node) && !contain_subplans(node);
}

static ElacFilter *
filter_make(ElacFilterKind kind, int nchildren)
{
	ElacFilter *filter = palloc0(sizeof(ElacFilter));

	filter->kind = kind;
	filter->nchildren = nchildren;
	if (nchildren > 0)
		filter->children = palloc0(sizeof(ElacFilter *) * nchildren);
	return filter;
}

static ElacFilter *
filter_make_unary(ElacFilterKind kind, ElacFilter *child)
{
	ElacFilter *filter = filter_make(kind, 1);

	filter->children[0] = child;
	return filter;
}

static ElacFilter *
filter_make_predicate(ElacPredicateKind kind, int column)
{
	ElacFilter *filter = filter_make(ELAC_FILTER_PREDICATE, 0);

	filter->predicate.kind = kind;
	filter->predicate.column = column;
	return filter;
}

/* Deconstructs an array argument of ANY or ALL. */
static void
predicate_set_array(ElacPredicate *predicate, Datum array, bool isnull)
{
	ArrayType  *value;
	int16		typlen;
	bool		typbyval;
	char		typalign;

	predicate->arg = array;
	predicate->arg_isnull = isnull;
	if (isnull)
		return;
	value = DatumGetArrayTypeP(array);
	get_typlenbyvalalign(ARR_ELEMTYPE(value), &typlen, &typbyval, &typalign);
	deconstruct_array(value, ARR_ELEMTYPE(value), typlen, typbyval, typalign,
					  &predicate->elements, &predicate->element_nulls, &predicate->nelements);
}

/* An argument: checked, collected or evaluated. */
static bool
walk_argument(Walk *walk, Node *node, Datum *value, bool *isnull)
{
	switch (walk->mode)
	{
		case WALK_CHECK:
			return condition_is_argument(node);
		case WALK_COLLECT:
			walk->expressions = lappend(walk->expressions, node);
			return true;
		case WALK_BUILD:
			*value = ExecEvalExpr((ExprState *) lfirst(walk->next), walk->econtext, isnull);
			walk->next = lnext(walk->states, walk->next);
			return true;
	}
	return false;
}

/*
 * Strategy of op for a column: it must be a strict search operator of the
 * column's family whose left input is the column's type.  @@ is walk_match()'s.
 */
static bool
condition_strategy(const ElacTarget *target, int column, Oid op, int *strategy)
{
	Oid			lefttype;
	Oid			righttype;

	if (!OidIsValid(op) || get_op_opfamily_strategy(op, target->opfamily[column]) == 0 ||
		elac_match_condition_is_operator(op))
		return false;
	get_op_opfamily_properties(op, target->opfamily[column], false, strategy, &lefttype, &righttype);
	/* array families list anyarray, which stands for the column's own type */
	if (lefttype != target->opcintype[column])
		return false;
	return op_strict(op);
}

/*
 * The same, by way of the negator where that says more: of <>, which is no
 * range and has no hash, and of operators that families do not list, such as
 * NOT LIKE.  Operators that negate each other do so for whatever is not NULL.
 */
static bool
condition_operator(const ElacTarget *target, int column, Oid *op, int *strategy, bool *negated)
{
	Oid			negator = get_negator(*op);
	int			other;

	*negated = false;
	if (condition_strategy(target, column, *op, strategy) && *strategy != ELAC_STRATEGY_NOT_EQUAL)
		return true;
	if (condition_strategy(target, column, negator, &other))
	{
		*op = negator;
		*strategy = other;
		*negated = true;
		return true;
	}
	return condition_strategy(target, column, *op, strategy);
}

static void
predicate_set_operator(ElacPredicate *predicate, Oid op, Oid collation, int strategy)
{
	fmgr_info(get_opcode(op), &predicate->function);
	predicate->collation = collation;
	predicate->strategy = strategy <= BTMaxStrategyNumber ? strategy : 0;
}

/* column op argument, or the other way round. */
static bool
walk_comparison(Walk *walk, OpExpr *expr, ElacFilter **out)
{
	Oid			op = expr->opno;
	Node	   *argument;
	int			column;
	int			strategy;
	bool		negated;
	Datum		value = (Datum) 0;
	bool		isnull = false;

	if (list_length(expr->args) != 2)
		return false;
	column = elac_target_column(walk->target, linitial(expr->args));
	argument = lsecond(expr->args);
	if (column < 0)
	{
		column = elac_target_column(walk->target, lsecond(expr->args));
		argument = linitial(expr->args);
		op = get_commutator(op);
	}
	if (column < 0 || !OidIsValid(op) || !condition_operator(walk->target, column, &op, &strategy, &negated))
		return false;
	if (!walk_argument(walk, argument, &value, &isnull))
		return false;
	if (walk->mode == WALK_BUILD)
	{
		*out = filter_make_predicate(ELAC_PREDICATE_OPERATOR, column);
		predicate_set_operator(&(*out)->predicate, op, expr->inputcollid, strategy);
		(*out)->predicate.arg = value;
		(*out)->predicate.arg_isnull = isnull;
		if (negated)
			*out = filter_make_unary(ELAC_FILTER_NOT, *out);
	}
	return true;
}

/* IS DISTINCT FROM: its operator is the equality, and NULLs are equal to each other. */
static bool
walk_distinct(Walk *walk, OpExpr *expr, ElacFilter **out)
{
	ElacFilter *equal = NULL;

	if (!walk_comparison(walk, expr, &equal))
		return false;
	if (walk->mode != WALK_BUILD)
		return true;
	if (equal->kind == ELAC_FILTER_PREDICATE && equal->predicate.arg_isnull)
		equal = filter_make_predicate(ELAC_PREDICATE_IS_NULL, equal->predicate.column);
	*out = filter_make_unary(ELAC_FILTER_NOT, filter_make_unary(ELAC_FILTER_IS_TRUE, equal));
	return true;
}

/* Texts that match a tsquery. */
static bool
walk_match(Walk *walk, OpExpr *expr, ElacFilter **out)
{
	ElacMatchCondition match;
	Datum		value = (Datum) 0;
	bool		isnull = false;

	if (!elac_match_condition_recognise(walk->target, expr, &match) ||
		(walk->mode == WALK_CHECK && !elac_match_condition_is_served(walk->target, &match)) ||
		!walk_argument(walk, match.argument, &value, &isnull))
		return false;
	walk->conditional = true;
	if (walk->mode == WALK_BUILD)
	{
		*out = elac_match_condition_filter(walk->target, &match, value, isnull);
		if (*out == NULL)
		{
			walk->unserved = true;
			*out = filter_make(ELAC_FILTER_AND, 0);
		}
	}
	return true;
}

/* column op ANY (array), or ALL. */
static bool
walk_array_argument(Walk *walk, ScalarArrayOpExpr *expr, ElacFilter **out)
{
	int			column = elac_target_column(walk->target, linitial(expr->args));
	Oid			op = expr->opno;
	int			strategy;
	bool		negated;
	Datum		value = (Datum) 0;
	bool		isnull = false;

	if (column < 0 || !condition_operator(walk->target, column, &op, &strategy, &negated))
		return false;
	if (!walk_argument(walk, lsecond(expr->args), &value, &isnull))
		return false;
	if (walk->mode == WALK_BUILD)
	{
		/* not for all: for any not */
		*out = filter_make_predicate(expr->useOr != negated ? ELAC_PREDICATE_ANY : ELAC_PREDICATE_ALL, column);
		predicate_set_operator(&(*out)->predicate, op, expr->inputcollid, strategy);
		predicate_set_array(&(*out)->predicate, value, isnull);
		if (negated)
			*out = filter_make_unary(ELAC_FILTER_NOT, *out);
	}
	return true;
}

/*
 * An operator between other values than a column's has no family in the index.
 * It must be a comparison of the server's that belongs to the type's default
 * btree family, or <>: these are immutable and raise no errors.
 */
static bool
condition_comparison(Oid *op, Oid type, int *strategy, bool *negated)
{
	Oid			family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;

	*negated = false;
	if (!OidIsValid(family))
		return false;
	*strategy = get_op_opfamily_strategy(*op, family);
	if (*strategy == 0 && OidIsValid(get_negator(*op)))
	{
		*op = get_negator(*op);
		*strategy = get_op_opfamily_strategy(*op, family);
		*negated = true;
	}
	return *strategy != 0 && get_opcode(*op) < FirstNormalObjectId && op_strict(*op) &&
		op_volatile(*op) == PROVOLATILE_IMMUTABLE;
}

/* starts_with(column, argument) is column ^@ argument, where the family has that. */
static bool
walk_starts_with(Walk *walk, FuncExpr *call, ElacFilter **out)
{
	int			column = call->funcid == F_STARTS_WITH ? elac_target_column(walk->target, linitial(call->args)) : -1;
	OpExpr		expr = {{T_OpExpr}};

	if (column < 0)
		return false;
	expr.opno = get_opfamily_member(walk->target->opfamily[column], TEXTOID, TEXTOID, ELAC_STRATEGY_PREFIX);
	if (!OidIsValid(expr.opno) || get_opcode(expr.opno) != F_STARTS_WITH)
		return false;
	expr.inputcollid = call->inputcollid;
	expr.args = call->args;
	return walk_comparison(walk, &expr, out);
}

/* An array whose elements change their type in name alone, as varchar[] to text[]. */
static Node *
strip_array_relabel(Node *node)
{
	ArrayCoerceExpr *coerce = (ArrayCoerceExpr *) node;

	if (IsA(node, ArrayCoerceExpr) && IsA(strip_relabel((Node *) coerce->elemexpr), CaseTestExpr))
		return (Node *) coerce->arg;
	return node;
}

/* argument op ANY (column), or ALL. */
static bool
walk_array_column(Walk *walk, ScalarArrayOpExpr *expr, ElacFilter **out)
{
	int			column = elac_target_column(walk->target, strip_array_relabel(lsecond(expr->args)));
	Oid			op = expr->opno;
	Oid			element;
	int			strategy;
	bool		negated;
	ElacPredicate *predicate;
	Datum		value = (Datum) 0;
	bool		isnull = false;

	/* a class for arrays: text[] of text_array_bm25_ops is no attribute */
	if (column < 0 || walk->target->opcintype[column] != ANYARRAYOID)
		return false;
	element = get_base_element_type(exprType(lsecond(expr->args)));
	if (!OidIsValid(element) || !condition_comparison(&op, element, &strategy, &negated) ||
		!walk_argument(walk, linitial(expr->args), &value, &isnull))
		return false;
	if (walk->mode == WALK_BUILD)
	{
		*out = filter_make_predicate(expr->useOr != negated ? ELAC_PREDICATE_ANY_ELEMENT : ELAC_PREDICATE_ALL_ELEMENTS, column);
		predicate = &(*out)->predicate;
		predicate_set_operator(predicate, op, expr->inputcollid, strategy);
		predicate->arg = value;
		predicate->arg_isnull = isnull;
		predicate->element.type = element;
		get_typlenbyvalalign(element, &predicate->element.typlen, &predicate->element.typbyval, &predicate->element.typalign);
		if (negated)
			*out = filter_make_unary(ELAC_FILTER_NOT, *out);
	}
	return true;
}

static bool
walk_boolean(Walk *walk, BoolExpr *expr, ElacFilter **out)
{
	ElacFilterKind kind = expr->boolop == AND_EXPR ? ELAC_FILTER_AND :
		expr->boolop == OR_EXPR ? ELAC_FILTER_OR : ELAC_FILTER_NOT;
	ElacFilter *filter = walk->mode == WALK_BUILD ? filter_make(kind, list_length(expr->args)) : NULL;
	ElacFilter *child = NULL;
	ListCell   *cell;
	int			i = 0;

	foreach(cell, expr->args)
	{
		if (!condition_walk(walk, lfirst(cell), &child))
			return false;
		if (filter != NULL)
			filter->children[i++] = child;
	}
	*out = filter;
	return true;
}

static bool
walk_null_test(Walk *walk, NullTest *test, ElacFilter **out)
{
	int			column = test->argisrow ? -1 : elac_target_column(walk->target, (Node *) test->arg);

	if (column < 0)
		return false;
	if (walk->mode == WALK_BUILD)
	{
		*out = filter_make_predicate(ELAC_PREDICATE_IS_NULL, column);
		if (test->nulltesttype == IS_NOT_NULL)
			*out = filter_make_unary(ELAC_FILTER_NOT, *out);
	}
	return true;
}

/* x IS [NOT] TRUE | FALSE | UNKNOWN, for any supported x. */
static bool
walk_boolean_test(Walk *walk, BooleanTest *test, ElacFilter **out)
{
	ElacFilter *child = NULL;
	ElacFilter *both;

	if (!condition_walk(walk, (Node *) test->arg, &child))
		return false;
	if (walk->mode != WALK_BUILD)
		return true;
	switch (test->booltesttype)
	{
		case IS_TRUE:
		case IS_NOT_TRUE:
			*out = filter_make_unary(ELAC_FILTER_IS_TRUE, child);
			break;
		case IS_FALSE:
		case IS_NOT_FALSE:
			*out = filter_make_unary(ELAC_FILTER_IS_TRUE, filter_make_unary(ELAC_FILTER_NOT, child));
			break;
		case IS_UNKNOWN:
		case IS_NOT_UNKNOWN:
			/* neither x nor NOT x is true */
			both = filter_make(ELAC_FILTER_OR, 2);
			both->children[0] = filter_make_unary(ELAC_FILTER_IS_TRUE, child);
			both->children[1] = filter_make_unary(ELAC_FILTER_IS_TRUE, filter_make_unary(ELAC_FILTER_NOT, child));
			*out = filter_make_unary(ELAC_FILTER_NOT, both);
			break;
	}
	if (test->booltesttype == IS_NOT_TRUE || test->booltesttype == IS_NOT_FALSE ||
		test->booltesttype == IS_NOT_UNKNOWN)
		*out = filter_make_unary(ELAC_FILTER_NOT, *out);
	return true;
}

static bool
walk_boolean_column(Walk *walk, Node *node, ElacFilter **out)
{
	int			column = exprType(node) == BOOLOID ? elac_target_column(walk->target, node) : -1;

	if (column < 0)
		return false;
	if (walk->mode == WALK_BUILD)
		*out = filter_make_predicate(ELAC_PREDICATE_IS_TRUE, column);
	return true;
}

/* A parameter or constant: nothing to compute that could fail. */
static bool
condition_is_simple(Node *node)
{
	node = strip_relabel(node);
	return IsA(node, Param) || IsA(node, Const);
}

/*
 * The same for every row: "$1 IS NULL OR column = $1".  Parameters, tests for
 * NULL and comparisons of them, for the executor would not compute what an OR
 * before it decides.
 */
static bool
walk_constant(Walk *walk, Node *node, ElacFilter **out)
{
	Datum		value = (Datum) 0;
	bool		isnull = false;
	bool		simple = exprType(node) == BOOLOID && condition_is_simple(node);

	if (IsA(node, NullTest))
		simple = !((NullTest *) node)->argisrow && condition_is_simple((Node *) ((NullTest *) node)->arg);
	else if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
	{
		OpExpr	   *expr = (OpExpr *) node;
		Oid			op = expr->opno;
		int			strategy;
		bool		negated;

		simple = condition_is_simple(linitial(expr->args)) && condition_is_simple(lsecond(expr->args)) &&
			condition_comparison(&op, exprType(linitial(expr->args)), &strategy, &negated);
	}
	if (!simple || !walk_argument(walk, node, &value, &isnull))
		return false;
	if (walk->mode == WALK_BUILD)
	{
		*out = filter_make(ELAC_FILTER_CONSTANT, 0);
		(*out)->truth = isnull ? ELAC_UNKNOWN : DatumGetBool(value) ? ELAC_TRUE : ELAC_FALSE;
	}
	return true;
}

static bool
condition_walk(Walk *walk, Node *node, ElacFilter **out)
{
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_OpExpr:
			if (walk_comparison(walk, (OpExpr *) node, out) || walk_match(walk, (OpExpr *) node, out))
				return true;
			break;
		case T_FuncExpr:
			if (walk_starts_with(walk, (FuncExpr *) node, out))
				return true;
			break;
		case T_DistinctExpr:
			if (walk_distinct(walk, (OpExpr *) node, out))
				return true;
			break;
		case T_ScalarArrayOpExpr:
			if (walk_array_argument(walk, (ScalarArrayOpExpr *) node, out) ||
				walk_array_column(walk, (ScalarArrayOpExpr *) node, out))
				return true;
			break;
		case T_BoolExpr:
			return walk_boolean(walk, (BoolExpr *) node, out);
		case T_NullTest:
			if (walk_null_test(walk, (NullTest *) node, out))
				return true;
			break;
		case T_BooleanTest:
			return walk_boolean_test(walk, (BooleanTest *) node, out);
		default:
			break;
	}
	return walk_boolean_column(walk, node, out) || walk_constant(walk, node, out);
}

bool
elac_condition_is_supported(const ElacTarget *target, Node *clause)
{
	Walk		walk = {0};
	ElacFilter *unused = NULL;

	walk.mode = WALK_CHECK;
	walk.target = target;
	return condition_walk(&walk, clause, &unused);
}

static void
clause_prepare(const ElacTarget *target, ConditionClause *clause, Node *node, PlanState *parent)
{
	Walk		walk = {0};
	ElacFilter *unused = NULL;

	walk.mode = WALK_COLLECT;
	walk.target = target;
	if (!condition_walk(&walk, node, &unused))
		elog(ERROR, "condition planned for an elacsym index cannot be evaluated by it");
	clause->clause = node;
	clause->arguments = ExecInitExprList(walk.expressions, parent);
	clause->qual = walk.conditional ? ExecInitQual(list_make1(node), parent) : NULL;
}

ElacCondition *
elac_condition_prepare(const ElacTarget *target, List *clauses, PlanState *parent)
{
	ElacCondition *condition;
	ListCell   *cell;

	if (clauses == NIL)
		return NULL;
	condition = palloc0(sizeof(ElacCondition));
	condition->target = *target;
	condition->clauses = palloc0(sizeof(ConditionClause) * list_length(clauses));
	foreach(cell, clauses)
		clause_prepare(&condition->target, &condition->clauses[condition->nclauses++], lfirst(cell), parent);
	return condition;
}

/* The filter of one clause, or NULL when it has to be checked on the rows. */
static ElacFilter *
clause_build(ElacCondition *condition, ConditionClause *clause, ExprContext *econtext)
{
	Walk		walk = {0};
	ElacFilter *filter = NULL;

	walk.mode = WALK_BUILD;
	walk.target = &condition->target;
	walk.states = clause->arguments;
	walk.next = list_head(clause->arguments);
	walk.econtext = econtext;
	(void) condition_walk(&walk, clause->clause, &filter);
	return walk.unserved ? NULL : filter;
}

ElacFilter *
elac_condition_build(ElacCondition *condition, ExprContext *econtext, List **rest)
{
	ElacFilter *filter;

	*rest = NIL;
	if (condition == NULL)
		return NULL;
	filter = filter_make(ELAC_FILTER_AND, condition->nclauses);
	filter->nchildren = 0;
	for (int i = 0; i < condition->nclauses; i++)
	{
		ElacFilter *child = clause_build(condition, &condition->clauses[i], econtext);

		if (child != NULL)
			filter->children[filter->nchildren++] = child;
		else
			*rest = lappend(*rest, condition->clauses[i].qual);
	}
	return filter->nchildren > 0 ? filter : NULL;
}

static bool
key_is_match(const ElacSchema *schema, ScanKey key)
{
	return schema->columns[key->sk_attno - 1].kind == ELAC_COLUMN_TEXT &&
		(key->sk_flags & (SK_SEARCHNULL | SK_SEARCHNOTNULL)) == 0 && key->sk_strategy == ELAC_STRATEGY_MATCH;
}

/* For a key that is <>: the family's =, of which it is the negation. */
static bool
key_set_equality(Relation index, ScanKey key, ElacPredicate *predicate)
{
	int			column = key->sk_attno - 1;
	Oid			type = index->rd_opcintype[column];
	Oid			op = get_opfamily_member(index->rd_opfamily[column], type,
										 OidIsValid(key->sk_subtype) ? key->sk_subtype : type, BTEqualStrategyNumber);

	if (!OidIsValid(op) || get_opcode(get_negator(op)) != key->sk_func.fn_oid)
		return false;
	predicate_set_operator(predicate, op, key->sk_collation, BTEqualStrategyNumber);
	return true;
}

static ElacFilter *
key_filter(Relation index, ScanKey key)
{
	int			column = key->sk_attno - 1;
	ElacFilter *filter;

	if (key->sk_flags & (SK_SEARCHNULL | SK_SEARCHNOTNULL))
	{
		filter = filter_make_predicate(ELAC_PREDICATE_IS_NULL, column);
		return (key->sk_flags & SK_SEARCHNULL) ? filter : filter_make_unary(ELAC_FILTER_NOT, filter);
	}
	filter = filter_make_predicate(key->sk_flags & SK_SEARCHARRAY ? ELAC_PREDICATE_ANY : ELAC_PREDICATE_OPERATOR, column);
	filter->predicate.function = key->sk_func;
	filter->predicate.collation = key->sk_collation;
	filter->predicate.strategy = key->sk_strategy <= BTMaxStrategyNumber ? key->sk_strategy : 0;
	if (key->sk_flags & SK_SEARCHARRAY)
		predicate_set_array(&filter->predicate, key->sk_argument, (key->sk_flags & SK_ISNULL) != 0);
	else
	{
		filter->predicate.arg = key->sk_argument;
		filter->predicate.arg_isnull = (key->sk_flags & SK_ISNULL) != 0;
		if (key->sk_strategy == ELAC_STRATEGY_NOT_EQUAL && key_set_equality(index, key, &filter->predicate))
			filter = filter_make_unary(ELAC_FILTER_NOT, filter);
	}
	return filter;
}

ElacFilter *
elac_condition_from_keys(Relation index, ScanKey keys, int nkeys, bool *recheck)
{
	ElacSchema	schema;			/* a copy: to compile a query reads catalogues */
	ElacFilter *filter;

	*recheck = false;
	if (nkeys == 0)
		return NULL;
	schema = elac_metapage_get(index)->schema;
	filter = filter_make(ELAC_FILTER_AND, nkeys);
	for (int i = 0; i < nkeys; i++)
	{
		ElacFilter *child = key_is_match(&schema, &keys[i]) ? elac_match_condition_from_key(index, &keys[i])
			: key_filter(index, &keys[i]);

		if (child == NULL)
		{
			/* the operator is strict */
			*recheck = true;
			child = filter_make_unary(ELAC_FILTER_NOT,
									  filter_make_predicate(ELAC_PREDICATE_IS_NULL, keys[i].sk_attno - 1));
		}
		filter->children[i] = child;
	}
	return filter;
}
