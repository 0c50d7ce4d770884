/* Unit test of auth/auth_location.c: what may stand in mail_location, and names that must not lead elsewhere. */
#include "tests/support/t.h"

#include "auth/auth_location.h"

static const struct {
	const char *text, *user, *out; /* OUT NULL: refused */
} cases[] = {
	{ "maildir:~/Maildir", "a@b.c", "maildir:~/Maildir" },
	{ "mbox:~/mail:INBOX=/var/mail/%u", "a@b.c", "mbox:~/mail:INBOX=/var/mail/a@b.c" },
	{ "maildir:%h/%d/%n/100%%", "a@b.c", "maildir:/h/b.c/a/100%" },
	{ "maildir:/m/%n", "a", "maildir:/m/a" },
	{ "maildir:/m/%d", "a", NULL },
	{ "maildir:/m/%x", "a@b.c", NULL },
	{ "maildir:/m/%", "a@b.c", NULL },
	{ "maildir:/m/%u", "../x", NULL },
	{ "maildir:/m/%u", "a/b@c", NULL },
	{ "maildir:/m/%n", "-x@c", NULL },
	{ "maildir:/m/%n", "@c", NULL },
	{ "maildir:/m/%d", "a@..", NULL },
	{ "mbox:/m:INBOX=/v/%u", "a:INBOX=x", NULL },
	{ "maildir:/m/all", "../x", "maildir:/m/all" },
};

static void locations(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		struct buf b;
		buf_init(&b, 200);
		t_case(cases[i].text);
		int rc = auth_location_expand(&b, sv_z(cases[i].text), sv_z(cases[i].user), SV("/h"), &e);
		assert_int_equal(rc, cases[i].out ? 1 : -1);
		if (cases[i].out)
			assert_string_equal(buf_z(&b), cases[i].out);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(locations) };
	return cmocka_run_group_tests_name("auth_location", tests, NULL, NULL);
}
