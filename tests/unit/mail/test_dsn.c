/* Unit test of lib/mail/dsn.c; rows D15, F05 of the attack catalogue. */
#include "lib/mail/dsn.h"
#include "tests/support/t.h"

static const struct {
	const char *text;
	int rc;
	const char *code, *rest;
} codes[] = {
	{ "5.1.1 User unknown", 1, "5.1.1", "User unknown" },
	{ "2.0.0", 1, "2.0.0", "" },
	{ "4.123.999\tx", 1, "4.123.999", "x" },
	{ "5.1.1x", 0, NULL, NULL },
	{ "5.1", 0, NULL, NULL },
	{ "5.1.", 0, NULL, NULL },
	{ "5..1", 0, NULL, NULL },
	{ "3.1.1 x", 0, NULL, NULL },
	{ "55.1.1 x", 0, NULL, NULL },
	{ "5.1234.1 x", 0, NULL, NULL },
	{ "5.1.1234 x", 0, NULL, NULL },
	{ "User unknown", 0, NULL, NULL },
	{ "", 0, NULL, NULL },
};

static void parses_codes(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct dsn_code code;
		struct sv rest;
		char z[DSN_TEXT_MAX];
		t_case(codes[i].text);
		assert_int_equal(dsn_parse(sv_z(codes[i].text), &code, &rest), codes[i].rc);
		if (codes[i].rc == 1) {
			assert_string_equal(dsn_format(code, z), codes[i].code);
			t_assert_sv(rest, codes[i].rest);
		}
		dsn_split(sv_z(codes[i].text), DSN(4, 0, 0), &code, &rest);
		assert_string_equal(dsn_format(code, z), codes[i].rc == 1 ? codes[i].code : "4.0.0");
		t_assert_sv(rest, codes[i].rc == 1 ? codes[i].rest : codes[i].text);
		assert_int_equal(dsn_with_class(code, 2).cls, 2);
	}
}

static void reads_and_writes_notify(UNUSED void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned mask;
	} cases[] = {
		{ "NEVER", 1, 1 }, { "success", 1, 2 }, { "SUCCESS,FAILURE,DELAY", 1, 14 },
		{ "DELAY,DELAY", -1, 0 }, { "NEVER,DELAY", -1, 0 }, { "", -1, 0 }, { "x", -1, 0 },
		{ "DELAY,", -1, 0 }, { ",DELAY", -1, 0 }, { "DELAY ", -1, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned mask = 0;
		t_case(cases[i].text);
		assert_int_equal(dsn_notify_parse(sv_z(cases[i].text), &mask), cases[i].rc);
		assert_int_equal(mask, cases[i].mask);
	}
	struct buf b;
	buf_init(&b, 100);
	dsn_notify_format(&b, 14);
	t_assert_sv(buf_sv(&b), "SUCCESS,FAILURE,DELAY");
	buf_free(&b);
	enum dsn_ret ret;
	assert_int_equal(dsn_ret_parse(SV("full"), &ret), 1);
	assert_int_equal(ret, DSN_RET_FULL);
	assert_int_equal(dsn_ret_parse(SV("HDRS"), &ret), 1);
	assert_int_equal(dsn_ret_parse(SV("FULL "), &ret), -1);
}

static void codes_xtext(UNUSED void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool utf8;
		int rc;
		const char *plain;
	} cases[] = {
		{ L("abc"), false, 1, "abc" },
		{ L("a+2Bb+3Dc+20"), false, 1, "a+b=c " },
		{ L("+2b"), false, -1, NULL },
		{ L("+2"), false, -1, NULL },
		{ L("+"), false, -1, NULL },
		{ L("+GG"), false, -1, NULL },
		{ L("a=b"), false, -1, NULL },
		{ L("a b"), false, -1, NULL },
		{ L("+00"), false, -1, NULL },
		{ L("+0A"), false, -1, NULL },
		{ L("+0D"), false, -1, NULL },
		{ L("+7F"), false, -1, NULL },
		{ L("+C3+A9"), false, -1, NULL },
		{ L("+C3+A9"), true, 1, "\xc3\xa9" },
		{ L("\xc3\xa9"), false, -1, NULL },
		{ L("\xc3\xa9"), true, 1, "\xc3\xa9" },
		{ L("\xc3"), true, -1, NULL },
		{ L("a\0"), false, -1, NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 100);
		buf_puts(&b, "x");
		t_case(cases[i].text);
		assert_int_equal(xtext_decode(&b, sv_n(cases[i].text, cases[i].len), cases[i].utf8),
			cases[i].rc);
		t_assert_sv(sv_from(buf_sv(&b), 1), cases[i].rc == 1 ? cases[i].plain : "");
		buf_free(&b);
	}
	struct buf b;
	buf_init(&b, 100);
	xtext_encode(&b, SV("a+b=c \n\xff"));
	t_assert_sv(buf_sv(&b), "a+2Bb+3Dc+20+0A+FF");
	buf_reset(&b);
	utf8_xtext_encode(&b, SV("j\xc3\xb6 a+\xff\\"));
	t_assert_sv(buf_sv(&b), "j\\x{F6}\\x{20}a\\x{2B}\\x{FFFD}\\x{5C}");
	buf_free(&b);
}

