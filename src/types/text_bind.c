/*
 * text_bind.c
 *	  Binds <@> to an index at plan time.
 *
 * The planner's simplification of <@> ends here, whatever its operands: the
 * left one (text, text[], tsvector, tsvector[]) is traced to columns of a
 * table, an elacsym index that has these columns as BM25 fields is looked for,
 * and the right one (text, tsquery, elacsym_query) becomes
 * elacsym_bind(query, index, columns), an elacsym_query.  The index is a
 * regclass constant in the plan, so dropping it invalidates the plan.  Where
 * the table is found and no index of it has the operand, that is an error;
 * where no table is found the call stays (a later step of planning may know
 * more) and raises an error when it is executed.
 *
 * An array that is spelled out, ARRAY[title, body], stands for these columns;
 * any other is the value of one column.
 *
 * Of several indexes the one with the lowest OID is taken, partial ones last;
 * of a partitioned table, the partitioned index.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "elacsym.h"
#include "query/bound_query.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_support);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elac_text_query_bind_support);

#define TRACE_STEPS_MAX 100		/* subqueries, joins and groups between an operand and its table */

/* A table of the query and an operand as an expression over it. */
typedef struct BindSource
{
	Query	   *query;			/* whose range table has the table */
	Index		varno;
	Oid			relid;
	List	   *operands;		/* Vars have varno 1, as in index expressions */
} BindSource;

/* Our objects, looked up in the operator's own schema. */
typedef struct BindObjects
{
	Oid			bind;			/* elacsym_bind() */
	Oid			type;			/* elacsym_query */
	Oid			member;			/* <@> of one column and elacsym_query, member of the BM25 families */
	Oid			op;				/* operator that replaces the one at hand */
} BindObjects;

/* ---- tracing an operand to its table ---- */

/* Without what changes nothing about the text. */
static Node *
strip_wrappers(Node *node)
{
	for (;;)
	{
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CollateExpr))
			node = (Node *) ((CollateExpr *) node)->arg;
		else if (IsA(node, PlaceHolderVar))
			node = (Node *) ((PlaceHolderVar *) node)->phexpr;
		else
			return node;
	}
}

typedef struct VarContext
{
	bool		found;
	bool		mixed;			/* of several tables */
	Index		varno;
	Index		levelsup;
} VarContext;

static bool
find_var_walker(Node *node, void *arg)
{
	VarContext *context = (VarContext *) arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (context->found && (var->varno != context->varno || var->varlevelsup != context->levelsup))
			context->mixed = true;
		context->found = true;
		context->varno = var->varno;
		context->levelsup = var->varlevelsup;
		return false;
	}
	if (IsA(node, Query) || IsA(node, SubLink))
	{
		context->mixed = true;
		return false;
	}
	return expression_tree_walker(node, find_var_walker, context);
}

/* Makes Vars look as they do in index expressions. */
static Node *
normalize_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, PlaceHolderVar))
		return normalize_mutator((Node *) ((PlaceHolderVar *) node)->phexpr, context);
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) copyObject(node);

		var->varno = 1;
		var->varlevelsup = 0;
		var->varnosyn = 0;
		var->varattnosyn = 0;
		elac_var_clear_nulling(var);
		return (Node *) var;
	}
	return expression_tree_mutator(node, normalize_mutator, context);
}

/* What a query puts out as column number attno; NULL when that is not one expression. */
static Node *
query_output(Query *query, AttrNumber attno)
{
	TargetEntry *entry;

	if (query->setOperations != NULL || query->commandType != CMD_SELECT)
		return NULL;
	entry = get_tle_by_resno(query->targetList, attno);
	return entry != NULL && !entry->resjunk ? (Node *) entry->expr : NULL;
}

/* The CTE that rte of query refers to, when it is that query's own. */
static Query *
find_cte(Query *query, RangeTblEntry *rte)
{
	ListCell   *cell;

	if (rte->ctelevelsup != 0)
		return NULL;
	foreach(cell, query->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, cell);

		if (strcmp(cte->ctename, rte->ctename) == 0 && !cte->cterecursive && IsA(cte->ctequery, Query))
			return (Query *) cte->ctequery;
	}
	return NULL;
}

