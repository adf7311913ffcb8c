/*
 * attr_section.h
 *	  The attribute section of a segment, one per attribute column: values in
 *	  document order, NULLs apart, a dictionary when values repeat.
 *
 * A predicate is an operator's own function applied to stored values: the
 * type's semantics (NaN, collation, numeric scale, cross-type comparison) are
 * the server's.  What the section adds is that a value is looked at once for
 * all documents that have it, and that blocks whose [min, max] cannot match
 * are skipped.
 */
#ifndef ELAC_ATTR_SECTION_H
#define ELAC_ATTR_SECTION_H

#include "elacsym.h"

#include "fmgr.h"

#include "base/bitmap.h"
#include "storage/blob.h"

/* The stored type of a column, from the index's TupleDesc. */
typedef struct ElacAttrType
{
	Oid			type;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Oid			collation;
} ElacAttrType;

/* ---- writing ---- */

typedef struct ElacAttrWriter ElacAttrWriter;

extern ElacAttrWriter *elac_attr_writer_begin(const ElacAttrType *type);

/* Adds row seq = 0, 1, 2, ...; value is copied (and detoasted). */
extern void elac_attr_writer_add(ElacAttrWriter *writer, Datum value, bool isnull);
extern Size elac_attr_writer_memory(const ElacAttrWriter *writer);

/* doc_of_seq as in text_section.h.  Frees the writer. */
extern void elac_attr_writer_finish(ElacAttrWriter *writer, const ElacDoc *doc_of_seq, uint32 ndocs, ElacSectionWriter *out);

typedef struct ElacAttrReader ElacAttrReader;

/* maps as in text_section.h. */
extern void elac_attr_merge(ElacAttrReader **sources, const ElacDoc *const *maps, int nsources, uint32 ndocs, ElacSectionWriter *out);

/* ---- reading ---- */

extern ElacAttrReader *elac_attr_open(const ElacSection *section, const ElacAttrType *type, uint32 ndocs);

/* One value; datum lives as long as the reader (or is by value). */
extern Datum elac_attr_get(ElacAttrReader *reader, ElacDoc doc, bool *isnull);

/* Declares everything there is. */
extern void elac_attr_prefetch(ElacAttrReader *reader);

typedef enum ElacPredicateKind
{
	ELAC_PREDICATE_OPERATOR,	/* value op arg */
	ELAC_PREDICATE_ANY,			/* value op ANY (array arg) */
	ELAC_PREDICATE_ALL,			/* value op ALL (array arg) */
	ELAC_PREDICATE_IS_NULL,		/* value IS NULL: never unknown */
	ELAC_PREDICATE_IS_TRUE,		/* boolean column itself */
	ELAC_PREDICATE_ANY_ELEMENT, /* arg op ANY (value), an array */
	ELAC_PREDICATE_ALL_ELEMENTS /* arg op ALL (value) */
} ElacPredicateKind;

/*
 * A condition on one attribute column.  Three-valued: a row is TRUE, FALSE or
 * UNKNOWN (NULL value or NULL argument).
 */
typedef struct ElacPredicate
{
	ElacPredicateKind kind;
	int			column;			/* position in the schema */
	FmgrInfo	function;		/* the operator's function, strict, (column type, arg type) -> bool; of ELEMENTs (arg type, element type) */
	Oid			collation;
	int			strategy;		/* btree strategy 1..5, or 0 when the operator is none */
	Datum		arg;			/* scalar, or array for ANY and ALL */
	bool		arg_isnull;
	/* for ANY and ALL, deconstructed by whoever builds the predicate */
	Datum	   *elements;
	bool	   *element_nulls;
	int			nelements;
	/* for ANY_ELEMENT and ALL_ELEMENTS: of the column's values */
	ElacAttrType element;
} ElacPredicate;

typedef enum ElacTruth
{
	ELAC_FALSE = 0,
	ELAC_TRUE = 1,
	ELAC_UNKNOWN = 2
} ElacTruth;

/* The predicate on one value: used for the delta, and the truth for sections. */
extern ElacTruth elac_predicate_test(ElacPredicate *predicate, Datum value, bool isnull);

/*
 * Sets the bits of documents where the predicate is TRUE in is_true and where
 * it is UNKNOWN in is_unknown (both ndocs bits, cleared by the callee).
 */
extern void elac_attr_select(ElacAttrReader *reader, ElacPredicate *predicate, ElacBitmap *is_true, ElacBitmap *is_unknown);

/* Declares what elac_attr_select() will read: nothing when the head tells that no document can match. */
extern void elac_attr_prefetch_for(ElacAttrReader *reader, ElacPredicate *predicate);

/*
 * About how many documents the predicate is TRUE for, from what the head knows:
 * exact for elements of arrays and for NULLs, and for values that make a bin
 * or are among the frequent ones; else by the bins at the ends of a range, and
 * by the average of the values left.  Where the head knows nothing (operators
 * that are no comparisons) *known is false, and the estimate is the share that
 * the server assumes, a two-hundredth.
 */
extern double elac_attr_estimate(ElacAttrReader *reader, ElacPredicate *predicate, bool *known);

/* Deep check; raises. */
extern void elac_attr_verify(ElacAttrReader *reader);

#endif							/* ELAC_ATTR_SECTION_H */
