/*
 * test_bytes.c
 *	  Loads and stores at every alignment, low byte first.
 */
#include "check.h"

#include "base/bytes.h"

int
main(void)
{
	uint8_t		bytes[24];

	for (int at = 0; at < 16; at++)
	{
		memset(bytes, 0xCC, sizeof(bytes));
		elac_put_u64(bytes + at, UINT64_C(0x0102030405060708));
		for (int i = 0; i < 8; i++)
			CHECK_EQ(bytes[at + i], 8 - i);
		CHECK_EQ(bytes[at + 8 < 24 ? at + 8 : 0], at + 8 < 24 ? 0xCC : bytes[0]);
		CHECK(elac_get_u64(bytes + at) == UINT64_C(0x0102030405060708));
		CHECK_EQ(elac_get_u32(bytes + at), 0x05060708);
		CHECK_EQ(elac_get_u16(bytes + at), 0x0708);
		elac_put_u32(bytes + at, 0xA0B0C0D0);
		CHECK_EQ(elac_get_u32(bytes + at), 0xA0B0C0D0);
		CHECK_EQ(bytes[at + 4], 4);
		elac_put_u16(bytes + at, 0xBEEF);
		CHECK_EQ(elac_get_u16(bytes + at), 0xBEEF);
		CHECK_EQ(bytes[at + 2], 0xB0);
		elac_put_f32(bytes + at, -1.5f);
		CHECK(elac_get_f32(bytes + at) == -1.5f);
		CHECK_EQ(elac_get_u32(bytes + at), 0xBFC00000);
	}
	return check_done();
}
