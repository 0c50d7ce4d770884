#include "lib/mail/dsn.h"

#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "lib/mail/header.h"

/* One to three digits at the start of *S, cut off. */
static bool take_number(struct sv *s, uint16_t *out)
{
	unsigned v = 0;
	size_t n = 0;
	while (n < s->len && n < 4 && ascii_is_digit(s->p[n]))
		v = v * 10 + (unsigned)(s->p[n++] - '0');
	if (n == 0 || n > 3)
		return false;
	*out = (uint16_t)v;
	*s = sv_from(*s, n);
	return true;
}

static bool take_dot(struct sv *s)
{
	if (s->len == 0 || s->p[0] != '.')
		return false;
	*s = sv_from(*s, 1);
	return true;
}

int dsn_parse(struct sv s, struct dsn_code *code, struct sv *rest)
{
	struct dsn_code c;
	if (s.len < 5 || s.p[1] != '.' || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5'))
		return 0;
	if (!take_number(&s, &c.cls) || !take_dot(&s) || !take_number(&s, &c.subject) ||
		!take_dot(&s) || !take_number(&s, &c.detail) ||
		(s.len && !ascii_is_blank(s.p[0])))
		return 0;
	*code = c;
	if (rest)
		*rest = sv_trim_left(s);
	return 1;
}

const char *dsn_format(struct dsn_code code, char dst[DSN_TEXT_MAX])
{
	snprintf(dst, DSN_TEXT_MAX, "%u.%u.%u", code.cls % 10u, code.subject % 1000u,
		code.detail % 1000u);
	return dst;
}

void dsn_split(struct sv s, struct dsn_code def, struct dsn_code *code, struct sv *text)
{
	s = sv_trim(s);
	*code = def;
	*text = s;
	if (dsn_parse(s, code, text) != 1)
		*code = def;
}

struct dsn_code dsn_with_class(struct dsn_code code, unsigned cls)
{
	code.cls = (uint16_t)cls;
	return code;
}

int dsn_notify_parse(struct sv s, unsigned *mask)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "NEVER", DSN_NOTIFY_NEVER },
		{ "SUCCESS", DSN_NOTIFY_SUCCESS },
		{ "FAILURE", DSN_NOTIFY_FAILURE },
		{ "DELAY", DSN_NOTIFY_DELAY },
	};
	unsigned m = 0;
	for (bool more = true; more;) {
		more = sv_chr(s, ',') >= 0;
		struct sv word = sv_take_until(&s, ',');
		unsigned bit = 0;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (sv_ieqz(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0 || (m & bit))
			return -1;
		m |= bit;
	}
	if ((m & DSN_NOTIFY_NEVER) && m != DSN_NOTIFY_NEVER)
		return -1;
	*mask = m;
	return 1;
}

int dsn_notify_format(struct buf *out, unsigned mask)
{
	static const char *const words[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	int rc = 0;
	bool first = true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(mask & 1u << i))
			continue;
		if (!first)
			rc |= buf_putc(out, ',');
		rc |= buf_puts(out, words[i]);
		first = false;
	}
	return rc;
}

int dsn_ret_parse(struct sv s, enum dsn_ret *ret)
{
	if (sv_ieqz(s, "FULL"))
		*ret = DSN_RET_FULL;
	else if (sv_ieqz(s, "HDRS"))
		*ret = DSN_RET_HDRS;
	else
		return -1;
	return 1;
}

int xtext_encode(struct buf *out, struct sv s)
{
	int rc = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c > ' ' && c < 0x7f && c != '+' && c != '=')
			rc |= buf_putc(out, s.p[i]);
		else
			rc |= buf_printf(out, "+%02X", c);
	}
	return rc;
}

int utf8_xtext_encode(struct buf *out, struct sv s)
{
	int rc = 0;
	while (s.len) {
		uint32_t c = (unsigned char)s.p[0];
		size_t n = utf8_decode(s, &c);
		if (c > ' ' && c < 0x7f && c != '+' && c != '=' && c != '\\')
			rc |= buf_putc(out, (char)c);
		else if (n == 0)
			rc |= buf_puts(out, "\\x{FFFD}");
		else
			rc |= buf_printf(out, "\\x{%02X}", (unsigned)c);
		s = sv_from(s, n ? n : 1);
	}
	return rc;
}

/* Upper-case hex digits only, as RFC 3461 4 has it. */
static int upper_hex(char c)
{
	return c >= 'a' && c <= 'f' ? -1 : num_hex(c);
}

