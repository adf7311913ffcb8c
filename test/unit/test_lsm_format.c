/*
 * test_lsm_format.c
 *	  What lsm stores and believes: manifest and lanes, delta rows.  Sound
 *	  bytes come back as they went in; damaged ones are refused or harmless.
 */
#include "pgshim.h"

#include <float.h>
#include <math.h>

#include "check.h"

#include "base/rng.h"

/* The checks alone: the rest of lsm needs a server. */
#include "lsm/calibration.c"
#include "lsm/delta_format.c"
#include "lsm/delta_distance.c"
#undef BLOCK
#include "lsm/delta_vector.c"
#include "lsm/manifest_check.c"

#define NBLOCKS 10000
#define ROUNDS 20000

/* ---- manifest ---- */

static uint64 next_id;
static BlockNumber next_block;

static void
make_chain(ElacChain *chain, uint32 npages)
{
	chain->id = next_id++;
	chain->head = npages > 0 ? next_block : InvalidBlockNumber;
	chain->tail = npages > 0 ? next_block + npages - 1 : InvalidBlockNumber;
	chain->npages = npages;
	chain->tail_used = npages > 0 ? 100 : 0;
	next_block += npages;
}

static void
make_lane(ElacLane *lane, uint32 npages)
{
	memset(lane, 0, sizeof(*lane));
	lane->generation = 1;
	lane->ndocs = npages * 10;
	make_chain(&lane->docs, npages);
	make_chain(&lane->vectors, npages);
	make_chain(&lane->texts, npages);
}

static void
make_blob(ElacBlobRef *ref, uint32 npages)
{
	memset(ref, 0, sizeof(*ref));
	ref->id = next_id++;
	ref->npages = npages;
	ref->nbytes = (uint64) npages * ELAC_PAGE_DATA - 17;
	ref->home = ELAC_HOME_LOCAL;
	ref->map = next_block++;
}

static ElacManifest *
make_manifest(ElacLane *lanes)
{
	ElacManifest *manifest = palloc0(sizeof(ElacManifest));

	next_id = 1;
	next_block = FIRST_FREE_BLOCK;
	manifest->version = ELAC_MANIFEST_VERSION;
	manifest->generation = 7;
	strcpy(manifest->store, "cold");
	make_blob(&manifest->codebook, 3);
	for (int i = 0; i < ELAC_LANES; i++)
		make_lane(&lanes[i], i);
	manifest->nfrozen = 3;
	for (int i = 0; i < 3; i++)
		make_lane(&manifest->frozen[i], i + 1);
	manifest->nsegments = 20;
	for (int i = 0; i < 20; i++)
	{
		ElacSegmentRef *ref = &manifest->segments[i];

		make_blob(&ref->head, 2);
		make_blob(&ref->body, 5);
		next_id++;
		ref->id = ref->head.id;
		ref->ndocs = 1000 + i;
		ref->codebook = manifest->codebook.id;
		ref->live = next_block++;
		if (i % 3 == 0)
		{
			ref->body.home = ELAC_HOME_REMOTE;
			ref->body.map = InvalidBlockNumber;
			ref->body.object[3] = 1;
		}
	}
	manifest->nretired = 5;
	for (int i = 0; i < 5; i++)
	{
		manifest->retired[i].owner = next_id++;
		manifest->retired[i].xid = 1000;
		manifest->retired[i].first = next_block++;
		manifest->retired[i].kind = i % 2 ? ELAC_PAGE_MAP : ELAC_PAGE_LIVE;
		manifest->retired[i].ndocs = i % 2 ? 0 : 77;
	}
	manifest->next_id = next_id;
	return manifest;
}

static bool
is_sound(const ElacManifest *manifest, const ElacLane *lanes)
{
	return elac_manifest_fault(manifest, lanes, NBLOCKS) == NULL;
}

#define REFUSED(change) \
	do { \
		ElacManifest *damaged = make_manifest(lanes); \
		change; \
		CHECK(!is_sound(damaged, lanes)); \
		pfree(damaged); \
	} while (0)

