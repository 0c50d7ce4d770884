/* Unit test of auth-pam/shadow.c: the columns of shadow(5) that keep somebody out. */
#include "auth-pam/pam.h"

#include <shadow.h>

#include "tests/support/t.h"

#define TODAY 20000
#define HASH  ((char *)(uintptr_t)"$y$x")

static const struct {
	const char *what;
	struct spwd sp;
	const char *why;
} cases[] = {
	{ "nothing is set", { .sp_pwdp = HASH, .sp_lstchg = -1, .sp_max = -1, .sp_expire = -1 }, NULL },
	{ "Debian's line", { .sp_pwdp = HASH, .sp_lstchg = 19000, .sp_max = 99999, .sp_expire = -1 }, NULL },
	{ "expires tomorrow", { .sp_pwdp = HASH, .sp_lstchg = -1, .sp_max = -1, .sp_expire = TODAY + 1 }, NULL },
	{ "expires today", { .sp_pwdp = HASH, .sp_lstchg = -1, .sp_max = -1, .sp_expire = TODAY },
		"the account has expired" },
	{ "on the last day", { .sp_pwdp = HASH, .sp_lstchg = TODAY - 30, .sp_max = 30, .sp_expire = -1 }, NULL },
	{ "a day too late", { .sp_pwdp = HASH, .sp_lstchg = TODAY - 31, .sp_max = 30, .sp_expire = -1 },
		"the password has expired" },
	{ "chage -d 0", { .sp_pwdp = HASH, .sp_lstchg = 0, .sp_max = 99999, .sp_expire = -1 },
		"the password must be changed first" },
	{ "no password", { .sp_pwdp = (char *)(uintptr_t)"", .sp_lstchg = -1, .sp_max = -1, .sp_expire = -1 },
		"the account has no password" },
	{ "usermod -L", { .sp_pwdp = (char *)(uintptr_t)"!$y$x", .sp_lstchg = -1, .sp_max = -1, .sp_expire = -1 },
		"the account is locked" },
	{ "a daemon's", { .sp_pwdp = (char *)(uintptr_t)"*", .sp_lstchg = 19000, .sp_max = 99999, .sp_expire = -1 },
		"the account is locked" },
};

static void who_is_kept_out(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].what);
		const char *why = shadow_refusal(&cases[i].sp, TODAY);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
		else
			assert_null(why);
	}
}

static void unknown_accounts(UNUSED void **state)
{
	struct err e = ERR_INIT;
	/* without root the shadow file cannot be read: that is not "no" */
	int rc = shadow_check("no-such-account-here", "x", TODAY, &e);
	assert_true(rc == 0 || rc == -1);
	assert_true(e.text[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_kept_out),
		cmocka_unit_test(unknown_accounts),
	};
	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
