/* Unit test of lib/sys/jail.c: each case in a child of its own, where the door closes for good. */
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys/jail.h"

#ifdef MERPATI_SANITIZED
#define FILTERS false /* the system call filter logs only */
#else
#define FILTERS true
#endif

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned n;
	char *p = path[n++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* Runs CHECK in a child behind the jail J. Its exit code; 99: the jail did not close; 100+n: signal n. */
static int behind(struct jail j, int (*check)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;
		j.uid = (uid_t)-1;
		j.no_new_privs = true;
		if (jail_enter(&j, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(99);
		}
		_exit(check());
	}
	int st = 0;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 100 + WTERMSIG(st);
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int check_read(void)
{
	return !opens(in_dir("r/file"), O_RDONLY)         ? 1 :
	       opens(in_dir("r/file"), O_WRONLY)          ? 2 :
	       opens(in_dir("r/new"), O_CREAT | O_WRONLY) ? 3 :
	       opens(in_dir("other"), O_RDONLY)           ? 4 :
	       opens("/etc/passwd", O_RDONLY)             ? 5 :
	       unlink(in_dir("r/file")) == 0              ? 6 :
							    0;
}

static int check_write(void)
{
	return !opens(in_dir("w/new"), O_CREAT | O_RDWR)              ? 1 :
	       mkdir(in_dir("w/sub"), 0700) < 0                       ? 2 :
	       rename(in_dir("w/new"), in_dir("w/sub/moved")) < 0     ? 3 :
	       link(in_dir("w/sub/moved"), in_dir("w/linked")) < 0    ? 4 :
	       unlink(in_dir("w/linked")) < 0                         ? 5 :
	       unlink(in_dir("w/sub/moved")) < 0                      ? 6 :
	       rmdir(in_dir("w/sub")) < 0                             ? 7 :
	       rename(in_dir("r/file"), in_dir("w/file")) == 0        ? 8 :
	       opens(in_dir("other"), O_RDWR)                         ? 9 :
									0;
}

static int check_basic(void)
{
	pid_t pid;
	return opens("/dev/null", O_RDONLY)                                  ? 1 :
	       socket(AF_INET, SOCK_STREAM, 0) >= 0                          ? 2 :
	       socket(AF_UNIX, SOCK_STREAM, 0) >= 0                          ? 3 :
	       (pid = fork()) >= 0                                           ? 4 :
	       kill(getppid(), 0) == 0                                       ? 5 :
	       prctl(PR_GET_DUMPABLE) != -1 || errno != EPERM                ? 6 :
									       0;
}

static void *thread(void *arg)
{
	return arg;
}

static int check_thread(void)
{
	pthread_t t;
	void *out = NULL;
	if (pthread_create(&t, NULL, thread, dir) != 0 || pthread_join(t, &out) != 0)
		return 1;
	return out != dir;
}

static int check_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 1 : socket(AF_INET6, SOCK_DGRAM, 0) < 0 ? 2 :
	       socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 3 : socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 4 : 0;
}

static int check_exec(void)
{
	char *argv[] = { NULL };
	execv("/bin/true", argv);
	return 1;
}

static int check_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 1;
}

static int nothing(void)
{
	return 0;
}

static void test_files(void **state)
{
	struct jail reads = { .allow = JAIL_READ_FILES, .read_paths = { in_dir("r"), in_dir("absent") } };
	struct jail writes = { .allow = JAIL_READ_FILES | JAIL_WRITE_FILES, .read_paths = { in_dir("r") },
		.write_paths = { in_dir("w") } };
	(void)state;
	assert_int_equal(behind(reads, check_read), 0);
	assert_int_equal(behind(writes, check_write), 0);
	/* a place to write that does not exist is an error of the installation */
	writes.write_paths[1] = in_dir("absent");
	assert_int_equal(behind(writes, nothing), 99);
}

static void test_calls(void **state)
{
	(void)state;
	assert_int_equal(behind((struct jail){ .allow = JAIL_BASIC }, check_thread), 0);
	if (FILTERS) {
		assert_int_equal(behind((struct jail){ .allow = JAIL_BASIC }, check_basic), 0);
		assert_int_equal(behind((struct jail){ .allow = JAIL_INET }, check_inet), 0);
		assert_int_equal(behind((struct jail){ .allow = JAIL_BASIC }, check_exec), 100 + SIGSYS);
		assert_int_equal(behind((struct jail){ .allow = JAIL_EXEC }, check_ptrace), 100 + SIGSYS);
	}
	assert_int_equal(behind((struct jail){ .allow = JAIL_EXEC }, check_exec), 0);
}

