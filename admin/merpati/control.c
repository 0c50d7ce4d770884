#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "admin/merpati/merpati.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/sys/clock.h"
#include "lib/sys/sys.h"

#define START_WAIT_MS 45000
#define CALL_WAIT_MS  200000
#define GONE_WAIT_MS  10000

int run_program(const char *const *argv, struct err *e)
{
	pid_t pid;
	int status, rc;
	fflush(stdout);
	rc = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (rc != 0)
		return err_sys(e, rc, "run %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for %s", argv[0]);
	if (WIFSIGNALED(status))
		return err_set(
		        e, ERR_TEMP, "%s was killed by signal %d", argv[0], WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* --- one request to a socket of the instance ------------------------------------------------- */

struct call {
	const struct instance *in;
	const char *socket; /* below queue_directory */
	const char *verb;   /* for master; NULL: flush for qmgr */
	struct buf *text;   /* what it answered */
	struct err *e;
};

static int dial(const struct call *c)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	/* relative, because sun_path holds 107 octets only */
	if (chdir(c->in->core.queue_directory) < 0)
		return err_sys(c->e, errno, "%s", c->in->core.queue_directory);
	if (sv_copyz(sv_z(c->socket), sa.sun_path, sizeof sa.sun_path) < 0)
		return err_set(c->e, ERR_BUG, "socket name too long");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(c->e, errno, "socket");
	if (sys_connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	int saved = errno;
	sys_close(fd);
	if (saved == ENOENT || saved == ECONNREFUSED)
		return err_set(c->e, ERR_TEMP, "%s is not running", c->in->dir);
	err_sys(c->e, saved, "connect to %s/%s", c->in->core.queue_directory, c->socket);
	if (saved == EACCES) {
		err_set(c->e, ERR_PERM, "%s is the system's: only root may do that", c->in->dir);
		c->e->sys_errno = saved;
	}
	return -1;
}

static int ask(struct call *c, struct ipc_conn *conn, struct arena *a)
{
	struct ipc_frame f;
	int64_t deadline = fiber_deadline(CALL_WAIT_MS);
	if (c->verb) {
		struct msg_master_command m = { .verb = sv_z(c->verb) };
		if (msg_master_command_send(conn, &m, 1, NULL, 0, deadline, c->e) < 0)
			return -1;
	} else {
		struct msg_qmgr_flush m = { .sites = { NULL, 0 } };
		if (msg_qmgr_flush_send(conn, &m, 1, NULL, 0, deadline, c->e) < 0)
			return -1;
	}
	int rc = ipc_recv(conn, &f, deadline, c->e);
	if (rc == 0)
		return err_set(
		        c->e, ERR_TEMP, "the connection ended without an answer: see the log");
	if (rc < 0)
		return -1;
	struct msg_master_outcome mo = { .ok = false };
	struct msg_qmgr_accepted qa = { .ok = false };
	if (c->verb ? msg_master_outcome_from(&f, a, &mo, c->e) < 0
	            : msg_qmgr_accepted_from(&f, a, &qa, c->e) < 0)
		return -1;
	buf_put_sv(c->text, c->verb ? mo.text : qa.text);
	return c->verb ? mo.ok : qa.ok;
}

/* 1 it said yes, 0 it said no (TEXT says why), -1 E. Without an event loop lib/ipc blocks, with
 * deadlines. */
static int call(const struct instance *in, const char *socket, const char *verb, struct buf *text,
        struct err *e)
{
	struct call c = { .in = in, .socket = socket, .verb = verb, .text = text, .e = e };
	struct arena a;
	int rc = -1;
	arena_init(&a, IPC_FRAME_MAX * 2);
	int fd = dial(&c);
	if (fd >= 0) {
		struct ipc_conn *conn = ipc_conn_new(fd);
		rc = ask(&c, conn, &a);
		ipc_conn_free(conn);
	}
	arena_free(&a);
	return rc;
}

/* A call whose answer is yes or an error. */
static int call_or_fail(const struct instance *in, const char *socket, const char *verb,
        struct buf *text, struct err *e)
{
	int rc = call(in, socket, verb, text, e);
	if (rc == 0)
		return err_set(e, ERR_CONFIG, "%s: %s", verb ? verb : "flush", buf_z(text));
	return rc;
}

/* --- verbs -------------------------------------------------------------------------------------
 */

static int master_path(const struct instance *in, char *out, size_t size, struct err *e)
{
	if (snprintf(out, size, "%s/master", in->core.daemon_directory) >= (int)size)
		return err_set(e, ERR_CONFIG, "daemon_directory is too long");
	if (access(out, X_OK) < 0)
		return err_set(e, ERR_CONFIG, "%s: %s: check daemon_directory in %s/main.cf", out,
		        strerror(errno), in->dir);
	return 0;
}

static int not_running_yet(const struct instance *in, struct err *e)
{
	pid_t pid;
	int rc = instance_running(in, &pid, e);
	if (rc > 0)
		return err_set(
		        e, ERR_TEMP, "%s is running already: master has pid %d", in->dir, (int)pid);
	return rc;
}

/* In the child: leave the caller's terminal session and its descriptors, then become master. */
static void exec_master(const char *path, const struct instance *in, int ready_fd) NORETURN;
static void exec_master(const char *path, const struct instance *in, int ready_fd)
{
	char fd[16];
	(void)setsid();
	snprintf(fd, sizeof fd, "%d", ready_fd);
	if (setenv("MERPATI_READY_FD", fd, 1) == 0)
		execl(path, "master", "-c", in->dir, (char *)NULL);
	_exit(EX_OSFILE);
}

/* What master says on the pipe; an empty text when it closed without a word. */
static int read_report(int fd, struct buf *text, struct err *e)
{
	int64_t end = clock_mono_ms() + START_WAIT_MS;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_mono_ms();
		if (left <= 0)
			return err_set(e, ERR_TEMP, "master did not report in time; see the log");
		int rc = poll(&p, 1, (int)clock_real_ms(left));
		if (rc < 0 && errno != EINTR)
			return err_sys(e, errno, "poll");
		if (rc <= 0)
			continue;
		char *room = buf_room(text, 4096);
		ssize_t n = room ? sys_read(fd, room, 4096) : 0;
		if (n <= 0)
			return 0;
		buf_added(text, (size_t)n);
	}
}

/* What smtpd will say in the log, said to whoever starts it, too. Mail that needs no TLS goes on without. */
static void tell_tls(void *arg, bool wrong, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s: %s\n", wrong ? "error: TLS cannot be used" : "warning", text);
}

int run_start(struct instance *in, struct err *e)
{
	char path[4096];
	int pipefd[2];
	if (master_path(in, path, sizeof path, e) < 0 || not_running_yet(in, e) < 0)
		return -1;
	check_tls_each(in, tell_tls, NULL);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		(void)fcntl(pipefd[1], F_SETFD, 0);
		exec_master(path, in, pipefd[1]);
	}
	sys_close(pipefd[1]);
	struct buf text;
	buf_init(&text, 16384);
	int rc = read_report(pipefd[0], &text, e);
	sys_close(pipefd[0]);
	struct sv said = sv_trim(buf_sv(&text));
	if (rc == 0 && sv_eqz(said, "ready"))
		printf("started, pid %d\n", (int)pid);
	else if (rc == 0 && sv_empty(said))
		rc = err_set(e, ERR_TEMP, "master ended without a word; see %s and `merpati check`",
		        in->core.maillog_file[0] ? in->core.maillog_file : "its standard error");
	else if (rc == 0) {
		if (sv_starts(said, SV("failed: ")))
			said = sv_from(said, 8);
		rc = err_set(e, ERR_CONFIG, "%.*s", SV_ARG(said));
	}
	buf_free(&text);
	return rc;
}

