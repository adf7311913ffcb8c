/*
 * build_private.h
 *	  What the files of a build share.  Private to am/build*.c.
 */
#ifndef ELAC_BUILD_PRIVATE_H
#define ELAC_BUILD_PRIVATE_H

#include "elacsym.h"

#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "segment/rowsort.h"
#include "storage/blob.h"

/* Phases reported in pg_stat_progress_create_index; 1 is the server's own. */
typedef enum ElacBuildPhase
{
	ELAC_BUILD_SAMPLE = 2,
	ELAC_BUILD_TRAIN,
	ELAC_BUILD_LOAD,
	ELAC_BUILD_SORT,
	ELAC_BUILD_WRITE,
	ELAC_BUILD_MERGE,
	ELAC_BUILD_CALIBRATE
} ElacBuildPhase;

/* Reports the phase and starts its counts at 0. */
extern void elac_build_phase(ElacBuildPhase phase);

/*
 * Trains a codebook for the schema's vector column on a sample of the table
 * and writes its blob.  NULL when the table is empty.  *rows: vectors the
 * table has, estimated.
 */
extern ElacCodebook *elac_build_train(Relation heap, Relation index, IndexInfo *info, const ElacSchema *schema,
									  ElacBlobRef *ref, uint64 *rows);

/*
 * Rows of a table sorted, by this process alone or with workers: between
 * elac_build_load_begin() and elac_build_load_end() rows can be read.
 */
typedef struct ElacBuildLoad
{
	ElacRowSort *sort;			/* performed: read from it */
	double		heap_tuples;	/* live ones seen */
	uint64		index_tuples;
	int			workers;		/* that took part beside this process */
	struct ElacBuildLeader *leader; /* NULL when there were none */
} ElacBuildLoad;

/*
 * Scans the table into a sort.  codebook_ref: where workers find params'
 * codebook; id 0 without one.  Memory is maintenance_work_mem over all
 * processes.  Reports tuples and blocks done.
 */
extern void elac_build_load_begin(Relation heap, IndexInfo *info, const ElacRowSortParams *params,
								  const ElacBlobRef *codebook_ref, ElacBuildLoad *load);

/*
 * Ends the workers' part while rows are still to be read, at the price of
 * copying those: a job cannot run in a process that leads others.
 */
extern void elac_build_load_detach(ElacBuildLoad *load);
extern void elac_build_load_end(ElacBuildLoad *load);

#endif							/* ELAC_BUILD_PRIVATE_H */
