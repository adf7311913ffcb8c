/*
 * calibration.c
 *	  The calibration record of the manifest: is it sound, and how it gets there.
 */
#include "postgres.h"

#include <math.h>

#include "lsm/calibration.h"
#include "lsm/manifest.h"

const float elac_calibration_recalls[ELAC_CALIBRATION_POINTS] =
{0.7f, 0.8f, 0.9f, 0.95f, 0.98f, 0.99f, 0.998f, 1.0f};

static bool
calibration_ascends(const float *values)
{
	for (int i = 0; i < ELAC_CALIBRATION_POINTS; i++)
	{
		if (!isfinite(values[i]) || values[i] < 0 || values[i] > 1e12f)
			return false;
		if (i > 0 && values[i] < values[i - 1])
			return false;
	}
	return true;
}

const char *
elac_calibration_fault(const ElacCalibration *calibration)
{
	static const ElacCalibration none;

	if (calibration->codebook == 0)
		return memcmp(calibration, &none, sizeof(none)) == 0 ? NULL : "a calibration belongs to no codebook";
	if (!(calibration->codes_recall >= 0 && calibration->codes_recall <= 1))
		return "the calibration's recall by codes is no share";
	if (calibration->ncurves < 1 || calibration->ncurves > ELAC_CALIBRATION_CURVES || calibration->rows == 0)
		return "the calibration has no curve";
	for (uint32 i = 0; i < calibration->ncurves; i++)
	{
		const ElacCalibrationCurve *curve = &calibration->curves[i];

		if (!isfinite(curve->rows) || curve->rows < 1 || curve->rows > 1e12f ||
			(i > 0 && curve->rows >= calibration->curves[i - 1].rows))
			return "the curves of the calibration are not in order";
		if (!calibration_ascends(curve->patience) || !calibration_ascends(curve->scanned))
			return "a curve of the calibration does not ascend";
	}
	return NULL;
}

void
elac_calibration_publish(Relation index, const ElacCalibration *calibration)
{
	ElacManifest *manifest;
	ElacManifestChange *change = elac_manifest_begin(index, &manifest);

	if (calibration->codebook != manifest->codebook.id)
	{
		elac_manifest_abort(change);
		return;
	}
	manifest->calibration = *calibration;
	manifest->generation++;
	elac_manifest_commit(change);
}
