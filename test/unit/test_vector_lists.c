/*
 * test_vector_lists.c
 *	  The order in which a query meets the lists: against all exact distances,
 *	  however many are asked for, with codes, without, and with damaged ones.
 */
#include "pgshim.h"

#include "vector_fixture.h"
#include "vector/sort_items.h"

/* A codebook of many lists around rows of data, without training. */
static ElacCodebook *
make_codebook(const FixtureData *data, uint32 nlists)
{
	ElacCodebookParams params = {data->metric, data->dim, 99, 1};
	ElacCodebook *codebook = elac_codebook_create(&params);
	Size		row = data->dim * sizeof(float);

	codebook->ncuts = 2;
	for (int cut = 0; cut < 2; cut++)
	{
		ElacCodebookCut *c = &codebook->cuts[cut];

		c->nlists = cut == 0 ? 1 : nlists;
		c->first_leaf = palloc((c->nlists + 1) * sizeof(uint32));
		for (uint32 list = 0; list <= c->nlists; list++)
			c->first_leaf[list] = cut == 0 ? list * nlists : list;
		c->centroids = palloc(c->nlists * row);
	}
	for (int d = 0; d < data->dim; d++)
	{
		double		sum = 0;

		for (uint32 list = 0; list < nlists; list++)
			sum += data->rows[(Size) list * data->dim + d];
		codebook->cuts[0].centroids[d] = (float) (sum / nlists);
	}
	memcpy(codebook->cuts[1].centroids, data->rows, nlists * row);
	elac_codebook_seal(codebook);
	return codebook;
}

/* The codebook as it is read back. */
static ElacCodebook *
reread(const ElacCodebook *codebook)
{
	ElacBlobWriter *writer = elac_blob_create_memory();
	ElacBlobRef ref;
	const uint8 *bytes;
	uint64		nbytes;

	elac_codebook_write(codebook, writer);
	elac_blob_finish(writer, &ref);
	bytes = elac_blob_memory(writer, &nbytes);
	return elac_codebook_read(elac_blob_open_memory(bytes, nbytes, "codebook"));
}

/* Terms of a list by their definition. */
static void
check_terms(ElacVectorQuery *query, const FixtureData *data, const float *vector, uint32 list)
{
	const float *centroid = elac_codebook_centroid(query->codebook, 1, list);
	ElacListTerms terms = elac_vector_query_list(query, 1, list);
	double		qq = 0;
	double		qc = 0;
	double		cc = 0;
	double		lambda = 1;
	double		spread = 0;

	for (int d = 0; d < data->dim; d++)
	{
		qq += (double) vector[d] * vector[d];
		qc += (double) vector[d] * centroid[d];
		cc += (double) centroid[d] * centroid[d];
	}
	if (data->metric != ELAC_METRIC_L2)
		lambda = qc / cc;
	for (int d = 0; d < data->dim; d++)
		spread += (vector[d] - lambda * centroid[d]) * (vector[d] - lambda * centroid[d]);
	CHECK(fabs(terms.add - fixture_distance(data->metric, vector, centroid, data->dim)) <= 1e-4 * (qq + cc));
	CHECK(fabs(terms.lambda - lambda) <= 1e-4 * Max(fabs(lambda), 1));
	CHECK(fabs(terms.spread - sqrt(spread)) <= 1e-2 * sqrt(spread) + 1e-3 * sqrt(qq));
}

