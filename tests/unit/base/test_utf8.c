/* Unit test of lib/base/utf8.c (RFC 3629). */
#include "tests/support/t.h"
#include "lib/base/utf8.h"

static const struct {
	const char *p;
	size_t len;
	bool valid;
} cases[] = {
	{ L("plain"), true },
	{ L("j\xc3\xb6rg"), true },
	{ L("\xf0\x9f\x90\xa6"), true },
	{ L("\xed\x9f\xbf"), true },
	{ L("\xf4\x8f\xbf\xbf"), true },
	{ L("\xc0\x80"), false },         /* overlong NUL */
	{ L("\xe0\x80\x80"), false },     /* overlong */
	{ L("\xf0\x80\x80\x80"), false }, /* overlong */
	{ L("\xed\xa0\x80"), false },     /* surrogate */
	{ L("\xf4\x90\x80\x80"), false }, /* over U+10FFFF */
	{ L("\xf0\x9f"), false },         /* cut */
	{ L("\x80"), false },
	{ L("\xc3("), false },
	{ L("\xff"), false },
};

static void validates(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].p);
		assert_int_equal(utf8_valid(sv_n(cases[i].p, cases[i].len)), cases[i].valid);
	}
}

static void round_trip(UNUSED void **state)
{
	const uint32_t chars[] = { 0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff };
	struct buf b;
	buf_init(&b, 8);
	for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
		uint32_t c = 1;
		buf_reset(&b);
		assert_int_equal(utf8_encode(&b, chars[i]), 0);
		assert_int_equal(utf8_decode(buf_sv(&b), &c), b.len);
		assert_int_equal(c, chars[i]);
	}
	assert_int_equal(utf8_encode(&b, 0xd800), -1);
	assert_int_equal(utf8_encode(&b, 0x110000), -1);
	assert_true(utf8_is_ascii(SV("abc")));
	assert_false(utf8_is_ascii(SV("\x80")));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(validates), cmocka_unit_test(round_trip) };
	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
