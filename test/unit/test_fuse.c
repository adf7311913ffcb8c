/*
 * test_fuse.c
 *	  Fusion of ranked lists: scores against formulas written down anew, order
 *	  against a plain sort, and what must hold whatever the numbers.
 */
#include "pgshim.h"

#include <math.h>

#include "base/rng.h"
#include "query/fuse.h"

/* its layer is not in the library that unit tests are linked with */
#include "../../src/query/fuse.c"

#define ROWS_MAX 300
#define ROUNDS 400

typedef struct Sample
{
	ElacFuse	fuse;
	ElacFuseRows rows;
	uint32		ranks[ROWS_MAX * ELAC_FUSE_LEGS_MAX];
	double		values[ROWS_MAX * ELAC_FUSE_LEGS_MAX];
	uint64		places[ROWS_MAX * 2];
	double		scores[ROWS_MAX];
	uint32		order[ROWS_MAX];
} Sample;

static void
sample_begin(Sample *sample, ElacFuseMethod method, int nlegs, uint32 n)
{
	memset(sample, 0, sizeof(Sample));
	sample->fuse.method = method;
	sample->fuse.k = 60;
	sample->fuse.nlegs = nlegs;
	for (int i = 0; i < nlegs; i++)
		sample->fuse.legs[i].weight = 1;
	for (uint32 i = 0; i < n; i++)
		sample->places[i * 2 + 1] = i;
	sample->rows.n = n;
	sample->rows.ranks = sample->ranks;
	sample->rows.values = sample->values;
	sample->rows.places = sample->places;
	sample->rows.scores = sample->scores;
	sample->rows.order = sample->order;
}

static bool
near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

/* Small cases, worked out by hand. */
static void
test_by_hand(void)
{
	static Sample s;

	/* leg 1: rows 0, 1; leg 2: rows 2, 1 */
	sample_begin(&s, ELAC_FUSE_RRF, 2, 4);
	s.ranks[0] = 1;
	s.ranks[2] = 2;
	s.ranks[5] = 1;
	s.ranks[3] = 2;
	s.fuse.legs[1].weight = 2;
	elac_fuse_rows(&s.fuse, &s.rows);
	CHECK(near(s.scores[0], 1.0 / 61));
	CHECK(near(s.scores[1], 3.0 / 62));
	CHECK(near(s.scores[2], 2.0 / 61));
	CHECK(s.scores[3] == 0);
	CHECK_EQ(s.order[0], 1);
	CHECK_EQ(s.order[1], 2);
	CHECK_EQ(s.order[2], 0);
	CHECK_EQ(s.order[3], 3);

	/* equal scores: leg 1 decides; then the table, then the place in it */
	sample_begin(&s, ELAC_FUSE_RRF, 2, 5);
	s.ranks[0 * 2 + 1] = 1;
	s.ranks[1 * 2] = 1;
	s.places[2 * 2] = 7;
	s.places[3 * 2] = 6;
	s.places[4 * 2] = 6;
	s.places[3 * 2 + 1] = 9;
	s.places[4 * 2 + 1] = 8;
	elac_fuse_rows(&s.fuse, &s.rows);
	CHECK_EQ(s.order[0], 1);
	CHECK_EQ(s.order[1], 0);
	CHECK_EQ(s.order[2], 4);
	CHECK_EQ(s.order[3], 3);
	CHECK_EQ(s.order[4], 2);

	/* texts of score 8, 4 and 2; mean 14/3 */
	for (int method = ELAC_FUSE_MAX; method <= ELAC_FUSE_DBSF; method++)
	{
		const double mean = 14.0 / 3;
		const double deviation = sqrt(((8 - mean) * (8 - mean) + (4 - mean) * (4 - mean) + (2 - mean) * (2 - mean)) / 3);

		sample_begin(&s, method, 1, 4);
		for (int i = 0; i < 3; i++)
		{
			s.ranks[i] = i + 1;
			s.values[i] = -8.0 / (1 << i);
		}
		s.fuse.legs[0].weight = .5;
		elac_fuse_rows(&s.fuse, &s.rows);
		for (int i = 0; i < 3; i++)
		{
			double		x = 8.0 / (1 << i);

			CHECK(near(s.scores[i], .5 * (method == ELAC_FUSE_MAX ? x / 8 :
										  method == ELAC_FUSE_MINMAX ? (x - 2) / 6 :
										  method == ELAC_FUSE_ZSCORE ? (x - mean) / deviation - (2 - mean) / deviation :
										  (x - (mean - 3 * deviation)) / (6 * deviation))));
			CHECK_EQ(s.order[i], i);
		}
		CHECK(s.scores[3] == 0);
	}
}

