/*
 * elac_text_test.c
 *	  SQL functions over text/analyze.h, for test/t/100_text_analysis.pl alone.
 *
 * The reference is the server: to_tsvector() for lexemes and positions,
 * parsetext() for how often a lexeme occurs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tsearch/ts_type.h"
#include "tsearch/ts_utils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "text/analyze.h"
#include "text/token_parser.h"

PG_MODULE_MAGIC;

#define TEST_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

TEST_FUNCTION(text_lexemes);
TEST_FUNCTION(text_words);
TEST_FUNCTION(text_array_lexemes);
TEST_FUNCTION(text_vector_lexemes);
TEST_FUNCTION(text_differs);
TEST_FUNCTION(text_fuzz);
TEST_FUNCTION(text_analyzed);
TEST_FUNCTION(text_counters);
TEST_FUNCTION(text_check_bigrams);

static void
test_column(ElacColumn *column, ElacTextType type, int flags)
{
	memset(column, 0, sizeof(*column));
	column->kind = ELAC_COLUMN_TEXT;
	column->element = type;
	column->flags = (uint8) flags;
}

/* Through the flat form and back: what the index sees. */
static void
test_flatten(ElacTermVector *terms)
{
	Size		size = elac_terms_serialized_size(terms);
	uint8	   *bytes = palloc(size + 1);

	bytes[size] = 0x55;
	elac_terms_serialize(terms, bytes);
	if (bytes[size] != 0x55)
		elog(ERROR, "flat form is longer than its size");
	if (!elac_terms_parse(bytes, size, terms))
		elog(ERROR, "flat form cannot be parsed");
}

/* lexeme:tf@positions, a label in front of the lexeme when it has one */
static void
append_vector(StringInfo out, const ElacTermVector *vector, const char *label)
{
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		const ElacTerm *term = &vector->terms[i];

		appendStringInfo(out, "%s%s", out->len > 0 ? " " : "", label);
		appendBinaryStringInfo(out, term->bytes, term->len);
		appendStringInfo(out, ":%u", term->tf);
		for (uint32 p = 0; p < term->npositions; p++)
			appendStringInfo(out, "%s%u", p == 0 ? "@" : ",", term->positions[p]);
	}
}

static Datum
test_render(ElacTermVector *terms)
{
	static const char *const names[ELAC_LABELS] = {"", "C/", "B/", "A/", "bare/"};
	StringInfoData out;

	test_flatten(terms);
	initStringInfo(&out);
	for (int label = 0; label < ELAC_LABELS; label++)
		append_vector(&out, elac_terms_label(terms, label), names[label]);
	return PointerGetDatum(cstring_to_text_with_len(out.data, out.len));
}

/* (regconfig, text, flags) */
Datum
text_lexemes(PG_FUNCTION_ARGS)
{
	ElacColumn	column;
	ElacTermVector terms;

	test_column(&column, ELAC_TEXT_PLAIN, PG_GETARG_INT32(2));
	elac_text_analyze(&column, PG_GETARG_OID(0), PG_GETARG_DATUM(1), &terms);
	PG_RETURN_DATUM(test_render(&terms));
}

/* (regconfig, text, flags): as a query's words */
Datum
text_words(PG_FUNCTION_ARGS)
{
	ElacColumn	column;
	ElacTermVector terms;

	test_column(&column, ELAC_TEXT_TSVECTOR, PG_GETARG_INT32(2));
	elac_text_analyze_words(&column, PG_GETARG_OID(0), PG_GETARG_TEXT_PP(1), &terms);
	PG_RETURN_DATUM(test_render(&terms));
}

/* (regconfig, text[], flags) */
Datum
text_array_lexemes(PG_FUNCTION_ARGS)
{
	ElacColumn	column;
	ElacTermVector terms;

	test_column(&column, ELAC_TEXT_ARRAY, PG_GETARG_INT32(2));
	elac_text_analyze(&column, PG_GETARG_OID(0), PG_GETARG_DATUM(1), &terms);
	PG_RETURN_DATUM(test_render(&terms));
}

/* (tsvector, flags) */
Datum
text_vector_lexemes(PG_FUNCTION_ARGS)
{
	ElacColumn	column;
	ElacTermVector terms;

	test_column(&column, ELAC_TEXT_TSVECTOR, PG_GETARG_INT32(1));
	elac_text_analyze(&column, InvalidOid, PG_GETARG_DATUM(0), &terms);
	PG_RETURN_DATUM(test_render(&terms));
}

static int
compare_words(const void *a, const void *b)
{
	const ParsedWord *x = a;
	const ParsedWord *y = b;
	int			cmp = strcmp(x->word, y->word);

	return cmp != 0 ? cmp : (int) x->pos.pos - (int) y->pos.pos;
}

