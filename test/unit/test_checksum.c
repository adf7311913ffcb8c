/*
 * test_checksum.c
 *	  CRC-32C: known values, the table against the instruction, pieces.
 */
#include "check.h"

#include <string.h>

#include "base/checksum.h"
#include "base/checksum_impl.h"
#include "base/rng.h"

/* One bit a step, from the polynomial. */
static uint32_t
crc_by_bits(const uint8_t *data, size_t len)
{
	uint32_t	crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++)
	{
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
	}
	return ~crc;
}

int
main(void)
{
	static uint8_t bytes[8200];
	uint8_t		pattern[32];
	ElacRng		rng;

	/* RFC 3720, B.4, and the check value of the catalogues of CRCs */
	CHECK_EQ(elac_crc32c(0, "123456789", 9), 0xE3069283);
	memset(pattern, 0, 32);
	CHECK_EQ(elac_crc32c(0, pattern, 32), 0x8A9136AA);
	memset(pattern, 0xFF, 32);
	CHECK_EQ(elac_crc32c(0, pattern, 32), 0x62A8AB43);
	for (int i = 0; i < 32; i++)
		pattern[i] = (uint8_t) i;
	CHECK_EQ(elac_crc32c(0, pattern, 32), 0x46DD794E);
	CHECK_EQ(elac_crc32c(0, pattern, 0), 0);
	CHECK_EQ(elac_crc32c_portable(0, "123456789", 9), 0xE3069283);

	elac_rng_seed(&rng, 3);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) elac_rng_u64(&rng);
	for (size_t start = 0; start < 9; start++)
	{
		for (size_t len = 0; len < 70; len++)
		{
			uint32_t	want = crc_by_bits(bytes + start, len);

			CHECK_EQ(elac_crc32c(0, bytes + start, len), want);
			CHECK_EQ(elac_crc32c_portable(0, bytes + start, len), want);
			/* in two pieces, at every place */
			for (size_t cut = 0; cut <= len; cut++)
			{
				CHECK_EQ(elac_crc32c(elac_crc32c(0, bytes + start, cut), bytes + start + cut, len - cut), want);
				CHECK_EQ(elac_crc32c_portable(elac_crc32c_portable(0, bytes + start, cut), bytes + start + cut, len - cut), want);
			}
		}
	}
	CHECK_EQ(elac_crc32c(0, bytes, 8128), crc_by_bits(bytes, 8128));
	CHECK_EQ(elac_crc32c_portable(0, bytes, 8128), crc_by_bits(bytes, 8128));

	/* a flipped bit is seen */
	for (size_t bit = 0; bit < 8128; bit += 11)
	{
		uint32_t	good = elac_crc32c(0, bytes, 8128);

		bytes[bit] ^= (uint8_t) (1 << bit % 8);
		CHECK(elac_crc32c(0, bytes, 8128) != good);
		bytes[bit] ^= (uint8_t) (1 << bit % 8);
	}
	return check_done();
}
