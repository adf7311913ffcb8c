/*
 * column_traits.c
 *	  Traits of columns: the functions that operator classes name, and the
 *	  look-up.
 */
#include "postgres.h"

#include "access/genam.h"
#include "fmgr.h"

#include "query/column_traits.h"

#define DEFINE_TRAITS(name, kind, metric, element) \
PGDLLEXPORT PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	static const ElacColumnTraits traits = {kind, metric, element}; \
 \
	PG_RETURN_POINTER(&traits); \
}

DEFINE_TRAITS(elacsym_vector_l2_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_L2, ELAC_ELEMENT_FLOAT)
DEFINE_TRAITS(elacsym_vector_ip_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_IP, ELAC_ELEMENT_FLOAT)
DEFINE_TRAITS(elacsym_vector_cosine_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_COSINE, ELAC_ELEMENT_FLOAT)
DEFINE_TRAITS(elacsym_halfvec_l2_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_L2, ELAC_ELEMENT_HALF)
DEFINE_TRAITS(elacsym_halfvec_ip_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_IP, ELAC_ELEMENT_HALF)
DEFINE_TRAITS(elacsym_halfvec_cosine_traits, ELAC_COLUMN_VECTOR, ELAC_METRIC_COSINE, ELAC_ELEMENT_HALF)
DEFINE_TRAITS(elacsym_text_traits, ELAC_COLUMN_TEXT, 0, ELAC_TEXT_PLAIN)
DEFINE_TRAITS(elacsym_tsvector_traits, ELAC_COLUMN_TEXT, 0, ELAC_TEXT_TSVECTOR)
DEFINE_TRAITS(elacsym_text_array_traits, ELAC_COLUMN_TEXT, 0, ELAC_TEXT_ARRAY)

const ElacColumnTraits *
elac_column_traits(Relation index, int column)
{
	static const ElacColumnTraits attribute = {ELAC_COLUMN_ATTR, 0, 0};
	RegProcedure proc = index_getprocid(index, column + 1, 1);

	if (!RegProcedureIsValid(proc))
		return &attribute;
	return (const ElacColumnTraits *) DatumGetPointer(OidFunctionCall1(proc, PointerGetDatum(NULL)));
}
