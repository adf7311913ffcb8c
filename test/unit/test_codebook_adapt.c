/*
 * test_codebook_adapt.c
 *	  Codes read back as vectors; lists judged, split, moved and dropped; what
 *	  a derived codebook has in common with the one before.
 */
#include "pgshim.h"

#include "segment/merge_spool.h"
#include "vector/codebook_adapt.h"
#include "vector/vector_decode.h"
#include "vector_fixture.h"

static void
test_rotation(void)
{
	static const int dims[] = {1, 3, 16, 17, 100, 128, 300, 1000};
	ElacRng		rng;

	elac_rng_seed(&rng, 3);
	for (int i = 0; i < lengthof(dims); i++)
	{
		int			dim = dims[i];
		int			padded = elac_rotate_padded(dim);
		uint8	   *signs = palloc(elac_rotate_sign_bytes(padded));
		float	   *vector = palloc(dim * sizeof(float));
		float	   *rotated = palloc(padded * sizeof(float));
		ElacRotation rotation;
		double		off = 0;

		elac_rotate_draw(dim, padded, signs);
		elac_rotate_init(&rotation, padded, signs);
		for (int d = 0; d < dim; d++)
			vector[d] = fixture_gauss(&rng);
		elac_rotate(&rotation, vector, dim, rotated);
		elac_rotate_back(&rotation, rotated);
		for (int d = 0; d < padded; d++)
			off = Max(off, fabs(rotated[d] - (d < dim ? vector[d] : 0)));
		CHECK(off < 1e-5);
	}
}

/* Decoded vectors are unbiased and off by what is said. */
static void
test_decoding(ElacMetric metric, int bits)
{
	FixtureData data = fixture_clustered(metric, 60, 3000, 20, 5);
	ElacCodebook *codebook = fixture_train(&data, data.n);
	FixtureSection section = fixture_write(&data, codebook, bits, 0, data.n, 2, 3);
	ElacVectorDecoder *decoder = elac_vector_decoder_begin(section.reader);
	int			padded = elac_codebook_padded(codebook);
	float	   *decoded = palloc(padded * sizeof(float));
	float	   *real = palloc(padded * sizeof(float));
	float	   *direction = palloc(padded * sizeof(float));
	double		sum = 0;
	double		square = 0;
	ElacRng		rng;

	elac_rng_seed(&rng, 9);
	for (uint32 doc = 0; doc < data.n; doc++)
	{
		float		deviation;
		double		off = 0;

		CHECK(elac_vector_decode(decoder, doc, decoded, &deviation));
		elac_codebook_rotate_relative(codebook, data.rows + (Size) section.row[doc] * data.dim, real);
		for (int d = 0; d < padded; d++)
			direction[d] = fixture_gauss(&rng);
		fixture_normalise(direction, padded);
		for (int d = 0; d < padded; d++)
			off += (double) (decoded[d] - real[d]) * direction[d];
		if (deviation > 0)
			off /= deviation;
		sum += off;
		square += off * off;
	}
	printf("# metric %d, %d bits: error %.3f +- %.3f deviations\n", metric, bits, sum / data.n, sqrt(square / data.n));
	CHECK(fabs(sum / data.n) < 0.08);
	CHECK(square / data.n > 0.7 && square / data.n < 1.3);
}

/* Counts for every list what counts says, and samples that lie where the centroid is, plus offset. */
static ElacAdapt *
look_at(const ElacCodebook *codebook, const uint32 *counts, int odd_list, float offset)
{
	int			finest = elac_codebook_ncuts(codebook) - 1;
	uint32		nlists = elac_codebook_nlists(codebook, finest);
	int			padded = elac_codebook_padded(codebook);
	float	   *rotated = palloc(padded * sizeof(float));
	uint64		total = 0;
	ElacAdapt  *adapt;
	ElacRng		rng;

	elac_rng_seed(&rng, 11);
	for (uint32 list = 0; list < nlists; list++)
		total += counts[list];
	adapt = elac_adapt_begin(codebook, total);
	if (elac_adapt_cut(adapt) != finest)
		return adapt;
	for (uint32 list = 0; list < nlists; list++)
	{
		for (uint32 i = 0; i < counts[list]; i++)
			elac_adapt_count(adapt, list);
		for (uint32 i = 0; i < Min(counts[list], 32); i++)
		{
			elac_codebook_rotate_relative(codebook, elac_codebook_centroid(codebook, finest, list), rotated);
			for (int d = 0; d < padded; d++)
				rotated[d] += fixture_gauss(&rng) + ((int) list == odd_list && d == 0 ? offset : 0);
			elac_adapt_sample(adapt, list, rotated);
		}
	}
	return adapt;
}

