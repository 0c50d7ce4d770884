#include "lib/base/sv.h"

struct sv sv_n(const char *p, size_t len)
{
	return (struct sv){ .p = p ? p : "", .len = len };
}

struct sv sv_z(const char *z)
{
	return z ? (struct sv){ .p = z, .len = strlen(z) } : SV_NONE;
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

bool ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool ascii_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool sv_eq(struct sv a, struct sv b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool sv_eqz(struct sv a, const char *z)
{
	return sv_eq(a, sv_z(z));
}

bool sv_ieq(struct sv a, struct sv b)
{
	return a.len == b.len && sv_icmp(a, b) == 0;
}

bool sv_ieqz(struct sv a, const char *z)
{
	return sv_ieq(a, sv_z(z));
}

int sv_cmp(struct sv a, struct sv b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	if (c != 0)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

int sv_icmp(struct sv a, struct sv b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++) {
		unsigned char x = (unsigned char)ascii_lower(a.p[i]);
		unsigned char y = (unsigned char)ascii_lower(b.p[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

bool sv_starts(struct sv s, struct sv prefix)
{
	return s.len >= prefix.len && sv_eq(sv_upto(s, prefix.len), prefix);
}

bool sv_istarts(struct sv s, struct sv prefix)
{
	return s.len >= prefix.len && sv_ieq(sv_upto(s, prefix.len), prefix);
}

bool sv_ends(struct sv s, struct sv suffix)
{
	return s.len >= suffix.len && sv_eq(sv_from(s, s.len - suffix.len), suffix);
}

bool sv_iends(struct sv s, struct sv suffix)
{
	return s.len >= suffix.len && sv_ieq(sv_from(s, s.len - suffix.len), suffix);
}

ptrdiff_t sv_chr(struct sv s, char c)
{
	const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;
	return hit ? hit - s.p : -1;
}

ptrdiff_t sv_rchr(struct sv s, char c)
{
	const char *hit = s.len ? memrchr(s.p, c, s.len) : NULL;
	return hit ? hit - s.p : -1;
}

ptrdiff_t sv_find(struct sv s, struct sv needle)
{
	if (needle.len == 0)
		return 0;
	const char *hit = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
	return hit ? hit - s.p : -1;
}

ptrdiff_t sv_ifind(struct sv s, struct sv needle)
{
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (sv_ieq(sv_sub(s, i, needle.len), needle))
			return (ptrdiff_t)i;
	return -1;
}

struct sv sv_from(struct sv s, size_t start)
{
	if (start > s.len)
		start = s.len;
	return sv_n(s.p + start, s.len - start);
}

struct sv sv_upto(struct sv s, size_t len)
{
	return sv_n(s.p, len < s.len ? len : s.len);
}

struct sv sv_sub(struct sv s, size_t start, size_t len)
{
	return sv_upto(sv_from(s, start), len);
}

struct sv sv_trim_left(struct sv s)
{
	while (s.len && ascii_is_blank(s.p[0]))
		s = sv_from(s, 1);
	return s;
}

struct sv sv_trim_right(struct sv s)
{
	while (s.len && ascii_is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct sv sv_trim(struct sv s)
{
	return sv_trim_left(sv_trim_right(s));
}

struct sv sv_take_word(struct sv *rest)
{
	struct sv s = sv_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_blank(s.p[n]))
		n++;
	*rest = sv_trim_left(sv_from(s, n));
	return sv_upto(s, n);
}

struct sv sv_take_until(struct sv *rest, char c)
{
	struct sv s = *rest;
	ptrdiff_t at = sv_chr(s, c);
	if (at < 0) {
		*rest = sv_from(s, s.len);
		return s;
	}
	*rest = sv_from(s, (size_t)at + 1);
	return sv_upto(s, (size_t)at);
}

bool sv_take_line(struct sv *rest, struct sv *line)
{
	if (rest->len == 0)
		return false;
	*line = sv_take_until(rest, '\n');
	if (line->len && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

bool sv_is_print(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

int sv_copyz(struct sv s, char *dst, size_t size)
{
	if (s.len >= size || sv_chr(s, '\0') >= 0)
		return -1;
	if (s.len)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}
