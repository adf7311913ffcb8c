/*
 * test_vector_code.c
 *	  RaBitQ codes: the rotation is orthogonal, the estimator unbiased, its
 *	  bound holds at the stated rate, at every width, dimension and metric.
 *
 * VECTOR_VERBOSE=1 prints what was measured.
 */
#include "pgshim.h"

#include "vector_fixture.h"

#include "vector/rabitq_loops.h"

static bool verbose;

static void
test_rotation(void)
{
	static const int dims[] = {1, 2, 3, 15, 16, 17, 48, 100, 128, 784, 1000, 4096};
	ElacRng		rng;

	elac_rng_seed(&rng, 5);
	for (int i = 0; i < lengthof(dims); i++)
	{
		int			dim = dims[i];
		int			padded = elac_rotate_padded(dim);
		uint8	   *signs = palloc(elac_rotate_sign_bytes(padded));
		uint8	   *again = palloc(elac_rotate_sign_bytes(padded));
		float	   *x = palloc(dim * sizeof(float));
		float	   *y = palloc(dim * sizeof(float));
		float	   *rx = palloc(padded * sizeof(float));
		float	   *ry = palloc(padded * sizeof(float));
		ElacRotation rotation;
		double		norm = 0;
		double		norms[2] = {0};
		double		dot[2] = {0};

		elac_rotate_draw(99, padded, signs);
		elac_rotate_draw(99, padded, again);
		CHECK(memcmp(signs, again, elac_rotate_sign_bytes(padded)) == 0);
		elac_rotate_draw(100, padded, again);
		CHECK(memcmp(signs, again, elac_rotate_sign_bytes(padded)) != 0);
		elac_rotate_init(&rotation, padded, signs);
		for (int d = 0; d < dim; d++)
		{
			x[d] = fixture_gauss(&rng);
			y[d] = fixture_gauss(&rng);
			dot[0] += x[d] * y[d];
			norms[0] += x[d] * x[d];
			norm += y[d] * y[d];
		}
		elac_rotate(&rotation, x, dim, rx);
		elac_rotate(&rotation, y, dim, ry);
		for (int d = 0; d < padded; d++)
		{
			dot[1] += rx[d] * ry[d];
			norms[1] += rx[d] * rx[d];
		}
		CHECK(fabs(norms[0] - norms[1]) < 1e-5 * norms[0]);
		CHECK(fabs(dot[0] - dot[1]) < 1e-5 * sqrt(norms[0] * norm));
	}
}

/* Mean cosine between residual and code, against what the papers report. */
static void
test_cosines(void)
{
	static const double wanted[9] = {0, .797, .936, .980, .9935, .9979, .9993, .9998, .99993};
	ElacRng		rng;

	elac_rng_seed(&rng, 6);
	for (int bits = 1; bits <= 8; bits++)
	{
		int			n = 768;
		float		r[768];
		float		zero[768] = {0};
		ElacRabitq	code;
		double		mean = 0;

		elac_rabitq_init(&code, ELAC_METRIC_L2, n, bits);
		for (int run = 0; run < 50; run++)
		{
			double		rx = 0;
			double		rr = 0;
			double		xx = 0;

			for (int d = 0; d < n; d++)
				r[d] = fixture_gauss(&rng);
			elac_rabitq_encode(&code, r, zero);
			for (int d = 0; d < n; d++)
			{
				double		x = code.bits[d] * (double) (1 << (bits - 1)) + code.ex[d] - ((1 << bits) - 1) / 2.0;

				rx += r[d] * x;
				rr += r[d] * r[d];
				xx += x * x;
			}
			mean += rx / sqrt(rr * xx) / 50;
		}
		if (verbose)
			printf("# bits %d: mean cosine %.6f\n", bits, mean);
		CHECK(mean > wanted[bits]);
	}
}

typedef struct Moments
{
	uint64		n;
	double		sum;
	double		square;
	uint64		above;			/* true distance below the lower bound */
	uint64		below_estimate;
} Moments;

/*
 * Scores all rows of a section for some queries and compares with the truth.
 * The error of a candidate is measured in units of (estimate - lower) / epsilon.
 */
