/*
 * calibrate.h
 *	  Measures how far vector queries on an index have to look.
 */
#ifndef ELAC_CALIBRATE_H
#define ELAC_CALIBRATE_H

#include "elacsym.h"

#include "lsm/lsm.h"

/*
 * Calibrates the index and publishes the result (lsm/calibration.h), when that
 * is due or force asks for it.  Takes the maintenance lock.  Does nothing for an
 * index without a vector column or with few rows, and none of whose segments
 * may lie in a store: reading all codes from there would cost more than it
 * gains.  Returns the number of queries measured.
 */
extern uint32 elac_calibrate(ElacJob *job, bool force);

#endif							/* ELAC_CALIBRATE_H */
