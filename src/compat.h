/*
 * compat.h
 *	  The only file that says PG_VERSION_NUM.
 */
#ifndef ELAC_COMPAT_H
#define ELAC_COMPAT_H

#include "postgres.h"

#include "access/stratnum.h"
#include "nodes/pathnodes.h"
#include "optimizer/paths.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/regproc.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "elacsym is written for PostgreSQL 15 to 18"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
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

/* A possibly qualified name as a list. */
#if PG_VERSION_NUM >= 160000
#define elac_name_list(name) stringToQualifiedNameList((name), NULL)
#else
#define elac_name_list(name) stringToQualifiedNameList(name)
#endif

/* This backend's local transaction id; include storage/proc.h. */
#if PG_VERSION_NUM >= 170000
#define ELAC_MY_LXID (MyProc->vxid.lxid)
#else
#define ELAC_MY_LXID (MyProc->lxid)
#endif

/* A relation's file; users include utils/rel.h. */
#if PG_VERSION_NUM >= 160000
#define ELAC_REL_FILE(relation) ((relation)->rd_locator)
#else
#define ELAC_REL_FILE(relation) ((relation)->rd_node)
#endif

/* Pins block of the main fork if it is in that buffer; users include storage/bufmgr.h and utils/rel.h. */
#define elac_read_recent_buffer(relation, block, buffer) \
	ReadRecentBuffer(ELAC_REL_FILE(relation), MAIN_FORKNUM, (block), (buffer))

/* The file part of a buffer's tag; users include storage/bufmgr.h. */
#if PG_VERSION_NUM >= 160000
#define ElacRelFile RelFileLocator
#else
#define ElacRelFile RelFileNode
#endif

/*
 * A new page at the end of a fork, exclusively locked before anybody else can
 * find it; users include storage/bufmgr.h and storage/lmgr.h.
 */
#if PG_VERSION_NUM >= 160000
#define elac_extend_relation(index, fork) \
	ExtendBufferedRel(BMR_REL(index), (fork), NULL, EB_LOCK_FIRST)
#else
#define elac_extend_relation(index, fork) \
	({ \
		Buffer		elac_new_buffer; \
		LockRelationForExtension((index), ExclusiveLock); \
		elac_new_buffer = ReadBufferExtended((index), (fork), P_NEW, RBM_NORMAL, NULL); \
		LockBuffer(elac_new_buffer, BUFFER_LOCK_EXCLUSIVE); \
		UnlockRelationForExtension((index), ExclusiveLock); \
		elac_new_buffer; \
	})
#endif

/* PostgreSQL 18 shows the number of index searches in EXPLAIN ANALYZE. */
#if PG_VERSION_NUM >= 180000
#define elac_count_index_search(scan) \
	do { if ((scan)->instrument) (scan)->instrument->nsearches++; } while (0)
#else
#define elac_count_index_search(scan) ((void) 0)
#endif

/* Is the order of the pathkey the ascending one? */

#if PG_VERSION_NUM >= 180000
#define elac_pathkey_is_ascending(pathkey) ((pathkey)->pk_cmptype == COMPARE_LT)
#else
#define elac_pathkey_is_ascending(pathkey) ((pathkey)->pk_strategy == BTLessStrategyNumber)
#endif

/*
 * The members of an equivalence class that belong to exactly these relations.
 * Since 18 the members of partitions are kept apart.
 */

static inline List *
elac_eclass_members(EquivalenceClass *eclass, Relids relids)
{
	List	   *members = NIL;
#if PG_VERSION_NUM >= 180000
	EquivalenceMemberIterator iterator;
	EquivalenceMember *member;

	setup_eclass_member_iterator(&iterator, eclass, relids);
	while ((member = eclass_member_iterator_next(&iterator)) != NULL)
		if (bms_equal(member->em_relids, relids))
			members = lappend(members, member);
#else
	ListCell   *cell;

	foreach(cell, eclass->ec_members)
	{
		EquivalenceMember *member = (EquivalenceMember *) lfirst(cell);

		if (bms_equal(member->em_relids, relids))
			members = lappend(members, member);
	}
#endif
	return members;
}

