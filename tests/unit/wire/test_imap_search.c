/* Unit test of lib/wire/imap_search.c; rows M02, M07 of the attack catalogue. */
#include "lib/wire/imap_search.h"
#include "tests/support/t.h"

/* The tree in prefix form; recursion is bounded by IMAP_SEARCH_DEPTH_MAX. */
static void show(struct buf *b, const struct imap_search_key *k)
{
	static const char *const names[] = {
		[IMAP_S_AND] = "and", [IMAP_S_OR] = "or", [IMAP_S_NOT] = "not", [IMAP_S_ALL] = "all",
		[IMAP_S_FLAG] = "flag", [IMAP_S_KEYWORD] = "kw", [IMAP_S_NEW] = "new",
		[IMAP_S_OLD] = "old", [IMAP_S_RECENT] = "recent", [IMAP_S_SEQ] = "seq",
		[IMAP_S_UID] = "uid", [IMAP_S_HEADER] = "hdr", [IMAP_S_BODY] = "body",
		[IMAP_S_TEXT] = "text", [IMAP_S_BEFORE] = "before", [IMAP_S_ON] = "on",
		[IMAP_S_SINCE] = "since", [IMAP_S_SENTBEFORE] = "sentbefore", [IMAP_S_SENTON] = "senton",
		[IMAP_S_SENTSINCE] = "sentsince", [IMAP_S_SAVEDBEFORE] = "savedbefore",
		[IMAP_S_SAVEDON] = "savedon", [IMAP_S_SAVEDSINCE] = "savedsince",
		[IMAP_S_LARGER] = "larger", [IMAP_S_SMALLER] = "smaller", [IMAP_S_OLDER] = "older",
		[IMAP_S_YOUNGER] = "younger", [IMAP_S_MODSEQ] = "modseq", [IMAP_S_EMAILID] = "emailid",
		[IMAP_S_THREADID] = "threadid",
	};
	buf_puts(b, names[k->kind]);
	if (k->flag)
		buf_printf(b, "=%u", k->flag);
	if (k->field.len)
		buf_printf(b, ":%.*s", SV_ARG(k->field));
	if (k->text.len)
		buf_printf(b, "=%.*s", SV_ARG(k->text));
	if (k->number || k->day)
		buf_printf(b, "=%llu", (unsigned long long)k->number + (unsigned long long)k->day);
	if (k->set.count)
		buf_printf(b, "=%u:%u", k->set.r[0].lo, k->set.r[0].hi);
	if (!k->child)
		return;
	buf_putc(b, '(');
	for (const struct imap_search_key *c = k->child; c; c = c->next) {
		show(b, c);
		buf_puts(b, c->next ? " " : "");
	}
	buf_putc(b, ')');
}

static const struct {
	const char *text;
	const char *want; /* tree, or "!why" */
} cases[] = {
	{ " ALL", "and(all)" },
	{ " UNSEEN FLAGGED", "and(not(flag=1) flag=4)" },
	{ " 1:5 UID 3", "and(seq=1:5 uid=3:3)" },
	{ " *", "and(seq=0:0)" },
	{ " FROM \"joe\" SUBJECT {3}\r\na b", "and(hdr:FROM=joe hdr:SUBJECT=a b)" },
	{ " HEADER X-Foo \"\"", "and(hdr:X-Foo)" },
	{ " OR SEEN (DELETED DRAFT)", "and(or(flag=1 and(flag=8 flag=16)))" },
	{ " NOT NOT OR NOT SEEN OR ALL NEW OLD", "and(not(not(or(not(flag=1) or(all new)))) old)" },
	{ " (SEEN)", "and(and(flag=1))" },
	{ " ((SEEN) RECENT)", "and(and(and(flag=1) recent))" },
	{ " KEYWORD $Junk UNKEYWORD x", "and(kw=$Junk not(kw=x))" },
	{ " BEFORE 1-Feb-1994 SENTSINCE \"1-Feb-1994\"", "and(before=8797 sentsince=8797)" },
	{ " LARGER 10 SMALLER 9223372036854775807", "and(larger=10 smaller=9223372036854775807)" },
	{ " YOUNGER 60 OLDER 4294967295", "and(younger=60 older=4294967295)" },
	{ " MODSEQ 5 MODSEQ \"/flags/x\" all 6", "and(modseq=5 modseq=6)" },
	{ " EMAILID M1 THREADID T1", "and(emailid=M1 threadid=T1)" },
	{ " BODY x TEXT y", "and(body=x text=y)" },
	{ " SAVEDON 1-Feb-1994", "and(savedon=8797)" },
	{ " CHARSET UTF-8 TEXT \"j\xc3\xb6\"", "and(text=j\xc3\xb6)" },
	{ " RETURN (MIN COUNT) ALL", "and(all)" },
	{ " RETURN () CHARSET US-ASCII ALL", "and(all)" },
	{ "", "!expected a space" },
	{ " ", "!search key missing" },
	{ " ()", "!unknown search key" },
	{ " (SEEN", "!search key missing" },
	{ " SEEN)", "!expected a space" },
	{ " (SEEN))", "!expected a space" },
	{ " NOT", "!search key missing" },
	{ " OR SEEN", "!search key missing" },
	{ " OR SEEN )", "!unknown search key" },
	{ " NOT (SEEN", "!search key missing" },
	{ " (OR SEEN) ALL", "!expected a space" },
	{ " FOO", "!unknown search key" },
	{ " SEENX", "!unknown search key" },
	{ " FROM", "!expected a space" },
	{ " KEYWORD \\Seen", "!expected an atom" },
	{ " KEYWORD \"x\"", "!expected an atom" },
	{ " BEFORE 32-Jan-1994", "!invalid date" },
	{ " BEFORE 1-Feb-0000", "!invalid date" },
	{ " LARGER 9223372036854775808", "!number too large" },
	{ " YOUNGER 0", "!number must not be zero" },
	{ " MODSEQ 9223372036854775808", "!number too large" },
	{ " UID", "!expected a space" },
	{ " UID x", "!invalid message set" },
	{ " 0", "!invalid message set" },
	{ " RETURN (FOO) ALL", "!unknown result option" },
	{ " RETURN (PARTIAL 1:4294967296) ALL", "!unknown result option" },
	{ " RETURN (MIN", "!result options without end" },
	{ " RETURN MIN", "!expected result options" },
	{ " CHARSET", "!expected a space" },
	{ " ALL  SEEN", "!unknown search key" },
};

