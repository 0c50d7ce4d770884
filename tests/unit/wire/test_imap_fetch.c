/* Unit test of lib/wire/imap_fetch.c; rows M02, M06 of the attack catalogue. */
#include "lib/wire/imap_fetch.h"
#include "tests/support/t.h"

/* want: names as they stand in the response, "!" before those that set \Seen; NULL: refused */
static const struct {
	const char *text;
	const char *want;
} cases[] = {
	{ "ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE " },
	{ "fast", "FLAGS INTERNALDATE RFC822.SIZE " },
	{ "FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY " },
	{ "FLAGS", "FLAGS " },
	{ "(FLAGS UID RFC822.SIZE)", "FLAGS UID RFC822.SIZE " },
	{ "(BODY BODYSTRUCTURE)", "BODY BODYSTRUCTURE " },
	{ "BODY[]", "!BODY[] " },
	{ "BODY.PEEK[]", "BODY[] " },
	{ "BODY.PEEK[1.2.3]", "BODY[1.2.3] " },
	{ "BODY[HEADER]", "!BODY[HEADER] " },
	{ "body.peek[header.fields (From \"Message-Id\")]", "BODY[HEADER.FIELDS (From Message-Id)] " },
	{ "BODY.PEEK[2.HEADER.FIELDS.NOT (To)]<10.20>", "BODY[2.HEADER.FIELDS.NOT (To)]<10> " },
	{ "BODY.PEEK[1.MIME]", "BODY[1.MIME] " },
	{ "BODY.PEEK[1.TEXT]<0.4294967295>", "BODY[1.TEXT]<0> " },
	{ "BODY.PEEK[]<4294967295.1>", "BODY[]<4294967295> " },
	{ "(RFC822 RFC822.HEADER RFC822.TEXT)", "!RFC822 RFC822.HEADER !RFC822.TEXT " },
	{ "(UID EMAILID THREADID SAVEDATE MODSEQ INTERNALDATE)",
		"UID EMAILID THREADID SAVEDATE MODSEQ INTERNALDATE " },
	{ "", NULL },
	{ "()", NULL },
	{ "(FLAGS", NULL },
	{ "(FLAGS  UID)", NULL },
	{ "((FLAGS))", NULL },
	{ "(ALL)", NULL },
	{ "FOO", NULL },
	{ "BODYX", NULL },
	{ "UID[]", NULL },
	{ "BODY[", NULL },
	{ "BODY[MIME]", NULL },
	{ "BODY[1.]", NULL },
	{ "BODY[.1]", NULL },
	{ "BODY[1HEADER]", NULL },
	{ "BODY[0]", NULL },
	{ "BODY[1.0]", NULL },
	{ "BODY[4294967296]", NULL },
	{ "BODY[HEADERS]", NULL },
	{ "BODY[HEADER.FIELDS]", NULL },
	{ "BODY[HEADER.FIELDS ()]", NULL },
	{ "BODY[HEADER.FIELDS (a]", NULL },
	{ "BODY[]<0>", NULL },
	{ "BODY[]<0.0>", NULL },
	{ "BODY[]<-1.5>", NULL },
	{ "BODY[]<0.9223372036854775808>", NULL },
	{ "BODY[]<0.1", NULL },
	{ "BINARY[1]", NULL },
};

static void show(struct buf *b, const struct imap_fetch *f)
{
	bool seen = false;
	for (size_t i = 0; i < f->count; i++) {
		buf_puts(b, f->items[i].peek ? "" : "!");
		assert_int_equal(imap_fetch_name(b, &f->items[i]), 0);
		buf_putc(b, ' ');
		seen |= !f->items[i].peek;
	}
	assert_int_equal(seen, f->sets_seen);
}

static void parses_items(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct imap_parser p;
		struct imap_fetch f;
		struct buf b;
		arena_init(&a, 1 << 20);
		buf_init(&b, 1000);
		t_case(cases[i].text);
		imap_parser_init(&p, sv_z(cases[i].text), &a, false);
		int rc = imap_fetch_items(&p, &f) == 1 && imap_end(&p) == 1 ? 1 : -1;
		if (rc != (cases[i].want ? 1 : -1))
			fail_msg("[%s] %d", cases[i].text, rc);
		if (rc == 1)
			show(&b, &f);
		t_assert_sv(buf_sv(&b), cases[i].want ? cases[i].want : "");
		buf_free(&b);
		arena_free(&a);
	}
}

static void check_hostile(const char *start, const char *piece, int n, const char *end, const char *why)
{
	struct arena a;
	struct imap_parser p;
	struct imap_fetch f;
	struct buf b;
	arena_init(&a, 8 << 20);
	buf_init(&b, 8 << 20);
	buf_puts(&b, start);
	for (int i = 0; i < n; i++)
		buf_puts(&b, piece);
	buf_puts(&b, end);
	imap_parser_init(&p, buf_sv(&b), &a, false);
	assert_int_equal(imap_fetch_items(&p, &f), -1);
	assert_string_equal(p.why, why);
	buf_free(&b);
	arena_free(&a);
}

static void hostile_items_end_at_limits(UNUSED void **state)
{
	check_hostile("BODY[1", ".1", 10000, "]", "section too deep");
	check_hostile("BODY[HEADER.FIELDS (a", " a", 100000, ")]", "too many header names");
	check_hostile("(FLAGS", " FLAGS", 100000, ")", "too many FETCH items");
	check_hostile("", "(", 1000000, "", "unknown FETCH item");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_items),
		cmocka_unit_test(hostile_items_end_at_limits),
	};
	return cmocka_run_group_tests_name("imap_fetch", tests, NULL, NULL);
}
