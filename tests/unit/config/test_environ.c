/* Unit test of lib/config/environ.c: which variables of the environment pass. */
#include "tests/support/t.h"

#include "lib/base/buf.h"
#include "lib/config/environ.h"

static const char *get(const char *name)
{
	return strcmp(name, "TZ") == 0 ? "Asia/Jakarta" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static int put(void *arg, struct sv name, struct sv value)
{
	return buf_printf(arg, "%.*s=%.*s|", SV_ARG(name), SV_ARG(value));
}

static const struct {
	const char *list;
	int rc;
	const char *passed;
} cases[] = {
	{ "", 0, "" },
	{ "TZ MAIL_CONFIG LANG", 0, "TZ=Asia/Jakarta|" },
	{ "TZ,LANG=C , X=", 0, "TZ=Asia/Jakarta|LANG=C|X=|" },
	{ "{ OPTIONS = a b, c } TZ", 0, "OPTIONS=a b, c|TZ=Asia/Jakarta|" },
	{ "EMPTY A=b=c", 0, "EMPTY=|A=b=c|" },
	{ "{ X = 1", -1, "" },
	{ "1X=2", -1, "" },
	{ "=x", -1, "" },
	{ "A-B", -1, "" },
};

static void lists_are_read(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		struct err e = ERR_INIT;
		t_case(cases[i].list);
		buf_init(&b, 1000);
		assert_int_equal(environ_each(cases[i].list, get, put, &b, &e), cases[i].rc);
		assert_string_equal(buf_z(&b), cases[i].passed);
		assert_int_equal(e.cls, cases[i].rc ? ERR_CONFIG : ERR_NONE);
		buf_free(&b);
	}
}

/* A receiver that has no room ends it. */
static void a_full_receiver_is_an_error(UNUSED void **state)
{
	struct buf b;
	struct err e = ERR_INIT;
	buf_init(&b, 4);
	assert_int_equal(environ_each("TZ", get, put, &b, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(a_full_receiver_is_an_error),
	};
	return cmocka_run_group_tests_name("environ", tests, NULL, NULL);
}
