/*
 * A command, from its start to its end. Three fibers work on it:
 *
 *     reader   its output -> a bounded buffer, until its end, or POSTMAN_OUTPUT_MAX octets
 *     watcher  kills it when whoever asked is gone: it will be asked for again
 *     caller   waits for the process itself, at most for the limit
 *
 * The process's own end is what counts: something in the background may hold its output open for ever.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/command.h"
#include "lib/sys/log.h"
#include "lib/sys/spawn.h"
#include "postman/postman.h"

#define START_MS 30000 /* for fork and exec: a program on a dead file server */
#define GRACE_MS 4000  /* when this process shall stop: below the 5 s that the skeleton gives */
#define REAP_MS  10000 /* to die of SIGKILL */

struct running {
	struct postman_run *r;
	struct sys_child child;
	int out; /* our end; -1 closed */
	struct fiber *reader, *watcher;
	bool stopped; /* this process shall end */
};

static void shut(int *fd)
{
	if (*fd >= 0)
		fiber_close(*fd);
	*fd = -1;
}

/* --- its output --------------------------------------------------------------------------------- */

/* What is there now. 1 more may come, 0 the end. */
static int take_output(struct running *run, size_t *total)
{
	char block[8192];
	for (;;) {
		ssize_t n = sys_read(run->out, block, sizeof(block));
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 1 : 0;
		size_t room = run->r->output->max - run->r->output->len;
		(void)buf_put(run->r->output, block, (size_t)n < room ? (size_t)n : room);
		*total += (size_t)n;
		if (*total > POSTMAN_OUTPUT_MAX)
			return 0;
		if (fiber_yield() < 0)
			return 1;
	}
}

static void run_reader(void *arg)
{
	struct running *run = arg;
	size_t total = 0;
	int rc;
	while ((rc = take_output(run, &total)) == 1 &&
	        fiber_wait_fd(run->out, FIBER_READ, FIBER_FOREVER) == 1)
		;
	if (rc == 0)
		shut(&run->out);
}

/* --- who asked ---------------------------------------------------------------------------------- */

static void run_watcher(void *arg)
{
	struct running *run = arg;
	char c;
	if (fiber_wait_fd(run->r->client, FIBER_READ, FIBER_FOREVER) != 1)
		return;
	/* octets: its next request, too early but no reason to end this one */
	ssize_t n = recv(run->r->client, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		(void)kill(-run->child.pid, SIGKILL);
}

/* --- the process -------------------------------------------------------------------------------- */

static void not_run(struct postman_run *r, bool config, const char *what, const char *why)
{
	r->end = COMMAND_NOT_RUN;
	r->config = config;
	buf_reset(r->output);
	(void)buf_printf(r->output, "%s%s%s", what, *why ? ": " : "", why);
}

/* Was the program executed? False: R says why not. The process is there in any case. */
static bool has_started(struct running *run)
{
	const char *step;
	bool before = fiber_shield(true); /* a matter of milliseconds, but for a dead file server */
	int rc = fiber_wait_fd(run->child.started, FIBER_READ, fiber_deadline(START_MS));
	fiber_shield(before);
	if (rc != 1) {
		shut(&run->child.started);
		not_run(run->r, false, "it could not be started in time", "");
		return false;
	}
	fiber_forget_fd(run->child.started);
	int saved = sys_spawn_result(&run->child, &step);
	if (saved == 0)
		return true;
	/* what another try may find different is no mistake of whoever wrote the command */
	bool config = saved != EAGAIN && saved != ENOMEM && saved != EMFILE && saved != ENFILE &&
	              saved != EIO && saved != ETXTBSY;
	char what[1024];
	snprintf(what, sizeof(what), "%s %s", step, *step == 'c' ? run->r->dir : run->r->path);
	not_run(run->r, config, what, strerror(saved));
	run->r->exec_errno = *step == 'e' ? saved : 0;
	return false;
}

/* Wait for its end and kill it when it does not come. The status of waitid. False: it cannot even die. */
static bool await_end(struct running *run, int64_t deadline, bool *killed, siginfo_t *info)
{
	int rc = fiber_wait_fd(run->child.pidfd, FIBER_READ, deadline);
	bool before = fiber_shield(true);
	if (rc < 0) {
		/* the command gets a moment to finish */
		run->stopped = true;
		int64_t grace = fiber_deadline(GRACE_MS);
		rc = fiber_wait_fd(run->child.pidfd, FIBER_READ, deadline < grace ? deadline : grace);
	}
	*killed = rc != 1;
	if (*killed) {
		(void)kill(-run->child.pid, SIGKILL);
		(void)kill(run->child.pid, SIGKILL); /* before it made itself the head of a group */
		rc = fiber_wait_fd(run->child.pidfd, FIBER_READ, fiber_deadline(REAP_MS));
	}
	fiber_shield(before);
	*info = (siginfo_t){ .si_code = 0 };
	return rc == 1 && waitid(P_PIDFD, (id_t)run->child.pidfd, info, WEXITED | WNOHANG) == 0;
}

static struct fiber *helper(const char *name, void (*fn)(void *), struct running *run)
{
	struct fiber *f = fiber_spawn(name, 0, fn, run);
	if (f)
		fiber_hold(f);
	return f;
}

static void end_helper(struct fiber *f)
{
	if (!f)
		return;
	bool before = fiber_shield(true);
	fiber_cancel(f);
	(void)fiber_join(f, FIBER_FOREVER); /* its waits end at once */
	fiber_shield(before);
	fiber_release(f);
}

/* The child runs, or failed to: see it through. */
static void see_through(struct running *run)
{
	struct postman_run *r = run->r;
	int64_t deadline = fiber_deadline(r->limit_ms);
	bool started = has_started(run), killed = false;
	siginfo_t info;
	if (started) {
		run->reader = helper("reader", run_reader, run);
		run->watcher = helper("watcher", run_watcher, run);
		if (!run->reader || !run->watcher) {
			not_run(r, false, "no memory for a fiber", "");
			started = false;
		}
	}
	bool ended = await_end(run, started ? deadline : fiber_deadline(0), &killed, &info);
	end_helper(run->reader);
	end_helper(run->watcher);
	if (!ended)
		log_error("pid %d does not end, not even by SIGKILL", (int)run->child.pid);
	if (!started)
		return;
	if (run->out >= 0)
		(void)take_output(run, &(size_t){ 0 });
	if (killed && run->stopped) {
		not_run(r, false, "it was ended, as the mail system stops", "");
	} else if (killed) {
		r->end = COMMAND_TIMED_OUT;
	} else {
		r->end = info.si_code == CLD_EXITED ? COMMAND_EXITED : COMMAND_SIGNALLED;
		r->value = (unsigned)info.si_status;
	}
}

void postman_run(struct postman_run *r)
{
	int out[2];
	struct running run = { .r = r, .out = -1 };
	struct sys_spawn what = { .path = r->path, .argv = r->argv, .envp = r->envp, .dir = r->dir, .in = r->in };
	if (pipe2(out, O_CLOEXEC) < 0) {
		not_run(r, false, "pipe", strerror(errno));
		return;
	}
	what.out = out[1];
	run.out = out[0];
	(void)fcntl(run.out, F_SETFL, O_NONBLOCK);
	int rc = sys_spawn(&what, &run.child);
	if (rc < 0)
		not_run(r, false, "fork", strerror(errno));
	sys_close(out[1]);
	if (rc == 0) {
		see_through(&run);
		shut(&run.child.pidfd);
	}
	shut(&run.out);
}
