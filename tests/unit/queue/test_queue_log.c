/* Unit test of lib/queue/queue_log.c: lines of logs. */
#include "tests/support/t.h"

#include "lib/queue/queue_log.h"

#define TEXT "to=<a@b.test>, orig_to=<a>, relay=none, delay=1.5, dsn=4.4.1, status=deferred (to=<x>: why)"

static const struct {
	const char *line;
	bool ok;
	const char *stamp, *program, *id, *text;
} lines[] = {
	{ "Nov 29 19:34:58 vm merpati/qmgr[12]: 4jcy524B1jz4RHVtvj: removed", true, "Nov 29 19:34:58", "qmgr",
		"4jcy524B1jz4RHVtvj", "removed" },
	{ "Nov  9 19:34:58 vm merpati/submission/smtpd[12]: NOQUEUE: reject: x: y", true, "Nov  9 19:34:58", "smtpd",
		"NOQUEUE", "reject: x: y" },
	{ "2026-11-29T19:34:58.123456+00:00 vm postfix/smtp[1]: 4Pt2mN2VXxznjllB: to=<x>", true,
		"2026-11-29T19:34:58.123456+00:00", "smtp", "4Pt2mN2VXxznjllB", "to=<x>" },
	{ "Nov 29 19:34:58 vm merpati/smtpd[12]: connect from x[1.2.3.4]", true, "Nov 29 19:34:58", "smtpd", "",
		"connect from x[1.2.3.4]" },
	{ "Nov 29 19:34:58 vm merpati/smtpd[12]: warning: dict: x", true, "Nov 29 19:34:58", "smtpd", "",
		"warning: dict: x" },
	{ "Nov 29 19:34:58 vm kernel: oops: x", false, NULL, NULL, NULL, NULL },
	{ "==1==ERROR: x", false, NULL, NULL, NULL, NULL },
	{ "Nov 29 x", false, NULL, NULL, NULL, NULL },
	{ "Nov 29 19:34:58", false, NULL, NULL, NULL, NULL },
	{ "", false, NULL, NULL, NULL, NULL },
};

static void parses_lines(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct queue_log_line l;
		t_case(lines[i].line);
		assert_int_equal(queue_log_parse(sv_z(lines[i].line), &l), lines[i].ok);
		if (!lines[i].ok)
			continue;
		t_assert_sv(l.stamp, lines[i].stamp);
		t_assert_sv(l.program, lines[i].program);
		t_assert_sv(l.id, lines[i].id);
		t_assert_sv(l.text, lines[i].text);
	}
}

static void finds_values(UNUSED void **state)
{
	static const struct {
		const char *text, *name, *want; /* want NULL: not there */
	} cases[] = {
		{ TEXT, "to", "a@b.test" },
		{ TEXT, "orig_to", "a" },
		{ TEXT, "dsn", "4.4.1" },
		{ TEXT, "status", "deferred" },
		{ TEXT, "o", NULL },
		{ "message-id=<1@x>", "message-id", "1@x" },
		{ "message-id=<>", "message-id", "" },
		{ "from=<a>b@x>, size=1", "from", "a>b@x" },
		{ "reject: from=<a@x> to=<b@y> proto=SMTP", "to", "b@y" },
		{ "reject: from=<a@x> to=<b@y> proto=SMTP", "proto", "SMTP" },
		{ "from=<cut", "from", "cut" },
		{ "from=", "from", "" },
		{ "", "from", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv v;
		bool found = queue_log_value(sv_z(cases[i].text), cases[i].name, &v);
		t_case(cases[i].text);
		assert_int_equal(found, cases[i].want != NULL);
		if (found)
			t_assert_sv(v, cases[i].want);
	}
}

static void finds_children(UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "to=<a>, status=sent (forwarded as 4jcy524B1jz4RHVtvj)", "4jcy524B1jz4RHVtvj" },
		{ "sender non-delivery notification: 4jh2Wh2jbXzZvcD2sN", "4jh2Wh2jbXzZvcD2sN" },
		{ "to=<a>, status=sent (250 2.0.0 Ok: queued as 4Pt2mN2VXxznjllB)", "4Pt2mN2VXxznjllB" },
		{ "requeued as 4jcy524B1jz4RHVtvj, from=<a>", "4jcy524B1jz4RHVtvj" },
		{ "status=sent (queued as)", NULL },
		{ "removed", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv id;
		bool found = queue_log_child(sv_z(cases[i].text), &id);
		t_case(cases[i].text);
		assert_int_equal(found, cases[i].want != NULL);
		if (found)
			t_assert_sv(id, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_lines),
		cmocka_unit_test(finds_values),
		cmocka_unit_test(finds_children),
	};
	return cmocka_run_group_tests_name("queue_log", tests, NULL, NULL);
}
