/*
 * patched.h
 *	  Patched frames: up to 256 integers packed at a width that most of them
 *	  fit, the high bits of the others apart.
 *
 *	  byte 0		width 0..32, ELAC_PATCHED_SOME when there are patches
 *	  [patches	number of patches, 1..255; width of their high parts, 1..32]
 *	  values		low bits, packed (base/bitpack.h)
 *	  [patches	which values: their positions, a byte each, ascending, or, when that
 *				is no longer, a bit for each value; high parts, packed]
 *
 * The writer chooses the smallest; equal values give equal bytes.
 */
#ifndef ELAC_PATCHED_H
#define ELAC_PATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELAC_PATCHED_VALUES 256	/* at most, in one frame */
#define ELAC_PATCHED_WIDTH 0x3F
#define ELAC_PATCHED_SOME 0x40
#define ELAC_PATCHED_OTHER 0x80	/* in byte 0: not a patched frame; left to the caller */

/* The longest frame of n values: all of them at 32 bits. */
#define ELAC_PATCHED_MAX(n) (1 + (size_t) (n) * 4)

/* Writes a frame of n values at dst (ELAC_PATCHED_MAX(n) bytes of room); returns its length. */
extern size_t elac_patched_write(const uint32_t *values, size_t n, uint8_t *dst);

/*
 * Reads n values at *src, adds add to each and advances *src.  False when the
 * bytes up to end are not a frame of n values, or a sum would not fit 32 bits.
 */
extern bool elac_patched_read(const uint8_t **src, const uint8_t *end, size_t n, uint32_t add, uint32_t *values);

/* Advances *src past a frame of n values without reading them. */
extern bool elac_patched_skip(const uint8_t **src, const uint8_t *end, size_t n);

#endif							/* ELAC_PATCHED_H */
