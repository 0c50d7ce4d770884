#include "postlogd/postlogd_serve.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/config/params.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/log_line.h"
#include "lib/sys/sys.h"
#include "postlogd/postlogd_sink.h"

#define BATCH        32 /* datagrams a system call */
#define NAP_MS       5  /* after a line: more come, and each would wake us alone */
#define GATHER_MS    20 /* lines of so long a time are written together, */
#define GATHER_MAX   (32 * 1024) /* or so many octets of them */
#define RETRY_MS     1000 /* a full disk is asked again so often */

/* room for one datagram; a longer one is cut by the kernel: the rest of it is never seen */
struct datagram {
	char octets[LOG_LINE_MAX + 512];
};

struct postlogd {
	struct postlogd_sink sink;
	int own;         /* our own log lines come back here */
	int64_t since;   /* when the oldest line that is not written came */
	struct datagram batch[BATCH];
};

struct receiver {
	struct postlogd *p;
	int fd;
};

int postlogd_pre_jail(struct server *s, struct err *e)
{
	struct params_core core;
	struct params_postlogd par;
	int pair[2];
	if (params_core_load(server_config(s), &core, e) < 0 ||
		params_postlogd_load(server_config(s), &par, e) < 0)
		return -1;
	struct postlogd *p = mem_alloc(sizeof(*p));
	server_set_state(s, p);
	if (postlogd_sink_open(&p->sink, core.maillog_file, par.maillog_file_prefixes,
		    par.maillog_file_permissions, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	log_to_fd(pair[0]);
	p->own = pair[1];
	return 0;
}

/* The directory, not the file: after a rotation the file is made anew. */
int postlogd_paths(struct server *s, struct err *e)
{
	struct postlogd *p = server_state(s);
	if (p->sink.kind != SINK_FILE)
		return 0;
	char *dir = mem_strdup(p->sink.path);
	char *slash = strrchr(dir, '/');
	slash[slash == dir ? 1 : 0] = '\0';
	int rc = server_allow_write(s, dir);
	free(dir);
	return rc < 0 ? err_set(e, ERR_BUG, "too many paths") : 0;
}

/* What waits in FD, at most a batch. True: there may be more. */
static bool take_batch(struct postlogd *p, int fd)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	memset(m, 0, sizeof(m));
	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ p->batch[i].octets, sizeof(p->batch[i].octets) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	int n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EINTR;
	if (p->sink.waiting.len == 0)
		p->since = clock_mono_ms();
	for (int i = 0; i < n; i++)
		postlogd_sink_line(&p->sink, p->batch[i].octets, m[i].msg_len);
	return n == BATCH;
}

/* Write now, or later together with what comes next. When to look again. */
static int64_t flush_or_wait(struct postlogd *p)
{
	int64_t now = clock_mono_ms();
	if (p->sink.waiting.len >= GATHER_MAX || now >= p->since + GATHER_MS)
		postlogd_sink_flush(&p->sink, now);
	if (p->sink.waiting.len == 0)
		return FIBER_FOREVER;
	return now >= p->since + GATHER_MS ? now + RETRY_MS : p->since + GATHER_MS;
}

static void receive(void *arg)
{
	struct receiver r = *(struct receiver *)arg;
	free(arg);
	for (;;) {
		bool more = take_batch(r.p, r.fd);
		int64_t next = flush_or_wait(r.p);
		if ((more ? fiber_yield() : next == FIBER_FOREVER ? 1 : fiber_sleep(NAP_MS)) < 0)
			return;
		if (!more && fiber_wait_fd(r.fd, FIBER_READ, next) < 0)
			return;
	}
}

static int start_receiver(struct postlogd *p, int fd, struct err *e)
{
	struct receiver *r = mem_alloc(sizeof(*r));
	*r = (struct receiver){ p, fd };
	if (fiber_spawn("postlogd", 0, receive, r))
		return 0;
	free(r);
	return err_set(e, ERR_TEMP, "no memory for the receiver's fiber");
}

int postlogd_post_jail(struct server *s, struct err *e)
{
	struct postlogd *p = server_state(s);
	const char *class, *service;
	int fd;
	for (size_t i = 0; (fd = server_listener(s, i, &class, &service)) >= 0; i++) {
		int kind = 0;
		socklen_t n = sizeof(kind);
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &n) == 0 && kind != SOCK_DGRAM)
			return err_set(e, ERR_CONFIG,
				"master.cf: service %s must be of type unix-dgram", service);
		if (start_receiver(p, fd, e) < 0)
			return -1;
	}
	return start_receiver(p, p->own, e);
}

/* Children that are stopped with us say a last word: what is here now is still written. */
void postlogd_stopping(struct server *s)
{
	struct postlogd *p = server_state(s);
	const char *class, *service;
	int fd;
	for (size_t i = 0; (fd = server_listener(s, i, &class, &service)) >= 0; i++)
		while (take_batch(p, fd))
			postlogd_sink_flush(&p->sink, clock_mono_ms());
	(void)take_batch(p, p->own);
	postlogd_sink_flush(&p->sink, clock_mono_ms());
}
