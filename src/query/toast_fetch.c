/*
 * toast_fetch.c
 *	  Reads values that lie in a TOAST table without insisting that they are
 *	  there.
 *
 * A job encodes rows anew that some snapshot may still see.  Whether one does
 * can change while the job runs, and the TOAST table may be vacuumed by itself
 * (a VACUUM of the table waits for the job at the index): the row is found, and
 * its chunks are gone.  No snapshot of ours prevents that, for the job may be a
 * VACUUM, whose snapshot nobody waits for.  The server's own functions raise
 * an error then; to these the row is one that has vanished.  Whether that is
 * true is the caller's to check: a row that the latest snapshot sees has lost
 * its chunks to damage.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "catalog/pg_am.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "compat.h"
#include "query/toast_fetch.h"

/* Reads the chunks of a value into dst, size bytes; false unless they are all there. */
static bool
toast_read_chunks(Relation toast, Relation index, Oid value, char *dst, int32 size)
{
	TupleDesc	desc = RelationGetDescr(toast);
	SnapshotData snapshot;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int32		expected = 0;
	int32		used = 0;
	bool		complete = true;

	/* chunks are never changed: there or not */
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.snapshot_type = SNAPSHOT_TOAST;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	scan = systable_beginscan_ordered(toast, index, &snapshot, 1, &key);
	while (complete && (tuple = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		bool		data_isnull;
		int32		number = DatumGetInt32(fastgetattr(tuple, 2, desc, &isnull));
		struct varlena *chunk = (struct varlena *) DatumGetPointer(fastgetattr(tuple, 3, desc, &data_isnull));
		int32		len;

		if (isnull || data_isnull || number != expected || VARATT_IS_EXTERNAL(chunk) || VARATT_IS_COMPRESSED(chunk))
		{
			complete = false;
			break;
		}
		len = VARSIZE_ANY_EXHDR(chunk);
		if (len > size - used)
			complete = false;
		else
			memcpy(dst + used, VARDATA_ANY(chunk), len);
		used += len;
		expected++;
	}
	systable_endscan_ordered(scan);
	return complete && used == size;
}

struct varlena *
elac_toast_fetch(struct varlena *value)
{
	struct varatt_external pointer;
	Relation	toast;
	Relation   *indexes;
	int			nindexes;
	int			valid;
	int32		size;
	struct varlena *whole;
	bool		complete;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return detoast_attr(value);
	VARATT_EXTERNAL_GET_POINTER(pointer, value);
	toast = table_open(pointer.va_toastrelid, AccessShareLock);
	if (toast->rd_rel->relam != HEAP_TABLE_AM_OID)
	{
		table_close(toast, AccessShareLock);
		return detoast_attr(value);
	}
	size = VARATT_EXTERNAL_GET_EXTSIZE(pointer);
	whole = palloc(size + VARHDRSZ);
	if (VARATT_EXTERNAL_IS_COMPRESSED(pointer))
		SET_VARSIZE_COMPRESSED(whole, size + VARHDRSZ);
	else
		SET_VARSIZE(whole, size + VARHDRSZ);
	valid = toast_open_indexes(toast, AccessShareLock, &indexes, &nindexes);
	complete = toast_read_chunks(toast, indexes[valid], pointer.va_valueid, VARDATA(whole), size);
	toast_close_indexes(indexes, nindexes, AccessShareLock);
	table_close(toast, AccessShareLock);
	return complete ? detoast_attr(whole) : NULL;
}

bool
elac_toast_fetch_slot(TupleTableSlot *source, const Bitmapset *attributes, TupleTableSlot *target)
{
	TupleDesc	desc = source->tts_tupleDescriptor;

	slot_getallattrs(source);
	ExecClearTuple(target);
	for (int i = 0; i < desc->natts; i++)
	{
		target->tts_values[i] = source->tts_values[i];
		target->tts_isnull[i] = source->tts_isnull[i];
		if (source->tts_isnull[i] || TupleDescAttr(desc, i)->attlen != -1 ||
			!VARATT_IS_EXTERNAL((struct varlena *) DatumGetPointer(source->tts_values[i])) ||
			!bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attributes))
			continue;
		target->tts_values[i] =
			PointerGetDatum(elac_toast_fetch((struct varlena *) DatumGetPointer(source->tts_values[i])));
		if (DatumGetPointer(target->tts_values[i]) == NULL)
			return false;
	}
	target->tts_tid = source->tts_tid;
	target->tts_tableOid = source->tts_tableOid;
	ExecStoreVirtualTuple(target);
	return true;
}