/* Asks for growing numbers; returns how many of the first `wanted` are not where they belong. */
static uint32
check_order(const FixtureData *data, ElacCodebook *codebook, const float *vector, const uint32 *steps, int nsteps,
			uint32 wanted)
{
	uint32		nlists = elac_codebook_nlists(codebook, 1);
	ElacVectorQuery *query = elac_vector_query_begin(codebook, vector, 1.9);
	ElacSortItem *truth = palloc(nlists * sizeof(ElacSortItem));
	uint8	   *seen = palloc0(nlists);
	const ElacVectorLists *lists = NULL;
	const uint32 *order = NULL;
	uint32		before = 0;
	uint32		misplaced = 0;

	for (uint32 list = 0; list < nlists; list++)
		truth[list] = elac_sort_item((float) fixture_distance(data->metric, vector, elac_codebook_centroid(codebook, 1, list),
															  data->dim), list);
	elac_sort_items(truth, nlists);
	check_terms(query, data, vector, nlists / 2);
	for (int step = 0; step < nsteps; step++)
	{
		uint32		asked = Min(steps[step], nlists);

		lists = elac_vector_query_ensure(query, 1, asked);
		CHECK(lists->n >= asked && lists->n <= nlists);
		CHECK(order == NULL || order == lists->order);
		order = lists->order;
		for (uint32 i = before; i < lists->n; i++)
		{
			double		exact = fixture_distance(data->metric, vector, elac_codebook_centroid(codebook, 1, order[i]), data->dim);

			CHECK(order[i] < nlists && !seen[order[i]]);
			seen[order[i]] = 1;
			CHECK(fabs(lists->distance[i] - exact) <= 1e-4 * (1 + fabs(exact)));
			CHECK(i == before || lists->distance[i] >= lists->distance[i - 1]);
			if (i < wanted)
				misplaced += order[i] != elac_sort_payload(truth[i]) &&
					fabs(exact - fixture_distance(data->metric, vector, elac_codebook_centroid(codebook, 1,
																							   elac_sort_payload(truth[i])), data->dim)) > 1e-4;
		}
		before = lists->n;
	}
	check_terms(query, data, vector, order[0]);
	CHECK(elac_vector_query_lists(query, 1) == order);
	CHECK_EQ(lists->n, nlists);
	for (uint32 list = 0; list < nlists; list++)
		CHECK(seen[list] || lists->n > before);
	return misplaced;
}

static void
test_order(void)
{
	static const uint32 sizes[] = {2, 127, 128, 129, 1000, 5000};
	static const uint32 few[] = {1, 2, 60, 65, 200, 300};
	static const uint32 all[] = {1, 5000};
	static const uint32 many[] = {700, 701, 1500, 5000};
	uint32		misplaced = 0;
	uint32		looked = 0;

	for (int metric = ELAC_METRIC_L2; metric <= ELAC_METRIC_COSINE; metric++)
		for (int i = 0; i < lengthof(sizes); i++)
			for (int dim = 16; dim <= 130; dim += 57)
			{
				FixtureData data = fixture_clustered(metric, dim, sizes[i] + 20, 30, 5 + dim);
				ElacCodebook *codebook = make_codebook(&data, sizes[i]);

				CHECK((codebook->cuts[1].codes != NULL) == (sizes[i] >= 128));
				if (i % 2 == 0)
					codebook = reread(codebook);
				for (uint32 q = 0; q < 7; q++)
				{
					const float *vector = data.rows + (Size) (sizes[i] + q) * dim;

					misplaced += check_order(&data, codebook, vector, few, lengthof(few), 300);
					misplaced += check_order(&data, codebook, vector, all, lengthof(all), 300);
					misplaced += check_order(&data, codebook, vector, many, lengthof(many), 300);
					looked += 3 * Min(300, sizes[i]);
				}
			}
	/* a list whose bound fails moves those behind it by one place */
	CHECK(misplaced < looked / 100);
	if (getenv("VECTOR_VERBOSE"))
		printf("# %u of %u lists misplaced\n", misplaced, looked);
}

