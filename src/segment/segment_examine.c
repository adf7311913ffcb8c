/*
 * segment_examine.c
 *	  What the lists of an index need, from the segments' heads and codes.
 *
 * Goes through all live documents in order: once to count them, once to look
 * at some of each list, and once more at the lists that have to change.  A list
 * at a time is in memory as vectors.  Reads no heap and writes nothing.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "segment/code_wave.h"
#include "segment/segment_internal.h"
#include "vector/vector_decode.h"

/* Documents of a list whose residuals are looked at. */
#define EXAMINE_SAMPLE 32

typedef struct ExamineSource
{
	const ElacMergeInput *input;
	ElacVectorReader *vector;
	ElacVectorDecoder *decoder;
	uint32		nfinite;
} ExamineSource;

typedef struct Examination
{
	const ElacCodebook *codebook;
	ElacAdapt  *adapt;
	int			nsources;
	ExamineSource *sources;
	uint32	   *seen;			/* documents of each list met so far */
	float	   *rotated;
} Examination;

/* First finite document of a source whose leaf is at least this. */
static ElacDoc
examine_first_doc(const ExamineSource *source, uint32 leaf)
{
	uint32		low = 0;
	uint32		high = source->nfinite;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (elac_vector_doc_leaf(source->vector, middle) < leaf)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
examine_count(Examination *examination)
{
	for (int i = 0; i < examination->nsources; i++)
	{
		const ExamineSource *source = &examination->sources[i];

		for (ElacDoc doc = 0; doc < source->nfinite; doc++)
		{
			if (doc % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			if (elac_bitmap_get(source->input->live, doc))
				elac_adapt_count(examination->adapt,
								 elac_adapt_list(examination->adapt, elac_vector_doc_leaf(source->vector, doc)));
		}
	}
}

/* Whether the next document of a list is one of n that are looked at, evenly spread. */
static bool
examine_takes(Examination *examination, uint32 list, uint32 n)
{
	uint64		ndocs = Max(elac_adapt_ndocs(examination->adapt, list), 1);
	uint64		position = examination->seen[list]++;

	return (position + 1) * n / ndocs > position * n / ndocs;
}

static void
examine_sample(Examination *examination)
{
	for (int i = 0; i < examination->nsources; i++)
	{
		const ExamineSource *source = &examination->sources[i];
		CodeWave	wave;

		elac_code_wave_begin(&wave, source->input->segment);
		for (ElacDoc doc = 0; doc < source->nfinite; doc++)
		{
			uint32		list;
			float		deviation;

			CHECK_FOR_INTERRUPTS();
			if (!elac_bitmap_get(source->input->live, doc))
				continue;
			list = elac_adapt_list(examination->adapt, elac_vector_doc_leaf(source->vector, doc));
			if (!examine_takes(examination, list,
							   (uint32) Min(elac_adapt_ndocs(examination->adapt, list), EXAMINE_SAMPLE)))
				continue;
			elac_code_wave_ask(&wave, doc);
			if (elac_vector_decode(source->decoder, doc, examination->rotated, &deviation))
				elac_adapt_sample(examination->adapt, list, examination->rotated);
		}
	}
}

/* Gives a list that has to change those of its documents that are wanted. */
static void
examine_split(Examination *examination, uint32 list, uint32 wanted)
{
	const ElacCodebook *codebook = examination->codebook;
	int			cut = elac_adapt_cut(examination->adapt);
	Size		row = elac_codebook_padded(codebook);
	float	   *vectors = palloc_extended(mul_size(wanted, row * sizeof(float)), MCXT_ALLOC_HUGE);
	uint32		n = 0;

	examination->seen[list] = 0;
	for (int i = 0; i < examination->nsources; i++)
	{
		const ExamineSource *source = &examination->sources[i];
		ElacDoc		first = examine_first_doc(source, elac_codebook_first_leaf(codebook, cut, list));
		ElacDoc		last = examine_first_doc(source, elac_codebook_first_leaf(codebook, cut, list + 1));

		elac_segment_ask_codes(source->input->segment, first, last);
		for (ElacDoc doc = first; doc < last; doc++)
		{
			float		deviation;

			CHECK_FOR_INTERRUPTS();
			if (elac_bitmap_get(source->input->live, doc) && examine_takes(examination, list, wanted) && n < wanted &&
				elac_vector_decode(source->decoder, doc, vectors + n * row, &deviation))
				n++;
		}
	}
	if (n > 0)
		elac_adapt_split(examination->adapt, list, vectors, n);
	pfree(vectors);
}

static void
examine_begin(Examination *examination, const ElacMergeInput *inputs, int ninputs, const ElacCodebook *codebook)
{
	uint64		nlive = 0;
	uint32		nlists;

	examination->codebook = codebook;
	examination->nsources = ninputs;
	examination->sources = palloc0((ninputs + 1) * sizeof(ExamineSource));
	examination->rotated = palloc(elac_codebook_padded(codebook) * sizeof(float));
	for (int i = 0; i < ninputs; i++)
	{
		ExamineSource *source = &examination->sources[i];
		ElacDoc		last;

		source->input = &inputs[i];
		source->vector = elac_segment_vector(inputs[i].segment);
		source->decoder = elac_vector_decoder_begin(source->vector);
		/* the list of NAN begins where the finite ones end */
		elac_vector_list_range(source->vector, elac_vector_nlists(source->vector), &source->nfinite, &last);
		nlive += elac_bitmap_count_range(inputs[i].live, 0, source->nfinite);
	}
	examination->adapt = elac_adapt_begin(codebook, nlive);
	nlists = elac_adapt_nlists(examination->adapt);
	examination->seen = palloc_extended(nlists * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

ElacAdaptVerdict
elac_segment_examine(ElacMergeInput *inputs, int ninputs, const ElacCodebook *codebook, ElacAdapt **adapt,
					 ElacCodebook **derived)
{
	Examination examination = {0};
	ElacAdaptVerdict verdict;
	ElacAdaptSummary summary;

	*adapt = NULL;
	*derived = NULL;
	examine_begin(&examination, inputs, ninputs, codebook);
	examine_count(&examination);
	examine_sample(&examination);
	verdict = elac_adapt_judge(examination.adapt);
	if (verdict != ELAC_ADAPT_LISTS)
		return verdict;

	for (uint32 list = 0; list < elac_adapt_nlists(examination.adapt); list++)
	{
		uint32		wanted = elac_adapt_wants(examination.adapt, list);

		if (wanted > 0)
			examine_split(&examination, list, wanted);
	}
	*derived = elac_adapt_finish(examination.adapt);
	if (*derived == NULL)
		return ELAC_ADAPT_NOTHING;
	summary = elac_adapt_summary(examination.adapt);
	ereport(DEBUG1,
			(errmsg_internal("of %u lists %u are split, %u moved and %u dropped: %u new centroids",
							 summary.nlists, summary.nsplit, summary.nmoved, summary.ndropped, summary.nfresh)));
	*adapt = examination.adapt;
	return verdict;
}
