/* Unit test of lib/wire/smtp_reply.c. */
#include "lib/wire/smtp_reply.h"
#include "tests/support/t.h"

/* Lines separated by LF; want: "CODE DSN text" with LF as '|', or the rc of the last line. */
static const struct {
	const char *lines;
	int rc;
	const char *want;
} cases[] = {
	{ "250 ok", 1, "250 - 250 ok" },
	{ "250", 1, "250 - 250" },
	{ "250-mx.example\n250-SIZE 100\n250 HELP", 1, "250 - 250-mx.example|250-SIZE 100|250 HELP" },
	{ "550 5.1.1 User unknown", 1, "550 5.1.1 550 5.1.1 User unknown" },
	{ "550-5.7.1 No\n550 5.7.2 really", 1, "550 5.7.2 550-5.7.1 No|550 5.7.2 really" },
	{ "550 4.1.1 wrong class", 1, "550 - 550 4.1.1 wrong class" },
	{ "250-a", 0, "250 - 250-a" },
	{ "250 a\x1b[2J\x7f\xff", 1, "250 - 250 a?[2J??" },
	{ "250 j\xc3\xb6", 1, "250 - 250 j\xc3\xb6" },
	{ "250-a\n550 b", -1, NULL },
	{ "150 a", -1, NULL },
	{ "650 a", -1, NULL },
	{ "25", -1, NULL },
	{ "", -1, NULL },
	{ "2x0 a", -1, NULL },
	{ "250_a", -1, NULL },
	{ "hello", -1, NULL },
};

static void reads_replies(UNUSED void **state)
{
	struct smtp_reply r;
	smtp_reply_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv lines = sv_z(cases[i].lines), line = SV_NONE;
		char z[DSN_TEXT_MAX];
		int rc = 0;
		t_case(cases[i].lines);
		smtp_reply_reset(&r);
		do {
			line = sv_take_until(&lines, '\n');
			rc = smtp_reply_line(&r, line);
		} while (rc == 0 && lines.len);
		assert_int_equal(rc, cases[i].rc);
		if (rc < 0)
			continue;
		struct buf b;
		buf_init(&b, 1000);
		buf_printf(&b, "%d %s ", r.code, r.has_dsn ? dsn_format(r.dsn, z) : "-");
		for (size_t k = 0; k < r.text.len; k++)
			buf_putc(&b, r.text.p[k] == '\n' ? '|' : r.text.p[k]);
		t_assert_sv(buf_sv(&b), cases[i].want);
		buf_free(&b);
	}
	smtp_reply_free(&r);
}

static void bounds_a_reply(UNUSED void **state)
{
	struct smtp_reply r;
	char line[1000];
	int n = 0;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	smtp_reply_init(&r);
	while (smtp_reply_line(&r, sv_n(line, sizeof(line))) == 0)
		n++;
	assert_int_equal(n, SMTP_REPLY_LINES_MAX);
	assert_true(r.truncated);
	assert_true(r.text.len <= SMTP_REPLY_TEXT_MAX);
	smtp_reply_free(&r);
}

static void writes_replies(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	smtp_reply_put(&b, 250, DSN(2, 1, 5), SV("Ok"));
	t_assert_sv(buf_sv(&b), "250 2.1.5 Ok\r\n");
	buf_reset(&b);
	smtp_reply_put(&b, 250, DSN(0, 0, 0), SV("host\nSIZE\nHELP"));
	t_assert_sv(buf_sv(&b), "250-host\r\n250-SIZE\r\n250 HELP\r\n");
	buf_reset(&b);
	smtp_reply_put(&b, 550, DSN(5, 1, 1), SV("<a\r550 b>: \xff"));
	t_assert_sv(buf_sv(&b), "550 5.1.1 <a?550 b>: ?\r\n");
	buf_reset(&b);
	smtp_reply_put(&b, 500, DSN(0, 0, 0), SV(""));
	t_assert_sv(buf_sv(&b), "500 \r\n");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_replies),
		cmocka_unit_test(bounds_a_reply),
		cmocka_unit_test(writes_replies),
	};
	return cmocka_run_group_tests_name("smtp_reply", tests, NULL, NULL);
}
