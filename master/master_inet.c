#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

#include "lib/base/num.h"
#include "lib/sys/log.h"
#include "lib/sys/sys.h"
#include "master/master.h"

#define ADDRESSES_MAX 16
#define PORT_TRIES    20

struct inet_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len;
	bool optional; /* one of a pair: skipped where the kernel does not have the family */
};

struct inet_want {
	struct inet_addr addrs[ADDRESSES_MAX];
	size_t count;
	unsigned port; /* 0: the kernel chooses */
	bool v4, v6;
};

static void set_port(struct inet_addr *a, unsigned port)
{
	if (a->u.sa.sa_family == AF_INET6)
		a->u.in6.sin6_port = htons((uint16_t)port);
	else
		a->u.in.sin_port = htons((uint16_t)port);
}

static unsigned get_port(const struct inet_addr *a)
{
	return ntohs(a->u.sa.sa_family == AF_INET6 ? a->u.in6.sin6_port : a->u.in.sin_port);
}

static int add_address(
        struct inet_want *w, const struct sockaddr *sa, socklen_t len, bool optional, struct err *e)
{
	struct inet_addr a = { .len = len, .optional = optional };
	if (len > sizeof a.u || (sa->sa_family == AF_INET && !w->v4) ||
	        (sa->sa_family == AF_INET6 && !w->v6))
		return 0;
	memcpy(&a.u, sa, len);
	set_port(&a, 0);
	for (size_t i = 0; i < w->count; i++)
		if (w->addrs[i].len == len && memcmp(&w->addrs[i].u, &a.u, len) == 0)
			return 0;
	if (w->count >= ADDRESSES_MAX)
		return err_set(e, ERR_CONFIG, "more than %d listening addresses", ADDRESSES_MAX);
	w->addrs[w->count++] = a;
	return 0;
}

/* The pair of wildcard or loopback addresses. */
static int add_pair(struct inet_want *w, bool loopback, struct err *e)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(loopback ? INADDR_LOOPBACK : INADDR_ANY) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = loopback ? in6addr_loopback : in6addr_any };
	if (add_address(w, (struct sockaddr *)&in, sizeof in, w->v6, e) < 0)
		return -1;
	return add_address(w, (struct sockaddr *)&in6, sizeof in6, w->v4, e);
}

/* One host: an address, "localhost", or a name that this machine's resolver knows. */
static int add_host(struct inet_want *w, struct sv host, struct err *e)
{
	char z[256];
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = sv_sub(host, 1, host.len - 2);
	if (sv_istarts(host, SV("ipv6:")))
		host = sv_from(host, 5);
	if (sv_ieqz(host, "all"))
		return add_pair(w, false, e);
	if (sv_ieqz(host, "loopback-only") || sv_ieqz(host, "localhost"))
		return add_pair(w, true, e);
	if (sv_copyz(host, z, sizeof z) < 0)
		return err_set(e, ERR_CONFIG, "the address is too long");
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	int rc = getaddrinfo(z, NULL, &hints, &list);
	if (rc != 0)
		return err_set(e, ERR_CONFIG, "address \"%s\": %s", z, gai_strerror(rc));
	int result = 0;
	size_t before = w->count;
	for (struct addrinfo *a = list; a && result == 0; a = a->ai_next)
		result = add_address(w, a->ai_addr, a->ai_addrlen, false, e);
	freeaddrinfo(list);
	if (result == 0 && w->count == before)
		return err_set(
		        e, ERR_CONFIG, "address \"%s\" is of no protocol in inet_protocols", z);
	return result;
}

static int read_protocols(struct inet_want *w, const char *value, struct err *e)
{
	struct sv rest = sv_z(value);
	for (;;) {
		while (rest.len && (rest.p[0] == ',' || ascii_is_blank(rest.p[0])))
			rest = sv_from(rest, 1);
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		struct sv word = sv_upto(rest, n);
		rest = sv_from(rest, n);
		if (sv_empty(word))
			break;
		if (sv_ieqz(word, "all"))
			w->v4 = w->v6 = true;
		else if (sv_ieqz(word, "ipv4"))
			w->v4 = true;
		else if (sv_ieqz(word, "ipv6"))
			w->v6 = true;
		else
			return err_set(e, ERR_CONFIG,
			        "inet_protocols: \"%.*s\" is none of all, ipv4, "
			        "ipv6",
			        SV_ARG(word));
	}
	return w->v4 || w->v6 ? 0 : err_set(e, ERR_CONFIG, "inet_protocols is empty");
}

/*
 * The port: a number in master.cf is taken as it is (0: the kernel chooses). For a name a private
 * instance may have a base that is added, so that master.cf reads as everywhere.
 */
