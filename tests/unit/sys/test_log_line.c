/* Unit test of lib/sys/log_line.c: what reaches a log is one clean line. */
#include "tests/support/t.h"

#include "lib/sys/log_line.h"

static const struct {
	const char *in;
	size_t len;
	const char *out;
} cases[] = {
	{ L("plain text"), "plain text" },
	{ L("two\nlines\r\n"), "two?lines??" },
	{ L("nul\0 esc\033[31m del\177 tab\t"), "nul? esc?[31m del? tab?" },
	{ L("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x95\x8a"),
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x95\x8a" },
	{ L("C1 \xc2\x85 and \xc2\x9b."), "C1 ?? and ??." },
	{ L("bad \xc3( \xff \xe2\x82"), "bad ?( ? ??" },
	{ L("overlong \xc0\xaf surrogate \xed\xa0\x80"), "overlong ?? surrogate ???" },
	{ L("a\xe2\x80\xae" "b \xe2\x80\xa8 \xe2\x80\x8b \xef\xbb\xbf \xd8\x9c \xf3\xa0\x80\xa0"),
		"a???b ??? ??? ??? ?? ????" },
	{ L(""), "" },
};

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[100];
		t_case(cases[i].out);
		memcpy(text, cases[i].in, cases[i].len);
		log_line_clean(text, cases[i].len);
		t_assert_sv(sv_n(text, cases[i].len), cases[i].out);
	}
}

static void test_cut(void **state)
{
	(void)state;
	assert_int_equal(log_line_cut("abc", 3, 5), 3);
	assert_int_equal(log_line_cut("abcdef", 6, 5), 5);
	assert_int_equal(log_line_cut("ab\xc3\xbc", 4, 3), 2);
	assert_int_equal(log_line_cut("ab\xe2\x82\xac", 5, 4), 2);
}

static void test_make(void **state)
{
	static char out[LOG_LINE_MAX + 1], big[5000];
	struct timespec when = { .tv_sec = 0 };
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	size_t n = log_line_make(out, when, "host", "merpati/smtpd", 42, SV("from=<a\nb>"));
	t_assert_sv(sv_n(out, n), "Jan  1 00:00:00 host merpati/smtpd[42]: from=<a?b>\n");
	memset(big, 'x', sizeof(big));
	n = log_line_make(out, when, "host", "merpati/smtpd", 42, sv_n(big, sizeof(big)));
	assert_int_equal(n, LOG_LINE_MAX + 1);
	assert_int_equal(out[LOG_LINE_MAX], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_make),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
