#include "smtp/smtpc_command.h"

#include "lib/mail/addr.h"
#include "lib/queue/queue_file.h"

static bool is_ascii(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool smtpc_needs_utf8(const struct deliver_request *rq)
{
	if (rq->smtputf8 || !is_ascii(rq->sender))
		return true;
	for (size_t i = 0; i < rq->nrcpts; i++)
		if (rq->rcpts[i].status == DELIVER_NONE && !is_ascii(rq->rcpts[i].recipient))
			return true;
	return false;
}

/* Without smtp_quote_rfc821_envelope; a line end in a quoted local part must not begin a command even then. */
static int put_unquoted(struct buf *out, struct sv address)
{
	int rc = 0;
	for (size_t i = 0; i < address.len; i++) {
		unsigned char c = (unsigned char)address.p[i];
		rc |= buf_putc(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
	return rc;
}

static int put_path(struct buf *out, struct sv address, const struct smtpc_session *s)
{
	int rc = buf_putc(out, '<');
	rc |= s->set->quote ? addr_quote(out, address) : put_unquoted(out, address);
	return rc | buf_putc(out, '>');
}

int smtpc_put_mail(struct buf *out, const struct deliver_request *rq, const struct smtpc_session *s)
{
	int rc = buf_puts(out, "MAIL FROM:");
	rc |= put_path(out, rq->sender, s);
	if (s->features & SMTPC_SIZE)
		rc |= buf_printf(out, " SIZE=%llu", (unsigned long long)rq->crlf_size);
	if ((s->features & SMTPC_8BITMIME) && (rq->content_flags & QUEUE_CONTENT_8BIT))
		rc |= buf_puts(out, " BODY=8BITMIME");
	if ((s->features & SMTPC_SMTPUTF8) && smtpc_needs_utf8(rq))
		rc |= buf_puts(out, " SMTPUTF8");
	if (s->features & SMTPC_DSN) {
		if (rq->ret == DSN_RET_FULL || rq->ret == DSN_RET_HDRS)
			rc |= buf_puts(out, rq->ret == DSN_RET_FULL ? " RET=FULL" : " RET=HDRS");
		if (rq->envid.len > 0) {
			rc |= buf_puts(out, " ENVID=");
			rc |= xtext_encode(out, rq->envid);
		}
	}
	return rc ? -1 : 0;
}

/* ORCPT: as the mail came with it, else the address that it was first sent to. */
static int put_orcpt(struct buf *out, const struct deliver_rcpt *r)
{
	struct sv type, address;
	int rc = 0;
	if (r->orcpt.len > 0 && dsn_addr_split(r->orcpt, &type, &address) == 1) {
		rc |= buf_printf(out, " ORCPT=%.*s;", SV_ARG(type));
		rc |= sv_ieqz(type, "utf-8") ? utf8_xtext_encode(out, address) : xtext_encode(out, address);
		return rc;
	}
	if (r->original.len == 0)
		return 0;
	struct buf quoted;
	buf_init(&quoted, 3 * ADDR_MAX);
	bool ascii = is_ascii(r->original);
	rc |= addr_quote(&quoted, r->original);
	rc |= buf_puts(out, ascii ? " ORCPT=rfc822;" : " ORCPT=utf-8;");
	rc |= ascii ? xtext_encode(out, buf_sv(&quoted)) : utf8_xtext_encode(out, buf_sv(&quoted));
	buf_free(&quoted);
	return rc;
}

int smtpc_put_rcpt(struct buf *out, const struct deliver_rcpt *r, const struct smtpc_session *s)
{
	int rc = buf_puts(out, "RCPT TO:");
	rc |= put_path(out, r->recipient, s);
	if (s->features & SMTPC_DSN) {
		if (r->notify) {
			rc |= buf_puts(out, " NOTIFY=");
			rc |= dsn_notify_format(out, r->notify);
		}
		rc |= put_orcpt(out, r);
	}
	return rc ? -1 : 0;
}