static int read_port(struct inet_want *w, struct sv name, const char *base, struct err *e)
{
	bool symbolic;
	int rc = table_port(name, &w->port, &symbolic);
	if (rc < 0)
		return err_set(e, ERR_CONFIG, "\"%.*s\" is not a port", SV_ARG(name));
	if (rc == 0)
		return err_set(e, ERR_CONFIG,
		        "no port is known by the name \"%.*s\": write the number", SV_ARG(name));
	uint32_t add;
	if (!symbolic || base[0] == '\0')
		return 0;
	if (num_u32(sv_z(base), &add) < 0 || add + w->port > 65535)
		return err_set(e, ERR_CONFIG,
		        "instance_port_base = %s: not a number from 0 to 64000", base);
	w->port = add == 0 ? 0 : w->port + add;
	return 0;
}

static int read_wishes(struct msvc *svc, struct inet_want *w, struct err *e)
{
	const struct generation *g = svc->gen;
	struct sv name = sv_z(svc->cf->name);
	ptrdiff_t colon = sv_rchr(name, ':');
	if (read_protocols(w, g->core.inet_protocols, e) < 0)
		return -1;
	struct sv port = colon < 0 ? name : sv_from(name, (size_t)colon + 1);
	if (read_port(w, port, g->params.instance_port_base, e) < 0)
		return -1;
	if (colon > 0)
		return add_host(w, sv_upto(name, (size_t)colon), e);
	struct sv rest = sv_z(g->core.inet_interfaces);
	while (rest.len) {
		size_t n = 0;
		while (n < rest.len && rest.p[n] != ',' && !ascii_is_blank(rest.p[n]))
			n++;
		if (n > 0 && add_host(w, sv_upto(rest, n), e) < 0)
			return -1;
		rest = sv_from(rest, n + 1);
	}
	return w->count ? 0 : err_set(e, ERR_CONFIG, "inet_interfaces is empty");
}

/* fd; -1 with E; -2 when the kernel has no such family or address and A is optional. */
static int bind_one(struct inet_addr *a, const char *label, struct err *e)
{
	int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	if (fd < 0)
		return a->optional && errno == EAFNOSUPPORT
		               ? -2
		               : err_sys(e, errno, "socket for %s", label);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->u.sa.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &a->u.sa, a->len) == 0 && listen(fd, 1024) == 0)
		return fd;
	int saved = errno;
	sys_close(fd);
	if (a->optional && saved == EADDRNOTAVAIL)
		return -2;
	return err_sys(e, saved, "listen on %s", label);
}

static void address_label(const struct inet_addr *a, unsigned port, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (a->u.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->u.in6.sin6_addr, host, sizeof host);
		snprintf(out, size, "[%s]:%u", host, port);
	} else {
		inet_ntop(AF_INET, &a->u.in.sin_addr, host, sizeof host);
		snprintf(out, size, "%s:%u", host, port);
	}
}

static void drop_fresh(struct list *mine)
{
	for (struct list_node *n; (n = list_pop(mine));)
		sock_free(CONTAINER_OF(n, struct msock, link));
}

/*
 * Bind all addresses. With a port that the kernel chose, all get the same one; *again asks for a
 * new round when that port is taken at a later address.
 */
static int bind_all(struct master *m, struct msvc *svc, struct inet_want *w, struct list *mine,
        bool *again, struct err *e)
{
	unsigned port = w->port;
	*again = false;
	for (size_t i = 0; i < w->count; i++) {
		char label[80], key[512];
		address_label(&w->addrs[i], w->port, label, sizeof label);
		snprintf(key, sizeof key, "inet %s %s", svc->cf->name, label);
		struct msock *s = sock_find(m, key);
		if (!s) {
			set_port(&w->addrs[i], port);
			int fd = bind_one(&w->addrs[i], label, e);
			if (fd == -2)
				continue;
			if (fd < 0) {
				*again = w->port == 0 && port != 0;
				return -1;
			}
			struct inet_addr bound = w->addrs[i];
			if (getsockname(fd, &bound.u.sa, &bound.len) < 0) {
				sys_close(fd);
				return err_sys(e, errno, "getsockname of %s", label);
			}
			address_label(&bound, get_port(&bound), label, sizeof label);
			s = sock_new(m, CLASS_INET, svc->cf->name, key, label);
			s->fd = fd;
			s->port = get_port(&bound);
			list_push(mine, &s->link);
		}
		port = s->port;
		if (sock_attach(svc, s, e) < 0)
			return -1;
	}
	return svc->nsocks ? 0
	                   : err_set(e, ERR_CONFIG, "none of the addresses exists on this machine");
}

int inet_sockets(struct master *m, struct msvc *svc, struct list *fresh, struct err *e)
{
	struct inet_want w = { .count = 0 };
	struct list mine;
	list_init(&mine);
	bool again = false;
	int rc = read_wishes(svc, &w, e);
	for (int i = 0; rc == 0 && i < PORT_TRIES; i++) {
		svc->nsocks = 0;
		rc = bind_all(m, svc, &w, &mine, &again, e);
		if (rc == 0 || !again)
			break;
		drop_fresh(&mine);
		rc = 0;
	}
	if (rc < 0 || again) {
		drop_fresh(&mine);
		return err_prefix(e, "%s, line %u: service %s", svc->gen->cf.file, svc->cf->line,
		        svc->cf->name);
	}
	for (struct list_node *n; (n = list_pop(&mine));)
		list_push(fresh, n);
	return 0;
}
