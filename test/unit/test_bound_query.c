/*
 * test_bound_query.c
 *	  The stored form of elacsym_query: what is made can be read, and damaged
 *	  bytes are refused or harmless.
 */
#include "pgshim.h"

#include "tsearch/ts_type.h"

#include "base/rng.h"
#include "query/bound_query.h"

/* its layer is not in the library that unit tests are linked with */
#include "../../src/query/bound_query.c"

#define ROUNDS 40000

/* 'fox':*A & !( 'lazi' <2> 'cat' | 'dog' ), as the server stores it. */
static TSQuery
sample_condition(void)
{
	static const char *const words[] = {"dog", "cat", "lazi", "fox"};
	static const struct
	{
		int8		type;
		int8		oper;
		int16		distance;
		uint32		left;
		int			word;
	}			shape[] = {
		{QI_OPR, OP_AND, 0, 7, 0}, {QI_OPR, OP_NOT, 0, 1, 0}, {QI_OPR, OP_OR, 0, 2, 0}, {QI_VAL, 0, 0, 0, 0},
		{QI_OPR, OP_PHRASE, 2, 2, 0}, {QI_VAL, 0, 0, 0, 1}, {QI_VAL, 0, 0, 0, 2}, {QI_VAL, 0, 0, 0, 3}
	};
	Size		nbytes = 0;
	Size		size;
	TSQuery		condition;
	char	   *bytes;

	for (int w = 0; w < lengthof(words); w++)
		nbytes += strlen(words[w]) + 1;
	size = COMPUTESIZE(lengthof(shape), nbytes);
	condition = palloc0(size);
	SET_VARSIZE(condition, size);
	condition->size = lengthof(shape);
	bytes = GETOPERAND(condition);
	for (int i = 0; i < lengthof(shape); i++)
	{
		QueryItem  *item = &GETQUERY(condition)[i];

		item->type = shape[i].type;
		if (shape[i].type == QI_OPR)
		{
			item->qoperator.oper = shape[i].oper;
			item->qoperator.distance = shape[i].distance;
			item->qoperator.left = shape[i].left;
			continue;
		}
		item->qoperand.weight = shape[i].word == 3 ? 8 : 0;
		item->qoperand.prefix = shape[i].word == 3;
		item->qoperand.length = strlen(words[shape[i].word]);
		item->qoperand.distance = bytes - GETOPERAND(condition);
		strcpy(bytes, words[shape[i].word]);
		bytes += strlen(bytes) + 1;
	}
	return condition;
}

static text *
make_text(const char *value)
{
	text	   *result = palloc(VARHDRSZ + strlen(value));

	SET_VARSIZE(result, VARHDRSZ + strlen(value));
	memcpy(VARDATA(result), value, strlen(value));
	return result;
}

static ElacBoundQuery *
sample_query(bool words, bool bound)
{
	static const int16 attnos[] = {3, 1, 32};
	ElacTextRequest request = {0};
	ElacBoundQuery *query;

	request.nweights = 2;
	request.weights[0] = 1.5f;
	request.weights[1] = 0;
	request.combine = ELAC_COMBINE_BM25F;
	request.min_match = words ? 0.75f : 1;
	request.prefix = words;
	request.words = words ? make_text("cheap flights") : NULL;
	request.condition = words ? NULL : sample_condition();
	query = elac_bound_query_make(&request);
	return bound ? elac_bound_query_bind(query, 4711, attnos, lengthof(attnos)) : query;
}

static void
test_round_trip(void)
{
	for (int kind = 0; kind < 4; kind++)
	{
		bool		words = kind & 1;
		bool		bound = kind & 2;
		ElacBoundQuery *query = sample_query(words, bound);
		TSQuery		condition = sample_condition();
		ElacTextRequest request;

		CHECK(elac_bound_query_decode(PointerGetDatum(query)) == query);
		elac_bound_query_request(query, &request);
		CHECK_EQ(query->index, bound ? 4711 : InvalidOid);
		CHECK_EQ(request.ncolumns, bound ? 3 : 0);
		CHECK(!bound || (request.columns[0] == 2 && request.columns[1] == 0 && request.columns[2] == 31));
		CHECK(request.nweights == 2 && request.weights[0] == 1.5f && request.weights[1] == 0);
		CHECK(request.combine == ELAC_COMBINE_BM25F && request.prefix == words);
		CHECK(request.min_match == (words ? 0.75f : 1));
		CHECK((request.words != NULL) == words && (request.condition != NULL) == !words);
		if (words)
			CHECK(VARSIZE(request.words) - VARHDRSZ == 13 && memcmp(VARDATA(request.words), "cheap flights", 13) == 0);
		else
			CHECK(VARSIZE(request.condition) == VARSIZE(condition) && memcmp(request.condition, condition, VARSIZE(condition)) == 0);
	}
	/* words of no bytes, a tsquery of no items */
	for (int words = 0; words < 2; words++)
	{
		ElacTextRequest request = {0};
		TSQuery		empty = palloc0(HDRSIZETQ);
		ElacBoundQuery *query;

		SET_VARSIZE(empty, HDRSIZETQ);
		request.min_match = 1;
		request.words = words ? make_text("") : NULL;
		request.condition = words ? NULL : empty;
		query = elac_bound_query_make(&request);
		CHECK_QUIET(elac_bound_query_decode(PointerGetDatum(query)));
	}
}

