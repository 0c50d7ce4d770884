/* Unit test of lib/server/server_args.c: what master says. */
#include "tests/support/t.h"

#include "lib/server/server_args.h"

static int parse(struct server_args *a, const char *const *argv)
{
	struct err e = ERR_INIT;
	int n = 0;
	while (argv[n])
		n++;
	return server_args_parse(a, n, (char **)(uintptr_t)argv, &e);
}

static void test_arguments(void **state)
{
	static const char *const argv[] = { "smtpd", "-c", "/etc/x", "-n", "127.0.0.1:10025", "-g", "7", "-v",
		"-o", "a=b", "-oc=d e", "flags=R", "-o", NULL };
	struct server_args a;
	(void)state;
	assert_int_equal(parse(&a, argv), 0);
	assert_string_equal(a.config_dir, "/etc/x");
	assert_string_equal(a.service, "127.0.0.1:10025");
	assert_string_equal(a.generation, "7");
	assert_int_equal(a.verbose, 1);
	assert_int_equal(a.noverrides, 2);
	assert_string_equal(a.overrides[0], "a=b");
	assert_string_equal(a.overrides[1], "c=d e");
	assert_int_equal(a.nrest, 2);
	assert_string_equal(a.rest[0], "flags=R");
}

static void test_wrong_arguments(void **state)
{
	static const char *const no_value[] = { "smtpd", "-c", NULL };
	static const char *const unknown[] = { "smtpd", "-x", "y", NULL };
	static const char *const dashes[] = { "smtpd", "--", "-c", NULL };
	struct server_args a;
	(void)state;
	assert_int_equal(parse(&a, no_value), -1);
	assert_int_equal(parse(&a, unknown), 0);
	assert_int_equal(a.nrest, 2);
	assert_int_equal(parse(&a, dashes), 0);
	assert_int_equal(a.nrest, 1);
	assert_null(a.config_dir);
}

static void test_too_many_overrides(void **state)
{
	static const char *argv[2 * SERVER_OVERRIDES_MAX + 4] = { "smtpd" };
	struct server_args a;
	(void)state;
	for (size_t i = 1; i < 2 * SERVER_OVERRIDES_MAX + 3; i += 2) {
		argv[i] = "-o";
		argv[i + 1] = "a=b";
	}
	argv[ARRAY_LEN(argv) - 1] = NULL;
	assert_int_equal(parse(&a, argv), -1);
}

static void test_listen(void **state)
{
	static const struct {
		const char *text;
		int rc;
		size_t n;
		const char *class, *service;
		int fd;
	} cases[] = {
		{ NULL, 0, 0, "", "", 0 },
		{ "", 0, 0, "", "", 0 },
		{ "inet:smtp:4", 0, 1, "inet", "smtp", 4 },
		{ "inet:127.0.0.1:10025:5", 0, 1, "inet", "127.0.0.1:10025", 5 },
		{ "inet:[::1]:10025:6 queue:cleanup:7", 0, 2, "inet", "[::1]:10025", 6 },
		{ "smtp:4", -1, 0, "", "", 0 },
		{ ":smtp:4", -1, 0, "", "", 0 },
		{ "inet::4", -1, 0, "", "", 0 },
		{ "inet:smtp:", -1, 0, "", "", 0 },
		{ "inet:smtp:x", -1, 0, "", "", 0 },
		{ "inet:smtp:2", -1, 0, "", "", 0 },
		{ "inet:smtp:-4", -1, 0, "", "", 0 },
		{ "inet:smtp:99999999999", -1, 0, "", "", 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server_args a = { .nlisteners = 0 };
		struct err e = ERR_INIT;
		if (server_args_listen(&a, cases[i].text, &e) != cases[i].rc)
			fail_msg("[%s]", cases[i].text);
		if (cases[i].rc == 0) {
			assert_int_equal(a.nlisteners, cases[i].n);
			if (a.nlisteners > 0) {
				assert_string_equal(a.listeners[0].class, cases[i].class);
				assert_string_equal(a.listeners[0].service, cases[i].service);
				assert_int_equal(a.listeners[0].fd, cases[i].fd);
			}
		}
		server_args_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_wrong_arguments),
		cmocka_unit_test(test_too_many_overrides),
		cmocka_unit_test(test_listen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
