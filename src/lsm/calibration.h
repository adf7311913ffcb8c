/*
 * calibration.h
 *	  How far a vector query has to look: what calibration found, as the
 *	  manifest keeps it.  Made and used by query/ (calibrate.c, patience.c).
 */
#ifndef ELAC_CALIBRATION_H
#define ELAC_CALIBRATION_H

#include "elacsym.h"

#include "utils/rel.h"

#define ELAC_CALIBRATION_POINTS 8
#define ELAC_CALIBRATION_CURVES 3

/* The recalls that curves have points for, ascending: .7 .8 .9 .95 .98 .99 .998 1 */
extern const float elac_calibration_recalls[ELAC_CALIBRATION_POINTS];

/* For queries whose filter lets `rows` rows pass. */
typedef struct ElacCalibrationCurve
{
	float		rows;
	uint32		queries;		/* measured */
	float		patience[ELAC_CALIBRATION_POINTS];	/* documents scanned without finding anything, beyond
													 * the share of those scanned before (query/patience.h) */
	float		scanned[ELAC_CALIBRATION_POINTS];	/* documents scanned then, on average */
} ElacCalibrationCurve;

typedef struct ElacCalibration
{
	uint64		codebook;		/* blob id of the codebook it was made with; 0: there is none */
	uint64		rows;			/* live finite rows of the segments then */
	uint64		seen;			/* queries that the sample of queries was taken from; 0: rows served as queries */
	float		codes_recall;	/* share of the true nearest rows that are among the best by codes alone */
	uint32		ncurves;		/* by rows, descending: all, a tenth, a hundredth */
	ElacCalibrationCurve curves[ELAC_CALIBRATION_CURVES];
} ElacCalibration;

StaticAssertDecl(sizeof(ElacCalibrationCurve) == 72, "ElacCalibrationCurve is stored");
StaticAssertDecl(sizeof(ElacCalibration) == 248, "ElacCalibration is stored");

/* NULL when the record makes sense; else a static reason. */
extern const char *elac_calibration_fault(const ElacCalibration *calibration);

/*
 * Writes the record into the manifest unless the codebook has changed since;
 * the caller holds the maintenance lock.
 */
extern void elac_calibration_publish(Relation index, const ElacCalibration *calibration);

#endif							/* ELAC_CALIBRATION_H */