static void
split_wanted(ElacAdapt *adapt, const ElacCodebook *codebook)
{
	int			padded = elac_codebook_padded(codebook);
	ElacRng		rng;

	elac_rng_seed(&rng, 13);
	for (uint32 list = 0; list < elac_adapt_nlists(adapt); list++)
	{
		uint32		n = elac_adapt_wants(adapt, list);
		float	   *vectors = palloc((Size) Max(n, 1) * padded * sizeof(float));

		for (uint32 i = 0; i < n; i++)
		{
			elac_codebook_rotate_relative(codebook, elac_codebook_centroid(codebook, elac_adapt_cut(adapt), list),
										  vectors + (Size) i * padded);
			for (int d = 0; d < padded; d++)
				vectors[(Size) i * padded + d] += fixture_gauss(&rng);
		}
		if (n > 0)
			elac_adapt_split(adapt, list, vectors, n);
	}
}

static void
test_judging(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 24, 20000, 200, 1);
	ElacCodebook *codebook = fixture_train(&data, data.n);
	int			finest = elac_codebook_ncuts(codebook) - 1;
	uint32		nlists = elac_codebook_nlists(codebook, finest);
	uint32	   *counts = palloc(nlists * sizeof(uint32));
	uint32		even = data.n / nlists;
	ElacAdapt  *adapt;
	ElacCodebook *derived;
	uint32		leaves;

	for (uint32 list = 0; list < nlists; list++)
		counts[list] = even;
	CHECK_EQ(elac_adapt_judge(look_at(codebook, counts, -1, 0)), ELAC_ADAPT_NOTHING);

	/* so much more that everything would be split */
	for (uint32 list = 0; list < nlists; list++)
		counts[list] = 4 * even;
	CHECK_EQ(elac_adapt_judge(look_at(codebook, counts, -1, 0)), ELAC_ADAPT_TRAIN);

	/* one list is far too long, one hardly used, one beside its documents */
	for (uint32 list = 0; list < nlists; list++)
		counts[list] = even;
	counts[7] = 1500;
	counts[9] = 3;
	adapt = look_at(codebook, counts, 11, 6);
	CHECK_EQ(elac_adapt_judge(adapt), ELAC_ADAPT_LISTS);
	CHECK(elac_adapt_wants(adapt, 7) >= 512);
	CHECK_EQ(elac_adapt_wants(adapt, 9), 0);
	CHECK_EQ(elac_adapt_wants(adapt, 11), counts[11]);
	CHECK_EQ(elac_adapt_wants(adapt, 12), 0);
	split_wanted(adapt, codebook);
	derived = elac_adapt_finish(adapt);
	CHECK(derived != NULL);
	CHECK(elac_codebook_related(codebook, derived));
	CHECK_EQ(elac_adapt_summary(adapt).nsplit, 1);
	CHECK_EQ(elac_adapt_summary(adapt).nmoved, 1);
	CHECK_EQ(elac_adapt_summary(adapt).ndropped, 1);
	leaves = elac_codebook_nlists(derived, elac_codebook_ncuts(derived) - 1);
	CHECK_EQ(leaves, nlists - 3 + elac_adapt_summary(adapt).nfresh);
	CHECK(elac_adapt_summary(adapt).nfresh >= 6 && elac_adapt_summary(adapt).nfresh <= 16);
	for (uint32 list = 0; list < nlists; list++)
	{
		uint32		leaf = elac_adapt_leaf(adapt, list);

		CHECK_EQ(leaf == ELAC_ADAPT_NOWHERE, list == 7 || list == 9 || list == 11);
		if (leaf != ELAC_ADAPT_NOWHERE)
			CHECK(elac_codebook_same_list(codebook, finest, list, derived, elac_codebook_ncuts(derived) - 1, leaf));
	}

	/* another seed, another mean: codes do not go together */
	CHECK(!elac_codebook_related(codebook, fixture_train(&data, 3000)) ||
		  memcmp(elac_codebook_mean(codebook), elac_codebook_mean(fixture_train(&data, 3000)), 24 * sizeof(float)) == 0);

	/* too few documents for lists */
	for (uint32 list = 0; list < nlists; list++)
		counts[list] = 1;
	CHECK_EQ(elac_adapt_judge(look_at(codebook, counts, -1, 0)), ELAC_ADAPT_NOTHING);
}

