/*
 * guc.h
 *	  The elacsym.* settings.  Defined in guc.c, read anywhere.
 */
#ifndef ELAC_GUC_H
#define ELAC_GUC_H

#include "postgres.h"

extern int	elac_guc_probes;	/* lists probed first; 0 = chosen from the index */
extern double elac_guc_target_recall;	/* share of the true nearest rows that a vector query is to find */
extern bool elac_guc_collect_queries;	/* keep a sample of query vectors within the index, for calibration */
extern double elac_guc_epsilon;	/* RaBitQ error bound, in standard deviations */
extern int	elac_guc_delta_limit;	/* rows in the delta that trigger a flush */
extern int	elac_guc_session_cache_kb;	/* per-session cache of remote pages */
extern bool elac_guc_enable_customscan;	/* offer the elacsym custom scan */
extern int	elac_guc_store_timeout_ms;	/* deadline of one store request, retries included */
extern int	elac_guc_worker_naptime_s;	/* pause between the launcher's rounds */
extern char *elac_guc_worker_databases;	/* comma separated, empty: all that have the extension */

extern void elac_guc_init(void);

#endif							/* ELAC_GUC_H */