/* Codes that say nothing true: every list comes once all the same. */
static void
test_damaged_codes(void)
{
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 40, 1000, 30, 3);
	static const uint8 fills[] = {0x00, 0xFF, 0x7F, 0x80, 0x41};

	for (int i = 0; i < lengthof(fills); i++)
	{
		ElacCodebook *codebook = make_codebook(&data, 900);
		ElacVectorQuery *query;
		const ElacVectorLists *lists;
		uint8	   *seen = palloc0(900);

		memset(codebook->cuts[1].codes, fills[i], elac_codebook_code_bytes(codebook->padded, 900));
		query = elac_vector_query_begin(codebook, data.rows + 950 * 40, 1.9);
		lists = elac_vector_query_ensure(query, 1, 10);
		CHECK(lists->n >= 10);
		lists = elac_vector_query_ensure(query, 1, 100);
		CHECK(lists->n >= 100);
		lists = elac_vector_query_ensure(query, 1, 900);
		CHECK_EQ(lists->n, 900);
		for (uint32 j = 0; j < 900; j++)
		{
			CHECK(lists->order[j] < 900 && !seen[lists->order[j]]);
			seen[lists->order[j]] = 1;
		}
	}
}

/* Equal centroids, and components whose squares overflow. */
static void
test_degenerate(void)
{
	for (int kind = 0; kind < 3; kind++)
	{
		FixtureData data = fixture_clustered(ELAC_METRIC_L2, 20, 600, 30, 3);
		ElacCodebook *codebook;
		ElacVectorQuery *query;
		uint8	   *seen = palloc0(500);
		const ElacVectorLists *lists;

		for (Size i = 0; i < (Size) data.n * data.dim; i++)
			data.rows[i] = kind == 0 ? 1 : kind == 1 ? data.rows[i] * 1e19f : data.rows[i] * 1e37f;
		codebook = make_codebook(&data, 500);
		query = elac_vector_query_begin(codebook, data.rows + 550 * 20, 1.9);
		for (uint32 n = 1; n <= 500; n = n * 3 + 1)
			CHECK(elac_vector_query_ensure(query, 1, n)->n >= n);
		lists = elac_vector_query_ensure(query, 1, 500);
		CHECK_EQ(lists->n, 500);
		for (uint32 j = 0; j < 500; j++)
		{
			CHECK(lists->order[j] < 500 && !seen[lists->order[j]] && !isnan(lists->distance[j]));
			seen[lists->order[j]] = 1;
		}
		CHECK(PGSHIM_RAISES(elac_vector_query_ensure(query, 2, 1)));
		CHECK(PGSHIM_RAISES(elac_vector_query_ensure(query, -1, 1)));
	}
}

static void
test_sort(void)
{
	ElacRng		rng;

	elac_rng_seed(&rng, 5);
	for (uint32 n = 0; n < 3000; n = n * 5 / 4 + 1)
		for (int kind = 0; kind < 4; kind++)
		{
			ElacSortItem *items = palloc((n + 1) * sizeof(ElacSortItem));
			float	   *values = palloc((n + 1) * sizeof(float));

			for (uint32 i = 0; i < n; i++)
			{
				values[i] = kind == 0 ? (float) elac_rng_below(&rng, 10) - 5 : kind == 1 ? 7 : fixture_gauss(&rng);
				if (kind == 3 && i % 3 == 0)
					values[i] = i % 2 == 0 ? NAN : i % 5 == 0 ? -INFINITY : INFINITY;
				items[i] = elac_sort_item(values[i], i);
			}
			elac_sort_items(items, n);
			for (uint32 i = 1; i < n; i++)
			{
				uint32		a = elac_sort_payload(items[i - 1]);
				uint32		b = elac_sort_payload(items[i]);

				/* ascending, NaN last, equals as they came */
				CHECK(values[a] < values[b] || isnan(values[b]) || values[a] == values[b]);
				CHECK(!isnan(values[a]) || isnan(values[b]));
				CHECK(a < b || (values[a] != values[b] && !(isnan(values[a]) && isnan(values[b]))));
			}
		}
}

int
main(void)
{
	pgshim_init();
	test_sort();
	test_order();
	test_damaged_codes();
	test_degenerate();
	return check_done();
}
