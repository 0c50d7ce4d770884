/* Unit test of smtp/smtpc_settings.c: parameters of both programs, and the address that is sent from. */
#include "tests/support/t.h"

#include <sys/socket.h>

#include "smtp/smtpc_settings.h"

static void the_only_address_is_the_source(UNUSED void **state)
{
	static const struct {
		const char *list;
		const char *v4, *v6;
	} rows[] = {
		{ "all", "", "" },
		{ "loopback-only", "", "" },
		{ "", "", "" },
		{ "192.0.2.1", "192.0.2.1", "" },
		{ "192.0.2.1, 192.0.2.2", "", "" },
		{ "192.0.2.1, [2001:db8::1]", "192.0.2.1", "2001:db8::1" },
		{ "192.0.2.1 2001:db8::1 2001:db8::2", "192.0.2.1", "" },
		{ "127.0.0.1, ::1", "", "" },
		{ "192.0.2.1, mail.example.org", "", "" },
		{ "mail.example.org", "", "" },
		{ "192.0.2.1, all", "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[SMTPC_IP_MAX];
		t_case(rows[i].list);
		assert_int_equal(smtpc_source_address(sv_z(rows[i].list), AF_INET, got), rows[i].v4[0] != '\0');
		assert_string_equal(got, rows[i].v4);
		assert_int_equal(smtpc_source_address(sv_z(rows[i].list), AF_INET6, got), rows[i].v6[0] != '\0');
		assert_string_equal(got, rows[i].v6);
	}
}

static int load(const char *main_cf, bool lmtp, struct smtpc_settings *out, struct config **cfg)
{
	struct err e = ERR_INIT;
	*cfg = config_open_text("/etc/merpati", "main.cf", sv_z(main_cf), &e);
	assert_non_null(*cfg);
	int rc = smtpc_settings_load(*cfg, lmtp, out, &e);
	if (rc < 0)
		assert_int_equal(e.cls, ERR_CONFIG);
	return rc;
}

static void each_program_has_its_own(UNUSED void **state)
{
	static const char main_cf[] = "smtp_tcp_port = 26\nlmtp_tcp_port = 2424\nsmtp_rcpt_timeout = 7s\n"
				      "lmtp_rcpt_timeout = 2m\nsmtp_mx_session_limit = 9\nfallback_relay = x.test\n"
				      "smtp_per_record_deadline = yes\nlmtp_cache_connection = no\n";
	struct smtpc_settings s;
	struct config *cfg;
	assert_int_equal(load(main_cf, false, &s, &cfg), 0);
	assert_string_equal(s.ports.standard, "26");
	assert_int_equal(s.times.rcpt, 7);
	assert_int_equal(s.session_limit, 9);
	assert_string_equal(s.fallback_relay, "x.test");
	assert_true(s.whole_requests && s.keep && s.always_ehlo && s.skip_quit && s.use_mx && s.convert_8bit);
	config_free(cfg);
	assert_int_equal(load(main_cf, true, &s, &cfg), 0);
	assert_string_equal(s.ports.standard, "2424");
	assert_int_equal(s.times.rcpt, 120);
	assert_int_equal(s.session_limit, 2);
	assert_string_equal(s.fallback_relay, "");
	assert_true(!s.whole_requests && !s.keep && !s.skip_quit);
	config_free(cfg);
}

static void wrong_words_are_told(UNUSED void **state)
{
	static const char *const bad[] = { "smtp_address_preference = ipv5\n", "smtp_host_lookup = files\n",
		"inet_protocols = ipx\n", "smtp_helo_name =\n", "smtp_rcpt_timeout = soon\n" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct smtpc_settings s;
		struct config *cfg;
		t_case(bad[i]);
		assert_int_equal(load(bad[i], false, &s, &cfg), -1);
		config_free(cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_address_is_the_source),
		cmocka_unit_test(each_program_has_its_own),
		cmocka_unit_test(wrong_words_are_told),
	};
	return cmocka_run_group_tests_name("smtpc_settings", tests, NULL, NULL);
}
