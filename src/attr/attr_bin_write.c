/*
 * attr_bin_write.c
 *	  Divides the values of an ordered type into bins of about equal numbers of
 *	  documents.
 *
 * Documents lie in the order of an index's vectors, so that any 1024 of them
 * have small values and large ones, and their extremes say nothing.  In bins
 * a range takes the inner ones whole, by the bit planes of their numbers, and
 * looks at the values of the two at its ends.
 *
 * Limits are quantiles of a sample.  A value that many documents have fills a
 * bin of its own.  A dictionary gets bins, too, which say how many documents
 * its values have: estimates need no more.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "attr/attr_output.h"
#include "base/bitpack.h"

/* Documents of which a bin is worth while, and values of the sample for each. */
#define ATTR_BIN_DOCUMENTS 128
#define ATTR_BIN_SAMPLE 256

typedef struct AttrBins
{
	uint32		nlimits;
	int64		limits[ELAC_ATTR_MAX_BINS]; /* smallest sort key of each bin but the first, ascending */
	uint8		number[ELAC_ATTR_MAX_BINS]; /* of the bin when empty ones are left out */
	uint8	   *bin_of_doc;
	uint64		starts[ELAC_ATTR_MAX_BINS + 1]; /* of each bin's documents in docs */
	ElacDoc    *docs;			/* by bins */
} AttrBins;

