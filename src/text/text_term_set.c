/*
 * text_term_set.c
 *	  All terms of a query in one segment, opened, and the length codes of the
 *	  window at hand.  Everything lives in the memory context it was opened in.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "text/text_eval.h"

void
elac_term_set_open(ElacTermSet *set, ElacTextReader **readers, const ElacBm25Query *query)
{
	uint32		total = 0;
	int			nfields = query->nfields;
	bool		seen = false;

	memset(set, 0, sizeof(*set));
	set->query = query;
	set->readers = readers;
	set->field_first = palloc(Max(nfields, 1) * sizeof(uint32));
	for (int f = 0; f < nfields; f++)
	{
		set->field_first[f] = total;
		total += query->fields[f].nterms;
		if (readers[f] == NULL)
			continue;
		if (seen && readers[f]->footer.ndocs != set->ndocs)
			elog(ERROR, "fields of a text query have %u and %u documents", set->ndocs, readers[f]->footer.ndocs);
		set->ndocs = readers[f]->footer.ndocs;
		seen = true;
	}
	set->terms = palloc_extended(Max(total, 1) * sizeof(ElacTermReader), MCXT_ALLOC_HUGE);
	set->numbers = palloc_extended(Max(total, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	for (int f = 0; f < nfields; f++)
		for (uint32 t = 0; t < query->fields[f].nterms; t++)
		{
			int32	   *number = &set->numbers[set->field_first[f] + t];

			CHECK_FOR_INTERRUPTS();
			*number = -1;
			if (readers[f] == NULL || (!(query->fields[f].terms[t].weight > 0) && query->condition == NULL) ||
				!elac_term_open(&set->terms[set->nterms], readers[f], query, f, t))
				continue;
			*number = (int32) set->nterms++;
		}
	set->codes = palloc((Size) Max(nfields, 1) * ELAC_WINDOW + ELAC_BM25_CODES_SLACK);
	set->codes_first = palloc(Max(nfields, 1) * sizeof(ElacDoc));
	for (int f = 0; f < nfields; f++)
		set->codes_first[f] = ELAC_INVALID_DOC;
}

void
elac_term_set_count(const ElacTermSet *set)
{
	for (uint32 i = 0; i < set->nterms; i++)
	{
		const ElacTermReader *term = &set->terms[i];

		elac_text_counters.blocks_passed += term->nblocks;
		for (uint32 word = 0; word <= (term->nblocks - 1) / 64; word++)
			elac_text_counters.blocks_passed -= __builtin_popcountll(term->seen[word]);
	}
}

const uint8 *
elac_term_set_codes(ElacTermSet *set, int field, const ElacWindow *window)
{
	uint8	   *codes = set->codes + (Size) field * ELAC_WINDOW;

	if (set->codes_first[field] != window->first)
	{
		elac_text_norms(set->readers[field], window->first, window->ndocs, codes);
		set->codes_first[field] = window->first;
	}
	return codes;
}
