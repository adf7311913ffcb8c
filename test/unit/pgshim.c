/*
 * pgshim.c
 *	  Memory contexts, error reports and interrupts for plain C tests: see
 *	  pgshim.h.  The rest of the stand-ins is in pgshim_lib.c.
 *
 * Symbols whose C declaration differs between server versions are defined
 * under another C name with the server's assembler name.
 */
#include "pgshim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "miscadmin.h"
#include "nodes/memnodes.h"

/* ---- memory ---- */

/*
 * Before every allocation.  `context` comes last: PostgreSQL 15 finds a
 * chunk's context in the eight bytes before it.
 */
typedef struct PgshimChunk
{
	struct PgshimChunk *prev;
	struct PgshimChunk *next;
	Size		size;
	MemoryContext context;
} PgshimChunk;

typedef struct PgshimContext
{
	MemoryContextData base;
	PgshimChunk chunks;			/* list head */
} PgshimContext;

MemoryContext CurrentMemoryContext = NULL;
MemoryContext TopMemoryContext = NULL;
MemoryContext ErrorContext = NULL;
MemoryContext CacheMemoryContext = NULL;
MemoryContext MessageContext = NULL;
MemoryContext TopTransactionContext = NULL;
MemoryContext CurTransactionContext = NULL;
MemoryContext PortalContext = NULL;

static Size pgshim_bytes = 0;
static Size pgshim_bytes_most = 0;
static long pgshim_alloc_countdown = 0;
static long pgshim_cancel_countdown = 0;

Size
pgshim_allocated(void)
{
	return pgshim_bytes;
}

Size
pgshim_allocated_most(void)
{
	Size		most = pgshim_bytes_most;

	pgshim_bytes_most = pgshim_bytes;
	return most;
}

void
pgshim_fail_alloc_after(long countdown)
{
	pgshim_alloc_countdown = countdown;
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize, Size maxBlockSize)
{
	PgshimContext *context = calloc(1, sizeof(PgshimContext));

	if (context == NULL)
		abort();
	context->base.type = T_AllocSetContext;
	context->base.isReset = true;
	context->base.name = name;
	context->chunks.prev = context->chunks.next = &context->chunks;
	MemoryContextSetParent(&context->base, parent);
	return &context->base;
}

MemoryContext
GenerationContextCreate(MemoryContext parent, const char *name,
						Size minContextSize, Size initBlockSize, Size maxBlockSize)
{
	return AllocSetContextCreateInternal(parent, name, minContextSize, initBlockSize, maxBlockSize);
}

MemoryContext
SlabContextCreate(MemoryContext parent, const char *name, Size blockSize, Size chunkSize)
{
	return AllocSetContextCreateInternal(parent, name, 0, blockSize, blockSize);
}

void
MemoryContextSetParent(MemoryContext context, MemoryContext new_parent)
{
	if (context->prevchild != NULL)
		context->prevchild->nextchild = context->nextchild;
	else if (context->parent != NULL)
		context->parent->firstchild = context->nextchild;
	if (context->nextchild != NULL)
		context->nextchild->prevchild = context->prevchild;

	context->parent = new_parent;
	context->prevchild = NULL;
	context->nextchild = new_parent != NULL ? new_parent->firstchild : NULL;
	if (context->nextchild != NULL)
		context->nextchild->prevchild = context;
	if (new_parent != NULL)
		new_parent->firstchild = context;
}

MemoryContext
MemoryContextGetParent(MemoryContext context)
{
	return context->parent;
}

void
MemoryContextSetIdentifier(MemoryContext context, const char *id)
{
	context->ident = id;
}

static PgshimChunk *
pgshim_chunk(void *pointer)
{
	return (PgshimChunk *) ((char *) pointer - sizeof(PgshimChunk));
}

static void
pgshim_link(PgshimChunk *chunk, MemoryContext context)
{
	PgshimChunk *head = &((PgshimContext *) context)->chunks;

	chunk->context = context;
	chunk->prev = head;
	chunk->next = head->next;
	head->next->prev = chunk;
	head->next = chunk;
	context->isReset = false;
	pgshim_bytes += chunk->size;
	pgshim_bytes_most = Max(pgshim_bytes_most, pgshim_bytes);
}

static void
pgshim_unlink(PgshimChunk *chunk)
{
	chunk->prev->next = chunk->next;
	chunk->next->prev = chunk->prev;
	pgshim_bytes -= chunk->size;
}

void
MemoryContextResetOnly(MemoryContext context)
{
	PgshimChunk *head = &((PgshimContext *) context)->chunks;

	while (context->reset_cbs != NULL)
	{
		MemoryContextCallback *callback = context->reset_cbs;

		context->reset_cbs = callback->next;
		callback->func(callback->arg);
	}
	while (head->next != head)
	{
		PgshimChunk *chunk = head->next;

		pgshim_unlink(chunk);
		free(chunk);
	}
	context->isReset = true;
}

