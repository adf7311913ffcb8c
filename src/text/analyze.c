/*
 * analyze.c
 *	  Runs a text search configuration over a text and counts its lexemes;
 *	  the flat form of the counts for the delta.
 *
 * Owns nothing: all results are in CurrentMemoryContext (the lexemes are the
 * dictionaries' own palloc'd strings).  Callers reset that context per row.
 * What a token is, and which lexemes it gives, is the server's business alone.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "tsearch/ts_utils.h"
#include "utils/array.h"
#include "utils/syscache.h"

#include "base/varint.h"
#include "compat.h"
#include "text/analyze.h"

#define TERMS_NULL 1			/* first byte of the flat form of SQL NULL */
#define TERMS_PRESENT 0
#define TERM_BYTES_MIN 3		/* flat size of the smallest term: length, one byte, tf */

int
elac_term_compare(const char *a, uint32 alen, const char *b, uint32 blen)
{
	int			cmp = memcmp(a, b, Min(alen, blen));

	if (cmp != 0)
		return cmp;
	return (alen > blen) - (alen < blen);
}

const ElacTermVector *
elac_terms_label(const ElacTermVector *terms, int label)
{
	static const ElacTermVector none = {0};

	if (label == ELAC_LABEL_D)
		return terms;
	return terms->labels != NULL ? &terms->labels[label - 1] : &none;
}

/*
 * Looked up without the right to use the schema: commands on an index run as
 * the table's owner, and a restored dump grants rights last.
 */
Oid
elac_text_config_find(const char *name)
{
	List	   *names = elac_name_list(name);
	Oid			schema = PG_CATALOG_NAMESPACE;	/* unqualified, whatever the search_path of the day is */
	Oid			config = InvalidOid;

	if (list_length(names) == 2)
		schema = get_namespace_oid(strVal(linitial(names)), true);
	if (OidIsValid(schema) && list_length(names) <= 2)
		config = GetSysCacheOid2(TSCONFIGNAMENSP, Anum_pg_ts_config_oid,
								 PointerGetDatum(strVal(llast(names))), ObjectIdGetDatum(schema));
	list_free_deep(names);
	return config;
}

Oid
elac_text_config(const char *name)
{
	Oid			config = elac_text_config_find(name);

	if (!OidIsValid(config))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration \"%s\" does not exist", name),
				 errdetail("A text column of the index was built with it."),
				 errhint("Create the configuration again, or drop the index.")));
	return config;
}

/* By bytes, then position. */
static int
compare_words(const void *a, const void *b)
{
	const ParsedWord *x = a;
	const ParsedWord *y = b;
	int			cmp = elac_term_compare(x->word, x->alen, y->word, y->alen);

	if (cmp != 0)
		return cmp;
	return (int) x->pos.pos - (int) y->pos.pos;
}

/*
 * Measures the words (the parser's own length field has only 16 bits) and
 * leaves out those that no term may have; returns how many are left.
 */
static int32
keep_indexable(ParsedWord *words, int32 nwords)
{
	int32		nkept = 0;

	for (int32 i = 0; i < nwords; i++)
	{
		size_t		len = strlen(words[i].word);

		if (len == 0 || len > ELAC_TERM_MAX)
			continue;
		words[nkept] = words[i];
		words[nkept++].alen = (uint32) len;
	}
	return nkept;
}

