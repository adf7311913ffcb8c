/*
 * worker.h
 *	  Background workers: one launcher, and one worker per database and round.
 */
#ifndef ELAC_WORKER_H
#define ELAC_WORKER_H

#include "elacsym.h"

/* Registers the launcher; call from _PG_init(), does nothing unless preloaded. */
extern void elac_worker_init(void);

/* Entry points, found by name in the library. */
extern PGDLLEXPORT void elacsym_launcher_main(Datum arg);
extern PGDLLEXPORT void elacsym_database_main(Datum arg);

#endif							/* ELAC_WORKER_H */
