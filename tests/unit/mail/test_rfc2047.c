/* Unit test of lib/mail/rfc2047.c; rows F03, F04 of the attack catalogue. */
#include "lib/base/utf8.h"
#include "lib/mail/rfc2047.h"
#include "tests/support/t.h"

/* A hook that knows one charset, "x-rot": every letter becomes the next one. */
static int rot(UNUSED void *ctx, struct sv charset, struct sv text, struct buf *out)
{
	if (sv_ieqz(charset, "x-broken"))
		return buf_put(out, "\xff", 1) < 0 ? -1 : 1;
	if (!sv_ieqz(charset, "x-rot"))
		return 0;
	for (size_t i = 0; i < text.len; i++)
		buf_putc(out, (char)(text.p[i] + 1));
	return 1;
}

static const struct {
	const char *in, *out;
} cases[] = {
	{ "plain", "plain" },
	{ "=?utf-8?Q?J=C3=B6rg?=", "J\xc3\xb6rg" },
	{ "=?iso-8859-1?q?J=F6rg_X?= y", "J\xc3\xb6rg X y" },
	{ "=?UTF-8*de?B?SsO2cmc=?=", "J\xc3\xb6rg" },
	{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c" },
	{ "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b" },
	{ "=?windows-1252?q?=80_=81?=", "\xe2\x82\xac \xef\xbf\xbd" },
	{ "=?us-ascii?q?=80?=", "\xef\xbf\xbd" },
	{ "=?utf-8?q?=C3?=", "\xef\xbf\xbd" },
	{ "=?x-rot?q?abc?=", "bcd" },
	{ "=?x-none?q?abc?= z", "=?x-none?q?abc?= z" },
	{ "=?utf-8?q?a?= =?x-none?q?b?= =?utf-8?q?c?=", "a =?x-none?q?b?= c" },
	{ "=?x-broken?q?abc?=", "=?x-broken?q?abc?=" },
	{ "=?utf-8?z?abc?=", "=?utf-8?z?abc?=" },
	{ "=?utf-8?q?abc", "=?utf-8?q?abc" },
	{ "=?utf-8?q?a b?=", "=?utf-8?q?a b?=" },
	{ "=?utf-8?q?" "?=", "" },
	{ "=?", "=?" },
	{ "=?=?=?=?", "=?=?=?=?" },
	{ "=??q?a?=", "=??q?a?=" },
	{ "raw \xff octet", "raw \xef\xbf\xbd octet" },
	{ "", "" },
};

static void decodes_words(UNUSED void **state)
{
	const struct charset_hook hook = { .to_utf8 = rot };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 1000);
		t_case(cases[i].in);
		assert_int_equal(rfc2047_decode(sv_z(cases[i].in), &hook, &b), 0);
		t_assert_sv(buf_sv(&b), cases[i].out);
		assert_true(utf8_valid(buf_sv(&b)));
		buf_reset(&b);
		assert_int_equal(rfc2047_decode(sv_z(cases[i].in), NULL, &b), 0);
		buf_free(&b);
	}
	struct buf b;
	buf_init(&b, 3);
	assert_int_equal(rfc2047_decode(SV("=?utf-8?q?abcdef?="), NULL, &b), -1);
	assert_int_equal(charset_to_utf8(SV("x-none"), SV("a"), NULL, &b), 0);
	buf_free(&b);
}

/* F03: 100,000 words, and 100,000 starts of words, in linear time. */
static void many_words(UNUSED void **state)
{
	static const char *const pieces[] = { "=?utf-8?q?a?= ", "=?", "=?utf-8?q?", "=?u?q" };
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf in, out;
		buf_init(&in, 4 << 20);
		buf_init(&out, 8 << 20);
		for (int k = 0; k < 100000; k++)
			buf_puts(&in, pieces[i]);
		assert_int_equal(rfc2047_decode(buf_sv(&in), NULL, &out), 0);
		buf_free(&in);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_words),
		cmocka_unit_test(many_words),
	};
	return cmocka_run_group_tests_name("rfc2047", tests, NULL, NULL);
}
