/*
 * codespool.c
 *	  A spool for the two streams of a vector section, neither of which can be
 *	  written to its blob before the writer is finished.
 *
 * Caller holds a resource owner (a transaction): the temporary file goes away
 * with it when an error cuts the work short.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "vector/codespool.h"

void
elac_codespool_init(ElacCodeSpool *spool, Size memory_max)
{
	memset(spool, 0, sizeof(*spool));
	spool->memory_max = memory_max;
}

static void
elac_codespool_spill(ElacCodeSpool *spool)
{
	if (spool->file == NULL)
		spool->file = BufFileCreateTemp(false);
	if (spool->used > 0)
		BufFileWrite(spool->file, spool->memory, spool->used);
	spool->used = 0;
}

void
elac_codespool_put(ElacCodeSpool *spool, const void *data, Size len)
{
	if (len == 0)
		return;
	if (len > spool->memory_max - spool->used)
		elac_codespool_spill(spool);
	if (len > spool->memory_max)
		BufFileWrite(spool->file, unconstify(void *, data), len);
	else
	{
		if (spool->used + len > spool->capacity)
		{
			Size		capacity = Min(Max(Max(spool->capacity * 2, 8192), spool->used + len), spool->memory_max);

			spool->memory = spool->memory
				? repalloc_huge(spool->memory, capacity)
				: palloc_extended(capacity, MCXT_ALLOC_HUGE);
			spool->capacity = capacity;
		}
		memcpy(spool->memory + spool->used, data, len);
		spool->used += len;
	}
	spool->total += len;
}

void
elac_codespool_rewind(ElacCodeSpool *spool)
{
	spool->position = 0;
	if (spool->file == NULL)
		return;
	elac_codespool_spill(spool);
	if (BufFileSeek(spool->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
}

void
elac_codespool_take(ElacCodeSpool *spool, void *dst, Size len)
{
	if (spool->file == NULL)
	{
		if (len > spool->used - spool->position)
			elog(ERROR, "code spool ends too early");
		if (len > 0)
			memcpy(dst, spool->memory + spool->position, len);
		spool->position += len;
	}
	else if (BufFileRead(spool->file, dst, len) != len)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
}

void
elac_codespool_free(ElacCodeSpool *spool)
{
	if (spool->memory)
		pfree(spool->memory);
	if (spool->file)
		BufFileClose(spool->file);
	memset(spool, 0, sizeof(*spool));
}
