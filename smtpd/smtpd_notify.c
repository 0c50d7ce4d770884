/*
 * notify_classes: the postmaster gets the transcript of a session in which something went wrong, from
 * double_bounce_sender: when it cannot be delivered it is dropped, with a line of bounce(8).
 *
 * A session with the null sender, or with that one, makes no such mail: it may be the answer to one.
 */
#include "lib/config/notify_classes.h"
#include "lib/fiber/fiber.h"
#include "lib/mail/addr.h"
#include "lib/mail/header.h"
#include "lib/sys/log.h"
#include "smtpd/smtpd.h"

#define NOTICE_MS  (10 * 1000) /* a step of cleanup: a client may be waiting */
#define NOTICE_MAX (SMTPD_HISTORY_MAX * 2 + 8192)

static bool answers_us(const struct smtpd_session *s)
{
	struct sv local, domain;
	return s->txn.active && (s->txn.mail.sender.len == 0 ||
		(addr_split(s->txn.mail.sender, &local, &domain) &&
			sv_ieqz(local, s->proc->core.double_bounce_sender)));
}

void smtpd_error(struct smtpd_session *s, unsigned class)
{
	if (!answers_us(s))
		s->errors |= class & s->proc->notify_classes;
}

static void put_classes(struct buf *out, unsigned classes)
{
	for (unsigned rest = classes; rest; rest &= rest - 1)
		buf_printf(out, "%s%s", rest == classes ? "" : ", ", notify_class_name(rest));
}

static void put_notice(const struct smtpd_session *s, const char *to, const char *classes, struct buf *out)
{
	char subject[400];
	struct buf address;
	buf_init(&address, 4096);
	if (addr_quote(&address, sv_z(to)) < 0)
		buf_puts(&address, to);
	snprintf(subject, sizeof(subject), "%s: errors in an SMTP session with %s", s->proc->core.mail_name,
		s->peer.namaddr);
	buf_puts(out, "From: Mail Delivery System <MAILER-DAEMON>\n"); /* completed by cleanup */
	header_put(out, SV("To"), buf_sv(&address), 900);
	header_put(out, SV("Subject"), sv_z(subject), 900);
	buf_puts(out, "Auto-Submitted: auto-generated\n\n");
	buf_printf(out, "Errors of class %s in an SMTP session.\n\nClient: %s\nServer: %s, service %s\n\n", classes,
		s->peer.namaddr, s->proc->core.myhostname, s->conn->service);
	smtpd_history_put(&s->history, out);
	if (s->hung_up)
		buf_printf(out, "\nThe connection was lost after %s.\n", s->where);
	buf_puts(out, "\nThe log may tell more.\n");
	buf_free(&address);
}

/* 0 in the queue as ID; -1 with E. */
static int send(struct smtpd_session *s, const char *to, const struct buf *text, char id[64], struct err *e)
{
	const struct params_core *core = &s->proc->core;
	char from[512];
	struct clnt_cleanup_result r;
	struct clnt_cleanup *c = clnt_cleanup_new(s->proc->cleanup, NOTICE_MS);
	snprintf(from, sizeof(from), "%s@%s", core->double_bounce_sender, core->myorigin);
	const struct clnt_cleanup_open open = { .sender = sv_z(from), .rewrite_context = SV("local"),
		.origin = SV("smtpd"), .uid = -1, .size_hint = text->len };
	const struct clnt_cleanup_rcpt rcpt = { .address = sv_z(to), .original = sv_z(to) };
	int rc = clnt_cleanup_open(c, &open, e);
	if (rc == 0)
		rc = clnt_cleanup_rcpt(c, &rcpt, e);
	if (rc == 0)
		rc = clnt_cleanup_data(c, buf_sv(text), e);
	if (rc == 0)
		rc = clnt_cleanup_end(c, &r, e);
	if (rc == 0 && r.status != CLEANUP_COMMITTED)
		rc = err_set(e, ERR_TEMP, "%s %s", r.dsn, r.text);
	if (rc == 0)
		snprintf(id, 64, "%s", r.queue_id);
	clnt_cleanup_free(c);
	return rc;
}

static void notify(struct smtpd_session *s)
{
	const struct params_core *core = &s->proc->core;
	const char *to = s->errors & NOTIFY_CLASS_BOUNCE ? core->bounce_notice_recipient : core->error_notice_recipient;
	struct buf text, classes;
	struct err e = ERR_INIT;
	char id[64];
	buf_init(&text, NOTICE_MAX);
	buf_init(&classes, 200);
	put_classes(&classes, s->errors);
	put_notice(s, to, buf_z(&classes), &text);
	if (send(s, to, &text, id, &e) < 0)
		log_warn("%s: errors of class %s, and the postmaster cannot be told: %s", s->peer.namaddr,
			buf_z(&classes), e.text);
	else
		log_info("%s: errors of class %s, postmaster notification: %s", s->peer.namaddr, buf_z(&classes), id);
	buf_free(&classes);
	buf_free(&text);
}

void smtpd_notify(struct smtpd_session *s, unsigned threshold)
{
	if (s->history.lines <= threshold)
		return;
	if (s->errors)
		notify(s);
	s->errors = 0;
	smtpd_history_reset(&s->history);
}