static void
test_manifest(void)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = make_manifest(lanes);

	CHECK(is_sound(manifest, lanes));
	CHECK(is_sound(manifest, NULL));
	CHECK(elac_manifest_fault(manifest, lanes, next_block - 2) != NULL);

	REFUSED(damaged->version = 2);
	REFUSED(damaged->nsegments = ELAC_MAX_SEGMENTS + 1);
	REFUSED(damaged->nsegments = UINT32_MAX);
	REFUSED(damaged->nfrozen = ELAC_MAX_FROZEN + 1);
	REFUSED(damaged->nretired = ELAC_MAX_RETIRED + 1);
	REFUSED(damaged->nsegments++);
	REFUSED(damaged->nfrozen++);
	REFUSED(damaged->nretired++);
	REFUSED(damaged->next_id = 20);
	REFUSED(memset(damaged->store, 'x', sizeof(damaged->store)));
	REFUSED(damaged->store[0] = '\0');
	REFUSED(damaged->codebook.id++);
	REFUSED(damaged->codebook.home = ELAC_HOME_REMOTE);
	REFUSED(damaged->segments[4].head.home = ELAC_HOME_MEMORY);
	REFUSED(damaged->segments[4].head.home = ELAC_HOME_REMOTE);
	REFUSED(damaged->segments[4].head.npages++);
	REFUSED(damaged->segments[4].body.nbytes = UINT64_MAX);
	REFUSED(damaged->segments[4].body.map = 2);
	REFUSED(damaged->segments[4].body.map = NBLOCKS);
	REFUSED(damaged->segments[4].body.object[0] = 1);
	REFUSED(damaged->segments[4].ndocs = 0);
	REFUSED(damaged->segments[4].ndocs = UINT32_MAX);
	REFUSED(damaged->segments[4].live = InvalidBlockNumber);
	REFUSED(damaged->segments[4].codebook = 999);
	REFUSED(damaged->segments[4] = damaged->segments[5]);
	REFUSED(damaged->segments[4].body.id = damaged->segments[5].body.id);
	REFUSED(damaged->frozen[1].docs.id = damaged->frozen[0].docs.id);
	REFUSED(damaged->frozen[1].docs.id = lanes[0].docs.id);
	REFUSED(damaged->frozen[1].docs.head = 0);
	REFUSED(damaged->frozen[1].docs.tail_used = ELAC_PAGE_DATA + 1);
	REFUSED(damaged->frozen[1].ndocs = UINT32_MAX);
	REFUSED(damaged->frozen[1].ndocs = 0);
	REFUSED(damaged->retired[0].kind = ELAC_PAGE_META);
	REFUSED(damaged->retired[0].ndocs = 0);
	REFUSED(damaged->retired[1].owner = damaged->next_id);
	pfree(manifest);
}

/* Whatever the bytes are, the check comes to an answer. */
static void
test_manifest_damage(void)
{
	ElacLane	lanes[ELAC_LANES];
	ElacManifest *manifest = make_manifest(lanes);
	ElacManifest *damaged = palloc(sizeof(ElacManifest));
	int			refused = 0;
	ElacRng		rng;

	elac_rng_seed(&rng, 1);
	for (int i = 0; i < ROUNDS; i++)
	{
		*damaged = *manifest;
		for (int n = 1 + (int) elac_rng_below(&rng, 8); n > 0; n--)
			((uint8 *) damaged)[elac_rng_below(&rng, sizeof(ElacManifest))] = (uint8) elac_rng_u64(&rng);
		refused += !is_sound(damaged, lanes);
		for (Size j = 0; i < 100 && j < sizeof(ElacManifest); j += 8)
			*(uint64 *) ((uint8 *) damaged + j) = elac_rng_u64(&rng);
		if (i < 100)
			CHECK(!is_sound(damaged, lanes));
	}
	CHECK(refused > 0);
	pfree(damaged);
	pfree(manifest);
}

/* ---- delta rows ---- */

#define NCOLUMNS 9

