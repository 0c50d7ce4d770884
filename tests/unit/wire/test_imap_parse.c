/* Unit test of lib/wire/imap_parse.c; rows M01-M03 of the attack catalogue. */
#include "lib/wire/imap_parse.h"
#include "tests/support/t.h"

static struct arena a;

static void start(struct imap_parser *p, const char *text, size_t len, bool utf8)
{
	arena_reset(&a);
	imap_parser_init(p, sv_n(text, len), &a, utf8);
}

/* want: "tag|VERB|uid" or "tag!why" */
static const struct {
	const char *text;
	size_t len;
	const char *want;
} commands[] = {
	{ L("a1 NOOP\r\n"), "a1|NOOP|0" },
	{ L("a1 noop"), "a1|NOOP|0" },
	{ L("A.1]x UID fetch 1 FLAGS\r\n"), "A.1]x|FETCH|1" },
	{ L("a UID NOOP\r\n"), "a!this command has no UID form" },
	{ L("a UID\r\n"), "a!expected a space" },
	{ L("a XYZZY\r\n"), "a|?|0" },
	{ L("\r\n"), "!missing tag" },
	{ L("a\r\n"), "!missing command" },
	{ L("a \r\n"), "a!expected an atom" },
	{ L("+ NOOP\r\n"), "!missing tag" },
	{ L("a+b NOOP\r\n"), "!invalid tag" },
	{ L(" NOOP\r\n"), "!missing tag" },
	{ L("* NOOP\r\n"), "!missing tag" },
	{ L("a\0 NOOP\r\n"), "!invalid tag" },
	{ L("a\xff NOOP\r\n"), "!invalid tag" },
	{ L("a  NOOP\r\n"), "a!expected an atom" },
	{ L("a NO\0OP\r\n"), "a|?|0" },
};

static void parses_commands(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct imap_parser p;
		struct imap_cmd c;
		char got[200];
		t_case(commands[i].text);
		start(&p, commands[i].text, commands[i].len, false);
		if (imap_cmd_parse(&p, &c) == 1)
			snprintf(got, sizeof(got), "%.*s|%s|%d", SV_ARG(c.tag), imap_verb_name(c.verb),
				c.uid);
		else
			snprintf(got, sizeof(got), "%.*s!%s", SV_ARG(c.tag), p.why);
		t_assert_sv(sv_z(got), commands[i].want);
	}
	struct imap_parser p;
	struct imap_cmd c;
	char tag[10000];
	memset(tag, 'a', sizeof(tag));
	start(&p, tag, sizeof(tag), false);
	assert_int_equal(imap_cmd_parse(&p, &c), -1);
	assert_string_equal(p.why, "tag too long");
}

/* kind: a astring, n nstring, m mailbox, M mailbox with UTF8=ACCEPT, l list-mailbox, # number,
 * 0 nz-number, 6 number64; want NULL: refused */
static const struct {
	char kind;
	const char *text;
	size_t len;
	const char *want;
} tokens[] = {
	{ 'a', L("atom]x rest"), "atom]x" },
	{ 'a', L("\"quoted \\\"x\\\" \\\\\" rest"), "quoted \"x\" \\" },
	{ 'a', L("\"\""), "" },
	{ 'a', L("{3}\r\na\"b rest"), "a\"b" },
	{ 'a', L("{3+}\r\na\nb"), "a\nb" },
	{ 'a', L("{0}\r\n"), "" },
	{ 'a', L("{3}\nabc"), "abc" },
	{ 'a', L("\"j\xc3\xb6\""), "j\xc3\xb6" },
	{ 'a', L("\"open"), NULL },
	{ 'a', L("\"x\\"), NULL },
	{ 'a', L("\"x\\n\""), NULL },
	{ 'a', L("\"a\0b\""), NULL },
	{ 'a', L("\"a\rb\""), NULL },
	{ 'a', L("\"a\nb\""), NULL },
	{ 'a', L("\"a\xff\""), NULL },
	{ 'a', L("a\xff"), "a" },
	{ 'a', L("\xff"), NULL },
	{ 'a', L(""), NULL },
	{ 'a', L("(x)"), NULL },
	{ 'a', L("{4}\r\nabc"), NULL },
	{ 'a', L("{3}abc"), NULL },
	{ 'a', L("{x}\r\nabc"), NULL },
	{ 'a', L("{}\r\nabc"), NULL },
	{ 'a', L("{18446744073709551615}\r\nabc"), NULL },
	{ 'a', L("{99999999999999999999999999999999}\r\nabc"), NULL },
	{ 'a', L("{3}\r\na\0b"), NULL },
	{ 'n', L("NIL"), "" },
	{ 'n', L("nil"), "" },
	{ 'n', L("\"NIL\""), "NIL" },
	{ 'n', L("NILx"), NULL },
	{ 'm', L("iNbOx"), "INBOX" },
	{ 'm', L("\"Inbox\""), "INBOX" },
	{ 'm', L("Entw&APw-rfe"), "Entw\xc3\xbcrfe" },
	{ 'm', L("\"a&b\""), NULL },
	{ 'm', L("\"Entw\xc3\xbcrfe\""), NULL },
	{ 'M', L("\"Entw\xc3\xbcrfe\""), "Entw\xc3\xbcrfe" },
	{ 'M', L("\"a&b\""), "a&b" },
	{ 'l', L("a.%.*x y"), "a.%.*x" },
	{ 'l', L("\"a b*\""), "a b*" },
	{ 'l', L("(x"), NULL },
	{ '#', L("0"), "0" },
	{ '#', L("4294967295"), "4294967295" },
	{ '#', L("4294967296"), NULL },
	{ '#', L("-1"), NULL },
	{ '#', L(""), NULL },
	{ '0', L("0"), NULL },
	{ '0', L("1"), "1" },
	{ '6', L("9223372036854775807"), "9223372036854775807" },
	{ '6', L("9223372036854775808"), NULL },
};