/* A long list of equal vectors: nothing comes of it. */
static void
test_equal(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 24, 20000, 200, 1);
	ElacCodebook *codebook = fixture_train(&data, data.n);
	int			finest = elac_codebook_ncuts(codebook) - 1;
	int			padded = elac_codebook_padded(codebook);
	uint32		nlists = elac_codebook_nlists(codebook, finest);
	uint32	   *counts = palloc(nlists * sizeof(uint32));
	float	   *vectors;
	ElacAdapt  *adapt;
	uint32		n;

	for (uint32 list = 0; list < nlists; list++)
		counts[list] = data.n / nlists;
	counts[3] = 5000;
	adapt = look_at(codebook, counts, -1, 0);
	CHECK_EQ(elac_adapt_judge(adapt), ELAC_ADAPT_LISTS);
	n = elac_adapt_wants(adapt, 3);
	vectors = palloc0((Size) n * padded * sizeof(float));
	for (uint32 i = 0; i < n; i++)
		elac_codebook_rotate_relative(codebook, elac_codebook_centroid(codebook, finest, 3), vectors + (Size) i * padded);
	elac_adapt_split(adapt, 3, vectors, n);
	CHECK(elac_adapt_finish(adapt) == NULL);
}

/* Items come back whatever the memory, however unevenly keys are used. */
static void
test_spool(uint64 nitems, uint32 nkeys, Size memory, bool uneven)
{
	MergeSpool *spool = elac_merge_spool_begin(24, nitems, nkeys, memory);
	uint32	   *keys = palloc(nitems * sizeof(uint32));
	uint32	   *numbers = palloc(nitems * sizeof(uint32));
	uint32		wrong = 0;
	ElacRng		rng;

	elac_rng_seed(&rng, 17);
	for (uint64 i = 0; i < nitems; i++)
	{
		uint64		item[3] = {i, i * i, ~i};

		keys[i] = uneven && i % 4 != 0 ? nkeys / 2 : (uint32) elac_rng_below(&rng, nkeys);
		numbers[i] = elac_merge_spool_put(spool, keys[i], (const uint8 *) item);
	}
	CHECK_EQ(elac_merge_spool_count(spool), nitems);
	for (uint32 key = 0; key < nkeys; key++)
		for (uint64 i = 0; i < nitems; i++)
		{
			uint64		item[3];

			if (keys[i] != key)
				continue;
			memcpy(item, elac_merge_spool_get(spool, key, numbers[i]), sizeof(item));
			wrong += item[0] != i || item[1] != i * i || item[2] != ~i;
		}
	CHECK_EQ(wrong, 0);
	CHECK(PGSHIM_RAISES(elac_merge_spool_get(spool, 0, UINT32_MAX)));
	elac_merge_spool_end(spool);
}

int
main(void)
{
	static const int bits[] = {1, 2, 5, 8};

	pgshim_init();
	test_rotation();
	for (int i = 0; i < lengthof(bits); i++)
	{
		test_decoding(ELAC_METRIC_L2, bits[i]);
		test_decoding(ELAC_METRIC_IP, bits[i]);
		test_decoding(ELAC_METRIC_COSINE, bits[i]);
	}
	test_judging();
	test_equal();
	test_spool(1, 1, 10, false);
	test_spool(5000, 40, 1 << 20, false);
	test_spool(5000, 40, 20000, false);
	test_spool(5000, 40, 20000, true);
	test_spool(5000, 1000, 24, false);
	return check_done();
}
