/*
 * merge_spool.c
 *	  Items come in the order of the heap and leave in the order of their keys:
 *	  a bucket holds a range of keys, small enough to be loaded whole.
 *
 * With one bucket everything stays in memory.  A bucket that grew larger than
 * foreseen (keys are unevenly used) is read item by item.
 */
#include "postgres.h"

#include "storage/buffile.h"
#include "utils/memutils.h"

#include "segment/merge_spool.h"

#define SPOOL_BUCKETS_MAX 256

typedef struct SpoolBucket
{
	BufFile    *file;			/* NULL until something is in it */
	uint32		nitems;
} SpoolBucket;

struct MergeSpool
{
	MemoryContext context;
	Size		item_bytes;
	uint32		nkeys;
	Size		memory_max;
	uint64		count;
	int			nbuckets;
	SpoolBucket *buckets;
	/* one bucket: its items; several: those of the bucket loaded, or one item */
	Size		allocated;
	uint8	   *memory;
	int			loaded;			/* -1: none */
};

MergeSpool *
elac_merge_spool_begin(Size item_bytes, uint64 nitems, uint32 nkeys, Size memory_max)
{
	MergeSpool *spool = palloc0(sizeof(MergeSpool));
	double		total = (double) item_bytes * nitems;

	spool->context = CurrentMemoryContext;
	spool->item_bytes = item_bytes;
	spool->nkeys = Max(nkeys, 1);
	spool->memory_max = Max(memory_max, item_bytes);
	/* half full on average, for keys are not evenly used */
	spool->nbuckets = total <= spool->memory_max ? 1
		: (int) Min(Min(2 * total / spool->memory_max + 1, SPOOL_BUCKETS_MAX), spool->nkeys);
	spool->buckets = palloc0(spool->nbuckets * sizeof(SpoolBucket));
	spool->loaded = -1;
	return spool;
}

/* Room for n bytes in spool->memory. */
static void
spool_reserve(MergeSpool *spool, Size n)
{
	if (n <= spool->allocated)
		return;
	n = Max(n, Min(spool->allocated * 2, spool->memory_max));
	n = Max(n, 65536);
	if (spool->memory == NULL)
		spool->memory = MemoryContextAllocHuge(spool->context, n);
	else
		spool->memory = repalloc_huge(spool->memory, n);
	spool->allocated = n;
}

static int
spool_bucket_of(const MergeSpool *spool, uint32 key)
{
	Assert(key < spool->nkeys);
	return (int) ((uint64) key * spool->nbuckets / spool->nkeys);
}

static void
spool_seek(BufFile *file, uint64 offset)
{
	/* the offset may exceed a segment of the file: by blocks, then within one */
	if (BufFileSeekBlock(file, offset / BLCKSZ) != 0 || BufFileSeek(file, 0, offset % BLCKSZ, SEEK_CUR) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
}

static void
spool_read(BufFile *file, void *dst, Size len)
{
	if (BufFileRead(file, dst, len) != len)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
}

uint32
elac_merge_spool_put(MergeSpool *spool, uint32 key, const uint8 *item)
{
	SpoolBucket *bucket = &spool->buckets[spool_bucket_of(spool, key)];

	if (spool->nbuckets == 1)
	{
		spool_reserve(spool, ((Size) bucket->nitems + 1) * spool->item_bytes);
		memcpy(spool->memory + (Size) bucket->nitems * spool->item_bytes, item, spool->item_bytes);
	}
	else
	{
		if (bucket->file == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(spool->context);

			bucket->file = BufFileCreateTemp(false);
			MemoryContextSwitchTo(old);
		}
		BufFileWrite(bucket->file, unconstify(uint8 *, item), spool->item_bytes);
	}
	spool->count++;
	return bucket->nitems++;
}

const uint8 *
elac_merge_spool_get(MergeSpool *spool, uint32 key, uint32 number)
{
	int			which = spool_bucket_of(spool, key);
	SpoolBucket *bucket = &spool->buckets[which];
	Size		total = (Size) bucket->nitems * spool->item_bytes;

	if (number >= bucket->nitems)
		elog(ERROR, "item %u of a spool does not exist", number);
	if (spool->nbuckets == 1 || spool->loaded == which)
		return spool->memory + (Size) number * spool->item_bytes;
	if (total <= spool->memory_max)
	{
		spool_reserve(spool, total);
		spool_seek(bucket->file, 0);
		spool_read(bucket->file, spool->memory, total);
		spool->loaded = which;
		return spool->memory + (Size) number * spool->item_bytes;
	}
	spool->loaded = -1;
	spool_reserve(spool, spool->item_bytes);
	spool_seek(bucket->file, (uint64) number * spool->item_bytes);
	spool_read(bucket->file, spool->memory, spool->item_bytes);
	return spool->memory;
}

uint64
elac_merge_spool_count(const MergeSpool *spool)
{
	return spool->count;
}

void
elac_merge_spool_end(MergeSpool *spool)
{
	for (int i = 0; i < spool->nbuckets; i++)
		if (spool->buckets[i].file != NULL)
			BufFileClose(spool->buckets[i].file);
	if (spool->memory != NULL)
		pfree(spool->memory);
	pfree(spool->buckets);
	pfree(spool);
}
