/*
 * text_load.h
 *	  Texts of a build, from the scan to the segment: collected by each
 *	  participant in its own order, renumbered when the order of the segment is
 *	  known.
 */
#ifndef ELAC_TEXT_LOAD_H
#define ELAC_TEXT_LOAD_H

#include "elacsym.h"

#include "storage/sharedfileset.h"

#include "segment/row.h"
#include "storage/blob.h"

typedef struct ElacTextLoad ElacTextLoad;

/*
 * For a participant that adds rows.  memory bounds what is collected before it
 * moves to a file.  files: where the others find it, NULL in a serial build;
 * participant counts from 0.  Everything lies in a context of its own, a child
 * of the current one.
 */
extern ElacTextLoad *elac_text_load_begin(const ElacRowType *type, Size memory, SharedFileSet *files, int participant);

/* The text of the row at hand; every text column has one. */
extern void elac_text_load_add(ElacTextLoad *load, int column, const ElacTermVector *terms);

/* Ends the row; returns the number that it is known by: arrival. */
extern uint64 elac_text_load_end_row(ElacTextLoad *load);

/* No more rows.  A participant's are in its file then, and its memory is free. */
extern void elac_text_load_finish(ElacTextLoad *load);

/* The rows of all participants, when they have finished; memory bounds buffers, 8 kB for each run at least. */
extern ElacTextLoad *elac_text_load_open(const ElacRowType *type, Size memory, SharedFileSet *files, int participants);

/* Tells a row's document number in the segment being written. */
extern void elac_text_load_place(ElacTextLoad *load, uint64 arrival, ElacDoc doc);

/* Writes a column's section: ndocs rows that have been placed. */
extern void elac_text_load_write(ElacTextLoad *load, int column, uint32 ndocs, ElacSectionWriter *out);

/* Forgets the places: another segment begins. */
extern void elac_text_load_forget(ElacTextLoad *load);

/* Copies the participants' files, so that they are no longer needed. */
extern void elac_text_load_detach(ElacTextLoad *load);
extern void elac_text_load_end(ElacTextLoad *load);

#endif							/* ELAC_TEXT_LOAD_H */