static const ElacAttrType attr_types[NCOLUMNS] = {
	{16, 1, true, 'c', 0},		/* bool */
	{21, 2, true, 's', 0},
	{23, 4, true, 'i', 0},
	{20, 8, true, 'd', 0},
	{2950, 16, false, 'c', 0},	/* uuid */
	{25, -1, false, 'i', 0},	/* text */
	{1231, -1, false, 'd', 0},	/* an array of doubles */
	{0},						/* a text column */
	{25, -1, false, 'i', 0},
};

static ElacSchema schema;
static ElacRowType type;

static void
make_type(void)
{
	memset(&schema, 0, sizeof(schema));
	memset(&type, 0, sizeof(type));
	schema.ncolumns = NCOLUMNS;
	schema.vector_column = -1;
	schema.ntext = 1;
	schema.nattr = NCOLUMNS - 1;
	for (int i = 0; i < NCOLUMNS; i++)
	{
		schema.columns[i].kind = attr_types[i].type == 0 ? ELAC_COLUMN_TEXT : ELAC_COLUMN_ATTR;
		type.attr[i] = attr_types[i];
	}
	type.schema = &schema;
	type.index_name = "test";
}

static void
make_row(ElacRng *rng, ElacRow *row)
{
	memset(row, 0, sizeof(*row));
	for (int i = 0; i < NCOLUMNS; i++)
	{
		ElacRowColumn *column = &row->columns[i];

		column->isnull = elac_rng_below(rng, 4) == 0;
		if (column->isnull || schema.columns[i].kind != ELAC_COLUMN_ATTR)
			continue;
		if (attr_types[i].typlen == 1)
			column->value = BoolGetDatum(true);
		else if (attr_types[i].typlen == 2)
			column->value = Int16GetDatum((int16) elac_rng_u64(rng));
		else if (attr_types[i].typlen == 4)
			column->value = Int32GetDatum((int32) elac_rng_u64(rng));
		else if (attr_types[i].typlen == 8)
			column->value = Int64GetDatum((int64) elac_rng_u64(rng));
		else
		{
			Size		size = attr_types[i].typlen > 0 ? 16 : VARHDRSZ + elac_rng_below(rng, 40);
			uint8	   *bytes = palloc(size);

			for (Size j = 0; j < size; j++)
				bytes[j] = (uint8) elac_rng_u64(rng);
			if (attr_types[i].typlen < 0)
				SET_VARSIZE(bytes, size);
			column->value = PointerGetDatum(bytes);
		}
	}
	row->columns[7].text.isnull = elac_rng_below(rng, 2) == 0;
	if (!row->columns[7].text.isnull)
	{
		static ElacTerm terms[2] = {{"ab", 2, 3}, {"b", 1, 1}};

		row->columns[7].text.nterms = 2;
		row->columns[7].text.length = 4;
		row->columns[7].text.terms = terms;
	}
}

static Size
value_size(int i, Datum value)
{
	return attr_types[i].typlen > 0 ? (Size) attr_types[i].typlen : VARSIZE(DatumGetPointer(value));
}

/* Values lie within bytes, and can be read to their ends. */
static void
check_inside(const uint8 *bytes, Size len, const Datum *values, const bool *isnull)
{
	for (int i = 0; i < NCOLUMNS; i++)
	{
		const uint8 *start = (const uint8 *) DatumGetPointer(values[i]);

		if (schema.columns[i].kind != ELAC_COLUMN_ATTR || isnull[i] || attr_types[i].typbyval)
			continue;
		CHECK(start >= bytes && start <= bytes + len && value_size(i, values[i]) <= (Size) (bytes + len - start));
	}
}

