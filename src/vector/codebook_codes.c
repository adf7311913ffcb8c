/*
 * codebook_codes.c
 *	  Coded centroids: the lists of a cut as 1-bit codes relative to the mean
 *	  of the data, so that a query ranks thousands of lists as it scans
 *	  documents.
 *
 * A cut with few lists has no codes: comparing all of them is as cheap.  Codes
 * are made when a codebook is sealed and stored with it (codebook_format.h).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/bytes.h"
#include "base/kernels.h"
#include "vector/rabitq.h"
#include "vector/vector_format.h"
#include "vector/codebook_private.h"

Size
elac_codebook_code_bytes(int padded, uint32 nlists)
{
	Size		nblocks = nlists / ELAC_VECTOR_LANES + (nlists % ELAC_VECTOR_LANES != 0);

	return nlists < ELAC_CODEBOOK_CODED_LISTS ? 0 : nblocks * elac_codebook_code_block_bytes(padded);
}

uint8 *
elac_codebook_alloc_codes(MemoryContext context, Size nbytes)
{
	uint8	   *raw = MemoryContextAllocExtended(context, nbytes + ELAC_CODEBOOK_CODES_ALIGN,
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	return (uint8 *) TYPEALIGN(ELAC_CODEBOOK_CODES_ALIGN, raw);
}

/* Puts a coded centroid into its lane. */
static void
elac_codes_put(uint8 *block, int padded, int lane, const ElacRabitq *code, float norm)
{
	uint8	   *slot = block + elac_vector_lane_byte(lane);
	uint8	   *factors = block + padded / 8 * ELAC_VECTOR_UNIT + lane * sizeof(float);
	int			shift = elac_vector_lane_shift(lane);

	for (int group = 0; group < padded / 4; group++)
	{
		const uint8 *bits = code->bits + group * 4;

		slot[group * 16] |= (bits[0] | bits[1] << 1 | bits[2] << 2 | bits[3] << 3) << shift;
	}
	elac_put_f32(factors, code->one.add);
	elac_put_f32(factors + ELAC_VECTOR_LANES * sizeof(float), code->one.rescale);
	elac_put_f32(factors + 2 * ELAC_VECTOR_LANES * sizeof(float), code->one.error);
	elac_put_f32(factors + 3 * ELAC_VECTOR_LANES * sizeof(float), norm);
}

void
elac_codebook_make_codes(ElacCodebook *codebook)
{
	const ElacKernels *kernels = elac_kernels();
	int			dim = codebook->params.dim;
	int			padded = codebook->padded;
	const float *mean = elac_codebook_mean(codebook);
	Size		block_bytes = elac_codebook_code_block_bytes(padded);
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "elacsym centroid codes", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	float	   *rotated_mean = palloc(padded * sizeof(float));
	float	   *residual = palloc(dim * sizeof(float));
	float	   *rotated = palloc(padded * sizeof(float));
	ElacRabitq	code;

	elac_rabitq_init(&code, codebook->params.metric, padded, 1);
	elac_codebook_rotate_relative(codebook, mean, rotated_mean);
	for (int cut = 0; cut < codebook->ncuts; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];
		Size		nbytes = elac_codebook_code_bytes(padded, c->nlists);

		c->codes = nbytes == 0 ? NULL : elac_codebook_alloc_codes(GetMemoryChunkContext(codebook), nbytes);
		for (uint32 list = 0; c->codes != NULL && list < c->nlists; list++)
		{
			const float *centroid = elac_codebook_centroid(codebook, cut, list);

			if (list % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			for (int d = 0; d < dim; d++)
				residual[d] = centroid[d] - mean[d];
			elac_rotate(&codebook->rotation, residual, dim, rotated);
			elac_rabitq_encode(&code, rotated, rotated_mean);
			elac_codes_put(c->codes + list / ELAC_VECTOR_LANES * block_bytes, padded, list % ELAC_VECTOR_LANES, &code,
						   kernels->ip_f32(centroid, centroid, dim));
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}
