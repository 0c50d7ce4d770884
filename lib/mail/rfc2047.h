/*
 * lib/mail/rfc2047.h - encoded words and charsets, towards UTF-8.
 *
 * Layer:     mail (pure; other charsets through the caller's hook).
 * Errors:    a word that cannot be decoded stays as written; -1 only at OUT's ceiling.
 * Security:  output is always valid UTF-8 (what is not becomes U+FFFD), linear time.
 * Standards: RFC 2047 2, 6.2; RFC 2231 5 (language suffix ignored).
 */
#ifndef MAIL_RFC2047_H
#define MAIL_RFC2047_H

#include "lib/base/buf.h"

/* Convert TEXT from CHARSET to UTF-8, appended to OUT: 1 done, 0 charset unknown, -1 ceiling. */
struct charset_hook {
	int (*to_utf8)(void *ctx, struct sv charset, struct sv text, struct buf *out);
	void *ctx;
};

/* Own tables: utf-8, us-ascii, iso-8859-1, windows-1252; then HOOK (may be NULL). Same results. */
MUST_USE int charset_to_utf8(struct sv charset, struct sv text, const struct charset_hook *hook,
	struct buf *out);

/* Append header text S with its encoded words decoded. 0, or -1 (ceiling). */
MUST_USE int rfc2047_decode(struct sv s, const struct charset_hook *hook, struct buf *out);

#endif
