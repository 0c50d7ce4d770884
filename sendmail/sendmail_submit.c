/*
 * sendmail/sendmail_submit.c - one mail to pickup on public/submit; when nobody takes it there, to postdrop.
 *
 * A mail whose verdict got lost (pickup died) goes to postdrop too: it may then be queued twice, but never
 * not at all. Both have the same DROP_ID, so the same delivery keys: a Maildir gets it once.
 */
#include "sendmail/sendmail.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/base/utf8.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/msg.h"
#include "lib/queue/drop_file.h"
#include "lib/sys/rand.h"
#include "lib/sys/sys.h"

enum {
	PIECE_MAX = 256 * 1024,
	HELLO_MS = 5 * 1000, /* a pickup that has not accepted by then is dead, or has too much to do */
	SUBMIT_MS = 600 * 1000,
	NOT_SUBMITTED = -1,
};


static bool needs_utf8(const struct sm_mail *m)
{
	bool ascii = utf8_is_ascii(m->sender);
	for (size_t i = 0; i < m->rcpts.n && ascii; i++)
		ascii = utf8_is_ascii(m->rcpts.v[i].address);
	return !ascii;
}

static void build(struct buf *b, const struct sm_mail *m)
{
	char id[32];
	uint64_t random = rand_u64(), more = rand_u64();
	int n = snprintf(id, sizeof(id), "%08x%08x%08x", (unsigned)random, (unsigned)(random >> 32),
		(unsigned)more);
	drop_put_magic(b);
	drop_put(b, DROP_SENDER, m->sender);
	drop_put(b, DROP_ID, sv_n(id, (size_t)n));
	if (m->full_name.len > 0)
		drop_put(b, DROP_FULL_NAME, m->full_name);
	if (m->envid.len > 0)
		drop_put(b, DROP_ENVID, m->envid);
	if (m->ret)
		drop_put_number(b, DROP_RET, m->ret, SV_NONE);
	if (m->body_type.len > 0)
		drop_put(b, DROP_BODY, m->body_type);
	if (needs_utf8(m))
		drop_put(b, DROP_UTF8, SV_NONE);
	if (m->trace)
		drop_put_number(b, DROP_TRACE, m->trace, SV_NONE);
	for (size_t i = 0; i < m->rcpts.n; i++) {
		const struct sm_rcpt *r = &m->rcpts.v[i];
		if (r->orcpt.len > 0)
			drop_put(b, DROP_ORCPT, r->orcpt);
		drop_put_number(b, DROP_RCPT, r->notify ? r->notify : m->notify, r->address);
	}
	drop_put_content(b, buf_sv(&m->content));
	drop_put_end(b);
}

/* The reader's rules, before anybody else sees it: a mail that they refuse is the caller's fault. */
static int check(struct sv in, struct err *e)
{
	struct drop_reader d = { 0 };
	struct drop_record r;
	const char *why = NULL;
	size_t used;
	int rc;
	while ((rc = drop_next(&d, in, &r, &used, &why)) == 1)
		in = sv_from(in, used);
	return rc < 0 ? err_set(e, ERR_PERM, "%s", why) : 0;
}

static int dial(const char *spool)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int dir = sys_open(".", O_RDONLY | O_DIRECTORY, 0);
	int fd = -1;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "public/submit");
	/* relative: the spool's path may be longer than a socket address */
	if (chdir(spool) == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && sys_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
			sys_close(fd);
			fd = -1;
		}
		if (dir >= 0 && fchdir(dir) < 0 && chdir("/") < 0) {
			sys_close(fd);
			fd = -1;
		}
	}
	if (dir >= 0)
		sys_close(dir);
	return fd;
}

static bool is_listened_to(struct ipc_conn *c, struct arena *a, struct err *e)
{
	struct ipc_frame f;
	struct msg_submit_hello hello;
	return ipc_recv(c, &f, fiber_deadline(HELLO_MS), e) == 1 &&
		msg_submit_hello_from(&f, a, &hello, e) == 1;
}

