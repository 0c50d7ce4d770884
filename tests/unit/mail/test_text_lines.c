/* Unit test of lib/mail/text_lines.c, against what postmap and postalias accept. */
#include "lib/mail/text_lines.h"
#include "tests/support/t.h"

/* want: "LINE key=value;" or "!message;" */
static const struct {
	const char *text;
	size_t len;
	enum text_entry_kind kind;
	const char *want;
} cases[] = {
	{ L("a b\n"), TEXT_POSTMAP, "1 a=b;" },
	{ L("a b"), TEXT_POSTMAP, "1 a=b;" },
	{ L("# c\n\n  \na b c  \n"), TEXT_POSTMAP, "4 a=b c;" },
	{ L("a b # no comment\n"), TEXT_POSTMAP, "1 a=b # no comment;" },
	{ L("a b,\n   c\n# comment\n\n d\ne f\n"), TEXT_POSTMAP, "1 a=b,   c d;6 e=f;" },
	{ L("a\n b\n"), TEXT_POSTMAP, "1 a=b;" },
	{ L("\"quoted key\" v\n"), TEXT_POSTMAP, "1 \"quoted key\"=v;" },
	{ L("\"open key v\n"), TEXT_POSTMAP, "1 \"open=key v;" },
	{ L("alone\nx y\n"), TEXT_POSTMAP, "!f, line 1: expected format: key whitespace value;2 x=y;" },
	{ L("a\0b c\nx y\n"), TEXT_POSTMAP, "!f, line 1: NUL octet in line;2 x=y;" },
	{ L("\t x y\n"), TEXT_POSTMAP, "1 x=y;" },
	{ L("a b\r\nc d\r\n"), TEXT_POSTMAP, "1 a=b;2 c=d;" },
	{ L(""), TEXT_POSTMAP, "" },
	{ L("root:root\n"), TEXT_ALIASES, "1 root=root;" },
	{ L("postmaster: root, \n   admin\n# x\n  third\n"), TEXT_ALIASES,
		"1 postmaster=root,   admin  third;" },
	{ L("colon : x\ntab\t:\tjoe\n"), TEXT_ALIASES, "1 colon=x;2 tab=joe;" },
	{ L("\"quoted: name\": joe\n"), TEXT_ALIASES, "1 quoted: name=joe;" },
	{ L("prog: \"|cmd :x\"\n"), TEXT_ALIASES, "1 prog=\"|cmd :x\";" },
	{ L("user@domain: y\n"), TEXT_ALIASES, "!f, line 1: name must be local;" },
	{ L("NoColon value\nempty:\n: x\n"), TEXT_ALIASES,
		"!f, line 1: need name:value pair;!f, line 2: need name:value pair;"
		"!f, line 3: need name:value pair;" },
	{ L("a: b\n  list: c\n"), TEXT_ALIASES, "1 a=b  list: c;" },
};

static void reads_entries(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text_lines t;
		struct text_entry entry;
		struct err e = ERR_INIT;
		struct buf b;
		int rc;
		buf_init(&b, 1000);
		t_case(cases[i].text);
		text_lines_init(&t, sv_n(cases[i].text, cases[i].len), "f");
		while ((rc = text_entry_next(&t, cases[i].kind, &entry, &e)) != 0) {
			if (rc == 1)
				buf_printf(&b, "%u %.*s=%.*s;", entry.line, SV_ARG(entry.key),
					SV_ARG(entry.value));
			else
				buf_printf(&b, "!%s;", e.text);
		}
		t_assert_sv(buf_sv(&b), cases[i].want);
		text_lines_free(&t);
		buf_free(&b);
	}
}

static void bounds_a_line(UNUSED void **state)
{
	struct buf b;
	struct text_lines t;
	struct sv line;
	unsigned at;
	struct err e = ERR_INIT;
	buf_init(&b, 16u << 20);
	for (unsigned k = 0; k < TEXT_LINE_MAX / 8; k++)
		buf_puts(&b, k ? " 12345678\n" : "k 12345678\n");
	buf_puts(&b, "next line\n");
	text_lines_init(&t, buf_sv(&b), "f");
	assert_int_equal(text_lines_next(&t, &line, &at, &e), -1);
	assert_string_equal(e.text, "f, line 1: line too long");
	assert_int_equal(text_lines_next(&t, &line, &at, &e), 1);
	t_assert_sv(line, "next line");
	assert_int_equal(text_lines_next(&t, &line, &at, &e), 0);
	text_lines_free(&t);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries),
		cmocka_unit_test(bounds_a_line),
	};
	return cmocka_run_group_tests_name("text_lines", tests, NULL, NULL);
}
