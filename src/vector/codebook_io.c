/*
 * codebook_io.c
 *	  Writes and reads the stored form of a codebook (codebook_format.h).
 *
 * Reading trusts nothing: every size is checked before it is allocated, every
 * number before it is used, and the whole against its CRC.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/checksum.h"
#include "errors.h"
#include "vector/codebook_private.h"

/* Where the parts go: into a blob, or nowhere when only the CRC is wanted. */
typedef struct ElacCodebookSink
{
	ElacBlobWriter *writer;		/* or NULL */
	uint32		crc;
} ElacCodebookSink;

static void
elac_codebook_put(ElacCodebookSink *sink, const void *data, uint64 len)
{
	sink->crc = elac_crc32c(sink->crc, data, len);
	if (sink->writer)
		elac_blob_write(sink->writer, data, len);
}

static void
elac_codebook_emit(const ElacCodebook *codebook, ElacCodebookSink *sink)
{
	ElacCodebookHeader header = {0};
	Size		row = codebook->params.dim * sizeof(float);

	header.magic = ELAC_CODEBOOK_MAGIC;
	header.version = ELAC_CODEBOOK_VERSION;
	header.dim = codebook->params.dim;
	header.metric = codebook->params.metric;
	header.ncuts = codebook->ncuts;
	header.padded = codebook->padded;
	header.seed = codebook->params.seed;
	header.nrows = codebook->params.nrows;
	for (int cut = 0; cut < codebook->ncuts; cut++)
		header.nlists[cut] = codebook->cuts[cut].nlists;

	elac_codebook_put(sink, &header, sizeof(header));
	elac_codebook_put(sink, codebook->signs, elac_rotate_sign_bytes(codebook->padded));
	for (int cut = 0; cut < codebook->ncuts - 1; cut++)
		elac_codebook_put(sink, codebook->cuts[cut].first_leaf,
						  ((Size) codebook->cuts[cut].nlists + 1) * sizeof(uint32));
	for (int cut = 0; cut < codebook->ncuts; cut++)
		elac_codebook_put(sink, codebook->cuts[cut].centroids, codebook->cuts[cut].nlists * row);
	for (int cut = 0; cut < codebook->ncuts; cut++)
		elac_codebook_put(sink, codebook->cuts[cut].codes,
						  elac_codebook_code_bytes(codebook->padded, codebook->cuts[cut].nlists));
}

void
elac_codebook_seal(ElacCodebook *codebook)
{
	ElacCodebookSink sink = {NULL, 0};

	elac_codebook_make_codes(codebook);
	elac_codebook_emit(codebook, &sink);
	codebook->crc = sink.crc;
}

void
elac_codebook_write(const ElacCodebook *codebook, ElacBlobWriter *writer)
{
	ElacCodebookSink sink = {writer, 0};

	elac_codebook_emit(codebook, &sink);
	Assert(sink.crc == codebook->crc);
	elac_blob_write(writer, &codebook->crc, sizeof(codebook->crc));
}

/* Checks what the header alone can tell, and that the blob has its size. */
static void
elac_codebook_check_header(ElacBlobReader *reader, const ElacCodebookHeader *header)
{
	static const uint8 zeros[sizeof(header->reserved2)];
	const char *name = elac_blob_name(reader);
	uint64		total = sizeof(ElacCodebookHeader) + sizeof(uint32);

	if (header->magic != ELAC_CODEBOOK_MAGIC)
		elac_corrupted(name, "The codebook has magic number %08X.", header->magic);
	if (header->version != ELAC_CODEBOOK_VERSION)
		elac_corrupted(name, "The codebook has unknown version %u.", header->version);
	if (header->dim < 1 || header->dim > ELAC_MAX_DIM_INDEXED || header->padded != elac_rotate_padded(header->dim) ||
		header->metric < ELAC_METRIC_L2 || header->metric > ELAC_METRIC_COSINE ||
		header->ncuts < 1 || header->ncuts > ELAC_CODEBOOK_MAX_CUTS || header->nlists[0] != 1 ||
		header->reserved != 0 || memcmp(header->reserved2, zeros, sizeof(zeros)) != 0)
		elac_corrupted(name, "The codebook's header makes no sense.");

	total += elac_rotate_sign_bytes(header->padded);
	for (int cut = 0; cut < ELAC_CODEBOOK_MAX_CUTS; cut++)
	{
		if (cut < header->ncuts
			? cut > 0 && header->nlists[cut] <= header->nlists[cut - 1]
			: header->nlists[cut] != 0)
			elac_corrupted(name, "Cut %d of the codebook has %u lists.", cut, header->nlists[cut]);
		/* at most 2^32 * 2^14 a cut: no overflow */
		total += (uint64) header->nlists[cut] * header->dim * sizeof(float);
		if (cut < header->ncuts - 1)
			total += ((uint64) header->nlists[cut] + 1) * sizeof(uint32);
		total += elac_codebook_code_bytes(header->padded, header->nlists[cut]);
	}
	if (total != elac_blob_nbytes(reader))
		elac_corrupted(name, "The codebook has " UINT64_FORMAT " bytes instead of " UINT64_FORMAT ".",
					   elac_blob_nbytes(reader), total);
}