/* A path to be taken only when there is no other; since 18 the cost does not say so alone. */
#if PG_VERSION_NUM >= 180000
#define elac_path_discourage(path) ((path)->disabled_nodes += 100)
#else
#define elac_path_discourage(path) ((void) 0)
#endif

/* PostgreSQL 18 moved what custom scans need to explain themselves. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* Does role own the relation? */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_class.h"
#define elac_class_ownercheck(relation, role) object_ownercheck(RelationRelationId, (relation), (role))
#else
#define elac_class_ownercheck(relation, role) pg_class_ownercheck((relation), (role))
#endif

/* Before code of others runs in a security-restricted operation; 17 does it everywhere. */
#if PG_VERSION_NUM >= 170000
#define elac_restrict_search_path() RestrictSearchPath()
#else
#define elac_restrict_search_path() ((void) 0)
#endif

/* Sleeps when vacuum_cost_delay says so; users include commands/vacuum.h. */
#if PG_VERSION_NUM >= 180000
#define elac_vacuum_delay_point() vacuum_delay_point(false)
#else
#define elac_vacuum_delay_point() vacuum_delay_point()
#endif

/* The next datum of a sort, by reference when it is one; users include utils/tuplesort.h. */
#if PG_VERSION_NUM >= 160000
#define elac_tuplesort_getdatum(sort, value, isnull) tuplesort_getdatum(sort, true, false, value, isnull, NULL)
#else
#define elac_tuplesort_getdatum(sort, value, isnull) tuplesort_getdatum(sort, true, value, isnull, NULL)
#endif

/* Outer joins that make a Var NULL are not part of an index expression. */
#if PG_VERSION_NUM >= 160000
#define elac_var_clear_nulling(var) ((var)->varnullingrels = NULL)
#else
#define elac_var_clear_nulling(var) ((void) 0)
#endif

/*
 * Outer joins above a Var or a PlaceHolderVar that may make it NULL, which is
 * not known before 16; and an expression as it is below them.
 */
#if PG_VERSION_NUM >= 160000
#include "rewrite/rewriteManip.h"
#define elac_var_nulling(var) ((var)->varnullingrels)
#define elac_placeholder_nulling(placeholder) ((placeholder)->phnullingrels)
#define elac_placeholder_set_nulling(placeholder, relids) ((placeholder)->phnullingrels = (relids))
#define elac_remove_nulling(node, relids) remove_nulling_relids((node), (relids), NULL)
#else
#define elac_var_nulling(var) ((Relids) NULL)
#define elac_placeholder_nulling(placeholder) ((Relids) NULL)
#define elac_placeholder_set_nulling(placeholder, relids) ((void) (relids))
#define elac_remove_nulling(node, relids) (node)
#endif

/*
 * Workers for building an index, as the server's planner allows; users include
 * miscadmin.h, nodes/execnodes.h and optimizer/optimizer.h.  17 asks the planner
 * on behalf of access methods that can; before, it does so for btree alone.
 */
#if PG_VERSION_NUM >= 170000
#define elac_build_workers(heap, index, info) ((info)->ii_ParallelWorkers)
#define elac_can_build_parallel(routine) ((routine)->amcanbuildparallel = true)
#else
#define elac_build_workers(heap, index, info) \
	(IsNormalProcessingMode() ? \
	 plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index)) : 0)
#define elac_can_build_parallel(routine) ((void) 0)
#endif

/* Expressions that the columns of a grouping step's range table entry stand for. */
#if PG_VERSION_NUM >= 180000
#define elac_rte_group_exprs(rte) ((rte)->rtekind == RTE_GROUP ? (rte)->groupexprs : NIL)
#else
#define elac_rte_group_exprs(rte) NIL
#endif

/* Has a table's column (from 0) no NULL?  Since 18 a constraint may not be valid yet. */
#if PG_VERSION_NUM >= 180000
#define elac_column_not_null(desc, i) (TupleDescCompactAttr((desc), (i))->attnullability == ATTNULLABLE_VALID)
#else
#define elac_column_not_null(desc, i) (TupleDescAttr((desc), (i))->attnotnull)
#endif

#endif							/* ELAC_COMPAT_H */
