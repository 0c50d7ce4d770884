#include "lib/mail/transfer.h"

#include "lib/base/num.h"

static const char *const names[] = {
	[TRANSFER_7BIT] = "7bit",
	[TRANSFER_8BIT] = "8bit",
	[TRANSFER_BINARY] = "binary",
	[TRANSFER_QP] = "quoted-printable",
	[TRANSFER_BASE64] = "base64",
	[TRANSFER_UNKNOWN] = "unknown",
};

const char *transfer_encoding_name(enum transfer_encoding kind)
{
	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}

enum transfer_encoding transfer_encoding_of(struct sv value)
{
	size_t n = 0;
	value = sv_trim(value);
	if (value.len && value.p[0] == '(') { /* "(comment) base64" */
		ptrdiff_t close = sv_chr(value, ')');
		value = close < 0 ? SV_NONE : sv_trim(sv_from(value, (size_t)close + 1));
	}
	while (n < value.len && !ascii_is_blank(value.p[n]) && value.p[n] != ';' && value.p[n] != '(')
		n++;
	value = sv_upto(value, n);
	for (size_t i = 0; i < TRANSFER_UNKNOWN; i++)
		if (sv_ieqz(value, names[i]))
			return (enum transfer_encoding)i;
	return value.len ? TRANSFER_UNKNOWN : TRANSFER_7BIT;
}

void transfer_init(struct transfer_decoder *d, enum transfer_encoding kind)
{
	*d = (struct transfer_decoder){ .kind = kind };
}

/* Value of a base64 digit; -1 for everything else. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Octets that are no digits are skipped; '=' ends a quantum, and what follows is a new one (mail
 * is sometimes joined from several encodings). */
static int decode_base64(struct transfer_decoder *d, struct sv in, struct buf *out)
{
	char *o = buf_room(out, in.len + 3);
	size_t n = 0;
	if (!o)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		int v = digit(in.p[i]);
		if (in.p[i] == '=') {
			d->bits = 0;
			d->nbits = 0;
		}
		if (v < 0)
			continue;
		d->bits = d->bits << 6 | (uint32_t)v;
		d->nbits += 6;
		if (d->nbits >= 8) {
			d->nbits -= 8;
			o[n++] = (char)(d->bits >> d->nbits);
			d->bits &= (1u << d->nbits) - 1;
		}
	}
	buf_added(out, n);
	return 0;
}

/* ---- quoted-printable: what is held is "=", "=X", or blanks that a line end would remove ---- */

static int flush_held(struct transfer_decoder *d, struct buf *out)
{
	int rc = buf_put(out, d->held, d->nheld);
	d->nheld = 0;
	return rc;
}

static bool hold(struct transfer_decoder *d, char c)
{
	if (d->nheld == sizeof(d->held))
		return false;
	d->held[d->nheld++] = c;
	return true;
}

/* One octet behind a held "=", "=X" or "= \t\r" (a soft line break may have blanks before its
 * line end). */
static int after_equal(struct transfer_decoder *d, char c, struct buf *out)
{
	int hi = d->nheld > 1 ? num_hex(d->held[1]) : -1;
	if (c == '\n' && hi < 0) {
		d->nheld = 0; /* soft line break */
		return 0;
	}
	if (d->nheld == 1 && num_hex(c) >= 0) {
		d->held[d->nheld++] = c;
		return 0;
	}
	if (hi >= 0 && num_hex(c) >= 0) {
		d->nheld = 0;
		return buf_putc(out, (char)(hi << 4 | num_hex(c)));
	}
	if (hi < 0 && ascii_is_blank(c) && hold(d, c))
		return 0;
	return 1; /* not an escape: as written, C is looked at again */
}

static int decode_qp(struct transfer_decoder *d, struct sv in, struct buf *out)
{
	int rc = 0;
	for (size_t i = 0; i < in.len && rc >= 0; i++) {
		char c = in.p[i];
		if (d->nheld && d->held[0] == '=') {
			rc = after_equal(d, c, out);
			if (rc != 1)
				continue;
			rc = flush_held(d, out);
		}
		if (c == '=') {
			rc |= flush_held(d, out);
			hold(d, c);
		} else if (c == ' ' || c == '\t' || c == '\r') {
			if (!hold(d, c)) {
				rc |= flush_held(d, out);
				hold(d, c);
			}
		} else if (c == '\n') {
			/* blanks at the end of a line were added on the way; a CR belongs to the end */
			bool cr = d->nheld && d->held[d->nheld - 1] == '\r';
			d->nheld = 0;
			rc |= buf_puts(out, cr ? "\r\n" : "\n");
		} else {
			rc |= flush_held(d, out);
			rc |= buf_putc(out, c);
		}
	}
	return rc < 0 ? -1 : 0;
}

int transfer_decode(struct transfer_decoder *d, struct sv in, struct buf *out)
{
	switch (d->kind) {
	case TRANSFER_BASE64: return decode_base64(d, in, out);
	case TRANSFER_QP: return decode_qp(d, in, out);
	default: return buf_put_sv(out, in);
	}
}

int transfer_finish(struct transfer_decoder *d, struct buf *out)
{
	bool soft_break = d->nheld == 1 && d->held[0] == '='; /* cut off behind a lone '=' */
	int rc = soft_break ? 0 : flush_held(d, out);
	d->nheld = 0;
	return rc;
}

int transfer_decode_all(enum transfer_encoding kind, struct sv in, struct buf *out)
{
	struct transfer_decoder d;
	transfer_init(&d, kind);
	return transfer_decode(&d, in, out) < 0 ? -1 : transfer_finish(&d, out);
}