/*
 * One step down from a column of a range table entry that is no table: the
 * expression it stands for, and the query that expression belongs to.
 */
static Node *
trace_column(Query **query, RangeTblEntry *rte, AttrNumber attno)
{
	Query	   *inner = NULL;

	if (attno <= 0)
		return NULL;
	if (rte->rtekind == RTE_JOIN)
		return attno <= list_length(rte->joinaliasvars) ? list_nth(rte->joinaliasvars, attno - 1) : NULL;
	if (attno <= list_length(elac_rte_group_exprs(rte)))
		return list_nth(elac_rte_group_exprs(rte), attno - 1);
	if (rte->rtekind == RTE_SUBQUERY)
		inner = rte->subquery;
	else if (rte->rtekind == RTE_CTE)
		inner = find_cte(*query, rte);
	if (inner == NULL)
		return NULL;
	*query = inner;
	return query_output(inner, attno);
}

/* Finds the table that node is an expression over; false when there is none, or several. */
static bool
trace_operand(PlannerInfo *root, Node *node, BindSource *source, Node **operand)
{
	Query	   *query = root->parse;
	bool		inside = false; /* of a subquery that is not preprocessed yet */

	for (int step = 0; step < TRACE_STEPS_MAX; step++)
	{
		VarContext	context = {0};
		RangeTblEntry *rte;

		if (node == NULL)
			return false;
		node = strip_wrappers(node);
		find_var_walker(node, &context);
		if (!context.found || context.mixed || (inside && context.levelsup > 0))
			return false;
		for (Index level = 0; level < context.levelsup; level++)
		{
			root = root->parent_root;
			if (root == NULL)
				return false;
			query = root->parse;
		}
		if (context.varno < 1 || context.varno > list_length(query->rtable))
			return false;
		rte = rt_fetch(context.varno, query->rtable);
		if (rte->rtekind == RTE_RELATION)
		{
			if (inside)
				node = eval_const_expressions(NULL, node);
			source->query = query;
			source->varno = context.varno;
			source->relid = rte->relid;
			*operand = strip_wrappers(normalize_mutator(node, NULL));
			return true;
		}
		if (!IsA(node, Var))
			return false;
		inside = inside || rte->rtekind == RTE_SUBQUERY || rte->rtekind == RTE_CTE;
		node = trace_column(&query, rte, ((Var *) node)->varattno);
	}
	return false;
}

/* Traces all operands, which must be of one table. */
static bool
trace_operands(PlannerInfo *root, List *nodes, BindSource *source)
{
	ListCell   *cell;

	memset(source, 0, sizeof(BindSource));
	foreach(cell, nodes)
	{
		BindSource	found;
		Node	   *operand;

		if (!trace_operand(root, lfirst(cell), &found, &operand))
			return false;
		if (source->operands != NIL && (found.query != source->query || found.varno != source->varno))
			return false;
		source->query = found.query;
		source->varno = found.varno;
		source->relid = found.relid;
		source->operands = lappend(source->operands, operand);
	}
	return source->operands != NIL;
}

/* ---- looking for an index ---- */

/* Attribute number of the BM25 field that indexes operand, 0 when none does. */
static AttrNumber
index_field(Relation index, Node *operand, Oid member)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	ListCell   *expression = list_head(expressions);

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		AttrNumber	attno = index->rd_index->indkey.values[i];
		bool		same;

		if (attno != 0)
			same = IsA(operand, Var) && ((Var *) operand)->varattno == attno;
		else
		{
			same = equal(strip_wrappers(lfirst(expression)), operand);
			expression = lnext(expressions, expression);
		}
		if (same && SearchSysCacheExists3(AMOPOPID, ObjectIdGetDatum(member), CharGetDatum(AMOP_ORDER),
										  ObjectIdGetDatum(index->rd_opfamily[i])))
			return i + 1;
	}
	return 0;
}