static Moments
measure(FixtureSection *section, const FixtureData *queries, double epsilon)
{
	Moments		m = {0};

	for (uint32 q = 0; q < queries->n; q++)
	{
		const float *query = queries->rows + (Size) q * queries->dim;
		uint32		n;
		uint64		scored;
		ElacVectorCandidate *found = fixture_search(section, query, epsilon, UINT32_MAX, section->ndocs, NULL, &n, &scored);

		CHECK_EQ(n, section->ndocs);
		CHECK_EQ(scored, section->ndocs);
		for (uint32 i = 0; i < n; i++)
		{
			const float *row = section->data->rows + (Size) section->row[found[i].doc] * queries->dim;
			double		truth = fixture_distance(queries->metric, query, row, queries->dim);
			double		z = (found[i].estimate - truth) / ((found[i].estimate - found[i].lower) / epsilon);

			CHECK(found[i].source == 7);
			if (i > 0)
				CHECK(found[i].lower >= found[i - 1].lower);
			m.n++;
			m.sum += z;
			m.square += z * z;
			m.above += found[i].lower > truth;
		}
		pfree(found);
	}
	return m;
}

static void
test_estimator(void)
{
	static const int dims[] = {17, 100, 128, 784};
	static const int widths[] = {1, 2, 4, 8};
	static const double epsilons[] = {1.9, 3};
	uint64		total[2] = {0};
	uint64		above[2] = {0};

	for (int metric = ELAC_METRIC_L2; metric <= ELAC_METRIC_COSINE; metric++)
		for (int i = 0; i < lengthof(dims); i++)
		{
			uint32		nrows = 600;
			FixtureData data = fixture_clustered(metric, dims[i], nrows, 8, 10 + i);
			FixtureData queries = fixture_clustered(metric, dims[i], 40, 8, 10 + i);
			ElacCodebook *codebook = fixture_train(&data, 3000);

			/* other points of the same clusters: the first 40 rows are not queries */
			queries.rows = data.rows + (Size) (nrows - 40) * dims[i];
			data.n = nrows - 40;
			for (int j = 0; j < lengthof(widths); j++)
			{
				FixtureSection section = fixture_write(&data, codebook, widths[j], 0, data.n, 0, 0);

				for (int k = 0; k < lengthof(epsilons); k++)
				{
					Moments		m = measure(&section, &queries, epsilons[k]);
					double		mean = m.sum / m.n;
					double		sigma = sqrt(m.square / m.n - mean * mean);
					double		rate = (double) m.above / m.n;

					if (verbose)
						printf("# metric %d dim %d bits %d epsilon %.1f: mean %.4f sigma %.4f above the bound %.4f\n",
							   metric, dims[i], widths[j], epsilons[k], mean, sigma, rate);
					CHECK(fabs(mean) < 0.08);
					CHECK(sigma < 1.15);
					CHECK(rate < (k == 0 ? 0.045 : 0.006));
					total[k] += m.n;
					above[k] += m.above;
				}
			}
		}
	if (verbose)
		printf("# all: %.4f beyond 1.9, %.5f beyond 3\n", (double) above[0] / total[0], (double) above[1] / total[1]);
	CHECK((double) above[0] / total[0] < 0.035);
	CHECK((double) above[1] / total[1] < 0.003);
}

/* Every width and many dimensions: estimates get closer to the truth with bits. */
static void
test_widths(void)
{
	static const int dims[] = {1, 2, 3, 15, 16, 17, 100, 128, 784, 1000, 4096};

	for (int i = 0; i < lengthof(dims); i++)
		for (int metric = ELAC_METRIC_L2; metric <= ELAC_METRIC_COSINE; metric++)
		{
			int			dim = dims[i];
			FixtureData data = fixture_clustered(metric, dim, 70, 3, 20 + i);
			ElacCodebook *codebook = fixture_train(&data, data.n);
			double		previous = INFINITY;

			for (int bits = 1; bits <= 8; bits++)
			{
				FixtureSection section = fixture_write(&data, codebook, bits, 0, data.n, 1, 1);
				double		square = 0;
				double		spread = 0;
				uint32		n;
				const float *query = data.rows + (Size) 3 * dim;
				ElacVectorCandidate *found = fixture_search(&section, query, 1.9, 1, 100, NULL, &n, NULL);

				CHECK_EQ(n, data.n);
				elac_vector_verify(section.reader);
				for (uint32 c = 0; c < n; c++)
				{
					const float *row = data.rows + (Size) section.row[found[c].doc] * dim;
					double		truth = fixture_distance(metric, query, row, dim);

					CHECK(isfinite(found[c].estimate) && isfinite(found[c].lower));
					square += (found[c].estimate - truth) * (found[c].estimate - truth) / n;
					spread += truth * truth / n;
				}

				/*
				 * a bit halves the error, until floats end; few dimensions
				 * scatter, or are exact but for the 8 bits of the tables
				 */
				CHECK(sqrt(square) < Max((dim < 15 ? 1.1 : 0.8) * previous, (dim < 15 ? 2e-3 : 2e-5) * sqrt(spread)));
				previous = sqrt(square);
				if (verbose && metric == ELAC_METRIC_L2)
					printf("# dim %d bits %d: relative error %.6f\n", dim, bits, previous / sqrt(spread));
			}
		}
}

