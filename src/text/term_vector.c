/*
 * term_vector.c
 *	  Term vectors: their order, their labels, and their flat form for the
 *	  delta and the build's sort.
 *
 * Flat form, numbers in LEB128:
 *
 *	  byte 0	TERMS_NULL, or TERMS_PRESENT with TERMS_POSITIONS and TERMS_LABELS
 *	  then the vector of label D, and with TERMS_LABELS those of C, B, A and none:
 *	  number of terms; with TERMS_POSITIONS the sum of their positions; then
 *	  for each term its length, its bytes, and
 *	  - without positions: tf
 *	  - with positions: (tf << 1 | their number is not tf), then that number
 *		when it is not, then the gaps between positions, the first from 0.
 */
#include "postgres.h"

#include "base/varint.h"
#include "text/analyze.h"

#define TERMS_PRESENT 0
#define TERMS_NULL 1			/* alone */
#define TERMS_POSITIONS 2
#define TERMS_LABELS 4
#define TERM_BYTES_MIN 3		/* flat size of the smallest term: length, one byte, tf */

int
elac_term_compare(const char *a, uint32 alen, const char *b, uint32 blen)
{
	int			cmp = memcmp(a, b, Min(alen, blen));

	if (cmp != 0)
		return cmp;
	return (alen > blen) - (alen < blen);
}

const ElacTermVector *
elac_terms_label(const ElacTermVector *terms, int label)
{
	static const ElacTermVector none = {0};

	if (label == ELAC_LABEL_D)
		return terms;
	return terms->labels != NULL ? &terms->labels[label - 1] : &none;
}

/* ---- writing ---- */

static uint64
count_positions(const ElacTermVector *vector)
{
	uint64		n = 0;

	for (uint32 i = 0; i < vector->nterms; i++)
		n += vector->terms[i].npositions;
	return n;
}

/* First byte of the flat form. */
static uint8
terms_flags(const ElacTermVector *terms)
{
	uint8		flags = TERMS_PRESENT;

	if (terms->isnull)
		return TERMS_NULL;
	if (terms->labels != NULL)
		flags |= TERMS_LABELS;
	for (int label = 0; label < ELAC_LABELS; label++)
		if (count_positions(elac_terms_label(terms, label)) > 0)
			flags |= TERMS_POSITIONS;
	return flags;
}

static inline int
number_of_vectors(uint8 flags)
{
	return flags & TERMS_LABELS ? ELAC_LABELS : 1;
}

/* Bytes of a number, nearly all of which have one. */
static inline Size
varint_len(uint64 value)
{
	return value < 0x80 ? 1 : elac_varint_len(value);
}

static inline uint8 *
put_varint(uint8 *dst, uint64 value)
{
	if (value < 0x80)
	{
		*dst = (uint8) value;
		return dst + 1;
	}
	return dst + elac_varint_put(dst, value);
}

static Size
vector_size(const ElacTermVector *vector, bool positions)
{
	Size		size = varint_len(vector->nterms);

	if (positions)
		size += varint_len(count_positions(vector));
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		const ElacTerm *term = &vector->terms[i];
		uint32		last = 0;

		size += varint_len(term->len) + term->len + varint_len((uint64) term->tf << (positions ? 1 : 0));
		if (!positions)
			continue;
		if (term->npositions != term->tf)
			size += varint_len(term->npositions);
		for (uint32 p = 0; p < term->npositions; p++)
		{
			size += varint_len(term->positions[p] - last);
			last = term->positions[p];
		}
	}
	return size;
}

static uint8 *
vector_put(const ElacTermVector *vector, bool positions, uint8 *dst)
{
	dst = put_varint(dst, vector->nterms);
	if (positions)
		dst = put_varint(dst, count_positions(vector));
	for (uint32 i = 0; i < vector->nterms; i++)
	{
		const ElacTerm *term = &vector->terms[i];
		uint32		last = 0;

		dst = put_varint(dst, term->len);
		memcpy(dst, term->bytes, term->len);
		dst += term->len;
		if (!positions)
		{
			dst = put_varint(dst, term->tf);
			continue;
		}
		dst = put_varint(dst, (uint64) term->tf << 1 | (term->npositions != term->tf));
		if (term->npositions != term->tf)
			dst = put_varint(dst, term->npositions);
		for (uint32 p = 0; p < term->npositions; p++)
		{
			dst = put_varint(dst, term->positions[p] - last);
			last = term->positions[p];
		}
	}
	return dst;
}

Size
elac_terms_serialized_size(const ElacTermVector *terms)
{
	uint8		flags = terms_flags(terms);
	Size		size = 1;

	if (terms->isnull)
		return size;
	for (int label = 0; label < number_of_vectors(flags); label++)
		size += vector_size(elac_terms_label(terms, label), (flags & TERMS_POSITIONS) != 0);
	return size;
}

