/*
 * The dialogue up to the first mail: connect, greeting, EHLO or HELO.
 *
 *     connect -> greeting 220 -> EHLO -> 250: TLS, and EHLO again (smtpc_tls.c), or ready
 *                    |             |-> 421: refused     -> other: HELO -> 250: ready, else refused
 *                    |-> 4xx, 5xx: refused
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/fiber/fiber.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "smtp/smtpc.h"
#include "smtp/smtpc_ehlo.h"

#define LINE_MAX_OCTETS 4096          /* of a reply; what is longer is cut */
#define DISCARD_MAX     (256 * 1024)  /* of the rest of such a line */
#define DIAL_MS         (30 * 1000)

int smtpc_command(struct smtpc_session *s, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	buf_init(&b, 16 * 1024);
	va_start(ap, fmt);
	int rc = buf_vprintf(&b, fmt, ap);
	va_end(ap);
	log_debug("> %s: %s", s->relay, buf_z(&b));
	if (rc == 0)
		rc = buf_puts(&b, "\r\n");
	rc = rc < 0 ? STREAM_ERR : stream_put_sv(s->stream, buf_sv(&b));
	buf_free(&b);
	return rc;
}

int smtpc_lost(struct smtpc_session *s, int rc, const char *doing, struct smtpc_why *why)
{
	s->broken = true;
	if (rc == STREAM_ERR && s->tls && tls_failure(s->tls)[0])
		log_info("TLS error with %s: %s", s->relay, tls_failure(s->tls));
	if (rc == STREAM_TIMEOUT)
		smtpc_because(why, DSN(4, 4, 2), "conversation with %s timed out while %s", s->name, doing);
	else if (rc == STREAM_CANCELLED)
		smtpc_because(why, DSN(4, 3, 2), "the mail system was stopped while %s to %s", doing, s->name);
	else
		smtpc_because(why, DSN(4, 4, 2), "lost connection with %s while %s", s->name, doing);
	why->dead = rc != STREAM_CANCELLED;
	return -1;
}

static int not_smtp(struct smtpc_session *s, struct sv line, const char *doing, struct smtpc_why *why)
{
	struct buf b;
	buf_init(&b, 1024);
	(void)smtp_text_clean(&b, sv_upto(line, 100), true);
	s->broken = true;
	smtpc_because(why, DSN(4, 5, 0), "Protocol error: host %s sent \"%s\", which is no reply, while %s", s->name,
		buf_z(&b), doing);
	why->dead = true;
	buf_free(&b);
	return -1;
}

enum { NO_REPLY = 1, REPLY_GOES_ON, REPLY_WHOLE };

/* One line of a reply; one that is too long is cut. One of the above, or a result of the stream, <= 0. */
static int reply_line(struct smtpc_session *s, struct sv *line, int64_t deadline)
{
	int rc = stream_line(s->stream, LINE_MAX_OCTETS, line, NULL, deadline);
	if (rc == 1)
		return smtp_reply_line(&s->got, *line) + NO_REPLY + 1;
	if (rc != STREAM_TOO_LONG)
		return rc;
	*line = sv_upto(stream_buffered(s->stream), LINE_MAX_OCTETS / 2);
	rc = smtp_reply_line(&s->got, *line) + NO_REPLY + 1;
	if (rc == NO_REPLY)
		return rc;
	*line = SV("a line without an end"); /* the view ends with the next read */
	int skipped = stream_discard_line(s->stream, DISCARD_MAX, deadline);
	return skipped == 1 ? rc : skipped == STREAM_TOO_LONG ? NO_REPLY : skipped;
}

int smtpc_reply(struct smtpc_session *s, long seconds, const char *doing, struct smtpc_why *why)
{
	/* for the whole reply: a server that sends it octet by octet gets no more time */
	int64_t deadline = fiber_deadline((int64_t)seconds * 1000);
	struct sv line = SV_NONE;
	int rc = stream_flush(s->stream);
	smtp_reply_reset(&s->got);
	if (rc == 1)
		do
			rc = reply_line(s, &line, deadline);
		while (rc == REPLY_GOES_ON);
	if (rc <= 0)
		return smtpc_lost(s, rc, doing, why);
	if (rc == NO_REPLY)
		return not_smtp(s, line, doing, why);
	log_debug("< %s: %s", s->relay, buf_z(&s->got.text));
	return 1;
}

