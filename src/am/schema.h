/*
 * schema.h
 *	  From operator classes and options to the schema frozen in the metapage.
 */
#ifndef ELAC_SCHEMA_H
#define ELAC_SCHEMA_H

#include "elacsym.h"

#include "utils/rel.h"

#define ELAC_FIELD_WEIGHT_MAX 1000000.0

/* Parsed options of a BM25 column, whatever its type; 0 are those that its type does not have. */
typedef struct ElacTextOptions
{
	int32		vl_len_;
	int			config;			/* offset of the name, 0 when not given */
	double		k1;
	double		b;
	double		weight;
	double		label_weight[ELAC_LABEL_WEIGHTS];	/* tsvector */
	bool		positions;
	bool		bigrams;		/* text and text[] */
} ElacTextOptions;

/*
 * The schema for building index: checks that there is at most one vector
 * column, with known dimensions, and that options make sense.  Bits and rerank
 * are 0 unless options name them (elac_code_choice()).  configs[] gets the OIDs of text columns' configurations (InvalidOid elsewhere), for
 * dependencies.
 */
extern ElacSchema *elac_schema_form(Relation index, Oid *configs);

/*
 * Fills in bits and rerank of the vector column where the options leave them
 * open, by its dimensions and by whether the table's rows have it TOASTed.
 */
extern void elac_code_choice(Relation heap, Relation index, ElacSchema *schema);

/*
 * Records that index depends on its configurations and on its store, and, for
 * columns whose options do not name a configuration, in these options which
 * one was the default: REINDEX and a restored dump take the same again.
 */
extern void elac_schema_record_dependencies(Relation index, const ElacSchema *schema, const Oid *configs);

#endif							/* ELAC_SCHEMA_H */
