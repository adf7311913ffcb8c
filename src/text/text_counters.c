/*
 * text_counters.c
 *	  What evaluating text queries counts, process-wide.
 */
#include "postgres.h"

#include "text/text_section.h"

ElacTextCounters elac_text_counters;
