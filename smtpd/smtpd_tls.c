/*
 * STARTTLS (RFC 3207) and TLS from the first octet (RFC 8314): the handshake, and what it changes.
 *
 * After it the session is as new (RFC 3207 4.2): no greeting, no transaction, no octet that was read before. What
 * the client pipelined behind STARTTLS never reaches the parser of commands: smtpd_session.c ends such a session,
 * or with smtpd_forbid_unauth_pipelining = no the octets are dropped here.
 */
#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

static bool refuse_starttls(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	const struct smtpd_tls *t = &s->proc->tls;
	if (cmd->arg.len)
		smtpd_refuse(s, 501, "5.5.4", "Syntax: STARTTLS");
	else if (s->tls)
		smtpd_refuse(s, 554, "5.5.1", "Error: TLS already active");
	else if (!t->offered || !smtpd_offers(s, "starttls"))
		smtpd_refuse(s, 502, "5.5.1", "Error: command not implemented");
	else if (s->txn.active)
		smtpd_refuse(s, 503, "5.5.1", "Error: MAIL transaction in progress");
	else if (!t->ctx)
		smtpd_refuse_class(s, NOTIFY_CLASS_SOFTWARE, 454, "4.7.0", "TLS not available due to local problem");
	else
		return false;
	return true;
}

static void log_certificate(const struct smtpd_session *s, const struct tls_facts *f)
{
	if (f->peer == TLS_PEER_ANONYMOUS)
		return;
	log_info("%s: %s: subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s%s%s", s->peer.namaddr,
		tls_peer_word(f->peer), f->subject, f->issuer, f->cert_fingerprint, f->key_fingerprint,
		f->untrusted_why ? ", reason: " : "", f->untrusted_why ? f->untrusted_why : "");
}

static void log_session(const struct smtpd_session *s, const struct tls_facts *f)
{
	struct buf line;
	if (s->proc->tls.params.smtpd_tls_loglevel < 1)
		return;
	log_certificate(s, f);
	buf_init(&line, 1000);
	tls_facts_summary(f, &line);
	log_info("%s TLS connection established from %s%s%s: %s", tls_peer_word(f->peer), s->peer.namaddr,
		f->sni[0] ? " to " : "", f->sni, buf_z(&line));
	buf_free(&line);
	if (s->proc->tls.params.smtpd_tls_loglevel >= 2 && f->resumed)
		log_info("%s: the session was resumed", s->peer.namaddr);
}

/* A client that may not stay hears so at its next command: now it waits for an answer to none. */
static void judge(struct smtpd_session *s, const struct tls_facts *f)
{
	const struct smtpd_tls *t = &s->proc->tls;
	if (t->params.smtpd_tls_req_ccert && t->level >= TLS_LEVEL_ENCRYPT && f->peer < TLS_PEER_TRUSTED)
		s->tls_unwelcome = f->peer == TLS_PEER_ANONYMOUS ? "No client certificate presented" :
			"Client certificate not trusted";
	else if (!f->resumed && !smtpd_limit_tls(s))
		s->tls_unwelcome = "too many new TLS sessions";
	if (s->tls_unwelcome)
		log_info("NOQUEUE: abort: TLS from %s: %s", s->peer.namaddr, s->tls_unwelcome);
}

bool smtpd_tls_start(struct smtpd_session *s)
{
	const struct smtpd_tls *t = &s->proc->tls;
	int64_t deadline = fiber_deadline(s->proc->smtpd.smtpd_starttls_timeout * 1000);
	struct err e = ERR_INIT;
	struct sv unread;

	if (t->params.smtpd_tls_loglevel >= 2)
		log_info("setting up TLS connection from %s", s->peer.namaddr);
	int fd = stream_detach(s->io, &unread);
	if (unread.len)
		log_warn("%s: %zu octets that came before TLS are dropped", s->peer.namaddr, unread.len);
	stream_free(s->io);
	s->tls = tls_new_server(t->ctx, fd);
	s->io = tls_stream(s->tls);
	stream_write_timeout(s->io, s->proc->smtpd.smtpd_timeout * 1000);
	if (tls_handshake(s->tls, deadline, &e) != 1) {
		log_info("SSL_accept error from %s: %s", s->peer.namaddr, e.text[0] ? e.text : "cancelled");
		smtpd_error(s, NOTIFY_CLASS_PROTOCOL);
		s->hung_up = s->quit = true;
		return false;
	}
	smtpd_txn_reset(s);
	s->helo = SV_NONE;
	s->esmtp = false;
	log_session(s, tls_facts(s->tls));
	judge(s, tls_facts(s->tls));
	return true;
}

void smtpd_cmd_starttls(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	if (refuse_starttls(s, cmd))
		return;
	smtpd_reply(s, 220, "2.0.0", "Ready to start TLS");
	if (stream_flush(s->io) != 1)
		s->hung_up = s->quit = true;
	else
		(void)smtpd_tls_start(s);
}

bool smtpd_tls_first(struct smtpd_session *s)
{
	const struct smtpd_tls *t = &s->proc->tls;
	if (s->tls || t->level < TLS_LEVEL_ENCRYPT)
		return false;
	if (t->ctx)
		smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 530, "5.7.0", "Must issue a STARTTLS command first");
	else
		smtpd_refuse_class(s, NOTIFY_CLASS_SOFTWARE, 454, "4.7.0", "TLS not available due to local problem");
	return true;
}

bool smtpd_tls_unwelcome(struct smtpd_session *s)
{
	if (!s->tls_unwelcome)
		return false;
	smtpd_refuse_class(s, NOTIFY_CLASS_POLICY, 421, "4.7.1", "%s Error: %s", s->proc->core.myhostname,
		s->tls_unwelcome);
	return true;
}

int smtpd_tls_clientcert_listed(struct smtpd_session *s, struct err *e)
{
	const struct tls_facts *f = s->tls ? tls_facts(s->tls) : NULL;
	struct maps *list = s->proc->tls.clientcerts;
	struct buf value;
	if (!f || f->peer == TLS_PEER_ANONYMOUS || maps_empty(list))
		return 0;
	buf_init(&value, MAP_VALUE_MAX);
	int rc = maps_find(list, sv_z(f->cert_fingerprint), &value, e);
	if (rc == 0)
		rc = maps_find(list, sv_z(f->key_fingerprint), &value, e);
	buf_free(&value);
	return rc;
}
