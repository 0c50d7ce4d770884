#include "lib/wire/imap_write.h"

#include "lib/wire/imap_utf7.h"

enum { QUOTED_MAX = 1000 };

/* Octets of TEXT-CHAR (RFC 9051 9); 8-bit ones only where UTF-8 is spoken. */
static bool quotable(struct sv s, bool utf8)
{
	if (s.len > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '\0' || c == '\r' || c == '\n' || (c >= 0x80 && !utf8))
			return false;
	}
	return true;
}

static int put_quoted(struct buf *out, struct sv s)
{
	char *o = buf_room(out, 2 * s.len + 2);
	size_t n = 0;
	if (!o)
		return -1;
	o[n++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			o[n++] = '\\';
		o[n++] = s.p[i];
	}
	o[n++] = '"';
	buf_added(out, n);
	return 0;
}

int imap_put_literal_head(struct buf *out, uint64_t n)
{
	return buf_printf(out, "{%llu}\r\n", (unsigned long long)n);
}

int imap_put_string(struct buf *out, struct sv s)
{
	if (quotable(s, false))
		return put_quoted(out, s);
	if (imap_put_literal_head(out, s.len) < 0 || buf_put_sv(out, s) < 0)
		return -1;
	for (size_t i = out->len - s.len; i < out->len; i++)
		if (out->p[i] == '\0')
			out->p[i] = (char)0x80;
	return 0;
}

int imap_put_nstring(struct buf *out, struct sv s, bool nil)
{
	return nil ? buf_puts(out, "NIL") : imap_put_string(out, s);
}

int imap_put_astring(struct buf *out, struct sv s)
{
	bool atom = s.len > 0 && !sv_ieqz(s, "NIL");
	for (size_t i = 0; i < s.len && atom; i++)
		atom = s.p[i] > ' ' && s.p[i] < 0x7f && !strchr("(){%*\"\\", s.p[i]);
	return atom ? buf_put_sv(out, s) : imap_put_string(out, s);
}

int imap_put_mailbox(struct buf *out, struct sv name, bool utf8)
{
	struct buf b;
	if (utf8 && quotable(name, true))
		return put_quoted(out, name);
	buf_init(&b, 8 * name.len + 16);
	int rc = imap_utf7_encode(&b, name) == 1 ? imap_put_astring(out, buf_sv(&b))
						 : imap_put_string(out, name);
	buf_free(&b);
	return rc;
}

int imap_put_text(struct buf *out, struct sv s)
{
	int rc = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		rc |= buf_putc(out, c < 0x20 || c >= 0x7f ? '?' : s.p[i]);
	}
	return rc;
}