void
elac_terms_serialize(const ElacTermVector *terms, uint8 *dst)
{
	uint8		flags = terms_flags(terms);

	*dst++ = flags;
	if (terms->isnull)
		return;
	for (int label = 0; label < number_of_vectors(flags); label++)
		dst = vector_put(elac_terms_label(terms, label), (flags & TERMS_POSITIONS) != 0, dst);
}

/* ---- reading ---- */

static inline bool
get_varint(const uint8 **src, const uint8 *end, uint64 *value)
{
	if (likely(*src < end && **src < 0x80))
	{
		*value = *(*src)++;
		return true;
	}
	return elac_varint_get(src, end, value);
}

/* The positions of a term; npositions is checked, *next has room for them. */
static bool
parse_positions(const uint8 **src, const uint8 *end, ElacTerm *term, uint16 **next)
{
	uint64		position = 0;

	term->positions = *next;
	for (uint32 p = 0; p < term->npositions; p++)
	{
		uint64		gap;

		if (!get_varint(src, end, &gap) || gap == 0 || gap > ELAC_POSITION_MAX)
			return false;
		position += gap;
		if (position > ELAC_POSITION_MAX)
			return false;
		*(*next)++ = (uint16) position;
	}
	return true;
}

/* Reads one term that must come after prev (NULL for the first); *left positions may still come. */
static bool
parse_term(const uint8 **src, const uint8 *end, bool positions, const ElacTerm *prev, ElacTerm *term,
		   uint64 *left, uint16 **next)
{
	uint64		len;
	uint64		tf;
	uint64		npositions = 0;

	if (!get_varint(src, end, &len) || len == 0 || len > ELAC_TERM_MAX || len > (uint64) (end - *src))
		return false;
	term->bytes = (const char *) *src;
	term->len = (uint32) len;
	*src += len;
	if (prev != NULL && elac_term_compare(prev->bytes, prev->len, term->bytes, term->len) >= 0)
		return false;
	if (!get_varint(src, end, &tf))
		return false;
	if (positions)
	{
		bool		other = (tf & 1) != 0;

		tf >>= 1;
		npositions = tf;
		if (other && (!get_varint(src, end, &npositions) || npositions == tf))
			return false;
		if (npositions > Min(*left, ELAC_POSITIONS_MAX) || npositions > tf)
			return false;
		*left -= npositions;
	}
	if (tf == 0 || tf > UINT32_MAX)
		return false;
	term->tf = (uint32) tf;
	term->npositions = (uint32) npositions;
	term->positions = NULL;
	return !positions || parse_positions(src, end, term, next);
}

static bool
parse_vector(const uint8 **src, const uint8 *end, bool positions, ElacTermVector *out, uint64 *npositions)
{
	uint64		nterms;
	uint64		length = 0;
	uint16	   *next = NULL;
	uint64		left;

	*npositions = 0;
	if (!get_varint(src, end, &nterms) || nterms > (uint64) (end - *src) / TERM_BYTES_MIN)
		return false;
	if (positions && (!get_varint(src, end, npositions) || *npositions > (uint64) (end - *src)))
		return false;
	out->terms = palloc_extended(nterms * sizeof(ElacTerm) + *npositions * sizeof(uint16) + 1, MCXT_ALLOC_HUGE);
	if (positions)
		next = (uint16 *) (out->terms + nterms);
	left = *npositions;
	for (uint64 i = 0; i < nterms; i++)
	{
		if (!parse_term(src, end, positions, i > 0 ? &out->terms[i - 1] : NULL, &out->terms[i], &left, &next))
			return false;
		length += out->terms[i].tf;
	}
	if (left > 0 || length > UINT32_MAX)
		return false;
	out->nterms = (uint32) nterms;
	out->length = (uint32) length;
	return true;
}

bool
elac_terms_parse(const uint8 *bytes, Size len, ElacTermVector *out)
{
	const uint8 *src = bytes;
	const uint8 *end = bytes + len;
	uint64		total = 0;
	uint8		flags;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return false;
	flags = *src++;
	if (flags == TERMS_NULL)
	{
		out->isnull = true;
		return len == 1;
	}
	if ((flags & ~(TERMS_POSITIONS | TERMS_LABELS)) != 0)
		return false;
	if (flags & TERMS_LABELS)
		out->labels = palloc0((ELAC_LABELS - 1) * sizeof(ElacTermVector));
	for (int label = 0; label < number_of_vectors(flags); label++)
	{
		ElacTermVector *vector = label == ELAC_LABEL_D ? out : &out->labels[label - 1];
		uint64		npositions;

		if (!parse_vector(&src, end, (flags & TERMS_POSITIONS) != 0, vector, &npositions))
			return false;
		total += npositions;
	}
	return src == end && (total > 0) == ((flags & TERMS_POSITIONS) != 0);
}
