/* Unit test of maillock/maillock_spool.c: what is made, for whom, and what is left alone. */
#include "tests/support/t.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maillock/maillock.h"
#include "tests/support/tmpdir.h"

static char *dir;
static struct spool spool;

static const char *in_dir(const char *name)
{
	static char path[4][500];
	static unsigned n;
	char *p = path[n++ % 4];
	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static const char *get(const char *name)
{
	static char text[1000];
	FILE *f = fopen(in_dir(name), "r");
	if (!f)
		return "(none)";
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	return text;
}

static bool there(const char *name)
{
	struct stat st;
	return lstat(in_dir(name), &st) == 0;
}

static void directories(UNUSED void **state)
{
	struct err e = ERR_INIT;
	gid_t gid;
	assert_int_equal(spool_check("relative", &gid, &e), -1);
	assert_int_equal(e.cls, ERR_CONFIG);
	assert_int_equal(spool_check("/nonexistent", &gid, &e), -1);
	assert_int_equal(spool_check("/dev/null", &gid, &e), -1);
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(dir, 02775), 0);
	assert_int_equal(chown(dir, 0, 8), 0);
	assert_int_equal(spool_check(dir, &gid, &e), 0);
	assert_int_equal(gid, 8);
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(spool_check(dir, &gid, &e), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(spool_check(dir, &gid, &e), -1);
	assert_non_null(strstr(e.text, "chmod o-w"));
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chown(dir, 1, 8), 0);
	assert_int_equal(spool_check(dir, &gid, &e), -1);
	assert_non_null(strstr(e.text, "chown root"));
	assert_int_equal(chown(dir, 0, 0), 0);
}

static void owners(UNUSED void **state)
{
	struct err e = ERR_INIT;
	put("mine", "");
	put("real", "");
	assert_int_equal(link(in_dir("real"), in_dir("twice")), 0);
	assert_int_equal(symlink("mine", in_dir("link")), 0);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(mkdir(in_dir("folder"), 0700), 0);
	assert_int_equal(spool_owner(&spool, "mine", geteuid(), &e), 1);
	assert_int_equal(spool_owner(&spool, "mine", geteuid() + 1, &e), 2);
	assert_int_equal(spool_owner(&spool, "none", geteuid(), &e), 0);
	static const char *const wrong[] = { "real", "twice", "link", "fifo", "folder" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		t_case(wrong[i]);
		assert_int_equal(spool_owner(&spool, wrong[i], geteuid(), &e), -1);
		assert_int_equal(e.cls, ERR_PERM);
	}
}

static void locks(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct dotlock a, b;
	char text[200], host[65];
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &a, &e), 1);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	(void)snprintf(text, sizeof(text), "1:%s", host);
	assert_string_equal(get("x.lock"), text);
	assert_int_equal(spool_lock(&spool, "x.lock", getppid(), &b, &e), 0);
	/* the same process: an earlier maillock made it for him */
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &b, &e), 1);
	dotlock_touch(&b);
	assert_true(dotlock_held(&b));
	dotlock_drop(&b);
	assert_false(there("x.lock"));
	dotlock_drop(&a); /* it is gone: nothing happens */
	/* of a process that is no more; liblockfile's, with nothing but the pid; empty and fresh; a link */
	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	(void)snprintf(text, sizeof(text), "%d\n", (int)dead);
	put("x.lock", text);
	assert_int_equal(spool_lock(&spool, "x.lock", getppid(), &a, &e), 1);
	dotlock_drop(&a);
	(void)snprintf(text, sizeof(text), "%d\n", (int)getppid());
	put("x.lock", text);
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &a, &e), 0);
	assert_string_equal(get("x.lock"), text);
	put("x.lock", "");
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &a, &e), 0);
	/* nobody touched it for so long */
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	assert_int_equal(utimensat(AT_FDCWD, in_dir("x.lock"), old, 0), 0);
	struct spool impatient = spool;
	impatient.stale_s = 0;
	assert_int_equal(spool_lock(&impatient, "x.lock", 1, &a, &e), 1);
	dotlock_drop(&a);
	put("victim", "x");
	assert_int_equal(symlink("victim", in_dir("x.lock")), 0);
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &a, &e), 0);
	assert_int_equal(spool_lock(&impatient, "x.lock", 1, &a, &e), 1); /* the link goes, and not what it names */
	dotlock_drop(&a);
	assert_string_equal(get("victim"), "x");
	assert_int_equal(mkfifo(in_dir("x.lock"), 0600), 0);
	assert_int_equal(spool_lock(&spool, "x.lock", 1, &a, &e), 0); /* and it does not wait for a writer */
	assert_int_equal(unlink(in_dir("x.lock")), 0);
}

