/*
 * worker_state.h
 *	  Whether background workers look after this server's indexes.  Lives in
 *	  shared memory when the library is preloaded; worker/launcher.c sets it.
 */
#ifndef ELAC_WORKER_STATE_H
#define ELAC_WORKER_STATE_H

#include "elacsym.h"

/* Requests and attaches the shared memory; call while libraries are preloaded. */
extern void elac_worker_state_init(void);

extern bool elac_worker_is_running(void);
extern void elac_worker_set_running(bool running);

#endif							/* ELAC_WORKER_STATE_H */
