/* Unit test of lib/server/rights.c: rows, names of accounts, and whom no process becomes. */
#include "tests/support/t.h"

#include "lib/server/rights.h"

static const struct {
	const char *program;
	enum rights_account account;
	bool jailed, set_id_below, dials;
} rows[] = {
	{ "smtpd", RIGHTS_NET, true, false, true },
	{ "login", RIGHTS_NET, true, false, true },
	{ "dnsd", RIGHTS_NET, true, false, true },
	{ "cleanup", RIGHTS_MAIL, false, false, false },
	{ "qmgr", RIGHTS_MAIL, false, false, false },
	{ "proxymap", RIGHTS_MAP, false, false, true },
	{ "auth", RIGHTS_AUTH, false, false, true },
	{ "auth-pam", RIGHTS_ROOT, false, true, true },
	{ "maillock", RIGHTS_ROOT, false, false, true },
	{ "imapd", RIGHTS_USER, false, false, false },
	{ "postman", RIGHTS_USER, false, true, false },
};

static void rows_say_who(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t_case(rows[i].program);
		const struct rights *r = rights_of(rows[i].program);
		assert_non_null(r);
		assert_int_equal(r->account, rows[i].account);
		assert_int_equal(r->jailed, rows[i].jailed);
		assert_int_equal(r->set_id_below, rows[i].set_id_below);
		assert_int_equal(rights_dials(r), rows[i].dials);
	}
	assert_null(rights_of("unheard-of"));
	assert_null(rights_of(""));
}

/* What holds for every row, also of programs to come. */
static void rows_are_sound(UNUSED void **state)
{
	size_t n = 0;
	for (const struct rights *r; (r = rights_row(n)); n++) {
		t_case(r->program);
		assert_ptr_equal(rights_of(r->program), r); /* once */
		assert_true(!r->jailed || r->account == RIGHTS_NET || r->account == RIGHTS_OUT ||
			    r->account == RIGHTS_TLS);
		/* what meets strangers starts nothing */
		assert_true(!r->set_id_below || r->account == RIGHTS_USER || r->account == RIGHTS_ROOT);
	}
	assert_true(n > 15);
	/* who stays root has either given up what makes it that, or serves one request a process */
	for (const struct rights *r; n > 0 && (r = rights_row(n - 1)); n--)
		assert_true(!r->keeps_caps || (r->account == RIGHTS_ROOT && !r->set_id_below));
}

static void names(UNUSED void **state)
{
	char name[RIGHTS_NAME_MAX];
	struct err e = ERR_INIT;
	assert_int_equal(rights_name(RIGHTS_MAIL, "merpati", name, &e), 0);
	assert_string_equal(name, "merpati");
	assert_int_equal(rights_name(RIGHTS_AUTH, "merpati", name, &e), 0);
	assert_string_equal(name, "merpati-auth");
	assert_int_equal(rights_name(RIGHTS_NET, "", name, &e), -1);
	assert_int_equal(rights_name(RIGHTS_NET,
				 "0123456789012345678901234567890123456789012345678901234567890123", name, &e),
		-1);
	assert_int_equal(e.cls, ERR_CONFIG);
}

static void accounts_that_are_missing(UNUSED void **state)
{
	struct rights_ids ids;
	struct rights_own own;
	struct err e = ERR_INIT;
	assert_int_equal(rights_find(RIGHTS_MAIL, "no-such-account-here", &ids, &e), 0);
	assert_int_equal(rights_find(RIGHTS_MAIL, "root", &ids, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(rights_own("no-such-account-here", &own, &e), -1);
	assert_non_null(strstr(e.text, "merpati init --system"));
}

static void nobody_becomes_us(UNUSED void **state)
{
	struct rights_own own;
	for (size_t i = 0; i < RIGHTS_ACCOUNTS; i++)
		own.ids[i] = (struct rights_ids){ .name = "one-of-us", .uid = 900 + (uid_t)i, .gid = 800 + (gid_t)i };
	assert_string_equal(rights_refuse_uid(&own, 0), "root");
	assert_string_equal(rights_refuse_uid(&own, 900), "one-of-us");
	assert_string_equal(rights_refuse_uid(&own, 900 + RIGHTS_ACCOUNTS - 1), "one-of-us");
	assert_non_null(rights_refuse_uid(&own, (uid_t)-1)); /* would change nothing */
	assert_null(rights_refuse_uid(&own, 1000));
	assert_null(rights_refuse_uid(&own, 800));
	assert_string_equal(rights_refuse_gid(&own, 801), "one-of-us");
	assert_non_null(rights_refuse_gid(&own, (gid_t)-1));
	assert_null(rights_refuse_gid(&own, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_who),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(names),
		cmocka_unit_test(accounts_that_are_missing),
		cmocka_unit_test(nobody_becomes_us),
	};
	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