void
MemoryContextDeleteChildren(MemoryContext context)
{
	while (context->firstchild != NULL)
		MemoryContextDelete(context->firstchild);
}

void
MemoryContextReset(MemoryContext context)
{
	MemoryContextDeleteChildren(context);
	MemoryContextResetOnly(context);
}

void
MemoryContextDelete(MemoryContext context)
{
	if (context == CurrentMemoryContext)
	{
		printf("# the current memory context \"%s\" is deleted\n", context->name);
		abort();
	}
	MemoryContextReset(context);
	MemoryContextSetParent(context, NULL);
	free(context);
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *cb)
{
	cb->next = context->reset_cbs;
	context->reset_cbs = cb;
	context->isReset = false;
}

Size
MemoryContextMemAllocated(MemoryContext context, bool recurse)
{
	PgshimChunk *head = &((PgshimContext *) context)->chunks;
	Size		total = 0;

	for (PgshimChunk *chunk = head->next; chunk != head; chunk = chunk->next)
		total += chunk->size;
	if (recurse)
	{
		for (MemoryContext child = context->firstchild; child != NULL; child = child->nextchild)
			total += MemoryContextMemAllocated(child, true);
	}
	return total;
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	PgshimChunk *chunk = NULL;
	Size		limit = (flags & MCXT_ALLOC_HUGE) != 0 ? MaxAllocHugeSize : MaxAllocSize;
	bool		fail = false;

	if (context == NULL)
	{
		printf("# allocation without a memory context: pgshim_init() was not called\n");
		abort();
	}
	if (size > limit)
		elog(ERROR, "invalid memory alloc request size %zu", size);
	if (CritSectionCount > 0)
	{
		printf("# allocation in a critical section\n");
		abort();
	}
	if (pgshim_alloc_countdown > 0 && --pgshim_alloc_countdown == 0)
		fail = true;
	if (!fail)
		chunk = malloc(sizeof(PgshimChunk) + size);
	if (chunk == NULL)
	{
		if ((flags & MCXT_ALLOC_NO_OOM) != 0)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed on request of size %zu.", size)));
	}

	chunk->size = size;
	pgshim_link(chunk, context);

	/* Not zero unless asked for: reading it before writing is a mistake. */
	if (size > 0)
		memset(chunk + 1, (flags & MCXT_ALLOC_ZERO) != 0 ? 0 : 0x7E, size);
	return chunk + 1;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, 0);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_ZERO);
}

extern void *pgshim_alloc_zero_aligned(MemoryContext context, Size size) __asm__("MemoryContextAllocZeroAligned");

void *
pgshim_alloc_zero_aligned(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_ZERO);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_HUGE);
}

void *
palloc(Size size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, 0);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_ZERO);
}

void *
palloc_extended(Size size, int flags)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, flags);
}

void
pfree(void *pointer)
{
	PgshimChunk *chunk = pgshim_chunk(pointer);

	pgshim_unlink(chunk);
	free(chunk);
}

/* Always moves, so that a stale pointer is noticed. */
void *
repalloc_extended(void *pointer, Size size, int flags)
{
	PgshimChunk *chunk = pgshim_chunk(pointer);
	void	   *moved = MemoryContextAllocExtended(chunk->context, size, flags & ~MCXT_ALLOC_ZERO);

	if (moved == NULL)
		return NULL;
	memcpy(moved, pointer, Min(size, chunk->size));
	pfree(pointer);
	return moved;
}

void *
repalloc(void *pointer, Size size)
{
	return repalloc_extended(pointer, size, 0);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc_extended(pointer, size, MCXT_ALLOC_HUGE);
}

extern void *pgshim_repalloc0(void *pointer, Size oldsize, Size size) __asm__("repalloc0");

void *
pgshim_repalloc0(void *pointer, Size oldsize, Size size)
{
	char	   *moved = repalloc(pointer, size);

	memset(moved + oldsize, 0, size - oldsize);
	return moved;
}

extern MemoryContext pgshim_chunk_context(void *pointer) __asm__("GetMemoryChunkContext");

MemoryContext
pgshim_chunk_context(void *pointer)
{
	return pgshim_chunk(pointer)->context;
}

Size
GetMemoryChunkSpace(void *pointer)
{
	return pgshim_chunk(pointer)->size + sizeof(PgshimChunk);
}

Size
add_size(Size s1, Size s2)
{
	Size		result;

	if (__builtin_add_overflow(s1, s2, &result))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("requested size %zu + %zu overflows", s1, s2)));
	return result;
}

Size
mul_size(Size s1, Size s2)
{
	Size		result;

	if (__builtin_mul_overflow(s1, s2, &result))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("requested size %zu * %zu overflows", s1, s2)));
	return result;
}

