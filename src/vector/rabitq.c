/*
 * rabitq.c
 *	  The encoder.  Knows nothing of lists, blocks or pages.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "vector/rabitq.h"
#include "vector/rabitq_loops.h"

/*
 * Quantiser steps for ex = 1..7 that maximise the expected cosine between a
 * residual with Gaussian components of standard deviation 1/sqrt(P), which is
 * what a rotated vector looks like, and its code; found by numeric
 * integration.  The best step of a particular vector lies near: it is searched
 * among a few multiples, which costs a small part of the exact sweep over all
 * steps at which some component changes, and loses less than 1e-4 of cosine.
 */
static const double elac_rabitq_step[8] = {0, 1.0033, 1.7067, 2.9867, 5.3067, 9.6, 17.6, 32.4267};

static const double elac_rabitq_multiples[] = {1.0, 0.92, 1.08, 0.84, 1.17, 0.76, 1.27};

void
elac_rabitq_init(ElacRabitq *code, ElacMetric metric, int padded, int bits)
{
	code->metric = metric;
	code->padded = padded;
	code->ex_bits = bits - 1;
	code->bits = palloc(padded);
	code->ex = palloc0(padded * sizeof(uint32));	/* stays so without ex bits */
	code->magnitude = palloc(padded * sizeof(float));
	memset(&code->one, 0, sizeof(code->one));
	memset(&code->full, 0, sizeof(code->full));
}

void
elac_rabitq_free(ElacRabitq *code)
{
	pfree(code->bits);
	pfree(code->ex);
	pfree(code->magnitude);
}

/* Chooses ex codes of the magnitudes (before signs are applied). */
static void
elac_rabitq_quantise(ElacRabitq *code, double norm)
{
	const ElacRabitqLoops *loops = elac_rabitq_loops();
	int			n = code->padded;
	float		limit = (float) ((1 << code->ex_bits) - 1);
	double		base = elac_rabitq_step[code->ex_bits] * sqrt((double) n) / norm;
	double		best = -1;
	float		best_step = 0;
	int			ntries = n <= 128 ? lengthof(elac_rabitq_multiples) : 5;

	for (int i = 0; i < ntries; i++)
	{
		float		step = (float) (base * elac_rabitq_multiples[i]);
		double		dot;
		double		square;

		loops->try_step(code->magnitude, n, step, limit, &dot, &square);
		if (dot / sqrt(square) > best)
		{
			best = dot / sqrt(square);
			best_step = step;
		}
	}
	loops->quantise(code->magnitude, n, best_step, limit, code->ex);
}

/*
 * Factors from the inner products <r,x>, <c,x>, |x|^2.  False when one of them
 * does not fit a float.
 */
static bool
elac_rabitq_factors(const ElacRabitq *code, double rr, double rc, double rx, double cx, double xx,
					ElacRabitqFactors *out)
{
	double		s;
	double		tangent;
	double		error;

	if (rr == 0 || rx <= 0)
	{
		/* the document is its centroid: the estimate is exact */
		out->add = (code->metric == ELAC_METRIC_L2) ? (float) rr : (float) -rc;
		out->rescale = 0;
		out->error = 0;
		return isfinite(out->add);
	}
	s = rr / rx;
	tangent = Max(rr * xx / (rx * rx) - 1, 0);	/* of the angle between r and x, squared */
	error = sqrt(rr) * sqrt(tangent / (code->padded - 1));
	if (code->metric == ELAC_METRIC_L2)
	{
		out->add = (float) (rr + 2 * s * cx);
		out->rescale = (float) (-2 * s);
		out->error = (float) (2 * error);
	}
	else
	{
		out->add = (float) (-rc + s * cx);
		out->rescale = (float) -s;
		out->error = (float) error;
	}
	return isfinite(out->add) && isfinite(out->rescale) && isfinite(out->error);
}

/* A code that claims nothing, so that the row is always looked at exactly. */
static void
elac_rabitq_give_up(ElacRabitq *code)
{
	static const ElacRabitqFactors nothing = {0, 0, ELAC_RABITQ_UNKNOWN};

	memset(code->bits, 0, code->padded);
	memset(code->ex, 0, code->padded * sizeof(uint32));
	code->one = nothing;
	if (code->ex_bits > 0)
		code->full = nothing;
}

void
elac_rabitq_encode(ElacRabitq *code, const float *residual, const float *centroid)
{
	const ElacRabitqLoops *loops = elac_rabitq_loops();
	int			n = code->padded;
	ElacRabitqSums sums;
	bool		good;

	loops->measure(residual, centroid, n, code->bits, code->magnitude, &sums);
	if (!isfinite(sums.rr) || !isfinite(sums.rc) || sums.rr > FLT_MAX / 4)
	{
		elac_rabitq_give_up(code);
		return;
	}

	/* below this the steps of the quantiser leave the range of floats */
	if (sums.rr < 1e-60)
		sums.rr = 0;

	/* x is +-1/2 */
	good = elac_rabitq_factors(code, sums.rr, sums.rc, sums.rx, sums.cx, n / 4.0, &code->one);
	if (good && code->ex_bits > 0)
	{
		double		rr = sums.rr;
		double		rc = sums.rc;

		if (rr > 0)
			elac_rabitq_quantise(code, sqrt(rr));
		else
			memset(code->ex, 0, n * sizeof(uint32));
		loops->finish(code->magnitude, centroid, code->bits, n, (1u << code->ex_bits) - 1, code->ex, &sums);
		good = elac_rabitq_factors(code, rr, rc, sums.rx, sums.cx, sums.xx, &code->full);
	}
	if (!good)
		elac_rabitq_give_up(code);
}
