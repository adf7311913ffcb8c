/*
 * compile.c
 *	  Compiles text requests: the words of a query analysed as each column's
 *	  texts are, or a tsquery, spread over the fields that it is asked of.
 *
 * A field is a column, or one label of a tsvector column.  Whatever a field's
 * weight, a column that is asked has at least one field, since its NULLs count.
 * What a tsquery becomes for columns with bigrams is compile_bigrams.c's.
 */
#include "postgres.h"

#include <math.h>

#include "tsearch/ts_utils.h"

#include "text/analyze.h"
#include "text/bigrams.h"
#include "text/compile.h"
#include "text/compile_private.h"

/* ---- fields ---- */

static void
compile_check_columns(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name)
{
	bool		labels = false;

	for (int i = 0; i < request->ncolumns; i++)
	{
		int			column = request->columns[i];

		if (column < 0 || column >= schema->ncolumns || schema->columns[column].kind != ELAC_COLUMN_TEXT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column %d of index \"%s\" is not indexed for BM25", column + 1, index_name)));
		labels = request->ncolumns == 1 && schema->columns[column].element == ELAC_TEXT_TSVECTOR;
	}
	if (request->nweights > 0 && request->nweights != request->ncolumns &&
		!(labels && request->nweights == ELAC_LABEL_WEIGHTS))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("number of weights (%d) does not match number of columns of the query (%d)",
						request->nweights, request->ncolumns),
				 labels ? errhint("A tsvector column takes one weight, or four: of labels D, C, B and A.") : 0));
}

static void
compile_check_phrases(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name,
					  bool asked, bool bigrams)
{
	for (int i = 0; i < request->ncolumns; i++)
	{
		const ElacColumn *column = &schema->columns[request->columns[i]];

		if ((column->flags & ELAC_TEXT_POSITIONS) == 0 &&
			(asked || (bigrams && (column->flags & ELAC_TEXT_BIGRAMS) != 0)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column %d of index \"%s\" cannot be searched for phrases",
							request->columns[i] + 1, index_name),
					 errdetail("The index was built without positions."),
					 errhint("Build it with positions = on for that column, or ask with & instead of <->.")));
	}
}

static float
compile_weight(const ElacTextRequest *request, int i, const ElacColumn *column, int label)
{
	if (label == ELAC_LABEL_NONE)
		label = ELAC_LABEL_D;
	if (request->nweights == 0)
		return column->weight * column->label_weight[label];
	/* four for one column are of its labels */
	if (request->nweights != request->ncolumns)
		return request->weights[label];
	return request->weights[i] * column->label_weight[label];
}

/* Adds a field; terms belong to it from now on. */
static ElacBm25Field *
compile_add_field(ElacBm25Query *query, const ElacTextRequest *request, int i, const ElacColumn *column, int label)
{
	ElacBm25Field *field = &query->fields[query->nfields++];

	field->column = request->columns[i];
	field->label = label;
	field->k1 = column->k1;
	field->b = column->b;
	field->weight = compile_weight(request, i, column, label);
	return field;
}

static int
compile_nlabels(const ElacColumn *column)
{
	return column->element == ELAC_TEXT_TSVECTOR ? ELAC_LABELS : 1;
}

/* ---- words ---- */

/*
 * Which word of the query a lexeme stems from.  Lexemes of one token are one
 * word, whatever the column, and so are tokens that have a lexeme in common:
 * the second "dog" of a query asks for nothing new.
 */
typedef struct WordSlots
{
	uint16		parent[ELAC_POSITION_MAX + 1];	/* of a token position; itself at the root, 0 when there is no token */
	uint32		slot[ELAC_POSITION_MAX + 1];	/* of a root */
	uint32		nslots;
	uint16		last;			/* position of the last token */
} WordSlots;

static uint16
slots_root(WordSlots *slots, uint16 position)
{
	while (slots->parent[position] != position)
	{
		slots->parent[position] = slots->parent[slots->parent[position]];
		position = slots->parent[position];
	}
	return position;
}

/* Takes note of the tokens of one column's analysis. */
static void
slots_add(WordSlots *slots, const ElacTermVector *words)
{
	for (uint32 t = 0; t < words->nterms; t++)
	{
		const ElacTerm *term = &words->terms[t];

		for (uint32 p = 0; p < term->npositions; p++)
		{
			uint16		position = term->positions[p];

			if (slots->parent[position] == 0)
				slots->parent[position] = position;
			if (p > 0)
				slots->parent[slots_root(slots, position)] = slots_root(slots, term->positions[0]);
			slots->last = Max(slots->last, position);
		}
	}
}

static void
slots_number(WordSlots *slots)
{
	for (uint32 position = 1; position <= slots->last; position++)
		if (slots->parent[position] == position)
			slots->slot[position] = slots->nslots++;
}

