/*
 * text_condition.c
 *	  The condition of a query, a tsquery, for one document.
 *
 * Operators above phrases are plain logic over the operands, each true when
 * any field has its term.  A phrase must hold within one column: it is given,
 * column by column, to the server's TS_execute(), which asks for positions
 * through a callback.  Phrases of nothing but words, which is what people
 * write, are decided here: every word has a fixed distance to the end of the
 * phrase, so the ends that all words agree on are an intersection.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tsearch/ts_utils.h"

#include "text/text_condition.h"

/* Whom the callback is asked for: the fields of one column. */
typedef struct PhraseScope
{
	const ElacTextEvidence *evidence;
	int			first_field;
	int			end_field;
} PhraseScope;

void
elac_positions_add(ElacPositionSet *set, const uint16 *positions, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint16		position = Min(positions[i], ELAC_POSITION_MAX);

		set->words[position / 64] |= UINT64CONST(1) << (position % 64);
	}
}

uint32
elac_positions_list(const ElacPositionSet *set, uint16 *dst)
{
	uint32		n = 0;

	for (uint32 word = 0; word < lengthof(set->words); word++)
		for (uint64 bits = set->words[word]; bits != 0; bits &= bits - 1)
			dst[n++] = (uint16) (word * 64 + (uint32) __builtin_ctzll(bits));
	return n;
}

/* Which term of a field an item is; -1: none. */
static inline int32
operand_term(const ElacBm25Query *query, uint32 item, int field)
{
	return query->operands[(Size) item * query->nfields + field];
}

/*
 * Positions of an operand in one column, all labels together, into dst of
 * ELAC_POSITIONS_ROOM.  0 when it is absent, or when some are not known.
 */
static uint32
scope_positions(const PhraseScope *scope, uint32 item, uint16 *dst, bool *unknown)
{
	const ElacTextEvidence *evidence = scope->evidence;
	ElacPositionSet set;
	uint32		n = 0;
	int			parts = 0;

	*unknown = false;
	for (int f = scope->first_field; f < scope->end_field; f++)
	{
		int32		term = operand_term(evidence->query, item, f);

		if (term < 0 || !evidence->has(evidence->arg, f, term))
			continue;
		if (parts == 1)
		{
			memset(&set, 0, sizeof(set));
			elac_positions_add(&set, dst, n);
		}
		n = evidence->positions(evidence->arg, f, term, dst);
		if (n == 0)
		{
			*unknown = true;
			return 0;
		}
		if (parts >= 1)
			elac_positions_add(&set, dst, n);
		parts++;
	}
	return parts > 1 ? elac_positions_list(&set, dst) : n;
}

/* TSExecuteCallback */
static TSTernaryValue
phrase_operand(void *arg, QueryOperand *val, ExecPhraseData *data)
{
	static uint16 positions[ELAC_POSITIONS_ROOM];
	const PhraseScope *scope = arg;
	uint32		item = (uint32) ((QueryItem *) val - GETQUERY(scope->evidence->query->condition));
	uint32		n;
	bool		unknown;

	if (data == NULL)
	{
		for (int f = scope->first_field; f < scope->end_field; f++)
		{
			int32		term = operand_term(scope->evidence->query, item, f);

			if (term >= 0 && scope->evidence->has(scope->evidence->arg, f, term))
				return TS_YES;
		}
		return TS_NO;
	}
	n = scope_positions(scope, item, positions, &unknown);
	if (n == 0)
		return unknown ? TS_MAYBE : TS_NO;
	data->pos = palloc(n * sizeof(WordEntryPos));
	memcpy(data->pos, positions, n * sizeof(WordEntryPos));
	data->npos = (int) n;
	data->allocated = true;
	return TS_YES;
}

/*
 * Lists the words below an item that is so far before the phrase's end.
 * Returns how wide its match is, -1 when there is more than words.
 */
