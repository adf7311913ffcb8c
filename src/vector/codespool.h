/*
 * codespool.h
 *	  Bytes kept aside until they may be written: in memory while few, in a
 *	  temporary file beyond.  Private to vector/.
 */
#ifndef ELAC_CODESPOOL_H
#define ELAC_CODESPOOL_H

#include "postgres.h"

#include "storage/buffile.h"

typedef struct ElacCodeSpool
{
	Size		memory_max;		/* bytes held before the file is written to */
	Size		capacity;		/* bytes allocated */
	Size		used;			/* bytes in memory, not yet in the file */
	uint8	   *memory;
	BufFile    *file;			/* NULL while all is in memory */
	uint64		total;			/* bytes put */
	Size		position;		/* of reading, when all is in memory */
} ElacCodeSpool;

/* Memory of a spool is allocated in CurrentMemoryContext of its calls. */
extern void elac_codespool_init(ElacCodeSpool *spool, Size memory_max);
extern void elac_codespool_put(ElacCodeSpool *spool, const void *data, Size len);

/* Ends putting; reading starts at the first byte. */
extern void elac_codespool_rewind(ElacCodeSpool *spool);

/* Reads exactly len bytes; raises when there are not as many. */
extern void elac_codespool_take(ElacCodeSpool *spool, void *dst, Size len);

/* Frees memory and file; the spool must be initialised again before use. */
extern void elac_codespool_free(ElacCodeSpool *spool);

#endif							/* ELAC_CODESPOOL_H */
