/*
 * bound_query.c
 *	  Makes and reads the stored form of elacsym_query.
 *
 * Users cannot write one out (the type has no input and no binary form), but a
 * value can be stored in a table, so everything in it is checked when it is
 * read: what is decoded here can be compiled and executed without harm.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"

#include "query/bound_query.h"

#define HEADER_SIZE offsetof(ElacBoundQuery, attnos)
#define OPERAND_WEIGHTS ((1 << ELAC_LABEL_WEIGHTS) - 1)	/* all labels that an operand may ask for */

Oid			elac_bound_query_granted = InvalidOid;

static Size
weights_offset(int nattnos)
{
	return HEADER_SIZE + TYPEALIGN(sizeof(int32), nattnos * sizeof(int16));
}

static Size
payload_offset(int nattnos, int nweights)
{
	return weights_offset(nattnos) + nweights * sizeof(float);
}

ElacBoundQuery *
elac_bound_query_make(const ElacTextRequest *request)
{
	const char *payload = request->words != NULL ? VARDATA_ANY(request->words) : (const char *) request->condition;
	Size		len = request->words != NULL ? VARSIZE_ANY_EXHDR(request->words) : VARSIZE(request->condition);
	Size		size = payload_offset(0, request->nweights) + len;
	ElacBoundQuery *bound = palloc0(size);

	SET_VARSIZE(bound, size);
	bound->index = InvalidOid;
	bound->kind = request->words != NULL ? ELAC_QUERY_WORDS : ELAC_QUERY_TSQUERY;
	bound->combine = request->combine;
	bound->flags = request->prefix ? ELAC_QUERY_PREFIX : 0;
	bound->nweights = request->nweights;
	bound->min_match = request->min_match;
	memcpy((char *) bound + weights_offset(0), request->weights, request->nweights * sizeof(float));
	memcpy((char *) bound + payload_offset(0, request->nweights), payload, len);
	return bound;
}

ElacBoundQuery *
elac_bound_query_bind(const ElacBoundQuery *query, Oid index, const int16 *attnos, int nattnos)
{
	Size		rest = VARSIZE(query) - weights_offset(query->nattnos);
	Size		size = weights_offset(nattnos) + rest;
	ElacBoundQuery *bound;

	Assert(nattnos >= 1 && nattnos <= ELAC_MAX_COLUMNS);
	bound = palloc0(size);
	memcpy(bound, query, HEADER_SIZE);
	SET_VARSIZE(bound, size);
	bound->index = index;
	bound->nattnos = nattnos;
	memcpy(bound->attnos, attnos, nattnos * sizeof(int16));
	memcpy((char *) bound + weights_offset(nattnos), (const char *) query + weights_offset(query->nattnos), rest);
	return (ElacBoundQuery *) elac_bound_query_decode(PointerGetDatum(bound));
}

/* ---- checking ---- */

static bool
operand_is_valid(const QueryOperand *operand, Size nbytes, const char *bytes)
{
	uint8		prefix;

	memcpy(&prefix, &operand->prefix, sizeof(prefix));
	return prefix <= 1 && (operand->weight & ~OPERAND_WEIGHTS) == 0 &&
		(Size) operand->distance + operand->length < nbytes &&
		bytes[operand->distance + operand->length] == '\0';
}

/*
 * Checks the subtree that begins at item first: the right operand comes next,
 * the left one right after it.  Returns the item after the subtree, 0 when it
 * is none.
 */
static uint32
subtree_end(const QueryItem *items, uint32 nitems, uint32 first)
{
	check_stack_depth();
	while (first < nitems && items[first].type == QI_OPR)
	{
		const QueryOperator *op = &items[first].qoperator;
		uint32		right_end;

		if (op->oper == OP_NOT)
		{
			first++;
			continue;
		}
		if (op->oper != OP_AND && op->oper != OP_OR && op->oper != OP_PHRASE)
			return 0;
		if (op->oper == OP_PHRASE && (op->distance < 0 || op->distance > MAXENTRYPOS))
			return 0;
		right_end = subtree_end(items, nitems, first + 1);
		if (right_end == 0 || (uint64) first + op->left != right_end)
			return 0;
		first = right_end;
	}
	return first < nitems && items[first].type == QI_VAL ? first + 1 : 0;
}