extern void *pgshim_palloc_mul(Size s1, Size s2) __asm__("palloc_mul");
extern void *pgshim_palloc0_mul(Size s1, Size s2) __asm__("palloc0_mul");
extern void *pgshim_palloc_mul_extended(Size s1, Size s2, int flags) __asm__("palloc_mul_extended");
extern void *pgshim_repalloc_mul(void *p, Size s1, Size s2) __asm__("repalloc_mul");
extern void *pgshim_repalloc_mul_extended(void *p, Size s1, Size s2, int flags) __asm__("repalloc_mul_extended");

void *
pgshim_palloc_mul(Size s1, Size s2)
{
	return palloc(mul_size(s1, s2));
}

void *
pgshim_palloc0_mul(Size s1, Size s2)
{
	return palloc0(mul_size(s1, s2));
}

void *
pgshim_palloc_mul_extended(Size s1, Size s2, int flags)
{
	return palloc_extended(mul_size(s1, s2), flags);
}

void *
pgshim_repalloc_mul(void *p, Size s1, Size s2)
{
	return repalloc(p, mul_size(s1, s2));
}

void *
pgshim_repalloc_mul_extended(void *p, Size s1, Size s2, int flags)
{
	return repalloc_extended(p, mul_size(s1, s2), flags);
}

char *
MemoryContextStrdup(MemoryContext context, const char *string)
{
	Size		len = strlen(string) + 1;

	return memcpy(MemoryContextAlloc(context, len), string, len);
}

char *
pstrdup(const char *in)
{
	return MemoryContextStrdup(CurrentMemoryContext, in);
}

char *
pnstrdup(const char *in, Size len)
{
	Size		used = strnlen(in, len);
	char	   *out = palloc(used + 1);

	memcpy(out, in, used);
	out[used] = '\0';
	return out;
}

void
pgshim_init(void)
{
	if (TopMemoryContext != NULL)
		return;
	TopMemoryContext = AllocSetContextCreateInternal(NULL, "TopMemoryContext", 0, 0, 0);
	ErrorContext = AllocSetContextCreateInternal(TopMemoryContext, "ErrorContext", 0, 0, 0);
	CacheMemoryContext = AllocSetContextCreateInternal(TopMemoryContext, "CacheMemoryContext", 0, 0, 0);
	MessageContext = AllocSetContextCreateInternal(TopMemoryContext, "MessageContext", 0, 0, 0);
	TopTransactionContext = AllocSetContextCreateInternal(TopMemoryContext, "TopTransactionContext", 0, 0, 0);
	CurTransactionContext = TopTransactionContext;
	PortalContext = AllocSetContextCreateInternal(TopMemoryContext, "PortalContext", 0, 0, 0);
	CurrentMemoryContext = TopMemoryContext;
}

/* ---- interrupts and other state of a process ---- */

volatile sig_atomic_t InterruptPending = false;
volatile sig_atomic_t QueryCancelPending = false;
volatile sig_atomic_t ProcDiePending = false;
volatile uint32 InterruptHoldoffCount = 0;
volatile uint32 QueryCancelHoldoffCount = 0;
volatile uint32 CritSectionCount = 0;
int			MyProcPid = 1;
Oid			MyDatabaseId = 1;
int			work_mem = 4096;
int			maintenance_work_mem = 65536;
double		hash_mem_multiplier = 2.0;
bool		IsUnderPostmaster = false;
char	   *DataDir = NULL;
struct Latch *MyLatch = NULL;

void
pgshim_cancel_after(long countdown)
{
	pgshim_cancel_countdown = countdown;
	InterruptPending = countdown > 0;
}

void
check_stack_depth(void)
{
}

void
ProcessInterrupts(void)
{
	if (InterruptHoldoffCount > 0 || CritSectionCount > 0)
		return;
	if (pgshim_cancel_countdown > 0 && --pgshim_cancel_countdown == 0)
	{
		InterruptPending = false;
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to user request")));
	}
}

/* ---- errors ---- */

sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;

PgshimReport pgshim_error;
PgshimReport pgshim_notice;
long		pgshim_notices = 0;

static PgshimReport pgshim_report;	/* being made */

extern void pgshim_exceptional_condition(const char *condition) __asm__("ExceptionalCondition");

/* The server passes file and line too, in a way that differs by version. */
void
pgshim_exceptional_condition(const char *condition)
{
	printf("# assertion failed: %s\n", condition);
	fflush(stdout);
	abort();
}