/* Similarities of distances, and rows that are all alike. */
static void
test_similarity(void)
{
	static Sample s;
	static const double flat[] = {1, 1, 0, .5};

	CHECK(elac_fuse_similarity(ELAC_FUSE_SCORE, -3) == 3);
	CHECK(near(elac_fuse_similarity(ELAC_FUSE_COSINE, .25), .75));
	CHECK(elac_fuse_similarity(ELAC_FUSE_PRODUCT, 2) == -2);
	CHECK(near(elac_fuse_similarity(ELAC_FUSE_L2, 3), .25));
	for (int method = ELAC_FUSE_MAX; method <= ELAC_FUSE_DBSF; method++)
	{
		sample_begin(&s, method, 1, 3);
		for (int i = 0; i < 3; i++)
		{
			s.ranks[i] = i + 1;
			s.values[i] = -5;
		}
		elac_fuse_rows(&s.fuse, &s.rows);
		for (int i = 0; i < 3; i++)
			CHECK(near(s.scores[i], flat[method - ELAC_FUSE_MAX]));
	}
	/* nothing similar: cosine distances above 1 share nothing */
	sample_begin(&s, ELAC_FUSE_MAX, 1, 2);
	s.fuse.legs[0].value = ELAC_FUSE_COSINE;
	s.ranks[0] = 1;
	s.ranks[1] = 2;
	s.values[0] = 1.2;
	s.values[1] = 1.5;
	elac_fuse_rows(&s.fuse, &s.rows);
	CHECK(s.scores[0] == 0 && s.scores[1] == 0);
	s.values[0] = .5;
	elac_fuse_rows(&s.fuse, &s.rows);
	CHECK(s.scores[0] == 1 && s.scores[1] == 0);
}

static void
test_arguments(void)
{
	ElacFuseMethod method = ELAC_FUSE_RRF;

	CHECK(elac_fuse_method("max", &method) && method == ELAC_FUSE_MAX);
	CHECK(elac_fuse_method("minmax", &method) && method == ELAC_FUSE_MINMAX);
	CHECK(elac_fuse_method("zscore", &method) && method == ELAC_FUSE_ZSCORE);
	CHECK(elac_fuse_method("dbsf", &method) && method == ELAC_FUSE_DBSF);
	CHECK(!elac_fuse_method("Max", &method));
	CHECK(!elac_fuse_method("", &method));
	CHECK(elac_fuse_weight_fault(0) == NULL);
	CHECK(elac_fuse_weight_fault(1e308) == NULL);
	CHECK(elac_fuse_weight_fault(-1e-300) != NULL);
	CHECK(elac_fuse_weight_fault(NAN) != NULL);
	CHECK(elac_fuse_weight_fault(INFINITY) != NULL);
}

/* Random ranks of legs, each a permutation of some of the rows. */
static void
sample_random(Sample *s, ElacRng *rng, ElacFuseMethod method)
{
	int			nlegs = 1 + elac_rng_below(rng, ELAC_FUSE_LEGS_MAX);
	uint32		n = elac_rng_below(rng, ROWS_MAX);

	sample_begin(s, method, nlegs, n);
	s->fuse.k = 1 + elac_rng_below(rng, 100);
	for (int leg = 0; leg < nlegs; leg++)
	{
		uint32		rank = 0;
		double		value = -10;
		uint32		start = elac_rng_below(rng, ROWS_MAX);

		s->fuse.legs[leg].weight = elac_rng_below(rng, 4) / 2.0;
		s->fuse.legs[leg].value = elac_rng_below(rng, 4);
		if (s->fuse.legs[leg].value == ELAC_FUSE_COSINE || s->fuse.legs[leg].value == ELAC_FUSE_L2)
			value = 0;
		for (uint32 i = 0; i < n; i++)
		{
			uint32		row = (i * 7 + start) % n;

			if (elac_rng_below(rng, 3) == 0 || s->ranks[row * nlegs + leg] != 0)
				continue;
			s->ranks[row * nlegs + leg] = ++rank;
			s->values[row * nlegs + leg] = value;
			value += elac_rng_below(rng, 3) / 8.0;
		}
	}
}