/* Counts the words of a document; with positions when they are wanted. */
static void
count_words(ParsedText *parsed, bool positions, ElacTermVector *out)
{
	int32		nwords = keep_indexable(parsed->words, parsed->curwords);
	ElacTerm   *term = NULL;
	uint16	   *next = NULL;
	int32		last_position = 0;

	if (nwords > 1)
		qsort(parsed->words, nwords, sizeof(ParsedWord), compare_words);
	out->terms = palloc_extended((Size) Max(nwords, 1) * sizeof(ElacTerm), MCXT_ALLOC_HUGE);
	if (positions)
		next = palloc_extended((Size) Max(nwords, 1) * sizeof(uint16), MCXT_ALLOC_HUGE);
	for (int32 i = 0; i < nwords; i++)
	{
		ParsedWord *word = &parsed->words[i];

		if (term == NULL || elac_term_compare(term->bytes, term->len, word->word, word->alen) != 0)
		{
			term = &out->terms[out->nterms++];
			term->bytes = word->word;
			term->len = word->alen;
			term->tf = 0;
			term->npositions = 0;
			term->positions = next;
			last_position = 0;
		}
		else if (last_position == word->pos.pos && last_position != ELAC_POSITION_MAX)
			continue;			/* given twice for one token: counts once, as in to_tsvector */
		term->tf++;
		out->length++;
		if (positions && last_position != word->pos.pos && term->npositions < ELAC_POSITIONS_MAX)
		{
			*next++ = word->pos.pos;
			term->npositions++;
		}
		last_position = word->pos.pos;
	}
	pfree(parsed->words);
}

/* The lexemes of one text after those that parsed has. */
static void
parse_text(Oid config, text *txt, ParsedText *parsed)
{
	int32		len = VARSIZE_ANY_EXHDR(txt);

	if (parsed->words == NULL)
	{
		parsed->lenwords = Max(len / 6, 2);	/* a word in six bytes; grows */
		parsed->words = palloc((Size) parsed->lenwords * sizeof(ParsedWord));
	}
	parsetext(config, parsed, VARDATA_ANY(txt), len);
}

static void
analyze_array(Oid config, Datum value, ParsedText *parsed)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *isnull;
	int			nelements;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &isnull, &nelements);
	for (int i = 0; i < nelements; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (isnull[i])
			continue;
		if (parsed->pos > 0)
			parsed->pos += ELAC_ARRAY_GAP;
		parse_text(config, DatumGetTextPP(elements[i]), parsed);
	}
	if (parsed->words == NULL)
		parsed->words = palloc(sizeof(ParsedWord));
}

/* Adds one lexeme to the vectors of the labels that it has. */
static void
add_lexeme(ElacTermVector *vectors[ELAC_LABELS], const ElacTerm *lexeme, const WordEntryPosVector *where,
		   uint16 **next, bool positions)
{
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		ElacTerm	term = *lexeme;

		term.positions = *next;
		for (int i = 0; i < where->npos; i++)
		{
			if (WEP_GETWEIGHT(where->pos[i]) != label)
				continue;
			term.tf++;
			if (positions)
				(*next)[term.npositions++] = WEP_GETPOS(where->pos[i]);
		}
		if (where->npos == 0 && label == ELAC_LABEL_D)
			term.tf = 1;
		if (term.tf == 0)
			continue;
		*next += term.npositions;
		vectors[label]->terms[vectors[label]->nterms++] = term;
		vectors[label]->length += term.tf;
	}
}

static void
analyze_tsvector(TSVector vector, bool positions, ElacTermVector *out)
{
	static const WordEntryPosVector nowhere = {0};
	const WordEntry *entries = ARRPTR(vector);
	ElacTermVector *vectors[ELAC_LABELS];
	Size		npositions = 0;
	uint16	   *next;

	out->labels = palloc0(sizeof(ElacTermVector) * (ELAC_LABELS - 1));
	for (int label = 0; label < ELAC_LABELS; label++)
	{
		vectors[label] = label == ELAC_LABEL_D ? out : &out->labels[label - 1];
		vectors[label]->terms = palloc(Max(vector->size, 1) * sizeof(ElacTerm));
	}
	for (int32 i = 0; i < vector->size; i++)
		npositions += POSDATALEN(vector, &entries[i]);
	next = palloc(Max(npositions, 1) * sizeof(uint16));
	for (int32 i = 0; i < vector->size; i++)
	{
		ElacTerm	term = {0};

		term.bytes = STRPTR(vector) + entries[i].pos;
		term.len = entries[i].len;
		if (term.len > 0)
			add_lexeme(vectors, &term, entries[i].haspos ? _POSVECPTR(vector, &entries[i]) : &nowhere, &next, positions);
	}
}

