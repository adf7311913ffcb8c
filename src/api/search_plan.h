/*
 * search_plan.h
 *	  Plans of elacsym_search() that a session keeps.
 */
#ifndef ELAC_SEARCH_PLAN_H
#define ELAC_SEARCH_PLAN_H

#include "postgres.h"

#define ELAC_SEARCH_PARAMETERS 6

/*
 * Runs a statement of ELAC_SEARCH_PARAMETERS parameters, none of them NULL
 * that the statement uses, through SPI (connected); its rows are in
 * SPI_tuptable.  The types of all but the first are always the same.
 */
extern void elac_search_plan_execute(const char *sql, const Oid *types, Datum *values, const char *nulls);

#endif							/* ELAC_SEARCH_PLAN_H */
