/*
 * bound_query.c
 *	  Makes and reads the stored form of elacsym_query.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

#include "query/bound_query.h"

#define HEADER_SIZE offsetof(ElacBoundQuery, attnos)

Oid			elac_bound_query_granted = InvalidOid;

ElacBoundQuery *
elac_bound_query_make(Oid index, const int16 *attnos, int nattnos, Datum query)
{
	text	   *value = DatumGetTextPP(query);
	Size		len = VARSIZE_ANY_EXHDR(value);
	Size		size = HEADER_SIZE + nattnos * sizeof(int16) + len;
	ElacBoundQuery *bound;

	Assert(nattnos >= 1 && nattnos <= ELAC_MAX_COLUMNS);
	bound = palloc0(size);
	SET_VARSIZE(bound, size);
	bound->index = index;
	bound->nattnos = nattnos;
	memcpy(bound->attnos, attnos, nattnos * sizeof(int16));
	memcpy((char *) (bound->attnos + nattnos), VARDATA_ANY(value), len);
	return bound;
}

const ElacBoundQuery *
elac_bound_query_decode(Datum datum)
{
	const ElacBoundQuery *bound = (const ElacBoundQuery *) PG_DETOAST_DATUM(datum);
	Size		size = VARSIZE(bound);

	if (size < HEADER_SIZE ||
		bound->nattnos < 1 || bound->nattnos > ELAC_MAX_COLUMNS || bound->reserved != 0 ||
		size < HEADER_SIZE + bound->nattnos * sizeof(int16))
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

Datum
elac_bound_query_text(const ElacBoundQuery *bound)
{
	const char *bytes = (const char *) (bound->attnos + bound->nattnos);
	Size		len = VARSIZE(bound) - HEADER_SIZE - bound->nattnos * sizeof(int16);
	text	   *value = palloc(VARHDRSZ + len);

	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), bytes, len);
	return PointerGetDatum(value);
}

void
elac_bound_query_request(const ElacBoundQuery *bound, ElacTextRequest *request)
{
	memset(request, 0, sizeof(ElacTextRequest));
	request->ncolumns = bound->nattnos;
	for (int i = 0; i < bound->nattnos; i++)
		request->columns[i] = bound->attnos[i] - 1;
	request->words = DatumGetTextPP(elac_bound_query_text(bound));
}