/* True when the index has all operands; attnos[] gets their fields. */
static bool
index_covers(Oid indexoid, Oid am, bool partial, const BindSource *source, Oid member, int16 *attnos)
{
	Relation	index = index_open(indexoid, AccessShareLock);
	bool		covers = index->rd_rel->relam == am && index->rd_index->indisvalid &&
		(RelationGetIndexPredicate(index) != NIL) == partial;
	ListCell   *cell;

	foreach(cell, source->operands)
	{
		int			i = foreach_current_index(cell);

		if (!covers)
			break;
		attnos[i] = index_field(index, lfirst(cell), member);
		covers = attnos[i] != 0;
	}
	index_close(index, AccessShareLock);
	return covers;
}

/* The index to bind to; InvalidOid when no index has all operands. */
static Oid
find_index(const BindSource *source, Oid member, int16 *attnos)
{
	Oid			am = get_index_am_oid("elacsym", true);
	Oid			result = InvalidOid;
	Relation	table = table_open(source->relid, NoLock);	/* the statement holds a lock */
	List	   *indexes = table->rd_rel->relhasindex ? RelationGetIndexList(table) : NIL;

	for (int partial = 0; partial <= 1; partial++)
	{
		ListCell   *cell;

		foreach(cell, indexes)	/* in the order of OIDs */
			if (!OidIsValid(result) && index_covers(lfirst_oid(cell), am, partial == 1, source, member, attnos))
				result = lfirst_oid(cell);
	}
	table_close(table, NoLock);
	return result;
}

/* ---- where there is none ---- */

/* The operands, separated by commas: as SQL, or as columns of an index. */
static char *
source_text(const BindSource *source, bool columns)
{
	List	   *context = deparse_context_for(get_rel_name(source->relid), source->relid);
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, source->operands)
	{
		Node	   *operand = lfirst(cell);
		/* an operator's expression has its parentheses */
		bool		bare = !columns || IsA(operand, Var) || IsA(operand, OpExpr);

		appendStringInfo(&text, "%s%s%s%s", text.len > 0 ? ", " : "", bare ? "" : "(",
						 IsA(operand, Var) && !columns ?
						 get_attname(source->relid, ((Var *) operand)->varattno, false) :
						 deparse_expression(operand, context, false, false), bare ? "" : ")");
		if (columns && exprType(operand) == TEXTARRAYOID)
			appendStringInfoString(&text, " text_array_bm25_ops");
	}
	return text.data;
}

/* Could an index have all the operands?  Not what is computed of several rows. */
static bool
source_is_indexable(const BindSource *source)
{
	return !contain_agg_clause((Node *) source->operands) && !contain_window_function((Node *) source->operands);
}

/* The operands' table has no index that has them all. */
pg_noreturn static void
raise_missed(const BindSource *source)
{
	const char *table = get_rel_name(source->relid);
	const char *operands = source_text(source, false);
	bool		partitioned = get_rel_relkind(source->relid) == RELKIND_PARTITIONED_TABLE;

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 list_length(source->operands) == 1 ?
			 errmsg("no elacsym index of table \"%s\" has \"%s\" as a BM25 field", table, operands) :
			 errmsg("no elacsym index of table \"%s\" has all of \"%s\" as BM25 fields", table, operands),
			 partitioned ?
			 errdetail("Scores need the statistics of all partitions, which an index of the partitioned table has. "
					   "Indexes that were created on its partitions alone do not serve it.") :
			 errdetail("Scores need the statistics of an index."),
			 errhint("Create one: CREATE INDEX ON %s USING elacsym (%s).", quote_identifier(table), source_text(source, true))));
}

/* ---- rewriting the call ---- */

static Oid
find_operator(const char *name, Oid left, Oid right, Oid schema)
{
	return GetSysCacheOid4(OPERNAMENSP, Anum_pg_operator_oid, CStringGetDatum(name),
						   ObjectIdGetDatum(left), ObjectIdGetDatum(right), ObjectIdGetDatum(schema));
}

/*
 * By schema and name, not by search_path, whose privileges would be the
 * caller's.  left is the left operand's type, column the type of each column.
 */
