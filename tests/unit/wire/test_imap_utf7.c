/* Unit test of lib/wire/imap_utf7.c; row M09 of the attack catalogue. */
#include "lib/wire/imap_utf7.h"
#include "tests/support/t.h"

static const struct {
	const char *utf7;
	size_t len;
	const char *utf8; /* NULL: refused */
} cases[] = {
	{ L("INBOX"), "INBOX" },
	{ L(""), "" },
	{ L("a&-b"), "a&b" },
	{ L("Entw&APw-rfe"), "Entw\xc3\xbcrfe" },
	{ L("~peter/mail/&ZeVnLIqe-/&U,BTFw-"),
		"~peter/mail/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e/\xe5\x8f\xb0\xe5\x8c\x97" },
	{ L("&2D3eAA-"), "\xf0\x9f\x98\x80" },
	{ L("&AAo-"), "\n" },
	{ L("&"), NULL },
	{ L("&A"), NULL },
	{ L("&APw"), NULL },
	{ L("&AAA-"), NULL },          /* NUL */
	{ L("&AEE-"), NULL },          /* "A" needs no shift */
	{ L("&APx-"), NULL },          /* trailing bits */
	{ L("&APwA-"), NULL },         /* six bits too many */
	{ L("&APw-&APw-"), NULL },     /* two shifts in a row */
	{ L("&2D0-"), NULL },          /* half a pair */
	{ L("&3gA-"), NULL },          /* the other half */
	{ L("&2D3YPQ-"), NULL },
	{ L("&APw/-"), NULL },
	{ L("&A=-"), NULL },
	{ L("j\xc3\xb6"), NULL },
	{ L("a\0b"), NULL },
	{ L("a\rb"), NULL },
};

static void decodes_strictly_and_encodes_back(UNUSED void **state)
{
	struct buf b;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv in = sv_n(cases[i].utf7, cases[i].len);
		buf_reset(&b);
		t_case(cases[i].utf7);
		int rc = imap_utf7_decode(&b, in);
		if (rc != (cases[i].utf8 ? 1 : -1))
			fail_msg("[%s] %d", cases[i].utf7, rc);
		t_assert_sv(buf_sv(&b), cases[i].utf8 ? cases[i].utf8 : "");
		if (rc != 1)
			continue;
		buf_reset(&b);
		assert_int_equal(imap_utf7_encode(&b, sv_z(cases[i].utf8)), 1);
		t_assert_sv(buf_sv(&b), cases[i].utf7);
	}
	buf_reset(&b);
	assert_int_equal(imap_utf7_encode(&b, SV("a\xff")), -1);
	assert_int_equal(imap_utf7_encode(&b, SV("a\0")), -1);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(decodes_strictly_and_encodes_back) };
	return cmocka_run_group_tests_name("imap_utf7", tests, NULL, NULL);
}
