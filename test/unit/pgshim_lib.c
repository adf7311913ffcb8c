/*
 * pgshim_lib.c
 *	  Stand-ins for the server's small libraries in plain C tests: strings,
 *	  lists, StringInfo, temporary files, datums, function calls.
 *
 * What is the same in the server's client libraries (hashing, sorting, its
 * printf) is linked from libpgcommon and libpgport.
 */
#include "pgshim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "storage/buffile.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

/* since PostgreSQL 16; part of postgres.h before */
#if __has_include("varatt.h")
#include "varatt.h"
#endif

/* ---- strings ---- */

/*
 * Through the server's vsnprintf (libpgport), for %m and for widths.  Returns
 * the bytes needed with the final zero, or what was printed when it fitted.
 */
size_t
pvsnprintf(char *buf, size_t len, const char *fmt, va_list args)
{
	int			printed = vsnprintf(buf, len, fmt, args);

	if (printed < 0)
		abort();
	return (size_t) printed < len ? (size_t) printed : (size_t) printed + 1;
}

char *
psprintf(const char *fmt,...)
{
	size_t		len = 128;

	for (;;)
	{
		char	   *text = palloc(len);
		va_list		args;
		size_t		needed;

		va_start(args, fmt);
		needed = pvsnprintf(text, len, fmt, args);
		va_end(args);
		if (needed < len)
			return text;
		pfree(text);
		len = needed + 1;
	}
}

text *
cstring_to_text_with_len(const char *s, int len)
{
	text	   *result = palloc(len + VARHDRSZ);

	SET_VARSIZE(result, len + VARHDRSZ);
	memcpy(VARDATA(result), s, len);
	return result;
}

text *
cstring_to_text(const char *s)
{
	return cstring_to_text_with_len(s, (int) strlen(s));
}