static bool
find_objects(Oid function, Oid left, Oid column, Oid right, BindObjects *objects)
{
	Oid			schema = get_func_namespace(function);
	Oid			types[3] = {right, REGCLASSOID, left != column ? INT2ARRAYOID : INT2OID};

	objects->bind = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("elacsym_bind"),
									PointerGetDatum(buildoidvector(types, 3)), ObjectIdGetDatum(schema));
	if (!OidIsValid(objects->bind))
		return false;
	objects->type = get_func_rettype(objects->bind);
	objects->member = find_operator("<@>", column, objects->type, schema);
	objects->op = find_operator("<@>", left, objects->type, schema);
	return OidIsValid(objects->member) && OidIsValid(objects->op);
}

/* Is node a call of elacsym_bind(), of the same schema as <@>? */
static bool
is_bind_call(Node *node, Oid function)
{
	FuncExpr   *call = (FuncExpr *) node;
	char	   *name;

	if (!IsA(node, FuncExpr) || list_length(call->args) != 3 ||
		get_func_namespace(call->funcid) != get_func_namespace(function))
		return false;
	name = get_func_name(call->funcid);
	return name != NULL && strcmp(name, "elacsym_bind") == 0;
}

/*
 * The left operand as an array spelled out, which scans recognise; NULL when
 * it is no such thing.  An array of varchars is made one of texts.
 */
static ArrayExpr *
column_array(Node *left)
{
	ArrayExpr  *array;
	bool		coerced;
	ListCell   *cell;

	left = strip_wrappers(left);
	coerced = IsA(left, ArrayCoerceExpr);
	if (coerced)
		left = strip_wrappers((Node *) ((ArrayCoerceExpr *) left)->arg);
	if (!IsA(left, ArrayExpr) || ((ArrayExpr *) left)->multidims)
		return NULL;
	array = (ArrayExpr *) left;
	if (!coerced)
		return array;
	if (array->element_typeid != VARCHAROID)
		return NULL;
	array = copyObject(array);
	array->array_typeid = TEXTARRAYOID;
	array->element_typeid = TEXTOID;
	foreach(cell, array->elements)
		lfirst(cell) = makeRelabelType(lfirst(cell), TEXTOID, -1, exprCollation(lfirst(cell)), COERCE_IMPLICIT_CAST);
	return array;
}

/* elacsym_bind(right, index, attnos) */
static Expr *
make_bind(const BindObjects *objects, Node *right, Oid index, const int16 *attnos, int nattnos, bool columns)
{
	Const	   *index_const = makeConst(REGCLASSOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(index), false, true);
	Const	   *columns_const;

	if (columns)
	{
		Datum	   *values = palloc(nattnos * sizeof(Datum));

		for (int i = 0; i < nattnos; i++)
			values[i] = Int16GetDatum(attnos[i]);
		columns_const = makeConst(INT2ARRAYOID, -1, InvalidOid, -1,
								  PointerGetDatum(construct_array(values, nattnos, INT2OID, sizeof(int16), true, TYPALIGN_SHORT)),
								  false, false);
	}
	else
		columns_const = makeConst(INT2OID, -1, InvalidOid, sizeof(int16), Int16GetDatum(attnos[0]), false, true);
	return (Expr *) makeFuncExpr(objects->bind, objects->type, list_make3(right, index_const, columns_const),
								 InvalidOid, exprCollation(right), COERCE_EXPLICIT_CALL);
}

/*
 * The call with its query bound to an index that has all operands, of type
 * column; NULL when there is none.  *missed gets the operands that no index
 * has when their table was found.
 */
static Node *
bind_operands(PlannerInfo *root, FuncExpr *call, Node *left, List *operands, Oid column, BindSource *missed)
{
	Node	   *right = lsecond(call->args);
	Oid			type = exprType(left);
	int16		attnos[ELAC_MAX_COLUMNS];
	BindObjects objects;
	BindSource	source;
	Oid			index;
	OpExpr	   *bound;

	if (operands == NIL || list_length(operands) > ELAC_MAX_COLUMNS ||
		!find_objects(call->funcid, type, column, exprType(right), &objects) ||
		!trace_operands(root, operands, &source))
		return NULL;
	index = find_index(&source, objects.member, attnos);
	if (!OidIsValid(index))
	{
		if (!OidIsValid(missed->relid) && source_is_indexable(&source))
			*missed = source;
		return NULL;
	}
	bound = (OpExpr *) make_opclause(objects.op, FLOAT8OID, false, (Expr *) left,
									 make_bind(&objects, right, index, attnos, list_length(operands), type != column),
									 InvalidOid, call->inputcollid);
	bound->opfuncid = get_opcode(objects.op);
	return (Node *) bound;
}

