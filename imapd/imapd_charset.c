#include "imapd/imapd_charset.h"

#include <errno.h>
#include <iconv.h>

#include "lib/base/utf8.h"

#define NAME_MAX_OCTETS 40
#define PIECE           4096

void imapd_charset_load(void)
{
	static const char *const names[] = { "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5",
		"ISO-8859-6", "ISO-8859-7", "ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-11", "ISO-8859-13",
		"ISO-8859-14", "ISO-8859-15", "ISO-8859-16", "KOI8-R", "KOI8-U", "WINDOWS-1250", "WINDOWS-1251",
		"WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257",
		"WINDOWS-1258", "TIS-620", "GBK", "GB18030", "BIG5", "EUC-TW", "SHIFT_JIS", "EUC-JP", "ISO-2022-JP",
		"EUC-KR", "ISO-2022-KR", "UTF-7", "MACINTOSH", "IBM850" };
	/* open for good: a converter that nobody uses would be unloaded */
	static iconv_t held[ARRAY_LEN(names)];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!held[i])
			held[i] = iconv_open("UTF-8", names[i]);
}

/* What iconv makes of one piece after the other; undecodable octets become U+FFFD. */
static int convert(iconv_t cd, struct sv text, struct buf *out)
{
	char *in = (char *)(uintptr_t)text.p; /* iconv's prototype lacks const */
	size_t left = text.len;
	char piece[PIECE];

	while (left > 0) {
		char *to = piece;
		size_t room = sizeof(piece);
		size_t rc = iconv(cd, &in, &left, &to, &room);
		int err = errno;

		if (buf_put(out, piece, (size_t)(to - piece)) < 0)
			return -1;
		if (rc != (size_t)-1 || err == E2BIG)
			continue;
		if (utf8_encode(out, 0xfffd) < 0)
			return -1;
		if (err == EINVAL)
			break; /* cut off in the middle of a character */
		in++;
		left--;
	}
	return 1;
}

static int by_iconv(UNUSED void *ctx, struct sv charset, struct sv text, struct buf *out)
{
	char name[NAME_MAX_OCTETS + 1];

	if (sv_empty(charset) || sv_copyz(charset, name, sizeof(name)) < 0)
		return 0;
	/* no "//TRANSLIT", no paths */
	for (const char *p = name; *p; p++)
		if (!ascii_is_alnum(*p) && *p != '-' && *p != '_' && *p != '.' && *p != ':')
			return 0;
	iconv_t cd = iconv_open("UTF-8", name);

	if (cd == (iconv_t)-1)
		return 0;
	int rc = convert(cd, text, out);

	iconv_close(cd);
	return rc;
}

const struct charset_hook imapd_charset_hook = { .to_utf8 = by_iconv };

/* Simple lower case of the scripts whose upper case stands in regular blocks. */
static uint32_t lower(uint32_t c)
{
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) ||
	        (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	/* pairs, even upper case: Latin Extended-A, Cyrillic, Latin Extended Additional */
	if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14a && c <= 0x177) ||
	        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
	        (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff))
		return c | 1;
	/* pairs, odd upper case */
	if (((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) && c & 1)
		return c + 1;
	if (c == 0x178)
		return 0xff;
	return c;
}

int imapd_fold(struct buf *out, struct sv s)
{
	while (s.len > 0) {
		uint32_t c;
		size_t n = 0;

		/* runs of ASCII are the rule */
		while (n < s.len && (unsigned char)s.p[n] < 0x80)
			n++;
		if (n > 0) {
			char *to = buf_room(out, n);

			if (!to)
				return -1;
			for (size_t i = 0; i < n; i++)
				to[i] = ascii_lower(s.p[i]);
			buf_added(out, n);
		} else {
			n = utf8_decode(s, &c);
			if (utf8_encode(out, n ? lower(c) : 0xfffd) < 0)
				return -1;
			n = n ? n : 1;
		}
		s = sv_from(s, n);
	}
	return 0;
}
