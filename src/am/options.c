/*
 * options.c
 *	  Options of an index (WITH ...) and of a BM25 column (text_bm25_ops (...)
 *	  and its like).
 *
 * They are copied into the metapage when the index is built, so a change of
 * them takes effect at REINDEX; the store alone is looked up when needed.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "fmgr.h"

#include "am/am.h"
#include "am/schema.h"
#include "text/analyze.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_text_options);
PGDLLEXPORT PG_FUNCTION_INFO_V1(elacsym_tsvector_options);

static relopt_kind index_relopt_kind;

static relopt_enum_elt_def rerank_values[] = {
	{"auto", ELAC_RERANK_OPEN},
	{"none", ELAC_RERANK_NONE},
	{"heap", ELAC_RERANK_HEAP},
	{NULL}
};

void
elac_options_init(void)
{
	index_relopt_kind = add_reloption_kind();
	add_string_reloption(index_relopt_kind, "store",
						 "Foreign server that the index's segments may be offloaded to",
						 NULL, NULL, AccessExclusiveLock);
	add_int_reloption(index_relopt_kind, "bits",
					  "Bits a dimension of quantized vectors, 0 for the default",
					  0, 0, 8, AccessExclusiveLock);
	add_enum_reloption(index_relopt_kind, "rerank",
					   "Whether the best candidates' vectors are read from the table, for rows in exact order",
					   rerank_values, ELAC_RERANK_OPEN, "Valid values are \"auto\", \"none\" and \"heap\".",
					   AccessExclusiveLock);
}

bytea *
elacoptions(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"store", RELOPT_TYPE_STRING, offsetof(ElacIndexOptions, store)},
		{"bits", RELOPT_TYPE_INT, offsetof(ElacIndexOptions, bits)},
		{"rerank", RELOPT_TYPE_ENUM, offsetof(ElacIndexOptions, rerank)},
	};

	return (bytea *) build_reloptions(reloptions, validate, index_relopt_kind,
									  sizeof(ElacIndexOptions), table, lengthof(table));
}

/*
 * Without a schema a configuration is pg_catalog's: a dump is restored with
 * an empty search_path, and would not find any other.
 */
static void
options_validate_config(const char *value)
{
	if (value != NULL && !OidIsValid(elac_text_config_find(value)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration \"%s\" does not exist", value),
				 errhint("Name its schema, config = 'schema.name', unless that is pg_catalog.")));
}

/* What columns of all types have. */
static void
options_declare_field(local_relopts *relopts)
{
	init_local_reloptions(relopts, sizeof(ElacTextOptions));
	add_local_string_reloption(relopts, "config", "text search configuration",
							   NULL, options_validate_config, NULL, offsetof(ElacTextOptions, config));
	add_local_real_reloption(relopts, "k1", "saturation of term frequency in BM25",
							 1.2, 0.0, 1000.0, offsetof(ElacTextOptions, k1));
	add_local_real_reloption(relopts, "b", "strength of length normalisation in BM25",
							 0.75, 0.0, 1.0, offsetof(ElacTextOptions, b));
	add_local_real_reloption(relopts, "weight", "weight of the field's score",
							 1.0, 0.0, ELAC_FIELD_WEIGHT_MAX, offsetof(ElacTextOptions, weight));
	add_local_bool_reloption(relopts, "positions", "keep the words' positions, to answer phrases",
							 true, offsetof(ElacTextOptions, positions));
}

/* Support function 2 of text_bm25_ops and text_array_bm25_ops: declares the options of a column. */
Datum
elacsym_text_options(PG_FUNCTION_ARGS)
{
	local_relopts *relopts = (local_relopts *) PG_GETARG_POINTER(0);

	options_declare_field(relopts);
	add_local_bool_reloption(relopts, "bigrams", "index runs of CJK characters as overlapping pairs",
							 false, offsetof(ElacTextOptions, bigrams));
	PG_RETURN_VOID();
}

/* Support function 2 of tsvector_bm25_ops. */
Datum
elacsym_tsvector_options(PG_FUNCTION_ARGS)
{
	static const char *const names[ELAC_LABEL_WEIGHTS] = {"weight_d", "weight_c", "weight_b", "weight_a"};
	local_relopts *relopts = (local_relopts *) PG_GETARG_POINTER(0);

	options_declare_field(relopts);
	for (int label = 0; label < ELAC_LABEL_WEIGHTS; label++)
		add_local_real_reloption(relopts, names[label], "weight of lexemes with this label",
								 1.0, 0.0, ELAC_FIELD_WEIGHT_MAX,
								 offsetof(ElacTextOptions, label_weight) + label * sizeof(double));
	PG_RETURN_VOID();
}
