/*
 * test_varint.c
 *	  LEB128: every length, every kind of damage.
 */
#include "check.h"

#include "base/varint.h"

static void
round_trip(uint64_t value)
{
	uint8_t		bytes[ELAC_VARINT_MAX];
	const uint8_t *p = bytes;
	uint64_t	got = ~value;
	size_t		len = elac_varint_put(bytes, value);

	CHECK_EQ(elac_varint_len(value), len);
	CHECK(elac_varint_get(&p, bytes + len, &got));
	CHECK(got == value);
	CHECK_EQ(p - bytes, len);

	/* every proper prefix is refused, and nothing moves */
	for (size_t cut = 0; cut < len; cut++)
	{
		p = bytes;
		got = 42;
		CHECK(!elac_varint_get(&p, bytes + cut, &got));
		CHECK(p == bytes && got == 42);
	}
}

static void
refused(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t	got = 42;

	CHECK(!elac_varint_get(&p, bytes + len, &got));
	CHECK(p == bytes && got == 42);
}

int
main(void)
{
	static const uint8_t overlong[] = {0x80, 0x00};
	static const uint8_t overlong_ten[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	static const uint8_t too_large[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
	static const uint8_t too_long[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x81, 0x01};
	static const uint8_t fixed[] = {0xE5, 0x8E, 0x26};
	const uint8_t *p = fixed;
	uint64_t	got = 0;

	round_trip(0);
	for (unsigned bit = 0; bit < 64; bit++)
	{
		uint64_t	power = (uint64_t) 1 << bit;

		round_trip(power);
		round_trip(power - 1);
		round_trip(power + 1);
		round_trip(~power);
	}
	round_trip(UINT64_MAX);

	refused(overlong, sizeof(overlong));
	refused(overlong_ten, sizeof(overlong_ten));
	refused(too_large, sizeof(too_large));
	refused(too_long, sizeof(too_long));

	/* the encoding itself, which reaches the disk */
	CHECK(elac_varint_get(&p, fixed + sizeof(fixed), &got));
	CHECK_EQ(got, 624485);
	return check_done();
}
