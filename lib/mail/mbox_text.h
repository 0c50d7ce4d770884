/*
 * lib/mail/mbox_text.h - what a mail looks like in an mbox file: the From_ line, quoting, the end.
 *
 * Layer:     mail (pure).
 * Errors:    0, or -1 at the buffer's ceiling.
 * Security:  a sender never brings a second line; no line of the mail can look like the start of another.
 * Standards: RFC 4155 (mboxrd is not written: "From " gets '>', ">From " stays, as Postfix does).
 */
#ifndef MAIL_MBOX_TEXT_H
#define MAIL_MBOX_TEXT_H

#include "lib/base/buf.h"

/* Append "From SENDER  Sun Nov 22 08:05:00 2026\n"; SENDER in internal form, "" is MAILER-DAEMON. */
int mbox_from_line(struct buf *out, struct sv sender, int64_t t, int tz_min);

/* Content on its way into a file, in blocks of any size. Zero is the start of a line. */
struct mbox_quote {
	unsigned matched; /* octets of "From " held back at the start of a line */
	bool in_line;
};

/* Append the block IN. */
int mbox_quote_put(struct mbox_quote *q, struct sv in, struct buf *out);
/* Append what is held back, a line end if the last line has none, and the empty line between mails. */
int mbox_quote_end(struct mbox_quote *q, struct buf *out);

#endif
