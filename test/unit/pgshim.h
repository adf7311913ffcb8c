/*
 * pgshim.h
 *	  Enough of the server for modules of storage, vector, text and attr to
 *	  run in a plain C program: memory contexts, ereport, PG_TRY, lists,
 *	  StringInfo, BufFile, datum helpers.
 *
 * Memory is malloc'd piece by piece, so the address sanitizer sees every
 * overrun and every use after pfree or context reset.  ereport(ERROR) records
 * what was said in pgshim_error and jumps to PG_exception_stack, as the server
 * does; outside of PG_TRY it prints the error and ends the program.  Calling
 * a server function that is not here ends the program with its name.
 */
#ifndef ELAC_PGSHIM_H
#define ELAC_PGSHIM_H

#include "postgres.h"

#include "check.h"

#include "utils/elog.h"
#include "utils/memutils.h"

typedef struct PgshimReport
{
	int			elevel;
	int			sqlstate;
	char		message[1024];
	char		detail[1024];
	char		hint[1024];
} PgshimReport;

extern PgshimReport pgshim_error;	/* last report at ERROR */
extern PgshimReport pgshim_notice;	/* last report below ERROR */
extern long pgshim_notices;		/* how many were below ERROR and above DEBUG1 */

/* First thing in main(): makes TopMemoryContext current. */
extern void pgshim_init(void);

/* Bytes allocated and not freed; contexts alive.  For leak checks. */
extern Size pgshim_allocated(void);

/* The most there was since this was asked last. */
extern Size pgshim_allocated_most(void);

/* The next allocation number `countdown` from now fails with out of memory; 0 turns it off. */
extern void pgshim_fail_alloc_after(long countdown);

/* CHECK_FOR_INTERRUPTS() number `countdown` from now raises query_canceled; 0 turns it off. */
extern void pgshim_cancel_after(long countdown);

/* True when the statement given raised an error; see pgshim_error then. */
#define PGSHIM_RAISES(...) \
	({ \
		volatile bool pgshim_raised = false; \
		MemoryContext pgshim_context = CurrentMemoryContext; \
		PG_TRY(); \
		{ \
			__VA_ARGS__; \
		} \
		PG_CATCH(); \
		{ \
			MemoryContextSwitchTo(pgshim_context); \
			FlushErrorState(); \
			pgshim_raised = true; \
		} \
		PG_END_TRY(); \
		pgshim_raised; \
	})

/* statement must raise an error with this SQLSTATE (ERRCODE_...). */
#define CHECK_RAISES(statement, errcode_wanted) \
	do { \
		pgshim_error.sqlstate = 0; \
		CHECK(PGSHIM_RAISES(statement)); \
		CHECK_EQ(pgshim_error.sqlstate, errcode_wanted); \
	} while (0)

/* statement must not raise; prints the error otherwise. */
#define CHECK_QUIET(statement) \
	do { \
		if (PGSHIM_RAISES(statement)) \
			check_one(0, __FILE__, __LINE__, pgshim_error.message); \
	} while (0)

#endif							/* ELAC_PGSHIM_H */
