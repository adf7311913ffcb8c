/*
 * test_pgshim.c
 *	  The stand-ins for the server do what the server does.
 */
#include "pgshim.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/buffile.h"
#include "utils/builtins.h"
#include "utils/datum.h"

static void
test_contexts(void)
{
	Size		before = pgshim_allocated();
	MemoryContext outer = AllocSetContextCreate(CurrentMemoryContext, "outer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext inner = AllocSetContextCreate(outer, "inner", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(inner);
	char	   *text = palloc0(10);
	char	   *more = palloc(3);

	CHECK(text[0] == 0 && text[9] == 0);
	CHECK(GetMemoryChunkContext(text) == inner);
	text = repalloc(text, 100000);
	CHECK(text[9] == 0);
	pfree(more);
	MemoryContextAlloc(outer, 77);
	CHECK_EQ(MemoryContextMemAllocated(outer, true), 100077);
	MemoryContextSwitchTo(old);
	MemoryContextReset(outer);
	CHECK_EQ(pgshim_allocated(), before);
	MemoryContextAllocZero(outer, 5);
	MemoryContextDelete(outer);
	CHECK_EQ(pgshim_allocated(), before);
}

static void
test_errors(void)
{
	volatile int reached = 0;

	CHECK_RAISES(ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO),
								 errmsg("number %d is %s", 7, "bad"),
								 errdetail("Really."), errhint("Do not."))),
				 ERRCODE_DIVISION_BY_ZERO);
	CHECK(strcmp(pgshim_error.message, "number 7 is bad") == 0);
	CHECK(strcmp(pgshim_error.detail, "Really.") == 0);
	CHECK(strcmp(pgshim_error.hint, "Do not.") == 0);
	CHECK_RAISES(elog(ERROR, "plain"), ERRCODE_INTERNAL_ERROR);
	CHECK_RAISES(palloc(MaxAllocSize + 1), ERRCODE_INTERNAL_ERROR);
	CHECK(palloc_extended(100, MCXT_ALLOC_NO_OOM) != NULL);
	CHECK_QUIET(reached = 1);
	CHECK_EQ(reached, 1);

	pgshim_fail_alloc_after(2);
	CHECK_QUIET(palloc(1));
	CHECK_RAISES(palloc(1), ERRCODE_OUT_OF_MEMORY);

	pgshim_cancel_after(2);
	CHECK_QUIET(CHECK_FOR_INTERRUPTS());
	CHECK_RAISES(CHECK_FOR_INTERRUPTS(), ERRCODE_QUERY_CANCELED);
	CHECK_QUIET(CHECK_FOR_INTERRUPTS());

	pgshim_notices = 0;
	elog(DEBUG1, "quiet");
	ereport(WARNING, (errmsg_plural("%d row", "%d rows", 2, 2)));
	CHECK_EQ(pgshim_notices, 1);
	CHECK(strcmp(pgshim_notice.message, "2 rows") == 0);

	/* PG_FINALLY and nested PG_TRY */
	PG_TRY();
	{
		PG_TRY();
		{
			elog(ERROR, "inner");
		}
		PG_FINALLY();
		{
			reached = 2;
		}
		PG_END_TRY();
	}
	PG_CATCH();
	{
		ErrorData  *edata = CopyErrorData();

		CHECK(strcmp(edata->message, "inner") == 0);
		FlushErrorState();
		CHECK_RAISES(ReThrowError(edata), ERRCODE_INTERNAL_ERROR);
		FreeErrorData(edata);
	}
	PG_END_TRY();
	CHECK_EQ(reached, 2);
}

static void
test_libraries(void)
{
	StringInfoData buf;
	List	   *list = NIL;
	ListCell   *cell;
	int			sum = 0;
	BufFile    *file;
	char		bytes[5] = {0};
	text	   *value = cstring_to_text("words");

	initStringInfo(&buf);
	for (int i = 0; i < 1000; i++)
		appendStringInfo(&buf, "%d,", i);
	appendStringInfoChar(&buf, '.');
	appendBinaryStringInfo(&buf, "x", 1);
	CHECK_EQ(buf.len, 3892);
	CHECK_EQ(strlen(buf.data), 3892);
	CHECK(strlen(psprintf("%500d", 3)) == 500);

	for (int i = 0; i < 100; i++)
		list = lappend_int(list, i);
	foreach(cell, list)
		sum += lfirst_int(cell);
	CHECK_EQ(sum, 4950);
	list = list_delete_first(list);
	CHECK_EQ(linitial_int(list), 1);
	CHECK(!list_member_int(list, 0) && list_member_int(list, 99));
	CHECK_EQ(list_length(list_make2(buf.data, file = NULL)), 2);
	list_free(list);

	file = BufFileCreateTemp(false);
	BufFileWrite(file, "hello", 5);
	CHECK(BufFileSeek(file, 0, 1, SEEK_SET) == 0);
	CHECK_EQ(BufFileRead(file, bytes, 5), 4);
	CHECK(strcmp(bytes, "ello") == 0);
	CHECK_EQ(BufFileSize(file), 5);
	BufFileClose(file);

	CHECK(strcmp(text_to_cstring(value), "words") == 0);
	CHECK(datumIsEqual(PointerGetDatum(value), datumCopy(PointerGetDatum(value), false, -1), false, -1));
	CHECK(hash_bytes((const unsigned char *) "a", 1) != hash_bytes((const unsigned char *) "b", 1));
}

int
main(void)
{
	pgshim_init();
	test_contexts();
	test_errors();
	test_libraries();
	return check_done();
}
