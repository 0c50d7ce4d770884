/*
 * lib/wire/smtp_reply.h - replies of a server, read line by line; texts for replies of ours.
 *
 * Layer:     wire (pure).
 * Ownership: text lives in struct smtp_reply's buffer until the next smtp_reply_reset().
 * Errors:    1 complete, 0 more lines to come, -1 not a reply (protocol error: close, defer).
 * Security:  hostile server: lines and total text are bounded, codes checked, control octets in
 *            texts become '?', so that they reach logs and reports harmlessly.
 * Standards: RFC 5321 4.2, 4.2.1; RFC 2034 / 3463 (enhanced codes).
 */
#ifndef WIRE_SMTP_REPLY_H
#define WIRE_SMTP_REPLY_H

#include "lib/base/buf.h"
#include "lib/mail/dsn.h"

#define SMTP_REPLY_LINES_MAX 200
#define SMTP_REPLY_TEXT_MAX  16384

struct smtp_reply {
	int code;            /* 0 until the first line */
	bool has_dsn;
	struct dsn_code dsn; /* of the last line that has one and fits the code's first digit */
	unsigned lines;
	struct buf text;     /* "250-mx.example\n250 SIZE 100": lines as received, joined by LF */
	bool truncated;
};

void smtp_reply_init(struct smtp_reply *r);
void smtp_reply_free(struct smtp_reply *r);
void smtp_reply_reset(struct smtp_reply *r);
/* One line without its line end. */
MUST_USE int smtp_reply_line(struct smtp_reply *r, struct sv line);

/* Append "CODE[-| ]D.S.D text\r\n" lines: TEXT is cleaned and split at its LFs. DSN.cls 0: none. */
int smtp_reply_put(struct buf *out, int code, struct dsn_code dsn, struct sv text);
/* Append TEXT on one line, control octets as '?'; 8-bit octets as '?' unless they are valid UTF-8
 * and UTF8 is set. */
int smtp_text_clean(struct buf *out, struct sv text, bool utf8);

#endif
