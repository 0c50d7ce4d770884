#include "lib/clnt/clnt_postman.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/sys.h"

#define TRIES     3
#define PATHS_MAX 16

/* Hand one end of a new socket over. The other one, or -1 with E. */
static int hand_over(struct ipc_pool *auth, const struct clnt_auth_whose *whose, struct sv session,
        int64_t deadline, struct err *e)
{
	int ends[2];
	struct ipc_conn *c = ipc_pool_get(auth, deadline, e);
	if (!c)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
		ipc_pool_put(auth, c, true);
		return err_sys(e, errno, "socket for a postman");
	}
	int rc = clnt_auth_assign(c, "postman", whose, session, ends[0], deadline, e);
	sys_close(ends[0]);
	ipc_pool_put(auth, c, rc == 1); /* else whether its answer is still to come is not known */
	if (rc < 0)
		sys_close(ends[1]);
	return rc < 0 ? -1 : ends[1];
}

/* 1 it is there, 0 it left before it read anything, -1. */
static int await_welcome(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	int rc = ipc_recv(c, &f, deadline, e);
	if (rc == 1 && (f.protocol != MSG_postman_PROTOCOL || f.type != MSG_postman_welcome))
		return err_set(e, ERR_BUG, "postman: unexpected message type %u", f.type);
	return rc;
}

struct ipc_conn *clnt_postman_open(struct ipc_pool *auth, const struct clnt_auth_whose *whose,
        struct sv session, int64_t deadline, struct err *e)
{
	/* a process that was about to leave, or was killed, has done nothing before its welcome */
	for (int i = 0; i < TRIES; i++) {
		int fd = hand_over(auth, whose, session, deadline, e);
		if (fd < 0)
			return NULL;
		struct ipc_conn *c = ipc_conn_new(fd);
		int rc = await_welcome(c, deadline, e);
		if (rc == 1)
			return c;
		ipc_conn_free(c);
		if (rc < 0)
			return NULL;
	}
	err_set(e, ERR_TEMP, "postman processes end before they begin");
	return NULL;
}

/* The next frame, of TYPE. 1, or -1. */
static int answer(
        struct ipc_conn *c, uint16_t type, struct ipc_frame *f, int64_t deadline, struct err *e)
{
	int rc = ipc_recv(c, f, deadline, e);
	if (rc == 0)
		return err_set(e, ERR_TEMP, "postman ended before it answered");
	if (rc == 1 && f->type != type)
		return err_set(e, ERR_BUG, "postman: unexpected message type %u", f->type);
	return rc;
}

int clnt_postman_command(struct ipc_conn *c, const struct msg_postman_command *m, int input,
        struct arena *a, struct msg_postman_ended *out, int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	if (msg_postman_command_send(c, m, 1, &input, 1, deadline, e) < 0 ||
	        answer(c, MSG_postman_ended, &f, deadline, e) < 0 ||
	        msg_postman_ended_from(&f, a, out, e) < 0)
		return -1;
	out->output = arena_sv(a, out->output);
	return out->output.p ? 1 : err_set(e, ERR_TEMP, "out of memory for a command's output");
}

static int take_written(
        struct ipc_conn *c, struct arena *a, struct msg_postman_written *out, int64_t deadline, struct err *e)
{
	struct ipc_frame f;
	if (answer(c, MSG_postman_written, &f, deadline, e) < 0 || msg_postman_written_from(&f, a, out, e) < 0)
		return -1;
	out->dsn = arena_sv(a, out->dsn);
	out->text = arena_sv(a, out->text);
	return a->exhausted ? err_set(e, ERR_TEMP, "out of memory for an answer") : 1;
}

int clnt_postman_file(struct ipc_conn *c, const struct msg_postman_file *m, int queue_fd, struct arena *a,
        struct msg_postman_written *out, int64_t deadline, struct err *e)
{
	if (msg_postman_file_send(c, m, 1, &queue_fd, 1, deadline, e) < 0)
		return -1;
	return take_written(c, a, out, deadline, e);
}

int clnt_postman_mailbox(struct ipc_conn *c, const struct msg_postman_mailbox *m, int queue_fd,
        struct arena *a, struct msg_postman_written *out, int64_t deadline, struct err *e)
{
	if (msg_postman_mailbox_send(c, m, 1, &queue_fd, 1, deadline, e) < 0)
		return -1;
	return take_written(c, a, out, deadline, e);
}

/* One frame of the answer. 1 the last, 2 more follow, 0 there is no file, -1. */
static int take_piece(struct ipc_conn *c, struct buf *text, size_t *which, int *fd, int64_t deadline, struct err *e)
{
	struct msg_postman_text m;
	struct ipc_frame f;
	struct arena a;
	if (answer(c, MSG_postman_text, &f, deadline, e) < 0)
		return -1;
	arena_init(&a, 4096);
	int rc = msg_postman_text_from(&f, &a, &m, e);
	if (rc == 1 && m.status == 0)
		rc = 0;
	else if (rc == 1 && m.status != 1)
		rc = err_set(e, m.config ? ERR_CONFIG : ERR_TEMP, "%.*s", SV_ARG(m.error));
	else if (rc == 1 && buf_put_sv(text, m.piece) < 0)
		rc = err_set(e, ERR_BUG, "postman: more text than was asked for");
	else if (rc == 1)
		rc = m.last ? 1 : 2;
	if (rc > 0) {
		*which = m.which;
		if (fd && *fd < 0)
			*fd = ipc_take_fd(&f, 0);
	}
	arena_free(&a);
	return rc;
}

int clnt_postman_read(struct ipc_conn *c, const char *const *paths, size_t n, unsigned rule, size_t max,
        struct buf *text, size_t *which, int *fd, int64_t deadline, struct err *e)
{
	struct sv views[PATHS_MAX];
	if (n > PATHS_MAX)
		return err_set(e, ERR_BUG, "too many names of files");
	for (size_t i = 0; i < n; i++)
		views[i] = sv_z(paths[i]);
	struct msg_postman_read m = { .paths = { views, n }, .rule = rule, .max = max };
	if (fd)
		*fd = -1;
	if (msg_postman_read_send(c, &m, 1, NULL, 0, deadline, e) < 0)
		return -1;
	int rc;
	while ((rc = take_piece(c, text, which, fd, deadline, e)) == 2)
		;
	if (rc == 1 && (*which >= n || (fd && *fd < 0)))
		rc = err_set(e, ERR_BUG, "postman: bad answer");
	if (rc != 1 && fd && *fd >= 0) {
		sys_close(*fd);
		*fd = -1;
	}
	return rc;
}
