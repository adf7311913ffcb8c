/*
 * index_options.h
 *	  Options of an index that are looked up when needed (the others are frozen
 *	  in the metapage).
 */
#ifndef ELAC_INDEX_OPTIONS_H
#define ELAC_INDEX_OPTIONS_H

#include "elacsym.h"

#include "utils/rel.h"

/* Parsed WITH (...) options; am/options.c parses them. */
typedef struct ElacIndexOptions
{
	int32		vl_len_;
	int			store;			/* offset of the foreign server's name, 0 when none */
	int			bits;			/* RaBitQ bits a dimension, 0 = default */
	int			rerank;			/* ElacRerank as named, OPEN = auto */
} ElacIndexOptions;

/* The name of the index's store, or NULL. */
static inline const char *
elac_index_store(Relation index)
{
	ElacIndexOptions *options = (ElacIndexOptions *) index->rd_options;

	return options != NULL && options->store != 0 ? (const char *) options + options->store : NULL;
}

#endif							/* ELAC_INDEX_OPTIONS_H */
