/*
 * checksum.h
 *	  CRC-32C (Castagnoli), hardware where the processor has it.
 */
#ifndef ELAC_CHECKSUM_H
#define ELAC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* crc of data continuing from a former result; start with 0. */
extern uint32_t elac_crc32c(uint32_t crc, const void *data, size_t len);

#endif							/* ELAC_CHECKSUM_H */
