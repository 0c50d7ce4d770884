/*
 * lib/wire/imap_write.h - strings of IMAP responses.
 *
 * Layer:     wire (pure).
 * Errors:    0, or -1 at OUT's ceiling.
 * Security:  any octets may be passed: what cannot be quoted goes out as a literal; NUL, which no
 *            string may hold, becomes 0x80 as other servers do it.
 * Standards: RFC 9051 4.3, 9 (quoted, literal, astring, nstring).
 */
#ifndef WIRE_IMAP_WRITE_H
#define WIRE_IMAP_WRITE_H

#include "lib/base/buf.h"

int imap_put_string(struct buf *out, struct sv s);  /* quoted or literal */
int imap_put_nstring(struct buf *out, struct sv s, bool nil);
int imap_put_astring(struct buf *out, struct sv s); /* an atom where that is enough */
/* "{n}\r\n": the caller writes the n octets. */
int imap_put_literal_head(struct buf *out, uint64_t n);
/* A mailbox name (UTF-8): modified UTF-7, or with UTF8 as it is, quoted. */
int imap_put_mailbox(struct buf *out, struct sv name, bool utf8);
/* Human-readable text of OK/NO/BAD: control octets become '?'. */
int imap_put_text(struct buf *out, struct sv s);

#endif
