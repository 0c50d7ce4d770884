/* Unit test of lib/wire/smtp_args.c; rows B03, D15, E01, E07 of the attack catalogue. */
#include "lib/wire/smtp_args.h"
#include "tests/support/t.h"

#define ALL (SMTP_ARGS_SIZE | SMTP_ARGS_8BITMIME | SMTP_ARGS_SMTPUTF8 | SMTP_ARGS_DSN | SMTP_ARGS_AUTH)
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* want: "SENDER|SIZE|BODY|UTF8|RET|ENVID|AUTH" or "CODE D.S.D text". */
static const struct {
	const char *arg;
	size_t len;
	unsigned flags;
	const char *want;
} mails[] = {
	{ L("FROM:<a@b.example>"), ALL, "a@b.example|0|0|0|0||-" },
	{ L("from: <a@b.example>"), ALL, "a@b.example|0|0|0|0||-" },
	{ L("FROM: <a@b.example>"), ALL | SMTP_ARGS_STRICT, "501 5.1.7 Bad sender address syntax" },
	{ L("FROM:<>"), ALL, "|0|0|0|0||-" },
	{ L("FROM:<a@b.example> SIZE=1000 BODY=8BITMIME"), ALL, "a@b.example|1000|2|0|0||-" },
	{ L("FROM:<a@b.example> body=7bit ret=HDRS envid=QQ+2B"), ALL, "a@b.example|0|1|0|2|QQ+2B|-" },
	{ L("FROM:<a@b.example> RET=FULL AUTH=<>"), ALL, "a@b.example|0|0|0|1||" },
	{ L("FROM:<a@b.example> AUTH=e+3Dmc2@example.com"), ALL, "a@b.example|0|0|0|0||e=mc2@example.com" },
	{ L("FROM:<j\xc3\xb6@b.example> SMTPUTF8"), ALL, "j\xc3\xb6@b.example|0|0|1|0||-" },
	{ L("FROM:<j\xc3\xb6@b.example>"), ALL, "553 5.6.7 Address requires the SMTPUTF8 extension" },
	{ L("FROM:<j\xc3@b.example>"), ALL, "501 5.1.7 Bad sender address syntax" },
	{ L("FROM:<j\xc3\xb6@b.example> SMTPUTF8"), 0, "553 5.6.7 Address requires the SMTPUTF8 extension" },
	{ L("FROM:<a@b.example> SMTPUTF8=1"), ALL, "555 5.5.4 Unsupported option: SMTPUTF8=1" },
	{ L("FROM:<a@b.example> SMTPUTF8"), 0, "555 5.5.4 Unsupported option: SMTPUTF8" },
	{ L("FROM:"), ALL, "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ L("<a@b.example>"), ALL, "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ L("FROM:<a@b"), ALL, "501 5.1.7 Bad sender address syntax" },
	{ L("FROM:<a@b.example> SIZE=-1"), ALL, "501 5.5.4 Bad message size syntax" },
	{ L("FROM:<a@b.example> SIZE=1k"), ALL, "501 5.5.4 Bad message size syntax" },
	{ L("FROM:<a@b.example> SIZE="), ALL, "501 5.5.4 Bad message size syntax" },
	{ L("FROM:<a@b.example> SIZE=99999999999999999999999"), ALL,
		"a@b.example|18446744073709551615|0|0|0||-" },
	{ L("FROM:<a@b.example> SIZE=1 SIZE=2"), ALL, "501 5.5.4 Duplicate SIZE parameter" },
	{ L("FROM:<a@b.example> SIZE"), ALL, "555 5.5.4 Unsupported option: SIZE" },
	{ L("FROM:<a@b.example> BODY=x"), ALL, "555 5.5.4 Unsupported option: BODY=x" },
	{ L("FROM:<a@b.example> BODY=BINARYMIME"), ALL, "555 5.5.4 Unsupported option: BODY=BINARYMIME" },
	{ L("FROM:<a@b.example> X=\x1b[0m"), ALL, "555 5.5.4 Unsupported option: X=?[0m" },
	{ L("FROM:<a@b.example> RET="), ALL, "501 5.5.4 Bad RET parameter syntax" },
	{ L("FROM:<a@b.example> RET=FULL"), SMTP_ARGS_SIZE, "555 5.5.4 Unsupported option: RET=FULL" },
	{ L("FROM:<a@b.example> ENVID="), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=a+00b"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=a+0Ab"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=a+0Db"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=a+4"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=a+4a"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> ENVID=" X50 X50), ALL, "a@b.example|0|0|0|0|" X50 X50 "|-" },
	{ L("FROM:<a@b.example> ENVID=" X50 X50 "x"), ALL, "501 5.5.4 Bad ENVID parameter syntax" },
	{ L("FROM:<a@b.example> AUTH=a+0Ab"), ALL, "501 5.5.4 Malformed AUTH= parameter" },
	{ L("FROM:<a@b.example> AUTH="), ALL, "501 5.5.4 Malformed AUTH= parameter" },
};