static void decodes_original_recipients(UNUSED void **state)
{
	static const struct {
		const char *in, *out; /* NULL: malformed */
	} cases[] = {
		{ "rfc822;bob+2Bx@a.example", "rfc822;bob+x@a.example" },
		{ "RFC822;Bob@A.example", "RFC822;Bob@A.example" },
		{ "x400;/c=id/", NULL }, /* '=' is no xtext */
		{ "rfc822;a b", NULL },
		{ "rfc822;\xc3\xb6", NULL },
		{ "bob@a.example", NULL },
		{ ";bob", NULL },
		{ "utf-8;j\\x{F6}rg@a.example", "utf-8;j\xc3\xb6rg@a.example" },
		{ "UTF-8;j\xc3\xb6rg\\x{2b}\\x{5C}@a.example", "UTF-8;j\xc3\xb6rg+\\@a.example" },
		{ "utf-8;\\x{1F600}@a.example", "utf-8;\xf0\x9f\x98\x80@a.example" },
		/* not well-formed: as it came */
		{ "utf-8;a\\b@a.example", "utf-8;a\\b@a.example" },
		{ "utf-8;a\\x{D800}@a.example", "utf-8;a\\x{D800}@a.example" },
		{ "utf-8;a\\x{110000}", "utf-8;a\\x{110000}" },
		{ "utf-8;a\\x{0A}b", "utf-8;a\\x{0A}b" },
		{ "utf-8;a\\x{85}b", "utf-8;a\\x{85}b" },
		{ "utf-8;a\\x{}", "utf-8;a\\x{}" },
		{ "utf-8;a\\x{F6", "utf-8;a\\x{F6" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 1000);
		t_case(cases[i].in);
		assert_int_equal(dsn_orcpt_decode(&b, sv_z(cases[i].in)), cases[i].out ? 1 : -1);
		t_assert_sv(buf_sv(&b), cases[i].out ? cases[i].out : "");
		buf_free(&b);
	}
}

static void writes_fields_that_hold_no_other_field(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	dsn_field(&b, "Reporting-MTA", SV("dns; a\r\nBcc: x\n\0y"));
	t_assert_sv(buf_sv(&b), "Reporting-MTA: dns; a  Bcc: x  y\n");
	buf_reset(&b);
	dsn_typed_field(&b, "Final-Recipient", "rfc822", SV("a@b.example"));
	t_assert_sv(buf_sv(&b), "Final-Recipient: rfc822; a@b.example\n");
	buf_free(&b);
	struct sv type, addr;
	assert_int_equal(dsn_addr_split(SV("rfc822;a@b;c"), &type, &addr), 1);
	t_assert_sv(type, "rfc822");
	t_assert_sv(addr, "a@b;c");
	assert_int_equal(dsn_addr_split(SV("rfc822"), &type, &addr), -1);
	assert_int_equal(dsn_addr_split(SV(";a"), &type, &addr), -1);
	assert_int_equal(dsn_addr_split(SV("r c;a"), &type, &addr), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_codes),
		cmocka_unit_test(reads_and_writes_notify),
		cmocka_unit_test(codes_xtext),
		cmocka_unit_test(decodes_original_recipients),
		cmocka_unit_test(writes_fields_that_hold_no_other_field),
	};
	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
