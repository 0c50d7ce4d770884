/* pickup/pickup_mail.c - records of a drop file become calls of cleanup's client. */
#include <time.h>

#include "lib/mail/addr.h"
#include "lib/mail/date.h"
#include "lib/mail/header.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "pickup/pickup.h"

enum {
	MEMORY_MAX = 64 * 1024, /* facts of one mail */
	NOTICE_HEAD = 8 * 1024,
	CLEANUP_MS = 600 * 1000,
};

void pickup_mail_init(struct pickup_mail *m, struct pickup *p, int64_t uid)
{
	memset(m, 0, sizeof(*m));
	m->p = p;
	m->c = clnt_cleanup_new(p->cleanup, CLEANUP_MS);
	arena_init(&m->arena, MEMORY_MAX);
	buf_init(&m->in, 1024 * 1024);
	buf_init(&m->head, NOTICE_HEAD);
	buf_init(&m->orcpt, DROP_ADDRESS_MAX);
	m->o = (struct clnt_cleanup_open){ .uid = uid, .origin = SV("pickup"),
		.rewrite_context = SV("local") };
}

void pickup_mail_fini(struct pickup_mail *m)
{
	clnt_cleanup_free(m->c);
	arena_free(&m->arena);
	buf_free(&m->in);
	buf_free(&m->head);
	buf_free(&m->orcpt);
}

static int malformed(struct pickup_mail *m, const char *why)
{
	m->malformed = true;
	m->why = why;
	return -1;
}

/* RFC 5321 4.4: each system that a mail passes adds a line. */
static int send_received(struct pickup_mail *m, struct err *e)
{
	struct buf b;
	time_t t = (time_t)clock_wall_s();
	struct tm tm;
	localtime_r(&t, &tm);
	buf_init(&b, 4096);
	buf_printf(&b, "Received: by %s (%s, from userid %lld)\n\tid %s; ", m->p->core.myhostname,
		m->p->core.mail_name, (long long)m->o.uid, clnt_cleanup_id(m->c));
	date_format_zone(&b, t, (int)(tm.tm_gmtoff / 60), tm.tm_zone);
	buf_putc(&b, '\n');
	int rc = b.overflow ? err_set(e, ERR_TEMP, "Received: line is too long") :
			      clnt_cleanup_data(m->c, buf_sv(&b), e);
	buf_free(&b);
	return rc;
}

static int open_cleanup(struct pickup_mail *m, struct err *e)
{
	if (clnt_cleanup_open(m->c, &m->o, e) < 0)
		return -1;
	m->opened = true;
	log_info("%s: uid=%lld from=<%.*s>", clnt_cleanup_id(m->c), (long long)m->o.uid, SV_ARG(m->o.sender));
	return 0;
}

static int keep(struct pickup_mail *m, struct sv from, struct sv *to)
{
	*to = arena_sv(&m->arena, from);
	return to->p ? 0 : malformed(m, "envelope is too large");
}

static int on_rcpt(struct pickup_mail *m, const struct drop_record *r, struct err *e)
{
	struct clnt_cleanup_rcpt rcpt = { .address = r->data, .orcpt = buf_sv(&m->orcpt), .notify = r->number };
	if (!m->opened && open_cleanup(m, e) < 0)
		return -1;
	int rc = clnt_cleanup_rcpt(m->c, &rcpt, e);
	buf_reset(&m->orcpt);
	return rc;
}

static int on_content(struct pickup_mail *m, struct sv octets, struct err *e)
{
	bool first = m->reader.content == octets.len;
	if (first && send_received(m, e) < 0)
		return -1;
	if (m->head.len < NOTICE_HEAD - 1)
		(void)buf_put_sv(&m->head, sv_upto(octets, NOTICE_HEAD - 1 - m->head.len));
	return clnt_cleanup_data(m->c, octets, e);
}

