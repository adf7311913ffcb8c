/*
 * analyze.c
 *	  From the value of a text column to its terms: which configuration, which
 *	  parts of the value, which labels.
 *
 * Owns nothing: all results are in CurrentMemoryContext.  Callers reset that
 * context per row.  What a token is, and which lexemes it gives, is the
 * server's business; token_parser.c and lexeme_cache.c only remember it.
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
#include "tsearch/ts_type.h"
#include "utils/array.h"
#include "utils/syscache.h"

#include "compat.h"
#include "text/analyze.h"
#include "text/bigrams.h"
#include "text/document.h"
#include "text/token_parser.h"


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

/* Adds a text to the document, as the column's flags say. */
static void
analyze_text(const ElacColumn *column, Oid config, text *txt, ElacDocument *document)
{
	if (column->flags & ELAC_TEXT_BIGRAMS)
		elac_bigrams_parse(document, config, VARDATA_ANY(txt), VARSIZE_ANY_EXHDR(txt));
	else
		elac_parse_text(document, config, VARDATA_ANY(txt), VARSIZE_ANY_EXHDR(txt));
}

static void
analyze_plain(const ElacColumn *column, Oid config, text *txt, bool words, bool positions, ElacTermVector *out)
{
	ElacDocument document;

	elac_document_start(&document, config, VARSIZE_ANY_EXHDR(txt));
	document.words = words;
	analyze_text(column, config, txt, &document);
	elac_document_finish(&document, positions, out);
}

static void
analyze_array(const ElacColumn *column, Oid config, ArrayType *array, bool positions, ElacTermVector *out)
{
	ElacDocument document;
	Datum	   *elements;
	bool	   *isnull;
	int			nelements;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &isnull, &nelements);
	elac_document_start(&document, config, VARSIZE(array));
	for (int i = 0; i < nelements; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (isnull[i])
			continue;
		/* beyond the last position all are equal: an array of many elements must not count on and on */
		if (document.position > 0 && document.position < ELAC_POSITION_MAX)
			document.position += ELAC_ARRAY_GAP;
		analyze_text(column, config, DatumGetTextPP(elements[i]), &document);
	}
	elac_document_finish(&document, positions, out);
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
			/* to_tsvector() gives as many, tsvectors that are read or joined by || may have one more */
			if (positions && term.npositions < ELAC_POSITIONS_MAX)
				(*next)[term.npositions++] = WEP_GETPOS(where->pos[i]);
		}
		if (where->npos == 0 && label == ELAC_LABEL_NONE)
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

	memset(out, 0, sizeof(*out));
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

	switch (column->element)
	{
		case ELAC_TEXT_PLAIN:
			analyze_plain(column, config, DatumGetTextPP(value), false, positions, out);
			break;
		case ELAC_TEXT_ARRAY:
			analyze_array(column, config, DatumGetArrayTypeP(value), positions, out);
			break;
		case ELAC_TEXT_TSVECTOR:
			analyze_tsvector(DatumGetTSVector(value), positions, out);
			break;
		default:
			elog(ERROR, "text column of unknown type %d", column->element);
	}
}

void
elac_text_analyze_words(const ElacColumn *column, Oid config, text *words, ElacTermVector *out)
{
	analyze_plain(column, config, words, true, true, out);
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
