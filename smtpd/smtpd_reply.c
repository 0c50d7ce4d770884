#include "lib/fiber/fiber.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define REPLY_MAX 1000 /* octets of text in one reply line */

int64_t smtpd_deadline(const struct smtpd_session *s)
{
	return fiber_deadline(s->proc->smtpd.smtpd_timeout * 1000);
}

/* soft_bounce: what would be final is to be tried again, in the reply and in its enhanced code. */
static void soften(const struct smtpd_session *s, char *line)
{
	if (!s->proc->core.soft_bounce || line[0] != '5')
		return;
	line[0] = '4';
	if (strlen(line) > 5 && line[4] == '5' && line[5] == '.')
		line[4] = '4';
}

/* One line "250 2.0.0 text"; what came from a peer is made printable. */
static PRINTF_LIKE(6, 0) const char *format(const struct smtpd_session *s, char *line, size_t size, int code,
					    const char *dsn, const char *fmt, va_list ap)
{
	int n = dsn ? snprintf(line, size, "%d %s ", code, dsn) : snprintf(line, size, "%d ", code);
	size_t at = n < 0 ? 0 : (size_t)n;
	vsnprintf(line + at, size - at, fmt, ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	soften(s, line);
	return line;
}

static void put(struct smtpd_session *s, const char *line)
{
	if (s->hung_up)
		return;
	log_debug("> %s: %s", s->peer.namaddr, line);
	if (s->proc->notify_classes)
		smtpd_history_out(&s->history, sv_z(line));
	if (stream_printf(s->io, "%s\r\n", line) != 1)
		s->hung_up = s->quit = true;
}

void smtpd_reply(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
{
	char line[REPLY_MAX];
	va_list ap;
	va_start(ap, fmt);
	put(s, format(s, line, sizeof(line), code, dsn, fmt, ap));
	va_end(ap);
}

void smtpd_reply_more(struct smtpd_session *s, int code, const char *text)
{
	char line[REPLY_MAX];
	snprintf(line, sizeof(line), "%d-%s", code, text);
	put(s, line);
}

/*
 * Errors make a session slow (smtpd_soft_error_limit) and then end it (smtpd_hard_error_limit). The sleep
 * comes before the reply, so that a client cannot run ahead of it.
 */
static void count_error(struct smtpd_session *s)
{
	const struct params_smtpd *p = &s->proc->smtpd;
	s->counts.errors++;
	if (p->smtpd_soft_error_limit > 0 &&
		s->counts.errors > (unsigned)p->smtpd_soft_error_limit) {
		(void)stream_flush(s->io);
		if (fiber_sleep(p->smtpd_error_sleep_time * 1000) < 0)
			s->quit = true;
	}
}

static PRINTF_LIKE(5, 0) void refuse(struct smtpd_session *s, enum notify_class class, int code,
				     const char *dsn, const char *fmt, va_list ap)
{
	char line[REPLY_MAX];
	smtpd_error(s, class);
	count_error(s);
	put(s, format(s, line, sizeof(line), code, dsn, fmt, ap));
	if (code == 421)
		s->quit = true;
}

void smtpd_refuse(struct smtpd_session *s, int code, const char *dsn, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	refuse(s, NOTIFY_CLASS_PROTOCOL, code, dsn, fmt, ap);
	va_end(ap);
}

void smtpd_refuse_class(struct smtpd_session *s, enum notify_class class, int code, const char *dsn,
	const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	refuse(s, class, code, dsn, fmt, ap);
	va_end(ap);
}

void smtpd_refuse_fault(struct smtpd_session *s, const struct smtp_fault *fault)
{
	char dsn[DSN_TEXT_MAX];
	smtpd_refuse(s, fault->code, dsn_format(fault->dsn, dsn), "%s", fault->text);
}

void smtpd_log_reject(struct smtpd_session *s, const char *command, const char *reply)
{
	const char *id = s->txn.queue_id ? s->txn.queue_id : "NOQUEUE";
	log_info("%s: reject: %s from %s: %s; %s%.*s%sproto=%s helo=<%.*s>", id, command, s->peer.namaddr,
		reply, s->txn.active ? "from=<" : "", SV_ARG(s->txn.mail.sender),
		s->txn.active ? "> " : "", s->esmtp ? "ESMTP" : "SMTP", SV_ARG(s->helo));
}

void smtpd_refuse_verdict(struct smtpd_session *s, const char *command, const struct smtpd_verdict *v)
{
	char reply[REPLY_MAX];
	snprintf(reply, sizeof(reply), "%d %s %s", v->code, v->dsn, v->text);
	soften(s, reply);
	smtpd_log_reject(s, command, reply);
	smtpd_refuse_class(s, (enum notify_class)v->class, v->code, v->dsn, "%s", v->text);
}
