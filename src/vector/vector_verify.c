/*
 * vector_verify.c
 *	  The deep check of a vector section, for elacsym_verify().
 *
 * Checks every byte that has only one right value (padding, lanes past the
 * last document, order of leaves) and that every factor is a number.  Whether
 * a code is the right one for its row is not known here.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "errors.h"
#include "vector/vector_private.h"

static void
elac_vector_verify_zeros(ElacVectorReader *reader, uint64 offset, uint64 len)
{
	uint8		bytes[512];

	while (len > 0)
	{
		uint64		part = Min(len, sizeof(bytes));

		elac_blob_read(reader->section.body, offset, bytes, part);
		for (uint64 i = 0; i < part; i++)
			if (bytes[i] != 0)
				elac_corrupted(elac_blob_name(reader->section.body),
							   "Padding of a vector section is not zero at offset " UINT64_FORMAT ".", offset + i);
		offset += part;
		len -= part;
	}
}

static void
elac_vector_verify_factors(ElacVectorReader *reader, ElacDoc doc, float add, float rescale, float error)
{
	if (!isfinite(add) || !isfinite(rescale) || !isfinite(error) || error < 0 || rescale > 0)
		elac_corrupted(elac_blob_name(reader->section.body), "Document %u has impossible factors %g, %g, %g.",
					   doc, add, rescale, error);
}

static void
elac_vector_verify_block(ElacVectorReader *reader, uint32 number)
{
	const ElacVectorLayout *layout = &reader->layout;
	const uint8 *block = elac_vector_load_block(reader, number);
	const uint8 *factors = block + layout->code_bytes;

	for (int lane = 0; lane < ELAC_VECTOR_LANES; lane++)
	{
		ElacDoc		doc = number * ELAC_VECTOR_LANES + lane;
		float		factor[3];
		int			byte = elac_vector_lane_byte(lane);
		int			shift = elac_vector_lane_shift(lane);
		bool		zero = true;

		for (int i = 0; i < 3; i++)
			factor[i] = elac_get_f32(factors + (i * ELAC_VECTOR_LANES + lane) * sizeof(float));
		if (doc < layout->nfinite)
		{
			elac_vector_verify_factors(reader, doc, factor[0], factor[1], factor[2]);
			continue;
		}
		for (int i = 0; i < 3; i++)
			zero = zero && elac_get_u32(factors + (i * ELAC_VECTOR_LANES + lane) * sizeof(float)) == 0;
		for (uint32 i = 0; i < layout->code_bytes; i += 16)
			zero = zero && ((block[i + byte] >> shift) & 15) == 0;
		if (!zero)
			elac_corrupted(elac_blob_name(reader->section.body), "A lane without document is not zero in block %u.", number);
	}
}

static void
elac_vector_verify_record(ElacVectorReader *reader, ElacDoc doc, uint8 *record)
{
	const ElacVectorLayout *layout = &reader->layout;
	uint64		offset = elac_vector_record_offset(layout, doc);
	uint32		used = ELAC_VECTOR_FACTOR_BYTES + elac_bitpack_bytes(layout->padded, layout->ex_bits);
	uint64		next;

	elac_blob_read(reader->section.body, offset, record, layout->record_bytes);
	elac_vector_verify_factors(reader, doc, elac_get_f32(record), elac_get_f32(record + 4), elac_get_f32(record + 8));
	for (uint32 i = used; i < layout->record_bytes; i++)
		if (record[i] != 0)
			elac_corrupted(elac_blob_name(reader->section.body), "The record of document %u is not padded with zeros.", doc);
	next = doc + 1 < layout->nfinite ? elac_vector_record_offset(layout, doc + 1) : layout->end;
	elac_vector_verify_zeros(reader, offset + layout->record_bytes, next - offset - layout->record_bytes);
}

void
elac_vector_verify(ElacVectorReader *reader)
{
	const ElacVectorLayout *layout = &reader->layout;
	uint64		codes_end;
	uint8	   *record;

	elac_vector_load_runs(reader);
	if (layout->nfinite == 0)
		return;
	elac_vector_verify_zeros(reader, reader->section.body_offset, layout->codes - reader->section.body_offset);
	for (uint32 block = 0; block < layout->nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		elac_vector_verify_block(reader, block);
	}
	if (layout->ex_bits == 0)
		return;
	codes_end = elac_vector_block_offset(layout, layout->nblocks - 1) + layout->block_bytes;
	elac_vector_verify_zeros(reader, codes_end, layout->refinement - codes_end);
	record = palloc(layout->record_bytes);
	for (ElacDoc doc = 0; doc < layout->nfinite; doc++)
	{
		CHECK_FOR_INTERRUPTS();
		elac_vector_verify_record(reader, doc, record);
	}
	pfree(record);
}
