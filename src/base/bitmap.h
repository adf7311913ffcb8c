/*
 * bitmap.h
 *	  Fixed-size bitmaps over document numbers.  Freestanding: memory is the
 *	  caller's.  Bits past nbits in the last word are always zero.
 */
#ifndef ELAC_BITMAP_H
#define ELAC_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ElacBitmap
{
	uint32_t	nbits;
	uint64_t   *words;			/* elac_bitmap_words(nbits) of them */
} ElacBitmap;

static inline size_t
elac_bitmap_words(uint32_t nbits)
{
	return ((size_t) nbits + 63) / 64;
}

static inline bool
elac_bitmap_get(const ElacBitmap *bitmap, uint32_t bit)
{
	return (bitmap->words[bit >> 6] >> (bit & 63)) & 1;
}

static inline void
elac_bitmap_set(ElacBitmap *bitmap, uint32_t bit)
{
	bitmap->words[bit >> 6] |= (uint64_t) 1 << (bit & 63);
}

static inline void
elac_bitmap_clear(ElacBitmap *bitmap, uint32_t bit)
{
	bitmap->words[bit >> 6] &= ~((uint64_t) 1 << (bit & 63));
}

extern void elac_bitmap_zero(ElacBitmap *bitmap);
extern void elac_bitmap_fill(ElacBitmap *bitmap);	/* all nbits set */
extern void elac_bitmap_copy(ElacBitmap *dst, const ElacBitmap *src);
extern void elac_bitmap_and(ElacBitmap *dst, const ElacBitmap *src);
extern void elac_bitmap_or(ElacBitmap *dst, const ElacBitmap *src);
extern void elac_bitmap_andnot(ElacBitmap *dst, const ElacBitmap *src);	/* dst & ~src */
extern void elac_bitmap_not(ElacBitmap *dst);
extern uint32_t elac_bitmap_count(const ElacBitmap *bitmap);
extern uint32_t elac_bitmap_count_range(const ElacBitmap *bitmap, uint32_t first, uint32_t last);

/* Sets [first, last). */
extern void elac_bitmap_set_range(ElacBitmap *bitmap, uint32_t first, uint32_t last);

/* First set bit >= from, or nbits. */
extern uint32_t elac_bitmap_next(const ElacBitmap *bitmap, uint32_t from);

/* Is a bit of [from, to) set?  Looks at those alone; to is at most nbits. */
extern bool elac_bitmap_any(const ElacBitmap *bitmap, uint32_t from, uint32_t to);

/* The 32 bits from bit `from` on (bits past nbits are 0). */
extern uint32_t elac_bitmap_window32(const ElacBitmap *bitmap, uint32_t from);

#endif							/* ELAC_BITMAP_H */
