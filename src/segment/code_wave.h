/*
 * code_wave.h
 *	  Going through the codes of a segment in order without a wait for each
 *	  page when they lie in a store.  Private to segment/.
 */
#ifndef ELAC_CODE_WAVE_H
#define ELAC_CODE_WAVE_H

#include "segment/segment_internal.h"

typedef struct CodeWave
{
	ElacSegment *segment;
	bool		remote;
	uint32		list;			/* first list whose codes were not asked for yet */
	ElacDoc		near;			/* documents before this one were */
} CodeWave;

extern void elac_code_wave_begin(CodeWave *wave, ElacSegment *segment);

/* Makes sure that the codes of a document are here; documents ascend. */
extern void elac_code_wave_ask(CodeWave *wave, ElacDoc doc);

/* The same for documents [first, last) at once. */
extern void elac_segment_ask_codes(ElacSegment *segment, ElacDoc first, ElacDoc last);

#endif							/* ELAC_CODE_WAVE_H */
