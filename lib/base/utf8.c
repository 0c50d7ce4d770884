#include "lib/base/utf8.h"

size_t utf8_decode(struct sv s, uint32_t *out)
{
	if (s.len == 0)
		return 0;
	unsigned char c = (unsigned char)s.p[0];
	if (c < 0x80) {
		*out = c;
		return 1;
	}
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (c < 0xc2 || c > 0xf4 || s.len < n)
		return 0;
	uint32_t v = c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char d = (unsigned char)s.p[i];
		if ((d & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (d & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*out = v;
	return n;
}

bool utf8_valid(struct sv s)
{
	while (s.len) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);
		if (n == 0)
			return false;
		s = sv_from(s, n);
	}
	return true;
}

int utf8_encode(struct buf *out, uint32_t c)
{
	char o[4];
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	if (c < 0x80)
		return buf_putc(out, (char)c);
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; --i > 0; c >>= 6)
		o[i] = (char)(0x80 | (c & 0x3f));
	o[0] = (char)((0xf00u >> n) | c);
	return buf_put(out, o, n);
}

bool utf8_is_ascii(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}
