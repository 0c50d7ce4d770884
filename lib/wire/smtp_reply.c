#include "lib/wire/smtp_reply.h"

#include "lib/base/utf8.h"

void smtp_reply_init(struct smtp_reply *r)
{
	*r = (struct smtp_reply){ .code = 0 };
	buf_init(&r->text, SMTP_REPLY_TEXT_MAX);
}

void smtp_reply_free(struct smtp_reply *r)
{
	buf_free(&r->text);
}

void smtp_reply_reset(struct smtp_reply *r)
{
	struct buf text = r->text;
	buf_reset(&text);
	*r = (struct smtp_reply){ .text = text };
}

int smtp_text_clean(struct buf *out, struct sv text, bool utf8)
{
	bool high = utf8 && utf8_valid(text);
	char *o = buf_room(out, text.len);
	if (!o)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		o[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !high) ? '?' : text.p[i];
	}
	buf_added(out, text.len);
	return 0;
}

int smtp_reply_line(struct smtp_reply *r, struct sv line)
{
	if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
		!ascii_is_digit(line.p[2]))
		return -1;
	int code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
	char sep = line.len > 3 ? line.p[3] : ' ';
	if ((sep != ' ' && sep != '-') || (r->code && r->code != code))
		return -1; /* all lines carry one code (RFC 5321 4.2.1) */
	if (++r->lines > SMTP_REPLY_LINES_MAX)
		return -1;
	r->code = code;
	struct dsn_code dsn;
	if (dsn_parse(sv_from(line, 4), &dsn, NULL) == 1 && dsn.cls == (unsigned)(line.p[0] - '0')) {
		r->dsn = dsn;
		r->has_dsn = true;
	}
	bool fits = r->text.len + line.len + 1 <= r->text.max && !r->truncated;
	if (fits) {
		if (r->text.len)
			buf_putc(&r->text, '\n');
		smtp_text_clean(&r->text, line, true);
	}
	r->truncated |= !fits;
	return sep == ' ';
}

int smtp_reply_put(struct buf *out, int code, struct dsn_code dsn, struct sv text)
{
	char z[DSN_TEXT_MAX];
	struct sv line;
	int rc = 0;
	if (text.len == 0)
		text = SV("\n");
	while (sv_take_line(&text, &line)) {
		rc |= buf_printf(out, "%03d%c", code, text.len ? '-' : ' ');
		if (dsn.cls)
			rc |= buf_printf(out, "%s ", dsn_format(dsn, z));
		rc |= smtp_text_clean(out, line, true);
		rc |= buf_puts(out, "\r\n");
	}
	return rc;
}
