/* Unit test of lib/wire/pop3_cmd.c; row N01 of the attack catalogue. */
#include "lib/wire/pop3_cmd.h"
#include "tests/support/t.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* want: "VERB arg|arg2|msg|lines" or "!why" */
static const struct {
	const char *line;
	size_t len;
	int rc;
	const char *want;
} cases[] = {
	{ L("USER joe"), 1, "USER joe||-|0" },
	{ L("user joe@d.example "), 1, "USER joe@d.example||-|0" },
	{ L("PASS a b  c "), 1, "PASS a b  c ||-|0" },
	{ L("PASS  x"), 1, "PASS  x||-|0" },
	{ L("PASS"), -1, "!argument missing" },
	{ L("USER"), -1, "!argument missing" },
	{ L("APOP joe 0123"), 1, "APOP joe|0123|-|0" },
	{ L("APOP joe"), -1, "!APOP needs name and digest" },
	{ L("AUTH"), 1, "AUTH ||-|0" },
	{ L("AUTH PLAIN AGE="), 1, "AUTH PLAIN|AGE=|-|0" },
	{ L("CAPA"), 1, "CAPA ||-|0" },
	{ L("CAPA x"), -1, "!too many arguments" },
	{ L("STAT "), 1, "STAT ||-|0" },
	{ L("LIST"), 1, "LIST ||-|0" },
	{ L("LIST 4294967295"), 1, "LIST ||4294967295|0" },
	{ L("RETR 1"), 1, "RETR ||1|0" },
	{ L("TOP 1 0"), 1, "TOP ||1|0" },
	{ L("TOP 2 10"), 1, "TOP ||2|10" },
	{ L("TOP 1 -1"), -1, "!invalid number of lines" },
	{ L("TOP 1 99999999999999999999"), -1, "!invalid number of lines" },
	{ L("TOP 0 1"), -1, "!invalid message number" },
	{ L("TOP 1"), -1, "!invalid number of lines" },
	{ L("TOP"), -1, "!message number missing" },
	{ L("TOP 1 2 3"), -1, "!invalid number of lines" },
	{ L("RETR"), -1, "!message number missing" },
	{ L("RETR 0"), -1, "!invalid message number" },
	{ L("RETR -1"), -1, "!invalid message number" },
	{ L("RETR +1"), -1, "!invalid message number" },
	{ L("RETR 4294967297"), -1, "!invalid message number" },
	{ L("RETR abc"), -1, "!invalid message number" },
	{ L("RETR 1 2"), -1, "!too many arguments" },
	{ L("DELE 1x"), -1, "!invalid message number" },
	{ L("LIST 2147483648"), 1, "LIST ||2147483648|0" },
	{ L("UIDL x"), -1, "!invalid message number" },
	{ L("QUIT"), 1, "QUIT ||-|0" },
	{ L("XYZZY 1"), 0, "? ||-|0" },
	{ L(""), 0, "? ||-|0" },
	{ L(" STAT"), 0, "? ||-|0" },
	{ L("USER a\0b"), -1, "!invalid character" },
	{ L("USER a\rb"), -1, "!invalid character" },
	{ L("PASS " X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 1, NULL },
	{ L("PASS " X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), -1,
		"!line too long" },
};

static void parses_every_line(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pop3_cmd c;
		const char *why = "";
		char got[600];
		t_case(cases[i].line);
		int rc = pop3_cmd_parse(sv_n(cases[i].line, cases[i].len), &c, &why);
		assert_int_equal(rc, cases[i].rc);
		char msg[12] = "-";
		if (c.has_msg)
			snprintf(msg, sizeof(msg), "%u", c.msg);
		if (rc < 0)
			snprintf(got, sizeof(got), "!%s", why);
		else
			snprintf(got, sizeof(got), "%s %.*s|%.*s|%s|%u", pop3_verb_name(c.verb),
				SV_ARG(c.arg), SV_ARG(c.arg2), msg, c.lines);
		if (cases[i].want)
			t_assert_sv(sv_z(got), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parses_every_line) };
	return cmocka_run_group_tests_name("pop3_cmd", tests, NULL, NULL);
}
