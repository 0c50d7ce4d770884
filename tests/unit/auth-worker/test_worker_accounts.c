/* Unit test of auth-worker/worker_accounts.c: accounts of this machine, and names that are nobody's. */
#include "auth-worker/worker.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "lib/sys/name_service.h"
#include "tests/support/t.h"

static void finds_accounts(UNUSED void **state)
{
	static const char *const names[] = { "root", "nobody", "daemon" };
	name_service_load();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct worker_account who;
		struct err e = ERR_INIT;
		struct arena a;
		const struct passwd *pw = getpwnam(names[i]);
		t_case(names[i]);
		if (!pw)
			continue;
		arena_init(&a, 65536);
		assert_int_equal(worker_find(sv_z(names[i]), 0, &a, &who, &e), 1);
		t_assert_sv(who.name, names[i]);
		assert_int_equal(who.uid, pw->pw_uid);
		assert_int_equal(who.gid, pw->pw_gid);
		t_assert_sv(who.home, pw->pw_dir);
		t_assert_sv(who.shell, pw->pw_shell);
		for (size_t k = 0; k < who.groups.n; k++)
			assert_int_not_equal(who.groups.v[k], pw->pw_gid);
		assert_int_equal(worker_find(SV_NONE, pw->pw_uid, &a, &who, &e), 1);
		t_assert_sv(who.name, names[i]);
		assert_int_equal(worker_find(SV_NONE, 4242424, &a, &who, &e), 0);
		arena_free(&a);
	}
}

static void nobodys_names(UNUSED void **state)
{
	static const struct {
		const char *name;
		size_t len;
	} cases[] = { { L("no-such-account-here") }, { L("ro ot") }, { L("root:x") }, { L("../root") },
		{ L("root\0") }, { L("root\n") }, { L("root,daemon") }, { L("\x7f") } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct worker_account who;
		struct err e = ERR_INIT;
		struct arena a;
		t_case(cases[i].name);
		arena_init(&a, 65536);
		assert_int_equal(worker_find(sv_n(cases[i].name, cases[i].len), 0, &a, &who, &e), 0);
		arena_free(&a);
	}
	char lengthy[300];
	struct worker_account who;
	struct err e = ERR_INIT;
	struct arena a;
	memset(lengthy, 'a', sizeof(lengthy));
	arena_init(&a, 65536);
	assert_int_equal(worker_find(sv_n(lengthy, sizeof(lengthy)), 0, &a, &who, &e), 0);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_accounts),
		cmocka_unit_test(nobodys_names),
	};
	return cmocka_run_group_tests_name("worker_accounts", tests, NULL, NULL);
}
