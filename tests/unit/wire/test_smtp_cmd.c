/* Unit test of lib/wire/smtp_cmd.c. */
#include "lib/wire/smtp_cmd.h"
#include "tests/support/t.h"

static const struct {
	const char *line;
	size_t len;
	int rc;
	enum smtp_verb verb;
	const char *word, *arg;
} cases[] = {
	{ L("MAIL FROM:<a@b.example>"), 1, SMTP_MAIL, "MAIL", "FROM:<a@b.example>" },
	{ L("quit  "), 1, SMTP_QUIT, "quit", "" },
	{ L("  Ehlo\thost "), 1, SMTP_EHLO, "Ehlo", "host" },
	{ L("BDAT 10 LAST"), 1, SMTP_BDAT, "BDAT", "10 LAST" },
	{ L("XCLIENT A=b"), 1, SMTP_XCLIENT, "XCLIENT", "A=b" },
	{ L("STARTTLS"), 1, SMTP_STARTTLS, "STARTTLS", "" },
	{ L("XYZZY 1"), 1, SMTP_UNKNOWN, "XYZZY", "1" },
	{ L("MAI"), 1, SMTP_UNKNOWN, "MAI", "" },
	{ L("\xff\xfd x"), 1, SMTP_UNKNOWN, "\xff\xfd", "x" },
	{ L(""), 0, SMTP_UNKNOWN, NULL, NULL },
	{ L(" \t"), 0, SMTP_UNKNOWN, NULL, NULL },
	{ L("RCPT TO:<a>\rDATA"), -1, SMTP_UNKNOWN, NULL, NULL },
	{ L("RCPT TO:<a>\nDATA"), -1, SMTP_UNKNOWN, NULL, NULL },
	{ L("NOOP \0x"), -1, SMTP_UNKNOWN, NULL, NULL },
};

static void parses_every_line(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_cmd cmd;
		int rc = smtp_cmd_parse(sv_n(cases[i].line, cases[i].len), &cmd);
		t_case(cases[i].line);
		assert_int_equal(rc, cases[i].rc);
		if (rc == 1) {
			assert_int_equal(cmd.verb, cases[i].verb);
			t_assert_sv(cmd.word, cases[i].word);
			t_assert_sv(cmd.arg, cases[i].arg);
		}
	}
}

static void names_every_verb(UNUSED void **state)
{
	for (unsigned v = 1; v < SMTP_VERB_COUNT; v++) {
		struct smtp_cmd cmd;
		const char *name = smtp_verb_name((enum smtp_verb)v);
		assert_int_equal(smtp_cmd_parse(sv_z(name), &cmd), 1);
		assert_int_equal(cmd.verb, v);
	}
	assert_string_equal(smtp_verb_name((enum smtp_verb)999), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_every_line),
		cmocka_unit_test(names_every_verb),
	};
	return cmocka_run_group_tests_name("smtp_cmd", tests, NULL, NULL);
}
