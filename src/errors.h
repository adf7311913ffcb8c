/*
 * errors.h
 *	  How elacsym reports what went wrong.
 *
 * ereport() for all that a user, a disk or a network can cause, elog() for
 * what cannot happen.  Corruption always carries the index's name, and the
 * command that mends it.
 */
#ifndef ELAC_ERRORS_H
#define ELAC_ERRORS_H

#include "postgres.h"

#include "utils/rel.h"

/* Stored bytes of an index make no sense: detail is a format and arguments. */
#define elac_corrupted(relname, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_INDEX_CORRUPTED), \
			 errmsg("index \"%s\" is corrupted", (relname)), \
			 errdetail(__VA_ARGS__), \
			 errhint("REINDEX INDEX rebuilds it from the table.")))

/* A recycled page or a vanished object met by a reader on a standby. */
#define elac_retry(relname, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), \
			 errmsg("could not finish reading index \"%s\" because it changed meanwhile", (relname)), \
			 errdetail(__VA_ARGS__), \
			 errhint("Run the statement again.")))

#endif							/* ELAC_ERRORS_H */
