/*
 * test_vector_recall.c
 *	  Recall of scan and exact re-ranking against exhaustive search.
 *
 * Always on synthetic clusters.  With ELAC_DATA=folder also on base.fvecs and
 * query.fvecs there (or docs.fvecs and queries.fvecs): ELAC_METRIC=l2|ip|cosine,
 * ELAC_ROWS and ELAC_QUERIES limit, ELAC_BITS=1..8; prints recall at several
 * numbers of probes with times, and fails below .95 for a scan of all lists.
 */
#include "pgshim.h"

#include <limits.h>
#include <time.h>

#include "vector_fixture.h"

#define TOP 10

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

typedef struct Neighbour
{
	double		distance;
	uint32		row;
} Neighbour;

static int
neighbour_compare(const void *a, const void *b)
{
	const Neighbour *x = a;
	const Neighbour *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static double
float_distance(const FixtureData *data, const float *query, uint32 row)
{
	const float *x = data->rows + (Size) row * data->dim;

	if (data->metric == ELAC_METRIC_L2)
		return elac_kernels()->l2sq_f32(query, x, data->dim);
	return -elac_kernels()->ip_f32(query, x, data->dim);
}

/* Exact TOP for a query. */
static void
exact(const FixtureData *data, const float *query, Neighbour *best)
{
	Neighbour  *all = palloc(data->n * sizeof(Neighbour));

	for (uint32 row = 0; row < data->n; row++)
	{
		all[row].row = row;
		all[row].distance = float_distance(data, query, row);
	}
	qsort(all, data->n, sizeof(Neighbour), neighbour_compare);
	memcpy(best, all, TOP * sizeof(Neighbour));
	pfree(all);
}

/* Rows found after re-ranking candidates exactly that are as near as the TOPth. */
static int
hits(FixtureSection *section, const float *query, ElacVectorCandidate *found, uint32 n, const Neighbour *truth)
{
	Neighbour  *ranked = palloc(Max(n, 1) * sizeof(Neighbour));
	int			good = 0;

	for (uint32 i = 0; i < n; i++)
	{
		ranked[i].row = section->row[found[i].doc];
		ranked[i].distance = float_distance(section->data, query, ranked[i].row);
	}
	qsort(ranked, n, sizeof(Neighbour), neighbour_compare);
	for (uint32 i = 0; i < Min(n, TOP); i++)
		good += ranked[i].distance <= truth[TOP - 1].distance;
	pfree(ranked);
	return good;
}

static double
recall(FixtureSection *section, const FixtureData *queries, const Neighbour *truth, uint32 nprobe, uint32 capacity,
	   double epsilon, double *micros, double *scanned)
{
	uint64		good = 0;
	uint64		scored_all = 0;
	double		time = 0;

	for (uint32 q = 0; q < queries->n; q++)
	{
		const float *query = queries->rows + (Size) q * queries->dim;
		uint32		n;
		uint64		scored;
		double		start = seconds();
		ElacVectorCandidate *found = fixture_search(section, query, epsilon, nprobe, capacity, NULL, &n, &scored);

		time += seconds() - start;
		scored_all += scored;
		good += hits(section, query, found, n, truth + (Size) q * TOP);
	}
	*micros = time / queries->n * 1e6;
	*scanned = (double) scored_all / queries->n;
	return (double) good / queries->n / TOP;
}

static Neighbour *
truths(const FixtureData *data, const FixtureData *queries)
{
	Neighbour  *truth = palloc_extended((Size) queries->n * TOP * sizeof(Neighbour), MCXT_ALLOC_HUGE);

	for (uint32 q = 0; q < queries->n; q++)
		exact(data, queries->rows + (Size) q * queries->dim, truth + (Size) q * TOP);
	return truth;
}

static void
test_synthetic(void)
{
	for (int metric = ELAC_METRIC_L2; metric <= ELAC_METRIC_COSINE; metric++)
		for (int bits = 1; bits <= 8; bits += 3)
		{
			FixtureData data = fixture_clustered(metric, 40, 6050, 60, 31);
			FixtureData queries = data;
			ElacCodebook *codebook;
			FixtureSection section;
			Neighbour  *truth;
			double		micros;
			double		scanned;
			double		all;
			double		some;

			data.n = 6000;
			queries.rows += (Size) data.n * data.dim;
			queries.n = 50;
			codebook = fixture_train(&data, data.n);
			section = fixture_write(&data, codebook, bits, 0, data.n, 0, 0);
			CHECK(elac_vector_nlists(section.reader) >= 24 && elac_vector_nlists(section.reader) <= 60);
			truth = truths(&data, &queries);
			all = recall(&section, &queries, truth, UINT32_MAX, bits == 1 ? 200 : 30, 1.9, &micros, &scanned);
			CHECK(scanned == data.n);
			CHECK(all > 0.97);
			some = recall(&section, &queries, truth, 12, bits == 1 ? 200 : 30, 1.9, &micros, &scanned);
			CHECK(scanned < data.n * 0.6);
			CHECK(some > 0.9);
		}
}

static FixtureData
read_fvecs(const char *folder, const char *first, const char *second, ElacMetric metric, uint32 limit)
{
	FixtureData data = {metric, 0, 0, NULL};
	char	   *path = psprintf("%s/%s", folder, first);
	FILE	   *file = fopen(path, "rb");
	int32		dim;
	long		size;

	if (file == NULL)
		file = fopen(psprintf("%s/%s", folder, second), "rb");
	if (file == NULL || fread(&dim, sizeof(dim), 1, file) != 1)
	{
		printf("# cannot read %s\n", path);
		exit(1);
	}
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	data.dim = dim;
	data.n = Min(size / (4 + 4 * dim), limit);
	data.rows = palloc_extended((Size) data.n * dim * sizeof(float), MCXT_ALLOC_HUGE);
	for (uint32 row = 0; row < data.n; row++)
	{
		float	   *x = data.rows + (Size) row * dim;

		if (fread(&dim, sizeof(dim), 1, file) != 1 || fread(x, sizeof(float), dim, file) != dim)
			exit(1);
		if (metric == ELAC_METRIC_COSINE)
			fixture_normalise(x, dim);
	}
	fclose(file);
	return data;
}

static int
env_int(const char *name, int value)
{
	const char *text = getenv(name);

	return text ? atoi(text) : value;
}

static void
test_real(const char *folder)
{
	const char *name = getenv("ELAC_METRIC") ? getenv("ELAC_METRIC") : "l2";
	ElacMetric	metric = strcmp(name, "ip") == 0 ? ELAC_METRIC_IP : strcmp(name, "cosine") == 0 ? ELAC_METRIC_COSINE : ELAC_METRIC_L2;
	FixtureData data = read_fvecs(folder, "base.fvecs", "docs.fvecs", metric, env_int("ELAC_ROWS", INT_MAX));
	FixtureData queries = read_fvecs(folder, "query.fvecs", "queries.fvecs", metric, env_int("ELAC_QUERIES", 200));
	int			bits = env_int("ELAC_BITS", 4);
	FixtureData sample = data;
	double		start = seconds();
	ElacCodebook *codebook;
	FixtureSection section;
	Neighbour  *truth;
	uint32		longest = 0;
	double		micros;
	double		scanned;
	double		result = 0;

	/* every nth row, as a sample of a heap would be */
	sample.n = Min(elac_codebook_sample_wanted(data.n), data.n);
	sample.rows = palloc_extended((Size) sample.n * data.dim * sizeof(float), MCXT_ALLOC_HUGE);
	for (Size i = 0; i < sample.n; i++)
		memcpy(sample.rows + i * data.dim, data.rows + (i * data.n / sample.n) * data.dim, data.dim * sizeof(float));
	codebook = fixture_train(&sample, data.n);
	printf("# %u x %d, %d cuts, %u leaves, trained on %u in %.2f s", data.n, data.dim, elac_codebook_ncuts(codebook),
		   elac_codebook_nlists(codebook, elac_codebook_ncuts(codebook) - 1), sample.n, seconds() - start);
	start = seconds();
	section = fixture_write(&data, codebook, bits, 0, data.n, 0, 0);
	for (uint32 list = 0; list < elac_vector_nlists(section.reader); list++)
	{
		ElacDoc		first;
		ElacDoc		last;

		elac_vector_list_range(section.reader, list, &first, &last);
		longest = Max(longest, last - first);
	}
	printf(", assigned and written in %.2f s, cut %d with %u lists, longest %u, %.0f bytes a row\n", seconds() - start,
		   elac_vector_cut(section.reader), elac_vector_nlists(section.reader), longest,
		   (double) (section.head_len + section.body_len) / data.n);
	truth = truths(&data, &queries);
	for (uint32 nprobe = 1; nprobe / 2 < elac_vector_nlists(section.reader); nprobe *= 2)
	{
		double		wide;
		double		ignored;

		result = recall(&section, &queries, truth, nprobe, bits == 1 ? 100 : 20, 1.9, &micros, &scanned);
		wide = recall(&section, &queries, truth, nprobe, bits == 1 ? 200 : 40, 3, &ignored, &scanned);
		printf("# probes %u: recall %.4f (%.4f with a wider heap and bound), %.0f documents scanned, %.0f us\n", nprobe, result,
			   wide, scanned, micros);
	}
	CHECK(result > 0.95);
}

int
main(void)
{
	pgshim_init();
	test_synthetic();
	if (getenv("ELAC_DATA"))
		test_real(getenv("ELAC_DATA"));
	return check_done();
}
