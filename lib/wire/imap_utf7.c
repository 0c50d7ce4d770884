#include "lib/wire/imap_utf7.h"

#include "lib/base/utf8.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

/* "&...-" behind the '&': UTF-16 units, of which none is printable ASCII. Returns octets taken up
 * to and with '-', or 0. */
static size_t decode_shift(struct sv s, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned nbits = 0;
	size_t i = 0;
	for (; i < s.len && s.p[i] != '-'; i++) {
		int d = digit(s.p[i]);
		if (d < 0)
			return 0;
		bits = bits << 6 | (uint32_t)d;
		nbits += 6;
		if (nbits < 16)
			continue;
		nbits -= 16;
		uint32_t unit = bits >> nbits & 0xffff;
		bits &= (1u << nbits) - 1;
		bool low = unit >= 0xdc00 && unit <= 0xdfff;
		if ((high != 0) != low)
			return 0;
		if (unit >= 0xd800 && unit <= 0xdbff) {
			high = unit;
			continue;
		}
		uint32_t c = high ? 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00) : unit;
		high = 0;
		if (c == 0 || (c >= 0x20 && c <= 0x7e) || utf8_encode(out, c) < 0)
			return 0;
	}
	if (i == 0 || i == s.len || high || nbits >= 6 || bits)
		return 0;
	return i + 1;
}

int imap_utf7_decode(struct buf *out, struct sv name)
{
	size_t mark = out->len;
	bool shifted = false; /* the octet before closed a shift */
	for (size_t i = 0; i < name.len;) {
		char c = name.p[i++];
		if (c < 0x20 || c == 0x7f)
			goto bad; /* also octets over 0x7f where char is signed */
		if ((unsigned char)c >= 0x80)
			goto bad;
		if (c != '&') {
			shifted = false;
			if (buf_putc(out, c) < 0)
				goto bad;
			continue;
		}
		if (i < name.len && name.p[i] == '-') {
			i++;
			shifted = false;
			if (buf_putc(out, '&') < 0)
				goto bad;
			continue;
		}
		size_t n = shifted ? 0 : decode_shift(sv_from(name, i), out);
		if (n == 0)
			goto bad; /* two shifts in a row have a shorter form */
		i += n;
		shifted = true;
	}
	return 1;
bad:
	buf_truncate(out, mark);
	return -1;
}

/* UTF-16 units of one run, as base64 without padding. */
struct shift {
	struct buf *out;
	uint32_t bits;
	unsigned nbits;
	int rc;
};

static void put_unit(struct shift *s, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	s->nbits += 16;
	while (s->nbits >= 6) {
		s->nbits -= 6;
		s->rc |= buf_putc(s->out, alphabet[s->bits >> s->nbits & 63]);
	}
	s->bits &= (1u << s->nbits) - 1;
}

static void end_shift(struct shift *s)
{
	if (s->nbits)
		s->rc |= buf_putc(s->out, alphabet[s->bits << (6 - s->nbits) & 63]);
	s->rc |= buf_putc(s->out, '-');
	s->bits = 0;
	s->nbits = 0;
}

int imap_utf7_encode(struct buf *out, struct sv utf8)
{
	struct shift s = { .out = out };
	size_t mark = out->len;
	bool in_shift = false;
	while (utf8.len && s.rc == 0) {
		uint32_t c;
		size_t n = utf8_decode(utf8, &c);
		if (n == 0 || c == 0) {
			s.rc = -1;
			break;
		}
		bool plain = c >= 0x20 && c <= 0x7e;
		if (plain && in_shift)
			end_shift(&s);
		if (!plain && !in_shift)
			s.rc |= buf_putc(out, '&');
		in_shift = !plain;
		if (plain)
			s.rc |= c == '&' ? buf_puts(out, "&-") : buf_putc(out, (char)c);
		else if (c >= 0x10000) {
			put_unit(&s, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else
			put_unit(&s, c);
		utf8 = sv_from(utf8, n);
	}
	if (in_shift && s.rc == 0)
		end_shift(&s);
	if (s.rc == 0)
		return 1;
	buf_truncate(out, mark);
	return -1;
}
