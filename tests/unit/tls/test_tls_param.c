/* Unit test of lib/tls/tls_param.c: tables of words. */
#include "tests/support/t.h"

#include "lib/tls/tls_param.h"

static void test_levels(void **state)
{
	static const struct {
		const char *word;
		int rc;
		enum tls_level level;
	} cases[] = {
		{ "none", 1, TLS_LEVEL_NONE },
		{ "May", 1, TLS_LEVEL_MAY },
		{ "encrypt", 1, TLS_LEVEL_ENCRYPT },
		{ "fingerprint", 1, TLS_LEVEL_FINGERPRINT },
		{ "verify", 1, TLS_LEVEL_VERIFY },
		{ "secure", 1, TLS_LEVEL_SECURE },
		{ "dane", 0, TLS_LEVEL_NONE },
		{ "dane-only", 0, TLS_LEVEL_NONE },
		{ "", -1, TLS_LEVEL_NONE },
		{ "maybe", -1, TLS_LEVEL_NONE },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum tls_level level = TLS_LEVEL_NONE;
		t_case(cases[i].word);
		assert_int_equal(tls_level_parse(sv_z(cases[i].word), &level), cases[i].rc);
		if (cases[i].rc != 1)
			continue;
		assert_int_equal(level, cases[i].level);
		assert_true(sv_ieqz(sv_z(cases[i].word), tls_level_name(level)));
	}
}

static void test_protocols(void **state)
{
	static const struct {
		const char *value;
		int min, max; /* 0: an error */
	} cases[] = {
		{ "", 0x303, 0x304 },
		{ ">=TLSv1", 0x303, 0x304 }, /* older ones are never spoken */
		{ ">=TLSv1.2", 0x303, 0x304 },
		{ ">=TLSv1.3", 0x304, 0x304 },
		{ "<=TLSv1.2", 0x303, 0x303 },
		{ ">=TLSv1.2, <=TLSv1.2", 0x303, 0x303 },
		{ "!SSLv2, !SSLv3", 0x303, 0x304 },
		{ "!SSLv2:!SSLv3:!TLSv1:!TLSv1.1", 0x303, 0x304 },
		{ "!tlsv1.3", 0x303, 0x303 },
		{ "TLSv1.2 TLSv1.3", 0x303, 0x304 },
		{ "TLSv1.3", 0x304, 0x304 },
		{ "<=TLSv1.1", 0, 0 },
		{ "TLSv1", 0, 0 },
		{ "!TLSv1.2 !TLSv1.3", 0, 0 },
		{ ">=TLSv1.4", 0, 0 },
		{ "TLS1.2", 0, 0 },
		{ ">=", 0, 0 },
		{ "!", 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_protocols p = { 0, 0 };
		struct err e = ERR_INIT;
		t_case(cases[i].value);
		int rc = tls_protocols_parse(cases[i].value, &p, &e);
		assert_int_equal(rc, cases[i].min ? 0 : -1);
		assert_int_equal(p.min, cases[i].min);
		assert_int_equal(p.max, cases[i].max);
		assert_int_equal(e.cls, cases[i].min ? ERR_NONE : ERR_CONFIG);
	}
	assert_string_equal(tls_protocol_name(0x304), "TLSv1.3");
	assert_string_equal(tls_protocol_name(1), "?");
}

static void test_ciphers(void **state)
{
	static const struct tls_grades g = { .high = "HIGH", .medium = "HIGH:MEDIUM", .low = "LOW", .export = "EXP",
		.null = "eNULL" };
	static const struct {
		const char *grade, *exclude, *exclude2, *want; /* NULL: an error */
	} cases[] = {
		{ "high", "", NULL, "HIGH" },
		{ "MEDIUM", "aNULL, RC4", "3DES", "HIGH:MEDIUM:!aNULL:!RC4:!3DES" },
		{ "null", NULL, NULL, "eNULL" },
		{ "export", "", "", "EXP" },
		{ "low", "", "", "LOW" },
		{ "best", "", "", NULL },
		{ "", "", "", NULL },
		{ "high", "!aNULL", "", NULL },
		{ "high", "", "@SECLEVEL=0", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		struct err e = ERR_INIT;
		buf_init(&b, 1000);
		t_case(cases[i].grade);
		int rc = tls_ciphers_compose(&g, cases[i].grade, cases[i].exclude, cases[i].exclude2, &b, &e);
		assert_int_equal(rc, cases[i].want ? 0 : -1);
		if (cases[i].want)
			t_assert_sv(buf_sv(&b), cases[i].want);
		buf_free(&b);
	}
}

static void test_groups(void **state)
{
	static const struct tls_curves c = { .automatic = "X25519 no-such-curve prime256v1", .strong = "prime256v1",
		.ultra = "no-such-curve" };
	static const struct {
		const char *grade, *want;
	} cases[] = {
		{ "auto", "X25519:prime256v1" },
		{ "none", "X25519:prime256v1" },
		{ "strong", "prime256v1" },
		{ "ultra", NULL },
		{ "best", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		struct err e = ERR_INIT;
		buf_init(&b, 1000);
		t_case(cases[i].grade);
		int rc = tls_groups_compose(&c, cases[i].grade, &b, &e);
		assert_int_equal(rc, cases[i].want ? 0 : -1);
		if (cases[i].want)
			t_assert_sv(buf_sv(&b), cases[i].want);
		buf_free(&b);
	}
}

static void test_options(void **state)
{
	struct err e = ERR_INIT;
	uint64_t bits = 1, more = 0;
	(void)state;
	assert_int_equal(tls_options_parse("", &bits, &e), 0);
	assert_true(bits == 0);
	assert_int_equal(tls_options_parse("NO_TICKET, no_compression", &bits, &e), 0);
	assert_int_equal(tls_options_parse("NO_TICKET", &more, &e), 0);
	assert_true(bits != 0 && more != 0 && (bits & more) == more && bits != more);
	assert_int_equal(tls_options_parse("0x4000", &bits, &e), 0);
	assert_true(bits == 0x4000);
	assert_int_equal(tls_options_parse("0x40zz", &bits, &e), -1);
	assert_int_equal(tls_options_parse("NO_SECURITY", &bits, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests_name("tls_param", tests, NULL, NULL);
}