char *
text_to_cstring(const text *t)
{
	return pnstrdup(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

void
initStringInfo(StringInfo str)
{
	str->maxlen = 1024;
	str->data = palloc(str->maxlen);
	resetStringInfo(str);
}

StringInfo
makeStringInfo(void)
{
	StringInfo	str = palloc(sizeof(StringInfoData));

	initStringInfo(str);
	return str;
}

void
resetStringInfo(StringInfo str)
{
	str->data[0] = '\0';
	str->len = 0;
	str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	Size		wanted = (Size) str->len + (Size) needed + 1;
	Size		room = str->maxlen;

	if (needed < 0 || wanted > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("string buffer exceeds maximum allowed length (%zu bytes)", (Size) MaxAllocSize)));
	if (wanted <= room)
		return;
	while (room < wanted)
		room *= 2;
	str->data = repalloc(str->data, Min(room, MaxAllocSize));
	str->maxlen = (int) Min(room, MaxAllocSize);
}

extern void pgshim_append_binary_nt(StringInfo str, const void *data, int datalen) __asm__("appendBinaryStringInfoNT");

void
pgshim_append_binary_nt(StringInfo str, const void *data, int datalen)
{
	enlargeStringInfo(str, datalen);
	memcpy(str->data + str->len, data, datalen);
	str->len += datalen;
}

extern void pgshim_append_binary(StringInfo str, const void *data, int datalen) __asm__("appendBinaryStringInfo");

void
pgshim_append_binary(StringInfo str, const void *data, int datalen)
{
	pgshim_append_binary_nt(str, data, datalen);
	str->data[str->len] = '\0';
}

void
appendStringInfoString(StringInfo str, const char *s)
{
	pgshim_append_binary(str, s, (int) strlen(s));
}

void
appendStringInfoChar(StringInfo str, char ch)
{
	pgshim_append_binary(str, &ch, 1);
}

void
appendStringInfoSpaces(StringInfo str, int count)
{
	for (; count > 0; count--)
		appendStringInfoChar(str, ' ');
}

int
appendStringInfoVA(StringInfo str, const char *fmt, va_list args)
{
	size_t		room = str->maxlen - str->len;
	size_t		needed = pvsnprintf(str->data + str->len, room, fmt, args);

	if (needed < room)
	{
		str->len += (int) needed;
		return 0;
	}
	str->data[str->len] = '\0';
	return (int) needed;
}

void
appendStringInfo(StringInfo str, const char *fmt,...)
{
	int			needed;

	do
	{
		va_list		args;

		va_start(args, fmt);
		needed = appendStringInfoVA(str, fmt, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(str, needed);
	} while (needed > 0);
}

/* ---- lists ---- */

static List *
pgshim_list_make(NodeTag tag, int length)
{
	List	   *list = palloc(sizeof(List));

	list->type = tag;
	list->length = length;
	list->max_length = Max(length, 8);
	list->elements = palloc(list->max_length * sizeof(ListCell));
	return list;
}

static List *
pgshim_list_insert(List *list, NodeTag tag, int position, ListCell cell)
{
	if (list == NIL)
		list = pgshim_list_make(tag, 0);
	if (list->length == list->max_length)
	{
		list->max_length *= 2;
		list->elements = repalloc(list->elements, list->max_length * sizeof(ListCell));
	}
	memmove(list->elements + position + 1, list->elements + position,
			(list->length - position) * sizeof(ListCell));
	list->elements[position] = cell;
	list->length++;
	return list;
}

List *
list_make1_impl(NodeTag t, ListCell datum1)
{
	return pgshim_list_insert(NIL, t, 0, datum1);
}

List *
list_make2_impl(NodeTag t, ListCell datum1, ListCell datum2)
{
	return pgshim_list_insert(list_make1_impl(t, datum1), t, 1, datum2);
}

List *
list_make3_impl(NodeTag t, ListCell datum1, ListCell datum2, ListCell datum3)
{
	return pgshim_list_insert(list_make2_impl(t, datum1, datum2), t, 2, datum3);
}

List *
lappend(List *list, void *datum)
{
	return pgshim_list_insert(list, T_List, list_length(list), list_make_ptr_cell(datum));
}

List *
lappend_int(List *list, int datum)
{
	return pgshim_list_insert(list, T_IntList, list_length(list), list_make_int_cell(datum));
}

List *
lappend_oid(List *list, Oid datum)
{
	return pgshim_list_insert(list, T_OidList, list_length(list), list_make_oid_cell(datum));
}

List *
lcons(void *datum, List *list)
{
	return pgshim_list_insert(list, T_List, 0, list_make_ptr_cell(datum));
}

List *
list_copy(const List *list)
{
	List	   *copy;

	if (list == NIL)
		return NIL;
	copy = pgshim_list_make(list->type, list->length);
	memcpy(copy->elements, list->elements, list->length * sizeof(ListCell));
	return copy;
}

List *
list_concat(List *list1, const List *list2)
{
	for (int i = 0; i < list_length(list2); i++)
		list1 = pgshim_list_insert(list1, list2->type, list_length(list1), list2->elements[i]);
	return list1;
}

List *
list_delete_nth_cell(List *list, int n)
{
	memmove(list->elements + n, list->elements + n + 1, (list->length - n - 1) * sizeof(ListCell));
	if (--list->length > 0)
		return list;
	list_free(list);
	return NIL;
}

List *
list_delete_cell(List *list, ListCell *cell)
{
	return list_delete_nth_cell(list, (int) (cell - list->elements));
}

List *
list_delete_first(List *list)
{
	return list == NIL ? NIL : list_delete_nth_cell(list, 0);
}

List *
list_delete_last(List *list)
{
	return list == NIL ? NIL : list_delete_nth_cell(list, list->length - 1);
}

List *
list_truncate(List *list, int new_size)
{
	if (new_size <= 0)
		return NIL;
	if (new_size < list_length(list))
		list->length = new_size;
	return list;
}

bool
list_member_int(const List *list, int datum)
{
	for (int i = 0; i < list_length(list); i++)
	{
		if (list->elements[i].int_value == datum)
			return true;
	}
	return false;
}

bool
list_member_oid(const List *list, Oid datum)
{
	for (int i = 0; i < list_length(list); i++)
	{
		if (list->elements[i].oid_value == datum)
			return true;
	}
	return false;
}

bool
list_member_ptr(const List *list, const void *datum)
{
	for (int i = 0; i < list_length(list); i++)
	{
		if (list->elements[i].ptr_value == datum)
			return true;
	}
	return false;
}

void
list_sort(List *list, list_sort_comparator cmp)
{
	if (list_length(list) > 1)
		qsort(list->elements, list->length, sizeof(ListCell),
			  (int (*) (const void *, const void *)) cmp);
}

void
list_free(List *list)
{
	if (list == NIL)
		return;
	pfree(list->elements);
	pfree(list);
}

void
list_free_deep(List *list)
{
	for (int i = 0; i < list_length(list); i++)
		pfree(list->elements[i].ptr_value);
	list_free(list);
}

/* ---- temporary files ---- */

struct BufFile
{
	FILE	   *stream;
};

BufFile *
BufFileCreateTemp(bool interXact)
{
	BufFile    *file = palloc(sizeof(BufFile));

	file->stream = tmpfile();
	if (file->stream == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create temporary file")));
	return file;
}

void
BufFileClose(BufFile *file)
{
	fclose(file->stream);
	pfree(file);
}

extern size_t pgshim_buffile_read(BufFile *file, void *ptr, size_t size) __asm__("BufFileRead");
extern void pgshim_buffile_read_exact(BufFile *file, void *ptr, size_t size) __asm__("BufFileReadExact");
extern size_t pgshim_buffile_read_eof(BufFile *file, void *ptr, size_t size, bool eofok) __asm__("BufFileReadMaybeEOF");
extern void pgshim_buffile_write(BufFile *file, const void *ptr, size_t size) __asm__("BufFileWrite");

size_t
pgshim_buffile_read(BufFile *file, void *ptr, size_t size)
{
	/* a stream must be positioned between a write and a read */
	fseeko(file->stream, 0, SEEK_CUR);
	return fread(ptr, 1, size, file->stream);
}

void
pgshim_buffile_read_exact(BufFile *file, void *ptr, size_t size)
{
	if (pgshim_buffile_read(file, ptr, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file")));
}

size_t
pgshim_buffile_read_eof(BufFile *file, void *ptr, size_t size, bool eofok)
{
	size_t		got = pgshim_buffile_read(file, ptr, size);

	if (got != size && !(eofok && got == 0))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file")));
	return got;
}

void
pgshim_buffile_write(BufFile *file, const void *ptr, size_t size)
{
	fseeko(file->stream, 0, SEEK_CUR);
	if (fwrite(ptr, 1, size, file->stream) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write to temporary file")));
}

/* One physical file, whatever the size: fileno counts gigabytes. */
#define PGSHIM_BUFFILE_PART ((off_t) 1 << 30)

int
BufFileSeek(BufFile *file, int fileno, off_t offset, int whence)
{
	if (whence == SEEK_SET)
		offset += fileno * PGSHIM_BUFFILE_PART;
	return fseeko(file->stream, offset, whence) == 0 ? 0 : EOF;
}

/* The type of the block number differs between versions of the server. */
extern int	pgshim_buffile_seek_block(BufFile *file, int64 block) __asm__("BufFileSeekBlock");

int
pgshim_buffile_seek_block(BufFile *file, int64 block)
{
	return fseeko(file->stream, (off_t) block * BLCKSZ, SEEK_SET) == 0 ? 0 : EOF;
}

void
BufFileTell(BufFile *file, int *fileno, off_t *offset)
{
	off_t		position = ftello(file->stream);

	*fileno = (int) (position / PGSHIM_BUFFILE_PART);
	*offset = position % PGSHIM_BUFFILE_PART;
}

int64
BufFileSize(BufFile *file)
{
	off_t		position = ftello(file->stream);
	off_t		size;

	fseeko(file->stream, 0, SEEK_END);
	size = ftello(file->stream);
	fseeko(file->stream, position, SEEK_SET);
	return size;
}

/* ---- datums and function calls ---- */

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	struct varlena *plain;
	Size		len;

	if (!VARATT_IS_EXTENDED(datum))
		return datum;
	if (!VARATT_IS_SHORT(datum))
		elog(ERROR, "datum is compressed or stored elsewhere");
	len = VARSIZE_SHORT(datum) - VARHDRSZ_SHORT;
	plain = palloc(len + VARHDRSZ);
	SET_VARSIZE(plain, len + VARHDRSZ);
	memcpy(VARDATA(plain), VARDATA_SHORT(datum), len);
	return plain;
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	if (VARATT_IS_COMPRESSED(datum) || VARATT_IS_EXTERNAL(datum))
		return pg_detoast_datum(datum);
	return datum;
}

struct varlena *
pg_detoast_datum_copy(struct varlena *datum)
{
	struct varlena *plain = pg_detoast_datum(datum);
	struct varlena *copy;

	if (plain != datum)
		return plain;
	copy = palloc(VARSIZE(datum));
	memcpy(copy, datum, VARSIZE(datum));
	return copy;
}

Size
datumGetSize(Datum value, bool typByVal, int typLen)
{
	if (typByVal || typLen > 0)
		return typLen;
	if (typLen == -1)
		return VARSIZE_ANY(DatumGetPointer(value));
	return strlen(DatumGetCString(value)) + 1;
}

Datum
datumCopy(Datum value, bool typByVal, int typLen)
{
	Size		size;

	if (typByVal)
		return value;
	size = datumGetSize(value, typByVal, typLen);
	return PointerGetDatum(memcpy(palloc(size), DatumGetPointer(value), size));
}

bool
datumIsEqual(Datum value1, Datum value2, bool typByVal, int typLen)
{
	Size		size;

	if (typByVal)
		return value1 == value2;
	size = datumGetSize(value1, typByVal, typLen);
	return size == datumGetSize(value2, typByVal, typLen) &&
		memcmp(DatumGetPointer(value1), DatumGetPointer(value2), size) == 0;
}

/* Calls fn with up to three arguments, none null, a null result being an error. */
static Datum
pgshim_call(PGFunction fn, FmgrInfo *flinfo, Oid collation, short nargs, Datum arg1, Datum arg2, Datum arg3)
{
	LOCAL_FCINFO(fcinfo, 3);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, flinfo, nargs, collation, NULL, NULL);
	fcinfo->args[0].value = arg1;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = arg2;
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = arg3;
	fcinfo->args[2].isnull = false;
	result = fn(fcinfo);
	if (fcinfo->isnull)
		elog(ERROR, "function %p returned NULL", (void *) (uintptr_t) fn);
	return result;
}

Datum
FunctionCall1Coll(FmgrInfo *flinfo, Oid collation, Datum arg1)
{
	return pgshim_call(flinfo->fn_addr, flinfo, collation, 1, arg1, 0, 0);
}

Datum
FunctionCall2Coll(FmgrInfo *flinfo, Oid collation, Datum arg1, Datum arg2)
{
	return pgshim_call(flinfo->fn_addr, flinfo, collation, 2, arg1, arg2, 0);
}

Datum
FunctionCall3Coll(FmgrInfo *flinfo, Oid collation, Datum arg1, Datum arg2, Datum arg3)
{
	return pgshim_call(flinfo->fn_addr, flinfo, collation, 3, arg1, arg2, arg3);
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	return pgshim_call(func, NULL, collation, 1, arg1, 0, 0);
}

Datum
DirectFunctionCall2Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2)
{
	return pgshim_call(func, NULL, collation, 2, arg1, arg2, 0);
}

Datum
DirectFunctionCall3Coll(PGFunction func, Oid collation, Datum arg1, Datum arg2, Datum arg3)
{
	return pgshim_call(func, NULL, collation, 3, arg1, arg2, arg3);
}

/* ---- time ---- */

TimestampTz
GetCurrentTimestamp(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((TimestampTz) now.tv_sec - ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)) * USECS_PER_SEC +
		now.tv_nsec / 1000;
}
