/* Unit test of lib/base/num.c. */
#include "tests/support/t.h"
#include "lib/base/num.h"

static const struct {
	const char *text;
	int u32, u64, i64;
} cases[] = {
	{ "0", 1, 1, 1 },
	{ "", -1, -1, -1 },
	{ "-1", -1, -1, 1 },
	{ "+1", -1, -1, -1 },
	{ " 1", -1, -1, -1 },
	{ "1x", -1, -1, -1 },
	{ "0x10", -1, -1, -1 },
	{ "4294967295", 1, 1, 1 },
	{ "4294967296", -1, 1, 1 },
	{ "18446744073709551615", -1, 1, -1 },
	{ "18446744073709551616", -1, -1, -1 },
	{ "99999999999999999999999999999999999999999", -1, -1, -1 },
	{ "9223372036854775807", -1, 1, 1 },
	{ "9223372036854775808", -1, 1, -1 },
};

static void parses(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t a;
		uint64_t b;
		int64_t c;
		t_case(cases[i].text);
		assert_int_equal(num_u32(sv_z(cases[i].text), &a), cases[i].u32);
		assert_int_equal(num_u64(sv_z(cases[i].text), &b), cases[i].u64);
		assert_int_equal(num_i64(sv_z(cases[i].text), &c), cases[i].i64);
	}
	int64_t v;
	assert_int_equal(num_i64(SV("-42"), &v), 1);
	assert_true(v == -42);
}

static void stores(UNUSED void **state)
{
	unsigned char o[8];
	num_put_le32(o, 0x01020304);
	assert_int_equal(o[0], 4);
	assert_int_equal(num_get_le32(o), 0x01020304);
	num_put_le64(o, UINT64_MAX - 1);
	assert_true(num_get_le64(o) == UINT64_MAX - 1);
	assert_int_equal(num_hex('F'), 15);
	assert_int_equal(num_hex('g'), -1);
}

static void crc(UNUSED void **state)
{
	/* check value of CRC-32C */
	assert_int_equal(num_crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(num_crc32c(num_crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

/* By definition: one bit a step. */
static uint32_t crc_by_bits(const unsigned char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void crc_of_all_lengths(UNUSED void **state)
{
	unsigned char octets[80];
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)(i * 167 + 13);
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; from + n <= sizeof(octets); n++) {
			uint32_t want = crc_by_bits(octets + from, n);
			size_t half = n / 3;
			uint32_t seed = num_crc32c(0, octets + from, half);
			assert_int_equal(num_crc32c(0, octets + from, n), want);
			assert_int_equal(num_crc32c_plain(0, octets + from, n), want);
			assert_int_equal(num_crc32c(seed, octets + from + half, n - half), want);
			assert_int_equal(num_crc32c_plain(seed, octets + from + half, n - half), want);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parses), cmocka_unit_test(stores),
		cmocka_unit_test(crc), cmocka_unit_test(crc_of_all_lengths) };
	return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