/* Do the counts agree with the words that parsetext() finds? */
static bool
counts_agree(Oid config, text *txt, const ElacTermVector *terms)
{
	ParsedText	parsed;
	uint32		term = 0;
	uint32		tf = 0;
	bool		agree = true;

	memset(&parsed, 0, sizeof(parsed));
	parsed.lenwords = 16;
	parsed.words = palloc(parsed.lenwords * sizeof(ParsedWord));
	parsetext(config, &parsed, VARDATA_ANY(txt), VARSIZE_ANY_EXHDR(txt));
	qsort(parsed.words, parsed.curwords, sizeof(ParsedWord), compare_words);
	for (int i = 0; i < parsed.curwords; i++)
	{
		ParsedWord *word = &parsed.words[i];
		bool		last = i + 1 == parsed.curwords || strcmp(word[1].word, word->word) != 0;

		if (word->word[0] == '\0')
			continue;
		if (last || word[1].pos.pos != word->pos.pos || word->pos.pos == MAXENTRYPOS - 1)
			tf++;
		if (last)
		{
			agree = agree && term < terms->nterms && terms->terms[term].tf == tf &&
				strlen(word->word) == terms->terms[term].len;
			term++;
			tf = 0;
		}
	}
	return agree && term == terms->nterms;
}

/* Is the analysis of a text what to_tsvector() says? */
static bool
test_agrees(Oid config, text *txt)
{
	ElacColumn	column;
	ElacTermVector terms;
	TSVector	vector = DatumGetTSVector(DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config),
															  PointerGetDatum(txt)));
	const WordEntry *entries = ARRPTR(vector);
	uint32		term = 0;

	test_column(&column, ELAC_TEXT_PLAIN, ELAC_TEXT_POSITIONS);
	elac_text_analyze(&column, config, PointerGetDatum(txt), &terms);
	test_flatten(&terms);
	for (int i = 0; i < vector->size; i++)
	{
		const ElacTerm *ours = &terms.terms[term];
		const WordEntry *theirs = &entries[i];
		const WordEntryPos *positions = POSDATAPTR(vector, theirs);

		if (theirs->len == 0)
			continue;
		if (term++ >= terms.nterms || ours->len != theirs->len ||
			memcmp(ours->bytes, STRPTR(vector) + theirs->pos, ours->len) != 0 ||
			ours->npositions != POSDATALEN(vector, theirs))
			return false;
		for (uint32 p = 0; p < ours->npositions; p++)
			if (ours->positions[p] != WEP_GETPOS(positions[p]))
				return false;
	}
	return term == terms.nterms && counts_agree(config, txt, &terms);
}

/* (regconfig, text) */
Datum
text_differs(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!test_agrees(PG_GETARG_OID(0), PG_GETARG_TEXT_PP(1)));
}

static uint64
test_random(uint64 *state)
{
	uint64		x = (*state += UINT64CONST(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

/* A string of up to most pieces; what is not of this encoding is left out. */
static void
random_text(StringInfo out, Datum *pieces, int npieces, int most, uint64 *state)
{
	int			n = 1 + (int) (test_random(state) % most);

	/* few kinds of pieces at a time make long runs of the same state */
	int			kinds = 1 + (int) (test_random(state) % 12);
	int			chosen[12];

	for (int i = 0; i < kinds; i++)
		chosen[i] = (int) (test_random(state) % npieces);
	resetStringInfo(out);
	for (int i = 0; i < n; i++)
	{
		int			piece = test_random(state) % 4 == 0 ? (int) (test_random(state) % npieces)
			: chosen[test_random(state) % kinds];
		text	   *bytes = DatumGetTextPP(pieces[piece]);

		appendBinaryStringInfo(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	}
}

/* (regconfig, pieces, n, most pieces a text, seed): the first random text that differs, or NULL */
Datum
text_fuzz(PG_FUNCTION_ARGS)
{
	Oid			config = PG_GETARG_OID(0);
	Datum	   *pieces;
	int			npieces;
	int			rounds = PG_GETARG_INT32(2);
	uint64		state = (uint64) PG_GETARG_INT64(4);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "text_fuzz", ALLOCSET_DEFAULT_SIZES);
	StringInfoData out;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &pieces, NULL, &npieces);
	initStringInfo(&out);
	for (int i = 0; i < rounds; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		agrees;

		CHECK_FOR_INTERRUPTS();
		random_text(&out, pieces, npieces, PG_GETARG_INT32(3), &state);
		agrees = test_agrees(config, cstring_to_text_with_len(out.data, out.len));
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		if (!agrees)
			PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
	}
	PG_RETURN_NULL();
}

/* (regconfig, text, flags): the number of terms; to be timed */
Datum
text_analyzed(PG_FUNCTION_ARGS)
{
	ElacColumn	column;
	ElacTermVector terms;

	test_column(&column, ELAC_TEXT_PLAIN, PG_GETARG_INT32(2));
	elac_text_analyze(&column, PG_GETARG_OID(0), PG_GETARG_DATUM(1), &terms);
	PG_RETURN_INT64(terms.nterms);
}

/* (): tokens of this session cut by us, stretches remembered, tokens cut by the server, whole texts left to it */
Datum
text_counters(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%llu %llu %llu %llu",
											  (unsigned long long) elac_parser_counters.fast,
											  (unsigned long long) elac_parser_counters.stretches,
											  (unsigned long long) elac_parser_counters.server,
											  (unsigned long long) elac_parser_counters.texts)));
}

/* (): raises when this database cannot have bigrams */
Datum
text_check_bigrams(PG_FUNCTION_ARGS)
{
	elac_text_check_bigrams();
	PG_RETURN_VOID();
}