static int64
phrase_flatten(const QueryItem *items, uint32 item, uint32 before_end, ElacPhraseWord *words, int *nwords)
{
	const QueryOperator *phrase = &items[item].qoperator;
	int64		right;
	int64		left;

	check_stack_depth();
	if (items[item].type == QI_VAL)
	{
		if (*nwords == ELAC_PHRASE_WORDS)
			return -1;
		words[*nwords].item = item;
		words[(*nwords)++].before_end = before_end;
		return 0;
	}
	if (phrase->oper != OP_PHRASE)
		return -1;
	right = phrase_flatten(items, item + 1, before_end, words, nwords);
	if (right < 0)
		return -1;
	left = phrase_flatten(items, item + phrase->left, before_end + (uint32) (phrase->distance + right), words, nwords);
	return left < 0 ? -1 : phrase->distance + right + left;
}

int
elac_phrase_words(const QueryItem *items, uint32 item, ElacPhraseWord words[ELAC_PHRASE_WORDS])
{
	int			nwords = 0;

	return phrase_flatten(items, item, 0, words, &nwords) < 0 ? 0 : nwords;
}

/* A phrase of words alone, in one column. */
static bool
phrase_words_hold(const PhraseScope *scope, const ElacPhraseWord *words, int nwords)
{
	static uint16 positions[ELAC_POSITIONS_ROOM];
	static uint32 ends[ELAC_POSITIONS_ROOM];	/* of the phrase, as the words so far allow */
	uint32		nends = 0;

	for (int w = 0; w < nwords; w++)
	{
		bool		unknown;
		uint32		n = scope_positions(scope, words[w].item, positions, &unknown);
		uint32		kept = 0;
		uint32		e = 0;

		for (uint32 i = 0; i < n; i++)
		{
			uint32		end = positions[i] + words[w].before_end;

			if (w == 0)
			{
				ends[kept++] = end;
				continue;
			}
			while (e < nends && ends[e] < end)
				e++;
			if (e < nends && ends[e] == end)
				ends[kept++] = end;
		}
		nends = kept;
		if (nends == 0)
			return false;
	}
	return true;
}

bool
elac_text_phrase_holds(const ElacTextEvidence *evidence, uint32 item)
{
	const ElacBm25Query *query = evidence->query;
	QueryItem  *items = GETQUERY(query->condition);
	ElacPhraseWord words[ELAC_PHRASE_WORDS];
	int			nwords = elac_phrase_words(items, item, words);
	PhraseScope scope;

	scope.evidence = evidence;
	for (int f = 0; f < query->nfields; f = scope.end_field)
	{
		scope.first_field = f;
		scope.end_field = f + 1;
		while (scope.end_field < query->nfields && query->fields[scope.end_field].column == query->fields[f].column)
			scope.end_field++;
		if (nwords > 0 ? phrase_words_hold(&scope, words, nwords) :
			TS_execute(items + item, &scope, TS_EXEC_EMPTY, phrase_operand))
			return true;
	}
	return false;
}

static bool
condition_holds(const ElacTextEvidence *evidence, uint32 item)
{
	const ElacBm25Query *query = evidence->query;
	const QueryItem *node = GETQUERY(query->condition) + item;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (node->type == QI_VAL)
	{
		for (int f = 0; f < query->nfields; f++)
		{
			int32		term = operand_term(query, item, f);

			if (term >= 0 && evidence->has(evidence->arg, f, term))
				return true;
		}
		return false;
	}
	switch (node->qoperator.oper)
	{
		case OP_NOT:
			return !condition_holds(evidence, item + 1);
		case OP_AND:
			return condition_holds(evidence, item + node->qoperator.left) && condition_holds(evidence, item + 1);
		case OP_OR:
			return condition_holds(evidence, item + node->qoperator.left) || condition_holds(evidence, item + 1);
		case OP_PHRASE:
			return elac_text_phrase_holds(evidence, item);
	}
	elog(ERROR, "unrecognized operator of a text query: %d", node->qoperator.oper);
	return false;
}

bool
elac_text_condition_holds(const ElacTextEvidence *evidence)
{
	/* the server's @@ is false for a query without any word */
	return evidence->query->condition->size > 0 && condition_holds(evidence, 0);
}
