/*
 * compile.c
 *	  Compiles text requests: the words of a query analysed as each column's
 *	  are, one field for each column.
 */
#include "postgres.h"

#include "text/analyze.h"
#include "text/compile.h"

ElacBm25Query *
elac_text_compile(const ElacSchema *schema, const ElacTextRequest *request, const char *index_name)
{
	ElacBm25Query *query = palloc0(sizeof(ElacBm25Query));

	query->nfields = request->ncolumns;
	query->fields = palloc0(sizeof(ElacBm25Field) * request->ncolumns);
	query->combine = request->combine;
	for (int i = 0; i < request->ncolumns; i++)
	{
		int			column = request->columns[i];
		ElacTermVector terms;

		if (column < 0 || column >= schema->ncolumns || schema->columns[column].kind != ELAC_COLUMN_TEXT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column %d of index \"%s\" is not indexed for BM25", column + 1, index_name)));
		elac_text_analyze_words(&schema->columns[column], elac_text_config(schema->columns[column].config),
								request->words, &terms);
		elac_bm25_field_init(&query->fields[i], column, &schema->columns[column], &terms);
	}
	return query;
}