/* The bound form of a call of <@>, or NULL to leave it as it is. */
static Node *
bind_call(PlannerInfo *root, FuncExpr *call)
{
	Node	   *left = linitial(call->args);
	Oid			element = get_element_type(exprType(left));
	ArrayExpr  *array = OidIsValid(element) ? column_array(left) : NULL;
	Node	   *bound = NULL;
	BindSource	missed = {0};

	if (is_bind_call(lsecond(call->args), call->funcid))
		return NULL;
	if (array != NULL)
		bound = bind_operands(root, call, (Node *) array, array->elements, element, &missed);
	if (bound == NULL)
		bound = bind_operands(root, call, left, list_make1(left), exprType(left), &missed);
	/* nothing is asked by NULL */
	if (bound == NULL && OidIsValid(missed.relid) && !(IsA(lsecond(call->args), Const) && lsecond_node(Const, call->args)->constisnull))
		raise_missed(&missed);
	return bound;
}

/* Support function of <@>. */
Datum
elac_text_query_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestSimplify))
	{
		SupportRequestSimplify *simplify = (SupportRequestSimplify *) request;

		if (simplify->root != NULL && list_length(simplify->fcall->args) == 2)
			result = bind_call(simplify->root, simplify->fcall);
	}
	PG_RETURN_POINTER(result);
}

/*
 * May the user read the columns of the table that this argument names, by their
 * places in the index?  One that is not constant may name any.  An expression
 * takes the right to read the table.
 */
static bool
bind_columns_are_readable(Oid index_oid, Oid table, Node *columns)
{
	Relation	index = index_open(index_oid, AccessShareLock);
	int			natts = index->rd_index->indnatts;
	bool	   *named = palloc0(natts * sizeof(bool));
	bool		readable = true;

	if (IsA(columns, Const) && ((Const *) columns)->constisnull)
		natts = 0;
	else if (IsA(columns, Const) && ((Const *) columns)->consttype == INT2OID)
	{
		int			attno = DatumGetInt16(((Const *) columns)->constvalue);

		if (attno >= 1 && attno <= natts)
			named[attno - 1] = true;
	}
	else
		memset(named, true, natts * sizeof(bool));
	for (int i = 0; i < natts; i++)
		if (named[i] && (index->rd_index->indkey.values[i] == 0 ||
						 pg_attribute_aclcheck(table, index->rd_index->indkey.values[i], GetUserId(), ACL_SELECT) != ACLCHECK_OK))
			readable = false;
	pfree(named);
	index_close(index, AccessShareLock);
	return readable;
}

/*
 * Support function of elacsym_bind().  Scores tell how frequent words are, so
 * somebody who spells the call out must be allowed to read the index's table,
 * or the columns named.
 * Calls that bind_call() makes do not come by here: whoever may use a view
 * need not have privileges on the table below it.
 */
Datum
elac_text_query_bind_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Const	   *index;
	Oid			table;

	if (!IsA(request, SupportRequestSimplify) || list_length(((SupportRequestSimplify *) request)->fcall->args) != 3)
		PG_RETURN_POINTER(NULL);
	index = lsecond(((SupportRequestSimplify *) request)->fcall->args);
	if (!IsA(index, Const))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the index given to elacsym_bind() must be a constant")));
	if (index->constisnull)
		PG_RETURN_POINTER(NULL);
	table = IndexGetRelation(DatumGetObjectId(index->constvalue), true);
	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not an index",
						DatumGetCString(DirectFunctionCall1(regclassout, index->constvalue)))));
	if (DatumGetObjectId(index->constvalue) != elac_bound_query_granted &&
		pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		!bind_columns_are_readable(DatumGetObjectId(index->constvalue), table,
								   lthird(((SupportRequestSimplify *) request)->fcall->args)))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	PG_RETURN_POINTER(NULL);
}
