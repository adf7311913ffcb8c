/*
 * json_request.h
 *	  A search request in JSON (elacsym_query()) on its way to a statement: the
 *	  values with the paths that errors name, and the statement that the parts
 *	  of the request are compiled into.
 *
 * Everything that a request contains becomes a parameter of the statement, or
 * the quoted name of a column that exists: nothing of it is ever SQL.
 */
#ifndef ELAC_JSON_REQUEST_H
#define ELAC_JSON_REQUEST_H

#include "compat.h"
#include "elacsym.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

/* A value of the request and the way to it. */
typedef struct ElacJson
{
	const struct ElacJson *parent;	/* NULL: the request itself */
	const char *key;			/* of a member of an object; else NULL */
	int			index;			/* of an element of an array, from 0 */
	JsonbValue	value;
} ElacJson;

/* How deep And, Or and Not, or Sum, Max and Product, may be nested. */
#define ELAC_JSON_DEPTH_MAX 200

/*
 * A statement being written.  The searched relation's alias is t; parameters
 * are numbered from 1.
 */
typedef struct ElacJsonStatement
{
	Relation	relation;
	bool		readable;		/* the user may read all columns */
	Oid			schema;			/* of the extension's objects */
	StringInfoData where;		/* empty: no condition */
	int			nparameters;
	int			space;
	Oid		   *types;
	Datum	   *values;
} ElacJsonStatement;

/* What rows are ordered by. */
typedef struct ElacJsonRank
{
	char	   *distance;		/* SQL, lower is better; NULL: order is by an attribute */
	char	   *order;			/* SQL of an attribute with its direction; NULL: by distance */
	bool		positive;		/* shown is the negative distance; rows at 0 are not ranked */
	char	   *legs;			/* SQL of (rank, value, ...) of a fusion; NULL: one leg */
	int			nlegs;
	uint32		text_legs;		/* bit i: leg i is one by text, whose value is shown negated, too */
} ElacJsonRank;

/* ---- json_value.c ---- */

/* Raises ERRCODE_INVALID_PARAMETER_VALUE about a value: "filters[1]: ..."; hint may be NULL. */
pg_noreturn extern void elac_json_error(const ElacJson *json, const char *hint, const char *format,...) pg_attribute_printf(3, 4);

/* filters[1][2], or "request" */
extern char *elac_json_path(const ElacJson *json);

/* A string of the request as a message shows it: quoted, cut when long. */
extern char *elac_json_show(const char *string);

/* A value in words: "a string", "null" */
extern const char *elac_json_kind(const ElacJson *json);

extern bool elac_json_is_array(const ElacJson *json);
extern bool elac_json_is_object(const ElacJson *json);
extern int	elac_json_count(const ElacJson *array);
extern void elac_json_element(const ElacJson *array, int index, ElacJson *element);
extern bool elac_json_member(const ElacJson *object, const char *key, ElacJson *member);

/* Raises an error about a key that is not among names, which end with NULL. */
extern void elac_json_check_keys(const ElacJson *object, const char *const *names);

/* The string in a new palloc; NULL when it is none. */
extern char *elac_json_string(const ElacJson *json);

/* A finite number, or an error. */
extern double elac_json_number(const ElacJson *json);

/* A whole number between two others, or an error. */
extern int	elac_json_integer(const ElacJson *json, int low, int high);

/*
 * As a datum of a type that is no domain.  Raises
 * ERRCODE_INVALID_PARAMETER_VALUE, or what the type's input function raises
 * with the path in front.  Not for null.
 */
extern Datum elac_json_datum(const ElacJson *json, Oid type, int32 typmod);

/*
 * The elements of an array, null left out (*has_null says whether there was
 * one), as an array of the type.
 */
extern Datum elac_json_datum_list(const ElacJson *json, Oid element_type, bool *has_null);

/* Is it vector, halfvec or another type that is shown as an array of numbers? */
extern bool elac_json_is_vector_type(Oid type);

/* ---- json_statement.c ---- */

extern int	elac_json_parameter(ElacJsonStatement *statement, Oid type, Datum value);

/* The column that a string names; raises an error when there is none, or the user may not read it. */
extern Form_pg_attribute elac_json_column(const ElacJsonStatement *statement, const ElacJson *name);

/* t."name" */
extern char *elac_json_column_sql(Form_pg_attribute column);

/* Is the column known to have no NULL in any row? */
extern bool elac_json_never_null(const ElacJsonStatement *statement, Form_pg_attribute column);

/* schema.name of one of the extension's functions */
extern char *elac_json_function_sql(const ElacJsonStatement *statement, const char *name);

extern bool elac_json_may_read(const ElacJsonStatement *statement, AttrNumber attno);

/* ---- json_filter.c ---- */

/* Writes the condition that a filter means to statement->where. */
extern void elac_json_filter(ElacJsonStatement *statement, const ElacJson *filter);

/* ---- json_glob.c ---- */

/*
 * The pattern of LIKE (*is_regex false) or the regular expression that a glob
 * means; NULL with *error set when it is malformed.
 */
extern char *elac_json_glob(const char *glob, bool *is_regex, const char **error);

/* ---- json_rank.c, json_text_rank.c ---- */

extern void elac_json_rank(ElacJsonStatement *statement, const ElacJson *rank_by, ElacJsonRank *rank);

/* Does it begin as a BM25 rank does? */
extern bool elac_json_is_text_rank(const ElacJson *rank);

/* The distance of a BM25 rank: a field, or Sum, Max and Product over them. */
extern char *elac_json_text_rank(ElacJsonStatement *statement, const ElacJson *rank);

/*
 * Calls visit for each valid elacsym index and each of its columns that is the
 * given column of the searched relation; stops when it returns true.  False
 * when the column cannot be traced to a table's (that of a view).
 */
typedef bool (*ElacJsonIndexVisit) (Relation index, int column, void *context);
extern bool elac_json_visit_indexes(const ElacJsonStatement *statement, AttrNumber attno,
									ElacJsonIndexVisit visit, void *context);

#endif							/* ELAC_JSON_REQUEST_H */
