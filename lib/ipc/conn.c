/*
 * Frames over a stream socket. What the kernel hands over in one piece may hold several frames, or a part of
 * one; descriptors come in the order of the frames that announce them.
 */
#include <errno.h>
#include <sys/un.h>

#include "lib/base/num.h"
#include "lib/fiber/fiber.h"
#include "lib/ipc/ipc.h"
#include "lib/sys/sys.h"

#define BUF_MIN   4096
#define BUF_KEEP  (64 * 1024) /* an empty buffer larger than this is given back */
#define CORK_MAX  (64 * 1024) /* octets of small frames that go out together */
#define QUEUE_MAX 16          /* descriptors that came before their frame was asked for */

struct ipc_conn {
	int fd;
	bool broken;
	bool drained; /* the last receive took all there was: wait before the next one */
	char *p; /* octets [start, end) are unread, the last frame returned lies before start */
	size_t start, end, cap;
	int queue[QUEUE_MAX];
	unsigned queued;
	int held[IPC_FDS_MAX]; /* of the last frame, not taken yet */
	unsigned nheld;
	struct fiber_sem *sending;
	bool corked;
	struct buf out; /* whole frames that wait for ipc_uncork() */
};

struct ipc_conn *ipc_conn_new(int fd)
{
	struct ipc_conn *c = mem_alloc(sizeof(*c));
	c->fd = fd;
	c->sending = fiber_sem_new(1);
	buf_init(&c->out, CORK_MAX);
	return c;
}

static void drop_held(struct ipc_conn *c)
{
	for (unsigned i = 0; i < c->nheld; i++)
		sys_close(c->held[i]);
	c->nheld = 0;
}

void ipc_conn_free(struct ipc_conn *c)
{
	if (!c)
		return;
	drop_held(c);
	for (unsigned i = 0; i < c->queued; i++)
		sys_close(c->queue[i]);
	fiber_close(c->fd);
	fiber_sem_free(c->sending);
	buf_free(&c->out);
	free(c->p);
	free(c);
}

int ipc_conn_fd(const struct ipc_conn *c)
{
	return c->fd;
}

int ipc_peer(const struct ipc_conn *c, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return -1;
	*uid = cred.uid;
	*gid = cred.gid;
	*pid = cred.pid;
	return 0;
}

static int fail(struct ipc_conn *c, struct err *e, const char *why)
{
	c->broken = true;
	return err_set(e, ERR_TEMP, "internal connection: %s", why);
}

static int waited(struct err *e, int rc)
{
	return rc == 1 ? 1 :
	       rc == 0 ? err_sys(e, ETIMEDOUT, "internal connection") :
			 err_sys(e, ECANCELED, "internal connection");
}

static int flush(struct ipc_conn *c, int64_t deadline, struct err *e);

/* --- receive ------------------------------------------------------------------------------------ */

static uint32_t le16(const char *p)
{
	return (unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8;
}

/* Octets that the first frame in the buffer needs in all; IPC_HEAD while that is not known. 0: broken. */
static size_t frame_size(const struct ipc_conn *c)
{
	if (c->end - c->start < IPC_HEAD)
		return IPC_HEAD;
	size_t rest = num_get_le32(c->p + c->start);
	return rest < IPC_HEAD - 4 || rest > IPC_FRAME_MAX - 4 ? 0 : rest + 4;
}

bool ipc_pending(const struct ipc_conn *c)
{
	size_t need = frame_size(c);
	return need == 0 || c->end - c->start >= need;
}

static void make_room(struct ipc_conn *c, size_t need)
{
	if (c->start == c->end) {
		c->start = c->end = 0;
		if (c->cap > BUF_KEEP && need <= BUF_KEEP) {
			free(c->p);
			c->p = NULL;
			c->cap = 0;
		}
	}
	if (c->cap - c->start >= need && c->end < c->cap)
		return;
	if (c->start > 0) {
		memmove(c->p, c->p + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	size_t cap = c->cap ? c->cap : BUF_MIN;
	while (cap < need || cap == c->end)
		cap *= 2;
	if (cap != c->cap) {
		c->p = mem_realloc(c->p, cap);
		c->cap = cap;
	}
}

static int keep_fds(struct ipc_conn *c, struct msghdr *m)
{
	int rc = 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (c->queued < QUEUE_MAX) {
				c->queue[c->queued++] = fd;
			} else {
				sys_close(fd);
				rc = -1;
			}
		}
	}
	return m->msg_flags & MSG_CTRUNC ? -1 : rc;
}

/* One receive: 1 something came, 0 end, -1. */
static int receive(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control;
	for (bool wait = c->drained;; wait = true) {
		if (wait && waited(e, fiber_wait_fd(c->fd, FIBER_READ, deadline)) < 0)
			return -1;
		size_t room = c->cap - c->end;
		struct iovec iov = { c->p + c->end, room };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			.msg_controllen = sizeof(control.space) };
		ssize_t n = sys_recvmsg(c->fd, &m, MSG_DONTWAIT);
		c->drained = n < (ssize_t)room;
		if (n >= 0 && keep_fds(c, &m) < 0)
			return fail(c, e, "more descriptors than announced");
		if (n == 0)
			return 0;
		if (n > 0) {
			c->end += (size_t)n;
			return 1;
		}
		if (errno != EAGAIN) {
			c->broken = true;
			return err_sys(e, errno, "internal connection");
		}
	}
}