/* Data that has no direction, or too much length. */
static void
test_degenerate(void)
{
	int			dim = 20;

	for (int metric = ELAC_METRIC_L2; metric <= ELAC_METRIC_COSINE; metric++)
		for (int kind = 0; kind < 6; kind++)
			for (int bits = 1; bits <= 8; bits += 3)
			{
				FixtureData data = fixture_clustered(metric, dim, 50, 3, 3);
				ElacCodebook *codebook;
				FixtureSection section;
				ElacVectorCandidate *found;
				uint32		n;

				for (Size i = 0; i < (Size) data.n * dim; i++)
				{
					float	   *x = &data.rows[i];

					if (kind == 0)
						*x = 0.25f;
					else if (kind == 1)
						*x = 0;
					else if (kind == 2)
						*x = i % dim == 0 ? 1 : 0;
					else if (kind == 3)
						*x *= 1e-30f;
					else if (kind == 4)
						*x *= 1e19f;
					else
						*x *= 1e38f;
				}
				codebook = fixture_train(&data, data.n);
				section = fixture_write(&data, codebook, bits, 0, data.n, 0, 0);
				elac_vector_verify(section.reader);
				for (int q = 0; q < 3; q++)
				{
					found = fixture_search(&section, data.rows + (Size) q * dim, 1.9, 1, 60, NULL, &n, NULL);
					CHECK_EQ(n, data.n);
					for (uint32 i = 0; i < n; i++)
					{
						CHECK(isfinite(found[i].estimate) && isfinite(found[i].lower));
						if (kind < 3)
						{
							double		truth = fixture_distance(metric, data.rows, data.rows, dim);

							CHECK(fabs(found[i].estimate - truth) < 1e-4);
						}
					}
				}
			}
}

/* Tables of all kernels give the same answer. */
static void
test_kernels(void)
{
	static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
	FixtureData data = fixture_clustered(ELAC_METRIC_L2, 200, 64, 4, 77);
	ElacCodebook *codebook = fixture_train(&data, data.n);
	FixtureSection section = fixture_write(&data, codebook, 5, 0, data.n, 0, 0);
	const ElacKernels *scalar = elac_kernels_by_name("scalar");
	ElacVectorQuery *query = elac_vector_query_begin(codebook, data.rows, 3);
	const uint8 *block = elac_vector_load_block(section.reader, 0);
	uint32		wanted[32];

	CHECK(scalar != NULL);
	scalar->fastscan32(block, query->lut, codebook->padded / 8, wanted);
	for (int i = 0; i < lengthof(names); i++)
	{
		const ElacKernels *kernels = elac_kernels_by_name(names[i]);
		uint32		got[32];

		if (kernels == NULL)
			continue;
		kernels->fastscan32(block, query->lut, codebook->padded / 8, got);
		CHECK(memcmp(got, wanted, sizeof(got)) == 0);
		for (uint32 doc = 0; doc < 4; doc++)
		{
			const uint8 *code = section.body_bytes + elac_vector_record_offset(&section.reader->layout, doc) + 12;
			float		a = scalar->ip_packed(query->rotated, code, 4, codebook->padded);
			float		b = kernels->ip_packed(query->rotated, code, 4, codebook->padded);

			CHECK(fabsf(a - b) < 1e-3f * (1 + fabsf(a)));
		}
	}
}

static void
test_prepare(void)
{
	ElacVector *vector = palloc0(offsetof(ElacVector, x) + 4 * sizeof(float));
	ElacHalfvec *half = palloc0(offsetof(ElacHalfvec, x) + 4 * sizeof(uint16));
	float		a[4];
	float		b[4];

	vector->dim = half->dim = 4;
	vector->x[0] = 3;
	vector->x[2] = 4;
	half->x[0] = 0x4200;
	half->x[2] = 0x4400;
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_L2, ELAC_ELEMENT_FLOAT, vector, a), ELAC_VECTOR_FINITE);
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_L2, ELAC_ELEMENT_HALF, half, b), ELAC_VECTOR_FINITE);
	CHECK(memcmp(a, b, sizeof(a)) == 0 && a[2] == 4);
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_COSINE, ELAC_ELEMENT_HALF, half, b), ELAC_VECTOR_FINITE);
	CHECK(fabsf(b[0] - 0.6f) < 1e-6f && fabsf(b[2] - 0.8f) < 1e-6f);
	memset(b, 0, sizeof(b));
	b[3] = 5;
	CHECK(fabs(elac_vector_distance(ELAC_METRIC_L2, a, b, 4) - sqrt(50)) < 1e-5);
	CHECK(elac_vector_distance(ELAC_METRIC_IP, a, a, 4) == -25);
	CHECK(elac_vector_distance(ELAC_METRIC_COSINE, a, a, 4) == 0);
	vector->x[0] = 1e-30f;
	vector->x[2] = 0;
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_COSINE, ELAC_ELEMENT_FLOAT, vector, a), ELAC_VECTOR_FINITE);
	CHECK(a[0] == 1);
	vector->x[0] = 3e38f;
	vector->x[1] = -3e38f;
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_COSINE, ELAC_ELEMENT_FLOAT, vector, a), ELAC_VECTOR_FINITE);
	CHECK(fabsf(a[0] - sqrtf(0.5f)) < 1e-6f);
	memset(vector->x, 0, 4 * sizeof(float));
	a[0] = 9;
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_COSINE, ELAC_ELEMENT_FLOAT, vector, a), ELAC_VECTOR_NAN);
	CHECK(a[0] == 0);
	CHECK_EQ(elac_vector_prepare(ELAC_METRIC_IP, ELAC_ELEMENT_FLOAT, vector, a), ELAC_VECTOR_FINITE);
}

