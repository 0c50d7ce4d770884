/* Unit test of lib/wire/imap_write.c. */
#include "lib/wire/imap_write.h"
#include "tests/support/t.h"

static const struct {
	const char *in;
	size_t len;
	const char *string, *astring;
} cases[] = {
	{ L("abc"), "\"abc\"", "abc" },
	{ L(""), "\"\"", "\"\"" },
	{ L("NIL"), "\"NIL\"", "\"NIL\"" },
	{ L("a b"), "\"a b\"", "\"a b\"" },
	{ L("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
	{ L("a]b"), "\"a]b\"", "a]b" },
	{ L("a*"), "\"a*\"", "\"a*\"" },
	{ L("a\r\nb"), "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
	{ L("j\xc3\xb6"), "{3}\r\nj\xc3\xb6", "{3}\r\nj\xc3\xb6" },
	{ L("a\0b"), "{3}\r\na\x80" "b", "{3}\r\na\x80" "b" },
};

static void writes_strings(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 10000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv in = sv_n(cases[i].in, cases[i].len);
		t_case(cases[i].in);
		buf_reset(&b);
		imap_put_string(&b, in);
		t_assert_sv(buf_sv(&b), cases[i].string);
		buf_reset(&b);
		imap_put_astring(&b, in);
		t_assert_sv(buf_sv(&b), cases[i].astring);
	}
	char big[2000];
	memset(big, 'x', sizeof(big));
	buf_reset(&b);
	imap_put_string(&b, sv_n(big, sizeof(big)));
	assert_true(sv_starts(buf_sv(&b), SV("{2000}\r\nx")));
	buf_reset(&b);
	imap_put_nstring(&b, SV(""), true);
	imap_put_nstring(&b, SV(""), false);
	t_assert_sv(buf_sv(&b), "NIL\"\"");
	buf_free(&b);
}

static void writes_mailboxes_and_text(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 10000);
	imap_put_mailbox(&b, SV("Entw\xc3\xbcrfe"), false);
	imap_put_mailbox(&b, SV("Entw\xc3\xbcrfe"), true);
	imap_put_mailbox(&b, SV("a&b c"), false);
	t_assert_sv(buf_sv(&b), "Entw&APw-rfe\"Entw\xc3\xbcrfe\"\"a&-b c\"");
	buf_reset(&b);
	imap_put_text(&b, SV("a\r\nb\x80"));
	t_assert_sv(buf_sv(&b), "a??b?");
	buf_free(&b);
	buf_init(&b, 3);
	assert_int_equal(imap_put_string(&b, SV("abcdef")), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_strings),
		cmocka_unit_test(writes_mailboxes_and_text),
	};
	return cmocka_run_group_tests_name("imap_write", tests, NULL, NULL);
}