/* Is payload a whole tsquery? */
static bool
tsquery_is_valid(const char *payload, Size len)
{
	TSQuery		condition = (TSQuery) payload;
	const QueryItem *items;
	uint32		nitems;
	Size		nbytes;

	if (len < HDRSIZETQ || VARSIZE(condition) != len || condition->size < 0 ||
		(Size) condition->size > (len - HDRSIZETQ) / sizeof(QueryItem))
		return false;
	nitems = condition->size;
	if (nitems == 0)
		return true;
	items = GETQUERY(condition);
	nbytes = len - HDRSIZETQ - nitems * sizeof(QueryItem);
	for (uint32 i = 0; i < nitems; i++)
		if (items[i].type == QI_VAL && !operand_is_valid(&items[i].qoperand, nbytes, GETOPERAND(condition)))
			return false;
	return subtree_end(items, nitems, 0) == nitems;
}

static bool
weights_are_valid(const ElacBoundQuery *bound)
{
	const float *weights = (const float *) ((const char *) bound + weights_offset(bound->nattnos));

	for (int i = 0; i < bound->nweights; i++)
		if (!(weights[i] >= 0 && weights[i] <= ELAC_QUERY_WEIGHT_MAX))
			return false;
	return true;
}

static bool
options_are_valid(const ElacBoundQuery *bound)
{
	bool		words = bound->kind == ELAC_QUERY_WORDS;

	if ((!words && bound->kind != ELAC_QUERY_TSQUERY) || bound->combine > ELAC_COMBINE_BM25F || bound->reserved != 0 ||
		(bound->flags & ~ELAC_QUERY_PREFIX) != 0)
		return false;
	if (!(bound->min_match > 0) || (bound->min_match > 1 && bound->min_match != floorf(bound->min_match)))
		return false;
	return words || (bound->min_match == 1 && bound->flags == 0);
}

const ElacBoundQuery *
elac_bound_query_decode(Datum datum)
{
	const ElacBoundQuery *bound = (const ElacBoundQuery *) PG_DETOAST_DATUM(datum);
	Size		size = VARSIZE(bound);
	Size		payload;

	if (size < HEADER_SIZE || bound->nattnos > ELAC_MAX_COLUMNS || bound->nweights > ELAC_MAX_COLUMNS ||
		size < (payload = payload_offset(bound->nattnos, bound->nweights)) ||
		(bound->nattnos == 0) != (bound->index == InvalidOid) ||
		!options_are_valid(bound) || !weights_are_valid(bound) ||
		(bound->kind == ELAC_QUERY_TSQUERY && !tsquery_is_valid((const char *) bound + payload, size - payload)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid elacsym_query value")));
	for (int i = 0; i < bound->nattnos; i++)
		if (bound->attnos[i] < 1 || bound->attnos[i] > ELAC_MAX_COLUMNS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid elacsym_query value"),
					 errdetail("Attribute number %d is out of range.", bound->attnos[i])));
	return bound;
}

/* ---- reading ---- */

void
elac_bound_query_request(const ElacBoundQuery *bound, ElacTextRequest *request)
{
	Size		offset = payload_offset(bound->nattnos, bound->nweights);
	const char *payload = (const char *) bound + offset;
	Size		len = VARSIZE(bound) - offset;

	memset(request, 0, sizeof(ElacTextRequest));
	request->ncolumns = bound->nattnos;
	for (int i = 0; i < bound->nattnos; i++)
		request->columns[i] = bound->attnos[i] - 1;
	request->nweights = bound->nweights;
	memcpy(request->weights, (const char *) bound + weights_offset(bound->nattnos), bound->nweights * sizeof(float));
	request->combine = (ElacTextCombine) bound->combine;
	request->min_match = bound->min_match;
	request->prefix = (bound->flags & ELAC_QUERY_PREFIX) != 0;
	if (bound->kind == ELAC_QUERY_WORDS)
	{
		request->words = palloc(VARHDRSZ + len);
		SET_VARSIZE(request->words, VARHDRSZ + len);
		memcpy(VARDATA(request->words), payload, len);
	}
	else
		request->condition = memcpy(palloc(len), payload, len);
}