bool
errstart(int elevel, const char *domain)
{
	if (elevel < NOTICE && elevel != LOG)
		return false;
	memset(&pgshim_report, 0, sizeof(pgshim_report));
	pgshim_report.elevel = elevel;
	pgshim_report.sqlstate = elevel >= ERROR ? ERRCODE_INTERNAL_ERROR :
		elevel >= WARNING ? ERRCODE_WARNING : ERRCODE_SUCCESSFUL_COMPLETION;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
pg_re_throw(void)
{
	if (PG_exception_stack != NULL)
		siglongjmp(*PG_exception_stack, 1);
	printf("# uncaught error: %s (%s) %s\n", pgshim_error.message,
		   unpack_sql_state(pgshim_error.sqlstate), pgshim_error.detail);
	fflush(stdout);
	exit(3);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (pgshim_report.elevel < ERROR)
	{
		pgshim_notice = pgshim_report;
		pgshim_notices++;
		return;
	}
	pgshim_error = pgshim_report;
	if (pgshim_report.elevel > ERROR || CritSectionCount > 0)
	{
		printf("# %s:%d: error that ends the process: %s\n", filename, lineno, pgshim_error.message);
		fflush(stdout);
		abort();
	}
	InterruptHoldoffCount = 0;
	QueryCancelHoldoffCount = 0;
	pg_re_throw();
}

char *
unpack_sql_state(int sql_state)
{
	static char text[6];

	for (int i = 0; i < 5; i++)
	{
		text[i] = PGUNSIXBIT(sql_state);
		sql_state >>= 6;
	}
	return text;
}

int
errcode(int sqlerrcode)
{
	pgshim_report.sqlstate = sqlerrcode;
	return 0;
}

int
errcode_for_file_access(void)
{
	return errcode(ERRCODE_IO_ERROR);
}

int
errcode_for_socket_access(void)
{
	return errcode(ERRCODE_CONNECTION_FAILURE);
}

/* Defines an errmsg-like function that fills one field of the report. */
#define PGSHIM_REPORT_FIELD(function, field) \
int \
function(const char *fmt,...) \
{ \
	va_list		args; \
	va_start(args, fmt); \
	pvsnprintf(pgshim_report.field, sizeof(pgshim_report.field), fmt, args); \
	va_end(args); \
	return 0; \
}

PGSHIM_REPORT_FIELD(errmsg, message)
PGSHIM_REPORT_FIELD(errmsg_internal, message)
PGSHIM_REPORT_FIELD(errdetail, detail)
PGSHIM_REPORT_FIELD(errdetail_internal, detail)
PGSHIM_REPORT_FIELD(errhint, hint)

/* Server log only: not part of what a test looks at. */
int
errdetail_log(const char *fmt,...)
{
	return 0;
}

/* Same, with the plural chosen. */
#define PGSHIM_REPORT_PLURAL(function, field) \
int \
function(const char *fmt_singular, const char *fmt_plural, unsigned long n,...) \
{ \
	va_list		args; \
	va_start(args, n); \
	pvsnprintf(pgshim_report.field, sizeof(pgshim_report.field), n == 1 ? fmt_singular : fmt_plural, args); \
	va_end(args); \
	return 0; \
}

PGSHIM_REPORT_PLURAL(errmsg_plural, message)
PGSHIM_REPORT_PLURAL(errdetail_plural, detail)
PGSHIM_REPORT_PLURAL(errhint_plural, hint)

int
set_errcontext_domain(const char *domain)
{
	return 0;
}

int
errcontext_msg(const char *fmt,...)
{
	return 0;
}

int
errhidestmt(bool hide_stmt)
{
	return 0;
}

int
errposition(int cursorpos)
{
	return 0;
}

int
geterrcode(void)
{
	return pgshim_error.sqlstate;
}

void
FlushErrorState(void)
{
}

void
EmitErrorReport(void)
{
}

ErrorData *
CopyErrorData(void)
{
	ErrorData  *copy = palloc0(sizeof(ErrorData));

	copy->elevel = pgshim_error.elevel;
	copy->sqlerrcode = pgshim_error.sqlstate;
	copy->message = pstrdup(pgshim_error.message);
	copy->detail = pgshim_error.detail[0] != '\0' ? pstrdup(pgshim_error.detail) : NULL;
	copy->hint = pgshim_error.hint[0] != '\0' ? pstrdup(pgshim_error.hint) : NULL;
	return copy;
}

void
FreeErrorData(ErrorData *edata)
{
	pfree(edata->message);
	if (edata->detail != NULL)
		pfree(edata->detail);
	if (edata->hint != NULL)
		pfree(edata->hint);
	pfree(edata);
}

void
ReThrowError(ErrorData *edata)
{
	memset(&pgshim_report, 0, sizeof(pgshim_report));
	pgshim_report.elevel = ERROR;
	errcode(edata->sqlerrcode);
	errmsg_internal("%s", edata->message);
	if (edata->detail != NULL)
		errdetail_internal("%s", edata->detail);
	if (edata->hint != NULL)
		errhint("%s", edata->hint);
	errfinish(NULL, 0, NULL);
	pg_unreachable();
}
