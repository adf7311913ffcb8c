/*
 * text_sums.c
 *	  What the leaf indexes of a partitioned index added to the statistics of
 *	  text queries before.
 *
 * Statistics are summed over all partitions, also over those that a query does
 * not read.  So each leaf's are kept, with the df of terms asked for lately, as
 * long as its manifest has the same generation and its lanes as many rows:
 * nothing else changes them (rows marked dead count until they are purged).  To
 * see that takes five pages instead of a look into every segment.
 *
 * Memory: about 3 kB a leaf, SUMS_MAX leaves.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "query/text_sums.h"
#include "storage/metapage.h"

#define SUMS_MAX 4096
#define SUMS_FIELDS 16
#define SUMS_TERMS 64
#define SUMS_TERM_LEN 27

typedef struct SumsField
{
	int			column;
	int			label;
	ElacFieldStats stats;
} SumsField;

typedef struct SumsTerm
{
	uint8		column;
	uint8		label;
	bool		prefix;
	uint8		len;
	char		bytes[SUMS_TERM_LEN];
	uint64		df;
} SumsTerm;

/* One leaf index. */
typedef struct Sums
{
	Oid			relid;			/* hash key */
	uint8		uuid[16];
	uint64		generation;		/* of the manifest */
	uint64		lane_ids[ELAC_LANES];	/* of the docs chains */
	uint32		lane_rows[ELAC_LANES];
	uint32		nfields;
	uint32		nterms;			/* ever kept: the last SUMS_TERMS of them are there */
	SumsField	fields[SUMS_FIELDS];
	SumsTerm	terms[SUMS_TERMS];
} Sums;

static HTAB *sums_cache = NULL;

static const SumsField *
sums_field(const Sums *sums, const ElacBm25Field *field)
{
	for (uint32 i = 0; i < sums->nfields; i++)
		if (sums->fields[i].column == field->column && sums->fields[i].label == field->label)
			return &sums->fields[i];
	return NULL;
}

static const SumsTerm *
sums_term(const Sums *sums, const ElacBm25Field *field, const ElacBm25Term *term)
{
	for (uint32 i = 0; i < Min(sums->nterms, SUMS_TERMS); i++)
	{
		const SumsTerm *kept = &sums->terms[i];

		if (kept->len == term->len && kept->column == field->column && kept->label == field->label &&
			kept->prefix == term->prefix && memcmp(kept->bytes, term->bytes, term->len) == 0)
			return kept;
	}
	return NULL;
}

static bool
sums_lanes_equal(const Sums *sums, const ElacLane *lanes)
{
	for (int i = 0; i < ELAC_LANES; i++)
		if (sums->lane_ids[i] != lanes[i].docs.id || sums->lane_rows[i] != lanes[i].ndocs)
			return false;
	return true;
}

/* Whether the index is as it was. */
static bool
sums_are_true(const Sums *sums, Relation index)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *newer;

	if (memcmp(sums->uuid, elac_metapage_get(index)->uuid, sizeof(sums->uuid)) != 0)
		return false;
	newer = elac_manifest_read_newer(index, sums->generation, lanes);
	if (newer != NULL)
		pfree(newer);
	return newer == NULL && sums_lanes_equal(sums, lanes);
}

bool
elac_text_sums_get(Relation index, ElacBm25Query *part)
{
	Oid			relid = RelationGetRelid(index);
	const Sums *sums = sums_cache == NULL ? NULL : hash_search(sums_cache, &relid, HASH_FIND, NULL);

	if (sums == NULL)
		return false;
	for (int f = 0; f < part->nfields; f++)
	{
		ElacBm25Field *field = &part->fields[f];
		const SumsField *kept = sums_field(sums, field);

		if (kept == NULL)
			return false;
		field->stats = kept->stats;
		for (uint32 t = 0; t < field->nterms; t++)
		{
			const SumsTerm *term = sums_term(sums, field, &field->terms[t]);

			if (term == NULL)
				return false;
			field->terms[t].df = term->df;
		}
	}
	return sums_are_true(sums, index);
}

static Sums *
sums_enter(Oid relid)
{
	HASHCTL		control;
	bool		found;
	Sums	   *sums;

	if (sums_cache != NULL && hash_get_num_entries(sums_cache) >= SUMS_MAX)
	{
		hash_destroy(sums_cache);
		sums_cache = NULL;
	}
	if (sums_cache == NULL)
	{
		memset(&control, 0, sizeof(control));
		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Sums);
		sums_cache = hash_create("elacsym text sums", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	sums = hash_search(sums_cache, &relid, HASH_ENTER, &found);
	if (!found)
		memset((char *) sums + sizeof(Oid), 0, sizeof(Sums) - sizeof(Oid));
	return sums;
}

static void
sums_keep_field(Sums *sums, const ElacBm25Field *field)
{
	if (sums_field(sums, field) == NULL && sums->nfields < SUMS_FIELDS)
	{
		SumsField  *kept = &sums->fields[sums->nfields++];

		kept->column = field->column;
		kept->label = field->label;
		kept->stats = field->stats;
	}
	for (uint32 t = 0; t < field->nterms; t++)
	{
		const ElacBm25Term *term = &field->terms[t];
		SumsTerm   *kept;

		if (term->len > SUMS_TERM_LEN || sums_term(sums, field, term) != NULL)
			continue;
		kept = &sums->terms[sums->nterms % SUMS_TERMS];
		kept->column = (uint8) field->column;
		kept->label = (uint8) field->label;
		kept->prefix = term->prefix;
		kept->len = (uint8) term->len;
		memcpy(kept->bytes, term->bytes, term->len);
		kept->df = term->df;
		/* stays above SUMS_TERMS once it is */
		sums->nterms = sums->nterms + 1 < 2 * SUMS_TERMS ? sums->nterms + 1 : SUMS_TERMS;
	}
}

void
elac_text_sums_keep(const ElacSnapshot *snapshot, const ElacBm25Query *part)
{
	const uint8 *uuid = elac_metapage_get(snapshot->index)->uuid;
	Sums	   *sums = sums_enter(RelationGetRelid(snapshot->index));

	if (sums->generation != snapshot->manifest->generation || !sums_lanes_equal(sums, snapshot->lanes) ||
		memcmp(sums->uuid, uuid, sizeof(sums->uuid)) != 0)
	{
		memcpy(sums->uuid, uuid, sizeof(sums->uuid));
		sums->generation = snapshot->manifest->generation;
		for (int i = 0; i < ELAC_LANES; i++)
		{
			sums->lane_ids[i] = snapshot->lanes[i].docs.id;
			sums->lane_rows[i] = snapshot->lanes[i].ndocs;
		}
		sums->nfields = 0;
		sums->nterms = 0;
	}
	for (int f = 0; f < part->nfields; f++)
		sums_keep_field(sums, &part->fields[f]);
}