bool smtpc_speaks(const struct smtpc_session *s)
{
	char octet;
	if (s->tls)
		return tls_input_waits(s->tls);
	return !sv_empty(stream_buffered(s->stream)) ||
	       recv(stream_fd(s->stream), &octet, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

int smtpc_in_step(struct smtpc_session *s, const char *doing, struct smtpc_why *why)
{
	struct sv early = stream_buffered(s->stream);
	/* a server may leave at any time (RFC 5321 3.8): the next command meets that */
	if (sv_empty(early) || sv_starts(early, SV("421")))
		return 1;
	s->broken = true;
	smtpc_because(why, DSN(4, 5, 0), "Protocol error: host %s sent a reply which no command asked for while %s",
		s->name, doing);
	why->dead = true;
	return -1;
}

/* The reply on one line, at most SIZE octets with the NUL. */
static void reply_text(const struct smtpc_session *s, char *out, size_t size)
{
	size_t n = s->got.text.len < size - 1 ? s->got.text.len : size - 1;
	memcpy(out, buf_z(&s->got.text), n);
	out[n] = '\0';
	for (char *c = out; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

static struct dsn_code reply_dsn(const struct smtpc_session *s)
{
	unsigned cls = (unsigned)s->got.code / 100;
	if (s->got.has_dsn)
		return s->got.dsn;
	/* an answer that fits nowhere (2xx to a question of ours that has none) is no verdict */
	return DSN(cls == 5 || cls == 2 ? (uint16_t)cls : 4, 0, 0);
}

static void blame(struct smtpc_session *s, struct smtpc_why *why)
{
	snprintf(why->mta, sizeof(why->mta), "%.255s", s->host);
	reply_text(s, why->diagnostic, sizeof(why->diagnostic));
}

void smtpc_said(struct smtpc_session *s, const char *command, struct smtpc_why *why)
{
	char text[DELIVER_TEXT_MAX + 1];
	struct dsn_code dsn = reply_dsn(s);
	reply_text(s, text, sizeof(text));
	smtpc_because(why, dsn.cls == 2 ? DSN(4, 5, 0) : dsn, "host %s said: %s (in reply to %s)", s->name, text,
		command);
	blame(s, why);
}

/* --- opening --------------------------------------------------------------------------------------- */

static void names(struct smtpc_session *s, const char *host, const char *ip, unsigned port)
{
	struct buf b;
	buf_init(&b, 4096);
	s->host = mem_strdup(host);
	s->ip = mem_strdup(ip);
	s->port = port;
	(void)buf_printf(&b, "%s[%s]", host, ip);
	s->name = mem_strdup(buf_z(&b));
	if (port)
		(void)buf_printf(&b, ":%u", port);
	s->relay = mem_strdup(buf_z(&b));
	buf_free(&b);
}

static void session_free(struct smtpc_session *s)
{
	stream_free(s->stream);
	smtp_reply_free(&s->got);
	free(s->dest);
	free(s->rules);
	free(s->host);
	free(s->ip);
	free(s->name);
	free(s->relay);
	free(s);
}

/* The server does not want to talk: nothing about this mail, all about the server. */
static int refused(struct smtpc_session *s, struct smtpc_why *why)
{
	char text[DELIVER_TEXT_MAX + 1];
	struct dsn_code dsn = reply_dsn(s);
	reply_text(s, text, sizeof(text));
	smtpc_because(why, dsn.cls == 2 ? DSN(4, 5, 0) : dsn, "host %s refused to talk to me: %s", s->name, text);
	blame(s, why);
	why->dead = true;
	return -1;
}

static int greeting(struct smtpc_session *s, bool *esmtp, struct smtpc_why *why)
{
	const struct smtpc_settings *set = s->set;
	if (smtpc_reply(s, set->times.helo, "receiving the initial server greeting", why) < 0)
		return -1;
	int cls = s->got.code / 100;
	if (cls != 2) {
		refused(s, why);
		/* a server that refuses everybody is one to be skipped, not a verdict about the mail */
		if (cls == 5 && set->skip_5xx)
			why->dsn.cls = 4;
		return -1;
	}
	*esmtp = set->always_ehlo || sv_ifind(buf_sv(&s->got.text), SV("ESMTP")) >= 0;
	if (set->never_ehlo)
		*esmtp = false;
	return 1;
}

/* "host X replied to HELO/EHLO with my own hostname": it is us, by an address that we do not know as ours. */
static int own_name(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to, struct sv domain,
	struct smtpc_why *why)
{
	if (!to->loops || !sv_ieqz(domain, p->core.myhostname))
		return 1;
	log_warn("host %s replied to HELO/EHLO with my own hostname %s", s->relay, p->core.myhostname);
	smtpc_because(why, s->best ? DSN(5, 4, 6) : DSN(4, 4, 6), "mail for %.*s loops back to myself",
		SV_ARG(to->dest->name));
	return -1;
}

static int introduce(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to, bool esmtp,
	struct smtpc_why *why)
{
	const struct smtpc_settings *set = s->set;
	struct smtpc_ehlo said;
	/* what was said before TLS was said by anybody */
	s->features = 0;
	s->size_limit = 0;
	if (esmtp || set->lmtp) {
		const char *doing = set->lmtp ? "performing the LHLO handshake" : "performing the EHLO handshake";
		smtpc_command(s, "%s %s", set->lmtp ? "LHLO" : "EHLO", set->helo_name);
		if (smtpc_reply(s, set->times.helo, doing, why) < 0)
			return -1;
		if (s->got.code / 100 == 2) {
			smtpc_ehlo_parse(buf_sv(&s->got.text), set->discard, &said);
			s->features = said.features;
			s->size_limit = said.size;
			return own_name(p, s, to, said.domain, why);
		}
		if (set->lmtp || s->got.code == 421)
			return refused(s, why);
	}
	smtpc_command(s, "HELO %s", set->helo_name);
	if (smtpc_reply(s, set->times.helo, "performing the HELO handshake", why) < 0)
		return -1;
	if (s->got.code / 100 != 2)
		return refused(s, why);
	smtpc_ehlo_parse(sv_upto(buf_sv(&s->got.text), 256), 0, &said);
	return own_name(p, s, to, said.domain, why);
}

int smtpc_hello(struct smtpc *p, struct smtpc_session *s, const struct smtpc_place *to, struct smtpc_why *why)
{
	bool esmtp = s->set->lmtp;
	if (smtpc_tls_wrap(p, s, to, why) < 0 || greeting(s, &esmtp, why) < 0 || introduce(p, s, to, esmtp, why) < 0)
		return -1;
	int rc = smtpc_tls_begin(p, s, to, why);
	return rc == 1 ? introduce(p, s, to, true, why) : rc == 0 ? 1 : -1;
}

static int dial_unix(struct smtpc *p, const struct smtpc_dest *d, struct smtpc_why *why)
{
	struct err e = ERR_INIT;
	char path[256];
	if (sv_copyz(d->text, path, sizeof(path)) < 0) {
		smtpc_because(why, DSN(4, 3, 5), "connect to %s[%.*s]: the path is too long", p->core.myhostname,
			SV_ARG(d->name));
		return -1;
	}
	int fd = server_dial(p->server, path, fiber_deadline(DIAL_MS), &e);
	if (fd < 0) {
		smtpc_because(why, DSN(4, 4, 1), "connect to %s[%.*s]: %s", p->core.myhostname, SV_ARG(d->name),
			e.text);
		why->dead = true;
	}
	return fd;
}

struct smtpc_session *smtpc_open(struct smtpc *p, const struct smtpc_place *to, struct smtpc_why *why)
{
	const struct smtpc_dest *d = to->dest;
	int fd = to->addr ? smtpc_connect(p, to->addr, d->port, why) : dial_unix(p, d, why);
	if (fd < 0)
		return NULL;
	struct smtpc_session *s = mem_alloc(sizeof(*s));
	smtp_reply_init(&s->got);
	s->set = &p->set;
	s->rules = mem_strdup(to->policy.key);
	s->stream = stream_new(fd);
	s->dest = mem_svdup(d->text);
	s->best = !to->addr || to->addr->best;
	s->opened_ms = clock_mono_ms();
	char *host = to->addr ? mem_svdup(to->addr->host) : mem_strdup(p->core.myhostname);
	char *path = to->addr ? NULL : mem_svdup(d->name);
	names(s, host, to->addr ? to->addr->ip : path, to->addr ? d->port : 0);
	free(host);
	free(path);
	stream_write_timeout(s->stream, (int64_t)p->set.times.helo * 1000);
	return s;
}

void smtpc_close(struct smtpc_session *s)
{
	struct smtpc_why why;
	if (!s)
		return;
	if (!s->broken) {
		stream_write_timeout(s->stream, (int64_t)s->set->times.quit * 1000);
		smtpc_command(s, "QUIT");
		if (s->set->skip_quit)
			(void)stream_flush(s->stream);
		else if (smtpc_reply(s, s->set->times.quit, "sending QUIT", &why) < 0)
			log_debug("%s", why.text);
	}
	session_free(s);
}