static void
test_attrs(void)
{
	ElacRng		rng;

	make_type();
	elac_rng_seed(&rng, 2);
	for (int round = 0; round < ROUNDS; round++)
	{
		ElacRow		row;
		Datum		values[NCOLUMNS];
		bool		isnull[NCOLUMNS];
		Size		len;
		uint8	   *bytes;

		make_row(&rng, &row);
		len = elac_delta_attrs_size(&type, &row);
		bytes = palloc(len);
		elac_delta_attrs_encode(&type, &row, bytes);
		CHECK(elac_delta_attrs_decode(&type, bytes, len, values, isnull));
		CHECK(!elac_delta_attrs_decode(&type, bytes, len - 1, values, isnull));
		CHECK(elac_delta_attrs_decode(&type, bytes, len, values, isnull));
		for (int i = 0; i < NCOLUMNS; i++)
		{
			if (schema.columns[i].kind != ELAC_COLUMN_ATTR)
				continue;
			CHECK_EQ(isnull[i], row.columns[i].isnull);
			if (isnull[i])
				continue;
			if (attr_types[i].typbyval)
				CHECK(values[i] == row.columns[i].value);
			else
				CHECK(value_size(i, values[i]) == value_size(i, row.columns[i].value) &&
					  memcmp(DatumGetPointer(values[i]), DatumGetPointer(row.columns[i].value),
							 value_size(i, values[i])) == 0);
		}
		for (int n = 1 + (int) elac_rng_below(&rng, 4); n > 0; n--)
			bytes[elac_rng_below(&rng, len)] = (uint8) elac_rng_u64(&rng);
		if (elac_delta_attrs_decode(&type, bytes, len, values, isnull))
			check_inside(bytes, len, values, isnull);
		for (int i = 0; i < NCOLUMNS; i++)
			if (schema.columns[i].kind == ELAC_COLUMN_ATTR && !row.columns[i].isnull && !attr_types[i].typbyval)
				pfree(DatumGetPointer(row.columns[i].value));
		pfree(bytes);
	}
	CHECK(!elac_delta_attrs_decode(&type, (const uint8 *) "", 0, NULL, NULL));
}

static void
test_texts(void)
{
	ElacRng		rng;

	make_type();
	elac_rng_seed(&rng, 3);
	for (int round = 0; round < ROUNDS; round++)
	{
		ElacRow		row;
		ElacTermVector terms[NCOLUMNS];
		Size		len;
		uint8	   *bytes;

		make_row(&rng, &row);
		len = elac_delta_texts_size(&type, &row);
		bytes = palloc(len);
		elac_delta_texts_encode(&type, &row, bytes);
		CHECK(elac_delta_texts_decode(&type, bytes, len, terms));
		CHECK_EQ(terms[7].isnull, row.columns[7].text.isnull);
		CHECK_EQ(terms[7].nterms, row.columns[7].text.nterms);
		CHECK_EQ(terms[7].length, row.columns[7].text.length);
		CHECK(!elac_delta_texts_decode(&type, bytes, len - 1, terms));
		bytes[elac_rng_below(&rng, len)] = (uint8) elac_rng_u64(&rng);
		elac_delta_texts_decode(&type, bytes, len, terms);
		pfree(bytes);
	}
}

/* Every byte counts but the flags. */
static void
test_crc(void)
{
	uint8		attrs[20] = {1, 2, 3};
	ElacDeltaHeader header = {0};
	uint32		crc;

	header.magic = ELAC_DELTA_MAGIC;
	header.attrs_len = sizeof(attrs);
	crc = elac_delta_crc(&header, attrs);
	for (Size i = 0; i < sizeof(header) - sizeof(uint32); i++)
	{
		((uint8 *) &header)[i] ^= 0x10;
		CHECK_EQ(elac_delta_crc(&header, attrs) == crc, i == 0 || (i >= 4 && i < 8));
		((uint8 *) &header)[i] ^= 0x10;
	}
	for (Size i = 0; i < sizeof(attrs); i++)
	{
		attrs[i] ^= 1;
		CHECK(elac_delta_crc(&header, attrs) != crc);
		attrs[i] ^= 1;
	}
	CHECK_EQ(elac_delta_crc(&header, attrs), crc);
}

/* ---- vectors of the delta ---- */

static float
random_component(ElacRng *rng, int kind)
{
	double		unit = (double) elac_rng_below(rng, 2000001) / 1000000.0 - 1.0;

	switch (kind)
	{
		case 0:
			return (float) unit;
		case 1:
			return (float) (unit * FLT_MAX);
		case 2:
			return (float) (unit * 1e-44);
		case 3:
			return (float) (unit * pow(10, (double) elac_rng_below(rng, 60) - 30));
		case 4:
			return (float) elac_rng_below(rng, 256);
		default:
			return elac_rng_below(rng, 8) == 0 ? (float) unit : 0;
	}
}

