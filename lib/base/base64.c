#include "lib/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, struct sv s)
{
	char *o = buf_room(out, (s.len + 2) / 3 * 4);
	size_t n = 0;
	if (!o)
		return -1;
	for (size_t i = 0; i < s.len; i += 3) {
		unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
		if (i + 1 < s.len)
			v |= (unsigned)(unsigned char)s.p[i + 1] << 8;
		if (i + 2 < s.len)
			v |= (unsigned char)s.p[i + 2];
		o[n++] = alphabet[v >> 18];
		o[n++] = alphabet[(v >> 12) & 63];
		o[n++] = i + 1 < s.len ? alphabet[(v >> 6) & 63] : '=';
		o[n++] = i + 2 < s.len ? alphabet[v & 63] : '=';
	}
	buf_added(out, n);
	return 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *out, struct sv s)
{
	if (s.len % 4 != 0)
		return -1;
	size_t mark = out->len;
	for (size_t i = 0; i < s.len; i += 4) {
		size_t pad = 0;
		unsigned v = 0;
		if (i + 4 == s.len)
			pad = (s.p[i + 3] == '=') + (size_t)(s.p[i + 3] == '=' && s.p[i + 2] == '=');
		for (size_t k = 0; k < 4; k++) {
			int d = k >= 4 - pad ? 0 : value_of(s.p[i + k]);
			if (d < 0)
				goto bad;
			v = v << 6 | (unsigned)d;
		}
		char o[3] = { (char)(v >> 16), (char)(v >> 8), (char)v };
		if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
			goto bad;
		if (buf_put(out, o, 3 - pad) < 0)
			goto bad;
	}
	return 1;
bad:
	buf_truncate(out, mark);
	return -1;
}

int hex_encode(struct buf *out, struct sv s)
{
	static const char digits[] = "0123456789abcdef";
	char *o = buf_room(out, s.len * 2);
	if (!o)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		o[2 * i] = digits[(unsigned char)s.p[i] >> 4];
		o[2 * i + 1] = digits[s.p[i] & 15];
	}
	buf_added(out, s.len * 2);
	return 0;
}
