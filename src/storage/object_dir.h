/*
 * object_dir.h
 *	  The driver of stores of type 'dir': one file for each object below a
 *	  directory of the database server.
 */
#ifndef ELAC_OBJECT_DIR_H
#define ELAC_OBJECT_DIR_H

#include "storage/object.h"

extern const ElacStoreDriver elac_object_dir_driver;

#endif							/* ELAC_OBJECT_DIR_H */
