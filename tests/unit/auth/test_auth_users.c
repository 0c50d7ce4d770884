/* Unit test of auth/auth_users.c: lines of the users file, good and bad; how names are found. */
#include "auth/auth_users.h"

#include "tests/support/t.h"

static const struct hash_seed seed = { 1, 2 };

struct complaints {
	unsigned n;
	unsigned line;
	const char *why;
};

static void complain(void *arg, unsigned line, const char *why)
{
	struct complaints *c = arg;

	c->n++;
	c->line = line;
	c->why = why;
}

static const struct {
	const char *line;
	const char *why; /* a part of the complaint, NULL: none */
	const char *hash;
	const char *home;
	bool broken; /* the name is known all the same */
} cases[] = {
	{ "anna@example.test:{CRYPT}$y$abc:1000:1001::/home/anna::", NULL, "$y$abc", "/home/anna",
	        false },
	{ "anna@example.test:{SHA512-CRYPT}$6$abc:1000:1001::::", NULL, "$6$abc",
	        "/m/example.test/anna", false },
	{ "anna@example.test:{yescrypt}$y$abc:1000:1001", NULL, "$y$abc", "/m/example.test/anna",
	        false },
	{ "anna@example.test::1000:1001::::", NULL, "", "/m/example.test/anna", false },
	{ "anna@example.test:!{CRYPT}$y$abc:1000:1001::::", NULL, "", "/m/example.test/anna",
	        false },
	{ "Anna@Example.Test:{CRYPT}$y$abc:1000:1001::::", NULL, "$y$abc", "/m/example.test/anna",
	        false },
	{ "anna@example.test:secret:1000:1001::::", "{SCHEME}", NULL, NULL, true },
	{ "anna@example.test:{PLAIN}secret:1000:1001::::", "unknown password scheme", NULL, NULL,
	        true },
	{ "anna@example.test:{YESCRYPT}$6$x:1000:1001::::", "not of the scheme", NULL, NULL, true },
	{ "anna@example.test:{CRYPT}:1000:1001::::", "empty", NULL, NULL, true },
	{ "anna@example.test:{CRYPT}$y$abc:x:1001::::", "not a number", NULL, NULL, true },
	{ "anna@example.test:{CRYPT}$y$abc::::::", "not a number", NULL, NULL, true },
	{ "anna@example.test:{CRYPT}$y$abc:0:1001::::", "not for mail users", NULL, NULL, true },
	{ "anna@example.test:{CRYPT}$y$abc:1000:1001::rel/home::", "not an absolute", NULL, NULL,
	        true },
	{ "anna@example.test:{CRYPT}$y$abc:1000:1001::/a/../etc::", "not an absolute", NULL, NULL,
	        true },
	{ "anna:{CRYPT}$y$abc:1000:1001::::", "not user@domain", NULL, NULL, false },
	{ "@example.test:{CRYPT}$y$abc:1000:1001::::", "not user@domain", NULL, NULL, false },
	{ "../x@example.test:{CRYPT}$y$abc:1000:1001::::", "not allowed", NULL, NULL, false },
	{ "a/b@example.test:{CRYPT}$y$abc:1000:1001::::", "not allowed", NULL, NULL, false },
	{ "a@../x:{CRYPT}$y$abc:1000:1001::::", "not allowed", NULL, NULL, false },
	{ "anna", "not user@domain", NULL, NULL, false },
};

static void reads_lines(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct complaints c = { .n = 0 };
		const struct auth_user *u;

		t_case(cases[i].line);
		struct auth_users *users =
		        auth_users_parse(sv_z(cases[i].line), "/m", seed, complain, &c);
		int found = auth_users_find(users, SV("anna@example.test"), &u);

		assert_int_equal(c.n, cases[i].why ? 1 : 0);
		if (cases[i].why) {
			assert_non_null(strstr(c.why, cases[i].why));
			assert_int_equal(found, cases[i].broken);
			if (found)
				assert_true(u->broken);
			assert_int_equal(auth_users_nameless(users), found ? 0 : 1);
		} else {
			assert_int_equal(auth_users_nameless(users), 0);
			assert_int_equal(found, 1);
			assert_false(u->broken);
			assert_string_equal(u->hash, cases[i].hash);
			t_assert_sv(u->home, cases[i].home);
			assert_int_equal(u->uid, 1000);
			assert_int_equal(u->gid, 1001);
		}
		auth_users_free(users);
	}
}

static const char file[] = "# users\n"
                           "\n"
                           "anna@a.test:{CRYPT}$y$1:1000:1000::::\r\n"
                           "ben@a.test:{CRYPT}$y$2:1000:1000::::\n"
                           "ben@b.test:{CRYPT}$y$3:1000:1000::::\n"
                           "ANNA@A.test:{CRYPT}$y$4:1000:1000::::\n"
                           "carl@c.test:{CRYPT}$y$5:1000:1000::::";

static void finds_names(UNUSED void **state)
{
	static const struct {
		const char *name, *hash;
	} names[] = {
		{ "anna@a.test", "$y$1" },
		{ "ANNA@a.TEST", "$y$1" },
		{ "anna", "$y$1" },
		{ "Carl", "$y$5" },
		{ "ben@a.test", "$y$2" },
		{ "ben@b.test", "$y$3" },
		{ "ben", NULL }, /* not unique */
		{ "dora", NULL },
		{ "anna@b.test", NULL },
		{ "", NULL },
		{ "@a.test", NULL },
		{ "anna@", NULL },
	};
	struct complaints c = { .n = 0 };
	struct auth_users *users = auth_users_parse(sv_z(file), "/m", seed, complain, &c);

	assert_int_equal(c.n, 1); /* anna twice */
	assert_int_equal(c.line, 6);
	assert_int_equal(auth_users_count(users), 4);
	assert_string_equal(auth_users_dummy(users), "$y$1");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct auth_user *u;

		t_case(names[i].name);
		assert_int_equal(
		        auth_users_find(users, sv_z(names[i].name), &u), names[i].hash != NULL);
		if (names[i].hash)
			assert_string_equal(u->hash, names[i].hash);
	}
	char long_name[400];

	memset(long_name, 'a', sizeof(long_name));
	const struct auth_user *u;
	assert_int_equal(auth_users_find(users, sv_n(long_name, sizeof(long_name)), &u), 0);
	auth_users_free(users);
}

static void has_a_dummy_without_users(UNUSED void **state)
{
	struct complaints c = { .n = 0 };
	struct auth_users *users = auth_users_parse(SV_NONE, "/m", seed, complain, &c);

	assert_true(strncmp(auth_users_dummy(users), "$y$", 3) == 0);
	assert_true(strncmp(auth_users_dummy(NULL), "$y$", 3) == 0);
	auth_users_free(users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(finds_names),
		cmocka_unit_test(has_a_dummy_without_users),
	};
	return cmocka_run_group_tests_name("auth_users", tests, NULL, NULL);
}