static void *waits(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

/* A thread that exists when the jail closes would stay outside of it. */
static int with_thread(void)
{
	pthread_t t;
	struct jail j = { .uid = (uid_t)-1, .no_new_privs = true };
	struct err e = ERR_INIT;
	if (pthread_create(&t, NULL, waits, NULL) != 0)
		return 1;
	return jail_enter(&j, &e) == -1 && e.cls == ERR_BUG ? 0 : 2;
}

static void test_thread_before(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(with_thread());
	int st = 0;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

/* As root: the uid is left for good. */
static int check_user(void)
{
	gid_t groups[4] = { 0 };
	uid_t r, f, sv;
	int n = getgroups(4, groups);
	return getuid() != 65534                                 ? 1 :
	       setuid(0) == 0 || seteuid(0) == 0                 ? 2 :
	       getresuid(&r, &f, &sv) < 0 || sv != 65534          ? 3 :
	       n != 2 || groups[0] != 27 || groups[1] != 65533   ? 4 :
	       getegid() != 65534 || setgid(0) == 0              ? 5 :
	       prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) != 0  ? 6 :
								   0;
}

static int as_user(struct jail j, int (*check)(void))
{
	static const gid_t groups[] = { 27, 65533 };
	pid_t pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;
		j.uid = j.gid = 65534;
		j.groups = groups;
		j.ngroups = 2;
		if (jail_enter(&j, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(99);
		}
		_exit(check());
	}
	int st = 0;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 100 + WTERMSIG(st);
}

static int check_root_dir(void)
{
	return access("/r/file", F_OK) == 0 ? check_user() : 9;
}

/* Programs below keep what their files say: the bounding set stays, nothing is promised to the kernel. */
static int check_set_id_below(void)
{
	return prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 &&
			       getuid() == 65534 && setuid(0) < 0 ?
		       0 :
		       1;
}

static int opens_read_only(void)
{
	return opens(in_dir("r/file"), O_RDONLY) ? 0 : 1;
}

static void test_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct jail j = { .allow = JAIL_EXEC, .no_new_privs = true };
	assert_int_equal(as_user(j, check_user), 0);
	j.chroot_dir = dir;
	assert_int_equal(as_user(j, check_root_dir), 0);
	assert_int_equal(as_user((struct jail){ .allow = JAIL_EXEC, .keep_bounding = true }, check_set_id_below), 0);
	/* a path is looked up with the user's rights: what root alone can enter is refused */
	struct jail reads = { .allow = JAIL_READ_FILES, .no_new_privs = true, .read_paths = { in_dir("r") } };
	assert_int_equal(chmod(in_dir("r"), 0700), 0);
	assert_int_equal(as_user(reads, opens_read_only), 1);
	assert_int_equal(chmod(in_dir("r"), 0755), 0);
	assert_int_equal(chmod(in_dir("r/file"), 0644), 0);
	assert_int_equal(as_user(reads, opens_read_only), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(as_user(reads, opens_read_only), 99);
	assert_int_equal(chmod(dir, 0755), 0);
}

static int to_root(void)
{
	struct jail j = { .uid = 0, .gid = 0 };
	struct err e = ERR_INIT;
	return jail_user(&j, &e) == -1 && e.cls == ERR_BUG ? 0 : 1;
}

static void test_never_to_root(void **state)
{
	(void)state;
	assert_int_equal(to_root(), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/merpati-jail-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	if (mkdir(in_dir("r"), 0755) < 0 || mkdir(in_dir("w"), 0755) < 0)
		return -1;
	bool made = opens(in_dir("r/file"), O_CREAT | O_WRONLY) && opens(in_dir("other"), O_CREAT | O_WRONLY);
	return made ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink(in_dir("r/file"));
	unlink(in_dir("other"));
	rmdir(in_dir("r"));
	rmdir(in_dir("w"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_thread_before),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_never_to_root),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
