#include "lib/sys/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifdef MERPATI_FAULTS
#include "lib/sys/fault.h"
#endif

#define LAST_STD 2

static const char *const steps[] = { "set-up of the new process", "chdir", "exec" };

/* What the child says when it could not become the program. */
struct failure {
	unsigned step;
	int saved;
};

static void give_up(int report, unsigned step) NORETURN;
static void give_up(int report, unsigned step)
{
	struct failure f = { .step = step, .saved = errno };
	ssize_t n = write(report, &f, sizeof(f));
	_exit(n == (ssize_t)sizeof(f) ? 71 : 70);
}

/* Between fork and exec: system calls only, as other threads may have held any lock. */
static void become(const struct sys_spawn *s, int report, pid_t parent) NORETURN;
static void become(const struct sys_spawn *s, int report, pid_t parent)
{
	sigset_t none;
	for (int n = 1; n < NSIG; n++)
		if (n != SIGKILL && n != SIGSTOP)
			(void)signal(n, SIG_DFL); /* those of libc's own use refuse: no harm */
	sigemptyset(&none);
	umask(077);
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	        sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		give_up(report, 0);
	if (getppid() != parent) /* it ended before it could be told to take us along */
		_exit(71);
	if (dup2(s->in, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->out, 2) < 0 ||
	        close_range(LAST_STD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		give_up(report, 0);
	if (s->dir && chdir(s->dir) < 0)
		give_up(report, 1);
	execve(s->path, s->argv, s->envp);
	give_up(report, 2);
}

/* A descriptor among the first three would be overwritten in the child. */
static int above_std(int fd)
{
	if (fd < 0 || fd > LAST_STD)
		return fd;
	int higher = fcntl(fd, F_DUPFD_CLOEXEC, LAST_STD + 1);
	sys_close(fd);
	return higher;
}

static void forget(int report[2], pid_t pid)
{
	int keep = errno;
	sys_close(report[0]);
	sys_close(report[1]);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	errno = keep;
}

int sys_spawn_(struct fault_site *site, const struct sys_spawn *s, struct sys_child *child)
{
	int report[2];
	sigset_t all, before;
#ifdef MERPATI_FAULTS
	int fault = fault_at(site, AT_FDCWD, s->path, -1);
	if (fault > 0) {
		errno = fault;
		return -1;
	}
#else
	(void)site;
#endif
	if (s->in <= LAST_STD || s->out <= LAST_STD) {
		errno = EINVAL;
		return -1;
	}
	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	report[1] = above_std(report[1]);
	if (report[1] < 0) {
		forget(report, -1);
		return -1;
	}
	/* a signal for this process must not be taken by the child in this process's name */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(s, report[1], parent);
	int saved = errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0) {
		forget(report, pid);
		return -1;
	}
	sys_close(report[1]);
	(void)fcntl(report[0], F_SETFL, O_NONBLOCK);
	*child = (struct sys_child){ .pid = pid, .pidfd = pidfd, .started = report[0] };
	return 0;
}

int sys_spawn_result(struct sys_child *child, const char **step)
{
	struct failure f = { .saved = 0 };
	ssize_t n = sys_read(child->started, &f, sizeof(f));
	sys_close(child->started);
	child->started = -1;
	*step = steps[f.step < ARRAY_LEN(steps) ? f.step : 0];
	return n == (ssize_t)sizeof(f) ? f.saved : 0;
}
