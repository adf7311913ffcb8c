/*
 * test_vector_codebook.c
 *	  Training, the tree's invariants, assignment, the stored form and what
 *	  damage does to it.
 */
#include "pgshim.h"

#include "utils/errcodes.h"

#include "base/checksum.h"
#include "vector/kmeans.h"
#include "vector_fixture.h"

/* Nearest of ncentroids to a point, all tried. */
static uint32
nearest_of_all(const float *point, const float *centroids, uint32 ncentroids, int dim, float *distance)
{
	uint32		best = 0;

	*distance = INFINITY;
	for (uint32 c = 0; c < ncentroids; c++)
	{
		float		d = elac_kernels()->l2sq_f32(point, centroids + (Size) c * dim, dim);

		if (d < *distance)
		{
			*distance = d;
			best = c;
		}
	}
	return best;
}

/* Every cut refines the one above, and a list's centroid is the mean of what is below. */
static void
check_tree(const ElacCodebook *codebook)
{
	int			finest = elac_codebook_ncuts(codebook) - 1;
	uint32		nleaves = elac_codebook_nlists(codebook, finest);

	CHECK_EQ(elac_codebook_nlists(codebook, 0), 1);
	for (int cut = 0; cut <= finest; cut++)
	{
		uint32		nlists = elac_codebook_nlists(codebook, cut);

		CHECK_EQ(elac_codebook_first_leaf(codebook, cut, 0), 0);
		CHECK_EQ(elac_codebook_first_leaf(codebook, cut, nlists), nleaves);
		if (cut > 0)
			CHECK(nlists > elac_codebook_nlists(codebook, cut - 1));
		for (uint32 list = 0; list < nlists; list++)
		{
			uint32		first = elac_codebook_first_leaf(codebook, cut, list);
			uint32		last = elac_codebook_first_leaf(codebook, cut, list + 1);

			CHECK(first < last);
			CHECK_EQ(elac_codebook_list_of_leaf(codebook, cut, first), list);
			CHECK_EQ(elac_codebook_list_of_leaf(codebook, cut, last - 1), list);
			if (cut > 0)
			{
				uint32		up = elac_codebook_list_of_leaf(codebook, cut - 1, first);

				CHECK_EQ(elac_codebook_list_of_leaf(codebook, cut - 1, last - 1), up);
			}
		}
	}
}

static void
test_sizes(void)
{
	CHECK_EQ(elac_codebook_sample_wanted(0), 0);
	CHECK_EQ(elac_codebook_sample_wanted(100), 100);
	CHECK(elac_codebook_sample_wanted(547000) > 50 * 3000);
	CHECK(elac_codebook_sample_wanted(UINT64_C(1) << 60) <= UINT32_MAX);
}

/* Mean squared distance of rows to the centroids of their leaves. */
static double
mean_error(const ElacCodebook *codebook, const FixtureData *data)
{
	double		sum = 0;
	int			finest = elac_codebook_ncuts(codebook) - 1;

	for (uint32 row = 0; row < data->n; row++)
	{
		const float *x = data->rows + (Size) row * data->dim;

		sum += elac_kernels()->l2sq_f32(x, elac_codebook_centroid(codebook, finest, elac_codebook_assign(codebook, x)),
										data->dim);
	}
	return sum / data->n;
}

/* Many vectors at once get the leaves that they get one by one, with any memory. */
static void
test_assigner(void)
{
	static const uint32 rows[] = {40, 3000, 60000};

	for (int i = 0; i < lengthof(rows); i++)
	{
		FixtureData data = fixture_clustered(ELAC_METRIC_L2, 19, rows[i], 300, 9);
		ElacCodebook *codebook = fixture_train(&data, data.n);
		int			finest = elac_codebook_ncuts(codebook) - 1;
		uint32		nleaves = elac_codebook_nlists(codebook, finest);
		uint32	   *leaves = palloc(data.n * sizeof(uint32));
		uint32	   *again = palloc(data.n * sizeof(uint32));
		ElacAssigner *assigner = elac_assigner_begin(codebook, 1 << 20);
		uint32		same = 0;

		elac_assigner_assign(assigner, data.rows, data.n, leaves);
		elac_assigner_end(assigner);
		assigner = elac_assigner_begin(codebook, 0);
		for (uint32 row = 0; row < data.n; row += 777)
			elac_assigner_assign(assigner, data.rows + (Size) row * data.dim, Min(777, data.n - row), again + row);
		elac_assigner_end(assigner);
		CHECK(memcmp(leaves, again, data.n * sizeof(uint32)) == 0);
		for (uint32 row = 0; row < data.n; row++)
		{
			const float *x = data.rows + (Size) row * data.dim;
			float		distance;

			CHECK(leaves[row] < nleaves);
			if (row % 7 == 0)
				same += nearest_of_all(x, codebook->cuts[finest].centroids, nleaves, data.dim, &distance) == leaves[row];
		}
		CHECK(same > data.n / 7 * 0.97);
	}
}

