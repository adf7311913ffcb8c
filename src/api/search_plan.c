/*
 * search_plan.c
 *	  Plans of elacsym_search() that a session keeps, found by the statement's
 *	  text and the type of the vector.
 *
 * The server's plan cache notices changes of tables, rights, policies and
 * search_path.  At most PLANS_MAX are kept, those used longest ago are given
 * up first; never one that is being executed, because a policy or a function
 * of the filter may search, too.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/memutils.h"

#include "api/search_plan.h"

#define PLANS_MAX 64
#define PLAN_SQL_MAX 16384		/* bytes of a statement whose plan is kept */

typedef struct SearchPlan
{
	char	   *sql;			/* NULL: free */
	uint32		hash;
	Oid			type;			/* of $1 */
	SPIPlanPtr	plan;
	uint64		used;			/* greater is later */
	int			executing;
} SearchPlan;

static SearchPlan plans[PLANS_MAX];
static uint64 plans_clock = 0;

static SearchPlan *
plan_find(const char *sql, uint32 hash, Oid type)
{
	for (int i = 0; i < PLANS_MAX; i++)
		if (plans[i].sql != NULL && plans[i].hash == hash && plans[i].type == type && strcmp(plans[i].sql, sql) == 0)
			return &plans[i];
	return NULL;
}

/* A free place, made by giving up a plan if need be; NULL when all are being executed. */
static SearchPlan *
plan_place(void)
{
	SearchPlan *oldest = NULL;

	for (int i = 0; i < PLANS_MAX; i++)
	{
		if (plans[i].sql == NULL)
			return &plans[i];
		if (plans[i].executing == 0 && (oldest == NULL || plans[i].used < oldest->used))
			oldest = &plans[i];
	}
	if (oldest != NULL)
	{
		char	   *sql = oldest->sql;

		oldest->sql = NULL;
		pfree(sql);
		SPI_freeplan(oldest->plan);
	}
	return oldest;
}

/* Keeps a plan; NULL when it is not worth it or there is no place. */
static SearchPlan *
plan_keep(const char *sql, uint32 hash, Oid type, SPIPlanPtr plan)
{
	SearchPlan *place = strlen(sql) <= PLAN_SQL_MAX ? plan_place() : NULL;
	char	   *copy;

	if (place == NULL)
		return NULL;
	copy = MemoryContextStrdup(TopMemoryContext, sql);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of a search");
	place->hash = hash;
	place->type = type;
	place->plan = plan;
	place->executing = 0;
	place->sql = copy;
	return place;
}

void
elac_search_plan_execute(const char *sql, const Oid *types, Datum *values, const char *nulls)
{
	uint32		hash = DatumGetUInt32(hash_any((const unsigned char *) sql, strlen(sql)));
	SearchPlan *kept = plan_find(sql, hash, types[0]);
	SPIPlanPtr	plan;
	volatile int result = 0;

	if (kept != NULL)
		plan = kept->plan;
	else
	{
		plan = SPI_prepare(sql, ELAC_SEARCH_PARAMETERS, unconstify(Oid *, types));
		if (plan == NULL)
			elog(ERROR, "could not prepare a search: %s", SPI_result_code_string(SPI_result));
		kept = plan_keep(sql, hash, types[0], plan);
	}
	if (kept != NULL)
	{
		kept->used = ++plans_clock;
		kept->executing++;
	}
	PG_TRY();
	{
		result = SPI_execute_plan(plan, values, nulls, true, 0);
	}
	PG_FINALLY();
	{
		if (kept != NULL)
			kept->executing--;
	}
	PG_END_TRY();
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not run a search: %s", SPI_result_code_string(result));
}