/* Euclidean distance of two vectors, in units that cannot overflow. */
static double
difference(const float *a, const float *b, int dim)
{
	double		square = 0;

	for (int i = 0; i < dim; i++)
		square += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
	return sqrt(square);
}

static void
test_vector_codes(void)
{
	static float vector[300];
	static float decoded[300];
	static uint8 code[400];
	ElacRng		rng;

	elac_rng_seed(&rng, 4);
	for (int round = 0; round < ROUNDS; round++)
	{
		int			dim = round < 300 ? round : 1 + (int) elac_rng_below(&rng, 300);
		int			kind = (int) elac_rng_below(&rng, 6);
		Size		size = elac_delta_vector_size(dim);
		double		largest = 0;
		double		distance;
		uint16		error;

		CHECK_EQ(size, (Size) dim + (dim + 31) / 32 * 2);
		for (int i = 0; i < dim; i++)
		{
			vector[i] = random_component(&rng, kind);
			largest = Max(largest, fabs((double) vector[i]));
		}
		code[size] = 0xA5;
		error = elac_delta_vector_encode(vector, dim, code);
		CHECK_EQ(code[size], 0xA5);
		CHECK(elac_delta_vector_decode(code, dim, decoded));
		distance = difference(vector, decoded, dim);

		/* the error is true and hardly more than that, each component within half a step */
		CHECK(elac_delta_error_value(error) >= distance);
		CHECK(kind == 1 || kind == 2 || elac_delta_error_value(error) <= distance * 1.01);
		CHECK(kind == 2 || distance <= sqrt((double) dim) * largest / 127 * 0.51);
		for (int i = 0; i < dim; i++)
			CHECK(isfinite(decoded[i]));

		/* any bytes are refused or decode into numbers */
		if (dim == 0)
			continue;
		code[elac_rng_below(&rng, size)] = (uint8) elac_rng_u64(&rng);
		if (elac_delta_vector_decode(code, dim, decoded))
			for (int i = 0; i < dim; i++)
				CHECK(isfinite(decoded[i]));
	}
	memset(code, 0, sizeof(code));
	code[10] = 0x80;
	CHECK(!elac_delta_vector_decode(code, 100, decoded));
	code[10] = 0;
	CHECK(elac_delta_vector_decode(code, 100, decoded));
	code[3] = 0x80;				/* minus zero is nobody's scale, but harmless */
	CHECK(elac_delta_vector_decode(code, 100, decoded));
	code[2] = 0x80;				/* a negative scale, then infinity, then NaN */
	CHECK(!elac_delta_vector_decode(code, 100, decoded));
	code[3] = 0x7F;
	CHECK(!elac_delta_vector_decode(code, 100, decoded));
	code[2] = 0xC0;
	CHECK(!elac_delta_vector_decode(code, 100, decoded));
}