static int
attr_bin_compare(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static int64
attr_bin_key(const AttrOutput *output, ElacDoc doc)
{
	return elac_attr_sort_key(&output->writer->type, output->writer->values[output->ids[doc]]);
}

/* Most bins that so many values are divided into. */
static uint32
attr_bin_number(uint32 npresent)
{
	return Min(Max(npresent / ATTR_BIN_DOCUMENTS, 1), ELAC_ATTR_MAX_BINS);
}

static void
attr_bins_find_limits(AttrOutput *output, AttrBins *bins)
{
	uint32		npresent = output->header.ndocs - output->header.nnull;
	uint32		nbins = attr_bin_number(npresent);
	uint32		stride = Max(npresent / (nbins * ATTR_BIN_SAMPLE), 1);
	int64	   *sample = MemoryContextAllocHuge(output->writer->context, mul_size(npresent / stride + 1, sizeof(int64)));
	uint32		nsample = 0;
	uint32		seen = 0;

	for (uint32 doc = 0; doc < output->header.ndocs; doc++)
		if (output->ids[doc] != ATTR_NULL_ID && seen++ % stride == 0)
			sample[nsample++] = attr_bin_key(output, doc);
	qsort(sample, nsample, sizeof(int64), attr_bin_compare);
	for (uint32 b = 1; b < nbins; b++)
	{
		int64		limit = sample[(uint64) b * nsample / nbins];
		int64		last = bins->nlimits == 0 ? sample[0] : bins->limits[bins->nlimits - 1];

		/* what fills a bin's share by itself gets a bin that ends with it */
		if (limit == last && limit < PG_INT64_MAX)
			limit++;
		if (limit > last)
			bins->limits[bins->nlimits++] = limit;
	}
	pfree(sample);
}

static uint32
attr_bin_of(const AttrBins *bins, int64 key)
{
	uint32		low = 0;
	uint32		high = bins->nlimits;

	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (bins->limits[middle] <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Extremes and numbers of the bins, without those that nothing is in. */
static void
attr_bins_fill(AttrOutput *output, AttrBins *bins)
{
	const ElacAttrType *type = &output->writer->type;
	ElacAttrBin all[ELAC_ATTR_MAX_BINS] = {0};

	for (uint32 doc = 0; doc < output->header.ndocs; doc++)
	{
		int64		key;
		ElacAttrBin *bin;

		if (doc % ELAC_ATTR_GROUP == 0)
			CHECK_FOR_INTERRUPTS();
		if (output->ids[doc] == ATTR_NULL_ID)
			continue;
		key = attr_bin_key(output, doc);
		bins->bin_of_doc[doc] = (uint8) attr_bin_of(bins, key);
		bin = &all[bins->bin_of_doc[doc]];
		bin->low = bin->count == 0 ? key : Min(bin->low, key);
		bin->high = bin->count == 0 ? key : Max(bin->high, key);
		bin->count++;
		if (elac_attr_sort_image(type, key) != output->writer->values[output->ids[doc]])
			bin->raw = 1;
	}
	output->bins = MemoryContextAllocZero(output->writer->context, sizeof(all));
	for (uint32 b = 0; b <= bins->nlimits; b++)
	{
		ElacAttrBin *bin = &output->bins[output->header.nbins];
		uint64		span;

		if (all[b].count == 0)
			continue;
		*bin = all[b];
		span = (uint64) bin->high - (uint64) bin->low;
		while (bin->width < sizeof(uint64) && span >> (8 * bin->width) != 0)
			bin->width++;
		if (bin->raw)
			bin->width = (uint8) type->typlen;
		bins->starts[output->header.nbins + 1] = bins->starts[output->header.nbins] + bin->count;
		bins->number[b] = (uint8) output->header.nbins++;
	}
}

/* Documents by bins; bin_of_doc gets the bins' final numbers. */
static void
attr_bins_sort(AttrOutput *output, AttrBins *bins)
{
	uint64		next[ELAC_ATTR_MAX_BINS + 1];

	memcpy(next, bins->starts, sizeof(next));
	for (uint32 doc = 0; doc < output->header.ndocs; doc++)
	{
		if (output->ids[doc] == ATTR_NULL_ID)
			continue;
		bins->bin_of_doc[doc] = bins->number[bins->bin_of_doc[doc]];
		bins->docs[next[bins->bin_of_doc[doc]]++] = doc;
	}
}

static void
attr_bin_write_values(AttrOutput *output, const AttrBins *bins, uint32 b)
{
	ElacAttrBin *bin = &output->bins[b];
	uint8		buffer[ELAC_ATTR_GROUP * sizeof(uint64)];
	uint32		used = 0;

	bin->offset = elac_attr_output_tell(output) - output->header.values_offset;
	for (uint32 i = 0; i < bin->count; i++)
	{
		ElacDoc		doc = bins->docs[bins->starts[b] + i];
		uint64		bits = bin->raw ? output->writer->values[output->ids[doc]]
			: (uint64) attr_bin_key(output, doc) - (uint64) bin->low;

		memcpy(buffer + used, &bits, bin->width);	/* low bytes first */
		used += bin->width;
		if (used > sizeof(buffer) - sizeof(uint64))
		{
			CHECK_FOR_INTERRUPTS();
			elac_blob_write(output->out->body, buffer, used);
			used = 0;
		}
	}
	elac_blob_write(output->out->body, buffer, used);
	elac_attr_output_pad(output);
}

static uint32
attr_bin_code(AttrOutput *output, uint32 doc, const void *arg)
{
	return ((const AttrBins *) arg)->bin_of_doc[doc];
}

static void
attr_bin_write_counts(AttrOutput *output, const AttrBins *bins)
{
	uint32		ngroups = elac_attr_ngroups(output->header.ndocs);
	uint16	   *counts = MemoryContextAllocHuge(output->writer->context, mul_size((Size) ngroups + 1, sizeof(uint16)));

	for (uint32 b = 0; b < output->header.nbins; b++)
	{
		CHECK_FOR_INTERRUPTS();
		memset(counts, 0, ngroups * sizeof(uint16));
		for (uint64 i = bins->starts[b]; i < bins->starts[b + 1]; i++)
			counts[bins->docs[i] / ELAC_ATTR_GROUP]++;
		elac_blob_write(output->out->body, counts, ngroups * sizeof(uint16));
	}
	pfree(counts);
}

void
elac_attr_write_bins(AttrOutput *output)
{
	ElacAttrHeader *header = &output->header;
	AttrBins   *bins = MemoryContextAllocZero(output->writer->context, sizeof(AttrBins));
	uint32		last;

	bins->bin_of_doc = MemoryContextAllocHuge(output->writer->context, (Size) header->ndocs + 1);
	bins->docs = MemoryContextAllocHuge(output->writer->context, mul_size((Size) header->ndocs + 1, sizeof(ElacDoc)));
	if (header->ndocs > header->nnull)
	{
		attr_bins_find_limits(output, bins);
		attr_bins_fill(output, bins);
		attr_bins_sort(output, bins);
	}
	for (uint32 b = 0; b < header->nbins; b++)
		attr_bin_write_values(output, bins, b);
	header->values_len = elac_attr_output_tell(output) - header->values_offset;

	last = header->nbins == 0 ? 0 : header->nbins - 1;
	header->width = elac_bitpack_width(&last, 1);
	header->codes_offset = elac_attr_output_tell(output);
	elac_attr_write_planes(output, attr_bin_code, bins);
	header->codes_len = elac_attr_output_tell(output) - header->codes_offset;
	header->counts_offset = elac_attr_output_tell(output);
	attr_bin_write_counts(output, bins);
	header->counts_len = elac_attr_output_tell(output) - header->counts_offset;
	elac_attr_output_pad(output);
	pfree(bins->docs);
}

/* ---- dictionaries ---- */

void
elac_attr_summarise(AttrOutput *output)
{
	ElacAttrWriter *writer = output->writer;
	ElacAttrHeader *header = &output->header;
	uint32		npresent = header->ndocs - header->nnull;
	uint32		nbins = attr_bin_number(npresent);
	uint32	   *counts;
	uint64		sum = 0;
	bool		heavy = false;

	if (header->encoding != ELAC_ATTR_DICTIONARY || !elac_attr_is_ordered(&writer->type) || npresent == 0)
		return;
	counts = MemoryContextAllocZero(writer->context, (Size) writer->nvalues * sizeof(uint32));
	for (uint32 doc = 0; doc < header->ndocs; doc++)
		if (output->ids[doc] != ATTR_NULL_ID)
			counts[output->ids[doc]]++;
	output->bins = MemoryContextAllocZero(writer->context, nbins * sizeof(ElacAttrBin));
	for (uint32 code = 0; code < writer->nvalues; code++)
	{
		uint32		id = output->order[code];
		int64		key = elac_attr_sort_key(&writer->type, writer->values[id]);
		ElacAttrBin *bin = header->nbins == 0 ? NULL : &output->bins[header->nbins - 1];
		/*
		 * Half the bins end where their share of the documents is reached, the
		 * others are for values that many documents have.  Equal keys are one
		 * bin's.
		 */
		bool		ends = writer->nvalues <= nbins || heavy || (uint64) counts[id] * nbins > 2 * (uint64) npresent ||
			sum * nbins >= 2 * (uint64) npresent * header->nbins;

		heavy = (uint64) counts[id] * nbins > 2 * (uint64) npresent;
		if (bin == NULL || (key != bin->high && header->nbins < nbins && ends))
		{
			bin = &output->bins[header->nbins++];
			bin->low = key;
			bin->offset = code;
		}
		bin->high = key;
		bin->count += counts[id];
		bin->distinct++;
		sum += counts[id];
	}
}