/* Cuts ascend from 0 to the number of leaves and are nested. */
static void
elac_codebook_check_tree(ElacBlobReader *reader, const ElacCodebook *codebook)
{
	uint32		nleaves = codebook->cuts[codebook->ncuts - 1].nlists;

	for (int cut = 0; cut < codebook->ncuts - 1; cut++)
	{
		const ElacCodebookCut *c = &codebook->cuts[cut];
		bool		good = c->first_leaf[0] == 0 && c->first_leaf[c->nlists] == nleaves;

		for (uint32 list = 0; good && list < c->nlists; list++)
			good = c->first_leaf[list] < c->first_leaf[list + 1];
		if (!good)
			elac_corrupted(elac_blob_name(reader), "Cut %d of the codebook is not in order.", cut);
	}
	for (int cut = 0; cut + 2 < codebook->ncuts; cut++)
	{
		const ElacCodebookCut *c = &codebook->cuts[cut];
		const ElacCodebookCut *fine = &codebook->cuts[cut + 1];
		uint32		position = 0;

		for (uint32 list = 0; list < c->nlists; list++)
		{
			while (position < fine->nlists && fine->first_leaf[position] < c->first_leaf[list])
				position++;
			if (fine->first_leaf[position] != c->first_leaf[list])
				elac_corrupted(elac_blob_name(reader), "Cut %d of the codebook does not refine cut %d.", cut + 1, cut);
		}
	}
}

/* Reads the next part and continues the CRC. */
static void
elac_codebook_get(ElacBlobReader *reader, uint64 *offset, void *dst, uint64 len, uint32 *crc)
{
	const uint64 step = 1 << 20;

	for (uint64 done = 0; done < len; done += step)
	{
		uint64		part = Min(step, len - done);

		CHECK_FOR_INTERRUPTS();
		elac_blob_read(reader, *offset + done, (uint8 *) dst + done, part);
		*crc = elac_crc32c(*crc, (uint8 *) dst + done, part);
	}
	*offset += len;
}

static void
elac_codebook_check_centroids(ElacBlobReader *reader, const ElacCodebook *codebook, int cut)
{
	Size		n = (Size) codebook->cuts[cut].nlists * codebook->params.dim;

	for (Size i = 0; i < n; i++)
		if (!isfinite(codebook->cuts[cut].centroids[i]))
			elac_corrupted(elac_blob_name(reader), "A centroid of the codebook is not finite.");
}

ElacCodebook *
elac_codebook_read(ElacBlobReader *reader)
{
	ElacCodebookHeader header;
	ElacCodebook *codebook = palloc0(sizeof(ElacCodebook));
	uint64		offset = 0;
	uint32		crc = 0;
	uint32		stored;

	if (elac_blob_nbytes(reader) < sizeof(header))
		elac_corrupted(elac_blob_name(reader), "The codebook is too short.");
	elac_codebook_get(reader, &offset, &header, sizeof(header), &crc);
	elac_codebook_check_header(reader, &header);

	codebook->params.metric = header.metric;
	codebook->params.dim = header.dim;
	codebook->params.seed = header.seed;
	codebook->params.nrows = header.nrows;
	codebook->padded = header.padded;
	codebook->ncuts = header.ncuts;
	codebook->signs = palloc(elac_rotate_sign_bytes(codebook->padded));
	elac_codebook_get(reader, &offset, codebook->signs, elac_rotate_sign_bytes(codebook->padded), &crc);

	for (int cut = 0; cut < codebook->ncuts; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];
		Size		nbytes;

		c->nlists = header.nlists[cut];
		nbytes = ((Size) c->nlists + 1) * sizeof(uint32);
		c->first_leaf = palloc_extended(nbytes, MCXT_ALLOC_HUGE);
		if (cut < codebook->ncuts - 1)
			elac_codebook_get(reader, &offset, c->first_leaf, nbytes, &crc);
		else
			for (Size leaf = 0; leaf <= c->nlists; leaf++)
				c->first_leaf[leaf] = leaf;
	}
	elac_codebook_check_tree(reader, codebook);
	for (int cut = 0; cut < codebook->ncuts; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];
		Size		nbytes = (Size) c->nlists * codebook->params.dim * sizeof(float);

		c->centroids = palloc_extended(nbytes, MCXT_ALLOC_HUGE);
		elac_codebook_get(reader, &offset, c->centroids, nbytes, &crc);
		elac_codebook_check_centroids(reader, codebook, cut);
	}
	for (int cut = 0; cut < codebook->ncuts; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];
		Size		nbytes = elac_codebook_code_bytes(codebook->padded, c->nlists);

		/* any bytes are safe to score: they say only which centroids are looked at first */
		if (nbytes == 0)
			continue;
		c->codes = elac_codebook_alloc_codes(CurrentMemoryContext, nbytes);
		elac_codebook_get(reader, &offset, c->codes, nbytes, &crc);
	}
	elac_blob_read(reader, offset, &stored, sizeof(stored));
	if (stored != crc)
		elac_corrupted(elac_blob_name(reader), "The codebook's checksum is %08X instead of %08X.", crc, stored);

	codebook->crc = crc;
	elac_rotate_init(&codebook->rotation, codebook->padded, codebook->signs);
	return codebook;
}