static void
compile_word_term(ElacBm25Field *field, const ElacTerm *word, uint32 qtf, bool prefix, uint32 slot)
{
	ElacBm25Term *term = &field->terms[field->nterms++];

	memset(term, 0, sizeof(*term));
	term->bytes = word->bytes;
	term->len = word->len;
	term->qtf = qtf;
	term->prefix = prefix;
	term->slot = slot;
}

static void
compile_word_terms(ElacBm25Field *field, const ElacTermVector *words, WordSlots *slots, bool bigrams, bool prefix)
{
	/* the last word may be one term more: as it is, and as a prefix */
	field->terms = palloc_extended(((Size) words->nterms * 2 + 1) * sizeof(ElacBm25Term), MCXT_ALLOC_HUGE);
	for (uint32 t = 0; t < words->nterms; t++)
	{
		const ElacTerm *word = &words->terms[t];
		uint32		slot = slots->slot[slots_root(slots, word->positions[0])];
		bool		last = prefix && word->positions[word->npositions - 1] == slots->last;

		if (bigrams && elac_bigrams_is_character(word->bytes, word->len))
		{
			compile_word_term(field, word, word->tf, true, slot);
			continue;
		}
		if (word->tf > (last ? 1 : 0))
			compile_word_term(field, word, word->tf - (last ? 1 : 0), false, slot);
		if (last)
			compile_word_term(field, word, 1, true, slot);
	}
}

/* What a share, or a number, of words is; never more than there are. */
static uint32
compile_min_match(float min_match, uint32 nslots)
{
	double		wanted = min_match < 1 ? floor((double) min_match * nslots) : min_match;

	return (uint32) Max(Min(wanted, (double) nslots), 1.0);
}

static void
compile_words(ElacBm25Query *query, const ElacSchema *schema, const ElacTextRequest *request)
{
	ElacTermVector *words = palloc(sizeof(ElacTermVector) * request->ncolumns);
	WordSlots  *slots = palloc0(sizeof(WordSlots));

	for (int i = 0; i < request->ncolumns; i++)
	{
		const ElacColumn *column = &schema->columns[request->columns[i]];

		elac_text_analyze_words(column, elac_text_config(column->config), request->words, &words[i]);
		slots_add(slots, &words[i]);
	}
	slots_number(slots);
	for (int i = 0; i < request->ncolumns; i++)
	{
		const ElacColumn *column = &schema->columns[request->columns[i]];
		int			first = query->nfields;

		for (int label = 0; label < compile_nlabels(column); label++)
			if (compile_weight(request, i, column, label) > 0)
				compile_word_terms(compile_add_field(query, request, i, column, label), &words[i], slots,
								   (column->flags & ELAC_TEXT_BIGRAMS) != 0, request->prefix);
		/* where words do not count they are not looked for */
		if (query->nfields == first)
			compile_add_field(query, request, i, column, ELAC_LABEL_D);
	}
	query->nslots = slots->nslots;
	query->min_match = compile_min_match(request->min_match, slots->nslots);
	pfree(slots);
}

/* ---- conditions ---- */

/* An operand of the condition; equal ones become one term. */
typedef struct Operand
{
	const char *bytes;
	uint32		len;
	bool		prefix;
	bool		positive;		/* not under NOT */
	uint8		labels;			/* that it asks for, a bit each */
	int			item;
	uint32		slot;			/* number among the distinct ones */
} Operand;

static int
compare_operands(const void *a, const void *b)
{
	const Operand *x = a;
	const Operand *y = b;
	int			cmp = elac_term_compare(x->bytes, x->len, y->bytes, y->len);

	if (cmp != 0)
		return cmp;
	if (x->prefix != y->prefix)
		return x->prefix ? 1 : -1;
	return x->item - y->item;
}

/* For each item whether it lies under NOT.  Operands come after their operators. */
static bool *
condition_negations(const QueryItem *items, int nitems)
{
	bool	   *negated = palloc0(nitems * sizeof(bool));

	for (int i = 0; i < nitems; i++)
	{
		const QueryOperator *op = &items[i].qoperator;

		if (items[i].type != QI_OPR)
			continue;
		negated[i + 1] = negated[i] || op->oper == OP_NOT;
		if (op->oper != OP_NOT)
			negated[i + op->left] = negated[i];
	}
	return negated;
}

/* The operands, by lexeme; returns how many, and the number of distinct ones. */
static int
condition_operands(TSQuery condition, Operand **dst, uint32 *ndistinct)
{
	const QueryItem *items = GETQUERY(condition);
	bool	   *negated = condition_negations(items, condition->size);
	Operand    *operands = palloc(Max(condition->size, 1) * sizeof(Operand));
	int			n = 0;

	for (int i = 0; i < condition->size; i++)
	{
		const QueryOperand *value = &items[i].qoperand;

		if (items[i].type != QI_VAL)
			continue;
		operands[n].bytes = GETOPERAND(condition) + value->distance;
		operands[n].len = value->length;
		operands[n].prefix = value->prefix;
		operands[n].positive = !negated[i];
		operands[n].labels = value->weight != 0 ? value->weight : (1 << ELAC_LABEL_WEIGHTS) - 1;
		operands[n++].item = i;
	}
	qsort(operands, n, sizeof(Operand), compare_operands);
	*ndistinct = 0;
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && (operands[i].prefix != operands[i - 1].prefix ||
					  elac_term_compare(operands[i].bytes, operands[i].len,
										operands[i - 1].bytes, operands[i - 1].len) != 0))
			(*ndistinct)++;
		operands[i].slot = *ndistinct;
	}
	if (n > 0)
		(*ndistinct)++;
	pfree(negated);
	*dst = operands;
	return n;
}

