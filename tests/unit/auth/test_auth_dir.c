/* Unit test of auth/auth_dir.c: where a user's mail is, by mail_location, home_mailbox, mail_spool_directory. */
#include "tests/support/t.h"

#include "auth/auth_dir.h"

static const struct {
	struct auth_where where;
	const char *user, *mail; /* NULL: refused */
} cases[] = {
	{ { NULL, NULL, NULL }, "anna", "maildir:/home/a/Maildir" },
	{ { "", "", "" }, "anna", "maildir:/home/a/Maildir" },
	{ { NULL, "Mail//", "/var/mail" }, "anna", "maildir:/home/a/Mail" },
	{ { NULL, "Mailbox", "/var/mail" }, "anna", "mbox:/home/a/mail:INBOX=/home/a/Mailbox" },
	{ { NULL, "", "/var/mail" }, "anna", "mbox:/home/a/mail:INBOX=/var/mail/anna" },
	{ { NULL, "", "/var/mail/" }, "anna", "maildir:/var/mail/anna" },
	{ { NULL, "", "/var/mail" }, "anna@b.example", "mbox:/home/a/mail:INBOX=/var/mail/anna@b.example" },
	{ { NULL, "", "/var/mail" }, "../anna", NULL },
	{ { NULL, "", "/var/mail" }, "an/na", NULL },
	{ { NULL, "", "/var/mail" }, ".anna", NULL },
	{ { NULL, "", "/var/mail" }, "-anna", NULL },
	{ { NULL, "", "/var/%h" }, "anna", NULL },
	{ { "maildir:/m/%d/%n", "Mailbox", "/var/mail" }, "anna@b", "maildir:/m/b/anna" },
};

static void where_mail_is(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a;
		struct sv mail = SV("untouched");
		struct err e = ERR_INIT;
		struct auth_dir *d = auth_dir_new("/none", "/m", &cases[i].where);
		t_case(cases[i].mail ? cases[i].mail : cases[i].user);
		arena_init(&a, 100000);
		int rc = auth_dir_mail(d, sv_z(cases[i].user), SV("/home/a"), &a, &mail, &e);
		assert_int_equal(rc, cases[i].mail ? 1 : -1);
		t_assert_sv(mail, cases[i].mail ? cases[i].mail : "untouched");
		if (rc < 0)
			assert_int_equal(e.cls, ERR_CONFIG);
		arena_free(&a);
		auth_dir_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(where_mail_is) };
	return cmocka_run_group_tests_name("auth_dir", tests, NULL, NULL);
}
