/*
 * checksum_impl.h
 *	  The table-driven CRC-32C by its own name, for tests that compare it with
 *	  the processor's instruction.  Private to base.
 */
#ifndef ELAC_CHECKSUM_IMPL_H
#define ELAC_CHECKSUM_IMPL_H

#include <stddef.h>
#include <stdint.h>

extern uint32_t elac_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif							/* ELAC_CHECKSUM_IMPL_H */
