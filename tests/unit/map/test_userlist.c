/* Unit test of lib/map/userlist.c: everybody, names, "!name", accounts without a name, a table that fails. */
#include "tests/support/t.h"

#include "lib/map/userlist.h"

static const struct {
	const char *list;
	uid_t uid;
	int rc;
	const char *name;
} cases[] = {
	{ "static:anyone", 4000000, 1, "unknown" },
	{ "root", 0, 1, "root" },
	{ "daemon", 0, 0, "root" },
	{ "!root, static:all", 0, 0, "root" },
	{ "!root, static:all", 1, 1, "daemon" },
	{ "root", 4000000, 0, "unknown" },
	{ "unknown", 4000000, 1, "unknown" },
	{ "", 1, 0, "daemon" },
	{ "fail:x", 1, -1, "daemon" },
	{ "nosuchtype:x", 1, -1, "daemon" },
	{ "daemon nosuchtype:x", 1, 1, "daemon" },
};

static void who_may(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		char name[USERLIST_NAME_MAX];
		struct userlist *u;
		t_case(cases[i].list);
		assert_int_equal(userlist_open("authorized_submit_users", cases[i].list, NULL, &u, &e), 0);
		assert_int_equal(userlist_allows(u, cases[i].uid, name, &e), cases[i].rc);
		if (u)
			assert_string_equal(name, cases[i].name);
		userlist_free(u);
	}
}

static void bad_list(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct userlist *u;
	assert_int_equal(userlist_open("authorized_submit_users", "10.0.0.1/8", NULL, &u, &e), -1);
	assert_null(u);
	assert_non_null(strstr(e.text, "authorized_submit_users"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(who_may), cmocka_unit_test(bad_list) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
