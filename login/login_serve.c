/* From accept to hand-over or good-bye; the last log line of a connection that did not sign in. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/base64.h"
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/rand.h"
#include "login/login.h"

#define WRITE_MS 30000

/* Address of one end as text, IPv4 in IPv6 notation shown as IPv4. False: not an internet socket.
 */
static bool address_text(const struct sockaddr_storage *ss, char out[static INET6_ADDRSTRLEN])
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ss;

		return inet_ntop(AF_INET, &in->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
	}
	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, out,
			               INET6_ADDRSTRLEN) != NULL;
		return inet_ntop(AF_INET6, &in6->sin6_addr, out, INET6_ADDRSTRLEN) != NULL;
	}
	return false;
}

/* Only who is on this machine may send a password in the clear. */
bool login_is_loopback(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ss;

		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	}
	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return in6->sin6_addr.s6_addr[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
	return ss->ss_family == AF_UNIX;
}

static void name_ends(struct login_peer *p, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	memcpy(p->remote, "unknown", 8);
	memcpy(p->local, "unknown", 8);
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0) {
		if (ss.ss_family == AF_UNIX)
			memcpy(p->remote, "127.0.0.1", 10);
		else
			address_text(&ss, p->remote);
		p->plaintext_ok = login_is_loopback(&ss);
	}
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		address_text(&ss, p->local);
}

static void name_session(struct login_peer *p)
{
	unsigned char id[12];
	struct buf b;

	rand_bytes(id, sizeof(id));
	buf_init(&b, sizeof(p->session));
	if (base64_encode(&b, sv_n((const char *)id, sizeof(id))) == 0 &&
	        b.len < sizeof(p->session))
		memcpy(p->session, buf_z(&b), b.len + 1);
	buf_free(&b);
}

/* Dovecot's wording: tools that watch for password guessing read these lines. */
static void log_end(const struct login_peer *p, const char *why)
{
	const char *name = p->protocol == LOGIN_IMAP ? "imap" : "pop3";
	long long secs = (clock_mono_ms() - p->started_ms) / 1000;

	if (p->attempts > 0)
		log_info("%s-login: %s (auth failed, %u attempts in %lld secs): user=<%s>, "
		         "method=PLAIN, "
		         "rip=%s, lip=%s, session=<%s>",
		        name, why, p->attempts, secs, p->user, p->remote, p->local, p->session);
	else
		log_info("%s-login: %s (no auth attempts in %lld secs): user=<>, rip=%s, lip=%s, "
		         "session=<%s>",
		        name, why, secs, p->remote, p->local, p->session);
}

void login_idle(struct login_peer *p, bool idle)
{
	if (p->sc)
		server_conn_idle(p->sc, idle);
}

void login_serve_fd(
        const struct login *l, enum login_protocol protocol, int fd, struct server_conn *sc)
{
	struct login_peer p = {
		.login = l,
		.protocol = protocol,
		.sc = sc,
		.started_ms = clock_mono_ms(),
		.deadline = fiber_deadline(l->set.timeout_ms),
	};

	name_ends(&p, fd);
	name_session(&p);
	p.stream = stream_new(fd);
	stream_write_timeout(p.stream, WRITE_MS);
	const char *why = protocol == LOGIN_IMAP ? login_imap(&p) : login_pop3(&p);

	if (why)
		log_end(&p, why);
	if (p.stream) {
		stream_flush(p.stream);
		stream_wipe(p.stream);
		stream_free(p.stream);
	}
}
