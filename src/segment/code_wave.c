/*
 * code_wave.c
 *	  Asks for the codes of whole lists, some MB at a time.
 */
#include "postgres.h"

#include "segment/code_wave.h"

#define WAVE_BYTES (8 * 1024 * 1024)

void
elac_code_wave_begin(CodeWave *wave, ElacSegment *segment)
{
	wave->segment = segment;
	wave->remote = elac_segment_ref(segment)->body.home == ELAC_HOME_REMOTE;
	wave->list = 0;
	wave->near = 0;
}

void
elac_code_wave_ask(CodeWave *wave, ElacDoc doc)
{
	ElacVectorReader *reader;
	ElacBlobReader *body;
	const ElacDirectoryEntry *entry;
	uint32		nlists;
	uint64		wanted;

	if (!wave->remote || doc < wave->near)
		return;
	reader = elac_segment_vector(wave->segment);
	body = elac_segment_body(wave->segment);
	entry = &wave->segment->entries[1 + wave->segment->type->schema->vector_column];
	nlists = elac_vector_nlists(reader);
	wanted = (uint64) elac_segment_ndocs(wave->segment) * WAVE_BYTES / Max(entry->body_len, 1);
	while (wave->list < nlists && wave->near <= doc + wanted)
	{
		ElacDoc		first;

		/* lists before the document are not wanted any more */
		elac_vector_list_range(reader, wave->list, &first, &wave->near);
		if (wave->near > doc)
			elac_vector_prefetch(reader, &wave->list, 1);
		wave->list++;
	}
	elac_blob_wait(&body, 1);
}

void
elac_segment_ask_codes(ElacSegment *segment, ElacDoc first, ElacDoc last)
{
	ElacVectorReader *reader = elac_segment_vector(segment);
	ElacBlobReader *body = elac_segment_body(segment);

	if (first >= last || elac_segment_ref(segment)->body.home != ELAC_HOME_REMOTE)
		return;
	for (uint32 list = 0; list < elac_vector_nlists(reader); list++)
	{
		ElacDoc		start;
		ElacDoc		end;

		elac_vector_list_range(reader, list, &start, &end);
		if (start < last && end > first)
			elac_vector_prefetch(reader, &list, 1);
	}
	elac_blob_wait(&body, 1);
}