static int take(struct imap_parser *p, char kind, struct sv *out, char *number, size_t size)
{
	bool nil;
	uint32_t n = 0;
	uint64_t n64 = 0;
	int rc;
	switch (kind) {
	case 'a': return imap_astring(p, out);
	case 'n': return imap_nstring(p, out, &nil);
	case 'm':
	case 'M': return imap_mailbox(p, out);
	case 'l': return imap_list_mailbox(p, out);
	case '#': rc = imap_number(p, &n); break;
	case '0': rc = imap_nz_number(p, &n); break;
	default: rc = imap_number64(p, &n64); break;
	}
	snprintf(number, size, "%llu", n64 ? (unsigned long long)n64 : n);
	*out = sv_z(number);
	return rc;
}

static void parses_tokens(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		struct imap_parser p;
		struct sv got;
		char number[30];
		t_case(tokens[i].text);
		/* the parser takes a CRLF off the end, so put one there; its own copy for ASan */
		char *copy = mem_alloc(tokens[i].len + 2);
		memcpy(copy, tokens[i].text, tokens[i].len);
		memcpy(copy + tokens[i].len, "\r\n", 2);
		start(&p, copy, tokens[i].len + 2, tokens[i].kind == 'M');
		int rc = take(&p, tokens[i].kind, &got, number, sizeof(number));
		if (rc != (tokens[i].want ? 1 : -1))
			fail_msg("[%s] %d %s", tokens[i].text, rc, p.why ? p.why : "");
		if (rc == 1)
			t_assert_sv(got, tokens[i].want);
		else
			assert_non_null(p.why);
		free(copy);
	}
}

/* want: "bits keyword keyword" or "!why" */
static const struct {
	const char *text;
	bool bare;
	const char *want;
} flags[] = {
	{ "()", false, "0" },
	{ "(\\Seen \\DELETED)", false, "9" },
	{ "(\\Seen $Junk a]b)", false, "!flag list without end" },
	{ "(\\Answered $Junk $junk Work)", false, "2 $Junk Work" },
	{ "\\Flagged \\Draft", true, "20" },
	{ "\\Flagged", false, "!expected a flag list" },
	{ "(\\Recent)", false, "!this flag cannot be set" },
	{ "(\\Foo)", false, "!this flag cannot be set" },
	{ "(\\)", false, "!expected an atom" },
	{ "(a  b)", false, "!expected an atom" },
	{ "(a", false, "!flag list without end" },
	{ "((a))", false, "!expected an atom" },
};

static void parses_flags(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		struct imap_parser p;
		struct imap_flags f;
		struct buf b;
		buf_init(&b, 1000);
		t_case(flags[i].text);
		start(&p, flags[i].text, strlen(flags[i].text), false);
		if (imap_flag_list(&p, flags[i].bare, &f) == 1) {
			buf_printf(&b, "%u", f.system);
			for (size_t k = 0; k < f.nkeywords; k++)
				buf_printf(&b, " %.*s", SV_ARG(f.keywords[k]));
		} else {
			buf_printf(&b, "!%s", p.why);
		}
		t_assert_sv(buf_sv(&b), flags[i].want);
		buf_free(&b);
	}
	struct buf b;
	struct imap_parser p;
	struct imap_flags f;
	buf_init(&b, 100000);
	buf_putc(&b, '(');
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "k%d ", i);
	buf_puts(&b, "z)");
	start(&p, b.p, b.len, false);
	assert_int_equal(imap_flag_list(&p, false, &f), -1);
	assert_string_equal(p.why, "too many keywords");
	buf_free(&b);
	assert_string_equal(imap_flag_name(IMAP_SEEN), "\\Seen");
	assert_string_equal(imap_flag_name((enum imap_flag)64), "");
	assert_false(imap_keyword_valid(SV("")));
	assert_false(imap_keyword_valid(SV("a b")));
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
		cmocka_unit_test(parses_commands),
		cmocka_unit_test(parses_tokens),
		cmocka_unit_test(parses_flags),
	};
	return cmocka_run_group_tests_name("imap_parse", tests, init, fini);
}