static void mailboxes(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	uid_t uid = geteuid() == 0 ? 1234 : geteuid();
	assert_int_equal(spool_make(&spool, "new", uid, &e), 1);
	assert_int_equal(stat(in_dir("new"), &st), 0);
	assert_true(st.st_uid == uid && st.st_gid == spool.gid && (st.st_mode & 07777) == 0600 && st.st_size == 0);
	/* what is there stays as it is */
	put("new", "mail");
	assert_int_equal(spool_make(&spool, "new", uid + 1, &e), 1);
	assert_string_equal(get("new"), "mail");
	assert_int_equal(symlink("nowhere", in_dir("dangling")), 0);
	assert_int_equal(spool_make(&spool, "dangling", uid, &e), 1);
	assert_false(there("nowhere"));
}

static void notes(UNUSED void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	const uint64_t n[MAILLOCK_NUMBERS] = { 1, 2, 3, 4, 5, 6 }, other[MAILLOCK_NUMBERS] = { 9 };
	assert_int_equal(spool_note(&spool, "n", n, &e), 1);
	assert_string_equal(get("n.append"), "1 2 3 4 5 6\n");
	assert_int_equal(stat(in_dir("n.append"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(spool_note(&spool, "n", other, &e), 1);
	assert_string_equal(get("n.append"), "9 0 0 0 0 0\n");
	assert_int_equal(spool_note(&spool, "n", NULL, &e), 1);
	assert_int_equal(spool_note(&spool, "n", NULL, &e), 1);
	assert_false(there("n.append"));
	/* what is none of ours is neither written nor removed */
	put("victim", "x");
	assert_int_equal(symlink("victim", in_dir("n.append")), 0);
	assert_int_equal(spool_note(&spool, "n", n, &e), -1);
	assert_int_equal(e.cls, ERR_PERM);
	assert_string_equal(get("victim"), "x");
	assert_true(there("n.append"));
}

static void connections(UNUSED void **state)
{
	struct users *u = users_new();
	for (int i = 0; i < USER_CONNECTIONS_MAX; i++)
		assert_true(users_enter(u, 1));
	assert_false(users_enter(u, 1));
	assert_true(users_enter(u, 2));
	users_leave(u, 1);
	assert_true(users_enter(u, 1));
	assert_false(users_enter(u, 1));
	for (int i = 0; i < USER_CONNECTIONS_MAX; i++)
		users_leave(u, 1);
	users_leave(u, 1); /* one too many */
	assert_true(users_enter(u, 1));
	users_free(u);
}

static int set_up(UNUSED void **state)
{
	dir = tmpdir_new();
	spool = (struct spool){ .dir = open(dir, O_RDONLY | O_DIRECTORY), .path = dir, .gid = getegid(),
		.stale_s = 500 };
	return 0;
}

static int tear_down(UNUSED void **state)
{
	DIR *d = opendir(dir);
	/* nothing is left of what is made aside */
	for (struct dirent *de; (de = readdir(d));)
		assert_true(de->d_name[0] != '.' || strlen(de->d_name) < 3);
	(void)closedir(d);
	close(spool.dir);
	tmpdir_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(directories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(owners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(locks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mailboxes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notes, set_up, tear_down),
		cmocka_unit_test(connections),
	};
	return cmocka_run_group_tests_name("maillock_spool", tests, NULL, NULL);
}
