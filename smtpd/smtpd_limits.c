/* Limits by client address, counted by anvil. Without an anvil there are none: mail goes on. */
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define ANVIL_WAIT_MS 1000

/* Tell anvil; false when it did not answer. */
static bool count(struct smtpd_session *s, enum clnt_anvil_kind kind, struct clnt_anvil_counts *out)
{
	struct err e = ERR_INIT;
	if (!s->peer.limited)
		return false;
	return clnt_anvil_event(s->proc->anvil, kind, sv_z(s->conn->service), sv_z(s->peer.addr), out,
		       fiber_deadline(ANVIL_WAIT_MS), &e) == 1;
}

static bool over(uint32_t n, int limit)
{
	return limit > 0 && n > (uint32_t)limit;
}

bool smtpd_limit_connect(struct smtpd_session *s)
{
	const struct params_smtpd *p = &s->proc->smtpd;
	struct clnt_anvil_counts c;

	if (!count(s, CLNT_ANVIL_CONNECT, &c))
		return true;
	if (over(c.concurrency, p->smtpd_client_connection_count_limit)) {
		log_warn("Connection concurrency limit exceeded: %u from %s for service %s",
			c.concurrency, s->peer.namaddr, s->conn->service);
		smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 421, "4.7.0", "%s Error: too many connections from %s",
			s->proc->core.myhostname, s->peer.addr);
		return false;
	}
	if (over(c.rate, p->smtpd_client_connection_rate_limit)) {
		log_warn("Connection rate limit exceeded: %u from %s for service %s", c.rate,
			s->peer.namaddr, s->conn->service);
		smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 421, "4.7.0", "%s Error: too many connections from %s",
			s->proc->core.myhostname, s->peer.addr);
		return false;
	}
	return true;
}

void smtpd_limit_disconnect(struct smtpd_session *s)
{
	struct clnt_anvil_counts c;
	(void)count(s, CLNT_ANVIL_DISCONNECT, &c);
}

bool smtpd_limit_message(struct smtpd_session *s)
{
	struct clnt_anvil_counts c;
	if (s->proc->smtpd.smtpd_client_message_rate_limit <= 0 ||
		!count(s, CLNT_ANVIL_MESSAGE, &c) ||
		!over(c.rate, s->proc->smtpd.smtpd_client_message_rate_limit))
		return true;
	log_warn("Message delivery request rate limit exceeded: %u from %s for service %s", c.rate,
		s->peer.namaddr, s->conn->service);
	smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 450, "4.7.1", "Error: too much mail from %s", s->peer.addr);
	return false;
}

bool smtpd_limit_recipient(struct smtpd_session *s)
{
	struct clnt_anvil_counts c;
	if (s->proc->smtpd.smtpd_client_recipient_rate_limit <= 0 ||
		!count(s, CLNT_ANVIL_RECIPIENT, &c) ||
		!over(c.rate, s->proc->smtpd.smtpd_client_recipient_rate_limit))
		return true;
	log_warn("Recipient address rate limit exceeded: %u from %s for service %s", c.rate,
		s->peer.namaddr, s->conn->service);
	smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 450, "4.7.1", "Error: too many recipients from %s", s->peer.addr);
	return false;
}

bool smtpd_limit_tls(struct smtpd_session *s)
{
	struct clnt_anvil_counts c;
	if (s->proc->smtpd.smtpd_client_new_tls_session_rate_limit <= 0 || !count(s, CLNT_ANVIL_NEWTLS, &c) ||
		!over(c.rate, s->proc->smtpd.smtpd_client_new_tls_session_rate_limit))
		return true;
	log_warn("New TLS session rate limit exceeded: %u from %s for service %s", c.rate, s->peer.namaddr,
		s->conn->service);
	return false;
}
