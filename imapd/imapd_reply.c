#include <errno.h>
#include <stdarg.h>

#include "imapd/imapd.h"
#include "lib/sys/log.h"
#include "lib/wire/imap_write.h"

static void tagged(struct imap_session *s, const char *word, const char *fmt, va_list ap)
        PRINTF_LIKE(3, 0);

static void tagged(struct imap_session *s, const char *word, const char *fmt, va_list ap)
{
	buf_reset(&s->out);
	buf_put_sv(&s->out, sv_empty(s->cmd.tag) ? SV("*") : s->cmd.tag);
	buf_putc(&s->out, ' ');
	buf_puts(&s->out, word);
	buf_putc(&s->out, ' ');
	buf_vprintf(&s->out, fmt, ap);
	buf_puts(&s->out, "\r\n");
	imapd_send_out(s);
}

void imapd_ok(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	if (!imapd_sync(s, imapd_may_expunge(s)))
		return;
	s->errors = 0;
	va_start(ap, fmt);
	tagged(s, "OK", fmt, ap);
	va_end(ap);
}

void imapd_no(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tagged(s, "NO", fmt, ap);
	va_end(ap);
}

static void tagged_fixed(struct imap_session *s, const char *word, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

static void tagged_fixed(struct imap_session *s, const char *word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tagged(s, word, fmt, ap);
	va_end(ap);
}

void imapd_bad(struct imap_session *s, const char *why)
{
	tagged_fixed(s, "BAD", "%s", why);
	if (++s->errors >= s->set->max_errors)
		imapd_bye(s, "Too many invalid commands.", "Too many invalid commands");
}

void imapd_failed(struct imap_session *s, const char *what, const struct err *e)
{
	if (e->cls == ERR_PERM) {
		struct buf text;

		buf_init(&text, 2 * ERR_TEXT_MAX);
		imap_put_text(&text, sv_z(e->text));
		imapd_no(s, "[CANNOT] %s", buf_z(&text));
		buf_free(&text);
		return;
	}
	log_error("imap(%s): %s: %s", s->user, what, e->text);
	if (e->sys_errno == EDQUOT)
		imapd_no(s, "[OVERQUOTA] The mailbox is full.");
	else if (e->sys_errno == ENOSPC)
		imapd_no(s, "[UNAVAILABLE] No space left here, try again later.");
	else
		imapd_no(s, "[UNAVAILABLE] Temporary trouble here, try again later.");
}

void imapd_exhausted(struct imap_session *s)
{
	log_warn("imap(%s): a command needs more than %zu octets of memory (imapd_memory_limit)",
	        s->user, s->set->memory_limit);
	imapd_bye(s, "[LIMIT] This needs too much memory.", "Memory limit");
}

void imapd_syntax(struct imap_session *s)
{
	if (s->arena.exhausted)
		imapd_exhausted(s);
	else
		imapd_bad(s, s->parse.why ? s->parse.why : "Bad arguments.");
}

void imapd_bye(struct imap_session *s, const char *text, const char *why)
{
	if (s->done)
		return;
	stream_printf(s->io, "* BYE %s\r\n", text);
	s->done = true;
	s->why = why;
}

void imapd_send_out(struct imap_session *s)
{
	if (s->out.overflow)
		imapd_bye(s, "[SERVERBUG] Answer too long.", "Answer too long");
	else if (stream_put_sv(s->io, buf_sv(&s->out)) != 1) {
		s->done = true;
		s->why = "Connection closed";
	}
	buf_reset(&s->out);
}
