/*
 * retire.h
 *	  Freeing retired pages from within another job.  Private to lsm; the
 *	  caller holds the maintenance lock.
 */
#ifndef ELAC_RETIRE_H
#define ELAC_RETIRE_H

#include "elacsym.h"

#include "lsm/lsm.h"

/* Frees what the list has and no snapshot can read; returns pages freed. */
extern uint64 elac_retire_list(ElacJob *job);

/* The manifest's sweep_xid: not 0 when pages may exist that nothing refers to. */
extern uint64 elac_retire_sweep_due(ElacJob *job);

#endif							/* ELAC_RETIRE_H */
