/* Unit test of master/master_outside.c: which sockets lmtp may be connected to (it is a stranger's word that asks). */
#include "tests/support/t.h"

#include "master/master_outside.h"

#define QUEUE "/var/spool/merpati"

static void paths_are_the_admins_word(UNUSED void **state)
{
	static const char main_cf[] = "mailbox_transport = lmtp:unix:/run/dovecot/lmtp\n"
				      "transport_maps = inline:{ {x.test = lmtp:unix:/run/a}, "
				      "{y.test = lmtp:unix:/run/b} }\n"
				      "other = unix:/run/other\nplace = /run/named\n"
				      "virtual_transport = lmtp:unix:$place\n";
	static const struct {
		const char *path;
		bool allowed;
	} rows[] = {
		{ "/run/dovecot/lmtp", true },
		{ "/run/a", true },
		{ "/run/b", true },
		{ "/run/named", true },
		{ "private/dovecot-lmtp", true },
		{ QUEUE "/private/dovecot-lmtp", true },
		{ "/run/dovecot/lmt", false },
		{ "/run/dovecot/lmtp2", false },
		{ "/run/other", false },
		{ "/run/dbus/system_bus_socket", false },
		{ "", false },
		{ "private/control", false },
		{ "private/queue/qmgr", false },
		{ "private/auth/auth-worker", false },
		{ "private//queue/qmgr", false },
		{ "private/../private/control", false },
		{ "private/./control", false },
		{ "public/submit", false },
		{ QUEUE "/private/control", false },
		{ QUEUE "//private/control", false },
		{ QUEUE "/private/queue/qmgr", false },
		{ "private", false },
		{ "private/", false },
		{ "lmtp", false },
	};
	struct err e = ERR_INIT;
	struct config *cfg = config_open_text("/etc/merpati", "main.cf", sv_z(main_cf), &e);
	assert_non_null(cfg);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t_case(rows[i].path);
		e = (struct err)ERR_INIT;
		assert_int_equal(outside_allowed(cfg, QUEUE, sv_z(rows[i].path), &e), rows[i].allowed ? 0 : -1);
		if (!rows[i].allowed)
			assert_int_equal(e.cls, ERR_CONFIG);
	}
	config_free(cfg);
}

static void finds_whole_paths(UNUSED void **state)
{
	assert_true(outside_named(SV("unix:/a"), SV("/a")));
	assert_true(outside_named(SV("lmtp:unix:/ab, lmtp:unix:/a"), SV("/a")));
	assert_true(outside_named(SV("{x = lmtp:unix:/a}"), SV("/a")));
	assert_false(outside_named(SV("lmtp:unix:/ab"), SV("/a")));
	assert_false(outside_named(SV("/a"), SV("/a")));
	assert_false(outside_named(SV("unix:"), SV("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_the_admins_word),
		cmocka_unit_test(finds_whole_paths),
	};
	return cmocka_run_group_tests_name("master_outside", tests, NULL, NULL);
}
