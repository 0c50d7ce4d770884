/* A TCP connection to one address, from the address that main.cf names. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "smtp/smtpc.h"

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* 0 for a text that is no address of FAMILY. */
static socklen_t make_address(union address *a, int family, const char *ip, unsigned port)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		a->in.sin_port = htons((uint16_t)port);
		return inet_pton(AF_INET, ip, &a->in.sin_addr) == 1 ? sizeof(a->in) : 0;
	}
	a->in6.sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, ip, &a->in6.sin6_addr) == 1 ? sizeof(a->in6) : 0;
}

static int failed(struct smtpc_why *why, const struct smtpc_addr *to, unsigned port, const char *reason)
{
	smtpc_because(why, DSN(4, 4, 1), "connect to %.*s[%s]:%u: %s", SV_ARG(to->host), to->ip, port, reason);
	why->dead = true;
	return -1;
}

/* smtp_bind_address. 0; -1 the mail is to wait. */
static int bind_source(const struct smtpc *p, int fd, int family, struct smtpc_why *why)
{
	const struct smtpc_settings *s = &p->set;
	const char *ip = family == AF_INET ? s->bind_address : s->bind_address6;
	union address a;
	if (!ip[0])
		ip = family == AF_INET ? s->only4 : s->only6;
	if (!ip[0])
		return 0;
	socklen_t len = make_address(&a, family, ip, 0);
	int one = 1;
	/* the port is chosen at connect: many connections from one address to different servers */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (len > 0 && bind(fd, &a.sa, len) == 0)
		return 0;
	const char *reason = len == 0 ? "not an address" : strerror(errno);
	log_warn("%s_bind_address%s = %s: %s", s->lmtp ? "lmtp" : "smtp", family == AF_INET ? "" : "6", ip, reason);
	if (!s->bind_enforce)
		return 0;
	smtpc_because(why, DSN(4, 4, 0), "server unavailable: cannot send from address %s: %s", ip, reason);
	return -1;
}

/* 0 connected, or an errno. */
static int establish(int fd, const union address *a, socklen_t len, long seconds)
{
	int error = 0;
	socklen_t size = sizeof(error);
	if (sys_connect(fd, &a->sa, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	/* 0: as long as the kernel tries, which is minutes */
	int rc = fiber_wait_fd(fd, FIBER_WRITE, fiber_deadline((seconds > 0 ? seconds : 600) * 1000));
	if (rc != 1)
		return rc == 0 ? ETIMEDOUT : ECANCELED;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

int smtpc_connect(struct smtpc *p, const struct smtpc_addr *to, unsigned port, struct smtpc_why *why)
{
	union address a;
	int one = 1;
	socklen_t len = make_address(&a, to->family, to->ip, port);
	if (len == 0)
		return failed(why, to, port, "not an address");
	int fd = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return failed(why, to, port, strerror(errno)); /* EMFILE and the like are told, too */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind_source(p, fd, to->family, why) < 0) {
		sys_close(fd);
		return -1;
	}
	int error = establish(fd, &a, len, p->set.times.connect);
	if (error == 0)
		return fd;
	fiber_close(fd);
	return failed(why, to, port, strerror(error));
}
