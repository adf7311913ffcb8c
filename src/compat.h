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

/* A qualified name in text form to a list of String nodes (utils/regproc.h). */
#if PG_VERSION_NUM >= 160000
#define elac_string_to_names(name) stringToQualifiedNameList((name), NULL)
#else
#define elac_string_to_names(name) stringToQualifiedNameList(name)
#endif

/* Privilege on a foreign server; users include catalog/pg_foreign_server.h and utils/acl.h. */
#if PG_VERSION_NUM >= 160000
#define ElacServerAclCheck(server, role, mode) object_aclcheck(ForeignServerRelationId, server, role, mode)
#else
#define ElacServerAclCheck(server, role, mode) pg_foreign_server_aclcheck(server, role, mode)
#endif

/* Prefix of functions that do not return; PostgreSQL 18 has its own. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* This backend's local transaction id; include storage/proc.h. */
#if PG_VERSION_NUM >= 170000
#define ELAC_MY_LXID (MyProc->vxid.lxid)
#else
#define ELAC_MY_LXID (MyProc->lxid)
#endif

#endif							/* ELAC_COMPAT_H */