static int on_record(struct pickup_mail *m, const struct drop_record *r, struct err *e)
{
	switch (r->type) {
	case DROP_SENDER: return keep(m, r->data, &m->o.sender);
	case DROP_FULL_NAME: return keep(m, r->data, &m->o.full_name);
	case DROP_ENVID: return keep(m, r->data, &m->o.envid);
	case DROP_ID:
		m->o.parent_nonce = PICKUP_OF_DROP_ID;
		return keep(m, r->data, &m->o.expansion);
	case DROP_BODY: return keep(m, r->data, &m->o.body_type);
	case DROP_RET: m->o.ret = r->number; return 0;
	case DROP_UTF8: m->o.smtputf8 = true; return 0;
	case DROP_TRACE:
		m->o.flags |= r->number == DROP_TRACE_VERIFY ? CLEANUP_FLAG_VERIFY : CLEANUP_FLAG_REPORT;
		return 0;
	case DROP_ORCPT:
		return buf_put_sv(&m->orcpt, r->data) < 0 ? malformed(m, "original recipient is too long") : 0;
	case DROP_RCPT: return on_rcpt(m, r, e);
	case DROP_CONTENT: return m->opened ? on_content(m, r->data, e) : malformed(m, "no recipients");
	case DROP_END: return m->opened ? 0 : malformed(m, "no recipients");
	}
	return malformed(m, "unknown record");
}

int pickup_mail_feed(struct pickup_mail *m, struct sv octets, struct err *e)
{
	size_t at = 0;
	int rc = 1;
	if (m->malformed)
		return -1;
	if (buf_put_sv(&m->in, octets) < 0)
		return malformed(m, "a record is too long");
	while (rc == 1) {
		struct drop_record r;
		size_t used = 0;
		const char *why = NULL;
		rc = drop_next(&m->reader, sv_from(buf_sv(&m->in), at), &r, &used, &why);
		if (rc < 0)
			return malformed(m, why);
		if (rc == 1 && on_record(m, &r, e) < 0)
			return -1;
		at += used;
	}
	buf_consume(&m->in, at);
	return 0;
}

int pickup_mail_end(struct pickup_mail *m, struct clnt_cleanup_result *out, struct err *e)
{
	if (m->malformed)
		return -1;
	if (!drop_ended(&m->reader))
		return malformed(m, "it ends too early");
	if (m->reader.content == 0 && send_received(m, e) < 0)
		return -1;
	return clnt_cleanup_end(m->c, out, e);
}

/* --- a refused mail from maildrop/: nobody waits for the answer, so its sender gets a mail ------------- */

static int put_notice(struct buf *b, struct pickup *p, struct sv sender, const char *reason, struct sv head)
{
	struct sv fields = SV_NONE, body;
	buf_printf(b, "From: MAILER-DAEMON@%s (Mail Delivery System)\nTo: ", p->core.myhostname);
	addr_quote(b, sender);
	buf_puts(b, "\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\n");
	buf_printf(b, "This is the mail system at host %s.\n\n", p->core.myhostname);
	buf_printf(b, "Your message was not accepted and has been sent to nobody. The reason:\n\n    %s\n\n",
		reason);
	buf_puts(b, "Its header began so:\n\n");
	(void)header_split(head, &fields, &body);
	while (fields.len > 0) {
		struct sv line;
		if (!sv_take_line(&fields, &line))
			break;
		buf_puts(b, "    ");
		buf_put_sv(b, line);
		buf_putc(b, '\n');
	}
	return b->overflow ? -1 : 0;
}

int pickup_notice(struct pickup *p, struct sv id, struct sv sender, const char *reason, struct sv head,
	struct err *e)
{
	struct clnt_cleanup_open o = { .uid = -1, .origin = SV("pickup"), .rewrite_context = SV("local"),
		.flags = CLEANUP_FLAG_RESUBMIT | CLEANUP_FLAG_SKIP_BCC, .parent_nonce = PICKUP_OF_NOTICE,
		.expansion = id };
	struct clnt_cleanup_rcpt to = { .address = sender, .notify = 1 };
	struct clnt_cleanup_result result;
	struct clnt_cleanup *c = clnt_cleanup_new(p->cleanup, CLEANUP_MS);
	struct buf b;
	buf_init(&b, 16 * NOTICE_HEAD);
	int rc = put_notice(&b, p, sender, reason, head) < 0 ? err_set(e, ERR_TEMP, "notice is too long") : 0;
	if (rc == 0)
		rc = clnt_cleanup_open(c, &o, e);
	if (rc == 0)
		rc = clnt_cleanup_rcpt(c, &to, e);
	if (rc == 0)
		rc = clnt_cleanup_data(c, buf_sv(&b), e);
	if (rc == 0)
		rc = clnt_cleanup_end(c, &result, e);
	if (rc == 0 && result.status != CLEANUP_COMMITTED)
		rc = err_set(e, ERR_TEMP, "notice to the sender was not accepted: %s", result.text);
	clnt_cleanup_free(c);
	buf_free(&b);
	return rc;
}
