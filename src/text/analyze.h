/*
 * analyze.h
 *	  From text to lexemes with counts, by PostgreSQL's text search
 *	  configurations.
 */
#ifndef ELAC_ANALYZE_H
#define ELAC_ANALYZE_H

#include "elacsym.h"

/* A lexeme and how often it occurs; bytes are not NUL-terminated. */
typedef struct ElacTerm
{
	const char *bytes;
	uint32		len;			/* > 0, < 2048 (MAXSTRLEN of tsvector) */
	uint32		tf;				/* > 0 */
} ElacTerm;

/* A document's (or query's) lexemes, distinct, ascending by memcmp then length. */
typedef struct ElacTermVector
{
	bool		isnull;			/* SQL NULL; then nterms = length = 0 */
	uint32		nterms;
	uint32		length;			/* sum of tf: the document's length */
	ElacTerm   *terms;
} ElacTermVector;

/*
 * Resolves a configuration name as stored in ElacColumn.config; raises
 * ERRCODE_UNDEFINED_OBJECT naming the index's column when it is gone.
 */
extern Oid	elac_text_config(const char *name);

/*
 * Analyses value (detoasted by the callee if needed) into CurrentMemoryContext.
 * Same lexemes as to_tsvector(config, value), but without its limits of
 * positions and size; tokens that the parser or dictionary drops are dropped.
 * Too long tokens (>= 2048 bytes) are ignored silently.
 */
extern void elac_text_analyze(Oid config, Datum value, ElacTermVector *out);

/* Serialises for the delta and for spooling; elac_terms_parse() checks what it reads. */
extern Size elac_terms_serialized_size(const ElacTermVector *terms);
extern void elac_terms_serialize(const ElacTermVector *terms, uint8 *dst);

/* False when bytes are not a term vector.  Terms point into bytes. */
extern bool elac_terms_parse(const uint8 *bytes, Size len, ElacTermVector *out);

#endif							/* ELAC_ANALYZE_H */
