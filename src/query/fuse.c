/*
 * fuse.c
 *	  Ranked lists made one: reciprocal ranks, or sums of normalised
 *	  similarities.
 *
 * Pure functions of numbers.  Reciprocal rank fusion is that of Cormack,
 * Clarke and Buettcher (2009); DBSF is the distribution-based score fusion of
 * Mazzeschi: mean and three standard deviations.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#include "query/fuse.h"

/* How a leg's similarities become shares: (similarity - base) * factor. */
typedef struct FuseScale
{
	double		base;
	double		factor;
	double		flat;			/* the share of all rows when they do not differ */
	bool		is_flat;
} FuseScale;

bool
elac_fuse_method(const char *name, ElacFuseMethod *method)
{
	static const struct
	{
		const char *name;
		ElacFuseMethod method;
	}			methods[] =
	{
		{"max", ELAC_FUSE_MAX},
		{"minmax", ELAC_FUSE_MINMAX},
		{"zscore", ELAC_FUSE_ZSCORE},
		{"dbsf", ELAC_FUSE_DBSF}
	};

	for (int i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(name, methods[i].name) == 0)
		{
			*method = methods[i].method;
			return true;
		}
	}
	return false;
}

const char *
elac_fuse_weight_fault(double weight)
{
	if (isnan(weight) || isinf(weight))
		return "not finite";
	return weight < 0 ? "below zero" : NULL;
}

double
elac_fuse_similarity(ElacFuseValue kind, double value)
{
	switch (kind)
	{
		case ELAC_FUSE_COSINE:
			return 1.0 - value;
		case ELAC_FUSE_L2:
			return 1.0 / (1.0 + value);
		case ELAC_FUSE_SCORE:
		case ELAC_FUSE_PRODUCT:
			break;
	}
	return -value;
}

/* The leg's similarities: least, greatest, mean, standard deviation of all (not a sample's). */
typedef struct FuseMoments
{
	double		min;
	double		max;
	double		mean;
	double		deviation;
} FuseMoments;

static bool
fuse_moments(const ElacFuse *fuse, const ElacFuseRows *rows, int leg, FuseMoments *moments)
{
	ElacFuseValue kind = fuse->legs[leg].value;
	uint32		n = 0;
	double		squares = 0;

	memset(moments, 0, sizeof(FuseMoments));
	for (uint32 i = 0; i < rows->n; i++)
	{
		size_t		at = (size_t) i * fuse->nlegs + leg;
		double		similarity;
		double		delta;

		if (rows->ranks[at] == 0)
			continue;
		similarity = elac_fuse_similarity(kind, rows->values[at]);
		moments->min = n == 0 ? similarity : Min(moments->min, similarity);
		moments->max = n == 0 ? similarity : Max(moments->max, similarity);
		/* Welford: sums of squares would lose what near values differ by */
		n++;
		delta = similarity - moments->mean;
		moments->mean += delta / n;
		squares += delta * (similarity - moments->mean);
	}
	if (n > 0)
		moments->deviation = sqrt(squares / n);
	return n > 0;
}

/*
 * Shares are never below 0, and 0 is the lowest: a row that the leg does not
 * rank has it, and is not put before one that it does.  For z-scores this
 * moves all by the same constant, which changes no order.
 */
static FuseScale
fuse_scale(ElacFuseMethod method, const FuseMoments *moments)
{
	FuseScale	scale = {0};
	double		range = 0;

	switch (method)
	{
		case ELAC_FUSE_MAX:
			range = moments->max;
			break;
		case ELAC_FUSE_MINMAX:
			scale.base = moments->min;
			range = moments->max - moments->min;
			scale.flat = 1.0;
			break;
		case ELAC_FUSE_ZSCORE:
			scale.base = moments->min;
			range = moments->max > moments->min ? moments->deviation : 0;
			break;
		case ELAC_FUSE_DBSF:
			scale.base = moments->mean - 3 * moments->deviation;
			range = moments->max > moments->min ? 6 * moments->deviation : 0;
			scale.flat = 0.5;
			break;
		case ELAC_FUSE_RRF:
			break;
	}
	scale.factor = 1.0 / range;
	scale.is_flat = !(range > 0) || isinf(scale.factor);
	return scale;
}

static void
fuse_add_linear(const ElacFuse *fuse, ElacFuseRows *rows, int leg)
{
	FuseMoments moments;
	FuseScale	scale;

	if (!fuse_moments(fuse, rows, leg, &moments))
		return;
	scale = fuse_scale(fuse->method, &moments);
	for (uint32 i = 0; i < rows->n; i++)
	{
		size_t		at = (size_t) i * fuse->nlegs + leg;
		double		share;

		if (rows->ranks[at] == 0)
			continue;
		share = scale.is_flat ? scale.flat :
			(elac_fuse_similarity(fuse->legs[leg].value, rows->values[at]) - scale.base) * scale.factor;
		share = Max(share, 0);
		if (fuse->method != ELAC_FUSE_ZSCORE)
			share = Min(share, 1);
		rows->scores[i] += fuse->legs[leg].weight * share;
	}
}

static void
fuse_add_reciprocal(const ElacFuse *fuse, ElacFuseRows *rows, int leg)
{
	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32		rank = rows->ranks[(size_t) i * fuse->nlegs + leg];

		if (rank > 0)
			rows->scores[i] += fuse->legs[leg].weight / ((double) fuse->k + rank);
	}
}

typedef struct FuseOrder
{
	const ElacFuseRows *rows;
	int			nlegs;
} FuseOrder;

static int
fuse_compare(const void *a, const void *b, void *arg)
{
	const FuseOrder *order = (const FuseOrder *) arg;
	const ElacFuseRows *rows = order->rows;
	size_t		left = *(const uint32 *) a;
	size_t		right = *(const uint32 *) b;

	if (rows->scores[left] != rows->scores[right])
		return rows->scores[left] > rows->scores[right] ? -1 : 1;
	for (int leg = 0; leg < order->nlegs; leg++)
	{
		/* no rank, 0, becomes the greatest */
		uint32		left_rank = rows->ranks[left * order->nlegs + leg] - 1;
		uint32		right_rank = rows->ranks[right * order->nlegs + leg] - 1;

		if (left_rank != right_rank)
			return left_rank < right_rank ? -1 : 1;
	}
	for (int i = 0; i < 2; i++)
	{
		uint64		left_place = rows->places[left * 2 + i];
		uint64		right_place = rows->places[right * 2 + i];

		if (left_place != right_place)
			return left_place < right_place ? -1 : 1;
	}
	return 0;
}

void
elac_fuse_rows(const ElacFuse *fuse, ElacFuseRows *rows)
{
	FuseOrder	order = {rows, fuse->nlegs};

	memset(rows->scores, 0, sizeof(double) * rows->n);
	for (int leg = 0; leg < fuse->nlegs; leg++)
	{
		CHECK_FOR_INTERRUPTS();
		if (fuse->method == ELAC_FUSE_RRF)
			fuse_add_reciprocal(fuse, rows, leg);
		else
			fuse_add_linear(fuse, rows, leg);
	}
	for (uint32 i = 0; i < rows->n; i++)
	{
		/* weights may be as large as a double: what overflows is as good as it gets */
		if (isinf(rows->scores[i]))
			rows->scores[i] = DBL_MAX;
		rows->order[i] = i;
	}
	qsort_arg(rows->order, rows->n, sizeof(uint32), fuse_compare, &order);
}
