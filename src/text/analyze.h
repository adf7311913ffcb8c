/*
 * analyze.h
 *	  From text to lexemes with counts, by PostgreSQL's text search
 *	  configurations.
 */
#ifndef ELAC_ANALYZE_H
#define ELAC_ANALYZE_H

#include "elacsym.h"

#define ELAC_TERM_MAX 2047		/* bytes of the longest term (MAXSTRLEN of tsvector) */
#define ELAC_POSITION_MAX 16383 /* later words have this position, as in a tsvector */
#define ELAC_POSITIONS_MAX 255	/* of one lexeme, as in a tsvector */
#define ELAC_ARRAY_GAP 32		/* positions left free between two elements of a text[] */

/* A lexeme and how often it occurs; bytes are not NUL-terminated. */
typedef struct ElacTerm
{
	const char *bytes;
	uint32		len;			/* 1 .. ELAC_TERM_MAX */
	uint32		tf;				/* > 0 */
	uint32		npositions;		/* 0: not known; at most ELAC_POSITIONS_MAX */
	const uint16 *positions;	/* ascending, 1 .. ELAC_POSITION_MAX, as to_tsvector() gives them */
} ElacTerm;

/*
 * A document's (or query's) lexemes, distinct, ascending by memcmp then length.
 * A tsvector has five such vectors: this one for label D, more for C, B and A
 * and for lexemes without label.
 */
typedef struct ElacTermVector
{
	bool		isnull;			/* SQL NULL; then nterms = length = 0 */
	uint32		nterms;
	uint32		length;			/* sum of tf: the document's length */
	ElacTerm   *terms;
	struct ElacTermVector *labels;	/* of labels C, B, A, none; NULL for anything but a tsvector */
} ElacTermVector;

/* The lexemes of one label; a vector without any when there are none. */
extern const ElacTermVector *elac_terms_label(const ElacTermVector *terms, int label);

/* The order of terms everywhere: memcmp, then length. */
extern int	elac_term_compare(const char *a, uint32 alen, const char *b, uint32 blen);

/*
 * Resolves a configuration name as stored in ElacColumn.config (unqualified
 * means pg_catalog); raises ERRCODE_UNDEFINED_OBJECT when it is gone.  The
 * other returns InvalidOid then.
 */
extern Oid	elac_text_config(const char *name);
extern Oid	elac_text_config_find(const char *name);

/*
 * Analyses a value of a text column, as column->element says what it is
 * (detoasted by the callee if needed), into CurrentMemoryContext:
 *
 * - text: the same lexemes as to_tsvector(config, value), but without its
 *   limits of size; tf counts every occurrence, positions (when the column
 *   keeps them) are those that to_tsvector() gives.  Words longer than 2047
 *   bytes are ignored with the server's own NOTICE.
 * - text[]: its elements one after the other, NULL elements left out, with a
 *   gap of ELAC_ARRAY_GAP positions between them.
 * - tsvector: lexemes as they are, by label; a lexeme without positions counts
 *   once and has no label (ELAC_LABEL_NONE).
 *
 * config is the column's configuration, resolved.
 */
extern void elac_text_analyze(const ElacColumn *column, Oid config, Datum value, ElacTermVector *out);

/*
 * Analyses a query's words as the column's texts are (a tsvector column's:
 * by its configuration), bigrams included, without the lexemes that are there
 * for queries of one character.  Positions are always given: the term at the
 * highest one is the last word.
 */
extern void elac_text_analyze_words(const ElacColumn *column, Oid config, text *words, ElacTermVector *out);

/* Raises ERRCODE_FEATURE_NOT_SUPPORTED when this database cannot have columns with ELAC_TEXT_BIGRAMS. */
extern void elac_text_check_bigrams(void);

/* Serialises for the delta and for spooling; elac_terms_parse() checks what it reads. */
extern Size elac_terms_serialized_size(const ElacTermVector *terms);
extern void elac_terms_serialize(const ElacTermVector *terms, uint8 *dst);

/* False when bytes are not a term vector.  Terms point into bytes. */
extern bool elac_terms_parse(const uint8 *bytes, Size len, ElacTermVector *out);

#endif							/* ELAC_ANALYZE_H */
