/*
 * patience.c
 *	  From a calibration, a target recall, a filter and a number of rows to how
 *	  patient a scan is.  Pure.
 */
#include "postgres.h"

#include <math.h>

#include "query/patience.h"

/*
 * Rows of the index used as queries flatter: real queries lie farther from the
 * rows.  Calibrated on rows at so few of the misses, hard real queries reach the
 * target (README.md): FACTOR * misses ^ POWER, a seventh of them at .95.
 */
#define MISSES_ON_ROWS_FACTOR 0.5
#define MISSES_ON_ROWS_POWER 1.4

/* Real queries are a sample, and others miss up to half as much again (README.md). */
#define MISSES_ON_QUERIES 0.6

/*
 * The best k of many change more often than of few, so that they need less
 * patience beyond the share of what was scanned, although more is scanned in
 * the end: powers of k, measured for k = 1, 10, 30, 100 (README.md).
 */
#define POWER_OF_K (-0.35)
#define POWER_OF_K_SCANNED 0.25

/* What some thousand rows without a miss are taken for. */
#define MISSES_MIN 0.0003

/* Without a calibration: this times the root of the rows, at a miss of 1 in 20. */
#define GUESS_FACTOR 60.0

/*
 * Rows that lie in clean clusters, each a list or two, need no patience at
 * all and say nothing of queries between the clusters: calibrated on rows, a scan
 * has at least this share of the guess (README.md).
 */
#define GUESS_SHARE_ON_ROWS 0.1

/* By codes alone no more than that is sought, whatever their order loses. */
#define TARGET_BY_CODES_MAX 0.99

/* Between curves for other numbers of rows as powers of the rows. */
#define POWER_MIN 0.0
#define POWER_MAX 1.0

/*
 * Beyond the rows that were calibrated a scan is this power of the growth more
 * patient, until they are calibrated: new rows come as small segments, whose
 * lists lie less well than those that were measured.
 */
#define POWER_GROWN 1.5

typedef enum PatienceField
{
	PATIENCE_EXTRA,
	PATIENCE_SCANNED
} PatienceField;

static double
patience_guess(uint64 nallowed, double target)
{
	return GUESS_FACTOR * sqrt((double) nallowed * 0.05 / Max(1 - target, 1e-6));
}

/*
 * Value of a curve at a recall: between two points a power of the misses, as
 * what is missed falls with a power of what is scanned.
 */
static double
patience_at(const ElacCalibrationCurve *curve, PatienceField field, double recall)
{
	const float *values = field == PATIENCE_EXTRA ? curve->patience : curve->scanned;
	const float *recalls = elac_calibration_recalls;
	double		misses = Max(1 - recall, MISSES_MIN);
	double		before;
	double		after;
	int			i = 1;

	if (recall <= recalls[0])
		return values[0];
	while (i < ELAC_CALIBRATION_POINTS - 1 && recall > recalls[i])
		i++;
	before = log(Max(1 - recalls[i - 1], MISSES_MIN));
	after = log(Max(1 - recalls[i], MISSES_MIN));
	return (values[i - 1] + 1) * pow((values[i] + 1.0) / (values[i - 1] + 1.0),
									 (log(misses) - before) / (after - before)) - 1;
}

/* The same for a number of rows that pass, between two curves or beyond the last. */
static double
patience_value(const ElacCalibration *calibration, PatienceField field, double nallowed, double recall)
{
	int			last = (int) calibration->ncurves - 1;
	int			i = 0;
	double		large = patience_at(&calibration->curves[0], field, recall) + 1;
	double		small;
	double		ratio;
	double		power;

	if (last == 0)
		return large * sqrt(nallowed / calibration->curves[0].rows);
	while (i < last - 1 && nallowed < calibration->curves[i + 1].rows)
		i++;
	large = patience_at(&calibration->curves[i], field, recall) + 1;
	small = patience_at(&calibration->curves[i + 1], field, recall) + 1;
	ratio = calibration->curves[i].rows / calibration->curves[i + 1].rows;
	power = log(large / small) / log(ratio);
	power = Max(Min(power, POWER_MAX), POWER_MIN);
	if (nallowed >= calibration->curves[i + 1].rows)
		return large * pow(nallowed / calibration->curves[i].rows, power);
	return small * pow(nallowed / calibration->curves[i + 1].rows, power);
}

void
elac_patience_choose(const ElacManifest *manifest, uint64 nallowed, uint32 k, double target, ElacPatience *patience)
{
	const ElacCalibration *calibration = &manifest->calibration;
	double		rows = Max((double) nallowed, 1);
	double		misses = 1 - target;

	if (misses <= 0)
	{
		patience->extra = INFINITY;
		patience->expected = rows;
		return;
	}
	if (calibration->codebook == 0)
	{
		patience->extra = patience_guess(nallowed, target);
		patience->expected = patience->extra;
	}
	else
	{
		if (calibration->seen > 0)
			misses *= MISSES_ON_QUERIES;
		else
			misses = MISSES_ON_ROWS_FACTOR * pow(misses, MISSES_ON_ROWS_POWER);
		patience->extra = patience_value(calibration, PATIENCE_EXTRA, rows, 1 - misses);
		patience->expected = patience_value(calibration, PATIENCE_SCANNED, rows, 1 - misses);
		if (calibration->seen == 0)
			patience->extra = Max(patience->extra, GUESS_SHARE_ON_ROWS * patience_guess(nallowed, target));
		if (rows > calibration->curves[0].rows)
			patience->extra *= pow(rows / calibration->curves[0].rows, POWER_GROWN);
		patience->expected = Max(patience->expected, patience->extra);
	}
	patience->extra *= pow(Max(k, 1) / (double) ELAC_PATIENCE_ROWS, POWER_OF_K);
	patience->expected *= pow(Max(k, ELAC_PATIENCE_ROWS) / (double) ELAC_PATIENCE_ROWS, POWER_OF_K_SCANNED);
	patience->expected = Min(patience->expected, rows);
}

double
elac_patience_target_by_codes(const ElacManifest *manifest, double target)
{
	const ElacCalibration *calibration = &manifest->calibration;

	if (calibration->codebook == 0 || target >= TARGET_BY_CODES_MAX)
		return target;
	/* not more, however bad the codes are: beyond that, looking farther finds nothing */
	return Min(target / Max(calibration->codes_recall, target), TARGET_BY_CODES_MAX);
}
