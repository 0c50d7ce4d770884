/*
 * DATA (RFC 5321 4.1.1.4): the content goes to cleanup in pieces as it arrives; 250 is said only after
 * cleanup has said that the message is safe. Whatever fails on the way, the octets are read up to their
 * end, so that no content is ever taken for commands.
 */
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/date.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define PIECE_MAX     (128 * 1024)       /* content handed to cleanup at a time */
#define OVERSIZE_SLACK (64 * 1024 * 1024) /* read and dropped after the size limit, then 421 */

struct content {
	struct smtp_data decoder;
	struct buf piece;
	bool too_big;
	bool failed; /* cleanup is gone: see E */
	struct err e;
};

/* Received: as in RFC 5321 4.4; one recipient only is named, so that none of several leaks. */
static int put_received(struct smtpd_session *s, struct buf *out)
{
	int64_t now = clock_wall_s();
	struct buf rcpt;
	const char *protocol = s->txn.mail.smtputf8 ? "UTF8SMTP" : s->esmtp ? "ESMTP" : "SMTP";

	buf_init(&rcpt, 4096);
	buf_printf(out, "Received: from %.*s (%s [%s%s])", SV_ARG(s->helo.len ? s->helo : sv_z(s->peer.name)),
		s->peer.name, strchr(s->peer.addr, ':') ? "IPv6:" : "", s->peer.addr);
	if (s->tls && s->proc->tls.params.smtpd_tls_received_header)
		tls_facts_received(tls_facts(s->tls), out);
	/* RFC 3848, 6531: there is a word for TLS after EHLO, none after HELO */
	buf_printf(out, "\n\tby %s (%s) with %s%s id %s", s->proc->core.myhostname, s->proc->core.mail_name,
		protocol, s->tls && s->esmtp ? "S" : "", s->txn.queue_id);
	if (s->txn.last_rcpt.len && addr_quote(&rcpt, s->txn.last_rcpt) == 0)
		buf_printf(out, "\n\tfor <%s>", buf_z(&rcpt));
	buf_puts(out, "; ");
	date_format(out, now, clock_tz_min(now));
	buf_putc(out, '\n');
	buf_free(&rcpt);
	return out->overflow ? -1 : 0;
}

static void send_piece(struct smtpd_session *s, struct content *c)
{
	if (c->piece.len && !c->failed && !c->too_big &&
		clnt_cleanup_data(s->cleanup, buf_sv(&c->piece), &c->e) < 0) {
		log_warn("%s: %s", s->txn.queue_id, c->e.text);
		c->failed = true;
	}
	buf_reset(&c->piece);
}

static void check_size(struct smtpd_session *s, struct content *c)
{
	long limit = s->proc->core.message_size_limit;
	if (limit > 0 && c->decoder.size > (uint64_t)limit && !c->too_big) {
		log_warn("%s: %s: queue file size limit exceeded", s->txn.queue_id, s->peer.namaddr);
		c->too_big = true;
	}
}

/*
 * Read to the end of data. False: the session is over (peer gone, too slow, endless). Each wait is
 * bounded by smtpd_timeout; with smtpd_per_request_deadline the whole of it is, extended by
 * smtpd_min_data_rate.
 */
static bool read_content(struct smtpd_session *s, struct content *c)
{
	const struct params_smtpd *p = &s->proc->smtpd;
	int64_t started = clock_mono_ms();
	uint64_t octets = 0;

	for (;;) {
		int64_t deadline = smtpd_deadline(s);
		if (p->smtpd_per_request_deadline)
			deadline = started + p->smtpd_timeout * 1000 +
				(int64_t)(octets * 1000 / (uint64_t)p->smtpd_min_data_rate);
		struct sv in;
		ssize_t n = stream_peek(s->io, &in, deadline);
		if (n == STREAM_TIMEOUT) {
			log_info("timeout after DATA (%llu bytes) from %s",
				(unsigned long long)c->decoder.size, s->peer.namaddr);
			smtpd_reply(s, 421, "4.4.2", "%s Error: timeout exceeded",
				s->proc->core.myhostname);
			return false;
		}
		if (n <= 0) {
			s->hung_up = true;
			return false;
		}
		in = sv_upto(in, PIECE_MAX / 2);
		struct sv rest = in;
		int rc = smtp_data_feed(&c->decoder, &rest, &c->piece);
		stream_consume(s->io, in.len - rest.len);
		octets += in.len - rest.len;
		check_size(s, c);
		if (rc == 1)
			return true;
		if (rc < 0)
			log_bug("a piece of content does not fit");
		if (c->piece.len >= PIECE_MAX / 2 || c->too_big)
			send_piece(s, c);
		if (c->too_big &&
			c->decoder.size > (uint64_t)s->proc->core.message_size_limit + OVERSIZE_SLACK) {
			smtpd_reply(s, 421, "4.3.4", "%s Error: message is endless",
				s->proc->core.myhostname);
			return false;
		}
	}
}

