/*
 * guc.c
 *	  Defines the elacsym.* settings.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "guc.h"

int			elac_guc_probes = 0;
double		elac_guc_target_recall = 0.95;
bool		elac_guc_collect_queries = true;
double		elac_guc_epsilon = 1.9;
int			elac_guc_delta_limit = 1000;
int			elac_guc_session_cache_kb = 64 * 1024;
bool		elac_guc_enable_customscan = true;
int			elac_guc_store_timeout_ms = 30000;
int			elac_guc_worker_naptime_s = 10;
char	   *elac_guc_worker_databases = NULL;

void
elac_guc_init(void)
{
	DefineCustomIntVariable("elacsym.probes",
							"Lists of each segment that a vector query scans before it returns its first rows.",
							"0 scans until elacsym.target_recall is reached.",
							&elac_guc_probes, 0, 0, INT_MAX, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomRealVariable("elacsym.target_recall",
							 "Share of the true nearest rows that a vector query is to find.",
							 "1 scans everything.",
							 &elac_guc_target_recall, 0.95, 0.5, 1.0, PGC_USERSET, GUC_EXPLAIN,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("elacsym.collect_queries",
							 "Keeps a random sample of query vectors within each index, to calibrate it by.",
							 NULL,
							 &elac_guc_collect_queries, true, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomRealVariable("elacsym.epsilon",
							 "Width of the bound on quantized distances, in standard deviations.",
							 "Larger is more exact and slower.",
							 &elac_guc_epsilon, 1.9, 0.0, 100.0, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("elacsym.delta_limit",
							"Rows in an index's delta that call for a flush.",
							NULL,
							&elac_guc_delta_limit, 1000, 10, 1000000, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("elacsym.session_cache",
							"Memory of a session for pages of offloaded segments.",
							NULL,
							&elac_guc_session_cache_kb, 64 * 1024, 1024, INT_MAX, PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("elacsym.enable_customscan",
							 "Offers the planner elacsym's scan for ordered queries with any condition.",
							 NULL,
							 &elac_guc_enable_customscan, true, PGC_USERSET, GUC_EXPLAIN,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("elacsym.store_timeout",
							"Time for one request to an object store, its retries included.",
							NULL,
							&elac_guc_store_timeout_ms, 30000, 100, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("elacsym.worker_naptime",
							"Pause between two rounds of the background launcher.",
							NULL,
							&elac_guc_worker_naptime_s, 10, 1, 86400, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomStringVariable("elacsym.worker_databases",
							   "Databases that the background workers look after, separated by commas.",
							   "Empty means every database that has the extension.",
							   &elac_guc_worker_databases, "", PGC_SIGHUP, 0,
							   NULL, NULL, NULL);
	MarkGUCPrefixReserved("elacsym");
}
