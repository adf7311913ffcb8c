/*
 * elacsym.h
 *	  Words shared by every layer: limits, the stored shape of the vector
 *	  types, column kinds and the frozen description of an index's columns.
 *
 * Nothing here has behaviour.  Included after postgres.h (or alone by code
 * that only wants the numbers).
 */
#ifndef ELACSYM_H
#define ELACSYM_H

#include "postgres.h"

#include "storage/block.h"

#define ELAC_MAX_DIM_STORED 16000	/* components a stored vector may have */
#define ELAC_MAX_DIM_INDEXED 4096	/* components an indexed vector may have */
#define ELAC_MAX_COLUMNS 32		/* INDEX_MAX_KEYS */

/* Number of a row within one segment (or one delta): 0 .. ndocs-1. */
typedef uint32 ElacDoc;
#define ELAC_INVALID_DOC UINT32_MAX

/* Layout of vector(n) datums; the same as pgvector's. */
typedef struct ElacVector
{
	int32		vl_len_;
	int16		dim;
	int16		unused;			/* always 0 */
	float		x[FLEXIBLE_ARRAY_MEMBER];
} ElacVector;

/* Layout of halfvec(n) datums; components are IEEE 754 binary16 bits. */
typedef struct ElacHalfvec
{
	int32		vl_len_;
	int16		dim;
	int16		unused;			/* always 0 */
	uint16		x[FLEXIBLE_ARRAY_MEMBER];
} ElacHalfvec;

/* Distances; the numbers reach the disk. */
typedef enum ElacMetric
{
	ELAC_METRIC_L2 = 1,			/* Euclidean distance, <-> */
	ELAC_METRIC_IP = 2,			/* negative inner product, <#> */
	ELAC_METRIC_COSINE = 3		/* 1 - cosine similarity, <=> */
} ElacMetric;

/* What an index column is; the numbers reach the disk. */
typedef enum ElacColumnKind
{
	ELAC_COLUMN_VECTOR = 1,
	ELAC_COLUMN_TEXT = 2,
	ELAC_COLUMN_ATTR = 3
} ElacColumnKind;

typedef enum ElacVectorElement
{
	ELAC_ELEMENT_FLOAT = 1,		/* vector */
	ELAC_ELEMENT_HALF = 2		/* halfvec */
} ElacVectorElement;

/*
 * Whether the best candidates' vectors are read from the heap, so that rows
 * are returned in exact order; the numbers reach the disk.
 */
typedef enum ElacRerank
{
	ELAC_RERANK_OPEN = 0,		/* not chosen yet; not a vector column */
	ELAC_RERANK_HEAP = 1,
	ELAC_RERANK_NONE = 2,		/* the codes' order is the answer */
	ELAC_RERANK_UNLESS_EXACT = 3	/* as NONE, but HEAP when the recall asked for is ELAC_RECALL_EXACT or more */
} ElacRerank;

#define ELAC_RECALL_EXACT 0.99

/* What a text column holds; the numbers reach the disk. */
typedef enum ElacTextType
{
	ELAC_TEXT_PLAIN = 1,		/* text: analysed by the column's configuration */
	ELAC_TEXT_TSVECTOR = 2,		/* tsvector: lexemes as they are, by label */
	ELAC_TEXT_ARRAY = 3			/* text[]: its elements, one after the other */
} ElacTextType;

/*
 * Labels of a tsvector's lexemes, numbered as the server does; all other texts
 * have label D alone.  A lexeme without positions has none: to the server's @@
 * it has whatever label is asked for.
 */
#define ELAC_LABEL_D 0
#define ELAC_LABEL_A 3
#define ELAC_LABEL_NONE 4
#define ELAC_LABELS 5
#define ELAC_LABEL_WEIGHTS 4	/* labels with a weight, D to A; lexemes without label have D's */

/* Flags of a text column. */
#define ELAC_TEXT_POSITIONS 1	/* positions are stored: phrases can be answered */
#define ELAC_TEXT_BIGRAMS 2		/* runs of CJK characters are indexed as overlapping pairs */

#define ELAC_CONFIG_NAME_LEN 130	/* "schema"."name", quoted, NUL included */

/*
 * One index column as frozen in the metapage when the index was built.  A
 * later ALTER INDEX ... SET does not reach it; REINDEX does.  Types are not
 * stored (pg_upgrade keeps no OIDs): they come from the index's TupleDesc.
 */
typedef struct ElacColumn
{
	uint8		kind;			/* ElacColumnKind */
	uint8		metric;			/* ElacMetric, vector columns */
	uint8		element;		/* ElacVectorElement, vector columns; ElacTextType, text columns */
	uint8		bits;			/* RaBitQ bits a dimension, 1..8 */
	uint16		dim;			/* vector columns; 0 while unknown (empty index, no typmod) */
	uint8		rerank;			/* ElacRerank, vector columns */
	uint8		flags;			/* ELAC_TEXT_*, text columns; 0 for others */
	float		k1;				/* BM25, text columns */
	float		b;				/* BM25, text columns */
	float		weight;			/* weight of the field, text columns */
	float		label_weight[ELAC_LABEL_WEIGHTS];	/* tsvector columns: of labels D, C, B, A; 1 otherwise */
	char		config[ELAC_CONFIG_NAME_LEN];	/* regconfig, qualified unless in pg_catalog */
	char		reserved2[6];	/* 0 */
} ElacColumn;

StaticAssertDecl(sizeof(ElacColumn) == 172, "ElacColumn is stored");

/* The frozen description of all columns, in index attribute order. */
typedef struct ElacSchema
{
	uint16		ncolumns;
	int16		vector_column;	/* position of the vector column, or -1 */
	uint16		ntext;			/* text columns */
	uint16		nattr;			/* attribute columns */
	ElacColumn	columns[ELAC_MAX_COLUMNS];
} ElacSchema;

/* The class of a row's vector: decides where an ordering scan puts the row. */
typedef enum ElacVectorClass
{
	ELAC_VECTOR_FINITE = 0,		/* has a finite distance to every query */
	ELAC_VECTOR_NAN = 1,		/* zero vector under cosine: distance NaN, after the finite ones */
	ELAC_VECTOR_NULL = 2		/* SQL NULL: last */
} ElacVectorClass;

#endif							/* ELACSYM_H */
