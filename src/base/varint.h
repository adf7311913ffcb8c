/*
 * varint.h
 *	  LEB128: seven bits a byte, low first, at most ten bytes.
 */
#ifndef ELAC_VARINT_H
#define ELAC_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELAC_VARINT_MAX 10

/* Writes value at dst (ELAC_VARINT_MAX bytes of room) and returns its length. */
extern size_t elac_varint_put(uint8_t *dst, uint64_t value);

/* Reads at *src, advances it; false past end, on overlong or overflowing input. */
extern bool elac_varint_get(const uint8_t **src, const uint8_t *end, uint64_t *value);
extern size_t elac_varint_len(uint64_t value);

#endif							/* ELAC_VARINT_H */
