/*
 * delta_format.h
 *	  The stored form of a delta row: a record in each of three chains.
 *
 * docs chain, one record a row:
 *	 offset size  what
 *	      0    1  flags: bit 0 dead (set in place by VACUUM, outside of the CRC)
 *	      1    1  ElacVectorClass
 *	      2    2  magic
 *	      4    4  CRC-32C of bytes 1..3, 8..39 and the attributes
 *	      8    6  heap tid
 *	     14    2  error of the vector's code (lsm/delta_vector.h); 0 without a vector
 *	     16    8  where the vector begins (vectors chain); no block: none
 *	     24    8  where the term vectors begin (texts chain); no block: none
 *	     32    4  bytes of term vectors
 *	     36    4  bytes of attributes
 *	     40    -  attributes: bitmap of NULLs (one bit an attribute column, set =
 *	              NULL), then the others' values, each aligned as its type
 *	              demands, counted from the bitmap's first byte
 *
 * vectors chain: the prepared vector's code (lsm/delta_vector.h).  texts chain:
 * for each text column a uint32 length and so many bytes of a serialised term
 * vector (text/analyze.h).
 */
#ifndef ELAC_DELTA_FORMAT_H
#define ELAC_DELTA_FORMAT_H

#include "elacsym.h"

#include "storage/itemptr.h"

#include "segment/row.h"
#include "storage/chain.h"

#define ELAC_DELTA_MAGIC 0xD0C5
#define ELAC_DELTA_DEAD 0x01

typedef struct ElacDeltaHeader
{
	uint8		flags;
	uint8		vector_class;
	uint16		magic;
	uint32		crc;
	ItemPointerData tid;
	uint16		vector_error;	/* elac_delta_error_value() */
	ElacChainPos vector;
	ElacChainPos texts;
	uint32		texts_len;
	uint32		attrs_len;
} ElacDeltaHeader;

StaticAssertDecl(sizeof(ElacDeltaHeader) == 40, "ElacDeltaHeader is stored");
StaticAssertDecl(offsetof(ElacDeltaHeader, tid) == 8, "ElacDeltaHeader is stored");
StaticAssertDecl(offsetof(ElacDeltaHeader, vector) == 16, "ElacDeltaHeader is stored");

/* The CRC of a header and its attributes. */
extern uint32 elac_delta_crc(const ElacDeltaHeader *header, const uint8 *attrs);

/*
 * Attributes of a row.  size tells how many bytes encode writes.  decode
 * fills values and isnull (indexed by position in the schema; other columns
 * are left alone) with datums that point into bytes, which must be MAXALIGNed;
 * false when bytes are not attributes of this row type.
 */
extern Size elac_delta_attrs_size(const ElacRowType *type, const ElacRow *row);
extern void elac_delta_attrs_encode(const ElacRowType *type, const ElacRow *row, uint8 *dst);
extern bool elac_delta_attrs_decode(const ElacRowType *type, const uint8 *bytes, Size len, Datum *values, bool *isnull);

/*
 * Term vectors of a row, all text columns; terms[] is indexed by position in
 * the schema.  decode allocates in CurrentMemoryContext and points into bytes.
 */
extern Size elac_delta_texts_size(const ElacRowType *type, const ElacRow *row);
extern void elac_delta_texts_encode(const ElacRowType *type, const ElacRow *row, uint8 *dst);
extern bool elac_delta_texts_decode(const ElacRowType *type, const uint8 *bytes, Size len, ElacTermVector *terms);

#endif							/* ELAC_DELTA_FORMAT_H */