/* A sample in files trains as well as one in memory. */
static void
test_trainer(void)
{
	ElacCodebookParams params = {ELAC_METRIC_L2, 24, 4711, 20000};
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 24, 20000, 200, 1);
	double		wanted = mean_error(fixture_train(&data, data.n), &data);

	for (int i = 0; i < 3; i++)
	{
		/* all in memory; parts; parts larger than memory */
		static const Size memory[] = {16 << 20, 256 << 10, 4 << 10};
		ElacTrainer *trainer = elac_trainer_begin(&params, memory[i]);
		ElacCodebook *codebook;
		uint32		nleaves;

		for (uint32 row = 0; row < data.n; row++)
			elac_trainer_add(trainer, data.rows + (Size) row * data.dim);
		CHECK_EQ(elac_trainer_count(trainer), data.n);
		codebook = elac_trainer_finish(trainer);
		check_tree(codebook);
		nleaves = elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1);
		CHECK(nleaves >= 20000 / 250 && nleaves <= 20000 / 100);
		CHECK(mean_error(codebook, &data) < wanted * (i == 2 ? 1.3 : 1.1));
	}

	/* nothing, and one list */
	CHECK_EQ(elac_codebook_ncuts(elac_trainer_finish(elac_trainer_begin(&params, 1 << 20))), 1);
	for (int i = 0; i < 2; i++)
	{
		ElacTrainer *trainer = elac_trainer_begin(&params, 4 << 10);

		for (uint32 row = 0; row < 1000; row++)
			elac_trainer_add(trainer, data.rows + (i == 0 ? 0 : (Size) row * data.dim));
		elac_trainer_set_rows(trainer, i == 0 ? 20000 : 1000);
		CHECK_EQ(elac_codebook_ncuts(elac_trainer_finish(trainer)), 1);
	}
}

static void
test_training(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 24, 20000, 200, 1);
	ElacCodebook *codebook = fixture_train(&data, data.n);
	ElacCodebook *again;
	int			finest = elac_codebook_ncuts(codebook) - 1;
	uint32		nleaves = elac_codebook_nlists(codebook, finest);
	uint32	   *counts = palloc0(nleaves * sizeof(uint32));
	uint32		longest = 0;
	double		chosen = 0;
	double		best = 0;
	uint32		same = 0;

	check_tree(codebook);
	CHECK(nleaves >= 20000 / 250 && nleaves <= 20000 / 100);
	CHECK_EQ(elac_codebook_cut(codebook, data.n), finest);
	CHECK_EQ(elac_codebook_cut(codebook, 1999), 0);
	CHECK_EQ(elac_codebook_dim(codebook), 24);
	CHECK_EQ(elac_codebook_padded(codebook), 32);
	CHECK_EQ(elac_codebook_nrows(codebook), 20000);
	CHECK_EQ(elac_codebook_metric(codebook), ELAC_METRIC_L2);
	for (uint32 n = 2000; n < 20000; n += 500)
	{
		double		mean = (double) n / elac_codebook_nlists(codebook, elac_codebook_cut(codebook, n));

		CHECK(mean > 80 && mean < 320);
	}
	for (uint32 row = 0; row < data.n; row++)
	{
		const float *x = data.rows + (Size) row * data.dim;
		uint32		leaf = elac_codebook_assign(codebook, x);
		float		distance;
		uint32		nearest = nearest_of_all(x, codebook->cuts[finest].centroids, nleaves, data.dim, &distance);

		counts[leaf]++;
		best += distance;
		chosen += elac_kernels()->l2sq_f32(x, elac_codebook_centroid(codebook, finest, leaf), data.dim);
		same += leaf == nearest;
	}
	/* the tree loses little against trying all leaves */
	CHECK(chosen < best * 1.02);
	CHECK(same > data.n * 0.9);
	for (uint32 leaf = 0; leaf < nleaves; leaf++)
		longest = Max(longest, counts[leaf]);
	CHECK(longest < 10 * data.n / nleaves);

	/* the same sample and seed give the same bytes */
	again = fixture_train(&data, data.n);
	CHECK_EQ(again->crc, codebook->crc);
}

