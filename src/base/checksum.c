/*
 * checksum.c
 *	  CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, initial value and
 *	  final xor all ones): eight bytes a step from tables, or the processor's
 *	  own instruction.
 *
 * The tables are filled at first use; a backend has one thread.
 */
#include "base/checksum.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/checksum_impl.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif
#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define CRC32C_POLYNOMIAL UINT32_C(0x82F63B78)

/* table[k][b]: the crc of byte b followed by k zero bytes */
static uint32_t crc32c_table[8][256];
static bool crc32c_table_filled = false;

static void
crc32c_fill_table(void)
{
	for (uint32_t b = 0; b < 256; b++)
	{
		uint32_t	crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) ? CRC32C_POLYNOMIAL : 0);
		crc32c_table[0][b] = crc;
	}
	for (int k = 1; k < 8; k++)
	{
		for (uint32_t b = 0; b < 256; b++)
		{
			uint32_t	crc = crc32c_table[k - 1][b];

			crc32c_table[k][b] = (crc >> 8) ^ crc32c_table[0][crc & 0xFF];
		}
	}
	crc32c_table_filled = true;
}

uint32_t
elac_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (!crc32c_table_filled)
		crc32c_fill_table();

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8)
	{
		uint64_t	word = elac_get_u64(p) ^ crc;

		crc = crc32c_table[7][word & 0xFF] ^
			crc32c_table[6][(word >> 8) & 0xFF] ^
			crc32c_table[5][(word >> 16) & 0xFF] ^
			crc32c_table[4][(word >> 24) & 0xFF] ^
			crc32c_table[3][(word >> 32) & 0xFF] ^
			crc32c_table[2][(word >> 40) & 0xFF] ^
			crc32c_table[1][(word >> 48) & 0xFF] ^
			crc32c_table[0][word >> 56];
	}
	for (; len > 0; len--, p++)
		crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *p) & 0xFF];
	return ~crc;
}

#if defined(__x86_64__)

static bool
crc32c_hardware_present(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2");
}

static __attribute__((target("sse4.2"))) uint32_t
crc32c_hardware(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t	crc64 = ~crc;

	for (; len >= 8; len -= 8, p += 8)
		crc64 = _mm_crc32_u64(crc64, elac_get_u64(p));
	crc = (uint32_t) crc64;
	for (; len > 0; len--, p++)
		crc = _mm_crc32_u8(crc, *p);
	return ~crc;
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

static bool
crc32c_hardware_present(void)
{
	return true;				/* the compiler was told so */
}

static uint32_t
crc32c_hardware(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8)
		crc = __crc32cd(crc, elac_get_u64(p));
	for (; len > 0; len--, p++)
		crc = __crc32cb(crc, *p);
	return ~crc;
}

#else

static bool
crc32c_hardware_present(void)
{
	return false;
}

#define crc32c_hardware elac_crc32c_portable

#endif

uint32_t
elac_crc32c(uint32_t crc, const void *data, size_t len)
{
	static uint32_t (*chosen) (uint32_t, const void *, size_t) = NULL;

	if (chosen == NULL)
		chosen = crc32c_hardware_present() ? crc32c_hardware : elac_crc32c_portable;
	return chosen(crc, data, len);
}
