/*
 * metapage.c
 *	  Block 0: what an index is, fixed when it was built.
 *
 * Owns block 0 and the copy of it in rd_amcache.  Written once, in an empty
 * fork; read once per relcache entry.  What the columns mean is decided by
 * those who fill ElacSchema; here it is only checked that the description is
 * one that can have been stored, because everything else trusts it.
 */
#include "postgres.h"

#include <math.h>
#include <stddef.h>

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#include "errors.h"
#include "storage/freepages.h"
#include "storage/metapage.h"
#include "storage/pagelog.h"

#define ELAC_META_VERSION_MIN 1

StaticAssertDecl(sizeof(ElacSchema) == 8 + ELAC_MAX_COLUMNS * sizeof(ElacColumn), "ElacSchema is stored");
StaticAssertDecl(offsetof(ElacMetapage, uuid) == 16, "ElacMetapage is stored");
StaticAssertDecl(offsetof(ElacMetapage, rotation_seed) == 32, "ElacMetapage is stored");
StaticAssertDecl(offsetof(ElacMetapage, schema) == 40, "ElacMetapage is stored");
StaticAssertDecl(sizeof(ElacMetapage) == 40 + sizeof(ElacSchema), "ElacMetapage is stored");
StaticAssertDecl(sizeof(ElacMetapage) <= ELAC_PAGE_DATA, "the metapage fits its page");

/* ---- checks: each returns what is wrong, or NULL ---- */

static const char *
elac_metapage_vector_defect(const ElacColumn *column)
{
	if (column->metric < ELAC_METRIC_L2 || column->metric > ELAC_METRIC_COSINE)
		return "has an unknown metric";
	if (column->element != ELAC_ELEMENT_FLOAT && column->element != ELAC_ELEMENT_HALF)
		return "has an unknown element type";
	if (column->bits < 1 || column->bits > 8)
		return "has an impossible number of bits";
	if (column->rerank < ELAC_RERANK_HEAP || column->rerank > ELAC_RERANK_UNLESS_EXACT)
		return "has an unknown way of re-ranking";
	if (column->dim > ELAC_MAX_DIM_INDEXED)
		return "has too many dimensions";
	return NULL;
}

static const char *
elac_metapage_text_defect(const ElacColumn *column)
{
	if (memchr(column->config, '\0', sizeof(column->config)) == NULL || column->config[0] == '\0')
		return "has no text search configuration";
	if (!isfinite(column->k1) || column->k1 < 0)
		return "has an impossible k1";
	if (!(column->b >= 0 && column->b <= 1))
		return "has an impossible b";
	if (!isfinite(column->weight) || column->weight < 0)
		return "has an impossible weight";
	return NULL;
}

static const char *
elac_metapage_schema_defect(const ElacSchema *schema, int *column)
{
	int			counts[ELAC_COLUMN_ATTR + 1] = {0};
	int			vector_column = -1;

	*column = 0;
	if (schema->ncolumns < 1 || schema->ncolumns > ELAC_MAX_COLUMNS)
		return "is one of an impossible number of columns";
	for (int i = 0; i < schema->ncolumns; i++)
	{
		const ElacColumn *c = &schema->columns[i];
		const char *defect = NULL;

		*column = i;
		if (c->kind < ELAC_COLUMN_VECTOR || c->kind > ELAC_COLUMN_ATTR)
			return "is of an unknown kind";
		counts[c->kind]++;
		if (c->kind == ELAC_COLUMN_VECTOR)
		{
			vector_column = i;
			defect = elac_metapage_vector_defect(c);
		}
		else if (c->kind == ELAC_COLUMN_TEXT)
			defect = elac_metapage_text_defect(c);
		if (defect != NULL)
			return defect;
	}
	if (counts[ELAC_COLUMN_VECTOR] > 1 || schema->vector_column != vector_column ||
		schema->ntext != counts[ELAC_COLUMN_TEXT] || schema->nattr != counts[ELAC_COLUMN_ATTR])
		return "is described in a way that contradicts the columns' counts";
	return NULL;
}

/* Raises unless meta is something this library can work with. */
static void
elac_metapage_check(Relation index, const ElacMetapage *meta)
{
	const char *name = RelationGetRelationName(index);
	const char *defect;
	int			column;

	if (meta->magic != ELAC_META_MAGIC)
		elac_corrupted(name, "The metapage's magic number is wrong.");
	if (meta->version < ELAC_META_VERSION_MIN || meta->version > ELAC_META_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" has format version %u, and this version of elacsym reads %d to %d",
						name, meta->version, ELAC_META_VERSION_MIN, ELAC_META_VERSION),
				 errhint("Install a version of elacsym that reads it, or REINDEX INDEX rebuilds it from the table.")));
	if (meta->page_size != BLCKSZ)
		elac_corrupted(name, "The metapage claims pages of %u bytes.", meta->page_size);
	if (meta->nlanes < 1 || meta->nlanes > ELAC_LANES)
		elac_corrupted(name, "The metapage claims %u insert lanes.", meta->nlanes);
	defect = elac_metapage_schema_defect(&meta->schema, &column);
	if (defect != NULL)
		elac_corrupted(name, "Column %d in the metapage %s.", column + 1, defect);
}

