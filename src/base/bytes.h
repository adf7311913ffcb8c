/*
 * bytes.h
 *	  Little-endian loads and stores at any alignment.
 */
#ifndef ELAC_BYTES_H
#define ELAC_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elacsym's stored format is little-endian and big-endian machines are not supported"
#endif

#define ELAC_BYTES_DEFINE(bits) \
static inline uint##bits##_t elac_get_u##bits(const void *src) \
{ uint##bits##_t value; memcpy(&value, src, sizeof(value)); return value; } \
static inline void elac_put_u##bits(void *dst, uint##bits##_t value) \
{ memcpy(dst, &value, sizeof(value)); }

ELAC_BYTES_DEFINE(16)
ELAC_BYTES_DEFINE(32)
ELAC_BYTES_DEFINE(64)

static inline float
elac_get_f32(const void *src)
{
	float		value;

	memcpy(&value, src, sizeof(value));
	return value;
}

static inline void
elac_put_f32(void *dst, float value)
{
	memcpy(dst, &value, sizeof(value));
}

#endif							/* ELAC_BYTES_H */