/* Every processor's loops make the codes that the plain ones make, but for rounding. */
static void
test_loops(void)
{
	static const char *const names[] = {"avx2", "avx512"};
	const ElacRabitqLoops *plain = elac_rabitq_loops_by_name("scalar");
	ElacRng		rng;

	elac_rng_seed(&rng, 12);
	CHECK(plain != NULL && elac_rabitq_loops_by_name("other") == NULL && elac_rabitq_loops() != NULL);
	for (int i = 0; i < lengthof(names); i++)
	{
		const ElacRabitqLoops *loops = elac_rabitq_loops_by_name(names[i]);

		for (int n = 16; loops != NULL && n <= 4096; n *= 2)
		{
			float	   *r = palloc(n * sizeof(float));
			float	   *c = palloc(n * sizeof(float));
			float	   *magnitude[2] = {palloc(n * sizeof(float)), palloc(n * sizeof(float))};
			uint8	   *bits[2] = {palloc(n), palloc(n)};
			uint32	   *ex[2] = {palloc(n * sizeof(uint32)), palloc(n * sizeof(uint32))};
			ElacRabitqSums sums[2];
			double		tries[2][2];

			for (int d = 0; d < n; d++)
			{
				r[d] = d % 5 == 0 ? 0 : fixture_gauss(&rng);
				c[d] = fixture_gauss(&rng);
			}
			for (int side = 0; side < 2; side++)
			{
				const ElacRabitqLoops *one = side == 0 ? plain : loops;

				one->measure(r, c, n, bits[side], magnitude[side], &sums[side]);
				one->try_step(magnitude[side], n, 3.7f, 7, &tries[side][0], &tries[side][1]);
				one->quantise(magnitude[side], n, 3.7f, 7, ex[side]);
			}
			CHECK(memcmp(bits[0], bits[1], n) == 0);
			CHECK(memcmp(magnitude[0], magnitude[1], n * sizeof(float)) == 0);
			CHECK(memcmp(ex[0], ex[1], n * sizeof(uint32)) == 0);
			CHECK(fabs(tries[0][0] - tries[1][0]) <= 1e-5 * tries[0][0]);
			CHECK(fabs(tries[0][1] - tries[1][1]) <= 1e-5 * tries[0][1]);
			CHECK(fabs(sums[0].rr - sums[1].rr) <= 1e-12 * n && fabs(sums[0].rc - sums[1].rc) <= 1e-12 * n);
			for (int d = 0; d < n; d++)
			{
				CHECK_EQ(bits[0][d], r[d] > 0);
				CHECK(magnitude[0][d] == fabsf(r[d]));
				CHECK_EQ(ex[0][d], (uint32) Min(floorf(fabsf(r[d]) * 3.7f), 7));
			}
			plain->finish(magnitude[0], c, bits[0], n, 7, ex[0], &sums[0]);
			loops->finish(magnitude[1], c, bits[1], n, 7, ex[1], &sums[1]);
			CHECK(memcmp(ex[0], ex[1], n * sizeof(uint32)) == 0);
			CHECK(fabs(sums[0].rx - sums[1].rx) <= 1e-12 * n * 8 && fabs(sums[0].cx - sums[1].cx) <= 1e-12 * n * 8);
			CHECK(sums[0].xx == sums[1].xx);
		}
	}
}

int
main(void)
{
	pgshim_init();
	verbose = getenv("VECTOR_VERBOSE") != NULL;
	test_rotation();
	test_cosines();
	test_estimator();
	test_widths();
	test_degenerate();
	test_kernels();
	test_loops();
	test_prepare();
	return check_done();
}
