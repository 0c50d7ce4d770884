/* Unit test of master/master_table.c: who may call whom, and ports by name. */
#include "tests/support/t.h"

#include "master/master_table.h"

static const struct {
	const char *caller, *callee;
	bool may;
} calls[] = {
	{ "smtpd", "cleanup", true },
	{ "smtpd", "trivial-rewrite", true },
	{ "smtpd", "auth", true },
	{ "smtpd", "dnsd", true },
	{ "smtpd", "qmgr", false },
	{ "smtpd", "local", false },
	{ "smtpd", "auth-worker", false },
	{ "smtpd", "bounce", false },
	{ "login", "auth", true },
	{ "login", "imapd", false },
	{ "smtp", "dnsd", true },
	{ "smtp", "proxymap", true },
	{ "smtp", "cleanup", false },
	{ "smtp", "auth", false },
	{ "lmtp", "anvil", false },
	{ "qmgr", "local", true },
	{ "local", "cleanup", true },
	{ "smtpd", "unheard-of", false },
	{ "auth", "auth-worker", true },
	{ "auth", "auth-pam", true },
	{ "auth", "cleanup", false },
	{ "cleanup", "auth-worker", false }, /* passwords are tried by auth alone */
	{ "local", "auth-pam", false },
	{ "auth-worker", "auth-pam", false },
	{ "dnsd", "cleanup", false }, /* what only answers calls nobody */
	{ "dnsd", "auth", false },
	{ "anvil", "cleanup", false },
	{ "proxymap", "cleanup", false },
	{ "imapd", "auth", false },
	{ "postlogd", "qmgr", true },
	{ "maillock", "auth", true }, /* and nobody else, though it connects as mail_owner's daemons do */
	{ "maillock", "cleanup", false },
	{ "maillock", "qmgr", false },
	{ "maillock", "auth-pam", false },
};

static void table_says_who_calls_whom(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		t_case(calls[i].callee);
		assert_int_equal(table_may_call(calls[i].caller, calls[i].callee), calls[i].may);
	}
}

static void stages_end_callers_first(UNUSED void **state)
{
	assert_true(table_program("smtpd")->stage < table_program("cleanup")->stage);
	assert_true(table_program("qmgr")->stage < table_program("local")->stage);
	assert_true(table_program("local")->stage < table_program("bounce")->stage);
	assert_int_equal(table_program("postlogd")->stage, STAGE_LOG);
	assert_int_equal(table_program("some-agent")->stage, STAGE_AGENTS);
}

static const struct {
	const char *name;
	int rc;
	unsigned port;
	bool symbolic;
} ports[] = {
	{ "smtp", 1, 25, true },
	{ "imap", 1, 143, true },
	{ "POP3", 1, 110, true },
	{ "0", 1, 0, false },
	{ "10025", 1, 10025, false },
	{ "65536", -1, 0, false },
	{ "12x", -1, 0, false },
	{ "no-such-service", 0, 0, true },
	{ "", 0, 0, true },
};

static void ports_by_name_and_number(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		unsigned port = 0;
		bool symbolic = false;
		t_case(ports[i].name);
		assert_int_equal(table_port(sv_z(ports[i].name), &port, &symbolic), ports[i].rc);
		if (ports[i].rc == 1) {
			assert_int_equal(port, ports[i].port);
			assert_int_equal(symbolic, ports[i].symbolic);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_says_who_calls_whom),
		cmocka_unit_test(stages_end_callers_first),
		cmocka_unit_test(ports_by_name_and_number),
	};
	return cmocka_run_group_tests_name("master_table", tests, NULL, NULL);
}