static int send_all(struct ipc_conn *c, struct sv octets, struct err *e)
{
	int64_t deadline = fiber_deadline(SUBMIT_MS);
	struct msg_submit_end end;
	memset(&end, 0, sizeof(end));
	while (octets.len > 0) {
		struct msg_submit_piece piece = { .octets = sv_upto(octets, PIECE_MAX) };
		if (msg_submit_piece_send(c, &piece, 0, NULL, 0, deadline, e) != 1)
			return -1;
		octets = sv_from(octets, piece.octets.len);
	}
	return msg_submit_end_send(c, &end, 0, NULL, 0, deadline, e) == 1 ? 0 : -1;
}

/* 0 queued; a sysexits code: refused for good; NOT_SUBMITTED: try postdrop. */
static int by_socket(const char *spool, struct sv drop, struct buf *reply, struct err *e)
{
	struct ipc_frame f;
	struct msg_submit_result r;
	struct arena a;
	int fd = dial(spool), rc = NOT_SUBMITTED;
	if (fd < 0)
		return NOT_SUBMITTED;
	struct ipc_conn *c = ipc_conn_new(fd);
	arena_init(&a, 64 * 1024);
	bool heard = is_listened_to(c, &a, e);
	if (heard) /* a refusal may come before all is sent; it is the answer then, too */
		(void)send_all(c, drop, e);
	if (heard && ipc_recv(c, &f, fiber_deadline(SUBMIT_MS), e) == 1 &&
		msg_submit_result_from(&f, &a, &r, e) == 1) {
		if (r.status == 0) {
			rc = 0;
			(void)buf_put_sv(reply, r.text);
		} else if (r.status == 2) {
			rc = sv_eqz(r.dsn, "5.6.0") ? EX_DATAERR :
				sv_eqz(r.dsn, "5.7.1")  ? EX_NOPERM :
							  EX_UNAVAILABLE;
			err_set(e, ERR_PERM, "%.*s", SV_ARG(r.text));
		}
	}
	arena_free(&a);
	ipc_conn_free(c);
	return rc;
}

static void run_postdrop(const char *command_dir, int in)
{
	char path[4096];
	if (dup2(in, STDIN_FILENO) < 0)
		_exit(EX_OSERR);
	snprintf(path, sizeof(path), "%s/postdrop", command_dir);
	execl(path, "postdrop", "-r", (char *)NULL);
	fprintf(stderr, "sendmail: fatal: cannot run %s: %s\n", path, strerror(errno));
	_exit(EX_OSFILE);
}

static int by_postdrop(const char *command_dir, struct sv drop, struct err *e)
{
	int ends[2], status;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		err_sys(e, errno, "pipe");
		return EX_OSERR;
	}
	pid_t pid = fork();
	if (pid < 0) {
		err_sys(e, errno, "fork");
		return EX_OSERR;
	}
	if (pid == 0)
		run_postdrop(command_dir, ends[0]);
	sys_close(ends[0]);
	int rc = sys_write_all(ends[1], drop.p, drop.len);
	sys_close(ends[1]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && rc == 0)
		return 0;
	err_set(e, ERR_TEMP, "postdrop did not take the message");
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

int sm_submit(const struct params_core *core, const struct sm_mail *m, struct buf *reply, struct err *e)
{
	struct buf drop;
	buf_init(&drop, SIZE_MAX / 4);
	build(&drop, m);
	int rc = check(buf_sv(&drop), e) < 0 ? EX_DATAERR : NOT_SUBMITTED;
	if (rc == NOT_SUBMITTED)
		rc = by_socket(core->queue_directory, buf_sv(&drop), reply, e);
	if (rc == NOT_SUBMITTED)
		rc = by_postdrop(core->command_directory, buf_sv(&drop), e);
	buf_free(&drop);
	return rc;
}