/* Is operand looked for in this field? */
static bool
operand_concerns(const Operand *operand, const ElacBigramItem *items, int label, bool bigrams)
{
	ElacBigramItem kind = items != NULL ? items[operand->item] : ELAC_BIGRAM_BOTH;

	/* the server lets lexemes without label match whatever is asked for */
	return (label == ELAC_LABEL_NONE || (operand->labels & (1 << label)) != 0) && operand->len > 0 &&
		kind != (bigrams ? ELAC_BIGRAM_WITHOUT : ELAC_BIGRAM_WITH);
}

/* The terms of one field; term_of[item] says which of them an item is, -1: none. */
static void
compile_operand_terms(ElacBm25Field *field, const Operand *operands, int noperands, const ElacBigramItem *items,
					  bool bigrams, int32 *term_of)
{
	const Operand *last = NULL;

	field->terms = palloc0(Max(noperands, 1) * sizeof(ElacBm25Term));
	for (int i = 0; i < noperands; i++)
	{
		const Operand *operand = &operands[i];

		if (!operand_concerns(operand, items, field->label, bigrams))
			continue;
		if (last == NULL || last->slot != operand->slot)
		{
			ElacBm25Term *term = &field->terms[field->nterms++];

			term->bytes = operand->bytes;
			term->len = operand->len;
			term->prefix = operand->prefix;
			term->slot = operand->slot;
		}
		last = operand;
		field->terms[field->nterms - 1].qtf += operand->positive ? 1 : 0;
		term_of[operand->item] = field->nterms - 1;
	}
}

/* What an item is in each field, from what it is in each. */
static int32 *
condition_table(int nitems, int32 **term_of, int nfields)
{
	int32	   *table = palloc_extended(Max((Size) nitems * nfields, 1) * sizeof(int32), MCXT_ALLOC_HUGE);

	for (int item = 0; item < nitems; item++)
		for (int f = 0; f < nfields; f++)
			table[(Size) item * nfields + f] = term_of[f][item];
	return table;
}

static void
compile_condition(ElacBm25Query *query, const ElacSchema *schema, const ElacTextRequest *request,
				  const char *index_name)
{
	ElacBigramItem *items = NULL;
	TSQuery		condition = elac_text_bigram_condition(schema, request, &items);
	Operand    *operands;
	int			noperands = condition_operands(condition, &operands, &query->nslots);
	int32	  **term_of = palloc(sizeof(int32 *) * ELAC_LABELS * request->ncolumns);

	compile_check_phrases(schema, request, index_name, elac_text_has_phrase(request->condition),
						  elac_text_has_phrase(condition));
	for (int i = 0; i < request->ncolumns; i++)
	{
		const ElacColumn *column = &schema->columns[request->columns[i]];
		int			nlabels = compile_nlabels(column);
		int			first = query->nfields;

		for (int label = 0; label < nlabels; label++)
		{
			ElacBm25Field *field = compile_add_field(query, request, i, column, label);

			term_of[query->nfields - 1] = palloc(Max(condition->size, 1) * sizeof(int32));
			memset(term_of[query->nfields - 1], -1, condition->size * sizeof(int32));
			compile_operand_terms(field, operands, noperands, items, (column->flags & ELAC_TEXT_BIGRAMS) != 0,
								  term_of[query->nfields - 1]);
			/* a label that nothing is asked of is no field, unless the column has no other */
			if (field->nterms == 0 && (label < nlabels - 1 || query->nfields - 1 > first))
			{
				query->nfields--;
				memset(field, 0, sizeof(*field));
			}
		}
	}
	query->condition = condition;
	query->operands = condition_table(condition->size, term_of, query->nfields);
	pfree(operands);
}

bool
elac_text_has_phrase(TSQuery condition)
{
	const QueryItem *items = GETQUERY(condition);

	for (int i = 0; i < condition->size; i++)
		if (items[i].type == QI_OPR && items[i].qoperator.oper == OP_PHRASE)
			return true;
	return false;
}

ElacBm25Query *
elac_text_compile(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name)
{
	ElacBm25Query *query = palloc0(sizeof(ElacBm25Query));

	compile_check_columns(schema, request, index_name);
	query->combine = request->combine;
	query->fields = palloc0(sizeof(ElacBm25Field) * ELAC_LABELS * request->ncolumns);
	if (request->words != NULL)
		compile_words(query, schema, request);
	else
		compile_condition(query, schema, request, index_name);
	return query;
}
