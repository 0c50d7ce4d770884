/* Unit test of lib/wire/imap_args.c; row M11 of the attack catalogue. */
#include "lib/wire/imap_parse.h"
#include "tests/support/t.h"

static struct arena a;

static void start(struct imap_parser *p, const char *text)
{
	arena_reset(&a);
	imap_parser_init(p, sv_z(text), &a, false);
}

static void parses_append(UNUSED void **state)
{
	static const struct {
		const char *text;
		const char *want; /* "mailbox|flags|keywords|date|size" or "!why" */
	} cases[] = {
		{ " INBOX {10}\r\n", "INBOX|0|0|-|10|0" },
		{ " \"a b\" (\\Seen $x) \" 1-Jan-1970 01:00:00 +0100\" {10+}\r\n", "a b|1|1|0|10|0" },
		{ " {5}\r\nSa&-1 () ~{0}\r\n", "Sa&1|0|0|-|0|1" },
		{ " INBOX {9223372036854775807}\r\n", "INBOX|0|0|-|9223372036854775807|0" },
		{ " INBOX {9223372036854775808}\r\n", "!number too large" },
		{ " INBOX {}\r\n", "!expected a number" },
		{ " INBOX {1}x\r\n", "!unexpected text at the end" },
		{ " INBOX\r\n", "!expected a space" },
		{ " INBOX (\\Seen)\r\n", "!expected a space" },
		{ " INBOX (\\Recent) {1}\r\n", "!this flag cannot be set" },
		{ " INBOX \"32-Jan-1970 01:00:00 +0100\" {1}\r\n", "!invalid date" },
		{ " INBOX \"x\" \"y\" {1}\r\n", "!invalid date" },
		{ " INBOX CATENATE (\r\n", "!expected a literal" },
		{ "INBOX {1}\r\n", "!expected a space" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_parser p;
		struct imap_append x;
		char got[300], date[30] = "-";
		t_case(cases[i].text);
		start(&p, cases[i].text);
		if (imap_append_args(&p, &x) == 1) {
			if (x.has_date)
				snprintf(date, sizeof(date), "%lld", (long long)x.date);
			snprintf(got, sizeof(got), "%.*s|%u|%zu|%s|%llu|%d", SV_ARG(x.mailbox),
				x.flags.system, x.flags.nkeywords, date,
				(unsigned long long)x.size, x.literal8);
		} else {
			snprintf(got, sizeof(got), "!%s", p.why);
		}
		t_assert_sv(sv_z(got), cases[i].want);
	}
}

static void parses_store(UNUSED void **state)
{
	static const struct {
		const char *text;
		int rc;
		enum imap_store_op op;
		bool silent;
		unsigned flags;
	} cases[] = {
		{ "FLAGS (\\Seen)", 1, IMAP_STORE_SET, false, 1 },
		{ "+FLAGS.SILENT (\\Deleted)", 1, IMAP_STORE_ADD, true, 8 },
		{ "-flags \\Seen \\Draft", 1, IMAP_STORE_REMOVE, false, 17 },
		{ "FLAGS ()", 1, IMAP_STORE_SET, false, 0 },
		{ "FLAGS", -1, IMAP_STORE_SET, false, 0 },
		{ "FLAGS.LOUD ()", -1, IMAP_STORE_SET, false, 0 },
		{ "++FLAGS ()", -1, IMAP_STORE_SET, false, 0 },
		{ "FLAGS ((((", -1, IMAP_STORE_SET, false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_parser p;
		struct imap_store s;
		t_case(cases[i].text);
		start(&p, cases[i].text);
		assert_int_equal(imap_store_args(&p, &s), cases[i].rc);
		if (cases[i].rc == 1) {
			assert_int_equal(s.op, cases[i].op);
			assert_int_equal(s.silent, cases[i].silent);
			assert_int_equal(s.flags.system, cases[i].flags);
		}
	}
}

static void parses_status_and_dates(UNUSED void **state)
{
	struct imap_parser p;
	unsigned mask;
	int64_t day;
	start(&p, "(MESSAGES uidnext UNSEEN)");
	assert_int_equal(imap_status_items(&p, &mask), 1);
	assert_int_equal(mask, IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UNSEEN);
	static const char *const bad[] = { "()", "(FOO)", "(MESSAGES", "MESSAGES", "((MESSAGES))" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		start(&p, bad[i]);
		t_case(bad[i]);
		assert_int_equal(imap_status_items(&p, &mask), -1);
	}
	start(&p, "\"1-Feb-1994\"");
	assert_int_equal(imap_date(&p, &day), 1);
	assert_int_equal(day, 8797);
	start(&p, "1-Feb-1994");
	assert_int_equal(imap_date(&p, &day), 1);
	static const char *const dates[] = { "0-Feb-1994", "1-Feb-0000", "1-Feb-10000", "32-Jan-1994", "x" };
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		start(&p, dates[i]);
		t_case(dates[i]);
		assert_int_equal(imap_date(&p, &day), -1);
	}
}

static int init(UNUSED void **state)
{
	arena_init(&a, 1 << 20);
	return 0;
}

static int fini(UNUSED void **state)
{
	arena_free(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_append),
		cmocka_unit_test(parses_store),
		cmocka_unit_test(parses_status_and_dates),
	};
	return cmocka_run_group_tests_name("imap_args", tests, init, fini);
}