#define REFUSED(change) \
	do { \
		ElacBoundQuery *query = sample_query(false, true); \
		TSQuery		condition = (TSQuery) ((char *) query + payload_offset(3, 2)); \
		QueryItem  *items = GETQUERY(condition); \
		float	   *weights = (float *) ((char *) query + weights_offset(3)); \
		\
		(void) items; \
		(void) weights; \
		change; \
		CHECK_RAISES(elac_bound_query_decode(PointerGetDatum(query)), ERRCODE_INVALID_BINARY_REPRESENTATION); \
	} while (0)

static void
test_refused(void)
{
	REFUSED(SET_VARSIZE(query, HEADER_SIZE - 1));
	REFUSED(SET_VARSIZE(query, payload_offset(3, 2) - 1));
	REFUSED(SET_VARSIZE(query, VARSIZE(query) - 1));
	REFUSED(query->nattnos = 0);
	REFUSED(query->nattnos = ELAC_MAX_COLUMNS + 1);
	REFUSED(query->index = InvalidOid);
	REFUSED(query->attnos[1] = 0);
	REFUSED(query->attnos[1] = -1);
	REFUSED(query->attnos[1] = ELAC_MAX_COLUMNS + 1);
	REFUSED(query->kind = 0);
	REFUSED(query->kind = 3);
	REFUSED(query->combine = 3);
	REFUSED(query->flags = ELAC_QUERY_PREFIX);
	REFUSED(query->flags = 2);
	REFUSED(query->nweights = ELAC_MAX_COLUMNS + 1);
	REFUSED(query->reserved = 1);
	REFUSED(query->min_match = 2);
	REFUSED(query->min_match = NAN);
	REFUSED(query->min_match = 0);
	REFUSED(weights[1] = -1);
	REFUSED(weights[1] = NAN);
	REFUSED(weights[1] = INFINITY);
	REFUSED(condition->size = 7);
	REFUSED(condition->size = 9);
	REFUSED(condition->size = -1);
	REFUSED(condition->size = INT32_MAX);
	REFUSED(items[0].qoperator.left = 6);
	REFUSED(items[0].qoperator.left = 0);
	REFUSED(items[0].qoperator.left = UINT32_MAX);
	REFUSED(items[0].qoperator.oper = 5);
	REFUSED(items[0].type = QI_VALSTOP);
	REFUSED(items[1].qoperator.oper = OP_AND);
	REFUSED(items[4].qoperator.distance = -1);
	REFUSED(items[4].qoperator.distance = MAXENTRYPOS + 1);
	REFUSED(items[7].qoperand.weight = 16);
	REFUSED(*(uint8 *) &items[7].qoperand.prefix = 2);
	REFUSED(items[7].qoperand.length = 5);
	REFUSED(items[7].qoperand.distance = 0xFFFFF);
	REFUSED(items[7].type = QI_OPR);
}

/* The tree that decoding let through: every item is read once, every operand ends within the value. */
static void
walk_condition(TSQuery condition)
{
	Size		nbytes = VARSIZE(condition) - HDRSIZETQ - condition->size * sizeof(QueryItem);
	int			met = 0;

	for (int i = 0; i < condition->size; i++)
	{
		const QueryItem *item = &GETQUERY(condition)[i];

		if (item->type == QI_VAL)
			CHECK(strnlen(GETOPERAND(condition) + item->qoperand.distance, nbytes - item->qoperand.distance) <
				  nbytes - item->qoperand.distance);
		else
			/* nobody reads the left operand of NOT, and the server's own !! leaves it 0 */
			CHECK(i + 1 < condition->size &&
				  (item->qoperator.oper == OP_NOT || i + (int) item->qoperator.left < condition->size));
		met += item->type == QI_VAL ? 1 : item->qoperator.oper == OP_NOT ? 0 : -1;
	}
	CHECK_EQ(met, condition->size > 0 ? 1 : 0);
}

static void
test_damage(void)
{
	ElacRng		rng;
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "damage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	int			accepted = 0;

	elac_rng_seed(&rng, 17);
	for (int round = 0; round < ROUNDS; round++)
	{
		ElacBoundQuery *query;
		Size		size;
		ElacTextRequest request;

		MemoryContextReset(work);
		query = sample_query(round % 4 == 0, round % 2 == 0);
		size = VARSIZE(query);
		for (uint64 n = 1 + elac_rng_u64(&rng) % 3; n > 0; n--)
			((uint8 *) query)[4 + elac_rng_u64(&rng) % (size - 4)] = (uint8) elac_rng_u64(&rng);
		if (round % 8 == 0)
			SET_VARSIZE(query, 4 + elac_rng_u64(&rng) % (size - 4));
		if (PGSHIM_RAISES(elac_bound_query_decode(PointerGetDatum(query))))
		{
			CHECK_EQ(pgshim_error.sqlstate, ERRCODE_INVALID_BINARY_REPRESENTATION);
			continue;
		}
		accepted++;
		elac_bound_query_request(query, &request);
		if (request.condition != NULL)
			walk_condition(request.condition);
	}
	CHECK(accepted > 0 && accepted < ROUNDS);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

int
main(void)
{
	MemoryContext work;

	pgshim_init();
	work = AllocSetContextCreate(TopMemoryContext, "test", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(work);
	test_round_trip();
	test_refused();
	test_damage();
	return check_done();
}