static void
test_degenerate(void)
{
	ElacCodebookParams params = {ELAC_METRIC_L2, 10, 3, 50000};
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 10, 5000, 20, 2);
	ElacCodebook *codebook;

	/* nothing to train on */
	codebook = elac_codebook_train(&params, NULL, 0);
	CHECK_EQ(elac_codebook_ncuts(codebook), 1);
	CHECK_EQ(elac_codebook_assign(codebook, data.rows), 0);
	CHECK(codebook->cuts[0].centroids[0] == 0);

	/* few rows */
	params.nrows = 1999;
	codebook = elac_codebook_train(&params, data.rows, 1000);
	CHECK_EQ(elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1), 1);

	/* a sample much smaller than its table */
	params.nrows = 100000000;
	codebook = elac_codebook_train(&params, data.rows, 40);
	check_tree(codebook);
	CHECK(elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1) <= 20);

	/* two distinct points, then one, then almost one, then huge components */
	params.nrows = 50000;
	for (int kind = 0; kind < 4; kind++)
	{
		for (uint32 row = 0; row < data.n; row++)
			for (int d = 0; d < data.dim; d++)
				data.rows[row * data.dim + d] = kind == 0 ? (float) (row % 2) : kind == 1 ? 3
					: kind == 2 ? (row == 17 ? 1 : 0) : ((int) (row % 3) - 1) * 3e38f;
		codebook = elac_codebook_train(&params, data.rows, data.n);
		check_tree(codebook);
		CHECK(elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1) <= 6);
		for (int d = 0; d < data.dim; d++)
			CHECK(isfinite(elac_codebook_centroid(codebook, elac_codebook_ncuts(codebook) - 1, 0)[d]));
		if (kind == 0)
			CHECK(elac_codebook_assign(codebook, data.rows) != elac_codebook_assign(codebook, data.rows + data.dim));
	}
}

static const uint8 *
write_codebook(ElacCodebook *codebook, uint64 *nbytes)
{
	ElacBlobWriter *writer = elac_blob_create_memory();
	ElacBlobRef ref;

	elac_codebook_write(codebook, writer);
	elac_blob_finish(writer, &ref);
	return elac_blob_memory(writer, nbytes);
}

static void
test_stored(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_COSINE, 17, 3000, 30, 4);
	ElacCodebook *codebook = fixture_train(&data, 3000);
	uint64		nbytes;
	const uint8 *bytes = write_codebook(codebook, &nbytes);
	ElacCodebook *back = elac_codebook_read(elac_blob_open_memory(bytes, nbytes, "codebook"));
	float		a[32];
	float		b[32];

	check_tree(back);
	CHECK_EQ(back->crc, codebook->crc);
	CHECK_EQ(elac_codebook_metric(back), ELAC_METRIC_COSINE);
	CHECK_EQ(elac_codebook_ncuts(back), elac_codebook_ncuts(codebook));
	CHECK_EQ(elac_codebook_nrows(back), 3000);
	CHECK_EQ(elac_codebook_id(back), 0);
	elac_codebook_set_id(back, 77);
	CHECK_EQ(elac_codebook_id(back), 77);
	elac_codebook_rotate_relative(codebook, data.rows, a);
	elac_codebook_rotate_relative(back, data.rows, b);
	CHECK(memcmp(a, b, sizeof(a)) == 0);
	for (uint32 row = 0; row < 300; row++)
		CHECK_EQ(elac_codebook_assign(back, data.rows + row * data.dim), elac_codebook_assign(codebook, data.rows + row * data.dim));

	/* every byte flipped is noticed; also with a checksum that fits: no crash */
	for (uint64 i = 0; i < nbytes; i++)
		for (int fix = 0; fix < 2; fix++)
		{
			uint8	   *copy = palloc(nbytes);
			uint32		crc;

			memcpy(copy, bytes, nbytes);
			copy[i] ^= 1 << (i % 8);
			if (fix)
			{
				crc = elac_crc32c(0, copy, nbytes - 4);
				memcpy(copy + nbytes - 4, &crc, 4);
				if (!PGSHIM_RAISES(back = elac_codebook_read(elac_blob_open_memory(copy, nbytes, "codebook"))))
				{
					if (elac_codebook_dim(back) <= data.dim)
						CHECK(elac_codebook_assign(back, data.rows) < 1000000);
				}
				else
					CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INDEX_CORRUPTED);
			}
			else
				CHECK_RAISES(elac_codebook_read(elac_blob_open_memory(copy, nbytes, "codebook")), ERRCODE_INDEX_CORRUPTED);
			pfree(copy);
		}
	for (uint64 n = 0; n < nbytes; n += 7)
		CHECK_RAISES(elac_codebook_read(elac_blob_open_memory(bytes, n, "codebook")), ERRCODE_INDEX_CORRUPTED);
}

static void
test_interrupt(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 8, 4000, 30, 4);

	pgshim_cancel_after(200);
	CHECK_RAISES(fixture_train(&data, 4000), ERRCODE_QUERY_CANCELED);
	pgshim_cancel_after(0);
}

int
main(void)
{
	pgshim_init();
	test_sizes();
	test_training();
	test_assigner();
	test_trainer();
	test_degenerate();
	test_stored();
	test_interrupt();
	return check_done();
}