static double
reference_share(const Sample *s, int leg, uint32 row)
{
	double		x[ROWS_MAX];
	uint32		n = 0;
	double		lo = INFINITY;
	double		hi = -INFINITY;
	double		sum = 0;
	double		squares = 0;
	double		mean;
	double		deviation;
	double		mine;
	const uint32 *rank = &s->ranks[row * s->fuse.nlegs + leg];

	if (*rank == 0)
		return 0;
	if (s->fuse.method == ELAC_FUSE_RRF)
		return 1.0 / (s->fuse.k + *rank);
	for (uint32 i = 0; i < s->rows.n; i++)
		if (s->ranks[i * s->fuse.nlegs + leg] != 0)
			x[n++] = elac_fuse_similarity(s->fuse.legs[leg].value, s->values[i * s->fuse.nlegs + leg]);
	for (uint32 i = 0; i < n; i++)
	{
		lo = fmin(lo, x[i]);
		hi = fmax(hi, x[i]);
		sum += x[i];
	}
	mean = sum / n;
	for (uint32 i = 0; i < n; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	deviation = sqrt(squares / n);
	mine = elac_fuse_similarity(s->fuse.legs[leg].value, s->values[row * s->fuse.nlegs + leg]);
	switch (s->fuse.method)
	{
		case ELAC_FUSE_MAX:
			return hi > 0 ? fmax(mine, 0) / hi : 0;
		case ELAC_FUSE_MINMAX:
			return hi > lo ? (mine - lo) / (hi - lo) : 1;
		case ELAC_FUSE_ZSCORE:
			return hi > lo ? (mine - lo) / deviation : 0;
		default:
			return hi > lo ? fmin(fmax((mine - mean + 3 * deviation) / (6 * deviation), 0), 1) : .5;
	}
}

static void
test_random(void)
{
	static Sample s;
	ElacRng		rng;

	elac_rng_seed(&rng, 11);
	for (int round = 0; round < ROUNDS; round++)
	{
		int			bad_score = 0;
		int			bad_order = 0;
		bool		seen[ROWS_MAX] = {0};

		sample_random(&s, &rng, round % 5);
		elac_fuse_rows(&s.fuse, &s.rows);
		for (uint32 row = 0; row < s.rows.n; row++)
		{
			double		score = 0;

			for (int leg = 0; leg < s.fuse.nlegs; leg++)
				score += s.fuse.legs[leg].weight * reference_share(&s, leg, row);
			bad_score += !(fabs(score - s.scores[row]) <= 1e-9 * fmax(1, score));
			seen[s.order[row]] = true;
			if (row > 0)
				bad_order += s.scores[s.order[row - 1]] < s.scores[s.order[row]];
		}
		for (uint32 row = 0; row < s.rows.n; row++)
			bad_order += !seen[row];
		CHECK_EQ(bad_score, 0);
		CHECK_EQ(bad_order, 0);
	}
}

/* Weights and values at the ends of their range give numbers, in order. */
static void
test_extremes(void)
{
	static Sample s;

	for (int method = ELAC_FUSE_RRF; method <= ELAC_FUSE_DBSF; method++)
	{
		sample_begin(&s, method, 2, 3);
		s.fuse.k = 1;
		for (int i = 0; i < 3; i++)
		{
			s.ranks[i * 2] = s.ranks[i * 2 + 1] = i + 1;
			s.values[i * 2] = -1e308 / (i + 1);
			s.values[i * 2 + 1] = -5e-324 * (3 - i);
		}
		s.fuse.legs[0].weight = s.fuse.legs[1].weight = 1.7e308;
		elac_fuse_rows(&s.fuse, &s.rows);
		for (int i = 0; i < 3; i++)
			CHECK(isfinite(s.scores[i]) && s.scores[i] >= 0);
		CHECK_EQ(s.order[0], 0);
	}
}

int
main(void)
{
	pgshim_init();
	test_by_hand();
	test_similarity();
	test_arguments();
	test_random();
	test_extremes();
	return check_done();
}
