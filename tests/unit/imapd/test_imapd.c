/* Unit test of imapd/: the dialogues of tests/daemon/imapd/ with a real Maildir, over socketpairs. */
#include "imapd/imapd.h"
#include "tests/support/t.h"

#include "tests/support/mail_play.h"

static void serve(struct store *store, const void *settings, const struct clnt_auth_session *session)
{
	imapd_serve(store, settings, session);
}

static bool one(const char *path)
{
	struct imap_settings set = {
		.timeout_ms = strstr(path, "slow") ? 300 : 20000,
		.command_limit = 16384,
		.memory_limit = 8 << 20,
		.message_limit = 100000,
		.max_errors = 8,
	};
	struct mail_play m = {
		.serve = serve, .settings = &set, .input = SV("p1 NOOP\r\n"), .tag = SV("a0")
	};

	return mail_play(&m, path);
}

static void plays_all(UNUSED void **state)
{
	play_folder("imapd", 10, one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_all),
	};
	return cmocka_run_group_tests_name("imapd", tests, NULL, NULL);
}