static void commit(struct smtpd_session *s, struct content *c)
{
	struct clnt_cleanup_result r;

	send_piece(s, c);
	if (!c->failed && clnt_cleanup_end(s->cleanup, &r, &c->e) < 0) {
		log_warn("%s: %s", s->txn.queue_id, c->e.text);
		c->failed = true;
	}
	if (c->failed) {
		smtpd_refuse_class(s, NOTIFY_CLASS_RESOURCE, 451, "4.3.0", "Error: queue file write error");
		return;
	}
	if (r.status == CLEANUP_COMMITTED) {
		smtpd_reply(s, 250, "2.0.0", "Ok: queued as %s", s->txn.queue_id);
		return;
	}
	const struct smtpd_verdict v = { SMTPD_REFUSE, (int)r.smtp_code, r.dsn, r.text,
		r.status == CLEANUP_PERM ? NOTIFY_CLASS_BOUNCE : NOTIFY_CLASS_RESOURCE };
	smtpd_refuse_verdict(s, "END-OF-MESSAGE", &v);
}

/* DATA may come now? Replies when not. */
static bool may_start(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	if (s->txn.rcpt_ok == 0) {
		if (!s->txn.active)
			smtpd_refuse(s, 503, "5.5.1", "Error: need RCPT command");
		else if (s->txn.rcpt_tried == 0)
			smtpd_refuse(s, 503, "5.5.1", "Error: need RCPT command");
		else
			smtpd_refuse(s, 554, "5.5.1", "Error: no valid recipients");
		return false;
	}
	if (cmd->arg.len) {
		smtpd_refuse(s, 501, "5.5.4", "Syntax: DATA");
		return false;
	}
	struct smtpd_verdict v = smtpd_access_check(s, SMTPD_STAGE_DATA, SV_NONE);
	if (v.action == SMTPD_REFUSE) {
		smtpd_refuse_verdict(s, "DATA", &v);
		return false;
	}
	return true;
}

void smtpd_cmd_data(struct smtpd_session *s, const struct smtp_cmd *cmd)
{
	struct content c = { .failed = false };

	if (!may_start(s, cmd))
		return;
	smtpd_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	if (stream_flush(s->io) != 1) {
		s->hung_up = s->quit = true;
		return;
	}
	smtp_data_init(&c.decoder, s->proc->bare_newline, true);
	/* less than half when read into, and half at most comes (and two octets of the decoder's) */
	buf_init(&c.piece, PIECE_MAX + 16);
	if (put_received(s, &c.piece) < 0)
		log_bug("a Received: header does not fit");
	bool whole = read_content(s, &c);
	if (!whole) {
		s->quit = true;
	} else if (c.too_big) {
		smtpd_refuse_class(s, NOTIFY_CLASS_BOUNCE, 552, "5.3.4", "Error: message file too big");
	} else if (s->proc->bare_newline == SMTP_BARE_NL_REJECT && c.decoder.bare_lf &&
		!s->peer.mynetworks) {
		smtpd_log_reject(s, "END-OF-MESSAGE", "550 5.5.2 bare <LF> received");
		smtpd_refuse(s, 550, "5.5.2", "Error: bare <LF> received");
		s->quit = true;
	} else {
		if (s->proc->bare_newline == SMTP_BARE_NL_NOTE && c.decoder.bare_lf)
			log_info("%s: bare <LF> received from %s", s->txn.queue_id, s->peer.namaddr);
		struct smtpd_verdict v = smtpd_access_check(s, SMTPD_STAGE_END_OF_DATA, SV_NONE);
		if (v.action == SMTPD_REFUSE)
			smtpd_refuse_verdict(s, "END-OF-MESSAGE", &v);
		else
			commit(s, &c);
	}
	buf_free(&c.piece);
	smtpd_txn_reset(s);
}
