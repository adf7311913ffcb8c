/*
 * vector_decode.c
 *	  A document's code back into the vector that it stands for, nearly: what
 *	  the upkeep of lists looks at instead of reading the heap.
 *
 * Caller has asked for the codes of a REMOTE section (elac_vector_prefetch).
 * The estimate of o is c + s x with s = |r|^2 / <r,x>: unbiased, and off by the
 * stated deviation in any direction (rabitq.h).
 */
#include "postgres.h"

#include <float.h>

#include "base/bitpack.h"
#include "base/bytes.h"
#include "vector/vector_decode.h"
#include "vector/vector_private.h"

struct ElacVectorDecoder
{
	ElacVectorReader *reader;
	int64		list;			/* whose centroid is there; -1: none */
	float	   *centroid;		/* rotated */
	uint8	   *record;
	uint32	   *ex;
};

ElacVectorDecoder *
elac_vector_decoder_begin(ElacVectorReader *reader)
{
	ElacVectorDecoder *decoder = palloc0(sizeof(ElacVectorDecoder));
	int			padded = reader->layout.padded;

	decoder->reader = reader;
	decoder->list = -1;
	decoder->centroid = palloc(padded * sizeof(float));
	decoder->record = palloc(Max(reader->layout.record_bytes, 1));
	decoder->ex = palloc0(padded * sizeof(uint32));
	return decoder;
}

/* Rotated centroid of the list that a document is in. */
static const float *
elac_decoder_centroid(ElacVectorDecoder *decoder, ElacDoc doc)
{
	ElacVectorReader *reader = decoder->reader;
	const uint32 *first = reader->list_first;

	if (decoder->list < 0 || doc < first[decoder->list] || doc >= first[decoder->list + 1])
	{
		uint32		list = elac_codebook_list_of_leaf(reader->codebook, reader->header.cut,
													  elac_vector_doc_leaf(reader, doc));

		decoder->list = list;
		elac_codebook_rotate_relative(reader->codebook,
									  elac_codebook_centroid(reader->codebook, reader->header.cut, list),
									  decoder->centroid);
	}
	return decoder->centroid;
}

bool
elac_vector_decode(ElacVectorDecoder *decoder, ElacDoc doc, float *rotated, float *deviation)
{
	ElacVectorReader *reader = decoder->reader;
	const ElacVectorLayout *layout = &reader->layout;
	const float *centroid = elac_decoder_centroid(decoder, doc);
	const uint8 *block = elac_vector_load_block(reader, doc / ELAC_VECTOR_LANES);
	int			lane = doc % ELAC_VECTOR_LANES;
	const uint8 *signs = block + elac_vector_lane_byte(lane);
	int			shift = elac_vector_lane_shift(lane);
	bool		squared = reader->codebook->params.metric == ELAC_METRIC_L2;
	float		level = (float) (1 << layout->ex_bits);
	float		middle = (2 * level - 1) / 2;
	float		rescale;
	float		error;

	if (layout->ex_bits > 0)
	{
		elac_blob_read(reader->section.body, elac_vector_record_offset(layout, doc), decoder->record,
					   layout->record_bytes);
		rescale = elac_get_f32(decoder->record + 4);
		error = elac_get_f32(decoder->record + 8);
		elac_bitunpack(decoder->record + ELAC_VECTOR_FACTOR_BYTES, layout->padded, layout->ex_bits, decoder->ex);
	}
	else
	{
		const uint8 *factors = block + layout->code_bytes + lane * sizeof(float);

		rescale = elac_get_f32(factors + ELAC_VECTOR_LANES * sizeof(float));
		error = elac_get_f32(factors + 2 * ELAC_VECTOR_LANES * sizeof(float));
	}
	/* NaN included */
	if (!(error < ELAC_RABITQ_UNKNOWN) || !(rescale > -ELAC_RABITQ_UNKNOWN))
		return false;
	if (squared)
	{
		rescale /= 2;
		error /= 2;
	}
	for (int i = 0; i < layout->padded; i++)
	{
		int			bit = (signs[i / 4 * 16] >> (shift + i % 4)) & 1;

		rotated[i] = centroid[i] - rescale * (bit * level + (float) decoder->ex[i] - middle);
	}
	*deviation = error;
	return true;
}
