/* Unit test of lib/sys/spawn.c: what a program that was started has, and has not. */
#include "tests/support/t.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/sys/spawn.h"

static int wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, 20000);
}

/* Run a shell SCRIPT in DIR; its output in OUT. The status, -1: it could not be executed. */
static int shell(const char *path, const char *script, const char *dir, char *out, size_t size)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(script), NULL };
	char *envp[] = { (char[]){ "A=1" }, NULL };
	struct sys_child c;
	const char *step;
	siginfo_t info;
	int in[2], pipe_out[2];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(pipe_out, O_CLOEXEC), 0);
	struct sys_spawn s = {
		.path = path, .argv = argv, .envp = envp, .dir = dir, .in = in[0], .out = pipe_out[1]
	};
	assert_int_equal(sys_spawn(&s, &c), 0);
	close(in[0]);
	close(in[1]);
	close(pipe_out[1]);
	free(argv[2]);
	assert_int_equal(wait_for(c.started), 1);
	int failed = sys_spawn_result(&c, &step);
	assert_int_equal(c.started, -1);
	if (failed)
		snprintf(out, size, "%s %d", step, failed);
	size_t got = 0;
	for (ssize_t n; !failed && (n = read(pipe_out[0], out + got, size - 1 - got)) > 0;)
		got += (size_t)n;
	if (!failed)
		out[got] = '\0';
	close(pipe_out[0]);
	assert_int_equal(wait_for(c.pidfd), 1);
	assert_int_equal(waitid(P_PIDFD, (id_t)c.pidfd, &info, WEXITED), 0);
	close(c.pidfd);
	return failed ? -1 : info.si_code == CLD_EXITED ? info.si_status : 1000 + info.si_status;
}

static void it_has_a_clean_slate(UNUSED void **state)
{
	char out[2000];
	int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, on purpose */
	assert_true(leaked > 2);
	assert_int_equal(shell("/bin/sh", "ls /proc/self/fd | wc -l; echo $A; umask; pwd; exit 7", "/", out,
				 sizeof(out)),
		7);
	/* 0, 1, 2 and the one that ls reads the directory by */
	assert_string_equal(out, "4\n1\n0077\n/\n");
	close(leaked);
}

static void it_leads_a_session(UNUSED void **state)
{
	char out[2000], want[100];
	assert_int_equal(shell("/bin/sh", "read a b c d pgrp sid rest </proc/$$/stat; echo $$ $pgrp $sid", NULL,
				 out, sizeof(out)),
		0);
	int pid = (int)strtol(out, NULL, 10);
	snprintf(want, sizeof(want), "%d %d %d\n", pid, pid, pid);
	assert_string_equal(out, want);
	assert_int_not_equal(pid, getpid());
}

/* What this process ignores or blocks is not its affair. */
static void signals_are_as_at_birth(UNUSED void **state)
{
	char out[2000];
	sigset_t term, old;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	assert_int_equal(shell("/bin/sh", "kill -PIPE $$; exit 3", NULL, out, sizeof(out)), 1000 + SIGPIPE);
	assert_int_equal(shell("/bin/sh", "kill -TERM $$; exit 3", NULL, out, sizeof(out)), 1000 + SIGTERM);
	/* and ours are as before */
	sigset_t now;
	sigprocmask(SIG_SETMASK, &old, &now);
	assert_true(sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1));
	assert_ptr_equal(signal(SIGPIPE, before), SIG_IGN);
}

static void failures_are_named(UNUSED void **state)
{
	char out[2000], want[100];
	assert_int_equal(shell("/nonexistent/x", "", NULL, out, sizeof(out)), -1);
	snprintf(want, sizeof(want), "exec %d", ENOENT);
	assert_string_equal(out, want);
	assert_int_equal(shell("/etc/passwd", "", NULL, out, sizeof(out)), -1);
	snprintf(want, sizeof(want), "exec %d", EACCES);
	assert_string_equal(out, want);
	assert_int_equal(shell("/bin/sh", "", "/nonexistent", out, sizeof(out)), -1);
	snprintf(want, sizeof(want), "chdir %d", ENOENT);
	assert_string_equal(out, want);
	struct sys_spawn s = { .path = "/bin/sh", .in = 0, .out = 1 };
	struct sys_child c;
	assert_int_equal(sys_spawn(&s, &c), -1); /* would be overwritten */
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_a_clean_slate),
		cmocka_unit_test(it_leads_a_session),
		cmocka_unit_test(signals_are_as_at_birth),
		cmocka_unit_test(failures_are_named),
	};
	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
