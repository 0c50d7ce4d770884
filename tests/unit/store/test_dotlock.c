/* Unit test of lib/store/dotlock.c and the account's lock file: waiting, stale locks of others. */
#include "tests/support/t.h"

#include <sys/time.h>
#include <sys/wait.h>

#include "lib/store/account.h"
#include "lib/store/dotlock.h"
#include "tests/unit/store/box_fixture.h"

#define NAME "dovecot-uidlist.lock"

static void test_take(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	int dir = open(f.root, O_RDONLY | O_DIRECTORY);
	struct dotlock a, b;
	struct err e = ERR_INIT;
	assert_int_equal(dotlock_take(&a, dir, f.root, NAME, 1000, &e), 0);
	char *text = fixture_get(&f, NAME);
	char pid[30];
	(void)snprintf(pid, sizeof(pid), "%ld:", (long)getpid());
	assert_ptr_equal(strstr(text, pid), text); /* as Dovecot writes it */
	free(text);
	assert_true(dotlock_held(&a));
	assert_int_equal(dotlock_take(&b, dir, f.root, NAME, 50, &e), -1);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	dotlock_drop(&a);
	assert_false(fixture_has(&f, NAME));
	/* somebody broke our lock and took his own: that one is not removed */
	assert_int_equal(dotlock_take(&a, dir, f.root, NAME, 50, &e), 0);
	fixture_remove(&f, NAME);
	fixture_put(&f, "other", "1:elsewhere");
	fixture_move(&f, "other", NAME);
	assert_false(dotlock_held(&a));
	dotlock_drop(&a);
	assert_true(fixture_has(&f, NAME));
	close(dir);
	fixture_free(&f);
}

static void test_stale(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	int dir = open(f.root, O_RDONLY | O_DIRECTORY);
	struct dotlock a;
	struct err e = ERR_INIT;
	char host[65] = "", text[100], path[600];
	(void)gethostname(host, 64);
	/* a process of this host that is no more */
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	(void)snprintf(text, sizeof(text), "%ld:%s", (long)child, host);
	fixture_put(&f, NAME, text);
	assert_int_equal(dotlock_take(&a, dir, f.root, NAME, 1000, &e), 0);
	dotlock_drop(&a);
	/* of another host, fresh: it counts */
	fixture_put(&f, NAME, "1:far.example");
	assert_int_equal(dotlock_take(&a, dir, f.root, NAME, 30, &e), -1);
	/* a symbolic link is a lock like any other, never followed */
	fixture_remove(&f, NAME);
	fixture_path(&f, NAME, path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(dotlock_take(&a, dir, f.root, NAME, 30, &e), -1);
	close(dir);
	fixture_free(&f);
}

static void test_account(void **state)
{
	(void)state;
	struct fixture f;
	fixture_make(&f);
	int dir = open(f.root, O_RDONLY | O_DIRECTORY);
	struct err e = ERR_INIT;
	int lock = account_lock(dir, f.root, 1000, &e);
	assert_true(lock >= 0);
	assert_int_equal(account_lock(dir, f.root, 30, &e), -1);
	assert_int_equal(e.sys_errno, ETIMEDOUT);
	close(lock);
	lock = account_lock(dir, f.root, 30, &e);
	assert_true(lock >= 0);
	close(lock);
	close(dir);
	fixture_free(&f);
}

static void test_places(void **state)
{
	(void)state;
	struct err e = ERR_INIT;
	static const struct {
		const char *mail, *home, *path, *inbox, *index;
	} cases[] = { { "maildir:/a/b/", "/h", "/a/b", NULL, NULL },
		{ "maildir:~/M", "/h", "/h/M", NULL, NULL },
		{ "maildir:M", "/h", "/h/M", NULL, NULL },
		{ "maildir:M", "", NULL, NULL, NULL },
		{ "mail:/x", "/h", NULL, NULL, NULL },
		{ "maildir:/", "/h", "/", NULL, NULL },
		{ "maildir:/a:b", "/h", "/a:b", NULL, NULL },
		{ "maildir:/100%u", "/h", "/100%u", NULL, NULL },
		{ "mbox:~/mail:INBOX=/var/mail/a", "/h", "/h/mail", "/var/mail/a", NULL },
		{ "mbox:/m/", "/h", "/m", "/m/inbox", NULL },
		{ "mbox:mail:INBOX=box:INDEX=/i/a", "/h", "/h/mail", "/h/box", "/i/a" },
		{ "mbox:mail:LAYOUT=fs", "/h", NULL, NULL, NULL } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_location p;
		t_case(cases[i].mail);
		int rc = store_location(sv_z(cases[i].mail), sv_z(cases[i].home), &p, &e);
		assert_int_equal(rc, cases[i].path ? 1 : -1);
		if (cases[i].path) {
			t_assert_sv(buf_sv(&p.path), cases[i].path);
			t_assert_sv(buf_sv(&p.inbox), cases[i].inbox ? cases[i].inbox : "");
			t_assert_sv(buf_sv(&p.index), cases[i].index ? cases[i].index : "");
		}
		store_location_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_take),
		cmocka_unit_test(test_stale), cmocka_unit_test(test_account), cmocka_unit_test(test_places) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