/* What the bound promises: no vector is nearer to the query than it says. */
static void
test_vector_bound(void)
{
	float		vector[40];
	float		query[40];
	float		decoded[40];
	uint8		code[80];
	ElacRng		rng;

	elac_rng_seed(&rng, 5);
	for (int round = 0; round < ROUNDS; round++)
	{
		int			dim = 1 + (int) elac_rng_below(&rng, 40);
		double		exact = 0;
		double		coded = 0;
		double		norm = 0;
		double		exact_ip = 0;
		double		coded_ip = 0;
		float		error;

		for (int i = 0; i < dim; i++)
		{
			vector[i] = random_component(&rng, 0);
			query[i] = vector[i] + random_component(&rng, 0) / (1 + round % 1000);
		}
		error = elac_delta_error_value(elac_delta_vector_encode(vector, dim, code));
		elac_delta_vector_decode(code, dim, decoded);
		for (int i = 0; i < dim; i++)
		{
			exact += ((double) query[i] - vector[i]) * ((double) query[i] - vector[i]);
			coded += ((double) query[i] - decoded[i]) * ((double) query[i] - decoded[i]);
			exact_ip -= (double) query[i] * vector[i];
			coded_ip -= (double) query[i] * decoded[i];
			norm += (double) query[i] * query[i];
		}
		CHECK(elac_delta_lower_bound(ELAC_METRIC_L2, (float) coded, error, 0) <= exact + 1e-5);
		CHECK(elac_delta_lower_bound(ELAC_METRIC_IP, (float) coded_ip, error, (float) sqrt(norm)) <= exact_ip + 1e-5);
		CHECK(elac_delta_lower_bound(ELAC_METRIC_L2, (float) coded, error, 0) >= 0);
	}
	CHECK_EQ(elac_delta_lower_bound(ELAC_METRIC_L2, 4, 1, 0), 1);
	CHECK_EQ(elac_delta_lower_bound(ELAC_METRIC_L2, 4, 3, 0), 0);
	CHECK_EQ(elac_delta_lower_bound(ELAC_METRIC_L2, 4, 0, 0), 4);
	CHECK_EQ(elac_delta_lower_bound(ELAC_METRIC_COSINE, 0.5F, 0.25F, 1), 0.25F);
	CHECK_EQ(elac_delta_lower_bound(ELAC_METRIC_IP, -8, 0.5F, 4), -10);
}

/* Distances from codes are those from decoded vectors, whatever the processor's variant. */
static void
test_vector_distances(void)
{
	static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
	float		vector[200];
	float		query[200];
	float		decoded[200];
	uint8		code[220];
	ElacRng		rng;
	int			tested = 0;

	elac_rng_seed(&rng, 6);
	for (int round = 0; round < 2000; round++)
	{
		int			dim = round < 200 ? round + 1 : 1 + (int) elac_rng_below(&rng, 200);
		double		square = 0;
		double		product = 0;
		double		magnitude = 0;

		for (int i = 0; i < dim; i++)
		{
			vector[i] = random_component(&rng, 0);
			query[i] = random_component(&rng, 0);
		}
		elac_delta_vector_encode(vector, dim, code);
		CHECK(elac_delta_vector_decode(code, dim, decoded));
		for (int i = 0; i < dim; i++)
		{
			square += ((double) query[i] - decoded[i]) * ((double) query[i] - decoded[i]);
			product += (double) query[i] * decoded[i];
			magnitude += fabs((double) query[i] * decoded[i]);
		}
		for (int i = 0; i < lengthof(names); i++)
		{
			ElacDeltaDistance l2 = elac_delta_distance_by_name(ELAC_METRIC_L2, names[i]);

			if (l2 == NULL)
				continue;
			tested++;
			CHECK(fabs(l2(query, code, dim) - square) <= 1e-5 * square);
			CHECK(fabs(elac_delta_distance_by_name(ELAC_METRIC_IP, names[i]) (query, code, dim) + product) <=
				  1e-5 * magnitude);
			CHECK(fabs(elac_delta_distance_by_name(ELAC_METRIC_COSINE, names[i]) (query, code, dim) - (1 - product)) <=
				  1e-5 * (1 + magnitude));
		}
	}
	CHECK(tested >= 2000);
	CHECK(elac_delta_distance_by_name(ELAC_METRIC_L2, "no such") == NULL);

	/* beyond all numbers: a candidate, not a wrong order */
	for (int i = 0; i < 64; i++)
	{
		vector[i] = i % 2 ? FLT_MAX : -FLT_MAX;
		query[i] = FLT_MAX;
	}
	elac_delta_vector_encode(vector, 64, code);
	CHECK(elac_delta_distance_function(ELAC_METRIC_L2) (query, code, 64) == INFINITY);
	CHECK(!isnan(elac_delta_distance_function(ELAC_METRIC_IP) (query, code, 64)));
}

int
main(void)
{
	pgshim_init();
	test_manifest();
	test_manifest_damage();
	test_attrs();
	test_texts();
	test_crc();
	test_vector_codes();
	test_vector_bound();
	test_vector_distances();
	return check_done();
}