void
elac_text_analyze(const ElacColumn *column, Oid config, Datum value, ElacTermVector *out)
{
	bool		positions = (column->flags & ELAC_TEXT_POSITIONS) != 0;
	ParsedText	parsed;

	memset(out, 0, sizeof(*out));
	memset(&parsed, 0, sizeof(parsed));
	switch (column->element)
	{
		case ELAC_TEXT_PLAIN:
			parse_text(config, DatumGetTextPP(value), &parsed);
			break;
		case ELAC_TEXT_ARRAY:
			analyze_array(config, value, &parsed);
			break;
		case ELAC_TEXT_TSVECTOR:
			analyze_tsvector(DatumGetTSVector(value), positions, out);
			return;
		default:
			elog(ERROR, "text column of unknown type %d", column->element);
	}
	count_words(&parsed, positions, out);
}

void
elac_text_analyze_words(const ElacColumn *column, Oid config, text *words, ElacTermVector *out)
{
	ParsedText	parsed;

	memset(out, 0, sizeof(*out));
	memset(&parsed, 0, sizeof(parsed));
	parse_text(config, words, &parsed);
	count_words(&parsed, true, out);
}

void
elac_text_check_bigrams(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot index bigrams in a database with encoding %s", GetDatabaseEncodingName()),
				 errdetail("Bigrams need a database with encoding UTF8.")));
}

/*
 * Flat form: one byte TERMS_NULL or TERMS_PRESENT; when present the number of
 * terms, then for each its length, bytes and tf; numbers are LEB128.
 */
Size
elac_terms_serialized_size(const ElacTermVector *terms)
{
	Size		size = 1;

	if (terms->isnull)
		return size;
	size += elac_varint_len(terms->nterms);
	for (uint32 i = 0; i < terms->nterms; i++)
		size += elac_varint_len(terms->terms[i].len) + terms->terms[i].len + elac_varint_len(terms->terms[i].tf);
	return size;
}

void
elac_terms_serialize(const ElacTermVector *terms, uint8 *dst)
{
	if (terms->isnull)
	{
		*dst = TERMS_NULL;
		return;
	}
	*dst++ = TERMS_PRESENT;
	dst += elac_varint_put(dst, terms->nterms);
	for (uint32 i = 0; i < terms->nterms; i++)
	{
		const ElacTerm *term = &terms->terms[i];

		dst += elac_varint_put(dst, term->len);
		memcpy(dst, term->bytes, term->len);
		dst += term->len;
		dst += elac_varint_put(dst, term->tf);
	}
}

/* Reads one term that must come after prev (NULL for the first). */
static bool
parse_term(const uint8 **src, const uint8 *end, const ElacTerm *prev, ElacTerm *term)
{
	uint64		len;
	uint64		tf;

	if (!elac_varint_get(src, end, &len) || len == 0 || len > ELAC_TERM_MAX || len > (uint64) (end - *src))
		return false;
	term->bytes = (const char *) *src;
	term->len = (uint32) len;
	term->npositions = 0;
	term->positions = NULL;
	*src += len;
	if (!elac_varint_get(src, end, &tf) || tf == 0 || tf > UINT32_MAX)
		return false;
	term->tf = (uint32) tf;
	return prev == NULL || elac_term_compare(prev->bytes, prev->len, term->bytes, term->len) < 0;
}

bool
elac_terms_parse(const uint8 *bytes, Size len, ElacTermVector *out)
{
	const uint8 *src = bytes;
	const uint8 *end = bytes + len;
	uint64		nterms;
	uint64		length = 0;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return false;
	if (*src == TERMS_NULL)
	{
		out->isnull = true;
		return len == 1;
	}
	if (*src++ != TERMS_PRESENT || !elac_varint_get(&src, end, &nterms) ||
		nterms > (uint64) (end - src) / TERM_BYTES_MIN)
		return false;
	out->terms = palloc_extended(Max(nterms, 1) * sizeof(ElacTerm), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < nterms; i++)
	{
		if (!parse_term(&src, end, i > 0 ? &out->terms[i - 1] : NULL, &out->terms[i]))
			return false;
		length += out->terms[i].tf;
	}
	if (src != end || length > UINT32_MAX)
		return false;
	out->nterms = (uint32) nterms;
	out->length = (uint32) length;
	return true;
}