int run_foreground(struct instance *in, struct err *e)
{
	char path[4096];
	if (master_path(in, path, sizeof path, e) < 0 || not_running_yet(in, e) < 0)
		return -1;
	execl(path, "master", "-c", in->dir, "-d", (char *)NULL);
	return err_sys(e, errno, "run %s", path);
}

int run_stop(struct instance *in, struct err *e)
{
	struct buf text;
	buf_init(&text, IPC_FRAME_MAX);
	int rc = call_or_fail(in, "private/control", "stop", &text, e);
	buf_free(&text);
	if (rc < 0)
		return -1;
	/* the answer comes a moment before the process is gone */
	int64_t end = clock_mono_ms() + GONE_WAIT_MS;
	pid_t pid;
	while ((rc = instance_running(in, &pid, e)) > 0) {
		if (clock_mono_ms() > end)
			return err_set(e, ERR_TEMP,
			        "master, pid %d, has stopped its services but does not end",
			        (int)pid);
		(void)poll(NULL, 0, 10);
	}
	if (rc == 0)
		printf("stopped\n");
	return rc;
}

/* A certificate is looked at before old processes are told to leave: with a bad one they stay. */
static void note_wrong(void *arg, bool wrong, const char *text)
{
	struct err *e = arg;
	if (!wrong)
		fprintf(stderr, "warning: %s\n", text);
	else if (e->cls == ERR_NONE)
		err_set(e, ERR_CONFIG, "reload refused, nothing has changed: %s", text);
}

int run_reload(struct instance *in, struct err *e)
{
	struct buf text;
	struct err tls = ERR_INIT;
	check_tls_each(in, note_wrong, &tls);
	if (tls.cls != ERR_NONE) {
		*e = tls;
		return -1;
	}
	buf_init(&text, IPC_FRAME_MAX);
	int rc = call_or_fail(in, "private/control", "reload", &text, e);
	buf_free(&text);
	if (rc > 0)
		printf("reloaded\n");
	return rc;
}

int run_status(struct instance *in, struct err *e)
{
	struct buf text;
	buf_init(&text, IPC_FRAME_MAX);
	int rc = call_or_fail(in, "private/control", "status", &text, e);
	if (rc > 0)
		fwrite(buf_z(&text), 1, text.len, stdout);
	buf_free(&text);
	return rc;
}

int run_flush(struct instance *in, struct err *e)
{
	struct buf text;
	buf_init(&text, IPC_FRAME_MAX);
	int rc = call_or_fail(in, "public/qmgr", NULL, &text, e);
	buf_free(&text);
	return rc;
}
