/* Unit test of lib/config/maincf.c. */
#include "tests/support/t.h"
#include "lib/config/maincf.h"

static int show(void *arg, struct sv name, struct sv value, unsigned line, UNUSED struct err *e)
{
	buf_printf(arg, "%u[%.*s][%.*s]", line, SV_ARG(name), SV_ARG(value));
	return 0;
}

static const struct {
	const char *text, *want; /* NULL: an error whose text starts with .error */
	const char *error;
} cases[] = {
	{ "", "", NULL },
	{ "a=b", "1[a][b]", NULL },
	{ "a = b c \n", "1[a][b c]", NULL },
	{ "a =\n", "1[a][]", NULL },
	{ "# c\n\n  # d\na=1\n", "4[a][1]", NULL },
	{ "a = 1\n  2\n\t3\nb=4\n", "1[a][1  2\t3]4[b][4]", NULL },
	{ "a = 1\n# c\n\n  2\n  # d\n  3\nb=\n", "1[a][1  2  3]7[b][]", NULL },
	{ "a =\n  1,\n  2\n", "1[a][1,  2]", NULL },
	{ "a = b = c\n", "1[a][b = c]", NULL },
	{ "a-b.c_9 = x\\\n", "1[a-b.c_9][x\\]", NULL },
	{ "2b = x\r\n", "1[2b][x]", NULL },
	{ "  x = y\na = b\n", "1[][  x = y]2[a][b]", NULL },
	{ "foo\n", NULL, "main.cf, line 1: not \"name = value\": \"foo\"" },
	{ "a=b\nfoo bar = x\n", NULL, "main.cf, line 2: not" },
	{ "= x\n", NULL, "main.cf, line 1: not" },
};

static void lines_become_names_and_values(UNUSED void **state)
{
	struct buf out;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		t_case(cases[i].text);
		buf_reset(&out);
		int rc = maincf_parse(sv_z(cases[i].text), "main.cf", show, &out, &e);
		assert_int_equal(rc, cases[i].want ? 0 : -1);
		if (cases[i].want)
			t_assert_sv(buf_sv(&out), cases[i].want);
		else
			t_assert_sv(sv_upto(sv_z(e.text), strlen(cases[i].error)), cases[i].error);
	}
	buf_free(&out);
}

static void nul_octets_are_refused(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(maincf_parse(sv_n(L("a = b\0c\n")), "main.cf", show, &out, &e), -1);
	assert_string_equal(e.text, "main.cf, line 1: a NUL octet");
	buf_free(&out);
}

static int stop(UNUSED void *arg, UNUSED struct sv name, UNUSED struct sv value, unsigned line,
		struct err *e)
{
	return line < 2 ? 0 : err_set(e, ERR_CONFIG, "stopped");
}

static void the_callback_can_stop_it(UNUSED void **state)
{
	struct err e = ERR_INIT;
	assert_int_equal(maincf_parse(SV("a=1\nb=2\nc=3\n"), "x", stop, NULL, &e), -1);
	assert_string_equal(e.text, "stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_names_and_values),
		cmocka_unit_test(nul_octets_are_refused),
		cmocka_unit_test(the_callback_can_stop_it),
	};
	return cmocka_run_group_tests_name("maincf", tests, NULL, NULL);
}
