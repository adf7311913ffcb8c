/*
 * object_s3.h
 *	  The driver of stores of type 's3': any server that speaks Amazon's S3
 *	  protocol.
 */
#ifndef ELAC_OBJECT_S3_H
#define ELAC_OBJECT_S3_H

#include "storage/object.h"

extern const ElacStoreDriver elac_object_s3_driver;

#endif							/* ELAC_OBJECT_S3_H */
