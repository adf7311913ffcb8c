/*
 * bitpack.h
 *	  Unsigned integers packed at a fixed width of 0..32 bits, low bits first.
 */
#ifndef ELAC_BITPACK_H
#define ELAC_BITPACK_H

#include <stddef.h>
#include <stdint.h>

/* Bits needed for the largest of n values; 0 when all are 0. */
extern unsigned elac_bitpack_width(const uint32_t *values, size_t n);

static inline size_t
elac_bitpack_bytes(size_t n, unsigned width)
{
	return (n * width + 7) / 8;
}

/* Writes exactly elac_bitpack_bytes(n, width) bytes. */
extern void elac_bitpack(const uint32_t *values, size_t n, unsigned width, uint8_t *dst);

/* Reads exactly elac_bitpack_bytes(n, width) bytes and not one more. */
extern void elac_bitunpack(const uint8_t *src, size_t n, unsigned width, uint32_t *values);

/* One value by position; reads only bytes of the packed area. */
extern uint32_t elac_bitpack_get(const uint8_t *src, size_t n, unsigned width, size_t position);

#endif							/* ELAC_BITPACK_H */