/* ---- writing ---- */

/* Copies the schema without what does not count: unused columns, bytes after strings. */
static void
elac_metapage_copy_schema(ElacSchema *to, const ElacSchema *from)
{
	memset(to, 0, sizeof(*to));
	to->ncolumns = from->ncolumns;
	to->vector_column = from->vector_column;
	to->ntext = from->ntext;
	to->nattr = from->nattr;
	for (int i = 0; i < Min(from->ncolumns, ELAC_MAX_COLUMNS); i++)
	{
		ElacColumn *column = &to->columns[i];

		*column = from->columns[i];
		memset(column->reserved2, 0, sizeof(column->reserved2));
		memset(column->config, 0, sizeof(column->config));
		memcpy(column->config, from->columns[i].config,
			   strnlen(from->columns[i].config, sizeof(column->config)));
	}
}

void
elac_metapage_create(Relation index, ForkNumber fork, const ElacSchema *schema)
{
	ElacMetapage meta;
	ElacPageLog log;
	Buffer		buffer;
	Page		page;

	memset(&meta, 0, sizeof(meta));
	meta.magic = ELAC_META_MAGIC;
	meta.version = ELAC_META_VERSION;
	meta.page_size = BLCKSZ;
	meta.nlanes = ELAC_LANES;
	if (!pg_strong_random(meta.uuid, sizeof(meta.uuid)) ||
		!pg_strong_random(&meta.rotation_seed, sizeof(meta.rotation_seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values for index \"%s\"", RelationGetRelationName(index))));

	/* RFC 9562, version 4. */
	meta.uuid[6] = (meta.uuid[6] & 0x0F) | 0x40;
	meta.uuid[8] = (meta.uuid[8] & 0x3F) | 0x80;
	elac_metapage_copy_schema(&meta.schema, schema);
	elac_metapage_check(index, &meta);

	buffer = elac_freespace_extend(index, fork);
	if (BufferGetBlockNumber(buffer) != ELAC_META_BLOCK)
		elog(ERROR, "index \"%s\" is not empty", RelationGetRelationName(index));
	elac_pagelog_begin(&log, index);
	page = elac_pagelog_page(&log, buffer, true);
	elac_page_init(page, ELAC_PAGE_META, 0, 0);
	memcpy(ElacPageGetData(page), &meta, sizeof(meta));
	elac_page_set_used(page, sizeof(meta));
	elac_pagelog_commit(&log);
	UnlockReleaseBuffer(buffer);
}

/* ---- reading ---- */

/* Reads and checks block 0 into *meta. */
static void
elac_metapage_read(Relation index, ElacMetapage *meta)
{
	BlockNumber nblocks = 0;
	Buffer		buffer = elac_page_buffer(index, ELAC_META_BLOCK, &nblocks, NULL);
	Page		page = BufferGetPage(buffer);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	elac_page_check_owned(index, ELAC_META_BLOCK, page, ELAC_PAGE_META, 0, 0, true);
	if (ElacPageGetUsed(page) != sizeof(ElacMetapage))
		elac_corrupted(RelationGetRelationName(index), "The metapage has %u bytes and should have %zu.",
					   ElacPageGetUsed(page), sizeof(ElacMetapage));
	memcpy(meta, ElacPageGetData(page), sizeof(ElacMetapage));
	UnlockReleaseBuffer(buffer);
	elac_metapage_check(index, meta);
}

const ElacMetapage *
elac_metapage_get(Relation index)
{
	if (index->rd_amcache == NULL)
	{
		ElacMetapage meta;
		void	   *copy;

		elac_metapage_read(index, &meta);
		copy = MemoryContextAlloc(index->rd_indexcxt, sizeof(meta));
		memcpy(copy, &meta, sizeof(meta));
		index->rd_amcache = copy;
	}
	return index->rd_amcache;
}

void
elac_metapage_verify(Relation index)
{
	ElacMetapage meta;
	ElacSchema	normal;

	elac_metapage_read(index, &meta);
	elac_metapage_copy_schema(&normal, &meta.schema);
	if (memcmp(&normal, &meta.schema, sizeof(normal)) != 0)
		elac_corrupted(RelationGetRelationName(index), "The metapage has bytes that should be zero.");
}
