/* Unit test of lib/sys/fault.c: each case runs in a child of its own, since a plan is read once. */
#include "tests/support/t.h"

#ifdef MERPATI_FAULTS

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys/fault.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned n;
	char *p = path[n++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* What a small program does: create, write twice, sync, rename. The result is the exit code. */
static int work(void)
{
	int fd = sys_open(in_dir("tmp"), O_CREAT | O_RDWR | O_TRUNC, 0600);
	if (fd < 0)
		return errno == EMFILE ? 20 : 21;
	for (int i = 0; i < 2; i++) {
		ssize_t w = sys_write(fd, "12345678", 8);
		if (w < 0)
			return errno == ENOSPC ? 30 + i : 39;
		if (w != 8)
			return 40 + (int)w;
	}
	if (sys_fsync(fd) < 0)
		return 50;
	if (sys_rename(in_dir("tmp"), in_dir("done")) < 0)
		return errno == EIO ? 60 : 61;
	sys_close(fd);
	return 0;
}

static int run(const char *plan, const char *once)
{
	pid_t pid = fork();
	if (pid == 0) {
		log_init("merpati/worker");
		setenv("MERPATI_FAULT", plan, 1);
		setenv("MERPATI_FAULT_REPORT", in_dir("report"), 1);
		if (once)
			setenv("MERPATI_FAULT_ONCE", once, 1);
		_exit(work());
	}
	int st = 0;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 100 + WTERMSIG(st);
}

static void test_plans(void **state)
{
	static const struct {
		const char *plan;
		int result;
	} cases[] = {
		{ "", 0 },
		{ "worker:open:1:EMFILE", 20 },
		{ "other:open:1:EMFILE", 0 },
		{ "*:open:*/tmp:1:EMFILE", 20 },
		{ "*:open:*/other:1:EMFILE", 0 },
		{ "worker:write:1:ENOSPC", 30 },
		{ "worker:write:2:ENOSPC", 31 },
		{ "worker:write:3:ENOSPC", 0 },
		{ "worker:write:2:SHORT", 44 },
		{ "worker:write:*/tmp:2:ENOSPC", 31 },
		{ "worker:write:1+:ENOSPC", 30 },
		{ "worker:fsync:1:EIO", 50 },
		{ "worker:rename:*/done:1:EIO", 60 },
		{ "worker:write:9:EIO,worker:rename:1:KILL", 109 },
		{ "worker:*:4:EIO", 50 },
		{ "nonsense", 78 },
		{ "worker:write:0:EIO", 78 },
		{ "worker:write:1:ENOSUCH", 78 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got = run(cases[i].plan, NULL);
		if (got != cases[i].result)
			fail_msg("[%s]: %d, want %d", cases[i].plan, got, cases[i].result);
	}
}

static void test_once(void **state)
{
	const char *once = in_dir("once");
	(void)state;
	assert_int_equal(run("worker:fsync:1:EIO", once), 0); /* no such file: nothing is armed */
	FILE *f = fopen(once, "w");
	assert_non_null(f);
	assert_true(fputs("xx", f) >= 0);
	assert_int_equal(fclose(f), 0);
	/* each plan for itself */
	assert_int_equal(run("worker:fsync:1:EIO,worker:rename:1:EIO", once), 50);
	assert_int_equal(run("worker:fsync:1:EIO,worker:rename:1:EIO", once), 60);
	assert_int_equal(run("worker:fsync:1:EIO,worker:rename:1:EIO", once), 0);
}

/* The report names each site and what fired; a site found there can be addressed by a plan. */
static void test_report_and_site(void **state)
{
	static char text[65536], first[200];
	char plan[300];
	(void)state;
	(void)unlink(in_dir("report"));
	assert_int_equal(run("worker:rename:1:EIO", NULL), 60);
	FILE *f = fopen(in_dir("report"), "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	assert_int_equal(fclose(f), 0);
	/* a compiler cache may have made the path relative to the build folder */
	const char *opened = strstr(text, "worker open ");
	assert_non_null(opened);
	assert_non_null(strstr(opened, "tests/unit/sys/test_fault.c:"));
	const char *fired = strstr(text, "FIRED EIO worker rename ");
	assert_non_null(fired);
	assert_non_null(strstr(fired, "tests/unit/sys/test_fault.c:"));
	assert_non_null(strstr(fired, "/done\n"));
	/* "worker write FILE:LINE PATH" */
	const char *w = strstr(text, "worker write ");
	assert_non_null(w);
	assert_true(sv_copyz(sv_n(w + 13, strcspn(w + 13, " ")), first, sizeof(first)) == 0);
	snprintf(plan, sizeof(plan), "worker:write:site=%s:1:ENOSPC", first);
	assert_int_equal(run(plan, NULL), 30);
	assert_int_equal(run("worker:write:site=other.c:1:1:ENOSPC", NULL), 0);
}

static void test_sites(void **state)
{
	char *out = NULL;
	size_t n = 0;
	(void)state;
	FILE *f = open_memstream(&out, &n);
	assert_non_null(f);
	fault_sites_dump(f);
	assert_int_equal(fclose(f), 0);
	unsigned mine = 0;
	for (const char *at = out; (at = strstr(at, "tests/unit/sys/test_fault.c:")) != NULL; at++)
		mine++;
	assert_non_null(strstr(out, " rename work\n"));
	assert_int_equal(mine, 4); /* open, write, fsync, rename above */
	free(out);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/merpati-fault-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "tmp", "done", "report", "once" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(in_dir(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_report_and_site),
		cmocka_unit_test(test_sites),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

#else

int main(void)
{
	return 0;
}

#endif