int xtext_decode(struct buf *out, struct sv s, bool utf8)
{
	size_t mark = out->len;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool raw = (c > ' ' && c < 0x7f) || (utf8 && (unsigned char)c >= 0x80);
		if (!raw || c == '=')
			goto bad;
		if (c == '+') {
			int hi = i + 2 < s.len ? upper_hex(s.p[i + 1]) : -1;
			int lo = i + 2 < s.len ? upper_hex(s.p[i + 2]) : -1;
			if (hi < 0 || lo < 0)
				goto bad;
			c = (char)(hi << 4 | lo);
			i += 2;
			bool high = (unsigned char)c >= 0x80;
			if ((unsigned char)c < 0x20 || c == 0x7f || (high && !utf8))
				goto bad;
		}
		if (buf_putc(out, c) < 0)
			goto bad;
	}
	if (utf8 && !utf8_valid(sv_from(buf_sv(out), mark)))
		goto bad;
	return 1;
bad:
	buf_truncate(out, mark);
	return -1;
}

/* "{F6}" at the start of S. Its length, with the code point in *OUT; 0 it is none. */
static size_t braced_hex(struct sv s, uint32_t *out)
{
	size_t n = 1;
	*out = 0;
	if (s.len == 0 || s.p[0] != '{')
		return 0;
	for (; n < s.len && n <= 6 && num_hex(s.p[n]) >= 0; n++)
		*out = *out << 4 | (uint32_t)num_hex(s.p[n]);
	return n > 1 && n < s.len && s.p[n] == '}' ? n + 1 : 0;
}

int utf8_xtext_decode(struct buf *out, struct sv s)
{
	size_t mark = out->len;
	bool ok = utf8_valid(s);
	while (ok && s.len) {
		uint32_t c;
		size_t n = 1;
		if (s.p[0] != '\\') {
			ok = buf_putc(out, s.p[0]) == 0;
		} else {
			n = sv_starts(s, SV("\\x")) ? braced_hex(sv_from(s, 2), &c) : 0;
			/* utf8_encode() refuses surrogates and what is past the last code point */
			ok = n > 0 && c >= 0x20 && (c < 0x7f || c > 0x9f) && utf8_encode(out, c) == 0;
			n += 2;
		}
		s = sv_from(s, n);
	}
	if (!ok)
		buf_truncate(out, mark);
	return ok ? 1 : -1;
}

int dsn_orcpt_decode(struct buf *out, struct sv orcpt)
{
	struct sv type, addr;
	size_t mark = out->len;
	if (dsn_addr_split(orcpt, &type, &addr) != 1)
		return -1;
	bool utf8 = sv_ieqz(type, "utf-8");
	if (buf_put_sv(out, type) < 0 || buf_putc(out, ';') < 0 || xtext_decode(out, addr, utf8) != 1) {
		buf_truncate(out, mark);
		return -1;
	}
	if (utf8) {
		struct buf plain;
		size_t start = mark + type.len + 1;
		buf_init(&plain, 4 * DSN_ORCPT_MAX);
		if (utf8_xtext_decode(&plain, sv_from(buf_sv(out), start)) == 1) {
			buf_truncate(out, start);
			if (buf_put_sv(out, buf_sv(&plain)) < 0)
				buf_truncate(out, mark);
		}
		buf_free(&plain);
	}
	return out->len > mark ? 1 : -1;
}

int dsn_addr_split(struct sv s, struct sv *type, struct sv *addr)
{
	ptrdiff_t semi = sv_chr(s, ';');
	if (semi <= 0)
		return -1;
	struct sv t = sv_upto(s, (size_t)semi);
	for (size_t i = 0; i < t.len; i++)
		if (!ascii_is_alnum(t.p[i]) && t.p[i] != '-')
			return -1;
	*type = t;
	*addr = sv_from(s, (size_t)semi + 1);
	return 1;
}

int dsn_field(struct buf *out, const char *name, struct sv value)
{
	return header_put(out, sv_z(name), value, 900);
}

int dsn_typed_field(struct buf *out, const char *name, const char *type, struct sv value)
{
	struct buf b;
	buf_init(&b, value.len + strlen(type) + 16);
	int rc = buf_printf(&b, "%s; ", type);
	rc |= buf_put_sv(&b, value);
	rc |= dsn_field(out, name, buf_sv(&b));
	buf_free(&b);
	return rc;
}
