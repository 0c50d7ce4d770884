/*
 * lib/wire/imap_utf7.h - modified UTF-7 of mailbox names.
 *
 * Layer:     wire (pure).
 * Errors:    1 done, -1 not valid (OUT unchanged) or at the ceiling.
 * Security:  strict, so that one name has one encoding (ATTACKS M09): no ASCII inside &...-, no
 *            adjacent shifts, zero trailing bits, surrogates in pairs, no NUL.
 * Standards: RFC 3501 5.1.3, RFC 2152.
 */
#ifndef WIRE_IMAP_UTF7_H
#define WIRE_IMAP_UTF7_H

#include "lib/base/buf.h"

MUST_USE int imap_utf7_decode(struct buf *out, struct sv name); /* to UTF-8 */
MUST_USE int imap_utf7_encode(struct buf *out, struct sv utf8);

#endif
