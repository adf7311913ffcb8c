/*
 * compat.h
 *	  The only file that says PG_VERSION_NUM.
 */
#ifndef ELAC_COMPAT_H
#define ELAC_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "elacsym is written for PostgreSQL 15 to 18"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif							/* ELAC_COMPAT_H */
