#include "lib/mail/rfc2047.h"

#include "lib/base/num.h"
#include "lib/base/utf8.h"
#include "lib/mail/transfer.h"

/* ---- charsets ---- */

/* windows-1252, 0x80-0x9f; 0 is not assigned. */
static const uint16_t cp1252[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
	0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc,
	0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

enum { REPLACEMENT = 0xfffd };

static int put_utf8(struct buf *out, struct sv s)
{
	int rc = 0;
	while (s.len) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);
		rc |= n ? buf_put(out, s.p, n) : utf8_encode(out, REPLACEMENT);
		s = sv_from(s, n ? n : 1);
	}
	return rc;
}

static int put_8bit(struct buf *out, struct sv s, bool ascii, bool windows)
{
	int rc = 0;
	for (size_t i = 0; i < s.len; i++) {
		uint32_t c = (unsigned char)s.p[i];
		if (ascii && c >= 0x80)
			c = REPLACEMENT;
		else if (windows && c >= 0x80 && c < 0xa0)
			c = cp1252[c - 0x80] ? cp1252[c - 0x80] : REPLACEMENT;
		rc |= utf8_encode(out, c);
	}
	return rc;
}

static bool is_one_of(struct sv s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sv_ieqz(s, list[i]))
			return true;
	return false;
}

int charset_to_utf8(struct sv charset, struct sv text, const struct charset_hook *hook,
	struct buf *out)
{
	static const char *const utf8[] = { "utf-8", "utf8" };
	static const char *const ascii[] = { "us-ascii", "ascii", "" };
	static const char *const latin1[] = { "iso-8859-1", "latin1", "iso8859-1", "iso_8859-1" };
	static const char *const windows[] = { "windows-1252", "cp1252" };
	int rc;
	if (is_one_of(charset, utf8, ARRAY_LEN(utf8)))
		rc = put_utf8(out, text);
	else if (is_one_of(charset, ascii, ARRAY_LEN(ascii)))
		rc = put_8bit(out, text, true, false);
	else if (is_one_of(charset, latin1, ARRAY_LEN(latin1)))
		rc = put_8bit(out, text, false, false);
	else if (is_one_of(charset, windows, ARRAY_LEN(windows)))
		rc = put_8bit(out, text, false, true);
	else
		return hook ? hook->to_utf8(hook->ctx, charset, text, out) : 0;
	return rc < 0 ? -1 : 1;
}

/* ---- encoded words ---- */

struct word {
	struct sv charset;
	char encoding; /* 'B' or 'Q' */
	struct sv text;
	size_t len; /* of the whole word */
};

enum { WORD_MAX = 2048 }; /* RFC 2047 says 75; some writers do not care */

/* "=?charset*lang?B?text?=" at the start of S. */
static bool word_at(struct sv s, struct word *w)
{
	struct sv rest = sv_from(s, 2);
	ptrdiff_t q = sv_chr(sv_upto(rest, 80), '?');
	if (q <= 0)
		return false;
	w->charset = sv_upto(rest, (size_t)q);
	w->charset = sv_take_until(&w->charset, '*'); /* RFC 2231 5 */
	rest = sv_from(rest, (size_t)q + 1);
	if (rest.len < 2 || rest.p[1] != '?')
		return false;
	w->encoding = ascii_upper(rest.p[0]);
	if (w->encoding != 'B' && w->encoding != 'Q')
		return false;
	rest = sv_from(rest, 2);
	for (size_t i = 0; i + 1 < rest.len && i < WORD_MAX; i++) {
		if (ascii_is_blank(rest.p[i]))
			return false;
		if (rest.p[i] != '?')
			continue;
		if (rest.p[i + 1] != '=')
			return false;
		w->text = sv_upto(rest, i);
		w->len = (size_t)(rest.p - s.p) + i + 2;
		return true;
	}
	return false;
}

static void decode_q(struct sv s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i] == '_' ? ' ' : s.p[i];
		if (c == '=' && i + 2 < s.len && num_hex(s.p[i + 1]) >= 0 && num_hex(s.p[i + 2]) >= 0) {
			c = (char)(num_hex(s.p[i + 1]) << 4 | num_hex(s.p[i + 2]));
			i += 2;
		}
		buf_putc(out, c);
	}
}

/* 1 decoded, 0 leave it as it is, -1 ceiling. */
static int put_word(const struct word *w, const struct charset_hook *hook, struct buf *out)
{
	struct buf raw;
	size_t mark = out->len;
	int rc = 0;
	buf_init(&raw, w->text.len + 8);
	if (w->encoding == 'Q')
		decode_q(w->text, &raw);
	else
		rc = transfer_decode_all(TRANSFER_BASE64, w->text, &raw);
	if (rc == 0)
		rc = charset_to_utf8(w->charset, buf_sv(&raw), hook, out);
	if (rc == 1 && !utf8_valid(sv_from(buf_sv(out), mark))) {
		buf_truncate(out, mark); /* a hook broke its promise */
		rc = 0;
	}
	buf_free(&raw);
	return rc;
}

/* Text between encoded words; invalid UTF-8 becomes U+FFFD, line ends of folds vanish. */
static int put_text(struct buf *out, struct sv s)
{
	int rc = 0;
	for (size_t i = 0; i <= s.len;) {
		size_t n = i;
		while (n < s.len && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		rc |= put_utf8(out, sv_sub(s, i, n - i));
		i = n + 1;
	}
	return rc;
}

int rfc2047_decode(struct sv s, const struct charset_hook *hook, struct buf *out)
{
	size_t done = 0;
	bool after_word = false;
	for (size_t i = 0; i + 1 < s.len;) {
		struct word w;
		if (s.p[i] != '=' || s.p[i + 1] != '?' || !word_at(sv_from(s, i), &w)) {
			i++;
			continue;
		}
		struct sv gap = sv_sub(s, done, i - done);
		bool only_blanks = sv_trim(gap).len == 0;
		size_t mark = out->len;
		if (!(after_word && only_blanks) && put_text(out, gap) < 0)
			return -1;
		int rc = put_word(&w, hook, out);
		if (rc < 0)
			return -1;
		if (rc == 0) { /* not decodable: gap and word stand as written */
			buf_truncate(out, mark);
			if (put_text(out, sv_sub(s, done, i + w.len - done)) < 0)
				return -1;
		}
		after_word = rc == 1;
		i += w.len;
		done = i;
	}
	return put_text(out, sv_from(s, done));
}