static void show_mail(struct buf *b, const struct smtp_mail *m)
{
	buf_printf(b, "%.*s|%llu|%d|%d|%d|%.*s|", SV_ARG(m->sender), (unsigned long long)m->size,
		m->body, m->smtputf8, m->ret, SV_ARG(m->envid));
	if (m->has_auth)
		buf_put_sv(b, m->auth);
	else
		buf_putc(b, '-');
}

static void show_fault(struct buf *b, const struct smtp_fault *f)
{
	char dsn[DSN_TEXT_MAX];
	buf_printf(b, "%d %s %s", f->code, dsn_format(f->dsn, dsn), f->text);
}

static void parses_mail(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct arena a;
		struct buf b;
		struct smtp_mail m;
		struct smtp_fault f;
		arena_init(&a, 10000);
		buf_init(&b, 4096);
		t_case(mails[i].arg);
		if (smtp_mail_parse(sv_n(mails[i].arg, mails[i].len), mails[i].flags, &a, &m, &f) == 1)
			show_mail(&b, &m);
		else
			show_fault(&b, &f);
		t_assert_sv(buf_sv(&b), mails[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

static const struct {
	const char *arg;
	unsigned flags;
	const char *want; /* "RECIPIENT|NOTIFY|ORCPT" or fault */
} rcpts[] = {
	{ "TO:<a@b.example>", ALL, "a@b.example|0|" },
	{ "to:a@b.example", ALL, "a@b.example|0|" },
	{ "TO:<postmaster>", ALL, "postmaster|0|" },
	{ "TO:<>", ALL, "501 5.1.3 Bad recipient address syntax" },
	{ "<a@b>", ALL, "501 5.5.4 Syntax: RCPT TO:<address>" },
	{ "TO:<a@b.example> NOTIFY=NEVER ORCPT=rfc822;a+2Bb@c", ALL, "a@b.example|1|rfc822;a+2Bb@c" },
	{ "TO:<a@b.example> notify=success,DELAY", ALL, "a@b.example|10|" },
	{ "TO:<a@b.example> NOTIFY=NEVER,SUCCESS", ALL, "501 5.5.4 Bad NOTIFY parameter syntax" },
	{ "TO:<a@b.example> NOTIFY=SUCCESS,SUCCESS", ALL, "501 5.5.4 Bad NOTIFY parameter syntax" },
	{ "TO:<a@b.example> NOTIFY=", ALL, "501 5.5.4 Bad NOTIFY parameter syntax" },
	{ "TO:<a@b.example> NOTIFY=SUCCESS,", ALL, "501 5.5.4 Bad NOTIFY parameter syntax" },
	{ "TO:<a@b.example> NOTIFY=DELAY NOTIFY=DELAY", ALL, "501 5.5.4 Bad NOTIFY parameter syntax" },
	{ "TO:<a@b.example> ORCPT=rfc822", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> ORCPT=;a", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> ORCPT=rfc822;", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> ORCPT=rfc822;a+0Ab", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> ORCPT=rfc822;a=b", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> ORCPT=utf-8;j\xc3\xb6@c", ALL | SMTP_ARGS_UTF8_NOW,
		"a@b.example|0|utf-8;j\xc3\xb6@c" },
	{ "TO:<a@b.example> ORCPT=rfc822;x ORCPT=rfc822;x", ALL, "501 5.5.4 Bad ORCPT parameter syntax" },
	{ "TO:<a@b.example> NOTIFY=NEVER", 0, "555 5.5.4 Unsupported option: NOTIFY=NEVER" },
	{ "TO:<a@b.example> FOO", ALL, "555 5.5.4 Unsupported option: FOO" },
	{ "TO:<j\xc3\xb6@b.example>", ALL, "553 5.6.7 Address requires the SMTPUTF8 extension" },
	{ "TO:<j\xc3\xb6@b.example>", ALL | SMTP_ARGS_UTF8_NOW, "j\xc3\xb6@b.example|0|" },
};

static void parses_rcpt(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		struct arena a;
		struct buf b;
		struct smtp_rcpt r;
		struct smtp_fault f;
		arena_init(&a, 10000);
		buf_init(&b, 4096);
		t_case(rcpts[i].arg);
		if (smtp_rcpt_parse(sv_z(rcpts[i].arg), rcpts[i].flags, &a, &r, &f) == 1)
			buf_printf(&b, "%.*s|%u|%.*s", SV_ARG(r.recipient), r.notify, SV_ARG(r.orcpt));
		else
			show_fault(&b, &f);
		t_assert_sv(buf_sv(&b), rcpts[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

static const struct {
	const char *arg;
	int rc;
	uint64_t size;
	bool last;
} bdats[] = {
	{ "10", 1, 10, false },
	{ "0 last", 1, 0, true },
	{ "9223372036854775807", 1, INT64_MAX, false },
	{ "9223372036854775808", -1, 0, false },
	{ "18446744073709551616", -1, 0, false },
	{ "4294967296", 1, 4294967296u, false },
	{ "-1", -1, 0, false },
	{ "+1", -1, 0, false },
	{ "0x10", -1, 0, false },
	{ "1e3", -1, 0, false },
	{ "", -1, 0, false },
	{ "10 LAST LAST", -1, 0, false },
	{ "10LAST", -1, 0, false },
	{ "1111111111111111111111111111111111111111", -1, 0, false },
};

static void parses_bdat(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bdats); i++) {
		uint64_t size = 0;
		bool last;
		struct smtp_fault f;
		t_case(bdats[i].arg);
		int rc = smtp_bdat_parse(sv_z(bdats[i].arg), &size, &last, &f);
		assert_int_equal(rc, bdats[i].rc);
		if (rc == 1) {
			assert_true(size == bdats[i].size);
			assert_int_equal(last, bdats[i].last);
		}
	}
}

static void parses_the_rest(UNUSED void **state)
{
	struct arena a;
	struct smtp_fault f;
	struct sv name, value, rest;
	bool utf8;
	arena_init(&a, 10000);
	assert_int_equal(smtp_helo_parse(SV(" host.example "), true, &name, &f), 1);
	t_assert_sv(name, "host.example");
	assert_int_equal(smtp_helo_parse(SV(""), false, &name, &f), -1);
	assert_string_equal(f.text, "Syntax: HELO hostname");
	assert_int_equal(smtp_helo_parse(SV("a\x1b" "b"), true, &name, &f), -1);

	assert_int_equal(smtp_vrfy_parse(SV("user"), 0, &a, &value, &utf8, &f), 1);
	t_assert_sv(value, "user");
	assert_int_equal(smtp_vrfy_parse(SV("<j\xc3\xb6@d.example> SMTPUTF8"), SMTP_ARGS_SMTPUTF8, &a,
				 &value, &utf8, &f),
		1);
	assert_true(utf8);
	assert_int_equal(smtp_vrfy_parse(SV("user x"), 0, &a, &value, &utf8, &f), -1);
	assert_int_equal(f.code, 555);
	assert_int_equal(smtp_vrfy_parse(SV(""), 0, &a, &value, &utf8, &f), -1);

	rest = SV("NAME=a+20b ADDR=1.2.3.4");
	assert_int_equal(smtp_attr_next(&rest, &a, &name, &value, &f), 1);
	t_assert_sv(name, "NAME");
	t_assert_sv(value, "a b");
	assert_int_equal(smtp_attr_next(&rest, &a, &name, &value, &f), 1);
	t_assert_sv(value, "1.2.3.4");
	assert_int_equal(smtp_attr_next(&rest, &a, &name, &value, &f), 0);
	rest = SV("NAME");
	assert_int_equal(smtp_attr_next(&rest, &a, &name, &value, &f), -1);
	rest = SV("NAME=a+0Ab");
	assert_int_equal(smtp_attr_next(&rest, &a, &name, &value, &f), -1);
	arena_free(&a);
}

static void stops_at_the_ceiling(UNUSED void **state)
{
	struct arena a;
	struct smtp_mail m;
	struct smtp_fault f;
	arena_init(&a, 8);
	assert_int_equal(smtp_mail_parse(SV("FROM:<aaaaaaaaaa@b.example>"), ALL, &a, &m, &f), -1);
	assert_int_equal(f.code, 451);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_mail),
		cmocka_unit_test(parses_rcpt),
		cmocka_unit_test(parses_bdat),
		cmocka_unit_test(parses_the_rest),
		cmocka_unit_test(stops_at_the_ceiling),
	};
	return cmocka_run_group_tests_name("smtp_args", tests, NULL, NULL);
}
