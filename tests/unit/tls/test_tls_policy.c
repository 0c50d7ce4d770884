/* Unit test of lib/tls/tls_policy.c: values of smtp_tls_policy_maps. */
#include "tests/support/t.h"

#include "lib/tls/tls_policy.h"

static void test_values(void **state)
{
	static const struct {
		const char *value;
		enum tls_level level;
		const char *match[3];
		const char *protocols, *ciphers, *exclude, *name;
	} cases[] = {
		{ "none", TLS_LEVEL_NONE, { 0 }, "", "", "", "" },
		{ "may", TLS_LEVEL_MAY, { 0 }, "", "", "", "" },
		{ " Encrypt\tprotocols=!SSLv2:!SSLv3 ", TLS_LEVEL_ENCRYPT, { 0 }, "!SSLv2:!SSLv3", "", "", "" },
		{ "may ciphers=high exclude=3DES:RC4", TLS_LEVEL_MAY, { 0 }, "", "high", "3DES:RC4", "" },
		{ "verify match=hostname:nexthop", TLS_LEVEL_VERIFY, { "hostname", "nexthop" }, "", "", "", "" },
		{ "secure match=example.org match=.example.net servername=hostname", TLS_LEVEL_SECURE,
			{ "example.org", ".example.net" }, "", "", "", "hostname" },
		{ "secure,protocols=TLSv1.3,match=a:b:c", TLS_LEVEL_SECURE, { "a", "b", "c" }, "TLSv1.3", "", "", "" },
		{ "fingerprint match=AB:CD|01:23 match=ff:00", TLS_LEVEL_FINGERPRINT, { "AB:CD", "01:23", "ff:00" },
			"", "", "", "" },
		{ "encrypt connection_reuse=yes", TLS_LEVEL_ENCRYPT, { 0 }, "", "", "", "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_policy p;
		struct err e = ERR_INIT;
		t_case(cases[i].value);
		if (tls_policy_parse(sv_z(cases[i].value), &p, &e) < 0)
			fail_msg("%s: %s", cases[i].value, e.text);
		assert_int_equal(p.level, cases[i].level);
		size_t n = 0;
		for (; n < 3 && cases[i].match[n]; n++)
			t_assert_sv(p.match[n], cases[i].match[n]);
		assert_int_equal(p.nmatch, n);
		t_assert_sv(p.protocols, cases[i].protocols);
		t_assert_sv(p.ciphers, cases[i].ciphers);
		t_assert_sv(p.exclude, cases[i].exclude);
		t_assert_sv(p.server_name, cases[i].name);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"", " ", "maybe", "dane", "dane-only", "none match=x", "none protocols=TLSv1.2",
		"may match=example.org", "encrypt match=x", "secure match", "secure match=", "secure =x",
		"secure x=y", "may protocols=TLSv1.2 protocols=TLSv1.3", "encrypt connection_reuse=perhaps",
		"encrypt tafile=/etc/x", "match=x secure",
		"secure match=0:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_policy p;
		struct err e = ERR_INIT;
		t_case(cases[i]);
		assert_int_equal(tls_policy_parse(sv_z(cases[i]), &p, &e), -1);
		assert_int_equal(e.cls, ERR_CONFIG);
		assert_true(e.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests_name("tls_policy", tests, NULL, NULL);
}
