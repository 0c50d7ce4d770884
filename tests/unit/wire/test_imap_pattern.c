/* Unit test of lib/wire/imap_pattern.c; row M09 of the attack catalogue. */
#include "lib/base/buf.h"
#include "lib/wire/imap_pattern.h"
#include "tests/support/t.h"

static const struct {
	const char *pattern, *name;
	unsigned want;
} cases[] = {
	{ "", "", IMAP_MATCH_YES },
	{ "a", "a", IMAP_MATCH_YES },
	{ "a", "A", 0 },
	{ "a", "b", 0 },
	{ "inbox", "INBOX", IMAP_MATCH_YES },
	{ "iNbOx/x", "INBOX/x", IMAP_MATCH_YES },
	{ "inbox/X", "INBOX/x", 0 },
	{ "inbox", "INBOX/x", 0 },
	{ "inbox/x", "INBOX", IMAP_MATCH_BELOW },
	{ "INBOXES", "inboxes", 0 },
	{ "*", "a/b", IMAP_MATCH_YES | IMAP_MATCH_BELOW },
	{ "%", "a", IMAP_MATCH_YES },
	{ "%", "a/b", 0 },
	{ "%/%", "a", IMAP_MATCH_BELOW },
	{ "%/%", "a/b", IMAP_MATCH_YES },
	{ "%/%", "a/b/c", 0 },
	{ "a*c", "a/b/c", IMAP_MATCH_YES | IMAP_MATCH_BELOW },
	{ "a%c", "abc", IMAP_MATCH_YES },
	{ "a%c", "a/c", 0 },
	{ "a%", "a", IMAP_MATCH_YES },
	{ "*a", "ba", IMAP_MATCH_YES | IMAP_MATCH_BELOW },
	{ "*a", "ab", IMAP_MATCH_BELOW },
	{ "%%", "abc", IMAP_MATCH_YES },
	{ "%*%", "a/b", IMAP_MATCH_YES | IMAP_MATCH_BELOW },
	{ "*%*", "", IMAP_MATCH_YES | IMAP_MATCH_BELOW },
	{ "a/", "a/", IMAP_MATCH_YES },
	{ "a/b", "a", IMAP_MATCH_BELOW },
};

static void matches(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned got = imap_pattern_match(sv_z(cases[i].pattern), sv_z(cases[i].name), '/');
		if (got != cases[i].want)
			fail_msg("[%s] [%s]: %u", cases[i].pattern, cases[i].name, got);
	}
}

/* M09: the pattern that hangs a matcher which tries again. */
static void hostile_pattern_is_cheap(UNUSED void **state)
{
	struct buf pattern, name;
	buf_init(&pattern, 10000);
	buf_init(&name, 100000);
	for (int i = 0; i < 255; i++)
		buf_puts(&pattern, "*a%b");
	for (int i = 0; i < 5000; i++)
		buf_puts(&name, "ab/a");
	assert_int_equal(imap_pattern_match(buf_sv(&pattern), buf_sv(&name), '/') & IMAP_MATCH_YES, 0);
	for (int i = 0; i < 100; i++)
		buf_puts(&pattern, "*%*%");
	assert_int_equal(imap_pattern_match(buf_sv(&pattern), SV("a"), '/'), 0); /* too long */
	buf_free(&pattern);
	buf_free(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(hostile_pattern_is_cheap),
	};
	return cmocka_run_group_tests_name("imap_pattern", tests, NULL, NULL);
}
