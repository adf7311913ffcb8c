/*
 * vector_encoder.c
 *	  One vector into the bytes that a vector writer takes: what workers of a
 *	  build do before rows are sorted.
 *
 * A coded document is:
 *
 *	offset			content
 *	0				float add, rescale, error of the sign bits
 *	12				sign bits, P/8 bytes, dimension d is bit d % 8 of byte d / 8
 *	then			when bits > 1: the refinement record (vector_format.h)
 *
 * It never reaches the disk but in temporary files.  Rotated centroids are
 * kept in a cache of bounded size, because rows come in any order and rotating
 * a centroid costs as much as rotating a vector.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/bitpack.h"
#include "base/bytes.h"
#include "vector/vector_private.h"

struct ElacVectorEncoder
{
	const ElacCodebook *codebook;
	int			bits;
	int			cut;
	Size		sign_bytes;
	Size		record_bytes;
	Size		record_used;	/* the rest of a record is zero */
	ElacRabitq	code;
	float	   *residual;		/* dim floats */
	float	   *rotated;		/* padded floats */
	uint32		nslots;
	uint32	   *slot_list;		/* list + 1; 0 = empty */
	float	   *slots;			/* rotated centroids, padded floats each */
};

ElacVectorEncoder *
elac_vector_encoder_begin(const ElacCodebook *codebook, int bits, int cut, Size cache_bytes)
{
	ElacVectorEncoder *encoder = palloc0(sizeof(ElacVectorEncoder));
	ElacVectorLayout layout;
	Size		row = codebook->padded * sizeof(float);

	if (bits < 1 || bits > 8)
		elog(ERROR, "number of bits %d is out of range", bits);
	elac_vector_layout(&layout, codebook->padded, bits, 0, 0);
	encoder->codebook = codebook;
	encoder->bits = bits;
	encoder->cut = cut;
	encoder->sign_bytes = codebook->padded / 8;
	encoder->record_bytes = layout.record_bytes;
	encoder->record_used = bits > 1 ? ELAC_VECTOR_FACTOR_BYTES + elac_bitpack_bytes(codebook->padded, bits - 1) : 0;
	elac_rabitq_init(&encoder->code, codebook->params.metric, codebook->padded, bits);
	encoder->residual = palloc(codebook->params.dim * sizeof(float));
	encoder->rotated = palloc(row);
	encoder->nslots = (uint32) Min(Max(cache_bytes / row, 1), elac_codebook_nlists(codebook, cut));
	encoder->slot_list = palloc_extended(encoder->nslots * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	encoder->slots = palloc_extended(encoder->nslots * row, MCXT_ALLOC_HUGE);
	return encoder;
}

void
elac_vector_encoder_end(ElacVectorEncoder *encoder)
{
	elac_rabitq_free(&encoder->code);
	pfree(encoder->residual);
	pfree(encoder->rotated);
	pfree(encoder->slot_list);
	pfree(encoder->slots);
	pfree(encoder);
}

Size
elac_vector_encoder_bytes(const ElacVectorEncoder *encoder)
{
	return ELAC_VECTOR_FACTOR_BYTES + encoder->sign_bytes + encoder->record_bytes;
}

/* The rotated centroid of a list, relative to the mean under L2. */
static const float *
elac_encoder_centroid(ElacVectorEncoder *encoder, uint32 list)
{
	const ElacCodebook *codebook = encoder->codebook;
	uint32		slot = list % encoder->nslots;
	float	   *rotated = encoder->slots + (Size) slot * codebook->padded;

	if (encoder->slot_list[slot] != list + 1)
	{
		elac_codebook_rotate_relative(codebook, elac_codebook_centroid(codebook, encoder->cut, list), rotated);
		encoder->slot_list[slot] = list + 1;
	}
	return rotated;
}

static void
elac_encoder_put_factors(uint8 *dst, const ElacRabitqFactors *factors)
{
	elac_put_f32(dst, factors->add);
	elac_put_f32(dst + 4, factors->rescale);
	elac_put_f32(dst + 8, factors->error);
}

void
elac_vector_encode(ElacVectorEncoder *encoder, uint32 leaf, const float *vector, uint8 *dst)
{
	const ElacCodebook *codebook = encoder->codebook;
	ElacRabitq *code = &encoder->code;
	uint32		list = elac_codebook_list_of_leaf(codebook, encoder->cut, leaf);
	const float *centroid = elac_codebook_centroid(codebook, encoder->cut, list);

	for (int d = 0; d < codebook->params.dim; d++)
		encoder->residual[d] = vector[d] - centroid[d];
	elac_rotate(&codebook->rotation, encoder->residual, codebook->params.dim, encoder->rotated);
	elac_rabitq_encode(code, encoder->rotated, elac_encoder_centroid(encoder, list));

	elac_encoder_put_factors(dst, &code->one);
	dst += ELAC_VECTOR_FACTOR_BYTES;
	for (Size i = 0; i < encoder->sign_bytes; i++)
	{
		/* eight bytes of 0 or 1 into one of eight bits */
		uint64		eight = elac_get_u64(code->bits + i * 8);

		dst[i] = (uint8) ((eight * UINT64CONST(0x0102040810204080)) >> 56);
	}
	dst += encoder->sign_bytes;
	if (encoder->bits > 1)
	{
		elac_encoder_put_factors(dst, &code->full);
		elac_bitpack(code->ex, codebook->padded, encoder->bits - 1, dst + ELAC_VECTOR_FACTOR_BYTES);
		memset(dst + encoder->record_used, 0, encoder->record_bytes - encoder->record_used);
	}
}