static void parses_keys(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct imap_parser p;
		struct imap_search s;
		struct buf b;
		arena_init(&a, 1 << 20);
		buf_init(&b, 10000);
		t_case(cases[i].text);
		imap_parser_init(&p, sv_z(cases[i].text), &a, false);
		if (imap_search_parse(&p, &s) == 1)
			show(&b, s.root);
		else
			buf_printf(&b, "!%s", p.why);
		t_assert_sv(buf_sv(&b), cases[i].want);
		buf_free(&b);
		arena_free(&a);
	}
}

static void reads_options(UNUSED void **state)
{
	struct arena a;
	struct imap_parser p;
	struct imap_search s;
	arena_init(&a, 1 << 20);
	imap_parser_init(&p, SV(" RETURN (MIN SAVE) CHARSET x BODY y"), &a, false);
	assert_int_equal(imap_search_parse(&p, &s), 1);
	assert_true(s.has_return && s.needs_body && !s.needs_header);
	assert_int_equal(s.ret, IMAP_RETURN_MIN | IMAP_RETURN_SAVE);
	t_assert_sv(s.charset, "x");
	imap_parser_init(&p, SV(" RETURN () SUBJECT y"), &a, false);
	assert_int_equal(imap_search_parse(&p, &s), 1);
	assert_true(s.needs_header && !s.needs_body);
	assert_int_equal(s.ret, IMAP_RETURN_ALL);
	arena_free(&a);
}

/* M02, M07 */
static void hostile_keys_end_at_limits(UNUSED void **state)
{
	static const struct {
		const char *piece, *why;
	} hostile[] = {
		{ " NOT", "search keys nest too deep" },
		{ " OR", "search keys nest too deep" },
		{ " (", "unknown search key" },
		{ " ALL", "too many search keys" },
		{ " OR ALL", "search keys nest too deep" },
		{ " 1:*", "too many search keys" },
	};
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct arena a;
		struct imap_parser p;
		struct imap_search s;
		struct buf b;
		arena_init(&a, 8 << 20);
		buf_init(&b, 8 << 20);
		for (int k = 0; k < 100000; k++)
			buf_puts(&b, hostile[i].piece);
		t_case(hostile[i].piece);
		imap_parser_init(&p, buf_sv(&b), &a, false);
		assert_int_equal(imap_search_parse(&p, &s), -1);
		t_assert_sv(sv_z(p.why), hostile[i].why);
		buf_reset(&b);
		buf_putc(&b, ' ');
		for (int k = 0; k < 100000; k++)
			buf_putc(&b, '(');
		imap_parser_init(&p, buf_sv(&b), &a, false);
		assert_int_equal(imap_search_parse(&p, &s), -1);
		t_assert_sv(sv_z(p.why), "search keys nest too deep");
		buf_free(&b);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_keys),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(hostile_keys_end_at_limits),
	};
	return cmocka_run_group_tests_name("imap_search", tests, NULL, NULL);
}
