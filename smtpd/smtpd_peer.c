/*
 * Who is there: the socket's address, and a host name that is believed only when the name's own address
 * records lead back to the address (smtpd_peername_lookup). A name that is not a valid host name is
 * "unknown" (ATTACKS K07).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define DNS_WAIT_MS 10000

typedef int (*name_fn)(int fd, struct sockaddr *sa, socklen_t *len);

/* Text of one end of the socket: getpeername or getsockname. False when it has no address. */
static bool socket_name(int fd, name_fn name, char addr[64], char port[8])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	snprintf(addr, 64, "unknown");
	snprintf(port, 8, "unknown");
	if (name(fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;
		inet_ntop(AF_INET, &in->sin_addr, addr, 64);
		snprintf(port, 8, "%u", ntohs(in->sin_port));
		return true;
	}
	if (ss.ss_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], addr, 64);
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, addr, 64);
	snprintf(port, 8, "%u", ntohs(in6->sin6_port));
	return true;
}

/* The client sits on this host: it came from the very address that it called. */
static bool called_itself(const struct smtpd_session *s)
{
	char addr[64], port[8];
	return socket_name(s->conn->fd, getsockname, addr, port) && strcmp(addr, s->peer.addr) == 0;
}

/* The name of the client, verified, or NULL with .name_status set. */
static const char *verified_name(struct smtpd_session *s)
{
	int64_t deadline = fiber_deadline(DNS_WAIT_MS);
	struct arena *a = s->conn->arena;
	struct clnt_dns_answer ptr, back;
	struct err e = ERR_INIT;

	int rc = clnt_dns_query(s->proc->dns, sv_z(s->peer.addr), CLNT_DNS_PTR, a, &ptr, deadline, &e);
	if (rc != 1 || ptr.n == 0) {
		s->peer.name_status = rc < 0 ? 4 : 5;
		return NULL;
	}
	struct sv name = ptr.record[0].data;
	if (!addr_hostname_valid(name)) {
		log_warn("%s: the name of this address is not a valid host name: %.*s", s->peer.addr,
			SV_ARG(name));
		s->peer.name_status = 5;
		return NULL;
	}
	unsigned type = strchr(s->peer.addr, ':') ? CLNT_DNS_AAAA : CLNT_DNS_A;
	rc = clnt_dns_query(s->proc->dns, name, type, a, &back, deadline, &e);
	for (size_t i = 0; rc == 1 && i < back.n; i++)
		if (sv_ieqz(back.record[i].data, s->peer.addr)) {
			s->peer.name_status = 2;
			return arena_strdup(a, name);
		}
	log_warn("hostname %.*s does not resolve to address %s", SV_ARG(name), s->peer.addr);
	s->peer.name_status = rc < 0 ? 4 : 5;
	return NULL;
}

/* A list of clients: 1 this one is in it; trouble is logged and counts as "not". */
static bool listed(struct matchlist *list, const struct smtpd_peer *p, const char *parameter)
{
	struct err e = ERR_INIT;
	int rc = matchlist_host(list, sv_z(p->name), sv_z(p->addr), &e);
	if (rc < 0)
		log_warn("%s: %s", parameter, e.text);
	return rc == 1;
}

/*
 * local_header_rewrite_clients: whose headers are completed as if the mail had been written here.
 * permit_inet_interfaces is the host itself: loopback, or the address at which it was called.
 */
static bool rewrites_locally(struct smtpd_session *s)
{
	struct sv words = sv_z(s->proc->smtpd.local_header_rewrite_clients), word;

	while ((word = sv_take_word(&words)).len) {
		while (word.len && word.p[word.len - 1] == ',')
			word.len--;
		if (sv_ieqz(word, "permit_mynetworks") && s->peer.mynetworks)
			return true;
		if (sv_ieqz(word, "permit_inet_interfaces") && s->peer.same_host)
			return true;
		if (sv_ieqz(word, "static:all"))
			return true;
	}
	return false;
}

void smtpd_peer_init(struct smtpd_session *s)
{
	struct smtpd_peer *p = &s->peer;

	(void)socket_name(s->conn->fd, getpeername, p->addr, p->port);
	p->name = s->proc->smtpd.smtpd_peername_lookup ? verified_name(s) : NULL;
	if (!p->name)
		p->name = "unknown";
	p->namaddr = arena_printf(s->conn->arena, "%s[%s]", p->name, p->addr);
	if (!p->namaddr)
		p->namaddr = p->addr;
	p->mynetworks = listed(s->proc->mynetworks, p, "mynetworks"); /* trouble: a stranger */
	p->same_host = called_itself(s);
	p->local_rewrite = rewrites_locally(s);
	p->limited = !listed(s->proc->limit_exceptions, p, "smtpd_client_event_limit_exceptions");
}