static int take_frame(struct ipc_conn *c, size_t size, struct ipc_frame *out, struct err *e)
{
	const char *p = c->p + c->start;
	unsigned nfds = (unsigned char)p[7];
	if (nfds > IPC_FDS_MAX || nfds > c->queued || le16(p + 10) != 0)
		return fail(c, e, "broken frame");
	*out = (struct ipc_frame){ .protocol = (uint16_t)le16(p + 4), .version = (uint8_t)p[6],
		.type = (uint16_t)le16(p + 8), .request_id = num_get_le32(p + 12), .nfds = nfds, .conn = c,
		.body = sv_n(p + IPC_HEAD, size - IPC_HEAD), .fds = { -1, -1, -1, -1 } };
	for (unsigned i = 0; i < nfds; i++)
		out->fds[i] = c->held[i] = c->queue[i];
	c->nheld = nfds;
	c->queued -= nfds;
	memmove(c->queue, c->queue + nfds, c->queued * sizeof(int));
	c->start += size;
	return 1;
}

int ipc_recv(struct ipc_conn *c, struct ipc_frame *out, int64_t deadline, struct err *e)
{
	drop_held(c);
	if (c->out.len > 0 && flush(c, deadline, e) < 0)
		return -1;
	if (c->broken)
		return fail(c, e, "broken before");
	for (;;) {
		size_t need = frame_size(c);
		if (need == 0)
			return fail(c, e, "frame of impossible length");
		if (c->end - c->start >= need)
			return take_frame(c, need, out, e);
		make_room(c, need);
		int rc = receive(c, deadline, e);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return c->end == c->start ? 0 : fail(c, e, "closed inside a frame");
	}
}

int ipc_take_fd(struct ipc_frame *f, unsigned i)
{
	if (i >= f->nfds || f->fds[i] < 0)
		return -1;
	int fd = f->fds[i];
	f->fds[i] = -1;
	for (unsigned k = 0; f->conn && k < f->conn->nheld; k++)
		if (f->conn->held[k] == fd)
			f->conn->held[k] = -1;
	return fd;
}

/* --- send --------------------------------------------------------------------------------------- */

static void attach(struct msghdr *m, char *space, const int *fds, unsigned nfds)
{
	m->msg_control = space;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	memcpy(CMSG_DATA(h), fds, sizeof(int) * nfds);
}

static int send_all(struct ipc_conn *c, struct iovec *iov, int n, const int *fds, unsigned nfds,
	int64_t deadline, struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control = { .space = { 0 } };
	while (n > 0) {
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
		if (nfds > 0)
			attach(&m, control.space, fds, nfds);
		ssize_t put = sys_sendmsg(c->fd, &m, MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN) {
			c->broken = true;
			return err_sys(e, errno, "internal connection");
		}
		if (put < 0) {
			int rc = waited(e, fiber_wait_fd(c->fd, FIBER_WRITE, deadline));
			if (rc < 0) {
				c->broken = true;
				return rc;
			}
			continue;
		}
		nfds = 0; /* they went with the first octet */
		size_t left = (size_t)put;
		while (n > 0 && left >= iov->iov_len) {
			left -= iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + left;
			iov->iov_len -= left;
		}
	}
	return 1;
}

/* What was corked goes out; the caller is the sender. */
static int flush_locked(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	struct iovec iov = { c->out.p, c->out.len };
	int rc = c->broken       ? fail(c, e, "broken before") :
		 c->out.len == 0 ? 1 :
				   send_all(c, &iov, 1, NULL, 0, deadline, e);
	buf_reset(&c->out);
	return rc;
}

static int flush(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	if (waited(e, fiber_sem_take(c->sending, deadline)) < 0)
		return -1;
	int rc = flush_locked(c, deadline, e);
	fiber_sem_give(c->sending);
	return rc;
}

void ipc_cork(struct ipc_conn *c)
{
	c->corked = true;
}

int ipc_uncork(struct ipc_conn *c, int64_t deadline, struct err *e)
{
	c->corked = false;
	return flush(c, deadline, e);
}

static int send_locked(struct ipc_conn *c, struct iovec *iov, const int *fds, unsigned nfds, int64_t deadline,
	struct err *e)
{
	size_t n = iov[1].iov_len + iov[2].iov_len;
	if (c->corked && nfds == 0 && c->out.len + n <= CORK_MAX) {
		buf_put(&c->out, iov[1].iov_base, iov[1].iov_len);
		buf_put(&c->out, iov[2].iov_base, iov[2].iov_len);
		return 1;
	}
	/* descriptors may arrive before their frame: the order is what counts */
	iov[0] = (struct iovec){ c->out.p, c->out.len };
	int rc = send_all(c, iov, 3, fds, nfds, deadline, e);
	buf_reset(&c->out);
	return rc;
}

int ipc_send(struct ipc_conn *c, uint16_t protocol, uint8_t version, uint16_t type, uint32_t request_id,
	struct sv body, const int *fds, unsigned nfds, int64_t deadline, struct err *e)
{
	unsigned char head[IPC_HEAD] = { 0 };
	if (body.len > IPC_BODY_MAX || nfds > IPC_FDS_MAX)
		return err_set(e, ERR_TEMP, "internal connection: frame too large");
	if (waited(e, fiber_sem_take(c->sending, deadline)) < 0)
		return -1;
	num_put_le32(head, (uint32_t)(body.len + IPC_HEAD - 4));
	head[4] = (unsigned char)(protocol & 0xff);
	head[5] = (unsigned char)(protocol >> 8);
	head[6] = version;
	head[7] = (unsigned char)nfds;
	head[8] = (unsigned char)(type & 0xff);
	head[9] = (unsigned char)(type >> 8);
	num_put_le32(head + 12, request_id);
	struct iovec iov[3] = { { NULL, 0 }, { head, sizeof(head) },
		{ (void *)(uintptr_t)body.p, body.len } };
	int rc = c->broken ? fail(c, e, "broken before") : send_locked(c, iov, fds, nfds, deadline, e);
	fiber_sem_give(c->sending);
	return rc;
}
