/* Unit test of lib/tls/tls_match.c and of names that clients ask for (tls_ctx.c). */
#include "tests/support/t.h"

#include "lib/tls/tls_ctx.h"
#include "lib/tls/tls_match.h"

static void test_names(void **state)
{
	static const struct {
		const char *wanted, *cert;
		bool one, many;
	} cases[] = {
		{ "mail.example.org", "mail.example.org", true, true },
		{ "MAIL.example.org", "mail.Example.ORG", true, true },
		{ "mail.example.org.", "mail.example.org", true, true },
		{ "mail.example.org", "example.org", false, false },
		{ "mail.example.org", "xmail.example.org", false, false },
		{ "mail.example.org", "*.example.org", true, true },
		{ "a.mail.example.org", "*.example.org", false, true },
		{ "example.org", "*.example.org", false, false },
		{ "example.org", "*.org", false, false },
		{ "mail.example.org", "m*.example.org", false, false },
		{ "mail.example.org", "*mail.example.org", false, false },
		{ "mail.example.org", "mail.*.org", false, false },
		{ "mail.example.org", "*", false, false },
		{ "mail.example.org", "*.", false, false },
		{ "mail.example.org", "", false, false },
		{ "", "", false, false },
		{ "", "*.example.org", false, false },
		{ ".example.org", "mail.example.org", true, true },
		{ ".example.org", "a.b.example.org", true, true },
		{ ".example.org", "example.org", false, false },
		{ ".example.org", "*.example.org", true, true },
		{ ".example.org", "*.a.example.org", true, true },
		{ ".a.example.org", "*.example.org", false, false },
		{ ".example.org", ".example.org", false, false },
		{ ".example.org", "badexample.org", false, false },
		{ "mail.example.org", "mail.example.org ", false, false },
		{ "mail.example.org", "*..example.org", false, false },
		{ "192.0.2.1", "*.0.2.1", true, true }, /* a name that looks like one: callers never want addresses */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].cert);
		assert_int_equal(tls_name_fits(sv_z(cases[i].wanted), sv_z(cases[i].cert), false), cases[i].one);
		assert_int_equal(tls_name_fits(sv_z(cases[i].wanted), sv_z(cases[i].cert), true), cases[i].many);
	}
	/* a NUL inside */
	assert_false(tls_name_fits(SV("mail.example.org"), SV("mail.example.org\0.evil.example"), true));
}

static void test_asked_names(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		const char *want; /* NULL: as none */
	} cases[] = {
		{ L("mail.example.org"), "mail.example.org" },
		{ L("Mail.Example.ORG"), "mail.example.org" },
		{ L("localhost"), "localhost" },
		{ L("a_b.example"), "a_b.example" },
		{ L("xn--bcher-kva.example"), "xn--bcher-kva.example" },
		{ L(""), NULL },
		{ L("."), NULL },
		{ L("example.org."), NULL },
		{ L(".example.org"), NULL },
		{ L("a..b"), NULL },
		{ L("../../etc/passwd"), NULL },
		{ L("a\\b"), NULL },
		{ L("a\0b.example"), NULL },
		{ L("-a.example"), NULL },
		{ L("a-.example"), NULL },
		{ L("192.0.2.1"), NULL },
		{ L("b\xc3\xbc.example"), NULL },
		{ L("x23456789012345678901234567890123456789012345678901234567890123.example"),
			"x23456789012345678901234567890123456789012345678901234567890123.example" },
		{ L("x234567890123456789012345678901234567890123456789012345678901234.example"), NULL },
	};
	char out[256], long_name[300];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t_case(cases[i].name);
		int rc = tls_sni_name(sv_n(cases[i].name, cases[i].len), out);
		assert_int_equal(rc, cases[i].want != NULL);
		if (cases[i].want)
			assert_string_equal(out, cases[i].want);
	}
	memset(long_name, 'a', sizeof(long_name));
	for (size_t i = 50; i < sizeof(long_name); i += 51)
		long_name[i] = '.';
	assert_int_equal(tls_sni_name(sv_n(long_name, 253), out), 1);
	assert_int_equal(tls_sni_name(sv_n(long_name, 254), out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_asked_names),
	};
	return cmocka_run_group_tests_name("tls_match", tests, NULL, NULL);
}
