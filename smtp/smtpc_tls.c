/*
 * TLS in a session (RFC 3207):
 *
 *     EHLO -> STARTTLS offered -> STARTTLS 2xx -> handshake -> EHLO again, as in a new session
 *               | not               | else          | fails
 *               v                   v               v
 *      level may: in clear     in clear        next server, or a new session in clear
 *      above: this server cannot have the mail
 */
#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"

static int64_t deadline_of(const struct smtpc *p)
{
	return fiber_deadline(p->tls.set.timeout * 1000);
}

static int cannot(struct smtpc_why *why, struct dsn_code dsn, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int cannot(struct smtpc_why *why, struct dsn_code dsn, const char *fmt, ...)
{
	char text[DELIVER_TEXT_MAX + 1];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	smtpc_because(why, dsn, "%s", text);
	why->dead = true;
	return -1;
}

static void log_session(const struct smtpc *p, const struct smtpc_session *s)
{
	const struct tls_facts *f = tls_facts(s->tls);
	struct buf line;
	if (p->tls.set.loglevel < 1)
		return;
	buf_init(&line, 1000);
	tls_facts_summary(f, &line);
	log_info("%s TLS connection established to %s: %s", tls_peer_word(f->peer), s->relay, buf_z(&line));
	buf_free(&line);
	if (p->tls.set.loglevel >= 2)
		log_info("%s: subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s%s%s%s", s->relay,
			f->subject, f->issuer, f->cert_fingerprint, f->key_fingerprint,
			f->matched[0] ? ", matched=" : "", f->matched, f->resumed ? ", resumed" : "");
}

/* The handshake, over what is connected. 1; -1 (*WHY). */
static int handshake(struct smtpc *p, struct smtpc_session *s, const struct smtpc_policy *policy, struct smtpc_why *why)
{
	struct err e = ERR_INIT;
	struct sv unread;
	if (p->tls.set.loglevel >= 2)
		log_info("setting up TLS connection to %s", s->relay);
	int fd = stream_detach(s->stream, &unread);
	bool early = unread.len > 0;
	stream_free(s->stream);
	s->tls = tls_new_client(p->tls.ctx, fd, &policy->tls);
	s->stream = tls_stream(s->tls);
	stream_write_timeout(s->stream, s->set->times.helo * 1000);
	if (early) { /* somebody put words into the server's mouth */
		s->broken = true;
		return cannot(why, DSN(4, 7, 5),
			"Cannot start TLS: host %s sent data in clear behind its reply to STARTTLS", s->name);
	}
	int rc = tls_handshake(s->tls, deadline_of(p), &e);
	if (rc == 1) {
		log_session(p, s);
		return 1;
	}
	s->broken = true;
	if (rc < 0)
		return smtpc_lost(s, STREAM_CANCELLED, "performing the TLS handshake", why);
	log_info("SSL_connect error to %s: %s", s->relay, e.text);
	if (tls_facts(s->tls)->protocol) /* it came to its end, and the server is not who it should be */
		return cannot(why, DSN(4, 7, 5), "%s", e.text);
	s->clear_next = policy->level == TLS_LEVEL_MAY;
	return cannot(why, DSN(4, 7, 5), "Cannot start TLS: handshake failure");
}

static int no_context(const struct smtpc *p, const struct smtpc_session *s, struct smtpc_why *why)
{
	log_warn("%s: TLS cannot be used: %s", s->relay, p->tls.broken.text);
	return cannot(why, DSN(4, 7, 5), "TLS is required, but unavailable");
}

int smtpc_tls_wrap(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to, struct smtpc_why *why)
{
	if (!p->tls.set.wrapper || to->policy.level < TLS_LEVEL_ENCRYPT)
		return 1;
	return p->tls.ctx ? handshake(p, s, &to->policy, why) : no_context(p, s, why);
}

/* The server does not offer it, or will not: at level may that is its own affair. */
static int without(struct smtpc_session *s, enum tls_level level, struct smtpc_why *why)
{
	char text[DELIVER_TEXT_MAX / 2] = "";
	bool offered = (s->features & SMTPC_STARTTLS) != 0;
	if (level < TLS_LEVEL_ENCRYPT)
		return 0;
	if (!offered)
		return cannot(why, DSN(4, 7, 4), "TLS is required, but was not offered by host %s", s->name);
	snprintf(text, sizeof(text), "%s", buf_z(&s->got.text));
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return cannot(why, DSN(4, 7, 4), "TLS is required, but host %s refused to start TLS: %s", s->name, text);
}

int smtpc_tls_begin(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to, struct smtpc_why *why)
{
	static const char doing[] = "sending STARTTLS";
	enum tls_level level = to->policy.level;
	if (s->tls)
		return 0;
	if (level == TLS_LEVEL_NONE) {
		if (p->tls.set.note_offer && (s->features & SMTPC_STARTTLS))
			log_info("Host offered STARTTLS: [%s]", s->host);
		return 0;
	}
	if (!(s->features & SMTPC_STARTTLS))
		return without(s, level, why);
	if (!p->tls.ctx)
		return level < TLS_LEVEL_ENCRYPT ? 0 : no_context(p, s, why);
	smtpc_command(s, "STARTTLS");
	if (smtpc_reply(s, p->tls.set.timeout, doing, why) < 0)
		return -1;
	return s->got.code / 100 == 2 ? handshake(p, s, &to->policy, why) : without(s, level, why);
}

bool smtpc_tls_may_go_clear(const struct smtpc_tls *t, int64_t arrival_us)
{
	return clock_wall_s() - arrival_us / 1000000 >= t->backoff;
}
