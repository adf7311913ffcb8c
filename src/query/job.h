/*
 * job.h
 *	  Sets up what lsm's jobs need of the heap, and whose rights they have.
 */
#ifndef ELAC_JOB_H
#define ELAC_JOB_H

#include "elacsym.h"

#include "utils/rel.h"

#include "lsm/lsm.h"

/*
 * A job on index, whose vectors come from heap.  Until elac_job_end() the
 * session runs as the table's owner in a security-restricted operation, since
 * reading an indexed expression runs the owner's functions; an error undoes
 * that with the transaction.
 */
extern ElacJob *elac_job_begin(Relation index, Relation heap);
extern void elac_job_end(ElacJob *job);

/*
 * What a worker, or whoever stands in for it, does to an index: flushes a
 * delta over its limit, merges what the policy wants merged, frees what can be
 * freed.  Without wait, does nothing when another job holds the index.
 * Returns whether anything was done.
 */
extern bool elac_job_maintain(ElacJob *job, uint64 delta_limit, bool wait);

#endif							/* ELAC_JOB_H */
